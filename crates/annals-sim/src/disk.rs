//! The simulated machine's disk, as the engine sees it.

use std::borrow::Cow;
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annals_engine::{DirEntry, GrowingMap, LockMode, SealedMap, Storage, StorageFile};
use parking_lot::Mutex;

use crate::fault::{Verdict, down};
use crate::world::World;

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

    fn change(&self, what: &str, path: &Path, run: impl FnOnce(&mut World) -> Result<()>) -> Result<()> {
        let mut world = self.world.lock();
        let done = world.count_whole(self.start, run);
        world.note(what, u64::from(done.is_ok()), path.as_os_str().as_encoded_bytes());
        done
    }

    fn open_file(&self, file: usize) -> Arc<dyn StorageFile> {
        Arc::new(SimFile { disk: self.clone(), file })
    }
}

struct SimFile {
    disk: SimStorage,
    file: usize,
}

impl SimFile {
    fn change(&self, what: &str, run: impl FnOnce(&mut World) -> Result<()>) -> Result<()> {
        self.disk.change(what, Path::new(""), run)
    }
}

/// A part of a write, or nothing of it.
fn half_of(half: bool, len: usize, world: &mut World) -> usize {
    let part = world.random().below(u64::try_from(len).unwrap_or(0));
    if half { usize::try_from(part).unwrap_or(0) } else { 0 }
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
        self.change("folder", path, |world| {
            world.create_folder(path);
            Ok(())
        })
    }

    fn list(&self, path: &Path) -> Result<Vec<DirEntry>> {
        self.read(|world| world.list(path))
    }

    fn create(&self, path: &Path) -> Result<Arc<dyn StorageFile>> {
        let mut created = None;
        self.change("create", path, |world| {
            created = Some(world.create(path)?);
            Ok(())
        })?;
        created.map(|file| self.open_file(file)).ok_or_else(|| ErrorKind::Other.into())
    }

    fn open(&self, path: &Path, _writable: bool) -> Result<Arc<dyn StorageFile>> {
        self.read(|world| world.find(path)).map(|file| self.open_file(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.change("rename", to, |world| world.rename(from, to))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.change("remove", path, |world| world.remove(path))
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.change("sync folder", path, |world| {
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

    fn random_bytes(&self, bytes: &mut [u8]) -> Result<()> {
        self.read(|world| {
            bytes.fill_with(|| world.random().number().to_le_bytes()[0]);
            Ok(())
        })
    }
}

impl StorageFile for SimFile {
    fn len(&self) -> Result<u64> {
        self.disk.read(|world| Ok(world.file(self.file)?.len()))
    }

    fn preallocate(&self, len: u64) -> Result<()> {
        self.change("preallocate", |world| {
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
        self.change("release", |_| Ok(()))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut world = self.disk.world.lock();
        let verdict = world.count(self.disk.start)?;
        let (done, outcome) = match verdict {
            Verdict::Go => (bytes.len(), Ok(())),
            Verdict::GoDown => (bytes.len(), Err(down())),
            Verdict::Down { half } => (half_of(half, bytes.len(), &mut world), Err(down())),
            Verdict::Fail { kind, half, .. } => (half_of(half, bytes.len(), &mut world), Err(kind.into())),
        };
        let bytes = bytes.get(..done).unwrap_or_default();
        world.note("write", offset, bytes);
        let end = offset + u64::try_from(bytes.len()).unwrap_or(0);
        let more = end.saturating_sub(world.file(self.file)?.len());
        if more > world.free_space() {
            return Err(ErrorKind::StorageFull.into());
        }
        world.file(self.file)?.write(bytes, offset);
        outcome
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        self.disk.read(|world| {
            world.note("read", offset, &[]);
            if !world.file(self.file)?.read(bytes, offset) {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Some((at, bit)) = world.flip_now(bytes.len())
                && let Some(byte) = bytes.get_mut(at)
            {
                *byte ^= 1_u8.rotate_left(bit);
            }
            Ok(())
        })
    }

    fn sync_data(&self) -> Result<()> {
        let mut world = self.disk.world.lock();
        let verdict = world.count(self.disk.start)?;
        world.note("sync", u64::try_from(self.file).unwrap_or(0), &[]);
        let (image, random) = world.file_and_random(self.file)?;
        match verdict {
            Verdict::Go => {
                image.sync();
                Ok(())
            }
            Verdict::GoDown => {
                image.sync();
                Err(down())
            }
            // What a crash leaves of it is drawn when the power goes.
            Verdict::Down { .. } => Err(down()),
            Verdict::Fail { kind, sync, .. } => {
                image.fail_sync(sync, random);
                world.note_failed_sync();
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
        world.note("map", offset, &[]);
        let image = world.file(self.file).ok()?;
        let mut bytes = vec![0; len];
        image.read(&mut bytes, offset).then_some(Cow::Owned(bytes))
    }
}
