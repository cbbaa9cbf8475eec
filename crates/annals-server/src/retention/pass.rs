//! One pass over the policies: what they would delete now, and deleting it.

use annals_engine::{Delete, Engine, Filter, TenantScope};
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
    /// `confirmed`: it would have waited otherwise.
    Done {
        deleted: u64,
        confirmed: bool,
    },
    Waits {
        would_delete: u64,
        events: u64,
    },
}

/// What these policies would delete now. What is held is not counted.
///
/// # Errors
/// 503 once `expired` says so; a segment is damaged.
pub(crate) fn outlook(engine: &Engine, policies: &Policies, now_us: i64, expired: Expired<'_>) -> Answer<Outlook> {
    let snapshot = &engine.snapshot();
    let nothing = StatsRequest::default();
    let found = stats(snapshot, &Query::new(&TenantScope::Unlimited), &nothing, expired)?;
    // A clock that ran ahead by years gets no further than the events themselves do.
    let now_us = found.newest_us.map(|newest_us| now_us.min(newest_us.saturating_add(DAY_US)));
    let count = |filter: &Filter| count_writable(snapshot, &TenantScope::Unlimited, &engine.deletable(filter), expired);
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

/// Raises the cutoffs and deletes what lies below: more than half of the events only if they are no more than
/// `may_delete`. The caller holds the lock of changes.
///
/// # Errors
/// What the store refuses; the next pass goes on.
pub(super) fn pass(state: &AppState, may_delete: u64) -> Answer<Outcome> {
    let (engine, retention) = (state.engine(), state.retention());
    let policies = retention.policies();
    if policies.list.is_empty() {
        return Ok(Outcome::Done { deleted: 0, confirmed: false });
    }
    let now_us = state.clock().now_us();
    let outlook = outlook(engine, &policies, now_us, &|| false)?;
    let confirmed = outlook.needs_confirmation();
    if confirmed && outlook.would_delete > may_delete {
        return Ok(Outcome::Waits { would_delete: outlook.would_delete, events: outlook.events });
    }
    let mut raised = Policies::clone(&policies);
    for (policy, (cutoff_us, _)) in raised.list.iter_mut().zip(&outlook.each) {
        policy.cutoff_us = *cutoff_us;
    }
    // ORDER: the cutoffs first. From then on nothing below them is taken; what came between the look and them
    // goes now or with the next pass.
    if raised != *policies {
        retention.keep(engine, raised.clone())?;
    }
    let mut deleted = 0;
    for what in deletes(&raised, &outlook, now_us) {
        deleted += engine.delete(&what)?;
    }
    Ok(Outcome::Done { deleted, confirmed })
}

/// The deletes of a pass. A policy that has nothing to delete asks for none: each looks through the store while
/// every other change waits.
fn deletes(raised: &Policies, outlook: &Outlook, now_us: i64) -> Vec<Delete> {
    let due = raised.list.iter().zip(&outlook.each).filter(|(_, (_, count))| *count > 0);
    due.filter_map(|(policy, (cutoff_us, _))| {
        let cutoff_us = (*cutoff_us)?;
        // Whole segments go without being read. The engine refuses a cutoff in the future, which is what a
        // cutoff of the past becomes when the clock is set back by years.
        Some(if policy.is_about_all() && cutoff_us <= now_us {
            Delete::CreatedBefore(cutoff_us)
        } else {
            Delete::Matching(policy.doomed(cutoff_us))
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::policy::Policy;
    use super::*;

    #[test]
    fn only_policies_with_something_to_delete_delete() {
        let policy = |name: &str, realm: Option<&str>| Policy {
            name: name.to_owned(),
            realm: realm.map(str::to_owned),
            event_type: None,
            keep_days: 1,
            cutoff_us: None,
        };
        let list = vec![policy("a", Some("r")), policy("b", Some("s")), policy("c", None), policy("d", None)];
        let policies = Policies { list };
        let each =
            |counts: [u64; 4]| counts.into_iter().zip(5_i64..).map(|(count, cutoff_us)| (Some(cutoff_us), count));
        let asked = |counts: [u64; 4], now_us: i64| {
            let outlook = Outlook { each: each(counts).collect(), would_delete: 9, events: 99 };
            let short = |what: &Delete| match what {
                Delete::CreatedBefore(cutoff_us) => format!("before {cutoff_us}"),
                Delete::Matching(filter) if *filter == policies.list[1].doomed(6) => "b".to_owned(),
                Delete::Matching(filter) if *filter == policies.list[3].doomed(8) => "d".to_owned(),
                other => format!("{other:?}"),
            };
            deletes(&policies, &outlook, now_us).iter().map(short).collect::<Vec<_>>()
        };
        assert!(asked([0; 4], 100).is_empty());
        assert_eq!(asked([0, 3, 2, 0], 100), ["b", "before 7"]);
        assert_eq!(asked([0, 0, 0, 1], 7), ["d"], "the clock is behind the cutoff");
    }
}
