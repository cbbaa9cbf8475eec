//! One log file: made whole before its first frame, written by `pwrite`, read through a map.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::header::{FORMAT, LOG_HEADER_SIZE, LogHeader};
use crate::codec::{len_u64, row_usize, to_usize};
use crate::envelope::{check_absent, place_file, sync_folder_of};
use crate::error::{Error, Result};
use crate::frame::{self, FRAME_HEADER_SIZE, FrameHeader, FramePlace};
use crate::layout::{FileKind, FileName};
use crate::storage::{GrowingMap, Storage, StorageFile};

/// The handle of one log file.
pub(crate) struct LogFile {
    file: Arc<dyn StorageFile>,
    path: PathBuf,
    header: LogHeader,
    map: OnceLock<Arc<dyn GrowingMap>>,
}

impl LogFile {
    /// Makes a log of `size_bytes` in the folder `dir` (`DIR/log`): reserved, named and durable on return.
    ///
    /// # Errors
    /// `DiskFull` if there is no room, then nothing stays behind; `InvalidInput` if `size_bytes` leaves
    /// no room for a frame; `Corrupt` if the id was used before: take a new one for each attempt.
    pub(crate) fn create(
        storage: &Arc<dyn Storage>,
        dir: &Path,
        store: u128,
        log_id: u64,
        size_bytes: u64,
        created_at_us: i64,
    ) -> Result<LogFile> {
        if size_bytes < LOG_HEADER_SIZE + len_u64(FRAME_HEADER_SIZE) {
            return Err(Error::invalid_input(format!("a log file of {size_bytes} bytes has no room for a frame")));
        }
        let path = dir.join(FileName::new(FileKind::Log, log_id).name());
        check_absent(&**storage, &path)?;
        let header = LogHeader { store, log_id, created_at_us, size_bytes };
        let file = place_file(&**storage, &path, |file| {
            file.preallocate(size_bytes)?;
            file.write_at(&header.encode(&FORMAT), 0)
        })?;
        sync_folder_of(&**storage, &path)?;
        Ok(LogFile { file, path, header, map: OnceLock::new() })
    }

    /// Opens an existing log of this store and checks its header.
    ///
    /// # Errors
    /// `NotFound`; `Corrupt` if the header is damaged or another log's; `UnsupportedFormat`.
    pub(crate) fn open(
        storage: &Arc<dyn Storage>,
        dir: &Path,
        store: u128,
        log_id: u64,
        writable: bool,
    ) -> Result<LogFile> {
        let path = dir.join(FileName::new(FileKind::Log, log_id).name());
        let io = |source| Error::io("open the log", &path, source);
        let file = storage.open(&path, writable).map_err(io)?;
        let len = file.len().map_err(io)?;
        let mut bytes = vec![0; to_usize(len.min(LOG_HEADER_SIZE))];
        file.read_at(&mut bytes, 0).map_err(io)?;
        let header = LogHeader::decode(&bytes, store, log_id).map_err(|error| error.at_path(&path))?;
        Ok(LogFile { file, path, header, map: OnceLock::new() })
    }

    /// Opens whatever log lies at `path`, to look at it.
    ///
    /// # Errors
    /// As [`LogFile::open`].
    pub(crate) fn open_at(storage: &dyn Storage, path: &Path) -> Result<LogFile> {
        let io = |source| Error::io("open the log", path, source);
        let file = storage.open(path, false).map_err(io)?;
        let len = file.len().map_err(io)?;
        let mut bytes = vec![0; to_usize(len.min(LOG_HEADER_SIZE))];
        file.read_at(&mut bytes, 0).map_err(io)?;
        let decoded = LogHeader::owner_of(&bytes).and_then(|(store, id)| LogHeader::decode(&bytes, store, id));
        let header = decoded.map_err(|error| error.at_path(path))?;
        Ok(LogFile { file, path: path.to_owned(), header, map: OnceLock::new() })
    }

    /// Opens a log whose header cannot be read, with one made of what the manifest knows.
    ///
    /// # Errors
    /// `NotFound`, `Io`.
    pub(crate) fn open_headless(
        storage: &Arc<dyn Storage>,
        dir: &Path,
        store: u128,
        (log_id, size_bytes): (u64, u64),
        created_at_us: i64,
        writable: bool,
    ) -> Result<LogFile> {
        let path = dir.join(FileName::new(FileKind::Log, log_id).name());
        let file = storage.open(&path, writable).map_err(|source| Error::io("open the log", &path, source))?;
        let header = LogHeader { store, log_id, created_at_us, size_bytes };
        Ok(LogFile { file, path, header, map: OnceLock::new() })
    }

    /// The store that the header of a log file names.
    ///
    /// # Errors
    /// `Corrupt` if the header is damaged; `UnsupportedFormat`, `Io`.
    pub(crate) fn probe(storage: &dyn Storage, path: &Path) -> Result<u128> {
        let file = storage.open(path, false).map_err(|source| Error::io("open the log", path, source))?;
        let mut bytes = vec![0; to_usize(LOG_HEADER_SIZE)];
        file.read_at(&mut bytes, 0).map_err(|source| Error::io("read the log", path, source))?;
        LogHeader::store_of(&bytes).map_err(|error| error.at_path(path))
    }

    /// The sequence that its first frame starts at, if there is a good one.
    ///
    /// # Errors
    /// `UnsupportedFormat`, `Io`.
    pub(crate) fn first_sequence(&self) -> Result<Option<u64>> {
        let mut bytes = vec![0; FRAME_HEADER_SIZE];
        let at = self.first_frame_offset();
        self.file.read_at(&mut bytes, at).map_err(|source| self.io("read the log", source))?;
        Ok(frame::read_header(self.place(at), &bytes)?.map(|checked| checked.header.base_sequence))
    }

    /// The bytes of the header.
    pub(crate) fn header_bytes(&self) -> Vec<u8> {
        self.header.encode(&FORMAT)
    }

    /// Writes `bytes` at `offset`, inside the reserved length and behind the header.
    ///
    /// # Errors
    /// What the disk says; after an error nothing is known of the range.
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = offset.checked_add(len_u64(bytes.len())).filter(|end| *end <= self.size_bytes());
        if end.is_none() || offset < LOG_HEADER_SIZE {
            let message = format!("{} bytes do not fit into the log", bytes.len());
            return Err(Error::invalid_input(message).at_path(&self.path).at_offset(offset));
        }
        self.file.write_at(bytes, offset).map_err(|source| self.io("write the log", source).at_offset(offset))
    }

    /// Reserves the file up to `end` again, after [`LogFile::release`]. What was kept asks for no room.
    ///
    /// # Errors
    /// `DiskFull` if there is no room: then nothing may be written behind what was kept.
    pub(crate) fn reserve(&self, end: u64) -> Result<()> {
        let end = end.min(self.header.size_bytes);
        self.file.preallocate(end).map_err(|source| self.io("reserve room for the log", source))
    }

    /// Gives back the room behind `end`, where no frame is; the rest of the page that `end` lies in stays.
    ///
    /// # Errors
    /// What the disk says; nothing is lost.
    pub(crate) fn release(&self, end: u64) -> Result<()> {
        let from = end.next_multiple_of(LOG_HEADER_SIZE);
        self.file.release(from).map_err(|source| self.io("give back room of the log", source))
    }

    /// Makes everything written so far durable. After an error: never again, open the store anew.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|source| self.io("sync the log", source))
    }

    /// The read-only view of the whole reserved length, made at the first call. Ask only for ranges
    /// already written.
    ///
    /// # Errors
    /// `Io`.
    pub(crate) fn map(&self) -> Result<&Arc<dyn GrowingMap>> {
        if let Some(map) = self.map.get() {
            return Ok(map);
        }
        let made = self.file.map_growing().map_err(|source| self.io("map the log", source))?;
        Ok(self.map.get_or_init(|| made))
    }

    /// The frame at `offset`, checked. The offset must lie below the published end of the log.
    ///
    /// # Errors
    /// `Corrupt` naming file and offset.
    pub(crate) fn read_frame_at(&self, offset: u64) -> Result<(FrameHeader, Cow<'_, [u8]>)> {
        let place = self.place(offset);
        let map = self.map()?;
        let damaged = |message: &str| Error::corrupt(message).at_path(&self.path).at_offset(offset);
        // The header is checked first: its length must not lead into bytes that were never written.
        let bytes = map
            .bytes(offset, FRAME_HEADER_SIZE)
            .ok_or_else(|| damaged("a frame header runs over the end of the log"))?;
        let header = frame::read_header(place, &bytes)
            .and_then(|header| header.ok_or_else(|| Error::corrupt("there is no frame with a valid header")))
            .map_err(|error| error.at_path(&self.path).at_offset(offset))?;
        let payload_offset = offset.saturating_add(len_u64(FRAME_HEADER_SIZE));
        let payload = map
            .bytes(payload_offset, row_usize(header.header.payload_len))
            .ok_or_else(|| damaged("a frame runs over the end of the log"))?;
        header.check_payload(place, &payload).map_err(|error| error.at_path(&self.path).at_offset(offset))?;
        Ok((header.header, payload))
    }

    /// What seeds the checksums of the frame at `offset`.
    pub(crate) fn place(&self, offset: u64) -> FramePlace {
        FramePlace { store: self.header.store, log_id: self.header.log_id, offset }
    }

    /// When it was made, UTC microseconds.
    pub(crate) fn created_at_us(&self) -> i64 {
        self.header.created_at_us
    }

    pub(crate) fn log_id(&self) -> u64 {
        self.header.log_id
    }

    /// The reserved length, header included.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.header.size_bytes
    }

    #[expect(clippy::unused_self, reason = "a later format may start its frames elsewhere")]
    pub(crate) fn first_frame_offset(&self) -> u64 {
        LOG_HEADER_SIZE
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn storage_file(&self) -> &dyn StorageFile {
        &*self.file
    }

    pub(super) fn io(&self, action: &str, source: std::io::Error) -> Error {
        Error::io(action, &self.path, source)
    }
}

impl std::fmt::Debug for LogFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogFile").field("path", &self.path).field("header", &self.header).finish_non_exhaustive()
    }
}
