//! `annals export`: events into a file, or to standard output, as NDJSON, CSV or Parquet.

mod columnar;
mod columns;
mod csv;
mod format;
mod sink;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use annals_engine::{Clock, OsClock};
use annals_query::Order;
use clap::Args;

use crate::client::Client;
use crate::counting::Counting;
use crate::export::format::{Form, Format, Writer};
use crate::export::sink::Sink;
use crate::failure::{Failure, Result};
use crate::filters::Filters;
use crate::pages::{Local, Pages, Remote, Request};
use crate::signals::{INTERRUPTED, Stop};
use crate::store::{Target, open_existing};
use crate::terminal::{grouped, is_watched, say, say_gap};

/// Write events to a file or to standard output: NDJSON, CSV or Parquet.
///
/// The form is told by the name: .ndjson, .jsonl, .csv, .parquet; with .gz or
/// .zst behind it the file is packed. NDJSON holds everything an event has, and
/// `annals import` makes the same events of it again. Events come oldest first,
/// as of one moment: what is appended meanwhile is not among them.
///
/// The file gets its name when it is whole: Ctrl-C or a failure leave nothing
/// behind.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals export --data ./annals-data all.ndjson.zst
  annals export --from 2026-01-01 --to 2026-02-01 january.parquet
  annals export --event-type user.login --fields created_at,user_id logins.csv
  annals export --filter severity=error | jq .message
  ANNALS_KEY=... annals export --url http://127.0.0.1:8080 all.parquet

In CSV a text that a spreadsheet would take for a formula (it begins with = + -
or @) gets a ' in front; --exact leaves it as it is.")]
pub(crate) struct Export {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    filters: Filters,
    /// The file to write; `-` or none is standard output
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The form [default: told by the name of the file, else ndjson]
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<Form>,
    /// Write only these members of an event, separated by commas
    #[arg(long, value_name = "NAMES")]
    fields: Option<String>,
    /// Events to write at most
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Newest first
    #[arg(long)]
    newest_first: bool,
    /// CSV: leave texts as they are that a spreadsheet takes for formulas
    #[arg(long)]
    exact: bool,
    /// Replace the file if there is one
    #[arg(long)]
    force: bool,
}

/// What was written.
struct Written {
    events: u64,
    /// How many there were to write, if that is known.
    total: Option<u64>,
    /// The latest sequence that could be among them.
    last_sequence: u64,
    /// Sequences that a degraded server may not have shown.
    has_gap: bool,
}

pub(crate) fn run(command: &Export) -> Result<ExitCode> {
    let clock = OsClock::new();
    let file = command.file.as_deref().filter(|file| *file != Path::new("-"));
    let format = Format::of(command.format, file, command.exact)?;
    // Before anything is read, for a mistyped name.
    let sink = Sink::open(file, format.packing, command.force)?;
    if matches!(format.form, Form::Parquet) && sink.is_terminal() {
        return Err(Failure::new("Parquet is not for terminals: name a file, or send it somewhere with | or >"));
    }
    let place = sink.name().to_owned();
    let columns = columns::chosen(command.fields.as_deref())?;
    let watched = is_watched() && !sink.is_terminal();
    let mut writer = format.writer(sink, columns)?;
    let stop = Stop::listen()?;
    let written = match command.target.client()? {
        Some(client) => from_server(command, &client, writer.as_mut(), &stop, watched)?,
        None => from_directory(command, writer.as_mut(), &stop, watched)?,
    };
    if stop.is_asked() {
        let of = written.total.map_or_else(String::new, |total| format!(" of {}", grouped(total)));
        let kept = if file.is_some() { format!("{place} was not written") } else { "the output is cut off".to_owned() };
        say(format_args!("interrupted after {}{of} events: {kept}", grouped(written.events)));
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let size_bytes = writer.finish()?;
    if file.is_some() || is_watched() {
        let seconds = clock.monotonic().as_secs_f64();
        say(format_args!(
            "{} events to {place}: {} bytes in {seconds:.1} s, up to sequence {}",
            grouped(written.events),
            grouped(size_bytes),
            grouped(written.last_sequence)
        ));
    }
    // The file is whole as far as the server goes; whoever needs more must know.
    Ok(if written.has_gap { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn request(command: &Export) -> Request<'_> {
    Request {
        filters: &command.filters,
        order: if command.newest_first { Order::CreatedAtDesc } else { Order::CreatedAtAsc },
        limit: command.limit.unwrap_or(u64::MAX),
        offset: 0,
        fields: command.fields.as_deref(),
        sequence_max: None,
    }
}

fn from_directory(command: &Export, writer: &mut dyn Writer, stop: &Stop, watched: bool) -> Result<Written> {
    let engine = open_existing(command.target.directory())?;
    let last_sequence = engine.visible_sequence();
    let pages = Local::new(engine.snapshot(), &request(command))?;
    let written = write_all(pages, writer, stop, watched, last_sequence)?;
    engine.close()?;
    Ok(written)
}

fn from_server(
    command: &Export,
    client: &Client,
    writer: &mut dyn Writer,
    stop: &Stop,
    watched: bool,
) -> Result<Written> {
    let last_sequence = client.visible_sequence()?;
    let request = Request { sequence_max: Some(last_sequence), ..request(command) };
    write_all(Remote::new(client, &request)?, writer, stop, watched, last_sequence)
}

fn write_all(
    mut pages: impl Pages,
    writer: &mut dyn Writer,
    stop: &Stop,
    watched: bool,
    last_sequence: u64,
) -> Result<Written> {
    let mut written = Written { events: 0, total: None, last_sequence, has_gap: false };
    let mut counting = Counting::new(watched)?;
    while !stop.is_asked() {
        let Some(page) = pages.next_page()? else { break };
        if let Some(gap) = page.gap.filter(|_| !written.has_gap) {
            written.has_gap = true;
            say_gap(&gap);
        }
        if let Some(total) = page.total {
            written.total = Some(total);
            counting.begin(total);
        }
        // A page may hold 10,000 events: a hundred at a time, so that Ctrl-C is heard.
        for some in page.events.chunks(100) {
            if stop.is_asked() {
                break;
            }
            writer.write(some)?;
            written.events += u64::try_from(some.len()).unwrap_or(u64::MAX);
            counting.show(written.events);
        }
    }
    counting.finish();
    Ok(written)
}

#[cfg(test)]
mod tests;
