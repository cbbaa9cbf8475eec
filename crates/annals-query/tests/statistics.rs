//! Statistics against a recount.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use annals_engine::{Event, EventId, Field, Filter, OrderKey, Part, Result, RowSet, StoredEvent, TenantScope};
use annals_query::{
    BUCKETS_MAX, DISTINCT_MAX, ErrorKind, Query, SPLIT_VALUES_MAX, StatsRequest, count_in_buckets, stats, values,
};
use common::{Calls, VecPart, expires_at, filters, never, scopes, stores};
use proptest::prelude::*;

fn recount(events: &[StoredEvent], field: Field) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for value in events.iter().flat_map(|event| event.values(field)) {
        *counts.entry(value.to_owned()).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn statistics_agree_with_a_recount(
        store in stores(), scope in scopes(), filter in filters(), top in proptest::option::of(0_usize..4),
        interval_us in 1_i64..2000,
    ) {
        let parts: Vec<Arc<dyn Part>> = store.parts(&Arc::new(Calls::default()));
        let expected = store.matching(&scope, &filter);
        let by = vec![Field::EventType, Field::RealmIds, Field::UserId];
        let times: Vec<i64> = expected.iter().map(|event| event.created_at_us).collect();
        let (oldest, newest) = (times.iter().min().copied(), times.iter().max().copied());
        // Parts a day apart would need too many buckets of microseconds.
        let interval_us = if newest.unwrap_or(0) > 1_000_000 { interval_us * 1_000_000_000 } else { interval_us };
        let request = StatsRequest { by: by.clone(), top, interval_us: Some(interval_us), split: Some(Field::RealmIds) };
        let found = stats(&parts, &Query::new(&scope).filter(filter), &request, &never).unwrap();
        prop_assert_eq!(found.total, expected.len() as u64);
        prop_assert_eq!((found.oldest_us, found.newest_us), (oldest, newest));
        for (field, counts) in &found.by {
            let mut recounted = recount(&expected, *field);
            recounted.truncate(top.unwrap_or(usize::MAX));
            prop_assert_eq!(counts, &recounted);
        }
        prop_assert_eq!(found.by.iter().map(|(field, _)| *field).collect::<Vec<_>>(), by);
        let mut buckets: BTreeMap<i64, u64> = BTreeMap::new();
        if let (Some(oldest), Some(newest)) = (oldest, newest) {
            let first = oldest / interval_us * interval_us;
            buckets = (0..=(newest - first) / interval_us).map(|bucket| (first + bucket * interval_us, 0)).collect();
        }
        for time in times {
            *buckets.get_mut(&(time / interval_us * interval_us)).unwrap() += 1;
        }
        prop_assert_eq!(&found.histogram, &buckets.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(found.split.buckets.len(), found.histogram.len());
        for ((start, _), (counts, other)) in found.histogram.iter().zip(&found.split.buckets) {
            prop_assert_eq!(*other, 0, "there are few realms");
            let inside: Vec<StoredEvent> =
                expected.iter().filter(|event| (*start..start + interval_us).contains(&event.created_at_us)).cloned().collect();
            let split = found.split.values.iter().cloned().zip(counts.iter().copied());
            let mut split: Vec<_> = split.filter(|(_, count)| *count > 0).collect();
            split.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            prop_assert_eq!(split, recount(&inside, Field::RealmIds));
        }
    }

    #[test]
    fn values_agree_with_a_recount(
        store in stores(), scope in scopes(), filter in filters(), contains in "[a-cA-C]{0,1}", limit in 0_usize..4,
    ) {
        let parts: Vec<Arc<dyn Part>> = store.parts(&Arc::new(Calls::default()));
        let expected = store.matching(&scope, &filter);
        let query = Query::new(&scope).filter(filter);
        for field in [Field::EventType, Field::RealmIds, Field::UserId] {
            let found = values(&parts, &query, field, &contains, limit, &never).unwrap();
            let mut recounted = recount(&expected, field);
            recounted.retain(|(value, _)| value.to_lowercase().contains(&contains.to_lowercase()));
            prop_assert_eq!(found.others, recounted.len().saturating_sub(limit) as u64);
            recounted.truncate(limit);
            prop_assert_eq!(found.values, recounted);
        }
    }
}

/// A part of one event for each type and time.
#[expect(clippy::unwrap_used, reason = "a panic here is a failed test")]
fn typed(events: &[(&str, i64)]) -> Vec<Arc<dyn Part>> {
    let stored = |(sequence, (name, created_at_us)): (u64, &(&str, i64))| {
        let mut event = Event::new(name);
        event.created_at_us = Some(*created_at_us);
        (StoredEvent::from_event(&event, sequence).unwrap(), false)
    };
    vec![VecPart::share((1..).zip(events).map(stored).collect(), &Arc::default())]
}

#[test]
fn a_histogram_is_split_by_the_most_frequent_values_and_one_number_for_all_others() {
    let names: Vec<String> = (0..SPLIT_VALUES_MAX + 2).map(|number| format!("t{number:02}")).collect();
    let mut events: Vec<(&str, i64)> = names.iter().zip(0..).map(|(name, at)| (name.as_str(), at / 6 * 10)).collect();
    let most = names.last().unwrap();
    events.push((most, 0));
    let request = StatsRequest { interval_us: Some(10), split: Some(Field::EventType), ..StatsRequest::default() };
    let found = stats(&typed(&events), &Query::new(&TenantScope::Unlimited), &request, &never).unwrap();
    assert_eq!(found.histogram, [(0, 7), (10, 6)]);
    let first: Vec<&String> = std::iter::once(most).chain(&names[..SPLIT_VALUES_MAX - 1]).collect();
    assert_eq!(found.split.values.iter().collect::<Vec<_>>(), first);
    let expected = [(vec![1, 1, 1, 1, 1, 1, 1, 0, 0, 0], 0), (vec![1, 0, 0, 0, 0, 0, 0, 1, 1, 1], 2)];
    assert_eq!(found.split.buckets, expected);
}

#[test]
fn values_are_found_whatever_their_case_and_only_so_many_are_told() {
    let parts = typed(&[("Caf\u{e9}.OPEN", 0), ("caf\u{c9}.shut", 0), ("bar", 0)]);
    let query = Query::new(&TenantScope::Unlimited);
    let found = |contains: &str, limit| values(&parts, &query, Field::EventType, contains, limit, &never).unwrap();
    let pair = |name: &str| (name.to_owned(), 1);
    assert_eq!(found("CAF\u{c9}", 9).values, [pair("Caf\u{e9}.OPEN"), pair("caf\u{c9}.shut")]);
    assert_eq!((found("", 1).values, found("", 1).others), (vec![pair("Caf\u{e9}.OPEN")], 2));
    assert_eq!(found("x", 1), annals_query::Values::default());
    let late = values(&parts, &query, Field::EventType, "", 1, &|| true).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::TooExpensive);
}

fn two_events(apart_us: i64) -> Vec<Arc<dyn Part>> {
    let row = common::Row { created_at_us: 0, ..common::Row::default() };
    let later = common::Row { created_at_us: apart_us, ..row.clone() };
    common::Store { rows: vec![row, later] }.parts(&Arc::new(Calls::default()))
}

#[test]
fn too_many_buckets_and_intervals_that_are_none_are_refused() {
    let query = Query::new(&TenantScope::Unlimited);
    let request = |interval_us| StatsRequest { interval_us: Some(interval_us), ..StatsRequest::default() };
    let most = i64::try_from(BUCKETS_MAX).unwrap();
    let found = stats(&two_events(most - 1), &query, &request(1), &never).unwrap();
    assert_eq!(found.histogram.len() as u64, BUCKETS_MAX);
    assert_eq!(found.histogram.iter().map(|(_, count)| count).sum::<u64>(), 2);
    assert_eq!(found.histogram.last(), Some(&(most - 1, 1)));
    for (apart_us, interval_us) in [(most, 1), (5, 0), (5, -1)] {
        let error = stats(&two_events(apart_us), &query, &request(interval_us), &never).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    // Buckets of the caller's own, of unlike widths, empty ones left out.
    let own = |time: i64| if time < 3 { 0..3 } else { 3..1000 };
    assert_eq!(count_in_buckets(&two_events(7), &query, &own, &never).unwrap(), [(0, 1), (3, 1)]);
    assert_eq!(count_in_buckets(&two_events(2), &query, &own, &never).unwrap(), [(0, 2)]);
    let wrong = count_in_buckets(&two_events(7), &query, &|_| 0..3, &never).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::InvalidInput);
    // The widest interval there is: one bucket, no overflow.
    let found = stats(&two_events(7), &query, &request(i64::MAX), &never).unwrap();
    assert_eq!(found.histogram, [(0, 2)]);
}

/// A part of one row whose field has as many values as one likes.
struct Wide(usize, Arc<dyn Part>);

impl Part for Wide {
    fn row_count(&self) -> u32 {
        self.1.row_count()
    }
    fn time_bounds_us(&self) -> (i64, i64) {
        self.1.time_bounds_us()
    }
    fn sequence_bounds(&self) -> (u64, u64) {
        self.1.sequence_bounds()
    }
    fn key(&self, row: u32) -> Result<OrderKey> {
        self.1.key(row)
    }
    fn lower_bound(&self, key: OrderKey) -> Result<u32> {
        self.1.lower_bound(key)
    }
    fn select(&self, filter: &Filter) -> Result<RowSet> {
        self.1.select(filter)
    }
    fn count_by(&self, _: Field, _: &RowSet, visit: &mut dyn FnMut(&str, u32)) -> Result<()> {
        (0..self.0).for_each(|value| visit(&value.to_string(), 1));
        Ok(())
    }
    fn event(&self, row: u32) -> Result<StoredEvent> {
        self.1.event(row)
    }
    fn find_id(&self, id: EventId) -> Result<Vec<u32>> {
        self.1.find_id(id)
    }
    fn find_sequence(&self, sequence: u64) -> Result<Option<u32>> {
        self.1.find_sequence(sequence)
    }
}

#[test]
fn a_field_with_too_many_values_is_too_expensive() {
    let request = StatsRequest { by: vec![Field::ResourceId], top: Some(2), ..StatsRequest::default() };
    let query = Query::new(&TenantScope::Unlimited);
    let wide = |values: usize| -> Vec<Arc<dyn Part>> {
        let inner = two_events(1).into_iter().find(|part| part.row_count() > 0).unwrap();
        vec![Arc::new(Wide(values, inner))]
    };
    let found = stats(&wide(DISTINCT_MAX), &query, &request, &never).unwrap();
    assert_eq!(found.by[0].1, [("0".to_owned(), 1), ("1".to_owned(), 1)]);
    let error = stats(&wide(DISTINCT_MAX + 1), &query, &request, &never).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooExpensive);
    // Of as many values as one likes those are found that are few.
    let found = |contains: &str| values(&wide(2 * DISTINCT_MAX), &query, Field::ResourceId, contains, 1, &never);
    let few = found("99999").unwrap();
    assert_eq!((few.values[0].0.as_str(), few.others > 0), ("1099999", true));
    assert_eq!(found("").unwrap_err().kind(), ErrorKind::TooExpensive);
}

#[test]
fn the_time_allowed_holds_for_statistics() {
    let query = Query::new(&TenantScope::Unlimited);
    let request = StatsRequest { by: vec![Field::EventType], interval_us: Some(1), ..StatsRequest::default() };
    for question in 0..5 {
        let error = stats(&two_events(1), &query, &request, &expires_at(question)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooExpensive);
    }
    assert_eq!(stats(&two_events(1), &query, &request, &expires_at(5)).unwrap().total, 2);
}
