//! Writes the sections of a segment in large pieces and keeps the checksums of its chunks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::codec::{len_u32, len_u64};
use crate::error::{Error, Result};
use crate::metadata;
use crate::storage::{Storage, StorageFile};

use super::SegmentMeta;
use super::layout::{self, CHUNK_SIZE, Footer, SECTION_ALIGN, Section};

/// Bytes of one write: writes below 1 MiB cost more than twice as much per byte.
const WRITE_SIZE: usize = 1 << 20;
const _: () = assert!(WRITE_SIZE.is_multiple_of(CHUNK_SIZE));

/// A segment file under construction.
pub(crate) struct SegmentWriter {
    file: Arc<dyn StorageFile>,
    path: PathBuf,
    meta: SegmentMeta,
    /// Bytes not yet written; starts at a multiple of the chunk size.
    buffer: Vec<u8>,
    written: u64,
    crcs: Vec<u32>,
    sections: Vec<Section>,
}

impl SegmentWriter {
    /// Makes the file and writes its header.
    pub(crate) fn create(storage: &dyn Storage, path: &Path, meta: &SegmentMeta) -> Result<Self> {
        let file = storage.create(path).map_err(|source| Error::io("create", path, source))?;
        let mut buffer = Vec::with_capacity(WRITE_SIZE + CHUNK_SIZE);
        buffer.extend_from_slice(&layout::encode_header(meta));
        Ok(Self {
            file,
            path: path.to_owned(),
            meta: *meta,
            buffer,
            written: 0,
            crcs: Vec::new(),
            sections: Vec::new(),
        })
    }

    /// Where it is written to.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn position(&self) -> u64 {
        self.written + len_u64(self.buffer.len())
    }

    /// Starts a section and returns its offset.
    pub(crate) fn begin(&mut self) -> u64 {
        let position = self.position();
        let padding = position.next_multiple_of(SECTION_ALIGN) - position;
        self.buffer.resize(self.buffer.len() + crate::codec::to_usize(padding), 0);
        self.position()
    }

    /// Adds bytes to the section that was begun.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= WRITE_SIZE {
            let whole = self.buffer.len() / CHUNK_SIZE * CHUNK_SIZE;
            self.flush(whole)?;
        }
        Ok(())
    }

    /// Ends the section that was begun at `offset`.
    pub(crate) fn end(&mut self, offset: u64, section: Section) {
        self.sections.push(Section { offset, len: self.position() - offset, ..section });
    }

    /// Writes a whole section.
    pub(crate) fn section(&mut self, section: Section, bytes: &[u8]) -> Result<()> {
        let offset = self.begin();
        self.write(bytes)?;
        self.end(offset, section);
        Ok(())
    }

    fn flush(&mut self, len: usize) -> Result<()> {
        let bytes = self.buffer.get(..len).unwrap_or_default();
        self.crcs.extend(bytes.chunks(CHUNK_SIZE).map(crc32fast::hash));
        self.file.write_at(bytes, self.written).map_err(|source| Error::io("write", &self.path, source))?;
        self.written += len_u64(len);
        self.buffer.drain(..len);
        Ok(())
    }

    /// Writes chunk table, footer and trailer and makes the file durable. Returns its size and the
    /// footer's checksum.
    pub(crate) fn finish(mut self, mut footer: Footer) -> Result<(u64, u32)> {
        // The chunk table starts aligned; the padding is covered by the last chunk's checksum.
        footer.data_end = self.begin();
        self.flush(self.buffer.len())?;
        let mut tail: Vec<u8> = self.crcs.iter().flat_map(|crc| crc.to_le_bytes()).collect();
        footer.chunk_table_crc = crc32fast::hash(&tail);
        footer.sections = std::mem::take(&mut self.sections);
        let footer_offset = self.written + len_u64(tail.len());
        let footer_bytes = metadata::encode(&footer)?;
        let crc = layout::footer_crc(self.meta.store, self.meta.segment_id, footer_offset, &footer_bytes);
        tail.extend_from_slice(&footer_bytes);
        tail.extend_from_slice(&layout::encode_trailer(len_u32(footer_bytes.len()), crc));
        self.file.write_at(&tail, self.written).map_err(|source| Error::io("write", &self.path, source))?;
        self.file.sync_all().map_err(|source| Error::io("sync", &self.path, source))?;
        Ok((self.written + len_u64(tail.len()), crc))
    }
}
