//! Sequences that a repair gave up: no log goes on over them, and none is given again. `docs/format.md`,
//! "Lost sequences".

use std::ops::Range;

use crate::blob::read_blob;
use crate::codec::{Reader, len_u64};
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::storage::Storage;

/// The name under which they are kept. Names of callers never start with a dot.
pub(crate) const LOST_BLOB: &str = ".lost";
const ENTRY_SIZE: usize = 8 + 8;

/// Ranges between the logs of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LostSequences {
    /// Ascending, none of them empty, none touching the next.
    ranges: Vec<Range<u64>>,
}

impl LostSequences {
    /// What the manifest's file says; nothing without one.
    ///
    /// # Errors
    /// `Corrupt` naming the file; `NotFound`, `Io`.
    pub(crate) fn read(storage: &dyn Storage, directory: &std::path::Path, manifest: &Manifest) -> Result<Self> {
        match manifest.blobs.iter().find(|blob| blob.name == LOST_BLOB) {
            Some(blob) => Self::decode(&read_blob(storage, directory, manifest.store, blob)?),
            None => Ok(Self::default()),
        }
    }

    /// Notes a range; what it touches becomes one with it.
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let mut whole = range;
        self.ranges.retain(|held| {
            let apart = held.end < whole.start || held.start > whole.end;
            if !apart {
                whole = held.start.min(whole.start)..held.end.max(whole.end);
            }
            apart
        });
        self.ranges.push(whole);
        self.ranges.sort_by_key(|held| held.start);
    }

    /// Where the sequences of a log ended that starts at `base`, and behind which another one starts at `next`.
    pub(crate) fn end_between(&self, base: u64, next: u64) -> u64 {
        // What is lost on both sides of a log's start is one range, which may start in an earlier log.
        let end = self.ranges.iter().find(|held| held.start < next && next <= held.end).map_or(next, |held| held.start);
        end.max(base)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = len_u64(self.ranges.len()).to_le_bytes().to_vec();
        for range in &self.ranges {
            out.extend_from_slice(&range.start.to_le_bytes());
            out.extend_from_slice(&range.end.to_le_bytes());
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let count = reader.u64()?;
        if count.checked_mul(len_u64(ENTRY_SIZE)) != Some(len_u64(reader.remaining())) {
            return Err(Error::corrupt(format!("{count} lost ranges do not fill {} bytes", bytes.len())));
        }
        let mut ranges: Vec<Range<u64>> = Vec::new();
        while !reader.is_empty() {
            let range = reader.u64()?..reader.u64()?;
            if range.is_empty() || ranges.last().is_some_and(|last| last.end >= range.start) {
                return Err(Error::corrupt("lost ranges do not ascend"));
            }
            ranges.push(range);
        }
        Ok(Self { ranges })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_unite_and_come_back() {
        let mut lost = LostSequences::default();
        for range in [10..20, 40..50, 5..5, 20..25, 41..60] {
            lost.insert(range);
        }
        assert_eq!(lost.ranges, [10..25, 40..60]);
        let ends = |base, nexts: [u64; 5]| nexts.map(|next| lost.end_between(base, next));
        assert_eq!(ends(1, [25, 60, 40, 12, 26]), [10, 40, 40, 10, 26]);
        // Nothing is left of a log that starts within what is lost, and it ends no earlier than it starts.
        assert_eq!(ends(20, [25, 60, 40, 20, 26]), [20, 40, 40, 20, 26]);
        let bytes = lost.encode();
        assert_eq!(LostSequences::decode(&bytes).unwrap(), lost);
        assert!((0..bytes.len()).all(|cut| LostSequences::decode(&bytes[..cut]).is_err()));
    }

    #[test]
    fn ranges_out_of_order_are_corrupt() {
        let mut bytes = 2_u64.to_le_bytes().to_vec();
        for number in [10_u64, 20, 15, 30] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        assert!(LostSequences::decode(&bytes).is_err());
    }
}
