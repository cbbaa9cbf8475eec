//! Reads a row: its run, its block, its values.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use crate::codec::{Reader, len_u64, row_usize, to_usize};
use crate::error::{Error, Result};
use crate::field::Field;

use super::super::Stream;
use super::super::blocks::{Prepared, decompress};
use super::super::checked::CheckedFile;
use super::super::layout::{Footer, Section, SectionKind};
use super::super::text::{StreamCursor, VALUE_SIZE_MAX};
use super::block::Block;
use super::marks::{Origin, Siblings, Values, lengthen, timestamp};
use super::table::{TABLE_SIZE_MAX, Table};
use super::{BLOCK_ROWS_MAX, BLOCK_SIZE, CODE_ABSENT, CODE_WHOLE, ENTRY_SIZE, RUN_SIZE};

/// A larger dictionary is not one of ours.
const DICTIONARY_SIZE_MAX: u64 = 1 << 20;
/// No block is larger before compression: one value more than it should have, and what is told of each row and value.
const BLOCK_SIZE_MAX: usize = VALUE_SIZE_MAX + BLOCK_SIZE + 512 * BLOCK_ROWS_MAX;
/// Blocks that a walk over rows keeps: neighbours lie in as many as there are event types among them.
const RECENT_MAX: usize = 48;

/// Payloads as members, read.
#[derive(Debug)]
pub(crate) struct MemberReader {
    table: Section,
    runs: Section,
    blocks: Section,
    bytes: Section,
    dictionary: Option<Section>,
    /// Both read when the first row is.
    decoded: OnceLock<Table>,
    prepared: OnceLock<Prepared>,
}

/// Blocks that were read last, and buffers.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    blocks: VecDeque<(u64, Arc<Block>)>,
    short: Vec<u8>,
    needle: Vec<u8>,
    pub(crate) text: Vec<u8>,
}

impl MemberReader {
    /// The payloads, if the footer has them as members.
    pub(crate) fn new(footer: &Footer, stream: Stream) -> Result<Option<Self>> {
        let number = stream.number();
        let Some(table) = footer.find(SectionKind::MemberTable, number) else { return Ok(None) };
        let runs = footer.require(SectionKind::MemberRuns, number)?;
        let blocks = footer.require(SectionKind::MemberBlocks, number)?;
        let bytes = footer.require(SectionKind::MemberBytes, number)?;
        let dictionary = footer.find(SectionKind::MemberDictionary, number);
        let size = |count: u64, each: usize| count.checked_mul(len_u64(each));
        if table.count > len_u64(TABLE_SIZE_MAX)
            || runs.count == 0
            || size(runs.count, RUN_SIZE) != Some(runs.len)
            || blocks.count == 0
            || blocks.count.checked_add(1).and_then(|count| size(count, ENTRY_SIZE)) != Some(blocks.len)
            || dictionary.is_some_and(|dictionary| dictionary.count > DICTIONARY_SIZE_MAX)
        {
            return Err(Error::corrupt(format!("the members of {stream:?} contradict the footer")));
        }
        let (decoded, prepared) = (OnceLock::new(), OnceLock::new());
        Ok(Some(Self { table, runs, blocks, bytes, dictionary, decoded, prepared }))
    }

    /// The bytes of a section that is compressed as a whole.
    fn inflated(file: &CheckedFile, section: &Section) -> Result<Vec<u8>> {
        let size = to_usize(section.count);
        let place = |error: Error| error.at_path(file.path()).at_offset(section.offset);
        let bytes = decompress(file.all(section)?, size, None).map_err(place)?;
        if bytes.len() == size { Ok(bytes) } else { Err(file.contradicts(section, "has another size than it says")) }
    }

    fn table(&self, file: &CheckedFile) -> Result<&Table> {
        if let Some(table) = self.decoded.get() {
            return Ok(table);
        }
        let table = Table::decode(Self::inflated(file, &self.table)?)
            .map_err(|error| error.at_path(file.path()).at_offset(self.table.offset))?;
        Ok(self.decoded.get_or_init(|| table))
    }

    fn dictionary(&self, file: &CheckedFile) -> Result<Option<&Prepared>> {
        let Some(section) = &self.dictionary else { return Ok(None) };
        if let Some(prepared) = self.prepared.get() {
            return Ok(Some(prepared));
        }
        let prepared = Prepared::new(&Self::inflated(file, section)?);
        let prepared = prepared.ok_or_else(|| file.contradicts(section, "is no dictionary"))?;
        Ok(Some(self.prepared.get_or_init(|| prepared)))
    }

    fn run(&self, file: &CheckedFile, index: u64) -> Result<(u32, u32, u32)> {
        let mut reader = Reader::new(file.bytes(&self.runs, index * len_u64(RUN_SIZE), RUN_SIZE)?);
        Ok((reader.u32()?, reader.u32()?, reader.u32()?))
    }

    /// The block that holds `row`, if any does.
    fn block_of(&self, siblings: &Siblings<'_>, row: u32) -> Result<u64> {
        let file = siblings.file;
        let table = self.table(file)?;
        let mut group = 0;
        if let Some(column) = siblings.field(Field::EventType).filter(|_| table.is_grouped()) {
            let code = column.code_of(file, row)?;
            if code > 0 {
                let unknown = || file.contradicts(&self.table, &format!("has no group for row {row}"));
                group = table.group(&column.dictionary.term(file, code)?).ok_or_else(unknown)?;
            }
        }
        // The last run that starts at or before the row.
        let (mut low, mut high) = (0, self.runs.count);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let (of, first, _) = self.run(file, middle)?;
            if (of, first) <= (group, row) {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(u64::from(self.run(file, low)?.2))
    }

    fn decode(&self, file: &CheckedFile, number: u64) -> Result<Block> {
        let entry = |index: u64| -> Result<(u32, u64)> {
            let mut reader = Reader::new(file.bytes(&self.blocks, index * len_u64(ENTRY_SIZE), ENTRY_SIZE)?);
            Ok((reader.u32()?, reader.u64()?))
        };
        let ((size, start), (_, end)) = (entry(number)?, entry(number.saturating_add(1))?);
        let size = row_usize(size);
        let Some(len) = end.checked_sub(start).filter(|_| size <= BLOCK_SIZE_MAX) else {
            return Err(file.contradicts(&self.blocks, &format!("has no block {number}")));
        };
        let place = |error: Error| error.at_path(file.path()).at_offset(self.bytes.offset.saturating_add(start));
        let stored = file.bytes(&self.bytes, start, to_usize(len))?;
        let raw = decompress(stored, size, self.dictionary(file)?.map(|prepared| &prepared.0)).map_err(place)?;
        if raw.len() != size {
            return Err(place(Error::corrupt(format!("a block has {} bytes, not {size}", raw.len()))));
        }
        Block::decode(raw, self.table(file)?).map_err(place)
    }

    /// Reads a row: whether it has a text, which is in `recent` then.
    pub(crate) fn read<'a>(
        &self,
        siblings: &Siblings<'a>,
        row: u32,
        recent: &mut Recent,
        message: &mut Option<Box<StreamCursor<'a>>>,
    ) -> Result<bool> {
        let number = self.block_of(siblings, row)?;
        let known = recent.blocks.iter().find(|(of, _)| *of == number).map(|(_, block)| Arc::clone(block));
        let block = if let Some(block) = known {
            block
        } else {
            let block = Arc::new(self.decode(siblings.file, number)?);
            let is_large = block.size() > 8 * BLOCK_SIZE;
            while recent.blocks.len() >= RECENT_MAX || (is_large && !recent.blocks.is_empty()) {
                recent.blocks.pop_front();
            }
            recent.blocks.push_back((number, Arc::clone(&block)));
            block
        };
        let missing = || siblings.file.contradicts(&self.runs, &format!("does not lead to row {row}"));
        let place = block.find(row).ok_or_else(missing)?;
        let table = self.table(siblings.file)?;
        match block.text(place, table, &mut recent.short) {
            CODE_ABSENT => return Ok(false),
            CODE_WHOLE => std::mem::swap(&mut recent.text, &mut recent.short),
            _ => {
                let mut values = Columns { siblings, message };
                let buffers = (&mut recent.needle, &mut recent.text);
                lengthen(&table.origins, row, &recent.short, &mut values, buffers)
                    .map_err(|error| error.at_path(siblings.file.path()).at_offset(self.bytes.offset))?;
            }
        }
        Ok(true)
    }

    /// Checks that each row lies in one block, and that runs lead to blocks.
    pub(crate) fn verify(&self, file: &CheckedFile, rows: u32) -> Result<()> {
        let mut last = None;
        for index in 0..self.runs.count {
            let (group, first, block) = self.run(file, index)?;
            if last >= Some((group, first)) || u64::from(block) >= self.blocks.count {
                return Err(file.contradicts(&self.runs, &format!("has a wrong run {index}")));
            }
            last = Some((group, first));
        }
        let mut held = roaring::RoaringBitmap::new();
        for number in 0..self.blocks.count {
            let block = self.decode(file, number)?;
            if block.rows().iter().any(|row| *row >= rows || !held.insert(*row)) {
                return Err(file.contradicts(&self.blocks, &format!("has a wrong row in block {number}")));
            }
        }
        if held.len() != u64::from(rows) {
            return Err(file.contradicts(&self.blocks, &format!("has {} of {rows} rows", held.len())));
        }
        Ok(())
    }
}

/// The other columns of the rows that are read.
struct Columns<'s, 'a> {
    siblings: &'s Siblings<'a>,
    message: &'s mut Option<Box<StreamCursor<'a>>>,
}

impl Values for Columns<'_, '_> {
    fn with(&mut self, origin: Origin, row: u32, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        let Siblings { file, message, created_at, .. } = *self.siblings;
        match origin {
            Origin::Message => {
                let Some(reader) = message else { return Ok(()) };
                let alone = Siblings { message: None, ..*self.siblings };
                let cursor = self.message.get_or_insert_with(|| Box::new(reader.cursor(alone)));
                cursor.value(row)?.into_iter().for_each(take);
            }
            Origin::CreatedAt => {
                let Some(column) = created_at else { return Ok(()) };
                let text = timestamp(column.get(file, u64::from(row))?);
                if let Some(text) = text {
                    take(text.as_bytes());
                }
            }
            Origin::Field(field, place) => {
                let Some(column) = self.siblings.field(field) else { return Ok(()) };
                let code = if column.is_single() {
                    Some(column.code_of(file, row)?).filter(|code| place == 0 && *code > 0)
                } else {
                    let mut codes = Vec::new();
                    column.codes_of(file, row, &mut codes)?;
                    codes.get(usize::from(place)).copied()
                };
                if let Some(code) = code {
                    take(&column.dictionary.term(file, code)?);
                }
            }
        }
        Ok(())
    }
}
