//! Settings: plain data with defaults as named constants, checked once.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use annals_engine::{
    Durability, LOG_SIZE_BYTES_DEFAULT, LOG_SIZE_BYTES_MAX, LOG_SIZE_BYTES_MIN, Partitioning,
    SCRUB_BYTES_PER_SECOND_DEFAULT, SCRUB_PERIOD_MS_DEFAULT,
};

use crate::auth::ADMIN_KEY_LEN_MIN;
use crate::error::{Error, Result};
use crate::routes::FACES;

/// Where the server listens unless told otherwise: this machine only.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:8080";

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// What one request may cost. A client meets each of these as a documented answer, never as a stall.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of the request target; above, 414.
    pub uri_size_max: usize,
    /// Header lines; above, 431.
    pub headers_max: usize,
    /// Bytes of all header names and values; above, 431.
    pub headers_size_max: usize,
    /// Bytes of an all-or-nothing ingest body after decompression; above, 413.
    pub ingest_size_max: usize,
    /// Events of one all-or-nothing ingest; above, 413.
    pub ingest_events_max: usize,
    /// Bytes of the body of a single event; above, 413.
    pub create_size_max: usize,
    /// Bytes of any other body; above, 413.
    pub small_size_max: usize,
    /// Different filters of one query.
    pub filters_max: usize,
    /// Values of one filter.
    pub filter_values_max: usize,
    /// Bytes of one filter's value.
    pub filter_value_size_max: usize,
    /// Time one query may take; above, 503.
    pub query_time_max: Duration,
    /// Bytes after which a page of the native API ends early, with a cursor.
    pub page_size_bytes_max: usize,
    /// Notifications that one of hoody's lists shows, which have no pages: the newest. Marking all as read
    /// means these.
    pub notifications_max: usize,
    /// Time for the head of a request, and the longest pause between two requests of a connection.
    pub header_time_max: Duration,
    /// The longest pause within a body; above, 408. Also how long a client may take nothing of its
    /// answer before it is cut off.
    pub body_pause_max: Duration,
    /// Open connections; further ones are closed.
    pub connections_max: usize,
    /// Open connections of one address; further ones are closed.
    pub connections_per_address_max: usize,
    /// Requests being answered; above, 503.
    pub requests_max: usize,
    /// Queries running at once; further ones wait up to `query_time_max`.
    pub reads_max: usize,
    /// Appends, deletes and marks running at once; further ones wait. They mostly wait for the disk,
    /// so there are more of them than processors.
    pub writes_max: usize,
    /// Bodies of partial ingest being read at once; above, 503.
    pub streams_max: usize,
    /// Bytes of all-or-nothing ingest held at once, as bodies or as the events parsed of them; further bodies
    /// wait, and get 503 if those under way need it.
    pub ingest_memory_max: usize,
    /// Passwords being hashed at once; further ones wait up to `query_time_max`. Each takes a processor
    /// and 19 MiB for tens of milliseconds.
    pub passwords_max: usize,
    /// Requests that wait for that; above, 503.
    pub passwords_waiting_max: usize,
    /// Tails at once; above, 503.
    pub tails_max: usize,
    /// Tails of one key, or of one user's tokens, at once; above, 503. One of them must not take every place.
    pub tails_per_key_max: usize,
    /// How long a tail is silent before it says that it is still there, and looks whether its key is.
    pub tail_keep_alive: Duration,
    /// How often standing retention policies delete what they no longer keep.
    pub retention_interval: Duration,
    /// Wrong keys and passwords of one address or /64 of IPv6 in a minute (loopback apart), and wrong
    /// passwords of one user name, from wherever; above, 429.
    pub wrong_keys_per_minute_max: u32,
    /// How long requests in flight may take once the server is told to stop.
    pub drain_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            uri_size_max: 8 * KIB,
            headers_max: 64,
            headers_size_max: 16 * KIB,
            ingest_size_max: 64 * MIB,
            ingest_events_max: annals_engine::BATCH_EVENTS_MAX,
            create_size_max: 2 * MIB,
            small_size_max: 128 * KIB,
            filters_max: 16,
            filter_values_max: 100,
            filter_value_size_max: KIB,
            query_time_max: Duration::from_secs(5),
            page_size_bytes_max: 16 * MIB,
            notifications_max: 1000,
            header_time_max: Duration::from_secs(10),
            body_pause_max: Duration::from_secs(30),
            connections_max: 4096,
            connections_per_address_max: 256,
            requests_max: 1024,
            reads_max: (2 * processors).max(4),
            writes_max: 64,
            streams_max: 32,
            ingest_memory_max: 512 * MIB,
            // Half of the processors, so that logins leave the other half to everything else.
            passwords_max: (processors / 2).max(1),
            passwords_waiting_max: 32,
            tails_max: 128,
            tails_per_key_max: 32,
            tail_keep_alive: Duration::from_secs(15),
            retention_interval: Duration::from_mins(5),
            wrong_keys_per_minute_max: 60,
            drain_time_max: Duration::from_secs(25),
        }
    }
}

/// Which faces answer, and the settings that are one face's own.
#[derive(Clone, Debug, Default)]
pub struct FaceSettings {
    /// Names of the faces that are switched off; their paths are unknown.
    pub off: Vec<String>,
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
    /// Whether keys and events may travel unencrypted over a network.
    pub insecure: bool,
    /// What one request may cost.
    pub limits: Limits,
    /// Which faces answer, and how.
    pub faces: FaceSettings,
}

impl ServerConfig {
    /// The defaults, for a store in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            durability: Durability::Sync,
            log_size_bytes: LOG_SIZE_BYTES_DEFAULT,
            partition: Partitioning::default(),
            degraded: false,
            backup_directory: None,
            scrub_period: Duration::from_millis(SCRUB_PERIOD_MS_DEFAULT),
            scrub_bytes_per_second: SCRUB_BYTES_PER_SECOND_DEFAULT,
            admin_key: None,
            insecure: false,
            limits: Limits::default(),
            faces: FaceSettings::default(),
        }
    }

    /// The defaults with `ANNALS_ADMIN_KEY` of the environment, if it is set and not empty.
    pub fn from_environment(directory: impl Into<PathBuf>) -> Self {
        let admin_key = std::env::var("ANNALS_ADMIN_KEY").ok().filter(|key| !key.is_empty());
        Self { admin_key, ..Self::new(directory) }
    }

    /// Checks what can be checked before anything is opened.
    ///
    /// # Errors
    /// One that says which setting, and what to do.
    pub fn validate(&self) -> Result<()> {
        if !self.listen.ip().is_loopback() && !self.insecure {
            return Err(Error::config(format!(
                "{} is reachable from other machines and the server speaks plain HTTP: listen on 127.0.0.1 behind a \
                 proxy that does TLS, or say --insecure",
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
                    "ANNALS_ADMIN_KEY must be {ADMIN_KEY_LEN_MIN} or more printable ASCII characters, this one is not: \
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
