//! A sealed segment file, opened by reading its ends; row -> key, id and event.

use std::path::Path;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::codec::{Reader, len_u64, row_usize, to_usize};
use crate::error::{Error, Result};
use crate::field::Field;
use crate::id::EventId;
use crate::metadata;
use crate::part::OrderKey;
use crate::rows::RowSet;
use crate::storage::{Storage, StorageFile};

use super::checked::CheckedFile;
use super::ids::{IdTable, IdWindow};
use super::keyword::KeywordColumn;
use super::layout::{self, CHUNK_SIZE, FOOTER_SIZE_MAX, Footer, HEADER_SIZE, SectionKind, TRAILER_SIZE};
use super::members::Siblings;
use super::packed::FrameColumn;
use super::postings::bitmap_of;
use super::text::{StreamCursor, StreamReader};
use super::{SegmentMeta, SegmentSummary, Stream};

/// Bytes of payload for each row from which on packing takes off enough to rewrite a segment.
const PACKING_PAYS: u64 = 16;

/// An immutable segment. Bytes are checked when they are first touched.
pub(crate) struct SealedSegment {
    pub(super) file: CheckedFile,
    /// For verification, which reads past the page cache's map.
    pub(super) handle: Arc<dyn StorageFile>,
    pub(super) meta: SegmentMeta,
    pub(super) footer: Footer,
    pub(super) size_bytes: u64,
    pub(super) created_at: FrameColumn,
    pub(super) sequences: FrameColumn,
    pub(super) ids: Option<IdTable>,
    /// Ascending by field.
    pub(super) fields: Vec<KeywordColumn>,
    pub(super) message: StreamReader,
    pub(super) content: StreamReader,
    pub(super) payload: StreamReader,
    pub(super) stored: StreamReader,
}

impl std::fmt::Debug for SealedSegment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedSegment").field("meta", &self.meta).field("rows", &self.rows()).finish_non_exhaustive()
    }
}

impl SealedSegment {
    /// Opens a segment: reads and checks header, footer and chunk table, nothing else.
    ///
    /// # Errors
    /// `UnsupportedFormat` for another format; `Corrupt` if an end is damaged, the file belongs to another
    /// store or segment, or its footer is not the one the manifest names; `NotFound`, `Io`.
    pub(crate) fn open(
        storage: &dyn Storage,
        path: &Path,
        store: u128,
        segment_id: u64,
        expected_footer_crc: Option<u32>,
    ) -> Result<Self> {
        let handle = storage.open(path, false).map_err(|source| Error::io("open", path, source))?;
        let map = handle.map_sealed().map_err(|source| Error::io("map", path, source))?;
        let size_bytes = len_u64(map.len());
        let ends =
            Ends::read(&map, &map, 0, (store, segment_id), expected_footer_crc).map_err(|error| error.at_path(path))?;
        let Ends { meta, footer, crcs } = ends;
        let file = CheckedFile::new(map, path, to_usize(footer.data_end), crcs);
        Self::assemble(file, handle, meta, footer, size_bytes).map_err(|error| error.at_path(path))
    }

    fn assemble(
        file: CheckedFile,
        handle: Arc<dyn StorageFile>,
        meta: SegmentMeta,
        footer: Footer,
        size_bytes: u64,
    ) -> Result<Self> {
        let rows = u64::from(footer.rows);
        let mut fields = Vec::with_capacity(footer.fields.len());
        for entry in &footer.fields {
            fields.extend(KeywordColumn::new(&footer, *entry)?);
        }
        Ok(Self {
            created_at: FrameColumn::new(footer.require(SectionKind::CreatedAt, 0)?, rows)?,
            sequences: FrameColumn::new(footer.require(SectionKind::Sequence, 0)?, rows)?,
            ids: IdTable::new(&footer, meta.store)?,
            message: StreamReader::new(&footer, Stream::Message)?,
            content: StreamReader::new(&footer, Stream::Content)?,
            payload: StreamReader::new(&footer, Stream::Payload)?,
            stored: StreamReader::new(&footer, Stream::Stored)?,
            fields,
            file,
            handle,
            meta,
            footer,
            size_bytes,
        })
    }

    /// What the manifest says of it, read from its ends.
    ///
    /// # Errors
    /// `Corrupt`, `Io`.
    pub(crate) fn summary(&self) -> Result<SegmentSummary> {
        let mut trailer = [0; TRAILER_SIZE];
        let at = self.size_bytes.saturating_sub(len_u64(TRAILER_SIZE));
        self.handle.read_at(&mut trailer, at).map_err(|source| Error::io("read", self.path(), source))?;
        let (_, footer_crc) = layout::decode_trailer(&trailer)?;
        Ok(SegmentSummary {
            rows: self.rows(),
            size_bytes: self.size_bytes,
            footer_crc,
            time_bounds_us: self.time_bounds_us(),
            sequence_bounds: self.sequence_bounds(),
        })
    }

    /// The sequences of its rows.
    ///
    /// # Errors
    /// `Corrupt` if the column is damaged.
    pub(crate) fn sequence_set(&self) -> Result<roaring::RoaringTreemap> {
        let sequences = self.sequences.decode(&self.file)?;
        Ok(sequences.into_iter().map(i64::cast_unsigned).collect())
    }

    /// The store and the id that the header of a segment file names.
    ///
    /// # Errors
    /// `Corrupt` if the header is damaged; `UnsupportedFormat`, `Io`.
    pub(crate) fn probe(storage: &dyn Storage, path: &Path) -> Result<(u128, u64)> {
        let file = storage.open(path, false).map_err(|source| Error::io("open", path, source))?;
        let mut head = vec![0; HEADER_SIZE];
        file.read_at(&mut head, 0).map_err(|source| Error::io("read", path, source))?;
        let meta = layout::decode_header(&head).map_err(|error| error.at_path(path))?;
        Ok((meta.store, meta.segment_id))
    }

    /// Checks the bytes that nobody has touched yet, as long as `goes_on` says so; says whether all are checked.
    ///
    /// # Errors
    /// `Corrupt` for the first damage.
    pub(crate) fn check_ahead(&self, goes_on: &dyn Fn() -> bool) -> Result<bool> {
        self.file.check_all(goes_on)
    }

    /// Whether somebody came upon a damaged chunk since it was opened.
    pub(crate) fn has_met_damage(&self) -> bool {
        self.file.has_met_damage()
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Whether it has the form of segments that are no longer fresh.
    pub(crate) fn is_packed(&self) -> bool {
        self.footer.is_packed
    }

    /// When it was sealed, UTC microseconds.
    pub(crate) fn sealed_at_us(&self) -> i64 {
        self.meta.created_at_us
    }

    /// Whether it would be smaller in the other form, by enough to rewrite it. Costs a look at the footer.
    pub(crate) fn gains_by_packing(&self) -> bool {
        const KINDS: [SectionKind; 5] = [
            SectionKind::BlockBytes,
            SectionKind::ShapeBits,
            SectionKind::ShapeHeap,
            SectionKind::ShapeTermBytes,
            SectionKind::ShapeTermBounds,
        ];
        let stream = Stream::Payload.number();
        let bytes: u64 = KINDS.iter().filter_map(|kind| self.footer.find(*kind, stream)).map(|found| found.len).sum();
        !self.is_packed() && bytes >= u64::from(self.rows()) * PACKING_PAYS
    }

    /// Rows, deleted ones included.
    pub(crate) fn rows(&self) -> u32 {
        self.footer.rows
    }

    /// The smallest and the largest `created_at`, both inclusive.
    pub(crate) fn time_bounds_us(&self) -> (i64, i64) {
        (self.footer.created_at_min_us, self.footer.created_at_max_us)
    }

    /// The smallest and the largest sequence, both inclusive.
    pub(crate) fn sequence_bounds(&self) -> (u64, u64) {
        (self.footer.sequence_min, self.footer.sequence_max)
    }

    /// Which ids it may hold.
    pub(crate) fn id_window(&self) -> IdWindow {
        let (first_us, last_us) = self.time_bounds_us();
        self.ids.as_ref().map_or(IdWindow::Made(first_us, last_us), IdTable::window)
    }

    /// How many terms each field has, by the field's number.
    pub(crate) fn field_sizes(&self) -> impl Iterator<Item = (usize, u32)> {
        self.fields.iter().map(|column| (column.field.index(), column.dictionary.len()))
    }

    /// The column of a field; `None` if no row has a value.
    pub(super) fn keyword(&self, field: Field) -> Option<&KeywordColumn> {
        let at = self.fields.binary_search_by_key(&field, |column| column.field).ok()?;
        self.fields.get(at)
    }

    /// The texts of a stream.
    pub(super) fn stream(&self, stream: Stream) -> &StreamReader {
        match stream {
            Stream::Message => &self.message,
            Stream::Content => &self.content,
            Stream::Payload => &self.payload,
            Stream::Stored => &self.stored,
        }
    }

    /// A walk over the texts of a stream.
    pub(super) fn cursor(&self, stream: Stream) -> StreamCursor<'_> {
        let payload = stream == Stream::Payload;
        self.stream(stream).cursor(Siblings {
            file: &self.file,
            fields: &self.fields,
            message: payload.then_some(&self.message),
            created_at: payload.then_some(&self.created_at),
        })
    }

    /// Every key in row order, as two columns.
    pub(super) fn keys(&self) -> Result<(Vec<i64>, Vec<u64>)> {
        let sequences = self.sequences.decode(&self.file)?;
        Ok((self.created_at.decode(&self.file)?, sequences.into_iter().map(i64::cast_unsigned).collect()))
    }

    fn sequence(&self, row: u32) -> Result<u64> {
        Ok(self.sequences.get(&self.file, u64::from(row))?.cast_unsigned())
    }

    /// The order key of a row. O(1).
    pub(crate) fn key(&self, row: u32) -> Result<OrderKey> {
        let created_at_us = self.created_at.get(&self.file, u64::from(row))?;
        Ok(OrderKey { created_at_us, sequence: self.sequence(row)? })
    }

    /// The first row whose key is at least `key`.
    pub(crate) fn lower_bound(&self, key: OrderKey) -> Result<u32> {
        let (min, max) = self.time_bounds_us();
        if key.created_at_us > max {
            return Ok(self.rows());
        }
        if key.created_at_us < min {
            return Ok(0);
        }
        let start = self.created_at.first_at_least(&self.file, key.created_at_us, (min, max))?;
        let ties = start < self.rows() && self.created_at.get(&self.file, u64::from(start))? == key.created_at_us;
        if key.sequence == 0 || !ties {
            return Ok(start);
        }
        let next_us = key.created_at_us.saturating_add(1);
        let end = if next_us > key.created_at_us {
            self.created_at.first_at_least(&self.file, next_us, (min, max))?
        } else {
            self.rows()
        };
        // Rows of one time ascend by their sequence.
        first_row(start..end, |row| Ok(self.sequence(row)? >= key.sequence))
    }

    /// The rows whose sequence lies in `from..to`.
    pub(crate) fn sequence_range(&self, from: u64, to: u64) -> Result<RowSet> {
        let (min, max) = self.sequence_bounds();
        if from >= to || to <= min || from > max {
            return Ok(RowSet::empty());
        }
        if from <= min && to > max {
            return Ok(RowSet::from_range(0..self.rows()));
        }
        if self.footer.sequences_ascend {
            let start = first_row(0..self.rows(), |row| Ok(self.sequence(row)? >= from))?;
            let end = first_row(start..self.rows(), |row| Ok(self.sequence(row)? >= to))?;
            return Ok(RowSet::from_range(start..end));
        }
        let mut rows = RoaringBitmap::new();
        let mut values = Vec::new();
        let mut first = 0_u32;
        for block in 0..self.sequences.blocks() {
            let end = first.saturating_add(super::packed::FRAME_ENTRIES_U32).min(self.rows());
            let (lowest, highest) = self.sequences.block_bounds(&self.file, block)?;
            if lowest >= i128::from(from) && highest < i128::from(to) {
                rows.insert_range(first..end);
            } else if highest >= i128::from(from) && lowest < i128::from(to) {
                self.sequences.decode_block(&self.file, block, &mut values)?;
                let inside = |value: i64| (from..to).contains(&value.cast_unsigned());
                rows.extend((first..end).zip(&values).filter(|(_, value)| inside(**value)).map(|(row, _)| row));
            }
            first = end;
        }
        Ok(RowSet::from_bitmap(rows))
    }

    /// The row with this sequence.
    pub(crate) fn find_sequence(&self, sequence: u64) -> Result<Option<u32>> {
        Ok(self.sequence_range(sequence, sequence.saturating_add(1))?.nth(0))
    }

    /// The identity of a row.
    pub(crate) fn id(&self, row: u32) -> Result<EventId> {
        if let Some(table) = &self.ids {
            return table.get(&self.file, row);
        }
        let key = self.key(row)?;
        Ok(EventId::made(key.created_at_us, key.sequence))
    }

    /// The rows with this id, ascending.
    pub(crate) fn find_id(&self, id: EventId) -> Result<Vec<u32>> {
        if let Some(table) = &self.ids {
            return table.find(&self.file, id);
        }
        let Some((created_at_us, sequence)) = id.made_parts() else { return Ok(Vec::new()) };
        let key = OrderKey { created_at_us, sequence };
        let row = self.lower_bound(key)?;
        Ok(if row < self.rows() && self.id(row)? == id { vec![row] } else { Vec::new() })
    }
}

/// The first row of `range` that passes `test`, which all later ones pass as well; else the range's end.
fn first_row(range: std::ops::Range<u32>, test: impl Fn(u32) -> Result<bool>) -> Result<u32> {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if test(middle)? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

/// Rows in the form that suits their number: a long list is searched and united slower than a bitmap.
pub(super) fn compact_rows(rows: Vec<u32>, row_count: u32) -> RowSet {
    if rows.len() > row_usize(row_count / 64) {
        return RowSet::from_bitmap(bitmap_of(&rows));
    }
    RowSet::from_sorted(rows)
}

/// What the two ends of a segment file say.
pub(super) struct Ends {
    pub(super) meta: SegmentMeta,
    pub(super) footer: Footer,
    pub(super) crcs: Vec<u32>,
}

impl Ends {
    /// Reads and checks them, in the order of `docs/format.md`, "Sealed segment: Reader's checks". `head` starts as the
    /// file does; `tail` starts at `tail_at`, before the chunk table, and ends as the file does.
    pub(super) fn read(
        head: &[u8],
        tail: &[u8],
        tail_at: u64,
        owner: (u128, u64),
        expected_crc: Option<u32>,
    ) -> Result<Self> {
        let truncated = || Error::corrupt("the file is too short for a sealed segment");
        let meta = layout::decode_header(head.get(..HEADER_SIZE).ok_or_else(truncated)?)?;
        if (meta.store, meta.segment_id) != owner {
            return Err(Error::corrupt(format!(
                "the file is segment {} of store {:032x}, not segment {} of store {:032x}",
                meta.segment_id, meta.store, owner.1, owner.0
            )));
        }
        let (rest, trailer) = tail.split_last_chunk::<TRAILER_SIZE>().ok_or_else(truncated)?;
        let (footer_len, stored_crc) = layout::decode_trailer(trailer)?;
        let footer_start = rest.len().checked_sub(footer_len).ok_or_else(truncated)?;
        let (rest, footer_bytes) = rest.split_at_checked(footer_start).ok_or_else(truncated)?;
        let footer_at = tail_at.saturating_add(len_u64(footer_start));
        let computed = layout::footer_crc(meta.store, meta.segment_id, footer_at, footer_bytes);
        if stored_crc != computed {
            let message = format!("segment footer checksum is {stored_crc:#010x}, computed {computed:#010x}");
            return Err(Error::corrupt(message).at_offset(footer_at));
        }
        if expected_crc.is_some_and(|expected| expected != stored_crc) {
            return Err(Error::corrupt("the segment's footer is not the one the manifest names"));
        }
        let footer: Footer = metadata::decode(footer_bytes, FOOTER_SIZE_MAX)?;
        footer.check()?;
        let table_start = footer.data_end.checked_sub(tail_at).and_then(|start| usize::try_from(start).ok());
        let table = table_start.and_then(|start| rest.get(start..)).ok_or_else(truncated)?;
        let chunks = to_usize(footer.data_end).div_ceil(CHUNK_SIZE);
        if Some(table.len()) != chunks.checked_mul(4) || crc32fast::hash(table) != footer.chunk_table_crc {
            return Err(Error::corrupt("the segment's chunk table is damaged").at_offset(footer.data_end));
        }
        let mut reader = Reader::new(table);
        let crcs = (0..chunks).map(|_| reader.u32()).collect::<Result<Vec<u32>>>()?;
        Ok(Self { meta, footer, crcs })
    }
}
