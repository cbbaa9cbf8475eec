//! The internal store: what was done to the store and by whom, in a small store of its own.
//!
//! It lies under `DIR/internal`, has its own sequence, and is in no face's lists, totals, statistics
//! or tail; `GET /annals/v1/audit` shows it. An action is written down when it is durable and before it
//! is answered. If that cannot be done the action stands and is answered as it is, and the server's
//! log has it instead.

use std::sync::Arc;

use annals_engine::{AppendOptions, Durability, Engine, ErrorKind, LOG_SIZE_BYTES_MIN, Options, PartitionSpan};
use parking_lot::Mutex;

use crate::deed::Deed;
use crate::error::{Error, Result};

/// Its folder in the store's directory.
const FOLDER: &str = "internal";
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
        partition: PartitionSpan::Month,
        degraded: store.degraded,
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
