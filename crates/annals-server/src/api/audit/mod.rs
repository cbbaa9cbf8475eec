//! audit: tokens for passwords, as its clients ask for them (`docs/api.md`, "audit").
//!
//! Refusals look like those of the framework that the vendor uses: `{"detail": ...}`, and for what is
//! wrong with parameters a list of `type`, `loc`, `msg` and `input` with 422.

mod about;
mod token;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::auth::Access::Open;
use crate::error::{Detail, Failure};
use crate::face::{Face, Refused, Slash};
use crate::routes::route_table;

/// Owns `/v1/audit` and `/v1/auth`.
pub(crate) static FACE: Face = Face {
    name: "audit",
    about: "Audit events and the tokens to read them with, as the InstaVM API documents them.",
    owns: |path| ["/v1/audit", "/v1/auth"].iter().any(|own| is_within(path, own)),
    routes: route_table! {
        POST "/v1/auth/token" Open => token::issue, about::token;
    },
    mounts: &[""],
    slash: Slash::Either,
    challenge: "Bearer",
    caller: None,
    refusal,
    schemas: about::schemas,
};

fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn refusal(failure: &Failure, _refused: &Refused<'_>) -> (StatusCode, Value) {
    if let Some(body) = &failure.body {
        return (failure.status, body.clone());
    }
    if !failure.details.is_empty() {
        let list: Vec<Value> = failure.details.iter().map(invalid).collect();
        return (StatusCode::UNPROCESSABLE_ENTITY, json!({"detail": list}));
    }
    let detail = match failure.code {
        "unauthorized" | "invalid_key" => "Not authenticated",
        "not_found" => "Not Found",
        "method_not_allowed" => "Method Not Allowed",
        _ => &failure.message,
    };
    (failure.status, json!({"detail": detail}))
}

fn invalid(one: &Detail) -> Value {
    json!({"type": "value_error", "loc": ["query", one.place], "msg": format!("Value error, {}", one.message)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_paths_are_audit_and_auth() {
        for (path, own) in [
            ("/v1/audit", true),
            ("/v1/auth/token", true),
            ("/v1/audit/events/1", true),
            ("/v1/author", false),
            ("/v1", false),
        ] {
            assert_eq!((FACE.owns)(path), own, "{path}");
        }
    }

    #[test]
    fn refusals_have_a_detail() {
        let refused = Refused { method: "GET", path: "/", request_id: "r", now_us: 0 };
        let (status, body) = refusal(&Failure::wrong_key(), &refused);
        assert_eq!((status.as_u16(), body), (401, json!({"detail": "Not authenticated"})));
        let (status, body) = refusal(&Failure::invalid("limit", "must be <= 200"), &refused);
        let expected = json!({"detail": [
            {"type": "value_error", "loc": ["query", "limit"], "msg": "Value error, must be <= 200"},
        ]});
        assert_eq!((status.as_u16(), body), (422, expected));
    }
}
