//! Repeats of events: a retried batch is harmless.

use annals_engine::{
    AppendOptions, Delete, Durability, Engine, ErrorKind, Event, EventId, Field, Filter, Receipt, TenantScope,
};

use crate::support::{DAY_US, NOW_US, Store, batch, event, everything, sequences};

fn without_time(id: u128) -> Event<'static> {
    let mut event = event(id, 0);
    event.created_at_us = None;
    event
}

fn stored(receipt: &Receipt) -> u64 {
    receipt.sequences.end - receipt.sequences.start
}

/// The rules for an event 1 of [`NOW_US`] that is there: nothing is stored but the one of another time.
fn check_rules(store: &Store, other_us: i64) {
    let last = store.engine.visible_sequence();
    for repeat in [event(1, NOW_US), without_time(1)] {
        let receipt = store.append(&[repeat]).unwrap();
        assert_eq!((receipt.sequences, receipt.duplicates), (last + 1..last + 1, vec![0]));
        assert_eq!((receipt.ids.len(), receipt.duplicate_count), (0, 1));
    }
    let receipt = store.append(&[event(1, other_us)]).unwrap();
    assert_eq!((receipt.sequences, receipt.duplicate_count), (last + 1..last + 2, 0));
    let found = store.engine.get(EventId::from_u128(1)).unwrap().unwrap();
    assert_eq!((found.sequence, found.created_at_us), (last + 1, other_us));
    let again = store.append(&[event(1, other_us)]).unwrap();
    assert_eq!(stored(&again), 0);
}

#[test]
fn repeats_are_seen_live_sealed_merged_and_reopened() {
    let mut store = Store::new(Durability::Sync);
    store.append(&[event(1, NOW_US), event(2, NOW_US - DAY_US)]).unwrap();
    check_rules(&store, NOW_US + 1);
    store.reopen();
    check_rules(&store, NOW_US + 2);
    store.engine.seal_now().unwrap();
    check_rules(&store, NOW_US + 3);
    store.engine.seal_now().unwrap();
    store.engine.compact().unwrap();
    check_rules(&store, NOW_US + 4);
    store.engine.seal_now().unwrap();
    store.reopen();
    check_rules(&store, NOW_US - DAY_US);
    assert_eq!(everything(&store.engine).len(), 7);
    assert_eq!(sequences(&store.engine), (1..8).collect::<Vec<_>>());
}

#[test]
fn repeats_within_one_batch_are_left_out_and_the_order_stays() {
    let store = Store::new(Durability::Sync);
    let events =
        [event(1, NOW_US), event(2, NOW_US), event(1, NOW_US), without_time(2), event(1, NOW_US + 1), event(3, NOW_US)];
    let receipt = store.append(&events).unwrap();
    assert_eq!((receipt.sequences, receipt.duplicates), (1..5, vec![2, 3]));
    let ids: Vec<u128> = receipt.ids.iter().map(|id| id.as_u128()).collect();
    assert_eq!(ids, [1, 2, 1, 3]);
    let found: Vec<u128> = everything(&store.engine).iter().map(|line| line.id.as_u128()).collect();
    assert_eq!(found, [1, 2, 1, 3]);
}

#[test]
fn an_event_without_time_gets_the_present_and_then_counts_with_it() {
    let store = Store::new(Durability::Sync);
    store.append(&[without_time(1), without_time(1)]).unwrap();
    assert_eq!(everything(&store.engine).len(), 1);
    assert_eq!(stored(&store.append(&[event(1, NOW_US)]).unwrap()), 0);
    assert_eq!(stored(&store.append(&[event(1, NOW_US - 1)]).unwrap()), 1);
}

#[test]
fn a_deleted_event_can_be_appended_again() {
    let mut store = Store::new(Durability::Sync);
    store.append(&[event(1, NOW_US)]).unwrap();
    for round in 0..4 {
        let before = sequences(&store.engine);
        assert_eq!(store.engine.delete(&Delete::Sequences(before)).unwrap(), 1, "round {round}");
        if round == 1 {
            store.reopen();
        }
        let receipt = store.append(&[event(1, NOW_US)]).unwrap();
        assert_eq!(stored(&receipt), 1, "round {round}");
        assert_eq!(stored(&store.append(&[event(1, NOW_US)]).unwrap()), 0);
        store.engine.seal_now().unwrap();
        if round == 2 {
            store.engine.compact().unwrap();
        }
    }
    assert_eq!(everything(&store.engine).len(), 1);
}

fn scoped(realm: &str) -> AppendOptions {
    let scope = TenantScope::Limited { realms: vec![realm.to_owned()], orgs: Vec::new() };
    AppendOptions { scope, ..AppendOptions::default() }
}

fn in_realm(engine: &Engine, id: u128, realm: &'static [&'static str; 1]) -> Receipt {
    let mut one = event(id, NOW_US);
    one.realm_ids = realm.into();
    engine.append(batch(&[one]), &scoped(realm[0])).unwrap()
}

#[test]
fn what_a_caller_cannot_see_is_no_repeat_for_it() {
    let store = Store::new(Durability::Sync);
    assert_eq!(stored(&in_realm(&store.engine, 1, &["a"])), 1);
    for round in 0..3 {
        assert_eq!(stored(&in_realm(&store.engine, 1, &["a"])), 0, "round {round}");
        assert_eq!(stored(&in_realm(&store.engine, 1, &["b"])), u64::from(round == 0));
        store.engine.seal_now().unwrap();
        if round == 1 {
            store.engine.compact().unwrap();
        }
    }
    assert_eq!(stored(&store.append(&[event(1, NOW_US)]).unwrap()), 0, "an unlimited caller sees both");
    let owned = |filter| crate::support::select(&store.engine, &filter).unwrap().len();
    assert_eq!((owned(Filter::term(Field::RealmIds, "a")), owned(Filter::term(Field::RealmIds, "b"))), (1, 1));
}

#[test]
fn a_refused_batch_leaves_no_trace() {
    let store = Store::new(Durability::Sync);
    store.append(&[event(1, NOW_US)]).unwrap();
    let refused = [event(2, NOW_US), event(3, NOW_US + 2 * DAY_US)];
    let error = store.append(&refused).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("event 1"), "{error}");
    assert_eq!(store.engine.append(batch(&[]), &AppendOptions::default()).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(store.engine.visible_sequence(), 1);
    let receipt = store.append(&[event(2, NOW_US), event(3, NOW_US)]).unwrap();
    assert_eq!((receipt.sequences, receipt.duplicate_count), (2..4, 0));
}
