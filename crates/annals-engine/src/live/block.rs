//! One block of live rows: a column of codes per keyword field, in arrival order.

use std::sync::Arc;

use roaring::RoaringBitmap;

use super::order::{GrowingOrder, RowOrder};
use super::rows::BlockRows;
use crate::codec::{len_u32, row_usize};
use crate::field::{FIELD_SLOTS, Field, FieldSet, Values};
use crate::rows::RowSet;
use crate::threading::OnceLock;
use crate::threading::RwLock;

/// Rows of a block: small enough that sorting one takes well under a millisecond and scanning one a
/// few microseconds, large enough that a full log has no more than about a hundred.
///
/// A model checker looks at every access: there they are as few as fill several blocks.
pub(crate) const BLOCK_ROWS: u32 = if cfg!(loom) {
    2
} else if cfg!(shuttle) {
    8
} else {
    16_384
};

/// A block of live rows. Rows below the published count never change.
#[derive(Debug)]
pub(crate) struct LiveBlock {
    /// The live row of the block's first row.
    pub(crate) first_row: u32,
    /// The fields whose columns hold hashes of values instead of codes: they have too many values to be
    /// interned on the way in. Decided when the block is begun.
    pub(crate) hashed: FieldSet,
    pub(crate) rows: BlockRows,
    /// Appended to by the writer, read by queries; held for microseconds by either.
    pub(crate) columns: RwLock<BlockColumns>,
    order: GrowingOrder,
    /// By number of a single-valued field, of a full block: how many rows hold each code, if the codes are
    /// small. Counted by the first query that asks.
    full_counts: Vec<OnceLock<Option<Box<[u32]>>>>,
}

/// Fields of larger codes have no table of counts: one is 4 KiB for a block and a field.
const COUNTED_CODES: usize = 1_024;

/// The codes of a block's rows, in arrival order.
#[derive(Debug)]
pub(crate) struct BlockColumns {
    /// By field number. Shorter than the block where the last rows have no value.
    single: Vec<Vec<u32>>,
    /// By field number.
    multiple: Vec<MultipleColumn>,
}

/// The codes of a multiple-valued field.
#[derive(Debug, Default)]
pub(crate) struct MultipleColumn {
    /// Where each row's codes end. Shorter than the block where the last rows have no value.
    ends: Vec<u32>,
    codes: Vec<u32>,
}

impl MultipleColumn {
    pub(crate) fn codes_of(&self, position: u32) -> &[u32] {
        let index = row_usize(position);
        let Some(end) = self.ends.get(index) else { return &[] };
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.codes.get(row_usize(start)..row_usize(*end)).unwrap_or_default()
    }

    fn push(&mut self, position: u32, code: u32) {
        let last_end = self.ends.last().copied().unwrap_or(0);
        self.ends.resize(row_usize(position), last_end);
        self.codes.push(code);
        self.ends.push(len_u32(self.codes.len()));
    }

    fn push_more(&mut self, code: u32) {
        self.codes.push(code);
        if let Some(end) = self.ends.last_mut() {
            *end = len_u32(self.codes.len());
        }
    }
}

impl LiveBlock {
    pub(crate) fn new(first_row: u32, hashed: FieldSet) -> Self {
        let columns = BlockColumns {
            single: (0..FIELD_SLOTS).map(|_| Vec::new()).collect(),
            multiple: (0..FIELD_SLOTS).map(|_| MultipleColumn::default()).collect(),
        };
        let full_counts = (0..FIELD_SLOTS).map(|_| OnceLock::new()).collect();
        let (rows, columns) = (BlockRows::new(), RwLock::new(columns));
        Self { first_row, hashed, rows, columns, order: GrowingOrder::default(), full_counts }
    }
}

impl LiveBlock {
    /// The order of the first rows.
    pub(crate) fn order(&self, row_count: u32) -> Arc<RowOrder> {
        self.order.of(row_count, &self.rows)
    }

    /// How many rows of a full block hold `code` of a single-valued field; `None` if that was not counted.
    pub(crate) fn full_count(&self, field: Field, code: u32) -> Option<u32> {
        if field.values() != Values::Single {
            return None;
        }
        let counts = self.full_counts.get(field.index())?.get_or_init(|| {
            let mut counts = vec![0_u32; COUNTED_CODES];
            for code in self.columns.read().codes(field) {
                *counts.get_mut(row_usize(*code))? += 1;
            }
            Some(counts.into_boxed_slice())
        });
        counts.as_ref()?.get(row_usize(code)).copied()
    }
}

impl BlockColumns {
    /// Adds a value to the row at a position, as its code or its hash. Rows come in order, and values of one
    /// field of a row together.
    #[inline]
    pub(crate) fn push_code(&mut self, position: u32, field: Field, code: u32) {
        match field.values() {
            Values::Single => {
                if let Some(column) = self.single.get_mut(field.index()) {
                    if column.capacity() == 0 {
                        column.reserve_exact(row_usize(BLOCK_ROWS));
                    }
                    if column.len() < row_usize(position) {
                        column.resize(row_usize(position), super::dictionary::ABSENT);
                    }
                    column.push(code);
                }
            }
            Values::Multiple => {
                if let Some(column) = self.multiple.get_mut(field.index()) {
                    if len_u32(column.ends.len()) == position + 1 {
                        column.push_more(code);
                    } else {
                        column.push(position, code);
                    }
                }
            }
        }
    }

    /// The codes of a single-valued field; rows behind its end have none.
    pub(crate) fn codes(&self, field: Field) -> &[u32] {
        self.single.get(field.index()).map(Vec::as_slice).unwrap_or_default()
    }

    /// The codes of one row, for either kind of field; [`super::dictionary::ABSENT`] is left out.
    pub(crate) fn codes_of(&self, field: Field, position: u32) -> &[u32] {
        match field.values() {
            Values::Single => {
                let index = row_usize(position);
                let codes = self.codes(field).get(index..=index).unwrap_or_default();
                if codes == [super::dictionary::ABSENT] { &[] } else { codes }
            }
            Values::Multiple => {
                self.multiple.get(field.index()).map(|column| column.codes_of(position)).unwrap_or_default()
            }
        }
    }

    /// The first `row_count` positions with a code that passes.
    pub(crate) fn scan(&self, field: Field, row_count: u32, pass: impl Fn(u32) -> bool) -> Positions {
        let mut positions = Positions::new(row_count);
        match field.values() {
            Values::Single => {
                let codes = self.codes(field);
                let codes = codes.get(..row_usize(row_count)).unwrap_or(codes);
                positions.fill(codes.iter().map(|code| pass(*code)));
            }
            Values::Multiple => {
                if let Some(column) = self.multiple.get(field.index()) {
                    let count = len_u32(column.ends.len()).min(row_count);
                    positions.fill((0..count).map(|position| column.codes_of(position).iter().any(|code| pass(*code))));
                }
            }
        }
        positions
    }
}

/// Arrival positions of a block, a bit each.
#[derive(Debug)]
pub(crate) struct Positions {
    words: Vec<u64>,
}

impl Positions {
    pub(crate) fn new(row_count: u32) -> Self {
        Self { words: Vec::with_capacity(row_usize(row_count.div_ceil(64))) }
    }

    /// Sets the bits for which `bits` is true, from the first position on. Called once.
    pub(crate) fn fill(&mut self, mut bits: impl ExactSizeIterator<Item = bool>) {
        while bits.len() > 0 {
            let mut word = 0_u64;
            for (shift, bit) in bits.by_ref().take(64).enumerate() {
                word |= u64::from(bit) << shift;
            }
            self.words.push(word);
        }
    }

    /// The positions as rows of the block.
    pub(crate) fn into_rows(self, order: &RowOrder) -> RowSet {
        let count: u32 = self.words.iter().map(|word| word.count_ones()).sum();
        if order.is_same() && count > BLOCK_ROWS / 64 {
            let bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
            return RowSet::from_bitmap(RoaringBitmap::from_lsb0_bytes(0, &bytes));
        }
        let mut rows = Vec::with_capacity(row_usize(count));
        for (index, word) in (0_u32..).zip(&self.words) {
            let mut left = *word;
            while left != 0 {
                rows.push(order.row_of(index * 64 + left.trailing_zeros()));
                left &= left - 1;
            }
        }
        if !order.is_same() {
            rows.sort_unstable();
        }
        RowSet::from_sorted(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_hold_gaps_and_lists() {
        let block = LiveBlock::new(0, FieldSet::default());
        let mut columns = block.columns.write();
        for (position, (time, codes)) in (0..).zip([(3, vec![1, 2]), (1, vec![]), (2, vec![2])]) {
            block.rows.put(position, time, 0);
            for code in &codes {
                columns.push_code(position, Field::RealmIds, *code);
            }
            if codes.is_empty() {
                columns.push_code(position, Field::EventType, 9);
            }
        }
        assert_eq!(columns.codes_of(Field::RealmIds, 0), [1, 2]);
        assert_eq!(columns.codes_of(Field::RealmIds, 1), [0_u32; 0]);
        assert_eq!(columns.codes_of(Field::RealmIds, 2), [2]);
        assert_eq!(columns.codes_of(Field::EventType, 0), [0_u32; 0]);
        assert_eq!(columns.codes_of(Field::EventType, 1), [9]);
        assert_eq!(columns.codes_of(Field::EventType, 2), [0_u32; 0]);
        let order = block.order(3);
        let rows = columns.scan(Field::RealmIds, 3, |code| code == 2).into_rows(&order);
        assert_eq!(rows.iter().collect::<Vec<_>>(), [1, 2]);
        assert!(!block.rows.is_in_order());
    }

    #[test]
    fn dense_positions_become_a_bitmap() {
        let mut positions = Positions::new(1000);
        positions.fill((0..1000).map(|position| position % 3 == 0));
        let rows = positions.into_rows(&RowOrder::Same);
        assert_eq!(rows.iter().collect::<Vec<_>>(), (0..1000).step_by(3).collect::<Vec<_>>());
    }
}
