//! The terms of one keyword field in byte order: term <-> code, ranges of codes by prefix.
//!
//! Terms that are all hex digits of one length, or all UUIDs, are kept as the bytes they stand for: their order
//! is that of their texts.

use std::borrow::Cow;
use std::ops::{Deref, Range};

use crate::codec::{len_u64, row_usize, to_usize};
use crate::error::{Error, Result};
use crate::field::Field;
use crate::hex;

use super::ahead::Ahead;
use super::checked::CheckedFile;
use super::layout::{Footer, Section, SectionKind};
use super::packed::{self, FrameColumn};
use super::writer::SegmentWriter;

/// No term is longer, in bytes: the limit of the longest keyword field.
pub(crate) const TERM_SIZE_MAX: usize = 1024;
/// The bytes of the longest term that is packed.
const PACKED_SIZE_MAX: usize = 16;

/// So often a place is guessed by the distance of terms before the rest is halved: terms that are spread evenly take three
/// or four guesses, and others cost so many steps more.
const GUESSES_MAX: u32 = 8;

/// The bits of a code below a short packed term.
const CODE_MASK: u128 = 0xffff_ffff;

/// How the terms are kept. The number is the `width` of the section, the size of a packed term its `slope`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Form {
    /// As they are, with offsets.
    Text = 0,
    /// Pairs of lower-case hex digits.
    Hex = 1,
    /// Lower-case UUIDs with hyphens.
    Uuid = 2,
}

impl Form {
    /// Fills `out` with the bytes that stand for `term`; false if it has not this form.
    #[inline]
    pub(super) fn pack(self, term: &[u8], out: &mut [u8]) -> bool {
        match self {
            Form::Text => false,
            Form::Hex => hex::pack(term, out),
            Form::Uuid => hex::pack_uuid(term, out),
        }
    }

    /// The term that packed bytes stand for.
    #[inline]
    pub(super) fn term(self, stored: &[u8]) -> Term<'_> {
        if self == Form::Text {
            return Term::Stored(stored);
        }
        let mut text = [0; hex::UUID_LEN];
        let len = render(self, stored, &mut text);
        Term::Rendered(text, len)
    }
}

/// The terms of a field in byte order.
#[derive(Debug)]
pub(crate) struct SortedTerms {
    /// The codes in use, by the byte order of their terms.
    pub(crate) codes: Vec<u32>,
    form: Form,
    /// Bytes of a packed term.
    size: usize,
    /// The packed terms, in the order of `codes`.
    packed: Vec<u8>,
}

/// Why terms are no dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WrongTerms {
    TooLong,
    Twice,
}

impl WrongTerms {
    /// The same as an error about `field`.
    pub(crate) fn of_field(self, field: Field) -> Error {
        Error::invalid_input(match self {
            WrongTerms::TooLong => format!("{field} has a term of more than {TERM_SIZE_MAX} bytes"),
            WrongTerms::Twice => format!("{field} has a term twice"),
        })
    }
}

impl SortedTerms {
    /// Sorts those of `terms` that occur: `counts` tells for code `i + 1` how often `terms[i]` does.
    pub(crate) fn new(terms: &[&[u8]], counts: &[u32]) -> std::result::Result<Self, WrongTerms> {
        let in_use = || (1_u32..).zip(terms).zip(counts.iter().skip(1)).filter(|(_, count)| **count > 0);
        let in_use = || in_use().map(|((code, term), _)| (code, *term));
        let first_len = in_use().next().map_or(0, |(_, term)| term.len());
        for (form, size) in [(Form::Uuid, PACKED_SIZE_MAX), (Form::Hex, first_len / 2)] {
            let suits = first_len == if form == Form::Uuid { hex::UUID_LEN } else { size * 2 };
            if suits && (1..=PACKED_SIZE_MAX).contains(&size) {
                // Most have a code's room left at their end: a key of half the size is sorted in half the time.
                let sorted = if size <= PACKED_SIZE_MAX - 4 {
                    let keys = packed_keys(in_use(), form, size, terms.len(), |term, code| term | u128::from(code));
                    let parts = |key: &u128| (key & !CODE_MASK, u32::try_from(key & CODE_MASK).unwrap_or(u32::MAX));
                    keys.map(|keys| Self::of_packed(keys, parts, form, size))
                } else {
                    let keys = packed_keys(in_use(), form, size, terms.len(), |term, code| (term, code));
                    keys.map(|keys| Self::of_packed(keys, |key| *key, form, size))
                };
                if let Some(sorted) = sorted {
                    return sorted;
                }
            }
        }
        let mut keys: Vec<(u64, u32)> = Vec::with_capacity(terms.len());
        keys.extend(in_use().map(|(code, term)| (prefix_key(term), code)));
        let term = |code: u32| terms.get(row_usize(code - 1)).copied().unwrap_or_default();
        // Most terms differ in their first bytes, compared as one number.
        keys.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| term(a.1).cmp(term(b.1))));
        let codes: Vec<u32> = keys.into_iter().map(|(_, code)| code).collect();
        if codes.iter().any(|code| term(*code).len() > TERM_SIZE_MAX) {
            return Err(WrongTerms::TooLong);
        }
        if !codes.is_sorted_by(|a, b| term(*a) < term(*b)) {
            return Err(WrongTerms::Twice);
        }
        Ok(Self { codes, form: Form::Text, size: 0, packed: Vec::new() })
    }

    /// The terms of these keys: packed bytes and code.
    fn of_packed<K: Ord>(
        mut keys: Vec<K>,
        parts: impl Fn(&K) -> (u128, u32),
        form: Form,
        size: usize,
    ) -> std::result::Result<Self, WrongTerms> {
        if !keys.is_sorted() {
            keys.sort_unstable();
        }
        if !keys.is_sorted_by(|a, b| parts(a).0 < parts(b).0) {
            return Err(WrongTerms::Twice);
        }
        let mut packed = Vec::with_capacity(keys.len() * size);
        let mut codes = Vec::with_capacity(keys.len());
        for key in &keys {
            let (term, code) = parts(key);
            // Lowest byte first is the term from its end: turned around, the term comes first.
            packed.extend_from_slice(term.swap_bytes().to_le_bytes().get(..size).unwrap_or_default());
            codes.push(code);
        }
        Ok(Self { codes, form, size, packed })
    }

    /// Writes the dictionary of a field.
    pub(crate) fn write(&self, writer: &mut SegmentWriter, field: u8, terms: &[&[u8]]) -> Result<()> {
        if self.form != Form::Text {
            return write_packed(writer, field, self.form, self.size, &self.packed);
        }
        let section = Section::new(SectionKind::TermBytes, field, len_u64(self.codes.len()));
        let mut ends = Vec::with_capacity(self.codes.len() + 1);
        let mut end = 0_i64;
        ends.push(end);
        let offset = writer.begin();
        for code in &self.codes {
            let term = terms.get(row_usize(code - 1)).copied().unwrap_or_default();
            writer.write(term)?;
            end += i64::try_from(term.len()).unwrap_or_default();
            ends.push(end);
        }
        writer.end(offset, section);
        let mut section = Section::new(SectionKind::TermOffsets, field, 0);
        let bytes = packed::frame(&mut section, &ends);
        writer.section(section, &bytes)
    }
}

/// Writes a dictionary of packed terms, which are in order.
pub(super) fn write_packed(
    writer: &mut SegmentWriter,
    field: u8,
    form: Form,
    size: usize,
    packed: &[u8],
) -> Result<()> {
    let mut section = Section::new(SectionKind::TermBytes, field, len_u64(packed.len() / size.max(1)));
    section.width = form as u8;
    section.slope = i64::try_from(size).unwrap_or_default();
    writer.section(section, packed)
}

/// The first eight bytes as a number that is in the order of the bytes.
#[inline]
fn prefix_key(term: &[u8]) -> u64 {
    if let Some(word) = term.first_chunk() {
        return u64::from_le_bytes(*word).swap_bytes();
    }
    let mut word = [0; 8];
    for (slot, byte) in word.iter_mut().zip(term) {
        *slot = *byte;
    }
    u64::from_le_bytes(word).swap_bytes()
}

/// The packed terms as numbers in the order of their bytes, made into keys; `None` if one of them has not this form.
fn packed_keys<'a, K>(
    terms: impl Iterator<Item = (u32, &'a [u8])>,
    form: Form,
    size: usize,
    capacity: usize,
    key: impl Fn(u128, u32) -> K,
) -> Option<Vec<K>> {
    let mut keys = Vec::with_capacity(capacity);
    let mut bytes = [0; PACKED_SIZE_MAX];
    for (code, term) in terms {
        if !form.pack(term, bytes.get_mut(..size)?) {
            return None;
        }
        keys.push(key(u128::from_le_bytes(bytes).swap_bytes(), code));
    }
    Some(keys)
}

/// A term, borrowed from the file or rendered on the spot.
#[derive(Clone, Debug)]
pub(crate) enum Term<'a> {
    Stored(&'a [u8]),
    Rendered([u8; hex::UUID_LEN], usize),
}

impl Deref for Term<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Term::Stored(bytes) => bytes,
            Term::Rendered(text, len) => text.get(..*len).unwrap_or_default(),
        }
    }
}

/// All terms of a dictionary.
pub(crate) struct Terms<'a> {
    bytes: Cow<'a, [u8]>,
    ends: Vec<i64>,
}

impl Terms<'_> {
    /// One after the other, in order.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let at = |end: &i64| usize::try_from(*end).unwrap_or_default();
        let bounds = self.ends.iter().zip(self.ends.iter().skip(1));
        bounds.map(move |(start, end)| self.bytes.get(at(start)..at(end)).unwrap_or_default())
    }
}

/// A dictionary; code `n` is the `n`-th term, counted from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dictionary {
    terms: u32,
    bytes: Section,
    form: Form,
    /// The size of a packed term.
    size: usize,
    /// Of terms that are not packed.
    offsets: Option<FrameColumn>,
}

impl Dictionary {
    /// The dictionary of `field` with `terms` terms.
    pub(crate) fn new(footer: &Footer, field: u8, terms: u32) -> Result<Self> {
        let bytes = footer.require(SectionKind::TermBytes, field)?;
        let (form, offsets) = match bytes.width {
            0 => {
                let offsets = footer.require(SectionKind::TermOffsets, field)?;
                (Form::Text, Some(FrameColumn::new(offsets, u64::from(terms) + 1)?))
            }
            1 => (Form::Hex, None),
            2 => (Form::Uuid, None),
            other => return Err(Error::corrupt(format!("the dictionary of field {field} has form {other}"))),
        };
        let size = usize::try_from(bytes.slope).unwrap_or(usize::MAX);
        let sizes = match form {
            Form::Text => 0..=0,
            Form::Hex => 1..=PACKED_SIZE_MAX,
            Form::Uuid => PACKED_SIZE_MAX..=PACKED_SIZE_MAX,
        };
        let fits = form == Form::Text || row_usize(terms).checked_mul(size).map(len_u64) == Some(bytes.len);
        if !sizes.contains(&size) || !fits {
            return Err(Error::corrupt(format!("the dictionary of field {field} cannot hold {terms} packed terms")));
        }
        Ok(Self { terms, bytes, form, size, offsets })
    }

    /// How many terms.
    pub(crate) fn len(&self) -> u32 {
        self.terms
    }

    /// The term of `code`. Allocates nothing.
    pub(crate) fn term<'a>(&self, file: &'a CheckedFile, code: u32) -> Result<Term<'a>> {
        let stored = self.stored(file, code)?;
        Ok(self.form.term(stored))
    }

    /// Loads where the term of `code` lies, or what says where.
    #[inline]
    pub(super) fn touch(&self, ahead: &mut Ahead<'_>, code: u32) {
        let index = u64::from(code).wrapping_sub(1);
        match &self.offsets {
            Some(offsets) => offsets.touch_directory(ahead, index),
            None => ahead.touch(&self.bytes, index.wrapping_mul(len_u64(self.size))),
        }
    }

    /// Whether terms lie there as they are, so that one can be borrowed for as long as the file is.
    pub(super) fn is_text(&self) -> bool {
        self.form == Form::Text
    }

    /// The term of `code`, rendered into `text` if it is packed.
    #[inline]
    pub(super) fn read<'a>(
        &self,
        file: &'a CheckedFile,
        code: u32,
        text: &'a mut [u8; hex::UUID_LEN],
    ) -> Result<&'a [u8]> {
        let stored = self.stored(file, code)?;
        Ok(match self.form {
            Form::Text => stored,
            form => {
                let len = render(form, stored, text);
                text.get(..len).unwrap_or_default()
            }
        })
    }

    /// The bytes kept for the term of `code`.
    #[inline]
    pub(super) fn stored<'a>(&self, file: &'a CheckedFile, code: u32) -> Result<&'a [u8]> {
        let index = u64::from(code)
            .checked_sub(1)
            .filter(|index| *index < u64::from(self.terms))
            .ok_or_else(|| file.contradicts(&self.bytes, &format!("has no term of code {code}")))?;
        let Some(offsets) = &self.offsets else {
            return file.bytes(&self.bytes, index * len_u64(self.size), self.size);
        };
        let start = offsets.get(file, index)?;
        let end = offsets.get(file, index + 1)?;
        match (u64::try_from(start), end.checked_sub(start).and_then(|len| u64::try_from(len).ok())) {
            (Ok(start), Some(len)) if len <= len_u64(TERM_SIZE_MAX) => file.bytes(&self.bytes, start, to_usize(len)),
            _ => Err(file.contradicts(&self.bytes, &format!("has a term from {start} to {end}"))),
        }
    }

    /// The code of `value`, if it is a term.
    pub(crate) fn find(&self, file: &CheckedFile, value: &[u8]) -> Result<Option<u32>> {
        // Packed bytes are in the order of the texts: the value is packed once, and no term rendered.
        let mut packed = [0; PACKED_SIZE_MAX];
        let wanted = match self.form {
            Form::Text => value,
            form => {
                let out = packed.get_mut(..self.size).unwrap_or_default();
                if !form.pack(value, out) {
                    return Ok(None);
                }
                out
            }
        };
        let code = match self.form {
            Form::Text => self.first_where(|code| Ok(self.stored(file, code)? >= wanted))?,
            _ => self.first_packed(file, wanted)?,
        };
        Ok(if code <= self.terms && self.stored(file, code)? == wanted { Some(code) } else { None })
    }

    /// The first code whose packed term is at least `wanted`; one more than the last if there is none. Identifiers are
    /// spread over their range or ascend with time: where one lies is told closely by its distance from those around it.
    fn first_packed(&self, file: &CheckedFile, wanted: &[u8]) -> Result<u32> {
        let key = prefix_key(wanted);
        let (mut low, mut high) = (1, self.terms + 1);
        let mut keys = (prefix_key(self.stored(file, 1)?), prefix_key(self.stored(file, self.terms)?));
        let mut guesses = GUESSES_MAX;
        while low < high {
            let middle = match (key.checked_sub(keys.0), keys.1.checked_sub(keys.0)) {
                (Some(above), Some(range)) if guesses > 0 && above <= range && range > 0 => {
                    guesses -= 1;
                    let share = u128::from(above) * u128::from(high - low - 1) / u128::from(range);
                    low + u32::try_from(share).unwrap_or(0).min(high - low - 1)
                }
                _ => low + (high - low) / 2,
            };
            let term = self.stored(file, middle)?;
            if term >= wanted {
                high = middle;
                keys.1 = prefix_key(term);
                // Mostly it is the one: then the search is over.
                if term == wanted {
                    return Ok(middle);
                }
            } else {
                low = middle + 1;
                keys.0 = prefix_key(term);
            }
        }
        Ok(low)
    }

    /// The codes of the terms that start with `prefix`.
    pub(crate) fn prefix(&self, file: &CheckedFile, prefix: &[u8]) -> Result<Range<u32>> {
        let from = self.first_where(|code| Ok(*self.term(file, code)? >= *prefix))?;
        let to = self.first_where(|code| {
            let term = self.term(file, code)?;
            Ok(*term > *prefix && !term.starts_with(prefix))
        })?;
        Ok(from..to)
    }

    /// The first code that passes `test`, which all later ones pass as well; else one more than the last.
    fn first_where(&self, test: impl Fn(u32) -> Result<bool>) -> Result<u32> {
        let (mut low, mut high) = (1, self.terms + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if test(middle)? {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }

    /// Every term in order; none twice.
    pub(crate) fn terms<'a>(&self, file: &'a CheckedFile) -> Result<Terms<'a>> {
        let bytes = file.all(&self.bytes)?;
        if let Some(offsets) = &self.offsets {
            let ends = offsets.decode(file)?;
            let inside = ends.first().is_some_and(|first| *first >= 0)
                && ends.last().is_some_and(|last| u64::try_from(*last).is_ok_and(|last| last <= self.bytes.len))
                && ends.iter().zip(ends.iter().skip(1)).all(|(start, end)| {
                    end.checked_sub(*start)
                        .and_then(|len| usize::try_from(len).ok())
                        .is_some_and(|len| len <= TERM_SIZE_MAX)
                });
            if !inside {
                return Err(file.contradicts(&self.bytes, "has terms outside of it"));
            }
            let terms = Terms { bytes: Cow::Borrowed(bytes), ends };
            // A merge gives each term one code: with one twice, rows would change theirs.
            if !terms.iter().is_sorted_by(|a, b| a < b) {
                return Err(file.contradicts(&self.bytes, "has terms that do not ascend"));
            }
            return Ok(terms);
        }
        if !bytes.chunks_exact(self.size.max(1)).is_sorted_by(|a, b| a < b) {
            return Err(file.contradicts(&self.bytes, "has terms that do not ascend"));
        }
        let mut texts = Vec::with_capacity(bytes.len().saturating_mul(3));
        let mut ends = Vec::with_capacity(row_usize(self.terms) + 1);
        ends.push(0);
        let mut text = [0; hex::UUID_LEN];
        for stored in bytes.chunks_exact(self.size.max(1)) {
            let len = render(self.form, stored, &mut text);
            texts.extend_from_slice(text.get(..len).unwrap_or_default());
            ends.push(i64::try_from(texts.len()).unwrap_or(i64::MAX));
        }
        Ok(Terms { bytes: Cow::Owned(texts), ends })
    }
}

/// Renders a packed term; returns the length of the text.
#[inline]
fn render(form: Form, stored: &[u8], text: &mut [u8; hex::UUID_LEN]) -> usize {
    match form {
        Form::Text => 0,
        Form::Hex => {
            hex::render(stored, text);
            stored.len() * 2
        }
        Form::Uuid => {
            hex::render_uuid(stored, text);
            hex::UUID_LEN
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Terms that look like packed ones, but for a few.
    fn terms() -> impl Strategy<Value = Vec<String>> {
        let text = prop_oneof![
            Just("[0-9a-f]{6}"),
            Just("[0-9a-f]{24}"),
            Just("[0-9a-f]{32}"),
            Just("[0-9a-f]{34}"),
            Just("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
            Just("[a-c]{0,12}"),
            Just("[0-9A-F]{8}"),
        ];
        let set = text.prop_flat_map(|text| proptest::collection::btree_set(text, 1..60));
        (set, any::<u64>(), proptest::option::of("[0-9a-f]{24}")).prop_map(|(terms, seed, other)| {
            let mut terms: Vec<String> = terms.into_iter().chain(other).collect();
            terms.sort_unstable_by_key(|term| crc32fast::hash(format!("{seed}{term}").as_bytes()));
            terms.dedup();
            terms
        })
    }

    proptest! {
        #[test]
        fn terms_are_sorted_as_texts(terms in terms(), unused in 0_usize..60) {
            let texts: Vec<&[u8]> = terms.iter().map(String::as_bytes).collect();
            let mut counts = vec![1; texts.len() + 1];
            counts[unused % texts.len() + 1] = 0;
            let mut expected: Vec<(&[u8], u32)> =
                texts.iter().copied().zip(1..).filter(|(_, code)| counts[row_usize(*code)] > 0).collect();
            expected.sort_unstable();
            if expected.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                prop_assert!(SortedTerms::new(&texts, &counts).is_err());
                return Ok(());
            }
            let sorted = SortedTerms::new(&texts, &counts).unwrap();
            prop_assert_eq!(&sorted.codes, &expected.iter().map(|(_, code)| *code).collect::<Vec<_>>());
            let mut text = [0; hex::UUID_LEN];
            for (packed, (term, _)) in sorted.packed.chunks(sorted.size.max(1)).zip(&expected) {
                let len = render(sorted.form, packed, &mut text);
                prop_assert_eq!(&text[..len], *term);
            }
            prop_assert_eq!(sorted.packed.len(), sorted.size * expected.len());
        }
    }
}
