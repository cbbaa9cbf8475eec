//! Fixed scripts in which each call of the disk goes wrong in turn, and recoveries in which each call does.

use annals_engine::{Durability, Engine};

use crate::fault::Fault;
use crate::machine::{Machine, Opened, Went};
use crate::script::Action;

/// One line of a script.
#[derive(Clone, Copy, Debug)]
enum Beat {
    Do(Action),
    /// The store is closed, and opened again for the next line.
    Close,
}

use Action::{
    Amend, Append, AppendLarge, Compact, DeleteBefore, DeleteMatching, DeleteSequences, Flush, Mark, PlaceHold,
    PutBlob, Read, ReleaseHold, RepeatKey, Replace, Seal, Wait,
};
use Beat::{Close, Do};

/// The scripts by name, shorter ones first. The first is small enough for recoveries inside recoveries.
const SCRIPTS_OF: [(&str, &[Beat]); 8] = [
    ("create", &[Do(Append), Do(Append), Close, Do(Append)]),
    ("seal", &[Do(Append), Do(Mark), Do(Seal), Do(Append), Do(Append)]),
    ("clean-up", &[Do(Append), Do(Append), Do(Append), Do(Seal), Do(Append), Do(DeleteBefore), Close, Do(Append)]),
    (
        "merge",
        &[
            Do(Append),
            Do(Append),
            Do(Seal),
            Do(Append),
            Do(Seal),
            Do(DeleteSequences),
            Do(Mark),
            Do(Compact),
            Do(Append),
            Do(Compact),
            Close,
            Do(DeleteMatching),
            Do(Append),
        ],
    ),
    (
        "changes",
        &[
            Do(Append),
            Do(Append),
            Do(Replace),
            Do(Amend),
            Do(Read),
            Do(Mark),
            Do(PutBlob),
            Do(Seal),
            Do(Replace),
            Do(Amend),
            Do(Read),
            Do(DeleteSequences),
            Do(Replace),
            Do(Seal),
            Do(Compact),
            Do(PutBlob),
            Do(RepeatKey),
            Do(Append),
        ],
    ),
    (
        "logs",
        &[
            Do(Append),
            Do(AppendLarge),
            Do(AppendLarge),
            Do(Append),
            Do(AppendLarge),
            Do(AppendLarge),
            Do(Replace),
            Do(AppendLarge),
            Do(DeleteMatching),
            Close,
            Do(Append),
            Do(Seal),
            Do(Append),
        ],
    ),
    (
        "holds",
        &[
            Do(Append),
            Do(PlaceHold),
            Do(Append),
            Do(DeleteMatching),
            Do(Seal),
            Do(DeleteBefore),
            Do(PlaceHold),
            Do(DeleteSequences),
            Close,
            Do(Replace),
            Do(Amend),
            Do(ReleaseHold),
            Do(DeleteBefore),
            Do(ReleaseHold),
            Do(DeleteSequences),
            Do(Compact),
        ],
    ),
    (
        "time",
        &[
            Do(Append),
            Do(Wait),
            Do(Append),
            Do(Flush),
            Do(Wait),
            Do(Append),
            Do(Wait),
            Do(Wait),
            Do(RepeatKey),
            Close,
            Do(Append),
            Do(Wait),
            Do(Append),
            Close,
            Close,
            Do(RepeatKey),
            Do(Append),
        ],
    ),
];

/// The names of the scripts that [`every_call`] and [`every_recovery`] know.
pub const SCRIPTS: [&str; SCRIPTS_OF.len()] =
    ["create", "seal", "clean-up", "merge", "changes", "logs", "holds", "time"];

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls of the disk that the script makes.
    pub calls: u64,
    /// Times that the script, or the start of the store, was run with a fault in it.
    pub plays: u64,
    /// Of those, with the power cut.
    pub power_cuts: u64,
}

impl Counts {
    /// Adds what else was tried.
    pub fn add(&mut self, more: &Counts) {
        self.calls += more.calls;
        self.plays += more.plays;
        self.power_cuts += more.power_cuts;
    }
}

fn beats(script: &str) -> Result<&'static [Beat], String> {
    let found = SCRIPTS_OF.iter().find(|(name, _)| *name == script);
    found.map(|(_, beats)| *beats).ok_or_else(|| format!("there is no script {script:?}"))
}

/// Runs a script once for each of its calls, and lets that one go wrong: the script then goes on as well as it can,
/// the store is opened again and compared with what must be in it. `variant` decides what a power cut leaves.
///
/// # Errors
/// The first promise that was broken.
pub fn every_call(script: &str, level: Durability, variant: u64, fault: Fault) -> Result<Counts, String> {
    let beats = beats(script)?;
    let mut counts = Counts { calls: play(beats, level, variant, None)?, ..Counts::default() };
    for call in 0..counts.calls {
        let played = play(beats, level, variant, Some((call, fault)));
        played
            .map_err(|what| format!("{script}, level {level}, variant {variant}, {fault:?} at call {call}: {what}"))?;
        counts.plays += 1;
        counts.power_cuts += u64::from(fault == Fault::Crash);
    }
    Ok(counts)
}

/// Cuts the power at each call of a script, then at each call of the recovery from that, and so on `depth` deep.
///
/// # Errors
/// The first promise that was broken.
pub fn every_recovery(script: &str, level: Durability, variant: u64, depth: u32) -> Result<Counts, String> {
    let beats = beats(script)?;
    let mut counts = Counts { calls: play(beats, level, variant, None)?, ..Counts::default() };
    for call in 0..counts.calls {
        let mut machine = machine(level, variant);
        machine.world.lock().fault_at(call, Fault::Crash);
        counts.power_cuts += 1;
        let recovered = until_down(&mut machine, beats).and_then(|()| {
            machine.cut_power();
            recover(&mut machine, depth, &mut counts)
        });
        recovered.map_err(|what| format!("{script}, level {level}, variant {variant}, cut at call {call}: {what}"))?;
    }
    Ok(counts)
}

fn machine(level: Durability, variant: u64) -> Machine {
    let machine = Machine::new(1, Some(level));
    machine.world.lock().reseed(variant);
    machine
}

/// Runs a script to its end; how many calls it makes.
fn play(beats: &[Beat], level: Durability, variant: u64, fault: Option<(u64, Fault)>) -> Result<u64, String> {
    let mut machine = machine(level, variant);
    if let Some((call, fault)) = fault {
        machine.world.lock().fault_at(call, fault);
    }
    let mut store = None;
    for beat in beats {
        let engine = match store.take() {
            Some(engine) => engine,
            None => open(&mut machine)?,
        };
        store = step(&mut machine, engine, *beat, variant)?;
    }
    let calls = machine.world.lock().calls();
    let engine = match store {
        Some(engine) => engine,
        None => open(&mut machine)?,
    };
    finish(&mut machine, engine)?;
    Ok(calls)
}

/// One line of the script; the store, if it is still open.
fn step(machine: &mut Machine, engine: Engine, beat: Beat, variant: u64) -> Result<Option<Engine>, String> {
    let went = match beat {
        Beat::Do(action) => match machine.perform(&engine, action)? {
            Went::On => return Ok(Some(engine)),
            went => went,
        },
        Beat::Close => {
            machine.close(engine.clone());
            if machine.is_down() { Went::Down } else { Went::On }
        }
    };
    drop(engine);
    match went {
        Went::Down => machine.cut_power(),
        Went::Poisoned if variant.is_multiple_of(2) => machine.cut_power(),
        Went::On | Went::Poisoned => machine.kill(),
    }
    Ok(None)
}

/// Opens the store. One fault may keep it from opening once.
fn open(machine: &mut Machine) -> Result<Engine, String> {
    for _ in 0..2 {
        match machine.open() {
            Opened::Open(engine) => {
                machine.settle(&engine)?;
                return Ok(engine);
            }
            Opened::Down => machine.cut_power(),
            Opened::Refused(_) if machine.world.lock().has_failed() => machine.kill(),
            Opened::Refused(error) => return Err(format!("the store does not open: {error}")),
        }
    }
    Err("the store does not open without a fault".to_owned())
}

/// The store is right, can be sealed and packed, closed and opened without anything to say.
fn finish(machine: &mut Machine, engine: Engine) -> Result<(), String> {
    machine.world.lock().heal();
    machine.inspect(&engine)?;
    for action in [Action::Seal, Action::Compact, Action::Ask] {
        if machine.perform(&engine, action)? != Went::On {
            return Err(format!("{action:?} fails on a disk that is well again"));
        }
    }
    if !machine.close(engine) {
        return Err("the store cannot be closed on a disk that is well again".to_owned());
    }
    machine.kill();
    let engine = open(machine)?;
    let notes = engine.recovery_notes();
    if notes.is_empty() { Ok(()) } else { Err(format!("behind a clean close: {notes:?}")) }
}

/// Runs a script to the call at which the machine goes down.
fn until_down(machine: &mut Machine, beats: &[Beat]) -> Result<(), String> {
    let mut store = None;
    for beat in beats {
        let engine = match store.take() {
            Some(engine) => engine,
            None => match machine.open() {
                Opened::Open(engine) => {
                    machine.settle(&engine)?;
                    engine
                }
                Opened::Down => return Ok(()),
                Opened::Refused(error) => return Err(format!("the store does not open: {error}")),
            },
        };
        let went = match beat {
            Beat::Do(action) => machine.perform(&engine, *action)?,
            Beat::Close => {
                machine.close(engine.clone());
                if !machine.is_down() {
                    machine.kill();
                    continue;
                }
                Went::Down
            }
        };
        if went == Went::Down {
            return Ok(());
        }
        store = Some(engine);
    }
    Err("the script ends before the power cut".to_owned())
}

/// Opens a store whose machine has crashed, then does so again for each call of that, with the power cut there.
fn recover(machine: &mut Machine, depth: u32, counts: &mut Counts) -> Result<(), String> {
    let saved = machine.save();
    let before = machine.world.lock().calls();
    let engine = open(machine)?;
    let calls = machine.world.lock().calls() - before;
    // What a close would do is of no interest.
    machine.world.lock().fault_after(0, Fault::Crash);
    drop(engine);
    if depth == 0 {
        return Ok(());
    }
    for call in 0..calls {
        machine.restore(&saved);
        {
            let mut world = machine.world.lock();
            world.reseed(call);
            world.fault_after(call, Fault::Crash);
        }
        if let Opened::Refused(error) = machine.open() {
            return Err(format!("cut at call {call} of the recovery: {error}"));
        }
        machine.cut_power();
        counts.plays += 1;
        counts.power_cuts += 1;
        recover(machine, depth - 1, counts).map_err(|what| format!("cut at call {call} of the recovery: {what}"))?;
    }
    Ok(())
}
