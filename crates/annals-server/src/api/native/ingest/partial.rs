//! `partial=true`: a stream of lines without an end in sight, in bounded memory. While one batch is
//! being appended the next one is parsed and the one behind it arrives.

use std::io::{self, Read};
use std::sync::mpsc::sync_channel;

use annals_engine::AppendOptions;
use annals_json::{BatchReader, IncomingEvent, Line, Parsed};
use axum::http::StatusCode;
use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

use super::Tally;
use crate::auth::tenancy;
use crate::body::{Coding, Pieces, damaged, zstd_reader};
use crate::error::Answer;
use crate::request::Request;
use crate::state::AppState;

/// Pieces of a body that wait for the parser.
const PIECES_MAX: usize = 8;

/// Stores the good lines of a body as they come.
pub(super) async fn ingest(request: Request, coding: Coding, how: AppendOptions) -> Answer {
    let state = request.state;
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let storing = state.stream(move |state| store(state, Arriving { receiver, piece: Bytes::new() }, coding, &how))?;
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
    let stored = storing.await;
    match broken {
        Some(failure) => Err(failure),
        None => stored.map(|tally| tally.answer(StatusCode::OK)),
    }
}

/// Parses and appends until the stream ends. Blocks.
fn store(state: &AppState, arriving: Arriving, coding: Coding, how: &AppendOptions) -> Answer<Tally> {
    let source: Box<dyn Read> = match coding {
        Coding::Plain => Box::new(arriving),
        Coding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(arriving)),
        Coding::Zstd => Box::new(zstd_reader(arriving)?),
    };
    let foreign = tenancy::Guard::new(&how.scope);
    let hook = |event: &mut IncomingEvent<'_>, line: Line<'_>| {
        event.check_not_after(state.engine().latest_created_at_us())?;
        foreign.place(event, line.number)
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
                    tally.stored(&state.engine().append(parsed.batch, how)?);
                }
            }
            Ok(tally)
        });
        let read = loop {
            match reader.next_batch(&hook) {
                Ok(Some(parsed)) => {
                    if sender.send(parsed).is_err() {
                        break Ok(());
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(damaged(&error)),
            }
        };
        drop(sender);
        let stored: Answer<Tally> = match appender.join() {
            Ok(stored) => stored,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        // What the store said weighs more than what the stream broke off with.
        let tally = stored?;
        read.map(|()| tally)
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
