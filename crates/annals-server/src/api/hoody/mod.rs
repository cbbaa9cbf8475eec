//! hoody: events and notifications, as in `documents/hoody-notifications-and-events.txt`.
//!
//! The document has no paths and no errors; where they come from, and what it leaves open, is in
//! `docs/api.md`. Its answers are an envelope of `statusCode`, `message` and `data`, in which its
//! clients need all three.

mod about;
mod notifications;
mod params;
mod shape;

use annals_engine::{Delete, Field, Filter, StoredEvent, TenantScope};
use annals_query::{DeleteMode, EventRef, Query, Stats, StatsRequest};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::auth::Access::{Needs, Open};
use crate::auth::Scope;
use crate::deed::Deed;
use crate::error::{Answer, Failure};
use crate::face::{self, Face, Refused, Slash};
use crate::pages;
use crate::request::Request;
use crate::routes::route_table;
use crate::state::AppState;

/// Owns `/api/v1`, but for the organisations.
pub(crate) static FACE: Face = Face {
    name: "hoody",
    about: "Platform events and notifications, as the Hoody API documents them.",
    owns: |path| path == "/api/v1" || path.starts_with("/api/v1/"),
    routes: route_table! {
        GET    "/api/v1/events"         Needs(Scope::EventsRead)      => list, about::list;
        DELETE "/api/v1/events"         Needs(Scope::EventsDelete)    => bulk_delete, about::bulk_delete;
        GET    "/api/v1/events/stats"   Needs(Scope::EventsRead)      => stats, about::stats;
        POST   "/api/v1/events/cleanup" Needs(Scope::EventsRetention) => cleanup, about::cleanup;
        GET    "/api/v1/events/{id}"    Needs(Scope::EventsRead)      => get, about::get;
        DELETE "/api/v1/events/{id}"    Needs(Scope::EventsDelete)    => delete, about::delete;
        GET    "/api/v1/notifications"  Needs(Scope::NotificationsRead) => notifications::list, about::notifications;
        GET    "/api/v1/notifications/public" Open                      => notifications::list_public, about::public_notifications;
        PUT    "/api/v1/notifications/read-all"  Needs(Scope::NotificationsRead) => notifications::mark_all_read, about::mark_all_read;
        PUT    "/api/v1/notifications/{id}/read" Needs(Scope::NotificationsRead) => notifications::mark_read, about::mark_read;
    },
    mounts: &[""],
    slash: Slash::Either,
    challenge: "Bearer",
    caller: None,
    refusal,
    schemas: about::schemas,
};

const US_PER_DAY: i64 = 86_400_000_000;
const US_PER_MS: i64 = 1000;
/// The bucket of events without a resource type, so that the buckets add up to the total.
const NO_RESOURCE: &str = "system";

fn refusal(failure: &Failure, _refused: &Refused<'_>) -> (StatusCode, Value) {
    let message = match failure.needed {
        Some(Scope::EventsRetention) => "Admin access required",
        _ => &failure.message,
    };
    let detail =
        |one: &crate::error::Detail| json!({"instancePath": format!("/{}", one.place), "message": one.message});
    let data: Vec<Value> = failure.details.iter().map(detail).collect();
    let mut body = json!({
        "statusCode": failure.status.as_u16(),
        "error": failure.status.canonical_reason().unwrap_or("Error"),
        "message": message,
    });
    if let Some(fields) = body.as_object_mut().filter(|_| !data.is_empty()) {
        fields.insert("data".to_owned(), Value::Array(data));
    }
    (failure.status, body)
}

/// `GET /api/v1/events`
pub(crate) async fn list(request: Request) -> Answer {
    let asked = params::list(&request.params, &request.state.limits())?;
    let filter = asked.filter.and(realm_of_host(&request.host));
    let query = Query::new(&request.caller.tenant).filter(filter).order(asked.order);
    let (limit, offset) = (asked.limit, asked.offset);
    pages::answer(&request.state, query, limit, offset, shape::page).await
}

/// `GET /api/v1/events/{id}`
pub(crate) async fn get(request: Request) -> Answer {
    let name = event_ref(&request.id)?;
    let (tenant, realm) = (request.caller.tenant, realm_of_host(&request.host));
    let data = request
        .state
        .read(move |state| {
            let here = |event: &_| in_realm(event, &realm);
            let event = annals_query::get_among(&state.engine().snapshot(), &tenant, &name, &here)?;
            let mut data = Vec::new();
            shape::event(&mut data, &event);
            Ok(data)
        })
        .await
        .map_err(event_not_found)?;
    Ok(envelope("Event retrieved successfully", &data))
}

/// `GET /api/v1/events/stats`
pub(crate) async fn stats(request: Request) -> Answer {
    let filter = params::stats(&request.params, &request.state.limits())?.and(realm_of_host(&request.host));
    let tenant = request.caller.tenant;
    let data = request
        .state
        .read(move |state| {
            let by = StatsRequest { by: vec![Field::EventType, Field::ResourceType], ..StatsRequest::default() };
            let query = Query::new(&tenant).filter(filter);
            let found = annals_query::stats(&state.engine().snapshot(), &query, &by, &*state.expiry())?;
            // Here and not in the handler: a large answer takes its time.
            Ok(shown_stats(&found).to_string())
        })
        .await?;
    Ok(envelope("Event statistics retrieved successfully", data.as_bytes()))
}

fn shown_stats(found: &Stats) -> Value {
    let counts = |field: Field| -> Map<String, Value> {
        let values = found.by.iter().find(|(held, _)| *held == field).map(|(_, values)| values.as_slice());
        values.unwrap_or_default().iter().map(|(value, count)| (value.clone(), json!(count))).collect()
    };
    let mut by_resource = counts(Field::ResourceType);
    let named: u64 = by_resource.values().filter_map(Value::as_u64).sum();
    let unnamed = found.total.saturating_sub(named);
    if unnamed > 0 {
        let filled = by_resource.get(NO_RESOURCE).and_then(Value::as_u64).unwrap_or(0);
        by_resource.insert(NO_RESOURCE.to_owned(), json!(filled + unnamed));
    }
    json!({
        "total_events": found.total,
        "by_type": counts(Field::EventType),
        "by_resource": by_resource,
        "oldest_event": found.oldest_us.map(shape::time),
        "newest_event": found.newest_us.map(shape::time),
    })
}

/// `POST /api/v1/events/cleanup`
pub(crate) async fn cleanup(request: Request) -> Answer {
    let (state, realm) = (request.state.clone(), realm_of_host(&request.host));
    let tenant = request.caller.tenant.clone();
    let deed = within(request.deed("events.cleaned_up"), &realm);
    let days = params::retention_days(&request.object().await?)?;
    let deed = deed.filter(format!("retention_days={days}"));
    // The cutoff is shown in milliseconds, so it is one.
    let now_ms = state.clock().now_us().div_euclid(US_PER_MS);
    let cutoff_us = now_ms * US_PER_MS - i64::from(days) * US_PER_DAY;
    let clean_up = move |state: &AppState| match (&tenant, &realm) {
        // Whole segments can go without a look inside.
        (TenantScope::Unlimited, Filter::All) => Ok(state.engine().delete(&Delete::CreatedBefore(cutoff_us))?),
        _ => delete_matching(state, &tenant, &Filter::created_between(i64::MIN, cutoff_us).and(realm.clone())),
    };
    let deleted = state.write(move |state| state.audited(deed, clean_up, counted)).await?;
    let data = json!({"deleted_count": deleted, "retention_days": days, "cutoff_date": shape::time(cutoff_us)});
    Ok(envelope("Old events cleaned up successfully", data.to_string().as_bytes()))
}

/// `DELETE /api/v1/events`
pub(crate) async fn bulk_delete(request: Request) -> Answer {
    let (state, realm) = (request.state.clone(), realm_of_host(&request.host));
    let tenant = request.caller.tenant.clone();
    let deed = within(request.deed("events.deleted"), &realm);
    let body = request.object().await?;
    let filter = params::bulk_delete(&body, &state.limits())?.and(realm);
    let deed = deed.filter(Value::Object(body).to_string());
    let delete = move |state: &AppState| delete_matching(state, &tenant, &filter);
    let deleted = state.write(move |state| state.audited(deed, delete, counted)).await?;
    Ok(envelope("Events deleted successfully", json!({"deleted_count": deleted}).to_string().as_bytes()))
}

/// `DELETE /api/v1/events/{id}`
pub(crate) async fn delete(request: Request) -> Answer {
    let name = event_ref(&request.id)?;
    let deed = request.deed("event.deleted").on("event", request.id.as_str());
    let (tenant, realm) = (request.caller.tenant, realm_of_host(&request.host));
    let delete = move |state: &AppState| {
        let here = |event: &_| in_realm(event, &realm);
        Ok(annals_query::delete_event_among(state.engine(), &tenant, &name, &here)?.1.deleted)
    };
    request.state.write(move |state| state.audited(deed, delete, counted)).await.map_err(event_not_found)?;
    Ok(envelope("Event deleted successfully", b"null"))
}

fn delete_matching(state: &AppState, tenant: &TenantScope, filter: &Filter) -> Answer<u64> {
    let outcome = annals_query::delete_matching(state.engine(), tenant, filter, DeleteMode::Delete, &*state.expiry())?;
    Ok(outcome.deleted)
}

/// Adds the realm of the host, which narrows what is deleted.
fn within(deed: Deed, realm: &Filter) -> Deed {
    match realm {
        Filter::Term(_, realm) => deed.detail("realm_of_host", json!(realm)),
        _ => deed,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "outcomes of any size are told by reference")]
fn counted(deed: Deed, deleted: &u64) -> Deed {
    deed.count(*deleted)
}

/// The envelope around `data`, which is JSON.
fn envelope(message: &str, data: &[u8]) -> axum::response::Response {
    let mut body = shape::envelope_head(message);
    body.extend_from_slice(data);
    body.push(b'}');
    face::json(StatusCode::OK, body)
}

/// The id of a path: 24 hex digits, as every event is shown here.
fn event_ref(id: &str) -> Answer<EventRef> {
    EventRef::from_hex24(id).ok_or_else(|| Failure::invalid("id", "must match pattern \"^[0-9a-f]{24}$\""))
}

fn event_not_found(failure: Failure) -> Failure {
    if failure.status == StatusCode::NOT_FOUND { Failure::not_found("Event not found") } else { failure }
}

/// The vendor's client sends a realm as the first label of the host.
fn realm_of_host(host: &str) -> Filter {
    let label = host.split('.').next().unwrap_or_default();
    match EventRef::from_hex24(label) {
        Some(_hex) => Filter::term(Field::RealmIds, label),
        None => Filter::All,
    }
}

/// The same for notifications: one without realm and organisation is everybody's, whatever the host.
fn notifications_of_host(host: &str) -> Filter {
    match realm_of_host(host) {
        Filter::All => Filter::All,
        realm => {
            let without = |field| Filter::Prefix(field, String::new()).not();
            Filter::Or(vec![realm, without(Field::RealmIds).and(without(Field::OrgId))])
        }
    }
}

/// Whether an event is in the realm that the host names, if it names one.
fn in_realm(event: &StoredEvent, realm: &Filter) -> bool {
    match realm {
        Filter::Term(_, realm) => event.realm_ids().any(|own| own == realm),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_whose_first_label_is_24_hex_names_a_realm() {
        let realm = "507f1f77bcf86cd799439022";
        assert_eq!(realm_of_host(&format!("{realm}.api.example")), Filter::term(Field::RealmIds, realm));
        for host in ["", "localhost", "507f1f77bcf86cd79943902.example", "api.507f1f77bcf86cd799439022.example"] {
            assert_eq!(realm_of_host(host), Filter::All, "{host}");
        }
    }

    #[test]
    fn errors_have_the_vendors_envelope() {
        let refused = Refused { method: "GET", path: "/", request_id: "r", now_us: 0 };
        let body = |failure: &Failure| refusal(failure, &refused).1;
        let expected = json!({
            "statusCode": 400, "error": "Bad Request", "message": "limit must be <= 500",
            "data": [{"instancePath": "/limit", "message": "must be <= 500"}],
        });
        assert_eq!(body(&Failure::invalid("limit", "must be <= 500")), expected);
        let expected = json!({"statusCode": 403, "error": "Forbidden", "message": "Admin access required"});
        assert_eq!(body(&Failure::lacks(Scope::EventsRetention)), expected);
    }
}
