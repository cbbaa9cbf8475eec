//! Reading everything again in the background, so that damage is found while there is still a copy of it elsewhere.
//!
//! A pass goes over the sealed segments by id, each with its overlay, then over the logs that are full and the small
//! files. It is read with `pread` at no more than [`crate::Options::scrub_bytes_per_second`], and begun every
//! [`crate::Options::scrub_period_ms`]. How far it came is kept in the store, so that a restart goes on.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use crate::blob::read_blob;
use crate::catalog::{LiveEntry, SealedEntry};
use crate::codec::{Reader, len_u64, row_usize};
use crate::damaged::DamagedPart;
use crate::error::{Error, ErrorKind, Result};
use crate::fold;
use crate::frame::{self, FRAME_HEADER_SIZE};
use crate::overlay_file::{OverlayPlace, read_overlay};
use crate::repair::{Damage, DamageKind, Loss};
use crate::requests::ScrubStats;
use crate::shared::Shared;
use crate::threading::Mutex;
use crate::threading::atomic::{AtomicBool, AtomicU64, Ordering};

/// The name under which the progress is kept. Names of callers never start with a dot.
pub(crate) const SCRUB_BLOB: &str = ".scrub";
/// The longest wait before the first pass after an open: queries come first then.
const FIRST_AFTER: Duration = Duration::from_mins(10);
/// How often the progress is written down.
const KEPT_EVERY: Duration = Duration::from_mins(1);
/// How long the thread sleeps at a time: what a clock that is moved by hand is noticed after.
const NAP: Duration = Duration::from_millis(100);
/// While it reads.
const SHORT_NAP: Duration = Duration::from_millis(5);
/// Damages that are kept for the statistics.
const DAMAGES_MAX: usize = 32;
/// So many damages are remembered as told; of more, some are told again with each pass.
const TOLD_MAX: usize = 100_000;

/// How far the passes came, in the store and in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The segment that was read last in the pass under way; 0 before the first and between passes.
    position: u64,
    /// When the last pass began and when one was last done, UTC microseconds; 0 if never.
    started_at_us: i64,
    finished_at_us: i64,
}

/// The figures of the scrubber.
#[derive(Debug, Default)]
pub(crate) struct Scrub {
    progress: Mutex<Progress>,
    bytes: AtomicU64,
    bad_blocks: AtomicU64,
    passes: AtomicU64,
    running: AtomicBool,
    /// The first of them: the file, and a sentence.
    damages: Mutex<Vec<(String, String)>>,
    /// File and offset of every damage that was told of.
    told: Mutex<HashSet<(String, Option<u64>)>>,
}

impl Progress {
    fn encode(self) -> Vec<u8> {
        let mut out = self.position.to_le_bytes().to_vec();
        out.extend_from_slice(&self.started_at_us.to_le_bytes());
        out.extend_from_slice(&self.finished_at_us.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let progress = Self { position: reader.u64()?, started_at_us: reader.i64()?, finished_at_us: reader.i64()? };
        if !reader.is_empty() {
            return Err(Error::corrupt("the progress of the scrubber is too long"));
        }
        Ok(progress)
    }

    /// Whether a pass is under way.
    fn is_under_way(self) -> bool {
        self.started_at_us > self.finished_at_us
    }

    /// Whether a pass is to go on or to begin. A clock that was set back makes it due at once.
    fn is_due(self, now_us: i64, period_ms: u64) -> bool {
        let wait_us = i64::try_from(period_ms.saturating_mul(1000)).unwrap_or(i64::MAX);
        self.is_under_way()
            || self.started_at_us == 0
            || now_us < self.started_at_us
            || now_us.saturating_sub(self.started_at_us) >= wait_us
    }
}

impl Scrub {
    /// The figures, with the damages of files that are still `live`.
    pub(crate) fn stats(&self, live: impl FnOnce() -> HashSet<String>) -> ScrubStats {
        let progress = *self.progress.lock();
        let mut damages = self.damages.lock();
        if !damages.is_empty() {
            let live = live();
            damages.retain(|(file, _)| live.contains(file));
        }
        let told = damages.iter().map(|(_, sentence)| sentence.clone()).collect();
        drop(damages);
        let when = |at_us: i64| (at_us != 0).then_some(at_us);
        ScrubStats {
            bytes: self.bytes.load(Ordering::Relaxed),
            corrupt_blocks: self.bad_blocks.load(Ordering::Relaxed),
            passes: self.passes.load(Ordering::Relaxed),
            running: self.running.load(Ordering::Relaxed),
            segment_id: Some(progress.position).filter(|_| progress.is_under_way()),
            started_at_us: when(progress.started_at_us),
            finished_at_us: when(progress.finished_at_us),
            damages: told,
        }
    }
}

/// The files that make up the store, named from within its folder as damages name them.
pub(crate) fn live_files(shared: &Shared) -> HashSet<String> {
    let state = shared.manifest.lock();
    state.current().live_files().map(|file| file.path(Path::new("")).display().to_string()).collect()
}

/// Before when no pass begins, by the monotonic clock, in a store that is opened now.
pub(crate) fn begin_at(shared: &Shared) -> Duration {
    let period = Duration::from_millis(shared.options.scrub_period_ms);
    shared.options.clock.monotonic().saturating_add(FIRST_AFTER.min(period))
}

/// Runs until the store is closed.
pub(crate) fn run(shared: &Shared, begin_at: Duration) {
    // Of this thread alone. Refused or not known to a system, the rate is the limit.
    let _ = rustix::process::nice(i32::from(shared.options.maintenance_niceness));
    let clock = &shared.options.clock;
    *shared.scrub.progress.lock() = kept(shared);
    while nap(shared, NAP) {
        let progress = *shared.scrub.progress.lock();
        if clock.monotonic() < begin_at || !progress.is_due(clock.now_us(), shared.options.scrub_period_ms) {
            continue;
        }
        let mut pass = Pass { shared, pace_from: clock.monotonic(), paced: 0, kept_at: clock.monotonic() };
        shared.scrub.running.store(true, Ordering::Relaxed);
        pass.run();
        shared.scrub.running.store(false, Ordering::Relaxed);
    }
}

/// Sleeps, unless the store is being closed; says whether to go on.
fn nap(shared: &Shared, time: Duration) -> bool {
    let mut state = shared.wake.state.lock();
    if !state.stop {
        shared.wake.changed.wait_for(&mut state, time);
    }
    !state.stop
}

/// The progress that the store has. One that cannot be read only means to begin anew.
fn kept(shared: &Shared) -> Progress {
    let manifest = shared.manifest.lock();
    let blob = manifest.current().blobs.iter().find(|blob| blob.name == SCRUB_BLOB);
    let read = blob.map(|blob| read_blob(&*shared.options.storage, &shared.options.directory, shared.store, blob));
    read.and_then(|read| read.and_then(|bytes| Progress::decode(&bytes)).ok()).unwrap_or_default()
}

/// One walk over everything, or what is left of one.
struct Pass<'a> {
    shared: &'a Shared,
    /// Since when bytes are counted against the rate, and how many there were.
    pace_from: Duration,
    paced: u64,
    kept_at: Duration,
}

impl Pass<'_> {
    fn run(&mut self) {
        let shared = self.shared;
        {
            let mut progress = shared.scrub.progress.lock();
            if !progress.is_under_way() {
                let now_us = shared.options.clock.now_us().max(1);
                // A clock that stepped back must not make the pass look finished.
                let finished_at_us = progress.finished_at_us.min(now_us - 1);
                *progress = Progress { position: 0, started_at_us: now_us, finished_at_us };
            }
        }
        loop {
            let position = shared.scrub.progress.lock().position;
            let catalog = shared.catalog();
            let next =
                catalog.sealed.iter().filter(|entry| entry.entry.id > position).min_by_key(|entry| entry.entry.id);
            let Some(entry) = next else { break };
            if !self.segment(entry) {
                return;
            }
            shared.scrub.progress.lock().position = entry.entry.id;
            self.keep(false);
        }
        if !self.logs() || !self.blobs() {
            return;
        }
        {
            let mut progress = shared.scrub.progress.lock();
            let finished_at_us = shared.options.clock.now_us().max(progress.started_at_us);
            *progress = Progress { position: 0, finished_at_us, ..*progress };
        }
        shared.scrub.passes.fetch_add(1, Ordering::Relaxed);
        self.keep(true);
    }

    /// Waits until so many bytes may be read; says whether to read them.
    fn pace(&mut self, bytes: u64) -> bool {
        let (shared, rate) = (self.shared, self.shared.options.scrub_bytes_per_second.max(1));
        self.paced = self.paced.saturating_add(bytes);
        loop {
            let passed = shared.options.clock.monotonic().saturating_sub(self.pace_from);
            let passed_ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
            // A tenth of a second ahead at most.
            let allowed = rate.saturating_mul(passed_ms.saturating_add(100)) / 1000;
            if self.paced <= allowed.max(bytes) {
                break;
            }
            if !nap(shared, SHORT_NAP) {
                return false;
            }
        }
        shared.scrub.bytes.fetch_add(bytes, Ordering::Relaxed);
        !shared.is_closing()
    }

    /// Reads one segment and its overlay; says whether it came to its end.
    fn segment(&mut self, entry: &SealedEntry) -> bool {
        let Some(segment) = &entry.segment else { return true };
        let shared = self.shared;
        let Some(found) = segment.scrub(&mut |bytes| self.pace(bytes)) else { return false };
        let is_named = || shared.catalog().sealed.iter().any(|now| now.entry.id == entry.entry.id);
        if let Some(damage) = found.damage.filter(|_| is_named()) {
            shared.scrub.bad_blocks.fetch_add(found.bad_chunks, Ordering::Relaxed);
            if found.is_unreadable {
                shared.set_segment_damaged(entry.entry.id, &damage);
            }
            self.damaged(DamageKind::Segment, &damage, Loss::of_segment(&entry.entry));
        }
        if let Some(overlay_id) = entry.entry.overlay_id {
            let place = OverlayPlace { store: shared.store, overlay_id, segment_id: entry.entry.id };
            let options = &shared.options;
            let read =
                read_overlay(&*options.storage, &options.directory, place, entry.entry.rows, entry.entry.overlay_crc);
            let named = |now: &SealedEntry| now.entry.overlay_id == Some(overlay_id);
            if let Err(damage) = read
                && shared.catalog().sealed.iter().any(named)
            {
                // It is in memory: the next seal that changes it writes it anew.
                self.damaged(
                    DamageKind::Overlay,
                    &damage,
                    Loss::only("deletes and marks of the segment, at the next open"),
                );
            }
        }
        true
    }

    /// Reads the logs that nothing is appended to any more.
    fn logs(&mut self) -> bool {
        let catalog = self.shared.catalog();
        for entry in &catalog.live {
            let Some(end) = entry.closed_at else { continue };
            let mut offset = entry.log.first_frame_offset();
            while offset < end {
                match self.frame(entry, offset) {
                    Ok(Some(size)) => offset = offset.saturating_add(size),
                    Ok(None) => return false,
                    Err(damage) => {
                        let is_there = |now: &LiveEntry| now.segment.log_id == entry.segment.log_id;
                        if self.shared.catalog().live.iter().any(is_there) {
                            self.shared.scrub.bad_blocks.fetch_add(1, Ordering::Relaxed);
                            self.damaged(DamageKind::Log, &damage, Loss::default());
                        }
                        break;
                    }
                }
            }
        }
        true
    }

    /// Reads one frame; gives its size, or nothing if the store is being closed.
    fn frame(&mut self, entry: &LiveEntry, offset: u64) -> Result<Option<u64>> {
        let (log, file) = (&entry.log, entry.log.storage_file());
        let at = |error: Error| error.at_path(log.path()).at_offset(offset);
        let failed = |source| at(Error::io("read the log", log.path(), source));
        if !self.pace(len_u64(FRAME_HEADER_SIZE)) {
            return Ok(None);
        }
        let mut head = vec![0; FRAME_HEADER_SIZE];
        file.read_at(&mut head, offset).map_err(failed)?;
        let place = log.place(offset);
        let checked = frame::read_header(place, &head).map_err(at)?;
        let checked = checked.ok_or_else(|| at(Error::corrupt("there is no frame with a valid header")))?;
        let size = len_u64(checked.header.frame_size());
        if offset.saturating_add(size) > log.size_bytes() {
            return Err(at(Error::corrupt("a frame runs over the end of the log")));
        }
        if !self.pace(size) {
            return Ok(None);
        }
        let mut payload = vec![0; row_usize(checked.header.payload_len)];
        file.read_at(&mut payload, offset.saturating_add(len_u64(FRAME_HEADER_SIZE))).map_err(failed)?;
        checked.check_payload(place, &payload).map_err(at)?;
        Ok(Some(size))
    }

    fn blobs(&mut self) -> bool {
        let shared = self.shared;
        let blobs = shared.manifest.lock().current().blobs.clone();
        for blob in &blobs {
            if !self.pace(u64::from(blob.len)) {
                return false;
            }
            let read = read_blob(&*shared.options.storage, &shared.options.directory, shared.store, blob);
            let is_named = || shared.manifest.lock().current().blobs.iter().any(|now| now.id == blob.id);
            if let Err(damage) = read
                && is_named()
            {
                self.damaged(DamageKind::Blob, &damage, Loss::only(format!("the value {:?}", blob.name)));
            }
        }
        true
    }

    fn damaged(&self, kind: DamageKind, error: &Error, loss: Loss) {
        let directory = &self.shared.options.directory;
        let file = error.path().map(|path| path.strip_prefix(directory).unwrap_or(path).display().to_string());
        let file = file.unwrap_or_else(|| kind.name().to_owned());
        let (offset, reason) = (error.offset(), error.message().to_owned());
        let damage = Damage { file, offset, kind, reason, loss, remedy: None };
        // A later pass finds it again: it is told once, as long as so many can be remembered.
        let mut told = self.shared.scrub.told.lock();
        if told.len() < TOLD_MAX && !told.insert((damage.file.clone(), damage.offset)) {
            return;
        }
        drop(told);
        let mut damages = self.shared.scrub.damages.lock();
        if damages.len() < DAMAGES_MAX {
            damages.push((damage.file.clone(), damage.to_string()));
        }
        drop(damages);
        if let Some(told) = &self.shared.options.on_damage {
            told(&damage);
        }
    }

    /// Writes the progress down, now and then. A failure only means that a restart reads something again.
    fn keep(&mut self, now: bool) {
        let shared = self.shared;
        let clock = shared.options.clock.monotonic();
        if !now && clock.saturating_sub(self.kept_at) < KEPT_EVERY {
            return;
        }
        self.kept_at = clock;
        if shared.check_writable().is_err() || shared.is_closing() {
            return;
        }
        let progress = *shared.scrub.progress.lock();
        let Ok(blob) = fold::new_blob(shared, SCRUB_BLOB, &progress.encode()) else { return };
        match shared.update_manifest(|manifest| blob.commit(manifest)) {
            Ok(()) => _ = shared.remove_dropped(),
            Err(_) => blob.discard(shared),
        }
    }
}

impl Shared {
    /// From now on every query that touches the segment gets the damage; its deletes and marks stay as they are. A
    /// degraded store leaves it out and says so.
    pub(crate) fn set_segment_damaged(&self, segment_id: u64, damage: &Error) {
        if self.options.degraded {
            // ORDER: no write may choose its rows from what is left.
            self.watermarks.poison(&Error::corrupt("a sealed segment is damaged and the store is open degraded"));
        }
        // ORDER: under the control lock, as every change of what a segment says of its rows.
        let _no_change_runs = self.control.lock();
        let damage = if damage.kind() == ErrorKind::Corrupt {
            damage.duplicate()
        } else {
            let unreadable = Error::corrupt(format!("the device cannot read it: {}", damage.message()));
            match damage.path() {
                Some(path) => unreadable.at_path(path),
                None => unreadable,
            }
        };
        self.update_catalog(|catalog| {
            if let Some(entry) = catalog.sealed.iter_mut().find(|entry| entry.entry.id == segment_id) {
                if self.options.degraded {
                    catalog.gaps.push(entry.skip(&damage));
                    return;
                }
                let part = std::sync::Arc::new(DamagedPart::new(&entry.entry, &damage));
                *entry = SealedEntry { segment: None, part, ..entry.clone() };
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_due_after_its_period_and_when_it_was_interrupted() {
        let never = Progress::default();
        assert!(never.is_due(5, 1000));
        let done = Progress { position: 0, started_at_us: 1_000_000, finished_at_us: 1_500_000 };
        assert!(!done.is_due(1_999_999, 1000) && done.is_due(2_000_000, 1000));
        assert!(done.is_due(999_999, 1000), "the clock was set back");
        let interrupted = Progress { position: 7, started_at_us: 2_000_000, ..done };
        assert!(interrupted.is_due(2_000_001, 1000));
        assert_eq!(Progress::decode(&interrupted.encode()).unwrap(), interrupted);
        assert!(Progress::decode(&interrupted.encode()[1..]).is_err());
        assert!(Progress::decode(&[0; 25]).is_err());
    }
}
