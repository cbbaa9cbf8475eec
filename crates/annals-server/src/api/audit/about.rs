//! What the audit routes take and answer.

use serde_json::{Value, json};

use super::params::{FILTERS, LIMIT_DEFAULT, LIMIT_MAX};
use crate::openapi::Operation;
use crate::openapi::schema::{
    any_object, bounded, count, list as list_of, named, nullable_text, object, object_with, text, time, uuid,
};

pub(super) fn list() -> Operation {
    let mut operation = Operation::new("Audit events, newest first");
    for (name, _) in FILTERS {
        let number = json!({"type": "integer"});
        let schema = if *name == "user_id" { number } else { text() };
        operation = operation.query(name, schema, "Events with exactly this value");
    }
    operation
        .query(
            "cursor",
            json!({"type": "string", "minLength": 1}),
            "The next_cursor of an earlier page, with the same filters",
        )
        .query("limit", bounded(1, LIMIT_MAX.into(), LIMIT_DEFAULT.into()), "Events of the page")
        .answers("A page", object(&[("items", list_of(named("AuditEvent"))), ("next_cursor", nullable_text())]))
        .refuses(&[422])
}

pub(super) fn get() -> Operation {
    Operation::new("One audit event")
        .path("id", text(), "The event's id, a UUID")
        .answers("The event", named("AuditEvent"))
        .refuses(&[404, 422])
}

pub(super) fn catalog() -> Operation {
    let groups = json!({"type": "object", "additionalProperties": list_of(text())});
    Operation::new("The types of events there are, by group")
        .answers("Groups and their types", object(&[("catalog", groups)]))
        .refuses(&[422])
}

pub(super) fn token() -> Operation {
    let form = [
        ("username", text()),
        ("password", json!({"type": "string", "format": "password"})),
        ("grant_type", json!({"type": "string", "pattern": "^password$"})),
        ("scope", json!({"type": "string", "description": "Scopes parted by blanks; all of the user's if empty"})),
        ("client_id", text()),
        ("client_secret", text()),
    ];
    let answer = [("access_token", text()), ("token_type", json!({"const": "bearer"})), ("expires_in", count())];
    let form = object_with(&form, &["username", "password"]);
    Operation::new("A bearer token for a password, good for an hour")
        .about("The password grant of OAuth 2. The token ends with its user at once.")
        .body_of(true, vec![("application/x-www-form-urlencoded", form)])
        .answers("The token", object(&answer))
        .refuses(&[400, 401, 422, 429])
}

pub(super) fn schemas() -> Value {
    let nullable_integer = || json!({"type": ["integer", "null"]});
    let event = [
        ("id", uuid()),
        ("created_at", time()),
        ("user_id", nullable_integer()),
        ("actor_type", text()),
        ("actor_id", nullable_text()),
        ("source", text()),
        ("event_group", text()),
        ("event_type", text()),
        ("status", text()),
        ("resource_type", nullable_text()),
        ("resource_id", nullable_text()),
        ("session_id", nullable_text()),
        ("vm_id", nullable_text()),
        ("task_id", nullable_integer()),
        ("request_id", nullable_text()),
        ("correlation_id", nullable_text()),
        ("http_method", nullable_text()),
        ("path", nullable_text()),
        ("http_status", nullable_integer()),
        ("latency_ms", json!({"type": ["number", "null"]})),
        ("ip_address", nullable_text()),
        ("user_agent", nullable_text()),
        ("node_ip", nullable_text()),
        ("worker_id", nullable_text()),
        ("event_payload", json!({"anyOf": [any_object(), {"type": "null"}]})),
        ("error_message", nullable_text()),
    ];
    let place = json!({"anyOf": [text(), {"type": "integer"}]});
    let wrong =
        [("type", text()), ("loc", list_of(place)), ("msg", text()), ("input", json!({})), ("ctx", any_object())];
    let wrong = object_with(&wrong, &["type", "loc", "msg"]);
    json!({
        "Error": object(&[("detail", json!({"anyOf": [text(), list_of(wrong)]}))]),
        "AuditEvent": object(&event),
    })
}
