//! An event as hoody shows it.

use std::sync::Arc;

use annals_engine::{Field, StoredEvent};
use annals_json::write_text;

use crate::pages::{Extent, Shape};

/// The start of a successful answer, up to its data.
pub(super) fn envelope_head(message: &str) -> Vec<u8> {
    let mut out = b"{\"statusCode\":200,\"message\":".to_vec();
    write_text(&mut out, message);
    out.extend_from_slice(b",\"data\":");
    out
}

/// A page of events.
pub(super) fn page(extent: &Extent) -> Shape {
    let mut head = envelope_head("Events retrieved successfully");
    head.extend_from_slice(b"{\"events\":[");
    let Extent { total, offset, limit } = extent;
    let has_more = extent.has_more();
    let tail = format!(
        "],\"pagination\":{{\"total\":{total},\"limit\":{limit},\"offset\":{offset},\"has_more\":{has_more}}}}}}}"
    );
    Shape { head, event: Arc::new(event), tail: tail.into_bytes(), headers: Vec::new() }
}

/// A time with three decimals.
pub(super) fn time(time_us: i64) -> String {
    let mut text = Vec::new();
    annals_json::write_millis(&mut text, time_us);
    String::from_utf8_lossy(&text).into_owned()
}

/// Appends an event. None of its members is ever absent or null: the vendor's types say so.
pub(super) fn event(out: &mut Vec<u8>, event: &StoredEvent) {
    let mut text = |name: &str, value: &str| {
        out.extend_from_slice(name.as_bytes());
        write_text(out, value);
    };
    text("{\"id\":", &annals_query::hoody_id(event));
    text(",\"event_type\":", event.get(Field::EventType).unwrap_or_default());
    text(",\"resource_type\":", event.get(Field::ResourceType).unwrap_or(super::NO_RESOURCE));
    text(",\"resource_id\":", event.get(Field::ResourceId).unwrap_or_default());
    text(",\"user_id\":", event.get(Field::UserId).unwrap_or_default());
    out.extend_from_slice(b",\"payload\":");
    out.extend_from_slice(event.payload().unwrap_or("{}").as_bytes());
    out.extend_from_slice(b",\"realm_ids\":[");
    for (index, realm) in event.realm_ids().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(out, realm);
    }
    out.extend_from_slice(b"],\"created_at\":\"");
    annals_json::write_millis(out, event.created_at_us);
    out.extend_from_slice(b"\"}");
}
