//! Deletes and marks that stay inside the caller's scope.

use annals_engine::{Delete, Engine, Filter, Mark, StoredEvent, TenantScope};

use crate::error::{Error, ErrorKind, Result};
use crate::lookup::{Counts, EventRef, all_with_id, find_among, get, not_found, sees};
use crate::plan::{Expired, View, count_all};
use crate::query::scoped;
use crate::run::Run;

/// Whether a delete by filter deletes or only counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeleteMode {
    /// Deletes.
    Delete,
    /// Counts what would be deleted and leaves it.
    DryRun,
}

/// What a delete did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeleteOutcome {
    /// Events deleted, or those that would have been.
    pub deleted: u64,
}

/// Deletes every event that matches and that `scope` may delete, and returns how many. Events the caller
/// sees but shares with a foreign realm are left, and so are those that a hold keeps. Durable and visible to every later query on return.
///
/// An empty filter deletes all that `scope` may delete: whether that is meant is for the caller to check.
/// Costs O(parts), however many match; a dry run obeys `expired`, a delete once begun does not stop.
///
/// # Errors
/// `InvalidInput` if the filter nests too deep; `TooExpensive` once `expired` says so; `Engine`.
pub fn delete_matching(
    engine: &Engine,
    scope: &TenantScope,
    filter: &Filter,
    mode: DeleteMode,
    expired: Expired<'_>,
) -> Result<DeleteOutcome> {
    let deleted = match mode {
        DeleteMode::Delete => engine.delete(&Delete::Matching(scoped(scope.writable(), filter)?))?,
        DeleteMode::DryRun => count_writable(&engine.snapshot(), scope, &engine.deletable(filter), expired)?,
    };
    Ok(DeleteOutcome { deleted })
}

/// How many events [`delete_matching`] would delete from this view.
///
/// # Errors
/// As for [`delete_matching`].
pub fn count_writable(view: &impl View, scope: &TenantScope, filter: &Filter, expired: Expired<'_>) -> Result<u64> {
    let filter = scoped(scope.writable(), filter)?;
    Ok(count_all(view.parts(), &filter, expired)?.iter().map(Run::window_len).sum())
}

/// Deletes the event of that name and returns it: all visible events with that identity if the name is
/// one, and then the latest of them is returned. Durable and visible to every later query on return.
///
/// # Errors
/// `NotFound` if `scope` sees no such event; `Forbidden` if one of them belongs to a foreign realm as
/// well, and then nothing is deleted; `Engine`.
pub fn delete_event(engine: &Engine, scope: &TenantScope, name: &EventRef) -> Result<(StoredEvent, DeleteOutcome)> {
    delete_event_among(engine, scope, name, &|_| true)
}

/// The same among the events that count: of an identity the others stay.
///
/// # Errors
/// As for [`delete_event`].
pub fn delete_event_among(
    engine: &Engine,
    scope: &TenantScope,
    name: &EventRef,
    counts: Counts<'_>,
) -> Result<(StoredEvent, DeleteOutcome)> {
    let doomed = deletable(&engine.snapshot(), scope, name, counts)?;
    let sequences = doomed.iter().map(|event| event.sequence).collect();
    let deleted = engine.delete(&Delete::Sequences(sequences))?;
    match doomed.into_iter().next() {
        // Somebody else may have deleted it since the snapshot was taken.
        Some(event) if deleted > 0 => Ok((event, DeleteOutcome { deleted })),
        _ => Err(not_found()),
    }
}

/// The events [`delete_event_among`] would delete from this view, the latest first.
///
/// # Errors
/// As for [`delete_event`].
pub fn deletable(
    view: &impl View,
    scope: &TenantScope,
    name: &EventRef,
    counts: Counts<'_>,
) -> Result<Vec<StoredEvent>> {
    let counts = |event: &StoredEvent| sees(scope, event) && counts(event);
    let found = find_among(view, name, &counts)?.ok_or_else(not_found)?;
    let doomed = if found.by_id { all_with_id(view, found.event.id, &counts)? } else { vec![found.event] };
    for event in &doomed {
        check_writable(scope, event)?;
    }
    Ok(doomed)
}

/// Marks the event of that name as taken note of and returns it as it is now. Durable on return.
///
/// # Errors
/// `NotFound` if `scope` sees no such event; `Forbidden` if it belongs to a foreign realm as well; `Engine`.
pub fn acknowledge(engine: &Engine, scope: &TenantScope, name: &EventRef) -> Result<StoredEvent> {
    mark(engine, scope, name, true)
}

/// Takes an acknowledgement back and returns the event as it is now. Durable on return.
///
/// # Errors
/// As for [`acknowledge`].
pub fn unacknowledge(engine: &Engine, scope: &TenantScope, name: &EventRef) -> Result<StoredEvent> {
    mark(engine, scope, name, false)
}

fn mark(engine: &Engine, scope: &TenantScope, name: &EventRef, acknowledged: bool) -> Result<StoredEvent> {
    let event = writable_event(&engine.snapshot(), scope, name)?;
    engine.mark(&[Mark { sequence: event.sequence, acknowledged }])?;
    get(&engine.snapshot(), scope, &EventRef::Sequence(event.sequence))
}

/// The event of that name, if `scope` may change it.
///
/// # Errors
/// As for [`acknowledge`].
pub fn writable_event(view: &impl View, scope: &TenantScope, name: &EventRef) -> Result<StoredEvent> {
    let event = get(view, scope, name)?;
    check_writable(scope, &event)?;
    Ok(event)
}

/// `Forbidden` unless `scope` may delete and mark the event, which it sees: all its realms are its own,
/// as in [`TenantScope::writable`].
///
/// # Errors
/// `Forbidden`.
pub(crate) fn check_writable(scope: &TenantScope, event: &StoredEvent) -> Result<()> {
    let own = match scope {
        TenantScope::Unlimited => true,
        TenantScope::Limited { realms, orgs } => {
            sees(scope, event) && event.realm_ids().all(|realm| realms.iter().chain(orgs).any(|own| own == realm))
        }
    };
    if own { Ok(()) } else { Err(Error::new(ErrorKind::Forbidden, "the event belongs to a foreign realm as well")) }
}
