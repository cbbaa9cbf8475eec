//! The terms of one keyword field in byte order: term <-> code, ranges of codes by prefix.

use std::ops::Range;

use crate::codec::{len_u64, to_usize};
use crate::error::Result;

use super::checked::CheckedFile;
use super::layout::{Footer, Section, SectionKind};
use super::packed::{self, FrameColumn};
use super::writer::SegmentWriter;

/// No term is longer, in bytes: the limit of the longest keyword field.
pub(crate) const TERM_SIZE_MAX: usize = 1024;

/// Writes the dictionary of a field whose terms ascend.
pub(crate) fn write(writer: &mut SegmentWriter, field: u8, terms: &[&[u8]]) -> Result<()> {
    let mut ends = Vec::with_capacity(terms.len() + 1);
    let mut end = 0_i64;
    ends.push(end);
    let offset = writer.begin();
    for term in terms {
        writer.write(term)?;
        end += i64::try_from(term.len()).unwrap_or_default();
        ends.push(end);
    }
    writer.end(offset, Section::new(SectionKind::TermBytes, field, len_u64(terms.len())));
    let mut section = Section::new(SectionKind::TermOffsets, field, 0);
    let bytes = packed::frame(&mut section, &ends);
    writer.section(section, &bytes)
}

/// A dictionary; code `n` is the `n`-th term, counted from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dictionary {
    terms: u32,
    offsets: FrameColumn,
    bytes: Section,
}

impl Dictionary {
    /// The dictionary of `field` with `terms` terms.
    pub(crate) fn new(footer: &Footer, field: u8, terms: u32) -> Result<Self> {
        let offsets = FrameColumn::new(footer.require(SectionKind::TermOffsets, field)?, u64::from(terms) + 1)?;
        Ok(Self { terms, offsets, bytes: footer.require(SectionKind::TermBytes, field)? })
    }

    /// How many terms.
    pub(crate) fn len(&self) -> u32 {
        self.terms
    }

    /// The term of `code`.
    pub(crate) fn term<'a>(&self, file: &'a CheckedFile, code: u32) -> Result<&'a [u8]> {
        let index = u64::from(code)
            .checked_sub(1)
            .filter(|index| *index < u64::from(self.terms))
            .ok_or_else(|| file.contradicts(&self.bytes, &format!("has no term of code {code}")))?;
        let start = self.offsets.get(file, index)?;
        let end = self.offsets.get(file, index + 1)?;
        match (u64::try_from(start), end.checked_sub(start).and_then(|len| u64::try_from(len).ok())) {
            (Ok(start), Some(len)) if len <= len_u64(TERM_SIZE_MAX) => file.bytes(&self.bytes, start, to_usize(len)),
            _ => Err(file.contradicts(&self.bytes, &format!("has a term from {start} to {end}"))),
        }
    }

    /// The code of `value`, if it is a term.
    pub(crate) fn find(&self, file: &CheckedFile, value: &[u8]) -> Result<Option<u32>> {
        let code = self.first_where(file, |term| term >= value)?;
        Ok(if code <= self.terms && self.term(file, code)? == value { Some(code) } else { None })
    }

    /// The codes of the terms that start with `prefix`.
    pub(crate) fn prefix(&self, file: &CheckedFile, prefix: &[u8]) -> Result<Range<u32>> {
        let from = self.first_where(file, |term| term >= prefix)?;
        let to = self.first_where(file, |term| term > prefix && !term.starts_with(prefix))?;
        Ok(from..to)
    }

    /// The first code whose term passes `test`, which all later ones pass as well; else one more than the last.
    fn first_where(&self, file: &CheckedFile, test: impl Fn(&[u8]) -> bool) -> Result<u32> {
        let (mut low, mut high) = (1, self.terms + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if test(self.term(file, middle)?) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }

    /// Every term in order.
    pub(crate) fn terms<'a>(&self, file: &'a CheckedFile) -> Result<Vec<&'a [u8]>> {
        (1..=self.terms).map(|code| self.term(file, code)).collect()
    }
}
