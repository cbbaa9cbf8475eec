//! What must be in the store, by what it acknowledged.

use std::collections::BTreeMap;
use std::ops::Range;

use annals_engine::{Engine, Error, EventId, Field, Filter, Result as EngineResult, StoredEvent};

use crate::held::Holds;

/// Users whose reading is noted.
pub(crate) const READERS: [&str; 2] = ["ada", "bob"];

/// What is known of something after calls that may have failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Yes,
    No,
    /// A call about it ended without an answer: either is right until one has looked.
    Either,
}

impl Known {
    pub(crate) fn allows(self, is: bool) -> bool {
        self == Known::Either || self == Known::of(is)
    }

    pub(crate) fn of(is: bool) -> Self {
        if is { Known::Yes } else { Known::No }
    }
}

/// Why a look at a store ended.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The store says that it cannot answer.
    Refused(Error),
    /// The store is wrong.
    Wrong(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Refused(error)
    }
}

impl From<String> for Trouble {
    fn from(what: String) -> Self {
        Trouble::Wrong(what)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Refused(error) => write!(f, "{:?}: {error}", error.kind()),
            Trouble::Wrong(what) => f.write_str(what),
        }
    }
}

type Looked = Result<(), Trouble>;

/// One event that was appended.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// Absent: made by the store, and not seen yet.
    pub(crate) id: Option<EventId>,
    pub(crate) created_at_us: Option<i64>,
    pub(crate) event_type: &'static str,
    pub(crate) user_id: String,
    pub(crate) message: String,
    pub(crate) content: Option<String>,
    /// What it may be: an amendment that ended without an answer leaves more than one.
    pub(crate) severity: Vec<Option<&'static str>>,
    pub(crate) is_there: Known,
    pub(crate) is_acknowledged: Known,
    /// By user.
    pub(crate) reads: BTreeMap<&'static str, (EventId, Known)>,
}

/// An idempotency key that was acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) key: u128,
    pub(crate) sequences: Range<u64>,
}

/// A batch whose append ended without an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unanswered {
    pub(crate) events: Vec<Expected>,
    /// Sequences of events that go in the moment in which these come.
    pub(crate) replaces: Vec<u64>,
    pub(crate) key: Option<u128>,
}

/// Everything that is known of a store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    /// By sequence, from 1.
    pub(crate) events: Vec<Expected>,
    /// The last batch, if its append ended without an answer.
    pub(crate) unanswered: Option<Unanswered>,
    /// The last sequence of each batch, ascending.
    pub(crate) batch_ends: Vec<u64>,
    pub(crate) keys: Vec<Key>,
    /// Keys whose batches did not survive: they mean nothing any more.
    pub(crate) lost_keys: Vec<u128>,
    /// What one delete without an answer was about: all of it is there, or nothing.
    pub(crate) together: Vec<Vec<u64>>,
    /// What the blob may be; empty: nothing is known.
    pub(crate) blob: Vec<Vec<u8>>,
    pub(crate) holds: Holds,
}

impl Oracle {
    pub(crate) fn last_sequence(&self) -> u64 {
        u64::try_from(self.events.len()).unwrap_or(u64::MAX)
    }

    pub(crate) fn event_mut(&mut self, sequence: u64) -> Option<&mut Expected> {
        self.events.get_mut(usize::try_from(sequence).ok()?.checked_sub(1)?)
    }

    pub(crate) fn event(&self, sequence: u64) -> Option<&Expected> {
        self.events.get(usize::try_from(sequence).ok()?.checked_sub(1)?)
    }

    /// Events that are there for certain, with their sequences.
    pub(crate) fn there(&self) -> impl Iterator<Item = (u64, &Expected)> {
        (1..).zip(&self.events).filter(|(_, event)| event.is_there == Known::Yes)
    }

    /// Whether a hold keeps one of these events.
    pub(crate) fn holds_any(&self, sequences: &[u64]) -> bool {
        sequences.iter().filter_map(|sequence| self.event(*sequence)).any(|event| self.holds.keep(event))
    }

    /// Takes in what a start of the store has decided. `safe` is the last sequence that must be there.
    pub(crate) fn settle(&mut self, engine: &Engine, safe: u64) -> Looked {
        let (last, known) = (engine.stats().last_sequence, self.last_sequence());
        if last < safe {
            return Err(format!("the last sequence is {last}, and {safe} was promised").into());
        }
        let unanswered = self.unanswered.take().unwrap_or_default();
        if last > known {
            let more = u64::try_from(unanswered.events.len()).unwrap_or(0);
            if last != known + more {
                return Err(format!("the last sequence is {last}, behind {known} came {more}").into());
            }
            self.come(unanswered);
        } else {
            if last < known {
                self.cut(last)?;
            }
            // A batch of repeats alone leaves nothing by which to tell.
            self.lost_keys.extend(unanswered.key.filter(|_| !unanswered.events.is_empty()));
        }
        self.look(engine)
    }

    /// The batch without an answer is there, with all that it did.
    fn come(&mut self, batch: Unanswered) {
        let first = self.last_sequence() + 1;
        self.events.extend(batch.events);
        let last = self.last_sequence();
        self.batch_ends.push(last);
        for sequence in batch.replaces {
            if let Some(event) = self.event_mut(sequence) {
                event.is_there = Known::No;
            }
        }
        self.keys.extend(batch.key.map(|key| Key { key, sequences: first..last + 1 }));
    }

    /// What was behind `last` is gone: only at the end of a batch, and with its keys.
    fn cut(&mut self, last: u64) -> Looked {
        if last > 0 && !self.batch_ends.contains(&last) {
            return Err(format!("a batch was cut at sequence {last}").into());
        }
        self.events.truncate(usize::try_from(last).unwrap_or(usize::MAX));
        self.batch_ends.retain(|end| *end <= last);
        let (gone, kept): (Vec<Key>, Vec<Key>) = self.keys.drain(..).partition(|key| key.sequences.end > last + 1);
        self.keys = kept;
        // A key of repeats alone may have survived.
        self.lost_keys.extend(gone.iter().filter(|key| !key.sequences.is_empty()).map(|key| key.key));
        Ok(())
    }

    /// Compares every event with what must be there, and notes what was not known.
    pub(crate) fn look(&mut self, engine: &Engine) -> Looked {
        let last = self.last_sequence();
        self.compare_all(engine, last)?;
        self.check_together()?;
        let (events, there) = (engine.stats().events, self.there().count());
        if events != u64::try_from(there).unwrap_or(u64::MAX) {
            return Err(format!("the statistics say {events} events, there are {there}").into());
        }
        self.holds.look(engine)?;
        self.look_at_blob(engine)
    }

    /// Compares what a store shows that takes no writes any more: everything, or what is durable. A copy takes in
    /// what is seen: the next start decides.
    pub(crate) fn look_at_poisoned(&self, engine: &Engine) -> Looked {
        let (visible, durable) = (engine.visible_sequence(), engine.durable_sequence());
        if visible < durable || visible > self.last_sequence() {
            let last = self.last_sequence();
            return Err(format!("{visible} is visible, {durable} is durable, {last} was acknowledged").into());
        }
        self.clone().compare_all(engine, visible)
    }

    fn compare_all(&mut self, engine: &Engine, visible: u64) -> Looked {
        let snapshot = engine.snapshot();
        let mut found: BTreeMap<u64, StoredEvent> = BTreeMap::new();
        for event in all(engine, &Filter::All)? {
            let sequence = event.sequence;
            if found.insert(sequence, event).is_some() {
                return Err(format!("event {sequence} is there twice").into());
            }
        }
        for (sequence, expected) in (1..=visible).zip(&mut self.events) {
            let event = found.remove(&sequence);
            if !expected.is_there.allows(event.is_some()) {
                let wrong = if event.is_some() { "is there again" } else { "is lost" };
                return Err(format!("event {sequence} {wrong}").into());
            }
            expected.is_there = Known::of(event.is_some());
            let Some(event) = event else { continue };
            compare(&event, expected)?;
            for reader in READERS {
                let receipt = snapshot.read_receipt(sequence, reader)?.map(|read| read.receipt);
                compare_receipt(sequence, reader, receipt, expected)?;
            }
        }
        match found.keys().next() {
            Some(sequence) => Err(format!("event {sequence} was never appended").into()),
            None => Ok(()),
        }
    }

    fn check_together(&mut self) -> Looked {
        for group in std::mem::take(&mut self.together) {
            let mut states = group.iter().filter_map(|sequence| self.event(*sequence)).map(|event| event.is_there);
            if let Some(first) = states.next()
                && states.any(|state| state != first)
            {
                return Err(format!("of one delete about {group:?} a part was done").into());
            }
        }
        Ok(())
    }

    fn look_at_blob(&mut self, engine: &Engine) -> Looked {
        let blob = engine.get_blob("state")?.unwrap_or_default();
        if !self.blob.is_empty() && !self.blob.contains(&blob) {
            return Err(format!("the blob is {blob:?}, it was one of {:?}", self.blob).into());
        }
        self.blob = vec![blob];
        Ok(())
    }
}

fn compare(event: &StoredEvent, expected: &mut Expected) -> Looked {
    let sequence = event.sequence;
    if *expected.id.get_or_insert(event.id) != event.id {
        return Err(format!("event {sequence} has the id {} instead of {:?}", event.id, expected.id).into());
    }
    if *expected.created_at_us.get_or_insert(event.created_at_us) != event.created_at_us {
        let time = event.created_at_us;
        return Err(format!("event {sequence} is of {time} instead of {:?}", expected.created_at_us).into());
    }
    let texts = (
        event.event_type(),
        event.get(Field::UserId).unwrap_or_default(),
        event.message().unwrap_or_default(),
        event.content(),
    );
    let wanted =
        (expected.event_type, expected.user_id.as_str(), expected.message.as_str(), expected.content.as_deref());
    if texts != wanted {
        return Err(format!("event {sequence} reads {texts:?} instead of {wanted:?}").into());
    }
    let severity = event.get(Field::Severity);
    let Some(known) = expected.severity.iter().find(|known| **known == severity).copied() else {
        return Err(format!("event {sequence} has severity {severity:?} instead of {:?}", expected.severity).into());
    };
    expected.severity = vec![known];
    if !expected.is_acknowledged.allows(event.marks.acknowledged) {
        return Err(format!("event {sequence}: acknowledged is {}", event.marks.acknowledged).into());
    }
    expected.is_acknowledged = Known::of(event.marks.acknowledged);
    Ok(())
}

fn compare_receipt(
    sequence: u64,
    reader: &'static str,
    receipt: Option<EventId>,
    expected: &mut Expected,
) -> Result<(), Trouble> {
    let known = expected.reads.get(reader).copied();
    match (known, receipt) {
        (None, None) => {}
        (Some((id, state)), Some(found)) if id == found && state.allows(true) => {
            expected.reads.insert(reader, (id, Known::Yes));
        }
        (Some((_, Known::Either)), None) => _ = expected.reads.remove(reader),
        _ => return Err(format!("{reader} has read event {sequence} as {receipt:?} instead of {known:?}").into()),
    }
    Ok(())
}

/// What a filter finds, ascending by sequence.
pub(crate) fn all(engine: &Engine, filter: &Filter) -> EngineResult<Vec<StoredEvent>> {
    let mut events = Vec::new();
    for part in engine.snapshot().parts() {
        for row in part.select(filter)?.iter() {
            events.push(part.event(row)?);
        }
    }
    events.sort_unstable_by_key(|event| event.sequence);
    Ok(events)
}
