//! Answers to idempotency keys, kept for 24 hours: in the frames of the log, and behind a seal in a
//! small file that the manifest names. `docs/format.md`, "Idempotency keys".

use std::collections::BTreeMap;

use crate::codec::{Reader, len_u64};
use crate::error::{Error, Result};

/// How long a key is remembered.
pub(crate) const KEEP_US: i64 = 24 * 3600 * 1_000_000;
/// The most keys remembered; beyond, the oldest are forgotten first. 48 bytes each.
const ENTRIES_MAX: usize = 250_000;
const ENTRY_SIZE: usize = 16 + 8 + 8 + 4 + 4 + 8;

/// The answer to one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) body: u64,
    pub(crate) first_sequence: u64,
    pub(crate) stored: u32,
    pub(crate) duplicates: u32,
    pub(crate) at_us: i64,
}

/// The answers by key. Ordered, so that the file's bytes depend on nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IdempotencyTable {
    answers: BTreeMap<u128, Answer>,
}

impl IdempotencyTable {
    /// The answer given before, unless it is too old at `now_us`.
    pub(crate) fn find(&self, key: u128, now_us: i64) -> Option<Answer> {
        self.answers.get(&key).copied().filter(|answer| answer.at_us.saturating_add(KEEP_US) > now_us)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    pub(crate) fn insert(&mut self, key: u128, answer: Answer) {
        self.answers.insert(key, answer);
    }

    /// Forgets what is too old at `now_us`, and the oldest beyond the limit.
    pub(crate) fn expire(&mut self, now_us: i64) {
        self.answers.retain(|_, answer| answer.at_us.saturating_add(KEEP_US) > now_us);
        if let Some(excess) = self.answers.len().checked_sub(ENTRIES_MAX) {
            let mut oldest: Vec<(i64, u128)> = self.answers.iter().map(|(key, answer)| (answer.at_us, *key)).collect();
            oldest.sort_unstable();
            for (_, key) in oldest.into_iter().take(excess) {
                self.answers.remove(&key);
            }
        }
    }

    /// The answers about events up to `durable_sequence`.
    pub(crate) fn encode(&self, durable_sequence: u64) -> Vec<u8> {
        let is_durable = |answer: &Answer| {
            answer.first_sequence.saturating_add(u64::from(answer.stored)) <= durable_sequence.saturating_add(1)
        };
        let durable: Vec<_> = self.answers.iter().filter(|(_, answer)| is_durable(answer)).collect();
        let mut out = Vec::with_capacity(8 + durable.len() * ENTRY_SIZE);
        out.extend_from_slice(&len_u64(durable.len()).to_le_bytes());
        for (key, answer) in durable {
            out.extend_from_slice(&key.to_le_bytes());
            out.extend_from_slice(&answer.body.to_le_bytes());
            out.extend_from_slice(&answer.first_sequence.to_le_bytes());
            out.extend_from_slice(&answer.stored.to_le_bytes());
            out.extend_from_slice(&answer.duplicates.to_le_bytes());
            out.extend_from_slice(&answer.at_us.to_le_bytes());
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let count = reader.u64()?;
        if count.checked_mul(len_u64(ENTRY_SIZE)) != Some(len_u64(reader.remaining())) {
            return Err(Error::corrupt(format!("{count} idempotency keys do not fill {} bytes", bytes.len())));
        }
        let mut table = Self::default();
        while !reader.is_empty() {
            let key = reader.u128()?;
            let answer = Answer {
                body: reader.u64()?,
                first_sequence: reader.u64()?,
                stored: reader.u32()?,
                duplicates: reader.u32()?,
                at_us: reader.i64()?,
            };
            table.insert(key, answer);
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(at_us: i64) -> Answer {
        Answer { body: 1, first_sequence: 2, stored: 3, duplicates: 4, at_us }
    }

    #[test]
    fn keys_come_back_and_expire() {
        let mut table = IdempotencyTable::default();
        table.insert(7, answer(0));
        table.insert(8, answer(5));
        let mut again = IdempotencyTable::decode(&table.encode(4)).unwrap();
        assert_eq!(again, table);
        assert!(again.find(7, KEEP_US).is_none());
        assert_eq!(again.find(8, KEEP_US), Some(answer(5)));
        again.expire(KEEP_US);
        assert_eq!(again.answers.len(), 1);
    }

    #[test]
    fn cut_bytes_are_corrupt() {
        let mut table = IdempotencyTable::default();
        table.insert(7, answer(0));
        assert_eq!(IdempotencyTable::decode(&table.encode(3)).unwrap(), IdempotencyTable::default());
        let bytes = table.encode(4);
        for cut in 0..bytes.len() {
            assert!(IdempotencyTable::decode(&bytes[..cut]).is_err());
        }
    }
}
