//! A disk that does what a test tells it: fail, block or only be watched.

use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use annals_engine::{DirEntry, GrowingMap, LockMode, OsStorage, SealedMap, Storage, StorageFile};

/// A call that changes the disk or makes a change durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Create,
    Link,
    Rename,
    Remove,
    SyncDir,
    Preallocate,
    Write,
    Sync,
}

type Hook = dyn Fn(Call, &Path) -> Result<()> + Send + Sync;

/// The real file system behind a hook that is asked before every change. Nothing is really synced:
/// a killed process loses nothing by that, and no test here cuts the power.
#[derive(Clone)]
pub(crate) struct Disk(Arc<Mutex<Arc<Hook>>>);

struct Watched {
    inner: Arc<dyn StorageFile>,
    path: PathBuf,
    disk: Disk,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Arc::new(|_, _: &Path| Ok(())))))
    }

    /// From now on `hook` is asked first; what it refuses is not done.
    pub(crate) fn on_call(&self, hook: impl Fn(Call, &Path) -> Result<()> + Send + Sync + 'static) {
        *self.0.lock().unwrap() = Arc::new(hook);
    }

    pub(crate) fn heal(&self) {
        self.on_call(|_, _| Ok(()));
    }

    /// Refuses the calls that `which` picks.
    pub(crate) fn refuse(&self, kind: std::io::ErrorKind, which: impl Fn(Call, &Path) -> bool + Send + Sync + 'static) {
        self.on_call(move |call, path| if which(call, path) { Err(kind.into()) } else { Ok(()) });
    }

    /// Counts the calls from now on.
    pub(crate) fn count(&self) -> Arc<AtomicUsize> {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        self.on_call(move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        count
    }

    /// Refuses the call with this number, from 0; tells whether it came to that.
    pub(crate) fn refuse_call(&self, number: usize, kind: std::io::ErrorKind) -> Arc<AtomicUsize> {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        self.on_call(
            move |_, _| {
                if counted.fetch_add(1, Ordering::Relaxed) == number { Err(kind.into()) } else { Ok(()) }
            },
        );
        count
    }

    fn ask(&self, call: Call, path: &Path) -> Result<()> {
        // The hook may block: it must not hold the lock meanwhile.
        let hook = Arc::clone(&self.0.lock().unwrap());
        hook(call, path)
    }

    fn wrap(&self, path: &Path, file: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
        Arc::new(Watched { inner: file, path: path.to_owned(), disk: self.clone() })
    }
}

/// Whether a path lies in this folder of a store.
pub(crate) fn is_in(path: &Path, folder: &str) -> bool {
    path.parent().is_some_and(|parent| parent.ends_with(folder)) || path.ends_with(folder)
}

/// Whether a path is the manifest, its predecessor or one of them in the making.
pub(crate) fn is_manifest(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("MANIFEST"))
}

impl Storage for Disk {
    fn create_dir(&self, path: &Path) -> Result<()> {
        OsStorage.create_dir(path)
    }

    fn list(&self, path: &Path) -> Result<Vec<DirEntry>> {
        OsStorage.list(path)
    }

    fn create(&self, path: &Path) -> Result<Arc<dyn StorageFile>> {
        self.ask(Call::Create, path)?;
        Ok(self.wrap(path, OsStorage.create(path)?))
    }

    fn open(&self, path: &Path, writable: bool) -> Result<Arc<dyn StorageFile>> {
        Ok(self.wrap(path, OsStorage.open(path, writable)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.ask(Call::Rename, to)?;
        OsStorage.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        // Looking for a leftover is no change.
        if path.exists() {
            self.ask(Call::Remove, path)?;
        }
        OsStorage.remove(path)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        self.ask(Call::Link, to)?;
        OsStorage.hard_link(from, to)
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.ask(Call::Remove, path)?;
        OsStorage.remove_dir(path)
    }

    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        OsStorage.canonical(path)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.ask(Call::SyncDir, path)
    }

    fn lock(&self, path: &Path, mode: LockMode) -> Result<Box<dyn Send + Sync>> {
        OsStorage.lock(path, mode)
    }

    fn free_space(&self, path: &Path) -> Result<u64> {
        OsStorage.free_space(path)
    }
}

impl Watched {
    /// Bytes that the file has on the disk.
    fn reserved(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| std::os::unix::fs::MetadataExt::blocks(&metadata) * 512)
    }
}

impl StorageFile for Watched {
    fn len(&self) -> Result<u64> {
        self.inner.len()
    }

    fn preallocate(&self, len: u64) -> Result<()> {
        // What is reserved already is no change, and a full disk has it all the same.
        if self.reserved() < len {
            self.disk.ask(Call::Preallocate, &self.path)?;
        }
        self.inner.preallocate(len)
    }

    fn release(&self, from: u64) -> Result<()> {
        self.inner.release(from)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.disk.ask(Call::Write, &self.path)?;
        self.inner.write_at(bytes, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        self.inner.read_at(bytes, offset)
    }

    fn sync_data(&self) -> Result<()> {
        self.disk.ask(Call::Sync, &self.path)
    }

    fn sync_all(&self) -> Result<()> {
        self.disk.ask(Call::Sync, &self.path)
    }

    fn drop_cache(&self) -> Result<()> {
        Ok(())
    }

    fn map_growing(&self) -> Result<Arc<dyn GrowingMap>> {
        self.inner.map_growing()
    }

    fn map_sealed(&self) -> Result<Arc<dyn SealedMap>> {
        self.inner.map_sealed()
    }
}
