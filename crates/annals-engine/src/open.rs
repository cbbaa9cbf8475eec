//! Opening a store: lock, manifest, sealed segments, logs, and the state everything starts from.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::blob::read_blob;
use crate::catalog::{Catalog, LiveEntry, SealedEntry};
use crate::compaction::has_many_tombstones;
use crate::control::{self, ControlOp};
use crate::error::{Error, ErrorKind, Result};
use crate::fold::{IDEMPOTENCY_BLOB, OWED_BLOB};
use crate::frame::{FRAME_HEADER_SIZE, FrameHeader, FrameKind};
use crate::hold::Holds;
use crate::housekeeping::{create_folders, sweep};
use crate::idempotency::{Answer, IdempotencyTable};
use crate::layout::{FileKind, LOCK_FILE, QUARANTINE_DIR, segment_path};
use crate::live::{IdRow, LiveSegment, RowsToIndex};
use crate::log::{LogFile, RecoverContext, recover_log};
use crate::lost::LostSequences;
use crate::manifest::{DurableFloor, LogEntry, Manifest, ManifestStore, SegmentEntry};
use crate::options::Options;
use crate::overlay::Overlay;
use crate::overlay_file::{OverlayPlace, read_overlay};
use crate::owed::Owed;
use crate::queue::Backlog;
use crate::record::index_payload;
use crate::replacing;
use crate::replay::replay;
use crate::requests::Gap;
use crate::segment::SealedSegment;
use crate::shared::{ControlState, Shared};
use crate::spare::Spares;
use crate::storage::{LockMode, Storage};
use crate::threading::atomic::AtomicBool;
use crate::threading::{Mutex, RwLock};
use crate::watermark::{DurablePoint, Watermarks};
use crate::writer::{Active, CONTROL_RESERVE};

/// Less room than this at the end of a log is not worth asking for.
const CONTROL_RESERVE_MIN: u64 = 4 << 10;

/// A store that was opened and recovered; nothing runs yet.
pub(crate) struct Opened {
    pub(crate) shared: Shared,
    /// Where to go on writing; absent for a store opened read-only.
    pub(crate) start: Option<WriterStart>,
    /// What recovery did, a sentence each.
    pub(crate) notes: Vec<String>,
}

/// What the writer starts from.
pub(crate) struct WriterStart {
    pub(crate) active: Active,
    pub(crate) next_sequence: u64,
    pub(crate) control_ordinal: u64,
    pub(crate) last_made_us: i64,
    /// When the log that is gone on with is old enough to be sealed; absent if it is empty.
    pub(crate) age_due: Option<Duration>,
}

/// How the walk over a log ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogEnd {
    Good,
    /// Durable data cannot be read: what follows lies behind a gap.
    Damaged,
}

/// What is gathered while segments and logs are read.
struct Recovery<'a> {
    options: &'a Options,
    manifest: &'a Manifest,
    catalog: Catalog,
    next_sequence: u64,
    control_ordinal: u64,
    last_made_us: i64,
    durable: DurablePoint,
    idempotency: IdempotencyTable,
    /// Every delete and mark that is still in a log, or that a damaged segment has not taken.
    owed: Owed,
    holds: Holds,
    /// What a repair gave up between the logs.
    lost: LostSequences,
    read_only: Option<Error>,
    notes: Vec<String>,
}

/// Opens the store of `options.directory`, or makes one.
pub(crate) fn open(options: Options) -> Result<Opened> {
    options.validate()?;
    crate::backup::refuse_to_open(&*options.storage, &options.directory)?;
    let lock = take_lock(&options)?;
    create_folders(&*options.storage, &options.directory)?;
    let mut manifest_store = match ManifestStore::load(&options.storage, &options.directory)? {
        Some(found) => found,
        None => ManifestStore::new(&options.storage, &options.directory, new_store_id(&*options.storage)?),
    };
    let manifest = manifest_store.current().clone();
    let mut recovery = Recovery::new(&options, &manifest);
    if let Some(reason) = manifest_store.fallback() {
        let message = format!("MANIFEST cannot be read, its predecessor stands in: {reason}");
        recovery.notes.push(message.clone());
        recovery.read_only = Some(Error::corrupt(message));
    }
    recovery.load_idempotency()?;
    recovery.load_lost()?;
    recovery.load_holds()?;
    recovery.open_segments()?;
    recovery.settle_owed()?;
    recovery.recover_logs()?;
    recovery.keep_owed();
    recovery.skip_damaged();
    let epoch = manifest.epoch + 1;
    let Recovery {
        catalog,
        next_sequence,
        control_ordinal,
        last_made_us,
        mut durable,
        idempotency,
        owed,
        holds,
        read_only,
        mut notes,
        ..
    } = recovery;
    let mut catalog = catalog;
    let mut active = None;
    if read_only.is_none() {
        let swept = sweep(&*options.storage, &options.directory, &manifest)?;
        notes.extend(swept.orphans.iter().map(|(from, to)| {
            format!("{} is unknown to the manifest and was moved to {}", from.display(), to.display())
        }));
        let begun = begin(&options, &mut manifest_store, &mut catalog, epoch, next_sequence, last_made_us)?;
        // What is durable of a log that is complete says nothing of the one begun behind it.
        let gone_on_with = durable.log_id == begun.log.log_id();
        durable.log_id = begun.log.log_id();
        durable.offset = if gone_on_with { begun.end_offset.max(durable.offset) } else { begun.end_offset };
        active = Some(begun);
    }
    let shared =
        share(options, manifest.store, epoch, catalog, manifest_store, idempotency, (owed, holds), read_only, lock);
    shared.watermarks.publish(next_sequence - 1);
    if durable.log_id != 0 {
        shared.watermarks.advance_durable(DurablePoint { sequence: next_sequence - 1, ..durable });
    }
    shared.control.lock().applied_ordinal = control_ordinal;
    for entry in &shared.catalog().live {
        entry.segment.watch(shared.watermarks.readable());
    }
    let age_due = active.as_ref().and_then(|active| age_due(&shared.options, active));
    let start = active.map(|active| WriterStart { active, next_sequence, control_ordinal, last_made_us, age_due });
    Ok(Opened { shared, start, notes })
}

#[expect(clippy::too_many_arguments, reason = "the one place where the parts of a store come together")]
fn share(
    options: Options,
    store: u128,
    epoch: u32,
    catalog: Catalog,
    manifest: ManifestStore,
    idempotency: IdempotencyTable,
    (owed, holds): (Owed, Holds),
    read_only: Option<Error>,
    lock: Box<dyn Send + Sync>,
) -> Shared {
    // What a clean-up cut before a crash was to be rewritten next.
    let cut = catalog.sealed.iter().filter(|entry| has_many_tombstones(entry)).map(|entry| entry.entry.id);
    let cut = if read_only.is_some() { BTreeSet::new() } else { cut.collect() };
    Shared {
        store,
        epoch,
        catalog: RwLock::new(Arc::new(catalog)),
        watermarks: Watermarks::default(),
        backlog: Backlog::new(options.queue_size_bytes, options.unsealed_logs_max),
        syncing: Mutex::default(),
        maintenance: Mutex::default(),
        control: Mutex::new(ControlState::default()),
        manifest: Mutex::new(manifest),
        removed: Mutex::default(),
        pinned: crate::backup::Pinned::default(),
        idempotency: Mutex::new(idempotency),
        recent: crate::recent::Recent::default(),
        owed,
        holds,
        running_keys: Mutex::new(HashSet::new()),
        disk_full: AtomicBool::new(false),
        maintenance_failure: Mutex::default(),
        checking: AtomicBool::new(false),
        read_only,
        wake: crate::shared::Wake::default(),
        spares: Spares::default(),
        compaction_due: AtomicBool::new(false),
        cut: Mutex::new(cut),
        counters: crate::figures::Counters::default(),
        scrub: crate::scrub::Scrub::default(),
        lock: Mutex::new(Some(lock)),
        options,
    }
}

fn take_lock(options: &Options) -> Result<Box<dyn Send + Sync>> {
    let directory = &options.directory;
    options.storage.create_dir(directory).map_err(|source| Error::io("make the folder", directory, source))?;
    let path = directory.join(LOCK_FILE);
    options.storage.lock(&path, LockMode::Exclusive).map_err(|source| match source.kind() {
        std::io::ErrorKind::WouldBlock => {
            let message = "another process has this store open: stop it, or ask its server instead";
            Error::new(ErrorKind::Locked, message).at_path(directory).with_source(source)
        }
        _ => Error::io("lock the store", &path, source),
    })
}

/// A file that the manifest names and that is not there is damage.
pub(crate) fn missing_is_damage(error: Error) -> Error {
    if error.kind() != ErrorKind::NotFound {
        return error;
    }
    let damage = Error::corrupt(format!("a file that the manifest names is missing: {}", error.message()));
    match error.path() {
        Some(path) => damage.at_path(path),
        None => damage,
    }
}

/// A restart does not make a log younger.
fn age_due(options: &Options, active: &Active) -> Option<Duration> {
    let is_used = active.end_offset > active.log.first_frame_offset();
    let age_us = options.clock.now_us().saturating_sub(active.log.created_at_us());
    let age = Duration::from_micros(u64::try_from(age_us).unwrap_or(0));
    let left = Duration::from_millis(options.log_age_ms_max).saturating_sub(age);
    is_used.then(|| options.clock.monotonic() + left)
}

fn damage_sentence(damage: &Error) -> String {
    format!("a sealed segment is damaged, a delete or mark found it: {damage}")
}

fn new_store_id(storage: &dyn Storage) -> Result<u128> {
    let mut bytes = [0; 16];
    storage
        .random_bytes(&mut bytes)
        .map_err(|source| Error::new(ErrorKind::Io, format!("the operating system gives no random bytes: {source}")))?;
    Ok(u128::from_le_bytes(bytes))
}

/// Commits the new epoch and finds, or makes, the log that frames go to.
fn begin(
    options: &Options,
    manifest_store: &mut ManifestStore,
    catalog: &mut Catalog,
    epoch: u32,
    next_sequence: u64,
    last_made_us: i64,
) -> Result<Active> {
    let mut next = manifest_store.current().clone();
    next.epoch = epoch;
    next.clean_end = None;
    // Recovery made durable what it kept: from now on damage to it is none that a power cut does.
    next.durable_floor = catalog.live.last().and_then(|last| {
        let (log_id, offset) = (last.segment.log_id, last.closed_at?);
        Some(DurableFloor { log_id, offset, sequence: next_sequence.saturating_sub(1) })
    });
    next.dropping.clear();
    next.announced.clear();
    next.last_made_created_at_us = last_made_us;
    // The last log is complete where the store was restored from a backup, or repaired.
    let needs_log = next.logs.last().is_none_or(LogEntry::is_sealed_off);
    let new_log = if needs_log { next.announce(FileKind::Log, 1).next() } else { None };
    manifest_store.commit(&next)?;
    if let Some(log_id) = new_log {
        let directory = options.directory.join(FileKind::Log.folder());
        let (size_bytes, now_us) = (options.log_size_bytes, options.clock.now_us());
        let log = LogFile::create(&options.storage, &directory, next.store, log_id, size_bytes, now_us)?;
        next.adopt(FileKind::Log, log_id);
        next.logs.push(LogEntry { id: log_id, base_sequence: next_sequence, size_bytes, end_offset: None });
        manifest_store.commit(&next)?;
        let segment = Arc::new(LiveSegment::new(log_id, next_sequence, Arc::clone(log.map()?)));
        catalog.live.push(LiveEntry { segment, log: Arc::new(log), overlay: Arc::default(), closed_at: None });
    }
    let last = catalog.live.last().ok_or_else(|| Error::corrupt("the manifest names no log"))?;
    let end_offset = last.closed_at.unwrap_or_else(|| last.log.first_frame_offset());
    let limit = reserve(&last.log, end_offset)?;
    let active = Active { log: Arc::clone(&last.log), segment: Arc::clone(&last.segment), end_offset, limit };
    if let Some(last) = catalog.live.last_mut() {
        last.closed_at = None;
    }
    Ok(active)
}

/// Reserves what the last close gave back, and says up to where frames may go. Without room for all of it the store
/// opens all the same: deletes and marks have what the close kept for them, or what there is of it, and events go
/// into the next log, as soon as there is room for one.
fn reserve(log: &LogFile, end_offset: u64) -> Result<u64> {
    let small = std::iter::successors(Some(CONTROL_RESERVE), |reserve| Some(reserve / 2));
    let small = small.take_while(|reserve| *reserve >= CONTROL_RESERVE_MIN).map(|reserve| end_offset + reserve);
    for end in std::iter::once(log.size_bytes()).chain(small) {
        match log.reserve(end) {
            Ok(()) => return Ok(end.min(log.size_bytes())),
            // A file system may have given a part, which others need more. What stays costs room only.
            Err(error) if error.kind() == ErrorKind::DiskFull => _ = log.release(end_offset + CONTROL_RESERVE),
            Err(error) => return Err(error),
        }
    }
    Ok(end_offset)
}

impl<'a> Recovery<'a> {
    fn new(options: &'a Options, manifest: &'a Manifest) -> Self {
        Self {
            options,
            manifest,
            catalog: Catalog::default(),
            next_sequence: manifest.next_sequence_floor.max(1),
            control_ordinal: manifest.next_control_ordinal.saturating_sub(1),
            last_made_us: manifest.last_made_created_at_us,
            durable: DurablePoint::default(),
            idempotency: IdempotencyTable::default(),
            owed: Owed::default(),
            holds: Holds::default(),
            lost: LostSequences::default(),
            read_only: None,
            notes: Vec::new(),
        }
    }

    fn load_idempotency(&mut self) -> Result<()> {
        let blob = self.manifest.blobs.iter().find(|blob| blob.name == IDEMPOTENCY_BLOB);
        if let Some(blob) = blob {
            let read = read_blob(&*self.options.storage, &self.options.directory, self.manifest.store, blob);
            match read.and_then(|bytes| IdempotencyTable::decode(&bytes)) {
                Ok(table) => self.idempotency = table,
                Err(error) if self.options.degraded => self.degrade(error),
                Err(error) => return Err(missing_is_damage(error)),
            }
        }
        Ok(())
    }

    fn load_lost(&mut self) -> Result<()> {
        match LostSequences::read(&*self.options.storage, &self.options.directory, self.manifest) {
            Ok(lost) => self.lost = lost,
            Err(error) if self.options.degraded => self.degrade(error),
            Err(error) => return Err(missing_is_damage(error)),
        }
        Ok(())
    }

    fn load_holds(&mut self) -> Result<()> {
        match Holds::load(self.options, self.manifest) {
            Ok(holds) => self.holds = holds,
            Err(error) if self.options.degraded => self.degrade(error),
            Err(error) => return Err(missing_is_damage(error)),
        }
        Ok(())
    }

    /// Goes on read-only.
    fn degrade(&mut self, damage: Error) {
        self.notes.push(damage.to_string());
        self.read_only.get_or_insert(damage);
    }

    /// Opens every sealed segment; a damaged one is kept as damage and the others serve.
    fn open_segments(&mut self) -> Result<()> {
        for entry in &self.manifest.segments {
            let overlay = self.read_overlay(entry);
            let path = segment_path(&self.options.directory, entry.id);
            let storage = &*self.options.storage;
            let opened = overlay.and_then(|overlay| {
                let crc = Some(entry.footer_crc);
                Ok((SealedSegment::open(storage, &path, self.manifest.store, entry.id, crc)?, overlay))
            });
            let sealed = match opened {
                Ok((segment, overlay)) => {
                    let mut sealed = SealedEntry::new(entry.clone(), Arc::new(segment), Arc::new(overlay));
                    sealed.written = Arc::clone(&sealed.overlay);
                    sealed
                }
                // What may pass, as too many open files, is no damage: the store opens when it has passed.
                Err(error) if !matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => return Err(error),
                Err(error) => {
                    let error = missing_is_damage(error);
                    self.notes.push(format!("a sealed segment is damaged: {error}"));
                    SealedEntry::damaged(entry.clone(), Arc::default(), &error)
                }
            };
            self.catalog.sealed.push(sealed);
        }
        Ok(())
    }

    /// Does what segments were owed that are whole again.
    fn settle_owed(&mut self) -> Result<()> {
        let Some(blob) = self.manifest.blobs.iter().find(|blob| blob.name == OWED_BLOB) else { return Ok(()) };
        let read = read_blob(&*self.options.storage, &self.options.directory, self.manifest.store, blob);
        match read.and_then(|bytes| Owed::decode(&bytes)) {
            Ok(owed) => self.owed = owed,
            Err(error) if self.options.degraded => self.degrade(error),
            Err(error) => return Err(missing_is_damage(error)),
        }
        for (ordinal, operation) in self.owed.iter() {
            let damages = replay(&mut self.catalog, operation, ordinal, self.next_sequence)?;
            self.notes.extend(damages.iter().map(damage_sentence));
        }
        Ok(())
    }

    /// Keeps the operations that a damaged segment does not hold.
    fn keep_owed(&mut self) {
        let damaged = self.catalog.sealed.iter().filter(|entry| entry.segment.is_none());
        let applied = damaged.map(|entry| entry.entry.applied_control).min();
        self.owed.keep_after(applied);
    }

    /// A degraded store answers without what is damaged, and says so.
    fn skip_damaged(&mut self) {
        if !self.options.degraded {
            return;
        }
        let mut damages = Vec::new();
        for entry in self.catalog.sealed.iter_mut().filter(|entry| entry.segment.is_none()) {
            if let Err(damage) = entry.part.key(0) {
                self.catalog.gaps.push(entry.skip(&damage));
                damages.push(damage);
            }
        }
        for damage in damages {
            self.read_only.get_or_insert(damage);
        }
    }

    /// Behind it nothing is read.
    fn note_log_gap(&mut self, first_sequence: u64) {
        let gap = Gap { first_sequence, last_sequence: None, events_max: None, created_at_us: None };
        self.catalog.gaps.push(gap);
    }

    fn read_overlay(&self, entry: &SegmentEntry) -> Result<Overlay> {
        let Some(overlay_id) = entry.overlay_id else { return Ok(Overlay::default()) };
        let place = OverlayPlace { store: self.manifest.store, overlay_id, segment_id: entry.id };
        read_overlay(&*self.options.storage, &self.options.directory, place, entry.rows, entry.overlay_crc)
    }

    fn recover_logs(&mut self) -> Result<()> {
        let manifest = self.manifest;
        for (index, entry) in manifest.logs.iter().enumerate() {
            let next = manifest.logs.get(index + 1);
            let end_sequence = next.map(|next| self.lost.end_between(entry.base_sequence, next.base_sequence));
            let end = self.recover_log(entry, end_sequence)?;
            if end == LogEnd::Damaged && next.is_some() {
                self.notes.push(format!("log {} and later ones are left out behind the gap", entry.id + 1));
                return Ok(());
            }
        }
        if manifest.logs.last().is_none_or(LogEntry::is_sealed_off) {
            // A repair cut the last log: what it held from there on is not given again.
            self.next_sequence = self.next_sequence.max(manifest.next_sequence_floor);
        }
        Ok(())
    }

    fn recover_log(&mut self, entry: &LogEntry, end_sequence: Option<u64>) -> Result<LogEnd> {
        let (options, manifest) = (self.options, self.manifest);
        let directory = options.directory.join(FileKind::Log.folder());
        let writable = self.read_only.is_none();
        self.next_sequence = entry.base_sequence;
        let log = match LogFile::open(&options.storage, &directory, manifest.store, entry.id, writable) {
            Ok(log) => Arc::new(log),
            Err(error) => {
                let error = missing_is_damage(error);
                if !options.degraded || error.kind() != ErrorKind::Corrupt {
                    return Err(error);
                }
                self.degrade(error);
                self.note_log_gap(entry.base_sequence);
                return Ok(LogEnd::Damaged);
            }
        };
        let segment = Arc::new(LiveSegment::new(entry.id, entry.base_sequence, Arc::clone(log.map()?)));
        self.catalog.live.push(LiveEntry {
            segment: Arc::clone(&segment),
            log: Arc::clone(&log),
            overlay: Arc::default(),
            closed_at: None,
        });
        let quarantine = options.directory.join(QUARANTINE_DIR);
        let context = self.context(entry, end_sequence, writable, &quarantine);
        let mut on_frame =
            |offset: u64, header: &FrameHeader, payload: &[u8]| self.on_frame(&segment, offset, header, payload);
        let recovered = recover_log(&log, &context, &mut on_frame)?;
        self.next_sequence = recovered.next_sequence;
        self.notes.extend(recovered.notes);
        let end = if recovered.gap.is_some() { LogEnd::Damaged } else { LogEnd::Good };
        if let Some(gap) = recovered.gap {
            let damage = Error::corrupt(gap.reason.clone()).at_path(log.path()).at_offset(gap.offset);
            self.read_only.get_or_insert(damage);
            if !gap.is_short_only {
                self.note_log_gap(gap.first_sequence);
            }
        } else if options.degraded && recovered.torn_bytes > 0 {
            // Left as it is, so nothing may be written behind it.
            let message = "the log ends in an unfinished write, which a degraded open leaves as it is";
            self.degrade(Error::corrupt(message).at_path(log.path()).at_offset(recovered.end_offset));
        }
        self.durable =
            DurablePoint { sequence: recovered.next_sequence - 1, log_id: entry.id, offset: recovered.end_offset };
        if let Some(live) = self.catalog.live.last_mut() {
            live.closed_at = Some(recovered.end_offset);
        }
        Ok(end)
    }

    fn context<'c>(
        &self,
        entry: &LogEntry,
        end_sequence: Option<u64>,
        writable: bool,
        quarantine_dir: &'c Path,
    ) -> RecoverContext<'c>
    where
        'a: 'c,
    {
        let manifest = self.manifest;
        let floor = manifest.durable_floor.filter(|floor| floor.log_id == entry.id);
        let clean = manifest.clean_end.filter(|clean| clean.log_id == entry.id).map(|clean| clean.offset);
        let fallback = self.read_only.is_some();
        RecoverContext {
            storage: &self.options.storage,
            expected_sequence: entry.base_sequence,
            end_sequence,
            durable_floor_offset: floor.map_or(0, |floor| floor.offset),
            durable_floor_sequence: floor.map_or(0, |floor| floor.sequence),
            clean_end: clean.or(entry.end_offset),
            epoch: if fallback { u32::MAX } else { manifest.epoch },
            degraded: self.options.degraded,
            writable,
            quarantine_dir,
        }
    }

    fn on_frame(&mut self, segment: &LiveSegment, offset: u64, header: &FrameHeader, payload: &[u8]) -> Result<()> {
        match header.kind {
            FrameKind::Events => self.index_events(segment, offset, header, payload),
            FrameKind::SyncMarker => Ok(()),
            FrameKind::Control => {
                let operations = control::decode(payload, header.count)?;
                self.on_operations(header, operations)
            }
            FrameKind::Replacing => {
                let (records, operations) = replacing::split(payload)?;
                self.index_events(segment, offset, header, records)?;
                self.on_operations(header, operations)
            }
        }
    }

    fn on_operations(&mut self, header: &FrameHeader, operations: Vec<ControlOp>) -> Result<()> {
        self.control_ordinal = self.control_ordinal.max(header.control_ordinal);
        // Marks of the frame's own events come with them.
        let visible = header.end_sequence().unwrap_or(header.base_sequence).saturating_sub(1);
        for operation in &operations {
            let damages = replay(&mut self.catalog, operation, header.control_ordinal, visible)?;
            self.notes.extend(damages.iter().map(damage_sentence));
        }
        self.owed.insert(header.control_ordinal, operations);
        Ok(())
    }

    fn index_events(&mut self, segment: &LiveSegment, offset: u64, header: &FrameHeader, payload: &[u8]) -> Result<()> {
        let mut last_made_us = self.last_made_us;
        let (records, terms) = index_payload(payload, |time| last_made_us = last_made_us.max(time))?;
        self.last_made_us = last_made_us;
        if crate::codec::len_u64(records.len()) != u64::from(header.count) {
            let message = format!("a frame holds {} events and claims {}", records.len(), header.count);
            return Err(Error::corrupt(message));
        }
        let first_row = segment.row_of(header.base_sequence).unwrap_or(u32::MAX);
        {
            let mut ids = segment.ids.write();
            for (row, record) in (first_row..).zip(&records) {
                if let Some(id) = record.id {
                    ids.insert(id, IdRow { row, created_at_us: record.created_at_us.unwrap_or(0) });
                }
            }
        }
        let frame_offset = offset + crate::codec::len_u64(FRAME_HEADER_SIZE);
        segment.index(&RowsToIndex { frame: payload, frame_offset, records: &records, terms: &terms })?;
        if header.idempotency_key != 0 {
            // The frame does not say when it was written: the key is kept for a day from now, not less.
            let answer = Answer {
                body: header.idempotency_body,
                first_sequence: header.base_sequence,
                stored: header.count,
                duplicates: header.duplicates,
                at_us: self.options.clock.now_us().max(self.last_made_us),
            };
            self.idempotency.insert(header.idempotency_key, answer);
        }
        Ok(())
    }
}
