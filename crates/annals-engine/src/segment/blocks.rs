//! Blocks of consecutive rows, compressed one by one, if it pays with a dictionary of what they have in common.

use std::sync::OnceLock;

use zstd::zstd_safe::{DCtx, DDict, get_error_name};

use crate::codec::{Reader, len_u32, len_u64, put_varint, row_usize, to_usize};
use crate::error::{Error, ErrorKind, Result};

use super::Stream;
use super::checked::CheckedFile;
use super::layout::{Footer, Section, SectionKind};
use super::text::VALUE_SIZE_MAX;
use super::writer::SegmentWriter;

/// A block of a new segment ends at the first row that brings it to this many bytes: larger ones compress a little
/// better, but a page of scattered rows decodes one per row.
pub(super) const BLOCK_SIZE_TARGET: usize = 8 << 10;
/// A block has at most this many rows: finding a row in it walks over the lengths before.
pub(super) const BLOCK_ROWS_MAX: u32 = 512;
/// No block is larger before compression.
const BLOCK_SIZE_MAX: usize = VALUE_SIZE_MAX + (64 << 10);
pub(super) const ZSTD_LEVEL: i32 = 1;
/// A larger dictionary is not one of ours.
const DICTIONARY_SIZE_MAX: u64 = 1 << 20;
const ENTRY_SIZE: usize = 4 + 4 + 8;
/// Marks a block that did not shrink and is stored as it is.
const STORED_AS_IS: u32 = 1 << 31;

/// How hard rows are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packing {
    /// What a block's size is to be, before compression.
    pub(super) block_size: usize,
    pub(super) level: i32,
}

/// Of all blocks but those of members (`members/`). `docs/performance.md`, "Payload", has what other sizes and levels give.
pub(super) const FRESH: Packing = Packing { block_size: BLOCK_SIZE_TARGET, level: ZSTD_LEVEL };

/// The bytes that a block takes.
pub(super) fn compressed_size(block: &[u8], packing: Packing, dictionary: &[u8]) -> Result<usize> {
    zstd::bulk::Compressor::with_dictionary(packing.level, dictionary)
        .and_then(|mut compressor| compressor.compress(block))
        .map(|bytes| bytes.len())
        .map_err(|source| Error::invalid_input("a block cannot be compressed").with_source(source))
}

/// Writes blocks, one behind the other, into the section it began.
pub(super) struct BlockWriter {
    compressor: zstd::bulk::Compressor<'static>,
    block_size: usize,
    dictionary: Vec<u8>,
    /// Length plus one of each row of the open block, 0 = absent, as varints.
    lengths: Vec<u8>,
    values: Vec<u8>,
    rows: u32,
    first_row: u32,
    directory: Vec<u8>,
    start: u64,
    size: u64,
    blocks: u64,
    raw: Vec<u8>,
    compressed: Vec<u8>,
}

impl BlockWriter {
    /// An empty `dictionary` is none.
    pub(super) fn new(writer: &mut SegmentWriter, packing: Packing, dictionary: Vec<u8>) -> Result<Self> {
        let failed = |source| Error::io("prepare compression for", writer.path(), source);
        let mut compressor = zstd::bulk::Compressor::with_dictionary(packing.level, &dictionary).map_err(failed)?;
        // The directory knows the size, and the chunk table has a checksum.
        compressor.include_contentsize(false).map_err(failed)?;
        compressor.include_checksum(false).map_err(failed)?;
        compressor.include_dictid(false).map_err(failed)?;
        Ok(Self {
            compressor,
            block_size: packing.block_size,
            dictionary,
            lengths: Vec::new(),
            values: Vec::new(),
            rows: 0,
            first_row: 0,
            directory: Vec::new(),
            start: writer.begin(),
            size: 0,
            blocks: 0,
            raw: Vec::new(),
            compressed: Vec::new(),
        })
    }

    pub(super) fn push(&mut self, writer: &mut SegmentWriter, value: Option<&[u8]>) -> Result<()> {
        let len = value.map_or(0, <[u8]>::len);
        // A huge value gets a block of its own, so that its neighbours stay cheap to read.
        if self.rows > 0 && len >= self.block_size {
            self.close(writer)?;
        }
        put_varint(&mut self.lengths, value.map_or(0, |value| len_u64(value.len()) + 1));
        self.values.extend_from_slice(value.unwrap_or_default());
        self.rows += 1;
        if self.rows >= BLOCK_ROWS_MAX || self.lengths.len() + self.values.len() >= self.block_size {
            self.close(writer)?;
        }
        Ok(())
    }

    fn close(&mut self, writer: &mut SegmentWriter) -> Result<()> {
        self.raw.clear();
        self.raw.append(&mut self.lengths);
        self.raw.append(&mut self.values);
        self.compressed.clear();
        self.compressed.reserve(zstd::zstd_safe::compress_bound(self.raw.len()));
        self.compressor
            .compress_to_buffer(&self.raw, &mut self.compressed)
            .map_err(|source| Error::io("compress a text of", writer.path(), source))?;
        let (bytes, flag) =
            if self.compressed.len() < self.raw.len() { (&self.compressed, 0) } else { (&self.raw, STORED_AS_IS) };
        self.directory.extend_from_slice(&self.first_row.to_le_bytes());
        self.directory.extend_from_slice(&(len_u32(self.raw.len()) | flag).to_le_bytes());
        self.directory.extend_from_slice(&self.size.to_le_bytes());
        writer.write(bytes)?;
        self.size += len_u64(bytes.len());
        self.blocks += 1;
        self.first_row += self.rows;
        self.rows = 0;
        Ok(())
    }

    pub(super) fn finish(mut self, writer: &mut SegmentWriter, stream: Stream) -> Result<()> {
        if self.rows > 0 {
            self.close(writer)?;
        }
        writer.end(self.start, Section::new(SectionKind::BlockBytes, stream.number(), self.blocks));
        // One entry more, so that every block ends where the next one starts.
        self.directory.extend_from_slice(&self.first_row.to_le_bytes());
        self.directory.extend_from_slice(&0_u32.to_le_bytes());
        self.directory.extend_from_slice(&self.size.to_le_bytes());
        let section = Section::new(SectionKind::BlockDirectory, stream.number(), self.blocks);
        writer.section(section, &self.directory)?;
        if self.dictionary.is_empty() {
            return Ok(());
        }
        writer.section(Section::new(SectionKind::BlockDictionary, stream.number(), 0), &self.dictionary)
    }
}

/// One decoded block.
#[derive(Debug)]
pub(crate) struct DecodedBlock {
    first_row: u32,
    bytes: Vec<u8>,
    /// Where the value of each row starts in `bytes` and, plus one, its length; 0 = absent.
    spans: Vec<(u32, u32)>,
}

impl DecodedBlock {
    fn parse(first_row: u32, rows: u32, bytes: Vec<u8>) -> Result<Self> {
        let mut reader = Reader::new(&bytes);
        let mut spans = Vec::with_capacity(row_usize(rows));
        for _ in 0..rows {
            spans.push((0, u32::try_from(reader.varint()?).unwrap_or(u32::MAX)));
        }
        let mut start = reader.position();
        for span in &mut spans {
            span.0 = len_u32(start);
            start = start
                .checked_add(row_usize(span.1.saturating_sub(1)))
                .filter(|end| *end <= bytes.len())
                .ok_or_else(|| Error::corrupt("a text block is shorter than its values"))?;
        }
        if start != bytes.len() {
            return Err(Error::corrupt("a text block is longer than its values"));
        }
        Ok(Self { first_row, bytes, spans })
    }

    /// Bytes it takes decoded.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.spans.len() * size_of::<(u32, u32)>()
    }

    pub(super) fn holds(&self, row: u32) -> bool {
        row.checked_sub(self.first_row).is_some_and(|at| row_usize(at) < self.spans.len())
    }

    pub(super) fn value(&self, row: u32) -> Option<&[u8]> {
        let (start, len) = self.spans.get(row_usize(row.checked_sub(self.first_row)?)).copied()?;
        let start = row_usize(start);
        self.bytes.get(start..start + row_usize(len.checked_sub(1)?))
    }
}

/// Where compressed rows lie.
#[derive(Debug)]
pub(super) struct Blocks {
    directory: Section,
    bytes: Section,
    count: u64,
    dictionary: Option<(Section, OnceLock<Prepared>)>,
}

/// A dictionary as the decoder wants it; made when the first block is decoded.
pub(super) struct Prepared(pub(super) DDict<'static>);

impl Prepared {
    pub(super) fn new(dictionary: &[u8]) -> Option<Self> {
        DDict::try_create(dictionary).map(Self)
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("size_bytes", &self.0.sizeof()).finish()
    }
}

/// A block's place.
struct Entry {
    first_row: u32,
    raw_len: u32,
    offset: u64,
}

impl Blocks {
    /// The blocks of a stream, if the footer has any.
    pub(super) fn new(footer: &Footer, stream: Stream) -> Result<Option<Self>> {
        let Some(directory) = footer.find(SectionKind::BlockDirectory, stream.number()) else { return Ok(None) };
        let bytes = footer.require(SectionKind::BlockBytes, stream.number())?;
        let expected = directory.count.checked_add(1).and_then(|entries| entries.checked_mul(len_u64(ENTRY_SIZE)));
        if directory.count == 0 || expected != Some(directory.len) {
            return Err(Error::corrupt(format!("the directory of {stream:?} has {} bytes", directory.len)));
        }
        let dictionary = footer.find(SectionKind::BlockDictionary, stream.number());
        if dictionary.is_some_and(|section| section.len > DICTIONARY_SIZE_MAX) {
            return Err(Error::corrupt(format!("the dictionary of {stream:?} is too large")));
        }
        let dictionary = dictionary.map(|section| (section, OnceLock::new()));
        Ok(Some(Self { directory, bytes, count: directory.count, dictionary }))
    }

    fn entry(file: &CheckedFile, directory: &Section, index: u64) -> Result<Entry> {
        let mut reader = Reader::new(file.bytes(directory, index * len_u64(ENTRY_SIZE), ENTRY_SIZE)?);
        Ok(Entry { first_row: reader.u32()?, raw_len: reader.u32()?, offset: reader.u64()? })
    }

    fn dictionary(&self, file: &CheckedFile) -> Result<Option<&DDict<'static>>> {
        let Some((section, prepared)) = &self.dictionary else { return Ok(None) };
        if let Some(prepared) = prepared.get() {
            return Ok(Some(&prepared.0));
        }
        let made = Prepared::new(file.all(section)?);
        let made = made.ok_or_else(|| file.contradicts(section, "is no dictionary"))?;
        Ok(Some(&prepared.get_or_init(|| made).0))
    }

    /// The block that holds `row`.
    pub(super) fn decode(&self, file: &CheckedFile, row: u32) -> Result<DecodedBlock> {
        let Self { directory, bytes, count, .. } = self;
        // The last block that starts at or before the row.
        let (mut low, mut high) = (0, *count);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if Self::entry(file, directory, middle)?.first_row <= row {
                low = middle;
            } else {
                high = middle;
            }
        }
        let (entry, next) = (Self::entry(file, directory, low)?, Self::entry(file, directory, low + 1)?);
        let rows = next.first_row.checked_sub(entry.first_row).filter(|rows| *rows <= BLOCK_ROWS_MAX);
        let stored_len = next.offset.checked_sub(entry.offset);
        let raw_len = row_usize(entry.raw_len & !STORED_AS_IS);
        let (Some(rows), Some(stored_len), true, true) =
            (rows, stored_len, raw_len <= BLOCK_SIZE_MAX, (entry.first_row..next.first_row).contains(&row))
        else {
            return Err(file.contradicts(directory, &format!("has no block for row {row}")));
        };
        let stored = file.bytes(bytes, entry.offset, to_usize(stored_len))?;
        let place = |error: Error| error.at_path(file.path()).at_offset(bytes.offset.saturating_add(entry.offset));
        let raw = if entry.raw_len & STORED_AS_IS == 0 {
            decompress(stored, raw_len, self.dictionary(file)?).map_err(place)?
        } else {
            stored.to_vec()
        };
        if raw.len() != raw_len {
            return Err(place(Error::corrupt(format!("a text block has {} bytes, not {raw_len}", raw.len()))));
        }
        DecodedBlock::parse(entry.first_row, rows, raw).map_err(place)
    }
}

/// What a block holds; at most `raw_len` bytes.
pub(super) fn decompress(stored: &[u8], raw_len: usize, dictionary: Option<&DDict<'static>>) -> Result<Vec<u8>> {
    thread_local! {
        /// Making a decompressor costs more than a block.
        static CONTEXT: std::cell::RefCell<Option<DCtx<'static>>> = const { std::cell::RefCell::new(None) };
    }
    // What it writes ends with the room there is; a block that holds more is an error.
    let mut raw = Vec::with_capacity(raw_len);
    CONTEXT.with_borrow_mut(|slot| {
        let context = match slot {
            Some(context) => context,
            None => slot
                .insert(DCtx::try_create().ok_or_else(|| Error::new(ErrorKind::Io, "no memory for a decompressor"))?),
        };
        let written = match dictionary {
            Some(dictionary) => context.decompress_using_ddict(&mut raw, stored, dictionary),
            None => context.decompress(&mut raw, stored),
        };
        let failed = |code| Error::corrupt(format!("a text block cannot be decompressed: {}", get_error_name(code)));
        written.map(|_| ()).map_err(failed)
    })?;
    Ok(raw)
}
