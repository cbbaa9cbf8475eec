//! All disk access goes through [`Storage`], so that tests and simulations can replace the disk.

#[cfg(test)]
pub(crate) mod failing;
mod os;

pub use os::OsStorage;

use std::borrow::Cow;
use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

/// A directory entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The name without its folder.
    pub name: String,
    /// The length in bytes; 0 for a folder.
    pub len: u64,
    /// Whether it is a folder.
    pub is_dir: bool,
}

/// Who else may open the directory while a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// Nobody.
    Exclusive,
    /// Other readers.
    Shared,
}

/// A file system. Operations block and are not durable until synced, as POSIX has it.
pub trait Storage: Send + Sync + 'static {
    /// Makes a folder and its parents; an existing one is fine.
    ///
    /// # Errors
    /// What the operating system says; so for all operations.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// The entries of a folder, in no order.
    ///
    /// # Errors
    /// `NotFound` if the folder is missing.
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>>;
    /// Makes a new file for reading and writing; an existing one is an error.
    ///
    /// # Errors
    /// `AlreadyExists` if it exists.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>>;
    /// Opens an existing file for reading, and for writing if `writable`.
    ///
    /// # Errors
    /// `NotFound` if it is missing.
    fn open(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn StorageFile>>;
    /// Renames a file, replacing the target.
    ///
    /// # Errors
    /// What the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file; live maps of it stay valid.
    ///
    /// # Errors
    /// `NotFound` if it is missing.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the entries of a folder durable.
    ///
    /// # Errors
    /// What the operating system says.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Takes the lock file of a store; it is held until the guard is dropped.
    ///
    /// # Errors
    /// `WouldBlock` if another process holds it.
    fn lock(&self, path: &Path, mode: LockMode) -> io::Result<Box<dyn Send + Sync>>;
    /// Bytes that can still be written to the file system of `path`.
    ///
    /// # Errors
    /// What the operating system says.
    fn free_space(&self, path: &Path) -> io::Result<u64>;
    /// Fills `bytes` with what nobody can guess; a new store is told from all others by it.
    ///
    /// # Errors
    /// What the operating system says.
    fn random_bytes(&self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(|source| io::Error::other(source.to_string()))
    }
}

/// An open file.
#[expect(clippy::len_without_is_empty, reason = "a file system call that can fail, not a collection's size")]
pub trait StorageFile: Send + Sync {
    /// The length in bytes.
    ///
    /// # Errors
    /// What the operating system says; so for all operations.
    fn len(&self) -> io::Result<u64>;
    /// Reserves `len` bytes from the start, reading as zeroes, and makes the file that long.
    ///
    /// # Errors
    /// `StorageFull` if there is no room.
    fn preallocate(&self, len: u64) -> io::Result<()>;
    /// Gives back the room reserved from `from` on, where nothing was written: the length stays, and the bytes
    /// still read as zeroes. A file system that cannot do it keeps the room.
    ///
    /// # Errors
    /// What the operating system says.
    fn release(&self, from: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// What the operating system says.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Fills `bytes` from `offset`; too short a file is `UnexpectedEof`.
    ///
    /// # Errors
    /// What the operating system says.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Makes the contents durable.
    ///
    /// # Errors
    /// After a failure nothing is known of what was written since the last success: never retry.
    fn sync_data(&self) -> io::Result<()>;
    /// Makes contents and metadata durable.
    ///
    /// # Errors
    /// As [`StorageFile::sync_data`].
    fn sync_all(&self) -> io::Result<()>;
    /// Forgets cached pages, so that the next read asks the device.
    ///
    /// # Errors
    /// What the operating system says.
    fn drop_cache(&self) -> io::Result<()>;
    /// A view of a file that is still being written: only ranges already written may be asked for.
    ///
    /// # Errors
    /// What the operating system says.
    fn map_growing(&self) -> io::Result<Arc<dyn GrowingMap>>;
    /// A view of a whole file that never changes again.
    ///
    /// # Errors
    /// What the operating system says.
    fn map_sealed(&self) -> io::Result<Arc<dyn SealedMap>>;
}

/// A read-only view of a preallocated file that grows by [`StorageFile::write_at`].
pub trait GrowingMap: Send + Sync {
    /// `len` bytes at `offset`, which must have been written before; `None` outside the file.
    fn bytes(&self, offset: u64, len: usize) -> Option<Cow<'_, [u8]>>;
}

/// A read-only view of a whole file.
pub trait SealedMap: Deref<Target = [u8]> + Send + Sync {}

impl<T: Deref<Target = [u8]> + Send + Sync> SealedMap for T {}
