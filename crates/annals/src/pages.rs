//! The pages of one query, whoever answers it.

use annals_engine::{Snapshot, TenantScope};
use annals_json::Selection;
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
pub(crate) struct Request<'a> {
    pub(crate) filters: &'a Filters,
    pub(crate) order: Order,
    pub(crate) limit: u64,
    pub(crate) offset: u64,
    /// Only these members of an event, as the native API takes the list; all of them for none.
    pub(crate) fields: Option<&'a str>,
    /// Events behind this sequence are left out: what was appended since it was asked for. A snapshot has none.
    pub(crate) sequence_max: Option<u64>,
}

/// Some of the events, as JSON, each on one line.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) events: Vec<String>,
    /// How many match in all, if this page says so: the first one does.
    pub(crate) total: Option<u64>,
    /// Sequences that a degraded server may not have shown.
    pub(crate) gap: Option<String>,
}

/// Page after page.
pub(crate) trait Pages {
    /// The next page; `None` behind the last.
    fn next_page(&mut self) -> Result<Option<Page>>;
}

/// From a snapshot of a store.
pub(crate) struct Local {
    snapshot: Snapshot,
    query: Query,
    selection: Option<Selection>,
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
    pub(crate) fn new(snapshot: Snapshot, request: &Request<'_>) -> Result<Self> {
        let query = Query::new(&TenantScope::Unlimited)
            .filter(request.filters.to_filter()?)
            .order(request.order)
            .size_max_bytes(PAGE_SIZE_BYTES_MAX);
        let query = query.offset(request.offset);
        let selection = request.fields.map(Selection::parse).transpose()?;
        Ok(Self { snapshot, query, selection, left: request.limit, after: After::Nothing })
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
            annals_json::write_event(&mut text, event, self.selection.as_ref());
            events.push(String::from_utf8(text).map_err(while_doing("show an event"))?);
        }
        Ok(Some(Page { events, total: page.total, gap: None }))
    }
}

/// From a server.
pub(crate) struct Remote<'c> {
    client: &'c Client,
    /// The path with everything that stays the same.
    path: String,
    offset: u64,
    sequence_max: Option<u64>,
    /// The sequence was asked for, and is not shown.
    hides_sequence: bool,
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
    #[serde(default)]
    gap: Vec<GapBody>,
}

#[derive(Deserialize)]
struct GapBody {
    first_sequence: u64,
    last_sequence: Option<u64>,
}

/// Where an event lies in the append order.
#[derive(Deserialize)]
struct Place {
    sequence: u64,
}

impl<'c> Remote<'c> {
    pub(crate) fn new(client: &'c Client, request: &Request<'_>) -> Result<Self> {
        let mut path = "/annals/v1/events".to_owned();
        request.filters.push_parameters(&mut path)?;
        let sort = match request.order {
            Order::CreatedAtAsc => "created_at",
            Order::CreatedAtDesc => "-created_at",
            Order::EventTypeAsc => "event_type",
            Order::EventTypeDesc => "-event_type",
        };
        push_parameter(&mut path, "sort", sort);
        // It tells what came after the beginning, also where nobody asked to see it.
        let hides_sequence = request.sequence_max.is_some()
            && request.fields.is_some_and(|fields| !fields.split(',').any(|name| name.trim() == "sequence"));
        if let Some(fields) = request.fields {
            let with_sequence = if hides_sequence { ",sequence" } else { "" };
            push_parameter(&mut path, "fields", &format!("{fields}{with_sequence}"));
        }
        let Request { offset, sequence_max, limit: left, .. } = *request;
        Ok(Self { client, path, offset, sequence_max, hides_sequence, left, after: After::Nothing })
    }

    /// The events of a page that were there at the beginning.
    fn kept(&self, events: Vec<Box<RawValue>>) -> Result<Vec<String>> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX);
        let mut kept = Vec::with_capacity(events.len());
        for event in events {
            if let Some(sequence_max) = self.sequence_max {
                let Place { sequence } =
                    serde_json::from_str(event.get()).map_err(while_doing("read the server's answer"))?;
                if sequence > sequence_max {
                    continue;
                }
            }
            let event = one_line(&event);
            kept.push(if self.hides_sequence { without_sequence(&event) } else { event });
        }
        kept.truncate(wanted);
        Ok(kept)
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
        let events = self.kept(body.events)?;
        self.left = self.left.saturating_sub(u64::try_from(events.len()).unwrap_or(u64::MAX));
        if let (Some(cursor), true) = (body.next_cursor, self.left > 0) {
            self.after = After::Position(cursor);
        }
        Ok(Some(Page { events, total: body.total, gap: shown_gap(&body.gap) }))
    }
}

/// The sequences of a gap, such as `901-1800, 5000-`.
fn shown_gap(gaps: &[GapBody]) -> Option<String> {
    let range = |gap: &GapBody| {
        let last = gap.last_sequence.map_or_else(String::new, |last| last.to_string());
        format!("{}-{last}", gap.first_sequence)
    };
    let ranges: Vec<String> = gaps.iter().map(range).collect();
    (!ranges.is_empty()).then(|| ranges.join(", "))
}

/// Line ends in JSON lie outside of strings only, where any white space is the same.
fn one_line(event: &RawValue) -> String {
    event.get().replace(['\n', '\r'], " ")
}

/// An event without its sequence, which the native form has first or right behind the id.
fn without_sequence(event: &str) -> String {
    let Some((before, behind)) = event.split_once("\"sequence\":") else { return event.to_owned() };
    let behind = behind.trim_start_matches(|character: char| character.is_ascii_digit());
    match behind.strip_prefix(',') {
        Some(behind) => format!("{before}{behind}"),
        None => format!("{}{behind}", before.trim_end_matches(',')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_that_nobody_asked_for_is_taken_out() {
        for (event, shown) in [
            (r#"{"id":"x","sequence":12,"event_type":"a"}"#, r#"{"id":"x","event_type":"a"}"#),
            (r#"{"sequence":12,"event_type":"a"}"#, r#"{"event_type":"a"}"#),
            (r#"{"id":"x","sequence":12}"#, r#"{"id":"x"}"#),
            (r#"{"sequence":12}"#, "{}"),
        ] {
            assert_eq!(without_sequence(event), shown);
        }
    }
    #[test]
    fn gaps_are_named_by_their_sequences() {
        let gaps: Vec<GapBody> =
            serde_json::from_str(r#"[{"first_sequence":9,"last_sequence":18},{"first_sequence":50}]"#).unwrap();
        assert_eq!(shown_gap(&gaps).unwrap(), "9-18, 50-");
        assert_eq!(shown_gap(&[]), None);
    }
}
