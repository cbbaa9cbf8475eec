//! Power cuts in the middle of a repair, at every call: whatever is left of it, the next repair goes on from there and
//! nothing is lost that no plan named.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annals_engine::Options;
use annals_engine::repair::{self, RepairPlan};
use annals_sim::Fault;

use crate::store::{Machine, STORE, append, everything};

/// The first byte behind the header of a log.
const FIRST_FRAME: u64 = 4096;

/// Something done to the files of a closed store.
struct Harm {
    name: &'static str,
    does: fn(&Machine),
}

const HARMS: &[Harm] = &[
    Harm { name: "a frame of the log", does: |machine| machine.flip(&machine.file("log"), FIRST_FRAME + 120) },
    Harm { name: "the header of the log", does: |machine| machine.flip(&machine.file("log"), 40) },
    Harm { name: "a missing log", does: |machine| machine.remove(&machine.file("log")) },
    Harm {
        name: "the middle of a segment",
        does: |machine| {
            let path = machine.file("segment");
            machine.flip(&path, machine.len(&path) / 2);
        },
    },
    Harm {
        name: "the trailer of a segment",
        does: |machine| {
            let path = machine.file("segment");
            machine.flip(&path, machine.len(&path) - 3);
        },
    },
    Harm { name: "a missing segment", does: |machine| machine.remove(&machine.file("segment")) },
    Harm { name: "an overlay", does: |machine| machine.flip(&machine.file("overlay"), 70) },
    Harm { name: "a missing blob", does: |machine| machine.remove(&machine.file("blob")) },
    Harm { name: "MANIFEST", does: |machine| machine.flip(&Path::new(STORE).join("MANIFEST"), 80) },
    Harm {
        name: "both manifests and the header of the log",
        does: |machine| {
            machine.flip(&Path::new(STORE).join("MANIFEST"), 80);
            machine.flip(&Path::new(STORE).join("MANIFEST.prev"), 80);
            machine.flip(&machine.file("log"), 40);
        },
    },
    Harm {
        name: "both manifests and a frame of the log",
        does: |machine| {
            machine.remove(&Path::new(STORE).join("MANIFEST"));
            machine.remove(&Path::new(STORE).join("MANIFEST.prev"));
            machine.flip(&machine.file("log"), FIRST_FRAME + 120);
        },
    },
];

impl Machine {
    /// The first file with this ending.
    fn file(&self, extension: &str) -> PathBuf {
        let files = self.0.lock().files();
        let mut found = files.into_iter().map(|(path, _)| path);
        found.find(|path| path.extension().is_some_and(|other| other == extension)).unwrap()
    }

    fn len(&self, path: &Path) -> u64 {
        let files = self.0.lock().files();
        files.into_iter().find(|(other, _)| other == path).unwrap().1
    }

    fn flip(&self, path: &Path, at: u64) {
        self.0.lock().flip_bit(path, at, 4);
    }

    fn remove(&self, path: &Path) {
        let storage = self.storage();
        storage.remove(path).unwrap();
        storage.sync_dir(path.parent().unwrap()).unwrap();
    }

    fn plan(&self) -> RepairPlan {
        let mut options = Options::new(STORE);
        options.storage = self.storage();
        repair::plan(options, &mut |_, _| ()).unwrap()
    }

    /// A closed store with something done to it, and the sequences that were in it.
    fn harmed(seed: u64, harm: &Harm) -> (Self, Vec<u64>) {
        let machine = Self::new(seed);
        let engine = machine.filled();
        let expected = everything(&engine).into_iter().map(|(sequence, _)| sequence).collect();
        engine.close().unwrap();
        drop(engine);
        (harm.does)(&machine);
        (machine, expected)
    }
}

fn named(plan: &RepairPlan) -> impl Iterator<Item = Range<u64>> {
    plan.report().details.iter().filter_map(|damage| damage.loss.sequences.clone())
}

#[test]
fn a_power_cut_at_every_call_of_a_repair_loses_no_more_than_was_named() {
    let mut cuts = 0;
    for harm in HARMS {
        for number in 0.. {
            let context = format!("{}, call {number}", harm.name);
            let (machine, expected) = Machine::harmed(number, harm);
            let first = machine.plan();
            assert!(!first.is_empty(), "{context}");
            let mut lost: Vec<Range<u64>> = named(&first).collect();
            machine.0.lock().fault_after(number, Fault::Crash);
            let done = first.apply(&mut |_, _| ());
            let is_over = !machine.0.lock().is_down();
            machine.0.lock().heal();
            machine.0.lock().power_cycle();
            let second = machine.plan();
            lost.extend(named(&second));
            if is_over {
                done.unwrap_or_else(|error| panic!("{context}: {error}"));
                assert!(
                    second.is_empty(),
                    "{context}: a repair that was told as done is durable: {:?}",
                    second.steps()
                );
                drop(second);
            } else {
                cuts += 1;
                second.apply(&mut |_, _| ()).unwrap_or_else(|error| panic!("{context}: {error}"));
            }
            check(&machine, &expected, &lost, &context);
            if is_over {
                break;
            }
        }
    }
    assert!(cuts > 100, "{cuts} power cuts");
}

/// The store is sound, holds everything that no plan named, and goes on.
fn check(machine: &Machine, expected: &[u64], lost: &[Range<u64>], context: &str) {
    let again = machine.plan();
    assert!(again.is_empty() && again.report().damages.is_empty(), "{context}: {:?}", again.report().damages);
    drop(again);
    let engine = machine.open(STORE).unwrap_or_else(|error| panic!("{context}: {error}"));
    let found: Vec<u64> = everything(&engine).into_iter().map(|(sequence, _)| sequence).collect();
    assert!(found.is_sorted_by(|one, next| one < next), "{context}: {found:?}");
    for sequence in expected {
        let is_named = lost.iter().any(|range| range.contains(sequence));
        assert!(is_named || found.contains(sequence), "{context}: sequence {sequence} is gone and was not named");
    }
    append(&engine, 1);
    let (last, _) = everything(&engine).pop().unwrap();
    assert!(expected.iter().all(|sequence| *sequence < last), "{context}: {last} was given before");
    engine.close().unwrap();
    drop(engine);
    let report = machine.plan();
    assert!(report.report().damages.is_empty(), "{context}: {:?}", report.report().damages);
}
