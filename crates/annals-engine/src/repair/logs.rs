//! The logs of a closed store: where each ends, and what lies behind that end.

use crate::codec::len_u64;
use crate::control;
use crate::error::{Error, ErrorKind, Result};
use crate::frame::{FrameHeader, FrameKind};
use crate::layout::{FileKind, FileName, QUARANTINE_DIR};
use crate::log::{Gap, LogFile, RecoverContext, recover_log};
use crate::manifest::LogEntry;
use crate::record::index_payload;
use crate::replacing;

use super::damage::{Loss, Remedy};
use super::inspect::{Inspection, Progress, is_damage};
use super::work::LogWork;

/// No record is smaller: lost bytes held at most one event for each so many of them.
pub(super) const EVENT_SIZE_MIN: u64 = 13;

/// How far the walk over a log came.
#[derive(Clone, Copy, Debug)]
struct Walked {
    next_sequence: u64,
    events: u64,
}

impl Inspection<'_> {
    pub(super) fn logs(&mut self, progress: &mut Progress<'_>) -> Result<()> {
        let logs = self.manifest.logs.clone();
        for (index, entry) in logs.iter().enumerate() {
            let next = logs.get(index + 1).map(|next| next.base_sequence);
            self.log(entry, next)?;
            self.advance(entry.size_bytes, progress);
        }
        Ok(())
    }

    fn log(&mut self, entry: &LogEntry, next: Option<u64>) -> Result<()> {
        self.files += 1;
        let directory = self.options.directory.join(FileKind::Log.folder());
        let store = self.manifest.store;
        let (log, header_damage) = match LogFile::open(&self.storage, &directory, store, entry.id, false) {
            Ok(log) => (log, None),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.take_log_out(entry, next, &error);
                return Ok(());
            }
            Err(error) if is_damage(&error) => {
                let now_us = self.options.clock.now_us();
                let place = (entry.id, entry.size_bytes);
                (LogFile::open_headless(&self.storage, &directory, store, place, now_us, false)?, Some(error))
            }
            Err(error) => return Err(error),
        };
        let len = log.storage_file().len().map_err(|source| Error::io("measure the log", log.path(), source))?;
        let mut walked = Walked { next_sequence: entry.base_sequence, events: 0 };
        let gap = self.walk(entry, next, &log, &mut walked)?;
        self.events += walked.events;
        let mut work = LogWork {
            id: entry.id,
            size_bytes: log.size_bytes(),
            header: header_damage.is_some(),
            cut_at: None,
            extend: len < log.size_bytes(),
        };
        let file = FileName::new(FileKind::Log, entry.id);
        if let Some(error) = header_damage {
            self.damaged(file, &error, Loss::none(), Remedy::Rebuild);
        }
        match gap {
            Some(gap) if !gap.is_short_only => {
                work.cut_at = Some(gap.offset);
                self.cut(entry, next, &gap, file);
            }
            Some(gap) => {
                let error = Error::corrupt(gap.damage).at_offset(len);
                self.damaged(file, &error, Loss::none(), Remedy::Rebuild);
            }
            None => {}
        }
        if work.header || work.cut_at.is_some() || work.extend {
            self.work.logs.push(work);
        }
        Ok(())
    }

    /// Reads the good frames; gives what is wrong behind them, if anything is.
    fn walk(&mut self, entry: &LogEntry, next: Option<u64>, log: &LogFile, walked: &mut Walked) -> Result<Option<Gap>> {
        let manifest = &self.manifest;
        let floor = manifest.durable_floor.filter(|floor| floor.log_id == entry.id);
        let clean = manifest.clean_end.filter(|clean| clean.log_id == entry.id).map(|clean| clean.offset);
        let quarantine = self.options.directory.join(QUARANTINE_DIR);
        let context = RecoverContext {
            storage: &self.storage,
            expected_sequence: entry.base_sequence,
            end_sequence: next.map(|next| self.lost.end_between(entry.base_sequence, next)),
            durable_floor_offset: floor.map_or(0, |floor| floor.offset),
            durable_floor_sequence: floor.map_or(0, |floor| floor.sequence),
            clean_end: clean.or(entry.end_offset),
            epoch: if self.work.replaces_manifest { u32::MAX } else { manifest.epoch },
            degraded: true,
            writable: false,
            quarantine_dir: &quarantine,
        };
        let mut on_frame = |_: u64, header: &FrameHeader, payload: &[u8]| {
            let events = decode(header, payload)?;
            walked.events += events;
            walked.next_sequence = header.end_sequence().unwrap_or(walked.next_sequence);
            Ok(())
        };
        match recover_log(log, &context, &mut on_frame) {
            Ok(recovered) => {
                if recovered.torn_bytes > 0 {
                    self.notes.extend(recovered.notes);
                }
                Ok(recovered.gap)
            }
            // A frame that is as it was written and holds what this build cannot read.
            Err(error) if is_damage(&error) && error.kind() == ErrorKind::Corrupt => Ok(Some(Gap {
                log_id: entry.id,
                offset: error.offset().unwrap_or_else(|| log.first_frame_offset()),
                first_sequence: walked.next_sequence,
                known_end: None,
                reason: error.message().to_owned(),
                damage: error.message().to_owned(),
                is_short_only: false,
                end_offset: log.size_bytes(),
            })),
            Err(error) => Err(error),
        }
    }

    fn cut(&mut self, entry: &LogEntry, next: Option<u64>, gap: &Gap, file: FileName) {
        let lost_bytes = gap.end_offset.saturating_sub(gap.offset);
        let first = gap.first_sequence;
        // Behind the last log nothing tells how many there were: none of what could have been is given again.
        let most = first.saturating_add(lost_bytes / EVENT_SIZE_MIN).saturating_add(1);
        let end = next.unwrap_or_else(|| gap.known_end.unwrap_or(0).max(most)).max(first);
        let told = next.or(gap.known_end).filter(|told| *told > first);
        let loss = Loss {
            events: told.map(|told| told - first),
            sequences: Some(first..told.unwrap_or(end)),
            times_us: None,
            besides: format!(
                "deletes and marks among the {lost_bytes} bytes; the next sequence given is {end} or later"
            ),
        };
        let error = Error::corrupt(gap.damage.clone()).at_offset(gap.offset);
        self.damaged(file, &error, loss, Remedy::Cut);
        let manifest = &mut self.work.manifest;
        if let Some(held) = manifest.logs.iter_mut().find(|held| held.id == entry.id) {
            held.end_offset = Some(gap.offset);
        }
        self.forget_end(entry.id);
        self.lose(first, end, next.is_none());
    }

    fn take_log_out(&mut self, entry: &LogEntry, next: Option<u64>, error: &Error) {
        let first = entry.base_sequence;
        let floor = self.manifest.durable_floor.filter(|floor| floor.log_id == entry.id);
        let most = first.saturating_add(entry.size_bytes / EVENT_SIZE_MIN).saturating_add(1);
        let end = next.unwrap_or(most).max(first);
        let told = next.or(floor.map(|floor| floor.sequence.saturating_add(1))).filter(|told| *told > first);
        let loss = Loss {
            events: told.map(|told| told - first),
            sequences: Some(first..told.unwrap_or(end)),
            times_us: None,
            besides: format!("deletes and marks in it; the next sequence given is {end} or later"),
        };
        let file = FileName::new(FileKind::Log, entry.id);
        self.damaged(file, error, loss, Remedy::TakeOut);
        self.work.manifest.logs.retain(|held| held.id != entry.id);
        self.take_out(file);
        self.forget_end(entry.id);
        self.lose(first, end, next.is_none());
    }

    /// What was known of the end of a log no longer holds.
    fn forget_end(&mut self, log_id: u64) {
        let manifest = &mut self.work.manifest;
        manifest.durable_floor = manifest.durable_floor.filter(|floor| floor.log_id != log_id);
        manifest.clean_end = manifest.clean_end.filter(|clean| clean.log_id != log_id);
    }

    fn lose(&mut self, first: u64, end: u64, is_last: bool) {
        self.work.lost.push(first..end);
        if is_last {
            let floor = &mut self.work.manifest.next_sequence_floor;
            *floor = (*floor).max(end);
        }
    }
}

/// Decodes everything in a frame; gives how many events it holds.
fn decode(header: &FrameHeader, payload: &[u8]) -> Result<u64> {
    let records = match header.kind {
        FrameKind::Events => payload,
        FrameKind::Replacing => replacing::split(payload)?.0,
        FrameKind::Control => {
            control::decode(payload, header.count)?;
            return Ok(0);
        }
        FrameKind::SyncMarker => return Ok(0),
    };
    let (records, _) = index_payload(records, |_| ())?;
    if len_u64(records.len()) != u64::from(header.count) {
        return Err(Error::corrupt(format!("a frame holds {} events and claims {}", records.len(), header.count)));
    }
    Ok(len_u64(records.len()))
}
