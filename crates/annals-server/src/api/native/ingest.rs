//! `POST /annals/v1/events`: what was sent, in which form and how carefully; then whole or in part.

use annals_engine::{AppendOptions, Durability};
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::json;

use super::query::{flag, only};
use crate::append::Bounds;
use crate::auth::{Principal, tenancy};
use crate::body::{self, Coding, Pieces};
use crate::error::{Answer, Failure};
use crate::face;
use crate::idempotency;
use crate::request::Request;
use crate::state::AppState;

mod partial;

const DURABILITY: &str = "durability";
const PARTIAL: &str = "partial";
/// Bytes of a body that are parsed before other connections of the thread have their turn.
const PARSED_SIZE_MAX: usize = 256 << 10;
/// Smaller bodies need none of the memory of earlier ones, which is megabytes.
const SPARE_SIZE_MIN: usize = 64 << 10;

/// The form of a body's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Lines,
    Json,
}

/// What became of the events of a body.
#[derive(Clone, Debug, Default)]
struct Tally {
    accepted: u64,
    duplicates: u64,
    rejected: u64,
    errors: Vec<annals_json::LineError>,
}

impl Tally {
    fn answer(&self, status: StatusCode) -> axum::response::Response {
        let errors: Vec<_> =
            self.errors.iter().map(|error| json!({"line": error.line, "error": error.message})).collect();
        let body = json!({
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "rejected": self.rejected,
            "errors": errors,
        });
        face::json(status, body.to_string())
    }

    fn stored(&mut self, receipt: &annals_engine::Receipt) {
        self.accepted += receipt.sequences.end.saturating_sub(receipt.sequences.start);
        self.duplicates += u64::from(receipt.duplicate_count);
    }

    fn refused(&mut self, parsed: &mut annals_json::Parsed) {
        self.rejected += parsed.rejected;
        self.errors.append(&mut parsed.errors);
        self.errors.truncate(annals_json::ERRORS_KEPT_MAX);
    }
}

/// `POST /annals/v1/events`
pub(crate) async fn ingest(request: Request) -> Answer {
    only(&request.params, &[DURABILITY, PARTIAL])?;
    let durability = durability(&request)?;
    let partial = request.params.last(PARTIAL).map_or(Ok(false), |value| flag(PARTIAL, value))?;
    let form = form(&request.headers)?;
    let coding = Coding::of(&request.headers)?;
    let key = idempotency::key(&request.headers, &request.caller)?;
    let how = AppendOptions { durability, scope: request.caller.tenant.clone(), ..AppendOptions::default() };
    match (partial, key) {
        (true, Some(_)) => {
            Err(Failure::invalid("Idempotency-Key", "cannot be given with partial=true: give the events ids"))
        }
        (true, None) if form == Form::Lines => partial::ingest(request, coding, how).await,
        (partial, None) if form == Form::Lines && coding == Coding::Plain => as_it_comes(request, how, partial).await,
        (partial, key) => whole(request, form, coding, how, key, partial).await,
    }
}

/// Reads the whole body, then appends all of it, or with `partial` what is good of it.
async fn whole(
    request: Request,
    form: Form,
    coding: Coding,
    how: AppendOptions,
    key: Option<u128>,
    partial: bool,
) -> Answer {
    let (state, caller) = (request.state, request.caller);
    let running = match key {
        Some(key) => Some(state.run_once(key).ok_or_else(idempotency::still_running)?),
        None => None,
    };
    let limits = state.limits();
    let size_max = limits.ingest_size_max;
    let memory =
        state.ingest_memory(body::announced_size(&request.headers).filter(|_| coding == Coding::Plain)).await?;
    let pieces = Pieces::new(request.body, limits.body_pause_max);
    let packed = body::read_all(pieces, &request.headers, size_max).await?;
    state
        .write(move |state| {
            // Held by the thread, not by the client, who may leave before it is done.
            let _held = (running, memory);
            let plain = body::unpack(packed, coding, size_max)?;
            let mut how = how;
            how.idempotency = key.map(|key| idempotency::of_body(key, &plain));
            append(state, &caller, &plain, form, &how, partial)
        })
        .await
}

/// Parses plain lines while they arrive, then appends all of them, or with `partial` what is good. The events
/// are held as they will be stored, and never the body.
async fn as_it_comes(request: Request, how: AppendOptions, partial: bool) -> Answer {
    let (state, caller) = (request.state, request.caller);
    let limits = state.limits();
    let announced = body::announced_size(&request.headers);
    let mut memory = state.ingest_memory(announced).await?;
    let mut pieces =
        Pieces::new(request.body, limits.body_pause_max).limited(&request.headers, limits.ingest_size_max)?;
    let foreign = tenancy::Guard::new(&state, &caller);
    let mut feed = annals_json::LineFeed::default();
    let mut begun = false;
    while let Some(piece) = pieces.next().await? {
        // Not before something comes, and not for what stays small.
        if !std::mem::replace(&mut begun, true) && announced.unwrap_or(0).max(piece.len()) >= SPARE_SIZE_MIN {
            feed = annals_json::LineFeed::into_batch(state.engine().spare_batch());
        }
        let mut parts = piece.chunks(PARSED_SIZE_MAX).peekable();
        while let Some(part) = parts.next() {
            feed.take(part, &hook(&state, &foreign));
            // Short events take many times the size of their lines.
            memory.cover(feed.memory_bytes())?;
            if parts.peek().is_some() {
                tokio::task::yield_now().await;
            }
        }
        // ORDER: gone before the next one is asked for, which then comes in the same memory.
        drop(piece);
        // Other connections of this thread have their turn.
        tokio::task::yield_now().await;
    }
    let parsed = feed.end(&hook(&state, &foreign));
    let first_foreign = foreign.first();
    state
        .write(move |state| {
            // Held by the thread, not by the client, who may leave before it is done.
            let _held = memory;
            store(state, &caller, parsed, (first_foreign, partial), &how)
        })
        .await
}

/// What the server asks of each event once it is filled in.
fn hook<'g>(state: &AppState, foreign: &'g tenancy::Guard<'g>) -> impl annals_json::Hook + use<'g> {
    let latest_us = state.engine().latest_created_at_us();
    let bounds = Bounds::of(&state.limits());
    move |event: &mut annals_json::IncomingEvent<'_>, line: annals_json::Line<'_>| {
        bounds.check(event, line.bytes)?;
        event.check_not_after(latest_us)?;
        foreign.admit(event, line.number)
    }
}

fn append(
    state: &AppState,
    caller: &Principal,
    plain: &[u8],
    form: Form,
    how: &AppendOptions,
    partial: bool,
) -> Answer {
    let foreign = tenancy::Guard::new(state, caller);
    let hook = hook(state, &foreign);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let parsed = match form {
        Form::Lines => annals_json::parse_ndjson_with(plain, threads, &hook),
        Form::Json => annals_json::parse_json_with(plain, &hook),
    };
    store(state, caller, parsed, (foreign.first(), partial), how)
}

/// Appends what was parsed, unless it is too much or, without `partial`, anything is wrong with it.
fn store(
    state: &AppState,
    caller: &Principal,
    mut parsed: annals_json::Parsed,
    (first_foreign, partial): (Option<String>, bool),
    how: &AppendOptions,
) -> Answer {
    let events_max = state.limits().ingest_events_max;
    if parsed.too_large || parsed.lines > u64::try_from(events_max).unwrap_or(u64::MAX) {
        return Err(Failure::too_large(format!(
            "the body holds more than {events_max} events or more of them than fit a batch: send several, or partial=true"
        )));
    }
    let mut tally = Tally::default();
    if parsed.rejected > 0 && !partial {
        if let Some(sentence) = first_foreign {
            return Err(Failure::forbidden(sentence));
        }
        tally.refused(&mut parsed);
        return Ok(tally.answer(StatusCode::BAD_REQUEST));
    }
    tally.refused(&mut parsed);
    if !parsed.batch.is_empty() {
        state.count_events(caller, parsed.batch.len())?;
        tally.stored(&state.engine().append(parsed.batch, how)?);
    }
    Ok(tally.answer(StatusCode::OK))
}

/// `?durability=`: a level above the store's, or nothing if it is the store's own.
fn durability(request: &Request) -> Answer<Option<Durability>> {
    let asked = match request.params.last(DURABILITY) {
        None => return Ok(None),
        Some("sync") => Durability::Sync,
        Some("interval") => Durability::Interval,
        Some("buffered") => Durability::Buffered,
        Some(_) => return Err(Failure::invalid(DURABILITY, "must be sync, interval or buffered")),
    };
    let own = request.state.engine().options().durability;
    if asked < own {
        return Err(Failure::invalid(DURABILITY, format!("must not be below the server's, which is {own}")));
    }
    Ok((asked > own).then_some(asked))
}

/// The form that the type of a body says; without a type lines.
fn form(headers: &HeaderMap) -> Answer<Form> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(Form::Lines) };
    let text = value.to_str().unwrap_or("?");
    match text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "application/x-ndjson" | "application/json-lines" => Ok(Form::Lines),
        "application/json" => Ok(Form::Json),
        _ => Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Content-Type must be application/x-ndjson, application/json-lines or application/json",
        )),
    }
}
