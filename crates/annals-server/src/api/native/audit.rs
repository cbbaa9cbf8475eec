//! `GET /annals/v1/audit`: the internal store, listed as events are.

use axum::http::StatusCode;

use super::list::{Source, page};
use crate::error::{Answer, Failure};
use crate::request::Request;

/// `GET /annals/v1/audit`
pub(crate) async fn list(request: Request) -> Answer {
    let engine = request.state.internal().engine().ok_or_else(|| {
        let message = "the internal store is not there: the store takes no writes, or its disk was full at the start";
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "no_internal_store", message)
    })?;
    let cursor_key = request.state.internal_cursor_key().clone();
    page(request, Source { engine, cursor_key }).await
}
