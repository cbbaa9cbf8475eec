//! `/annals/v1/events/{id}`: one event by any of its names, its delete and its marks.

use annals_engine::{Engine, StoredEvent, TenantScope};
use annals_query::{DeleteOutcome, EventRef};
use axum::http::StatusCode;

use super::query::only;
use crate::deed::Deed;
use crate::error::{Answer, Failure};
use crate::face;
use crate::request::Request;
use crate::state::AppState;

/// `GET /annals/v1/events/{id}`
pub(crate) async fn get(request: Request) -> Answer {
    only(&request.params, &[])?;
    let name = event_ref(&request.id)?;
    let tenant = request.caller.tenant;
    let event =
        request.state.read(move |state| Ok(annals_query::get(&state.engine().snapshot(), &tenant, &name)?)).await?;
    Ok(shown(&event))
}

/// `DELETE /annals/v1/events/{id}`
pub(crate) async fn delete(request: Request) -> Answer {
    only(&request.params, &[])?;
    let name = event_ref(&request.id)?;
    let deed = request.deed("event.deleted").on("event", request.id.as_str());
    let tenant = request.caller.tenant;
    let delete = move |state: &AppState| Ok(annals_query::delete_event(state.engine(), &tenant, &name)?.1);
    let told = |deed: Deed, outcome: &DeleteOutcome| deed.count(outcome.deleted);
    let outcome = request.state.write(move |state| state.audited(deed, delete, told)).await?;
    Ok(face::json(StatusCode::OK, serde_json::json!({"deleted": outcome.deleted}).to_string()))
}

/// `POST /annals/v1/events/{id}/acknowledge`
pub(crate) async fn acknowledge(request: Request) -> Answer {
    mark(request, annals_query::acknowledge).await
}

/// `POST /annals/v1/events/{id}/unacknowledge`
pub(crate) async fn unacknowledge(request: Request) -> Answer {
    mark(request, annals_query::unacknowledge).await
}

type Mark = fn(&Engine, &TenantScope, &EventRef) -> annals_query::Result<StoredEvent>;

async fn mark(request: Request, mark: Mark) -> Answer {
    only(&request.params, &[])?;
    let name = event_ref(&request.id)?;
    let tenant = request.caller.tenant;
    let event = request.state.write(move |state| Ok(mark(state.engine(), &tenant, &name)?)).await?;
    Ok(shown(&event))
}

pub(super) fn shown(event: &StoredEvent) -> axum::response::Response {
    let mut body = Vec::new();
    annals_json::write_event(&mut body, event, None);
    face::json(StatusCode::OK, body)
}

/// A text that can be no event's name is the name of none.
pub(super) fn event_ref(id: &str) -> Answer<EventRef> {
    id.parse().map_err(|_no_name: annals_query::Error| Failure::not_found("there is no such event"))
}
