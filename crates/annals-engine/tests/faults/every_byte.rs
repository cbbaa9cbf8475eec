//! Every file of a small store, damaged in every way at every place: what is answered is the truth or `Corrupt`.
//!
//! Each byte has one bit flipped; with `ANNALS_DAMAGE=all` in the environment all eight, each by itself, and every pair
//! of sectors is swapped instead of those beside each other:
//!
//! ```text
//! ANNALS_DAMAGE=all cargo test --release -p annals-engine --test faults -- every_byte damage:: recovery::
//! ```

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use annals_engine::{Engine, ErrorKind, EventId, Options};

use crate::support::{assert_names_a_file, bits, copy_store, is_thorough, small_folder};
use crate::whole::{self, answers, filters, lines};

const SECTOR: usize = 512;

/// What was known of a damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The store does not open.
    Refused,
    /// It opens, and what the damage is about is `Corrupt`, or the store says that it goes without.
    Told,
    /// Everything is answered rightly and nothing is told.
    Unseen,
}

/// A closed store, and the states it went through.
struct Sample {
    directory: tempfile::TempDir,
    stages: Vec<tempfile::TempDir>,
    contents: Vec<(PathBuf, Vec<u8>)>,
    answers: String,
    lines: Vec<String>,
    /// Lines of every state: where the damage takes a change of an event along, there is the event without it.
    lines_ever: HashSet<String>,
    asked: AtomicUsize,
}

fn sample() -> Sample {
    let directory = small_folder();
    let engine = Engine::open(whole::options(directory.path())).unwrap();
    let (mut stages, mut lines_ever) = (Vec::new(), HashSet::new());
    whole::fill(&engine, &mut || {
        lines_ever.extend(lines(&engine, &filters()[0]).unwrap());
        let stage = small_folder();
        copy_store(directory.path(), stage.path());
        stages.push(stage);
    });
    let (answers, lines) = (answers(&engine).unwrap(), lines(&engine, &filters()[0]).unwrap());
    engine.close().unwrap();
    let files = whole::all_files(directory.path());
    let read = |file: PathBuf| (file.clone(), std::fs::read(directory.path().join(file)).unwrap());
    let contents = files.into_iter().map(read).collect();
    Sample { contents, directory, stages, answers, lines, lines_ever, asked: AtomicUsize::new(0) }
}

impl Sample {
    fn bytes(&self, file: &Path) -> Vec<u8> {
        self.contents.iter().find(|(name, _)| name == file).unwrap().1.clone()
    }

    fn files(&self) -> Vec<PathBuf> {
        whole::all_files(self.directory.path())
    }

    /// Judges every case, on as many threads as there are processors; each gets a folder of its own.
    fn judge_all<T: Sync>(
        &self,
        cases: &[T],
        damage: impl Fn(&T, &mut Vec<u8>) -> PathBuf + Sync,
        see: impl Fn(&T, &Path, Verdict) + Sync,
    ) {
        let next = AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let work = small_folder();
                    while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let mut bytes = Vec::new();
                        let file = damage(case, &mut bytes);
                        let path = work.path().join("store");
                        self.place(&path);
                        write_sparse(&path.join(&file), &bytes);
                        see(case, &file, self.judge(&whole::options(&path)));
                    }
                });
            }
        });
    }

    /// Makes the store again: its folders are the same whatever a damaged one did to its own.
    fn place(&self, path: &Path) {
        _ = std::fs::remove_dir_all(path);
        for (file, bytes) in &self.contents {
            std::fs::create_dir_all(path.join(file).parent().unwrap()).unwrap();
            write_sparse(&path.join(file), bytes);
        }
    }

    /// Asks everything of a damaged store. Panics if an answer is wrong.
    fn judge(&self, options: &Options) -> Verdict {
        match Engine::open(options.clone()) {
            Err(error) => {
                assert_names_a_file(&error);
                let degraded = Options { degraded: true, ..options.clone() };
                if let Ok(engine) = Engine::open(degraded) {
                    assert!(engine.write_refusal().is_some());
                    assert!(!engine.recovery_notes().is_empty());
                    self.ask(&engine);
                }
                Verdict::Refused
            }
            Ok(engine) => {
                let is_told = self.ask(&engine) || engine.write_refusal().is_some();
                let damages = engine.verify(&mut |_, _| ()).map(|report| report.damages);
                let is_seen =
                    damages.map_or_else(|error| error.kind() == ErrorKind::Corrupt, |damages| !damages.is_empty());
                _ = engine.close();
                if is_told || is_seen { Verdict::Told } else { Verdict::Unseen }
            }
        }
    }

    /// Whether anything is `Corrupt` or missing; with `Corrupt` aside, answers are the truth, of a degraded store a part of it.
    fn ask(&self, engine: &Engine) -> bool {
        let has_gap = engine.write_refusal().is_some();
        match answers(engine) {
            Ok(found) if found == self.answers => {}
            Ok(found) => {
                assert!(has_gap, "wrong: {found}\nright: {}", self.answers);
                for line in lines(engine, &filters()[0]).unwrap() {
                    assert!(self.lines_ever.contains(&line), "wrong: {line}");
                }
            }
            Err(error) => assert_names_a_file(&error),
        }
        let mut is_told = has_gap;
        // One look-up costs as much as a query: a few of them, others each time.
        let step = if is_thorough() { 1 } else { 7 };
        let first = self.asked.fetch_add(1, Ordering::Relaxed) % step;
        for line in self.lines.iter().skip(first).step_by(step) {
            let mut words = line.split(' ');
            let sequence = words.next().unwrap().parse().unwrap();
            let id = EventId::from_u128(u128::from_str_radix(words.next().unwrap(), 16).unwrap());
            for found in [engine.snapshot().get_sequence(sequence), engine.get(id)] {
                match found.and_then(|event| event.map(|event| whole::line(engine, &event)).transpose()) {
                    Ok(Some(found)) => {
                        assert!(found == *line || has_gap && self.lines_ever.contains(&found), "{found} is not {line}");
                    }
                    Ok(None) => assert!(has_gap, "{line} is not there"),
                    Err(error) => {
                        assert_names_a_file(&error);
                        is_told = true;
                    }
                }
            }
        }
        is_told
    }
}

/// The zeroes at the end of a log take no room and no time.
fn write_sparse(path: &Path, bytes: &[u8]) {
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let file = std::fs::File::create(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes[..used], 0).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
}

/// Whether nothing need be told of a damaged byte: zeroes that fill a frame up, and the manifest's predecessor.
fn may_be_unseen(file: &Path, byte: u8) -> bool {
    file.ends_with("MANIFEST.prev") || (file.starts_with("log") && byte == 0)
}

#[test]
fn a_flipped_bit_is_seen() {
    let sample = sample();
    let mut cases = Vec::new();
    let files = sample.files();
    for file in files.clone() {
        let bytes = sample.bytes(&file);
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        // `damage.rs` has every byte of a fresh segment; here it is the packed one.
        let is_fresh =
            file.starts_with("segment") && files.iter().find(|file| file.starts_with("segment")) != Some(&file);
        let step = if is_fresh && !is_thorough() { 3 } else { 1 };
        for position in (0..used).step_by(step) {
            // The zeroes of a header lie under one checksum.
            if bytes[position] != 0 || position % 32 == 0 || is_thorough() || !file.starts_with("log") {
                cases.extend(bits(position).map(|bit| (file.clone(), position, bit)));
            }
        }
    }
    sample.judge_all(
        &cases,
        |(file, position, bit), bytes| {
            *bytes = sample.bytes(file);
            bytes[*position] ^= 1 << bit;
            file.clone()
        },
        |(file, position, bit), _, verdict| {
            let context = format!("{} byte {position} bit {bit}", file.display());
            let may_be_unseen = may_be_unseen(file, sample.bytes(file)[*position]);
            assert!(verdict != Verdict::Unseen || may_be_unseen, "{context}");
        },
    );
    assert!(cases.len() > 10_000, "{} flips", cases.len());
}

#[test]
fn a_shorter_file_is_seen() {
    let sample = sample();
    let mut cases = Vec::new();
    for file in sample.files() {
        let len = sample.bytes(&file).len();
        // A log is as long as it was reserved, so most of its lengths are alike.
        let step = match (file.starts_with("log"), is_thorough() || len < 1000) {
            (true, _) => 4093,
            (_, true) => 1,
            _ => 5,
        };
        cases.extend((0..len).step_by(step).map(|len| (file.clone(), len)));
    }
    sample.judge_all(
        &cases,
        |(file, len), bytes| {
            *bytes = sample.bytes(file);
            bytes.truncate(*len);
            file.clone()
        },
        |(file, len), _, verdict| {
            assert!(verdict != Verdict::Unseen || file.ends_with("MANIFEST.prev"), "{} cut to {len}", file.display());
        },
    );
}

#[test]
fn a_log_without_its_end_is_seen() {
    let sample = sample();
    let log = sample.files().into_iter().find(|file| file.starts_with("log")).unwrap();
    let used = sample.bytes(&log).iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let cases: Vec<usize> = (0..used).step_by(if is_thorough() { 1 } else { 8 }).collect();
    sample.judge_all(
        &cases,
        |position, bytes| {
            *bytes = sample.bytes(&log);
            bytes[*position..].fill(0);
            log.clone()
        },
        |position, _, verdict| assert_eq!(verdict, Verdict::Refused, "zero from byte {position}"),
    );
}

#[test]
fn zeroed_and_swapped_sectors_are_seen() {
    let sample = sample();
    let mut cases = Vec::new();
    for file in sample.files() {
        let bytes = sample.bytes(&file);
        let sectors: Vec<&[u8]> = bytes.chunks(SECTOR).collect();
        let used = sectors.iter().rposition(|sector| sector.iter().any(|byte| *byte != 0)).unwrap() + 1;
        for first in 0..used {
            if sectors[first].iter().any(|byte| *byte != 0) {
                cases.push((file.clone(), first, None));
            }
            for second in first + 1..used {
                let swaps = sectors[first] != sectors[second] && sectors[first].len() == sectors[second].len();
                if swaps && (is_thorough() || second - first <= 2 || first == 0) {
                    cases.push((file.clone(), first, Some(second)));
                }
            }
        }
    }
    sample.judge_all(
        &cases,
        |(file, first, second), bytes| {
            *bytes = sample.bytes(file);
            let start = first * SECTOR;
            let end = bytes.len().min(start + SECTOR);
            match second {
                None => bytes[start..end].fill(0),
                Some(second) => {
                    let (before, after) = bytes.split_at_mut(second * SECTOR);
                    before[start..end].swap_with_slice(&mut after[..SECTOR]);
                }
            }
            file.clone()
        },
        |(file, first, second), _, verdict| {
            let context = format!("{} sector {first}, {second:?}", file.display());
            assert!(verdict != Verdict::Unseen || file.ends_with("MANIFEST.prev"), "{context}");
        },
    );
    assert!(cases.len() > 100, "{} cases", cases.len());
}

/// A file as it was at another time of this store, or a file of the same kind under another's name.
#[test]
fn an_older_copy_and_another_file_are_seen() {
    let sample = sample();
    let mut cases = Vec::new();
    for file in sample.files() {
        let now = sample.bytes(&file);
        let mut others: Vec<PathBuf> = Vec::new();
        for stage in &sample.stages {
            others.push(stage.path().join(&file));
            let alike = whole::all_files(stage.path()).into_iter().filter(|other| other.parent() == file.parent());
            others.extend(alike.map(|other| stage.path().join(other)));
        }
        let mut seen = vec![now];
        for other in others {
            let Ok(bytes) = std::fs::read(&other) else { continue };
            if !seen.contains(&bytes) {
                seen.push(bytes.clone());
                cases.push((file.clone(), other, bytes));
            }
        }
    }
    let count = |folder: &str| cases.iter().filter(|(file, ..)| file.starts_with(folder)).count();
    for folder in ["log", "segment", "overlay", "blob", "MANIFEST"] {
        assert!(count(folder) > 0, "{folder}");
    }
    sample.judge_all(
        &cases,
        |(file, _, other), bytes| {
            other.clone_into(bytes);
            file.clone()
        },
        |(file, other, _), _, verdict| {
            // A manifest of the moment before the close names the same files.
            let may_be_unseen = file.starts_with("MANIFEST.prev") || file.starts_with("MANIFEST");
            assert!(verdict != Verdict::Unseen || may_be_unseen, "{} in place of {}", other.display(), file.display());
        },
    );
}

#[test]
fn a_file_of_another_store_is_refused() {
    let (sample, other) = (sample(), sample());
    let files = sample.files();
    assert_eq!(files, other.files(), "both stores have files of the same names");
    sample.judge_all(
        &files,
        |file, bytes| {
            *bytes = other.bytes(file);
            file.clone()
        },
        |_, file, verdict| {
            assert!(
                verdict != Verdict::Unseen || file.ends_with("MANIFEST.prev"),
                "{} of another store",
                file.display()
            );
        },
    );
}
