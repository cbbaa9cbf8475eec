//! Annals side by side with other stores: the same events, the same questions, the same checks.
//!
//! `bash benches/compare/run.sh` does it all; see README.md beside it.

mod annals;
mod fjall;
mod prepare;
mod result;
mod runner;
mod sqlite;
mod table;

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use annals_bench::Workload;
use clap::{Args, Parser, Subcommand};

/// What a step of the comparison gives.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Debug, Parser)]
#[command(name = "annals-compare")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the events as NDJSON and the arguments of the queries as JSON, for stores that Python drives
    Prepare {
        /// Where to
        directory: PathBuf,
        #[command(flatten)]
        shape: Shape,
    },
    /// Run one store: annals, sqlite or fjall
    Run {
        /// Which
        store: String,
        /// Where `prepare` wrote; the store and its result go there too
        directory: PathBuf,
        #[command(flatten)]
        shape: Shape,
    },
    /// Print one line of a table: what Annals, built as it is, makes of the events before any compaction
    Point {
        /// How it was built
        label: String,
        /// Where to make the store
        directory: PathBuf,
        #[command(flatten)]
        shape: Shape,
    },
    /// Count the events of a file
    Count {
        /// NDJSON, plain, gzip or zstd
        input: PathBuf,
    },
    /// Check the answers against each other and print the tables
    Table {
        /// Where the results are
        directory: PathBuf,
    },
}

/// Events to generate, if nothing else is said.
const EVENTS_DEFAULT: u64 = 2_000_000;

/// Which events.
#[derive(Debug, Args)]
struct Shape {
    /// How many: 2,000,000 if they are generated, those of the file as they are if there is one
    #[arg(long)]
    events: Option<u64>,
    /// NDJSON instead of generated events: cut to that many, or repeated at shifted times and under new ids
    #[arg(long)]
    input: Option<PathBuf>,
}

impl Shape {
    fn workload(&self) -> Outcome<Workload> {
        match &self.input {
            None => Ok(Workload::generated(self.events.unwrap_or(EVENTS_DEFAULT), None)),
            Some(path) => Ok(Workload::real(prepare::open_packed(path)?, self.events)?),
        }
    }
}

fn main() -> Outcome<()> {
    match Cli::parse().command {
        Command::Prepare { directory, shape } => prepare::prepare(&directory, &shape.workload()?),
        Command::Run { store, directory, shape } => {
            let workload = shape.workload()?;
            let arguments = annals_bench::Arguments::draw(&workload)?;
            let measured = match store.as_str() {
                "annals" => annals::run(&directory, &workload, &arguments)?,
                "sqlite" => runner::run::<sqlite::Sqlite>(&directory, &workload, &arguments)?,
                "fjall" => runner::run::<fjall::Fjall>(&directory, &workload, &arguments)?,
                other => return Err(format!("there is no store {other}").into()),
            };
            measured.write(&directory)
        }
        Command::Point { label, directory, shape } => annals::print_point(&label, &directory, &shape.workload()?),
        Command::Count { input } => {
            println!("{}", BufReader::new(prepare::open_packed(&input)?).lines().count());
            Ok(())
        }
        Command::Table { directory } => table::print(&directory),
    }
}
