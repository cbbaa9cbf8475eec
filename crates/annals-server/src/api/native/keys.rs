//! Keys: made, listed, revoked by an administrator. The secret is shown once, when it is made.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::stats::time;
use crate::auth::keys::{self as store, KEYS_MAX, KeyRecord, NewKey};
use crate::auth::{Scope, Scopes};
use crate::error::{Answer, Failure};
use crate::face;
use crate::request::Request;

const NAME_LEN_MAX: usize = 200;
const USER_ID_LEN_MAX: usize = 1024;
/// As many realms as an event can have: what a limited key writes gets all of its realms.
const REALMS_MAX: usize = annals_engine::VALUES_MAX;
const ORGS_MAX: usize = 100;
const ALLOWED: &[&str] = &["name", "scopes", "realms", "orgs", "user_id", "expires_at"];

#[expect(clippy::unused_async, reason = "handlers are async")]
pub(crate) async fn list(request: Request) -> Answer {
    let keys: Vec<Value> = request.state.keys().list().iter().map(|(record, used)| shown(record, *used)).collect();
    Ok(face::json(StatusCode::OK, json!({"keys": keys}).to_string()))
}

pub(crate) async fn create(request: Request) -> Answer {
    let (state, by) = (request.state.clone(), request.caller.user_id.clone());
    let new = parse(&request.object().await?)?;
    let (record, key) = state
        .write(move |state| {
            let _one_change_at_a_time = state.keys_change().lock();
            if state.keys().len() >= KEYS_MAX {
                return Err(Failure::bad_body(format!("there are {KEYS_MAX} keys already: revoke some")));
            }
            let (record, key) = store::make(new, state.clock().now_us()).map_err(|error| Failure::internal(&error))?;
            let bytes = state.keys().to_bytes_with(&record).map_err(|error| Failure::internal(&error))?;
            // ORDER: durable first, so that a key that was handed out survives a crash.
            state.engine().put_blob(store::BLOB, &bytes)?;
            state.keys().add(record.clone());
            Ok((record, key))
        })
        .await?;
    tracing::info!(id = record.id, ?by, "a key was made");
    let mut body = shown(&record, None);
    if let Value::Object(fields) = &mut body {
        fields.insert("key".to_owned(), Value::String(key));
    }
    Ok(face::json(StatusCode::OK, body.to_string()))
}

pub(crate) async fn delete(request: Request) -> Answer {
    let id = request.id;
    let revoked = id.clone();
    request
        .state
        .write(move |state| {
            let _one_change_at_a_time = state.keys_change().lock();
            if !state.keys().holds(&id) {
                return Err(Failure::not_found("there is no such key"));
            }
            let bytes = state.keys().to_bytes_without(&id).map_err(|error| Failure::internal(&error))?;
            state.engine().put_blob(store::BLOB, &bytes)?;
            state.keys().remove(&id);
            Ok(())
        })
        .await?;
    tracing::info!(id = ?revoked, by = ?request.caller.user_id, "a key was revoked");
    Ok(face::json(StatusCode::OK, r#"{"deleted":1}"#))
}

fn shown(record: &KeyRecord, last_used_us: Option<i64>) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            fields.insert(name.to_owned(), value);
        }
    };
    put("id", json!(record.id));
    put("name", json!(record.name));
    put("scopes", json!(record.scopes));
    put("realms", json!(record.realms));
    put("orgs", json!(record.orgs));
    put("user_id", json!(record.user_id));
    put("expires_at", json!(record.expires_at_us.map(time)));
    put("created_at", json!(time(record.created_at_us)));
    put("last_used", json!(last_used_us.map(time)));
    Value::Object(fields)
}

fn parse(body: &Map<String, Value>) -> Answer<NewKey> {
    if let Some(unknown) = body.keys().find(|key| !ALLOWED.contains(&key.as_str())) {
        return Err(Failure::invalid(unknown.as_str(), format!("is not known; allowed are {}", ALLOWED.join(", "))));
    }
    let name = text(body, "name", NAME_LEN_MAX)?.ok_or_else(|| Failure::invalid("name", "is required"))?;
    let scopes = texts(body, "scopes", Scope::ALL.len(), NAME_LEN_MAX)?
        .ok_or_else(|| Failure::invalid("scopes", "is required"))?;
    let scopes = Scopes::from_names(scopes.iter().map(String::as_str))
        .map_err(|unknown| Failure::invalid("scopes", format!("holds {unknown:?}, which is no scope")))?;
    let realms = texts(body, "realms", REALMS_MAX, 1024)?;
    let orgs = texts(body, "orgs", ORGS_MAX, 1024)?;
    let user_id = text(body, "user_id", USER_ID_LEN_MAX)?;
    let expires_at_us = match body.get("expires_at") {
        None | Some(Value::Null) => None,
        Some(time) => {
            let parsed = time.as_str().and_then(annals_json::parse_time);
            let wanted = "must be an RFC 3339 time in quotes, such as \"2030-01-31T00:00:00Z\"";
            Some(parsed.ok_or_else(|| Failure::invalid("expires_at", wanted))?)
        }
    };
    Ok(NewKey { name, scopes, realms, orgs, user_id, expires_at_us })
}

fn text(body: &Map<String, Value>, name: &str, len_max: usize) -> Answer<Option<String>> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() && text.len() <= len_max => Ok(Some(text.clone())),
        Some(_) => Err(Failure::invalid(name, format!("must be a text of 1 to {len_max} bytes"))),
    }
}

fn texts(body: &Map<String, Value>, name: &str, count_max: usize, len_max: usize) -> Answer<Option<Vec<String>>> {
    let list = match body.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(list)) if list.len() <= count_max => list,
        Some(_) => return Err(Failure::invalid(name, format!("must be a list of texts, at most {count_max}"))),
    };
    let one = |value: &Value| match value {
        Value::String(text) if !text.is_empty() && text.len() <= len_max => Ok(text.clone()),
        _ => Err(Failure::invalid(name, format!("must hold texts of 1 to {len_max} bytes"))),
    };
    list.iter().map(one).collect::<Answer<Vec<_>>>().map(Some)
}
