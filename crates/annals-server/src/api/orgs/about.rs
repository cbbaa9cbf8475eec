//! What orgs' routes take and answer.

use serde_json::{Value, json};

use crate::openapi::schema::{
    boolean, bounded, count, list, named, nullable_text, object, object_with, offset, pattern, text, time, uuid,
};
use crate::openapi::{JSON, Operation, Reply};

/// A name in a path: without control characters, up to 200 bytes, which a schema can only say of characters.
fn name() -> Value {
    pattern("^[^\\x00-\\x1f\\x7f-\\x9f]{1,200}$")
}

fn paged(summary: &'static str, description: &'static str) -> Operation {
    Operation::new(summary)
        .about(description)
        .path("org_id", name(), "The organisation")
        .query("limit", bounded(1, 500, 100), "Events of the page")
        .query("offset", offset(), "Events to leave out first")
        .answers("A page of events, newest first", named("Page"))
        .refuses(&[400, 404])
}

pub(super) fn of_org() -> Operation {
    paged("Events of an organisation", "")
}

pub(super) fn by_access() -> Operation {
    paged("Accesses to containers", "Events of the organisation's containers whose type is ACCESS, in any case.")
}

pub(super) fn by_block() -> Operation {
    paged("Blocked containers", "Events of the organisation's containers whose type is BLOCK, in any case.")
}

pub(super) fn by_create() -> Operation {
    paged("Created containers", "Events of the organisation's containers whose type is CREATE, in any case.")
}

pub(super) fn by_expire() -> Operation {
    paged("Expired containers", "Events of the organisation's containers whose type is EXPIRE, in any case.")
}

pub(super) fn by_fail() -> Operation {
    paged(
        "Failed accesses to containers",
        "Events of the organisation's containers whose type is FAIL, or ACCESS with a status of fail, failed, \
         failure, denied or error, in any case.",
    )
}

pub(super) fn of_container() -> Operation {
    paged("Events of a container", "").path("container_id", name(), "The container")
}

pub(super) fn log() -> Operation {
    let event_type = json!({"type": "string", "minLength": 1, "maxLength": 100, "pattern": "\\S"});
    let nullable_time = json!({"type": ["string", "null"], "format": "date-time"});
    let members = [("event_type", event_type), ("timestamp", nullable_time), ("status", nullable_text())];
    let event = open(object_with(&members, &["event_type"]));
    let wrapped = open(object_with(&[("event", event.clone())], &["event"]));
    Operation::new("Logs an event of a container")
        .about("The event's members by themselves, or within `event`. Other members are kept.")
        .path("org_id", name(), "The organisation")
        .path("container_id", name(), "The container")
        .header("Idempotency-Key", pattern("^[!-~]{1,128}$"), "Makes a repeat harmless")
        .body(json!({"anyOf": [event, wrapped]}))
        .answers_with(Reply {
            status: 200,
            about: "It is logged",
            content: Some((JSON, object(&[("message", json!({"const": "Event logged successfully"}))]))),
            headers: vec![("X-Event-Id", "The event", uuid())],
        })
        .refuses(&[404, 409, 422])
}

/// The object with members that the schema does not name.
fn open(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("additionalProperties");
    }
    object
}

pub(super) fn schemas() -> Value {
    let pagination = object(&[("total", count()), ("limit", count()), ("offset", count()), ("has_more", boolean())]);
    json!({
        "Error": object(&[("message", text())]),
        "Event": object(&[
            ("id", uuid()),
            ("org_id", text()),
            ("container_id", nullable_text()),
            ("event_type", text()),
            ("timestamp", time()),
            ("status", text()),
        ]),
        "Page": object(&[("events", list(named("Event"))), ("pagination", pagination)]),
    })
}
