//! A folder that is filled, and is nothing until its last file has its name.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::storage::Storage;

/// A folder being filled by a backup or a restore.
///
/// Its first file is the marker, made so that only one can begin; it gets its last name when everything else is durable.
pub(super) struct Target<'a> {
    storage: &'a dyn Storage,
    directory: PathBuf,
    marker: &'static str,
    /// In the order they were made.
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl<'a> Target<'a> {
    /// Takes a missing or empty folder.
    ///
    /// # Errors
    /// `InvalidInput` if there is something in it, or somebody else fills it; `DiskFull`, `Io`.
    pub(super) fn begin(storage: &'a dyn Storage, directory: &Path, marker: &'static str) -> Result<Self> {
        let mut target =
            Self { storage, directory: directory.to_owned(), marker, folders: Vec::new(), files: Vec::new() };
        let made = target.take();
        if let Err(error) = made {
            target.abandon();
            return Err(error);
        }
        Ok(target)
    }

    /// A folder inside, with a marker of its own.
    pub(super) fn begin_inside(&self, name: &str, marker: &'static str) -> Result<Self> {
        Self::begin(self.storage, &self.directory.join(name), marker)
    }

    /// Answers for what another one made, too.
    pub(super) fn absorb(&mut self, inner: Target<'a>) {
        self.folders.extend(inner.folders);
        self.files.extend(inner.files);
    }

    fn take(&mut self) -> Result<()> {
        let io = |source| Error::io("make the folder", &self.directory, source);
        let mut missing: Vec<PathBuf> = Vec::new();
        for folder in self.directory.ancestors() {
            match self.storage.list(folder) {
                Err(source) if source.kind() == std::io::ErrorKind::NotFound => missing.push(folder.to_owned()),
                Err(source) => return Err(Error::io("list the folder", folder, source)),
                Ok(entries) if missing.is_empty() && !entries.is_empty() => return Err(self.taken()),
                Ok(_) => break,
            }
        }
        self.storage.create_dir(&self.directory).map_err(io)?;
        self.folders.extend(missing.iter().rev().cloned());
        for folder in missing.iter().rev() {
            self.sync_folder(folder.parent().unwrap_or(folder))?;
        }
        let marker = self.directory.join(self.marker);
        match self.storage.create(&marker) {
            Ok(_) => self.files.push(marker),
            Err(source) if source.kind() == std::io::ErrorKind::AlreadyExists => return Err(self.taken()),
            Err(source) => return Err(Error::io("make the file", &marker, source)),
        }
        self.sync()
    }

    fn taken(&self) -> Error {
        let message = "the destination is not empty: name a folder that is empty or not there yet";
        Error::invalid_input(message).at_path(&self.directory)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Makes a folder inside.
    pub(super) fn folder(&mut self, name: &str) -> Result<()> {
        let path = self.path(name);
        self.storage.create_dir(&path).map_err(|source| Error::io("make the folder", &path, source))?;
        self.folders.push(path);
        Ok(())
    }

    /// A file with this name was made, or is about to be.
    pub(super) fn made(&mut self, name: &str) {
        let path = self.path(name);
        self.files.push(path);
    }

    /// Makes the names in the folder durable.
    pub(super) fn sync(&self) -> Result<()> {
        self.sync_folder(&self.directory)
    }

    /// Makes the names in a folder inside durable.
    pub(super) fn sync_inside(&self, name: &str) -> Result<()> {
        self.sync_folder(&self.path(name))
    }

    fn sync_folder(&self, folder: &Path) -> Result<()> {
        self.storage.sync_dir(folder).map_err(|source| Error::io("sync the folder", folder, source))
    }

    /// Writes the marker's bytes, durably.
    pub(super) fn fill_marker(&self, bytes: &[u8]) -> Result<()> {
        let marker = self.path(self.marker);
        let fill = || {
            let file = self.storage.open(&marker, true)?;
            file.write_at(bytes, 0)?;
            file.sync_all()
        };
        fill().map_err(|source| Error::io("write the file", &marker, source))
    }

    /// Gives the marker its last name: from now on the folder is what it was to be.
    ///
    /// ORDER: everything else is durable before, contents and names.
    pub(super) fn finish(&mut self, name: &str) -> Result<()> {
        let (marker, last) = (self.path(self.marker), self.path(name));
        // Removed with the rest if the sync fails: whether it is durable is then not known.
        self.files.push(last.clone());
        self.storage.rename(&marker, &last).map_err(|source| Error::io("rename the file", &marker, source))?;
        self.sync()
    }

    /// Removes what was made, as far as that can be done: the marker last, so that what is left is known for what it is.
    pub(super) fn abandon(&self) {
        let (marker, others): (Vec<&PathBuf>, Vec<&PathBuf>) =
            self.files.iter().partition(|path| path.file_name().is_some_and(|name| name == self.marker));
        let last_names = others.iter().rev();
        for path in last_names.copied().chain(marker) {
            _ = self.storage.remove(path);
        }
        for path in self.folders.iter().rev() {
            _ = self.storage.remove_dir(path);
        }
    }
}

/// Refuses a destination inside the folder it is filled from, and the other way round.
pub(super) fn check_apart(storage: &dyn Storage, from: &Path, destination: &Path, what: &str) -> Result<()> {
    let canonical = |path: &Path| storage.canonical(path).map_err(|source| Error::io("find", path, source));
    let (from, to) = (canonical(from)?, canonical(destination)?);
    if to.starts_with(&from) || from.starts_with(&to) {
        let message = format!("the destination and {what} lie in each other: name a folder elsewhere");
        return Err(Error::invalid_input(message).at_path(destination));
    }
    Ok(())
}
