//! Amendments, read receipts and replacing: what may be done to events inside the caller's scope.

use annals_engine::{Amendment, Engine, EventId, ReadMark, ReadReceipt, Snapshot, StoredEvent, TenantScope};

use crate::delete::{check_writable, writable_event};
use crate::error::Result;
use crate::lookup::{EventRef, all_with_id, get, not_found, sees};
use crate::plan::View;

/// Amends the event of that name and returns it as it is now; the amendment's own sequence plays no part.
/// Durable and visible to every later query on return.
///
/// # Errors
/// `NotFound` if `scope` sees no such event; `Forbidden` if it belongs to a foreign realm as well;
/// `InvalidInput` for a value beyond the limits of its field; `Engine`.
pub fn amend(engine: &Engine, scope: &TenantScope, name: &EventRef, amendment: Amendment) -> Result<StoredEvent> {
    let sequence = writable_event(&engine.snapshot(), scope, name)?.sequence;
    // Somebody else may have deleted it since the snapshot was taken.
    if !engine.amend(&Amendment { sequence, ..amendment })? {
        return Err(not_found());
    }
    get(&engine.snapshot(), scope, &EventRef::Sequence(sequence))
}

/// Whether a mark was the first of its event and user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reading {
    /// It was, and is kept.
    First,
    /// An earlier one stays.
    Again,
}

/// Notes that a user has read an event and returns the receipt that stands: this one, or the first.
/// Whether the user may see the event is for the caller to check. Durable on return.
///
/// # Errors
/// `NotFound` if the event is not there; `InvalidInput` for a user outside of 1 to 1,024 bytes; `Engine`.
pub fn mark_read(engine: &Engine, mark: &ReadMark) -> Result<(ReadReceipt, Reading)> {
    let reading = if engine.mark_read(std::slice::from_ref(mark))? > 0 { Reading::First } else { Reading::Again };
    let receipt = engine.snapshot().read_receipt(mark.sequence, &mark.user_id)?;
    Ok((receipt.ok_or_else(not_found)?, reading))
}

/// The receipt of a user's reading of an event, if there is one. Costs O(segments) at most.
///
/// # Errors
/// `Engine`.
pub fn read_receipt(snapshot: &Snapshot, event: &StoredEvent, user_id: &str) -> Result<Option<ReadReceipt>> {
    Ok(snapshot.read_receipt(event.sequence, user_id)?)
}

/// The events that an append of this id with [`annals_engine::Repeats::Replace`] would replace, the latest
/// first; none if the id is new to `scope`.
///
/// # Errors
/// `Forbidden` if one of them belongs to a foreign realm as well; `Engine`.
pub fn replaceable(view: &impl View, scope: &TenantScope, id: EventId) -> Result<Vec<StoredEvent>> {
    let older = all_with_id(view, id, &|event| sees(scope, event))?;
    for event in &older {
        check_writable(scope, event)?;
    }
    Ok(older)
}
