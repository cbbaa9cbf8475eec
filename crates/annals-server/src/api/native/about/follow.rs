//! What the tail takes and answers.

use serde_json::json;

use super::filtered;
use crate::openapi::schema::{boolean, count, text};
use crate::openapi::{Operation, Reply};

pub(in super::super) fn tail() -> Operation {
    let stream = json!({
        "type": "string",
        "description": "Server-sent events. Without a name: an event of the store, its sequence as the id. Named: \
                        gap, mark, delete, reset, end, each with a JSON object",
    });
    let content = Some(("text/event-stream", stream));
    filtered(Operation::new("Events as they are appended, in append order, without end"))
        .query("after", count(), "Goes on behind this sequence; 0 is from the beginning, without it from now on")
        .query("marks", boolean(), "Whether marks and deletes are told too")
        .query("fields", text(), "Names of the members to show, parted by commas")
        .header("Last-Event-ID", count(), "As after, and counts before it: the id of the last event seen")
        .answers_with(Reply { status: 200, about: "The stream", content, headers: Vec::new() })
        .refuses(&[400])
}
