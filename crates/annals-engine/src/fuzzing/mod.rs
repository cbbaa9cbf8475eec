//! One total function for each decoder of stored bytes, for `fuzz/` and for the tests of this crate.
//!
//! Each takes any bytes, tries them as they are and once more with their checksums made right, so that
//! what lies behind a checksum is reached too, and returns whether they were accepted as they are. A panic
//! is a find. No part of the API: nothing here is stable.

mod log;
mod memory;
mod seeds;
mod store;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use crate::backup::BackupNote;
use crate::blob::read_blob;
use crate::codec::{Reader, len_u32, len_u64};
use crate::control;
use crate::envelope::ENVELOPE_HEADER_SIZE;
use crate::error::Result;
use crate::filter::{FILTER_DEPTH_MAX, wire};
use crate::frame::{FrameHeader, FrameKind, FramePlace, read_frame};
use crate::idempotency::IdempotencyTable;
use crate::layout::{FileKind, FileName, MANIFEST_FILE};
use crate::log::{LOG_HEADER_SIZE, LogFile};
use crate::manifest::{BlobEntry, Manifest, ManifestStore};
use crate::metadata::{self, METADATA_SIZE_MAX};
use crate::overlay_file::{OverlayPlace, read_overlay, write_overlay};
use crate::record::{Record, index_payload};
use crate::replacing;
use crate::segment::SealedSegment;
use crate::segment::fuzzing::{Written, fix_checksums, read_everything};
use crate::storage::Storage;

use memory::MemoryStorage;

pub use log::log;
pub use seeds::{Seed, seeds};
pub use store::store;

/// What the functions have in common.
pub type Target = fn(&[u8]) -> bool;

/// Every function and its name.
pub const TARGETS: &[(&str, Target)] = &[
    ("backup", backup),
    ("blob", blob),
    ("control", control),
    ("filter", filter),
    ("frame", frame),
    ("idempotency", idempotency),
    ("log", log),
    ("log_header", log_header),
    ("manifest", manifest),
    ("overlay", overlay),
    ("record", record),
    ("segment", segment),
    ("store", store),
];

/// The store that seeds belong to.
const STORE: u128 = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210;
/// The log that seeds of frames belong to.
const LOG_ID: u64 = 1;
/// Rows that a damaged overlay may claim.
const ROWS: u32 = 1 << 20;
const HEADER_CRC_OFFSET: usize = 88;
const FRAME_HEADER_END: usize = 96;

fn directory() -> PathBuf {
    PathBuf::from("store")
}

/// A disk with one file of that kind.
fn disk(kind: FileKind, id: u64, bytes: &[u8]) -> Arc<dyn Storage> {
    let path = FileName::new(kind, id).path(&directory());
    Arc::new(MemoryStorage::with([(path, bytes.to_vec())]))
}

/// A disk with nothing on it.
pub(crate) fn empty_disk() -> Arc<dyn Storage> {
    Arc::new(MemoryStorage::default())
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    bytes.get(offset..).and_then(|rest| Reader::new(rest).u64().ok()).unwrap_or_default()
}

fn u128_at(bytes: &[u8], offset: usize) -> u128 {
    bytes.get(offset..).and_then(|rest| Reader::new(rest).u128().ok()).unwrap_or_default()
}

fn put_at(bytes: &mut [u8], offset: usize, value: &[u8]) {
    if let Some(slot) = bytes.get_mut(offset..offset + value.len()) {
        slot.copy_from_slice(value);
    }
}

/// Makes both checksums of the frame at the front of `bytes` right; gives its length if it fits.
fn fix_frame(place: FramePlace, bytes: &mut [u8]) -> Option<usize> {
    let crc = |part: &[u8]| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&place.store.to_le_bytes());
        hasher.update(&place.log_id.to_le_bytes());
        hasher.update(&place.offset.to_le_bytes());
        hasher.update(part);
        hasher.finalize().to_le_bytes()
    };
    let len = bytes.get(4..8)?.try_into().map(u32::from_le_bytes).ok()?;
    let end = FRAME_HEADER_END.checked_add(crate::codec::row_usize(len))?;
    let payload_crc = crc(bytes.get(FRAME_HEADER_END..end)?);
    let header_crc = crc(bytes.get(..HEADER_CRC_OFFSET)?);
    put_at(bytes, HEADER_CRC_OFFSET, &header_crc);
    put_at(bytes, HEADER_CRC_OFFSET + 4, &payload_crc);
    Some(end.next_multiple_of(crate::frame::FRAME_ALIGN))
}

/// Makes length and checksums of an envelope right and gives the header's.
fn fix_envelope(bytes: &mut [u8]) -> u32 {
    let Some((_, payload)) = bytes.split_at_checked(ENVELOPE_HEADER_SIZE) else { return 0 };
    let (len, crc) = (len_u64(payload.len()), crc32fast::hash(payload));
    put_at(bytes, 40, &len.to_le_bytes());
    put_at(bytes, 48, &crc.to_le_bytes());
    let header_crc = crc32fast::hash(bytes.get(..60).unwrap_or_default());
    put_at(bytes, 60, &header_crc.to_le_bytes());
    header_crc
}

/// What a frame carries, decoded as recovery does.
fn read_payload(header: &FrameHeader, payload: &[u8]) -> Result<()> {
    match header.kind {
        FrameKind::Events => read_records(header, payload)?,
        FrameKind::Replacing => read_records(header, replacing::split(payload)?.0)?,
        FrameKind::Control => _ = control::decode(payload, header.count)?,
        FrameKind::SyncMarker => {}
    }
    Ok(())
}

fn read_records(header: &FrameHeader, records: &[u8]) -> Result<()> {
    index_payload(records, |_| ())?;
    let mut reader = Reader::new(records);
    while !reader.is_empty() {
        let record = Record::take(&mut reader)?;
        _ = record.value(crate::event::tag::PAYLOAD)?;
        _ = record.to_stored(header.base_sequence)?;
    }
    Ok(())
}

/// A frame at the first place of a log.
pub fn frame(bytes: &[u8]) -> bool {
    let place = FramePlace { store: STORE, log_id: LOG_ID, offset: LOG_HEADER_SIZE };
    let read = |bytes: &[u8]| read_frame(place, bytes).and_then(|(header, payload)| read_payload(&header, payload));
    let accepted = read(bytes).is_ok();
    let mut fixed = bytes.to_vec();
    if fix_frame(place, &mut fixed).is_some() {
        _ = read(&fixed);
    }
    accepted
}

/// The records of an events frame.
pub fn record(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    let mut good = 0_u64;
    while let Ok(record) = Record::take(&mut reader) {
        let Ok(stored) = record.to_stored(good + 1) else { break };
        // What was taken can be handed in again.
        let (mut realms, mut targets) = (Vec::new(), Vec::new());
        let event = stored.to_event(&mut realms, &mut targets);
        assert_eq!(event.id, Some(stored.id));
        // A UUID takes 16 bytes in a record and 36 as a text.
        assert!(stored.size_bytes() <= 3 * bytes.len());
        good += 1;
    }
    match index_payload(bytes, |_| ()) {
        Ok((records, _)) => {
            // The index takes keyword values only, so it may accept a record whose texts are bad.
            assert!(len_u64(records.len()) >= good);
            good > 0 && len_u64(records.len()) == good
        }
        Err(_) => false,
    }
}

/// Control operations; the first byte is their number.
pub fn control(bytes: &[u8]) -> bool {
    let Some((count, payload)) = bytes.split_first() else { return false };
    let Ok(operations) = control::decode(payload, u32::from(*count)) else { return false };
    let mut again = Vec::new();
    control::encode(&operations, &mut again).expect("what was decoded is within its limits");
    assert_eq!(control::decode(&again, u32::from(*count)).expect("just encoded"), operations);
    true
}

/// A filter as a control frame stores it.
pub fn filter(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    let Ok(filter) = wire::decode(&mut reader) else { return false };
    assert!(filter.depth() <= FILTER_DEPTH_MAX);
    let mut again = Vec::new();
    wire::encode(&filter, &mut again).expect("what was decoded is within its limits");
    assert_eq!(wire::decode(&mut Reader::new(&again)).expect("just encoded"), filter);
    reader.is_empty()
}

/// A file of idempotency keys.
pub fn idempotency(bytes: &[u8]) -> bool {
    let Ok(mut table) = IdempotencyTable::decode(bytes) else { return false };
    assert_eq!(IdempotencyTable::decode(&table.encode(u64::MAX)).expect("just encoded"), table);
    table.expire(0);
    true
}

/// The header of a log file, and the file as far as it is there.
pub fn log_header(bytes: &[u8]) -> bool {
    let open = |bytes: &[u8]| {
        let (store, log_id) = (u128_at(bytes, 16), u64_at(bytes, 32));
        let log = LogFile::open(&disk(FileKind::Log, log_id, bytes), &directory().join("log"), store, log_id, false)?;
        let first = log.read_frame_at(log.first_frame_offset());
        _ = first.and_then(|(header, payload)| read_payload(&header, &payload));
        Ok::<(), crate::Error>(())
    };
    let accepted = open(bytes).is_ok();
    // Seeds are short: what is missing of the header is zeroes.
    let mut fixed = bytes.to_vec();
    fixed.resize(fixed.len().max(crate::codec::to_usize(LOG_HEADER_SIZE)), 0);
    let crc = crc32fast::hash(fixed.get(..4092).unwrap_or_default());
    put_at(&mut fixed, 4092, &crc.to_le_bytes());
    open(&fixed).is_ok() || accepted
}

/// A manifest: as a file, and as the body behind the header of one.
pub fn manifest(bytes: &[u8]) -> bool {
    let load = |bytes: Vec<u8>| {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::with([(directory().join(MANIFEST_FILE), bytes)]));
        ManifestStore::load(&storage, &directory())
    };
    let accepted = matches!(load(bytes.to_vec()), Ok(Some(_)));
    let mut fixed = bytes.to_vec();
    fix_envelope(&mut fixed);
    _ = load(fixed);
    let body = bytes.get(ENVELOPE_HEADER_SIZE..).unwrap_or(bytes);
    if let Ok(body) = metadata::decode::<Manifest>(body, METADATA_SIZE_MAX) {
        commit_and_load(body);
    }
    accepted
}

/// What can be committed can be loaded and is the same.
fn commit_and_load(mut manifest: Manifest) {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    manifest.version = 0;
    let mut store = ManifestStore::new(&storage, &directory(), manifest.store);
    if store.commit(&manifest).is_err() {
        return;
    }
    let loaded = ManifestStore::load(&storage, &directory()).expect("just committed").expect("just committed");
    assert_eq!(loaded.current(), store.current());
    assert_eq!(loaded.current().segments, manifest.segments);
}

/// An overlay file.
pub fn overlay(bytes: &[u8]) -> bool {
    let read = |bytes: &[u8], crc: u32| {
        let place =
            OverlayPlace { store: u128_at(bytes, 16), overlay_id: u64_at(bytes, 32), segment_id: u64_at(bytes, 64) };
        let storage = disk(FileKind::Overlay, place.overlay_id, bytes);
        read_overlay(&*storage, &directory(), place, ROWS, crc).map(|overlay| (place, overlay))
    };
    let stored_crc = bytes.get(60..64).and_then(|crc| crc.try_into().ok()).map_or(0, u32::from_le_bytes);
    let accepted = read(bytes, stored_crc).is_ok();
    let mut fixed = bytes.to_vec();
    let crc = fix_envelope(&mut fixed);
    if let Ok((place, overlay)) = read(&fixed, crc) {
        assert!(overlay.tombstones.max().is_none_or(|row| row < ROWS));
        let storage = MemoryStorage::default();
        let crc = write_overlay(&storage, &directory(), place, &overlay).expect("what was read can be written");
        assert_eq!(read_overlay(&storage, &directory(), place, ROWS, crc).expect("just written"), overlay);
    }
    accepted
}

/// A file of a named value: the envelope that manifest and overlay share.
pub fn blob(bytes: &[u8]) -> bool {
    let read = |bytes: &[u8], crc: u32| {
        let len = len_u32(bytes.len().saturating_sub(ENVELOPE_HEADER_SIZE));
        let entry = BlobEntry { name: "name".to_owned(), id: u64_at(bytes, 32), len, crc };
        read_blob(&*disk(FileKind::Blob, entry.id, bytes), &directory(), u128_at(bytes, 16), &entry)
    };
    let stored_crc = bytes.get(60..64).and_then(|crc| crc.try_into().ok()).map_or(0, u32::from_le_bytes);
    let accepted = read(bytes, stored_crc).is_ok();
    let mut fixed = bytes.to_vec();
    let crc = fix_envelope(&mut fixed);
    _ = read(&fixed, crc);
    accepted
}

/// The last file of a backup: as a file, and as the body behind the header of one.
pub fn backup(bytes: &[u8]) -> bool {
    let accepted = BackupNote::decode(bytes).is_ok();
    let mut fixed = bytes.to_vec();
    fix_envelope(&mut fixed);
    if let Ok((place, note)) = BackupNote::decode(&fixed) {
        let again = BackupNote::decode(&note.encode(place).expect("what was read can be written"));
        assert_eq!(again.expect("just written"), (place, note));
    }
    accepted
}

/// A sealed segment: opened, every row and every index read, merged into a new one.
pub fn segment(bytes: &[u8]) -> bool {
    let open = |bytes: &[u8]| {
        let (store, id) = (u128_at(bytes, 16), u64_at(bytes, 32));
        let path = FileName::new(FileKind::Segment, id).path(&directory());
        SealedSegment::open(&*disk(FileKind::Segment, id, bytes), &path, store, id, None)
    };
    let accepted = match open(bytes) {
        Ok(segment) => read_everything(&Arc::new(segment), Written::ByTheWriter),
        Err(_) => false,
    };
    let mut fixed = bytes.to_vec();
    fix_checksums(&mut fixed);
    if let Ok(segment) = open(&fixed) {
        read_everything(&Arc::new(segment), Written::ByAnybody);
    }
    accepted
}
