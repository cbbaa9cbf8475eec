//! What a program does with the store between two crashes: one step at a time.

use std::sync::Arc;

use annals_engine::{
    Amendment, AppendOptions, Batch, Clock, Delete, Engine, Error, ErrorKind, Event, EventId, Field, Filter,
    Idempotency, Mark, ReadMark, Receipt, Repeats,
};

use crate::check;
use crate::clock::SimClock;
use crate::held::is_held;
use crate::oracle::{Expected, Key, Known, Oracle, READERS, Trouble, Unanswered};
use crate::random::Random;

pub(crate) const HOUR_US: i64 = 3_600_000_000;
/// Over so many hours before the present are the events' times spread: some partitions of a day.
pub(crate) const HOURS: u64 = 60;
pub(crate) const EVENT_TYPES: [&str; 4] = ["user.login", "disk.full", "vm.started", "vm.stopped"];
pub(crate) const SEVERITIES: [Option<&str>; 4] = [None, Some("info"), Some("warn"), Some("error")];
pub(crate) const WORDS: [&str; 5] = ["disk", "network", "started", "quota", "backup"];
/// Of one batch.
const EVENTS_MAX: u64 = 6;
/// Idle time behind which a log says how far it is durable: 50 ms, and some more.
const MARKER_DUE_US: u64 = 60_000;
/// Bytes of a content that fills a log soon.
const LARGE: u64 = 300 << 10;

/// One thing that a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Append,
    /// Events so large that the log is soon full.
    AppendLarge,
    /// Events in place of others with their ids.
    Replace,
    RepeatKey,
    Seal,
    Compact,
    DeleteSequences,
    DeleteMatching,
    DeleteBefore,
    Mark,
    Amend,
    Read,
    PutBlob,
    PlaceHold,
    ReleaseHold,
    Flush,
    /// Time goes by.
    Wait,
    /// Everything is made durable, and nothing happens for a while.
    Idle,
    Ask,
}

impl Action {
    pub(crate) fn any(random: &mut Random) -> Self {
        match random.below(100) {
            0..34 => Action::Append,
            34 => Action::AppendLarge,
            35..43 => Action::Replace,
            43..48 => Action::RepeatKey,
            48..55 => Action::Seal,
            55..59 => Action::Compact,
            59..65 => Action::DeleteSequences,
            65..69 => Action::DeleteMatching,
            69..72 => Action::DeleteBefore,
            72..77 => Action::Mark,
            77..81 => Action::Amend,
            81..85 => Action::Read,
            85..88 => Action::PutBlob,
            88..91 => Action::Flush,
            91..94 => Action::Wait,
            94..96 => Action::Idle,
            _ => Action::Ask,
        }
    }
}

/// A store, what is known of it, and the source of choices.
pub(crate) struct Steps<'s> {
    pub(crate) engine: &'s Engine,
    pub(crate) oracle: &'s mut Oracle,
    pub(crate) random: &'s mut Random,
    pub(crate) clock: &'s Arc<SimClock>,
    /// What the next event is called: never the same twice.
    pub(crate) next_name: &'s mut u64,
    /// The last sequence that no power cut may take, by what the answers promised.
    pub(crate) safe: &'s mut u64,
}

/// Why a step ended without what it wanted.
pub(crate) enum Stop {
    /// A call failed, as calls do on a disk that fails.
    Refused,
    /// The store is wrong.
    Wrong(String),
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(error) => refused(&error),
            Trouble::Wrong(what) => Stop::Wrong(what),
        }
    }
}

type Outcome = Result<(), Stop>;

/// A refusal is fine; what a caller did wrong, or damage where nothing was damaged, is not.
fn refused(error: &Error) -> Stop {
    match error.kind() {
        ErrorKind::Corrupt | ErrorKind::InvalidInput | ErrorKind::Conflict => Stop::Wrong(error.to_string()),
        _ => Stop::Refused,
    }
}

pub(crate) fn user(number: u64) -> String {
    format!("{number:024x}")
}

impl Steps<'_> {
    pub(crate) fn perform(&mut self, action: Action) -> Outcome {
        match action {
            Action::Append => self.append(false),
            Action::AppendLarge => self.append(true),
            Action::Replace => self.replace(),
            Action::RepeatKey => self.repeat_key(),
            Action::Seal => {
                let sealed = self.engine.seal_now();
                self.promised(sealed)
            }
            Action::Compact => self.engine.compact().map(drop).map_err(|error| refused(&error)),
            Action::DeleteSequences => self.delete_sequences(),
            Action::DeleteMatching => self.delete_matching(),
            Action::DeleteBefore => self.delete_before(),
            Action::Mark => self.mark(),
            Action::Amend => self.amend(),
            Action::Read => self.read(),
            Action::PutBlob => self.put_blob(),
            Action::PlaceHold => self.hold(true),
            Action::ReleaseHold => self.hold(false),
            Action::Flush => {
                let flushed = self.engine.flush();
                self.promised(flushed)
            }
            Action::Wait => {
                self.wait();
                Ok(())
            }
            Action::Idle => {
                // The second call finds that the marker is due.
                let flushed = self.engine.flush();
                self.promised(flushed)?;
                self.clock.advance_us(MARKER_DUE_US);
                let flushed = self.engine.flush();
                self.promised(flushed)
            }
            Action::Ask => {
                check::check(self.engine, self.oracle, self.random, self.clock.now_us())?;
                Ok(())
            }
        }
    }

    /// What was acknowledged so far is durable if this call ended well.
    fn promised<T>(&mut self, called: annals_engine::Result<T>) -> Outcome {
        called.map_err(|error| refused(&error))?;
        *self.safe = self.oracle.last_sequence();
        Ok(())
    }

    fn wait(&mut self) {
        match self.random.below(4) {
            // A sync falls due, then a marker.
            0 => self.clock.advance_us(60_000),
            1 => self.clock.advance_us(250_000),
            2 => self.clock.advance_us(self.random.below(600_000_000)),
            _ => self.clock.step_us(-i64::try_from(self.random.below(2_000_000)).unwrap_or(0)),
        }
    }

    fn new_event(&mut self) -> Expected {
        *self.next_name += 1;
        let name = *self.next_name;
        let hours = i64::try_from(self.random.below(HOURS)).unwrap_or(0);
        let now_us = self.clock.now_us();
        let made = self.random.one_in(6);
        let words: Vec<&str> = (0..self.random.below(90)).filter_map(|_| self.random.pick(&WORDS).copied()).collect();
        Expected {
            id: (!made).then(|| EventId::from_u128(u128::from(name) << 64 | u128::from(self.random.number()))),
            created_at_us: (!made).then(|| now_us - hours * HOUR_US - i64::try_from(name).unwrap_or(0)),
            event_type: self.random.pick(&EVENT_TYPES).copied().unwrap_or("none"),
            user_id: user(self.random.below(9)),
            message: format!("{} {name}", words.join(" ")),
            content: None,
            severity: vec![self.random.pick(&SEVERITIES).copied().flatten()],
            is_there: Known::Yes,
            is_acknowledged: Known::of(self.random.one_in(40)),
            reads: std::collections::BTreeMap::new(),
        }
    }

    fn new_key(&mut self) -> Option<u128> {
        if self.random.one_in(3) {
            // One whose batch a crash took, if there is one: it is a new one again.
            let lost = self.random.pick(&self.oracle.lost_keys).copied();
            let key = lost.unwrap_or_else(|| u128::from(self.random.number()) + 1);
            self.oracle.lost_keys.retain(|one| *one != key);
            return Some(key);
        }
        None
    }

    /// New events, and now and then one that is there already.
    fn append(&mut self, large: bool) -> Outcome {
        let count = 1 + self.random.below(EVENTS_MAX);
        let mut new: Vec<Expected> = (0..count).map(|_| self.new_event()).collect();
        if large {
            let size = usize::try_from(self.random.below(LARGE)).unwrap_or(0);
            for event in &mut new {
                event.content = Some("x".repeat(size));
            }
        }
        let mut given = new.clone();
        if self.random.one_in(5) {
            let known: Vec<Expected> = self.oracle.there().map(|(_, event)| event.clone()).collect();
            given.extend(self.random.pick(&known).filter(|event| event.id.is_some()).cloned());
        }
        let repeats = given.len() - new.len();
        let key = self.new_key();
        let how = AppendOptions { idempotency: key.map(idempotency), ..AppendOptions::default() };
        let appended = self.engine.append(batch_of(&given), &how);
        self.take(appended, Unanswered { events: new, replaces: Vec::new(), key }, repeats)
    }

    /// Events in place of some that are there, and new ones beside them.
    fn replace(&mut self) -> Outcome {
        let there: Vec<(u64, EventId)> =
            self.oracle.there().filter_map(|(sequence, event)| Some((sequence, event.id?))).collect();
        let mut new = vec![self.new_event()];
        let mut replaces = Vec::new();
        for _ in 0..self.random.below(3) {
            let Some((sequence, id)) = self.random.pick(&there).copied() else { break };
            if !replaces.contains(&sequence) {
                replaces.push(sequence);
                let event = self.new_event();
                new.push(Expected { id: Some(id), ..event });
            }
        }
        let key = self.new_key();
        let idempotency = key.map(idempotency);
        let how = AppendOptions { idempotency, repeats: Repeats::Replace, ..AppendOptions::default() };
        let appended = self.engine.append(batch_of(&new), &how);
        if self.is_kept(&replaces, &appended)? {
            self.oracle.lost_keys.extend(key);
            return Ok(());
        }
        self.take(appended, Unanswered { events: new, replaces, key }, 0)
    }

    /// Notes what became of an append.
    fn take(&mut self, appended: annals_engine::Result<Receipt>, batch: Unanswered, repeats: usize) -> Outcome {
        match appended {
            Ok(receipt) => self.appended(batch, repeats, &receipt),
            Err(error) => {
                // Only a store that takes no more appends leaves it open what became of this one.
                if self.engine.stats().poisoned {
                    if error.kind() != ErrorKind::Poisoned {
                        return Err(Stop::Wrong(format!("what became of an append is not known, it says: {error}")));
                    }
                    self.oracle.unanswered = Some(batch);
                } else {
                    // Nothing of it is stored, the key included.
                    self.oracle.lost_keys.extend(batch.key);
                }
                Err(refused(&error))
            }
        }
    }

    fn appended(&mut self, batch: Unanswered, repeats: usize, receipt: &Receipt) -> Outcome {
        let first = self.oracle.last_sequence() + 1;
        let expected = first..first + u64::try_from(batch.events.len()).unwrap_or(0);
        let replaced = u32::try_from(batch.replaces.len()).unwrap_or(u32::MAX);
        if receipt.sequences != expected || receipt.duplicates.len() != repeats || receipt.replaced != replaced {
            let told = format!("{receipt:?}");
            return Err(Stop::Wrong(format!("appended {expected:?}, {repeats} repeats, {replaced} replaced: {told}")));
        }
        let is_marked = batch.events.iter().any(|event| event.is_acknowledged == Known::Yes);
        self.oracle.events.extend(batch.events);
        for (sequence, id) in receipt.sequences.clone().zip(&receipt.ids) {
            let Some(event) = self.oracle.event_mut(sequence) else { continue };
            if *event.id.get_or_insert(*id) != *id {
                return Err(Stop::Wrong(format!("event {sequence} was given another id: {id}")));
            }
        }
        for sequence in &batch.replaces {
            if let Some(event) = self.oracle.event_mut(*sequence) {
                event.is_there = Known::No;
            }
        }
        self.oracle.batch_ends.push(expected.end - 1);
        self.oracle.keys.extend(batch.key.map(|key| Key { key, sequences: expected }));
        if !batch.replaces.is_empty() || is_marked {
            // As deletes and marks are.
            *self.safe = self.oracle.last_sequence();
        }
        self.find_appended(receipt.sequences.clone())
    }

    /// An acknowledged event is seen by the next query.
    fn find_appended(&mut self, mut sequences: std::ops::Range<u64>) -> Outcome {
        let snapshot = self.engine.snapshot();
        let last = sequences.end - 1;
        let untimed =
            sequences.find(|sequence| self.oracle.event(*sequence).is_some_and(|event| event.created_at_us.is_none()));
        match snapshot.get_sequence(untimed.unwrap_or(last)) {
            Ok(Some(found)) => {
                if let Some(event) = self.oracle.event_mut(found.sequence) {
                    event.created_at_us = Some(found.created_at_us);
                }
                if found.sequence == last { Ok(()) } else { self.find_appended(found.sequence + 1..last + 1) }
            }
            // The log failed behind the acknowledgement: what was not durable is not shown any more.
            Ok(None) if last > self.engine.durable_sequence() && self.engine.stats().poisoned => Err(Stop::Refused),
            Ok(None) => Err(Stop::Wrong(format!("event {last} was acknowledged and is not seen"))),
            Err(error) => Err(refused(&error)),
        }
    }

    /// The same request again: it must get the same answer and store nothing.
    fn repeat_key(&mut self) -> Outcome {
        let keys: Vec<Key> = self.oracle.keys.clone();
        let Some(known) = self.random.pick(&keys) else { return Ok(()) };
        let body = vec![self.new_event()];
        let how = AppendOptions { idempotency: Some(idempotency(known.key)), ..AppendOptions::default() };
        match self.engine.append(batch_of(&body), &how) {
            Ok(receipt) if receipt.replayed && receipt.sequences == known.sequences => Ok(()),
            Ok(receipt) => Err(Stop::Wrong(format!("the key of {:?} came again: {receipt:?}", known.sequences))),
            Err(error) => Err(refused(&error)),
        }
    }

    fn delete(&mut self, what: &Delete, is_meant: impl Fn(u64, &Expected) -> bool) -> Outcome {
        let deleted = self.engine.delete(what);
        let mut meant = Vec::new();
        for (sequence, event) in (1..).zip(&mut self.oracle.events) {
            let is_spared = self.oracle.holds.keep(event);
            if event.is_there == Known::Yes && !is_spared && is_meant(sequence, event) {
                meant.push(sequence);
                event.is_there = if deleted.is_ok() { Known::No } else { Known::Either };
            }
        }
        match deleted {
            Ok(told) if told == u64::try_from(meant.len()).unwrap_or(u64::MAX) => {
                // A clean-up of whole segments writes nothing to the log, and so syncs nothing of it.
                let is_logged = !meant.is_empty() && !matches!(what, Delete::CreatedBefore(_));
                let safe = if is_logged { self.oracle.last_sequence() } else { meant.last().copied().unwrap_or(0) };
                *self.safe = (*self.safe).max(safe);
                Ok(())
            }
            Ok(told) => Err(Stop::Wrong(format!("{what:?} deleted {told} instead of {meant:?}"))),
            Err(error) => {
                self.oracle.together.push(meant);
                Err(refused(&error))
            }
        }
    }

    fn delete_sequences(&mut self) -> Outcome {
        let there: Vec<u64> = self.oracle.there().map(|(sequence, _)| sequence).collect();
        let mut chosen: Vec<u64> =
            (0..=self.random.below(3)).filter_map(|_| self.random.pick(&there).copied()).collect();
        chosen.sort_unstable();
        chosen.dedup();
        if chosen.is_empty() {
            return Ok(());
        }
        let what = Delete::Sequences(chosen.clone());
        if self.oracle.holds_any(&chosen) {
            let deleted = self.engine.delete(&what);
            return self.is_kept(&chosen, &deleted).map(drop);
        }
        self.delete(&what, |sequence, _| chosen.contains(&sequence))
    }

    fn delete_matching(&mut self) -> Outcome {
        let event_type = self.random.pick(&EVENT_TYPES).copied().unwrap_or("none");
        let user_id = user(self.random.below(9));
        let filter =
            Filter::And(vec![Filter::term(Field::EventType, event_type), Filter::term(Field::UserId, &user_id)]);
        self.delete(&Delete::Matching(filter), |_, event| event.event_type == event_type && event.user_id == user_id)
    }

    fn delete_before(&mut self) -> Outcome {
        let hours = i64::try_from(HOURS / 2 + self.random.below(HOURS / 2)).unwrap_or(0);
        let cutoff_us = self.clock.now_us() - hours * HOUR_US;
        self.delete(&Delete::CreatedBefore(cutoff_us), |_, event| {
            event.created_at_us.is_some_and(|time| time < cutoff_us)
        })
    }

    /// The sequence of an event that is there.
    fn pick_one(&mut self) -> Option<u64> {
        let there: Vec<u64> = self.oracle.there().map(|(sequence, _)| sequence).collect();
        self.random.pick(&there).copied()
    }

    fn mark(&mut self) -> Outcome {
        let Some(sequence) = self.pick_one() else { return Ok(()) };
        let acknowledged = !self.random.one_in(4);
        let marked = self.engine.mark(&[Mark { sequence, acknowledged }]);
        let Some(event) = self.oracle.event_mut(sequence) else { return Ok(()) };
        let wanted = Known::of(acknowledged);
        event.is_acknowledged = match &marked {
            Ok(_) => wanted,
            Err(_) if event.is_acknowledged == wanted => wanted,
            Err(_) => Known::Either,
        };
        self.promised(marked)
    }

    fn amend(&mut self) -> Outcome {
        let Some(sequence) = self.pick_one() else { return Ok(()) };
        let severity = self.random.pick(&SEVERITIES).copied().flatten().unwrap_or("warn");
        let amendment = Amendment { sequence, severity: Some(severity.to_owned()), ..Amendment::default() };
        let amended = self.engine.amend(&amendment);
        if self.is_kept(&[sequence], &amended)? {
            return Ok(());
        }
        let Some(event) = self.oracle.event_mut(sequence) else { return Ok(()) };
        match &amended {
            Ok(true) => event.severity = vec![Some(severity)],
            Ok(false) => return Err(Stop::Wrong(format!("event {sequence} is not there to be amended"))),
            Err(_) => event.severity.push(Some(severity)),
        }
        self.promised(amended)
    }

    /// The first reading of a user counts, later ones change nothing.
    fn read(&mut self) -> Outcome {
        let Some(sequence) = self.pick_one() else { return Ok(()) };
        let reader = self.random.pick(&READERS).copied().unwrap_or("ada");
        let receipt = EventId::from_u128(u128::from(self.random.number()));
        let mark = ReadMark { sequence, user_id: reader.to_owned(), receipt, read_at_us: self.clock.now_us() };
        let read = self.engine.mark_read(&[mark]);
        let Some(event) = self.oracle.event_mut(sequence) else { return Ok(()) };
        let is_new = !event.reads.contains_key(reader);
        match &read {
            Ok(count) if *count != u64::from(is_new) => {
                return Err(Stop::Wrong(format!("{reader} reads event {sequence}, {is_new}: {count} are new")));
            }
            Ok(_) if !is_new => return Ok(()),
            Ok(_) => _ = event.reads.insert(reader, (receipt, Known::Yes)),
            Err(_) if is_new => _ = event.reads.insert(reader, (receipt, Known::Either)),
            Err(_) => {}
        }
        self.promised(read)
    }

    fn hold(&mut self, places: bool) -> Outcome {
        let changed = self.oracle.holds.change(self.engine, self.random, places);
        changed.map_err(|error| refused(&error))
    }

    /// Whether a hold keeps one of the events that a call is about: then the call must be refused because of it, or
    /// because the disk fails.
    fn is_kept<T: std::fmt::Debug>(&self, sequences: &[u64], called: &annals_engine::Result<T>) -> Result<bool, Stop> {
        match (self.oracle.holds_any(sequences), called) {
            (false, _) if is_held(called) => Err(Stop::Wrong(format!("{sequences:?} are not held: {called:?}"))),
            (true, Ok(done)) => Err(Stop::Wrong(format!("one of {sequences:?} is held, and it was done: {done:?}"))),
            (true, Err(error)) if !is_held(called) => Err(refused(error)),
            (is_kept, _) => Ok(is_kept),
        }
    }

    fn put_blob(&mut self) -> Outcome {
        let value = self.random.number().to_le_bytes().to_vec();
        let put = self.engine.put_blob("state", &value);
        if put.is_ok() {
            self.oracle.blob.clear();
        }
        self.oracle.blob.push(value);
        put.map_err(|error| refused(&error))
    }
}

fn idempotency(key: u128) -> Idempotency {
    Idempotency { key, body: 1 }
}

fn batch_of(events: &[Expected]) -> Batch {
    let mut batch = Batch::new();
    for expected in events {
        let mut event = Event::new(expected.event_type);
        event.id = expected.id;
        event.created_at_us = expected.created_at_us;
        event.set(Field::UserId, &expected.user_id);
        if let Some(severity) = expected.severity.first().copied().flatten() {
            event.set(Field::Severity, severity);
        }
        event.message = Some(&expected.message);
        event.content = expected.content.as_deref();
        event.acknowledged = expected.is_acknowledged == Known::Yes;
        batch.push(&event).expect("the events of a run are within the limits");
    }
    batch
}
