//! What must be in the store, by what it acknowledged.

use std::collections::BTreeMap;

use annals_engine::{Engine, EventId, Field, Filter, Result, StoredEvent};

/// What is known of something after calls that may have failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Yes,
    No,
    /// A call about it ended without an answer: either is right until one has looked.
    Either,
}

impl Known {
    fn allows(self, is: bool) -> bool {
        self == Known::Either || self == Known::of(is)
    }

    fn of(is: bool) -> Self {
        if is { Known::Yes } else { Known::No }
    }
}

/// One event that was appended.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// Absent: made by the store, and not seen yet.
    pub(crate) id: Option<EventId>,
    pub(crate) created_at_us: Option<i64>,
    pub(crate) event_type: &'static str,
    pub(crate) user_id: String,
    pub(crate) message: String,
    pub(crate) is_there: Known,
    pub(crate) is_acknowledged: Known,
}

/// An idempotency key that was acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) key: u128,
    pub(crate) sequences: std::ops::Range<u64>,
}

/// Everything that is known of a store.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// By sequence, from 1.
    pub(crate) events: Vec<Expected>,
    /// The last batch, if its append ended without an answer.
    pub(crate) unanswered: Vec<Expected>,
    /// The last sequence of each batch, ascending.
    pub(crate) batch_ends: Vec<u64>,
    pub(crate) keys: Vec<Key>,
    pub(crate) blob: Vec<Vec<u8>>,
}

impl Oracle {
    pub(crate) fn last_sequence(&self) -> u64 {
        u64::try_from(self.events.len()).unwrap_or(u64::MAX)
    }

    pub(crate) fn event_mut(&mut self, sequence: u64) -> Option<&mut Expected> {
        self.events.get_mut(usize::try_from(sequence).ok()?.checked_sub(1)?)
    }

    /// Events that are there for certain, with their sequences.
    pub(crate) fn there(&self) -> impl Iterator<Item = (u64, &Expected)> {
        (1..).zip(&self.events).filter(|(_, event)| event.is_there == Known::Yes)
    }

    /// Takes in what a start of the store has decided. `safe` is the last sequence that must be there.
    pub(crate) fn settle(&mut self, engine: &Engine, safe: u64) -> std::result::Result<(), String> {
        let (last, known) = (engine.stats().last_sequence, self.last_sequence());
        if last < safe {
            return Err(format!("the last sequence is {last}, and {safe} was promised"));
        }
        if last > known {
            if last != known + u64::try_from(self.unanswered.len()).unwrap_or(0) {
                return Err(format!("the last sequence is {last}, behind {known} came {}", self.unanswered.len()));
            }
            self.events.append(&mut self.unanswered);
            self.batch_ends.push(last);
        } else if last < known {
            if last > 0 && !self.batch_ends.contains(&last) {
                return Err(format!("a batch was cut at sequence {last}"));
            }
            self.events.truncate(usize::try_from(last).unwrap_or(usize::MAX));
            self.batch_ends.retain(|end| *end <= last);
            self.keys.retain(|key| key.sequences.end <= last + 1);
        }
        self.unanswered.clear();
        self.look(engine)
    }

    /// Compares every event, and notes what was not known.
    pub(crate) fn look(&mut self, engine: &Engine) -> std::result::Result<(), String> {
        let found = all(engine, &Filter::All).map_err(|error| format!("reading everything: {error}"))?;
        let mut found: BTreeMap<u64, StoredEvent> = found.into_iter().map(|event| (event.sequence, event)).collect();
        for (sequence, expected) in (1..).zip(&mut self.events) {
            let event = found.remove(&sequence);
            if !expected.is_there.allows(event.is_some()) {
                let wrong = if event.is_some() { "is there again" } else { "is lost" };
                return Err(format!("event {sequence} {wrong}"));
            }
            expected.is_there = Known::of(event.is_some());
            if let Some(event) = event {
                compare(&event, expected)?;
            }
        }
        if let Some(sequence) = found.keys().next() {
            return Err(format!("event {sequence} was never appended"));
        }
        let events = engine.stats().events;
        let there = u64::try_from(self.there().count()).unwrap_or(u64::MAX);
        if events != there {
            return Err(format!("the statistics say {events} events, there are {there}"));
        }
        self.look_at_blob(engine)
    }

    fn look_at_blob(&mut self, engine: &Engine) -> std::result::Result<(), String> {
        let blob = engine.get_blob("state").map_err(|error| format!("reading the blob: {error}"))?;
        let blob = blob.unwrap_or_default();
        if !self.blob.is_empty() && !self.blob.contains(&blob) {
            return Err(format!("the blob is {blob:?}, it was one of {:?}", self.blob));
        }
        self.blob = vec![blob];
        Ok(())
    }

    /// Compares what a filter finds with a walk over everything.
    pub(crate) fn check_filter(
        &self,
        engine: &Engine,
        filter: &Filter,
        passes: impl Fn(&Expected) -> bool,
    ) -> std::result::Result<(), String> {
        let found = all(engine, filter).map_err(|error| format!("asking {filter:?}: {error}"))?;
        let found: Vec<u64> = found.iter().map(|event| event.sequence).collect();
        let expected: Vec<u64> =
            self.there().filter(|(_, event)| passes(event)).map(|(sequence, _)| sequence).collect();
        if found != expected {
            return Err(format!("{filter:?} finds {found:?} instead of {expected:?}"));
        }
        let mut counted = 0;
        for part in engine.snapshot().parts() {
            let count = part.count(filter).map_err(|error| format!("counting {filter:?}: {error}"))?;
            let count = match count {
                Some(count) => count.rows,
                None => part.select(filter).map_err(|error| format!("asking {filter:?}: {error}"))?.len(),
            };
            counted += u64::from(count);
        }
        let expected = u64::try_from(expected.len()).unwrap_or(u64::MAX);
        if counted == expected { Ok(()) } else { Err(format!("{filter:?} counts {counted} instead of {expected}")) }
    }
}

fn compare(event: &StoredEvent, expected: &mut Expected) -> std::result::Result<(), String> {
    let sequence = event.sequence;
    if *expected.id.get_or_insert(event.id) != event.id {
        return Err(format!("event {sequence} has the id {} instead of {:?}", event.id, expected.id));
    }
    if *expected.created_at_us.get_or_insert(event.created_at_us) != event.created_at_us {
        return Err(format!("event {sequence} is of {} instead of {:?}", event.created_at_us, expected.created_at_us));
    }
    let texts = (event.event_type(), event.get(Field::UserId).unwrap_or_default(), event.message().unwrap_or_default());
    if texts != (expected.event_type, expected.user_id.as_str(), expected.message.as_str()) {
        return Err(format!("event {sequence} reads {texts:?} instead of {expected:?}"));
    }
    if !expected.is_acknowledged.allows(event.marks.acknowledged) {
        return Err(format!("event {sequence}: acknowledged is {}", event.marks.acknowledged));
    }
    expected.is_acknowledged = Known::of(event.marks.acknowledged);
    Ok(())
}

/// What a filter finds, ascending by sequence.
pub(crate) fn all(engine: &Engine, filter: &Filter) -> Result<Vec<StoredEvent>> {
    let mut events = Vec::new();
    for part in engine.snapshot().parts() {
        for row in part.select(filter)?.iter() {
            events.push(part.event(row)?);
        }
    }
    events.sort_unstable_by_key(|event| event.sequence);
    Ok(events)
}
