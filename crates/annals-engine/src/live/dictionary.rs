//! Term -> code for one keyword field of the live rows. Codes are given in arrival order, from 1.

use hashbrown::HashTable;

use crate::codec::{len_u32, row_usize};

/// The code of an absent value.
pub(crate) const ABSENT: u32 = 0;

/// Terms of one field, interned.
#[derive(Debug, Default)]
pub(crate) struct LiveDictionary {
    table: HashTable<Slot>,
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

/// All a look-up needs but the term itself, in one cache line: two misses per term instead of four.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u64,
    code: u32,
    start: u32,
    len: u32,
}

impl LiveDictionary {
    /// How many terms; the largest code.
    pub(crate) fn len(&self) -> u32 {
        len_u32(self.ends.len())
    }

    /// The code of a term that was interned before.
    pub(crate) fn find(&self, hash: u64, term: &[u8]) -> Option<u32> {
        let same = |slot: &Slot| slot.hash == hash && self.bytes_of(slot) == term;
        self.table.find(hash, same).map(|slot| slot.code)
    }

    /// The code of a term, new or old.
    pub(crate) fn intern(&mut self, hash: u64, term: &[u8]) -> u32 {
        if let Some(code) = self.find(hash, term) {
            return code;
        }
        let start = len_u32(self.bytes.len());
        self.bytes.extend_from_slice(term);
        self.ends.push(len_u32(self.bytes.len()));
        let slot = Slot { hash, code: self.len(), start, len: len_u32(term.len()) };
        self.table.insert_unique(hash, slot, |slot| slot.hash);
        slot.code
    }

    fn bytes_of(&self, slot: &Slot) -> &[u8] {
        let start = row_usize(slot.start);
        self.bytes.get(start..start + row_usize(slot.len)).unwrap_or_default()
    }

    /// The term of a code; empty for a code never given.
    pub(crate) fn term(&self, code: u32) -> &[u8] {
        let Some(index) = code.checked_sub(1).map(row_usize) else { return &[] };
        let start = match index.checked_sub(1) {
            None => 0,
            Some(before) => self.ends.get(before).copied().unwrap_or(0),
        };
        let end = self.ends.get(index).copied().unwrap_or(start);
        self.bytes.get(row_usize(start)..row_usize(end)).unwrap_or_default()
    }

    /// The codes above `after` whose terms start with `prefix`, ascending.
    pub(crate) fn codes_with_prefix(&self, prefix: &[u8], after: u32) -> impl Iterator<Item = u32> {
        (after + 1..=self.len()).filter(move |code| self.term(*code).starts_with(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::term_hash;

    #[test]
    fn terms_come_back_by_code_and_codes_by_term() {
        let mut dictionary = LiveDictionary::default();
        for round in 0..2 {
            for number in 1..=5_000_u32 {
                let term = format!("term-{number}");
                let code = dictionary.intern(term_hash(term.as_bytes()), term.as_bytes());
                assert_eq!(code, number, "round {round}");
                assert_eq!(dictionary.term(code), term.as_bytes());
            }
        }
        assert_eq!(dictionary.len(), 5_000);
        assert_eq!(dictionary.find(term_hash(b"other"), b"other"), None);
        assert_eq!(dictionary.codes_with_prefix(b"term-499", 0).count(), 11);
        assert_eq!((dictionary.term(0), dictionary.term(5_001)), (&b""[..], &b""[..]));
    }
}
