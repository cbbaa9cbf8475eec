//! A ring buffer of the last N days: the disk holds so much and never more, however long it runs.
//!
//! `cargo run -p annals-engine --example ring_buffer`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use annals_engine::{
    AppendOptions, Batch, Delete, Engine, Event, ManualClock, Options, PartitionSpan, Partitioning, Result,
};
use std::sync::Arc;

const DAYS_KEPT: i64 = 7;
const DAYS_RUN: i64 = 30;
const EVENTS_A_DAY: i64 = 1000;
const DAY_US: i64 = 24 * 3600 * 1_000_000;

fn main() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A month in a moment: the clock is moved by hand.
    let clock = Arc::new(ManualClock::at(1_800_000_000_000_000));
    let mut options = Options::new(folder.path());
    options.log_size_bytes = 1 << 20;
    // A segment a day: what is too old is a whole file, and goes by unlink.
    options.partition = Partitioning::Fixed(PartitionSpan::Day);
    options.clock = Arc::clone(&clock) as Arc<dyn annals_engine::Clock>;
    let engine = Engine::open(options)?;
    for day in 0..DAYS_RUN {
        let now_us = engine.options().clock.now_us();
        let mut batch = Batch::new();
        for index in 0..EVENTS_A_DAY {
            let mut event = Event::new("sensor.read");
            event.created_at_us = Some(now_us - DAY_US + index * (DAY_US / EVENTS_A_DAY));
            batch.push(&event)?;
        }
        engine.append(batch, &AppendOptions::default())?;
        engine.seal_now()?;
        engine.delete(&Delete::CreatedBefore(now_us - DAYS_KEPT * DAY_US))?;
        let stats = engine.stats();
        println!(
            "day {day:>2}: {:>5} events, {} segments, {:>7} bytes",
            stats.events, stats.sealed_segments, stats.sealed_bytes
        );
        assert!(stats.events <= (DAYS_KEPT * EVENTS_A_DAY).unsigned_abs());
        clock.advance_us(DAY_US.unsigned_abs());
    }
    assert_eq!(engine.stats().events, (DAYS_KEPT * EVENTS_A_DAY).unsigned_abs());
    engine.close()
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().unwrap();
    }
}
