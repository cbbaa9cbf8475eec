//! `annals verify`: reads everything and says what is damaged.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use annals_engine::VerifyReport;
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use crate::client::Client;
use crate::failure::{Result, while_doing};
use crate::report::{EXIT_DAMAGED, EXIT_SOUND, NOT_REPAIRED, add_internal, look, stores, write_findings};
use crate::store::Target;
use crate::terminal::out;

const PATH: &str = "/annals/v1/verify";

/// Read every file of a store, check every checksum and decode every event.
///
/// Changes nothing. Exits with 0 if nothing is damaged, with 1 after an error and with 2 if anything is damaged.
/// A running server checks its own store: give `--url` and the key of an administrator.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals verify --data ./annals-data
  annals verify --data ./annals-data --json | jq '.details[] | {file, offset, lost}'
  ANNALS_KEY=... annals verify --url http://127.0.0.1:8080")]
pub(crate) struct Verify {
    #[command(flatten)]
    target: Target,
    /// One JSON object instead of sentences
    #[arg(long)]
    json: bool,
}

/// What a server answers, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Answer {
    files: u64,
    bytes: u64,
    events: u64,
    damages: Vec<String>,
    #[serde(default)]
    notes: Vec<String>,
}

/// What was found, to read and as JSON.
struct Found {
    report: VerifyReport,
    /// A backup, or what an unfinished restore left, is not repaired.
    is_no_store: bool,
    json: Value,
}

pub(crate) fn run(command: &Verify) -> Result<ExitCode> {
    let found = match command.target.client()? {
        Some(client) => ask(&client)?,
        None => read(command.target.directory())?,
    };
    let mut out = out();
    if command.json {
        writeln!(out, "{}", found.json)?;
    } else {
        write_report(&mut out, &found)?;
    }
    out.flush()?;
    Ok(ExitCode::from(if found.report.damages.is_empty() { EXIT_SOUND } else { EXIT_DAMAGED }))
}

/// Has a server read its store.
fn ask(client: &Client) -> Result<Found> {
    let answer = client.post_patiently(PATH)?;
    if answer.status != 200 {
        return Err(client.refused(&answer));
    }
    let json: Value = serde_json::from_slice(&answer.body).map_err(while_doing("read the server's answer"))?;
    let Answer { files, bytes, events, damages, notes } =
        Answer::deserialize(&json).map_err(while_doing("read the server's answer"))?;
    let report = VerifyReport { files, bytes, events, damages, notes, ..VerifyReport::default() };
    Ok(Found { report, is_no_store: false, json })
}

/// Reads the store of a directory and the internal one in it, as a server does: the events are the
/// store's own.
fn read(directory: &Path) -> Result<Found> {
    let mut report = VerifyReport::default();
    let mut is_no_store = false;
    for (index, store) in stores(directory).iter().enumerate() {
        let plan = look(store)?;
        is_no_store |= !plan.is_store();
        let found = plan.report().clone();
        match index {
            0 => report = found,
            _ => add_internal(&mut report, found),
        }
    }
    let json = annals_server::report_json(&report, &directory.join("").to_string_lossy());
    Ok(Found { report, is_no_store, json })
}

fn write_report(out: &mut impl Write, found: &Found) -> Result<()> {
    let report = &found.report;
    write_findings(out, report)?;
    if report.damages.is_empty() {
        writeln!(out, "no damage found")?;
    } else if found.is_no_store {
        writeln!(out, "{} damaged; {NOT_REPAIRED}", report.damages.len())?;
    } else {
        let count = report.damages.len();
        writeln!(out, "{count} damaged; restore these files from a backup, or see `annals repair --help`")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_engine::{Engine, Options};
    use annals_server::{AppState, ServerConfig, serve};

    const KEY: &str = "the-administrators-key";

    /// Asks a real server, with `key`, about the store in `directory`.
    fn asked(directory: &Path, key: &str) -> Result<Found> {
        let config = ServerConfig { admin_key: Some(KEY.to_owned()), ..ServerConfig::new(directory) };
        let state = AppState::open(&config).unwrap().state;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = runtime.spawn(serve(state, listener, async move { _ = stopped.await }));
        let report = ask(&Client::new(&url, Some(key.to_owned())).unwrap());
        drop(stop);
        runtime.block_on(server).unwrap().unwrap();
        report
    }

    #[test]
    fn a_server_says_what_its_directory_does() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(Options::new(folder.path())).unwrap();
        let lines = b"{\"event_type\":\"a\"}\n".repeat(300);
        engine.append(annals_json::parse_ndjson(&lines, 1).batch, &annals_engine::AppendOptions::default()).unwrap();
        engine.seal_now().unwrap();
        engine.close().unwrap();
        assert!(asked(folder.path(), "a-key-that-is-wrong").is_err());
        let from_server = asked(folder.path(), KEY).unwrap().report;
        let from_directory = read(folder.path()).unwrap().report;
        assert_eq!((from_server.events, &from_server.damages), (300, &Vec::new()));
        assert_eq!((from_directory.events, &from_directory.damages), (300, &Vec::new()));
        // The server has closed both stores: their files are the same, and its internal log one entry longer.
        assert_eq!(from_directory.files, from_server.files);
    }

    #[test]
    fn damages_are_listed_and_harmless() {
        let mut out = Vec::new();
        let damages = vec!["bad \u{1b}[2J (segment/1.segment)".to_owned()];
        let report = VerifyReport { files: 1234, bytes: 5, events: 6, damages, ..VerifyReport::default() };
        let mut found = Found { report, is_no_store: false, json: Value::Null };
        write_report(&mut out, &found).unwrap();
        let expected = "1,234 files, 5 bytes, 6 events read\ndamaged: bad \\u{1b}[2J (segment/1.segment)\n\
                        1 damaged; restore these files from a backup, or see `annals repair --help`\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        // A backup is not repaired, and nobody is told to.
        (found.is_no_store, out) = (true, Vec::new());
        write_report(&mut out, &found).unwrap();
        let shown = String::from_utf8(out).unwrap();
        assert!(shown.contains(NOT_REPAIRED) && !shown.contains("annals repair"), "{shown}");
    }
}
