//! Arrival order <-> (`created_at`, sequence) order within one block.

use std::sync::Arc;

use super::block::BLOCK_ROWS;
use super::rows::BlockRows;
use crate::codec::row_usize;
use crate::threading::Mutex;

/// The two orders of a block's rows. Sequences ascend with arrival, so arrival breaks ties.
#[derive(Clone, Debug, Default)]
pub(crate) enum RowOrder {
    /// Events arrived in time order: both are the same.
    #[default]
    Same,
    /// They did not.
    Permuted {
        /// Row -> arrival position.
        arrival: Vec<u16>,
        /// Arrival position -> row.
        row: Vec<u16>,
    },
}

impl RowOrder {
    /// The order of more rows than the `len` that this is the order of. Costs what has to move: a copy, a
    /// sort of the rows that came, and a merge from where the earliest of them belongs.
    pub(crate) fn grown(&self, len: usize, created_at_us: &[i64]) -> Self {
        if matches!(self, Self::Same) && created_at_us.get(len.saturating_sub(1)..).is_none_or(<[i64]>::is_sorted) {
            return Self::Same;
        }
        let time_of = |position: u16| created_at_us.get(usize::from(position)).copied().unwrap_or_default();
        let mut came: Vec<(i64, u16)> = created_at_us.iter().copied().zip(0..).skip(len).collect();
        came.sort_unstable();
        let Some((earliest, _)) = came.first() else { return self.clone() };
        let (mut arrival, mut row) = match self {
            Self::Same => ((0..to_u16(len)).collect(), (0..to_u16(len)).collect()),
            Self::Permuted { arrival, row } => (arrival.clone(), row.clone()),
        };
        // Rows of the same time stay before: they arrived before.
        let stays = arrival.partition_point(|position| time_of(*position) <= *earliest);
        let moved = arrival.split_off(stays);
        let mut moved = moved.into_iter().peekable();
        for (time, position) in came {
            while let Some(before) = moved.next_if(|before| time_of(*before) <= time) {
                arrival.push(before);
            }
            arrival.push(position);
        }
        arrival.extend(moved);
        row.resize(arrival.len(), 0);
        for (index, position) in (to_u16(stays)..).zip(arrival.iter().skip(stays)) {
            if let Some(slot) = row.get_mut(usize::from(*position)) {
                *slot = index;
            }
        }
        Self::Permuted { arrival, row }
    }

    /// The order of the first `len` of the rows that this is the order of.
    pub(crate) fn of_first(&self, len: u32) -> Self {
        let Self::Permuted { arrival, row } = self else { return Self::Same };
        let arrival: Vec<u16> = arrival.iter().copied().filter(|position| u32::from(*position) < len).collect();
        let mut row = row.clone();
        row.truncate(arrival.len());
        for (index, position) in (0..).zip(&arrival) {
            if let Some(slot) = row.get_mut(usize::from(*position)) {
                *slot = index;
            }
        }
        Self::Permuted { arrival, row }
    }

    /// The arrival position of a row.
    pub(crate) fn arrival_of(&self, row: u32) -> u32 {
        match self {
            Self::Same => row,
            Self::Permuted { arrival, .. } => arrival.get(row_usize(row)).map_or(row, |position| u32::from(*position)),
        }
    }

    /// The row of an arrival position.
    pub(crate) fn row_of(&self, position: u32) -> u32 {
        match self {
            Self::Same => position,
            Self::Permuted { row, .. } => row.get(row_usize(position)).map_or(position, |row| u32::from(*row)),
        }
    }

    /// Whether both orders are the same.
    pub(crate) fn is_same(&self) -> bool {
        matches!(self, Self::Same)
    }
}

/// The last order that was asked for of a block that is being filled: the next query adds to it.
#[derive(Debug, Default)]
pub(crate) struct GrowingOrder(Mutex<(u32, Arc<RowOrder>)>);

impl GrowingOrder {
    /// The order of a block's first rows.
    pub(crate) fn of(&self, len: u32, rows: &BlockRows) -> Arc<RowOrder> {
        let mut last = self.0.lock();
        if len < last.0 {
            return Arc::new(last.1.of_first(len));
        }
        if len > last.0 {
            *last = (len, Arc::new(last.1.grown(row_usize(last.0), &rows.times(len))));
        }
        Arc::clone(&last.1)
    }
}

fn to_u16(position: usize) -> u16 {
    const _: () = assert!(BLOCK_ROWS <= 1 << 15);
    u16::try_from(position).expect("a block has fewer than 65,536 rows")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arrivals(order: &RowOrder, len: u32) -> Vec<u32> {
        (0..len).map(|row| order.arrival_of(row)).collect()
    }

    proptest! {
        #[test]
        fn grown_orders_are_those_of_all_rows(
            times in proptest::collection::vec(0_i64..40, 1..200),
            cuts in proptest::collection::vec(0_usize..200, 0..8),
        ) {
            let (growing, rows) = (GrowingOrder::default(), BlockRows::new());
            for (position, time) in (0..).zip(&times) {
                rows.put(position, *time, 0);
            }
            for cut in cuts {
                // Longer, shorter or the same as the last one: what a query of any snapshot asks.
                let times = times.get(..cut).unwrap_or(&times);
                let len = u32::try_from(times.len()).unwrap();
                let order = growing.of(len, &rows);
                let mut expected: Vec<u32> = (0..).take(times.len()).collect();
                expected.sort_by_key(|position| times[row_usize(*position)]);
                prop_assert_eq!(arrivals(&order, len), expected);
                prop_assert!((0..len).all(|row| order.row_of(order.arrival_of(row)) == row));
            }
        }
    }

    #[test]
    fn ties_keep_their_arrival_order() {
        let order = RowOrder::Same.grown(0, &[5, 3, 5, 1, 3]);
        let arrivals: Vec<u32> = (0..5).map(|row| order.arrival_of(row)).collect();
        assert_eq!(arrivals, [3, 1, 4, 0, 2]);
        assert!((0..5).all(|row| order.row_of(order.arrival_of(row)) == row));
        assert!(RowOrder::Same.grown(0, &[1, 1, 2]).is_same());
    }
}
