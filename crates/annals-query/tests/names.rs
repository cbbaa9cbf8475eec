//! Events by name, and who may change them.

mod common;

use std::sync::Arc;

use annals_engine::{EventId, Field, Part, StoredEvent, TenantScope};
use annals_query::{ErrorKind, EventRef, count_writable, deletable, get, hoody_id, writable_event};
use common::{Calls, Row, filters, key_of, matches, never, scopes, stores};
use proptest::prelude::*;

fn parts_of(store: &common::Store) -> Vec<Arc<dyn Part>> {
    store.parts(&Arc::new(Calls::default()))
}

fn sees(scope: &TenantScope, event: &StoredEvent) -> bool {
    scope.sees(event.realm_ids(), event.get(Field::OrgId))
}

fn limited(realm: &str) -> TenantScope {
    TenantScope::Limited { realms: vec![realm.into()], orgs: vec!["o0".into()] }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_rendering_finds_its_event_for_those_who_see_it(store in stores(), scope in scopes()) {
        let parts = parts_of(&store);
        for event in store.events() {
            let visible = sees(&scope, &event);
            for name in [event.sequence.to_string(), hoody_id(&event)] {
                match get(&parts, &scope, &name.parse().unwrap()) {
                    Ok(found) => prop_assert!(visible && key_of(&found) == key_of(&event)),
                    Err(error) => prop_assert!(!visible && error.kind() == ErrorKind::NotFound),
                }
            }
            let same: Vec<_> = store.events().into_iter().filter(|e| e.id == event.id && sees(&scope, e)).collect();
            for name in [event.id.to_string(), event.id.to_simple()] {
                let found = get(&parts, &scope, &name.parse().unwrap()).ok();
                prop_assert_eq!(found, same.last().cloned(), "of several, the latest");
            }
        }
    }

    #[test]
    fn who_may_delete_is_the_same_for_one_and_for_many(store in stores(), scope in scopes(), filter in filters()) {
        let parts = parts_of(&store);
        let writable = scope.writable();
        let expected = store.events().into_iter().filter(|e| matches(&writable, e) && matches(&filter, e)).count();
        prop_assert_eq!(count_writable(&parts, &scope, &filter, &never).unwrap(), expected as u64);
        for event in store.events() {
            let by_sequence = EventRef::Sequence(event.sequence);
            let expected = match (sees(&scope, &event), matches(&writable, &event)) {
                (false, _) => Some(ErrorKind::NotFound),
                (true, false) => Some(ErrorKind::Forbidden),
                (true, true) => None,
            };
            prop_assert_eq!(writable_event(&parts, &scope, &by_sequence).err().map(|e| e.kind()), expected);
            prop_assert_eq!(deletable(&parts, &scope, &by_sequence, &|_| true).err().map(|e| e.kind()), expected);
            let same: Vec<_> = store.events().into_iter().filter(|e| e.id == event.id && sees(&scope, e)).collect();
            match deletable(&parts, &scope, &EventRef::Id(event.id), &|_| true) {
                Ok(doomed) => {
                    prop_assert!(same.iter().all(|e| matches(&writable, e)));
                    prop_assert!(doomed.iter().rev().eq(&same), "all of that identity, the latest first");
                }
                Err(error) if same.is_empty() => prop_assert_eq!(error.kind(), ErrorKind::NotFound),
                Err(error) => {
                    prop_assert_eq!(error.kind(), ErrorKind::Forbidden);
                    prop_assert!(same.iter().any(|e| !matches(&writable, e)));
                }
            }
        }
    }

    #[test]
    fn any_text_is_a_name_or_an_error(text: String) {
        let _ = text.parse::<EventRef>();
    }
}

#[test]
fn the_derived_reading_of_24_digits_comes_first() {
    let second = 1_736_937_005_i64;
    let plain = Row { created_at_us: second * 1_000_000 + 123, realms: vec![0], ..Row::default() };
    let derived = format!("{second:08x}{:016x}", 1);
    let given = EventId::from_hex24(u128::from_str_radix(&derived, 16).unwrap());
    let twin = Row { id: Some(given.as_u128()), realms: vec![1], part: 1, ..plain.clone() };
    let store = common::Store { rows: vec![plain, twin] };
    let parts = parts_of(&store);
    let events = store.events();
    assert_eq!((hoody_id(&events[0]), hoody_id(&events[1])), (derived.clone(), derived.clone()));
    let name: EventRef = derived.to_uppercase().parse().unwrap();
    assert_eq!(get(&parts, &TenantScope::Unlimited, &name).unwrap(), events[0]);
    // What another tenant has counts as absent: then it is the given one.
    assert_eq!(get(&parts, &limited("r0"), &name).unwrap(), events[0]);
    assert_eq!(get(&parts, &limited("r1"), &name).unwrap(), events[1]);
    assert_eq!(get(&parts, &limited("r2"), &name).unwrap_err().kind(), ErrorKind::NotFound);
    // By the derived id: that one only.
    assert_eq!(deletable(&parts, &TenantScope::Unlimited, &name, &|_| true).unwrap(), [events[0].clone()]);
}

#[test]
fn a_derived_id_needs_the_second_of_its_event() {
    let row = Row { created_at_us: 5_000_000_000_000_000, ..Row::default() };
    let store = common::Store { rows: vec![row] };
    let parts = parts_of(&store);
    let event = &store.events()[0];
    let seconds = 5_000_000_000_u64 % (1 << 32);
    assert_eq!(hoody_id(event), format!("{seconds:08x}{:016x}", 1));
    for wrong in [format!("{:08x}{:016x}", seconds + 1, 1), format!("{seconds:08x}{:016x}", 2)] {
        let error = get(&parts, &TenantScope::Unlimited, &wrong.parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

#[test]
fn an_event_given_24_digits_has_no_derived_id() {
    let given = EventId::from_hex24(0x507f_1f77_bcf8_6cd7_9943_9044);
    let row = Row { created_at_us: 9_000_000, id: Some(given.as_u128()), ..Row::default() };
    let parts = parts_of(&common::Store { rows: vec![row] });
    let derived = EventRef::from_hex24(&format!("{:08x}{:016x}", 9, 1)).unwrap();
    assert_eq!(get(&parts, &TenantScope::Unlimited, &derived).unwrap_err().kind(), ErrorKind::NotFound);
    let event = get(&parts, &TenantScope::Unlimited, &"507F1F77BCF86CD799439044".parse().unwrap()).unwrap();
    assert_eq!(hoody_id(&event), "507f1f77bcf86cd799439044");
}

#[test]
fn texts_that_name_nothing_are_refused() {
    for text in
        ["", "-1", "+1", " 1", "99999999999999999999", "507f1f77bcf86cd79943904g", "abc", "123456789012345678901"]
    {
        let error = text.parse::<EventRef>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text:?}");
    }
    assert_eq!("18446744073709551615".parse::<EventRef>().unwrap(), EventRef::Sequence(u64::MAX));
    let digits = "123456789012345678901234";
    assert!(matches!(digits.parse::<EventRef>().unwrap(), EventRef::Hex24(_)));
}

#[test]
fn an_event_shared_with_a_foreign_realm_is_seen_and_not_changed() {
    let row = Row { realms: vec![0, 1], org: Some(0), ..Row::default() };
    let parts = parts_of(&common::Store { rows: vec![row] });
    let name = EventRef::Sequence(1);
    assert!(get(&parts, &limited("r0"), &name).is_ok());
    assert_eq!(writable_event(&parts, &limited("r0"), &name).unwrap_err().kind(), ErrorKind::Forbidden);
    let both = TenantScope::Limited { realms: vec!["r0".into(), "r1".into()], orgs: Vec::new() };
    assert!(writable_event(&parts, &both, &name).is_ok());
    let foreign = TenantScope::Limited { realms: vec!["r2".into()], orgs: Vec::new() };
    assert_eq!(writable_event(&parts, &foreign, &name).unwrap_err().kind(), ErrorKind::NotFound);
}
