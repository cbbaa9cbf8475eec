//! `annals serve`: the server, and a store to try it with.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use annals_engine::{AppendOptions, Durability, Engine, ErrorKind, Options, Partitioning};
use annals_generate::Generator;
use annals_server::ServerConfig;
use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use crate::failure::{Failure, Result};
use crate::size::parse_size;
use crate::span::{parse_period, parse_span};
use crate::store::DATA_DEFAULT;
use crate::terminal::{grouped, is_watched, say};

/// Events of `--demo`: enough to page through and to count, made in a second.
const DEMO_EVENTS: u64 = 100_000;
/// The engine's default.
const LOG_SIZE_DEFAULT: &str = "256MiB";
const DEMO_SEED: u64 = 1;
const DEMO_BATCH_EVENTS: usize = 20_000;

/// Run the server.
///
/// On the first start without `ANNALS_ADMIN_KEY` a key is made and shown once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals serve --demo
  ANNALS_ADMIN_KEY=$(openssl rand -hex 24) annals serve --data /var/lib/annals --listen 127.0.0.1:9000")]
pub(crate) struct Serve {
    /// The store's directory; made if it is missing
    #[arg(long, value_name = "DIR", default_value = DATA_DEFAULT, env = "ANNALS_DATA")]
    data: PathBuf,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = annals_server::LISTEN_DEFAULT, env = "ANNALS_LISTEN")]
    listen: SocketAddr,
    /// What an acknowledgement means
    #[arg(long, value_enum, default_value_t, env = "ANNALS_DURABILITY")]
    durability: Level,
    /// Bytes of one log file, 1MiB to 2GiB: reserved in full when it is begun; what is sealed at a time
    #[arg(long, value_name = "BYTES", value_parser = parse_size, default_value = LOG_SIZE_DEFAULT, env = "ANNALS_LOG_SIZE")]
    log_size: u64,
    /// The time slice of a sealed segment: hour, day, week, month, or by volume
    #[arg(long, value_name = "SPAN", default_value_t, env = "ANNALS_PARTITION")]
    partition: Partitioning,
    /// Fill an empty store with 100,000 made-up events and say what to try
    #[arg(long)]
    demo: bool,
    /// Serve a damaged store: for reading only, without what the damage took, changing nothing
    #[arg(long, value_parser = BoolishValueParser::new(), env = "ANNALS_DEGRADED")]
    degraded: bool,
    /// Where administrators may have backups made, each in a new folder; none are made without it
    #[arg(long, value_name = "DIR", env = "ANNALS_BACKUP_DIR")]
    backup_dir: Option<PathBuf>,
    /// How often everything is read again in the background to find damage, such as 7d; or never
    #[arg(long, value_name = "SPAN", value_parser = parse_period, default_value = "7d", env = "ANNALS_SCRUB_PERIOD")]
    scrub_period: Duration,
    /// The most that this reads in a second
    #[arg(long, value_name = "BYTES", value_parser = parse_size, default_value = "8MiB", env = "ANNALS_SCRUB_RATE")]
    scrub_rate: u64,
    /// Listen on an address that other machines reach, without TLS: keys travel unencrypted
    #[arg(long)]
    insecure: bool,
    /// An API that is not to answer, such as deltafi; may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',', env = "ANNALS_WITHOUT_FACE")]
    without_face: Vec<String>,
    /// How far back deltafi's lists reach without `start` and `end`, such as 24h; everything if it is not given
    #[arg(long, value_name = "SPAN", value_parser = parse_span, env = "ANNALS_DELTAFI_DEFAULT_WINDOW")]
    deltafi_default_window: Option<Duration>,
    /// A proxy whose X-User-Name and X-User-Permissions deltafi believes; may be repeated
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', env = "ANNALS_DELTAFI_TRUSTED_PROXY")]
    deltafi_trusted_proxy: Vec<IpAddr>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Level {
    /// On the device: nothing acknowledged is lost
    #[default]
    Sync,
    /// With the operating system, on the device within 200 ms: a power cut loses that much at most
    Interval,
    /// With the operating system: safe from a crash of the server, not from one of the machine
    Buffered,
}

impl From<Level> for Durability {
    fn from(level: Level) -> Self {
        match level {
            Level::Sync => Durability::Sync,
            Level::Interval => Durability::Interval,
            Level::Buffered => Durability::Buffered,
        }
    }
}

fn config_of(command: &Serve) -> ServerConfig {
    let mut config = ServerConfig::from_environment(&command.data);
    config.listen = command.listen;
    config.durability = command.durability.into();
    config.log_size_bytes = command.log_size;
    config.partition = command.partition;
    config.degraded = command.degraded;
    config.backup_directory.clone_from(&command.backup_dir);
    config.scrub_period = command.scrub_period;
    config.scrub_bytes_per_second = command.scrub_rate;
    config.insecure = command.insecure;
    config.faces.off.clone_from(&command.without_face);
    config.faces.deltafi_default_window = command.deltafi_default_window;
    config.faces.deltafi_trusted_proxies.clone_from(&command.deltafi_trusted_proxy);
    config
}

pub(crate) fn run(command: &Serve) -> Result<ExitCode> {
    let config = config_of(command);
    if command.demo && command.degraded {
        return Err(Failure::new("--demo fills a store and --degraded changes nothing: leave one of them out"));
    }
    // Before a demonstration fills a store for a server that will not start.
    config.validate().map_err(Failure::new)?;
    let filter = tracing_subscriber::EnvFilter::try_from_env("ANNALS_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_ansi(is_watched()).with_env_filter(filter).with_writer(std::io::stderr).init();
    if command.demo {
        fill(command)?;
    }
    let admin_key = config.admin_key.clone();
    annals_server::run(&config, |address, new_key| {
        say(format_args!("annals listens on http://{address}, the events are in {}", command.data.display()));
        if let Some(key) = new_key {
            say(format_args!("\nThe administrator's key, shown this once:\n\n  {key}\n"));
        }
        if command.demo {
            say(what_to_try(address, shown_key(admin_key.is_some(), new_key)));
        }
    })
    .map_err(|error| match &error {
        annals_server::Error::Engine(damage) if damage.kind() == ErrorKind::Corrupt => {
            Failure::new(format_args!("{error}\n`annals serve --degraded` serves what is sound, for reading only."))
        }
        _ => Failure::new(error),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Fills the store if there is nothing in it.
fn fill(command: &Serve) -> Result<()> {
    let mut options = Options::new(&command.data);
    options.log_size_bytes = command.log_size;
    options.partition = command.partition;
    let engine = Engine::open(options)?;
    let held = engine.stats().last_sequence;
    if held > 0 {
        say(format_args!("the store has had {} events before and is left as it is", grouped(held)));
        return Ok(engine.close()?);
    }
    let mut generator = Generator::new(DEMO_SEED, DEMO_EVENTS, engine.options().clock.now_us());
    let mut lines = Vec::new();
    while generator.remaining() > 0 {
        lines.clear();
        for _ in 0..DEMO_BATCH_EVENTS {
            if !generator.write_line(&mut lines) {
                break;
            }
        }
        let parsed = annals_json::parse_ndjson(&lines, 1);
        if let Some(error) = parsed.errors.first() {
            return Err(Failure::new(format_args!("a made-up event is not taken: {}", error.message)));
        }
        engine.append(parsed.batch, &AppendOptions::default())?;
    }
    engine.flush()?;
    engine.close()?;
    say(format_args!("{} made-up events stored", grouped(DEMO_EVENTS)));
    Ok(())
}

/// The key as the lines to try name it. One that came from the environment is not printed: what a server
/// prints is kept in logs.
fn shown_key(from_environment: bool, new_key: Option<&str>) -> &str {
    if from_environment { "$ANNALS_ADMIN_KEY" } else { new_key.unwrap_or("$ANNALS_KEY") }
}

fn what_to_try(address: SocketAddr, key: &str) -> String {
    let call = format!("  curl -H 'Authorization: Bearer {key}'");
    let call = if key.starts_with('$') { call.replace('\'', "\"") } else { call };
    format!(
        "Try:\n\
         {call} 'http://{address}/annals/v1/events?event_type=user.login&limit=3'\n\
         {call} 'http://{address}/annals/v1/stats?by=event_type&limit=5&interval=1d'\n\
         {call} 'http://{address}/annals/v1/events?severity=error&q=disk&sort=created_at&offset=100&limit=2'\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(folder: &std::path::Path) -> Serve {
        Serve {
            data: folder.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 1)),
            durability: Level::Sync,
            log_size: 1 << 20,
            partition: Partitioning::default(),
            demo: true,
            degraded: false,
            backup_dir: None,
            scrub_period: Duration::from_hours(7 * 24),
            scrub_rate: 8 << 20,
            insecure: false,
            without_face: Vec::new(),
            deltafi_default_window: None,
            deltafi_trusted_proxy: Vec::new(),
        }
    }

    #[test]
    fn an_empty_store_is_filled_once() {
        let folder = tempfile::tempdir().unwrap();
        let command = demo(folder.path());
        for _ in 0..2 {
            fill(&command).unwrap();
            let engine = Engine::open(Options::new(folder.path())).unwrap();
            assert_eq!(engine.stats().events, DEMO_EVENTS);
            engine.close().unwrap();
        }
    }

    #[test]
    fn faces_are_set_as_they_are_asked_for() {
        use clap::Parser as _;

        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            serve: Serve,
        }

        let config = |words: &[&str]| {
            let words = std::iter::once("serve").chain(words.iter().copied());
            Line::try_parse_from(words).map(|line| config_of(&line.serve))
        };
        let set = config(&[
            "--without-face=hoody",
            "--without-face=orgs",
            "--deltafi-default-window=24h",
            "--deltafi-trusted-proxy=127.0.0.1",
            "--deltafi-trusted-proxy=::1",
        ])
        .unwrap();
        assert_eq!(set.faces.off, ["hoody", "orgs"]);
        assert_eq!(set.faces.deltafi_default_window, Some(Duration::from_hours(24)));
        assert_eq!(set.faces.deltafi_trusted_proxies.len(), 2);
        set.validate().unwrap();
        let plain = config(&[]).unwrap();
        assert!(plain.faces.off.is_empty() && plain.faces.deltafi_trusted_proxies.is_empty());
        assert_eq!(plain.faces.deltafi_default_window, None);
        assert!(config(&["--deltafi-default-window=1"]).is_err());
        assert!(config(&["--deltafi-trusted-proxy=proxy"]).is_err());
        assert!(config(&["--without-face=nonsense"]).unwrap().validate().is_err());
    }

    #[test]
    fn log_files_are_as_large_as_the_engine_makes_them() {
        assert_eq!(parse_size(LOG_SIZE_DEFAULT), Ok(annals_engine::LOG_SIZE_BYTES_DEFAULT));
    }

    #[test]
    fn what_to_try_has_the_key() {
        let address = SocketAddr::from(([127, 0, 0, 1], 8080));
        let text = what_to_try(address, shown_key(false, Some("secret")));
        assert_eq!(text.matches("curl -H 'Authorization: Bearer secret' 'http://127.0.0.1:8080/annals").count(), 3);
        for (from_environment, name) in [(true, "$ANNALS_ADMIN_KEY"), (false, "$ANNALS_KEY")] {
            let text = what_to_try(address, shown_key(from_environment, None));
            assert_eq!(text.matches(&format!("curl -H \"Authorization: Bearer {name}\" ")).count(), 3, "{text}");
        }
    }
}
