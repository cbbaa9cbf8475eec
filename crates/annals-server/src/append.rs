//! One event from a face into the store: the same rules for every face that writes.

use annals_engine::{AppendOptions, Batch, Receipt, StoredEvent, TenantScope};
use annals_json::IncomingEvent;
use annals_query::EventRef;

use crate::auth::{Principal, tenancy};
use crate::error::{Answer, Failure};
use crate::state::AppState;

/// Fills in what the sender left out and puts the event into the caller's realms and organisations.
///
/// # Errors
/// 400 for a time too far in the future or one that a retention policy no longer keeps, 403 for a realm or
/// organisation that is not the caller's and for what it may not publish.
pub(crate) fn prepare(state: &AppState, caller: &Principal, event: &mut IncomingEvent<'_>) -> Answer<()> {
    complete(state, event)?;
    tenancy::admit(state, caller, event)
}

/// The same for an event that belongs to this realm and to no other, whatever the caller's are.
///
/// # Errors
/// As for [`prepare`].
pub(crate) fn prepare_in(
    state: &AppState,
    caller: &Principal,
    event: &mut IncomingEvent<'_>,
    realm: &str,
) -> Answer<()> {
    complete(state, event)?;
    tenancy::admit_into(state, caller, event, realm)
}

fn complete(state: &AppState, event: &mut IncomingEvent<'_>) -> Answer<()> {
    let latest_us = state.engine().latest_created_at_us();
    event.check_not_after(latest_us).map_err(|error| Failure::bad_body(error.message))?;
    event.fill_in();
    Ok(())
}

/// Appends a prepared event. Blocks until it is acknowledged.
///
/// # Errors
/// 400 for a value beyond its limit; what the engine refuses.
pub(crate) fn store(state: &AppState, event: &IncomingEvent<'_>, how: &AppendOptions) -> Answer<Receipt> {
    let mut batch = Batch::new();
    batch.push(&event.as_event())?;
    Ok(state.engine().append(batch, how)?)
}

/// The event that an append of one stored, or that was stored when its `Idempotency-Key` came first.
///
/// # Errors
/// 404 if it has been deleted since.
pub(crate) fn stored(state: &AppState, tenant: &TenantScope, receipt: &Receipt) -> Answer<StoredEvent> {
    let name = EventRef::Sequence(receipt.sequences.start);
    Ok(annals_query::get(&state.engine().snapshot(), tenant, &name)?)
}
