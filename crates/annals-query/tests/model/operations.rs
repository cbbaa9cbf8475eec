//! Random operations over a small world, so that events meet often.

use annals_engine::{Amendment, Event, EventId, Field, Filter, TextField};
use proptest::collection::vec;
use proptest::prelude::*;

/// 2023-11-14, 22:13:20 UTC.
pub(crate) const START_US: i64 = 1_700_000_000_000_000;
const DAY_US: i64 = 86_400_000_000;
const TYPES: [&str; 4] = ["user.login", "user.logout", "vm.start", "übung"];
const RESOURCES: [&str; 6] = ["a", "ab", "abc", "b", "0", "é"];
const REALMS: [&str; 3] = ["eu", "us", "eu-1"];
const SEVERITIES: [&str; 3] = ["info", "warn", "warning"];
const USERS: [&str; 3] = ["ada", "bob", "carl"];
const MESSAGES: [&str; 4] = ["Logon of Ada", "logoff", "", "ÉTÉ logOn"];

/// What an event is made from.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) event_type: usize,
    pub(crate) resource: Option<usize>,
    pub(crate) realms: Vec<usize>,
    pub(crate) message: Option<usize>,
    pub(crate) status: Option<bool>,
    pub(crate) severity: Option<usize>,
    pub(crate) targets: Vec<usize>,
    pub(crate) id: Option<u128>,
    pub(crate) created_at_us: Option<i64>,
}

impl Spec {
    pub(crate) fn event(&self) -> Event<'static> {
        static REALM_LISTS: [&[&str]; 8] =
            [&[], &["eu"], &["us"], &["eu", "us"], &["eu-1"], &["eu", "eu-1"], &["us", "eu-1"], &["eu", "us", "eu-1"]];
        static USER_LISTS: [&[&str]; 8] =
            [&[], &["ada"], &["bob"], &["ada", "bob"], &["carl"], &["ada", "carl"], &["bob", "carl"], &USERS];
        let mut event = Event::new(TYPES[self.event_type]);
        if let Some(resource) = self.resource {
            event.set(Field::ResourceId, RESOURCES[resource]);
        }
        if let Some(failed) = self.status {
            event.set(Field::HttpStatus, if failed { "500" } else { "200" });
            if failed {
                event.numbers.insert(Field::HttpStatus);
            }
        }
        if let Some(severity) = self.severity {
            event.set(Field::Severity, SEVERITIES[severity]);
        }
        event.target_user_ids = USER_LISTS[self.targets.iter().fold(0, |mask, user| mask | 1 << user)].into();
        let mask: usize = self.realms.iter().fold(0, |mask, realm| mask | 1 << realm);
        event.realm_ids = REALM_LISTS[mask].into();
        event.message = self.message.map(|index| MESSAGES[index]);
        event.payload = self.status.map(|_| r#"{"k":[1,2]}"#);
        event.id = self.id.map(EventId::from_u128);
        event.created_at_us = self.created_at_us;
        event
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) filter: Filter,
    pub(crate) offset: u64,
    pub(crate) limit: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Append(Vec<Spec>),
    DeleteSequences(Vec<u64>),
    DeleteMatching(Filter),
    CleanUp(i64),
    Mark(Vec<u64>, bool),
    Replace(Vec<Spec>),
    Amend(Amendment),
    Read(Vec<(u64, &'static str)>),
    Seal,
    Compact,
    Reopen,
    Check(Check),
}

fn amendments() -> impl Strategy<Value = Amendment> {
    let severity = prop::option::of(prop_oneof![Just(""), Just("info"), Just("warn"), Just("error")]);
    let users = prop::option::of(prop::collection::btree_set(0..USERS.len(), 0..3));
    let expires = prop::option::of(prop::option::of(0_i64..5));
    (1_u64..60, severity, prop::option::of(any::<bool>()), users, expires, 0_i64..9).prop_map(
        |(sequence, severity, is_public, users, expires_at_us, updated_at_us)| Amendment {
            sequence,
            severity: severity.map(str::to_owned),
            is_public,
            target_user_ids: users.map(|users| users.into_iter().map(|user| USERS[user].to_owned()).collect()),
            expires_at_us,
            updated_at_us,
            ..Amendment::default()
        },
    )
}

/// Times tie often and lie on five days around midnight.
fn times() -> impl Strategy<Value = i64> {
    (-3_i64..1, 0_i64..4, 0_i64..3).prop_map(|(day, hour, us)| START_US + day * DAY_US - hour * 3_600_000_000 + us)
}

fn specs() -> impl Strategy<Value = Spec> {
    (
        0..TYPES.len(),
        prop::option::of(0..RESOURCES.len()),
        prop::collection::btree_set(0..REALMS.len(), 0..3),
        prop::option::of(0..MESSAGES.len()),
        prop::option::of(any::<bool>()),
        (prop::option::of(0..SEVERITIES.len()), prop::collection::btree_set(0..USERS.len(), 0..2)),
        prop::option::weighted(0.4, 1_u128..9),
        prop::option::weighted(0.9, times()),
    )
        .prop_map(|(event_type, resource, realms, message, status, (severity, targets), id, created_at_us)| Spec {
            event_type,
            resource,
            realms: realms.into_iter().collect(),
            message,
            status,
            severity,
            targets: targets.into_iter().collect(),
            id,
            created_at_us,
        })
}

pub(crate) fn filters() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        2 => Just(Filter::All),
        3 => (0..TYPES.len()).prop_map(|index| Filter::term(Field::EventType, TYPES[index])),
        2 => vec(0..RESOURCES.len(), 0..3)
            .prop_map(|list| Filter::any_of(Field::ResourceId, list.into_iter().map(|index| RESOURCES[index]))),
        2 => (0..REALMS.len()).prop_map(|index| Filter::term(Field::RealmIds, REALMS[index])),
        1 => prop_oneof![Just(""), Just("user."), Just("ü"), Just("x")]
            .prop_map(|prefix| Filter::Prefix(Field::EventType, prefix.to_owned())),
        1 => prop_oneof![Just(""), Just("eu"), Just("us")]
            .prop_map(|prefix| Filter::Prefix(Field::RealmIds, prefix.to_owned())),
        1 => vec(0..REALMS.len(), 0..3).prop_map(|list| {
            Filter::Within(Field::RealmIds, list.into_iter().map(|index| REALMS[index].to_owned()).collect())
        }),
        2 => prop_oneof![Just("info"), Just("warn"), Just("error")].prop_map(|value| Filter::term(Field::Severity, value)),
        1 => prop_oneof![Just(""), Just("warn"), Just("e")]
            .prop_map(|prefix| Filter::Prefix(Field::Severity, prefix.to_owned())),
        1 => any::<bool>().prop_map(|flag| Filter::term(Field::IsPublic, flag.to_string())),
        1 => vec(0..USERS.len(), 0..3)
            .prop_map(|list| Filter::any_of(Field::TargetUserIds, list.into_iter().map(|index| USERS[index]))),
        1 => vec(0..USERS.len(), 0..3).prop_map(|list| {
            Filter::Within(Field::TargetUserIds, list.into_iter().map(|index| USERS[index].to_owned()).collect())
        }),
        2 => (times(), times()).prop_map(|(from_us, to_us)| Filter::CreatedBetween { from_us, to_us }),
        1 => (0_u64..60, 0_u64..60).prop_map(|(from, to)| Filter::SequenceBetween { from, to }),
        1 => any::<bool>().prop_map(Filter::Acknowledged),
        1 => prop_oneof![Just("logon"), Just("LOG"), Just("été"), Just("")]
            .prop_map(|needle| Filter::Contains(TextField::MessageOrContent, needle.to_owned())),
        1 => Just(Filter::TextEquals(TextField::Message, "logoff".to_owned())),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Filter::And),
            vec(inner.clone(), 0..3).prop_map(Filter::Or),
            inner.prop_map(Filter::not),
        ]
    })
}

/// A run of operations.
pub(crate) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let check = (filters(), 0_u64..12, 1_u32..9)
        .prop_map(|(filter, offset, limit)| Operation::Check(Check { filter, offset, limit }));
    let operation = prop_oneof![
        6 => vec(specs(), 1..24).prop_map(Operation::Append),
        1 => vec(0_u64..80, 1..6).prop_map(Operation::DeleteSequences),
        1 => filters().prop_map(Operation::DeleteMatching),
        1 => times().prop_map(Operation::CleanUp),
        2 => (vec(0_u64..80, 1..8), any::<bool>()).prop_map(|(list, state)| Operation::Mark(list, state)),
        2 => vec(specs(), 1..4).prop_map(|mut specs| {
            let mut ids = std::collections::BTreeSet::new();
            specs.retain(|spec| spec.id.is_none_or(|id| ids.insert(id)));
            Operation::Replace(specs)
        }),
        3 => amendments().prop_map(Operation::Amend),
        2 => vec((1_u64..60, (0..USERS.len()).prop_map(|index| USERS[index])), 1..4).prop_map(Operation::Read),
        3 => Just(Operation::Seal),
        2 => Just(Operation::Compact),
        2 => Just(Operation::Reopen),
        4 => check,
    ];
    vec(operation, 1..24)
}
