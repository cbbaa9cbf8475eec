//! `GET /annals/v1/me`: who the caller is and what it may do, as the server sees it.

use annals_engine::TenantScope;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::query::only;
use crate::auth::grant::shown_time;
use crate::auth::token_until_us;
use crate::error::Answer;
use crate::face;
use crate::request::Request;

/// `GET /annals/v1/me`
#[expect(clippy::unused_async, reason = "handlers are async")]
pub(crate) async fn me(request: Request) -> Answer {
    only(&request.params, &[])?;
    Ok(face::json(StatusCode::OK, shown(&request).to_string()))
}

fn shown(request: &Request) -> Value {
    let caller = &request.caller;
    let key = request.state.identities().keys.record(&caller.key_id);
    let name = match (&key, caller.key_id.split_once(':')) {
        (Some(record), _) => record.name.as_str(),
        (None, Some((_, name))) => name,
        (None, None) => "administrator",
    };
    // A user's token ends before the user does, or with it.
    let until_us = key
        .as_ref()
        .map_or_else(|| token_until_us(&request.state, &request.headers), |record| record.grant.expires_at_us);
    let (realms, orgs): (&[String], &[String]) = match &caller.tenant {
        TenantScope::Unlimited => (&[], &[]),
        TenantScope::Limited { realms, orgs } => (realms, orgs),
    };
    json!({
        "name": name,
        "kind": caller.kind(),
        "scopes": caller.scopes.names(),
        "realms": realms,
        "orgs": orgs,
        "unlimited": caller.tenant == TenantScope::Unlimited,
        "user_id": caller.user_id,
        "expires_at": until_us.map(shown_time),
    })
}
