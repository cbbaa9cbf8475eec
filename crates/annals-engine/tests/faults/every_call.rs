//! A fixed script in which each call that changes the disk fails in turn: what was acknowledged is there
//! afterwards, exactly once, and what was not is there whole or not at all.

use std::collections::BTreeMap;
use std::io::ErrorKind as Io;
use std::sync::atomic::Ordering;

use annals_engine::{
    Amendment, AppendOptions, Delete, Durability, Engine, Event, EventId, Field, Filter, Mark, Options, ReadMark,
    Repeats,
};

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

fn first_message() -> String {
    "m".repeat(300)
}

fn time_of(id: u128) -> i64 {
    NOW_US - i64::try_from(id % 3).unwrap() * DAY_US - i64::try_from(id).unwrap()
}

/// What the acknowledgements of a run say.
#[derive(Default)]
struct World {
    events: BTreeMap<u128, Known>,
    marks: BTreeMap<u128, Known>,
    /// What the message of a replaced event may be.
    messages: BTreeMap<u128, Vec<String>>,
    /// What the severity of an amended event may be.
    severities: BTreeMap<u128, Vec<Option<&'static str>>>,
    /// Receipts of a user's reading.
    reads: BTreeMap<u128, Known>,
    blob: Vec<&'static [u8]>,
}

impl World {
    fn append(&mut self, engine: &Engine, ids: std::ops::Range<u128>, key: Option<u128>) {
        let text = first_message();
        let events: Vec<Event<'_>> =
            ids.clone().map(|id| crate::support::with_message(event(id, time_of(id)), &text)).collect();
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

    /// Whatever becomes of the call, one event with the id is there if one was.
    fn replace(&mut self, engine: &Engine, id: u128, message: &'static str) {
        let replacing = crate::support::with_message(event(id, time_of(id)), message);
        let how = AppendOptions { repeats: Repeats::Replace, ..AppendOptions::default() };
        let result = engine.append(batch(&[replacing]), &how);
        let allowed = self.messages.entry(id).or_insert_with(|| vec![first_message()]);
        if result.is_ok() {
            self.events.insert(id, Known::There);
            *allowed = vec![message.to_owned()];
            // They were of the event that went.
            self.marks.remove(&id);
            self.reads.remove(&id);
            self.severities.remove(&id);
        } else {
            allowed.push(message.to_owned());
            self.severities.entry(id).and_modify(|allowed| allowed.push(None));
            self.reads.entry(id).and_modify(|known| *known = Known::Either);
        }
    }

    fn amend(&mut self, engine: &Engine, id: u128, severity: &'static str) {
        let Ok(Some(found)) = engine.get(EventId::from_u128(id)) else { return };
        let asked = Some(severity.to_owned());
        let result = engine.amend(&Amendment { sequence: found.sequence, severity: asked, ..Amendment::default() });
        let allowed = self.severities.entry(id).or_insert_with(|| vec![None]);
        if result.is_ok() {
            allowed.clear();
        }
        allowed.push(Some(severity));
    }

    fn read(&mut self, engine: &Engine, id: u128) {
        let Ok(Some(found)) = engine.get(EventId::from_u128(id)) else { return };
        let (sequence, receipt) = (found.sequence, EventId::from_u128(id + 1000));
        let result = engine.mark_read(&[ReadMark { sequence, user_id: "ada".to_owned(), receipt, read_at_us: 1 }]);
        self.reads.insert(id, if result.is_ok() { Known::There } else { Known::Either });
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
        self.replace(engine, 7, "live");
        self.amend(engine, 10, "warn");
        self.read(engine, 9);
        self.delete(engine, &Delete::Matching(Filter::created_between(0, NOW_US - 2 * DAY_US - 30)), |id| {
            id % 3 == 2 && id > 30
        });
        self.put_blob(engine, b"one");
        _ = engine.seal_now();
        self.append(engine, 60..80, None);
        self.replace(engine, 6, "sealed");
        self.replace(engine, 7, "again");
        self.amend(engine, 10, "error");
        self.amend(engine, 60, "warn");
        self.read(engine, 60);
        _ = engine.compact();
        self.replace(engine, 60, "amended before");
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
        self.check_changes(engine, context);
        let blob = engine.get_blob("name").unwrap();
        let acknowledged = !self.blob.is_empty();
        assert!(
            blob.as_deref().map_or(!acknowledged || self.blob.len() > 1, |blob| self.blob.contains(&blob))
                || self.blob.len() == 1,
            "{context}: blob {blob:?}"
        );
    }
}

impl World {
    /// What was replaced, amended and read.
    fn check_changes(&self, engine: &Engine, context: &str) {
        let find = |id: u128| engine.get(EventId::from_u128(id)).unwrap();
        for (id, allowed) in &self.messages {
            let Some(found) = find(*id) else { continue };
            let good = allowed.iter().any(|message| found.message() == Some(message));
            assert!(good, "{context}: event {id} says {:?}, allowed are {allowed:?}", found.message());
        }
        for (id, allowed) in &self.severities {
            let Some(found) = find(*id) else { continue };
            let severity = found.get(Field::Severity);
            assert!(allowed.contains(&severity), "{context}: event {id} has {severity:?}, allowed are {allowed:?}");
        }
        for (id, known) in &self.reads {
            let Some(found) = find(*id) else { continue };
            let receipt = engine.snapshot().read_receipt(found.sequence, "ada").unwrap();
            let good = receipt.map_or(*known == Known::Either, |found| found.receipt.as_u128() == id + 1000);
            assert!(good, "{context}: the receipt of event {id} is {receipt:?}");
        }
    }
}

fn store_options(directory: &std::path::Path, disk: &Disk, level: Durability) -> Options {
    let mut options = options(directory, disk);
    options.durability = level;
    options
}

/// Runs the script with the call of that number failing; returns whether it came to that call.
fn run_with_failure(number: usize, kind: Io, level: Durability) -> bool {
    let directory = crate::support::small_folder();
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
        let directory = crate::support::small_folder();
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
