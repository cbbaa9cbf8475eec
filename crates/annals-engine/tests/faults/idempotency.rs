//! Idempotency keys: a repeat of a whole batch is answered, not stored.

use annals_engine::{AppendOptions, Batch, Durability, ErrorKind, Event, Idempotency};

use crate::support::{DAY_US, NOW_US, Store, batch, event, everything, keyed};

fn three() -> Batch {
    batch(&[Event::new("a"), Event::new("b"), Event::new("c")])
}

#[test]
fn a_repeat_is_answered_again_and_stores_nothing() {
    let mut store = Store::new(Durability::Sync);
    let first = store.engine.append(three(), &keyed(7, 1)).unwrap();
    assert!(!first.replayed);
    let check = |store: &Store| {
        let again = store.engine.append(three(), &keyed(7, 1)).unwrap();
        assert!(again.replayed);
        assert_eq!((again.sequences.clone(), again.duplicate_count), (1..4, 0));
        assert_eq!((again.ids.len(), again.duplicates.len()), (0, 0));
        store.engine.wait_durable(again.ticket).unwrap();
        let error = store.engine.append(three(), &keyed(7, 2)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(everything(&store.engine).len(), 3);
    };
    check(&store);
    store.reopen();
    check(&store);
    store.engine.seal_now().unwrap();
    check(&store);
    store.reopen();
    check(&store);
    store.engine.compact().unwrap();
    let (killed, _copy) = store.open_copy();
    assert!(killed.append(three(), &keyed(7, 1)).unwrap().replayed);
    assert_eq!(store.engine.append(three(), &keyed(8, 1)).unwrap().sequences, 4..7);
}

#[test]
fn a_key_is_kept_for_a_day_and_then_free_again() {
    let store = Store::new(Durability::Sync);
    store.engine.append(three(), &keyed(7, 1)).unwrap();
    store.engine.seal_now().unwrap();
    store.clock.advance_us(u64::try_from(DAY_US).unwrap() - 1);
    assert!(store.engine.append(three(), &keyed(7, 1)).unwrap().replayed);
    store.clock.advance_us(1);
    let fresh = store.engine.append(three(), &keyed(7, 2)).unwrap();
    assert!(!fresh.replayed);
    assert_eq!(fresh.sequences, 4..7);
}

#[test]
fn a_sealed_key_expires_after_a_day_however_often_the_store_is_opened() {
    let mut store = Store::new(Durability::Sync);
    store.engine.append(three(), &keyed(7, 1)).unwrap();
    store.engine.seal_now().unwrap();
    for _ in 0..2 {
        store.clock.advance_us(u64::try_from(DAY_US).unwrap() / 2);
        store.reopen();
    }
    assert!(!store.engine.append(three(), &keyed(7, 1)).unwrap().replayed);
}

#[test]
fn a_batch_of_repeats_alone_is_remembered_too() {
    let mut store = Store::new(Durability::Sync);
    let repeats = [event(1, NOW_US), event(2, NOW_US)];
    store.append(&repeats).unwrap();
    let first = store.engine.append(batch(&repeats), &keyed(9, 4)).unwrap();
    assert_eq!((first.sequences, first.duplicates, first.duplicate_count), (3..3, vec![0, 1], 2));
    let check = |store: &Store| {
        let again = store.engine.append(batch(&repeats), &keyed(9, 4)).unwrap();
        assert_eq!((again.replayed, again.sequences, again.duplicate_count), (true, 3..3, 2));
        assert_eq!(store.engine.append(batch(&repeats), &keyed(9, 5)).unwrap_err().kind(), ErrorKind::Conflict);
    };
    check(&store);
    store.reopen();
    check(&store);
    store.engine.seal_now().unwrap();
    store.reopen();
    check(&store);
    assert_eq!(store.append(&[event(3, NOW_US)]).unwrap().sequences, 3..4);
}

#[test]
fn a_partly_repeated_batch_is_answered_with_both_counts() {
    let store = Store::new(Durability::Sync);
    store.append(&[event(1, NOW_US)]).unwrap();
    let mixed = [event(1, NOW_US), event(2, NOW_US), event(2, NOW_US)];
    let first = store.engine.append(batch(&mixed), &keyed(9, 4)).unwrap();
    assert_eq!((first.sequences, first.duplicates), (2..3, vec![0, 2]));
    let again = store.engine.append(batch(&mixed), &keyed(9, 4)).unwrap();
    assert_eq!((again.replayed, again.sequences, again.duplicate_count), (true, 2..3, 2));
}

#[test]
fn a_failed_first_use_leaves_the_key_free() {
    let store = Store::new(Durability::Sync);
    let late = event(1, NOW_US + 2 * DAY_US);
    let error = store.engine.append(batch(&[late]), &keyed(7, 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let zero = AppendOptions { idempotency: Some(Idempotency { key: 0, body: 1 }), ..AppendOptions::default() };
    assert_eq!(store.engine.append(three(), &zero).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(!store.engine.append(three(), &keyed(7, 2)).unwrap().replayed);
}
