//! Which parts can answer, in which order, and which of their rows match.

use std::sync::Arc;

use annals_engine::{Bounded, Filter, OrderKey, Part, PartList, Parts, Snapshot};

use crate::error::{Error, Result};
use crate::run::{Run, start_of, successor};
use crate::sort::Direction;

/// What can be queried: the parts of one immutable view.
pub trait View {
    /// The parts, in no order. No two hold the same sequence.
    fn parts(&self) -> Parts<'_>;
}

impl View for Snapshot {
    fn parts(&self) -> Parts<'_> {
        Snapshot::parts(self)
    }
}

impl View for Vec<Arc<dyn Part>> {
    fn parts(&self) -> Parts<'_> {
        Parts::from(self.as_slice())
    }
}

/// So many parts are asked one by one before it is looked how many rows are certain.
const COUNTED_EACH: usize = 4;

/// Says whether what is allowed for a query is used up: its time, or the rows that it may go through
/// ([`annals_engine::scanned_rows`]). Asked before and behind each part and now and then in between.
pub type Expired<'a> = &'a dyn Fn() -> bool;

/// `TooExpensive` if the query has had what it is allowed.
pub(crate) fn check_allowed(expired: Expired<'_>) -> Result<()> {
    if expired() { Err(Error::too_expensive("the query used up what it is allowed")) } else { Ok(()) }
}

/// The parts whose time range meets the filter's.
pub(crate) fn candidates<'v>(parts: Parts<'v>, filter: &Filter) -> Vec<&'v dyn Part> {
    let (from_us, to_us) = filter.time_bounds_us();
    parts.within(from_us, to_us).collect()
}

/// Every part's matching rows; parts without any are left out.
pub(crate) fn select_all<'v>(
    parts: Parts<'v>,
    filter: &Filter,
    expired: Expired<'_>,
) -> Result<Vec<(&'v dyn Part, annals_engine::RowSet)>> {
    let mut selected = Vec::new();
    for part in candidates(parts, filter) {
        check_allowed(expired)?;
        let rows = part.select(filter)?;
        if !rows.is_empty() {
            selected.push((part, rows));
        }
    }
    check_allowed(expired)?;
    Ok(selected)
}

/// A run for every part with matching rows; rows that are only counted are not looked at.
pub(crate) fn count_all<'v>(parts: Parts<'v>, filter: &'v Filter, expired: Expired<'_>) -> Result<Vec<Run<'v>>> {
    let mut runs = Vec::new();
    for part in candidates(parts, filter) {
        check_allowed(expired)?;
        runs.extend(Run::matching(part, filter)?);
    }
    check_allowed(expired)?;
    Ok(runs)
}

/// Adds runs of the sealed parts that hold, with those in `runs`, at least the first `wanted` rows in that direction, or
/// all there are. Parts that lie wholly behind these rows are not asked.
pub(crate) fn first_runs<'v>(
    list: &'v PartList,
    filter: &'v Filter,
    direction: Direction,
    wanted: u64,
    runs: &mut Vec<Run<'v>>,
    expired: Expired<'_>,
) -> Result<()> {
    let ordered: &mut dyn Iterator<Item = Bounded<'v>> = match direction {
        Direction::OldestFirst => &mut list.oldest_first(),
        Direction::NewestFirst => &mut list.newest_first(),
    };
    // Adding up what is certain looks at every run so far, so it is done after 1, 2, 4, 8... parts.
    let mut count_at = 1;
    for (index, next) in ordered.enumerate() {
        if index >= count_at {
            let certain = |run: &&Run<'_>| {
                let (first_us, last_us) = run.part.time_bounds_us();
                match direction {
                    Direction::OldestFirst => last_us < next.first_us,
                    Direction::NewestFirst => first_us > next.last_us,
                }
            };
            if runs.iter().filter(certain).map(Run::window_len).sum::<u64>() >= wanted {
                break;
            }
            count_at = if index < COUNTED_EACH { index + 1 } else { index * 2 };
        }
        check_allowed(expired)?;
        runs.extend(Run::matching(next.part, filter)?);
    }
    check_allowed(expired)
}

/// Leaves in each window only what comes behind `after` in the given direction.
pub(crate) fn resume(run: &mut Run<'_>, direction: Direction, after: OrderKey) -> Result<()> {
    match direction {
        Direction::NewestFirst => run.window.end = run.rank_of(after)?,
        Direction::OldestFirst => {
            run.window.start = match successor(after) {
                Some(next) => run.rank_of(next)?,
                None => run.window.end,
            };
        }
    }
    Ok(())
}

/// Runs that hold at least the first `wanted` rows behind `after`, or all there are. Parts that lie
/// wholly before or behind those rows are not asked.
pub(crate) fn select_first<'v>(
    parts: Parts<'v>,
    filter: &'v Filter,
    direction: Direction,
    after: Option<OrderKey>,
    wanted: u64,
    expired: Expired<'_>,
) -> Result<Vec<Run<'v>>> {
    let mut parts = candidates(parts, filter);
    if let Some(after) = after {
        parts.retain(|part| match direction {
            Direction::OldestFirst => part.time_bounds_us().1 >= after.created_at_us,
            Direction::NewestFirst => part.time_bounds_us().0 <= after.created_at_us,
        });
    }
    match direction {
        Direction::OldestFirst => parts.sort_by_key(|part| part.time_bounds_us().0),
        Direction::NewestFirst => parts.sort_by_key(|part| std::cmp::Reverse(part.time_bounds_us().1)),
    }
    let mut runs: Vec<Run<'v>> = Vec::new();
    // Counting what is certain asks every run so far, so it is done after 1, 2, 4, 8... parts.
    let mut count_at = 1;
    for (index, part) in parts.into_iter().enumerate() {
        if index >= count_at {
            if certain(&runs, direction, part)? >= wanted {
                break;
            }
            count_at = index * 2;
        }
        check_allowed(expired)?;
        let Some(mut run) = Run::matching(part, filter)? else { continue };
        if let Some(after) = after {
            resume(&mut run, direction, after)?;
        }
        if !run.window.is_empty() {
            runs.push(run);
        }
    }
    check_allowed(expired)?;
    Ok(runs)
}

/// How many rows come before every row of `next` and of all parts behind it.
fn certain(runs: &[Run<'_>], direction: Direction, next: &dyn Part) -> Result<u64> {
    let (first_us, last_us) = next.time_bounds_us();
    let mut rows = 0_u64;
    for run in runs {
        let certain = match direction {
            Direction::OldestFirst => run.window.start..run.rank_of(start_of(first_us))?,
            Direction::NewestFirst => match last_us.checked_add(1) {
                Some(behind_us) => run.rank_of(start_of(behind_us))?..run.window.end,
                None => 0..0,
            },
        };
        rows += u64::from(certain.end.saturating_sub(certain.start));
    }
    Ok(rows)
}
