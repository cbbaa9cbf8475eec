//! Stores that were repaired: they open, are written to, and are backed up like any other.

use std::path::Path;
use std::sync::Arc;

use annals_engine::{
    BackupOptions, CheckDepth, Durability, Engine, ErrorKind, LockMode, Mark, Options, RestoreOptions, Storage,
    check_backup, repair::RepairPlan, restore,
};

use crate::disk::Disk;
use crate::harms::{FIRST_FRAME, contents, flip, log, plan, remove};
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

/// Backs a store up, checks the backup, restores it and gives what is in the restored store.
fn through_a_backup(engine: &Engine, context: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (backup, into) = (folder.path().join("backup"), folder.path().join("restored"));
    let disk: Arc<dyn Storage> = Arc::new(Disk::new());
    let report = engine.backup(&backup, &BackupOptions::default(), &mut |_, _| ());
    let report = report.unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(report.damages, Vec::<String>::new(), "{context}");
    let checked = check_backup(&disk, &backup, CheckDepth::Everything, &mut |_, _| ()).unwrap();
    assert_eq!(checked.damages, Vec::<String>::new(), "{context}");
    restore(&disk, &backup, &into, &RestoreOptions::default(), &mut |_, _| ()).unwrap();
    let restored = Engine::open(options(&into, &Disk::new())).unwrap();
    assert_eq!(everything(&restored), everything(engine), "{context}");
    let (last, before) = (restored.stats().last_sequence, engine.stats().last_sequence);
    assert_eq!(last, before, "{context}: nothing is given twice");
    restored.seal_now().unwrap();
    assert_eq!(restored.verify(&mut |_, _| ()).unwrap().damages, Vec::<String>::new(), "{context}");
    goes_on_behind(&restored, context);
}

/// What the restored store gives next is later than anything before.
fn goes_on_behind(restored: &Engine, context: &str) {
    let last = everything(restored).last().unwrap().sequence;
    let events = crate::support::batch(&[event(77_000, NOW_US)]);
    let receipt = restored.append(events, &annals_engine::AppendOptions::default()).unwrap();
    assert!(receipt.sequences.start > last, "{context}");
    restored.close().unwrap();
}

/// A name, and what is done to the logs.
type Cut = (&'static str, fn(&Path));

#[test]
fn a_repaired_store_is_backed_up_checked_and_restored() {
    const CUTS: [Cut; 6] = [
        ("the first log from its middle on", |store| flip(&log(store, 0), FIRST_FRAME + 200_000)),
        ("all of the first log", |store| flip(&log(store, 0), FIRST_FRAME + 20)),
        ("the first log missing", |store| remove(&log(store, 0))),
        ("all of the log in the middle", |store| flip(&log(store, 1), FIRST_FRAME + 20)),
        ("two logs", |store| {
            flip(&log(store, 0), FIRST_FRAME + 200_000);
            flip(&log(store, 1), FIRST_FRAME + 20);
        }),
        ("all of the last log", |store| flip(&log(store, 2), FIRST_FRAME + 20)),
    ];
    let store = Store::new(Durability::Sync);
    small_events(&store);
    for id in [1000, 2000, 3000] {
        append_long(&store.engine, id);
    }
    assert_eq!(files(store.path(), "log").len(), 3);
    store.engine.close().unwrap();
    for (name, harm) in CUTS {
        let (options, _copy) = repaired_copy(store.path(), harm);
        let engine = Engine::open(options).unwrap();
        through_a_backup(&engine, name);
        engine
            .append(crate::support::batch(&[event(9_000, NOW_US)]), &annals_engine::AppendOptions::default())
            .unwrap();
        through_a_backup(&engine, name);
        engine.mark(&[Mark { sequence: engine.stats().last_sequence, acknowledged: true }]).unwrap();
        engine.seal_now().unwrap();
        through_a_backup(&engine, name);
    }
}

#[test]
fn a_backup_is_looked_at_and_not_repaired() {
    let store = Store::new(Durability::Sync);
    small_events(&store);
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    store.engine.backup(&backup, &BackupOptions::default(), &mut |_, _| ()).unwrap();
    let options = options(&backup, &Disk::new());
    let says_so = |plan: &RepairPlan| plan.report().notes.iter().any(|note| note.contains("is a backup"));
    let sound = plan(&options);
    assert!(sound.is_empty() && says_so(&sound), "{:?}", sound.report().notes);
    assert!(!sound.is_store());
    drop(sound);
    flip(&log(&backup, 0), FIRST_FRAME + 20);
    for (name, kind) in [
        ("BACKUP", ErrorKind::InvalidInput),
        ("BACKUP.unfinished", ErrorKind::InvalidInput),
        ("RESTORE.unfinished", ErrorKind::Corrupt),
    ] {
        std::fs::rename(backup.join("BACKUP"), backup.join("kept")).unwrap();
        std::fs::rename(backup.join("kept"), backup.join(name)).unwrap();
        let before = contents(&backup);
        let damaged = plan(&options);
        assert_eq!(damaged.report().damages.len(), 1, "{name}");
        assert!(!damaged.is_store() && damaged.steps().is_empty(), "{name}: {:?}", damaged.steps());
        assert!(damaged.report().details.iter().all(|damage| damage.remedy.is_none()), "{name}");
        assert_eq!(damaged.apply(&mut |_, _| ()).unwrap_err().kind(), kind, "{name}");
        assert_eq!(contents(&backup), before, "{name}");
        std::fs::rename(backup.join(name), backup.join("BACKUP")).unwrap();
    }
    drop(store);
}

/// A damaged store without its LOCK, as one copied by hand is.
fn unlocked() -> (Options, tempfile::TempDir) {
    let store = Store::new(Durability::Sync);
    small_events(&store);
    append_long(&store.engine, 1000);
    append_long(&store.engine, 2000);
    store.engine.close().unwrap();
    let copy = tempfile::tempdir().unwrap();
    copy_store(store.path(), copy.path());
    remove(&copy.path().join("LOCK"));
    (options(copy.path(), &Disk::new()), copy)
}

#[test]
fn a_repair_locks_a_store_without_a_lock_file() {
    let (options, copy) = unlocked();
    flip(&log(copy.path(), 0), FIRST_FRAME + 20);
    let first = plan(&options);
    assert!(!copy.path().join("LOCK").exists(), "looking makes no file");
    let held = Disk::new().lock(&copy.path().join("LOCK"), LockMode::Exclusive).unwrap();
    let before = contents(copy.path());
    assert_eq!(first.apply(&mut |_, _| ()).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(contents(copy.path()), before);
    drop(held);
    remove(&copy.path().join("LOCK"));
    let second = plan(&options);
    let mut steps = 0;
    second
        .apply(&mut |_, _| {
            steps += 1;
            assert_eq!(Engine::open(options.clone()).err().unwrap().kind(), ErrorKind::Locked);
        })
        .unwrap();
    assert!(steps > 2);
    assert!(plan(&options).is_empty());
}

#[test]
fn a_store_that_was_written_to_since_the_plan_is_not_repaired() {
    let (options, copy) = unlocked();
    std::fs::write(copy.path().join("segment/foreign.txt"), b"mine").unwrap();
    let first = plan(&options);
    assert!(!first.is_empty());
    let engine = Engine::open(options.clone()).unwrap();
    engine.put_blob("name", b"so that the manifest is committed").unwrap();
    engine.close().unwrap();
    let before = contents(copy.path());
    let error = first.apply(&mut |_, _| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.message().contains("written to since"), "{error}");
    assert_eq!(contents(copy.path()), before);
    assert!(plan(&options).apply(&mut |_, _| ()).is_ok());
}
