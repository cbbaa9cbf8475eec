//! Loading and committing the manifest: at every moment one valid version lies on the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{MANIFEST_SIZE_MAX, Manifest};
use crate::envelope::{place_file, read_whole};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::{FileKind, MANIFEST_FILE, MANIFEST_PREVIOUS_FILE};
use crate::storage::Storage;

/// The manifest of an open store.
pub(crate) struct ManifestStore {
    storage: Arc<dyn Storage>,
    directory: PathBuf,
    current: Manifest,
    /// The bytes of `current` on disk; empty before the first commit.
    current_bytes: Vec<u8>,
    /// Why MANIFEST could not be used, if `current` is MANIFEST.prev.
    fallback: Option<String>,
    /// After a commit of unknown outcome nobody may build on either version.
    outcome_unknown: bool,
}

impl ManifestStore {
    /// Loads the manifest of the store in `directory`; `None` if there is no store yet.
    ///
    /// If MANIFEST cannot be read, MANIFEST.prev stands in: see [`ManifestStore::fallback`].
    ///
    /// # Errors
    /// `Corrupt` if neither can be read, or both are missing beside files of a store;
    /// `UnsupportedFormat` if a newer version wrote it.
    pub(crate) fn load(storage: &Arc<dyn Storage>, directory: &Path) -> Result<Option<Self>> {
        let first = match read(&**storage, directory, MANIFEST_FILE) {
            Ok((current, current_bytes)) => match read(&**storage, directory, MANIFEST_PREVIOUS_FILE) {
                // An older copy that was put back would take what came since for files that nobody knows.
                Ok((previous, _)) if previous.store == current.store && previous.version > current.version => {
                    let (version, newer) = (current.version, previous.version);
                    let message = format!("version {version} of the manifest is older than its predecessor, {newer}");
                    Error::corrupt(message).at_path(&directory.join(MANIFEST_FILE))
                }
                _ => return Ok(Some(Self::with(storage, directory, current, current_bytes))),
            },
            Err(error) if error.kind() == ErrorKind::UnsupportedFormat => return Err(error),
            Err(error) => error,
        };
        let second = match read(&**storage, directory, MANIFEST_PREVIOUS_FILE) {
            Ok((current, current_bytes)) => {
                let mut store = Self::with(storage, directory, current, current_bytes);
                store.fallback = Some(first.to_string());
                return Ok(Some(store));
            }
            Err(error) if error.kind() == ErrorKind::UnsupportedFormat => return Err(error),
            Err(error) => error,
        };
        let missing = |error: &Error| error.kind() == ErrorKind::NotFound;
        if !(missing(&first) && missing(&second)) {
            let message = format!("neither manifest can be read: {first}; {second}");
            return Err(Error::corrupt(message).at_path(directory).with_source(first));
        }
        if has_files(&**storage, directory)? {
            let message = "the manifest and its predecessor are missing, and there are files of a store";
            return Err(Error::corrupt(message).at_path(directory));
        }
        Ok(None)
    }

    /// A store in an empty directory; nothing is written before the first commit.
    pub(crate) fn new(storage: &Arc<dyn Storage>, directory: &Path, store: u128) -> Self {
        Self::with(storage, directory, Manifest::new(store), Vec::new())
    }

    /// Reads the manifest of that name; says whether it is there.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(storage: &dyn Storage, directory: &Path, name: &str) -> Result<bool> {
        match read(storage, directory, name) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            read => read.map(|_| true),
        }
    }

    /// For a repair: what is committed next replaces a MANIFEST that nobody relies on; MANIFEST.prev stays as it is.
    pub(crate) fn to_replace(storage: &Arc<dyn Storage>, directory: &Path, current: Manifest) -> Self {
        Self::with(storage, directory, current, Vec::new())
    }

    fn with(storage: &Arc<dyn Storage>, directory: &Path, current: Manifest, current_bytes: Vec<u8>) -> Self {
        Self {
            storage: Arc::clone(storage),
            directory: directory.to_owned(),
            current,
            current_bytes,
            fallback: None,
            outcome_unknown: false,
        }
    }

    /// The manifest as committed last.
    pub(crate) fn current(&self) -> &Manifest {
        &self.current
    }

    /// Why MANIFEST could not be used and its predecessor stands in: the store is then read-only, and
    /// files that the last commit named may be missing from it.
    pub(crate) fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    /// Whether a commit failed in a way that leaves open which version lies on the disk.
    pub(crate) fn is_outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }

    /// Replaces the manifest, durably. Its version is the current one + 1, whatever `next` says.
    ///
    /// # Errors
    /// `InvalidInput` if `next` contradicts itself or belongs to another store, `DiskFull` or `Io` before
    /// anything changed: the old one still holds and a later commit may succeed. `Poisoned` or `Io`
    /// while the change was made durable: every later commit is `Poisoned`.
    pub(crate) fn commit(&mut self, next: &Manifest) -> Result<()> {
        if self.fallback.is_some() || self.outcome_unknown {
            let message = "the manifest cannot be changed before the store is opened again";
            return Err(Error::new(ErrorKind::Poisoned, message).at_path(&self.path(MANIFEST_FILE)));
        }
        if next.store != self.current.store {
            return Err(Error::invalid_input("the manifest to commit belongs to another store"));
        }
        let mut next = next.clone();
        next.version = self.current.version + 1;
        let bytes = next.to_bytes()?;
        let storage = &*self.storage;
        if !self.current_bytes.is_empty() {
            // A copy, not a rename: MANIFEST itself is never absent, and each rename replaces a valid
            // file by a valid one, so they may become durable in any order.
            let copy = &self.current_bytes;
            place_file(storage, &self.path(MANIFEST_PREVIOUS_FILE), |file| file.write_at(copy, 0))?;
        }
        let path = self.path(MANIFEST_FILE);
        if let Err(error) = place_file(storage, &path, |file| file.write_at(&bytes, 0)) {
            // The rename is the last step of the attempt: whether it took place is not known.
            self.outcome_unknown = !self.is_still_current();
            return Err(error);
        }
        if let Err(source) = storage.sync_dir(&self.directory) {
            self.outcome_unknown = true;
            return Err(Error::io("sync the folder", &self.directory, source));
        }
        self.current = next;
        self.current_bytes = bytes;
        Ok(())
    }

    /// Whether MANIFEST on disk still holds what was committed last.
    fn is_still_current(&self) -> bool {
        match read_whole(&*self.storage, &self.path(MANIFEST_FILE), MANIFEST_SIZE_MAX) {
            Ok(bytes) => bytes == self.current_bytes,
            Err(error) => error.kind() == ErrorKind::NotFound && self.current_bytes.is_empty(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl std::fmt::Debug for ManifestStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManifestStore")
            .field("directory", &self.directory)
            .field("version", &self.current.version)
            .field("fallback", &self.fallback)
            .field("outcome_unknown", &self.outcome_unknown)
            .finish_non_exhaustive()
    }
}

fn read(storage: &dyn Storage, directory: &Path, name: &str) -> Result<(Manifest, Vec<u8>)> {
    let path = directory.join(name);
    let bytes = read_whole(storage, &path, MANIFEST_SIZE_MAX)?;
    let manifest = Manifest::decode(&bytes).map_err(|error| error.at_path(&path))?;
    Ok((manifest, bytes))
}

/// Whether any folder that the manifest speaks for holds a file.
fn has_files(storage: &dyn Storage, directory: &Path) -> Result<bool> {
    for kind in FileKind::ALL {
        let folder = directory.join(kind.folder());
        match storage.list(&folder) {
            Ok(entries) if entries.iter().any(|entry| !entry.is_dir) => return Ok(true),
            Ok(_) => {}
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::io("list the folder", &folder, source)),
        }
    }
    Ok(false)
}
