//! A batch on its way into a frame: times filled in, repeats left out.

use crate::batch::{Batch, RecordRef};
use crate::catalog::{Catalog, LiveEntry, SealedEntry};
use crate::codec::row_usize;
use crate::error::Result;
use crate::event::StoredEvent;
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
    let bounds_us = bounds(&batch, context.now_us);
    let mut noted = Vec::new();
    let duplicates = find_repeats(job, &batch, bounds_us, context, &mut noted).and_then(|duplicates| {
        if !duplicates.is_empty() {
            batch = without(&batch, &duplicates)?;
        }
        Ok(duplicates)
    });
    let duplicates = duplicates.inspect_err(|_| take_back(context, &noted))?;
    let (min_created_at_us, max_created_at_us) =
        if duplicates.is_empty() { bounds_us } else { bounds(&batch, context.now_us) };
    for record in batch.records.iter_mut().filter(|record| record.created_at_us.is_none()) {
        record.created_at_us = Some(context.now_us);
        let start = row_usize(record.offset) + CREATED_AT_OFFSET;
        if let Some(place) = batch.bytes.get_mut(start..start + 8) {
            place.copy_from_slice(&context.now_us.to_le_bytes());
        }
    }
    Ok(Staged { batch, duplicates, min_created_at_us, max_created_at_us })
}

/// The smallest and the largest time of a batch, once those without one have `now_us`.
fn bounds(batch: &Batch, now_us: i64) -> (i64, i64) {
    let times = batch.records.iter().map(|record| record.created_at_us.unwrap_or(now_us));
    times.fold((i64::MAX, i64::MIN), |(min, max), time| (min.min(time), max.max(time)))
}

/// The positions of events that are there already; the ids of the others are noted.
fn find_repeats(
    job: &AppendJob,
    batch: &Batch,
    bounds_us: (i64, i64),
    context: &StageContext<'_>,
    noted: &mut Vec<(EventId, u32)>,
) -> Result<Vec<u32>> {
    let mut duplicates = Vec::new();
    let Some((active, closed)) = context.catalog.live.split_last() else { return Ok(duplicates) };
    if batch.records.iter().all(|record| record.id.is_none()) {
        return Ok(duplicates);
    }
    let skips = job.how.repeats == Repeats::Skip;
    // An event without a time is a repeat whatever the time of the other one.
    let timeless = batch.records.iter().any(|record| record.id.is_some() && record.created_at_us.is_none());
    let elsewhere = Elsewhere::new(context.catalog, closed, if timeless { (i64::MIN, i64::MAX) } else { bounds_us });
    let wanted = |record: &RecordRef, id| Wanted { id, created_at_us: record.created_at_us, scope: &job.how.scope };
    // Before the lock is taken: sealed segments are read for it, and readers of the active one do not wait for that.
    let mut known = Vec::new();
    for (index, record) in (0_u32..).zip(&batch.records).filter(|_| skips) {
        let Some(wanted) = record.id.map(|id| wanted(record, id)) else { continue };
        if elsewhere.has(&wanted)? || is_made_repeat(active, &wanted)? {
            known.push(index);
        }
    }
    let mut known = known.into_iter().peekable();
    let mut ids = active.segment.ids.write();
    ids.warm(batch.records.iter().filter_map(|record| record.id));
    let mut row = context.first_row;
    for (index, record) in (0_u32..).zip(&batch.records) {
        if let Some(id) = record.id {
            let id_row = IdRow { row, created_at_us: record.created_at_us.unwrap_or(context.now_us) };
            let wanted = wanted(record, id);
            if known.next_if_eq(&index).is_some() {
                duplicates.push(index);
                continue;
            }
            if !ids.insert_new(id, id_row) {
                if skips && is_active_repeat(active, ids.rows(id), &wanted, context.indexed_rows)? {
                    duplicates.push(index);
                    continue;
                }
                ids.insert(id, id_row);
            }
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

/// The identity of an event on its way in, and who may know of a repeat.
struct Wanted<'a> {
    id: EventId,
    /// Absent: whatever the time.
    created_at_us: Option<i64>,
    scope: &'a TenantScope,
}

impl Wanted<'_> {
    fn is_at(&self, created_at_us: i64) -> bool {
        self.created_at_us.is_none_or(|wanted| wanted == created_at_us)
    }

    fn sees(&self, event: &StoredEvent) -> bool {
        self.scope.sees(event.realm_ids(), event.get(Field::OrgId))
    }
}

/// Where besides the active log a repeat may be: chosen once for a batch, by its times.
struct Elsewhere<'c> {
    live: Vec<&'c LiveEntry>,
    sealed: Vec<&'c SealedEntry>,
}

impl<'c> Elsewhere<'c> {
    fn new(catalog: &'c Catalog, closed: &'c [LiveEntry], (from_us, to_us): (i64, i64)) -> Self {
        let overlaps = |entry: &&SealedEntry| {
            let (min_us, max_us) = entry.part.time_bounds_us();
            from_us <= max_us && to_us >= min_us
        };
        Self {
            // An id made by the store is in no table: its log is asked whatever the times.
            live: closed.iter().rev().collect(),
            sealed: catalog.sealed.iter().filter(overlaps).collect(),
        }
    }

    fn has(&self, wanted: &Wanted<'_>) -> Result<bool> {
        for entry in &self.live {
            if is_made_repeat(entry, wanted)? {
                return Ok(true);
            }
            let ids = entry.segment.ids.read();
            let may_hold = wanted.created_at_us.is_none_or(|time| ids.may_hold(time, time));
            if may_hold && is_live_repeat(entry, ids.rows(wanted.id), wanted)? {
                return Ok(true);
            }
        }
        for entry in &self.sealed {
            if is_sealed_repeat(entry, wanted)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether one of these rows of the active log is the same event, as far as the caller can see.
fn is_active_repeat(
    active: &LiveEntry,
    rows: impl Iterator<Item = IdRow>,
    wanted: &Wanted<'_>,
    indexed_rows: u32,
) -> Result<bool> {
    for known in rows {
        // A row not yet indexed is of this very batch.
        if known.row >= indexed_rows && wanted.is_at(known.created_at_us) {
            return Ok(true);
        }
        if known.row < indexed_rows && is_live_repeat(active, std::iter::once(known), wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the store made this id for an event of that log.
fn is_made_repeat(entry: &LiveEntry, wanted: &Wanted<'_>) -> Result<bool> {
    match wanted.id.made_parts() {
        None => Ok(false),
        Some(_) => is_live_repeat(entry, entry.segment.made_row(wanted.id).into_iter(), wanted),
    }
}

fn is_live_repeat(entry: &LiveEntry, rows: impl Iterator<Item = IdRow>, wanted: &Wanted<'_>) -> Result<bool> {
    for known in rows {
        if !wanted.is_at(known.created_at_us) || entry.overlay.tombstones.contains(known.row) {
            continue;
        }
        if *wanted.scope == TenantScope::Unlimited {
            return Ok(true);
        }
        if let Some((offset, _)) = entry.segment.locate(known.row) {
            let sequence = entry.segment.sequence_of(known.row);
            if wanted.sees(&entry.segment.with_record(offset, |record| record.to_stored(sequence))?) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn is_sealed_repeat(entry: &SealedEntry, wanted: &Wanted<'_>) -> Result<bool> {
    let (min_us, max_us) = entry.part.time_bounds_us();
    if wanted.created_at_us.is_some_and(|time| time < min_us || time > max_us) {
        return Ok(false);
    }
    for row in entry.part.find_id(wanted.id)? {
        if entry.part.key(row).is_ok_and(|key| !wanted.is_at(key.created_at_us)) {
            continue;
        }
        if *wanted.scope == TenantScope::Unlimited || wanted.sees(&entry.part.event(row)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The batch without the events at these positions (ascending).
fn without(batch: &Batch, left_out: &[u32]) -> Result<Batch> {
    let mut kept = Batch::new();
    kept.bytes.reserve(batch.size_bytes());
    let mut left_out = left_out.iter().copied().peekable();
    for (index, record) in (0_u32..).zip(&batch.records) {
        if left_out.next_if_eq(&index).is_none() {
            let start = row_usize(record.offset);
            let end = batch.records.get(row_usize(index) + 1).map_or(batch.bytes.len(), |next| row_usize(next.offset));
            let bytes = batch.bytes.get(start..end).unwrap_or_default();
            kept.push_record(record, bytes, batch.acknowledged.binary_search(&index).is_ok())?;
        }
    }
    debug_assert!(kept.bytes.len() >= FRAME_HEADER_SIZE, "the header's room is kept");
    Ok(kept)
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
        let kept = without(&batch, &[0, 2]).unwrap();
        let mut expected = Batch::new();
        for name in ["bb", "dddd"] {
            let mut event = Event::new(name);
            event.set(Field::UserId, name);
            event.acknowledged = name == "dddd";
            expected.push(&event).unwrap();
        }
        assert_eq!((&kept.bytes, &kept.acknowledged), (&expected.bytes, &expected.acknowledged));
        assert_eq!(kept.acknowledged, [1]);
        assert_eq!(kept.values(), expected.values());
        assert_eq!(kept.records[1].uses_end, expected.records[1].uses_end);
    }
}
