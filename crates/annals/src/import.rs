//! `annals import`: files of events into a directory or a server.

mod direct;
mod progress;
mod remote;

use std::path::PathBuf;
use std::process::ExitCode;

use annals_json::{IncomingEvent, LineError};
use clap::Args;

use crate::failure::Result;
use crate::import::progress::Progress;
use crate::signals::{INTERRUPTED, Stop};
use crate::source::Source;
use crate::store::Target;
use crate::terminal::{grouped, push_harmless, say};

/// Errors that are printed; all of them are counted.
const ERRORS_SHOWN_MAX: usize = 20;

/// Import files of events: one JSON object a line, plain, gzip or zstd.
///
/// Into a directory no key and no server is needed. Lines without an id get one made from their text,
/// so importing a file twice stores nothing twice. Bad lines are left out and reported; the exit code
/// is then 1.
///
/// A line needs `event_type` only. `ts`, `timestamp`, `time` and `@timestamp` mean `created_at`
/// (RFC 3339, or milliseconds since 1970), `summary` means `message`; unknown keys are kept in
/// `payload`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals import --data ./annals-data audit.ndjson events.ndjson.zst
  zcat logs/*.gz | annals import --data ./annals-data -
  tail -F app.ndjson | annals import --url http://127.0.0.1:8080 -
  ANNALS_KEY=... annals import --url http://127.0.0.1:8080 audit.ndjson.gz")]
pub(crate) struct Import {
    #[command(flatten)]
    target: Target,
    /// Files of events; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Threads that read JSON [default: one for each processor]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// What became of the lines.
#[derive(Debug, Default)]
struct Totals {
    accepted: u64,
    duplicates: u64,
    rejected: u64,
    errors: Vec<String>,
}

impl Totals {
    fn lines(&self) -> u64 {
        self.accepted + self.duplicates + self.rejected
    }

    /// Counts `rejected` lines of `file` and remembers the first errors.
    fn reject(&mut self, file: &str, rejected: u64, errors: &[LineError]) {
        self.rejected += rejected;
        let room = ERRORS_SHOWN_MAX.saturating_sub(self.errors.len());
        self.errors.extend(errors.iter().take(room).map(|error| {
            let mut shown = format!("{file}, line {}: ", error.line);
            push_harmless(&mut shown, &error.message);
            shown
        }));
    }

    fn report(&self) {
        for error in &self.errors {
            say(error);
        }
        let more = self.rejected.saturating_sub(u64::try_from(self.errors.len()).unwrap_or(u64::MAX));
        if more > 0 {
            say(format_args!("and {} more rejected lines", grouped(more)));
        }
        say(format_args!(
            "{} accepted, {} duplicates, {} rejected",
            grouped(self.accepted),
            grouped(self.duplicates),
            grouped(self.rejected)
        ));
    }
}

/// Takes in the files of one command.
trait Importer {
    /// Reads a source to its end or until asked to stop.
    fn import(&mut self, source: Source, totals: &mut Totals, progress: &mut Progress, stop: &Stop) -> Result<()>;
    /// Makes everything durable.
    fn finish(&mut self) -> Result<()>;
}

pub(crate) fn run(command: &Import) -> Result<ExitCode> {
    let stop = Stop::listen()?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = command.threads.unwrap_or(processors);
    for file in &command.files {
        // Before a store is made, or a part of the files stored, for a mistyped name.
        Source::check(file)?;
    }
    let mut importer: Box<dyn Importer> = match command.target.client()? {
        Some(client) => Box::new(remote::Remote::new(client)),
        None => Box::new(direct::Direct::open(command.target.directory(), threads)?),
    };
    let mut totals = Totals::default();
    let mut progress = Progress::new()?;
    let outcome = import_all(command, importer.as_mut(), &mut totals, &mut progress, &stop);
    progress.finish();
    // What was taken is kept and reported, also if a later file failed.
    let finished = importer.finish();
    if outcome.is_ok() || totals.lines() > 0 {
        totals.report();
    }
    outcome?;
    finished?;
    if stop.is_asked() {
        say("interrupted; the same command again goes on, and stores nothing twice");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    Ok(if totals.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn import_all(
    command: &Import,
    importer: &mut dyn Importer,
    totals: &mut Totals,
    progress: &mut Progress,
    stop: &Stop,
) -> Result<()> {
    for file in &command.files {
        let source = Source::open(file)?;
        progress.start(&source);
        importer.import(source, totals, progress, stop)?;
        if stop.is_asked() {
            break;
        }
    }
    Ok(())
}

/// Gives a line without an id one that it gets again when the file is imported again.
fn give_id(ids: &annals_json::ImportIds, event: &mut IncomingEvent<'_>, line: annals_json::Line<'_>) {
    if event.id.is_none() {
        event.id = Some(ids.next_id(line.bytes));
    }
}

#[cfg(test)]
mod tests;
