//! From one log file to the next, and the end of the last one.

use std::sync::Arc;
use std::time::Duration;

use super::{Active, CONTROL_RESERVE, Writer};
use crate::backup::{Cut, Pins};
use crate::catalog::LiveEntry;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::FileKind;
use crate::live::LiveSegment;
use crate::log::LogFile;
use crate::manifest::{CleanEnd, DurableFloor, LogEntry};
use crate::overlay::Overlay;
use crate::threading::atomic::Ordering;

/// Free space below which no new log is begun, in log files.
pub(crate) const FREE_LOGS_MIN: u64 = 2;
/// The same once the disk was full: a store at the limit would else go on and stop with every file.
const FREE_LOGS_AGAIN: u64 = 3;
/// How often a full disk is looked at again, whether or not somebody appends.
pub(super) const ROOM_RETRY: Duration = Duration::from_secs(1);

impl Writer {
    pub(super) fn rotate_if_used(&mut self) -> Result<()> {
        self.shared.check_writable()?;
        if self.active.end_offset > self.active.log.first_frame_offset() {
            self.rotate(0)?;
        }
        Ok(())
    }

    /// Closes the active log and begins the next, with room for at least `frame_size_min` bytes.
    pub(super) fn rotate(&mut self, frame_size_min: u64) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let header_size = self.active.log.first_frame_offset();
        let size_bytes = shared.options.log_size_bytes.max(header_size + frame_size_min + CONTROL_RESERVE);
        // ORDER: the old log is durable before the manifest names the next one.
        self.sync_now()?;
        let begun = self.begin_log(size_bytes);
        let is_full = begun.as_ref().is_err_and(|error| error.kind() == ErrorKind::DiskFull);
        shared.disk_full.store(is_full, Ordering::Relaxed);
        self.room_due = is_full.then(|| shared.options.clock.monotonic() + ROOM_RETRY);
        let log = Arc::new(begun?);
        let map = log.map().map(Arc::clone);
        if map.is_err() {
            shared.discard(FileKind::Log, [log.log_id()]);
        }
        let segment = Arc::new(LiveSegment::after(&self.active.segment, log.log_id(), self.next_sequence, map?));
        let (old_id, old_end) = (self.active.log.log_id(), self.active.end_offset);
        let (base_sequence, last_made_us) = (self.next_sequence, self.last_made_us);
        let committed = shared.update_manifest(|manifest| {
            manifest.close_log(old_id, old_end);
            manifest.adopt(FileKind::Log, log.log_id());
            let size_bytes = log.size_bytes();
            manifest.logs.push(LogEntry { id: log.log_id(), base_sequence, size_bytes, end_offset: None });
            manifest.next_sequence_floor = manifest.next_sequence_floor.max(base_sequence);
            manifest.last_made_created_at_us = last_made_us;
        });
        if committed.is_err() {
            shared.discard(FileKind::Log, [log.log_id()]);
        }
        committed?;
        self.active = Active {
            end_offset: log.first_frame_offset(),
            limit: log.size_bytes(),
            log: Arc::clone(&log),
            segment: Arc::clone(&segment),
        };
        self.sync_asked_offset = self.active.end_offset;
        self.marker_due = None;
        self.age_due = None;
        let overlay = Arc::new(Overlay::default());
        let closed = shared.update_catalog(|catalog| {
            if let Some(old) = catalog.live.last_mut() {
                old.closed_at = Some(old_end);
            }
            catalog.live.push(LiveEntry { segment, log, overlay, closed_at: None });
            catalog.live.len() - 1
        });
        if shared.options.background {
            shared.backlog.set_unsealed_logs(closed, shared.options.clock.monotonic());
        }
        shared.wake_maintenance();
        Ok(())
    }

    /// Makes the next log file, announced in the manifest so that a crash leaves nothing unknown.
    pub(super) fn begin_log(&self, size_bytes: u64) -> Result<LogFile> {
        let options = &self.shared.options;
        let directory = options.directory.join(FileKind::Log.folder());
        let free = options
            .storage
            .free_space(&directory)
            .map_err(|source| Error::io("ask for free space", &directory, source))?;
        let logs = if self.room_due.is_some() { FREE_LOGS_AGAIN } else { FREE_LOGS_MIN };
        if free < size_bytes.saturating_mul(logs) {
            let message =
                format!("{free} bytes are free, a new log file of {size_bytes} bytes wants {logs} times its size");
            return Err(Error::new(ErrorKind::DiskFull, message).at_path(&directory));
        }
        let log_id = self.shared.announce(FileKind::Log, 1)?.next().unwrap_or_default();
        let (store, now_us) = (self.shared.store, options.clock.now_us());
        let log = LogFile::create(&options.storage, &directory, store, log_id, size_bytes, now_us);
        if log.is_err() {
            self.shared.discard(FileKind::Log, [log_id]);
        }
        log
    }

    /// The store as of now, for a backup: everything written is durable, and the files that hold it stay until the
    /// pins go. The caller's lock keeps sealing and deletes away.
    pub(super) fn cut(&mut self) -> Result<Cut> {
        self.shared.check_writable()?;
        self.sync_now()?;
        let end = DurableFloor {
            log_id: self.active.log.log_id(),
            offset: self.active.end_offset,
            sequence: self.next_sequence - 1,
        };
        let state = self.shared.manifest.lock();
        let mut manifest = state.current().clone();
        let pins = Pins::new(&self.shared, manifest.live_files());
        drop(state);
        manifest.last_made_created_at_us = self.last_made_us;
        manifest.next_control_ordinal = manifest.next_control_ordinal.max(self.control_ordinal + 1);
        Ok(Cut::new(manifest, end, self.shared.snapshot(), pins))
    }

    /// Syncs, marks, and says in the manifest that the log ends here.
    pub(super) fn close(&mut self) -> Result<()> {
        self.shared.watermarks.check()?;
        self.sync_now()?;
        self.write_marker()?;
        let (log_id, end, last_made_us) = (self.active.log.log_id(), self.active.end_offset, self.last_made_us);
        self.shared.update_manifest(|manifest| {
            manifest.clean_end = Some(CleanEnd { log_id, offset: end });
            manifest.last_made_created_at_us = last_made_us;
        })?;
        // A store at rest takes the room of what it holds, and that of the deletes that make room on a full disk.
        // What cannot be given back costs room only.
        _ = self.active.log.release(end + CONTROL_RESERVE);
        Ok(())
    }
}
