//! One part's share of an answer: its selected rows and the window of them that is still to be shown.

use std::cell::OnceCell;
use std::ops::Range;

use annals_engine::{Counted, Filter, OrderKey, Part, RowIter, RowSet};

use crate::error::{Error, Result};
use crate::sort::Direction;

/// An order key as one number: bigger is later.
pub(crate) fn pack(key: OrderKey) -> u128 {
    // Flipping the sign bit makes unsigned order the signed one.
    let time = key.created_at_us.cast_unsigned() ^ (1 << 63);
    (u128::from(time) << 64) | u128::from(key.sequence)
}

/// The key of everything created at or after `created_at_us`.
pub(crate) fn start_of(created_at_us: i64) -> OrderKey {
    OrderKey { created_at_us, sequence: 0 }
}

/// The smallest key behind `key`; `None` behind the last one.
pub(crate) fn successor(key: OrderKey) -> Option<OrderKey> {
    match key.sequence.checked_add(1) {
        Some(sequence) => Some(OrderKey { sequence, ..key }),
        None => key.created_at_us.checked_add(1).map(start_of),
    }
}

enum Source<'a> {
    Rows(RowSet),
    /// Rows of which only the number is known: what is needed of them is looked up when it is.
    Counted {
        filter: &'a Filter,
        counted: Counted,
        rows: OnceCell<RowSet>,
        /// The rows of the window's end that a page takes.
        page: OnceCell<RowSet>,
    },
}

/// Selected rows of one part, counted by rank: rank 0 is the oldest.
pub(crate) struct Run<'a> {
    pub(crate) part: &'a dyn Part,
    source: Source<'a>,
    /// The ranks that are still to be shown.
    pub(crate) window: Range<u32>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(part: &'a dyn Part, rows: RowSet) -> Self {
        let window = 0..rows.len();
        Self { part, source: Source::Rows(rows), window }
    }

    /// The rows that match, looked at only if their number cannot be told otherwise. `None` if there are none.
    pub(crate) fn matching(part: &'a dyn Part, filter: &'a Filter) -> Result<Option<Self>> {
        let run = match part.count(filter)? {
            Some(counted) => {
                let source = Source::Counted { filter, counted, rows: OnceCell::new(), page: OnceCell::new() };
                Self { part, source, window: 0..counted.rows }
            }
            None => Self::new(part, part.select(filter)?),
        };
        Ok(Some(run).filter(|run| !run.window.is_empty()))
    }

    /// The selected rows, those outside of the window included.
    pub(crate) fn rows(&self) -> Result<&RowSet> {
        match &self.source {
            Source::Rows(rows) => Ok(rows),
            Source::Counted { filter, rows, .. } => {
                if let Some(rows) = rows.get() {
                    return Ok(rows);
                }
                let found = self.part.select(filter)?;
                Ok(rows.get_or_init(|| found))
            }
        }
    }

    /// The first `limit` rows of the window in the given direction, and maybe more behind them. Asked for
    /// once, when the window is what it will be.
    pub(crate) fn first_rows(&self, direction: Direction, limit: usize) -> Result<RowIter<'_>> {
        let Source::Counted { filter, counted, rows, page } = &self.source else {
            return Ok(self.rows()?.iter_ranks(self.window.clone()));
        };
        if let Some(rows) = rows.get() {
            return Ok(rows.iter_ranks(self.window.clone()));
        }
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let ranks = match direction {
            Direction::OldestFirst => self.window.start..self.window.end.min(self.window.start.saturating_add(limit)),
            Direction::NewestFirst => self.window.start.max(self.window.end.saturating_sub(limit))..self.window.end,
        };
        let found = self.part.select_ranks(filter, Some(*counted), ranks)?;
        Ok(page.get_or_init(|| found).iter())
    }

    pub(crate) fn window_len(&self) -> u64 {
        u64::from(self.window.end.saturating_sub(self.window.start))
    }

    /// The rank of the first row of the window whose key is at least `key`; the window's end if there is none.
    pub(crate) fn rank_of(&self, key: OrderKey) -> Result<u32> {
        // The part's bounds answer for most parts, without touching its columns.
        let (first_us, last_us) = self.part.time_bounds_us();
        if key <= start_of(first_us) {
            return Ok(self.window.start);
        }
        if key.created_at_us > last_us {
            return Ok(self.window.end);
        }
        let rank = self.rows()?.rank(self.part.lower_bound(key)?);
        Ok(rank.clamp(self.window.start, self.window.end))
    }
}

/// Two answers of a part do not fit together: its index or a column of it is damaged.
pub(crate) fn contradiction(rank: u32) -> Error {
    annals_engine::Error::corrupt(format!("a part selects fewer than the {rank} rows it counted")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_keys_keep_the_order() {
        let key = |created_at_us, sequence| OrderKey { created_at_us, sequence };
        let keys = [key(i64::MIN, 0), key(-1, u64::MAX), key(0, 0), key(0, 1), key(1, 0), key(i64::MAX, u64::MAX)];
        assert!(keys.is_sorted_by(|a, b| a < b && pack(*a) < pack(*b)));
        assert_eq!(successor(key(1, 2)), Some(key(1, 3)));
        assert_eq!(successor(key(1, u64::MAX)), Some(key(2, 0)));
        assert_eq!(successor(key(i64::MAX, u64::MAX)), None);
    }
}
