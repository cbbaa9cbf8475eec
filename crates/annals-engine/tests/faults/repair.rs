//! Repair: the plan changes nothing, applying it loses only what it names, and whatever stops it, the next one goes on.

use std::io::ErrorKind as Io;
use std::sync::atomic::Ordering;

use annals_engine::repair::{self, DamageKind};
use annals_engine::{Delete, Durability, Engine, ErrorKind, Event, Mark};

use crate::disk::Disk;
use crate::harms::{HARMS, OLD_US, contents, flip, named, plan, remove, sample, segment};
use crate::support::{Store, copy_store, event, everything, files, options, small_folder};

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
