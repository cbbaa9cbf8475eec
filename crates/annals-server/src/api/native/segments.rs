//! `GET /annals/v1/segments`: what the store consists of, partition by partition, for whoever runs it.

use annals_engine::{EngineStats, Field, Filter, ScrubStats, SegmentFigures, TenantScope};
use annals_query::{Query, Total};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::query::{number, only};
use crate::auth::grant::shown_time;
use crate::error::Answer;
use crate::face;
use crate::request::Request;
use crate::state::AppState;

const LIMIT_DEFAULT: u64 = 1000;
const LIMIT_MAX: u64 = 10_000;

/// `GET /annals/v1/segments`
pub(crate) async fn segments(request: Request) -> Answer {
    only(&request.params, &["limit", "offset"])?;
    let limit = number(&request.params, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)?;
    let offset = number(&request.params, "offset", 0, 0, u64::MAX)?;
    let body = request.state.read(move |state| Ok(shown(state, limit, offset)?.to_string())).await?;
    Ok(face::json(StatusCode::OK, body))
}

fn shown(state: &AppState, limit: u64, offset: u64) -> Answer<Value> {
    let segments = state.engine().segments();
    let figures = state.engine().stats();
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(segments.len());
    let to = from.saturating_add(usize::try_from(limit).unwrap_or(usize::MAX)).min(segments.len());
    let page = segments.get(from..to).unwrap_or_default();
    let partitions = page.chunk_by(|a, b| place_of(a) == place_of(b)).map(|own| partition(own, &figures.scrub));
    Ok(json!({
        "partitions": partitions.collect::<Vec<Value>>(),
        "total": segments.len(),
        "limit": limit,
        "offset": offset,
        "log": log(&figures),
        "compaction": compaction(state, &figures),
        "scrub": scrub(&figures.scrub),
        "last_verification": last_verification(state)?,
    }))
}

fn place_of(segment: &SegmentFigures) -> (i64, Option<u8>) {
    (segment.partition_start_us, segment.partition_span.map(|span| span as u8))
}

/// A partition and those of its segments that are on the page.
fn partition(segments: &[SegmentFigures], scrub: &ScrubStats) -> Value {
    let place = segments.first().map(|first| (first.partition_start_us, first.partition_span));
    let (start_us, span) = place.unwrap_or_default();
    json!({
        "start": shown_time(start_us),
        "end": span.map(|span| shown_time(span.end_us(start_us))),
        "span": span.map(|span| span.to_string()),
        "segments": segments.iter().map(|one| segment(one, scrub)).collect::<Vec<_>>(),
    })
}

fn segment(segment: &SegmentFigures, scrub: &ScrubStats) -> Value {
    json!({
        "id": segment.id,
        "bytes": segment.size_bytes,
        "events": segment.rows.saturating_sub(segment.deleted),
        "deleted": segment.deleted,
        "created_at_min": shown_time(segment.created_at_us.0),
        "created_at_max": shown_time(segment.created_at_us.1),
        "first_sequence": segment.sequences.0,
        "last_sequence": segment.sequences.1,
        "sealed_at": segment.sealed_at_us.map(shown_time),
        "packed": segment.is_packed,
        "readable": segment.sealed_at_us.is_some(),
        // A pass goes from the smallest id to the largest.
        "scrubbed": scrub.segment_id.map(|last| segment.id <= last),
    })
}

fn log(figures: &EngineStats) -> Value {
    json!({
        "bytes": figures.log_bytes,
        "rows": figures.live_rows,
        "waiting_to_be_sealed": figures.unsealed_logs,
        "seal_lag_ms": figures.seal_lag_ms,
        "seals": figures.seals,
    })
}

fn compaction(state: &AppState, figures: &EngineStats) -> Value {
    // Clients are not told where on this machine the store lies.
    let directory = state.engine().options().directory.join("").to_string_lossy().into_owned();
    json!({
        "due": figures.compaction_due,
        "compactions": figures.compactions,
        "failure": figures.maintenance_failure.as_ref().map(|text| text.replace(&directory, "")),
    })
}

fn scrub(scrub: &ScrubStats) -> Value {
    json!({
        "running": scrub.running,
        "started_at": scrub.started_at_us.map(shown_time),
        "finished_at": scrub.finished_at_us.map(shown_time),
        "passes": scrub.passes,
        "corrupt_blocks": scrub.corrupt_blocks,
    })
}

/// What was last asked for by `POST /annals/v1/verify` or on the command line, as the internal store has it.
fn last_verification(state: &AppState) -> Answer<Value> {
    let Some(internal) = state.internal().engine() else { return Ok(Value::Null) };
    let verified = Filter::term(Field::EventType, "store.verified");
    let query = Query::new(&TenantScope::Unlimited).filter(verified).total(Total::None).limit(1);
    let page = annals_query::execute(&internal.snapshot(), &query, &*state.expiry())?;
    let Some(event) = page.events.first() else { return Ok(Value::Null) };
    let told: Value = event.payload().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    Ok(json!({
        "at": shown_time(event.created_at_us),
        "result": told.get("result"),
        "events": told.get("count"),
        "damages": told.get("damages"),
    }))
}
