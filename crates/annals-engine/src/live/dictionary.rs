//! Term -> code for one keyword field of the live rows. Codes are given in arrival order, from 1.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::batch::term_hash;
use crate::codec::{len_u32, row_usize};
use crate::term::{self, Form};

/// The code of an absent value.
pub(crate) const ABSENT: u32 = 0;

/// Terms of one field, interned.
#[derive(Debug, Default)]
pub(crate) struct LiveDictionary {
    table: HashTable<Slot>,
    places: Vec<Place>,
    bytes: Vec<u8>,
}

/// Where the stored form of a term lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    len: u16,
    form: Form,
}

impl Place {
    #[inline]
    fn of(self, bytes: &[u8]) -> &[u8] {
        let start = row_usize(self.start);
        bytes.get(start..start + usize::from(self.len)).unwrap_or_default()
    }
}

/// All a look-up needs but the term itself, in one cache line: two misses per term instead of four.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u64,
    code: u32,
    place: Place,
}

impl LiveDictionary {
    /// A dictionary that takes so many terms before it grows.
    pub(crate) fn with_capacity(terms: usize) -> Self {
        Self { table: HashTable::with_capacity(terms), ..Self::default() }
    }

    /// How many terms; the largest code.
    pub(crate) fn len(&self) -> u32 {
        len_u32(self.places.len())
    }

    /// The code of a term that was interned before, by its text.
    pub(crate) fn find_text(&self, text: &[u8]) -> Option<u32> {
        let hash = term_hash(text);
        match term::pack(text) {
            None => self.find(hash, Form::Text, text),
            Some((form, stored)) => self.find(hash, form, stored.as_slice()),
        }
    }

    /// The code of a term that was interned before, by the hash of its text and its stored form.
    #[inline]
    pub(crate) fn find(&self, hash: u64, form: Form, stored: &[u8]) -> Option<u32> {
        let same = |slot: &Slot| slot.hash == hash && slot.place.form == form && self.stored(slot.place) == stored;
        self.table.find(hash, same).map(|slot| slot.code)
    }

    /// The code of a term, new or old.
    #[inline]
    pub(crate) fn intern(&mut self, hash: u64, form: Form, stored: &[u8]) -> u32 {
        let Self { table, places, bytes } = self;
        let same = |slot: &Slot| slot.hash == hash && slot.place.form == form && slot.place.of(bytes) == stored;
        match table.entry(hash, same, |slot| slot.hash) {
            Entry::Occupied(entry) => entry.get().code,
            Entry::Vacant(entry) => {
                let len = u16::try_from(stored.len()).expect("keyword values are at most 1,024 bytes");
                let place = Place { start: len_u32(bytes.len()), len, form };
                bytes.extend_from_slice(stored);
                places.push(place);
                let code = len_u32(places.len());
                entry.insert(Slot { hash, code, place });
                code
            }
        }
    }

    fn stored(&self, place: Place) -> &[u8] {
        place.of(&self.bytes)
    }

    /// Appends the text of a code; nothing for a code never given.
    pub(crate) fn text_into(&self, code: u32, out: &mut Vec<u8>) {
        let place = code.checked_sub(1).and_then(|index| self.places.get(row_usize(index)));
        if let Some(place) = place {
            term::text_into(place.form, self.stored(*place), out);
        }
    }

    fn starts_with(&self, code: u32, prefix: &[u8]) -> bool {
        let place = code.checked_sub(1).and_then(|index| self.places.get(row_usize(index)));
        place.is_some_and(|place| match place.form {
            Form::Text => self.stored(*place).starts_with(prefix),
            form => term::unpack(form, self.stored(*place)).as_slice().starts_with(prefix),
        })
    }

    /// The codes above `after` whose terms start with `prefix`, ascending.
    pub(crate) fn codes_with_prefix(&self, prefix: &[u8], after: u32) -> impl Iterator<Item = u32> {
        (after + 1..=self.len()).filter(move |code| self.starts_with(*code, prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intern(dictionary: &mut LiveDictionary, text: &str) -> u32 {
        let hash = term_hash(text.as_bytes());
        match term::pack(text.as_bytes()) {
            None => dictionary.intern(hash, Form::Text, text.as_bytes()),
            Some((form, stored)) => dictionary.intern(hash, form, stored.as_slice()),
        }
    }

    #[test]
    fn terms_come_back_by_code_and_codes_by_term() {
        let mut dictionary = LiveDictionary::default();
        let text =
            |number: u32| if number.is_multiple_of(2) { format!("term-{number}") } else { format!("{number:024x}") };
        for round in 0..2 {
            for number in 1..=5_000_u32 {
                assert_eq!(intern(&mut dictionary, &text(number)), number, "round {round}");
                assert_eq!(dictionary.find_text(text(number).as_bytes()), Some(number));
                let mut back = Vec::new();
                dictionary.text_into(number, &mut back);
                assert_eq!(back, text(number).as_bytes());
            }
        }
        assert_eq!(dictionary.len(), 5_000);
        assert_eq!(dictionary.find_text(b"other"), None);
        assert_eq!(dictionary.codes_with_prefix(b"term-499", 0).count(), 5);
        assert_eq!(dictionary.codes_with_prefix(b"0000", 0).count(), 2_500);
        let mut none = Vec::new();
        dictionary.text_into(0, &mut none);
        dictionary.text_into(5_001, &mut none);
        assert!(none.is_empty());
    }
}
