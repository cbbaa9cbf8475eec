//! The model: a list of events and a linear filter.

use std::collections::BTreeMap;
use std::ops::Range;

use annals_engine::{Amendment, EventId, Field, Filter, StoredEvent, TextField};
use annals_query::Order;

use super::operations::Spec;

#[derive(Clone, Debug)]
pub(crate) struct NaiveEvent {
    pub(crate) sequence: u64,
    pub(crate) created_at_us: i64,
    pub(crate) deleted: bool,
    pub(crate) acknowledged: bool,
    spec: Spec,
    amended: BTreeMap<Field, Vec<String>>,
    expires_at_us: Option<i64>,
    updated_at_us: Option<i64>,
    /// User and number of the receipt.
    pub(crate) reads: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Naive {
    pub(crate) events: Vec<NaiveEvent>,
}

impl NaiveEvent {
    pub(crate) fn id(&self) -> EventId {
        self.spec.id.map_or_else(|| EventId::made(self.created_at_us, self.sequence), EventId::from_u128)
    }

    fn values(&self, field: Field) -> Vec<&str> {
        if let Some(values) = self.amended.get(&field) {
            return values.iter().map(String::as_str).collect();
        }
        let event = self.spec.event();
        match field {
            Field::RealmIds | Field::TargetUserIds => event.values(field).iter().collect(),
            other => event.get(other).into_iter().collect(),
        }
    }

    pub(crate) fn assert_same(&self, found: &StoredEvent) {
        let event = self.spec.event();
        assert_eq!(found.sequence, self.sequence);
        assert_eq!(found.id, self.id());
        assert_eq!(found.created_at_us, self.created_at_us);
        assert_eq!(found.marks.acknowledged, self.acknowledged, "marks of {}", self.sequence);
        assert_eq!(found.message(), event.message);
        assert_eq!(found.payload(), event.payload);
        assert_eq!(found.numbers(), event.numbers);
        for field in [Field::EventType, Field::ResourceId, Field::HttpStatus] {
            assert_eq!(found.get(field), event.get(field));
        }
        for field in [Field::Severity, Field::IsPublic, Field::TargetUserIds] {
            assert_eq!(found.values(field).collect::<Vec<_>>(), self.values(field), "{field} of {}", self.sequence);
        }
        assert_eq!((found.expires_at_us(), found.updated_at_us()), (self.expires_at_us, self.updated_at_us));
        assert_eq!(found.realm_ids().collect::<Vec<_>>(), self.values(Field::RealmIds));
    }

    fn matches(&self, filter: &Filter) -> bool {
        match filter {
            Filter::All => true,
            Filter::Term(field, value) => self.values(*field).contains(&value.as_str()),
            Filter::AnyOf(field, values) => self.values(*field).iter().any(|own| values.iter().any(|v| v == own)),
            Filter::Prefix(field, prefix) => self.values(*field).iter().any(|own| own.starts_with(prefix)),
            Filter::Within(field, values) => {
                let own = self.values(*field);
                !own.is_empty() && own.iter().all(|own| values.iter().any(|value| value == own))
            }
            Filter::CreatedBetween { from_us, to_us } => (*from_us..*to_us).contains(&self.created_at_us),
            Filter::SequenceBetween { from, to } => (*from..*to).contains(&self.sequence),
            Filter::Acknowledged(state) => self.acknowledged == *state,
            Filter::Contains(TextField::MessageOrContent, needle) => {
                let message = self.spec.event().message;
                message.is_some_and(|text| text.to_lowercase().contains(&needle.to_lowercase()))
            }
            Filter::TextEquals(TextField::Message, value) => self.spec.event().message == Some(value),
            Filter::And(parts) => parts.iter().all(|part| self.matches(part)),
            Filter::Or(parts) => parts.iter().any(|part| self.matches(part)),
            Filter::Not(part) => !self.matches(part),
            other => unreachable!("the generator makes no {other:?}"),
        }
    }
}

impl Naive {
    pub(crate) fn live(&self) -> impl Iterator<Item = &NaiveEvent> {
        self.events.iter().filter(|event| !event.deleted)
    }

    /// The sequences given and the positions left out.
    pub(crate) fn append(&mut self, specs: &[Spec], now_us: i64) -> (Range<u64>, Vec<u32>) {
        let first = self.events.len() as u64 + 1;
        let mut duplicates = Vec::new();
        for (index, spec) in specs.iter().enumerate() {
            let repeats = spec.id.is_some_and(|id| {
                self.live().any(|event| {
                    event.id() == EventId::from_u128(id)
                        && spec.created_at_us.is_none_or(|time| time == event.created_at_us)
                })
            });
            if repeats {
                duplicates.push(index as u32);
                continue;
            }
            self.events.push(NaiveEvent {
                sequence: self.events.len() as u64 + 1,
                created_at_us: spec.created_at_us.unwrap_or(now_us),
                deleted: false,
                acknowledged: false,
                spec: spec.clone(),
                amended: BTreeMap::new(),
                expires_at_us: None,
                updated_at_us: None,
                reads: BTreeMap::new(),
            });
        }
        (first..self.events.len() as u64 + 1, duplicates)
    }

    pub(crate) fn delete(&mut self, doomed: impl Fn(&NaiveEvent) -> bool) -> u64 {
        let mut deleted = 0;
        for event in &mut self.events {
            if !event.deleted && doomed(event) {
                event.deleted = true;
                deleted += 1;
            }
        }
        deleted
    }

    pub(crate) fn delete_matching(&mut self, filter: &Filter) -> u64 {
        self.delete(|event| event.matches(filter))
    }

    pub(crate) fn mark(&mut self, sequences: &[u64], acknowledged: bool) -> u64 {
        let mut marked = 0;
        for event in &mut self.events {
            if !event.deleted && sequences.contains(&event.sequence) {
                event.acknowledged = acknowledged;
                marked += 1;
            }
        }
        marked
    }

    pub(crate) fn replace(&mut self, specs: &[Spec], now_us: i64) -> (Range<u64>, u64) {
        let ids: Vec<EventId> = specs.iter().filter_map(|spec| spec.id).map(EventId::from_u128).collect();
        let replaced = self.delete(|event| ids.contains(&event.id()));
        let (sequences, duplicates) = self.append(specs, now_us);
        assert!(duplicates.is_empty());
        (sequences, replaced)
    }

    pub(crate) fn amend(&mut self, amendment: &Amendment) -> bool {
        let found = self.events.iter_mut().find(|event| !event.deleted && event.sequence == amendment.sequence);
        let Some(event) = found else { return false };
        let texts = |texts: Vec<String>| texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
        if let Some(severity) = &amendment.severity {
            event.amended.insert(Field::Severity, texts(vec![severity.clone()]));
        }
        if let Some(is_public) = amendment.is_public {
            event.amended.insert(Field::IsPublic, vec![is_public.to_string()]);
        }
        if let Some(users) = &amendment.target_user_ids {
            event.amended.insert(Field::TargetUserIds, texts(users.clone()));
        }
        event.expires_at_us = amendment.expires_at_us.unwrap_or(event.expires_at_us);
        event.updated_at_us = Some(amendment.updated_at_us);
        true
    }

    pub(crate) fn read(&mut self, sequence: u64, user: &str, receipt: u64) -> u64 {
        let found = self.events.iter_mut().find(|event| !event.deleted && event.sequence == sequence);
        let Some(event) = found.filter(|event| !event.reads.contains_key(user)) else { return 0 };
        event.reads.insert(user.to_owned(), receipt);
        1
    }

    pub(crate) fn newest_with_id(&self, id: EventId) -> Option<u64> {
        self.live().filter(|event| event.id() == id).map(|event| event.sequence).max()
    }

    pub(crate) fn select(&self, filter: &Filter, order: Order) -> Vec<&NaiveEvent> {
        let mut found: Vec<&NaiveEvent> = self.live().filter(|event| event.matches(filter)).collect();
        found.sort_by_key(|event| (event.created_at_us, event.sequence));
        let event_type = |event: &&NaiveEvent| event.values(Field::EventType).concat();
        match order {
            Order::CreatedAtAsc => {}
            Order::CreatedAtDesc => found.reverse(),
            Order::EventTypeAsc => {
                found.reverse();
                found.sort_by_key(event_type);
            }
            Order::EventTypeDesc => {
                found.reverse();
                found.sort_by_key(|event| std::cmp::Reverse(event_type(event)));
            }
        }
        found
    }
}

/// Values and how many events hold them, in byte order.
pub(crate) fn count_by(events: &[&NaiveEvent], field: Field) -> Vec<(String, u64)> {
    let mut counts = BTreeMap::new();
    for event in events {
        for value in event.values(field) {
            *counts.entry(value.to_owned()).or_insert(0) += 1;
        }
    }
    counts.into_iter().collect()
}

/// Buckets that hold something.
pub(crate) fn histogram(events: &[&NaiveEvent], interval_us: i64) -> Vec<(i64, u64)> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry(event.created_at_us.div_euclid(interval_us) * interval_us).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}
