//! The pages of one query, whoever answers it.

use annals_engine::{Snapshot, TenantScope};
use annals_query::{CursorPosition, Order, Query, Total, execute};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::{Client, push_parameter};
use crate::failure::{Result, while_doing};
use crate::filters::Filters;

/// Events asked for at once: the native API's most, and little memory.
const PAGE_EVENTS_MAX: u64 = 10_000;
/// A page also ends at so many bytes, as the native API's do.
const PAGE_SIZE_BYTES_MAX: u64 = 16 << 20;

/// What is asked for.
pub(super) struct Request<'a> {
    pub(super) filters: &'a Filters,
    pub(super) order: Order,
    pub(super) limit: u64,
    pub(super) offset: u64,
}

/// Some of the events, as JSON, each on one line.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) events: Vec<String>,
    /// How many match in all, if this page says so: the first one does.
    pub(super) total: Option<u64>,
}

/// Page after page.
pub(super) trait Pages {
    /// The next page; `None` behind the last.
    fn next_page(&mut self) -> Result<Option<Page>>;
}

/// From a snapshot of a store.
pub(super) struct Local {
    snapshot: Snapshot,
    query: Query,
    left: u64,
    after: After<CursorPosition>,
}

/// Where the next page begins.
enum After<T> {
    /// It is the first one.
    Nothing,
    Position(T),
    /// There is none.
    Everything,
}

impl Local {
    pub(super) fn new(snapshot: Snapshot, request: &Request<'_>) -> Result<Self> {
        let query = Query::new(&TenantScope::Unlimited)
            .filter(request.filters.to_filter()?)
            .order(request.order)
            .size_max_bytes(PAGE_SIZE_BYTES_MAX);
        let query = query.offset(request.offset);
        Ok(Self { snapshot, query, left: request.limit, after: After::Nothing })
    }
}

impl Pages for Local {
    fn next_page(&mut self) -> Result<Option<Page>> {
        let limit = u32::try_from(self.left.min(PAGE_EVENTS_MAX)).unwrap_or(0);
        let query = self.query.clone().limit(limit);
        let query = match std::mem::replace(&mut self.after, After::Everything) {
            After::Nothing => query,
            After::Position(position) => query.offset(0).after(position).total(Total::None),
            After::Everything => return Ok(None),
        };
        let page = execute(&self.snapshot, &query, &|| false)?;
        self.left = self.left.saturating_sub(u64::try_from(page.events.len()).unwrap_or(u64::MAX));
        if let (Some(position), true) = (page.next, self.left > 0) {
            self.after = After::Position(position);
        }
        let mut events = Vec::with_capacity(page.events.len());
        for event in &page.events {
            let mut text = Vec::with_capacity(512);
            annals_json::write_event(&mut text, event, None);
            events.push(String::from_utf8(text).map_err(while_doing("show an event"))?);
        }
        Ok(Some(Page { events, total: page.total }))
    }
}

/// From a server.
pub(super) struct Remote<'c> {
    client: &'c Client,
    /// The path with everything that stays the same.
    path: String,
    offset: u64,
    left: u64,
    after: After<String>,
}

#[derive(Deserialize)]
struct PageBody {
    events: Vec<Box<RawValue>>,
    #[serde(default)]
    total: Option<u64>,
    #[serde(default)]
    next_cursor: Option<String>,
}

impl<'c> Remote<'c> {
    pub(super) fn new(client: &'c Client, request: &Request<'_>) -> Result<Self> {
        let mut path = "/annals/v1/events".to_owned();
        request.filters.push_parameters(&mut path)?;
        let sort = match request.order {
            Order::CreatedAtAsc => "created_at",
            Order::CreatedAtDesc => "-created_at",
            Order::EventTypeAsc => "event_type",
            Order::EventTypeDesc => "-event_type",
        };
        push_parameter(&mut path, "sort", sort);
        Ok(Self { client, path, offset: request.offset, left: request.limit, after: After::Nothing })
    }
}

impl Pages for Remote<'_> {
    fn next_page(&mut self) -> Result<Option<Page>> {
        let mut path = self.path.clone();
        // The server takes no limit of 0; its total is wanted all the same.
        let limit = self.left.clamp(1, PAGE_EVENTS_MAX);
        push_parameter(&mut path, "limit", &limit.to_string());
        match std::mem::replace(&mut self.after, After::Everything) {
            After::Nothing => push_parameter(&mut path, "offset", &self.offset.to_string()),
            After::Position(cursor) => {
                push_parameter(&mut path, "cursor", &cursor);
                push_parameter(&mut path, "total", "none");
            }
            After::Everything => return Ok(None),
        }
        let body = self.client.get(&path)?;
        let body: PageBody = serde_json::from_slice(&body).map_err(while_doing("read the server's answer"))?;
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX);
        let events: Vec<String> = body.events.into_iter().take(wanted).map(|event| one_line(&event)).collect();
        self.left = self.left.saturating_sub(u64::try_from(events.len()).unwrap_or(u64::MAX));
        if let (Some(cursor), true) = (body.next_cursor, self.left > 0) {
            self.after = After::Position(cursor);
        }
        Ok(Some(Page { events, total: body.total }))
    }
}

/// Line ends in JSON lie outside of strings only, where any white space is the same.
fn one_line(event: &RawValue) -> String {
    event.get().replace(['\n', '\r'], " ")
}
