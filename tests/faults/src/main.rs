//! Clients that note what a real server told them, and compare it with what the server has later.
//!
//! ```text
//! annals-faults kill-loop BIN DIR ROUNDS SEED
//! annals-faults load ADDRESS LOG [SETTING=VALUE]...
//! annals-faults check ADDRESS LOG [cut=MS] [lost-ms=N] [open=leave]
//! ```
//!
//! `load` writes until the server is gone, `seconds` are over or, with `stop=unavailable`, the first answer 503; its
//! other settings are `connections`, `calls` (of a connection), `events` (of a batch at most), `text` (characters of an event), `only`
//! (`appends` or `changes`, which are deletes and marks) and `seed`. `check` fails if anything that the log has as acknowledged is not there exactly once; what
//! was acknowledged at the time `cut` (milliseconds since 1970) or later counts as without an answer, and what was within
//! `lost-ms` before it may be missing, from the end and in whole batches. Batches without an answer are sent again, but
//! for `open=leave`.
#![forbid(unsafe_code)]

mod batch;
mod check;
mod client;
mod journal;
mod kill_loop;
mod load;
mod random;
mod server;
mod settings;
mod world;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use crate::check::{Open, check};
use crate::client::Client;
use crate::journal::now_ms;
use crate::load::{End, Only, Plan};
use crate::random::Random;
use crate::settings::Settings;
use crate::world::{Allowed, World};

/// What can go wrong, in words.
type Failure = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: annals-faults kill-loop BIN DIR ROUNDS SEED
       annals-faults load ADDRESS LOG [connections=N] [seconds=N] [calls=N] [events=N] [text=N] [seed=N] [only=appends|changes]
                          [stop=unavailable]
       annals-faults check ADDRESS LOG [cut=MS] [lost-ms=N] [open=leave]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (name, outcome) = match words.as_slice() {
        ["kill-loop", binary, directory, rounds, seed] => {
            ("kill-loop", run_kill_loop(Path::new(binary), Path::new(directory), rounds, seed))
        }
        ["load", address, log, settings @ ..] => ("load", run_load(address, Path::new(log), settings)),
        ["check", address, log, settings @ ..] => ("check", run_check(address, Path::new(log), settings)),
        _ => {
            say(USAGE);
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(summary) => {
            say(&format!("{name}: {summary}"));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            say(&format!("{name}: FAILED: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run_kill_loop(binary: &Path, directory: &Path, rounds: &str, seed: &str) -> Result<String, Failure> {
    let (rounds, seed) = (rounds.parse()?, seed.parse()?);
    let outcome = kill_loop::run(binary, directory, rounds, seed);
    let summary = outcome.map_err(|failure| format!("{failure}; seed {seed}"))?;
    Ok(format!("{summary}; seed {seed}"))
}

fn run_load(address: &str, log: &Path, settings: &[&str]) -> Result<String, Failure> {
    let address: SocketAddr = address.parse()?;
    let mut settings = Settings::parse(settings)?;
    let connections = settings.number("connections")?.unwrap_or(4);
    let mut random = Random::new(settings.number("seed")?.unwrap_or_else(now_ms));
    let mut plan = Plan::default();
    if let Some(seconds) = settings.number("seconds")? {
        plan.until_ms = now_ms().saturating_add(seconds.saturating_mul(1000));
    }
    plan.calls = settings.number("calls")?.unwrap_or(plan.calls);
    plan.events = settings.number("events")?.unwrap_or(plan.events).max(1);
    plan.text = settings.number("text")?.unwrap_or(plan.text);
    plan.ends_when_unavailable = settings.word("stop", &[("unavailable", ())])?.is_some();
    plan.only = settings.word("only", &[("appends", Only::Appends), ("changes", Only::Changes)])?;
    settings.end()?;
    let world = Mutex::new(World::open(log)?);
    let before = lock(&world).totals();
    let ends = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|_| {
                let (mut random, world, plan) = (random.fork(), &world, &plan);
                scope.spawn(move || load::run(&Client::new(address), world, &mut random, plan))
            })
            .collect();
        let ends = clients.into_iter().map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".into())));
        ends.collect::<Result<Vec<End>, Failure>>()
    })?;
    let mut ends: Vec<String> = ends.iter().map(ToString::to_string).collect();
    ends.sort();
    ends.dedup();
    let (batches, changes) = lock(&world).totals().since(&before);
    Ok(format!("{batches} batches and {changes} changes acknowledged; ended by: {}", ends.join(", ")))
}

fn run_check(address: &str, log: &Path, settings: &[&str]) -> Result<String, Failure> {
    let address: SocketAddr = address.parse()?;
    let mut settings = Settings::parse(settings)?;
    let (cut, lost_ms) = (settings.number("cut")?, settings.number("lost-ms")?);
    let allowed = match (cut, lost_ms) {
        (Some(cut), Some(lost_ms)) => Allowed::From { at_ms: cut.saturating_sub(lost_ms) },
        (None, Some(_)) => return Err("lost-ms goes with cut".into()),
        (_, None) => Allowed::Nothing,
    };
    let open = settings.word("open", &[("leave", Open::Leave)])?.unwrap_or(Open::SendAgain);
    settings.end()?;
    let mut world = World::open(log)?;
    if let Some(cut) = cut {
        world.reopen(cut)?;
    }
    let events = check(&Client::new(address), &mut world, allowed, open)?;
    Ok(format!("{events} events are there; {}", world.totals()))
}

fn lock(world: &Mutex<World>) -> std::sync::MutexGuard<'_, World> {
    world.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn say(text: &str) {
    // Nobody is left to tell if this fails.
    _ = writeln!(std::io::stderr(), "{text}");
}

/// Where the server's own words go.
fn log_path(store: &Path) -> PathBuf {
    store.with_extension("log")
}
