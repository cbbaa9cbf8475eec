//! A socket that gives up on a client which takes none of its answer, and waits a little for one that still sends.
//!
//! hyper has a timeout for a client that is slow to ask, and none for one that is slow to listen: it
//! would hold its connection and the answer in memory for as long as it likes.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::heads::Head;

/// How long a client is let send on that has its answer already.
const LINGER_MAX: Duration = Duration::from_secs(2);
/// Bytes of it that are thrown away at once.
const LINGER_SIZE: usize = 16 << 10;

/// A connection whose writes may stand still for `pause_max`, and which says when bytes come.
pub(crate) struct Patient {
    stream: TcpStream,
    head: Arc<Head>,
    pause_max: Duration,
    /// Runs while a write waits for the client.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Runs from when the answer has gone and the client still sent.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    pub(crate) fn new(stream: TcpStream, head: Arc<Head>, pause_max: Duration) -> Self {
        Self { stream, head, pause_max, waiting: None, lingering: None }
    }

    /// Passes on what a write said, or that the client has stood still too long.
    fn judge<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let pause_max = self.pause_max;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(pause_max)));
        waiting.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Takes what the client still sends out of the way, until it ends or has had its time. A socket that is closed
    /// with something unread in it resets the connection, and the client may never see why it was refused.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [0; LINGER_SIZE];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let lingering = self.lingering.get_or_insert_with(|| Box::pin(sleep(LINGER_MAX)));
                    // Also while it never stops sending.
                    if lingering.as_mut().poll(context).is_ready() {
                        return Poll::Ready(Ok(()));
                    }
                }
                // It has ended, one way or the other.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    // Nothing was there at all: it does not send.
                    let Some(lingering) = &mut self.lingering else { return Poll::Ready(Ok(())) };
                    return lingering.as_mut().poll(context).map(Ok);
                }
            }
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.head.touch();
        }
        read
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            std::task::ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        self.linger(context)
    }
}
