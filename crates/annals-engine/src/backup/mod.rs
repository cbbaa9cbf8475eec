//! Hot backup: a folder with the files of a store as of one moment, taken while everything else goes on.
//! `docs/operations.md`, "Backup and restore"; `docs/format.md`, "Backup".
//!
//! The writer cuts: between two of its jobs it syncs the log, copies the manifest and pins the files it names, so that
//! none of them is removed before it is in the backup. Sealed segments, overlays and blobs never change, so a second
//! name for them will do; of the logs, the frames up to the cut are copied. Last comes the file that says that the
//! backup is whole.

mod check;
mod note;
mod pins;
mod restore;
mod target;
mod transfer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use check::{BackupCheck, CheckDepth, check_backup};
pub(crate) use note::BackupNote;
pub(crate) use note::refuse_to_open;
pub use restore::{RestoreOptions, RestoreReport, restore};

pub(crate) use pins::{Pinned, Pins};

use crate::catalog::Snapshot;
use crate::error::{Error, Result};
use crate::layout::{BACKUP_FILE, BACKUP_UNFINISHED_FILE, FileKind, ORPHANS_DIR, QUARANTINE_DIR};
use crate::manifest::{DurableFloor, Manifest};
use crate::queue;
use crate::shared::Shared;
use crate::threading::channel::Sender;

use note::write_note;
use target::{Target, check_apart};
use transfer::{Progress, Transfer};

/// How sealed files get into a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackupFiles {
    /// As second names of the same files where the file system has them, else as copies. Quick, takes no room at first,
    /// and protects from deletion only: both names lead to the same blocks of the same device.
    #[default]
    Link,
    /// As copies, every byte of them checked.
    Copy,
}

/// How a backup is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupOptions {
    /// How sealed files get into it.
    pub files: BackupFiles,
    /// Whether damaged segments go into it as they are, and into the report, instead of ending it.
    pub with_damage: bool,
}

/// What a backup holds and what it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// When the cut was made, UTC microseconds.
    pub cut_at_us: i64,
    /// Events visible as of the cut, those of included stores apart.
    pub events: u64,
    /// The last sequence before the cut.
    pub last_sequence: u64,
    /// Files that are second names, included stores counted.
    pub files_linked: u64,
    /// Their bytes.
    pub bytes_linked: u64,
    /// Files that are copies, included stores counted.
    pub files_copied: u64,
    /// Their bytes.
    pub bytes_copied: u64,
    /// A sentence for each file that went into it damaged: see [`BackupOptions::with_damage`].
    pub damages: Vec<String>,
    /// From the cut to the end.
    pub elapsed: Duration,
}

/// The store as of one moment, to be written into a folder. While it lives the files it needs are kept.
pub struct Backup {
    shared: Arc<Shared>,
    manifest: Manifest,
    snapshot: Snapshot,
    pins: Pins,
    cut_at_us: i64,
    started: Duration,
    included: Vec<(String, Backup)>,
}

/// What the writer gives for a backup.
pub(crate) struct Cut {
    pub(crate) manifest: Manifest,
    pub(crate) snapshot: Snapshot,
    pub(crate) pins: Pins,
}

impl Backup {
    /// Cuts. The control lock keeps deletes, marks and the publication of rewritten segments away meanwhile, so that the
    /// manifest, the log and the snapshot tell of the same moment.
    pub(crate) fn cut(shared: &Arc<Shared>, jobs: &Sender<queue::Job>) -> Result<Self> {
        shared.check_writable().map_err(|refusal| {
            let message = format!("a store that takes no writes is not backed up, {}", refusal.message());
            Error::new(refusal.kind(), message).with_source(refusal)
        })?;
        let started = shared.options.clock.monotonic();
        let control = shared.control.lock();
        let Cut { manifest, snapshot, pins } = queue::ask(jobs, queue::Job::Cut)?;
        let cut_at_us = shared.options.clock.now_us();
        drop(control);
        Ok(Self { shared: Arc::clone(shared), manifest, snapshot, pins, cut_at_us, started, included: Vec::new() })
    }

    /// The view that the backup will hold: everything acknowledged before it was begun, and nothing later.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Has another store written into the folder `name` of this backup; this one is whole only if that one is.
    ///
    /// # Errors
    /// `InvalidInput` if the name is not a plain one (letters, digits, `-`, `_`), is one of the engine's own, or is taken.
    pub fn include(&mut self, name: &str, backup: Backup) -> Result<()> {
        let is_own =
            FileKind::ALL.map(FileKind::folder).contains(&name) || [QUARANTINE_DIR, ORPHANS_DIR].contains(&name);
        let is_taken = self.included.iter().any(|(taken, _)| taken == name);
        if !note::is_folder_name(name) || is_own || is_taken {
            return Err(Error::invalid_input(format!("{name:?} is no name for a store inside a backup")));
        }
        self.included.push((name.to_owned(), backup));
        Ok(())
    }

    /// Writes the backup into `destination`, which must be missing or empty and lie outside the store. Durable on
    /// return. `progress` gets bytes done and bytes in all. On failure what was written is removed again, as far as that
    /// can be done; what is left, after a crash too, is never taken for a backup.
    ///
    /// # Errors
    /// `InvalidInput` for the destination; `Corrupt` naming a damaged file; `DiskFull`, `Io`; `Poisoned` if the store is
    /// closed meanwhile. The store goes on as if nothing had happened.
    pub fn write(
        self,
        destination: &Path,
        options: &BackupOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<BackupReport> {
        let storage = Arc::clone(&self.shared.options.storage);
        let destination = std::path::absolute(destination).map_err(|source| Error::io("find", destination, source))?;
        self.check_apart(&destination)?;
        let mut report = BackupReport::default();
        let mut progress = Progress::new(self.total_bytes(), progress);
        let mut target = Target::begin(&*storage, &destination, BACKUP_UNFINISHED_FILE)?;
        if let Err(error) = self.fill(&mut target, *options, &mut progress, &mut report) {
            target.abandon();
            return Err(error);
        }
        report.elapsed = self.shared.options.clock.monotonic().saturating_sub(self.started);
        Ok(report)
    }

    fn check_apart(&self, destination: &Path) -> Result<()> {
        let options = &self.shared.options;
        check_apart(&*options.storage, &options.directory, destination, "the store")?;
        self.included.iter().try_for_each(|(_, backup)| backup.check_apart(destination))
    }

    fn total_bytes(&self) -> u64 {
        let included: u64 = self.included.iter().map(|(_, backup)| backup.total_bytes()).sum();
        transfer::total_bytes(&self.manifest) + included
    }

    /// ORDER: included stores are whole, with their own last file, before this one's last file says so.
    fn fill(
        &self,
        target: &mut Target<'_>,
        options: BackupOptions,
        progress: &mut Progress<'_>,
        report: &mut BackupReport,
    ) -> Result<()> {
        for (name, backup) in &self.included {
            let mut inner = target.begin_inside(name, BACKUP_UNFINISHED_FILE)?;
            let filled = backup.fill(&mut inner, options, progress, report);
            target.absorb(inner);
            filled?;
        }
        let goes_on = || if self.shared.is_closing() { Err(queue::closed()) } else { Ok(()) };
        let mut transfer = Transfer {
            storage: &self.shared.options.storage,
            from: &self.shared.options.directory,
            manifest: &self.manifest,
            files: options.files,
            with_damage: options.with_damage,
            damages: Vec::new(),
            goes_on: &goes_on,
            done: &|file| self.pins.release(file),
        };
        let moved = transfer.run(target, progress)?;
        let manifest_crc =
            self.manifest.place(transfer.storage.as_ref(), &target.path(crate::layout::MANIFEST_FILE))?;
        target.made(crate::layout::MANIFEST_FILE);
        target.sync()?;
        let events = event_count(&self.snapshot);
        let damaged_files = crate::codec::len_u64(transfer.damages.len());
        let note = BackupNote {
            cut_at_us: self.cut_at_us,
            events,
            last_sequence: self.snapshot.visible_sequence(),
            manifest_crc,
            damaged_files,
            included: self.included.iter().map(|(name, _)| name.clone()).collect(),
        };
        write_note(target, &self.manifest, &note)?;
        target.finish(BACKUP_FILE)?;
        report.damages.append(&mut transfer.damages);
        report.files_linked += moved.files_linked;
        report.bytes_linked += moved.bytes_linked;
        report.files_copied += moved.files_copied;
        report.bytes_copied += moved.bytes_copied;
        // The last one to be filled is the outer one.
        (report.cut_at_us, report.events, report.last_sequence) = (self.cut_at_us, events, note.last_sequence);
        Ok(())
    }
}

impl std::fmt::Debug for Backup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backup").field("cut_at_us", &self.cut_at_us).finish_non_exhaustive()
    }
}

impl Cut {
    /// The cut of a manifest that pins hold, at the end of the writer's log.
    pub(crate) fn new(manifest: Manifest, end: DurableFloor, snapshot: Snapshot, pins: Pins) -> Self {
        Self { manifest: as_complete(manifest, end), snapshot, pins }
    }
}

/// The manifest of a store whose log ends at `end`, with nothing under way: every log is complete and just as long as
/// its frames. A store that is opened with it begins a log of its own.
fn as_complete(mut manifest: Manifest, end: DurableFloor) -> Manifest {
    manifest.close_log(end.log_id, end.offset);
    manifest.logs.retain(|log| log.end_offset.is_some_and(|end| end > crate::log::LOG_HEADER_SIZE));
    for log in &mut manifest.logs {
        log.size_bytes = log.end_offset.unwrap_or(log.size_bytes);
    }
    let last = manifest.logs.last();
    manifest.durable_floor =
        last.map(|log| DurableFloor { log_id: log.id, offset: log.size_bytes, sequence: end.sequence });
    manifest.clean_end = None;
    manifest.dropping.clear();
    manifest.announced.clear();
    manifest.next_sequence_floor = manifest.next_sequence_floor.max(end.sequence + 1);
    manifest
}

fn event_count(snapshot: &Snapshot) -> u64 {
    let catalog = &snapshot.catalog;
    let sealed: u64 = catalog.sealed.iter().map(|entry| u64::from(entry.entry.rows)).sum();
    let live: u64 = snapshot.live.iter().map(|(part, _)| u64::from(crate::part::Part::row_count(&**part))).sum();
    let deleted: u64 = catalog.sealed.iter().map(|entry| entry.overlay.tombstones.len()).sum();
    let deleted_live: u64 = catalog.live.iter().map(|entry| entry.overlay.tombstones.len()).sum();
    (sealed + live).saturating_sub(deleted + deleted_live)
}
