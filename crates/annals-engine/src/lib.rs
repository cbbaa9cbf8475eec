//! An append-only, log-structured event store.
//!
//! The engine takes batches of events, acknowledges them at a stated level of durability, answers
//! filters over immutable snapshots, deletes at once and forgets by time at the cost of an unlink.
//! It knows no query language, no JSON, no HTTP and no async: those live in the crates above it.

mod amended;
mod backup;
mod batch;
mod batch_terms;
mod blob;
mod catalog;
mod changes;
mod check_ahead;
mod clock;
mod codec;
mod compaction;
mod control;
mod damaged;
mod engine;
mod envelope;
mod error;
mod event;
mod field;
mod figures;
mod filter;
mod fold;
mod follow;
#[cfg(test)]
mod format_examples;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod hex;
mod hold;
mod housekeeping;
mod id;
mod idempotency;
pub mod inspect;
mod layout;
mod live;
mod log;
mod lost;
mod maintenance;
mod manifest;
#[expect(unsafe_code, reason = "memory maps; every block states what makes it sound")]
mod map;
mod metadata;
mod open;
mod options;
mod overlay;
mod overlay_file;
mod owed;
mod part;
mod part_list;
mod partition;
mod queue;
mod receipts;
mod recent;
mod record;
pub mod repair;
mod replacing;
mod replay;
mod requests;
mod roster;
mod rows;
mod scanned;
mod scrub;
mod seal;
mod seal_fields;
mod seal_rows;
mod segment;
mod shared;
mod sorting;
mod spare;
mod stage;
mod storage;
mod sync;
mod term;
mod threading;
mod verify;
mod watermark;
mod writer;

pub use backup::{
    Backup, BackupCheck, BackupFiles, BackupOptions, BackupReport, CheckDepth, RestoreOptions, RestoreReport,
    check_backup, restore,
};
pub use batch::{BATCH_EVENTS_MAX, BATCH_SIZE_MAX, Batch, CONTENT_SIZE_MAX, EVENT_SIZE_MAX, MESSAGE_SIZE_MAX};
pub use catalog::Snapshot;
pub use clock::{Clock, ManualClock, OsClock};
pub use engine::Engine;
pub use error::{Error, ErrorKind, Result};
pub use event::{CREATED_AT_US_MAX, CREATED_AT_US_MIN, Event, Marks, StoredEvent, Texts};
pub use field::{Field, FieldSet, VALUES_MAX, Values};
pub use figures::{HISTOGRAM_BOUNDS_US, Histogram, HistogramFigures, Refusals};
pub use filter::{FILTER_DEPTH_MAX, Filter, TenantScope, TextField};
pub use follow::{ChangeFollower, Follower, News};
pub use frame::{FRAME_EVENTS_MAX, FRAME_PAYLOAD_MAX};
pub use hold::{HOLD_NAME_SIZE_MAX, HOLDS_MAX, HOLDS_SIZE_MAX, Hold};
pub use id::EventId;
pub use options::{
    COLD_AFTER_MS_DEFAULT, Durability, FUTURE_MS_MAX_DEFAULT, LOG_AGE_MS_MAX_DEFAULT, LOG_SIZE_BYTES_DEFAULT,
    LOG_SIZE_BYTES_MAX, LOG_SIZE_BYTES_MIN, MAINTENANCE_NICENESS_DEFAULT, OnDamage, Options, QUEUE_SIZE_BYTES_DEFAULT,
    SCRUB_BYTES_PER_SECOND_DEFAULT, SCRUB_PERIOD_MS_DEFAULT, SEAL_THREADS_DEFAULT_MAX, SYNC_INTERVAL_BYTES_DEFAULT,
    SYNC_INTERVAL_MS_DEFAULT, SYNC_MARKER_IDLE_MS_DEFAULT, UNSEALED_LOGS_MAX_DEFAULT,
};
pub use part::{Counted, OrderKey, Part};
pub use part_list::{Bounded, KeptCounts, PartList, Parts, Whole};
pub use partition::{PartitionSpan, Partitioning};
pub use recent::{Change, ChangeKind, Changes};
pub use requests::{
    Amendment, AppendOptions, Delete, DurabilityTicket, EngineStats, Gap, Idempotency, Mark, READER_SIZE_MAX, ReadMark,
    ReadReceipt, Receipt, Repeats, ScrubStats, VerifyReport,
};
pub use roster::SegmentFigures;
pub use rows::{RowIter, RowSet};
pub use scanned::scanned_rows;
pub use storage::{DirEntry, GrowingMap, LockMode, OsStorage, SealedMap, Storage, StorageFile};
