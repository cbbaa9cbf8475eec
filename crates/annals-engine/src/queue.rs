//! The bounded way from callers to the writer thread.

use std::collections::VecDeque;
use std::time::Duration;

use crate::backup::Cut;
use crate::batch::Batch;
use crate::catalog::Snapshot;
use crate::changes::ChosenRows;
use crate::control::ControlOp;
use crate::error::{Error, ErrorKind, Result};
use crate::replacing::Replaced;
use crate::requests::{AppendOptions, Receipt};
use crate::threading::channel;
use crate::threading::channel::{Receiver, Sender};
use crate::threading::{Condvar, Mutex, MutexGuard};

/// How long `append` waits for room before it gives up.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Where an answer goes.
pub(crate) type Reply<T> = Sender<Result<T>>;

/// One thing for the writer to do.
#[expect(clippy::large_enum_variant, reason = "most jobs are batches: boxed, each would cost an allocation")]
pub(crate) enum Job {
    Append(AppendJob),
    /// A delete or a mark; the answer is its ordinal, once it is durable.
    Control(ControlOp, Reply<u64>),
    /// Sync; the answer is the last durable sequence.
    Flush(Reply<u64>),
    /// Close the active log file so that it can be sealed; nothing happens if it is empty.
    Rotate(Reply<()>),
    /// Sync, and give what a backup is made of: the store as it is between two jobs.
    Cut(Reply<Cut>),
    /// Sync, write a clean end, stop.
    Close(Reply<()>),
}

/// A batch on its way.
pub(crate) struct AppendJob {
    pub(crate) batch: Batch,
    pub(crate) how: AppendOptions,
    pub(crate) size_bytes: usize,
    /// What a batch that replaces does in sealed segments, if the caller has looked: it need not keep the
    /// writer from its work.
    pub(crate) sealed: Option<Box<Replaced>>,
    pub(crate) reply: Reply<Appended>,
}

/// What became of a batch.
pub(crate) struct Appended {
    pub(crate) receipt: Receipt,
    /// What its frame said besides the events, if anything.
    pub(crate) shown: Option<Shown>,
}

/// Operations that became visible together with a batch.
pub(crate) struct Shown {
    pub(crate) ordinal: u64,
    /// The view in which the replaced events are still there.
    pub(crate) before: Snapshot,
    pub(crate) replaced: ChosenRows,
}

impl From<Receipt> for Appended {
    fn from(receipt: Receipt) -> Self {
        Self { receipt, shown: None }
    }
}

/// Bytes of batches between callers and the writer, and full logs between writer and sealing.
#[derive(Debug)]
pub(crate) struct Backlog {
    state: Mutex<BacklogState>,
    changed: Condvar,
    queued_bytes_max: usize,
    unsealed_logs_max: usize,
}

#[derive(Debug, Default)]
struct BacklogState {
    queued_bytes: usize,
    /// Those who wait for room, the first first: nobody overtakes, or a large batch would never come in between small ones.
    waiting: VecDeque<u64>,
    next_ticket: u64,
    unsealed_logs: usize,
    /// Since when there has been one to seal all the time, by the monotonic clock.
    behind_since: Option<Duration>,
    closed: bool,
}

impl Backlog {
    pub(crate) fn new(queued_bytes_max: usize, unsealed_logs_max: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), queued_bytes_max, unsealed_logs_max }
    }

    /// Waits for room and takes it, in the order of those who came, and gives up after [`WAIT_MAX`] however often there
    /// was room for others. A batch larger than the whole queue passes when the queue is empty. `now` is monotonic.
    pub(crate) fn admit(&self, size_bytes: usize, now: impl Fn() -> Duration) -> Result<()> {
        let mut state = self.state.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push_back(ticket);
        let admitted = self.wait_for_turn(&mut state, ticket, size_bytes, &now);
        state.waiting.retain(|waiting| *waiting != ticket);
        let others_wait = !state.waiting.is_empty();
        drop(state);
        if others_wait {
            // Whoever is first now may fit, and has slept while it was not.
            self.changed.notify_all();
        }
        admitted
    }

    fn wait_for_turn(
        &self,
        state: &mut MutexGuard<'_, BacklogState>,
        ticket: u64,
        size_bytes: usize,
        now: &impl Fn() -> Duration,
    ) -> Result<()> {
        let mut deadline = None;
        loop {
            if state.closed {
                return Err(closed());
            }
            let is_first = state.waiting.front() == Some(&ticket);
            let fits = state.queued_bytes == 0 || state.queued_bytes + size_bytes <= self.queued_bytes_max;
            if is_first && fits && state.unsealed_logs < self.unsealed_logs_max {
                state.queued_bytes += size_bytes;
                return Ok(());
            }
            let deadline = *deadline.get_or_insert_with(|| now() + WAIT_MAX);
            let left = deadline.saturating_sub(now());
            if left.is_zero() || self.changed.wait_for(state, left).timed_out() {
                let message = format!(
                    "no room within {} s: {} bytes wait to be written, {} log files to be sealed",
                    WAIT_MAX.as_secs(),
                    state.queued_bytes,
                    state.unsealed_logs
                );
                return Err(Error::new(ErrorKind::Busy, message));
            }
        }
    }

    /// Nobody is let in any more; those who wait are sent away.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    /// Gives room back.
    pub(crate) fn release(&self, size_bytes: usize) {
        let mut state = self.state.lock();
        state.queued_bytes = state.queued_bytes.saturating_sub(size_bytes);
        self.changed.notify_all();
    }

    /// Says how many full logs wait to be sealed now, by the monotonic clock.
    pub(crate) fn set_unsealed_logs(&self, count: usize, now: Duration) {
        let mut state = self.state.lock();
        state.unsealed_logs = count;
        state.behind_since = if count == 0 { None } else { Some(state.behind_since.unwrap_or(now)) };
        drop(state);
        self.changed.notify_all();
    }

    /// Bytes of batches that wait, full logs to be sealed, and since when there has been one.
    pub(crate) fn figures(&self) -> (usize, usize, Option<Duration>) {
        let state = self.state.lock();
        (state.queued_bytes, state.unsealed_logs, state.behind_since)
    }
}

/// Sends a job and waits for its answer.
pub(crate) fn ask<T>(jobs: &Sender<Job>, job: impl FnOnce(Reply<T>) -> Job) -> Result<T> {
    let (reply, answer) = channel::bounded(1);
    jobs.send(job(reply)).map_err(|_gone| closed())?;
    wait(&answer)
}

/// Waits for an answer; a writer that is gone is `Poisoned`.
pub(crate) fn wait<T>(answer: &Receiver<Result<T>>) -> Result<T> {
    answer.recv().unwrap_or_else(|_gone| Err(closed()))
}

/// What every call on a closed store gets.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Poisoned, "the store is closed, or its writer has stopped: open it again")
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn until(reached: impl Fn() -> bool) {
        while !reached() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn nobody_overtakes_who_waits_for_much() {
        let backlog = Arc::new(Backlog::new(100, 1));
        let zero = || Duration::ZERO;
        backlog.admit(60, zero).unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let waiting: Vec<_> = [(90, "large"), (10, "small")]
            .into_iter()
            .enumerate()
            .map(|(before, (size, name))| {
                let (other, order) = (Arc::clone(&backlog), Arc::clone(&order));
                let thread = std::thread::spawn(move || {
                    other.admit(size, || Duration::ZERO).unwrap();
                    order.lock().push(name);
                });
                until(|| backlog.state.lock().waiting.len() > before);
                thread
            })
            .collect();
        assert!(order.lock().is_empty(), "there is room for the small one, which is not first");
        backlog.release(60);
        for thread in waiting {
            thread.join().unwrap();
        }
        assert_eq!(backlog.figures().0, 100);
        assert_eq!(order.lock().len(), 2);
    }

    #[test]
    fn waiting_ends_after_its_time_however_often_there_was_room_for_others() {
        let backlog = Arc::new(Backlog::new(100, 1));
        backlog.admit(100, || Duration::ZERO).unwrap();
        let now_ms = Arc::new(AtomicU64::new(0));
        let (other, clock) = (Arc::clone(&backlog), Arc::clone(&now_ms));
        let waiting = std::thread::spawn(move || {
            other.admit(100, || Duration::from_millis(clock.load(Ordering::Relaxed))).unwrap_err()
        });
        until(|| backlog.state.lock().waiting.len() == 1);
        for _ in 0..10 {
            now_ms.fetch_add(999, Ordering::Relaxed);
            backlog.changed.notify_all();
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!waiting.is_finished(), "9.99 s are no 10");
        now_ms.fetch_add(10, Ordering::Relaxed);
        backlog.changed.notify_all();
        assert_eq!(waiting.join().unwrap().kind(), ErrorKind::Busy);
        assert!(backlog.state.lock().waiting.is_empty());
        backlog.release(100);
        backlog.admit(100, || Duration::ZERO).unwrap();
    }
}
