//! One keyword field of a segment: dictionary, code column, postings.

use std::ops::Range;

use crate::codec::{len_u32, len_u64, row_usize};
use crate::error::{Error, ErrorKind, Result};
use crate::field::{Field, VALUES_MAX, Values};
use crate::rows::RowSet;

use super::checked::CheckedFile;
use super::dictionary::{self, Dictionary};
use super::layout::{FieldEntry, Footer, Section, SectionKind};
use super::packed::{self, FrameColumn, PackedColumn};
use super::postings::{self, Postings};
use super::sealed::compact_rows;
use super::writer::SegmentWriter;
use super::{KeywordCodes, KeywordInput};

/// Writes a field; `None` if no row has a value.
pub(crate) fn write(writer: &mut SegmentWriter, input: KeywordInput<'_>, rows: u32) -> Result<Option<FieldEntry>> {
    let field = input.field;
    let (mut codes, ends) = match input.codes {
        KeywordCodes::Single(codes) => (codes, None),
        KeywordCodes::Multiple { ends, codes } => (codes, Some(ends)),
    };
    check_shape(field, rows, &codes, ends.as_deref())?;
    let counts = count(&codes, input.terms.len(), field)?;
    let absent = counts.first().copied().unwrap_or(0);
    let values = len_u32(codes.len()) - absent;
    if values == 0 {
        return Ok(None);
    }
    let order = sorted_terms(&input.terms, &counts, field)?;
    let terms: Vec<&[u8]> = order.iter().filter_map(|code| input.terms.get(row_usize(code - 1)).copied()).collect();
    let mut new_codes = vec![0_u32; counts.len()];
    for (new_code, old_code) in (1..).zip(&order) {
        if let Some(slot) = new_codes.get_mut(row_usize(*old_code)) {
            *slot = new_code;
        }
    }
    for code in &mut codes {
        *code = new_codes.get(row_usize(*code)).copied().unwrap_or(0);
    }
    dictionary::write(writer, field.number(), &terms)?;
    let mut section = Section::new(SectionKind::Codes, field.number(), 0);
    let packed_codes = packed::pack(&mut section, &codes);
    writer.section(section, &packed_codes)?;
    let rows_with_value = write_row_ends(writer, field, ends.as_deref(), rows - absent.min(rows))?;
    let sizes = order.iter().map(|code| counts.get(row_usize(*code)).copied().unwrap_or(0));
    let by_term = ByTerm::new(sizes, &codes, ends.as_deref());
    postings::write(writer, field.number(), rows, by_term.iter())?;
    Ok(Some(FieldEntry { field: field.number(), terms: len_u32(terms.len()), rows: rows_with_value, values }))
}

fn check_shape(field: Field, rows: u32, codes: &[u32], ends: Option<&[u32]>) -> Result<()> {
    let wrong = |what: &str| Err(Error::invalid_input(format!("{field} of a segment to be built {what}")));
    match (field.values(), ends) {
        (Values::Single, None) if codes.len() == row_usize(rows) => Ok(()),
        (Values::Multiple, Some(ends)) => {
            let mut start = 0;
            for end in ends {
                let of_row = codes.get(row_usize(start)..row_usize(*end)).unwrap_or_default();
                let distinct = of_row.iter().enumerate().all(|(at, code)| !of_row.iter().take(at).any(|c| c == code));
                if of_row.len() != row_usize(end.wrapping_sub(start)) || of_row.len() > VALUES_MAX || !distinct {
                    return wrong("has a row with impossible values");
                }
                start = *end;
            }
            let complete = ends.len() == row_usize(rows) && row_usize(start) == codes.len() && !codes.contains(&0);
            if complete { Ok(()) } else { wrong("has values outside of its rows") }
        }
        _ => wrong("has not one code per row"),
    }
}

/// How often each code occurs; 0 stands for absent.
fn count(codes: &[u32], terms: usize, field: Field) -> Result<Vec<u32>> {
    let mut counts = vec![0_u32; terms + 1];
    for code in codes {
        *counts
            .get_mut(row_usize(*code))
            .ok_or_else(|| Error::invalid_input(format!("{field} has code {code}, but {terms} terms")))? += 1;
    }
    Ok(counts)
}

/// The codes in use, in byte order of their terms.
fn sorted_terms(terms: &[&[u8]], counts: &[u32], field: Field) -> Result<Vec<u32>> {
    let in_use = (1_u32..).zip(terms).zip(counts.iter().skip(1)).filter(|(_, count)| **count > 0);
    let mut order: Vec<(&[u8], u32)> = in_use.map(|((code, term), _)| (*term, code)).collect();
    order.sort_unstable();
    if order.iter().any(|(term, _)| term.len() > dictionary::TERM_SIZE_MAX) {
        return Err(Error::invalid_input(format!(
            "{field} has a term of more than {} bytes",
            dictionary::TERM_SIZE_MAX
        )));
    }
    if !order.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(Error::invalid_input(format!("{field} has a term twice")));
    }
    Ok(order.into_iter().map(|(_, code)| code).collect())
}

/// Writes where the values of each row end, for a field of several, and returns how many rows have any.
fn write_row_ends(writer: &mut SegmentWriter, field: Field, ends: Option<&[u32]>, single: u32) -> Result<u32> {
    let Some(ends) = ends else { return Ok(single) };
    let bounds: Vec<i64> = std::iter::once(0).chain(ends.iter().copied().map(i64::from)).collect();
    let mut section = Section::new(SectionKind::RowEnds, field.number(), 0);
    let bytes = packed::frame(&mut section, &bounds);
    writer.section(section, &bytes)?;
    Ok(len_u32(bounds.iter().zip(bounds.iter().skip(1)).filter(|(start, end)| start < end).count()))
}

/// Rows grouped by term in two arrays: one counting sort instead of a list per term.
struct ByTerm {
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl ByTerm {
    fn new(sizes: impl Iterator<Item = u32>, codes: &[u32], ends: Option<&[u32]>) -> Self {
        // One slot in front: while filling, `starts[code]` is where the term's next row goes, and ends
        // up as where the term after it starts.
        let mut starts = vec![0];
        let mut total = 0;
        for size in sizes {
            starts.push(total);
            total += size;
        }
        let mut rows = vec![0; row_usize(total)];
        let mut put = |code: u32, row: u32| {
            if code == 0 {
                return;
            }
            if let Some(next) = starts.get_mut(row_usize(code)) {
                if let Some(slot) = rows.get_mut(row_usize(*next)) {
                    *slot = row;
                }
                *next += 1;
            }
        };
        match ends {
            None => {
                for (row, code) in (0..).zip(codes) {
                    put(*code, row);
                }
            }
            Some(ends) => {
                let mut codes = codes.iter();
                let mut start = 0;
                for (row, end) in (0..).zip(ends) {
                    for code in codes.by_ref().take(row_usize(end - start)) {
                        put(*code, row);
                    }
                    start = *end;
                }
            }
        }
        Self { starts, rows }
    }

    fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let bounds = self.starts.iter().zip(self.starts.iter().skip(1));
        bounds.map(|(start, end)| self.rows.get(row_usize(*start)..row_usize(*end)).unwrap_or_default())
    }
}

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
        && (1..=entry.values).contains(&entry.terms)
}

/// A keyword field, read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeywordColumn {
    pub(crate) field: Field,
    pub(crate) entry: FieldEntry,
    pub(crate) dictionary: Dictionary,
    rows: u32,
    codes: PackedColumn,
    row_ends: Option<FrameColumn>,
    postings: Postings,
}

impl KeywordColumn {
    /// The field of `entry`.
    pub(crate) fn new(footer: &Footer, entry: FieldEntry) -> Result<Option<Self>> {
        // A field this version does not know: a newer minor format, whose other fields can be read.
        let Some(field) = Field::from_number(entry.field) else { return Ok(None) };
        let (row_ends, codes) = match field.values() {
            Values::Single => (None, footer.rows),
            Values::Multiple => {
                let section = footer.require(SectionKind::RowEnds, entry.field)?;
                (Some(FrameColumn::new(section, u64::from(footer.rows) + 1)?), entry.values)
            }
        };
        if !counts_agree(field, entry, footer.rows) {
            return Err(Error::corrupt(format!(
                "{field} claims {} terms and {} values in {} of {} rows",
                entry.terms, entry.values, entry.rows, footer.rows
            )));
        }
        Ok(Some(Self {
            field,
            entry,
            dictionary: Dictionary::new(footer, entry.field, entry.terms)?,
            rows: footer.rows,
            codes: PackedColumn::new(footer.require(SectionKind::Codes, entry.field)?, u64::from(codes))?,
            row_ends,
            postings: Postings::new(footer, entry.field, entry.terms)?,
        }))
    }

    /// Where the codes of `row` lie in the code column.
    fn span(&self, file: &CheckedFile, row: u32) -> Result<Range<u64>> {
        let row = u64::from(row);
        let Some(ends) = &self.row_ends else { return Ok(row..row + 1) };
        self.checked_span(file, ends.get(file, row)?, ends.get(file, row + 1)?)
    }

    fn checked_span(&self, file: &CheckedFile, start: i64, end: i64) -> Result<Range<u64>> {
        let section = self.row_ends.as_ref().map_or_else(|| Section::new(SectionKind::RowEnds, 0, 0), |c| *c.section());
        let wrong = || file.contradicts(&section, &format!("has a row with the values from {start} to {end}"));
        let (start, end) = u64::try_from(start).ok().zip(u64::try_from(end).ok()).ok_or_else(wrong)?;
        let len = end.checked_sub(start).ok_or_else(wrong)?;
        if len > len_u64(VALUES_MAX) || end > u64::from(self.entry.values) { Err(wrong()) } else { Ok(start..end) }
    }

    /// Replaces `out` by the codes of `row`, in the order the values were given.
    pub(crate) fn codes_of(&self, file: &CheckedFile, row: u32, out: &mut Vec<u32>) -> Result<()> {
        out.clear();
        for index in self.span(file, row)? {
            let code = self.checked_code(file, self.codes.get(file, index)?)?;
            if code > 0 {
                out.push(code);
            }
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
        let Some(ends) = &self.row_ends else {
            let mut row = 0;
            self.codes.scan(file, |code| {
                largest = largest.max(code);
                if code > 0 {
                    visit(row, code);
                }
                row += 1;
            })?;
            return self.checked_code(file, largest).map(|_| ());
        };
        let bounds = ends.decode(file)?;
        for (start, end) in bounds.iter().zip(bounds.iter().skip(1)) {
            self.checked_span(file, *start, *end)?;
        }
        // Rows ascend with their values: the row of a value is the first that ends behind it.
        let mut rows = (0_u32..).zip(bounds.iter().skip(1)).peekable();
        let mut index = 0_i64;
        self.codes.scan(file, |code| {
            while rows.next_if(|(_, end)| **end <= index).is_some() {}
            index += 1;
            largest = largest.max(code);
            if let Some((row, _)) = rows.peek() {
                visit(*row, code);
            }
        })?;
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
        match self.postings.rows(file, code) {
            // Postings are derived: a damaged one is read off the codes, which answer for themselves.
            Err(error) if error.kind() == ErrorKind::Corrupt => self.rows_where(file, |held| held == code),
            other => other,
        }
    }

    /// How many rows hold the term of `code`.
    pub(crate) fn cardinality(&self, file: &CheckedFile, code: u32) -> Result<u32> {
        match self.postings.cardinality(file, code) {
            Err(error) if error.kind() == ErrorKind::Corrupt => self.posting(file, code).map(|rows| rows.len()),
            other => other,
        }
    }

    /// The rows that hold the term of `code`, only those of these ranks: a page does not decode all of them.
    pub(crate) fn ranked(&self, file: &CheckedFile, code: u32, ranks: Range<u32>) -> Result<Vec<u32>> {
        match self.postings.ranked(file, code, ranks.clone()) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                Ok(self.posting(file, code)?.iter_ranks(ranks).collect())
            }
            other => other,
        }
    }

    /// The posting as it is stored, for verification.
    pub(crate) fn stored_posting(&self, file: &CheckedFile, code: u32) -> Result<RowSet> {
        self.postings.rows(file, code)
    }

    /// The rows that hold one of the terms of `codes`.
    pub(crate) fn postings(&self, file: &CheckedFile, codes: Range<u32>) -> Result<RowSet> {
        if codes.is_empty() {
            return Ok(RowSet::empty());
        }
        if codes.len() == row_usize(self.entry.terms) && self.entry.rows == self.rows {
            return Ok(RowSet::from_range(0..self.rows));
        }
        let mut total = 0_u64;
        for code in codes.clone() {
            total += u64::from(self.cardinality(file, code)?);
            if total > u64::from(self.rows) / 8 {
                break;
            }
        }
        // Uniting many rows costs more per row than comparing every code of the column.
        if codes.len() > 8 && total > u64::from(self.rows) / 8 {
            return self.rows_where(file, |held| codes.contains(&held));
        }
        if codes.len() == 1 {
            return self.posting(file, codes.start);
        }
        let mut all = roaring::RoaringBitmap::new();
        let mut few = Vec::new();
        for code in codes {
            match self.posting(file, code)? {
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
        match self.postings.cardinalities(file, codes.clone(), &mut stored) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                let mut counts = vec![0; codes.len()];
                self.scan(file, |_, code| {
                    let slot = code.checked_sub(codes.start).and_then(|at| counts.get_mut(row_usize(at)));
                    if let Some(slot) = slot {
                        *slot += 1;
                    }
                })?;
                Ok(counts)
            }
            other => other.map(|()| stored),
        }
    }
}
