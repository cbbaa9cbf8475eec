//! What a face is to the server: routes, a path space, and the form of its refusals.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::Value;

use crate::auth::Principal;
use crate::error::{Answer, Failure};
use crate::routes::Route;
use crate::state::AppState;

/// One documented API. Adding one is a module with a value of this type and its line in
/// [`crate::routes::FACES`].
pub(crate) struct Face {
    pub(crate) name: &'static str,
    /// A sentence for the documentation.
    pub(crate) about: &'static str,
    /// Whether a path belongs to it, known or not.
    pub(crate) owns: fn(&str) -> bool,
    pub(crate) routes: &'static [Route],
    /// What its routes' paths are prefixed with; once for each.
    pub(crate) mounts: &'static [&'static str],
    pub(crate) slash: Slash,
    /// The `WWW-Authenticate` of its 401.
    pub(crate) challenge: &'static str,
    /// The caller as something before the key tells it, if the face has such a thing.
    pub(crate) caller: Option<CallerOf>,
    /// The status and the JSON body of a refusal.
    pub(crate) refusal: fn(&Failure, &Refused<'_>) -> (StatusCode, Value),
    /// The schemas that its operations refer to by name; the one named `Error` is that of refusals.
    pub(crate) schemas: fn() -> Value,
}

/// Recognises a caller from headers and the peer's address; `None` leaves it to the key.
pub(crate) type CallerOf = fn(&AppState, &HeaderMap, Option<IpAddr>) -> Option<Answer<Principal>>;

/// What a path with or without a slash at its end means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slash {
    /// The same.
    Either,
    /// Routes end with it; GET and HEAD without it are sent there.
    Redirect,
}

/// The request that is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) request_id: &'a str,
    /// UTC microseconds.
    pub(crate) now_us: i64,
}

impl Face {
    /// The answer to a failed request.
    pub(crate) fn fail(&self, failure: &Failure, refused: &Refused<'_>) -> Response {
        let (status, body) = (self.refusal)(failure, refused);
        let mut response = json(status, body.to_string());
        let headers = response.headers_mut();
        if let Some(seconds) = failure.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = failure.allow.as_deref().and_then(|methods| HeaderValue::from_str(methods).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(self.challenge));
        }
        response
    }
}

/// An answer of JSON.
pub(crate) fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
