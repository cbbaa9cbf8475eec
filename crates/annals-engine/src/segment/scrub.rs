//! Reads a segment from the device, chunk by chunk, past the map: a bad sector is an error here, and a signal there.

use crate::codec::{len_u64, to_usize};
use crate::error::{Error, Result};

use super::SealedSegment;
use super::checked::check_chunk;
use super::layout::CHUNK_SIZE;

/// What a walk over a segment found.
#[derive(Debug, Default)]
pub(crate) struct Scrubbed {
    /// Chunks whose checksum does not hold, or that cannot be read.
    pub(crate) bad_chunks: u64,
    /// The first of them, or what is wrong with the ends.
    pub(crate) damage: Option<Error>,
    /// Bytes that the device cannot read: touching them through the map would end the process.
    pub(crate) is_unreadable: bool,
}

impl SealedSegment {
    /// Reads every chunk and checks it. What is damaged is checked again by whoever touches it next.
    ///
    /// `pace` is asked before each read of so many bytes, and may wait; `None` once it says no.
    pub(crate) fn scrub(&self, pace: &mut dyn FnMut(u64) -> bool) -> Option<Scrubbed> {
        let mut found = Scrubbed::default();
        // Best effort: without it what the page cache holds is checked, which queries read too.
        let _ = self.handle.drop_cache();
        let mut buffer = vec![0; CHUNK_SIZE];
        for (chunk, crc) in self.file.chunk_crcs().iter().enumerate() {
            let at = len_u64(chunk).saturating_mul(len_u64(CHUNK_SIZE));
            let len = to_usize(self.footer.data_end.saturating_sub(at)).min(CHUNK_SIZE);
            if !pace(len_u64(len)) {
                return None;
            }
            let bytes = buffer.get_mut(..len).unwrap_or_default();
            let read = self.handle.read_at(bytes, at).map_err(|source| Error::io("read", self.path(), source));
            let is_unreadable = read.is_err();
            if let Err(error) = read.and_then(|()| check_chunk(bytes, Some(*crc))) {
                found.bad_chunks += 1;
                found.is_unreadable |= is_unreadable;
                self.file.forget(chunk);
                found.damage.get_or_insert(error.at_path(self.path()).at_offset(at));
            }
        }
        if found.damage.is_none()
            && let Err(error) = self.scrub_ends()
        {
            found.damage = Some(error);
        }
        Some(found)
    }

    fn scrub_ends(&self) -> Result<()> {
        let len = self.handle.len().map_err(|source| Error::io("measure", self.path(), source))?;
        if len != self.size_bytes {
            let message = format!("the file has {len} bytes, it had {}", self.size_bytes);
            return Err(Error::corrupt(message).at_path(self.path()));
        }
        self.verify_ends(&mut |_| ())
    }
}
