//! Channels over a model checker's threads, in the form of `crossbeam_channel`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Condvar, Mutex};

/// So often in a row a wait with a time-out ends without anything, before it is one without: a checker that never
/// lets time run out would miss what happens then, and one that always may would never come to an end.
const TIMEOUTS_IN_A_ROW_MAX: u32 = 3;

/// The sending side.
pub(crate) struct Sender<T>(Arc<Shared<T>>);

/// The receiving side.
pub(crate) struct Receiver<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    waiting: VecDeque<T>,
    senders: usize,
    receivers: usize,
    timeouts: u32,
}

/// Nobody receives any more.
pub(crate) struct SendError<T>(pub(crate) T);

/// Nobody sends any more, and nothing waits.
#[derive(Debug)]
pub(crate) struct RecvError;

/// Nothing waits.
#[derive(Debug)]
pub(crate) struct TryRecvError;

/// Why nothing came.
#[derive(Debug)]
pub(crate) enum RecvTimeoutError {
    /// The time ran out.
    Timeout,
    /// Nobody sends any more.
    Disconnected,
}

/// A channel without a bound.
pub(crate) fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    let state = State { waiting: VecDeque::new(), senders: 1, receivers: 1, timeouts: 0 };
    let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

/// A channel with a bound that its users never reach.
pub(crate) fn bounded<T>(_capacity: usize) -> (Sender<T>, Receiver<T>) {
    unbounded()
}

impl<T> Sender<T> {
    pub(crate) fn send(&self, value: T) -> Result<(), SendError<T>> {
        let mut state = self.0.state.lock();
        if state.receivers == 0 {
            return Err(SendError(value));
        }
        state.waiting.push_back(value);
        self.0.changed.notify_all();
        Ok(())
    }
}

impl<T> Receiver<T> {
    pub(crate) fn recv(&self) -> Result<T, RecvError> {
        let mut state = self.0.state.lock();
        loop {
            if let Some(value) = state.waiting.pop_front() {
                return Ok(value);
            }
            if state.senders == 0 {
                return Err(RecvError);
            }
            self.0.changed.wait(&mut state);
        }
    }

    pub(crate) fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.state.lock().waiting.pop_front().ok_or(TryRecvError)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.state.lock().waiting.is_empty()
    }

    pub(crate) fn recv_timeout(&self, _timeout: Duration) -> Result<T, RecvTimeoutError> {
        if time_runs_out() {
            let mut state = self.0.state.lock();
            if state.waiting.is_empty() && state.senders > 0 && state.timeouts < TIMEOUTS_IN_A_ROW_MAX {
                state.timeouts += 1;
                return Err(RecvTimeoutError::Timeout);
            }
        }
        let received = self.recv().map_err(|RecvError| RecvTimeoutError::Disconnected);
        self.0.state.lock().timeouts = 0;
        received
    }
}

#[cfg(shuttle)]
fn time_runs_out() -> bool {
    use shuttle::rand::Rng;
    shuttle::rand::thread_rng().gen_bool(0.25)
}

/// Loom looks at the watermarks and the live rows alone: nothing there waits on a channel for a time.
#[cfg(not(shuttle))]
fn time_runs_out() -> bool {
    false
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.state.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.state.lock().senders -= 1;
        self.0.changed.notify_all();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let left = {
            let mut state = self.0.state.lock();
            state.receivers -= 1;
            std::mem::take(&mut state.waiting)
        };
        // What is dropped may hold channels of its own, whose ends hear of it.
        drop(left);
    }
}
