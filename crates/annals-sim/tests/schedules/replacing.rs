//! One event is replaced again and again, another one marked and unmarked, while others read and seal.

use annals_engine::{AppendOptions, Batch, Durability, Engine, Event, EventId, Filter, Mark, Repeats};
use shuttle::rand::Rng;
use shuttle::thread;

use crate::store::{Machine, append};

const REPLACED: u128 = 7;
const VERSIONS: u64 = 4;
/// The sequence of the event that is marked.
const MARKED: u64 = 1;

pub(crate) fn scenario() {
    let machine = Machine::new();
    let synced = shuttle::rand::thread_rng().gen_bool(0.5);
    let engine = machine.open(if synced { Durability::Sync } else { Durability::Interval }, true);
    append(&engine, "marked", None);
    replace(&engine, 0);
    let threads = [
        spawn(&engine, |engine| (1..VERSIONS).for_each(|version| replace(engine, version))),
        spawn(&engine, mark),
        spawn(&engine, look),
        spawn(&engine, seal),
    ];
    for thread in threads {
        thread.join().expect("a thread");
    }
    check(&engine);
    engine.close().expect("a close on a disk without faults");
    drop(engine);
    let engine = machine.open(Durability::Sync, false);
    check(&engine);
    engine.close().expect("a close on a disk without faults");
}

fn spawn(engine: &Engine, body: impl FnOnce(&Engine) + Send + 'static) -> thread::JoinHandle<()> {
    let engine = engine.clone();
    thread::spawn(move || body(&engine))
}

fn replace(engine: &Engine, version: u64) {
    let message = version.to_string();
    let mut event = Event::new("a");
    event.id = Some(EventId::from_u128(REPLACED));
    event.message = Some(&message);
    let mut batch = Batch::new();
    batch.push(&event).expect("a small event");
    let how = AppendOptions { repeats: Repeats::Replace, ..AppendOptions::default() };
    engine.append(batch, &how).expect("an append on a disk without faults");
    assert!(versions(engine).iter().all(|seen| *seen >= version), "an acknowledged version is not seen");
}

/// The versions of the replaced event that one snapshot shows, by a walk and by its id.
fn versions(engine: &Engine) -> Vec<u64> {
    let snapshot = engine.snapshot();
    let read = |event: annals_engine::StoredEvent| -> u64 {
        event.message().and_then(|text| text.parse().ok()).expect("a version is its message")
    };
    let by_id = snapshot.get(EventId::from_u128(REPLACED)).expect("a whole store").map(read);
    let mut walked = Vec::new();
    for part in snapshot.parts() {
        for row in part.select(&Filter::All).expect("a whole part").iter() {
            let event = part.event(row).expect("an event that was selected");
            if event.id == EventId::from_u128(REPLACED) {
                walked.push(read(event));
            }
        }
    }
    assert_eq!(by_id.as_slice(), walked, "an id and a walk find different events");
    walked
}

fn mark(engine: &Engine) {
    for acknowledged in [true, false, true] {
        engine.mark(&[Mark { sequence: MARKED, acknowledged }]).expect("a mark on a disk without faults");
        assert_eq!(is_marked(engine), acknowledged, "an acknowledged mark is not seen");
    }
}

fn is_marked(engine: &Engine) -> bool {
    let event = engine.snapshot().get_sequence(MARKED).expect("a whole store");
    event.expect("nobody deletes it").marks.acknowledged
}

fn look(engine: &Engine) {
    let mut last = 0;
    for _ in 0..4 {
        let seen = versions(engine);
        assert_eq!(seen.len(), 1, "one event has the id, seen were {seen:?}");
        let now = seen.first().copied().unwrap_or(0);
        assert!(now >= last, "version {now} after {last}");
        last = now;
    }
}

fn seal(engine: &Engine) {
    engine.seal_now().expect("a seal on a disk without faults");
    engine.seal_now().expect("a seal on a disk without faults");
    engine.compact().expect("a compaction on a disk without faults");
}

fn check(engine: &Engine) {
    assert_eq!(versions(engine), [VERSIONS - 1]);
    assert!(is_marked(engine));
}
