//! An event as deltafi shows it.

use std::sync::Arc;

use annals_engine::{Field, StoredEvent};
use annals_json::{write_iso, write_micros, write_millis, write_text};

use crate::pages::{Extent, Shape};

const US_PER_MS: i64 = 1000;
const US_PER_S: i64 = 1_000_000;

/// A bare array of events.
pub(super) fn list() -> Shape {
    Shape { head: b"[".to_vec(), event: Arc::new(event), tail: b"]".to_vec(), headers: Vec::new() }
}

/// Events with where they lie in all that match.
pub(super) fn list_with_count(extent: &Extent) -> Shape {
    let (offset, count, total) = (extent.offset.min(extent.total), extent.count(), extent.total);
    let head = format!("{{\"offset\":{offset},\"count\":{count},\"totalCount\":{total},\"events\":[");
    Shape { head: head.into_bytes(), event: Arc::new(event), tail: b"]}".to_vec(), headers: Vec::new() }
}

/// A time with milliseconds.
pub(super) fn time(time_us: i64) -> String {
    let mut text = Vec::new();
    write_millis(&mut text, time_us);
    String::from_utf8_lossy(&text).into_owned()
}

/// Appends an event. Absent texts are null, as the vendor writes them.
pub(super) fn event(out: &mut Vec<u8>, event: &StoredEvent) {
    out.extend_from_slice(format!("{{\"id\":\"{}\",\"severity\":", event.id).as_bytes());
    write_text(out, event.get(Field::Severity).unwrap_or("info"));
    out.extend_from_slice(b",\"summary\":");
    write_text(out, event.message().unwrap_or_default());
    for (name, text) in [(",\"content\":", event.content()), (",\"source\":", event.get(Field::Source))] {
        out.extend_from_slice(name.as_bytes());
        match text {
            Some(text) => write_text(out, text),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.extend_from_slice(b",\"timestamp\":\"");
    write_shortest(out, event.created_at_us);
    let notification = event.get(Field::Notification) == Some("true");
    let acknowledged = event.marks.acknowledged;
    out.extend_from_slice(format!("\",\"notification\":{notification},\"acknowledged\":{acknowledged}}}").as_bytes());
}

/// Appends a time with no decimals, three or six, whatever it needs.
fn write_shortest(out: &mut Vec<u8>, time_us: i64) {
    let write = match time_us {
        whole if whole % US_PER_S == 0 => write_iso,
        millis if millis % US_PER_MS == 0 => write_millis,
        _ => write_micros,
    };
    write(out, time_us);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_the_decimals_it_needs() {
        for (time_us, text) in [
            (1_701_424_800_000_000, "2023-12-01T10:00:00Z"),
            (1_701_424_800_120_000, "2023-12-01T10:00:00.120Z"),
            (1_701_424_800_120_400, "2023-12-01T10:00:00.120400Z"),
        ] {
            let mut out = Vec::new();
            write_shortest(&mut out, time_us);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
