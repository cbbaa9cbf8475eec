//! Old events are dropped with their segments while others read, append and seal.

use annals_engine::{Delete, Durability, Engine};
use shuttle::thread;

use crate::store::{DAY_US, EVENTS_OF_A_BATCH, Machine, NOW_US, append, read};

const OLD_BATCHES: usize = 2;
const OLD: usize = OLD_BATCHES * EVENTS_OF_A_BATCH;

pub(crate) fn scenario() {
    let machine = Machine::new();
    let engine = machine.open(Durability::Sync, true);
    for batch in 0..OLD_BATCHES {
        append(&engine, &format!("old-{batch}"), Some(NOW_US - 5 * DAY_US));
    }
    append(&engine, "new", Some(NOW_US - DAY_US));
    let threads = [
        spawn(&engine, |engine| engine.seal_now().expect("a seal on a disk without faults")),
        spawn(&engine, clean_up),
        spawn(&engine, look),
        spawn(&engine, |engine| _ = append(engine, "newer", Some(NOW_US))),
        spawn(&engine, |engine| _ = engine.compact().expect("a compaction on a disk without faults")),
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

fn clean_up(engine: &Engine) {
    let deleted = engine.delete(&Delete::CreatedBefore(NOW_US - 2 * DAY_US)).expect("a clean-up without faults");
    assert_eq!(deleted, OLD as u64, "the count of a clean-up is exact");
    assert!(read(engine, OLD).values().all(|name| !name.starts_with("old")), "what was cleaned up is there");
}

/// The old events are all there or all gone, and do not come back.
fn look(engine: &Engine) {
    let mut gone = false;
    for _ in 0..4 {
        let seen = read(engine, OLD);
        let old = seen.values().filter(|name| name.starts_with("old")).count();
        assert!([0, OLD].contains(&old), "{old} of the old events are seen");
        assert!(!gone || old == 0, "old events are there again");
        gone = old == 0;
        let new = seen.values().filter(|name| *name == "new").count();
        assert_eq!(new, EVENTS_OF_A_BATCH, "new events are lost");
    }
}

fn check(engine: &Engine) {
    let seen: Vec<String> = read(engine, OLD).into_values().collect();
    assert_eq!(seen, ["new", "new", "newer", "newer"]);
}
