//! `annals repair`: shows what would be done about damage, and does it when told to.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use annals_engine::VerifyReport;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::report::{
    EXIT_DAMAGED, EXIT_SOUND, NOT_REPAIRED, add_internal, harmless, look, stores, target, write_findings,
};
use crate::store::DATA_DEFAULT;
use crate::terminal::out;

/// Show what is damaged in a closed store and what could be done about it; with --apply, do it.
///
/// Without --apply nothing is changed. A repair never deletes: what it takes out of the store or overwrites is kept in
/// DIR/quarantine, with a list of what is lost. Restore damaged files from a backup instead where there is one.
///
/// Exits with 0 if nothing is damaged or everything was repaired, with 1 after an error, and with 2 if something is
/// damaged and was not repaired.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals repair --data ./annals-data              what would be done
  annals repair --data ./annals-data --apply      do it
  annals repair --data ./annals-data --json | jq .steps")]
pub(crate) struct Repair {
    /// The store's directory; no server may have it open [default: ./annals-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Do what is shown
    #[arg(long)]
    apply: bool,
    /// One JSON object instead of sentences
    #[arg(long)]
    json: bool,
}

/// What was found, planned and done, over the store and the internal one.
#[derive(Debug, Default)]
struct Outcome {
    report: VerifyReport,
    steps: Vec<String>,
    done: Vec<String>,
    /// A backup, or what an unfinished restore left, is not repaired.
    is_no_store: bool,
    /// Damages found by another look after the repair.
    remaining: Vec<String>,
}

pub(crate) fn run(command: &Repair) -> Result<ExitCode> {
    let directory = command.data.as_deref().unwrap_or(Path::new(DATA_DEFAULT));
    let outcome = repair(directory, command.apply)?;
    let mut out = out();
    if command.json {
        writeln!(out, "{}", outcome.as_json(command.apply, directory))?;
    } else {
        outcome.write(&mut out, command.apply)?;
    }
    out.flush()?;
    Ok(ExitCode::from(outcome.exit(command.apply)))
}

fn repair(directory: &Path, apply: bool) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for (index, store) in stores(directory).iter().enumerate() {
        let plan = look(store)?;
        let named = |text: String| if index == 0 { text } else { format!("internal store: {text}") };
        outcome.steps.extend(plan.steps().into_iter().map(named));
        let report = plan.report().clone();
        match index {
            0 => outcome.report = report,
            _ => add_internal(&mut outcome.report, report),
        }
        outcome.is_no_store |= !plan.is_store();
        // What is no store is refused, with its reason.
        if !apply || plan.is_empty() && plan.is_store() {
            continue;
        }
        let bar = ProgressBar::with_draw_target(Some(0), target());
        bar.set_style(ProgressStyle::with_template("{bar:40} step {pos} of {len}").map_err(Failure::new)?);
        let done = plan.apply(&mut |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        outcome.done.extend(done?.into_iter().map(named));
        outcome.remaining.extend(look(store)?.report().damages.iter().cloned().map(named));
    }
    Ok(outcome)
}

impl Outcome {
    fn exit(&self, apply: bool) -> u8 {
        let is_damaged = if apply { !self.remaining.is_empty() } else { !self.report.damages.is_empty() };
        if is_damaged { EXIT_DAMAGED } else { EXIT_SOUND }
    }

    fn as_json(&self, apply: bool, directory: &Path) -> Value {
        let inside = directory.join("");
        let mut shown = annals_server::report_json(&self.report, &inside.to_string_lossy());
        if let Value::Object(shown) = &mut shown {
            shown.insert("steps".to_owned(), json!(self.steps));
            shown.insert("applied".to_owned(), json!(apply));
            shown.insert("done".to_owned(), json!(self.done));
            shown.insert("remaining".to_owned(), json!(self.remaining));
        }
        shown
    }

    fn write(&self, out: &mut impl Write, apply: bool) -> Result<()> {
        write_findings(out, &self.report)?;
        let lines = if apply { &self.done } else { &self.steps };
        for line in lines {
            writeln!(out, "{}: {}", if apply { "done" } else { "would" }, harmless(line))?;
        }
        for damage in &self.remaining {
            writeln!(out, "still damaged: {}", harmless(damage))?;
        }
        let (damages, steps) = (self.report.damages.len(), self.steps.len());
        match (apply, damages, steps) {
            (_, 1.., _) if self.is_no_store => writeln!(out, "{damages} damaged; {NOT_REPAIRED}")?,
            (_, 0, 0) => writeln!(out, "no damage found, nothing to do")?,
            (false, 0, _) => writeln!(out, "no damage found; nothing was changed, --apply does this")?,
            (false, ..) => writeln!(
                out,
                "{damages} damaged; nothing was changed. Restore the files from a backup if there is one, or run \
                 this again with --apply"
            )?,
            (true, ..) if self.remaining.is_empty() => {
                writeln!(out, "repaired; what is lost is named above and in quarantine/")?;
            }
            (true, ..) => writeln!(out, "{} damaged still", self.remaining.len())?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_engine::{AppendOptions, Engine, Options};

    fn store(events: usize) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(Options { log_size_bytes: 1 << 20, ..Options::new(folder.path()) }).unwrap();
        let lines = b"{\"event_type\":\"a\"}\n".repeat(events);
        engine.append(annals_json::parse_ndjson(&lines, 1).batch, &AppendOptions::default()).unwrap();
        engine.close().unwrap();
        folder
    }

    #[test]
    fn a_damaged_log_is_shown_first_and_cut_when_told_to() {
        let folder = store(20);
        assert_eq!(repair(folder.path(), false).unwrap().exit(false), EXIT_SOUND);
        let log = std::fs::read_dir(folder.path().join("log")).unwrap().next().unwrap().unwrap().path();
        let mut bytes = std::fs::read(&log).unwrap();
        bytes[4096 + 150] ^= 1;
        std::fs::write(&log, &bytes).unwrap();
        let shown = repair(folder.path(), false).unwrap();
        assert_eq!((shown.exit(false), shown.report.damages.len()), (EXIT_DAMAGED, 1));
        assert_eq!(std::fs::read(&log).unwrap(), bytes, "nothing was changed");
        let json = shown.as_json(false, folder.path());
        assert_eq!(json["details"][0]["kind"], "log");
        assert_eq!(json["details"][0]["remedy"], "cut");
        assert_eq!(json["details"][0]["lost"]["first_sequence"], 1);
        assert_eq!(json["applied"], false);
        let mut text = Vec::new();
        shown.write(&mut text, false).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("would: keep log") && text.contains("with --apply"), "{text}");
        let done = repair(folder.path(), true).unwrap();
        assert_eq!((done.exit(true), done.remaining.len()), (EXIT_SOUND, 0));
        assert!(repair(folder.path(), false).unwrap().report.damages.is_empty());
    }

    #[test]
    fn a_backup_is_shown_and_not_repaired() {
        let (folder, elsewhere) = (store(300), tempfile::tempdir().unwrap());
        let backup = elsewhere.path().join("backup");
        let engine = Engine::open(Options::new(folder.path())).unwrap();
        engine.backup(&backup, &annals_engine::BackupOptions::default(), &mut |_, _| ()).unwrap();
        engine.close().unwrap();
        let log = std::fs::read_dir(backup.join("log")).unwrap().next().unwrap().unwrap().path();
        let mut bytes = std::fs::read(&log).unwrap();
        bytes[4200] ^= 1;
        std::fs::write(&log, bytes).unwrap();
        let shown = repair(&backup, false).unwrap();
        assert!(shown.is_no_store && shown.steps.is_empty() && shown.report.damages.len() == 1, "{shown:?}");
        let mut out = Vec::new();
        shown.write(&mut out, false).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(NOT_REPAIRED) && !text.contains("--apply"), "{text}");
        assert!(repair(&backup, true).is_err());
    }
}
