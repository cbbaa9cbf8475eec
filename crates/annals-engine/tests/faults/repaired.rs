//! Stores that were repaired: they open, are written to, and are backed up like any other.

use std::path::Path;

use annals_engine::{Durability, Engine, Mark, Options};

use crate::disk::Disk;
use crate::repair::{FIRST_FRAME, flip, log, plan};
use crate::support::{Line, NOW_US, Store, copy_store, event, everything, files, options, with_content};

/// What leaves no room in a log for itself once more, nor for much else.
const LONG_LEN: usize = 400_000;
/// Marks of so many events, again and again, fill a log soon.
const SMALL_EVENTS: u128 = 300;

/// Appends two long events, which go into one log.
fn append_long(engine: &Engine, id: u128) {
    let long = "x".repeat(LONG_LEN);
    let events = [with_content(event(id, NOW_US), &long), with_content(event(id + 1, NOW_US), &long)];
    engine.append(crate::support::batch(&events), &annals_engine::AppendOptions::default()).unwrap();
}

/// Marks until the last log holds so many marks, and nothing else, that two long events find no room in it.
fn fill_with_marks(engine: &Engine, directory: &Path, logs: usize) {
    let first = everything(engine).first().unwrap().sequence;
    let mut rounds_in_it = 0;
    for round in 0..10_000 {
        let marks: Vec<Mark> = (first..first + u64::try_from(SMALL_EVENTS).unwrap())
            .map(|sequence| Mark { sequence, acknowledged: round % 2 == 0 })
            .collect();
        engine.mark(&marks).unwrap();
        rounds_in_it += usize::from(files(directory, "log").len() == logs);
        if rounds_in_it == 600 {
            return;
        }
    }
    panic!("no log {logs} came of it");
}

fn small_events(store: &Store) {
    store.append(&(1..=SMALL_EVENTS).map(|id| event(id, NOW_US)).collect::<Vec<_>>()).unwrap();
}

/// Repairs a copy of a store after harm to one of its logs.
fn repaired_copy(from: &Path, harm: impl Fn(&Path)) -> (Options, tempfile::TempDir) {
    let copy = tempfile::tempdir().unwrap();
    copy_store(from, copy.path());
    harm(copy.path());
    let options = options(copy.path(), &Disk::new());
    let first = plan(&options);
    assert!(!first.report().damages.is_empty());
    first.apply(&mut |_, _| ()).unwrap();
    (options, copy)
}

/// Nothing is damaged, the store opens, and holds what it is to hold.
fn check_sound(options: &Options, expected: &[Line]) {
    let again = plan(options);
    assert_eq!(again.report().damages, Vec::<String>::new());
    drop(again);
    let engine = Engine::open(options.clone()).unwrap();
    assert_eq!(everything(&engine).len(), expected.len());
    assert!(everything(&engine).iter().zip(expected).all(|(found, line)| found.sequence == line.sequence));
    engine.close().unwrap();
}

#[test]
fn a_log_of_marks_between_a_cut_log_and_another_is_sound() {
    let store = Store::new(Durability::Sync);
    small_events(&store);
    append_long(&store.engine, 1000);
    fill_with_marks(&store.engine, store.path(), 2);
    append_long(&store.engine, 2000);
    assert_eq!(files(store.path(), "log").len(), 3);
    let lines = everything(&store.engine);
    store.engine.close().unwrap();
    // Behind the small events: the long ones are lost, and the marks of that log.
    let (options, _copy) = repaired_copy(store.path(), |store| flip(&log(store, 0), FIRST_FRAME + 200_000));
    let kept: Vec<Line> = lines.into_iter().filter(|line| !(301..303).contains(&line.sequence)).collect();
    assert_eq!(kept.len(), 302);
    check_sound(&options, &kept);
}

#[test]
fn a_store_whose_last_log_was_cut_goes_on_with_marks_and_is_killed() {
    let store = Store::new(Durability::Sync);
    small_events(&store);
    append_long(&store.engine, 1000);
    store.engine.close().unwrap();
    let (options, copy) = repaired_copy(store.path(), |store| flip(&log(store, 0), FIRST_FRAME + 200_000));
    let engine = Engine::open(options).unwrap();
    assert_eq!(everything(&engine).len(), 300);
    fill_with_marks(&engine, copy.path(), 2);
    append_long(&engine, 2000);
    assert_eq!(files(copy.path(), "log").len(), 3);
    let lines = everything(&engine);
    assert_eq!(lines.len(), 302);
    let killed = tempfile::tempdir().unwrap();
    copy_store(copy.path(), killed.path());
    check_sound(&crate::support::options(killed.path(), &Disk::new()), &lines);
}
