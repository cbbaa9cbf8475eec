//! When the writer syncs, marks and goes on to the next log by itself.

use std::sync::Arc;
use std::time::Duration;

use super::rotate::ROOM_RETRY;
use super::{CLEAN_UP_RESERVE, Writer};
use crate::codec::len_u64;
use crate::error::{Error, ErrorKind, Result};
use crate::frame::{FRAME_HEADER_SIZE, FrameKind};
use crate::sync::SyncRequest;
use crate::threading::atomic::Ordering;
use crate::watermark::DurablePoint;

/// When an old log that could not be closed is tried again.
const AGE_RETRY: Duration = Duration::from_mins(1);

impl Writer {
    pub(super) fn flush(&mut self) -> Result<u64> {
        self.shared.check_writable()?;
        self.sync_now()?;
        Ok(self.shared.watermarks.durable().sequence)
    }

    /// Bytes of the active log known to be durable.
    pub(super) fn synced_offset(&self) -> u64 {
        let durable = self.shared.watermarks.durable();
        if durable.log_id == self.active.log.log_id() { durable.offset } else { self.active.log.first_frame_offset() }
    }

    pub(super) fn durable_point(&self) -> DurablePoint {
        DurablePoint {
            sequence: self.next_sequence - 1,
            log_id: self.active.log.log_id(),
            offset: self.active.end_offset,
        }
    }

    /// Syncs the active log here and now.
    pub(super) fn sync_now(&mut self) -> Result<()> {
        let point = self.durable_point();
        if self.shared.watermarks.durable() != point {
            self.shared.sync_log(&self.active.log, point)?;
            // Only what a sync made durable is worth a marker: markers take room of the log.
            let idle = Duration::from_millis(self.shared.options.sync_marker_idle_ms);
            self.marker_due = Some(self.shared.options.clock.monotonic() + idle);
        }
        self.sync_asked_offset = self.active.end_offset;
        self.sync_due = None;
        Ok(())
    }

    /// Level `interval`: asks for a sync when enough was written, or sets the time for it.
    pub(super) fn sync_soon(&mut self) {
        let options = &self.shared.options;
        if self.active.end_offset - self.sync_asked_offset >= options.sync_interval_bytes {
            self.ask_sync();
        } else if self.sync_due.is_none() {
            self.sync_due = Some(options.clock.monotonic() + Duration::from_millis(options.sync_interval_ms));
        }
    }

    /// Has the syncer thread sync what is written so far, while the next batches are.
    pub(super) fn ask_sync(&mut self) {
        let request = SyncRequest { log: Arc::clone(&self.active.log), point: self.durable_point() };
        self.sync_asked_offset = self.active.end_offset;
        self.sync_due = None;
        let options = &self.shared.options;
        self.marker_due = Some(options.clock.monotonic() + Duration::from_millis(options.sync_marker_idle_ms));
        if options.clock.stands_still() {
            // A failure has poisoned the store: that is where callers hear of it.
            _ = self.shared.sync_log(&request.log, request.point);
        } else if self.syncs.send(request).is_err() {
            self.shared.watermarks.poison(&Error::new(ErrorKind::Io, "the sync thread has stopped"));
        }
    }

    /// How long nothing needs to happen.
    pub(super) fn idle_time(&self) -> Duration {
        const LONGEST: Duration = Duration::from_secs(1);
        let now = self.shared.options.clock.monotonic();
        let due = [self.sync_due, self.marker_due, self.age_due, self.room_due].into_iter().flatten().min();
        due.map_or(LONGEST, |due| due.saturating_sub(now).min(LONGEST))
    }

    /// Does what its time has come for.
    pub(super) fn on_time(&mut self) {
        let now = self.shared.options.clock.monotonic();
        if self.shared.watermarks.is_poisoned() {
            self.sync_due = None;
            self.marker_due = None;
            self.age_due = None;
            self.room_due = None;
        }
        if self.room_due.is_some_and(|due| due <= now) {
            self.look_for_room(now);
        }
        if self.age_due.is_some_and(|due| due <= now) {
            // Without room for the next log, or a sync: seen by the next append, which is refused.
            self.age_due = Some(now + self.age_max().min(AGE_RETRY));
            _ = self.rotate_if_used();
        }
        if self.sync_due.is_some_and(|due| due <= now) {
            self.ask_sync();
        }
        // A marker says durably how far the log was durable, so that damage is never taken for a torn tail.
        if self.marker_due.is_some_and(|due| due <= now) && self.jobs.is_empty() {
            let durable = self.shared.watermarks.durable();
            if durable == self.durable_point() {
                self.marker_due = None;
                // A failure poisons the store; there is no caller to tell here.
                _ = self.write_marker();
            } else {
                self.marker_due = Some(now + Duration::from_millis(self.shared.options.sync_marker_idle_ms));
            }
        }
    }

    /// Nobody need append for a store to be writable again.
    fn look_for_room(&mut self, now: Duration) {
        self.room_due = Some(now + ROOM_RETRY);
        if self.active.end_offset > self.active.log.first_frame_offset() {
            // Refused, it says so and sets the next time.
            _ = self.rotate_if_used();
        } else {
            // There is a log to write to: only a frame larger than it was refused.
            self.room_due = None;
            self.shared.disk_full.store(false, Ordering::Relaxed);
        }
    }

    pub(super) fn write_marker(&mut self) -> Result<()> {
        let header = self.empty_header(FrameKind::SyncMarker);
        let first_frame = self.active.log.first_frame_offset();
        let fits = self.active.end_offset + len_u64(header.frame_size()) + CLEAN_UP_RESERVE <= self.active.limit;
        if header.synced_upto <= first_frame || !fits {
            return Ok(());
        }
        self.write_frame(vec![0; FRAME_HEADER_SIZE], &header)?;
        self.marker_due = None;
        Ok(())
    }

    /// How long a log is written to at most: then its rows are sealed, and what was deleted of them goes.
    pub(super) fn age_max(&self) -> Duration {
        Duration::from_millis(self.shared.options.log_age_ms_max)
    }
}
