//! The thread that runs passes by itself.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::error::{Answer, Failure};
use crate::state::AppState;

/// Starts the thread once, and ends it with the state that it belongs to.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    runs: Mutex<bool>,
    stop: Arc<Stop>,
}

#[derive(Debug, Default)]
struct Stop {
    told: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Waits for the next pass; whether there is one.
    fn sleep(&self, interval: Duration) -> bool {
        let mut told = self.told.lock();
        if !*told {
            self.changed.wait_for(&mut told, interval);
        }
        !*told
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        *self.stop.told.lock() = true;
        self.stop.changed.notify_all();
    }
}

/// When the first pass is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    Now,
    /// After the first interval.
    Later,
}

/// Runs a pass at every interval, in a thread of its own, unless that runs already.
///
/// # Errors
/// The operating system gives no thread.
pub(super) fn start(state: &AppState, first: First) -> Answer<()> {
    let schedule = &state.retention().schedule;
    let mut runs = schedule.runs.lock();
    if *runs {
        return Ok(());
    }
    let (stop, mut interval) = (Arc::clone(&schedule.stop), state.limits().retention_interval);
    // The thread keeps no store open that nobody else uses.
    let state = state.downgrade();
    let passes = move || {
        if first == First::Later && !stop.sleep(interval) {
            return;
        }
        loop {
            match state.upgrade() {
                Some(state) if !state.is_draining() => {
                    interval = state.limits().retention_interval;
                    // A store that takes no writes keeps what it has.
                    if state.engine().write_refusal().is_none() {
                        super::run(&state);
                    }
                }
                _ => return,
            }
            if !stop.sleep(interval) {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("annals-retention".to_owned())
        .spawn(passes)
        .map_err(|error| Failure::internal(&error))?;
    *runs = true;
    Ok(())
}
