//! Values of keyword fields, taken off the records while these are walked: fields of too many values for the live
//! rows to have codes of.

use crate::batch::term_hash;
use crate::codec::len_u32;
use crate::error::{Error, Result};
use crate::field::{FIELD_SLOTS, Field, FieldSet, Values};
use crate::live::{ABSENT, LiveDictionary};
use crate::record::RecordValue;
use crate::segment::{Identifiers, KeywordCodes};
use crate::term::Form;

/// The texts of terms, one behind the other.
#[derive(Debug)]
pub(crate) struct TermTexts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl TermTexts {
    /// The texts of these codes.
    pub(crate) fn new(dictionary: &LiveDictionary, codes: impl Iterator<Item = u32>) -> Self {
        let mut texts = Self { bytes: Vec::new(), ends: vec![0] };
        for code in codes {
            dictionary.text_into(code, &mut texts.bytes);
            texts.ends.push(texts.bytes.len());
        }
        texts
    }

    pub(crate) fn as_slices(&self) -> Vec<&[u8]> {
        let bounds = self.ends.iter().zip(self.ends.iter().skip(1));
        bounds.map(|(start, end)| self.bytes.get(*start..*end).unwrap_or_default()).collect()
    }
}

/// The fields that are read from the records.
pub(crate) struct RecordFields {
    /// By field number.
    fields: Vec<Option<FieldValues>>,
    rows: usize,
}

impl RecordFields {
    /// Nothing yet of these fields; there will be so many rows.
    pub(crate) fn new(fields: FieldSet, rows: usize) -> Self {
        let mut slots: Vec<Option<FieldValues>> = (0..FIELD_SLOTS).map(|_| None).collect();
        for field in fields.iter() {
            if let Some(slot) = slots.get_mut(field.index()) {
                *slot = Some(FieldValues::new(field, rows));
            }
        }
        Self { fields: slots, rows }
    }

    /// How many rows there will be.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Takes a value of the row, if its field is one of these. Rows ascend.
    #[inline]
    pub(crate) fn take(&mut self, row: usize, value: &RecordValue<'_>) -> Result<()> {
        match self.fields.get_mut(usize::from(value.tag)) {
            Some(Some(field)) => field.take(row, value),
            _ => Ok(()),
        }
    }

    /// The values of each field, once all rows were taken.
    pub(crate) fn finish(self) -> impl Iterator<Item = (Field, TermTexts, KeywordCodes)> {
        let rows = self.rows;
        self.fields.into_iter().flatten().map(move |field| field.finish(rows))
    }
}

struct FieldValues {
    field: Field,
    taken: Taken,
    rows: usize,
}

/// The narrowest form that has held every value so far.
enum Taken {
    Nothing,
    Identifiers(Identifiers),
    Terms(FieldTerms),
}

impl FieldValues {
    fn new(field: Field, rows: usize) -> Self {
        // What is written of payloads may depend on which event types are equal, so they have codes.
        let by_number = field.values() == Values::Single && field != Field::EventType;
        let taken = if by_number { Taken::Nothing } else { Taken::Terms(FieldTerms::new(field, rows)) };
        Self { field, taken, rows }
    }

    #[inline]
    fn take(&mut self, row: usize, value: &RecordValue<'_>) -> Result<()> {
        loop {
            match &mut self.taken {
                Taken::Terms(terms) => return terms.push(row, value.form, value.bytes),
                Taken::Identifiers(values) => {
                    values.fill(row);
                    if values.rows() != row {
                        return Err(twice(self.field));
                    }
                    if values.push(value.form, value.bytes) {
                        return Ok(());
                    }
                }
                Taken::Nothing => {}
            }
            self.widen(value)?;
        }
    }

    /// Brings the values so far into a form that can hold this one as well.
    #[cold]
    fn widen(&mut self, value: &RecordValue<'_>) -> Result<()> {
        let like = Identifiers::like(value.form, value.bytes, self.rows);
        self.taken = match (std::mem::replace(&mut self.taken, Taken::Nothing), like) {
            (Taken::Nothing, Some(values)) => Taken::Identifiers(values),
            (before, _) => Taken::Terms(FieldTerms::from(self.field, &before, self.rows)?),
        };
        Ok(())
    }

    fn finish(self, rows: usize) -> (Field, TermTexts, KeywordCodes) {
        let no_texts = TermTexts { bytes: Vec::new(), ends: vec![0] };
        match self.taken {
            Taken::Nothing => (self.field, no_texts, KeywordCodes::Single(vec![ABSENT; rows])),
            Taken::Identifiers(mut values) => {
                values.fill(rows);
                (self.field, no_texts, KeywordCodes::Identifiers(values))
            }
            Taken::Terms(terms) => terms.finish(rows),
        }
    }
}

#[cold]
fn twice(field: Field) -> Error {
    Error::corrupt(format!("a record has {field} twice"))
}

/// A field whose terms are interned.
struct FieldTerms {
    field: Field,
    dictionary: LiveDictionary,
    codes: Vec<u32>,
    ends: Vec<u32>,
}

impl FieldTerms {
    fn new(field: Field, rows: usize) -> Self {
        // Fields that come here have many terms: a table that starts small would be filled again and again.
        let dictionary = LiveDictionary::with_capacity(rows / 8);
        Self { field, dictionary, codes: Vec::with_capacity(rows), ends: Vec::new() }
    }

    /// The values taken so far, interned.
    fn from(field: Field, taken: &Taken, rows: usize) -> Result<Self> {
        let mut terms = Self::new(field, rows);
        if let Taken::Identifiers(values) = taken {
            let form = values.stored_form();
            for (row, value) in values.stored().enumerate() {
                if let Some((bytes, size)) = value {
                    terms.push(row, form, bytes.get(..size).unwrap_or_default())?;
                }
            }
        }
        Ok(terms)
    }

    fn push(&mut self, row: usize, form: Form, stored: &[u8]) -> Result<()> {
        match self.field.values() {
            Values::Single if self.codes.len() > row => return Err(twice(self.field)),
            Values::Single => self.codes.resize(row, ABSENT),
            Values::Multiple => self.ends.resize(row, len_u32(self.codes.len())),
        }
        self.codes.push(self.dictionary.intern(term_hash(stored), form, stored));
        Ok(())
    }

    fn finish(mut self, rows: usize) -> (Field, TermTexts, KeywordCodes) {
        let texts = TermTexts::new(&self.dictionary, 1..=self.dictionary.len());
        let codes = match self.field.values() {
            Values::Single => {
                self.codes.resize(rows, ABSENT);
                KeywordCodes::Single(self.codes)
            }
            Values::Multiple => {
                self.ends.resize(rows, len_u32(self.codes.len()));
                KeywordCodes::Multiple { ends: self.ends, codes: self.codes }
            }
        };
        (self.field, texts, codes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::term;

    /// What the values of `field` come back as, row by row, and whether they came as identifiers.
    fn back(field: Field, values: &[Vec<String>]) -> (Vec<Vec<String>>, bool) {
        let mut set = FieldSet::default();
        set.insert(field);
        let mut fields = RecordFields::new(set, values.len());
        for (row, values) in values.iter().enumerate() {
            for value in values {
                let packed = term::pack(value.as_bytes());
                let stored = packed.as_ref().map_or(value.as_bytes(), |(_, stored)| stored.as_slice());
                let form = packed.map_or(Form::Text, |(form, _)| form);
                fields.take(row, &RecordValue { tag: field.number(), form, bytes: stored }).unwrap();
            }
        }
        let (_, texts, codes) = fields.finish().next().unwrap();
        let terms = texts.as_slices();
        let term = |code: &u32| (*code > 0).then(|| String::from_utf8(terms[*code as usize - 1].to_vec()).unwrap());
        match codes {
            KeywordCodes::Single(codes) => (codes.iter().map(|code| term(code).into_iter().collect()).collect(), false),
            KeywordCodes::Multiple { ends, codes } => {
                let starts = std::iter::once(0).chain(ends.iter().copied());
                let rows = starts.zip(&ends).map(|(start, end)| &codes[start as usize..*end as usize]);
                (rows.map(|codes| codes.iter().filter_map(term).collect()).collect(), false)
            }
            KeywordCodes::Identifiers(values) => {
                let text = |(bytes, size): ([u8; 16], usize)| {
                    let text = term::unpack(values.stored_form(), &bytes[..size]).as_slice().to_vec();
                    String::from_utf8(text).unwrap()
                };
                (values.stored().map(|value| value.map(text).into_iter().collect()).collect(), true)
            }
        }
    }

    proptest! {
        #[test]
        fn values_come_back_in_whichever_form(
            numbers in proptest::collection::vec(proptest::option::of(0_u64..40), 0..60),
            odd in proptest::option::of((0_usize..80, prop_oneof![Just("0123456789abcdef"), Just("no identifier")])),
            uuids: bool,
        ) {
            let text = |number: u64| {
                let id = u128::from(number) << 70 | u128::from(number);
                if uuids { crate::id::EventId::from_u128(id).to_string() } else { format!("{id:024x}") }
            };
            let mut values: Vec<Vec<String>> = numbers.iter().map(|number| number.iter().copied().map(text).collect()).collect();
            let mut is_odd = false;
            if let Some((at, odd)) = odd && let Some(slot) = values.get_mut(at) {
                *slot = vec![odd.to_owned()];
                is_odd = true;
            }
            let all = values.iter().flatten().count();
            let (single, as_identifiers) = back(Field::ResourceId, &values);
            prop_assert_eq!(&single, &values);
            prop_assert!(!is_odd || !as_identifiers || all == 1);
            prop_assert!(is_odd || all == 0 || as_identifiers);
            for row in &mut values {
                let more: Vec<String> = row.iter().map(|value| format!("{value}2")).collect();
                row.extend(more);
            }
            prop_assert_eq!(back(Field::RealmIds, &values), (values, false));
        }
    }

    #[test]
    fn a_value_too_many_is_refused() {
        let mut set = FieldSet::default();
        set.insert(Field::UserId);
        for (form, bytes) in [(Form::Hex, &b"0123456789ab"[..]), (Form::Text, &b"name"[..])] {
            let mut fields = RecordFields::new(set, 2);
            let value = RecordValue { tag: Field::UserId.number(), form, bytes };
            fields.take(0, &value).unwrap();
            assert!(fields.take(0, &value).is_err());
        }
    }
}
