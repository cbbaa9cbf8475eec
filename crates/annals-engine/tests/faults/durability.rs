//! What an acknowledgement means at each level, and what a failing disk does to it.

use std::io::ErrorKind as Io;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use annals_engine::{AppendOptions, Delete, Durability, Engine, ErrorKind, Filter, Mark, Receipt, Result};

use crate::disk::{Call, is_in, is_manifest};
use crate::support::{LOG_SIZE, NOW_US, Store, batch, event, everything, files, keyed, only_file, sequences};

fn at(level: Durability) -> AppendOptions {
    AppendOptions { durability: Some(level), ..AppendOptions::default() }
}

fn append_at(store: &Store, id: u128, level: Durability) -> Result<Receipt> {
    store.engine.append(batch(&[event(id, NOW_US)]), &at(level))
}

#[test]
fn durable_follows_the_level() {
    let sync = Store::new(Durability::Sync);
    let receipt = sync.append(&[event(1, NOW_US)]).unwrap();
    assert_eq!((sync.engine.visible_sequence(), sync.engine.durable_sequence()), (1, 1));
    sync.engine.wait_durable(receipt.ticket).unwrap();

    for level in [Durability::Interval, Durability::Buffered] {
        let store = Store::new(level);
        let receipt = store.append(&[event(1, NOW_US)]).unwrap();
        assert_eq!((store.engine.visible_sequence(), store.engine.durable_sequence()), (1, 0), "{level}");
        if level == Durability::Buffered {
            store.engine.wait_durable(receipt.ticket).unwrap();
        } else {
            assert_eq!(store.engine.flush().unwrap(), 1);
        }
        assert_eq!(store.engine.durable_sequence(), 1, "{level}");
        store.append(&[event(2, NOW_US)]).unwrap();
        assert_eq!(store.engine.durable_sequence(), 1, "{level}");
        store.engine.delete(&Delete::Sequences(vec![1])).unwrap();
        assert_eq!(store.engine.durable_sequence(), 2, "a delete is always synced, and what is before it");
    }
}

#[test]
fn an_append_may_raise_the_level_and_not_lower_it() {
    let levels = [Durability::Buffered, Durability::Interval, Durability::Sync];
    for own in levels {
        let store = Store::new(own);
        for (id, asked) in (1..).zip(levels) {
            let result = append_at(&store, id, asked);
            if asked < own {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidInput);
            } else {
                let receipt = result.unwrap();
                let durable = store.engine.durable_sequence() + 1 == receipt.sequences.end;
                assert_eq!(durable, asked == Durability::Sync, "{own} {asked}");
            }
        }
        assert_eq!(everything(&store.engine).len() as u64, store.engine.visible_sequence());
    }
}

#[test]
fn the_interval_comes_by_itself() {
    let store = Store::new(Durability::Interval);
    let receipt = store.append(&[event(1, NOW_US)]).unwrap();
    let engine = store.engine.clone();
    let waiter = std::thread::spawn(move || engine.wait_durable(receipt.ticket));
    while !waiter.is_finished() {
        store.clock.advance_us(50_000);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    waiter.join().unwrap().unwrap();
    assert_eq!(store.engine.durable_sequence(), 1);
}

/// A repeat was once acknowledged at level `sync` although the event it repeats was not synced yet: a
/// power cut could then take an event whose client had been told twice that it is safe.
#[test]
fn a_repeat_is_as_durable_as_its_acknowledgement_says() {
    for level in [Durability::Interval, Durability::Buffered] {
        let store = Store::new(level);
        append_at(&store, 1, level).unwrap();
        assert_eq!(store.engine.durable_sequence(), 0);
        let repeat = append_at(&store, 1, Durability::Sync).unwrap();
        assert_eq!(repeat.duplicate_count, 1);
        assert_eq!(store.engine.durable_sequence(), 1, "{level}");

        let body = || batch(&[event(2, NOW_US)]);
        store.engine.append(body(), &keyed(5, 5)).unwrap();
        assert_eq!(store.engine.durable_sequence(), 1);
        let how = AppendOptions { durability: Some(Durability::Sync), ..keyed(5, 5) };
        assert!(store.engine.append(body(), &how).unwrap().replayed);
        assert_eq!(store.engine.durable_sequence(), 2, "{level}");
    }
}

/// A disk whose first write to a log blocks until told to fail, so that others queue up behind it.
fn blocking_writes(store: &Store) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (reached, wait_reached) = mpsc::channel();
    let (go, wait_go) = mpsc::channel::<()>();
    let (reached, wait_go) = (Mutex::new(reached), Mutex::new(wait_go));
    store.disk.on_call(move |call, path| {
        if call == Call::Write && is_in(path, "log") {
            _ = reached.lock().unwrap().send(());
            _ = wait_go.lock().unwrap().recv();
        }
        Ok(())
    });
    (wait_reached, go)
}

/// A repeat was once acknowledged before the event it repeats was written: when that write failed, the
/// event was nowhere and one of its clients had been told it is there.
#[test]
fn a_repeat_of_an_event_that_is_not_written_yet_waits_for_it() {
    let store = Store::new(Durability::Sync);
    let (reached, go) = blocking_writes(&store);
    let append = |id| {
        let engine = store.engine.clone();
        std::thread::spawn(move || engine.append(batch(&[event(id, NOW_US)]), &AppendOptions::default()))
    };
    let first = append(1);
    reached.recv().unwrap();
    // While the first is being written, an event and its repeat queue up and become one group.
    let others = [append(2), append(2), append(2)];
    std::thread::sleep(std::time::Duration::from_millis(300));
    store.disk.refuse(Io::Other, |call, path| call == Call::Write && is_in(path, "log"));
    go.send(()).unwrap();
    assert!(first.join().unwrap().is_ok());
    for other in others {
        let error = other.join().unwrap().expect_err("nothing of event 2 is written");
        assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
    }
    store.disk.heal();
    let (reopened, _copy) = store.open_copy();
    assert_eq!(sequences(&reopened), [1]);
}

#[test]
fn a_failed_sync_poisons_and_reads_go_on() {
    for level in [Durability::Sync, Durability::Interval, Durability::Buffered] {
        let mut store = Store::new(level);
        store.append(&[event(1, NOW_US)]).unwrap();
        store.engine.flush().unwrap();
        store.disk.refuse(Io::Other, |call, path| call == Call::Sync && is_in(path, "log"));
        let before = store.engine.snapshot();
        let error = append_at(&store, 2, Durability::Sync).unwrap_err();
        // What became of the batch is not known; why is in the source.
        let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<annals_engine::Error>());
        assert_eq!((error.kind(), cause.map(annals_engine::Error::kind)), (ErrorKind::Poisoned, Some(ErrorKind::Io)));
        assert_eq!((before.visible_sequence(), store.engine.visible_sequence()), (1, 1));
        store.disk.heal();
        let poisoned = |result: Result<()>| assert_eq!(result.unwrap_err().kind(), ErrorKind::Poisoned);
        poisoned(store.append(&[event(3, NOW_US)]).map(|_| ()));
        poisoned(store.engine.flush().map(|_| ()));
        poisoned(store.engine.delete(&Delete::Sequences(vec![1])).map(|_| ()));
        poisoned(store.engine.mark(&[Mark { sequence: 1, acknowledged: true }]).map(|_| ()));
        poisoned(store.engine.seal_now());
        poisoned(store.engine.compact().map(|_| ()));
        poisoned(store.engine.put_blob("name", b"value"));
        assert!(store.engine.stats().poisoned);
        assert!(store.engine.write_refusal().is_some());
        assert_eq!(sequences(&store.engine), [1], "what is not durable is not seen");
        poisoned(store.engine.close());
        store.engine = Engine::open(store.options.clone()).unwrap();
        let found = sequences(&store.engine);
        assert!(found == [1] || found == [1, 2], "{found:?}");
        let next = store.append(&[event(3, NOW_US)]).unwrap();
        assert_eq!(next.sequences.start, found.len() as u64 + 1);
    }
}

#[test]
fn a_failed_background_sync_poisons_too() {
    let store = Store::new(Durability::Interval);
    store.append(&[event(1, NOW_US)]).unwrap();
    store.engine.flush().unwrap();
    let receipt = store.append(&[event(2, NOW_US)]).unwrap();
    let before = store.engine.snapshot();
    assert_eq!((sequences(&store.engine), before.visible_sequence()), (vec![1, 2], 2));
    store.disk.refuse(Io::Other, |call, _| call == Call::Sync);
    while !store.engine.stats().poisoned {
        store.clock.advance_us(50_000);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(store.engine.wait_durable(receipt.ticket).unwrap_err().kind(), ErrorKind::Poisoned);
    // What the failed sync was for may be gone from the page cache too, or be there in part: it is not shown, and a
    // view that was taken before says so.
    assert_eq!((sequences(&store.engine), store.engine.stats().events), (vec![1], 1));
    assert_eq!(before.get_sequence(1).unwrap().map(|event| event.sequence), Some(1));
    assert_eq!(before.get_sequence(2).unwrap_err().kind(), ErrorKind::Poisoned);
}

/// The call that met the failure said `DiskFull`, as one does that stored nothing; whether it did was not known.
#[test]
fn a_disk_without_room_for_a_sync_or_a_write_leaves_the_outcome_open() {
    for failing in [Call::Sync, Call::Write] {
        let store = Store::new(Durability::Sync);
        store.disk.refuse(Io::StorageFull, move |call, path| call == failing && is_in(path, "log"));
        let error = store.append(&[event(1, NOW_US)]).unwrap_err();
        let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<annals_engine::Error>());
        assert_eq!(
            (error.kind(), cause.map(annals_engine::Error::kind)),
            (ErrorKind::Poisoned, Some(ErrorKind::DiskFull))
        );
        assert!(store.engine.stats().poisoned);
    }
}

#[test]
fn a_full_disk_stops_appends_alone_and_they_resume() {
    let store = Store::new(Durability::Sync);
    let text = "x".repeat(8000);
    let large = |id| crate::support::with_message(event(id, NOW_US), &text);
    store.disk.refuse(Io::StorageFull, |call, path| call == Call::Preallocate && is_in(path, "log"));
    let mut stored = Vec::new();
    let refused = loop {
        let id = stored.len() as u128 + 1;
        match store.append(&[large(id)]) {
            Ok(receipt) => stored.push(receipt.sequences.start),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::DiskFull, "{refused}");
    assert!(store.engine.stats().disk_full && !store.engine.stats().poisoned);
    for _ in 0..20 {
        assert_eq!(store.append(&[large(999)]).unwrap_err().kind(), ErrorKind::DiskFull);
    }
    assert_eq!(store.engine.delete(&Delete::Sequences(vec![1])).unwrap(), 1);
    assert_eq!(store.engine.mark(&[Mark { sequence: 2, acknowledged: true }]).unwrap(), 1);
    assert_eq!(sequences(&store.engine), stored[1..]);
    store.disk.heal();
    let next = store.append(&[large(999)]).unwrap();
    assert_eq!(next.sequences.start, stored.len() as u64 + 1);
    assert!(!store.engine.stats().disk_full);
    let left = crate::support::files(store.path(), "log");
    assert_eq!(left.len(), 2, "failed attempts leave nothing behind: {left:?}");
}

/// Each attempt to seal on a full disk once left the segments behind that it had written, and the next
/// attempt wrote them again beside: the disk that was full for one file was soon full for all.
#[test]
fn failed_seals_and_compactions_leave_nothing_behind() {
    let store = Store::new(Durability::Sync);
    let days: Vec<_> = (0..5).map(|day| event(1, NOW_US - day * crate::support::DAY_US)).collect();
    store.append(&days).unwrap();
    let fails_at_third = |store: &Store| {
        let created = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        store.disk.refuse(Io::StorageFull, move |call, path| {
            let counts = call == Call::Create && is_in(path, "segment");
            counts && created.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= 2
        });
    };
    for _ in 0..3 {
        fails_at_third(&store);
        assert_eq!(store.engine.seal_now().unwrap_err().kind(), ErrorKind::DiskFull);
        assert_eq!(crate::support::files(store.path(), "segment").len(), 0);
    }
    store.disk.heal();
    store.engine.seal_now().unwrap();
    assert_eq!(crate::support::files(store.path(), "segment").len(), 5);
    store.append(&[event(2, NOW_US)]).unwrap();
    store.engine.seal_now().unwrap();
    for _ in 0..3 {
        store.disk.refuse(Io::StorageFull, |call, path| call == Call::Sync && is_in(path, "segment"));
        assert_eq!(store.engine.compact().unwrap_err().kind(), ErrorKind::DiskFull);
        assert_eq!(crate::support::files(store.path(), "segment").len(), 6);
    }
    store.disk.heal();
    store.engine.compact().unwrap();
    assert_eq!(crate::support::files(store.path(), "segment").len(), 5);
    assert_eq!(everything(&store.engine).len(), 6);
}

/// A store whose background seal had once met a full disk said for good that the disk is full, long
/// after there was room again and the seal was done.
#[test]
fn background_work_goes_on_when_there_is_room_and_the_failure_is_forgotten() {
    let store = Store::with(Durability::Buffered, |options| options.background = true);
    store.disk.refuse(Io::StorageFull, |call, path| call == Call::Create && is_in(path, "segment"));
    let text = "x".repeat(8000);
    let mut id = 0;
    // A new log that finds room says that there is some, until the next attempt to seal finds none again.
    let full = |figures: &annals_engine::EngineStats| figures.maintenance_failure.is_some() && figures.disk_full;
    while !full(&store.engine.stats()) {
        id += 1;
        if id < 300 {
            store.append(&[crate::support::with_message(event(id, NOW_US), &text)]).unwrap();
        } else {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    store.disk.heal();
    while store.engine.stats().maintenance_failure.is_some() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(store.engine.stats().seals > 0 && !store.engine.stats().disk_full);
    assert_eq!(everything(&store.engine).len() as u128, id.min(299));
}

/// A manifest commit whose last sync failed may or may not hold. The writer once went on with the old
/// log although the manifest on the disk said that it had ended: the next open called it damaged.
#[test]
fn an_unknown_manifest_poisons() {
    let mut store = Store::new(Durability::Sync);
    store.append(&[event(1, NOW_US)]).unwrap();
    let directory = store.path().to_owned();
    let renamed = std::sync::atomic::AtomicUsize::new(0);
    store.disk.refuse(Io::Other, move |call, path| {
        let counts = call == Call::Rename && is_manifest(path) && path.ends_with("MANIFEST");
        let seen = renamed.fetch_add(usize::from(counts), std::sync::atomic::Ordering::Relaxed);
        // The second commit of a rotation names the new log.
        seen >= 2 && call == Call::SyncDir && path == directory
    });
    assert!(store.engine.seal_now().is_err());
    store.disk.heal();
    assert_eq!(store.append(&[event(2, NOW_US)]).unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(store.engine.delete(&Delete::Matching(Filter::All)).unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(sequences(&store.engine), [1]);
    _ = store.engine.close();
    store.engine = Engine::open(store.options.clone()).unwrap();
    assert_eq!(sequences(&store.engine), [1]);
    store.append(&[event(2, NOW_US)]).unwrap();
}

/// At level `interval` the file of idempotency keys, synced at a seal, once held keys whose events were
/// not synced: a power cut took the events, and a retry was told that they are stored.
#[test]
fn keys_reach_their_file_no_sooner_than_their_events_the_disk() {
    let store = Store::with(Durability::Interval, |options| options.background = true);
    let (entered, wait_entered) = mpsc::channel();
    let (go, wait_go) = mpsc::channel::<()>();
    let (entered, wait_go) = (Mutex::new(entered), Mutex::new(wait_go));
    store.disk.on_call(move |call, path| {
        if call == Call::Create && is_in(path, "segment") {
            _ = entered.lock().unwrap().send(());
            _ = wait_go.lock().unwrap().recv();
        }
        Ok(())
    });
    let text = "x".repeat(8000);
    let mut id = 0;
    while wait_entered.try_recv().is_err() {
        id += 1;
        store.append(&[crate::support::with_message(event(id, NOW_US), &text)]).unwrap();
    }
    let durable_log = store.engine.flush().unwrap();
    let before_key = tempfile::tempdir().unwrap();
    crate::support::copy_store(&store.path().join("log"), &before_key.path().join("log"));
    store.engine.append(batch(&[event(u128::MAX, NOW_US)]), &keyed(3, 3)).unwrap();
    assert_eq!(store.engine.durable_sequence(), durable_log);
    go.send(()).unwrap();
    while store.engine.stats().seals == 0 {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    // The power goes: of the log there is what was synced, of the key's event nothing.
    let after = tempfile::tempdir().unwrap();
    crate::support::copy_store(store.path(), after.path());
    for log in crate::support::files(after.path(), "log") {
        std::fs::copy(before_key.path().join("log").join(log.file_name().unwrap()), log).unwrap();
    }
    let mut options = store.options.clone();
    options.directory = after.path().to_owned();
    options.storage = Arc::new(crate::disk::Disk::new());
    let reopened = Engine::open(options).unwrap();
    assert_eq!(reopened.visible_sequence(), durable_log);
    let again = reopened.append(batch(&[event(u128::MAX, NOW_US)]), &keyed(3, 3)).unwrap();
    assert!(!again.replayed);
    assert_eq!(again.sequences.start, durable_log + 1);
    store.disk.heal();
    drop(go);
}

#[test]
fn a_closed_store_takes_the_room_of_what_it_holds_and_opens_on_a_full_disk() {
    let mut store = Store::new(Durability::Sync);
    let taken = |store: &Store| {
        let log = only_file(store.path(), "log");
        let metadata = std::fs::metadata(log).unwrap();
        assert_eq!(metadata.len(), LOG_SIZE);
        std::os::unix::fs::MetadataExt::blocks(&metadata) * 512
    };
    store.append(&[event(1, NOW_US)]).unwrap();
    assert!(taken(&store) >= LOG_SIZE, "reserved while it is open");
    store.engine.close().unwrap();
    assert!(taken(&store) <= 128 << 10, "{} bytes", taken(&store));
    store.engine = Engine::open(store.options.clone()).unwrap();
    assert!(taken(&store) >= LOG_SIZE, "reserved again");
    store.append(&[event(2, NOW_US)]).unwrap();
    store.engine.close().unwrap();
    store.disk.refuse(Io::StorageFull, |call, _| call == Call::Preallocate);
    // What deletes and marks use was kept, also from the second start on.
    for (deleted, acknowledged) in [(1, true), (0, false), (0, true)] {
        store.engine = Engine::open(store.options.clone()).unwrap();
        assert_eq!(store.append(&[event(3, NOW_US)]).unwrap_err().kind(), ErrorKind::DiskFull);
        assert_eq!(store.engine.delete(&Delete::Sequences(vec![1])).unwrap(), deleted);
        assert_eq!(store.engine.mark(&[Mark { sequence: 2, acknowledged }]).unwrap(), 1);
        assert!(!store.engine.stats().poisoned);
        store.engine.close().unwrap();
    }
    store.engine = Engine::open(store.options.clone()).unwrap();
    assert!(taken(&store) <= 128 << 10, "{} bytes", taken(&store));
    store.disk.heal();
    assert_eq!(sequences(&store.engine), [2]);
    store.append(&[event(3, NOW_US)]).unwrap();
    assert_eq!(files(store.path(), "log").len(), 2, "what comes later is in a log with room of its own");
    store.reopen();
    store.engine.seal_now().unwrap();
    assert_eq!(sequences(&store.engine), [2, 3]);
    assert!(everything(&store.engine)[0].acknowledged);
    assert!(store.engine.verify(&mut |_, _| ()).unwrap().damages.is_empty());
}
