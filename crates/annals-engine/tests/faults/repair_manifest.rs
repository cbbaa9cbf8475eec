//! A manifest made anew from the files that are there: nothing is lost that they hold, nothing comes back that was given
//! up, and what is gone is named.

use std::path::Path;
use std::sync::atomic::Ordering;

use annals_engine::repair::{self};
use annals_engine::{AppendOptions, Delete, Durability, Engine, ErrorKind, Event, Mark};

use crate::disk::Disk;
use crate::harms::{FIRST_FRAME, OLD_US, flip, log, lose_manifests, named, plan, remove, sample};
use crate::support::{
    DAY_US, Line, NOW_US, Store, batch, copy_store, event, everything, files, keyed, options, small_folder,
};

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
