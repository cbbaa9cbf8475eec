//! Options, validated once.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::{Clock, OsClock};
use crate::error::{Error, Result};
use crate::partition::Partitioning;
use crate::repair::Damage;
use crate::storage::{OsStorage, Storage};

/// What an acknowledgement means. See `docs/operations.md`, "Durability".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// Written to the operating system; synced at seal, flush and close only.
    Buffered,
    /// Written to the operating system; synced every [`Options::sync_interval_ms`] or
    /// [`Options::sync_interval_bytes`], whichever comes first. A crash of the process loses nothing,
    /// a power cut at most the last interval.
    Interval,
    /// Synced to the device before the acknowledgement: nothing acknowledged is lost.
    Sync,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Durability::Buffered => "buffered",
            Durability::Interval => "interval",
            Durability::Sync => "sync",
        })
    }
}

/// The smallest log file, inclusive.
pub const LOG_SIZE_BYTES_MIN: u64 = 1 << 20;
/// The largest log file, inclusive: offsets of records in it are 32 bits wide.
pub const LOG_SIZE_BYTES_MAX: u64 = 2 << 30;
/// Log files are 256 MiB unless told otherwise: about a million events, a good size of segment.
pub const LOG_SIZE_BYTES_DEFAULT: u64 = 256 << 20;
/// Unsynced bytes after which the level `interval` syncs.
pub const SYNC_INTERVAL_BYTES_DEFAULT: u64 = 16 << 20;
/// Time after which the level `interval` syncs.
pub const SYNC_INTERVAL_MS_DEFAULT: u64 = 200;
/// Idle time after a sync before the sync marker is written.
pub const SYNC_MARKER_IDLE_MS_DEFAULT: u64 = 50;
/// Bytes of batches waiting for the writer.
pub const QUEUE_SIZE_BYTES_DEFAULT: usize = 64 << 20;
/// Full log files waiting to be sealed before appends wait.
pub const UNSEALED_LOGS_MAX_DEFAULT: usize = 4;
/// More threads than this are used for sealing only if asked for: they would compete with the callers'.
pub const SEAL_THREADS_DEFAULT_MAX: usize = 4;
/// A tenth of the share of a thread that is not nice.
pub const MAINTENANCE_NICENESS_DEFAULT: u8 = 10;
/// How long a log file is written to: deleted events leave the disk within this and a compaction.
pub const LOG_AGE_MS_MAX_DEFAULT: u64 = 24 * 3600 * 1000;
/// How long a segment is fresh.
pub const COLD_AFTER_MS_DEFAULT: u64 = 24 * 3600 * 1000;
/// Every byte is read again once a week.
pub const SCRUB_PERIOD_MS_DEFAULT: u64 = 7 * 24 * 3600 * 1000;
/// A fraction of what the slowest disks give: some 4.8 TB in the default period.
pub const SCRUB_BYTES_PER_SECOND_DEFAULT: u64 = 8 << 20;
/// How far in the future `created_at` may lie.
pub const FUTURE_MS_MAX_DEFAULT: u64 = 24 * 3600 * 1000;

/// Who is told of damage.
pub type OnDamage = Arc<dyn Fn(&Damage) + Send + Sync>;

/// How a store is opened.
///
/// The engine's default level is [`Durability::Interval`]; the server's is [`Durability::Sync`].
#[derive(Clone)]
pub struct Options {
    /// The store's directory; made if missing.
    pub directory: PathBuf,
    /// What an acknowledgement means; a single append may ask for more, never for less.
    pub durability: Durability,
    /// Bytes of one log file, [`LOG_SIZE_BYTES_MIN`] to [`LOG_SIZE_BYTES_MAX`].
    pub log_size_bytes: u64,
    /// Level `interval`: the longest time without a sync, 1 to 60,000 ms.
    pub sync_interval_ms: u64,
    /// Level `interval`: the most unsynced bytes.
    pub sync_interval_bytes: u64,
    /// Idle time after a sync before a sync marker is written.
    pub sync_marker_idle_ms: u64,
    /// The time slice of a sealed segment.
    pub partition: Partitioning,
    /// Bytes of batches that may wait for the writer; beyond, `append` waits.
    pub queue_size_bytes: usize,
    /// How long a log file is written to before it is sealed however full it is, in milliseconds,
    /// 1,000 to 30 days.
    pub log_age_ms_max: u64,
    /// Full log files that may wait to be sealed, 1 to 64; beyond, `append` waits.
    pub unsealed_logs_max: usize,
    /// Threads that seal one log together, 1 to 64.
    pub seal_threads: usize,
    /// By how much the threads that seal and compact are nicer than the others, 0 to 19: queries and appends
    /// come first where processors are short. Appends wait for sealing by `unsealed_logs_max` alone.
    pub maintenance_niceness: u8,
    /// How long after its sealing a segment stays in the form whose pages are read fastest, in milliseconds, 0 to
    /// 10 years; then it is rewritten into a smaller one, if that is one.
    pub cold_after_ms: u64,
    /// How often everything is read again in the background to find damage, in milliseconds, 1,000 to 10 years;
    /// 0 = never. A pass that takes longer is followed by the next one at once.
    pub scrub_period_ms: u64,
    /// The most bytes of a second that such a pass reads, 4,096 or more.
    pub scrub_bytes_per_second: u64,
    /// Told of each damage that such a pass finds, on the thread of the pass: to be logged.
    pub on_damage: Option<OnDamage>,
    /// How far in the future an event's `created_at` may lie, in milliseconds.
    pub future_ms_max: u64,
    /// Whether a store whose last writer left damage behind is opened read-only all the same.
    pub degraded: bool,
    /// Whether sealing and compaction run by themselves in a thread of the engine. Off, they run only
    /// when asked for, which makes a run repeatable.
    pub background: bool,
    /// The disk.
    pub storage: Arc<dyn Storage>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Options {
    /// The defaults, for a store in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            durability: Durability::Interval,
            log_size_bytes: LOG_SIZE_BYTES_DEFAULT,
            sync_interval_ms: SYNC_INTERVAL_MS_DEFAULT,
            sync_interval_bytes: SYNC_INTERVAL_BYTES_DEFAULT,
            sync_marker_idle_ms: SYNC_MARKER_IDLE_MS_DEFAULT,
            partition: Partitioning::default(),
            queue_size_bytes: QUEUE_SIZE_BYTES_DEFAULT,
            log_age_ms_max: LOG_AGE_MS_MAX_DEFAULT,
            unsealed_logs_max: UNSEALED_LOGS_MAX_DEFAULT,
            seal_threads: std::thread::available_parallelism()
                .map_or(1, |cores| cores.get().min(SEAL_THREADS_DEFAULT_MAX)),
            maintenance_niceness: MAINTENANCE_NICENESS_DEFAULT,
            cold_after_ms: COLD_AFTER_MS_DEFAULT,
            scrub_period_ms: SCRUB_PERIOD_MS_DEFAULT,
            scrub_bytes_per_second: SCRUB_BYTES_PER_SECOND_DEFAULT,
            on_damage: None,
            future_ms_max: FUTURE_MS_MAX_DEFAULT,
            degraded: false,
            background: true,
            storage: Arc::new(OsStorage::new()),
            clock: Arc::new(OsClock::new()),
        }
    }

    /// Checks every option against its range.
    ///
    /// # Errors
    /// `InvalidInput` naming the option, its value and the range.
    pub fn validate(&self) -> Result<()> {
        check("log_size_bytes", self.log_size_bytes, LOG_SIZE_BYTES_MIN, LOG_SIZE_BYTES_MAX)?;
        check("sync_interval_ms", self.sync_interval_ms, 1, 60_000)?;
        check("sync_interval_bytes", self.sync_interval_bytes, 4096, 1 << 30)?;
        check("sync_marker_idle_ms", self.sync_marker_idle_ms, 1, 60_000)?;
        check("queue_size_bytes", crate::codec::len_u64(self.queue_size_bytes), 1 << 20, 4 << 30)?;
        check("log_age_ms_max", self.log_age_ms_max, 1_000, 30 * 24 * 3600 * 1000)?;
        check("cold_after_ms", self.cold_after_ms, 0, 3650 * 24 * 3600 * 1000)?;
        if self.scrub_period_ms != 0 {
            check("scrub_period_ms", self.scrub_period_ms, 1_000, 3650 * 24 * 3600 * 1000)?;
        }
        check("scrub_bytes_per_second", self.scrub_bytes_per_second, 4096, 1 << 40)?;
        check("seal_threads", crate::codec::len_u64(self.seal_threads), 1, 64)?;
        check("maintenance_niceness", u64::from(self.maintenance_niceness), 0, 19)?;
        check("unsealed_logs_max", crate::codec::len_u64(self.unsealed_logs_max), 1, 64)
    }
}

fn check(name: &str, value: u64, min: u64, max: u64) -> Result<()> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid_input(format!("{name} is {value}, the range is {min} to {max}")))
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("directory", &self.directory)
            .field("durability", &self.durability)
            .field("log_size_bytes", &self.log_size_bytes)
            .field("partition", &self.partition)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        let with = |change: fn(&mut Options)| {
            let mut options = Options::new("store");
            change(&mut options);
            options.validate()
        };
        with(|options| options.maintenance_niceness = 19).unwrap();
        let refused = with(|options| options.maintenance_niceness = 20).unwrap_err();
        assert_eq!(refused.message(), "maintenance_niceness is 20, the range is 0 to 19");
        with(|options| options.cold_after_ms = 3650 * 24 * 3600 * 1000).unwrap();
        let refused = with(|options| options.cold_after_ms = 3650 * 24 * 3600 * 1000 + 1).unwrap_err();
        assert!(refused.message().starts_with("cold_after_ms is 315360000001"), "{refused}");
    }
}
