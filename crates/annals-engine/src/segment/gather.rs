//! Entries of many rows of a column at once, and where they lie before they are read.

use crate::codec::{len_u64, to_usize};
use crate::error::{Error, Result};

use super::ahead::Ahead;
use super::checked::CheckedFile;
use super::packed::{
    DIRECTORY_ENTRY, FRAME_ENTRIES, FRAME_UNIT, FrameBlock, FrameColumn, PackedColumn, WIDTH_MAX, unpack, window,
};

/// Rows whose entries lie in a piece of this size are read together: it is checked as one.
const PIECE_SIZE_MAX: usize = 4096;

/// The first step from a guessed place: as many entries as a few cache lines hold.
const STEP_FIRST: u32 = 32;

impl PackedColumn {
    /// Replaces `out` by the entries of `rows`; those of neighbours are read from one piece of the section.
    pub(super) fn gather(&self, file: &CheckedFile, rows: &[u32], out: &mut Vec<u32>) -> Result<()> {
        out.clear();
        let (first, last) = rows.iter().fold((u32::MAX, 0), |(low, high), row| (low.min(*row), high.max(*row)));
        let (start, end) = (u64::from(first) * u64::from(self.width), u64::from(last) * u64::from(self.width));
        let size = to_usize(end.saturating_sub(start)) / 8 + window(self.width) + 1;
        if rows.len() < 2 || self.width == 0 || u64::from(last) >= self.section.count {
            for row in rows {
                out.push(self.get(file, u64::from(*row))?);
            }
            return Ok(());
        }
        // Nothing but arithmetic between one row and the next, so that the processor waits for many of them at once.
        let (bytes, from) = if size > PIECE_SIZE_MAX {
            let places = rows.iter().map(|row| u64::from(*row) * u64::from(self.width) / 8);
            (file.scattered(&self.section, places, window(self.width))?, 0)
        } else {
            (file.bytes(&self.section, start / 8, size)?, start / 8 * 8)
        };
        out.extend(rows.iter().map(|row| {
            let bit = (u64::from(*row) * u64::from(self.width)).saturating_sub(from);
            self.based(unpack(bytes, to_usize(bit), self.width))
        }));
        Ok(())
    }

    /// Loads where the entry at `index` lies.
    #[inline]
    pub(super) fn touch(&self, ahead: &mut Ahead<'_>, index: u64) {
        if self.width > 0 {
            ahead.touch(&self.section, index.wrapping_mul(u64::from(self.width)) / 8);
        }
    }
}

impl FrameColumn {
    /// Replaces `out` by the entries of `rows`; neighbours are read from their block without looking for it again.
    pub(super) fn gather(&self, file: &CheckedFile, rows: &[u32], out: &mut Vec<i64>) -> Result<()> {
        out.clear();
        let mut block: Option<FrameBlock<'_>> = None;
        for (at, row) in rows.iter().enumerate() {
            let index = u64::from(*row);
            let mut entry = block.as_ref().and_then(|block| block.get(index));
            // A block is worth it if the next row lies in it as well.
            let next = rows.get(at + 1).map(|next| u64::from(*next) / len_u64(FRAME_ENTRIES));
            if entry.is_none() && next == Some(index / len_u64(FRAME_ENTRIES)) && index < self.section.count {
                entry = block.insert(self.block(file, index / len_u64(FRAME_ENTRIES))?).get(index);
            }
            out.push(match entry {
                Some(entry) => entry,
                None => self.get(file, index)?,
            });
        }
        Ok(())
    }

    /// The first row of a column that ascends whose entry is at least `wanted`; the row count if there is none. `bounds`
    /// are its first and last entries. Events come evenly enough that a guess by time is a few rows off: from there the
    /// step is doubled until the place is passed, so that few cache lines are loaded.
    pub(super) fn first_at_least(&self, file: &CheckedFile, wanted: i64, bounds: (i64, i64)) -> Result<u32> {
        let rows = u32::try_from(self.section.count).unwrap_or(u32::MAX);
        if wanted <= bounds.0 {
            return Ok(0);
        }
        if wanted > bounds.1 {
            return Ok(rows);
        }
        let (mut low, mut high) = (0, rows);
        let share =
            u128::from(wanted.abs_diff(bounds.0)) * u128::from(rows) / u128::from(bounds.1.abs_diff(bounds.0).max(1));
        let mut guess = u32::try_from(share).unwrap_or(u32::MAX).min(rows.saturating_sub(1));
        let mut step = STEP_FIRST;
        let is_below = |row: u32| Ok::<_, Error>(self.get(file, u64::from(row))? < wanted);
        let up = is_below(guess)?;
        while low < high && guess < high && guess >= low {
            if is_below(guess)? {
                low = guess + 1;
                if !up {
                    break;
                }
                guess = guess.saturating_add(step);
            } else {
                high = guess;
                if up || guess == 0 {
                    break;
                }
                guess = guess.saturating_sub(step);
            }
            step = step.saturating_mul(4);
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if is_below(middle)? {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Loads what says where the entry at `index` lies.
    #[inline]
    pub(super) fn touch_directory(&self, ahead: &mut Ahead<'_>, index: u64) {
        ahead.touch(&self.section, index / len_u64(FRAME_ENTRIES) * len_u64(DIRECTORY_ENTRY));
    }

    /// Loads where the entry at `index` lies, once the directory is loaded.
    #[inline]
    pub(super) fn touch(&self, ahead: &mut Ahead<'_>, index: u64) {
        let block = index / len_u64(FRAME_ENTRIES);
        let Some([s0, s1, s2, s3, _, _, _, _, _, _, _, _, e0, e1, e2, e3]) =
            ahead.peek(&self.section, block * len_u64(DIRECTORY_ENTRY))
        else {
            return;
        };
        let (start, end) = (u32::from_le_bytes([*s0, *s1, *s2, *s3]), u32::from_le_bytes([*e0, *e1, *e2, *e3]));
        let bit = index % len_u64(FRAME_ENTRIES) * u64::from(end.wrapping_sub(start) & (2 * WIDTH_MAX - 1));
        ahead.touch(&self.section, self.data + u64::from(start) * len_u64(FRAME_UNIT) + bit / 8);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::layout::{Section, SectionKind};
    use super::super::packed::tests::file;
    use super::super::packed::{frame, pack};
    use super::*;

    /// Rows in either direction, far apart, twice and one that is not there.
    fn assert_gathered<T: Copy + PartialEq + std::fmt::Debug>(
        values: &[T],
        gather: impl Fn(&[u32], &mut Vec<T>) -> Result<()>,
    ) {
        let count = crate::codec::len_u32(values.len());
        let mut out = Vec::new();
        let forth: Vec<u32> = (0..count).collect();
        let back: Vec<u32> = (0..count).rev().step_by(3).collect();
        let apart: Vec<u32> = forth.iter().map(|row| row * 37 % count).collect();
        for rows in [forth, back, apart, Vec::new()] {
            gather(&rows, &mut out).unwrap();
            let expected: Vec<T> = rows.iter().map(|row| values[*row as usize]).collect();
            assert_eq!(out, expected);
        }
        assert!(gather(&[0, count], &mut out).is_err());
    }

    proptest! {
        #[test]
        fn places_in_ascending_columns_are_found(
            steps in proptest::collection::vec(prop_oneof![8 => 0_i64..50, 1 => 0_i64..100_000], 1..900),
            start in -1_000_000_i64..1_000_000,
            wanted in proptest::collection::vec(any::<prop::sample::Index>(), 20),
        ) {
            let values: Vec<i64> = steps.iter().scan(start, |at, step| { *at += step; Some(*at) }).collect();
            let mut section = Section::new(SectionKind::CreatedAt, 0, 0);
            let bytes = frame(&mut section, &values);
            let file = file(&mut section, &bytes);
            let column = FrameColumn::new(section, len_u64(values.len())).unwrap();
            let bounds = (values[0], values[values.len() - 1]);
            for at in wanted {
                let value = values[at.index(values.len())];
                for wanted in [value - 1, value, value + 1, i64::MIN, i64::MAX] {
                    let expected = values.partition_point(|value| *value < wanted);
                    prop_assert_eq!(column.first_at_least(&file, wanted, bounds).unwrap() as usize, expected);
                }
            }
        }

        #[test]
        fn gathered_entries_are_those_got_one_by_one(
            values in proptest::collection::vec(any::<u32>(), 1..6000),
            shift in 0_u32..32,
            slope in 0_i64..1000,
        ) {
            let values: Vec<u32> = values.into_iter().map(|value| value >> shift).collect();
            let mut section = Section::new(SectionKind::Codes, 0, 0);
            let bytes = pack(&mut section, &values);
            let packed = file(&mut section, &bytes);
            if let Ok(column) = PackedColumn::new(section, len_u64(values.len())) {
                assert_gathered(&values, |rows, out| column.gather(&packed, rows, out));
            }
            let framed: Vec<i64> = (0..).zip(&values).map(|(at, value)| at * slope + i64::from(*value)).collect();
            let mut section = Section::new(SectionKind::CreatedAt, 0, 0);
            let bytes = frame(&mut section, &framed);
            let packed = file(&mut section, &bytes);
            let column = FrameColumn::new(section, len_u64(values.len())).unwrap();
            assert_gathered(&framed, |rows, out| column.gather(&packed, rows, out));
        }
    }
}
