//! A page of hoody's list. It is as long as was asked for, however large its events: beyond the size
//! a page may have in memory the rest is streamed, from the same snapshot.

use annals_engine::{Snapshot, StoredEvent};
use annals_query::{CursorPosition, Query, Total};
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::shape;
use crate::body::Sent;
use crate::error::Answer;
use crate::face;
use crate::state::AppState;

/// The first part of a page and where the rest starts.
struct Start {
    body: Vec<u8>,
    total: u64,
    shown: u32,
    rest: Option<(Snapshot, CursorPosition)>,
}

/// Runs the query and answers with its page.
pub(super) async fn answer(state: &AppState, query: Query, limit: u32, offset: u64) -> Answer {
    let first = query.clone().limit(limit);
    let start = state.read(move |state| start(state, &first, limit)).await?;
    let length = u64::from(limit).min(start.total.saturating_sub(offset));
    let tail = tail(start.total, limit, offset, offset.saturating_add(length) < start.total);
    let mut body = start.body;
    let Some((snapshot, position)) = start.rest else {
        body.extend_from_slice(tail.as_bytes());
        return Ok(face::json(StatusCode::OK, body));
    };
    let (sender, receiver) = mpsc::channel(1);
    let rest = Rest { snapshot, position, left: limit - start.shown, query: query.offset(0), sender };
    let streaming = state.clone();
    tokio::spawn(async move {
        // Failures end the connection: the status is long gone.
        if let Err(failure) = rest.send(&streaming, body, tail).await {
            tracing::warn!(code = failure.code, "a streamed page broke off");
        }
    });
    Ok(streamed(receiver))
}

fn streamed(receiver: mpsc::Receiver<Result<Bytes, std::io::Error>>) -> Response {
    face::json(StatusCode::OK, Body::new(Sent::new(receiver)))
}

fn start(state: &AppState, query: &Query, limit: u32) -> Answer<Start> {
    let snapshot = state.engine().snapshot();
    let page = annals_query::execute(&snapshot, &sized(state, query.clone()), &*state.expiry())?;
    let mut body = shape::envelope_head("Events retrieved successfully");
    body.extend_from_slice(b"{\"events\":[");
    write(&mut body, &page.events, true);
    let shown = u32::try_from(page.events.len()).unwrap_or(u32::MAX);
    let rest = page.next.filter(|_| shown < limit).map(|position| (snapshot, position));
    Ok(Start { body, total: page.total.unwrap_or(0), shown, rest })
}

fn sized(state: &AppState, query: Query) -> Query {
    query.size_max_bytes(u64::try_from(state.limits().page_size_bytes_max).unwrap_or(u64::MAX))
}

fn write(body: &mut Vec<u8>, events: &[StoredEvent], first: bool) {
    for (index, event) in events.iter().enumerate() {
        if index > 0 || !first {
            body.push(b',');
        }
        shape::event(body, event);
    }
}

fn tail(total: u64, limit: u32, offset: u64, has_more: bool) -> String {
    format!("],\"pagination\":{{\"total\":{total},\"limit\":{limit},\"offset\":{offset},\"has_more\":{has_more}}}}}}}")
}

/// The part of a page that is still to be read.
struct Rest {
    snapshot: Snapshot,
    position: CursorPosition,
    left: u32,
    query: Query,
    sender: mpsc::Sender<Result<Bytes, std::io::Error>>,
}

impl Rest {
    async fn send(self, state: &AppState, first: Vec<u8>, tail: String) -> Answer<()> {
        let Self { snapshot, mut position, mut left, query, sender } = self;
        let mut piece = first;
        loop {
            if sender.send(Ok(piece.into())).await.is_err() {
                return Ok(());
            }
            let part = query.clone().total(Total::None).limit(left).after(position);
            let view = snapshot.clone();
            let read = state.read(move |state| {
                let page = annals_query::execute(&view, &sized(state, part), &*state.expiry())?;
                let mut body = Vec::new();
                write(&mut body, &page.events, false);
                Ok((body, page))
            });
            let (body, page) = match read.await {
                Ok(read) => read,
                Err(failure) => {
                    let _ = sender.send(Err(std::io::Error::other(failure.code))).await;
                    return Err(failure);
                }
            };
            piece = body;
            left = left.saturating_sub(u32::try_from(page.events.len()).unwrap_or(u32::MAX));
            match page.next.filter(|_| left > 0) {
                Some(next) => position = next,
                None => break,
            }
        }
        piece.extend_from_slice(tail.as_bytes());
        let _ = sender.send(Ok(piece.into())).await;
        Ok(())
    }
}
