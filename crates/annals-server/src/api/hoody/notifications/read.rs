//! Marking notifications as read, in hoody's words.

use annals_engine::{Field, StoredEvent};
use annals_query::Query;
use axum::http::StatusCode;
use serde_json::json;

use crate::api::hoody::{envelope, event_ref, in_realm, notifications_of_host, realm_of_host, shape};
use crate::error::{Answer, Failure};
use crate::readings::{self, Walk};
use crate::request::Request;

/// `PUT /api/v1/notifications/{id}/read`
pub(crate) async fn mark_read(request: Request) -> Answer {
    let name = event_ref(&request.id)?;
    let (caller, realm) = (request.caller, realm_of_host(&request.host));
    let (notification, receipt) = request
        .state
        .write(move |state| {
            let everybodys =
                |event: &StoredEvent| event.realm_ids().next().is_none() && event.get(Field::OrgId).is_none();
            let here = |event: &StoredEvent| everybodys(event) || in_realm(event, &realm);
            readings::mark(state, &caller, &name, &here)
        })
        .await
        .map_err(not_found)?;
    let data = json!({
        "id": readings::shown_receipt(&receipt),
        "notification_id": annals_query::hoody_id(&notification),
        "is_read": true,
        "read_at": shape::time(receipt.read_at_us),
    });
    Ok(envelope("Notification marked as read", data.to_string().as_bytes()))
}

/// `PUT /api/v1/notifications/read-all`
pub(crate) async fn mark_all_read(request: Request) -> Answer {
    let (caller, realm) = (request.caller, notifications_of_host(&request.host));
    let count = request
        .state
        .write(move |state| {
            let query = Query::notifications(&caller.tenant, &caller.user_id).filter(realm);
            readings::mark_all(state, &caller, Walk::new(state, query))
        })
        .await?;
    Ok(envelope("All notifications marked as read", json!({"count": count}).to_string().as_bytes()))
}

fn not_found(failure: Failure) -> Failure {
    if failure.status == StatusCode::NOT_FOUND { Failure::not_found("Notification not found") } else { failure }
}
