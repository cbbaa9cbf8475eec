//! What the native routes take and answer.

pub(super) mod admin;
pub(super) mod follow;
pub(super) mod holds;
pub(super) mod look;
pub(super) mod notifications;
pub(super) mod retention;

use annals_engine::Field;
use serde_json::{Map, Value, json};

use crate::openapi::schema::{
    any_object, boolean, bounded, count, counts, list as list_of, named, nullable_text, nullable_time, object,
    object_with, offset, one_of, text, time,
};
use crate::openapi::{Operation, Reply};

const SORTS: &[&str] = &["created_at", "-created_at", "event_type", "-event_type"];
const REFUSED_ID: &[u16] = &[400, 404];

/// The filters that every reading call has.
fn filtered(operation: Operation) -> Operation {
    let moment = || json!({"anyOf": [time(), {"type": "number"}]});
    let mut operation = operation
        .query("from", moment(), "From this time on, inclusive: RFC 3339, or milliseconds since 1970")
        .query("to", moment(), "Up to this time, exclusive")
        .query("q", json!({"type": "string", "minLength": 1}), "A part of the message or the content, any case")
        .query("acknowledged", boolean(), "Whether somebody has taken note of it");
    for field in Field::ALL {
        let name = if *field == Field::RealmIds { "realm_id" } else { field.name() };
        let schema = if *field == Field::Notification { boolean() } else { json!({"type": "string", "minLength": 1}) };
        let about = format!("This value; repeated: any of them. Also as not.{name} and prefix.{name}");
        operation = operation.query(name, schema, &about);
    }
    operation
}

pub(super) fn list() -> Operation {
    paged(Operation::new("Events: filtered, sorted, paged, exactly counted"))
}

pub(super) fn audit() -> Operation {
    paged(Operation::new("What was done to the store and by whom: filtered, sorted and paged as events are"))
}

/// What a degraded store leaves out; absent while nothing is.
fn gap() -> Value {
    let or_null = || json!({"type": ["integer", "null"]});
    list_of(object(&[
        ("first_sequence", count()),
        ("last_sequence", or_null()),
        ("events_max", or_null()),
        ("created_at_min", nullable_time()),
        ("created_at_max", nullable_time()),
    ]))
}

fn paged(operation: Operation) -> Operation {
    let page = [
        ("events", list_of(named("Event"))),
        ("total", json!({"type": ["integer", "null"]})),
        ("limit", count()),
        ("offset", count()),
        ("next_cursor", nullable_text()),
        ("gap", gap()),
    ];
    filtered(operation)
        .query("sort", one_of(SORTS), "-created_at if it is not given")
        .query("limit", bounded(1, 10_000, 100), "Events of the page; it also ends at 16 MiB, with a cursor")
        .query("offset", offset(), "Events to leave out first")
        .query(
            "cursor",
            json!({"type": "string", "minLength": 1}),
            "The next_cursor of an earlier page, with the same filters",
        )
        .query("total", one_of(&["exact", "none"]), "Whether to count; exact if it is not given")
        .query("fields", text(), "Names of the members to show, parted by commas")
        .answers("A page", object_with(&page, &["events", "total", "limit", "offset", "next_cursor"]))
        .refuses(&[400])
}

pub(super) fn ingest() -> Operation {
    let tally = [
        ("accepted", count()),
        ("duplicates", count()),
        ("rejected", count()),
        ("errors", list_of(object(&[("line", count()), ("error", text())]))),
    ];
    let one = named("NewEvent");
    let several = json!({"anyOf": [one, list_of(named("NewEvent"))]});
    let lines = json!({"type": "string", "description": "One event as JSON a line"});
    let body = vec![("application/x-ndjson", lines), ("application/json", several)];
    let mut operation = Operation::new("Stores events, all or nothing unless partial=true")
        .query(
            "durability",
            one_of(&["sync", "interval", "buffered"]),
            "What the answer means; never below the server's",
        )
        .query("partial", boolean(), "Whether to store the good lines of a body with bad ones")
        .header(
            "Idempotency-Key",
            json!({"type": "string", "minLength": 1, "maxLength": 128}),
            "Makes a retry harmless",
        )
        .body_of(false, body)
        .answers("What was stored", named("Tally"))
        .refuses(&[409, 415, 422]);
    operation.answers.push(Reply {
        status: 400,
        about: "Nothing was stored: bad lines, or a bad request",
        content: Some((crate::openapi::JSON, json!({"anyOf": [object(&tally), named("Error")]}))),
        headers: Vec::new(),
    });
    operation
}

pub(super) fn delete_matching() -> Operation {
    filtered(Operation::new("Deletes every event that matches; at least one filter must be given"))
        .query("dry_run", boolean(), "Only counts")
        .answers("What was deleted", object(&[("deleted", count()), ("dry_run", boolean())]))
        .refuses(&[400])
}

/// One event by any of its names.
fn one(summary: &'static str) -> Operation {
    Operation::new(summary).path("id", text(), "A UUID, 24 hex digits, or the sequence")
}

pub(super) fn get() -> Operation {
    one("One event").answers("The event", named("Event")).refuses(REFUSED_ID)
}

pub(super) fn delete() -> Operation {
    let operation = one("Deletes an event").answers("It is gone", object(&[("deleted", count())]));
    operation.refuses(REFUSED_ID).refuses(&[409])
}

pub(super) fn acknowledge() -> Operation {
    one("Takes note of an event").answers("The event as it is now", named("Event")).refuses(REFUSED_ID)
}

pub(super) fn unacknowledge() -> Operation {
    one("Takes an acknowledgement back").answers("The event as it is now", named("Event")).refuses(REFUSED_ID)
}

pub(super) fn stats() -> Operation {
    let bucket = [("time", time()), ("count", count()), ("by", counts()), ("other", count())];
    let bucket = object_with(&bucket, &["time", "count"]);
    let members = [
        ("total", count()),
        ("oldest", nullable_time()),
        ("newest", nullable_time()),
        ("by", json!({"type": "object", "additionalProperties": counts()})),
        ("histogram", list_of(bucket)),
        ("gap", gap()),
    ];
    filtered(Operation::new("Exact counts: in all, by field, over time"))
        .query("by", text(), "A field to count by; may be repeated")
        .query("limit", bounded(1, 10_000, 100), "The most values of each field")
        .query(
            "interval",
            json!({"type": "string", "pattern": "^[0-9]+[smhd]$"}),
            "Width of the histogram's buckets, such as 1h",
        )
        .query("split", text(), "A field by whose ten most frequent values each bucket is split; needs an interval")
        .answers("The counts", object_with(&members, &["total", "oldest", "newest", "by"]))
        .refuses(&[400])
}

fn status(summary: &'static str) -> Operation {
    Operation::new(summary).answers("It is", object(&[("status", text())]))
}

pub(super) fn alive() -> Operation {
    status("Whether the process answers")
}

pub(super) fn ready() -> Operation {
    status("Whether the store is recovered and writable")
}

pub(super) fn openapi() -> Operation {
    Operation::new("The OpenAPI document of a face")
        .path("document", text(), "The face's name and .json")
        .answers("The document", any_object())
        .refuses(&[404])
}

fn page(summary: &'static str) -> Operation {
    let content = Some(("text/html", text()));
    Operation::new(summary).answers_with(Reply { status: 200, about: "A page", content, headers: Vec::new() })
}

pub(super) fn start() -> Operation {
    let location = ("Location", "The page if HTML is asked for, else the documentation", text());
    let reply = Reply { status: 307, about: "It is elsewhere", content: None, headers: vec![location] };
    Operation::new("Leads to the page or the documentation").answers_with(reply)
}

pub(super) fn docs() -> Operation {
    page("The documentation of every face, to read")
}

pub(super) fn docs_of_face() -> Operation {
    page("The documentation of a face, to read").refuses(&[404])
}

/// The members of an event that are no keyword fields.
fn other_members() -> Vec<(&'static str, Value)> {
    vec![
        ("created_at", time()),
        ("message", text()),
        ("content", text()),
        ("error_message", text()),
        ("user_agent", text()),
        ("latency_ms", json!({"type": "number"})),
        ("expires_at", time()),
        ("updated_at", time()),
        ("payload", any_object()),
    ]
}

fn keyword(field: Field) -> Value {
    match field {
        Field::RealmIds | Field::TargetUserIds => list_of(text()),
        Field::Notification | Field::IsPublic | Field::IsGlobal => boolean(),
        _ => json!({"type": ["string", "number"]}),
    }
}

pub(super) fn schemas() -> Value {
    let mut shown: Vec<(&str, Value)> = vec![("id", text()), ("sequence", count()), ("acknowledged", boolean())];
    shown.extend(Field::ALL.iter().map(|field| (field.name(), keyword(*field))));
    shown.extend(other_members());
    let given: Map<String, Value> = Field::ALL
        .iter()
        .map(|field| (field.name(), keyword(*field)))
        .chain(other_members())
        .chain([("acknowledged", boolean())])
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    let error = object(&[("code", text()), ("message", text()), ("request_id", text())]);
    let tally_error = object(&[("line", count()), ("error", text())]);
    json!({
        "Error": object(&[("error", error)]),
        "Event": object_with(&shown, &[]),
        "NewEvent": {"type": "object", "properties": given, "required": ["event_type"]},
        "Tally": object(&[
            ("accepted", count()), ("duplicates", count()), ("rejected", count()), ("errors", list_of(tally_error)),
        ]),
        "Key": admin::key_schema(),
        "User": admin::user_schema(),
    })
}
