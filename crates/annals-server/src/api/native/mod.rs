//! The native API (`docs/api.md`, "Native"): everything the store can do, under its own names.

pub(crate) mod health;
pub(crate) mod ingest;
pub(crate) mod item;
pub(crate) mod keys;
pub(crate) mod list;
mod query;
pub(crate) mod stats;
pub(crate) mod tail;
pub(crate) mod verify;

use crate::error::Failure;
use crate::face::Face;

/// Owns every path that no other face owns.
pub(crate) static FACE: Face = Face { name: "native", owns: |_path| true, error_body };

fn error_body(failure: &Failure, request_id: &str) -> Vec<u8> {
    let error = serde_json::json!({"error": {
        "code": failure.code,
        "message": failure.message,
        "request_id": request_id,
    }});
    error.to_string().into_bytes()
}
