//! Standing retention policies: what is kept how long, by itself. `docs/operations.md`, "Retention".

mod pass;
mod policy;
mod schedule;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use annals_engine::Engine;
use annals_json::{EventError, IncomingEvent};
use parking_lot::{Mutex, RwLock};
use serde_json::json;

pub(crate) use pass::outlook;
pub(crate) use policy::{
    EVENT_TYPE_SIZE_MAX, KEEP_DAYS_MAX, NAME_SIZE_MAX, POLICIES_MAX, Policies, Policy, REALM_SIZE_MAX,
};

use self::pass::Outcome;
use self::schedule::First;
use crate::deed::Deed;
use crate::error::{Answer, Error, Failure, Result};
use crate::state::AppState;

/// Where the policies are kept in the store.
const BLOB: &str = "retention";
/// What an event is refused with that is older than a policy keeps.
pub(crate) const EVENT_EXPIRED: &str = "event_expired";

/// The policies in force and what became of the last pass.
pub(crate) struct Retention {
    /// What ingest checks against; swapped as a whole.
    policies: RwLock<Arc<Policies>>,
    /// Whether any policy has a cutoff: without one ingest takes no lock.
    refuses: AtomicBool,
    /// Held while policies are replaced and while a pass runs: cutoffs are written by both.
    change: Mutex<()>,
    status: Mutex<Status>,
    schedule: schedule::Schedule,
}

/// What became of the last pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    pub(crate) last: Option<LastPass>,
    /// A pass that would have deleted more than half of the events, and did nothing.
    pub(crate) waiting: Option<Waiting>,
    /// Why the last pass failed, if it did.
    pub(crate) failure: Option<Failure>,
}

/// A pass that was done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastPass {
    /// UTC microseconds.
    pub(crate) at_us: i64,
    pub(crate) deleted: u64,
    /// Whether it did so because the operator said that it may.
    pub(crate) confirmed: bool,
}

/// A pass that waits for a word from the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// When it was first put off, UTC microseconds.
    pub(crate) since_us: i64,
    pub(crate) would_delete: u64,
    pub(crate) events: u64,
}

impl Retention {
    /// Reads the policies of the store.
    ///
    /// # Errors
    /// They cannot be read.
    pub(crate) fn load(engine: &Engine) -> Result<Self> {
        let policies = match engine.get_blob(BLOB)? {
            None => Policies::default(),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Error::State(format!("the retention policies in the store cannot be read: {error}"))
            })?,
        };
        Ok(Self {
            refuses: AtomicBool::new(policies.refuse_any()),
            policies: RwLock::new(Arc::new(policies)),
            change: Mutex::default(),
            status: Mutex::default(),
            schedule: schedule::Schedule::default(),
        })
    }

    /// The policies in force.
    pub(crate) fn policies(&self) -> Arc<Policies> {
        Arc::clone(&self.policies.read())
    }

    pub(crate) fn status(&self) -> Status {
        self.status.lock().clone()
    }

    /// Notes what became of a pass; gives what is worth writing down.
    fn note(&self, outcome: Answer<Outcome>, now_us: i64) -> Option<Deed> {
        let mut status = self.status.lock();
        status.failure = None;
        match outcome {
            Ok(Outcome::Done { deleted, confirmed }) => {
                status.waiting = None;
                status.last = Some(LastPass { at_us: now_us, deleted, confirmed });
                (deleted > 0).then(|| Deed::of_the_server("retention.applied").count(deleted))
            }
            Ok(Outcome::Waits { would_delete, events }) => {
                let before = status.waiting;
                let since_us = before.map_or(now_us, |waiting| waiting.since_us);
                status.waiting = Some(Waiting { since_us, would_delete, events });
                let deed = || Deed::of_the_server("retention.waiting").count(would_delete);
                before.is_none().then(|| deed().detail("events", json!(events)))
            }
            Err(failure) => {
                tracing::warn!(code = failure.code, message = failure.message, "a retention pass failed");
                status.failure = Some(failure);
                None
            }
        }
    }

    /// Writes policies down, then puts them in force.
    fn keep(&self, engine: &Engine, policies: Policies) -> Answer<()> {
        let bytes = serde_json::to_vec_pretty(&policies).map_err(|error| Failure::internal(&error))?;
        // ORDER: durable first, so that a cutoff that was in force stays so after a crash.
        engine.put_blob(BLOB, &bytes)?;
        let mut held = self.policies.write();
        self.refuses.store(policies.refuse_any(), Ordering::Relaxed);
        *held = Arc::new(policies);
        Ok(())
    }

    /// Refuses an event, its realms settled, that a policy has let go of: it would be gone again with the
    /// next pass.
    ///
    /// # Errors
    /// `event_expired`, with the policy and its cutoff.
    pub(crate) fn check(&self, event: &IncomingEvent<'_>) -> std::result::Result<(), EventError> {
        if !self.refuses.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.policies.read().refusing(event) {
            None => Ok(()),
            Some(policy) => {
                let mut cutoff = Vec::new();
                annals_json::write_micros(&mut cutoff, policy.cutoff_us.unwrap_or_default());
                let cutoff = String::from_utf8_lossy(&cutoff);
                Err(EventError::new(format!(
                    "{EVENT_EXPIRED}: created_at lies before {cutoff}, and the retention policy {:?} keeps nothing older",
                    policy.name
                )))
            }
        }
    }
}

/// Runs passes by itself, if the store has policies: at once and then at every interval.
///
/// # Errors
/// The operating system gives no thread.
pub(crate) fn start(state: &AppState) -> Answer<()> {
    if state.retention().policies().list.is_empty() { Ok(()) } else { schedule::start(state, First::Now) }
}

/// Replaces every policy and runs a pass. A policy of the same name, realm and event type keeps its
/// cutoff. For `may_delete` see [`confirm`]. Blocks.
///
/// # Errors
/// What the store refuses; what the pass itself fails with is in the status.
pub(crate) fn replace(state: &AppState, list: Vec<Policy>, may_delete: u64) -> Answer<()> {
    let retention = state.retention();
    {
        let _one_at_a_time = retention.change.lock();
        retention.keep(state.engine(), retention.policies().replaced_by(list))?;
        retention.status.lock().waiting = None;
        run_alone(state, may_delete);
    }
    // Behind the pass of this call, which is the first: its outcome is what the caller is shown.
    schedule::start(state, First::Later)
}

/// Runs a pass that may delete more than half of the events, if they are no more than `may_delete`. The word
/// counts for this pass alone, also if it fails: a later one would find other events, and nobody looking.
/// What becomes of it is in the status. Blocks.
pub(crate) fn confirm(state: &AppState, may_delete: u64) {
    let _one_at_a_time = state.retention().change.lock();
    run_alone(state, may_delete);
}

/// Runs a pass that nobody has confirmed. What became of it is in the status, and what it did in the internal
/// store. Blocks.
fn run(state: &AppState) {
    let _one_at_a_time = state.retention().change.lock();
    run_alone(state, 0);
}

/// The same; the caller holds the lock of changes.
fn run_alone(state: &AppState, may_delete: u64) {
    let outcome = pass::pass(state, may_delete);
    if let Ok(pass::Outcome::Done { deleted, .. }) = &outcome {
        state.metrics().retention_deleted(*deleted);
    }
    if let Some(deed) = state.retention().note(outcome, state.clock().now_us()) {
        state.internal().record(&deed);
    }
}
