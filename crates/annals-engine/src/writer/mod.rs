//! The writer thread: the only one that writes to the log. Groups batches, assigns sequences,
//! frames, writes, indexes, syncs by level, publishes, answers.

mod carried;
mod receipt;
mod rotate;
mod timing;

pub(crate) use self::rotate::FREE_LOGS_MIN;

use std::sync::Arc;
use std::time::Duration;

use self::receipt::{answer, receipt, replay};
use crate::batch::Batch;
use crate::codec::{len_u32, len_u64};
use crate::control::{self, ControlOp};
use crate::error::Result;
use crate::frame::{FRAME_ALIGN, FRAME_HEADER_SIZE, FrameHeader, FrameKind, frame_size};
use crate::live::{LiveSegment, RowsToIndex};
use crate::log::LogFile;
use crate::options::Durability;
use crate::queue::{AppendJob, Appended, Job, Shown};
use crate::replacing::{Carried, Replaced};
use crate::requests::{Receipt, Repeats};
use crate::shared::Shared;
use crate::stage::{StageContext, Staged, stage};
use crate::sync::SyncRequest;
use crate::threading::atomic::Ordering;
use crate::threading::channel::{Receiver, RecvTimeoutError, Sender};

/// Batches are grouped into one write up to this many bytes: larger writes gain nothing.
const GROUP_SIZE_MAX: usize = 1 << 20;
/// Frames from this size on are written without being copied together with others.
const WRITTEN_ALONE_SIZE_MIN: usize = 128 << 10;
/// Room at the end of each log that only control frames and markers use, so that deletes work on a full disk.
pub(crate) const CONTROL_RESERVE: u64 = 64 << 10;
/// Of that room the end is for deletes by filter alone, clean-ups among them: what gives room back must not be kept
/// from it by marks.
pub(crate) const CLEAN_UP_RESERVE: u64 = 8 << 10;

/// Where the next frame goes.
pub(crate) struct Active {
    pub(crate) log: Arc<LogFile>,
    pub(crate) segment: Arc<LiveSegment>,
    /// The end of the last frame.
    pub(crate) end_offset: u64,
    /// No frame ends behind it: the end of the file, or no more than [`CONTROL_RESERVE`] behind the last frame if
    /// there was no room to reserve the rest again. Events have no room then.
    pub(crate) limit: u64,
}

/// The writer's own state.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) jobs: Receiver<Job>,
    pub(crate) syncs: Sender<SyncRequest>,
    pub(crate) active: Active,
    pub(crate) next_sequence: u64,
    pub(crate) control_ordinal: u64,
    /// The last time made by the store: the next is not smaller.
    pub(crate) last_made_us: i64,
    /// Bytes of the active log whose sync was asked for.
    pub(crate) sync_asked_offset: u64,
    /// When unsynced bytes are synced at the latest.
    pub(crate) sync_due: Option<Duration>,
    /// When a log that was written to is closed, however full.
    pub(crate) age_due: Option<Duration>,
    /// When the sync marker is written if nothing else happens.
    pub(crate) marker_due: Option<Duration>,
    /// When the disk is looked at again that had no room for the next log.
    pub(crate) room_due: Option<Duration>,
}

/// A frame that is ready to be written.
struct ReadyFrame {
    parts: FrameParts,
    job: AppendJob,
}

/// A batch in its frame.
struct FrameParts {
    frame: Vec<u8>,
    staged: Staged,
    first_sequence: u64,
    carried: Option<Carried>,
}

impl FrameParts {
    fn receipt(&self) -> Receipt {
        receipt(&self.staged, self.first_sequence, self.carried.as_ref().map_or(0, Carried::replaced_count))
    }
}

impl Writer {
    /// Runs until it is told to close or every caller is gone.
    pub(crate) fn run(mut self) {
        let stands_still = self.shared.options.clock.stands_still();
        loop {
            let next = if stands_still {
                self.jobs.recv().map_err(|_gone| RecvTimeoutError::Disconnected)
            } else {
                self.jobs.recv_timeout(self.idle_time())
            };
            if stands_still {
                self.on_time();
            }
            match next {
                Ok(Job::Close(reply)) => {
                    let answer = self.close();
                    _ = reply.send(answer);
                    return;
                }
                Ok(job) => {
                    if let Some(Job::Close(reply)) = self.work(job) {
                        let answer = self.close();
                        _ = reply.send(answer);
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    // Nobody is left to tell; what failed is found again at the next open.
                    _ = self.close();
                    return;
                }
            }
            if !stands_still {
                self.on_time();
            }
        }
    }

    /// Does a job and those that queue behind it; gives back one that must be done alone.
    fn work(&mut self, first: Job) -> Option<Job> {
        let mut group = Vec::new();
        let mut group_size = 0;
        let mut next = Some(first);
        while let Some(job) = next.take() {
            match job {
                Job::Append(append) => {
                    group_size += append.size_bytes;
                    group.push(append);
                    if group_size >= GROUP_SIZE_MAX {
                        self.commit_group(std::mem::take(&mut group));
                        return None;
                    }
                }
                other => {
                    self.commit_group(std::mem::take(&mut group));
                    return self.do_alone(other);
                }
            }
            next = self.jobs.try_recv().ok();
        }
        self.commit_group(group);
        None
    }

    fn do_alone(&mut self, job: Job) -> Option<Job> {
        match job {
            Job::Append(append) => self.commit_group(vec![append]),
            Job::Control(operation, reply) => _ = reply.send(self.control(&operation)),
            Job::Flush(reply) => _ = reply.send(self.flush()),
            Job::Rotate(reply) => _ = reply.send(self.rotate_if_used()),
            Job::Cut(reply) => _ = reply.send(self.cut()),
            Job::Close(_) => return Some(job),
        }
        None
    }

    /// Writes batches with one write and at most one sync.
    fn commit_group(&mut self, jobs: Vec<AppendJob>) {
        let mut ready: Vec<ReadyFrame> = Vec::with_capacity(jobs.len());
        let mut ready_size = 0_u64;
        for mut job in jobs {
            self.shared.backlog.release(job.size_bytes);
            // Repeats are looked for among indexed rows: a batch that may meet ids of the group waits for it.
            let alone = job.how.scope != crate::filter::TenantScope::Unlimited
                || job.how.idempotency.is_some()
                || job.how.repeats == Repeats::Replace
                || !job.batch.acknowledged.is_empty();
            let upper_size = len_u64(frame_size(job.batch.size_bytes()));
            if (alone && !ready.is_empty()) || !self.has_room(ready_size + upper_size) {
                self.write_group(std::mem::take(&mut ready));
                ready_size = 0;
            }
            match self.prepare(&mut job, ready_size, &ready, upper_size) {
                Ok(Prepared::Answer(receipt)) => {
                    // ORDER: what it repeats may be in the group: that is written before the answer.
                    self.write_group(std::mem::take(&mut ready));
                    ready_size = 0;
                    let level = job.how.durability;
                    _ = job.reply.send(self.keep_level(level).map(|()| receipt.into()));
                }
                Ok(Prepared::Frame(parts)) => {
                    ready_size += len_u64(parts.frame.len());
                    ready.push(ReadyFrame { parts, job });
                    if alone {
                        self.write_group(std::mem::take(&mut ready));
                        ready_size = 0;
                    }
                }
                Err(error) => _ = job.reply.send(Err(error)),
            }
        }
        self.write_group(ready);
    }

    fn has_room(&self, size: u64) -> bool {
        self.active.end_offset + size + CONTROL_RESERVE <= self.active.limit
    }

    /// Turns a job into a frame behind those that are ready, or into an answer that needs none.
    fn prepare(
        &mut self,
        job: &mut AppendJob,
        ready_size: u64,
        ready: &[ReadyFrame],
        upper_size: u64,
    ) -> Result<Prepared> {
        self.shared.check_writable()?;
        let now_us = self.now_us();
        if let Some(key) = job.how.idempotency
            && let Some(answer) = self.shared.idempotency.lock().find(key.key, now_us)
        {
            return replay(answer, key.body).map(Prepared::Answer);
        }
        let replaced = match job.how.repeats {
            Repeats::Skip => Replaced::default(),
            Repeats::Replace => self.find_replaced(job)?,
        };
        let tail_size = replaced.tail_size_max(&job.batch)?;
        let upper_size = upper_size + len_u64(tail_size.next_multiple_of(FRAME_ALIGN));
        if !self.has_room(ready_size + upper_size) {
            debug_assert!(ready.is_empty(), "the group was written before");
            self.rotate(upper_size)?;
        }
        let ready_rows: usize = ready.iter().map(|frame| frame.parts.staged.batch.len()).sum();
        let first_sequence = self.next_sequence + len_u64(ready_rows);
        let row_of = |sequence| self.active.segment.row_of(sequence).unwrap_or(u32::MAX);
        let catalog = self.shared.catalog();
        let context = StageContext {
            catalog: &catalog,
            first_row: row_of(first_sequence),
            indexed_rows: row_of(self.next_sequence),
            now_us,
        };
        let mut staged = stage(job, &context)?;
        let stored = staged.batch.len();
        if stored == 0 && job.how.idempotency.is_none() {
            return Ok(Prepared::Answer(receipt(&staged, first_sequence, 0)));
        }
        let carried = replaced.carried(&staged.batch, first_sequence);
        let mut frame = std::mem::take(&mut staged.batch.bytes);
        if let Some(carried) = &carried {
            frame.extend_from_slice(&carried.tail);
        }
        let header = FrameHeader {
            kind: if carried.is_some() { FrameKind::Replacing } else { FrameKind::Events },
            payload_len: len_u32(frame.len() - FRAME_HEADER_SIZE),
            count: len_u32(stored),
            base_sequence: first_sequence,
            min_created_at_us: staged.min_created_at_us,
            max_created_at_us: staged.max_created_at_us,
            idempotency_key: job.how.idempotency.map_or(0, |key| key.key),
            idempotency_body: job.how.idempotency.map_or(0, |key| key.body),
            duplicates: len_u32(staged.duplicates.len()),
            control_ordinal: self.control_ordinal + u64::from(carried.is_some()),
            ..self.empty_header(FrameKind::Events)
        };
        header.seal(self.active.log.place(self.active.end_offset + ready_size), &mut frame);
        frame.resize(header.frame_size(), 0);
        Ok(Prepared::Frame(FrameParts { frame, staged, first_sequence, carried }))
    }

    /// Writes, indexes, syncs, publishes, answers.
    fn write_group(&mut self, ready: Vec<ReadyFrame>) {
        if ready.is_empty() {
            return;
        }
        // A batch that carries operations is alone in its group.
        match self.try_write_group(&ready) {
            Ok(mut shown) => {
                for ReadyFrame { parts, job } in ready {
                    let receipt = parts.receipt();
                    if let Some(key) = job.how.idempotency {
                        self.shared.idempotency.lock().insert(key.key, answer(&receipt, key.body, self.last_made_us));
                    }
                    _ = job.reply.send(Ok(Appended { receipt, shown: shown.take() }));
                    self.shared.spares.give(Batch { bytes: parts.frame, ..parts.staged.batch });
                }
            }
            Err(error) => {
                // A write that failed half way leaves bytes nobody may build on.
                let error = self.shared.watermarks.poison(&error);
                for frame in ready {
                    _ = frame.job.reply.send(Err(error.duplicate()));
                }
            }
        }
    }

    fn try_write_group(&mut self, ready: &[ReadyFrame]) -> Result<Option<Shown>> {
        let mut offset = self.active.end_offset;
        self.write_frames(ready).map_err(|error| self.shared.watermarks.lose_log(&error))?;
        for parts in ready.iter().map(|one| &one.parts) {
            self.active.segment.index(&RowsToIndex {
                frame: &parts.frame,
                frame_offset: offset,
                records: &parts.staged.batch.records,
                terms: &parts.staged.batch.terms,
            })?;
            offset += len_u64(parts.frame.len());
            self.next_sequence += len_u64(parts.staged.batch.len());
        }
        self.active.end_offset = offset;
        self.age_due.get_or_insert(self.shared.options.clock.monotonic() + self.age_max());
        let level = ready.iter().filter_map(|one| one.job.how.durability).max();
        let level = level.unwrap_or(Durability::Buffered).max(self.shared.options.durability);
        if let Some(carried) = ready.iter().find_map(|one| one.parts.carried.as_ref()) {
            return self.show_carried(carried).map(Some);
        }
        // ORDER: at level `sync` the sync comes before the publication, so that no reader sees an event
        // that a power cut can take back.
        if self.shared.options.durability < Durability::Sync {
            self.shared.watermarks.publish(self.next_sequence - 1);
        }
        if level == Durability::Sync {
            self.sync_now()?;
        } else if level == Durability::Interval {
            self.sync_soon();
        }
        self.shared.watermarks.publish(self.next_sequence - 1);
        Ok(None)
    }

    /// Writes frames one behind the other: small ones together, since each write costs as much as some
    /// copying does, large ones as they are.
    fn write_frames(&self, ready: &[ReadyFrame]) -> Result<()> {
        let mut offset = self.active.end_offset;
        let mut together = Vec::new();
        for one in ready {
            let frame = &one.parts.frame;
            if frame.len() >= WRITTEN_ALONE_SIZE_MIN || ready.len() == 1 {
                self.active.log.write_at(&together, offset)?;
                offset += len_u64(together.len());
                together.clear();
                self.active.log.write_at(frame, offset)?;
                offset += len_u64(frame.len());
            } else {
                together.extend_from_slice(frame);
            }
        }
        self.active.log.write_at(&together, offset)
    }

    /// Makes what an answer without a frame tells of as durable as its level says.
    fn keep_level(&mut self, asked: Option<Durability>) -> Result<()> {
        self.shared.check_writable()?;
        match asked.unwrap_or(Durability::Buffered).max(self.shared.options.durability) {
            Durability::Sync => self.sync_now(),
            Durability::Interval => {
                if self.active.end_offset > self.sync_asked_offset {
                    self.sync_soon();
                }
                Ok(())
            }
            Durability::Buffered => Ok(()),
        }
    }

    /// Logs a delete or a mark, durably.
    fn control(&mut self, operation: &ControlOp) -> Result<u64> {
        self.shared.check_writable()?;
        let mut frame = vec![0; FRAME_HEADER_SIZE];
        control::encode(std::slice::from_ref(operation), &mut frame)?;
        let size = len_u64(frame_size(frame.len() - FRAME_HEADER_SIZE));
        let kept = if matches!(operation, ControlOp::DeleteMatching { .. }) { 0 } else { CLEAN_UP_RESERVE };
        if self.active.end_offset + size + kept > self.active.limit {
            self.rotate(size + kept)?;
        }
        let header = FrameHeader {
            count: 1,
            payload_len: len_u32(frame.len() - FRAME_HEADER_SIZE),
            control_ordinal: self.control_ordinal + 1,
            ..self.empty_header(FrameKind::Control)
        };
        self.write_frame(frame, &header)?;
        self.control_ordinal += 1;
        Ok(self.control_ordinal)
    }

    /// Writes and syncs one frame that holds no events.
    fn write_frame(&mut self, mut frame: Vec<u8>, header: &FrameHeader) -> Result<()> {
        let offset = self.active.end_offset;
        header.seal(self.active.log.place(offset), &mut frame);
        frame.resize(header.frame_size(), 0);
        let written = self.active.log.write_at(&frame, offset);
        written.map_err(|error| self.shared.watermarks.lose_log(&error))?;
        self.active.end_offset = offset + len_u64(frame.len());
        self.sync_now()
    }

    fn empty_header(&self, kind: FrameKind) -> FrameHeader {
        FrameHeader {
            kind,
            payload_len: 0,
            count: 0,
            epoch: self.shared.epoch,
            base_sequence: self.next_sequence,
            synced_upto: self.synced_offset(),
            min_created_at_us: 0,
            max_created_at_us: 0,
            idempotency_key: 0,
            idempotency_body: 0,
            duplicates: 0,
            control_ordinal: self.control_ordinal,
        }
    }

    /// The present, never before a time given out earlier.
    fn now_us(&mut self) -> i64 {
        const STEP_BACK_NOTED_US: i64 = 1_000_000;
        let now = self.shared.options.clock.now_us();
        if now + STEP_BACK_NOTED_US < self.last_made_us {
            self.shared.counters.clock_steps_back.fetch_add(1, Ordering::Relaxed);
        }
        self.last_made_us = self.last_made_us.max(now);
        self.last_made_us
    }
}

/// What became of a job before anything was written.
#[expect(clippy::large_enum_variant, reason = "one at a time, and nearly all are frames")]
enum Prepared {
    Answer(Receipt),
    Frame(FrameParts),
}
