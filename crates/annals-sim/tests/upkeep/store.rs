//! A store on a simulated disk, and what is in it.

use std::path::Path;
use std::sync::Arc;

use annals_engine::{
    AppendOptions, Batch, Delete, Durability, Engine, Event, Filter, ManualClock, Mark, Options, Storage,
};
use annals_sim::{SimStorage, World};
use parking_lot::Mutex;

pub(crate) const STORE: &str = "/s/store";
const NOW_US: i64 = 1_800_000_000_000_000;
const CAPACITY: u64 = 64 << 20;

pub(crate) struct Machine(pub(crate) Arc<Mutex<World>>);

impl Machine {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(World::new(seed, Path::new("/s"), CAPACITY))))
    }

    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(SimStorage::new(&self.0))
    }

    pub(crate) fn open(&self, directory: &str) -> Result<Engine, annals_engine::Error> {
        let mut options = Options::new(directory);
        options.log_size_bytes = 1 << 20;
        options.durability = Durability::Sync;
        options.background = false;
        options.storage = self.storage();
        options.clock = Arc::new(ManualClock::at(NOW_US));
        Engine::open(options)
    }

    /// A store of two segments with overlays, a value, and a log with events, deletes and marks.
    pub(crate) fn filled(&self) -> Engine {
        let engine = self.open(STORE).unwrap();
        for _ in 0..2 {
            append(&engine, 40);
            engine.seal_now().unwrap();
        }
        engine.delete(&Delete::Sequences(vec![3, 50])).unwrap();
        append(&engine, 5);
        engine.seal_now().unwrap();
        engine.put_blob("name", b"value").unwrap();
        append(&engine, 20);
        engine.delete(&Delete::Sequences(vec![4, 60, 90])).unwrap();
        engine.mark(&[Mark { sequence: 7, acknowledged: true }, Mark { sequence: 91, acknowledged: true }]).unwrap();
        engine
    }
}

pub(crate) fn append(engine: &Engine, count: usize) {
    let mut batch = Batch::new();
    let text = "m".repeat(200);
    for _ in 0..count {
        let mut event = Event::new("a");
        event.message = Some(&text);
        batch.push(&event).unwrap();
    }
    engine.append(batch, &AppendOptions::default()).unwrap();
}

/// Sequence and mark of every event.
pub(crate) fn everything(engine: &Engine) -> Vec<(u64, bool)> {
    let mut found = Vec::new();
    for part in engine.snapshot().parts() {
        for row in part.select(&Filter::All).unwrap().iter() {
            let event = part.event(row).unwrap();
            found.push((event.sequence, event.marks.acknowledged));
        }
    }
    found.sort_unstable();
    found
}
