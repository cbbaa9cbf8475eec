//! Marking notifications as read: a receipt for each user, and an event that tells of it.

use std::borrow::Cow;

use annals_engine::{AppendOptions, Batch, EventId, Field, ReadMark, ReadReceipt, StoredEvent};
use annals_json::IncomingEvent;
use annals_query::Query;
use axum::http::StatusCode;
use serde_json::json;

use super::Walk;
use crate::api::hoody::{envelope, event_ref, in_realm, notifications_of_host, realm_of_host, shape};
use crate::error::{Answer, Failure};
use crate::request::Request;
use crate::state::AppState;

/// `PUT /api/v1/notifications/{id}/read`
pub(crate) async fn mark_read(request: Request) -> Answer {
    let name = event_ref(&request.id)?;
    let (caller, realm) = (request.caller, realm_of_host(&request.host));
    let (notification, receipt) = request
        .state
        .write(move |state| {
            let snapshot = state.engine().snapshot();
            let now_us = state.clock().now_us();
            let everybodys =
                |event: &StoredEvent| event.realm_ids().next().is_none() && event.get(Field::OrgId).is_none();
            let here = |event: &StoredEvent| everybodys(event) || in_realm(event, &realm);
            let (tenant, user_id) = (&caller.tenant, &caller.user_id);
            let event = annals_query::notification_for(&snapshot, tenant, user_id, &name, now_us, &here)?;
            let receipt = match annals_query::read_receipt(&snapshot, &event, &caller.user_id)? {
                Some(receipt) => receipt,
                None => read_one(state, &event, &caller.user_id, now_us)?,
            };
            Ok((event, receipt))
        })
        .await
        .map_err(not_found)?;
    let data = json!({
        "id": receipt.receipt.as_hex24().unwrap_or_else(|| receipt.receipt.to_string()),
        "notification_id": annals_query::hoody_id(&notification),
        "is_read": true,
        "read_at": shape::time(receipt.read_at_us),
    });
    Ok(envelope("Notification marked as read", data.to_string().as_bytes()))
}

/// `PUT /api/v1/notifications/read-all`
pub(crate) async fn mark_all_read(request: Request) -> Answer {
    let (caller, realm) = (request.caller, notifications_of_host(&request.host));
    let count = request
        .state
        .write(move |state| {
            let query = Query::notifications(&caller.tenant, &caller.user_id).filter(realm);
            let mut walk = Walk::new(state, query);
            let timeout = state.expiry();
            let mut count = 0;
            while walk.left > 0 {
                let mut readings = NewReadings::new(&caller.user_id, walk.now_us);
                for event in walk.next(&*timeout)? {
                    if annals_query::read_receipt(&walk.snapshot, &event, &caller.user_id)?.is_none() {
                        readings.add(state, &event)?;
                    }
                }
                count += readings.store(state)?;
            }
            Ok(count)
        })
        .await?;
    Ok(envelope("All notifications marked as read", json!({"count": count}).to_string().as_bytes()))
}

fn read_one(state: &AppState, event: &StoredEvent, user_id: &str, now_us: i64) -> Answer<ReadReceipt> {
    let mut readings = NewReadings::new(user_id, now_us);
    readings.add(state, event)?;
    readings.store(state)?;
    // Somebody else may have been first with the same user, or may have deleted the notification.
    let standing = annals_query::read_receipt(&state.engine().snapshot(), event, user_id)?;
    standing.ok_or_else(|| Failure::not_found(""))
}

fn not_found(failure: Failure) -> Failure {
    if failure.status == StatusCode::NOT_FOUND { Failure::not_found("Notification not found") } else { failure }
}

/// What a user has read just now, before it is stored.
struct NewReadings<'u> {
    user_id: &'u str,
    now_us: i64,
    events: Batch,
    marks: Vec<ReadMark>,
}

impl<'u> NewReadings<'u> {
    fn new(user_id: &'u str, now_us: i64) -> Self {
        Self { user_id, now_us, events: Batch::new(), marks: Vec::new() }
    }

    fn add(&mut self, state: &AppState, notification: &StoredEvent) -> Answer<()> {
        let receipt = receipt_id(state, notification, self.user_id);
        let mut event = IncomingEvent::default();
        event.id = Some(receipt);
        event.set(Field::EventType, "notification.read");
        event.set(Field::ResourceType, "notification");
        event.set(Field::ResourceId, annals_query::hoody_id(notification));
        event.set(Field::UserId, self.user_id);
        event.set(Field::OrgId, notification.get(Field::OrgId).unwrap_or_default());
        event.realm_ids.extend(notification.realm_ids().map(Cow::Borrowed));
        event.fill_in();
        self.events.push(&event.as_event())?;
        let (sequence, user_id) = (notification.sequence, self.user_id.to_owned());
        self.marks.push(ReadMark { sequence, user_id, receipt, read_at_us: self.now_us });
        Ok(())
    }

    /// Stores the events, then the marks, and says how many of them are new.
    fn store(self, state: &AppState) -> Answer<u64> {
        if self.marks.is_empty() {
            return Ok(0);
        }
        // ORDER: first whether there is room, or the events would tell of readings that are not kept.
        state.engine().check_read_room(&self.marks).map_err(no_room)?;
        // ORDER: a crash in between leaves events whose ids the next attempt makes again, without a time,
        // so that they are repeats; the other way round a reading would stay without its event.
        // The server writes them, not the caller, whose tenant may see neither them nor their notification.
        state.engine().append(self.events, &AppendOptions::default())?;
        state.engine().mark_read(&self.marks).map_err(no_room)
    }
}

/// The user of a key is within its limit, so what a reading can be refused for is room. It does not come
/// back by waiting: no 503.
fn no_room(error: annals_engine::Error) -> Failure {
    if error.kind() != annals_engine::ErrorKind::InvalidInput {
        return error.into();
    }
    tracing::warn!(%error, "a reading of notifications is not kept");
    let message = "the store keeps no more readings of notifications as old as these: delete those that are not needed";
    Failure::new(StatusCode::INSUFFICIENT_STORAGE, "readings_full", message)
}

/// The same id for the same notification and user, whenever it is made. Nobody else can foresee it: an event
/// with it beforehand would pass for the one that tells of the reading.
fn receipt_id(state: &AppState, notification: &StoredEvent, user_id: &str) -> EventId {
    let (sequence, id) = (notification.sequence.to_le_bytes(), notification.id.as_u128().to_le_bytes());
    EventId::from_hex24(state.cursor_key().derive_96("read receipt", &[&sequence, &id, user_id.as_bytes()]))
}
