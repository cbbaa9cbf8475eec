//! `POST /v1/auth/token`: a bearer token for a password, by the password grant of OAuth 2.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::auth::{self, Scopes};
use crate::error::{Answer, Failure};
use crate::face;
use crate::params::Params;
use crate::request::Request;
use crate::state::AppState;

const GRANT_TYPE: &str = "password";

/// What a client sends.
struct Form {
    username: String,
    password: String,
    /// Scopes parted by blanks; empty: all that the user has.
    scope: String,
}

/// `POST /v1/auth/token`
pub(crate) async fn issue(request: Request) -> Answer {
    let (state, face, peer) = (request.state.clone(), request.face, request.peer);
    if let Some(wait_s) = peer.and_then(|address| state.wrong_keys().must_wait(address, state.clock().monotonic())) {
        return Err(Failure::rate_limited(wait_s));
    }
    let form = Form::parse(&request.small_body().await?)?;
    may_try(&state, &form.username)?;
    let username = form.username.clone();
    let answer = state
        .password(move |state| {
            // Others may have used the minute up while this one waited for its turn.
            may_try(state, &form.username)?;
            log_in(state, &form)
        })
        .await;
    if answer.as_ref().is_err_and(|failure| failure.status == StatusCode::UNAUTHORIZED) {
        auth::count_wrong(&state, face, peer);
        auth::count_wrong_name(&state, face, peer, &username);
    }
    Ok(face::json(StatusCode::OK, answer?.to_string()))
}

/// Refuses the right password too: otherwise whoever goes on guessing would learn it all the same.
fn may_try(state: &AppState, username: &str) -> Answer<()> {
    let wait_s = state.wrong_keys().name_must_wait(username, state.clock().monotonic());
    wait_s.map_or(Ok(()), |wait_s| Err(Failure::rate_limited(wait_s)))
}

/// Takes as long for a name that nobody has as for a wrong password.
fn log_in(state: &AppState, form: &Form) -> Answer<Value> {
    let (identities, now_us) = (state.identities(), state.clock().now_us());
    let found = identities.users.log_in(&form.username, &form.password, now_us);
    let Some((mut claim, grant)) = found.map_err(|error| Failure::internal(&error))? else {
        let message = "Incorrect username or password";
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "wrong_password", message));
    };
    if let Some(wanted) = form.scopes()? {
        let granted = claim.scopes.limit(wanted);
        if granted != wanted {
            return Err(Failure::bad_body("scope holds one that the user does not have"));
        }
        claim.scopes = granted;
    }
    let (token, seconds) = identities.tokens.issue(&claim, grant.expires_at_us, now_us);
    Ok(json!({"access_token": token, "token_type": "bearer", "expires_in": seconds}))
}

impl Form {
    fn parse(body: &[u8]) -> Answer<Self> {
        let text = std::str::from_utf8(body).map_err(|_not_text| unreadable())?;
        // A body of another type has none of the fields.
        let fields = Params::parse(Some(text)).map_err(|_not_text| unreadable())?;
        // As in the vendor's framework, an empty field is a missing one.
        let field = |name: &str| fields.last(name).filter(|value| !value.is_empty());
        let mut wrong = Vec::new();
        if let Some(grant_type) = field("grant_type").filter(|grant_type| *grant_type != GRANT_TYPE) {
            let pattern = format!("^{GRANT_TYPE}$");
            wrong.push(json!({
                "type": "string_pattern_mismatch",
                "loc": ["body", "grant_type"],
                "msg": format!("String should match pattern '{pattern}'"),
                "input": grant_type,
                "ctx": {"pattern": pattern},
            }));
        }
        for name in ["username", "password"] {
            if field(name).is_none() {
                wrong.push(json!({"type": "missing", "loc": ["body", name], "msg": "Field required", "input": null}));
            }
        }
        match (field("username"), field("password")) {
            (Some(username), Some(password)) if wrong.is_empty() => Ok(Self {
                username: username.to_owned(),
                password: password.to_owned(),
                scope: field("scope").unwrap_or_default().to_owned(),
            }),
            _ => {
                let body = json!({"detail": wrong});
                Err(Failure::with_body(StatusCode::UNPROCESSABLE_ENTITY, "invalid_form", body))
            }
        }
    }

    /// The scopes asked for, if any.
    fn scopes(&self) -> Answer<Option<Scopes>> {
        let names: Vec<&str> = self.scope.split_ascii_whitespace().collect();
        if names.is_empty() {
            return Ok(None);
        }
        let scopes = Scopes::from_names(names);
        scopes.map(Some).map_err(|_unknown| Failure::bad_body("scope holds one that is unknown"))
    }
}

fn unreadable() -> Failure {
    Failure::bad_body("There was an error parsing the body")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> Value {
        Form::parse(body.as_bytes()).err().unwrap().body.unwrap()["detail"].clone()
    }

    #[test]
    fn a_form_is_decoded() {
        let form = Form::parse(b"grant_type=password&username=a%40b&password=x+y%26&scope=&client_id=").unwrap();
        assert_eq!((&*form.username, &*form.password), ("a@b", "x y&"));
        assert!(form.scopes().unwrap().is_none());
        let form = Form::parse(b"username=a&password=b&scope=events:read+audit%3Aread").unwrap();
        assert_eq!(form.scopes().unwrap().unwrap().names(), ["events:read", "audit:read"]);
        assert_eq!(Form::parse(b"username=%ff&password=b").err().unwrap().status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn every_missing_field_is_named() {
        let missing =
            |name: &str| json!({"type": "missing", "loc": ["body", name], "msg": "Field required", "input": null});
        assert_eq!(refused(""), json!([missing("username"), missing("password")]));
        assert_eq!(refused(r#"{"username":"a","password":"b"}"#), refused(""));
        assert_eq!(refused("username=a&password="), json!([missing("password")]));
        let grant = refused("grant_type=code&username=a&password=b");
        assert_eq!((&grant[0]["type"], &grant[0]["input"]), (&json!("string_pattern_mismatch"), &json!("code")));
    }
}
