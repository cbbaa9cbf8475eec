//! Runs a query over a view.

use std::cmp::Ordering;

use annals_engine::{Field, Filter, OrderKey, Part, Parts, RowSet};

use crate::counts::SortedCounts;
use crate::cursor::CursorPosition;
use crate::error::{Error, ErrorKind, Result};
use crate::page::{Page, PageBuilder};
use crate::plan::{Expired, View, check_allowed, count_all, first_runs, resume, select_all, select_first};
use crate::query::{Order, Query, Total};
use crate::run::Run;
use crate::sort::{Direction, merge, skip};
use crate::whole;

/// Runs a query.
///
/// Costs O(parts + page), whatever the offset and however many events match; the order by event type
/// also counts the types of the events that match. `expired` is asked once per part.
///
/// # Errors
/// `InvalidInput` if the limit or the filter's nesting is too large; `InvalidCursor` if the position is
/// one of another order; `TooExpensive` once `expired` says so; `Engine`.
pub fn execute(view: &impl View, query: &Query, expired: Expired<'_>) -> Result<Page> {
    query.check_limit()?;
    match query.order {
        Order::CreatedAtAsc => by_time(view.parts(), query, Direction::OldestFirst, expired),
        Order::CreatedAtDesc => by_time(view.parts(), query, Direction::NewestFirst, expired),
        Order::EventTypeAsc | Order::EventTypeDesc => by_type(view.parts(), query, expired),
    }
}

fn by_time(parts: Parts<'_>, query: &Query, direction: Direction, expired: Expired<'_>) -> Result<Page> {
    let filter = query.scoped_filter()?;
    let after = match &query.after {
        None => None,
        Some(CursorPosition { key, event_type: None }) => Some(*key),
        Some(_) => return Err(foreign_position()),
    };
    if query.total == Total::Exact
        && after.is_none()
        && let Some(page) = by_known_total(parts, query, &filter, direction, expired)?
    {
        return Ok(page);
    }
    let (mut runs, total) = match query.total {
        Total::Exact => {
            let mut runs = count_all(parts, &filter, expired)?;
            let total = runs.iter().map(Run::window_len).sum();
            if let Some(after) = after {
                for run in &mut runs {
                    resume(run, direction, after)?;
                }
            }
            (runs, Some(total))
        }
        Total::None => {
            // One more than the page holds, so as to know whether another page follows.
            let wanted = query.offset.saturating_add(u64::from(query.limit)).saturating_add(1);
            (select_first(parts, &filter, direction, after, wanted, expired)?, None)
        }
    };
    skip(&mut runs, direction, query.offset)?;
    let mut page = PageBuilder::new(query.limit, query.size_max_bytes, expired);
    page.fill(&runs, &merge(&runs, direction, page.room())?)?;
    let left: u64 = runs.iter().map(Run::window_len).sum();
    Ok(finish(page, total, left, None))
}

/// The page and its total, if the total of the sealed parts is known of all of them together: then only those are asked
/// that the page reaches.
fn by_known_total(
    parts: Parts<'_>,
    query: &Query,
    filter: &Filter,
    direction: Direction,
    expired: Expired<'_>,
) -> Result<Option<Page>> {
    let Some(list) = parts.sealed() else { return Ok(None) };
    let Some(sealed) = whole::total(parts, list, filter, expired)? else { return Ok(None) };
    let mut runs = count_all(parts.others(), filter, expired)?;
    let total = sealed + runs.iter().map(Run::window_len).sum::<u64>();
    let mut page = PageBuilder::new(query.limit, query.size_max_bytes, expired);
    if query.offset < total && query.limit > 0 {
        let wanted = query.offset.saturating_add(u64::from(query.limit));
        first_runs(list, filter, direction, wanted, &mut runs, expired)?;
        skip(&mut runs, direction, query.offset)?;
        page.fill(&runs, &merge(&runs, direction, page.room())?)?;
    }
    Ok(Some(finish(page, Some(total), total.saturating_sub(query.offset), None)))
}

/// The page, with the position of its last event if `left`, the events the page could have held, are more.
fn finish(page: PageBuilder<'_>, total: Option<u64>, left: u64, event_type: Option<String>) -> Page {
    let shown = u64::try_from(page.events.len()).unwrap_or(u64::MAX);
    let last = page.events.last().filter(|_| shown < left);
    let next = last.map(|event| CursorPosition {
        key: OrderKey { created_at_us: event.created_at_us, sequence: event.sequence },
        event_type,
    });
    Page { events: page.events, total, next }
}

fn foreign_position() -> Error {
    Error::new(ErrorKind::InvalidCursor, "the position is one of another order")
}

/// Counts the event types of the selected rows, in byte order, on top of counts that are known.
fn count_types(
    selected: &[(&dyn Part, RowSet)],
    kept: &[(String, u64)],
    expired: Expired<'_>,
) -> Result<Vec<(String, u64)>> {
    if selected.is_empty() {
        return Ok(kept.to_vec());
    }
    let mut types = SortedCounts::default();
    types.begin();
    for (event_type, count) in kept {
        types.add(event_type, *count);
    }
    for (part, rows) in selected {
        check_allowed(expired)?;
        types.begin();
        part.count_by(Field::EventType, rows, &mut |event_type, count| types.add(event_type, u64::from(count)))?;
    }
    check_allowed(expired)?;
    Ok(types.finish())
}

fn by_type(parts: Parts<'_>, query: &Query, expired: Expired<'_>) -> Result<Page> {
    let filter = query.scoped_filter()?;
    let after = match &query.after {
        None => None,
        Some(CursorPosition { key, event_type: Some(event_type) }) => Some((event_type.as_str(), *key)),
        Some(_) => return Err(foreign_position()),
    };
    // Of everything the sealed parts keep the counts together, and only those are asked that the page reaches.
    let kept = match parts.sealed().filter(|_| filter == Filter::All && after.is_none()) {
        Some(list) => whole::counts(parts, list, Field::EventType, expired)?.map(|types| (list, types)),
        None => None,
    };
    let selected = select_all(if kept.is_some() { parts.others() } else { parts }, &filter, expired)?;
    let types = count_types(&selected, kept.map_or(&[], |(_, types)| types), expired)?;
    let total = match kept {
        Some(_) => types.iter().map(|(_, count)| *count).sum(),
        None => selected.iter().map(|(_, rows)| u64::from(rows.len())).sum(),
    };
    let descending = query.order == Order::EventTypeDesc;
    let ordered: Box<dyn Iterator<Item = &(String, u64)>> =
        if descending { Box::new(types.iter().rev()) } else { Box::new(types.iter()) };
    let mut page = PageBuilder::new(query.limit, query.size_max_bytes, expired);
    let mut offset = query.offset;
    let mut left = 0_u64;
    for (event_type, all) in ordered {
        let from = match after {
            None => None,
            Some((last_type, key)) => match (event_type.as_str().cmp(last_type), descending) {
                (Ordering::Equal, _) => Some(key),
                (Ordering::Less, false) | (Ordering::Greater, true) => continue,
                _ => None,
            },
        };
        // A type that lies wholly before the page is skipped by its count, without touching a part.
        if from.is_none() && offset >= *all {
            offset -= *all;
            continue;
        }
        // Room for no more than the first of what is left is known from the counts.
        if from.is_none() && page.room() == 0 {
            left += *all - offset;
            break;
        }
        let of_type = Filter::term(Field::EventType, event_type.as_str());
        let mut runs = type_runs(&selected, &of_type, expired)?;
        if let Some((list, _)) = kept {
            let wanted = offset.saturating_add(u64::try_from(page.room()).unwrap_or(u64::MAX));
            first_runs(list, &of_type, Direction::NewestFirst, wanted, &mut runs, expired)?;
        }
        if let Some(from) = from {
            for run in &mut runs {
                resume(run, Direction::NewestFirst, from)?;
            }
        }
        // Not all parts were asked where the count of all is known.
        let count: u64 = if kept.is_some() { *all } else { runs.iter().map(Run::window_len).sum() };
        if offset >= count {
            offset -= count;
            continue;
        }
        left += count - offset;
        if page.room() == 0 {
            break;
        }
        skip(&mut runs, Direction::NewestFirst, offset)?;
        offset = 0;
        page.fill(&runs, &merge(&runs, Direction::NewestFirst, page.room())?)?;
    }
    let event_type = page.events.last().map(|event| event.event_type().to_owned());
    Ok(finish(page, (query.total == Total::Exact).then_some(total), left, event_type))
}

/// The selected rows of one event type.
fn type_runs<'s>(
    selected: &'s [(&'s dyn Part, RowSet)],
    of_type: &'s Filter,
    expired: Expired<'_>,
) -> Result<Vec<Run<'s>>> {
    let mut runs = Vec::new();
    for (part, rows) in selected {
        check_allowed(expired)?;
        if part.count(&Filter::All)?.is_some_and(|counted| counted.rows == rows.len()) {
            // Everything is selected: the type alone decides, and its rows may never be looked at.
            runs.extend(Run::matching(*part, of_type)?);
        } else if part.count(of_type)?.is_none_or(|counted| counted.rows > 0) {
            let run = Run::new(*part, part.select(of_type)?.intersect(rows));
            runs.extend(Some(run).filter(|run| !run.window.is_empty()));
        }
    }
    Ok(runs)
}
