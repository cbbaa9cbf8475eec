//! Deletes and marks of all kinds: chosen under the control lock, logged durably, then shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::amended::Amended;
use crate::catalog::{Catalog, Place, Snapshot};
use crate::control::ControlOp;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::overlay::Overlay;
use crate::part::Part;
use crate::queue::{Job, ask};
use crate::receipts::ReadEntry;
use crate::recent::ChangeKind;
use crate::requests::{Amendment, Mark, READER_SIZE_MAX, ReadMark, ReadReceipt};
use crate::shared::Shared;
use crate::threading::channel::Sender;

/// Rows of every segment that a change is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChosenRows {
    /// By segment id; rows of the segment.
    pub(crate) sealed: BTreeMap<u64, RoaringBitmap>,
    /// By log id; live rows.
    pub(crate) live: BTreeMap<u64, RoaringBitmap>,
}

impl ChosenRows {
    pub(crate) fn len(&self) -> u64 {
        self.sealed.values().chain(self.live.values()).map(RoaringBitmap::len).sum()
    }

    /// The rows of a snapshot that match. Deleted rows never do.
    pub(crate) fn matching(snapshot: &Snapshot, filter: &Filter) -> Result<Self> {
        let mut chosen = Self::default();
        for entry in &snapshot.catalog.sealed {
            let rows = entry.part.select(filter)?;
            if !rows.is_empty() {
                chosen.sealed.insert(entry.entry.id, rows.to_bitmap());
            }
        }
        for (part, log_id) in &snapshot.live {
            let rows = part.select(filter)?;
            if !rows.is_empty() {
                let live_rows = rows.iter().map(|row| part.live_row(row));
                chosen.live.entry(*log_id).or_default().extend(live_rows);
            }
        }
        Ok(chosen)
    }

    /// How many rows both have.
    pub(crate) fn common(&self, other: &Self) -> u64 {
        let of = |mine: &BTreeMap<u64, RoaringBitmap>, theirs: &BTreeMap<u64, RoaringBitmap>| -> u64 {
            let both = mine.iter().filter_map(|(id, rows)| Some((rows, theirs.get(id)?)));
            both.map(|(rows, others)| rows.intersection_len(others)).sum()
        };
        of(&self.sealed, &other.sealed) + of(&self.live, &other.live)
    }

    /// Adds a row.
    pub(crate) fn insert(&mut self, place: Place) {
        match place {
            Place::Sealed(id, row) => _ = self.sealed.entry(id).or_default().insert(row),
            Place::Live(id, row) => _ = self.live.entry(id).or_default().insert(row),
        }
    }

    /// Adds the row of a sequence; returns whether it is there and not deleted.
    pub(crate) fn add_sequence(&mut self, snapshot: &Snapshot, sequence: u64) -> Result<bool> {
        let place = snapshot.locate(sequence)?;
        if let Some(place) = place {
            self.insert(place);
        }
        Ok(place.is_some())
    }

    /// Changes the overlays of all chosen segments.
    pub(crate) fn apply(&self, catalog: &mut Catalog, ordinal: u64, change: impl Fn(&mut Overlay, &RoaringBitmap)) {
        let changed = |overlay: &Overlay, rows: &RoaringBitmap| {
            let mut next = overlay.clone();
            change(&mut next, rows);
            next.applied_control = ordinal;
            Arc::new(next)
        };
        for (segment_id, rows) in &self.sealed {
            let found = catalog.sealed.iter().find(|entry| entry.entry.id == *segment_id);
            if let Some(overlay) = found.map(|entry| changed(&entry.overlay, rows)) {
                catalog.set_sealed_overlay(*segment_id, overlay);
            }
        }
        for (log_id, rows) in &self.live {
            let found = catalog.live.iter().find(|entry| entry.segment.log_id == *log_id);
            if let Some(overlay) = found.map(|entry| changed(&entry.overlay, rows)) {
                catalog.set_live_overlay(*log_id, overlay);
            }
        }
    }
}

/// Deletes everything that matches, is visible now and is not held.
pub(crate) fn delete_matching(shared: &Shared, jobs: &Sender<Job>, filter: &Filter) -> Result<u64> {
    shared.check_writable()?;
    let mut control = shared.control.lock();
    let snapshot = shared.snapshot();
    let upto = snapshot.visible_sequence();
    let filter = shared.holds.spare(filter);
    let chosen = ChosenRows::matching(&snapshot, &upto_sequence(&filter, upto))?;
    if chosen.len() == 0 {
        return Ok(0);
    }
    let operation = ControlOp::DeleteMatching { filter, upto_sequence: upto };
    let ordinal = ask(jobs, |reply| Job::Control(operation, reply))?;
    shared.update_catalog(|catalog| chosen.apply(catalog, ordinal, Overlay::delete));
    control.applied_ordinal = ordinal;
    shared.note_change(&snapshot, &chosen, ChangeKind::Deleted);
    Ok(chosen.len())
}

/// A filter that later events do not match.
pub(crate) fn upto_sequence(filter: &Filter, upto: u64) -> Filter {
    filter.clone().and(Filter::SequenceBetween { from: 0, to: upto.saturating_add(1) })
}

/// Deletes the events with these sequences; those that are not there are not counted.
pub(crate) fn delete_sequences(shared: &Shared, jobs: &Sender<Job>, sequences: &[u64]) -> Result<u64> {
    shared.check_writable()?;
    let mut control = shared.control.lock();
    let snapshot = shared.snapshot();
    let mut chosen = ChosenRows::default();
    let mut found = Vec::with_capacity(sequences.len());
    for sequence in sequences {
        if chosen.add_sequence(&snapshot, *sequence)? {
            found.push(*sequence);
        }
    }
    if found.is_empty() {
        return Ok(0);
    }
    shared.holds.check(&snapshot, &chosen, &found)?;
    let ordinal = ask(jobs, |reply| Job::Control(ControlOp::DeleteSequences(found), reply))?;
    shared.update_catalog(|catalog| chosen.apply(catalog, ordinal, Overlay::delete));
    control.applied_ordinal = ordinal;
    shared.note_change(&snapshot, &chosen, ChangeKind::Deleted);
    Ok(chosen.len())
}

/// Changes marks; events that are not there are not counted.
pub(crate) fn mark(shared: &Shared, jobs: &Sender<Job>, marks: &[Mark]) -> Result<u64> {
    shared.check_writable()?;
    let mut control = shared.control.lock();
    let snapshot = shared.snapshot();
    let mut found = Vec::with_capacity(marks.len());
    let (mut set, mut unset) = (ChosenRows::default(), ChosenRows::default());
    // Of several marks of one event the last one counts.
    let latest: BTreeMap<u64, bool> = marks.iter().map(|mark| (mark.sequence, mark.acknowledged)).collect();
    for (sequence, acknowledged) in latest {
        let chosen = if acknowledged { &mut set } else { &mut unset };
        if chosen.add_sequence(&snapshot, sequence)? {
            found.push((sequence, acknowledged));
        }
    }
    if found.is_empty() {
        return Ok(0);
    }
    let ordinal = ask(jobs, |reply| Job::Control(ControlOp::Mark { marks: found }, reply))?;
    shared.update_catalog(|catalog| apply_marks(catalog, ordinal, &set, &unset));
    control.applied_ordinal = ordinal;
    shared.note_change(&snapshot, &set, ChangeKind::Acknowledged(true));
    shared.note_change(&snapshot, &unset, ChangeKind::Acknowledged(false));
    Ok(set.len() + unset.len())
}

pub(crate) fn apply_marks(catalog: &mut Catalog, ordinal: u64, set: &ChosenRows, unset: &ChosenRows) {
    set.apply(catalog, ordinal, |overlay, rows| overlay.acknowledged |= rows);
    unset.apply(catalog, ordinal, |overlay, rows| overlay.acknowledged -= rows);
}

/// Amends an event; whether it is there.
pub(crate) fn amend(shared: &Shared, jobs: &Sender<Job>, amendment: &Amendment) -> Result<bool> {
    shared.check_writable()?;
    let amended = Amended::new(amendment)?;
    let mut control = shared.control.lock();
    let snapshot = shared.snapshot();
    let Some(place) = snapshot.locate(amendment.sequence)? else { return Ok(false) };
    let mut chosen = ChosenRows::default();
    chosen.insert(place);
    shared.holds.check(&snapshot, &chosen, &[amendment.sequence])?;
    if let Some(overlay) = snapshot.catalog.overlay_at(place) {
        overlay.check_room(amended.size_bytes())?;
    }
    let operation = ControlOp::Amend { sequence: amendment.sequence, amended: amended.clone() };
    let ordinal = ask(jobs, |reply| Job::Control(operation, reply))?;
    shared.update_catalog(|catalog| apply_amended(catalog, ordinal, place, &amended));
    control.applied_ordinal = ordinal;
    shared.note_change(&snapshot, &chosen, ChangeKind::Amended);
    Ok(true)
}

pub(crate) fn apply_amended(catalog: &mut Catalog, ordinal: u64, place: Place, amended: &Amended) {
    catalog.change_overlay_at(place, ordinal, |overlay, row| overlay.amendments.amend(row, amended));
}

/// Notes who has read what; how many of the marks are new. Events that are not there are not counted.
pub(crate) fn mark_read(shared: &Shared, jobs: &Sender<Job>, marks: &[ReadMark]) -> Result<u64> {
    shared.check_writable()?;
    if let Some(mark) = marks.iter().find(|mark| !(1..=READER_SIZE_MAX).contains(&mark.user_id.len())) {
        let size = mark.user_id.len();
        return Err(Error::invalid_input(format!("user_id has {size} bytes, the range is 1 to {READER_SIZE_MAX}")));
    }
    let mut control = shared.control.lock();
    let snapshot = shared.snapshot();
    let (marks, read) = new_reads(&snapshot, marks)?;
    if marks.is_empty() {
        return Ok(0);
    }
    read.check_room(&snapshot)?;
    let count = read.0.values().map(|entries| crate::codec::len_u64(entries.len())).sum();
    let ordinal = ask(jobs, |reply| Job::Control(ControlOp::Read { marks }, reply))?;
    shared.update_catalog(|catalog| read.apply(catalog, ordinal));
    control.applied_ordinal = ordinal;
    Ok(count)
}

/// Whether there is room for the receipts of the marks that are new.
pub(crate) fn check_read_room(snapshot: &Snapshot, marks: &[ReadMark]) -> Result<()> {
    new_reads(snapshot, marks)?.1.check_room(snapshot)
}

/// The marks that are new, of events that are there, and their receipts.
fn new_reads(snapshot: &Snapshot, marks: &[ReadMark]) -> Result<(Vec<ReadMark>, ReadRows)> {
    let mut new: BTreeMap<(u64, &str), (Place, &ReadMark)> = BTreeMap::new();
    for mark in marks {
        let key = (mark.sequence, mark.user_id.as_str());
        if new.contains_key(&key) || snapshot.read_receipt(mark.sequence, &mark.user_id)?.is_some() {
            continue;
        }
        if let Some(place) = snapshot.locate(mark.sequence)? {
            new.insert(key, (place, mark));
        }
    }
    let marks = new.values().map(|(_, mark)| (*mark).clone()).collect();
    Ok((marks, ReadRows::of(new.into_values())))
}

/// New receipts, by a place of the segment or log that holds their rows.
#[derive(Debug, Default)]
pub(crate) struct ReadRows(BTreeMap<Place, Vec<ReadEntry>>);

impl ReadRows {
    pub(crate) fn of<'a>(marks: impl IntoIterator<Item = (Place, &'a ReadMark)>) -> Self {
        let mut rows = Self::default();
        for (place, mark) in marks {
            let (holder, row) = match place {
                Place::Sealed(id, row) => (Place::Sealed(id, 0), row),
                Place::Live(id, row) => (Place::Live(id, 0), row),
            };
            let receipt = ReadReceipt { receipt: mark.receipt, read_at_us: mark.read_at_us };
            let entry = ReadEntry { row, user_id: mark.user_id.as_str().into(), receipt };
            rows.0.entry(holder).or_default().push(entry);
        }
        rows
    }

    fn check_room(&self, snapshot: &Snapshot) -> Result<()> {
        for (place, entries) in &self.0 {
            if let Some(overlay) = snapshot.catalog.overlay_at(*place) {
                overlay.check_room(entries.iter().map(ReadEntry::size_bytes).sum())?;
            }
        }
        Ok(())
    }

    pub(crate) fn apply(&self, catalog: &mut Catalog, ordinal: u64) {
        for (holder, entries) in &self.0 {
            catalog.change_overlay_at(*holder, ordinal, |overlay, _| overlay.receipts.insert(entries.iter().cloned()));
        }
    }
}

/// Clean-up: deletes what exists now and was created before the cutoff. Segments wholly before it are
/// dropped by one manifest commit; rows of others get tombstones, and those segments are rewritten next if much of
/// them is deleted. What is held stays, and so do the segments that hold some of it.
pub(crate) fn delete_created_before(shared: &Shared, jobs: &Sender<Job>, cutoff_us: i64) -> Result<u64> {
    shared.check_writable()?;
    if cutoff_us > shared.options.clock.now_us() {
        return Err(Error::invalid_input(format!("the cutoff {cutoff_us} us lies in the future")));
    }
    let mut control = shared.control.lock();
    let snapshot = shared.snapshot();
    let upto = snapshot.visible_sequence();
    let filter = Filter::created_between(i64::MIN, cutoff_us);
    let held = shared.holds.rows(&snapshot, &filter)?;
    let filter = shared.holds.spare(&filter);
    let wholly = |part: &dyn Part| part.time_bounds_us().1 < cutoff_us && part.sequence_bounds().1 <= upto;
    let mut dropped = Vec::new();
    let mut dropped_rows = 0;
    let mut rest = Catalog { live: snapshot.catalog.live.clone(), ..Catalog::default() };
    for entry in &snapshot.catalog.sealed {
        if wholly(&*entry.part) && !held.sealed.contains_key(&entry.entry.id) {
            dropped.push(entry.entry.id);
            dropped_rows += u64::from(entry.entry.rows) - entry.overlay.tombstones.len();
        } else if entry.part.time_bounds_us().0 < cutoff_us {
            rest.sealed.push(entry.clone());
        }
    }
    let rest = Snapshot::new(Arc::new(rest), upto);
    let chosen = ChosenRows::matching(&rest, &upto_sequence(&filter, upto))?;
    if chosen.len() > 0 {
        // ORDER: the frame before the drop. A crash in between replays it over the whole segments too.
        let operation = ControlOp::DeleteMatching { filter, upto_sequence: upto };
        let ordinal = ask(jobs, |reply| Job::Control(operation, reply))?;
        shared.update_catalog(|catalog| chosen.apply(catalog, ordinal, Overlay::delete));
        control.applied_ordinal = ordinal;
    }
    if dropped.is_empty() {
        shared.note_change(&snapshot, &chosen, ChangeKind::Deleted);
    } else {
        match shared.drop_segments(&dropped) {
            Ok(()) => shared.note_many_changes(),
            // Nothing tells of this clean-up yet: it was not done.
            Err(error) if chosen.len() == 0 => return Err(error),
            Err(_) => delete_whole(shared, &snapshot, &dropped, &chosen, control.applied_ordinal)?,
        }
    }
    drop(control);
    if shared.options.background {
        // The room comes back behind the answer, and what could not be removed is tried again.
        shared.cut.lock().extend(chosen.sealed.keys());
        shared.wake_maintenance();
    } else {
        shared.remove_dropped()?;
    }
    Ok(dropped_rows + chosen.len())
}

/// Deletes every row of segments that could not be dropped: the frame of their clean-up is in the log, and whoever
/// opens the store next deletes them by it. Compaction gives the room back.
fn delete_whole(shared: &Shared, before: &Snapshot, ids: &[u64], rest: &ChosenRows, ordinal: u64) -> Result<()> {
    let sealed = before.catalog.sealed.iter().filter(|entry| ids.contains(&entry.entry.id));
    // A damaged one cannot say what it holds, now or when the frame is replayed.
    let sealed = sealed.filter(|entry| entry.segment.is_some()).cloned().collect();
    let whole = Snapshot::new(Arc::new(Catalog { sealed, ..Catalog::default() }), before.visible_sequence());
    let mut chosen = ChosenRows::matching(&whole, &Filter::All).inspect_err(|_| shared.note_many_changes())?;
    shared.update_catalog(|catalog| chosen.apply(catalog, ordinal, Overlay::delete));
    chosen.sealed.extend(rest.sealed.clone());
    chosen.live.extend(rest.live.clone());
    shared.note_change(before, &chosen, ChangeKind::Deleted);
    Ok(())
}
