//! The body of a POST: the event's members by themselves, as the document's example has them, or within
//! `event`, as its table says.

use annals_engine::Field;
use annals_json::IncomingEvent;

use super::shape::STATUS_DEFAULT;
use crate::error::{Answer, Failure};
use crate::members::Members;

const EVENT: &str = "event";
const EVENT_TYPE: &str = "event_type";
const TIMESTAMP: &str = "timestamp";
const STATUS: &str = "status";
/// Characters of an event type.
const EVENT_TYPE_CHARS_MAX: usize = 100;

/// The event that a body describes, of that container. What the face does not know is kept in the payload.
///
/// # Errors
/// 400 naming what is wrong.
pub(super) fn event(body: &[u8], org: &str, container: &str) -> Answer<IncomingEvent<'static>> {
    let mut members = Members::parse(body)?;
    if members.raw(EVENT_TYPE).is_none()
        && let Some(inner) = members.object(EVENT)?
    {
        members = members.with(EVENT, inner);
    }
    let event_type = members.text(EVENT_TYPE)?.ok_or_else(|| Failure::invalid(EVENT_TYPE, "is required"))?;
    if event_type.trim().is_empty() {
        return Err(Failure::invalid(EVENT_TYPE, "must not be blank"));
    }
    // Upper case can be longer.
    let event_type = event_type.to_uppercase();
    if event_type.chars().count() > EVENT_TYPE_CHARS_MAX {
        let message = format!("must not have more than {EVENT_TYPE_CHARS_MAX} characters");
        return Err(Failure::invalid(EVENT_TYPE, message));
    }
    let mut event = IncomingEvent::default();
    event.created_at_us = members.time_us(TIMESTAMP)?;
    let status = members.text(STATUS)?.filter(|status| !status.is_empty());
    event
        .set(Field::EventType, event_type)
        .set(Field::Status, status.map_or_else(|| STATUS_DEFAULT.to_owned(), Into::into))
        .set(Field::OrgId, org.to_owned())
        .set(Field::ContainerId, container.to_owned())
        .set(Field::ResourceType, "container")
        .set(Field::ResourceId, container.to_owned());
    let others = members.others(&[EVENT_TYPE, TIMESTAMP, STATUS]);
    let payload = annals_json::payload_of(&others).map_err(|error| Failure::bad_body(error.message))?;
    event.payload = payload.map(Into::into);
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(body: &str) -> IncomingEvent<'static> {
        event(body.as_bytes(), "o", "c").unwrap()
    }

    #[test]
    fn members_count_wherever_they_stand() {
        let plain = made(r#"{"event_type":"Access","timestamp":"2023-11-18T12:00:00Z","status":"OK","n":1e400}"#);
        assert_eq!(plain.get(Field::EventType), Some("ACCESS"));
        assert_eq!((plain.get(Field::Status), plain.created_at_us), (Some("OK"), Some(1_700_308_800_000_000)));
        assert_eq!(plain.payload.as_deref(), Some(r#"{"n":1e400}"#));
        let wrapped = made(
            r#"{"n":2,"status":"OK","event":{"event_type":"ACCESS","timestamp":"2023-11-18T12:00:00Z","n":1e400}}"#,
        );
        assert_eq!(wrapped, plain);
        assert_eq!(made(r#"{"event_type":"A","event":5}"#).payload.as_deref(), Some(r#"{"event":5}"#));
    }

    #[test]
    fn what_may_be_left_out_may_be_null() {
        let event = made(r#"{"event_type":"A","timestamp":null,"status":null}"#);
        assert_eq!((event.created_at_us, event.get(Field::Status)), (None, Some("SUCCESS")));
        assert_eq!(event.payload, None);
    }
}
