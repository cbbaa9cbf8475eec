//! Plausible events from a seed: the same seed, count and end always give the same events.
//!
//! A made-up hosting company: 64 event types (Zipf 1.1), 12 resource types, 200,000 resources (Zipf
//! 1.05), 100,000 users, 1 to 3 of 1,000 realms, 10,000 projects, over 90 days, slightly out of order, a
//! message of 5 to 12 words and numbers, a payload of one of 12 shapes, and an id of 24 hex digits; about
//! 560 bytes each as NDJSON. Generated events flatter a store; real ones decide.
//!
//! ```
//! let mut generator = annals_generate::Generator::new(1, 1000, 1_700_000_000_000_000);
//! let mut lines = Vec::new();
//! while generator.write_line(&mut lines) {}
//! assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 1000);
//! ```
#![forbid(unsafe_code)]

mod line;
mod prepared;
mod random;
mod row;
mod tables;
mod text;
mod vocabulary;
mod words;

use annals_engine::{Event, Field};

use crate::line::{Line, push_line};
pub use crate::prepared::Prepared;
use crate::random::{Random, mix};
use crate::row::Row;
use crate::tables::{ID_LEN, Tables, push_resource_id};
use crate::text::{push_message, push_payload};

/// Different resources, unless told otherwise.
pub const RESOURCES: u32 = 200_000;
/// More resources than these are not drawn by Zipf's law but come in turn: with as many events as
/// resources, each event has one of its own.
pub const RESOURCES_RANKED_MAX: u32 = 4_000_000;
/// Different users.
pub const USERS: u32 = 100_000;
/// Different realms.
pub const REALMS: u32 = 1_000;
/// Different projects.
pub const PROJECTS: u32 = 10_000;
/// The time over which the events are spread: 90 days.
pub const SPAN_US: i64 = 90 * 24 * 3_600_000_000;

/// One event in this many arrives late.
const LATE_ONE_IN: u32 = 200;
/// How far a late event and any other may fall back, in places.
const LATE_PLACES_MAX: u32 = 500;
const JITTER_PLACES_MAX: u32 = 4;
const US_PER_MS: i64 = 1000;

/// Makes events one after the other.
#[derive(Clone, Debug)]
pub struct Generator {
    random: Random,
    tables: Tables,
    count: u64,
    made: u64,
    end_us: i64,
    first_counter: u64,
    current: Row,
    text: String,
}

impl Generator {
    /// `count` events whose times end about `end_us` (UTC microseconds).
    pub fn new(seed: u64, count: u64, end_us: i64) -> Self {
        Self::with_resources(seed, count, end_us, RESOURCES)
    }

    /// The same with `resources` different resources; see [`RESOURCES_RANKED_MAX`].
    pub fn with_resources(seed: u64, count: u64, end_us: i64, resources: u32) -> Self {
        Self {
            random: Random::new(seed),
            tables: Tables::new(resources),
            count,
            made: 0,
            end_us,
            first_counter: mix(!seed),
            current: Row::default(),
            text: String::new(),
        }
    }

    /// Events still to come.
    pub fn remaining(&self) -> u64 {
        self.count - self.made
    }

    /// The next event, borrowed until the one after it is made; `None` behind the last.
    pub fn next_event<'e>(&'e mut self, realms: &'e mut [&'e str; 3]) -> Option<Event<'e>> {
        if !self.advance() {
            return None;
        }
        let (row, tables) = (&self.current, &self.tables);
        let ids = ids_of(tables, row, realms);
        Some(event_of(row, texts_of(tables, row, &self.text), ids))
    }

    /// Appends the next event as a line of JSON with its end; `false` behind the last.
    pub fn write_line(&mut self, out: &mut Vec<u8>) -> bool {
        if !self.advance() {
            return false;
        }
        let (row, tables) = (&self.current, &self.tables);
        let texts = texts_of(tables, row, &self.text);
        let mut realm_ids = [""; 3];
        _ = fill_realms(tables, row, &mut realm_ids);
        let container_id = if row.is_container() { texts.resource_id } else { "" };
        let line = Line {
            id_bits: row.id_bits(),
            created_at_us: row.created_at_us,
            texts: [
                ("event_type", row.event_type()),
                ("resource_type", row.resource_type()),
                ("resource_id", texts.resource_id),
                ("user_id", tables.users.get(row.user)),
                ("project_id", tables.projects.get(u32::from(row.project))),
                ("container_id", container_id),
                ("severity", row.severity()),
                ("status", row.status()),
                ("source", row.source()),
                ("message", texts.message),
            ],
            realm_ids,
            payload: texts.payload,
        };
        let mut text = String::with_capacity(640);
        push_line(&mut text, &line);
        out.extend_from_slice(text.as_bytes());
        true
    }

    /// All events still to come, in a form that holds many in little room.
    pub fn prepare(self) -> Prepared {
        Prepared::new(self)
    }

    fn advance(&mut self) -> bool {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let row = self.next_row(&mut text);
        self.text = text;
        row.map(|row| self.current = row).is_some()
    }

    /// Draws the next event and appends its texts.
    fn next_row(&mut self, text: &mut String) -> Option<Row> {
        if self.made >= self.count {
            return None;
        }
        let created_at_us = self.next_time_us();
        let (place, random) = (self.made, &mut self.random);
        let counter = self.first_counter.wrapping_add(place);
        let mut row = Row::draw(&self.tables, place, counter, created_at_us, random);
        row.text_start = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let mut own_id = String::new();
        if self.tables.resources.id(row.resource).is_none() {
            push_resource_id(&mut own_id, row.resource);
            text.push_str(&own_id);
        }
        let resource_id = self.tables.resources.id(row.resource).unwrap_or(&own_id);
        row.message_len = grown(text, |text| push_message(text, random));
        row.payload_len = grown(text, |text| push_payload(text, &row, resource_id, random));
        self.made += 1;
        Some(row)
    }

    /// Whole milliseconds, as most senders have.
    fn next_time_us(&mut self) -> i64 {
        let is_late = self.random.below(LATE_ONE_IN) == 0;
        let places = self.random.below(if is_late { LATE_PLACES_MAX } else { JITTER_PLACES_MAX });
        let place = i128::from(self.made) - i128::from(places);
        let offset_us = i128::from(SPAN_US) * place / i128::from(self.count.max(1));
        let time_us = self.end_us - SPAN_US + i64::try_from(offset_us).unwrap_or(0);
        (time_us - time_us.rem_euclid(US_PER_MS)).max(0)
    }
}

/// By how much a text grows.
fn grown(text: &mut String, push: impl FnOnce(&mut String)) -> u16 {
    let before = text.len();
    push(text);
    u16::try_from(text.len() - before).expect("a message and a payload have a few hundred bytes")
}

/// The texts of a row.
#[derive(Clone, Copy)]
struct RowTexts<'t> {
    resource_id: &'t str,
    message: &'t str,
    payload: &'t str,
}

fn texts_of<'t>(tables: &'t Tables, row: &Row, text: &'t str) -> RowTexts<'t> {
    let mut start = usize::try_from(row.text_start).unwrap_or(usize::MAX);
    let mut next = |len: usize| {
        let part = text.get(start..start.saturating_add(len)).unwrap_or_default();
        start = start.saturating_add(len);
        part
    };
    let resource_id = tables.resources.id(row.resource).unwrap_or_else(|| next(ID_LEN));
    let message = next(usize::from(row.message_len));
    RowTexts { resource_id, message, payload: next(usize::from(row.payload_len)) }
}

/// Fills the list in and returns how many there are.
fn fill_realms<'t>(tables: &'t Tables, row: &Row, realms: &mut [&'t str; 3]) -> usize {
    for (slot, realm) in realms.iter_mut().zip(row.realms()) {
        *slot = tables.realms.get(u32::from(*realm));
    }
    row.realms().len()
}

/// The ids of a row that are of no resource.
#[derive(Clone, Copy)]
struct RowIds<'t> {
    user_id: &'t str,
    project_id: &'t str,
    realm_ids: &'t [&'t str],
}

fn ids_of<'t>(tables: &'t Tables, row: &Row, realms: &'t mut [&'t str; 3]) -> RowIds<'t> {
    let count = fill_realms(tables, row, realms);
    RowIds {
        user_id: tables.users.get(row.user),
        project_id: tables.projects.get(u32::from(row.project)),
        realm_ids: realms.get(..count).unwrap_or_default(),
    }
}

fn event_of<'e>(row: &'e Row, texts: RowTexts<'e>, ids: RowIds<'e>) -> Event<'e> {
    let mut event = Event::new(row.event_type());
    event.id = Some(row.id());
    event.created_at_us = Some(row.created_at_us);
    event
        .set(Field::ResourceType, row.resource_type())
        .set(Field::ResourceId, texts.resource_id)
        .set(Field::UserId, ids.user_id)
        .set(Field::ProjectId, ids.project_id)
        .set(Field::Severity, row.severity())
        .set(Field::Status, row.status())
        .set(Field::Source, row.source());
    if row.is_container() {
        event.set(Field::ContainerId, texts.resource_id);
    }
    event.realm_ids = ids.realm_ids.into();
    event.message = Some(texts.message);
    event.payload = Some(texts.payload);
    event
}

#[cfg(test)]
mod tests;
