//! A batch under construction: records and the terms of their keyword fields in one buffer.

use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

use crate::batch_terms::Terms;
use crate::codec::{Reader, len_u32};
use crate::error::{Error, Result};
use crate::event::{CREATED_AT_US_MAX, CREATED_AT_US_MIN, Event, StoredEvent};
use crate::field::{Field, VALUES_MAX};
use crate::frame::{FRAME_EVENTS_MAX, FRAME_HEADER_SIZE, FRAME_PAYLOAD_MAX};
use crate::id::EventId;
use crate::record::{self, Record};

/// The most events of one batch, inclusive.
pub const BATCH_EVENTS_MAX: usize = FRAME_EVENTS_MAX;
/// The most bytes of one batch, as records, inclusive; an acknowledged event takes a few more.
pub const BATCH_SIZE_MAX: usize = FRAME_PAYLOAD_MAX;
/// The most bytes of one event, all its values together, inclusive.
pub const EVENT_SIZE_MAX: usize = 1 << 20;
/// The longest message in bytes, inclusive.
pub const MESSAGE_SIZE_MAX: usize = 8 << 10;
/// The longest content in bytes, inclusive.
pub const CONTENT_SIZE_MAX: usize = 512 << 10;

/// Seeded per process, so that nobody can prepare keys that collide. Never stored.
static TERM_HASH: LazyLock<foldhash::fast::RandomState> = LazyLock::new(foldhash::fast::RandomState::default);

/// The in-memory hash of a keyword value.
pub(crate) fn term_hash(value: &[u8]) -> u64 {
    let mut hasher = TERM_HASH.build_hasher();
    // Without the length that a slice of bytes hashes before them: the hash function mixes it in itself.
    hasher.write(value);
    hasher.finish()
}

/// Events on their way into the store: appended whole or not at all.
///
/// Each event is checked and encoded when it is pushed, in the caller's thread; nothing of it stays
/// borrowed.
///
/// ```
/// use annals_engine::{Batch, Event};
/// let mut batch = Batch::new();
/// batch.push(&Event::new("user.login"))?;
/// assert_eq!(batch.len(), 1);
/// assert!(batch.push(&Event::new("")).is_err());
/// assert_eq!(batch.len(), 1);
/// # Ok::<(), annals_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batch {
    /// Room for the frame's header, then the records.
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: Vec<RecordRef>,
    pub(crate) terms: Terms,
    /// Positions of the events that are to be marked as acknowledged, ascending.
    pub(crate) acknowledged: Vec<u32>,
}

/// Where one record of a batch lies and what the writer must know of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordRef {
    pub(crate) id: Option<EventId>,
    /// Absent: the writer fills in the present.
    pub(crate) created_at_us: Option<i64>,
    pub(crate) offset: u32,
    /// The record's values end here in [`Terms::uses`]; they start where the previous one's end.
    pub(crate) uses_end: u32,
}

impl RecordRef {
    /// The identity the event has under that sequence; its time is known.
    pub(crate) fn id_at(&self, sequence: u64) -> EventId {
        self.id.unwrap_or_else(|| EventId::made(self.created_at_us.unwrap_or(0), sequence))
    }
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self {
            bytes: vec![0; FRAME_HEADER_SIZE],
            records: Vec::new(),
            terms: Terms::default(),
            acknowledged: Vec::new(),
        }
    }

    /// Events in the batch.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of the records.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len() - FRAME_HEADER_SIZE
    }

    /// The most bytes that the marks of acknowledged events take in the batch's frame.
    pub(crate) fn marks_size_max(&self) -> usize {
        // A tag, a count and the size of it all; then a sequence of up to ten bytes and a state each.
        if self.acknowledged.is_empty() { 0 } else { 16 + 11 * self.acknowledged.len() }
    }

    /// Forgets the events and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.truncate(FRAME_HEADER_SIZE);
        self.records.clear();
        self.terms.clear();
        self.acknowledged.clear();
    }

    /// The same when the header's room was used, or given away with the records.
    pub(crate) fn start_over(&mut self) {
        self.bytes.clear();
        self.bytes.resize(FRAME_HEADER_SIZE, 0);
        self.clear();
    }

    /// Checks an event against the limits and adds it.
    ///
    /// # Errors
    /// `InvalidInput` naming the limit; the batch is as it was.
    pub fn push(&mut self, event: &Event<'_>) -> Result<()> {
        check(event)?;
        if self.records.len() >= BATCH_EVENTS_MAX {
            return Err(Error::invalid_input(format!("a batch holds at most {BATCH_EVENTS_MAX} events")));
        }
        let (bytes_before, terms_before) = (self.bytes.len(), self.terms.mark());
        record::encode(event, &mut self.bytes, &mut self.terms);
        if event.acknowledged {
            self.acknowledged.push(len_u32(self.records.len()));
        }
        if self.size_bytes() + self.marks_size_max() > BATCH_SIZE_MAX {
            self.bytes.truncate(bytes_before);
            self.terms.cut(terms_before);
            if event.acknowledged {
                self.acknowledged.pop();
            }
            return Err(Error::invalid_input(format!("a batch holds at most {BATCH_SIZE_MAX} bytes of events")));
        }
        self.records.push(RecordRef {
            id: event.id,
            created_at_us: event.created_at_us,
            offset: len_u32(bytes_before),
            uses_end: len_u32(self.terms.uses().len()),
        });
        Ok(())
    }

    /// Adds the events of another batch behind those of this one.
    ///
    /// # Errors
    /// `InvalidInput` if both together exceed a limit; this batch is as it was.
    pub fn extend(&mut self, other: &Batch) -> Result<()> {
        let events = self.len() + other.len();
        let size_bytes = self.size_bytes() + other.size_bytes();
        let marks_size = self.marks_size_max() + other.marks_size_max();
        if events > BATCH_EVENTS_MAX || size_bytes + marks_size > BATCH_SIZE_MAX {
            return Err(Error::invalid_input(format!(
                "a batch holds at most {BATCH_EVENTS_MAX} events and {BATCH_SIZE_MAX} bytes, \
                 these would be {events} and {size_bytes}"
            )));
        }
        let shift = len_u32(self.size_bytes());
        let uses_before = len_u32(self.terms.uses().len());
        let records_before = len_u32(self.records.len());
        self.acknowledged.extend(other.acknowledged.iter().map(|position| position + records_before));
        self.bytes.extend_from_slice(other.bytes.get(FRAME_HEADER_SIZE..).unwrap_or_default());
        self.terms.extend(&other.terms, shift);
        self.records.extend(other.records.iter().map(|record| RecordRef {
            offset: record.offset + shift,
            uses_end: record.uses_end + uses_before,
            ..*record
        }));
        Ok(())
    }

    /// The event at `position` as it reads back once it has `sequence`. A `created_at` left to the
    /// writer reads as 0 here.
    pub fn stored(&self, position: usize, sequence: u64) -> Option<StoredEvent> {
        let offset = crate::codec::row_usize(self.records.get(position)?.offset);
        let mut reader = crate::codec::Reader::new(self.bytes.get(offset..)?);
        Record::take(&mut reader).and_then(|record| record.to_stored(sequence)).ok()
    }

    /// Adds a record of another batch.
    pub(crate) fn push_record(&mut self, record: &RecordRef, bytes: &[u8], acknowledged: bool) -> Result<()> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let values = Record::take(&mut Reader::new(bytes))?;
        values.index(&self.bytes, start + bytes.len() - values.fields_len(), &mut self.terms)?;
        if acknowledged {
            self.acknowledged.push(len_u32(self.records.len()));
        }
        let uses_end = len_u32(self.terms.uses().len());
        self.records.push(RecordRef { offset: len_u32(start), uses_end, ..*record });
        Ok(())
    }

    /// The stored forms of the values of all records.
    #[cfg(test)]
    pub(crate) fn values(&self) -> Vec<(u8, &[u8])> {
        let list = self.terms.list();
        let terms = self.terms.uses().iter().map(|index| &list[crate::codec::row_usize(*index)]);
        terms.map(|term| (term.field, term.stored(&self.bytes))).collect()
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl StoredEvent {
    /// The event as a store would give it back had it been appended with that sequence: for tests and
    /// for embedders that hold events elsewhere. Nothing is stored.
    ///
    /// # Errors
    /// `InvalidInput` if the event breaks a limit or has no `created_at`.
    pub fn from_event(event: &Event<'_>, sequence: u64) -> Result<StoredEvent> {
        check(event)?;
        if event.created_at_us.is_none() {
            return Err(Error::invalid_input("created_at is required of an event that no store gives a time"));
        }
        let mut bytes = Vec::new();
        record::encode(event, &mut bytes, &mut Terms::default());
        Record::take(&mut Reader::new(&bytes))?.to_stored(sequence)
    }
}

/// The limits of an event, in one place.
fn check(event: &Event<'_>) -> Result<()> {
    if event.get(Field::EventType).is_none() {
        return Err(Error::invalid_input("event_type is required and must not be empty"));
    }
    let mut size = 0;
    for (field, value) in event.singles() {
        size += check_keyword(field, value)?;
    }
    for field in Field::MULTIPLE {
        let values = event.values(*field);
        if values.len() > VALUES_MAX {
            let message = format!("{field} has {} values, the limit is {VALUES_MAX}", values.len());
            return Err(Error::invalid_input(message));
        }
        for value in values.iter() {
            size += check_keyword(*field, value)?;
        }
    }
    size += check_size("message", event.message.unwrap_or_default(), MESSAGE_SIZE_MAX)?;
    size += check_size("content", event.content.unwrap_or_default(), CONTENT_SIZE_MAX)?;
    for text in [event.payload, event.error_message, event.user_agent] {
        size += text.map_or(0, str::len);
    }
    if size > EVENT_SIZE_MAX {
        return Err(Error::invalid_input(format!("the event has {size} bytes, the limit is {EVENT_SIZE_MAX}")));
    }
    check_scalars(event)
}

#[inline]
fn check_keyword(field: Field, value: &str) -> Result<usize> {
    if value.len() <= field.value_size_max() {
        Ok(value.len())
    } else {
        check_size(field.name(), value, field.value_size_max())
    }
}

#[inline]
fn check_size(name: &str, value: &str, size_max: usize) -> Result<usize> {
    if value.len() > size_max {
        return Err(Error::invalid_input(format!("{name} has {} bytes, the limit is {size_max}", value.len())));
    }
    Ok(value.len())
}

fn check_scalars(event: &Event<'_>) -> Result<()> {
    let times =
        [("created_at", event.created_at_us), ("expires_at", event.expires_at_us), ("updated_at", event.updated_at_us)];
    for (name, time) in times {
        if time.is_some_and(|time| !(CREATED_AT_US_MIN..=CREATED_AT_US_MAX).contains(&time)) {
            let message = format!("{name} lies outside 1970-01-01 to 9999-12-31 ({} us)", time.unwrap_or_default());
            return Err(Error::invalid_input(message));
        }
    }
    if event.latency_ms.is_some_and(|latency| !latency.is_finite()) {
        return Err(Error::invalid_input("latency_ms must be a finite number"));
    }
    Ok(())
}

const _: () = assert!(len_fits_u32(BATCH_SIZE_MAX + FRAME_HEADER_SIZE + record::RECORD_SIZE_MAX));

/// Offsets inside a batch are 32 bits wide.
const fn len_fits_u32(len: usize) -> bool {
    len <= 0xffff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_inclusive_and_named() {
        let mut batch = Batch::new();
        let text = "x".repeat(CONTENT_SIZE_MAX + 1);
        let mut event = Event::new(&text[..200]);
        event.message = Some(&text[..MESSAGE_SIZE_MAX]);
        event.content = Some(&text[..CONTENT_SIZE_MAX]);
        event.set(Field::UserId, &text[..1024]);
        batch.push(&event).unwrap();
        let mut long = event.clone();
        long.set(Field::EventType, &text[..201]);
        assert_eq!(batch.push(&long).unwrap_err().message(), "event_type has 201 bytes, the limit is 200");
        let mut long = event.clone();
        long.message = Some(&text[..=MESSAGE_SIZE_MAX]);
        assert!(batch.push(&long).unwrap_err().message().starts_with("message has 8193 bytes"));
        let mut long = event.clone();
        long.content = Some(&text);
        assert!(batch.push(&long).is_err());
        let realms = vec!["r"; 17];
        let mut many = event.clone();
        many.realm_ids = realms.as_slice().into();
        assert!(batch.push(&many).unwrap_err().message().contains("17 values"));
        assert_eq!(batch.len(), 1);
    }

    #[test]
    fn positions_to_acknowledge_follow_their_events_into_a_larger_batch() {
        let part = |flags: &[bool]| {
            let mut part = Batch::new();
            for acknowledged in flags {
                let mut event = Event::new("t");
                event.acknowledged = *acknowledged;
                part.push(&event).unwrap();
                // What is refused has no position.
                event.set(Field::EventType, "");
                assert!(part.push(&event).is_err());
            }
            part
        };
        let mut whole = part(&[false, true, false]);
        whole.extend(&part(&[true, false])).unwrap();
        whole.extend(&part(&[false, true])).unwrap();
        assert_eq!(whole.acknowledged, [1, 3, 6]);
        whole.clear();
        assert!(whole.acknowledged.is_empty());
    }

    #[test]
    fn times_outside_the_calendar_are_refused() {
        let mut batch = Batch::new();
        for time in [-1, CREATED_AT_US_MAX + 1] {
            let mut event = Event::new("t");
            event.created_at_us = Some(time);
            assert!(batch.push(&event).is_err());
        }
        let mut event = Event::new("t");
        event.latency_ms = Some(f64::NAN);
        assert!(batch.push(&event).is_err());
    }

    #[test]
    fn an_event_becomes_a_stored_one_without_a_store() {
        let mut event = Event::new("t");
        assert!(StoredEvent::from_event(&event, 3).is_err());
        event.created_at_us = Some(7);
        event.message = Some("m");
        let stored = StoredEvent::from_event(&event, 3).unwrap();
        assert_eq!((stored.sequence, stored.created_at_us, stored.id), (3, 7, EventId::made(7, 3)));
        assert_eq!((stored.event_type(), stored.message()), ("t", Some("m")));
        event.set(Field::EventType, "");
        assert!(StoredEvent::from_event(&event, 3).is_err());
    }

    #[test]
    fn terms_are_told_of_once_and_of_what_was_refused_not_at_all() {
        let mut batch = Batch::new();
        let realms = ["r1", "r2"];
        let users: Vec<String> = (0..2_000).map(|number| format!("user {}", number % 100)).collect();
        for (number, user) in users.iter().enumerate() {
            let mut event = Event::new(if number % 2 == 0 { "even" } else { "odd" });
            event.set(Field::UserId, user);
            event.realm_ids = (&realms).into();
            batch.push(&event).unwrap();
        }
        // Two types, two realms, and few enough users to be found again.
        assert_eq!(batch.terms.list().len(), 4 + 100);
        let values = batch.values();
        assert_eq!(values.len(), 4 * users.len());
        assert!(
            values.chunks(4).zip(&users).all(|(values, user)| values[1].1 == user.as_bytes() && values[3].1 == b"r2")
        );
        let payload = "x".repeat(EVENT_SIZE_MAX - 100);
        let mut large = Event::new("large");
        large.payload = Some(&payload);
        while batch.push(&large).is_ok() {}
        let before = batch.terms.mark();
        let mut refused = Event::new("refused");
        refused.payload = Some(&payload);
        assert!(batch.push(&refused).is_err());
        assert_eq!(batch.terms.mark(), before);
        batch.push(&Event::new("refused")).unwrap();
        assert_eq!(batch.values().last().unwrap().1, b"refused");
    }

    #[test]
    fn extending_moves_records_and_terms() {
        let (mut first, mut second) = (Batch::new(), Batch::new());
        first.push(&Event::new("one")).unwrap();
        second.push(&Event::new("two")).unwrap();
        first.extend(&second).unwrap();
        assert_eq!(first.len(), 2);
        let event_type = Field::EventType.number();
        assert_eq!(first.values(), [(event_type, &b"one"[..]), (event_type, b"two")]);
        let second_event = first.stored(1, 9).unwrap();
        assert_eq!((second_event.event_type(), second_event.sequence), ("two", 9));
        assert!(first.stored(2, 9).is_none());
        assert_eq!(first.size_bytes(), second.size_bytes() * 2);
    }
}
