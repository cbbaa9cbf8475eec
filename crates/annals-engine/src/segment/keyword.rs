//! One keyword field of a segment: dictionary, code column, postings.

use std::collections::VecDeque;
use std::ops::Range;

use parking_lot::Mutex;
use roaring::RoaringBitmap;

use crate::codec::{len_u64, row_usize};
use crate::error::{Error, ErrorKind, Result};
use crate::field::{Field, VALUES_MAX, Values};
use crate::rows::RowSet;

use super::ahead::{Ahead, Wave};
use super::checked::CheckedFile;
use super::dictionary::Dictionary;
use super::kept::{BUDGET, Budget, Kept};
use super::layout::{FieldEntry, Footer, SectionKind};
use super::packed::PackedColumn;
use super::postings::{self, Postings};
use super::row_values::RowValues;
use super::sealed::compact_rows;

/// Postings that are read to count rows, where cardinalities are not stored.
const COUNTED_MAX: usize = 64;
/// Halves of a byte per row that the decoded bitmaps of a field take at most: those of all its common terms, measured for
/// fields of a dozen to a hundred terms.
const DECODED_PER_ROW_HALVES: usize = 3;
/// Entries that a scan decodes at once.
const SCAN_LEN: usize = 1024;

/// Every row with a value has one, or up to [`VALUES_MAX`], and every term is the value of a row. Columns of one
/// repeated code take no bytes, so nothing else bounds what a footer may claim.
fn counts_agree(field: Field, entry: FieldEntry, rows: u32) -> bool {
    let values_max = match field.values() {
        Values::Single => u64::from(entry.rows),
        Values::Multiple => u64::from(entry.rows) * len_u64(VALUES_MAX),
    };
    entry.rows > 0
        && entry.rows <= rows
        && (u64::from(entry.rows)..=values_max).contains(&u64::from(entry.values))
        && entry.terms > 0
        && (entry.terms <= entry.values || entry.same_as != 0)
}

/// The entry of the field that `entry` repeats: one of its own, of one value per row.
fn repeated(footer: &Footer, field: Field, entry: FieldEntry) -> Result<FieldEntry> {
    let of = footer.fields.iter().copied().find(|other| other.field == entry.same_as);
    let single = |other: &FieldEntry| {
        Field::from_number(other.field).is_some_and(|other| other.values() == Values::Single)
            && field.values() == Values::Single
    };
    of.filter(|other| other.same_as == 0 && other.terms == entry.terms && single(other))
        .filter(|other| entry.rows <= other.rows && other.terms <= other.values)
        .ok_or_else(|| Error::corrupt(format!("{field} claims to repeat field {}", entry.same_as)))
}

/// A keyword field, read.
#[derive(Debug)]
pub(crate) struct KeywordColumn {
    pub(crate) field: Field,
    pub(crate) entry: FieldEntry,
    pub(crate) dictionary: Dictionary,
    rows: u32,
    codes: PackedColumn,
    /// Of a field of several values.
    row_values: Option<RowValues>,
    postings: Postings,
    /// Of a field that repeats another one, whose columns the others are, in some of its rows: 1 in these.
    presence: Option<PackedColumn>,
    /// Bitmaps of common terms, decoded: the oldest goes first. Each is behind no other lock.
    decoded: Mutex<Decoded>,
}

/// Bitmaps that were asked for, of at most [`DECODED_PER_ROW_HALVES`] together, as far as [`BUDGET`] has room.
#[derive(Debug, Default)]
struct Decoded {
    bitmaps: VecDeque<Kept<(u32, RoaringBitmap)>>,
    size_bytes: usize,
}

impl Decoded {
    fn find(&self, code: u32) -> Option<RoaringBitmap> {
        self.bitmaps.iter().find(|held| held.value.0 == code).map(|held| held.value.1.clone())
    }

    fn insert(&mut self, code: u32, bitmap: &RoaringBitmap, size_max: usize, budget: &'static Budget) {
        let size = bitmap.serialized_size();
        if size > size_max || self.bitmaps.iter().any(|held| held.value.0 == code) {
            return;
        }
        while self.size_bytes + size > size_max {
            let Some(oldest) = self.bitmaps.pop_front() else { break };
            self.size_bytes = self.size_bytes.saturating_sub(oldest.size_bytes);
        }
        if let Some(kept) = budget.keep((code, bitmap.clone()), size) {
            self.size_bytes += size;
            self.bitmaps.push_back(kept);
        }
    }
}

impl KeywordColumn {
    /// The field of `entry`.
    pub(crate) fn new(footer: &Footer, entry: FieldEntry) -> Result<Option<Self>> {
        // A field this version does not know: a newer minor format, whose other fields can be read.
        let Some(field) = Field::from_number(entry.field) else { return Ok(None) };
        let (row_values, codes) = match field.values() {
            Values::Single => (None, footer.rows),
            Values::Multiple => (Some(RowValues::new(footer, entry)?), entry.values),
        };
        if !counts_agree(field, entry, footer.rows) {
            return Err(Error::corrupt(format!(
                "{field} claims {} terms and {} values in {} of {} rows",
                entry.terms, entry.values, entry.rows, footer.rows
            )));
        }
        let rows = u64::from(footer.rows);
        let (source, presence) = if entry.same_as == 0 {
            (entry.field, None)
        } else {
            let source = repeated(footer, field, entry)?;
            // Where it has a value in the very same rows, there is nothing to look up.
            let presence = (entry.rows != source.rows)
                .then(|| PackedColumn::new(footer.require(SectionKind::Codes, entry.field)?, rows));
            (source.field, presence.transpose()?)
        };
        let codes = PackedColumn::new(footer.require(SectionKind::Codes, source)?, u64::from(codes))?;
        Ok(Some(Self {
            field,
            entry,
            dictionary: Dictionary::new(footer, source, entry.terms)?,
            rows: footer.rows,
            codes,
            row_values,
            postings: Postings::new(footer, source, entry.terms)?,
            presence,
            decoded: Mutex::default(),
        }))
    }

    /// Whether a row in which the repeated field has a value has it in this field as well.
    fn is_present(&self, file: &CheckedFile, row: u32) -> Result<bool> {
        match &self.presence {
            Some(presence) => Ok(presence.get(file, u64::from(row))? > 0),
            None => Ok(true),
        }
    }

    /// Loads what the codes of a row are read from; the second time what the first says.
    #[inline]
    pub(super) fn touch(&self, ahead: &mut Ahead<'_>, row: u32, wave: Wave) {
        if let Some(values) = &self.row_values {
            return values.touch(ahead, row, wave);
        }
        if wave == Wave::First {
            self.codes.touch(ahead, u64::from(row));
            if let Some(presence) = &self.presence {
                presence.touch(ahead, u64::from(row));
            }
        }
    }

    /// Loads where the terms of a row lie, or of a field of several values their codes, once what [`Self::touch`] touches
    /// is loaded. What is damaged is told when it is read.
    #[inline]
    pub(super) fn touch_terms(&self, file: &CheckedFile, ahead: &mut Ahead<'_>, row: u32) {
        if let Some(values) = &self.row_values {
            if let Ok(span) = values.span(file, row) {
                self.codes.touch(ahead, span.start);
            }
        } else if let Ok(code) = self.code_of(file, row)
            && code > 0
        {
            self.dictionary.touch(ahead, code);
        }
    }

    /// Whether a row has one value at most.
    pub(crate) fn is_single(&self) -> bool {
        self.row_values.is_none()
    }

    /// The code of `row` in a field of one value; 0 if it has none. Allocates nothing.
    #[inline]
    pub(crate) fn code_of(&self, file: &CheckedFile, row: u32) -> Result<u32> {
        let code = self.checked_code(file, self.codes.get(file, u64::from(row))?)?;
        Ok(if code > 0 && !self.is_present(file, row)? { 0 } else { code })
    }

    /// Replaces `out` by the codes of `rows` in a field of one value, 0 where there is none.
    pub(super) fn gather(&self, file: &CheckedFile, rows: &[u32], out: &mut Vec<u32>) -> Result<()> {
        self.codes.gather(file, rows, out)?;
        self.checked_code(file, out.iter().copied().max().unwrap_or(0))?;
        if let Some(presence) = &self.presence {
            for (code, row) in out.iter_mut().zip(rows) {
                if *code > 0 && presence.get(file, u64::from(*row))? == 0 {
                    *code = 0;
                }
            }
        }
        Ok(())
    }

    /// Calls `visit` with the codes of each of `rows`, in the order the values were given.
    pub(super) fn each_codes(
        &self,
        file: &CheckedFile,
        rows: &[u32],
        codes: &mut Vec<u32>,
        mut visit: impl FnMut(usize, &[u32]) -> Result<()>,
    ) -> Result<()> {
        let Some(values) = &self.row_values else {
            self.gather(file, rows, codes)?;
            for (at, code) in codes.iter().enumerate().filter(|(_, code)| **code > 0) {
                visit(at, std::slice::from_ref(code))?;
            }
            return Ok(());
        };
        values.spans(file, rows, |at, span| {
            if span.is_empty() {
                return Ok(());
            }
            let len = usize::try_from(span.end - span.start).unwrap_or_default();
            self.codes.read(file, span.start, len, codes)?;
            self.checked_code(file, codes.iter().copied().max().unwrap_or(0))?;
            visit(at, codes)
        })
    }

    /// Replaces `out` by the codes of `row`, in the order the values were given.
    pub(crate) fn codes_of(&self, file: &CheckedFile, row: u32, out: &mut Vec<u32>) -> Result<()> {
        out.clear();
        let Some(values) = &self.row_values else {
            let code = self.code_of(file, row)?;
            out.extend((code > 0).then_some(code));
            return Ok(());
        };
        let span = values.span(file, row)?;
        let len = usize::try_from(span.end.saturating_sub(span.start)).unwrap_or_default();
        self.codes.read(file, span.start, len, out)?;
        for code in out {
            self.checked_code(file, *code)?;
        }
        Ok(())
    }

    fn checked_code(&self, file: &CheckedFile, code: u32) -> Result<u32> {
        if code > self.entry.terms {
            return Err(Error::corrupt(format!("{} has code {code}, but {} terms", self.field, self.entry.terms))
                .at_path(file.path()));
        }
        Ok(code)
    }

    /// Calls `visit` with every value of every row: row, code. After an error the calls before it mean nothing.
    pub(crate) fn scan(&self, file: &CheckedFile, mut visit: impl FnMut(u32, u32)) -> Result<()> {
        let mut largest = 0;
        if let Some(values) = &self.row_values {
            let counts = values.all(file)?;
            let mut rows = (0_u32..).zip(counts);
            let (mut row, mut left) = (0, 0);
            self.codes.scan(file, |code| {
                while left == 0
                    && let Some((next, count)) = rows.next()
                {
                    (row, left) = (next, count);
                }
                largest = largest.max(code);
                if left > 0 {
                    left -= 1;
                    visit(row, code);
                }
            })?;
            return self.checked_code(file, largest).map(|_| ());
        }
        let (mut codes, mut present) = ([0; SCAN_LEN], [1; SCAN_LEN]);
        for first in (0..self.rows).step_by(SCAN_LEN) {
            let len = row_usize(self.rows - first).min(SCAN_LEN);
            let codes = codes.get_mut(..len).unwrap_or_default();
            self.codes.fill(file, u64::from(first), codes)?;
            if let Some(presence) = &self.presence {
                presence.fill(file, u64::from(first), present.get_mut(..len).unwrap_or_default())?;
            }
            for ((code, present), row) in codes.iter().zip(&present).zip(first..) {
                largest = largest.max(*code);
                if *code > 0 && *present > 0 {
                    visit(row, *code);
                }
            }
        }
        self.checked_code(file, largest).map(|_| ())
    }

    /// The rows with a code that passes `test`.
    pub(crate) fn rows_where(&self, file: &CheckedFile, test: impl Fn(u32) -> bool) -> Result<RowSet> {
        let mut rows: Vec<u32> = Vec::new();
        self.scan(file, |row, code| {
            if test(code) && rows.last() != Some(&row) {
                rows.push(row);
            }
        })?;
        Ok(compact_rows(rows, self.rows))
    }

    /// The rows that hold the term of `code`.
    pub(crate) fn posting(&self, file: &CheckedFile, code: u32) -> Result<RowSet> {
        match self.sound_posting(file, code) {
            // Postings are derived: a damaged one is read off the codes, which answer for themselves.
            Err(error) if error.kind() == ErrorKind::Corrupt => self.rows_where(file, |held| held == code),
            other => other,
        }
    }

    /// The same, from the postings alone.
    fn sound_posting(&self, file: &CheckedFile, code: u32) -> Result<RowSet> {
        if let Some(bitmap) = self.decoded.lock().find(code) {
            return Ok(RowSet::from_bitmap(bitmap));
        }
        let rows = self.stored_posting(file, code)?;
        if let RowSet::Bitmap(bitmap) = &rows {
            let size_max = DECODED_PER_ROW_HALVES * row_usize(self.rows) / 2;
            self.decoded.lock().insert(code, bitmap, size_max, &BUDGET);
        }
        Ok(rows)
    }

    /// How many rows hold the term of `code`.
    pub(crate) fn cardinality(&self, file: &CheckedFile, code: u32) -> Result<u32> {
        match self.sound_cardinality(file, code) {
            Err(error) if error.kind() == ErrorKind::Corrupt => self.posting(file, code).map(|rows| rows.len()),
            other => other,
        }
    }

    /// The same, from the postings alone.
    fn sound_cardinality(&self, file: &CheckedFile, code: u32) -> Result<u32> {
        match self.presence {
            Some(_) => self.sound_posting(file, code).map(|rows| rows.len()),
            None => self.postings.cardinality(file, code),
        }
    }

    /// The rows that hold the term of `code`, only those of these ranks: a page does not decode all of them.
    pub(crate) fn ranked(&self, file: &CheckedFile, code: u32, ranks: Range<u32>) -> Result<Vec<u32>> {
        if self.presence.is_some() {
            return Ok(self.posting(file, code)?.iter_ranks(ranks).collect());
        }
        match self.postings.ranked(file, code, ranks.clone()) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                Ok(self.posting(file, code)?.iter_ranks(ranks).collect())
            }
            other => other,
        }
    }

    /// The posting as it is stored, for verification.
    pub(crate) fn stored_posting(&self, file: &CheckedFile, code: u32) -> Result<RowSet> {
        let rows = self.postings.rows(file, code)?;
        if self.presence.is_none() {
            return Ok(rows);
        }
        let mut present = Vec::new();
        for row in rows.iter() {
            if self.is_present(file, row)? {
                present.push(row);
            }
        }
        Ok(compact_rows(present, self.rows))
    }

    /// The rows that hold one of the terms of `codes`.
    pub(crate) fn postings(&self, file: &CheckedFile, codes: Range<u32>) -> Result<RowSet> {
        if codes.is_empty() {
            return Ok(RowSet::empty());
        }
        if codes.len() == row_usize(self.entry.terms) && self.entry.rows == self.rows {
            return Ok(RowSet::from_range(0..self.rows));
        }
        match self.united(file, codes.clone()) {
            // Read off the codes once for all terms, not once for each damaged one.
            Err(error) if error.kind() == ErrorKind::Corrupt => self.rows_where(file, |held| codes.contains(&held)),
            other => other,
        }
    }

    /// The same, from the postings as far as that is cheaper than the codes.
    fn united(&self, file: &CheckedFile, codes: Range<u32>) -> Result<RowSet> {
        let mut total = 0_u64;
        // The cardinalities of a field that repeats another in some rows cost as much as its postings.
        if self.presence.is_some() && codes.len() > COUNTED_MAX {
            return self.rows_where(file, |held| codes.contains(&held));
        }
        for code in codes.clone() {
            total += u64::from(self.sound_cardinality(file, code)?);
            if total > u64::from(self.rows) / 8 {
                break;
            }
        }
        // Uniting many rows costs more per row than comparing every code of the column.
        if codes.len() > 8 && total > u64::from(self.rows) / 8 {
            return self.rows_where(file, |held| codes.contains(&held));
        }
        if codes.len() == 1 {
            return self.sound_posting(file, codes.start);
        }
        let mut all = RoaringBitmap::new();
        let mut few = Vec::new();
        for code in codes {
            match self.sound_posting(file, code)? {
                RowSet::Bitmap(rows) => all |= rows,
                RowSet::Range(rows) => _ = all.insert_range(rows),
                RowSet::List(mut rows) => few.append(&mut rows),
            }
        }
        // One sort of all lists is cheaper than an insertion per row.
        few.sort_unstable();
        few.dedup();
        if all.is_empty() {
            return Ok(compact_rows(few, self.rows));
        }
        Ok(RowSet::from_bitmap(all | postings::bitmap_of(&few)))
    }

    /// How many rows hold the terms of `codes`, one after the other.
    pub(crate) fn cardinalities(&self, file: &CheckedFile, codes: Range<u32>) -> Result<Vec<u32>> {
        let mut stored = Vec::new();
        let read = match self.presence {
            Some(_) if codes.len() == 1 => return Ok(vec![self.posting(file, codes.start)?.len()]),
            Some(_) => None,
            None => Some(self.postings.cardinalities(file, codes.clone(), &mut stored)),
        };
        match read {
            Some(Err(error)) if error.kind() != ErrorKind::Corrupt => Err(error),
            None | Some(Err(_)) => {
                let mut counts = vec![0; codes.len()];
                self.scan(file, |_, code| {
                    let slot = code.checked_sub(codes.start).and_then(|at| counts.get_mut(row_usize(at)));
                    if let Some(slot) = slot {
                        *slot += 1;
                    }
                })?;
                Ok(counts)
            }
            Some(Ok(())) => Ok(stored),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoded_bitmaps_of_all_fields_share_one_budget() {
        static SMALL: Budget = Budget::new(10_000);
        let bitmap: RoaringBitmap = (0..1000).map(|row| row * 7).collect();
        let size = bitmap.serialized_size();
        let mut fields: Vec<Decoded> = (0..20).map(|_| Decoded::default()).collect();
        for code in 1..5 {
            for field in &mut fields {
                field.insert(code, &bitmap, 2 * size, &SMALL);
                assert!(field.bitmaps.len() <= 2 && SMALL.held_bytes() <= 10_000);
            }
        }
        let held: usize = fields.iter().map(|field| field.bitmaps.len()).sum();
        assert_eq!((held, SMALL.held_bytes()), (10_000 / size, 10_000 / size * size));
        drop(fields);
        assert_eq!(SMALL.held_bytes(), 0);
    }
}
