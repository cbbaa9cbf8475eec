//! A fixed script in which each call that changes the disk fails in turn: what was acknowledged is there
//! afterwards, exactly once, and what was not is there whole or not at all.

use std::collections::BTreeMap;
use std::io::ErrorKind as Io;
use std::sync::atomic::Ordering;

use annals_engine::{AppendOptions, Delete, Durability, Engine, Event, Filter, Mark, Options};

use crate::disk::Disk;
use crate::support::{DAY_US, NOW_US, batch, event, everything, keyed, options};

/// What is known of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    There,
    Gone,
    /// A call about it failed: either is right.
    Either,
}

/// What the acknowledgements of a run say.
#[derive(Default)]
struct World {
    events: BTreeMap<u128, Known>,
    marks: BTreeMap<u128, Known>,
    blob: Vec<&'static [u8]>,
}

impl World {
    fn append(&mut self, engine: &Engine, ids: std::ops::Range<u128>, key: Option<u128>) {
        let text = "m".repeat(300);
        let events: Vec<Event<'_>> = ids
            .clone()
            .map(|id| {
                let day = i64::try_from(id % 3).unwrap();
                crate::support::with_message(event(id, NOW_US - day * DAY_US - i64::try_from(id).unwrap()), &text)
            })
            .collect();
        let how = key.map_or_else(AppendOptions::default, |key| keyed(key, 1));
        let result = engine.append(batch(&events), &how);
        for id in ids {
            self.events.insert(id, if result.is_ok() { Known::There } else { Known::Either });
        }
    }

    fn delete(&mut self, engine: &Engine, what: &Delete, ids: impl Fn(u128) -> bool) {
        let result = engine.delete(what);
        for (id, known) in &mut self.events {
            if ids(*id) && *known != Known::Gone {
                *known = if result.is_ok() { Known::Gone } else { Known::Either };
            }
        }
    }

    fn mark(&mut self, engine: &Engine, id: u128) {
        let Ok(Some(found)) = engine.get(annals_engine::EventId::from_u128(id)) else { return };
        let result = engine.mark(&[Mark { sequence: found.sequence, acknowledged: true }]);
        self.marks.insert(id, if result.is_ok() { Known::There } else { Known::Either });
    }

    fn put_blob(&mut self, engine: &Engine, value: &'static [u8]) {
        match engine.put_blob("name", value) {
            Ok(()) => self.blob = vec![value],
            Err(_) => self.blob.push(value),
        }
    }

    /// The script. Failures are noted and it goes on, as a server would.
    fn run(&mut self, engine: &Engine) {
        self.append(engine, 1..20, Some(1));
        self.append(engine, 20..40, None);
        self.delete(engine, &Delete::Sequences(vec![3]), |id| id == 3);
        _ = engine.seal_now();
        self.append(engine, 40..60, Some(2));
        self.mark(engine, 41);
        self.mark(engine, 5);
        self.delete(engine, &Delete::Matching(Filter::created_between(0, NOW_US - 2 * DAY_US - 30)), |id| {
            id % 3 == 2 && id > 30
        });
        self.put_blob(engine, b"one");
        _ = engine.seal_now();
        self.append(engine, 60..80, None);
        _ = engine.compact();
        self.append(engine, 1..20, None);
        self.put_blob(engine, b"two");
        self.delete(engine, &Delete::CreatedBefore(NOW_US - DAY_US - 50), |id| id % 3 == 2 || (id % 3 == 1 && id > 50));
        self.append(engine, 80..100, Some(3));
        _ = engine.close();
    }

    fn check(&self, engine: &Engine, context: &str) {
        let lines = everything(engine);
        for (id, known) in &self.events {
            let times = lines.iter().filter(|line| line.id.as_u128() == *id).count();
            let good = match known {
                Known::There => times == 1,
                Known::Gone => times == 0,
                Known::Either => times <= 1,
            };
            assert!(good, "{context}: event {id} is {known:?} and there {times} times");
        }
        assert_eq!(engine.stats().events, lines.len() as u64, "{context}");
        for (id, known) in &self.marks {
            let marked = lines.iter().find(|line| line.id.as_u128() == *id).map(|line| line.acknowledged);
            assert!(*known == Known::Either || marked != Some(false), "{context}: event {id} lost its mark");
        }
        let blob = engine.get_blob("name").unwrap();
        let acknowledged = !self.blob.is_empty();
        assert!(
            blob.as_deref().map_or(!acknowledged || self.blob.len() > 1, |blob| self.blob.contains(&blob))
                || self.blob.len() == 1,
            "{context}: blob {blob:?}"
        );
    }
}

fn store_options(directory: &std::path::Path, disk: &Disk, level: Durability) -> Options {
    let mut options = options(directory, disk);
    options.durability = level;
    options
}

/// Runs the script with the call of that number failing; returns whether it came to that call.
fn run_with_failure(number: usize, kind: Io, level: Durability) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::new();
    let context = format!("{kind} at call {number}, level {level}");
    let calls = disk.refuse_call(number, kind);
    let mut world = World::default();
    if let Ok(engine) = Engine::open(store_options(directory.path(), &disk, level)) {
        world.run(&engine);
    }
    disk.heal();
    let reopened = Engine::open(store_options(directory.path(), &disk, level));
    let engine = reopened.unwrap_or_else(|error| panic!("{context}: {error}"));
    world.check(&engine, &context);
    let report = engine.verify(&mut |_, _| ()).unwrap();
    assert!(report.damages.is_empty(), "{context}: {:?}", report.damages);
    // The store works, and what is sealed and merged now is the same.
    engine.append(batch(&[event(1000, NOW_US)]), &AppendOptions::default()).unwrap();
    let before = everything(&engine);
    engine.seal_now().unwrap();
    engine.compact().unwrap();
    engine.close().unwrap();
    let engine = Engine::open(store_options(directory.path(), &disk, level)).unwrap();
    assert_eq!(everything(&engine), before, "{context}");
    assert!(engine.recovery_notes().is_empty(), "{context}: {:?}", engine.recovery_notes());
    calls.load(Ordering::Relaxed) > number
}

fn run_all(kind: Io, level: Durability) {
    let mut number = 0;
    while run_with_failure(number, kind, level) {
        number += 1;
    }
    assert!(number > 100, "only {number} calls");
}

#[test]
fn every_call_refused_for_room() {
    run_all(Io::StorageFull, Durability::Sync);
}

#[test]
fn every_call_refused_by_the_device() {
    run_all(Io::Other, Durability::Sync);
    run_all(Io::Other, Durability::Buffered);
}

/// The process dies at each call: the calls behind it fail as well.
#[test]
fn every_call_the_last() {
    let mut number = 0;
    loop {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::new();
        let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = std::sync::Arc::clone(&calls);
        disk.on_call(
            move |_, _| {
                if counted.fetch_add(1, Ordering::Relaxed) >= number { Err(Io::Other.into()) } else { Ok(()) }
            },
        );
        let mut world = World::default();
        if let Ok(engine) = Engine::open(store_options(directory.path(), &disk, Durability::Sync)) {
            world.run(&engine);
        }
        disk.heal();
        let context = format!("death at call {number}");
        let engine = Engine::open(store_options(directory.path(), &disk, Durability::Sync))
            .unwrap_or_else(|error| panic!("{context}: {error}"));
        world.check(&engine, &context);
        if calls.load(Ordering::Relaxed) <= number {
            break;
        }
        number += 1;
    }
    assert!(number > 100, "only {number} calls");
}
