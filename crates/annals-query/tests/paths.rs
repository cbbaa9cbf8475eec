//! What is answered from counts, by rank or for many rows at once agrees with selecting and reading row by row.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: what goes wrong here is meant to panic")]

use std::sync::Arc;

use annals_engine::{
    Amendment, AppendOptions, Batch, Delete, Durability, Engine, Event, EventId, Field, Filter, Mark, Options, Part,
    PartitionSpan, Partitioning, Snapshot, TenantScope,
};
use annals_query::{EventRef, Order, Query, StatsRequest, Total, execute, get, stats};

const DAY_US: i64 = 86_400_000_000;
const TYPES: [&str; 5] = ["a.one", "a.two", "b.one", "b.two", "c"];

/// More rows than a block of live ones, over three days, not quite in order; some types are rare.
fn fill(engine: &Engine, count: u32) {
    for first in (0..count).step_by(1_000) {
        let mut batch = Batch::new();
        for index in first..count.min(first + 1_000) {
            let kind = TYPES[if index % 997 == 0 { 4 } else { (index % 11 % 4) as usize }];
            let user = format!("user-{}", index % 300);
            let realms = [format!("r{}", index % 3), format!("s{}", index % 7)];
            let text = format!("message {index}");
            let late = if index % 10 == 0 { 5_000 } else { 0 };
            let mut event = Event::new(kind);
            event.created_at_us =
                Some(i64::from(index) * (3 * DAY_US / i64::from(count)) + 1_700_006_400_000_000 - late);
            event.realm_ids = realms.as_slice().into();
            event.message = (index % 5 != 0).then_some(text.as_str());
            event.set(Field::UserId, &user).set(Field::Severity, if index % 50 == 0 { "error" } else { "info" });
            batch.push(&event).unwrap();
        }
        engine.append(batch, &AppendOptions::default()).unwrap();
    }
}

fn filters() -> Vec<Filter> {
    let day = Filter::created_between(1_700_006_400_000_000, 1_700_006_400_000_000 + DAY_US);
    let always = Filter::created_between(0, i64::MAX);
    let mut filters = vec![Filter::All, day.clone(), always.clone(), Filter::none(), Filter::Acknowledged(true)];
    for kind in TYPES.into_iter().chain(["absent"]) {
        let term = Filter::term(Field::EventType, kind);
        filters.extend([term.clone(), term.clone().and(day.clone()), term.clone().and(always.clone()), term.not()]);
    }
    filters.push(Filter::term(Field::UserId, "user-17"));
    filters.push(Filter::term(Field::RealmIds, "s3"));
    filters.push(Filter::term(Field::Severity, "error"));
    filters.push(Filter::term(Field::Severity, "warn"));
    filters.push(Filter::term(Field::RealmIds, "r1").and(Filter::term(Field::EventType, "b.one")));
    filters
}

/// Both paths of everything about one part; how many counts were told.
fn agree(part: &dyn Part) -> usize {
    let mut told = 0;
    for filter in filters() {
        let rows = part.select(&filter).unwrap();
        let counted = part.count(&filter).unwrap();
        if let Some(counted) = counted {
            assert_eq!(counted.rows, rows.len(), "{filter:?}");
            told += 1;
        }
        let len = rows.len();
        for ranks in [0..len, 0..len.min(3), len.saturating_sub(100)..len, len / 3..len / 2, 0..len + 5, len..len + 1] {
            let expected: Vec<u32> = rows.iter_ranks(ranks.clone()).collect();
            for counted in [counted, None] {
                let found: Vec<u32> = part.select_ranks(&filter, counted, ranks.clone()).unwrap().iter().collect();
                assert_eq!(found, expected, "{filter:?}");
            }
        }
        let mut page: Vec<u32> = rows.iter().step_by((len / 40).max(1) as usize).collect();
        page.reverse();
        let expected: Vec<_> = page.iter().map(|row| part.event(*row).unwrap()).collect();
        assert_eq!(part.events(&page).unwrap(), expected, "{filter:?}");
    }
    told
}

/// The same for pages: counted and selected, in every order, at every kind of offset.
fn check(engine: &Engine) -> usize {
    let snapshot = engine.snapshot();
    for filter in filters() {
        let mut all: Vec<_> = Vec::new();
        for part in snapshot.parts() {
            all.extend(part.select(&filter).unwrap().iter().map(|row| part.event(row).unwrap()));
        }
        all.sort_by_key(|event| (event.created_at_us, event.sequence));
        for (order, offset, total) in [
            (Order::CreatedAtDesc, 0, Total::Exact),
            (Order::CreatedAtAsc, 7, Total::Exact),
            (Order::CreatedAtDesc, all.len() as u64 / 2, Total::Exact),
            (Order::CreatedAtDesc, 30, Total::None),
            (Order::EventTypeAsc, 0, Total::Exact),
            (Order::EventTypeDesc, all.len() as u64 / 3, Total::Exact),
        ] {
            let mut expected: Vec<_> = all.iter().collect();
            match order {
                Order::CreatedAtAsc => {}
                Order::CreatedAtDesc => expected.reverse(),
                Order::EventTypeAsc | Order::EventTypeDesc => {
                    expected.reverse();
                    expected.sort_by(|a, b| a.event_type().cmp(b.event_type()));
                    if order == Order::EventTypeDesc {
                        expected.sort_by(|a, b| b.event_type().cmp(a.event_type()));
                    }
                }
            }
            let query = Query::new(&TenantScope::Unlimited)
                .filter(filter.clone())
                .order(order)
                .offset(offset)
                .total(total)
                .limit(20);
            let page = execute(&snapshot, &query, &|| false).unwrap();
            let expected: Vec<_> = expected
                .into_iter()
                .skip(usize::try_from(offset).unwrap())
                .take(20)
                .map(|event| event.sequence)
                .collect();
            let found: Vec<_> = page.events.iter().map(|event| event.sequence).collect();
            assert_eq!(found, expected, "{filter:?} {order:?} {offset}");
            assert_eq!(page.total, (total == Total::Exact).then_some(all.len() as u64));
            assert_eq!(page.next.is_some(), all.len() as u64 > offset + found.len() as u64, "{filter:?} {order:?}");
        }
    }
    without_a_list(&snapshot);
    snapshot.parts().iter().map(|part| agree(&**part)).sum()
}

/// The sealed parts as a list with what is kept of them, against the same parts one by one: each is asked twice, as what
/// is kept is computed by the first.
fn without_a_list(snapshot: &Snapshot) {
    let parts: Vec<Arc<dyn Part>> = snapshot.parts().iter().cloned().collect();
    let never = || false;
    for filter in filters().into_iter().chain(filters()) {
        let query = Query::new(&TenantScope::Unlimited).filter(filter.clone()).limit(30);
        for order in [Order::CreatedAtAsc, Order::CreatedAtDesc, Order::EventTypeAsc, Order::EventTypeDesc] {
            for offset in [0, 40, 6_000, 1_000_000] {
                let query = query.clone().order(order).offset(offset);
                let (with, without) = (execute(snapshot, &query, &never), execute(&parts, &query, &never));
                assert_eq!(with.unwrap(), without.unwrap(), "{filter:?} {order:?} {offset}");
            }
        }
        let few = vec![Field::EventType, Field::Severity, Field::RealmIds];
        let many = vec![Field::UserId, Field::Severity];
        for (by, top, interval_us) in
            [(few.clone(), None, None), (many, Some(7), None), (few, Some(3), Some(DAY_US / 4))]
        {
            let request = StatsRequest { by, top, interval_us, split: None };
            let (with, without) = (stats(snapshot, &query, &request, &never), stats(&parts, &query, &request, &never));
            assert_eq!(with.unwrap(), without.unwrap(), "{filter:?} {request:?}");
        }
    }
}

/// An id of some kind for an event of that time; the store makes those of one day itself.
fn id_of(day: i64, created_at_us: i64, number: u32) -> Option<EventId> {
    let seconds = u128::try_from(created_at_us / 1_000_000).unwrap();
    let mixed = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    match day {
        0 => Some(EventId::from_hex24((seconds << 64) | (7 << 24) | u128::from(number))),
        1 => {
            let millis = u128::try_from(created_at_us / 1_000).unwrap();
            Some(EventId::from_u128((millis << 80) | (7 << 76) | (2 << 62) | (mixed >> 70)))
        }
        2 => None,
        3 => Some(EventId::from_hex24(mixed >> 32)),
        _ => Some(EventId::from_u128(mixed)),
    }
}

#[test]
fn ids_are_found_with_and_without_their_times() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path());
    options.durability = Durability::Buffered;
    options.background = false;
    options.partition = Partitioning::Fixed(PartitionSpan::Day);
    let engine = Engine::open(options).unwrap();
    let mut ids = Vec::new();
    for day in 0..5 {
        let mut batch = Batch::new();
        for number in 0..300_u32 {
            let mut event = Event::new("a");
            let created_at_us = 1_700_006_400_000_000 + day * DAY_US + i64::from(number) * 250_000_000;
            (event.created_at_us, event.id) = (Some(created_at_us), id_of(day, created_at_us, number));
            batch.push(&event).unwrap();
        }
        ids.extend(engine.append(batch, &AppendOptions::default()).unwrap().ids);
    }
    engine.seal_now().unwrap();
    // Times of ids at the bounds of a segment, beyond them, and of another kind.
    let absent = ids.iter().map(|id| EventId::from_u128(id.as_u128() ^ (1 << 81)));
    let ids: Vec<EventId> = ids.iter().copied().chain(absent).collect();
    let snapshot = engine.snapshot();
    assert!(snapshot.parts().sealed().is_some_and(|list| list.oldest_first().count() == 5));
    let parts: Vec<Arc<dyn Part>> = snapshot.parts().iter().cloned().collect();
    let mut found = 0;
    for id in ids {
        let by_list = get(&snapshot, &TenantScope::Unlimited, &EventRef::Id(id)).ok();
        assert_eq!(by_list, get(&parts, &TenantScope::Unlimited, &EventRef::Id(id)).ok(), "{id}");
        assert_eq!(by_list, snapshot.get(id).unwrap(), "{id}");
        found += usize::from(by_list.is_some());
    }
    assert_eq!(found, 1_500);
    engine.close().unwrap();
}

#[test]
fn counted_and_selected_answers_agree() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path());
    options.log_size_bytes = 16 << 20;
    options.durability = Durability::Buffered;
    options.background = false;
    options.partition = Partitioning::Fixed(PartitionSpan::Day);
    let engine = Engine::open(options).unwrap();
    fill(&engine, 17_500);
    let live = check(&engine);
    assert!(live >= 15, "a full block tells its counts: {live}");
    engine.seal_now().unwrap();
    let sealed = check(&engine);
    assert!(sealed > live, "segments tell theirs: {sealed}");
    // Marks, values that changed, deleted rows: each takes ways of telling away, no answer may change.
    let marks: Vec<Mark> = (1..200).map(|sequence| Mark { sequence: sequence * 31, acknowledged: true }).collect();
    engine.mark(&marks).unwrap();
    let amendment = Amendment { sequence: 100, severity: Some("warn".to_owned()), ..Amendment::default() };
    assert!(engine.amend(&amendment).unwrap());
    check(&engine);
    assert!(engine.delete(&Delete::Matching(Filter::term(Field::UserId, "user-44"))).unwrap() > 0);
    check(&engine);
    fill(&engine, 17_000);
    engine.delete(&Delete::Sequences((18_000..18_100).collect())).unwrap();
    check(&engine);
    engine.close().unwrap();
}
