//! Who has read which notification: the notifications of a caller, and a receipt for each user and event, beside an event
//! that tells of it. Every face that shows notifications reads and marks them here.

use std::borrow::Cow;

use annals_engine::{AppendOptions, Batch, EventId, Field, ReadMark, ReadReceipt, Snapshot, StoredEvent};
use annals_json::IncomingEvent;
use annals_query::{CursorPosition, EventRef, Expired, Query, Total};
use axum::http::StatusCode;

use crate::auth::Principal;
use crate::error::{Answer, Failure};
use crate::pages;
use crate::state::AppState;

/// Notifications looked at in one step: expired ones are skipped, and there may be many in a row.
const STEP: u32 = 1000;

/// The notifications that a list shows, newest first, some at a time.
pub(crate) struct Walk {
    snapshot: Snapshot,
    query: Query,
    now_us: i64,
    /// How many may still be shown.
    left: usize,
    after: Option<CursorPosition>,
}

impl Walk {
    pub(crate) fn new(state: &AppState, query: Query) -> Self {
        let size_max = u64::try_from(pages::piece_size_max(state)).unwrap_or(u64::MAX);
        Self {
            snapshot: state.engine().snapshot(),
            query: query.total(Total::None).limit(STEP).size_max_bytes(size_max),
            now_us: state.clock().now_us(),
            left: state.limits().notifications_max,
            after: None,
        }
    }

    /// The next ones that have not expired, maybe none of them; `left` says whether there can be more.
    /// `timeout` is that of the whole call, however many steps it takes.
    pub(crate) fn next(&mut self, timeout: Expired<'_>) -> Answer<Vec<StoredEvent>> {
        let query = match self.after.take() {
            None => self.query.clone(),
            Some(after) => self.query.clone().after(after),
        };
        let page = annals_query::execute(&self.snapshot, &query, timeout)?;
        let mut events = page.events;
        events.retain(|event| !annals_query::is_expired(event, self.now_us));
        events.truncate(self.left);
        self.left -= events.len();
        match page.next {
            Some(next) => self.after = Some(next),
            None => self.left = 0,
        }
        Ok(events)
    }

    /// Whether there can be more.
    pub(crate) fn has_more(&self) -> bool {
        self.left > 0
    }

    /// The receipt of a user's reading of an event, as of the beginning of the walk.
    pub(crate) fn receipt(&self, event: &StoredEvent, user_id: &str) -> Answer<Option<ReadReceipt>> {
        Ok(annals_query::read_receipt(&self.snapshot, event, user_id)?)
    }
}

/// The notification of that name that the caller is shown, and the receipt of its reading: the first one, which may be
/// this one.
///
/// # Errors
/// 404 if the caller's list would not show it; 507 if there is no room for readings.
pub(crate) fn mark(
    state: &AppState,
    caller: &Principal,
    name: &EventRef,
    counts: &dyn Fn(&StoredEvent) -> bool,
) -> Answer<(StoredEvent, ReadReceipt)> {
    let (snapshot, now_us) = (state.engine().snapshot(), state.clock().now_us());
    let (tenant, user_id) = (&caller.tenant, &caller.user_id);
    let event = annals_query::notification_for(&snapshot, tenant, user_id, name, now_us, counts)?;
    let receipt = match annals_query::read_receipt(&snapshot, &event, user_id)? {
        Some(receipt) => receipt,
        None => read_one(state, &event, user_id, now_us)?,
    };
    Ok((event, receipt))
}

/// Marks what a walk shows as read by the caller, and says how many had not been.
///
/// # Errors
/// 503 if it takes longer than a query may; 507 if there is no room for readings.
pub(crate) fn mark_all(state: &AppState, caller: &Principal, mut walk: Walk) -> Answer<u64> {
    let timeout = state.expiry();
    let mut count = 0;
    while walk.has_more() {
        let mut readings = NewReadings::new(&caller.user_id, walk.now_us);
        for event in walk.next(&*timeout)? {
            if walk.receipt(&event, &caller.user_id)?.is_none() {
                readings.add(state, &event)?;
            }
        }
        count += readings.store(state)?;
    }
    Ok(count)
}

/// The id of a receipt as it is shown: that of the event that tells of the reading.
pub(crate) fn shown_receipt(receipt: &ReadReceipt) -> String {
    receipt.receipt.as_hex24().unwrap_or_else(|| receipt.receipt.to_string())
}

fn read_one(state: &AppState, event: &StoredEvent, user_id: &str, now_us: i64) -> Answer<ReadReceipt> {
    let mut readings = NewReadings::new(user_id, now_us);
    readings.add(state, event)?;
    readings.store(state)?;
    // Somebody else may have been first with the same user, or may have deleted the notification.
    let standing = annals_query::read_receipt(&state.engine().snapshot(), event, user_id)?;
    standing.ok_or_else(|| Failure::not_found("there is no such notification"))
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
