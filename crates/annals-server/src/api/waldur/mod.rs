//! waldur: events, as in `documents/waldur-events.md`.
//!
//! The document has neither errors nor paging, and its tables show the event where other things are
//! answered. What the vendor's clients rely on, and what is decided here, is in `docs/api.md`. A URL
//! ends with a slash here; without it GET and HEAD are sent there.

mod about;
mod groups;
mod paging;
mod params;
mod scope;
mod seconds;
mod shape;
mod stats;
mod uuid;

use annals_query::{EventRef, Query, Total};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::auth::Access::Needs;
use crate::auth::Scope;
use crate::error::{Answer, Failure};
use crate::face::{self, Face, Refused, Slash};
use crate::pages::{self, Shape};
use crate::request::Request;
use crate::routes::route_table;
use paging::Links;

/// Owns `/api/events` and `/api/events-stats`.
pub(crate) static FACE: Face = Face {
    name: "waldur",
    about: "The event log, as the Waldur API documents it.",
    owns: |path| {
        OWNED.iter().any(|own| path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    },
    routes: route_table! {
        GET "/api/events/"              Needs(Scope::EventsRead) => list, about::list;
        GET "/api/events/count/"        Needs(Scope::EventsRead) => count, about::count;
        GET "/api/events/event_groups/" Needs(Scope::EventsRead) => groups::event_groups, about::event_groups;
        GET "/api/events/scope_types/"  Needs(Scope::EventsRead) => groups::scope_types, about::scope_types;
        GET "/api/events/{id}/"         Needs(Scope::EventsRead) => retrieve, about::retrieve;
        GET "/api/events-stats/"        Needs(Scope::EventsRead) => stats::stats, about::stats;
    },
    mounts: &[""],
    slash: Slash::Redirect,
    challenge: "Token",
    caller: None,
    refusal,
    schemas: about::schemas,
};

const OWNED: [&str; 2] = ["/api/events", "/api/events-stats"];
/// What the framework says of a path or a number that cannot be.
const NOT_FOUND: &str = "Not found.";
const NO_MATCH: &str = "No Event matches the given query.";

fn refusal(failure: &Failure, refused: &Refused<'_>) -> (StatusCode, Value) {
    let status = failure.status;
    if let Some(body) = &failure.body {
        return (status, (**body).clone());
    }
    if failure.code == Failure::INVALID_PATH {
        // What is no text is no number either.
        return (StatusCode::NOT_FOUND, detail(NOT_FOUND));
    }
    if !failure.details.is_empty() {
        return (status, by_parameter(failure));
    }
    let sentence = match (status, failure.code) {
        (StatusCode::UNAUTHORIZED, "unauthorized") => "Authentication credentials were not provided.".to_owned(),
        (StatusCode::UNAUTHORIZED, _) => "Invalid token.".to_owned(),
        (StatusCode::FORBIDDEN, _) => "You do not have permission to perform this action.".to_owned(),
        (StatusCode::NOT_FOUND, _) => NOT_FOUND.to_owned(),
        (StatusCode::METHOD_NOT_ALLOWED, _) => format!("Method \"{}\" not allowed.", refused.method),
        (StatusCode::TOO_MANY_REQUESTS, _) => match failure.retry_after_s {
            Some(1) => "Request was throttled. Expected available in 1 second.".to_owned(),
            Some(wait_s) => format!("Request was throttled. Expected available in {wait_s} seconds."),
            None => "Request was throttled.".to_owned(),
        },
        (StatusCode::INTERNAL_SERVER_ERROR, _) => "A server error occurred.".to_owned(),
        _ => failure.message.clone(),
    };
    (status, detail(&sentence))
}

/// What is wrong, in a list for each parameter.
fn by_parameter(failure: &Failure) -> Value {
    let mut places: Map<String, Value> = Map::new();
    for one in &failure.details {
        let list = places.entry(one.place.clone()).or_insert_with(|| json!([]));
        if let Some(messages) = list.as_array_mut() {
            messages.push(json!(one.message));
        }
    }
    Value::Object(places)
}

/// A body that is one sentence.
fn detail(sentence: &str) -> Value {
    json!({"detail": sentence})
}

/// 404 with a sentence of its own.
fn not_found(sentence: &str) -> Failure {
    Failure::with_body(StatusCode::NOT_FOUND, "not_found", detail(sentence))
}

/// An answer of JSON that says in a header how many entries there are.
fn counted(count: u64, body: String) -> Response {
    let mut response = face::json(StatusCode::OK, body);
    response.headers_mut().insert(paging::RESULT_COUNT, HeaderValue::from(count));
    response
}

/// `GET /api/events/`
pub(crate) async fn list(request: Request) -> Answer {
    let (asked, order) = params::list(&request.params, &request.state.limits())?;
    let paging = paging::parse(&request.params, &request.state.limits())?;
    let links = Links::of(&request, &["o"], &["field"]);
    let event = shape::writer(shape::members(&request.params));
    let tenant = &request.caller.tenant;
    let filter = groups::resolve(&request.state, tenant, asked).await?;
    let query = Query::new(tenant).filter(filter).order(order);
    let shape = |extent: &pages::Extent| {
        let headers = links.headers(extent.total, extent.offset, extent.limit)?;
        Ok(Shape { head: b"[".to_vec(), event, tail: b"]".to_vec(), headers })
    };
    pages::answer_from(&request.state, query, paging.size, paging.start, shape).await
}

/// `GET /api/events/count/`
pub(crate) async fn count(request: Request) -> Answer {
    let asked = params::filters(&request.params, &request.state.limits())?;
    let tenant = &request.caller.tenant;
    let filter = groups::resolve(&request.state, tenant, asked).await?;
    let query = Query::new(tenant).filter(filter).limit(0).total(Total::Exact);
    let page = request
        .state
        .read(move |state| Ok(annals_query::execute(&state.engine().snapshot(), &query, &*state.expiry())?))
        .await?;
    let total = page.total.unwrap_or(0);
    Ok(counted(total, json!({"count": total}).to_string()))
}

/// `GET /api/events/{id}/`
pub(crate) async fn retrieve(request: Request) -> Answer {
    let name = event_ref(&request.id)?;
    let (tenant, write) = (request.caller.tenant, shape::writer(shape::members(&request.params)));
    let body = request
        .state
        .read(move |state| {
            let event = annals_query::get(&state.engine().snapshot(), &tenant, &name)?;
            let mut body = Vec::new();
            write(&mut body, &event);
            Ok(body)
        })
        .await
        .map_err(|failure| if failure.status == StatusCode::NOT_FOUND { not_found(NO_MATCH) } else { failure })?;
    Ok(face::json(StatusCode::OK, body))
}

/// The name in a path: the append number, or the UUID with or without hyphens.
///
/// # Errors
/// 404 in the vendor's words: for a number that no event can have, and for what is no number.
fn event_ref(text: &str) -> Answer<EventRef> {
    if let Some(uuid) = uuid::parse_plain(text) {
        return Ok(EventRef::Id(uuid));
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(not_found(NOT_FOUND));
    }
    EventRef::from_sequence(text).ok_or_else(|| not_found(NO_MATCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_number_or_a_uuid() {
        assert_eq!(event_ref("123").unwrap(), EventRef::Sequence(123));
        let uuid = "507f1f77-bcf8-6cd7-9943-9044507f1f77";
        assert_eq!(event_ref(uuid).unwrap(), EventRef::Id(uuid.parse().unwrap()));
        assert_eq!(event_ref(&uuid.replace('-', "")).unwrap(), event_ref(uuid).unwrap());
        let told = |text: &str| *event_ref(text).unwrap_err().body.unwrap();
        for text in ["-1", "99999999999999999999", "507012345678901234567890"] {
            assert_eq!(told(text), detail(NO_MATCH), "{text}");
        }
        for text in ["", "x", "-", "1.5", "+1", " 1", "507f1f77bcf86cd799439044", "{x}"] {
            assert_eq!(told(text), detail("Not found."), "{text}");
        }
    }

    #[test]
    fn waiting_is_told_in_the_frameworks_words() {
        let refused = Refused { method: "GET", path: "/", request_id: "r", now_us: 0 };
        let told = |failure: &Failure| refusal(failure, &refused).1;
        let sentence = "Request was throttled. Expected available in 5 seconds.";
        assert_eq!(told(&Failure::rate_limited(5)), detail(sentence));
        let sentence = "Request was throttled. Expected available in 1 second.";
        assert_eq!(told(&Failure::rate_limited(1)), detail(sentence));
        assert_eq!(told(&Failure::internal(&"x")), detail("A server error occurred."));
    }
}
