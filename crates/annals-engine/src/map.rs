//! Memory maps: the only unsafe module of the workspace.

use std::borrow::Cow;
use std::fs::File;
use std::io;

use memmap2::{Mmap, MmapOptions, MmapRaw};

use crate::storage::GrowingMap;

/// Memory that lies where it is for as long as it lives.
pub(crate) trait RawMemory {
    /// Its first byte.
    fn start(&self) -> *const u8;
    /// Bytes.
    fn len(&self) -> usize;
}

impl RawMemory for MmapRaw {
    fn start(&self) -> *const u8 {
        self.as_ptr()
    }

    fn len(&self) -> usize {
        MmapRaw::len(self)
    }
}

/// A read-only map of a file that is written through its descriptor at the same time.
#[derive(Debug)]
pub(crate) struct FileMap<M = MmapRaw>(M);

impl FileMap {
    pub(crate) fn open(file: &File) -> io::Result<Self> {
        MmapOptions::new().map_raw_read_only(file).map(Self)
    }
}

impl<M: RawMemory + Send + Sync> GrowingMap for FileMap<M> {
    fn bytes(&self, offset: u64, len: usize) -> Option<Cow<'_, [u8]>> {
        let offset = usize::try_from(offset).ok()?;
        let end = offset.checked_add(len)?;
        if end > self.0.len() {
            return None;
        }
        // SAFETY: `offset <= end <= len` of the mapping was checked above, so the pointer stays in it.
        let start = unsafe { self.0.start().add(offset) };
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

/// Run by miri too, which knows no maps of files: memory of the program stands in for one.
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

    /// What a file is to its maps: bytes that others write while they are mapped.
    struct Heap(Box<[AtomicU8]>);

    impl RawMemory for &'static Heap {
        fn start(&self) -> *const u8 {
            self.0.as_ptr().cast()
        }

        fn len(&self) -> usize {
            self.0.len()
        }
    }

    fn heap(len: usize) -> &'static Heap {
        Box::leak(Box::new(Heap((0..len).map(|_| AtomicU8::new(0)).collect())))
    }

    #[test]
    fn what_is_below_the_published_end_is_read_while_the_rest_is_written() {
        const LEN: usize = 64;
        let memory = heap(LEN);
        let (map, published) = (FileMap(memory), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for (at, byte) in (1..).zip(&memory.0) {
                    byte.store(u8::try_from(at).unwrap(), Ordering::Relaxed);
                    published.store(at, Ordering::Release);
                }
            });
            let mut held = Vec::new();
            while held.len() < 20 {
                let end = published.load(Ordering::Acquire);
                held.push(map.bytes(0, end).unwrap());
                std::thread::yield_now();
            }
            for bytes in held {
                assert!(bytes.iter().zip(1..).all(|(byte, at)| *byte == at));
            }
        });
        assert_eq!(map.bytes(0, LEN).unwrap().len(), LEN);
    }

    #[test]
    fn nothing_outside_is_read() {
        let map = FileMap(heap(8));
        assert_eq!(map.bytes(8, 0).unwrap().len(), 0);
        assert_eq!(map.bytes(7, 1).unwrap().as_ref(), [0]);
        for (offset, len) in [(8, 1), (0, 9), (9, 0), (u64::MAX, 1), (1, usize::MAX)] {
            assert!(map.bytes(offset, len).is_none(), "{len} bytes at {offset}");
        }
    }
}
