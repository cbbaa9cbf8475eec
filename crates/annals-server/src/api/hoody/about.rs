//! What hoody's routes take and answer.

use serde_json::{Value, json};

use crate::openapi::Operation;
use crate::openapi::schema::{
    any_object, boolean, bounded, count, counts, list as list_of, named, nullable_time, object, object_with, offset,
    one_of, pattern, text, time,
};

const HEX24: &str = "^[0-9a-fA-F]{24}$";

fn envelope(data: Value) -> Value {
    object(&[("statusCode", json!({"const": 200})), ("message", text()), ("data", data)])
}

fn period(operation: Operation) -> Operation {
    operation
        .query("start_date", time(), "From this time on, inclusive")
        .query("end_date", time(), "Up to this time, inclusive")
        .query("realm_id", text(), "Events of this realm")
}

pub(super) fn list() -> Operation {
    let operation = Operation::new("Event history: filtered, sorted, paged")
        .query("limit", bounded(1, 500, 100), "Events of the page")
        .query("offset", offset(), "Events to leave out first")
        .query("sort_by", one_of(&["created_at", "event_type"]), "created_at if it is not given")
        .query("sort_order", one_of(&["asc", "desc"]), "desc if it is not given")
        .query("event_type", text(), "Events of this type")
        .query("resource_type", text(), "Events of this kind of resource")
        .query("resource_id", text(), "Events of this resource")
        .query("project_id", text(), "Events of this project")
        .query("container_id", text(), "Events of this container");
    let pagination = object(&[("total", count()), ("limit", count()), ("offset", count()), ("has_more", boolean())]);
    let data = object(&[("events", list_of(named("Event"))), ("pagination", pagination)]);
    period(operation).answers("A page of events", envelope(data)).refuses(&[400])
}

pub(super) fn get() -> Operation {
    Operation::new("One event")
        .path("id", pattern(HEX24), "The event's id")
        .answers("The event", envelope(named("Event")))
        .refuses(&[400, 404])
}

pub(super) fn stats() -> Operation {
    let data = object(&[
        ("total_events", count()),
        ("by_type", counts()),
        ("by_resource", counts()),
        ("oldest_event", nullable_time()),
        ("newest_event", nullable_time()),
    ]);
    period(Operation::new("Exact counts by type and resource type"))
        .answers("The statistics", envelope(data))
        .refuses(&[400])
}

pub(super) fn cleanup() -> Operation {
    let data = object(&[("deleted_count", count()), ("retention_days", count()), ("cutoff_date", time())]);
    let days = json!({"type": "integer", "minimum": 1, "maximum": 365});
    Operation::new("Deletes events older than so many days")
        .body(object(&[("retention_days", days)]))
        .answers("What was deleted", envelope(data))
}

pub(super) fn bulk_delete() -> Operation {
    let filters = [
        ("event_type", text()),
        ("resource_type", text()),
        ("resource_id", text()),
        ("before_date", time()),
        ("realm_id", text()),
    ];
    let mut body = object_with(&filters, &[]);
    if let Some(fields) = body.as_object_mut() {
        fields.insert("minProperties".to_owned(), json!(1));
    }
    Operation::new("Deletes every event that matches all filters")
        .body(body)
        .answers("What was deleted", envelope(object(&[("deleted_count", count())])))
}

pub(super) fn delete() -> Operation {
    Operation::new("Deletes one event")
        .path("id", pattern(HEX24), "The event's id")
        .answers("It is gone", envelope(json!({"type": "null"})))
        .refuses(&[400, 404])
}

pub(super) fn notifications() -> Operation {
    Operation::new("The caller's notifications, newest first")
        .about("Global ones and those targeted at the caller, unless they have expired.")
        .answers("The notifications", envelope(list_of(named("Notification"))))
}

pub(super) fn public_notifications() -> Operation {
    Operation::new("The public notifications, newest first")
        .about("Those of every tenant that were published for everybody, unless they have expired.")
        .answers("The notifications", envelope(list_of(named("PublicNotification"))))
}

pub(super) fn mark_read() -> Operation {
    let data = object(&[
        ("id", pattern(HEX24)),
        ("notification_id", pattern(HEX24)),
        ("is_read", json!({"const": true})),
        ("read_at", time()),
    ]);
    Operation::new("Marks a notification as read for the caller")
        .about("Marking it again answers the same receipt.")
        .path("id", pattern(HEX24), "The notification's id")
        .answers("The receipt", envelope(data))
        .refuses(&[400, 404])
}

pub(super) fn mark_all_read() -> Operation {
    Operation::new("Marks every notification of the caller's list as read")
        .answers("How many were not read before", envelope(object(&[("count", count())])))
        .refuses(&[400])
}

/// What a notification shows: to everybody, and to a caller.
fn notification_schemas() -> (Value, Value) {
    let user_ids = json!({"type": ["array", "null"], "items": text()});
    let mut members = vec![
        ("id", pattern(HEX24)),
        ("title", text()),
        ("message", text()),
        ("type", one_of(&["MAINTENANCE", "ANNOUNCEMENT", "STATUS_UPDATE"])),
        ("severity", one_of(&["INFO", "WARNING", "ERROR", "SUCCESS"])),
        ("is_public", boolean()),
        ("is_global", boolean()),
        ("target_user_ids", user_ids),
        ("expires_at", nullable_time()),
        ("created_at", time()),
        ("updated_at", time()),
    ];
    let public = object(&members);
    members.extend([("is_read", boolean()), ("read_at", nullable_time())]);
    (public, object(&members))
}

pub(super) fn schemas() -> Value {
    let (public_notification, notification) = notification_schemas();
    let detail = object(&[("instancePath", text()), ("message", text())]);
    let error = [("statusCode", count()), ("error", text()), ("message", text()), ("data", list_of(detail))];
    json!({
        "Error": object_with(&error, &["statusCode", "error", "message"]),
        "Event": object(&[
            ("id", pattern(HEX24)),
            ("event_type", text()),
            ("resource_type", text()),
            ("resource_id", text()),
            ("user_id", text()),
            ("payload", any_object()),
            ("realm_ids", list_of(text())),
            ("created_at", time()),
        ]),
        "Notification": notification,
        "PublicNotification": public_notification,
    })
}
