//! Parquet: every member a column that may be empty, texts as strings, times as microseconds in UTC,
//! packed with zstd.

use std::fmt::Write as _;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

use super::columns::{Column, Kind, Row};
use super::format::Writer;
use super::sink::Sink;
use crate::failure::{Failure, Result, while_doing};

/// A row group ends at so many events.
const GROUP_EVENTS_MAX: usize = 100_000;
/// It also ends at so many bytes of JSON, which bounds what is held of it in memory.
const GROUP_SIZE_BYTES_MAX: usize = 64 << 20;
const ZSTD_LEVEL: i32 = 3;

/// Events as Parquet.
pub(super) struct Parquet {
    file: SerializedFileWriter<Sink>,
    name: String,
    columns: Vec<(Column, Held)>,
    events: usize,
    size_bytes: usize,
}

/// The values of one column of a row group that are there, and for each place how deep it is defined.
#[derive(Debug)]
struct Held {
    values: Cells,
    definition: Vec<i16>,
    /// Lists only: 0 begins the next event's.
    repetition: Vec<i16>,
}

#[derive(Debug)]
enum Cells {
    Bytes(Vec<ByteArray>),
    Whole(Vec<i64>),
    Number(Vec<f64>),
    Flag(Vec<bool>),
}

impl Parquet {
    pub(super) fn new(sink: Sink, columns: Vec<Column>) -> Result<Self> {
        let name = sink.name().to_owned();
        let schema = parse_message_type(&schema(&columns)).map_err(while_doing("describe the columns"))?;
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(while_doing("begin to compress"))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_created_by(concat!("annals version ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let file = SerializedFileWriter::new(sink, Arc::new(schema), Arc::new(properties));
        let file = file.map_err(|error| failure(&name, error))?;
        let columns = columns.into_iter().map(|column| (column, Held::new(column.kind))).collect();
        Ok(Self { file, name, columns, events: 0, size_bytes: 0 })
    }

    fn end_group(&mut self) -> Result<()> {
        if self.events == 0 {
            return Ok(());
        }
        let name = self.name.clone();
        let failed = |error| failure(&name, error);
        let mut group = self.file.next_row_group().map_err(failed)?;
        for (_, held) in &mut self.columns {
            let Some(mut column) = group.next_column().map_err(failed)? else { break };
            held.write(&mut column).map_err(failed)?;
            column.close().map_err(failed)?;
        }
        group.close().map_err(failed)?;
        (self.events, self.size_bytes) = (0, 0);
        Ok(())
    }
}

impl Writer for Parquet {
    fn write(&mut self, events: &[String]) -> Result<()> {
        for event in events {
            let row = Row::read(event)?;
            for (column, held) in &mut self.columns {
                held.push(&row, *column)?;
            }
            self.events += 1;
            self.size_bytes += event.len();
            if self.events >= GROUP_EVENTS_MAX || self.size_bytes >= GROUP_SIZE_BYTES_MAX {
                self.end_group()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<u64> {
        self.end_group()?;
        let Self { file, name, .. } = *self;
        // The last thing it writes is the description of all columns.
        file.into_inner().map_err(|error| failure(&name, error))?.finish()
    }
}

/// The columns in Parquet's own language.
fn schema(columns: &[Column]) -> String {
    let mut text = "message events {\n".to_owned();
    for Column { name, kind } in columns {
        let written = match kind {
            Kind::Text => writeln!(text, "OPTIONAL BYTE_ARRAY {name} (STRING);"),
            Kind::Json => writeln!(text, "OPTIONAL BYTE_ARRAY {name} (JSON);"),
            Kind::Whole => writeln!(text, "OPTIONAL INT64 {name};"),
            Kind::Number => writeln!(text, "OPTIONAL DOUBLE {name};"),
            Kind::Flag => writeln!(text, "OPTIONAL BOOLEAN {name};"),
            Kind::Time => writeln!(text, "OPTIONAL INT64 {name} (TIMESTAMP(MICROS,true));"),
            Kind::Texts => writeln!(
                text,
                "REQUIRED group {name} (LIST) {{ REPEATED group list {{ REQUIRED BYTE_ARRAY element (STRING); }} }}"
            ),
        };
        written.expect("memory takes any text");
    }
    text.push('}');
    text
}

/// An error of the file system came through the library: told as it is.
fn failure(name: &str, error: ParquetError) -> Failure {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            Ok(error) => Failure::new(format_args!("cannot write {name}: {error}")),
            Err(error) => Failure::new(format_args!("cannot write {name}: {error}")),
        },
        error => Failure::new(format_args!("cannot write {name}: {error}")),
    }
}

impl Held {
    fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Text | Kind::Json | Kind::Texts => Cells::Bytes(Vec::new()),
            Kind::Whole | Kind::Time => Cells::Whole(Vec::new()),
            Kind::Number => Cells::Number(Vec::new()),
            Kind::Flag => Cells::Flag(Vec::new()),
        };
        Self { values, definition: Vec::new(), repetition: Vec::new() }
    }

    fn push(&mut self, row: &Row<'_>, column: Column) -> Result<()> {
        if column.kind == Kind::Texts {
            let texts = row.texts(column)?;
            let Cells::Bytes(bytes) = &mut self.values else { unreachable!("texts are held as bytes") };
            for (position, text) in texts.iter().enumerate() {
                bytes.push(text.as_bytes().to_vec().into());
                self.definition.push(1);
                self.repetition.push(i16::from(position > 0));
            }
            if texts.is_empty() {
                self.definition.push(0);
                self.repetition.push(0);
            }
            return Ok(());
        }
        let is_there = match &mut self.values {
            Cells::Bytes(bytes) => push_some(bytes, row.text(column)?.map(|text| text.as_bytes().to_vec().into())),
            Cells::Whole(times) if column.kind == Kind::Time => push_some(times, row.time_us(column)?),
            Cells::Whole(numbers) => push_some(numbers, row.value(column)?),
            Cells::Number(numbers) => push_some(numbers, row.value(column)?),
            Cells::Flag(flags) => push_some(flags, row.value(column)?),
        };
        self.definition.push(i16::from(is_there));
        Ok(())
    }

    /// Writes the values, and forgets them.
    fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let repetition = Some(self.repetition.as_slice()).filter(|levels| !levels.is_empty());
        let definition = &self.definition;
        match &mut self.values {
            Cells::Bytes(values) => write(column.typed::<ByteArrayType>(), values, definition, repetition),
            Cells::Whole(values) => write(column.typed::<Int64Type>(), values, definition, repetition),
            Cells::Number(values) => write(column.typed::<DoubleType>(), values, definition, repetition),
            Cells::Flag(values) => write(column.typed::<BoolType>(), values, definition, repetition),
        }?;
        self.definition.clear();
        self.repetition.clear();
        Ok(())
    }
}

fn push_some<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    let before = values.len();
    values.extend(value);
    values.len() > before
}

fn write<T: DataType>(
    column: &mut ColumnWriterImpl<'_, T>,
    values: &mut Vec<T::T>,
    definition: &[i16],
    repetition: Option<&[i16]>,
) -> Result<(), ParquetError> {
    column.write_batch(values, Some(definition), repetition)?;
    values.clear();
    Ok(())
}
