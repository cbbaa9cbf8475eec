//! Sealing: the rows of a full log become sealed segments, one per partition; the log goes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use roaring::RoaringBitmap;

use crate::catalog::{LiveEntry, SealedEntry};
use crate::codec::{row_usize, to_usize};
use crate::error::{Error, Result};
use crate::figures::timed;
use crate::fold::{fold_overlays, forget_owed, write_idempotency, write_owed};
use crate::layout::{FileKind, segment_path};
use crate::manifest::SegmentEntry;
use crate::overlay::Overlay;
use crate::partition::{PartitionSpan, Slice, cut};
use crate::seal_rows::{self, FullLog};
use crate::segment::{SealedSegment, SegmentMeta, SegmentSummary};
use crate::shared::Shared;
use crate::sorting;

/// Rows that a thread of sealing gets at least when a partition is divided: smaller segments pay more for
/// their dictionaries than the time is worth.
const SHARE_ROWS_MIN: usize = 200_000;

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
    seal_next(shared)
}

/// Seals every full log. The caller holds the maintenance lock.
pub(crate) fn seal_full(shared: &Shared) -> Result<()> {
    while seal_next(shared)? {}
    Ok(())
}

fn seal_next(shared: &Shared) -> Result<bool> {
    if shared.is_closing() {
        return Err(crate::queue::closed());
    }
    let oldest = shared.catalog().live.first().filter(|entry| entry.closed_at.is_some()).cloned();
    let Some(oldest) = oldest else { return Ok(false) };
    timed(&shared.options, &shared.counters.seal_time, || seal_log(shared, &oldest))?;
    shared.compaction_due.store(true, Ordering::Relaxed);
    // What cannot be removed is tried again and stands in the way of nothing, least of all of the next log.
    let removed = shared.remove_dropped();
    if !shared.options.background {
        removed?;
    }
    Ok(true)
}

fn seal_log(shared: &Shared, oldest: &LiveEntry) -> Result<()> {
    shared.check_writable()?;
    check_log(oldest)?;
    let partitions = share_out(partitions(shared, oldest), shared.options.seal_threads);
    let ids = shared.announce(FileKind::Segment, partitions.len())?;
    let sealed = write_segments(shared, oldest, &partitions, ids.clone());
    let published = sealed.and_then(|sealed| publish(shared, oldest, sealed));
    if published.is_err() {
        shared.discard(FileKind::Segment, ids);
    }
    published
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

/// Writes one segment per partition, without the rows deleted by now; several at a time.
fn write_segments(shared: &Shared, live: &LiveEntry, partitions: &[Slice], ids: Range<u64>) -> Result<Vec<Sealed>> {
    let log = live.segment.bytes(0, to_usize(live.closed_at.unwrap_or(0)))?;
    let log = FullLog { live: &live.segment, bytes: &log };
    let next = AtomicUsize::new(0);
    let work: Vec<(&Slice, u64)> = partitions.iter().zip(ids).collect();
    let run = || -> Result<Vec<(usize, Sealed)>> {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((partition, id)) = work.get(index) else { return Ok(done) };
            done.push((index, write_segment(shared, log, partition, *id)?));
        }
    };
    let mut sealed = std::thread::scope(|scope| -> Result<Vec<(usize, Sealed)>> {
        let threads = shared.options.seal_threads.min(work.len());
        let mut helpers = Vec::new();
        for _ in 1..threads {
            let helper = std::thread::Builder::new().name("annals-seal".to_owned());
            // Without another thread the work is done all the same.
            helpers.extend(helper.spawn_scoped(scope, run).ok());
        }
        let mut sealed = run();
        for helper in helpers {
            let more = helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            sealed = sealed.and_then(|mut sealed| {
                sealed.extend(more?);
                Ok(sealed)
            });
        }
        sealed
    })?;
    sealed.sort_unstable_by_key(|(index, _)| *index);
    let directory = shared.options.directory.join(FileKind::Segment.folder());
    let synced = shared.options.storage.sync_dir(&directory);
    synced.map_err(|source| Error::io("sync the folder", &directory, source))?;
    Ok(sealed.into_iter().map(|(_, sealed)| sealed).collect())
}

/// Halves the largest partitions until every thread has one to seal, as long as the halves are large
/// enough to be good segments. Both halves lie in the same partition.
fn share_out(mut partitions: Vec<Slice>, threads: usize) -> Vec<Slice> {
    while partitions.len() < threads {
        let largest = partitions.iter_mut().max_by_key(|partition| partition.rows.len());
        let Some(largest) = largest.filter(|partition| partition.rows.len() >= 2 * SHARE_ROWS_MIN) else { break };
        let rows = largest.rows.split_off(largest.rows.len() / 2);
        let half = Slice { span: largest.span, start_us: largest.start_us, rows };
        partitions.push(half);
        partitions.sort_by_key(|partition| partition.rows.first().copied());
    }
    partitions
}

fn partitions(shared: &Shared, live: &LiveEntry) -> Vec<Slice> {
    let mut rows = Vec::with_capacity(row_usize(live.segment.row_count()));
    for block in live.segment.blocks() {
        let times = block.rows.times(block.rows.len()).into_iter().zip(block.first_row..);
        if live.overlay.tombstones.is_empty() {
            rows.extend(times);
        } else {
            rows.extend(times.filter(|(_, row)| !live.overlay.tombstones.contains(*row)));
        }
    }
    if !rows.is_sorted() {
        sorting::sort_rows(&mut rows);
    }
    cut(&rows, shared.options.partition)
}

fn write_segment(shared: &Shared, log: FullLog<'_>, partition: &Slice, segment_id: u64) -> Result<Sealed> {
    let meta = SegmentMeta { store: shared.store, segment_id, created_at_us: shared.options.clock.now_us() };
    let live_rows: Vec<u32> = partition.rows.iter().map(|(_, row)| *row).collect();
    let path = segment_path(&shared.options.directory, segment_id);
    let summary = seal_rows::build(&*shared.options.storage, &path, log, &partition.rows, &meta)?;
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
        shared.backlog.set_unsealed_logs(unsealed, shared.options.clock.monotonic());
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
