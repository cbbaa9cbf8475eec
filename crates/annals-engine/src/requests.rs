//! What callers ask of the engine and what they are told.

use std::ops::Range;

use crate::figures::{HistogramFigures, Refusals};
use crate::filter::{Filter, TenantScope};
use crate::id::EventId;
use crate::options::Durability;
use crate::repair::Damage;

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

/// What happens to an event whose id is already in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// The same id with the same `created_at` (or given without one) is counted and not stored.
    Skip,
    /// The event takes the place of every older one with its id that the scope sees, whatever their
    /// `created_at`: in one frame, so that after a crash either the old ones or the new one is there.
    /// Marks, amendments and receipts of the old ones do not carry over. An id may come only once in the
    /// batch; events without an id replace nothing. Asks every segment for each id, and is synced at
    /// every level if anything is replaced, as deletes are.
    Replace,
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
    /// How many older events were replaced, see [`Repeats::Replace`]. 0 if `replayed`.
    pub replaced: u32,
    /// Whether this is the stored answer to an idempotency key seen before.
    pub replayed: bool,
    /// When everything up to here is durable, so is this batch: see [`crate::Engine::wait_durable`].
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

/// A change of what a notification says about itself; id, sequence and `created_at` stay. What is absent
/// stays as it is; of several amendments of one event the later one counts, field by field.
///
/// Limits are those of the fields; a text that is empty, and a list without texts, take the value away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amendment {
    /// The event.
    pub sequence: u64,
    /// [`crate::Field::Severity`].
    pub severity: Option<String>,
    /// [`crate::Field::NotificationType`].
    pub notification_type: Option<String>,
    /// [`crate::Field::IsPublic`].
    pub is_public: Option<bool>,
    /// [`crate::Field::IsGlobal`].
    pub is_global: Option<bool>,
    /// [`crate::Field::TargetUserIds`], in place of all that were there.
    pub target_user_ids: Option<Vec<String>>,
    /// UTC microseconds; `Some(None)`: it does not expire any more.
    pub expires_at_us: Option<Option<i64>>,
    /// When the event was amended, UTC microseconds.
    pub updated_at_us: i64,
}

/// One user has read one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadMark {
    /// The event.
    pub sequence: u64,
    /// The user, 1 to [`READER_SIZE_MAX`] bytes.
    pub user_id: String,
    /// The identity of the receipt.
    pub receipt: EventId,
    /// When, UTC microseconds.
    pub read_at_us: i64,
}

/// The longest user of a [`ReadMark`] in bytes, inclusive.
pub const READER_SIZE_MAX: usize = 1024;

/// What is known of a user's reading of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadReceipt {
    /// The identity of the receipt.
    pub receipt: EventId,
    /// When, UTC microseconds.
    pub read_at_us: i64,
}

/// Figures of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "figures beside each other, not the states of one thing")]
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
    /// Batches appended since open.
    pub appended_batches: u64,
    /// Events of theirs that were stored: repeats apart.
    pub appended_events: u64,
    /// Bytes of their records, before anything is packed; repeats included.
    pub appended_bytes: u64,
    /// Batches refused since open.
    pub refused_batches: Refusals,
    /// Events deleted since open, by whatever way.
    pub deleted_events: u64,
    /// Bytes of batches that wait for the writer.
    pub queued_bytes: u64,
    /// Full logs that wait to be sealed.
    pub unsealed_logs: u64,
    /// For how long there has been one all the time, in milliseconds.
    pub seal_lag_ms: u64,
    /// Whether segments are to be looked at for what pays to be compacted, or are being.
    pub compaction_due: bool,
    /// Seals since open.
    pub seals: u64,
    /// Compactions since open.
    pub compactions: u64,
    /// Syncs since open.
    pub syncs: u64,
    /// How long the syncs of logs took.
    pub sync_time: HistogramFigures,
    /// How long the seals took, a whole log each.
    pub seal_time: HistogramFigures,
    /// How long the compactions took, of a group of segments into one each.
    pub compaction_time: HistogramFigures,
    /// Whether appends are refused until the store is opened again.
    pub poisoned: bool,
    /// Whether appends are refused until there is room on the disk.
    pub disk_full: bool,
    /// How often the wall clock was found more than a second behind a time given out before.
    pub clock_steps_back: u64,
    /// Why the last background seal or compaction failed, if it did.
    pub maintenance_failure: Option<String>,
    /// Whether sealed segments are being checked in the background: until then the first query that touches some bytes
    /// checks them itself.
    pub checking: bool,
    /// How far the background has read everything again.
    pub scrub: ScrubStats,
}

/// Events that a store which is open degraded leaves out, because their file is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The smallest sequence that may be missing.
    pub first_sequence: u64,
    /// The largest one; `None` if everything behind the first may be missing.
    pub last_sequence: Option<u64>,
    /// The most events that are missing, where that is known.
    pub events_max: Option<u64>,
    /// Where their `created_at` lie, UTC microseconds, where that is known.
    pub created_at_us: Option<std::ops::RangeInclusive<i64>>,
}

/// What the background found that reads everything again. Counts are since open, times UTC microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubStats {
    /// Bytes read.
    pub bytes: u64,
    /// Chunks and frames whose checksum did not hold or that could not be read, as often as they were met.
    pub corrupt_blocks: u64,
    /// Passes that came to their end.
    pub passes: u64,
    /// Whether it reads now.
    pub running: bool,
    /// The segment that was read last, while a pass is under way.
    pub segment_id: Option<u64>,
    /// When the last pass began, also before a restart.
    pub started_at_us: Option<i64>,
    /// When a pass last came to its end, also before a restart.
    pub finished_at_us: Option<i64>,
    /// The damages it met, a sentence each, the first 32.
    pub damages: Vec<String>,
}

/// What [`crate::Engine::verify`] found.
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
    /// The same damages in their parts.
    pub details: Vec<Damage>,
    /// What is no damage and may be worth knowing, a sentence each.
    pub notes: Vec<String>,
}
