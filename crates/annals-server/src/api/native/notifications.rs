//! `/annals/v1/notifications`: publishing events that are shown to users, and taking them back.

use annals_engine::{Amendment, AppendOptions, Field};
use annals_query::{DeleteOutcome, EventRef};
use axum::http::StatusCode;
use serde_json::json;

use super::item::{event_ref, shown};
use super::query::only;
use crate::append;
use crate::body;
use crate::deed::Deed;
use crate::error::Answer;
use crate::face;
use crate::idempotency;
use crate::request::Request;
use crate::state::AppState;

mod given;

pub(super) use given::TYPES;
use given::{Given, Published};

/// `POST /annals/v1/notifications`
pub(crate) async fn publish(request: Request) -> Answer {
    only(&request.params, &[])?;
    let key = idempotency::key(&request.headers, &request.caller)?;
    let (state, caller) = (request.state.clone(), request.caller.clone());
    let running = key.map(|key| state.run_once(key).ok_or_else(idempotency::still_running)).transpose()?;
    let bytes = request.event_body().await?;
    let published = Published::read(&body::object(&bytes)?)?;
    let event = state
        .write(move |state| {
            // Until it is stored, whether the client waits for that or not.
            let _running = running;
            let mut event = published.event();
            event.set(Field::UserId, caller.user_id.as_str());
            append::prepare(state, &caller, &mut event)?;
            let how = AppendOptions {
                scope: caller.tenant.clone(),
                idempotency: key.map(|key| idempotency::of_call(key, &["notifications"], &bytes)),
                ..AppendOptions::default()
            };
            let receipt = append::store(state, &event, &how)?;
            append::stored(state, &caller.tenant, &event, &receipt)
        })
        .await?;
    Ok(shown(&event))
}

/// `PATCH /annals/v1/notifications/{id}`
pub(crate) async fn change(request: Request) -> Answer {
    only(&request.params, &[])?;
    let name = event_ref(&request.id)?;
    let (state, tenant) = (request.state.clone(), request.caller.tenant.clone());
    let given = Given::read_change(&request.object().await?)?;
    let event = state
        .write(move |state| {
            let event = annals_query::writable_notification(&state.engine().snapshot(), &tenant, &name)?;
            let amendment = Amendment {
                sequence: event.sequence,
                severity: given.severity,
                notification_type: given.notification_type,
                is_public: given.is_public,
                is_global: given.is_global,
                target_user_ids: given.target_user_ids,
                expires_at_us: given.expires_at_us,
                updated_at_us: state.clock().now_us(),
            };
            let name = EventRef::Sequence(event.sequence);
            Ok(annals_query::amend(state.engine(), &tenant, &name, amendment)?)
        })
        .await?;
    Ok(shown(&event))
}

/// `DELETE /annals/v1/notifications/{id}`
pub(crate) async fn withdraw(request: Request) -> Answer {
    only(&request.params, &[])?;
    let name = event_ref(&request.id)?;
    let deed = request.deed("notification.deleted").on("notification", request.id.as_str());
    let tenant = request.caller.tenant;
    let delete = move |state: &AppState| Ok(annals_query::delete_notification(state.engine(), &tenant, &name)?);
    let told = |deed: Deed, outcome: &DeleteOutcome| deed.count(outcome.deleted);
    let outcome = request.state.write(move |state| state.audited(deed, delete, told)).await?;
    Ok(face::json(StatusCode::OK, json!({"deleted": outcome.deleted}).to_string()))
}
