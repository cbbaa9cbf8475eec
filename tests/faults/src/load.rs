//! What one client does until the server is gone.

use std::sync::Mutex;

use crate::client::{Answer, Client};
use crate::lock;
use crate::random::Random;
use crate::world::{Batch, World};

const EVENTS_OF_A_BATCH: u64 = 60;

/// Appends, deletes and acknowledges until there is no answer any more.
pub(crate) fn run(client: &Client, world: &Mutex<World>, random: &mut Random) {
    loop {
        let goes_on = match random.below(10) {
            0 => change(client, world, random, Change::Delete),
            1 => change(client, world, random, Change::Acknowledge),
            _ => append(client, world, random),
        };
        if !goes_on {
            return;
        }
    }
}

fn append(client: &Client, world: &Mutex<World>, random: &mut Random) -> bool {
    let batch = Batch::new(1 + random.below(EVENTS_OF_A_BATCH), random.below(2) == 0, random.next());
    let number = lock(world).sent(batch.clone());
    match client.append(&batch) {
        Ok(Some(stored)) => {
            // A wrong count is found by the comparison: the batch then counts as acknowledged whole.
            lock(world).acknowledged(number, stored);
            true
        }
        Ok(None) => true,
        Err(_) => false,
    }
}

#[derive(Clone, Copy)]
enum Change {
    Delete,
    Acknowledge,
}

/// Changes an event whose id the client gave and whose append was acknowledged.
fn change(client: &Client, world: &Mutex<World>, random: &mut Random, change: Change) -> bool {
    let Some((place, id)) = lock(world).pick(random.next()) else { return true };
    let answer = match change {
        Change::Delete => client.delete(&id),
        Change::Acknowledge => client.acknowledge(&id),
    };
    let (done, goes_on) = match answer {
        Answer::Done(_) => (Some(true), true),
        Answer::Refused => (Some(false), true),
        Answer::Gone => (None, false),
    };
    let mut world = lock(world);
    match change {
        Change::Delete => world.deleted(place, done),
        Change::Acknowledge => world.marked(place, done),
    }
    goes_on
}
