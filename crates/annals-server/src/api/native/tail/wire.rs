//! The lines of a stream of server-sent events.

use std::io::Write as _;
use std::ops::Range;

use annals_engine::{Change, ChangeKind, StoredEvent};
use serde_json::json;

use crate::error::Failure;

/// An event of the store.
pub(super) fn event(out: &mut Vec<u8>, event: &StoredEvent, selection: Option<&annals_json::Selection>) {
    id(out, event.sequence);
    // The native form is one line, whatever line breaks a payload came with.
    out.extend_from_slice(b"data: ");
    annals_json::write_event(out, event, selection);
    out.extend_from_slice(b"\n\n");
}

/// Everything up to this sequence was sent: a client that comes back goes on behind it. Clients take
/// note of it and show nothing.
pub(super) fn position(out: &mut Vec<u8>, sequence: u64) {
    out.extend_from_slice(b": so far\n");
    id(out, sequence);
    out.push(b'\n');
}

/// These sequences are gone from the store.
pub(super) fn gap(out: &mut Vec<u8>, gone: &Range<u64>) {
    id(out, gone.end.saturating_sub(1));
    named(out, "gap", &json!({"from": gone.start, "first": gone.end}));
}

/// A mark or a delete of an event.
pub(super) fn change(out: &mut Vec<u8>, change: &Change) {
    let (id, sequence) = (change.id.to_string(), change.sequence);
    match change.kind {
        ChangeKind::Acknowledged(acknowledged) => {
            named(out, "mark", &json!({"id": id, "sequence": sequence, "acknowledged": acknowledged}));
        }
        ChangeKind::Amended => named(out, "mark", &json!({"id": id, "sequence": sequence, "amended": true})),
        ChangeKind::Deleted => named(out, "delete", &json!({"id": id, "sequence": sequence})),
        _ => reset(out, "an event changed in a way that is not told one by one"),
    }
}

/// What the client holds may be out of date anywhere.
pub(super) fn reset(out: &mut Vec<u8>, reason: &str) {
    named(out, "reset", &json!({"reason": reason}));
}

/// Why the stream ends here.
pub(super) fn end(out: &mut Vec<u8>, failure: &Failure) {
    named(out, "end", &json!({"code": failure.code, "message": failure.message}));
}

fn id(out: &mut Vec<u8>, sequence: u64) {
    // Writing to memory does not fail.
    let _ = writeln!(out, "id: {sequence}");
}

fn named(out: &mut Vec<u8>, name: &str, data: &serde_json::Value) {
    let _ = write!(out, "event: {name}\ndata: {data}\n\n");
}
