//! `annals config`: what the server's settings are, and whether they are right.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use annals_server::settings::{Entry, Origin, Value, commented_file};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::failure::{Failure, Result};
use crate::settings::SettingFlags;
use crate::terminal::{out, push_harmless};

/// Check and show the settings of the server.
///
/// A flag goes before the environment (`ANNALS_*`), the environment before the file, the file before the default.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals config example > annals.toml
  annals config check annals.toml
  annals config print --config annals.toml --changed
  ANNALS_LIMITS_QUERY_TIME_MAX=2s annals config print --json")]
pub(crate) struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Check(Check),
    Print(Print),
    /// A commented file with every setting, to begin with
    #[command(after_help = "\
Examples:
  annals config example > annals.toml")]
    Example,
}

/// Check a file of settings together with the environment; exits with 1 if something is wrong
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals config check annals.toml
  annals config check /etc/annals/annals.toml && systemctl reload annals")]
struct Check {
    /// The file; without it only the environment is checked
    #[arg(value_name = "FILE", env = "ANNALS_CONFIG")]
    file: Option<PathBuf>,
}

/// Show what holds, and where each value comes from; secrets are not shown
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals config print
  annals config print --config annals.toml --changed
  annals config print --config annals.toml --listen 127.0.0.1:9000 --json")]
struct Print {
    /// Only what is not as by default
    #[arg(long)]
    changed: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(crate) fn run(command: &Config) -> Result<ExitCode> {
    match &command.action {
        Action::Check(command) => check(command)?,
        Action::Print(command) => print(command)?,
        Action::Example => {
            let mut out = out();
            out.write_all(commented_file().as_bytes())?;
            out.flush()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn check(command: &Check) -> Result<()> {
    let flags = SettingFlags::of_file(command.file.clone());
    let loaded = flags.load()?;
    crate::log::filter(&loaded.config)?;
    annals_server::Tls::load(&loaded.config.tls).map_err(Failure::new)?;
    let (mut of_file, mut of_environment) = (0, 0);
    for entry in loaded.entries() {
        match entry.origin {
            Origin::File(..) => of_file += 1,
            Origin::Environment(_) => of_environment += 1,
            Origin::Default | Origin::Flag(_) => {}
        }
    }
    let mut out = out();
    match &command.file {
        Some(file) => {
            writeln!(out, "{} is right: {of_file} set there, {of_environment} by the environment", file.display())?;
        }
        None => writeln!(out, "the environment is right: {of_environment} set by it")?,
    }
    Ok(out.flush()?)
}

fn print(command: &Print) -> Result<()> {
    let loaded = command.settings.load()?;
    let shown = |entry: &Entry<'_>| !command.changed || *entry.origin != Origin::Default;
    let entries: Vec<Entry<'_>> = loaded.entries().filter(shown).collect();
    let mut out = out();
    if command.json {
        let list: Vec<_> = entries.iter().map(as_json).collect();
        serde_json::to_writer_pretty(&mut out, &list).map_err(Failure::new)?;
        writeln!(out)?;
        return Ok(out.flush()?);
    }
    let widest = |one: &Entry<'_>| (one.setting.key.chars().count(), one.shown().chars().count().min(VALUE_WIDTH));
    let (keys, values) =
        entries.iter().map(widest).fold((0, 0), |widths, one| (widths.0.max(one.0), widths.1.max(one.1)));
    for entry in &entries {
        let mut value = String::new();
        push_harmless(&mut value, &entry.shown());
        writeln!(out, "{:keys$}  {value:values$}  {}", entry.setting.key, entry.origin)?;
    }
    Ok(out.flush()?)
}

/// Longer values move their own line only.
const VALUE_WIDTH: usize = 20;

fn as_json(entry: &Entry<'_>) -> serde_json::Value {
    let setting = entry.setting;
    let is_set = entry.value != Value::Unset;
    let (kind, file, line) = match entry.origin {
        Origin::Default => ("default", None, None),
        Origin::File(file, line) => ("file", Some(file.display().to_string()), Some(*line)),
        Origin::Environment(_) => ("environment", None, None),
        Origin::Flag(_) => ("flag", None, None),
    };
    json!({
        "key": setting.key,
        "value": is_set.then(|| entry.shown()),
        "origin": kind,
        "file": file,
        "line": line,
        "variable": setting.variable(),
        "flag": setting.flag().map(|(name, _)| format!("--{name}")),
    })
}

#[cfg(test)]
mod tests {
    use annals_server::settings::Sources;

    use super::*;

    #[test]
    fn json_says_where_a_value_comes_from_and_shows_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        std::fs::write(&file, "\nlog_size = 2097152\nadmin_key = \"0123456789abcdef\"\n").unwrap();
        let environment = vec![("ANNALS_LIMITS_READS_MAX".into(), "7".into())];
        let flags = vec![("listen".to_owned(), vec!["127.0.0.1:9".to_owned()])];
        let loaded = Sources { file: Some(file.clone()), environment, flags }.load().unwrap();
        let one = |key: &str| as_json(&loaded.entries().find(|entry| entry.setting.key == key).unwrap());
        let log_size = one("log_size");
        assert_eq!((&log_size["value"], &log_size["origin"]), (&json!("2MiB"), &json!("file")));
        assert_eq!((&log_size["file"], &log_size["line"]), (&json!(file.display().to_string()), &json!(2)));
        assert_eq!((&log_size["variable"], &log_size["flag"]), (&json!("ANNALS_LOG_SIZE"), &json!("--log-size")));
        assert_eq!(one("admin_key")["value"], "(hidden)");
        let reads = one("limits.reads_max");
        assert_eq!(
            (&reads["value"], &reads["origin"], &reads["flag"]),
            (&json!("7"), &json!("environment"), &json!(null))
        );
        assert_eq!(one("listen")["origin"], "flag");
        assert_eq!((&one("backup_dir")["value"], &one("backup_dir")["origin"]), (&json!(null), &json!("default")));
    }
}
