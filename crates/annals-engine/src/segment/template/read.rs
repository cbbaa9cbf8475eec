//! Reads the text of a row: its block's entry, its bits, and whatever its parts point to.

use std::sync::OnceLock;

use crate::codec::{len_u64, row_usize, to_usize};
use crate::error::{Error, Result};

use super::super::Stream;
use super::super::ahead::{Ahead, Wave};
use super::super::checked::CheckedFile;
use super::super::keyword::KeywordColumn;
use super::super::layout::{Footer, Section, SectionKind};
use super::super::packed::{PackedColumn, unpack};
use super::super::text::VALUE_SIZE_MAX;
use super::table::{Part, Table};
use super::{BLOCK_ROWS, CODE_ABSENT, CODE_OVERFLOW, CODE_SHAPES, OFFSET_SIZE, PADDING};

/// The largest table of shapes: each shape was met as a text of at most 16 KiB.
const TABLE_SIZE_MAX: u64 = 8 << 20;
/// Digits read at once.
const DIGITS_AT_ONCE: u8 = 8;

/// A stream in shapes, read.
#[derive(Debug)]
pub(crate) struct TemplateReader {
    table: Section,
    blocks: Section,
    bits: Section,
    heap: Option<Section>,
    terms: Option<Terms>,
    /// Read when the first row is.
    parsed: OnceLock<Parsed>,
}

#[derive(Clone, Copy, Debug)]
struct Terms {
    bytes: Section,
    bounds: PackedColumn,
    count: u64,
}

/// The table, and what is computed from it.
#[derive(Debug)]
struct Parsed {
    table: Table,
    /// By code.
    row_bits: Vec<u32>,
    /// By a byte of codes: the bits of all its rows.
    byte_bits: Vec<u32>,
    entry_size: usize,
}

/// Buffers of a walk over rows.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) text: Vec<u8>,
    /// Where the row's bytes in the heap lie, if it has any.
    heap: Option<(u64, u64)>,
}

/// What a row has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Absent,
    /// Its text is in the scratch.
    Text,
    /// Its text has that number among the compressed ones.
    Overflow(u32),
}

/// Where a row's bits lie.
struct Place {
    code: u8,
    /// Byte in the section of bits, and the bit in that byte.
    at: u64,
    shift: usize,
    heap: u64,
}

impl TemplateReader {
    /// The stream, if the footer has it in shapes.
    pub(crate) fn new(footer: &Footer, stream: Stream) -> Result<Option<Self>> {
        let number = stream.number();
        let Some(table) = footer.find(SectionKind::ShapeTable, number) else { return Ok(None) };
        let blocks = footer.require(SectionKind::ShapeBlocks, number)?;
        let bits = footer.require(SectionKind::ShapeBits, number)?;
        let expected = u64::from(footer.rows).div_ceil(len_u64(BLOCK_ROWS));
        if table.len > TABLE_SIZE_MAX
            || !matches!(blocks.width, 1 | 2 | 4 | 8)
            || blocks.count != expected
            || bits.len < len_u64(PADDING)
        {
            return Err(Error::corrupt(format!("the shapes of {stream:?} contradict the footer")));
        }
        let terms = match footer.find(SectionKind::ShapeTermBytes, number) {
            Some(bytes) => {
                let bounds = footer.require(SectionKind::ShapeTermBounds, number)?;
                // Bounds that are all the same take no bytes, so that nothing else limits how many terms a footer may
                // claim. Only one term of a shape is empty.
                if bytes.count > bytes.len.saturating_mul(2) {
                    let what = format!("{} terms of shapes in {} bytes", bytes.count, bytes.len);
                    return Err(Error::corrupt(what));
                }
                let entries = bytes.count.checked_add(1).ok_or_else(|| Error::corrupt("too many terms of shapes"))?;
                Some(Terms { bytes, bounds: PackedColumn::new(bounds, entries)?, count: bytes.count })
            }
            None => None,
        };
        let heap = footer.find(SectionKind::ShapeHeap, number);
        Ok(Some(Self { table, blocks, bits, heap, terms, parsed: OnceLock::new() }))
    }

    fn parsed(&self, file: &CheckedFile) -> Result<&Parsed> {
        if let Some(parsed) = self.parsed.get() {
            return Ok(parsed);
        }
        let table = Table::decode(file.all(&self.table)?)
            .map_err(|error| error.at_path(file.path()).at_offset(self.table.offset))?;
        let parsed = self.parse(file, table)?;
        Ok(self.parsed.get_or_init(|| parsed))
    }

    #[cold]
    fn parse(&self, file: &CheckedFile, table: Table) -> Result<Parsed> {
        let terms = self.terms.map_or(0, |terms| terms.count);
        let beyond = |part: &Part| match part {
            Part::Term { first, count, .. } => *count == 0 || u64::from(*first) + u64::from(*count) > terms,
            _ => false,
        };
        if table.shapes.iter().flatten().any(beyond) || table.heap_width.is_some() != self.heap.is_some() {
            return Err(file.contradicts(&self.table, "has shapes of what is not there"));
        }
        let width = usize::from(self.blocks.width);
        let offsets = if self.heap.is_some() { 2 } else { 1 };
        let entry_size = offsets * OFFSET_SIZE + BLOCK_ROWS * width / 8;
        if self.blocks.count.checked_mul(len_u64(entry_size)) != Some(self.blocks.len) {
            return Err(file.contradicts(&self.blocks, "has entries of another size"));
        }
        let row_bits = table.row_bits();
        let of_code = |code: u32| row_bits.get(row_usize(code)).copied().unwrap_or(0);
        let mask = (1_u32 << width) - 1;
        let of_byte = |byte: u32| (0..8).step_by(width).map(|shift| of_code(byte >> shift & mask)).sum();
        let byte_bits = (0..256).map(of_byte).collect();
        Ok(Parsed { table, row_bits, byte_bits, entry_size })
    }

    /// Loads what [`TemplateReader::read`] reads of a row, once a row was read: first where its block starts, then about
    /// where its bits lie.
    pub(crate) fn touch(&self, ahead: &mut Ahead<'_>, row: u32, wave: Wave) {
        let Some(parsed) = self.parsed.get() else { return };
        let (block, index) = (row_usize(row) / BLOCK_ROWS, row_usize(row) % BLOCK_ROWS);
        let at = len_u64(block * parsed.entry_size);
        if wave == Wave::First {
            ahead.touch(&self.blocks, at);
            ahead.touch(&self.blocks, at + len_u64(parsed.entry_size));
            return;
        }
        let start = |at: u64| ahead.peek::<OFFSET_SIZE>(&self.blocks, at).map_or(0, |bytes| offset(bytes));
        let (start, end) = (start(at), start(at + len_u64(parsed.entry_size)));
        let len = end.saturating_sub(start);
        ahead.touch(&self.bits, start.wrapping_add(len.wrapping_mul(len_u64(index)) / len_u64(BLOCK_ROWS)));
    }

    fn place(&self, file: &CheckedFile, parsed: &Parsed, row: u32) -> Result<Place> {
        let (block, index) = (row_usize(row) / BLOCK_ROWS, row_usize(row) % BLOCK_ROWS);
        let entry = file.bytes(&self.blocks, len_u64(block * parsed.entry_size), parsed.entry_size)?;
        let (start, rest) = entry.split_at_checked(OFFSET_SIZE).unwrap_or_default();
        let (heap, codes) =
            if self.heap.is_some() { rest.split_at_checked(OFFSET_SIZE).unwrap_or_default() } else { (&[][..], rest) };
        let width = usize::from(self.blocks.width);
        let bit = index * width;
        let (before, from) = codes.split_at_checked(bit / 8).unwrap_or_default();
        let byte = from.first().copied().unwrap_or(0);
        let mut bits: u64 =
            before.iter().map(|byte| u64::from(parsed.byte_bits.get(usize::from(*byte)).copied().unwrap_or(0))).sum();
        let mask = if width == 8 { u8::MAX } else { (1 << width) - 1 };
        for shift in (0..bit % 8).step_by(width) {
            bits += u64::from(parsed.row_bits.get(usize::from(byte >> shift & mask)).copied().unwrap_or(0));
        }
        let code = byte >> (bit % 8) & mask;
        Ok(Place { code, at: offset(start) + bits / 8, shift: to_usize(bits % 8), heap: offset(heap) })
    }

    /// Reads a row; `fields` are the keyword fields of the segment.
    pub(crate) fn read(
        &self,
        file: &CheckedFile,
        fields: &[KeywordColumn],
        row: u32,
        scratch: &mut Scratch,
    ) -> Result<Found> {
        let parsed = self.parsed(file)?;
        let place = self.place(file, parsed, row)?;
        if place.code == CODE_ABSENT {
            return Ok(Found::Absent);
        }
        let Some(row_bits) = parsed.row_bits.get(usize::from(place.code)) else {
            return Err(file.contradicts(&self.blocks, &format!("has a row of shape {}", place.code)));
        };
        let len = (place.shift + row_usize(*row_bits)) / 8 + PADDING;
        let mut bits = BitReader { bytes: file.bytes(&self.bits, place.at, len)?, bit: place.shift };
        if place.code == CODE_OVERFLOW {
            return Ok(Found::Overflow(bits.take_u32(parsed.table.overflow_width)));
        }
        let parts = parsed.table.shapes.get(usize::from(place.code - CODE_SHAPES)).map_or(&[][..], Vec::as_slice);
        let mut row = RowReader { reader: self, file, fields, row, heap: None, heap_start: place.heap };
        scratch.heap = None;
        scratch.text.clear();
        for part in parts {
            row.part(part, parsed.table.heap_width.unwrap_or(0), &mut bits, scratch)?;
            if scratch.text.len() > VALUE_SIZE_MAX {
                return Err(file.contradicts(&self.table, "has a shape of too many bytes"));
            }
        }
        Ok(Found::Text)
    }

    /// Compares the rows of each block with those of the block before, and the terms with their bounds.
    pub(crate) fn verify(&self, file: &CheckedFile, fields: &[KeywordColumn], rows: u32) -> Result<()> {
        let parsed = self.parsed(file)?;
        let (mut end, mut heap_end) = (0, 0);
        let mut row = 0;
        let mut overflow = 0;
        let mut scratch = Scratch::default();
        while row < rows {
            if self.heap.is_some() && self.place(file, parsed, row)?.heap != heap_end {
                return Err(file.contradicts(&self.blocks, &format!("does not lead to the bytes of row {row}")));
            }
            let wrong = || file.contradicts(&self.blocks, &format!("does not lead to the bits of row {row}"));
            let mut bits = end * 8;
            for row in row..rows.min(row + crate::codec::len_u32(BLOCK_ROWS)) {
                let place = self.place(file, parsed, row)?;
                if place.at * 8 + len_u64(place.shift) != bits {
                    return Err(wrong());
                }
                bits += u64::from(parsed.row_bits.get(usize::from(place.code)).copied().ok_or_else(wrong)?);
                scratch.heap = None;
                match self.read(file, fields, row, &mut scratch)? {
                    Found::Overflow(number) if number != overflow => return Err(wrong()),
                    Found::Overflow(_) => overflow += 1,
                    Found::Absent | Found::Text => {}
                }
                if let Some((start, end)) = scratch.heap {
                    if start != heap_end {
                        return Err(wrong());
                    }
                    heap_end = end;
                }
            }
            end = bits.div_ceil(8);
            row = row.saturating_add(crate::codec::len_u32(BLOCK_ROWS));
        }
        if end + len_u64(PADDING) != self.bits.len || self.heap.is_some_and(|heap| heap.len != heap_end) {
            return Err(file.contradicts(&self.bits, "is longer than its rows"));
        }
        for index in 0..self.terms.map_or(0, |terms| terms.count) {
            self.term(file, index)?;
        }
        Ok(())
    }

    fn term<'f>(&self, file: &'f CheckedFile, index: u64) -> Result<&'f [u8]> {
        let Some(terms) = &self.terms else {
            return Err(file.contradicts(&self.table, "has terms that are not there"));
        };
        let (start, end) = (terms.bounds.get(file, index)?, terms.bounds.get(file, index + 1)?);
        let len = end.checked_sub(start).map(row_usize).filter(|len| *len <= VALUE_SIZE_MAX);
        let len = len.ok_or_else(|| file.contradicts(&terms.bytes, &format!("has a term from {start} to {end}")))?;
        file.bytes(&terms.bytes, u64::from(start), len)
    }
}

fn offset(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |offset, byte| offset << 8 | u64::from(*byte))
}

/// The bits of one row; as many as its shape says are there.
struct BitReader<'a> {
    bytes: &'a [u8],
    bit: usize,
}

impl BitReader<'_> {
    #[inline]
    fn take(&mut self, width: u8) -> u64 {
        let value = unpack(self.bytes, self.bit, u32::from(width)).unwrap_or_default();
        self.bit += usize::from(width);
        value
    }

    /// At most 32 bits.
    #[inline]
    fn take_u32(&mut self, width: u8) -> u32 {
        u32::try_from(self.take(width)).unwrap_or(u32::MAX)
    }
}

/// One row's way through its parts.
struct RowReader<'a> {
    reader: &'a TemplateReader,
    file: &'a CheckedFile,
    fields: &'a [KeywordColumn],
    row: u32,
    heap_start: u64,
    /// Where its next bytes lie in the heap.
    heap: Option<u64>,
}

impl RowReader<'_> {
    #[inline]
    fn part(&mut self, part: &Part, heap_width: u8, bits: &mut BitReader<'_>, scratch: &mut Scratch) -> Result<()> {
        match part {
            Part::Piece(piece) => scratch.text.extend_from_slice(piece),
            Part::Field(field) => {
                let at = self.fields.binary_search_by_key(field, |column| column.field).ok();
                let column = at.and_then(|at| self.fields.get(at));
                let missing = || {
                    let what = format!("repeats {field}, which row {} does not have", self.row);
                    self.file.contradicts(&self.reader.table, &what)
                };
                let column = column.ok_or_else(missing)?;
                let code = column.code_of(self.file, self.row)?;
                if code == 0 {
                    return Err(missing());
                }
                scratch.text.extend_from_slice(&column.dictionary.term(self.file, code)?);
            }
            Part::Number { notation, base, width } => {
                notation.write(base.wrapping_add(bits.take(*width).cast_signed()), &mut scratch.text);
            }
            Part::Term { first, count, width } => {
                let code = bits.take_u32(*width);
                if code >= *count {
                    return Err(self.file.contradicts(&self.reader.bits, &format!("has term {code} of {count}")));
                }
                let term = self.reader.term(self.file, u64::from(*first) + u64::from(code))?;
                scratch.text.extend_from_slice(term);
            }
            Part::Digits { count, dashes } => digits(*count, *dashes, bits, &mut scratch.text),
            Part::Heap { base, width, hex } => {
                let Some(heap) = &self.reader.heap else {
                    return Err(self.file.contradicts(&self.reader.table, "has no heap"));
                };
                let at = match self.heap {
                    Some(at) => at,
                    None => self.heap_start + bits.take(heap_width),
                };
                let len = row_usize(base.saturating_add(bits.take_u32(*width)));
                if len > VALUE_SIZE_MAX {
                    return Err(self.file.contradicts(heap, &format!("has a value of {len} bytes")));
                }
                let bytes = self.file.bytes(heap, at, len)?;
                self.heap = Some(at + len_u64(len));
                scratch.heap = Some((scratch.heap.map_or(at, |(start, _)| start), at + len_u64(len)));
                if *hex {
                    scratch.text.extend(bytes.iter().flat_map(|byte| [hex_digit(byte >> 4), hex_digit(byte & 15)]));
                } else {
                    scratch.text.extend_from_slice(bytes);
                }
            }
        }
        Ok(())
    }
}

fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + (value - 10) }
}

fn digits(count: u8, dashes: u64, bits: &mut BitReader<'_>, out: &mut Vec<u8>) {
    let mut written = 0;
    while written < count {
        let now = (count - written).min(DIGITS_AT_ONCE);
        let mut packed = bits.take(now * 4);
        for at in written..written + now {
            if dashes >> at & 1 == 1 {
                out.push(b'-');
            }
            out.push(hex_digit(packed.to_le_bytes()[0] & 15));
            packed >>= 4;
        }
        written += now;
    }
}
