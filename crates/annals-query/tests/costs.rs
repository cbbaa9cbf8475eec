//! What a query costs: counted calls, not time.

mod common;

use std::sync::Arc;

use annals_engine::{Field, Filter, Part, TenantScope};
use annals_query::{Order, Query, StatsRequest, Total, execute, stats};
use common::{Calls, Row, VecPart, never};

const ORDERS: [Order; 4] = [Order::CreatedAtAsc, Order::CreatedAtDesc, Order::EventTypeAsc, Order::EventTypeDesc];

/// `count` events dealt to `parts` parts in turn, at the times `time_of` says.
fn dealt(count: u64, parts: u64, time_of: impl Fn(u64) -> i64, calls: &Arc<Calls>) -> Vec<Arc<dyn Part>> {
    let row = |index| Row { created_at_us: time_of(index), event_type: usize::from(index % 10 == 0), ..Row::default() };
    let part = |part| (part..count).step_by(usize::try_from(parts).expect("a small number"));
    let stored = |index| (row(index).stored(index + 1), false);
    (0..parts).map(|number| VecPart::share(part(number).map(stored).collect(), calls)).collect()
}

fn sum<const N: usize>(calls: [u64; N]) -> u64 {
    calls.iter().sum()
}

#[test]
fn events_that_tie_in_time_cost_no_more_than_others() {
    let (count, parts, limit) = (10_000, 8, 10);
    let calls = Arc::new(Calls::default());
    for (ties, times) in [(true, 1), (false, 3)] {
        let view = dealt(count, parts, |index| if ties { 7 } else { i64::try_from(index / times).unwrap() }, &calls);
        for order in ORDERS {
            for offset in [0, 1, 4_999, 5_000, 8_999, 9_000, 9_990] {
                calls.take();
                let query = Query::new(&TenantScope::Unlimited).order(order).offset(offset).limit(limit);
                let page = execute(&view, &query, &never).unwrap();
                let [key, lower_bound, select, count_by, event] = calls.take();
                assert_eq!((page.events.len(), event), (10, 10), "only the page's events are read");
                assert!(key <= parts + 2 * u64::from(limit), "{key} keys at {offset} in {order:?}");
                // 14 bits of time, 14 of sequence, per part, however far into the ties.
                assert!(lower_bound <= parts * 28, "{lower_bound} searches at {offset} in {order:?}");
                assert!(select <= 3 * parts && count_by <= parts);
            }
        }
    }
}

#[test]
fn an_offset_passes_disjoint_parts_by_their_counts() {
    let calls = Arc::new(Calls::default());
    let parts = 100_u64;
    let view: Vec<Arc<dyn Part>> = (0..parts)
        .map(|part| {
            let row = |index| Row { created_at_us: i64::try_from(part * 1000 + index).unwrap(), ..Row::default() };
            VecPart::share((0..50).map(|index| (row(index).stored(part * 50 + index + 1), false)).collect(), &calls)
        })
        .collect();
    for order in [Order::CreatedAtAsc, Order::CreatedAtDesc] {
        calls.take();
        let query = Query::new(&TenantScope::Unlimited).order(order).offset(2_512).limit(10);
        let page = execute(&view, &query, &never).unwrap();
        assert_eq!(page.events.len(), 10);
        let [key, lower_bound, select, _, event] = calls.take();
        assert_eq!((lower_bound, select, event), (0, parts, 10));
        assert!(key <= 11, "{key} keys for ten events of one part");
    }
}

#[test]
fn a_page_without_a_total_asks_only_the_parts_it_reaches() {
    let calls = Arc::new(Calls::default());
    let view: Vec<Arc<dyn Part>> = (0..64_u64)
        .map(|part| {
            let row = |index| Row { created_at_us: i64::try_from(part * 1000 + index).unwrap(), ..Row::default() };
            VecPart::share((0..50).map(|index| (row(index).stored(part * 50 + index + 1), false)).collect(), &calls)
        })
        .collect();
    for order in [Order::CreatedAtAsc, Order::CreatedAtDesc] {
        let mut query = Query::new(&TenantScope::Unlimited).order(order).limit(20).total(Total::None);
        for _ in 0..100 {
            calls.take();
            let page = execute(&view, &query, &never).unwrap();
            let select = calls.take()[2];
            assert!(select <= 2, "{select} parts asked for one page of 20 out of parts of 50");
            query = query.after(page.next.unwrap());
        }
    }
}

#[test]
fn a_time_range_asks_only_the_parts_it_meets() {
    let calls = Arc::new(Calls::default());
    let view: Vec<Arc<dyn Part>> = (0..64_u64)
        .map(|part| {
            VecPart::share(
                vec![(
                    Row { created_at_us: i64::try_from(part).unwrap() * 1000, ..Row::default() }.stored(part + 1),
                    false,
                )],
                &calls,
            )
        })
        .collect();
    let query = Query::new(&TenantScope::Unlimited).filter(Filter::created_between(5_000, 8_000));
    assert_eq!(execute(&view, &query, &never).unwrap().total, Some(3));
    assert_eq!(calls.take()[2], 3);
}

#[test]
fn statistics_of_whole_parts_read_no_row_but_the_ends() {
    let calls = Arc::new(Calls::default());
    let parts = 8;
    let view = dealt(10_000, parts, |index| i64::try_from(index).unwrap(), &calls);
    calls.take();
    let by = StatsRequest { by: vec![Field::EventType], ..StatsRequest::default() };
    let found = stats(&view, &Query::new(&TenantScope::Unlimited), &by, &never).unwrap();
    assert_eq!(found.by[0].1, [("a".to_owned(), 9_000), ("a.b".to_owned(), 1_000)]);
    let [key, lower_bound, select, count_by, event] = calls.take();
    assert!(key <= 2 * parts, "{key} keys");
    assert_eq!((lower_bound, select, count_by, event), (0, parts, parts, 0));
    // A histogram of ten buckets leaps over the rows between.
    let request = StatsRequest { interval_us: Some(1_000), ..StatsRequest::default() };
    let found = stats(&view, &Query::new(&TenantScope::Unlimited), &request, &never).unwrap();
    assert!(found.histogram.iter().all(|(_, count)| *count == 1_000));
    assert!(sum(calls.take()) <= parts * (3 + 2 * 10));
}
