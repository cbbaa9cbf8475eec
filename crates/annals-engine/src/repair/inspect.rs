//! Reads every file of a closed store and says what is damaged and what could be done, without changing anything.

use std::sync::Arc;

use crate::blob::read_blob;
use crate::error::{Error, ErrorKind, Result};
use crate::fold::{IDEMPOTENCY_BLOB, OWED_BLOB};
use crate::hold::HOLDS_BLOB;
use crate::idempotency::IdempotencyTable;
use crate::layout::{FileKind, FileName, segment_path};
use crate::lost::{LOST_BLOB, LostSequences};
use crate::manifest::{BlobEntry, Manifest, SegmentEntry};
use crate::options::Options;
use crate::overlay::Overlay;
use crate::overlay_file::{OverlayPlace, read_overlay};
use crate::owed::Owed;
use crate::scrub::SCRUB_BLOB;
use crate::segment::SealedSegment;
use crate::storage::Storage;

use super::damage::{Damage, DamageKind, Loss, Remedy};
use super::forgiving::is_unreadable;
use super::salvage::readable_rows;
use super::work::{Rewritten, Work};

/// Told the bytes read so far and those in all.
pub(super) type Progress<'a> = dyn FnMut(u64, u64) + 'a;

/// A look at a closed store.
pub(super) struct Inspection<'a> {
    pub(super) options: &'a Options,
    /// Gives zeroes for what the device cannot read.
    pub(super) storage: Arc<dyn Storage>,
    /// The manifest as it was found, or made.
    pub(super) manifest: Manifest,
    pub(super) lost: LostSequences,
    pub(super) work: Work,
    pub(super) damages: Vec<Damage>,
    pub(super) notes: Vec<String>,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) events: u64,
    pub(super) bytes_in_all: u64,
}

/// Whether an error says that stored bytes are damaged or gone, and not that something else went wrong.
pub(crate) fn is_damage(error: &Error) -> bool {
    let unreadable = || {
        let source = std::error::Error::source(error);
        source.and_then(|source| source.downcast_ref::<std::io::Error>()).is_some_and(is_unreadable)
    };
    match error.kind() {
        ErrorKind::Corrupt | ErrorKind::NotFound => true,
        ErrorKind::Io => unreadable(),
        _ => false,
    }
}

impl Inspection<'_> {
    /// Reads everything.
    ///
    /// # Errors
    /// `UnsupportedFormat` for a file of a newer version; `Io`. Damage is noted and no error.
    pub(super) fn run(&mut self, progress: &mut Progress<'_>) -> Result<()> {
        let segments: u64 = self.manifest.segments.iter().map(|entry| entry.size_bytes).sum();
        let logs: u64 = self.manifest.logs.iter().map(|entry| entry.size_bytes).sum();
        self.bytes_in_all = segments + logs;
        for blob in self.manifest.blobs.clone() {
            self.blob(&blob)?;
        }
        for entry in self.manifest.segments.clone() {
            self.segment(&entry, progress)?;
        }
        self.logs(progress)
    }

    /// Notes bytes that were read.
    pub(super) fn advance(&mut self, bytes: u64, progress: &mut Progress<'_>) {
        self.bytes = self.bytes.saturating_add(bytes);
        progress(self.bytes, self.bytes_in_all.max(self.bytes));
    }

    /// Notes a damage of `file`.
    pub(super) fn damaged(&mut self, file: FileName, error: &Error, loss: Loss, remedy: Remedy) {
        let kind = match file.kind {
            FileKind::Log => DamageKind::Log,
            FileKind::Segment => DamageKind::Segment,
            FileKind::Overlay => DamageKind::Overlay,
            FileKind::Blob => DamageKind::Blob,
        };
        let name = format!("{}/{}", file.kind.folder(), file.name());
        let (offset, reason) = (error.offset(), error.message().to_owned());
        self.damages.push(Damage { file: name, offset, kind, reason, loss, remedy: Some(remedy) });
        self.work.commits = true;
    }

    /// Has a file leave the store, once.
    pub(super) fn take_out(&mut self, file: FileName) {
        if !self.work.taken_out.contains(&file) {
            self.work.taken_out.push(file);
        }
    }

    fn blob(&mut self, blob: &BlobEntry) -> Result<()> {
        self.files += 1;
        self.bytes += u64::from(blob.len);
        let read = read_blob(&*self.storage, &self.options.directory, self.manifest.store, blob);
        let checked = read.and_then(|bytes| match blob.name.as_str() {
            IDEMPOTENCY_BLOB => IdempotencyTable::decode(&bytes).map(|_| ()),
            OWED_BLOB => Owed::decode(&bytes).map(|_| ()),
            HOLDS_BLOB => crate::hold::decode(&bytes).map(|_| ()),
            LOST_BLOB => LostSequences::decode(&bytes).map(|lost| self.lost = lost),
            _ => Ok(()),
        });
        let Err(error) = checked else { return Ok(()) };
        if !is_damage(&error) {
            return Err(error);
        }
        let loss = match blob.name.as_str() {
            IDEMPOTENCY_BLOB => Loss::only("the answers to idempotency keys: a batch sent again may be stored twice"),
            OWED_BLOB => Loss::only("deletes and marks that damaged segments have not taken"),
            HOLDS_BLOB => Loss::only("the legal holds: place them again before anything is deleted"),
            SCRUB_BLOB => Loss::only("how far the background check came"),
            LOST_BLOB => Loss::only("the list of what earlier repairs gave up; it is made anew"),
            name => Loss::only(format!("the value {name:?}")),
        };
        let file = FileName::new(FileKind::Blob, blob.id);
        self.damaged(file, &error, loss, Remedy::TakeOut);
        let manifest = &mut self.work.manifest;
        manifest.blobs.retain(|held| held.id != blob.id);
        manifest.idempotency_blob_id = manifest.idempotency_blob_id.filter(|id| *id != blob.id);
        self.take_out(file);
        Ok(())
    }

    fn segment(&mut self, entry: &SegmentEntry, progress: &mut Progress<'_>) -> Result<()> {
        self.files += 1;
        let path = segment_path(&self.options.directory, entry.id);
        let (storage, store) = (Arc::clone(&self.storage), self.manifest.store);
        let overlay = self.overlay(entry)?;
        let opened = SealedSegment::open(&*storage, &path, store, entry.id, Some(entry.footer_crc));
        let (segment, error) = match opened {
            Ok(segment) => match segment.verify_all(&mut |bytes| self.advance(bytes, progress)) {
                Ok(()) => {
                    self.events += u64::from(entry.rows);
                    return Ok(());
                }
                Err(error) => (Some(segment), error),
            },
            Err(error) => (None, error),
        };
        if !is_damage(&error) {
            return Err(error);
        }
        let rows = segment.as_ref().map(readable_rows).transpose()?.unwrap_or_default();
        self.events += rows.len();
        let (loss, remedy) = match &segment {
            Some(_) if rows.len() == u64::from(entry.rows) => (Loss::none(), Remedy::Rebuild),
            Some(segment) if !rows.is_empty() => (loss_of_rows(entry, segment, &rows), Remedy::Salvage),
            _ => (Loss::of_segment(entry), Remedy::TakeOut),
        };
        self.damaged(FileName::new(FileKind::Segment, entry.id), &error, loss, remedy);
        self.work.manifest.segments.retain(|held| held.id != entry.id);
        self.take_out(FileName::new(FileKind::Segment, entry.id));
        if let Some(id) = entry.overlay_id {
            // For the second time if it is damaged too.
            self.take_out(FileName::new(FileKind::Overlay, id));
        }
        if !rows.is_empty() {
            self.work.rewritten.push(Rewritten { entry: entry.clone(), rows, overlay });
        }
        Ok(())
    }

    /// The overlay of a segment; `None` if it has none or it is damaged.
    fn overlay(&mut self, entry: &SegmentEntry) -> Result<Option<Overlay>> {
        let Some(overlay_id) = entry.overlay_id else { return Ok(None) };
        self.files += 1;
        let place = OverlayPlace { store: self.manifest.store, overlay_id, segment_id: entry.id };
        let error = match read_overlay(&*self.storage, &self.options.directory, place, entry.rows, entry.overlay_crc) {
            Ok(overlay) => return Ok(Some(overlay)),
            Err(error) if is_damage(&error) => error,
            Err(error) => return Err(error),
        };
        let file = FileName::new(FileKind::Overlay, overlay_id);
        let loss = format!(
            "deletes and marks of sequences {} to {}: deleted events of segment {} are there again",
            entry.min_sequence, entry.max_sequence, entry.id
        );
        self.damaged(file, &error, Loss::only(loss), Remedy::TakeOut);
        if let Some(held) = self.work.manifest.segments.iter_mut().find(|held| held.id == entry.id) {
            (held.overlay_id, held.overlay_crc) = (None, 0);
        }
        self.take_out(file);
        Ok(None)
    }
}

/// What the rows that cannot be read were, as far as their keys can.
fn loss_of_rows(entry: &SegmentEntry, segment: &SealedSegment, kept: &roaring::RoaringBitmap) -> Loss {
    let keys: Result<Vec<_>> =
        (0..segment.rows()).filter(|row| !kept.contains(*row)).map(|row| segment.key(row)).collect();
    let mut loss = Loss::of_segment(entry);
    loss.events = Some(u64::from(entry.rows).saturating_sub(kept.len()));
    if let Ok(keys) = keys {
        let sequences = keys.iter().map(|key| key.sequence);
        let times = keys.iter().map(|key| key.created_at_us);
        let first = sequences.clone().min().unwrap_or(entry.min_sequence);
        loss.sequences = Some(first..sequences.max().unwrap_or(entry.max_sequence).saturating_add(1));
        let earliest = times.clone().min().unwrap_or(entry.min_created_at_us);
        loss.times_us = Some(earliest..=times.max().unwrap_or(entry.max_created_at_us));
    }
    loss
}
