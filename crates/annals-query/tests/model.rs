//! Engine and queries agree with a plain list of events, whatever is appended, deleted, marked, sealed,
//! merged and reopened in whatever order.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test: what goes wrong here is meant to panic"
)]

#[path = "model/naive.rs"]
mod naive;
#[path = "model/operations.rs"]
mod operations;

use std::sync::Arc;

use annals_engine::{
    AppendOptions, Batch, Delete, Durability, Engine, ErrorKind, EventId, Field, Filter, ManualClock, Mark, Options,
    ReadMark, Repeats, TenantScope,
};
use annals_query::{EventRef, Order, Query, StatsRequest, execute, get, hoody_id, stats};
use naive::Naive;
use operations::{Check, Operation, START_US, operations};
use proptest::prelude::*;

struct World {
    engine: Engine,
    options: Options,
    clock: Arc<ManualClock>,
    naive: Naive,
    receipts: u64,
    _directory: tempfile::TempDir,
}

impl World {
    /// A store on the machine's disk.
    fn new(durability: Durability) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::with(Options::new(directory.path()), durability, directory)
    }

    /// A store on a simulated disk, which is quicker.
    fn simulated(durability: Durability) -> Self {
        let machine = annals_sim::World::new(1, std::path::Path::new("/store"), 256 << 20);
        let mut options = Options::new("/store");
        options.storage = Arc::new(annals_sim::SimStorage::new(&Arc::new(parking_lot::Mutex::new(machine))));
        Self::with(options, durability, tempfile::tempdir().unwrap())
    }

    fn with(mut options: Options, durability: Durability, directory: tempfile::TempDir) -> Self {
        let clock = Arc::new(ManualClock::at(START_US));
        options.log_size_bytes = 1 << 20;
        options.background = false;
        options.durability = durability;
        options.clock = Arc::clone(&clock) as Arc<dyn annals_engine::Clock>;
        let engine = Engine::open(options.clone()).unwrap();
        Self { engine, options, clock, naive: Naive::default(), receipts: 0, _directory: directory }
    }

    fn apply(&mut self, operation: &Operation) {
        self.clock.advance_us(1_000);
        match operation {
            Operation::Append(specs) => {
                let now_us = annals_engine::Clock::now_us(&*self.clock);
                let mut batch = Batch::new();
                for spec in specs {
                    batch.push(&spec.event()).unwrap();
                }
                let receipt = self.engine.append(batch, &AppendOptions::default()).unwrap();
                let expected = self.naive.append(specs, now_us);
                assert_eq!((receipt.sequences, receipt.duplicates), expected);
            }
            Operation::DeleteSequences(sequences) => {
                let deleted = self.engine.delete(&Delete::Sequences(sequences.clone())).unwrap();
                assert_eq!(deleted, self.naive.delete(|event| sequences.contains(&event.sequence)));
            }
            Operation::DeleteMatching(filter) => {
                let deleted = self.engine.delete(&Delete::Matching(filter.clone())).unwrap();
                assert_eq!(deleted, self.naive.delete_matching(filter), "{filter:?}");
            }
            Operation::CleanUp(cutoff_us) => {
                let deleted = self.engine.delete(&Delete::CreatedBefore(*cutoff_us)).unwrap();
                assert_eq!(deleted, self.naive.delete(|event| event.created_at_us < *cutoff_us));
            }
            Operation::Mark(sequences, acknowledged) => {
                let acknowledged = *acknowledged;
                let marks: Vec<Mark> =
                    sequences.iter().map(|sequence| Mark { sequence: *sequence, acknowledged }).collect();
                let marked = self.engine.mark(&marks).unwrap();
                assert_eq!(marked, self.naive.mark(sequences, acknowledged));
            }
            Operation::Replace(specs) => {
                let now_us = annals_engine::Clock::now_us(&*self.clock);
                let mut batch = Batch::new();
                for spec in specs {
                    batch.push(&spec.event()).unwrap();
                }
                let how = AppendOptions { repeats: Repeats::Replace, ..AppendOptions::default() };
                let receipt = self.engine.append(batch, &how).unwrap();
                let expected = self.naive.replace(specs, now_us);
                assert_eq!((receipt.sequences, u64::from(receipt.replaced)), expected);
            }
            Operation::Amend(amendment) => {
                assert_eq!(self.engine.amend(amendment).unwrap(), self.naive.amend(amendment));
            }
            Operation::Read(list) => self.read(list),
            Operation::Seal => self.engine.seal_now().unwrap(),
            Operation::Compact => _ = self.engine.compact().unwrap(),
            Operation::Reopen => {
                self.engine.close().unwrap();
                self.engine = Engine::open(self.options.clone()).unwrap();
                assert!(self.engine.recovery_notes().is_empty(), "{:?}", self.engine.recovery_notes());
            }
            Operation::Check(check) => self.check(check),
        }
    }

    fn read(&mut self, list: &[(u64, &str)]) {
        let mut marks = Vec::new();
        let mut new = 0;
        for (sequence, user) in list {
            self.receipts += 1;
            marks.push(ReadMark {
                sequence: *sequence,
                user_id: (*user).to_owned(),
                receipt: EventId::from_u128(u128::from(self.receipts)),
                read_at_us: 1,
            });
            new += self.naive.read(*sequence, user, self.receipts);
        }
        assert_eq!(self.engine.mark_read(&marks).unwrap(), new);
    }

    fn check(&self, check: &Check) {
        let snapshot = self.engine.snapshot();
        let never = || false;
        for order in [Order::CreatedAtAsc, Order::CreatedAtDesc, Order::EventTypeAsc, Order::EventTypeDesc] {
            let expected = self.naive.select(&check.filter, order);
            let query = Query::new(&TenantScope::Unlimited).filter(check.filter.clone()).order(order);
            let page = execute(&snapshot, &query.clone().offset(check.offset).limit(check.limit), &never).unwrap();
            assert_eq!(page.total, Some(expected.len() as u64), "{:?}", check.filter);
            let window: Vec<_> = expected.iter().skip(check.offset as usize).take(check.limit as usize).collect();
            assert_eq!(page.events.len(), window.len());
            for (found, wanted) in page.events.iter().zip(window) {
                wanted.assert_same(found);
            }
            let mut walked = Vec::new();
            let mut position = None;
            loop {
                let mut step = query.clone().limit(check.limit);
                if let Some(position) = position.take() {
                    step = step.after(position);
                }
                let page = execute(&snapshot, &step, &never).unwrap();
                walked.extend(page.events.iter().map(|event| event.sequence));
                position = page.next;
                if position.is_none() {
                    break;
                }
            }
            let all: Vec<u64> = expected.iter().map(|event| event.sequence).collect();
            assert_eq!(walked, all);
        }
        self.check_statistics(check);
        self.check_lookups();
        assert_eq!(self.engine.stats().events, self.naive.live().count() as u64);
    }

    fn check_statistics(&self, check: &Check) {
        let query = Query::new(&TenantScope::Unlimited).filter(check.filter.clone());
        let request = StatsRequest {
            by: vec![
                Field::EventType,
                Field::ResourceId,
                Field::RealmIds,
                Field::HttpStatus,
                Field::Severity,
                Field::IsPublic,
                Field::TargetUserIds,
            ],
            top: None,
            interval_us: Some(3_600_000_000),
            split: Some(Field::RealmIds),
        };
        let found = stats(&self.engine.snapshot(), &query, &request, &|| false).unwrap();
        let expected = self.naive.select(&check.filter, Order::CreatedAtAsc);
        assert_eq!(found.total, expected.len() as u64);
        assert_eq!(found.oldest_us, expected.first().map(|event| event.created_at_us));
        assert_eq!(found.newest_us, expected.last().map(|event| event.created_at_us));
        for (field, values) in &found.by {
            let mut values = values.clone();
            values.sort();
            assert_eq!(values, naive::count_by(&expected, *field), "{field}");
        }
        let buckets: Vec<(i64, u64)> = found.histogram.iter().copied().filter(|(_, count)| *count > 0).collect();
        assert_eq!(buckets, naive::histogram(&expected, 3_600_000_000));
        let realms = naive::count_by(&expected, Field::RealmIds);
        for (at, value) in found.split.values.iter().enumerate() {
            let split: u64 = found.split.buckets.iter().map(|(counts, _)| counts[at]).sum();
            assert!(realms.contains(&(value.clone(), split)), "{value} {split}");
        }
        let others: u64 = found.split.buckets.iter().map(|(_, other)| other).sum();
        let known: u64 = found.split.buckets.iter().flat_map(|(counts, _)| counts).sum();
        assert_eq!(known + others, realms.iter().map(|(_, count)| count).sum::<u64>());
    }

    fn check_lookups(&self) {
        let snapshot = self.engine.snapshot();
        for event in &self.naive.events {
            let by_sequence = snapshot.get_sequence(event.sequence).unwrap();
            assert_eq!(by_sequence.is_some(), !event.deleted);
            for user in ["ada", "bob", "carl"] {
                let found = snapshot.read_receipt(event.sequence, user).unwrap();
                let expected = event.reads.get(user).filter(|_| !event.deleted).map(|number| u128::from(*number));
                assert_eq!(found.map(|found| found.receipt.as_u128()), expected, "{} {user}", event.sequence);
            }
            let by_id = self.engine.get(event.id()).unwrap().map(|found| found.sequence);
            assert_eq!(by_id, self.naive.newest_with_id(event.id()));
            if let Some(found) = by_sequence {
                event.assert_same(&found);
                if found.id_is_made() {
                    let name = EventRef::from_hex24(&hoody_id(&found)).unwrap();
                    let again = get(&snapshot, &TenantScope::Unlimited, &name).unwrap();
                    assert_eq!(again.sequence, found.sequence);
                }
            }
        }
        assert!(self.engine.get(EventId::from_u128(0xdead)).unwrap().is_none());
    }
}

fn run(mut world: World, operations: &[Operation]) {
    for operation in operations {
        world.apply(operation);
    }
    let last = Check { filter: Filter::All, offset: 1, limit: 7 };
    world.check(&last);
    let report = world.engine.verify(&mut |_, _| ()).unwrap();
    assert_eq!(report.damages, Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_a_list(operations in operations()) {
        run(World::new(Durability::Buffered), &operations);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_a_list_on_a_simulated_disk(operations in operations()) {
        run(World::simulated(Durability::Interval), &operations);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_a_list_at_level_sync(operations in operations()) {
        run(World::new(Durability::Sync), &operations);
    }
}

#[test]
fn a_second_open_is_locked() {
    let world = World::new(Durability::Buffered);
    let error = Engine::open(world.options.clone()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains(world.options.directory.to_str().unwrap()));
}
