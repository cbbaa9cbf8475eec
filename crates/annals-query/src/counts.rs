//! Sums of counts by value over parts, each of which tells its values in byte order.

/// New values of one part that are put in their places one by one; more are merged at once.
const INSERTED_MAX: usize = 64;

/// Values in byte order with their sums. Most values of a part are known from the parts before it and
/// cost a comparison: nothing is hashed and nothing allocated for them.
#[derive(Default)]
pub(crate) struct SortedCounts {
    sums: Vec<(String, u64)>,
    /// Where in `sums` the next value of the part is looked for.
    at: usize,
    /// Values of the part at hand that are new, in byte order.
    new: Vec<(String, u64)>,
}

impl SortedCounts {
    /// The next part begins.
    pub(crate) fn begin(&mut self) {
        self.merge_new();
        self.at = 0;
    }

    /// Adds the count of one value. The values of a part come in byte order.
    pub(crate) fn add(&mut self, value: &str, count: u64) {
        let behind = self.sums.get(self.at..).unwrap_or_default();
        // Mostly the next one; where a part skips many values, searching beats stepping.
        let skipped = match behind.first() {
            Some((next, _)) if next.as_str() < value => {
                1 + behind.get(1..).unwrap_or_default().partition_point(|(held, _)| held.as_str() < value)
            }
            _ => 0,
        };
        self.at += skipped;
        match self.sums.get_mut(self.at) {
            Some((held, sum)) if held == value => {
                *sum += count;
                self.at += 1;
            }
            _ => self.new.push((value.to_owned(), count)),
        }
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.sums.len() + self.new.len()
    }

    /// The sums, in byte order of their values.
    pub(crate) fn finish(mut self) -> Vec<(String, u64)> {
        self.merge_new();
        self.sums
    }

    fn merge_new(&mut self) {
        if self.sums.is_empty() {
            std::mem::swap(&mut self.sums, &mut self.new);
            return;
        }
        if self.new.len() <= INSERTED_MAX {
            for (value, count) in self.new.drain(..) {
                let at = self.sums.partition_point(|(held, _)| *held < value);
                self.sums.insert(at, (value, count));
            }
            return;
        }
        let mut merged = Vec::with_capacity(self.len());
        let mut new = self.new.drain(..).peekable();
        for held in self.sums.drain(..) {
            while let Some(smaller) = new.next_if(|(value, _)| *value < held.0) {
                merged.push(smaller);
            }
            merged.push(held);
        }
        merged.extend(new);
        self.sums = merged;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn sums_are_those_of_a_map(parts in proptest::collection::vec(proptest::collection::btree_map("[a-c]{0,5}", 0_u64..9, 0..200), 0..6)) {
            let mut counts = SortedCounts::default();
            let mut model: BTreeMap<String, u64> = BTreeMap::new();
            for part in parts {
                counts.begin();
                for (value, count) in part {
                    counts.add(&value, count);
                    *model.entry(value).or_default() += count;
                }
                prop_assert_eq!(counts.len(), model.len());
            }
            prop_assert_eq!(counts.finish(), model.into_iter().collect::<Vec<_>>());
        }
    }
}
