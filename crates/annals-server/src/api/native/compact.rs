//! `POST /annals/v1/admin/compact`: seals and merges now what the store would some time later.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::query::only;
use crate::deed::Deed;
use crate::error::{Answer, Failure};
use crate::face;
use crate::request::Request;
use crate::state::AppState;

/// What was done.
#[derive(Clone, Copy, Debug)]
struct Done {
    rewritten: u64,
    before: Extent,
    after: Extent,
    took: Duration,
}

/// What is sealed.
#[derive(Clone, Copy, Debug)]
struct Extent {
    segments: u64,
    bytes: u64,
}

/// `POST /annals/v1/admin/compact`
pub(crate) async fn compact(request: Request) -> Answer {
    only(&request.params, &[])?;
    let (state, deed) = (request.state.clone(), request.deed("store.compacted"));
    // There is nothing to say yet: whoever says something means what this does not do.
    if let Some(unknown) = request.object().await?.keys().next() {
        return Err(Failure::invalid(unknown.as_str(), "is not known; the body is empty"));
    }
    let told = |deed: Deed, done: &Done| {
        deed.count(done.rewritten)
            .detail("bytes_before", json!(done.before.bytes))
            .detail("bytes_after", json!(done.after.bytes))
    };
    let done = state.compact(move |state| state.audited(deed, act, told))?.await?;
    Ok(face::json(StatusCode::OK, shown(&done).to_string()))
}

/// Blocks for as long as it takes to read and write what is rewritten.
fn act(state: &AppState) -> Answer<Done> {
    let engine = state.engine();
    let started = state.clock().monotonic();
    let extent = || {
        let figures = engine.stats();
        Extent { segments: figures.sealed_segments, bytes: figures.sealed_bytes }
    };
    if let Some(refusal) = engine.write_refusal() {
        return Err(Failure::from(&refusal));
    }
    engine.seal_now()?;
    let before = extent();
    let rewritten = engine.compact()?;
    Ok(Done { rewritten, before, after: extent(), took: state.clock().monotonic().saturating_sub(started) })
}

fn shown(done: &Done) -> Value {
    json!({
        "rewritten": done.rewritten,
        "segments_before": done.before.segments,
        "segments_after": done.after.segments,
        "bytes_before": done.before.bytes,
        "bytes_after": done.after.bytes,
        "seconds": done.took.as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use annals_engine::{Engine, Options};

    use super::*;
    use crate::config::ServerConfig;

    #[tokio::test]
    async fn a_second_one_is_refused_while_one_runs() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(Options::new(directory.path())).unwrap();
        let state = AppState::with_engine(engine, &ServerConfig::new(directory.path())).unwrap().state;
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let first = state.compact(move |_| Ok(finished.recv().is_err())).unwrap();
        let refused = state.compact(|_| Ok(())).map(|_| ()).unwrap_err();
        assert_eq!((refused.status, refused.code), (StatusCode::CONFLICT, "compaction_running"));
        drop(finish);
        assert!(first.await.unwrap());
        state.compact(|_| Ok(())).unwrap().await.unwrap();
    }
}
