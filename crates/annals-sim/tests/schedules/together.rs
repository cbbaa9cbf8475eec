//! Two who append, one who reads, one who follows, one who deletes, one who seals and compacts, and the engine's own
//! threads.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use annals_engine::{Delete, Durability, Engine, News};
use shuttle::rand::Rng;
use shuttle::thread;

use crate::store::{EVENTS_OF_A_BATCH, Machine, append, named, read};

const BATCHES: usize = 3;
const DELETED: &str = "0-1";

pub(crate) fn scenario() {
    let machine = Machine::new();
    let synced = shuttle::rand::thread_rng().gen_bool(0.5);
    let engine = machine.open(if synced { Durability::Sync } else { Durability::Interval }, true);
    let appenders: Vec<_> = (0..2).map(|who| spawn(&engine, move |engine| append_batches(engine, who))).collect();
    let deleter = spawn(&engine, delete);
    let others = [spawn(&engine, move |engine| look(engine, synced)), spawn(&engine, seal), spawn(&engine, follow)];
    let mut appended = BTreeMap::new();
    for appender in appenders {
        appended.extend(appender.join().expect("an appender"));
    }
    for other in others {
        other.join().expect("a thread");
    }
    let deleted = deleter.join().expect("the deleter");
    if deleted > 0 {
        appended.retain(|_, name| name != DELETED);
    }
    assert_eq!(appended.len(), read(&engine, EVENTS_OF_A_BATCH).len());
    engine.close().expect("a close on a disk without faults");
    drop(engine);
    let engine = machine.open(Durability::Sync, false);
    assert_eq!(read(&engine, EVENTS_OF_A_BATCH), appended, "after a close and an open");
    engine.close().expect("a close on a disk without faults");
}

fn spawn<T: Send + 'static>(
    engine: &Engine,
    body: impl FnOnce(&Engine) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let engine = engine.clone();
    thread::spawn(move || body(&engine))
}

fn append_batches(engine: &Engine, who: usize) -> BTreeMap<u64, String> {
    let mut appended = BTreeMap::new();
    for batch in 0..BATCHES {
        let name = format!("{who}-{batch}");
        let sequences = append(engine, &name, None);
        // What was acknowledged is seen by every later look.
        let seen = read(engine, EVENTS_OF_A_BATCH);
        for sequence in sequences {
            let is_seen = seen.get(&sequence) == Some(&name);
            assert!(is_seen || name == DELETED, "event {sequence} is acknowledged and not seen");
            assert_eq!(appended.insert(sequence, name.clone()), None, "sequence {sequence} came twice");
        }
    }
    appended
}

/// Deletes one batch, whole or not at all, and says how many events that were.
fn delete(engine: &Engine) -> u64 {
    let deleted = engine.delete(&Delete::Matching(named(DELETED))).expect("a delete on a disk without faults");
    assert!([0, EVENTS_OF_A_BATCH as u64].contains(&deleted), "{deleted} events were deleted");
    let there = read(engine, EVENTS_OF_A_BATCH).values().any(|name| name == DELETED);
    assert!(deleted == 0 || !there, "a deleted event is still there");
    deleted
}

fn look(engine: &Engine, synced: bool) {
    let mut before = BTreeSet::new();
    for _ in 0..3 {
        let seen = read(engine, EVENTS_OF_A_BATCH);
        let last = seen.keys().last().copied().unwrap_or(0);
        let durable = engine.durable_sequence();
        assert!(!synced || last <= durable, "event {last} is seen and only {durable} durable");
        let now: BTreeSet<u64> = seen.iter().filter(|(_, name)| *name != DELETED).map(|(at, _)| *at).collect();
        assert!(now.is_superset(&before), "events went: {before:?} to {now:?}");
        before = now;
    }
}

fn seal(engine: &Engine) {
    engine.seal_now().expect("a seal on a disk without faults");
    engine.compact().expect("a compaction on a disk without faults");
    engine.seal_now().expect("a seal on a disk without faults");
}

/// Hears of everything that was appended.
fn follow(engine: &Engine) {
    let follower = engine.follow();
    let mut seen = News::default();
    while seen.visible_sequence < (2 * BATCHES * EVENTS_OF_A_BATCH) as u64 {
        seen = follower.wait(seen, Duration::from_hours(1));
        assert!(!seen.closed);
    }
}
