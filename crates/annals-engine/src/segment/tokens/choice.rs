//! Whether tokens are worth it: what blocks of the same texts would take is tried out on some of them.

use std::path::Path;

use crate::codec::{len_u64, put_varint, row_usize};
use crate::error::{Error, Result};

use super::super::blocks::{BLOCK_ROWS_MAX, BLOCK_SIZE_TARGET, ZSTD_LEVEL};
use super::write::{Plan, TokenCoder};

/// Texts after which the first decision falls.
const SAMPLE_TEXTS: u32 = 4096;
/// Blocks that are compressed at most to find out, spread over all rows.
const BLOCKS_TRIED: u32 = 16;
/// What a row may cost more than in blocks: so much are reading it alone and searching without decoding worth.
const EXTRA_PER_ROW: u64 = 3;

impl TokenCoder {
    /// Whether it has become clear that blocks are better. Asked after every row; `path` is for messages.
    pub(crate) fn gives_up(&mut self, path: &Path) -> Result<bool> {
        // Rows without a text tell nothing of those that have one.
        if self.texts() == SAMPLE_TEXTS && !std::mem::replace(&mut self.tried, true) {
            // The words of the rows to come have mostly been seen: they will not make the dictionary grow as fast.
            let (size, dictionary) = self.size(&self.plan());
            return Ok(size - dictionary / 2 > self.allowed(path)?);
        }
        Ok(self.is_full())
    }

    /// How to write the whole stream; `None` if it is better off in blocks.
    pub(crate) fn worth_it(&self, path: &Path) -> Result<Option<Plan>> {
        let plan = self.plan();
        Ok(if self.size(&plan).0 <= self.allowed(path)? { Some(plan) } else { None })
    }

    /// The most that tokens may take.
    fn allowed(&self, path: &Path) -> Result<u64> {
        let (sampled, bytes) = self.blocks(path)?;
        let blocks = bytes * u64::from(self.texts()) / u64::from(sampled.max(1));
        Ok((blocks + blocks / 10 * 3).max(blocks + u64::from(self.rows()) * EXTRA_PER_ROW))
    }

    /// So many of the texts take so many bytes in blocks, whose rows without a text take none.
    fn blocks(&self, path: &Path) -> Result<(u32, u64)> {
        let failed = |source| Error::io("try compression for", path, source);
        let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(failed)?;
        let (mut text, mut raw, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        let (mut sampled, mut size, mut row) = (0, 0, 0);
        let stride = row_usize(self.rows().div_ceil(BLOCKS_TRIED).max(1));
        for start in (0..self.rows()).step_by(stride) {
            row = start.max(row);
            lengths.clear();
            raw.clear();
            let mut texts = 0;
            while row < self.rows() && texts < BLOCK_ROWS_MAX && raw.len() + lengths.len() < BLOCK_SIZE_TARGET {
                if self.text(row, &mut text) {
                    put_varint(&mut lengths, len_u64(text.len()) + 1);
                    raw.extend_from_slice(&text);
                    texts += 1;
                }
                row += 1;
            }
            // A block that the end cuts short is like no other.
            if texts == 0 || (row == self.rows() && sampled > 0) {
                break;
            }
            lengths.append(&mut raw);
            size += len_u64(compressor.compress(&lengths).map_err(failed)?.len().min(lengths.len()));
            sampled += texts;
        }
        Ok((sampled, size))
    }
}
