//! Compares a server with what its clients were told.

use crate::Failure;
use crate::client::{Answer, Client, stored};
use crate::journal::Line;
use crate::world::{Allowed, World};

/// What is done about batches without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    /// They are sent again: a repeat must harm nothing.
    SendAgain,
    /// The server cannot write.
    Leave,
}

/// Compares what is there with what was acknowledged, then tries again what has no answer.
pub(crate) fn check(client: &Client, world: &mut World, allowed: Allowed, open: Open) -> Result<u64, Failure> {
    let all = client.list("")?;
    let marked = client.list("&acknowledged=true")?;
    world.compare(&all, &marked, allowed)?;
    if open == Open::SendAgain {
        for batch in world.unanswered() {
            let Answer::Done(answer) = client.append(&batch) else {
                return Err("a batch without an answer is refused when it is sent again".into());
            };
            if stored(&answer) != batch.count {
                return Err(format!("{batch:?} is answered with {answer}").into());
            }
            world.note(&Line::Settled { batch: batch.name })?;
        }
    }
    Ok(u64::try_from(all.len())?)
}
