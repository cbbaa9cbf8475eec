//! `annals serve`: the server, and a store to try it with.

use std::process::ExitCode;

use annals_engine::{AppendOptions, Engine, ErrorKind};
use annals_generate::Generator;
use annals_server::ServerConfig;
use clap::Args;

use crate::build;
use crate::failure::{Failure, Result};
use crate::log;
use crate::service;
use crate::settings::SettingFlags;
use crate::terminal::{grouped, say};

/// Events of `--demo`: enough to page through and to count, made in a second.
const DEMO_EVENTS: u64 = 100_000;
const DEMO_SEED: u64 = 1;
const DEMO_BATCH_EVENTS: usize = 20_000;

/// Run the server.
///
/// On the first start without `ANNALS_ADMIN_KEY` a key is made and shown once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals serve --demo
  annals serve --config /etc/annals/annals.toml
  ANNALS_ADMIN_KEY=$(openssl rand -hex 24) annals serve --data /var/lib/annals
  annals serve --listen 0.0.0.0:8443 --tls-cert fullchain.pem --tls-key key.pem

Limits and the rest are settings of the file and the environment:
`annals config print` shows all of them, `annals config example` is a file to
begin with. SIGHUP reads the file and the certificate again.")]
pub(crate) struct Serve {
    /// Fill an empty store with 100,000 made-up events and say what to try
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(crate) fn run(command: &Serve) -> Result<ExitCode> {
    let config = ServerConfig { build: build::OF_SERVER, ..command.settings.load()?.config };
    if command.demo && config.degraded {
        return Err(Failure::new("--demo fills a store and --degraded changes nothing: leave one of them out"));
    }
    log::start(&config)?;
    if command.demo {
        fill(&config)?;
    }
    let admin_key = config.admin_key.clone();
    let scheme = if config.tls.cert.is_some() { "https" } else { "http" };
    let sources = command.settings.sources();
    let reread = move || Ok(sources.load()?.config);
    annals_server::run(&config, reread, |address, new_key| {
        say(format_args!("annals listens on {scheme}://{address}, the events are in {}", config.directory.display()));
        if !config.faces.without_page {
            say(format_args!("the page is at {scheme}://{address}/ui/"));
        }
        if let Some(metrics) = config.metrics_listen {
            say(format_args!("metrics are at {scheme}://{metrics}/metrics"));
        }
        if let Some(key) = new_key {
            say(format_args!("\nThe administrator's key, shown this once:\n\n  {key}\n"));
        }
        service::say_ready();
        if command.demo {
            say(what_to_try(&format!("{scheme}://{address}"), shown_key(admin_key.is_some(), new_key)));
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
fn fill(config: &ServerConfig) -> Result<()> {
    let engine = Engine::open(config.engine_options())?;
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

fn what_to_try(origin: &str, key: &str) -> String {
    let call = format!("  curl -H 'Authorization: Bearer {key}'");
    let call = if key.starts_with('$') { call.replace('\'', "\"") } else { call };
    format!(
        "Try:\n\
         {call} '{origin}/annals/v1/events?event_type=user.login&limit=3'\n\
         {call} '{origin}/annals/v1/stats?by=event_type&limit=5&interval=1d'\n\
         {call} '{origin}/annals/v1/events?severity=error&q=disk&sort=created_at&offset=100&limit=2'\n"
    )
}

#[cfg(test)]
mod tests {
    use annals_engine::Options;

    use super::*;

    #[test]
    fn an_empty_store_is_filled_once() {
        let folder = tempfile::tempdir().unwrap();
        let config = ServerConfig { log_size_bytes: 1 << 20, ..ServerConfig::new(folder.path()) };
        for _ in 0..2 {
            fill(&config).unwrap();
            let engine = Engine::open(Options::new(folder.path())).unwrap();
            assert_eq!(engine.stats().events, DEMO_EVENTS);
            engine.close().unwrap();
        }
    }

    #[test]
    fn what_to_try_has_the_key() {
        let address = "http://127.0.0.1:8080";
        let text = what_to_try(address, shown_key(false, Some("secret")));
        assert_eq!(text.matches("curl -H 'Authorization: Bearer secret' 'http://127.0.0.1:8080/annals").count(), 3);
        for (from_environment, name) in [(true, "$ANNALS_ADMIN_KEY"), (false, "$ANNALS_KEY")] {
            let text = what_to_try(address, shown_key(from_environment, None));
            assert_eq!(text.matches(&format!("curl -H \"Authorization: Bearer {name}\" ")).count(), 3, "{text}");
        }
    }
}
