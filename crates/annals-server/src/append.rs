//! One event from a face into the store: the same rules for every face that writes.

use annals_engine::{AppendOptions, Batch, EVENT_SIZE_MAX, Receipt, StoredEvent, TenantScope};
use annals_json::{EventError, IncomingEvent};
use annals_query::{ErrorKind, EventRef};

use crate::auth::{Principal, tenancy};
use crate::body::{JSON_DEPTH_MAX, too_deep};
use crate::config::Limits;
use crate::error::{Answer, Failure};
use crate::state::AppState;

/// Fills in what the sender left out and puts the event into the caller's realms and organisations.
///
/// # Errors
/// 400 for a time too far in the future or one that a retention policy no longer keeps, 403 for a realm or
/// organisation that is not the caller's and for what it may not publish, 429 if its key is over its rate.
pub(crate) fn prepare(state: &AppState, caller: &Principal, event: &mut IncomingEvent<'_>) -> Answer<()> {
    complete(state, event)?;
    tenancy::admit(state, caller, event)?;
    state.count_events(caller, 1)
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
    tenancy::admit_into(state, caller, event, realm)?;
    state.count_events(caller, 1)
}

fn complete(state: &AppState, event: &mut IncomingEvent<'_>) -> Answer<()> {
    let refused = |error: EventError| Failure::bad_body(error.message);
    let latest_us = state.engine().latest_created_at_us();
    event.check_not_after(latest_us).map_err(refused)?;
    event.fill_in();
    Bounds::of(&state.limits()).check_size(event).map_err(refused)
}

/// What the settings leave of the sizes that the store takes and of the depth that readers of JSON go to; both are
/// checked anyway, so that this costs nothing where the settings say no less.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    depth_max: Option<usize>,
    size_max: Option<usize>,
}

impl Bounds {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self {
            depth_max: Some(limits.json_depth_max).filter(|max| *max < JSON_DEPTH_MAX),
            size_max: Some(limits.event_size_max).filter(|max| *max < EVENT_SIZE_MAX),
        }
    }

    /// # Errors
    /// The event of these bytes nests too deep or is too large.
    pub(crate) fn check(self, event: &IncomingEvent<'_>, json: &[u8]) -> Result<(), EventError> {
        if let Some(depth_max) = self.depth_max
            && too_deep(json, depth_max)
        {
            return Err(EventError::new(format!("the event nests deeper than {depth_max} levels")));
        }
        self.check_size(event)
    }

    fn check_size(self, event: &IncomingEvent<'_>) -> Result<(), EventError> {
        let Some(size_max) = self.size_max else { return Ok(()) };
        let size = event.as_event().size_bytes();
        if size > size_max {
            return Err(EventError::new(format!("the event has {size} bytes, the limit is {size_max}")));
        }
        Ok(())
    }
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

/// The event that an append of one stored: as it is now or, if somebody has deleted or replaced it since,
/// as it was accepted. If its `Idempotency-Key` came before, the event that was stored then.
///
/// # Errors
/// 404 if it has been deleted or replaced and what was stored is not known any more: the key came before, or
/// an event with an id of its own left its time to the store.
pub(crate) fn stored(
    state: &AppState,
    tenant: &TenantScope,
    event: &IncomingEvent<'_>,
    receipt: &Receipt,
) -> Answer<StoredEvent> {
    let name = EventRef::Sequence(receipt.sequences.start);
    match annals_query::get(&state.engine().snapshot(), tenant, &name) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(accepted(event, receipt)?.ok_or(error)?),
        found => Ok(found?),
    }
}

/// The event of a receipt as it was stored, as far as that is known without the store.
fn accepted(event: &IncomingEvent<'_>, receipt: &Receipt) -> Answer<Option<StoredEvent>> {
    let Some(id) = receipt.ids.first() else { return Ok(None) };
    // An id that the store made carries the time that it gave.
    let made = id.made_parts().filter(|_| event.id.is_none()).map(|(created_at_us, _)| created_at_us);
    let Some(created_at_us) = event.created_at_us.or(made) else { return Ok(None) };
    let mut as_stored = event.as_event();
    (as_stored.id, as_stored.created_at_us) = (Some(*id), Some(created_at_us));
    let mut stored = StoredEvent::from_event(&as_stored, receipt.sequences.start)?;
    stored.marks.acknowledged = event.acknowledged;
    Ok(Some(stored))
}

#[cfg(test)]
mod tests {
    use annals_engine::{Delete, EventId, Field};

    use super::*;
    use crate::config::ServerConfig;

    fn state(directory: &std::path::Path) -> AppState {
        let config = ServerConfig {
            log_size_bytes: annals_engine::LOG_SIZE_BYTES_MIN,
            admin_key: Some("the-administrators-key".to_owned()),
            ..ServerConfig::new(directory)
        };
        AppState::open(&config).unwrap().state
    }

    #[test]
    fn an_accepted_event_is_shown_though_it_was_deleted_meanwhile() {
        let directory = tempfile::tempdir().unwrap();
        let state = state(directory.path());
        let id = EventId::from_u128(7);
        for (id, created_at_us, known) in
            [(None, None, true), (None, Some(5), true), (Some(id), Some(6), true), (Some(id), None, false)]
        {
            let mut event = IncomingEvent::default();
            (event.id, event.created_at_us, event.acknowledged) = (id, created_at_us, true);
            event.set(Field::EventType, "a").set(Field::Source, "s");
            prepare(&state, &Principal::admin(), &mut event).unwrap();
            let receipt = store(&state, &event, &AppendOptions::default()).unwrap();
            let show = || stored(&state, &TenantScope::Unlimited, &event, &receipt);
            let before = show().unwrap();
            assert!(before.marks.acknowledged && before.get(Field::Source) == Some("s"));
            state.engine().delete(&Delete::Sequences(vec![before.sequence])).unwrap();
            match show() {
                Ok(shown) => assert!(known && shown == before, "{shown:?}"),
                Err(failure) => assert_eq!((known, failure.status.as_u16()), (false, 404)),
            }
        }
    }

    #[test]
    fn a_replayed_answer_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let state = state(directory.path());
        let mut event = IncomingEvent::default();
        event.set(Field::EventType, "a");
        let how = AppendOptions {
            idempotency: Some(annals_engine::Idempotency { key: 1, body: 1 }),
            ..AppendOptions::default()
        };
        let first = store(&state, &event, &how).unwrap();
        let again = store(&state, &event, &how).unwrap();
        assert!(again.replayed);
        let show = |receipt| stored(&state, &TenantScope::Unlimited, &event, receipt);
        assert_eq!(show(&first).unwrap(), show(&again).unwrap());
        state.engine().delete(&Delete::Sequences(vec![1])).unwrap();
        assert!(show(&first).is_ok());
        assert_eq!(show(&again).unwrap_err().status.as_u16(), 404);
    }
}
