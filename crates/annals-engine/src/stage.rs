//! A batch on its way into a frame: times filled in, repeats left out.

use crate::batch::{Batch, RecordRef};
use crate::catalog::Catalog;
use crate::codec::{len_u32, row_usize};
use crate::error::Result;
use crate::field::Field;
use crate::filter::TenantScope;
use crate::frame::FRAME_HEADER_SIZE;
use crate::id::EventId;
use crate::live::IdRow;
use crate::queue::AppendJob;
use crate::record::CREATED_AT_OFFSET;
use crate::requests::Repeats;

/// A batch without its repeats, all times known.
pub(crate) struct Staged {
    pub(crate) batch: Batch,
    /// Positions in the caller's batch that were left out.
    pub(crate) duplicates: Vec<u32>,
    pub(crate) min_created_at_us: i64,
    pub(crate) max_created_at_us: i64,
}

/// What staging needs to know about the store.
pub(crate) struct StageContext<'a> {
    pub(crate) catalog: &'a Catalog,
    /// The row the batch's first event gets in the active segment.
    pub(crate) first_row: u32,
    /// Rows of the active segment from here on are not indexed yet: they are of this batch.
    pub(crate) indexed_rows: u32,
    /// The time for events without one.
    pub(crate) now_us: i64,
}

/// Fills in times, finds repeats, notes the given ids of the rest in the active segment.
pub(crate) fn stage(job: &mut AppendJob, context: &StageContext<'_>) -> Result<Staged> {
    let mut batch = std::mem::take(&mut job.batch);
    let mut noted = Vec::new();
    let duplicates = match find_repeats(job, &batch, context, &mut noted) {
        Ok(duplicates) => duplicates,
        Err(error) => {
            take_back(context, &noted);
            return Err(error);
        }
    };
    if !duplicates.is_empty() {
        batch = without(&batch, &duplicates);
    }
    let (mut min_created_at_us, mut max_created_at_us) = (i64::MAX, i64::MIN);
    for record in &mut batch.records {
        let created_at_us = record.created_at_us.unwrap_or(context.now_us);
        if record.created_at_us.is_none() {
            record.created_at_us = Some(created_at_us);
            let start = row_usize(record.offset) + CREATED_AT_OFFSET;
            if let Some(place) = batch.bytes.get_mut(start..start + 8) {
                place.copy_from_slice(&created_at_us.to_le_bytes());
            }
        }
        min_created_at_us = min_created_at_us.min(created_at_us);
        max_created_at_us = max_created_at_us.max(created_at_us);
    }
    Ok(Staged { batch, duplicates, min_created_at_us, max_created_at_us })
}

/// The positions of events that are there already; the ids of the others are noted.
fn find_repeats(
    job: &AppendJob,
    batch: &Batch,
    context: &StageContext<'_>,
    noted: &mut Vec<(EventId, u32)>,
) -> Result<Vec<u32>> {
    let mut duplicates = Vec::new();
    let Some(active) = context.catalog.live.last() else { return Ok(duplicates) };
    let mut row = context.first_row;
    for (index, record) in (0_u32..).zip(&batch.records) {
        if let Some(id) = record.id {
            let repeats = match job.how.repeats {
                Repeats::Skip => is_repeat(context, id, record.created_at_us, &job.how.scope)?,
                Repeats::Replace => false,
            };
            if repeats {
                duplicates.push(index);
                continue;
            }
            let created_at_us = record.created_at_us.unwrap_or(context.now_us);
            active.segment.ids.write().insert(id, IdRow { row, created_at_us });
            noted.push((id, row));
        }
        row += 1;
    }
    Ok(duplicates)
}

/// Forgets ids whose events will not be written, so that a retry is no repeat.
fn take_back(context: &StageContext<'_>, noted: &[(EventId, u32)]) {
    if let Some(active) = context.catalog.live.last() {
        let mut ids = active.segment.ids.write();
        for (id, row) in noted.iter().rev() {
            ids.take_back(*id, *row);
        }
    }
}

/// Whether the store holds this event already, as far as the caller can see.
fn is_repeat(context: &StageContext<'_>, id: EventId, created_at_us: Option<i64>, scope: &TenantScope) -> Result<bool> {
    let same_time = |time: i64| created_at_us.is_none_or(|wanted| wanted == time);
    let active_log = context.catalog.live.last().map(|entry| entry.segment.log_id);
    for entry in context.catalog.live.iter().rev() {
        let is_active = Some(entry.segment.log_id) == active_log;
        for known in entry.segment.rows_with_id(id) {
            if !same_time(known.created_at_us) || entry.overlay.tombstones.contains(known.row) {
                continue;
            }
            if is_active && known.row >= context.indexed_rows {
                return Ok(true);
            }
            if *scope == TenantScope::Unlimited {
                return Ok(true);
            }
            if let Some((offset, _)) = entry.segment.locate(known.row) {
                let sequence = entry.segment.sequence_of(known.row);
                let event = entry.segment.with_record(offset, |record| record.to_stored(sequence))?;
                if scope.sees(event.realm_ids(), event.get(Field::OrgId)) {
                    return Ok(true);
                }
            }
        }
    }
    is_sealed_repeat(context.catalog, id, created_at_us, scope)
}

fn is_sealed_repeat(catalog: &Catalog, id: EventId, created_at_us: Option<i64>, scope: &TenantScope) -> Result<bool> {
    for entry in &catalog.sealed {
        let (min, max) = entry.part.time_bounds_us();
        if created_at_us.is_some_and(|wanted| wanted < min || wanted > max) {
            continue;
        }
        for row in entry.part.find_id(id)? {
            if created_at_us.is_some_and(|wanted| entry.part.key(row).is_ok_and(|key| key.created_at_us != wanted)) {
                continue;
            }
            if *scope == TenantScope::Unlimited {
                return Ok(true);
            }
            let event = entry.part.event(row)?;
            if scope.sees(event.realm_ids(), event.get(Field::OrgId)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The batch without the events at these positions (ascending).
fn without(batch: &Batch, left_out: &[u32]) -> Batch {
    let mut kept = Batch::new();
    kept.bytes.reserve(batch.size_bytes());
    let mut left_out = left_out.iter().copied().peekable();
    let mut terms_start = 0;
    for (index, record) in (0_u32..).zip(&batch.records) {
        let start = row_usize(record.offset);
        let end = batch.records.get(row_usize(index) + 1).map_or(batch.bytes.len(), |next| row_usize(next.offset));
        let terms_end = row_usize(record.terms_end);
        if left_out.peek() == Some(&index) {
            left_out.next();
        } else {
            let offset = len_u32(kept.bytes.len());
            kept.bytes.extend_from_slice(batch.bytes.get(start..end).unwrap_or_default());
            let terms = batch.terms.get(terms_start..terms_end).unwrap_or_default();
            kept.terms.extend(terms.iter().map(|term| {
                let mut term = *term;
                term.offset = term.offset - record.offset + offset;
                term
            }));
            if batch.acknowledged.binary_search(&index).is_ok() {
                kept.acknowledged.push(len_u32(kept.records.len()));
            }
            kept.records.push(RecordRef { offset, terms_end: len_u32(kept.terms.len()), ..*record });
        }
        terms_start = terms_end;
    }
    debug_assert!(kept.bytes.len() >= FRAME_HEADER_SIZE, "the header's room is kept");
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    #[test]
    fn leaving_events_out_keeps_the_others_whole() {
        let mut batch = Batch::new();
        for name in ["a", "bb", "ccc", "dddd"] {
            let mut event = Event::new(name);
            event.set(Field::UserId, name);
            event.acknowledged = matches!(name, "a" | "dddd");
            batch.push(&event).unwrap();
        }
        let kept = without(&batch, &[0, 2]);
        let mut expected = Batch::new();
        for name in ["bb", "dddd"] {
            let mut event = Event::new(name);
            event.set(Field::UserId, name);
            event.acknowledged = name == "dddd";
            expected.push(&event).unwrap();
        }
        assert_eq!((&kept.bytes, &kept.acknowledged), (&expected.bytes, &expected.acknowledged));
        assert_eq!(kept.acknowledged, [1]);
        let terms = |batch: &Batch| batch.terms.iter().map(|term| batch.term_bytes(term).to_vec()).collect::<Vec<_>>();
        assert_eq!(terms(&kept), terms(&expected));
        assert_eq!(kept.records[1].terms_end, expected.records[1].terms_end);
    }
}
