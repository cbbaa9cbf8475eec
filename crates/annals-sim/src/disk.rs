//! The simulated machine's disk, as the engine sees it.

use std::borrow::Cow;
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annals_engine::{DirEntry, GrowingMap, LockMode, SealedMap, Storage, StorageFile};
use parking_lot::Mutex;

use crate::world::{Verdict, World};

/// A disk that forgets what was not synced when its machine loses power.
#[derive(Clone)]
pub struct SimStorage {
    world: Arc<Mutex<World>>,
    start: u64,
}

impl SimStorage {
    /// The disk for what runs from now on, until the machine is started again.
    pub fn new(world: &Arc<Mutex<World>>) -> Self {
        let start = world.lock().start();
        Self { world: Arc::clone(world), start }
    }

    fn read<T>(&self, run: impl FnOnce(&mut World) -> Result<T>) -> Result<T> {
        let mut world = self.world.lock();
        world.check(self.start)?;
        run(&mut world)
    }

    fn change(&self, run: impl FnOnce(&mut World) -> Result<()>) -> Result<()> {
        self.world.lock().count_whole(self.start, run)
    }

    fn open_file(&self, file: usize) -> Arc<dyn StorageFile> {
        Arc::new(SimFile { disk: self.clone(), file })
    }
}

struct SimFile {
    disk: SimStorage,
    file: usize,
}

struct SimLock {
    disk: SimStorage,
    path: PathBuf,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.world.lock().unlock(&self.path, self.disk.start);
    }
}

impl Storage for SimStorage {
    fn create_dir(&self, path: &Path) -> Result<()> {
        self.change(|world| {
            world.create_folder(path);
            Ok(())
        })
    }

    fn list(&self, path: &Path) -> Result<Vec<DirEntry>> {
        self.read(|world| world.list(path))
    }

    fn create(&self, path: &Path) -> Result<Arc<dyn StorageFile>> {
        let mut created = None;
        self.change(|world| {
            created = Some(world.create(path)?);
            Ok(())
        })?;
        created.map(|file| self.open_file(file)).ok_or_else(|| ErrorKind::Other.into())
    }

    fn open(&self, path: &Path, _writable: bool) -> Result<Arc<dyn StorageFile>> {
        self.read(|world| world.find(path)).map(|file| self.open_file(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.change(|world| world.rename(from, to))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.change(|world| world.remove(path))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        self.change(|world| world.link(from, to))
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.change(|world| world.remove_folder(path))
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.change(|world| {
            world.sync_folder(path);
            Ok(())
        })
    }

    fn lock(&self, path: &Path, mode: LockMode) -> Result<Box<dyn Send + Sync>> {
        self.read(|world| world.lock(path, mode))?;
        Ok(Box::new(SimLock { disk: self.clone(), path: path.to_owned() }))
    }

    fn free_space(&self, _path: &Path) -> Result<u64> {
        self.read(|world| Ok(world.free_space()))
    }
}

impl StorageFile for SimFile {
    fn len(&self) -> Result<u64> {
        self.disk.read(|world| Ok(world.file(self.file)?.len()))
    }

    fn preallocate(&self, len: u64) -> Result<()> {
        self.disk.change(|world| {
            let more = len.saturating_sub(world.file(self.file)?.len());
            if more > world.free_space() {
                return Err(ErrorKind::StorageFull.into());
            }
            world.file(self.file)?.extend(len);
            Ok(())
        })
    }

    fn release(&self, _from: u64) -> Result<()> {
        // The room is not counted apart from the length: nothing changes.
        self.disk.change(|_| Ok(()))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut world = self.disk.world.lock();
        let verdict = world.count(self.disk.start)?;
        let (bytes, outcome) = match verdict {
            Verdict::Go => (bytes, Ok(())),
            Verdict::GoDown => (bytes, Err(ErrorKind::BrokenPipe.into())),
            Verdict::Half(kind) => {
                let len = world.random().below(bytes.len().try_into().unwrap_or(0));
                let front = bytes.get(..usize::try_from(len).unwrap_or(0)).unwrap_or_default();
                (front, Err(kind.into()))
            }
            Verdict::Fail(kind) => (bytes.get(..0).unwrap_or_default(), Err(kind.into())),
        };
        let end = offset + u64::try_from(bytes.len()).unwrap_or(0);
        let more = end.saturating_sub(world.file(self.file)?.len());
        if more > world.free_space() {
            return Err(ErrorKind::StorageFull.into());
        }
        world.file(self.file)?.write(bytes, offset);
        outcome
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let read = self.disk.read(|world| Ok(world.file(self.file)?.read(bytes, offset)))?;
        if read { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    fn sync_data(&self) -> Result<()> {
        let mut world = self.disk.world.lock();
        let verdict = world.count(self.disk.start)?;
        let (image, random) = world.file_and_random(self.file)?;
        match verdict {
            Verdict::Go => {
                image.sync();
                Ok(())
            }
            Verdict::GoDown => {
                image.sync();
                Err(ErrorKind::BrokenPipe.into())
            }
            // What a crash leaves of it is drawn when the power goes.
            Verdict::Half(ErrorKind::BrokenPipe) | Verdict::Fail(ErrorKind::BrokenPipe) => {
                Err(ErrorKind::BrokenPipe.into())
            }
            Verdict::Half(kind) | Verdict::Fail(kind) => {
                image.fail_sync(random);
                Err(kind.into())
            }
        }
    }

    fn sync_all(&self) -> Result<()> {
        self.sync_data()
    }

    fn drop_cache(&self) -> Result<()> {
        self.disk.read(|world| {
            world.file(self.file)?.drop_cache();
            Ok(())
        })
    }

    fn map_growing(&self) -> Result<Arc<dyn GrowingMap>> {
        self.disk.read(|_| Ok(()))?;
        Ok(Arc::new(SimMap { disk: self.disk.clone(), file: self.file }))
    }

    fn map_sealed(&self) -> Result<Arc<dyn SealedMap>> {
        self.disk.read(|world| {
            let image = world.file(self.file)?;
            let mut bytes = vec![0; usize::try_from(image.len()).map_err(|_| ErrorKind::FileTooLarge)?];
            image.read(&mut bytes, 0);
            Ok(Arc::new(bytes) as Arc<dyn SealedMap>)
        })
    }
}

struct SimMap {
    disk: SimStorage,
    file: usize,
}

impl GrowingMap for SimMap {
    fn bytes(&self, offset: u64, len: usize) -> Option<Cow<'_, [u8]>> {
        // A map outlives a crash of the disk as long as the program does.
        let mut world = self.disk.world.lock();
        let image = world.file(self.file).ok()?;
        let mut bytes = vec![0; len];
        image.read(&mut bytes, offset).then_some(Cow::Owned(bytes))
    }
}
