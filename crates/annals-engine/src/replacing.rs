//! Events that take the place of older ones with their id: which those are, and how one frame carries
//! both the events and the tombstones. `docs/format.md`, "Frame".

use crate::batch::Batch;
use crate::catalog::{Catalog, Place};
use crate::changes::ChosenRows;
use crate::codec::{Reader, len_u32, row_usize};
use crate::control::{self, ControlOp};
use crate::error::{Error, Result};
use crate::event::StoredEvent;
use crate::field::Field;
use crate::filter::TenantScope;
use crate::frame::FRAME_PAYLOAD_MAX;
use crate::id::EventId;

/// Bytes of the size at the end of a payload.
const TAIL_SIZE: usize = 4;

/// The older events that a batch replaces.
pub(crate) struct Replaced {
    pub(crate) rows: ChosenRows,
    /// What follows the records in the frame's payload.
    pub(crate) tail: Vec<u8>,
}

impl Replaced {
    /// How many.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }
}

/// `InvalidInput` if an id comes twice: which of the two is the newer one is nobody's guess.
pub(crate) fn check_ids(batch: &Batch) -> Result<()> {
    let mut ids: Vec<EventId> = batch.records.iter().filter_map(|record| record.id).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first()) {
        None => Ok(()),
        Some(id) => Err(Error::invalid_input(format!("id {id} comes twice in a batch that replaces by id"))),
    }
}

/// What a batch replaces of what the scope sees; `None` if nothing. The caller of the append holds the
/// control lock, so nothing is deleted meanwhile, and every earlier batch is indexed.
pub(crate) fn find(batch: &Batch, scope: &TenantScope, catalog: &Catalog) -> Result<Option<Replaced>> {
    let mut rows = ChosenRows::default();
    let mut sequences = Vec::new();
    for id in batch.records.iter().filter_map(|record| record.id) {
        find_live(id, scope, catalog, &mut rows, &mut sequences)?;
        find_sealed(id, scope, catalog, &mut rows, &mut sequences)?;
    }
    if sequences.is_empty() {
        return Ok(None);
    }
    let mut tail = Vec::new();
    control::encode(&[ControlOp::DeleteSequences(sequences)], &mut tail)?;
    let size = len_u32(tail.len());
    tail.extend_from_slice(&size.to_le_bytes());
    if batch.size_bytes() + tail.len() > FRAME_PAYLOAD_MAX {
        let message = format!("a batch and what it replaces are at most {FRAME_PAYLOAD_MAX} bytes");
        return Err(Error::invalid_input(message));
    }
    Ok(Some(Replaced { rows, tail }))
}

fn sees(scope: &TenantScope, event: &StoredEvent) -> bool {
    scope.sees(event.realm_ids(), event.get(Field::OrgId))
}

fn find_live(
    id: EventId,
    scope: &TenantScope,
    catalog: &Catalog,
    rows: &mut ChosenRows,
    sequences: &mut Vec<u64>,
) -> Result<()> {
    for entry in &catalog.live {
        for known in entry.segment.rows_with_id(id) {
            let Some((offset, _)) = entry.segment.locate(known.row) else { continue };
            if entry.overlay.tombstones.contains(known.row) {
                continue;
            }
            let sequence = entry.segment.sequence_of(known.row);
            if *scope == TenantScope::Unlimited
                || sees(scope, &entry.segment.with_record(offset, |record| record.to_stored(sequence))?)
            {
                rows.insert(Place::Live(entry.segment.log_id, known.row));
                sequences.push(sequence);
            }
        }
    }
    Ok(())
}

fn find_sealed(
    id: EventId,
    scope: &TenantScope,
    catalog: &Catalog,
    rows: &mut ChosenRows,
    sequences: &mut Vec<u64>,
) -> Result<()> {
    for entry in &catalog.sealed {
        for row in entry.part.find_id(id)? {
            if *scope == TenantScope::Unlimited || sees(scope, &entry.part.event(row)?) {
                rows.insert(Place::Sealed(entry.entry.id, row));
                sequences.push(entry.part.key(row)?.sequence);
            }
        }
    }
    Ok(())
}

/// The records of a payload, and the operation behind them.
///
/// # Errors
/// `Corrupt` if the payload is no such one.
pub(crate) fn split(payload: &[u8]) -> Result<(&[u8], ControlOp)> {
    let short = || Error::corrupt("a frame of replacing events does not say what they replace");
    let (rest, size) = payload.split_last_chunk::<TAIL_SIZE>().ok_or_else(short)?;
    let size = row_usize(Reader::new(size).u32()?);
    let records = rest.len().checked_sub(size).ok_or_else(short)?;
    let (records, operations) = rest.split_at_checked(records).ok_or_else(short)?;
    match control::decode(operations, 1)?.pop() {
        Some(operation @ ControlOp::DeleteSequences(_)) => Ok((records, operation)),
        _ => Err(short()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_payload_is_split_and_cuts_are_corrupt() {
        let mut payload = b"records".to_vec();
        control::encode(&[ControlOp::DeleteSequences(vec![3, 9])], &mut payload).unwrap();
        let size = u32::try_from(payload.len() - 7).unwrap();
        payload.extend_from_slice(&size.to_le_bytes());
        let (records, operation) = split(&payload).unwrap();
        assert_eq!((records, operation), (&b"records"[..], ControlOp::DeleteSequences(vec![3, 9])));
        for cut in 0..payload.len() {
            assert_eq!(split(&payload[..cut]).unwrap_err().kind(), ErrorKind::Corrupt, "cut to {cut}");
        }
    }

    #[test]
    fn only_a_delete_of_sequences_may_follow() {
        let mut payload = Vec::new();
        control::encode(&[ControlOp::Mark { marks: vec![(1, true)] }], &mut payload).unwrap();
        let size = u32::try_from(payload.len()).unwrap();
        payload.extend_from_slice(&size.to_le_bytes());
        assert!(split(&payload).is_err());
    }
}
