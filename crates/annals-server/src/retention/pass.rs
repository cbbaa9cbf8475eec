//! One pass over the policies: what they would delete now, and deleting it.

use annals_engine::{Delete, Filter, Snapshot, TenantScope};
use annals_query::{Expired, Query, StatsRequest, count_writable, stats};

use super::policy::{DAY_US, Policies};
use crate::error::Answer;
use crate::state::AppState;

/// What policies would delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outlook {
    /// Of each policy the cutoff in UTC microseconds, exclusive, and how many events lie below; nothing of
    /// either in a store without events.
    pub(crate) each: Vec<(Option<i64>, u64)>,
    /// Events that at least one of them would delete.
    pub(crate) would_delete: u64,
    /// Events in the store.
    pub(crate) events: u64,
}

impl Outlook {
    /// Whether that is more than happens by itself. Time is known only from clocks and from the events
    /// themselves: a wrong one must not empty a store.
    pub(crate) fn needs_confirmation(&self) -> bool {
        self.would_delete > self.events / 2
    }
}

/// What a pass did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done { deleted: u64 },
    Waits { would_delete: u64, events: u64 },
}

/// What these policies would delete from a view.
///
/// # Errors
/// 503 once `expired` says so; a segment is damaged.
pub(crate) fn outlook(snapshot: &Snapshot, policies: &Policies, now_us: i64, expired: Expired<'_>) -> Answer<Outlook> {
    let nothing = StatsRequest { by: Vec::new(), top: None, interval_us: None };
    let found = stats(snapshot, &Query::new(&TenantScope::Unlimited), &nothing, expired)?;
    // A clock that ran ahead by years gets no further than the events themselves do.
    let now_us = found.newest_us.map(|newest_us| now_us.min(newest_us.saturating_add(DAY_US)));
    let count = |filter: &Filter| count_writable(snapshot, &TenantScope::Unlimited, filter, expired);
    let mut each = Vec::with_capacity(policies.list.len());
    let mut any = Vec::new();
    for policy in &policies.list {
        let cutoff_us = now_us.map(|now_us| policy.cutoff_at(now_us)).or(policy.cutoff_us);
        let doomed = cutoff_us.map(|cutoff_us| policy.doomed(cutoff_us));
        each.push((cutoff_us, doomed.as_ref().map_or(Ok(0), count)?));
        any.extend(doomed);
    }
    let would_delete = if any.is_empty() { 0 } else { count(&Filter::Or(any))? };
    Ok(Outlook { each, would_delete, events: found.total })
}

/// Raises the cutoffs and deletes what lies below. The caller holds the lock of changes.
///
/// # Errors
/// What the store refuses; the next pass goes on.
pub(super) fn pass(state: &AppState) -> Answer<Outcome> {
    let (engine, retention) = (state.engine(), state.retention());
    let policies = retention.policies();
    if policies.list.is_empty() {
        return Ok(Outcome::Done { deleted: 0 });
    }
    let now_us = state.clock().now_us();
    let outlook = outlook(&engine.snapshot(), &policies, now_us, &|| false)?;
    if outlook.needs_confirmation() && !policies.confirmed {
        return Ok(Outcome::Waits { would_delete: outlook.would_delete, events: outlook.events });
    }
    let mut raised = Policies::clone(&policies);
    for (policy, (cutoff_us, _)) in raised.list.iter_mut().zip(&outlook.each) {
        policy.cutoff_us = *cutoff_us;
    }
    // ORDER: the cutoffs first. From then on nothing below them is taken, so the deletes miss nothing.
    if raised != *policies {
        retention.keep(engine, raised.clone())?;
    }
    let mut deleted = 0;
    for policy in &raised.list {
        let Some(cutoff_us) = policy.cutoff_us else { continue };
        // Whole segments go without being read. The engine refuses a cutoff in the future, which is what a
        // cutoff of the past becomes when the clock is set back by years.
        let what = if policy.is_about_all() && cutoff_us <= now_us {
            Delete::CreatedBefore(cutoff_us)
        } else {
            Delete::Matching(policy.doomed(cutoff_us))
        };
        deleted += engine.delete(&what)?;
    }
    // ORDER: the word of the operator counts until its pass is through: one that broke off goes on with it.
    if raised.confirmed {
        retention.keep(engine, Policies { confirmed: false, ..raised })?;
    }
    Ok(Outcome::Done { deleted })
}
