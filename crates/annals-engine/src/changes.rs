//! Deletes and marks: chosen under the control lock, logged durably, then shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use crossbeam_channel::Sender;
use roaring::RoaringBitmap;

use crate::catalog::{Catalog, SealedEntry, Snapshot};
use crate::control::ControlOp;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Filter;
use crate::overlay::Overlay;
use crate::part::Part;
use crate::queue::{Job, ask};
use crate::recent::ChangeKind;
use crate::requests::Mark;
use crate::shared::Shared;

/// Rows of every segment that a change is about.
#[derive(Debug, Default)]
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

    /// Adds the row of a sequence; returns whether it is there and not deleted.
    fn add_sequence(&mut self, snapshot: &Snapshot, sequence: u64) -> Result<bool> {
        for (part, log_id) in &snapshot.live {
            if let Some(row) = part.find_sequence(sequence)? {
                self.live.entry(*log_id).or_default().insert(part.live_row(row));
                return Ok(true);
            }
        }
        for entry in &snapshot.catalog.sealed {
            let (first, last) = entry.part.sequence_bounds();
            if (first..=last).contains(&sequence)
                && let Some(row) = entry.part.find_sequence(sequence)?
            {
                self.sealed.entry(entry.entry.id).or_default().insert(row);
                return Ok(true);
            }
        }
        Ok(false)
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

/// Adds tombstones.
pub(crate) fn delete_rows(overlay: &mut Overlay, rows: &RoaringBitmap) {
    overlay.tombstones |= rows;
    overlay.acknowledged -= rows;
}

/// Deletes everything that matches and is visible now.
pub(crate) fn delete_matching(shared: &Shared, jobs: &Sender<Job>, filter: &Filter) -> Result<u64> {
    shared.check_writable()?;
    let mut control = shared.control.lock();
    let snapshot = shared.snapshot();
    let upto = snapshot.visible_sequence();
    let chosen = ChosenRows::matching(&snapshot, &upto_sequence(filter, upto))?;
    if chosen.len() == 0 {
        return Ok(0);
    }
    let operation = ControlOp::DeleteMatching { filter: filter.clone(), upto_sequence: upto };
    let ordinal = ask(jobs, |reply| Job::Control(operation, reply))?;
    shared.update_catalog(|catalog| chosen.apply(catalog, ordinal, delete_rows));
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
    let ordinal = ask(jobs, |reply| Job::Control(ControlOp::DeleteSequences(found), reply))?;
    shared.update_catalog(|catalog| chosen.apply(catalog, ordinal, delete_rows));
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

fn apply_marks(catalog: &mut Catalog, ordinal: u64, set: &ChosenRows, unset: &ChosenRows) {
    set.apply(catalog, ordinal, |overlay, rows| overlay.acknowledged |= rows);
    unset.apply(catalog, ordinal, |overlay, rows| overlay.acknowledged -= rows);
}

/// Does again, at open, what a control frame says. Segments that hold it already are left alone.
/// A segment in which the rows cannot be found is damaged and kept as such; the damages are given back.
pub(crate) fn replay(catalog: &mut Catalog, operation: &ControlOp, ordinal: u64, visible: u64) -> Result<Vec<Error>> {
    let concerns = |entry: &&SealedEntry| entry.entry.applied_control < ordinal && entry.segment.is_some();
    let mut view =
        Catalog { sealed: catalog.sealed.iter().filter(concerns).cloned().collect(), live: catalog.live.clone() };
    let mut damages = Vec::new();
    let chosen = match Replayed::choose(view.clone(), operation, visible) {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            damages = set_damaged_aside(catalog, &mut view, operation, visible);
            Replayed::choose(view, operation, visible)?
        }
        chosen => chosen?,
    };
    chosen.delete.apply(catalog, ordinal, delete_rows);
    apply_marks(catalog, ordinal, &chosen.set, &chosen.unset);
    Ok(damages)
}

/// Takes the segments that fail the operation on their own out of the view.
fn set_damaged_aside(catalog: &mut Catalog, view: &mut Catalog, operation: &ControlOp, visible: u64) -> Vec<Error> {
    let mut damages = Vec::new();
    view.sealed.retain(|entry| {
        let alone = Catalog { sealed: vec![entry.clone()], live: Vec::new() };
        let Err(damage) = Replayed::choose(alone, operation, visible) else { return true };
        if let Some(place) = catalog.sealed.iter_mut().find(|other| other.entry.id == entry.entry.id) {
            *place = SealedEntry::damaged(entry.entry.clone(), Arc::clone(&entry.overlay), &damage);
        }
        damages.push(damage);
        false
    });
    damages
}

/// The rows that an operation is about.
#[derive(Default)]
struct Replayed {
    delete: ChosenRows,
    set: ChosenRows,
    unset: ChosenRows,
}

impl Replayed {
    fn choose(view: Catalog, operation: &ControlOp, visible: u64) -> Result<Self> {
        let snapshot = Snapshot::new(Arc::new(view), visible);
        let mut chosen = Self::default();
        match operation {
            ControlOp::DeleteMatching { filter, upto_sequence: upto } => {
                chosen.delete = ChosenRows::matching(&snapshot, &upto_sequence(filter, *upto))?;
            }
            ControlOp::DeleteSequences(sequences) => {
                for sequence in sequences {
                    chosen.delete.add_sequence(&snapshot, *sequence)?;
                }
            }
            ControlOp::Mark { marks } => {
                for (sequence, acknowledged) in marks {
                    let rows = if *acknowledged { &mut chosen.set } else { &mut chosen.unset };
                    rows.add_sequence(&snapshot, *sequence)?;
                }
            }
        }
        Ok(chosen)
    }
}

/// Clean-up: deletes what exists now and was created before the cutoff. Segments wholly before it are
/// dropped by one manifest commit; rows of others get tombstones.
pub(crate) fn delete_created_before(shared: &Shared, jobs: &Sender<Job>, cutoff_us: i64) -> Result<u64> {
    shared.check_writable()?;
    if cutoff_us > shared.options.clock.now_us() {
        return Err(Error::invalid_input(format!("the cutoff {cutoff_us} us lies in the future")));
    }
    let mut control = shared.control.lock();
    let snapshot = shared.snapshot();
    let upto = snapshot.visible_sequence();
    let filter = Filter::created_between(i64::MIN, cutoff_us);
    let wholly = |part: &dyn Part| part.time_bounds_us().1 < cutoff_us && part.sequence_bounds().1 <= upto;
    let mut dropped = Vec::new();
    let mut dropped_rows = 0;
    let mut rest = Catalog { sealed: Vec::new(), live: snapshot.catalog.live.clone() };
    for entry in &snapshot.catalog.sealed {
        if wholly(&*entry.part) {
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
        shared.update_catalog(|catalog| chosen.apply(catalog, ordinal, delete_rows));
        control.applied_ordinal = ordinal;
    }
    if dropped.is_empty() {
        shared.note_change(&snapshot, &chosen, ChangeKind::Deleted);
    } else {
        shared.drop_segments(&dropped)?;
        shared.note_many_changes();
    }
    drop(control);
    shared.remove_dropped()?;
    Ok(dropped_rows + chosen.len())
}
