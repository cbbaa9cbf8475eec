//! An event on its way in, borrowing from the request wherever the text needs no change.

use std::borrow::Cow;

use crate::EventError;
use annals_engine::{Event, EventId, Field, FieldSet, Texts, Values};

/// One slot per field's index; index 0 is unused.
const SLOTS: usize = Field::ALL.len() + 1;
const _: () = assert!(SLOTS <= 64, "the slots in use are bits of one word");

/// An event as it was sent, or as a face puts it together, before it becomes an
/// [`annals_engine::Event`].
///
/// ```
/// use annals_engine::Field;
/// let mut event = annals_json::IncomingEvent::default();
/// event.set(Field::EventType, "user.login").set_number(Field::HttpStatus, "200");
/// event.fill_in();
/// assert_eq!(event.as_event().get(Field::Severity), Some("info"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct IncomingEvent<'a> {
    /// The identity, if one was given.
    pub id: Option<EventId>,
    /// UTC microseconds; absent means the store's clock decides.
    pub created_at_us: Option<i64>,
    keywords: [Option<Cow<'a, str>>; SLOTS],
    /// A bit for each slot that holds something: most are empty, and an event is read into thousands of times.
    used: u64,
    /// The scopes it belongs to.
    pub realm_ids: Vec<Cow<'a, str>>,
    /// The users a notification is for.
    pub target_user_ids: Vec<Cow<'a, str>>,
    /// One line about what happened.
    pub message: Option<Cow<'a, str>>,
    /// A longer text.
    pub content: Option<Cow<'a, str>>,
    /// A JSON object.
    pub payload: Option<Cow<'a, str>>,
    /// The error's text.
    pub error_message: Option<Cow<'a, str>>,
    /// The caller's user agent.
    pub user_agent: Option<Cow<'a, str>>,
    /// How long it took, in milliseconds.
    pub latency_ms: Option<f64>,
    /// When a notification stops being shown, UTC microseconds.
    pub expires_at_us: Option<i64>,
    /// When a notification last changed, UTC microseconds.
    pub updated_at_us: Option<i64>,
    /// The fields whose value was a number and is shown as one.
    pub numbers: FieldSet,
    /// Whether it is marked as acknowledged as soon as it is stored.
    pub acknowledged: bool,
    pub(crate) memory: Memory<'a>,
}

/// What reading one event tells about the next, or about a second look at it. Nothing of it is the event's, so
/// any two are equal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory<'a> {
    /// A payload in which no key was seen that stands for a field: nobody needs to look again.
    pub(crate) looked_into: Option<&'a str>,
    /// By its place, what number in the table a key had in the event before: events of one sender have the same
    /// keys in the same order.
    pub(crate) key_numbers: [u8; 16],
}

impl PartialEq for Memory<'_> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Default for IncomingEvent<'_> {
    fn default() -> Self {
        Self {
            id: None,
            created_at_us: None,
            keywords: [const { None }; SLOTS],
            used: 0,
            realm_ids: Vec::new(),
            target_user_ids: Vec::new(),
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
            memory: Memory::default(),
        }
    }
}

impl<'a> IncomingEvent<'a> {
    /// Refuses an event whose `created_at` lies behind `latest_us` (UTC microseconds, inclusive): the
    /// engine would refuse its whole batch.
    ///
    /// # Errors
    /// A sentence about this event.
    pub fn check_not_after(&self, latest_us: i64) -> Result<(), EventError> {
        match self.created_at_us {
            Some(time_us) if time_us > latest_us => Err(EventError::new("created_at lies too far in the future")),
            _ => Ok(()),
        }
    }

    /// Forgets everything and keeps the lists' memory.
    pub fn clear(&mut self) {
        for index in indexes(self.used) {
            if let Some(slot) = self.keywords.get_mut(index) {
                *slot = None;
            }
        }
        self.realm_ids.clear();
        self.target_user_ids.clear();
        (self.used, self.numbers, self.acknowledged) = (0, FieldSet::default(), false);
        (self.id, self.created_at_us, self.expires_at_us, self.updated_at_us) = (None, None, None, None);
        (self.message, self.content, self.payload, self.error_message) = (None, None, None, None);
        (self.user_agent, self.latency_ms, self.memory.looked_into) = (None, None, None);
    }

    /// The value of a single-valued keyword field.
    pub fn get(&self, field: Field) -> Option<&str> {
        self.keywords.get(field.index()).and_then(Option::as_deref)
    }

    /// The same value, still borrowed from the request where it was.
    pub(crate) fn get_cow(&self, field: Field) -> Option<&Cow<'a, str>> {
        self.keywords.get(field.index()).and_then(Option::as_ref)
    }

    /// Whether a single-valued keyword field has a value.
    pub fn has(&self, field: Field) -> bool {
        self.get(field).is_some()
    }

    /// Sets a single-valued keyword field to a text; an empty one unsets it. `realm_ids` and
    /// `target_user_ids` are members of their own and ignored here.
    pub fn set(&mut self, field: Field, value: impl Into<Cow<'a, str>>) -> &mut Self {
        let value = value.into();
        self.numbers.remove(field);
        let stays = !value.is_empty() && field.values() == Values::Single;
        let bit = 1 << field.index();
        self.used = if stays { self.used | bit } else { self.used & !bit };
        if let Some(slot) = self.keywords.get_mut(field.index()) {
            *slot = stays.then_some(value);
        }
        self
    }

    /// Sets a keyword field to a number, given as its JSON text: it is found as that text and shown
    /// as a number.
    pub fn set_number(&mut self, field: Field, value: impl Into<Cow<'a, str>>) -> &mut Self {
        self.set(field, value);
        self.numbers.insert(field);
        self
    }

    /// Unsets a keyword field.
    pub fn unset(&mut self, field: Field) -> &mut Self {
        self.set(field, "")
    }

    /// Sets a field to `value` unless it has one.
    pub(crate) fn set_default(&mut self, field: Field, value: impl Into<Cow<'a, str>>) {
        if !self.has(field) {
            self.set(field, value);
        }
    }

    /// The event as the engine takes it.
    pub fn as_event(&self) -> Event<'_> {
        let mut event = Event::default();
        event.id = self.id;
        event.created_at_us = self.created_at_us;
        for index in indexes(self.used) {
            if let (Some(field), Some(Some(value))) = (Field::ALL.get(index - 1), self.keywords.get(index)) {
                event.set(*field, value);
            }
        }
        event.realm_ids = Texts::Cows(&self.realm_ids);
        event.target_user_ids = Texts::Cows(&self.target_user_ids);
        event.message = self.message.as_deref();
        event.content = self.content.as_deref();
        event.payload = self.payload.as_deref();
        event.error_message = self.error_message.as_deref();
        event.user_agent = self.user_agent.as_deref();
        event.latency_ms = self.latency_ms;
        event.expires_at_us = self.expires_at_us;
        event.updated_at_us = self.updated_at_us;
        event.numbers = self.numbers;
        event.acknowledged = self.acknowledged;
        event
    }
}

/// The places of the bits that are set, from the lowest; of index 0 there is none.
fn indexes(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let index = usize::try_from(bits.trailing_zeros()).ok().filter(|_| bits != 0)?;
        bits &= bits - 1;
        Some(index)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_reaches_the_engine() {
        let mut event = IncomingEvent::default();
        event.set(Field::EventType, "a").set_number(Field::HttpStatus, "404").set(Field::UserId, "");
        event.set(Field::RealmIds, "ignored");
        event.realm_ids.push("eu".into());
        let view = event.as_event();
        assert_eq!((view.get(Field::EventType), view.get(Field::HttpStatus)), (Some("a"), Some("404")));
        assert_eq!((view.get(Field::UserId), view.get(Field::RealmIds)), (None, None));
        assert!(view.numbers.contains(Field::HttpStatus));
        assert_eq!(view.realm_ids.get(0), Some("eu"));
        event.set(Field::HttpStatus, "gone");
        assert!(event.numbers.is_empty());
        event.clear();
        assert_eq!(event, IncomingEvent::default());
    }
}
