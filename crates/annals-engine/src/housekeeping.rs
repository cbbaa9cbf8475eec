//! Files that come and go: removing what was dropped, setting aside what nobody knows.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::layout::{FileKind, FileName, ORPHANS_DIR, QUARANTINE_DIR, TEMPORARY_SUFFIX};
use crate::manifest::Manifest;
use crate::storage::Storage;

/// What [`sweep`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SweepReport {
    /// Files that the manifest does not know: where they were and where they are now.
    pub(crate) orphans: Vec<(PathBuf, PathBuf)>,
    /// Files of the manifest's `dropping` list that were still there.
    pub(crate) removed: u64,
}

/// Makes the folders of a store.
///
/// # Errors
/// What the disk says.
pub(crate) fn create_folders(storage: &dyn Storage, directory: &Path) -> Result<()> {
    let folders = FileKind::ALL.map(FileKind::folder).into_iter().chain([QUARANTINE_DIR, ORPHANS_DIR]);
    for path in std::iter::once(directory.to_owned()).chain(folders.map(|folder| directory.join(folder))) {
        storage.create_dir(&path).map_err(|source| Error::io("make the folder", &path, source))?;
    }
    sync_dir(storage, directory)?;
    match directory.parent() {
        Some(parent) if parent != Path::new("") => sync_dir(storage, parent),
        _ => Ok(()),
    }
}

/// Removes files that a committed manifest lists as dropping; those already gone are fine.
///
/// # Errors
/// What the disk says; calling again goes on where it stopped.
pub(crate) fn remove_dropped(storage: &dyn Storage, directory: &Path, files: &[FileName]) -> Result<u64> {
    let mut removed = 0;
    let mut touched = Vec::new();
    for file in files {
        let path = file.path(directory);
        match storage.remove(&path) {
            Ok(()) => removed += 1,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::io("remove the file", &path, source)),
        }
        if !touched.contains(&file.kind) {
            touched.push(file.kind);
        }
    }
    // Also if none was there: an earlier call may have stopped between unlink and sync.
    for kind in touched {
        sync_dir(storage, &directory.join(kind.folder()))?;
    }
    Ok(removed)
}

/// Removes what a crash or a failure left of files that were announced and never became part of the store.
pub(crate) fn remove_unfinished(storage: &dyn Storage, directory: &Path, files: &[FileName]) -> Result<u64> {
    let mut removed = remove_dropped(storage, directory, files)?;
    for file in files {
        let mut path = file.path(directory).into_os_string();
        path.push(TEMPORARY_SUFFIX);
        match storage.remove(Path::new(&path)) {
            Ok(()) => removed += 1,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::io("remove the file", Path::new(&path), source)),
        }
    }
    Ok(removed)
}

/// Brings the folders in line with a committed manifest: files in `dropping` and `announced` are removed, files it
/// does not know are moved to `orphans/` and reported, leftovers of unfinished writes among them.
/// Nothing else is touched. The caller then commits a manifest with an empty `dropping`.
///
/// Only for a store that is open for writing with its own manifest, never with a stand-in. Idempotent.
///
/// # Errors
/// What the disk says; calling again goes on where it stopped.
pub(crate) fn sweep(storage: &dyn Storage, directory: &Path, manifest: &Manifest) -> Result<SweepReport> {
    let mut removed = remove_dropped(storage, directory, &manifest.dropping)?;
    removed += remove_unfinished(storage, directory, &manifest.announced)?;
    let unknown = unknown_files(storage, directory, &manifest.live_files().collect())?;
    let orphans = set_aside(storage, directory, ORPHANS_DIR, unknown)?;
    Ok(SweepReport { orphans, removed })
}

/// The files in the folders of a store that are none of `known`, and leftovers of unfinished writes.
///
/// # Errors
/// What the disk says.
pub(crate) fn unknown_files(
    storage: &dyn Storage,
    directory: &Path,
    known: &HashSet<FileName>,
) -> Result<Vec<PathBuf>> {
    let mut unknown = Vec::new();
    for kind in FileKind::ALL {
        let folder = directory.join(kind.folder());
        for name in files_in(storage, &folder)? {
            if !FileName::parse(kind, &name).is_some_and(|file| known.contains(&file)) {
                unknown.push(folder.join(name));
            }
        }
    }
    let leftovers = files_in(storage, directory)?.into_iter().filter(|name| name.ends_with(TEMPORARY_SUFFIX));
    unknown.extend(leftovers.map(|name| directory.join(name)));
    unknown.sort();
    Ok(unknown)
}

/// Moves files into a folder of the store under names that are free there; gives where they were and where they are.
///
/// # Errors
/// What the disk says; every file is in one place or the other, whole.
pub(crate) fn set_aside(
    storage: &dyn Storage,
    directory: &Path,
    folder: &str,
    unknown: Vec<PathBuf>,
) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut moved = Vec::with_capacity(unknown.len());
    if unknown.is_empty() {
        return Ok(moved);
    }
    let orphans = directory.join(folder);
    storage.create_dir(&orphans).map_err(|source| Error::io("make the folder", &orphans, source))?;
    let mut taken: HashSet<String> = files_in(storage, &orphans)?.into_iter().collect();
    let mut folders: Vec<PathBuf> = vec![directory.to_owned()];
    for from in unknown {
        let name = from.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // An id may be given again after a crash before its commit: an older orphan keeps its name.
        let free = (1..=taken.len() + 1)
            .map(|attempt| if attempt == 1 { name.clone() } else { format!("{name}.{attempt}") })
            .find(|name| !taken.contains(name))
            .expect("one name more than there are entries");
        let to = orphans.join(&free);
        storage.rename(&from, &to).map_err(|source| Error::io("set the file aside", &from, source))?;
        taken.insert(free);
        folders.extend(from.parent().map(Path::to_owned));
        moved.push((from, to));
    }
    // ORDER: the new names before the absence of the old ones, or a crash could lose a file.
    sync_dir(storage, &orphans)?;
    folders.sort();
    folders.dedup();
    for folder in folders {
        sync_dir(storage, &folder)?;
    }
    Ok(moved)
}

/// The names of the files of a folder; none if it is not there.
pub(crate) fn files_in(storage: &dyn Storage, folder: &Path) -> Result<Vec<String>> {
    match storage.list(folder) {
        Ok(entries) => Ok(entries.into_iter().filter(|entry| !entry.is_dir).map(|entry| entry.name).collect()),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::io("list the folder", folder, source)),
    }
}

fn sync_dir(storage: &dyn Storage, folder: &Path) -> Result<()> {
    storage.sync_dir(folder).map_err(|source| Error::io("sync the folder", folder, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::LogEntry;
    use crate::storage::OsStorage;
    use crate::storage::failing::FailingStorage;
    use std::fs;

    #[test]
    fn a_sweep_removes_dropped_files_and_moves_unknown_ones_only() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("store");
        create_folders(&OsStorage, &root).unwrap();
        let mut manifest = Manifest::new(1);
        manifest.next_file_id = 10;
        manifest.logs.push(LogEntry { id: 1, base_sequence: 1, size_bytes: 8192, end_offset: None });
        manifest.dropping.push(FileName::new(FileKind::Segment, 2));
        let path = |kind, id| FileName::new(kind, id).path(&root);
        for (kind, id) in [(FileKind::Log, 1), (FileKind::Segment, 2), (FileKind::Segment, 3), (FileKind::Blob, 1)] {
            fs::write(path(kind, id), [7]).unwrap();
        }
        fs::write(root.join("log/foreign.txt"), [7]).unwrap();
        fs::write(root.join("MANIFEST.tmp"), [7]).unwrap();
        fs::write(root.join("MANIFEST"), [7]).unwrap();
        fs::create_dir(root.join("internal")).unwrap();

        let report = sweep(&OsStorage, &root, &manifest).unwrap();
        assert_eq!((report.removed, report.orphans.len()), (1, 4));
        assert!(report.orphans.iter().all(|(from, to)| !from.exists() && to.exists()));
        assert!(path(FileKind::Log, 1).exists() && !path(FileKind::Segment, 2).exists());
        assert!(root.join("MANIFEST").exists() && root.join("internal").exists());
        assert_eq!(sweep(&OsStorage, &root, &manifest).unwrap(), SweepReport::default(), "idempotent");
    }

    #[test]
    fn what_is_not_gone_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        create_folders(&OsStorage, root).unwrap();
        let file = FileName::new(FileKind::Segment, 2);
        let mut unfinished = file.path(root).into_os_string();
        unfinished.push(TEMPORARY_SUFFIX);
        // A folder cannot be removed as a file, whoever asks.
        fs::create_dir(file.path(root)).unwrap();
        assert_eq!(remove_dropped(&OsStorage, root, &[file]).unwrap_err().kind(), crate::ErrorKind::Io);
        fs::remove_dir(file.path(root)).unwrap();
        fs::create_dir(&unfinished).unwrap();
        assert_eq!(remove_unfinished(&OsStorage, root, &[file]).unwrap_err().kind(), crate::ErrorKind::Io);
        fs::remove_dir(&unfinished).unwrap();
        assert_eq!(remove_unfinished(&OsStorage, root, &[file]).unwrap(), 0);
        fs::write(&unfinished, [7]).unwrap();
        fs::write(file.path(root), [7]).unwrap();
        assert_eq!(remove_unfinished(&OsStorage, root, &[file]).unwrap(), 2);

        fs::remove_dir_all(root.join(FileKind::Segment.folder())).unwrap();
        fs::write(root.join(FileKind::Segment.folder()), [7]).unwrap();
        assert_eq!(files_in(&OsStorage, &root.join("absent")).unwrap(), Vec::<String>::new());
        assert_eq!(
            files_in(&OsStorage, &root.join(FileKind::Segment.folder())).unwrap_err().kind(),
            crate::ErrorKind::Io
        );
    }

    #[test]
    fn folders_whose_names_may_have_changed_are_synced() {
        let dir = tempfile::tempdir().unwrap();
        create_folders(&OsStorage, dir.path()).unwrap();
        // Of the calls that may fail there is one: the sync of the folder. Also if no file was there any more.
        for present in [true, false] {
            let file = FileName::new(FileKind::Segment, 2);
            if present {
                fs::write(file.path(dir.path()), [7]).unwrap();
            }
            let failed = remove_dropped(&*FailingStorage::at(0), dir.path(), &[file]);
            assert_eq!(failed.unwrap_err().kind(), crate::ErrorKind::DiskFull, "{present}");
        }
        assert_eq!(remove_dropped(&*FailingStorage::at(0), dir.path(), &[]).unwrap(), 0);
        let made = dir.path().join("store");
        for fails_at in [0, 1] {
            assert!(create_folders(&*FailingStorage::at(fails_at), &made).is_err(), "its own names and its name");
        }
        assert!(create_folders(&*FailingStorage::at(2), &made).is_ok());
    }

    #[test]
    fn an_orphan_never_replaces_an_older_one() {
        let dir = tempfile::tempdir().unwrap();
        create_folders(&OsStorage, dir.path()).unwrap();
        for content in [1_u8, 2, 3] {
            fs::write(FileName::new(FileKind::Log, 5).path(dir.path()), [content]).unwrap();
            sweep(&OsStorage, dir.path(), &Manifest::new(1)).unwrap();
        }
        let name = FileName::new(FileKind::Log, 5).name();
        let orphans = dir.path().join(ORPHANS_DIR);
        assert_eq!(fs::read(orphans.join(&name)).unwrap(), [1]);
        assert_eq!(fs::read(orphans.join(format!("{name}.2"))).unwrap(), [2]);
        assert_eq!(fs::read(orphans.join(format!("{name}.3"))).unwrap(), [3]);
    }
}
