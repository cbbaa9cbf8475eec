//! Carries a repair out. Copies first, then new files, then one commit of the manifest, then the rest: a crash in
//! between leaves a store that opens or is repaired again, and never one with less than before.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::blob::write_blob;
use crate::codec::{len_u64, to_usize};
use crate::envelope::{place_file, sync_folder_of};
use crate::error::{Error, Result};
use crate::fold::IDEMPOTENCY_BLOB;
use crate::housekeeping::{create_folders, files_in, set_aside};
use crate::layout::{
    FileKind, FileName, MANIFEST_FILE, MANIFEST_PREVIOUS_FILE, ORPHANS_DIR, QUARANTINE_DIR, segment_path,
};
use crate::log::{LOG_HEADER_SIZE, LogFile};
use crate::lost::{LOST_BLOB, LostSequences};
use crate::manifest::{Manifest, ManifestStore};
use crate::options::Options;
use crate::overlay_file::{OverlayPlace, write_overlay};
use crate::seal::segment_entry;
use crate::segment::{SealedSegment, SegmentMeta};
use crate::storage::{Storage, StorageFile};

use super::forgiving::Forgiving;
use super::salvage::{carry_overlay, write_rows};
use super::work::{LogWork, Rewritten, Work};

/// Bytes copied or overwritten at once.
const CHUNK_SIZE: u64 = 1 << 20;

pub(super) struct Apply<'a> {
    pub(super) options: &'a Options,
    pub(super) work: &'a Work,
    pub(super) lost: &'a LostSequences,
    /// What was done, a sentence each.
    pub(super) done: Vec<String>,
}

impl Apply<'_> {
    /// Does everything; `step` is told how many steps of how many are done.
    pub(super) fn run(&mut self, record: &str, step: &mut dyn FnMut(u64, u64)) -> Result<()> {
        let steps = 4 + len_u64(self.work.rewritten.len() + self.work.logs.len());
        let mut done = 0;
        let mut advance = || {
            done += 1;
            step(done, steps);
        };
        create_folders(self.storage(), &self.options.directory)?;
        self.set_orphans_aside()?;
        advance();
        if self.work.commits || !self.work.logs.is_empty() {
            self.keep_manifests()?;
            for log in &self.work.logs {
                self.keep_log(*log)?;
            }
            self.write_record(record)?;
            advance();
        }
        if self.work.commits {
            let mut manifest = self.work.manifest.clone();
            for rewritten in &self.work.rewritten {
                self.rewrite(rewritten, &mut manifest)?;
                advance();
            }
            self.note_lost(&mut manifest)?;
            self.commit(&manifest)?;
            advance();
        }
        // ORDER: behind the commit. Until then the store is what it was, from then on it needs none of this to open.
        for log in &self.work.logs {
            self.change_log(*log)?;
            advance();
        }
        self.take_out()?;
        advance();
        Ok(())
    }

    fn storage(&self) -> &dyn Storage {
        &*self.options.storage
    }

    fn forgiving(&self) -> Arc<dyn Storage> {
        Arc::new(Forgiving(Arc::clone(&self.options.storage)))
    }

    fn set_orphans_aside(&mut self) -> Result<()> {
        let orphans = self.work.orphans.clone();
        self.moved(ORPHANS_DIR, orphans)
    }

    fn take_out(&mut self) -> Result<()> {
        let directory = &self.options.directory;
        let mut there = Vec::new();
        for file in &self.work.taken_out {
            if files_in(self.storage(), &directory.join(file.kind.folder()))?.contains(&file.name()) {
                there.push(file.path(directory));
            }
        }
        self.moved(QUARANTINE_DIR, there)
    }

    fn moved(&mut self, folder: &str, files: Vec<PathBuf>) -> Result<()> {
        let moved = set_aside(self.storage(), &self.options.directory, folder, files)?;
        let directory = &self.options.directory;
        let within = |path: &Path| path.strip_prefix(directory).unwrap_or(path).display().to_string();
        self.done.extend(moved.iter().map(|(from, to)| format!("moved {} to {}", within(from), within(to))));
        Ok(())
    }

    /// Keeps copies of manifests that cannot be read.
    fn keep_manifests(&mut self) -> Result<()> {
        if !self.work.replaces_manifest {
            return Ok(());
        }
        let directory = self.options.directory.clone();
        let there = files_in(self.storage(), &directory)?;
        for name in [MANIFEST_FILE, MANIFEST_PREVIOUS_FILE].iter().filter(|name| there.iter().any(|file| file == *name))
        {
            let path = directory.join(name);
            let file = self.open(&path)?;
            let len = file.len().map_err(|source| Error::io("measure the file", &path, source))?;
            self.keep(&*file, &path, name, 0..len)?;
        }
        Ok(())
    }

    /// Keeps what of a log is overwritten later.
    fn keep_log(&mut self, log: LogWork) -> Result<()> {
        let name = FileName::new(FileKind::Log, log.id);
        let path = name.path(&self.options.directory);
        let file = self.open(&path)?;
        let len = file.len().map_err(|source| Error::io("measure the log", &path, source))?;
        if log.header {
            self.keep(&*file, &path, &format!("{}.header", name.name()), 0..LOG_HEADER_SIZE.min(len))?;
        }
        if let Some(start) = log.cut_at {
            let end = last_nonzero(&*file, &path, start, len)?;
            self.keep(&*file, &path, &format!("{}.{start}.cut", name.name()), start..end)?;
        }
        Ok(())
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn StorageFile>> {
        self.forgiving().open(path, false).map_err(|source| Error::io("open the file", path, source))
    }

    /// Copies a range of a file into `quarantine/`, makes the copy durable and compares it.
    fn keep(&mut self, file: &dyn StorageFile, path: &Path, name: &str, range: std::ops::Range<u64>) -> Result<()> {
        let folder = self.options.directory.join(QUARANTINE_DIR);
        let copy_path = folder.join(free_name(self.storage(), &folder, name)?);
        let copy = place_file(self.storage(), &copy_path, |copy| {
            chunks(&range, |offset, len| {
                let mut bytes = vec![0; len];
                file.read_at(&mut bytes, offset)?;
                copy.write_at(&bytes, offset - range.start)
            })
        })?;
        sync_folder_of(self.storage(), &copy_path)?;
        copy.drop_cache().map_err(|source| Error::io("drop cached pages of the copy", &copy_path, source))?;
        let mut same = true;
        chunks(&range, |offset, len| {
            let (mut original, mut copied) = (vec![0; len], vec![0; len]);
            file.read_at(&mut original, offset)?;
            copy.read_at(&mut copied, offset - range.start)?;
            same &= original == copied;
            Ok(())
        })
        .map_err(|source| Error::io("compare the copy", &copy_path, source))?;
        if !same {
            return Err(
                Error::corrupt("the copy differs from what was copied: nothing was changed").at_path(&copy_path)
            );
        }
        let name = copy_path.file_name().unwrap_or_default().display();
        let bytes = range.end.saturating_sub(range.start);
        self.done.push(format!("kept {bytes} bytes of {} as quarantine/{name}", path.display()));
        Ok(())
    }

    /// Says in `quarantine/` what this repair gave up.
    fn write_record(&mut self, record: &str) -> Result<()> {
        let folder = self.options.directory.join(QUARANTINE_DIR);
        let path = folder.join(free_name(self.storage(), &folder, "repair.txt")?);
        place_file(self.storage(), &path, |file| file.write_at(record.as_bytes(), 0))?;
        sync_folder_of(self.storage(), &path)?;
        self.done.push(format!("wrote quarantine/{}", path.file_name().unwrap_or_default().display()));
        Ok(())
    }

    /// An id that no file has, also none that an earlier attempt left.
    fn take_id(&self, manifest: &mut Manifest, kind: FileKind) -> Result<u64> {
        let folder = self.options.directory.join(kind.folder());
        let taken: HashSet<String> = files_in(self.storage(), &folder)?.into_iter().collect();
        loop {
            let id = manifest.take_file_id();
            if !taken.contains(&FileName::new(kind, id).name()) {
                return Ok(id);
            }
        }
    }

    fn rewrite(&mut self, rewritten: &Rewritten, manifest: &mut Manifest) -> Result<()> {
        let (directory, old) = (&self.options.directory, &rewritten.entry);
        let store = manifest.store;
        let id = self.take_id(manifest, FileKind::Segment)?;
        let path = segment_path(directory, id);
        let damaged = SealedSegment::open(
            &*self.forgiving(),
            &segment_path(directory, old.id),
            store,
            old.id,
            Some(old.footer_crc),
        )?;
        let meta = SegmentMeta { store, segment_id: id, created_at_us: damaged.sealed_at_us() };
        let summary = write_rows(self.storage(), &path, &meta, &Arc::new(damaged), &rewritten.rows)?;
        sync_folder_of(self.storage(), &path)?;
        let written = SealedSegment::open(self.storage(), &path, store, id, Some(summary.footer_crc))?;
        written.verify_all(&mut |_| ())?;
        let span = crate::partition::PartitionSpan::from_number(old.partition_span)
            .ok_or_else(|| Error::corrupt("the manifest names an unknown partition span"))?;
        let mut entry = segment_entry(id, span, old.partition_start_us, &summary);
        entry.applied_control = old.applied_control;
        if let Some(overlay) = &rewritten.overlay {
            let overlay_id = self.take_id(manifest, FileKind::Overlay)?;
            let place = OverlayPlace { store, overlay_id, segment_id: id };
            entry.overlay_crc =
                write_overlay(self.storage(), directory, place, &carry_overlay(overlay, &rewritten.rows))?;
            entry.overlay_id = Some(overlay_id);
        }
        self.done
            .push(format!("wrote segment {id} with {} of the {} rows of segment {}", summary.rows, old.rows, old.id));
        manifest.segments.push(entry);
        Ok(())
    }

    fn note_lost(&mut self, manifest: &mut Manifest) -> Result<()> {
        if self.work.lost.is_empty() {
            return Ok(());
        }
        let mut lost = self.lost.clone();
        self.work.lost.iter().for_each(|range| lost.insert(range.clone()));
        let id = self.take_id(manifest, FileKind::Blob)?;
        let (directory, store) = (&self.options.directory, manifest.store);
        let blob = write_blob(self.storage(), directory, store, id, LOST_BLOB, &lost.encode())?;
        if let Some(old) = manifest.blobs.iter().position(|blob| blob.name == LOST_BLOB) {
            let old = manifest.blobs.remove(old);
            manifest.dropping.push(FileName::new(FileKind::Blob, old.id));
        }
        manifest.blobs.push(blob);
        Ok(())
    }

    fn commit(&mut self, manifest: &Manifest) -> Result<()> {
        debug_assert!(manifest.blobs.iter().filter(|blob| blob.name == IDEMPOTENCY_BLOB).count() <= 1);
        let (storage, directory) = (&self.options.storage, &self.options.directory);
        let mut store = match ManifestStore::load(storage, directory) {
            Ok(Some(found)) if found.fallback().is_none() => found,
            _ => ManifestStore::to_replace(storage, directory, manifest.clone()),
        };
        store.commit(manifest)?;
        self.done.push(format!("committed manifest {}", store.current().version));
        Ok(())
    }

    fn change_log(&mut self, log: LogWork) -> Result<()> {
        let (directory, store) = (self.options.directory.join(FileKind::Log.folder()), self.work.manifest.store);
        let place = (log.id, log.size_bytes);
        let file =
            LogFile::open_headless(&self.options.storage, &directory, store, place, self.options.clock.now_us(), true)?;
        let (path, handle) = (file.path().to_owned(), file.storage_file());
        let io = |source| Error::io("repair the log", &path, source);
        if log.extend {
            handle.preallocate(log.size_bytes).map_err(io)?;
            self.done.push(format!("reserved {} bytes for log {} again", log.size_bytes, log.id));
        }
        if let Some(start) = log.cut_at {
            let len = handle.len().map_err(io)?;
            chunks(&(start..len), |offset, len| handle.write_at(&vec![0; len], offset)).map_err(io)?;
            self.done.push(format!("cut log {} at byte {start}", log.id));
        }
        if log.header {
            handle.write_at(&file.header_bytes(), 0).map_err(io)?;
            self.done.push(format!("wrote the header of log {}", log.id));
        }
        handle.sync_all().map_err(io)
    }
}

/// Calls `step` with offset and length of each piece of a range.
fn chunks(
    range: &std::ops::Range<u64>,
    mut step: impl FnMut(u64, usize) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut offset = range.start;
    while offset < range.end {
        let len = CHUNK_SIZE.min(range.end - offset);
        step(offset, to_usize(len))?;
        offset += len;
    }
    Ok(())
}

/// Behind the last byte of `start..len` that is not zero; `start` if there is none.
fn last_nonzero(file: &dyn StorageFile, path: &Path, start: u64, len: u64) -> Result<u64> {
    let mut end = start;
    chunks(&(start..len), |offset, len| {
        let mut bytes = vec![0; len];
        file.read_at(&mut bytes, offset)?;
        if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
            end = offset + len_u64(last) + 1;
        }
        Ok(())
    })
    .map_err(|source| Error::io("read the log", path, source))?;
    Ok(end)
}

/// `name`, or with a number behind it if that is taken.
fn free_name(storage: &dyn Storage, folder: &Path, name: &str) -> Result<String> {
    let taken: HashSet<String> = files_in(storage, folder)?.into_iter().collect();
    let free = (1..=taken.len() + 1)
        .map(|attempt| if attempt == 1 { name.to_owned() } else { format!("{name}.{attempt}") })
        .find(|name| !taken.contains(name));
    Ok(free.expect("one name more than there are entries"))
}
