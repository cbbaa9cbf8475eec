//! The order of rows across parts: cutting all parts at one place, and merging them from there.
//!
//! Both work on runs whose rows are ordered already, so nothing is ever sorted.

use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use annals_engine::{OrderKey, RowIter};

use crate::error::Result;
use crate::run::{Run, contradiction, pack, start_of};

/// Which end of `created_at` order comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    OldestFirst,
    NewestFirst,
}

/// Leaves out the first `count` rows of the windows in the given direction.
///
/// Costs O(runs) and, for the runs that hold rows on both sides of the place, O(log rows) probes each.
pub(crate) fn skip(runs: &mut [Run<'_>], direction: Direction, count: u64) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    let all: u64 = runs.iter().map(Run::window_len).sum();
    match direction {
        Direction::OldestFirst => {
            for (run, cut) in lowest(runs, count.min(all), all)? {
                run.window.start = cut;
            }
        }
        Direction::NewestFirst => {
            for (run, cut) in lowest(runs, all.saturating_sub(count), all)? {
                run.window.end = cut;
            }
        }
    }
    Ok(())
}

/// One run on its way to being cut: the cut lies in `low..=high`.
struct Cut<'r, 'a> {
    run: &'r mut Run<'a>,
    low: u32,
    high: u32,
}

/// For each run the rank below which its rows belong to the `count` lowest of all.
fn lowest<'r, 'a>(runs: &'r mut [Run<'a>], count: u64, all: u64) -> Result<Vec<(&'r mut Run<'a>, u32)>> {
    let times = if count == 0 || count >= all { None } else { Some(time_bracket(runs, count)) };
    let mut cuts: Vec<Cut<'r, 'a>> = Vec::with_capacity(runs.len());
    for run in runs {
        let (mut low, mut high) = (run.window.start, run.window.end);
        let (first_us, last_us) = run.part.time_bounds_us();
        match times {
            None if count == 0 => high = low,
            None => low = high,
            // Wholly on one side of every time in question: taken or left by its count alone.
            Some((from_us, _)) if last_us < from_us => low = high,
            Some((_, to_us)) if first_us >= to_us => high = low,
            Some(_) => {}
        }
        cuts.push(Cut { run, low, high });
    }
    if let Some((from_us, to_us)) = times {
        search(&mut cuts, count, from_us, to_us)?;
    }
    Ok(cuts.into_iter().map(|cut| (cut.run, cut.low)).collect())
}

/// Times such that at most `count` rows lie below the first and more than `count` below the second, by
/// the bounds of the parts alone. `count` is less than all rows.
fn time_bracket(runs: &[Run<'_>], count: u64) -> (i64, i64) {
    let mut firsts: Vec<(i64, u64)> = Vec::with_capacity(runs.len());
    let mut lasts: Vec<(i64, u64)> = Vec::with_capacity(runs.len());
    for run in runs {
        let (first_us, last_us) = run.part.time_bounds_us();
        firsts.push((first_us, run.window_len()));
        lasts.push((last_us, run.window_len()));
    }
    firsts.sort_unstable();
    lasts.sort_unstable();
    let (mut from_us, mut below) = (i64::MIN, 0_u64);
    for (first_us, rows) in firsts {
        if below > count {
            break;
        }
        from_us = first_us;
        below += rows;
    }
    let mut below = 0_u64;
    for (last_us, rows) in lasts {
        below += rows;
        if below > count {
            return (from_us, last_us.saturating_add(1));
        }
    }
    (from_us, i64::MAX)
}

/// Narrows every cut to one rank, so that `count` rows lie below the cuts: a bisection over times, then,
/// if the place is among events of one time, over sequences. Keys are never repeated, so there is a place.
fn search(cuts: &mut [Cut<'_, '_>], count: u64, mut from_us: i64, mut to_us: i64) -> Result<()> {
    if settled(cuts, count) {
        return Ok(());
    }
    // The bisections only probe above their lower ends, so what lies below the first of them is counted here.
    probe(cuts, count, start_of(from_us))?;
    while !settled(cuts, count) && from_us.checked_add(1).is_some_and(|next| next < to_us) {
        let middle = midpoint(from_us, to_us);
        if probe(cuts, count, start_of(middle))? {
            from_us = middle;
        } else {
            to_us = middle;
        }
    }
    let open = || cuts.iter().filter(|cut| cut.low < cut.high).map(|cut| cut.run.part.sequence_bounds());
    let mut from = open().map(|bounds| bounds.0).min().unwrap_or(0);
    let mut to = open().map(|bounds| bounds.1).max().unwrap_or(0).saturating_add(1);
    while !settled(cuts, count) && from.checked_add(1).is_some_and(|next| next < to) {
        let middle = from.midpoint(to);
        if probe(cuts, count, OrderKey { created_at_us: from_us, sequence: middle })? {
            from = middle;
        } else {
            to = middle;
        }
    }
    Ok(())
}

fn midpoint(from_us: i64, to_us: i64) -> i64 {
    let apart = to_us.abs_diff(from_us) / 2;
    from_us.saturating_add_unsigned(apart)
}

/// Whether at most `count` rows lie below `key`; the cuts are narrowed by what was learned.
fn probe(cuts: &mut [Cut<'_, '_>], count: u64, key: OrderKey) -> Result<bool> {
    let mut ranks = Vec::with_capacity(cuts.len());
    let mut below = 0_u64;
    for cut in cuts.iter() {
        let rank = if cut.low < cut.high { cut.run.rank_of(key)?.clamp(cut.low, cut.high) } else { cut.low };
        below += u64::from(rank - cut.run.window.start);
        ranks.push(rank);
    }
    let fits = below <= count;
    for (cut, rank) in cuts.iter_mut().zip(ranks) {
        if fits {
            cut.low = rank;
        } else {
            cut.high = rank;
        }
    }
    Ok(fits)
}

/// Whether the lower ends of the cuts are the answer, made so if only one run is still open.
fn settled(cuts: &mut [Cut<'_, '_>], count: u64) -> bool {
    let below: u64 = cuts.iter().map(|cut| u64::from(cut.low - cut.run.window.start)).sum();
    let missing = count.saturating_sub(below);
    if missing == 0 {
        return true;
    }
    let mut open = cuts.iter_mut().filter(|cut| cut.low < cut.high);
    match (open.next(), open.next()) {
        (Some(only), None) => {
            let missing = u32::try_from(missing).unwrap_or(u32::MAX);
            only.low = only.low.saturating_add(missing).min(only.high);
            true
        }
        (None, _) => true,
        _ => false,
    }
}

/// A row of the merged order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which run it is of.
    pub(crate) run: usize,
    pub(crate) row: u32,
}

/// The next row of one run. Ordered so that the heap's greatest head comes first.
struct Head<'r> {
    rank: u128,
    run: usize,
    /// `None` until the run is reached: then `rank` comes from the part's bounds, and no row was read.
    next: Option<(u32, RowIter<'r>)>,
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.rank, self.run) == (other.rank, other.run)
    }
}

impl Eq for Head<'_> {}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.rank, self.run).cmp(&(other.rank, other.run))
    }
}

/// Where a key stands in the heap.
fn heap_rank(direction: Direction, key: OrderKey) -> u128 {
    match direction {
        Direction::NewestFirst => pack(key),
        Direction::OldestFirst => !pack(key),
    }
}

fn next_row(rows: &mut RowIter<'_>, direction: Direction) -> Option<u32> {
    match direction {
        Direction::OldestFirst => rows.next(),
        Direction::NewestFirst => rows.next_back(),
    }
}

/// No row of the run stands behind this place in the heap, by the bounds of its part.
fn last_rank(run: &Run<'_>, direction: Direction) -> u128 {
    let (first_us, last_us) = run.part.time_bounds_us();
    let bound = match direction {
        Direction::OldestFirst => OrderKey { created_at_us: last_us, sequence: u64::MAX },
        Direction::NewestFirst => start_of(first_us),
    };
    heap_rank(direction, bound)
}

/// The first `limit` rows of all windows in the given direction.
///
/// Costs O(runs) to set up and O(log runs) per row; runs that are not reached are not read.
pub(crate) fn merge(runs: &[Run<'_>], direction: Direction, limit: usize) -> Result<Vec<Place>> {
    let mut heads = BinaryHeap::with_capacity(runs.len());
    for (index, run) in runs.iter().enumerate().filter(|(_, run)| !run.window.is_empty()) {
        let (first_us, last_us) = run.part.time_bounds_us();
        let bound = match direction {
            Direction::OldestFirst => start_of(first_us),
            Direction::NewestFirst => OrderKey { created_at_us: last_us, sequence: u64::MAX },
        };
        heads.push(Head { rank: heap_rank(direction, bound), run: index, next: None });
    }
    let waiting: u64 = runs.iter().map(Run::window_len).sum();
    let mut places = Vec::with_capacity(limit.min(usize::try_from(waiting).unwrap_or(usize::MAX)));
    while places.len() < limit {
        let Some(mut head) = heads.peek_mut() else { break };
        let Some(run) = runs.get(head.run) else { break };
        let mut rows = match head.next.take() {
            None => {
                let index = PeekMut::pop(head).run;
                let mut rows = run.first_rows(direction, limit - places.len())?;
                // Mostly nothing of another run lies among its rows: then no key of them is read.
                if heads.peek().is_none_or(|other| other.rank < last_rank(run, direction)) {
                    let room = limit - places.len();
                    places.extend(
                        std::iter::from_fn(|| next_row(&mut rows, direction))
                            .take(room)
                            .map(|row| Place { run: index, row }),
                    );
                } else if let Some(row) = next_row(&mut rows, direction) {
                    let rank = heap_rank(direction, run.part.key(row)?);
                    heads.push(Head { rank, run: index, next: Some((row, rows)) });
                }
                continue;
            }
            Some((row, rows)) => {
                places.push(Place { run: head.run, row });
                rows
            }
        };
        if let Some(row) = next_row(&mut rows, direction) {
            head.rank = heap_rank(direction, run.part.key(row)?);
            head.next = Some((row, rows));
        } else {
            PeekMut::pop(head);
        }
    }
    if places.len() < limit && u64::try_from(places.len()).unwrap_or(u64::MAX) < waiting {
        return Err(contradiction(u32::try_from(waiting).unwrap_or(u32::MAX)));
    }
    Ok(places)
}
