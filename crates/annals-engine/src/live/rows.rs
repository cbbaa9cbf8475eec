//! Where each row of a block lies and when it was: read without a lock while rows are added.

use super::block::BLOCK_ROWS;
use crate::codec::row_usize;
use crate::threading::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

/// Times and places of a block's rows, in arrival order. One thread adds rows.
///
/// A query asks for rows below the published watermark only, which the writer moved behind them: what it reads of
/// those was written before, and never changes. The bounds may be ahead of it, so they are wider at most.
#[derive(Debug)]
pub(crate) struct BlockRows {
    /// Rows that are complete.
    len: AtomicU32,
    created_at_us: Box<[AtomicI64]>,
    /// Where each record starts in the log file, in bytes.
    offsets: Box<[AtomicU32]>,
    min_created_at_us: AtomicI64,
    max_created_at_us: AtomicI64,
    /// Whether times never decrease along the block.
    in_order: AtomicBool,
}

impl BlockRows {
    pub(crate) fn new() -> Self {
        Self {
            len: AtomicU32::new(0),
            created_at_us: (0..BLOCK_ROWS).map(|_| AtomicI64::new(0)).collect(),
            offsets: (0..BLOCK_ROWS).map(|_| AtomicU32::new(0)).collect(),
            min_created_at_us: AtomicI64::new(i64::MAX),
            max_created_at_us: AtomicI64::new(i64::MIN),
            in_order: AtomicBool::new(true),
        }
    }

    /// Rows that are complete: those told of by [`BlockRows::set_len`].
    pub(crate) fn len(&self) -> u32 {
        self.len.load(Ordering::Acquire)
    }

    /// Says that the first `len` rows are complete, with all their codes.
    pub(crate) fn set_len(&self, len: u32) {
        self.len.store(len, Ordering::Release);
    }

    /// Sets the time and the place of the next row, which is at this position.
    #[inline]
    pub(crate) fn put(&self, position: u32, created_at_us: i64, offset: u32) {
        let max_created_at_us = self.max_created_at_us.load(Ordering::Relaxed);
        if created_at_us < max_created_at_us {
            self.in_order.store(false, Ordering::Relaxed);
        } else {
            self.max_created_at_us.store(created_at_us, Ordering::Relaxed);
        }
        if created_at_us < self.min_created_at_us.load(Ordering::Relaxed) {
            self.min_created_at_us.store(created_at_us, Ordering::Relaxed);
        }
        if let (Some(time), Some(place)) =
            (self.created_at_us.get(row_usize(position)), self.offsets.get(row_usize(position)))
        {
            time.store(created_at_us, Ordering::Relaxed);
            place.store(offset, Ordering::Relaxed);
        }
    }

    /// The time of the row at a position.
    #[inline]
    pub(crate) fn created_at_us(&self, position: u32) -> Option<i64> {
        self.created_at_us.get(row_usize(position)).map(|time| time.load(Ordering::Relaxed))
    }

    /// The times of the first `len` rows.
    pub(crate) fn times(&self, len: u32) -> Vec<i64> {
        self.created_at_us.iter().take(row_usize(len)).map(|time| time.load(Ordering::Relaxed)).collect()
    }

    /// Where the record of the row at a position starts in the log file, in bytes.
    #[inline]
    pub(crate) fn offset(&self, position: u32) -> Option<u32> {
        self.offsets.get(row_usize(position)).map(|offset| offset.load(Ordering::Relaxed))
    }

    /// The earliest and the latest time.
    pub(crate) fn time_bounds_us(&self) -> (i64, i64) {
        (self.min_created_at_us.load(Ordering::Relaxed), self.max_created_at_us.load(Ordering::Relaxed))
    }

    /// Whether times never decrease along the block.
    pub(crate) fn is_in_order(&self) -> bool {
        self.in_order.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_order_follow_the_rows() {
        let rows = BlockRows::new();
        for (position, time) in (0..).zip([5, 7, 7, 9]) {
            rows.put(position, time, 10 * position);
        }
        assert_eq!((rows.len(), rows.is_in_order(), rows.time_bounds_us()), (0, true, (5, 9)));
        rows.put(4, 6, 40);
        rows.set_len(5);
        assert_eq!((rows.len(), rows.is_in_order(), rows.time_bounds_us()), (5, false, (5, 9)));
        assert_eq!((rows.times(5), rows.offset(4), rows.created_at_us(4)), (vec![5, 7, 7, 9, 6], Some(40), Some(6)));
        assert_eq!((rows.offset(BLOCK_ROWS), rows.created_at_us(BLOCK_ROWS)), (None, None));
    }
}
