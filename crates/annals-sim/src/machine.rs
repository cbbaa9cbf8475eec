//! A machine with a store on it, and what is known of the store.

use std::path::Path;
use std::sync::Arc;

use annals_engine::{Clock, Durability, Engine, Error, ErrorKind, Options, PartitionSpan, Partitioning};
use parking_lot::Mutex;

use crate::check;
use crate::clock::SimClock;
use crate::disk::SimStorage;
use crate::oracle::{Known, Oracle, Trouble};
use crate::random::Random;
use crate::script::{Action, Steps, Stop};
use crate::world::World;

/// 2027-01-15, in the middle of a day.
const START_US: i64 = 1_800_014_400_000_000;
const ROOT: &str = "/store";
/// Room for some tens of log files of the smallest size.
const CAPACITY: u64 = 64 << 20;

/// How an attempt to open the store ended.
pub(crate) enum Opened {
    Open(Engine),
    /// The machine went down meanwhile.
    Down,
    Refused(Error),
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Went {
    On,
    /// The store takes no more writes.
    Poisoned,
    /// The machine went down.
    Down,
}

/// A machine, the store on it and its oracle.
pub(crate) struct Machine {
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) random: Random,
    pub(crate) oracle: Oracle,
    durability: Durability,
    log_age_ms_max: u64,
    next_name: u64,
    /// Chooses when holds come and go, in the runs that have any.
    holds: Option<Random>,
    /// The last sequence that no power cut may take.
    pub(crate) safe: u64,
    /// The last sequence that must be there now: what a killed program wrote is in the page cache.
    pub(crate) kept: u64,
    /// Whether the store was opened since the machine stopped, and the oracle knows what is in it.
    is_settled: bool,
    shielded: Shielded,
}

/// What a bit that is turned over behind a power cut must not take without an error.
///
/// Every frame says how far the log was durable before it, and so does the marker that an idle log gets. What the last
/// frame itself holds looks like a write that the power cut ended: nothing tells it from that.
#[derive(Clone, Copy, Debug, Default)]
struct Shielded {
    /// The last sequence.
    upto: u64,
    /// Whether the last frame says more than its events: then nothing can be told of what its loss does.
    is_last_frame_open: bool,
}

/// A machine at rest, to go back to.
pub(crate) struct Saved {
    world: World,
    oracle: Oracle,
    safe: u64,
    kept: u64,
}

impl Machine {
    pub(crate) fn new(seed: u64, durability: Option<Durability>) -> Self {
        let mut random = Random::new(seed);
        let levels = [Durability::Sync, Durability::Interval, Durability::Buffered];
        let drawn = random.pick(&levels).copied().unwrap_or(Durability::Sync);
        Self {
            world: Arc::new(Mutex::new(World::new(random.number(), Path::new(ROOT), CAPACITY))),
            clock: Arc::new(SimClock::at(START_US)),
            oracle: Oracle::default(),
            durability: durability.unwrap_or(drawn),
            log_age_ms_max: if random.one_in(4) { 120_000 } else { 86_400_000 },
            next_name: 0,
            holds: (seed % 8 == 3).then(|| Random::new(!seed)),
            safe: 0,
            kept: 0,
            is_settled: false,
            shielded: Shielded::default(),
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
        options.log_age_ms_max = self.log_age_ms_max;
        options.storage = Arc::new(SimStorage::new(&self.world));
        options.clock = Arc::<SimClock>::clone(&self.clock);
        options
    }

    pub(crate) fn is_down(&self) -> bool {
        self.world.lock().is_down()
    }

    /// Opens the store. What it finds is for [`Machine::settle`].
    pub(crate) fn open(&mut self) -> Opened {
        let opened = Engine::open(self.options());
        let is_down = self.is_down();
        if self.world.lock().sync_failed() {
            // It may have taken from the page cache what was acknowledged and not durable.
            self.kept = self.safe;
        }
        match opened {
            Ok(_) | Err(_) if is_down => Opened::Down,
            Ok(engine) => Opened::Open(engine),
            Err(error) => Opened::Refused(error),
        }
    }

    /// Compares a store that was just opened with what must be in it.
    pub(crate) fn settle(&mut self, engine: &Engine) -> Result<(), String> {
        let settled = self.oracle.settle(engine, self.kept).and_then(|()| self.check(engine));
        match settled {
            Ok(()) => {}
            // A fault may meet a clean start too, if what it does is looked at with the machine down or refused.
            Err(Trouble::Refused(_)) if self.is_down() => {}
            Err(trouble) => return Err(trouble.to_string()),
        }
        self.safe = self.safe.max(engine.durable_sequence());
        self.is_settled = true;
        Ok(())
    }

    fn check(&mut self, engine: &Engine) -> Result<(), Trouble> {
        check::check(engine, &self.oracle, &mut self.random, self.clock.now_us())
    }

    /// What to do next.
    pub(crate) fn choose(&mut self) -> Action {
        match self.holds.as_mut().map(|random| random.below(10)) {
            Some(0) => Action::PlaceHold,
            Some(1) => Action::ReleaseHold,
            _ => Action::any(&mut self.random),
        }
    }

    /// Does one thing; how many events came by it, and how it went.
    pub(crate) fn perform(&mut self, engine: &Engine, action: Action) -> Result<Went, String> {
        let mut steps = Steps {
            engine,
            oracle: &mut self.oracle,
            random: &mut self.random,
            clock: &self.clock,
            next_name: &mut self.next_name,
            safe: &mut self.safe,
        };
        let (safe_before, known_before) = (*steps.safe, steps.oracle.events.len());
        let outcome = steps.perform(action);
        self.shield(action, outcome.is_ok(), safe_before, known_before);
        if self.durability == Durability::Sync {
            self.safe = self.safe.max(self.oracle.last_sequence());
        }
        self.safe = self.safe.max(engine.durable_sequence());
        let (is_down, poisoned) = (self.is_down(), engine.stats().poisoned);
        match outcome {
            _ if is_down => Ok(Went::Down),
            Err(Stop::Wrong(what)) => Err(format!("{action:?}: {what}")),
            _ if poisoned => {
                let looked = self.oracle.look_at_poisoned(engine);
                looked.map_err(|trouble| format!("poisoned by {action:?}: {trouble}"))?;
                Ok(Went::Poisoned)
            }
            Ok(()) => Ok(Went::On),
            Err(Stop::Refused) => {
                // What failed was not done, or it is not known: later steps want to know.
                let looked = self.oracle.look(engine);
                looked.map_err(|trouble| format!("behind {action:?}, which failed: {trouble}"))?;
                Ok(Went::On)
            }
        }
    }

    fn shield(&mut self, action: Action, is_done: bool, safe_before: u64, known_before: usize) {
        match action {
            Action::Idle if is_done => {
                self.shielded = Shielded { upto: self.oracle.last_sequence(), is_last_frame_open: false };
            }
            Action::Append | Action::AppendLarge => {
                let unanswered = self.oracle.unanswered.iter().flat_map(|batch| &batch.events);
                let mut new = self.oracle.events.iter().skip(known_before).chain(unanswered);
                if new.any(|event| event.is_acknowledged != Known::No) {
                    self.shielded.is_last_frame_open = true;
                } else if is_done && self.durability == Durability::Sync {
                    // The frame is durable, and so was what it says to be durable.
                    self.shielded = Shielded { upto: self.shielded.upto.max(safe_before), is_last_frame_open: false };
                }
            }
            Action::Wait | Action::Ask | Action::Flush | Action::RepeatKey | Action::PutBlob => {}
            Action::PlaceHold | Action::ReleaseHold => {}
            _ => self.shielded.is_last_frame_open = true,
        }
    }

    /// A look at everything, before the store is closed.
    pub(crate) fn inspect(&mut self, engine: &Engine) -> Result<Went, String> {
        self.oracle.look(engine).map_err(|trouble| trouble.to_string())?;
        let report = engine.verify(&mut |_, _| ());
        self.safe = self.safe.max(engine.durable_sequence());
        if self.is_down() {
            return Ok(Went::Down);
        }
        if engine.stats().poisoned {
            return Ok(Went::Poisoned);
        }
        let damages = report.map_err(|error| format!("verify: {error}"))?.damages;
        if damages.is_empty() { Ok(Went::On) } else { Err(format!("verify finds {damages:?}")) }
    }

    /// Closes the store; whether it was closed well.
    pub(crate) fn close(&mut self, engine: Engine) -> bool {
        let closed = engine.close();
        drop(engine);
        if closed.is_ok() {
            self.safe = self.oracle.last_sequence();
            self.kept = self.safe;
        }
        closed.is_ok()
    }

    /// The power goes.
    pub(crate) fn cut_power(&mut self) {
        self.kept = self.safe;
        self.is_settled = false;
        self.world.lock().power_cycle();
    }

    /// The program is gone, the disk has what it was told, and the page cache what no failed sync took.
    pub(crate) fn kill(&mut self) {
        let mut world = self.world.lock();
        if world.sync_failed() {
            self.kept = self.safe;
        } else if self.is_settled {
            self.kept = self.oracle.last_sequence();
        }
        self.is_settled = false;
        world.restart();
    }

    pub(crate) fn save(&self) -> Saved {
        let world = self.world.lock().clone();
        Saved { world, oracle: self.oracle.clone(), safe: self.safe, kept: self.kept }
    }

    pub(crate) fn restore(&mut self, saved: &Saved) {
        self.world.lock().restore(&saved.world);
        self.oracle = saved.oracle.clone();
        (self.safe, self.kept) = (saved.safe, saved.kept);
    }

    /// Turns one bit of a closed store over, on the device or in what one read gives, and looks at all of it: every
    /// answer is right, or an error. Then the store is as it was. Whether the bit was noticed.
    pub(crate) fn flip_a_bit(&mut self) -> Result<bool, String> {
        let saved = self.save();
        let place = self.turn_over();
        let noticed = match self.open() {
            Opened::Refused(error) => expect_damage(&error),
            Opened::Down => Err("the machine is down".to_owned()),
            Opened::Open(engine) if engine.write_refusal().is_some() => Ok(true),
            Opened::Open(engine) => {
                let kept = self.kept;
                let looked = self.oracle.settle(&engine, kept).and_then(|()| self.check(&engine));
                match looked {
                    Ok(()) => Ok(!engine.recovery_notes().is_empty()),
                    Err(Trouble::Refused(error)) => expect_damage(&error),
                    // A damaged segment tells nothing of the ids in it, but that it is damaged.
                    Err(Trouble::Wrong(what)) => Err(what),
                }
            }
        };
        self.restore(&saved);
        noticed.map_err(|what| format!("a bit of {place} was turned over: {what}"))
    }

    /// Turns one bit of a log over behind a power cut: what the log itself says was durable is there, or the store
    /// says that it is damaged. Whether it did.
    pub(crate) fn flip_behind_a_cut(&mut self) -> Result<Option<bool>, String> {
        let (world, place) = {
            let mut world = self.world.lock();
            let logs = world.used_logs(Path::new(ROOT));
            let Some((path, end)) = self.random.pick(&logs).cloned() else { return Ok(None) };
            if self.shielded.is_last_frame_open || end == 0 {
                return Ok(None);
            }
            let (offset, bit) = (self.random.below(end), self.random.below(8));
            let saved = world.clone();
            world.flip_bit(&path, offset, u32::try_from(bit).unwrap_or(0));
            drop(world);
            (saved, format!("{} at byte {offset}", path.display()))
        };
        let saved = Saved { world, oracle: self.oracle.clone(), safe: self.safe, kept: self.kept };
        let upto = self.shielded.upto.min(self.safe);
        let noticed = match self.open() {
            Opened::Refused(error) => expect_damage(&error),
            Opened::Down => Err("the machine is down".to_owned()),
            Opened::Open(engine) => match self.oracle.settle(&engine, upto) {
                Ok(()) => Ok(false),
                Err(Trouble::Refused(error)) => expect_damage(&error),
                Err(Trouble::Wrong(what)) => Err(what),
            },
        };
        self.restore(&saved);
        noticed.map(Some).map_err(|what| format!("behind a power cut a bit of {place} was turned over: {what}"))
    }

    fn turn_over(&mut self) -> String {
        let mut world = self.world.lock();
        if self.random.one_in(3) {
            let reads = self.random.below(12);
            world.flip_read_after(reads);
            return format!("read {reads}");
        }
        let files = world.files();
        let Some((path, len)) = self.random.pick(&files).cloned() else { return "nothing".to_owned() };
        // Most of a log is not written to.
        let span = if self.random.one_in(2) { len.min(16 << 10) } else { len };
        let (offset, bit) = (self.random.below(span), self.random.below(8));
        world.flip_bit(&path, offset, u32::try_from(bit).unwrap_or(0));
        format!("{} at byte {offset}", path.display())
    }
}

fn expect_damage(error: &Error) -> Result<bool, String> {
    match error.kind() {
        ErrorKind::Corrupt | ErrorKind::UnsupportedFormat => Ok(true),
        kind => Err(format!("{kind:?} instead of damage: {error}")),
    }
}
