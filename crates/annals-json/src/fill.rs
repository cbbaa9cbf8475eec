//! What an event gets that its sender left out: one set of rules for every way in.

use std::borrow::Cow;

use annals_engine::Field;

use crate::incoming::IncomingEvent;
use crate::payload;

mod lookup;

pub(crate) use lookup::may_be_id_key;

/// Whether a status says that something failed: fail, failed, failure, denied or error, in any case.
pub fn is_failure_word(status: &str) -> bool {
    ["fail", "failed", "failure", "denied", "error"].iter().any(|word| status.eq_ignore_ascii_case(word))
}

/// The one of error, warn, info and success that a severity word stands for, in any case.
///
/// ```
/// assert_eq!(annals_json::map_severity("Yellow"), "warn");
/// assert_eq!(annals_json::map_severity("whatever"), "info");
/// ```
pub fn map_severity(word: &str) -> &'static str {
    const WORDS: [(&str, &str); 10] = [
        ("info", "info"),
        ("error", "error"),
        ("warn", "warn"),
        ("success", "success"),
        ("warning", "warn"),
        ("failure", "error"),
        ("successful", "success"),
        ("red", "error"),
        ("yellow", "warn"),
        ("green", "success"),
    ];
    WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map_or("info", |(_, severity)| severity)
}

impl IncomingEvent<'_> {
    /// Fills in what was left out, so that a filter finds what the output shows: group, severity,
    /// status, resource type, the ids a payload carries, the message. Doing it twice changes nothing.
    pub fn fill_in(&mut self) {
        let is_notification = self.get(Field::Notification) == Some("true");
        if is_notification {
            self.set_default(Field::EventType, "notification.created");
            self.set_default(Field::NotificationType, "ANNOUNCEMENT");
        }
        self.fill_message();
        self.fill_group();
        self.fill_severity_and_status();
        self.fill_from_payload();
        self.set_default(Field::ResourceType, if is_notification { "notification" } else { "system" });
    }

    /// Runs before the resource type is filled in: only what was given is named.
    fn fill_message(&mut self) {
        if self.message.is_some() || !self.has(Field::EventType) {
            return;
        }
        let parts = [Field::EventType, Field::ResourceType, Field::ResourceId].map(|field| self.get(field));
        let mut message = String::with_capacity(parts.iter().flatten().map(|part| part.len() + 1).sum());
        for part in parts.into_iter().flatten() {
            if !message.is_empty() {
                message.push(' ');
            }
            message.push_str(part);
        }
        if !message.is_empty() {
            self.message = Some(message.into());
        }
    }

    fn fill_group(&mut self) {
        if self.has(Field::EventGroup) {
            return;
        }
        let group = match self.get_cow(Field::EventType) {
            None => return,
            Some(Cow::Borrowed(event_type)) => lower(group_of(event_type)),
            Some(Cow::Owned(event_type)) => lower(group_of(event_type)).into_owned().into(),
        };
        self.set(Field::EventGroup, group);
    }

    fn fill_severity_and_status(&mut self) {
        if let Some(word) = self.get(Field::Severity) {
            let severity = map_severity(word);
            if word != severity {
                self.keep_severity_word();
                self.set(Field::Severity, severity);
            }
        } else {
            let failed = self.get(Field::Status).is_some_and(is_failure_word)
                || self.get(Field::EventType).is_some_and(|event_type| event_type.eq_ignore_ascii_case("fail"));
            self.set(Field::Severity, if failed { "error" } else { "info" });
        }
        let status = if self.get(Field::Severity) == Some("error") { "failure" } else { "success" };
        self.set_default(Field::Status, status);
    }

    /// The sender's own word goes into the payload, unless that says something about it already.
    fn keep_severity_word(&mut self) {
        let Some(word) = self.get(Field::Severity) else { return };
        let mut raw = Vec::with_capacity(word.len() + 2);
        if self.numbers.contains(Field::Severity) {
            raw.extend_from_slice(word.as_bytes());
        } else {
            crate::write::write_text(&mut raw, word);
        }
        let merged = std::str::from_utf8(&raw)
            .ok()
            .and_then(|raw| payload::merge(self.payload.as_deref(), &[("severity".into(), raw)]));
        if let Some(merged) = merged {
            self.payload = Some(merged.into());
        }
    }

    fn fill_from_payload(&mut self) {
        if self.get(Field::ResourceType) == Some("container")
            && !self.has(Field::ContainerId)
            && let Some(id) = self.get_cow(Field::ResourceId).cloned()
        {
            let is_number = self.numbers.contains(Field::ResourceId);
            _ = if is_number { self.set_number(Field::ContainerId, id) } else { self.set(Field::ContainerId, id) };
        }
        let found = match &self.payload {
            None => return,
            Some(Cow::Borrowed(payload))
                if self.memory.looked_into.is_some_and(|looked| std::ptr::eq(looked, *payload)) =>
            {
                return;
            }
            Some(Cow::Borrowed(payload)) => lookup::find(payload, |field| !self.has(field)),
            Some(Cow::Owned(payload)) => lookup::find(payload, |field| !self.has(field)).map(lookup::Found::into_owned),
        };
        for (field, value) in found.into_iter().flat_map(lookup::Found::into_values) {
            let usable = value.text.len() <= field.value_size_max();
            match (self.has(field) || !usable, value.is_number) {
                (true, _) => {}
                (false, true) => _ = self.set_number(field, value.text),
                (false, false) => _ = self.set(field, value.text),
            }
        }
    }
}

/// The event type up to its first `.` or `_`; all of it if there is nothing before that.
fn group_of(event_type: &str) -> &str {
    let end = event_type.bytes().position(|byte| matches!(byte, b'.' | b'_'));
    end.filter(|end| *end > 0).and_then(|end| event_type.get(..end)).unwrap_or(event_type)
}

fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

#[cfg(test)]
mod tests;
