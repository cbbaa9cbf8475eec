//! Which step of a framed column that ascends a value falls into: positions -> rows, rare tokens -> groups.

use super::super::checked::CheckedFile;
use super::super::packed::{FRAME_ENTRIES, FrameBlock, FrameColumn};
use crate::codec::len_u64;
use crate::error::Result;

/// Steps taken one by one before larger ones.
const SINGLE_STEPS: u64 = 4;

/// A step: the index of its entry, that entry and the next one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) index: u64,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// Finds the steps of values that ascend.
pub(super) struct Steps<'a> {
    column: FrameColumn,
    file: &'a CheckedFile,
    /// The index of the last entry, which only ends a step.
    last: u64,
    /// What a step is wide on average, at least 1.
    width: u64,
    block: Option<FrameBlock<'a>>,
    current: Option<Step>,
}

impl<'a> Steps<'a> {
    /// A column of `last + 1` entries, the last of which is about `total`.
    pub(super) fn new(column: FrameColumn, last: u64, total: u64, file: &'a CheckedFile) -> Self {
        let width = (total / last.max(1)).max(1);
        Self { column, file, last, width, block: None, current: None }
    }

    /// The entry at `index`.
    #[inline]
    pub(super) fn entry(&mut self, index: u64) -> Result<u64> {
        let mut entry = self.block.as_ref().and_then(|block| block.get(index));
        if entry.is_none() {
            let block = self.column.block(self.file, index / len_u64(FRAME_ENTRIES))?;
            entry = block.get(index);
            self.block = Some(block);
        }
        entry
            .and_then(|entry| u64::try_from(entry).ok())
            .ok_or_else(|| self.file.contradicts(self.column.section(), &format!("has no entry {index}")))
    }

    /// The step that holds `value`, which is not below one asked for before.
    pub(super) fn find(&mut self, value: u64) -> Result<Step> {
        let mut step = match self.current {
            Some(step) => step,
            None => self.step(0)?,
        };
        let far = value.saturating_sub(step.end) / self.width;
        if far < SINGLE_STEPS {
            for _ in 0..SINGLE_STEPS {
                if value < step.end {
                    break;
                }
                let index = (step.index + 1).min(self.last);
                step = Step { index, start: step.end, end: self.entry((index + 1).min(self.last))? };
            }
        }
        if value >= step.end {
            step = self.far(step.index, step.index.saturating_add(far), value)?;
        }
        if !(step.start..step.end).contains(&value) {
            return Err(self.file.contradicts(self.column.section(), &format!("has no step for {value}")));
        }
        self.current = Some(step);
        Ok(step)
    }

    /// The last step from `low` on that starts at or before `value`; it is likely to be close to `guess`.
    fn far(&mut self, mut low: u64, guess: u64, value: u64) -> Result<Step> {
        let mut high = self.last;
        let guess = guess.clamp(low, high);
        let mut size = 1;
        if self.entry(guess)? <= value {
            low = guess;
            while low.saturating_add(size) < high {
                if self.entry(low + size)? > value {
                    high = low + size;
                } else {
                    low += size;
                }
                size *= 2;
            }
        } else {
            high = guess;
            while high.saturating_sub(size) > low {
                if self.entry(high - size)? <= value {
                    low = high - size;
                } else {
                    high -= size;
                }
                size *= 2;
            }
        }
        while high.saturating_sub(low) > 1 {
            let middle = low + (high - low) / 2;
            if self.entry(middle)? <= value {
                low = middle;
            } else {
                high = middle;
            }
        }
        self.step(low)
    }

    fn step(&mut self, index: u64) -> Result<Step> {
        let start = self.entry(index)?;
        Ok(Step { index, start, end: self.entry((index + 1).min(self.last))? })
    }
}
