//! `annals verify`: reads everything and says what is damaged.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use annals_engine::VerifyReport;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Deserialize;

use crate::client::Client;
use crate::failure::{Failure, Result, while_doing};
use crate::store::{Target, open_to_verify};
use crate::terminal::{grouped, is_watched, out, push_harmless};

const PATH: &str = "/annals/v1/verify";

/// Read every file of a store, check every checksum and decode every event.
///
/// Exits with 1 if anything is damaged. A running server checks its own store: give `--url` and the
/// key of an administrator.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals verify --data ./annals-data
  ANNALS_KEY=... annals verify --url http://127.0.0.1:8080")]
pub(crate) struct Verify {
    #[command(flatten)]
    target: Target,
}

/// What a server answers.
#[derive(Debug, Deserialize)]
struct Answer {
    files: u64,
    bytes: u64,
    events: u64,
    damages: Vec<String>,
}

pub(crate) fn run(command: &Verify) -> Result<ExitCode> {
    let report = match command.target.client()? {
        Some(client) => ask(&client)?,
        None => read(command.target.directory())?,
    };
    let mut out = out();
    write_report(&mut out, &report)?;
    out.flush()?;
    Ok(if report.damages.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Has a server read its store.
fn ask(client: &Client) -> Result<VerifyReport> {
    let answer = client.post_patiently(PATH)?;
    if answer.status != 200 {
        return Err(client.refused(&answer));
    }
    let Answer { files, bytes, events, damages } =
        serde_json::from_slice(&answer.body).map_err(while_doing("read the server's answer"))?;
    Ok(VerifyReport { files, bytes, events, damages })
}

/// Reads the store of a directory and the internal one in it, as a server does: the events are the
/// store's own.
fn read(directory: &Path) -> Result<VerifyReport> {
    let mut report = read_one(directory)?;
    let internal = directory.join(annals_server::INTERNAL_FOLDER);
    if std::fs::read_dir(&internal).is_ok_and(|mut entries| entries.next().is_some()) {
        let VerifyReport { files, bytes, damages, .. } = read_one(&internal)?;
        report.files += files;
        report.bytes += bytes;
        report.damages.extend(damages);
    }
    Ok(report)
}

fn read_one(directory: &Path) -> Result<VerifyReport> {
    let engine = open_to_verify(directory)?;
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
    engine.close()?;
    Ok(report?)
}

fn write_report(out: &mut impl Write, report: &VerifyReport) -> Result<()> {
    let (files, bytes, events) = (grouped(report.files), grouped(report.bytes), grouped(report.events));
    writeln!(out, "{files} files, {bytes} bytes, {events} events read")?;
    for damage in &report.damages {
        let mut shown = String::new();
        push_harmless(&mut shown, damage);
        writeln!(out, "damaged: {shown}")?;
    }
    if report.damages.is_empty() {
        writeln!(out, "no damage found")?;
    } else {
        writeln!(out, "{} damages found; restore these files from a backup", report.damages.len())?;
    }
    Ok(())
}

/// Where progress is shown: to a person only.
pub(crate) fn target() -> ProgressDrawTarget {
    if is_watched() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_engine::{Engine, Options};
    use annals_server::{AppState, ServerConfig, serve};

    const KEY: &str = "the-administrators-key";

    /// Asks a real server, with `key`, about the store in `directory`.
    fn asked(directory: &Path, key: &str) -> Result<VerifyReport> {
        let config = ServerConfig { admin_key: Some(KEY.to_owned()), ..ServerConfig::new(directory) };
        let state = AppState::open(&config).unwrap().state;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = runtime.spawn(serve(state, listener, config.limits, async move { _ = stopped.await }));
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
        let from_server = asked(folder.path(), KEY).unwrap();
        let from_directory = read(folder.path()).unwrap();
        assert_eq!((from_server.events, &from_server.damages), (300, &Vec::new()));
        assert_eq!((from_directory.events, &from_directory.damages), (300, &Vec::new()));
        // The server has closed both stores: their files are the same, and its internal log one entry longer.
        assert_eq!(from_directory.files, from_server.files);
    }

    #[test]
    fn damages_are_listed_and_harmless() {
        let mut out = Vec::new();
        let damages = vec!["bad \u{1b}[2J (segment/1.segment)".to_owned()];
        write_report(&mut out, &VerifyReport { files: 1234, bytes: 5, events: 6, damages }).unwrap();
        let expected = "1,234 files, 5 bytes, 6 events read\ndamaged: bad \\u{1b}[2J (segment/1.segment)\n\
                        1 damages found; restore these files from a backup\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
