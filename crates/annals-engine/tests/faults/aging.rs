//! What happens to a log and to deleted rows when nothing but time passes.

use std::sync::Arc;
use std::time::Duration;

use annals_engine::{AppendOptions, Batch, Clock, Delete, Engine, EngineStats, Event, ManualClock, Options};

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
