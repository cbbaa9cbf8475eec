//! The values of one hole over the rows of a shape, in the narrowest form that has held so far.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::codec::{len_u32, row_usize};

use super::fields::Fields;
use super::number::Notation;

/// Distinct terms are given up when every second value is a new one, and not before this many.
const TERMS_TRIED: usize = 512;

/// Numbers that differ by so much at most are looked up in a table of that many entries.
const NEAR_MAX: usize = 1 << 12;

/// The distinct values of a column and the code of each row.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    table: HashTable<u32>,
    /// Another one in every run: codes go by what is seen first, so that no byte depends on it, and nobody can choose
    /// values that collide.
    hasher: RandomState,
    pub(super) bytes: Vec<u8>,
    /// Where each term ends in `bytes`.
    pub(super) ends: Vec<usize>,
    pub(super) codes: Vec<u32>,
}

impl Terms {
    fn term(&self, code: u32) -> &[u8] {
        term(&self.bytes, &self.ends, code)
    }

    /// How many terms.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The terms of numbers, none of which is more than `NEAR_MAX` above `base`: what [`Terms::accept`] makes of their
    /// texts one by one, but each text is written once.
    fn of_near_numbers(notation: Notation, numbers: &[i64], base: i64) -> Option<Self> {
        let mut terms = Self::default();
        let mut known = vec![0_u32; NEAR_MAX + 1];
        for number in numbers {
            let slot = usize::try_from(number.wrapping_sub(base)).ok().and_then(|at| known.get_mut(at))?;
            if *slot == 0 {
                if given_up(terms.ends.len(), terms.codes.len()) {
                    return None;
                }
                notation.write(*number, &mut terms.bytes);
                terms.ends.push(terms.bytes.len());
                *slot = len_u32(terms.ends.len());
            }
            terms.codes.push(*slot - 1);
        }
        Some(terms)
    }

    fn accept(&mut self, value: &[u8]) -> bool {
        let Self { table, hasher, bytes, ends, codes } = self;
        let hash = hasher.hash_one(value);
        if let Some(code) = table.find(hash, |code| term(bytes, ends, *code) == value) {
            codes.push(*code);
            return true;
        }
        if given_up(ends.len(), codes.len()) {
            return false;
        }
        let code = len_u32(ends.len());
        bytes.extend_from_slice(value);
        ends.push(bytes.len());
        table.insert_unique(hash, code, |code| hasher.hash_one(term(bytes, ends, *code)));
        codes.push(code);
        true
    }
}

/// Whether so many terms are too many for so many values.
fn given_up(terms: usize, values: usize) -> bool {
    terms >= TERMS_TRIED && terms * 2 > values
}

fn term<'a>(bytes: &'a [u8], ends: &[usize], code: u32) -> &'a [u8] {
    let at = row_usize(code);
    let start = at.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    bytes.get(start..ends.get(at).copied().unwrap_or(start)).unwrap_or_default()
}

/// The values of a column, from the narrowest form to the widest.
#[derive(Clone, Debug)]
pub(super) enum Column {
    /// Equal to the first of these fields, a bit per place in [`Fields`], in every row so far; the others were in the
    /// first row.
    Fields(u64),
    /// Numbers written in one way.
    Numbers(Notation, Vec<i64>),
    /// Values that repeat.
    Terms(Terms),
    /// Values that do not: one behind the other, and the length of each.
    Raw(Vec<u8>, Vec<u32>),
}

impl Column {
    /// A column whose first value is `value`.
    pub(super) fn new(value: &[u8], row: u32, fields: &Fields<'_>) -> Self {
        let same = fields.equal_to(u64::MAX, row, value);
        if same != 0 {
            return Self::Fields(same);
        }
        let mut column = Self::next(0);
        column.push(value, row, &[], fields);
        column
    }

    /// An empty column of the form behind `form`.
    fn next(form: usize) -> Self {
        match Notation::ALL.get(form) {
            Some(notation) => Self::Numbers(*notation, Vec::new()),
            None if form == Notation::ALL.len() => Self::Terms(Terms::default()),
            None => Self::Raw(Vec::new(), Vec::new()),
        }
    }

    /// What to give [`Column::next`] for the form behind this one.
    fn form(&self) -> usize {
        match self {
            Self::Fields(_) => 0,
            Self::Numbers(notation, _) => 1 + Notation::ALL.iter().position(|other| other == notation).unwrap_or(0),
            Self::Terms(_) | Self::Raw(..) => 1 + Notation::ALL.len(),
        }
    }

    /// Bytes of values that are held as they are.
    pub(super) fn held_size(&self) -> usize {
        match self {
            Self::Fields(_) | Self::Numbers(..) => 0,
            Self::Terms(terms) => terms.bytes.len(),
            Self::Raw(bytes, _) => bytes.len(),
        }
    }

    /// Adds the value of `row`; `before` are the rows of the values so far.
    #[inline]
    pub(super) fn push(&mut self, value: &[u8], row: u32, before: &[u32], fields: &Fields<'_>) {
        while !self.accept(value, row, fields) {
            self.widen(before, fields);
        }
    }

    /// Adds a value if the form can hold it.
    #[inline]
    fn accept(&mut self, value: &[u8], row: u32, fields: &Fields<'_>) -> bool {
        match self {
            Self::Fields(candidates) => fields.is_first(*candidates, row, value),
            Self::Numbers(notation, numbers) => notation.read(value).map(|number| numbers.push(number)).is_some(),
            Self::Terms(terms) => terms.accept(value),
            Self::Raw(bytes, lengths) => {
                bytes.extend_from_slice(value);
                lengths.push(len_u32(value.len()));
                true
            }
        }
    }

    /// Brings the values so far into the next form that can hold them.
    #[cold]
    fn widen(&mut self, before: &[u32], fields: &Fields<'_>) {
        if let Self::Fields(candidates) = self {
            let mut left = *candidates & (*candidates - 1);
            while left != 0 {
                if before.iter().all(|row| fields.is_first(left, *row, &fields.term(*candidates, *row))) {
                    *candidates = left;
                    return;
                }
                left &= left - 1;
            }
        }
        let mut form = self.form();
        loop {
            let mut wider = Self::next(form);
            if self.all(before, fields, |value| wider.accept(value, 0, fields)) {
                *self = wider;
                return;
            }
            form += 1;
        }
    }

    /// Calls `visit` with every value until it says `false`.
    fn all(&self, rows: &[u32], fields: &Fields<'_>, mut visit: impl FnMut(&[u8]) -> bool) -> bool {
        match self {
            Self::Fields(candidates) => rows.iter().all(|row| visit(&fields.term(*candidates, *row))),
            Self::Numbers(notation, numbers) => {
                let mut text = Vec::new();
                numbers.iter().all(|number| {
                    text.clear();
                    notation.write(*number, &mut text);
                    visit(&text)
                })
            }
            Self::Terms(terms) => terms.codes.iter().all(|code| visit(terms.term(*code))),
            Self::Raw(bytes, lengths) => {
                let mut rest = bytes.as_slice();
                lengths.iter().all(|len| {
                    let (value, after) = rest.split_at_checked(row_usize(*len)).unwrap_or_default();
                    rest = after;
                    visit(value)
                })
            }
        }
    }

    /// The values without their repeats, one behind the other.
    pub(super) fn into_raw(self, rows: &[u32], fields: &Fields<'_>) -> (Vec<u8>, Vec<u32>) {
        let (mut bytes, mut lengths) = (Vec::new(), Vec::new());
        self.all(rows, fields, |value| {
            bytes.extend_from_slice(value);
            lengths.push(len_u32(value.len()));
            true
        });
        (bytes, lengths)
    }

    /// The values as terms, unless nearly all of them differ.
    pub(super) fn to_terms(&self, rows: &[u32], fields: &Fields<'_>) -> Option<Terms> {
        if let Self::Numbers(notation, numbers) = self
            && let (Some(least), Some(most)) = (numbers.iter().min(), numbers.iter().max())
            && most.checked_sub(*least).is_some_and(|span| usize::try_from(span).is_ok_and(|span| span <= NEAR_MAX))
        {
            return Terms::of_near_numbers(*notation, numbers, *least);
        }
        let mut terms = Terms::default();
        self.all(rows, fields, |value| terms.accept(value)).then_some(terms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn near_numbers_give_the_terms_of_their_texts(
            base in prop_oneof![Just(0_i64), Just(-3), any::<i64>()],
            offsets in proptest::collection::vec(0_i64..4_097, 0..2_000),
            distinct in 1_i64..4_097,
            dotted: bool,
        ) {
            let base = if dotted { base & 0xffff_0000 } else { base.min(i64::MAX - 5_000) };
            let notation = if dotted { Notation::Dotted } else { Notation::Decimal };
            let numbers: Vec<i64> = offsets.iter().map(|offset| base + offset % distinct).collect();
            let least = numbers.iter().copied().min().unwrap_or(0);
            let near = Terms::of_near_numbers(notation, &numbers, least);
            let mut terms = Terms::default();
            let mut text = Vec::new();
            let accepted = numbers.iter().all(|number| {
                text.clear();
                notation.write(*number, &mut text);
                terms.accept(&text)
            });
            prop_assert_eq!(near.is_some(), accepted);
            if let Some(near) = near {
                prop_assert_eq!((near.bytes, near.ends, near.codes), (terms.bytes, terms.ends, terms.codes));
            }
        }
    }
}
