//! Who sees which notification: the query, the look-up by name and a plain rule agree.
#![expect(clippy::unwrap_used, reason = "a test: what goes wrong here is meant to panic")]

use annals_engine::{
    AppendOptions, Batch, Engine, Event, EventId, Field, LOG_SIZE_BYTES_MIN, Options, StoredEvent, TenantScope, Texts,
};
use annals_query::{
    CursorKey, CursorPosition, ErrorKind, EventRef, Query, delete_notification, execute, is_expired, is_global,
    notification_for, writable_notification,
};

const REALMS: [&[&str]; 3] = [&[], &["a"], &["a", "b"]];
const ORGS: [Option<&str>; 2] = [None, Some("o")];
const TARGETS: [&[&str]; 3] = [&[], &["ada"], &["bob", "ada2"]];
const GLOBAL: [Option<&str>; 4] = [None, Some("true"), Some("false"), Some("maybe")];
const NOTIFICATION: [Option<&str>; 3] = [None, Some("true"), Some("false")];

fn store() -> (tempfile::TempDir, Engine) {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path());
    options.log_size_bytes = LOG_SIZE_BYTES_MIN;
    let engine = Engine::open(options).unwrap();
    (directory, engine)
}

fn append(engine: &Engine, events: &[Event<'_>]) {
    let mut batch = Batch::new();
    for event in events {
        batch.push(event).unwrap();
    }
    engine.append(batch, &AppendOptions::default()).unwrap();
}

/// An event of every combination.
fn append_all(engine: &Engine) {
    let mut events = Vec::new();
    for (realms, org) in REALMS.iter().flat_map(|realms| ORGS.map(|org| (realms, org))) {
        for (targets, global) in TARGETS.iter().flat_map(|targets| GLOBAL.map(|global| (targets, global))) {
            for notification in NOTIFICATION {
                let mut event = Event::new("notification.created");
                event.realm_ids = Texts::Borrowed(realms);
                event.target_user_ids = Texts::Borrowed(targets);
                for (field, value) in
                    [(Field::OrgId, org), (Field::IsGlobal, global), (Field::Notification, notification)]
                {
                    event.set(field, value.unwrap_or_default());
                }
                events.push(event);
            }
        }
    }
    append(engine, &events);
}

fn scopes() -> Vec<TenantScope> {
    let limited = |realms: &[&str], orgs: &[&str]| TenantScope::Limited {
        realms: realms.iter().map(|text| (*text).to_owned()).collect(),
        orgs: orgs.iter().map(|text| (*text).to_owned()).collect(),
    };
    vec![
        TenantScope::Unlimited,
        limited(&[], &[]),
        limited(&["a"], &[]),
        limited(&["b", "c"], &[]),
        limited(&[], &["o"]),
    ]
}

/// The rule in its own words.
fn is_shown(event: &StoredEvent, scope: &TenantScope, user_id: &str) -> bool {
    let values =
        |field| event.keywords().filter(|(held, _)| *held == field).map(|(_, value)| value).collect::<Vec<_>>();
    let (realms, targets) = (values(Field::RealmIds), values(Field::TargetUserIds));
    let unowned = realms.is_empty() && event.get(Field::OrgId).is_none();
    let global = match event.get(Field::IsGlobal) {
        Some("true") => true,
        Some("false") => false,
        _ => targets.is_empty(),
    };
    event.get(Field::Notification) == Some("true")
        && (unowned || scope.sees(realms, event.get(Field::OrgId)))
        && (global || targets.contains(&user_id))
}

#[test]
fn query_look_up_and_rule_agree_on_every_combination() {
    let (_directory, engine) = store();
    append_all(&engine);
    engine.seal_now().unwrap();
    append_all(&engine);
    let never = || false;
    let snapshot = engine.snapshot();
    let all = execute(&snapshot, &Query::new(&TenantScope::Unlimited).limit(10_000), &never).unwrap().events;
    assert_eq!(all.len(), 2 * 3 * 2 * 3 * 4 * 3);
    let mut shown_to_somebody = 0;
    for scope in scopes() {
        for user_id in ["ada", "bob", "zoe"] {
            let query = Query::notifications(&scope, user_id).limit(10_000);
            let page = execute(&snapshot, &query, &never).unwrap();
            let found: Vec<u64> = page.events.iter().map(|event| event.sequence).collect();
            let expected: Vec<u64> =
                all.iter().filter(|event| is_shown(event, &scope, user_id)).map(|event| event.sequence).collect();
            assert_eq!(found, expected, "{scope:?} {user_id}");
            shown_to_somebody += found.len();
            for event in &all {
                let looked_up =
                    notification_for(&snapshot, &scope, user_id, &EventRef::Sequence(event.sequence), 0, &|_| true);
                assert_eq!(looked_up.is_ok(), expected.contains(&event.sequence), "{scope:?} {user_id} {event:?}");
            }
        }
    }
    assert!(shown_to_somebody > 0);
    assert!(all.iter().filter(|event| is_global(event)).count() > 0);
}

#[test]
fn public_ones_are_those_that_say_so_of_every_tenant() {
    let (_directory, engine) = store();
    let event = |notification, public| {
        let mut event = Event::new("a");
        event.realm_ids = Texts::Borrowed(&["a"]);
        event.set(Field::Notification, notification).set(Field::IsPublic, public);
        event
    };
    append(&engine, &[event("true", "true"), event("true", "false"), event("false", "true"), event("true", "")]);
    let page = execute(&engine.snapshot(), &Query::public_notifications(), &|| false).unwrap();
    assert_eq!(page.events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1]);
}

#[test]
fn an_expired_one_is_not_found_from_its_last_moment_on() {
    let (_directory, engine) = store();
    let mut event = Event::new("a");
    event.set(Field::Notification, "true");
    event.expires_at_us = Some(1000);
    append(&engine, &[event]);
    let snapshot = engine.snapshot();
    let name = EventRef::Sequence(1);
    let at = |now_us| notification_for(&snapshot, &TenantScope::Unlimited, "ada", &name, now_us, &|_| true);
    assert!(!is_expired(&at(999).unwrap(), 999));
    assert_eq!(at(1000).unwrap_err().kind(), ErrorKind::NotFound);
    // Its publisher still finds it.
    assert!(writable_notification(&snapshot, &TenantScope::Unlimited, &name).is_ok());
}

#[test]
fn of_several_events_with_one_id_the_notification_is_meant() {
    let (_directory, engine) = store();
    let id: EventId = "507f1f77bcf86cd799439030".parse().unwrap();
    let at = |time_us, notification| {
        let mut event = Event::new("a");
        (event.id, event.created_at_us) = (Some(id), Some(time_us));
        event.set(Field::Notification, notification);
        event
    };
    append(&engine, &[at(1, "true"), at(2, "true"), at(3, "")]);
    let name = EventRef::from_hex24("507f1f77bcf86cd799439030").unwrap();
    let scope = TenantScope::Unlimited;
    let found = notification_for(&engine.snapshot(), &scope, "ada", &name, 0, &|_| true).unwrap();
    assert_eq!(found.sequence, 2);
    assert_eq!(delete_notification(&engine, &scope, &name).unwrap().deleted, 2);
    assert_eq!(delete_notification(&engine, &scope, &name).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(engine.snapshot().get_sequence(3).unwrap().unwrap().sequence, 3);
}

#[test]
fn cursors_of_lists_with_and_without_what_belongs_to_nobody_differ() {
    let key = CursorKey::new([7; 32]);
    let scope = TenantScope::Limited { realms: vec!["a".to_owned()], orgs: Vec::new() };
    let wide = Query::notifications(&scope, "ada");
    let narrow = Query::new(&scope);
    let position = CursorPosition { key: annals_engine::OrderKey { created_at_us: 1, sequence: 1 }, event_type: None };
    let text = key.encode(&position, &wide);
    assert!(key.decode(&text, &wide).is_ok());
    assert!(key.decode(&text, &narrow).is_err());
    assert!(key.decode(&text, &Query::notifications(&scope, "bob")).is_err());
}

#[test]
fn derived_bits_depend_on_every_part_and_the_secret() {
    let key = CursorKey::new([7; 32]);
    let bits = key.derive_96("a", &[b"bc", b"d"]);
    assert_eq!(bits, key.derive_96("a", &[b"bc", b"d"]));
    assert!(bits < 1 << 96);
    for other in [
        key.derive_96("a", &[b"b", b"cd"]),
        key.derive_96("a", &[b"bcd"]),
        key.derive_96("ab", &[b"c", b"d"]),
        CursorKey::new([8; 32]).derive_96("a", &[b"bc", b"d"]),
    ] {
        assert_ne!(bits, other);
    }
}
