use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// Flushes and compactions end all the time with tables as small as these.
fn small_tables() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(64 * 1024)
}

/// A snapshot of fjall may show a part of a batch that is being written: what an index names has to be there.
#[test]
fn an_index_names_only_events_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let fjall = Fjall::open_with(folder.path(), small_tables).unwrap();
    let workload = Workload::generated(60_000, None);
    let arguments = Arguments::draw(&workload).unwrap();
    let ended = AtomicBool::new(false);
    let asked = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked = 0;
            while !ended.load(Ordering::Relaxed) {
                fjall.ask("Q2", &arguments, asked)?;
                fjall.ask("Q4", &arguments, asked)?;
                fjall.ask("Q6", &arguments, asked)?;
                asked += 1;
            }
            Outcome::Ok(asked)
        });
        for start in (0..workload.len()).step_by(1_000) {
            fjall.append(&workload, start..start + 1_000).unwrap();
        }
        ended.store(true, Ordering::Relaxed);
        asking.join().unwrap()
    });
    assert!(asked.unwrap() > 0);
    let found = fjall.ask("Q1", &arguments, 0).unwrap().unwrap();
    assert_eq!((found.total, found.rows), (60_000, 100));
}
