//! Columns of integers in as few bits as they need, each entry readable on its own.
//!
//! A packed column gives every entry the same width. A framed column does so per block of 128 entries,
//! relative to the block's smallest, after taking off a common slope: timestamps, offsets and
//! sequences grow with their index, and only what they deviate by takes room.

use std::borrow::Cow;

use crate::codec::{len_u64, to_usize};
use crate::error::{Error, Result};

use super::bits::BitWriter;
use super::checked::CheckedFile;
use super::layout::Section;

/// Entries of one block of a framed column.
pub(crate) const FRAME_ENTRIES: usize = 128;
/// The same as a row count.
pub(crate) const FRAME_ENTRIES_U32: u32 = 128;
/// The same, for signed arithmetic.
const FRAME_STEP: i64 = 128;
/// Zeroes behind packed bits, so that an entry is read as one aligned-free word.
pub(super) const PADDING: usize = 16;
/// A block of a framed column takes this many bytes per bit of width.
pub(super) const FRAME_UNIT: usize = FRAME_ENTRIES / 8;
/// A block's directory entry: smallest value and end. The end of the block before lies in front of it.
pub(super) const DIRECTORY_ENTRY: usize = 8 + 4;
pub(super) const WIDTH_MAX: u32 = 64;
/// What values may be stored in units of, largest first: seconds, milliseconds, microseconds.
const SCALES: [i64; 3] = [1_000_000, 1000, 1];
/// Beyond this a slope could make residuals wrap, and bounds of blocks would say nothing.
const SLOPED_VALUE_MAX: u64 = 1 << 60;

/// Bits needed for values up to `max`.
pub(crate) fn width_of(max: u64) -> u8 {
    u8::try_from(WIDTH_MAX - max.leading_zeros()).expect("at most 64")
}

/// The `width` bits from `bit` on; `None` if `bytes` ends less than a word behind them.
#[inline]
pub(super) fn unpack(bytes: &[u8], bit: usize, width: u32) -> Option<u64> {
    let start = bit / 8;
    let shift = bit % 8;
    if width == 0 {
        return Some(0);
    }
    if width <= 56 {
        let word: [u8; 8] = bytes.get(start..start.checked_add(8)?)?.try_into().ok()?;
        return Some((u64::from_le_bytes(word) >> shift) & ((1 << width) - 1));
    }
    let word: [u8; 16] = bytes.get(start..start.checked_add(16)?)?.try_into().ok()?;
    u64::try_from((u128::from_le_bytes(word) >> shift) & ((1 << width) - 1)).ok()
}

/// The bytes [`unpack`] looks at.
pub(super) fn window(width: u32) -> usize {
    if width <= 56 { 8 } else { 16 }
}

/// Packs `values`, none of which is below `base`, and completes the description of the section.
pub(crate) fn pack(section: &mut Section, values: &[u32]) -> Vec<u8> {
    let base = values.iter().copied().min().unwrap_or(0);
    let max = values.iter().copied().max().unwrap_or(0);
    section.width = width_of(u64::from(max - base));
    section.slope = i64::from(base);
    section.count = len_u64(values.len());
    if section.width == 0 {
        return Vec::new();
    }
    let width = u32::from(section.width);
    let mut bits = BitWriter::with_capacity(values.len() * usize::from(section.width) / 8 + PADDING + 8);
    for value in values {
        bits.push(u64::from(value - base), width);
    }
    bits.finish(PADDING)
}

/// A packed column of 32-bit values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackedColumn {
    pub(super) section: Section,
    pub(super) width: u32,
    base: u32,
}

impl PackedColumn {
    /// Checks that `section` can hold `count` entries.
    pub(crate) fn new(section: Section, count: u64) -> Result<Self> {
        let width = u32::from(section.width);
        let base = u32::try_from(section.slope).ok();
        let bits = count.checked_mul(u64::from(width));
        let needed = bits.map(|bits| if bits == 0 { 0 } else { bits.div_ceil(8) + len_u64(PADDING) });
        // The largest entry that can be stored must fit, so that no single one has to be checked.
        let fits = |base: u32| width <= 32 && u32::try_from(u64::from(base) + ((1 << width) - 1)).is_ok();
        match (base, needed) {
            (Some(base), Some(needed)) if fits(base) && section.count == count && needed == section.len => {
                Ok(Self { section, width, base })
            }
            _ => Err(Error::corrupt(format!(
                "section {} of field {} cannot hold {count} packed entries",
                section.kind, section.field
            ))),
        }
    }

    /// The entry at `index`. O(1).
    #[inline]
    pub(crate) fn get(&self, file: &CheckedFile, index: u64) -> Result<u32> {
        if index >= self.section.count {
            return Err(file.contradicts(&self.section, &format!("has no entry {index}")));
        }
        if self.width == 0 {
            return Ok(self.base);
        }
        let bit = index * u64::from(self.width);
        let bytes = file.bytes(&self.section, bit / 8, window(self.width))?;
        Ok(self.based(unpack(bytes, to_usize(bit % 8), self.width)))
    }

    /// How many entries.
    pub(crate) fn count(&self) -> u64 {
        self.section.count
    }

    /// Replaces `out` by `len` entries from `first` on.
    pub(crate) fn read(&self, file: &CheckedFile, first: u64, len: usize, out: &mut Vec<u32>) -> Result<()> {
        out.clear();
        if first.checked_add(len_u64(len)).is_none_or(|end| end > self.section.count) {
            return Err(file.contradicts(&self.section, &format!("has no {len} entries at {first}")));
        }
        out.resize(len, 0);
        self.fill(file, first, out)
    }

    /// Fills `out` with the entries from `first` on.
    pub(crate) fn fill(&self, file: &CheckedFile, first: u64, out: &mut [u32]) -> Result<()> {
        let count = len_u64(out.len());
        if first.checked_add(count).is_none_or(|end| end > self.section.count) {
            return Err(file.contradicts(&self.section, &format!("has no {count} entries at {first}")));
        }
        if self.width == 0 {
            out.fill(self.base);
            return Ok(());
        }
        let bit = first * u64::from(self.width);
        let size = (bit % 8 + count * u64::from(self.width)).div_ceil(8);
        let bytes = file.bytes(&self.section, bit / 8, to_usize(size) + 8)?;
        let mut at = to_usize(bit % 8);
        for slot in out {
            *slot = self.based(unpack(bytes, at, self.width));
            at += to_usize(u64::from(self.width));
        }
        Ok(())
    }

    /// `new` made sure that all packed bits are there and that every sum fits.
    #[inline]
    pub(super) fn based(&self, packed: Option<u64>) -> u32 {
        self.base.saturating_add(u32::try_from(packed.unwrap_or_default()).unwrap_or(u32::MAX))
    }

    /// Calls `visit` with every entry in order.
    pub(crate) fn scan(&self, file: &CheckedFile, mut visit: impl FnMut(u32)) -> Result<()> {
        let bytes = file.all(&self.section)?;
        let step = to_usize(u64::from(self.width));
        for index in 0..to_usize(self.section.count) {
            visit(self.based(unpack(bytes, index * step, self.width)));
        }
        Ok(())
    }
}

/// Frames `values` and completes the description of the section.
pub(crate) fn frame(section: &mut Section, values: &[i64]) -> Vec<u8> {
    let scaled = scaled::<{ SCALES[0] }>(values).or_else(|| scaled::<{ SCALES[1] }>(values));
    let (scale, scaled) = scaled.map_or((1, Cow::Borrowed(values)), |(scale, scaled)| (scale, Cow::Owned(scaled)));
    let slope = best_slope(values, &scaled);
    section.count = len_u64(values.len());
    section.slope = slope;
    section.scale = scale;
    let blocks = values.len().div_ceil(FRAME_ENTRIES);
    let mut out = Vec::with_capacity(directory_size(blocks) + values.len() * 2);
    out.extend_from_slice(&0_u32.to_le_bytes());
    let mut bits = BitWriter::with_capacity(values.len() * 2);
    let mut end = 0_u32;
    let mut first = 0_i64;
    for block in scaled.chunks(FRAME_ENTRIES) {
        let (min, width) = spread(block, slope, first);
        end += u32::from(width);
        out.extend_from_slice(&min.to_le_bytes());
        out.extend_from_slice(&end.to_le_bytes());
        if width > 0 {
            for (value, index) in block.iter().zip(first..) {
                let residual = value.wrapping_sub(slope.wrapping_mul(index));
                bits.push(residual.wrapping_sub(min).cast_unsigned(), u32::from(width));
            }
            // Only the last block may be short.
            for _ in block.len()..FRAME_ENTRIES {
                bits.push(0, u32::from(width));
            }
        }
        first += FRAME_STEP;
    }
    out.resize(directory_size(blocks), 0);
    out.append(&mut bits.finish(0));
    out.resize(out.len() + PADDING, 0);
    out
}

/// Bytes of the directory of that many blocks, up to where packed bits start.
fn directory_size(blocks: usize) -> usize {
    (4 + blocks * DIRECTORY_ENTRY).next_multiple_of(8)
}

/// The smallest of a block's residuals and the bits that the distance to the largest takes.
fn spread(block: &[i64], slope: i64, first: i64) -> (i64, u8) {
    let residuals = block.iter().zip(first..).map(|(value, index)| value.wrapping_sub(slope.wrapping_mul(index)));
    let (min, max) =
        residuals.fold((i64::MAX, i64::MIN), |(min, max), residual| (min.min(residual), max.max(residual)));
    (min, width_of(max.wrapping_sub(min).cast_unsigned()))
}

/// The values in units of `SCALE`, if all are whole ones and not all are 0: timestamps of whole milliseconds or
/// seconds are kept so. The scale is a constant, so that no division is done.
fn scaled<const SCALE: i64>(values: &[i64]) -> Option<(i64, Vec<i64>)> {
    let suits = values.iter().all(|value| value % SCALE == 0) && values.iter().any(|value| *value != 0);
    suits.then(|| (SCALE, values.iter().map(|value| value / SCALE).collect()))
}

/// The average growth per entry if it saves bits, else none.
fn best_slope(values: &[i64], scaled: &[i64]) -> i64 {
    let (Some(first), Some(last)) = (scaled.first(), scaled.last()) else { return 0 };
    let steps = i64::try_from(scaled.len()).unwrap_or(i64::MAX).saturating_sub(1).max(1);
    let average = last.saturating_sub(*first) / steps;
    // The index within the block serves: a constant does not change the spread.
    let bits =
        |slope: i64| -> u64 { scaled.chunks(FRAME_ENTRIES).map(|block| u64::from(spread(block, slope, 0).1)).sum() };
    let small = || values.iter().all(|value| value.unsigned_abs() <= SLOPED_VALUE_MAX);
    if average != 0 && small() && bits(average) < bits(0) { average } else { 0 }
}

/// A framed column of 64-bit values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameColumn {
    pub(super) section: Section,
    /// Where packed bits start in the section.
    pub(super) data: u64,
}

/// One block's place and terms.
#[derive(Clone, Copy, Debug)]
struct Frame {
    min: i64,
    width: u32,
    /// Where its bits start in the section.
    at: u64,
}

impl FrameColumn {
    /// Checks that `section` can hold `count` entries.
    pub(crate) fn new(section: Section, count: u64) -> Result<Self> {
        let blocks = usize::try_from(count).ok().map(|count| count.div_ceil(FRAME_ENTRIES));
        let data = blocks.filter(|blocks| *blocks < 1 << 40).map(|blocks| len_u64(directory_size(blocks)));
        match data {
            Some(data)
                if section.count == count
                    && data.saturating_add(len_u64(PADDING)) <= section.len
                    && SCALES.contains(&section.scale) =>
            {
                Ok(Self { section, data })
            }
            _ => Err(Error::corrupt(format!(
                "section {} of field {} cannot hold {count} framed entries",
                section.kind, section.field
            ))),
        }
    }

    /// The section, for messages.
    pub(crate) fn section(&self) -> &Section {
        &self.section
    }

    fn frame(&self, file: &CheckedFile, block: u64) -> Result<Frame> {
        let entry = file.bytes(&self.section, block * len_u64(DIRECTORY_ENTRY), 4 + DIRECTORY_ENTRY)?;
        let mut reader = crate::codec::Reader::new(entry);
        let (start, min, end) = (reader.u32()?, reader.i64()?, reader.u32()?);
        match end.checked_sub(start) {
            Some(width) if width <= WIDTH_MAX => {
                Ok(Frame { min, width, at: self.data + u64::from(start) * len_u64(FRAME_UNIT) })
            }
            _ => Err(file.contradicts(&self.section, &format!("has a block from {start} to {end}"))),
        }
    }

    #[inline]
    fn value(&self, min: i64, delta: u64, index: u64) -> i64 {
        sloped(min, delta, index, self.section.slope, self.section.scale)
    }

    /// The entry at `index`. O(1).
    pub(crate) fn get(&self, file: &CheckedFile, index: u64) -> Result<i64> {
        if index >= self.section.count {
            return Err(file.contradicts(&self.section, &format!("has no entry {index}")));
        }
        let frame = self.frame(file, index / len_u64(FRAME_ENTRIES))?;
        let bit = index % len_u64(FRAME_ENTRIES) * u64::from(frame.width);
        let bytes = file.bytes(&self.section, frame.at + bit / 8, window(frame.width))?;
        let delta = unpack(bytes, to_usize(bit % 8), frame.width).unwrap_or_default();
        Ok(self.value(frame.min, delta, index))
    }

    /// The entries at `index` and behind it. O(1), and hardly dearer than one of them.
    pub(crate) fn get_pair(&self, file: &CheckedFile, index: u64) -> Result<(i64, i64)> {
        let block = self.block(file, index / len_u64(FRAME_ENTRIES))?;
        match (block.get(index), block.get(index.saturating_add(1))) {
            (Some(first), Some(second)) => Ok((first, second)),
            _ => Ok((self.get(file, index)?, self.get(file, index.saturating_add(1))?)),
        }
    }

    /// Block `block`, to read several of its entries.
    pub(crate) fn block<'a>(&self, file: &'a CheckedFile, block: u64) -> Result<FrameBlock<'a>> {
        let frame = self.frame(file, block)?;
        let first = block * len_u64(FRAME_ENTRIES);
        let size = to_usize(u64::from(frame.width)) * FRAME_UNIT + PADDING;
        let bytes = file.bytes(&self.section, frame.at, size)?;
        let entries = self.section.count.saturating_sub(first).min(len_u64(FRAME_ENTRIES));
        let Section { slope, scale, .. } = self.section;
        Ok(FrameBlock { frame, slope, scale, bytes, first, entries })
    }

    /// The smallest and the largest value block `block` can hold, without decoding it.
    pub(crate) fn block_bounds(&self, file: &CheckedFile, block: u64) -> Result<(i128, i128)> {
        let frame = self.frame(file, block)?;
        let first = i128::from(block) * i128::try_from(FRAME_ENTRIES).unwrap_or_default();
        let last = first + i128::try_from(FRAME_ENTRIES - 1).unwrap_or_default();
        let slope = i128::from(self.section.slope);
        let lowest = i128::from(frame.min) + (slope * first).min(slope * last);
        let widest = (1_i128 << frame.width) - 1;
        let highest = i128::from(frame.min) + widest + (slope * first).max(slope * last);
        let scale = i128::from(self.section.scale);
        Ok((lowest * scale, highest * scale))
    }

    /// Blocks of the column.
    pub(crate) fn blocks(&self) -> u64 {
        self.section.count.div_ceil(len_u64(FRAME_ENTRIES))
    }

    /// Replaces `out` by the values of block `block`.
    pub(crate) fn decode_block(&self, file: &CheckedFile, block: u64, out: &mut Vec<i64>) -> Result<()> {
        out.clear();
        let first = block * len_u64(FRAME_ENTRIES);
        let entries = self.section.count.saturating_sub(first).min(len_u64(FRAME_ENTRIES));
        let frame = self.frame(file, block)?;
        let size = to_usize(u64::from(frame.width)) * FRAME_UNIT + PADDING;
        let bytes = file.bytes(&self.section, frame.at, size)?;
        for index in 0..entries {
            let delta = unpack(bytes, to_usize(index * u64::from(frame.width)), frame.width).unwrap_or_default();
            out.push(self.value(frame.min, delta, first + index));
        }
        Ok(())
    }

    /// Every value of the column.
    pub(crate) fn decode(&self, file: &CheckedFile) -> Result<Vec<i64>> {
        let mut values = Vec::with_capacity(to_usize(self.section.count));
        let mut block_values = Vec::with_capacity(FRAME_ENTRIES);
        for block in 0..self.blocks() {
            self.decode_block(file, block, &mut block_values)?;
            values.append(&mut block_values);
        }
        Ok(values)
    }
}

#[inline]
fn sloped(min: i64, delta: u64, index: u64, slope: i64, scale: i64) -> i64 {
    let residual = min.wrapping_add(delta.cast_signed());
    residual.wrapping_add(slope.wrapping_mul(index.cast_signed())).wrapping_mul(scale)
}

/// A block of a framed column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameBlock<'a> {
    frame: Frame,
    slope: i64,
    scale: i64,
    bytes: &'a [u8],
    first: u64,
    entries: u64,
}

impl FrameBlock<'_> {
    /// The entry at `index`, counted from the column's first; `None` if it lies in another block.
    #[inline]
    pub(crate) fn get(&self, index: u64) -> Option<i64> {
        let within = index.checked_sub(self.first).filter(|within| *within < self.entries)?;
        let delta = unpack(self.bytes, to_usize(within * u64::from(self.frame.width)), self.frame.width)?;
        Some(sloped(self.frame.min, delta, index, self.slope, self.scale))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::layout::{CHUNK_SIZE, SectionKind};
    use super::*;

    pub(in crate::segment) fn file(section: &mut Section, bytes: &[u8]) -> CheckedFile {
        section.len = len_u64(bytes.len());
        let crcs = bytes.chunks(CHUNK_SIZE).map(crc32fast::hash).collect();
        CheckedFile::new(Arc::new(bytes.to_vec()), Path::new("test.seg"), bytes.len(), crcs)
    }

    fn assert_framed(values: &[i64]) {
        let mut section = Section::new(SectionKind::CreatedAt, 0, 0);
        let bytes = frame(&mut section, values);
        let file = file(&mut section, &bytes);
        let column = FrameColumn::new(section, len_u64(values.len())).unwrap();
        assert_eq!(column.decode(&file).unwrap(), values);
        for (index, value) in (0..).zip(values) {
            assert_eq!(column.get(&file, index).unwrap(), *value);
            let pair = values.get(to_usize(index) + 1).map(|next| (*value, *next));
            assert_eq!(column.get_pair(&file, index).ok(), pair);
            if values.iter().all(|value| *value >= 0) {
                let bounds = column.block_bounds(&file, index / len_u64(FRAME_ENTRIES)).unwrap();
                assert!((bounds.0..=bounds.1).contains(&i128::from(*value)));
            }
        }
        assert!(column.get(&file, len_u64(values.len())).is_err());
        assert!(FrameColumn::new(section, len_u64(values.len()) + 1).is_err());
        section.scale = 7;
        assert!(FrameColumn::new(section, len_u64(values.len())).is_err());
    }

    proptest! {
        #[test]
        fn framed_values_come_back(values in proptest::collection::vec(any::<i64>(), 1..300)) {
            assert_framed(&values);
        }

        #[test]
        fn framed_slopes_come_back(start in 0..i64::MAX / 2, step in -9_000_000_000_i64..9_000_000_000, count in 1_i64..400, scale in 0_usize..3) {
            let values = (0..count).map(|index| (start / SCALES[scale] + step * index).unsigned_abs() >> 2);
            assert_framed(&values.map(|value| value.cast_signed() * SCALES[scale] % i64::MAX).collect::<Vec<_>>());
        }

        #[test]
        fn packed_values_come_back(values in proptest::collection::vec(any::<u32>(), 0..300), shift in 0_u32..32) {
            let values: Vec<u32> = values.into_iter().map(|value| value >> shift).collect();
            let mut section = Section::new(SectionKind::Codes, 0, 0);
            let bytes = pack(&mut section, &values);
            let file = file(&mut section, &bytes);
            // A base and a width that together exceed 32 bits are refused: no segment has that many rows.
            let Ok(column) = PackedColumn::new(section, len_u64(values.len())) else {
                prop_assert!(values.iter().any(|value| *value > u32::MAX / 2));
                return Ok(());
            };
            let mut scanned = Vec::new();
            column.scan(&file, |value| scanned.push(value)).unwrap();
            prop_assert_eq!(&scanned, &values);
            for (index, value) in (0..).zip(&values) {
                prop_assert_eq!(column.get(&file, index).unwrap(), *value);
            }
            prop_assert!(column.get(&file, len_u64(values.len())).is_err());
        }
    }

    #[test]
    fn constant_and_regular_columns_take_no_bits() {
        let mut section = Section::new(SectionKind::Codes, 0, 0);
        assert!(pack(&mut section, &[7; 1000]).is_empty());
        let mut section = Section::new(SectionKind::Sequence, 0, 0);
        let ascending: Vec<i64> = (500..1500).collect();
        assert_eq!(frame(&mut section, &ascending).len(), directory_size(8) + PADDING);
    }
}
