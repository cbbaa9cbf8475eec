//! `annals inspect`: what lies in the files of a store.

mod shown;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use annals_engine::inspect::{self, FileType, SectionPart, SegmentInfo, StoreInfo};
use annals_engine::{OsStorage, Storage};
use clap::Args;
use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::store::{DATA_DEFAULT, require_store};
use crate::terminal::out;

/// Show what lies in a store's files: sizes, counts, time ranges, indexes.
///
/// PATH is a store's directory, or one of its files: a segment, a log. Nothing is
/// written and no lock is taken, so a server may have the store open; what it is
/// writing at that moment is then told as bytes behind the end of its log.
///
/// Segments are described by their ends: `annals verify` reads every byte.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals inspect ./annals-data
  annals inspect ./annals-data --index          bytes of each field's index
  annals inspect ./annals-data/log/00000000000000000001.log
  annals inspect ./annals-data/segment/00000000000000000002.segment
  annals inspect ./annals-data --json | jq '.segments[] | {id, rows, size_bytes}'")]
pub(crate) struct Inspect {
    /// A store's directory, or a file of it [default: ./annals-data]
    #[arg(value_name = "PATH", conflicts_with = "data")]
    path: Option<PathBuf>,
    /// The same, as other commands have it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Open every segment and add up what its columns and indexes take
    #[arg(long)]
    index: bool,
    /// One JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// What the columns and indexes of some segments take.
#[derive(Debug, Default)]
struct Index {
    segments: u64,
    rows: u64,
    frame_bytes: u64,
    /// By the owner's name.
    owners: BTreeMap<&'static str, Owner>,
}

/// What belongs to a field, a text, or to the keys and ids of rows.
#[derive(Debug, Default)]
struct Owner {
    /// Entries of its dictionaries, added up; `None` for what has none.
    terms: Option<u64>,
    /// Rows with a value.
    rows: u64,
    /// Bytes by what they are for.
    parts: BTreeMap<SectionPart, u64>,
}

pub(crate) fn run(command: &Inspect) -> Result<ExitCode> {
    let path = command.path.as_deref().or(command.data.as_deref()).unwrap_or(Path::new(DATA_DEFAULT));
    let storage: Arc<dyn Storage> = Arc::new(OsStorage::new());
    let mut out = out();
    if path.is_file() {
        one_file(&mut out, &*storage, path, command)?;
    } else {
        require_store(path, "or a file of it")?;
        let found = inspect::store(&storage, path)?;
        let index = if command.index { Some(index_of(&*storage, path, &found)?) } else { None };
        if command.json {
            let mut json = shown::store_json(&found);
            if let (Value::Object(fields), Some(index)) = (&mut json, &index) {
                fields.insert("index".to_owned(), shown::index_json(index));
            }
            writeln!(out, "{json}")?;
        } else {
            shown::write_store(&mut out, &found)?;
            if let Some(index) = &index {
                writeln!(out)?;
                shown::write_index(&mut out, index)?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn one_file(out: &mut impl Write, storage: &dyn Storage, path: &Path, command: &Inspect) -> Result<()> {
    match inspect::file_type(storage, path)? {
        FileType::Segment => {
            let segment = inspect::segment(storage, path)?;
            if command.json {
                writeln!(out, "{}", shown::segment_json(&segment))?;
            } else {
                shown::write_segment(out, &segment)?;
                let mut index = Index::default();
                index.add(&segment);
                writeln!(out)?;
                shown::write_index(out, &index)?;
            }
        }
        FileType::Log => {
            let log = inspect::log(storage, path)?;
            if command.json {
                writeln!(out, "{}", shown::log_json(&log))?;
            } else {
                shown::write_log(out, &log)?;
            }
        }
        FileType::Manifest | FileType::Overlay | FileType::Blob => {
            return Err(Failure::new(format_args!(
                "{} says nothing by itself\nName the store's directory: what this file holds is shown with it.",
                path.display()
            )));
        }
        _ => return Err(Failure::new(format_args!("{} is no file of a store", path.display()))),
    }
    Ok(())
}

fn index_of(storage: &dyn Storage, directory: &Path, found: &StoreInfo) -> Result<Index> {
    let mut index = Index::default();
    for segment in &found.segments {
        match inspect::segment(storage, &inspect::path_of_segment(directory, segment.id)) {
            Ok(segment) => index.add(&segment),
            // A process that has the store open merged it away since.
            Err(error) if error.kind() == annals_engine::ErrorKind::Io && !found.closed_cleanly => {}
            Err(error) if error.kind() == annals_engine::ErrorKind::NotFound && !found.closed_cleanly => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(index)
}

impl Index {
    fn add(&mut self, segment: &SegmentInfo) {
        self.segments += 1;
        self.rows += u64::from(segment.rows);
        self.frame_bytes += segment.frame_bytes;
        for field in &segment.fields {
            let owner = self.owners.entry(field.field.name()).or_default();
            // The dictionary of a field that repeats another one is the other's.
            let terms = if field.same_as.is_some() { 0 } else { u64::from(field.terms) };
            owner.terms = Some(owner.terms.unwrap_or(0) + terms);
            owner.rows += u64::from(field.rows);
        }
        for section in &segment.sections {
            let name = match (section.owner, section.part) {
                ("", SectionPart::Keys) => "(time, sequence)",
                ("", SectionPart::Ids) => "(ids)",
                ("", _) => "(other)",
                (owner, _) => owner,
            };
            *self.owners.entry(name).or_default().parts.entry(section.part).or_default() += section.size_bytes;
        }
    }
}

#[cfg(test)]
mod tests;
