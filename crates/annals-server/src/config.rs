//! Settings: plain data with defaults as named constants, checked once.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use annals_engine::{
    COLD_AFTER_MS_DEFAULT, Durability, EVENT_SIZE_MAX, FUTURE_MS_MAX_DEFAULT, LOG_AGE_MS_MAX_DEFAULT,
    LOG_SIZE_BYTES_DEFAULT, LOG_SIZE_BYTES_MAX, LOG_SIZE_BYTES_MIN, MAINTENANCE_NICENESS_DEFAULT, Options,
    Partitioning, QUEUE_SIZE_BYTES_DEFAULT, SCRUB_BYTES_PER_SECOND_DEFAULT, SCRUB_PERIOD_MS_DEFAULT,
    SEAL_THREADS_DEFAULT_MAX, SYNC_INTERVAL_BYTES_DEFAULT, SYNC_INTERVAL_MS_DEFAULT, SYNC_MARKER_IDLE_MS_DEFAULT,
    UNSEALED_LOGS_MAX_DEFAULT,
};

use crate::auth::ADMIN_KEY_LEN_MIN;
use crate::body::JSON_DEPTH_MAX;
use crate::error::{Error, Result};
use crate::routes::FACES;
use crate::settings::{Kind, RELOADED, RESTART, section};

/// Where the server listens unless told otherwise: this machine only.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:8080";
/// The store's directory unless told otherwise.
pub const DIRECTORY_DEFAULT: &str = "./annals-data";

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// The engine takes no more in one batch.
const EVENTS_MAX: u64 = 100_000;
const _: () = assert!(annals_engine::BATCH_EVENTS_MAX == 100_000);
/// Readers of JSON go no deeper, and the store takes no larger event.
const DEPTH_MAX: u64 = 64;
const _: () = assert!(JSON_DEPTH_MAX == 64 && EVENT_SIZE_MAX == 1 << 20);
/// What a query takes.
const PAGE_EVENTS_MAX: u64 = 100_000;
const _: () = assert!(annals_query::LIMIT_MAX == 100_000);
/// More than any time allowed is enough for.
const SCANNED_EVENTS_MAX: u64 = 1_000_000_000_000;

const fn size(min: u64, max: u64) -> Kind {
    Kind::Size(min, max)
}

const fn span_ms(min: u64, max: u64) -> Kind {
    Kind::Span(Duration::from_millis(min), Duration::from_millis(max))
}

const LOG_FORMATS: &[&str] = &["text", "json"];
const LOG_REQUESTS: &[&str] = &["all", "failed", "none"];
const SLOW_QUERY: Kind = Kind::SpanOrNever(Duration::from_millis(1), Duration::from_hours(1));

/// How many processors there are; two if nobody knows.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

section! {
    /// What one request may cost. A client meets each of these as a documented answer, never as a stall.
    pub struct Limits as limits, by processors {
        /// Bytes of the request target; above, 414.
        uri_size_max: usize = 8 * KIB, size(64, 64 << 10), RELOADED;
        /// Header lines; above, 431.
        headers_max: usize = 64, Kind::Count(8, 1000), RELOADED;
        /// Bytes of all header names and values; above, 431.
        headers_size_max: usize = 16 * KIB, size(256, 128 << 10), RELOADED;
        /// Bytes of an all-or-nothing ingest body after decompression; above, 413.
        ingest_size_max: usize = 64 * MIB, size(1 << 10, 4 << 30), RELOADED;
        /// Events of one all-or-nothing ingest; above, 413.
        ingest_events_max: usize = annals_engine::BATCH_EVENTS_MAX, Kind::Count(1, EVENTS_MAX), RELOADED;
        /// Bytes of the body of a single event; above, 413.
        create_size_max: usize = 2 * MIB, size(1 << 10, 64 << 20), RELOADED;
        /// Bytes of any other body; above, 413.
        small_size_max: usize = 128 * KIB, size(1 << 10, 64 << 20), RELOADED;
        /// Levels of objects and arrays within each other in the JSON of a body, or of one event of it; above, 400.
        json_depth_max: usize = JSON_DEPTH_MAX, Kind::Count(1, DEPTH_MAX), RELOADED;
        /// Bytes of all the texts of one event; above, 400, or an error of its line.
        event_size_max: usize = EVENT_SIZE_MAX, size(1 << 10, 1 << 20), RELOADED;
        /// Different filters of one query.
        filters_max: usize = 16, Kind::Count(1, 1000), RELOADED;
        /// Values of one filter.
        filter_values_max: usize = 100, Kind::Count(1, 10_000), RELOADED;
        /// Bytes of one filter's value.
        filter_value_size_max: usize = KIB, size(16, 64 << 10), RELOADED;
        /// Time one query may take; above, 503.
        query_time_max: Duration = Duration::from_secs(5), span_ms(1, HOUR_MS), RELOADED;
        /// Events that one query may go through, as often as it does: those whose texts it searches in, and those
        /// whose values it reads one by one because no index answers; above, 503.
        query_scanned_events_max: u64 = 200_000_000, Kind::Count(1, SCANNED_EVENTS_MAX), RELOADED;
        /// Events of one page. A face whose own bound is lower keeps that; beyond, as the face says.
        page_events_max: u32 = 10_000, Kind::Count(1, PAGE_EVENTS_MAX), RELOADED;
        /// Bytes after which a page of the native API ends early, with a cursor.
        page_size_bytes_max: usize = 16 * MIB, size(64 << 10, 1 << 30), RELOADED;
        /// Notifications that one of hoody's lists shows, which have no pages: the newest. Marking all as read
        /// means these.
        notifications_max: usize = 1000, Kind::Count(1, 100_000), RELOADED;
        /// Time for the head of a request from its first byte on; for the first one from when the connection is there.
        header_time_max: Duration = Duration::from_secs(10), span_ms(100, HOUR_MS), RELOADED;
        /// The longest pause between two requests of a connection; then it is closed.
        idle_time_max: Duration = Duration::from_mins(1), span_ms(100, HOUR_MS), RELOADED;
        /// Time for the handshake of TLS; then the connection is closed.
        tls_handshake_time_max: Duration = Duration::from_secs(10), span_ms(100, HOUR_MS), RELOADED;
        /// The longest pause within a body; above, 408. Also how long a client may take nothing of its
        /// answer before it is cut off.
        body_pause_max: Duration = Duration::from_secs(30), span_ms(100, HOUR_MS), RELOADED;
        /// Open connections; further ones are closed.
        connections_max: usize = 4096, Kind::Count(1, 1_000_000), RELOADED;
        /// Open connections of one address; further ones are closed.
        connections_per_address_max: usize = 256, Kind::Count(1, 1_000_000), RELOADED;
        /// Requests being answered; above, 503.
        requests_max: usize = 1024, Kind::Count(1, 1_000_000), RELOADED;
        /// Queries running at once; further ones wait up to `query_time_max`. Twice the processors, 4 at least,
        /// if it is not set.
        reads_max: usize = (2 * processors).max(4), Kind::Count(1, 1024), RELOADED;
        /// Appends, deletes and marks running at once; further ones wait up to 10 s, then 503. They mostly wait for the
        /// disk, so there are more of them than processors.
        writes_max: usize = 64, Kind::Count(1, 1024), RELOADED;
        /// Bodies of partial ingest being read at once; above, 503.
        streams_max: usize = 32, Kind::Count(1, 1024), RELOADED;
        /// Bytes of all-or-nothing ingest held at once, as bodies or as the events parsed of them; further bodies
        /// wait, and get 503 if those under way need it.
        ingest_memory_max: usize = 512 * MIB, size(1 << 20, 1 << 40), RELOADED;
        /// Passwords being hashed at once; further ones wait up to `query_time_max`. Each takes a processor
        /// and 19 MiB for tens of milliseconds. Half of the processors if it is not set, so that logins leave the
        /// other half to everything else.
        passwords_max: usize = (processors / 2).max(1), Kind::Count(1, 1024), RELOADED;
        /// Requests that wait for that; above, 503.
        passwords_waiting_max: usize = 32, Kind::Count(1, 100_000), RELOADED;
        /// Tails at once; above, 503.
        tails_max: usize = 128, Kind::Count(1, 1_000_000), RELOADED;
        /// Tails of one key, or of one user's tokens, at once; above, 503. One of them must not take every place.
        tails_per_key_max: usize = 32, Kind::Count(1, 1_000_000), RELOADED;
        /// How long a tail is silent before it says that it is still there, and looks whether its key is.
        tail_keep_alive: Duration = Duration::from_secs(15), span_ms(1000, HOUR_MS), RELOADED;
        /// How often standing retention policies delete what they no longer keep.
        retention_interval: Duration = Duration::from_mins(5), span_ms(1000, DAY_MS), RELOADED;
        /// Wrong keys and passwords of one address or /64 of IPv6 in a minute (loopback apart), and wrong
        /// passwords of one user name, from wherever; above, 429.
        wrong_keys_per_minute_max: u32 = 60, Kind::Count(1, 1_000_000), RELOADED;
        /// Requests of one key, or of one user's tokens, in a second; above, 429. 0 = as many as it likes. A key may have
        /// a rate of its own. The administrator's key of the settings has no such bounds.
        key_requests_per_second: u32 = 0, Kind::Count(0, 1_000_000), RELOADED;
        /// Events that one key appends in a second; above, 429. 0 = as many as it likes. A key may have a rate of its
        /// own.
        key_events_per_second: u32 = 0, Kind::Count(0, 1_000_000_000), RELOADED;
        /// How much of these two a key that was silent may use at once: what it has in so much time.
        key_burst: Duration = Duration::from_secs(10), span_ms(1000, HOUR_MS), RELOADED;
        /// How long requests in flight may take once the server is told to stop.
        drain_time_max: Duration = Duration::from_secs(25), span_ms(0, HOUR_MS), RELOADED;
    }
}

section! {
    /// What the engine has besides `log_size`, `partition` and `scrub`: to be changed with a reason.
    pub struct EngineSettings as engine, by processors {
        /// Level `interval`: the longest time without a sync.
        sync_interval: Duration = Duration::from_millis(SYNC_INTERVAL_MS_DEFAULT), span_ms(1, 60_000), RESTART;
        /// Level `interval`: the most unsynced bytes.
        sync_interval_size: u64 = SYNC_INTERVAL_BYTES_DEFAULT, size(4 << 10, 1 << 30), RESTART;
        /// Idle time after a sync until a sync marker says so in the log.
        sync_marker_idle: Duration = Duration::from_millis(SYNC_MARKER_IDLE_MS_DEFAULT), span_ms(1, 60_000), RESTART;
        /// Bytes of batches waiting for the writer; beyond, an append waits up to 10 s and then gets 503.
        queue_size: usize = QUEUE_SIZE_BYTES_DEFAULT, size(1 << 20, 4 << 30), RESTART;
        /// How long a log file is written to before it is sealed, however full it is.
        log_age_max: Duration = Duration::from_millis(LOG_AGE_MS_MAX_DEFAULT), span_ms(1000, 30 * DAY_MS), RESTART;
        /// Full log files waiting to be sealed; beyond, appends wait as above.
        unsealed_logs_max: usize = UNSEALED_LOGS_MAX_DEFAULT, Kind::Count(1, 64), RESTART;
        /// Threads that seal one log together, a segment each. The processors, 4 at most, if it is not set.
        seal_threads: usize = processors.min(SEAL_THREADS_DEFAULT_MAX), Kind::Count(1, 64), RESTART;
        /// By how much the threads that seal and compact are nicer than the others: queries and appends come
        /// first where processors are short.
        maintenance_niceness: u8 = MAINTENANCE_NICENESS_DEFAULT, Kind::Count(0, 19), RESTART;
        /// How long after its sealing a segment stays in the form whose pages are read fastest; then it is packed.
        cold_after: Duration = Duration::from_millis(COLD_AFTER_MS_DEFAULT), span_ms(0, 3650 * DAY_MS), RESTART;
        /// How far in the future the time of an event may lie.
        future_max: Duration = Duration::from_millis(FUTURE_MS_MAX_DEFAULT), span_ms(0, 3650 * DAY_MS), RESTART;
    }
}

section! {
    /// TLS 1.2 and 1.3 on the listener, once both files are named. Both are read again at SIGHUP.
    pub struct TlsSettings as tls, by processors {
        /// The server's certificate and those between it and the authority, PEM, in this order.
        cert: Option<PathBuf> = None, Kind::Text, RELOADED.flag("FILE").example("/etc/annals/tls/fullchain.pem");
        /// The private key of that certificate, PEM (PKCS 8, PKCS 1 or SEC 1).
        key: Option<PathBuf> = None, Kind::Text, RELOADED.flag("FILE").example("/etc/annals/tls/key.pem");
    }
}

section! {
    /// What the server says on standard error.
    pub struct LogSettings as log, by processors {
        /// How much: error, warn, info, debug or trace; or by part of the program, such as
        /// `warn,annals_server=debug`.
        filter: String = "info".to_owned(), Kind::Text, RESTART.variable("ANNALS_LOG");
        /// How: lines for people, or one JSON object a line.
        format: String = "text".to_owned(), Kind::Choice(LOG_FORMATS), RESTART.flag("FORMAT");
        /// Which requests get a line when they are answered: all of them, those that the server failed to answer as
        /// asked (5xx), or none.
        requests: String = "failed".to_owned(), Kind::Choice(LOG_REQUESTS), RELOADED.flag("WHICH");
        /// A query that takes as long gets a warning with its route, the names and number of its filters, never
        /// their values, its rows and its key's id.
        slow_query: Duration = Duration::from_millis(500), SLOW_QUERY, RELOADED.flag("SPAN");
    }
}

/// Which faces answer, and the settings that are one face's own.
#[derive(Clone, Debug, Default)]
pub struct FaceSettings {
    /// Names of the faces that are switched off; their paths are unknown.
    pub off: Vec<String>,
    /// Whether the page at `/ui/` is switched off.
    pub without_page: bool,
    /// How far back deltafi's lists reach without `start` and `end`; `None` is everything.
    pub deltafi_default_window: Option<Duration>,
    /// Peers whose `X-User-Name` and `X-User-Permissions` deltafi believes; none by default.
    pub deltafi_trusted_proxies: Vec<IpAddr>,
    /// Event groups that waldur names beside those in the store, with their event types.
    pub waldur_event_groups: BTreeMap<String, Vec<String>>,
}

/// How the server runs.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The store's directory.
    pub directory: PathBuf,
    /// Where to listen; anything but this machine needs `insecure`.
    pub listen: SocketAddr,
    /// Where `/metrics` is, if anywhere; anything but this machine needs TLS or `insecure`.
    pub metrics_listen: Option<SocketAddr>,
    /// What an acknowledgement means; a request may ask for more, never for less.
    pub durability: Durability,
    /// Bytes of one log file, the engine's [`Options::log_size_bytes`](annals_engine::Options).
    pub log_size_bytes: u64,
    /// The time slice of a sealed segment, the engine's [`Options::partition`](annals_engine::Options).
    pub partition: Partitioning,
    /// Whether a damaged store is served read-only all the same, the engine's
    /// [`Options::degraded`](annals_engine::Options).
    pub degraded: bool,
    /// Below which folder backups are made that clients ask for; none are without one.
    pub backup_directory: Option<PathBuf>,
    /// How often everything is read again to find damage, the engine's
    /// [`Options::scrub_period_ms`](annals_engine::Options); zero = never.
    pub scrub_period: Duration,
    /// The most bytes of a second that this reads, the engine's
    /// [`Options::scrub_bytes_per_second`](annals_engine::Options).
    pub scrub_bytes_per_second: u64,
    /// The administrator's key, while it is set.
    pub admin_key: Option<String>,
    /// The file that [`Sources::load`](crate::settings::Sources::load) reads it from, if there is one.
    pub admin_key_file: Option<PathBuf>,
    /// Whether keys and events may travel unencrypted over a network.
    pub insecure: bool,
    /// What one request may cost.
    pub limits: Limits,
    /// Which faces answer, and how.
    pub faces: FaceSettings,
    /// The rest of the engine's options.
    pub engine: EngineSettings,
    /// Certificate and key of the listener.
    pub tls: TlsSettings,
    /// What the server says on standard error.
    pub log: LogSettings,
    /// Which program it says that it is. No setting: the program fills it in.
    pub build: Build,
}

/// Which program runs: `annals_build_info` of `/metrics`, and `server.started` in what was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// Its version.
    pub version: &'static str,
    /// The commit that it was built from, `unknown` where nobody said.
    pub commit: &'static str,
}

impl Default for Build {
    fn default() -> Self {
        Self { version: env!("CARGO_PKG_VERSION"), commit: "unknown" }
    }
}

impl ServerConfig {
    /// The defaults, for a store in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self::for_processors(directory, processors())
    }

    /// The same on a machine with so many processors.
    pub(crate) fn for_processors(directory: impl Into<PathBuf>, processors: usize) -> Self {
        Self {
            directory: directory.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            metrics_listen: None,
            durability: Durability::Sync,
            log_size_bytes: LOG_SIZE_BYTES_DEFAULT,
            partition: Partitioning::default(),
            degraded: false,
            backup_directory: None,
            scrub_period: Duration::from_millis(SCRUB_PERIOD_MS_DEFAULT),
            scrub_bytes_per_second: SCRUB_BYTES_PER_SECOND_DEFAULT,
            admin_key: None,
            admin_key_file: None,
            insecure: false,
            limits: Limits::for_processors(processors),
            faces: FaceSettings::default(),
            engine: EngineSettings::for_processors(processors),
            tls: TlsSettings::for_processors(processors),
            log: LogSettings::for_processors(processors),
            build: Build::default(),
        }
    }

    /// How the engine is opened for this server.
    pub fn engine_options(&self) -> Options {
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let engine = &self.engine;
        Options {
            durability: self.durability,
            log_size_bytes: self.log_size_bytes,
            partition: self.partition,
            degraded: self.degraded,
            scrub_period_ms: ms(self.scrub_period),
            scrub_bytes_per_second: self.scrub_bytes_per_second,
            sync_interval_ms: ms(engine.sync_interval),
            sync_interval_bytes: engine.sync_interval_size,
            sync_marker_idle_ms: ms(engine.sync_marker_idle),
            queue_size_bytes: engine.queue_size,
            log_age_ms_max: ms(engine.log_age_max),
            unsealed_logs_max: engine.unsealed_logs_max,
            seal_threads: engine.seal_threads,
            maintenance_niceness: engine.maintenance_niceness,
            cold_after_ms: ms(engine.cold_after),
            future_ms_max: ms(engine.future_max),
            ..Options::new(&self.directory)
        }
    }

    /// Checks what can be checked before anything is opened.
    ///
    /// # Errors
    /// One that says which setting, and what to do.
    pub fn validate(&self) -> Result<()> {
        let has_tls = match (&self.tls.cert, &self.tls.key) {
            (Some(_), Some(_)) => true,
            (None, None) => false,
            (Some(_), None) => {
                return Err(Error::config("tls.cert is set and tls.key is not: a certificate needs its key"));
            }
            (None, Some(_)) => {
                return Err(Error::config("tls.key is set and tls.cert is not: name the certificate of that key"));
            }
        };
        for address in std::iter::once(self.listen).chain(self.metrics_listen) {
            if !address.ip().is_loopback() && !has_tls && !self.insecure {
                return Err(Error::config(format!(
                    "{address} is reachable from other machines and the server speaks plain HTTP: name a certificate \
                     and its key with --tls-cert and --tls-key, listen on 127.0.0.1 behind a proxy that does TLS, or \
                     say --insecure"
                )));
            }
        }
        if self.metrics_listen == Some(self.listen) && self.listen.port() != 0 {
            return Err(Error::config(format!(
                "listen and metrics_listen are both {}: metrics need a port of their own",
                self.listen
            )));
        }
        if !(LOG_SIZE_BYTES_MIN..=LOG_SIZE_BYTES_MAX).contains(&self.log_size_bytes) {
            return Err(Error::config(format!(
                "the size of a log file is {} bytes, the range is {LOG_SIZE_BYTES_MIN} to {LOG_SIZE_BYTES_MAX}",
                self.log_size_bytes
            )));
        }
        if let Some(backups) = &self.backup_directory {
            let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_unknown| path.clone());
            if absolute(backups).starts_with(absolute(&self.directory)) {
                return Err(Error::config(format!(
                    "the folder for backups, {}, lies in the store's own: name one elsewhere, best on another device",
                    backups.display()
                )));
            }
        }
        for name in &self.faces.off {
            if !FACES.iter().any(|face| face.name == name) {
                let names: Vec<&str> = FACES.iter().map(|face| face.name).collect();
                return Err(Error::config(format!(
                    "there is no face {name:?} to switch off; there are {}",
                    names.join(", ")
                )));
            }
        }
        match &self.admin_key {
            Some(key)
                if key.len() < ADMIN_KEY_LEN_MIN
                    || !key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') =>
            {
                Err(Error::config(format!(
                    "the administrator's key must be {ADMIN_KEY_LEN_MIN} or more printable ASCII characters, this one is not: \
                     make one with `openssl rand -hex 24`"
                )))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_need_a_word_from_the_operator() {
        let mut config = ServerConfig::new("x");
        assert!(config.validate().is_ok());
        config.listen = "0.0.0.0:80".parse().unwrap();
        assert!(config.validate().unwrap_err().to_string().ends_with("or say --insecure"));
        config.insecure = true;
        assert!(config.validate().is_ok());
        let metrics =
            |address: &str| ServerConfig { metrics_listen: Some(address.parse().unwrap()), ..ServerConfig::new("x") };
        assert!(metrics("127.0.0.1:9090").validate().is_ok());
        assert!(metrics("0.0.0.0:9090").validate().unwrap_err().to_string().starts_with("0.0.0.0:9090 is reachable"));
        assert!(metrics("127.0.0.1:8080").validate().unwrap_err().to_string().contains("a port of their own"));
        assert!(ServerConfig { insecure: true, ..metrics("0.0.0.0:9090") }.validate().is_ok());
    }

    #[test]
    fn backups_lie_outside_of_the_store() {
        for (folder, good) in [("x", false), ("x/backups", false), ("./x/b", false), ("y", true), ("xy", true)] {
            let config = ServerConfig { backup_directory: Some(folder.into()), ..ServerConfig::new("x") };
            assert_eq!(config.validate().is_ok(), good, "{folder}");
        }
    }

    #[test]
    fn a_log_file_has_a_size_within_the_range() {
        for (log_size_bytes, good) in [(1 << 20, true), (2 << 30, true), ((1 << 20) - 1, false), ((2 << 30) + 1, false)]
        {
            let config = ServerConfig { log_size_bytes, ..ServerConfig::new("x") };
            assert_eq!(config.validate().is_ok(), good, "{log_size_bytes}");
        }
    }

    #[test]
    fn a_guessable_admin_key_is_refused() {
        for (key, good) in [("0123456789abcdef", true), ("0123456789abcde", false), ("0123456789abcdéf", false)] {
            let config = ServerConfig { admin_key: Some(key.to_owned()), ..ServerConfig::new("x") };
            assert_eq!(config.validate().is_ok(), good, "{key}");
        }
    }
}
