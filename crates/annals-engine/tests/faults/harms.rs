//! A store with everything in it, and what can be done to its files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use annals_engine::repair::{self, DamageKind, RepairPlan};
use annals_engine::{AppendOptions, Delete, Durability, Engine, Event, Field, Mark, Options};

use crate::disk::Disk;
use crate::support::{
    DAY_US, Line, NOW_US, Store, batch, copy_store, event, everything, files, keyed, options, small_folder,
};

pub(crate) const OLD_US: i64 = NOW_US - 5 * DAY_US;
/// The first byte behind the header of a log.
pub(crate) const FIRST_FRAME: usize = 4096;

/// A closed store: two sealed days, an overlay on the older one, blobs, keys, a full log and one gone on with.
pub(crate) struct Sample {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) lines: Vec<Line>,
    /// The last sequence that was given.
    pub(crate) last: u64,
    pub(crate) work: tempfile::TempDir,
}

pub(crate) fn sample() -> Sample {
    let store = Store::new(Durability::Sync);
    let texts: Vec<String> = (0..300).map(|number| format!("the message number {number}")).collect();
    let events: Vec<Event<'_>> = (1..)
        .zip(&texts)
        .map(|(id, text)| {
            let mut event = crate::support::with_message(event(id, OLD_US + i64::try_from(id).unwrap()), text);
            event.set(Field::UserId, if id % 2 == 0 { "ada" } else { "bob" });
            event.payload = (id % 3 == 0).then_some(r#"{"key":"value"}"#);
            event.realm_ids = (&["a", "b"]).into();
            event.latency_ms = (id % 5 == 0).then_some(0.5);
            event
        })
        .collect();
    store.engine.append(batch(&events), &keyed(5, 5)).unwrap();
    store.engine.seal_now().unwrap();
    store.append(&[event(1020, NOW_US), event(1021, NOW_US + 1)]).unwrap();
    store.engine.mark(&[Mark { sequence: 2, acknowledged: true }]).unwrap();
    store.engine.delete(&Delete::Sequences(vec![3, 4])).unwrap();
    store.engine.seal_now().unwrap();
    store.engine.put_blob("name", b"value").unwrap();
    // Three logs: the first two are full.
    let long = "x".repeat(600_000);
    for id in 1030..1035 {
        store.append(&[crate::support::with_content(event(id, NOW_US + 2), &long[..400_000])]).unwrap();
        store.append(&[event(id + 100, NOW_US + 3)]).unwrap();
    }
    assert_eq!(files(store.path(), "log").len(), 3);
    let lines = everything(&store.engine);
    let last = store.engine.stats().last_sequence;
    store.engine.close().unwrap();
    let directory = small_folder();
    copy_store(store.path(), directory.path());
    Sample { directory, lines, last, work: small_folder() }
}

/// Every file below a folder, with its bytes, and every folder.
pub(crate) fn contents(directory: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), None);
            found.extend(contents(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.insert(path, Some(bytes));
        }
    }
    found
}

pub(crate) fn plan(options: &Options) -> RepairPlan {
    repair::plan(options.clone(), &mut |_, _| ()).unwrap()
}

/// Something done to the files of a closed store.
pub(crate) struct Harm {
    pub(crate) name: &'static str,
    pub(crate) kinds: &'static [DamageKind],
    pub(crate) does: fn(&Path),
    /// Whether every event is there after a repair.
    pub(crate) keeps_all: bool,
}

pub(crate) fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

pub(crate) fn cut(path: &Path, len: usize) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..len.min(bytes.len())]).unwrap();
}

pub(crate) fn log(store: &Path, index: usize) -> PathBuf {
    files(store, "log")[index].clone()
}

pub(crate) fn segment(store: &Path) -> PathBuf {
    files(store, "segment")[0].clone()
}

pub(crate) fn blob_with(store: &Path, text: &[u8]) -> PathBuf {
    let holds = |path: &PathBuf| std::fs::read(path).unwrap().windows(text.len()).any(|window| window == text);
    files(store, "blob").into_iter().find(holds).unwrap()
}

pub(crate) fn remove(path: &Path) {
    std::fs::remove_file(path).unwrap();
}

pub(crate) fn lose_manifests(store: &Path) {
    remove(&store.join("MANIFEST"));
    remove(&store.join("MANIFEST.prev"));
}

pub(crate) const HARMS: &[Harm] = &[
    Harm {
        name: "a flipped bit in the log that is gone on with",
        kinds: &[DamageKind::Log],
        does: |store| flip(&log(store, 2), FIRST_FRAME + 120),
        keeps_all: false,
    },
    Harm {
        name: "a flipped bit in the middle of a full log",
        kinds: &[DamageKind::Log],
        does: |store| flip(&log(store, 0), FIRST_FRAME + 500_500),
        keeps_all: false,
    },
    Harm {
        name: "flipped bits in the first log and the last",
        kinds: &[DamageKind::Log, DamageKind::Log],
        does: |store| {
            flip(&log(store, 0), FIRST_FRAME + 500_500);
            flip(&log(store, 2), FIRST_FRAME + 120);
        },
        keeps_all: false,
    },
    Harm {
        name: "a full log from the middle on and all of the next",
        kinds: &[DamageKind::Log, DamageKind::Log],
        does: |store| {
            flip(&log(store, 0), FIRST_FRAME + 500_500);
            flip(&log(store, 1), FIRST_FRAME + 20);
        },
        keeps_all: false,
    },
    Harm {
        name: "a missing full log and all of the next",
        kinds: &[DamageKind::Log, DamageKind::Log],
        does: |store| {
            remove(&log(store, 0));
            flip(&log(store, 1), FIRST_FRAME + 20);
        },
        keeps_all: false,
    },
    Harm {
        name: "the header of a log",
        kinds: &[DamageKind::Log],
        does: |store| flip(&log(store, 2), 40),
        keeps_all: true,
    },
    Harm { name: "a missing log", kinds: &[DamageKind::Log], does: |store| remove(&log(store, 2)), keeps_all: false },
    Harm {
        name: "a missing full log",
        kinds: &[DamageKind::Log],
        does: |store| remove(&log(store, 0)),
        keeps_all: false,
    },
    Harm {
        name: "a log shorter than it was reserved",
        kinds: &[DamageKind::Log],
        does: |store| cut(&log(store, 2), 1_000_000),
        keeps_all: true,
    },
    Harm {
        name: "a log cut within its frames",
        kinds: &[DamageKind::Log],
        does: |store| cut(&log(store, 2), FIRST_FRAME + 1000),
        keeps_all: false,
    },
    Harm {
        name: "a missing segment",
        kinds: &[DamageKind::Segment],
        does: |store| remove(&segment(store)),
        keeps_all: false,
    },
    Harm {
        name: "a segment's trailer",
        kinds: &[DamageKind::Segment],
        does: |store| {
            let len = std::fs::read(segment(store)).unwrap().len();
            flip(&segment(store), len - 3);
        },
        keeps_all: false,
    },
    Harm {
        name: "a missing segment and its overlay",
        kinds: &[DamageKind::Segment, DamageKind::Overlay],
        does: |store| {
            remove(&segment(store));
            flip(&files(store, "overlay")[0], 70);
        },
        keeps_all: false,
    },
    Harm {
        name: "a segment's index and its overlay",
        kinds: &[DamageKind::Segment, DamageKind::Overlay],
        does: |store| {
            let len = std::fs::read(segment(store)).unwrap().len();
            flip(&segment(store), len / 2);
            flip(&files(store, "overlay")[0], 70);
        },
        keeps_all: false,
    },
    Harm {
        name: "a missing overlay",
        kinds: &[DamageKind::Overlay],
        does: |store| remove(&files(store, "overlay")[0]),
        keeps_all: true,
    },
    Harm {
        name: "a damaged value",
        kinds: &[DamageKind::Blob],
        does: |store| flip(&blob_with(store, b"value"), 66),
        keeps_all: true,
    },
    Harm {
        name: "every blob gone",
        kinds: &[DamageKind::Blob, DamageKind::Blob],
        does: |store| files(store, "blob").iter().for_each(|path| remove(path)),
        keeps_all: true,
    },
    Harm {
        name: "MANIFEST unreadable",
        kinds: &[DamageKind::Manifest],
        does: |store| flip(&store.join("MANIFEST"), 80),
        keeps_all: true,
    },
    Harm {
        name: "MANIFEST missing",
        kinds: &[DamageKind::Manifest],
        does: |store| remove(&store.join("MANIFEST")),
        keeps_all: true,
    },
    Harm {
        name: "both manifests unreadable",
        kinds: &[DamageKind::Manifest],
        does: |store| {
            flip(&store.join("MANIFEST"), 80);
            flip(&store.join("MANIFEST.prev"), 80);
        },
        keeps_all: true,
    },
    Harm {
        name: "MANIFEST unreadable and the log that is gone on with missing",
        kinds: &[DamageKind::Manifest, DamageKind::Log],
        does: |store| {
            flip(&store.join("MANIFEST"), 80);
            remove(&log(store, 1));
        },
        keeps_all: false,
    },
    Harm {
        name: "MANIFEST unreadable and a full log missing",
        kinds: &[DamageKind::Manifest, DamageKind::Log],
        does: |store| {
            flip(&store.join("MANIFEST"), 80);
            remove(&log(store, 0));
        },
        keeps_all: false,
    },
    Harm {
        name: "both manifests and the header of a log",
        kinds: &[DamageKind::Manifest, DamageKind::Log],
        does: |store| {
            lose_manifests(store);
            flip(&log(store, 1), 40);
        },
        keeps_all: true,
    },
    Harm {
        name: "both manifests and an overlay",
        kinds: &[DamageKind::Manifest, DamageKind::Overlay],
        does: |store| {
            lose_manifests(store);
            flip(&files(store, "overlay")[0], 70);
        },
        keeps_all: true,
    },
    Harm {
        name: "both manifests and a log",
        kinds: &[DamageKind::Manifest, DamageKind::Log],
        does: |store| {
            lose_manifests(store);
            flip(&log(store, 2), FIRST_FRAME + 120);
        },
        keeps_all: false,
    },
];

impl Sample {
    /// A copy with one file changed.
    pub(crate) fn copy(&self, harm: impl Fn(&Path)) -> Options {
        let path = self.work.path().join("store");
        if path.exists() {
            std::fs::remove_dir_all(&path).unwrap();
        }
        copy_store(self.directory.path(), &path);
        harm(&path);
        options(&path, &Disk::new())
    }

    /// What is in a store after a repair: everything but what the plan named; and the store is sound and writable.
    pub(crate) fn check(&self, options: &Options, named: &[std::ops::Range<u64>], context: &str) -> Vec<Line> {
        let again = plan(options);
        assert!(again.report().damages.is_empty(), "{context}: {:?}", again.report().damages);
        assert!(again.is_empty(), "{context}: {:?}", again.steps());
        drop(again);
        let engine = Engine::open(options.clone()).unwrap_or_else(|error| panic!("{context}: {error}"));
        let found = everything(&engine);
        for line in &self.lines {
            let is_named = named.iter().any(|range| range.contains(&line.sequence));
            let is_there = found.iter().any(|other| other.sequence == line.sequence && other.message == line.message);
            assert!(is_there || is_named, "{context}: sequence {} is gone and not named", line.sequence);
        }
        let receipt = engine.append(batch(&[event(9_000, NOW_US + 9)]), &AppendOptions::default()).unwrap();
        assert!(receipt.sequences.start > self.last, "{context}: {} was given before", receipt.sequences.start);
        engine.seal_now().unwrap();
        let report = engine.verify(&mut |_, _| ()).unwrap();
        assert!(report.damages.is_empty(), "{context}: {:?}", report.damages);
        engine.close().unwrap();
        let engine = Engine::open(options.clone()).unwrap();
        assert!(engine.recovery_notes().is_empty(), "{context}: {:?}", engine.recovery_notes());
        engine.close().unwrap();
        found
    }
}

pub(crate) fn named(plan: &RepairPlan) -> Vec<std::ops::Range<u64>> {
    plan.report().details.iter().filter_map(|damage| damage.loss.sequences.clone()).collect()
}
