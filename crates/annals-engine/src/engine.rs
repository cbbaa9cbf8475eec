//! The engine's face: open, append, flush, snapshot, delete, mark, close.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::backup::{Backup, BackupOptions, BackupReport};
use crate::batch::Batch;
use crate::blob::read_blob;
use crate::catalog::{LiveEntry, SealedEntry, Snapshot};
use crate::changes;
use crate::compaction::{Eagerness, compact};
use crate::error::{Error, ErrorKind, Result};
use crate::event::StoredEvent;
use crate::fold;
use crate::follow::{ChangeFollower, Follower};
use crate::id::EventId;
use crate::maintenance;
use crate::open;
use crate::options::{Durability, Options};
use crate::part::Part;
use crate::queue::{self, AppendJob, Job};
use crate::recent::ChangeKind;
use crate::replacing::{self, Replaced};
use crate::requests::{
    Amendment, AppendOptions, Delete, DurabilityTicket, EngineStats, Idempotency, Mark, ReadMark, Receipt, Repeats,
    VerifyReport,
};
use crate::scrub;
use crate::seal::seal_oldest;
use crate::shared::Shared;
use crate::sync;
use crate::threading::Mutex;
use crate::threading::atomic::{AtomicBool, Ordering};
use crate::threading::channel::Sender;
use crate::threading::{JoinHandle, channel, spawn_named};
use crate::verify;
use crate::writer::Writer;

/// An open store. Clones share it; every method can be called from any thread.
///
/// The default level is [`Durability::Interval`]: an acknowledged batch survives a crash of the process,
/// and a power cut may take the last 200 ms. See [`Options::durability`].
///
/// ```
/// use annals_engine::{AppendOptions, Batch, Engine, Event, Field, Filter, Options};
/// # let directory = tempfile::tempdir().expect("a folder for the example");
/// # let mut options = Options::new(directory.path());
/// # options.log_size_bytes = 1 << 20;
/// let engine = Engine::open(options)?;
/// let mut batch = Batch::new();
/// let mut event = Event::new("user.login");
/// event.set(Field::UserId, "ada");
/// batch.push(&event)?;
/// let receipt = engine.append(batch, &AppendOptions::default())?;
/// assert_eq!(receipt.sequences, 1..2);
/// let found = engine.snapshot().get(receipt.ids[0])?.expect("just stored");
/// assert_eq!(found.get(Field::UserId), Some("ada"));
/// engine.close()?;
/// # Ok::<(), annals_engine::Error>(())
/// ```
#[derive(Clone)]
pub struct Engine {
    handle: Arc<Handle>,
}

/// Closes the store when the last clone goes.
struct Handle {
    shared: Arc<Shared>,
    jobs: Sender<Job>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    closed: AtomicBool,
    notes: Vec<String>,
}

impl Engine {
    /// Opens the store in `options.directory`, making one if there is none, and recovers it.
    ///
    /// # Errors
    /// `InvalidInput` for an option outside its range; `Locked` if another process has the store;
    /// `Corrupt` if durable data of a log is damaged (see [`Options::degraded`]) or no manifest can be
    /// read; `UnsupportedFormat` if a newer version wrote it; `DiskFull`, `Io`.
    pub fn open(options: Options) -> Result<Engine> {
        let opened = open::open(options)?;
        let shared = Arc::new(opened.shared);
        let (jobs, receiver) = channel::unbounded();
        let mut threads = Vec::new();
        if let Some(start) = opened.start {
            let (syncs, requests) = channel::unbounded();
            let writer = Writer {
                shared: Arc::clone(&shared),
                jobs: receiver,
                syncs,
                sync_asked_offset: start.active.end_offset,
                active: start.active,
                next_sequence: start.next_sequence,
                control_ordinal: start.control_ordinal,
                last_made_us: start.last_made_us,
                sync_due: None,
                age_due: start.age_due,
                marker_due: None,
                room_due: None,
            };
            threads.push(spawn("annals-writer", &shared, move |_| writer.run())?);
            threads.push(spawn("annals-sync", &shared, move |shared| sync::run(shared, &requests))?);
            if shared.options.background {
                shared.checking.store(!shared.catalog().sealed.is_empty(), Ordering::Relaxed);
                threads.push(spawn("annals-maintenance", &shared, maintenance::run)?);
                if shared.options.scrub_period_ms > 0 {
                    let begin_at = scrub::begin_at(&shared);
                    threads.push(spawn("annals-scrub", &shared, move |shared| scrub::run(shared, begin_at))?);
                }
                shared.wake_maintenance();
            }
        }
        let closed = AtomicBool::new(false);
        let handle = Handle { shared, jobs, threads: Mutex::new(threads), closed, notes: opened.notes };
        Ok(Engine { handle: Arc::new(handle) })
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// An empty batch for this store, with the memory of one that was written before if any is at hand. Worth it
    /// for batches of hundreds of events and more.
    pub fn spare_batch(&self) -> Batch {
        self.shared().spares.take()
    }

    /// Appends a batch, whole or not at all. Returns when the level's acknowledgement is due; later
    /// queries then see it. Waits up to 10 s for room in the queue.
    ///
    /// # Errors
    /// `InvalidInput` for a level below the store's, an event too far in the future, or an id that comes
    /// twice in a batch that replaces; `Corrupt` if a segment that may hold an older event with such an id
    /// is damaged; `Conflict` for an
    /// idempotency key used with another body; `Busy` if the queue stays full or the key's first use
    /// still runs; `DiskFull`; `Poisoned`. Nothing of the batch is stored, except that after `Poisoned`
    /// the outcome is unknown until the store is opened again: a write or a sync that fails for whatever
    /// reason, a full disk included, is `Poisoned` and has the reason as its source.
    pub fn append(&self, batch: Batch, how: &AppendOptions) -> Result<Receipt> {
        let size_bytes = batch.size_bytes();
        let appended = self.append_batch(batch, how);
        let new = |receipt: &Receipt| {
            if receipt.replayed { 0 } else { receipt.sequences.end.saturating_sub(receipt.sequences.start) }
        };
        self.shared().counters.append(size_bytes, appended.as_ref().map(new));
        appended
    }

    fn append_batch(&self, batch: Batch, how: &AppendOptions) -> Result<Receipt> {
        let shared = self.shared();
        shared.check_writable()?;
        if let Some(level) = how.durability
            && level < shared.options.durability
        {
            let own = shared.options.durability;
            return Err(Error::invalid_input(format!("durability {level} is below the store's, which is {own}")));
        }
        if batch.is_empty() {
            return Err(Error::invalid_input("a batch needs at least one event"));
        }
        self.check_future(&batch)?;
        let mut how = how.clone();
        let replaces = how.repeats == Repeats::Replace && batch.records.iter().any(|record| record.id.is_some());
        if replaces {
            replacing::check_ids(&batch)?;
        } else {
            how.repeats = Repeats::Skip;
        }
        let _running = RunningKey::begin(shared, how.idempotency)?;
        let size_bytes = batch.size_bytes();
        shared.backlog.admit(size_bytes, || shared.options.clock.monotonic())?;
        // Behind the queue's bound: sealing makes room there, and takes this lock.
        let mut control = (replaces || !batch.acknowledged.is_empty()).then(|| shared.control.lock());
        let sealed = if replaces { self.find_sealed(&batch, &how) } else { Ok(None) };
        let sealed = sealed.inspect_err(|_| shared.backlog.release(size_bytes))?;
        let job = |reply| Job::Append(AppendJob { batch, how, size_bytes, sealed, reply });
        let appended = queue::ask(&self.handle.jobs, job)?;
        if let (Some(control), Some(shown)) = (&mut control, appended.shown) {
            control.applied_ordinal = shown.ordinal;
            shared.note_change(&shown.before, &shown.replaced, ChangeKind::Deleted);
        }
        Ok(appended.receipt)
    }

    /// What the batch replaces in sealed segments; `None` if its answer is known already.
    fn find_sealed(&self, batch: &Batch, how: &AppendOptions) -> Result<Option<Box<Replaced>>> {
        let shared = self.shared();
        if let Some(key) = how.idempotency
            && shared.idempotency.lock().find(key.key, self.options().clock.now_us()).is_some()
        {
            return Ok(None);
        }
        let found = replacing::find_in_sealed(batch, &how.scope, &shared.catalog())?;
        Ok(Some(Box::new(found)))
    }

    /// The latest `created_at` an event may have now, inclusive: [`Options::future_ms_max`] from now.
    pub fn latest_created_at_us(&self) -> i64 {
        let options = self.options();
        let ahead_us = i64::try_from(options.future_ms_max.saturating_mul(1000)).unwrap_or(i64::MAX);
        options.clock.now_us().saturating_add(ahead_us)
    }

    fn check_future(&self, batch: &Batch) -> Result<()> {
        let latest_us = self.latest_created_at_us();
        let late = batch.records.iter().position(|record| record.created_at_us.is_some_and(|time| time > latest_us));
        match late {
            None => Ok(()),
            Some(index) => Err(Error::invalid_input(format!(
                "created_at of event {index} of the batch lies more than {} ms in the future",
                self.options().future_ms_max
            ))),
        }
    }

    /// Waits until a ticket's batch is durable. At level `buffered` this syncs.
    ///
    /// # Errors
    /// `Poisoned` if it will never be.
    pub fn wait_durable(&self, ticket: DurabilityTicket) -> Result<()> {
        if self.shared().options.durability == Durability::Buffered && self.durable_sequence() < ticket.0 {
            self.flush()?;
        }
        self.shared().watermarks.wait_durable(ticket.0)
    }

    /// Makes everything appended so far durable; returns the last durable sequence.
    ///
    /// # Errors
    /// `Poisoned`, also if the sync fails.
    pub fn flush(&self) -> Result<u64> {
        queue::ask(&self.handle.jobs, Job::Flush)
    }

    /// One immutable view for any number of queries. Costs O(segments); blocks nobody.
    ///
    /// After a write or a sync of the log that failed it ends at [`Engine::durable_sequence`]: behind that the page
    /// cache may hold neither what was written nor what was there before.
    pub fn snapshot(&self) -> Snapshot {
        self.shared().snapshot()
    }

    /// The last sequence a query sees. Only rises, but for a write or a sync of the log that fails at a level below
    /// `sync`: what was visible and not durable is not shown any more.
    pub fn visible_sequence(&self) -> u64 {
        self.shared().watermarks.visible()
    }

    /// The last sequence known to be durable.
    pub fn durable_sequence(&self) -> u64 {
        self.shared().watermarks.durable().sequence
    }

    /// Waits for events to become visible; any number of followers costs the writer the same.
    pub fn follow(&self) -> Follower {
        Follower::new(Arc::clone(&self.handle.shared))
    }

    /// Hears of marks and deletes from now on.
    pub fn follow_changes(&self) -> ChangeFollower {
        ChangeFollower::new(Arc::clone(&self.handle.shared))
    }

    /// The event with this id; of several, the one with the highest sequence. Costs O(segments).
    ///
    /// # Errors
    /// `Corrupt` if a segment that may hold it is damaged.
    pub fn get(&self, id: EventId) -> Result<Option<StoredEvent>> {
        self.snapshot().get(id)
    }

    /// Deletes and returns how many; durable and visible to every later query on return. A filter costs
    /// the same for ten events and ten million, a clean-up one manifest commit: the maintenance thread then
    /// gives the room back, whole segments first, and rewrites the segments that the cutoff cuts.
    ///
    /// # Errors
    /// `InvalidInput` for a cutoff in the future or a filter that is nested too deep; `Corrupt` if a
    /// segment it touches is damaged, then nothing is deleted; `DiskFull`, `Poisoned`.
    pub fn delete(&self, what: &Delete) -> Result<u64> {
        let (shared, jobs) = (self.shared(), &self.handle.jobs);
        let deleted = match what {
            Delete::Sequences(sequences) => changes::delete_sequences(shared, jobs, sequences),
            Delete::Matching(filter) => changes::delete_matching(shared, jobs, filter),
            Delete::CreatedBefore(cutoff_us) => changes::delete_created_before(shared, jobs, *cutoff_us),
        }?;
        shared.counters.deleted_events.fetch_add(deleted, Ordering::Relaxed);
        Ok(deleted)
    }

    /// Changes marks and returns how many of the events are there; durable and visible on return.
    ///
    /// # Errors
    /// `Corrupt` if a segment it touches is damaged; `DiskFull`, `Poisoned`.
    pub fn mark(&self, marks: &[Mark]) -> Result<u64> {
        changes::mark(self.shared(), &self.handle.jobs, marks)
    }

    /// Changes what a notification says about itself: see [`Amendment`]. Every later query sees the new
    /// values, filters and counts included; durable on return. Returns whether the event is there.
    ///
    /// # Errors
    /// `InvalidInput` for a value beyond the limits of its field, or if amendments and read receipts of
    /// one segment would exceed 64 MiB; `Corrupt` if a segment that may hold it is damaged; `DiskFull`,
    /// `Poisoned`.
    pub fn amend(&self, amendment: &Amendment) -> Result<bool> {
        changes::amend(self.shared(), &self.handle.jobs, amendment)
    }

    /// Notes that users have read events and returns how many of the marks are new: of an event and a user
    /// the first one stays, and events that are not there are not counted. Durable on return;
    /// [`Snapshot::read_receipt`] tells.
    ///
    /// # Errors
    /// As for [`Engine::amend`].
    pub fn mark_read(&self, marks: &[ReadMark]) -> Result<u64> {
        changes::mark_read(self.shared(), &self.handle.jobs, marks)
    }

    /// Whether [`Engine::mark_read`] would have room for these marks now, for a caller who writes something
    /// else first. Others may fill the room in between.
    ///
    /// # Errors
    /// `InvalidInput` if amendments and read receipts of one segment would exceed 64 MiB; `Corrupt` if a
    /// segment that may hold an event is damaged.
    pub fn check_read_room(&self, marks: &[ReadMark]) -> Result<()> {
        changes::check_read_room(&self.snapshot(), marks)
    }

    /// Seals everything appended so far and waits for it.
    ///
    /// # Errors
    /// `DiskFull`, `Io`, `Corrupt`, `Poisoned`. It can be repeated.
    pub fn seal_now(&self) -> Result<()> {
        queue::ask(&self.handle.jobs, Job::Rotate)?;
        while seal_oldest(self.shared())? {}
        self.shared().wake_maintenance();
        Ok(())
    }

    /// Merges the segments of each partition, packs those that gain by it however fresh they are, and removes
    /// deleted rows for good; returns how many segments were rewritten or dropped. Costs reading and writing them.
    ///
    /// # Errors
    /// `DiskFull`, `Io`, `Corrupt`, `Poisoned`. It can be repeated.
    pub fn compact(&self) -> Result<u64> {
        self.shared().check_writable()?;
        compact(self.shared(), Eagerness::Everything)
    }

    /// Reads everything and reports damage. `progress` gets bytes done and bytes in all.
    ///
    /// # Errors
    /// None today: damage is in the report. A later version may need one.
    pub fn verify(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport> {
        if self.shared().check_writable().is_ok() {
            self.flush()?;
        }
        Ok(verify::verify(self.shared(), progress))
    }

    /// Begins a backup: the store as of now, everything acknowledged before this call in it and whole batches only. The
    /// files it needs are kept until it is written or dropped, so disk space that is given up meanwhile comes back later.
    ///
    /// # Errors
    /// `Poisoned` for a store that takes no writes: what is not acknowledged there is not known until it is opened again.
    pub fn begin_backup(&self) -> Result<Backup> {
        Backup::cut(&self.handle.shared, &self.handle.jobs)
    }

    /// Writes a backup into a folder that is missing or empty, while appends, deletes and everything else go on:
    /// [`Engine::begin_backup`] and [`Backup::write`] in one.
    ///
    /// # Errors
    /// As those two.
    pub fn backup(
        &self,
        destination: &Path,
        options: &BackupOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<BackupReport> {
        self.begin_backup()?.write(destination, options, progress)
    }

    /// Leaves out the segments in which a query came upon damage, if the store was opened with
    /// [`Options::degraded`]: later queries answer without them, [`Snapshot::gaps`] says what is missing, and writes are
    /// refused from then on. Returns how many there were; 0 and nothing done for any other store. Costs O(segments).
    pub fn set_damaged_aside(&self) -> usize {
        let shared = self.shared();
        let met_damage = |entry: &SealedEntry| entry.segment.as_ref().is_some_and(|segment| segment.has_met_damage());
        if !shared.options.degraded || !shared.catalog().sealed.iter().any(met_damage) {
            return 0;
        }
        // ORDER: no write may choose its rows from what is left.
        shared.watermarks.poison(&Error::corrupt("a sealed segment is damaged and the store is open degraded"));
        let _no_change_runs = shared.control.lock();
        shared.update_catalog(|catalog| {
            let mut aside = 0;
            for entry in catalog.sealed.iter_mut().filter(|entry| met_damage(entry)) {
                let damage = Error::corrupt("the segment is damaged and left out");
                catalog.gaps.push(entry.skip(&damage));
                aside += 1;
            }
            aside
        })
    }

    /// Figures. Costs O(segments).
    pub fn stats(&self) -> EngineStats {
        stats_of(self.shared())
    }

    /// Stores a small named value (name up to 255 bytes, value up to 16 MiB) durably beside the events,
    /// replacing an earlier one.
    ///
    /// # Errors
    /// `InvalidInput` if name or value are too long or the name is reserved; `DiskFull`, `Io`, `Poisoned`.
    pub fn put_blob(&self, name: &str, bytes: &[u8]) -> Result<()> {
        if name.starts_with('.') {
            return Err(Error::invalid_input(format!("the name {name:?} is reserved: it starts with a dot")));
        }
        let shared = self.shared();
        shared.check_writable()?;
        let blob = fold::new_blob(shared, name, bytes)?;
        let committed = shared.update_manifest(|manifest| blob.commit(manifest));
        if committed.is_err() {
            blob.discard(shared);
        }
        committed?;
        shared.remove_dropped()
    }

    /// A named value.
    ///
    /// # Errors
    /// `Corrupt` if its file is damaged, `Io`.
    pub fn get_blob(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let shared = self.shared();
        // Held while the file is read, so that no newer value removes it meanwhile.
        let manifest = shared.manifest.lock();
        let Some(blob) = manifest.current().blobs.iter().find(|blob| blob.name == name) else { return Ok(None) };
        let read = read_blob(&*shared.options.storage, &shared.options.directory, shared.store, blob);
        read.map(Some).map_err(open::missing_is_damage)
    }

    /// What recovery did when the store was opened, a sentence each; empty after a clean close.
    pub fn recovery_notes(&self) -> &[String] {
        &self.handle.notes
    }

    /// Why writes are refused, if they are.
    pub fn write_refusal(&self) -> Option<Error> {
        self.shared().check_writable().err()
    }

    /// Stops background work, syncs and writes a clean end. Later writes on any clone are `Poisoned`;
    /// snapshots taken before stay readable.
    ///
    /// # Errors
    /// `Poisoned` if the last sync fails: the next open recovers.
    pub fn close(&self) -> Result<()> {
        self.handle.close()
    }

    /// The options it was opened with.
    pub fn options(&self) -> &Options {
        &self.shared().options
    }
}

impl Handle {
    fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        {
            let mut wake = self.shared.wake.state.lock();
            wake.stop = true;
            self.shared.wake.changed.notify_all();
        }
        self.shared.backlog.close();
        let no_seal_runs = self.shared.maintenance.lock();
        let closed = if self.shared.read_only.is_some() { Ok(()) } else { queue::ask(&self.jobs, Job::Close) };
        {
            // ORDER: under the manifest's lock, so that no commit follows when the directory is given back.
            let _no_commit_runs = self.shared.manifest.lock();
            self.shared.watermarks.poison(&queue::closed());
        }
        // The maintenance thread may wait for this lock; it finds the store closed and ends.
        drop(no_seal_runs);
        for thread in self.threads.lock().drain(..) {
            // A panic in a thread was reported when it happened; the store is closed either way.
            _ = thread.join();
        }
        self.shared.lock.lock().take();
        closed
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Nobody is left to tell: what could not be synced is what the level allowed to lose.
        _ = self.close();
    }
}

/// Keeps an idempotency key from being used twice at a time.
struct RunningKey<'a> {
    shared: &'a Shared,
    key: Option<u128>,
}

impl<'a> RunningKey<'a> {
    fn begin(shared: &'a Shared, idempotency: Option<Idempotency>) -> Result<Self> {
        let key = idempotency.map(|idempotency| idempotency.key);
        if key == Some(0) {
            return Err(Error::invalid_input("an idempotency key's hash must not be 0"));
        }
        if let Some(key) = key
            && !shared.running_keys.lock().insert(key)
        {
            return Err(Error::new(ErrorKind::Busy, "a request with this idempotency key still runs"));
        }
        Ok(Self { shared, key })
    }
}

impl Drop for RunningKey<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.shared.running_keys.lock().remove(&key);
        }
    }
}

fn spawn(name: &str, shared: &Arc<Shared>, body: impl FnOnce(&Shared) + Send + 'static) -> Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    let guarded = move || {
        let run = std::panic::AssertUnwindSafe(|| body(&shared));
        if std::panic::catch_unwind(run).is_err() {
            shared.watermarks.poison(&Error::new(ErrorKind::Poisoned, "a thread of the engine has panicked"));
        }
    };
    spawn_named(name, guarded)
        .map_err(|source| Error::new(ErrorKind::Io, format!("cannot start a thread: {source}")).with_source(source))
}

fn stats_of(shared: &Shared) -> EngineStats {
    let snapshot = shared.snapshot();
    let catalog = &snapshot.catalog;
    let durable = shared.watermarks.durable();
    let sealed_rows: u64 = catalog.sealed.iter().map(|entry| u64::from(entry.entry.rows)).sum();
    let live_rows: u64 = snapshot.live.iter().map(|(part, _)| u64::from(part.row_count())).sum();
    let sealed_tombstones: u64 = catalog.sealed.iter().map(|entry| entry.overlay.tombstones.len()).sum();
    let live_tombstones: u64 = catalog.live.iter().map(|entry| entry.overlay.tombstones.len()).sum();
    let tombstones = sealed_tombstones + live_tombstones;
    let active_bytes = |entry: &LiveEntry| {
        if durable.log_id == entry.segment.log_id { durable.offset } else { entry.log.first_frame_offset() }
    };
    let counters = &shared.counters;
    let (sync_time, seal_time) = (counters.sync_time.figures(), counters.seal_time.figures());
    let (queued_bytes, unsealed_logs, behind_since) = shared.backlog.figures();
    let now = shared.options.clock.monotonic();
    let seal_lag = behind_since.map_or(Duration::ZERO, |since| now.saturating_sub(since));
    EngineStats {
        events: (sealed_rows + live_rows).saturating_sub(tombstones),
        last_sequence: snapshot.visible_sequence(),
        durable_sequence: durable.sequence,
        sealed_segments: crate::codec::len_u64(catalog.sealed.len()),
        sealed_rows,
        live_rows,
        tombstones,
        sealed_bytes: catalog.sealed.iter().map(|entry| entry.entry.size_bytes).sum(),
        log_bytes: catalog.live.iter().map(|entry| entry.closed_at.unwrap_or_else(|| active_bytes(entry))).sum(),
        appended_batches: counters.appended_batches.load(Ordering::Relaxed),
        appended_events: counters.appended_events.load(Ordering::Relaxed),
        appended_bytes: counters.appended_bytes.load(Ordering::Relaxed),
        refused_batches: counters.refusals(),
        deleted_events: counters.deleted_events.load(Ordering::Relaxed),
        queued_bytes: crate::codec::len_u64(queued_bytes),
        unsealed_logs: crate::codec::len_u64(unsealed_logs),
        seal_lag_ms: u64::try_from(seal_lag.as_millis()).unwrap_or(u64::MAX),
        compaction_due: shared.compaction_due.load(Ordering::Relaxed),
        seals: seal_time.count(),
        compactions: counters.compactions.load(Ordering::Relaxed),
        syncs: sync_time.count(),
        sync_time,
        seal_time,
        compaction_time: counters.compaction_time.figures(),
        clock_steps_back: counters.clock_steps_back.load(Ordering::Relaxed),
        poisoned: shared.watermarks.is_poisoned(),
        disk_full: shared.disk_full.load(Ordering::Relaxed),
        maintenance_failure: shared.maintenance_failure.lock().clone(),
        checking: shared.checking.load(Ordering::Relaxed),
        scrub: shared.scrub.stats(|| crate::scrub::live_files(shared)),
    }
}
