//! What a log holds, for a person who looks: nothing is judged and nothing is changed.

use super::file::LogFile;
use super::scan::{Window, scan_rest};
use crate::codec::{len_u64, row_usize};
use crate::error::Result;
use crate::frame::{self, FRAME_HEADER_SIZE, FrameHeader, FrameKind};
use crate::inspect::LogInfo;

/// Reads every whole frame from the first one on, and looks at what lies behind them.
///
/// # Errors
/// `UnsupportedFormat` for a frame of a newer version, `Corrupt` for one that cannot be; `Io`.
pub(crate) fn describe_log(file: &LogFile) -> Result<LogInfo> {
    let io = |source| crate::error::Error::io("measure the log", file.path(), source);
    let size_bytes = file.storage_file().len().map_err(io)?;
    let mut info = LogInfo {
        store: file.place(0).store,
        id: file.place(0).log_id,
        created_at_us: (i64::MAX, i64::MIN),
        made_at_us: file.created_at_us(),
        reserved_bytes: file.size_bytes(),
        size_bytes,
        event_frames: 0,
        control_frames: 0,
        replacing_frames: 0,
        sync_markers: 0,
        events: 0,
        sequences: None,
        synced_upto: 0,
        end_offset: file.first_frame_offset(),
        rest_end: None,
    };
    let mut window = Window::new(file, size_bytes.min(file.size_bytes()));
    while let Some(header) = whole_frame(file, &mut window, info.end_offset)? {
        info.count(&header);
        info.end_offset = info.end_offset.saturating_add(len_u64(header.frame_size()));
    }
    info.rest_end = scan_rest(&mut window, info.end_offset)?.nonzero_end;
    Ok(info)
}

/// The header of the frame at `offset`, if it is there whole.
fn whole_frame(file: &LogFile, window: &mut Window<'_>, offset: u64) -> Result<Option<FrameHeader>> {
    let place = file.place(offset);
    let told = |error: crate::error::Error| error.at_path(file.path()).at_offset(offset);
    let Some(checked) = frame::read_header(place, window.bytes(offset, FRAME_HEADER_SIZE)?).map_err(told)? else {
        return Ok(None);
    };
    let len = row_usize(checked.header.payload_len);
    let payload = window.bytes(offset.saturating_add(len_u64(FRAME_HEADER_SIZE)), len)?;
    let is_whole = payload.len() == len && checked.check_payload(place, payload).is_ok();
    Ok(is_whole.then_some(checked.header))
}

impl LogInfo {
    fn count(&mut self, header: &FrameHeader) {
        let frames = match header.kind {
            FrameKind::Events => &mut self.event_frames,
            FrameKind::Control => &mut self.control_frames,
            FrameKind::SyncMarker => &mut self.sync_markers,
            FrameKind::Replacing => &mut self.replacing_frames,
        };
        *frames += 1;
        self.synced_upto = self.synced_upto.max(header.synced_upto);
        let end = header.end_sequence().unwrap_or(header.base_sequence);
        if !header.kind.has_events() || end <= header.base_sequence {
            return;
        }
        self.events = self.events.saturating_add(end - header.base_sequence);
        let first = self.sequences.map_or(header.base_sequence, |(first, _)| first);
        self.sequences = Some((first, end - 1));
        let (min, max) = self.created_at_us;
        self.created_at_us = (min.min(header.min_created_at_us), max.max(header.max_created_at_us));
    }
}
