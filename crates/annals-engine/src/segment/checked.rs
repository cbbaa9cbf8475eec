//! A mapped file whose bytes are checked against their checksums when they are first touched.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::codec::{len_u64, to_usize};
use crate::error::{Error, Result};
use crate::storage::SealedMap;

use super::layout::{CHUNK_SIZE, Section};

/// Bits of one word of the "verified" set.
const WORD_BITS: usize = 64;

/// Chunks that are checked ahead before it is asked whether to go on: 1 MiB, a fraction of a millisecond.
const CHUNKS_AT_ONCE: usize = 16;

/// The sections of a segment: bytes below `covered`, in chunks with a checksum each.
pub(crate) struct CheckedFile {
    map: Arc<dyn SealedMap>,
    path: PathBuf,
    covered: usize,
    crcs: Vec<u32>,
    /// A bit per chunk that was found right. Relaxed: the bytes never change, two threads may both check.
    verified: Vec<AtomicU64>,
    /// Whether a chunk was found damaged since it was opened.
    met_damage: AtomicBool,
}

impl CheckedFile {
    /// The first `covered` bytes of `map`, whose chunks have the checksums `crcs`.
    pub(crate) fn new(map: Arc<dyn SealedMap>, path: &Path, covered: usize, crcs: Vec<u32>) -> Self {
        let words = crcs.len().div_ceil(WORD_BITS);
        let verified = (0..words).map(|_| AtomicU64::new(0)).collect();
        Self { map, path: path.to_owned(), covered, crcs, verified, met_damage: AtomicBool::new(false) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The whole map, unchecked: to touch places before they are read, never to read them.
    pub(super) fn unchecked(&self) -> &[u8] {
        &self.map
    }

    /// Checks every chunk that is not checked yet, as long as `goes_on` says so; says whether all are.
    pub(super) fn check_all(&self, goes_on: &dyn Fn() -> bool) -> Result<bool> {
        for chunk in 0..self.crcs.len() {
            if chunk.is_multiple_of(CHUNKS_AT_ONCE) && !goes_on() {
                return Ok(false);
            }
            self.verify(chunk, chunk)?;
        }
        Ok(true)
    }

    /// All bytes of a section, of which those at `places`, `len` each, are checked: for many rows that lie apart.
    pub(super) fn scattered(&self, section: &Section, places: impl Iterator<Item = u64>, len: usize) -> Result<&[u8]> {
        let start = to_usize(section.offset);
        let end = start.checked_add(to_usize(section.len)).filter(|end| *end <= self.covered);
        let whole = end.and_then(|end| self.map.get(start..end));
        let whole = whole.ok_or_else(|| self.corrupt(section, "the file is too short".to_owned()))?;
        let mut checked = usize::MAX;
        for at in places {
            let behind = at.checked_add(len_u64(len)).filter(|behind| *behind <= section.len).map(to_usize);
            let Some(behind) = behind else {
                return Err(self.corrupt(section, format!("{len} bytes at {at} exceed section {}", section.kind)));
            };
            let (first, last) = ((start + to_usize(at)) / CHUNK_SIZE, (start + behind - 1) / CHUNK_SIZE);
            if first != checked || last != checked {
                self.verify(first, last)?;
                checked = last;
            }
        }
        Ok(whole)
    }

    /// Whether somebody came upon a damaged chunk.
    pub(super) fn has_met_damage(&self) -> bool {
        self.met_damage.load(Ordering::Relaxed)
    }

    /// Has a chunk checked again by whoever touches it next.
    pub(super) fn forget(&self, chunk: usize) {
        if let Some(word) = self.verified.get(chunk / WORD_BITS) {
            word.fetch_and(!(1 << (chunk % WORD_BITS)), Ordering::Relaxed);
        }
    }

    /// The checksums of the chunks.
    pub(crate) fn chunk_crcs(&self) -> &[u32] {
        &self.crcs
    }

    /// `len` bytes at `at` within a section.
    #[inline]
    pub(crate) fn bytes(&self, section: &Section, at: u64, len: usize) -> Result<&[u8]> {
        let inside = at.checked_add(len_u64(len)).is_some_and(|end| end <= section.len);
        let start = section.offset.checked_add(at).filter(|_| inside).map(to_usize);
        let end = start.and_then(|start| start.checked_add(len)).filter(|end| *end <= self.covered);
        let (Some(start), Some(end)) = (start, end) else {
            return Err(self.corrupt(section, format!("{len} bytes at {at} exceed section {}", section.kind)));
        };
        if len > 0 {
            self.verify(start / CHUNK_SIZE, (end - 1) / CHUNK_SIZE)?;
        }
        self.map.get(start..end).ok_or_else(|| self.corrupt(section, "the file is too short".to_owned()))
    }

    /// All bytes of a section.
    pub(crate) fn all(&self, section: &Section) -> Result<&[u8]> {
        self.bytes(section, 0, to_usize(section.len))
    }

    /// An error about a section of this file.
    pub(crate) fn corrupt(&self, section: &Section, message: String) -> Error {
        Error::corrupt(message).at_path(&self.path).at_offset(section.offset)
    }

    /// An error about what a section says.
    pub(crate) fn contradicts(&self, section: &Section, what: &str) -> Error {
        self.corrupt(section, format!("section {} of field {} {what}", section.kind, section.field))
    }

    #[inline]
    fn verify(&self, first: usize, last: usize) -> Result<()> {
        for chunk in first..=last {
            let word = self.verified.get(chunk / WORD_BITS);
            let bit = 1_u64 << (chunk % WORD_BITS);
            if word.is_none_or(|word| word.load(Ordering::Relaxed) & bit == 0) {
                self.check_chunk(chunk)?;
                if let Some(word) = word {
                    word.fetch_or(bit, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }

    #[cold]
    fn check_chunk(&self, chunk: usize) -> Result<()> {
        let start = chunk * CHUNK_SIZE;
        let bytes = self.map.get(start..(start + CHUNK_SIZE).min(self.covered)).unwrap_or_default();
        check_chunk(bytes, self.crcs.get(chunk).copied())
            .map_err(|error| error.at_path(&self.path).at_offset(len_u64(start)))
            .inspect_err(|_| self.met_damage.store(true, Ordering::Relaxed))
    }
}

/// Compares the bytes of a chunk with its checksum.
pub(crate) fn check_chunk(bytes: &[u8], stored: Option<u32>) -> Result<()> {
    let computed = crc32fast::hash(bytes);
    match stored {
        Some(stored) if stored == computed => Ok(()),
        Some(stored) => {
            Err(Error::corrupt(format!("segment chunk checksum is {stored:#010x}, computed {computed:#010x}")))
        }
        None => Err(Error::corrupt("a segment chunk has no checksum")),
    }
}
