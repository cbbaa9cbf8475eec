//! What one client does until the server is gone.

use std::fmt;
use std::sync::Mutex;

use crate::batch::Batch;
use crate::client::{Answer, Client, stored};
use crate::journal::{Change, Line, now_ms};
use crate::random::Random;
use crate::world::World;
use crate::{Failure, lock};

/// What a client sends and when it stops, but for a server that is gone.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The most events of a batch.
    pub(crate) events: u64,
    /// Characters of text of each event.
    pub(crate) text: u64,
    /// When it ends by itself.
    pub(crate) until_ms: u64,
    /// It ends after so many calls.
    pub(crate) calls: u64,
    /// It ends at the first answer of a server that cannot.
    pub(crate) ends_when_unavailable: bool,
    /// Only the one or the other.
    pub(crate) only: Option<Only>,
}

/// Deletes and marks go on when appends do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Only {
    Appends,
    Changes,
}

impl Default for Plan {
    fn default() -> Self {
        Self { events: 60, text: 0, until_ms: u64::MAX, calls: u64::MAX, ends_when_unavailable: false, only: None }
    }
}

/// Why a client stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Gone,
    TimeIsOver,
    Done,
    Unavailable(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Gone => f.write_str("the server is gone"),
            End::Done => f.write_str("all is done"),
            End::TimeIsOver => f.write_str("the time is over"),
            End::Unavailable(code) => f.write_str(code),
        }
    }
}

/// Appends, deletes and acknowledges until the plan says so or there is no answer any more.
pub(crate) fn run(client: &Client, world: &Mutex<World>, random: &mut Random, plan: &Plan) -> Result<End, Failure> {
    for _ in 0..plan.calls {
        if now_ms() >= plan.until_ms {
            return Ok(End::TimeIsOver);
        }
        let what = match plan.only {
            None => random.below(10),
            Some(Only::Appends) => 9,
            Some(Only::Changes) => random.below(2),
        };
        let answer = match what {
            0 => change(client, world, random, Change::Delete)?,
            1 => change(client, world, random, Change::Acknowledge)?,
            _ => append(client, world, random, plan)?,
        };
        match answer {
            Answer::Gone => return Ok(End::Gone),
            Answer::Unavailable(code) if plan.ends_when_unavailable => return Ok(End::Unavailable(code)),
            _ => {}
        }
    }
    Ok(End::Done)
}

fn append(client: &Client, world: &Mutex<World>, random: &mut Random, plan: &Plan) -> Result<Answer, Failure> {
    let (count, with_ids) = (1 + random.below(plan.events), random.below(2) == 0);
    let batch = Batch { name: random.next(), count, with_ids, text: plan.text };
    lock(world).note(&Line::Sent(batch))?;
    let answer = client.append(&batch);
    if let Answer::Done(body) = &answer {
        // A wrong count is found by the comparison: the batch then counts as acknowledged whole.
        lock(world).note(&Line::Acknowledged { batch: batch.name, stored: stored(body) })?;
    }
    Ok(answer)
}

/// Changes an event whose id the client gave and whose append was acknowledged.
fn change(client: &Client, world: &Mutex<World>, random: &mut Random, change: Change) -> Result<Answer, Failure> {
    let picked = lock(world).pick(random.next());
    let Some((place, id)) = picked else { return Ok(Answer::Refused) };
    let asked_ms = now_ms();
    let answer = match change {
        Change::Delete => client.delete(&id),
        Change::Acknowledge => client.acknowledge(&id),
    };
    let known = match &answer {
        Answer::Done(_) => Some(true),
        Answer::Refused => Some(false),
        Answer::Unavailable(_) | Answer::Gone => None,
    };
    lock(world).note(&Line::Changed { change, place, asked_ms, known })?;
    Ok(answer)
}
