//! Filter and total, deep page, statistics, look-up. `cargo bench -p annals-benches --bench queries`

use std::hint::black_box;

use annals_benches::{append_all, generate};
use annals_engine::{Durability, Engine, Field, Filter, Options, TenantScope};
use annals_query::{Order, Query, StatsRequest, execute, stats};
use criterion::{Criterion, criterion_group, criterion_main};

const STORE_EVENTS: u64 = 200_000;

fn queries(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a folder for the benchmark");
    let mut options = Options::new(directory.path());
    options.durability = Durability::Buffered;
    options.background = false;
    let engine = Engine::open(options).expect("an empty folder opens");
    let events = generate(STORE_EVENTS);
    append_all(&engine, &events, 10_000, 1).expect("there is room");
    let mut realms = [""; 3];
    let sample = events.event(events.len() / 2, &mut realms).expect("there are events");
    let of = |field: Field| Filter::term(field, sample.get(field).unwrap_or_default());
    let all = || Query::new(&TenantScope::Unlimited).limit(100);
    let pages = [
        ("newest 100 and total", all()),
        ("one type and total", all().filter(of(Field::EventType))),
        ("one resource and total", all().filter(of(Field::ResourceId))),
        ("offset 150,000", all().offset(150_000)),
        ("order by type", all().order(Order::EventTypeAsc)),
    ];
    for state in ["live", "sealed"] {
        if state == "sealed" {
            engine.seal_now().expect("there is room");
        }
        let mut group = criterion.benchmark_group(state);
        for (name, query) in &pages {
            group.bench_function(*name, |bencher| {
                bencher.iter(|| black_box(execute(&engine.snapshot(), query, &|| false).expect("the store is whole")));
            });
        }
        let request = StatsRequest { by: vec![Field::EventType, Field::ResourceType], ..StatsRequest::default() };
        group.bench_function("statistics of all", |bencher| {
            bencher.iter(|| {
                black_box(stats(&engine.snapshot(), &all(), &request, &|| false).expect("the store is whole"))
            });
        });
        let id =
            engine.snapshot().get_sequence(STORE_EVENTS / 2).expect("the store is whole").expect("it was stored").id;
        group.bench_function("get by id", |bencher| {
            bencher.iter(|| black_box(engine.get(id).expect("the store is whole")));
        });
        group.finish();
    }
    engine.close().expect("a clean end");
}

criterion_group!(benches, queries);
criterion_main!(benches);
