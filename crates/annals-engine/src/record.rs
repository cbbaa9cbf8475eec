//! Event <-> record bytes. `docs/format.md`, "Record".

use crate::batch::{RecordRef, term_hash};
use crate::batch_terms::Terms;
use crate::codec::{Reader, len_u32, put_bytes, row_usize};
use crate::error::{Error, Result};
use crate::event::{Event, RecordValues, StoredEvent, tag};
use crate::field::{FIELD_SLOTS_U8, Field};
use crate::id::EventId;
use crate::term::{self, Form};

/// Bytes before a record's own fields: its size.
pub(crate) const SIZE_PREFIX: usize = 4;
const FLAG_ID_GIVEN: u8 = 1;
/// The store filled in `created_at`: made times never decrease, also across a restart.
const FLAG_TIME_MADE: u8 = 2;
const FLAGS_KNOWN: u8 = FLAG_ID_GIVEN | FLAG_TIME_MADE;
/// Offset of `created_at` from the record's start, so that the writer can fill it in.
pub(crate) const CREATED_AT_OFFSET: usize = SIZE_PREFIX + 1;
const FIXED_SIZE: usize = 1 + 8;
/// A record's largest size: an event of 1 MiB and its tags.
pub(crate) const RECORD_SIZE_MAX: usize = (1 << 20) + 64 * 1024;

/// Set in a tag whose value is in a packed form: the tags themselves stay below.
const TAG_PACKED: u8 = 0x80;
/// Set besides if that form is [`Form::Uuid`].
const TAG_UUID: u8 = 0x40;

/// Where one keyword value lies in the buffer it was encoded into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TermRef {
    /// Of the text.
    pub(crate) hash: u64,
    /// Where the stored form starts, and its length.
    pub(crate) offset: u32,
    pub(crate) len: u16,
    pub(crate) field: u8,
    pub(crate) form: Form,
}

/// Appends the record of an event whose limits were checked, and its keyword values to the terms.
pub(crate) fn encode(event: &Event<'_>, out: &mut Vec<u8>, terms: &mut Terms) {
    let start = out.len();
    out.extend_from_slice(&[0; SIZE_PREFIX]);
    let id_flag = if event.id.is_some() { FLAG_ID_GIVEN } else { 0 };
    let time_flag = if event.created_at_us.is_none() { FLAG_TIME_MADE } else { 0 };
    out.push(id_flag | time_flag);
    out.extend_from_slice(&event.created_at_us.unwrap_or(0).to_le_bytes());
    if let Some(id) = event.id {
        out.extend_from_slice(&id.as_u128().to_le_bytes());
    }
    for (field, value) in event.singles() {
        let term = put_keyword(out, field, value);
        terms.push(out, term);
    }
    for field in Field::MULTIPLE {
        let values = event.values(*field);
        for (index, value) in values.iter().enumerate() {
            // A set: repeats and empty texts are left out. At most 16 values, so a scan is cheapest.
            if !value.is_empty() && !values.iter().take(index).any(|earlier| earlier == value) {
                let term = put_keyword(out, *field, value);
                terms.push(out, term);
            }
        }
    }
    encode_others(event, out);
    let size = len_u32(out.len() - start - SIZE_PREFIX);
    if let Some(prefix) = out.get_mut(start..start + SIZE_PREFIX) {
        prefix.copy_from_slice(&size.to_le_bytes());
    }
}

#[inline]
fn put_keyword(out: &mut Vec<u8>, field: Field, value: &str) -> TermRef {
    let number = field.number();
    let (form, len) = term::put_stored(value.as_bytes(), out, |out, form| {
        out.push(match form {
            Form::Text => number,
            Form::Hex => number | TAG_PACKED,
            Form::Uuid => number | TAG_PACKED | TAG_UUID,
        });
    });
    let len = u16::try_from(len).expect("keyword values are at most 1,024 bytes");
    let hash = term_hash(value.as_bytes());
    TermRef { hash, offset: len_u32(out.len() - usize::from(len)), len, field: number, form }
}

fn encode_others(event: &Event<'_>, out: &mut Vec<u8>) {
    let texts = [
        (tag::MESSAGE, event.message),
        (tag::CONTENT, event.content),
        (tag::PAYLOAD, event.payload),
        (tag::ERROR_MESSAGE, event.error_message),
        (tag::USER_AGENT, event.user_agent),
    ];
    for (tag, text) in texts {
        if let Some(text) = text {
            out.push(tag);
            put_bytes(out, text.as_bytes());
        }
    }
    let numbers = (!event.numbers.is_empty()).then_some(event.numbers.bits());
    let scalars = [
        (tag::LATENCY_MS, event.latency_ms.map(f64::to_bits)),
        (tag::EXPIRES_AT, event.expires_at_us.map(i64::cast_unsigned)),
        (tag::UPDATED_AT, event.updated_at_us.map(i64::cast_unsigned)),
        (tag::NUMBERS, numbers),
    ];
    for (tag, scalar) in scalars {
        if let Some(bits) = scalar {
            out.push(tag);
            put_bytes(out, &bits.to_le_bytes());
        }
    }
}

/// A record as it lies in a log, checked in its structure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) created_at_us: i64,
    pub(crate) id: Option<EventId>,
    /// Whether the store filled in the time.
    pub(crate) time_is_made: bool,
    fields: &'a [u8],
}

impl<'a> Record<'a> {
    /// Takes the next record off `reader`.
    pub(crate) fn take(reader: &mut Reader<'a>) -> Result<Self> {
        let size = row_usize(reader.u32()?);
        if !(FIXED_SIZE..=RECORD_SIZE_MAX).contains(&size) {
            return Err(Error::corrupt(format!("a record claims {size} bytes")));
        }
        let mut body = Reader::new(reader.take(size)?);
        let flags = body.u8()?;
        if flags & !FLAGS_KNOWN != 0 {
            return Err(Error::corrupt(format!("a record has unknown flags {flags:#04x}")));
        }
        let created_at_us = body.i64()?;
        let id = if flags & FLAG_ID_GIVEN == 0 { None } else { Some(EventId::from_u128(body.u128()?)) };
        let rest = body.remaining();
        let time_is_made = flags & FLAG_TIME_MADE != 0;
        Ok(Self { created_at_us, id, time_is_made, fields: body.take(rest)? })
    }

    /// The tagged values in order. A malformed one ends the walk with an error.
    pub(crate) fn values(&self) -> RecordWalk<'a> {
        RecordWalk { rest: self.fields, len: self.fields.len(), last_tag: 0 }
    }

    /// The first value of a tag that is no keyword field, walking no further than to it.
    pub(crate) fn value(&self, tag: u8) -> Result<Option<&'a [u8]>> {
        for value in self.values() {
            let found = value?;
            if found.tag == tag && found.form == Form::Text {
                return Ok(Some(found.bytes));
            }
            if found.tag > tag {
                break;
            }
        }
        Ok(None)
    }

    /// The values of a keyword field.
    pub(crate) fn values_of(&self, field: Field) -> Result<Vec<RecordValue<'a>>> {
        let mut found = Vec::new();
        for value in self.values() {
            let value = value?;
            if value.tag == field.number() {
                found.push(value);
            } else if value.tag > field.number() {
                break;
            }
        }
        Ok(found)
    }

    /// Where the values start, from the record's start, in bytes.
    pub(crate) fn fields_start(&self) -> usize {
        SIZE_PREFIX + FIXED_SIZE + if self.id.is_some() { 16 } else { 0 }
    }

    /// Bytes of the values with their tags and lengths.
    pub(crate) fn fields_len(&self) -> usize {
        self.fields.len()
    }

    /// The identity this record has as the event of that sequence.
    pub(crate) fn id_at(&self, sequence: u64) -> EventId {
        self.id.unwrap_or_else(|| EventId::made(self.created_at_us, sequence))
    }

    /// Copies the record into an owned event.
    pub(crate) fn to_stored(self, sequence: u64) -> Result<StoredEvent> {
        let mut values = RecordValues { bytes: Vec::with_capacity(self.fields.len()), spans: Vec::with_capacity(16) };
        for value in self.values() {
            let value = value?;
            match value.form {
                Form::Text => values.push(value.tag, value.bytes),
                form => values.push(value.tag, term::unpack(form, value.bytes).as_slice()),
            }
        }
        Ok(StoredEvent {
            sequence,
            id: self.id_at(sequence),
            created_at_us: self.created_at_us,
            marks: crate::event::Marks::default(),
            values,
        })
    }
}

/// The records of a frame's payload, as the writer knew them when it indexed them. Offsets count from
/// the payload's start. Calls `made` with each time that the store filled in.
pub(crate) fn index_payload(payload: &[u8], mut made: impl FnMut(i64)) -> Result<(Vec<RecordRef>, Terms)> {
    let mut reader = Reader::new(payload);
    let (mut records, mut terms) = (Vec::new(), Terms::default());
    while !reader.is_empty() {
        let offset = reader.position();
        let record = Record::take(&mut reader)?;
        if record.time_is_made {
            made(record.created_at_us);
        }
        record.index(payload, reader.position() - record.fields.len(), &mut terms)?;
        records.push(RecordRef {
            id: record.id,
            created_at_us: Some(record.created_at_us),
            offset: len_u32(offset),
            uses_end: len_u32(terms.uses().len()),
        });
    }
    Ok((records, terms))
}

impl Record<'_> {
    /// Adds the keyword values to the terms. The record's values start at `start` of `bytes`.
    pub(crate) fn index(&self, bytes: &[u8], start: usize, terms: &mut Terms) -> Result<()> {
        let mut walk = self.values();
        while let Some(value) = walk.next() {
            let RecordValue { tag, form, bytes: stored } = value?;
            if Field::from_number(tag).is_none() {
                break;
            }
            if !term::is_valid(form, stored) {
                return Err(Error::corrupt(format!("a value of field {tag} is not in its stored form")));
            }
            let len = u16::try_from(stored.len())
                .map_err(|source| Error::corrupt("a keyword value is too long").with_source(source))?;
            let hash = match form {
                Form::Text => term_hash(stored),
                form => term_hash(term::unpack(form, stored).as_slice()),
            };
            let offset = len_u32(start + walk.position() - stored.len());
            terms.push(bytes, TermRef { hash, offset, len, field: tag, form });
        }
        Ok(())
    }
}

/// One value of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordValue<'a> {
    pub(crate) tag: u8,
    /// Of a keyword value; of others [`Form::Text`].
    pub(crate) form: Form,
    pub(crate) bytes: &'a [u8],
}

/// The walk over a record's values.
#[derive(Clone, Debug)]
pub(crate) struct RecordWalk<'a> {
    rest: &'a [u8],
    len: usize,
    last_tag: u8,
}

impl<'a> RecordWalk<'a> {
    /// Bytes of the values walked over.
    pub(crate) fn position(&self) -> usize {
        self.len - self.rest.len()
    }

    #[inline]
    fn step(&mut self, stored: u8, rest: &'a [u8]) -> Result<RecordValue<'a>> {
        let (tag, form) = match stored {
            0..TAG_PACKED => (stored, Form::Text),
            _ if stored & TAG_UUID == 0 => (stored & !TAG_PACKED, Form::Hex),
            _ => (stored & !(TAG_PACKED | TAG_UUID), Form::Uuid),
        };
        // Keyword fields have numbers from 1 on, without a gap.
        let known = (1..FIELD_SLOTS_U8).contains(&tag) || (tag::MESSAGE..tag::END).contains(&tag);
        if !known || tag < self.last_tag || (form != Form::Text && tag >= FIELD_SLOTS_U8) {
            return Err(Error::corrupt(format!("a record has tag {stored} behind {}", self.last_tag)));
        }
        self.last_tag = tag;
        // Nearly all lengths take one byte.
        let (len, rest) = match rest.split_first() {
            Some((len, rest)) if *len < 0x80 => (usize::from(*len), rest),
            _ => {
                let mut reader = Reader::new(rest);
                let len = reader.varint_len()?;
                (len, rest.get(reader.position()..).unwrap_or_default())
            }
        };
        let (bytes, rest) = rest
            .split_at_checked(len)
            .ok_or_else(|| Error::corrupt(format!("a value of {len} bytes exceeds the {} bytes left", rest.len())))?;
        self.rest = rest;
        Ok(RecordValue { tag, form, bytes })
    }
}

impl<'a> Iterator for RecordWalk<'a> {
    type Item = Result<RecordValue<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (stored, rest) = self.rest.split_first()?;
        let step = self.step(*stored, rest);
        if step.is_err() {
            self.rest = &[];
        }
        Some(step)
    }
}

impl StoredEvent {
    /// An event as a caller would hand it in again: an export followed by an import gives the same.
    pub fn to_event<'a>(&'a self, realm_ids: &'a mut Vec<&'a str>, target_user_ids: &'a mut Vec<&'a str>) -> Event<'a> {
        let mut event = Event::default();
        for (field, value) in self.keywords() {
            match field {
                Field::RealmIds => realm_ids.push(value),
                Field::TargetUserIds => target_user_ids.push(value),
                _ => _ = event.set(field, value),
            }
        }
        event.realm_ids = realm_ids.as_slice().into();
        event.target_user_ids = target_user_ids.as_slice().into();
        event.id = Some(self.id);
        event.created_at_us = Some(self.created_at_us);
        event.message = self.message();
        event.content = self.content();
        event.payload = self.payload();
        event.error_message = self.error_message();
        event.user_agent = self.user_agent();
        event.latency_ms = self.latency_ms();
        event.expires_at_us = self.expires_at_us();
        event.updated_at_us = self.updated_at_us();
        event.numbers = self.numbers();
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Event<'static> {
        let mut event = Event::new("a.b");
        event.created_at_us = Some(7);
        event.id = Some(EventId::from_u128(9));
        event.set(Field::HttpStatus, "404");
        event.numbers.insert(Field::HttpStatus);
        event.realm_ids = (&["r1", "r2", "r1", ""]).into();
        event.message = Some("m");
        event.payload = Some("{}");
        event.latency_ms = Some(1.5);
        event
    }

    #[test]
    fn a_record_comes_back() {
        let mut bytes = Vec::new();
        let mut terms = Terms::default();
        encode(&sample(), &mut bytes, &mut terms);
        let mut reader = Reader::new(&bytes);
        let stored = Record::take(&mut reader).unwrap().to_stored(3).unwrap();
        assert!(reader.is_empty());
        assert_eq!((stored.id, stored.created_at_us, stored.sequence), (EventId::from_u128(9), 7, 3));
        assert_eq!(stored.realm_ids().collect::<Vec<_>>(), ["r1", "r2"]);
        assert_eq!(stored.get(Field::HttpStatus), Some("404"));
        assert!(stored.numbers().contains(Field::HttpStatus));
        assert_eq!((stored.message(), stored.latency_ms()), (Some("m"), Some(1.5)));
        assert_eq!(terms.uses().len(), 4);
        let (mut realms, mut targets) = (Vec::new(), Vec::new());
        let again = stored.to_event(&mut realms, &mut targets);
        assert_eq!(again.get(Field::EventType), Some("a.b"));
        assert_eq!(again.realm_ids.len(), 2);
    }

    #[test]
    fn every_cut_and_flip_is_an_error_or_a_record() {
        let mut bytes = Vec::new();
        encode(&sample(), &mut bytes, &mut Terms::default());
        for cut in 0..bytes.len() {
            assert!(Record::take(&mut Reader::new(&bytes[..cut])).is_err());
        }
        for position in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[position] ^= 1 << bit;
                let _ = Record::take(&mut Reader::new(&flipped)).and_then(|record| record.to_stored(1));
            }
        }
    }
}
