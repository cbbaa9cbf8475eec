//! What the native routes take and answer that a page to look at events needs besides lists and counts.

use serde_json::{Value, json};

use super::{filtered, gap};
use crate::auth::Scope;
use crate::openapi::Operation;
use crate::openapi::schema::{
    boolean, bounded, count, list, nullable_text, nullable_time, object, object_with, offset, one_of, text, time,
};

pub(in super::super) fn me() -> Operation {
    let scopes: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name()).collect();
    let members = [
        ("name", text()),
        ("kind", one_of(&["administrator", "key", "user", "proxy"])),
        ("scopes", list(one_of(&scopes))),
        ("realms", list(text())),
        ("orgs", list(text())),
        ("unlimited", boolean()),
        ("user_id", text()),
        ("expires_at", nullable_time()),
    ];
    Operation::new("Who the caller is and what it may do").answers("The caller", object(&members)).refuses(&[400])
}

pub(in super::super) fn values() -> Operation {
    let value = object(&[("value", text()), ("count", count())]);
    let members = [("field", text()), ("values", list(value)), ("more", boolean()), ("gap", gap())];
    let mut operation = filtered(Operation::new("The values of a field, most frequent first, with exact counts"))
        .query("field", json!({"type": "string", "minLength": 1}), "The field")
        .query("contains", text(), "A part of the values, any case; all of them if it is empty or absent")
        .query("limit", bounded(1, 1000, 20), "The most values")
        .answers("The values", object_with(&members, &["field", "values", "more"]))
        .refuses(&[400]);
    for parameter in operation.parameters.iter_mut().filter(|parameter| parameter.name == "field") {
        parameter.required = true;
    }
    operation
}

fn nullable(kind: &str) -> Value {
    json!({"type": [kind, "null"]})
}

fn segment() -> Value {
    object(&[
        ("id", count()),
        ("bytes", count()),
        ("events", count()),
        ("deleted", count()),
        ("created_at_min", time()),
        ("created_at_max", time()),
        ("first_sequence", count()),
        ("last_sequence", count()),
        ("sealed_at", nullable_time()),
        ("packed", nullable("boolean")),
        ("readable", boolean()),
        ("scrubbed", nullable("boolean")),
    ])
}

pub(in super::super) fn segments() -> Operation {
    let partition = object(&[
        ("start", time()),
        ("end", nullable_time()),
        ("span", nullable_text()),
        ("segments", list(segment())),
    ]);
    let log = object(&[
        ("bytes", count()),
        ("rows", count()),
        ("waiting_to_be_sealed", count()),
        ("seal_lag_ms", count()),
        ("seals", count()),
    ]);
    let compaction = object(&[("due", boolean()), ("compactions", count()), ("failure", nullable_text())]);
    let scrub = object(&[
        ("running", boolean()),
        ("started_at", nullable_time()),
        ("finished_at", nullable_time()),
        ("passes", count()),
        ("corrupt_blocks", count()),
    ]);
    let verification = object(&[
        ("at", time()),
        ("result", nullable_text()),
        ("events", nullable("integer")),
        ("damages", nullable("integer")),
    ]);
    let members = [
        ("partitions", list(partition)),
        ("total", count()),
        ("limit", count()),
        ("offset", count()),
        ("log", log),
        ("compaction", compaction),
        ("scrub", scrub),
        ("last_verification", json!({"anyOf": [verification, {"type": "null"}]})),
    ];
    Operation::new("The segments of the store by partition: room, events, age, state")
        .query("limit", bounded(1, 10_000, 1000), "The most segments of the page, counted over all partitions")
        .query("offset", offset(), "Segments to leave out first")
        .answers("A page, the oldest partition first", object(&members))
        .refuses(&[400])
}
