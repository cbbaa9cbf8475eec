//! A notification as hoody shows it.

use annals_engine::{Field, StoredEvent};
use annals_json::write_text;

/// What is said of a notification's type and severity when the event says nothing or another face's word.
const TYPE_DEFAULT: &str = "ANNOUNCEMENT";
const TYPES: [&str; 3] = [TYPE_DEFAULT, "MAINTENANCE", "STATUS_UPDATE"];
const SEVERITY_DEFAULT: &str = "INFO";
const SEVERITIES: [(&str, &str); 4] =
    [("info", SEVERITY_DEFAULT), ("warn", "WARNING"), ("error", "ERROR"), ("success", "SUCCESS")];

/// What the caller has done with a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Unread,
    /// Since when, UTC microseconds.
    Read(i64),
}

/// Appends a notification; without a reading as everybody sees it.
pub(super) fn write(out: &mut Vec<u8>, event: &StoredEvent, reading: Option<Reading>) {
    let title = event.message().unwrap_or(event.event_type());
    text(out, b"{\"id\":", &annals_query::hoody_id(event));
    text(out, b",\"title\":", title);
    text(out, b",\"message\":", event.content().unwrap_or(title));
    text(out, b",\"type\":", shown_type(event));
    text(out, b",\"severity\":", shown_severity(event));
    flag(out, b",\"is_public\":", event.get(Field::IsPublic) == Some("true"));
    flag(out, b",\"is_global\":", annals_query::is_global(event));
    targets(out, event);
    time(out, b",\"expires_at\":", event.expires_at_us());
    time(out, b",\"created_at\":", Some(event.created_at_us));
    time(out, b",\"updated_at\":", Some(event.updated_at_us().unwrap_or(event.created_at_us)));
    match reading {
        None => {}
        Some(Reading::Unread) => out.extend_from_slice(b",\"is_read\":false,\"read_at\":null"),
        Some(Reading::Read(at_us)) => time(out, b",\"is_read\":true,\"read_at\":", Some(at_us)),
    }
    out.push(b'}');
}

/// The vendor's clients know three types; what another face calls it is an announcement to them.
fn shown_type(event: &StoredEvent) -> &'static str {
    let said = event.get(Field::NotificationType).unwrap_or_default();
    TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(said)).unwrap_or(TYPE_DEFAULT)
}

fn shown_severity(event: &StoredEvent) -> &'static str {
    let own = event.get(Field::Severity).unwrap_or_default();
    SEVERITIES.into_iter().find(|(held, _)| *held == own).map_or(SEVERITY_DEFAULT, |(_, shown)| shown)
}

fn text(out: &mut Vec<u8>, name: &[u8], value: &str) {
    out.extend_from_slice(name);
    write_text(out, value);
}

fn flag(out: &mut Vec<u8>, name: &[u8], value: bool) {
    out.extend_from_slice(name);
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn time(out: &mut Vec<u8>, name: &[u8], time_us: Option<i64>) {
    out.extend_from_slice(name);
    match time_us {
        None => out.extend_from_slice(b"null"),
        Some(time_us) => {
            out.push(b'"');
            annals_json::write_millis(out, time_us);
            out.push(b'"');
        }
    }
}

fn targets(out: &mut Vec<u8>, event: &StoredEvent) {
    out.extend_from_slice(b",\"target_user_ids\":");
    let mut user_ids = annals_query::target_user_ids(event).peekable();
    if user_ids.peek().is_none() {
        out.extend_from_slice(b"null");
        return;
    }
    let mut opening = b'[';
    for user_id in user_ids {
        out.push(opening);
        write_text(out, user_id);
        opening = b',';
    }
    out.push(b']');
}
