//! `/annals/v1/retention`: standing policies, and what they would delete.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::query::only;
use crate::auth::grant::shown_time;
use crate::deed::Deed;
use crate::error::{Answer, Failure};
use crate::face;
use crate::request::Request;
use crate::retention::{
    self, EVENT_TYPE_SIZE_MAX, KEEP_DAYS_MAX, NAME_SIZE_MAX, POLICIES_MAX, Policies, Policy, REALM_SIZE_MAX,
};
use crate::state::AppState;

const POLICIES: &str = "policies";
const CONFIRM: &str = "confirm";
const MEMBERS: &[&str] = &["name", "realm", "event_type", "keep_days"];

/// `GET /annals/v1/retention`
#[expect(clippy::unused_async, reason = "handlers are async")]
pub(crate) async fn get(request: Request) -> Answer {
    only(&request.params, &[])?;
    Ok(shown(&request.state))
}

/// `PUT /annals/v1/retention`
pub(crate) async fn put(request: Request) -> Answer {
    only(&request.params, &[])?;
    let (state, deed) = (request.state.clone(), request.deed("retention.set"));
    let body = request.object().await?;
    known(&body, &[POLICIES, CONFIRM], "")?;
    let may_delete = match body.get(CONFIRM) {
        None | Some(Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(u64::MAX),
        Some(value) => Some(value.as_u64().ok_or_else(|| {
            Failure::invalid(CONFIRM, "must be true, false, or the number of events that may be deleted at most")
        })?),
    };
    let list = policies(&body)?;
    if list.is_none() && may_delete.is_none() {
        return Err(Failure::invalid(POLICIES, "is required: the whole list, [] for no policy"));
    }
    let confirm = body.get(CONFIRM).cloned().unwrap_or(json!(false));
    let deed = deed.detail(CONFIRM, confirm).detail(POLICIES, body.get(POLICIES).cloned().unwrap_or_default());
    let set = move |state: &AppState| {
        let may_delete = may_delete.unwrap_or(0);
        if let Some(list) = list {
            return retention::replace(state, list, may_delete);
        }
        retention::confirm(state, may_delete);
        Ok(())
    };
    state.write(move |state| state.audited(deed, set, |deed: Deed, ()| deed)).await?;
    Ok(shown(&state))
}

/// `POST /annals/v1/retention/preview`
pub(crate) async fn preview(request: Request) -> Answer {
    only(&request.params, &[])?;
    let state = request.state.clone();
    let body = request.object().await?;
    known(&body, &[POLICIES], "")?;
    let held = state.retention().policies();
    let asked = match policies(&body)? {
        Some(list) => held.replaced_by(list),
        None => Policies::clone(&held),
    };
    let body = state
        .read(move |state| {
            let now_us = state.clock().now_us();
            let outlook = retention::outlook(state.engine(), &asked, now_us, &*state.expiry())?;
            let each = asked.list.iter().zip(&outlook.each).map(|(policy, (cutoff_us, would_delete))| {
                let mut fields = fields(policy, *cutoff_us);
                fields.insert("would_delete".to_owned(), json!(would_delete));
                Value::Object(fields)
            });
            Ok(json!({
                "policies": each.collect::<Vec<_>>(),
                "would_delete": outlook.would_delete,
                "events": outlook.events,
                "needs_confirmation": outlook.needs_confirmation(),
            }))
        })
        .await?;
    Ok(face::json(StatusCode::OK, body.to_string()))
}

fn shown(state: &AppState) -> Response {
    let (policies, status) = (state.retention().policies(), state.retention().status());
    let list: Vec<_> = policies.list.iter().map(|policy| fields(policy, policy.cutoff_us)).collect();
    let waiting = status.waiting.map(|waiting| {
        json!({"since": shown_time(waiting.since_us), "would_delete": waiting.would_delete, "events": waiting.events})
    });
    let last_pass = status
        .last
        .map(|pass| json!({"at": shown_time(pass.at_us), "deleted": pass.deleted, "confirmed": pass.confirmed}));
    let failure = status.failure.map(|failure| json!({"code": failure.code, "message": failure.message}));
    let body = json!({"policies": list, "waiting": waiting, "last_pass": last_pass, "failure": failure});
    face::json(StatusCode::OK, body.to_string())
}

fn fields(policy: &Policy, cutoff_us: Option<i64>) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(policy.name));
    for (name, value) in [("realm", &policy.realm), ("event_type", &policy.event_type)] {
        if let Some(value) = value {
            fields.insert(name.to_owned(), json!(value));
        }
    }
    fields.insert("keep_days".to_owned(), json!(policy.keep_days));
    fields.insert("cutoff".to_owned(), json!(cutoff_us.map(shown_time)));
    fields
}

/// The list of a body, if it has one.
fn policies(body: &Map<String, Value>) -> Answer<Option<Vec<Policy>>> {
    let Some(value) = body.get(POLICIES) else { return Ok(None) };
    let list = value.as_array().filter(|list| list.len() <= POLICIES_MAX);
    let wanted = || Failure::invalid(POLICIES, format!("must be a list of objects, at most {POLICIES_MAX}"));
    let mut read: Vec<Policy> = Vec::new();
    for (index, value) in list.ok_or_else(wanted)?.iter().enumerate() {
        let place = format!("{POLICIES}[{index}].");
        let policy = policy(value.as_object().ok_or_else(wanted)?, &place)?;
        if read.iter().any(|other| other.name == policy.name) {
            return Err(Failure::invalid(format!("{place}name"), "is the name of another policy of the list"));
        }
        read.push(policy);
    }
    Ok(Some(read))
}

fn policy(fields: &Map<String, Value>, place: &str) -> Answer<Policy> {
    known(fields, MEMBERS, place)?;
    let name = text(fields, place, "name", NAME_SIZE_MAX)?;
    let name = name.ok_or_else(|| Failure::invalid(format!("{place}name"), "is required"))?;
    let days = fields.get("keep_days").and_then(Value::as_u64).filter(|days| (1..=KEEP_DAYS_MAX).contains(days));
    let keep_days = days.and_then(|days| u32::try_from(days).ok()).ok_or_else(|| {
        Failure::invalid(format!("{place}keep_days"), format!("must be a whole number of 1 to {KEEP_DAYS_MAX}"))
    })?;
    Ok(Policy {
        name,
        realm: text(fields, place, "realm", REALM_SIZE_MAX)?,
        event_type: text(fields, place, "event_type", EVENT_TYPE_SIZE_MAX)?,
        keep_days,
        cutoff_us: None,
    })
}

/// A text that is not empty: an empty one would read as every realm or type, and delete them.
fn text(fields: &Map<String, Value>, place: &str, name: &str, size_max: usize) -> Answer<Option<String>> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if (1..=size_max).contains(&text.len()) => Ok(Some(text.clone())),
        Some(_) => Err(Failure::invalid(format!("{place}{name}"), format!("must be a text of 1 to {size_max} bytes"))),
    }
}

/// Refuses every key but these: a slip must not widen a delete.
fn known(fields: &Map<String, Value>, allowed: &[&str], place: &str) -> Answer<()> {
    match fields.keys().find(|key| !allowed.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            Err(Failure::invalid(format!("{place}{key}"), format!("is not known; allowed are {}", allowed.join(", "))))
        }
    }
}
