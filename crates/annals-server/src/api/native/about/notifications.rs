//! What the native routes of notifications take and answer.

use serde_json::{Value, json};

use super::super::notifications::TYPES;
use super::one;
use crate::openapi::Operation;
use crate::openapi::schema::{
    boolean, bounded, count, list as list_of, named, object, object_with, offset, one_of, text, time,
};

/// The member, or null for none.
fn nullable(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

fn texts() -> Value {
    json!({"type": "array", "maxItems": 16, "items": {"type": "string", "minLength": 1, "maxLength": 1024}})
}

/// What may change after a notification was published; what it always has cannot be taken away.
fn changeable() -> Vec<(&'static str, Value)> {
    let moment = json!({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]});
    vec![
        ("type", one_of(&TYPES)),
        ("severity", json!({"type": "string", "minLength": 1, "maxLength": 1024})),
        ("is_public", boolean()),
        ("is_global", boolean()),
        ("target_user_ids", nullable(&texts())),
        ("expires_at", nullable(&moment)),
    ]
}

/// The same when it is published.
fn given() -> impl Iterator<Item = (&'static str, Value)> {
    changeable().into_iter().map(|(name, schema)| match name {
        "severity" => (name, nullable(&json!({"type": "string", "maxLength": 1024}))),
        "target_user_ids" | "expires_at" => (name, schema),
        _ => (name, nullable(&schema)),
    })
}

pub(in super::super) fn list() -> Operation {
    let read = json!({"type": "object", "required": ["read", "read_at"], "properties": {
        "read": boolean(), "read_at": {"type": ["string", "null"], "format": "date-time"},
    }});
    // An event and two members more: its own schema allows no others.
    let notification = json!({"allOf": [{"type": "object", "required": ["id", "sequence"]}, read]});
    let members = [
        ("notifications", list_of(notification)),
        ("total", count()),
        ("unread", count()),
        ("limit", count()),
        ("offset", count()),
    ];
    Operation::new("The caller's notifications, newest first, and which of them it has read")
        .about("What is for everybody and what is for the caller, unless it has expired; the newest 1,000.")
        .query(
            "limit",
            bounded(0, 1000, 50),
            "The most notifications of the page, which also ends at 16 MiB; 0 only counts",
        )
        .query("offset", offset(), "Notifications to leave out first")
        .answers("A page", object(&members))
        .refuses(&[400])
}

pub(in super::super) fn mark_read() -> Operation {
    let receipt =
        [("id", text()), ("sequence", count()), ("receipt_id", text()), ("read", boolean()), ("read_at", time())];
    one("Marks a notification as read by the caller; the first reading stands")
        .answers("The receipt", object(&receipt))
        .refuses(&[400, 404, 507])
}

pub(in super::super) fn mark_all_read() -> Operation {
    Operation::new("Marks all of the caller's notifications as read")
        .answers("How many had not been", object(&[("count", count())]))
        .refuses(&[400, 507])
}

pub(in super::super) fn publish() -> Operation {
    let mut members = vec![
        ("title", json!({"type": "string", "minLength": 1, "maxLength": 8192, "pattern": "\\S"})),
        ("message", nullable(&json!({"type": "string", "maxLength": 524_288}))),
        ("realm_ids", nullable(&texts())),
        ("org_id", nullable(&json!({"type": "string", "maxLength": 1024}))),
    ];
    members.extend(given());
    Operation::new("Publishes a notification")
        .about("Global unless it has targets; the answer is the event that the notification is.")
        .header(
            "Idempotency-Key",
            json!({"type": "string", "minLength": 1, "maxLength": 128}),
            "Makes a retry harmless",
        )
        .body(object_with(&members, &["title"]))
        .answers("The notification, as an event", named("Event"))
        .refuses(&[404, 409, 422])
}

pub(in super::super) fn change() -> Operation {
    let mut body = object_with(&changeable(), &[]);
    if let Some(fields) = body.as_object_mut() {
        fields.insert("minProperties".to_owned(), json!(1));
    }
    one("Changes what a notification says about itself")
        .about("What is not named stays as it is; title and message stay as published.")
        .body(body)
        .answers("The event as it is now", named("Event"))
        .refuses(&[404])
}

pub(in super::super) fn withdraw() -> Operation {
    one("Deletes a notification").answers("It is gone", object(&[("deleted", count())])).refuses(&[400, 404])
}
