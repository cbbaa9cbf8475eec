//! Given id -> live rows. Ids made by the store lead to their rows by themselves and are not here.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::codec::{len_u32, row_usize};
use crate::id::EventId;

/// A live row and its time, known before the row is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdRow {
    pub(crate) row: u32,
    pub(crate) created_at_us: i64,
}

/// The live rows of each given id. Every event on its way in is looked up here, so the table is kept small
/// enough to stay in a cache: what a look-up compares lies in `noted`, which grows in one direction.
#[derive(Debug)]
pub(crate) struct LiveIds {
    hasher: RandomState,
    table: HashTable<Slot>,
    noted: Vec<Noted>,
    /// The smallest and the largest time noted.
    bounds_us: (i64, i64),
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Half of the hash: tells most others apart, and a table that grows does not read what is noted.
    hash: u32,
    /// Index of the newest row with the id.
    newest: u32,
}

#[derive(Clone, Copy, Debug)]
struct Noted {
    id: EventId,
    row: IdRow,
    /// Index of the row before with the same id; rare.
    earlier: Option<u32>,
}

impl Default for LiveIds {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            table: HashTable::new(),
            noted: Vec::new(),
            bounds_us: (i64::MAX, i64::MIN),
        }
    }
}

/// The half of a hash that a slot keeps, and the hash it is found by.
fn halves(hash: u64) -> (u32, u64) {
    let [a, b, c, d, ..] = hash.to_le_bytes();
    let half = u32::from_le_bytes([a, b, c, d]);
    (half, spread(half))
}

/// The table takes its control bytes from the upper bits of a hash.
fn spread(half: u32) -> u64 {
    u64::from(half) << 32 | u64::from(half)
}

impl LiveIds {
    /// A table with room for so many ids before it grows.
    pub(crate) fn with_capacity(ids: usize) -> Self {
        Self { table: HashTable::with_capacity(ids), noted: Vec::with_capacity(ids), ..Self::default() }
    }

    /// How many rows are noted.
    pub(crate) fn len(&self) -> usize {
        self.noted.len()
    }

    /// Looks ids up and forgets the answers. The look-ups do not wait for each other, so that the memory they
    /// touch comes at once, and not one miss after the other when the ids are noted.
    pub(crate) fn warm(&self, ids: impl Iterator<Item = EventId>) {
        let known = ids.filter(|id| {
            let (half, hash) = halves(self.hasher.hash_one(id));
            self.table.find(hash, |slot| slot.hash == half).is_some()
        });
        std::hint::black_box(known.count());
    }

    /// Notes that a row has this id, unless an earlier row has it: then nothing changes and the answer is `false`.
    #[inline]
    pub(crate) fn insert_new(&mut self, id: EventId, row: IdRow) -> bool {
        let (half, hash) = halves(self.hasher.hash_one(id));
        let noted = &self.noted;
        let same = |slot: &Slot| slot.hash == half && noted.get(row_usize(slot.newest)).is_some_and(|one| one.id == id);
        match self.table.entry(hash, same, |slot| spread(slot.hash)) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(Slot { hash: half, newest: len_u32(noted.len()) });
                self.push(Noted { id, row, earlier: None });
                true
            }
        }
    }

    /// Notes that a row has this id. Rows come in ascending order.
    pub(crate) fn insert(&mut self, id: EventId, row: IdRow) {
        if self.insert_new(id, row) {
            return;
        }
        let newest = len_u32(self.noted.len());
        let Some(slot) = self.slot(id) else { return };
        let earlier = std::mem::replace(&mut slot.newest, newest);
        self.push(Noted { id, row, earlier: Some(earlier) });
    }

    fn push(&mut self, noted: Noted) {
        let time = noted.row.created_at_us;
        self.bounds_us = (self.bounds_us.0.min(time), self.bounds_us.1.max(time));
        self.noted.push(noted);
    }

    /// Takes back the newest row of an id: its batch will not be written.
    pub(crate) fn take_back(&mut self, id: EventId, row: u32) {
        let Some(newest) = self.slot(id).map(|slot| slot.newest) else { return };
        let Some(noted) = self.noted.get(row_usize(newest)).copied().filter(|noted| noted.row.row == row) else {
            return;
        };
        match (noted.earlier, self.slot(id)) {
            (Some(earlier), Some(slot)) => slot.newest = earlier,
            _ => self.forget(id),
        }
        // What is noted behind it was taken back before.
        if row_usize(newest) + 1 == self.noted.len() {
            self.noted.pop();
        }
    }

    fn slot(&mut self, id: EventId) -> Option<&mut Slot> {
        let (half, hash) = halves(self.hasher.hash_one(id));
        let noted = &self.noted;
        let same = |slot: &Slot| slot.hash == half && noted.get(row_usize(slot.newest)).is_some_and(|one| one.id == id);
        self.table.find_mut(hash, same)
    }

    fn forget(&mut self, id: EventId) {
        let (half, hash) = halves(self.hasher.hash_one(id));
        let noted = &self.noted;
        let same = |slot: &Slot| slot.hash == half && noted.get(row_usize(slot.newest)).is_some_and(|one| one.id == id);
        if let Ok(entry) = self.table.find_entry(hash, same) {
            entry.remove();
        }
    }

    /// The rows with this id, the newest first.
    pub(crate) fn rows(&self, id: EventId) -> impl Iterator<Item = IdRow> {
        let (half, hash) = halves(self.hasher.hash_one(id));
        let noted = |index: u32| self.noted.get(row_usize(index));
        let same = |slot: &Slot| slot.hash == half && noted(slot.newest).is_some_and(|one| one.id == id);
        let first = self.table.find(hash, same).and_then(|slot| noted(slot.newest));
        std::iter::successors(first, move |one| one.earlier.and_then(noted)).map(|one| one.row)
    }

    /// Whether a row with one of these times (both inclusive) may be noted.
    pub(crate) fn may_hold(&self, from_us: i64, to_us: i64) -> bool {
        from_us <= self.bounds_us.1 && to_us >= self.bounds_us.0
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
        assert!(!ids.insert_new(one, IdRow { row: 9, created_at_us: 8 }));
        assert!(ids.insert_new(two, IdRow { row: 9, created_at_us: 8 }));
        assert_eq!(rows_of(&ids, one), [2, 0]);
        assert!(ids.may_hold(8, 9) && ids.may_hold(0, 7) && !ids.may_hold(9, 9) && !ids.may_hold(0, 6));
    }

    fn rows_of(ids: &LiveIds, id: EventId) -> Vec<u32> {
        ids.rows(id).map(|row| row.row).collect()
    }

    #[test]
    fn many_ids_are_kept_apart() {
        let mut ids = LiveIds::default();
        for row in 0..20_000 {
            assert!(ids.insert_new(EventId::from_u128(u128::from(row) << 64), IdRow { row, created_at_us: 0 }));
        }
        assert!((0..20_000).all(|row| rows_of(&ids, EventId::from_u128(u128::from(row) << 64)) == [row]));
        for row in (10_000..20_000).rev() {
            ids.take_back(EventId::from_u128(u128::from(row) << 64), row);
        }
        assert_eq!(rows_of(&ids, EventId::from_u128(9_999 << 64)), [9_999]);
        assert!(rows_of(&ids, EventId::from_u128(10_000 << 64)).is_empty());
    }
}
