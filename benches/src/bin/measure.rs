//! Fills a store with generated events and times the queries people ask: the figures of the README.
//!
//! `cargo run --release -p annals-benches --bin measure -- [EVENTS] [DIRECTORY]`

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;

use annals_benches::{END_US, Stopwatch, append_all, generate};
use annals_engine::{Engine, Field, Filter, Options, TenantScope};
use annals_generate::Prepared;
use annals_query::{Order, Query, StatsRequest, execute, stats};

const DAY_US: i64 = 86_400_000_000;
const BATCH_LEN: usize = 1_000;
const RUNS: usize = 51;
/// Appending threads: one encodes while the other waits for its acknowledgement.
const THREADS: usize = 2;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let count: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let scratch = tempfile::tempdir()?;
    let directory = arguments.next().map_or_else(|| scratch.path().to_owned(), PathBuf::from);
    let events = generate(count);
    say(&format!("{count} events generated, newest at {END_US} us"))?;
    let engine = Engine::open(Options::new(directory))?;
    ingest(&engine, &events)?;
    say("queries, milliseconds (median, 99th percentile of 51 runs), live and sealed as ingest left them")?;
    queries(&engine, &events)?;
    engine.seal_now()?;
    engine.compact()?;
    say("the same, all sealed and compacted")?;
    queries(&engine, &events)?;
    let figures = engine.stats();
    let events_stored = figures.events.max(1);
    say(&format!(
        "sealed: {} segments, {} bytes, {} bytes per event",
        figures.sealed_segments,
        figures.sealed_bytes,
        figures.sealed_bytes / events_stored
    ))?;
    engine.close()?;
    Ok(())
}

fn ingest(engine: &Engine, events: &Prepared) -> Outcome<()> {
    let stopwatch = Stopwatch::start();
    append_all(engine, events, BATCH_LEN, THREADS)?;
    let (appended_s, appended_cpu_s) = (stopwatch.wall_s(), stopwatch.cpu_s());
    engine.seal_now()?;
    let count = f64::from(u32::try_from(events.len())?);
    say(&format!(
        "append in batches of {BATCH_LEN} from {THREADS} threads, level {}: {:.0} events/s; with everything sealed {:.0} events/s",
        engine.options().durability,
        count / appended_s,
        count / stopwatch.wall_s()
    ))?;
    say(&format!(
        "process CPU per event, all threads: {:.2} us until the last acknowledgement, {:.2} us with everything sealed",
        appended_cpu_s * 1e6 / count,
        stopwatch.cpu_s() * 1e6 / count
    ))?;
    let figures = engine.stats();
    say(&format!("within that: {} logs sealed, {} partitions compacted", figures.seals, figures.compactions))?;
    Ok(())
}

fn queries(engine: &Engine, events: &Prepared) -> Outcome<()> {
    let mut realms = [""; 3];
    let middle = events.event(events.len() / 2, &mut realms).ok_or("no events")?;
    let middle_us = middle.created_at_us.unwrap_or(END_US);
    let all = || Query::new(&TenantScope::Unlimited).limit(100);
    let of = |field: Field| Filter::term(field, middle.get(field).unwrap_or_default());
    let realm = || Filter::term(Field::RealmIds, middle.realm_ids.get(0).unwrap_or_default());
    let day_start = middle_us.div_euclid(DAY_US) * DAY_US;
    let day = Filter::created_between(day_start, day_start + DAY_US);
    let week = Filter::created_between(day_start, day_start + 7 * DAY_US);
    let pages = [
        ("newest 100 + total", all()),
        ("one event_type + total", all().filter(of(Field::EventType))),
        ("one resource_id + total", all().filter(of(Field::ResourceId))),
        (
            "realm + type + one day, oldest first",
            all().filter(realm().and(of(Field::EventType)).and(day)).order(Order::CreatedAtAsc),
        ),
        ("offset 200,000", all().offset(200_000)),
        ("order by event_type", all().order(Order::EventTypeAsc)),
    ];
    for (name, query) in pages {
        let mut found = String::new();
        time(name, || {
            let page = execute(&engine.snapshot(), &query, &|| false)?;
            found = format!("{} of {}", page.events.len(), page.total.unwrap_or(0));
            Ok(())
        })?;
        say(&format!("    {found}"))?;
    }
    let request = StatsRequest { by: vec![Field::EventType, Field::ResourceType], ..StatsRequest::default() };
    let realm_week = Query::new(&TenantScope::Unlimited).filter(realm().and(week));
    for (name, query) in [("statistics of all", all()), ("statistics of one realm, one week", realm_week)] {
        time(name, || Ok(_ = stats(&engine.snapshot(), &query, &request, &|| false)?))?;
    }
    let needle = Filter::Contains(annals_engine::TextField::Message, "gateway".to_owned());
    let text = all().filter(needle);
    time("substring of message, newest 100 + total", || Ok(_ = execute(&engine.snapshot(), &text, &|| false)?))?;
    let id = engine.snapshot().get_sequence(1 + u64::try_from(events.len())? / 2)?.ok_or("no such sequence")?.id;
    time("get by id", || Ok(_ = engine.get(id)?))
}

fn time(name: &str, mut run: impl FnMut() -> Outcome<()>) -> Outcome<()> {
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let stopwatch = Stopwatch::start();
        run()?;
        times.push(stopwatch.wall_s() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times.get((times.len() - 1) * part / 100).copied().unwrap_or(f64::NAN);
    say(&format!("  {name}: {:.3} (p99 {:.3})", at(50), at(99)))?;
    Ok(())
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}")
}
