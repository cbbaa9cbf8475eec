use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::error::ErrorKind;
use crate::layout::{MANIFEST_FILE, MANIFEST_PREVIOUS_FILE};
use crate::storage::failing::FailingStorage;
use crate::storage::{OsStorage, Storage};

const STORE: u128 = 0xfeed;

fn os() -> Arc<dyn Storage> {
    Arc::new(OsStorage::new())
}

fn segment(id: u64) -> SegmentEntry {
    SegmentEntry {
        id,
        partition_start_us: 0,
        partition_span: PartitionSpan::Day as u8,
        rows: 2,
        size_bytes: 4096,
        min_created_at_us: 5,
        max_created_at_us: 6,
        min_sequence: 1,
        max_sequence: 2,
        footer_crc: 9,
        overlay_id: None,
        overlay_crc: 0,
        applied_control: 0,
    }
}

/// One of everything.
fn full() -> Manifest {
    let mut manifest = Manifest::new(STORE);
    manifest.next_file_id = 20;
    manifest.epoch = 3;
    manifest.segments = vec![segment(1), SegmentEntry { overlay_id: Some(2), overlay_crc: 8, ..segment(3) }];
    manifest.logs = vec![
        LogEntry { id: 4, base_sequence: 3, size_bytes: 8192, end_offset: Some(5000) },
        LogEntry { id: 5, base_sequence: 9, size_bytes: 8192, end_offset: None },
    ];
    manifest.durable_floor = Some(DurableFloor { log_id: 5, offset: 4096, sequence: 8 });
    manifest.clean_end = Some(CleanEnd { log_id: 5, offset: 4200 });
    manifest.dropping = vec![FileName::new(FileKind::Segment, 6)];
    manifest.blobs = vec![BlobEntry { name: "keys".into(), id: 7, len: 3, crc: 1 }];
    manifest.retention_cutoff_us = Some(-5);
    manifest.idempotency_blob_id = Some(7);
    manifest
}

fn load(directory: &Path) -> Result<Option<ManifestStore>> {
    ManifestStore::load(&os(), directory)
}

fn committed(directory: &Path, epochs: std::ops::RangeInclusive<u32>) -> ManifestStore {
    let mut store = ManifestStore::new(&os(), directory, STORE);
    for epoch in epochs {
        store.commit(&Manifest { epoch, ..full() }).unwrap();
    }
    store
}

#[test]
fn a_commit_comes_back_and_the_one_before_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    assert!(load(dir.path()).unwrap().is_none(), "no store yet");
    let store = committed(dir.path(), 1..=3);
    let loaded = load(dir.path()).unwrap().unwrap();
    assert_eq!((loaded.current(), loaded.fallback()), (store.current(), None));
    assert_eq!((loaded.current().version, loaded.current().epoch), (3, 3));
    assert_eq!(Manifest { version: 0, ..loaded.current().clone() }, full());
    std::fs::remove_file(dir.path().join(MANIFEST_FILE)).unwrap();
    let previous = load(dir.path()).unwrap().unwrap();
    assert_eq!((previous.current().version, previous.current().epoch), (2, 2));
    assert!(previous.fallback().is_some());
}

#[test]
fn every_flipped_bit_and_cut_falls_back_to_the_one_before_and_is_read_only() {
    let dir = tempfile::tempdir().unwrap();
    committed(dir.path(), 1..=2);
    let path = dir.path().join(MANIFEST_FILE);
    let good = std::fs::read(&path).unwrap();
    let mut damaged: Vec<Vec<u8>> = (0..good.len()).map(|len| good[..len].to_vec()).collect();
    for position in 0..good.len() {
        for bit in 0..8 {
            let mut flipped = good.clone();
            flipped[position] ^= 1 << bit;
            damaged.push(flipped);
        }
    }
    damaged.push([&good[..], &[0]].concat());
    for (index, bytes) in damaged.iter().enumerate() {
        std::fs::write(&path, bytes).unwrap();
        let mut store = load(dir.path()).unwrap().unwrap();
        assert_eq!((store.current().version, store.current().epoch), (1, 1), "damage {index}");
        assert!(store.fallback().is_some_and(|reason| reason.contains("MANIFEST")), "damage {index}");
        assert_eq!(store.commit(&full()).unwrap_err().kind(), ErrorKind::Poisoned);
        assert_eq!(std::fs::read(&path).unwrap(), *bytes, "nothing is changed");
    }
    std::fs::write(dir.path().join(MANIFEST_PREVIOUS_FILE), b"bad").unwrap();
    let error = load(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().starts_with("neither manifest can be read"), "{error}");
}

/// An older manifest that was put back was taken for the current one: everything that came since was moved aside.
#[test]
fn an_older_copy_is_no_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(MANIFEST_FILE);
    let mut copies = Vec::new();
    for epoch in 1..=4 {
        let mut store = load(dir.path()).unwrap().unwrap_or_else(|| ManifestStore::new(&os(), dir.path(), STORE));
        store.commit(&Manifest { epoch, ..full() }).unwrap();
        copies.push(std::fs::read(&path).unwrap());
    }
    for (version, bytes) in (1..).zip(&copies) {
        std::fs::write(&path, bytes).unwrap();
        let loaded = load(dir.path()).unwrap().unwrap();
        // A crash between the two renames of a commit leaves the same version under both names.
        assert_eq!(loaded.fallback().is_some(), version < 3, "version {version}");
        assert_eq!(loaded.current().version, version.max(3));
    }
}

#[test]
fn a_manifest_under_a_name_of_its_own_comes_back_with_its_checksum() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("CUT");
    let crc = full().place(&*os(), &path).unwrap();
    assert_eq!(Manifest::read_at(&*os(), &path).unwrap(), (full(), crc));
    let error = Manifest::read_at(&*os(), &dir.path().join("OTHER")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[test]
fn a_manifest_that_is_gone_when_a_commit_fails_ends_all_commits() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = committed(dir.path(), 1..=2);
    assert!(!store.is_outcome_unknown());
    std::fs::remove_file(dir.path().join(MANIFEST_FILE)).unwrap();
    // A folder in the place of the new file: it cannot be written, and what was current is not there.
    std::fs::create_dir(dir.path().join(MANIFEST_FILE)).unwrap();
    store.commit(&full()).unwrap_err();
    assert!(store.is_outcome_unknown());
    assert_eq!(store.commit(&full()).unwrap_err().kind(), ErrorKind::Poisoned);
}

#[test]
fn one_manifest_missing_and_one_unreadable_is_damage() {
    for name in [MANIFEST_FILE, MANIFEST_PREVIOUS_FILE] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(name), b"bad").unwrap();
        assert_eq!(load(dir.path()).unwrap_err().kind(), ErrorKind::Corrupt, "{name}");
    }
}

#[test]
fn a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("log"), b"a file").unwrap();
    assert_eq!(load(dir.path()).unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn a_damaged_predecessor_is_no_matter() {
    let dir = tempfile::tempdir().unwrap();
    committed(dir.path(), 1..=2);
    std::fs::write(dir.path().join(MANIFEST_PREVIOUS_FILE), b"bad").unwrap();
    let mut store = load(dir.path()).unwrap().unwrap();
    assert_eq!((store.current().version, store.fallback()), (2, None));
    store.commit(&full()).unwrap();
    assert_eq!(load(dir.path()).unwrap().unwrap().current().version, 3);
}

#[test]
fn a_newer_major_is_unsupported_and_never_replaced_by_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    committed(dir.path(), 1..=2);
    let newer = Format { major: 2, ..FORMAT };
    let (bytes, _) = wrap(&newer, EnvelopePlace { store: STORE, id: 9 }, b"whatever");
    std::fs::write(dir.path().join(MANIFEST_FILE), bytes).unwrap();
    let error = load(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsupportedFormat);
    assert!(error.message().contains("2.0") && error.message().contains("1.0"), "{error}");
}

#[test]
fn a_newer_major_is_unsupported_in_the_stand_in_too() {
    let dir = tempfile::tempdir().unwrap();
    committed(dir.path(), 1..=2);
    let newer = Format { major: 2, ..FORMAT };
    let (bytes, _) = wrap(&newer, EnvelopePlace { store: STORE, id: 9 }, b"whatever");
    std::fs::write(dir.path().join(MANIFEST_PREVIOUS_FILE), bytes).unwrap();
    std::fs::write(dir.path().join(MANIFEST_FILE), b"bad").unwrap();
    assert_eq!(load(dir.path()).unwrap_err().kind(), ErrorKind::UnsupportedFormat);
}

#[test]
fn files_are_announced_under_ids_that_nothing_had() {
    let mut manifest = full();
    assert_eq!(manifest.take_file_id(), 20);
    assert_eq!(manifest.announce(FileKind::Overlay, 2), 21..23);
    let announced = [21, 22].map(|id| FileName::new(FileKind::Overlay, id));
    assert_eq!((&manifest.announced[..], manifest.next_file_id), (&announced[..], 23));
    manifest.adopt(FileKind::Overlay, 21);
    assert_eq!(manifest.announced, announced[1..]);
    manifest.adopt(FileKind::Log, 22);
    assert_eq!(manifest.announced, announced[1..], "another kind's");
}

#[test]
fn what_is_given_up_is_dropped_and_the_rest_stays() {
    let mut manifest = full();
    manifest.close_log(5, 6000);
    assert_eq!(manifest.logs.iter().map(|log| log.end_offset).collect::<Vec<_>>(), [Some(5000), Some(6000)]);
    manifest.drop_log(4);
    assert_eq!(manifest.logs.iter().map(|log| log.id).collect::<Vec<_>>(), [5]);
    manifest.drop_segments(&[3, 9]);
    assert_eq!(manifest.segments, [segment(1)]);
    let dropped = [(FileKind::Segment, 6), (FileKind::Log, 4), (FileKind::Segment, 3), (FileKind::Overlay, 2)];
    assert_eq!(manifest.dropping, dropped.map(|(kind, id)| FileName::new(kind, id)));
}

#[test]
fn a_manifest_is_there_absent_or_bad() {
    let dir = tempfile::tempdir().unwrap();
    let check = |name| ManifestStore::check(&OsStorage, dir.path(), name);
    assert!(!check(MANIFEST_FILE).unwrap());
    committed(dir.path(), 1..=1);
    assert!(check(MANIFEST_FILE).unwrap() && !check(MANIFEST_PREVIOUS_FILE).unwrap());
    std::fs::write(dir.path().join(MANIFEST_FILE), b"bad").unwrap();
    assert_eq!(check(MANIFEST_FILE).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_first_commit_that_fails_can_be_made_again() {
    let mut fails_at = 0;
    loop {
        let dir = tempfile::tempdir().unwrap();
        let mut store = ManifestStore::new(&FailingStorage::at(fails_at), dir.path(), STORE);
        if store.commit(&full()).is_ok() {
            break;
        }
        let named = dir.path().join(MANIFEST_FILE).exists();
        assert_eq!(store.commit(&full()).is_ok(), !named, "step {fails_at}");
        fails_at += 1;
    }
    // create, write, sync, rename, then the folder.
    assert_eq!(fails_at, 5);
}

#[test]
fn files_without_a_manifest_are_no_new_store() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("log")).unwrap();
    std::fs::write(dir.path().join("LOCK"), b"").unwrap();
    assert!(load(dir.path()).unwrap().is_none());
    std::fs::write(dir.path().join("log/00000000000000000001.log"), b"x").unwrap();
    assert_eq!(load(dir.path()).unwrap_err().kind(), ErrorKind::Corrupt);
}

proptest::proptest! {
    #[test]
    fn any_body_under_a_good_checksum_is_read_without_panic(
        position in 0_usize..400,
        value: u8,
        tail: Vec<u8>,
    ) {
        let mut payload = metadata::encode(&full()).unwrap();
        let position = position % payload.len();
        payload[position] = value;
        for payload in [&payload[..], &[&payload[..position], &tail[..]].concat(), &tail[..]] {
            let (bytes, _) = wrap(&FORMAT, EnvelopePlace { store: STORE, id: 0 }, payload);
            if let Ok(manifest) = Manifest::decode(&bytes) {
                proptest::prop_assert_eq!(manifest.to_bytes().unwrap(), bytes);
            }
        }
    }
}

/// What each file of the commit may hold after a crash: unsynced renames come in any order.
#[test]
fn every_state_between_the_steps_of_a_commit_loads_one_of_both_versions() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let mut store = committed(dir.path(), 1..=2);
    let read = |name: &str| std::fs::read(path(name)).unwrap();
    let (one, two) = (read(MANIFEST_PREVIOUS_FILE), read(MANIFEST_FILE));
    store.commit(&Manifest { epoch: 3, ..full() }).unwrap();
    let three = read(MANIFEST_FILE);
    let half = three[..three.len() / 2].to_vec();
    for leftover in [None, Some(&half), Some(&three)] {
        for leftover_copy in [None, Some(&half), Some(&two)] {
            for previous in [&one, &two] {
                for current in [&two, &three] {
                    for (name, bytes) in [
                        (MANIFEST_FILE, Some(current)),
                        (MANIFEST_PREVIOUS_FILE, Some(previous)),
                        ("MANIFEST.tmp", leftover),
                        ("MANIFEST.prev.tmp", leftover_copy),
                    ] {
                        match bytes {
                            Some(bytes) => std::fs::write(path(name), bytes).unwrap(),
                            None => _ = std::fs::remove_file(path(name)),
                        }
                    }
                    let mut loaded = load(dir.path()).unwrap().unwrap();
                    let expected = if *current == two { 2 } else { 3 };
                    assert_eq!((loaded.current().version, loaded.fallback()), (expected, None));
                    loaded.commit(&full()).unwrap();
                    assert_eq!(load(dir.path()).unwrap().unwrap().current().version, expected + 1);
                }
            }
        }
    }
}

#[test]
fn a_manifest_that_contradicts_itself_is_neither_written_nor_read() {
    type Change = fn(&mut Manifest);
    let changes: [Change; 10] = [
        |manifest| manifest.next_file_id = 7,
        |manifest| manifest.dropping[0].id = 1,
        |manifest| manifest.segments[0].rows = 0,
        |manifest| manifest.segments[0].partition_span = 9,
        |manifest| manifest.segments[0].min_sequence = 3,
        |manifest| manifest.segments[0].overlay_crc = 1,
        |manifest| manifest.logs[0].end_offset = None,
        |manifest| manifest.logs.reverse(),
        |manifest| manifest.blobs[0].name.clear(),
        |manifest| manifest.idempotency_blob_id = Some(8),
    ];
    let dir = tempfile::tempdir().unwrap();
    let mut store = committed(dir.path(), 1..=1);
    for (index, change) in changes.into_iter().enumerate() {
        let mut manifest = full();
        change(&mut manifest);
        assert_eq!(store.commit(&manifest).unwrap_err().kind(), ErrorKind::InvalidInput, "change {index}");
        let payload = metadata::encode(&manifest).unwrap();
        let (bytes, _) = wrap(&FORMAT, EnvelopePlace { store: STORE, id: manifest.version }, &payload);
        assert_eq!(Manifest::decode(&bytes).unwrap_err().kind(), ErrorKind::Corrupt, "change {index}");
    }
    assert_eq!(store.commit(&Manifest { store: 1, ..full() }).unwrap_err().kind(), ErrorKind::InvalidInput);
    store.commit(&full()).unwrap();
}

#[test]
fn a_failure_at_any_step_of_a_commit_keeps_the_old_one_or_ends_all_commits() {
    // create, write, sync, rename of the copy; the same of the manifest; then the folder.
    const STEPS: usize = 9;
    for fails_at in 0..=STEPS {
        let dir = tempfile::tempdir().unwrap();
        committed(dir.path(), 1..=1);
        let storage = FailingStorage::at(fails_at);
        let mut store = ManifestStore::load(&storage, dir.path()).unwrap().unwrap();
        let result = store.commit(&full());
        assert_eq!(result.is_ok(), fails_at == STEPS, "step {fails_at}");
        let on_disk = load(dir.path()).unwrap().unwrap().current().version;
        if fails_at < STEPS - 1 {
            assert_eq!((result.unwrap_err().kind(), on_disk), (ErrorKind::DiskFull, 1), "step {fails_at}");
            store.commit(&full()).unwrap();
            assert_eq!(load(dir.path()).unwrap().unwrap().current().version, 2);
        } else if fails_at == STEPS - 1 {
            assert_eq!(store.commit(&full()).unwrap_err().kind(), ErrorKind::Poisoned);
        }
        let leftovers: Vec<PathBuf> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(leftovers.iter().all(|path| path.extension().is_none_or(|end| end != "tmp")), "step {fails_at}");
    }
}
