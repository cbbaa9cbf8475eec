//! Filling a store.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use annals_engine::{AppendOptions, Durability, Engine, Options};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::process::{AnonymousPeak, Stopwatch, anonymous_bytes, disk_bytes};
use crate::timing::per;
use crate::workload::Workload;

/// How events are appended.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Events in a batch.
    pub batch_len: usize,
    /// Appending threads, which take turns at the batches.
    pub threads: usize,
    /// What an acknowledgement means.
    pub durability: Durability,
}

/// Figures of filling a store.
#[derive(Clone, Debug, Serialize)]
pub struct Ingested {
    /// Events appended.
    pub events: u64,
    /// Until the last acknowledgement.
    pub acknowledged_per_s: f64,
    /// Until everything is in sealed segments.
    pub sealed_per_s: f64,
    /// CPU of all threads for each event, making the batches included, until the last acknowledgement.
    pub acknowledged_cpu_us: f64,
    /// The same until everything is sealed.
    pub sealed_cpu_us: f64,
    /// Events that were not sealed yet when the last one was acknowledged.
    pub unsealed_at_last: u64,
    /// Part of the appending threads' time spent in `append`: waiting for the acknowledgement, or for room
    /// when the store says so.
    pub waiting_part: f64,
    /// The most anonymous memory on top of what the events take.
    pub memory_peak_bytes: u64,
    /// Whole blocks of all files for each event, after a clean close with everything sealed.
    pub disk_bytes_per_event: f64,
    /// Bytes of the sealed segments alone: what is left are the log that waits for events, the manifest and
    /// the rest of last blocks.
    pub segment_bytes_per_event: f64,
    /// Sealed segments.
    pub segments: u64,
    /// The same bytes after compaction.
    pub compacted_disk_bytes_per_event: f64,
    /// CPU of that compaction for each event.
    pub compacting_cpu_us: f64,
    /// Segments behind it.
    pub compacted_segments: u64,
}

/// Appends all events and returns the seconds that the threads spent in `append`, together.
///
/// # Errors
/// What the engine says.
pub fn append_all(engine: &Engine, workload: &Workload, how: &How) -> Result<f64> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let append = || -> Result<f64> {
        let mut waited_s = 0.0;
        while !failed.load(Ordering::Relaxed) {
            let start = next.fetch_add(how.batch_len, Ordering::Relaxed);
            if start >= workload.len() {
                break;
            }
            let batch = workload.fill(engine.spare_batch(), start..start.saturating_add(how.batch_len))?;
            let waiting = Stopwatch::start();
            engine.append(batch, &AppendOptions::default())?;
            waited_s += waiting.wall_s();
        }
        Ok(waited_s)
    };
    let append = || append().inspect_err(|_| failed.store(true, Ordering::Relaxed));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..how.threads.max(1)).map(|_| scope.spawn(append)).collect();
        let mut waited_s = Ok(0.0);
        for thread in threads {
            let outcome = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            waited_s = waited_s.and_then(|sum| Ok(sum + outcome?));
        }
        waited_s
    })
}

/// Opens a store with the settings of a run.
///
/// # Errors
/// What the engine says.
pub fn open_store(directory: &Path, durability: Durability) -> Result<Engine> {
    let mut options = Options::new(directory);
    options.durability = durability;
    Ok(Engine::open(options)?)
}

/// Waits until the store has checked what it checks in the background, for queries that are to be warm.
pub fn wait_until_checked(engine: &Engine) {
    /// Longer than a disk takes for all that is checked; a store that is not done by then is measured as it is.
    const MOST_S: f64 = 60.0;
    let stopwatch = Stopwatch::start();
    while engine.stats().checking && stopwatch.wall_s() < MOST_S {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Fills the store in an empty directory, seals, closes, compacts and closes again.
///
/// # Errors
/// There is a store in the directory already, or what the engine says.
pub fn ingest(directory: &Path, workload: &Workload, how: &How, compact: bool) -> Result<Ingested> {
    let engine = open_store(directory, how.durability)?;
    if engine.stats().last_sequence > 0 {
        return Err(Error::new(format_args!("there is a store in {} already", directory.display())));
    }
    let memory = AnonymousPeak::start();
    let stopwatch = Stopwatch::start();
    let waited_s = append_all(&engine, workload, how)?;
    let (acknowledged_s, acknowledged_cpu_s) = (stopwatch.wall_s(), stopwatch.cpu_s());
    let unsealed_at_last = engine.stats().live_rows;
    engine.seal_now()?;
    let (sealed_s, sealed_cpu_s) = (stopwatch.wall_s(), stopwatch.cpu_s());
    let memory_peak_bytes = memory.bytes();
    drop(memory);
    let figures = engine.stats();
    engine.close()?;
    let events = figures.events;
    if events != u64::try_from(workload.len()).unwrap_or(u64::MAX) {
        return Err(Error::new(format_args!("{events} events are stored instead of {}", workload.len())));
    }
    let rate = |seconds: f64| 1.0 / per(seconds, events).max(f64::MIN_POSITIVE);
    let mut ingested = Ingested {
        events,
        acknowledged_per_s: rate(acknowledged_s),
        sealed_per_s: rate(sealed_s),
        acknowledged_cpu_us: per(acknowledged_cpu_s * 1e6, events),
        sealed_cpu_us: per(sealed_cpu_s * 1e6, events),
        unsealed_at_last,
        waiting_part: waited_s / (acknowledged_s * threads_f64(how.threads)).max(f64::MIN_POSITIVE),
        memory_peak_bytes,
        disk_bytes_per_event: disk_per_event(directory, events)?,
        segment_bytes_per_event: crate::timing::ratio(figures.sealed_bytes, events),
        segments: figures.sealed_segments,
        compacted_disk_bytes_per_event: 0.0,
        compacting_cpu_us: 0.0,
        compacted_segments: 0,
    };
    if compact {
        let engine = open_store(directory, how.durability)?;
        let stopwatch = Stopwatch::start();
        engine.compact()?;
        ingested.compacting_cpu_us = per(stopwatch.cpu_s() * 1e6, events);
        ingested.compacted_segments = engine.stats().sealed_segments;
        engine.close()?;
        ingested.compacted_disk_bytes_per_event = disk_per_event(directory, events)?;
    }
    Ok(ingested)
}

fn threads_f64(threads: usize) -> f64 {
    f64::from(u32::try_from(threads.max(1)).unwrap_or(u32::MAX))
}

fn disk_per_event(directory: &Path, events: u64) -> Result<f64> {
    let bytes = disk_bytes(directory).map_err(|error| Error::new(format_args!("{}: {error}", directory.display())))?;
    Ok(crate::timing::ratio(bytes, events))
}

/// Figures of opening a store that was closed cleanly.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Opened {
    /// Events in it.
    pub events: u64,
    /// Milliseconds until it answers.
    pub open_ms: f64,
    /// Anonymous memory that it takes idle, one second later.
    pub idle_bytes: u64,
}

impl Opened {
    /// Opens the store in a directory, waits and closes it. In a process that has done nothing else: memory
    /// that was given back to the allocator would hide what opening takes.
    ///
    /// # Errors
    /// What the engine says.
    pub fn measure(directory: &Path) -> Result<Self> {
        let before = anonymous_bytes();
        let stopwatch = Stopwatch::start();
        let engine = open_store(directory, Durability::Interval)?;
        let open_ms = stopwatch.wall_ms();
        std::thread::sleep(std::time::Duration::from_secs(1));
        let idle_bytes = anonymous_bytes().saturating_sub(before);
        let events = engine.stats().events;
        engine.close()?;
        Ok(Self { events, open_ms, idle_bytes })
    }
}
