//! `kill-loop BIN DIR ROUNDS SEED`: starts the server, lets clients write, kills it, starts it again and
//! looks for everything it had acknowledged.
#![forbid(unsafe_code)]

mod client;
mod load;
mod random;
mod server;
mod world;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use crate::client::Client;
use crate::random::Random;
use crate::server::{Server, Setup};
use crate::world::World;

/// What can go wrong, in words.
type Failure = Box<dyn std::error::Error + Send + Sync>;

const CONNECTIONS: u64 = 4;
/// The load runs for this long before the kill.
const LOAD_MS: (u64, u64) = (50, 500);
/// A store is killed so often before the next one is begun: listing it takes longer each time.
const KILLS_OF_ONE_STORE: u64 = 10;
const LEVELS: [&str; 3] = ["sync", "interval", "buffered"];
/// Every other store has small logs, which are sealed and compacted again and again under the kills; the
/// others have logs that never get full.
const LOG_SIZE_SMALL: &str = "1MiB";
const LOG_SIZE_LARGE: &str = "256MiB";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [binary, directory, rounds, seed] = arguments.as_slice() else {
        say("usage: kill-loop BIN DIR ROUNDS SEED");
        return ExitCode::from(2);
    };
    let (Ok(rounds), Ok(seed)) = (rounds.parse(), seed.parse()) else {
        say("ROUNDS and SEED are numbers");
        return ExitCode::from(2);
    };
    match run(Path::new(binary), Path::new(directory), rounds, seed) {
        Ok(summary) => {
            say(&format!("kill-loop: {summary}; seed {seed}"));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            say(&format!("kill-loop: FAILED: {failure}; seed {seed}"));
            ExitCode::FAILURE
        }
    }
}

fn run(binary: &Path, directory: &Path, rounds: u64, seed: u64) -> Result<String, Failure> {
    let mut random = Random::new(seed);
    let mut totals = world::Totals::default();
    let mut segments = 0;
    let mut begun = 0;
    while begun < rounds {
        let kills = KILLS_OF_ONE_STORE.min(rounds - begun);
        let store = directory.join(format!("store-{begun}"));
        let small = (begun / KILLS_OF_ONE_STORE).is_multiple_of(2);
        let setup = Setup { binary, store: &store, log_size: if small { LOG_SIZE_SMALL } else { LOG_SIZE_LARGE } };
        let found = kill_one_store(&setup, kills, &mut random);
        totals.add(&found.map_err(|failure| format!("{}: {failure}", store.display()))?);
        segments += std::fs::read_dir(store.join("segment"))?.count();
        begun += kills;
        std::fs::remove_dir_all(&store)?;
    }
    Ok(format!("{rounds} kills, {totals}; {segments} sealed segments in the end"))
}

/// Kills one store again and again; each start finds all that was acknowledged before.
fn kill_one_store(setup: &Setup<'_>, kills: u64, random: &mut Random) -> Result<world::Totals, Failure> {
    let world = Mutex::new(World::new());
    for kill in 0..=kills {
        let level = usize::try_from(random.below(3)).ok().and_then(|level| LEVELS.get(level)).unwrap_or(&"sync");
        let mut server = Server::start(setup, level)?;
        let client = Client::new(server.address());
        check(&client, &mut lock(&world)).map_err(|failure| format!("after kill {kill}: {failure}"))?;
        if kill == kills {
            break;
        }
        let load_ms = LOAD_MS.0 + random.below(LOAD_MS.1 - LOAD_MS.0);
        std::thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                let (mut random, world, address) = (random.fork(), &world, server.address());
                scope.spawn(move || load::run(&Client::new(address), world, &mut random));
            }
            std::thread::sleep(Duration::from_millis(load_ms));
            server.kill()
        })?;
    }
    Ok(lock(&world).totals())
}

/// Compares what is there with what was acknowledged, then tries again what has no answer.
fn check(client: &Client, world: &mut World) -> Result<(), Failure> {
    let all = client.list("")?;
    let acknowledged = client.list("&acknowledged=true")?;
    world.compare(&all, &acknowledged)?;
    for (number, batch) in world.unanswered() {
        let stored = client.append(&batch)?.ok_or("a batch without an answer is refused when it is sent again")?;
        if stored != batch.count() {
            return Err(format!("batch {number} of {} events is answered with {stored}", batch.count()).into());
        }
        world.answered(number);
    }
    Ok(())
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
