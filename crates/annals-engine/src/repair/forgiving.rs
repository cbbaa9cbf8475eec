//! A disk that gives zeroes for what the device cannot read: checksums then say which frame or chunk that was.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::codec::{len_u64, to_usize};
use crate::storage::{DirEntry, GrowingMap, LockMode, SealedMap, Storage, StorageFile};

/// Bytes that are given up together: what devices and file systems read at once.
const PAGE_SIZE: usize = 4096;
/// Bytes of one read of a whole file.
const READ_SIZE: usize = 1 << 20;

/// Another disk, read by `pread` alone: no map is made, so a bad sector is no signal.
pub(crate) struct Forgiving(pub(crate) Arc<dyn Storage>);

struct ForgivingFile(Arc<dyn StorageFile>);

/// Whether the device could not read the bytes, as opposed to an error that may pass.
pub(super) fn is_unreadable(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

impl Storage for Forgiving {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.0.create_dir(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.0.list(path)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        self.0.create(path)
    }
    fn open(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn StorageFile>> {
        Ok(Arc::new(ForgivingFile(self.0.open(path, writable)?)))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.0.sync_dir(path)
    }
    fn lock(&self, path: &Path, mode: LockMode) -> io::Result<Box<dyn Send + Sync>> {
        self.0.lock(path, mode)
    }
    fn free_space(&self, path: &Path) -> io::Result<u64> {
        self.0.free_space(path)
    }
}

impl StorageFile for ForgivingFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn preallocate(&self, len: u64) -> io::Result<()> {
        self.0.preallocate(len)
    }
    fn release(&self, from: u64) -> io::Result<()> {
        self.0.release(from)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_at(bytes, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        match self.0.read_at(bytes, offset) {
            Err(error) if is_unreadable(&error) && offset.saturating_add(len_u64(bytes.len())) <= self.0.len()? => {}
            read => return read,
        }
        for (page, at) in bytes.chunks_mut(PAGE_SIZE).zip((offset..).step_by(PAGE_SIZE)) {
            match self.0.read_at(page, at) {
                Err(error) if is_unreadable(&error) => page.fill(0),
                read => read?,
            }
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }
    fn drop_cache(&self) -> io::Result<()> {
        self.0.drop_cache()
    }
    fn map_growing(&self) -> io::Result<Arc<dyn GrowingMap>> {
        self.0.map_growing()
    }

    fn map_sealed(&self) -> io::Result<Arc<dyn SealedMap>> {
        let mut bytes = vec![0; to_usize(self.len()?)];
        for (chunk, at) in bytes.chunks_mut(READ_SIZE).zip((0_u64..).step_by(READ_SIZE)) {
            self.read_at(chunk, at)?;
        }
        Ok(Arc::new(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::OsStorage;

    /// A file whose second page the device cannot read.
    struct Bad(Arc<dyn StorageFile>);

    impl StorageFile for Bad {
        fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
            let end = offset + bytes.len() as u64;
            if offset < 8192 && end > 4096 {
                return Err(io::Error::from_raw_os_error(5));
            }
            self.0.read_at(bytes, offset)
        }
        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }
        fn preallocate(&self, len: u64) -> io::Result<()> {
            self.0.preallocate(len)
        }
        fn release(&self, from: u64) -> io::Result<()> {
            self.0.release(from)
        }
        fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
            self.0.write_at(bytes, offset)
        }
        fn sync_data(&self) -> io::Result<()> {
            self.0.sync_data()
        }
        fn sync_all(&self) -> io::Result<()> {
            self.0.sync_all()
        }
        fn drop_cache(&self) -> io::Result<()> {
            self.0.drop_cache()
        }
        fn map_growing(&self) -> io::Result<Arc<dyn GrowingMap>> {
            self.0.map_growing()
        }
        fn map_sealed(&self) -> io::Result<Arc<dyn SealedMap>> {
            self.0.map_sealed()
        }
    }

    #[test]
    fn an_unreadable_page_is_zeroes_and_its_neighbours_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = OsStorage.create(&dir.path().join("f")).unwrap();
        file.write_at(&[7; 12_000], 0).unwrap();
        let forgiving = ForgivingFile(Arc::new(Bad(file)));
        let map = forgiving.map_sealed().unwrap();
        assert!(map[..4096].iter().chain(&map[8192..]).all(|byte| *byte == 7));
        assert!(map[4096..8192].iter().all(|byte| *byte == 0));
        assert!(forgiving.read_at(&mut [0; 8], 11_999).is_err(), "behind the end there is nothing to forgive");
    }
}
