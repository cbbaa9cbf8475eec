//! Files that must not be removed yet, although no manifest names them any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::layout::FileName;
use crate::shared::Shared;
use crate::threading::Mutex;

/// How many backups still need each file. A leaf: nothing is locked inside it.
#[derive(Debug, Default)]
pub(crate) struct Pinned(Mutex<BTreeMap<FileName, u32>>);

impl Pinned {
    pub(crate) fn contains(&self, file: FileName) -> bool {
        self.0.lock().contains_key(&file)
    }

    fn release(&self, file: FileName) {
        let mut files = self.0.lock();
        match files.get_mut(&file) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = files.remove(&file),
        }
    }
}

/// The files that one backup still needs; what became of them meanwhile is done when it ends.
pub(crate) struct Pins {
    shared: Arc<Shared>,
    files: Mutex<Vec<FileName>>,
}

impl Pins {
    /// ORDER: under the manifest's lock, with the manifest that names the files: whoever removes files reads which ones
    /// under that lock and asks for pins behind it.
    pub(crate) fn new(shared: &Arc<Shared>, files: impl Iterator<Item = FileName>) -> Self {
        let files: Vec<FileName> = files.collect();
        let mut pinned = shared.pinned.0.lock();
        for file in &files {
            *pinned.entry(*file).or_default() += 1;
        }
        drop(pinned);
        Self { shared: Arc::clone(shared), files: Mutex::new(files) }
    }

    /// The backup has this one.
    pub(super) fn release(&self, file: FileName) {
        let mut files = self.files.lock();
        if let Some(index) = files.iter().position(|pinned| *pinned == file) {
            files.swap_remove(index);
            self.shared.pinned.release(file);
        }
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        for file in self.files.lock().drain(..) {
            self.shared.pinned.release(file);
        }
        if self.shared.options.background {
            self.shared.wake_maintenance();
        } else if self.shared.check_writable().is_ok() && !self.shared.is_closing() {
            // What cannot be removed now is removed with what is dropped next, or at the next open.
            _ = self.shared.remove_dropped();
        }
    }
}
