//! A page that is as long as was asked for, however large its events: beyond the size a first piece may
//! have in memory the rest is streamed, from the same snapshot.

use std::sync::Arc;

use annals_engine::{Snapshot, StoredEvent};
use annals_query::{CursorPosition, Query, Total};
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::body::Sent;
use crate::error::Answer;
use crate::face;
use crate::state::AppState;
use crate::trace::Rows;

/// Bytes after which a piece of a streamed answer ends: as much as a client that takes nothing holds of it.
const PIECE_SIZE_MAX: usize = 256 << 10;
/// The same of the first piece: up to this an answer comes whole, with its length.
const FIRST_SIZE_MAX: usize = 1 << 20;

/// What a shown event takes, about: room is made for so much at once.
const EVENT_SIZE_USUAL: usize = 512;

/// Bytes after which a piece behind the first one ends.
pub(crate) fn piece_size_max(state: &AppState) -> usize {
    state.limits().page_size_bytes_max.min(PIECE_SIZE_MAX)
}

/// Writes one event.
pub(crate) type WriteEvent = Arc<dyn Fn(&mut Vec<u8>, &StoredEvent) + Send + Sync>;

/// What stands around the events of a page, which are parted by commas.
pub(crate) struct Shape {
    pub(crate) head: Vec<u8>,
    pub(crate) event: WriteEvent,
    pub(crate) tail: Vec<u8>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

/// What is known of a page before its events are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Events that match.
    pub(crate) total: u64,
    pub(crate) offset: u64,
    /// The most events of the page.
    pub(crate) limit: u32,
}

impl Extent {
    /// Events of the page.
    pub(crate) fn count(&self) -> u64 {
        u64::from(self.limit).min(self.total.saturating_sub(self.offset))
    }

    /// Whether events lie behind the page.
    pub(crate) fn has_more(&self) -> bool {
        self.offset.saturating_add(self.count()) < self.total
    }
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Behind so many events.
    Offset(u64),
    /// With the last full or begun page of the list, when it is cut into pages of the limit.
    LastPage,
}

/// Answers with `limit` events of the query behind `offset`, in the shape that `shape` gives them.
pub(crate) async fn answer(
    state: &AppState,
    query: Query,
    limit: u32,
    offset: u64,
    shape: impl FnOnce(&Extent) -> Shape,
) -> Answer {
    answer_from(state, query, limit, Start::Offset(offset), |extent| Ok(shape(extent))).await
}

/// The same for a page that may begin where only the total tells, and may be refused for it.
///
/// # Errors
/// Those of the query and of `shape`.
pub(crate) async fn answer_from(
    state: &AppState,
    query: Query,
    limit: u32,
    start: Start,
    shape: impl FnOnce(&Extent) -> Answer<Shape>,
) -> Answer {
    let first = query.clone().limit(limit);
    let (snapshot, page, offset) = state
        .read(move |state| {
            let snapshot = state.engine().snapshot();
            let expiry = state.expiry();
            let offset = match start {
                Start::Offset(offset) => offset,
                Start::LastPage => {
                    let counted = annals_query::execute(&snapshot, &first.clone().limit(0), &*expiry)?;
                    last_page(counted.total.unwrap_or(0), limit)
                }
            };
            let page = annals_query::execute(
                &snapshot,
                &sized(first.offset(offset), state.limits().page_size_bytes_max.min(FIRST_SIZE_MAX)),
                &*expiry,
            )?;
            Ok((snapshot, page, offset))
        })
        .await?;
    let extent = Extent { total: page.total.unwrap_or(0), offset, limit };
    let Shape { head: mut body, event, tail, headers } = shape(&extent)?;
    body.reserve(page.events.len() * EVENT_SIZE_USUAL + tail.len());
    write(&mut body, &event, &page.events, true);
    let shown = u32::try_from(page.events.len()).unwrap_or(u32::MAX);
    let rows = usize::try_from(extent.count()).unwrap_or(usize::MAX);
    let rest = page.next.filter(|_| shown < limit);
    let body = if let Some(position) = rest {
        let (sender, receiver) = mpsc::channel(1);
        let rest = Rest { snapshot, position, left: limit - shown, query: query.offset(0), event, sender };
        let streaming = state.clone();
        tokio::spawn(async move {
            // Failures end the connection: the status is long gone.
            if let Err(failure) = rest.send(&streaming, body, tail).await {
                tracing::warn!(code = failure.code, "a streamed page broke off");
            }
        });
        Body::new(Sent::new(receiver))
    } else {
        body.extend_from_slice(&tail);
        body.into()
    };
    let mut response: Response = face::json(StatusCode::OK, body);
    response.headers_mut().extend(headers);
    // Those of the page, whether they go at once or in pieces.
    response.extensions_mut().insert(Rows(rows));
    Ok(response)
}

/// Events before the last page.
pub(crate) fn last_page(total: u64, limit: u32) -> u64 {
    let limit = u64::from(limit.max(1));
    total.saturating_sub(1) / limit * limit
}

fn sized(query: Query, size_max: usize) -> Query {
    query.size_max_bytes(u64::try_from(size_max).unwrap_or(u64::MAX))
}

fn write(body: &mut Vec<u8>, write_event: &WriteEvent, events: &[StoredEvent], first: bool) {
    for (index, event) in events.iter().enumerate() {
        if index > 0 || !first {
            body.push(b',');
        }
        write_event(body, event);
    }
}

/// The part of a page that is still to be read.
struct Rest {
    snapshot: Snapshot,
    position: CursorPosition,
    left: u32,
    query: Query,
    event: WriteEvent,
    sender: mpsc::Sender<Result<Bytes, std::io::Error>>,
}

impl Rest {
    async fn send(self, state: &AppState, first: Vec<u8>, tail: Vec<u8>) -> Answer<()> {
        let Self { snapshot, mut position, mut left, query, event, sender } = self;
        let mut piece = first;
        loop {
            if sender.send(Ok(piece.into())).await.is_err() {
                return Ok(());
            }
            let part = query.clone().total(Total::None).limit(left).after(position);
            let (view, event) = (snapshot.clone(), Arc::clone(&event));
            let read = state.read(move |state| {
                let page = annals_query::execute(&view, &sized(part, piece_size_max(state)), &*state.expiry())?;
                let mut body = Vec::new();
                write(&mut body, &event, &page.events, false);
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
        piece.extend_from_slice(&tail);
        let _ = sender.send(Ok(piece.into())).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_knows_its_length_and_whether_more_follows() {
        let extent = |total, offset, limit| Extent { total, offset, limit };
        assert_eq!((extent(10, 0, 3).count(), extent(10, 0, 3).has_more()), (3, true));
        assert_eq!((extent(10, 7, 3).count(), extent(10, 7, 3).has_more()), (3, false));
        assert_eq!((extent(10, 9, 3).count(), extent(10, 9, 3).has_more()), (1, false));
        assert_eq!((extent(10, u64::MAX, 3).count(), extent(10, u64::MAX, 3).has_more()), (0, false));
        assert_eq!((extent(10, 0, 0).count(), extent(10, 0, 0).has_more()), (0, true));
    }

    #[test]
    fn the_last_page_begins_at_a_multiple_of_the_limit() {
        for (total, limit, offset) in [(0, 10, 0), (1, 10, 0), (10, 10, 0), (11, 10, 10), (20, 10, 10), (5, 0, 4)] {
            assert_eq!(last_page(total, limit), offset, "{total} by {limit}");
        }
    }
}
