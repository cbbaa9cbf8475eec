//! `partial=true`: a stream of lines without an end in sight, in bounded memory. While one batch is
//! being appended the next one is parsed and the one behind it arrives.

use std::io::{self, Read};
use std::sync::mpsc::sync_channel;

use annals_engine::AppendOptions;
use annals_json::{BatchReader, IncomingEvent, Line, LineError, Parsed};
use axum::http::StatusCode;
use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

use super::Tally;
use crate::append::Bounds;
use crate::auth::{Principal, tenancy};
use crate::body::{Coding, Pieces, damaged, zstd_reader};
use crate::error::{Answer, Failure};
use crate::request::Request;
use crate::state::AppState;

/// Pieces of a body that wait for the parser.
const PIECES_MAX: usize = 8;

/// Stores the good lines of a body as they come.
pub(super) async fn ingest(request: Request, coding: Coding, how: AppendOptions) -> Answer {
    let (state, caller) = (request.state, request.caller);
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let arriving = Arriving { receiver, piece: Bytes::new() };
    let storing = state.stream(move |state| store(state, &caller, arriving, coding, &how))?;
    let mut pieces = Pieces::new(request.body, state.limits().body_pause_max);
    let mut broken = None;
    loop {
        match pieces.next().await {
            Ok(Some(piece)) => {
                // A parser that is gone has an answer already.
                if sender.send(Ok(piece)).await.is_err() {
                    break;
                }
            }
            Ok(None) => break,
            Err(failure) => {
                let _ = sender.send(Err(io::Error::other(failure.code))).await;
                broken = Some(failure);
                break;
            }
        }
    }
    drop(sender);
    let Stored { mut tally, next_line, unreadable } = storing.await?;
    // What the client did weighs more than what the parser then saw of it.
    let Some(failure) = broken.or(unreadable) else { return Ok(tally.answer(StatusCode::OK)) };
    // Lines were stored: the client learns which, behind the errors that are kept of them.
    let message = format!("the body breaks off: {}", failure.message);
    tally.errors.push(LineError { line: next_line, message });
    Ok(tally.answer(failure.status))
}

/// What became of a stream.
struct Stored {
    tally: Tally,
    /// The line behind those that were looked at.
    next_line: u64,
    /// Why the stream could not be read to its end.
    unreadable: Option<Failure>,
}

/// Parses and appends until the stream ends. Blocks.
fn store(
    state: &AppState,
    caller: &Principal,
    arriving: Arriving,
    coding: Coding,
    how: &AppendOptions,
) -> Answer<Stored> {
    let source: Box<dyn Read> = match coding {
        Coding::Plain => Box::new(arriving),
        Coding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(arriving)),
        Coding::Zstd => Box::new(zstd_reader(arriving)?),
    };
    let foreign = tenancy::Guard::new(state, caller);
    let bounds = Bounds::of(&state.limits());
    let hook = |event: &mut IncomingEvent<'_>, line: Line<'_>| {
        bounds.check(event, line.bytes)?;
        event.check_not_after(state.engine().latest_created_at_us())?;
        foreign.admit(event, line.number)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut reader = BatchReader::new(source).with_threads(threads);
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Parsed>(1);
        let appender = scope.spawn(move || {
            let mut tally = Tally::default();
            for mut parsed in receiver {
                tally.refused(&mut parsed);
                if !parsed.batch.is_empty() {
                    state.count_events(caller, parsed.batch.len())?;
                    tally.stored(&state.engine().append(parsed.batch, how)?);
                }
            }
            Ok(tally)
        });
        let unreadable = loop {
            match reader.next_batch(&hook) {
                Ok(Some(parsed)) => {
                    if sender.send(parsed).is_err() {
                        break None;
                    }
                }
                Ok(None) => break None,
                Err(error) => break Some(damaged(&error)),
            }
        };
        drop(sender);
        let stored: Answer<Tally> = match appender.join() {
            Ok(stored) => stored,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        // What the store said weighs more than what the stream broke off with.
        Ok(Stored { tally: stored?, next_line: reader.lines_read() + 1, unreadable })
    })
}

/// The body as a blocking reader sees it.
struct Arriving {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.piece = piece?,
            }
        }
        let size = self.piece.len().min(buffer.len());
        if let (Some(from), Some(to)) = (self.piece.get(..size), buffer.get_mut(..size)) {
            to.copy_from_slice(from);
        }
        self.piece.advance(size);
        Ok(size)
    }
}
