//! Events that come as acknowledged: stored with their mark or not at all, and seen with it from the first
//! moment on.

use std::io::ErrorKind as IoKind;
use std::sync::atomic::{AtomicBool, Ordering};

use annals_engine::{
    AppendOptions, Changes, Durability, Engine, ErrorKind, Event, EventId, Filter, Mark, Receipt, Repeats, Result,
};

use crate::disk::{Call, Disk, is_in};
use crate::support::{
    DAY_US, LOG_SIZE, NOW_US, Store, batch, copy_store, event, everything, keyed, only_file, options, select,
    sequences, small_folder,
};

fn acknowledged<'a>(id: u128, created_at_us: i64) -> Event<'a> {
    let mut event = event(id, created_at_us);
    event.acknowledged = true;
    event
}

fn replace(engine: &Engine, events: &[Event<'_>]) -> Result<Receipt> {
    engine.append(batch(events), &AppendOptions { repeats: Repeats::Replace, ..AppendOptions::default() })
}

/// The sequences of the events that are acknowledged.
fn marked(engine: &Engine) -> Vec<u64> {
    select(engine, &Filter::Acknowledged(true)).unwrap().iter().map(|line| line.sequence).collect()
}

#[test]
fn they_are_marked_live_reopened_sealed_and_merged() {
    for level in [Durability::Buffered, Durability::Interval, Durability::Sync] {
        let mut store = Store::new(level);
        store.append(&[event(1, NOW_US), acknowledged(2, NOW_US - DAY_US), event(3, NOW_US)]).unwrap();
        assert_eq!(store.engine.durable_sequence(), 3, "{level}");
        // Repeats keep what they have, and move nobody else's mark.
        let again = store
            .append(&[acknowledged(1, NOW_US), acknowledged(4, NOW_US), event(2, NOW_US - DAY_US), event(5, NOW_US)])
            .unwrap();
        assert_eq!((again.sequences, again.duplicates), (4..6, vec![0, 2]));
        let receipt = replace(&store.engine, &[event(6, NOW_US), acknowledged(3, NOW_US)]).unwrap();
        assert_eq!((receipt.sequences, receipt.replaced), (6..8, 1));
        let (killed, _copy) = store.open_copy();
        assert_eq!(everything(&killed), everything(&store.engine), "{level}");
        for round in 0..4 {
            assert_eq!((marked(&store.engine), sequences(&store.engine)), (vec![2, 4, 7], vec![1, 2, 4, 5, 6, 7]));
            match round {
                1 => store.engine.seal_now().unwrap(),
                2 => _ = store.engine.compact().unwrap(),
                _ => {}
            }
            store.reopen();
        }
        assert!(store.engine.verify(&mut |_, _| ()).unwrap().damages.is_empty());
    }
}

#[test]
fn a_repeated_request_leaves_marks_as_they_are() {
    let mut store = Store::new(Durability::Sync);
    let append = |engine: &Engine| engine.append(batch(&[acknowledged(1, NOW_US)]), &keyed(7, 1)).unwrap();
    assert!(!append(&store.engine).replayed);
    store.engine.mark(&[Mark { sequence: 1, acknowledged: false }]).unwrap();
    for _ in 0..3 {
        assert!(append(&store.engine).replayed);
        assert_eq!(store.append(&[acknowledged(1, NOW_US)]).unwrap().duplicate_count, 1);
        assert!(marked(&store.engine).is_empty());
        store.reopen();
    }
}

/// A crash at any byte of the write, then the same request again.
#[test]
fn after_a_crash_the_retry_finds_or_makes_the_mark() {
    let store = Store::new(Durability::Buffered);
    store.append(&[event(1, NOW_US)]).unwrap();
    let log = only_file(store.path(), "log");
    let before = std::fs::read(&log).unwrap();
    let request = [acknowledged(2, NOW_US), event(3, NOW_US)];
    store.append(&request).unwrap();
    let after = std::fs::read(&log).unwrap();
    let changed: Vec<usize> = (0..after.len()).filter(|at| before[*at] != after[*at]).collect();
    for cut in changed[0]..=changed[changed.len() - 1] + 1 {
        let copy = small_folder();
        copy_store(store.path(), copy.path());
        let torn: Vec<u8> = after[..cut].iter().chain(&before[cut..]).copied().collect();
        std::fs::write(only_file(copy.path(), "log"), torn).unwrap();
        let engine = Engine::open(options(copy.path(), &Disk::new())).unwrap();
        let whole = sequences(&engine).len() > 1;
        assert_eq!(marked(&engine), if whole { vec![2] } else { vec![] }, "cut at {cut}");
        engine.append(batch(&request), &AppendOptions::default()).unwrap();
        assert_eq!((marked(&engine), sequences(&engine)), (vec![2], vec![1, 2, 3]), "cut at {cut}");
        engine.close().unwrap();
    }
}

/// So many marks that they need more room than the log has left.
#[test]
fn on_a_full_disk_a_refused_batch_stores_nothing() {
    let store = Store::new(Durability::Buffered);
    let mut one = Event::new("a");
    one.acknowledged = true;
    let many = batch(&vec![one; 30_000]);
    let room = LOG_SIZE - (4 << 10) - (64 << 10);
    let filler = usize::try_from(room).unwrap() - many.size_bytes() - (8 << 10);
    let payload = "x".repeat(filler);
    store.append(&[crate::support::with_payload(event(1, NOW_US), &payload)]).unwrap();
    store.disk.refuse(IoKind::StorageFull, |call, path| call == Call::Create && is_in(path, "log"));
    let error = store.engine.append(many.clone(), &AppendOptions::default()).unwrap_err();
    assert_eq!((error.kind(), everything(&store.engine).len()), (ErrorKind::DiskFull, 1));
    store.disk.heal();
    let receipt = store.engine.append(many, &AppendOptions::default()).unwrap();
    assert_eq!((receipt.sequences, marked(&store.engine).len()), (2..30_002, 30_000));
}

#[test]
fn nobody_sees_them_without_their_mark() {
    let store = Store::new(Durability::Buffered);
    let stop = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let reader = threads.spawn(|| {
            let mut looked = 0;
            while !stop.load(Ordering::Relaxed) {
                assert!(select(&store.engine, &Filter::Acknowledged(false)).unwrap().is_empty());
                looked += 1;
            }
            looked
        });
        for id in 0..300 {
            store.append(&[acknowledged(id, NOW_US)]).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
    assert_eq!(store.engine.get(EventId::from_u128(7)).unwrap().map(|event| event.marks.acknowledged), Some(true));
}

/// Whoever is sent the event is sent its mark with it.
#[test]
fn the_mark_is_no_change() {
    let store = Store::new(Durability::Sync);
    let mut changes = store.engine.follow_changes();
    store.append(&[acknowledged(1, NOW_US)]).unwrap();
    assert_eq!(changes.take(), Changes::All(Vec::new()));
}
