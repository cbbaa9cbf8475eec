//! Pages against a sorted vector.

mod common;

use std::sync::Arc;

use annals_engine::{Filter, Part, StoredEvent, TenantScope};
use annals_query::{CursorKey, ErrorKind, LIMIT_MAX, Order, Page, Query, Total, execute};
use common::{Calls, DAMAGED_US, Row, VecPart, expires_at, filters, never, orders, scopes, sort, stores};
use proptest::prelude::*;

fn parts_of(store: &common::Store) -> Vec<Arc<dyn Part>> {
    store.parts(&Arc::new(Calls::default()))
}

fn sequences(events: &[StoredEvent]) -> Vec<u64> {
    events.iter().map(|event| event.sequence).collect()
}

/// Every page from the first to the last, through the text form of the cursor.
fn walk(parts: &Vec<Arc<dyn Part>>, first: &Query) -> Vec<Page> {
    let key = CursorKey::new([3; 32]);
    let mut pages = Vec::new();
    let mut query = first.clone();
    loop {
        let page = execute(parts, &query, &never).expect("a page");
        let next = page.next.clone();
        pages.push(page);
        let Some(position) = next else { return pages };
        let text = key.encode(&position, &query);
        query = first.clone().offset(0).after(key.decode(&text, first).expect("its own cursor"));
        assert!(pages.len() < 1000, "a walk ends");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_page_is_a_slice_of_the_sorted_matches(
        store in stores(), scope in scopes(), filter in filters(), order in orders(),
        offset in 0_usize..130, limit in 0_u32..20, exact: bool,
    ) {
        let mut expected = store.matching(&scope, &filter);
        sort(order, &mut expected);
        let total = if exact { Total::Exact } else { Total::None };
        let query = Query::new(&scope).filter(filter).order(order).offset(offset as u64).limit(limit).total(total);
        let page = execute(&parts_of(&store), &query, &never).unwrap();
        let behind = expected.get(offset..).unwrap_or_default();
        let shown = &behind[..behind.len().min(limit as usize)];
        prop_assert_eq!(&page.events, shown);
        prop_assert_eq!(page.total, exact.then_some(expected.len() as u64));
        prop_assert_eq!(page.next.is_some(), !shown.is_empty() && shown.len() < behind.len());
    }

    #[test]
    fn a_walk_by_cursor_shows_every_match_once(
        store in stores(), scope in scopes(), filter in filters(), order in orders(),
        offset in 0_usize..20, limit in 1_u32..9, exact: bool, size_max_bytes in proptest::option::of(0_u64..60),
    ) {
        let mut expected = store.matching(&scope, &filter);
        sort(order, &mut expected);
        let total = if exact { Total::Exact } else { Total::None };
        let mut query = Query::new(&scope).filter(filter).order(order).offset(offset as u64).limit(limit).total(total);
        if let Some(size_max_bytes) = size_max_bytes {
            query = query.size_max_bytes(size_max_bytes);
        }
        let pages = walk(&parts_of(&store), &query);
        for page in &pages {
            prop_assert_eq!(page.total, exact.then_some(expected.len() as u64));
            let bytes: usize = page.events.iter().map(StoredEvent::size_bytes).sum();
            prop_assert!(page.events.len() <= 1 || size_max_bytes.is_none_or(|max| bytes as u64 <= max));
            let full = page.events.len() == limit as usize || size_max_bytes.is_some();
            prop_assert!(full || page.next.is_none(), "a short page is the last one");
        }
        let shown: Vec<u64> = pages.iter().flat_map(|page| sequences(&page.events)).collect();
        prop_assert_eq!(shown, sequences(expected.get(offset..).unwrap_or_default()));
    }

    #[test]
    fn appends_while_paging_neither_shift_nor_repeat(
        mut store in stores(), later in stores(), order in orders(), limit in 1_u32..9,
    ) {
        let mut expected = store.events();
        sort(order, &mut expected);
        let query = Query::new(&TenantScope::Unlimited).order(order).limit(limit);
        let first = execute(&parts_of(&store), &query, &never).unwrap();
        let before = store.rows.len() as u64;
        store.rows.extend(later.rows);
        let mut shown = sequences(&first.events);
        if let Some(position) = first.next {
            for page in walk(&parts_of(&store), &query.after(position)) {
                shown.extend(sequences(&page.events));
            }
        }
        let mut once = shown.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), shown.len(), "no event comes twice");
        shown.retain(|sequence| *sequence <= before);
        prop_assert_eq!(shown, sequences(&expected), "what was there comes whole and in order");
    }
}

/// Few times, few parts: most offsets fall among ties or between parts.
fn dense() -> impl Strategy<Value = common::Store> {
    let row = (0..4_i64, 0..2_usize, 0..3_usize, proptest::bool::weighted(0.1)).prop_map(
        |(created_at_us, event_type, part, deleted)| common::Row {
            created_at_us,
            event_type,
            part,
            deleted,
            ..common::Row::default()
        },
    );
    proptest::collection::vec(row, 0..24).prop_map(|rows| common::Store { rows })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_offset_is_found_among_ties(store in dense()) {
        let parts = parts_of(&store);
        for order in [Order::CreatedAtAsc, Order::CreatedAtDesc, Order::EventTypeAsc, Order::EventTypeDesc] {
            let mut expected = store.events();
            sort(order, &mut expected);
            for offset in 0..=expected.len() {
                let query = Query::new(&TenantScope::Unlimited).order(order).offset(offset as u64).limit(2);
                let page = execute(&parts, &query, &never).unwrap();
                let shown = &expected[offset..expected.len().min(offset + 2)];
                prop_assert_eq!(sequences(&page.events), sequences(shown));
            }
        }
    }
}

#[test]
fn an_empty_view_has_an_empty_page() {
    let parts: Vec<Arc<dyn Part>> = Vec::new();
    for order in [Order::CreatedAtAsc, Order::CreatedAtDesc, Order::EventTypeAsc, Order::EventTypeDesc] {
        let page = execute(&parts, &Query::new(&TenantScope::Unlimited).order(order), &never).unwrap();
        assert_eq!((page.events.len(), page.total, page.next), (0, Some(0), None));
    }
}

#[test]
fn a_limit_beyond_the_largest_and_a_filter_too_deep_are_refused() {
    let parts: Vec<Arc<dyn Part>> = Vec::new();
    let query = Query::new(&TenantScope::Unlimited);
    assert!(execute(&parts, &query.clone().limit(LIMIT_MAX), &never).is_ok());
    let error = execute(&parts, &query.clone().limit(LIMIT_MAX + 1), &never).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let deep = (0..40).fold(Filter::All, |filter, _| filter.not());
    let error = execute(&parts, &query.filter(deep), &never).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_position_of_another_order_is_refused() {
    let row = common::Row { created_at_us: 5, ..common::Row::default() };
    let parts = parts_of(&common::Store { rows: vec![row; 3] });
    let by_time = Query::new(&TenantScope::Unlimited).limit(1);
    let by_type = by_time.clone().order(Order::EventTypeAsc);
    let time_position = execute(&parts, &by_time, &never).unwrap().next.unwrap();
    let type_position = execute(&parts, &by_type, &never).unwrap().next.unwrap();
    for (query, position) in [(by_time, type_position), (by_type, time_position)] {
        let error = execute(&parts, &query.after(position), &never).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidCursor);
    }
}

#[test]
fn an_old_event_in_a_part_that_ends_with_the_ties_is_counted() {
    // The search for an offset began at the time of the ties and never counted what lay below it, if
    // bounds alone had settled that time: the oldest of these events was left out of its page.
    let ties = || common::Row { created_at_us: 5, event_type: 4, part: 1, ..common::Row::default() };
    let mut rows: Vec<common::Row> = (0..12).map(|_| ties()).collect();
    rows.push(common::Row { created_at_us: 0, part: 0, ..ties() });
    rows.push(common::Row { event_type: 0, part: 0, ..ties() });
    let query = Query::new(&TenantScope::Unlimited).order(Order::EventTypeDesc).limit(1);
    let page = execute(&parts_of(&common::Store { rows }), &query.offset(12), &never).unwrap();
    assert_eq!(sequences(&page.events), [13]);
}

#[test]
fn the_time_allowed_is_looked_at_for_every_part() {
    let rows: Vec<common::Row> =
        (0..6).map(|part| common::Row { created_at_us: 5, part, ..common::Row::default() }).collect();
    let parts = parts_of(&common::Store { rows });
    for order in [Order::CreatedAtDesc, Order::EventTypeDesc] {
        for total in [Total::Exact, Total::None] {
            let query = Query::new(&TenantScope::Unlimited).order(order).total(total);
            for question in 0..6 {
                let error = execute(&parts, &query, &expires_at(question)).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::TooExpensive);
            }
            assert_eq!(execute(&parts, &query, &expires_at(100)).unwrap().events.len(), 6);
        }
    }
}

/// Events are read ahead, as it is not known how many fit: the page once failed for one that it did not show.
#[test]
fn a_damaged_event_behind_the_end_of_a_page_does_not_concern_it() {
    let events: Vec<(StoredEvent, bool)> = (1..)
        .zip([1, 2, 3, DAMAGED_US])
        .map(|(sequence, created_at_us)| (Row { created_at_us, ..Row::default() }.stored(sequence), false))
        .collect();
    let size = |count: usize| events.iter().take(count).map(|(event, _)| event.size_bytes() as u64).sum::<u64>();
    let parts = vec![VecPart::share(events.clone(), &Arc::new(Calls::default()))];
    let query = Query::new(&TenantScope::Unlimited).order(Order::CreatedAtAsc).limit(10);
    for fit in [1, 2] {
        let page = execute(&parts, &query.clone().size_max_bytes(size(fit)), &never).unwrap();
        assert_eq!(page.events.len(), fit);
        assert!(page.next.is_some());
    }
    for query in [query.clone().size_max_bytes(size(4)), query.clone(), query.limit(4)] {
        assert_eq!(execute(&parts, &query, &never).unwrap_err().kind(), ErrorKind::Engine);
    }
}
