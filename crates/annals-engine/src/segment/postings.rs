//! Postings: for each term the rows that hold it. Derived from the code column, and rebuilt from it if damaged.
//!
//! How many bits a posting takes follows from its cardinality alone, so that neither a size nor an offset is
//! stored for a term: a reader starts at the last known offset and passes over the few terms in between.

use std::ops::Range;

use roaring::RoaringBitmap;

use crate::codec::{len_u32, len_u64, row_usize, to_usize};
use crate::error::{Error, Result};
use crate::rows::RowSet;

use super::bits::{BitReader, BitWriter};
use super::checked::CheckedFile;
use super::layout::{Footer, Section, SectionKind};
use super::packed::{self, FrameColumn, PADDING, PackedColumn, width_of};
use super::writer::SegmentWriter;

/// A term held by more than one row in this many is given as a bitmap: a long list is searched slower.
pub(super) const BITMAP_DENSITY: u32 = 64;
/// Terms from one stored offset to the next: what a lookup passes over at most, less one.
const BLOCK_TERMS: usize = 16;
const BLOCK_TERMS_U32: u32 = 16;
/// The `scale` of cardinalities that all fit.
const NO_CAP: i64 = 1 << 32;

/// How the rows of a term are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Nothing is: all rows hold it.
    All,
    /// One row after the other, each of that many bits.
    Flat(u32),
    /// Elias-Fano: so many low bits of each row, then the distances of the high bits in unary.
    Split(u32),
    /// A bit for each row.
    Plain,
}

/// The form of a posting and its size in bits. Part of the format.
fn form(cardinality: u32, rows: u32) -> (Form, u64) {
    if cardinality >= rows || cardinality == 0 {
        return (Form::All, 0);
    }
    let count = u64::from(cardinality);
    let width = u32::from(width_of(u64::from(rows - 1)));
    let low = (rows / cardinality).ilog2();
    let flat = count * u64::from(width);
    let split = count * u64::from(low) + count + u64::from((rows - 1) >> low);
    let plain = u64::from(rows);
    if flat <= split && flat <= plain {
        (Form::Flat(width), flat)
    } else if split <= plain {
        (Form::Split(low), split)
    } else {
        (Form::Plain, plain)
    }
}

/// Writes cardinalities and postings. `by_term` gives the rows of each term, ascending, in code order.
pub(crate) fn write<'a>(
    writer: &mut SegmentWriter,
    field: u8,
    rows: u32,
    by_term: impl Iterator<Item = &'a [u32]>,
) -> Result<()> {
    let mut cardinalities = Vec::with_capacity(by_term.size_hint().0);
    let mut starts = Vec::with_capacity(by_term.size_hint().0 / BLOCK_TERMS + 2);
    let mut bits = BitWriter::with_capacity(row_usize(rows) * 2);
    for (index, term_rows) in by_term.enumerate() {
        if index.is_multiple_of(BLOCK_TERMS) {
            starts.push(bits.position().cast_signed());
        }
        let cardinality = len_u32(term_rows.len());
        cardinalities.push(cardinality);
        encode(term_rows, form(cardinality, rows).0, rows, &mut bits);
    }
    starts.push(bits.position().cast_signed());
    let mut section = Section::new(SectionKind::PostingBits, field, bits.position());
    section.width = 1;
    writer.section(section, &bits.finish(PADDING))?;
    let mut section = Section::new(SectionKind::PostingOffsets, field, 0);
    let packed_starts = packed::frame(&mut section, &starts);
    writer.section(section, &packed_starts)?;
    write_cardinalities(writer, field, cardinalities)
}

/// Writes the cardinalities: a few bits for each term, and those that are larger once more beside them.
fn write_cardinalities(writer: &mut SegmentWriter, field: u8, mut cardinalities: Vec<u32>) -> Result<()> {
    let cap = best_cap(&cardinalities);
    let mut section = Section::new(SectionKind::Cardinalities, field, 0);
    let mut large_codes = Vec::new();
    let mut large = Vec::new();
    if let Some(cap) = cap {
        for (code, cardinality) in (1..).zip(&mut cardinalities) {
            if *cardinality >= cap {
                large_codes.push(code);
                large.push(*cardinality);
                *cardinality = cap;
            }
        }
    }
    let packed_cardinalities = packed::pack(&mut section, &cardinalities);
    section.scale = cap.map_or(NO_CAP, i64::from);
    writer.section(section, &packed_cardinalities)?;
    if cap.is_some() {
        let mut section = Section::new(SectionKind::LargeTerms, field, 0);
        let bytes = packed::pack(&mut section, &large_codes);
        writer.section(section, &bytes)?;
        let mut section = Section::new(SectionKind::LargeCardinalities, field, 0);
        let bytes = packed::pack(&mut section, &large);
        writer.section(section, &bytes)?;
    }
    Ok(())
}

/// The cardinality from which on it saves room to keep them apart.
fn best_cap(cardinalities: &[u32]) -> Option<u32> {
    let min = cardinalities.iter().copied().min().unwrap_or(0);
    let mut of_width = [0_u64; 33];
    for cardinality in cardinalities {
        if let Some(count) = of_width.get_mut(usize::from(width_of(u64::from(cardinality - min)))) {
            *count += 1;
        }
    }
    let widest = of_width.iter().rposition(|count| *count > 0).unwrap_or(0);
    let terms = len_u64(cardinalities.len());
    let large_bits = len_u64(widest) + u64::from(width_of(terms));
    let mut best = (terms * len_u64(widest), None);
    for width in 1..widest {
        // Values of this width and less, but the largest, stay; that one says "look beside".
        let beyond: u64 = of_width.iter().skip(width + 1).sum();
        let bits = terms * len_u64(width) + (beyond + beyond / 4) * large_bits + 64 * len_u64(PADDING);
        if bits < best.0 {
            best = (bits, min.checked_add((1_u32 << width) - 1));
        }
    }
    best.1
}

/// Rows that ascend, as a bitmap.
pub(super) fn bitmap_of(rows: &[u32]) -> RoaringBitmap {
    let (Some(last), true) = (rows.last(), rows.is_sorted_by(|a, b| a < b)) else {
        return rows.iter().copied().collect();
    };
    if row_usize(last / BITMAP_DENSITY) > rows.len() {
        return rows.iter().copied().collect();
    }
    // Setting bits costs a fraction of what adding row by row does.
    let mut bits = vec![0_u8; row_usize(last / 8) + 1];
    for row in rows {
        if let Some(byte) = bits.get_mut(row_usize(row / 8)) {
            *byte |= 1 << (row % 8);
        }
    }
    RoaringBitmap::from_lsb0_bytes(0, &bits)
}

fn encode(rows: &[u32], form: Form, row_count: u32, bits: &mut BitWriter) {
    match form {
        Form::All => {}
        Form::Flat(width) => {
            for row in rows {
                bits.push(u64::from(*row), width);
            }
        }
        Form::Split(low) => {
            let mask = (1_u64 << low) - 1;
            if low > 0 {
                for row in rows {
                    bits.push(u64::from(*row) & mask, low);
                }
            }
            let mut high = 0;
            for row in rows {
                bits.push_unary((row >> low) - high);
                high = row >> low;
            }
            bits.push_zeros(((row_count - 1) >> low) - high);
        }
        Form::Plain => {
            let mut next = 0;
            for row in rows {
                bits.push_unary(row - next);
                next = row + 1;
            }
            bits.push_zeros(row_count - next);
        }
    }
}

/// The postings of one field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Postings {
    rows: u32,
    terms: u32,
    offsets: FrameColumn,
    bits: Section,
    cardinalities: PackedColumn,
    /// Cardinalities from here on stand beside.
    cap: i64,
    /// The codes of the terms with a large cardinality, and that one.
    large: Option<(PackedColumn, PackedColumn)>,
}

impl Postings {
    /// The postings of `field` with `terms` terms in a segment of `rows` rows.
    pub(crate) fn new(footer: &Footer, field: u8, terms: u32) -> Result<Self> {
        let cardinalities = footer.require(SectionKind::Cardinalities, field)?;
        let large = match footer.find(SectionKind::LargeTerms, field) {
            Some(codes) => {
                if codes.count > u64::from(terms) {
                    return Err(Error::corrupt(format!("field {field} has more large terms than terms")));
                }
                let sizes = footer.require(SectionKind::LargeCardinalities, field)?;
                Some((PackedColumn::new(codes, codes.count)?, PackedColumn::new(sizes, codes.count)?))
            }
            None => None,
        };
        let blocks = u64::from(terms.div_ceil(BLOCK_TERMS_U32));
        Ok(Self {
            rows: footer.rows,
            terms,
            offsets: FrameColumn::new(footer.require(SectionKind::PostingOffsets, field)?, blocks + 1)?,
            bits: footer.require(SectionKind::PostingBits, field)?,
            cardinalities: PackedColumn::new(cardinalities, u64::from(terms))?,
            cap: cardinalities.scale,
            large,
        })
    }

    /// How many rows hold the term.
    #[inline]
    pub(crate) fn cardinality(&self, file: &CheckedFile, code: u32) -> Result<u32> {
        let stored = self.cardinalities.get(file, u64::from(code).wrapping_sub(1))?;
        self.whole_cardinality(file, code, stored)
    }

    /// The cardinality of a term, given what stands in the column.
    #[inline]
    fn whole_cardinality(&self, file: &CheckedFile, code: u32, stored: u32) -> Result<u32> {
        let cardinality = if i64::from(stored) < self.cap { stored } else { self.large_cardinality(file, code)? };
        if cardinality == 0 || cardinality > self.rows {
            return Err(file.contradicts(&self.bits, &format!("claims {cardinality} rows for code {code}")));
        }
        Ok(cardinality)
    }

    fn large_cardinality(&self, file: &CheckedFile, code: u32) -> Result<u32> {
        let missing = || file.contradicts(&self.bits, &format!("lacks the cardinality of code {code}"));
        let (codes, cardinalities) = self.large.as_ref().ok_or_else(missing)?;
        let (mut low, mut high) = (0, codes.count());
        while low < high {
            let middle = low + (high - low) / 2;
            if codes.get(file, middle)? < code {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if low < codes.count() && codes.get(file, low)? == code { cardinalities.get(file, low) } else { Err(missing()) }
    }

    /// Replaces `out` by the cardinalities of the terms of `codes`.
    pub(crate) fn cardinalities(&self, file: &CheckedFile, codes: Range<u32>, out: &mut Vec<u32>) -> Result<()> {
        let first = u64::from(codes.start).wrapping_sub(1);
        self.cardinalities.read(file, first, codes.len(), out)?;
        for (code, cardinality) in codes.zip(out) {
            *cardinality = self.whole_cardinality(file, code, *cardinality)?;
        }
        Ok(())
    }

    /// The rows that hold the term.
    pub(crate) fn rows(&self, file: &CheckedFile, code: u32) -> Result<RowSet> {
        let posting = self.posting(file, code)?;
        posting.all().ok_or_else(|| file.contradicts(&self.bits, &format!("has no posting for code {code}")))
    }

    /// The rows of these ranks in the posting: those with `ranks.start` to `ranks.end` rows of the term below them.
    /// Costs no more than finding the two ends.
    pub(crate) fn ranked(&self, file: &CheckedFile, code: u32, ranks: Range<u32>) -> Result<Vec<u32>> {
        let posting = self.posting(file, code)?;
        let ranks = ranks.start..ranks.end.min(posting.cardinality);
        if ranks.is_empty() {
            return Ok(Vec::new());
        }
        posting.ranked(ranks).ok_or_else(|| file.contradicts(&self.bits, &format!("has no posting for code {code}")))
    }

    /// Where the posting of `code` lies.
    fn posting<'a>(&self, file: &'a CheckedFile, code: u32) -> Result<Posting<'a>> {
        let index = u64::from(code)
            .checked_sub(1)
            .filter(|index| *index < u64::from(self.terms))
            .ok_or_else(|| file.contradicts(&self.bits, &format!("has no posting for code {code}")))?;
        let block = index / len_u64(BLOCK_TERMS);
        let wrong = |start: i64| file.contradicts(&self.bits, &format!("has a posting at bit {start}"));
        let start = self.offsets.get(file, block)?;
        let mut bit = u64::try_from(start).map_err(|source| wrong(start).with_source(source))?;
        let before = block * len_u64(BLOCK_TERMS);
        let mut cardinality = 0;
        let mut size = 0;
        let mut window = [0; BLOCK_TERMS];
        let window = window.get_mut(..=to_usize(index - before)).unwrap_or_default();
        self.cardinalities.fill(file, before, window)?;
        for (at, stored) in (before + 1..).zip(window) {
            bit = bit.checked_add(size).ok_or_else(|| wrong(start))?;
            cardinality = self.whole_cardinality(file, u32::try_from(at).unwrap_or(u32::MAX), *stored)?;
            size = form(cardinality, self.rows).1;
        }
        let (form, size) = form(cardinality, self.rows);
        let at = bit / 8;
        let len = (bit % 8 + size).div_ceil(8).saturating_add(len_u64(PADDING));
        let bytes = if size == 0 { &[] } else { file.bytes(&self.bits, at, to_usize(len))? };
        Ok(Posting { bits: BitReader::new(bytes), start: bit % 8, size, form, cardinality, rows: self.rows })
    }
}

/// The stored rows of one term.
struct Posting<'a> {
    bits: BitReader<'a>,
    /// Where they start in `bits`, and how many bits they take.
    start: u64,
    size: u64,
    form: Form,
    cardinality: u32,
    rows: u32,
}

impl Posting<'_> {
    /// All rows; `None` if the bits make no sense.
    fn all(&self) -> Option<RowSet> {
        if self.form == Form::All {
            return Some(RowSet::from_range(0..self.rows));
        }
        if self.cardinality <= self.rows / BITMAP_DENSITY {
            return self.ranked(0..self.cardinality).map(RowSet::from_sorted);
        }
        let bytes = if self.form == Form::Plain { self.plain_bytes() } else { self.split_bytes()? };
        let bitmap = RoaringBitmap::from_lsb0_bytes(0, &bytes);
        let right = bitmap.len() == u64::from(self.cardinality) && bitmap.max().is_none_or(|row| row < self.rows);
        right.then(|| RowSet::from_bitmap(bitmap))
    }

    /// A bit for each row, of a posting that has just these.
    fn plain_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(row_usize(self.rows / 8) + 8);
        let mut at = 0;
        while at < self.size {
            let width = u32::try_from((self.size - at).min(32)).unwrap_or(32);
            let [b0, b1, b2, b3, ..] = self.bits.get(self.start + at, width).to_le_bytes();
            bytes.extend_from_slice(&[b0, b1, b2, b3]);
            at += u64::from(width);
        }
        bytes
    }

    /// A bit for each row; `None` if one lies beyond the segment.
    fn split_bytes(&self) -> Option<Vec<u8>> {
        let mut words = vec![0_u64; row_usize(self.rows.div_ceil(u64::BITS))];
        let mut right = true;
        self.walk(0..self.cardinality, |row| match words.get_mut(row_usize(row / u64::BITS)) {
            Some(word) => *word |= 1 << (row % u64::BITS),
            None => right = false,
        })?;
        let mut bytes = Vec::with_capacity(words.len() * 8);
        for word in words {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        right.then_some(bytes)
    }

    /// The rows of some ranks, which are below the cardinality; `None` if the bits make no sense.
    fn ranked(&self, ranks: Range<u32>) -> Option<Vec<u32>> {
        // The cardinality is no more than there are rows, and each of them takes a bit at least but in `All`.
        let mut rows = Vec::with_capacity(ranks.len());
        self.walk(ranks.clone(), |row| rows.push(row))?;
        let right = rows.is_sorted_by(|a, b| a < b) && rows.last().is_none_or(|row| *row < self.rows);
        (right && rows.len() == ranks.len()).then_some(rows)
    }

    /// Calls `visit` with the rows of `ranks`, unchecked.
    #[inline]
    fn walk(&self, ranks: Range<u32>, mut visit: impl FnMut(u32)) -> Option<()> {
        let count = u64::from(self.cardinality);
        let end = self.start + self.size;
        match self.form {
            Form::All => ranks.for_each(visit),
            Form::Flat(width) => {
                for rank in ranks {
                    visit(u32::try_from(self.bits.get(self.start + u64::from(rank) * u64::from(width), width)).ok()?);
                }
            }
            Form::Split(low) => {
                let mut rank = u64::from(ranks.start);
                let mut low_at = self.start + rank * u64::from(low);
                let highs = self.start + count * u64::from(low);
                self.bits.ones(highs..end, ranks, |position| {
                    let high = position.wrapping_sub(rank);
                    let row = (high << low) | self.bits.get(low_at, low);
                    rank += 1;
                    low_at += u64::from(low);
                    visit(u32::try_from(row).unwrap_or(u32::MAX));
                })?;
            }
            Form::Plain => {
                self.bits
                    .ones(self.start..end, ranks, |position| visit(u32::try_from(position).unwrap_or(u32::MAX)))?;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn assert_comes_back(rows: &[u32], row_count: u32) {
        let (form, size) = form(len_u32(rows.len()), row_count);
        let mut bits = BitWriter::with_capacity(0);
        bits.push(5, 3);
        encode(rows, form, row_count, &mut bits);
        assert_eq!(bits.position(), 3 + size, "{form:?}");
        let bytes = bits.finish(PADDING);
        let cardinality = len_u32(rows.len());
        let posting = Posting { bits: BitReader::new(&bytes), start: 3, size, form, cardinality, rows: row_count };
        assert_eq!(posting.all().unwrap().iter().collect::<Vec<_>>(), rows, "{form:?}");
        for start in [0, cardinality / 3, cardinality - 1] {
            for end in [start, cardinality / 2, cardinality] {
                let expected = rows.get(row_usize(start)..row_usize(end)).unwrap_or_default();
                if start <= end {
                    assert_eq!(posting.ranked(start..end).unwrap(), expected, "{form:?} {start}..{end}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn postings_come_back(rows in proptest::collection::btree_set(0_u32..5000, 1..2000), beyond in 1_u32..100_000) {
            let rows: Vec<u32> = rows.into_iter().collect();
            let row_count = rows.last().unwrap() + beyond;
            assert_comes_back(&rows, row_count);
            assert_comes_back(&rows, rows.last().unwrap() + 1);
        }

        #[test]
        fn few_and_many_rows_come_back(row_count in 1_u32..300, seed: u64, odds in 1_u64..40) {
            let mut random = super::super::tests::Random(seed);
            let mut rows: BTreeSet<u32> = (0..row_count).filter(|_| random.one_in(odds)).collect();
            rows.insert(row_count - 1);
            assert_comes_back(&rows.into_iter().collect::<Vec<_>>(), row_count);
        }

        #[test]
        fn any_bits_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), cardinality in 0_u32..300, rows in 1_u32..300) {
            let (form, size) = form(cardinality, rows);
            let posting = Posting { bits: BitReader::new(&bytes), start: 3, size, form, cardinality, rows };
            if let Some(all) = posting.all() {
                prop_assert!(all.iter().all(|row| row < rows));
            }
            _ = posting.ranked(cardinality / 2..cardinality);
        }
    }
}
