//! What the measurements share: generated events, stores filled with them, clocks.

use std::ops::Range;

pub use annals_bench::Stopwatch;
use annals_engine::{AppendOptions, Batch, Engine, Result};
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
