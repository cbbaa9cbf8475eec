//! Reading a log forward, with `pread` only: recovery looks at bytes that nobody has published.

use super::file::LogFile;
use crate::codec::{len_u64, to_usize};
use crate::error::Result;
use crate::frame::{self, FRAME_ALIGN, FRAME_HEADER_SIZE};

/// Bytes read at once: large enough that system calls do not count, small enough for any machine.
const CHUNK_SIZE: usize = 1 << 20;
/// Bytes that are passed over at once if they are all zero.
const BLOCK_SIZE: usize = 4 << 10;
const ZEROES: [u8; BLOCK_SIZE] = [0; BLOCK_SIZE];
const _: () = assert!(CHUNK_SIZE.is_multiple_of(BLOCK_SIZE) && BLOCK_SIZE.is_multiple_of(FRAME_ALIGN));

/// A buffer that follows a forward walk over a file.
pub(super) struct Window<'a> {
    file: &'a LogFile,
    buffer: Vec<u8>,
    start: u64,
    end: u64,
}

impl<'a> Window<'a> {
    /// A window over the bytes of `file` below `end`.
    pub(super) fn new(file: &'a LogFile, end: u64) -> Self {
        Self { file, buffer: Vec::new(), start: 0, end }
    }

    /// The end it was made with.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Up to `len` bytes at `offset`: fewer only at the end.
    pub(super) fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        let len = len_u64(len).min(self.end.saturating_sub(offset));
        let covered = self.start.saturating_add(len_u64(self.buffer.len()));
        if offset < self.start || offset.saturating_add(len) > covered {
            let wanted = len.max(len_u64(CHUNK_SIZE)).min(self.end.saturating_sub(offset));
            self.buffer.resize(to_usize(wanted), 0);
            self.start = offset;
            let read = self.file.storage_file().read_at(&mut self.buffer, offset);
            if let Err(source) = read {
                self.buffer.clear();
                return Err(self.file.io("read the log", source).at_offset(offset));
            }
        }
        let skip = to_usize(offset - self.start);
        Ok(self.buffer.get(skip..skip + to_usize(len)).unwrap_or_default())
    }
}

/// What lies behind the last good frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rest {
    /// The end of the last byte that is not zero, if there is one.
    pub(super) nonzero_end: Option<u64>,
    /// The largest `synced_upto` of a valid header, 0 if there is none.
    pub(super) synced_upto: u64,
    /// The sequence behind the last event that a valid header tells of, 0 if there is none.
    pub(super) sequence_end: u64,
}

/// Looks at every byte from `from` to the window's end, and at every place where a frame could start.
///
/// A header counts even if its payload is damaged: its own checksum says that it is as it was written,
/// and what it tells of the bytes before it was true then.
pub(super) fn scan_rest(window: &mut Window<'_>, from: u64) -> Result<Rest> {
    let mut rest = Rest::default();
    let mut position = from;
    while position < window.end() {
        let file = window.file;
        let bytes = window.bytes(position, CHUNK_SIZE + FRAME_HEADER_SIZE)?;
        let chunk = bytes.get(..CHUNK_SIZE).unwrap_or(bytes);
        let chunk_len = len_u64(chunk.len());
        for (index, block) in chunk.chunks(BLOCK_SIZE).enumerate() {
            let skip = index * BLOCK_SIZE;
            // Nearly all of a log that is not full, and compared many bytes at a time.
            if ZEROES.get(..block.len()) != Some(block) {
                let rest_of_bytes = bytes.get(skip..).unwrap_or_default();
                scan_block(file, position.saturating_add(len_u64(skip)), rest_of_bytes, block, &mut rest)?;
            }
        }
        position = position.saturating_add(chunk_len);
    }
    Ok(rest)
}

/// `bytes` starts with `block` and goes on far enough for a header that starts at its end.
fn scan_block(file: &LogFile, position: u64, bytes: &[u8], block: &[u8], rest: &mut Rest) -> Result<()> {
    for (index, word) in block.chunks(FRAME_ALIGN).enumerate() {
        let Some(last) = word.iter().rposition(|byte| *byte != 0) else { continue };
        let skip = index * FRAME_ALIGN;
        let offset = position.saturating_add(len_u64(skip));
        rest.nonzero_end = Some(offset.saturating_add(len_u64(last)).saturating_add(1));
        if !frame::starts_like_frame(word) {
            continue;
        }
        let header = frame::read_header(file.place(offset), bytes.get(skip..).unwrap_or_default())
            .map_err(|error| error.at_path(file.path()).at_offset(offset))?;
        if let Some(found) = header.map(|checked| checked.header) {
            rest.synced_upto = rest.synced_upto.max(found.synced_upto);
            rest.sequence_end = rest.sequence_end.max(found.end_sequence().unwrap_or(u64::MAX));
        }
    }
    Ok(())
}
