//! Sets of rows of one part, in the representation that is cheapest for each.

use std::ops::Range;

use roaring::RoaringBitmap;

use crate::codec::{len_u32, row_usize};

/// Rows of one part, ascending and without repeats.
///
/// ```
/// use annals_engine::RowSet;
/// let rows = RowSet::from_range(0..10).intersect(&RowSet::from_sorted(vec![3, 7, 12]));
/// assert_eq!(rows.iter().collect::<Vec<_>>(), [3, 7]);
/// assert_eq!((rows.len(), rows.nth(1), rows.rank(7)), (2, Some(7), 1));
/// ```
#[derive(Clone, Debug)]
pub enum RowSet {
    /// Consecutive rows.
    Range(Range<u32>),
    /// Few rows, ascending.
    List(Vec<u32>),
    /// Many rows.
    Bitmap(RoaringBitmap),
}

impl RowSet {
    /// No row.
    pub fn empty() -> Self {
        RowSet::Range(0..0)
    }

    /// Consecutive rows; an inverted range is empty.
    pub fn from_range(range: Range<u32>) -> Self {
        if range.is_empty() { Self::empty() } else { RowSet::Range(range) }
    }

    /// Rows that ascend strictly.
    pub fn from_sorted(rows: Vec<u32>) -> Self {
        debug_assert!(rows.is_sorted_by(|a, b| a < b), "rows ascend");
        RowSet::List(rows)
    }

    /// Rows of a bitmap.
    pub fn from_bitmap(bitmap: RoaringBitmap) -> Self {
        RowSet::Bitmap(bitmap)
    }

    /// How many rows.
    pub fn len(&self) -> u32 {
        match self {
            RowSet::Range(range) => range.end.saturating_sub(range.start),
            RowSet::List(rows) => len_u32(rows.len()),
            RowSet::Bitmap(bitmap) => u32::try_from(bitmap.len()).unwrap_or(u32::MAX),
        }
    }

    /// Whether there is none. Cheaper than counting.
    pub fn is_empty(&self) -> bool {
        match self {
            RowSet::Range(range) => range.is_empty(),
            RowSet::List(rows) => rows.is_empty(),
            RowSet::Bitmap(bitmap) => bitmap.is_empty(),
        }
    }

    /// Whether `row` is in it.
    pub fn contains(&self, row: u32) -> bool {
        match self {
            RowSet::Range(range) => range.contains(&row),
            RowSet::List(rows) => rows.binary_search(&row).is_ok(),
            RowSet::Bitmap(bitmap) => bitmap.contains(row),
        }
    }

    /// How many rows lie below `row`.
    pub fn rank(&self, row: u32) -> u32 {
        match self {
            RowSet::Range(range) => row.clamp(range.start, range.end.max(range.start)) - range.start,
            RowSet::List(rows) => len_u32(rows.partition_point(|held| *held < row)),
            RowSet::Bitmap(bitmap) => match row.checked_sub(1) {
                None => 0,
                Some(last) => u32::try_from(bitmap.rank(last)).unwrap_or(u32::MAX),
            },
        }
    }

    /// The row with `index` rows below it.
    pub fn nth(&self, index: u32) -> Option<u32> {
        match self {
            RowSet::Range(range) => range.start.checked_add(index).filter(|row| *row < range.end),
            RowSet::List(rows) => rows.get(row_usize(index)).copied(),
            RowSet::Bitmap(bitmap) => bitmap.select(index),
        }
    }

    /// The rows, ascending; walk them from the back with `rev()`.
    #[expect(clippy::iter_without_into_iter, reason = "`rows.iter()` says more than `&rows` where it is walked")]
    pub fn iter(&self) -> RowIter<'_> {
        match self {
            RowSet::Range(range) => RowIter::Range(range.clone()),
            RowSet::List(rows) => RowIter::List(rows.iter()),
            RowSet::Bitmap(bitmap) => RowIter::Bitmap(Box::new(bitmap.iter())),
        }
    }

    /// The rows from the one with `ranks.start` rows below it up to the one with `ranks.end`, exclusive.
    /// Costs no more than finding the two ends.
    pub fn iter_ranks(&self, ranks: Range<u32>) -> RowIter<'_> {
        let nothing = RowIter::Range(0..0);
        let ranks = ranks.start..ranks.end.min(self.len());
        let Some(last) = ranks.end.checked_sub(1).filter(|last| *last >= ranks.start) else {
            return nothing;
        };
        match self {
            RowSet::Range(range) => RowIter::Range(range.start + ranks.start..range.start + ranks.end),
            RowSet::List(rows) => {
                let slice = rows.get(row_usize(ranks.start)..row_usize(ranks.end)).unwrap_or_default();
                RowIter::List(slice.iter())
            }
            RowSet::Bitmap(bitmap) => match (bitmap.select(ranks.start), bitmap.select(last)) {
                (Some(first), Some(last)) => RowIter::Bitmap(Box::new(bitmap.range(first..=last))),
                _ => nothing,
            },
        }
    }

    /// The rows that lie in `range` as well.
    #[must_use]
    pub fn in_range(&self, range: Range<u32>) -> RowSet {
        if range.is_empty() {
            return RowSet::empty();
        }
        match self {
            RowSet::Range(own) => RowSet::from_range(own.start.max(range.start)..own.end.min(range.end)),
            RowSet::List(rows) => {
                let from = rows.partition_point(|row| *row < range.start);
                let to = rows.partition_point(|row| *row < range.end);
                RowSet::List(rows.get(from..to).unwrap_or_default().to_vec())
            }
            RowSet::Bitmap(bitmap) => {
                let mut cut = bitmap.clone();
                cut.remove_range(..range.start);
                cut.remove_range(range.end..);
                RowSet::Bitmap(cut)
            }
        }
    }

    /// The rows in both.
    #[must_use]
    pub fn intersect(&self, other: &RowSet) -> RowSet {
        match (self, other) {
            (RowSet::Range(range), rows) | (rows, RowSet::Range(range)) => rows.in_range(range.clone()),
            (RowSet::Bitmap(a), RowSet::Bitmap(b)) => RowSet::Bitmap(a & b),
            (RowSet::List(few), rows) | (rows, RowSet::List(few)) => {
                RowSet::List(few.iter().copied().filter(|row| rows.contains(*row)).collect())
            }
        }
    }

    /// The rows in either.
    #[must_use]
    pub fn union(&self, other: &RowSet) -> RowSet {
        match (self, other) {
            (empty, rows) | (rows, empty) if empty.is_empty() => rows.clone(),
            (RowSet::Range(a), RowSet::Range(b)) if a.start <= b.end && b.start <= a.end => {
                RowSet::Range(a.start.min(b.start)..a.end.max(b.end))
            }
            (RowSet::Bitmap(a), RowSet::Bitmap(b)) => RowSet::Bitmap(a | b),
            (a, b) => {
                let mut bitmap = a.to_bitmap();
                match b {
                    RowSet::Range(range) => _ = bitmap.insert_range(range.clone()),
                    RowSet::List(rows) => bitmap.extend(rows.iter().copied()),
                    RowSet::Bitmap(other) => bitmap |= other,
                }
                RowSet::Bitmap(bitmap)
            }
        }
    }

    /// The rows of this set that are not in `other`.
    #[must_use]
    pub fn minus(&self, other: &RowSet) -> RowSet {
        if other.is_empty() || self.is_empty() {
            return self.clone();
        }
        match (self, other) {
            (RowSet::List(rows), other) => {
                RowSet::List(rows.iter().copied().filter(|row| !other.contains(*row)).collect())
            }
            (own, RowSet::Range(range)) => {
                let mut bitmap = own.to_bitmap();
                bitmap.remove_range(range.clone());
                RowSet::Bitmap(bitmap)
            }
            (own, RowSet::List(rows)) => {
                let mut bitmap = own.to_bitmap();
                for row in rows {
                    bitmap.remove(*row);
                }
                RowSet::Bitmap(bitmap)
            }
            (own, RowSet::Bitmap(other)) => RowSet::Bitmap(own.to_bitmap() - other),
        }
    }

    /// The rows below `row_count` that are not in this set.
    #[must_use]
    pub fn complement(&self, row_count: u32) -> RowSet {
        match self {
            RowSet::Range(range) if range.start == 0 => RowSet::from_range(range.end..row_count),
            rows => RowSet::from_range(0..row_count).minus(rows),
        }
    }

    /// The same rows as a bitmap.
    pub fn to_bitmap(&self) -> RoaringBitmap {
        match self {
            RowSet::Range(range) => {
                let mut bitmap = RoaringBitmap::new();
                bitmap.insert_range(range.clone());
                bitmap
            }
            RowSet::List(rows) => rows.iter().copied().collect(),
            RowSet::Bitmap(bitmap) => bitmap.clone(),
        }
    }
}

impl PartialEq for RowSet {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

/// The walk over a [`RowSet`].
#[derive(Clone)]
pub enum RowIter<'a> {
    /// Consecutive rows.
    Range(Range<u32>),
    /// Rows of a list.
    List(std::slice::Iter<'a, u32>),
    /// Rows of a bitmap.
    Bitmap(Box<roaring::bitmap::Iter<'a>>),
}

impl Iterator for RowIter<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        match self {
            RowIter::Range(range) => range.next(),
            RowIter::List(rows) => rows.next().copied(),
            RowIter::Bitmap(rows) => rows.next(),
        }
    }
}

impl DoubleEndedIterator for RowIter<'_> {
    fn next_back(&mut self) -> Option<u32> {
        match self {
            RowIter::Range(range) => range.next_back(),
            RowIter::List(rows) => rows.next_back().copied(),
            RowIter::Bitmap(rows) => rows.next_back(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn shapes() -> impl Strategy<Value = RowSet> {
        let rows = proptest::collection::btree_set(0_u32..200, 0..60);
        prop_oneof![
            (0_u32..200, 0_u32..200).prop_map(|(a, b)| RowSet::from_range(a.min(b)..b)),
            rows.clone().prop_map(|rows| RowSet::from_sorted(rows.into_iter().collect())),
            rows.prop_map(|rows| RowSet::from_bitmap(rows.into_iter().collect())),
        ]
    }

    fn model(rows: &RowSet) -> BTreeSet<u32> {
        rows.iter().collect()
    }

    proptest! {
        #[test]
        fn set_operations_agree_with_a_model(a in shapes(), b in shapes(), from in 0_u32..200, to in 0_u32..200) {
            let (ma, mb) = (model(&a), model(&b));
            prop_assert_eq!(model(&a.intersect(&b)), &ma & &mb);
            prop_assert_eq!(model(&a.union(&b)), &ma | &mb);
            prop_assert_eq!(model(&a.minus(&b)), &ma - &mb);
            let all: BTreeSet<u32> = (0..200).collect();
            prop_assert_eq!(model(&a.complement(200)), &all - &ma);
            prop_assert_eq!(model(&a.in_range(from..to)), ma.iter().copied().filter(|row| (from..to).contains(row)).collect());
            let held: Vec<u32> = ma.iter().copied().collect();
            let cut = held.get(row_usize(from)..held.len().min(row_usize(to))).unwrap_or_default();
            prop_assert_eq!(a.iter_ranks(from..to).collect::<Vec<_>>(), cut);
            prop_assert_eq!(a.iter_ranks(from..to).rev().count(), cut.len());
            prop_assert_eq!(a.rank(from), len_u32(ma.iter().filter(|row| **row < from).count()));
            prop_assert_eq!(a.nth(from), ma.iter().nth(row_usize(from)).copied());
            prop_assert_eq!(a.len(), len_u32(ma.len()));
            prop_assert_eq!(a.iter().rev().collect::<Vec<_>>(), ma.iter().rev().copied().collect::<Vec<_>>());
            prop_assert_eq!(a.contains(from), ma.contains(&from));
        }
    }
}
