//! One run: a store that is used and crashes, again and again.

use std::path::Path;
use std::sync::Arc;

use annals_engine::{Durability, Engine, ManualClock, Options, PartitionSpan, Partitioning};
use parking_lot::Mutex;

use crate::disk::SimStorage;
use crate::oracle::Oracle;
use crate::random::Random;
use crate::script::{Steps, Stop};
use crate::world::{Fault, World};

/// 2027-01-15, in the middle of a day.
const START_US: i64 = 1_800_014_400_000_000;
const ROOT: &str = "/store";
/// Room for some tens of log files of the smallest size.
const CAPACITY: u64 = 64 << 20;
/// Between two starts.
const STEPS_MAX: u64 = 24;
/// A start and what is done afterwards take about that many calls.
const CALLS_MAX: u64 = 140;

/// How a run goes.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// How often the store is started.
    pub starts: u32,
    /// Whether calls fail besides crashes.
    pub faults: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { starts: 8, faults: true }
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Times that the power went.
    pub power_cuts: u64,
    /// Of those, while the store was opening.
    pub cuts_in_recovery: u64,
    /// Times that the program was killed, or gave up, and the disk was not.
    pub kills: u64,
    /// Clean closes.
    pub closes: u64,
    /// Calls of the disk that a fault was put into.
    pub faults: u64,
    /// Events appended.
    pub events: u64,
    /// Steps done.
    pub steps: u64,
}

/// A promise that was broken: the seed replays it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Of the run.
    pub seed: u64,
    /// Which start of it, from 0.
    pub start: u32,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "seed {}, start {}: {}", self.seed, self.start, self.what)
    }
}

impl std::error::Error for Failure {}

/// Runs a store through crashes that all follow from the seed.
///
/// # Errors
/// The first promise that was broken.
pub fn run(seed: u64, options: RunOptions) -> Result<Figures, Failure> {
    let mut run = Run::new(seed);
    for start in 0..options.starts {
        let is_last = start + 1 == options.starts;
        run.start(options, is_last).map_err(|what| Failure { seed, start, what })?;
    }
    Ok(run.figures)
}

struct Run {
    world: Arc<Mutex<World>>,
    clock: Arc<ManualClock>,
    durability: Durability,
    random: Random,
    oracle: Oracle,
    next_name: u64,
    /// The last sequence that no power cut may take.
    safe: u64,
    /// The last sequence that must be there now: what a killed program wrote is in the page cache.
    kept: u64,
    figures: Figures,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let levels = [Durability::Sync, Durability::Interval, Durability::Buffered];
        Self {
            world: Arc::new(Mutex::new(World::new(random.number(), Path::new(ROOT), CAPACITY))),
            clock: Arc::new(ManualClock::at(START_US)),
            durability: random.pick(&levels).copied().unwrap_or(Durability::Sync),
            oracle: Oracle::default(),
            next_name: 0,
            safe: 0,
            kept: 0,
            figures: Figures::default(),
            random,
        }
    }

    fn options(&self) -> Options {
        let mut options = Options::new(ROOT);
        options.log_size_bytes = annals_engine::LOG_SIZE_BYTES_MIN;
        options.partition = Partitioning::Fixed(PartitionSpan::Day);
        options.background = false;
        options.seal_threads = 1;
        options.durability = self.durability;
        options.storage = Arc::new(SimStorage::new(&self.world));
        options.clock = Arc::<ManualClock>::clone(&self.clock);
        options
    }

    /// Opens the store, looks whether it is right, uses it until it crashes or is closed.
    fn start(&mut self, options: RunOptions, is_last: bool) -> Result<(), String> {
        if !is_last {
            self.plan(options);
        }
        let engine = match Engine::open(self.options()) {
            Ok(engine) => engine,
            Err(error) if self.world.lock().is_down() => {
                _ = error;
                self.figures.cuts_in_recovery += 1;
                self.cut_power();
                return Ok(());
            }
            Err(_) if options.faults && !is_last => {
                // Refused because of a fault: without it, it must open.
                self.kill();
                return Ok(());
            }
            Err(error) => return Err(format!("the store does not open: {error}")),
        };
        self.oracle.settle(&engine, self.kept)?;
        self.safe = self.safe.max(engine.durable_sequence());
        let used = self.use_store(&engine);
        self.safe = self.safe.max(engine.durable_sequence());
        let poisoned = engine.stats().poisoned;
        used?;
        if self.world.lock().is_down() {
            drop(engine);
            self.cut_power();
        } else if poisoned {
            drop(engine);
            // A failed sync may have taken from the page cache what was acknowledged and not durable.
            self.kept = self.safe;
            if self.random.one_in(2) { self.kill() } else { self.cut_power() }
        } else {
            self.end(engine)?;
        }
        Ok(())
    }

    fn plan(&mut self, options: RunOptions) {
        let mut world = self.world.lock();
        world.fault_after(self.random.below(CALLS_MAX), Fault::Crash);
        if options.faults && self.random.one_in(3) {
            let fault = *self.random.pick(&[Fault::Io, Fault::NoSpace, Fault::ShortWrite]).unwrap_or(&Fault::Io);
            world.fault_after(self.random.below(CALLS_MAX / 2), fault);
            self.figures.faults += 1;
        }
    }

    fn use_store(&mut self, engine: &Engine) -> Result<(), String> {
        for _ in 0..self.random.below(STEPS_MAX) {
            let before = self.oracle.last_sequence();
            let mut steps = Steps {
                engine,
                oracle: &mut self.oracle,
                random: &mut self.random,
                clock: &self.clock,
                next_name: &mut self.next_name,
            };
            let outcome = steps.step();
            self.figures.steps += 1;
            self.figures.events += self.oracle.last_sequence() - before;
            if self.durability == Durability::Sync {
                self.safe = self.safe.max(self.oracle.last_sequence());
            }
            match outcome {
                Ok(()) => {}
                Err(Stop::Refused) if self.world.lock().is_down() || engine.stats().poisoned => return Ok(()),
                Err(Stop::Refused) => {
                    // What failed was not done, or it is not known: later steps want to know.
                    if !self.oracle.unanswered.is_empty() {
                        self.oracle.unanswered.clear();
                    }
                    self.oracle.look(engine)?;
                }
                Err(Stop::Wrong(_)) if self.world.lock().is_down() => return Ok(()),
                Err(Stop::Wrong(what)) => return Err(what),
            }
        }
        Ok(())
    }

    /// The store is still fine: it is closed, or its program is killed.
    fn end(&mut self, engine: Engine) -> Result<(), String> {
        self.oracle.look(&engine)?;
        let report = engine.verify(&mut |_, _| ());
        if !self.world.lock().is_down() && !engine.stats().poisoned {
            let report = report.map_err(|error| format!("verify: {error}"))?;
            if !report.damages.is_empty() {
                return Err(format!("verify finds {:?}", report.damages));
            }
        }
        let poisoned = engine.stats().poisoned;
        if self.random.one_in(2) {
            let closed = engine.close();
            if closed.is_ok() {
                self.safe = self.oracle.last_sequence();
                self.kept = self.safe;
                self.figures.closes += 1;
            }
            drop(engine);
            if self.world.lock().is_down() { self.cut_power() } else { self.kill() }
        } else {
            self.world.lock().fault_after(0, Fault::Crash);
            drop(engine);
            // What was acknowledged is in the page cache at least, which a killed program leaves, unless a sync
            // has failed and taken it.
            if self.random.one_in(2) {
                self.kept = if poisoned { self.safe } else { self.oracle.last_sequence() };
                self.kill();
            } else {
                self.cut_power();
            }
        }
        Ok(())
    }

    fn cut_power(&mut self) {
        self.figures.power_cuts += 1;
        self.kept = self.safe;
        self.world.lock().power_cycle();
    }

    fn kill(&mut self) {
        self.figures.kills += 1;
        self.world.lock().restart();
    }
}
