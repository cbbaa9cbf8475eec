//! How many values each row has, of a keyword field of several.

use std::ops::Range;

use crate::codec::{len_u32, row_usize};
use crate::error::{Error, Result};
use crate::field::VALUES_MAX;

use super::ahead::{Ahead, Wave};
use super::checked::CheckedFile;
use super::layout::{FieldEntry, Footer, Section, SectionKind};
use super::packed::{self, FrameColumn, PackedColumn};
use super::writer::SegmentWriter;

/// Rows from one stored start to the next.
const ROW_BLOCK: usize = 32;
const ROW_BLOCK_U32: u32 = 32;

/// Writes how many values each row has, given where those of each end, and returns how many rows have any.
pub(super) fn write(writer: &mut SegmentWriter, field: u8, ends: &[u32]) -> Result<u32> {
    let mut counts = Vec::with_capacity(ends.len());
    let mut starts = Vec::with_capacity(ends.len() / ROW_BLOCK + 2);
    let mut start = 0;
    for block in ends.chunks(ROW_BLOCK) {
        starts.push(i64::from(start));
        for end in block {
            counts.push(end - start);
            start = *end;
        }
    }
    starts.push(i64::from(start));
    let mut section = Section::new(SectionKind::RowValues, field, 0);
    let bytes = packed::pack(&mut section, &counts);
    writer.section(section, &bytes)?;
    let mut section = Section::new(SectionKind::RowStarts, field, 0);
    let bytes = packed::frame(&mut section, &starts);
    writer.section(section, &bytes)?;
    Ok(len_u32(counts.iter().filter(|count| **count > 0).count()))
}

/// How many values each row has, and from which value on: a start for every block of rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowValues {
    rows: u32,
    values: u32,
    counts: PackedColumn,
    starts: FrameColumn,
}

impl RowValues {
    pub(super) fn new(footer: &Footer, entry: FieldEntry) -> Result<Self> {
        let counts = footer.require(SectionKind::RowValues, entry.field)?;
        let starts = footer.require(SectionKind::RowStarts, entry.field)?;
        let blocks = u64::from(footer.rows.div_ceil(ROW_BLOCK_U32));
        Ok(Self {
            rows: footer.rows,
            values: entry.values,
            counts: PackedColumn::new(counts, u64::from(footer.rows))?,
            starts: FrameColumn::new(starts, blocks + 1)?,
        })
    }

    /// Loads what [`RowValues::span`] reads of `row`; the second time where it starts.
    #[inline]
    pub(super) fn touch(&self, ahead: &mut Ahead<'_>, row: u32, wave: Wave) {
        match wave {
            Wave::First => {
                self.counts.touch(ahead, u64::from(row));
                self.starts.touch_directory(ahead, u64::from(row / ROW_BLOCK_U32));
            }
            Wave::Second => self.starts.touch(ahead, u64::from(row / ROW_BLOCK_U32)),
        }
    }

    /// The places of the values of `row`.
    pub(super) fn span(&self, file: &CheckedFile, row: u32) -> Result<Range<u64>> {
        if row >= self.rows {
            return Err(file.contradicts(self.starts.section(), &format!("has no row {row}")));
        }
        let mut counts = [0; ROW_BLOCK];
        let counts = counts.get_mut(..=row_usize(row % ROW_BLOCK_U32)).unwrap_or_default();
        self.counts.fill(file, u64::from(row - row % ROW_BLOCK_U32), counts)?;
        let (of_row, before) = counts.split_last().map_or((0, &[][..]), |(last, before)| (*last, before));
        let start = self.starts.get(file, u64::from(row / ROW_BLOCK_U32))?;
        let first = u64::try_from(start).ok().map(|start| start + before.iter().copied().map(u64::from).sum::<u64>());
        match first.map(|first| (first, first + u64::from(of_row))) {
            Some((first, end)) if row_usize(of_row) <= VALUES_MAX && end <= u64::from(self.values) => Ok(first..end),
            _ => Err(file.contradicts(self.starts.section(), &format!("has {of_row} values of a row behind {start}"))),
        }
    }

    /// Calls `visit` with the places of the values of each of `rows`; those of neighbours cost hardly more than one.
    pub(super) fn spans(
        &self,
        file: &CheckedFile,
        rows: &[u32],
        mut visit: impl FnMut(usize, Range<u64>) -> Result<()>,
    ) -> Result<()> {
        let mut counts = [0; ROW_BLOCK];
        // The block whose counts these are, and where its values start.
        let mut known: Option<(u32, u64)> = None;
        for (at, row) in rows.iter().enumerate() {
            let block = row / ROW_BLOCK_U32;
            let lonely = rows.get(at + 1).is_none_or(|next| next / ROW_BLOCK_U32 != block);
            if *row >= self.rows || (lonely && known.is_none_or(|(known, _)| known != block)) {
                visit(at, self.span(file, *row)?)?;
                continue;
            }
            let start = match known {
                Some((known, start)) if known == block => start,
                _ => {
                    let first = block * ROW_BLOCK_U32;
                    let len = row_usize((self.rows - first).min(ROW_BLOCK_U32));
                    let counts = counts.get_mut(..len).unwrap_or_default();
                    self.counts.fill(file, u64::from(first), counts)?;
                    let start = self.starts.get(file, u64::from(block))?;
                    let start = u64::try_from(start).map_err(|source| self.wrong(file, start).with_source(source))?;
                    known = Some((block, start));
                    start
                }
            };
            let (before, rest) = counts.split_at_checked(row_usize(row % ROW_BLOCK_U32)).unwrap_or_default();
            let first = start + before.iter().copied().map(u64::from).sum::<u64>();
            let of_row = rest.first().copied().unwrap_or_default();
            let end = first + u64::from(of_row);
            if row_usize(of_row) > VALUES_MAX || end > u64::from(self.values) {
                return Err(self.wrong(file, i64::try_from(start).unwrap_or(i64::MAX)));
            }
            visit(at, first..end)?;
        }
        Ok(())
    }

    fn wrong(&self, file: &CheckedFile, start: i64) -> Error {
        file.contradicts(self.starts.section(), &format!("has values of a row behind {start} that are not there"))
    }

    /// The number of values of every row.
    pub(super) fn all(&self, file: &CheckedFile) -> Result<Vec<u32>> {
        let mut counts = Vec::new();
        self.counts.read(file, 0, row_usize(self.rows), &mut counts)?;
        let starts = self.starts.decode(file)?;
        let mut end = 0_u64;
        for (block, start) in counts.chunks(ROW_BLOCK).zip(&starts) {
            let right = u64::try_from(*start).ok() == Some(end) && block.iter().all(|n| row_usize(*n) <= VALUES_MAX);
            if !right {
                return Err(file.contradicts(self.starts.section(), &format!("has a block of rows at value {start}")));
            }
            end += block.iter().copied().map(u64::from).sum::<u64>();
        }
        if end != u64::from(self.values) || starts.last().copied() != i64::try_from(end).ok() {
            return Err(file.contradicts(self.starts.section(), &format!("has {end} values")));
        }
        Ok(counts)
    }
}
