//! Many threads at once, and a close in the middle of things.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use annals_engine::{AppendOptions, Batch, Delete, Durability, Engine, ErrorKind, Field, Filter, Mark, Snapshot};

use crate::disk::{Call, is_in};
use crate::support::{DAY_US, NOW_US, Store, batch, event, everything};

const THREADS: u64 = 4;
const BATCHES: u64 = 120;
const PER_BATCH: u64 = 25;

fn background(level: Durability) -> Store {
    Store::with(level, |options| options.background = true)
}

/// Stops the readers also when a test fails.
struct Stop(AtomicBool);

impl Stop {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct StopOnDrop<'a>(&'a Stop);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

fn count(snapshot: &Snapshot) -> u64 {
    snapshot.parts().iter().map(|part| u64::from(part.select(&Filter::All).unwrap().len())).sum()
}

/// Batches of one thread: with ids of their own, over three days, large enough to fill several logs.
fn append_all(engine: &Engine, thread: u64, deleted: &AtomicU64, marked: &Mutex<Vec<u64>>) -> Vec<u64> {
    let text = "x".repeat(400);
    let mut own = Vec::new();
    for number in 0..BATCHES {
        let mut batch = Batch::new();
        for index in 0..PER_BATCH {
            let id = u128::from(thread) << 64 | u128::from(number * PER_BATCH + index);
            let day = i64::try_from((number + index) % 3).unwrap();
            let mut event = crate::support::with_message(event(id, NOW_US - day * DAY_US), &text);
            event.set(Field::UserId, ["a", "b", "c", "d"][usize::try_from(thread).unwrap()]);
            batch.push(&event).unwrap();
        }
        let receipt = engine.append(batch, &AppendOptions::default()).unwrap();
        assert_eq!(receipt.ids.len() as u64, PER_BATCH);
        let first = receipt.sequences.start;
        own.extend(receipt.sequences);
        if number % 10 == 3 {
            assert_eq!(engine.delete(&Delete::Sequences(vec![first])).unwrap(), 1);
            own.retain(|sequence| *sequence != first);
            deleted.fetch_add(1, Ordering::Relaxed);
        }
        if number % 10 == 6 {
            assert_eq!(engine.mark(&[Mark { sequence: first + 1, acknowledged: true }]).unwrap(), 1);
            marked.lock().unwrap().push(first + 1);
        }
    }
    own
}

fn run(level: Durability) {
    let mut store = background(level);
    let (stop, deleted, marked) = (Stop(AtomicBool::new(false)), AtomicU64::new(0), Mutex::new(Vec::new()));
    let mut kept: Vec<u64> = std::thread::scope(|scope| {
        let stopping = StopOnDrop(&stop);
        let reader = scope.spawn(|| {
            let mut last = 0;
            while !stop.is_set() {
                let snapshot = store.engine.snapshot();
                let (first_count, visible) = (count(&snapshot), snapshot.visible_sequence());
                assert!(visible >= last, "{visible} after {last}");
                assert!(first_count <= visible && first_count + THREADS * BATCHES / 10 >= visible);
                assert_eq!(count(&snapshot), first_count, "a snapshot is repeatable");
                if visible > 0 {
                    let newest = snapshot.get_sequence(visible).unwrap();
                    let is_new = newest.is_some_and(|event| event.sequence == visible);
                    assert!(is_new || visible % PER_BATCH == 1, "what a snapshot claims to hold, it holds");
                }
                last = visible;
            }
        });
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn({
                    let (store, deleted, marked) = (&store, &deleted, &marked);
                    move || append_all(&store.engine, thread, deleted, marked)
                })
            })
            .collect();
        let kept = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        drop(stopping);
        reader.join().unwrap();
        kept
    });
    kept.sort_unstable();
    let check = |engine: &Engine| {
        let lines = everything(engine);
        let found: Vec<u64> = lines.iter().map(|line| line.sequence).collect();
        assert_eq!(found, kept);
        assert_eq!(lines.iter().map(|line| line.id).collect::<HashSet<_>>().len(), lines.len());
        let mut acknowledged: Vec<u64> =
            lines.iter().filter(|line| line.acknowledged).map(|line| line.sequence).collect();
        acknowledged.sort_unstable();
        let mut expected = marked.lock().unwrap().clone();
        expected.sort_unstable();
        assert_eq!(acknowledged, expected);
        assert_eq!(engine.stats().events, found.len() as u64);
        assert_eq!(engine.stats().last_sequence, THREADS * BATCHES * PER_BATCH, "gap-free");
    };
    check(&store.engine);
    assert!(store.engine.stats().seals > 1, "{:?}", store.engine.stats());
    assert_eq!(store.engine.stats().maintenance_failure, None);
    store.reopen();
    check(&store.engine);
}

#[test]
fn four_threads_and_a_reader_agree() {
    run(Durability::Buffered);
}

#[test]
fn four_threads_and_a_reader_agree_at_level_sync() {
    run(Durability::Sync);
}

/// A snapshot taken while the log changed once held the old log alone and claimed all that is visible:
/// a reader that went on behind it missed the first events of the new log for good.
#[test]
fn a_snapshot_holds_all_it_claims_while_logs_change() {
    let store = Store::new(Durability::Buffered);
    let stop = Stop(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let _stopping = StopOnDrop(&stop);
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.is_set() {
                    let snapshot = store.engine.snapshot();
                    assert_eq!(count(&snapshot), snapshot.visible_sequence());
                }
            });
        }
        for round in 0..400_u64 {
            store.append(&[event(u128::from(round), NOW_US)]).unwrap();
            store.engine.seal_now().unwrap();
            if round % 50 == 49 {
                store.engine.compact().unwrap();
            }
        }
    });
    assert_eq!(everything(&store.engine).len(), 400);
}

#[test]
fn a_close_while_appends_run_loses_nothing_acknowledged() {
    for _ in 0..5 {
        let mut store = background(Durability::Buffered);
        let acknowledged: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let engine = store.engine.clone();
                    scope.spawn(move || {
                        let text = "x".repeat(2000);
                        let mut own = Vec::new();
                        for number in 0..100_000_u64 {
                            let id = u128::from(thread) << 64 | u128::from(number);
                            let one = crate::support::with_message(event(id, NOW_US), &text);
                            match engine.append(batch(&[one]), &AppendOptions::default()) {
                                Ok(receipt) => own.push(receipt.sequences.start),
                                Err(error) => {
                                    assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
                                    break;
                                }
                            }
                        }
                        own
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(60));
            store.engine.close().unwrap();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        store.engine = Engine::open(store.options.clone()).unwrap();
        assert!(store.engine.recovery_notes().is_empty(), "{:?}", store.engine.recovery_notes());
        let found: HashSet<u64> = crate::support::sequences(&store.engine).into_iter().collect();
        assert_eq!(found.len() as u64, store.engine.visible_sequence());
        assert!(acknowledged.iter().all(|sequence| found.contains(sequence)));
    }
}

/// Closing a store whose maintenance thread was at work once hung: close kept it from going on and
/// waited for it to end.
#[test]
fn a_close_during_a_seal_waits_for_it_and_ends() {
    for _ in 0..3 {
        let store = background(Durability::Buffered);
        let (entered, wait_entered) = mpsc::channel();
        let entered = Mutex::new(entered);
        store.disk.on_call(move |call, path| {
            if call == Call::Create && is_in(path, "segment") {
                _ = entered.lock().unwrap().send(());
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(())
        });
        let text = "x".repeat(8000);
        let mut id = 0;
        while wait_entered.try_recv().is_err() {
            id += 1;
            store.append(&[crate::support::with_message(event(id, NOW_US), &text)]).unwrap();
        }
        let (done, wait_done) = mpsc::channel();
        let engine = store.engine.clone();
        std::thread::spawn(move || done.send(engine.close()));
        wait_done.recv_timeout(Duration::from_secs(20)).expect("close ends").unwrap();
        let (copy, _directory) = store.open_copy();
        assert_eq!(everything(&copy).len() as u128, id);
    }
}

/// A seal that a caller asked for once went on behind a close in another thread, and committed its
/// manifest to a store that somebody else could have opened by then.
#[test]
fn nothing_is_written_after_a_close() {
    let store = Store::new(Durability::Buffered);
    let text = "x".repeat(8000);
    for id in 0..1200 {
        store.append(&[crate::support::with_message(event(id, NOW_US), &text)]).unwrap();
    }
    let (entered, wait_entered) = mpsc::channel();
    let entered = Mutex::new(entered);
    store.disk.on_call(move |call, path| {
        if call == Call::Create && is_in(path, "segment") {
            _ = entered.lock().unwrap().send(());
            std::thread::sleep(Duration::from_millis(30));
        }
        Ok(())
    });
    let engine = store.engine.clone();
    let sealing = std::thread::spawn(move || engine.seal_now());
    wait_entered.recv().unwrap();
    store.engine.close().unwrap();
    let calls = store.disk.count();
    // On a busy machine the seal may be through before the close begins.
    if let Err(error) = sealing.join().unwrap() {
        assert_eq!(error.kind(), ErrorKind::Poisoned);
    }
    assert_eq!(store.engine.put_blob("late", b"value").unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(calls.load(Ordering::Relaxed), 0, "changes after the close");
    let (copy, _directory) = store.open_copy();
    assert_eq!(everything(&copy).len(), 1200);
}
