//! Compaction: small segments of one partition become one, deleted rows go for good.

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::catalog::SealedEntry;
use crate::error::{Error, ErrorKind, Result};
use crate::figures::timed;
use crate::fold::fold_overlays;
use crate::layout::{FileKind, FileName, segment_path};
use crate::options::Options;
use crate::overlay::Overlay;
use crate::overlay_file::OVERLAY_NOTICES_MAX;
use crate::part::Part;
use crate::partition::{PartitionSpan, Partitioning};
use crate::seal::{open_segment, seal_full, segment_entry};
use crate::segment::{SealedSegment, SegmentForm, SegmentMeta, merge_segments};
use crate::shared::Shared;
use crate::threading::atomic::Ordering;
use crate::writer::FREE_LOGS_MIN;

/// The most rows of one segment that compaction makes.
const ROWS_MAX: u64 = 2_000_000;
/// The most bytes of amendments and receipts that it brings together: what has come since the groups were
/// made fits beside them.
const NOTICES_MAX: usize = OVERLAY_NOTICES_MAX / 2;
/// Segments of like size in one partition from which on they are merged by themselves. What is merged is about
/// that many times larger: a row is rewritten once per step from [`TINY_ROWS`] to [`ROWS_MAX`], five or so.
const SEGMENTS_MIN: usize = 4;
/// Segments below are of one size: to rewrite them costs no more than to make a file.
const TINY_ROWS: u64 = 4_096;
/// Segments below are merged across partitions, by month, where the span goes by volume.
const WIDENED_ROWS: u64 = 32_768;
/// Deleted rows, one in so many, from which on a segment is rewritten by itself.
const TOMBSTONES_ONE_IN: u64 = 10;

/// How eager a compaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eagerness {
    /// What pays: many small segments, or many deleted rows.
    WhatPays,
    /// Every deleted row goes.
    EveryTombstone,
    /// Every deleted row goes, every partition becomes as few segments as possible, and all of them are packed.
    Everything,
    /// One segment that is no longer fresh is packed, unless something else comes first: `Busy` then.
    Cold,
}

/// Compacts and returns how many segments were rewritten or dropped.
pub(crate) fn compact(shared: &Shared, eagerness: Eagerness) -> Result<u64> {
    rewrite_all(shared, eagerness, || groups(shared, eagerness))
}

/// Takes the deleted rows out of the segments that clean-ups cut, if they are many: what is cut every few minutes
/// by a little is rewritten a few times in all, and the daily purge takes the rest.
pub(crate) fn rewrite_cut(shared: &Shared) -> Result<()> {
    let cut = std::mem::take(&mut *shared.cut.lock());
    if cut.is_empty() {
        return Ok(());
    }
    let chosen = || {
        let is_cut = |entry: &SealedEntry| {
            cut.contains(&entry.entry.id) && entry.segment.is_some() && has_many_tombstones(entry)
        };
        alone(&shared.catalog().sealed, is_cut).collect()
    };
    match rewrite_all(shared, Eagerness::WhatPays, chosen) {
        Err(error) if error.kind() != ErrorKind::Corrupt => {
            shared.cut.lock().extend(cut);
            Err(error)
        }
        done => done.map(|_| ()),
    }
}

/// Rewrites groups of segments, each into one. They are chosen when nobody else rewrites any more. Logs that get
/// full meanwhile are sealed in between: appends wait for that, and for nothing that is done here.
fn rewrite_all(shared: &Shared, eagerness: Eagerness, groups: impl FnOnce() -> Vec<Vec<SealedEntry>>) -> Result<u64> {
    let _one_at_a_time = shared.maintenance.lock();
    if shared.is_closing() {
        return Err(crate::queue::closed());
    }
    let mut rewritten = 0;
    let mut damage = None;
    let mut sealing = Ok(());
    for group in groups() {
        if shared.options.background && sealing.is_ok() {
            sealing = seal_full(shared);
        }
        shared.check_writable()?;
        if shared.is_closing() {
            return Err(crate::queue::closed());
        }
        match timed(&shared.options, &shared.counters.compaction_time, || rewrite(shared, &group, eagerness)) {
            Ok(()) => {
                rewritten += crate::codec::len_u64(group.len());
                shared.counters.compactions.fetch_add(1, Ordering::Relaxed);
                if eagerness == Eagerness::Cold {
                    // One at a time: whoever waits for the maintenance thread waits for no more.
                    return Ok(rewritten);
                }
            }
            // One damaged segment must not keep the deleted rows of all others.
            Err(error) if error.kind() == ErrorKind::Corrupt => _ = damage.get_or_insert(error),
            Err(error) => return Err(error),
        }
    }
    sealing?;
    damage.map_or(Ok(rewritten), Err)
}

/// Which segments are to be rewritten together: neighbours of one partition.
fn groups(shared: &Shared, eagerness: Eagerness) -> Vec<Vec<SealedEntry>> {
    let partitioning = shared.options.partition;
    let mut entries: Vec<SealedEntry> =
        shared.catalog().sealed.iter().filter(|entry| entry.segment.is_some()).cloned().collect();
    entries.sort_by_key(|entry| (home(entry, partitioning), entry.entry.min_sequence));
    let mut groups = Vec::new();
    for run in entries.chunk_by(|a, b| home(a, partitioning) == home(b, partitioning)) {
        match eagerness {
            Eagerness::EveryTombstone => groups.extend(alone(run, |entry| !entry.overlay.tombstones.is_empty())),
            Eagerness::Cold => groups
                .extend(alone(run, |entry| is_cold(entry, &shared.options) && packs(entry) && has_room(entry, shared))),
            Eagerness::Everything => {
                let mut packed = packed(run);
                let gains = |one: &SealedEntry| !one.overlay.tombstones.is_empty() || packs(one);
                packed.retain(|group| group.len() > 1 || group.iter().any(gains));
                groups.append(&mut packed);
            }
            Eagerness::WhatPays => groups.append(&mut what_pays(run)),
        }
    }
    groups
}

/// The partition in which a segment is merged: its own, or the month of one that has become small.
fn home(entry: &SealedEntry, partitioning: Partitioning) -> (i64, u8) {
    let (first_us, last_us) = (entry.entry.min_created_at_us, entry.entry.max_created_at_us);
    let month = PartitionSpan::Month;
    let widened = partitioning == Partitioning::ByVolume
        && live_rows(entry) < WIDENED_ROWS
        && month.start_us(first_us) == month.start_us(last_us);
    if widened {
        (month.start_us(first_us), month as u8)
    } else {
        (entry.entry.partition_start_us, entry.entry.partition_span)
    }
}

/// Whether a segment would be smaller if it were packed.
fn packs(entry: &SealedEntry) -> bool {
    entry.segment.as_ref().is_some_and(|segment| segment.gains_by_packing())
}

/// Whether a segment was sealed so long ago that it is packed.
fn is_cold(entry: &SealedEntry, options: &Options) -> bool {
    let age_us = entry.segment.as_ref().map(|segment| options.clock.now_us().saturating_sub(segment.sealed_at_us()));
    age_us.is_some_and(|age_us| u64::try_from(age_us).is_ok_and(|age_us| age_us / 1000 >= options.cold_after_ms))
}

/// Whether there is room for a segment a second time, besides what the log may want next.
fn has_room(entry: &SealedEntry, shared: &Shared) -> bool {
    let options = &shared.options;
    let reserve = options.log_size_bytes.saturating_mul(FREE_LOGS_MIN);
    let free = options.storage.free_space(&options.directory).unwrap_or(0);
    free >= entry.entry.size_bytes.saturating_add(reserve)
}

/// Whether a log waits to be sealed, and appends soon for it.
fn has_full_log(shared: &Shared) -> bool {
    shared.catalog().live.first().is_some_and(|entry| entry.closed_at.is_some())
}

/// The form of what is made of a group: packed if all of it is so already or would be soon.
fn form(group: &[SealedEntry], eagerness: Eagerness, options: &Options) -> SegmentForm {
    let is_packed = |entry: &SealedEntry| entry.segment.as_ref().is_none_or(|segment| segment.is_packed());
    let asked_for = matches!(eagerness, Eagerness::Everything | Eagerness::Cold);
    if asked_for || group.iter().all(|entry| is_packed(entry) || is_cold(entry, options)) {
        SegmentForm::Packed
    } else {
        SegmentForm::Fresh
    }
}

fn live_rows(entry: &SealedEntry) -> u64 {
    u64::from(entry.entry.rows).saturating_sub(entry.overlay.tombstones.len())
}

/// Each segment that passes, for itself.
fn alone(run: &[SealedEntry], pass: impl Fn(&SealedEntry) -> bool) -> impl Iterator<Item = Vec<SealedEntry>> {
    run.iter().filter(move |entry| pass(entry)).map(|entry| vec![entry.clone()])
}

/// As few groups as the limits allow, in the order given.
fn packed(run: &[SealedEntry]) -> Vec<Vec<SealedEntry>> {
    let mut groups = Vec::new();
    let mut group: Vec<SealedEntry> = Vec::new();
    let (mut rows, mut notices) = (0, 0);
    for entry in run {
        let live = live_rows(entry);
        let too_many = rows + live > ROWS_MAX || notices + entry.overlay.notices_size() > NOTICES_MAX;
        if too_many && !group.is_empty() {
            groups.push(std::mem::take(&mut group));
            (rows, notices) = (0, 0);
        }
        rows += live;
        notices += entry.overlay.notices_size();
        group.push(entry.clone());
    }
    groups.push(group);
    groups
}

/// Segments of like size where enough have come together, and those with many deleted rows.
fn what_pays(run: &[SealedEntry]) -> Vec<Vec<SealedEntry>> {
    let mut by_size: BTreeMap<u32, Vec<SealedEntry>> = BTreeMap::new();
    for entry in run {
        by_size.entry(size_class(live_rows(entry))).or_default().push(entry.clone());
    }
    let mut groups = Vec::new();
    for alike in by_size.into_values() {
        let mut merged =
            if alike.len() >= SEGMENTS_MIN { packed(&alike) } else { alike.into_iter().map(|one| vec![one]).collect() };
        merged.retain(|group| group.len() > 1 || group.iter().any(has_many_tombstones));
        groups.append(&mut merged);
    }
    groups
}

/// Whether a segment is worth rewriting for its deleted rows alone.
pub(crate) fn has_many_tombstones(entry: &SealedEntry) -> bool {
    entry.overlay.tombstones.len() * TOMBSTONES_ONE_IN >= u64::from(entry.entry.rows).max(1)
}

/// Segments are of like size if none is [`SEGMENTS_MIN`] times as large as another, roughly.
fn size_class(rows: u64) -> u32 {
    const BITS: u32 = SEGMENTS_MIN.trailing_zeros();
    const _: () = assert!(SEGMENTS_MIN.is_power_of_two());
    (rows / TINY_ROWS).checked_ilog2().map_or(0, |bits| 1 + bits / BITS)
}

/// Writes one segment in place of several. Changes made meanwhile are carried over.
fn rewrite(shared: &Shared, group: &[SealedEntry], eagerness: Eagerness) -> Result<()> {
    let Some(first) = group.first() else { return Ok(()) };
    let segment_id = shared.announce(FileKind::Segment, 1)?.next().unwrap_or_default();
    let rewritten = rewrite_as(shared, group, (first, eagerness), segment_id);
    if rewritten.is_err() {
        shared.discard(FileKind::Segment, [segment_id]);
    }
    rewritten?;
    shared.remove_dropped()
}

fn rewrite_as(
    shared: &Shared,
    group: &[SealedEntry],
    (first, eagerness): (&SealedEntry, Eagerness),
    segment_id: u64,
) -> Result<()> {
    let inputs: Vec<(Arc<SealedSegment>, Arc<Overlay>)> = group
        .iter()
        .filter_map(|entry| Some((Arc::clone(entry.segment.as_ref()?), Arc::clone(&entry.overlay))))
        .collect();
    let options = &shared.options;
    let form = form(group, eagerness, options);
    let path = segment_path(&options.directory, segment_id);
    // What stays fresh is as old as the youngest of what it is made of, and not new.
    let sealed_at_us = match form {
        SegmentForm::Fresh => inputs.iter().map(|(segment, _)| segment.sealed_at_us()).max().unwrap_or_default(),
        SegmentForm::Packed => options.clock.now_us(),
    };
    let meta = SegmentMeta { store: shared.store, segment_id, created_at_us: sealed_at_us };
    // Nobody waits for a segment to be packed.
    let goes_on = || eagerness != Eagerness::Cold || !shared.is_closing() && !has_full_log(shared);
    let merged = merge_segments(&*options.storage, &path, &meta, &inputs, form, &goes_on)?;
    let directory = options.directory.join(FileKind::Segment.folder());
    options.storage.sync_dir(&directory).map_err(|source| Error::io("sync the folder", &directory, source))?;
    let opened = match &merged {
        None => None,
        Some(merged) => {
            let mut entry = segment_entry(segment_id, PartitionSpan::Month, 0, &merged.summary);
            (entry.partition_start_us, entry.partition_span) = home(first, options.partition);
            Some((entry, open_segment(shared, segment_id, &merged.summary)?))
        }
    };
    let control = shared.control.lock();
    let ordinal = control.applied_ordinal;
    let replacement = match opened {
        None => None,
        Some((entry, segment)) => {
            let overlay = carry_over(shared, group, &segment, ordinal)?;
            Some(SealedEntry::new(entry, segment, Arc::new(overlay)))
        }
    };
    let added: Vec<SealedEntry> = replacement.into_iter().collect();
    let folded = fold_overlays(shared, &added, ordinal)?;
    let old: Vec<u64> = group.iter().map(|entry| entry.entry.id).collect();
    let committed = shared.update_manifest(|manifest| {
        for entry in &added {
            manifest.adopt(FileKind::Segment, entry.entry.id);
            manifest.segments.push(entry.entry.clone());
        }
        folded.commit(manifest);
        manifest.drop_segments(&old);
        manifest.next_control_ordinal = manifest.next_control_ordinal.max(ordinal + 1);
        if added.is_empty() {
            manifest.adopt(FileKind::Segment, segment_id);
            manifest.dropping.push(FileName::new(FileKind::Segment, segment_id));
        }
    });
    if committed.is_err() {
        folded.discard(shared);
    }
    committed?;
    shared.update_catalog(|catalog| {
        catalog.sealed.retain(|entry| !old.contains(&entry.entry.id));
        catalog.sealed.extend(added);
        folded.note(catalog);
    });
    drop(control);
    Ok(())
}

/// The overlay of a rewritten segment: the marks and tombstones its rows have by now.
fn carry_over(shared: &Shared, group: &[SealedEntry], segment: &Arc<SealedSegment>, ordinal: u64) -> Result<Overlay> {
    let catalog = shared.catalog();
    let mut overlay = Overlay { applied_control: ordinal, ..Overlay::default() };
    let target = crate::segment::SealedPart::new(Arc::clone(segment), Arc::new(Overlay::default()));
    for started in group {
        let Some(now) = catalog.sealed.iter().find(|entry| entry.entry.id == started.entry.id) else {
            // Dropped meanwhile by a clean-up: none of its rows is left.
            continue;
        };
        let deleted_since = &now.overlay.tombstones - &started.overlay.tombstones;
        overlay.tombstones |= moved(&*now.part, &target, &deleted_since)?;
        overlay.acknowledged |= moved(&*now.part, &target, &now.overlay.acknowledged)?;
        let mut rows = BTreeMap::new();
        for row in now.overlay.noticed() {
            rows.extend(moved_row(&*now.part, &target, row)?.map(|new| (row, new)));
        }
        overlay.take_notices(&now.overlay, |row| rows.get(&row).copied());
    }
    for started in group {
        if !catalog.sealed.iter().any(|entry| entry.entry.id == started.entry.id) {
            let mut gone = RoaringBitmap::new();
            gone.insert_range(0..started.entry.rows);
            gone -= &started.overlay.tombstones;
            overlay.tombstones |= moved(&*started.part, &target, &gone)?;
        }
    }
    Ok(overlay)
}

/// The rows of `to` that hold the same events as `rows` of `from`.
fn moved(from: &dyn Part, to: &dyn Part, rows: &RoaringBitmap) -> Result<RoaringBitmap> {
    let mut found = RoaringBitmap::new();
    for row in rows {
        found.extend(moved_row(from, to, row)?);
    }
    Ok(found)
}

/// The row of `to` that holds the same event as `row` of `from`.
fn moved_row(from: &dyn Part, to: &dyn Part, row: u32) -> Result<Option<u32>> {
    let key = from.key(row)?;
    let row = to.lower_bound(key)?;
    Ok(if row < to.row_count() && to.key(row)? == key { Some(row) } else { None })
}
