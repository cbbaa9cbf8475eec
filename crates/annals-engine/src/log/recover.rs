//! After a crash: a clean end, a torn tail or damage? `docs/operations.md`, "Recovery".
//!
//! Writeback has no order, so behind a power cut a bad frame followed by good ones is normal in the part
//! that was never synced, and damage in the part that was. The durable watermark W tells them apart.

use std::path::Path;
use std::sync::Arc;

use super::file::LogFile;
use super::scan::{Rest, Window, scan_rest};
use crate::codec::{len_u64, row_usize, to_usize};
use crate::envelope::{place_file, sync_folder_of};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::{self, FRAME_HEADER_SIZE, FrameHeader};
use crate::layout::FileName;
use crate::storage::Storage;

/// The most bytes of a torn tail that are kept.
const QUARANTINE_SIZE_MAX: u64 = 64 << 20;
/// Bytes copied or overwritten at once.
const CHUNK_SIZE: u64 = 1 << 20;

/// Called with offset, header and payload of each good frame, in order.
pub(crate) type OnFrame<'a> = dyn FnMut(u64, &FrameHeader, &[u8]) -> Result<()> + 'a;

/// What recovery must know besides the log itself.
#[derive(Clone)]
pub(crate) struct RecoverContext<'a> {
    pub(crate) storage: &'a Arc<dyn Storage>,
    /// The sequence of the log's first event: where the log before it ended.
    pub(crate) expected_sequence: u64,
    /// Where the log after it starts, if there is one: then this log was complete and durable.
    pub(crate) end_sequence: Option<u64>,
    /// The manifest's durable floor if it lies in this log, else 0.
    pub(crate) durable_floor_offset: u64,
    /// The last sequence the manifest knows to be durable, 0 if none. Only used to say what is lost.
    pub(crate) durable_floor_sequence: u64,
    /// Where the log ended when it was closed or left for the next one. Without it, cached pages are
    /// dropped before reading: after a failed sync they may hold what the device does not.
    pub(crate) clean_end: Option<u64>,
    /// The manifest's epoch: no frame has a later one. `u32::MAX` if the manifest is a stand-in.
    pub(crate) epoch: u32,
    /// Whether damage gives the good prefix and a [`Gap`] instead of an error. Nothing is ever changed
    /// then, torn tails included: other logs may hold what puts this one in another light.
    pub(crate) degraded: bool,
    /// Whether a torn tail may be cut off, unless `degraded`. Otherwise it is only reported.
    pub(crate) writable: bool,
    pub(crate) quarantine_dir: &'a Path,
}

/// Durable data that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) log_id: u64,
    /// The first damaged byte of the log.
    pub(crate) offset: u64,
    /// The first lost sequence.
    pub(crate) first_sequence: u64,
    /// Behind the last sequence known to be lost; later ones may be too. `None`: nothing tells.
    pub(crate) known_end: Option<u64>,
    /// What is wrong, one sentence.
    pub(crate) reason: String,
    /// The same without what is lost.
    pub(crate) damage: String,
    /// Whether the file is only shorter than it was reserved: every frame is there.
    pub(crate) is_short_only: bool,
    /// Behind the last byte that was written or known to be durable.
    pub(crate) end_offset: u64,
}

impl RecoverContext<'_> {
    fn may_change(&self) -> bool {
        self.writable && !self.degraded
    }
}

/// What recovery found. If it was writable, everything up to `end_offset` is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecoveredLog {
    /// Where the next frame goes.
    pub(crate) end_offset: u64,
    pub(crate) next_sequence: u64,
    /// The ordinal in the last control frame, 0 if there is none.
    pub(crate) last_control_ordinal: u64,
    /// The epoch of the last frame, 0 if there is none.
    pub(crate) last_epoch: u32,
    /// Bytes of the torn tail, 0 if the end was clean.
    pub(crate) torn_bytes: u64,
    pub(crate) gap: Option<Gap>,
    /// Sentences for the log of the process.
    pub(crate) notes: Vec<String>,
}

/// The state of the walk over good frames.
struct Walk {
    offset: u64,
    next_sequence: u64,
    control_ordinal: u64,
    epoch: u32,
    synced_upto: u64,
}

/// Why the walk ended.
enum Stop {
    /// No valid frame of this time: the watermark decides what that means.
    NoFrame(Error),
    /// A frame as it was written that cannot be: damage, whatever the watermark says.
    Contradiction(Error),
}

/// Walks the frames of `file`, calls `on_frame` with offset, header and payload of each good one, and
/// decides what the end of them means.
///
/// # Errors
/// `Corrupt` with path, offset and the lost sequences if durable data is damaged and `degraded` is off;
/// `UnsupportedFormat` for frames of a newer version; what `on_frame` says; `Io`.
pub(crate) fn recover_log(
    file: &LogFile,
    ctx: &RecoverContext<'_>,
    on_frame: &mut OnFrame<'_>,
) -> Result<RecoveredLog> {
    if ctx.clean_end.is_none() {
        file.storage_file().drop_cache().map_err(|source| file.io("drop cached pages of the log", source))?;
    }
    let len = file.storage_file().len().map_err(|source| file.io("ask for the length of the log", source))?;
    let mut window = Window::new(file, len.min(file.size_bytes()));
    let mut walk = Walk {
        offset: file.first_frame_offset(),
        next_sequence: ctx.expected_sequence,
        control_ordinal: 0,
        epoch: 0,
        synced_upto: 0,
    };
    let stop = walk_frames(file, ctx, &mut window, &mut walk, on_frame)?;
    // A clean close was the last thing that happened to the log: there is nothing to look for.
    let rest = if ctx.clean_end == Some(walk.offset) { Rest::default() } else { scan_rest(&mut window, walk.offset)? };
    let short = (len < file.size_bytes())
        .then(|| Error::corrupt(format!("the log has {len} of its {} bytes", file.size_bytes())));
    let mut recovered = RecoveredLog {
        end_offset: walk.offset,
        next_sequence: walk.next_sequence,
        last_control_ordinal: walk.control_ordinal,
        last_epoch: walk.epoch,
        torn_bytes: 0,
        gap: None,
        notes: Vec::new(),
    };
    let judged = judge(ctx, &walk, &rest, stop);
    let is_short_only = judged.is_none();
    if let Some(damage) = short.or(judged) {
        let gap = Gap { is_short_only, ..describe_gap(file, ctx, &walk, &rest, &damage) };
        if !ctx.degraded || damage.kind() == ErrorKind::UnsupportedFormat {
            return Err(refuse(file, &gap, damage));
        }
        recovered.notes.push(format!("{}: {}", file.path().display(), gap.reason));
        recovered.gap = Some(gap);
        return Ok(recovered);
    }
    if let Some(end) = rest.nonzero_end {
        recovered.torn_bytes = end.saturating_sub(walk.offset);
        recovered.notes.push(cut_tail(file, ctx, walk.offset, end)?);
    } else if ctx.may_change() && ctx.clean_end.is_none() {
        // Frames of a killed process may so far exist in the page cache only.
        file.sync()?;
    }
    Ok(recovered)
}

fn walk_frames(
    file: &LogFile,
    ctx: &RecoverContext<'_>,
    window: &mut Window<'_>,
    walk: &mut Walk,
    on_frame: &mut OnFrame<'_>,
) -> Result<Stop> {
    loop {
        let place = file.place(walk.offset);
        let bytes = window.bytes(walk.offset, FRAME_HEADER_SIZE)?;
        let checked = match frame::read_header(place, bytes) {
            Ok(Some(checked)) => checked,
            Ok(None) => return Ok(Stop::NoFrame(frame::describe_bad_header(place, bytes))),
            Err(error) => return Ok(Stop::Contradiction(error)),
        };
        let header = checked.header;
        let size = header.frame_size();
        let bytes = window.bytes(walk.offset, size)?;
        if bytes.len() < size {
            let message = format!("a frame of {size} bytes runs over the end of the log");
            return Ok(Stop::Contradiction(Error::corrupt(message)));
        }
        let payload_end = FRAME_HEADER_SIZE + row_usize(header.payload_len);
        let payload = bytes.get(FRAME_HEADER_SIZE..payload_end).unwrap_or_default();
        if let Err(error) = checked.check_payload(place, payload) {
            return Ok(Stop::NoFrame(error));
        }
        if header.epoch < walk.epoch {
            // Left behind a repaired tail by an earlier life of the store: no part of this one.
            let message = format!("a frame of epoch {} follows one of epoch {}", header.epoch, walk.epoch);
            return Ok(Stop::NoFrame(Error::corrupt(message)));
        }
        let next_sequence = match follows(ctx, walk, &header) {
            Ok(next_sequence) => next_sequence,
            Err(error) => return Ok(Stop::Contradiction(error)),
        };
        on_frame(walk.offset, &header, payload).map_err(|error| error.at_path(file.path()).at_offset(walk.offset))?;
        walk.offset = walk.offset.saturating_add(len_u64(size));
        walk.next_sequence = next_sequence;
        walk.epoch = header.epoch;
        walk.synced_upto = walk.synced_upto.max(header.synced_upto);
        if header.kind.has_operations() {
            walk.control_ordinal = header.control_ordinal;
        }
    }
}

/// Whether a frame whose checksums hold can come next; gives the sequence behind it.
fn follows(ctx: &RecoverContext<'_>, walk: &Walk, header: &FrameHeader) -> Result<u64> {
    let (expected, base) = (walk.next_sequence, header.base_sequence);
    if base != expected {
        return Err(Error::corrupt(format!("a frame starts at sequence {base}, expected {expected}")));
    }
    if header.epoch > ctx.epoch {
        let message = format!("a frame has epoch {}, the manifest knows {}: it is too old", header.epoch, ctx.epoch);
        return Err(Error::corrupt(message));
    }
    if header.kind.has_operations() && header.control_ordinal <= walk.control_ordinal {
        let message =
            format!("control operation {} follows operation {}", header.control_ordinal, walk.control_ordinal);
        return Err(Error::corrupt(message));
    }
    header.end_sequence().ok_or_else(|| Error::corrupt(format!("sequences overflow behind {base}")))
}

/// The verdicts of `docs/operations.md`, "Recovery": what is damaged, if anything is.
fn judge(ctx: &RecoverContext<'_>, walk: &Walk, rest: &Rest, stop: Stop) -> Option<Error> {
    let reason = match stop {
        Stop::Contradiction(error) => return Some(error),
        Stop::NoFrame(reason) => reason,
    };
    let watermark = watermark(ctx, walk, rest);
    if watermark > walk.offset {
        let message = format!("{} where the log was durable up to byte {watermark}", reason.message());
        return Some(Error::corrupt(message));
    }
    let end = ctx.end_sequence.filter(|end| *end != walk.next_sequence)?;
    let next = walk.next_sequence;
    Some(Error::corrupt(format!("the log ends before sequence {next}, the next one starts at sequence {end}")))
}

fn describe_gap(file: &LogFile, ctx: &RecoverContext<'_>, walk: &Walk, rest: &Rest, damage: &Error) -> Gap {
    let known_end = [rest.sequence_end, ctx.end_sequence.unwrap_or(0), ctx.durable_floor_sequence.saturating_add(1)]
        .into_iter()
        .max()
        .filter(|end| *end > walk.next_sequence);
    let first = walk.next_sequence;
    let lost = match known_end {
        Some(end) => format!("lost are sequences {first} to {} and perhaps later ones", end - 1),
        None => format!("lost is what follows sequence {}, how much is not known", first.saturating_sub(1)),
    };
    Gap {
        log_id: file.log_id(),
        offset: walk.offset,
        first_sequence: first,
        known_end,
        reason: format!("{}; {lost}", damage.message()),
        damage: damage.message().to_owned(),
        is_short_only: false,
        end_offset: watermark(ctx, walk, rest).max(rest.nonzero_end.unwrap_or(0)).max(walk.offset),
    }
}

/// Up to where the log is known to have been durable.
fn watermark(ctx: &RecoverContext<'_>, walk: &Walk, rest: &Rest) -> u64 {
    let known = [ctx.durable_floor_offset, ctx.clean_end.unwrap_or(0), walk.synced_upto, rest.synced_upto];
    known.into_iter().max().unwrap_or(0)
}

fn refuse(file: &LogFile, gap: &Gap, damage: Error) -> Error {
    let (kind, message) = match damage.kind() {
        ErrorKind::UnsupportedFormat => (ErrorKind::UnsupportedFormat, damage.message().to_owned()),
        _ => (ErrorKind::Corrupt, gap.reason.clone()),
    };
    Error::new(kind, message).at_path(file.path()).at_offset(gap.offset).with_source(damage)
}

/// Saves the bytes from `start` to `end`, overwrites them with zeroes and makes that durable.
fn cut_tail(file: &LogFile, ctx: &RecoverContext<'_>, start: u64, end: u64) -> Result<String> {
    let (path, bytes) = (file.path().display(), end.saturating_sub(start));
    if !ctx.may_change() {
        return Ok(format!("{bytes} bytes of an unfinished write end {path} at byte {start}; left as they are"));
    }
    let saved = match save_tail(file, ctx, start, end) {
        Ok(name) => format!("saved as {name}"),
        // A full disk must not keep the store from opening: deletes and retention make room again.
        Err(error) if error.kind() == ErrorKind::DiskFull => "not saved, the disk is full".to_owned(),
        Err(error) => return Err(error),
    };
    let io = |source| file.io("clear the end of the log", source);
    // Zeroes, not a hole: a hole would give the reservation back. Everything behind `end` is zero already.
    copy_chunks(start, end, |offset, len| file.storage_file().write_at(&vec![0; len], offset)).map_err(io)?;
    file.sync()?;
    Ok(format!("cut {bytes} bytes of an unfinished write off {path} at byte {start}, {saved}"))
}

fn save_tail(file: &LogFile, ctx: &RecoverContext<'_>, start: u64, end: u64) -> Result<String> {
    let dir = ctx.quarantine_dir;
    let io = |source| Error::io("list the folder", dir, source);
    ctx.storage.create_dir(dir).map_err(io)?;
    let taken: Vec<String> = ctx.storage.list(dir).map_err(io)?.into_iter().map(|entry| entry.name).collect();
    let log = FileName::new(crate::layout::FileKind::Log, file.log_id()).name();
    // A crash while the bytes were being cleared leaves fewer of them: the first save is the fuller one.
    let name = (1..=taken.len() + 1)
        .map(|attempt| format!("{log}.{start}.{attempt}.torn"))
        .find(|name| !taken.contains(name))
        .expect("one name more than there are entries");
    let path = dir.join(&name);
    let end = end.min(start.saturating_add(QUARANTINE_SIZE_MAX));
    place_file(&**ctx.storage, &path, |copy| {
        copy_chunks(start, end, |offset, len| {
            let mut bytes = vec![0; len];
            file.storage_file().read_at(&mut bytes, offset)?;
            copy.write_at(&bytes, offset.saturating_sub(start))
        })
    })?;
    sync_folder_of(&**ctx.storage, &path)?;
    Ok(name)
}

fn copy_chunks(start: u64, end: u64, mut step: impl FnMut(u64, usize) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut offset = start;
    while offset < end {
        let len = CHUNK_SIZE.min(end - offset);
        step(offset, to_usize(len))?;
        offset += len;
    }
    Ok(())
}
