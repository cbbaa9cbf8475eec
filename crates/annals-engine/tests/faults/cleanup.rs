//! Clean-up by time: whole days go with one commit, late events stay, counts are exact.

use std::sync::{Arc, Mutex};

use annals_engine::{
    ChangeKind, Changes, Delete, Durability, Engine, ErrorKind, Event, Filter, Mark, PartitionSpan, Partitioning,
};

use crate::disk::{Call, is_in, is_manifest};
use crate::support::{DAY_US, NOW_US, Store, batch, copy_store, event, everything, files, select, sequences};

const MIDNIGHT_US: i64 = NOW_US - NOW_US % DAY_US;

/// `per_day` events on each of `days` days before today, sealed; ids ascend.
fn filled(days: i64, per_day: u32) -> Store {
    let store = Store::new(Durability::Sync);
    for day in 1..=days {
        let start_us = MIDNIGHT_US - day * DAY_US;
        let events: Vec<Event<'_>> = (0..per_day)
            .map(|index| event(u128::try_from(day).unwrap() << 32 | u128::from(index), start_us + i64::from(index)))
            .collect();
        store.append(&events).unwrap();
        store.engine.seal_now().unwrap();
    }
    store
}

/// The calls of a clean-up that drops all but the newest day: how many, and which kinds on which files.
fn calls_of_clean_up(per_day: u32) -> Vec<String> {
    let store = filled(4, per_day);
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    let root = store.path().to_owned();
    store.disk.on_call(move |call, path| {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        noted.lock().unwrap().push(format!("{call:?} {name}"));
        Ok(())
    });
    let deleted = store.engine.delete(&Delete::CreatedBefore(MIDNIGHT_US - DAY_US)).unwrap();
    assert_eq!(deleted, 3 * u64::from(per_day));
    store.disk.heal();
    assert_eq!(store.engine.stats().sealed_segments, 1);
    assert_eq!(files(store.path(), "segment").len(), 1);
    assert_eq!(everything(&store.engine).len(), per_day as usize);
    calls.lock().unwrap().clone()
}

#[test]
fn whole_days_go_with_one_commit_however_many_events_they_hold() {
    let few = calls_of_clean_up(10);
    let many = calls_of_clean_up(10_000);
    assert_eq!(few, many);
    let commits = few.iter().filter(|call| *call == "Rename MANIFEST").count();
    let removed = few.iter().filter(|call| call.starts_with("Remove segment/")).count();
    assert_eq!((commits, removed), (1, 3), "{few:?}");
    let touched: Vec<_> = few.iter().filter(|call| call.contains("log/") || call.contains("Create segment")).collect();
    assert!(touched.is_empty(), "{touched:?}");
}

#[test]
fn what_comes_after_a_clean_up_stays_however_old_it_is() {
    let mut store = filled(2, 5);
    let cutoff = Delete::CreatedBefore(MIDNIGHT_US);
    assert_eq!(store.engine.delete(&cutoff).unwrap(), 10);
    let old = [event(1, MIDNIGHT_US - 400 * DAY_US), event(2, MIDNIGHT_US - DAY_US)];
    assert_eq!(store.append(&old).unwrap().sequences, 11..13);
    store.reopen();
    store.engine.seal_now().unwrap();
    store.engine.compact().unwrap();
    store.reopen();
    assert_eq!(sequences(&store.engine), [11, 12]);
    assert_eq!(store.engine.delete(&cutoff).unwrap(), 2);
    assert_eq!(store.engine.delete(&cutoff).unwrap(), 0);
}

#[test]
fn straddling_segments_live_rows_and_earlier_deletes_are_counted_exactly() {
    let mut store = filled(3, 10);
    store.append(&[event(1, MIDNIGHT_US - DAY_US + 3), event(2, NOW_US)]).unwrap();
    // One of a day that goes, one of a straddling day, one live.
    store.engine.delete(&Delete::Sequences(vec![21, 1, 31])).unwrap();
    store.engine.mark(&[Mark { sequence: 2, acknowledged: true }, Mark { sequence: 10, acknowledged: true }]).unwrap();
    // Days 3 and 2 go whole (19 left of 20), of day 1 the first 4 (one of them deleted before).
    let deleted = store.engine.delete(&Delete::CreatedBefore(MIDNIGHT_US - DAY_US + 4)).unwrap();
    assert_eq!(deleted, 19 + 3);
    let left = [5, 6, 7, 8, 9, 10, 32];
    let check = |store: &Store| {
        assert_eq!(sequences(&store.engine), left);
        assert_eq!(store.engine.stats().events, 7);
        let marked = select(&store.engine, &Filter::Acknowledged(true)).unwrap();
        assert_eq!(marked.iter().map(|line| line.sequence).collect::<Vec<_>>(), [10]);
    };
    check(&store);
    store.reopen();
    check(&store);
    store.engine.seal_now().unwrap();
    check(&store);
    store.engine.compact().unwrap();
    check(&store);
    assert_eq!(store.engine.stats().tombstones, 0);
    store.reopen();
    check(&store);
}

#[test]
fn a_cutoff_in_the_future_is_refused() {
    let store = filled(1, 1);
    let error = store.engine.delete(&Delete::CreatedBefore(NOW_US + 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(store.engine.delete(&Delete::CreatedBefore(NOW_US)).unwrap(), 1);
}

#[test]
fn a_crash_between_the_control_frame_and_the_commit_deletes_everything_once() {
    let store = filled(3, 10);
    store.append(&[event(1, MIDNIGHT_US - DAY_US)]).unwrap();
    let crashed = tempfile::tempdir().unwrap();
    let (from, to) = (store.path().to_owned(), crashed.path().to_owned());
    let copied = std::sync::atomic::AtomicBool::new(false);
    store.disk.on_call(move |call, path| {
        if call == Call::Create && is_manifest(path) && !copied.swap(true, std::sync::atomic::Ordering::Relaxed) {
            copy_store(&from, &to);
        }
        Ok(())
    });
    let cutoff = Delete::CreatedBefore(MIDNIGHT_US - DAY_US + 4);
    assert_eq!(store.engine.delete(&cutoff).unwrap(), 20 + 4 + 1);
    let mut options = store.options.clone();
    options.directory = crashed.path().to_owned();
    let after = Engine::open(options.clone()).unwrap();
    assert_eq!(everything(&after), everything(&store.engine));
    assert_eq!(after.delete(&cutoff).unwrap(), 0);
    after.append(batch(&[event(1, MIDNIGHT_US - DAY_US)]), &annals_engine::AppendOptions::default()).unwrap();
    after.seal_now().unwrap();
    after.compact().unwrap();
    after.close().unwrap();
    let again = Engine::open(options).unwrap();
    assert_eq!(everything(&again).len(), 7);
    assert_eq!(again.stats().tombstones, 0);
}

#[test]
fn a_clean_up_whose_unlink_fails_has_deleted_all_the_same() {
    let mut store = filled(2, 3);
    store.disk.refuse(std::io::ErrorKind::Other, |call, path| call == Call::Remove && is_in(path, "segment"));
    let error = store.engine.delete(&Delete::CreatedBefore(MIDNIGHT_US)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(sequences(&store.engine), [0_u64; 0]);
    store.disk.heal();
    store.reopen();
    assert_eq!(sequences(&store.engine), [0_u64; 0]);
    assert_eq!(files(store.path(), "segment").len(), 0);
}

/// Its frame is in the log: it is done now, and not at the next start only.
#[test]
fn a_clean_up_whose_segments_cannot_be_dropped_at_once_is_done_and_told() {
    let mut store = Store::new(Durability::Sync);
    let old = NOW_US - 3 * DAY_US;
    store.append(&[event(1, old)]).unwrap();
    store.engine.seal_now().unwrap();
    store.append(&[event(2, old), event(3, NOW_US)]).unwrap();
    let mut changes = store.engine.follow_changes();
    store.disk.refuse(std::io::ErrorKind::StorageFull, |call, path| call == Call::Create && is_manifest(path));
    assert_eq!(store.engine.delete(&Delete::CreatedBefore(NOW_US - DAY_US)).unwrap(), 2);
    assert_eq!(sequences(&store.engine), [3]);
    let told = changes.take();
    assert!(matches!(told, Changes::All(_)));
    let Changes::All(told) = told else { return };
    let mut told: Vec<_> = told.iter().flat_map(|entry| entry.iter()).map(|one| (one.sequence, one.kind)).collect();
    told.sort_unstable_by_key(|(sequence, _)| *sequence);
    assert_eq!(told, [(1, ChangeKind::Deleted), (2, ChangeKind::Deleted)]);
    store.disk.heal();
    assert_eq!(store.engine.delete(&Delete::CreatedBefore(NOW_US - DAY_US)).unwrap(), 0);
    store.reopen();
    assert_eq!(sequences(&store.engine), [3]);
    store.engine.compact().unwrap();
    assert_eq!(files(store.path(), "segment").len(), 0);
}

/// Nothing was written of it: it is not done.
#[test]
fn a_clean_up_of_whole_segments_that_cannot_be_dropped_is_not_done() {
    let store = filled(2, 3);
    store.disk.refuse(std::io::ErrorKind::StorageFull, |call, path| call == Call::Create && is_manifest(path));
    assert!(store.engine.delete(&Delete::CreatedBefore(MIDNIGHT_US)).is_err());
    assert_eq!(sequences(&store.engine).len(), 6);
    store.disk.heal();
    assert_eq!(store.engine.delete(&Delete::CreatedBefore(MIDNIGHT_US)).unwrap(), 6);
}

/// Waits for the maintenance thread, a few seconds at most.
fn wait_until(what: &str, reached: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if reached() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("not reached: {what}");
}

/// What a clean-up deletes leaves the disk by itself, also the rows of a segment that the cutoff cuts.
#[test]
fn the_room_of_a_clean_up_comes_back_at_once() {
    let store = Store::with(Durability::Sync, |options| {
        options.background = true;
        options.partition = Partitioning::Fixed(PartitionSpan::Week);
    });
    // NOW_US is a Friday: four days of its week, three weeks before, ten events a day.
    let days: Vec<i64> = (1..=25).map(|day| MIDNIGHT_US - day * DAY_US).collect();
    let events: Vec<Event<'_>> = (0_u128..)
        .zip(days.iter().flat_map(|start| (0..10).map(move |index| start + index)))
        .map(|(id, time)| event(id + 1, time))
        .collect();
    store.append(&events).unwrap();
    store.engine.seal_now().unwrap();
    let before = files(store.path(), "segment");
    assert_eq!(before.len(), 4);
    // Friday a week ago: two weeks wholly, four days of another.
    assert_eq!(store.engine.delete(&Delete::CreatedBefore(MIDNIGHT_US - 7 * DAY_US)).unwrap(), 180);
    assert_eq!(everything(&store.engine).len(), 70);
    wait_until("cut segments are rewritten", || store.engine.stats().tombstones == 0);
    wait_until("dropped files are gone", || {
        let left = files(store.path(), "segment");
        left.len() == 2 && left.iter().filter(|path| before.contains(path)).count() == 1
    });
    assert_eq!(everything(&store.engine).len(), 70);
}

/// A store that seals a few events a day collects neither files nor work.
#[test]
fn small_segments_are_joined_as_they_come() {
    let store = Store::with(Durability::Sync, |options| {
        options.background = true;
        options.partition = Partitioning::ByVolume;
    });
    for day in (0..100).rev() {
        let start = MIDNIGHT_US - day * DAY_US;
        let id = u128::try_from(day).unwrap() << 32;
        store.append(&[event(id + 1, start), event(id + 2, start + 1)]).unwrap();
        store.engine.seal_now().unwrap();
    }
    // Four or five months, fewer than four segments in each.
    wait_until("segments are joined", || store.engine.stats().sealed_segments <= 15);
    assert_eq!(everything(&store.engine).len(), 200);
    assert!(store.engine.stats().compactions <= 40, "{:?}", store.engine.stats());
}

/// A standing policy once had a segment rewritten whole for each few minutes of rows that it gave up.
#[test]
fn small_clean_ups_do_not_rewrite_a_segment_each_time() {
    let store = Store::with(Durability::Sync, |options| options.background = true);
    let start = MIDNIGHT_US - DAY_US;
    let events: Vec<Event<'_>> =
        (0..200_u8).map(|index| event(u128::from(index) + 1, start + i64::from(index))).collect();
    store.append(&events).unwrap();
    store.engine.seal_now().unwrap();
    for cutoff in 1..=30 {
        assert_eq!(store.engine.delete(&Delete::CreatedBefore(start + cutoff)).unwrap(), 1);
        // Time for the maintenance thread to do what it was woken for.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // Once a tenth is deleted, which is 20 rows.
    wait_until("the segment is rewritten", || store.engine.stats().compactions > 0);
    assert_eq!(store.engine.stats().compactions, 1);
    assert_eq!(everything(&store.engine).len(), 170);
}

#[test]
fn what_was_cut_before_a_restart_is_rewritten_behind_it() {
    let mut store = filled(1, 20);
    assert_eq!(store.engine.delete(&Delete::CreatedBefore(MIDNIGHT_US - DAY_US + 5)).unwrap(), 5);
    store.options.background = true;
    store.reopen();
    assert_eq!(everything(&store.engine).len(), 15);
    wait_until("the cut segment is rewritten", || store.engine.stats().tombstones == 0);
    assert_eq!(everything(&store.engine).len(), 15);
    assert_eq!(store.engine.stats().compactions, 1);
}

/// A file that could not be removed once kept full logs from being sealed, and soon no append had room.
#[test]
fn logs_are_sealed_although_a_file_cannot_be_removed() {
    let store = Store::with(Durability::Sync, |options| options.background = true);
    store.append(&[event(1, MIDNIGHT_US - DAY_US)]).unwrap();
    store.engine.seal_now().unwrap();
    let denied = std::io::ErrorKind::PermissionDenied;
    store.disk.refuse(denied, |call, path| call == Call::Remove && is_in(path, "segment"));
    assert_eq!(store.engine.delete(&Delete::CreatedBefore(MIDNIGHT_US)).unwrap(), 1);
    wait_until("the failure is told", || store.engine.stats().maintenance_failure.is_some());
    let text = "x".repeat(8000);
    let seals = store.engine.stats().seals;
    // Eight logs: without sealing four may wait, and appends with them.
    for id in 2..1_000 {
        store.append(&[crate::support::with_message(event(id, NOW_US), &text)]).unwrap();
    }
    wait_until("logs are sealed", || store.engine.stats().seals >= seals + 6);
    store.disk.heal();
    wait_until("the failure is forgotten", || store.engine.stats().maintenance_failure.is_none());
}
