//! What the native routes of notifications take and answer.

use serde_json::{Value, json};

use super::super::notifications::TYPES;
use super::one;
use crate::openapi::Operation;
use crate::openapi::schema::{boolean, count, named, object, object_with, one_of};

/// The member, or null for none.
fn nullable(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

fn texts() -> Value {
    json!({"type": "array", "maxItems": 16, "items": {"type": "string", "minLength": 1, "maxLength": 1024}})
}

/// What may change after a notification was published; what it always has cannot be taken away.
fn changeable() -> Vec<(&'static str, Value)> {
    let moment = json!({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}]});
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
