//! A store on a simulated disk, and what a reader can see of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use annals_engine::{
    AppendOptions, Batch, Clock, Durability, Engine, Event, Field, Filter, LOG_SIZE_BYTES_MIN, ManualClock, Options,
    PartitionSpan, Partitioning,
};
use annals_sim::{SimStorage, World};

/// 2027-01-15.
pub(crate) const NOW_US: i64 = 1_800_014_400_000_000;
pub(crate) const DAY_US: i64 = 24 * 3_600_000_000;
pub(crate) const EVENTS_OF_A_BATCH: usize = 2;

/// A clock whose every look at the time comes a little later: what is due by time comes to be done.
struct SteppingClock(ManualClock);

impl Clock for SteppingClock {
    fn now_us(&self) -> i64 {
        self.0.now_us()
    }

    fn monotonic(&self) -> Duration {
        self.0.advance_us(40_000);
        self.0.monotonic()
    }
}

/// The machine that a store lies on.
pub(crate) struct Machine(Arc<parking_lot::Mutex<World>>);

impl Machine {
    pub(crate) fn new() -> Self {
        Self(Arc::new(parking_lot::Mutex::new(World::new(1, Path::new("/store"), 64 << 20))))
    }

    pub(crate) fn open(&self, durability: Durability, background: bool) -> Engine {
        let mut options = Options::new("/store");
        options.log_size_bytes = LOG_SIZE_BYTES_MIN;
        options.partition = Partitioning::Fixed(PartitionSpan::Day);
        options.background = background;
        options.seal_threads = 1;
        options.maintenance_niceness = 0;
        options.durability = durability;
        options.storage = Arc::new(SimStorage::new(&self.0));
        options.clock = Arc::new(SteppingClock(ManualClock::at(NOW_US)));
        Engine::open(options).expect("a store opens on a disk without faults")
    }
}

/// Appends a batch whose events have its name, and says their sequences.
pub(crate) fn append(engine: &Engine, name: &str, created_at_us: Option<i64>) -> std::ops::Range<u64> {
    let mut batch = Batch::new();
    for _ in 0..EVENTS_OF_A_BATCH {
        let mut event = Event::new("a");
        event.set(Field::UserId, name);
        event.created_at_us = created_at_us;
        batch.push(&event).expect("a small event");
    }
    engine.append(batch, &AppendOptions::default()).expect("an append on a disk without faults").sequences
}

pub(crate) fn named(name: &str) -> Filter {
    Filter::term(Field::UserId, name)
}

/// Sequence and name of every event of one snapshot, after looking whether counts and lists agree, no batch is seen by
/// halves, and nothing below the watermark is missing but what a delete took, which is this many events.
pub(crate) fn read(engine: &Engine, deleted: usize) -> BTreeMap<u64, String> {
    let snapshot = engine.snapshot();
    let visible = snapshot.visible_sequence();
    let mut seen = BTreeMap::new();
    let mut counted = 0;
    for part in snapshot.parts() {
        let rows = part.select(&Filter::All).expect("a whole part");
        counted += part.count(&Filter::All).expect("a whole part").map_or(rows.len(), |count| count.rows);
        for row in rows.iter() {
            let event = part.event(row).expect("an event that was selected");
            assert!(event.sequence <= visible, "event {} is behind the watermark {visible}", event.sequence);
            let name = event.get(Field::UserId).expect("every event has a user").to_owned();
            assert_eq!(seen.insert(event.sequence, name), None, "event {} is there twice", event.sequence);
        }
    }
    assert_eq!(usize::try_from(counted).expect("few"), seen.len(), "counts and lists differ");
    let missing = usize::try_from(visible).expect("few") - seen.len();
    assert!(missing == 0 || missing == deleted, "{missing} events below {visible} are missing");
    let mut batches: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (sequence, name) in &seen {
        batches.entry(name).or_default().push(*sequence);
    }
    for (name, sequences) in &batches {
        let first = sequences.first().copied().unwrap_or(0);
        let whole: Vec<u64> = (first..).take(EVENTS_OF_A_BATCH).collect();
        assert_eq!(sequences, &whole, "batch {name} is not whole");
        let found: u32 =
            snapshot.parts().into_iter().map(|part| part.select(&named(name)).expect("a whole part").len()).sum();
        assert_eq!(usize::try_from(found).expect("few"), EVENTS_OF_A_BATCH, "the index of {name} differs");
    }
    seen
}
