//! Fields whose columns hold hashes: a hash chooses candidates, the record decides.

use std::collections::BTreeMap;

use super::part::LivePart;
use super::segment::hash_code;
use crate::batch::term_hash;
use crate::error::Result;
use crate::field::Field;
use crate::record::RecordValue;
use crate::rows::RowSet;
use crate::scanned::scan;
use crate::term::{self, Form, Packed};

/// A value as records hold it, prepared once per query.
pub(super) struct Wanted<'v> {
    text: &'v str,
    packed: Option<(Form, Packed)>,
    pub(super) code: u32,
}

impl<'v> Wanted<'v> {
    pub(super) fn new(text: &'v str) -> Self {
        Self { text, packed: term::pack(text.as_bytes()), code: hash_code(term_hash(text.as_bytes())) }
    }

    fn is(&self, value: &RecordValue<'_>) -> bool {
        match &self.packed {
            None => value.form == Form::Text && value.bytes == self.text.as_bytes(),
            Some((form, stored)) => value.form == *form && value.bytes == stored.as_slice(),
        }
    }
}

impl LivePart {
    /// The rows of `candidates` whose values of `field` pass, read from their records.
    fn verified(&self, field: Field, candidates: &RowSet, test: impl Fn(&[RecordValue<'_>]) -> bool) -> Result<RowSet> {
        scan(candidates.len());
        let mut rows = Vec::new();
        for row in candidates.iter() {
            if self.with_record(row, |record| Ok(test(&record.values_of(field)?)))? {
                rows.push(row);
            }
        }
        Ok(RowSet::from_sorted(rows))
    }

    pub(super) fn hashed_term(&self, field: Field, value: &str) -> Result<RowSet> {
        let wanted = Wanted::new(value);
        let candidates = self.scan(field, |code| code == wanted.code);
        self.verified(field, &candidates, |values| values.iter().any(|value| wanted.is(value)))
    }

    pub(super) fn hashed_prefix(&self, field: Field, prefix: &str) -> Result<RowSet> {
        let candidates = self.scan(field, |code| code != super::dictionary::ABSENT);
        self.verified(field, &candidates, |values| {
            values.iter().any(|value| match value.form {
                Form::Text => value.bytes.starts_with(prefix.as_bytes()),
                form => term::unpack(form, value.bytes).as_slice().starts_with(prefix.as_bytes()),
            })
        })
    }

    pub(super) fn hashed_within(&self, field: Field, values: &[String]) -> Result<RowSet> {
        let wanted: Vec<Wanted<'_>> = values.iter().map(|value| Wanted::new(value)).collect();
        let candidates = self.scan_within(field, |code| wanted.iter().any(|wanted| wanted.code == code));
        self.verified(field, &candidates, |values| {
            values.iter().all(|value| wanted.iter().any(|wanted| wanted.is(value)))
        })
    }

    /// How many of `rows` hold each value, in byte order. Reads the record of every row.
    pub(super) fn hashed_counts(&self, field: Field, rows: &RowSet) -> Result<BTreeMap<Vec<u8>, u32>> {
        scan(rows.len());
        let mut counts = BTreeMap::new();
        for row in rows.iter() {
            self.with_record(row, |record| {
                for value in record.values_of(field)? {
                    let mut text = Vec::new();
                    term::text_into(value.form, value.bytes, &mut text);
                    *counts.entry(text).or_default() += 1;
                }
                Ok(())
            })?;
        }
        Ok(counts)
    }
}
