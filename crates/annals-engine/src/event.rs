//! What callers hand in ([`Event`]) and what they get back ([`StoredEvent`]).

use std::borrow::Cow;

use crate::field::{FIELD_SLOTS, Field, FieldSet, Values};
use crate::id::EventId;

/// The earliest `created_at`, inclusive: 1970-01-01.
pub const CREATED_AT_US_MIN: i64 = 0;
/// The latest `created_at`, inclusive: the last microsecond of 9999-12-31.
pub const CREATED_AT_US_MAX: i64 = 253_402_300_799_999_999;

/// A borrowed list of texts in any of the usual shapes.
#[derive(Clone, Copy, Debug)]
pub enum Texts<'a> {
    /// Plain slices.
    Borrowed(&'a [&'a str]),
    /// Owned strings.
    Owned(&'a [String]),
    /// Either, as a parser produces them.
    Cows(&'a [Cow<'a, str>]),
}

impl Default for Texts<'_> {
    fn default() -> Self {
        Texts::Borrowed(&[])
    }
}

impl<'a> Texts<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Texts::Borrowed(list) => list.len(),
            Texts::Owned(list) => list.len(),
            Texts::Cows(list) => list.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text at `index`, if there is one.
    pub fn get(&self, index: usize) -> Option<&'a str> {
        match *self {
            Texts::Borrowed(list) => list.get(index).copied(),
            Texts::Owned(list) => list.get(index).map(String::as_str),
            Texts::Cows(list) => list.get(index).map(|text| &**text),
        }
    }

    /// The texts in order.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        (0..self.len()).filter_map(move |index| self.get(index))
    }
}

impl<'a> From<&'a [&'a str]> for Texts<'a> {
    fn from(list: &'a [&'a str]) -> Self {
        Texts::Borrowed(list)
    }
}

impl<'a, const N: usize> From<&'a [&'a str; N]> for Texts<'a> {
    fn from(list: &'a [&'a str; N]) -> Self {
        Texts::Borrowed(list)
    }
}

impl<'a> From<&'a [String]> for Texts<'a> {
    fn from(list: &'a [String]) -> Self {
        Texts::Owned(list)
    }
}

/// An event to append, borrowed from the caller. Limits are checked by [`crate::Batch::push`].
///
/// The engine stores what it is given and fills nothing in.
///
/// ```
/// use annals_engine::{Event, Field};
/// let mut event = Event::new("container.running");
/// event.created_at_us = Some(1_736_937_005_123_000);
/// event.set(Field::ResourceType, "container").set(Field::ResourceId, "web-1");
/// event.realm_ids = (&["eu", "prod"]).into();
/// assert_eq!(event.get(Field::ResourceId), Some("web-1"));
/// ```
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// The identity, if the caller has one; otherwise the store makes one.
    pub id: Option<EventId>,
    /// UTC microseconds, [`CREATED_AT_US_MIN`] to [`CREATED_AT_US_MAX`]; absent means now.
    pub created_at_us: Option<i64>,
    keywords: [&'a str; FIELD_SLOTS],
    /// Which of `keywords` are set: an event has a dozen of them.
    set: FieldSet,
    /// The scopes it belongs to, up to [`crate::VALUES_MAX`].
    pub realm_ids: Texts<'a>,
    /// The users a notification is for, up to [`crate::VALUES_MAX`].
    pub target_user_ids: Texts<'a>,
    /// One line about what happened, up to 8 KiB.
    pub message: Option<&'a str>,
    /// A longer text, up to 512 KiB.
    pub content: Option<&'a str>,
    /// A JSON object as the caller wrote it; the engine never parses it.
    pub payload: Option<&'a str>,
    /// The error's text.
    pub error_message: Option<&'a str>,
    /// The caller's user agent.
    pub user_agent: Option<&'a str>,
    /// How long it took, in milliseconds; finite.
    pub latency_ms: Option<f64>,
    /// When a notification stops being shown, UTC microseconds.
    pub expires_at_us: Option<i64>,
    /// When a notification last changed, UTC microseconds.
    pub updated_at_us: Option<i64>,
    /// The fields whose value was a number and is shown as one.
    pub numbers: FieldSet,
    /// Whether it is stored as acknowledged: in the same frame, which is synced at every level.
    pub acknowledged: bool,
}

impl<'a> Event<'a> {
    /// An event of that type and nothing else.
    pub fn new(event_type: &'a str) -> Self {
        let mut event = Self::default();
        event.set(Field::EventType, event_type);
        event
    }

    /// Sets a single-valued keyword field; an empty text unsets it. `realm_ids` and
    /// `target_user_ids` are set by their own members and ignored here.
    pub fn set(&mut self, field: Field, value: &'a str) -> &mut Self {
        if let (Values::Single, Some(slot)) = (field.values(), self.keywords.get_mut(field.index())) {
            *slot = value;
            if value.is_empty() {
                self.set.remove(field);
            } else {
                self.set.insert(field);
            }
        }
        self
    }

    /// The single-valued fields that are set, ascending by number, with their values.
    pub(crate) fn singles(&self) -> impl Iterator<Item = (Field, &'a str)> {
        self.set.iter().filter_map(|field| Some((field, *self.keywords.get(field.index())?)))
    }

    /// The value of a single-valued keyword field.
    pub fn get(&self, field: Field) -> Option<&'a str> {
        self.keywords.get(field.index()).copied().filter(|value| !value.is_empty())
    }

    /// The values of a multiple-valued keyword field.
    pub fn values(&self, field: Field) -> Texts<'a> {
        match field {
            Field::RealmIds => self.realm_ids,
            Field::TargetUserIds => self.target_user_ids,
            _ => Texts::default(),
        }
    }

    /// Bytes of all its texts together: what [`EVENT_SIZE_MAX`](crate::EVENT_SIZE_MAX) bounds. O(fields + values).
    pub fn size_bytes(&self) -> usize {
        let lists = Field::MULTIPLE.iter().flat_map(|field| self.values(*field).iter());
        let texts = [self.message, self.content, self.payload, self.error_message, self.user_agent];
        self.singles().map(|(_, value)| value).chain(lists).chain(texts.into_iter().flatten()).map(str::len).sum()
    }
}

impl Default for Event<'_> {
    /// An event with nothing set; it needs an event type before it can be appended.
    fn default() -> Self {
        Self {
            id: None,
            created_at_us: None,
            keywords: [""; FIELD_SLOTS],
            set: FieldSet::default(),
            realm_ids: Texts::default(),
            target_user_ids: Texts::default(),
            message: None,
            content: None,
            payload: None,
            error_message: None,
            user_agent: None,
            latency_ms: None,
            expires_at_us: None,
            updated_at_us: None,
            numbers: FieldSet::default(),
            acknowledged: false,
        }
    }
}

/// What can change about an event after it was appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Somebody has taken note of it.
    pub acknowledged: bool,
}

/// An event read back from the store, owned: one buffer and a table of where each value lies.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// The place in the append order of the store, from 1.
    pub sequence: u64,
    /// The identity, given or made.
    pub id: EventId,
    /// UTC microseconds.
    pub created_at_us: i64,
    /// What changed after the append.
    pub marks: Marks,
    pub(crate) values: RecordValues,
}

/// Where the values of a record lie in a buffer, by tag in ascending order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RecordValues {
    pub(crate) bytes: Vec<u8>,
    pub(crate) spans: Vec<Span>,
}

/// One value of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) tag: u8,
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// Tags of the values that are no keyword fields; keyword fields use their number.
pub(crate) mod tag {
    pub(crate) const MESSAGE: u8 = 64;
    pub(crate) const CONTENT: u8 = 65;
    pub(crate) const PAYLOAD: u8 = 66;
    pub(crate) const ERROR_MESSAGE: u8 = 67;
    pub(crate) const USER_AGENT: u8 = 68;
    pub(crate) const LATENCY_MS: u8 = 69;
    pub(crate) const EXPIRES_AT: u8 = 70;
    pub(crate) const UPDATED_AT: u8 = 71;
    pub(crate) const NUMBERS: u8 = 72;
    /// One more than the largest tag.
    pub(crate) const END: u8 = 73;
}

impl RecordValues {
    /// Adds a value behind the last one. Tags must come in ascending order.
    pub(crate) fn push(&mut self, tag: u8, value: &[u8]) {
        debug_assert!(self.spans.last().is_none_or(|last| last.tag <= tag), "tags ascend");
        let start = crate::codec::len_u32(self.bytes.len());
        self.bytes.extend_from_slice(value);
        self.spans.push(Span { tag, start, len: crate::codec::len_u32(value.len()) });
    }

    /// The values of one tag.
    pub(crate) fn all(&self, tag: u8) -> impl Iterator<Item = &[u8]> {
        let from = self.spans.partition_point(|span| span.tag < tag);
        let spans = self.spans.get(from..).unwrap_or_default();
        spans.iter().take_while(move |span| span.tag == tag).map(|span| self.slice(*span))
    }

    /// The first value of one tag.
    pub(crate) fn first(&self, tag: u8) -> Option<&[u8]> {
        self.all(tag).next()
    }

    pub(crate) fn slice(&self, span: Span) -> &[u8] {
        let start = crate::codec::row_usize(span.start);
        let end = start + crate::codec::row_usize(span.len);
        self.bytes.get(start..end).unwrap_or_default()
    }

    fn text(&self, tag: u8) -> Option<&str> {
        self.first(tag).map(as_text)
    }

    fn integer(&self, tag: u8) -> Option<i64> {
        Some(i64::from_le_bytes(self.first(tag)?.try_into().ok()?))
    }
}

/// Values are checked to be UTF-8 when they enter; the fallback never shows.
fn as_text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("\u{fffd}")
}

impl StoredEvent {
    /// The value of a single-valued keyword field.
    pub fn get(&self, field: Field) -> Option<&str> {
        self.values.text(field.number())
    }

    /// The values of a keyword field, in the order they were given.
    pub fn values(&self, field: Field) -> impl Iterator<Item = &str> {
        self.values.all(field.number()).map(as_text)
    }

    /// The keyword values present, in the order of the fields' numbers.
    pub fn keywords(&self) -> impl Iterator<Item = (Field, &str)> {
        self.values.spans.iter().filter_map(|span| {
            let field = Field::from_number(span.tag)?;
            Some((field, as_text(self.values.slice(*span))))
        })
    }

    /// The required field.
    pub fn event_type(&self) -> &str {
        self.get(Field::EventType).unwrap_or_default()
    }

    /// The scopes it belongs to.
    pub fn realm_ids(&self) -> impl Iterator<Item = &str> {
        self.values(Field::RealmIds)
    }

    /// One line about what happened.
    pub fn message(&self) -> Option<&str> {
        self.values.text(tag::MESSAGE)
    }

    /// The longer text.
    pub fn content(&self) -> Option<&str> {
        self.values.text(tag::CONTENT)
    }

    /// The JSON object, as it was given.
    pub fn payload(&self) -> Option<&str> {
        self.values.text(tag::PAYLOAD)
    }

    /// The error's text.
    pub fn error_message(&self) -> Option<&str> {
        self.values.text(tag::ERROR_MESSAGE)
    }

    /// The caller's user agent.
    pub fn user_agent(&self) -> Option<&str> {
        self.values.text(tag::USER_AGENT)
    }

    /// How long it took, in milliseconds.
    pub fn latency_ms(&self) -> Option<f64> {
        Some(f64::from_bits(self.values.integer(tag::LATENCY_MS)?.cast_unsigned()))
    }

    /// When a notification stops being shown, UTC microseconds.
    pub fn expires_at_us(&self) -> Option<i64> {
        self.values.integer(tag::EXPIRES_AT)
    }

    /// When a notification last changed, UTC microseconds.
    pub fn updated_at_us(&self) -> Option<i64> {
        self.values.integer(tag::UPDATED_AT)
    }

    /// The fields whose value is shown as a number.
    pub fn numbers(&self) -> FieldSet {
        FieldSet::from_bits(self.values.integer(tag::NUMBERS).unwrap_or(0).cast_unsigned())
    }

    /// Bytes of its values together: what a page is measured by.
    pub fn size_bytes(&self) -> usize {
        self.values.bytes.len()
    }

    /// Whether the store made the id.
    pub fn id_is_made(&self) -> bool {
        self.id == EventId::made(self.created_at_us, self.sequence)
    }
}
