//! The background reads everything again: at its rate, once in its period, and finds what went bad meanwhile.

use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use annals_engine::{Clock as _, Delete, Durability, Engine, Event, Filter, Options, OsClock, ScrubStats};

use crate::support::{DAY_US, NOW_US, Store, event, everything, files, select, with_message};

const PERIOD_MS: u64 = 3_600_000;

/// A store of two sealed days, reopened with a scrubber.
fn store(change: impl FnOnce(&mut Options)) -> Store {
    let mut store = Store::new(Durability::Buffered);
    let mut state = 7_u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:x}", state >> 8)
    };
    for day in 0..2_u32 {
        let texts: Vec<String> = (0..1000).map(|_| (0..20).map(|_| word()).collect()).collect();
        let events: Vec<Event<'_>> = (0_u32..)
            .zip(&texts)
            .map(|(at, text)| {
                let time = NOW_US - i64::from(2 - day) * DAY_US + i64::from(at);
                with_message(event(u128::from(day * 5000 + at + 1), time), text)
            })
            .collect();
        store.append(&events).unwrap();
        store.engine.seal_now().unwrap();
    }
    store.engine.put_blob("name", b"value").unwrap();
    store.engine.close().unwrap();
    store.options.background = true;
    store.options.scrub_period_ms = PERIOD_MS;
    change(&mut store.options);
    store.engine = Engine::open(store.options.clone()).unwrap();
    store
}

fn wait(store: &Store, what: &str, is_so: impl Fn(&ScrubStats) -> bool) -> ScrubStats {
    let begun = OsClock::new();
    loop {
        let stats = store.engine.stats().scrub;
        if is_so(&stats) {
            return stats;
        }
        assert!(begun.monotonic() < Duration::from_mins(1), "{what}: {stats:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Lets time pass until a pass is done.
fn run_pass(store: &Store) -> ScrubStats {
    let passes = store.engine.stats().scrub.passes;
    store.clock.advance_us(PERIOD_MS * 1000);
    wait(store, "a pass is done", |stats| {
        store.clock.advance_us(1000);
        stats.passes > passes
    })
}

#[test]
fn a_pass_reads_everything_and_comes_again_after_its_period() {
    let mut store = store(|_| ());
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(store.engine.stats().scrub.bytes, 0, "not before queries had their time");
    let first = run_pass(&store);
    assert!(first.bytes >= store.engine.stats().sealed_bytes * 9 / 10, "{first:?}");
    assert_eq!((first.corrupt_blocks, first.damages.len(), first.segment_id), (0, 0, None));
    assert!(first.finished_at_us >= first.started_at_us);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(store.engine.stats().scrub.passes, 1, "once in a period");
    let second = run_pass(&store);
    // And what it wrote down itself.
    assert!((2 * first.bytes..2 * first.bytes + 100).contains(&second.bytes), "{second:?}");
    // A restart knows when the last pass was.
    store.engine.close().unwrap();
    store.engine = Engine::open(store.options.clone()).unwrap();
    let after = wait(&store, "it knows", |stats| stats.finished_at_us.is_some());
    assert_eq!((after.passes, after.finished_at_us), (0, second.finished_at_us));
}

#[test]
fn a_pass_keeps_to_its_rate_stops_at_close_and_goes_on_after_it() {
    const CHUNK: u64 = 64 << 10;
    let mut store = store(|options| options.scrub_bytes_per_second = 4096);
    store.clock.advance_us(PERIOD_MS * 1000);
    wait(&store, "it begins", |stats| stats.bytes > 0);
    std::thread::sleep(Duration::from_millis(300));
    let held = store.engine.stats().scrub;
    assert!(held.running && held.bytes <= CHUNK, "the clock stands still: {held:?}");
    let begun = OsClock::new();
    store.engine.close().unwrap();
    assert!(begun.monotonic() < Duration::from_secs(10), "a close waits for no pass");

    store.engine = Engine::open(store.options.clone()).unwrap();
    store.clock.advance_us(PERIOD_MS * 1000);
    wait(&store, "it begins again", |stats| stats.bytes > 0);
    // Enough for the first segment, and longer than the progress is not kept.
    store.clock.advance_us(61_000_000);
    let first = wait(&store, "the first segment is read", |stats| stats.segment_id.is_some_and(|id| id > 0));
    let first_id = first.segment_id.unwrap();
    assert!(files(store.path(), "segment")[0].to_string_lossy().contains(&format!("{first_id:020}")));
    let kept =
        |store: &Store| files(store.path(), "blob").iter().any(|path| std::fs::read(path).unwrap().len() == 64 + 24);
    wait(&store, "the progress is kept", |_| kept(&store));
    store.engine.close().unwrap();

    store.options.scrub_bytes_per_second = 1 << 30;
    store.engine = Engine::open(store.options.clone()).unwrap();
    let known = wait(&store, "it knows where it was", |stats| stats.segment_id.is_some());
    assert_eq!((known.segment_id, known.started_at_us), (first.segment_id, first.started_at_us));
    let rest = run_pass(&store);
    assert!(rest.bytes < store.engine.stats().sealed_bytes * 3 / 4, "the first segment is not read again: {rest:?}");
}

#[test]
fn damage_is_found_told_once_and_met_only_by_those_who_touch_it() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&told);
    let store = store(|options| {
        options.on_damage = Some(Arc::new(move |damage| heard.lock().unwrap().push(damage.to_string())));
    });
    assert_eq!(everything(&store.engine).len(), 2000, "every chunk was touched and found good");
    let path = files(store.path(), "segment")[0].clone();
    let len = std::fs::metadata(&path).unwrap().len();
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, len / 2).unwrap();
    file.write_all_at(&[byte[0] ^ 1], len / 2).unwrap();
    let found = run_pass(&store);
    assert_eq!((found.corrupt_blocks, found.damages.len()), (1, 1), "{found:?}");
    assert!(found.damages[0].contains("segment checksum") || found.damages[0].contains("chunk checksum"), "{found:?}");
    assert!(found.damages[0].contains("sequences 1 to 1000"), "{found:?}");
    let newer = Filter::created_between(NOW_US - DAY_US, i64::MAX);
    assert_eq!(select(&store.engine, &newer).unwrap().len(), 1000, "the other day serves");
    assert!(select(&store.engine, &Filter::All).is_err(), "never less than there is");
    let again = run_pass(&store);
    assert_eq!((again.corrupt_blocks, again.damages.len()), (2, 1), "counted again, told once");
    assert_eq!(told.lock().unwrap().len(), 1);
    // It is no reason to refuse writes.
    store.append(&[event(99_999, NOW_US)]).unwrap();
    store.engine.delete(&Delete::CreatedBefore(NOW_US - DAY_US)).unwrap();
    assert_eq!(store.engine.stats().scrub.damages, Vec::<String>::new(), "with its file the damage is gone");
}

/// A degraded store once refused every query for ever that touched such a segment, and never left it out.
#[test]
fn a_degraded_store_leaves_out_what_a_pass_found_to_be_unreadable() {
    let store = store(|options| options.degraded = true);
    assert_eq!(everything(&store.engine).len(), 2000);
    // Behind its new end the device has nothing; the map of it is not touched any more.
    let path = files(store.path(), "segment")[0].clone();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(5000).unwrap();
    let found = run_pass(&store);
    assert_eq!(found.damages.len(), 1, "{found:?}");
    assert_eq!(select(&store.engine, &Filter::All).unwrap().len(), 1000, "the other day");
    let snapshot = store.engine.snapshot();
    assert_eq!((snapshot.gaps().len(), snapshot.gaps()[0].first_sequence), (1, 1));
    assert!(store.append(&[event(99_999, NOW_US)]).is_err(), "nothing is written to what is not whole");
}

#[test]
fn it_is_off_when_told_so() {
    let store = store(|options| options.scrub_period_ms = 0);
    store.clock.advance_us(PERIOD_MS * 1_000_000);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(store.engine.stats().scrub, ScrubStats::default());
}
