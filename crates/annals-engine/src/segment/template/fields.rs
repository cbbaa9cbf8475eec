//! The keyword fields of the rows that are written: what their texts may repeat.

use crate::codec::row_usize;
use crate::field::Field;

use super::super::{KeywordCodes, KeywordInput};

/// Fields of one value a row, each at a place of its own.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    columns: Vec<FieldColumn<'a>>,
}

#[derive(Debug)]
struct FieldColumn<'a> {
    field: Field,
    codes: &'a [u32],
    terms: &'a [&'a [u8]],
}

impl FieldColumn<'_> {
    #[inline]
    fn term(&self, row: u32) -> Option<&[u8]> {
        let code = self.codes.get(row_usize(row)).copied()?.checked_sub(1)?;
        self.terms.get(row_usize(code)).copied()
    }
}

impl<'a> Fields<'a> {
    /// The fields of one value among `keywords`, in the order of their numbers, whatever order they come in.
    pub(crate) fn new(keywords: &'a [KeywordInput<'a>]) -> Self {
        let mut columns: Vec<FieldColumn<'a>> = keywords
            .iter()
            .filter_map(|keyword| match &keyword.codes {
                KeywordCodes::Single(codes) => Some(FieldColumn { field: keyword.field, codes, terms: &keyword.terms }),
                KeywordCodes::Multiple { .. } => None,
            })
            .collect();
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
                Some(column) if column.term(row) == Some(value) => same |= 1 << place,
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
        column.is_some_and(|column| column.term(row) == Some(value))
    }

    /// The value in `row` of the first of `candidates`.
    pub(super) fn term(&self, candidates: u64, row: u32) -> &[u8] {
        self.columns.get(row_usize(candidates.trailing_zeros())).and_then(|column| column.term(row)).unwrap_or_default()
    }

    /// The first of `candidates`.
    pub(super) fn field(&self, candidates: u64) -> Option<Field> {
        self.columns.get(row_usize(candidates.trailing_zeros())).map(|column| column.field)
    }

    /// The codes of what happened: texts of one type mostly have one shape.
    pub(super) fn event_types(&self) -> &'a [u32] {
        let column = self.columns.iter().find(|column| column.field == Field::EventType);
        column.map(|column| column.codes).unwrap_or_default()
    }
}
