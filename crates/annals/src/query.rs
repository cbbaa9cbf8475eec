//! `annals query`: pages of events from a directory or a server.

use std::io::Write;
use std::process::ExitCode;

use annals_query::Order;
use clap::{Args, ValueEnum};

use crate::failure::Result;
use crate::filters::Filters;
use crate::pages::{Local, Page, Pages, Remote, Request};
use crate::store::{Target, open_existing};
use crate::table::Table;
use crate::terminal::{grouped, out, say, say_gap};

/// Show events that match, newest first, and how many there are in all.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals query --event-type user.login --from 2026-01-01 --limit 20
  annals query --filter severity=error --filter severity=warn --not source=cron -q \"disk full\"
  annals query --filter realm_id=eu --all --output ndjson > export.ndjson
  ANNALS_KEY=... annals query --url http://127.0.0.1:8080 --prefix event_type=container.

What `--output ndjson` writes, `annals import` reads.")]
pub(crate) struct QueryCommand {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    filters: Filters,
    /// The order
    #[arg(long, value_enum, default_value_t, allow_hyphen_values = true)]
    sort: Sort,
    /// Events to show at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u64,
    /// Events to leave out first
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u64,
    /// Show all events, however many
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// The form
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

/// The orders by the native API's names.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Sort {
    /// Oldest first
    #[value(name = "created_at")]
    CreatedAt,
    /// Newest first
    #[default]
    #[value(name = "-created_at")]
    CreatedAtDescending,
    /// By type, A to Z
    #[value(name = "event_type")]
    EventType,
    /// By type, Z to A
    #[value(name = "-event_type")]
    EventTypeDescending,
}

impl Sort {
    fn order(self) -> Order {
        match self {
            Sort::CreatedAt => Order::CreatedAtAsc,
            Sort::CreatedAtDescending => Order::CreatedAtDesc,
            Sort::EventType => Order::EventTypeAsc,
            Sort::EventTypeDescending => Order::EventTypeDesc,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Output {
    /// For people
    #[default]
    Table,
    /// One JSON document
    Json,
    /// One JSON object a line, as an import takes it
    Ndjson,
}

pub(crate) fn run(command: &QueryCommand) -> Result<ExitCode> {
    let request = Request {
        filters: &command.filters,
        order: command.sort.order(),
        limit: if command.all { u64::MAX } else { command.limit },
        offset: command.offset,
        fields: None,
        sequence_max: None,
    };
    if let Some(client) = command.target.client()? {
        return show(command, Remote::new(&client, &request)?);
    }
    let engine = open_existing(command.target.directory())?;
    show(command, Local::new(engine.snapshot(), &request)?)?;
    engine.close()?;
    Ok(ExitCode::SUCCESS)
}

fn show(command: &QueryCommand, mut pages: impl Pages) -> Result<ExitCode> {
    let mut out = out();
    let (mut shown, mut total, mut table) = (0, None, Table::to_stdout());
    if matches!(command.output, Output::Json) {
        out.write_all(b"{\"events\":[")?;
    }
    while let Some(page) = pages.next_page()? {
        if let (0, Some(gap)) = (shown, &page.gap) {
            say_gap(gap);
        }
        total = total.or(page.total);
        write_page(&mut out, command.output, &mut table, &page, shown)?;
        shown += u64::try_from(page.events.len()).unwrap_or(u64::MAX);
    }
    match command.output {
        Output::Json => {
            let total = total.map_or_else(|| "null".to_owned(), |total| total.to_string());
            writeln!(out, "],\"total\":{total},\"offset\":{}}}", command.offset)?;
        }
        Output::Table | Output::Ndjson => out.flush()?,
    }
    out.flush()?;
    if let (Output::Table, Some(total)) = (command.output, total) {
        say(format_args!("{} of {} events", grouped(shown), grouped(total)));
    }
    Ok(ExitCode::SUCCESS)
}

fn write_page(out: &mut impl Write, output: Output, table: &mut Table, page: &Page, shown: u64) -> Result<()> {
    match output {
        Output::Table => table.write(out, &page.events)?,
        Output::Json => {
            for (position, event) in page.events.iter().enumerate() {
                out.write_all(if shown == 0 && position == 0 { b"\n" } else { b",\n" })?;
                out.write_all(event.as_bytes())?;
            }
        }
        Output::Ndjson => {
            for event in &page.events {
                out.write_all(event.as_bytes())?;
                out.write_all(b"\n")?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
