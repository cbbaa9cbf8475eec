//! `annals bench`: measured runs over generated or real events.

mod http;
mod report;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use annals_bench::{Arguments, How, Opened, Workload};
use annals_engine::Durability;
use clap::{Args, Subcommand, ValueEnum};
use tempfile::TempDir;

use crate::bench::report::Report;
use crate::failure::{Failure, Result, while_doing};
use crate::signals::INTERRUPTED;
use crate::source::Source;
use crate::terminal::{out, say};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    /// On the device: nothing acknowledged is lost
    Sync,
    /// With the operating system, on the device within 200 ms: a power cut loses that much at most
    Interval,
    /// With the operating system: safe from a crash of the server, not from one of the machine
    Buffered,
}

impl From<Level> for Durability {
    fn from(level: Level) -> Self {
        match level {
            Level::Sync => Durability::Sync,
            Level::Interval => Durability::Interval,
            Level::Buffered => Durability::Buffered,
        }
    }
}

/// Events of a run unless told otherwise: half a minute, all in all.
const EVENTS_DEFAULT: u64 = 1_000_000;

/// Measure this machine: ingest, queries, both at a time, deletes.
///
/// Events are in memory as parsed structs before any clock starts, and ids are given by the client and
/// checked for repeats. Making and encoding the batches is inside the clock; generating events, reading
/// and parsing files is not. CPU is that of the whole process, user and system, sealing included. Queries
/// run in process after a round without a clock, each 25 times with arguments in turn, every row complete
/// with its payload; building the query is timed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals bench all --events 2000000
  annals bench ingest --events 20000000 --json
  annals bench query --input logs.ndjson.zst --replay 2000000
  annals bench http --url http://127.0.0.1:8080 --events 500000")]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Append everything, seal, close, compact: rates, CPU, memory, bytes on disk, opening again
    Ingest(Setting),
    /// The same without compaction, then the queries over the sealed store
    Query(Setting),
    /// Append everything while one thread asks for the newest 100 of a common type, with the exact total
    Mixed(Setting),
    /// Append everything and seal, then delete the oldest third, and one resource type before a time
    Delete(Setting),
    /// Ingest with compaction, queries, deletes and the mixed load, one behind the other
    All(Setting),
    /// Open a store that was closed cleanly: time, and memory while idle
    Open(Open),
    Http(http::Http),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals bench ingest --events 20000000 --json
  annals bench query --input logs.ndjson.zst --replay 2000000
  annals bench mixed --threads 4 --level sync
  annals bench delete --data ./empty
  annals bench all --events 2000000")]
struct Setting {
    /// How many generated events
    #[arg(long, value_name = "N", default_value_t = EVENTS_DEFAULT, conflicts_with = "input", value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Different resources of generated events; beyond 4,000,000 they come in turn, each event another
    #[arg(long, value_name = "N", conflicts_with = "input", value_parser = clap::value_parser!(u32).range(1..))]
    resources: Option<u32>,
    /// Real events instead: NDJSON, plain, gzip or zstd
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Repeat the real events to this many, under new ids and at shifted times
    #[arg(long, value_name = "N", requires = "input", value_parser = clap::value_parser!(u64).range(1..))]
    replay: Option<u64>,
    /// Events in a batch
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,
    /// Appending threads
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: u8,
    /// What an acknowledgement means
    #[arg(long, value_enum, default_value_t = Level::Interval)]
    level: Level,
    /// Where to make the store: an empty directory, which is kept [default: a temporary one, removed]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals bench open --data ./annals-data")]
struct Open {
    /// The store's directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &Bench) -> Result<ExitCode> {
    let mut report = Report::default();
    let as_json = match &command.what {
        What::Http(command) => {
            let measured = http::run(command)?;
            let mut out = out();
            if command.json {
                writeln!(out, "{}", serde_json::to_string(&measured).map_err(Failure::new)?)?;
            } else {
                measured.print(&mut out)?;
            }
            out.flush()?;
            return Ok(if measured.interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS });
        }
        What::Ingest(setting)
        | What::Query(setting)
        | What::Delete(setting)
        | What::Mixed(setting)
        | What::All(setting) => {
            measure(&command.what, setting, &mut report)?;
            setting.json
        }
        What::Open(open) => {
            crate::store::require_store(&open.data, "")?;
            report.opened = Some(Opened::measure(&open.data)?);
            open.json
        }
    };
    report.print(as_json)?;
    Ok(ExitCode::SUCCESS)
}

fn measure(what: &What, setting: &Setting, report: &mut Report) -> Result<()> {
    let workload = workload(setting)?;
    let how = How {
        batch_len: usize::try_from(setting.batch).unwrap_or(usize::MAX),
        threads: usize::from(setting.threads),
        durability: setting.level.into(),
    };
    report.begin(&workload, &how);
    let arguments = Arguments::draw(&workload)?;
    let place = Place::of(setting)?;
    if !matches!(what, What::Mixed(_)) {
        let directory = place.sub("store")?;
        let compacts = matches!(what, What::Ingest(_) | What::All(_));
        say("appending");
        report.ingested = Some(annals_bench::ingest(&directory, &workload, &how, compacts)?);
        if compacts {
            report.opened = Some(open_elsewhere(&directory)?);
        }
        if matches!(what, What::Query(_) | What::All(_)) {
            say("asking");
            let engine = annals_bench::open_store(&directory, how.durability)?;
            report.answers = annals_bench::run_queries(&engine, &arguments)?;
            engine.close()?;
        }
        if matches!(what, What::Delete(_) | What::All(_)) {
            say("deleting");
            let engine = annals_bench::open_store(&directory, how.durability)?;
            report.dropped = Some(annals_bench::drop_oldest(&engine, &directory, &arguments)?);
            report.deleted = Some(annals_bench::delete_matching(&engine, &directory, &arguments)?);
            engine.close()?;
        }
    }
    if matches!(what, What::Mixed(_) | What::All(_)) {
        say("appending and asking");
        report.mixed = Some(annals_bench::mixed(&place.sub("mixed")?, &workload, &arguments, &how)?);
    }
    report.arguments = Some(arguments);
    Ok(())
}

fn workload(setting: &Setting) -> Result<Workload> {
    match &setting.input {
        None => {
            say("generating events");
            Ok(Workload::generated(setting.events, setting.resources))
        }
        Some(input) => {
            say("reading events");
            let source = Source::open(input)?;
            Workload::real(source.reader, setting.replay)
                .map_err(|error| Failure::new(format_args!("{}: {error}", source.name)))
        }
    }
}

/// Where stores of a run are made.
enum Place {
    Kept(PathBuf),
    Temporary(TempDir),
}

impl Place {
    fn of(setting: &Setting) -> Result<Self> {
        match &setting.data {
            Some(directory) => Ok(Self::Kept(directory.clone())),
            None => tempfile::Builder::new()
                .prefix("annals-bench-")
                .tempdir()
                .map(Self::Temporary)
                .map_err(while_doing("make a temporary directory; name one with --data")),
        }
    }

    /// A directory for one store.
    fn sub(&self, name: &str) -> Result<PathBuf> {
        let base = match self {
            Self::Kept(directory) => directory,
            Self::Temporary(directory) => directory.path(),
        };
        let directory = base.join(name);
        let is_empty = std::fs::read_dir(&directory).map_or(true, |mut entries| entries.next().is_none());
        if !is_empty {
            return Err(Failure::new(format_args!("{} is not empty: name another --data", directory.display())));
        }
        std::fs::create_dir_all(&directory).map_err(while_doing(format_args!("make {}", directory.display())))?;
        Ok(directory)
    }
}

/// In a process of its own, whose memory nothing else has used.
fn open_elsewhere(directory: &Path) -> Result<Opened> {
    let own = std::env::current_exe().map_err(while_doing("find this program"))?;
    let output = Command::new(own)
        .args(["bench", "open", "--json", "--data"])
        .arg(directory)
        .output()
        .map_err(while_doing("run this program once more"))?;
    if !output.status.success() {
        return Err(Failure::new(String::from_utf8_lossy(&output.stderr).trim_end()));
    }
    report::opened_of(&output.stdout).map_err(while_doing("read what this program says"))
}

impl From<annals_bench::Error> for Failure {
    fn from(error: annals_bench::Error) -> Self {
        Failure::new(error)
    }
}

#[cfg(test)]
mod tests;
