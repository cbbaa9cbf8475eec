//! Postings: for each term the rows that hold it. Derived from the code column, and rebuilt from it if damaged.
//!
//! Nothing is stored for a term all rows hold, a bitmap for a common one, and row gaps for a rare one.

use roaring::RoaringBitmap;

use crate::codec::{Reader, len_u32, len_u64, put_varint, row_usize, to_usize};
use crate::error::Result;
use crate::rows::RowSet;

use super::checked::CheckedFile;
use super::layout::{Footer, Section, SectionKind};
use super::packed::{self, FrameColumn, PackedColumn};
use super::writer::SegmentWriter;

/// A term held by more than one row in this many is a bitmap: there a bitmap is the smaller one and the faster.
const BITMAP_DENSITY: u32 = 64;

/// How the posting of a term is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    All,
    Bitmap,
    Gaps,
}

fn form(cardinality: u32, rows: u32) -> Form {
    if cardinality == rows {
        Form::All
    } else if cardinality > rows / BITMAP_DENSITY {
        Form::Bitmap
    } else {
        Form::Gaps
    }
}

/// Writes cardinalities and postings. `by_term` gives the rows of each term, ascending, in code order.
pub(crate) fn write<'a>(
    writer: &mut SegmentWriter,
    field: u8,
    rows: u32,
    by_term: impl Iterator<Item = &'a [u32]>,
) -> Result<()> {
    let mut cardinalities = Vec::new();
    let mut ends = vec![0_i64];
    let mut end = 0_u64;
    let mut bytes = Vec::new();
    let offset = writer.begin();
    for term_rows in by_term {
        let cardinality = len_u32(term_rows.len());
        cardinalities.push(cardinality);
        bytes.clear();
        encode(term_rows, form(cardinality, rows), &mut bytes);
        writer.write(&bytes)?;
        end += len_u64(bytes.len());
        ends.push(end.cast_signed());
    }
    writer.end(offset, Section::new(SectionKind::PostingBytes, field, len_u64(cardinalities.len())));
    let mut section = Section::new(SectionKind::PostingOffsets, field, 0);
    let packed_ends = packed::frame(&mut section, &ends);
    writer.section(section, &packed_ends)?;
    let mut section = Section::new(SectionKind::Cardinalities, field, 0);
    let packed_cardinalities = packed::pack(&mut section, &cardinalities);
    writer.section(section, &packed_cardinalities)
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

fn encode(rows: &[u32], form: Form, out: &mut Vec<u8>) {
    match form {
        Form::All => {}
        Form::Bitmap => {
            bitmap_of(rows).serialize_into(out).expect("writing into a vector does not fail");
        }
        Form::Gaps => {
            let mut next = 0;
            for row in rows {
                put_varint(out, u64::from(row - next));
                next = row + 1;
            }
        }
    }
}

/// The postings of one field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Postings {
    rows: u32,
    offsets: FrameColumn,
    bytes: Section,
    cardinalities: PackedColumn,
}

impl Postings {
    /// The postings of `field` with `terms` terms in a segment of `rows` rows.
    pub(crate) fn new(footer: &Footer, field: u8, terms: u32) -> Result<Self> {
        let cardinalities = footer.require(SectionKind::Cardinalities, field)?;
        Ok(Self {
            rows: footer.rows,
            offsets: FrameColumn::new(footer.require(SectionKind::PostingOffsets, field)?, u64::from(terms) + 1)?,
            bytes: footer.require(SectionKind::PostingBytes, field)?,
            cardinalities: PackedColumn::new(cardinalities, u64::from(terms))?,
        })
    }

    /// How many rows hold the term.
    pub(crate) fn cardinality(&self, file: &CheckedFile, code: u32) -> Result<u32> {
        let cardinality = self.cardinalities.get(file, u64::from(code).saturating_sub(1))?;
        if cardinality == 0 || cardinality > self.rows {
            return Err(file.contradicts(&self.bytes, &format!("claims {cardinality} rows for code {code}")));
        }
        Ok(cardinality)
    }

    /// The rows that hold the term.
    pub(crate) fn rows(&self, file: &CheckedFile, code: u32) -> Result<RowSet> {
        let cardinality = self.cardinality(file, code)?;
        let form = form(cardinality, self.rows);
        if form == Form::All {
            return Ok(RowSet::from_range(0..self.rows));
        }
        let index = u64::from(code).saturating_sub(1);
        let (start, end) = (self.offsets.get(file, index)?, self.offsets.get(file, index + 1)?);
        let place = u64::try_from(start).ok().zip(end.checked_sub(start).and_then(|len| u64::try_from(len).ok()));
        let (start, len) =
            place.ok_or_else(|| file.contradicts(&self.bytes, &format!("has a posting from {start} to {end}")))?;
        let bytes = file.bytes(&self.bytes, start, to_usize(len))?;
        let decoded = match form {
            Form::Bitmap => bitmap(bytes, cardinality, self.rows),
            _ => gaps(bytes, cardinality, self.rows),
        };
        decoded.ok_or_else(|| file.contradicts(&self.bytes, &format!("has no posting for code {code}")))
    }
}

fn bitmap(mut bytes: &[u8], cardinality: u32, rows: u32) -> Option<RowSet> {
    let bitmap = RoaringBitmap::deserialize_from(&mut bytes).ok()?;
    let right = bytes.is_empty() && bitmap.len() == u64::from(cardinality) && bitmap.max().is_none_or(|row| row < rows);
    right.then(|| RowSet::from_bitmap(bitmap))
}

fn gaps(bytes: &[u8], cardinality: u32, rows: u32) -> Option<RowSet> {
    // Each gap takes a byte at least, so the cardinality is checked before it allocates.
    if row_usize(cardinality) > bytes.len() {
        return None;
    }
    let mut list = Vec::with_capacity(row_usize(cardinality));
    let mut reader = Reader::new(bytes);
    let mut next = 0_u32;
    for _ in 0..cardinality {
        let row = next.checked_add(u32::try_from(reader.varint().ok()?).ok()?)?;
        if row >= rows {
            return None;
        }
        list.push(row);
        next = row + 1;
    }
    reader.is_empty().then(|| RowSet::from_sorted(list))
}
