//! The body of a POST.

use annals_engine::{Field, MESSAGE_SIZE_MAX};
use annals_json::{IncomingEvent, map_severity};

use super::params;
use crate::error::{Answer, Failure};
use crate::members::Members;

/// Characters, not bytes.
const CONTENT_CHARS_MAX: usize = 100_000;
/// What the types of this face's events begin with.
const TYPE_PREFIX: &str = "system.";

/// The event that a body describes. What the face does not know is ignored.
///
/// # Errors
/// 400 saying what is wrong.
pub(super) fn event(body: &[u8]) -> Answer<IncomingEvent<'_>> {
    let members = Members::parse(body)?;
    let summary = members.text("summary")?.filter(|summary| !summary.trim().is_empty());
    let (Some(summary), Some(severity)) = (summary, members.text("severity")?) else {
        return Err(Failure::bad_body("Event summary and severity are required"));
    };
    if summary.len() > MESSAGE_SIZE_MAX {
        return Err(Failure::invalid("summary", format!("must not have more than {MESSAGE_SIZE_MAX} bytes")));
    }
    let content = members.text("content")?;
    if content.as_ref().is_some_and(|content| content.chars().count() > CONTENT_CHARS_MAX) {
        return Err(Failure::bad_body(format!("Event content must not have more than {CONTENT_CHARS_MAX} characters")));
    }
    let id = match members.text("id")? {
        None => None,
        Some(text) => Some(params::uuid(&text).ok_or_else(|| Failure::invalid("id", params::UUID))?),
    };
    let mut event = IncomingEvent::default();
    event.id = id;
    event.created_at_us = members.time_us("timestamp")?;
    event.message = Some(summary);
    event.content = content;
    event.set(Field::EventType, format!("{TYPE_PREFIX}{}", map_severity(&severity))).set(Field::Severity, severity);
    if let Some(source) = members.text("source")? {
        event.set(Field::Source, source);
    }
    if members.flag("notification")?.unwrap_or(false) {
        event.set(Field::Notification, "true");
    }
    event.acknowledged = members.flag("acknowledged")?.unwrap_or(false);
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_are_mapped_and_the_word_is_kept() {
        for (word, severity, payload) in [
            ("warn", "warn", None),
            ("RED", "error", Some(r#"{"severity":"RED"}"#)),
            ("nonsense", "info", Some(r#"{"severity":"nonsense"}"#)),
            ("", "info", None),
        ] {
            let body = format!(r#"{{"severity":"{word}","summary":"s"}}"#);
            let mut event = event(body.as_bytes()).unwrap();
            event.fill_in();
            assert_eq!(event.get(Field::Severity), Some(severity), "{word}");
            assert_eq!(event.get(Field::EventType), Some(format!("system.{severity}").as_str()));
            assert_eq!(event.payload.as_deref(), payload, "{word}");
        }
    }

    #[test]
    fn content_is_measured_in_characters() {
        let body = |count: usize| format!(r#"{{"severity":"info","summary":"s","content":"{}"}}"#, "😀".repeat(count));
        assert!(event(body(100_000).as_bytes()).is_ok());
        let refused = event(body(100_001).as_bytes()).unwrap_err();
        assert_eq!(refused.message, "Event content must not have more than 100000 characters");
    }
}
