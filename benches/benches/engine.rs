//! Append, seal, reopen, drop. `cargo bench -p annals-benches --bench engine`

use std::hint::black_box;

use annals_benches::{END_US, append_all, batch_of, generate};
use annals_engine::{AppendOptions, Delete, Durability, Engine, Options};
use annals_generate::Prepared;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tempfile::TempDir;

const STORE_EVENTS: u64 = 50_000;
const APPEND_EVENTS: u64 = 10_000;

/// A store in a folder of its own; the folder goes with it.
struct Store {
    engine: Engine,
    options: Options,
    _directory: TempDir,
}

fn store(durability: Durability, events: &Prepared) -> Store {
    let directory = tempfile::tempdir().expect("a folder for the benchmark");
    let mut options = Options::new(directory.path());
    options.durability = durability;
    options.background = false;
    let engine = Engine::open(options.clone()).expect("an empty folder opens");
    append_all(&engine, events, 1_000, 1).expect("generated events are within the limits");
    Store { engine, options, _directory: directory }
}

fn append(criterion: &mut Criterion) {
    let events = generate(APPEND_EVENTS);
    let mut group = criterion.benchmark_group("append");
    group.sample_size(20);
    for durability in [Durability::Buffered, Durability::Interval, Durability::Sync] {
        for len in [1_usize, 100, 10_000] {
            let store = store(durability, &generate(0));
            group.throughput(Throughput::Elements(u64::try_from(len).expect("a small number")));
            group.bench_function(BenchmarkId::new(durability.to_string(), len), |bencher| {
                bencher.iter(|| {
                    let batch = batch_of(&events, 0..len).expect("generated events are within the limits");
                    black_box(store.engine.append(batch, &AppendOptions::default()).expect("there is room"));
                });
            });
            store.engine.close().expect("a clean end");
        }
    }
    group.finish();
}

fn seal_and_reopen(criterion: &mut Criterion) {
    let events = generate(STORE_EVENTS);
    let mut group = criterion.benchmark_group("store");
    group.sample_size(10);
    group.throughput(Throughput::Elements(STORE_EVENTS));
    group.bench_function("seal", |bencher| {
        let live = || store(Durability::Buffered, &events);
        bencher.iter_batched_ref(
            live,
            |store| store.engine.seal_now().expect("there is room"),
            BatchSize::PerIteration,
        );
    });
    for (name, sealed) in [("reopen/live", false), ("reopen/sealed", true)] {
        let store = store(Durability::Buffered, &events);
        if sealed {
            store.engine.seal_now().expect("there is room");
        }
        store.engine.close().expect("a clean end");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let engine = Engine::open(store.options.clone()).expect("a store opens again");
                engine.close().expect("a clean end");
            });
        });
    }
    group.finish();
}

fn drop_by_time(criterion: &mut Criterion) {
    const DAY_US: i64 = 86_400_000_000;
    let events = generate(STORE_EVENTS);
    let mut group = criterion.benchmark_group("drop");
    group.sample_size(10);
    group.bench_function("the oldest third, a day's bound", |bencher| {
        let sealed = || {
            let store = store(Durability::Buffered, &events);
            store.engine.seal_now().expect("there is room");
            store
        };
        let cutoff = (END_US - 60 * DAY_US).div_euclid(DAY_US) * DAY_US;
        let clean_up = |store: &mut Store| {
            black_box(store.engine.delete(&Delete::CreatedBefore(cutoff)).expect("the cutoff is in the past"))
        };
        bencher.iter_batched_ref(sealed, clean_up, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, append, seal_and_reopen, drop_by_time);
criterion_main!(benches);
