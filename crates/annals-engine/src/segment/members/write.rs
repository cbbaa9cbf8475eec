//! Writes payloads as members: what suits a segment is told by its first rows.

use std::borrow::Cow;

use crate::codec::{len_u32, len_u64, row_usize};
use crate::error::{Error, Result};
use crate::field::Field;

use super::super::layout::{Section, SectionKind};
use super::super::text::VALUE_SIZE_MAX;
use super::super::writer::SegmentWriter;
use super::super::{KeywordCodes, KeywordInput, Stream, TextSource};
use super::block::OpenBlock;
use super::marks::{Origin, Shortener, Values, timestamp};
use super::split::{Member, split};
use super::table::TableBuilder;
use super::{BLOCK_ROWS_MAX, BLOCK_SIZE, CODE_SHORTENED, CODE_WHOLE, ENTRY_SIZE, LEVEL};

/// Event types beyond this many are not kept apart: each has an open block.
const GROUPS_MAX: usize = 512;
/// What the blocks of a segment have in common takes this many bytes before it is compressed itself.
const DICTIONARY_SIZE: usize = 256 << 10;
/// Payloads of fewer bytes have no dictionary.
const DICTIONARY_PAYS: u64 = 8 << 20;
/// The form is chosen by stretches of so many rows, and so many of them.
const STRETCH_ROWS: usize = 256;
const STRETCHES: u32 = 12;
/// No more bytes are looked at for that.
const SAMPLE_SIZE_MAX: usize = 8 << 20;
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

    fn term(&self, field: Field, place: u8, row: u32) -> Option<&[u8]> {
        let keyword = self.keywords.iter().find(|keyword| keyword.field == field)?;
        let row = row_usize(row);
        let code = match &keyword.codes {
            KeywordCodes::Single(codes) => codes.get(row).filter(|_| place == 0),
            KeywordCodes::Multiple { ends, codes } => {
                let start = row.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
                codes.get(row_usize(start)..row_usize(*ends.get(row)?))?.get(usize::from(place))
            }
        };
        keyword.terms.get(row_usize(code?.checked_sub(1)?)).copied()
    }

    /// The codes by which rows are kept apart, if there are few enough; rows without have code 0.
    fn event_types(&self) -> Option<(&'a [u32], usize)> {
        let keyword = self.keywords.iter().find(|keyword| keyword.field == Field::EventType)?;
        match &keyword.codes {
            KeywordCodes::Single(codes) if keyword.terms.len() < GROUPS_MAX => Some((codes, keyword.terms.len() + 1)),
            _ => None,
        }
    }
}

impl Values for RowValues<'_> {
    fn with(&mut self, origin: Origin, row: u32, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        match origin {
            Origin::Message => self.message.iter().for_each(|message| take(message)),
            Origin::CreatedAt => {
                let text = self.created_at_us.get(row_usize(row)).and_then(|time| timestamp(*time));
                text.iter().for_each(|text| take(text.as_bytes()));
            }
            Origin::Field(field, place) => self.term(field, place, row).into_iter().for_each(take),
        }
        Ok(())
    }
}

/// Rows on their way into blocks.
struct Assembler {
    shortener: Shortener,
    table: TableBuilder,
    groups: Vec<OpenBlock>,
    members: Vec<Member>,
    keys: Vec<u32>,
    short: Vec<u8>,
}

impl Assembler {
    fn new(origins: Vec<Origin>, groups: usize) -> Self {
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
    fn push(
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
    fn common(&mut self, mut common: OpenBlock) -> Vec<u8> {
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
    fn rest(&mut self) -> Vec<(Vec<(u32, u32)>, OpenBlock)> {
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

/// What suits a segment's payloads.
#[derive(Debug)]
pub(crate) struct Plan {
    origins: Vec<Origin>,
    by_type: bool,
    /// What 1,024 rows take, about.
    pub(crate) size_per_1024: u64,
    dictionary_rows: u32,
}

impl Plan {
    /// Chooses by rows spread over the segment.
    pub(crate) fn new(rows: u32, source: &mut dyn TextSource, values: &mut RowValues<'_>) -> Result<Self> {
        let sample = Sample::new(rows, source)?;
        let mut texts = Texts { source, values, loaded: None };
        let present: Vec<(u32, &[u8])> =
            sample.rows.iter().filter_map(|(row, text)| Some((*row, text.as_deref()?))).collect();
        let origins = Shortener::learn(&present, &mut texts)?.origins;
        let average = len_u64(present.iter().map(|(_, text)| text.len()).sum::<usize>() / sample.rows.len().max(1));
        let dictionary_rows = wanted_for_dictionary(average, rows);
        let mut plan = Self { origins, by_type: false, size_per_1024: 0, dictionary_rows };
        let plain = plan.weigh(&sample, &mut texts)?;
        plan.size_per_1024 = plain;
        if texts.values.event_types().is_some() {
            plan.by_type = true;
            plan.size_per_1024 = plan.weigh(&sample, &mut texts)?;
            if plan.size_per_1024 >= plain {
                plan.by_type = false;
                plan.size_per_1024 = plain;
            }
        }
        Ok(plan)
    }

    /// What a row of the sample takes on average. Where there is to be a dictionary, a quarter of the sample is it.
    fn weigh(&self, sample: &Sample, texts: &mut Texts<'_, '_, '_>) -> Result<u64> {
        let (types, groups) = texts.values.event_types().filter(|_| self.by_type).unwrap_or((&[], 1));
        let group_of = |row: u32| types.get(row_usize(row)).copied().map_or(0, row_usize);
        let mut assembler = Assembler::new(self.origins.clone(), groups);
        let has_dictionary = self.dictionary_rows > 0;
        let in_dictionary = |at: usize| has_dictionary && at / STRETCH_ROWS % 4 == 0;
        let mut common = OpenBlock::default();
        for (_, (row, text)) in sample.rows.iter().enumerate().filter(|(at, _)| in_dictionary(*at)) {
            assembler.push((*row, group_of(*row)), text.as_deref(), texts, &mut |block| {
                common.append(&block);
                Ok(())
            })?;
        }
        let mut blocks = Compressor::new(&assembler.common(common))?;
        let (mut size, mut rows) = (0, 0_u32);
        let mut weigh = |mut block: OpenBlock| -> Result<()> {
            block.encode(&mut blocks.raw);
            size += blocks.compress()?.len();
            Ok(())
        };
        for (_, (row, text)) in sample.rows.iter().enumerate().filter(|(at, _)| !in_dictionary(*at)) {
            assembler.push((*row, group_of(*row)), text.as_deref(), texts, &mut weigh)?;
            rows += 1;
        }
        for (_, block) in assembler.rest() {
            weigh(block)?;
        }
        Ok(len_u64(size) * 1024 / u64::from(rows.max(1)))
    }
}

/// Rows in stretches, spread over a segment.
struct Sample {
    rows: Vec<(u32, Option<Vec<u8>>)>,
}

impl Sample {
    fn new(rows: u32, source: &mut dyn TextSource) -> Result<Self> {
        let stretch = len_u32(STRETCH_ROWS);
        let step = (rows / STRETCHES).max(stretch);
        let mut sample = Vec::new();
        let mut size = 0;
        for first in (0..rows).step_by(row_usize(step)) {
            for row in first..rows.min(first + stretch) {
                let text = source.value(Stream::Payload, row)?.map(Cow::into_owned);
                size += text.as_ref().map_or(0, Vec::len);
                sample.push((row, text));
            }
            if size > SAMPLE_SIZE_MAX {
                break;
            }
        }
        Ok(Self { rows: sample })
    }
}

/// How many rows make a dictionary; none where it does not pay.
fn wanted_for_dictionary(average: u64, rows: u32) -> u32 {
    if average.saturating_mul(u64::from(rows)) < DICTIONARY_PAYS {
        return 0;
    }
    u32::try_from(len_u64(2 * DICTIONARY_SIZE) / average.max(1)).unwrap_or(u32::MAX).max(1)
}

/// Values of rows whose messages are read when they are asked for.
struct Texts<'a, 'v, 's> {
    source: &'s mut dyn TextSource,
    values: &'v mut RowValues<'a>,
    loaded: Option<u32>,
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
    let (types, groups) = values.event_types().filter(|_| plan.by_type).unwrap_or((&[], 1));
    let mut assembler = Assembler::new(plan.origins.clone(), groups);
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
    let group_of = |row: u32| types.get(row_usize(row)).copied().map_or(0, row_usize);
    let mut common = OpenBlock::default();
    let step = rows.checked_div(plan.dictionary_rows).map_or(usize::MAX, |step| row_usize(step.max(1)));
    for row in (0..rows).step_by(step).filter(|_| plan.dictionary_rows > 0) {
        let text = next(source, values, row)?;
        let text = text.as_deref().filter(|text| text.len() < BLOCK_SIZE);
        assembler.push((row, group_of(row)), text, values, &mut |block| {
            common.append(&block);
            Ok(())
        })?;
    }
    let dictionary = assembler.common(common);
    let mut blocks = Blocks::new(writer, &dictionary)?;
    for row in 0..rows {
        let text = next(source, values, row)?;
        let group = group_of(row);
        assembler.push((row, group), text.as_deref(), values, &mut |block| {
            let first = block.first_row().unwrap_or(row);
            blocks.close(writer, &[(len_u32(group), first)], block)
        })?;
    }
    for (runs, block) in assembler.rest() {
        blocks.close(writer, &runs, block)?;
    }
    let table = assembler.table.encode(&assembler.shortener.origins);
    blocks.finish(writer, plan.by_type, &table, &dictionary)
}

/// Compresses blocks.
struct Compressor {
    inner: zstd::bulk::Compressor<'static>,
    raw: Vec<u8>,
    out: Vec<u8>,
}

impl Compressor {
    fn new(dictionary: &[u8]) -> Result<Self> {
        let failed = |source| Error::invalid_input("compression cannot be prepared").with_source(source);
        let mut inner = zstd::bulk::Compressor::with_dictionary(LEVEL, dictionary).map_err(failed)?;
        // The entry knows the size, and the chunk table has a checksum.
        inner.include_contentsize(false).map_err(failed)?;
        inner.include_checksum(false).map_err(failed)?;
        inner.include_dictid(false).map_err(failed)?;
        Ok(Self { inner, raw: Vec::new(), out: Vec::new() })
    }

    /// What `raw` becomes.
    fn compress(&mut self) -> Result<&[u8]> {
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

    fn finish(mut self, writer: &mut SegmentWriter, by_type: bool, table: &[u8], dictionary: &[u8]) -> Result<()> {
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
        let of_table = Section { width: u8::from(by_type), ..section(SectionKind::MemberTable, len_u64(table.len())) };
        writer.section(of_table, &compressed(table, LEVEL_TABLE)?)?;
        if dictionary.is_empty() {
            return Ok(());
        }
        let of_dictionary = section(SectionKind::MemberDictionary, len_u64(dictionary.len()));
        writer.section(of_dictionary, &compressed(dictionary, LEVEL_TABLE)?)
    }
}
