//! One flipped bit in each byte of every other file: the manifest, overlays, blobs and sealed segments.

use std::path::{Path, PathBuf};

use annals_engine::{AppendOptions, Delete, Durability, Engine, Event, Field, Filter, Mark, Options};

use crate::disk::Disk;
use crate::support::{
    DAY_US, Line, NOW_US, Store, assert_names_a_file, batch, bits, copy_store, event, everything, files, keyed,
    options, select,
};

const OLD_US: i64 = NOW_US - 5 * DAY_US;

/// A closed store with two sealed days, an overlay on the older one, blobs, a key and a live event.
struct Sample {
    directory: tempfile::TempDir,
    lines: Vec<Line>,
    /// The segment of the older day.
    segment: PathBuf,
    overlay: PathBuf,
}

fn sample() -> Sample {
    let store = Store::new(Durability::Sync);
    let texts: Vec<String> = (0..12).map(|number| format!("the message number {number}")).collect();
    let events: Vec<Event<'_>> = (1..)
        .zip(&texts)
        .map(|(id, text)| {
            let mut event = crate::support::with_message(event(id, OLD_US + i64::try_from(id).unwrap()), text);
            event.set(Field::UserId, if id % 2 == 0 { "ada" } else { "bob" });
            event.payload = (id % 3 == 0).then_some(r#"{"key":"value"}"#);
            event.realm_ids = (&["a", "b"]).into();
            event
        })
        .collect();
    store.engine.append(batch(&events), &keyed(5, 5)).unwrap();
    store.engine.seal_now().unwrap();
    let segment = files(store.path(), "segment").pop().unwrap();
    store.append(&[event(20, NOW_US), event(21, NOW_US + 1)]).unwrap();
    store.engine.mark(&[Mark { sequence: 2, acknowledged: true }]).unwrap();
    store.engine.delete(&Delete::Sequences(vec![3, 4])).unwrap();
    store.engine.seal_now().unwrap();
    let overlay = files(store.path(), "overlay").pop().unwrap();
    store.engine.put_blob("name", b"value").unwrap();
    store.append(&[event(30, NOW_US + 2)]).unwrap();
    let lines = everything(&store.engine);
    store.engine.close().unwrap();
    let directory = crate::support::small_folder();
    copy_store(store.path(), directory.path());
    let inside = |path: &Path| path.strip_prefix(store.path()).unwrap().to_owned();
    Sample { directory, lines, segment: inside(&segment), overlay: inside(&overlay) }
}

/// Copies the sample with one file changed.
struct Bench {
    sample: Sample,
    work: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { sample: sample(), work: crate::support::small_folder() }
    }

    fn bytes(&self, file: &Path) -> Vec<u8> {
        std::fs::read(self.sample.directory.path().join(file)).unwrap()
    }

    fn with(&self, file: &Path, bytes: &[u8]) -> Options {
        let path = self.work.path().join("store");
        if path.exists() {
            std::fs::remove_dir_all(&path).unwrap();
        }
        copy_store(self.sample.directory.path(), &path);
        std::fs::write(path.join(file), bytes).unwrap();
        options(&path, &Disk::new())
    }

    /// Calls `check` with the options of a store for each byte of the file flipped, and the file cut.
    fn each_flip(&self, file: &Path, step: usize, check: impl Fn(&Options, &str)) {
        let bytes = self.bytes(file);
        for position in (0..bytes.len()).step_by(step) {
            for bit in bits(position) {
                let mut flipped = bytes.clone();
                flipped[position] ^= 1 << bit;
                check(&self.with(file, &flipped), &format!("{} byte {position} bit {bit} flipped", file.display()));
            }
        }
        for len in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            check(&self.with(file, &bytes[..len]), &format!("{} cut to {len} bytes", file.display()));
        }
    }

    fn old_lines(&self) -> Vec<Line> {
        self.sample.lines.iter().filter(|line| line.created_at_us < NOW_US - DAY_US).cloned().collect()
    }

    fn new_lines(&self) -> Vec<Line> {
        self.sample.lines.iter().filter(|line| line.created_at_us >= NOW_US - DAY_US).cloned().collect()
    }
}

/// Asks everything that can be asked of the older day: the truth or `Corrupt`, never less.
fn ask_old_day(bench: &Bench, engine: &Engine, context: &str) -> bool {
    let old = bench.old_lines();
    let by = |pass: &dyn Fn(&Line) -> bool| old.iter().filter(|line| pass(line)).cloned().collect::<Vec<Line>>();
    let old_days = Filter::created_between(0, NOW_US - DAY_US);
    let expected: [(Filter, Vec<Line>); 6] = [
        (Filter::All, old.clone()),
        (Filter::term(Field::UserId, "ada"), by(&|line| line.user.as_deref() == Some("ada"))),
        (Filter::term(Field::UserId, "nobody"), Vec::new()),
        (Filter::Acknowledged(true), by(&|line| line.acknowledged)),
        (
            Filter::Contains(annals_engine::TextField::Message, "number 1".to_owned()),
            by(&|line| line.message.as_deref().is_some_and(|text| text.contains("number 1"))),
        ),
        (Filter::SequenceBetween { from: 5, to: 8 }, by(&|line| (5..8).contains(&line.sequence))),
    ];
    let mut damaged = false;
    for (filter, lines) in expected {
        match select(engine, &filter.clone().and(old_days.clone())) {
            Ok(found) => assert_eq!(found, lines, "{context}: {filter:?}"),
            Err(error) => {
                assert_names_a_file(&error);
                damaged = true;
            }
        }
    }
    for line in &old {
        for found in [engine.get(line.id), engine.snapshot().get_sequence(line.sequence)] {
            match found {
                Ok(found) => assert_eq!(found.map(|event| Line::of(&event)).as_ref(), Some(line), "{context}"),
                Err(error) => {
                    assert_names_a_file(&error);
                    damaged = true;
                }
            }
        }
    }
    damaged
}

#[test]
fn every_flipped_byte_of_a_segment_is_seen_and_the_others_serve() {
    let bench = Bench::new();
    let segment = bench.sample.segment.clone();
    bench.each_flip(&segment, 1, |options, context| {
        let engine = Engine::open(options.clone()).unwrap_or_else(|error| panic!("{context}: {error}"));
        ask_old_day(&bench, &engine, context);
        let newer = select(&engine, &Filter::created_between(NOW_US - DAY_US, i64::MAX)).unwrap();
        assert_eq!(newer, bench.new_lines(), "{context}");
        engine.append(batch(&[event(40, NOW_US + 3)]), &AppendOptions::default()).unwrap();
        let report = engine.verify(&mut |_, _| ()).unwrap();
        assert_eq!(report.damages.len(), 1, "{context}: {:?}", report.damages);
        let name = segment.file_name().unwrap().to_str().unwrap();
        assert!(report.damages[0].contains(name), "{context}: {:?}", report.damages);
        engine.close().unwrap();
    });
}

/// A damaged overlay was once the damage that `verify` did not see.
#[test]
fn every_flipped_byte_of_an_overlay_is_seen_and_the_others_serve() {
    let bench = Bench::new();
    let overlay = bench.sample.overlay.clone();
    bench.each_flip(&overlay, 1, |options, context| {
        let engine = Engine::open(options.clone()).unwrap_or_else(|error| panic!("{context}: {error}"));
        assert!(ask_old_day(&bench, &engine, context), "{context}");
        let newer = select(&engine, &Filter::created_between(NOW_US - DAY_US, i64::MAX)).unwrap();
        assert_eq!(newer, bench.new_lines(), "{context}");
        let report = engine.verify(&mut |_, _| ()).unwrap();
        assert_eq!(report.damages.len(), 1, "{context}: {:?}", report.damages);
        assert!(report.damages[0].contains(overlay.file_name().unwrap().to_str().unwrap()), "{:?}", report.damages);
    });
}

#[test]
fn every_flipped_byte_of_a_manifest_is_seen() {
    let bench = Bench::new();
    bench.each_flip(Path::new("MANIFEST"), 1, |options, context| match Engine::open(options.clone()) {
        Err(error) => assert_names_a_file(&error),
        Ok(engine) => {
            assert!(engine.write_refusal().is_some(), "{context}: a stand-in is read-only");
            assert!(!engine.recovery_notes().is_empty(), "{context}");
            assert_eq!(everything(&engine), bench.sample.lines, "{context}");
        }
    });
    // The predecessor alone does no harm while the manifest is good.
    bench.each_flip(Path::new("MANIFEST.prev"), 16, |options, context| {
        let engine = Engine::open(options.clone()).unwrap();
        assert_eq!(everything(&engine), bench.sample.lines, "{context}");
    });
    let options = bench.with(Path::new("MANIFEST"), b"");
    std::fs::write(options.directory.join("MANIFEST.prev"), b"").unwrap();
    assert_names_a_file(&Engine::open(options).err().unwrap());
}

/// A stand-in manifest of the time before a seal names a log that is gone; a newer one names two logs.
#[test]
fn a_stand_in_manifest_gives_all_or_refuses() {
    let store = Store::new(Durability::Sync);
    let text = "x".repeat(8000);
    for id in 0..300 {
        store.append(&[crate::support::with_message(event(id, NOW_US), &text)]).unwrap();
    }
    assert!(files(store.path(), "log").len() > 2);
    let copy = crate::support::small_folder();
    copy_store(store.path(), copy.path());
    std::fs::write(copy.path().join("MANIFEST"), b"bad").unwrap();
    // The predecessor lacks the last log: its events are missing, and it says so.
    let engine = Engine::open(options(copy.path(), &Disk::new())).unwrap();
    assert!(engine.write_refusal().is_some());
    let found = everything(&engine);
    assert_eq!(found, everything(&store.engine)[..found.len()]);
    assert!(found.len() > 100, "every log that the stand-in names is read, there are {} events", found.len());
    drop(engine);

    store.engine.seal_now().unwrap();
    let copy = crate::support::small_folder();
    copy_store(store.path(), copy.path());
    std::fs::write(copy.path().join("MANIFEST"), b"bad").unwrap();
    match Engine::open(options(copy.path(), &Disk::new())) {
        Err(error) => assert_names_a_file(&error),
        Ok(engine) => assert_eq!(everything(&engine), everything(&store.engine)),
    }
}

#[test]
fn every_flipped_byte_of_a_blob_is_seen() {
    let bench = Bench::new();
    let mut keys_seen = 0;
    for file in files(bench.sample.directory.path(), "blob") {
        let file = file.strip_prefix(bench.sample.directory.path()).unwrap().to_owned();
        let is_keys = !bench.bytes(&file).ends_with(b"value");
        keys_seen += usize::from(is_keys);
        bench.each_flip(&file, 1, |options, context| {
            if is_keys {
                // Without its keys a store would store retried batches twice.
                assert_names_a_file(&Engine::open(options.clone()).err().unwrap());
                let mut degraded = options.clone();
                degraded.degraded = true;
                let engine = Engine::open(degraded).unwrap_or_else(|error| panic!("{context}: {error}"));
                assert_eq!(everything(&engine), bench.sample.lines, "{context}");
                assert!(engine.write_refusal().is_some(), "{context}");
            } else {
                let engine = Engine::open(options.clone()).unwrap();
                assert_names_a_file(&engine.get_blob("name").unwrap_err());
                assert_eq!(everything(&engine), bench.sample.lines, "{context}");
                let report = engine.verify(&mut |_, _| ()).unwrap();
                assert_eq!(report.damages.len(), 1, "{context}: {:?}", report.damages);
            }
        });
    }
    assert_eq!(keys_seen, 1);
}

/// A delete that was still in the log kept a store from opening at all if a sealed segment was damaged.
#[test]
fn a_delete_in_the_log_does_not_hold_up_the_store_of_a_damaged_segment() {
    let bench = Bench::new();
    let segment = bench.sample.segment.clone();
    let clean = bench.with(&segment, &bench.bytes(&segment));
    let engine = Engine::open(clean.clone()).unwrap();
    engine.delete(&Delete::Matching(Filter::term(Field::UserId, "ada"))).unwrap();
    engine.mark(&[Mark { sequence: 1, acknowledged: true }, Mark { sequence: 13, acknowledged: true }]).unwrap();
    engine.delete(&Delete::Sequences(vec![7, 14])).unwrap();
    let expected = everything(&engine);
    engine.close().unwrap();
    let path = clean.directory.join(&segment);
    let bytes = std::fs::read(&path).unwrap();
    for position in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[position] ^= 0x10;
        std::fs::write(&path, &flipped).unwrap();
        let engine = Engine::open(clean.clone()).unwrap_or_else(|error| panic!("byte {position}: {error}"));
        let newer = select(&engine, &Filter::created_between(NOW_US - DAY_US, i64::MAX)).unwrap();
        let wanted: Vec<Line> = expected.iter().filter(|line| line.created_at_us >= NOW_US - DAY_US).cloned().collect();
        assert_eq!(newer, wanted, "byte {position}");
        if let Ok(all) = select(&engine, &Filter::All) {
            assert_eq!(all, expected, "byte {position}");
        }
        engine.close().unwrap();
    }
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(everything(&Engine::open(clean).unwrap()), expected, "the file is back, and so is all");
}

/// A delete that a damaged segment had not taken was forgotten with its log, and came undone when the
/// file was restored.
#[test]
fn what_a_damaged_segment_is_owed_outlives_its_log() {
    let bench = Bench::new();
    let segment = bench.sample.segment.clone();
    let clean = bench.with(&segment, &bench.bytes(&segment));
    let engine = Engine::open(clean.clone()).unwrap();
    engine.delete(&Delete::Matching(Filter::term(Field::UserId, "ada"))).unwrap();
    engine.mark(&[Mark { sequence: 1, acknowledged: true }]).unwrap();
    let expected = everything(&engine);
    engine.close().unwrap();
    let path = clean.directory.join(&segment);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    for round in 0..2 {
        let engine = Engine::open(clean.clone()).unwrap();
        assert!(select(&engine, &Filter::All).is_err(), "round {round}");
        engine.append(batch(&[event(900 + round, NOW_US)]), &AppendOptions::default()).unwrap();
        engine.delete(&Delete::Matching(Filter::created_between(NOW_US, i64::MAX))).unwrap();
        engine.seal_now().unwrap();
        engine.compact().unwrap();
        engine.close().unwrap();
    }
    std::fs::write(&path, &bytes).unwrap();
    for round in 0..2 {
        let engine = Engine::open(clean.clone()).unwrap();
        let found: Vec<Line> = everything(&engine).into_iter().filter(|line| line.created_at_us < NOW_US).collect();
        let wanted: Vec<Line> = expected.iter().filter(|line| line.created_at_us < NOW_US).cloned().collect();
        assert_eq!(found, wanted, "round {round}");
        engine.append(batch(&[event(990 + round, NOW_US)]), &AppendOptions::default()).unwrap();
        engine.seal_now().unwrap();
        engine.close().unwrap();
    }
}

/// A log that had gone bad was sealed, and its damage got new checksums.
#[test]
fn a_log_is_checked_before_it_is_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = annals_engine::Options::new(directory.path());
    options.log_size_bytes = 1 << 20;
    options.background = false;
    let engine = Engine::open(options).unwrap();
    engine.append(batch(&[event(1, 1_700_000_000_000_000)]), &AppendOptions::default()).unwrap();
    engine.flush().unwrap();
    let log = std::fs::read_dir(directory.path().join("log")).unwrap().next().unwrap().unwrap().path();
    let position = 4096 + 96 + 30;
    let flipped = std::fs::read(&log).unwrap()[position] ^ 1;
    let file = std::fs::OpenOptions::new().write(true).open(&log).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[flipped], position as u64).unwrap();
    let error = engine.seal_now().unwrap_err();
    assert_eq!(error.kind(), annals_engine::ErrorKind::Corrupt, "{error}");
    assert_eq!(engine.stats().sealed_segments, 0);
}
