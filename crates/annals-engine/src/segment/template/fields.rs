//! The keyword fields of the rows that are written: what their texts may repeat.

use crate::codec::row_usize;
use crate::field::Field;

use super::super::dictionary::Term;
use super::super::identifiers::Identifiers;
use super::super::{KeywordCodes, KeywordInput};

/// Fields of one value a row, each at a place of its own.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    columns: Vec<FieldColumn<'a>>,
}

#[derive(Debug)]
struct FieldColumn<'a> {
    field: Field,
    values: FieldValues<'a>,
}

#[derive(Debug)]
enum FieldValues<'a> {
    Coded { codes: &'a [u32], terms: &'a [&'a [u8]] },
    Identifiers(&'a Identifiers),
}

impl<'a> FieldColumn<'a> {
    fn of(keyword: &'a KeywordInput<'a>) -> Option<Self> {
        let values = match &keyword.codes {
            KeywordCodes::Single(codes) => FieldValues::Coded { codes, terms: &keyword.terms },
            KeywordCodes::Identifiers(values) => FieldValues::Identifiers(values),
            KeywordCodes::Multiple { .. } => return None,
        };
        Some(Self { field: keyword.field, values })
    }

    #[inline]
    fn term(&self, row: u32) -> Option<Term<'a>> {
        match &self.values {
            FieldValues::Coded { codes, terms } => {
                let code = codes.get(row_usize(row)).copied()?.checked_sub(1)?;
                terms.get(row_usize(code)).copied().map(Term::Stored)
            }
            FieldValues::Identifiers(values) => values.text(row),
        }
    }

    /// Whether `value` is the value of a row.
    #[inline]
    fn is(&self, row: u32, value: &[u8]) -> bool {
        match &self.values {
            FieldValues::Coded { .. } => matches!(self.term(row), Some(Term::Stored(term)) if term == value),
            FieldValues::Identifiers(values) => values.is(row, value),
        }
    }
}

impl<'a> Fields<'a> {
    /// The fields of one value among `keywords`, in the order of their numbers, whatever order they come in.
    pub(crate) fn new(keywords: &'a [KeywordInput<'a>]) -> Self {
        let mut columns: Vec<FieldColumn<'a>> = keywords.iter().filter_map(FieldColumn::of).collect();
        columns.sort_by_key(|column| column.field);
        Self { columns }
    }

    /// Those of `candidates`, a bit per place, whose value in `row` is `value`.
    #[inline]
    pub(super) fn equal_to(&self, candidates: u64, row: u32, value: &[u8]) -> u64 {
        let mut left = candidates;
        let mut same = 0;
        while left != 0 {
            let place = left.trailing_zeros();
            left &= left - 1;
            match self.columns.get(row_usize(place)) {
                Some(column) if column.is(row, value) => same |= 1 << place,
                Some(_) => {}
                None => break,
            }
        }
        same
    }

    /// Whether the value in `row` of the first of `candidates` is `value`.
    #[inline]
    pub(super) fn is_first(&self, candidates: u64, row: u32, value: &[u8]) -> bool {
        let column = self.columns.get(row_usize(candidates.trailing_zeros()));
        column.is_some_and(|column| column.is(row, value))
    }

    /// The value in `row` of the first of `candidates`.
    pub(super) fn term(&self, candidates: u64, row: u32) -> Term<'a> {
        let column = self.columns.get(row_usize(candidates.trailing_zeros()));
        column.and_then(|column| column.term(row)).unwrap_or(Term::Stored(&[]))
    }

    /// The first of `candidates`.
    pub(super) fn field(&self, candidates: u64) -> Option<Field> {
        self.columns.get(row_usize(candidates.trailing_zeros())).map(|column| column.field)
    }

    /// The codes of what happened: texts of one type mostly have one shape.
    pub(super) fn event_types(&self) -> &'a [u32] {
        let column = self.columns.iter().find(|column| column.field == Field::EventType);
        match column.map(|column| &column.values) {
            Some(FieldValues::Coded { codes, .. }) => codes,
            _ => &[],
        }
    }
}
