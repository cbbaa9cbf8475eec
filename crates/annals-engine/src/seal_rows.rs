//! Live rows of one partition -> the columns of a sealed segment. Each record is walked once.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use crate::codec::{Reader, len_u32, row_usize};
use crate::error::{Error, Result};
use crate::event::tag;
use crate::field::{Field, FieldSet, Values};
use crate::id::EventId;
use crate::live::{ABSENT, BLOCK_ROWS, BlockColumns, LiveBlock, LiveSegment};
use crate::record::Record;
use crate::seal_fields::{RecordFields, TermTexts};
use crate::segment::{
    KeywordCodes, KeywordInput, SegmentForm, SegmentInput, SegmentMeta, SegmentSummary, Stream, TextSource,
    build_segment,
};
use crate::storage::Storage;
use crate::threading::RwLockReadGuard;

/// A full log: its index and its bytes from the start of the file to the end of the last frame.
#[derive(Clone, Copy)]
pub(crate) struct FullLog<'a> {
    pub(crate) live: &'a LiveSegment,
    pub(crate) bytes: &'a [u8],
}

impl<'a> FullLog<'a> {
    /// The record that starts at an offset.
    #[inline]
    fn record(&self, offset: u32) -> Result<Record<'a>> {
        let missing = || Error::corrupt("a record lies outside its log").at_offset(u64::from(offset));
        Record::take(&mut Reader::new(self.bytes.get(row_usize(offset)..).ok_or_else(missing)?))
    }
}

/// Writes the segment of these rows, which are in (`created_at`, live row) order.
pub(crate) fn build(
    storage: &dyn Storage,
    path: &Path,
    log: FullLog<'_>,
    rows: &[(i64, u32)],
    meta: &SegmentMeta,
) -> Result<SegmentSummary> {
    let live = log.live;
    let blocks = live.blocks();
    let columns = Columns::of(&blocks);
    let read_from_records = columns.hashed(rows);
    let RecordsRead { ids, mut texts, fields: fields_read } = read_records(log, &columns, rows, read_from_records)?;
    let dictionaries = live.dictionaries.read();
    let mut fields: Vec<(Field, TermTexts, KeywordCodes)> = Vec::new();
    for field in Field::ALL.iter().filter(|field| !read_from_records.contains(**field)) {
        let dictionary = dictionaries.get(field.index()).filter(|dictionary| dictionary.len() > 0);
        if let Some(dictionary) = dictionary {
            let mut local = LocalCodes::new(dictionary.len());
            let codes = field_codes(&columns, *field, rows, &mut local);
            fields.push((*field, TermTexts::new(dictionary, local.used.into_iter()), codes));
        }
    }
    drop(dictionaries);
    fields.extend(fields_read.finish());
    let (texts_of, codes_of): (Vec<_>, Vec<_>) =
        fields.into_iter().map(|(field, texts, codes)| ((field, texts), codes)).unzip();
    let keywords = texts_of.iter().zip(codes_of);
    let keywords =
        keywords.map(|((field, texts), codes)| KeywordInput { field: *field, terms: texts.as_slices(), codes });
    let keywords = keywords.collect();
    let input = SegmentInput {
        created_at_us: rows.iter().map(|(time, _)| *time).collect(),
        sequences: rows.iter().map(|(_, row)| live.sequence_of(*row)).collect(),
        ids,
        keywords,
        texts: &mut texts,
    };
    build_segment(storage, path, meta, input, SegmentForm::Fresh)
}

/// The columns of all blocks, held for the time of the walk: nobody writes to a full log's.
struct Columns<'a> {
    blocks: &'a [Arc<LiveBlock>],
    codes: Vec<RwLockReadGuard<'a, BlockColumns>>,
}

impl<'a> Columns<'a> {
    fn of(blocks: &'a [Arc<LiveBlock>]) -> Self {
        Self { blocks, codes: blocks.iter().map(|block| block.columns.read()).collect() }
    }

    fn of_row(&self, row: u32) -> Option<&BlockColumns> {
        self.codes.get(row_usize(row / BLOCK_ROWS)).map(|columns| &**columns)
    }

    fn offset(&self, row: u32) -> Result<u32> {
        let block = self.blocks.get(row_usize(row / BLOCK_ROWS));
        let offset = block.and_then(|block| block.rows.offset(row % BLOCK_ROWS));
        offset.ok_or_else(|| Error::corrupt(format!("live row {row} has no offset")))
    }

    /// The fields that some block of these rows holds hashes of.
    fn hashed(&self, rows: &[(i64, u32)]) -> FieldSet {
        let mut blocks: Vec<u32> = rows.iter().map(|(_, row)| row / BLOCK_ROWS).collect();
        blocks.dedup();
        let sets = blocks.into_iter().filter_map(|block| self.blocks.get(row_usize(block)).map(|block| block.hashed));
        FieldSet::from_bits(sets.fold(0, |bits, set| bits | set.bits()))
    }
}

/// Codes of one segment, given in the order they are met: few of a log's terms are in each partition.
struct LocalCodes {
    local: Vec<u32>,
    used: Vec<u32>,
}

impl LocalCodes {
    fn new(dictionary_len: u32) -> Self {
        Self { local: vec![ABSENT; row_usize(dictionary_len) + 1], used: Vec::new() }
    }

    fn of(&mut self, code: u32) -> u32 {
        if code == ABSENT {
            return ABSENT;
        }
        let Some(slot) = self.local.get_mut(row_usize(code)) else { return ABSENT };
        if *slot == ABSENT {
            self.used.push(code);
            *slot = len_u32(self.used.len());
        }
        *slot
    }
}

fn field_codes(columns: &Columns<'_>, field: Field, rows: &[(i64, u32)], local: &mut LocalCodes) -> KeywordCodes {
    // Rows come by time: most lie in the block of the row before.
    let blocks = rows.chunk_by(|(_, a), (_, b)| a / BLOCK_ROWS == b / BLOCK_ROWS);
    let blocks = blocks.filter_map(|rows| Some((rows, columns.of_row(rows.first()?.1))));
    match field.values() {
        Values::Single => {
            let mut codes = Vec::with_capacity(rows.len());
            for (rows, block) in blocks {
                let column = block.map(|block| block.codes(field)).unwrap_or_default();
                let code = |row: u32| column.get(row_usize(row % BLOCK_ROWS)).copied().unwrap_or(ABSENT);
                codes.extend(rows.iter().map(|(_, row)| local.of(code(*row))));
            }
            KeywordCodes::Single(codes)
        }
        Values::Multiple => {
            let mut ends = Vec::with_capacity(rows.len());
            let mut codes = Vec::new();
            for (rows, block) in blocks {
                for (_, row) in rows {
                    let of_row = block.map(|block| block.codes_of(field, row % BLOCK_ROWS)).unwrap_or_default();
                    codes.extend(of_row.iter().map(|code| local.of(*code)));
                    ends.push(len_u32(codes.len()));
                }
            }
            KeywordCodes::Multiple { ends, codes }
        }
    }
}

/// The texts of live rows, read from the log.
struct LiveTexts<'a> {
    log: FullLog<'a>,
    rows: usize,
    /// By stream number - 1, then by segment row; as far as rows have any.
    places: [Vec<TextPlace>; Stream::ALL.len()],
}

/// Where a text lies in the log file.
#[derive(Clone, Copy)]
struct TextPlace {
    start: u32,
    /// [`TextPlace::ABSENT`] if there is none.
    len: u32,
}

impl TextPlace {
    /// No text is as long.
    const ABSENT: u32 = u32::MAX;
    const NONE: Self = Self { start: 0, len: Self::ABSENT };
}

/// What one walk over all records gives.
struct RecordsRead<'a> {
    ids: Vec<EventId>,
    texts: LiveTexts<'a>,
    fields: RecordFields,
}

/// Walks every record: its id, where its texts lie, and the terms of the fields that no column has codes of.
fn read_records<'a>(
    log: FullLog<'a>,
    columns: &Columns<'_>,
    rows: &[(i64, u32)],
    fields: FieldSet,
) -> Result<RecordsRead<'a>> {
    let mut ids = Vec::with_capacity(rows.len());
    let mut places = [const { Vec::new() }; Stream::ALL.len()];
    let mut fields = RecordFields::new(fields, rows.len());
    for (row, (time, live_row)) in rows.iter().enumerate() {
        let offset = columns.offset(*live_row)?;
        let record = log.record(offset)?;
        read_record(&record, offset, row, &mut fields, &mut places)?;
        ids.push(record.id.unwrap_or_else(|| EventId::made(*time, log.live.sequence_of(*live_row))));
    }
    Ok(RecordsRead { ids, texts: LiveTexts { log, rows: rows.len(), places }, fields })
}

fn read_record(
    record: &Record<'_>,
    offset: u32,
    row: usize,
    fields: &mut RecordFields,
    places: &mut [Vec<TextPlace>; Stream::ALL.len()],
) -> Result<()> {
    let mut walk = record.values();
    loop {
        let before = walk.position();
        let Some(value) = walk.next() else { return Ok(()) };
        let value = value?;
        let slot = match value.tag {
            tag::MESSAGE => Stream::Message,
            tag::CONTENT => Stream::Content,
            tag::PAYLOAD => Stream::Payload,
            tag::ERROR_MESSAGE.. => Stream::Stored,
            _ => {
                fields.take(row, &value)?;
                continue;
            }
        };
        // The rest is taken as it is; a malformed end shows when it is read.
        let (start, end) = match slot {
            Stream::Stored => (before, record.fields_len()),
            _ => (walk.position() - value.bytes.len(), walk.position()),
        };
        if let Some(places) = places.get_mut(usize::from(slot.number()) - 1) {
            if places.is_empty() {
                places.reserve_exact(fields.rows());
            }
            places.resize(row, TextPlace::NONE);
            places
                .push(TextPlace { start: offset + len_u32(record.fields_start() + start), len: len_u32(end - start) });
        }
        if slot == Stream::Stored {
            return Ok(());
        }
    }
}

impl TextSource for LiveTexts<'_> {
    fn value(&mut self, stream: Stream, row: u32) -> Result<Option<Cow<'_, [u8]>>> {
        let at = row_usize(row);
        if at >= self.rows {
            return Err(Error::corrupt(format!("no text for row {row}")));
        }
        let place = self.places.get(usize::from(stream.number()) - 1).and_then(|places| places.get(at));
        let place = place.filter(|place| place.len != TextPlace::ABSENT);
        let Some(place) = place else { return Ok(None) };
        let start = row_usize(place.start);
        let text = self.log.bytes.get(start..start + row_usize(place.len));
        let text =
            text.ok_or_else(|| Error::corrupt("a text lies outside its log").at_offset(u64::from(place.start)))?;
        Ok(Some(Cow::Borrowed(text)))
    }
}
