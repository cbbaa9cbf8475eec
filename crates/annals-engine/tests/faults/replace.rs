//! Events that replace older ones with their id: either the old ones or the new one is there, never none
//! and never both.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use annals_engine::{
    Amendment, AppendOptions, Delete, Durability, Engine, ErrorKind, Event, EventId, Field, Filter, Idempotency, Mark,
    Options, ReadMark, Receipt, Repeats, Result, TenantScope,
};

use crate::disk::Disk;
use crate::support::{
    DAY_US, NOW_US, Store, batch, copy_store, event, everything, files, only_file, select, sequences, with_message,
};

fn replacing() -> AppendOptions {
    AppendOptions { repeats: Repeats::Replace, ..AppendOptions::default() }
}

fn replace(engine: &Engine, events: &[Event<'_>]) -> Result<Receipt> {
    engine.append(batch(events), &replacing())
}

/// The messages of all events with an id.
fn messages(engine: &Engine, id: u128) -> Vec<String> {
    let all = engine.snapshot().get_all(EventId::from_u128(id)).unwrap();
    all.iter().map(|event| event.message().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_older_event_with_the_id_goes_live_sealed_and_merged() {
    let mut store = Store::new(Durability::Sync);
    store.append(&[event(1, NOW_US), event(2, NOW_US), event(1, NOW_US - DAY_US)]).unwrap();
    // First both of id 1, then those of ids 1 and 100 that the round before wrote.
    for (round, text) in (0_i64..).zip(["a", "b", "c", "d", "e"]) {
        let other_time = event(1, NOW_US - round * DAY_US / 2);
        let receipt = replace(&store.engine, &[with_message(other_time, text), event(100, NOW_US - round)]).unwrap();
        assert_eq!((receipt.replaced, receipt.duplicate_count, receipt.replayed), (2, 0, false), "{text}");
        assert_eq!((receipt.sequences.end - receipt.sequences.start, receipt.ids.len()), (2, 2));
        assert_eq!(messages(&store.engine, 1), [text]);
        assert_eq!(everything(&store.engine).len(), 3);
        let (killed, _copy) = store.open_copy();
        assert_eq!(everything(&killed), everything(&store.engine), "{text}");
        match round {
            0 => store.reopen(),
            1 => store.engine.seal_now().unwrap(),
            2 => {
                store.engine.seal_now().unwrap();
                store.engine.compact().unwrap();
            }
            _ => {
                store.engine.seal_now().unwrap();
                store.reopen();
            }
        }
        assert_eq!(messages(&store.engine, 1), [text]);
    }
    assert_eq!(store.engine.stats().events, 3);
    assert!(store.engine.verify(&mut |_, _| ()).unwrap().damages.is_empty());
}

#[test]
fn what_has_no_id_or_a_new_one_replaces_nothing() {
    let store = Store::new(Durability::Sync);
    let mut without_id = Event::new("a");
    without_id.created_at_us = Some(NOW_US);
    for _ in 0..2 {
        assert_eq!(replace(&store.engine, &[without_id.clone()]).unwrap().replaced, 0);
    }
    assert_eq!(replace(&store.engine, &[event(1, NOW_US)]).unwrap().replaced, 0);
    assert_eq!(sequences(&store.engine), [1, 2, 3]);
    // An id that the store made is an id like any other.
    let made = store.engine.snapshot().get_sequence(1).unwrap().unwrap().id;
    let receipt = replace(&store.engine, &[event(made.as_u128(), NOW_US)]).unwrap();
    assert_eq!((receipt.replaced, sequences(&store.engine)), (1, vec![2, 3, 4]));
    // A deleted event is not there to be replaced.
    store.engine.delete(&Delete::Sequences(vec![3])).unwrap();
    assert_eq!(replace(&store.engine, &[event(1, NOW_US)]).unwrap().replaced, 0);
}

#[test]
fn an_id_that_comes_twice_is_refused_whole() {
    let store = Store::new(Durability::Sync);
    store.append(&[event(1, NOW_US)]).unwrap();
    let error = replace(&store.engine, &[event(2, NOW_US), event(1, NOW_US), event(2, NOW_US + 1)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(sequences(&store.engine), [1]);
    assert_eq!(store.append(&[event(2, NOW_US)]).unwrap().duplicate_count, 0);
}

#[test]
fn marks_amendments_and_receipts_do_not_carry_over() {
    for sealed in [false, true] {
        let mut store = Store::new(Durability::Sync);
        store.append(&[event(1, NOW_US)]).unwrap();
        if sealed {
            store.engine.seal_now().unwrap();
        }
        store.engine.mark(&[Mark { sequence: 1, acknowledged: true }]).unwrap();
        let severity = Some("warn".to_owned());
        store.engine.amend(&Amendment { sequence: 1, severity, ..Amendment::default() }).unwrap();
        let receipt = EventId::from_u128(5);
        let user_id = "ada".to_owned();
        store.engine.mark_read(&[ReadMark { sequence: 1, user_id, receipt, read_at_us: 1 }]).unwrap();
        replace(&store.engine, &[event(1, NOW_US)]).unwrap();
        for _ in 0..2 {
            let shown = store.engine.get(EventId::from_u128(1)).unwrap().unwrap();
            assert_eq!((shown.sequence, shown.marks.acknowledged, shown.get(Field::Severity)), (2, false, None));
            let snapshot = store.engine.snapshot();
            assert_eq!([1, 2].map(|sequence| snapshot.read_receipt(sequence, "ada").unwrap()), [None, None]);
            store.engine.seal_now().unwrap();
            store.reopen();
        }
    }
}

#[test]
fn a_replayed_answer_replaces_nothing() {
    let mut store = Store::new(Durability::Sync);
    store.append(&[event(1, NOW_US)]).unwrap();
    let how = AppendOptions { idempotency: Some(Idempotency { key: 7, body: 1 }), ..replacing() };
    let first = store.engine.append(batch(&[with_message(event(1, NOW_US), "first")]), &how).unwrap();
    assert_eq!((first.sequences, first.replaced, first.replayed), (2..3, 1, false));
    replace(&store.engine, &[with_message(event(1, NOW_US), "second")]).unwrap();
    for round in 0..4 {
        let again = store.engine.append(batch(&[with_message(event(1, NOW_US), "first")]), &how).unwrap();
        assert_eq!((again.sequences, again.replaced, again.replayed), (2..3, 0, true), "round {round}");
        assert_eq!(messages(&store.engine, 1), ["second"]);
        if round == 1 {
            store.engine.seal_now().unwrap();
        }
        store.reopen();
    }
}

#[test]
fn what_the_scope_does_not_see_stays() {
    let store = Store::new(Durability::Sync);
    let of = |realm: &'static [&'static str; 1]| {
        let mut one = event(1, NOW_US);
        one.realm_ids = realm.into();
        one
    };
    store.append(&[of(&["a"])]).unwrap();
    let scope = TenantScope::Limited { realms: vec!["b".to_owned()], orgs: Vec::new() };
    let how = AppendOptions { scope, ..replacing() };
    for round in 0..3_u64 {
        let receipt = store.engine.append(batch(&[of(&["b"])]), &how).unwrap();
        assert_eq!(receipt.replaced, u32::from(round > 0));
        assert_eq!(sequences(&store.engine), [1, 2 + round]);
        store.engine.seal_now().unwrap();
    }
    assert_eq!(replace(&store.engine, &[of(&["a"])]).unwrap().replaced, 2);
}

/// Through several logs, one of them begun by a batch that replaces.
#[test]
fn a_replacing_batch_may_need_a_new_log() {
    let mut store = Store::new(Durability::Buffered);
    let long = "x".repeat(8000);
    for round in 0..400_u64 {
        let event = with_message(event(u128::from(round % 3), NOW_US), &long);
        assert_eq!(replace(&store.engine, &[event]).unwrap().replaced, u32::from(round > 2), "round {round}");
    }
    assert!(files(store.path(), "log").len() > 2);
    assert_eq!(sequences(&store.engine), [398, 399, 400]);
    store.reopen();
    assert_eq!(sequences(&store.engine), [398, 399, 400]);
    store.engine.seal_now().unwrap();
    store.reopen();
    assert_eq!(sequences(&store.engine), [398, 399, 400]);
}

#[test]
fn readers_see_the_old_one_or_the_new_one() {
    let store = Store::new(Durability::Buffered);
    store.append(&[event(1, NOW_US)]).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let reader = threads.spawn(|| {
            let mut looked = 0;
            while !stop.load(Ordering::Relaxed) {
                let snapshot = store.engine.snapshot();
                assert_eq!(snapshot.get_all(EventId::from_u128(1)).unwrap().len(), 1);
                looked += 1;
            }
            looked
        });
        for round in 0..300 {
            assert_eq!(replace(&store.engine, &[event(1, NOW_US - round)]).unwrap().replaced, 1);
        }
        stop.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}

#[test]
fn replacers_and_others_at_once_leave_one() {
    let store = Store::with(Durability::Buffered, |options| options.background = true);
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                for round in 0..60 {
                    replace(&store.engine, &[event(1, NOW_US - round)]).unwrap();
                    store.append(&[event(u128::try_from(round).unwrap() + 10, NOW_US)]).unwrap();
                }
            });
        }
        threads.spawn(|| {
            for _ in 0..10 {
                store.engine.seal_now().unwrap();
                store.engine.compact().unwrap();
            }
        });
    });
    assert_eq!(messages(&store.engine, 1).len(), 1);
    assert_eq!(everything(&store.engine).len(), 61);
    let (killed, _copy) = store.open_copy();
    assert_eq!(everything(&killed), everything(&store.engine));
}

/// Opens a copy of a store with some bytes of its log cleared.
fn open_with_log(from: &Path, log: &[u8]) -> (Engine, tempfile::TempDir) {
    let copy = crate::support::small_folder();
    copy_store(from, copy.path());
    std::fs::write(only_file(copy.path(), "log"), log).unwrap();
    let engine = Engine::open(options(copy.path())).unwrap();
    (engine, copy)
}

fn options(directory: &Path) -> Options {
    crate::support::options(directory, &Disk::new())
}

/// A power cut inside the write: each prefix of the frame, and each missing piece of it.
#[test]
fn a_torn_frame_replaces_nothing() {
    for sealed in [false, true] {
        let store = Store::new(Durability::Buffered);
        store.append(&[with_message(event(1, NOW_US), "old"), event(2, NOW_US)]).unwrap();
        if sealed {
            store.engine.seal_now().unwrap();
        }
        let log = only_file(store.path(), "log");
        let before = std::fs::read(&log).unwrap();
        replace(&store.engine, &[with_message(event(1, NOW_US), "new"), event(2, NOW_US + 1)]).unwrap();
        let after = std::fs::read(&log).unwrap();
        let changed: Vec<usize> = (0..after.len()).filter(|at| before[*at] != after[*at]).collect();
        let (first, end) = (changed[0], changed[changed.len() - 1] + 1);
        let check = |bytes: &[u8], context: &str| {
            let (engine, _copy) = open_with_log(store.path(), bytes);
            let found = messages(&engine, 1);
            let whole = bytes == after;
            assert_eq!(found, [if whole { "new" } else { "old" }], "{context}, sealed {sealed}");
            assert_eq!(everything(&engine).len(), 2, "{context}");
            engine.close().unwrap();
        };
        for cut in first..=end {
            let torn: Vec<u8> = after[..cut].iter().chain(&before[cut..]).copied().collect();
            check(&torn, &format!("cut at {cut}"));
        }
        for start in (first..end).step_by(8) {
            let mut torn = after.clone();
            let piece = start..(start + 8).min(end);
            if torn[piece.clone()] != before[piece.clone()] {
                torn[piece.clone()].copy_from_slice(&before[piece]);
                check(&torn, &format!("missing from {start}"));
            }
        }
    }
}

/// What a damaged segment has not taken is done when its file is back.
#[test]
fn a_damaged_segment_is_owed_what_was_replaced_amended_and_read() {
    let mut store = Store::new(Durability::Sync);
    store.append(&[with_message(event(1, NOW_US), "old"), event(2, NOW_US), event(3, NOW_US)]).unwrap();
    store.engine.seal_now().unwrap();
    let segment = only_file(store.path(), "segment");
    let keyed = AppendOptions { idempotency: Some(Idempotency { key: 7, body: 1 }), ..replacing() };
    let new = batch(&[with_message(event(1, NOW_US + DAY_US / 2), "new")]);
    store.engine.append(new.clone(), &keyed).unwrap();
    let severity = Some("warn".to_owned());
    store.engine.amend(&Amendment { sequence: 2, severity, updated_at_us: 4, ..Amendment::default() }).unwrap();
    let receipt = EventId::from_u128(5);
    let read = ReadMark { sequence: 3, user_id: "ada".to_owned(), receipt, read_at_us: 1 };
    store.engine.mark_read(std::slice::from_ref(&read)).unwrap();
    let expected = everything(&store.engine);
    store.engine.close().unwrap();
    let bytes = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &bytes[..bytes.len() - 1]).unwrap();
    for round in 0..2 {
        store.engine = Engine::open(store.options.clone()).unwrap();
        let error = replace(&store.engine, &[event(1, NOW_US)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "who can say what it replaces, round {round}");
        assert!(store.engine.append(new.clone(), &keyed).unwrap().replayed, "no segment is asked");
        assert!(store.engine.snapshot().read_receipt(3, "ada").is_err());
        assert!(store.engine.mark_read(std::slice::from_ref(&read)).is_err());
        store.append(&[event(50 + round, NOW_US + 2 * DAY_US / 3)]).unwrap();
        store.engine.seal_now().unwrap();
        store.engine.close().unwrap();
    }
    std::fs::write(&segment, &bytes).unwrap();
    for round in 0..2 {
        store.engine = Engine::open(store.options.clone()).unwrap();
        let found: Vec<_> = everything(&store.engine).into_iter().filter(|line| line.sequence <= 4).collect();
        assert_eq!(found, expected, "round {round}");
        assert_eq!(messages(&store.engine, 1), ["new"]);
        let warned = select(&store.engine, &Filter::term(Field::Severity, "warn")).unwrap();
        assert_eq!(warned.iter().map(|line| line.sequence).collect::<Vec<_>>(), [2]);
        let found = store.engine.snapshot().read_receipt(3, "ada").unwrap();
        assert_eq!(found.map(|found| found.receipt), Some(receipt));
        store.append(&[event(60 + round, NOW_US)]).unwrap();
        store.engine.seal_now().unwrap();
        store.engine.close().unwrap();
    }
}

/// Replacing is synced at every level: tombstones that became durable on their own would leave nothing.
#[test]
fn what_replaces_is_durable_at_every_level() {
    for level in [Durability::Buffered, Durability::Interval, Durability::Sync] {
        let store = Store::new(level);
        replace(&store.engine, &[event(1, NOW_US)]).unwrap();
        assert_eq!(store.engine.durable_sequence(), u64::from(level == Durability::Sync), "{level}");
        replace(&store.engine, &[event(1, NOW_US)]).unwrap();
        assert_eq!(store.engine.durable_sequence(), 2, "{level}");
    }
}
