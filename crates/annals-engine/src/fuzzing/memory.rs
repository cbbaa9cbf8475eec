//! A disk in memory: nothing survives, nothing fails, and a whole store takes milliseconds.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::codec::{len_u64, to_usize};
use crate::storage::{DirEntry, GrowingMap, LockMode, SealedMap, Storage, StorageFile};

/// No file grows beyond this: a length taken from damaged bytes must not fill the machine.
const FILE_SIZE_MAX: u64 = 64 << 20;

/// Files by path. Folders need not be made.
#[derive(Debug, Default)]
pub(super) struct MemoryStorage {
    files: Mutex<BTreeMap<PathBuf, MemoryFile>>,
}

#[derive(Clone, Debug, Default)]
struct MemoryFile(Arc<RwLock<Vec<u8>>>);

/// A copy: sealed files never change.
struct Sealed(Vec<u8>);

impl MemoryStorage {
    /// The files with these contents.
    pub(super) fn with(files: impl IntoIterator<Item = (PathBuf, Vec<u8>)>) -> Self {
        let file = |bytes| MemoryFile(Arc::new(RwLock::new(bytes)));
        Self { files: Mutex::new(files.into_iter().map(|(path, bytes)| (path, file(bytes))).collect()) }
    }

    /// What all files hold.
    pub(super) fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.files.lock().iter().map(|(path, file)| (path.clone(), file.0.read().clone())).collect()
    }
}

impl Storage for MemoryStorage {
    fn create_dir(&self, _path: &Path) -> Result<()> {
        Ok(())
    }

    fn list(&self, path: &Path) -> Result<Vec<DirEntry>> {
        let files = self.files.lock();
        let inside = files.iter().filter(|(file, _)| file.parent() == Some(path));
        Ok(inside
            .map(|(file, held)| DirEntry {
                name: file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
                len: len_u64(held.0.read().len()),
                is_dir: false,
            })
            .collect())
    }

    fn create(&self, path: &Path) -> Result<Arc<dyn StorageFile>> {
        let mut files = self.files.lock();
        if files.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let file = MemoryFile::default();
        files.insert(path.to_owned(), file.clone());
        Ok(Arc::new(file))
    }

    fn open(&self, path: &Path, _writable: bool) -> Result<Arc<dyn StorageFile>> {
        match self.files.lock().get(path) {
            Some(file) => Ok(Arc::new(file.clone())),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut files = self.files.lock();
        let file = files.remove(from).ok_or(ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.files.lock().remove(path).map(|_| ()).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        let mut files = self.files.lock();
        let file = files.get(from).cloned().ok_or(ErrorKind::NotFound)?;
        if files.contains_key(to) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn sync_dir(&self, _path: &Path) -> Result<()> {
        Ok(())
    }

    fn lock(&self, _path: &Path, _mode: LockMode) -> Result<Box<dyn Send + Sync>> {
        Ok(Box::new(()))
    }

    fn free_space(&self, _path: &Path) -> Result<u64> {
        Ok(1 << 40)
    }
}

impl MemoryFile {
    fn grow(&self, len: u64) -> Result<()> {
        if len > FILE_SIZE_MAX {
            return Err(ErrorKind::StorageFull.into());
        }
        let mut bytes = self.0.write();
        let len = to_usize(len).max(bytes.len());
        bytes.resize(len, 0);
        Ok(())
    }
}

/// `offset..offset + len`, if it does not overflow.
fn range(offset: u64, len: usize) -> Option<std::ops::Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    Some(start..start.checked_add(len)?)
}

impl StorageFile for MemoryFile {
    fn len(&self) -> Result<u64> {
        Ok(len_u64(self.0.read().len()))
    }

    fn preallocate(&self, len: u64) -> Result<()> {
        self.grow(len)
    }

    fn release(&self, _from: u64) -> Result<()> {
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.grow(offset.saturating_add(len_u64(bytes.len())))?;
        let mut held = self.0.write();
        let slot = range(offset, bytes.len()).and_then(|range| held.get_mut(range));
        slot.map(|slot| slot.copy_from_slice(bytes)).ok_or_else(|| ErrorKind::StorageFull.into())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let held = self.0.read();
        let found = range(offset, bytes.len()).and_then(|range| held.get(range));
        found.map(|found| bytes.copy_from_slice(found)).ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))
    }

    fn sync_data(&self) -> Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> Result<()> {
        Ok(())
    }

    fn drop_cache(&self) -> Result<()> {
        Ok(())
    }

    fn map_growing(&self) -> Result<Arc<dyn GrowingMap>> {
        Ok(Arc::new(self.clone()))
    }

    fn map_sealed(&self) -> Result<Arc<dyn SealedMap>> {
        Ok(Arc::new(Sealed(self.0.read().clone())))
    }
}

impl GrowingMap for MemoryFile {
    fn bytes(&self, offset: u64, len: usize) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Owned(self.0.read().get(range(offset, len)?)?.to_vec()))
    }
}

impl Deref for Sealed {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
