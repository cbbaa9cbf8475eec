//! Whether tokens are worth it: what blocks of the same texts would take is tried out on the first rows.

use std::path::Path;

use crate::codec::{len_u64, put_varint};
use crate::error::{Error, Result};

use super::super::blocks::{BLOCK_ROWS_MAX, BLOCK_SIZE_TARGET, ZSTD_LEVEL};
use super::write::{Plan, TokenCoder};

/// Rows after which the first decision falls.
const SAMPLE_ROWS: u32 = 4096;
/// Bytes of texts that are compressed at most to find out.
const SAMPLE_SIZE_MAX: usize = 128 << 10;
/// What a row may cost more than in blocks: so much are reading it alone and searching without decoding worth.
const EXTRA_PER_ROW: u64 = 3;

impl TokenCoder {
    /// Whether it has become clear that blocks are better. Asked after every row; `path` is for messages.
    pub(crate) fn gives_up(&mut self, path: &Path) -> Result<bool> {
        if self.rows() == SAMPLE_ROWS {
            // The words of the rows to come have mostly been seen: they will not make the dictionary grow as fast.
            let (size, dictionary) = self.size(&self.plan());
            return Ok(size - dictionary / 2 > self.allowed(path)?);
        }
        Ok(self.is_full())
    }

    /// How to write the whole stream; `None` if it is better off in blocks.
    pub(crate) fn worth_it(&mut self, path: &Path) -> Result<Option<Plan>> {
        let plan = self.plan();
        Ok(if self.size(&plan).0 <= self.allowed(path)? { Some(plan) } else { None })
    }

    /// The most that tokens may take.
    fn allowed(&mut self, path: &Path) -> Result<u64> {
        let rows = u64::from(self.rows());
        let (sampled, bytes) = match self.sample {
            Some(sample) => sample,
            None => *self.sample.insert(self.blocks(path)?),
        };
        let blocks = bytes * rows / u64::from(sampled.max(1));
        Ok((blocks + blocks / 10 * 3).max(blocks + rows * EXTRA_PER_ROW))
    }

    /// So many of the first rows take so many bytes in blocks.
    fn blocks(&self, path: &Path) -> Result<(u32, u64)> {
        let failed = |source| Error::io("try compression for", path, source);
        let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(failed)?;
        let (mut text, mut raw, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        let (mut size, mut tried, mut row, mut first) = (0, 0, 0, 0);
        while row < self.rows().min(SAMPLE_ROWS) && tried < SAMPLE_SIZE_MAX {
            let present = self.text(row, &mut text);
            put_varint(&mut lengths, if present { len_u64(text.len()) + 1 } else { 0 });
            raw.extend_from_slice(&text);
            row += 1;
            let len = raw.len() + lengths.len();
            if len >= BLOCK_SIZE_TARGET || row - first >= BLOCK_ROWS_MAX || row == self.rows() {
                lengths.append(&mut raw);
                let compressed = compressor.compress(&lengths).map_err(failed)?;
                size += len_u64(compressed.len().min(len));
                tried += len;
                lengths.clear();
                first = row;
            }
        }
        // Rows of a block not compressed yet are not counted.
        Ok(if first == 0 { (row, len_u64(raw.len())) } else { (first, size) })
    }
}
