//! Which form a file has, and what writes it.

use std::io::Write as _;
use std::path::Path;

use clap::ValueEnum;

use crate::export::columnar::Parquet;
use crate::export::columns::Column;
use crate::export::csv::Csv;
use crate::export::sink::Sink;
use crate::failure::{Failure, Result};

/// The forms of a file of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// One JSON object a line, as an import takes it
    Ndjson,
    /// Comma-separated values, with a header line
    Csv,
    /// Columns, for analytics
    Parquet,
}

/// How a file is packed, as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// What a file is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) form: Form,
    pub(super) packing: Packing,
    /// CSV: leave formulas alone.
    exact: bool,
}

/// Takes events, each as one line of JSON.
pub(super) trait Writer {
    /// Writes some more of them.
    fn write(&mut self, events: &[String]) -> Result<()>;
    /// Writes what is left and gives the file its name; tells its size in bytes.
    fn finish(self: Box<Self>) -> Result<u64>;
}

impl Format {
    /// As asked for, else as the name says.
    pub(super) fn of(asked: Option<Form>, file: Option<&Path>, exact: bool) -> Result<Self> {
        let name = file.and_then(Path::file_name).and_then(std::ffi::OsStr::to_str).unwrap_or_default();
        let name = name.to_ascii_lowercase();
        let (packing, stem) = match (name.strip_suffix(".gz"), name.strip_suffix(".zst")) {
            (Some(stem), _) => (Packing::Gzip, stem),
            (None, Some(stem)) => (Packing::Zstd, stem),
            (None, None) => (Packing::Plain, name.as_str()),
        };
        let told = match stem.rsplit_once('.').map_or("", |(_, ending)| ending) {
            "csv" => Form::Csv,
            "parquet" => Form::Parquet,
            _ => Form::Ndjson,
        };
        let form = asked.unwrap_or(told);
        match (form, packing) {
            (Form::Parquet, Packing::Gzip | Packing::Zstd) => {
                Err(Failure::new("Parquet is packed inside already: leave .gz or .zst away"))
            }
            (Form::Ndjson | Form::Parquet, _) if exact => Err(Failure::new("--exact is for CSV alone")),
            _ => Ok(Self { form, packing, exact }),
        }
    }

    pub(super) fn writer(self, sink: Sink, columns: Vec<Column>) -> Result<Box<dyn Writer>> {
        Ok(match self.form {
            Form::Ndjson => Box::new(Ndjson(sink)),
            Form::Csv => Box::new(Csv::new(sink, columns, self.exact)?),
            Form::Parquet => Box::new(Parquet::new(sink, columns)?),
        })
    }
}

/// Events as they come.
struct Ndjson(Sink);

impl Writer for Ndjson {
    fn write(&mut self, events: &[String]) -> Result<()> {
        for event in events {
            self.0.write_all(event.as_bytes()).and_then(|()| self.0.write_all(b"\n")).map_err(|e| self.0.failure(e))?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_form() {
        let of =
            |name: &str| Format::of(None, Some(Path::new(name)), false).map(|format| (format.form, format.packing));
        for (name, form, packing) in [
            ("a.ndjson", Form::Ndjson, Packing::Plain),
            ("dir.csv/a.ndjson.GZ", Form::Ndjson, Packing::Gzip),
            ("a.CSV", Form::Csv, Packing::Plain),
            ("a.csv.zst", Form::Csv, Packing::Zstd),
            ("a.b.parquet", Form::Parquet, Packing::Plain),
            ("events", Form::Ndjson, Packing::Plain),
            ("events.zst", Form::Ndjson, Packing::Zstd),
        ] {
            assert_eq!(of(name).unwrap(), (form, packing), "{name}");
        }
        assert!(of("a.parquet.gz").is_err());
        let asked = Format::of(Some(Form::Csv), Some(Path::new("a.txt.gz")), true).unwrap();
        assert_eq!((asked.form, asked.packing), (Form::Csv, Packing::Gzip));
        assert!(Format::of(None, None, true).is_err());
    }
}
