//! The file system of the operating system.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Advice, FallocateFlags, FlockOperation};

use super::{DirEntry, GrowingMap, LockMode, SealedMap, Storage, StorageFile};
use crate::map;

/// Files are private to the user that runs the store.
const FILE_MODE: u32 = 0o600;

/// The real disk.
#[derive(Debug, Default)]
pub struct OsStorage;

impl OsStorage {
    /// The real disk.
    pub fn new() -> Self {
        Self
    }
}

struct OsFile(File);

impl Storage for OsStorage {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let len = if metadata.is_dir() { 0 } else { metadata.len() };
            entries.push(DirEntry { name, len, is_dir: metadata.is_dir() });
        }
        Ok(entries)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)?;
        Ok(Arc::new(OsFile(file)))
    }

    fn open(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn StorageFile>> {
        Ok(Arc::new(OsFile(OpenOptions::new().read(true).write(writable).open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        let whole = std::path::absolute(path)?;
        for there in whole.ancestors() {
            match fs::canonicalize(there) {
                Ok(mut canonical) => {
                    canonical.extend(whole.strip_prefix(there).into_iter().flat_map(Path::components));
                    return Ok(canonical);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(whole)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path, mode: LockMode) -> io::Result<Box<dyn Send + Sync>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
        let operation = match mode {
            LockMode::Exclusive => FlockOperation::NonBlockingLockExclusive,
            LockMode::Shared => FlockOperation::NonBlockingLockShared,
        };
        // The lock belongs to the open file and goes with it.
        rustix::fs::flock(&file, operation)?;
        Ok(Box::new(file))
    }

    fn free_space(&self, path: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

impl StorageFile for OsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn preallocate(&self, len: u64) -> io::Result<()> {
        loop {
            match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, len) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(()) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn release(&self, from: u64) -> io::Result<()> {
        let Some(len) = self.len()?.checked_sub(from).filter(|len| *len > 0) else { return Ok(()) };
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(&self.0, hole, from, len) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn drop_cache(&self) -> io::Result<()> {
        Ok(rustix::fs::fadvise(&self.0, 0, None, Advice::DontNeed)?)
    }

    fn map_growing(&self) -> io::Result<Arc<dyn GrowingMap>> {
        Ok(Arc::new(map::FileMap::open(&self.0)?))
    }

    fn map_sealed(&self) -> io::Result<Arc<dyn SealedMap>> {
        if self.0.metadata()?.len() == 0 {
            return Ok(Arc::new(Vec::new()));
        }
        Ok(Arc::new(map::map_sealed(&self.0)?))
    }
}
