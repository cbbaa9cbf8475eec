//! The payload of a segment: shapes and values where few shapes explain the first rows, compressed blocks where not.

use std::borrow::Cow;

use crate::codec::{len_u32, len_u64, row_usize};
use crate::error::{Error, Result};

use super::blocks::{self, BLOCK_SIZE_TARGET, BlockWriter, FRESH};
use super::members::{self, Plan, RowValues};
use super::template::{self, Encoder, Fields};
use super::text::{self, VALUE_SIZE_MAX};
use super::writer::SegmentWriter;
use super::{KeywordInput, SegmentForm, Stream, TextSource};

/// The form is chosen by so many rows, or fewer if they have many bytes.
const SAMPLE_ROWS: u32 = 4096;
const SAMPLE_SIZE_MAX: usize = 8 << 20;
/// At least this share of the sampled rows, in percent, must have a shape.
const EXPLAINED_PERCENT: u32 = 99;
/// The most shapes a sample may have.
const SAMPLE_SHAPES_MAX: usize = 64;
/// Blocks of the sample that are compressed to learn what compressing all would give.
const BLOCKS_TRIED: usize = 8;

/// A dictionary is made of this many bytes of rows. Training takes time by their number; twice as many make blocks smaller
/// by 1 or 2 %.
const TRAINING_SIZE: usize = 1 << 20;
/// No row gives more to it.
const TRAINING_VALUE_MAX: usize = 16 << 10;
/// How large a dictionary is: training and each segment's copy of it cost little beside `DICTIONARY_PAYS`.
const DICTIONARY_SIZE: usize = 112 << 10;
/// Payloads of fewer bytes are compressed without: training takes about a tenth of a second.
const DICTIONARY_PAYS: u64 = 32 << 20;
/// With a dictionary, blocks must take at most this share, in percent, of what they take without.
const DICTIONARY_SHARE: u64 = 90;

/// Writes the payload; nothing at all if no row has one. `keywords` are the segment's.
pub(crate) fn write(
    writer: &mut SegmentWriter,
    rows: u32,
    source: &mut dyn TextSource,
    (keywords, created_at_us): (&[KeywordInput<'_>], &[i64]),
    form: SegmentForm,
) -> Result<()> {
    let fields = Fields::new(keywords);
    let mut source = Sampled::new(source, rows)?;
    let members = match form {
        SegmentForm::Packed if !source.is_constant() => Some(RowValues::new(keywords, created_at_us)),
        _ => None,
    };
    let encoder = source.encoder(&fields)?;
    if let Some(mut values) = members {
        let plan = Plan::new(rows, &mut source, &mut values)?;
        let sampled = len_u64(source.values.len());
        if encoder.as_ref().is_none_or(|(_, size)| plan.size_per_1024 * sampled < *size * 1024) {
            return members::write(writer, rows, (&mut source, &mut values), &plan);
        }
    }
    if let Some((encoder, _)) = encoder {
        return write_shapes(writer, rows, &mut source, encoder);
    }
    let dictionary = source.dictionary(rows)?;
    text::write_packed(writer, Stream::Payload, rows, &mut source, (FRESH, &dictionary))
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
            *overflow = Some(BlockWriter::new(writer, FRESH, Vec::new())?);
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

    fn sampled(&self, row: usize) -> Option<&[u8]> {
        self.values.get(row).cloned().flatten().and_then(|place| self.bytes.get(place))
    }

    /// Whether all sampled rows are the same.
    fn is_constant(&self) -> bool {
        let first = self.sampled(0);
        (0..self.values.len()).all(|row| self.sampled(row) == first)
    }

    /// Bytes of a sampled row.
    fn average(&self) -> usize {
        self.bytes.len() / self.values.len().max(1)
    }

    /// An encoder that has taken the sample, and the bytes that takes; `None` if blocks are better.
    fn encoder<'f>(&self, fields: &'f Fields<'f>) -> Result<Option<(Encoder<'f>, u64)>> {
        if self.is_constant() {
            return Ok(None);
        }
        let mut encoder = Encoder::new(fields);
        for row in 0..self.values.len() {
            encoder.push(len_u32(row), self.sampled(row));
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
        let size = encoder.size() + overflow;
        Ok((size <= compressed).then_some((encoder, size)))
    }

    /// What the payloads of all rows have in common; empty if that does not pay. Made of these rows alone, so that
    /// they give the same bytes wherever they are sealed.
    fn dictionary(&mut self, rows: u32) -> Result<Vec<u8>> {
        let average = self.average();
        if len_u64(average).saturating_mul(u64::from(rows)) < DICTIONARY_PAYS {
            return Ok(Vec::new());
        }
        let wanted = u32::try_from(TRAINING_SIZE / average.max(1)).unwrap_or(u32::MAX).max(1);
        let step = row_usize((rows / wanted).max(1));
        let (mut samples, mut sizes) = (Vec::new(), Vec::new());
        for row in (0..rows).step_by(step) {
            let Some(value) = self.source.value(Stream::Payload, row)? else { continue };
            let value = value.get(..TRAINING_VALUE_MAX).unwrap_or(&value);
            samples.extend_from_slice(value);
            sizes.push(value.len());
            if samples.len() >= 2 * TRAINING_SIZE {
                break;
            }
        }
        // The trainer refuses what has too little in common: then there is no dictionary.
        let Ok(dictionary) = zstd::dict::from_continuous(&samples, &sizes, DICTIONARY_SIZE) else {
            return Ok(Vec::new());
        };
        let (mut with, mut without) = (0, 0);
        for block in self.bytes.chunks(FRESH.block_size).take(BLOCKS_TRIED) {
            with += len_u64(blocks::compressed_size(block, FRESH, &dictionary)?);
            without += len_u64(blocks::compressed_size(block, FRESH, &[])?);
        }
        Ok(if with * 100 <= without * DICTIONARY_SHARE { dictionary } else { Vec::new() })
    }

    /// About how many bytes the sample takes in blocks.
    fn compressed_size(&self) -> Result<u64> {
        let mut sizes = (0_u64, 0_u64);
        let blocks: Vec<&[u8]> = self.bytes.chunks(BLOCK_SIZE_TARGET).collect();
        let step = (blocks.len() / BLOCKS_TRIED).max(1);
        for block in blocks.iter().step_by(step) {
            sizes.0 += len_u64(block.len());
            sizes.1 += len_u64(blocks::compressed_size(block, FRESH, &[])?);
        }
        Ok(len_u64(self.bytes.len()).saturating_mul(sizes.1) / sizes.0.max(1))
    }
}

impl TextSource for Sampled<'_> {
    fn value(&mut self, stream: Stream, row: u32) -> Result<Option<Cow<'_, [u8]>>> {
        let at = row_usize(row);
        if stream == Stream::Payload && at < self.values.len() {
            return Ok(self.sampled(at).map(Cow::Borrowed));
        }
        self.source.value(stream, row)
    }
}
