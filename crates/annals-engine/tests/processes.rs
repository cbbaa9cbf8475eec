//! One process has a store. A program of its own: between its fork and its exec a child holds the locks of every store that
//! its parent has open, so no other test may close and open one meanwhile.
#![expect(clippy::unwrap_used, reason = "a test: what goes wrong here is meant to panic")]

use std::path::Path;

use annals_engine::{AppendOptions, Batch, Engine, ErrorKind, Event, Options};

/// What tells the test program that it is the second process.
const SECOND_PROCESS: &str = "ANNALS_SECOND_PROCESS";

fn options(directory: &Path) -> Options {
    let mut options = Options::new(directory);
    options.log_size_bytes = 1 << 20;
    options
}

fn append(engine: &Engine) {
    let mut batch = Batch::new();
    batch.push(&Event::new("test.event")).unwrap();
    engine.append(batch, &AppendOptions::default()).unwrap();
    engine.flush().unwrap();
}

/// Runs as the second process of the test below; as a test of its own it does nothing.
#[test]
fn second_process() {
    let Some(directory) = std::env::var_os(SECOND_PROCESS) else { return };
    let mut options = options(Path::new(&directory));
    for degraded in [false, true] {
        options.degraded = degraded;
        let error = Engine::open(options.clone()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
        assert!(error.message().contains("another process"), "{error}");
    }
    assert!(Engine::open(Options::new(Path::new(&directory).join("beside"))).is_ok());
}

#[test]
fn a_second_process_is_locked_out_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(options(folder.path())).unwrap();
    append(&engine);
    let log = std::fs::read_dir(folder.path().join("log")).unwrap().next().unwrap().unwrap().path();
    let before = std::fs::read(&log).unwrap();
    let second = |directory: &Path| {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["second_process", "--exact"]).env(SECOND_PROCESS, directory);
        command.output().unwrap()
    };
    let output = second(folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(std::fs::read(&log).unwrap(), before);
    append(&engine);
    engine.close().unwrap();
    // The lock goes with its holder: then the other one finds no lock, and its test fails.
    assert!(!second(folder.path()).status.success());
}
