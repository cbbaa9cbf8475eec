//! A whole log through recovery.

use std::path::Path;
use std::sync::Arc;

use super::memory::MemoryStorage;
use super::{LOG_ID, STORE, directory, fix_frame, read_payload, u64_at};
use crate::codec::{len_u64, to_usize};
use crate::error::Result;
use crate::frame::FramePlace;
use crate::log::{LOG_HEADER_SIZE, LogFile, RecoverContext, RecoveredLog, recover_log};
use crate::storage::Storage;

/// Zeroes behind the bytes, as in a log with room left.
const ROOM: u64 = 256;

/// The frames of a log, as they follow its header: recovered for writing, once more, and degraded.
pub fn log(bytes: &[u8]) -> bool {
    let accepted = recover_all(bytes);
    let mut fixed = bytes.to_vec();
    let mut offset = 0;
    while let Some(frame) = fixed.get_mut(offset..).filter(|rest| !rest.is_empty()) {
        let place = FramePlace { store: STORE, log_id: LOG_ID, offset: LOG_HEADER_SIZE + len_u64(offset) };
        let Some(len) = fix_frame(place, frame) else { break };
        offset += len;
    }
    recover_all(&fixed);
    accepted
}

/// Whether every byte up to the zeroes at the end was recovered.
fn recover_all(bytes: &[u8]) -> bool {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let folder = directory().join("log");
    let size_bytes = LOG_HEADER_SIZE + len_u64(bytes.len()) + ROOM;
    let log = LogFile::create(&storage, &folder, STORE, LOG_ID, size_bytes, 0).expect("the disk has room");
    log.write_at(bytes, LOG_HEADER_SIZE).expect("the log is as long as that");
    let first_sequence = u64_at(bytes, 16);
    let recover = |degraded: bool| -> Result<(RecoveredLog, Vec<u64>)> {
        let quarantine_dir = Path::new("quarantine");
        let context = RecoverContext {
            storage: &storage,
            expected_sequence: first_sequence,
            end_sequence: None,
            durable_floor_offset: 0,
            durable_floor_sequence: 0,
            clean_end: None,
            epoch: 9,
            degraded,
            writable: true,
            quarantine_dir,
        };
        let mut seen = Vec::new();
        let recovered = recover_log(&log, &context, &mut |offset, header, payload| {
            seen.push(offset);
            read_payload(header, payload)
        })?;
        Ok((recovered, seen))
    };
    // Degraded first: it changes nothing.
    let looked = recover(true);
    let Ok((recovered, seen)) = recover(false) else { return false };
    let (again, seen_again) = recover(false).expect("recovery of what was recovered");
    assert_eq!((again.end_offset, again.next_sequence), (recovered.end_offset, recovered.next_sequence));
    assert_eq!((again.torn_bytes, &seen_again), (0, &seen));
    let (looked, seen_degraded) = looked.expect("what is good for writing is good for looking");
    assert_eq!((looked.end_offset, looked.gap, seen_degraded), (recovered.end_offset, None, seen));
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    recovered.torn_bytes == 0 && to_usize(recovered.end_offset - LOG_HEADER_SIZE) >= used
}
