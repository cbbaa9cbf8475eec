//! Stores that are not whole: other segments serve, a degraded one says what is missing, a full disk comes back by
//! itself, and a clock that jumps changes no order.

use std::io::Result as IoResult;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use annals_engine::{
    AppendOptions, Clock as _, DirEntry, Durability, Engine, ErrorKind, Event, Filter, LockMode, Options, OsClock,
    Storage, StorageFile,
};

use crate::disk::Disk;
use crate::support::{
    DAY_US, LOG_SIZE, NOW_US, Store, batch, event, everything, files, select, with_content, with_message,
};

const HOUR_US: i64 = 3_600_000_000;

/// A closed store of three sealed days, a segment of several chunks each, and its options.
fn three_days() -> (Store, Options) {
    let store = Store::new(Durability::Sync);
    let mut state = 3_u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:x}", state >> 8)
    };
    for day in 0..3_u32 {
        let texts: Vec<String> = (0..900).map(|_| (0..20).map(|_| word()).collect()).collect();
        let events: Vec<Event<'_>> = (0_u32..)
            .zip(&texts)
            .map(|(at, text)| {
                let time = NOW_US - i64::from(3 - day) * DAY_US + i64::from(at);
                with_message(event(u128::from(day * 5000 + at + 1), time), text)
            })
            .collect();
        store.append(&events).unwrap();
        store.engine.seal_now().unwrap();
    }
    store.engine.close().unwrap();
    let options = store.options.clone();
    (store, options)
}

fn degraded(options: &Options) -> Options {
    Options { degraded: true, ..options.clone() }
}

fn day(number: i64) -> Filter {
    Filter::created_between(NOW_US - (3 - number) * DAY_US, NOW_US - (2 - number) * DAY_US)
}

fn flip_middle(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_chunk_fails_queries_that_touch_it_and_is_a_gap_in_a_degraded_store_only() {
    let (store, options) = three_days();
    flip_middle(&files(store.path(), "segment")[1]);
    let engine = Engine::open(options.clone()).unwrap();
    for sound in [0, 2] {
        assert_eq!(select(&engine, &day(sound)).unwrap().len(), 900);
    }
    assert_eq!(select(&engine, &day(1)).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(engine.set_damaged_aside(), 0, "not unasked");
    assert!(engine.snapshot().gaps().is_empty());
    assert!(select(&engine, &Filter::All).is_err());
    engine.append(batch(&[event(70_000, NOW_US)]), &AppendOptions::default()).unwrap();
    engine.close().unwrap();

    let engine = Engine::open(degraded(&options)).unwrap();
    assert!(engine.snapshot().gaps().is_empty(), "nobody has met it yet");
    assert_eq!(select(&engine, &Filter::All).unwrap_err().kind(), ErrorKind::Corrupt);
    let before = engine.snapshot();
    assert_eq!(engine.set_damaged_aside(), 1);
    assert!(before.gaps().is_empty(), "a snapshot does not change");
    assert_eq!(everything(&engine).len(), 2 * 900 + 1);
    let snapshot = engine.snapshot();
    let gap = &snapshot.gaps()[0];
    assert_eq!((gap.first_sequence, gap.last_sequence, gap.events_max), (901, Some(1800), Some(900)));
    assert!(gap.created_at_us.as_ref().unwrap().contains(&(NOW_US - 2 * DAY_US)));
    assert_eq!(snapshot.get_sequence(1000).unwrap(), None);
    assert_eq!(engine.set_damaged_aside(), 0, "once");
    let refused = engine.append(batch(&[event(70_001, NOW_US)]), &AppendOptions::default()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Poisoned);
}

#[test]
fn a_missing_segment_is_a_gap_of_a_degraded_store_from_the_start() {
    let (store, options) = three_days();
    std::fs::remove_file(&files(store.path(), "segment")[0]).unwrap();
    let engine = Engine::open(options.clone()).unwrap();
    assert!(select(&engine, &Filter::All).is_err());
    assert_eq!(select(&engine, &day(2)).unwrap().len(), 900);
    engine.close().unwrap();
    let engine = Engine::open(degraded(&options)).unwrap();
    assert_eq!(everything(&engine).len(), 2 * 900);
    assert_eq!(engine.snapshot().gaps()[0].first_sequence, 1);
    assert!(engine.write_refusal().is_some());
    assert_eq!(engine.stats().sealed_segments, 3, "it is still the store's");
}

#[test]
fn what_lies_behind_a_damaged_frame_is_a_gap() {
    let store = Store::new(Durability::Sync);
    store.append(&[event(1, NOW_US), event(2, NOW_US)]).unwrap();
    store.append(&[event(3, NOW_US)]).unwrap();
    store.engine.close().unwrap();
    let log = files(store.path(), "log").pop().unwrap();
    let mut bytes = std::fs::read(&log).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    // The marker at the end is sound, and says that the frame before it was durable.
    let at = last - 200;
    bytes[at] ^= 0xff;
    std::fs::write(&log, bytes).unwrap();
    assert!(Engine::open(store.options.clone()).is_err());
    let engine = Engine::open(degraded(&store.options)).unwrap();
    let snapshot = engine.snapshot();
    let gap = &snapshot.gaps()[0];
    assert_eq!(
        (gap.first_sequence, gap.last_sequence, snapshot.gaps().len()),
        (everything(&engine).len() as u64 + 1, None, 1)
    );
}

/// A disk with as much room as a test says.
struct Small {
    disk: Disk,
    free: Arc<AtomicU64>,
}

impl Storage for Small {
    fn create_dir(&self, path: &Path) -> IoResult<()> {
        self.disk.create_dir(path)
    }
    fn list(&self, path: &Path) -> IoResult<Vec<DirEntry>> {
        self.disk.list(path)
    }
    fn create(&self, path: &Path) -> IoResult<Arc<dyn StorageFile>> {
        self.disk.create(path)
    }
    fn open(&self, path: &Path, writable: bool) -> IoResult<Arc<dyn StorageFile>> {
        self.disk.open(path, writable)
    }
    fn rename(&self, from: &Path, to: &Path) -> IoResult<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> IoResult<()> {
        self.disk.remove(path)
    }
    fn sync_dir(&self, path: &Path) -> IoResult<()> {
        self.disk.sync_dir(path)
    }
    fn lock(&self, path: &Path, mode: LockMode) -> IoResult<Box<dyn Send + Sync>> {
        self.disk.lock(path, mode)
    }
    fn free_space(&self, _path: &Path) -> IoResult<u64> {
        Ok(self.free.load(Ordering::Relaxed))
    }
}

#[test]
fn a_full_disk_is_told_with_a_margin_and_comes_back_by_itself() {
    let free = Arc::new(AtomicU64::new(u64::MAX));
    let seen = Arc::clone(&free);
    let store = Store::with(Durability::Sync, |options| {
        options.storage = Arc::new(Small { disk: Disk::new(), free: seen });
    });
    let long = "x".repeat(500_000);
    let large = |id| with_content(event(id, NOW_US), &long);
    store.append(&[large(1)]).unwrap();
    free.store(2 * LOG_SIZE - 1, Ordering::Relaxed);
    assert_eq!(store.append(&[large(2)]).unwrap_err().kind(), ErrorKind::DiskFull);
    assert!(store.engine.stats().disk_full);
    assert_eq!(everything(&store.engine).len(), 1, "reads go on");
    assert_eq!(store.engine.delete(&annals_engine::Delete::Sequences(vec![1])).unwrap(), 1, "and so do deletes");
    // As much as was enough before is not, right behind a full disk.
    free.store(2 * LOG_SIZE, Ordering::Relaxed);
    assert_eq!(store.append(&[large(2)]).unwrap_err().kind(), ErrorKind::DiskFull);
    free.store(3 * LOG_SIZE, Ordering::Relaxed);
    assert!(store.engine.stats().disk_full, "nobody has looked yet");
    store.clock.advance_us(1_000_001);
    let begun = OsClock::new();
    while store.engine.stats().disk_full {
        assert!(begun.monotonic() < Duration::from_secs(30), "it looks again by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    free.store(0, Ordering::Relaxed);
    store.append(&[large(2)]).expect("the next log was reserved");
}

#[test]
fn a_clock_that_jumps_changes_no_order() {
    let mut store = Store::new(Durability::Sync);
    let made = |store: &Store| {
        store.append(&[Event::new("test.event")]).unwrap();
        everything(&store.engine).last().unwrap().created_at_us
    };
    let first = made(&store);
    assert_eq!(first, NOW_US);
    store.clock.set_us(NOW_US - HOUR_US);
    let second = made(&store);
    assert!(second >= first, "{second}");
    assert_eq!(store.engine.stats().clock_steps_back, 1);
    store.reopen();
    assert!(made(&store) >= second, "nor across a restart");
    let ten_years = 3650 * DAY_US;
    store.clock.set_us(NOW_US + ten_years);
    let ahead = made(&store);
    assert_eq!(ahead, NOW_US + ten_years);
    store.clock.set_us(NOW_US);
    let after = made(&store);
    assert!(after >= ahead, "never backwards: {after}");
    let lines = everything(&store.engine);
    assert!(lines.is_sorted_by(|a, b| a.sequence < b.sequence && a.created_at_us <= b.created_at_us), "{lines:?}");
    store.engine.seal_now().unwrap();
    assert_eq!(everything(&store.engine), lines);
}
