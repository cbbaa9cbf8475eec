//! The payload of a segment: shapes and values where few shapes explain the first rows, compressed blocks where not.

use std::borrow::Cow;

use crate::codec::{len_u32, len_u64};
use crate::error::{Error, Result};

use super::template::{self, Encoder, Fields};
use super::text::{self, BlockWriter, VALUE_SIZE_MAX};
use super::writer::SegmentWriter;
use super::{KeywordInput, Stream, TextSource};

/// The form is chosen by so many rows, or fewer if they have many bytes.
const SAMPLE_ROWS: u32 = 4096;
const SAMPLE_SIZE_MAX: usize = 8 << 20;
/// At least this share of the sampled rows, in percent, must have a shape.
const EXPLAINED_PERCENT: u32 = 99;
/// The most shapes a sample may have.
const SAMPLE_SHAPES_MAX: usize = 64;
/// Blocks of the sample that are compressed to learn what compressing all would give.
const BLOCKS_TRIED: usize = 8;

/// Writes the payload; nothing at all if no row has one. `keywords` are the segment's.
pub(crate) fn write(
    writer: &mut SegmentWriter,
    rows: u32,
    source: &mut dyn TextSource,
    keywords: &[KeywordInput<'_>],
) -> Result<()> {
    let fields = Fields::new(keywords);
    let mut source = Sampled::new(source, rows)?;
    let encoder = source.encoder(&fields)?;
    match encoder {
        Some(encoder) => write_shapes(writer, rows, &mut source, encoder),
        None => text::write(writer, Stream::Payload, rows, &mut source),
    }
}

fn write_shapes(writer: &mut SegmentWriter, rows: u32, source: &mut Sampled<'_>, encoder: Encoder<'_>) -> Result<()> {
    let mut encoder = encoder;
    let mut overflow: Option<BlockWriter> = None;
    let first = len_u32(source.values.len());
    for row in first..rows {
        let value = source.source.value(Stream::Payload, row)?;
        check_size(row, value.as_deref())?;
        encoder.push(row, value.as_deref());
        flush(writer, &mut encoder, &mut overflow)?;
    }
    flush(writer, &mut encoder, &mut overflow)?;
    if let Some(overflow) = overflow {
        overflow.finish(writer, Stream::Payload)?;
    }
    template::write(writer, Stream::Payload, encoder)
}

/// Hands the texts without a shape to the compressed ones.
fn flush(writer: &mut SegmentWriter, encoder: &mut Encoder<'_>, overflow: &mut Option<BlockWriter>) -> Result<()> {
    for text in encoder.take_overflow() {
        if overflow.is_none() {
            *overflow = Some(BlockWriter::new(writer)?);
        }
        if let Some(blocks) = overflow {
            blocks.push(writer, Some(&text))?;
        }
    }
    Ok(())
}

fn check_size(row: u32, value: Option<&[u8]>) -> Result<()> {
    if value.is_some_and(|value| value.len() > VALUE_SIZE_MAX) {
        return Err(Error::invalid_input(format!("a text of row {row} exceeds {VALUE_SIZE_MAX} bytes")));
    }
    Ok(())
}

/// A source whose first rows were read ahead.
struct Sampled<'a> {
    source: &'a mut dyn TextSource,
    bytes: Vec<u8>,
    /// Where each value lies in `bytes`.
    values: Vec<Option<std::ops::Range<usize>>>,
}

impl<'a> Sampled<'a> {
    fn new(source: &'a mut dyn TextSource, rows: u32) -> Result<Self> {
        let (mut bytes, mut values) = (Vec::new(), Vec::new());
        for row in 0..rows.min(SAMPLE_ROWS) {
            let value = source.value(Stream::Payload, row)?;
            check_size(row, value.as_deref())?;
            let start = bytes.len();
            values.push(value.map(|value| {
                bytes.extend_from_slice(&value);
                start..bytes.len()
            }));
            if bytes.len() >= SAMPLE_SIZE_MAX {
                break;
            }
        }
        Ok(Self { source, bytes, values })
    }

    fn sampled(&self, row: usize) -> Option<Option<&[u8]>> {
        self.values.get(row).map(|place| place.clone().and_then(|place| self.bytes.get(place)))
    }

    /// An encoder that has taken the sample; `None` if blocks are better.
    fn encoder<'f>(&self, fields: &'f Fields<'f>) -> Result<Option<Encoder<'f>>> {
        let first = self.sampled(0).flatten();
        if (0..self.values.len()).all(|row| self.sampled(row).flatten() == first) {
            return Ok(None);
        }
        let mut encoder = Encoder::new(fields);
        for row in 0..self.values.len() {
            encoder.push(len_u32(row), self.sampled(row).flatten());
            if encoder.shape_count() > SAMPLE_SHAPES_MAX {
                return Ok(None);
            }
        }
        let explained = len_u32(self.values.len()) - encoder.overflow_rows();
        if u64::from(explained) * 100 < len_u64(self.values.len()) * u64::from(EXPLAINED_PERCENT) {
            return Ok(None);
        }
        let compressed = self.compressed_size()?;
        // What has no shape is compressed as well as the rest would be.
        let raw = len_u64(self.bytes.len()).max(1);
        let overflow = encoder.overflow_size().saturating_mul(compressed) / raw;
        Ok((encoder.size() + overflow <= compressed).then_some(encoder))
    }

    /// About how many bytes the sample takes in blocks.
    fn compressed_size(&self) -> Result<u64> {
        let mut sizes = (0_u64, 0_u64);
        let blocks: Vec<&[u8]> = self.bytes.chunks(text::BLOCK_SIZE_TARGET).collect();
        let step = (blocks.len() / BLOCKS_TRIED).max(1);
        for block in blocks.iter().step_by(step) {
            sizes.0 += len_u64(block.len());
            sizes.1 += len_u64(text::compressed_size(block)?);
        }
        Ok(len_u64(self.bytes.len()).saturating_mul(sizes.1) / sizes.0.max(1))
    }
}

impl TextSource for Sampled<'_> {
    fn value(&mut self, stream: Stream, row: u32) -> Result<Option<Cow<'_, [u8]>>> {
        let at = crate::codec::row_usize(row);
        if stream == Stream::Payload && at < self.values.len() {
            return Ok(self.sampled(at).flatten().map(Cow::Borrowed));
        }
        self.source.value(stream, row)
    }
}
