//! `/annals/v1/holds`: events that nothing removes until they are released.

use annals_engine::{Engine, ErrorKind, Filter, HOLD_NAME_SIZE_MAX, Hold, TenantScope, TextField};
use annals_query::{Expired, count_writable};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::query::{filters, only};
use crate::auth::grant::shown_time;
use crate::config::Limits;
use crate::deed::Deed;
use crate::error::{Answer, Failure};
use crate::face;
use crate::params::Params;
use crate::request::Request;
use crate::state::AppState;

/// `GET /annals/v1/holds`
pub(crate) async fn list(request: Request) -> Answer {
    only(&request.params, &[])?;
    let body = request.state.read(|state| all(state.engine(), &*state.expiry())).await?;
    Ok(face::json(StatusCode::OK, body.to_string()))
}

/// Every hold, as a list answers.
pub(crate) fn all(engine: &Engine, expired: Expired<'_>) -> Answer<Value> {
    let holds = engine.holds();
    let holds = holds.iter().map(|hold| shown(engine, hold, expired)).collect::<Answer<Vec<Value>>>()?;
    Ok(json!({"holds": holds}))
}

/// `PUT /annals/v1/holds/{name}`: the parameters are the filters of a list.
pub(crate) async fn place(request: Request) -> Answer {
    let filter = asked(&request.params, &request.state.limits())?;
    let deed = request.deed("hold.placed").filter(request.uri.query().unwrap_or_default());
    let deed = deed.on("hold", request.id.as_str());
    let (state, name) = (request.state.clone(), request.id);
    let kept = name.clone();
    let set = move |state: &AppState| set(state.engine(), &name, &filter);
    state.write(move |state| state.audited(deed, set, |deed: Deed, ()| deed)).await?;
    let body = state.read(move |state| one(state.engine(), &kept, &*state.expiry())).await?;
    Ok(face::json(StatusCode::OK, body.to_string()))
}

/// The filter that the parameters of a new hold say.
///
/// # Errors
/// 400 without a filter, for an empty or a wrong one.
pub(crate) fn asked(params: &Params, limits: &Limits) -> Answer<Filter> {
    let found = filters(params, &[], limits)?;
    if found.count == 0 {
        let message = "a hold needs at least one filter: to hold everything say from=1970-01-01";
        return Err(Failure::new(StatusCode::BAD_REQUEST, "invalid_parameter", message));
    }
    // Of a variable that was never set.
    if let Some((name, _)) = params.iter().find(|(_, value)| value.is_empty()) {
        return Err(Failure::invalid(name, "must not be empty in a hold"));
    }
    Ok(found.filter)
}

/// # Errors
/// 409 if the name has another filter; what the store says.
pub(crate) fn set(engine: &Engine, name: &str, filter: &Filter) -> Answer<()> {
    engine.place_hold(name, filter).map_err(|error| match error.kind() {
        ErrorKind::Conflict => {
            Failure::new(StatusCode::CONFLICT, "hold_exists", "there is a hold of that name with another filter")
        }
        _ => Failure::from(&error),
    })
}

/// The hold of that name as it was placed. Somebody else may have released it since.
///
/// # Errors
/// 404 if there is none; 503 once `expired` says so.
pub(crate) fn one(engine: &Engine, name: &str, expired: Expired<'_>) -> Answer<Value> {
    let hold = engine.holds().into_iter().find(|hold| hold.name == name);
    shown(engine, &hold.ok_or_else(no_such_hold)?, expired)
}

fn no_such_hold() -> Failure {
    Failure::not_found("there is no hold of that name")
}

/// # Errors
/// 404 if there is none of that name; what the store says.
pub(crate) fn end(engine: &Engine, name: &str) -> Answer<()> {
    let was_there = name.len() <= HOLD_NAME_SIZE_MAX && engine.release_hold(name)?;
    if was_there { Ok(()) } else { Err(no_such_hold()) }
}

/// `DELETE /annals/v1/holds/{name}`
pub(crate) async fn release(request: Request) -> Answer {
    only(&request.params, &[])?;
    let deed = request.deed("hold.released").on("hold", request.id.as_str());
    let (state, name) = (request.state.clone(), request.id);
    let end = move |state: &AppState| end(state.engine(), &name);
    state.write(move |state| state.audited(deed, end, |deed: Deed, ()| deed)).await?;
    Ok(face::json(StatusCode::OK, r#"{"released":1}"#))
}

fn shown(engine: &Engine, hold: &Hold, expired: Expired<'_>) -> Answer<Value> {
    let events = count_writable(&engine.snapshot(), &TenantScope::Unlimited, &hold.filter, expired)?;
    Ok(json!({
        "name": hold.name,
        "filter": filter_shown(&hold.filter),
        "placed_at": shown_time(hold.placed_at_us),
        "events": events,
    }))
}

/// A filter to read: one member that says what is compared, and how.
fn filter_shown(filter: &Filter) -> Value {
    let parts = |parts: &[Filter]| parts.iter().map(filter_shown).collect::<Vec<_>>();
    let text = |field: &TextField| match field {
        TextField::Message => "message",
        TextField::Content => "content",
        TextField::MessageOrContent => "message or content",
    };
    match filter {
        Filter::All => json!({"all": true}),
        Filter::Term(field, value) => json!({"field": field.name(), "any_of": [value]}),
        Filter::AnyOf(field, values) => json!({"field": field.name(), "any_of": values}),
        Filter::Within(field, values) => json!({"field": field.name(), "all_of": values}),
        Filter::Prefix(field, prefix) => json!({"field": field.name(), "prefix": prefix}),
        Filter::CreatedBetween { from_us, to_us } => {
            let open = |at_us: i64, end: i64| (at_us != end).then(|| shown_time(at_us));
            json!({"from": open(*from_us, i64::MIN), "to": open(*to_us, i64::MAX)})
        }
        Filter::SequenceBetween { from, to } => json!({"from_sequence": from, "to_sequence": to}),
        Filter::Acknowledged(state) => json!({"acknowledged": state}),
        Filter::Contains(field, needle) => json!({"in": text(field), "contains": needle}),
        Filter::TextEquals(field, value) => json!({"in": text(field), "equals": value}),
        Filter::And(list) => json!({"and": parts(list)}),
        Filter::Or(list) => json!({"or": parts(list)}),
        Filter::Not(part) => json!({"not": filter_shown(part)}),
    }
}
