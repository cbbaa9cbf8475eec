//! The events of rows, assembled column by column.

use crate::codec::{Reader, row_usize, take_bytes};
use crate::error::{Error, Result};
use crate::event::{Marks, RecordValues, StoredEvent, tag};
use crate::hex::UUID_LEN;
use crate::id::EventId;

use super::ahead::{self, Ahead, Wave};
use super::checked::CheckedFile;
use super::keyword::KeywordColumn;
use super::{SealedSegment, Stream};

/// Values of most events fit without growing the buffer.
const EVENT_SIZE_USUAL: usize = 512;
const EVENT_VALUES_USUAL: usize = 24;
/// The streams that are one value of an event.
const TAGGED_STREAMS: [(Stream, u8); 3] =
    [(Stream::Message, tag::MESSAGE), (Stream::Content, tag::CONTENT), (Stream::Payload, tag::PAYLOAD)];
/// The terms of a field with more of them than this lie in more cache lines than stay loaded from query to query.
const TERMS_AT_HAND: u32 = 512;

impl SealedSegment {
    /// The events of several rows: each column is read for all of them before the next one is.
    pub(crate) fn events(&self, rows: &[u32], marks: impl Fn(u32) -> Marks) -> Result<Vec<StoredEvent>> {
        if ahead::pays(rows) {
            self.touch(rows);
        }
        let usual = |_: &u32| RecordValues {
            bytes: Vec::with_capacity(EVENT_SIZE_USUAL),
            spans: Vec::with_capacity(EVENT_VALUES_USUAL),
        };
        let mut values: Vec<RecordValues> = rows.iter().map(usual).collect();
        let mut codes = Vec::with_capacity(rows.len());
        for column in &self.fields {
            push_terms(&self.file, column, rows, &mut codes, &mut values)?;
        }
        for (stream, tag) in TAGGED_STREAMS {
            if self.stream(stream).is_absent() {
                continue;
            }
            let mut cursor = self.cursor(stream);
            for (row, values) in rows.iter().zip(&mut values) {
                if let Some(text) = cursor.value(*row)? {
                    values.push(tag, text);
                }
            }
        }
        if !self.stored.is_absent() {
            let mut cursor = self.cursor(Stream::Stored);
            for (row, values) in rows.iter().zip(&mut values) {
                if let Some(stored) = cursor.value(*row)? {
                    push_stored(stored, values).map_err(|error| error.at_path(self.path()))?;
                }
            }
        }
        self.keyed(rows, values, marks)
    }

    /// Events of these values, with their keys, ids and marks.
    fn keyed(&self, rows: &[u32], values: Vec<RecordValues>, marks: impl Fn(u32) -> Marks) -> Result<Vec<StoredEvent>> {
        let (mut times, mut sequences) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        self.created_at.gather(&self.file, rows, &mut times)?;
        self.sequences.gather(&self.file, rows, &mut sequences)?;
        let mut ids = Vec::with_capacity(rows.len());
        if let Some(table) = &self.ids {
            table.gather(&self.file, rows, &times, &mut ids)?;
        } else {
            let keys = times.iter().zip(&sequences);
            ids.extend(keys.map(|(time, sequence)| EventId::made(*time, sequence.cast_unsigned())));
        }
        let keys = times.into_iter().zip(sequences).zip(ids);
        let whole = |((values, row), ((created_at_us, sequence), id)): ((_, &u32), ((i64, i64), EventId))| {
            StoredEvent { sequence: sequence.cast_unsigned(), id, created_at_us, marks: marks(*row), values }
        };
        Ok(values.into_iter().zip(rows).zip(keys).map(whole).collect())
    }

    /// The event of a row.
    pub(crate) fn event(&self, row: u32, marks: Marks) -> Result<StoredEvent> {
        let event = self.events(&[row], |_| marks)?.pop();
        event.ok_or_else(|| Error::corrupt(format!("the segment has no row {row}")).at_path(self.path()))
    }

    /// Loads what the rows are read from.
    fn touch(&self, rows: &[u32]) {
        let mut ahead = Ahead::new(&self.file);
        let streams = [&self.message, &self.content, &self.payload, &self.stored];
        for wave in [Wave::First, Wave::Second] {
            for column in &self.fields {
                for row in rows {
                    column.touch(&mut ahead, *row, wave);
                }
            }
            for row in rows {
                for column in [&self.created_at, &self.sequences] {
                    match wave {
                        Wave::First => column.touch_directory(&mut ahead, u64::from(*row)),
                        Wave::Second => column.touch(&mut ahead, u64::from(*row)),
                    }
                }
                if let Some(ids) = &self.ids {
                    ids.touch(&mut ahead, *row, wave);
                }
                for stream in streams {
                    stream.touch(&mut ahead, *row, wave);
                }
            }
        }
        for column in self.fields.iter().filter(|column| !column.is_single() || column.entry.terms > TERMS_AT_HAND) {
            for row in rows {
                column.touch_terms(&self.file, &mut ahead, *row);
            }
        }
        for row in rows {
            for stream in streams {
                stream.touch_value(&self.file, &mut ahead, *row);
            }
        }
    }
}

/// Adds the values of one field to the events of `rows`.
fn push_terms(
    file: &CheckedFile,
    column: &KeywordColumn,
    rows: &[u32],
    codes: &mut Vec<u32>,
    events: &mut [RecordValues],
) -> Result<()> {
    /// Few terms come again and again on a page; a power of two.
    const KEPT: usize = 16;
    let (number, dictionary) = (column.field.number(), &column.dictionary);
    if !dictionary.is_text() {
        let mut text = [0; UUID_LEN];
        return column.each_codes(file, rows, codes, |at, codes| {
            let Some(values) = events.get_mut(at) else { return Ok(()) };
            for code in codes {
                values.push(number, dictionary.read(file, *code, &mut text)?);
            }
            Ok(())
        });
    }
    let mut kept: [(u32, &[u8]); KEPT] = [(0, &[]); KEPT];
    column.each_codes(file, rows, codes, |at, codes| {
        let Some(values) = events.get_mut(at) else { return Ok(()) };
        for code in codes {
            let Some(slot) = kept.get_mut(row_usize(*code) % KEPT) else { continue };
            // No term has code 0.
            if slot.0 != *code {
                *slot = (*code, dictionary.stored(file, *code)?);
            }
            values.push(number, slot.1);
        }
        Ok(())
    })
}

/// Adds the values of the stream `stored`.
fn push_stored(bytes: &[u8], values: &mut RecordValues) -> Result<()> {
    let mut reader = Reader::new(bytes);
    let mut last = tag::PAYLOAD;
    while !reader.is_empty() {
        let tag = reader.u8()?;
        if tag <= last || tag >= tag::END {
            return Err(Error::corrupt(format!("a row has stored tag {tag} behind {last}")));
        }
        values.push(tag, take_bytes(&mut reader)?);
        last = tag;
    }
    Ok(())
}
