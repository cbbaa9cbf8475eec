//! What a program does with the store between two crashes: one step at a time, drawn at random.

use std::sync::Arc;

use annals_engine::{
    AppendOptions, Batch, Delete, Engine, Error, ErrorKind, Event, EventId, Field, Filter, Idempotency, ManualClock,
    Mark, Receipt,
};

use crate::oracle::{Expected, Key, Known, Oracle};
use crate::random::Random;

const HOUR_US: i64 = 3_600_000_000;
/// Over so many hours before the present are the events' times spread: some partitions of a day.
const HOURS: u64 = 60;
const EVENT_TYPES: [&str; 4] = ["user.login", "disk.full", "vm.started", "vm.stopped"];
/// Of one batch.
const EVENTS_MAX: u64 = 6;

/// A store, what is known of it, and the source of choices.
pub(crate) struct Steps<'s> {
    pub(crate) engine: &'s Engine,
    pub(crate) oracle: &'s mut Oracle,
    pub(crate) random: &'s mut Random,
    pub(crate) clock: &'s Arc<ManualClock>,
    /// What the next event is called: never the same twice.
    pub(crate) next_name: &'s mut u64,
}

/// Why a step ended without what it wanted.
pub(crate) enum Stop {
    /// A call failed, as calls do on a disk that fails.
    Refused,
    /// The store is wrong.
    Wrong(String),
}

impl From<String> for Stop {
    fn from(what: String) -> Self {
        Stop::Wrong(what)
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

impl Steps<'_> {
    /// Does one thing.
    pub(crate) fn step(&mut self) -> Outcome {
        match self.random.below(100) {
            0..48 => self.append(),
            48..54 => self.repeat_key(),
            54..61 => self.engine.seal_now().map(drop).map_err(|error| refused(&error)),
            61..65 => self.engine.compact().map(drop).map_err(|error| refused(&error)),
            65..72 => self.delete_sequences(),
            72..76 => self.delete_matching(),
            76..79 => self.delete_before(),
            79..86 => self.mark(),
            86..89 => self.put_blob(),
            89..92 => self.engine.flush().map(drop).map_err(|error| refused(&error)),
            92..95 => {
                self.clock.advance_us(self.random.below(600_000_000));
                Ok(())
            }
            _ => self.ask(),
        }
    }

    fn new_event(&mut self) -> Expected {
        *self.next_name += 1;
        let name = *self.next_name;
        let hours = i64::try_from(self.random.below(HOURS)).unwrap_or(0);
        let now_us = annals_engine::Clock::now_us(&**self.clock);
        let made = self.random.one_in(6);
        Expected {
            id: (!made).then(|| EventId::from_u128(u128::from(name) << 64 | u128::from(self.random.number()))),
            created_at_us: (!made).then(|| now_us - hours * HOUR_US - i64::try_from(name).unwrap_or(0)),
            event_type: self.random.pick(&EVENT_TYPES).copied().unwrap_or("none"),
            user_id: format!("{:024x}", self.random.below(9)),
            message: format!("{} {name}", "m".repeat(usize::try_from(self.random.below(700)).unwrap_or(0))),
            is_there: Known::Yes,
            is_acknowledged: Known::No,
        }
    }

    /// New events, and now and then one that is there already.
    fn append(&mut self) -> Outcome {
        let count = 1 + self.random.below(EVENTS_MAX);
        let mut events: Vec<Expected> = (0..count).map(|_| self.new_event()).collect();
        let mut repeats = 0;
        if self.random.one_in(5) {
            let given: Vec<Expected> = self.oracle.there().map(|(_, event)| event.clone()).collect();
            if let Some(again) = self.random.pick(&given).filter(|event| event.id.is_some()) {
                events.push(again.clone());
                repeats = 1;
            }
        }
        let key = self.random.one_in(3).then(|| u128::from(self.random.number()) + 1);
        let how =
            AppendOptions { idempotency: key.map(|key| Idempotency { key, body: 1 }), ..AppendOptions::default() };
        let appended = self.engine.append(batch_of(&events), &how);
        let new: Vec<Expected> = events.drain(..events.len() - repeats).collect();
        match appended {
            Ok(receipt) => self.appended(new, repeats, key, &receipt),
            Err(error) => {
                // Only a store that takes no more appends leaves it open what became of this one.
                if self.engine.stats().poisoned {
                    if error.kind() != ErrorKind::Poisoned {
                        return Err(Stop::Wrong(format!("what became of an append is not known, it says: {error}")));
                    }
                    self.oracle.unanswered = new;
                }
                Err(refused(&error))
            }
        }
    }

    fn appended(&mut self, new: Vec<Expected>, repeats: usize, key: Option<u128>, receipt: &Receipt) -> Outcome {
        let first = self.oracle.last_sequence() + 1;
        let expected = first..first + u64::try_from(new.len()).unwrap_or(0);
        if receipt.sequences != expected || receipt.duplicates.len() != repeats {
            return Err(Stop::Wrong(format!("appended {expected:?} with {repeats} repeats: {receipt:?}")));
        }
        self.oracle.events.extend(new);
        for (sequence, id) in receipt.sequences.clone().zip(&receipt.ids) {
            let Some(event) = self.oracle.event_mut(sequence) else { continue };
            if *event.id.get_or_insert(*id) != *id {
                return Err(Stop::Wrong(format!("event {sequence} was given another id: {id}")));
            }
        }
        self.oracle.batch_ends.push(expected.end - 1);
        if let Some(key) = key {
            self.oracle.keys.push(Key { key, sequences: expected });
        }
        // An acknowledged event is seen by the next query.
        let last = receipt.sequences.end - 1;
        match self.engine.snapshot().get_sequence(last) {
            Ok(Some(_)) => Ok(()),
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
        let how =
            AppendOptions { idempotency: Some(Idempotency { key: known.key, body: 1 }), ..AppendOptions::default() };
        match self.engine.append(batch_of(&body), &how) {
            Ok(receipt) if receipt.replayed && receipt.sequences == known.sequences => Ok(()),
            Ok(receipt) => Err(Stop::Wrong(format!("the key of {:?} came again: {receipt:?}", known.sequences))),
            Err(error) => Err(refused(&error)),
        }
    }

    fn delete(&mut self, what: &Delete, is_meant: impl Fn(u64, &Expected) -> bool) -> Outcome {
        let deleted = self.engine.delete(what);
        let mut count = 0;
        for (sequence, event) in (1..).zip(&mut self.oracle.events) {
            if event.is_there == Known::Yes && is_meant(sequence, event) {
                count += 1;
                event.is_there = if deleted.is_ok() { Known::No } else { Known::Either };
            }
        }
        match deleted {
            Ok(told) if told == count => Ok(()),
            Ok(told) => Err(Stop::Wrong(format!("{what:?} deleted {told} instead of {count}"))),
            Err(error) => Err(refused(&error)),
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
        self.delete(&Delete::Sequences(chosen.clone()), |sequence, _| chosen.contains(&sequence))
    }

    fn delete_matching(&mut self) -> Outcome {
        let event_type = self.random.pick(&EVENT_TYPES).copied().unwrap_or("none");
        let user_id = format!("{:024x}", self.random.below(9));
        let filter =
            Filter::And(vec![Filter::term(Field::EventType, event_type), Filter::term(Field::UserId, &user_id)]);
        self.delete(&Delete::Matching(filter), |_, event| event.event_type == event_type && event.user_id == user_id)
    }

    fn delete_before(&mut self) -> Outcome {
        let hours = i64::try_from(HOURS / 2 + self.random.below(HOURS / 2)).unwrap_or(0);
        let cutoff_us = annals_engine::Clock::now_us(&**self.clock) - hours * HOUR_US;
        self.delete(&Delete::CreatedBefore(cutoff_us), |_, event| {
            event.created_at_us.is_some_and(|time| time < cutoff_us)
        })
    }

    fn mark(&mut self) -> Outcome {
        let there: Vec<u64> = self.oracle.there().map(|(sequence, _)| sequence).collect();
        let Some(sequence) = self.random.pick(&there).copied() else { return Ok(()) };
        let acknowledged = !self.random.one_in(4);
        let marked = self.engine.mark(&[Mark { sequence, acknowledged }]);
        let Some(event) = self.oracle.event_mut(sequence) else { return Ok(()) };
        let wanted = if acknowledged { Known::Yes } else { Known::No };
        event.is_acknowledged = match &marked {
            Ok(_) => wanted,
            Err(_) if event.is_acknowledged == wanted => wanted,
            Err(_) => Known::Either,
        };
        marked.map(drop).map_err(|error| refused(&error))
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

    /// Queries through the indexes against a walk over everything.
    pub(crate) fn ask(&mut self) -> Outcome {
        let event_type = self.random.pick(&EVENT_TYPES).copied().unwrap_or("none");
        let by_type = Filter::term(Field::EventType, event_type);
        self.oracle.check_filter(self.engine, &by_type, |event| event.event_type == event_type)?;
        let user_id = format!("{:024x}", self.random.below(9));
        let by_user = Filter::term(Field::UserId, &user_id);
        self.oracle.check_filter(self.engine, &by_user, |event| event.user_id == user_id)?;
        let until_us = annals_engine::Clock::now_us(&**self.clock);
        let from_us = until_us - HOUR_US * i64::try_from(self.random.below(HOURS)).unwrap_or(0);
        let by_time = Filter::created_between(from_us, until_us);
        let is_within = |event: &Expected| event.created_at_us.is_none_or(|time| (from_us..until_us).contains(&time));
        if self.oracle.there().all(|(_, event)| event.created_at_us.is_some()) {
            self.oracle.check_filter(self.engine, &by_time, is_within)?;
        }
        Ok(())
    }
}

fn batch_of(events: &[Expected]) -> Batch {
    let mut batch = Batch::new();
    for expected in events {
        let mut event = Event::new(expected.event_type);
        event.id = expected.id;
        event.created_at_us = expected.created_at_us;
        event.set(Field::UserId, &expected.user_id);
        event.message = Some(&expected.message);
        batch.push(&event).expect("the events of a run are within the limits");
    }
    batch
}
