//! The simulated machine's clock: it stands still between the calls of the one thread that moves it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use annals_engine::Clock;

/// A clock under which an engine does nothing behind its caller's back.
#[derive(Debug)]
pub struct SimClock {
    now_us: AtomicI64,
    monotonic_us: AtomicU64,
}

impl SimClock {
    /// A clock that shows `now_us` microseconds since 1970.
    pub fn at(now_us: i64) -> Self {
        Self { now_us: AtomicI64::new(now_us), monotonic_us: AtomicU64::new(0) }
    }

    /// Moves both clocks forward.
    pub fn advance_us(&self, step_us: u64) {
        self.now_us.fetch_add(i64::try_from(step_us).unwrap_or(0), Ordering::Relaxed);
        self.monotonic_us.fetch_add(step_us, Ordering::Relaxed);
    }

    /// Moves the wall clock alone, back or forth.
    pub fn step_us(&self, step_us: i64) {
        self.now_us.fetch_add(step_us, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now_us(&self) -> i64 {
        self.now_us.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.monotonic_us.load(Ordering::Relaxed))
    }

    fn stands_still(&self) -> bool {
        true
    }
}
