//! The table of shapes: what to put together for a row of each code. `docs/format.md`, "Shapes".

use crate::codec::{Reader, len_u64, put_bytes, put_varint, take_bytes};
use crate::error::{Error, Result};
use crate::field::{Field, Values};

use super::number::Notation;
use super::{CODE_SHAPES, SHAPES_MAX};

/// The most parts of one shape: pieces and holes.
const PARTS_MAX: usize = 2 * super::lex::HOLES_MAX + 1;
/// Bits of a value's length, of a distance in the heap, of a term's code.
const WIDTH_MAX: u8 = 32;
/// The longest value that every row has in as many bits.
pub(super) const FIXED_SIZE_MAX: usize = 64;

const TAG_PIECE: u8 = 1;
const TAG_FIELD: u8 = 2;
const TAG_NUMBER: u8 = 3;
const TAG_TERM: u8 = 4;
const TAG_DIGITS: u8 = 5;
const TAG_HEAP: u8 = 6;

/// One part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Bytes that all rows share.
    Piece(Vec<u8>),
    /// The row's value of a keyword field.
    Field(Field),
    /// A number: `base` plus `width` bits.
    Number { notation: Notation, base: i64, width: u8 },
    /// One of `count` terms from `first` on, by `width` bits.
    Term { first: u32, count: u32, width: u8 },
    /// So many lower-case hexadecimal digits of four bits each; a dash in front of those the mask names.
    Digits { count: u8, dashes: u64 },
    /// Bytes from the heap, as many as `base` plus `width` bits; as hexadecimal digits, two a byte, if `hex`.
    Heap { base: u32, width: u8, hex: bool },
}

impl Part {
    /// The bits of a row that it takes.
    pub(super) fn bits(&self) -> u32 {
        match self {
            Self::Piece(_) | Self::Field(_) => 0,
            Self::Number { width, .. } | Self::Term { width, .. } | Self::Heap { width, .. } => u32::from(*width),
            Self::Digits { count, .. } => u32::from(*count) * 4,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Piece(bytes) => {
                out.push(TAG_PIECE);
                put_bytes(out, bytes);
            }
            Self::Field(field) => out.extend_from_slice(&[TAG_FIELD, field.number()]),
            Self::Number { notation, base, width } => {
                out.extend_from_slice(&[TAG_NUMBER, *notation as u8, *width]);
                out.extend_from_slice(&base.to_le_bytes());
            }
            Self::Term { first, count, width } => {
                out.extend_from_slice(&[TAG_TERM, *width]);
                out.extend_from_slice(&first.to_le_bytes());
                out.extend_from_slice(&count.to_le_bytes());
            }
            Self::Digits { count, dashes } => {
                out.extend_from_slice(&[TAG_DIGITS, *count]);
                out.extend_from_slice(&dashes.to_le_bytes());
            }
            Self::Heap { base, width, hex } => {
                out.extend_from_slice(&[TAG_HEAP, *width, u8::from(*hex)]);
                out.extend_from_slice(&base.to_le_bytes());
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let width = |reader: &mut Reader<'_>, max: u8| {
            let width = reader.u8()?;
            if width <= max { Ok(width) } else { Err(Error::corrupt(format!("a part of a shape has {width} bits"))) }
        };
        Ok(match reader.u8()? {
            TAG_PIECE => Self::Piece(take_bytes(reader)?.to_vec()),
            TAG_FIELD => {
                let number = reader.u8()?;
                let field = Field::from_number(number).filter(|field| field.values() == Values::Single);
                Self::Field(field.ok_or_else(|| Error::corrupt(format!("a shape repeats field {number}")))?)
            }
            TAG_NUMBER => {
                let number = reader.u8()?;
                let notation = Notation::from_number(number)
                    .ok_or_else(|| Error::corrupt(format!("a shape has numbers in notation {number}")))?;
                Self::Number { notation, width: width(reader, 64)?, base: reader.i64()? }
            }
            TAG_TERM => Self::Term { width: width(reader, WIDTH_MAX)?, first: reader.u32()?, count: reader.u32()? },
            TAG_DIGITS => {
                let (count, dashes) = (reader.u8()?, reader.u64()?);
                if usize::from(count) > FIXED_SIZE_MAX {
                    return Err(Error::corrupt(format!("a shape has {count} digits")));
                }
                Self::Digits { count, dashes }
            }
            TAG_HEAP => {
                let (width, hex) = (width(reader, WIDTH_MAX)?, reader.u8()?);
                if hex > 1 {
                    return Err(Error::corrupt(format!("a shape has heap values of form {hex}")));
                }
                Self::Heap { base: reader.u32()?, width, hex: hex == 1 }
            }
            tag => return Err(Error::corrupt(format!("a shape has a part of kind {tag}"))),
        })
    }
}

/// What is common to all rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// Bits of a row's number among the compressed texts.
    pub(super) overflow_width: u8,
    /// Bits of the distance of a row's heap bytes from those of its block; `None` if there is no heap.
    pub(super) heap_width: Option<u8>,
    /// By code less `CODE_SHAPES`.
    pub(super) shapes: Vec<Vec<Part>>,
}

impl Table {
    /// The bits of a row of each code, in the order of the codes.
    pub(super) fn row_bits(&self) -> Vec<u32> {
        let heap_width = u32::from(self.heap_width.unwrap_or(0));
        let of_shape = |parts: &Vec<Part>| {
            let in_heap = parts.iter().any(|part| matches!(part, Part::Heap { .. }));
            parts.iter().map(Part::bits).sum::<u32>() + if in_heap { heap_width } else { 0 }
        };
        let fixed = [0, u32::from(self.overflow_width)];
        debug_assert_eq!(fixed.len(), usize::from(CODE_SHAPES), "one entry for each code that is no shape");
        fixed.into_iter().chain(self.shapes.iter().map(of_shape)).collect()
    }

    /// The bytes of the table.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.overflow_width, self.heap_width.map_or(u8::MAX, |width| width)];
        put_varint(&mut out, len_u64(self.shapes.len()));
        for parts in &self.shapes {
            put_varint(&mut out, len_u64(parts.len()));
            for part in parts {
                part.encode(&mut out);
            }
        }
        out
    }

    /// Reads a table.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let (overflow_width, heap_width) = (reader.u8()?, reader.u8()?);
        let heap_width = (heap_width != u8::MAX).then_some(heap_width);
        let shape_count = reader.varint_len()?;
        if overflow_width > WIDTH_MAX || heap_width.is_some_and(|width| width > WIDTH_MAX) || shape_count > SHAPES_MAX {
            return Err(Error::corrupt(format!("a table of {shape_count} shapes is impossible")));
        }
        let mut shapes = Vec::with_capacity(shape_count);
        for _ in 0..shape_count {
            let part_count = reader.varint_len()?;
            if part_count > PARTS_MAX {
                return Err(Error::corrupt(format!("a shape has {part_count} parts")));
            }
            let parts = (0..part_count).map(|_| Part::decode(&mut reader)).collect::<Result<Vec<_>>>()?;
            let in_heap = parts.iter().any(|part| matches!(part, Part::Heap { .. }));
            if in_heap && heap_width.is_none() {
                return Err(Error::corrupt("a shape has values in a heap that is not there"));
            }
            shapes.push(parts);
        }
        if !reader.is_empty() {
            return Err(Error::corrupt("a table of shapes is longer than its shapes"));
        }
        Ok(Self { overflow_width, heap_width, shapes })
    }
}
