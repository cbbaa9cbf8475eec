//! What a store stands on: a folder that may be written, files of its own, a clock that may be wrong.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use annals_engine::{AppendOptions, Clock, Delete, Durability, Engine, ErrorKind, Event, ManualClock, OsStorage};

use crate::support::{DAY_US, NOW_US, Store, batch, copy_store, event, everything, files, only_file, sequences};

const HOUR_US: u64 = 3_600_000_000;
const TEN_YEARS_US: u64 = 3_650 * 24 * HOUR_US;

/// A folder that may not be written; as root, whom no mode keeps out, there is nothing to test.
#[test]
fn a_read_only_folder_is_an_error_that_names_it() {
    let mut store = Store::new(Durability::Sync);
    store.append(&[event(1, NOW_US)]).unwrap();
    store.engine.close().unwrap();
    let copy = tempfile::tempdir().unwrap();
    copy_store(store.path(), copy.path());
    let set = |mode| {
        for path in [copy.path().to_owned(), copy.path().join("log"), copy.path().join("segment")] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    set(0o555);
    let is_kept_out = std::fs::write(copy.path().join("probe"), b"").is_err();
    let mut options = store.options.clone();
    copy.path().clone_into(&mut options.directory);
    options.storage = Arc::new(OsStorage);
    let opened = Engine::open(options.clone());
    set(0o755);
    if is_kept_out {
        let error = opened.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        assert!(error.path().is_some_and(|path| path.starts_with(copy.path())), "{error}");
    } else {
        drop(opened);
    }
    assert_eq!(sequences(&Engine::open(options).unwrap()), [1], "and it is whole afterwards");
    store.reopen();
}

/// The same without modes: a disk that refuses every change, as one that is mounted for reading does.
#[test]
fn a_read_only_disk_is_an_error_and_nothing_is_lost() {
    let mut store = Store::new(Durability::Sync);
    store.append(&[event(1, NOW_US)]).unwrap();
    store.engine.close().unwrap();
    store.disk.refuse(std::io::ErrorKind::ReadOnlyFilesystem, |_, _| true);
    let error = Engine::open(store.options.clone()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(error.path().is_some(), "{error}");
    store.disk.heal();
    store.engine = Engine::open(store.options.clone()).unwrap();
    assert_eq!(sequences(&store.engine), [1]);
}

#[test]
fn a_file_of_another_store_is_named_and_left_alone() {
    let make = || {
        let store = Store::new(Durability::Sync);
        store.append(&[event(1, NOW_US)]).unwrap();
        store.engine.close().unwrap();
        store
    };
    let (store, other) = (make(), make());
    let log = only_file(store.path(), "log");
    let (own, foreign) = (std::fs::read(&log).unwrap(), std::fs::read(only_file(other.path(), "log")).unwrap());
    std::fs::write(&log, &foreign).unwrap();
    let error = Engine::open(store.options.clone()).err().unwrap();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Corrupt, Some(log.as_path())), "{error}");
    assert!(error.message().contains("store"), "{error}");
    assert_eq!(std::fs::read(&log).unwrap(), foreign, "it is not touched");
    std::fs::write(&log, own).unwrap();
    assert_eq!(sequences(&Engine::open(store.options.clone()).unwrap()), [1]);
}

fn made(engine: &Engine) -> i64 {
    let receipt = engine.append(batch(&[Event::new("now")]), &AppendOptions::default()).unwrap();
    let event = engine.snapshot().get_sequence(receipt.sequences.start).unwrap().unwrap();
    event.created_at_us
}

/// Times that the store makes never decrease, over restarts too; sequences know no clock.
#[test]
fn a_clock_an_hour_back_makes_no_older_times() {
    let mut store = Store::new(Durability::Sync);
    store.clock.advance_us(2 * HOUR_US);
    let before = made(&store.engine);
    let back = Arc::new(ManualClock::at(before - i64::try_from(HOUR_US).unwrap()));
    store.engine.close().unwrap();
    store.options.clock = Arc::clone(&back) as Arc<dyn Clock>;
    store.engine = Engine::open(store.options.clone()).unwrap();
    let after = made(&store.engine);
    assert!(after >= before, "{after} is older than {before}");
    assert_eq!(sequences(&store.engine), [1, 2]);
    // What has a time of its own keeps it, and what is a day ahead of the clock as it is now is refused.
    store.append(&[event(7, before - 1)]).unwrap();
    let ahead = store.append(&[event(8, back.now_us() + DAY_US + 1)]).unwrap_err();
    assert_eq!(ahead.kind(), ErrorKind::InvalidInput);
    back.advance_us(3 * HOUR_US);
    assert!(made(&store.engine) > after, "the clock has caught up");
    store.engine.seal_now().unwrap();
    store.reopen();
    assert_eq!(sequences(&store.engine), [1, 2, 3, 4]);
    assert!(store.engine.verify(&mut |_, _| ()).unwrap().damages.is_empty());
}

/// Nothing is dropped, lost or unreadable because the clock says 2036, nor when it is right again.
#[test]
fn a_clock_ten_years_ahead_drops_nothing() {
    let mut store = Store::new(Durability::Sync);
    let own: Vec<Event<'_>> = (1..=20).map(|id| event(id, NOW_US - i64::try_from(id).unwrap() * DAY_US)).collect();
    store.append(&own).unwrap();
    store.engine.seal_now().unwrap();
    let before = everything(&store.engine);
    store.clock.advance_us(TEN_YEARS_US);
    store.engine.compact().unwrap();
    let late = made(&store.engine);
    assert!(late >= NOW_US + i64::try_from(TEN_YEARS_US).unwrap());
    store.reopen();
    assert_eq!(everything(&store.engine)[..20], before);
    // The clock is right again: times that the store makes stay where they were, others are taken as always.
    store.engine.close().unwrap();
    store.options.clock = Arc::new(ManualClock::at(NOW_US));
    store.engine = Engine::open(store.options.clone()).unwrap();
    assert!(made(&store.engine) >= late);
    store.append(&[event(99, NOW_US)]).unwrap();
    store.engine.seal_now().unwrap();
    store.reopen();
    assert_eq!(store.engine.stats().events, 23);
    assert_eq!(store.engine.delete(&Delete::CreatedBefore(NOW_US)).unwrap(), 20, "a clean-up does what it says");
    assert_eq!(sequences(&store.engine), [21, 22, 23]);
    assert!(!files(store.path(), "segment").is_empty());
}
