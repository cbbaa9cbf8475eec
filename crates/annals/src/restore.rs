//! `annals restore`: from a backup to a store again.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use annals_engine::{
    BackupCheck, CheckDepth, OsStorage, RestoreOptions, RestoreReport, Storage, check_backup, restore,
};
use clap::Args;
use serde_json::json;

use crate::backup::{bar, shown_time, write_damages};
use crate::failure::{Failure, Result};
use crate::report::{EXIT_DAMAGED, EXIT_SOUND};
use crate::terminal::{grouped, out};

/// Make a store of a backup, in a new folder.
///
/// The backup is read whole and every checksum checked, before anything is written; then everything is copied. One that
/// was not finished or is damaged is refused. With `--check` nothing is written: the backup is read, every event decoded
/// and every index compared. Exits with 1 if anything is damaged.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals restore /mnt/backups/2026-01-31 ./annals-data
  annals restore --check /mnt/backups/2026-01-31")]
pub(crate) struct RestoreCommand {
    /// The folder of the backup; it is left as it is
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// A folder that is empty or not there yet
    #[arg(value_name = "DEST", required_unless_present = "check", conflicts_with = "check")]
    destination: Option<PathBuf>,
    /// Only say whether the backup is whole and sound
    #[arg(long)]
    check: bool,
    /// Restore damaged segments as they are: queries that touch them fail
    #[arg(long, conflicts_with = "check")]
    with_damage: bool,
    /// Say what was done as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &RestoreCommand) -> Result<ExitCode> {
    let mut out = out();
    let sound = match &command.destination {
        None => {
            let found = check(command)?;
            write_check(&mut out, command, &found)?;
            found.damages.is_empty()
        }
        Some(destination) => {
            let report = make(command, destination)?;
            write_report(&mut out, command, &report)?;
            report.damages.is_empty()
        }
    };
    out.flush()?;
    Ok(ExitCode::from(if sound { EXIT_SOUND } else { EXIT_DAMAGED }))
}

fn storage() -> Arc<dyn Storage> {
    Arc::new(OsStorage::new())
}

fn check(command: &RestoreCommand) -> Result<BackupCheck> {
    let bar = bar("reading")?;
    let found = check_backup(&storage(), &command.backup, CheckDepth::Everything, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    found.map_err(of_a_backup)
}

fn make(command: &RestoreCommand, destination: &std::path::Path) -> Result<RestoreReport> {
    let options = RestoreOptions { with_damage: command.with_damage };
    let bar = bar("restoring")?;
    let report = restore(&storage(), &command.backup, destination, &options, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    report.map_err(of_a_backup)
}

/// The advice for a store that does not open is none for a backup.
fn of_a_backup(error: annals_engine::Error) -> Failure {
    match error.kind() {
        annals_engine::ErrorKind::Corrupt => Failure::new(format_args!(
            "{error}\n`annals restore --check` lists every damage; `--with-damage` restores what is sound of a backup whose \
             segments are damaged."
        )),
        annals_engine::ErrorKind::NotFound => Failure::new(error),
        _ => error.into(),
    }
}

fn write_check(out: &mut impl Write, command: &RestoreCommand, found: &BackupCheck) -> Result<()> {
    if command.json {
        let shown = json!({
            "backup": command.backup.to_string_lossy(), "cut_at": shown_time(found.cut_at_us), "events": found.events,
            "last_sequence": found.last_sequence, "files": found.files, "bytes": found.bytes,
            "damages": found.damages, "damages_known": found.damages_known,
        });
        writeln!(out, "{shown}")?;
        return Ok(());
    }
    let (events, last) = (grouped(found.events), grouped(found.last_sequence));
    writeln!(out, "{events} events up to sequence {last}, as of {}", shown_time(found.cut_at_us))?;
    writeln!(out, "{} files, {} bytes read", grouped(found.files), grouped(found.bytes))?;
    write_damages(out, &found.damages)?;
    if found.damages.is_empty() {
        writeln!(out, "no damage found")?;
    } else if found.damages_known > 0 {
        writeln!(out, "{} files were damaged already when the backup was taken", found.damages_known)?;
    }
    Ok(())
}

fn write_report(out: &mut impl Write, command: &RestoreCommand, report: &RestoreReport) -> Result<()> {
    if command.json {
        let shown = json!({
            "backup": command.backup.to_string_lossy(),
            "destination": command.destination.as_ref().map(|path| path.to_string_lossy()),
            "cut_at": shown_time(report.cut_at_us), "events": report.events, "last_sequence": report.last_sequence,
            "files_copied": report.files_copied, "bytes_copied": report.bytes_copied, "damages": report.damages,
        });
        writeln!(out, "{shown}")?;
        return Ok(());
    }
    let (events, last) = (grouped(report.events), grouped(report.last_sequence));
    writeln!(out, "{events} events up to sequence {last}, as of {}", shown_time(report.cut_at_us))?;
    writeln!(out, "{} files, {} bytes copied", grouped(report.files_copied), grouped(report.bytes_copied))?;
    write_damages(out, &report.damages)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        command: RestoreCommand,
    }

    fn line(words: &[&str]) -> Result<RestoreCommand, clap::Error> {
        Line::try_parse_from(std::iter::once("restore").chain(words.iter().copied())).map(|line| line.command)
    }

    /// Restores and says how many events there are.
    pub(crate) fn restored(backup: &str, destination: &str) -> u64 {
        let checked = line(&["--check", backup]).unwrap();
        assert_eq!(check(&checked).unwrap().damages, Vec::<String>::new());
        let command = line(&[backup, destination]).unwrap();
        make(&command, command.destination.as_ref().unwrap()).unwrap().events
    }

    #[test]
    fn a_destination_is_named_unless_the_backup_is_only_checked() {
        assert!(line(&["b"]).is_err() && line(&["b", "d", "--check"]).is_err());
        assert!(line(&["b", "--check", "--with-damage"]).is_err());
        assert!(line(&["b", "d", "--with-damage"]).is_ok() && line(&["b", "--check"]).is_ok());
    }

    #[test]
    fn what_is_no_backup_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let message = format!("{:?}", check(&line(&["--check", path]).unwrap()).unwrap_err());
        assert!(message.contains("there is no backup here"), "{message}");
        std::fs::write(folder.path().join("BACKUP.unfinished"), b"").unwrap();
        let message = format!("{:?}", check(&line(&["--check", path]).unwrap()).unwrap_err());
        assert!(message.contains("was never finished"), "{message}");
    }
}
