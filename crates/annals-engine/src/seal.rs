//! Sealing: the rows of a full log become sealed segments, one per partition; the log goes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use roaring::RoaringBitmap;

use crate::catalog::{LiveEntry, SealedEntry};
use crate::codec::{len_u32, row_usize};
use crate::error::{Error, Result};
use crate::field::{Field, Values};
use crate::fold::{fold_overlays, forget_owed, write_idempotency, write_owed};
use crate::id::EventId;
use crate::layout::{FileKind, segment_path};
use crate::live::{ABSENT, BLOCK_ROWS, LiveBlock, LiveSegment};
use crate::manifest::SegmentEntry;
use crate::overlay::Overlay;
use crate::partition::{PartitionSpan, Slice, cut};
use crate::segment::{
    KeywordCodes, KeywordInput, SealedSegment, SegmentInput, SegmentMeta, SegmentSummary, Stream, TextSource,
    build_segment,
};
use crate::shared::Shared;

/// A segment that is written and not yet named by the manifest.
struct Sealed {
    entry: SegmentEntry,
    segment: Arc<SealedSegment>,
    /// Segment row -> live row.
    live_rows: Vec<u32>,
}

/// Seals the oldest full log, if there is one. Returns whether there was.
pub(crate) fn seal_oldest(shared: &Shared) -> Result<bool> {
    let _one_at_a_time = shared.maintenance.lock();
    if shared.is_closing() {
        return Err(crate::queue::closed());
    }
    let oldest = shared.catalog().live.first().filter(|entry| entry.closed_at.is_some()).cloned();
    let Some(oldest) = oldest else { return Ok(false) };
    shared.check_writable()?;
    check_log(&oldest)?;
    let partitions = partitions(shared, &oldest);
    let ids = shared.announce(FileKind::Segment, partitions.len())?;
    let sealed = write_segments(shared, &oldest, &partitions, ids.clone());
    let published = sealed.and_then(|sealed| publish(shared, &oldest, sealed));
    if published.is_err() {
        shared.discard(FileKind::Segment, ids);
    }
    published?;
    shared.counters.seals.fetch_add(1, Ordering::Relaxed);
    shared.compaction_due.store(true, Ordering::Relaxed);
    shared.remove_dropped()?;
    Ok(true)
}

/// Checks every frame once more: what is copied into a segment gets new checksums, and no damage of the
/// log must hide behind them.
fn check_log(live: &LiveEntry) -> Result<()> {
    let mut offset = live.log.first_frame_offset();
    while offset < live.closed_at.unwrap_or(0) {
        let (header, _) = live.log.read_frame_at(offset)?;
        offset += crate::codec::len_u64(header.frame_size());
    }
    Ok(())
}

/// Writes one segment per partition, without the rows deleted by now.
fn write_segments(shared: &Shared, live: &LiveEntry, partitions: &[Slice], ids: Range<u64>) -> Result<Vec<Sealed>> {
    let mut sealed = Vec::with_capacity(partitions.len());
    for (partition, id) in partitions.iter().zip(ids) {
        sealed.push(write_segment(shared, &live.segment, partition, id)?);
    }
    let directory = shared.options.directory.join(FileKind::Segment.folder());
    let synced = shared.options.storage.sync_dir(&directory);
    synced.map_err(|source| Error::io("sync the folder", &directory, source))?;
    Ok(sealed)
}

fn partitions(shared: &Shared, live: &LiveEntry) -> Vec<Slice> {
    let mut rows = Vec::with_capacity(row_usize(live.segment.row_count()));
    for block in live.segment.blocks() {
        let columns = block.columns.read();
        let times = columns.created_at_us.iter().copied().zip(block.first_row..);
        rows.extend(times.filter(|(_, row)| !live.overlay.tombstones.contains(*row)));
    }
    if !rows.is_sorted() {
        rows.sort_unstable();
    }
    cut(&rows, shared.options.partition)
}

fn write_segment(shared: &Shared, live: &LiveSegment, partition: &Slice, segment_id: u64) -> Result<Sealed> {
    let meta = SegmentMeta { store: shared.store, segment_id, created_at_us: shared.options.clock.now_us() };
    let live_rows: Vec<u32> = partition.rows.iter().map(|(_, row)| *row).collect();
    let summary = build(shared, live, partition, &live_rows, &meta)?;
    let segment = open_segment(shared, segment_id, &summary)?;
    let entry = segment_entry(segment_id, partition.span, partition.start_us, &summary);
    Ok(Sealed { entry, segment, live_rows })
}

/// Opens a segment just written.
pub(crate) fn open_segment(shared: &Shared, segment_id: u64, summary: &SegmentSummary) -> Result<Arc<SealedSegment>> {
    let options = &shared.options;
    let path = segment_path(&options.directory, segment_id);
    SealedSegment::open(&*options.storage, &path, shared.store, segment_id, Some(summary.footer_crc)).map(Arc::new)
}

/// What the manifest says of a segment just written.
pub(crate) fn segment_entry(
    id: u64,
    partition_span: PartitionSpan,
    partition_start_us: i64,
    summary: &SegmentSummary,
) -> SegmentEntry {
    SegmentEntry {
        id,
        partition_start_us,
        partition_span: partition_span as u8,
        rows: summary.rows,
        size_bytes: summary.size_bytes,
        min_created_at_us: summary.time_bounds_us.0,
        max_created_at_us: summary.time_bounds_us.1,
        min_sequence: summary.sequence_bounds.0,
        max_sequence: summary.sequence_bounds.1,
        footer_crc: summary.footer_crc,
        overlay_id: None,
        overlay_crc: 0,
        applied_control: 0,
    }
}

fn build(
    shared: &Shared,
    live: &LiveSegment,
    partition: &Slice,
    live_rows: &[u32],
    meta: &SegmentMeta,
) -> Result<SegmentSummary> {
    let blocks = live.blocks();
    let mut texts = LiveTexts::new(live, &offsets(&blocks, live_rows))?;
    let ids = texts.rows.iter().map(|row| row.id).collect();
    let dictionaries = live.dictionaries.read();
    let mut keywords = Vec::new();
    for field in Field::ALL {
        let Some(dictionary) = dictionaries.get(field.index()).filter(|dictionary| dictionary.len() > 0) else {
            continue;
        };
        let mut local = LocalCodes::new(dictionary.len());
        let codes = field_codes(&blocks, *field, live_rows, &mut local);
        let terms = local.used.iter().map(|code| dictionary.term(*code)).collect();
        keywords.push(KeywordInput { field: *field, terms, codes });
    }
    let input = SegmentInput {
        created_at_us: partition.rows.iter().map(|(time, _)| *time).collect(),
        sequences: live_rows.iter().map(|row| live.sequence_of(*row)).collect(),
        ids,
        keywords,
        texts: &mut texts,
    };
    let storage = &*shared.options.storage;
    let path = segment_path(&shared.options.directory, meta.segment_id);
    build_segment(storage, &path, meta, input)
}

fn offsets(blocks: &[Arc<LiveBlock>], live_rows: &[u32]) -> Vec<u32> {
    let guards: Vec<_> = blocks.iter().map(|block| block.columns.read()).collect();
    let offset = |row: &u32| {
        let columns = guards.get(row_usize(row / BLOCK_ROWS))?;
        columns.offsets.get(row_usize(row % BLOCK_ROWS)).copied()
    };
    live_rows.iter().map(|row| offset(row).unwrap_or(0)).collect()
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

fn field_codes(blocks: &[Arc<LiveBlock>], field: Field, live_rows: &[u32], local: &mut LocalCodes) -> KeywordCodes {
    let guards: Vec<_> = blocks.iter().map(|block| block.columns.read()).collect();
    let codes_of = |row: u32| {
        let columns = guards.get(row_usize(row / BLOCK_ROWS));
        columns.map(|columns| columns.codes_of(field, row % BLOCK_ROWS)).unwrap_or_default()
    };
    match field.values() {
        Values::Single => {
            let first = |row: &u32| codes_of(*row).first().copied().unwrap_or(ABSENT);
            KeywordCodes::Single(live_rows.iter().map(|row| local.of(first(row))).collect())
        }
        Values::Multiple => {
            let mut ends = Vec::with_capacity(live_rows.len());
            let mut codes = Vec::new();
            for row in live_rows {
                codes.extend(codes_of(*row).iter().map(|code| local.of(*code)));
                ends.push(len_u32(codes.len()));
            }
            KeywordCodes::Multiple { ends, codes }
        }
    }
}

/// The texts of live rows, read from the log: each record is walked once.
struct LiveTexts<'a> {
    live: &'a LiveSegment,
    /// By segment row.
    rows: Vec<RowTexts>,
}

/// Where the texts of one row lie in the log file.
struct RowTexts {
    id: Option<EventId>,
    /// By stream number - 1: offset in the log and length.
    streams: [Option<(u64, u32)>; Stream::ALL.len()],
}

impl<'a> LiveTexts<'a> {
    fn new(live: &'a LiveSegment, offsets: &[u32]) -> Result<Self> {
        let mut rows = Vec::with_capacity(offsets.len());
        for offset in offsets {
            rows.push(live.with_record(*offset, |record| {
                let found = record.locate_texts()?;
                let streams = found.map(|place| place.map(|(start, len)| (u64::from(*offset) + start, len)));
                Ok(RowTexts { id: record.id, streams })
            })?);
        }
        Ok(Self { live, rows })
    }
}

impl TextSource for LiveTexts<'_> {
    fn value(&mut self, stream: Stream, row: u32) -> Result<Option<Cow<'_, [u8]>>> {
        let texts = self.rows.get(row_usize(row));
        let texts = texts.ok_or_else(|| Error::corrupt(format!("no text for row {row}")))?;
        let place = texts.streams.get(usize::from(stream.number()) - 1).copied().flatten();
        place.map(|(offset, len)| self.live.bytes(offset, row_usize(len))).transpose()
    }
}

/// Commits the new segments in place of the log, with every change made to their rows meanwhile.
fn publish(shared: &Shared, live: &LiveEntry, sealed: Vec<Sealed>) -> Result<()> {
    let log_id = live.segment.log_id;
    let control = shared.control.lock();
    let ordinal = control.applied_ordinal;
    let current = shared.catalog().live.iter().find(|entry| entry.segment.log_id == log_id).cloned();
    let Some(current) = current else { return Err(Error::corrupt("a log vanished while it was sealed")) };
    let mut entries = Vec::with_capacity(sealed.len());
    for one in sealed {
        let mut overlay = Overlay {
            tombstones: rows_of(&one.live_rows, &current.overlay.tombstones),
            acknowledged: rows_of(&one.live_rows, &current.overlay.acknowledged),
            applied_control: ordinal,
            ..Overlay::default()
        };
        let noticed = current.overlay.noticed();
        if !noticed.is_empty() {
            let rows = (0_u32..).zip(&one.live_rows).filter(|(_, live_row)| noticed.contains(**live_row));
            let rows: BTreeMap<u32, u32> = rows.map(|(row, live_row)| (*live_row, row)).collect();
            overlay.take_notices(&current.overlay, |live_row| rows.get(&live_row).copied());
        }
        entries.push(SealedEntry::new(one.entry, one.segment, Arc::new(overlay)));
    }
    let folded = fold_overlays(shared, &entries, ordinal)?;
    let blobs = match write_idempotency(shared).and_then(|keys| Ok([keys, write_owed(shared)?])) {
        Ok(blobs) => blobs,
        Err(error) => {
            folded.discard(shared);
            return Err(error);
        }
    };
    let committed = shared.update_manifest(|manifest| {
        for entry in &entries {
            manifest.adopt(FileKind::Segment, entry.entry.id);
            manifest.segments.push(entry.entry.clone());
        }
        folded.commit(manifest);
        for blob in blobs.iter().flatten() {
            blob.commit(manifest);
        }
        forget_owed(shared, manifest);
        manifest.drop_log(log_id);
        manifest.next_control_ordinal = manifest.next_control_ordinal.max(ordinal + 1);
    });
    if let Err(error) = committed {
        folded.discard(shared);
        for blob in blobs.iter().flatten() {
            blob.discard(shared);
        }
        return Err(error);
    }
    let unsealed = shared.update_catalog(|catalog| {
        catalog.live.retain(|entry| entry.segment.log_id != log_id);
        catalog.sealed.extend(entries);
        folded.note(catalog);
        catalog.live.len().saturating_sub(1)
    });
    if shared.options.background {
        shared.backlog.set_unsealed_logs(unsealed);
    }
    drop(control);
    Ok(())
}

/// The segment rows whose live rows are in the set.
fn rows_of(live_rows: &[u32], set: &RoaringBitmap) -> RoaringBitmap {
    if set.is_empty() {
        return RoaringBitmap::new();
    }
    (0_u32..).zip(live_rows).filter(|(_, live_row)| set.contains(**live_row)).map(|(row, _)| row).collect()
}
