//! A small store to break, and what must be in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use annals_engine::{
    AppendOptions, Batch, Durability, Engine, Error, ErrorKind, Event, EventId, Field, Filter, Idempotency,
    ManualClock, Options, PartitionSpan, Partitioning, Receipt, Result, StoredEvent,
};

use crate::disk::Disk;

/// 2027-01-15, in the middle of a day.
pub(crate) const NOW_US: i64 = 1_800_014_400_000_000;
pub(crate) const DAY_US: i64 = 86_400_000_000;
pub(crate) const LOG_SIZE: u64 = 1 << 20;

/// A store in a folder of its own, on a disk that fails when told to, with a clock that stands still.
pub(crate) struct Store {
    pub(crate) engine: Engine,
    pub(crate) options: Options,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) disk: Disk,
    directory: tempfile::TempDir,
}

impl Store {
    pub(crate) fn new(durability: Durability) -> Self {
        Self::with(durability, |_| ())
    }

    pub(crate) fn with(durability: Durability, change: impl FnOnce(&mut Options)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(NOW_US));
        let disk = Disk::new();
        let mut options = options(directory.path(), &disk);
        options.durability = durability;
        options.clock = Arc::clone(&clock) as Arc<dyn annals_engine::Clock>;
        change(&mut options);
        let engine = Engine::open(options.clone()).unwrap();
        Self { engine, options, clock, disk, directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Closes and opens again.
    pub(crate) fn reopen(&mut self) {
        self.engine.close().unwrap();
        self.engine = Engine::open(self.options.clone()).unwrap();
        assert!(self.engine.recovery_notes().is_empty(), "{:?}", self.engine.recovery_notes());
    }

    pub(crate) fn append(&self, events: &[Event<'_>]) -> Result<Receipt> {
        self.engine.append(batch(events), &AppendOptions::default())
    }

    /// Opens what a killed process would leave now, on a disk without faults.
    pub(crate) fn open_copy(&self) -> (Engine, tempfile::TempDir) {
        let copy = tempfile::tempdir().unwrap();
        copy_store(self.path(), copy.path());
        let mut options = self.options.clone();
        copy.path().clone_into(&mut options.directory);
        options.storage = Arc::new(Disk::new());
        (Engine::open(options).unwrap(), copy)
    }
}

/// A folder for stores of a few MiB that are made by the thousand: in memory, where there is such a thing.
pub(crate) fn small_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Whether the long form of the tests of damage is asked for (`every_byte.rs`).
pub(crate) fn is_thorough() -> bool {
    std::env::var_os("ANNALS_DAMAGE").is_some_and(|value| value == "all")
}

/// The bits of a byte that are flipped, each by itself: one, another in every byte, or all.
pub(crate) fn bits(position: usize) -> std::ops::Range<usize> {
    if is_thorough() { 0..8 } else { position % 8..position % 8 + 1 }
}

/// Options for tests: small logs, a segment per day, nothing in the background, no real syncs.
pub(crate) fn options(directory: &Path, disk: &Disk) -> Options {
    let mut options = Options::new(directory);
    options.log_size_bytes = LOG_SIZE;
    options.partition = Partitioning::Fixed(PartitionSpan::Day);
    options.background = false;
    options.durability = Durability::Sync;
    options.storage = Arc::new(disk.clone());
    options.clock = Arc::new(ManualClock::at(NOW_US));
    options
}

pub(crate) fn batch(events: &[Event<'_>]) -> Batch {
    let mut batch = Batch::new();
    for event in events {
        batch.push(event).unwrap();
    }
    batch
}

/// An event with a given id and time.
pub(crate) fn event<'a>(id: u128, created_at_us: i64) -> Event<'a> {
    let mut event = Event::new("test.event");
    event.id = Some(EventId::from_u128(id));
    event.created_at_us = Some(created_at_us);
    event
}

/// The same event with a message.
pub(crate) fn with_message<'a>(event: Event<'a>, message: &'a str) -> Event<'a> {
    let mut event = event;
    event.message = Some(message);
    event
}

/// The same event with a content.
pub(crate) fn with_content<'a>(event: Event<'a>, content: &'a str) -> Event<'a> {
    let mut event = event;
    event.content = Some(content);
    event
}

/// The same event with a payload.
pub(crate) fn with_payload<'a>(event: Event<'a>, payload: &'a str) -> Event<'a> {
    let mut event = event;
    event.payload = Some(payload);
    event
}

/// How to append under an idempotency key.
pub(crate) fn keyed(key: u128, body: u64) -> AppendOptions {
    AppendOptions { idempotency: Some(Idempotency { key, body }), ..AppendOptions::default() }
}

/// Everything about an event that recovery must give back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) sequence: u64,
    pub(crate) id: EventId,
    pub(crate) created_at_us: i64,
    pub(crate) acknowledged: bool,
    pub(crate) event_type: String,
    pub(crate) user: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) payload: Option<String>,
}

impl Line {
    pub(crate) fn of(event: &StoredEvent) -> Self {
        Self {
            sequence: event.sequence,
            id: event.id,
            created_at_us: event.created_at_us,
            acknowledged: event.marks.acknowledged,
            event_type: event.event_type().to_owned(),
            user: event.get(Field::UserId).map(str::to_owned),
            message: event.message().map(str::to_owned),
            payload: event.payload().map(str::to_owned),
        }
    }
}

/// What a filter finds, ascending by sequence.
pub(crate) fn select(engine: &Engine, filter: &Filter) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for part in engine.snapshot().parts() {
        for row in part.select(filter)?.iter() {
            lines.push(Line::of(&part.event(row)?));
        }
    }
    lines.sort_by_key(|line| line.sequence);
    Ok(lines)
}

pub(crate) fn everything(engine: &Engine) -> Vec<Line> {
    select(engine, &Filter::All).unwrap()
}

pub(crate) fn sequences(engine: &Engine) -> Vec<u64> {
    everything(engine).iter().map(|line| line.sequence).collect()
}

pub(crate) fn copy_store(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_store(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The files of one folder of a store, by name.
pub(crate) fn files(directory: &Path, folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory.join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

pub(crate) fn only_file(directory: &Path, folder: &str) -> PathBuf {
    let found = files(directory, folder);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// What damage may be answered with: `Corrupt`, naming a file.
pub(crate) fn assert_names_a_file(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.path().is_some(), "{error}");
}
