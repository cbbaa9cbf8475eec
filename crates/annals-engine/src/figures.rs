//! What is counted while a store is open, for [`EngineStats`](crate::EngineStats). Counting takes no lock and waits for
//! nobody; it is no step of interest to a model checker, so it stays with the standard library.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::options::Options;

/// Upper bounds of the buckets of a [`Histogram`] in microseconds, inclusive: from what a fast device needs for a sync
/// to what a large merge takes. What takes longer is in the count alone.
pub const HISTOGRAM_BOUNDS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000, 60_000_000,
];

/// How long something took, over and over: counts by length, and their sum.
///
/// ```
/// use std::time::Duration;
/// let took = annals_engine::Histogram::default();
/// took.observe(Duration::from_millis(3));
/// let figures = took.figures();
/// assert_eq!((figures.count(), figures.sum_us), (1, 3000));
/// ```
#[derive(Debug, Default)]
pub struct Histogram {
    /// One for each bound, not cumulative, and one for what is longer than the last.
    buckets: [AtomicU64; HISTOGRAM_BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// What a [`Histogram`] held at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistogramFigures {
    /// How many took no longer than the bound of that place in [`HISTOGRAM_BOUNDS_US`] and longer than the one before
    /// it; the last is of those that took longer than every bound.
    pub buckets: [u64; HISTOGRAM_BOUNDS_US.len() + 1],
    /// Microseconds of all together.
    pub sum_us: u64,
}

impl Histogram {
    /// Counts one that took so long.
    pub fn observe(&self, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let index = HISTOGRAM_BOUNDS_US.partition_point(|bound_us| *bound_us < took_us);
        if let Some(bucket) = self.buckets.get(index) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(took_us, Ordering::Relaxed);
    }

    /// What it holds. One that is being counted at this moment may be in the buckets and not yet in the sum.
    pub fn figures(&self) -> HistogramFigures {
        let mut figures = HistogramFigures::default();
        for (count, bucket) in figures.buckets.iter_mut().zip(&self.buckets) {
            *count = bucket.load(Ordering::Relaxed);
        }
        figures.sum_us = self.sum_us.load(Ordering::Relaxed);
        figures
    }
}

impl HistogramFigures {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// Batches that were not taken, by what their callers would do about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusals {
    /// The queue stayed full, or the idempotency key was in use.
    pub busy: u64,
    /// There was no room on the disk.
    pub disk_full: u64,
    /// The store takes no writes.
    pub poisoned: u64,
    /// Something was wrong with the batch, or with what it would have replaced.
    pub other: u64,
}

/// Figures since open.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) compactions: AtomicU64,
    pub(crate) clock_steps_back: AtomicU64,
    pub(crate) appended_batches: AtomicU64,
    pub(crate) appended_events: AtomicU64,
    pub(crate) appended_bytes: AtomicU64,
    pub(crate) deleted_events: AtomicU64,
    /// Those that succeeded.
    pub(crate) sync_time: Histogram,
    pub(crate) seal_time: Histogram,
    /// Of a group of segments that became one.
    pub(crate) compaction_time: Histogram,
    refused_busy: AtomicU64,
    refused_disk_full: AtomicU64,
    refused_poisoned: AtomicU64,
    refused_other: AtomicU64,
}

impl Counters {
    /// Counts what became of a batch; of one that was taken these many events were new.
    pub(crate) fn append(&self, size_bytes: usize, became: Result<u64, &Error>) {
        match became {
            Ok(events) => {
                self.appended_batches.fetch_add(1, Ordering::Relaxed);
                self.appended_events.fetch_add(events, Ordering::Relaxed);
                self.appended_bytes.fetch_add(crate::codec::len_u64(size_bytes), Ordering::Relaxed);
            }
            Err(error) => {
                let refused = match error.kind() {
                    ErrorKind::Busy => &self.refused_busy,
                    ErrorKind::DiskFull => &self.refused_disk_full,
                    ErrorKind::Poisoned => &self.refused_poisoned,
                    _ => &self.refused_other,
                };
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn refusals(&self) -> Refusals {
        Refusals {
            busy: self.refused_busy.load(Ordering::Relaxed),
            disk_full: self.refused_disk_full.load(Ordering::Relaxed),
            poisoned: self.refused_poisoned.load(Ordering::Relaxed),
            other: self.refused_other.load(Ordering::Relaxed),
        }
    }
}

/// Does something and counts how long it took, if it succeeds.
pub(crate) fn timed<T>(options: &Options, into: &Histogram, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = options.clock.monotonic();
    let done = act()?;
    into.observe(options.clock.monotonic().saturating_sub(started));
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_the_last_of_its_bucket() {
        let took = Histogram::default();
        for us in [0, 100, 101, 60_000_000, 60_000_001] {
            took.observe(Duration::from_micros(us));
        }
        let figures = took.figures();
        assert_eq!((figures.buckets[0], figures.buckets[1]), (2, 1));
        assert_eq!((figures.buckets[15], figures.buckets[16]), (1, 1));
        assert_eq!((figures.count(), figures.sum_us), (5, 120_000_202));
        assert!(HISTOGRAM_BOUNDS_US.is_sorted());
    }

    #[test]
    fn refusals_are_told_apart() {
        let counters = Counters::default();
        counters.append(10, Ok(3));
        for kind in [ErrorKind::Busy, ErrorKind::Busy, ErrorKind::DiskFull, ErrorKind::Poisoned, ErrorKind::Conflict] {
            counters.append(10, Err(&Error::new(kind, "x")));
        }
        assert_eq!(counters.refusals(), Refusals { busy: 2, disk_full: 1, poisoned: 1, other: 1 });
        assert_eq!(counters.appended_events.load(Ordering::Relaxed), 3);
        assert_eq!(counters.appended_bytes.load(Ordering::Relaxed), 10);
    }
}
