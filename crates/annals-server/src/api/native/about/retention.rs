//! What the routes of standing retention policies take and answer.

use serde_json::{Value, json};

use crate::openapi::Operation;
use crate::openapi::schema::{boolean, count, list, nullable_time, object, object_with, text, time};
use crate::retention::KEEP_DAYS_MAX;

/// The members that a policy is given with.
fn given() -> Vec<(&'static str, Value)> {
    let days = json!({"type": "integer", "minimum": 1, "maximum": KEEP_DAYS_MAX});
    let optional = || json!({"type": ["string", "null"], "minLength": 1});
    let name = json!({"type": "string", "minLength": 1});
    vec![("name", name), ("realm", optional()), ("event_type", optional()), ("keep_days", days)]
}

fn wanted() -> Value {
    list(object_with(&given(), &["name", "keep_days"]))
}

/// A policy as it is shown.
fn shown(more: &[(&'static str, Value)]) -> Value {
    let mut members = vec![
        ("name", text()),
        ("realm", text()),
        ("event_type", text()),
        ("keep_days", count()),
        ("cutoff", nullable_time()),
    ];
    members.extend_from_slice(more);
    let required: Vec<&str> = ["name", "keep_days", "cutoff"].into_iter().chain(more.iter().map(|one| one.0)).collect();
    list(object_with(&members, &required))
}

fn or_null(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

fn status() -> Value {
    let waiting = object(&[("since", time()), ("would_delete", count()), ("events", count())]);
    let last = object(&[("at", time()), ("deleted", count()), ("confirmed", boolean())]);
    let failure = object(&[("code", text()), ("message", text())]);
    object(&[
        ("policies", shown(&[])),
        ("waiting", or_null(&waiting)),
        ("last_pass", or_null(&last)),
        ("failure", or_null(&failure)),
    ])
}

pub(in super::super) fn get() -> Operation {
    Operation::new("The standing retention policies, and what became of the last pass")
        .answers("The policies", status())
        .refuses(&[400])
}

pub(in super::super) fn put() -> Operation {
    Operation::new("Replaces every standing retention policy and runs a pass")
        .about(
            "A pass that would delete more than half of the events waits. With confirm this call's own pass does not: \
             true lets it delete any number, a number at most so many. It counts for no other pass.",
        )
        .body(object_with(&[("policies", wanted()), ("confirm", json!({"anyOf": [boolean(), count()]}))], &[]))
        .answers("The policies as they are now", status())
        .refuses(&[400])
}

pub(in super::super) fn preview() -> Operation {
    let answer = [
        ("policies", shown(&[("would_delete", count())])),
        ("would_delete", count()),
        ("events", count()),
        ("needs_confirmation", boolean()),
    ];
    Operation::new("What retention policies would delete now; the ones in force if none are given")
        .body_of(false, vec![(crate::openapi::JSON, object_with(&[("policies", wanted())], &[]))])
        .answers("How many events of each", object(&answer))
        .refuses(&[400])
}
