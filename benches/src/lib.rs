//! What the measurements share: generated events, stores filled with them, clocks.

use annals_engine::{AppendOptions, Batch, Clock, Engine, OsClock, Result, StoredEvent};
use annals_generate::Generator;

/// The seed of every measurement: the same events each time.
pub const SEED: u64 = 7;
/// The time of the newest generated event: 2025-01-15 10:30 UTC.
pub const END_US: i64 = 1_736_937_000_000_000;

/// `count` generated events, owned, as a caller holds them before it appends.
///
/// # Errors
/// `InvalidInput` if a generated event breaks a limit.
pub fn generate(count: u64) -> Result<Vec<StoredEvent>> {
    let mut generator = Generator::new(SEED, count, END_US);
    let mut events = Vec::new();
    loop {
        let mut realms = Vec::new();
        let Some(event) = generator.next_event(&mut realms) else { return Ok(events) };
        events.push(StoredEvent::from_event(&event, 1)?);
    }
}

/// The batch of these events.
///
/// # Errors
/// `InvalidInput` if they are too many for one.
pub fn batch_of(events: &[StoredEvent]) -> Result<Batch> {
    let mut batch = Batch::new();
    for event in events {
        let (mut realms, mut targets) = (Vec::new(), Vec::new());
        let made = event.id_is_made();
        let mut event = event.to_event(&mut realms, &mut targets);
        // Made by the store in the run, as for a caller without ids.
        event.id = event.id.filter(|_| !made);
        batch.push(&event)?;
    }
    Ok(batch)
}

/// Appends events in batches of `batch_len` from `threads` threads, which take turns at the batches.
///
/// # Errors
/// What the engine says.
pub fn append_all(engine: &Engine, events: &[StoredEvent], batch_len: usize, threads: usize) -> Result<()> {
    let append = |thread: usize| -> Result<()> {
        for chunk in events.chunks(batch_len).skip(thread).step_by(threads) {
            engine.append(batch_of(chunk)?, &AppendOptions::default())?;
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
