//! What the clients were told, and whether the store agrees.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write};

use serde_json::Value;

use crate::Failure;

/// One event: its batch and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    batch: u64,
    index: u64,
}

impl Place {
    /// Events carry their place in `resource_id` and `session_id`.
    pub(crate) fn of_event(event: &Value) -> Option<Self> {
        let number = |name: &str| event.get(name)?.as_str()?.parse().ok();
        Some(Self { batch: number("resource_id")?, index: number("session_id")? })
    }
}

/// A batch as it goes over the wire, again and again if need be.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    name: u64,
    count: u64,
    with_ids: bool,
    body: String,
}

impl Batch {
    /// A batch of events with ids, or of events without and an idempotency key.
    pub(crate) fn new(count: u64, with_ids: bool, name: u64) -> Self {
        let mut body = String::new();
        for index in 0..count {
            let id = if with_ids { format!(r#""id":"{}","#, id(name, index)) } else { String::new() };
            _ = writeln!(
                body,
                r#"{{{id}"event_type":"kill.test","resource_id":"{name}","session_id":"{index}","created_at":"2026-01-0{}T00:00:00Z","message":"event {index} of batch {name}"}}"#,
                1 + index % 3
            );
        }
        Self { name, count, with_ids, body }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn body(&self) -> &str {
        &self.body
    }

    pub(crate) fn key(&self) -> Option<String> {
        (!self.with_ids).then(|| format!("batch-{}", self.name))
    }
}

fn id(batch: u64, index: u64) -> String {
    format!("{:08x}-{:04x}-4{:03x}-8000-{index:012x}", batch >> 32, (batch >> 16) & 0xffff, batch & 0xfff)
}

/// What is known of a change: `None` if there was no answer.
type Known = Option<bool>;

struct Sent {
    batch: Batch,
    acknowledged: bool,
}

/// Everything the clients know.
pub(crate) struct World {
    sent: BTreeMap<u64, Sent>,
    /// Acknowledged batches whose events have ids, to pick from.
    pickable: Vec<u64>,
    deleted: HashMap<Place, Known>,
    marked: HashMap<Place, Known>,
    totals: Totals,
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
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Self) {
        self.batches += other.batches;
        self.events += other.events;
        self.deletes += other.deletes;
        self.marks += other.marks;
        self.whole += other.whole;
        self.absent += other.absent;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} batches with {} events, {} deletes and {} acknowledgements held, of {} batches without an answer {} \
             were whole and {} absent, nothing was lost or there twice",
            self.batches,
            self.events,
            self.deletes,
            self.marks,
            self.whole + self.absent,
            self.whole,
            self.absent
        )
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            sent: BTreeMap::new(),
            pickable: Vec::new(),
            deleted: HashMap::new(),
            marked: HashMap::new(),
            totals: Totals::default(),
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// Notes a batch before it is sent; gives its number.
    pub(crate) fn sent(&mut self, batch: Batch) -> u64 {
        let number = batch.name;
        self.sent.insert(number, Sent { batch, acknowledged: false });
        number
    }

    pub(crate) fn acknowledged(&mut self, number: u64, stored: u64) {
        self.answered(number);
        self.totals.batches += 1;
        self.totals.events += stored;
    }

    /// The batch is there for good.
    pub(crate) fn answered(&mut self, number: u64) {
        if let Some(sent) = self.sent.get_mut(&number) {
            sent.acknowledged = true;
            if sent.batch.with_ids {
                self.pickable.push(number);
            }
        }
    }

    /// An event with an id that nobody has deleted or is deleting; from now on it is being changed.
    pub(crate) fn pick(&self, random: u64) -> Option<(Place, String)> {
        let which = random.checked_rem(u64::try_from(self.pickable.len()).ok()?)?;
        let number = *self.pickable.get(usize::try_from(which).ok()?)?;
        let count = self.sent.get(&number)?.batch.count;
        let place = Place { batch: number, index: (random >> 32) % count };
        (!self.deleted.contains_key(&place)).then(|| (place, id(number, place.index)))
    }

    pub(crate) fn deleted(&mut self, place: Place, done: Known) {
        self.totals.deletes += u64::from(done == Some(true));
        note(&mut self.deleted, place, done);
    }

    pub(crate) fn marked(&mut self, place: Place, done: Known) {
        self.totals.marks += u64::from(done == Some(true));
        note(&mut self.marked, place, done);
    }

    /// Batches that were sent and not acknowledged.
    pub(crate) fn unanswered(&self) -> Vec<(u64, Batch)> {
        let open = self.sent.iter().filter(|(_, sent)| !sent.acknowledged);
        open.map(|(number, sent)| (*number, sent.batch.clone())).collect()
    }

    /// Compares with what a fresh start shows, and settles what had no answer.
    pub(crate) fn compare(&mut self, all: &[Place], acknowledged: &[Place]) -> Result<(), Failure> {
        let mut times: HashMap<Place, u64> = HashMap::new();
        for place in all {
            *times.entry(*place).or_default() += 1;
        }
        if let Some((place, count)) = times.iter().find(|(_, count)| **count > 1) {
            return Err(format!("{place:?} is there {count} times").into());
        }
        if let Some(place) = all.iter().find(|place| !self.sent.contains_key(&place.batch)) {
            return Err(format!("{place:?} was never sent").into());
        }
        for (number, sent) in &self.sent {
            let present =
                (0..sent.batch.count).filter(|index| times.contains_key(&Place { batch: *number, index: *index }));
            if sent.acknowledged {
                self.compare_acknowledged(*number, sent, &times)?;
            } else {
                match present.count() as u64 {
                    0 => self.totals.absent += 1,
                    count if count == sent.batch.count => self.totals.whole += 1,
                    count => return Err(format!("batch {number} is there by {count} of {}", sent.batch.count).into()),
                }
            }
        }
        let marked: std::collections::HashSet<&Place> = acknowledged.iter().collect();
        for (place, known) in &self.marked {
            if *known == Some(true) && times.contains_key(place) && !marked.contains(place) {
                return Err(format!("the acknowledgement of {place:?} is lost").into());
            }
        }
        if let Some(place) = acknowledged.iter().find(|place| !self.marked.contains_key(place)) {
            return Err(format!("{place:?} was never acknowledged").into());
        }
        // What had no answer is what it is from now on.
        for (place, known) in &mut self.deleted {
            *known = Some(!times.contains_key(place));
        }
        for (place, known) in &mut self.marked {
            *known = Some(marked.contains(place));
        }
        self.deleted.retain(|_, known| *known == Some(true));
        Ok(())
    }

    fn compare_acknowledged(&self, number: u64, sent: &Sent, times: &HashMap<Place, u64>) -> Result<(), Failure> {
        for index in 0..sent.batch.count {
            let place = Place { batch: number, index };
            let there = times.contains_key(&place);
            match self.deleted.get(&place) {
                Some(Some(true)) if there => return Err(format!("{place:?} was deleted and is there").into()),
                None | Some(Some(false)) if !there => {
                    return Err(format!("{place:?} was acknowledged and is lost").into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The strongest answer stays: a second call about the same event may be refused because of the first.
fn note(known: &mut HashMap<Place, Known>, place: Place, done: Known) {
    let entry = known.entry(place).or_insert(done);
    if done == Some(true) || (done.is_none() && *entry != Some(true)) {
        *entry = done;
    }
}
