//! Backup and restore: what is in a backup is the store as of its cut, and what is not whole is never taken for a backup.

use std::collections::BTreeMap;
use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use annals_engine::{
    Backup, BackupFiles, BackupOptions, BackupReport, CheckDepth, Delete, Durability, Engine, Error, ErrorKind, Filter,
    Mark, Options, RestoreOptions, Snapshot, Storage, check_backup, restore,
};

use crate::disk::{Call, Disk};
use crate::support::{
    DAY_US, Line, NOW_US, Store, assert_names_a_file, batch, event, everything, files, keyed, options, small_folder,
    with_message,
};

const LINK: BackupOptions = BackupOptions { files: BackupFiles::Link, with_damage: false };
const COPY: BackupOptions = BackupOptions { files: BackupFiles::Copy, with_damage: false };

fn quiet() -> impl FnMut(u64, u64) {
    |done, all| assert!(done <= all)
}

fn lines(snapshot: &Snapshot) -> Vec<Line> {
    let mut lines = Vec::new();
    for part in snapshot.parts() {
        for row in part.select(&Filter::All).unwrap().iter() {
            lines.push(Line::of(&part.event(row).unwrap()));
        }
    }
    lines.sort_by_key(|line| line.sequence);
    lines
}

fn disk() -> Arc<dyn Storage> {
    Arc::new(Disk::new())
}

fn open_at(directory: &Path) -> Engine {
    Engine::open(options(directory, &Disk::new())).unwrap()
}

fn restored(backup: &Path, into: &Path) -> Engine {
    restore(&disk(), backup, into, &RestoreOptions::default(), &mut quiet()).unwrap();
    open_at(into)
}

/// Segments of several days, an overlay, a value, a key, deletes and marks that are still in the log, and a full log.
fn filled(store: &Store) {
    for start in [1_u128, 40, 80] {
        let events: Vec<_> = (start..start + 30)
            .map(|id| with_message(event(id, NOW_US - i64::try_from(id % 3).unwrap() * DAY_US), "in a segment"))
            .collect();
        store.engine.append(batch(&events), &keyed(start, 7)).unwrap();
        store.engine.delete(&Delete::Sequences(vec![u64::try_from(start).unwrap()])).unwrap();
        store.engine.seal_now().unwrap();
    }
    store.engine.put_blob("name", b"value").unwrap();
    store.append(&(200..260).map(|id| event(id, NOW_US)).collect::<Vec<_>>()).unwrap();
    store.engine.delete(&Delete::Sequences(vec![5, 95, 100])).unwrap();
    store.engine.mark(&[Mark { sequence: 6, acknowledged: true }, Mark { sequence: 99, acknowledged: true }]).unwrap();
    store.engine.append(batch(&[event(300, NOW_US)]), &keyed(99, 3)).unwrap();
}

fn backup_of(store: &Store, into: &Path, how: BackupOptions) -> BackupReport {
    store.engine.backup(into, &how, &mut quiet()).unwrap()
}

#[test]
fn a_restored_store_is_the_one_that_was_backed_up_and_goes_on_behind_it() {
    for how in [LINK, COPY] {
        let store = Store::new(Durability::Sync);
        filled(&store);
        let (expected, stats) = (everything(&store.engine), store.engine.stats());
        let folder = tempfile::tempdir().unwrap();
        let (backup, into) = (folder.path().join("deep/backup"), folder.path().join("restored"));
        let report = backup_of(&store, &backup, how);
        assert_eq!((report.events, report.last_sequence), (stats.events, stats.last_sequence));
        assert_eq!(report.files_linked > 0, how == LINK, "{report:?}");
        assert!(report.files_copied >= 1 && report.damages.is_empty(), "{report:?}");
        // What happens afterwards is not in it, links or not.
        store.append(&[event(1000, NOW_US)]).unwrap();
        store.engine.delete(&Delete::Matching(Filter::All)).unwrap();
        store.engine.seal_now().unwrap();
        store.engine.compact().unwrap();
        assert_eq!(everything(&store.engine), []);

        let deep = check_backup(&disk(), &backup, CheckDepth::Everything, &mut quiet()).unwrap();
        assert_eq!((deep.damages.len(), deep.events), (0, stats.events), "{:?}", deep.damages);
        let engine = restored(&backup, &into);
        assert!(engine.recovery_notes().is_empty(), "{:?}", engine.recovery_notes());
        assert_eq!(everything(&engine), expected);
        assert_eq!(engine.stats().events, stats.events);
        assert_eq!(engine.get_blob("name").unwrap().unwrap(), b"value");
        for (key, body) in [(1, 7), (40, 7), (99, 3)] {
            let again = engine.append(batch(&[event(2000, NOW_US)]), &keyed(key, body)).unwrap();
            assert!(again.replayed, "key {key} is remembered");
        }
        let next = engine.append(batch(&[event(2001, NOW_US)]), &keyed(5000, 1)).unwrap();
        assert_eq!(next.sequences.start, stats.last_sequence + 1);
        engine.seal_now().unwrap();
        engine.compact().unwrap();
        assert_eq!(engine.verify(&mut quiet()).unwrap().damages, Vec::<String>::new());
        assert_eq!(everything(&engine).len(), expected.len() + 1);
        engine.close().unwrap();
        assert_eq!(everything(&open_at(&into)).len(), expected.len() + 1);
        let again = restored(&backup, &folder.path().join("again"));
        assert_eq!(everything(&again), expected, "a backup can be restored more than once");
    }
}

#[test]
fn a_restored_store_that_is_killed_before_it_seals_recovers() {
    let store = Store::new(Durability::Interval);
    filled(&store);
    let folder = tempfile::tempdir().unwrap();
    backup_of(&store, &folder.path().join("backup"), LINK);
    let into = folder.path().join("restored");
    let engine = restored(&folder.path().join("backup"), &into);
    let before = everything(&engine).len();
    engine.append(batch(&[event(3000, NOW_US)]), &keyed(8, 8)).unwrap();
    engine.put_blob("other", b"so that the manifest is committed again").unwrap();
    let killed = folder.path().join("killed");
    crate::support::copy_store(&into, &killed);
    assert_eq!(everything(&open_at(&killed)).len(), before + 1);
    // Its new files have names that the original never gives.
    let newest = |directory: &Path| files(directory, "log").pop().unwrap();
    let id = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    assert!(id(newest(&into)) > id(newest(store.path())) + (1 << 32));
}

#[test]
fn a_store_of_nothing_and_one_without_a_log_have_backups_too() {
    for seal in [false, true] {
        let store = Store::new(Durability::Sync);
        if seal {
            store.append(&[event(1, NOW_US), event(2, NOW_US)]).unwrap();
            store.engine.seal_now().unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        backup_of(&store, &folder.path().join("backup"), COPY);
        let engine = restored(&folder.path().join("backup"), &folder.path().join("restored"));
        assert_eq!(everything(&engine), everything(&store.engine));
        let next = engine.append(batch(&[event(3, NOW_US)]), &keyed(1, 1)).unwrap();
        assert_eq!(next.sequences.start, if seal { 3 } else { 1 });
    }
}

#[test]
fn a_backup_of_a_busy_store_is_its_snapshot() {
    let store = Store::with(Durability::Interval, |options| options.background = true);
    let (stop, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    let folder = tempfile::tempdir().unwrap();
    let taken = std::thread::scope(|scope| {
        for thread in 0..4_u128 {
            let (engine, stop, acknowledged) = (&store.engine, &stop, &acknowledged);
            scope.spawn(move || {
                let text = "x".repeat(2000);
                for round in 0_u128.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let first = (thread << 64) + round * 20 + 1;
                    let time = |id: u128| NOW_US - i64::try_from(id % 5).unwrap() * DAY_US;
                    let events: Vec<_> =
                        (first..first + 20).map(|id| with_message(event(id, time(id)), &text)).collect();
                    let receipt = engine.append(batch(&events), &keyed(first, 1)).unwrap();
                    acknowledged.fetch_max(receipt.sequences.end - 1, Ordering::SeqCst);
                    let sequence = receipt.sequences.start;
                    match round % 6 {
                        0 => _ = engine.delete(&Delete::Sequences(vec![sequence])).unwrap(),
                        1 => _ = engine.mark(&[Mark { sequence, acknowledged: true }]).unwrap(),
                        2 if thread == 0 => engine.seal_now().unwrap(),
                        3 if thread == 1 => _ = engine.compact().unwrap(),
                        4 if round % 30 == 4 => _ = engine.delete(&Delete::CreatedBefore(NOW_US - 3 * DAY_US)).unwrap(),
                        _ => {}
                    }
                }
            });
        }
        let mut taken = Vec::new();
        for number in 0..6 {
            std::thread::sleep(std::time::Duration::from_millis(150));
            let before = acknowledged.load(Ordering::SeqCst);
            let backup: Backup = store.engine.begin_backup().unwrap();
            assert!(backup.snapshot().visible_sequence() >= before, "everything acknowledged is in it");
            let expected = lines(backup.snapshot());
            let into = folder.path().join(format!("{number}"));
            let how = if number % 2 == 0 { LINK } else { COPY };
            let report = backup.write(&into, &how, &mut quiet()).unwrap();
            assert_eq!(report.events, u64::try_from(expected.len()).unwrap());
            taken.push((into, expected, report.last_sequence));
        }
        stop.store(true, Ordering::Relaxed);
        taken
    });
    store.engine.close().unwrap();
    for (backup, expected, last_sequence) in taken {
        let deep = check_backup(&disk(), &backup, CheckDepth::Everything, &mut quiet()).unwrap();
        assert_eq!(deep.damages, Vec::<String>::new());
        let engine = restored(&backup, &backup.with_extension("restored"));
        assert!(everything(&engine) == expected, "{}", backup.display());
        assert_eq!(engine.stats().last_sequence, last_sequence);
        assert!(!expected.is_empty());
        let whole = expected.iter().filter(|line| !line.acknowledged).count();
        assert!(whole < expected.len(), "some are marked");
        assert_eq!(engine.verify(&mut quiet()).unwrap().damages, Vec::<String>::new());
    }
}

/// No backup, and nothing that a store would open as one.
fn is_refused(folder: &Path) -> Result<(), Error> {
    let refused = check_backup(&disk(), folder, CheckDepth::Checksums, &mut quiet()).map(|_| ());
    let into = small_folder();
    let whole = restore(&disk(), folder, &into.path().join("x"), &RestoreOptions::default(), &mut quiet());
    assert_eq!(whole.is_err(), refused.is_err());
    refused
}

#[test]
fn each_call_of_a_backup_may_fail_and_the_store_goes_on() {
    for how in [LINK, COPY] {
        let directory = small_folder();
        let store =
            Store::with(Durability::Sync, |options| directory.path().join("store").clone_into(&mut options.directory));
        filled(&store);
        let expected = everything(&store.engine);
        let mut finished = None;
        for number in 0.. {
            assert!(number < 500, "it comes to an end");
            let into = directory.path().join("backup");
            let count = store.disk.refuse_call(number, if number % 2 == 0 { Io::StorageFull } else { Io::Other });
            let taken = store.engine.backup(&into, &how, &mut quiet());
            let came_to_it = count.load(Ordering::Relaxed) > number;
            store.disk.heal();
            assert_eq!(everything(&store.engine), expected);
            assert!(store.engine.write_refusal().is_none());
            match taken {
                // A link that is refused becomes a copy.
                Ok(_) if came_to_it => {
                    assert_eq!(how, LINK);
                    assert_eq!(
                        check_backup(&disk(), &into, CheckDepth::Everything, &mut quiet()).unwrap().damages.len(),
                        0
                    );
                }
                Ok(report) => {
                    finished = Some((number, report));
                    break;
                }
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::DiskFull | ErrorKind::Io), "{error}");
                    assert!(error.path().is_some_and(|path| path.starts_with(directory.path())), "{error}");
                    is_refused(&into).unwrap_err();
                    assert!(!into.exists() || files(directory.path(), "backup").is_empty(), "call {number}: {error}");
                }
            }
            std::fs::remove_dir_all(&into)
                .or_else(|gone| if gone.kind() == Io::NotFound { Ok(()) } else { Err(gone) })
                .unwrap();
        }
        let (calls, _) = finished.unwrap();
        assert!(calls > 20, "{calls} calls");
        store.append(&[event(5000, NOW_US)]).unwrap();
        let engine = restored(&directory.path().join("backup"), &directory.path().join("restored"));
        assert_eq!(everything(&engine), expected);
    }
}

#[test]
fn each_call_of_a_restore_may_fail_and_what_is_left_does_not_open() {
    let folder = small_folder();
    let store = Store::new(Durability::Sync);
    filled(&store);
    let backup = folder.path().join("backup");
    backup_of(&store, &backup, COPY);
    let into = folder.path().join("restored");
    for number in 0.. {
        assert!(number < 500, "it comes to an end");
        let failing = Disk::new();
        let count = failing.refuse_call(number, Io::StorageFull);
        let storage: Arc<dyn Storage> = Arc::new(failing.clone());
        let done = restore(&storage, &backup, &into, &RestoreOptions::default(), &mut quiet());
        if count.load(Ordering::Relaxed) <= number {
            done.unwrap();
            assert!(number > 20, "{number} calls");
            break;
        }
        assert_eq!(done.unwrap_err().kind(), ErrorKind::DiskFull);
        assert!(!into.exists(), "call {number}: what was made is removed");
        // The same with a disk that takes nothing from then on: what is left cannot be taken for a store.
        let from = AtomicU64::new(0);
        let nothing = Disk::new();
        nothing.refuse(Io::Other, move |_, _| from.fetch_add(1, Ordering::Relaxed) >= u64::try_from(number).unwrap());
        let storage: Arc<dyn Storage> = Arc::new(nothing);
        restore(&storage, &backup, &into, &RestoreOptions::default(), &mut quiet()).unwrap_err();
        let holds_files = into.exists() && !files(folder.path(), "restored").is_empty();
        if holds_files && into.join("RESTORE.unfinished").exists() {
            let refused = Engine::open(options(&into, &Disk::new())).map(|_| ()).unwrap_err();
            assert!(refused.message().contains("a restore into this folder was not finished"), "{refused}");
        } else if holds_files && into.join("MANIFEST").exists() {
            // Only the sync of the folder failed: everything is there.
            assert_eq!(everything(&open_at(&into)), everything(&store.engine), "call {number}");
        }
        std::fs::remove_dir_all(&into)
            .or_else(|gone| if gone.kind() == Io::NotFound { Ok(()) } else { Err(gone) })
            .unwrap();
    }
    assert_eq!(everything(&open_at(&into)), everything(&store.engine));
    check_backup(&disk(), &backup, CheckDepth::Everything, &mut quiet()).unwrap();
}

#[test]
fn a_destination_is_empty_and_lies_elsewhere() {
    let store = Store::new(Durability::Sync);
    filled(&store);
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("mine"), b"x").unwrap();
    std::os::unix::fs::symlink(store.path(), folder.path().join("link")).unwrap();
    let inside =
        [store.path().join("b"), store.path().join("segment/b"), folder.path().join("link/b"), store.path().into()];
    for into in inside.iter().chain([&full]) {
        let refused = store.engine.backup(into, &LINK, &mut quiet()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
    }
    assert_eq!(std::fs::read(full.join("mine")).unwrap(), b"x");
    assert!(!store.path().join("b").exists());
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    backup_of(&store, &empty, LINK);
    let again = store.engine.backup(&empty, &LINK, &mut quiet()).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::InvalidInput, "{again}");
    for into in [&empty, &empty.join("x"), &full] {
        let refused = restore(&disk(), &empty, into, &RestoreOptions::default(), &mut quiet()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
    }
    let opened = Engine::open(options(&empty, &Disk::new())).map(|_| ()).unwrap_err();
    assert!(opened.message().contains("this is a backup"), "{opened}");
    assert!(!empty.join("LOCK").exists(), "it is left as it was");
    for nothing in [folder.path().join("missing"), store.path().to_owned()] {
        let refused = restore(&disk(), &nothing, &folder.path().join("y"), &RestoreOptions::default(), &mut quiet());
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

/// Turns one bit over, in place: an open store has the file mapped.
fn flip(path: &Path, offset: usize) {
    let byte = std::fs::read(path).unwrap()[offset] ^ 1;
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[byte], u64::try_from(offset).unwrap()).unwrap();
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(all_files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn every_damaged_file_of_a_backup_is_named_and_nothing_is_restored() {
    let store = Store::new(Durability::Sync);
    filled(&store);
    let folder = small_folder();
    let backup = folder.path().join("backup");
    backup_of(&store, &backup, COPY);
    let into = folder.path().join("into");
    let files = all_files(&backup);
    assert!(files.len() >= 9, "{files:?}");
    for path in &files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let whole = std::fs::read(path).unwrap();
        for offset in [0, 20, whole.len() / 2, whole.len() - 9] {
            flip(path, offset);
            let refused = restore(&disk(), &backup, &into, &RestoreOptions::default(), &mut quiet()).unwrap_err();
            assert!(matches!(refused.kind(), ErrorKind::Corrupt | ErrorKind::UnsupportedFormat), "{refused}");
            assert!(refused.to_string().contains(name) || name == "MANIFEST", "{name} at {offset}: {refused}");
            assert!(!into.exists());
            flip(path, offset);
        }
        std::fs::remove_file(path).unwrap();
        let refused = restore(&disk(), &backup, &into, &RestoreOptions::default(), &mut quiet()).unwrap_err();
        let expected = if name == "BACKUP" { ErrorKind::NotFound } else { ErrorKind::Corrupt };
        assert!(refused.kind() == expected, "{name}: {refused}");
        std::fs::write(path, &whole[..whole.len() - 1]).unwrap();
        restore(&disk(), &backup, &into, &RestoreOptions::default(), &mut quiet()).unwrap_err();
        std::fs::write(path, &whole).unwrap();
    }
    assert_eq!(everything(&restored(&backup, &into)), everything(&store.engine));
}

#[test]
fn damage_of_the_store_ends_a_copy_unless_it_is_asked_for() {
    let store = Store::new(Durability::Sync);
    filled(&store);
    let whole = everything(&store.engine);
    let damaged = files(store.path(), "segment")[0].clone();
    flip(&damaged, 4200);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let refused = store.engine.backup(&path("a"), &COPY, &mut quiet()).unwrap_err();
    assert_names_a_file(&refused);
    assert_eq!(refused.path(), Some(&*damaged));
    assert!(!path("a").exists());
    // A link does not read the bytes: the check of the backup does.
    backup_of(&store, &path("link"), LINK);
    let checked = check_backup(&disk(), &path("link"), CheckDepth::Checksums, &mut quiet()).unwrap();
    assert_eq!((checked.damages.len(), checked.damages_known), (1, 0));

    let report = backup_of(&store, &path("b"), BackupOptions { with_damage: true, ..COPY });
    assert_eq!(report.damages.len(), 1);
    let checked = check_backup(&disk(), &path("b"), CheckDepth::Checksums, &mut quiet()).unwrap();
    assert_eq!((checked.damages.len(), checked.damages_known), (1, 1));
    let refused = restore(&disk(), &path("b"), &path("c"), &RestoreOptions::default(), &mut quiet()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    let asked = RestoreOptions { with_damage: true };
    assert_eq!(restore(&disk(), &path("b"), &path("c"), &asked, &mut quiet()).unwrap().damages.len(), 1);
    let engine = open_at(&path("c"));
    assert_eq!(engine.verify(&mut quiet()).unwrap().damages.len(), 1);
    let sound: BTreeMap<u64, Line> = whole.into_iter().map(|line| (line.sequence, line)).collect();
    let (sequence, line) = sound.last_key_value().unwrap();
    let last = engine.snapshot().get_sequence(*sequence).unwrap().unwrap();
    assert_eq!(*line, Line::of(&last), "the others are there");
}

#[test]
fn a_segment_that_is_missing_or_has_no_end_goes_with_the_damage() {
    for cut in [false, true] {
        let store = Store::new(Durability::Sync);
        filled(&store);
        let damaged = files(store.path(), "segment")[0].clone();
        if cut {
            std::fs::OpenOptions::new().write(true).open(&damaged).unwrap().set_len(4000).unwrap();
        } else {
            std::fs::remove_file(&damaged).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        for (how, name) in [(LINK, "link"), (COPY, "copy")] {
            let path = folder.path().join(name);
            assert_eq!(store.engine.backup(&path, &how, &mut quiet()).unwrap_err().kind(), ErrorKind::Corrupt);
            let report = backup_of(&store, &path, BackupOptions { with_damage: true, ..how });
            assert_eq!(report.damages.len(), 1, "{report:?}");
            let into = folder.path().join(format!("{name} restored"));
            restore(&disk(), &path, &into, &RestoreOptions { with_damage: true }, &mut quiet()).unwrap();
            assert!(open_at(&into).recovery_notes()[0].contains("a sealed segment is damaged"));
        }
    }
}

#[test]
fn files_that_are_given_up_stay_until_the_backup_has_them() {
    let store = Store::new(Durability::Sync);
    filled(&store);
    let old = files(store.path(), "segment");
    let expected = everything(&store.engine);
    let backup = store.engine.begin_backup().unwrap();
    store.engine.seal_now().unwrap();
    store.engine.compact().unwrap();
    store.engine.put_blob("name", b"another").unwrap();
    assert!(old.iter().all(|path| path.exists()));
    let folder = tempfile::tempdir().unwrap();
    backup.write(&folder.path().join("backup"), &COPY, &mut quiet()).unwrap();
    assert!(old.iter().all(|path| !path.exists()), "and go then");
    assert_eq!(files(store.path(), "blob").len(), 2, "the value and the keys");
    let engine = restored(&folder.path().join("backup"), &folder.path().join("restored"));
    assert_eq!(everything(&engine), expected);
    assert_eq!(engine.get_blob("name").unwrap().unwrap(), b"value");
    drop(store.engine.begin_backup().unwrap());
    store.engine.close().unwrap();
    assert_eq!(store.engine.begin_backup().map(|_| ()).unwrap_err().kind(), ErrorKind::Poisoned);
}

#[test]
fn a_store_inside_another_is_whole_before_that_one_is() {
    let (outer, inner) = (Store::new(Durability::Sync), Store::new(Durability::Sync));
    filled(&outer);
    inner.append(&[event(7, NOW_US)]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup");
    let mut backup = outer.engine.begin_backup().unwrap();
    for bad in ["", "log", "orphans", "..", "a/b", ".x"] {
        assert!(backup.include(bad, inner.engine.begin_backup().unwrap()).is_err(), "{bad}");
    }
    backup.include("inner", inner.engine.begin_backup().unwrap()).unwrap();
    assert!(backup.include("inner", inner.engine.begin_backup().unwrap()).is_err());
    let report = backup.write(&path, &LINK, &mut quiet()).unwrap();
    assert_eq!(report.events, outer.engine.stats().events);
    let into = folder.path().join("restored");
    assert_eq!(everything(&restored(&path, &into)), everything(&outer.engine));
    assert_eq!(everything(&open_at(&into.join("inner"))), everything(&inner.engine));
    std::fs::remove_file(path.join("inner/BACKUP")).unwrap();
    let refused =
        restore(&disk(), &path, &folder.path().join("x"), &RestoreOptions::default(), &mut quiet()).unwrap_err();
    assert!(refused.path().unwrap().ends_with("inner"), "{refused}");
}

#[test]
fn a_poisoned_or_read_only_store_is_not_backed_up() {
    let store = Store::new(Durability::Sync);
    filled(&store);
    store.disk.refuse(Io::Other, |call, path| call == Call::Sync && crate::disk::is_in(path, "log"));
    store.append(&[event(9000, NOW_US)]).unwrap_err();
    store.disk.heal();
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("backup");
    let refused = store.engine.backup(&into, &LINK, &mut quiet()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Poisoned);
    assert!(refused.message().contains("is not backed up") && !into.exists(), "{refused}");
    drop(store.engine);
    std::fs::write(store.options.directory.join("MANIFEST"), b"x").unwrap();
    let engine = Engine::open(Options { degraded: true, ..store.options.clone() }).unwrap();
    assert_eq!(engine.begin_backup().map(|_| ()).unwrap_err().kind(), ErrorKind::Poisoned);
}

/// What may say that this is no store is not taken for absent because it cannot be read.
#[test]
fn a_marker_that_cannot_be_opened_is_told() {
    let store = Store::new(Durability::Sync);
    store.engine.close().unwrap();
    for name in ["BACKUP", "BACKUP.unfinished", "RESTORE.unfinished"] {
        let path = store.path().join(name);
        std::os::unix::fs::symlink(&path, &path).unwrap();
        let error = Engine::open(store.options.clone()).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{name}: {error}");
        assert_eq!(error.path(), Some(&*path));
        std::fs::remove_file(&path).unwrap();
    }
    Engine::open(store.options.clone()).unwrap().close().unwrap();
}
