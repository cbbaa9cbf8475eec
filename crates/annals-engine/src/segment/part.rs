//! A sealed segment and its overlay as a part of a snapshot.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::amended::AmendedCounts;
use crate::codec::row_usize;
use crate::error::{Error, Result};
use crate::event::{Marks, StoredEvent};
use crate::field::{FIELD_SLOTS, Field};
use crate::filter::evaluate::{Leaves, evaluate};
use crate::filter::text::TextTest;
use crate::filter::{Filter, TextField};
use crate::id::EventId;
use crate::overlay::Overlay;
use crate::part::{Counted, OrderKey, Part};
use crate::rows::RowSet;
use crate::scanned::scan;

use super::keyword::KeywordColumn;
use super::sealed::compact_rows;
use super::{SealedSegment, Stream};

/// Terms, and how many rows hold each.
type TermCounts = [(Box<str>, u32)];

/// One segment as one snapshot sees it.
#[derive(Debug)]
pub(crate) struct SealedPart {
    segment: Arc<SealedSegment>,
    overlay: Arc<Overlay>,
    /// By field number, of fields with few terms: each term, in the order of codes, and how many rows that are not
    /// deleted hold it. Neither the segment nor the overlay of a part ever change.
    live_terms: Vec<OnceLock<Box<TermCounts>>>,
}

/// A term is looked up row by row if that many times as many rows hold it: to read a row's code costs as
/// much as to decode so many rows of a posting.
const LOOKED_UP_ONE_IN: u32 = 4;

/// Rows whose codes are looked up together.
const GATHERED: usize = 512;

/// A field with at most so many terms has its counts kept: a few kilobytes for each part.
const KEPT_TERMS_MAX: u32 = 256;

impl SealedPart {
    /// The segment with these changes.
    pub(crate) fn new(segment: Arc<SealedSegment>, overlay: Arc<Overlay>) -> Self {
        let live_terms = (0..FIELD_SLOTS).map(|_| OnceLock::new()).collect();
        Self { segment, overlay, live_terms }
    }

    fn deleted(&self, row: u32) -> bool {
        self.overlay.tombstones.contains(row)
    }

    /// Counts per code over everything that is not deleted: what the index says less the deleted rows.
    fn live_counts(&self, column: &KeywordColumn) -> Result<Vec<u32>> {
        let file = &self.segment.file;
        let mut counts = column.cardinalities(file, 1..column.dictionary.len() + 1)?;
        let mut codes = Vec::new();
        for row in self.overlay.tombstones.iter().take_while(|row| *row < self.segment.rows()) {
            column.codes_of(file, row, &mut codes)?;
            for code in &codes {
                if let Some(count) = counts.get_mut(row_usize(code.saturating_sub(1))) {
                    *count = count.saturating_sub(1);
                }
            }
        }
        Ok(counts)
    }

    /// How many rows are not deleted.
    fn live_rows(&self) -> u32 {
        let rows = self.segment.rows();
        let deleted = self.overlay.tombstones.range_cardinality(..rows);
        rows.saturating_sub(u32::try_from(deleted).unwrap_or(u32::MAX))
    }

    /// The terms of a field and how many rows that are not deleted hold each, if there are few.
    fn live_terms(&self, column: &KeywordColumn) -> Result<Option<&TermCounts>> {
        let slot = self.live_terms.get(column.field.index());
        let Some(slot) = slot.filter(|_| column.dictionary.len() <= KEPT_TERMS_MAX) else { return Ok(None) };
        if let Some(terms) = slot.get() {
            return Ok(Some(terms));
        }
        let mut terms = Vec::new();
        for (code, count) in (1..).zip(self.live_counts(column)?) {
            self.with_term(column, code, |term| terms.push((Box::from(term), count)))?;
        }
        Ok(Some(slot.get_or_init(|| terms.into_boxed_slice())))
    }

    /// Calls `visit` with the term of a code.
    fn with_term(&self, column: &KeywordColumn, code: u32, visit: impl FnOnce(&str)) -> Result<()> {
        let file = &self.segment.file;
        let term = column.dictionary.term(file, code)?;
        let text = std::str::from_utf8(&term).map_err(|source| {
            let message = format!("{} has a term that is no UTF-8", column.field);
            Error::corrupt(message).with_source(source).at_path(file.path())
        })?;
        visit(text);
        Ok(())
    }

    /// The column and the value that alone decide about a filter, which is a term: its postings are the
    /// answer, since no row is deleted and none has another value than it was appended with.
    fn only_term<'s>(&'s self, leaf: &'s Filter) -> Option<(&'s KeywordColumn, &'s str)> {
        let Filter::Term(field, value) = leaf else { return None };
        if !self.overlay.tombstones.is_empty() || !self.amended(*field).is_empty() {
            return None;
        }
        Some((self.segment.keyword(*field)?, value))
    }

    /// Takes the codes of rows off counts that hold them, which ascend by code.
    fn take_off(
        &self,
        column: &KeywordColumn,
        rows: impl Iterator<Item = u32>,
        counts: &mut [(u32, u32)],
    ) -> Result<()> {
        let mut codes = Vec::new();
        for row in rows {
            column.codes_of(&self.segment.file, row, &mut codes)?;
            for code in &codes {
                let at = counts.binary_search_by_key(code, |(code, _)| *code).ok();
                if let Some((_, count)) = at.and_then(|at| counts.get_mut(at)) {
                    *count = count.saturating_sub(1);
                }
            }
        }
        Ok(())
    }
}

/// Counts per code over `rows`, as pairs in code order.
fn counts_of(segment: &SealedSegment, column: &KeywordColumn, rows: &RowSet) -> Result<Vec<(u32, u32)>> {
    let mut codes = Vec::new();
    let terms = column.dictionary.len();
    // Few rows of many terms: sorting the codes seen is cheaper than a table of all.
    if rows.len() < terms / 4 {
        scan(rows.len());
        let mut seen = Vec::new();
        for row in rows.iter() {
            column.codes_of(&segment.file, row, &mut codes)?;
            seen.append(&mut codes);
        }
        seen.sort_unstable();
        return Ok(seen
            .chunk_by(|a, b| a == b)
            .filter_map(|run| Some((*run.first()?, crate::codec::len_u32(run.len()))))
            .collect());
    }
    if rows.len() <= segment.rows() / 4 {
        return gathered_counts(segment, column, rows);
    }
    scan(segment.rows());
    let mut counts = vec![0_u32; row_usize(terms) + 1];
    let mut add = |code: u32| {
        if let Some(count) = counts.get_mut(row_usize(code)) {
            *count += 1;
        }
    };
    let mut wanted = rows.iter().peekable();
    column.scan(&segment.file, |row, code| {
        while wanted.next_if(|next| *next < row).is_some() {}
        if wanted.peek() == Some(&row) {
            add(code);
        }
    })?;
    Ok((0..).zip(counts).skip(1).collect())
}

/// The same for few of the rows, which are looked up some hundred at a time.
fn gathered_counts(segment: &SealedSegment, column: &KeywordColumn, rows: &RowSet) -> Result<Vec<(u32, u32)>> {
    let mut counts = vec![0_u32; row_usize(column.dictionary.len()) + 1];
    each_gathered(segment, column, rows, |_, codes| {
        for code in codes {
            if let Some(count) = counts.get_mut(row_usize(*code)) {
                *count += 1;
            }
        }
    })?;
    Ok((0..).zip(counts).skip(1).collect())
}

/// Calls `visit` with each of `rows` that has a value, and its codes.
fn each_gathered(
    segment: &SealedSegment,
    column: &KeywordColumn,
    rows: &RowSet,
    mut visit: impl FnMut(u32, &[u32]),
) -> Result<()> {
    scan(rows.len());
    let usual = row_usize(rows.len()).min(GATHERED);
    let (mut some, mut codes) = (Vec::with_capacity(usual), Vec::with_capacity(usual));
    let mut left = rows.iter();
    loop {
        some.clear();
        some.extend(left.by_ref().take(GATHERED));
        if some.is_empty() {
            return Ok(());
        }
        column.each_codes(&segment.file, &some, &mut codes, |at, codes| {
            if let Some(row) = some.get(at) {
                visit(*row, codes);
            }
            Ok(())
        })?;
    }
}

impl Part for SealedPart {
    fn row_count(&self) -> u32 {
        self.segment.rows()
    }

    fn time_bounds_us(&self) -> (i64, i64) {
        self.segment.time_bounds_us()
    }

    fn sequence_bounds(&self) -> (u64, u64) {
        self.segment.sequence_bounds()
    }

    fn key(&self, row: u32) -> Result<OrderKey> {
        self.segment.key(row)
    }

    fn lower_bound(&self, key: OrderKey) -> Result<u32> {
        self.segment.lower_bound(key)
    }

    fn select(&self, filter: &Filter) -> Result<RowSet> {
        let rows = evaluate(filter, self)?;
        if self.overlay.tombstones.is_empty() {
            return Ok(rows);
        }
        // A list is thinned row by row; anything else by bitmap arithmetic without copying the tombstones.
        Ok(match rows {
            RowSet::List(mut rows) => {
                rows.retain(|row| !self.deleted(*row));
                RowSet::List(rows)
            }
            rows => RowSet::Bitmap(rows.to_bitmap() - &self.overlay.tombstones),
        })
    }

    fn count(&self, filter: &Filter) -> Result<Option<Counted>> {
        let Some(leaf) = filter.only_leaf(self.time_bounds_us()) else { return Ok(None) };
        if *leaf == Filter::All {
            return Ok(Some(Counted::rows(self.live_rows())));
        }
        let Some((column, value)) = self.only_term(leaf) else { return Ok(None) };
        Ok(Some(match column.dictionary.find(&self.segment.file, value.as_bytes())? {
            Some(code) => Counted { rows: column.cardinality(&self.segment.file, code)?, code },
            None => Counted::rows(0),
        }))
    }

    fn select_ranks(&self, filter: &Filter, counted: Option<Counted>, ranks: Range<u32>) -> Result<RowSet> {
        if let Some(leaf) = filter.only_leaf(self.time_bounds_us())
            && let Some((column, value)) = self.only_term(leaf)
            && let Some(code) = match counted {
                Some(Counted { code: 1.., .. }) => counted.map(|counted| counted.code),
                _ => column.dictionary.find(&self.segment.file, value.as_bytes())?,
            }
        {
            return Ok(RowSet::from_sorted(column.ranked(&self.segment.file, code, ranks)?));
        }
        let rows = self.select(filter)?;
        Ok(match &rows {
            RowSet::Range(all) => {
                let ranks = ranks.start.min(rows.len())..ranks.end.min(rows.len());
                RowSet::from_range(all.start + ranks.start..all.start + ranks.end)
            }
            rows => RowSet::from_sorted(rows.iter_ranks(ranks).collect()),
        })
    }

    fn count_by(&self, field: Field, rows: &RowSet, visit: &mut dyn FnMut(&str, u32)) -> Result<()> {
        let amended = self.amended(field);
        let mut amended_counts = AmendedCounts::new(&amended, rows);
        let Some(column) = self.segment.keyword(field) else {
            amended_counts.finish(visit);
            return Ok(());
        };
        let everything = rows.len() == self.live_rows();
        if everything
            && amended.is_empty()
            && let Some(terms) = self.live_terms(column)?
        {
            for (term, count) in terms.iter().filter(|(_, count)| *count > 0) {
                visit(term, *count);
            }
            return Ok(());
        }
        // Rows that are deleted are taken off one by one: worth it while they are the smaller part.
        let mut counts: Vec<(u32, u32)> = if everything && self.live_rows() >= self.segment.rows() / 2 {
            (1..).zip(self.live_counts(column)?).collect()
        } else {
            counts_of(&self.segment, column, rows)?
        };
        self.take_off(column, amended.iter().map(|(row, _)| *row).filter(|row| rows.contains(*row)), &mut counts)?;
        let terms = self.live_terms(column)?.unwrap_or_default();
        for (code, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            match terms.get(row_usize(code.saturating_sub(1))) {
                Some((term, _)) => amended_counts.visit(term, count, visit),
                None => self.with_term(column, code, |term| amended_counts.visit(term, count, visit))?,
            }
        }
        amended_counts.finish(visit);
        Ok(())
    }

    fn event(&self, row: u32) -> Result<StoredEvent> {
        let mut event = self.segment.event(row, Marks { acknowledged: self.overlay.acknowledged.contains(row) })?;
        if let Some(amended) = self.overlay.amendments.get(row) {
            amended.apply(&mut event);
        }
        Ok(event)
    }

    fn events(&self, rows: &[u32]) -> Result<Vec<StoredEvent>> {
        let marks = |row| Marks { acknowledged: self.overlay.acknowledged.contains(row) };
        let mut events = self.segment.events(rows, marks)?;
        if !self.overlay.amendments.is_empty() {
            for (row, event) in rows.iter().zip(&mut events) {
                if let Some(amended) = self.overlay.amendments.get(*row) {
                    amended.apply(event);
                }
            }
        }
        Ok(events)
    }

    fn find_id(&self, id: EventId) -> Result<Vec<u32>> {
        let mut rows = self.segment.find_id(id)?;
        rows.retain(|row| !self.deleted(*row));
        Ok(rows)
    }

    fn find_sequence(&self, sequence: u64) -> Result<Option<u32>> {
        Ok(self.segment.find_sequence(sequence)?.filter(|row| !self.deleted(*row)))
    }
}

impl Leaves for SealedPart {
    fn row_count(&self) -> u32 {
        self.segment.rows()
    }

    fn term(&self, field: Field, value: &str) -> Result<RowSet> {
        let Some(column) = self.segment.keyword(field) else { return Ok(RowSet::empty()) };
        match column.dictionary.find(&self.segment.file, value.as_bytes())? {
            Some(code) => column.posting(&self.segment.file, code),
            None => Ok(RowSet::empty()),
        }
    }

    fn term_count(&self, field: Field, value: &str) -> Result<Option<u32>> {
        let file = &self.segment.file;
        let Some(column) = self.segment.keyword(field) else { return Ok(Some(0)) };
        let code = column.dictionary.find(file, value.as_bytes())?;
        code.map_or(Ok(0), |code| column.cardinality(file, code)).map(Some)
    }

    fn term_among(&self, field: Field, value: &str, candidates: &RowSet) -> Result<RowSet> {
        let file = &self.segment.file;
        let Some(column) = self.segment.keyword(field) else { return Ok(RowSet::empty()) };
        let Some(code) = column.dictionary.find(file, value.as_bytes())? else { return Ok(RowSet::empty()) };
        let all = candidates.len() == self.segment.rows();
        if all || candidates.len() > column.cardinality(file, code)? / LOOKED_UP_ONE_IN {
            let rows = column.posting(file, code)?;
            return Ok(if all { rows } else { candidates.intersect(&rows) });
        }
        let mut rows = Vec::new();
        each_gathered(&self.segment, column, candidates, |row, codes| {
            if codes.contains(&code) {
                rows.push(row);
            }
        })?;
        Ok(compact_rows(rows, self.segment.rows()))
    }

    fn prefix(&self, field: Field, prefix: &str) -> Result<RowSet> {
        let Some(column) = self.segment.keyword(field) else { return Ok(RowSet::empty()) };
        let codes = column.dictionary.prefix(&self.segment.file, prefix.as_bytes())?;
        column.postings(&self.segment.file, codes)
    }

    fn within(&self, field: Field, values: &[String]) -> Result<RowSet> {
        let file = &self.segment.file;
        let Some(column) = self.segment.keyword(field) else { return Ok(RowSet::empty()) };
        let mut allowed = Vec::new();
        let mut candidates = RowSet::empty();
        for value in values {
            if let Some(code) = column.dictionary.find(file, value.as_bytes())? {
                allowed.push(code);
                candidates = candidates.union(&column.posting(file, code)?);
            }
        }
        scan(candidates.len());
        let mut rows = Vec::new();
        let mut codes = Vec::new();
        for row in candidates.iter() {
            column.codes_of(file, row, &mut codes)?;
            if codes.iter().all(|code| allowed.contains(code)) {
                rows.push(row);
            }
        }
        Ok(compact_rows(rows, self.segment.rows()))
    }

    fn created_between(&self, from_us: i64, to_us: i64) -> Result<RowSet> {
        let start = self.segment.lower_bound(OrderKey { created_at_us: from_us, sequence: 0 })?;
        let end = self.segment.lower_bound(OrderKey { created_at_us: to_us, sequence: 0 })?;
        Ok(RowSet::from_range(start..end))
    }

    fn sequence_between(&self, from: u64, to: u64) -> Result<RowSet> {
        self.segment.sequence_range(from, to)
    }

    fn acknowledged(&self) -> Result<RowSet> {
        Ok(RowSet::from_bitmap(self.overlay.acknowledged.clone()))
    }

    fn amended(&self, field: Field) -> Vec<(u32, &[String])> {
        if self.overlay.amendments.is_empty() {
            return Vec::new();
        }
        self.overlay.amendments.values(field, 0..self.segment.rows()).collect()
    }

    fn text(&self, field: TextField, candidates: &RowSet, test: &TextTest<'_>) -> Result<RowSet> {
        let search =
            |stream| self.segment.stream(stream).search(&self.segment.file, &self.segment.fields, candidates, test);
        match field {
            TextField::Message => search(Stream::Message),
            TextField::Content => search(Stream::Content),
            TextField::MessageOrContent => Ok(search(Stream::Message)?.union(&search(Stream::Content)?)),
        }
    }
}
