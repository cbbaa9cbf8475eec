//! Amending, reading and replacing inside the caller's scope.

#![expect(clippy::unwrap_used, reason = "a panic here is a failed test")]

use annals_engine::{
    Amendment, AppendOptions, Batch, Engine, Event, EventId, Field, Options, ReadMark, Repeats, TenantScope,
};
use annals_query::{ErrorKind, EventRef, Reading, amend, get, mark_read, read_receipt, replaceable};

/// Event 1 is of realm a, 2 of realms a and b, 3 of none.
fn store() -> (Engine, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path());
    options.log_size_bytes = annals_engine::LOG_SIZE_BYTES_MIN;
    options.background = false;
    let engine = Engine::open(options).unwrap();
    let mut batch = Batch::new();
    let realms: [&[&str]; 3] = [&["a"], &["a", "b"], &[]];
    for (id, realms) in (1..).zip(realms) {
        batch.push(&event(id, realms)).unwrap();
    }
    engine.append(batch, &AppendOptions::default()).unwrap();
    (engine, directory)
}

fn event<'a>(id: u128, realms: &'a [&'a str]) -> Event<'a> {
    let mut event = Event::new("notification.created");
    event.id = Some(EventId::from_u128(id));
    event.realm_ids = realms.into();
    event
}

fn of_realm(realm: &str) -> TenantScope {
    TenantScope::Limited { realms: vec![realm.to_owned()], orgs: Vec::new() }
}

fn severity(severity: &str) -> Amendment {
    Amendment { severity: Some(severity.to_owned()), updated_at_us: 9, ..Amendment::default() }
}

#[test]
fn only_own_events_are_amended() {
    let (engine, _directory) = store();
    let name = |id: u128| EventRef::Id(EventId::from_u128(id));
    let amended = amend(&engine, &of_realm("a"), &name(1), severity("warn")).unwrap();
    assert_eq!((amended.sequence, amended.get(Field::Severity)), (1, Some("warn")));
    let refused = |scope: &TenantScope, id| amend(&engine, scope, &name(id), severity("error")).unwrap_err().kind();
    assert_eq!(refused(&of_realm("a"), 2), ErrorKind::Forbidden);
    assert_eq!(refused(&of_realm("b"), 1), ErrorKind::NotFound);
    assert_eq!(refused(&of_realm("a"), 3), ErrorKind::NotFound);
    assert_eq!(refused(&TenantScope::Unlimited, 4), ErrorKind::NotFound);
    for sequence in 2..4 {
        let event = get(&engine.snapshot(), &TenantScope::Unlimited, &EventRef::Sequence(sequence)).unwrap();
        assert_eq!(event.get(Field::Severity), None, "{sequence}");
    }
    let too_long = amend(&engine, &TenantScope::Unlimited, &name(1), severity(&"x".repeat(1025))).unwrap_err();
    assert_eq!(too_long.kind(), ErrorKind::InvalidInput);
}

#[test]
fn reading_again_answers_the_first_receipt() {
    let (engine, _directory) = store();
    let mark = |sequence, receipt| ReadMark {
        sequence,
        user_id: "ada".to_owned(),
        receipt: EventId::from_u128(receipt),
        read_at_us: i64::try_from(receipt).unwrap(),
    };
    let (first, reading) = mark_read(&engine, &mark(3, 10)).unwrap();
    assert_eq!((first.receipt, first.read_at_us, reading), (EventId::from_u128(10), 10, Reading::First));
    assert_eq!(mark_read(&engine, &mark(3, 11)).unwrap(), (first, Reading::Again));
    let snapshot = engine.snapshot();
    let event = get(&snapshot, &TenantScope::Unlimited, &EventRef::Sequence(3)).unwrap();
    assert_eq!(read_receipt(&snapshot, &event, "ada").unwrap(), Some(first));
    assert_eq!(read_receipt(&snapshot, &event, "bob").unwrap(), None);
    assert_eq!(mark_read(&engine, &mark(4, 12)).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn what_is_shared_with_a_foreign_realm_is_not_replaced() {
    let (engine, _directory) = store();
    let older = |scope: &TenantScope, id| {
        let found = replaceable(&engine.snapshot(), scope, EventId::from_u128(id));
        found.map(|events| events.iter().map(|event| event.sequence).collect::<Vec<_>>()).map_err(|e| e.kind())
    };
    assert_eq!(older(&of_realm("a"), 1), Ok(vec![1]));
    assert_eq!(older(&of_realm("a"), 2), Err(ErrorKind::Forbidden));
    assert_eq!(older(&of_realm("b"), 1), Ok(vec![]), "what it does not see it does not replace");
    assert_eq!(older(&TenantScope::Unlimited, 2), Ok(vec![2]));
    let mut batch = Batch::new();
    batch.push(&event(1, &["b"])).unwrap();
    let how = AppendOptions { scope: of_realm("b"), repeats: Repeats::Replace, ..AppendOptions::default() };
    assert_eq!(engine.append(batch, &how).unwrap().replaced, 0);
    assert_eq!(older(&TenantScope::Unlimited, 1), Ok(vec![4, 1]));
}
