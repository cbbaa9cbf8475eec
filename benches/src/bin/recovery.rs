//! How long it takes to open a store: after a kill, by the bytes of its logs; and with many sealed segments.
//!
//! ```text
//! cargo run --release -p annals-benches --bin recovery -- log [MIB] [FOLDER] [KIND]
//! cargo run --release -p annals-benches --bin recovery -- segments [COUNT] [FOLDER]
//! ```
//!
//! `log` fills logs with MIB (1,024) MiB of records in a process of its own, kills that, and opens the store three times in
//! processes of their own, for records of several sizes (KIND: small, generated, large; all). `segments` makes COUNT (10,000) segments of ten rows.
//! FOLDER is where the stores lie; they are removed.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use annals_bench::anonymous_bytes;
use annals_benches::{END_US, Stopwatch, generate};
use annals_engine::{
    AppendOptions, Batch, Durability, Engine, Event, Options, PartitionSpan, Partitioning, TenantScope,
};
use annals_query::{Query, execute};

type Outcome<T> = Result<T, Box<dyn Error>>;

const OPENS: usize = 3;
const KINDS: [&str; 3] = ["small", "generated", "large"];
const BATCH_LEN: usize = 1_000;
const LARGE_PAYLOAD: usize = 4_000;
const GENERATED: u64 = 200_000;
const ROWS_OF_A_SEGMENT: u64 = 10;
const HOUR_US: i64 = 3_600_000_000;
/// None is sealed meanwhile.
const UNSEALED_LOGS: usize = 64;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *words {
        ["log", ref rest @ ..] => logs(number(rest.first(), 1_024)?, rest.get(1).map(Path::new), rest.get(2).copied()),
        ["segments", ref rest @ ..] => segments(number(rest.first(), 10_000)?, rest.get(1).map(Path::new)),
        ["fill-log", directory, kind, bytes] => fill_log(Path::new(directory), kind, bytes.parse()?),
        ["fill-segments", directory, count] => fill_segments(Path::new(directory), count.parse()?),
        ["open", directory] => open(Path::new(directory)),
        _ => Err("usage: recovery log [MIB] [FOLDER] [KIND] | recovery segments [COUNT] [FOLDER]".into()),
    }
}

fn number(word: Option<&&str>, default: u64) -> Outcome<u64> {
    Ok(word.map_or(Ok(default), |word| word.parse())?)
}

fn scratch(folder: Option<&Path>) -> std::io::Result<tempfile::TempDir> {
    folder.map_or_else(tempfile::tempdir, tempfile::tempdir_in)
}

/// Runs this program again and gives its last line; kills it when it has said one that starts with `until`.
fn again(arguments: &[&str], until: &str) -> Outcome<String> {
    let mut child = Command::new(std::env::current_exe()?).args(arguments).stdout(Stdio::piped()).spawn()?;
    let lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    let mut found = None;
    for line in lines {
        let line = line?;
        if line.starts_with(until) {
            found = Some(line);
            child.kill()?;
            break;
        }
    }
    child.wait()?;
    found.ok_or_else(|| format!("`{}` ended without `{until}`", arguments.join(" ")).into())
}

fn logs(mib: u64, folder: Option<&Path>, only: Option<&str>) -> Outcome<()> {
    for kind in KINDS.into_iter().filter(|kind| only.is_none_or(|only| only == *kind)) {
        let scratch = scratch(folder)?;
        let directory = text(scratch.path())?;
        let filled = again(&["fill-log", directory, kind, &(mib << 20).to_string()], "filled")?;
        say(&format!("{kind} records: {filled}; killed"))?;
        for _ in 0..OPENS {
            say(&format!("  {}", again(&["open", directory], "opened")?))?;
        }
    }
    Ok(())
}

fn segments(count: u64, folder: Option<&Path>) -> Outcome<()> {
    let scratch = scratch(folder)?;
    let directory = text(scratch.path())?;
    say(&again(&["fill-segments", directory, &count.to_string()], "filled")?)?;
    for _ in 0..OPENS {
        say(&format!("  {}", again(&["open", directory], "opened")?))?;
    }
    Ok(())
}

fn text(path: &Path) -> Outcome<&str> {
    Ok(path.to_str().ok_or("a folder whose name is no text")?)
}

fn fill_log(directory: &Path, kind: &str, bytes: u64) -> Outcome<()> {
    let mut options = options(directory);
    options.durability = Durability::Buffered;
    let engine = Engine::open(options)?;
    let events = (kind == "generated").then(|| generate(GENERATED));
    let payload = format!(r#"{{"text":"{}"}}"#, "a word or two ".repeat(LARGE_PAYLOAD / 14));
    let (mut written, mut rows, mut start) = (0, 0, 0);
    while written < bytes {
        let batch = if let Some(events) = &events {
            // The same events again are repeats: without ids they are new ones.
            start = (start + BATCH_LEN) % events.len();
            without_ids(events, start)?
        } else {
            let mut batch = Batch::new();
            for _ in 0..BATCH_LEN {
                let mut event = Event::new("user.login");
                event.payload = (kind == "large").then_some(&payload);
                batch.push(&event)?;
            }
            batch
        };
        written += u64::try_from(batch.size_bytes())?;
        rows += batch.len();
        engine.append(batch, &AppendOptions::default())?;
    }
    engine.flush()?;
    say(&format!("filled {} MiB with {rows} rows", written >> 20))?;
    wait_for_the_kill()
}

fn without_ids(events: &annals_generate::Prepared, start: usize) -> Outcome<Batch> {
    let mut batch = Batch::new();
    for position in start..start + BATCH_LEN {
        let mut realms = [""; 3];
        let Some(mut event) = events.event(position, &mut realms) else { break };
        event.id = None;
        batch.push(&event)?;
    }
    Ok(batch)
}

fn fill_segments(directory: &Path, count: u64) -> Outcome<()> {
    let engine = Engine::open(options(directory))?;
    let events = generate(count * ROWS_OF_A_SEGMENT);
    let stopwatch = Stopwatch::start();
    for start in (0..events.len()).step_by(BATCH_LEN) {
        let mut batch = Batch::new();
        for position in start..(start + BATCH_LEN).min(events.len()) {
            let mut realms = [""; 3];
            let Some(mut event) = events.event(position, &mut realms) else { break };
            let hour = i64::try_from(u64::try_from(position)? % count)?;
            event.created_at_us = Some(END_US - hour * HOUR_US);
            batch.push(&event)?;
        }
        engine.append(batch, &AppendOptions::default())?;
    }
    engine.seal_now()?;
    let figures = engine.stats();
    let (segments, bytes, seconds) = (figures.sealed_segments, figures.sealed_bytes, stopwatch.wall_s());
    say(&format!("filled {segments} segments of {bytes} bytes in {seconds:.1} s"))?;
    wait_for_the_kill()
}

fn options(directory: &Path) -> Options {
    let mut options = Options::new(PathBuf::from(directory));
    options.partition = Partitioning::Fixed(PartitionSpan::Hour);
    options.unsealed_logs_max = UNSEALED_LOGS;
    options.background = false;
    options
}

/// Whoever started this one kills it.
fn wait_for_the_kill() -> Outcome<()> {
    std::thread::sleep(std::time::Duration::from_mins(1));
    Err("nobody killed this process".into())
}

fn open(directory: &Path) -> Outcome<()> {
    let stopwatch = Stopwatch::start();
    let engine = Engine::open(options(directory))?;
    let (wall_ms, cpu_ms) = (stopwatch.wall_ms(), stopwatch.cpu_s() * 1e3);
    let anonymous_mib = anonymous_bytes() >> 20;
    let files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let figures = engine.stats();
    let query = Query::new(&TenantScope::Unlimited).limit(100);
    let stopwatch = Stopwatch::start();
    let page = execute(&engine.snapshot(), &query, &|| false)?;
    let first_ms = stopwatch.wall_ms();
    let stopwatch = Stopwatch::start();
    execute(&engine.snapshot(), &query, &|| false)?;
    let second_ms = stopwatch.wall_ms();
    say(&format!(
        "opened in {wall_ms:.0} ms ({cpu_ms:.0} ms of CPU): {} live rows, {} segments; {anonymous_mib} MiB of memory without \
         maps, {files} open files; newest 100 of {}: {first_ms:.1} ms, again {second_ms:.2} ms",
        figures.live_rows,
        figures.sealed_segments,
        page.total.unwrap_or(0),
    ))?;
    wait_for_the_kill()
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}")
}
