//! What deltafi's routes take and answer.

use serde_json::{Value, json};

use crate::openapi::Operation;
use crate::openapi::schema::{
    boolean, bounded, count, list as list_of, named, nullable_text, object, object_with, offset, one_of, pattern, text,
    time, uuid,
};

/// A text that a keyword can be.
fn short() -> Value {
    json!({"type": "string", "maxLength": 1024})
}

fn filtered(operation: Operation) -> Operation {
    operation
        .about("Newest first. Parameters that are no filter are ignored; of a repeated one the last counts.")
        .query("offset", offset(), "Events to leave out first")
        .query("size", bounded(0, 10_000, 20), "Events of the page")
        .query("acknowledged", text(), "`true` in any case is true, anything else false")
        .query("notification", text(), "`true` in any case is true, anything else false")
        .query("id", uuid(), "Events with this id")
        .query("severity", short(), "Events of this severity: error, warn, info or success")
        .query("summary", text(), "Events with exactly this summary")
        .query("content", text(), "Events with exactly this content")
        .query("source", short(), "Events of this source")
        .query("start", time(), "Events after this time, exclusive")
        .query("end", time(), "Events before this time, exclusive")
        .refuses(&[400])
}

pub(super) fn list() -> Operation {
    filtered(Operation::new("Events: filtered, paged")).answers("A page of events", list_of(named("Event")))
}

pub(super) fn list_with_count() -> Operation {
    let page = [("offset", count()), ("count", count()), ("totalCount", count()), ("events", list_of(named("Event")))];
    filtered(Operation::new("Events with how many there are")).answers("A page of events", object(&page))
}

fn one(summary: &'static str) -> Operation {
    Operation::new(summary)
        .path("id", uuid(), "The event's id")
        .answers("The event", named("Event"))
        .refuses(&[400, 404])
}

pub(super) fn get() -> Operation {
    one("One event")
}

pub(super) fn delete() -> Operation {
    one("Deletes an event and answers it")
}

pub(super) fn acknowledge() -> Operation {
    one("Marks an event as acknowledged")
}

pub(super) fn unacknowledge() -> Operation {
    one("Marks an event as not acknowledged")
}

pub(super) fn create() -> Operation {
    let nullable = |format: &str| json!({"type": ["string", "null"], "format": format});
    let summary = json!({"type": "string", "minLength": 1, "pattern": "\\S"});
    let content = json!({"type": ["string", "null"], "maxLength": 100_000});
    let flag = json!({"type": ["boolean", "null"], "default": false});
    let members = [
        ("id", nullable("uuid")),
        ("severity", text()),
        ("summary", summary),
        ("content", content),
        ("source", nullable_text()),
        ("timestamp", nullable("date-time")),
        ("notification", flag.clone()),
        ("acknowledged", flag),
    ];
    let mut body = object_with(&members, &["severity", "summary"]);
    if let Some(fields) = body.as_object_mut() {
        fields.remove("additionalProperties");
    }
    Operation::new("Creates an event, or replaces the one with its id")
        .about(
            "failure and red become error; warning and yellow warn; successful and green success, in any case; \
             other severities info. Other members are ignored.",
        )
        .header("Idempotency-Key", pattern("^[!-~]{1,128}$"), "Makes a repeat harmless")
        .body(body)
        .answers("The event as it is stored", named("Event"))
        .refuses(&[404, 409, 422])
}

pub(super) fn schemas() -> Value {
    json!({
        "Error": object(&[
            ("timestamp", time()),
            ("status", count()),
            ("error", text()),
            ("message", text()),
            ("path", text()),
        ]),
        "Event": object(&[
            ("id", uuid()),
            ("severity", one_of(&["error", "warn", "info", "success"])),
            ("summary", text()),
            ("content", nullable_text()),
            ("source", nullable_text()),
            ("timestamp", time()),
            ("notification", boolean()),
            ("acknowledged", boolean()),
        ]),
    })
}
