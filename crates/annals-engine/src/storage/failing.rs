//! A disk on which one change fails, for tests that try each in turn.

use std::io::{ErrorKind, Result};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{DirEntry, GrowingMap, LockMode, OsStorage, SealedMap, Storage, StorageFile};

/// The real disk, but of the calls that change something the one with number `fails_at` (from 0) says
/// that there is no room and does nothing. Later ones work again.
pub(crate) struct FailingStorage(Arc<Countdown>);

struct Countdown {
    calls: AtomicUsize,
    fails_at: usize,
}

struct FailingFile(Arc<dyn StorageFile>, Arc<Countdown>);

impl FailingStorage {
    pub(crate) fn at(fails_at: usize) -> Arc<dyn Storage> {
        Arc::new(Self(Arc::new(Countdown { calls: AtomicUsize::new(0), fails_at })))
    }

    fn wrap(&self, file: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
        Arc::new(FailingFile(file, Arc::clone(&self.0)))
    }
}

impl Countdown {
    fn step(&self) -> Result<()> {
        if self.calls.fetch_add(1, Ordering::Relaxed) == self.fails_at {
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl Storage for FailingStorage {
    fn create_dir(&self, path: &Path) -> Result<()> {
        OsStorage.create_dir(path)
    }
    fn list(&self, path: &Path) -> Result<Vec<DirEntry>> {
        OsStorage.list(path)
    }
    fn create(&self, path: &Path) -> Result<Arc<dyn StorageFile>> {
        self.0.step()?;
        Ok(self.wrap(OsStorage.create(path)?))
    }
    fn open(&self, path: &Path, writable: bool) -> Result<Arc<dyn StorageFile>> {
        Ok(self.wrap(OsStorage.open(path, writable)?))
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.0.step()?;
        OsStorage.rename(from, to)
    }
    fn remove(&self, path: &Path) -> Result<()> {
        OsStorage.remove(path)
    }
    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        self.0.step()?;
        OsStorage.hard_link(from, to)
    }
    fn remove_dir(&self, path: &Path) -> Result<()> {
        OsStorage.remove_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.0.step()?;
        OsStorage.sync_dir(path)
    }
    fn lock(&self, path: &Path, mode: LockMode) -> Result<Box<dyn Send + Sync>> {
        OsStorage.lock(path, mode)
    }
    fn free_space(&self, path: &Path) -> Result<u64> {
        OsStorage.free_space(path)
    }
}

impl StorageFile for FailingFile {
    fn len(&self) -> Result<u64> {
        self.0.len()
    }
    fn preallocate(&self, len: u64) -> Result<()> {
        self.1.step()?;
        self.0.preallocate(len)
    }
    fn release(&self, from: u64) -> Result<()> {
        self.1.step()?;
        self.0.release(from)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.1.step()?;
        self.0.write_at(bytes, offset)
    }
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        self.0.read_at(bytes, offset)
    }
    fn sync_data(&self) -> Result<()> {
        self.1.step()?;
        self.0.sync_data()
    }
    fn sync_all(&self) -> Result<()> {
        self.1.step()?;
        self.0.sync_all()
    }
    fn drop_cache(&self) -> Result<()> {
        self.0.drop_cache()
    }
    fn map_growing(&self) -> Result<Arc<dyn GrowingMap>> {
        self.0.map_growing()
    }
    fn map_sealed(&self) -> Result<Arc<dyn SealedMap>> {
        self.0.map_sealed()
    }
}
