//! Legal holds: what they keep stays through every kind of removal, starts and failures, and goes when they are released.

use std::io::ErrorKind as Io;
use std::sync::atomic::Ordering;

use annals_engine::{
    Amendment, AppendOptions, Delete, Durability, Engine, ErrorKind, Event, Field, Filter, HOLDS_MAX, Repeats,
};

use crate::support::{DAY_US, NOW_US, Store, batch, event, files, sequences, with_message};

/// Five events of each of three days, sealed by day; those with 3 and 8 and 13 say "case 7".
fn filled() -> Store {
    let store = Store::new(Durability::Sync);
    for day in 0..3_u32 {
        let at = NOW_US - i64::from(3 - day) * DAY_US;
        let events: Vec<Event<'_>> = (0..5_u32)
            .map(|index| {
                let number = day * 5 + index + 1;
                let about = if number % 5 == 3 { "case 7" } else { "nothing" };
                with_message(event(u128::from(number), at + i64::from(index)), about)
            })
            .collect();
        store.append(&events).unwrap();
    }
    store.engine.seal_now().unwrap();
    store
}

fn case() -> Filter {
    Filter::TextEquals(annals_engine::TextField::Message, "case 7".to_owned())
}

#[test]
fn what_is_held_stays_through_deletes_clean_ups_and_starts() {
    let mut store = filled();
    store.engine.place_hold("case 7", &case()).unwrap();
    assert_eq!(
        store.engine.delete(&Delete::Matching(Filter::created_between(i64::MIN, NOW_US - 2 * DAY_US))).unwrap(),
        4
    );
    assert_eq!(sequences(&store.engine), [3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    store.reopen();
    let before = files(store.path(), "segment").len();
    assert_eq!(store.engine.delete(&Delete::CreatedBefore(NOW_US - DAY_US)).unwrap(), 4);
    assert_eq!(sequences(&store.engine), [3, 8, 11, 12, 13, 14, 15]);
    assert_eq!(files(store.path(), "segment").len(), before, "a segment with something that is held is not dropped");
    let (killed, _folder) = store.open_copy();
    assert_eq!(sequences(&killed), [3, 8, 11, 12, 13, 14, 15]);
    store.engine.compact().unwrap();
    store.reopen();
    assert_eq!(sequences(&store.engine), [3, 8, 11, 12, 13, 14, 15]);
    let holds = store.engine.holds();
    assert_eq!((holds.len(), holds[0].name.as_str(), holds[0].placed_at_us), (1, "case 7", NOW_US));

    assert!(store.engine.release_hold("case 7").unwrap());
    assert_eq!(sequences(&store.engine).len(), 7, "a release deletes nothing");
    store.reopen();
    assert!(store.engine.holds().is_empty() && !store.engine.release_hold("case 7").unwrap());
    assert_eq!(store.engine.delete(&Delete::CreatedBefore(NOW_US - DAY_US)).unwrap(), 2);
    assert_eq!(sequences(&store.engine), [11, 12, 13, 14, 15]);
}

/// The log says what was spared: a delete done again behind the release takes no more than it did.
#[test]
fn a_delete_done_again_behind_the_release_spares_the_same() {
    let store = Store::new(Durability::Sync);
    store.append(&[event(1, NOW_US - DAY_US), with_message(event(2, NOW_US - DAY_US), "case 7")]).unwrap();
    store.engine.place_hold("case 7", &case()).unwrap();
    assert_eq!(store.engine.delete(&Delete::Matching(Filter::All)).unwrap(), 1);
    store.append(&[event(3, NOW_US - DAY_US)]).unwrap();
    assert_eq!(store.engine.delete(&Delete::CreatedBefore(NOW_US)).unwrap(), 1);
    assert!(store.engine.release_hold("case 7").unwrap());
    let (killed, _folder) = store.open_copy();
    assert_eq!(sequences(&killed), [2]);
}

#[test]
fn single_events_that_are_held_are_refused_by_name() {
    for sealed in [true, false] {
        let store = if sealed { filled() } else { Store::new(Durability::Sync) };
        if !sealed {
            let at = NOW_US - DAY_US;
            store.append(&[event(1, at), event(2, at), with_message(event(3, at), "case 7")]).unwrap();
        }
        let count = sequences(&store.engine).len();
        store.engine.place_hold("case 7", &case()).unwrap();
        let refused = store.engine.delete(&Delete::Sequences(vec![1, 3])).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Held);
        assert!(refused.message().contains("\"case 7\" keeps 1 of"), "{refused}");
        assert_eq!(sequences(&store.engine).len(), count, "all or nothing");
        let amendment = Amendment { sequence: 3, severity: Some("error".to_owned()), ..Amendment::default() };
        assert_eq!(store.engine.amend(&amendment).unwrap_err().kind(), ErrorKind::Held);
        let how = AppendOptions { repeats: Repeats::Replace, ..AppendOptions::default() };
        let newer = |id| batch(&[with_message(event(id, NOW_US), "newer")]);
        assert_eq!(store.engine.append(newer(3), &how).unwrap_err().kind(), ErrorKind::Held);
        assert!(store.engine.write_refusal().is_none());
        assert_eq!(store.engine.append(newer(2), &how).unwrap().replaced, 1);
        assert_eq!(store.engine.delete(&Delete::Sequences(vec![1])).unwrap(), 1);
        store.engine.release_hold("case 7").unwrap();
        assert_eq!(store.engine.append(newer(3), &how).unwrap().replaced, 1);
    }
}

#[test]
fn a_hold_is_placed_once_and_within_limits() {
    let store = filled();
    store.engine.place_hold("a", &case()).unwrap();
    store.engine.place_hold("a", &case()).unwrap();
    assert_eq!(store.engine.holds().len(), 1);
    assert_eq!(store.engine.place_hold("a", &Filter::All).unwrap_err().kind(), ErrorKind::Conflict);
    let marks = Filter::Acknowledged(true);
    assert_eq!(store.engine.place_hold("b", &marks).unwrap_err().kind(), ErrorKind::InvalidInput);
    let large = Filter::AnyOf(Field::ResourceId, vec!["x".repeat(1000); 2000]);
    assert_eq!(store.engine.place_hold("b", &large).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(store.engine.deletable(&Filter::All), case_spared());
    for number in 1..HOLDS_MAX {
        store.engine.place_hold(&number.to_string(), &Filter::none()).unwrap();
    }
    assert_eq!(store.engine.place_hold("one more", &Filter::none()).unwrap_err().kind(), ErrorKind::InvalidInput);
}

fn case_spared() -> Filter {
    Filter::Or(vec![case()]).not()
}

/// A failure leaves the holds as they were, in memory and behind a start, or, told so, as they were to be.
#[test]
fn a_failure_at_any_call_leaves_a_hold_or_none() {
    for number in 0.. {
        assert!(number < 100, "it comes to an end");
        let store = filled();
        let count = store.disk.refuse_call(number, Io::StorageFull);
        let placed = store.engine.place_hold("case 7", &case());
        let came_to_it = count.load(Ordering::Relaxed) > number;
        store.disk.heal();
        let (again, _folder) = store.open_copy();
        if store.engine.write_refusal().is_none() {
            assert_eq!(again.holds(), store.engine.holds(), "call {number}");
        }
        if placed.is_ok() {
            assert_eq!(again.holds().len(), 1, "call {number}");
        }
        if placed.is_ok() && !came_to_it {
            break;
        }
    }
}

/// Without its holds a store would delete what it must keep.
#[test]
fn a_store_whose_holds_are_damaged_is_not_written_to() {
    let store = filled();
    store.engine.place_hold("case 7", &case()).unwrap();
    store.engine.close().unwrap();
    for path in files(store.path(), "blob") {
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    assert_eq!(Engine::open(store.options.clone()).map(|_| ()).unwrap_err().kind(), ErrorKind::Corrupt);
    let mut degraded = store.options.clone();
    degraded.degraded = true;
    let engine = Engine::open(degraded).unwrap();
    assert_eq!(sequences(&engine).len(), 15);
    assert!(engine.delete(&Delete::Matching(Filter::All)).is_err());
}
