//! `GET /annals/v1/tail`: events as they are appended, as server-sent events.

use std::sync::Arc;

use annals_query::Query;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use tokio::sync::mpsc;

use self::stream::{Asked, Stream};
use super::query::{filters, flag};
use crate::body::{OwnPlace, Sent};
use crate::error::{Answer, Failure};
use crate::params::whole;
use crate::request::Request;

mod stream;
mod wire;

const AFTER: &str = "after";
const FIELDS: &str = "fields";
const MARKS: &str = "marks";
const LAST_EVENT_ID: &str = "last-event-id";
/// The most events of one step.
const STEP_EVENTS_MAX: u32 = 1_000;
/// Bytes after which a step ends. A client that takes nothing holds about three of them in memory.
const STEP_SIZE_BYTES_MAX: u64 = 256 << 10;

/// `GET /annals/v1/tail`
#[expect(clippy::unused_async, reason = "handlers are async")]
pub(crate) async fn tail(request: Request) -> Answer {
    let (params, state) = (&request.params, &request.state);
    let filter = filters(params, &[AFTER, FIELDS, MARKS], &state.limits())?.filter;
    let selection = match params.last(FIELDS) {
        None => None,
        Some(list) => Some(
            annals_json::Selection::parse(list)
                .map_err(|error| Failure::invalid(FIELDS, format!("is wrong: {error}")))?,
        ),
    };
    let with_marks = params.last(MARKS).map_or(Ok(false), |value| flag(MARKS, value))?;
    let after = after(&request)?;
    let place = state.tail_place(&request.caller.key_id)?;
    // ORDER: both listen before the store is looked at, so that nothing falls in between.
    let news = state.hub().listen(state.engine()).map_err(|error| Failure::internal(&error))?;
    let changes = with_marks.then(|| state.engine().follow_changes());
    let visible = state.engine().visible_sequence();
    let query =
        Query::new(&request.caller.tenant).filter(filter).limit(STEP_EVENTS_MAX).size_max_bytes(STEP_SIZE_BYTES_MAX);
    let (sender, receiver) = mpsc::channel(1);
    let mut start = Vec::new();
    // A sequence that the store does not have yet is another store's, or was lost with the power.
    let foreign = after.is_some_and(|after| after > visible);
    let position = after.filter(|_| !foreign).unwrap_or(visible);
    if foreign {
        wire::reset(&mut start, "the store does not have that many events");
    } else if after.is_some() && with_marks {
        wire::reset(&mut start, "marks and deletes before this connection are not known");
    }
    wire::position(&mut start, position);
    let asked = Arc::new(Asked { query, selection, tenant: request.caller.tenant });
    let stream = Stream { state: state.clone(), headers: request.headers, asked, position, changes, news, sender };
    tokio::spawn(async move {
        stream.run(start).await;
        drop(place);
    });
    let mut response = Response::new(Body::new(Sent::new(receiver)));
    response.extensions_mut().insert(OwnPlace);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // Proxies that collect an answer before they pass it on would hold events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Behind which sequence to go on: of the header that a client sends when it comes back, else of `after`.
fn after(request: &Request) -> Answer<Option<u64>> {
    let (place, text) = match last_event_id(&request.headers) {
        Some(value) => ("Last-Event-ID", value),
        None => match request.params.last(AFTER) {
            Some(text) => (AFTER, text),
            None => return Ok(None),
        },
    };
    match whole(place, text, 0, u64::MAX - 1) {
        Ok(after) => Ok(Some(after)),
        Err(detail) => Err(Failure::invalid(detail.place, detail.message)),
    }
}

/// The header; a client that has seen no event yet sends it empty or not at all.
fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(LAST_EVENT_ID)?;
    Some(value.to_str().unwrap_or("?").trim()).filter(|text| !text.is_empty())
}
