//! The keyword values of a batch. Values that come again and again are told of once, so that the one thread that
//! indexes batches looks each of them up once; it is done where the value's bytes are at hand anyway.

use hashbrown::HashTable;

use crate::codec::{len_u32, row_usize};
use crate::field::FIELD_SLOTS;
use crate::record::TermRef;

/// Values of one field that are looked for again. A field with more has too many to be worth the search.
const KNOWN_MAX: u16 = 128;

/// Keyword values in the order of their records.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Different ones, but for those of fields with very many.
    list: Vec<TermRef>,
    /// One for each value of each record: its place in the list.
    uses: Vec<u32>,
    table: HashTable<u32>,
    /// By field number: how many of the field are in the table.
    known: [u16; FIELD_SLOTS],
}

impl Default for Terms {
    fn default() -> Self {
        Self { list: Vec::new(), uses: Vec::new(), table: HashTable::new(), known: [0; FIELD_SLOTS] }
    }
}

impl Terms {
    /// The terms that [`Terms::uses`] counts through.
    pub(crate) fn list(&self) -> &[TermRef] {
        &self.list
    }

    /// One for each value of each record.
    pub(crate) fn uses(&self) -> &[u32] {
        &self.uses
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.uses.clear();
        self.table.clear();
        self.known = [0; FIELD_SLOTS];
    }

    /// Adds a value that lies in `bytes`, as those before it.
    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8], term: TermRef) {
        let Self { list, uses, table, known } = self;
        let next = len_u32(list.len());
        let index = match known.get_mut(usize::from(term.field)) {
            Some(count) if *count < KNOWN_MAX => {
                let same = |index: &u32| list.get(row_usize(*index)).is_some_and(|held| held.is_same(&term, bytes));
                if let Some(index) = table.find(term.hash, same) {
                    *index
                } else {
                    let hash = |index: &u32| list.get(row_usize(*index)).map_or(0, |held| held.hash);
                    table.insert_unique(term.hash, next, hash);
                    *count += 1;
                    next
                }
            }
            _ => next,
        };
        if index == next {
            list.push(term);
        }
        uses.push(index);
    }

    /// Adds the terms of other records, whose bytes lie `shift` behind where their terms say.
    pub(crate) fn extend(&mut self, other: &Terms, shift: u32) {
        let before = len_u32(self.list.len());
        self.list.extend(other.list.iter().map(|term| TermRef { offset: term.offset + shift, ..*term }));
        self.uses.extend(other.uses.iter().map(|index| index + before));
    }

    /// Where the terms end now.
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.list.len(), self.uses.len())
    }

    /// Forgets what was added since the mark.
    pub(crate) fn cut(&mut self, (list, uses): (usize, usize)) {
        self.list.truncate(list);
        self.uses.truncate(uses);
        self.table.retain(|index| row_usize(*index) < list);
        // Counts only bound the search: they may be too high.
    }
}

impl TermRef {
    /// Whether both are the same value of the same field.
    #[inline]
    fn is_same(&self, other: &TermRef, bytes: &[u8]) -> bool {
        self.hash == other.hash
            && (self.field, self.form) == (other.field, other.form)
            && self.stored(bytes) == other.stored(bytes)
    }

    /// The stored form, in the bytes that the term lies in.
    #[inline]
    pub(crate) fn stored<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let start = row_usize(self.offset);
        bytes.get(start..start + usize::from(self.len)).unwrap_or_default()
    }
}
