//! Reads a whole segment from the disk with every checksum checked, into a copy if one is wanted.

use crate::codec::{len_u64, to_usize};
use crate::error::{Error, Result};
use crate::storage::StorageFile;

use super::SealedSegment;
use super::checked::check_chunk;
use super::layout::{CHUNK_SIZE, HEADER_SIZE};
use super::sealed::Ends;

/// Bytes of one read and one write.
const PIECE_SIZE: usize = 16 * CHUNK_SIZE;

impl SealedSegment {
    /// Reads the file and checks every checksum; what was read is written to `copy` as it was checked. `progress` is told
    /// the bytes of each piece, and may end the work.
    ///
    /// # Errors
    /// `Corrupt` naming the first damage; what `progress` says; `DiskFull`, `Io`, naming `copy_path` if it is the copy.
    pub(crate) fn copy_checked(
        &self,
        copy: Option<(&dyn StorageFile, &std::path::Path)>,
        progress: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<()> {
        let failed = |source| Error::io("read", self.path(), source);
        let size = self.handle.len().map_err(failed)?;
        if size != self.size_bytes {
            let message = format!("the file has {size} bytes, it had {}", self.size_bytes);
            return Err(Error::corrupt(message).at_path(self.path()));
        }
        let write = |bytes: &[u8], offset: u64| match copy {
            Some((file, path)) => file.write_at(bytes, offset).map_err(|source| Error::io("write", path, source)),
            None => Ok(()),
        };
        let mut crcs = self.file.chunk_crcs().iter();
        let mut head = Vec::new();
        let mut piece = Vec::new();
        let mut position = 0;
        while position < self.footer.data_end {
            let len = (self.footer.data_end - position).min(len_u64(PIECE_SIZE));
            piece.resize(to_usize(len), 0);
            self.handle.read_at(&mut piece, position).map_err(failed)?;
            for (chunk, start) in piece.chunks(CHUNK_SIZE).zip((position..).step_by(CHUNK_SIZE)) {
                let checked = check_chunk(chunk, crcs.next().copied());
                checked.map_err(|error| error.at_path(self.path()).at_offset(start))?;
            }
            if position == 0 {
                head = piece.get(..HEADER_SIZE).unwrap_or(&piece).to_vec();
            }
            write(&piece, position)?;
            position += len;
            progress(len)?;
        }
        let mut tail = vec![0; to_usize(size.saturating_sub(position))];
        self.handle.read_at(&mut tail, position).map_err(failed)?;
        let ends = Ends::read(&head, &tail, position, (self.meta.store, self.meta.segment_id), None);
        let ends = ends.map_err(|error| error.at_path(self.path()))?;
        if ends.footer != self.footer || ends.crcs != self.file.chunk_crcs() {
            return Err(Error::corrupt("the segment's footer changed since it was opened").at_path(self.path()));
        }
        write(&tail, position)?;
        progress(len_u64(tail.len()))
    }
}
