//! Who has read which rows of one segment.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::requests::ReadReceipt;

/// Bytes of a stored receipt apart from its user.
const ENTRY_SIZE: usize = 4 + 16 + 8 + 2;

/// One user has read one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadEntry {
    pub(crate) row: u32,
    pub(crate) user_id: Arc<str>,
    pub(crate) receipt: ReadReceipt,
}

impl ReadEntry {
    fn key(&self) -> (u32, &str) {
        (self.row, &self.user_id)
    }

    /// Bytes it takes in the overlay file, about.
    pub(crate) fn size_bytes(&self) -> usize {
        ENTRY_SIZE + self.user_id.len()
    }
}

/// The receipts of one segment's rows.
///
/// Sorted runs, each at most half as long as the one before it: one more receipt costs O(log receipts)
/// copies of entries on average instead of one of all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Receipts {
    runs: Vec<Arc<Vec<ReadEntry>>>,
    size_bytes: usize,
}

impl Receipts {
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.runs.iter().map(|run| run.len()).sum()
    }

    /// Bytes they take in the overlay file, about.
    pub(crate) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    pub(crate) fn get(&self, row: u32, user_id: &str) -> Option<ReadReceipt> {
        self.runs.iter().find_map(|run| {
            let at = run.binary_search_by(|entry| entry.key().cmp(&(row, user_id))).ok()?;
            run.get(at).map(|entry| entry.receipt)
        })
    }

    /// Adds those that are new: of a row and a user the first receipt stays.
    pub(crate) fn insert(&mut self, entries: impl IntoIterator<Item = ReadEntry>) {
        let mut run: Vec<ReadEntry> =
            entries.into_iter().filter(|entry| self.get(entry.row, &entry.user_id).is_none()).collect();
        run.sort_by(|a, b| a.key().cmp(&b.key()));
        run.dedup_by(|later, first| later.key() == first.key());
        self.size_bytes += run.iter().map(ReadEntry::size_bytes).sum::<usize>();
        while let Some(last) = self.runs.pop_if(|last| last.len() / 2 < run.len()) {
            run.extend(last.iter().cloned());
            run.sort_by(|a, b| a.key().cmp(&b.key()));
        }
        if !run.is_empty() {
            self.runs.push(Arc::new(run));
        }
    }

    /// All of them, ascending by row and user.
    pub(crate) fn sorted(&self) -> Vec<&ReadEntry> {
        let mut entries: Vec<&ReadEntry> = self.runs.iter().flat_map(|run| run.iter()).collect();
        entries.sort_by(|a, b| a.key().cmp(&b.key()));
        entries
    }

    /// Forgets rows.
    pub(crate) fn remove(&mut self, rows: &RoaringBitmap) {
        if self.runs.iter().flat_map(|run| run.iter()).any(|entry| rows.contains(entry.row)) {
            *self = self.moved(|row| (!rows.contains(row)).then_some(row));
        }
    }

    /// The same with other row numbers; rows that get none are forgotten.
    pub(crate) fn moved(&self, to: impl Fn(u32) -> Option<u32>) -> Self {
        let mut moved = Self::default();
        let entries = self.runs.iter().flat_map(|run| run.iter());
        moved.insert(entries.filter_map(|entry| Some(ReadEntry { row: to(entry.row)?, ..entry.clone() })));
        moved
    }
}

impl PartialEq for Receipts {
    fn eq(&self, other: &Self) -> bool {
        let same_runs =
            || self.runs.len() == other.runs.len() && self.runs.iter().zip(&other.runs).all(|(a, b)| Arc::ptr_eq(a, b));
        self.len() == other.len() && (same_runs() || self.sorted() == other.sorted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::EventId;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn entry(row: u32, user: u8, number: u32) -> ReadEntry {
        let receipt = ReadReceipt { receipt: EventId::from_u128(u128::from(number)), read_at_us: i64::from(number) };
        ReadEntry { row, user_id: user.to_string().into(), receipt }
    }

    proptest! {
        #[test]
        fn the_first_receipt_stays_and_goes_with_its_row(
            batches in proptest::collection::vec(proptest::collection::vec((0_u32..20, 0_u8..4), 0..6), 0..40),
            doomed in proptest::collection::btree_set(0_u32..20, 0..5),
        ) {
            let (mut receipts, mut model) = (Receipts::default(), BTreeMap::new());
            let mut number = 0;
            for batch in batches {
                let entries: Vec<ReadEntry> = batch.iter().map(|(row, user)| { number += 1; entry(*row, *user, number) }).collect();
                for entry in &entries {
                    model.entry((entry.row, entry.user_id.to_string())).or_insert(entry.receipt);
                }
                receipts.insert(entries);
            }
            let check = |receipts: &Receipts, model: &BTreeMap<(u32, String), ReadReceipt>| {
                let all: Vec<_> = receipts.sorted().iter().map(|e| ((e.row, e.user_id.to_string()), e.receipt)).collect();
                assert_eq!(all, model.clone().into_iter().collect::<Vec<_>>());
                assert_eq!(receipts.size_bytes(), receipts.sorted().iter().map(|e| e.size_bytes()).sum::<usize>());
                assert!(receipts.runs.windows(2).all(|pair| pair[1].len() <= pair[0].len() / 2));
                for row in 0..20 {
                    for user in 0..4_u8 {
                        let user = user.to_string();
                        assert_eq!(receipts.get(row, &user), model.get(&(row, user)).copied());
                    }
                }
            };
            check(&receipts, &model);
            let before = receipts.clone();
            receipts.remove(&doomed.iter().copied().collect());
            prop_assert_eq!(receipts == before, !model.keys().any(|(row, _)| doomed.contains(row)));
            model.retain(|(row, _), _| !doomed.contains(row));
            check(&receipts, &model);
        }
    }
}
