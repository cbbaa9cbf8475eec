//! Whether a request's body was read to its end: a connection with the rest of one in it carries no other request.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as _, Frame, SizeHint};

/// So much of a body mostly lies in the connection's buffer already, from where hyper takes it out of the way.
const SMALL_SIZE_MAX: u64 = 16 << 10;

/// What became of one body.
#[derive(Clone, Debug)]
pub(crate) struct Reading(Option<Arc<AtomicBool>>);

impl Reading {
    /// Whether more than a little was left.
    pub(crate) fn broke_off(&self) -> bool {
        self.0.as_ref().is_some_and(|is_over| !is_over.load(Ordering::Relaxed))
    }
}

/// The same body, and what will have become of it.
pub(crate) fn watched(body: Body) -> (Body, Reading) {
    let is_small = body.size_hint().upper().is_some_and(|size| size <= SMALL_SIZE_MAX);
    if is_small || body.is_end_stream() {
        return (body, Reading(None));
    }
    let is_over = Arc::<AtomicBool>::default();
    (Body::new(Watched { body, is_over: Arc::clone(&is_over) }), Reading(Some(is_over)))
}

struct Watched {
    body: Body,
    is_over: Arc<AtomicBool>,
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.is_over.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
