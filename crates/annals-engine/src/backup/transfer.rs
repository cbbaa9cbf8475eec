//! Getting the files of a manifest into another folder, or only reading them: each checked as far as it is read.

use std::path::Path;
use std::sync::Arc;

use crate::blob::read_blob;
use crate::codec::{len_u64, row_usize, to_usize};
use crate::control;
use crate::error::{Error, Result};
use crate::frame::{FrameHeader, FrameKind};
use crate::layout::{FileKind, FileName};
use crate::log::{CompleteLog, LogFile};
use crate::lost::LostSequences;
use crate::manifest::{BlobEntry, LogEntry, Manifest, SegmentEntry};
use crate::overlay_file::{OverlayPlace, read_overlay};
use crate::record::index_payload;
use crate::repair::{Forgiving, is_damage};
use crate::replacing;
use crate::segment::SealedSegment;
use crate::storage::Storage;

use super::BackupFiles;
use super::target::Target;

/// Bytes of one read and one write where nothing is checked in between.
const PIECE_SIZE: u64 = 1 << 20;

/// Bytes done of bytes in all, told as they are done.
pub(super) struct Progress<'a> {
    done: u64,
    total: u64,
    report: &'a mut dyn FnMut(u64, u64),
}

impl<'a> Progress<'a> {
    pub(super) fn new(total: u64, report: &'a mut dyn FnMut(u64, u64)) -> Self {
        Self { done: 0, total, report }
    }

    pub(super) fn add(&mut self, bytes: u64) {
        self.done += bytes;
        (self.report)(self.done, self.total.max(self.done));
    }
}

/// What there is to do for a manifest whose logs are complete. Overlays are not counted: the manifest does not know.
pub(super) fn total_bytes(manifest: &Manifest) -> u64 {
    let segments: u64 = manifest.segments.iter().map(|entry| entry.size_bytes).sum();
    let logs: u64 = manifest.logs.iter().map(|log| log.size_bytes).sum();
    let blobs: u64 = manifest.blobs.iter().map(|blob| u64::from(blob.len)).sum();
    segments + logs + blobs
}

/// What was transferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) files_linked: u64,
    pub(super) bytes_linked: u64,
    pub(super) files_copied: u64,
    pub(super) bytes_copied: u64,
}

impl Moved {
    fn linked(&mut self, bytes: u64) {
        self.files_linked += 1;
        self.bytes_linked += bytes;
    }

    fn copied(&mut self, bytes: u64) {
        self.files_copied += 1;
        self.bytes_copied += bytes;
    }
}

/// The files of a manifest on their way.
pub(super) struct Transfer<'a> {
    pub(super) storage: &'a Arc<dyn Storage>,
    pub(super) from: &'a Path,
    /// Of a store with nothing under way: every log is complete.
    pub(super) manifest: &'a Manifest,
    pub(super) files: BackupFiles,
    /// Whether damaged segments and overlays go as they are.
    pub(super) with_damage: bool,
    pub(super) damages: Vec<String>,
    /// Asked while bytes are read.
    pub(super) goes_on: &'a dyn Fn() -> Result<()>,
    /// Told of each file that is through.
    pub(super) done: &'a dyn Fn(FileName),
}

impl Transfer<'_> {
    /// Fills the folders of a target; all of it is durable on return.
    pub(super) fn run(&mut self, target: &mut Target<'_>, progress: &mut Progress<'_>) -> Result<Moved> {
        let mut moved = Moved::default();
        for kind in FileKind::ALL {
            target.folder(kind.folder())?;
        }
        let lost = LostSequences::read(&**self.storage, self.from, self.manifest)?;
        for (log, end_sequence) in logs(self.manifest, &lost) {
            self.begin(target, FileName::new(FileKind::Log, log.id))?;
            let copy = FileName::new(FileKind::Log, log.id).path(target.directory());
            let mut on_bytes = tell(self.goes_on, progress);
            let what = complete(log, end_sequence, self.manifest.epoch);
            let storage: &dyn Storage = &**self.storage;
            open_log(self.storage, self.from, self.manifest, log)?.copy_checked(
                what,
                Some((storage, &copy)),
                &mut |_, _| Ok(()),
                &mut on_bytes,
            )?;
            moved.copied(log.size_bytes);
            (self.done)(FileName::new(FileKind::Log, log.id));
        }
        for entry in &self.manifest.segments {
            if let Some(overlay_id) = entry.overlay_id {
                self.overlay(target, entry, overlay_id, progress, &mut moved)?;
            }
            self.segment(target, entry, progress, &mut moved)?;
        }
        for blob in &self.manifest.blobs {
            let file = self.begin(target, FileName::new(FileKind::Blob, blob.id))?;
            check_blob(&**self.storage, self.from, self.manifest, blob)?;
            self.small(target, file, progress, &mut moved)?;
            check_blob(&**self.storage, target.directory(), self.manifest, blob)?;
            (self.done)(file);
        }
        for kind in FileKind::ALL {
            target.sync_inside(kind.folder())?;
        }
        target.sync()?;
        Ok(moved)
    }

    fn begin(&self, target: &mut Target<'_>, file: FileName) -> Result<FileName> {
        (self.goes_on)()?;
        target.made(&format!("{}/{}", file.kind.folder(), file.name()));
        Ok(file)
    }

    fn segment(
        &mut self,
        target: &mut Target<'_>,
        entry: &SegmentEntry,
        progress: &mut Progress<'_>,
        moved: &mut Moved,
    ) -> Result<()> {
        let file = self.begin(target, FileName::new(FileKind::Segment, entry.id))?;
        let (from, to) = (file.path(self.from), file.path(target.directory()));
        let opened = open_segment(&**self.storage, self.from, self.manifest, entry);
        let transferred = opened.and_then(|segment| {
            if self.link(&from, &to) {
                moved.linked(entry.size_bytes);
                progress.add(entry.size_bytes);
                return Ok(());
            }
            let copy = self.storage.create(&to).map_err(|source| Error::io("make the file", &to, source))?;
            segment.copy_checked(Some((&*copy, &to)), &mut tell(self.goes_on, progress))?;
            copy.sync_all().map_err(|source| Error::io("sync", &to, source))?;
            moved.copied(entry.size_bytes);
            Ok(())
        });
        self.or_as_it_is(target, file, transferred, progress, moved)?;
        (self.done)(file);
        Ok(())
    }

    fn overlay(
        &mut self,
        target: &mut Target<'_>,
        entry: &SegmentEntry,
        overlay_id: u64,
        progress: &mut Progress<'_>,
        moved: &mut Moved,
    ) -> Result<()> {
        let file = self.begin(target, FileName::new(FileKind::Overlay, overlay_id))?;
        let check = |directory: &Path| check_overlay(&**self.storage, directory, self.manifest, entry, overlay_id);
        let transferred = check(self.from)
            .and_then(|()| self.small(target, file, progress, moved))
            .and_then(|()| check(target.directory()));
        self.or_as_it_is(target, file, transferred, progress, moved)?;
        (self.done)(file);
        Ok(())
    }

    /// Whether the file has a second name now. Any refusal means that it is copied.
    fn link(&self, from: &Path, to: &Path) -> bool {
        self.files == BackupFiles::Link && self.storage.hard_link(from, to).is_ok()
    }

    /// Links or copies a file whose bytes the caller checks.
    fn small(&self, target: &Target<'_>, file: FileName, progress: &mut Progress<'_>, moved: &mut Moved) -> Result<()> {
        let (from, to) = (file.path(self.from), file.path(target.directory()));
        if self.link(&from, &to) {
            let len = self.storage.open(&from, false).and_then(|file| file.len());
            let len = len.map_err(|source| Error::io("read the file", &from, source))?;
            moved.linked(len);
            progress.add(len);
            return Ok(());
        }
        moved.copied(copy_raw(&**self.storage, &from, &to, &mut tell(self.goes_on, progress))?);
        Ok(())
    }

    /// What becomes of a file that is damaged: the end of the transfer, or if that is asked for a copy of the damage.
    fn or_as_it_is(
        &mut self,
        target: &Target<'_>,
        file: FileName,
        transferred: Result<()>,
        progress: &mut Progress<'_>,
        moved: &mut Moved,
    ) -> Result<()> {
        let damage = match transferred {
            Err(error) if is_damage(&error) => error,
            other => return other,
        };
        let (from, to) = (file.path(self.from), file.path(target.directory()));
        if !self.with_damage {
            return Err(Error::corrupt(damage.message()).at_path(damage.path().unwrap_or(&from)).with_source(damage));
        }
        self.damages.push(damage.to_string());
        _ = self.storage.remove(&to);
        if self.link(&from, &to) {
            moved.linked(0);
            return Ok(());
        }
        // What the device cannot read is zeroes in the copy: the rows beside it are worth having.
        let storage = Forgiving(Arc::clone(self.storage));
        match copy_raw(&storage, &from, &to, &mut tell(self.goes_on, progress)) {
            Ok(bytes) => moved.copied(bytes),
            // A file that is not there, or cannot be read, is damage of the copy as it is of the original.
            Err(error) if error.path() == Some(&*from) => _ = self.storage.remove(&to),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn tell<'t>(goes_on: &'t dyn Fn() -> Result<()>, progress: &'t mut Progress<'_>) -> impl FnMut(u64) -> Result<()> + 't {
    move |bytes| {
        progress.add(bytes);
        goes_on()
    }
}

/// Each log with the sequence behind its last event, which `lost` may put before the start of the next log.
pub(super) fn logs<'m>(manifest: &'m Manifest, lost: &LostSequences) -> impl Iterator<Item = (&'m LogEntry, u64)> {
    let nexts = manifest.logs.iter().skip(1).map(|next| next.base_sequence).chain([manifest.next_sequence_floor]);
    manifest.logs.iter().zip(nexts).map(|(log, next)| (log, lost.end_between(log.base_sequence, next)))
}

pub(super) fn complete(log: &LogEntry, end_sequence: u64, epoch: u32) -> CompleteLog {
    let end_offset = log.end_offset.unwrap_or(log.size_bytes);
    CompleteLog { end_offset, first_sequence: log.base_sequence, end_sequence, epoch }
}

pub(super) fn open_log(
    storage: &Arc<dyn Storage>,
    directory: &Path,
    manifest: &Manifest,
    log: &LogEntry,
) -> Result<LogFile> {
    LogFile::open(storage, &directory.join(FileKind::Log.folder()), manifest.store, log.id, false)
}

pub(super) fn open_segment(
    storage: &dyn Storage,
    directory: &Path,
    manifest: &Manifest,
    entry: &SegmentEntry,
) -> Result<SealedSegment> {
    let path = FileName::new(FileKind::Segment, entry.id).path(directory);
    SealedSegment::open(storage, &path, manifest.store, entry.id, Some(entry.footer_crc))
}

pub(super) fn check_overlay(
    storage: &dyn Storage,
    directory: &Path,
    manifest: &Manifest,
    entry: &SegmentEntry,
    overlay_id: u64,
) -> Result<()> {
    let place = OverlayPlace { store: manifest.store, overlay_id, segment_id: entry.id };
    read_overlay(storage, directory, place, entry.rows, entry.overlay_crc).map(|_| ())
}

pub(super) fn check_blob(storage: &dyn Storage, directory: &Path, manifest: &Manifest, blob: &BlobEntry) -> Result<()> {
    read_blob(storage, directory, manifest.store, blob).map(|_| ())
}

/// Decodes everything in a frame; gives its events.
pub(super) fn check_frame(header: &FrameHeader, payload: &[u8]) -> Result<u64> {
    let records = match header.kind {
        FrameKind::Events => payload,
        FrameKind::Replacing => replacing::split(payload)?.0,
        FrameKind::Control => {
            control::decode(payload, header.count)?;
            &[]
        }
        FrameKind::SyncMarker => &[],
    };
    let (records, _) = index_payload(records, |_| ())?;
    if header.kind.has_events() && records.len() != row_usize(header.count) {
        return Err(Error::corrupt(format!("a frame holds {} events and claims {}", records.len(), header.count)));
    }
    Ok(len_u64(records.len()))
}

/// Copies a file as it is, synced; gives its length.
fn copy_raw(storage: &dyn Storage, from: &Path, to: &Path, on_bytes: &mut dyn FnMut(u64) -> Result<()>) -> Result<u64> {
    let unreadable = |source| Error::io("read the file", from, source);
    let unwritable = |source| Error::io("write the file", to, source);
    let source = storage.open(from, false).map_err(unreadable)?;
    let len = source.len().map_err(unreadable)?;
    let copy = storage.create(to).map_err(unwritable)?;
    let mut offset = 0;
    while offset < len {
        let mut bytes = vec![0; to_usize(PIECE_SIZE.min(len - offset))];
        source.read_at(&mut bytes, offset).map_err(unreadable)?;
        copy.write_at(&bytes, offset).map_err(unwritable)?;
        offset += len_u64(bytes.len());
        on_bytes(len_u64(bytes.len()))?;
    }
    copy.sync_all().map_err(unwritable)?;
    Ok(len)
}
