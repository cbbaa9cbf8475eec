//! What the routes of legal holds take and answer.

use serde_json::{Value, json};

use super::filtered;
use crate::openapi::Operation;
use crate::openapi::schema::{any_object, count, list as list_of, object, text, time};

fn shown() -> Value {
    object(&[("name", text()), ("filter", any_object()), ("placed_at", time()), ("events", count())])
}

pub(in super::super) fn list() -> Operation {
    Operation::new("The legal holds in force, and how many events each keeps now")
        .answers("The holds", object(&[("holds", list_of(shown()))]))
        .refuses(&[400])
}

pub(in super::super) fn place() -> Operation {
    filtered(Operation::new("Keeps every event that matches, now and later, until the hold is released"))
        .about(
            "No delete, clean-up, retention policy, amendment or replacement touches an event that is held. At least \
             one filter must be given; marks are none. The same name and filters again change nothing.",
        )
        .path("name", text(), "What the hold is called")
        .answers("The hold", shown())
        .refuses(&[400, 409])
}

pub(in super::super) fn release() -> Operation {
    Operation::new("Releases a hold; nothing is deleted by it")
        .path("name", text(), "What the hold is called")
        .answers("It is released", object(&[("released", json!({"const": 1}))]))
        .refuses(&[400, 404])
}
