//! `annals generate`: plausible events on standard output.

use std::io::Write;
use std::process::ExitCode;

use annals_engine::{Clock, OsClock};
use annals_generate::Generator;
use clap::Args;

use crate::failure::{Failure, Result};
use crate::terminal::out;

/// Lines are handed on in pieces of about this size.
const PIECE_SIZE_BYTES: usize = 1 << 18;

/// Print plausible events as NDJSON: the same seed, count and end give the same events.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals generate --count 1000000 | annals import --data ./annals-data -
  annals generate --seed 7 --end 2026-01-01 > events.ndjson")]
pub(crate) struct Generate {
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 1000)]
    count: u64,
    /// Another seed, other events
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// When the 90 days of the events end [default: now]
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
    /// How many different resources; beyond 4,000,000 they come in turn
    #[arg(long, value_name = "N", default_value_t = annals_generate::RESOURCES, value_parser = clap::value_parser!(u32).range(1..))]
    resources: u32,
}

pub(crate) fn run(command: &Generate) -> Result<ExitCode> {
    let end_us = match &command.end {
        None => OsClock::new().now_us(),
        Some(end) => annals_json::parse_time(end)
            .ok_or_else(|| Failure::new(format_args!("--end {end:?} is no time: write 2026-01-31T12:00:00Z")))?,
    };
    let mut generator = Generator::with_resources(command.seed, command.count, end_us, command.resources);
    let mut out = out();
    let mut piece = Vec::with_capacity(PIECE_SIZE_BYTES + 1024);
    while generator.write_line(&mut piece) {
        if piece.len() >= PIECE_SIZE_BYTES {
            out.write_all(&piece)?;
            piece.clear();
        }
    }
    out.write_all(&piece)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
