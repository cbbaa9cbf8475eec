//! Stores of every format that was ever released, as they lay on the disk, and what they answered (`docs/format.md`,
//! "Version history").
//!
//! `tests/golden/v<major>/store` is a closed store, its logs without the zeroes at their end; `answers.txt` is what it
//! answered when it was made. Only for a new major a folder is added, and none is ever changed once it was released:
//!
//! ```text
//! cargo test -p annals-engine --test faults -- --ignored golden::write_the_golden_store
//! ```

use std::path::{Path, PathBuf};

use annals_engine::{AppendOptions, Engine, ErrorKind, Filter};

use crate::support::{NOW_US, batch, copy_store, event, files, small_folder};
use crate::whole::{self, all_files, answers, lines};

/// The major of what is written today.
const FORMAT_MAJOR: u16 = 1;
const MAJOR_OFFSET: usize = 8;
const MINOR_OFFSET: usize = 10;
/// Log files, manifests, overlays and blobs; a sealed segment has its own.
const FEATURES_OFFSET: usize = 12;
const SEGMENT_FEATURES_OFFSET: usize = 48;
const LOG_SIZE_OFFSET: usize = 48;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn of_format(major: u16) -> PathBuf {
    golden().join(format!("v{major}"))
}

/// A copy to open, with logs of their full length.
fn restored(from: &Path) -> tempfile::TempDir {
    let copy = small_folder();
    copy_store(&from.join("store"), copy.path());
    for log in files(copy.path(), "log") {
        let header = std::fs::read(&log).unwrap();
        let size = u64::from_le_bytes(header[LOG_SIZE_OFFSET..LOG_SIZE_OFFSET + 8].try_into().unwrap());
        std::fs::File::options().write(true).open(&log).unwrap().set_len(size).unwrap();
    }
    copy
}

/// Makes the store of today's format, in place of the one that is there.
#[test]
#[ignore = "it changes the tree: for a new major, or before the first release"]
fn write_the_golden_store() {
    let to = of_format(FORMAT_MAJOR);
    _ = std::fs::remove_dir_all(&to);
    let work = small_folder();
    let engine = Engine::open(whole::options(work.path())).unwrap();
    whole::fill(&engine, &mut || ());
    let answers = answers(&engine).unwrap();
    engine.close().unwrap();
    for file in all_files(work.path()) {
        let mut bytes = std::fs::read(work.path().join(&file)).unwrap();
        if file.starts_with("log") {
            bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1);
        }
        let path = to.join("store").join(&file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::write(to.join("answers.txt"), answers).unwrap();
}

#[test]
fn a_store_of_every_format_answers_as_it_did_and_goes_on() {
    let mut majors = 0;
    for entry in std::fs::read_dir(golden()).unwrap() {
        let from = entry.unwrap().path();
        let expected = std::fs::read_to_string(from.join("answers.txt")).unwrap();
        let copy = restored(&from);
        let options = whole::options(copy.path());
        let engine = Engine::open(options.clone()).unwrap();
        assert!(engine.recovery_notes().is_empty(), "{}: {:?}", from.display(), engine.recovery_notes());
        assert_eq!(answers(&engine).unwrap(), expected, "{}", from.display());
        let report = engine.verify(&mut |_, _| ()).unwrap();
        assert!(report.damages.is_empty(), "{:?}", report.damages);
        let before = lines(&engine, &Filter::All).unwrap();
        engine.append(batch(&[event(999, NOW_US)]), &AppendOptions::default()).unwrap();
        engine.seal_now().unwrap();
        engine.compact().unwrap();
        engine.close().unwrap();
        let again = Engine::open(options).unwrap();
        let mut after = lines(&again, &Filter::All).unwrap();
        assert!(after.pop().is_some_and(|line| line.contains(&format!("{:032x}", 999))));
        assert_eq!(after, before, "{}: sealed and compacted", from.display());
        assert!(again.verify(&mut |_, _| ()).unwrap().damages.is_empty());
        majors += 1;
    }
    assert_eq!(majors, FORMAT_MAJOR, "a folder for each major");
}

#[test]
fn the_golden_store_of_today_has_everything() {
    let from = of_format(FORMAT_MAJOR);
    let found = all_files(&from.join("store"));
    for (folder, count) in [("log", 1), ("segment", 3), ("overlay", 2), ("blob", 2)] {
        assert_eq!(found.iter().filter(|file| file.starts_with(folder)).count(), count, "{folder}");
    }
    let log = std::fs::read(&files(&from.join("store"), "log")[0]).unwrap();
    let kinds: std::collections::BTreeSet<u8> = log[4096..]
        .chunks(8)
        .filter(|start| start.len() == 8 && start.starts_with(&[0x9a, 0xa9, 1]))
        .map(|start| start[3])
        .collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4], "frames of every kind");
    let size: u64 = found.iter().map(|file| from.join("store").join(file).metadata().unwrap().len()).sum();
    assert!(size < 100_000, "{size} bytes");
    // What today's writers make answers the same.
    let work = small_folder();
    let engine = Engine::open(whole::options(work.path())).unwrap();
    whole::fill(&engine, &mut || ());
    assert_eq!(answers(&engine).unwrap(), std::fs::read_to_string(from.join("answers.txt")).unwrap());
}

/// Changes a file's header and its checksum with it.
fn change_header(path: &Path, change: impl FnOnce(&mut [u8])) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    let is_page = ["log", "segment"].iter().any(|folder| path.parent().unwrap().ends_with(folder));
    let crc_offset = if is_page { 4092 } else { 60 };
    let crc = crc32fast::hash(&bytes[..crc_offset]);
    bytes[crc_offset..crc_offset + 4].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(path, bytes).unwrap();
}

/// Why a copy of the golden store with a changed header cannot be used: from the open, or from the one named value.
fn refusal(file: &Path, change: impl FnOnce(&mut [u8])) -> Option<annals_engine::Error> {
    let copy = restored(&of_format(FORMAT_MAJOR));
    change_header(&copy.path().join(file), change);
    match Engine::open(whole::options(copy.path())) {
        Err(error) => Some(error),
        Ok(engine) => answers(&engine).err(),
    }
}

#[test]
fn a_future_major_is_refused_and_named() {
    for file in all_files(&of_format(FORMAT_MAJOR).join("store")) {
        if file.ends_with("MANIFEST.prev") {
            continue;
        }
        let error = refusal(&file, |bytes| bytes[MAJOR_OFFSET..MINOR_OFFSET].copy_from_slice(&2_u16.to_le_bytes()));
        let error = error.unwrap_or_else(|| panic!("{} of major 2 is read", file.display()));
        assert_eq!(error.kind(), ErrorKind::UnsupportedFormat, "{}: {error}", file.display());
        assert!(error.message().contains("2.0") && error.message().contains("1.0"), "{}: {error}", file.display());
        assert!(error.path().is_some_and(|path| path.ends_with(&file)), "{error}");
    }
}

#[test]
fn an_unknown_feature_is_refused_and_a_later_minor_without_one_is_read() {
    for file in all_files(&of_format(FORMAT_MAJOR).join("store")) {
        if file.ends_with("MANIFEST.prev") {
            continue;
        }
        let features = if file.starts_with("segment") { SEGMENT_FEATURES_OFFSET } else { FEATURES_OFFSET };
        for bit in [0, 7, 31] {
            let error = refusal(&file, |bytes| {
                bytes[MINOR_OFFSET] = 1;
                bytes[features + bit / 8] |= 1 << (bit % 8);
            });
            let error = error.unwrap_or_else(|| panic!("{} with feature {bit} is read", file.display()));
            assert_eq!(error.kind(), ErrorKind::UnsupportedFormat, "{}: {error}", file.display());
        }
        // The manifest names overlays and blobs by the checksum of their header.
        if !file.starts_with("overlay") && !file.starts_with("blob") {
            let error = refusal(&file, |bytes| bytes[MINOR_OFFSET] = 1);
            assert!(error.is_none(), "{} of minor 1: {error:?}", file.display());
        }
    }
}
