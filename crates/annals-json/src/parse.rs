//! One JSON object -> [`IncomingEvent`]. What each key means is the table in [`meaning`].

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use annals_engine::{Field, VALUES_MAX, Values};
use hashbrown::HashMap;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::error::EventError;
use crate::incoming::IncomingEvent;
use crate::payload::{self, KeySeed, Scalar, ScalarSeed};
use crate::scan;
use crate::text::same_text;
use crate::time::{parse_millis, parse_time};

/// The deepest nesting of an event, itself included: deep enough for any record, and no reader of it
/// runs out of stack.
pub const JSON_DEPTH_MAX: usize = 64;

/// Reads one event from a line of JSON. Sizes are not checked here but by
/// [`annals_engine::Batch::push`]; nothing is filled in.
///
/// # Errors
/// A sentence that names the key and what it must be.
pub fn parse_event(line: &[u8]) -> Result<IncomingEvent<'_>, EventError> {
    let mut event = IncomingEvent::default();
    parse_event_into(line, &mut event)?;
    Ok(event)
}

/// Like [`parse_event`], into an event whose memory is used again.
///
/// # Errors
/// As there; `event` is then of no use.
pub fn parse_event_into<'a>(line: &'a [u8], event: &mut IncomingEvent<'a>) -> Result<(), EventError> {
    event.clear();
    let text = std::str::from_utf8(line)
        .map_err(|error| EventError::new(format!("the event is not UTF-8 at byte {}", error.valid_up_to() + 1)))?;
    if let Some(outcome) = read_alone(text, event) {
        return outcome;
    }
    event.clear();
    read_by_serde(text, event)
}

/// An event as most are; `None` leaves it to [`read_by_serde`].
pub(crate) fn read_alone<'a>(text: &'a str, event: &mut IncomingEvent<'a>) -> Option<Result<(), EventError>> {
    let mut refusal = None;
    let mut pending = Pending::default();
    scan::event(text, &mut EventVisitor { event: &mut *event, pending: &mut pending, refusal: &mut refusal })?;
    Some(pending.settle(text, event))
}

/// Any event, and the sentence of every mistake.
pub(crate) fn read_by_serde<'a>(text: &'a str, event: &mut IncomingEvent<'a>) -> Result<(), EventError> {
    let mut refusal = None;
    let mut pending = Pending::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let visitor = EventVisitor { event: &mut *event, pending: &mut pending, refusal: &mut refusal };
    let outcome = (&mut deserializer).deserialize_map(visitor).and_then(|()| deserializer.end());
    match (outcome, refusal) {
        (Ok(()), _) => pending.settle(text, event),
        (Err(_), Some(refusal)) => Err(refusal),
        (Err(error), None) => Err(syntax_error(&error)),
    }
}

fn syntax_error(error: &serde_json::Error) -> EventError {
    if error.classify() == Category::Data {
        return EventError::new("an event must be a JSON object");
    }
    let shown = error.to_string();
    let reason = shown.rsplit_once(" at line ").map_or(shown.as_str(), |(reason, _)| reason);
    let (line, column) = (error.line(), error.column());
    EventError::new(if line > 1 {
        format!("the event is not valid JSON: {reason} (line {line}, byte {column})")
    } else {
        format!("the event is not valid JSON: {reason} (byte {column})")
    })
}

/// What a top-level key of an event means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Id,
    CreatedAt,
    CreatedAtAlias,
    /// Takes numbers as well.
    Keyword(Field),
    /// A string and nothing else.
    Word(Field),
    Flag(Field),
    List(Field),
    Message,
    MessageAlias,
    Content,
    ErrorMessage,
    UserAgent,
    LatencyMs,
    ExpiresAt,
    UpdatedAt,
    Payload,
    Acknowledged,
    /// Written by an export and decided by the store: `sequence`.
    Ignored,
    Unknown,
}

/// The names that are no fields'.
const OTHER_NAMES: [&str; 17] = [
    "id",
    "created_at",
    "ts",
    "timestamp",
    "time",
    "@timestamp",
    "message",
    "summary",
    "content",
    "error_message",
    "user_agent",
    "latency_ms",
    "expires_at",
    "updated_at",
    "payload",
    "acknowledged",
    "sequence",
];

/// Every known name with what it means, and the places of the names in the list.
struct Keys {
    list: Vec<(&'static str, Key)>,
    numbers: HashMap<&'static str, u8, foldhash::fast::FixedState>,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let names = OTHER_NAMES.into_iter().chain(Field::ALL.iter().map(|field| field.name()));
    let list: Vec<_> = names.map(|name| (name, meaning(name))).collect();
    let numbers = (0..=u8::MAX).zip(&list).map(|(number, (name, _))| (*name, number)).collect();
    Keys { list, numbers }
});

/// [`meaning`], looked up: a match compares with one name after the other.
fn key_of(name: &str) -> Key {
    let keys = &*KEYS;
    let number = keys.numbers.get(name).map(|number| usize::from(*number));
    number.and_then(|number| keys.list.get(number)).map_or(Key::Unknown, |(_, key)| *key)
}

/// The same where the number of a key that is likely is known, and is noted if it was another one.
pub(crate) fn likely_key_of(name: &str, likely: &mut u8) -> Key {
    let keys = &*KEYS;
    match keys.list.get(usize::from(*likely)) {
        Some((known, key)) if same_text(known.as_bytes(), name.as_bytes()) => *key,
        _ => {
            *likely = keys.numbers.get(name).copied().unwrap_or(u8::MAX);
            key_of(name)
        }
    }
}

fn meaning(name: &str) -> Key {
    match name {
        "id" => Key::Id,
        "created_at" => Key::CreatedAt,
        "ts" | "timestamp" | "time" | "@timestamp" => Key::CreatedAtAlias,
        "message" => Key::Message,
        "summary" => Key::MessageAlias,
        "content" => Key::Content,
        "error_message" => Key::ErrorMessage,
        "user_agent" => Key::UserAgent,
        "latency_ms" => Key::LatencyMs,
        "expires_at" => Key::ExpiresAt,
        "updated_at" => Key::UpdatedAt,
        "payload" => Key::Payload,
        "acknowledged" => Key::Acknowledged,
        "sequence" => Key::Ignored,
        _ => match Field::from_name(name) {
            Some(field @ (Field::Notification | Field::IsPublic | Field::IsGlobal)) => Key::Flag(field),
            Some(
                field @ (Field::EventType | Field::EventGroup | Field::Severity | Field::Status | Field::ResourceType),
            ) => Key::Word(field),
            Some(field) if field.values() == Values::Multiple => Key::List(field),
            Some(field) => Key::Keyword(field),
            None => Key::Unknown,
        },
    }
}

/// What can be decided only when the whole object was seen.
#[derive(Default)]
pub(crate) struct Pending<'a> {
    /// The last alias of `created_at` and its value; counts unless `created_at` itself came.
    created_at_alias: Option<(Cow<'a, str>, &'a str)>,
    /// The same for `message`.
    message_alias: Option<(Cow<'a, str>, &'a str)>,
    /// Unknown keys, and aliases that lost.
    extras: Vec<(Cow<'a, str>, &'a str)>,
    /// A number came whose digits a 64-bit integer cannot hold.
    exact_numbers: bool,
}

impl<'a> Pending<'a> {
    fn settle(mut self, text: &'a str, event: &mut IncomingEvent<'a>) -> Result<(), EventError> {
        if self.exact_numbers {
            apply_exact_numbers(text, event)?;
        }
        if let Some((key, raw)) = self.created_at_alias.take() {
            if event.created_at_us.is_some() {
                self.extras.push((key, raw));
            } else if starts_number(raw) {
                event.created_at_us = Some(exact_millis(&key, raw)?);
            } else {
                event.created_at_us = time(&key, scalar_of(&key, raw)?)?;
            }
        }
        if let Some((key, raw)) = self.message_alias.take() {
            if event.message.is_some() {
                self.extras.push((key, raw));
            } else {
                event.message = text_of(&key, scalar_of(&key, raw)?)?;
            }
        }
        if !self.extras.is_empty() {
            for (key, raw) in &self.extras {
                if let Some(reason) = payload::refuse_raw(raw) {
                    return Err(EventError::new(format!("{} {reason}", shown(key))));
                }
            }
            let merged = payload::merge(event.payload.as_deref(), &self.extras);
            event.payload = merged.map(Cow::Owned);
        }
        Ok(())
    }

    fn set_alias(&mut self, key: Cow<'a, str>, raw: &'a str, is_time: bool) {
        let slot = if is_time { &mut self.created_at_alias } else { &mut self.message_alias };
        match slot {
            // Null is as good as absent: it displaces nothing.
            _ if raw == "null" => {}
            Some((held, value)) if *held == key => *value = raw,
            slot => self.extras.extend(slot.replace((key, raw))),
        }
    }
}

fn scalar_of<'a>(key: &str, raw: &'a str) -> Result<Scalar<'a>, EventError> {
    let mut deserializer = serde_json::Deserializer::from_str(raw);
    ScalarSeed
        .deserialize(&mut deserializer)
        .map_err(|error| EventError::new(format!("{}: {}", shown(key), syntax_error(&error))))
}

pub(crate) struct EventVisitor<'e, 'a> {
    event: &'e mut IncomingEvent<'a>,
    pending: &'e mut Pending<'a>,
    refusal: &'e mut Option<EventError>,
}

impl<'a> Visitor<'a> for EventVisitor<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(KeySeed)? {
            if let Err(refusal) = self.entry(name, &mut map)? {
                *self.refusal = Some(refusal);
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

impl<'a> EventVisitor<'_, 'a> {
    /// Takes one entry. The outer error is the JSON's, the inner one the event's.
    fn entry<A: MapAccess<'a>>(&mut self, name: Cow<'a, str>, map: &mut A) -> Result<Result<(), EventError>, A::Error> {
        let key = key_of(&name);
        match key {
            Key::List(field) => {
                let mut list = std::mem::take(self.list(field));
                list.clear();
                map.next_value_seed(ListSeed { name: field.name(), list: &mut list, refusal: self.refusal })?;
                *self.list(field) = list;
                return Ok(Ok(()));
            }
            Key::Payload | Key::Unknown | Key::CreatedAtAlias | Key::MessageAlias => {
                let raw = map.next_value::<&'a RawValue>()?.get();
                return Ok(self.raw(key, name, raw));
            }
            Key::Ignored => {
                map.next_value::<serde::de::IgnoredAny>()?;
                return Ok(Ok(()));
            }
            _ => {}
        }
        let value = map.next_value_seed(ScalarSeed)?;
        Ok(self.scalar(key, &name, value))
    }

    pub(crate) fn list(&mut self, field: Field) -> &mut Vec<Cow<'a, str>> {
        if field == Field::RealmIds { &mut self.event.realm_ids } else { &mut self.event.target_user_ids }
    }

    /// The number of the key that an event before had at this place.
    pub(crate) fn likely(&mut self, place: usize) -> Option<&mut u8> {
        self.event.memory.key_numbers.get_mut(place)
    }

    /// Takes a payload without escapes that is nested less than [`JSON_DEPTH_MAX`] levels deep.
    pub(crate) fn plain_payload(&mut self, raw: &'a str, known_key: bool) {
        self.event.payload = Some(Cow::Borrowed(raw));
        self.event.memory.looked_into = Some(raw).filter(|_| !known_key);
    }

    pub(crate) fn raw(&mut self, key: Key, name: Cow<'a, str>, raw: &'a str) -> Result<(), EventError> {
        match key {
            Key::Payload if raw == "null" => self.event.payload = None,
            Key::Payload if !raw.starts_with('{') => {
                return Err(EventError::new("payload must be a JSON object"));
            }
            Key::Payload => {
                if let Some(reason) = payload::refuse_raw(raw) {
                    return Err(EventError::new(format!("payload {reason}")));
                }
                self.event.payload = Some(Cow::Borrowed(raw));
            }
            Key::CreatedAtAlias => self.pending.set_alias(name, raw, true),
            Key::MessageAlias => self.pending.set_alias(name, raw, false),
            _ => self.pending.extras.push((name, raw)),
        }
        Ok(())
    }

    pub(crate) fn scalar(&mut self, key: Key, name: &str, value: Scalar<'a>) -> Result<(), EventError> {
        let event = &mut *self.event;
        self.pending.exact_numbers |= matches!(value, Scalar::Float(_)) && key != Key::LatencyMs;
        match key {
            Key::Keyword(field) => set_keyword(event, field, value)?,
            Key::Word(field) => match text_of(name, value)? {
                Some(text) => _ = event.set(field, text),
                None => _ = event.unset(field),
            },
            Key::Flag(field) => match value {
                Scalar::Null => _ = event.unset(field),
                Scalar::Bool(flag) => _ = event.set(field, if flag { "true" } else { "false" }),
                other => return Err(ill_typed(name, "true or false", &other)),
            },
            Key::Acknowledged => match value {
                Scalar::Null => event.acknowledged = false,
                Scalar::Bool(flag) => event.acknowledged = flag,
                other => return Err(ill_typed(name, "true or false", &other)),
            },
            Key::Id => event.id = id(value)?,
            Key::CreatedAt => event.created_at_us = time(name, value)?,
            Key::ExpiresAt => event.expires_at_us = time(name, value)?,
            Key::UpdatedAt => event.updated_at_us = time(name, value)?,
            Key::Message => event.message = text_of(name, value)?,
            Key::Content => event.content = text_of(name, value)?,
            Key::ErrorMessage => event.error_message = text_of(name, value)?,
            Key::UserAgent => event.user_agent = text_of(name, value)?,
            Key::LatencyMs => event.latency_ms = number(name, value)?,
            Key::List(_) | Key::Payload | Key::Unknown | Key::Ignored | Key::CreatedAtAlias | Key::MessageAlias => {}
        }
        Ok(())
    }
}

fn set_keyword<'a>(event: &mut IncomingEvent<'a>, field: Field, value: Scalar<'a>) -> Result<(), EventError> {
    match value {
        Scalar::Text(text) => _ = event.set(field, text),
        Scalar::Unsigned(number) => _ = event.set_number(field, number.to_string()),
        Scalar::Signed(number) => _ = event.set_number(field, number.to_string()),
        // A float's digits are taken from the text when the object is complete.
        Scalar::Null | Scalar::Float(_) => _ = event.unset(field),
        other => return Err(ill_typed(field.name(), "a string or a number", &other)),
    }
    Ok(())
}

fn id(value: Scalar<'_>) -> Result<Option<annals_engine::EventId>, EventError> {
    match value {
        Scalar::Null => Ok(None),
        Scalar::Text(text) => Ok(Some(text.parse()?)),
        other => Err(ill_typed("id", "a string (a UUID or 24 hex digits)", &other)),
    }
}

fn time(name: &str, value: Scalar<'_>) -> Result<Option<i64>, EventError> {
    const WANTED: &str = "an RFC 3339 time or a number of milliseconds since 1970";
    let from_millis = |millis: Option<i64>| {
        let micros = millis.and_then(|millis| millis.checked_mul(1000));
        micros.map(Some).ok_or_else(|| EventError::new(format!("{name} is too large a number of milliseconds")))
    };
    match value {
        // A float's digits are taken from the text when the object is complete.
        Scalar::Null | Scalar::Float(_) => Ok(None),
        Scalar::Text(text) => match parse_time(&text) {
            Some(time_us) => Ok(Some(time_us)),
            None => Err(EventError::new(format!("{} must be {WANTED}, not {}", shown(name), shown(&text)))),
        },
        Scalar::Unsigned(millis) => from_millis(i64::try_from(millis).ok()),
        Scalar::Signed(millis) => from_millis(Some(millis)),
        other => Err(ill_typed(name, WANTED, &other)),
    }
}

fn text_of<'a>(name: &str, value: Scalar<'a>) -> Result<Option<Cow<'a, str>>, EventError> {
    match value {
        Scalar::Null => Ok(None),
        Scalar::Text(text) => Ok(Some(text)),
        other => Err(ill_typed(name, "a string", &other)),
    }
}

fn number(name: &str, value: Scalar<'_>) -> Result<Option<f64>, EventError> {
    #[expect(clippy::cast_precision_loss, reason = "a latency of 2^53 ms is beyond any event")]
    match value {
        Scalar::Null => Ok(None),
        Scalar::Float(number) => Ok(Some(number)),
        Scalar::Unsigned(number) => Ok(Some(number as f64)),
        Scalar::Signed(number) => Ok(Some(number as f64)),
        other => Err(ill_typed(name, "a number", &other)),
    }
}

fn ill_typed(name: &str, wanted: &str, value: &Scalar<'_>) -> EventError {
    EventError::new(format!("{} must be {wanted}, not {}", shown(name), value.kind()))
}

/// A text from outside in an error: quoted if it is odd, and never long.
fn shown(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 64;
    let head: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@' | b'-');
    if !head.is_empty() && head.bytes().all(plain) && head.len() == text.len() { head } else { format!("{head:?}") }
}

/// Reads an array of strings; the repeats of a set are dropped.
struct ListSeed<'l, 'a> {
    name: &'static str,
    list: &'l mut Vec<Cow<'a, str>>,
    refusal: &'l mut Option<EventError>,
}

impl<'a> DeserializeSeed<'a> for ListSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl ListSeed<'_, '_> {
    fn refuse<E: serde::de::Error>(&mut self, message: String) -> E {
        *self.refusal = Some(EventError::new(message));
        E::custom("refused")
    }

    fn ill_typed<E: serde::de::Error>(mut self, found: &Scalar<'_>) -> E {
        let error = ill_typed(self.name, "an array of strings", found);
        self.refuse(error.message)
    }
}

impl<'a> Visitor<'a> for ListSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of strings")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        Err(self.ill_typed(&Scalar::Bool(value)))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        Err(self.ill_typed(&Scalar::Unsigned(value)))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        Err(self.ill_typed(&Scalar::Signed(value)))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        Err(self.ill_typed(&Scalar::Float(value)))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        Err(self.ill_typed(&Scalar::Text(Cow::Borrowed(""))))
    }

    fn visit_map<A: MapAccess<'a>>(self, _: A) -> Result<(), A::Error> {
        Err(self.ill_typed(&Scalar::Object))
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element_seed(ScalarSeed)? {
            let Scalar::Text(text) = value else {
                let message = format!("{} must hold strings only, not {}", self.name, value.kind());
                return Err(self.refuse(message));
            };
            if text.is_empty() || self.list.contains(&text) {
                continue;
            }
            if self.list.len() >= VALUES_MAX {
                let message = format!("{} has more than {VALUES_MAX} values", self.name);
                return Err(self.refuse(message));
            }
            self.list.push(text);
        }
        Ok(())
    }
}

/// Reads the object once more for the numbers that no 64-bit integer holds: their digits count.
fn apply_exact_numbers<'a>(text: &'a str, event: &mut IncomingEvent<'a>) -> Result<(), EventError> {
    let mut found: Vec<(Key, &'a str)> = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    (&mut deserializer).deserialize_map(RawEntries(&mut found)).map_err(|error| syntax_error(&error))?;
    for (key, raw) in found {
        match key {
            _ if !starts_number(raw) => {}
            Key::Keyword(field) => _ = event.set_number(field, raw),
            Key::CreatedAt => event.created_at_us = Some(exact_millis("created_at", raw)?),
            Key::ExpiresAt => event.expires_at_us = Some(exact_millis("expires_at", raw)?),
            Key::UpdatedAt => event.updated_at_us = Some(exact_millis("updated_at", raw)?),
            _ => {}
        }
    }
    Ok(())
}

fn starts_number(raw: &str) -> bool {
    raw.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

fn exact_millis(name: &str, raw: &str) -> Result<i64, EventError> {
    parse_millis(raw).ok_or_else(|| EventError::new(format!("{} is no number of milliseconds since 1970", shown(name))))
}

/// The last raw value of each known key.
struct RawEntries<'v, 'a>(&'v mut Vec<(Key, &'a str)>);

impl<'a> Visitor<'a> for RawEntries<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(KeySeed)? {
            let (key, raw) = (key_of(&name), map.next_value::<&'a RawValue>()?.get());
            match self.0.iter_mut().find(|(held, _)| *held == key) {
                Some(entry) => entry.1 = raw,
                None => self.0.push((key, raw)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
