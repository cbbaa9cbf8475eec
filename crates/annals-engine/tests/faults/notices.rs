//! Amendments and read receipts: what they say, that they outlive everything their events outlive, and
//! that they go with them.

use annals_engine::{
    Amendment, Delete, Durability, Engine, ErrorKind, Event, EventId, Field, Filter, ReadMark, ReadReceipt, Result,
};

use crate::support::{DAY_US, NOW_US, Store, event, select};

fn notification(id: u128, created_at_us: i64) -> Event<'static> {
    let mut event = event(id, created_at_us);
    event.set(Field::Notification, "true").set(Field::Severity, "info").set(Field::IsGlobal, "true");
    event.updated_at_us = Some(created_at_us);
    event
}

fn severity(sequence: u64, severity: &str) -> Amendment {
    Amendment { sequence, severity: Some(severity.to_owned()), updated_at_us: NOW_US, ..Amendment::default() }
}

fn for_users(sequence: u64, users: &[&str]) -> Amendment {
    let users = users.iter().map(|user| (*user).to_owned()).collect();
    Amendment {
        sequence,
        is_global: Some(false),
        target_user_ids: Some(users),
        expires_at_us: Some(Some(NOW_US + DAY_US)),
        updated_at_us: NOW_US + 1,
        ..Amendment::default()
    }
}

fn read(sequence: u64, user: &str, receipt: u128) -> ReadMark {
    ReadMark { sequence, user_id: user.to_owned(), receipt: EventId::from_u128(receipt), read_at_us: NOW_US }
}

fn receipt(engine: &Engine, sequence: u64, user: &str) -> Result<Option<u128>> {
    let found: Option<ReadReceipt> = engine.snapshot().read_receipt(sequence, user)?;
    Ok(found.map(|receipt| receipt.receipt.as_u128()))
}

fn found(engine: &Engine, filter: &Filter) -> Vec<u64> {
    select(engine, filter).unwrap().iter().map(|line| line.sequence).collect()
}

fn counted(engine: &Engine, field: Field, filter: &Filter) -> Vec<(String, u32)> {
    let mut counts = std::collections::BTreeMap::new();
    for part in engine.snapshot().parts() {
        let rows = part.select(filter).unwrap();
        part.count_by(field, &rows, &mut |value, count| *counts.entry(value.to_owned()).or_insert(0) += count).unwrap();
    }
    counts.into_iter().collect()
}

fn counts(list: &[(&str, u32)]) -> Vec<(String, u32)> {
    list.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect()
}

/// Six notifications on three days; 2 and 3 amended, 2 and 4 read.
fn store() -> Store {
    let store = Store::new(Durability::Sync);
    // Out of order, so that live rows and segment rows have other numbers.
    let events: Vec<Event<'_>> =
        [6, 2, 5, 1, 4, 3].map(|id| notification(id, NOW_US - i64::try_from(id % 3).unwrap() * DAY_US)).into();
    store.append(&events).unwrap();
    assert!(store.engine.amend(&severity(2, "warn")).unwrap());
    assert!(store.engine.amend(&severity(3, "error")).unwrap());
    assert!(store.engine.amend(&for_users(2, &["ada", "bob"])).unwrap());
    assert!(!store.engine.amend(&severity(7, "error")).unwrap());
    let marks = [read(2, "ada", 100), read(2, "ada", 101), read(4, "bob", 102), read(9, "bob", 103)];
    assert_eq!(store.engine.mark_read(&marks).unwrap(), 2);
    assert_eq!(store.engine.mark_read(&[read(2, "ada", 104), read(2, "bob", 105)]).unwrap(), 1);
    store
}

fn check(engine: &Engine) {
    let is = |field, value: &str| Filter::term(field, value);
    assert_eq!(found(engine, &is(Field::Severity, "info")), [1, 4, 5, 6]);
    assert_eq!(found(engine, &is(Field::Severity, "warn")), [2]);
    assert_eq!(found(engine, &Filter::any_of(Field::Severity, ["warn", "error"])), [2, 3]);
    assert_eq!(found(engine, &is(Field::Severity, "info").not()), [2, 3]);
    assert_eq!(found(engine, &Filter::Prefix(Field::Severity, "e".to_owned())), [3]);
    assert_eq!(found(engine, &Filter::Prefix(Field::Severity, String::new())), [1, 2, 3, 4, 5, 6]);
    assert_eq!(found(engine, &is(Field::IsGlobal, "true")), [1, 3, 4, 5, 6]);
    assert_eq!(found(engine, &is(Field::TargetUserIds, "bob")), [2]);
    let only_ada = Filter::Within(Field::TargetUserIds, vec!["ada".to_owned()]);
    assert_eq!(found(engine, &only_ada), [0_u64; 0]);
    let both = Filter::Within(Field::TargetUserIds, vec!["ada".to_owned(), "bob".to_owned()]);
    assert_eq!(found(engine, &both), [2]);
    assert_eq!(counted(engine, Field::Severity, &Filter::All), counts(&[("error", 1), ("info", 4), ("warn", 1)]));
    assert_eq!(counted(engine, Field::TargetUserIds, &Filter::All), counts(&[("ada", 1), ("bob", 1)]));
    let some = Filter::SequenceBetween { from: 2, to: 5 };
    assert_eq!(counted(engine, Field::Severity, &some), counts(&[("error", 1), ("info", 1), ("warn", 1)]));
    assert_eq!(counted(engine, Field::IsGlobal, &some), counts(&[("false", 1), ("true", 2)]));

    let shown = engine.snapshot().get_sequence(2).unwrap().unwrap();
    assert_eq!((shown.id.as_u128(), shown.sequence), (2, 2));
    assert_eq!((shown.get(Field::Severity), shown.get(Field::IsGlobal)), (Some("warn"), Some("false")));
    assert_eq!(shown.values(Field::TargetUserIds).collect::<Vec<_>>(), ["ada", "bob"]);
    assert_eq!((shown.expires_at_us(), shown.updated_at_us()), (Some(NOW_US + DAY_US), Some(NOW_US + 1)));
    let other = engine.snapshot().get_sequence(3).unwrap().unwrap();
    assert_eq!((other.expires_at_us(), other.updated_at_us()), (None, Some(NOW_US)));

    let known =
        [(2, "ada", Some(100)), (2, "bob", Some(105)), (4, "bob", Some(102)), (4, "ada", None), (9, "bob", None)];
    for (sequence, user, expected) in known {
        assert_eq!(receipt(engine, sequence, user).unwrap(), expected, "{sequence} {user}");
    }
    assert!(engine.verify(&mut |_, _| ()).unwrap().damages.is_empty());
}

#[test]
fn they_outlive_restarts_seals_and_merges() {
    let mut store = store();
    check(&store.engine);
    store.reopen();
    check(&store.engine);
    store.engine.seal_now().unwrap();
    check(&store.engine);
    store.reopen();
    check(&store.engine);
    // A second segment of each day, so that there is something to merge.
    let more: Vec<Event<'_>> =
        (10..13).map(|id| event(id, NOW_US - i64::try_from(id % 3).unwrap() * DAY_US - 1)).collect();
    store.append(&more).unwrap();
    store.engine.seal_now().unwrap();
    assert!(store.engine.compact().unwrap() >= 6);
    store.engine.delete(&Delete::Matching(Filter::SequenceBetween { from: 7, to: 99 })).unwrap();
    check(&store.engine);
    store.reopen();
    check(&store.engine);
    store.engine.compact().unwrap();
    check(&store.engine);
    let (killed, _copy) = store.open_copy();
    check(&killed);
}

#[test]
fn sealed_events_are_amended_and_read_as_live_ones_are() {
    let mut store = store();
    store.engine.seal_now().unwrap();
    for round in 0..3 {
        assert!(store.engine.amend(&severity(1, "success")).unwrap());
        assert_eq!(found(&store.engine, &Filter::term(Field::Severity, "success")), [1]);
        assert!(store.engine.amend(&severity(1, "info")).unwrap());
        assert_eq!(store.engine.mark_read(&[read(1, &format!("user{round}"), 7)]).unwrap(), 1);
        let (killed, _copy) = store.open_copy();
        check(&killed);
        store.append(&[event(50, NOW_US)]).unwrap();
        store.engine.delete(&Delete::Matching(Filter::SequenceBetween { from: 7, to: 99 })).unwrap();
        store.engine.seal_now().unwrap();
        store.reopen();
        check(&store.engine);
    }
    for round in 0..3 {
        assert_eq!(receipt(&store.engine, 1, &format!("user{round}")).unwrap(), Some(7));
    }
}

#[test]
fn they_go_with_their_event() {
    let mut store = store();
    store.engine.delete(&Delete::Sequences(vec![2])).unwrap();
    let check_gone = |store: &Store| {
        assert_eq!(receipt(&store.engine, 2, "ada").unwrap(), None);
        assert_eq!(receipt(&store.engine, 4, "bob").unwrap(), Some(102));
        assert!(!store.engine.amend(&severity(2, "info")).unwrap());
        assert_eq!(store.engine.mark_read(&[read(2, "ada", 1)]).unwrap(), 0);
        assert_eq!(found(&store.engine, &Filter::term(Field::Severity, "warn")), [0_u64; 0]);
        assert_eq!(counted(&store.engine, Field::Severity, &Filter::All), counts(&[("error", 1), ("info", 4)]));
        assert_eq!(counted(&store.engine, Field::TargetUserIds, &Filter::All), []);
    };
    check_gone(&store);
    store.reopen();
    check_gone(&store);
    store.engine.seal_now().unwrap();
    check_gone(&store);
    store.engine.compact().unwrap();
    store.reopen();
    check_gone(&store);
    assert_eq!(store.engine.delete(&Delete::Matching(Filter::term(Field::Severity, "error"))).unwrap(), 1);
    assert_eq!(found(&store.engine, &Filter::All), [1, 4, 5, 6]);
}

/// Replaying a delete by filter must meet the values that it met when it was made.
#[test]
fn a_delete_by_filter_is_replayed_over_the_values_of_its_time() {
    for sealed in [false, true] {
        let mut store = Store::new(Durability::Sync);
        store.append(&[notification(1, NOW_US), notification(2, NOW_US), notification(3, NOW_US)]).unwrap();
        if sealed {
            store.engine.seal_now().unwrap();
        }
        let warned = Filter::term(Field::Severity, "warn");
        store.engine.amend(&severity(1, "warn")).unwrap();
        assert_eq!(store.engine.delete(&Delete::Matching(warned.clone())).unwrap(), 1);
        store.engine.amend(&severity(2, "warn")).unwrap();
        store.engine.amend(&severity(3, "warn")).unwrap();
        store.engine.amend(&severity(3, "info")).unwrap();
        for _ in 0..2 {
            assert_eq!(found(&store.engine, &Filter::All), [2, 3], "sealed {sealed}");
            assert_eq!(found(&store.engine, &warned), [2]);
            let (killed, _copy) = store.open_copy();
            assert_eq!((found(&killed, &Filter::All), found(&killed, &warned)), (vec![2, 3], vec![2]));
            store.engine.seal_now().unwrap();
            store.reopen();
        }
    }
}

#[test]
fn what_is_beyond_the_limits_changes_nothing() {
    let store = store();
    let refused = |result: Result<u64>| assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidInput);
    refused(store.engine.mark_read(&[read(1, "ada", 1), read(1, "", 1)]));
    refused(store.engine.mark_read(&[read(1, &"x".repeat(1025), 1)]));
    let too_many = Amendment { target_user_ids: Some(vec!["x".to_owned(); 17]), ..severity(1, "warn") };
    assert_eq!(store.engine.amend(&too_many).unwrap_err().kind(), ErrorKind::InvalidInput);
    check(&store.engine);
    assert_eq!(receipt(&store.engine, 1, "ada").unwrap(), None);
    assert_eq!(store.engine.mark_read(&[read(1, &"x".repeat(1024), 1)]).unwrap(), 1);
    assert_eq!(store.engine.mark_read(&[]).unwrap(), 0);
}

#[test]
fn a_snapshot_keeps_what_it_saw() {
    let store = store();
    let before = store.engine.snapshot();
    store.engine.amend(&severity(1, "error")).unwrap();
    store.engine.mark_read(&[read(1, "ada", 1)]).unwrap();
    let shown = before.get_sequence(1).unwrap().unwrap();
    assert_eq!(shown.get(Field::Severity), Some("info"));
    assert_eq!(before.read_receipt(1, "ada").unwrap(), None);
    assert_eq!(receipt(&store.engine, 1, "ada").unwrap(), Some(1));
}
