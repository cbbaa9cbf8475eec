//! Copying a log that is complete: every frame checked, in a file just as long as it needs to be.

use std::path::Path;
use std::sync::Arc;

use super::file::LogFile;
use super::header::{FORMAT, LOG_HEADER_SIZE, LogHeader};
use super::scan::Window;
use crate::codec::{len_u64, row_usize};
use crate::error::{Error, Result};
use crate::frame::{self, FRAME_HEADER_SIZE, FrameHeader};
use crate::storage::{Storage, StorageFile};

/// Bytes written at once.
const PIECE_SIZE: usize = 1 << 20;

/// What the frames of a complete log must be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompleteLog {
    /// Behind its last frame.
    pub(crate) end_offset: u64,
    /// The sequence of its first event.
    pub(crate) first_sequence: u64,
    /// The sequence behind its last event.
    pub(crate) end_sequence: u64,
    /// No frame has a later one.
    pub(crate) epoch: u32,
}

/// Where the frames go.
struct Sink<'a> {
    copy: Option<(Arc<dyn StorageFile>, &'a Path)>,
    pending: Vec<u8>,
    offset: u64,
}

impl Sink<'_> {
    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        if self.copy.is_some() {
            self.pending.extend_from_slice(bytes);
        }
        if self.pending.len() >= PIECE_SIZE { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        if let Some((file, path)) = &self.copy {
            file.write_at(&self.pending, self.offset).map_err(|source| Error::io("write", path, source))?;
        }
        self.offset += len_u64(self.pending.len());
        self.pending.clear();
        Ok(())
    }
}

impl LogFile {
    /// Reads every frame with `pread`, checks it and hands it to `on_frame`; with `copy`, makes a log of that name that
    /// holds them and has no room for more, synced. `progress` is told the bytes of each frame, and may end the work.
    ///
    /// # Errors
    /// `Corrupt` naming this file and the place; what `on_frame` and `progress` say; `DiskFull`, `Io`.
    pub(crate) fn copy_checked(
        &self,
        what: CompleteLog,
        copy: Option<(&dyn Storage, &Path)>,
        on_frame: &mut dyn FnMut(&FrameHeader, &[u8]) -> Result<()>,
        progress: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<()> {
        let mut sink = Sink { copy: None, pending: Vec::new(), offset: 0 };
        if let Some((storage, path)) = copy {
            let file = storage.create(path).map_err(|source| Error::io("make the file", path, source))?;
            sink.copy = Some((file, path));
        }
        let size_bytes = what.end_offset;
        let header = LogHeader {
            store: self.place(0).store,
            log_id: self.log_id(),
            created_at_us: self.created_at_us(),
            size_bytes,
        };
        sink.push(&header.encode(&FORMAT))?;
        progress(LOG_HEADER_SIZE)?;
        let mut window = Window::new(self, what.end_offset);
        let (mut offset, mut sequence) = (self.first_frame_offset(), what.first_sequence);
        while offset < what.end_offset {
            let at = |error: Error| error.at_path(self.path()).at_offset(offset);
            let place = self.place(offset);
            let bytes = window.bytes(offset, FRAME_HEADER_SIZE)?;
            let checked = frame::read_header(place, bytes).map_err(at)?;
            let checked = checked.ok_or_else(|| at(frame::describe_bad_header(place, bytes)))?;
            let (header, size) = (checked.header, checked.header.frame_size());
            if header.base_sequence != sequence || header.epoch > what.epoch {
                let message = format!("a frame has sequence {} and epoch {}", header.base_sequence, header.epoch);
                return Err(at(Error::corrupt(format!("{message}, expected {sequence} and at most {}", what.epoch))));
            }
            let bytes = window.bytes(offset, size)?;
            let payload_end = FRAME_HEADER_SIZE + row_usize(header.payload_len);
            let payload = bytes.get(FRAME_HEADER_SIZE..payload_end).filter(|_| bytes.len() == size);
            let payload = payload.ok_or_else(|| at(Error::corrupt("a frame runs over the end of the log")))?;
            checked.check_payload(place, payload).map_err(at)?;
            on_frame(&header, payload).map_err(at)?;
            sink.push(bytes)?;
            sequence = header.end_sequence().ok_or_else(|| at(Error::corrupt("sequences overflow")))?;
            offset += len_u64(size);
            progress(len_u64(size))?;
        }
        if sequence != what.end_sequence {
            let message = format!("the log ends before sequence {sequence}, expected {}", what.end_sequence);
            return Err(Error::corrupt(message).at_path(self.path()).at_offset(offset));
        }
        sink.write()?;
        match &sink.copy {
            Some((file, path)) => file.sync_all().map_err(|source| Error::io("sync", path, source)),
            None => Ok(()),
        }
    }
}
