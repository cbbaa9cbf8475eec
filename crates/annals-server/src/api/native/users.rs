//! Users: made, listed, removed by an administrator. A password is taken and never shown.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::auth::grant::shown_time;
use crate::auth::users::{NewUser, UserRecord};
use crate::deed::Deed;
use crate::error::Answer;
use crate::face;
use crate::request::Request;
use crate::state::AppState;

/// `GET /annals/v1/users`
#[expect(clippy::unused_async, reason = "handlers are async")]
pub(crate) async fn list(request: Request) -> Answer {
    let users = request.state.identities().users.list();
    let users: Vec<Value> = users.iter().map(|(record, used)| shown(record, *used)).collect();
    Ok(face::json(StatusCode::OK, json!({"users": users}).to_string()))
}

/// `POST /annals/v1/users`
pub(crate) async fn create(request: Request) -> Answer {
    let (state, deed) = (request.state.clone(), request.deed("user.created"));
    let new = NewUser::parse(&request.object().await?, state.clock().now_us())?;
    let deed = deed.on("user", new.username.as_str());
    let make = |state: &AppState| state.identities().add_user(state.engine(), new);
    let told = |deed: Deed, record: &UserRecord| deed.detail("grant", record.grant.shown());
    let record = state.password(move |state| state.audited(deed, make, told)).await?;
    Ok(face::json(StatusCode::OK, shown(&record, None).to_string()))
}

/// `DELETE /annals/v1/users/{username}`
pub(crate) async fn delete(request: Request) -> Answer {
    let deed = request.deed("user.removed").on("user", request.id.as_str());
    let username = request.id;
    let remove = move |state: &AppState| state.identities().remove_user(state.engine(), &username);
    request.state.write(move |state| state.audited(deed, remove, |deed, ()| deed)).await?;
    Ok(face::json(StatusCode::OK, r#"{"deleted":1}"#))
}

fn shown(record: &UserRecord, last_used_us: Option<i64>) -> Value {
    let mut fields = Map::new();
    fields.insert("username".to_owned(), json!(record.username));
    fields.extend(record.grant.members());
    fields.insert("created_at".to_owned(), json!(shown_time(record.created_at_us)));
    if let Some(used_us) = last_used_us {
        fields.insert("last_used".to_owned(), json!(shown_time(used_us)));
    }
    Value::Object(fields)
}
