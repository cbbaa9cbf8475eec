//! What the native routes of notifications take and answer.

use serde_json::{Value, json};

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

/// What may change after a notification was published.
fn changeable() -> Vec<(&'static str, Value)> {
    let moment = json!({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}]});
    vec![
        ("type", nullable(&one_of(&["MAINTENANCE", "ANNOUNCEMENT", "STATUS_UPDATE"]))),
        ("severity", nullable(&json!({"type": "string", "maxLength": 1024}))),
        ("is_public", nullable(&boolean())),
        ("is_global", nullable(&boolean())),
        ("target_user_ids", nullable(&texts())),
        ("expires_at", nullable(&moment)),
    ]
}

pub(in super::super) fn publish() -> Operation {
    let mut members = vec![
        ("title", json!({"type": "string", "minLength": 1, "maxLength": 8192, "pattern": "\\S"})),
        ("message", nullable(&json!({"type": "string", "maxLength": 524_288}))),
        ("realm_ids", nullable(&texts())),
        ("org_id", nullable(&json!({"type": "string", "maxLength": 1024}))),
    ];
    members.extend(changeable());
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

pub(in super::super) fn withdraw() -> Operation {
    one("Deletes a notification").answers("It is gone", object(&[("deleted", count())])).refuses(&[400, 404])
}
