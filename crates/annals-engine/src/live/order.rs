//! Arrival order <-> (`created_at`, sequence) order within one block.

use crate::codec::{len_u32, row_usize};

/// The two orders of a block's rows. Sequences ascend with arrival, so arrival breaks ties.
#[derive(Debug)]
pub(crate) enum RowOrder {
    /// Events arrived in time order: both are the same.
    Same,
    /// They did not.
    Permuted {
        /// Row -> arrival position.
        arrival: Vec<u32>,
        /// Arrival position -> row.
        row: Vec<u32>,
    },
}

impl RowOrder {
    /// The order of rows that arrived with these times.
    pub(crate) fn of(created_at_us: &[i64]) -> Self {
        if created_at_us.is_sorted() {
            return Self::Same;
        }
        let mut keyed: Vec<(i64, u32)> = created_at_us.iter().copied().zip(0..).collect();
        keyed.sort_unstable();
        let arrival: Vec<u32> = keyed.into_iter().map(|(_, position)| position).collect();
        let mut row = vec![0; arrival.len()];
        for (index, position) in arrival.iter().enumerate() {
            if let Some(slot) = row.get_mut(row_usize(*position)) {
                *slot = len_u32(index);
            }
        }
        Self::Permuted { arrival, row }
    }

    /// The arrival position of a row.
    pub(crate) fn arrival_of(&self, row: u32) -> u32 {
        match self {
            Self::Same => row,
            Self::Permuted { arrival, .. } => arrival.get(row_usize(row)).copied().unwrap_or(row),
        }
    }

    /// The row of an arrival position.
    pub(crate) fn row_of(&self, position: u32) -> u32 {
        match self {
            Self::Same => position,
            Self::Permuted { row, .. } => row.get(row_usize(position)).copied().unwrap_or(position),
        }
    }

    /// Whether both orders are the same.
    pub(crate) fn is_same(&self) -> bool {
        matches!(self, Self::Same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_keep_their_arrival_order() {
        let order = RowOrder::of(&[5, 3, 5, 1, 3]);
        let arrivals: Vec<u32> = (0..5).map(|row| order.arrival_of(row)).collect();
        assert_eq!(arrivals, [3, 1, 4, 0, 2]);
        assert!((0..5).all(|row| order.row_of(order.arrival_of(row)) == row));
        assert!(RowOrder::of(&[1, 1, 2]).is_same());
    }
}
