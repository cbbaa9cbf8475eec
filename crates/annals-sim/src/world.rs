//! The state of a simulated machine: files, folders, what of them is durable, and when things go wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};

use annals_engine::{DirEntry, LockMode};

use crate::fault::{Fault, Verdict, down};
use crate::image::FileImage;
use crate::random::Random;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Folder,
    File(usize),
}

impl Node {
    fn file(self) -> Option<usize> {
        match self {
            Node::File(file) => Some(file),
            Node::Folder => None,
        }
    }
}

/// A change of folders that is not durable yet: done whole or not at all.
#[derive(Clone, Debug)]
struct FolderChange(Vec<(PathBuf, Option<Node>)>);

/// A machine with one disk. What runs on it sees [`crate::SimStorage`].
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something else about the machine, and all may be so at once"
)]
#[derive(Clone, Debug)]
pub struct World {
    random: Random,
    files: Vec<FileImage>,
    live: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    /// In the order they were made.
    pending: Vec<FolderChange>,
    /// Holders by lock file; -1 is one that shares with nobody.
    locks: BTreeMap<PathBuf, i32>,
    capacity: u64,
    /// Whether any file was ever given a second name.
    has_links: bool,
    calls: u64,
    /// By number of the call from now on.
    faults: BTreeMap<u64, Fault>,
    is_down: bool,
    /// Whether a call has failed since the last start.
    has_failed: bool,
    /// Whether a sync has.
    sync_failed: bool,
    /// Reads from the device until one of them turns a bit over.
    flip_after: Option<u64>,
    /// Goes up with each start: what was opened before is gone.
    starts: u64,
    /// Of every call and its answer.
    digest: u64,
}

impl World {
    /// A machine whose disk holds the empty folder `root` and has room for `capacity` bytes.
    pub fn new(seed: u64, root: &Path, capacity: u64) -> Self {
        let folders: BTreeMap<PathBuf, Node> =
            root.ancestors().map(|folder| (folder.to_owned(), Node::Folder)).collect();
        Self {
            random: Random::new(seed),
            files: Vec::new(),
            live: folders.clone(),
            durable: folders,
            pending: Vec::new(),
            locks: BTreeMap::new(),
            capacity,
            has_links: false,
            calls: 0,
            faults: BTreeMap::new(),
            is_down: false,
            has_failed: false,
            sync_failed: false,
            flip_after: None,
            starts: 0,
            digest: 0,
        }
    }

    /// How many calls there were that changed something or made it durable.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Whether the machine has crashed and was not started again.
    pub fn is_down(&self) -> bool {
        self.is_down
    }

    /// Lets something go wrong with the call that comes after so many others.
    pub fn fault_after(&mut self, calls: u64, fault: Fault) {
        self.faults.insert(self.calls + calls, fault);
    }

    /// Forgets what was still to go wrong.
    pub fn heal(&mut self) {
        self.faults.clear();
    }

    /// Draws from another seed from now on.
    pub fn reseed(&mut self, seed: u64) {
        self.random = Random::new(seed);
    }

    /// Whether a call has failed since the last start.
    pub fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Lets a fault meet the call with this number, from 0.
    pub fn fault_at(&mut self, call: u64, fault: Fault) {
        self.faults.insert(call, fault);
    }

    /// Turns one bit over in what the device gives, some reads from now.
    pub fn flip_read_after(&mut self, reads: u64) {
        self.flip_after = Some(reads);
    }

    /// Whether a sync has failed since the last start.
    pub fn sync_failed(&self) -> bool {
        self.sync_failed
    }

    /// A number that depends on every call so far and its answer.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Sets the disk back to an earlier state; what is open is as good as gone.
    pub fn restore(&mut self, earlier: &World) {
        let (starts, digest) = (self.starts, self.digest);
        *self = earlier.clone();
        self.starts = starts;
        self.digest = digest;
        self.restart();
    }

    /// The power goes, now if it has not yet, and comes back: what was not synced is any mixture.
    pub fn power_cycle(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            if self.random.one_in(2) {
                apply(&mut self.durable, &change);
            }
        }
        let folders = self.durable.clone();
        // What lies in a folder that is gone is gone.
        self.durable.retain(|path, _| path.ancestors().skip(1).all(|above| folders.get(above) == Some(&Node::Folder)));
        self.live = self.durable.clone();
        for file in &mut self.files {
            file.cut_power(&mut self.random);
        }
        let mut named = vec![false; self.files.len()];
        for node in self.live.values() {
            if let Node::File(file) = node
                && let Some(named) = named.get_mut(*file)
            {
                *named = true;
            }
        }
        // Nobody has them open, and nothing leads to them.
        for (file, _) in self.files.iter_mut().zip(named).filter(|(_, named)| !named) {
            *file = FileImage::default();
        }
        self.restart();
    }

    /// The program is killed and started again; the disk keeps what it was told.
    pub fn restart(&mut self) {
        self.locks.clear();
        self.is_down = false;
        self.has_failed = false;
        self.sync_failed = false;
        self.flip_after = None;
        self.starts += 1;
    }

    /// Files with their lengths, ascending.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let files = self.live.iter().filter_map(|(path, node)| match node {
            Node::File(file) => Some((path.clone(), self.files.get(*file)?.len())),
            Node::Folder => None,
        });
        files.collect()
    }

    /// The logs of the store in `root`, with the end of what was written to each.
    pub fn used_logs(&self, root: &Path) -> Vec<(PathBuf, u64)> {
        let folder = root.join("log");
        let logs = self.live.iter().filter(|(path, _)| path.parent() == Some(&folder));
        let used = logs.filter_map(|(path, node)| match node {
            Node::File(file) => Some((path.clone(), self.files.get(*file)?.written_end())),
            Node::Folder => None,
        });
        used.collect()
    }

    /// Turns one bit of a file over, on the device.
    pub fn flip_bit(&mut self, path: &Path, offset: u64, bit: u32) {
        if let Some(Node::File(file)) = self.live.get(path)
            && let Some(image) = self.files.get_mut(*file)
        {
            image.flip_bit(offset, bit);
        }
    }

    pub(crate) fn start(&self) -> u64 {
        self.starts
    }

    /// Fails for what was opened before the last start, and while the machine is down.
    pub(crate) fn check(&self, start: u64) -> Result<()> {
        if self.is_down || start != self.starts { Err(down()) } else { Ok(()) }
    }

    /// Counts a call and says what goes wrong with it.
    pub(crate) fn count(&mut self, start: u64) -> Result<Verdict> {
        self.check(start)?;
        let number = self.calls;
        self.calls += 1;
        Ok(match self.faults.remove(&number) {
            None => Verdict::Go,
            Some(Fault::Crash) => {
                self.is_down = true;
                match self.random.below(3) {
                    0 => Verdict::Down { half: false },
                    1 => Verdict::Down { half: true },
                    _ => Verdict::GoDown,
                }
            }
            Some(failure) => {
                self.has_failed = true;
                Verdict::of(failure)
            }
        })
    }

    /// Counts a call that is done whole or not at all.
    pub(crate) fn count_whole(&mut self, start: u64, run: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        match self.count(start)? {
            Verdict::Go => run(self),
            Verdict::GoDown => run(self).and_then(|()| Err(down())),
            Verdict::Down { .. } => Err(down()),
            Verdict::Fail { kind, .. } => Err(kind.into()),
        }
    }

    pub(crate) fn note_failed_sync(&mut self) {
        self.sync_failed = true;
    }

    /// Whether the bytes just read are to have a bit turned over: which one, drawn from all of them.
    pub(crate) fn flip_now(&mut self, len: usize) -> Option<(usize, u32)> {
        let left = self.flip_after.as_mut()?;
        if *left > 0 || len == 0 {
            *left = left.saturating_sub(1);
            return None;
        }
        self.flip_after = None;
        let byte = self.random.below(u64::try_from(len).unwrap_or(1));
        let bit = self.random.below(8);
        Some((usize::try_from(byte).unwrap_or(0), u32::try_from(bit).unwrap_or(0)))
    }

    /// Takes a call, or an answer, into the digest.
    pub(crate) fn note(&mut self, what: &str, number: u64, bytes: &[u8]) {
        let mut digest = mix(self.digest, number);
        for chunk in what.as_bytes().chunks(8).chain(bytes.chunks(8)) {
            let mut word = [0; 8];
            for (slot, byte) in word.iter_mut().zip(chunk) {
                *slot = *byte;
            }
            digest = mix(digest, u64::from_le_bytes(word));
        }
        self.digest = mix(digest, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    pub(crate) fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    pub(crate) fn file(&mut self, file: usize) -> Result<&mut FileImage> {
        self.files.get_mut(file).ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// The file and something to draw from.
    pub(crate) fn file_and_random(&mut self, file: usize) -> Result<(&mut FileImage, &mut Random)> {
        let image = self.files.get_mut(file).ok_or(ErrorKind::NotFound)?;
        Ok((image, &mut self.random))
    }

    pub(crate) fn find(&self, path: &Path) -> Result<usize> {
        match self.live.get(path) {
            Some(Node::File(file)) => Ok(*file),
            Some(Node::Folder) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    pub(crate) fn create(&mut self, path: &Path) -> Result<usize> {
        if self.live.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if path.parent().and_then(|folder| self.live.get(folder)) != Some(&Node::Folder) {
            return Err(ErrorKind::NotFound.into());
        }
        self.files.push(FileImage::default());
        let file = self.files.len() - 1;
        self.change(vec![(path.to_owned(), Some(Node::File(file)))]);
        Ok(file)
    }

    /// Gives a file another name.
    pub(crate) fn link(&mut self, from: &Path, to: &Path) -> Result<()> {
        let file = self.find(from)?;
        if self.live.contains_key(to) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if to.parent().and_then(|folder| self.live.get(folder)) != Some(&Node::Folder) {
            return Err(ErrorKind::NotFound.into());
        }
        self.has_links = true;
        self.change(vec![(to.to_owned(), Some(Node::File(file)))]);
        Ok(())
    }

    pub(crate) fn remove_folder(&mut self, path: &Path) -> Result<()> {
        if self.live.get(path) != Some(&Node::Folder) {
            return Err(ErrorKind::NotFound.into());
        }
        if self.live.keys().any(|other| other.parent() == Some(path)) {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        self.change(vec![(path.to_owned(), None)]);
        Ok(())
    }

    pub(crate) fn create_folder(&mut self, path: &Path) {
        let missing: Vec<PathBuf> =
            path.ancestors().filter(|folder| !self.live.contains_key(*folder)).map(Path::to_owned).collect();
        for folder in missing.into_iter().rev() {
            self.change(vec![(folder, Some(Node::Folder))]);
        }
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        let file = self.find(from)?;
        if to.parent().and_then(|folder| self.live.get(folder)) != Some(&Node::Folder) {
            return Err(ErrorKind::NotFound.into());
        }
        self.change(vec![(from.to_owned(), None), (to.to_owned(), Some(Node::File(file)))]);
        Ok(())
    }

    pub(crate) fn remove(&mut self, path: &Path) -> Result<()> {
        self.find(path)?;
        self.change(vec![(path.to_owned(), None)]);
        Ok(())
    }

    fn change(&mut self, sets: Vec<(PathBuf, Option<Node>)>) {
        let change = FolderChange(sets);
        apply(&mut self.live, &change);
        self.pending.push(change);
    }

    pub(crate) fn sync_folder(&mut self, folder: &Path) {
        let (durable, pending) = (&mut self.durable, std::mem::take(&mut self.pending));
        for change in pending {
            if change.0.iter().any(|(path, _)| path.parent() == Some(folder)) {
                apply(durable, &change);
            } else {
                self.pending.push(change);
            }
        }
    }

    pub(crate) fn list(&self, folder: &Path) -> Result<Vec<DirEntry>> {
        if self.live.get(folder) != Some(&Node::Folder) {
            return Err(ErrorKind::NotFound.into());
        }
        let entries = self.live.iter().filter(|(path, _)| path.parent() == Some(folder));
        let entries = entries.filter_map(|(path, node)| {
            let name = path.file_name()?.to_str()?.to_owned();
            Some(match node {
                Node::Folder => DirEntry { name, len: 0, is_dir: true },
                Node::File(file) => DirEntry { name, len: self.files.get(*file)?.len(), is_dir: false },
            })
        });
        Ok(entries.collect())
    }

    pub(crate) fn lock(&mut self, path: &Path, mode: LockMode) -> Result<()> {
        if !self.live.contains_key(path) {
            self.create(path)?;
        }
        let holders = self.locks.entry(path.to_owned()).or_default();
        match mode {
            LockMode::Exclusive if *holders == 0 => *holders = -1,
            LockMode::Shared if *holders >= 0 => *holders += 1,
            _ => return Err(ErrorKind::WouldBlock.into()),
        }
        Ok(())
    }

    pub(crate) fn unlock(&mut self, path: &Path, start: u64) {
        if start == self.starts
            && let Some(holders) = self.locks.get_mut(path)
        {
            *holders -= holders.signum();
        }
    }

    pub(crate) fn free_space(&self) -> u64 {
        let allocated = |file: usize| self.files.get(file).map_or(0, FileImage::allocated);
        let named = self.live.values().filter_map(|node| node.file());
        let used: u64 = if self.has_links {
            // A file of several names takes its room once.
            named.collect::<BTreeSet<usize>>().into_iter().map(allocated).sum()
        } else {
            named.map(allocated).sum()
        };
        self.capacity.saturating_sub(used)
    }
}

fn mix(digest: u64, word: u64) -> u64 {
    (digest.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn apply(nodes: &mut BTreeMap<PathBuf, Node>, change: &FolderChange) {
    for (path, node) in &change.0 {
        match node {
            Some(node) => _ = nodes.insert(path.clone(), *node),
            None => _ = nodes.remove(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_were_not_synced_may_go_and_others_stay() {
        let (mut kept, mut gone) = (0, 0);
        for seed in 0..100 {
            let mut world = World::new(seed, Path::new("/s"), 1 << 20);
            world.create(Path::new("/s/safe")).unwrap();
            world.sync_folder(Path::new("/s"));
            world.create(Path::new("/s/new")).unwrap();
            world.rename(Path::new("/s/safe"), Path::new("/s/renamed")).unwrap();
            world.power_cycle();
            let names: Vec<String> = world.list(Path::new("/s")).unwrap().into_iter().map(|entry| entry.name).collect();
            let renamed = names.iter().any(|name| name == "renamed");
            assert!(renamed != names.iter().any(|name| name == "safe"), "a rename is whole: {names:?}");
            if names.iter().any(|name| name == "new") { kept += 1 } else { gone += 1 }
        }
        assert!(kept > 20 && gone > 20);
    }

    #[test]
    fn a_link_is_durable_for_itself_and_takes_no_room() {
        for seed in 0..50 {
            let mut world = World::new(seed, Path::new("/s"), 1 << 20);
            let file = world.create(Path::new("/s/one")).unwrap();
            world.file(file).unwrap().write(&[7; 600], 0);
            world.file(file).unwrap().sync();
            world.sync_folder(Path::new("/s"));
            let free = world.free_space();
            world.create_folder(Path::new("/s/other"));
            world.link(Path::new("/s/one"), Path::new("/s/other/one")).unwrap();
            assert!(world.link(Path::new("/s/one"), Path::new("/s/other/one")).is_err(), "the name is taken");
            assert!(world.remove_folder(Path::new("/s/other")).is_err(), "it is not empty");
            assert_eq!(world.free_space(), free);
            world.sync_folder(Path::new("/s"));
            world.sync_folder(Path::new("/s/other"));
            world.remove(Path::new("/s/one")).unwrap();
            world.sync_folder(Path::new("/s"));
            world.power_cycle();
            let found = world.find(Path::new("/s/other/one")).unwrap();
            let mut bytes = [0; 600];
            assert!(world.file(found).unwrap().read(&mut bytes, 0));
            assert_eq!(bytes, [7; 600], "one name goes, the file stays");
            assert!(world.find(Path::new("/s/one")).is_err());
        }
    }

    #[test]
    fn locks_go_with_the_program() {
        let (root, lock) = (Path::new("/s"), Path::new("/s/LOCK"));
        let mut world = World::new(1, root, 1 << 20);
        world.lock(lock, LockMode::Exclusive).unwrap();
        assert_eq!(world.lock(lock, LockMode::Shared).unwrap_err().kind(), ErrorKind::WouldBlock);
        world.restart();
        world.lock(lock, LockMode::Shared).unwrap();
        world.lock(lock, LockMode::Shared).unwrap();
        world.unlock(lock, world.start());
        assert!(world.lock(lock, LockMode::Exclusive).is_err());
        world.unlock(lock, world.start());
        world.lock(lock, LockMode::Exclusive).unwrap();
    }
}
