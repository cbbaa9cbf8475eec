//! `kill-loop BIN DIR ROUNDS SEED`: starts the server, lets clients write, kills it, starts it again and
//! looks for everything it had acknowledged.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use crate::check::{Open, check};
use crate::client::Client;
use crate::load::Plan;
use crate::random::Random;
use crate::server::{Server, Setup};
use crate::world::{Allowed, Totals, World};
use crate::{Failure, load, lock};

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

/// The whole loop; says what came of it.
pub(crate) fn run(binary: &Path, directory: &Path, rounds: u64, seed: u64) -> Result<String, Failure> {
    let mut random = Random::new(seed);
    let mut totals = Totals::default();
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
fn kill_one_store(setup: &Setup<'_>, kills: u64, random: &mut Random) -> Result<Totals, Failure> {
    let world = Mutex::new(World::default());
    for kill in 0..=kills {
        let level = usize::try_from(random.below(3)).ok().and_then(|level| LEVELS.get(level)).unwrap_or(&"sync");
        let mut server = Server::start(setup, level)?;
        let client = Client::new(server.address());
        check(&client, &mut lock(&world), Allowed::Nothing, Open::SendAgain)
            .map_err(|failure| format!("after kill {kill}: {failure}"))?;
        if kill == kills {
            break;
        }
        let load_ms = LOAD_MS.0 + random.below(LOAD_MS.1 - LOAD_MS.0);
        std::thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                let (mut random, world, address) = (random.fork(), &world, server.address());
                scope.spawn(move || load::run(&Client::new(address), world, &mut random, &Plan::default()));
            }
            std::thread::sleep(Duration::from_millis(load_ms));
            server.kill()
        })?;
    }
    Ok(lock(&world).totals())
}
