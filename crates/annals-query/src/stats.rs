//! Exact statistics: counts by field, oldest and newest, a histogram over time.

use std::collections::BTreeMap;
use std::ops::Range;

use annals_engine::{Field, Filter, OrderKey, Part, Parts, RowSet};

use crate::counts::SortedCounts;
use crate::error::{Error, Result};
use crate::plan::{Expired, View, check_allowed, select_all};
use crate::query::Query;
use crate::run::{contradiction, start_of};
use crate::split::{self, Split};
use crate::whole;

/// The most buckets of a histogram, inclusive: more than any chart can show, less than a megabyte of JSON.
pub const BUCKETS_MAX: u64 = 10_000;
/// The most different values of one field that are counted, inclusive: about 100 MB at 100 bytes each.
pub const DISTINCT_MAX: usize = 1_000_000;

/// What to count besides the total.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsRequest {
    /// The fields whose values are counted.
    pub by: Vec<Field>,
    /// Keeps only so many of the most frequent values of each field.
    pub top: Option<usize>,
    /// The width of a histogram's buckets, in microseconds; buckets start at multiples of it since 1970.
    pub interval_us: Option<i64>,
    /// The field by whose values each bucket of the histogram is split.
    pub split: Option<Field>,
}

/// Statistics of the events that match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// How many match.
    pub total: u64,
    /// `created_at` of the oldest, UTC microseconds; absent if nothing matches.
    pub oldest_us: Option<i64>,
    /// `created_at` of the newest, UTC microseconds; absent if nothing matches.
    pub newest_us: Option<i64>,
    /// For each field asked for how many events hold which value: most frequent first, then in byte order.
    /// Events without a value are in none; an event with several values counts for each.
    pub by: Vec<(Field, Vec<(String, u64)>)>,
    /// Start of the bucket in UTC microseconds, and events in it: every bucket from the oldest event's to
    /// the newest's, empty ones included. Empty if it was not asked for or nothing matches.
    pub histogram: Vec<(i64, u64)>,
    /// The histogram once more, bucket by bucket, split by a field. Empty if it was not asked for or nothing matches.
    pub split: Split,
}

/// Counts what matches the query; its order, page and cursor play no part.
///
/// Costs O(parts + values) where whole parts match, O(matches) for `by` elsewhere; the histogram costs
/// O(parts + buckets) look-ups, split O(matches) besides.
///
/// # Errors
/// `InvalidInput` if the interval is not positive or gives more than [`BUCKETS_MAX`] buckets, or the
/// filter nests too deep; `TooExpensive` if a field has more than [`DISTINCT_MAX`] values or once
/// `expired` says so; `Engine`.
pub fn stats(view: &impl View, query: &Query, request: &StatsRequest, expired: Expired<'_>) -> Result<Stats> {
    if request.interval_us.is_some_and(|interval_us| interval_us <= 0) {
        return Err(Error::invalid_input("the interval of a histogram must be positive"));
    }
    let filter = query.scoped_filter()?;
    if let Some(stats) = of_everything(view.parts(), &filter, request, expired)? {
        return Ok(stats);
    }
    let selected = select_all(view.parts(), &filter, expired)?;
    let mut stats = Stats {
        total: selected.iter().map(|(_, rows)| u64::from(rows.len())).sum(),
        oldest_us: oldest_us(&selected)?,
        newest_us: newest_us(&selected)?,
        ..Stats::default()
    };
    for field in &request.by {
        stats.by.push((*field, count_field(&selected, *field, request.top, expired)?));
    }
    if let (Some(interval_us), Some(oldest_us), Some(newest_us)) =
        (request.interval_us, stats.oldest_us, stats.newest_us)
    {
        stats.histogram = histogram(&selected, interval_us, oldest_us, newest_us, expired)?;
        if let Some(field) = request.split {
            stats.split = split::split(&selected, field, &stats.histogram, interval_us, expired)?;
        }
    }
    Ok(stats)
}

/// Statistics of everything, from what is kept of the sealed parts together; `None` if something is not kept so.
fn of_everything(
    parts: Parts<'_>,
    filter: &Filter,
    request: &StatsRequest,
    expired: Expired<'_>,
) -> Result<Option<Stats>> {
    let Some(list) = parts.sealed().filter(|_| *filter == Filter::All && request.interval_us.is_none()) else {
        return Ok(None);
    };
    let whole = whole::whole(parts, list, expired)?;
    let others = select_all(parts.others(), filter, expired)?;
    let rows: u64 = others.iter().map(|(_, rows)| u64::from(rows.len())).sum();
    let mut stats = Stats {
        total: whole.rows + rows,
        oldest_us: oldest_us(&others)?.into_iter().chain(whole.oldest_us).min(),
        newest_us: newest_us(&others)?.into_iter().chain(whole.newest_us).max(),
        ..Stats::default()
    };
    for field in &request.by {
        let Some(kept) = whole::counts(parts, list, *field, expired)? else { return Ok(None) };
        let counts = if others.is_empty() {
            kept.to_vec()
        } else {
            let mut counts = SortedCounts::default();
            counts.begin();
            for (value, count) in kept {
                counts.add(value, *count);
            }
            count_parts(&others, *field, &mut counts, &mut |_| true, expired)?;
            counts.finish()
        };
        stats.by.push((*field, most_frequent(counts, request.top)));
    }
    Ok(Some(stats))
}

pub(crate) type Selected<'v> = [(&'v dyn Part, RowSet)];

fn key_at(part: &dyn Part, rows: &RowSet, rank: u32) -> Result<OrderKey> {
    let row = rows.nth(rank).ok_or_else(|| contradiction(rank))?;
    Ok(part.key(row)?)
}

pub(crate) fn oldest_us(selected: &Selected<'_>) -> Result<Option<i64>> {
    let mut oldest: Option<i64> = None;
    for (part, rows) in selected {
        // Most parts cannot be older than what is known and are not read.
        if oldest.is_none_or(|oldest| part.time_bounds_us().0 < oldest) {
            let first_us = key_at(*part, rows, 0)?.created_at_us;
            oldest = Some(oldest.map_or(first_us, |oldest| oldest.min(first_us)));
        }
    }
    Ok(oldest)
}

pub(crate) fn newest_us(selected: &Selected<'_>) -> Result<Option<i64>> {
    let mut newest: Option<i64> = None;
    for (part, rows) in selected.iter().rev() {
        if newest.is_none_or(|newest| part.time_bounds_us().1 > newest) {
            let last_us = key_at(*part, rows, rows.len().saturating_sub(1))?.created_at_us;
            newest = Some(newest.map_or(last_us, |newest| newest.max(last_us)));
        }
    }
    Ok(newest)
}

pub(crate) fn count_field(
    selected: &Selected<'_>,
    field: Field,
    top: Option<usize>,
    expired: Expired<'_>,
) -> Result<Vec<(String, u64)>> {
    let mut counts = SortedCounts::default();
    count_parts(selected, field, &mut counts, &mut |_| true, expired)?;
    Ok(most_frequent(counts.finish(), top))
}

/// Adds the counts of the values that `counts_too` in some parts.
pub(crate) fn count_parts(
    selected: &Selected<'_>,
    field: Field,
    counts: &mut SortedCounts,
    counts_too: &mut dyn FnMut(&str) -> bool,
    expired: Expired<'_>,
) -> Result<()> {
    let mut overflow = false;
    for (part, rows) in selected {
        check_allowed(expired)?;
        counts.begin();
        part.count_by(field, rows, &mut |value, count| {
            overflow |= counts.len() > DISTINCT_MAX;
            if !overflow && counts_too(value) {
                counts.add(value, u64::from(count));
            }
        })?;
        if overflow || counts.len() > DISTINCT_MAX {
            return Err(Error::too_expensive(format!("{field} has more than {DISTINCT_MAX} different values")));
        }
    }
    check_allowed(expired)
}

/// The values that the most events hold, those first; all if `top` does not say how many.
pub(crate) fn most_frequent(mut counts: Vec<(String, u64)>, top: Option<usize>) -> Vec<(String, u64)> {
    let most_first = |a: &(String, u64), b: &(String, u64)| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0));
    if let Some(top) = top.filter(|top| *top < counts.len()) {
        // The few asked for need not wait for the sorting of a million others.
        if top > 0 {
            counts.select_nth_unstable_by(top - 1, most_first);
        }
        counts.truncate(top);
        counts.shrink_to_fit();
    }
    counts.sort_unstable_by(most_first);
    counts
}

fn histogram(
    selected: &Selected<'_>,
    interval_us: i64,
    oldest_us: i64,
    newest_us: i64,
    expired: Expired<'_>,
) -> Result<Vec<(i64, u64)>> {
    let first = oldest_us.div_euclid(interval_us);
    let last = newest_us.div_euclid(interval_us);
    let buckets = last.abs_diff(first).saturating_add(1);
    if buckets > BUCKETS_MAX {
        return Err(Error::invalid_input(format!(
            "an interval of {interval_us} us gives {buckets} buckets, the limit is {BUCKETS_MAX}"
        )));
    }
    let mut counts: BTreeMap<i64, u64> = (first..=last).map(|bucket| (bucket.saturating_mul(interval_us), 0)).collect();
    for (part, rows) in selected {
        check_allowed(expired)?;
        each_bucket(*part, rows, &|at_us| bucket_of(interval_us, at_us), &mut |start_us, ranks| {
            *counts.entry(start_us).or_default() += rows_in(&ranks);
            Ok(())
        })?;
    }
    Ok(counts.into_iter().collect())
}

/// The bucket in which a time lies.
pub(crate) fn bucket_of(interval_us: i64, created_at_us: i64) -> Range<i64> {
    let start_us = created_at_us.div_euclid(interval_us).saturating_mul(interval_us);
    start_us..start_us.saturating_add(interval_us)
}

fn rows_in(ranks: &Range<u32>) -> u64 {
    u64::from(ranks.end.saturating_sub(ranks.start))
}

/// Counts what matches the query in buckets of any width, calendar months for example: `bucket_of` says in
/// which half-open range of UTC microseconds a time lies. Empty buckets are left out; ascending.
///
/// Costs O(parts + buckets) look-ups.
///
/// # Errors
/// `InvalidInput` if `bucket_of` answers a range without the time it was asked for, or more than
/// [`BUCKETS_MAX`] buckets hold events; otherwise as for [`stats`].
pub fn count_in_buckets(
    view: &impl View,
    query: &Query,
    bucket_of: &dyn Fn(i64) -> Range<i64>,
    expired: Expired<'_>,
) -> Result<Vec<(i64, u64)>> {
    let selected = select_all(view.parts(), &query.scoped_filter()?, expired)?;
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    for (part, rows) in &selected {
        check_allowed(expired)?;
        each_bucket(*part, rows, bucket_of, &mut |start_us, ranks| {
            *counts.entry(start_us).or_default() += rows_in(&ranks);
            if u64::try_from(counts.len()).is_ok_and(|buckets| buckets > BUCKETS_MAX) {
                return Err(Error::invalid_input(format!("more than {BUCKETS_MAX} buckets hold events")));
            }
            Ok(())
        })?;
    }
    Ok(counts.into_iter().collect())
}

/// Leaps from bucket to bucket, so that the cost is the smaller of rows and buckets, times a look-up. Tells where each
/// one that is not empty begins and how many of the rows lie below its first and below its end.
pub(crate) fn each_bucket(
    part: &dyn Part,
    rows: &RowSet,
    bucket_of: &dyn Fn(i64) -> Range<i64>,
    visit: &mut dyn FnMut(i64, Range<u32>) -> Result<()>,
) -> Result<()> {
    let mut rank = 0;
    while rank < rows.len() {
        let created_at_us = key_at(part, rows, rank)?.created_at_us;
        let bucket = bucket_of(created_at_us);
        if !bucket.contains(&created_at_us) {
            return Err(Error::invalid_input(format!("{created_at_us} us lies outside of its bucket")));
        }
        let end = rows.rank(part.lower_bound(start_of(bucket.end))?);
        if end <= rank {
            return Err(contradiction(rank));
        }
        visit(bucket.start, rank..end)?;
        rank = end;
    }
    Ok(())
}
