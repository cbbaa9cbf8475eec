//! The engine's face: open, append, flush, snapshot, delete, mark, close.

use std::ops::Range;
use std::sync::Arc;

use crate::batch::Batch;
use crate::error::{Error, ErrorKind, Result};
use crate::event::StoredEvent;
use crate::filter::{Filter, TenantScope};
use crate::id::EventId;
use crate::options::{Durability, Options};
use crate::part::Part;

/// How one batch is appended.
#[derive(Clone, Debug)]
pub struct AppendOptions {
    /// A level above the store's; one below it is `InvalidInput`.
    pub durability: Option<Durability>,
    /// Whose repeats count: an event outside this scope counts as absent.
    pub scope: TenantScope,
    /// Makes a repeat of the whole batch harmless for 24 hours.
    pub idempotency: Option<Idempotency>,
    /// Whether an event whose id is already there replaces it instead of being left out.
    pub repeats: Repeats,
}

/// What happens to an event whose id is already in the store (`model.md`, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// The same id with the same `created_at` (or given without one) is counted and not stored.
    Skip,
}

impl Default for AppendOptions {
    /// The store's level, every event visible, no idempotency key, repeats skipped.
    fn default() -> Self {
        Self { durability: None, scope: TenantScope::Unlimited, idempotency: None, repeats: Repeats::Skip }
    }
}

/// Hashes of an idempotency key (with its principal) and of the request's body; both by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Not 0.
    pub key: u128,
    /// What must be the same when the key comes again.
    pub body: u64,
}

/// What an append did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The sequences given to the stored events, in the order of the batch.
    pub sequences: Range<u64>,
    /// The ids of the stored events in the same order. Empty if `replayed`.
    pub ids: Vec<EventId>,
    /// Positions in the batch of the events that were repeats and not stored. Empty if `replayed`.
    pub duplicates: Vec<u32>,
    /// How many were repeats; also right if `replayed`.
    pub duplicate_count: u32,
    /// Whether this is the stored answer to an idempotency key seen before.
    pub replayed: bool,
    /// When everything up to here is durable, so is this batch: see [`Engine::wait_durable`].
    pub ticket: DurabilityTicket,
}

/// Becomes due when the log is durable up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DurabilityTicket(pub(crate) u64);

/// What to delete.
#[derive(Clone, Debug)]
pub enum Delete {
    /// The events with these sequences.
    Sequences(Vec<u64>),
    /// Every event that matches and is visible now; later ones are not touched.
    Matching(Filter),
    /// Clean-up: what exists now and was created before the cutoff (UTC microseconds, exclusive).
    CreatedBefore(i64),
}

/// A change of one event's marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The event.
    pub sequence: u64,
    /// The new state.
    pub acknowledged: bool,
}

/// Figures of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineStats {
    /// Events visible, deleted ones apart.
    pub events: u64,
    /// The last sequence given.
    pub last_sequence: u64,
    /// The last sequence known to be durable.
    pub durable_sequence: u64,
    /// Sealed segments.
    pub sealed_segments: u64,
    /// Rows of sealed segments, deleted ones included.
    pub sealed_rows: u64,
    /// Rows not yet sealed, deleted ones included.
    pub live_rows: u64,
    /// Deleted rows whose bytes are still there.
    pub tombstones: u64,
    /// Bytes of sealed segments.
    pub sealed_bytes: u64,
    /// Bytes written to log files that are not yet sealed.
    pub log_bytes: u64,
    /// Seals since open.
    pub seals: u64,
    /// Compactions since open.
    pub compactions: u64,
    /// Syncs since open.
    pub syncs: u64,
    /// Whether appends are refused until the store is opened again.
    pub poisoned: bool,
    /// Whether appends are refused until there is room on the disk.
    pub disk_full: bool,
}

/// What [`Engine::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Files read.
    pub files: u64,
    /// Bytes read and checked.
    pub bytes: u64,
    /// Events whose every value was decoded.
    pub events: u64,
    /// One sentence per damage: file, offset, what is lost.
    pub damages: Vec<String>,
}

/// An open store. Clones share it; every method can be called from any thread.
#[derive(Clone)]
pub struct Engine {
    options: Arc<Options>,
}

fn not_ready() -> Error {
    Error::new(ErrorKind::Poisoned, "the store is closed")
}

impl Engine {
    /// Opens the store in `options.directory`, making one if there is none, and recovers it.
    pub fn open(options: Options) -> Result<Engine> {
        options.validate()?;
        Ok(Engine { options: Arc::new(options) })
    }
    /// Appends a batch, whole or not at all. Returns when the level's acknowledgement is due.
    pub fn append(&self, _batch: Batch, _how: &AppendOptions) -> Result<Receipt> {
        Err(not_ready())
    }
    /// Waits until a ticket's batch is durable.
    pub fn wait_durable(&self, _ticket: DurabilityTicket) -> Result<()> {
        Err(not_ready())
    }
    /// Makes everything appended so far durable; returns the last durable sequence.
    pub fn flush(&self) -> Result<u64> {
        Err(not_ready())
    }
    /// One immutable view for any number of queries.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { parts: Vec::new(), visible_sequence: 0 }
    }
    /// The last sequence a query sees.
    pub fn visible_sequence(&self) -> u64 {
        0
    }
    /// The last sequence known to be durable.
    pub fn durable_sequence(&self) -> u64 {
        0
    }
    /// The event with this id; of several, the one with the highest sequence.
    pub fn get(&self, id: EventId) -> Result<Option<StoredEvent>> {
        self.snapshot().get(id)
    }
    /// Deletes and returns how many; durable and visible to every later query on return.
    pub fn delete(&self, _what: &Delete) -> Result<u64> {
        Err(not_ready())
    }
    /// Changes marks and returns how many events were there to be changed; durable on return.
    pub fn mark(&self, _marks: &[Mark]) -> Result<u64> {
        Err(not_ready())
    }
    /// Seals everything appended so far.
    pub fn seal_now(&self) -> Result<()> {
        Err(not_ready())
    }
    /// Merges small segments and removes deleted rows for good; returns how many segments were rewritten.
    pub fn compact(&self) -> Result<u64> {
        Err(not_ready())
    }
    /// Reads everything and reports damage. `progress` gets bytes done and bytes in all.
    pub fn verify(&self, _progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport> {
        Err(not_ready())
    }
    /// Figures.
    pub fn stats(&self) -> EngineStats {
        EngineStats::default()
    }
    /// Stores a small named value (at most 16 MiB) durably beside the events, replacing an earlier one.
    pub fn put_blob(&self, _name: &str, _bytes: &[u8]) -> Result<()> {
        Err(not_ready())
    }
    /// A named value.
    pub fn get_blob(&self, _name: &str) -> Result<Option<Vec<u8>>> {
        Err(not_ready())
    }
    /// Stops background work, syncs and writes a clean end. Later calls on any clone are `Poisoned`.
    pub fn close(&self) -> Result<()> {
        Err(not_ready())
    }
    /// The options it was opened with.
    pub fn options(&self) -> &Options {
        &self.options
    }
}

/// One immutable view of a store: what was visible when it was taken.
#[derive(Clone)]
pub struct Snapshot {
    parts: Vec<Arc<dyn Part>>,
    visible_sequence: u64,
}

impl Snapshot {
    /// The parts, in no order. Queries run over each and merge.
    pub fn parts(&self) -> &[Arc<dyn Part>] {
        &self.parts
    }
    /// The last sequence in it.
    pub fn visible_sequence(&self) -> u64 {
        self.visible_sequence
    }
    /// The event with this id; of several, the one with the highest sequence.
    pub fn get(&self, _id: EventId) -> Result<Option<StoredEvent>> {
        Err(not_ready())
    }
    /// All events with this id, ascending by sequence.
    pub fn get_all(&self, _id: EventId) -> Result<Vec<StoredEvent>> {
        Err(not_ready())
    }
    /// The event with this sequence.
    pub fn get_sequence(&self, _sequence: u64) -> Result<Option<StoredEvent>> {
        Err(not_ready())
    }
}
