//! An event as orgs shows it.

use std::sync::Arc;

use annals_engine::{Field, StoredEvent};
use annals_json::write_text;

use crate::pages::{Extent, Shape};

/// The status of an event whose sender named none.
pub(super) const STATUS_DEFAULT: &str = "SUCCESS";

/// A page of events.
pub(super) fn page(extent: &Extent) -> Shape {
    let Extent { total, offset, limit } = extent;
    let has_more = extent.has_more();
    let tail = format!(
        "],\"pagination\":{{\"total\":{total},\"limit\":{limit},\"offset\":{offset},\"has_more\":{has_more}}}}}"
    );
    Shape { head: b"{\"events\":[".to_vec(), event: Arc::new(event), tail: tail.into_bytes(), headers: Vec::new() }
}

fn event(out: &mut Vec<u8>, event: &StoredEvent) {
    out.extend_from_slice(format!("{{\"id\":\"{}\",\"org_id\":", event.id).as_bytes());
    write_text(out, event.get(Field::OrgId).unwrap_or_default());
    out.extend_from_slice(b",\"container_id\":");
    match event.get(Field::ContainerId) {
        Some(container) => write_text(out, container),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"event_type\":");
    write_text(out, event.event_type());
    out.extend_from_slice(b",\"timestamp\":\"");
    annals_json::write_millis(out, event.created_at_us);
    out.extend_from_slice(b"\",\"status\":");
    write_text(out, event.get(Field::Status).unwrap_or(STATUS_DEFAULT));
    out.push(b'}');
}
