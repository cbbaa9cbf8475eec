//! What waldur's routes take and answer.

use serde_json::{Value, json};

use crate::openapi::schema::{
    any_object, count as counted, list as list_of, named, object, object_with, text, time, uuid,
};
use crate::openapi::{JSON, Operation, Reply};

/// Where nothing but a text without NUL is refused.
const PLAIN: &str = "^[^\\u0000]*$";
/// `scope`.
const URL: &str = "^(https?://[^/?#\\u0000]+)?(/[^/?#\\u0000]+){2,}/?$";
const HEX32: &str = "^[0-9a-fA-F]{32}$";

fn plain() -> Value {
    json!({"type": "string", "pattern": PLAIN})
}

/// A value, or nothing: an empty parameter counts as not given.
fn or_empty(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"type": "string", "maxLength": 0}]})
}

fn any_uuid() -> Value {
    or_empty(&json!({"type": "string", "format": "uuid"}))
}

/// The filters of lists, counts and statistics.
fn filtered(operation: Operation) -> Operation {
    let number = || or_empty(&json!({"type": "number"}));
    operation
        .query("created_from", number(), "From this Unix second on; decimals are cut")
        .query("created_to", number(), "Before this Unix second; decimals are cut")
        .query("message", plain(), "A part of the message, any case; at most 1,024 bytes, like every text here")
        .query("customer_uuid", any_uuid(), "Events of this customer")
        .query("project_uuid", any_uuid(), "Events of this project")
        .query("user_uuid", any_uuid(), "What this user did")
        .query("related_user_uuid", any_uuid(), "What this user did, or what was done to it")
        .query("event_type", list_of(plain()), "Any of these types, at most 100")
        .query("feature", list_of(plain()), "Any of the types of these groups, at most 100")
        .query("exclude_features", list_of(plain()), "None of the types of these groups, at most 100")
        .query("scope", or_empty(&json!({"type": "string", "pattern": URL})), "Events of the thing with this URL")
        .query("auth_method", plain(), "How the user proved who it is")
        .query("pat_uuid", plain(), "The personal access token used")
}

fn paged(operation: Operation) -> Operation {
    let page = json!({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "enum": ["last", ""]}]});
    operation.query("page", page, "The page, from 1, or last").query(
        "page_size",
        text(),
        "Entries of a page: 10 if it is not given or no positive number, never more than 300",
    )
}

fn members(operation: Operation) -> Operation {
    operation.query("field", list_of(text()), "Shows only these members; unknown ones are ignored")
}

fn result_count() -> (&'static str, &'static str, Value) {
    ("X-Result-Count", "How many entries there are in all", counted())
}

fn link() -> (&'static str, &'static str, Value) {
    ("Link", "The URLs of the first, previous, next and last page", text())
}

fn answer(operation: Operation, about: &'static str, schema: Value) -> Operation {
    let reply = Reply { status: 200, about, content: Some((JSON, schema)), headers: vec![result_count()] };
    operation.answers_with(reply).refuses(&[400]).with_head()
}

fn page(operation: Operation, about: &'static str, schema: Value) -> Operation {
    let reply = Reply { status: 200, about, content: Some((JSON, schema)), headers: vec![result_count(), link()] };
    paged(operation).answers_with(reply).refuses(&[400, 404]).with_head()
}

pub(super) fn list() -> Operation {
    let order = list_of(json!({"type": "string", "enum": ["created", "-created", ""]}));
    let operation = Operation::new("Events: filtered, sorted, paged");
    let operation = members(filtered(operation)).query("o", order, "-created if it is not given; the last one counts");
    page(operation, "A page of events", list_of(named("Event")))
}

pub(super) fn retrieve() -> Operation {
    let id = json!({"anyOf": [{"type": "integer", "minimum": 1}, uuid(), {"type": "string", "pattern": HEX32}]});
    members(Operation::new("One event"))
        .path("id", id, "The event's number in the order in which events were stored, or its UUID")
        .answers("The event", named("Event"))
        .refuses(&[400, 404])
        .with_head()
}

pub(super) fn count() -> Operation {
    let operation = filtered(Operation::new("How many events match"));
    answer(operation, "The count", object(&[("count", counted())]))
}

pub(super) fn event_groups() -> Operation {
    let operation = Operation::new("Event groups with their event types, for feature and exclude_features");
    let groups = json!({"type": "object", "additionalProperties": list_of(text())});
    answer(operation, "The groups", groups)
}

pub(super) fn scope_types() -> Operation {
    let operation = Operation::new("The kinds of things that events are about");
    answer(operation, "Their names", list_of(text()))
}

pub(super) fn stats() -> Operation {
    let number = |max: u16| json!({"type": "integer", "minimum": 1, "maximum": max});
    let month =
        object(&[("year", number(9999)), ("month", number(12)), ("count", json!({"type": "integer", "minimum": 1}))]);
    page(filtered(Operation::new("Events by month, newest first")), "A page of months", list_of(month))
}

pub(super) fn schemas() -> Value {
    let event = [
        ("uuid", json!({"type": "string", "pattern": "^[0-9a-f]{32}$"})),
        ("created", time()),
        ("event_type", json!({"type": "string", "minLength": 1})),
        ("message", text()),
        ("context", any_object()),
    ];
    let messages = json!({"type": "array", "items": text(), "minItems": 1});
    json!({
        "Error": {"anyOf": [
            object(&[("detail", text())]),
            {"type": "object", "additionalProperties": messages, "minProperties": 1},
        ]},
        // Members are left out when `field` asks for others.
        "Event": object_with(&event, &[]),
    })
}
