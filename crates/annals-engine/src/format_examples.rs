//! The worked examples of `docs/format.md` against what the writers write.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use crate::amended::Amended;
use crate::backup::BackupNote;
use crate::batch::Batch;
use crate::codec::len_u32;
use crate::control::{self, ControlOp};
use crate::envelope::EnvelopePlace;
use crate::event::Event;
use crate::field::Field;
use crate::filter::{Filter, wire};
use crate::frame::{FRAME_HEADER_SIZE, FrameHeader, FrameKind, FramePlace};
use crate::id::EventId;
use crate::idempotency::{Answer, IdempotencyTable};
use crate::layout::{FileKind, FileName, MANIFEST_FILE};
use crate::log::{LOG_HEADER_SIZE, LogFile};
use crate::manifest::{Manifest, ManifestStore};
use crate::overlay::Overlay;
use crate::overlay_file::{OverlayPlace, write_overlay};
use crate::receipts::ReadEntry;
use crate::record;
use crate::requests::{Amendment, ReadMark, ReadReceipt};
use crate::storage::{OsStorage, Storage};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format.md");
const STORE: u128 = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210;

/// Sixteen bytes a line, lines of zeroes left out, the length at the end.
fn dump(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (index, line) in bytes.chunks(16).enumerate() {
        if line.iter().any(|byte| *byte != 0) {
            let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(out, "{:08x}  {}", index * 16, hex.join(" ")).unwrap();
        }
    }
    writeln!(out, "{:08x}  end", bytes.len()).unwrap();
    out
}

/// Compares with the page's block of the language `hex <name>`.
fn check(name: &str, bytes: &[u8]) {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let start = format!("```hex {name}\n");
    let block = page.split_once(&start).and_then(|(_, rest)| rest.split_once("```")).map(|(block, _)| block);
    let written = dump(bytes);
    assert_eq!(block, Some(written.as_str()), "the example `{name}` differs; the writer gives\n{written}");
}

fn store_folders(directory: &Path) -> Arc<dyn Storage> {
    let storage: Arc<dyn Storage> = Arc::new(OsStorage::new());
    crate::housekeeping::create_folders(&*storage, directory).unwrap();
    storage
}

fn header(kind: FrameKind, payload_len: usize) -> FrameHeader {
    FrameHeader {
        kind,
        payload_len: len_u32(payload_len),
        count: 1,
        epoch: 1,
        base_sequence: 1,
        synced_upto: LOG_HEADER_SIZE,
        min_created_at_us: 1,
        max_created_at_us: 1,
        idempotency_key: 0,
        idempotency_body: 0,
        duplicates: 0,
        control_ordinal: 0,
    }
}

#[test]
fn the_smallest_log_is_as_documented() {
    let dir = tempfile::tempdir().unwrap();
    let storage = store_folders(dir.path());
    let mut batch = Batch::new();
    let mut event = Event::new("a");
    event.created_at_us = Some(1);
    batch.push(&event).unwrap();
    let header = header(FrameKind::Events, batch.size_bytes());
    let mut frame = batch.bytes;
    frame.resize(header.frame_size(), 0);
    let size = LOG_HEADER_SIZE + crate::codec::len_u64(frame.len());
    let log = LogFile::create(&storage, &dir.path().join("log"), STORE, 1, size, 2).unwrap();
    header.seal(log.place(LOG_HEADER_SIZE), &mut frame);
    log.write_at(&frame, LOG_HEADER_SIZE).unwrap();
    check("log", &std::fs::read(log.path()).unwrap());
}

#[test]
fn a_frame_is_as_documented() {
    let mut frame = vec![0; FRAME_HEADER_SIZE];
    control::encode(&[ControlOp::DeleteSequences(vec![1])], &mut frame).unwrap();
    let header = FrameHeader {
        base_sequence: 2,
        control_ordinal: 1,
        ..header(FrameKind::Control, frame.len() - FRAME_HEADER_SIZE)
    };
    frame.resize(header.frame_size(), 0);
    header.seal(FramePlace { store: STORE, log_id: 1, offset: LOG_HEADER_SIZE }, &mut frame);
    check("frame", &frame);
}

#[test]
fn a_frame_of_replacing_events_is_as_documented() {
    let mut batch = Batch::new();
    let mut event = Event::new("a");
    event.created_at_us = Some(1);
    event.id = Some(EventId::from_u128(9));
    batch.push(&event).unwrap();
    let mut frame = batch.bytes;
    let records_end = frame.len();
    let operations = [ControlOp::DeleteSequences(vec![1]), ControlOp::Mark { marks: vec![(2, true)] }];
    control::encode(&operations, &mut frame).unwrap();
    let size = len_u32(frame.len() - records_end);
    frame.extend_from_slice(&size.to_le_bytes());
    let payload_len = frame.len() - FRAME_HEADER_SIZE;
    let header = FrameHeader { base_sequence: 2, control_ordinal: 1, ..header(FrameKind::Replacing, payload_len) };
    frame.resize(header.frame_size(), 0);
    header.seal(FramePlace { store: STORE, log_id: 1, offset: LOG_HEADER_SIZE }, &mut frame);
    check("replacing", &frame);
}

#[test]
fn a_record_is_as_documented() {
    let mut event = Event::new("a");
    event.created_at_us = Some(1);
    event.id = Some(EventId::from_u128(9));
    event.set(Field::UserId, "u");
    event.message = Some("hi");
    let mut bytes = Vec::new();
    record::encode(&event, &mut bytes, &mut crate::batch_terms::Terms::default());
    check("record", &bytes);
}

#[test]
fn a_filter_is_as_documented() {
    let mut bytes = Vec::new();
    wire::encode(&Filter::term(Field::UserId, "u").and(Filter::Acknowledged(false)), &mut bytes).unwrap();
    check("filter", &bytes);
}

#[test]
fn idempotency_keys_are_as_documented() {
    let mut table = IdempotencyTable::default();
    table.insert(7, Answer { body: 8, first_sequence: 1, stored: 2, duplicates: 3, at_us: 1_700_000_000_000_000 });
    check("idempotency", &table.encode(u64::MAX));
}

fn amended() -> Amended {
    let amendment = Amendment {
        severity: Some("warn".to_owned()),
        expires_at_us: Some(None),
        updated_at_us: 5,
        ..Amendment::default()
    };
    Amended::new(&amendment).unwrap()
}

#[test]
fn an_amendment_is_as_documented() {
    let mut bytes = Vec::new();
    amended().put(&mut bytes);
    check("amendment", &bytes);
}

#[test]
fn control_operations_are_as_documented() {
    let read = ReadMark { sequence: 7, user_id: "u".to_owned(), receipt: EventId::from_u128(9), read_at_us: 2 };
    let operations = [
        ControlOp::DeleteSequences(vec![2, 300]),
        ControlOp::DeleteMatching { filter: Filter::All, upto_sequence: 9 },
        ControlOp::Mark { marks: vec![(7, true)] },
        ControlOp::Amend { sequence: 300, amended: amended() },
        ControlOp::Read { marks: vec![read] },
    ];
    let mut payload = Vec::new();
    control::encode(&operations, &mut payload).unwrap();
    check("control", &payload);
}

#[test]
fn the_first_manifest_is_as_documented() {
    let dir = tempfile::tempdir().unwrap();
    let storage = store_folders(dir.path());
    ManifestStore::new(&storage, dir.path(), STORE).commit(&Manifest::new(STORE)).unwrap();
    check("manifest", &std::fs::read(dir.path().join(MANIFEST_FILE)).unwrap());
}

#[test]
fn an_overlay_and_a_blob_are_as_documented() {
    let dir = tempfile::tempdir().unwrap();
    let storage = store_folders(dir.path());
    let mut overlay = Overlay { tombstones: [5].into_iter().collect(), ..Overlay::default() };
    overlay.amendments.amend(1, &amended());
    let receipt = ReadReceipt { receipt: EventId::from_u128(9), read_at_us: 2 };
    overlay.receipts.insert([ReadEntry { row: 1, user_id: "u".into(), receipt }]);
    let place = OverlayPlace { store: STORE, overlay_id: 3, segment_id: 2 };
    write_overlay(&*storage, dir.path(), place, &overlay).unwrap();
    check("overlay", &std::fs::read(FileName::new(FileKind::Overlay, 3).path(dir.path())).unwrap());
    crate::blob::write_blob(&*storage, dir.path(), STORE, 4, "name", b"value").unwrap();
    check("blob", &std::fs::read(FileName::new(FileKind::Blob, 4).path(dir.path())).unwrap());
}

#[test]
fn the_last_file_of_a_backup_is_as_documented() {
    let note = BackupNote {
        cut_at_us: 1000,
        events: 2,
        last_sequence: 3,
        manifest_crc: 0xaabb_ccdd,
        damaged_files: 0,
        included: vec!["internal".to_owned()],
    };
    check("backup", &note.encode(EnvelopePlace { store: STORE, id: 5 }).unwrap());
}
