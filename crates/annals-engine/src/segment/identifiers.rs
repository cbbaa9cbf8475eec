//! The values of a keyword field that are identifiers of one length: numbers, which are compared, sorted and kept
//! without a table of terms.
//!
//! Fields of very many values are mostly such. A table of their terms is larger than the caches, and each look-up in it
//! waits for memory; sorting the numbers with their rows reads and writes one after the other, and gives the
//! dictionary, the codes and the postings at once.

use crate::codec::{len_u64, row_usize};
use crate::error::Result;
use crate::sorting;
use crate::term;

use super::dictionary::{self, Form, Term};
use super::keyword_build::ByTerm;
use super::writer::SegmentWriter;

/// Bytes of the longest identifier.
const SIZE_MAX: usize = 16;

/// Values that are fetched at once: they stay in a near cache.
const FETCHED: usize = 1 << 12;

/// A value per row, or none.
#[derive(Clone, Debug)]
pub(crate) struct Identifiers {
    form: Form,
    /// Bytes of a value.
    size: usize,
    /// By row: the bytes from the highest on, so that numbers are in the order of the texts; 0 where there is none.
    keys: Vec<u128>,
    present: Vec<bool>,
    count: u32,
}

/// Memory for sorting, lent to one field after the other: fresh pages cost as much as sorting does.
#[derive(Debug, Default)]
pub(super) struct SortRoom {
    numbers: Vec<u64>,
    dealt: Vec<u64>,
    keys: Vec<u128>,
}

/// All that is derived from the values.
pub(super) struct SortedIdentifiers {
    form: Form,
    size: usize,
    /// The distinct values in order.
    packed: Vec<u8>,
    /// By row; 0 = absent.
    pub(super) codes: Vec<u32>,
    pub(super) by_term: ByTerm,
}

impl Identifiers {
    /// None yet, for values that lie like the first one, which is given by its stored form; `None` if that is no
    /// identifier.
    pub(crate) fn like(form: term::Form, stored: &[u8], capacity: usize) -> Option<Self> {
        let form = match form {
            term::Form::Text => return None,
            term::Form::Hex => Form::Hex,
            term::Form::Uuid => Form::Uuid,
        };
        let size = stored.len();
        (1..=SIZE_MAX).contains(&size).then(|| Self {
            form,
            size,
            keys: Vec::with_capacity(capacity),
            present: Vec::with_capacity(capacity),
            count: 0,
        })
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.keys.len()
    }

    /// How many of them have a value.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Adds rows without a value until there are so many.
    #[inline]
    pub(crate) fn fill(&mut self, rows: usize) {
        if self.keys.len() < rows {
            self.keys.resize(rows, 0);
            self.present.resize(rows, false);
        }
    }

    /// Adds a row with a value, by its stored form; `false` if that is unlike the others.
    #[inline]
    pub(crate) fn push(&mut self, form: term::Form, stored: &[u8]) -> bool {
        if form != self.stored_form() || stored.len() != self.size {
            return false;
        }
        self.keys.push(key_of(stored));
        self.present.push(true);
        self.count += 1;
        true
    }

    /// The form records keep the values in.
    #[inline]
    pub(crate) fn stored_form(&self) -> term::Form {
        if self.form == Form::Uuid { term::Form::Uuid } else { term::Form::Hex }
    }

    /// The stored values by row.
    pub(crate) fn stored(&self) -> impl Iterator<Item = Option<([u8; SIZE_MAX], usize)>> {
        let values = self.keys.iter().zip(&self.present);
        values.map(|(key, present)| present.then(|| (key.swap_bytes().to_le_bytes(), self.size)))
    }

    /// Which rows have a value.
    pub(super) fn present(&self) -> &[bool] {
        &self.present
    }

    /// The number of a row's value.
    #[inline]
    fn key(&self, row: u32) -> Option<u128> {
        let at = row_usize(row);
        self.present.get(at).filter(|present| **present).and_then(|_| self.keys.get(at).copied())
    }

    /// Whether `text` is the value of a row.
    #[inline]
    pub(super) fn is(&self, row: u32, text: &[u8]) -> bool {
        let Some(key) = self.key(row) else { return false };
        let mut stored = [0; SIZE_MAX];
        let packed = stored.get_mut(..self.size).is_some_and(|stored| self.form.pack(text, stored));
        packed && u128::from_le_bytes(stored).swap_bytes() == key
    }

    /// The value of a row as text.
    pub(super) fn text(&self, row: u32) -> Option<Term<'static>> {
        let stored = self.key(row)?.swap_bytes().to_le_bytes();
        let text = self.form.term(stored.get(..self.size).unwrap_or_default());
        match text {
            Term::Rendered(text, len) => Some(Term::Rendered(text, len)),
            Term::Stored(_) => None,
        }
    }

    /// Whether each row with a value has the same one in `other`.
    pub(super) fn repeat(&self, other: &Self) -> bool {
        let own = self.keys.iter().zip(&self.present);
        let theirs = other.keys.iter().zip(&other.present);
        self.form == other.form
            && self.size == other.size
            && own.zip(theirs).all(|((own, present), (theirs, held))| !present || (*held && own == theirs))
    }

    /// Sorts the values.
    pub(super) fn sort(&self, room: &mut SortRoom) -> SortedIdentifiers {
        let mut sorted = SortedIdentifiers {
            form: self.form,
            size: self.size,
            packed: Vec::with_capacity(row_usize(self.count) * self.size / 2),
            codes: vec![0; self.keys.len()],
            by_term: ByTerm::with_room(row_usize(self.count)),
        };
        let values = || self.keys.iter().zip(&self.present).filter(|(_, present)| **present).map(|(key, _)| *key);
        let least = values().min().unwrap_or(0);
        let span = values().max().unwrap_or(0) - least;
        // The highest bits of a value that differ, as many as a row leaves room for, and behind them the row.
        let row_bits = sorting::bits_of(len_u64(self.keys.len()));
        let shift = (u128::BITS - span.leading_zeros()).saturating_sub(u64::BITS - row_bits);
        let high = |key: u128| u64::try_from((key - least) >> shift).unwrap_or(u64::MAX);
        let SortRoom { numbers, dealt, keys } = room;
        numbers.clear();
        let rows = (0_u64..).zip(&self.keys).zip(&self.present).filter(|(_, present)| **present);
        numbers.extend(rows.map(|((row, key), _)| high(*key) << row_bits | row));
        sorting::sort(numbers, dealt);
        let row_mask = (1 << row_bits) - 1;
        let row = |number: &u64| u32::try_from(number & row_mask).unwrap_or(u32::MAX);
        let mut rest = numbers.as_slice();
        while !rest.is_empty() {
            // A few thousand values at once, and all that look like the last of them.
            let prefix = rest.get(FETCHED.min(rest.len()) - 1).map_or(0, |number| number >> row_bits);
            let more = rest.iter().skip(FETCHED).take_while(|number| **number >> row_bits == prefix).count();
            let (part, behind) = rest.split_at_checked(FETCHED.min(rest.len()) + more).unwrap_or((rest, &[]));
            rest = behind;
            // Fetched in a loop of its own, in which none waits for the one before.
            keys.clear();
            keys.extend(part.iter().map(|number| self.keys.get(row_usize(row(number))).copied().unwrap_or_default()));
            let mut fetched = keys.as_slice();
            for run in part.chunk_by(|a, b| a >> row_bits == b >> row_bits) {
                let (keys, behind) = fetched.split_at_checked(run.len()).unwrap_or_default();
                fetched = behind;
                sorted.take_run(keys, run.iter().map(row));
            }
        }
        sorted.by_term.begin();
        sorted
    }
}

/// The number of stored bytes.
#[inline]
fn key_of(stored: &[u8]) -> u128 {
    let mut bytes = [0; SIZE_MAX];
    if let Some((head, tail)) = stored.split_first_chunk::<8>() {
        // Two words, which lie one upon the other in the middle unless there are sixteen bytes.
        let high = u128::from(u64::from_le_bytes(*head).swap_bytes()) << 64;
        return match (tail.len(), tail.first_chunk::<4>(), tail.first_chunk::<8>()) {
            (0, ..) => high,
            (4, Some(rest), _) => high | u128::from(u32::from_le_bytes(*rest).swap_bytes()) << 32,
            (8, _, Some(rest)) => high | u128::from(u64::from_le_bytes(*rest).swap_bytes()),
            _ => high | key_of(tail) >> 64,
        };
    }
    for (slot, byte) in bytes.iter_mut().zip(stored) {
        *slot = *byte;
    }
    u128::from_le_bytes(bytes).swap_bytes()
}

impl SortedIdentifiers {
    /// Takes values whose highest bits are the same, by ascending rows; mostly it is one value.
    #[inline]
    fn take_run(&mut self, keys: &[u128], rows: impl Iterator<Item = u32>) {
        let first = keys.first().copied().unwrap_or_default();
        if keys.iter().all(|key| *key == first) {
            return self.take(first, rows);
        }
        let mut run: Vec<(u128, u32)> = keys.iter().copied().zip(rows).collect();
        run.sort_unstable();
        for same in run.chunk_by(|a, b| a.0 == b.0) {
            self.take(same.first().map_or(0, |(key, _)| *key), same.iter().map(|(_, row)| *row));
        }
    }

    /// Takes the rows of the next value, both ascending.
    #[inline]
    fn take(&mut self, key: u128, rows: impl Iterator<Item = u32>) {
        let end = self.packed.len() + self.size;
        // All sixteen bytes, and away with those behind the value: a copy of a known length is a move.
        self.packed.extend_from_slice(&key.swap_bytes().to_le_bytes());
        self.packed.truncate(end);
        self.by_term.begin();
        let code = self.by_term.begun();
        for row in rows {
            self.by_term.add(row);
            if let Some(slot) = self.codes.get_mut(row_usize(row)) {
                *slot = code;
            }
        }
    }

    /// Writes the dictionary of a field.
    pub(super) fn write_terms(&self, writer: &mut SegmentWriter, field: u8) -> Result<()> {
        dictionary::write_packed(writer, field, self.form, self.size, &self.packed)
    }
}
