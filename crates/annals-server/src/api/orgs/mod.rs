//! orgs: events of organisations and their containers, as in `documents/orgs-events-management.txt`.
//!
//! The document shows one request and one answer and names the statuses; the form of what is read, paging
//! and error bodies are this server's own (`docs/api.md`).

mod about;
mod create;
mod params;
mod shape;

use annals_engine::{AppendOptions, Field, Filter, TenantScope};
use annals_query::Query;
use axum::http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::append;
use crate::auth::Access::Needs;
use crate::auth::Scope;
use crate::error::{Answer, Failure};
use crate::face::{self, Face, Refused, Slash};
use crate::idempotency;
use crate::pages;
use crate::request::Request;
use crate::routes::route_table;

/// Owns `/orgs`, and the same under the vendor's second base URL.
pub(crate) static FACE: Face = Face {
    name: "orgs",
    about: "Events of organisations and their containers, as the Locktera API documents them.",
    owns: |path| {
        let path = path.strip_prefix("/api/v1").unwrap_or(path);
        path == "/orgs" || path.starts_with("/orgs/")
    },
    routes: route_table! {
        GET  "/orgs/{org_id}/events" Needs(Scope::EventsRead) => of_org, about::of_org;
        GET  "/orgs/{org_id}/container_events/by_access" Needs(Scope::EventsRead) => by_access, about::by_access;
        GET  "/orgs/{org_id}/container_events/by_block"  Needs(Scope::EventsRead) => by_block, about::by_block;
        GET  "/orgs/{org_id}/container_events/by_create" Needs(Scope::EventsRead) => by_create, about::by_create;
        GET  "/orgs/{org_id}/container_events/by_expire" Needs(Scope::EventsRead) => by_expire, about::by_expire;
        GET  "/orgs/{org_id}/container_events/by_fail"   Needs(Scope::EventsRead) => by_fail, about::by_fail;
        GET  "/orgs/{org_id}/containers/{container_id}/events" Needs(Scope::EventsRead) => of_container, about::of_container;
        POST "/orgs/{org_id}/containers/{container_id}/events" Needs(Scope::EventsCreate) => log, about::log;
    },
    mounts: &["", "/api/v1"],
    slash: Slash::Either,
    challenge: "Bearer",
    caller: None,
    refusal,
    schemas: about::schemas,
};

/// The header that names the event which a POST has logged.
const EVENT_ID: &str = "x-event-id";
const NOT_FOUND: &str = "Resource not found";

fn refusal(failure: &Failure, _refused: &Refused<'_>) -> (StatusCode, Value) {
    let message = if failure.status == StatusCode::NOT_FOUND { NOT_FOUND } else { &failure.message };
    (failure.status, json!({"message": message}))
}

/// `GET /orgs/{org_id}/events`
pub(crate) async fn of_org(request: Request) -> Answer {
    list(request, Filter::All).await
}

/// `GET /orgs/{org_id}/container_events/by_access`
pub(crate) async fn by_access(request: Request) -> Answer {
    list(request, params::of_containers(params::of_type("ACCESS"))).await
}

/// `GET /orgs/{org_id}/container_events/by_block`
pub(crate) async fn by_block(request: Request) -> Answer {
    list(request, params::of_containers(params::of_type("BLOCK"))).await
}

/// `GET /orgs/{org_id}/container_events/by_create`
pub(crate) async fn by_create(request: Request) -> Answer {
    list(request, params::of_containers(params::of_type("CREATE"))).await
}

/// `GET /orgs/{org_id}/container_events/by_expire`
pub(crate) async fn by_expire(request: Request) -> Answer {
    list(request, params::of_containers(params::of_type("EXPIRE"))).await
}

/// `GET /orgs/{org_id}/container_events/by_fail`
pub(crate) async fn by_fail(request: Request) -> Answer {
    list(request, params::of_containers(params::failed())).await
}

/// `GET /orgs/{org_id}/containers/{container_id}/events`
pub(crate) async fn of_container(request: Request) -> Answer {
    let container = params::path_text(&request, "container_id")?;
    list(request, Filter::term(Field::ContainerId, container)).await
}

/// A page of the organisation's events that match, newest first.
async fn list(request: Request, filter: Filter) -> Answer {
    let org = org(&request)?;
    let paging = params::paging(&request.params, &request.state.limits())?;
    let query = Query::new(&request.caller.tenant).filter(Filter::term(Field::OrgId, org)).filter(filter);
    pages::answer(&request.state, query, paging.limit, paging.offset, shape::page).await
}

/// `POST /orgs/{org_id}/containers/{container_id}/events`
pub(crate) async fn log(request: Request) -> Answer {
    let (org, container) = (org(&request)?, params::path_text(&request, "container_id")?);
    let (state, caller) = (request.state.clone(), request.caller.clone());
    let key = idempotency::key(&request.headers, &request.caller)?;
    let running = key.map(|key| state.run_once(key).ok_or_else(idempotency::still_running)).transpose()?;
    let body = request.event_body().await?;
    let logged = state
        .write(move |state| {
            // Until it is stored, whether the client waits for that or not.
            let _running = running;
            let mut event = create::event(&body, &org, &container)?;
            // The path names the organisation, and nobody a realm: none of the caller's is asked for.
            append::prepare_in(state, &caller, &mut event, &org)?;
            let idempotency = key.map(|key| idempotency::of_call(key, &["orgs", &org, &container], &body));
            let how = AppendOptions { scope: caller.tenant.clone(), idempotency, ..AppendOptions::default() };
            let receipt = append::store(state, &event, &how)?;
            match receipt.ids.first() {
                Some(id) => Ok(*id),
                None => Ok(append::stored(state, &caller.tenant, &event, &receipt)?.id),
            }
        })
        .await?;
    let mut response = face::json(StatusCode::OK, r#"{"message":"Event logged successfully"}"#);
    let id = HeaderValue::from_str(&logged.to_string()).map_err(|error| Failure::internal(&error))?;
    response.headers_mut().insert(EVENT_ID, id);
    Ok(response)
}

/// The organisation of the path.
///
/// # Errors
/// 400 if no organisation can be called so, 404 if it is not one of the caller's.
fn org(request: &Request) -> Answer<String> {
    let org = params::path_text(request, "org_id")?;
    match &request.caller.tenant {
        TenantScope::Limited { orgs, .. } if !orgs.contains(&org) => Err(Failure::not_found(NOT_FOUND)),
        _ => Ok(org),
    }
}
