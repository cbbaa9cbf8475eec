//! A stored event in its native JSON form.

use annals_engine::{Field, StoredEvent, Values};

use crate::error::EventError;
use crate::number::is_json_number;
use crate::text::is_plain;
use crate::time::write_micros;

/// The members an event shows besides its keyword fields, in the order in which they are written.
const OTHERS: [&str; 11] = [
    "id",
    "sequence",
    "created_at",
    "message",
    "content",
    "error_message",
    "user_agent",
    "latency_ms",
    "expires_at",
    "updated_at",
    "payload",
];
const ACKNOWLEDGED: &str = "acknowledged";

/// Which members of an event to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    fields: annals_engine::FieldSet,
    others: Vec<&'static str>,
}

impl Selection {
    /// Reads a comma-separated list of names as the output spells them.
    ///
    /// # Errors
    /// A sentence that names the first unknown one.
    pub fn parse(list: &str) -> Result<Self, EventError> {
        let mut selection = Self { fields: annals_engine::FieldSet::default(), others: Vec::new() };
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let other = OTHERS.into_iter().chain([ACKNOWLEDGED]).find(|other| *other == name);
            match (Field::from_name(name), other) {
                (Some(field), _) => selection.fields.insert(field),
                (None, Some(other)) => selection.others.push(other),
                (None, None) => return Err(EventError::new(format!("{name:?} is not a member of an event"))),
            }
        }
        Ok(selection)
    }

    fn has_field(selection: Option<&Self>, field: Field) -> bool {
        selection.is_none_or(|selection| selection.fields.contains(field))
    }

    fn has(selection: Option<&Self>, name: &str) -> bool {
        selection.is_none_or(|selection| selection.others.contains(&name))
    }
}

/// Appends an event as one line of JSON, without the line's end: what [`crate::parse_event`] reads
/// back as the same event. Absent members are left out; `acknowledged` is always there.
pub fn write_event(out: &mut Vec<u8>, event: &StoredEvent, fields: Option<&Selection>) {
    let mut object = Object { out, is_empty: true };
    object.out.push(b'{');
    let has = |name| Selection::has(fields, name);
    if has("id") {
        object.key("id");
        object.out.push(b'"');
        write_id(object.out, event.id);
        object.out.push(b'"');
    }
    if has("sequence") {
        object.key("sequence");
        write_json(object.out, &event.sequence);
    }
    if has("created_at") {
        object.time("created_at", Some(event.created_at_us));
    }
    write_keywords(&mut object, event, fields);
    for (name, text) in [
        ("message", event.message()),
        ("content", event.content()),
        ("error_message", event.error_message()),
        ("user_agent", event.user_agent()),
    ] {
        if let (Some(text), true) = (text, has(name)) {
            object.key(name);
            write_text(object.out, text);
        }
    }
    if let (Some(latency), true) = (event.latency_ms().filter(|latency| latency.is_finite()), has("latency_ms")) {
        object.key("latency_ms");
        write_json(object.out, &latency);
    }
    for (name, time_us) in [("expires_at", event.expires_at_us()), ("updated_at", event.updated_at_us())] {
        if has(name) {
            object.time(name, time_us);
        }
    }
    if has(ACKNOWLEDGED) {
        object.key(ACKNOWLEDGED);
        object.out.extend_from_slice(if event.marks.acknowledged { b"true" } else { b"false" });
    }
    if let (Some(payload), true) = (event.payload(), has("payload")) {
        object.key("payload");
        write_raw(object.out, payload);
    }
    object.out.push(b'}');
}

fn write_keywords(object: &mut Object<'_>, event: &StoredEvent, fields: Option<&Selection>) {
    let numbers = event.numbers();
    let mut open_list = None;
    for (field, value) in event.keywords().filter(|(field, _)| Selection::has_field(fields, *field)) {
        if field.values() == Values::Multiple {
            // The values of one field follow each other.
            if open_list == Some(field) {
                object.out.push(b',');
            } else {
                close(object.out, open_list.replace(field));
                object.key(field.name());
                object.out.push(b'[');
            }
            write_text(object.out, value);
            continue;
        }
        close(object.out, open_list.take());
        object.key(field.name());
        let is_flag = matches!(field, Field::Notification | Field::IsPublic | Field::IsGlobal);
        let is_literal =
            (is_flag && matches!(value, "true" | "false")) || (numbers.contains(field) && is_json_number(value));
        if is_literal {
            object.out.extend_from_slice(value.as_bytes());
        } else {
            write_text(object.out, value);
        }
    }
    close(object.out, open_list);
}

fn close(out: &mut Vec<u8>, open_list: Option<Field>) {
    if open_list.is_some() {
        out.push(b']');
    }
}

struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl Object<'_> {
    /// Appends a key that needs no escapes, and the colon.
    fn key(&mut self, name: &str) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn time(&mut self, name: &str, time_us: Option<i64>) {
        if let Some(time_us) = time_us {
            self.key(name);
            self.out.push(b'"');
            write_micros(self.out, time_us);
            self.out.push(b'"');
        }
    }
}

/// Appends `text` as a JSON string.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    if !is_plain(text.as_bytes()) {
        return write_json(out, text);
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Appends JSON as it was sent, on one line: outside of strings a line's end is white space, inside
/// it cannot occur.
fn write_raw(out: &mut Vec<u8>, raw: &str) {
    let start = out.len();
    out.extend_from_slice(raw.as_bytes());
    if memchr::memchr2(b'\n', b'\r', raw.as_bytes()).is_some() {
        for byte in out.iter_mut().skip(start).filter(|byte| matches!(byte, b'\n' | b'\r')) {
            *byte = b' ';
        }
    }
}

/// Appends the hyphenated form.
fn write_id(out: &mut Vec<u8>, id: annals_engine::EventId) {
    let mut text = [b'-'; 36];
    // Where the hyphens leave room for two digits each.
    let pairs = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    for (place, byte) in pairs.into_iter().zip(id.as_u128().to_le_bytes().into_iter().rev()) {
        if let Some(pair) = text.get_mut(place..place + 2) {
            pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 0xf)]);
        }
    }
    out.extend_from_slice(&text);
}

/// The digit of 0 to 15.
fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

fn write_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("texts and finite numbers have a JSON form, and memory takes it");
}

#[cfg(test)]
mod tests;
