//! The table: the settings that are no section's with a struct of its own, and where the others are.

use std::time::Duration;

use annals_engine::{LOG_SIZE_BYTES_MAX, LOG_SIZE_BYTES_MIN};

use super::value::Kind;
use super::{RELOADED, RESTART, Setting, setting};
use crate::config::{EngineSettings, Limits, LogSettings, TlsSettings};

const SCRUB_PERIOD_MIN: Duration = Duration::from_secs(1);
const SCRUB_PERIOD_MAX: Duration = Duration::from_hours(3650 * 24);
const LEVELS: &[&str] = &["sync", "interval", "buffered"];
const PARTITIONS: &[&str] = &["volume", "hour", "day", "week", "month"];

/// The top of the file, and the sections of a few settings.
const GENERAL: &[Setting] = &[
    setting!("data", Kind::Text, RESTART.flag("DIR"), directory, "The store's directory; made if it is missing."),
    setting!(
        "listen",
        Kind::Text,
        RESTART.flag("ADDRESS"),
        listen,
        "Where to listen: an address and a port. Other \
        addresses than those of this machine need [tls] or insecure."
    ),
    setting!(
        "metrics_listen",
        Kind::Text,
        RESTART.flag("ADDRESS").example("127.0.0.1:9090"),
        metrics_listen,
        "Where /metrics is, for Prometheus: an address and a port of its own. It needs no key, so other addresses than \
        those of this machine need [tls] or insecure, and somebody who keeps strangers away."
    ),
    setting!(
        "insecure",
        Kind::Flag,
        RESTART.flag(""),
        insecure,
        "Listen on an address that other machines reach, \
        without TLS: keys and events travel unencrypted."
    ),
    setting!(
        "admin_key",
        Kind::Secret,
        RELOADED.example("a-long-random-text"),
        admin_key,
        "The administrator's key: \
        16 or more printable ASCII characters. Better in the environment or in a file of its own. Without one the \
        first start makes a key in the store and shows it once."
    ),
    setting!(
        "admin_key_file",
        Kind::Text,
        RELOADED.flag("FILE").example("/run/credentials/annals/admin-key"),
        admin_key_file,
        "The file that has the administrator's key as its only line."
    ),
    setting!(
        "durability",
        Kind::Choice(LEVELS),
        RESTART.flag("LEVEL"),
        durability,
        "What an acknowledgement means. \
        sync: on the device, nothing acknowledged is lost. interval: with the operating system, on the device within \
        engine.sync_interval, a power cut loses that much at most. buffered: with the operating system, safe from a \
        crash of the server, not from one of the machine. A request may ask for more, never for less."
    ),
    setting!(
        "log_size",
        Kind::Size(LOG_SIZE_BYTES_MIN, LOG_SIZE_BYTES_MAX),
        RESTART.flag("BYTES"),
        log_size_bytes,
        "One log file: reserved in full when it is begun; what is sealed at a time. Holds for the logs begun from then \
        on."
    ),
    setting!(
        "partition",
        Kind::Choice(PARTITIONS),
        RESTART.flag("SPAN"),
        partition,
        "The time slice of a sealed \
        segment: a fixed one, or by volume."
    ),
    setting!(
        "degraded",
        Kind::Flag,
        RESTART.flag(""),
        degraded,
        "Serve a damaged store: for reading only, without what \
        the damage took, changing nothing. A sound store is served as always."
    ),
    setting!(
        "backup_dir",
        Kind::Text,
        RESTART.flag("DIR").example("/var/backups/annals"),
        backup_directory,
        "Where \
        administrators may have backups made, each in a new folder; none are made without it."
    ),
    setting!(
        "without_face",
        Kind::List,
        RESTART.flag("NAME"),
        faces.off,
        "APIs that are not to answer, such as \
        deltafi."
    ),
    setting!(
        "without_page",
        Kind::Flag,
        RELOADED.flag(""),
        faces.without_page,
        "Do not show the page at /ui/. It holds no \
        data and asks the native API with the key of whoever signs in; without that API there is none either."
    ),
    setting!(
        "scrub.period",
        Kind::SpanOrNever(SCRUB_PERIOD_MIN, SCRUB_PERIOD_MAX),
        RESTART.flag("SPAN"),
        scrub_period,
        "How often everything is read again."
    ),
    setting!(
        "scrub.rate",
        Kind::Size(4 << 10, 1 << 40),
        RESTART.flag("BYTES"),
        scrub_bytes_per_second,
        "The most that \
        this reads in a second."
    ),
    setting!(
        "deltafi.default_window",
        Kind::Span(Duration::from_secs(1), Duration::from_hours(36_500 * 24)),
        RELOADED.flag("SPAN").example("24h"),
        faces.deltafi_default_window,
        "How far back deltafi's lists reach without \
        start and end; everything if it is not set."
    ),
    setting!(
        "deltafi.trusted_proxy",
        Kind::List,
        RELOADED.flag("ADDRESS"),
        faces.deltafi_trusted_proxies,
        "Proxies \
        whose X-User-Name and X-User-Permissions deltafi believes."
    ),
    setting!(
        "waldur.event_groups",
        Kind::Groups,
        RELOADED,
        faces.waldur_event_groups,
        "Event groups that waldur names \
        beside those in the store, with their event types, such as { \"access\" = [\"user.login\", \"user.logout\"] }; \
        in the environment access=user.login,user.logout;other=x."
    ),
];

/// The sections in the order of the file, with what a reader is told at their head.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("", ""),
    ("tls", "TLS 1.2 and 1.3 on the listener, once both files are named. SIGHUP reads both again."),
    ("log", "What the server says on standard error."),
    ("scrub", "Reading everything again in the background, to find damage."),
    ("deltafi", "The API of deltafi."),
    ("waldur", "The API of waldur."),
    ("limits", "What one request, one client and all of them may cost."),
    ("engine", "The store itself: to be changed with a reason, docs/operations.md has them."),
];

/// Every setting, in the order of the file.
pub fn table() -> impl Iterator<Item = &'static Setting> + Clone {
    let all = [GENERAL, TlsSettings::SETTINGS, LogSettings::SETTINGS, Limits::SETTINGS, EngineSettings::SETTINGS];
    SECTIONS
        .iter()
        .flat_map(move |(section, _)| all.into_iter().flatten().filter(move |setting| setting.section() == *section))
}
