//! Some hundred runs, so that a plain test run meets crashes too; `annals-sim` does as many as one likes.

use annals_sim::{Figures, RunOptions, run};

#[test]
fn stores_come_through_crashes() {
    let mut sum = Figures::default();
    for seed in 0..300 {
        let figures = run(seed, RunOptions { faults: seed % 2 == 0, ..RunOptions::default() });
        let figures = figures.unwrap_or_else(|failure| panic!("{failure}"));
        sum.power_cuts += figures.power_cuts;
        sum.cuts_in_recovery += figures.cuts_in_recovery;
        sum.events += figures.events;
    }
    // The runs must be worth something.
    assert!(sum.power_cuts > 1_000 && sum.cuts_in_recovery > 100 && sum.events > 5_000, "{sum:?}");
}

/// A poisoned store showed events behind what was durable, from a page cache that had lost them.
#[test]
fn a_poisoned_store_shows_what_is_durable() {
    for seed in [4647, 4676] {
        run(seed, RunOptions::default()).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

/// A clean-up whose frame was written and whose manifest was not said that it failed, showed its events on, and lost
/// them at the next start.
#[test]
fn a_clean_up_that_cannot_drop_segments_at_once_is_done_all_the_same() {
    for seed in [1740, 2908, 3984, 5282] {
        run(seed, RunOptions::default()).unwrap_or_else(|failure| panic!("{failure}"));
    }
}
