//! Commands that ask a server which was started over a damaged store.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use annals_engine::{AppendOptions, Engine, Options};

use crate::support::{Server, expect, text};

const EVENTS: usize = 300;

/// A store of two segments of 300 events, in whose first one a bit of a message is wrong.
fn damage(directory: &Path) {
    let engine = Engine::open(Options { background: false, ..Options::new(directory) }).unwrap();
    let mut state = 1_u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:x}", state >> 8)
    };
    for (name, day) in [("old", "2026-01-01"), ("new", "2026-02-15")] {
        let mut lines = String::new();
        for _ in 0..EVENTS {
            let message: String = (0..30).map(|_| word()).collect();
            let event = format!("{{\"event_type\":\"{name}\",\"created_at\":\"{day}\",\"message\":\"{message}\"}}\n");
            lines.push_str(&event);
        }
        engine.append(annals_json::parse_ndjson(lines.as_bytes(), 1).batch, &AppendOptions::default()).unwrap();
        engine.seal_now().unwrap();
    }
    engine.close().unwrap();
    let mut segments: Vec<_> =
        std::fs::read_dir(directory.join("segment")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    assert_eq!(segments.len(), 2);
    let file = std::fs::OpenOptions::new().read(true).write(true).open(segments.first().unwrap()).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
}

#[test]
fn an_export_says_what_may_be_missing_and_ends_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    damage(&store);
    let server = Server::start(&store, &["--degraded"]);
    for form in ["ndjson", "csv", "parquet"] {
        let file = folder.path().join(format!("all.{form}"));
        let exported = expect(&mut server.command(&["export", file.to_str().unwrap()]), 1);
        let errors = text(&exported.stderr);
        assert!(errors.contains("events of these sequences may be missing: 1-300"), "{form}: {errors}");
        assert_eq!(errors.matches("may be missing").count(), 1, "{errors}");
        let written = std::fs::read(&file).unwrap();
        match form {
            "ndjson" => assert_eq!(text(&written).lines().count(), EVENTS),
            "csv" => assert_eq!(text(&written).lines().count(), EVENTS + 1),
            _ => assert!(written.starts_with(b"PAR1") && written.ends_with(b"PAR1")),
        }
    }
    // Of what is asked for nothing is missing, and nobody can know that: it is said all the same.
    let sound = expect(&mut server.command(&["export", "--event-type", "new"]), 1);
    assert_eq!(text(&sound.stdout).lines().count(), EVENTS);
    drop(server);
    // A server that was not told to leave anything out refuses, and writes no file.
    let server = Server::start(&store, &[]);
    let file = folder.path().join("refused.ndjson");
    let refused = expect(&mut server.command(&["export", file.to_str().unwrap()]), 1);
    assert!(text(&refused.stderr).contains("damaged"), "{}", text(&refused.stderr));
    assert!(!file.exists());
}
