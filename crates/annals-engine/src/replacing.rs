//! What one frame does besides bringing events: it deletes older ones whose place they take, and marks
//! events as acknowledged. `docs/format.md`, "Frame".

use crate::batch::Batch;
use crate::catalog::{Catalog, Place};
use crate::changes::ChosenRows;
use crate::codec::{Reader, len_u32, row_usize};
use crate::control::{self, CONTROL_ITEMS_MAX, ControlOp};
use crate::error::{Error, Result};
use crate::event::StoredEvent;
use crate::field::Field;
use crate::filter::TenantScope;
use crate::frame::FRAME_PAYLOAD_MAX;
use crate::id::EventId;

/// Bytes of the size at the end of a payload.
const TAIL_SIZE: usize = 4;
/// The most operations that follow the records.
const OPERATIONS_MAX: usize = 2;

/// The older events that a batch replaces.
#[derive(Debug, Default)]
pub(crate) struct Replaced {
    pub(crate) rows: ChosenRows,
    sequences: Vec<u64>,
}

/// What the frame of a batch says besides its events.
pub(crate) struct Carried {
    pub(crate) replaced: ChosenRows,
    /// Its own events that are marked as acknowledged.
    pub(crate) acknowledged: Vec<u64>,
    /// What follows the records in the frame's payload.
    pub(crate) tail: Vec<u8>,
}

impl Carried {
    /// How many older events are replaced.
    pub(crate) fn replaced_count(&self) -> u32 {
        u32::try_from(self.replaced.len()).unwrap_or(u32::MAX)
    }
}

impl Replaced {
    /// The sequences of those events.
    pub(crate) fn sequences(&self) -> &[u64] {
        &self.sequences
    }

    /// The most bytes that are needed to say it and the marks of the batch.
    ///
    /// # Errors
    /// `InvalidInput` if that and the batch are too much for one frame.
    pub(crate) fn tail_size_max(&self, batch: &Batch) -> Result<usize> {
        let deletes = if self.sequences.is_empty() { 0 } else { 16 + 10 * self.sequences.len() };
        let size = deletes + batch.marks_size_max();
        let items = self.sequences.len() + batch.acknowledged.len();
        if batch.size_bytes() + size > FRAME_PAYLOAD_MAX || items > CONTROL_ITEMS_MAX {
            let message = format!("a batch and what it replaces are at most {FRAME_PAYLOAD_MAX} bytes");
            return Err(Error::invalid_input(message));
        }
        Ok(size)
    }

    /// What the frame of the batch says besides its events, the first of which gets `first_sequence`;
    /// `None` if nothing. [`Replaced::tail_size_max`] has found that there is room.
    pub(crate) fn carried(self, batch: &Batch, first_sequence: u64) -> Option<Carried> {
        let acknowledged: Vec<u64> =
            batch.acknowledged.iter().map(|position| first_sequence + u64::from(*position)).collect();
        let mut operations = Vec::with_capacity(OPERATIONS_MAX);
        if !self.sequences.is_empty() {
            operations.push(ControlOp::DeleteSequences(self.sequences));
        }
        if !acknowledged.is_empty() {
            operations.push(ControlOp::Mark { marks: acknowledged.iter().map(|one| (*one, true)).collect() });
        }
        if operations.is_empty() {
            return None;
        }
        let mut tail = Vec::new();
        control::encode(&operations, &mut tail).expect("deletes and marks of few enough events always fit");
        let size = len_u32(tail.len());
        tail.extend_from_slice(&size.to_le_bytes());
        Some(Carried { replaced: self.rows, acknowledged, tail })
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

/// What a batch replaces of what the scope sees, in sealed segments. The caller holds the control lock
/// until the batch is stored, so that no row gets into a segment or is deleted in one meanwhile.
pub(crate) fn find_in_sealed(batch: &Batch, scope: &TenantScope, catalog: &Catalog) -> Result<Replaced> {
    let mut replaced = Replaced::default();
    for id in batch.records.iter().filter_map(|record| record.id) {
        find_sealed(id, scope, catalog, &mut replaced)?;
    }
    Ok(replaced)
}

/// Adds what a batch replaces in logs. Every earlier batch is indexed.
pub(crate) fn find_in_live(batch: &Batch, scope: &TenantScope, catalog: &Catalog, found: &mut Replaced) -> Result<()> {
    let mut ids = batch.records.iter().filter_map(|record| record.id);
    ids.try_for_each(|id| find_live(id, scope, catalog, found))
}

fn sees(scope: &TenantScope, event: &StoredEvent) -> bool {
    scope.sees(event.realm_ids(), event.get(Field::OrgId))
}

fn find_live(id: EventId, scope: &TenantScope, catalog: &Catalog, replaced: &mut Replaced) -> Result<()> {
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
                replaced.rows.insert(Place::Live(entry.segment.log_id, known.row));
                replaced.sequences.push(sequence);
            }
        }
    }
    Ok(())
}

fn find_sealed(id: EventId, scope: &TenantScope, catalog: &Catalog, replaced: &mut Replaced) -> Result<()> {
    for entry in &catalog.sealed {
        for row in entry.part.find_id(id)? {
            if *scope == TenantScope::Unlimited || sees(scope, &entry.part.event(row)?) {
                replaced.rows.insert(Place::Sealed(entry.entry.id, row));
                replaced.sequences.push(entry.part.key(row)?.sequence);
            }
        }
    }
    Ok(())
}

/// The records of a payload, and the operations behind them: a delete of sequences, marks, or both.
///
/// # Errors
/// `Corrupt` if the payload is no such one.
pub(crate) fn split(payload: &[u8]) -> Result<(&[u8], Vec<ControlOp>)> {
    let short = || Error::corrupt("a frame of events and operations does not say what the operations are");
    let (rest, size) = payload.split_last_chunk::<TAIL_SIZE>().ok_or_else(short)?;
    let size = row_usize(Reader::new(size).u32()?);
    let records = rest.len().checked_sub(size).ok_or_else(short)?;
    let (records, operations) = rest.split_at_checked(records).ok_or_else(short)?;
    let operations = control::decode_all(operations, OPERATIONS_MAX)?;
    match operations.as_slice() {
        [ControlOp::DeleteSequences(_) | ControlOp::Mark { .. }]
        | [ControlOp::DeleteSequences(_), ControlOp::Mark { .. }] => Ok((records, operations)),
        _ => Err(short()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn payload(operations: &[ControlOp]) -> Vec<u8> {
        let mut payload = b"records".to_vec();
        control::encode(operations, &mut payload).unwrap();
        let size = u32::try_from(payload.len() - 7).unwrap();
        payload.extend_from_slice(&size.to_le_bytes());
        payload
    }

    fn delete() -> ControlOp {
        ControlOp::DeleteSequences(vec![3, 9])
    }

    fn mark() -> ControlOp {
        ControlOp::Mark { marks: vec![(11, true)] }
    }

    #[test]
    fn a_payload_is_split_and_cuts_are_corrupt() {
        for operations in [vec![delete()], vec![mark()], vec![delete(), mark()]] {
            let payload = payload(&operations);
            assert_eq!(split(&payload).unwrap(), (&b"records"[..], operations));
            for cut in 0..payload.len() {
                assert_eq!(split(&payload[..cut]).unwrap_err().kind(), ErrorKind::Corrupt, "cut to {cut}");
            }
        }
    }

    #[test]
    fn only_a_delete_of_sequences_and_marks_may_follow() {
        let filtered = ControlOp::DeleteMatching { filter: crate::filter::Filter::All, upto_sequence: 1 };
        for operations in [
            vec![],
            vec![filtered],
            vec![mark(), delete()],
            vec![mark(), mark()],
            vec![delete(), delete()],
            vec![delete(), mark(), mark()],
        ] {
            assert_eq!(split(&payload(&operations)).unwrap_err().kind(), ErrorKind::Corrupt, "{operations:?}");
        }
    }

    #[test]
    fn room_is_reckoned_for_the_largest_sequences() {
        let mut batch = Batch::new();
        for number in 0..300 {
            let mut event = crate::Event::new("a");
            event.acknowledged = number % 3 > 0;
            batch.push(&event).unwrap();
        }
        let first = u64::MAX - 1_000;
        for sequences in [vec![], vec![u64::MAX], (first..u64::MAX).collect()] {
            let replaced = Replaced { rows: ChosenRows::default(), sequences };
            let size_max = replaced.tail_size_max(&batch).unwrap();
            let carried = replaced.carried(&batch, first).unwrap();
            assert!(carried.tail.len() <= size_max, "{} of {size_max}", carried.tail.len());
            assert_eq!((carried.acknowledged.len(), carried.acknowledged.first()), (200, Some(&(first + 1))));
        }
        assert!(Replaced::default().carried(&Batch::new(), 1).is_none());
    }
}
