//! Writing down what the log said, before the log goes: overlay files and idempotency keys.

use std::sync::Arc;

use crate::blob::write_blob;
use crate::catalog::{Catalog, SealedEntry};
use crate::error::Result;
use crate::layout::{FileKind, FileName};
use crate::manifest::{BlobEntry, Manifest};
use crate::overlay_file::{OverlayPlace, write_overlay};
use crate::shared::Shared;

/// The name under which idempotency keys are kept. Names of callers never start with a dot.
pub(crate) const IDEMPOTENCY_BLOB: &str = ".idempotency";

/// The name under which operations are kept that a damaged segment has not taken.
pub(crate) const OWED_BLOB: &str = ".owed";

/// Overlay files that were written and are not yet named by the manifest.
pub(crate) struct Folded {
    files: Vec<FoldedOverlay>,
    ordinal: u64,
    /// Damaged segments: they hold no more operations than before.
    damaged: Vec<u64>,
}

struct FoldedOverlay {
    segment_id: u64,
    overlay_id: u64,
    crc: u32,
}

/// Writes the overlay of every segment that changed since its overlay was last written, of the catalog
/// and of `added`. The caller holds the control lock until the manifest is committed.
pub(crate) fn fold_overlays(shared: &Shared, added: &[SealedEntry], ordinal: u64) -> Result<Folded> {
    let catalog = shared.catalog();
    let changed: Vec<&SealedEntry> = catalog.sealed.iter().chain(added).filter(|entry| entry.is_changed()).collect();
    let ids = shared.announce(FileKind::Overlay, changed.len())?;
    let mut files = Vec::with_capacity(changed.len());
    for (entry, overlay_id) in changed.into_iter().zip(ids.clone()) {
        let place = OverlayPlace { store: shared.store, overlay_id, segment_id: entry.entry.id };
        let storage = &*shared.options.storage;
        let crc = match write_overlay(storage, &shared.options.directory, place, &entry.overlay) {
            Ok(crc) => crc,
            Err(error) => {
                shared.discard(FileKind::Overlay, ids);
                return Err(error);
            }
        };
        files.push(FoldedOverlay { segment_id: entry.entry.id, overlay_id, crc });
    }
    let damaged = catalog.sealed.iter().filter(|entry| entry.segment.is_none()).map(|entry| entry.entry.id).collect();
    Ok(Folded { files, ordinal, damaged })
}

impl Folded {
    /// Names the new files and gives up the old ones. Every sound segment then holds all operations so far.
    pub(crate) fn commit(&self, manifest: &mut Manifest) {
        let mut replaced = Vec::new();
        for entry in &mut manifest.segments {
            if !self.damaged.contains(&entry.id) {
                entry.applied_control = entry.applied_control.max(self.ordinal);
            }
            if let Some(file) = self.files.iter().find(|file| file.segment_id == entry.id) {
                replaced.extend(entry.overlay_id.replace(file.overlay_id));
                entry.overlay_crc = file.crc;
            }
        }
        for file in &self.files {
            manifest.adopt(FileKind::Overlay, file.overlay_id);
        }
        manifest.dropping.extend(replaced.into_iter().map(|id| FileName::new(FileKind::Overlay, id)));
    }

    /// Removes the files again: the manifest will not name them.
    pub(crate) fn discard(&self, shared: &Shared) {
        shared.discard(FileKind::Overlay, self.files.iter().map(|file| file.overlay_id));
    }

    /// Brings the catalog's entries in line with the manifest.
    pub(crate) fn note(&self, catalog: &mut Catalog) {
        for entry in &mut catalog.sealed {
            if !self.damaged.contains(&entry.entry.id) {
                entry.entry.applied_control = entry.entry.applied_control.max(self.ordinal);
            }
            if let Some(file) = self.files.iter().find(|file| file.segment_id == entry.entry.id) {
                entry.entry.overlay_id = Some(file.overlay_id);
                entry.entry.overlay_crc = file.crc;
                entry.written = Arc::clone(&entry.overlay);
            }
        }
    }
}

/// A blob that was written and is not yet named by the manifest.
pub(crate) struct NewBlob(BlobEntry);

impl NewBlob {
    /// Removes the file again: the manifest will not name it.
    pub(crate) fn discard(&self, shared: &Shared) {
        shared.discard(FileKind::Blob, [self.0.id]);
    }

    /// Names the new file and gives up the old one.
    pub(crate) fn commit(&self, manifest: &mut Manifest) {
        let old = manifest.blobs.iter().position(|blob| blob.name == self.0.name);
        if let Some(old) = old {
            let blob = manifest.blobs.remove(old);
            manifest.dropping.push(FileName::new(FileKind::Blob, blob.id));
        }
        manifest.adopt(FileKind::Blob, self.0.id);
        if self.0.name == IDEMPOTENCY_BLOB {
            manifest.idempotency_blob_id = Some(self.0.id);
        }
        manifest.blobs.push(self.0.clone());
    }
}

/// Writes a blob under a new id.
pub(crate) fn new_blob(shared: &Shared, name: &str, bytes: &[u8]) -> Result<NewBlob> {
    let id = shared.announce(FileKind::Blob, 1)?.next().unwrap_or_default();
    let options = &shared.options;
    let blob = write_blob(&*options.storage, &options.directory, shared.store, id, name, bytes);
    if blob.is_err() {
        shared.discard(FileKind::Blob, [id]);
    }
    blob.map(NewBlob)
}

/// Writes down the idempotency keys of durable events, if there are any. The others are in frames of a
/// log that stays: a key must not outlive the events that its answer promises.
pub(crate) fn write_idempotency(shared: &Shared) -> Result<Option<NewBlob>> {
    let bytes = {
        let mut table = shared.idempotency.lock();
        table.expire(shared.options.clock.now_us());
        if table.is_empty() {
            return Ok(None);
        }
        table.encode(shared.watermarks.durable().sequence)
    };
    new_blob(shared, IDEMPOTENCY_BLOB, &bytes).map(Some)
}

/// Writes down what damaged segments are owed, before the log that says so goes.
pub(crate) fn write_owed(shared: &Shared) -> Result<Option<NewBlob>> {
    if shared.owed.is_empty() {
        return Ok(None);
    }
    new_blob(shared, OWED_BLOB, &shared.owed.encode()?).map(Some)
}

/// Forgets what was owed, once every segment has taken it.
pub(crate) fn forget_owed(shared: &Shared, manifest: &mut Manifest) {
    let position = manifest.blobs.iter().position(|blob| blob.name == OWED_BLOB);
    if let Some(position) = position.filter(|_| shared.owed.is_empty()) {
        let blob = manifest.blobs.remove(position);
        manifest.dropping.push(FileName::new(FileKind::Blob, blob.id));
    }
}
