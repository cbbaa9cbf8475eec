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
    let stats = state.engine().stats();
    // Clients are not told where on this machine the store lies.
    let directory = state.engine().options().directory.join("").to_string_lossy().into_owned();
    let within = |text: &String| text.replace(&directory, "");
    let scrub = &stats.scrub;
    json!({
        "events": stats.events,
        "last_sequence": stats.last_sequence,
        "durable_sequence": stats.durable_sequence,
        "sealed_segments": stats.sealed_segments,
        "sealed_bytes": stats.sealed_bytes,
        "log_bytes": stats.log_bytes,
        "tombstones": stats.tombstones,
        "poisoned": stats.poisoned,
        "disk_full": stats.disk_full,
        "clock_steps_back": stats.clock_steps_back,
        "maintenance_failure": stats.maintenance_failure.as_ref().map(within),
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
