//! One run: a store that is used and crashes, again and again.

use annals_engine::Engine;

use crate::fault::Fault;
use crate::machine::{Machine, Opened, Went};

/// Between two starts.
const STEPS_MAX: u64 = 24;
/// A start and what is done afterwards take about that many calls.
const CALLS_MAX: u64 = 160;
/// A start takes about that many.
const OPEN_CALLS_MAX: u64 = 24;
/// Power cuts in a row that meet the recovery from the one before.
const DEPTH_MAX: u32 = 3;

/// How a run goes.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// How often the store is used.
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
    /// Of those, the third in a row.
    pub cuts_three_deep: u64,
    /// Times that the program was killed, or gave up, and the disk was not.
    pub kills: u64,
    /// Clean closes.
    pub closes: u64,
    /// Calls of the disk that a fault was put into.
    pub faults: u64,
    /// Bits turned over in a closed store.
    pub flips: u64,
    /// Of those, bits that mattered to something.
    pub noticed_flips: u64,
    /// Events appended.
    pub events: u64,
    /// Steps done.
    pub steps: u64,
    /// Of every call of the disk and its answer.
    pub digest: u64,
}

impl Figures {
    /// Adds what another run did.
    pub fn add(&mut self, more: &Figures) {
        self.power_cuts += more.power_cuts;
        self.cuts_in_recovery += more.cuts_in_recovery;
        self.cuts_three_deep += more.cuts_three_deep;
        self.kills += more.kills;
        self.closes += more.closes;
        self.faults += more.faults;
        self.flips += more.flips;
        self.noticed_flips += more.noticed_flips;
        self.events += more.events;
        self.steps += more.steps;
        self.digest ^= more.digest;
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} power cuts ({} of them while opening, {} the third in a row), {} kills, {} closes, {} faults, {} bits \
             turned over ({} mattered), {} steps, {} events, digest {:016x}",
            self.power_cuts,
            self.cuts_in_recovery,
            self.cuts_three_deep,
            self.kills,
            self.closes,
            self.faults,
            self.flips,
            self.noticed_flips,
            self.steps,
            self.events,
            self.digest
        )
    }
}

/// A promise that was broken: the seed replays it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Of the run.
    pub seed: u64,
    /// Which start of it, from 0.
    pub start: u32,
    /// What was done until then.
    pub figures: Box<Figures>,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cuts = self.figures.power_cuts;
        write!(f, "seed {}, start {}, behind {cuts} power cuts: {}", self.seed, self.start, self.what)
    }
}

impl std::error::Error for Failure {}

/// Runs a store through crashes that all follow from the seed.
///
/// # Errors
/// The first promise that was broken.
pub fn run(seed: u64, options: RunOptions) -> Result<Figures, Failure> {
    let mut run = Run { machine: Machine::new(seed, None), options, figures: Figures::default() };
    for start in 0..options.starts {
        let is_last = start + 1 == options.starts;
        let done = run.start(is_last);
        run.figures.digest = run.machine.world.lock().digest();
        done.map_err(|what| Failure { seed, start, figures: Box::new(run.figures), what })?;
    }
    Ok(run.figures)
}

struct Run {
    machine: Machine,
    options: RunOptions,
    figures: Figures,
}

impl Run {
    /// Opens the store, looks whether it is right, uses it until it crashes or is closed.
    fn start(&mut self, is_last: bool) -> Result<(), String> {
        self.flip_log()?;
        let Some(engine) = self.open(is_last)? else { return Ok(()) };
        self.machine.settle(&engine)?;
        if self.machine.is_down() {
            drop(engine);
            self.crash();
            return Ok(());
        }
        match self.use_store(&engine)? {
            Went::Down => {
                drop(engine);
                self.crash();
            }
            Went::Poisoned => {
                drop(engine);
                if self.machine.random.one_in(2) { self.kill() } else { self.cut_power() }
            }
            Went::On => self.end(engine)?,
        }
        Ok(())
    }

    /// Opens the store, through power cuts of which the next may meet the recovery from the last.
    fn open(&mut self, is_last: bool) -> Result<Option<Engine>, String> {
        for depth in 0.. {
            let may_fail = !is_last && depth < DEPTH_MAX;
            if may_fail {
                self.plan(depth);
            }
            match self.machine.open() {
                Opened::Open(engine) => return Ok(Some(engine)),
                Opened::Down => {
                    self.figures.cuts_in_recovery += 1;
                    self.figures.cuts_three_deep += u64::from(depth + 1 == DEPTH_MAX);
                    self.cut_power();
                }
                // Refused because of a fault: without it, it must open.
                Opened::Refused(_) if may_fail && self.options.faults => self.kill(),
                Opened::Refused(error) => return Err(format!("the store does not open: {error}")),
            }
        }
        Ok(None)
    }

    fn plan(&mut self, depth: u32) {
        let random = &mut self.machine.random;
        let calls = if depth > 0 && random.one_in(2) { OPEN_CALLS_MAX } else { CALLS_MAX };
        let crash = random.below(calls);
        let fault = (self.options.faults && random.one_in(3))
            .then(|| (random.below(calls / 2), random.pick(&Fault::FAILURES).copied().unwrap_or(Fault::Io)));
        let mut world = self.machine.world.lock();
        world.fault_after(crash, Fault::Crash);
        if let Some((calls, fault)) = fault {
            world.fault_after(calls, fault);
            self.figures.faults += 1;
        }
    }

    fn use_store(&mut self, engine: &Engine) -> Result<Went, String> {
        for _ in 0..self.machine.random.below(STEPS_MAX) {
            let before = self.machine.oracle.last_sequence();
            let action = self.machine.choose();
            let went = self.machine.perform(engine, action)?;
            self.figures.steps += 1;
            self.figures.events += self.machine.oracle.last_sequence() - before;
            if went != Went::On {
                return Ok(went);
            }
        }
        Ok(Went::On)
    }

    /// The store is still fine: it is closed, or its program is killed.
    fn end(&mut self, engine: Engine) -> Result<(), String> {
        match self.machine.inspect(&engine)? {
            Went::Down => {
                drop(engine);
                self.crash();
            }
            Went::On if self.machine.random.one_in(2) => {
                let closed = self.machine.close(engine);
                self.figures.closes += u64::from(closed);
                if self.machine.is_down() {
                    self.crash();
                } else {
                    self.kill();
                    if closed {
                        self.flip()?;
                    }
                }
            }
            Went::On | Went::Poisoned => {
                self.machine.world.lock().fault_after(0, Fault::Crash);
                drop(engine);
                self.crash();
            }
        }
        Ok(())
    }

    /// Behind a power cut: a bit of a log is turned over, now and then.
    fn flip_log(&mut self) -> Result<(), String> {
        if self.machine.random.one_in(6)
            && let Some(noticed) = self.machine.flip_behind_a_cut()?
        {
            self.figures.flips += 1;
            self.figures.noticed_flips += u64::from(noticed);
        }
        Ok(())
    }

    fn flip(&mut self) -> Result<(), String> {
        for _ in 0..self.machine.random.below(3) {
            self.figures.flips += 1;
            self.figures.noticed_flips += u64::from(self.machine.flip_a_bit()?);
        }
        Ok(())
    }

    /// The machine went down: the power did, or only the program.
    fn crash(&mut self) {
        if self.machine.random.one_in(5) { self.kill() } else { self.cut_power() }
    }

    fn cut_power(&mut self) {
        self.figures.power_cuts += 1;
        self.machine.cut_power();
        self.machine.world.lock().heal();
    }

    fn kill(&mut self) {
        self.figures.kills += 1;
        self.machine.kill();
        self.machine.world.lock().heal();
    }
}
