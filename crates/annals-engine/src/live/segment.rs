//! The live rows of one log file, and their index.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;

use super::block::{BLOCK_ROWS, LiveBlock};
use super::dictionary::{ABSENT, LiveDictionary};
use super::ids::{IdRow, LiveIds};
use crate::batch::RecordRef;
use crate::batch_terms::Terms;
use crate::codec::{Reader, len_u32, row_usize};
use crate::error::{Error, Result};
use crate::field::{FIELD_SLOTS, Field, FieldSet};
use crate::id::EventId;
use crate::record::{RECORD_SIZE_MAX, Record, TermRef};
use crate::storage::GrowingMap;
use crate::threading::{Mutex, RwLock, RwLockUpgradableReadGuard};
use crate::watermark::Readable;

/// A field with more terms than this in the live rows is hashed in the blocks to come: its dictionary would
/// outgrow the cache, and every value cost the writer more than the rest of its event.
const CODED_TERMS_MAX: u32 = 4_096;

/// Rows that are pushed while the readers of a block wait: some microseconds.
const ROWS_AT_ONCE: u32 = 128;

/// Rows of one log, in arrival order: row = sequence - first sequence.
///
/// Lock order: `dictionaries`, then a block's `columns`. No I/O under either but page faults.
pub(crate) struct LiveSegment {
    pub(crate) log_id: u64,
    pub(crate) first_sequence: u64,
    map: Arc<dyn GrowingMap>,
    /// By field number.
    pub(crate) dictionaries: RwLock<Vec<LiveDictionary>>,
    pub(crate) ids: RwLock<LiveIds>,
    blocks: RwLock<Vec<Arc<LiveBlock>>>,
    /// The codes last asked for by prefix, extended as the dictionary grows.
    prefix_codes: Mutex<Option<PrefixCodes>>,
    /// How far the log can be read, once the store is open for writing.
    readable: OnceLock<Arc<Readable>>,
}

struct PrefixCodes {
    field: Field,
    prefix: String,
    codes: Arc<RoaringBitmap>,
    seen: u32,
}

/// Rows that were written to the log and are now indexed.
pub(crate) struct RowsToIndex<'a> {
    /// The frame, header included; offsets of records and terms count from its start.
    pub(crate) frame: &'a [u8],
    /// Where the frame lies in the log file.
    pub(crate) frame_offset: u64,
    pub(crate) records: &'a [RecordRef],
    pub(crate) terms: &'a Terms,
}

impl LiveSegment {
    pub(crate) fn new(log_id: u64, first_sequence: u64, map: Arc<dyn GrowingMap>) -> Self {
        Self {
            log_id,
            first_sequence,
            map,
            dictionaries: RwLock::new((0..FIELD_SLOTS).map(|_| LiveDictionary::default()).collect()),
            ids: RwLock::default(),
            blocks: RwLock::default(),
            prefix_codes: Mutex::default(),
            readable: OnceLock::new(),
        }
    }

    /// A segment like `before`, which is full: its table of ids does not grow step by step.
    pub(crate) fn after(before: &LiveSegment, log_id: u64, first_sequence: u64, map: Arc<dyn GrowingMap>) -> Self {
        let mut next = Self::new(log_id, first_sequence, map);
        next.ids = RwLock::new(LiveIds::with_capacity(before.ids.read().len()));
        next.readable = before.readable.clone();
        next
    }

    /// Rows indexed so far; published ones are bounded by the snapshot's watermark.
    pub(crate) fn row_count(&self) -> u32 {
        self.blocks.read().last().map_or(0, |block| block.first_row + block.rows.len())
    }

    pub(crate) fn blocks(&self) -> Vec<Arc<LiveBlock>> {
        self.blocks.read().clone()
    }

    /// From now on rows that the log cannot be asked for any more are refused.
    pub(crate) fn watch(&self, readable: Arc<Readable>) {
        _ = self.readable.set(readable);
    }

    /// Fails if the log cannot be asked for a row any more: asked behind the reading.
    pub(crate) fn check_readable(&self, row: u32) -> Result<()> {
        self.readable.get().map_or(Ok(()), |readable| readable.check(self.sequence_of(row)))
    }

    /// The sequence of a row.
    pub(crate) fn sequence_of(&self, row: u32) -> u64 {
        self.first_sequence + u64::from(row)
    }

    /// The row of a sequence at or behind the first one.
    pub(crate) fn row_of(&self, sequence: u64) -> Option<u32> {
        u32::try_from(sequence.checked_sub(self.first_sequence)?).ok()
    }

    /// Indexes rows. Called by one thread at a time, in sequence order.
    pub(crate) fn index(&self, rows: &RowsToIndex<'_>) -> Result<()> {
        let mut uses = rows.terms.uses().iter();
        let mut uses_done = 0_u32;
        let mut records = rows.records.iter().peekable();
        let mut codes: Option<(FieldSet, Vec<(Field, u32)>)> = None;
        while records.peek().is_some() {
            let block = self.open_block();
            // ORDER: dictionaries before columns, and readers of the block do not wait while values are looked up.
            let hashed = block.hashed;
            let known = codes.take().filter(|(known, _)| *known == hashed);
            let (_, codes) = codes.insert(match known {
                Some(known) => known,
                None => (hashed, self.codes(rows, hashed)?),
            });
            let mut columns = block.columns.write();
            let first = block.rows.len();
            let room = (BLOCK_ROWS - first).min(ROWS_AT_ONCE);
            let mut end = first;
            for record in records.by_ref().take(row_usize(room)) {
                let offset = rows.frame_offset + u64::from(record.offset);
                let offset = u32::try_from(offset)
                    .map_err(|source| Error::corrupt("a log offset exceeds 32 bits").with_source(source))?;
                block.rows.put(end, record.created_at_us.unwrap_or(0), offset);
                for index in uses.by_ref().take(row_usize(record.uses_end - uses_done)) {
                    if let Some((field, code)) = codes.get(row_usize(*index)) {
                        columns.push_code(end, *field, *code);
                    }
                }
                uses_done = record.uses_end;
                end += 1;
            }
            block.rows.set_len(end);
        }
        Ok(())
    }

    /// What a block's columns hold of each term: its code, new or old, or its hash. Known terms are found under
    /// a read lock.
    fn codes(&self, rows: &RowsToIndex<'_>, hashed: FieldSet) -> Result<Vec<(Field, u32)>> {
        let mut dictionaries = self.dictionaries.upgradable_read();
        let mut codes = Vec::with_capacity(rows.terms.list().len());
        for term in rows.terms.list() {
            let field = Field::from_number(term.field)
                .ok_or_else(|| Error::corrupt(format!("unknown field number {}", term.field)))?;
            let code = if hashed.contains(field) {
                hash_code(term.hash)
            } else {
                intern(&mut dictionaries, term.stored(rows.frame), term)
            };
            codes.push((field, code));
        }
        Ok(codes)
    }

    fn open_block(&self) -> Arc<LiveBlock> {
        if let Some(last) = self.blocks.read().last()
            && last.rows.len() < BLOCK_ROWS
        {
            return Arc::clone(last);
        }
        let hashed = self.fields_to_hash();
        let mut blocks = self.blocks.write();
        let first_row = len_u32(blocks.len()) * BLOCK_ROWS;
        let block = Arc::new(LiveBlock::new(first_row, hashed));
        blocks.push(Arc::clone(&block));
        block
    }

    /// The fields that have shown too many values for their dictionaries to be worth it.
    fn fields_to_hash(&self) -> FieldSet {
        let dictionaries = self.dictionaries.read();
        let mut hashed = FieldSet::default();
        for field in Field::ALL {
            if dictionaries.get(field.index()).is_some_and(|dictionary| dictionary.len() > CODED_TERMS_MAX) {
                hashed.insert(*field);
            }
        }
        hashed
    }

    /// Calls `read` with the record at an offset of the log file.
    pub(crate) fn with_record<T>(&self, offset: u32, read: impl FnOnce(Record<'_>) -> Result<T>) -> Result<T> {
        let bytes = self.record_bytes(offset)?;
        read(Record::take(&mut Reader::new(&bytes))?)
    }

    fn record_bytes(&self, offset: u32) -> Result<Cow<'_, [u8]>> {
        let missing = || Error::corrupt("a record lies outside its log").at_offset(u64::from(offset));
        let prefix = self.map.bytes(u64::from(offset), crate::record::SIZE_PREFIX).ok_or_else(missing)?;
        let size = row_usize(Reader::new(&prefix).u32()?);
        if size > RECORD_SIZE_MAX {
            return Err(missing());
        }
        self.map.bytes(u64::from(offset), crate::record::SIZE_PREFIX + size).ok_or_else(missing)
    }

    /// Bytes of the log file that were written before.
    pub(crate) fn bytes(&self, offset: u64, len: usize) -> Result<Cow<'_, [u8]>> {
        self.map.bytes(offset, len).ok_or_else(|| Error::corrupt("a text lies outside its log").at_offset(offset))
    }

    /// Where the record of a row starts, and its time.
    pub(crate) fn locate(&self, row: u32) -> Option<(u32, i64)> {
        let block = self.blocks.read().get(row_usize(row / BLOCK_ROWS)).cloned()?;
        let position = row % BLOCK_ROWS;
        // A place that no row has come to yet is none.
        (position < block.rows.len()).then_some((block.rows.offset(position)?, block.rows.created_at_us(position)?))
    }

    /// The rows with a given id, the newest first, published or not.
    pub(crate) fn rows_with_id(&self, id: EventId) -> Vec<IdRow> {
        let mut rows: Vec<IdRow> = self.ids.read().rows(id).collect();
        if let Some(made) = self.made_row(id)
            && !rows.iter().any(|known| known.row == made.row)
        {
            rows.push(made);
            rows.sort_unstable_by_key(|known| std::cmp::Reverse(known.row));
        }
        rows
    }

    /// The row whose event was given this id by the store: it is not in the table, the id itself says where
    /// its event is.
    pub(crate) fn made_row(&self, id: EventId) -> Option<IdRow> {
        let (created_at_us, sequence) = id.made_parts()?;
        let row = self.row_of(sequence)?;
        let (offset, time) = self.locate(row)?;
        let made = time == created_at_us && self.with_record(offset, |record| Ok(record.id.is_none())).unwrap_or(false);
        made.then_some(IdRow { row, created_at_us })
    }

    /// The codes of a field whose terms start with a prefix.
    pub(crate) fn codes_with_prefix(&self, field: Field, prefix: &str) -> Arc<RoaringBitmap> {
        let dictionaries = self.dictionaries.read();
        let Some(dictionary) = dictionaries.get(field.index()) else { return Arc::default() };
        let mut cached = self.prefix_codes.lock();
        let (mut codes, seen) = match cached.take() {
            Some(hit) if hit.field == field && hit.prefix == prefix => (hit.codes, hit.seen),
            _ => (Arc::default(), 0),
        };
        if seen < dictionary.len() {
            Arc::make_mut(&mut codes).extend(dictionary.codes_with_prefix(prefix.as_bytes(), seen));
        }
        let entry = PrefixCodes { field, prefix: prefix.to_owned(), codes: Arc::clone(&codes), seen: dictionary.len() };
        *cached = Some(entry);
        codes
    }
}

/// The code of a value, new or old. Known terms are found under the read lock.
#[inline]
fn intern(dictionaries: &mut RwLockUpgradableReadGuard<'_, Vec<LiveDictionary>>, stored: &[u8], term: &TermRef) -> u32 {
    let slot = usize::from(term.field);
    let known = dictionaries.get(slot).and_then(|dictionary| dictionary.find(term.hash, term.form, stored));
    known.unwrap_or_else(|| {
        RwLockUpgradableReadGuard::with_upgraded(dictionaries, |dictionaries| {
            dictionaries.get_mut(slot).map_or(0, |dictionary| dictionary.intern(term.hash, term.form, stored))
        })
    })
}

/// What a hashed column holds of a value: half of its hash, and never the code of an absent one.
pub(crate) fn hash_code(hash: u64) -> u32 {
    let [a, b, c, d, ..] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d]).max(ABSENT + 1)
}
