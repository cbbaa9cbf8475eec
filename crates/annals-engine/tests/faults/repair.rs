//! Repair: the plan changes nothing, applying it loses only what it names, and whatever stops it, the next one goes on.

use std::collections::BTreeMap;
use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use annals_engine::repair::{self, DamageKind, RepairPlan};
use annals_engine::{AppendOptions, Delete, Durability, Engine, ErrorKind, Event, Field, Mark, Options};

use crate::disk::Disk;
use crate::support::{
    DAY_US, Line, NOW_US, Store, batch, copy_store, event, everything, files, keyed, options, small_folder,
};

const OLD_US: i64 = NOW_US - 5 * DAY_US;
/// The first byte behind the header of a log.
pub(crate) const FIRST_FRAME: usize = 4096;

/// A closed store: two sealed days, an overlay on the older one, blobs, keys, a full log and one gone on with.
struct Sample {
    directory: tempfile::TempDir,
    lines: Vec<Line>,
    /// The last sequence that was given.
    last: u64,
    work: tempfile::TempDir,
}

fn sample() -> Sample {
    let store = Store::new(Durability::Sync);
    let texts: Vec<String> = (0..300).map(|number| format!("the message number {number}")).collect();
    let events: Vec<Event<'_>> = (1..)
        .zip(&texts)
        .map(|(id, text)| {
            let mut event = crate::support::with_message(event(id, OLD_US + i64::try_from(id).unwrap()), text);
            event.set(Field::UserId, if id % 2 == 0 { "ada" } else { "bob" });
            event.payload = (id % 3 == 0).then_some(r#"{"key":"value"}"#);
            event.realm_ids = (&["a", "b"]).into();
            event.latency_ms = (id % 5 == 0).then_some(0.5);
            event
        })
        .collect();
    store.engine.append(batch(&events), &keyed(5, 5)).unwrap();
    store.engine.seal_now().unwrap();
    store.append(&[event(1020, NOW_US), event(1021, NOW_US + 1)]).unwrap();
    store.engine.mark(&[Mark { sequence: 2, acknowledged: true }]).unwrap();
    store.engine.delete(&Delete::Sequences(vec![3, 4])).unwrap();
    store.engine.seal_now().unwrap();
    store.engine.put_blob("name", b"value").unwrap();
    // Three logs: the first two are full.
    let long = "x".repeat(600_000);
    for id in 1030..1035 {
        store.append(&[crate::support::with_content(event(id, NOW_US + 2), &long[..400_000])]).unwrap();
        store.append(&[event(id + 100, NOW_US + 3)]).unwrap();
    }
    assert_eq!(files(store.path(), "log").len(), 3);
    let lines = everything(&store.engine);
    let last = store.engine.stats().last_sequence;
    store.engine.close().unwrap();
    let directory = small_folder();
    copy_store(store.path(), directory.path());
    Sample { directory, lines, last, work: small_folder() }
}

/// Every file below a folder, with its bytes, and every folder.
pub(crate) fn contents(directory: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), None);
            found.extend(contents(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.insert(path, Some(bytes));
        }
    }
    found
}

pub(crate) fn plan(options: &Options) -> RepairPlan {
    repair::plan(options.clone(), &mut |_, _| ()).unwrap()
}

/// Something done to the files of a closed store.
struct Harm {
    name: &'static str,
    kinds: &'static [DamageKind],
    does: fn(&Path),
    /// Whether every event is there after a repair.
    keeps_all: bool,
}

pub(crate) fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

fn cut(path: &Path, len: usize) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..len.min(bytes.len())]).unwrap();
}

pub(crate) fn log(store: &Path, index: usize) -> PathBuf {
    files(store, "log")[index].clone()
}

pub(crate) fn segment(store: &Path) -> PathBuf {
    files(store, "segment")[0].clone()
}

fn blob_with(store: &Path, text: &[u8]) -> PathBuf {
    let holds = |path: &PathBuf| std::fs::read(path).unwrap().windows(text.len()).any(|window| window == text);
    files(store, "blob").into_iter().find(holds).unwrap()
}

pub(crate) fn remove(path: &Path) {
    std::fs::remove_file(path).unwrap();
}

fn lose_manifests(store: &Path) {
    remove(&store.join("MANIFEST"));
    remove(&store.join("MANIFEST.prev"));
}

const HARMS: &[Harm] = &[
    Harm {
        name: "a flipped bit in the log that is gone on with",
        kinds: &[DamageKind::Log],
        does: |store| flip(&log(store, 2), FIRST_FRAME + 120),
        keeps_all: false,
    },
    Harm {
        name: "a flipped bit in the middle of a full log",
        kinds: &[DamageKind::Log],
        does: |store| flip(&log(store, 0), FIRST_FRAME + 500_500),
        keeps_all: false,
    },
    Harm {
        name: "flipped bits in the first log and the last",
        kinds: &[DamageKind::Log, DamageKind::Log],
        does: |store| {
            flip(&log(store, 0), FIRST_FRAME + 500_500);
            flip(&log(store, 2), FIRST_FRAME + 120);
        },
        keeps_all: false,
    },
    Harm {
        name: "a full log from the middle on and all of the next",
        kinds: &[DamageKind::Log, DamageKind::Log],
        does: |store| {
            flip(&log(store, 0), FIRST_FRAME + 500_500);
            flip(&log(store, 1), FIRST_FRAME + 20);
        },
        keeps_all: false,
    },
    Harm {
        name: "a missing full log and all of the next",
        kinds: &[DamageKind::Log, DamageKind::Log],
        does: |store| {
            remove(&log(store, 0));
            flip(&log(store, 1), FIRST_FRAME + 20);
        },
        keeps_all: false,
    },
    Harm {
        name: "the header of a log",
        kinds: &[DamageKind::Log],
        does: |store| flip(&log(store, 2), 40),
        keeps_all: true,
    },
    Harm { name: "a missing log", kinds: &[DamageKind::Log], does: |store| remove(&log(store, 2)), keeps_all: false },
    Harm {
        name: "a missing full log",
        kinds: &[DamageKind::Log],
        does: |store| remove(&log(store, 0)),
        keeps_all: false,
    },
    Harm {
        name: "a log shorter than it was reserved",
        kinds: &[DamageKind::Log],
        does: |store| cut(&log(store, 2), 1_000_000),
        keeps_all: true,
    },
    Harm {
        name: "a log cut within its frames",
        kinds: &[DamageKind::Log],
        does: |store| cut(&log(store, 2), FIRST_FRAME + 1000),
        keeps_all: false,
    },
    Harm {
        name: "a missing segment",
        kinds: &[DamageKind::Segment],
        does: |store| remove(&segment(store)),
        keeps_all: false,
    },
    Harm {
        name: "a segment's trailer",
        kinds: &[DamageKind::Segment],
        does: |store| {
            let len = std::fs::read(segment(store)).unwrap().len();
            flip(&segment(store), len - 3);
        },
        keeps_all: false,
    },
    Harm {
        name: "a missing segment and its overlay",
        kinds: &[DamageKind::Segment, DamageKind::Overlay],
        does: |store| {
            remove(&segment(store));
            flip(&files(store, "overlay")[0], 70);
        },
        keeps_all: false,
    },
    Harm {
        name: "a segment's index and its overlay",
        kinds: &[DamageKind::Segment, DamageKind::Overlay],
        does: |store| {
            let len = std::fs::read(segment(store)).unwrap().len();
            flip(&segment(store), len / 2);
            flip(&files(store, "overlay")[0], 70);
        },
        keeps_all: false,
    },
    Harm {
        name: "a missing overlay",
        kinds: &[DamageKind::Overlay],
        does: |store| remove(&files(store, "overlay")[0]),
        keeps_all: true,
    },
    Harm {
        name: "a damaged value",
        kinds: &[DamageKind::Blob],
        does: |store| flip(&blob_with(store, b"value"), 66),
        keeps_all: true,
    },
    Harm {
        name: "every blob gone",
        kinds: &[DamageKind::Blob, DamageKind::Blob],
        does: |store| files(store, "blob").iter().for_each(|path| remove(path)),
        keeps_all: true,
    },
    Harm {
        name: "MANIFEST unreadable",
        kinds: &[DamageKind::Manifest],
        does: |store| flip(&store.join("MANIFEST"), 80),
        keeps_all: true,
    },
    Harm {
        name: "MANIFEST missing",
        kinds: &[DamageKind::Manifest],
        does: |store| remove(&store.join("MANIFEST")),
        keeps_all: true,
    },
    Harm {
        name: "both manifests unreadable",
        kinds: &[DamageKind::Manifest],
        does: |store| {
            flip(&store.join("MANIFEST"), 80);
            flip(&store.join("MANIFEST.prev"), 80);
        },
        keeps_all: true,
    },
    Harm {
        name: "MANIFEST unreadable and the log that is gone on with missing",
        kinds: &[DamageKind::Manifest, DamageKind::Log],
        does: |store| {
            flip(&store.join("MANIFEST"), 80);
            remove(&log(store, 1));
        },
        keeps_all: false,
    },
    Harm {
        name: "MANIFEST unreadable and a full log missing",
        kinds: &[DamageKind::Manifest, DamageKind::Log],
        does: |store| {
            flip(&store.join("MANIFEST"), 80);
            remove(&log(store, 0));
        },
        keeps_all: false,
    },
    Harm {
        name: "both manifests and the header of a log",
        kinds: &[DamageKind::Manifest, DamageKind::Log],
        does: |store| {
            lose_manifests(store);
            flip(&log(store, 1), 40);
        },
        keeps_all: true,
    },
    Harm {
        name: "both manifests and an overlay",
        kinds: &[DamageKind::Manifest, DamageKind::Overlay],
        does: |store| {
            lose_manifests(store);
            flip(&files(store, "overlay")[0], 70);
        },
        keeps_all: true,
    },
    Harm {
        name: "both manifests and a log",
        kinds: &[DamageKind::Manifest, DamageKind::Log],
        does: |store| {
            remove(&store.join("MANIFEST"));
            remove(&store.join("MANIFEST.prev"));
            flip(&log(store, 2), FIRST_FRAME + 120);
        },
        keeps_all: false,
    },
];

impl Sample {
    /// A copy with one file changed.
    fn copy(&self, harm: impl Fn(&Path)) -> Options {
        let path = self.work.path().join("store");
        if path.exists() {
            std::fs::remove_dir_all(&path).unwrap();
        }
        copy_store(self.directory.path(), &path);
        harm(&path);
        options(&path, &Disk::new())
    }

    /// What is in a store after a repair: everything but what the plan named; and the store is sound and writable.
    fn check(&self, options: &Options, named: &[std::ops::Range<u64>], context: &str) -> Vec<Line> {
        let again = plan(options);
        assert!(again.report().damages.is_empty(), "{context}: {:?}", again.report().damages);
        assert!(again.is_empty(), "{context}: {:?}", again.steps());
        drop(again);
        let engine = Engine::open(options.clone()).unwrap_or_else(|error| panic!("{context}: {error}"));
        let found = everything(&engine);
        for line in &self.lines {
            let is_named = named.iter().any(|range| range.contains(&line.sequence));
            let is_there = found.iter().any(|other| other.sequence == line.sequence && other.message == line.message);
            assert!(is_there || is_named, "{context}: sequence {} is gone and not named", line.sequence);
        }
        let receipt = engine.append(batch(&[event(9_000, NOW_US + 9)]), &AppendOptions::default()).unwrap();
        assert!(receipt.sequences.start > self.last, "{context}: {} was given before", receipt.sequences.start);
        engine.seal_now().unwrap();
        let report = engine.verify(&mut |_, _| ()).unwrap();
        assert!(report.damages.is_empty(), "{context}: {:?}", report.damages);
        engine.close().unwrap();
        let engine = Engine::open(options.clone()).unwrap();
        assert!(engine.recovery_notes().is_empty(), "{context}: {:?}", engine.recovery_notes());
        engine.close().unwrap();
        found
    }
}

fn named(plan: &RepairPlan) -> Vec<std::ops::Range<u64>> {
    plan.report().details.iter().filter_map(|damage| damage.loss.sequences.clone()).collect()
}

#[test]
fn a_sound_store_needs_no_repair() {
    let sample = sample();
    let options = sample.copy(|_| ());
    let before = contents(&options.directory);
    let plan = plan(&options);
    assert!(plan.is_empty() && plan.report().damages.is_empty(), "{:?}", plan.steps());
    assert_eq!(plan.report().events, u64::try_from(sample.lines.len()).unwrap() + 2, "deleted ones are read too");
    assert!(plan.apply(&mut |_, _| ()).unwrap().is_empty());
    assert_eq!(contents(&options.directory), before);
}

#[test]
fn each_kind_of_damage_is_planned_and_repaired() {
    let sample = sample();
    for harm in HARMS {
        let options = sample.copy(harm.does);
        let before = contents(&options.directory);
        let plan = plan(&options);
        assert_eq!(contents(&options.directory), before, "{}: a plan changes nothing", harm.name);
        let kinds: Vec<DamageKind> = plan.report().details.iter().map(|damage| damage.kind).collect();
        let expected = kinds.iter().filter(|kind| harm.kinds.contains(kind)).count();
        assert_eq!(
            (expected, kinds.len()),
            (kinds.len(), harm.kinds.len()),
            "{}: {:?}",
            harm.name,
            plan.report().damages
        );
        assert!(!plan.steps().is_empty(), "{}", harm.name);
        let named = named(&plan);
        let steps = plan.steps();
        let done = plan.apply(&mut |_, _| ()).unwrap_or_else(|error| panic!("{}: {error}", harm.name));
        assert!(!done.is_empty(), "{}: {steps:?}", harm.name);
        let found = sample.check(&options, &named, harm.name);
        assert_eq!(found.len() >= sample.lines.len(), harm.keeps_all, "{}: {steps:?}", harm.name);
        let kept = files(&options.directory, "quarantine");
        assert!(kept.iter().any(|path| path.ends_with("repair.txt")), "{}: {kept:?}", harm.name);
    }
}

/// Every byte that was in the store before a repair is in it afterwards, somewhere.
#[test]
fn a_repair_deletes_nothing() {
    let sample = sample();
    for harm in HARMS {
        let options = sample.copy(harm.does);
        let before = contents(&options.directory);
        plan(&options).apply(&mut |_, _| ()).unwrap();
        let after = contents(&options.directory);
        for (path, bytes) in before {
            let Some(bytes) = bytes else { continue };
            let is_log = path.extension().is_some_and(|extension| extension == "log");
            let is_kept = after.values().flatten().any(|now| *now == bytes);
            // What of a log is overwritten is kept as a piece.
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let has_piece = || {
                after.keys().any(|other| {
                    let other = other.file_name().unwrap().to_string_lossy().into_owned();
                    other.starts_with(&name) && other != name
                })
            };
            let is_replaced = name == "MANIFEST" || name == "MANIFEST.prev";
            let is_longer = || after.get(&path).and_then(Option::as_ref).is_some_and(|now| now.starts_with(&bytes));
            assert!(
                is_kept || is_replaced || is_log && (has_piece() || is_longer()),
                "{}: {}",
                harm.name,
                path.display()
            );
        }
    }
}

#[test]
fn a_failure_at_any_call_leaves_a_store_that_is_repaired_later() {
    let sample = sample();
    for harm in HARMS {
        for number in 0.. {
            let mut options = sample.copy(harm.does);
            let disk = Disk::new();
            options.storage = std::sync::Arc::new(disk.clone());
            let first = plan(&options);
            let mut all_named = named(&first);
            let kind = if number % 2 == 0 { Io::StorageFull } else { Io::Other };
            let count = disk.refuse_call(number, kind);
            let outcome = first.apply(&mut |_, _| ());
            let reached = count.load(Ordering::Relaxed) > number;
            disk.heal();
            assert!(reached || outcome.is_ok(), "{}: call {number}", harm.name);
            let second = plan(&options);
            all_named.extend(named(&second));
            second.apply(&mut |_, _| ()).unwrap_or_else(|error| panic!("{} call {number}: {error}", harm.name));
            sample.check(&options, &all_named, &format!("{} call {number}", harm.name));
            if !reached {
                break;
            }
        }
    }
}

#[test]
fn flipped_bytes_all_over_a_segment_lose_no_more_than_is_named() {
    let sample = sample();
    let file = segment(sample.directory.path()).strip_prefix(sample.directory.path()).unwrap().to_owned();
    let len = std::fs::read(sample.directory.path().join(&file)).unwrap().len();
    for position in (0..len).step_by(61) {
        let options = sample.copy(|store| flip(&store.join(&file), position));
        let first = plan(&options);
        assert_eq!(first.report().damages.len(), 1, "byte {position}");
        let named = named(&first);
        first.apply(&mut |_, _| ()).unwrap_or_else(|error| panic!("byte {position}: {error}"));
        sample.check(&options, &named, &format!("byte {position}"));
    }
}

/// A segment of several chunks: what lies in a damaged one is lost, the rest is kept, with its deletes and marks.
#[test]
fn the_rows_of_a_damaged_chunk_are_lost_and_no_others() {
    let store = Store::new(Durability::Sync);
    let mut state = 1_u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:x}", state >> 8)
    };
    let texts: Vec<String> = (0..2000).map(|_| (0..20).map(|_| word()).collect()).collect();
    for (chunk, texts) in texts.chunks(500).enumerate() {
        let events: Vec<Event<'_>> = (u128::try_from(chunk * 500).unwrap() + 1..)
            .zip(texts)
            .map(|(id, text)| crate::support::with_message(event(id, OLD_US + i64::try_from(id).unwrap()), text))
            .collect();
        store.append(&events).unwrap();
    }
    store.engine.seal_now().unwrap();
    store.engine.delete(&Delete::Sequences(vec![3, 1999])).unwrap();
    store
        .engine
        .mark(&[Mark { sequence: 2, acknowledged: true }, Mark { sequence: 2000, acknowledged: true }])
        .unwrap();
    store.engine.seal_now().unwrap();
    let lines = everything(&store.engine);
    store.engine.close().unwrap();
    let path = segment(store.path());
    let len = std::fs::read(&path).unwrap().len();
    assert!(len > 3 * 65_536, "{len} bytes are too few for this test");
    let mut kinds = std::collections::BTreeSet::new();
    for at in (70_000..len).step_by(50_000) {
        let copy = small_folder();
        copy_store(store.path(), copy.path());
        flip(&copy.path().join("segment").join(path.file_name().unwrap()), at);
        let options = options(copy.path(), &Disk::new());
        let first = plan(&options);
        let damage = first.report().details[0].clone();
        kinds.insert(damage.remedy.clone().unwrap().name());
        first.apply(&mut |_, _| ()).unwrap();
        let engine = Engine::open(options).unwrap();
        let found = everything(&engine);
        let lost = usize::try_from(damage.loss.events.unwrap()).unwrap();
        assert!(found.len() + lost >= lines.len(), "byte {at}: {damage}");
        assert!(lost < lines.len(), "byte {at}: {damage}");
        for line in &found {
            assert!(lines.contains(line), "byte {at}: {line:?}");
        }
        engine.close().unwrap();
    }
    assert!(kinds.contains("salvage"), "{kinds:?}");
}

#[test]
fn files_of_another_store_are_refused_and_a_running_store_is_locked() {
    let (one, other) = (sample(), sample());
    let options = one.copy(|store| {
        let foreign = segment(other.directory.path());
        std::fs::copy(&foreign, store.join("segment/00000000000000009999.segment")).unwrap();
        remove(&store.join("MANIFEST"));
        remove(&store.join("MANIFEST.prev"));
    });
    let error = repair::plan(options, &mut |_, _| ()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains("several stores"), "{error}");

    let options = one.copy(|_| ());
    let engine = Engine::open(options.clone()).unwrap();
    assert_eq!(repair::plan(options.clone(), &mut |_, _| ()).err().unwrap().kind(), ErrorKind::Locked);
    engine.close().unwrap();
    let nothing = tempfile::tempdir().unwrap();
    let missing = crate::support::options(nothing.path(), &Disk::new());
    assert_eq!(repair::plan(missing, &mut |_, _| ()).err().unwrap().kind(), ErrorKind::NotFound);
    assert_eq!(std::fs::read_dir(nothing.path()).unwrap().count(), 0);
}

#[test]
fn unknown_files_are_set_aside_and_no_damage() {
    let sample = sample();
    let options = sample.copy(|store| std::fs::write(store.join("segment/foreign.txt"), b"mine").unwrap());
    let plan = plan(&options);
    assert!(plan.report().damages.is_empty());
    assert_eq!(plan.steps(), ["move segment/foreign.txt to orphans/"]);
    plan.apply(&mut |_, _| ()).unwrap();
    assert_eq!(std::fs::read(options.directory.join("orphans/foreign.txt")).unwrap(), b"mine");
}

/// The manifest is lost right behind each of its commits: what the files say brings everything back.
/// `held_up`: what was given up before is still there, its removal was held up or cut short.
#[test]
fn a_manifest_lost_behind_any_commit_loses_no_event() {
    let copies = small_folder();
    let store = Store::new(Durability::Sync);
    let (from, to) = (store.path().to_owned(), copies.path().to_owned());
    let count = std::sync::atomic::AtomicUsize::new(0);
    store.disk.on_call(move |call, path| {
        // The sync of the store's own folder makes a commit durable.
        if call == crate::disk::Call::SyncDir && path == from {
            let number = count.fetch_add(1, Ordering::Relaxed);
            copy_store(&from, &to.join(number.to_string()));
        }
        Ok(())
    });
    let long = "x".repeat(400_000);
    for round in 0..2_u128 {
        let time = OLD_US + i64::try_from(round).unwrap() * DAY_US;
        let events: Vec<Event<'_>> =
            (1..40).map(|id| event(round * 100 + id, time + i64::try_from(id).unwrap())).collect();
        store.engine.append(batch(&events), &keyed(round + 1, 1)).unwrap();
        for id in 50..53 {
            store.append(&[crate::support::with_content(event(round * 100 + id, time), &long)]).unwrap();
        }
        store.engine.put_blob("name", format!("value {round}").as_bytes()).unwrap();
        store.engine.seal_now().unwrap();
        let first = u64::try_from(round).unwrap() * 42;
        store.engine.delete(&Delete::Sequences(vec![first + 3])).unwrap();
        store.engine.mark(&[Mark { sequence: first + 5, acknowledged: true }]).unwrap();
        store.append(&[event(round * 100 + 70, time)]).unwrap();
        store.engine.seal_now().unwrap();
        store.engine.compact().unwrap();
    }
    store.engine.close().unwrap();
    store.disk.heal();
    let commits = std::fs::read_dir(copies.path()).unwrap().count();
    assert!(commits > 30, "{commits}");
    for number in 0..commits {
        let path = copies.path().join(number.to_string());
        let sound = small_folder();
        copy_store(&path, sound.path());
        let engine = Engine::open(options(sound.path(), &Disk::new())).unwrap();
        let expected = everything(&engine);
        engine.close().unwrap();
        for (both, held_up) in [(false, false), (true, false), (false, true)] {
            let work = small_folder();
            if held_up && number > 0 {
                copy_store(&copies.path().join((number - 1).to_string()), work.path());
            }
            copy_store(&path, work.path());
            std::fs::write(work.path().join("MANIFEST"), b"nothing").unwrap();
            if both && work.path().join("MANIFEST.prev").exists() {
                std::fs::write(work.path().join("MANIFEST.prev"), b"nothing").unwrap();
            }
            let options = options(work.path(), &Disk::new());
            let plan = match repair::plan(options.clone(), &mut |_, _| ()) {
                Ok(plan) => plan,
                // Before the first log there is no file that says which store this is.
                Err(error) if expected.is_empty() => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt);
                    continue;
                }
                Err(error) => panic!("commit {number}: {error}"),
            };
            let report = plan.report().clone();
            plan.apply(&mut |_, _| ()).unwrap();
            let engine = Engine::open(options)
                .unwrap_or_else(|error| panic!("commit {number} {both} {held_up}: {error} {report:?}"));
            let found = everything(&engine);
            let told = |lines: &[Line]| lines.iter().map(|line| line.sequence).collect::<Vec<_>>();
            assert_eq!(told(&found), told(&expected), "commit {number} {both} {held_up}: {report:?}");
            assert_eq!(found, expected, "commit {number} {both} {held_up}: {report:?}");
            assert!(engine.verify(&mut |_, _| ()).unwrap().damages.is_empty(), "commit {number} {both} {held_up}");
        }
    }
}

/// A file that no manifest knows any more and that cannot be read is told of by its name.
#[test]
fn unreadable_files_behind_lost_manifests_are_named() {
    type Spoil = (&'static str, usize, fn(&Path));
    let sample = sample();
    let spoils: [Spoil; 3] = [
        ("log", 1, |path| {
            flip(path, 40);
            flip(path, FIRST_FRAME + 4);
        }),
        ("segment", 0, |path| flip(path, std::fs::read(path).unwrap().len() - 3)),
        ("overlay", 0, |path| flip(path, 70)),
    ];
    for (folder, index, spoil) in spoils {
        let options = sample.copy(|store| {
            lose_manifests(store);
            spoil(&files(store, folder)[index]);
        });
        let file = files(&options.directory, folder)[index].clone();
        let plan = plan(&options);
        let name = format!("{folder}/{}", file.file_name().unwrap().to_string_lossy());
        let told = plan.report().details.iter().find(|damage| damage.file == name);
        let told = told.unwrap_or_else(|| panic!("{name}: {:?}", plan.report().damages));
        assert!(!told.loss.is_none(), "{told}");
        plan.apply(&mut |_, _| ()).unwrap();
        let kept = options.directory.join("orphans").join(file.file_name().unwrap());
        assert!(kept.exists(), "{name}");
    }
}

/// A log is lost right behind a commit together with the manifest: what no segment holds is named, nothing is given
/// again.
#[test]
fn a_log_lost_with_the_manifest_is_named_unless_segments_hold_it() {
    let store = Store::new(Durability::Sync);
    let events: Vec<Event<'_>> = (1..40).map(|id| event(id, NOW_US)).collect();
    store.append(&events).unwrap();
    let (from, copies) = (store.path().to_owned(), small_folder());
    let (to, count) = (copies.path().to_owned(), std::sync::atomic::AtomicUsize::new(0));
    store.disk.on_call(move |call, path| {
        if call == crate::disk::Call::SyncDir && path == from {
            copy_store(&from, &to.join(count.fetch_add(1, Ordering::Relaxed).to_string()));
        }
        Ok(())
    });
    store.engine.seal_now().unwrap();
    store.engine.close().unwrap();
    store.disk.heal();
    let mut outcomes = std::collections::BTreeSet::new();
    for number in 0..std::fs::read_dir(copies.path()).unwrap().count() {
        let path = copies.path().join(number.to_string());
        std::fs::write(path.join("MANIFEST"), b"nothing").unwrap();
        remove(&log(&path, 0));
        let options = options(&path, &Disk::new());
        let plan = plan(&options);
        let report = plan.report().clone();
        let is_named = named(&plan).iter().any(|range| range.contains(&39));
        plan.apply(&mut |_, _| ()).unwrap();
        let engine = Engine::open(options).unwrap();
        let held = everything(&engine).len();
        let receipt = engine.append(batch(&[event(9_000, NOW_US + 9)]), &AppendOptions::default()).unwrap();
        assert!(receipt.sequences.start > 39, "commit {number}: {report:?}");
        assert!(held == 39 || is_named, "commit {number}: {held} events, {report:?}");
        outcomes.insert(held);
        engine.close().unwrap();
    }
    assert_eq!(outcomes.into_iter().collect::<Vec<_>>(), [0, 39]);
}

/// A running backup holds a log that was sealed meanwhile: it is no part of the store any more, and what was deleted
/// since does not come back with it.
#[test]
fn a_log_given_up_that_is_still_there_brings_nothing_back() {
    let store = Store::new(Durability::Sync);
    let events: Vec<Event<'_>> = (1..40).map(|id| event(id, NOW_US)).collect();
    store.append(&events).unwrap();
    let given_up = log(store.path(), 0);
    let backup = store.engine.begin_backup().unwrap();
    let (from, copies) = (store.path().to_owned(), small_folder());
    let (to, count) = (copies.path().to_owned(), std::sync::atomic::AtomicUsize::new(0));
    store.disk.on_call(move |call, path| {
        if call == crate::disk::Call::SyncDir && path == from {
            copy_store(&from, &to.join(count.fetch_add(1, Ordering::Relaxed).to_string()));
        }
        Ok(())
    });
    store.engine.seal_now().unwrap();
    store.engine.delete(&Delete::Sequences(vec![3])).unwrap();
    store.engine.seal_now().unwrap();
    store.engine.put_blob("name", b"value").unwrap();
    assert!(given_up.exists(), "the backup holds it");
    drop(backup);
    store.engine.close().unwrap();
    store.disk.heal();
    let mut set_aside = 0;
    for number in 0..std::fs::read_dir(copies.path()).unwrap().count() {
        let path = copies.path().join(number.to_string());
        let sound = small_folder();
        copy_store(&path, sound.path());
        let engine = Engine::open(options(sound.path(), &Disk::new())).unwrap();
        let expected = everything(&engine);
        engine.close().unwrap();
        flip(&path.join("MANIFEST"), 80);
        let options = options(&path, &Disk::new());
        plan(&options).apply(&mut |_, _| ()).unwrap();
        set_aside += usize::from(path.join("orphans").join(given_up.file_name().unwrap()).exists());
        let engine = Engine::open(options).unwrap();
        assert_eq!(everything(&engine), expected, "commit {number}");
        engine.close().unwrap();
    }
    assert!(set_aside > 0, "a case where the last commit changed files");
}
