//! From a backup to a store again.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::layout::{MANIFEST_FILE, RESTORE_UNFINISHED_FILE};
use crate::manifest::Manifest;
use crate::storage::Storage;

use super::check::{CheckDepth, Whole};
use super::target::{Target, check_apart};
use super::transfer::{Moved, Progress, Transfer};
use super::{BackupFiles, BackupReport};

/// File ids of the restored store start so much later at least: more than any store gives in its life.
const ID_STEP_MIN: u64 = 1 << 32;
/// And at most so much later than that: a store can be restored again and again.
const ID_STEP_SPREAD: u64 = 1 << 40;

/// How a backup is restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestoreOptions {
    /// Whether a backup with damaged segments is restored all the same; queries that touch them then fail with the damage.
    pub with_damage: bool,
}

/// What was restored. As of a backup; nothing is linked.
pub type RestoreReport = BackupReport;

/// Checks a whole backup, then copies it into `destination`, which must be missing or empty, where the store then opens.
/// Durable on return. `progress` gets bytes done and bytes in all: everything is read twice.
///
/// The store keeps its UUID and its sequences go on behind the cut, as those of the original do. Its files get ids that the
/// original never gives, so that no file of the one is taken for one of the other.
///
/// # Errors
/// `NotFound` if there is no backup; `Corrupt` if it was never finished or a file is damaged, naming it; `InvalidInput`
/// for the destination; `DiskFull`, `Io`. What is left of a failed restore is refused by [`crate::Engine::open`].
pub fn restore(
    storage: &Arc<dyn Storage>,
    backup: &Path,
    destination: &Path,
    options: &RestoreOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<RestoreReport> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(|source| Error::io("find", path, source));
    let (backup, destination) = (absolute(backup)?, absolute(destination)?);
    let whole = Whole::read(storage, &backup)?;
    check_apart(&**storage, &backup, &destination, "the backup")?;
    let mut progress = Progress::new(2 * whole.total_bytes(), progress);
    let mut checked = whole.check(storage, CheckDepth::Checksums, &mut progress);
    let damages = std::mem::take(&mut checked.damages);
    if !options.with_damage {
        checked.damages = damages;
        checked.clone().into_sound(&backup)?;
    }
    let mut target = Target::begin(&**storage, &destination, RESTORE_UNFINISHED_FILE)?;
    let mut report = RestoreReport::default();
    if let Err(error) = whole.fill(storage, &mut target, *options, &mut progress, &mut report) {
        target.abandon();
        return Err(error);
    }
    Ok(report)
}

impl Whole {
    /// ORDER: the stores inside are whole before this one opens.
    fn fill(
        &self,
        storage: &Arc<dyn Storage>,
        target: &mut Target<'_>,
        options: RestoreOptions,
        progress: &mut Progress<'_>,
        report: &mut RestoreReport,
    ) -> Result<()> {
        for (name, whole) in &self.included {
            let mut inner = target.begin_inside(name, RESTORE_UNFINISHED_FILE)?;
            let filled = whole.fill(storage, &mut inner, options, progress, report);
            target.absorb(inner);
            filled?;
        }
        let mut transfer = Transfer {
            storage,
            from: &self.directory,
            manifest: &self.manifest,
            files: BackupFiles::Copy,
            with_damage: options.with_damage,
            damages: Vec::new(),
            goes_on: &|| Ok(()),
            done: &|_| (),
        };
        let Moved { files_copied, bytes_copied, .. } = transfer.run(target, progress)?;
        target.fill_marker(&restored(&**storage, &self.manifest)?.to_bytes()?)?;
        target.finish(MANIFEST_FILE)?;
        report.damages.append(&mut transfer.damages);
        report.files_copied += files_copied;
        report.bytes_copied += bytes_copied;
        let note = &self.note;
        (report.cut_at_us, report.events, report.last_sequence) = (note.cut_at_us, note.events, note.last_sequence);
        Ok(())
    }
}

/// The manifest of the store that goes on from here beside the original: its logs are complete, so that it begins one of
/// its own, and its ids are its own.
fn restored(storage: &dyn Storage, backup: &Manifest) -> Result<Manifest> {
    let mut bytes = [0; 8];
    storage
        .random_bytes(&mut bytes)
        .map_err(|source| Error::new(ErrorKind::Io, format!("the operating system gives no random bytes: {source}")))?;
    let step = ID_STEP_MIN + u64::from_le_bytes(bytes) % ID_STEP_SPREAD;
    let mut manifest = backup.clone();
    manifest.version += 1;
    manifest.next_file_id = manifest
        .next_file_id
        .checked_add(step)
        .ok_or_else(|| Error::corrupt("the backup's file ids leave no room for those of a restored store"))?;
    Ok(manifest)
}
