//! The terms of one keyword field in byte order: term <-> code, ranges of codes by prefix.
//!
//! Terms that are all hex digits of one length, or all UUIDs, are kept as the bytes they stand for: their order
//! is that of their texts.

use std::borrow::Cow;
use std::ops::{Deref, Range};

use crate::codec::{len_u64, row_usize, to_usize};
use crate::error::{Error, Result};

use super::checked::CheckedFile;
use super::hex;
use super::layout::{Footer, Section, SectionKind};
use super::packed::{self, FrameColumn};
use super::writer::SegmentWriter;

/// No term is longer, in bytes: the limit of the longest keyword field.
pub(crate) const TERM_SIZE_MAX: usize = 1024;
/// The bytes of the longest term that is packed.
const PACKED_SIZE_MAX: usize = 16;

/// How the terms are kept. The number is the `width` of the section, the size of a packed term its `slope`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Form {
    /// As they are, with offsets.
    Text = 0,
    /// Pairs of lower-case hex digits.
    Hex = 1,
    /// Lower-case UUIDs with hyphens.
    Uuid = 2,
}

impl Form {
    /// The form that suits all terms, and the bytes of a packed one.
    fn of(terms: &[&[u8]]) -> (Self, usize) {
        let len = terms.first().map_or(0, |term| term.len());
        let mut packed = [0; PACKED_SIZE_MAX];
        let all = |form: Form, packed: &mut [u8]| terms.iter().all(|term| form.pack(term, packed));
        if len == hex::UUID_LEN && all(Form::Uuid, &mut packed) {
            return (Form::Uuid, PACKED_SIZE_MAX);
        }
        let hex = packed.get_mut(..len / 2).is_some_and(|packed| len > 0 && all(Form::Hex, packed));
        if hex { (Form::Hex, len / 2) } else { (Form::Text, 0) }
    }

    /// Fills `out` with the bytes that stand for `term`; false if it has not this form.
    fn pack(self, term: &[u8], out: &mut [u8]) -> bool {
        match self {
            Form::Text => false,
            Form::Hex => hex::pack(term, out),
            Form::Uuid => hex::pack_uuid(term, out),
        }
    }
}

/// Writes the dictionary of a field whose terms ascend.
pub(crate) fn write(writer: &mut SegmentWriter, field: u8, terms: &[&[u8]]) -> Result<()> {
    let mut section = Section::new(SectionKind::TermBytes, field, len_u64(terms.len()));
    let (form, size) = Form::of(terms);
    let offset = writer.begin();
    if form != Form::Text {
        let mut packed = [0; PACKED_SIZE_MAX];
        let packed = packed.get_mut(..size).unwrap_or_default();
        for term in terms {
            form.pack(term, packed);
            writer.write(packed)?;
        }
        section.width = form as u8;
        section.slope = i64::try_from(size).unwrap_or_default();
        writer.end(offset, section);
        return Ok(());
    }
    let mut ends = Vec::with_capacity(terms.len() + 1);
    let mut end = 0_i64;
    ends.push(end);
    for term in terms {
        writer.write(term)?;
        end += i64::try_from(term.len()).unwrap_or_default();
        ends.push(end);
    }
    writer.end(offset, section);
    let mut section = Section::new(SectionKind::TermOffsets, field, 0);
    let bytes = packed::frame(&mut section, &ends);
    writer.section(section, &bytes)
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
        Ok(match self.form {
            Form::Text => Term::Stored(stored),
            form => {
                let mut text = [0; hex::UUID_LEN];
                let len = render(form, stored, &mut text);
                Term::Rendered(text, len)
            }
        })
    }

    /// The bytes kept for the term of `code`.
    #[inline]
    fn stored<'a>(&self, file: &'a CheckedFile, code: u32) -> Result<&'a [u8]> {
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
        let code = self.first_where(|code| Ok(self.stored(file, code)? >= wanted))?;
        Ok(if code <= self.terms && self.stored(file, code)? == wanted { Some(code) } else { None })
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

    /// Every term in order.
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
            return Ok(Terms { bytes: Cow::Borrowed(bytes), ends });
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
