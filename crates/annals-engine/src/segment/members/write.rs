//! Writes payloads as members: what suits a segment is told by rows spread over it.

use std::borrow::Cow;

use crate::codec::{len_u32, len_u64, row_usize};
use crate::error::{Error, Result};
use crate::field::Field;

use super::super::dictionary::Term;
use super::super::layout::{Section, SectionKind};
use super::super::text::VALUE_SIZE_MAX;
use super::super::writer::SegmentWriter;
use super::super::{KeywordCodes, KeywordInput, Stream, TextSource};
use super::block::OpenBlock;
use super::marks::{Origin, Shortener, Values, timestamp};
use super::plan::Plan;
use super::split::{Member, split};
use super::table::TableBuilder;
use super::{BLOCK_ROWS_MAX, BLOCK_SIZE, CODE_SHORTENED, CODE_WHOLE, ENTRY_SIZE, LEVEL};

/// Event types beyond this many are not kept apart: each has an open block.
const GROUPS_MAX: usize = 512;
/// What the blocks of a segment have in common takes this many bytes before it is compressed itself.
pub(super) const DICTIONARY_SIZE: usize = 256 << 10;
/// Table and dictionary are written once and read once.
const LEVEL_TABLE: i32 = 15;

/// The columns of the rows that are written.
pub(crate) struct RowValues<'a> {
    pub(crate) keywords: &'a [KeywordInput<'a>],
    pub(crate) created_at_us: &'a [i64],
    message: Option<Vec<u8>>,
}

impl<'a> RowValues<'a> {
    pub(crate) fn new(keywords: &'a [KeywordInput<'a>], created_at_us: &'a [i64]) -> Self {
        Self { keywords, created_at_us, message: None }
    }

    fn load_message(&mut self, source: &mut dyn TextSource, row: u32) -> Result<()> {
        self.message = source.value(Stream::Message, row)?.map(Cow::into_owned);
        Ok(())
    }

    fn term(&self, field: Field, place: u8, row: u32) -> Option<Term<'_>> {
        let keyword = self.keywords.iter().find(|keyword| keyword.field == field)?;
        let number = row;
        let row = row_usize(row);
        let code = match &keyword.codes {
            KeywordCodes::Identifiers(values) => return values.text(number).filter(|_| place == 0),
            KeywordCodes::Single(codes) => codes.get(row).filter(|_| place == 0),
            KeywordCodes::Multiple { ends, codes } => {
                let start = row.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
                codes.get(row_usize(start)..row_usize(*ends.get(row)?))?.get(usize::from(place))
            }
        };
        keyword.terms.get(row_usize(code?.checked_sub(1)?)).map(|term| Term::Stored(term))
    }

    /// The event types by which rows are kept apart, if there are few enough.
    pub(super) fn groups(&self) -> Option<Groups<'a>> {
        let keyword = self.keywords.iter().find(|keyword| keyword.field == Field::EventType)?;
        let KeywordCodes::Single(codes) = &keyword.codes else { return None };
        // Terms come in any order, and some are no row's: the segment must not depend on that.
        let mut used = vec![false; keyword.terms.len()];
        for code in codes.iter().filter_map(|code| code.checked_sub(1)) {
            used.get_mut(row_usize(code)).into_iter().for_each(|used| *used = true);
        }
        let mut names: Vec<(&[u8], usize)> =
            keyword.terms.iter().copied().zip(0..).filter(|(_, at)| used.get(*at) == Some(&true)).collect();
        names.sort_unstable();
        let mut of_code = vec![0; keyword.terms.len() + 1];
        for ((_, at), group) in names.iter().zip(1..) {
            of_code.get_mut(at + 1).into_iter().for_each(|slot| *slot = group);
        }
        let names: Vec<&[u8]> = names.into_iter().map(|(name, _)| name).collect();
        (names.len() < GROUPS_MAX).then_some(Groups { codes, of_code, names })
    }
}

/// Which rows are kept apart: those without a type are group 0.
#[derive(Default)]
pub(super) struct Groups<'a> {
    codes: &'a [u32],
    of_code: Vec<usize>,
    /// Of the groups from 1 on, ascending.
    pub(super) names: Vec<&'a [u8]>,
}

impl Groups<'_> {
    pub(super) fn count(&self) -> usize {
        self.names.len() + 1
    }

    pub(super) fn of(&self, row: u32) -> usize {
        let code = self.codes.get(row_usize(row)).copied().unwrap_or(0);
        self.of_code.get(row_usize(code)).copied().unwrap_or(0)
    }
}

impl Values for RowValues<'_> {
    fn with(&mut self, origin: Origin, row: u32, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        match origin {
            Origin::Message => {
                if let Some(message) = &self.message {
                    take(message);
                }
            }
            Origin::CreatedAt => {
                let text = self.created_at_us.get(row_usize(row)).and_then(|time| timestamp(*time));
                if let Some(text) = text {
                    take(text.as_bytes());
                }
            }
            Origin::Field(field, place) => self.term(field, place, row).iter().for_each(|term| take(term)),
        }
        Ok(())
    }
}

/// Rows on their way into blocks.
pub(super) struct Assembler {
    shortener: Shortener,
    table: TableBuilder,
    groups: Vec<OpenBlock>,
    members: Vec<Member>,
    keys: Vec<u32>,
    short: Vec<u8>,
}

impl Assembler {
    pub(super) fn new(origins: Vec<Origin>, groups: usize) -> Self {
        Self {
            shortener: Shortener::new(origins),
            table: TableBuilder::default(),
            groups: (0..groups).map(|_| OpenBlock::default()).collect(),
            members: Vec::new(),
            keys: Vec::new(),
            short: Vec::new(),
        }
    }

    /// Adds a row to its group; tells of the block that was closed before it, and of the one it closed.
    pub(super) fn push(
        &mut self,
        (row, group): (u32, usize),
        text: Option<&[u8]>,
        values: &mut dyn Values,
        close: &mut dyn FnMut(OpenBlock) -> Result<()>,
    ) -> Result<()> {
        let Some(block) = self.groups.get_mut(group) else { return Err(Error::invalid_input("a row has no group")) };
        // A huge text gets a block of its own, so that its neighbours stay cheap to read.
        if block.row_count() > 0 && text.is_some_and(|text| text.len() >= BLOCK_SIZE) {
            close(std::mem::take(block))?;
        }
        match text {
            None => block.push_absent(row),
            Some(text) if !self.shortener.shorten(row, text, values, &mut self.short)? => {
                block.push_whole(row, CODE_WHOLE, text);
            }
            Some(_) => {
                let short = self.short.as_slice();
                let slice = |place: &std::ops::Range<usize>| short.get(place.clone()).unwrap_or_default();
                self.keys.clear();
                let is_object = split(short, &mut self.members);
                let keys = self.members.iter().map_while(|member| self.table.key(slice(&member.key)));
                self.keys.extend(keys);
                let known = is_object && self.keys.len() == self.members.len();
                match known.then(|| self.table.shape(&self.keys)).flatten() {
                    None => block.push_whole(row, CODE_SHORTENED, short),
                    Some(shape) => {
                        let values = self.members.iter().map(|member| slice(&member.value));
                        block.push_members(row, shape, self.keys.iter().copied().zip(values));
                    }
                }
            }
        }
        if block.row_count() >= BLOCK_ROWS_MAX || block.size() >= BLOCK_SIZE {
            close(std::mem::take(block))?;
        }
        Ok(())
    }

    /// The values of `common` and of all rows pushed so far, which are forgotten: what later blocks may repeat.
    pub(super) fn common(&mut self, mut common: OpenBlock) -> Vec<u8> {
        let groups = self.groups.len();
        for (_, block) in self.rest() {
            common.append(&block);
        }
        self.groups = (0..groups).map(|_| OpenBlock::default()).collect();
        let mut bytes = Vec::new();
        common.encode_values(&mut bytes);
        bytes.split_off(bytes.len().saturating_sub(DICTIONARY_SIZE))
    }

    /// The blocks that are left, those of several groups together; each with the groups in it and their first rows.
    pub(super) fn rest(&mut self) -> Vec<(Vec<(u32, u32)>, OpenBlock)> {
        let mut shared: Vec<(Vec<(u32, u32)>, OpenBlock)> = Vec::new();
        for (group, block) in (0..).zip(std::mem::take(&mut self.groups)) {
            let Some(first) = block.first_row() else { continue };
            match shared.last_mut() {
                Some((runs, last))
                    if last.size() + block.size() <= BLOCK_SIZE
                        && last.row_count() + block.row_count() <= BLOCK_ROWS_MAX =>
                {
                    runs.push((group, first));
                    last.append(&block);
                }
                _ => shared.push((vec![(group, first)], block)),
            }
        }
        shared
    }
}

/// Values of rows whose messages are read when they are asked for.
pub(super) struct Texts<'a, 'v, 's> {
    pub(super) source: &'s mut dyn TextSource,
    pub(super) values: &'v mut RowValues<'a>,
    pub(super) loaded: Option<u32>,
}

impl Values for Texts<'_, '_, '_> {
    fn with(&mut self, origin: Origin, row: u32, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        if origin == Origin::Message && self.loaded != Some(row) {
            self.values.load_message(self.source, row)?;
            self.loaded = Some(row);
        }
        self.values.with(origin, row, take)
    }
}

fn compressed(bytes: &[u8], level: i32) -> Result<Vec<u8>> {
    zstd::bulk::compress(bytes, level)
        .map_err(|source| Error::invalid_input("a text cannot be compressed").with_source(source))
}

/// Writes the payloads of all rows.
pub(crate) fn write(
    writer: &mut SegmentWriter,
    rows: u32,
    (source, values): (&mut dyn TextSource, &mut RowValues<'_>),
    plan: &Plan,
) -> Result<()> {
    let groups = values.groups().filter(|_| plan.by_type).unwrap_or_default();
    let mut assembler = Assembler::new(plan.origins.clone(), groups.count());
    let mut value = Vec::new();
    let mut next = |source: &mut dyn TextSource, values: &mut RowValues<'_>, row: u32| -> Result<Option<Vec<u8>>> {
        let text = source.value(Stream::Payload, row)?.map(|text| {
            value.clear();
            value.extend_from_slice(&text);
            std::mem::take(&mut value)
        });
        if text.as_ref().is_some_and(|text| text.len() > VALUE_SIZE_MAX) {
            return Err(Error::invalid_input(format!("a text of row {row} exceeds {VALUE_SIZE_MAX} bytes")));
        }
        values.load_message(source, row)?;
        Ok(text)
    };
    let mut common = OpenBlock::default();
    let step = rows.checked_div(plan.dictionary_rows).map_or(usize::MAX, |step| row_usize(step.max(1)));
    for row in (0..rows).step_by(step).filter(|_| plan.dictionary_rows > 0) {
        let text = next(source, values, row)?;
        let text = text.as_deref().filter(|text| text.len() < BLOCK_SIZE);
        assembler.push((row, groups.of(row)), text, values, &mut |block| {
            common.append(&block);
            Ok(())
        })?;
    }
    let dictionary = assembler.common(common);
    let mut blocks = Blocks::new(writer, &dictionary)?;
    for row in 0..rows {
        let text = next(source, values, row)?;
        let group = groups.of(row);
        assembler.push((row, group), text.as_deref(), values, &mut |block| {
            let first = block.first_row().unwrap_or(row);
            blocks.close(writer, &[(len_u32(group), first)], block)
        })?;
    }
    for (runs, block) in assembler.rest() {
        blocks.close(writer, &runs, block)?;
    }
    let table = assembler.table.encode(&assembler.shortener.origins, &groups.names);
    blocks.finish(writer, &table, &dictionary)
}

/// Compresses blocks.
pub(super) struct Compressor {
    inner: zstd::bulk::Compressor<'static>,
    pub(super) raw: Vec<u8>,
    out: Vec<u8>,
}

impl Compressor {
    pub(super) fn new(dictionary: &[u8]) -> Result<Self> {
        let failed = |source| Error::invalid_input("compression cannot be prepared").with_source(source);
        let mut inner = zstd::bulk::Compressor::with_dictionary(LEVEL, dictionary).map_err(failed)?;
        // The entry knows the size, and the chunk table has a checksum.
        inner.include_contentsize(false).map_err(failed)?;
        inner.include_checksum(false).map_err(failed)?;
        inner.include_dictid(false).map_err(failed)?;
        Ok(Self { inner, raw: Vec::new(), out: Vec::new() })
    }

    /// What `raw` becomes.
    pub(super) fn compress(&mut self) -> Result<&[u8]> {
        self.out.clear();
        self.out.reserve(zstd::zstd_safe::compress_bound(self.raw.len()));
        self.inner
            .compress_to_buffer(&self.raw, &mut self.out)
            .map_err(|source| Error::invalid_input("a text cannot be compressed").with_source(source))?;
        Ok(&self.out)
    }
}

/// Blocks on their way to the file.
struct Blocks {
    compressor: Compressor,
    start: u64,
    size: u64,
    entries: Vec<u8>,
    count: u32,
    /// Group, first row, block.
    runs: Vec<(u32, u32, u32)>,
}

impl Blocks {
    fn new(writer: &mut SegmentWriter, dictionary: &[u8]) -> Result<Self> {
        Ok(Self {
            compressor: Compressor::new(dictionary)?,
            start: writer.begin(),
            size: 0,
            entries: Vec::new(),
            count: 0,
            runs: Vec::new(),
        })
    }

    fn close(&mut self, writer: &mut SegmentWriter, runs: &[(u32, u32)], mut block: OpenBlock) -> Result<()> {
        block.encode(&mut self.compressor.raw);
        self.entries.extend_from_slice(&len_u32(self.compressor.raw.len()).to_le_bytes());
        self.entries.extend_from_slice(&self.size.to_le_bytes());
        let compressed = self.compressor.compress()?;
        writer.write(compressed)?;
        self.size += len_u64(compressed.len());
        self.runs.extend(runs.iter().map(|(group, first)| (*group, *first, self.count)));
        self.count += 1;
        Ok(())
    }

    fn finish(mut self, writer: &mut SegmentWriter, table: &[u8], dictionary: &[u8]) -> Result<()> {
        let stream = Stream::Payload.number();
        let section = |kind, count| Section::new(kind, stream, count);
        writer.end(self.start, section(SectionKind::MemberBytes, u64::from(self.count)));
        // One entry more, so that every block ends where the next one starts.
        self.entries.extend_from_slice(&0_u32.to_le_bytes());
        self.entries.extend_from_slice(&self.size.to_le_bytes());
        debug_assert_eq!(self.entries.len(), ENTRY_SIZE * (row_usize(self.count) + 1));
        writer.section(section(SectionKind::MemberBlocks, u64::from(self.count)), &self.entries)?;
        self.runs.sort_unstable();
        let runs: Vec<u8> = self
            .runs
            .iter()
            .flat_map(|(group, first, block)| [*group, *first, *block])
            .flat_map(u32::to_le_bytes)
            .collect();
        writer.section(section(SectionKind::MemberRuns, len_u64(self.runs.len())), &runs)?;
        let of_table = section(SectionKind::MemberTable, len_u64(table.len()));
        writer.section(of_table, &compressed(table, LEVEL_TABLE)?)?;
        if dictionary.is_empty() {
            return Ok(());
        }
        let of_dictionary = section(SectionKind::MemberDictionary, len_u64(dictionary.len()));
        writer.section(of_dictionary, &compressed(dictionary, LEVEL_TABLE)?)
    }
}
