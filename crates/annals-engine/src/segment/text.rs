//! Texts: per stream, tokens where they are words, else blocks of consecutive rows, compressed one by one, so that a
//! row costs one block.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::codec::len_u64;
use crate::error::{Error, Result};
use crate::filter::text::TextTest;
use crate::rows::RowSet;

use super::ahead::{Ahead, Wave};
use super::blocks::{BlockWriter, Blocks, DecodedBlock, FRESH, Packing};
use super::checked::CheckedFile;
use super::kept::{BUDGET, Kept};
use super::keyword::KeywordColumn;
use super::layout::{Footer, Section, SectionKind};
use super::members::{MemberReader, Recent, Siblings};
use super::sealed::compact_rows;
use super::template::{Found, Scratch, TemplateReader};
use super::tokens::{RowBuffer, TokenCoder, TokenColumn};
use super::writer::SegmentWriter;
use super::{Stream, TextSource};

/// No value is larger: an event has at most 1 MiB.
pub(super) const VALUE_SIZE_MAX: usize = (1 << 20) + (64 << 10);
/// Decoded blocks up to this size are kept for the next row: those of many rows, with where these lie.
const KEPT_SIZE_MAX: usize = 64 << 10;

/// Writes one stream; nothing at all if no row has a value.
pub(crate) fn write(writer: &mut SegmentWriter, stream: Stream, rows: u32, source: &mut dyn TextSource) -> Result<()> {
    write_packed(writer, stream, rows, source, (FRESH, &[]))
}

/// Writes one stream, in blocks of that packing and dictionary if blocks it is.
pub(super) fn write_packed(
    writer: &mut SegmentWriter,
    stream: Stream,
    rows: u32,
    source: &mut dyn TextSource,
    packing: (Packing, &[u8]),
) -> Result<()> {
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
                let builder = started.insert(Builder::new(writer, stream, packing)?);
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
    fn new(writer: &mut SegmentWriter, stream: Stream, packing: (Packing, &[u8])) -> Result<Self> {
        Ok(match stream {
            Stream::Message | Stream::Content => Builder::Tokens(TokenCoder::new()),
            Stream::Payload | Stream::Stored => {
                Builder::Blocks(BlockWriter::new(writer, packing.0, packing.1.to_vec())?)
            }
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
            Builder::Tokens(coder) => match coder.worth_it(writer.path())? {
                Some(plan) => coder.write(&plan, writer, stream),
                None => rewritten(&coder, writer)?.finish(writer, stream),
            },
            Builder::Blocks(blocks) => blocks.finish(writer, stream),
        }
    }
}

/// The rows of `coder` in blocks.
fn rewritten(coder: &TokenCoder, writer: &mut SegmentWriter) -> Result<BlockWriter> {
    let mut blocks = BlockWriter::new(writer, FRESH, Vec::new())?;
    let mut text = Vec::new();
    for row in 0..coder.rows() {
        let present = coder.text(row, &mut text);
        blocks.push(writer, present.then_some(text.as_slice()))?;
    }
    Ok(blocks)
}

/// One stream, read.
pub(crate) struct StreamReader {
    rows: u32,
    form: Form,
    /// The block decoded last, so that neighbouring rows do not decode it again. Never held while decoding.
    last: Mutex<Option<Kept<Arc<DecodedBlock>>>>,
}

#[derive(Debug)]
enum Form {
    Absent,
    Constant(Section),
    Blocks(Blocks),
    /// Shapes, and the rows that have none, numbered among themselves.
    Shapes(Box<TemplateReader>, Option<Blocks>),
    Tokens(Box<TokenColumn>),
    Members(Box<MemberReader>),
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
        } else if let Some(members) = MemberReader::new(footer, stream)? {
            Form::Members(Box::new(members))
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

    /// Loads what says where the value of a row lies, as far as its form is read from many places.
    pub(super) fn touch(&self, ahead: &mut Ahead<'_>, row: u32, wave: Wave) {
        match &self.form {
            Form::Tokens(column) => column.touch(ahead, row, wave),
            Form::Shapes(shapes, _) => shapes.touch(ahead, row, wave),
            Form::Absent | Form::Constant(_) | Form::Blocks(_) | Form::Members(_) => {}
        }
    }

    /// Loads the value itself, once what [`StreamReader::touch`] touches is loaded.
    pub(super) fn touch_value(&self, file: &CheckedFile, ahead: &mut Ahead<'_>, row: u32) {
        if let Form::Tokens(column) = &self.form {
            column.touch_codes(file, ahead, row);
        }
    }

    /// A walk over rows; ascending ones decode each block once. `siblings` are the segment's other columns: a text may
    /// repeat them.
    pub(crate) fn cursor<'a>(&'a self, siblings: Siblings<'a>) -> StreamCursor<'a> {
        StreamCursor {
            reader: self,
            siblings,
            current: None,
            scratch: Scratch::default(),
            buffer: RowBuffer::default(),
            recent: Recent::default(),
            message: None,
        }
    }

    /// Keeps a block for the next row, unless it is a large one or there is no room.
    fn keep(&self, block: DecodedBlock) -> Arc<DecodedBlock> {
        let block = Arc::new(block);
        if block.size() <= KEPT_SIZE_MAX {
            let mut last = self.last.lock();
            // Its room may be what the next one needs.
            *last = None;
            *last = BUDGET.keep(Arc::clone(&block), block.size());
        }
        block
    }

    /// The block decoded last, if it holds `row`.
    fn kept(&self, row: u32) -> Option<Arc<DecodedBlock>> {
        self.last.lock().as_ref().map(|kept| &kept.value).filter(|block| block.holds(row)).cloned()
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
            crate::scanned::scan(candidates.len());
            let siblings = Siblings { file, fields, message: None, created_at: None };
            let (mut cursor, mut scratch) = (self.cursor(siblings), Vec::new());
            for row in candidates.iter() {
                if cursor.value(row)?.is_some_and(|text| test.passes(text, &mut scratch)) {
                    rows.push(row);
                }
            }
        }
        Ok(compact_rows(rows, self.rows))
    }

    /// Checks what reading every row does not.
    pub(crate) fn verify(&self, file: &CheckedFile, fields: &[KeywordColumn]) -> Result<()> {
        match &self.form {
            Form::Tokens(column) => column.verify(file),
            Form::Shapes(shapes, _) => shapes.verify(file, fields, self.rows),
            Form::Members(members) => members.verify(file, self.rows),
            Form::Absent | Form::Constant(_) | Form::Blocks(_) => Ok(()),
        }
    }
}

/// Reads the values of one stream row by row.
pub(crate) struct StreamCursor<'a> {
    reader: &'a StreamReader,
    siblings: Siblings<'a>,
    current: Option<Arc<DecodedBlock>>,
    scratch: Scratch,
    buffer: RowBuffer,
    recent: Recent,
    /// The row's message, if the text repeats it.
    message: Option<Box<StreamCursor<'a>>>,
}

impl StreamCursor<'_> {
    /// The value of a row.
    pub(crate) fn value(&mut self, row: u32) -> Result<Option<&[u8]>> {
        let Siblings { file, fields, .. } = self.siblings;
        match &self.reader.form {
            _ if row >= self.reader.rows => Err(Error::corrupt(format!("the segment has no row {row}"))),
            Form::Absent => Ok(None),
            Form::Constant(section) => file.all(section).map(Some),
            Form::Blocks(blocks) => self.in_blocks(blocks, row),
            Form::Shapes(shapes, overflow) => match shapes.read(file, fields, row, &mut self.scratch)? {
                Found::Absent => Ok(None),
                Found::Text => Ok(Some(&self.scratch.text)),
                Found::Overflow(number) => match overflow {
                    Some(blocks) => self.in_blocks(blocks, number),
                    None => Err(Error::corrupt("a text has no shape and is nowhere else").at_path(file.path())),
                },
            },
            Form::Tokens(column) => column.text(file, row, &mut self.buffer),
            Form::Members(members) => {
                let found = members.read(&self.siblings, row, &mut self.recent, &mut self.message)?;
                Ok(found.then_some(self.recent.text.as_slice()))
            }
        }
    }

    fn in_blocks(&mut self, blocks: &Blocks, row: u32) -> Result<Option<&[u8]>> {
        if !self.current.as_ref().is_some_and(|block| block.holds(row)) {
            let block = match self.reader.kept(row) {
                Some(block) => block,
                None => self.reader.keep(blocks.decode(self.siblings.file, row)?),
            };
            self.current = Some(block);
        }
        Ok(self.current.as_ref().and_then(|block| block.value(row)))
    }
}
