//! One store, many writers and readers: clones of an engine share it.
//!
//! `cargo run --release -p annals-engine --example many_threads`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use annals_engine::{AppendOptions, Batch, Engine, ErrorKind, Event, Field, Filter, Options, Result};

const WRITERS: usize = 4;
const READERS: usize = 2;
const BATCHES: usize = 50;
const BATCH_EVENTS: usize = 500;

fn main() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut options = Options::new(folder.path());
    options.log_size_bytes = 16 << 20;
    let engine = Engine::open(options)?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| -> Result<()> {
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(|| read(&engine, &done))).collect();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let engine = engine.clone();
                scope.spawn(move || write(&engine, &writer.to_string()))
            })
            .collect();
        let written: Result<Vec<()>> = writers.into_iter().map(|writer| writer.join().expect("it ends")).collect();
        done.store(true, Ordering::Release);
        for reader in readers {
            println!("a reader looked {} times", reader.join().expect("it ends")?);
        }
        written.map(|_| ())
    })?;
    let stats = engine.stats();
    assert_eq!(stats.events, (WRITERS * BATCHES * BATCH_EVENTS) as u64);
    println!("{} events by {WRITERS} writers, {} syncs", stats.events, stats.syncs);
    engine.close()
}

/// Batches of different writers are written and synced together; each is whole or absent.
fn write(engine: &Engine, name: &str) -> Result<()> {
    for _ in 0..BATCHES {
        let mut batch = Batch::new();
        for _ in 0..BATCH_EVENTS {
            let mut event = Event::new("load.event");
            event.set(Field::ResourceId, name);
            batch.push(&event)?;
        }
        append(engine, &batch)?;
    }
    Ok(())
}

/// The queue in front of the writer is bounded: one that is full says so, and the batch is kept for the next try.
fn append(engine: &Engine, batch: &Batch) -> Result<()> {
    loop {
        match engine.append(batch.clone(), &AppendOptions::default()) {
            Err(error) if error.kind() == ErrorKind::Busy => thread::yield_now(),
            answer => return answer.map(|_| ()),
        }
    }
}

/// A reader never waits for writers, and sees whole batches only.
fn read(engine: &Engine, done: &AtomicBool) -> Result<u64> {
    let mut looks = 0;
    while !done.load(Ordering::Acquire) {
        let mut events = 0;
        for part in engine.snapshot().parts() {
            events += part.select(&Filter::term(Field::ResourceId, "0"))?.iter().count();
        }
        assert_eq!(events % BATCH_EVENTS, 0, "half a batch was visible");
        looks += 1;
    }
    Ok(looks)
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().unwrap();
    }
}
