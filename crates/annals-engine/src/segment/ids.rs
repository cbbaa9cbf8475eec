//! Ids given by clients: a column of them and a table from id to row.
//!
//! A segment whose ids were all made by the store holds neither: such an id tells its row's key.

use crate::codec::{len_u64, row_usize};
use crate::error::{ErrorKind, Result};
use crate::id::EventId;

use super::checked::CheckedFile;
use super::layout::{Footer, Section, SectionKind};
use super::packed::{self, FrameColumn, PackedColumn};
use super::writer::SegmentWriter;

const ID_SIZE: usize = 16;
/// Rows of a bucket on average, at most: candidates are compared with the column one by one.
const ROWS_PER_BUCKET: u32 = 4;

/// The number of a bucket has this many bits.
fn bucket_bits(rows: u32) -> u32 {
    rows.div_ceil(ROWS_PER_BUCKET).next_power_of_two().trailing_zeros()
}

/// The bucket of an id. Part of the format; seeded with the store, so that nobody outside can
/// prepare ids that all fall into one bucket.
fn bucket(id: EventId, store: u128, bits: u32) -> u32 {
    let mixed = id.as_u128() ^ store;
    let fold = |value: u64| {
        let value = (value ^ (value >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let value = (value ^ (value >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        value ^ (value >> 32)
    };
    let half = |shift: u32| u64::try_from((mixed >> shift) & u128::from(u64::MAX)).unwrap_or_default();
    let seed = u64::try_from(store >> 64).unwrap_or_default();
    let hash = fold(half(0).wrapping_add(fold(half(64) ^ seed.rotate_left(17))));
    u32::try_from(hash & ((1 << bits) - 1)).unwrap_or_default()
}

/// Writes the ids and their table.
pub(crate) fn write(writer: &mut SegmentWriter, store: u128, ids: &[EventId]) -> Result<()> {
    let rows = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    let offset = writer.begin();
    for id in ids {
        writer.write(&id.as_u128().to_le_bytes())?;
    }
    writer.end(offset, Section::new(SectionKind::Ids, 0, len_u64(ids.len())));
    let bits = bucket_bits(rows);
    // Bucket above row, so that one sort of integers groups the rows and keeps each group ascending.
    let mut placed: Vec<u64> =
        (0_u32..).zip(ids).map(|(row, id)| (u64::from(bucket(*id, store, bits)) << 32) | u64::from(row)).collect();
    placed.sort_unstable();
    let mut bounds = Vec::with_capacity(1 << bits);
    let mut at = 0;
    for number in 0..=1_u64 << bits {
        at += placed.get(at..).unwrap_or_default().iter().take_while(|entry| *entry >> 32 < number).count();
        bounds.push(i64::try_from(at).unwrap_or_default());
    }
    let row_numbers: Vec<u32> =
        placed.iter().map(|entry| u32::try_from(entry & u64::from(u32::MAX)).unwrap_or_default()).collect();
    let mut section = Section::new(SectionKind::IdBuckets, 0, 0);
    let bytes = packed::frame(&mut section, &bounds);
    writer.section(section, &bytes)?;
    let mut section = Section::new(SectionKind::IdRows, 0, 0);
    let bytes = packed::pack(&mut section, &row_numbers);
    writer.section(section, &bytes)
}

/// The ids of a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdTable {
    rows: u32,
    store: u128,
    ids: Section,
    buckets: FrameColumn,
    row_numbers: PackedColumn,
}

impl IdTable {
    /// The table a footer tells of; `None` if all ids were made by the store.
    pub(crate) fn new(footer: &Footer, store: u128) -> Result<Option<Self>> {
        if footer.ids_made {
            return Ok(None);
        }
        let buckets = (1_u64 << bucket_bits(footer.rows)) + 1;
        Ok(Some(Self {
            rows: footer.rows,
            store,
            ids: footer.require(SectionKind::Ids, 0)?,
            buckets: FrameColumn::new(footer.require(SectionKind::IdBuckets, 0)?, buckets)?,
            row_numbers: PackedColumn::new(footer.require(SectionKind::IdRows, 0)?, u64::from(footer.rows))?,
        }))
    }

    /// The id of a row.
    pub(crate) fn get(&self, file: &CheckedFile, row: u32) -> Result<EventId> {
        let bytes = file.bytes(&self.ids, u64::from(row) * len_u64(ID_SIZE), ID_SIZE)?;
        Ok(EventId::from_u128(crate::codec::Reader::new(bytes).u128()?))
    }

    /// The rows with this id, ascending.
    pub(crate) fn find(&self, file: &CheckedFile, id: EventId) -> Result<Vec<u32>> {
        match self.find_in_table(file, id) {
            // The table is derived: without it the column is searched.
            Err(error) if error.kind() == ErrorKind::Corrupt => self.find_in_column(file, id),
            other => other,
        }
    }

    /// The same, from the table alone.
    pub(crate) fn find_in_table(&self, file: &CheckedFile, id: EventId) -> Result<Vec<u32>> {
        let number = u64::from(bucket(id, self.store, bucket_bits(self.rows)));
        let bounds = (self.buckets.get(file, number)?, self.buckets.get(file, number + 1)?);
        let (start, end) = match (u64::try_from(bounds.0), u64::try_from(bounds.1)) {
            (Ok(start), Ok(end)) if start <= end && end <= u64::from(self.rows) => (start, end),
            _ => return Err(file.contradicts(self.buckets.section(), &format!("has a bucket {bounds:?}"))),
        };
        let mut found = Vec::new();
        for index in start..end {
            let row = self.row_numbers.get(file, index)?;
            if self.get(file, row)? == id {
                found.push(row);
            }
        }
        if !found.is_sorted_by(|a, b| a < b) {
            return Err(file.contradicts(self.buckets.section(), "has a bucket whose rows do not ascend"));
        }
        Ok(found)
    }

    fn find_in_column(&self, file: &CheckedFile, id: EventId) -> Result<Vec<u32>> {
        let bytes = file.bytes(&self.ids, 0, row_usize(self.rows) * ID_SIZE)?;
        let wanted = id.as_u128().to_le_bytes();
        Ok((0..).zip(bytes.chunks_exact(ID_SIZE)).filter(|(_, held)| *held == wanted).map(|(row, _)| row).collect())
    }
}
