//! What a look at a closed store found, and how it is shown.

use std::io::Write;
use std::path::{Path, PathBuf};

use annals_engine::repair::{self, RepairPlan};
use annals_engine::{Options, VerifyReport};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::{Failure, Result};
use crate::store::require_store;
use crate::terminal::{grouped, is_watched, push_harmless};

/// Nothing is wrong, or nothing is any more. 1 is for errors.
pub(crate) const EXIT_SOUND: u8 = 0;
/// Something is damaged, and still is.
pub(crate) const EXIT_DAMAGED: u8 = 2;

/// What is said of a damaged backup.
pub(crate) const NOT_REPAIRED: &str = "this is no store that could be repaired: take the backup, or restore it, again";

/// The store of a directory, and the internal one in it if there is one.
pub(crate) fn stores(directory: &Path) -> Vec<PathBuf> {
    let internal = directory.join(annals_server::INTERNAL_FOLDER);
    let has_internal = std::fs::read_dir(&internal).is_ok_and(|mut entries| entries.next().is_some());
    std::iter::once(directory.to_owned()).chain(has_internal.then_some(internal)).collect()
}

/// Looks at a closed store, with a bar for a person who watches. Changes nothing.
pub(crate) fn look(directory: &Path) -> Result<RepairPlan> {
    require_store(directory, "")?;
    let bar = ProgressBar::with_draw_target(Some(0), target());
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}")
            .map_err(Failure::new)?,
    );
    let plan = repair::plan(Options::new(directory), &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    Ok(plan?)
}

/// Adds what was found in the internal store, whose files are named with its folder. Its events are not counted.
pub(crate) fn add_internal(report: &mut VerifyReport, internal: VerifyReport) {
    let VerifyReport { files, bytes, damages, details, notes, .. } = internal;
    let named = |text: String| format!("{}/{text}", annals_server::INTERNAL_FOLDER);
    report.files += files;
    report.bytes += bytes;
    report.damages.extend(damages.into_iter().map(named));
    report.details.extend(details.into_iter().map(|mut damage| {
        damage.file = named(damage.file);
        damage
    }));
    report.notes.extend(notes.into_iter().map(|note| format!("{}: {note}", annals_server::INTERNAL_FOLDER)));
}

/// Figures, notes and damages, a line each.
pub(crate) fn write_findings(out: &mut impl Write, report: &VerifyReport) -> Result<()> {
    let (files, bytes, events) = (grouped(report.files), grouped(report.bytes), grouped(report.events));
    writeln!(out, "{files} files, {bytes} bytes, {events} events read")?;
    for note in &report.notes {
        writeln!(out, "note: {}", harmless(note))?;
    }
    for damage in &report.damages {
        writeln!(out, "damaged: {}", harmless(damage))?;
    }
    Ok(())
}

pub(crate) fn harmless(text: &str) -> String {
    let mut shown = String::new();
    push_harmless(&mut shown, text);
    shown
}

/// Where progress is shown: to a person only.
pub(crate) fn target() -> ProgressDrawTarget {
    if is_watched() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}
