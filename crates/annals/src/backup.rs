//! `annals backup`: a store as of now, in a folder of its own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use annals_engine::{
    Backup, BackupFiles, BackupOptions, BackupReport, CheckDepth, Durability, Engine, LOG_SIZE_BYTES_MIN, Options,
    OsStorage, Storage, check_backup,
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::json;

use crate::client::Client;
use crate::failure::{Failure, Result, while_doing};
use crate::report::{EXIT_DAMAGED, EXIT_SOUND};
use crate::store::{Target, open_existing};
use crate::terminal::{grouped, out, push_harmless};

const PATH: &str = "/annals/v1/admin/backup";

/// Back a store up, as of one moment, into a new folder.
///
/// Sealed files are linked where the file system allows it: quick, and no protection if the device fails; copies, with
/// `--copy` or into another file system, are. A running server backs its own store up into a new folder below the one it
/// was given as `--backup-dir`: name it with `--url`, and give the folder's name as DEST. Exits with 1 if anything in the
/// backup is damaged.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals backup --data ./annals-data /mnt/backups/2026-01-31 --verify
  ANNALS_KEY=... annals backup --url http://127.0.0.1:8080 2026-01-31")]
#[expect(clippy::struct_excessive_bools, reason = "the flags of a command, each for itself")]
pub(crate) struct BackupCommand {
    #[command(flatten)]
    target: Target,
    /// A folder that is empty or not there yet; with --url its name
    #[arg(value_name = "DEST")]
    destination: PathBuf,
    /// Copy sealed files, and check them, also where they could be linked
    #[arg(long)]
    copy: bool,
    /// Read the whole backup again when it is written: every event, every index
    #[arg(long)]
    verify: bool,
    /// Take damaged segments as they are, instead of failing
    #[arg(long)]
    with_damage: bool,
    /// Say what was done as JSON
    #[arg(long)]
    json: bool,
}

/// What was made, by this process or by a server.
#[derive(Debug, Deserialize)]
struct Made {
    cut_at: String,
    events: u64,
    last_sequence: u64,
    files_linked: u64,
    bytes_linked: u64,
    files_copied: u64,
    bytes_copied: u64,
    seconds: f64,
    verified: bool,
    damages: Vec<String>,
}

pub(crate) fn run(command: &BackupCommand) -> Result<ExitCode> {
    let made = match command.target.client()? {
        Some(client) => ask(&client, command)?,
        None => make(command.target.directory(), command)?,
    };
    let mut out = out();
    write_made(&mut out, command, &made)?;
    out.flush()?;
    Ok(ExitCode::from(if made.damages.is_empty() { EXIT_SOUND } else { EXIT_DAMAGED }))
}

/// Has a server back its store up.
fn ask(client: &Client, command: &BackupCommand) -> Result<Made> {
    let Some(name) = command.destination.to_str() else {
        return Err(Failure::new("the name of a backup on a server is letters, digits, dots, dashes and underscores"));
    };
    let BackupCommand { copy, verify, with_damage, .. } = *command;
    let body = json!({"name": name, "copy": copy, "verify": verify, "with_damage": with_damage}).to_string();
    let answer = client.post_patiently_with(PATH, "application/json", body.as_bytes())?;
    if answer.status != 200 {
        return Err(client.refused(&answer));
    }
    serde_json::from_slice(&answer.body).map_err(while_doing("read the server's answer"))
}

/// Backs up the store of a directory and the internal one in it, as a server does.
fn make(directory: &Path, command: &BackupCommand) -> Result<Made> {
    let engine = open_existing(directory)?;
    let internal = open_internal(directory)?;
    let mut backup: Backup = engine.begin_backup()?;
    if let Some(internal) = &internal {
        backup.include(annals_server::INTERNAL_FOLDER, internal.begin_backup()?)?;
    }
    let files = if command.copy { BackupFiles::Copy } else { BackupFiles::Link };
    let options = BackupOptions { files, with_damage: command.with_damage };
    let bar = bar("writing")?;
    let mut report = backup.write(&command.destination, &options, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    engine.close()?;
    if let Some(internal) = internal {
        internal.close()?;
    }
    let mut damages = std::mem::take(&mut report.damages);
    if command.verify {
        damages = verified(&command.destination)?;
    }
    Ok(made(&report, command.verify, damages))
}

/// The internal store of a directory, if it has one: as small as a server has it.
fn open_internal(directory: &Path) -> Result<Option<Engine>> {
    let internal = directory.join(annals_server::INTERNAL_FOLDER);
    if !std::fs::read_dir(&internal).is_ok_and(|mut entries| entries.next().is_some()) {
        return Ok(None);
    }
    let options = Options {
        background: false,
        durability: Durability::Sync,
        log_size_bytes: LOG_SIZE_BYTES_MIN,
        ..Options::new(&internal)
    };
    Ok(Some(Engine::open(options)?))
}

/// Reads a backup again and gives what is damaged.
fn verified(backup: &Path) -> Result<Vec<String>> {
    let storage: Arc<dyn Storage> = Arc::new(OsStorage::new());
    let bar = bar("reading")?;
    let check = check_backup(&storage, backup, CheckDepth::Everything, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    Ok(check.damages)
}

/// Progress in bytes, for whoever watches.
pub(crate) fn bar(what: &'static str) -> Result<ProgressBar> {
    let bar = ProgressBar::with_draw_target(Some(0), crate::report::target());
    let style =
        ProgressStyle::with_template("{msg} {bar:40} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}");
    bar.set_style(style.map_err(Failure::new)?);
    bar.set_message(what);
    Ok(bar)
}

/// A time as the native API shows it.
pub(crate) fn shown_time(time_us: i64) -> String {
    let mut shown = Vec::new();
    annals_json::write_micros(&mut shown, time_us);
    String::from_utf8_lossy(&shown).into_owned()
}

fn made(report: &BackupReport, verified: bool, damages: Vec<String>) -> Made {
    Made {
        cut_at: shown_time(report.cut_at_us),
        events: report.events,
        last_sequence: report.last_sequence,
        files_linked: report.files_linked,
        bytes_linked: report.bytes_linked,
        files_copied: report.files_copied,
        bytes_copied: report.bytes_copied,
        seconds: report.elapsed.as_secs_f64(),
        verified,
        damages,
    }
}

fn write_made(out: &mut impl Write, command: &BackupCommand, made: &Made) -> Result<()> {
    if command.json {
        let Made { cut_at, events, last_sequence, files_linked, bytes_linked, files_copied, bytes_copied, .. } = made;
        let shown = json!({
            "destination": command.destination.to_string_lossy(), "cut_at": cut_at, "events": events,
            "last_sequence": last_sequence, "files_linked": files_linked, "bytes_linked": bytes_linked,
            "files_copied": files_copied, "bytes_copied": bytes_copied, "seconds": made.seconds,
            "verified": made.verified, "damages": made.damages,
        });
        writeln!(out, "{shown}")?;
        return Ok(());
    }
    let (events, last) = (grouped(made.events), grouped(made.last_sequence));
    writeln!(out, "{events} events up to sequence {last}, as of {}, in {:.1} s", made.cut_at, made.seconds)?;
    writeln!(
        out,
        "{} files linked ({} bytes), {} copied ({} bytes)",
        grouped(made.files_linked),
        grouped(made.bytes_linked),
        grouped(made.files_copied),
        grouped(made.bytes_copied)
    )?;
    write_damages(out, &made.damages)?;
    if made.verified && made.damages.is_empty() {
        writeln!(out, "read again, no damage found")?;
    }
    Ok(())
}

/// A line for each damage.
pub(crate) fn write_damages(out: &mut impl Write, damages: &[String]) -> Result<()> {
    for damage in damages {
        let mut shown = String::new();
        push_harmless(&mut shown, damage);
        writeln!(out, "damaged: {shown}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_engine::AppendOptions;
    use annals_server::{AppState, ServerConfig, serve};
    use clap::Parser;

    const KEY: &str = "the-administrators-key";

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        command: BackupCommand,
    }

    fn line(words: &[&str]) -> BackupCommand {
        Line::parse_from(std::iter::once("backup").chain(words.iter().copied())).command
    }

    fn filled(directory: &Path) {
        let engine = Engine::open(Options { log_size_bytes: 1 << 20, ..Options::new(directory) }).unwrap();
        let lines = b"{\"event_type\":\"a\"}\n".repeat(300);
        engine.append(annals_json::parse_ndjson(&lines, 1).batch, &AppendOptions::default()).unwrap();
        engine.seal_now().unwrap();
        engine.append(annals_json::parse_ndjson(&lines, 1).batch, &AppendOptions::default()).unwrap();
        engine.close().unwrap();
    }

    fn events_in(directory: &Path) -> u64 {
        let engine = open_existing(directory).unwrap();
        let events = engine.stats().events;
        engine.close().unwrap();
        events
    }

    #[test]
    fn a_directory_goes_into_a_backup_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        filled(Path::new(&path("data")));
        let command = line(&["--data", &path("data"), &path("backup"), "--copy", "--verify", "--json"]);
        let made = make(command.target.directory(), &command).unwrap();
        assert_eq!((made.events, made.files_linked, made.verified, made.damages.len()), (600, 0, true, 0));
        let mut shown = Vec::new();
        write_made(&mut shown, &command, &made).unwrap();
        let shown: serde_json::Value = serde_json::from_slice(&shown).unwrap();
        assert_eq!((&shown["events"], &shown["verified"]), (&json!(600), &json!(true)));
        assert!(make(command.target.directory(), &command).is_err(), "the folder is not empty any more");

        let restored = crate::restore::tests::restored(&path("backup"), &path("restored"));
        assert_eq!((restored, events_in(Path::new(&path("restored")))), (600, 600));
        assert_eq!(events_in(Path::new(&path("data"))), 600);
    }

    #[test]
    fn a_server_backs_its_store_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        filled(&path("data"));
        let config = ServerConfig {
            admin_key: Some(KEY.to_owned()),
            backup_directory: Some(path("backups")),
            ..ServerConfig::new(path("data"))
        };
        let state = AppState::open(&config).unwrap().state;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = runtime.spawn(serve(state, listener, async move { _ = stopped.await }));
        let command = line(&["--url", &url, "--key", KEY, "one", "--verify"]);
        let client = command.target.client().unwrap().unwrap();
        let made = ask(&client, &command).unwrap();
        let (again, foreign) = (ask(&client, &command), ask(&client, &line(&["--url", &url, "../one"])));
        drop(stop);
        runtime.block_on(server).unwrap().unwrap();
        assert_eq!((made.events, made.verified), (600, true));
        let message = |failed: Result<Made>| format!("{:?}", failed.unwrap_err());
        assert!(message(again).contains("there is a backup of that name") && message(foreign).contains("400"));
        let into = path("restored");
        let (from, to) = (path("backups/one"), into.to_str().unwrap());
        assert_eq!(crate::restore::tests::restored(from.to_str().unwrap(), to), 600);
        assert!(into.join(annals_server::INTERNAL_FOLDER).join("MANIFEST").exists());
    }
}
