//! Reading everything there is and saying what is damaged.

use std::sync::Arc;

use crate::blob::read_blob;
use crate::catalog::{Catalog, LiveEntry};
use crate::codec::len_u64;
use crate::control;
use crate::error::{Error, Result};
use crate::frame::FrameKind;
use crate::layout::{FileKind, MANIFEST_FILE, MANIFEST_PREVIOUS_FILE, segment_path};
use crate::manifest::{ManifestStore, SegmentEntry};
use crate::overlay_file::{OverlayPlace, read_overlay};
use crate::record::index_payload;
use crate::repair::{Damage, DamageKind, Loss};
use crate::replacing;
use crate::requests::VerifyReport;
use crate::segment::SealedSegment;
use crate::shared::Shared;

/// Checks every file that the catalog and the manifest name, from the device where it can.
pub(crate) fn verify(shared: &Shared, progress: &mut dyn FnMut(u64, u64)) -> VerifyReport {
    let catalog = shared.catalog();
    let mut run = Run { report: VerifyReport::default(), total: total_bytes(&catalog), progress };
    run.manifests(shared);
    if let Some(damage) = &shared.read_only {
        // What the open left out is in no catalog.
        let (kind, loss) = match damage.path() {
            Some(_) => (DamageKind::Log, Loss::default()),
            None => (DamageKind::Manifest, Loss::none()),
        };
        run.damaged(shared, kind, damage, loss);
    }
    let segments = shared.options.directory.join(FileKind::Segment.folder());
    for entry in &catalog.sealed {
        run.report.files += 1;
        let path = segment_path(&shared.options.directory, entry.entry.id);
        let (storage, crc) = (&*shared.options.storage, Some(entry.entry.footer_crc));
        let checked = SealedSegment::open(storage, &path, shared.store, entry.entry.id, crc)
            .and_then(|segment| run.segment(&segment))
            .and_then(|()| run.overlay(shared, &entry.entry));
        match checked {
            Ok(()) => run.report.events += u64::from(entry.entry.rows),
            // Rewritten or dropped since the catalog was taken: its successor is checked next time.
            Err(_) if !is_named(shared, entry.entry.id) => {}
            Err(error) => {
                let is_overlay = error.path().is_some_and(|path| path.parent() != Some(&segments));
                let kind = if is_overlay { DamageKind::Overlay } else { DamageKind::Segment };
                run.damaged(shared, kind, &error, Loss::of_segment(&entry.entry));
            }
        }
    }
    let durable = shared.watermarks.durable();
    for entry in &catalog.live {
        run.report.files += 1;
        let end = entry.closed_at.unwrap_or(if durable.log_id == entry.segment.log_id { durable.offset } else { 0 });
        if let Err(error) = run.log(entry, end) {
            run.damaged(shared, DamageKind::Log, &error, Loss::default());
        }
    }
    run.blobs(shared);
    run.report
}

/// Whether the manifest names a segment with the overlay that the catalog of a verification had.
fn is_named(shared: &Shared, segment_id: u64) -> bool {
    shared.manifest.lock().current().segments.iter().any(|entry| entry.id == segment_id)
}

fn total_bytes(catalog: &Arc<Catalog>) -> u64 {
    let sealed: u64 = catalog.sealed.iter().map(|entry| entry.entry.size_bytes).sum();
    let live: u64 = catalog.live.iter().map(|entry| entry.closed_at.unwrap_or(entry.log.size_bytes())).sum();
    sealed + live
}

struct Run<'a> {
    report: VerifyReport,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl Run<'_> {
    fn damaged(&mut self, shared: &Shared, kind: DamageKind, error: &Error, loss: Loss) {
        let directory = &shared.options.directory;
        let file = error.path().map(|path| path.strip_prefix(directory).unwrap_or(path).display().to_string());
        let file = file.unwrap_or_else(|| kind.name().to_owned());
        let (offset, reason) = (error.offset(), error.message().to_owned());
        let damage = Damage { file, offset, kind, reason, loss, remedy: None };
        self.report.damages.push(damage.to_string());
        self.report.details.push(damage);
    }

    fn manifests(&mut self, shared: &Shared) {
        let (storage, directory) = (&*shared.options.storage, &shared.options.directory);
        // Held, so that no commit is under way.
        let _no_commit_runs = shared.manifest.lock();
        for name in [MANIFEST_FILE, MANIFEST_PREVIOUS_FILE] {
            match ManifestStore::check(storage, directory, name) {
                Ok(is_there) => self.report.files += u64::from(is_there),
                // The next commit writes it anew.
                Err(error) if name == MANIFEST_PREVIOUS_FILE => {
                    self.report.notes.push(format!("{name} cannot be read: {}", error.message()));
                }
                // Told already, as the reason why the store is read-only.
                Err(_) if shared.read_only.is_some() => {}
                Err(error) => self.damaged(shared, DamageKind::Manifest, &error, Loss::none()),
            }
        }
    }

    fn segment(&mut self, segment: &SealedSegment) -> Result<()> {
        let (total, progress, bytes) = (self.total, &mut self.progress, &mut self.report.bytes);
        segment.verify_all(&mut |read| {
            *bytes += read;
            progress(*bytes, total.max(*bytes));
        })
    }

    fn overlay(&mut self, shared: &Shared, entry: &SegmentEntry) -> Result<()> {
        let Some(overlay_id) = entry.overlay_id else { return Ok(()) };
        self.report.files += 1;
        let place = OverlayPlace { store: shared.store, overlay_id, segment_id: entry.id };
        let options = &shared.options;
        read_overlay(&*options.storage, &options.directory, place, entry.rows, entry.overlay_crc).map(|_| ())
    }

    fn blobs(&mut self, shared: &Shared) {
        let (storage, directory) = (&*shared.options.storage, &shared.options.directory);
        let blobs = shared.manifest.lock().current().blobs.clone();
        for blob in &blobs {
            self.report.files += 1;
            self.report.bytes += u64::from(blob.len);
            let read = read_blob(storage, directory, shared.store, blob);
            let is_named = || shared.manifest.lock().current().blobs.iter().any(|now| now.id == blob.id);
            if let Err(error) = read
                && is_named()
            {
                self.damaged(shared, DamageKind::Blob, &error, Loss::only(format!("the value {:?}", blob.name)));
            }
        }
    }

    fn log(&mut self, entry: &LiveEntry, end: u64) -> Result<()> {
        let mut offset = entry.log.first_frame_offset();
        while offset < end {
            let (header, payload) = entry.log.read_frame_at(offset)?;
            let at = |error: Error| error.at_path(entry.log.path()).at_offset(offset);
            let records = match header.kind {
                FrameKind::Events => &*payload,
                FrameKind::Replacing => replacing::split(&payload).map_err(at)?.0,
                FrameKind::Control => {
                    control::decode(&payload, header.count).map_err(at)?;
                    &[]
                }
                FrameKind::SyncMarker => &[],
            };
            let (records, _) = index_payload(records, |_| ()).map_err(at)?;
            self.report.events += len_u64(records.len());
            offset += len_u64(header.frame_size());
            self.report.bytes += len_u64(header.frame_size());
            (self.progress)(self.report.bytes, self.total.max(self.report.bytes));
        }
        Ok(())
    }
}
