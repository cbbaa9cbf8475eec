//! What a face is to the router: a path space and the body of its errors.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::error::Failure;

/// One documented API.
pub(crate) struct Face {
    pub(crate) name: &'static str,
    /// Whether a path belongs to it, known or not.
    pub(crate) owns: fn(&str) -> bool,
    /// The body of an error, JSON.
    pub(crate) error_body: fn(&Failure, request_id: &str) -> Vec<u8>,
}

impl Face {
    /// The answer to a failed request.
    pub(crate) fn fail(&self, failure: &Failure, request_id: &str) -> Response {
        let mut response = json(failure.status, (self.error_body)(failure, request_id));
        let headers = response.headers_mut();
        if let Some(seconds) = failure.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = failure.allow.as_deref().and_then(|methods| HeaderValue::from_str(methods).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        if failure.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
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
