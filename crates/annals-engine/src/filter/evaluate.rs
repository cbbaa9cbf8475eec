//! A filter over one part: leaves come from the part's index, the tree is walked here once for all.

use super::text::TextTest;
use super::{Filter, TextField};
use crate::error::Result;
use crate::field::Field;
use crate::rows::RowSet;

/// What a part's index can answer about one predicate. Rows are the part's own, tombstones included.
pub(crate) trait Leaves {
    fn row_count(&self) -> u32;
    fn term(&self, field: Field, value: &str) -> Result<RowSet>;
    /// How many rows [`Leaves::term`] gives, if that is known without looking at them.
    fn term_count(&self, field: Field, value: &str) -> Result<Option<u32>> {
        _ = (field, value);
        Ok(None)
    }
    /// The rows of `candidates` that [`Leaves::term`] gives.
    fn term_among(&self, field: Field, value: &str, candidates: &RowSet) -> Result<RowSet> {
        Ok(candidates.intersect(&self.term(field, value)?))
    }
    fn prefix(&self, field: Field, prefix: &str) -> Result<RowSet>;
    fn within(&self, field: Field, values: &[String]) -> Result<RowSet>;
    fn created_between(&self, from_us: i64, to_us: i64) -> Result<RowSet>;
    fn sequence_between(&self, from: u64, to: u64) -> Result<RowSet>;
    fn acknowledged(&self) -> Result<RowSet>;
    /// The rows whose values of `field` were amended, ascending, and what they are now: the index of
    /// keywords knows the old ones. Costs nothing if no row was.
    fn amended(&self, field: Field) -> Vec<(u32, &[String])>;
    /// The candidates whose text passes `test`; an absent text passes none.
    fn text(&self, field: TextField, candidates: &RowSet, test: &TextTest<'_>) -> Result<RowSet>;
}

/// The rows that match, tombstones included.
pub(crate) fn evaluate(filter: &Filter, leaves: &dyn Leaves) -> Result<RowSet> {
    let all = RowSet::from_range(0..leaves.row_count());
    among(filter, leaves, &all)
}

/// The rows of `candidates` that match.
fn among(filter: &Filter, leaves: &dyn Leaves, candidates: &RowSet) -> Result<RowSet> {
    if candidates.is_empty() {
        return Ok(RowSet::empty());
    }
    let rows = match filter {
        Filter::All => return Ok(candidates.clone()),
        Filter::Term(field, value) => {
            if leaves.amended(*field).is_empty() {
                return leaves.term_among(*field, value, candidates);
            }
            let rows = leaves.term(*field, value)?;
            corrected(leaves, *field, rows, |held| held.contains(value))
        }
        Filter::AnyOf(field, values) => {
            let mut rows = RowSet::empty();
            for value in values {
                rows = rows.union(&leaves.term(*field, value)?);
            }
            corrected(leaves, *field, rows, |held| held.iter().any(|value| values.contains(value)))
        }
        Filter::Prefix(field, prefix) => {
            let rows = leaves.prefix(*field, prefix)?;
            corrected(leaves, *field, rows, |held| held.iter().any(|value| value.starts_with(prefix)))
        }
        Filter::Within(field, values) => {
            let rows = leaves.within(*field, values)?;
            corrected(leaves, *field, rows, |held| !held.is_empty() && held.iter().all(|value| values.contains(value)))
        }
        Filter::CreatedBetween { from_us, to_us } => leaves.created_between(*from_us, *to_us)?,
        Filter::SequenceBetween { from, to } => leaves.sequence_between(*from, *to)?,
        Filter::Acknowledged(true) => leaves.acknowledged()?,
        Filter::Acknowledged(false) => return Ok(candidates.minus(&leaves.acknowledged()?)),
        Filter::Contains(field, needle) => {
            return leaves.text(*field, candidates, &TextTest::contains(needle));
        }
        Filter::TextEquals(field, value) => {
            return leaves.text(*field, candidates, &TextTest::Equals(value.as_bytes()));
        }
        Filter::And(parts) => return all_of(parts, leaves, candidates),
        Filter::Or(parts) => {
            let mut rows = RowSet::empty();
            for part in parts {
                rows = rows.union(&among(part, leaves, candidates)?);
            }
            return Ok(rows);
        }
        Filter::Not(part) => return Ok(candidates.minus(&among(part, leaves, candidates)?)),
    };
    Ok(candidates.intersect(&rows))
}

/// What an index answered for a field, with amended rows judged by the values they have now.
fn corrected(leaves: &dyn Leaves, field: Field, rows: RowSet, passes: impl Fn(&[String]) -> bool) -> RowSet {
    let amended = leaves.amended(field);
    if amended.is_empty() {
        return rows;
    }
    let changed = amended.iter().map(|(row, _)| *row).collect();
    let passing = amended.iter().filter(|(_, held)| passes(held)).map(|(row, _)| *row).collect();
    rows.minus(&RowSet::from_sorted(changed)).union(&RowSet::from_sorted(passing))
}

/// Cheap predicates first, so that texts are read for few rows only; of terms the rarest, whose rows the
/// others then only have to be looked up for.
fn all_of(parts: &[Filter], leaves: &dyn Leaves, candidates: &RowSet) -> Result<RowSet> {
    let mut ordered: Vec<&Filter> = parts.iter().collect();
    ordered.sort_by_key(|part| rank(part));
    if let Some(terms) = several_terms(&ordered) {
        let mut counted = Vec::with_capacity(terms.len());
        for part in ordered.get(terms.clone()).unwrap_or_default() {
            let count = match part {
                Filter::Term(field, value) => leaves.term_count(*field, value)?,
                _ => None,
            };
            counted.push((count.unwrap_or(u32::MAX), *part));
        }
        counted.sort_by_key(|(count, _)| *count);
        for (slot, (_, part)) in ordered.iter_mut().skip(terms.start).zip(counted) {
            *slot = part;
        }
    }
    let mut rows = candidates.clone();
    for part in ordered {
        rows = among(part, leaves, &rows)?;
        if rows.is_empty() {
            break;
        }
    }
    Ok(rows)
}

/// Where the terms stand among predicates in the order of their rank, if there are several.
fn several_terms(ordered: &[&Filter]) -> Option<std::ops::Range<usize>> {
    let start = ordered.iter().position(|part| rank(part) == TERM_RANK)?;
    let len = ordered.iter().skip(start).take_while(|part| rank(part) == TERM_RANK).count();
    (len > 1).then_some(start..start + len)
}

const TERM_RANK: u8 = 1;

/// What a predicate costs, coarsely.
fn rank(filter: &Filter) -> u8 {
    match filter {
        Filter::All | Filter::CreatedBetween { .. } | Filter::SequenceBetween { .. } => 0,
        Filter::Term(..) => TERM_RANK,
        Filter::AnyOf(..) | Filter::Acknowledged(_) => 2,
        Filter::Prefix(..) | Filter::Within(..) => 3,
        Filter::Contains(..) | Filter::TextEquals(..) => 9,
        Filter::And(parts) | Filter::Or(parts) => parts.iter().map(rank).max().unwrap_or(0).max(4),
        Filter::Not(part) => rank(part).max(4),
    }
}
