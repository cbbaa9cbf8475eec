//! The events of rows, assembled column by column.

use crate::codec::{Reader, row_usize, take_bytes};
use crate::error::{Error, Result};
use crate::event::{Marks, RecordValues, StoredEvent, tag};
use crate::part::OrderKey;

use super::SealedSegment;
use super::ahead::{self, Ahead, Wave};
use super::checked::CheckedFile;
use super::keyword::KeywordColumn;

/// Values of most events fit without growing the buffer.
const EVENT_SIZE_USUAL: usize = 512;
const EVENT_VALUES_USUAL: usize = 24;
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
        for column in &self.fields {
            push_terms(&self.file, column, rows, &mut values)?;
        }
        for (stream, tag) in
            [(&self.message, tag::MESSAGE), (&self.content, tag::CONTENT), (&self.payload, tag::PAYLOAD)]
        {
            if stream.is_absent() {
                continue;
            }
            let mut cursor = stream.cursor(&self.file, &self.fields);
            for (row, values) in rows.iter().zip(&mut values) {
                if let Some(text) = cursor.value(*row)? {
                    values.push(tag, text);
                }
            }
        }
        if !self.stored.is_absent() {
            let mut cursor = self.stored.cursor(&self.file, &self.fields);
            for (row, values) in rows.iter().zip(&mut values) {
                if let Some(stored) = cursor.value(*row)? {
                    push_stored(stored, values).map_err(|error| error.at_path(self.path()))?;
                }
            }
        }
        let whole = |(row, values): (&u32, RecordValues)| -> Result<StoredEvent> {
            let OrderKey { created_at_us, sequence } = self.key(*row)?;
            Ok(StoredEvent { sequence, id: self.id(*row)?, created_at_us, marks: marks(*row), values })
        };
        rows.iter().zip(values).map(whole).collect()
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
fn push_terms(file: &CheckedFile, column: &KeywordColumn, rows: &[u32], events: &mut [RecordValues]) -> Result<()> {
    /// Few terms come again and again on a page; a power of two.
    const KEPT: usize = 16;
    let number = column.field.number();
    let is_text = column.dictionary.is_text();
    let mut kept: [Option<(u32, &[u8])>; KEPT] = [None; KEPT];
    let mut push = |code: u32, values: &mut RecordValues| -> Result<()> {
        if !is_text {
            values.push(number, &column.dictionary.term(file, code)?);
            return Ok(());
        }
        let Some(slot) = kept.get_mut(row_usize(code) % KEPT) else { return Ok(()) };
        match slot {
            Some((held, term)) if *held == code => values.push(number, term),
            _ => values.push(number, slot.insert((code, column.dictionary.stored(file, code)?)).1),
        }
        Ok(())
    };
    if column.is_single() {
        for (row, values) in rows.iter().zip(events) {
            match column.code_of(file, *row)? {
                0 => {}
                code => push(code, values)?,
            }
        }
        return Ok(());
    }
    let mut codes = Vec::new();
    for (row, values) in rows.iter().zip(events) {
        column.codes_of(file, *row, &mut codes)?;
        for code in &codes {
            push(*code, values)?;
        }
    }
    Ok(())
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
