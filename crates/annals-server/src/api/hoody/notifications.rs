//! hoody's notifications: the caller's, with what it has read, and the public ones.

use annals_engine::StoredEvent;
use annals_query::Query;
use axum::http::StatusCode;

use super::{notifications_of_host, shape};
use crate::error::Answer;
use crate::face;
use crate::pages;
use crate::pieces::{self, Pieces};
use crate::readings::Walk;
use crate::request::Request;
use crate::state::AppState;

mod notice;
mod read;

use notice::Reading;
pub(crate) use read::{mark_all_read, mark_read};

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
    let walk = Walk::new(&state, query.filter(notifications_of_host(&request.host)));
    let list = List { walk, reader, head: shape::envelope_head(message), is_first: true };
    Ok(face::json(StatusCode::OK, pieces::body(&state, list).await?))
}

/// A list as it is written.
struct List {
    walk: Walk,
    /// Whose readings to show.
    reader: Option<String>,
    /// What comes before the list, until it is written.
    head: Vec<u8>,
    is_first: bool,
}

impl List {
    fn reading(&self, event: &StoredEvent) -> Answer<Option<Reading>> {
        let Some(reader) = &self.reader else { return Ok(None) };
        let receipt = self.walk.receipt(event, reader)?;
        Ok(Some(receipt.map_or(Reading::Unread, |receipt| Reading::Read(receipt.read_at_us))))
    }
}

impl Pieces for List {
    fn write(&mut self, state: &AppState, out: &mut Vec<u8>) -> Answer<bool> {
        if !self.head.is_empty() {
            out.append(&mut self.head);
            out.push(b'[');
        }
        let timeout = state.expiry();
        while self.walk.has_more() {
            for event in self.walk.next(&*timeout)? {
                if !std::mem::take(&mut self.is_first) {
                    out.push(b',');
                }
                notice::write(out, &event, self.reading(&event)?);
            }
            if out.len() >= pages::piece_size_max(state) {
                break;
            }
        }
        let more = self.walk.has_more();
        if !more {
            out.extend_from_slice(b"]}");
        }
        Ok(more)
    }
}
