//! Events in append order, to follow a store or to go through it once.

use annals_engine::{Filter, Part, StoredEvent};

use crate::error::Result;
use crate::page::PageBuilder;
use crate::plan::{Expired, View, candidates};
use crate::query::Query;

/// The narrowest window of sequences looked at in one step.
const WINDOW_MIN: u64 = 256;
/// The widest one: its rows, 24 bytes each, are held and sorted.
const WINDOW_MAX: u64 = 1 << 20;

/// Some events in append order and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    /// Ascending by sequence.
    pub events: Vec<StoredEvent>,
    /// Nothing that matches lies between the events and this sequence: go on from here, inclusive.
    pub next_sequence: u64,
}

/// The events that match from sequence `from` on, inclusive, up to the query's limit and size; its order,
/// offset, cursor and total play no part.
///
/// Sequences have no gaps, so asking again from [`Tail::next_sequence`] neither repeats nor leaves out an
/// event, whatever was appended meanwhile. Costs O(sequences looked at); once `expired` says so it ends
/// with what it has, perhaps no event, but always further on.
///
/// # Errors
/// `InvalidInput` if the limit or the filter's nesting is too large; `Engine`.
pub fn append_order(view: &impl View, query: &Query, from: u64, expired: Expired<'_>) -> Result<Tail> {
    query.check_limit()?;
    let filter = query.scoped_filter()?;
    let parts = candidates(view.parts(), &filter);
    // The clock is read between the steps: an end in the middle of one would throw its work away.
    let mut page = PageBuilder::new(query.limit, query.size_max_bytes, &|| false);
    let end = view.parts().iter().filter(|part| part.row_count() > 0).map(|part| part.sequence_bounds().1);
    let end = end.max().map_or(from, |last| last.saturating_add(1));
    let mut start = from;
    let mut width = u64::from(query.limit).clamp(WINDOW_MIN, WINDOW_MAX);
    while start < end && page.room() > 0 {
        let stop = start.saturating_add(width).min(end);
        let rows = rows_between(&parts, &filter, start, stop)?;
        if rows.len() < page.room() {
            // Few match: wider steps, so that rare events are found in few of them.
            width = (width * 2).min(WINDOW_MAX);
        }
        for (sequence, part, row) in rows {
            if page.room() == 0 || !page.push(part.event(row)?) {
                return Ok(Tail { events: page.events, next_sequence: sequence });
            }
        }
        start = stop;
        if expired() {
            break;
        }
    }
    Ok(Tail { events: page.events, next_sequence: start })
}

/// The matching rows with a sequence in `start..stop`, ascending by it.
fn rows_between<'v>(
    parts: &[&'v dyn Part],
    filter: &Filter,
    start: u64,
    stop: u64,
) -> Result<Vec<(u64, &'v dyn Part, u32)>> {
    let within = filter.clone().and(Filter::SequenceBetween { from: start, to: stop });
    let mut rows = Vec::new();
    for part in parts {
        let (first, last) = part.sequence_bounds();
        if first >= stop || last < start {
            continue;
        }
        for row in part.select(&within)?.iter() {
            rows.push((part.key(row)?.sequence, *part, row));
        }
    }
    rows.sort_unstable_by_key(|(sequence, _, _)| *sequence);
    Ok(rows)
}
