//! A sealed segment and its overlay as a part of a snapshot.

use std::sync::Arc;

use crate::amended::AmendedCounts;
use crate::codec::row_usize;
use crate::error::{Error, Result};
use crate::event::{Marks, StoredEvent};
use crate::field::Field;
use crate::filter::evaluate::{Leaves, evaluate};
use crate::filter::text::TextTest;
use crate::filter::{Filter, TextField};
use crate::id::EventId;
use crate::overlay::Overlay;
use crate::part::{OrderKey, Part};
use crate::rows::RowSet;

use super::keyword::KeywordColumn;
use super::sealed::compact_rows;
use super::{SealedSegment, Stream};

/// One segment as one snapshot sees it.
#[derive(Clone, Debug)]
pub(crate) struct SealedPart {
    segment: Arc<SealedSegment>,
    overlay: Arc<Overlay>,
}

impl SealedPart {
    /// The segment with these changes.
    pub(crate) fn new(segment: Arc<SealedSegment>, overlay: Arc<Overlay>) -> Self {
        Self { segment, overlay }
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
    let mut counts = vec![0_u32; row_usize(terms) + 1];
    let mut add = |code: u32| {
        if let Some(count) = counts.get_mut(row_usize(code)) {
            *count += 1;
        }
    };
    if rows.len() > segment.rows() / 4 {
        let mut wanted = rows.iter().peekable();
        column.scan(&segment.file, |row, code| {
            while wanted.next_if(|next| *next < row).is_some() {}
            if wanted.peek() == Some(&row) {
                add(code);
            }
        })?;
    } else {
        for row in rows.iter() {
            column.codes_of(&segment.file, row, &mut codes)?;
            for code in &codes {
                add(*code);
            }
        }
    }
    Ok((0..).zip(counts).skip(1).collect())
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

    fn count_by(&self, field: Field, rows: &RowSet, visit: &mut dyn FnMut(&str, u32)) -> Result<()> {
        let amended = self.amended(field);
        let mut amended_counts = AmendedCounts::new(&amended, rows);
        let Some(column) = self.segment.keyword(field) else {
            amended_counts.finish(visit);
            return Ok(());
        };
        let tombstones = self.overlay.tombstones.range_cardinality(..self.segment.rows());
        let live = u64::from(self.segment.rows()).saturating_sub(tombstones);
        let everything = u64::from(rows.len()) == live;
        let mut counts: Vec<(u32, u32)> = if everything && tombstones <= live {
            (1..).zip(self.live_counts(column)?).collect()
        } else {
            counts_of(&self.segment, column, rows)?
        };
        self.take_off(column, amended.iter().map(|(row, _)| *row).filter(|row| rows.contains(*row)), &mut counts)?;
        let file = &self.segment.file;
        for (code, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            let term = column.dictionary.term(file, code)?;
            let term = std::str::from_utf8(&term).map_err(|source| {
                Error::corrupt(format!("{field} has a term that is no UTF-8")).with_source(source).at_path(file.path())
            })?;
            amended_counts.visit(term, count, visit);
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
