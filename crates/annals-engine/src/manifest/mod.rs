//! The durable list of a store's files. `docs/format.md`, "Manifest".

mod store;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use bincode::{Decode, Encode};

use crate::blob::{BLOB_NAME_SIZE_MAX, BLOB_SIZE_MAX};
use crate::codec::row_usize;
use crate::envelope::{ENVELOPE_HEADER_SIZE, EnvelopePlace, Format, place_file, read_envelope, read_whole, wrap};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::{FileKind, FileName};
use crate::metadata::{self, METADATA_SIZE_MAX};
use crate::partition::PartitionSpan;
use crate::storage::Storage;

pub(crate) use store::ManifestStore;

const FORMAT: Format = Format { what: "manifest", magic: *b"ANNMAN\r\n", major: 1, minor: 0, compatible_features: 0 };
/// Room for several hundred thousand segments.
pub(crate) const MANIFEST_SIZE_MAX: usize = METADATA_SIZE_MAX + ENVELOPE_HEADER_SIZE;

/// Everything that must be known before the first file of a store is opened.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Manifest {
    /// Raised by every commit.
    pub(crate) version: u64,
    /// The store's UUID; every file repeats it.
    pub(crate) store: u128,
    /// Raised at every open for writing, before the first write.
    pub(crate) epoch: u32,
    /// Logs, segments, overlays and blobs share one space of ids; none is used twice.
    pub(crate) next_file_id: u64,
    /// The ordinal of the next control operation; those in unsealed logs may be later.
    pub(crate) next_control_ordinal: u64,
    /// Live sealed segments, in no order.
    pub(crate) segments: Vec<SegmentEntry>,
    /// Logs not yet sealed, in the order of their sequences. Frames go to the last one.
    pub(crate) logs: Vec<LogEntry>,
    /// Up to where the log was known to be durable when this was written.
    pub(crate) durable_floor: Option<DurableFloor>,
    /// Where the last log ended at a clean close. Cleared by the first commit after the next open.
    pub(crate) clean_end: Option<CleanEnd>,
    /// Files that are no longer part of the store and are being removed.
    pub(crate) dropping: Vec<FileName>,
    /// Files that are being made. After a crash what is there of them is nobody's and is removed.
    pub(crate) announced: Vec<FileName>,
    pub(crate) blobs: Vec<BlobEntry>,
    /// A standing policy forgets what was created before this (UTC microseconds, exclusive).
    pub(crate) retention_cutoff_us: Option<i64>,
    /// The blob that holds the idempotency keys of the last 24 hours.
    pub(crate) idempotency_blob_id: Option<u64>,
    /// The last `created_at` the store itself made: it never decreases.
    pub(crate) last_made_created_at_us: i64,
    /// No sequence below this is given again, whatever becomes of the logs.
    pub(crate) next_sequence_floor: u64,
}

/// One sealed segment.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct SegmentEntry {
    pub(crate) id: u64,
    pub(crate) partition_start_us: i64,
    /// The number of a [`PartitionSpan`].
    pub(crate) partition_span: u8,
    /// Deleted rows included, at least 1.
    pub(crate) rows: u32,
    pub(crate) size_bytes: u64,
    /// Bounds over all rows, both inclusive.
    pub(crate) min_created_at_us: i64,
    pub(crate) max_created_at_us: i64,
    pub(crate) min_sequence: u64,
    pub(crate) max_sequence: u64,
    /// The checksum of the segment's footer.
    pub(crate) footer_crc: u32,
    /// The overlay file, if any row was deleted or marked.
    pub(crate) overlay_id: Option<u64>,
    /// The overlay file's checksum, 0 without one.
    pub(crate) overlay_crc: u32,
    /// Every control operation up to this ordinal is folded into segment and overlay.
    pub(crate) applied_control: u64,
}

/// One log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct LogEntry {
    pub(crate) id: u64,
    /// The sequence of its first event.
    pub(crate) base_sequence: u64,
    pub(crate) size_bytes: u64,
    /// Where it ended when the next log took over, synced up to there before this was committed.
    /// `None`: frames are still appended to it.
    pub(crate) end_offset: Option<u64>,
}

/// A point of the log known to be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct DurableFloor {
    pub(crate) log_id: u64,
    pub(crate) offset: u64,
    /// The last sequence before it.
    pub(crate) sequence: u64,
}

/// The end of the log at a clean close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct CleanEnd {
    pub(crate) log_id: u64,
    pub(crate) offset: u64,
}

/// A small named value.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct BlobEntry {
    pub(crate) name: String,
    pub(crate) id: u64,
    pub(crate) len: u32,
    /// The blob file's checksum.
    pub(crate) crc: u32,
}

impl LogEntry {
    /// Whether another log has taken over: no frame is appended any more.
    pub(crate) fn is_sealed_off(&self) -> bool {
        self.end_offset.is_some()
    }
}

impl Manifest {
    /// The manifest of a store without files.
    pub(crate) fn new(store: u128) -> Self {
        Self {
            version: 0,
            store,
            epoch: 0,
            next_file_id: 1,
            next_control_ordinal: 1,
            segments: Vec::new(),
            logs: Vec::new(),
            durable_floor: None,
            clean_end: None,
            dropping: Vec::new(),
            announced: Vec::new(),
            blobs: Vec::new(),
            retention_cutoff_us: None,
            idempotency_blob_id: None,
            last_made_created_at_us: 0,
            next_sequence_floor: 1,
        }
    }

    /// Takes the next file id. It counts as used once a commit has stored it.
    pub(crate) fn take_file_id(&mut self) -> u64 {
        let id = self.next_file_id;
        self.next_file_id += 1;
        id
    }

    /// Takes ids for files that will be made. Committed before the first of them is.
    pub(crate) fn announce(&mut self, kind: FileKind, count: usize) -> Range<u64> {
        let first = self.next_file_id;
        for _ in 0..count {
            let id = self.take_file_id();
            self.announced.push(FileName::new(kind, id));
        }
        first..self.next_file_id
    }

    /// Makes an announced file part of the store; the caller adds its entry.
    pub(crate) fn adopt(&mut self, kind: FileKind, id: u64) {
        self.announced.retain(|file| *file != FileName::new(kind, id));
    }

    /// Says where a log ended: the next one takes over.
    pub(crate) fn close_log(&mut self, log_id: u64, end_offset: u64) {
        if let Some(log) = self.logs.iter_mut().find(|log| log.id == log_id) {
            log.end_offset = Some(end_offset);
        }
    }

    /// Gives up a log whose rows are sealed.
    pub(crate) fn drop_log(&mut self, log_id: u64) {
        self.logs.retain(|log| log.id != log_id);
        self.dropping.push(FileName::new(FileKind::Log, log_id));
    }

    /// Gives up segments and their overlays.
    pub(crate) fn drop_segments(&mut self, ids: &[u64]) {
        for entry in &self.segments {
            if ids.contains(&entry.id) {
                self.dropping.push(FileName::new(FileKind::Segment, entry.id));
                self.dropping.extend(entry.overlay_id.map(|id| FileName::new(FileKind::Overlay, id)));
            }
        }
        self.segments.retain(|entry| !ids.contains(&entry.id));
    }

    /// The files that make up the store.
    pub(crate) fn live_files(&self) -> impl Iterator<Item = FileName> {
        let logs = self.logs.iter().map(|log| FileName::new(FileKind::Log, log.id));
        let segments = self.segments.iter().map(|segment| FileName::new(FileKind::Segment, segment.id));
        let overlay_ids = self.segments.iter().filter_map(|segment| segment.overlay_id);
        let overlays = overlay_ids.map(|id| FileName::new(FileKind::Overlay, id));
        let blobs = self.blobs.iter().map(|blob| FileName::new(FileKind::Blob, blob.id));
        logs.chain(segments).chain(overlays).chain(blobs)
    }

    /// The whole file.
    ///
    /// # Errors
    /// `InvalidInput` if the manifest contradicts itself or is too large.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        if let Some(contradiction) = self.contradiction() {
            return Err(Error::invalid_input(format!("the manifest to commit {contradiction}")));
        }
        let payload = metadata::encode(self)?;
        Ok(wrap(&FORMAT, EnvelopePlace { store: self.store, id: self.version }, &payload).0)
    }

    /// Writes it under a name of its own, synced; the name is durable after the folder's next sync. Gives its checksum.
    ///
    /// # Errors
    /// As [`Manifest::to_bytes`]; `DiskFull`, `Io`.
    pub(crate) fn place(&self, storage: &dyn Storage, path: &Path) -> Result<u32> {
        let bytes = self.to_bytes()?;
        place_file(storage, path, |file| file.write_at(&bytes, 0))?;
        Ok(read_envelope(&FORMAT, &bytes)?.header_crc)
    }

    /// Reads the manifest of that name, and no other in its place; gives its checksum too.
    ///
    /// # Errors
    /// `Corrupt` if it is damaged or missing; `UnsupportedFormat`, `Io`.
    pub(crate) fn read_at(storage: &dyn Storage, path: &Path) -> Result<(Self, u32)> {
        let read = read_whole(storage, path, MANIFEST_SIZE_MAX);
        let bytes = read.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::corrupt("the manifest is missing").at_path(path).with_source(error),
            _ => error,
        })?;
        let manifest = Self::decode(&bytes).map_err(|error| error.at_path(path))?;
        let crc = read_envelope(&FORMAT, &bytes).map_err(|error| error.at_path(path))?.header_crc;
        Ok((manifest, crc))
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let found = read_envelope(&FORMAT, bytes)?;
        let manifest: Self = metadata::decode(found.payload, METADATA_SIZE_MAX)?;
        if found.place != (EnvelopePlace { store: manifest.store, id: manifest.version }) {
            return Err(Error::corrupt("the manifest's header and body name another store or version"));
        }
        match manifest.contradiction() {
            None => Ok(manifest),
            Some(contradiction) => Err(Error::corrupt(format!("the manifest {contradiction}"))),
        }
    }

    /// What in it cannot be, if anything: the invariant of every manifest.
    fn contradiction(&self) -> Option<&'static str> {
        let mut ids = HashSet::new();
        let fresh = |id: u64, ids: &mut HashSet<u64>| id < self.next_file_id && ids.insert(id);
        if !self
            .live_files()
            .chain(self.dropping.iter().chain(&self.announced).copied())
            .all(|file| fresh(file.id, &mut ids))
        {
            return Some("names a file twice or one with an id not yet given");
        }
        if !self.segments.iter().all(SegmentEntry::is_plausible) {
            return Some("has a segment whose bounds contradict each other");
        }
        if !self.logs.is_sorted_by(|a, b| a.base_sequence <= b.base_sequence && a.is_sealed_off()) {
            return Some("has logs out of order, or one that was never ended before its successor");
        }
        let mut names = HashSet::new();
        let blob_fits = |blob: &BlobEntry| {
            (1..=BLOB_NAME_SIZE_MAX).contains(&blob.name.len()) && row_usize(blob.len) <= BLOB_SIZE_MAX
        };
        if !self.blobs.iter().all(|blob| blob_fits(blob) && names.insert(blob.name.as_str())) {
            return Some("has a blob with a bad length or a name that is taken");
        }
        if self.idempotency_blob_id.is_some_and(|id| !self.blobs.iter().any(|blob| blob.id == id)) {
            return Some("names an idempotency blob that is not there");
        }
        None
    }
}

impl SegmentEntry {
    fn is_plausible(&self) -> bool {
        PartitionSpan::from_number(self.partition_span).is_some()
            && self.rows > 0
            && self.min_created_at_us <= self.max_created_at_us
            && self.min_sequence <= self.max_sequence
            && (self.overlay_id.is_some() || self.overlay_crc == 0)
    }
}
