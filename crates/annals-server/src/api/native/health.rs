//! `/healthz`: the process answers. `/readyz`: new work is welcome.

use axum::http::StatusCode;

use crate::error::{Answer, Failure};
use crate::face::json;
use crate::request::Request;

#[expect(clippy::unused_async, reason = "handlers are async")]
pub(crate) async fn alive(_request: Request) -> Answer {
    Ok(json(StatusCode::OK, r#"{"status":"ok"}"#))
}

pub(crate) async fn ready(request: Request) -> Answer {
    let unready = request.state.read(|state| Ok(state.unready())).await?;
    match unready {
        None => Ok(json(StatusCode::OK, r#"{"status":"ready"}"#)),
        Some(code) => Err(Failure::unavailable(code, format!("the server takes no new work: {code}"))),
    }
}
