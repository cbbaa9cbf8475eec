//! What every request shares.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use annals_engine::{Clock, Engine, ErrorKind, scanned_rows};
use annals_query::CursorKey;
use parking_lot::{Mutex, RwLock};
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::auth::grant::Grant;
use crate::auth::keys::{self, NewKey};
use crate::auth::{Identities, Principal, Scope, WrongKeys};
use crate::config::{Build, FaceSettings, Limits, ServerConfig};
use crate::error::{Answer, Error, Failure, Result};
use crate::hub::Hub;
use crate::internal::Internal;
use crate::metrics::Metrics;
use crate::rates::Rates;
use crate::retention::{self, Retention};
use crate::trace::LoggedRequests;

mod adopt;
mod places;
mod work;

pub(crate) use adopt::Adopted;
use places::Places;

/// Where the secret that signs cursors is kept in the store.
const CURSOR_KEY_BLOB: &str = "cursor-key";

const KIB: usize = 1 << 10;

/// The state behind a [`crate::router`]; clones share it.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

struct Inner {
    engine: Engine,
    internal: Internal,
    /// What runs now: [`AppState::adopt`] changes it. Taken before the two below.
    config: Mutex<ServerConfig>,
    limits: RwLock<Arc<Limits>>,
    faces: RwLock<Arc<FaceSettings>>,
    identities: Identities,
    wrong_keys: WrongKeys,
    cursor_key: CursorKey,
    /// Another one: a place in the internal store is none among the events.
    internal_cursor_key: CursorKey,
    /// Idempotency keys of requests that are still running.
    running: Mutex<HashSet<u128>>,
    /// Apart from each other, so that neither can starve the other.
    reads: Places,
    writes: Places,
    requests: Places,
    streams: Places,
    /// Of one: a verification reads the whole store.
    verifications: Arc<Semaphore>,
    /// Of one: a backup copies the whole store.
    backups: Arc<Semaphore>,
    /// Of one: a compaction may rewrite the whole store.
    compactions: Arc<Semaphore>,
    backup_directory: Option<PathBuf>,
    recordings: Arc<Semaphore>,
    /// Few: a hash takes a processor and 19 MiB for tens of milliseconds.
    passwords: Places,
    /// So that those who wait for one take no request's place.
    passwords_waiting: Places,
    /// In KiB.
    ingest_memory: Places,
    tails: Places,
    /// Those of each key that has any.
    tails_by_key: Mutex<HashMap<String, usize>>,
    hub: Hub,
    retention: Retention,
    rates: Rates,
    metrics: Metrics,
    logged_requests: LoggedRequests,
    /// 0 = none is slow.
    slow_query_ms: AtomicU64,
    /// UTC microseconds.
    started_at_us: i64,
    draining: watch::Sender<bool>,
    request_prefix: u32,
    request_count: AtomicU64,
}

/// A state, and what its making brought about.
pub struct Setup {
    /// For [`crate::router`] and [`crate::serve`].
    pub state: AppState,
    /// The key made because nobody could have administered the store. It is shown here and never again.
    pub new_admin_key: Option<String>,
}

impl AppState {
    /// Opens the store of `config` and reads its keys. Blocks while the store recovers.
    ///
    /// # Errors
    /// A setting is wrong, or the store cannot be opened.
    pub fn open(config: &ServerConfig) -> Result<Setup> {
        config.validate()?;
        let mut options = config.engine_options();
        options.on_damage = Some(Arc::new(
            |damage| tracing::error!(%damage, "the background check found damage: see `annals repair --help`"),
        ));
        let engine = Engine::open(options)?;
        for note in engine.recovery_notes() {
            tracing::warn!(note, "the store was recovered");
        }
        if let Some(refusal) = engine.write_refusal() {
            tracing::warn!(%refusal, "the store is served for reading only");
        }
        Self::with_engine(engine, config)
    }

    /// The same over a store that is already open; `config.directory` and the engine's other options in
    /// `config` are not looked at.
    ///
    /// # Errors
    /// A setting is wrong, or the keys of the store cannot be read or written.
    pub fn with_engine(engine: Engine, config: &ServerConfig) -> Result<Setup> {
        config.validate()?;
        let identities = Identities::load(&engine, config.admin_key.as_deref())?;
        let new_admin_key = first_admin_key(&engine, &identities)?;
        let cursor_secret = kept_secret(&engine, CURSOR_KEY_BLOB)?;
        let internal = Internal::open(&engine)?;
        let mut request_prefix = [0; 4];
        keys::random(&mut request_prefix)?;
        let limits = config.limits.clone();
        let retention = Retention::load(&engine)?;
        let state = Self(Arc::new(Inner {
            identities,
            wrong_keys: WrongKeys::new(limits.wrong_keys_per_minute_max),
            cursor_key: CursorKey::new(cursor_secret),
            internal_cursor_key: CursorKey::new(derived(&cursor_secret, b"annals internal store\0")),
            running: Mutex::default(),
            reads: Places::new(limits.reads_max),
            writes: Places::new(limits.writes_max),
            requests: Places::new(limits.requests_max),
            streams: Places::new(limits.streams_max),
            verifications: Arc::new(Semaphore::new(1)),
            backups: Arc::new(Semaphore::new(1)),
            compactions: Arc::new(Semaphore::new(1)),
            backup_directory: config.backup_directory.clone(),
            recordings: Arc::new(Semaphore::new(1)),
            passwords: Places::new(limits.passwords_max),
            passwords_waiting: Places::new(limits.passwords_waiting_max),
            ingest_memory: Places::new(limits.ingest_memory_max / KIB),
            tails: Places::new(limits.tails_max),
            tails_by_key: Mutex::default(),
            hub: Hub::default(),
            retention,
            rates: Rates::default(),
            metrics: Metrics::default(),
            logged_requests: LoggedRequests::default(),
            slow_query_ms: AtomicU64::new(ms(config.log.slow_query)),
            started_at_us: engine.options().clock.now_us(),
            draining: watch::Sender::new(false),
            request_prefix: u32::from_le_bytes(request_prefix),
            request_count: AtomicU64::new(0),
            engine,
            internal,
            config: Mutex::new(config.clone()),
            limits: RwLock::new(Arc::new(limits)),
            faces: RwLock::new(Arc::new(config.faces.clone())),
        }));
        state.0.logged_requests.set(&config.log.requests);
        retention::start(&state).map_err(|failure| Error::State(failure.message))?;
        Ok(Setup { state, new_admin_key })
    }

    /// The same without keeping the store open.
    pub(crate) fn downgrade(&self) -> WeakState {
        WeakState(Arc::downgrade(&self.0))
    }

    /// The store behind the server.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The internal store: what was done to the store and by whom.
    pub(crate) fn internal(&self) -> &Internal {
        &self.0.internal
    }

    /// Closes the store and the internal one with everything in them durable.
    ///
    /// # Errors
    /// A last sync fails: the next open recovers.
    pub fn close(&self) -> Result<()> {
        let closed = self.0.engine.close();
        self.0.internal.close()?;
        Ok(closed?)
    }

    /// From now on `/readyz` answers 503, so that no new work is sent here, and tails end.
    pub fn start_draining(&self) {
        self.0.draining.send_replace(true);
    }

    /// Becomes true when the server stops.
    pub(crate) fn draining(&self) -> watch::Receiver<bool> {
        self.0.draining.subscribe()
    }

    /// Whether the server stops.
    pub(crate) fn is_draining(&self) -> bool {
        *self.0.draining.borrow()
    }

    /// Which program runs.
    pub(crate) fn build(&self) -> Build {
        self.0.config.lock().build
    }

    /// Below which folder clients may have backups made.
    pub(crate) fn backup_directory(&self) -> Option<&Path> {
        self.0.backup_directory.as_deref()
    }

    pub(crate) fn retention(&self) -> &Retention {
        &self.0.retention
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// A place among the tails and those of a key, until it is dropped.
    pub(crate) fn tail_place(&self, key_id: &str) -> Answer<TailPlace> {
        let busy = |_full| Failure::unavailable("busy", "too many tails at once: retry later");
        let place = self.0.tails.semaphore().try_acquire_owned().map_err(busy)?;
        let mut by_key = self.0.tails_by_key.lock();
        let count = by_key.get(key_id).copied().unwrap_or(0);
        if count >= self.limits().tails_per_key_max {
            return Err(Failure::unavailable("busy", "too many tails of this key at once: retry later"));
        }
        by_key.insert(key_id.to_owned(), count + 1);
        Ok(TailPlace { state: self.clone(), key_id: key_id.to_owned(), _place: place })
    }

    /// Whether new work is welcome: recovered, writable, not draining.
    pub(crate) fn unready(&self) -> Option<&'static str> {
        if self.is_draining() {
            return Some("draining");
        }
        let engine = &self.0.engine;
        match (engine.write_refusal().is_some(), engine.stats().disk_full) {
            (true, _) => Some("read_only"),
            (_, true) => Some("disk_full"),
            _ => None,
        }
    }

    /// Those that hold now.
    pub(crate) fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.0.limits.read())
    }

    /// Those that hold now.
    pub(crate) fn faces(&self) -> Arc<FaceSettings> {
        Arc::clone(&self.0.faces.read())
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.engine.options().clock
    }

    pub(crate) fn identities(&self) -> &Identities {
        &self.0.identities
    }

    pub(crate) fn wrong_keys(&self) -> &WrongKeys {
        &self.0.wrong_keys
    }

    pub(crate) fn cursor_key(&self) -> &CursorKey {
        &self.0.cursor_key
    }

    pub(crate) fn internal_cursor_key(&self) -> &CursorKey {
        &self.0.internal_cursor_key
    }

    /// A place among the requests being answered, until it is dropped.
    pub(crate) fn request_place(&self) -> Answer<OwnedSemaphorePermit> {
        let busy = |_full| Failure::unavailable("busy", "too many requests at once: retry later");
        self.0.requests.semaphore().try_acquire_owned().map_err(busy)
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn logged_requests(&self) -> &LoggedRequests {
        &self.0.logged_requests
    }

    /// What a query takes that is said to be slow; `None` if none is.
    pub(crate) fn slow_query(&self) -> Option<Duration> {
        let slow_ms = self.0.slow_query_ms.load(Ordering::Relaxed);
        (slow_ms > 0).then(|| Duration::from_millis(slow_ms))
    }

    pub(crate) fn requests_in_flight(&self) -> u64 {
        count(self.0.requests.taken())
    }

    pub(crate) fn tails_open(&self) -> u64 {
        count(self.0.tails.taken())
    }

    /// UTC microseconds.
    pub(crate) fn started_at_us(&self) -> i64 {
        self.0.started_at_us
    }

    /// Counts a request of a caller.
    ///
    /// # Errors
    /// 429 if its key has had its requests for now.
    pub(crate) fn count_request(&self, caller: &Principal) -> Answer<()> {
        self.0.rates.request(&caller.key_id, caller.rates, &self.limits(), self.clock().monotonic())
    }

    /// Counts events that a caller is about to append.
    ///
    /// # Errors
    /// 429 if its key has had its events for now.
    pub(crate) fn count_events(&self, caller: &Principal, events: usize) -> Answer<()> {
        self.0.rates.events(&caller.key_id, caller.rates, events, &self.limits(), self.clock().monotonic())
    }

    /// A request id nobody else has: a random start and a count.
    pub(crate) fn next_request_id(&self) -> String {
        let count = self.0.request_count.fetch_add(1, Ordering::Relaxed);
        format!("{:08x}{count:08x}", self.0.request_prefix)
    }

    /// Remembers that a request with this idempotency key runs, until the guard is dropped.
    pub(crate) fn run_once(&self, key: u128) -> Option<Running> {
        self.0.running.lock().insert(key).then(|| Running { state: self.clone(), key })
    }

    /// Whether a query that starts now, on this thread, has had its time or its events; asked between blocks of work.
    pub(crate) fn expiry(&self) -> Box<dyn Fn() -> bool + '_> {
        let limits = self.limits();
        let deadline = self.clock().monotonic() + limits.query_time_max;
        let last_row = scanned_rows().saturating_add(limits.query_scanned_events_max);
        Box::new(move || scanned_rows() > last_row || self.clock().monotonic() >= deadline)
    }
}

/// A state that may be gone.
pub(crate) struct WeakState(std::sync::Weak<Inner>);

impl WeakState {
    /// The state, if anybody else still uses it.
    pub(crate) fn upgrade(&self) -> Option<AppState> {
        self.0.upgrade().map(AppState)
    }
}

/// An idempotency key in use.
pub(crate) struct Running {
    state: AppState,
    key: u128,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.state.0.running.lock().remove(&self.key);
    }
}

/// A place among the tails.
pub(crate) struct TailPlace {
    state: AppState,
    key_id: String,
    _place: OwnedSemaphorePermit,
}

impl Drop for TailPlace {
    fn drop(&mut self) {
        let mut by_key = self.state.0.tails_by_key.lock();
        match by_key.get_mut(&self.key_id) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = by_key.remove(&self.key_id),
        }
    }
}

/// Makes a key for the administrator, and gives it to be shown, if there is nobody who may administer
/// the store.
fn first_admin_key(engine: &Engine, identities: &Identities) -> Result<Option<String>> {
    let now_us = engine.options().clock.now_us();
    if identities.has_admin(now_us) {
        return Ok(None);
    }
    if let Some(refusal) = engine.write_refusal() {
        return Err(Error::config(format!(
            "nobody may administer the store, and no key can be made ({refusal}): set ANNALS_ADMIN_KEY"
        )));
    }
    let grant =
        Grant { scopes: vec![Scope::Admin.name().to_owned()], user_id: Some("admin".to_owned()), ..Grant::default() };
    let (record, key) = keys::make(NewKey { name: "administrator".to_owned(), grant, ..NewKey::default() }, now_us)?;
    engine.put_blob(keys::BLOB, &identities.keys.to_bytes_with(&record)?)?;
    identities.keys.add(record);
    Ok(Some(key))
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn count(places: usize) -> u64 {
    u64::try_from(places).unwrap_or(u64::MAX)
}

/// Another secret, from which `secret` cannot be told.
fn derived(secret: &[u8; 32], domain: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(domain);
    hash.update(secret);
    hash.finalize().into()
}

/// A secret that is kept in the store, so that what it signs survives a restart.
pub(crate) fn kept_secret(engine: &Engine, blob: &str) -> Result<[u8; 32]> {
    if let Some(stored) = engine.get_blob(blob)? {
        return stored.try_into().map_err(|bytes: Vec<u8>| {
            Error::State(format!("the {blob} in the store has {} bytes, not 32", bytes.len()))
        });
    }
    let mut secret = [0; 32];
    keys::random(&mut secret)?;
    match engine.put_blob(blob, &secret) {
        // Where it cannot be kept, what it signs ends with this process; reads go on.
        Err(error) if matches!(error.kind(), ErrorKind::DiskFull | ErrorKind::Poisoned) => {
            tracing::warn!(%error, blob, "a secret is not kept");
        }
        other => other?,
    }
    Ok(secret)
}
