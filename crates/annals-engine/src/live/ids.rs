//! Given id -> live rows. Ids made by the store lead to their rows by themselves and are not here.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::id::EventId;

/// A live row and its time, known before the row is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdRow {
    pub(crate) row: u32,
    pub(crate) created_at_us: i64,
}

/// The live rows of each given id.
#[derive(Debug, Default)]
pub(crate) struct LiveIds {
    newest: HashMap<EventId, IdRow, RandomState>,
    /// Row -> the row before it with the same id; rare.
    earlier: HashMap<u32, IdRow, RandomState>,
}

impl LiveIds {
    /// Notes that a row has this id. Rows come in ascending order.
    pub(crate) fn insert(&mut self, id: EventId, row: IdRow) {
        if let Some(before) = self.newest.insert(id, row)
            && before.row != row.row
        {
            self.earlier.insert(row.row, before);
        }
    }

    /// Takes back the newest row of an id: its batch will not be written.
    pub(crate) fn take_back(&mut self, id: EventId, row: u32) {
        match self.earlier.remove(&row) {
            Some(before) => _ = self.newest.insert(id, before),
            None => _ = self.newest.remove(&id),
        }
    }

    /// The rows with this id, the newest first.
    pub(crate) fn rows(&self, id: EventId) -> impl Iterator<Item = IdRow> {
        let first = self.newest.get(&id).copied();
        std::iter::successors(first, |row| self.earlier.get(&row.row).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_an_id_come_newest_first() {
        let mut ids = LiveIds::default();
        let (one, two) = (EventId::from_u128(1), EventId::from_u128(2));
        for (id, row) in [(one, 0), (two, 1), (one, 2), (one, 5)] {
            ids.insert(id, IdRow { row, created_at_us: 7 });
        }
        let rows = |id| ids.rows(id).map(|row| row.row).collect::<Vec<_>>();
        assert_eq!((rows(one), rows(two)), (vec![5, 2, 0], vec![1]));
        assert_eq!(ids.rows(EventId::from_u128(3)).count(), 0);
        ids.take_back(one, 5);
        ids.take_back(two, 1);
        assert_eq!(ids.rows(one).map(|row| row.row).collect::<Vec<_>>(), [2, 0]);
        assert_eq!(ids.rows(two).count(), 0);
    }
}
