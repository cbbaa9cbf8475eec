//! What the threads of an open store share.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::backup::Pinned;
use crate::catalog::{Catalog, Snapshot};
use crate::changes::ChosenRows;
use crate::error::{Error, ErrorKind, Result};
use crate::figures::{Counters, timed};
use crate::hold::Holds;
use crate::housekeeping;
use crate::idempotency::IdempotencyTable;
use crate::layout::{FileKind, FileName};
use crate::log::LogFile;
use crate::manifest::{DurableFloor, Manifest, ManifestStore};
use crate::options::Options;
use crate::owed::Owed;
use crate::queue::Backlog;
use crate::recent::{ChangeKind, Recent};
use crate::scrub::Scrub;
use crate::spare::Spares;
use crate::threading::atomic::AtomicBool;
use crate::threading::{Condvar, Mutex, RwLock};
use crate::watermark::{DurablePoint, Watermarks, read_together};

/// State shared by callers, the writer, the syncer and the maintenance thread.
///
/// Lock order: `maintenance`, `control`, `manifest`, `catalog`; `syncing` on its own. The writer takes
/// `syncing` and the last two.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) store: u128,
    pub(crate) epoch: u32,
    pub(crate) catalog: RwLock<Arc<Catalog>>,
    pub(crate) watermarks: Watermarks,
    pub(crate) backlog: Backlog,
    /// One sync at a time.
    pub(crate) syncing: Mutex<()>,
    /// One seal or compaction at a time.
    pub(crate) maintenance: Mutex<()>,
    /// Held while rows are chosen, logged and marked: deletes, marks, batches that replace and the
    /// publication of rewritten segments exclude each other, so no change falls between two views of the
    /// same rows.
    pub(crate) control: Mutex<ControlState>,
    pub(crate) manifest: Mutex<ManifestStore>,
    /// Files given up by the last commits whose names are not yet off the manifest's list.
    pub(crate) removed: Mutex<Vec<FileName>>,
    /// Files that backups still need.
    pub(crate) pinned: Pinned,
    pub(crate) idempotency: Mutex<IdempotencyTable>,
    /// The latest marks and deletes, for those who follow.
    pub(crate) recent: Recent,
    /// What damaged segments have not taken, as found at open: later changes that concern one fail.
    pub(crate) owed: Owed,
    /// What nothing may remove.
    pub(crate) holds: Holds,
    /// Idempotency keys whose first use still runs.
    pub(crate) running_keys: Mutex<HashSet<u128>>,
    pub(crate) disk_full: AtomicBool,
    /// Why the last background seal or compaction failed, if it did.
    pub(crate) maintenance_failure: Mutex<Option<String>>,
    /// Whether the maintenance thread is still to check segments, or does.
    pub(crate) checking: AtomicBool,
    /// Why nothing can be written, for a store opened read-only.
    pub(crate) read_only: Option<Error>,
    pub(crate) wake: Wake,
    pub(crate) spares: Spares,
    /// Segments were sealed since the last compaction.
    pub(crate) compaction_due: AtomicBool,
    /// Segments that a clean-up cut: the maintenance thread rewrites next those of which much is deleted.
    pub(crate) cut: Mutex<BTreeSet<u64>>,
    pub(crate) counters: Counters,
    pub(crate) scrub: Scrub,
    /// The directory lock; given back at close.
    pub(crate) lock: Mutex<Option<Box<dyn Send + Sync>>>,
}

/// The last control operation that overlays hold.
#[derive(Debug, Default)]
pub(crate) struct ControlState {
    pub(crate) applied_ordinal: u64,
}

/// Wakes the maintenance thread.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    pub(crate) state: Mutex<WakeState>,
    pub(crate) changed: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct WakeState {
    pub(crate) work: bool,
    pub(crate) stop: bool,
}

impl Shared {
    /// Whether the store is being closed: background work ends.
    pub(crate) fn is_closing(&self) -> bool {
        self.wake.state.lock().stop
    }

    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.read())
    }

    /// Swaps in a changed catalog.
    pub(crate) fn update_catalog<T>(&self, change: impl FnOnce(&mut Catalog) -> T) -> T {
        let mut current = self.catalog.write();
        let mut next = Catalog::clone(&current);
        let answer = change(&mut next);
        next.keep_list(&current);
        *current = Arc::new(next);
        answer
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let (catalog, visible) = read_together(|| self.catalog(), || self.watermarks.visible());
        Snapshot::new(catalog, visible)
    }

    /// Commits a changed manifest; on failure the old one stays in force, or the store is poisoned if
    /// nobody can tell which of the two holds.
    pub(crate) fn update_manifest<T>(&self, change: impl FnOnce(&mut Manifest) -> T) -> Result<T> {
        let mut state = self.manifest.lock();
        // ORDER: asked under the lock, so that nothing is committed behind a close.
        self.check_writable()?;
        let mut next = state.current().clone();
        let mut removed = self.removed.lock();
        next.dropping.retain(|file| !removed.contains(file));
        next.announced.retain(|file| !removed.contains(file));
        let answer = change(&mut next);
        let durable = self.watermarks.durable();
        let floor = DurableFloor { log_id: durable.log_id, offset: durable.offset, sequence: durable.sequence };
        next.durable_floor = Some(floor).filter(|floor| next.logs.iter().any(|log| log.id == floor.log_id));
        if let Err(error) = state.commit(&next) {
            return Err(if state.is_outcome_unknown() { self.watermarks.poison(&error) } else { error });
        }
        removed.clear();
        Ok(answer)
    }

    /// Takes ids for new files and names them in the manifest first: what a crash leaves of them is
    /// known to be nobody's.
    pub(crate) fn announce(&self, kind: FileKind, count: usize) -> Result<std::ops::Range<u64>> {
        if count == 0 {
            return Ok(0..0);
        }
        self.update_manifest(|manifest| manifest.announce(kind, count))
    }

    /// Removes what a failed attempt left of announced files, so that many attempts take no more room
    /// than one. Of a poisoned store nobody knows what its manifest names: there nothing is touched.
    pub(crate) fn discard(&self, kind: FileKind, ids: impl IntoIterator<Item = u64>) {
        if self.check_writable().is_err() {
            return;
        }
        let files: Vec<FileName> = ids.into_iter().map(|id| FileName::new(kind, id)).collect();
        let (storage, directory) = (&*self.options.storage, &self.options.directory);
        // What cannot be removed stays announced, and the next open removes it.
        if housekeeping::remove_unfinished(storage, directory, &files).is_ok() {
            self.removed.lock().extend(files);
        }
    }

    /// Unlinks what the committed manifest gave up, then forgets it.
    pub(crate) fn remove_dropped(&self) -> Result<()> {
        let removed = self.removed.lock().clone();
        let mut dropping = self.manifest.lock().current().dropping.clone();
        // ORDER: asked behind the manifest's lock, under which files are pinned. They go when the backup has them.
        dropping.retain(|file| !removed.contains(file) && !self.pinned.contains(*file));
        if dropping.is_empty() {
            return Ok(());
        }
        housekeeping::remove_dropped(&*self.options.storage, &self.options.directory, &dropping)?;
        // They leave the list with the next commit: an entry without a file does no harm.
        self.removed.lock().extend(dropping);
        Ok(())
    }

    /// Gives up whole segments with one manifest commit. The caller holds the control lock.
    pub(crate) fn drop_segments(&self, ids: &[u64]) -> Result<()> {
        self.update_manifest(|manifest| manifest.drop_segments(ids))?;
        self.update_catalog(|catalog| catalog.sealed.retain(|entry| !ids.contains(&entry.entry.id)));
        Ok(())
    }

    /// Tells followers of a change that is visible now; `before` is the view its rows were chosen from.
    /// The caller holds the control lock.
    pub(crate) fn note_change(&self, before: &Snapshot, chosen: &ChosenRows, kind: ChangeKind) {
        if chosen.len() > 0 && self.recent.note(before, chosen, kind) {
            self.watermarks.wake_followers(1);
        }
    }

    /// Tells followers that more changed than can be told one by one. The caller holds the control lock.
    pub(crate) fn note_many_changes(&self) {
        if self.recent.note_many() {
            self.watermarks.wake_followers(1);
        }
    }

    /// `Poisoned` if nothing may be written.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if let Some(reason) = &self.read_only {
            return Err(Error::new(ErrorKind::Poisoned, format!("the store is open read-only: {reason}")));
        }
        self.watermarks.check()
    }

    /// Tells the maintenance thread that there is something to do.
    pub(crate) fn wake_maintenance(&self) {
        self.wake.state.lock().work = true;
        self.wake.changed.notify_all();
    }

    /// Makes a log durable up to `point`, or poisons the store.
    ///
    /// ORDER: one sync at a time, and none behind a failed one. A failure is told to one caller of the
    /// file only; another that synced meanwhile would take lost bytes for durable ones. And never a
    /// second try: the kernel may call pages clean that it dropped.
    pub(crate) fn sync_log(&self, log: &LogFile, point: DurablePoint) -> Result<()> {
        let _one_at_a_time = self.syncing.lock();
        self.watermarks.check()?;
        timed(&self.options, &self.counters.sync_time, || log.sync())
            .map_err(|error| self.watermarks.lose_log(&error))?;
        self.watermarks.advance_durable(point);
        Ok(())
    }
}
