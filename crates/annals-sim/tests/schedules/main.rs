//! The engine's own threads, callers, readers, sealing and retention under a scheduler that chooses who goes on at
//! each step: `tests/concurrency/run.sh`. A failure prints the schedule, which replays it.
#![cfg(shuttle)]
#![expect(clippy::expect_used, clippy::panic, reason = "a test")]

mod replacing;
mod retention;
mod store;
mod together;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, MaxSteps, Runner};

/// Half of the schedules are random, half follow few preemptions at chosen places.
fn explore(scenario: fn()) {
    let schedules = std::env::var("SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_usize);
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    config.max_steps = MaxSteps::FailAfter(1_000_000);
    config.silence_warnings = true;
    let seed = std::env::var("SCHEDULE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1_u64);
    Runner::new(RandomScheduler::new_from_seed(seed, schedules / 2), config.clone()).run(scenario);
    Runner::new(PctScheduler::new_from_seed(seed, 4, schedules - schedules / 2), config).run(scenario);
}

#[test]
fn appends_reads_deletes_and_seals_at_once() {
    explore(together::scenario);
}

#[test]
fn retention_while_others_read_and_append() {
    explore(retention::scenario);
}

#[test]
fn replacing_and_marking_while_others_read_and_seal() {
    explore(replacing::scenario);
}
