//! A part: a run of rows in (`created_at`, sequence) order that answers filters on its own.
//!
//! Sealed segments and blocks of the live segment are parts; queries know nothing else.

use std::ops::Range;

use crate::error::Result;
use crate::event::StoredEvent;
use crate::field::Field;
use crate::filter::Filter;
use crate::id::EventId;
use crate::rows::RowSet;

/// The position of an event in `created_at` order: ties are broken by the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey {
    /// UTC microseconds.
    pub created_at_us: i64,
    /// The place in the append order.
    pub sequence: u64,
}

/// How many rows match, and what it was that told: a part that is asked for these rows next need not search again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// How many rows.
    pub rows: u32,
    /// The code of the term that decides, among the terms of its field; 0 if there is none.
    pub(crate) code: u32,
}

impl Counted {
    /// So many rows, told without a term.
    pub fn rows(rows: u32) -> Self {
        Self { rows, code: 0 }
    }
}

/// One run of rows, ascending by [`OrderKey`], as one snapshot sees it: row numbers and tombstones
/// do not change while the part is held.
pub trait Part: Send + Sync {
    /// Rows, deleted ones included. Rows are numbered from 0.
    fn row_count(&self) -> u32;

    /// The smallest and the largest `created_at`, both inclusive; deleted rows may widen it.
    fn time_bounds_us(&self) -> (i64, i64);

    /// The smallest and the largest sequence, both inclusive.
    fn sequence_bounds(&self) -> (u64, u64);

    /// The order key of a row below [`Part::row_count`]. O(1).
    ///
    /// # Errors
    /// `Corrupt` if the stored column is damaged or the row is out of range.
    fn key(&self, row: u32) -> Result<OrderKey>;

    /// The first row whose key is at least `key`; the row count if there is none. O(log rows).
    ///
    /// # Errors
    /// `Corrupt` if the stored column is damaged.
    fn lower_bound(&self, key: OrderKey) -> Result<u32>;

    /// The rows that match and are not deleted.
    ///
    /// # Errors
    /// `Corrupt` if an index and the column behind it are damaged.
    fn select(&self, filter: &Filter) -> Result<RowSet>;

    /// How many rows [`Part::select`] gives, if that is known without looking at them.
    ///
    /// # Errors
    /// As for [`Part::select`].
    fn count(&self, filter: &Filter) -> Result<Option<Counted>> {
        _ = filter;
        Ok(None)
    }

    /// The rows that [`Part::select`] gives, only those with `ranks.start` to `ranks.end` such rows below
    /// them: a page of a term that many rows hold need not look at all of them. `counted` is what [`Part::count`] told of
    /// the same filter, if it was asked.
    ///
    /// # Errors
    /// As for [`Part::select`].
    fn select_ranks(&self, filter: &Filter, counted: Option<Counted>, ranks: Range<u32>) -> Result<RowSet> {
        _ = counted;
        Ok(RowSet::from_sorted(self.select(filter)?.iter_ranks(ranks).collect()))
    }

    /// Calls `visit` with each value of `field` among `rows` and how many of the rows hold it, in
    /// byte order of the values. Rows without a value are in no call. `rows` must hold no deleted row.
    /// Costs O(values) if `rows` is everything that is not deleted, O(rows) otherwise.
    ///
    /// # Errors
    /// `Corrupt` if the stored column is damaged.
    fn count_by(&self, field: Field, rows: &RowSet, visit: &mut dyn FnMut(&str, u32)) -> Result<()>;

    /// The event of a row.
    ///
    /// # Errors
    /// `Corrupt` if its bytes are damaged or the row is out of range.
    fn event(&self, row: u32) -> Result<StoredEvent>;

    /// The events of several rows, in the order given: cheaper than one by one.
    ///
    /// # Errors
    /// As for [`Part::event`].
    fn events(&self, rows: &[u32]) -> Result<Vec<StoredEvent>> {
        rows.iter().map(|row| self.event(*row)).collect()
    }

    /// The rows with this id, deleted ones excluded, ascending.
    ///
    /// # Errors
    /// `Corrupt` if the id table is damaged.
    fn find_id(&self, id: EventId) -> Result<Vec<u32>>;

    /// The row with this sequence, unless it is deleted or elsewhere.
    ///
    /// # Errors
    /// `Corrupt` if the stored column is damaged.
    fn find_sequence(&self, sequence: u64) -> Result<Option<u32>>;
}
