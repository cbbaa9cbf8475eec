//! Time comes in through [`Clock`], so that tests and simulations can set it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The wall clock and the monotonic clock of a store.
pub trait Clock: Send + Sync + 'static {
    /// Microseconds since 1970-01-01 UTC. May step in either direction.
    fn now_us(&self) -> i64;
    /// Time since some fixed moment; never decreases. Used for durations only.
    fn monotonic(&self) -> Duration;

    /// Whether time passes only between the calls of one thread, which moves it. An engine on such a clock does
    /// nothing behind its caller's back: what is due is done when the next call comes, in an order that follows from
    /// the calls alone. For simulations that replay; with [`crate::Options::background`] off.
    fn stands_still(&self) -> bool {
        false
    }
}

/// The clocks of the operating system.
#[derive(Debug)]
pub struct OsClock {
    start: Instant,
}

impl OsClock {
    /// Starts the monotonic clock at zero.
    #[expect(clippy::disallowed_methods, reason = "the one place where real time enters")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for OsClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for OsClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where real time enters")]
    fn now_us(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
        }
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that stands still until it is moved by hand, for tests.
///
/// ```
/// use annals_engine::{Clock, ManualClock};
/// let clock = ManualClock::at(1_000_000);
/// clock.advance_us(5);
/// assert_eq!(clock.now_us(), 1_000_005);
/// ```
#[derive(Debug)]
pub struct ManualClock {
    now_us: AtomicI64,
    monotonic_us: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `now_us` microseconds since 1970.
    pub fn at(now_us: i64) -> Self {
        Self { now_us: AtomicI64::new(now_us), monotonic_us: AtomicU64::new(0) }
    }

    /// Moves both clocks forward.
    pub fn advance_us(&self, step_us: u64) {
        self.now_us.fetch_add(i64::try_from(step_us).unwrap_or(i64::MAX), Ordering::Relaxed);
        self.monotonic_us.fetch_add(step_us, Ordering::Relaxed);
    }

    /// Sets the wall clock alone, as an administrator or NTP would.
    pub fn set_us(&self, now_us: i64) {
        self.now_us.store(now_us, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_us(&self) -> i64 {
        self.now_us.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.monotonic_us.load(Ordering::Relaxed))
    }
}
