//! Some hundred runs, so that a plain test run meets crashes too; `annals-sim` does as many as one likes.

use annals_engine::Durability;
use annals_sim::{Counts, Fault, Figures, RunOptions, every_call, every_recovery, run};

#[test]
fn stores_come_through_crashes() {
    let mut sum = Figures::default();
    for seed in 0..200 {
        let figures = run(seed, RunOptions { faults: seed % 2 == 0, ..RunOptions::default() });
        sum.add(&figures.unwrap_or_else(|failure| panic!("{failure}")));
    }
    // The runs must be worth something.
    assert!(sum.power_cuts > 1_000 && sum.cuts_in_recovery > 300 && sum.cuts_three_deep > 30, "{sum}");
    assert!(sum.events > 10_000 && sum.noticed_flips > 100, "{sum}");
}

/// Every call of the disk, its answer and what was in the files are the same.
#[test]
fn a_seed_replays_to_the_last_byte() {
    for seed in [3, 5_000, 77_777, u64::MAX] {
        let first = run(seed, RunOptions::default());
        assert_eq!(first, run(seed, RunOptions::default()), "seed {seed}");
        let other = run(seed ^ 1, RunOptions::default()).map(|figures| figures.digest);
        assert_ne!(first.map(|figures| figures.digest), other);
    }
}

/// All scripts, levels and faults: `annals-sim --every`.
#[test]
fn each_call_of_small_scripts_goes_wrong_in_turn() {
    let mut sum = Counts::default();
    for (script, level) in [("create", Durability::Interval), ("seal", Durability::Sync)] {
        for fault in std::iter::once(Fault::Crash).chain(Fault::FAILURES) {
            sum.add(&every_call(script, level, 0, fault).unwrap_or_else(|what| panic!("{what}")));
        }
    }
    assert!(sum.plays > 1_000 && sum.power_cuts > 150, "{sum:?}");
}

#[test]
fn each_call_of_a_recovery_is_the_last_in_turn() {
    let counts = every_recovery("seal", Durability::Sync, 0, 1).unwrap_or_else(|what| panic!("{what}"));
    assert!(counts.power_cuts > 1_000, "{counts:?}");
}

/// Seeds that found something, each in the runs of its day: what it was has a test of its own beside the engine, or
/// comes up in other seeds too.
#[test]
fn seeds_that_found_something() {
    let seeds = [
        // A clean-up whose frame was written and whose manifest was not said that it failed, and was done at the next
        // start.
        1_740, 2_908, 3_984, 5_282,
        // A poisoned store showed events behind what was durable, from a page cache that had lost them.
        4_647, 4_676, 10_605, 12_356, 19_567,
        // Damage to what recovery had kept looked like a torn tail until something else was written.
        1_022_722,
    ];
    for seed in seeds {
        run(seed, RunOptions::default()).unwrap_or_else(|failure| panic!("{failure}"));
    }
}
