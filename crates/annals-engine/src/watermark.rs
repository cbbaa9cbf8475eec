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

/// The watermarks of a store. Both only rise.
#[derive(Debug, Default)]
pub(crate) struct Watermarks {
    /// The last visible sequence. Stored with `Release` after the rows are indexed, loaded with
    /// `Acquire` by snapshots.
    visible: AtomicU64,
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
}

impl Watermarks {
    pub(crate) fn visible(&self) -> u64 {
        self.visible.load(Ordering::Acquire)
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
            self.changed.notify_all();
        }
    }

    /// Refuses writes from now on. The first reason stays.
    pub(crate) fn poison(&self, reason: &Error) {
        let mut state = self.state.lock();
        if state.failure.is_none() {
            state.failure = Some(reason.duplicate());
        }
        self.changed.notify_all();
        drop(state);
        self.wake_followers(0);
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
    Error::new(ErrorKind::Poisoned, message)
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
    fn the_first_reason_of_a_failure_stays() {
        let marks = Watermarks::default();
        marks.poison(&Error::corrupt("first"));
        marks.poison(&Error::corrupt("second"));
        assert!(marks.check().unwrap_err().message().contains("first"));
        assert!(marks.wait_durable(1).is_err());
    }
}
