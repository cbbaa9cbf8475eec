//! Every limit at n and n + 1.

use annals_engine::{
    BATCH_EVENTS_MAX, BATCH_SIZE_MAX, Batch, CONTENT_SIZE_MAX, Delete, Durability, EVENT_SIZE_MAX, Engine, ErrorKind,
    Event, FILTER_DEPTH_MAX, Field, Filter, LOG_SIZE_BYTES_MAX, LOG_SIZE_BYTES_MIN, MESSAGE_SIZE_MAX, Options,
    VALUES_MAX,
};

use crate::support::{LOG_SIZE, NOW_US, Store, event, everything, files};

fn refused(event: &Event<'_>) -> bool {
    match Batch::new().push(event) {
        Ok(()) => false,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            true
        }
    }
}

#[test]
fn a_batch_holds_a_hundred_thousand_events_and_not_one_more() {
    let store = Store::new(Durability::Sync);
    let mut batch = Batch::new();
    for _ in 0..BATCH_EVENTS_MAX {
        batch.push(&Event::new("e")).unwrap();
    }
    assert_eq!(batch.push(&Event::new("e")).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(batch.len(), 100_000);
    let mut one = Batch::new();
    one.push(&Event::new("e")).unwrap();
    assert_eq!(batch.extend(&one).unwrap_err().kind(), ErrorKind::InvalidInput);
    let receipt = store.engine.append(batch, &annals_engine::AppendOptions::default()).unwrap();
    assert_eq!(receipt.sequences, 1..100_001);
    let size = std::fs::metadata(crate::support::files(store.path(), "log").pop().unwrap()).unwrap().len();
    assert!(size > LOG_SIZE, "a frame larger than a log has one of its own");
    let (copy, _directory) = store.open_copy();
    assert_eq!(copy.stats().events, 100_000);
    assert_eq!(copy.snapshot().get_sequence(100_000).unwrap().unwrap().id, receipt.ids[99_999]);
}

#[test]
fn a_batch_of_the_largest_size_goes_in_and_comes_back() {
    let mut store = Store::new(Durability::Sync);
    store.append(&[event(1, NOW_US)]).unwrap();
    let content = "c".repeat(CONTENT_SIZE_MAX);
    let mut batch = Batch::new();
    let large = crate::support::with_content(event(7, NOW_US), &content);
    let mut count = 0_u64;
    while batch.push(&large).is_ok() {
        count += 1;
    }
    let rest = BATCH_SIZE_MAX - batch.size_bytes();
    assert!(rest < CONTENT_SIZE_MAX + 100);
    let overhead = {
        let mut probe = Batch::new();
        probe.push(&crate::support::with_payload(event(8, NOW_US), &content[..rest - 200])).unwrap();
        probe.size_bytes() - (rest - 200)
    };
    for (size, fits) in [(rest - overhead + 1, false), (rest - overhead, true)] {
        let filler = crate::support::with_payload(event(8, NOW_US), &content[..size]);
        assert_eq!(batch.push(&filler).is_ok(), fits);
    }
    assert_eq!(batch.size_bytes(), BATCH_SIZE_MAX);
    let receipt = store.engine.append(batch, &annals_engine::AppendOptions::default()).unwrap();
    // All but the first of the large ones are repeats of it.
    assert_eq!((receipt.sequences, u64::from(receipt.duplicate_count)), (2..4, count - 1));
    store.reopen();
    let found = store.engine.snapshot().get_sequence(2).unwrap().unwrap();
    assert_eq!(found.content().map(str::len), Some(CONTENT_SIZE_MAX));
    store.engine.seal_now().unwrap();
    assert_eq!(everything(&store.engine).len(), 3);
    assert_eq!(files(store.path(), "log").len(), 1, "the large log is gone");
}

#[test]
fn values_are_limited_each() {
    let text = "m".repeat(EVENT_SIZE_MAX + 1);
    let with = |message: usize, content: usize, payload: usize| {
        let cut = |len: usize| text.get(..len).filter(|text| !text.is_empty());
        let mut event = event(1, NOW_US);
        (event.message, event.content, event.payload) = (cut(message), cut(content), cut(payload));
        event
    };
    assert!(!refused(&with(MESSAGE_SIZE_MAX, 0, 0)) && refused(&with(MESSAGE_SIZE_MAX + 1, 0, 0)));
    assert!(!refused(&with(0, CONTENT_SIZE_MAX, 0)) && refused(&with(0, CONTENT_SIZE_MAX + 1, 0)));
    let own = "test.event".len();
    assert!(!refused(&with(0, 0, EVENT_SIZE_MAX - own)) && refused(&with(0, 0, EVENT_SIZE_MAX - own + 1)));
    let typed = |len: usize| Event::new(&text[..len]);
    assert!(refused(&typed(0)) && !refused(&typed(1)) && !refused(&typed(200)) && refused(&typed(201)));
    let named = |len: usize| {
        let mut event = event(1, NOW_US);
        event.set(Field::ResourceId, &text[..len]);
        event
    };
    assert!(!refused(&named(1024)) && refused(&named(1025)));
    let realms: Vec<String> = (0..=VALUES_MAX).map(|number| number.to_string()).collect();
    for (count, limit_kept) in [(VALUES_MAX, true), (VALUES_MAX + 1, false)] {
        let mut event = event(1, NOW_US);
        event.realm_ids = realms[..count].into();
        assert_eq!(refused(&event), !limit_kept, "{count} realms");
    }
    assert_eq!(VALUES_MAX, 16);
}

#[test]
fn times_are_limited_on_both_sides() {
    let store = Store::new(Durability::Sync);
    for (created_at_us, good) in [(-1, false), (0, true), (annals_engine::CREATED_AT_US_MAX + 1, false)] {
        assert_eq!(refused(&event(1, created_at_us)), !good, "{created_at_us}");
    }
    let day_ahead_us = NOW_US + crate::support::DAY_US;
    store.append(&[event(1, day_ahead_us)]).unwrap();
    assert_eq!(store.append(&[event(2, day_ahead_us + 1)]).unwrap_err().kind(), ErrorKind::InvalidInput);
    // An event from the future does not take the store's own time along.
    store.append(&[Event::new("now")]).unwrap();
    let (copy, _directory) = store.open_copy();
    copy.append(crate::support::batch(&[Event::new("now")]), &annals_engine::AppendOptions::default()).unwrap();
    let times: Vec<i64> = everything(&copy).iter().map(|line| line.created_at_us).collect();
    assert_eq!(times, [day_ahead_us, NOW_US, NOW_US]);
}

#[test]
fn options_outside_their_range_are_named() {
    type Change = fn(&mut Options);
    let bad: [(&str, Change); 12] = [
        ("log_size_bytes", |options| options.log_size_bytes = LOG_SIZE_BYTES_MIN - 1),
        ("log_size_bytes", |options| options.log_size_bytes = LOG_SIZE_BYTES_MAX + 1),
        ("sync_interval_ms", |options| options.sync_interval_ms = 0),
        ("sync_interval_ms", |options| options.sync_interval_ms = 60_001),
        ("sync_interval_bytes", |options| options.sync_interval_bytes = 4095),
        ("sync_interval_bytes", |options| options.sync_interval_bytes = (1 << 30) + 1),
        ("sync_marker_idle_ms", |options| options.sync_marker_idle_ms = 0),
        ("sync_marker_idle_ms", |options| options.sync_marker_idle_ms = 60_001),
        ("queue_size_bytes", |options| options.queue_size_bytes = (1 << 20) - 1),
        ("queue_size_bytes", |options| options.queue_size_bytes = (4 << 30) + 1),
        ("unsealed_logs_max", |options| options.unsealed_logs_max = 0),
        ("unsealed_logs_max", |options| options.unsealed_logs_max = 65),
    ];
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    for (name, change) in bad {
        let mut options = Options::new(&path);
        change(&mut options);
        let error = Engine::open(options).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.message().contains(name), "{error}");
    }
    assert!(!path.exists(), "nothing is made for options that are refused");
}

#[test]
fn filters_are_as_deep_as_the_limit_and_no_deeper() {
    let store = Store::new(Durability::Sync);
    store.append(&[event(1, NOW_US)]).unwrap();
    let nested = |levels: usize| (1..levels).fold(Filter::term(Field::EventType, "other"), |inner, _| inner.not());
    // One level is the store's own, for the sequence up to which a delete holds.
    let deepest = nested(FILTER_DEPTH_MAX - 2);
    assert!(store.engine.delete(&Delete::Matching(deepest)).is_ok());
    store.append(&[event(2, NOW_US)]).unwrap();
    let error = store.engine.delete(&Delete::Matching(nested(FILTER_DEPTH_MAX + 1).not())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(!everything(&store.engine).is_empty());
}

#[test]
fn a_store_is_open_once() {
    let store = Store::new(Durability::Sync);
    let error = Engine::open(store.options.clone()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Locked);
    store.engine.close().unwrap();
    store.engine.close().unwrap();
    let second = Engine::open(store.options.clone()).unwrap();
    assert_eq!(store.append(&[event(1, NOW_US)]).unwrap_err().kind(), ErrorKind::Poisoned);
    second.append(crate::support::batch(&[event(1, NOW_US)]), &annals_engine::AppendOptions::default()).unwrap();
}
