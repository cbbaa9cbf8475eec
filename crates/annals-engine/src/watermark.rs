//! How far the log is visible and how far it is durable.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::follow::News;
use crate::threading::atomic::{AtomicU64, Ordering};
use crate::threading::{Condvar, Mutex};

/// A place in the log that is known to be durable, with everything before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DurablePoint {
    /// The last durable sequence; 0 before the first event.
    pub(crate) sequence: u64,
    /// The log file.
    pub(crate) log_id: u64,
    /// Bytes of that file that are durable.
    pub(crate) offset: u64,
}

/// The last sequence that the log can be asked for. Shared with the live rows, which read the log.
///
/// Everything, until the log fails: from then on only what was durable, because the page cache may hold neither what
/// was written behind that nor what was there before.
#[derive(Debug)]
pub(crate) struct Readable(AtomicU64);

impl Default for Readable {
    fn default() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }
}

impl Readable {
    pub(crate) fn last(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Fails for a row that the log cannot be asked for any more. Only a view taken before the failure has such rows.
    ///
    /// ORDER: asked behind the reading of the bytes: what was read before the answer was read before the failure was
    /// known.
    pub(crate) fn check(&self, sequence: u64) -> Result<()> {
        let last = self.last();
        if sequence <= last {
            return Ok(());
        }
        let message =
            format!("the log failed before event {sequence} was durable: a new view has the events up to {last}");
        Err(Error::new(ErrorKind::Poisoned, message))
    }
}

/// The watermarks of a store. They only rise, but for what a failure of the log takes from `visible`.
#[derive(Debug, Default)]
pub(crate) struct Watermarks {
    /// The last visible sequence. Stored with `Release` after the rows are indexed, loaded with
    /// `Acquire` by snapshots.
    visible: AtomicU64,
    readable: Arc<Readable>,
    state: Mutex<State>,
    changed: Condvar,
    /// Changes of stored events that were kept for followers; the lock that followers wait under.
    changes: Mutex<u64>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    durable: DurablePoint,
    /// Why the store takes no more writes, if it does not.
    failure: Option<Error>,
    /// Whether the log failed: its page cache is not to be trusted behind `durable`.
    is_log_lost: bool,
}

impl Watermarks {
    pub(crate) fn visible(&self) -> u64 {
        let visible = self.visible.load(Ordering::Acquire);
        visible.min(self.readable.last())
    }

    /// How far the log can be read, for those who read it.
    pub(crate) fn readable(&self) -> Arc<Readable> {
        Arc::clone(&self.readable)
    }

    /// Makes the rows up to `sequence` visible.
    pub(crate) fn publish(&self, sequence: u64) {
        self.visible.fetch_max(sequence, Ordering::Release);
        self.wake_followers(0);
    }

    /// Tells those who follow that `count` more changes are kept for them.
    ///
    /// ORDER: what moved is stored first. A follower looks at it under the lock, so it either sees it or
    /// waits already when it is woken.
    pub(crate) fn wake_followers(&self, count: u64) {
        *self.changes.lock() += count;
        self.moved.notify_all();
    }

    /// How far the store is, once that is not `seen`, `closing` says so, or the time is over.
    pub(crate) fn wait_news(&self, seen: News, timeout: Duration, closing: impl Fn() -> bool) -> News {
        let mut changes = self.changes.lock();
        let mut waited = false;
        loop {
            let news = News { visible_sequence: self.visible(), changes: *changes, closed: closing() };
            if news != seen || waited {
                return news;
            }
            waited = self.moved.wait_for(&mut changes, timeout).timed_out();
        }
    }

    pub(crate) fn durable(&self) -> DurablePoint {
        self.state.lock().durable
    }

    /// Notes a successful sync. Log ids ascend, so a late note about an older file changes nothing.
    pub(crate) fn advance_durable(&self, point: DurablePoint) {
        let mut state = self.state.lock();
        let behind = (state.durable.log_id, state.durable.offset) < (point.log_id, point.offset);
        if behind {
            state.durable = DurablePoint { sequence: state.durable.sequence.max(point.sequence), ..point };
            self.bound_readable(&state);
            self.changed.notify_all();
        }
    }

    /// Refuses writes from now on. The first reason stays. Gives what the caller who met the failure is told: what
    /// became of the call is not known before the store is opened again, whatever the reason is.
    pub(crate) fn poison(&self, reason: &Error) -> Error {
        self.poison_with(reason, false)
    }

    /// As [`Watermarks::poison`], behind a write or a sync of the log that failed: what was not durable is not read
    /// any more.
    pub(crate) fn lose_log(&self, reason: &Error) -> Error {
        self.poison_with(reason, true)
    }

    fn poison_with(&self, reason: &Error, is_log_lost: bool) -> Error {
        let mut state = self.state.lock();
        if state.failure.is_none() {
            state.failure = Some(reason.duplicate());
        }
        state.is_log_lost |= is_log_lost;
        self.bound_readable(&state);
        self.changed.notify_all();
        drop(state);
        self.wake_followers(0);
        if reason.kind() == ErrorKind::Poisoned { reason.duplicate() } else { poisoned(reason) }
    }

    /// Under the state's lock, so that a sync that ends well beside a write that failed still counts.
    fn bound_readable(&self, state: &State) {
        if state.is_log_lost {
            self.readable.0.store(state.durable.sequence, Ordering::Release);
        }
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.state.lock().failure.is_some()
    }

    /// `Poisoned`, with the reason, if writes are refused.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.state.lock().failure {
            None => Ok(()),
            Some(reason) => Err(poisoned(reason)),
        }
    }

    /// Waits until `sequence` is durable.
    pub(crate) fn wait_durable(&self, sequence: u64) -> Result<()> {
        // Woken by every change; the time-out only guards against a writer thread that is gone.
        const WAKE: Duration = Duration::from_secs(1);
        let mut state = self.state.lock();
        while state.durable.sequence < sequence {
            if let Some(reason) = &state.failure {
                return Err(poisoned(reason));
            }
            self.changed.wait_for(&mut state, WAKE);
        }
        Ok(())
    }
}

/// A catalog and a watermark that belong together.
///
/// ORDER: the catalog before the watermark, so that nothing sealed lies behind the watermark; and the same catalog
/// still behind it, so that everything below the watermark is in a log it names.
pub(crate) fn read_together<C>(catalog: impl Fn() -> Arc<C>, visible: impl Fn() -> u64) -> (Arc<C>, u64) {
    let mut before = catalog();
    loop {
        let visible = visible();
        let behind = catalog();
        if Arc::ptr_eq(&before, &behind) {
            return (before, visible);
        }
        before = behind;
    }
}

fn poisoned(reason: &Error) -> Error {
    let message = format!("the store refuses writes until it is opened again: {reason}");
    Error::new(ErrorKind::Poisoned, message).with_source(reason.duplicate())
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn watermarks_only_rise() {
        let marks = Watermarks::default();
        marks.publish(5);
        marks.publish(3);
        assert_eq!(marks.visible(), 5);
        marks.advance_durable(DurablePoint { sequence: 4, log_id: 2, offset: 10 });
        marks.advance_durable(DurablePoint { sequence: 9, log_id: 1, offset: 90 });
        assert_eq!(marks.durable(), DurablePoint { sequence: 4, log_id: 2, offset: 10 });
        marks.wait_durable(4).unwrap();
    }

    #[test]
    fn a_log_that_failed_is_read_as_far_as_it_was_durable() {
        let marks = Watermarks::default();
        let readable = marks.readable();
        marks.publish(9);
        marks.advance_durable(DurablePoint { sequence: 4, log_id: 1, offset: 40 });
        marks.poison(&Error::corrupt("a manifest"));
        assert_eq!((marks.visible(), readable.check(9).is_ok()), (9, true), "the log is as good as before");
        let told =
            marks.lose_log(&Error::io("sync", std::path::Path::new("x"), std::io::ErrorKind::StorageFull.into()));
        assert_eq!(told.kind(), ErrorKind::Poisoned);
        let cause = std::error::Error::source(&told).and_then(|cause| cause.downcast_ref::<Error>());
        assert_eq!(cause.map(Error::kind), Some(ErrorKind::DiskFull));
        assert_eq!((marks.visible(), readable.check(4).is_ok()), (4, true));
        assert_eq!(readable.check(5).unwrap_err().kind(), ErrorKind::Poisoned);
        // A sync of another thread that was under way, and went well.
        marks.advance_durable(DurablePoint { sequence: 6, log_id: 1, offset: 60 });
        assert_eq!((marks.visible(), readable.last()), (6, 6));
    }

    #[test]
    fn the_first_reason_of_a_failure_stays() {
        let marks = Watermarks::default();
        marks.poison(&Error::corrupt("first"));
        marks.poison(&Error::corrupt("second"));
        assert!(marks.check().unwrap_err().message().contains("first"));
        assert!(marks.wait_durable(1).is_err());
    }
}
