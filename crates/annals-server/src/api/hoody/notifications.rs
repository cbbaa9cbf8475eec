//! hoody's notifications: the caller's, with what it has read, and the public ones.

use annals_engine::{Snapshot, StoredEvent};
use annals_query::{CursorPosition, Query, Total};
use axum::http::StatusCode;

use super::{realm_of_host, shape};
use crate::error::Answer;
use crate::face;
use crate::pieces::{self, Pieces};
use crate::request::Request;
use crate::state::AppState;

mod notice;

use notice::Reading;

/// Notifications looked at in one step: expired ones are skipped, and there may be many in a row.
const STEP: u32 = 1000;

/// `GET /api/v1/notifications`
pub(crate) async fn list(request: Request) -> Answer {
    let user_id = request.caller.user_id.clone();
    let query = Query::notifications(&request.caller.tenant, &user_id);
    answer(request, query, Some(user_id), "Notifications retrieved successfully").await
}

/// `GET /api/v1/notifications/public`
pub(crate) async fn list_public(request: Request) -> Answer {
    answer(request, Query::public_notifications(), None, "Public notifications retrieved successfully").await
}

async fn answer(request: Request, query: Query, reader: Option<String>, message: &str) -> Answer {
    let state = request.state;
    let shown = Shown {
        snapshot: state.engine().snapshot(),
        query: query.filter(realm_of_host(&request.host)).total(Total::None),
        reader,
        now_us: state.clock().now_us(),
        left: state.limits().notifications_max,
        after: None,
        head: shape::envelope_head(message),
        is_first: true,
    };
    Ok(face::json(StatusCode::OK, pieces::body(&state, shown).await?))
}

/// The notifications that a list shows, newest first.
struct Shown {
    snapshot: Snapshot,
    query: Query,
    /// Whose readings to show.
    reader: Option<String>,
    now_us: i64,
    /// How many may still be shown.
    left: u32,
    after: Option<CursorPosition>,
    /// What comes before the list, until it is written.
    head: Vec<u8>,
    is_first: bool,
}

impl Shown {
    /// Appends a notification unless it has expired or enough are shown.
    fn show(&mut self, out: &mut Vec<u8>, event: &StoredEvent) -> Answer<()> {
        if self.left == 0 || annals_query::is_expired(event, self.now_us) {
            return Ok(());
        }
        self.left -= 1;
        if !std::mem::take(&mut self.is_first) {
            out.push(b',');
        }
        let reading = match &self.reader {
            None => None,
            Some(_reader) => Some(Reading::Unread),
        };
        notice::write(out, event, reading);
        Ok(())
    }
}

impl Pieces for Shown {
    fn write(&mut self, state: &AppState, out: &mut Vec<u8>) -> Answer<bool> {
        let size_max = state.limits().page_size_bytes_max;
        let expired = state.expiry();
        if !self.head.is_empty() {
            out.append(&mut self.head);
            out.push(b'[');
        }
        while self.left > 0 {
            let mut query = self.query.clone().limit(STEP).size_max_bytes(u64::try_from(size_max).unwrap_or(u64::MAX));
            if let Some(after) = self.after.take() {
                query = query.after(after);
            }
            let page = annals_query::execute(&self.snapshot, &query, &*expired)?;
            for event in &page.events {
                self.show(out, event)?;
            }
            match page.next {
                None => break,
                Some(next) => self.after = Some(next),
            }
            if self.left > 0 && out.len() >= size_max {
                return Ok(true);
            }
        }
        out.extend_from_slice(b"]}");
        Ok(false)
    }
}
