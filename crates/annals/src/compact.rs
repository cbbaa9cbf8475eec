//! `annals compact`: merges and packs a store now.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use annals_engine::{Clock, Engine, OsClock};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::failure::{Failure, Result};
use crate::report::target;
use crate::store::{DATA_DEFAULT, open_to_read};
use crate::terminal::{grouped, out};

/// Between two turns of what shows that something goes on.
const TICK: Duration = Duration::from_millis(100);

/// Seal the logs, merge the segments, and take deleted events off the disk.
///
/// A server does all of that by itself, some time after it is due; this does it
/// now, to a store that no server has open. It needs room for what it writes anew.
/// Nothing is lost if it is ended at any point, and running it again goes on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals compact --data ./annals-data
  annals compact --data ./annals-data --json | jq .bytes_after")]
pub(crate) struct Compact {
    /// The store's directory; no server may have it open
    #[arg(long, value_name = "DIR", default_value = DATA_DEFAULT)]
    data: PathBuf,
    /// Say what was done as JSON
    #[arg(long)]
    json: bool,
}

/// What was done.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    rewritten: u64,
    segments: (u64, u64),
    bytes: (u64, u64),
}

pub(crate) fn run(command: &Compact) -> Result<ExitCode> {
    let clock = OsClock::new();
    let bar = ProgressBar::with_draw_target(None, target());
    // How much there is to do is not known before it is done.
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}, {elapsed}").map_err(Failure::new)?);
    bar.set_message("sealing and merging");
    bar.enable_steady_tick(TICK);
    let done = compact(&command.data);
    bar.finish_and_clear();
    let (done, seconds) = (done?, clock.monotonic().as_secs_f64());
    let mut out = out();
    if command.json {
        let shown = json!({
            "rewritten": done.rewritten, "segments_before": done.segments.0, "segments_after": done.segments.1,
            "bytes_before": done.bytes.0, "bytes_after": done.bytes.1, "seconds": seconds,
        });
        writeln!(out, "{shown}")?;
    } else {
        writeln!(
            out,
            "{} segments of {} bytes are now {} of {}; {} were rewritten, in {seconds:.1} s",
            grouped(done.segments.0),
            grouped(done.bytes.0),
            grouped(done.segments.1),
            grouped(done.bytes.1),
            grouped(done.rewritten)
        )?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn compact(directory: &Path) -> Result<Done> {
    let engine = open_to_read(directory, "")?;
    let figures = |engine: &Engine| {
        let stats = engine.stats();
        (stats.sealed_segments, stats.sealed_bytes)
    };
    engine.seal_now()?;
    let before = figures(&engine);
    let rewritten = engine.compact()?;
    let after = figures(&engine);
    engine.close()?;
    Ok(Done { rewritten, segments: (before.0, after.0), bytes: (before.1, after.1) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_engine::{AppendOptions, Delete, Filter, Options};

    #[test]
    fn segments_become_one_and_deleted_events_leave_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        assert!(compact(&folder.path().join("missing")).is_err());
        let options = Options { log_size_bytes: 1 << 20, background: false, ..Options::new(folder.path()) };
        let engine = Engine::open(options).unwrap();
        let lines = b"{\"event_type\":\"a\",\"created_at\":\"2026-01-05T00:00:00Z\"}\n".repeat(300);
        for _ in 0..3 {
            engine.append(annals_json::parse_ndjson(&lines, 1).batch, &AppendOptions::default()).unwrap();
            engine.seal_now().unwrap();
        }
        engine.delete(&Delete::Matching(Filter::SequenceBetween { from: 1, to: 301 })).unwrap();
        engine.close().unwrap();
        let done = compact(folder.path()).unwrap();
        assert_eq!((done.segments, done.rewritten), ((3, 1), 3));
        let again = compact(folder.path()).unwrap();
        assert_eq!((again.segments, again.rewritten, again.bytes.0), ((1, 1), 0, done.bytes.1));
        let engine = crate::store::open_existing(folder.path()).unwrap();
        assert_eq!(engine.stats().events, 600);
        engine.close().unwrap();
    }
}
