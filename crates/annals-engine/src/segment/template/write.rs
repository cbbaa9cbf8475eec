//! Shapes, rows and values -> the sections of a segment.

use crate::codec::len_u64;
use crate::error::{Error, Result};

use super::super::Stream;
use super::super::layout::{Section, SectionKind};
use super::super::packed::{self, width_of};
use super::super::writer::SegmentWriter;
use super::encode::Encoder;
use super::plan::{AllTerms, ShapePlan, Values, digit};
use super::table::{Part, Table};
use super::{BLOCK_ROWS, CODE_OVERFLOW, CODE_SHAPES, OFFSET_SIZE, PADDING};

/// Everything that is known when the last row was taken.
struct Plan {
    table: Table,
    shapes: Vec<ShapePlan>,
    terms: AllTerms,
    codes: Vec<u8>,
}

impl Plan {
    fn new(encoder: Encoder<'_>) -> Self {
        let mut terms = AllTerms::new();
        let fields = encoder.fields;
        let overflow_width = width_of(u64::from(encoder.overflow_rows().saturating_sub(1)));
        let mut shapes: Vec<ShapePlan> =
            encoder.shapes.into_iter().map(|shape| ShapePlan::new(shape, fields, &mut terms)).collect();
        let codes = encoder.codes;
        let heap = heap_bytes_max(&codes, &shapes);
        let table = Table {
            overflow_width,
            heap_width: heap.map(|max| width_of(len_u64(max))),
            shapes: shapes.iter_mut().map(|shape| std::mem::take(&mut shape.parts)).collect(),
        };
        Self { table, shapes, terms, codes }
    }

    /// About how many bytes all sections take.
    fn size(&self) -> u64 {
        let row_bits = self.table.row_bits();
        let bits = |code: &u8| row_bits.get(usize::from(*code)).copied().unwrap_or(0);
        let code_width = self.code_width();
        let all_bits: u64 = self.codes.iter().map(|code| u64::from(bits(code) + code_width)).sum();
        let heap: usize = self.shapes.iter().flat_map(|shape| &shape.values).map(heap_len).sum();
        let tables = self.table.encode().len() + self.terms.bytes.len() + self.terms.bounds.len() * 2 + heap;
        all_bits / 8 + len_u64(tables)
    }

    /// Bits of a row's code: a power of two, so that no code lies across two bytes.
    fn code_width(&self) -> u32 {
        let largest = self.codes.iter().copied().max().unwrap_or(0);
        u32::from(width_of(u64::from(largest))).next_power_of_two()
    }
}

fn heap_len(values: &Values) -> usize {
    if let Values::Heap(bytes, ..) = values { bytes.len() } else { 0 }
}

/// The most heap bytes in front of a row's own in its block; `None` if no row has any.
fn heap_bytes_max(codes: &[u8], shapes: &[ShapePlan]) -> Option<usize> {
    let lengths = |shape: &ShapePlan| -> Vec<std::vec::IntoIter<u32>> {
        shape
            .values
            .iter()
            .filter_map(|v| if let Values::Heap(.., lens) = v { Some(lens.clone()) } else { None })
            .collect()
    };
    let mut lengths: Vec<_> = shapes.iter().map(lengths).collect();
    if lengths.iter().all(Vec::is_empty) {
        return None;
    }
    let mut most = 0;
    for block in codes.chunks(BLOCK_ROWS) {
        let mut sum = 0_usize;
        for code in block {
            most = most.max(sum);
            let of_row = code.checked_sub(CODE_SHAPES).and_then(|at| lengths.get_mut(usize::from(at)));
            for column in of_row.into_iter().flatten() {
                sum += crate::codec::row_usize(column.next().unwrap_or(0));
            }
        }
    }
    Some(most)
}

impl Encoder<'_> {
    /// About how many bytes the rows so far take, those without a shape left out.
    pub(crate) fn size(&self) -> u64 {
        Plan::new(self.clone()).size()
    }

    /// The bytes of the texts without a shape that were not taken yet.
    pub(crate) fn overflow_size(&self) -> u64 {
        self.overflow().iter().map(|text| len_u64(text.len())).sum()
    }
}

/// Writes the rows of `encoder` as sections of `stream`; the texts without a shape are the caller's.
pub(crate) fn write(writer: &mut SegmentWriter, stream: Stream, encoder: Encoder<'_>) -> Result<()> {
    let Plan { table, mut shapes, terms, codes } = Plan::new_checked(encoder)?;
    let section = |kind, count| Section::new(kind, stream.number(), count);
    writer.section(section(SectionKind::ShapeTable, len_u64(table.shapes.len())), &table.encode())?;
    if terms.bounds.len() > 1 {
        writer.section(section(SectionKind::ShapeTermBytes, len_u64(terms.bounds.len() - 1)), &terms.bytes)?;
        let mut bounds = section(SectionKind::ShapeTermBounds, 0);
        let bytes = packed::pack(&mut bounds, &terms.bounds);
        writer.section(bounds, &bytes)?;
    }
    let mut rows = RowWriter::new(&codes);
    let offset = writer.begin();
    for block in codes.chunks(BLOCK_ROWS) {
        rows.block(block, &table, &mut shapes);
        writer.write(&rows.bits.out)?;
        rows.bits_written += len_u64(rows.bits.out.len());
        rows.bits.out.clear();
    }
    writer.write(&[0; PADDING])?;
    writer.end(offset, section(SectionKind::ShapeBits, 0));
    let blocks = section(SectionKind::ShapeBlocks, len_u64(codes.len().div_ceil(BLOCK_ROWS)));
    writer.section(Section { width: rows.code_width, ..blocks }, &rows.entries)?;
    if table.heap_width.is_some() {
        writer.section(section(SectionKind::ShapeHeap, 0), &rows.heap)?;
    }
    Ok(())
}

impl Plan {
    fn new_checked(encoder: Encoder<'_>) -> Result<Self> {
        let plan = Self::new(encoder);
        if plan.size() >> (8 * OFFSET_SIZE) > 0 {
            return Err(Error::invalid_input("the texts of a segment are too large"));
        }
        Ok(plan)
    }
}

/// Bits one behind the other, the lowest of a byte first.
#[derive(Default)]
struct BitWriter {
    out: Vec<u8>,
    pending: u128,
    bits: u32,
}

impl BitWriter {
    #[inline]
    fn push(&mut self, value: u64, width: u32) {
        self.pending |= u128::from(value) << self.bits;
        self.bits += width;
        if self.bits >= 64 {
            let [b0, b1, b2, b3, b4, b5, b6, b7, ..] = self.pending.to_le_bytes();
            self.out.extend_from_slice(&[b0, b1, b2, b3, b4, b5, b6, b7]);
            self.pending >>= 64;
            self.bits -= 64;
        }
    }

    /// Fills the last byte up.
    fn align(&mut self) {
        let rest = usize::try_from(self.bits.div_ceil(8)).unwrap_or_default();
        self.out.extend(self.pending.to_le_bytes().into_iter().take(rest));
        (self.pending, self.bits) = (0, 0);
    }
}

struct RowWriter {
    code_width: u8,
    bits: BitWriter,
    bits_written: u64,
    heap: Vec<u8>,
    entries: Vec<u8>,
    overflow: u64,
}

impl RowWriter {
    fn new(codes: &[u8]) -> Self {
        let largest = codes.iter().copied().max().unwrap_or(0);
        Self {
            code_width: width_of(u64::from(largest)).next_power_of_two(),
            bits: BitWriter::default(),
            bits_written: 0,
            heap: Vec::new(),
            entries: Vec::new(),
            overflow: 0,
        }
    }

    fn block(&mut self, codes: &[u8], table: &Table, shapes: &mut [ShapePlan]) {
        let heap_start = self.heap.len();
        self.entries.extend(self.bits_written.to_le_bytes().into_iter().take(OFFSET_SIZE));
        if table.heap_width.is_some() {
            self.entries.extend(len_u64(heap_start).to_le_bytes().into_iter().take(OFFSET_SIZE));
        }
        let per_byte = 8 / usize::from(self.code_width);
        let mut padded = [0_u8; BLOCK_ROWS];
        for (slot, code) in padded.iter_mut().zip(codes) {
            *slot = *code;
        }
        for group in padded.chunks(per_byte) {
            let shifted = group.iter().rev().fold(0_u16, |byte, code| byte << self.code_width | u16::from(*code));
            self.entries.push(shifted.to_le_bytes()[0]);
        }
        for code in codes {
            if let Some(at) = code.checked_sub(CODE_SHAPES).map(usize::from) {
                let parts = table.shapes.get(at).map(Vec::as_slice).unwrap_or_default();
                let values = shapes.get_mut(at).map(|shape| shape.values.as_mut_slice()).unwrap_or_default();
                self.row(parts, values, u32::from(table.heap_width.unwrap_or(0)), heap_start);
            } else if *code == CODE_OVERFLOW {
                self.bits.push(self.overflow, u32::from(table.overflow_width));
                self.overflow += 1;
            }
        }
        self.bits.align();
    }

    #[inline]
    fn row(&mut self, parts: &[Part], values: &mut [Values], heap_width: u32, heap_start: usize) {
        let mut in_heap = false;
        for (part, values) in parts.iter().zip(values) {
            match (part, values) {
                (Part::Number { base, width, .. }, Values::Numbers(numbers)) => {
                    let number = numbers.next().unwrap_or(*base);
                    self.bits.push(number.wrapping_sub(*base).cast_unsigned(), u32::from(*width));
                }
                (Part::Term { width, .. }, Values::Codes(codes)) => {
                    self.bits.push(u64::from(codes.next().unwrap_or(0)), u32::from(*width));
                }
                (Part::Digits { count, dashes }, Values::Digits(bytes, at)) => {
                    let len = usize::from(*count) + usize::try_from(dashes.count_ones()).unwrap_or(0);
                    for digit in bytes.get(*at..*at + len).unwrap_or_default().iter().filter_map(|byte| digit(*byte)) {
                        self.bits.push(u64::from(digit), 4);
                    }
                    *at += len;
                }
                (Part::Heap { base, width, .. }, Values::Heap(bytes, at, lengths)) => {
                    if !in_heap {
                        in_heap = true;
                        self.bits.push(len_u64(self.heap.len() - heap_start), heap_width);
                    }
                    let len = lengths.next().unwrap_or(*base);
                    self.bits.push(u64::from(len - *base), u32::from(*width));
                    let end = *at + crate::codec::row_usize(len);
                    self.heap.extend_from_slice(bytes.get(*at..end).unwrap_or_default());
                    *at = end;
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_written_lowest_first() {
        let mut bits = BitWriter::default();
        bits.push(0b101, 3);
        bits.push(u64::MAX, 64);
        bits.push(0, 2);
        bits.align();
        assert_eq!(bits.out, [0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x07]);
    }
}
