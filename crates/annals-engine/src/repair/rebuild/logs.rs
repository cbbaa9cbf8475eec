//! The logs of a store whose manifest is made anew: those that are there, and those that a manifest knew.

use std::ops::Range;
use std::path::Path;

use roaring::RoaringTreemap;

use super::{FoundSegment, Rebuild, Told, readable};
use crate::codec::len_u64;
use crate::error::{Error, Result};
use crate::frame::{FrameHeader, FrameKind};
use crate::layout::{FileKind, FileName, QUARANTINE_DIR};
use crate::log::{Gap, LOG_HEADER_SIZE, LogFile, RecoverContext, recover_log};
use crate::manifest::{LogEntry, Manifest};
use crate::record::index_payload;
use crate::repair::damage::{Damage, DamageKind, Loss, Remedy};
use crate::repair::logs::EVENT_SIZE_MIN;

/// A log that is there, or that the last readable manifest names.
pub(super) struct FoundLog {
    pub(super) id: u64,
    pub(super) size_bytes: u64,
    /// Those that it is known to have held.
    pub(super) sequences: Range<u64>,
    pub(super) end_offset: u64,
    is_there: bool,
    is_whole: bool,
    /// No sequence from here on was given by it: where the next log starts, if nothing else says so.
    behind: u64,
    pub(super) epoch: u32,
    pub(super) control_ordinal: u64,
    pub(super) last_made_us: i64,
}

impl Rebuild<'_> {
    pub(super) fn find_logs(&self, previous: &Manifest, told: &mut Told<'_>) -> Result<Vec<FoundLog>> {
        let directory = self.options.directory.join(FileKind::Log.folder());
        let there = self.ids(FileKind::Log)?;
        let mut ids = there.clone();
        ids.extend(previous.logs.iter().map(|entry| entry.id).filter(|id| !there.contains(id)));
        ids.sort_unstable();
        let mut found: Vec<FoundLog> = Vec::new();
        for id in ids {
            let known = previous.logs.iter().find(|entry| entry.id == id);
            if let Some(entry) = known.filter(|_| !there.contains(&id)) {
                found.push(missing(previous, entry));
                continue;
            }
            let Some(log) = self.open_log(&directory, id, known)? else {
                told.unreadable(
                    FileName::new(FileKind::Log, id),
                    Loss { events: None, besides: "deletes and marks in it".to_owned(), ..Loss::default() },
                );
                continue;
            };
            let first = readable(log.first_sequence())?.flatten();
            let behind = found.last().map_or(previous.next_sequence_floor.max(1), |log| log.behind);
            let base = known.map(|entry| entry.base_sequence).or(first).unwrap_or(behind);
            found.push(self.walk(&log, base, known)?);
        }
        found.sort_by_key(|log| (log.sequences.start, log.id));
        Ok(found)
    }

    /// Opens a log, without its header if that is damaged; `None` if nothing tells where it starts then.
    fn open_log(&self, directory: &Path, id: u64, known: Option<&LogEntry>) -> Result<Option<LogFile>> {
        if let Some(log) = readable(LogFile::open(self.storage, directory, self.store, id, false))? {
            return Ok(Some(log));
        }
        let path = directory.join(FileName::new(FileKind::Log, id).name());
        let size_bytes = if let Some(entry) = known {
            entry.size_bytes
        } else {
            let file = self.storage.open(&path, false).map_err(|source| Error::io("open the log", &path, source))?;
            file.len().map_err(|source| Error::io("measure the log", &path, source))?
        };
        if size_bytes <= LOG_HEADER_SIZE {
            return Ok(None);
        }
        let (place, now_us) = ((id, size_bytes), self.options.clock.now_us());
        let log = LogFile::open_headless(self.storage, directory, self.store, place, now_us, false)?;
        let starts = known.is_some() || readable(log.first_sequence())?.flatten().is_some();
        Ok(starts.then_some(log))
    }

    fn walk(&self, log: &LogFile, base: u64, known: Option<&LogEntry>) -> Result<FoundLog> {
        let quarantine = self.options.directory.join(QUARANTINE_DIR);
        let context = RecoverContext {
            storage: self.storage,
            expected_sequence: base,
            end_sequence: None,
            durable_floor_offset: 0,
            durable_floor_sequence: 0,
            clean_end: None,
            epoch: u32::MAX,
            degraded: true,
            writable: false,
            quarantine_dir: &quarantine,
        };
        let (mut epoch, mut control_ordinal, mut last_made_us) = (0, 0, 0_i64);
        let mut end = (base, log.first_frame_offset());
        let mut on_frame = |offset: u64, header: &FrameHeader, payload: &[u8]| {
            epoch = epoch.max(header.epoch);
            control_ordinal = control_ordinal.max(header.control_ordinal);
            if header.kind == FrameKind::Events {
                index_payload(payload, |time| last_made_us = last_made_us.max(time))?;
            }
            end = (header.end_sequence().unwrap_or(end.0), offset + len_u64(header.frame_size()));
            Ok(())
        };
        let recovered = readable(recover_log(log, &context, &mut on_frame))?;
        let gap = recovered.as_ref().and_then(|recovered| recovered.gap.as_ref()).filter(|gap| !gap.is_short_only);
        let known_end = known.and_then(|entry| entry.end_offset);
        Ok(FoundLog {
            id: log.log_id(),
            size_bytes: log.size_bytes(),
            sequences: base..end.0,
            // Behind the damage: whoever ends a log at its last good frame takes what follows for nothing.
            end_offset: known_end.or(gap.map(|gap| gap.end_offset)).unwrap_or(end.1),
            is_there: true,
            is_whole: recovered.as_ref().is_some_and(|recovered| recovered.gap.is_none()),
            behind: gap.map_or(end.0, behind_gap).max(end.0),
            epoch,
            control_ordinal,
            last_made_us,
        })
    }
}

/// A log that a manifest names and that is gone.
fn missing(previous: &Manifest, entry: &LogEntry) -> FoundLog {
    let first = entry.base_sequence;
    let next = previous.logs.iter().skip_while(|log| log.id != entry.id).nth(1).map(|next| next.base_sequence);
    let floor = previous.durable_floor.filter(|floor| floor.log_id == entry.id);
    let durable_end = floor.map_or(first, |floor| floor.sequence.saturating_add(1));
    FoundLog {
        id: entry.id,
        size_bytes: entry.size_bytes,
        sequences: first..next.unwrap_or(durable_end).max(first),
        end_offset: entry.end_offset.unwrap_or(LOG_HEADER_SIZE),
        is_there: false,
        is_whole: false,
        behind: next.unwrap_or_else(|| first.saturating_add(entry.size_bytes / EVENT_SIZE_MIN).saturating_add(1)),
        epoch: 0,
        control_ordinal: 0,
        last_made_us: 0,
    }
}

/// Behind every sequence that could have been among damaged bytes.
fn behind_gap(gap: &Gap) -> u64 {
    let lost_bytes = gap.end_offset.saturating_sub(gap.offset);
    let most = gap.first_sequence.saturating_add(lost_bytes / EVENT_SIZE_MIN).saturating_add(1);
    gap.known_end.unwrap_or(0).max(most)
}

/// Leaves out the logs whose events segments hold, or the segments made of a log that is whole.
pub(super) fn choose(logs: &mut Vec<FoundLog>, segments: &mut Vec<FoundSegment>, told: &mut Told<'_>) {
    logs.retain(|log| {
        // How far one that is gone reached is perhaps not known; it held its first sequence if it held any.
        let end = if log.is_there { log.sequences.end } else { log.sequences.end.max(log.sequences.start + 1) };
        let range = log.sequences.start..end;
        let overlaps = |segment: &FoundSegment| segment.sequences.range_cardinality(range.clone()) > 0;
        let is_inside =
            |segment: &FoundSegment| segment.sequences.range_cardinality(range.clone()) == segment.sequences.len();
        let of_it: Vec<u64> =
            segments.iter().filter(|segment| overlaps(segment)).map(|segment| segment.entry.id).collect();
        if of_it.is_empty() {
            return true;
        }
        if log.is_whole && segments.iter().filter(|segment| overlaps(segment)).all(is_inside) {
            told.notes.push(format!("log {} is whole: the segments made of it are left out, and made again", log.id));
            segments.retain(|segment| !of_it.contains(&segment.entry.id));
            return true;
        }
        let mut held = RoaringTreemap::new();
        for segment in segments.iter() {
            held |= &segment.sequences;
        }
        let absent = (range.end - range.start).saturating_sub(held.range_cardinality(range.clone()));
        if absent > 0 && !log.is_whole {
            told.damages.push(partly_sealed(log, range, absent));
        }
        told.notes.push(format!("log {} was sealed and is left out", log.id));
        false
    });
}

/// Segments of a log that is damaged or gone do not hold all of it.
fn partly_sealed(log: &FoundLog, range: Range<u64>, absent: u64) -> Damage {
    let what = if log.is_there { "damaged" } else { "gone" };
    Damage {
        file: format!("{}/{}", FileKind::Log.folder(), FileName::new(FileKind::Log, log.id).name()),
        offset: None,
        kind: DamageKind::Log,
        reason: format!("the log is {what}, and the segments made of it do not hold {absent} of its sequences"),
        loss: Loss {
            events: Some(absent),
            sequences: Some(range),
            times_us: None,
            besides: "those that were deleted before are among them".to_owned(),
        },
        remedy: Some(Remedy::TakeOut),
    }
}
