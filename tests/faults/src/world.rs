//! What the clients were told, and whether the store agrees.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;

use crate::Failure;
use crate::batch::{Batch, Place, event_id};
use crate::journal::{Change, Journal, Known, Line, now_ms};

#[derive(Debug)]
struct Sent {
    batch: Batch,
    asked_ms: u64,
    acknowledged_ms: Option<u64>,
}

/// A change of one event.
#[derive(Clone, Copy, Debug)]
struct Changed {
    known: Known,
    asked_ms: u64,
    answered_ms: u64,
}

/// Everything the clients know.
#[derive(Debug, Default)]
pub(crate) struct World {
    sent: BTreeMap<u64, Sent>,
    /// Acknowledged batches whose events have ids, to pick from.
    pickable: Vec<u64>,
    deleted: HashMap<Place, Changed>,
    marked: HashMap<Place, Changed>,
    totals: Totals,
    journal: Journal,
}

/// What a level allows to be lost.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Allowed {
    Nothing,
    /// What was acknowledged at this time or later.
    From {
        at_ms: u64,
    },
}

/// Figures for the last line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    batches: u64,
    events: u64,
    deletes: u64,
    marks: u64,
    whole: u64,
    absent: u64,
    lost: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Self) {
        self.batches += other.batches;
        self.events += other.events;
        self.deletes += other.deletes;
        self.marks += other.marks;
        self.whole += other.whole;
        self.absent += other.absent;
        self.lost += other.lost;
    }
}

impl Totals {
    /// Batches and changes acknowledged since then.
    pub(crate) fn since(&self, before: &Self) -> (u64, u64) {
        (self.batches - before.batches, self.deletes + self.marks - before.deletes - before.marks)
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} batches with {} events, {} deletes and {} acknowledgements held, of {} batches without an answer {} \
             were whole and {} absent, ",
            self.batches,
            self.events,
            self.deletes,
            self.marks,
            self.whole + self.absent,
            self.whole,
            self.absent
        )?;
        match self.lost {
            0 => f.write_str("nothing was lost or there twice"),
            lost => write!(f, "{lost} of the last batches were lost as their level allows, nothing was there twice"),
        }
    }
}

impl World {
    /// The world as a log of acknowledgements tells it; what happens from now on is added to the log.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let (journal, lines) = Journal::open(path)?;
        let mut world = Self { journal, ..Self::default() };
        for (at_ms, line) in lines {
            world.apply(at_ms, &line);
        }
        Ok(world)
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// Notes what happened just now, in the log first.
    pub(crate) fn note(&mut self, line: &Line) -> Result<(), Failure> {
        let at_ms = now_ms();
        self.journal.write(at_ms, line)?;
        self.apply(at_ms, line);
        Ok(())
    }

    fn apply(&mut self, at_ms: u64, line: &Line) {
        match *line {
            Line::Sent(batch) => {
                self.sent.insert(batch.name, Sent { batch, asked_ms: at_ms, acknowledged_ms: None });
            }
            Line::Acknowledged { batch, stored } => {
                self.totals.batches += 1;
                self.totals.events += stored;
                self.is_there(batch, at_ms);
            }
            Line::Settled { batch } => self.is_there(batch, at_ms),
            Line::Lost { batch } => {
                self.totals.lost += 1;
                self.is_open(batch);
            }
            Line::Reopened { batch } => self.is_open(batch),
            Line::ChangeReopened { change, place } => {
                if let Some(changed) = self.changes_mut(change).0.get_mut(&place) {
                    changed.known = None;
                }
            }
            Line::Changed { change, place, asked_ms, known } => {
                let (map, count) = self.changes_mut(change);
                let changed = Changed { known, asked_ms, answered_ms: at_ms };
                *count += u64::from(known == Some(true));
                // The strongest answer stays: a second call about the same event may be refused because of
                // the first.
                let entry = map.entry(place).or_insert(changed);
                if known == Some(true) || (known.is_none() && entry.known != Some(true)) {
                    *entry = changed;
                }
            }
        }
    }

    /// The batch is there for good.
    fn is_there(&mut self, batch: u64, at_ms: u64) {
        if let Some(sent) = self.sent.get_mut(&batch) {
            sent.acknowledged_ms = Some(at_ms);
            if sent.batch.with_ids {
                self.pickable.push(batch);
            }
        }
    }

    /// The batch may be there or not.
    fn is_open(&mut self, batch: u64) {
        if let Some(sent) = self.sent.get_mut(&batch) {
            sent.acknowledged_ms = None;
        }
        self.pickable.retain(|name| *name != batch);
    }

    fn changes_mut(&mut self, change: Change) -> (&mut HashMap<Place, Changed>, &mut u64) {
        match change {
            Change::Delete => (&mut self.deleted, &mut self.totals.deletes),
            Change::Acknowledge => (&mut self.marked, &mut self.totals.marks),
        }
    }

    /// What was answered at this time or later counts as without an answer.
    pub(crate) fn reopen(&mut self, from_ms: u64) -> Result<(), Failure> {
        let late = |sent: &Sent| sent.acknowledged_ms.is_some_and(|at_ms| at_ms >= from_ms);
        let batches =
            self.sent.values().filter(|sent| late(sent)).map(|sent| Line::Reopened { batch: sent.batch.name });
        let mut lines: Vec<Line> = batches.collect();
        for change in [Change::Delete, Change::Acknowledge] {
            let changes = self.changes_mut(change).0.iter();
            let late = changes.filter(|(_, changed)| changed.known == Some(true) && changed.answered_ms >= from_ms);
            lines.extend(late.map(|(place, _)| Line::ChangeReopened { change, place: *place }));
        }
        for line in lines {
            self.note(&line)?;
        }
        Ok(())
    }

    /// An event with an id that nobody has deleted or is deleting; from now on it is being changed.
    pub(crate) fn pick(&self, random: u64) -> Option<(Place, String)> {
        let which = random.checked_rem(u64::try_from(self.pickable.len()).ok()?)?;
        let batch = *self.pickable.get(usize::try_from(which).ok()?)?;
        let count = self.sent.get(&batch)?.batch.count;
        let place = Place { batch, index: (random >> 32) % count };
        (!self.deleted.contains_key(&place)).then(|| (place, event_id(batch, place.index)))
    }

    /// Batches that were sent and not acknowledged.
    pub(crate) fn unanswered(&self) -> Vec<Batch> {
        self.sent.values().filter(|sent| sent.acknowledged_ms.is_none()).map(|sent| sent.batch).collect()
    }

    /// Compares with what a fresh start shows, and settles what had no answer.
    pub(crate) fn compare(&mut self, all: &[Place], marked: &[Place], allowed: Allowed) -> Result<(), Failure> {
        let there = self.each_once(all)?;
        let lost = self.compare_batches(&there, allowed)?;
        self.compare_order(&there, &lost)?;
        let marked: HashSet<Place> = marked.iter().copied().collect();
        for (place, changed) in &self.marked {
            if changed.known == Some(true) && there.contains(place) && !marked.contains(place) {
                return Err(format!("the acknowledgement of {place:?} is lost").into());
            }
        }
        if let Some(place) = marked.iter().find(|place| !self.marked.contains_key(place)) {
            return Err(format!("{place:?} was never acknowledged").into());
        }
        for batch in lost {
            self.note(&Line::Lost { batch })?;
        }
        self.settle_changes(&there, &marked)
    }

    /// What had no answer is what it is from now on.
    fn settle_changes(&mut self, there: &HashSet<Place>, marked: &HashSet<Place>) -> Result<(), Failure> {
        let open = |map: &HashMap<Place, Changed>| -> Vec<(Place, u64)> {
            let open = map.iter().filter(|(_, changed)| changed.known.is_none());
            open.map(|(place, changed)| (*place, changed.asked_ms)).collect()
        };
        for (place, asked_ms) in open(&self.deleted) {
            let batch = self.sent.get(&place.batch);
            let is_stored = batch.is_some_and(|sent| {
                let mut places = (0..sent.batch.count).map(|index| Place { batch: place.batch, index });
                sent.acknowledged_ms.is_some() || places.any(|place| there.contains(&place))
            });
            if is_stored && !there.contains(&place) {
                self.note(&Line::Changed { change: Change::Delete, place, asked_ms, known: Some(true) })?;
            } else {
                // It was not deleted, or its batch is not there and will come again.
                self.deleted.remove(&place);
            }
        }
        for (place, asked_ms) in open(&self.marked) {
            if marked.contains(&place) {
                self.note(&Line::Changed { change: Change::Acknowledge, place, asked_ms, known: Some(true) })?;
            }
        }
        Ok(())
    }

    fn each_once(&self, all: &[Place]) -> Result<HashSet<Place>, Failure> {
        let mut there = HashSet::with_capacity(all.len());
        for place in all {
            if !there.insert(*place) {
                return Err(format!("{place:?} is there more than once").into());
            }
            let known = self.sent.get(&place.batch).is_some_and(|sent| place.index < sent.batch.count);
            if !known {
                return Err(format!("{place:?} was never sent").into());
            }
        }
        Ok(there)
    }

    /// Every batch is there whole, but for its deleted events, or absent whole; gives those that are lost.
    fn compare_batches(&mut self, there: &HashSet<Place>, allowed: Allowed) -> Result<Vec<u64>, Failure> {
        let mut lost = Vec::new();
        for (name, sent) in &self.sent {
            let (mut present, mut missing) = (0_u64, None);
            for index in 0..sent.batch.count {
                let place = Place { batch: *name, index };
                let is_there = there.contains(&place);
                match self.deleted.get(&place).map(|changed| changed.known) {
                    Some(Some(true)) if is_there => return Err(format!("{place:?} was deleted and is there").into()),
                    None | Some(Some(false)) if !is_there => missing = Some(place),
                    _ => {}
                }
                present += u64::from(is_there);
            }
            match (missing, sent.acknowledged_ms) {
                (Some(place), Some(at_ms)) => {
                    if present > 0 {
                        return Err(
                            format!("{place:?} was acknowledged and is lost, others of its batch are not").into()
                        );
                    }
                    if !matches!(allowed, Allowed::From { at_ms: from_ms } if at_ms >= from_ms) {
                        return Err(format!("{place:?} was acknowledged at {at_ms} and is lost").into());
                    }
                    lost.push(*name);
                }
                (Some(_), None) if present > 0 => {
                    return Err(format!("batch {name} is there by {present} of {}", sent.batch.count).into());
                }
                (Some(_), None) => self.totals.absent += 1,
                (None, None) => self.totals.whole += 1,
                (None, Some(_)) => {}
            }
        }
        Ok(lost)
    }

    /// The log is a prefix of the append order: what was sent after a lost batch was acknowledged is lost too.
    fn compare_order(&self, there: &HashSet<Place>, lost: &[u64]) -> Result<(), Failure> {
        let lost_ms = lost.iter().filter_map(|name| self.sent.get(name)?.acknowledged_ms).min();
        let Some(lost_ms) = lost_ms else { return Ok(()) };
        let later = there.iter().find(|place| self.sent.get(&place.batch).is_some_and(|sent| sent.asked_ms > lost_ms));
        if let Some(place) = later {
            return Err(
                format!("a batch acknowledged at {lost_ms} is lost, {place:?} was sent later and is not").into()
            );
        }
        let changes = self.deleted.iter().chain(&self.marked);
        let mut done = changes.filter(|(_, changed)| changed.known == Some(true) && changed.asked_ms > lost_ms);
        match done.next() {
            Some((place, _)) => {
                Err(format!("a batch acknowledged at {lost_ms} is lost, a later change of {place:?} was confirmed")
                    .into())
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
