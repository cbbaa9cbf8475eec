//! Repair of a closed store: [`plan`] looks and changes nothing, [`RepairPlan::apply`] does what the plan says.
//!
//! Nothing is ever deleted: what leaves the store goes to `quarantine/`, what the store does not know to `orphans/`.
//! What is overwritten is copied there first, and the copy compared. `docs/operations.md`, "Damage".
//!
//! A repair cannot bring back what was not stored twice. Restore a damaged file from a backup instead where there is
//! one.

mod apply;
mod damage;
mod forgiving;
mod inspect;
mod logs;
mod rebuild;
mod salvage;
mod work;

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::housekeeping::{files_in, unknown_files};
use crate::layout::{
    FileKind, FileName, LOCK_FILE, MANIFEST_FILE, MANIFEST_PREVIOUS_FILE, ORPHANS_DIR, QUARANTINE_DIR,
};
use crate::lost::LostSequences;
use crate::manifest::{Manifest, ManifestStore};
use crate::options::Options;
use crate::requests::VerifyReport;
use crate::storage::{LockMode, Storage};

pub use damage::{Damage, DamageKind, Loss, Remedy};

use apply::Apply;
pub(crate) use forgiving::Forgiving;
use inspect::Inspection;
pub(crate) use inspect::is_damage;
use rebuild::Told;
use work::Work;

/// What was found in a closed store, and what [`RepairPlan::apply`] would do about it.
///
/// Holds the store's lock until it is dropped, so that what it found is still so. A folder without a LOCK file is locked
/// only when it is repaired, if nobody wrote to it meanwhile.
pub struct RepairPlan {
    options: Options,
    report: VerifyReport,
    work: Work,
    lost: LostSequences,
    /// The manifest on the disk, if one can be read.
    found: Option<FoundManifest>,
    is_store: bool,
    lock: Option<Box<dyn Send + Sync>>,
}

/// Which manifest lies in a folder. Every process that opens a store commits another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FoundManifest {
    version: u64,
    is_fallback: bool,
}

/// Reads every file of the store in `options.directory` and finds out what is damaged and what could be done.
/// Changes nothing. `progress` gets bytes done and bytes in all.
///
/// A backup, or what a restore left unfinished, is looked at too, and never repaired: see [`RepairPlan::is_store`].
///
/// A sealed segment is held in memory while it is read: bytes that the device cannot read are then an error and no
/// signal.
///
/// # Errors
/// `NotFound` if there is no store; `Locked` if a process has it open; `UnsupportedFormat` if a newer version wrote it;
/// `Corrupt` if files of different stores lie in it; `Io`. Damage is in the plan and no error.
pub fn plan(options: Options, progress: &mut dyn FnMut(u64, u64)) -> Result<RepairPlan> {
    let lock = if has_lock_file(&options)? { Some(take_lock(&options)?) } else { None };
    let refusal = crate::backup::refuse_to_open(&*options.storage, &options.directory).err();
    let storage: Arc<dyn Storage> = Arc::new(Forgiving(Arc::clone(&options.storage)));
    let mut damages = Vec::new();
    let mut notes = Vec::from_iter(refusal.as_ref().map(|refusal| refusal.message().to_owned()));
    let found = found_manifest(&storage, &options)?;
    let (manifest, replaces_manifest) = find_manifest(&storage, &options, &mut damages, &mut notes)?;
    let mut inspection = Inspection {
        options: &options,
        storage: Arc::clone(&storage),
        work: Work::new(manifest.clone(), replaces_manifest),
        manifest,
        lost: LostSequences::default(),
        damages,
        notes,
        files: 0,
        bytes: 0,
        events: 0,
        bytes_in_all: 0,
    };
    inspection.run(progress)?;
    let Inspection { manifest, mut work, lost, mut damages, mut notes, files, bytes, events, .. } = inspection;
    work.orphans = orphans(&*options.storage, &options, &manifest)?;
    let manifests = add_notes(&options, &work, &mut notes)?;
    if refusal.is_some() {
        for damage in &mut damages {
            damage.remedy = None;
        }
    }
    let sentences = damages.iter().map(Damage::to_string).collect();
    let report = VerifyReport { files: files + manifests, bytes, events, damages: sentences, details: damages, notes };
    Ok(RepairPlan { options, report, work, lost, found, is_store: refusal.is_none(), lock })
}

impl RepairPlan {
    /// What was read and what is damaged.
    pub fn report(&self) -> &VerifyReport {
        &self.report
    }

    /// Whether [`RepairPlan::apply`] would change nothing.
    pub fn is_empty(&self) -> bool {
        self.work.is_empty()
    }

    /// Whether this is a store, and no backup and no restore that was not finished: those are not repaired. A repair
    /// would make a backup one that no longer restores.
    pub fn is_store(&self) -> bool {
        self.is_store
    }

    /// What [`RepairPlan::apply`] would do, a sentence each, in its order. Nothing if it would refuse.
    pub fn steps(&self) -> Vec<String> {
        let mut steps = Vec::new();
        if !self.is_store {
            return steps;
        }
        let within =
            |path: &std::path::Path| path.strip_prefix(&self.options.directory).unwrap_or(path).display().to_string();
        steps.extend(self.work.orphans.iter().map(|path| format!("move {} to orphans/", within(path))));
        if self.work.replaces_manifest {
            steps.push("keep copies of MANIFEST and MANIFEST.prev in quarantine/".to_owned());
        }
        for log in &self.work.logs {
            if let Some(at) = log.cut_at {
                steps.push(format!("keep log {} from byte {at} on in quarantine/, then cut it there", log.id));
            }
            if log.header {
                steps.push(format!("keep the header of log {} in quarantine/, then write it anew", log.id));
            }
            if log.extend {
                steps.push(format!("reserve {} bytes for log {} again", log.size_bytes, log.id));
            }
        }
        for rewritten in &self.work.rewritten {
            let (rows, id) = (rewritten.entry.rows, rewritten.entry.id);
            steps.push(format!("write a new segment with {} of the {rows} rows of segment {id}", rewritten.rows.len()));
        }
        if self.work.commits {
            steps.push("commit a new manifest".to_owned());
        }
        let out = self.work.taken_out.iter();
        steps.extend(
            out.map(|file| format!("move {}/{} to quarantine/, if it is there", file.kind.folder(), file.name())),
        );
        steps
    }

    /// Does what [`RepairPlan::steps`] says and gives what was done, a sentence each. `progress` gets steps done and
    /// steps in all. Durable on return.
    ///
    /// # Errors
    /// `InvalidInput` for a backup, and if the store was written to since it was looked at; `Corrupt` for a restore that
    /// was not finished; `Locked`; all before anything is changed. `DiskFull`, `Io`, `Corrupt` if a copy differs from its
    /// original. Whatever happens, planning and applying again goes on from there.
    pub fn apply(mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<Vec<String>> {
        crate::backup::refuse_to_open(&*self.options.storage, &self.options.directory)?;
        if self.is_empty() {
            return Ok(Vec::new());
        }
        if self.lock.is_none() {
            self.lock = Some(take_lock(&self.options)?);
        }
        let storage: Arc<dyn Storage> = Arc::new(Forgiving(Arc::clone(&self.options.storage)));
        if found_manifest(&storage, &self.options)? != self.found {
            let message = "the store was written to since it was looked at, and nothing was changed: look again";
            return Err(Error::invalid_input(message).at_path(&self.options.directory));
        }
        let mut apply = Apply { options: &self.options, work: &self.work, lost: &self.lost, done: Vec::new() };
        apply.run(&self.record(), progress)?;
        Ok(apply.done)
    }

    /// What is kept in `quarantine/` beside the bytes.
    fn record(&self) -> String {
        let mut record =
            format!("Repair at {} (microseconds since 1970-01-01 UTC)\n\nDamage:\n", self.options.clock.now_us());
        for damage in &self.report.details {
            _ = writeln!(record, "- {damage}");
        }
        record.push_str("\nDone about it:\n");
        for step in self.steps() {
            _ = writeln!(record, "- {step}");
        }
        record
    }
}

/// Whoever opens a store makes it first: without it nobody has the store open, and looking makes no file.
fn has_lock_file(options: &Options) -> Result<bool> {
    let directory = &options.directory;
    let names = options.storage.list(directory).map_err(|source| Error::io("list the folder", directory, source))?;
    Ok(names.iter().any(|entry| entry.name == LOCK_FILE))
}

fn take_lock(options: &Options) -> Result<Box<dyn Send + Sync>> {
    let directory = &options.directory;
    let path = directory.join(LOCK_FILE);
    options.storage.lock(&path, LockMode::Exclusive).map_err(|source| match source.kind() {
        std::io::ErrorKind::WouldBlock => {
            let message = "another process has this store open: stop it first";
            Error::new(ErrorKind::Locked, message).at_path(directory).with_source(source)
        }
        _ => Error::io("lock the store", &path, source),
    })
}

fn found_manifest(storage: &Arc<dyn Storage>, options: &Options) -> Result<Option<FoundManifest>> {
    match ManifestStore::load(storage, &options.directory) {
        Ok(found) => Ok(found
            .map(|found| FoundManifest { version: found.current().version, is_fallback: found.fallback().is_some() })),
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
        Err(error) => Err(error),
    }
}

/// The manifest that repair goes by, and whether it stands in for one that cannot be read.
fn find_manifest(
    storage: &Arc<dyn Storage>,
    options: &Options,
    damages: &mut Vec<Damage>,
    notes: &mut Vec<String>,
) -> Result<(Manifest, bool)> {
    let directory = &options.directory;
    let of_manifest = |file: &str, reason: String, loss, remedy| Damage {
        file: file.to_owned(),
        offset: None,
        kind: DamageKind::Manifest,
        reason,
        loss,
        remedy: Some(remedy),
    };
    match ManifestStore::load(storage, directory) {
        Ok(Some(found)) => match found.fallback() {
            None => Ok((found.current().clone(), false)),
            Some(reason) => {
                let made = rebuild::rebuild(storage, options, Some(found.current()), &mut Told { notes, damages })?;
                let loss = Loss::only("what the last commit of the manifest said besides the files that are there");
                damages.push(of_manifest(MANIFEST_FILE, reason.to_owned(), loss, Remedy::Rebuild));
                Ok((made, true))
            }
        },
        Ok(None) => Err(Error::new(ErrorKind::NotFound, "there is no store in this folder").at_path(directory)),
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            let made = rebuild::rebuild(storage, options, None, &mut Told { notes, damages })?;
            let loss = Loss::only("named values (users, keys and settings of a server), idempotency keys");
            damages.push(of_manifest(MANIFEST_FILE, error.message().to_owned(), loss, Remedy::Rebuild));
            Ok((made, true))
        }
        Err(error) => Err(error),
    }
}

/// Files that no manifest knows, those apart that the next open removes because the manifest says so.
fn orphans(storage: &dyn Storage, options: &Options, manifest: &Manifest) -> Result<Vec<std::path::PathBuf>> {
    let announced = manifest.dropping.iter().chain(&manifest.announced).copied();
    let known: HashSet<FileName> = manifest.live_files().chain(announced).collect();
    let mut unknown = unknown_files(storage, &options.directory, &known)?;
    let unfinished: HashSet<String> = manifest
        .announced
        .iter()
        .map(|file| format!("{}{}", file.path(&options.directory).display(), crate::layout::TEMPORARY_SUFFIX))
        .collect();
    unknown.retain(|path| !unfinished.contains(&path.display().to_string()));
    Ok(unknown)
}

/// Adds what is no damage and what a person may want to know; gives how many manifests there are.
fn add_notes(options: &Options, work: &Work, notes: &mut Vec<String>) -> Result<u64> {
    let directory = &options.directory;
    for path in &work.orphans {
        let name = path.strip_prefix(directory).unwrap_or(path).display();
        notes.push(format!("{name} is unknown to the manifest; the next open moves it to orphans/"));
    }
    for folder in [QUARANTINE_DIR, ORPHANS_DIR] {
        let files = files_in(&*options.storage, &directory.join(folder))?.len();
        if files > 0 {
            notes.push(format!("{folder}/ holds {files} files, which nothing reads any more"));
        }
    }
    let mut manifests = 0;
    for name in [MANIFEST_FILE, MANIFEST_PREVIOUS_FILE] {
        match ManifestStore::check(&*options.storage, directory, name) {
            Ok(is_there) => manifests += u64::from(is_there),
            Err(error) if name == MANIFEST_PREVIOUS_FILE && !work.replaces_manifest => {
                notes.push(format!("{name} cannot be read ({}); the next open replaces it", error.message()));
            }
            Err(_) => {}
        }
    }
    for kind in FileKind::ALL {
        let folder = directory.join(kind.folder());
        if matches!(options.storage.list(&folder), Err(error) if error.kind() == std::io::ErrorKind::NotFound) {
            notes.push(format!("the folder {} is missing; the next open makes it", kind.folder()));
        }
    }
    Ok(manifests)
}
