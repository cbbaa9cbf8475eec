//! Keys: made, listed, revoked by an administrator. The secret is shown once, when it is made.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::auth::grant::{Grant, only_known, shown_time, text};
use crate::auth::keys::{KeyRecord, NewKey};
use crate::deed::Deed;
use crate::error::{Answer, Failure};
use crate::face;
use crate::rates::OwnRates;
use crate::request::Request;
use crate::state::AppState;

const NAME_LEN_MAX: usize = 200;

#[expect(clippy::unused_async, reason = "handlers are async")]
pub(crate) async fn list(request: Request) -> Answer {
    let keys = request.state.identities().keys.list();
    let keys: Vec<Value> = keys.iter().map(|(record, used)| shown(record, *used)).collect();
    Ok(face::json(StatusCode::OK, json!({"keys": keys}).to_string()))
}

pub(crate) async fn create(request: Request) -> Answer {
    let (state, deed) = (request.state.clone(), request.deed("key.created"));
    let new = parse(&request.object().await?, state.clock().now_us())?;
    let make = |state: &AppState| state.identities().add_key(state.engine(), new);
    let told = |deed: Deed, (record, _): &(KeyRecord, String)| about(deed, record);
    let (record, key) = state.write(move |state| state.audited(deed, make, told)).await?;
    Ok(face::json(StatusCode::OK, with_secret(&record, key).to_string()))
}

/// What is written down of a new key.
pub(crate) fn about(deed: Deed, record: &KeyRecord) -> Deed {
    let deed = deed.on("key", record.id.as_str()).detail("name", json!(record.name));
    let deed = deed.detail("grant", record.grant.shown());
    record.rates.members().fold(deed, |deed, (name, rate)| deed.detail(&name, rate))
}

/// A new key, this once with what opens the door.
pub(crate) fn with_secret(record: &KeyRecord, key: String) -> Value {
    let mut body = shown(record, None);
    if let Value::Object(fields) = &mut body {
        fields.insert("key".to_owned(), Value::String(key));
    }
    body
}

pub(crate) async fn delete(request: Request) -> Answer {
    let deed = request.deed("key.revoked").on("key", request.id.as_str());
    let id = request.id;
    let revoke = move |state: &AppState| state.identities().revoke_key(state.engine(), &id);
    request.state.write(move |state| state.audited(deed, revoke, |deed, ()| deed)).await?;
    Ok(face::json(StatusCode::OK, r#"{"deleted":1}"#))
}

/// A key as lists show it.
pub(crate) fn shown(record: &KeyRecord, last_used_us: Option<i64>) -> Value {
    let mut fields = Map::new();
    fields.insert("id".to_owned(), json!(record.id));
    fields.insert("name".to_owned(), json!(record.name));
    fields.extend(record.grant.members());
    fields.extend(record.rates.members());
    fields.insert("created_at".to_owned(), json!(shown_time(record.created_at_us)));
    if let Some(used_us) = last_used_us {
        fields.insert("last_used".to_owned(), json!(shown_time(used_us)));
    }
    Value::Object(fields)
}

/// What a new key is to be.
pub(crate) fn parse(body: &Map<String, Value>, now_us: i64) -> Answer<NewKey> {
    const OWN: [&str; 3] = ["name", OwnRates::NAMES[0].0, OwnRates::NAMES[1].0];
    only_known(body, &OWN)?;
    let name = text(body, "name", NAME_LEN_MAX)?.ok_or_else(|| Failure::invalid("name", "is required"))?;
    Ok(NewKey { name, grant: Grant::parse(body, now_us)?, rates: OwnRates::parse(body)? })
}
