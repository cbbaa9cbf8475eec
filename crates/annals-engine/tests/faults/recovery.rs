//! A log that was cut or damaged, after a clean close and after a kill: the store refuses and says where,
//! or it gives back a prefix of what was appended, with its contents, deletes and marks.

use std::path::{Path, PathBuf};

use annals_engine::{AppendOptions, Delete, Durability, Engine, Event, Field, Filter, Mark, Options};

use crate::disk::Disk;
use crate::support::{
    Line, NOW_US, Store, assert_names_a_file, batch, bits, copy_store, event, everything, is_thorough, keyed,
    only_file, options,
};

/// A folder with a store that was closed, one with a store that was killed, and every state that the
/// store went through.
struct Sample {
    closed: tempfile::TempDir,
    killed: tempfile::TempDir,
    states: Vec<Vec<Line>>,
}

fn sample() -> Sample {
    let store = Store::new(Durability::Sync);
    let mut states = vec![Vec::new()];
    let mut note = |store: &Store| states.push(everything(&store.engine));
    let text = |id: u128| format!("message {id}");
    for (first, count, key) in [(1, 3, None), (4, 1, Some(9)), (5, 2, None)] {
        let texts: Vec<String> = (first..first + count).map(text).collect();
        let events: Vec<Event<'_>> = (first..first + count)
            .zip(&texts)
            .map(|(id, text)| {
                let mut event = crate::support::with_message(event(id, NOW_US + i64::try_from(id).unwrap()), text);
                event.set(Field::UserId, "ada");
                event.payload = Some(r#"{"a":1}"#);
                event
            })
            .collect();
        let how = key.map_or_else(AppendOptions::default, |key| keyed(key, 1));
        store.engine.append(batch(&events), &how).unwrap();
        note(&store);
    }
    store.engine.delete(&Delete::Sequences(vec![2])).unwrap();
    note(&store);
    store.engine.mark(&[Mark { sequence: 3, acknowledged: true }, Mark { sequence: 5, acknowledged: true }]).unwrap();
    note(&store);
    store.append(&[Event::new("made.id")]).unwrap();
    note(&store);
    store.engine.delete(&Delete::Matching(Filter::created_between(0, NOW_US + 2))).unwrap();
    note(&store);
    store.append(&[event(8, NOW_US)]).unwrap();
    note(&store);
    let killed = crate::support::small_folder();
    copy_store(store.path(), killed.path());
    store.engine.close().unwrap();
    let closed = crate::support::small_folder();
    copy_store(store.path(), closed.path());
    Sample { closed, killed, states }
}

/// The end of the used part of a log.
fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

/// What became of a damaged store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Refused,
    Whole,
    Shorter,
}

struct Damaged<'a> {
    sample: &'a Sample,
    from: &'a Path,
    log: PathBuf,
    bytes: Vec<u8>,
    work: tempfile::TempDir,
}

impl<'a> Damaged<'a> {
    fn new(sample: &'a Sample, from: &'a Path) -> Self {
        let log = only_file(from, "log");
        let bytes = std::fs::read(&log).unwrap();
        let log = log.strip_prefix(from).unwrap().to_owned();
        Self { sample, from, log, bytes, work: crate::support::small_folder() }
    }

    fn options(&self, bytes: &[u8]) -> Options {
        let path = self.work.path().join("store");
        if path.exists() {
            std::fs::remove_dir_all(&path).unwrap();
        }
        copy_store(self.from, &path);
        std::fs::write(path.join(&self.log), bytes).unwrap();
        options(&path, &Disk::new())
    }

    /// Opens the store with other bytes in its log, also degraded, and says what happened.
    fn open(&self, bytes: &[u8], context: &str) -> Outcome {
        let options = self.options(bytes);
        match Engine::open(options.clone()) {
            Err(error) => {
                assert_names_a_file(&error);
                self.open_degraded(options, bytes, context);
                Outcome::Refused
            }
            Ok(engine) => {
                let outcome = self.check(&engine, context);
                let next = engine.append(batch(&[event(99, NOW_US)]), &AppendOptions::default()).unwrap();
                assert_eq!(next.sequences.end - next.sequences.start, 1, "{context}");
                let before = everything(&engine);
                engine.close().unwrap();
                let again = Engine::open(options).unwrap();
                assert_eq!(everything(&again), before, "{context}");
                assert!(again.recovery_notes().is_empty(), "{context}: {:?}", again.recovery_notes());
                outcome
            }
        }
    }

    fn open_degraded(&self, mut options: Options, bytes: &[u8], context: &str) {
        options.degraded = true;
        let engine = Engine::open(options.clone()).unwrap_or_else(|error| panic!("{context}: degraded: {error}"));
        self.check(&engine, context);
        assert!(!engine.recovery_notes().is_empty(), "{context}");
        assert!(engine.write_refusal().is_some(), "{context}");
        assert!(engine.append(batch(&[event(99, NOW_US)]), &AppendOptions::default()).is_err());
        assert!(engine.delete(&Delete::Matching(Filter::All)).is_err());
        engine.close().unwrap();
        assert_eq!(std::fs::read(options.directory.join(&self.log)).unwrap(), bytes, "{context}: unchanged");
    }

    fn check(&self, engine: &Engine, context: &str) -> Outcome {
        let found = everything(engine);
        let state = self.sample.states.iter().position(|state| *state == found);
        let state = state.unwrap_or_else(|| panic!("{context}: no state of this store: {found:#?}"));
        if state + 1 == self.sample.states.len() { Outcome::Whole } else { Outcome::Shorter }
    }
}

#[test]
fn every_cut_of_a_log_is_a_prefix_or_refused() {
    let sample = sample();
    for (name, from) in [("closed", sample.closed.path()), ("killed", sample.killed.path())] {
        let damaged = Damaged::new(&sample, from);
        let end = used(&damaged.bytes);
        let mut outcomes = Vec::new();
        for position in (0..end).step_by(8).chain([end - 1, end]).filter(|position| *position < 64 || *position >= 4096)
        {
            let mut bytes = damaged.bytes.clone();
            bytes[position..].fill(0);
            outcomes.push(damaged.open(&bytes, &format!("{name}, zero from byte {position}")));
        }
        assert_eq!(outcomes.last(), Some(&Outcome::Whole));
        let shorter = outcomes.iter().filter(|outcome| **outcome == Outcome::Shorter).count();
        assert_eq!(shorter > 0, name == "killed", "{name}: {outcomes:?}");
    }
}

#[test]
fn every_shorter_file_is_refused() {
    let sample = sample();
    let damaged = Damaged::new(&sample, sample.killed.path());
    for len in [0, 1, 4095, 4096, used(&damaged.bytes), damaged.bytes.len() - 1] {
        let outcome = damaged.open(&damaged.bytes[..len], &format!("{len} bytes"));
        assert_eq!(outcome, Outcome::Refused, "{len} bytes");
    }
}

#[test]
fn every_flipped_byte_of_a_log_is_seen() {
    let sample = sample();
    for (name, from) in [("closed", sample.closed.path()), ("killed", sample.killed.path())] {
        let damaged = Damaged::new(&sample, from);
        let end = used(&damaged.bytes);
        let header = 0..64;
        // After a clean close every position is judged alike: a few of them do.
        let step = if name == "closed" { 5 } else { 1 };
        let places = header.chain(4096..end).step_by(if is_thorough() { 1 } else { step });
        for (position, bit) in places.flat_map(|position| bits(position).map(move |bit| (position, bit))) {
            let mut bytes = damaged.bytes.clone();
            bytes[position] ^= 1 << bit;
            let outcome = damaged.open(&bytes, &format!("{name}, byte {position} bit {bit} flipped"));
            // Zeroes that fill a frame up to its alignment hold nothing.
            let fills = damaged.bytes[position] == 0 && outcome == Outcome::Whole;
            assert!(fills || outcome != Outcome::Whole, "{name}, byte {position} flipped: nothing was noticed");
            assert!(fills || name == "killed" || outcome == Outcome::Refused, "{name}, byte {position} flipped");
        }
    }
}

#[test]
fn a_killed_store_loses_nothing_and_is_whole_degraded_too() {
    let sample = sample();
    for from in [sample.closed.path(), sample.killed.path()] {
        let damaged = Damaged::new(&sample, from);
        assert_eq!(damaged.open(&damaged.bytes, "unchanged"), Outcome::Whole);
        let mut options = damaged.options(&damaged.bytes);
        options.degraded = true;
        let engine = Engine::open(options).unwrap();
        assert_eq!(damaged.check(&engine, "degraded"), Outcome::Whole);
    }
}

/// A store whose log ended in an unfinished write was once opened for writing in degraded mode, which
/// had left that write in place: the next frames went on top of it.
#[test]
fn a_torn_tail_is_left_alone_in_degraded_mode() {
    let sample = sample();
    let damaged = Damaged::new(&sample, sample.killed.path());
    let end = used(&damaged.bytes);
    let mut bytes = damaged.bytes.clone();
    bytes[end - 1] ^= 1;
    let options = damaged.options(&bytes);
    damaged.open_degraded(options, &bytes, "the last frame is torn");
    assert_eq!(damaged.open(&bytes, "the last frame is torn"), Outcome::Shorter);
}

#[test]
fn a_missing_log_is_damage() {
    let sample = sample();
    let damaged = Damaged::new(&sample, sample.closed.path());
    let mut options = damaged.options(&damaged.bytes);
    std::fs::remove_file(options.directory.join(&damaged.log)).unwrap();
    assert_names_a_file(&Engine::open(options.clone()).err().unwrap());
    options.degraded = true;
    let engine = Engine::open(options).unwrap();
    assert!(everything(&engine).is_empty() && engine.write_refusal().is_some());
}
