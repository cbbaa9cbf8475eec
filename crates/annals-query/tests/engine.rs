//! Queries, deletes and marks over a real store against a vector: live rows, sealed segments, tombstones,
//! compaction and reopening in any order.

#![expect(clippy::indexing_slicing, reason = "a panic here is a failed test")]

mod common;

use std::path::Path;

use annals_engine::{
    AppendOptions, Batch, Durability, Engine, Field, Filter, Options, PartitionSpan, Partitioning, StoredEvent,
    TenantScope,
};
use annals_query::{
    DeleteMode, ErrorKind, EventRef, Order, Query, StatsRequest, Total, acknowledge, append_order, delete_event,
    delete_matching, execute, get, hoody_id, stats, unacknowledge,
};
use common::{Row, Store, filters, matches, never, orders, rows, scopes, sort};
use proptest::prelude::*;

const DAY_US: i64 = 86_400_000_000;

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<Row>),
    Seal,
    Compact,
    Reopen,
    DeleteMatching(TenantScope, Filter, DeleteMode),
    DeleteOne(TenantScope, u64),
    Acknowledge(TenantScope, u64, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let mode = prop_oneof![Just(DeleteMode::Delete), Just(DeleteMode::DryRun)];
    // Times a day apart lie in partitions of their own.
    let apart = |rows: Vec<Row>| {
        let moved = |row: Row| Row { created_at_us: row.created_at_us % 3 * DAY_US + row.created_at_us, ..row };
        rows.into_iter().map(moved).collect()
    };
    let step = prop_oneof![
        6 => rows(1..40).prop_map(move |rows| Step::Append(apart(rows))),
        2 => Just(Step::Seal),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
        1 => (scopes(), filters(), mode).prop_map(|(scope, filter, mode)| Step::DeleteMatching(scope, filter, mode)),
        2 => (scopes(), 1..80_u64).prop_map(|(scope, sequence)| Step::DeleteOne(scope, sequence)),
        2 => (scopes(), 1..80_u64, any::<bool>()).prop_map(|(scope, sequence, state)| Step::Acknowledge(scope, sequence, state)),
    ];
    proptest::collection::vec(step, 1..12)
}

fn open(directory: &Path) -> Engine {
    let mut options = Options::new(directory);
    options.log_size_bytes = annals_engine::LOG_SIZE_BYTES_MIN;
    options.durability = Durability::Buffered;
    options.background = false;
    options.partition = Partitioning::Fixed(PartitionSpan::Day);
    Engine::open(options).expect("the store opens")
}

fn append(engine: &Engine, store: &mut Store, rows: Vec<Row>) {
    let mut batch = Batch::new();
    let first = store.rows.len() as u64 + 1;
    for (sequence, row) in (first..).zip(rows) {
        // Ids of its own, so that nothing is a repeat.
        let row =
            Row { id: row.id.map(|id| (id << 64) | u128::from(sequence)), deleted: false, acknowledged: false, ..row };
        row.with_event(|event| batch.push(event).expect("within the limits"));
        store.rows.push(row);
    }
    let receipt = engine.append(batch, &AppendOptions::default()).expect("an append");
    assert_eq!(receipt.sequences, first..store.rows.len() as u64 + 1);
}

/// The row of a sequence, if it is there and `scope` may change it; else what is said about it.
fn changeable(store: &Store, scope: &TenantScope, sequence: u64) -> Result<usize, ErrorKind> {
    let found = store.events().into_iter().find(|event| event.sequence == sequence);
    match found.filter(|event| matches(&scope.visible(), event)) {
        None => Err(ErrorKind::NotFound),
        Some(event) if !matches(&scope.writable(), &event) => Err(ErrorKind::Forbidden),
        Some(_) => Ok(usize::try_from(sequence).expect("small") - 1),
    }
}

fn take(engine: &mut Engine, directory: &Path, store: &mut Store, step: Step) {
    match step {
        Step::Append(rows) => append(engine, store, rows),
        Step::Seal => engine.seal_now().expect("a seal"),
        Step::Compact => _ = engine.compact().expect("a compaction"),
        Step::Reopen => {
            engine.close().expect("a clean end");
            *engine = open(directory);
        }
        Step::DeleteMatching(scope, filter, mode) => {
            let doomed: Vec<u64> =
                store.matching(&scope, &scope.writable().and(filter.clone())).iter().map(|e| e.sequence).collect();
            let outcome = delete_matching(engine, &scope, &filter, mode, &never).expect("a delete");
            assert_eq!(outcome.deleted, doomed.len() as u64);
            if mode == DeleteMode::Delete {
                for (sequence, row) in (1..).zip(&mut store.rows) {
                    row.deleted |= doomed.contains(&sequence);
                }
            }
        }
        Step::DeleteOne(scope, sequence) => {
            let found = delete_event(engine, &scope, &EventRef::Sequence(sequence));
            let expected = changeable(store, &scope, sequence);
            assert_eq!(found.as_ref().err().map(annals_query::Error::kind), expected.err());
            if let (Ok((event, outcome)), Ok(index)) = (found, expected) {
                assert_eq!((event, outcome.deleted), (store.rows[index].stored(sequence), 1));
                store.rows[index].deleted = true;
            }
        }
        Step::Acknowledge(scope, sequence, state) => {
            let change = if state { acknowledge } else { unacknowledge };
            let found = change(engine, &scope, &EventRef::Sequence(sequence));
            let expected = changeable(store, &scope, sequence);
            assert_eq!(found.as_ref().err().map(annals_query::Error::kind), expected.err());
            if let (Ok(event), Ok(index)) = (found, expected) {
                store.rows[index].acknowledged = state;
                assert_eq!(event, store.rows[index].stored(sequence));
            }
        }
    }
}

fn compare(engine: &Engine, store: &Store, scope: &TenantScope, filter: &Filter, order: Order, offset: usize) {
    let snapshot = engine.snapshot();
    let by_sequence = store.matching(scope, filter);
    let mut expected = by_sequence.clone();
    sort(order, &mut expected);
    let query = Query::new(scope).filter(filter.clone()).order(order);
    for total in [Total::Exact, Total::None] {
        let page =
            execute(&snapshot, &query.clone().total(total).offset(offset as u64).limit(7), &never).expect("a page");
        let behind = expected.get(offset..).unwrap_or_default();
        assert_eq!(page.events, behind[..behind.len().min(7)], "{query:?} offset {offset}");
        assert_eq!(page.total, (total == Total::Exact).then_some(expected.len() as u64));
        let Some(position) = page.next else { continue };
        let page = execute(&snapshot, &query.clone().after(position).limit(5), &never).expect("a page");
        assert_eq!(page.events, behind[7..behind.len().min(12)], "{query:?} behind offset {offset}");
    }
    let tail = append_order(&snapshot, &query.limit(1000), 0, &never).expect("a tail");
    assert_eq!(tail.events, by_sequence);
}

fn compare_statistics(engine: &Engine, store: &Store, scope: &TenantScope, filter: &Filter) {
    let expected = store.matching(scope, filter);
    let request = StatsRequest {
        by: vec![Field::EventType, Field::RealmIds],
        interval_us: Some(DAY_US),
        ..StatsRequest::default()
    };
    let found =
        stats(&engine.snapshot(), &Query::new(scope).filter(filter.clone()), &request, &never).expect("figures");
    assert_eq!(found.total, expected.len() as u64);
    assert_eq!(found.oldest_us, expected.iter().map(|event| event.created_at_us).min());
    assert_eq!(found.newest_us, expected.iter().map(|event| event.created_at_us).max());
    for (field, counts) in &found.by {
        for (value, count) in counts {
            let holders = expected.iter().filter(|event| event.values(*field).any(|held| held == value));
            assert_eq!(holders.count() as u64, *count, "{field} {value}");
        }
        let all: u64 = counts.iter().map(|(_, count)| count).sum();
        assert_eq!(all, expected.iter().map(|event| event.values(*field).count() as u64).sum::<u64>());
    }
    assert_eq!(found.histogram.iter().map(|(_, count)| count).sum::<u64>(), found.total);
}

fn compare_names(engine: &Engine, events: &[StoredEvent]) {
    let snapshot = engine.snapshot();
    for event in events {
        for name in [event.id.to_string(), event.sequence.to_string(), hoody_id(event)] {
            let found = get(&snapshot, &TenantScope::Unlimited, &name.parse().expect("a name")).expect(&name);
            assert_eq!(&found, event, "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_store_answers_as_a_vector_does(
        steps in steps(),
        questions in proptest::collection::vec((scopes(), filters(), orders(), 0_usize..60), 1..6),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut engine = open(directory.path());
        let mut store = Store { rows: Vec::new() };
        for step in steps {
            take(&mut engine, directory.path(), &mut store, step);
            for (scope, filter, order, offset) in &questions {
                compare(&engine, &store, scope, filter, *order, *offset);
                compare_statistics(&engine, &store, scope, filter);
            }
            compare_names(&engine, &store.events());
        }
        engine.close().unwrap();
    }
}
