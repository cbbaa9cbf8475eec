//! Texts: per stream, tokens where they are words, else blocks of consecutive rows, compressed one by one, so that a
//! row costs one block.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::codec::{Reader, len_u32, len_u64, put_varint, row_usize, to_usize};
use crate::error::{Error, Result};
use crate::filter::text::TextTest;
use crate::rows::RowSet;

use super::checked::CheckedFile;
use super::keyword::KeywordColumn;
use super::layout::{Footer, Section, SectionKind};
use super::sealed::compact_rows;
use super::template::{Found, Scratch, TemplateReader};
use super::tokens::{RowBuffer, TokenCoder, TokenColumn};
use super::writer::SegmentWriter;
use super::{Stream, TextSource};

/// A block ends at the first row that brings it to this many bytes: larger ones compress a little
/// better, but a page of scattered rows decodes one per row.
pub(super) const BLOCK_SIZE_TARGET: usize = 8 << 10;
/// A block has at most this many rows: finding a row in it walks over the lengths before.
pub(super) const BLOCK_ROWS_MAX: u32 = 512;
/// No value is larger: an event has at most 1 MiB.
pub(super) const VALUE_SIZE_MAX: usize = (1 << 20) + (64 << 10);
/// No block is larger before compression.
const BLOCK_SIZE_MAX: usize = VALUE_SIZE_MAX + (64 << 10);
/// Decoded blocks up to this size are kept for the next row.
const KEPT_SIZE_MAX: usize = 64 << 10;
pub(super) const ZSTD_LEVEL: i32 = 1;
const ENTRY_SIZE: usize = 4 + 4 + 8;
/// Marks a block that did not shrink and is stored as it is.
const STORED_AS_IS: u32 = 1 << 31;

/// Writes one stream; nothing at all if no row has a value.
pub(crate) fn write(writer: &mut SegmentWriter, stream: Stream, rows: u32, source: &mut dyn TextSource) -> Result<()> {
    let mut started: Option<Builder> = None;
    // As long as every row is like the first one, nothing is written.
    let mut first: Option<Vec<u8>> = None;
    for row in 0..rows {
        let value = source.value(stream, row)?;
        if value.as_ref().is_some_and(|value| value.len() > VALUE_SIZE_MAX) {
            return Err(Error::invalid_input(format!("a text of row {row} exceeds {VALUE_SIZE_MAX} bytes")));
        }
        match &mut started {
            Some(builder) => builder.push(writer, value.as_deref())?,
            None if row == 0 => first = value.map(std::borrow::Cow::into_owned),
            None if value.as_deref() == first.as_deref() => {}
            None => {
                let builder = started.insert(Builder::new(writer, stream)?);
                for _ in 0..row {
                    builder.push(writer, first.as_deref())?;
                }
                builder.push(writer, value.as_deref())?;
            }
        }
    }
    match (started, first) {
        (Some(builder), _) => builder.finish(writer, stream),
        (None, Some(value)) => {
            writer.section(Section::new(SectionKind::ConstantText, stream.number(), u64::from(rows)), &value)
        }
        (None, None) => Ok(()),
    }
}

/// A stream in the form that suits it.
enum Builder {
    Tokens(TokenCoder),
    Blocks(BlockWriter),
}

impl Builder {
    fn new(writer: &mut SegmentWriter, stream: Stream) -> Result<Self> {
        Ok(match stream {
            Stream::Message | Stream::Content => Builder::Tokens(TokenCoder::new()),
            Stream::Payload | Stream::Stored => Builder::Blocks(BlockWriter::new(writer)?),
        })
    }

    fn push(&mut self, writer: &mut SegmentWriter, value: Option<&[u8]>) -> Result<()> {
        match self {
            Builder::Tokens(coder) => {
                coder.push(value);
                if coder.gives_up(writer.path())? {
                    *self = Builder::Blocks(rewritten(coder, writer)?);
                }
                Ok(())
            }
            Builder::Blocks(blocks) => blocks.push(writer, value),
        }
    }

    fn finish(self, writer: &mut SegmentWriter, stream: Stream) -> Result<()> {
        match self {
            Builder::Tokens(mut coder) => match coder.worth_it(writer.path())? {
                Some(plan) => coder.write(&plan, writer, stream),
                None => rewritten(&coder, writer)?.finish(writer, stream),
            },
            Builder::Blocks(blocks) => blocks.finish(writer, stream),
        }
    }
}

/// The rows of `coder` in blocks.
fn rewritten(coder: &TokenCoder, writer: &mut SegmentWriter) -> Result<BlockWriter> {
    let mut blocks = BlockWriter::new(writer)?;
    let mut text = Vec::new();
    for row in 0..coder.rows() {
        let present = coder.text(row, &mut text);
        blocks.push(writer, present.then_some(text.as_slice()))?;
    }
    Ok(blocks)
}

/// The bytes that a block takes.
pub(super) fn compressed_size(block: &[u8]) -> Result<usize> {
    let compressed = zstd::bulk::compress(block, ZSTD_LEVEL);
    compressed
        .map(|bytes| bytes.len())
        .map_err(|source| Error::invalid_input("a block cannot be compressed").with_source(source))
}

/// Writes blocks, one behind the other, into the section it began.
pub(super) struct BlockWriter {
    compressor: zstd::bulk::Compressor<'static>,
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
    pub(super) fn new(writer: &mut SegmentWriter) -> Result<Self> {
        let failed = |source| Error::io("prepare compression for", writer.path(), source);
        let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(failed)?;
        // The directory knows the size, and the chunk table has a checksum.
        compressor.include_contentsize(false).map_err(failed)?;
        compressor.include_checksum(false).map_err(failed)?;
        Ok(Self {
            compressor,
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
        if self.rows > 0 && len >= BLOCK_SIZE_TARGET {
            self.close(writer)?;
        }
        put_varint(&mut self.lengths, value.map_or(0, |value| len_u64(value.len()) + 1));
        self.values.extend_from_slice(value.unwrap_or_default());
        self.rows += 1;
        if self.rows >= BLOCK_ROWS_MAX || self.lengths.len() + self.values.len() >= BLOCK_SIZE_TARGET {
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
        writer.section(section, &self.directory)
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

    fn holds(&self, row: u32) -> bool {
        row.checked_sub(self.first_row).is_some_and(|at| row_usize(at) < self.spans.len())
    }

    fn value(&self, row: u32) -> Option<&[u8]> {
        let (start, len) = self.spans.get(row_usize(row.checked_sub(self.first_row)?)).copied()?;
        let start = row_usize(start);
        self.bytes.get(start..start + row_usize(len.checked_sub(1)?))
    }
}

/// One stream, read.
pub(crate) struct StreamReader {
    rows: u32,
    form: Form,
    /// The block decoded last, so that neighbouring rows do not decode it again. Never held while decoding.
    last: Mutex<Option<Arc<DecodedBlock>>>,
}

#[derive(Debug)]
enum Form {
    Absent,
    Constant(Section),
    Blocks(Blocks),
    /// Shapes, and the rows that have none, numbered among themselves.
    Shapes(Box<TemplateReader>, Option<Blocks>),
    Tokens(Box<TokenColumn>),
}

/// Where compressed rows lie.
#[derive(Clone, Copy, Debug)]
struct Blocks {
    directory: Section,
    bytes: Section,
    blocks: u64,
}

/// A block's place.
struct Entry {
    first_row: u32,
    raw_len: u32,
    offset: u64,
}

impl StreamReader {
    /// The stream a footer tells of.
    pub(crate) fn new(footer: &Footer, stream: Stream) -> Result<Self> {
        let number = stream.number();
        let form = if let Some(section) = footer.find(SectionKind::ConstantText, number) {
            if section.len > len_u64(VALUE_SIZE_MAX) {
                return Err(Error::corrupt(format!("the text of {stream:?} has {} bytes", section.len)));
            }
            Form::Constant(section)
        } else if let Some(shapes) = TemplateReader::new(footer, stream)? {
            Form::Shapes(Box::new(shapes), Blocks::new(footer, stream)?)
        } else {
            match TokenColumn::new(footer, stream)? {
                Some(tokens) => Form::Tokens(Box::new(tokens)),
                None => Blocks::new(footer, stream)?.map_or(Form::Absent, Form::Blocks),
            }
        };
        Ok(Self { rows: footer.rows, form, last: Mutex::new(None) })
    }

    /// Whether no row has a value.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self.form, Form::Absent)
    }

    /// A walk over rows; ascending ones decode each block once. `fields` are the segment's: a text may repeat them.
    pub(crate) fn cursor<'a>(&'a self, file: &'a CheckedFile, fields: &'a [KeywordColumn]) -> StreamCursor<'a> {
        StreamCursor {
            reader: self,
            file,
            fields,
            current: None,
            scratch: Scratch::default(),
            buffer: RowBuffer::default(),
        }
    }

    /// Keeps a block for the next row, unless it is a large one.
    fn keep(&self, block: DecodedBlock) -> Arc<DecodedBlock> {
        let block = Arc::new(block);
        if block.bytes.len() <= KEPT_SIZE_MAX {
            *self.last.lock() = Some(Arc::clone(&block));
        }
        block
    }

    /// The rows of `candidates` whose text passes `test`.
    pub(crate) fn search(
        &self,
        file: &CheckedFile,
        fields: &[KeywordColumn],
        candidates: &RowSet,
        test: &TextTest<'_>,
    ) -> Result<RowSet> {
        if let Form::Tokens(column) = &self.form {
            return column.search(file, candidates, test);
        }
        let mut rows = Vec::new();
        if !self.is_absent() {
            let (mut cursor, mut scratch) = (self.cursor(file, fields), Vec::new());
            for row in candidates.iter() {
                if cursor.value(row)?.is_some_and(|text| test.passes(text, &mut scratch)) {
                    rows.push(row);
                }
            }
        }
        Ok(compact_rows(rows, self.rows))
    }

    /// Checks what reading every row does not.
    pub(crate) fn verify(&self, file: &CheckedFile) -> Result<()> {
        match &self.form {
            Form::Tokens(column) => column.verify(file),
            Form::Shapes(shapes, _) => shapes.verify(file, self.rows),
            Form::Absent | Form::Constant(_) | Form::Blocks(_) => Ok(()),
        }
    }
}

impl Blocks {
    fn new(footer: &Footer, stream: Stream) -> Result<Option<Self>> {
        let Some(directory) = footer.find(SectionKind::BlockDirectory, stream.number()) else { return Ok(None) };
        let bytes = footer.require(SectionKind::BlockBytes, stream.number())?;
        let expected = directory.count.checked_add(1).and_then(|entries| entries.checked_mul(len_u64(ENTRY_SIZE)));
        if directory.count == 0 || expected != Some(directory.len) {
            return Err(Error::corrupt(format!("the directory of {stream:?} has {} bytes", directory.len)));
        }
        Ok(Some(Self { directory, bytes, blocks: directory.count }))
    }

    fn entry(file: &CheckedFile, directory: &Section, index: u64) -> Result<Entry> {
        let mut reader = Reader::new(file.bytes(directory, index * len_u64(ENTRY_SIZE), ENTRY_SIZE)?);
        Ok(Entry { first_row: reader.u32()?, raw_len: reader.u32()?, offset: reader.u64()? })
    }

    fn decode(&self, file: &CheckedFile, row: u32) -> Result<DecodedBlock> {
        let Self { directory, bytes, blocks } = self;
        // The last block that starts at or before the row.
        let (mut low, mut high) = (0, *blocks);
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
        let raw = if entry.raw_len & STORED_AS_IS == 0 { decompress(stored, raw_len) } else { Ok(stored.to_vec()) };
        let raw = raw.map_err(place)?;
        if raw.len() != raw_len {
            return Err(place(Error::corrupt(format!("a text block has {} bytes, not {raw_len}", raw.len()))));
        }
        DecodedBlock::parse(entry.first_row, rows, raw).map_err(place)
    }
}

fn decompress(stored: &[u8], raw_len: usize) -> Result<Vec<u8>> {
    thread_local! {
        /// Making a decompressor costs more than a block.
        static DECOMPRESSOR: std::cell::RefCell<Option<zstd::bulk::Decompressor<'static>>> =
            const { std::cell::RefCell::new(None) };
    }
    let failed = |source: std::io::Error| Error::corrupt("a text block cannot be decompressed").with_source(source);
    DECOMPRESSOR.with_borrow_mut(|slot| {
        let decompressor = match slot {
            Some(decompressor) => decompressor,
            None => slot.insert(zstd::bulk::Decompressor::new().map_err(failed)?),
        };
        // Writes at most `raw_len` bytes; a block that holds more is an error.
        decompressor.decompress(stored, raw_len).map_err(failed)
    })
}

/// Reads the values of one stream row by row.
pub(crate) struct StreamCursor<'a> {
    reader: &'a StreamReader,
    file: &'a CheckedFile,
    fields: &'a [KeywordColumn],
    current: Option<Arc<DecodedBlock>>,
    scratch: Scratch,
    buffer: RowBuffer,
}

impl StreamCursor<'_> {
    /// The value of a row.
    pub(crate) fn value(&mut self, row: u32) -> Result<Option<&[u8]>> {
        match &self.reader.form {
            _ if row >= self.reader.rows => Err(Error::corrupt(format!("the segment has no row {row}"))),
            Form::Absent => Ok(None),
            Form::Constant(section) => self.file.all(section).map(Some),
            Form::Blocks(blocks) => self.in_blocks(blocks, row),
            Form::Shapes(shapes, overflow) => match shapes.read(self.file, self.fields, row, &mut self.scratch)? {
                Found::Absent => Ok(None),
                Found::Text => Ok(Some(&self.scratch.text)),
                Found::Overflow(number) => match overflow {
                    Some(blocks) => self.in_blocks(blocks, number),
                    None => Err(Error::corrupt("a text has no shape and is nowhere else").at_path(self.file.path())),
                },
            },
            Form::Tokens(column) => column.text(self.file, row, &mut self.buffer),
        }
    }

    fn in_blocks(&mut self, blocks: &Blocks, row: u32) -> Result<Option<&[u8]>> {
        if !self.current.as_ref().is_some_and(|block| block.holds(row)) {
            let kept = self.reader.last.lock().clone().filter(|block| block.holds(row));
            let block = match kept {
                Some(block) => block,
                None => self.reader.keep(blocks.decode(self.file, row)?),
            };
            self.current = Some(block);
        }
        Ok(self.current.as_ref().and_then(|block| block.value(row)))
    }
}
