//! What happens to a log and to deleted rows when nothing but time passes.

use std::sync::Arc;
use std::time::Duration;

use annals_engine::{
    AppendOptions, Batch, Clock, Delete, Engine, EngineStats, Event, ManualClock, Mark, Options, StoredEvent,
};

const HOUR_US: u64 = 3_600_000_000;

/// Waits for the engine's threads: they look at the clock about once a second.
fn wait_for(engine: &Engine, reached: impl Fn(&EngineStats) -> bool) {
    for _ in 0..400 {
        if reached(&engine.stats()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("not reached: {:?}", engine.stats());
}

#[test]
fn an_old_log_is_sealed_and_deleted_rows_go_within_a_day() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(1_700_000_000_000_000));
    let mut options = Options::new(directory.path());
    options.log_size_bytes = 1 << 20;
    options.log_age_ms_max = 3_600_000;
    options.clock = Arc::clone(&clock) as Arc<dyn Clock>;
    let engine = Engine::open(options).unwrap();
    let mut batch = Batch::new();
    for _ in 0..100 {
        batch.push(&Event::new("user.login")).unwrap();
    }
    engine.append(batch, &AppendOptions::default()).unwrap();
    clock.advance_us(HOUR_US / 2);
    engine.flush().unwrap();
    assert_eq!(engine.stats().sealed_segments, 0);
    clock.advance_us(HOUR_US);
    wait_for(&engine, |stats| stats.sealed_segments == 1 && stats.live_rows == 0);
    assert_eq!(engine.delete(&Delete::Sequences(vec![7])).unwrap(), 1);
    assert_eq!(engine.stats().tombstones, 1);
    clock.advance_us(24 * HOUR_US);
    wait_for(&engine, |stats| stats.tombstones == 0 && stats.sealed_rows == 99);
    engine.close().unwrap();
}

/// The events of the first sequences as they are read.
fn read_all(engine: &Engine, count: u64) -> Vec<Option<StoredEvent>> {
    let snapshot = engine.snapshot();
    (1..=count).map(|sequence| snapshot.get_sequence(sequence).unwrap()).collect()
}

#[test]
fn a_segment_that_is_no_longer_fresh_becomes_smaller_once_and_reads_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(1_700_000_000_000_000));
    let mut options = Options::new(directory.path());
    options.log_size_bytes = 8 << 20;
    options.cold_after_ms = 6 * 3_600_000;
    options.clock = Arc::clone(&clock) as Arc<dyn Clock>;
    let engine = Engine::open(options).unwrap();
    let payload = |row: u64| -> String {
        // Members in ever another order: few rows have a shape in common.
        let members = (0..24).map(|member| (row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> member) % 37);
        let members: Vec<String> = members.map(|key| format!(r#""member {key}":"of {key} {}""#, row % 9)).collect();
        format!("{{{}}}", members.join(","))
    };
    let mut batch = Batch::new();
    for row in 0..3000 {
        let payload = payload(row);
        let mut event = Event::new(if row % 3 == 0 { "user.login" } else { "user.logout" });
        event.payload = Some(&payload);
        batch.push(&event).unwrap();
    }
    engine.append(batch, &AppendOptions::default()).unwrap();
    engine.seal_now().unwrap();
    engine.mark(&[Mark { sequence: 7, acknowledged: true }]).unwrap();
    let fresh = engine.stats();
    let events = read_all(&engine, 3000);
    assert!(events.iter().all(Option::is_some));
    clock.advance_us(5 * HOUR_US);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(engine.stats().sealed_bytes, fresh.sealed_bytes, "it is fresh for six hours");
    clock.advance_us(HOUR_US);
    wait_for(&engine, |stats| stats.compactions > fresh.compactions);
    let packed = engine.stats();
    assert!(packed.sealed_bytes * 10 < fresh.sealed_bytes * 9, "{packed:?} against {fresh:?}");
    assert_eq!(read_all(&engine, 3000), events);
    assert!(engine.verify(&mut |_, _| {}).unwrap().damages.is_empty());
    clock.advance_us(12 * HOUR_US);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(engine.stats().compactions, packed.compactions, "it is packed once");
    assert_eq!(engine.compact().unwrap(), 0);
    engine.close().unwrap();
}
