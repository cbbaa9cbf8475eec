//! Reading a backup and saying what of it is damaged. Nothing is written.

use std::path::Path;
use std::sync::Arc;

use crate::codec::len_u64;
use crate::error::{Error, Result};
use crate::layout::{FileKind, FileName};
use crate::lost::LostSequences;
use crate::manifest::Manifest;
use crate::storage::Storage;

use super::note::{BackupNote, read_note};
use super::transfer::{self, Progress, check_blob, check_frame, check_overlay, complete, logs, open_log, open_segment};

/// How closely a backup is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckDepth {
    /// Every byte is read, every checksum checked.
    Checksums,
    /// Besides, every event is decoded, and every index compared with what it is of.
    Everything,
}

/// What is known of a backup after it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupCheck {
    /// When the cut was made, UTC microseconds.
    pub cut_at_us: i64,
    /// Events visible as of the cut, as the backup says.
    pub events: u64,
    /// The last sequence before the cut.
    pub last_sequence: u64,
    /// Files read, included stores counted.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// A sentence for each damaged file, naming it.
    pub damages: Vec<String>,
    /// How many of them the backup says were damaged when it was taken.
    pub damages_known: u64,
}

/// Reads a whole backup. `progress` gets bytes done and bytes in all.
///
/// # Errors
/// `NotFound` if there is no backup; `Corrupt` if it was never finished, or what it says about itself is damaged;
/// `UnsupportedFormat`; `Io`. Damage of its other files is in the answer.
pub fn check_backup(
    storage: &Arc<dyn Storage>,
    backup: &Path,
    depth: CheckDepth,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<BackupCheck> {
    let whole = Whole::read(storage, backup)?;
    let mut progress = Progress::new(whole.total_bytes(), progress);
    Ok(whole.check(storage, depth, &mut progress))
}

/// What a backup says about itself, and those that it includes.
pub(super) struct Whole {
    pub(super) directory: std::path::PathBuf,
    pub(super) note: BackupNote,
    pub(super) manifest: Manifest,
    pub(super) included: Vec<(String, Whole)>,
}

impl Whole {
    pub(super) fn read(storage: &Arc<dyn Storage>, directory: &Path) -> Result<Self> {
        Self::read_one(storage, directory, true)
    }

    /// Included ones include no others: a folder cannot lead on without end.
    fn read_one(storage: &Arc<dyn Storage>, directory: &Path, is_outer: bool) -> Result<Self> {
        let (note, manifest) = read_note(&**storage, directory)?;
        if !is_outer && !note.included.is_empty() {
            return Err(Error::corrupt("a backup inside a backup includes another one").at_path(directory));
        }
        let mut included = Vec::with_capacity(note.included.len());
        for name in &note.included {
            included.push((name.clone(), Self::read_one(storage, &directory.join(name), false)?));
        }
        Ok(Self { directory: directory.to_owned(), note, manifest, included })
    }

    pub(super) fn total_bytes(&self) -> u64 {
        let included: u64 = self.included.iter().map(|(_, whole)| whole.total_bytes()).sum();
        transfer::total_bytes(&self.manifest) + included
    }

    pub(super) fn check(
        &self,
        storage: &Arc<dyn Storage>,
        depth: CheckDepth,
        progress: &mut Progress<'_>,
    ) -> BackupCheck {
        let mut found = BackupCheck {
            cut_at_us: self.note.cut_at_us,
            events: self.note.events,
            last_sequence: self.note.last_sequence,
            // BACKUP and MANIFEST were read and checked already.
            files: 2,
            damages_known: self.note.damaged_files,
            ..BackupCheck::default()
        };
        self.check_logs(storage, depth, progress, &mut found);
        self.check_sealed(storage, depth, progress, &mut found);
        for blob in &self.manifest.blobs {
            let checked = check_blob(&**storage, &self.directory, &self.manifest, blob);
            progress.add(u64::from(blob.len));
            let file = FileName::new(FileKind::Blob, blob.id);
            found.note(u64::from(blob.len), checked.map_err(|error| error.at_path(&file.path(&self.directory))));
        }
        for (_, whole) in &self.included {
            let BackupCheck { files, bytes, damages, damages_known, .. } = whole.check(storage, depth, progress);
            found.files += files;
            found.bytes += bytes;
            found.damages.extend(damages);
            found.damages_known += damages_known;
        }
        found
    }

    fn check_logs(
        &self,
        storage: &Arc<dyn Storage>,
        depth: CheckDepth,
        progress: &mut Progress<'_>,
        found: &mut BackupCheck,
    ) {
        // If it cannot be read, the check of the blobs says so.
        let lost = LostSequences::read(&**storage, &self.directory, &self.manifest).unwrap_or_default();
        for (log, end_sequence) in logs(&self.manifest, &lost) {
            let what = complete(log, end_sequence, self.manifest.epoch);
            let mut on_frame = |header: &_, payload: &[u8]| match depth {
                CheckDepth::Checksums => Ok(()),
                CheckDepth::Everything => check_frame(header, payload).map(|_| ()),
            };
            let checked = open_log(storage, &self.directory, &self.manifest, log).and_then(|file| {
                let mut on_bytes = |bytes| {
                    progress.add(bytes);
                    Ok(())
                };
                file.copy_checked(what, None, &mut on_frame, &mut on_bytes)
            });
            found.note(log.size_bytes, checked);
        }
    }

    fn check_sealed(
        &self,
        storage: &Arc<dyn Storage>,
        depth: CheckDepth,
        progress: &mut Progress<'_>,
        found: &mut BackupCheck,
    ) {
        for entry in &self.manifest.segments {
            let opened = open_segment(&**storage, &self.directory, &self.manifest, entry);
            let checked = opened.and_then(|segment| match depth {
                CheckDepth::Checksums => segment.copy_checked(None, &mut |bytes| {
                    progress.add(bytes);
                    Ok(())
                }),
                CheckDepth::Everything => segment.verify_all(&mut |bytes| progress.add(bytes)),
            });
            found.note(entry.size_bytes, checked);
            if let Some(overlay_id) = entry.overlay_id {
                let checked = check_overlay(&**storage, &self.directory, &self.manifest, entry, overlay_id);
                found.note(0, checked);
            }
        }
    }
}

impl BackupCheck {
    fn note(&mut self, bytes: u64, checked: Result<()>) {
        self.files += 1;
        self.bytes += bytes;
        if let Err(damage) = checked {
            self.damages.push(damage.to_string());
        }
    }

    /// The damage as an error, if there is any.
    pub(super) fn into_sound(self, backup: &Path) -> Result<Self> {
        let more = len_u64(self.damages.len()).saturating_sub(1);
        match self.damages.first() {
            None => Ok(self),
            Some(first) if more == 0 => Err(Error::corrupt(format!("the backup is damaged: {first}")).at_path(backup)),
            Some(first) => {
                Err(Error::corrupt(format!("the backup is damaged: {first}; and {more} more files")).at_path(backup))
            }
        }
    }
}
