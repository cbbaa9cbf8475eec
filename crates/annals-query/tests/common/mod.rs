//! A part over a plain vector, and what a query means by definition.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic here is a failed test")]
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own share")]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use annals_engine::{
    Event, EventId, Field, Filter, OrderKey, Part, Result, RowSet, StoredEvent, TenantScope, TextField,
};
use annals_query::Order;
use proptest::prelude::*;

pub fn never() -> bool {
    false
}

/// An event of this time cannot be read.
pub const DAMAGED_US: i64 = 7_000_000_000_000_000;

/// How often a part was asked what.
#[derive(Default)]
pub struct Calls {
    pub key: AtomicU64,
    pub lower_bound: AtomicU64,
    pub select: AtomicU64,
    pub count_by: AtomicU64,
    pub event: AtomicU64,
}

impl Calls {
    pub fn take(&self) -> [u64; 5] {
        [&self.key, &self.lower_bound, &self.select, &self.count_by, &self.event].map(|calls| calls.swap(0, Relaxed))
    }
}

/// Rows of a part as a vector; some of them deleted.
pub struct VecPart {
    events: Vec<StoredEvent>,
    deleted: BTreeSet<u32>,
    calls: Arc<Calls>,
}

pub fn key_of(event: &StoredEvent) -> OrderKey {
    OrderKey { created_at_us: event.created_at_us, sequence: event.sequence }
}

impl VecPart {
    pub fn share(mut events: Vec<(StoredEvent, bool)>, calls: &Arc<Calls>) -> Arc<dyn Part> {
        events.sort_by_key(|(event, _)| key_of(event));
        let rows = 0_u32..;
        let deleted = rows.zip(&events).filter(|(_, (_, deleted))| *deleted).map(|(row, _)| row).collect();
        let events = events.into_iter().map(|(event, _)| event).collect();
        Arc::new(Self { events, deleted, calls: Arc::clone(calls) })
    }

    fn rows(&self, test: impl Fn(&StoredEvent) -> bool) -> Vec<u32> {
        (0..)
            .zip(&self.events)
            .filter(|(row, event)| !self.deleted.contains(row) && test(event))
            .map(|(r, _)| r)
            .collect()
    }
}

impl Part for VecPart {
    fn row_count(&self) -> u32 {
        u32::try_from(self.events.len()).unwrap()
    }

    fn time_bounds_us(&self) -> (i64, i64) {
        let times = || self.events.iter().map(|event| event.created_at_us);
        (times().min().unwrap_or(0), times().max().unwrap_or(0))
    }

    fn sequence_bounds(&self) -> (u64, u64) {
        let sequences = || self.events.iter().map(|event| event.sequence);
        (sequences().min().unwrap_or(0), sequences().max().unwrap_or(0))
    }

    fn key(&self, row: u32) -> Result<OrderKey> {
        self.calls.key.fetch_add(1, Relaxed);
        Ok(key_of(&self.events[row as usize]))
    }

    fn lower_bound(&self, key: OrderKey) -> Result<u32> {
        self.calls.lower_bound.fetch_add(1, Relaxed);
        Ok(u32::try_from(self.events.partition_point(|event| key_of(event) < key)).unwrap())
    }

    fn select(&self, filter: &Filter) -> Result<RowSet> {
        self.calls.select.fetch_add(1, Relaxed);
        let rows = self.rows(|event| matches(filter, event));
        // Every shape a row set can have, by turns.
        let consecutive = rows.windows(2).all(|pair| pair[1] == pair[0] + 1);
        Ok(match (rows.first(), rows.last()) {
            (Some(first), Some(last)) if consecutive => RowSet::from_range(*first..*last + 1),
            _ if rows.len().is_multiple_of(2) => RowSet::from_bitmap(RowSet::from_sorted(rows).to_bitmap()),
            _ => RowSet::from_sorted(rows),
        })
    }

    fn count_by(&self, field: Field, rows: &RowSet, visit: &mut dyn FnMut(&str, u32)) -> Result<()> {
        self.calls.count_by.fetch_add(1, Relaxed);
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for row in rows.iter() {
            assert!(!self.deleted.contains(&row), "only rows that are there are counted");
            for value in self.events[row as usize].values(field) {
                *counts.entry(value).or_default() += 1;
            }
        }
        for (value, count) in counts {
            visit(value, count);
        }
        Ok(())
    }

    fn event(&self, row: u32) -> Result<StoredEvent> {
        self.calls.event.fetch_add(1, Relaxed);
        let event = self.events[row as usize].clone();
        if event.created_at_us == DAMAGED_US {
            return Err(annals_engine::Error::corrupt("the bytes of this event are damaged"));
        }
        Ok(event)
    }

    fn find_id(&self, id: EventId) -> Result<Vec<u32>> {
        Ok(self.rows(|event| event.id == id))
    }

    fn find_sequence(&self, sequence: u64) -> Result<Option<u32>> {
        Ok(self.rows(|event| event.sequence == sequence).first().copied())
    }
}

/// What a filter means.
pub fn matches(filter: &Filter, event: &StoredEvent) -> bool {
    let any = |field: &Field, test: &dyn Fn(&str) -> bool| event.values(*field).any(test);
    let texts = |field: &TextField| match field {
        TextField::Message => vec![event.message()],
        TextField::Content => vec![event.content()],
        TextField::MessageOrContent => vec![event.message(), event.content()],
    };
    match filter {
        Filter::All => true,
        Filter::Term(field, value) => any(field, &|held| held == value),
        Filter::AnyOf(field, values) => any(field, &|held| values.iter().any(|value| value == held)),
        Filter::Prefix(field, prefix) => any(field, &|held| held.starts_with(prefix.as_str())),
        Filter::Within(field, values) => {
            any(field, &|_| true) && !any(field, &|held| values.iter().all(|value| value != held))
        }
        Filter::CreatedBetween { from_us, to_us } => (*from_us..*to_us).contains(&event.created_at_us),
        Filter::SequenceBetween { from, to } => (*from..*to).contains(&event.sequence),
        Filter::Acknowledged(state) => event.marks.acknowledged == *state,
        Filter::Contains(field, needle) => {
            let needle = needle.to_lowercase();
            texts(field).into_iter().flatten().any(|text| text.to_lowercase().contains(&needle))
        }
        Filter::TextEquals(field, value) => texts(field).into_iter().flatten().any(|text| text == value),
        Filter::And(parts) => parts.iter().all(|part| matches(part, event)),
        Filter::Or(parts) => parts.iter().any(|part| matches(part, event)),
        Filter::Not(part) => !matches(part, event),
    }
}

/// What the orders mean.
pub fn sort(order: Order, events: &mut [StoredEvent]) {
    let newest_first = |a: &StoredEvent, b: &StoredEvent| key_of(b).cmp(&key_of(a));
    match order {
        Order::CreatedAtAsc => events.sort_by_key(key_of),
        Order::CreatedAtDesc => events.sort_by(newest_first),
        Order::EventTypeAsc => {
            events.sort_by(|a, b| a.event_type().cmp(b.event_type()).then_with(|| newest_first(a, b)));
        }
        Order::EventTypeDesc => {
            events.sort_by(|a, b| b.event_type().cmp(a.event_type()).then_with(|| newest_first(a, b)));
        }
    }
}

/// One event of a random store.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub created_at_us: i64,
    pub event_type: usize,
    pub realms: Vec<usize>,
    pub org: Option<usize>,
    pub message: Option<usize>,
    pub id: Option<u128>,
    pub part: usize,
    pub deleted: bool,
    pub acknowledged: bool,
}

pub const TYPES: [&str; 5] = ["a", "a.b", "A", "b", "\u{e9}"];
pub const REALMS: [&str; 3] = ["r0", "r1", "r2"];
pub const ORGS: [&str; 2] = ["o0", "o1"];
pub const MESSAGES: [&str; 3] = ["Login failed", "login", "\u{c9}T\u{c9}"];
const PARTS: usize = 7;

impl Row {
    /// Hands the row out as an event.
    pub fn with_event<T>(&self, take: impl FnOnce(&Event<'_>) -> T) -> T {
        let realms: Vec<&str> = self.realms.iter().map(|realm| REALMS[*realm]).collect();
        let mut event = Event::new(TYPES[self.event_type]);
        event.created_at_us = Some(self.created_at_us);
        event.id = self.id.map(EventId::from_u128);
        event.realm_ids = realms.as_slice().into();
        event.message = self.message.map(|message| MESSAGES[message]);
        if let Some(org) = self.org {
            event.set(Field::OrgId, ORGS[org]);
        }
        take(&event)
    }

    pub fn stored(&self, sequence: u64) -> StoredEvent {
        let mut stored = self.with_event(|event| StoredEvent::from_event(event, sequence)).unwrap();
        stored.marks.acknowledged = self.acknowledged;
        stored
    }
}

/// A random store: parts that overlap or do not, with many ties.
#[derive(Clone, Debug)]
pub struct Store {
    pub rows: Vec<Row>,
}

impl Store {
    pub fn parts(&self, calls: &Arc<Calls>) -> Vec<Arc<dyn Part>> {
        let mut parts: Vec<Vec<(StoredEvent, bool)>> = vec![Vec::new(); PARTS];
        for (sequence, row) in (1..).zip(&self.rows) {
            parts[row.part].push((row.stored(sequence), row.deleted));
        }
        parts.into_iter().map(|events| VecPart::share(events, calls)).collect()
    }

    /// What is there, by append order.
    pub fn events(&self) -> Vec<StoredEvent> {
        (1..).zip(&self.rows).filter(|(_, row)| !row.deleted).map(|(sequence, row)| row.stored(sequence)).collect()
    }

    pub fn matching(&self, scope: &TenantScope, filter: &Filter) -> Vec<StoredEvent> {
        let seen = |event: &StoredEvent| scope.sees(event.realm_ids(), event.get(Field::OrgId));
        self.events().into_iter().filter(|event| seen(event) && matches(filter, event)).collect()
    }
}

fn row() -> impl Strategy<Value = Row> {
    let keywords = (0..TYPES.len(), proptest::collection::vec(0..REALMS.len(), 0..3), proptest::option::of(0..2_usize));
    let id = proptest::option::weighted(0.2, 1..4_u128);
    let marks = (proptest::bool::weighted(0.2), any::<bool>());
    (0..12_i64, keywords, proptest::option::of(0..MESSAGES.len()), id, 0..PARTS, marks).prop_map(
        |(created_at_us, (event_type, realms, org), message, id, part, (deleted, acknowledged))| Row {
            created_at_us,
            event_type,
            realms,
            org,
            message,
            id,
            part,
            deleted,
            acknowledged,
        },
    )
}

pub fn rows(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec(row(), count)
}

/// Up to 120 events. `apart` moves the parts away from each other, from wholly overlapping to disjoint.
pub fn stores() -> impl Strategy<Value = Store> {
    let apart = prop_oneof![Just(0_i64), Just(5), Just(100), Just(86_400_000_000)];
    (proptest::collection::vec(row(), 0..120), apart).prop_map(|(mut rows, apart)| {
        for row in &mut rows {
            row.created_at_us += apart * i64::try_from(row.part).unwrap();
        }
        Store { rows }
    })
}

pub fn scopes() -> impl Strategy<Value = TenantScope> {
    let realms = proptest::sample::subsequence(REALMS.to_vec(), 0..3);
    let orgs = proptest::sample::subsequence(ORGS.to_vec(), 0..2);
    let own = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
    prop_oneof![
        2 => Just(TenantScope::Unlimited),
        1 => (realms, orgs).prop_map(move |(realms, orgs)| TenantScope::Limited { realms: own(realms), orgs: own(orgs) }),
    ]
}

pub fn filters() -> impl Strategy<Value = Filter> {
    let event_type = || (0..TYPES.len()).prop_map(|index| TYPES[index].to_owned());
    let leaf = prop_oneof![
        4 => Just(Filter::All),
        1 => event_type().prop_map(|value| Filter::Term(Field::EventType, value)),
        1 => proptest::collection::vec(event_type(), 0..3).prop_map(|values| Filter::AnyOf(Field::EventType, values)),
        1 => Just(Filter::Prefix(Field::EventType, "a".into())),
        1 => Just(Filter::Within(Field::RealmIds, vec!["r0".into(), "r1".into()])),
        1 => (-1..20_i64, -1..20_i64).prop_map(|(from, to)| Filter::created_between(from, to)),
        1 => (0..100_u64, 0..100_u64).prop_map(|(from, to)| Filter::SequenceBetween { from, to }),
        1 => any::<bool>().prop_map(Filter::Acknowledged),
        1 => Just(Filter::Contains(TextField::MessageOrContent, "LOGIN".into())),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::Or),
            inner.prop_map(Filter::not),
        ]
    })
}

pub fn orders() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::CreatedAtAsc),
        Just(Order::CreatedAtDesc),
        Just(Order::EventTypeAsc),
        Just(Order::EventTypeDesc)
    ]
}

/// Says that the time is over from the n-th question on.
pub fn expires_at(question: u32) -> impl Fn() -> bool {
    let asked = Cell::new(0);
    move || {
        asked.set(asked.get() + 1);
        asked.get() > question
    }
}
