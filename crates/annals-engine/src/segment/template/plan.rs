//! A column of a hole -> the part of the shape that takes the fewest bits, and its values.

use crate::codec::{len_u32, len_u64, row_usize};
use crate::hex;

use super::super::packed::width_of;
use super::column::{Column, Terms};
use super::encode::ShapeRows;
use super::fields::Fields;
use super::number::Notation;
use super::table::{FIXED_SIZE_MAX, Part};

/// Numbers of fewer bits are counted as terms only if few differ among the first ones.
const WIDE_NUMBER: u8 = 24;
const NUMBERS_LOOKED_AT: usize = 1024;
const NUMBERS_DISTINCT_MAX: usize = 256;
/// About what a term costs besides its bytes, in bits.
const TERM_BITS: u64 = 20;
/// About what a value in the heap costs besides its bytes, in bits.
const HEAP_BITS: u64 = 16;

/// What the rows of a shape have in one part.
#[derive(Clone, Debug)]
pub(super) enum Values {
    None,
    Numbers(std::vec::IntoIter<i64>),
    Codes(std::vec::IntoIter<u32>),
    /// Texts of equal length, and where the next one starts.
    Digits(Vec<u8>, usize),
    /// Bytes, where the next ones start, and how many each row has.
    Heap(Vec<u8>, usize, std::vec::IntoIter<u32>),
}

/// The parts of one shape with their values.
#[derive(Clone, Debug, Default)]
pub(super) struct ShapePlan {
    pub(super) parts: Vec<Part>,
    /// One per part.
    pub(super) values: Vec<Values>,
}

/// The terms of all shapes.
#[derive(Clone, Debug, Default)]
pub(super) struct AllTerms {
    pub(super) bytes: Vec<u8>,
    /// Where each term starts, and the end of the last.
    pub(super) bounds: Vec<u32>,
}

impl AllTerms {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), bounds: vec![0] }
    }

    fn add(&mut self, terms: &Terms) -> u32 {
        let first = len_u32(self.bounds.len() - 1);
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&terms.bytes);
        self.bounds.extend(terms.ends.iter().map(|end| len_u32(base + end)));
        first
    }
}

impl ShapePlan {
    /// Plans a shape; its terms go to `all_terms`.
    pub(super) fn new(shape: ShapeRows, fields: &Fields<'_>, all_terms: &mut AllTerms) -> Self {
        let mut plan = Self::default();
        let mut columns = shape.columns.into_iter();
        for piece in shape.shape.pieces() {
            plan.push_piece(piece);
            if let Some(column) = columns.next() {
                plan.push_column(column, &shape.rows, fields, all_terms);
            }
        }
        plan
    }

    /// A piece behind a piece is one.
    fn push_piece(&mut self, bytes: &[u8]) {
        if let Some(Part::Piece(before)) = self.parts.last_mut() {
            before.extend_from_slice(bytes);
        } else if !bytes.is_empty() {
            self.push(Part::Piece(bytes.to_vec()), Values::None);
        }
    }

    fn push(&mut self, part: Part, values: Values) {
        self.parts.push(part);
        self.values.push(values);
    }

    fn push_column(&mut self, column: Column, rows: &[u32], fields: &Fields<'_>, all_terms: &mut AllTerms) {
        match column {
            Column::Fields(candidates) => {
                if let Some(field) = fields.field(candidates) {
                    self.push(Part::Field(field), Values::None);
                }
            }
            Column::Numbers(notation, numbers) => self.push_numbers(notation, numbers, rows, fields, all_terms),
            Column::Terms(terms) => self.push_terms(terms, rows, fields, all_terms),
            Column::Raw(bytes, lengths) => self.push_raw(bytes, lengths),
        }
    }

    fn push_numbers(
        &mut self,
        notation: Notation,
        numbers: Vec<i64>,
        rows: &[u32],
        fields: &Fields<'_>,
        all_terms: &mut AllTerms,
    ) {
        let base = numbers.iter().copied().min().unwrap_or(0);
        let max = numbers.iter().copied().max().unwrap_or(0);
        if base == max {
            let mut text = Vec::new();
            notation.write(base, &mut text);
            return self.push_piece(&text);
        }
        let width = width_of(max.wrapping_sub(base).cast_unsigned());
        let mut first: Vec<i64> = numbers.iter().copied().take(NUMBERS_LOOKED_AT).collect();
        first.sort_unstable();
        first.dedup();
        let column = Column::Numbers(notation, numbers);
        if width >= WIDE_NUMBER || first.len() <= NUMBERS_DISTINCT_MAX {
            let terms = column.to_terms(rows, fields);
            let cheaper = |terms: &Terms| cost(terms) < len_u64(terms.codes.len()) * u64::from(width);
            if let Some(terms) = terms.filter(cheaper) {
                return self.push_codes(terms, all_terms);
            }
        }
        if let Column::Numbers(_, numbers) = column {
            self.push(Part::Number { notation, base, width }, Values::Numbers(numbers.into_iter()));
        }
    }

    fn push_terms(&mut self, terms: Terms, rows: &[u32], fields: &Fields<'_>, all_terms: &mut AllTerms) {
        if terms.len() == 1 {
            return self.push_piece(&terms.bytes);
        }
        let lengths = || terms.ends.iter().zip(std::iter::once(&0).chain(&terms.ends)).map(|(end, start)| end - start);
        let digits = digits_of(&terms.bytes, lengths());
        let longest = len_u64(lengths().max().unwrap_or(0));
        // Cheap first: what every term would cost in the heap if all were as long as the longest.
        let of_value = digits.map_or(longest * 8 + HEAP_BITS, |(count, _)| u64::from(count) * 4);
        if cost(&terms) <= len_u64(terms.codes.len()) * of_value && !all_differ(&terms) {
            return self.push_codes(terms, all_terms);
        }
        let (bytes, lengths) = Column::Terms(terms).into_raw(rows, fields);
        self.push_raw(bytes, lengths);
    }

    fn push_codes(&mut self, terms: Terms, all_terms: &mut AllTerms) {
        let count = len_u32(terms.len());
        let part = Part::Term { first: all_terms.add(&terms), count, width: width_of(u64::from(count - 1)) };
        self.push(part, Values::Codes(terms.codes.into_iter()));
    }

    fn push_raw(&mut self, bytes: Vec<u8>, mut lengths: Vec<u32>) {
        if let Some((count, dashes)) = digits_of(&bytes, lengths.iter().map(|len| row_usize(*len))) {
            return self.push(Part::Digits { count, dashes }, Values::Digits(bytes, 0));
        }
        let mut packed = vec![0; bytes.len() / 2];
        let hex = lengths.iter().all(|len| len % 2 == 0) && hex::pack(&bytes, &mut packed);
        let bytes = if hex { packed } else { bytes };
        if hex {
            for len in &mut lengths {
                *len /= 2;
            }
        }
        let base = lengths.iter().copied().min().unwrap_or(0);
        let width = width_of(u64::from(lengths.iter().copied().max().unwrap_or(0) - base));
        self.push(Part::Heap { base, width, hex }, Values::Heap(bytes, 0, lengths.into_iter()));
    }
}

/// Bits of the terms and of the codes of all rows.
fn cost(terms: &Terms) -> u64 {
    let count = len_u64(terms.len());
    len_u64(terms.bytes.len()) * 8
        + count * TERM_BITS
        + len_u64(terms.codes.len()) * u64::from(width_of(count.saturating_sub(1)))
}

/// No value repeats: codes would only be a way round.
fn all_differ(terms: &Terms) -> bool {
    terms.len() == terms.codes.len()
}

/// The value of a lower-case hexadecimal digit.
#[inline]
pub(super) fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// How many digits each value has and before which of them a dash stands, if that is the same for all values and they
/// have nothing else.
fn digits_of(bytes: &[u8], mut lengths: impl Iterator<Item = usize>) -> Option<(u8, u64)> {
    let len = lengths.next()?;
    if len == 0 || len > 2 * FIXED_SIZE_MAX || lengths.any(|other| other != len) {
        return None;
    }
    let mask = |value: &[u8]| {
        let (mut dashes, mut count) = (0_u64, 0_u8);
        let mut pending = false;
        for byte in value {
            if *byte == b'-' && !pending && usize::from(count) < FIXED_SIZE_MAX {
                pending = true;
                dashes |= 1 << count;
            } else {
                digit(*byte)?;
                count += 1;
                pending = false;
            }
        }
        (!pending && usize::from(count) <= FIXED_SIZE_MAX).then_some((count, dashes))
    };
    let mut values = bytes.chunks(len);
    let first = mask(values.next()?)?;
    values.all(|value| mask(value) == Some(first)).then_some(first)
}
