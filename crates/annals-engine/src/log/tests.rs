use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::codec::{len_u32, len_u64};
use crate::error::{ErrorKind, Result};
use crate::frame::{FRAME_HEADER_SIZE, FrameHeader, FrameKind};
use crate::storage::failing::FailingStorage;
use crate::storage::{OsStorage, Storage};

const STORE: u128 = 0xabcd;
const LOG_ID: u64 = 3;
pub(super) const EPOCH: u32 = 2;
const FIRST: u64 = 100;
const SIZE: u64 = LOG_HEADER_SIZE + 2048;

/// A store's folders in a temporary place.
pub(super) struct Disk {
    root: tempfile::TempDir,
    storage: Arc<dyn Storage>,
    log_size_bytes: u64,
}

/// A frame as the log shows it: where, which kind, its sequence, its payload.
pub(super) type Seen = (u64, FrameKind, u64, Vec<u8>);

impl Disk {
    fn new() -> Self {
        Self::sized(SIZE)
    }

    pub(super) fn sized(log_size_bytes: u64) -> Self {
        // In memory where there is such a place: thousands of syncs say nothing about recovery.
        let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        std::fs::create_dir(root.path().join("log")).unwrap();
        Self { root, storage: Arc::new(OsStorage::new()), log_size_bytes }
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("log")
    }

    fn quarantine(&self) -> PathBuf {
        self.root.path().join("quarantine")
    }

    fn path(&self) -> PathBuf {
        self.dir().join("00000000000000000003.log")
    }

    pub(super) fn create(&self) -> LogFile {
        LogFile::create(&self.storage, &self.dir(), STORE, LOG_ID, self.log_size_bytes, 7).unwrap()
    }

    pub(super) fn open(&self) -> Result<LogFile> {
        LogFile::open(&self.storage, &self.dir(), STORE, LOG_ID, true)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }

    pub(super) fn put(&self, bytes: &[u8]) {
        std::fs::write(self.path(), bytes).unwrap();
    }

    fn quarantined(&self) -> Vec<Vec<u8>> {
        let Ok(entries) = std::fs::read_dir(self.quarantine()) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
    }

    /// Opens and recovers; `change` sets what differs from a crashed store open for writing.
    pub(super) fn recover(&self, change: impl Fn(&mut RecoverContext<'_>)) -> (Result<RecoveredLog>, Vec<Seen>) {
        let quarantine = self.quarantine();
        let mut context = context(&self.storage, &quarantine);
        change(&mut context);
        let mut seen = Vec::new();
        let recovered = self.open().and_then(|file| {
            recover_log(&file, &context, &mut |offset, header, payload| {
                seen.push((offset, header.kind, header.base_sequence, payload.to_vec()));
                Ok(())
            })
        });
        (recovered, seen)
    }
}

fn context<'a>(storage: &'a Arc<dyn Storage>, quarantine_dir: &'a Path) -> RecoverContext<'a> {
    RecoverContext {
        storage,
        expected_sequence: FIRST,
        end_sequence: None,
        durable_floor_offset: 0,
        durable_floor_sequence: 0,
        clean_end: None,
        epoch: EPOCH,
        degraded: false,
        writable: true,
        quarantine_dir,
    }
}

/// Appends frames to a log, one behind the other.
pub(super) struct Writer {
    file: LogFile,
    pub(super) offset: u64,
    pub(super) sequence: u64,
    control_ordinal: u64,
    pub(super) epoch: u32,
    pub(super) seen: Vec<Seen>,
}

impl Writer {
    pub(super) fn new(file: LogFile) -> Self {
        let offset = file.first_frame_offset();
        Self { file, offset, sequence: FIRST, control_ordinal: 0, epoch: EPOCH, seen: Vec::new() }
    }

    pub(super) fn append(&mut self, kind: FrameKind, count: u32, synced_upto: u64, payload: &[u8]) {
        if kind == FrameKind::Control {
            self.control_ordinal += u64::from(count);
        }
        let header = FrameHeader {
            kind,
            payload_len: len_u32(payload.len()),
            count,
            epoch: self.epoch,
            base_sequence: self.sequence,
            synced_upto,
            min_created_at_us: 1,
            max_created_at_us: 2,
            idempotency_key: 0,
            idempotency_body: 0,
            duplicates: 0,
            control_ordinal: self.control_ordinal,
        };
        let mut frame = vec![0; FRAME_HEADER_SIZE];
        frame.extend_from_slice(payload);
        frame.resize(header.frame_size(), 0);
        header.seal(self.file.place(self.offset), &mut frame);
        self.file.write_at(&frame, self.offset).unwrap();
        self.seen.push((self.offset, kind, self.sequence, payload.to_vec()));
        self.offset += len_u64(frame.len());
        self.sequence = header.end_sequence().unwrap();
    }
}

/// Two events, a delete, one event, a marker that says where that is durable, and two batches behind it.
fn sample(disk: &Disk) -> (Writer, u64) {
    let mut writer = Writer::new(disk.create());
    writer.append(FrameKind::Events, 2, 0, b"two events");
    writer.append(FrameKind::Control, 1, 0, b"del");
    writer.append(FrameKind::Events, 1, 0, b"one event");
    let durable = writer.offset;
    writer.append(FrameKind::SyncMarker, 0, durable, b"");
    writer.append(FrameKind::Events, 3, durable, b"three events");
    writer.append(FrameKind::Events, 1, durable, b"last");
    (writer, durable)
}

pub(super) fn is_prefix(seen: &[Seen], all: &[Seen]) -> bool {
    all.starts_with(seen)
}

#[test]
fn a_log_comes_back_and_its_frames_can_be_read_by_offset() {
    let disk = Disk::new();
    let (writer, _) = sample(&disk);
    let (recovered, seen) = disk.recover(|_| {});
    let recovered = recovered.unwrap();
    assert_eq!(seen, writer.seen);
    assert_eq!((recovered.end_offset, recovered.next_sequence), (writer.offset, FIRST + 7));
    assert_eq!((recovered.last_control_ordinal, recovered.last_epoch, recovered.torn_bytes), (1, EPOCH, 0));
    assert!(recovered.notes.is_empty() && recovered.gap.is_none());
    let file = disk.open().unwrap();
    for (offset, kind, sequence, payload) in &seen {
        let (header, bytes) = file.read_frame_at(*offset).unwrap();
        assert_eq!((header.kind, header.base_sequence, &bytes[..]), (*kind, *sequence, &payload[..]));
    }
    assert!(file.read_frame_at(LOG_HEADER_SIZE + 8).is_err());
    assert!(file.read_frame_at(SIZE - 8).is_err() && file.read_frame_at(u64::MAX).is_err());
}

#[test]
fn a_log_is_made_whole_and_only_once() {
    let disk = Disk::new();
    let file = disk.create();
    assert_eq!(std::fs::metadata(disk.path()).unwrap().len(), SIZE);
    assert_eq!((file.size_bytes(), file.log_id()), (SIZE, LOG_ID));
    let again = LogFile::create(&disk.storage, &disk.dir(), STORE, LOG_ID, SIZE, 7).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Corrupt);
    assert!(file.write_at(&[1], SIZE).is_err(), "behind the end");
    assert!(file.write_at(&[1], 0).is_err(), "over the header");
    assert_eq!(std::fs::read_dir(disk.dir()).unwrap().count(), 1, "no temporary file stays");
    let other = LogFile::open(&disk.storage, &disk.dir(), STORE + 1, LOG_ID, true).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Corrupt);
    assert_eq!(LogFile::open(&disk.storage, &disk.dir(), STORE, 9, true).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_log_has_room_for_one_frame_at_least() {
    let disk = Disk::new();
    let least = LOG_HEADER_SIZE + len_u64(FRAME_HEADER_SIZE);
    let make = |size| LogFile::create(&disk.storage, &disk.dir(), STORE, LOG_ID, size, 7);
    assert_eq!(make(least - 1).unwrap_err().kind(), ErrorKind::InvalidInput);
    let file = make(least).unwrap();
    file.write_at(&[1; FRAME_HEADER_SIZE], LOG_HEADER_SIZE).unwrap();
    assert_eq!((file.size_bytes(), file.created_at_us()), (least, 7));
}

#[test]
fn a_log_says_where_its_first_frame_starts() {
    let disk = Disk::new();
    let file = disk.create();
    assert_eq!(file.first_sequence().unwrap(), None);
    let mut writer = Writer::new(file);
    writer.append(FrameKind::Events, 2, 0, b"two events");
    assert_eq!(disk.open().unwrap().first_sequence().unwrap(), Some(FIRST));
    writer.append(FrameKind::Events, 1, 0, b"one event");
    assert_eq!(disk.open().unwrap().first_sequence().unwrap(), Some(FIRST));
}

#[test]
fn room_is_given_back_behind_what_is_kept_and_taken_again() {
    let size = 1 << 20;
    let disk = Disk::sized(size);
    let (writer, _) = sample(&disk);
    let taken = || std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(disk.path()).unwrap()) * 512;
    let file = disk.open().unwrap();
    assert!(taken() >= size);
    file.release(writer.offset).unwrap();
    assert!(taken() < size / 2, "{}", taken());
    assert_eq!(disk.recover(|_| {}).1, writer.seen);
    file.reserve(u64::MAX).unwrap();
    assert!(taken() >= size);
    assert_eq!(std::fs::metadata(disk.path()).unwrap().len(), size, "never longer than it was made");
}

#[test]
fn a_log_tells_whose_it_is_and_when_it_was_made() {
    let disk = Disk::new();
    let file = disk.create();
    assert_eq!(LogFile::probe(&*disk.storage, &disk.path()).unwrap(), STORE);
    assert_eq!(file.created_at_us(), 7);
    assert_eq!(file.header_bytes(), disk.bytes()[..4096]);
    let found = LogFile::open_at(&*disk.storage, &disk.path()).unwrap();
    assert_eq!((found.log_id(), found.size_bytes(), found.created_at_us()), (LOG_ID, SIZE, 7));
}

#[test]
fn a_torn_tail_of_several_reads_is_saved_and_cleared_whole() {
    let disk = Disk::sized(4 << 20);
    let mut writer = Writer::new(disk.create());
    writer.append(FrameKind::Events, 1, 0, b"first");
    let start = usize::try_from(writer.offset).unwrap();
    let mut bytes = disk.bytes();
    bytes[start..start + (5 << 19)].fill(7);
    disk.put(&bytes);
    let recovered = disk.recover(|_| {}).0.unwrap();
    assert_eq!((recovered.end_offset, recovered.torn_bytes), (writer.offset, 5 << 19));
    assert!(disk.quarantined() == [bytes[start..start + (5 << 19)].to_vec()]);
    assert!(disk.bytes()[start..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_look_at_a_log_changes_nothing() {
    let disk = Disk::new();
    let (writer, _) = sample(&disk);
    let looked_at = Disk { storage: FailingStorage::at(0), ..disk };
    let (recovered, seen) = looked_at.recover(|context| context.writable = false);
    assert_eq!((recovered.unwrap().end_offset, seen.len()), (writer.offset, writer.seen.len()));
}

#[test]
fn a_tail_that_cannot_be_saved_is_cleared_only_if_the_disk_is_full() {
    let disk = Disk::new();
    let (writer, _) = sample(&disk);
    let last = writer.seen.last().unwrap().0;
    let kept = usize::try_from(last).unwrap();
    let mut torn = disk.bytes();
    torn[kept + 8] ^= 1;
    disk.put(&torn);
    // A file where the folder would be: nothing can be saved, and not for want of room.
    std::fs::write(disk.quarantine(), b"x").unwrap();
    assert_eq!(disk.recover(|_| {}).0.unwrap_err().kind(), ErrorKind::Io);
    assert!(disk.bytes() == torn, "what is not saved is not cleared");
    std::fs::remove_file(disk.quarantine()).unwrap();
    let full = Disk { storage: FailingStorage::at(0), ..disk };
    let recovered = full.recover(|_| {}).0.unwrap();
    assert!(recovered.notes[0].ends_with("not saved, the disk is full"), "{:?}", recovered.notes);
    assert!(full.bytes()[kept..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_failure_at_any_step_of_making_a_log_leaves_nothing_half_made() {
    // create, preallocate, write, sync, rename, sync of the folder.
    const STEPS: usize = 6;
    for fails_at in 0..=STEPS {
        let disk = Disk::new();
        let storage = FailingStorage::at(fails_at);
        let made = LogFile::create(&storage, &disk.dir(), STORE, LOG_ID, SIZE, 7);
        let left = std::fs::read_dir(disk.dir()).unwrap().count();
        match made {
            Ok(_) => assert_eq!((fails_at, left), (STEPS, 1)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::DiskFull, "step {fails_at}");
                // With its name but not synced, it is whole: a sweep sets it aside.
                assert_eq!(left, usize::from(fails_at == STEPS - 1), "step {fails_at}");
            }
        }
        assert!(left == 0 || disk.open().is_ok());
    }
}

#[test]
fn a_failure_at_any_step_of_recovery_ends_in_the_same_state_the_next_time() {
    let mut fails_at = 0;
    loop {
        let mut disk = Disk::new();
        let (writer, _) = sample(&disk);
        let mut bytes = disk.bytes();
        let last = writer.seen.last().unwrap().0;
        let kept = usize::try_from(last).unwrap();
        bytes[kept + 8] ^= 1;
        disk.put(&bytes);
        disk.storage = FailingStorage::at(fails_at);
        let failed = disk.recover(|_| {}).0;
        let passed = failed.as_ref().is_ok_and(|recovered| recovered.notes[0].contains("saved as"));
        disk.storage = Arc::new(OsStorage::new());
        let again = disk.recover(|_| {}).0.unwrap();
        assert_eq!(again.end_offset, last, "step {fails_at}");
        assert!(disk.bytes()[kept..].iter().all(|byte| *byte == 0), "step {fails_at}");
        let saved = disk.quarantined();
        assert!(saved.iter().all(|saved| bytes[kept..].starts_with(saved)), "step {fails_at}");
        if passed {
            assert_eq!(saved.len(), 1);
            break;
        }
        fails_at += 1;
    }
    // create, write, sync, rename, sync of the folder; then the zeroes and their sync.
    assert_eq!(fails_at, 7);
}

#[test]
fn zeroed_from_any_byte_on_a_prefix_comes_back_or_damage_is_reported() {
    let disk = Disk::new();
    let (writer, durable) = sample(&disk);
    let good = disk.bytes();
    let end = usize::try_from(writer.offset).unwrap();
    for cut in usize::try_from(LOG_HEADER_SIZE).unwrap()..end {
        let mut bytes = good.clone();
        bytes[cut..].fill(0);
        disk.put(&bytes);
        let (recovered, seen) = disk.recover(|context| {
            context.writable = false;
            context.durable_floor_offset = durable;
        });
        assert!(is_prefix(&seen, &writer.seen), "cut at {cut}");
        match recovered {
            Ok(recovered) => {
                assert!(recovered.end_offset >= durable, "cut at {cut}: durable data is gone without a word");
                let count = seen.iter().filter(|(offset, ..)| *offset < len_u64(cut)).count();
                assert_eq!(count, seen.len(), "cut at {cut}");
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "cut at {cut}");
                assert!(len_u64(cut) < durable, "cut at {cut}: {error}");
            }
        }
        assert!(disk.bytes() == bytes, "cut at {cut}: the file was changed");
    }
}

#[test]
fn every_flipped_bit_is_damage_below_the_watermark_and_a_torn_tail_above() {
    let disk = Disk::new();
    let (writer, durable) = sample(&disk);
    let good = disk.bytes();
    let watermark_frame = durable + len_u64(FRAME_HEADER_SIZE);
    for position in 0..usize::try_from(writer.offset).unwrap() {
        for bit in 0..8 {
            if position < 4000 && bit != position % 8 {
                continue; // The header's own test looks at all of it; one bit of each byte will do here.
            }
            let mut bytes = good.clone();
            bytes[position] ^= 1 << bit;
            disk.put(&bytes);
            let (recovered, seen) = disk.recover(|context| context.writable = false);
            let place = format!("byte {position} bit {bit}");
            assert!(is_prefix(&seen, &writer.seen), "{place}");
            match recovered {
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{place}");
                    assert!(len_u64(position) < durable, "{place}: {error}");
                    assert!(error.path().is_some(), "{place}: {error}");
                }
                // Padding belongs to no frame: nothing reads it.
                Ok(recovered) if recovered.torn_bytes == 0 => assert_eq!(seen, writer.seen, "{place}"),
                Ok(recovered) => {
                    assert!(recovered.end_offset >= durable, "{place}");
                    assert!(len_u64(position) >= durable, "{place}");
                    // The marker itself may be the torn frame: those behind it still tell of `durable`.
                    assert!(len_u64(position) >= watermark_frame || recovered.end_offset == durable, "{place}");
                }
            }
            assert!(disk.bytes() == bytes, "{place}: the file was changed");
        }
    }
}

#[test]
fn a_torn_tail_is_saved_cleared_and_clean_the_second_time() {
    let disk = Disk::new();
    let (writer, _) = sample(&disk);
    let mut bytes = disk.bytes();
    let last = writer.seen.last().unwrap().0;
    let torn = usize::try_from(last).unwrap() + FRAME_HEADER_SIZE;
    bytes[torn] ^= 1;
    disk.put(&bytes);
    let (recovered, seen) = disk.recover(|_| {});
    let recovered = recovered.unwrap();
    assert_eq!(seen, writer.seen[..5]);
    assert_eq!((recovered.end_offset, recovered.torn_bytes), (last, 100));
    assert!(recovered.notes[0].contains("cut 100 bytes"), "{:?}", recovered.notes);
    let kept = usize::try_from(last).unwrap();
    assert_eq!(disk.quarantined(), [bytes[kept..kept + 100].to_vec()]);
    bytes[kept..].fill(0);
    assert!(disk.bytes() == bytes, "only the tail is cleared, the reserved length stays");

    let (again, seen) = disk.recover(|_| {});
    let again = again.unwrap();
    assert_eq!((again.torn_bytes, again.end_offset, seen.len()), (0, last, 5));
    assert_eq!(disk.quarantined().len(), 1);
}

#[test]
fn a_crash_while_the_tail_is_cleared_keeps_both_saves() {
    let disk = Disk::new();
    let (writer, _) = sample(&disk);
    let good = disk.bytes();
    let last = usize::try_from(writer.seen.last().unwrap().0).unwrap();
    for cleared in [0, 50] {
        let mut bytes = good.clone();
        bytes[last..last + cleared].fill(0);
        bytes[last + 8] ^= 1;
        disk.put(&bytes);
        assert!(disk.recover(|_| {}).0.unwrap().torn_bytes > 0);
    }
    assert_eq!(disk.quarantined().len(), 2);
    assert!(disk.quarantined()[0].starts_with(&good[last..last + 8]), "the fuller save is not replaced");
}

#[test]
fn a_bad_frame_before_good_ones_is_torn_unless_a_later_one_says_it_was_synced() {
    for synced in [false, true] {
        let disk = Disk::new();
        let mut writer = Writer::new(disk.create());
        writer.append(FrameKind::Events, 1, 0, b"first");
        let bad = writer.offset;
        writer.append(FrameKind::Events, 1, 0, b"second");
        writer.append(FrameKind::Events, 1, 0, b"third");
        let synced_upto = if synced { writer.offset } else { bad };
        writer.append(FrameKind::Events, 1, synced_upto, b"fourth");
        let mut bytes = disk.bytes();
        bytes[usize::try_from(bad).unwrap() + FRAME_HEADER_SIZE] ^= 1;
        disk.put(&bytes);
        let (recovered, seen) = disk.recover(|_| {});
        assert_eq!(seen, writer.seen[..1]);
        if synced {
            let error = recovered.unwrap_err();
            assert_eq!((error.kind(), error.offset()), (ErrorKind::Corrupt, Some(bad)));
            assert!(error.message().contains("lost are sequences 101 to 103"), "{error}");
            assert!(disk.bytes() == bytes, "damage is left as it is");
        } else {
            let recovered = recovered.unwrap();
            assert_eq!((recovered.end_offset, recovered.torn_bytes), (bad, writer.offset - 2 - bad));
            assert_eq!(disk.recover(|_| {}).0.unwrap().torn_bytes, 0);
        }
        assert_eq!(disk.quarantined().len(), usize::from(!synced));
    }
}

#[test]
fn a_header_whose_payload_is_torn_still_tells_what_was_synced() {
    let disk = Disk::new();
    let mut writer = Writer::new(disk.create());
    writer.append(FrameKind::Events, 1, 0, b"first");
    let (bad, durable) = (LOG_HEADER_SIZE, writer.offset);
    writer.append(FrameKind::Events, 1, durable, b"second");
    let mut bytes = disk.bytes();
    for offset in [bad, durable] {
        bytes[usize::try_from(offset).unwrap() + FRAME_HEADER_SIZE] ^= 1;
    }
    disk.put(&bytes);
    assert_eq!(disk.recover(|_| {}).0.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_header_across_two_chunks_of_the_search_is_found() {
    let disk = Disk::sized(3 << 20);
    let mut writer = Writer::new(disk.create());
    // The search starts at the first frame and reads 1 MiB at once: the second header lies across.
    let size = (1 << 20) - FRAME_HEADER_SIZE / 2;
    writer.append(FrameKind::Events, 1, 0, &vec![7; size - FRAME_HEADER_SIZE]);
    let durable = writer.offset;
    writer.append(FrameKind::SyncMarker, 0, durable, b"");
    assert_eq!(durable - LOG_HEADER_SIZE, len_u64(size));
    let mut bytes = disk.bytes();
    bytes[usize::try_from(LOG_HEADER_SIZE).unwrap() + 5000] ^= 1;
    disk.put(&bytes);
    assert_eq!(disk.recover(|_| {}).0.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_frame_that_knows_more_to_be_durable_than_there_is_is_damage() {
    let disk = Disk::new();
    let mut writer = Writer::new(disk.create());
    writer.append(FrameKind::Events, 1, SIZE, b"first");
    assert_eq!(disk.recover(|_| {}).0.unwrap_err().offset(), Some(writer.offset));
}

#[test]
fn each_source_of_the_watermark_makes_a_lost_end_damage() {
    type Change = fn(&mut RecoverContext<'_>, u64);
    let changes: [Change; 3] = [
        |context, end| context.durable_floor_offset = end,
        |context, end| context.clean_end = Some(end),
        |context, _| context.end_sequence = Some(FIRST + 2),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let disk = Disk::new();
        let mut writer = Writer::new(disk.create());
        writer.append(FrameKind::Events, 1, 0, b"first");
        let cut = usize::try_from(writer.offset).unwrap();
        writer.append(FrameKind::Events, 1, 0, b"second");
        assert!(disk.recover(|context| change(context, writer.offset)).0.is_ok(), "source {index}");
        let mut bytes = disk.bytes();
        bytes[cut..].fill(0);
        disk.put(&bytes);
        let error = disk.recover(|context| change(context, writer.offset)).0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "source {index}");
        assert!(disk.recover(|_| {}).0.is_ok(), "without it the end is clean");
    }
}

#[test]
fn degraded_gives_the_good_prefix_and_a_gap_and_changes_nothing() {
    let disk = Disk::new();
    let (writer, durable) = sample(&disk);
    let mut bytes = disk.bytes();
    let bad = writer.seen[1].0;
    bytes[usize::try_from(bad).unwrap() + 20] ^= 4;
    disk.put(&bytes);
    let (recovered, seen) = disk.recover(|context| {
        context.degraded = true;
        context.durable_floor_offset = durable;
        context.durable_floor_sequence = FIRST + 2;
    });
    let recovered = recovered.unwrap();
    assert_eq!(seen, writer.seen[..1]);
    let gap = recovered.gap.unwrap();
    assert_eq!((gap.log_id, gap.offset, gap.first_sequence, gap.known_end), (LOG_ID, bad, FIRST + 2, Some(FIRST + 7)));
    assert!(gap.reason.contains("102 to 106"), "{}", gap.reason);
    assert!(disk.bytes() == bytes && disk.quarantined().is_empty());

    let mut bytes = disk.bytes();
    bytes[usize::try_from(bad).unwrap()..].fill(0);
    bytes[usize::try_from(bad).unwrap() + 1] = 1;
    disk.put(&bytes);
    let recovered = disk.recover(|context| context.degraded = true).0.unwrap();
    assert_eq!((recovered.torn_bytes, recovered.gap), (2, None), "a torn tail is no gap");
    assert!(disk.bytes() == bytes && disk.quarantined().is_empty());
}

#[test]
fn frames_that_cannot_be_are_damage_even_if_nothing_was_synced() {
    type Change = fn(&mut Writer);
    let changes: [(&str, Change); 4] = [
        ("a gap of sequences", |writer| writer.sequence += 1),
        ("a repeated sequence", |writer| writer.sequence -= 1),
        ("an epoch the manifest does not know", |writer| writer.epoch += 1),
        ("sequences that overflow", |writer| writer.sequence = u64::MAX),
    ];
    for (what, change) in changes {
        let disk = Disk::new();
        let mut writer = Writer::new(disk.create());
        writer.append(FrameKind::Events, 1, 0, b"first");
        let bad = writer.offset;
        change(&mut writer);
        writer.append(FrameKind::SyncMarker, 0, 0, b"");
        let (recovered, seen) = disk.recover(|_| {});
        assert_eq!(recovered.unwrap_err().offset(), Some(bad), "{what}");
        assert_eq!(seen.len(), 1, "{what}");
    }
    let disk = Disk::new();
    let mut writer = Writer::new(disk.create());
    writer.append(FrameKind::Control, 2, 0, b"a");
    writer.control_ordinal = 0;
    writer.append(FrameKind::Control, 2, 0, b"b");
    assert_eq!(disk.recover(|_| {}).0.unwrap_err().kind(), ErrorKind::Corrupt);
}

/// No write of ours is torn like that: a header is checked as a whole, and a batch that does not fit is not begun.
#[test]
fn a_frame_that_runs_over_the_end_of_the_log_is_damage_even_if_nothing_was_synced() {
    let disk = Disk::new();
    let mut writer = Writer::new(disk.create());
    writer.append(FrameKind::Events, 1, 0, b"first");
    let (bad, file) = (writer.offset, disk.open().unwrap());
    // In a larger log the frame would be whole: its header is as it was written.
    let larger = Disk::sized(2 * SIZE);
    let mut writer = Writer::new(larger.create());
    writer.append(FrameKind::Events, 1, 0, b"first");
    writer.append(FrameKind::Events, 1, 0, &[7; 3000]);
    let at = usize::try_from(bad).unwrap();
    file.write_at(&larger.bytes()[at..usize::try_from(SIZE).unwrap()], bad).unwrap();
    let (recovered, seen) = disk.recover(|_| {});
    let error = recovered.unwrap_err();
    assert_eq!((error.offset(), seen.len()), (Some(bad), 1), "{error}");
    assert!(error.to_string().contains("runs over the end"), "{error}");
}

#[test]
fn a_frame_of_an_earlier_epoch_behind_the_end_is_a_torn_tail() {
    let disk = Disk::new();
    let mut writer = Writer::new(disk.create());
    writer.append(FrameKind::Events, 1, 0, b"new");
    let stale = writer.offset;
    writer.epoch -= 1;
    writer.append(FrameKind::Events, 1, 0, b"old");
    let (recovered, seen) = disk.recover(|_| {});
    assert_eq!((recovered.unwrap().end_offset, seen.len()), (stale, 1));
}

#[test]
fn a_shortened_file_is_damage_at_any_length() {
    let disk = Disk::new();
    let (writer, _) = sample(&disk);
    let good = disk.bytes();
    for len in (0..good.len()).rev().step_by(7) {
        disk.put(&good[..len]);
        let (recovered, seen) = disk.recover(|_| {});
        assert_eq!(recovered.unwrap_err().kind(), ErrorKind::Corrupt, "length {len}");
        assert!(is_prefix(&seen, &writer.seen));
        assert_eq!(disk.bytes().len(), len);
    }
    disk.put(&good[..good.len() - 1]);
    let gap_of = |end_sequence| {
        let recovered =
            disk.recover(|context| (context.degraded, context.end_sequence) = (true, end_sequence)).0.unwrap();
        (recovered.end_offset, recovered.gap.unwrap())
    };
    let (end, gap) = gap_of(None);
    assert_eq!((end, gap.is_short_only), (writer.offset, true), "what is missing was never written");
    // What comes next is known, and it is what would come: nothing says that any event is gone.
    assert_eq!(gap_of(Some(writer.sequence)).1.known_end, None);
    let (end, gap) = gap_of(Some(writer.sequence + 1));
    assert_eq!((end, gap.known_end, gap.is_short_only), (writer.offset, Some(writer.sequence + 1), false));
}

#[test]
fn a_log_filled_to_its_last_byte_ends_cleanly() {
    let disk = Disk::new();
    let mut writer = Writer::new(disk.create());
    let room = usize::try_from(SIZE - LOG_HEADER_SIZE).unwrap() - FRAME_HEADER_SIZE;
    writer.append(FrameKind::Events, 1, 0, &vec![7; room]);
    assert_eq!(writer.offset, SIZE);
    let recovered = disk.recover(|_| {}).0.unwrap();
    assert_eq!((recovered.end_offset, recovered.torn_bytes), (SIZE, 0));
}

#[test]
fn what_the_caller_says_of_a_frame_ends_recovery_at_that_frame() {
    let disk = Disk::new();
    let (writer, _) = sample(&disk);
    let quarantine = disk.quarantine();
    let context = context(&disk.storage, &quarantine);
    let error = recover_log(&disk.open().unwrap(), &context, &mut |offset, _, _| {
        if offset == writer.seen[2].0 { Err(crate::Error::corrupt("a record is malformed")) } else { Ok(()) }
    })
    .unwrap_err();
    assert_eq!((error.offset(), error.path()), (Some(writer.seen[2].0), Some(disk.path().as_path())));
}
