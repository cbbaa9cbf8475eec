//! What lies in a store's files, for a person who looks: sizes, counts, bounds. Nothing is ever written, and no lock is
//! taken: a store may be looked at while a process has it open. What such a process writes meanwhile may be half there,
//! and is then told as the rest behind the end.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::field::Field;
use crate::housekeeping::unknown_files;
use crate::layout::{FileKind, FileName, segment_path};
use crate::log::{LogFile, describe_log};
use crate::manifest::{Manifest, ManifestStore, SegmentEntry};
use crate::overlay_file::{OverlayPlace, read_overlay};
use crate::partition::PartitionSpan;
use crate::segment::SealedSegment;
use crate::storage::Storage;

/// A process that commits the manifest leaves a moment in which it has another name.
const LOADS_MAX: usize = 10;

/// A store as its manifest has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreInfo {
    /// Every file of it repeats this.
    pub store: u128,
    /// Of the manifest: raised by every commit.
    pub version: u64,
    /// Raised at every open for writing.
    pub epoch: u32,
    /// Whether it was closed and not opened since. Otherwise a process has it open, or it was not closed.
    pub closed_cleanly: bool,
    /// Why MANIFEST could not be used, if this is MANIFEST.prev.
    pub fallback: Option<String>,
    /// No sequence below this is given again.
    pub next_sequence_floor: u64,
    /// A standing policy forgets what was created before this (UTC microseconds, exclusive).
    pub retention_cutoff_us: Option<i64>,
    /// Ascending by partition and sequences.
    pub segments: Vec<SegmentFile>,
    /// In the order of their sequences.
    pub logs: Vec<LogFileInfo>,
    /// Named values.
    pub blobs: Vec<BlobFile>,
    /// Files given up or begun, which go with the next open at the latest.
    pub leaving: u64,
    /// Files that the manifest does not know.
    pub unknown: Vec<PathBuf>,
}

/// A sealed segment as the manifest has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFile {
    /// Its file is named so.
    pub id: u64,
    /// The first microsecond of its partition.
    pub partition_start_us: i64,
    /// The span of its partition; `None` for one that this version does not know.
    pub partition_span: Option<PartitionSpan>,
    /// Deleted ones included.
    pub rows: u32,
    /// Of the file.
    pub size_bytes: u64,
    /// The smallest and the largest `created_at`, both inclusive.
    pub created_at_us: (i64, i64),
    /// Both inclusive.
    pub sequences: (u64, u64),
    /// What was deleted and marked since it was sealed.
    pub overlay: Option<OverlayFile>,
}

/// Deletes and marks of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlayFile {
    /// Its file is named so.
    pub id: u64,
    /// What it holds, or why it cannot be read.
    pub held: Result<OverlayCounts, String>,
}

/// How many rows an overlay is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverlayCounts {
    /// Deleted ones.
    pub deleted: u64,
    /// Acknowledged ones.
    pub acknowledged: u64,
    /// Notifications that changed.
    pub amended: u64,
}

/// A log, and what was found in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFileInfo {
    /// Its file is named so.
    pub id: u64,
    /// Where it ended when the next log took over; `None`: it is the one that is written to.
    pub end_offset: Option<u64>,
    /// What is in it, or why it cannot be read.
    pub held: Result<LogInfo, String>,
}

/// A named value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobFile {
    /// What it is asked for by.
    pub name: String,
    /// Its file is named so.
    pub id: u64,
    /// Of the value.
    pub size_bytes: u64,
}

/// What is in a log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogInfo {
    /// The store it says it belongs to.
    pub store: u128,
    /// The id it says it has.
    pub id: u64,
    /// When the file was made, UTC microseconds.
    pub made_at_us: i64,
    /// What was reserved for it.
    pub reserved_bytes: u64,
    /// The length of the file: less than was reserved if it was closed.
    pub size_bytes: u64,
    /// Frames of events.
    pub event_frames: u64,
    /// Frames of deletes and marks.
    pub control_frames: u64,
    /// Frames of events that replace others.
    pub replacing_frames: u64,
    /// Frames that say only up to where the log is durable.
    pub sync_markers: u64,
    /// In all frames.
    pub events: u64,
    /// The first and the last sequence, both inclusive.
    pub sequences: Option<(u64, u64)>,
    /// The smallest and the largest `created_at`, both inclusive; the first is larger if there are no events.
    pub created_at_us: (i64, i64),
    /// Up to where the last frame says that the log was durable when it was made.
    pub synced_upto: u64,
    /// Behind the last whole frame.
    pub end_offset: u64,
    /// Behind the last byte that is not zero, if that is not the end: a frame that is being written, a torn tail, or
    /// damage, which a recovery tells apart.
    pub rest_end: Option<u64>,
}

/// What is in a sealed segment, by its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// The store it belongs to.
    pub store: u128,
    /// Its file is named so.
    pub id: u64,
    /// UTC microseconds.
    pub sealed_at_us: i64,
    /// Deleted ones included.
    pub rows: u32,
    /// Of the file.
    pub size_bytes: u64,
    /// The smallest and the largest `created_at`, both inclusive.
    pub created_at_us: (i64, i64),
    /// Both inclusive.
    pub sequences: (u64, u64),
    /// Whether it has the form of segments that are no longer fresh.
    pub is_packed: bool,
    /// Whether every id was made by the store, so that none is stored.
    pub ids_made: bool,
    /// Keyword fields that any row has.
    pub fields: Vec<FieldInfo>,
    /// In the order of the file.
    pub sections: Vec<SectionInfo>,
    /// Header, checksums, footer, trailer and what lies between sections.
    pub frame_bytes: u64,
}

/// A keyword field of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// Which.
    pub field: Field,
    /// Distinct ones: the entries of its dictionary.
    pub terms: u32,
    /// Rows with a value.
    pub rows: u32,
    /// Over all rows.
    pub values: u32,
    /// The field whose columns it shares, having the same value wherever it has one.
    pub same_as: Option<Field>,
}

/// A section of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionInfo {
    /// What it holds: `term_bytes`, `codes`.
    pub name: &'static str,
    /// The part of a segment it is counted to.
    pub part: SectionPart,
    /// The field or the text it belongs to; empty for columns of their own.
    pub owner: &'static str,
    /// In the file.
    pub offset: u64,
    /// Of it.
    pub size_bytes: u64,
    /// Its entries.
    pub count: u64,
}

/// What a section is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SectionPart {
    /// Times and sequences.
    Keys,
    /// Ids and how they are found.
    Ids,
    /// The distinct values of a field.
    Dictionary,
    /// Which row has which value.
    Column,
    /// Which value has which rows: the index.
    Postings,
    /// Texts and payloads.
    Text,
    /// What this version does not know.
    Other,
}

/// What a file of a store is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileType {
    /// Sealed events.
    Segment,
    /// A log of frames.
    Log,
    /// The list of a store's files.
    Manifest,
    /// Deletes and marks of a segment.
    Overlay,
    /// A named value.
    Blob,
    /// Nothing that this version knows.
    Unknown,
}

/// Says what a file is.
///
/// # Errors
/// `NotFound`, `Io`.
pub fn file_type(storage: &dyn Storage, path: &Path) -> Result<FileType> {
    let io = |source| Error::io("read", path, source);
    let file = storage.open(path, false).map_err(io)?;
    let mut magic = [0; 8];
    if file.len().map_err(io)? < 8 {
        return Ok(FileType::Unknown);
    }
    file.read_at(&mut magic, 0).map_err(io)?;
    Ok(match &magic {
        b"\x8aANNSEG\n" => FileType::Segment,
        b"ANNLOG\r\n" => FileType::Log,
        b"ANNMAN\r\n" => FileType::Manifest,
        b"ANNOVL\r\n" => FileType::Overlay,
        b"ANNBLB\r\n" => FileType::Blob,
        _ => FileType::Unknown,
    })
}

/// Looks at the store in `directory`: reads its manifest, its overlays and its logs.
///
/// # Errors
/// `NotFound` if there is none; `Corrupt` if no manifest can be read; `UnsupportedFormat`, `Io`. What is wrong with
/// other files is told with them.
pub fn store(storage: &Arc<dyn Storage>, directory: &Path) -> Result<StoreInfo> {
    let loaded = load(storage, directory)?;
    let manifest = loaded.current();
    let mut segments: Vec<SegmentFile> =
        manifest.segments.iter().map(|entry| segment_file(&**storage, directory, manifest.store, entry)).collect();
    segments.sort_by_key(|segment| (segment.partition_start_us, segment.sequences));
    let leaving: Vec<FileName> = manifest.dropping.iter().chain(&manifest.announced).copied().collect();
    let known: HashSet<FileName> = manifest.live_files().chain(leaving.iter().copied()).collect();
    let blob = |blob: &crate::manifest::BlobEntry| BlobFile {
        name: blob.name.clone(),
        id: blob.id,
        size_bytes: u64::from(blob.len),
    };
    Ok(StoreInfo {
        store: manifest.store,
        version: manifest.version,
        epoch: manifest.epoch,
        closed_cleanly: manifest.clean_end.is_some(),
        fallback: loaded.fallback().map(str::to_owned),
        next_sequence_floor: manifest.next_sequence_floor,
        retention_cutoff_us: manifest.retention_cutoff_us,
        segments,
        logs: logs(&**storage, directory, manifest),
        blobs: manifest.blobs.iter().map(blob).collect(),
        leaving: crate::codec::len_u64(leaving.len()),
        unknown: unknown_files(&**storage, directory, &known)?,
    })
}

/// The newest manifest; again while another process commits one.
fn load(storage: &Arc<dyn Storage>, directory: &Path) -> Result<ManifestStore> {
    let none = || Error::new(ErrorKind::NotFound, "there is no store in this folder").at_path(directory);
    let mut attempts = 1;
    loop {
        match ManifestStore::load(storage, directory) {
            Ok(Some(loaded)) if loaded.fallback().is_none() || attempts >= LOADS_MAX => return Ok(loaded),
            Ok(None) if attempts >= LOADS_MAX => return Err(none()),
            Err(error) if attempts >= LOADS_MAX || error.kind() != ErrorKind::Corrupt => return Err(error),
            _ => attempts += 1,
        }
    }
}

fn segment_file(storage: &dyn Storage, directory: &Path, store: u128, entry: &SegmentEntry) -> SegmentFile {
    let overlay = entry.overlay_id.map(|overlay_id| {
        let place = OverlayPlace { store, overlay_id, segment_id: entry.id };
        let read = read_overlay(storage, directory, place, entry.rows, entry.overlay_crc);
        let counts = read.map(|overlay| OverlayCounts {
            deleted: overlay.tombstones.len(),
            acknowledged: overlay.acknowledged.len(),
            amended: crate::codec::len_u64(overlay.amendments.len()),
        });
        OverlayFile { id: overlay_id, held: counts.map_err(|error| error.to_string()) }
    });
    SegmentFile {
        id: entry.id,
        partition_start_us: entry.partition_start_us,
        partition_span: PartitionSpan::from_number(entry.partition_span),
        rows: entry.rows,
        size_bytes: entry.size_bytes,
        created_at_us: (entry.min_created_at_us, entry.max_created_at_us),
        sequences: (entry.min_sequence, entry.max_sequence),
        overlay,
    }
}

fn logs(storage: &dyn Storage, directory: &Path, manifest: &Manifest) -> Vec<LogFileInfo> {
    let one = |entry: &crate::manifest::LogEntry| {
        let path = FileName::new(FileKind::Log, entry.id).path(directory);
        LogFileInfo {
            id: entry.id,
            end_offset: entry.end_offset,
            held: log(storage, &path).map_err(|error| error.to_string()),
        }
    };
    manifest.logs.iter().map(one).collect()
}

/// Looks at a log file: reads every frame.
///
/// # Errors
/// `Corrupt` if its header is damaged; `NotFound`, `UnsupportedFormat`, `Io`.
pub fn log(storage: &dyn Storage, path: &Path) -> Result<LogInfo> {
    describe_log(&LogFile::open_at(storage, path)?)
}

/// Looks at a sealed segment: reads its ends.
///
/// # Errors
/// `Corrupt` if they are damaged; `NotFound`, `UnsupportedFormat`, `Io`.
pub fn segment(storage: &dyn Storage, path: &Path) -> Result<SegmentInfo> {
    let (store, id) = SealedSegment::probe(storage, path)?;
    Ok(SealedSegment::open(storage, path, store, id, None)?.describe())
}

/// Where a segment of the store in `directory` lies.
pub fn path_of_segment(directory: &Path, id: u64) -> PathBuf {
    segment_path(directory, id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AppendOptions, Batch, Delete, Engine, Event, Filter, Options, OsStorage};

    #[test]
    fn an_open_store_is_told_file_by_file() {
        let folder = tempfile::tempdir().unwrap();
        let storage: Arc<dyn Storage> = Arc::new(OsStorage::new());
        assert_eq!(store(&storage, folder.path()).unwrap_err().kind(), ErrorKind::NotFound);
        let engine = Engine::open(Options { log_size_bytes: 1 << 20, ..Options::new(folder.path()) }).unwrap();
        let append = |count: u64| {
            let mut batch = Batch::new();
            for number in 0..count {
                let resource = format!("r{}", number % 7);
                let mut event = Event::new("a.b");
                event.created_at_us = Some(1_700_000_000_000_000 + i64::try_from(number).unwrap());
                event.set(Field::ResourceId, &resource);
                batch.push(&event).unwrap();
            }
            engine.append(batch, &AppendOptions::default()).unwrap();
        };
        append(500);
        engine.seal_now().unwrap();
        engine.delete(&Delete::Matching(Filter::SequenceBetween { from: 10, to: 15 })).unwrap();
        engine.put_blob("settings", b"12345").unwrap();
        append(20);
        let found = store(&storage, folder.path()).unwrap();
        assert_eq!((found.closed_cleanly, found.segments.len(), found.unknown.len()), (false, 1, 0));
        let file = found.segments.first().unwrap();
        assert_eq!((file.rows, file.sequences, file.partition_span), (500, (1, 500), Some(PartitionSpan::Month)));
        assert!(found.blobs.iter().any(|blob| blob.name == "settings" && blob.size_bytes == 5));
        let held = found.logs.last().unwrap().held.clone().unwrap();
        assert_eq!((held.events, held.sequences, held.control_frames, held.rest_end), (20, Some((501, 520)), 1, None));
        assert!(held.end_offset > 4096 && held.reserved_bytes == 1 << 20);

        let path = path_of_segment(folder.path(), file.id);
        assert_eq!(file_type(&*storage, &path).unwrap(), FileType::Segment);
        let segment = segment(&*storage, &path).unwrap();
        assert_eq!((segment.rows, segment.size_bytes), (500, file.size_bytes));
        let resource = segment.fields.iter().find(|field| field.field == Field::ResourceId).unwrap();
        assert_eq!((resource.terms, resource.rows), (7, 500));
        let sections: u64 = segment.sections.iter().map(|section| section.size_bytes).sum();
        assert_eq!(sections + segment.frame_bytes, segment.size_bytes);
        assert!(segment.sections.iter().all(|section| section.part != SectionPart::Other));
        let dictionary = |section: &&SectionInfo| section.part == SectionPart::Dictionary;
        assert!(segment.sections.iter().filter(dictionary).any(|section| section.owner == "resource_id"));

        // What was deleted since a segment was sealed is in its overlay when the log that says so is sealed.
        engine.seal_now().unwrap();
        engine.close().unwrap();
        let found = store(&storage, folder.path()).unwrap();
        let counts = found.segments.first().unwrap().overlay.clone().map(|overlay| overlay.held.unwrap().deleted);
        assert_eq!((found.closed_cleanly, counts), (true, Some(5)));
    }

    #[test]
    fn a_damaged_log_is_told_and_the_rest_still_is() {
        let folder = tempfile::tempdir().unwrap();
        let storage: Arc<dyn Storage> = Arc::new(OsStorage::new());
        let engine = Engine::open(Options { log_size_bytes: 1 << 20, ..Options::new(folder.path()) }).unwrap();
        for _ in 0..2 {
            let mut batch = Batch::new();
            batch.push(&Event::new("a")).unwrap();
            engine.append(batch, &AppendOptions::default()).unwrap();
        }
        engine.close().unwrap();
        let id = store(&storage, folder.path()).unwrap().logs.first().unwrap().id;
        let path = FileName::new(FileKind::Log, id).path(folder.path());
        let whole = log(&*storage, &path).unwrap();
        assert_eq!((whole.events, whole.rest_end), (2, None));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[4096 + 100] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let cut = log(&*storage, &path).unwrap();
        assert_eq!((cut.events, cut.end_offset, cut.rest_end.is_some()), (0, 4096, true));
        bytes[8] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let found = store(&storage, folder.path()).unwrap();
        assert!(found.logs.first().unwrap().held.is_err());
        for len in [0, 7, 8, 100, 4096] {
            std::fs::write(&path, &bytes[..len]).unwrap();
            assert!(log(&*storage, &path).is_err() && segment(&*storage, &path).is_err(), "{len}");
        }
    }
}
