//! What the measurements share: generated events, stores filled with them, clocks.

use std::ops::Range;

use annals_engine::{AppendOptions, Batch, Clock, Engine, OsClock, Result};
use annals_generate::{Generator, Prepared};

/// The seed of every measurement: the same events each time.
pub const SEED: u64 = 7;
/// The time of the newest generated event: 2025-01-15 10:30 UTC.
pub const END_US: i64 = 1_736_937_000_000_000;

/// `count` generated events, as a caller holds them before it appends.
pub fn generate(count: u64) -> Prepared {
    Generator::new(SEED, count, END_US).prepare()
}

/// The batch of the events at these positions. Only the encoding costs: the events borrow what they hold.
///
/// # Errors
/// `InvalidInput` if they are too many for one.
pub fn batch_of(events: &Prepared, positions: Range<usize>) -> Result<Batch> {
    let mut batch = Batch::new();
    for position in positions {
        let mut realms = [""; 3];
        let Some(event) = events.event(position, &mut realms) else { break };
        batch.push(&event)?;
    }
    Ok(batch)
}

/// Appends events in batches of `batch_len` from `threads` threads, which take turns at the batches.
///
/// # Errors
/// What the engine says.
pub fn append_all(engine: &Engine, events: &Prepared, batch_len: usize, threads: usize) -> Result<()> {
    let append = |thread: usize| -> Result<()> {
        for start in (0..events.len()).step_by(batch_len).skip(thread).step_by(threads) {
            let end = (start + batch_len).min(events.len());
            engine.append(batch_of(events, start..end)?, &AppendOptions::default())?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (1..threads).map(|thread| scope.spawn(move || append(thread))).collect();
        let mut outcome = append(0);
        for thread in running {
            outcome = outcome.and(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        outcome
    })
}

/// Wall and process CPU time.
pub struct Stopwatch {
    clock: OsClock,
    cpu_start_ns: i64,
}

impl Stopwatch {
    /// Starts.
    pub fn start() -> Self {
        Self { clock: OsClock::new(), cpu_start_ns: cpu_ns() }
    }

    /// Wall seconds since the start.
    pub fn wall_s(&self) -> f64 {
        self.clock.monotonic().as_secs_f64()
    }

    /// CPU seconds of all threads since the start.
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a run are far below 2^53")]
    pub fn cpu_s(&self) -> f64 {
        (cpu_ns() - self.cpu_start_ns) as f64 / 1e9
    }
}

fn cpu_ns() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
