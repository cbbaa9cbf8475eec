//! `annals verify`: reads everything and says what is damaged.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::{Failure, Result};
use crate::store::{DATA_DEFAULT, open_existing};
use crate::terminal::{grouped, is_watched, out};

/// Read every file of a store, check every checksum and decode every event.
///
/// Exits with 1 if anything is damaged. The server must be stopped first.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  annals verify --data ./annals-data")]
pub(crate) struct Verify {
    /// The store's directory
    #[arg(long, value_name = "DIR", default_value = DATA_DEFAULT)]
    data: PathBuf,
}

pub(crate) fn run(command: &Verify) -> Result<ExitCode> {
    let engine = open_existing(&command.data)?;
    let bar = ProgressBar::with_draw_target(Some(0), target());
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}")
            .map_err(Failure::new)?,
    );
    let report = engine.verify(&mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let report = report?;
    let mut out = out();
    let (files, bytes, events) = (grouped(report.files), grouped(report.bytes), grouped(report.events));
    writeln!(out, "{files} files, {bytes} bytes, {events} events read")?;
    for damage in &report.damages {
        writeln!(out, "damaged: {damage}")?;
    }
    if report.damages.is_empty() {
        writeln!(out, "no damage found")?;
    } else {
        writeln!(out, "{} damages found; restore these files from a backup", report.damages.len())?;
    }
    out.flush()?;
    engine.close()?;
    Ok(if report.damages.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where progress is shown: to a person only.
pub(crate) fn target() -> ProgressDrawTarget {
    if is_watched() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}
