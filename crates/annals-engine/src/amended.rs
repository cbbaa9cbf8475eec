//! What amendments changed about events: the values that stand in place of those appended.
//! `docs/format.md`, "Amendment".

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Range;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::codec::{Reader, len_u64, put_bytes, put_varint, take_bytes};
use crate::error::{Error, Result};
use crate::event::{CREATED_AT_US_MAX, CREATED_AT_US_MIN, RecordValues, StoredEvent, tag};
use crate::field::{Field, VALUES_MAX, Values};
use crate::requests::Amendment;
use crate::rows::RowSet;

/// The keyword fields that can be amended, ascending.
const AMENDABLE: [Field; 5] =
    [Field::Severity, Field::NotificationType, Field::IsPublic, Field::IsGlobal, Field::TargetUserIds];

mod expiry {
    pub(super) const AS_IT_WAS: u8 = 0;
    pub(super) const NEVER: u8 = 1;
    pub(super) const AT: u8 = 2;
}

/// What is different about one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Amended {
    /// New values, ascending by field; an empty list: the event has none any more.
    fields: Vec<(Field, Vec<String>)>,
    #[expect(clippy::option_option, reason = "as in `Amendment`: as it was, never, or a time")]
    expires_at_us: Option<Option<i64>>,
    updated_at_us: i64,
}

impl Amended {
    /// What a caller asks for, checked against the limits.
    ///
    /// # Errors
    /// `InvalidInput` naming the field and the limit.
    pub(crate) fn new(amendment: &Amendment) -> Result<Self> {
        let text = |text: &Option<String>| text.clone().map(|text| vec![text]);
        let flag = |flag: Option<bool>| flag.map(|flag| vec![flag.to_string()]);
        let asked = [
            text(&amendment.severity),
            text(&amendment.notification_type),
            flag(amendment.is_public),
            flag(amendment.is_global),
            amendment.target_user_ids.clone(),
        ];
        let mut fields = Vec::new();
        for (field, values) in AMENDABLE.into_iter().zip(asked) {
            if let Some(values) = values {
                check_values(field, &values).map_err(Error::invalid_input)?;
                fields.push((field, distinct(values)));
            }
        }
        check_time("expires_at", amendment.expires_at_us.flatten().unwrap_or_default())
            .and_then(|()| check_time("updated_at", amendment.updated_at_us))
            .map_err(Error::invalid_input)?;
        Ok(Self { fields, expires_at_us: amendment.expires_at_us, updated_at_us: amendment.updated_at_us })
    }

    /// The values a field has now; `None` if it is as it was.
    pub(crate) fn values(&self, field: Field) -> Option<&[String]> {
        let at = self.fields.binary_search_by_key(&field, |(field, _)| *field).ok()?;
        self.fields.get(at).map(|(_, values)| values.as_slice())
    }

    /// What both say together; the later one decides.
    fn followed_by(&self, later: &Self) -> Self {
        let mut fields: BTreeMap<Field, Vec<String>> = self.fields.iter().cloned().collect();
        fields.extend(later.fields.iter().cloned());
        Self {
            fields: fields.into_iter().collect(),
            expires_at_us: later.expires_at_us.or(self.expires_at_us),
            updated_at_us: later.updated_at_us,
        }
    }

    /// Shows the event as it is now.
    pub(crate) fn apply(&self, event: &mut StoredEvent) {
        let mut numbers = event.numbers();
        for (field, _) in &self.fields {
            numbers.remove(*field);
        }
        let old = std::mem::take(&mut event.values);
        let mut values = RecordValues { bytes: Vec::with_capacity(old.bytes.len()), spans: Vec::new() };
        for number in 1..tag::END {
            let new = Field::from_number(number).and_then(|field| self.values(field));
            match (number, new, self.expires_at_us) {
                (_, Some(new), _) => new.iter().for_each(|value| values.push(number, value.as_bytes())),
                (tag::EXPIRES_AT, _, Some(new)) => {
                    if let Some(expires_at_us) = new {
                        values.push(number, &expires_at_us.to_le_bytes());
                    }
                }
                (tag::UPDATED_AT, _, _) => values.push(number, &self.updated_at_us.to_le_bytes()),
                (tag::NUMBERS, _, _) => {
                    if !numbers.is_empty() {
                        values.push(number, &numbers.bits().to_le_bytes());
                    }
                }
                _ => old.all(number).for_each(|value| values.push(number, value)),
            }
        }
        event.values = values;
    }

    /// Appends the stored form.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, len_u64(self.fields.len()));
        for (field, values) in &self.fields {
            out.push(field.number());
            put_varint(out, len_u64(values.len()));
            for value in values {
                put_bytes(out, value.as_bytes());
            }
        }
        match self.expires_at_us {
            None => out.push(expiry::AS_IT_WAS),
            Some(None) => out.push(expiry::NEVER),
            Some(Some(expires_at_us)) => {
                out.push(expiry::AT);
                out.extend_from_slice(&expires_at_us.to_le_bytes());
            }
        }
        out.extend_from_slice(&self.updated_at_us.to_le_bytes());
    }

    /// Bytes of the stored form.
    pub(crate) fn size_bytes(&self) -> usize {
        let mut out = Vec::new();
        self.put(&mut out);
        out.len()
    }

    /// Takes the stored form off `reader`.
    pub(crate) fn take(reader: &mut Reader<'_>) -> Result<Self> {
        let count = reader.varint_len()?;
        let mut fields: Vec<(Field, Vec<String>)> = Vec::new();
        for _ in 0..count {
            let number = reader.u8()?;
            let field = Field::from_number(number).filter(|field| AMENDABLE.contains(field));
            let ascends = |field: &Field| fields.last().is_none_or(|(last, _)| last < field);
            let field = field.filter(ascends).ok_or_else(|| {
                Error::corrupt(format!("an amendment has field {number}, which is none of its own or out of order"))
            })?;
            fields.push((field, take_values(reader, field)?));
        }
        let expires_at_us = match reader.u8()? {
            expiry::AS_IT_WAS => None,
            expiry::NEVER => Some(None),
            expiry::AT => Some(Some(reader.i64()?)),
            other => return Err(Error::corrupt(format!("an amendment has expiry {other}"))),
        };
        let updated_at_us = reader.i64()?;
        check_time("expires_at", expires_at_us.flatten().unwrap_or_default())
            .and_then(|()| check_time("updated_at", updated_at_us))
            .map_err(Error::corrupt)?;
        Ok(Self { fields, expires_at_us, updated_at_us })
    }
}

fn take_values(reader: &mut Reader<'_>, field: Field) -> Result<Vec<String>> {
    let count = reader.varint_len()?;
    if count > VALUES_MAX {
        return Err(Error::corrupt(format!("an amendment has {count} values of {field}")));
    }
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        let bytes = take_bytes(reader)?;
        let text = std::str::from_utf8(bytes)
            .map_err(|source| Error::corrupt(format!("an amended {field} is not UTF-8")).with_source(source))?;
        values.push(text.to_owned());
    }
    check_values(field, &values).map_err(Error::corrupt)?;
    if distinct(values.clone()) != values {
        return Err(Error::corrupt(format!("an amended {field} has an empty value or one twice")));
    }
    Ok(values)
}

/// A set in the order given: repeats and empty texts are left out, as from an event.
fn distinct(values: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(values.len());
    for value in values {
        if !value.is_empty() && !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept
}

/// What is wrong with these values of a field, if anything.
fn check_values(field: Field, values: &[String]) -> Result<(), String> {
    let (count_max, size_max) = match field.values() {
        Values::Single => (1, field.value_size_max()),
        Values::Multiple => (VALUES_MAX, field.value_size_max()),
    };
    if values.len() > count_max {
        return Err(format!("{field} has {} values, the limit is {count_max}", values.len()));
    }
    match values.iter().map(String::len).max() {
        Some(size) if size > size_max => Err(format!("{field} has {size} bytes, the limit is {size_max}")),
        _ => Ok(()),
    }
}

fn check_time(name: &str, time_us: i64) -> Result<(), String> {
    if (CREATED_AT_US_MIN..=CREATED_AT_US_MAX).contains(&time_us) {
        return Ok(());
    }
    Err(format!("{name} lies outside 1970-01-01 to 9999-12-31 ({time_us} us)"))
}

/// The amended rows of one segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Amendments {
    /// Shared, so that other changes of the segment copy no texts.
    rows: Arc<BTreeMap<u32, Arc<Amended>>>,
    size_bytes: usize,
}

impl Amendments {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of the stored forms.
    pub(crate) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    pub(crate) fn get(&self, row: u32) -> Option<&Amended> {
        self.rows.get(&row).map(|amended| &**amended)
    }

    /// The amended rows, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Amended)> {
        self.rows.iter().map(|(row, amended)| (*row, &**amended))
    }

    /// The rows of a range in which a field has other values, ascending, with these values.
    pub(crate) fn values(&self, field: Field, rows: Range<u32>) -> impl Iterator<Item = (u32, &[String])> {
        self.rows.range(rows).filter_map(move |(row, amended)| Some((*row, amended.values(field)?)))
    }

    /// Amends a row, on top of what is there.
    pub(crate) fn amend(&mut self, row: u32, amended: &Amended) {
        let before = self.rows.get(&row);
        let next = before.map_or_else(|| amended.clone(), |before| before.followed_by(amended));
        self.size_bytes -= before.map_or(0, |before| before.size_bytes());
        self.size_bytes += next.size_bytes();
        Arc::make_mut(&mut self.rows).insert(row, Arc::new(next));
    }

    /// Forgets rows.
    pub(crate) fn remove(&mut self, rows: &RoaringBitmap) {
        if self.rows.keys().any(|row| rows.contains(*row)) {
            *self = self.moved(|row| (!rows.contains(row)).then_some(row));
        }
    }

    /// The same with other row numbers; rows that get none are forgotten.
    pub(crate) fn moved(&self, to: impl Fn(u32) -> Option<u32>) -> Self {
        let rows: BTreeMap<u32, Arc<Amended>> =
            self.rows.iter().filter_map(|(row, amended)| Some((to(*row)?, Arc::clone(amended)))).collect();
        let size_bytes = rows.values().map(|amended| amended.size_bytes()).sum();
        Self { rows: Arc::new(rows), size_bytes }
    }

    /// Adds the rows of another segment, none of which is here.
    pub(crate) fn extend(&mut self, other: &Self) {
        if !other.is_empty() {
            Arc::make_mut(&mut self.rows).extend(other.rows.iter().map(|(row, amended)| (*row, Arc::clone(amended))));
            self.size_bytes += other.size_bytes;
        }
    }
}

impl FromIterator<(u32, Amended)> for Amendments {
    fn from_iter<I: IntoIterator<Item = (u32, Amended)>>(rows: I) -> Self {
        let rows: BTreeMap<u32, Arc<Amended>> =
            rows.into_iter().map(|(row, amended)| (row, Arc::new(amended))).collect();
        let size_bytes = rows.values().map(|amended| amended.size_bytes()).sum();
        Self { rows: Arc::new(rows), size_bytes }
    }
}

/// How often amended rows hold which value, merged into a walk over the terms of all others.
pub(crate) struct AmendedCounts<'a> {
    left: Peekable<std::collections::btree_map::IntoIter<&'a str, u32>>,
}

impl<'a> AmendedCounts<'a> {
    /// Of those of the amended rows that are in `rows`.
    pub(crate) fn new(amended: &[(u32, &'a [String])], rows: &RowSet) -> Self {
        let mut counts = BTreeMap::new();
        for (_, values) in amended.iter().filter(|(row, _)| rows.contains(*row)) {
            for value in *values {
                *counts.entry(value.as_str()).or_insert(0) += 1;
            }
        }
        Self { left: counts.into_iter().peekable() }
    }

    /// Visits a term and what comes before it. Called with terms in byte order.
    pub(crate) fn visit(&mut self, term: &str, count: u32, visit: &mut dyn FnMut(&str, u32)) {
        while let Some((value, count)) = self.left.next_if(|(value, _)| *value < term) {
            visit(value, count);
        }
        let more = self.left.next_if(|(value, _)| *value == term).map_or(0, |(_, count)| count);
        if count + more > 0 {
            visit(term, count + more);
        }
    }

    /// Visits what comes behind the last term.
    pub(crate) fn finish(self, visit: &mut dyn FnMut(&str, u32)) {
        for (value, count) in self.left {
            visit(value, count);
        }
    }
}

#[cfg(test)]
mod tests;
