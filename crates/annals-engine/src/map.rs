//! Memory maps: the only unsafe module of the workspace.

use std::borrow::Cow;
use std::fs::File;
use std::io;

use memmap2::{Mmap, MmapOptions, MmapRaw};

use crate::storage::GrowingMap;

/// A read-only map of a file that is written through its descriptor at the same time.
#[derive(Debug)]
pub(crate) struct FileMap(MmapRaw);

impl FileMap {
    pub(crate) fn open(file: &File) -> io::Result<Self> {
        MmapOptions::new().map_raw_read_only(file).map(Self)
    }
}

impl GrowingMap for FileMap {
    fn bytes(&self, offset: u64, len: usize) -> Option<Cow<'_, [u8]>> {
        let offset = usize::try_from(offset).ok()?;
        let end = offset.checked_add(len)?;
        if end > self.0.len() {
            return None;
        }
        // SAFETY: `offset <= end <= len` of the mapping was checked above, so the pointer stays in it.
        let start = unsafe { self.0.as_ptr().add(offset) };
        // SAFETY: the range lies in the mapping, which lives as long as `self`. Callers ask only for
        // ranges below the published end of the log (`LiveLog`), whose bytes `write_at` has filled and
        // nothing writes again: log files are append-only, and the directory lock keeps other Annals
        // processes out. A foreign truncation raises SIGBUS; docs/operations.md says so.
        let bytes = unsafe { std::slice::from_raw_parts(start, len) };
        Some(Cow::Borrowed(bytes))
    }
}

/// Maps a file that is never written again.
pub(crate) fn map_sealed(file: &File) -> io::Result<Mmap> {
    // SAFETY: a sealed file is mapped after its writer has ended (`SegmentWriter::finish` takes it by
    // value), nothing opens one for writing, and the directory lock keeps other Annals processes out. A
    // foreign truncation raises SIGBUS; docs/operations.md says so.
    unsafe { Mmap::map(file) }
}
