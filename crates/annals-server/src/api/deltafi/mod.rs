//! deltafi: system events and notifications, as in `documents/deltafi-events.txt`.
//!
//! The document has no errors and does not name the filters; those, and the form of errors, are what the
//! vendor's own code does (`docs/api.md`).

mod about;
mod create;
mod params;
mod proxy;
mod shape;

use annals_engine::{AppendOptions, Engine, EventId, Repeats, StoredEvent, TenantScope};
use annals_query::{DeleteOutcome, EventRef, Query, Total};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::append;
use crate::auth::Access::Needs;
use crate::auth::Scope;
use crate::deed::Deed;
use crate::error::{Answer, Failure};
use crate::face::{self, Face, Refused, Slash};
use crate::idempotency;
use crate::pages;
use crate::request::Request;
use crate::routes::route_table;
use crate::state::AppState;

/// Owns `/api/v2/events`.
pub(crate) static FACE: Face = Face {
    name: "deltafi",
    about: "System events and notifications, as the DeltaFi API documents them.",
    owns: |path| path == "/api/v2/events" || path.starts_with("/api/v2/events/"),
    routes: route_table! {
        GET    "/api/v2/events"                    Needs(Scope::EventsRead)   => list, about::list;
        POST   "/api/v2/events"                    Needs(Scope::EventsCreate) => create, about::create;
        GET    "/api/v2/events/with-count"         Needs(Scope::EventsRead)   => list_with_count, about::list_with_count;
        GET    "/api/v2/events/{id}"               Needs(Scope::EventsRead)   => get, about::get;
        DELETE "/api/v2/events/{id}"               Needs(Scope::EventsDelete) => delete, about::delete;
        PUT    "/api/v2/events/{id}/acknowledge"   Needs(Scope::EventsUpdate) => acknowledge, about::acknowledge;
        PUT    "/api/v2/events/{id}/unacknowledge" Needs(Scope::EventsUpdate) => unacknowledge, about::unacknowledge;
    },
    mounts: &[""],
    slash: Slash::Either,
    challenge: "Basic realm=\"Restricted\"",
    caller: Some(proxy::caller),
    refusal,
    schemas: about::schemas,
};

const ACCESS_DENIED: &str = "Access Denied";

/// The body that the vendor's framework gives every error.
fn refusal(failure: &Failure, refused: &Refused<'_>) -> (StatusCode, Value) {
    let message = match failure.status {
        _ if failure.needed.is_some() => ACCESS_DENIED.to_owned(),
        StatusCode::METHOD_NOT_ALLOWED => format!("Method '{}' is not supported.", refused.method),
        _ => failure.message.clone(),
    };
    let body = json!({
        "timestamp": shape::time(refused.now_us),
        "status": failure.status.as_u16(),
        "error": failure.status.canonical_reason().unwrap_or("Error"),
        "message": message,
        "path": refused.path,
    });
    (failure.status, body)
}

/// `GET /api/v2/events`
pub(crate) async fn list(request: Request) -> Answer {
    let Listed { state, query, size, offset } = listed(request).await?;
    pages::answer(&state, query.total(Total::None), size, offset, |_| shape::list()).await
}

/// `GET /api/v2/events/with-count`
pub(crate) async fn list_with_count(request: Request) -> Answer {
    let Listed { state, query, size, offset } = listed(request).await?;
    pages::answer(&state, query, size, offset, shape::list_with_count).await
}

/// A list as it was asked for.
struct Listed {
    state: AppState,
    query: Query,
    size: u32,
    offset: u64,
}

async fn listed(request: Request) -> Answer<Listed> {
    let Request { state, caller, params, .. } = request;
    let since_us = state.faces().deltafi_default_window.map(|window| {
        let window_us = i64::try_from(window.as_micros()).unwrap_or(i64::MAX);
        state.clock().now_us().saturating_sub(window_us)
    });
    let params::List { mut filter, id, size, offset } = params::list(&params, &state.limits(), since_us)?;
    if let Some(id) = id {
        let find = move |state: &AppState| Ok(annals_query::sequences_with_id(&state.engine().snapshot(), id)?);
        filter = filter.and(params::any_sequence(&state.read(find).await?));
    }
    let query = Query::new(&caller.tenant).filter(filter);
    Ok(Listed { state, query, size, offset })
}

/// `GET /api/v2/events/{id}`
pub(crate) async fn get(request: Request) -> Answer {
    let (id, tenant) = (id(&request)?, request.caller.tenant);
    let find = move |state: &AppState| Ok(annals_query::get(&state.engine().snapshot(), &tenant, &EventRef::Id(id))?);
    request.state.read(find).await.map(|event| shown(&event)).map_err(|failure| named(failure, id))
}

/// `DELETE /api/v2/events/{id}`
pub(crate) async fn delete(request: Request) -> Answer {
    let id = id(&request)?;
    let deed = request.deed("event.deleted").on("event", request.id.as_str());
    let tenant = request.caller.tenant;
    let remove = move |state: &AppState| Ok(annals_query::delete_event(state.engine(), &tenant, &EventRef::Id(id))?);
    let told = |deed: Deed, (_, outcome): &(StoredEvent, DeleteOutcome)| deed.count(outcome.deleted);
    let deleted = request.state.write(move |state| state.audited(deed, remove, told)).await;
    deleted.map(|(event, _)| shown(&event)).map_err(|failure| named(failure, id))
}

/// `PUT /api/v2/events/{id}/acknowledge`
pub(crate) async fn acknowledge(request: Request) -> Answer {
    mark(request, annals_query::acknowledge).await
}

/// `PUT /api/v2/events/{id}/unacknowledge`
pub(crate) async fn unacknowledge(request: Request) -> Answer {
    mark(request, annals_query::unacknowledge).await
}

type Mark = fn(&Engine, &TenantScope, &EventRef) -> annals_query::Result<StoredEvent>;

async fn mark(request: Request, mark: Mark) -> Answer {
    let (id, tenant) = (id(&request)?, request.caller.tenant);
    let change = move |state: &AppState| Ok(mark(state.engine(), &tenant, &EventRef::Id(id))?);
    request.state.write(change).await.map(|event| shown(&event)).map_err(|failure| named(failure, id))
}

/// `POST /api/v2/events`
pub(crate) async fn create(request: Request) -> Answer {
    let (state, caller) = (request.state.clone(), request.caller.clone());
    let key = idempotency::key(&request.headers, &request.caller)?;
    let running = key.map(|key| state.run_once(key).ok_or_else(idempotency::still_running)).transpose()?;
    let body = request.event_body().await?;
    let event = state
        .write(move |state| {
            // Until it is stored, whether the client waits for that or not.
            let _running = running;
            let mut event = create::event(&body)?;
            append::prepare(state, &caller, &mut event)?;
            if let Some(id) = event.id {
                // Its time tells no repeat, since it replaces; the store's own would not be known here.
                event.created_at_us.get_or_insert_with(|| state.clock().now_us());
                annals_query::replaceable(&state.engine().snapshot(), &caller.tenant, id)?;
            }
            let idempotency = key.map(|key| idempotency::of_call(key, &["deltafi"], &body));
            let how = AppendOptions {
                scope: caller.tenant.clone(),
                idempotency,
                repeats: Repeats::Replace,
                ..AppendOptions::default()
            };
            let receipt = append::store(state, &event, &how)?;
            append::stored(state, &caller.tenant, &event, &receipt)
        })
        .await?;
    Ok(shown(&event))
}

fn shown(event: &StoredEvent) -> axum::response::Response {
    let mut body = Vec::new();
    shape::event(&mut body, event);
    face::json(StatusCode::OK, body)
}

/// The id of the path.
///
/// # Errors
/// 400 if it is none.
fn id(request: &Request) -> Answer<EventId> {
    params::uuid(&request.id).ok_or_else(|| Failure::invalid("id", params::UUID))
}

fn named(failure: Failure, id: EventId) -> Failure {
    match failure.status {
        StatusCode::NOT_FOUND => Failure::not_found(format!("Event with ID '{id}' not found.")),
        _ => failure,
    }
}
