//! The keyword fields of a segment under construction: dictionaries, code columns, postings.

use crate::codec::{len_u32, row_usize};
use crate::error::{Error, Result};
use crate::field::{Field, VALUES_MAX, Values};

use super::dictionary::{SortedTerms, Term};
use super::identifiers::{Identifiers, SortRoom};
use super::layout::{FieldEntry, Section, SectionKind};
use super::row_values;
use super::writer::SegmentWriter;
use super::{KeywordCodes, KeywordInput, packed, postings};

/// The most terms that are counted twice over: both counts of all stay in the fastest cache.
const SIDE_BY_SIDE_MAX: usize = 1024;

/// A field that was looked through.
struct Checked<'a> {
    field: Field,
    values: Checks<'a>,
    /// The field, by its place, that has the same value in every row in which this one has any.
    same_as: Option<usize>,
}

enum Checks<'a> {
    Coded(Coded<'a>),
    Identifiers(Identifiers),
}

/// Values by codes of terms.
struct Coded<'a> {
    terms: Vec<&'a [u8]>,
    codes: Vec<u32>,
    /// Where the codes of each row end, of a field of several values.
    ends: Option<Vec<u32>>,
    /// How often each code occurs; 0 stands for absent.
    counts: Vec<u32>,
}

/// Writes the fields, which ascend; those that no row has are left out.
pub(crate) fn write(writer: &mut SegmentWriter, inputs: Vec<KeywordInput<'_>>, rows: u32) -> Result<Vec<FieldEntry>> {
    let checked: Result<Vec<Checked<'_>>> = inputs.into_iter().map(|input| Checked::new(input, rows)).collect();
    let mut checked = checked?;
    checked.retain(|field| field.values(rows) > 0);
    find_repeats(&mut checked, rows);
    let mut entries: Vec<FieldEntry> = Vec::with_capacity(checked.len());
    let repeated: Vec<Option<(Field, u32)>> = checked
        .iter()
        .map(|field| checked.get(field.same_as?).map(|repeated| (repeated.field, repeated.values(rows))))
        .collect();
    let mut room = SortRoom::default();
    for (field, repeated) in checked.into_iter().zip(repeated) {
        entries.push(match repeated {
            Some(repeated) => field.write_presence(writer, repeated, rows)?,
            None => field.write(writer, rows, &mut room)?,
        });
    }
    // What repeats a field has that one's terms.
    let terms: Vec<(u8, u32)> = entries.iter().map(|entry| (entry.field, entry.terms)).collect();
    for entry in entries.iter_mut().filter(|entry| entry.same_as != 0) {
        let of = terms.iter().find(|(field, _)| *field == entry.same_as);
        entry.terms = of.map_or(0, |(_, terms)| *terms);
    }
    Ok(entries)
}

impl<'a> Checked<'a> {
    fn new(input: KeywordInput<'a>, rows: u32) -> Result<Self> {
        let KeywordInput { field, terms, codes } = input;
        let (codes, ends) = match codes {
            KeywordCodes::Single(codes) => (codes, None),
            KeywordCodes::Multiple { ends, codes } => (codes, Some(ends)),
            KeywordCodes::Identifiers(values) => {
                if field.values() != Values::Single || values.rows() != row_usize(rows) {
                    return Err(wrong(field, "has not one value per row"));
                }
                return Ok(Self { field, values: Checks::Identifiers(values), same_as: None });
            }
        };
        check_shape(field, rows, &codes, ends.as_deref())?;
        let counts = count(&codes, terms.len(), field)?;
        Ok(Self { field, values: Checks::Coded(Coded { terms, codes, ends, counts }), same_as: None })
    }

    /// How many values it has.
    fn values(&self, rows: u32) -> u32 {
        match &self.values {
            Checks::Identifiers(values) => values.count(),
            Checks::Coded(coded) => coded.values(rows),
        }
    }

    /// Whether no row has several values.
    fn is_single(&self) -> bool {
        !matches!(&self.values, Checks::Coded(Coded { ends: Some(_), .. }))
    }

    /// The value of a row of a field of one value.
    fn value(&self, row: u32) -> Option<Term<'_>> {
        match &self.values {
            Checks::Identifiers(values) => values.text(row),
            Checks::Coded(coded) => coded.term(coded.codes.get(row_usize(row)).copied()?).map(Term::Stored),
        }
    }

    /// Writes which rows have a value, which is that of the field `repeated`, unless all that have one in the other
    /// do: as many.
    fn write_presence(self, writer: &mut SegmentWriter, repeated: (Field, u32), rows: u32) -> Result<FieldEntry> {
        let values = self.values(rows);
        let (field, of_repeated) = repeated;
        if values != of_repeated {
            let present: Vec<u32> = match &self.values {
                Checks::Identifiers(values) => values.present().iter().map(|present| u32::from(*present)).collect(),
                Checks::Coded(coded) => coded.codes.iter().map(|code| (*code).min(1)).collect(),
            };
            let mut section = Section::new(SectionKind::Codes, self.field.number(), 0);
            let bytes = packed::pack(&mut section, &present);
            writer.section(section, &bytes)?;
        }
        // The number of terms is filled in when that of `repeated` is known.
        Ok(FieldEntry { field: self.field.number(), terms: 0, rows: values, values, same_as: field.number() })
    }

    fn write(self, writer: &mut SegmentWriter, rows: u32, room: &mut SortRoom) -> Result<FieldEntry> {
        let values = self.values(rows);
        match self.values {
            Checks::Coded(coded) => coded.write(writer, self.field, rows),
            Checks::Identifiers(identifiers) => {
                let number = self.field.number();
                let sorted = identifiers.sort(room);
                drop(identifiers);
                sorted.write_terms(writer, number)?;
                write_codes(writer, number, &sorted.codes)?;
                postings::write(writer, number, rows, sorted.by_term.iter())?;
                Ok(FieldEntry { field: number, terms: sorted.by_term.terms(), rows: values, values, same_as: 0 })
            }
        }
    }
}

fn write_codes(writer: &mut SegmentWriter, field: u8, codes: &[u32]) -> Result<()> {
    let mut section = Section::new(SectionKind::Codes, field, 0);
    let bytes = packed::pack(&mut section, codes);
    writer.section(section, &bytes)
}

impl Coded<'_> {
    fn term(&self, code: u32) -> Option<&[u8]> {
        self.terms.get(row_usize(code.wrapping_sub(1))).copied()
    }

    fn values(&self, rows: u32) -> u32 {
        let absent = self.counts.first().copied().unwrap_or(0);
        if self.ends.is_some() { len_u32(self.codes.len()) } else { rows - absent.min(rows) }
    }

    fn write(mut self, writer: &mut SegmentWriter, field: Field, rows: u32) -> Result<FieldEntry> {
        let number = field.number();
        let values = self.values(rows);
        let sorted = SortedTerms::new(&self.terms, &self.counts).map_err(|error| error.of_field(field))?;
        let mut new_codes = vec![0_u32; self.counts.len()];
        let mut sizes = Vec::with_capacity(sorted.codes.len());
        for (new_code, old_code) in (1..).zip(&sorted.codes) {
            let old_code = row_usize(*old_code);
            if let Some(slot) = new_codes.get_mut(old_code) {
                *slot = new_code;
            }
            sizes.push(self.counts.get(old_code).copied().unwrap_or(0));
        }
        for code in &mut self.codes {
            *code = new_codes.get(row_usize(*code)).copied().unwrap_or(0);
        }
        sorted.write(writer, number, &self.terms)?;
        write_codes(writer, number, &self.codes)?;
        let rows_with_value = match &self.ends {
            Some(ends) => row_values::write(writer, number, ends)?,
            None => values,
        };
        let by_term = ByTerm::new(&sizes, &self.codes, self.ends.as_deref());
        postings::write(writer, number, rows, by_term.iter())?;
        Ok(FieldEntry { field: number, terms: len_u32(sizes.len()), rows: rows_with_value, values, same_as: 0 })
    }
}

/// Finds the fields that have the value of another one wherever they have any.
fn find_repeats(fields: &mut [Checked<'_>], rows: u32) {
    for index in 0..fields.len() {
        // What is repeated has its own columns.
        if fields.iter().any(|field| field.same_as == Some(index)) {
            continue;
        }
        let same_as = fields.get(index).and_then(|field| {
            let mut others = fields.iter().enumerate();
            let found =
                others.find(|(at, other)| *at != index && other.same_as.is_none() && repeats(other, field, rows));
            found.map(|(at, _)| at)
        });
        if let Some(field) = fields.get_mut(index) {
            field.same_as = same_as;
        }
    }
}

/// Whether `field` has the value of `other` in every row in which it has any. Most pairs differ in the first such.
fn repeats(other: &Checked<'_>, field: &Checked<'_>, rows: u32) -> bool {
    if !field.is_single() || !other.is_single() || other.values(rows) < field.values(rows) {
        return false;
    }
    match (&other.values, &field.values) {
        (Checks::Coded(other), Checks::Coded(field)) => repeats_coded(other, field),
        (Checks::Identifiers(other), Checks::Identifiers(field)) => field.repeat(other),
        _ => (0..rows).all(|row| match field.value(row) {
            Some(own) => other.value(row).is_some_and(|theirs| *theirs == *own),
            None => true,
        }),
    }
}

fn repeats_coded(other: &Coded<'_>, field: &Coded<'_>) -> bool {
    let mut pairs = other.codes.iter().zip(&field.codes).filter(|(_, code)| **code != 0);
    let equal = |theirs: u32, own: u32| theirs != 0 && other.term(theirs) == field.term(own);
    if !pairs.clone().next().is_some_and(|(theirs, own)| equal(*theirs, *own)) {
        return false;
    }
    let mut known = vec![0_u32; field.terms.len() + 1];
    pairs.all(|(theirs, own)| match known.get_mut(row_usize(*own)) {
        Some(slot) if *slot == 0 => {
            *slot = *theirs;
            equal(*theirs, *own)
        }
        Some(slot) => *slot == *theirs,
        None => false,
    })
}

fn wrong(field: Field, what: &str) -> Error {
    Error::invalid_input(format!("{field} of a segment to be built {what}"))
}

fn check_shape(field: Field, rows: u32, codes: &[u32], ends: Option<&[u32]>) -> Result<()> {
    let wrong = |what: &str| Err(wrong(field, what));
    match (field.values(), ends) {
        (Values::Single, None) if codes.len() == row_usize(rows) => Ok(()),
        (Values::Multiple, Some(ends)) => {
            let mut start = 0;
            for end in ends {
                let of_row = codes.get(row_usize(start)..row_usize(*end)).unwrap_or_default();
                let distinct = match of_row {
                    [] | [_] => true,
                    of_row => of_row.iter().enumerate().all(|(at, code)| !of_row.iter().take(at).any(|c| c == code)),
                };
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
    let unknown = |code: u32| Error::invalid_input(format!("{field} has code {code}, but {terms} terms"));
    if terms > SIDE_BY_SIDE_MAX {
        let mut counts = vec![0_u32; terms + 1];
        for code in codes {
            *counts.get_mut(row_usize(*code)).ok_or_else(|| unknown(*code))? += 1;
        }
        return Ok(counts);
    }
    // Two counts of each side by side: equal neighbours, likely among few terms, do not wait for each other.
    let mut counts = vec![[0_u32; 2]; terms + 1];
    let (pairs, rest) = codes.as_chunks::<2>();
    for [even, odd] in pairs {
        let [count, _] = counts.get_mut(row_usize(*even)).ok_or_else(|| unknown(*even))?;
        *count += 1;
        let [_, count] = counts.get_mut(row_usize(*odd)).ok_or_else(|| unknown(*odd))?;
        *count += 1;
    }
    for code in rest {
        let [count, _] = counts.get_mut(row_usize(*code)).ok_or_else(|| unknown(*code))?;
        *count += 1;
    }
    Ok(counts.into_iter().map(|[even, odd]| even + odd).collect())
}

/// Rows grouped by term in two arrays: one counting sort instead of a list per term.
pub(super) struct ByTerm {
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl ByTerm {
    fn new(sizes: &[u32], codes: &[u32], ends: Option<&[u32]>) -> Self {
        let mut by_term = Self::with_sizes(sizes);
        match ends {
            None => {
                for (row, code) in (0..).zip(codes) {
                    by_term.put(*code, row);
                }
            }
            Some(ends) => {
                let mut codes = codes.iter();
                let mut start = 0;
                for (row, end) in (0..).zip(ends) {
                    for code in codes.by_ref().take(row_usize(end - start)) {
                        by_term.put(*code, row);
                    }
                    start = *end;
                }
            }
        }
        by_term
    }

    /// Room for the rows of each term, which [`ByTerm::put`] fills.
    pub(super) fn with_sizes(sizes: &[u32]) -> Self {
        // One slot in front: while filling, `starts[code]` is where the term's next row goes, and ends
        // up as where the term after it starts.
        let mut starts = Vec::with_capacity(sizes.len() + 1);
        starts.push(0);
        let mut total = 0;
        for size in sizes {
            starts.push(total);
            total += size;
        }
        Self { starts, rows: vec![0; row_usize(total)] }
    }

    /// Adds a row to those of a term; 0 stands for absent.
    #[inline]
    pub(super) fn put(&mut self, code: u32, row: u32) {
        if code == 0 {
            return;
        }
        if let Some(next) = self.starts.get_mut(row_usize(code)) {
            if let Some(slot) = self.rows.get_mut(row_usize(*next)) {
                *slot = row;
            }
            *next += 1;
        }
    }

    /// Room for so many rows, which are added term by term.
    pub(super) fn with_room(rows: usize) -> Self {
        Self { starts: Vec::new(), rows: Vec::with_capacity(rows) }
    }

    /// Begins the next term; once more behind the last.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.starts.push(len_u32(self.rows.len()));
    }

    /// Adds a row to the term begun last.
    #[inline]
    pub(super) fn add(&mut self, row: u32) {
        self.rows.push(row);
    }

    /// How many terms were begun.
    #[inline]
    pub(super) fn begun(&self) -> u32 {
        len_u32(self.starts.len())
    }

    /// How many terms.
    pub(super) fn terms(&self) -> u32 {
        len_u32(self.starts.len().saturating_sub(1))
    }

    /// The rows of each term.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let bounds = self.starts.iter().zip(self.starts.iter().skip(1));
        bounds.map(|(start, end)| self.rows.get(row_usize(*start)..row_usize(*end)).unwrap_or_default())
    }
}
