//! The internal store: what was done to the store and by whom, in a small store of its own.
//!
//! It lies under `DIR/internal`, has its own sequence, and is in no face's lists, totals, statistics
//! or tail; `GET /annals/v1/audit` shows it. An action is written down when it is durable and before it
//! is answered. If that cannot be done the action stands and is answered as it is, and the server's
//! log has it instead.

use std::sync::Arc;

use annals_engine::{
    AppendOptions, Durability, Engine, ErrorKind, LOG_SIZE_BYTES_MIN, Options, PartitionSpan, Partitioning,
};
use parking_lot::Mutex;

use crate::deed::Deed;
use crate::error::{Error, Result};

/// The folder of the internal store in the store's directory.
pub const FOLDER: &str = "internal";
/// Room for more entries than the writes that can run at once.
const QUEUE_SIZE_BYTES: usize = 1 << 20;
/// Entries are few: a log is full or a month old before it is sealed.
const LOG_AGE_MS_MAX: u64 = 30 * 24 * 3600 * 1000;

/// The internal store of an open store.
pub(crate) struct Internal {
    options: Options,
    state: Mutex<State>,
}

enum State {
    Open(Engine),
    /// The disk is too full to make it: tried again at the next entry.
    Missing,
    /// The store beside it takes no writes, or has been closed: none is made.
    Absent,
}

impl Internal {
    /// Opens the internal store of `store`, making it if there is none and `store` takes writes.
    ///
    /// # Errors
    /// It is damaged and `store` was not opened degraded, or it cannot be opened. A full disk is none.
    pub(crate) fn open(store: &Engine) -> Result<Self> {
        let options = options(store.options());
        let is_there = options.storage.list(&options.directory).is_ok_and(|entries| !entries.is_empty());
        let state = if is_there || store.write_refusal().is_none() {
            match open(&options) {
                Err(Error::Engine(error)) if error.kind() == ErrorKind::DiskFull => {
                    tracing::error!(%error, "the internal store cannot be made: what is done is in this log only");
                    State::Missing
                }
                opened => State::Open(opened?),
            }
        } else {
            State::Absent
        };
        Ok(Self { options, state: Mutex::new(state) })
    }

    /// The store itself, if there is one.
    pub(crate) fn engine(&self) -> Option<Engine> {
        match &*self.state.lock() {
            State::Open(engine) => Some(engine.clone()),
            State::Missing | State::Absent => None,
        }
    }

    /// Writes a deed down, durably. Blocks.
    pub(crate) fn record(&self, deed: &Deed) {
        deed.log();
        if let Err(error) = self.append(deed) {
            tracing::error!(%error, deed = ?deed, "the internal store does not take what was done");
        }
    }

    fn append(&self, deed: &Deed) -> Result<()> {
        let engine = self.engine_or_new()?;
        let parsed = annals_json::parse_ndjson(deed.to_line().as_bytes(), 1);
        if let Some(error) = parsed.errors.first() {
            return Err(Error::State(format!("no event: {}", error.message)));
        }
        engine.append(parsed.batch, &AppendOptions::default())?;
        Ok(())
    }

    fn engine_or_new(&self) -> Result<Engine> {
        let mut state = self.state.lock();
        match &*state {
            State::Open(engine) => Ok(engine.clone()),
            State::Absent => Err(Error::State("there is no internal store".to_owned())),
            State::Missing => {
                let engine = open(&self.options)?;
                *state = State::Open(engine.clone());
                Ok(engine)
            }
        }
    }

    /// Closes it with everything in it durable; nothing can be written down from then on.
    ///
    /// # Errors
    /// The last sync fails: the next open recovers.
    pub(crate) fn close(&self) -> Result<()> {
        let state = std::mem::replace(&mut *self.state.lock(), State::Absent);
        if let State::Open(engine) = state {
            engine.close()?;
        }
        Ok(())
    }
}

/// The smallest that an engine can be, on the same disk and clock.
fn options(store: &Options) -> Options {
    Options {
        durability: Durability::Sync,
        log_size_bytes: LOG_SIZE_BYTES_MIN,
        log_age_ms_max: LOG_AGE_MS_MAX,
        queue_size_bytes: QUEUE_SIZE_BYTES,
        partition: Partitioning::Fixed(PartitionSpan::Month),
        degraded: store.degraded,
        background: store.background,
        storage: Arc::clone(&store.storage),
        clock: Arc::clone(&store.clock),
        ..Options::new(store.directory.join(FOLDER))
    }
}

fn open(options: &Options) -> Result<Engine> {
    let engine = Engine::open(options.clone())?;
    for note in engine.recovery_notes() {
        tracing::warn!(note, "the internal store was recovered");
    }
    if let Some(refusal) = engine.write_refusal() {
        tracing::error!(%refusal, "the internal store takes nothing: what is done is in this log only");
    }
    Ok(engine)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use annals_engine::{DirEntry, LockMode, OsStorage, Storage, StorageFile};

    use super::*;
    use crate::config::ServerConfig;
    use crate::error::Failure;
    use crate::state::AppState;

    /// The real disk, but while it is full no new file of an internal store fits.
    struct FullDisk {
        disk: OsStorage,
        is_full: Arc<AtomicBool>,
    }

    impl Storage for FullDisk {
        fn create_dir(&self, path: &Path) -> io::Result<()> {
            self.disk.create_dir(path)
        }
        fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
            self.disk.list(path)
        }
        fn create(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
            let is_internal = path.components().any(|part| part.as_os_str() == FOLDER);
            if is_internal && self.is_full.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.disk.create(path)
        }
        fn open(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn StorageFile>> {
            self.disk.open(path, writable)
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.disk.rename(from, to)
        }
        fn remove(&self, path: &Path) -> io::Result<()> {
            self.disk.remove(path)
        }
        fn sync_dir(&self, path: &Path) -> io::Result<()> {
            self.disk.sync_dir(path)
        }
        fn lock(&self, path: &Path, mode: LockMode) -> io::Result<Box<dyn Send + Sync>> {
            self.disk.lock(path, mode)
        }
        fn free_space(&self, path: &Path) -> io::Result<u64> {
            self.disk.free_space(path)
        }
    }

    fn state_on(directory: &Path, is_full: &Arc<AtomicBool>) -> AppState {
        let storage = FullDisk { disk: OsStorage::new(), is_full: Arc::clone(is_full) };
        let mut options = Options::new(directory);
        options.storage = Arc::new(storage);
        options.log_size_bytes = LOG_SIZE_BYTES_MIN;
        AppState::with_engine(Engine::open(options).unwrap(), &ServerConfig::new(directory)).unwrap().state
    }

    fn acted(state: &AppState) -> u32 {
        let act = |_: &AppState| Ok::<_, Failure>(7);
        state.audited(Deed::of_the_server("x.done"), act, |deed, _| deed).map_err(|failure| failure.message).unwrap()
    }

    fn kept(state: &AppState) -> Option<u64> {
        Some(state.internal().engine()?.stats().events)
    }

    #[test]
    fn what_cannot_be_written_down_is_done_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let is_full = Arc::new(AtomicBool::new(true));
        let state = state_on(directory.path(), &is_full);
        assert_eq!((acted(&state), kept(&state)), (7, None), "the server starts on a full disk too");
        is_full.store(false, Ordering::Relaxed);
        assert_eq!((acted(&state), kept(&state)), (7, Some(1)), "and has its internal store when there is room");
        state.close().unwrap();
        assert_eq!((acted(&state), kept(&state)), (7, None));
    }

    #[test]
    fn what_the_caller_got_wrong_is_not_written_down_and_what_it_may_not_do_is() {
        let directory = tempfile::tempdir().unwrap();
        let state = state_on(directory.path(), &Arc::default());
        for (failure, events) in [
            (Failure::not_found("x"), 0),
            (Failure::invalid("a", "b"), 0),
            (Failure::forbidden("x"), 1),
            (Failure::unavailable("disk_full", "x"), 2),
        ] {
            let refused = state.audited(Deed::of_the_server("x.done"), |_| Err::<(), _>(failure), |deed, ()| deed);
            assert!(refused.is_err());
            assert_eq!(kept(&state), Some(events));
        }
    }

    #[test]
    fn it_is_small() {
        let directory = tempfile::tempdir().unwrap();
        let state = state_on(directory.path(), &Arc::default());
        for _ in 0..100 {
            acted(&state);
        }
        let log = directory.path().join(FOLDER).join("log");
        let sizes = std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
        assert_eq!(sizes.sum::<u64>(), LOG_SIZE_BYTES_MIN);
        let log_bytes = state.internal().engine().unwrap().stats().log_bytes;
        assert!(log_bytes < 100 * 1024, "{log_bytes}");
    }
}
