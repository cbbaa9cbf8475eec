//! `GET /annals/v1/store`: figures of the store itself, for whoever runs it.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::query::only;
use crate::auth::grant::shown_time;
use crate::error::Answer;
use crate::face;
use crate::gap;
use crate::request::Request;
use crate::state::AppState;

/// `GET /annals/v1/store`
pub(crate) async fn store(request: Request) -> Answer {
    only(&request.params, &[])?;
    let body = request.state.read(|state| Ok(shown(state).to_string())).await?;
    Ok(face::json(StatusCode::OK, body))
}

fn shown(state: &AppState) -> Value {
    let figures = state.engine().stats();
    // Clients are not told where on this machine the store lies.
    let directory = state.engine().options().directory.join("").to_string_lossy().into_owned();
    let within = |text: &String| text.replace(&directory, "");
    let scrub = &figures.scrub;
    json!({
        "events": figures.events,
        "last_sequence": figures.last_sequence,
        "durable_sequence": figures.durable_sequence,
        "sealed_segments": figures.sealed_segments,
        "sealed_bytes": figures.sealed_bytes,
        "log_bytes": figures.log_bytes,
        "tombstones": figures.tombstones,
        "poisoned": figures.poisoned,
        "disk_full": figures.disk_full,
        "clock_steps_back": figures.clock_steps_back,
        "maintenance_failure": figures.maintenance_failure.as_ref().map(within),
        "scrub": {
            "bytes": scrub.bytes,
            "corrupt_blocks": scrub.corrupt_blocks,
            "passes": scrub.passes,
            "running": scrub.running,
            "segment_id": scrub.segment_id,
            "started_at": scrub.started_at_us.map(shown_time),
            "finished_at": scrub.finished_at_us.map(shown_time),
            "damages": scrub.damages.iter().map(within).collect::<Vec<_>>(),
        },
        "gap": gap::shown(state.engine().snapshot().gaps()),
    })
}
