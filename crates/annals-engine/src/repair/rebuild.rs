//! A manifest made of the files that are there, for a store whose own cannot be read.
//!
//! Files that an interrupted change left beside those it replaces hold the same events twice; a sequence is given once,
//! so that shows. A log that is whole wins over the segments made of it: they may not all be there. Of segments the
//! later one wins: it was made of the earlier ones. What loses is set aside like any file nobody knows.

mod logs;

use std::collections::HashSet;
use std::sync::Arc;

use roaring::RoaringTreemap;

use crate::blob::{probe_blob, read_blob};
use crate::error::{Error, ErrorKind, Result};
use crate::fold::IDEMPOTENCY_BLOB;
use crate::housekeeping::files_in;
use crate::layout::{FileKind, FileName, ORPHANS_DIR, QUARANTINE_DIR, segment_path};
use crate::log::LogFile;
use crate::manifest::{BlobEntry, LogEntry, Manifest, SegmentEntry};
use crate::options::Options;
use crate::overlay_file::probe_overlay;
use crate::partition::PartitionSpan;
use crate::seal::segment_entry;
use crate::segment::SealedSegment;
use crate::storage::Storage;

use super::damage::{Damage, DamageKind, Loss, Remedy};

/// From the finest to the widest.
const SPANS: [PartitionSpan; 4] = [PartitionSpan::Hour, PartitionSpan::Day, PartitionSpan::Week, PartitionSpan::Month];

/// What is told of the files.
pub(super) struct Told<'a> {
    pub(super) notes: &'a mut Vec<String>,
    pub(super) damages: &'a mut Vec<Damage>,
}

impl Told<'_> {
    /// A file that no manifest knows and nobody can read: what it held is gone without it.
    fn unreadable(&mut self, file: FileName, loss: Loss) {
        let kind = match file.kind {
            FileKind::Log => DamageKind::Log,
            FileKind::Segment => DamageKind::Segment,
            FileKind::Overlay => DamageKind::Overlay,
            FileKind::Blob => DamageKind::Blob,
        };
        self.damages.push(Damage {
            file: format!("{}/{}", file.kind.folder(), file.name()),
            offset: None,
            kind,
            reason: "no readable manifest knows the file, and it cannot be read itself".to_owned(),
            loss,
            remedy: Some(Remedy::TakeOut),
        });
    }
}

/// Makes a manifest. `previous` is the one before the last commit, if that can be read.
///
/// # Errors
/// `Corrupt` if files of several stores lie in the folders, or none tells its store; `UnsupportedFormat`, `Io`.
pub(super) fn rebuild(
    storage: &Arc<dyn Storage>,
    options: &Options,
    previous: Option<&Manifest>,
    told: &mut Told<'_>,
) -> Result<Manifest> {
    let dropping = previous.map(|previous| previous.dropping.iter().copied().collect()).unwrap_or_default();
    let rebuild = Rebuild { storage, options, store: 0, dropping };
    let store = rebuild.find_store(previous)?;
    let rebuild = Rebuild { store, ..rebuild };
    if let Some(previous) = previous
        && rebuild.fits(previous)?
    {
        let mut manifest = previous.clone();
        (manifest.clean_end, manifest.version, manifest.epoch) = (None, previous.version + 1, previous.epoch + 1);
        return Ok(manifest);
    }
    let empty = Manifest::new(store);
    rebuild.read_files(previous.unwrap_or(&empty), told)
}

struct Rebuild<'a> {
    storage: &'a Arc<dyn Storage>,
    options: &'a Options,
    store: u128,
    /// Files given up before and not yet removed: no part of the store, whatever they hold.
    dropping: HashSet<FileName>,
}

/// A segment that is there.
struct FoundSegment {
    entry: SegmentEntry,
    sequences: RoaringTreemap,
}

impl Rebuild<'_> {
    fn ids(&self, kind: FileKind) -> Result<Vec<u64>> {
        let folder = self.options.directory.join(kind.folder());
        let names = files_in(&**self.storage, &folder)?;
        let files = names.iter().filter_map(|name| FileName::parse(kind, name));
        let mut ids: Vec<u64> = files.filter(|file| !self.dropping.contains(file)).map(|file| file.id).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// The store that all readable headers name.
    fn find_store(&self, previous: Option<&Manifest>) -> Result<u128> {
        let (storage, directory) = (&**self.storage, &self.options.directory);
        let mut stores: HashSet<u128> = previous.map(|previous| previous.store).into_iter().collect();
        for id in self.ids(FileKind::Segment)? {
            stores
                .extend(readable(SealedSegment::probe(storage, &segment_path(directory, id)))?.map(|(store, _)| store));
        }
        for id in self.ids(FileKind::Log)? {
            stores.extend(readable(LogFile::probe(storage, &FileName::new(FileKind::Log, id).path(directory)))?);
        }
        let mut found = stores.iter();
        match (found.next(), found.next()) {
            (Some(store), None) => Ok(*store),
            (None, _) => {
                Err(Error::corrupt("no file in the folders says which store it belongs to").at_path(directory))
            }
            (Some(one), Some(other)) => {
                let message =
                    format!("files of several stores lie in the folders, {one:032x} and {other:032x} among them");
                Err(Error::corrupt(message).at_path(directory))
            }
        }
    }

    /// Whether the folders hold exactly what a manifest names.
    fn fits(&self, manifest: &Manifest) -> Result<bool> {
        let live: HashSet<FileName> = manifest.live_files().collect();
        let mut there = HashSet::new();
        for kind in FileKind::ALL {
            there.extend(self.ids(kind)?.into_iter().map(|id| FileName::new(kind, id)));
        }
        Ok(there == live)
    }

    fn read_files(&self, previous: &Manifest, told: &mut Told<'_>) -> Result<Manifest> {
        let mut logs = self.find_logs(previous, told)?;
        let mut segments = self.find_segments(previous, told)?;
        choose_segments(&mut segments, told.notes);
        logs::choose(&mut logs, &mut segments, told);
        let mut manifest = Manifest {
            version: previous.version + 1,
            epoch: previous.epoch.max(logs.iter().map(|log| log.epoch).max().unwrap_or(0)) + 1,
            next_file_id: self.next_file_id(previous)?,
            retention_cutoff_us: previous.retention_cutoff_us,
            next_sequence_floor: previous.next_sequence_floor,
            ..Manifest::new(self.store)
        };
        manifest.segments = segments.into_iter().map(|segment| segment.entry).collect();
        self.keep_missing(previous, &mut manifest, told.notes)?;
        let last = logs.len().saturating_sub(1);
        manifest.logs = logs
            .iter()
            .enumerate()
            .map(|(index, log)| LogEntry {
                id: log.id,
                base_sequence: log.sequences.start,
                size_bytes: log.size_bytes,
                end_offset: (index < last).then_some(log.end_offset),
            })
            .collect();
        let floor = previous.durable_floor;
        manifest.durable_floor = floor.filter(|floor| logs.last().is_some_and(|log| log.id == floor.log_id));
        manifest.last_made_created_at_us =
            logs.iter().map(|log| log.last_made_us).max().unwrap_or(0).max(previous.last_made_created_at_us);
        let sealed_end = manifest.segments.iter().map(|entry| entry.max_sequence.saturating_add(1)).max().unwrap_or(1);
        let logs_end = logs.iter().map(|log| log.sequences.end).max().unwrap_or(1);
        // What was acknowledged is not given again, also if the log that held it is gone.
        let durable_end = floor.map_or(1, |floor| floor.sequence.saturating_add(1));
        manifest.next_sequence_floor = manifest.next_sequence_floor.max(sealed_end).max(logs_end).max(durable_end);
        let ordinals = manifest.segments.iter().map(|entry| entry.applied_control);
        let ordinals = ordinals.chain(logs.iter().map(|log| log.control_ordinal));
        manifest.next_control_ordinal =
            ordinals.map(|last| last + 1).max().unwrap_or(1).max(previous.next_control_ordinal);
        manifest.blobs = self.find_blobs(previous, told)?;
        let keys = manifest.blobs.iter().find(|blob| blob.name == IDEMPOTENCY_BLOB);
        manifest.idempotency_blob_id = keys.map(|blob| blob.id);
        Ok(manifest)
    }

    /// Above every id in the folders, also of files set aside.
    fn next_file_id(&self, previous: &Manifest) -> Result<u64> {
        let mut next = previous.next_file_id;
        let folders = FileKind::ALL.map(FileKind::folder).into_iter().chain([ORPHANS_DIR, QUARANTINE_DIR]);
        for folder in folders {
            for name in files_in(&**self.storage, &self.options.directory.join(folder))? {
                let digits = name.split('.').next().and_then(|digits| digits.parse::<u64>().ok());
                next = next.max(digits.map_or(0, |id| id.saturating_add(1)));
            }
        }
        Ok(next)
    }

    fn find_segments(&self, previous: &Manifest, told: &mut Told<'_>) -> Result<Vec<FoundSegment>> {
        let (storage, directory) = (&**self.storage, &self.options.directory);
        let overlays = self.find_overlays(previous, told)?;
        let mut found = Vec::new();
        for id in self.ids(FileKind::Segment)? {
            let opened = SealedSegment::open(storage, &segment_path(directory, id), self.store, id, None);
            let known = previous.segments.iter().find(|entry| entry.id == id);
            let read = opened.and_then(|segment| Ok((segment.summary()?, segment.sequence_set()?)));
            let Some((summary, sequences)) = readable(read)? else {
                let file = FileName::new(FileKind::Segment, id);
                if let Some(entry) = known {
                    // It is looked at again as what the manifest names, and told as damage.
                    found.push(FoundSegment { entry: entry.clone(), sequences: RoaringTreemap::new() });
                } else if previous.announced.contains(&file) {
                    told.notes.push(format!("segment {id} cannot be read, was never finished, and is left out"));
                } else {
                    told.unreadable(file, Loss { events: None, ..Loss::default() });
                }
                continue;
            };
            let mut entry = known.cloned().unwrap_or_else(|| {
                let (first_us, last_us) = summary.time_bounds_us;
                let span = SPANS.into_iter().find(|span| span.start_us(first_us) == span.start_us(last_us));
                let span = span.unwrap_or(PartitionSpan::Month);
                segment_entry(id, span, span.start_us(first_us), &summary)
            });
            if let Some((overlay_id, crc, applied)) = overlays.iter().rev().find_map(|(place, crc, applied)| {
                let is_newest = entry.overlay_id.is_none_or(|known| known <= place.overlay_id);
                (place.segment_id == id && place.store == self.store && is_newest).then_some((
                    place.overlay_id,
                    *crc,
                    *applied,
                ))
            }) {
                (entry.overlay_id, entry.overlay_crc) = (Some(overlay_id), crc);
                entry.applied_control = entry.applied_control.max(applied);
            }
            found.push(FoundSegment { entry, sequences });
        }
        Ok(found)
    }

    /// Every overlay that can be read, the latest last.
    fn find_overlays(
        &self,
        previous: &Manifest,
        told: &mut Told<'_>,
    ) -> Result<Vec<(crate::overlay_file::OverlayPlace, u32, u64)>> {
        let mut found = Vec::new();
        for id in self.ids(FileKind::Overlay)? {
            let probed = readable(probe_overlay(&**self.storage, &self.options.directory, id))?;
            match probed.filter(|(place, ..)| place.overlay_id == id) {
                Some(overlay) => found.push(overlay),
                // Of one that the manifest names the inspection tells. One that was only announced tells nothing
                // apart from a finished one: it has its name only when it is whole.
                None if previous.segments.iter().any(|entry| entry.overlay_id == Some(id)) => {}
                None => {
                    let loss = "deletes and marks of a segment, which one is not known: deleted events are there again";
                    told.unreadable(FileName::new(FileKind::Overlay, id), Loss::only(loss));
                }
            }
        }
        Ok(found)
    }

    /// Keeps entries of segments that the previous manifest names and that are gone, unless a later file holds their
    /// sequences: then they were rewritten.
    fn keep_missing(&self, previous: &Manifest, manifest: &mut Manifest, notes: &mut Vec<String>) -> Result<()> {
        let there: HashSet<u64> = self.ids(FileKind::Segment)?.into_iter().collect();
        let later: Vec<(u64, u64)> = manifest
            .segments
            .iter()
            .filter(|entry| !previous.segments.iter().any(|old| old.id == entry.id))
            .map(|entry| (entry.min_sequence, entry.max_sequence))
            .collect();
        for entry in previous.segments.iter().filter(|entry| !there.contains(&entry.id)) {
            let rewritten = later.iter().any(|(min, max)| *min <= entry.max_sequence && *max >= entry.min_sequence);
            if rewritten {
                notes.push(format!("segment {} was rewritten into one that the lost manifest named", entry.id));
            } else {
                manifest.segments.push(entry.clone());
            }
        }
        Ok(())
    }

    fn find_blobs(&self, previous: &Manifest, told: &mut Told<'_>) -> Result<Vec<BlobEntry>> {
        let (storage, directory) = (&**self.storage, &self.options.directory);
        let mut blobs = Vec::new();
        let mut missing = Vec::new();
        for blob in &previous.blobs {
            match read_blob(storage, directory, self.store, blob) {
                Err(error) if error.kind() == ErrorKind::NotFound => missing.push(blob.clone()),
                // Damaged ones are told as such later.
                _ => blobs.push(blob.clone()),
            }
        }
        let mut unknown: Vec<BlobEntry> = Vec::new();
        for id in self.ids(FileKind::Blob)?.into_iter().filter(|id| !previous.blobs.iter().any(|blob| blob.id == *id)) {
            let file = FileName::new(FileKind::Blob, id);
            match readable(probe_blob(storage, directory, self.store, id))? {
                Some(blob) => unknown.push(blob),
                None if previous.announced.contains(&file) => {}
                None => told.unreadable(file, Loss::only("a named value, which one is not known")),
            }
        }
        match (missing.as_slice(), unknown.as_slice()) {
            // One commit is missing, and a commit replaces a value by writing the new one first.
            ([old], [new]) => {
                told.notes.push(format!("the value {:?} was replaced by the last commit: file {}", old.name, new.id));
                blobs.push(BlobEntry { name: old.name.clone(), ..new.clone() });
            }
            _ => blobs.extend(missing),
        }
        Ok(blobs)
    }
}

/// What a read gave; `None` if the bytes are damaged or gone.
fn readable<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if super::inspect::is_damage(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Leaves out the segments whose events another one holds.
fn choose_segments(segments: &mut Vec<FoundSegment>, notes: &mut Vec<String>) {
    segments.sort_by_key(|segment| segment.entry.id);
    let mut kept: Vec<FoundSegment> = Vec::with_capacity(segments.len());
    for segment in segments.drain(..) {
        let mut held = RoaringTreemap::new();
        for older in kept.iter().filter(|older| !older.sequences.is_disjoint(&segment.sequences)) {
            held |= &older.sequences;
        }
        // Whoever commits a rewritten segment removes those it was made of only then.
        if !segment.sequences.is_empty() && segment.sequences.is_subset(&held) {
            notes.push(format!(
                "segment {} was made of earlier ones that are all there, and is left out",
                segment.entry.id
            ));
            continue;
        }
        kept.retain(|older| {
            let is_old = !older.sequences.is_disjoint(&segment.sequences);
            if is_old {
                notes.push(format!(
                    "segment {} was rewritten into segment {}, and is left out",
                    older.entry.id, segment.entry.id
                ));
            }
            !is_old
        });
        kept.push(segment);
    }
    *segments = kept;
}
