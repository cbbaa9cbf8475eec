//! audit: the events as an audit log, as in `documents/audit-list-events.txt`, and the tokens to read
//! it with.
//!
//! The document has one route; the other two are what the vendor's own client asks for beyond it
//! (`docs/api.md`, "audit"). Refusals look like those of the framework that the vendor uses:
//! `{"detail": ...}`, and for what is wrong with parameters a list of `type`, `loc`, `msg` and `input`
//! with 422.

mod about;
mod catalog;
mod integer;
mod params;
mod shape;
mod token;

use annals_engine::StoredEvent;
use annals_query::{EventRef, Query};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::auth::Access::{Needs, Open};
use crate::auth::Scope;
use crate::error::{Answer, Detail, Failure};
use crate::face::{self, Face, Refused, Slash};
use crate::request::Request;
use crate::routes::route_table;
use crate::trace::Rows;

/// Owns `/v1/audit` and `/v1/auth`.
pub(crate) static FACE: Face = Face {
    name: "audit",
    about: "The events as an audit log, as the InstaVM API documents them, and the tokens to read it with.",
    owns: |path| ["/v1/audit", "/v1/auth"].iter().any(|own| is_within(path, own)),
    routes: route_table! {
        GET  "/v1/audit/events"      Needs(Scope::EventsRead) => list, about::list;
        GET  "/v1/audit/events/{id}" Needs(Scope::EventsRead) => get, about::get;
        GET  "/v1/audit/catalog"     Needs(Scope::EventsRead) => catalog::catalog, about::catalog;
        POST "/v1/auth/token"        Open                     => token::issue, about::token;
    },
    mounts: &[""],
    slash: Slash::Either,
    challenge: "Bearer",
    caller: None,
    refusal,
    schemas: about::schemas,
};

fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn refusal(failure: &Failure, _refused: &Refused<'_>) -> (StatusCode, Value) {
    if let Some(body) = &failure.body {
        return (failure.status, (**body).clone());
    }
    if failure.code != Failure::INVALID_PATH && !failure.details.is_empty() {
        let list: Vec<Value> = failure.details.iter().map(invalid).collect();
        return (StatusCode::UNPROCESSABLE_ENTITY, json!({"detail": list}));
    }
    let (status, detail) = match failure.code {
        "unauthorized" | "invalid_key" => (failure.status, "Not authenticated"),
        // A path whose bytes are no text names nothing.
        "not_found" | Failure::INVALID_PATH => (StatusCode::NOT_FOUND, "Not Found"),
        "method_not_allowed" => (failure.status, "Method Not Allowed"),
        _ => (failure.status, &*failure.message),
    };
    (status, json!({"detail": detail}))
}

/// What the server found before this face read the parameter, in the face's form.
fn invalid(one: &Detail) -> Value {
    let message = format!("Value error, {}", one.message);
    json!({"type": "value_error", "loc": ["query", one.place], "msg": message, "input": null})
}

/// `GET /v1/audit/events`
async fn list(request: Request) -> Answer {
    let state = &request.state;
    let query = params::list(&request.params, &state.limits(), &request.caller.tenant, state.cursor_key())?;
    let query = query.size_max_bytes(u64::try_from(state.limits().page_size_bytes_max).unwrap_or(u64::MAX));
    let (body, rows) = state.read(move |state| page(state, &query)).await?;
    let mut response = face::json(StatusCode::OK, body);
    response.extensions_mut().insert(rows);
    Ok(response)
}

fn page(state: &crate::state::AppState, query: &Query) -> Answer<(Vec<u8>, Rows)> {
    let page = annals_query::execute(&state.engine().snapshot(), query, &*state.expiry())?;
    let next = page.next.as_ref().map(|position| state.cursor_key().encode(position, query));
    let mut body = b"{\"items\":[".to_vec();
    for (index, event) in page.events.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        shape::event(&mut body, event);
    }
    body.extend_from_slice(format!("],\"next_cursor\":{}}}", json!(next)).as_bytes());
    Ok((body, Rows(page.events.len())))
}

/// `GET /v1/audit/events/{id}`
async fn get(request: Request) -> Answer {
    let name = event_ref(&request.id).ok_or_else(no_event)?;
    let tenant = request.caller.tenant;
    let found = request
        .state
        .read(move |state| Ok(annals_query::get(&state.engine().snapshot(), &tenant, &name)?))
        .await
        .map_err(|failure| if failure.status == StatusCode::NOT_FOUND { no_event() } else { failure })?;
    Ok(shown(&found))
}

fn shown(event: &StoredEvent) -> axum::response::Response {
    let mut body = Vec::new();
    shape::event(&mut body, event);
    face::json(StatusCode::OK, body)
}

/// A UUID in any form: the other names of an event are other faces'.
fn event_ref(id: &str) -> Option<EventRef> {
    let other = EventRef::from_hex24(id).is_some();
    (!other).then(|| id.parse().ok()).flatten().map(EventRef::Id)
}

fn no_event() -> Failure {
    Failure::with_body(StatusCode::NOT_FOUND, "not_found", json!({"detail": "Audit event not found"}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_paths_are_audit_and_auth() {
        for (path, own) in [
            ("/v1/audit", true),
            ("/v1/auth/token", true),
            ("/v1/audit/events/1", true),
            ("/v1/author", false),
            ("/v1", false),
        ] {
            assert_eq!((FACE.owns)(path), own, "{path}");
        }
    }

    #[test]
    fn refusals_have_a_detail() {
        let refused = Refused { method: "GET", path: "/", request_id: "r", now_us: 0 };
        let (status, body) = refusal(&Failure::wrong_key(), &refused);
        assert_eq!((status.as_u16(), body), (401, json!({"detail": "Not authenticated"})));
        let (status, body) = refusal(&Failure::invalid("status", "must be UTF-8"), &refused);
        let expected = json!({"detail": [
            {"type": "value_error", "loc": ["query", "status"], "msg": "Value error, must be UTF-8", "input": null},
        ]});
        assert_eq!((status.as_u16(), body), (422, expected));
        let (status, body) = refusal(&Failure::rate_limited(3), &refused);
        assert_eq!((status.as_u16(), body), (429, json!({"detail": "too many wrong keys from this address"})));
    }

    #[test]
    fn only_uuids_name_events() {
        let id = "507f1f77-bcf8-6cd7-9943-9044507f1f77";
        for form in [id.to_owned(), id.replace('-', ""), id.to_uppercase(), format!("urn:uuid:{id}")] {
            assert!(event_ref(&form).is_some(), "{form}");
        }
        for other in ["", "1", "507f1f77bcf86cd799439044", "catalog", "507f1f77-bcf8-6cd7-9943-9044507f1f7g"] {
            assert!(event_ref(other).is_none(), "{other}");
        }
    }
}
