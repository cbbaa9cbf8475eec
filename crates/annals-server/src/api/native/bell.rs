//! `/annals/v1/notifications`, read: what is shown to the caller, newest first, and what of it the caller has read.

use annals_query::Query;
use axum::http::StatusCode;
use serde_json::json;

use super::item::event_ref;
use super::query::{number, only};
use crate::auth::grant::shown_time;
use crate::error::{Answer, Failure};
use crate::face;
use crate::readings::{self, Walk};
use crate::request::Request;
use crate::state::AppState;

const OWN: &[&str] = &["limit", "offset"];
const LIMIT_DEFAULT: u64 = 50;

/// `GET /annals/v1/notifications`
pub(crate) async fn list(request: Request) -> Answer {
    let (params, limits) = (&request.params, request.state.limits());
    only(params, OWN)?;
    let shown_max = u64::try_from(limits.notifications_max).unwrap_or(u64::MAX);
    let limit = number(params, "limit", LIMIT_DEFAULT.min(shown_max), 0, shown_max)?;
    let offset = number(params, "offset", 0, 0, u64::MAX)?;
    let caller = request.caller;
    let body = request
        .state
        .read(move |state| {
            let query = Query::notifications(&caller.tenant, &caller.user_id);
            let mut list = List { limit, offset, ..List::new(state) };
            list.write(state, Walk::new(state, query), &caller.user_id)?;
            Ok(list.finish())
        })
        .await?;
    Ok(face::json(StatusCode::OK, body))
}

/// A page as it is written, and what was counted on the way.
#[derive(Default)]
struct List {
    limit: u64,
    offset: u64,
    /// Behind so many bytes the page ends.
    size_max: usize,
    out: Vec<u8>,
    written: u64,
    total: u64,
    unread: u64,
}

impl List {
    fn new(state: &AppState) -> Self {
        let out = b"{\"notifications\":[".to_vec();
        Self { out, size_max: state.limits().page_size_bytes_max, ..Self::default() }
    }

    fn write(&mut self, state: &AppState, mut walk: Walk, user_id: &str) -> Answer<()> {
        let timeout = state.expiry();
        while walk.has_more() {
            for event in walk.next(&*timeout)? {
                let receipt = walk.receipt(&event, user_id)?;
                let is_next = self.total >= self.offset && self.total - self.offset == self.written;
                // At least one, or a client that goes on behind the last would never get further.
                let has_room = self.written == 0 || self.out.len() < self.size_max;
                if is_next && self.written < self.limit && has_room {
                    if self.written > 0 {
                        self.out.push(b',');
                    }
                    annals_json::write_event(&mut self.out, &event, None);
                    // Behind the event's own members, within its braces.
                    self.out.pop();
                    let read_at = json!(receipt.map(|receipt| shown_time(receipt.read_at_us)));
                    let read = format!(",\"read\":{},\"read_at\":{read_at}}}", receipt.is_some());
                    self.out.extend_from_slice(read.as_bytes());
                    self.written += 1;
                }
                self.total += 1;
                self.unread += u64::from(receipt.is_none());
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Vec<u8> {
        let Self { total, unread, limit, offset, .. } = self;
        let tail = format!("],\"total\":{total},\"unread\":{unread},\"limit\":{limit},\"offset\":{offset}}}");
        self.out.extend_from_slice(tail.as_bytes());
        self.out
    }
}

/// `POST /annals/v1/notifications/{id}/read`
pub(crate) async fn mark_read(request: Request) -> Answer {
    only(&request.params, &[])?;
    let name = event_ref(&request.id).map_err(not_found)?;
    let caller = request.caller;
    let marked = request.state.write(move |state| readings::mark(state, &caller, &name, &|_| true)).await;
    let (notification, receipt) = marked.map_err(not_found)?;
    let body = json!({
        "id": notification.id.to_string(),
        "sequence": notification.sequence,
        "receipt_id": readings::shown_receipt(&receipt),
        "read": true,
        "read_at": shown_time(receipt.read_at_us),
    });
    Ok(face::json(StatusCode::OK, body.to_string()))
}

/// `POST /annals/v1/notifications/read-all`
pub(crate) async fn mark_all_read(request: Request) -> Answer {
    only(&request.params, &[])?;
    let caller = request.caller;
    let mark = move |state: &AppState| {
        let query = Query::notifications(&caller.tenant, &caller.user_id);
        readings::mark_all(state, &caller, Walk::new(state, query))
    };
    let count = request.state.write(mark).await?;
    Ok(face::json(StatusCode::OK, json!({"count": count}).to_string()))
}

fn not_found(failure: Failure) -> Failure {
    if failure.status == StatusCode::NOT_FOUND { Failure::not_found("there is no such notification") } else { failure }
}
