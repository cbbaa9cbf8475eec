//! `annals compact`: merges and packs a store now.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use annals_engine::{Clock, Engine, OsClock};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::failure::{Failure, Result, while_doing};
use crate::report::target;
use crate::store::{Target, open_existing};
use crate::terminal::{grouped, out};

const PATH: &str = "/annals/v1/admin/compact";
/// Between two turns of what shows that something goes on.
const TICK: Duration = Duration::from_millis(100);

/// Seal the logs, merge the segments, and take deleted events off the disk.
///
/// A server does all of that by itself, some time after it is due; this does it
/// now. With --url the server is asked, with the key of an administrator, and
/// answers when it is done, while appends and queries go on; else the store of a
/// directory is opened, which no server may have open. It needs room for what it
/// writes anew. Nothing is lost if it is ended at any point, and running it again
/// goes on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals compact --data ./annals-data
  annals compact --data ./annals-data --json | jq .bytes_after
  annals compact --url http://127.0.0.1:8080")]
pub(crate) struct Compact {
    #[command(flatten)]
    target: Target,
    /// Say what was done as JSON
    #[arg(long)]
    json: bool,
}

/// What was done, by this process or by a server.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Done {
    rewritten: u64,
    segments_before: u64,
    segments_after: u64,
    bytes_before: u64,
    bytes_after: u64,
    seconds: f64,
}

pub(crate) fn run(command: &Compact) -> Result<ExitCode> {
    let client = command.target.client()?;
    let bar = ProgressBar::with_draw_target(None, target());
    // How much there is to do is not known before it is done.
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}, {elapsed}").map_err(Failure::new)?);
    bar.set_message("sealing and merging");
    bar.enable_steady_tick(TICK);
    let done = match &client {
        Some(client) => ask(client),
        None => compact(command.target.directory()),
    };
    bar.finish_and_clear();
    let done = done?;
    let mut out = out();
    if command.json {
        writeln!(out, "{}", serde_json::to_string(&done).map_err(while_doing("write JSON"))?)?;
    } else {
        writeln!(
            out,
            "{} segments of {} bytes are now {} of {}; {} were rewritten, in {:.1} s",
            grouped(done.segments_before),
            grouped(done.bytes_before),
            grouped(done.segments_after),
            grouped(done.bytes_after),
            grouped(done.rewritten),
            done.seconds
        )?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn ask(client: &Client) -> Result<Done> {
    let answer = client.post_patiently(PATH)?;
    if answer.status != 200 {
        return Err(client.refused(&answer));
    }
    serde_json::from_slice(&answer.body).map_err(while_doing("read the server's answer"))
}

fn compact(directory: &Path) -> Result<Done> {
    let clock = OsClock::new();
    let engine = open_existing(directory)?;
    let figures = |engine: &Engine| {
        let stats = engine.stats();
        (stats.sealed_segments, stats.sealed_bytes)
    };
    engine.seal_now()?;
    let before = figures(&engine);
    let rewritten = engine.compact()?;
    let after = figures(&engine);
    engine.close()?;
    let ((segments_before, bytes_before), (segments_after, bytes_after)) = (before, after);
    let seconds = clock.monotonic().as_secs_f64();
    Ok(Done { rewritten, segments_before, segments_after, bytes_before, bytes_after, seconds })
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
        assert_eq!((done.segments_before, done.segments_after, done.rewritten), (3, 1, 3));
        let again = compact(folder.path()).unwrap();
        assert_eq!((again.segments_before, again.segments_after, again.rewritten), (1, 1, 0));
        assert_eq!(again.bytes_before, done.bytes_after);
        let engine = crate::store::open_existing(folder.path()).unwrap();
        assert_eq!(engine.stats().events, 600);
        engine.close().unwrap();
    }
}
