//! Append order against the rows as they were appended.

mod common;

use std::sync::Arc;

use annals_engine::{Field, Filter, Part, TenantScope};
use annals_query::{ErrorKind, LIMIT_MAX, Query, append_order, holes};
use common::{Calls, Row, VecPart, expires_at, filters, never, scopes, stores};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn following_shows_every_match_once_and_in_append_order(
        store in stores(), scope in scopes(), filter in filters(), from in 0_u64..40, limit in 1_u32..9,
        size_max_bytes in proptest::option::of(0_u64..60), in_a_hurry: bool,
    ) {
        let parts: Vec<Arc<dyn Part>> = store.parts(&Arc::new(Calls::default()));
        let mut expected = store.matching(&scope, &filter);
        expected.retain(|event| event.sequence >= from);
        let mut query = Query::new(&scope).filter(filter).limit(limit);
        if let Some(size_max_bytes) = size_max_bytes {
            query = query.size_max_bytes(size_max_bytes);
        }
        let mut shown = Vec::new();
        let mut next = from;
        loop {
            let tail = append_order(&parts, &query, next, &|| in_a_hurry).unwrap();
            prop_assert!(tail.events.len() <= limit as usize);
            prop_assert!(tail.events.iter().all(|event| (next..tail.next_sequence).contains(&event.sequence)));
            shown.extend(tail.events);
            if tail.next_sequence == next {
                break;
            }
            next = tail.next_sequence;
        }
        prop_assert_eq!(shown, expected);
    }
}

#[test]
fn rare_events_are_found_in_few_steps_and_the_time_allowed_ends_one() {
    let calls = Arc::new(Calls::default());
    let row = |index: u64| Row { event_type: usize::from(index == 99_999), ..Row::default() };
    let part = VecPart::share((0..100_000).map(|index| (row(index).stored(index + 1), false)).collect(), &calls);
    let parts = vec![part];
    let query = Query::new(&TenantScope::Unlimited).filter(Filter::term(Field::EventType, "a.b"));
    let tail = append_order(&parts, &query, 1, &never).unwrap();
    assert_eq!((tail.events.len(), tail.next_sequence), (1, 100_001));
    let [key, _, select, _, event] = calls.take();
    assert!(select <= 10, "{select} steps");
    assert_eq!((key, event), (1, 1));
    let tail = append_order(&parts, &query, 1, &expires_at(1)).unwrap();
    assert!(tail.events.is_empty() && (257..100_000).contains(&tail.next_sequence));
    assert_eq!(calls.take()[2], 2);
}

#[test]
fn beyond_the_end_nothing_moves() {
    let parts: Vec<Arc<dyn Part>> = vec![VecPart::share(vec![(Row::default().stored(1), false)], &Arc::default())];
    let query = Query::new(&TenantScope::Unlimited);
    for from in [2, 1_000, u64::MAX] {
        assert_eq!(append_order(&parts, &query, from, &never).unwrap().next_sequence, from);
    }
    assert_eq!(append_order(&parts, &query.clone().limit(0), 1, &never).unwrap().next_sequence, 1);
    let error = append_order(&parts, &query.limit(LIMIT_MAX + 1), 1, &never).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
#[expect(clippy::single_range_in_vec_init, reason = "a list of ranges is what is compared")]
fn what_no_part_holds_is_a_hole() {
    let part = |sequences: &[u64]| {
        let rows = sequences.iter().map(|sequence| (Row::default().stored(*sequence), false)).collect();
        VecPart::share(rows, &Arc::default())
    };
    let none: Vec<Arc<dyn Part>> = Vec::new();
    assert_eq!(holes(&none, 3..7), [3..7]);
    assert!(holes(&none, 3..3).is_empty());
    // The bounds overlap, as segments of different partitions do; 6 and 10 to 11 are gone for good.
    let parts: Vec<Arc<dyn Part>> = vec![part(&[7, 9]), part(&[2, 5]), part(&[3, 4]), part(&[12])];
    assert_eq!(holes(&parts, 0..20), [0..2, 6..7, 10..12, 13..20]);
    assert_eq!(holes(&parts, 6..8), [6..7]);
    assert_eq!(holes(&parts, 11..12), [11..12]);
    assert!(holes(&parts, 2..6).is_empty() && holes(&parts, 8..9).is_empty());
}
