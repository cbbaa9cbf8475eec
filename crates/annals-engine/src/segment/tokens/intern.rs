//! Tokens of a stream -> numbers in the order in which they are first seen.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use memchr::memchr;

use crate::codec::{len_u32, row_usize};

/// Bytes looked at in one step.
const WORD: usize = 8;
/// Bytes of a key: a short token and, in the last one, its length plus one.
const KEY: usize = 16;
const SPACES: u64 = 0x2020_2020_2020_2020;
const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The distinct tokens seen so far. Hashes are seeded per process: no text can be made to collide, and no number
/// depends on them.
pub(super) struct Interner {
    state: foldhash::fast::RandomState,
    /// Short tokens by hash: its upper half and, below it, the number plus one; 0 = free. At most three quarters full:
    /// small enough to stay in a near cache.
    short: Vec<u64>,
    short_len: usize,
    /// By number. Tokens of up to 15 bytes, most of all, are compared as one integer; 0 for a longer one.
    keys: Vec<u128>,
    long: HashTable<u32>,
    /// All tokens, each followed by a space.
    bytes: Vec<u8>,
    /// Where each token starts in `bytes`, and the end.
    starts: Vec<u32>,
    /// The text in work, padded.
    padded: Vec<u8>,
}

impl Interner {
    pub(super) fn new() -> Self {
        Self {
            state: foldhash::fast::RandomState::default(),
            short: vec![0; 1 << 10],
            short_len: 0,
            keys: Vec::new(),
            long: HashTable::new(),
            bytes: Vec::new(),
            starts: vec![0],
            padded: Vec::new(),
        }
    }

    /// Distinct tokens.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// All tokens, each followed by a space.
    pub(super) fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// A token and the space behind it.
    pub(super) fn token(&self, id: u32) -> &[u8] {
        token_at(&self.bytes, &self.starts, id)
    }

    /// Appends the numbers of the tokens of `text` to `ids`: the pieces between its spaces, one at least.
    pub(super) fn split(&mut self, text: &[u8], ids: &mut Vec<u32>) {
        let mut padded = std::mem::take(&mut self.padded);
        padded.clear();
        padded.extend_from_slice(text);
        // The space ends the last token; the rest makes every word readable whole.
        padded.extend_from_slice(&[b' '; KEY + 1]);
        let mut at = 0;
        while at <= text.len() {
            let rest = padded.get(at..).unwrap_or_default();
            let Some((&first, more)) = rest.split_first_chunk::<WORD>() else { break };
            let Some((&second, _)) = more.split_first_chunk::<WORD>() else { break };
            let (first, second) = (u64::from_le_bytes(first), u64::from_le_bytes(second));
            let (len, key) = if let Some(len) = first_space(first) {
                (len, key_of(first & low_bytes(len), 0, len))
            } else if let Some(len) = first_space(second) {
                (8 + len, key_of(first, second & low_bytes(len), 8 + len))
            } else {
                let len = memchr(b' ', rest).unwrap_or(rest.len());
                ids.push(self.long_id(rest.get(..len).unwrap_or_default()));
                at += len + 1;
                continue;
            };
            ids.push(self.short_id(key));
            at += row_usize(len) + 1;
        }
        self.padded = padded;
    }

    #[inline]
    fn short_id(&mut self, key: u128) -> u32 {
        let hash = self.state.hash_one(key);
        let mask = self.short.len() - 1;
        let mut at = place(hash) & mask;
        loop {
            let slot = self.short.get(at).copied().unwrap_or_default();
            let Some(id) = id_of(slot) else { return self.add_short(key, hash, at) };
            if slot >> 32 == hash >> 32 && self.keys.get(row_usize(id)) == Some(&key) {
                return id;
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn add_short(&mut self, key: u128, hash: u64, at: usize) -> u32 {
        let bytes = key.to_le_bytes();
        let len = usize::from(bytes[KEY - 1]).saturating_sub(1);
        let id = self.add(bytes.get(..len).unwrap_or_default(), key);
        if let Some(slot) = self.short.get_mut(at) {
            *slot = hash >> 32 << 32 | u64::from(id + 1);
        }
        self.short_len += 1;
        if self.short_len * 4 > self.short.len() * 3 {
            self.grow();
        }
        id
    }

    fn grow(&mut self) {
        let grown = vec![0; self.short.len() * 2];
        let mask = grown.len() - 1;
        for slot in std::mem::replace(&mut self.short, grown) {
            let Some(key) = id_of(slot).and_then(|id| self.keys.get(row_usize(id))) else { continue };
            let mut at = place(self.state.hash_one(*key)) & mask;
            while self.short.get(at).is_some_and(|held| *held != 0) {
                at = (at + 1) & mask;
            }
            if let Some(free) = self.short.get_mut(at) {
                *free = slot;
            }
        }
    }

    fn long_id(&mut self, token: &[u8]) -> u32 {
        let hash = self.state.hash_one(token);
        let (bytes, starts) = (&self.bytes, &self.starts);
        let held = |id: &u32| token_at(bytes, starts, *id).strip_suffix(b" ") == Some(token);
        if let Some(id) = self.long.find(hash, held) {
            return *id;
        }
        let id = self.add(token, 0);
        let (bytes, starts, state) = (&self.bytes, &self.starts, &self.state);
        self.long.insert_unique(hash, id, |id| {
            state.hash_one(token_at(bytes, starts, *id).strip_suffix(b" ").unwrap_or_default())
        });
        id
    }

    fn add(&mut self, token: &[u8], key: u128) -> u32 {
        let id = len_u32(self.len());
        self.keys.push(key);
        self.bytes.extend_from_slice(token);
        self.bytes.push(b' ');
        self.starts.push(len_u32(self.bytes.len()));
        id
    }
}

/// How many bytes of a word lie before its first space.
#[inline]
fn first_space(word: u64) -> Option<u32> {
    let differs = word ^ SPACES;
    let found = differs.wrapping_sub(LOW_BITS) & !differs & HIGH_BITS;
    // The lowest bit found is right; those above it may not be.
    if found == 0 { None } else { Some(found.trailing_zeros() / 8) }
}

/// A mask of so many bytes, at most seven.
#[inline]
fn low_bytes(count: u32) -> u64 {
    (1 << (count * 8)) - 1
}

/// The key of a token of at most 15 bytes: they, and its length plus one.
#[inline]
fn key_of(first: u64, second: u64, len: u32) -> u128 {
    u128::from(first) | u128::from(second | u64::from(len + 1) << 56) << 64
}

/// Where to look for a hash first. Only low bits are used, so that cutting it is no loss.
#[inline]
fn place(hash: u64) -> usize {
    usize::try_from(hash & 0xffff_ffff).unwrap_or_default()
}

/// The number in a slot that is not free.
#[inline]
fn id_of(slot: u64) -> Option<u32> {
    u32::try_from(slot & 0xffff_ffff).unwrap_or_default().checked_sub(1)
}

fn token_at<'a>(bytes: &'a [u8], starts: &[u32], id: u32) -> &'a [u8] {
    let at = row_usize(id);
    match (starts.get(at), starts.get(at + 1)) {
        (Some(start), Some(end)) => bytes.get(row_usize(*start)..row_usize(*end)).unwrap_or_default(),
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tokens_are_the_pieces_between_spaces(texts in proptest::collection::vec("([ a-cé]|[ab]{6,20}){0,30}", 1..80)) {
            let mut interner = Interner::new();
            let mut distinct: Vec<&str> = Vec::new();
            for text in &texts {
                let mut ids = Vec::new();
                interner.split(text.as_bytes(), &mut ids);
                let expected: Vec<u32> = text
                    .split(' ')
                    .map(|token| {
                        let known = distinct.iter().position(|held| *held == token);
                        len_u32(known.unwrap_or_else(|| {
                            distinct.push(token);
                            distinct.len() - 1
                        }))
                    })
                    .collect();
                prop_assert_eq!(ids, expected);
            }
            for (id, token) in (0..).zip(&distinct) {
                let expected = format!("{token} ");
                prop_assert_eq!(interner.token(id), expected.as_bytes());
            }
            prop_assert_eq!(interner.len(), distinct.len());
        }
    }

    #[test]
    fn thousands_of_short_tokens_keep_their_numbers() {
        let mut interner = Interner::new();
        let mut ids = Vec::new();
        for round in 0..2 {
            ids.clear();
            for number in 0..20_000 {
                interner.split(format!("{number}").as_bytes(), &mut ids);
            }
            assert!(ids.iter().copied().eq(0..20_000), "round {round}");
        }
    }
}
