//! One flipped bit anywhere in a store that has everything: a repair loses what it names and nothing else, and leaves a
//! store that is sound.

use std::path::Path;

use annals_engine::repair::{self, DamageKind};
use annals_engine::{Engine, Filter};

use crate::support::{copy_store, small_folder};
use crate::whole::{all_files, fill, lines, options};

/// A prime, so that the bytes tried differ from file to file.
const STEP: usize = 37;

/// The sequence that a line starts with.
fn sequence_of(line: &str) -> u64 {
    line.split(' ').next().unwrap().parse().unwrap()
}

fn check(sound: &Path, file: &Path, position: usize, expected: &[String]) -> Option<DamageKind> {
    let context = format!("{} byte {position}", file.display());
    let work = small_folder();
    let store = work.path().join("store");
    copy_store(sound, &store);
    let mut bytes = std::fs::read(store.join(file)).unwrap();
    bytes[position] ^= 1 << (position % 8);
    std::fs::write(store.join(file), bytes).unwrap();
    let plan = repair::plan(options(&store), &mut |_, _| ()).unwrap_or_else(|error| panic!("{context}: {error}"));
    let damages = plan.report().details.clone();
    plan.apply(&mut |_, _| ()).unwrap_or_else(|error| panic!("{context}: {error}"));
    let again = repair::plan(options(&store), &mut |_, _| ()).unwrap();
    assert!(again.report().damages.is_empty() && again.is_empty(), "{context}: {:?}", again.report().damages);
    drop(again);
    let engine = Engine::open(options(&store)).unwrap_or_else(|error| panic!("{context}: {error}"));
    let found = lines(&engine, &Filter::All).unwrap_or_else(|error| panic!("{context}: {error}"));
    let is_named = |sequence: u64| {
        damages.iter().any(|damage| damage.loss.sequences.as_ref().is_some_and(|lost| lost.contains(&sequence)))
    };
    // Deletes and marks go with a log's end, an overlay or a manifest, and then they are named.
    let loses_changes = damages.iter().any(|damage| !damage.loss.besides.is_empty());
    for line in expected {
        let is_there = found
            .iter()
            .any(|other| if loses_changes { sequence_of(other) == sequence_of(line) } else { other == line });
        // An event that replaces another goes with its frame, and the other one is there again.
        assert!(is_there || is_named(sequence_of(line)), "{context}: {line} is gone: {damages:?}");
    }
    if !loses_changes {
        assert!(found.iter().all(|line| expected.contains(line)), "{context}: {found:?}");
    }
    let report = engine.verify(&mut |_, _| ()).unwrap();
    assert!(report.damages.is_empty(), "{context}: {:?}", report.damages);
    engine.close().unwrap();
    damages.first().map(|damage| damage.kind)
}

#[test]
fn every_flipped_byte_of_any_file_is_repaired() {
    let sound = small_folder();
    let engine = Engine::open(options(sound.path())).unwrap();
    fill(&engine, &mut || ());
    let expected = lines(&engine, &Filter::All).unwrap();
    engine.close().unwrap();
    let mut kinds = std::collections::HashSet::new();
    for file in all_files(sound.path()) {
        let bytes = std::fs::read(sound.path().join(&file)).unwrap();
        // Behind the last frame a log is zeroes up to its end.
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        for position in (0..used).step_by(STEP) {
            kinds.extend(check(sound.path(), &file, position, &expected));
        }
    }
    assert_eq!(kinds.len(), 5, "every kind of file was damaged: {kinds:?}");
}
