//! Ids for imported lines that have none: the same file gives the same ids.

use std::sync::{Mutex, PoisonError};

use annals_engine::EventId;
use hashbrown::HashMap;
use sha2::{Digest, Sha256};

/// Locks that threads share a file's counts over; more than threads that are likely.
const SHARDS: usize = 16;
const VERSION_MASK: u128 = 0xf << 76;
const VERSION_8: u128 = 8 << 76;
const VARIANT_MASK: u128 = 0b11 << 62;
const VARIANT: u128 = 0b10 << 62;
/// In the part of a UUIDv8 that marks an id as 24 hex digits.
const MARK_BIT: u128 = 1 << 127;

/// Gives each line of one file an id from its bytes and from how often it came before, so that
/// importing the file again gives the same ids and stores nothing twice.
///
/// Equal lines are told apart by their number only, so threads may ask in any order. Takes about 20
/// bytes of memory for each different line; two lines whose 64-bit hashes meet still get ids of
/// their own.
#[derive(Debug)]
pub struct ImportIds {
    counts: [Mutex<HashMap<u64, u32, foldhash::fast::FixedState>>; SHARDS],
}

impl ImportIds {
    /// For a file of which no line was read yet.
    pub fn new() -> Self {
        Self { counts: std::array::from_fn(|_| Mutex::default()) }
    }

    /// The id of the next occurrence of `line`.
    pub fn next_id(&self, line: &[u8]) -> EventId {
        let of_line = Sha256::digest(line);
        let short = of_line.iter().take(8).fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        let shard = usize::try_from(short >> 60).unwrap_or(0) % SHARDS;
        let occurrence = self.counts.get(shard).map_or(0, |counts| {
            let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(short).or_insert(0);
            let occurrence = *count;
            *count = count.saturating_add(1);
            occurrence
        });
        let digest = Sha256::new().chain_update(of_line).chain_update(occurrence.to_le_bytes()).finalize();
        let bits = digest.iter().take(16).fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
        let id = EventId::from_u128((bits & !(VERSION_MASK | VARIANT_MASK)) | VERSION_8 | VARIANT);
        if id.as_hex24().is_some() { EventId::from_u128(id.as_u128() ^ MARK_BIT) } else { id }
    }
}

impl Default for ImportIds {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_gives_the_same_ids() {
        let lines: [&[u8]; 4] = [b"a", b"b", b"a", b"a"];
        let run = || {
            let ids = ImportIds::new();
            lines.map(|line| ids.next_id(line))
        };
        let first = run();
        assert_eq!(first, run());
        let mut different = first.to_vec();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), 4);
        assert_eq!(first[0].to_string(), "5aa0f327-2724-8618-8a48-3b1bc2035bdb", "ids of files imported earlier stay");
    }

    #[test]
    fn ids_are_uuids_of_version_8_and_no_hex_digits() {
        let ids = ImportIds::new();
        for number in 0..2000_u32 {
            let id = ids.next_id(&number.to_le_bytes());
            assert_eq!((id.to_string().as_bytes()[14], id.as_hex24(), id.made_parts()), (b'8', None, None));
        }
    }
}
