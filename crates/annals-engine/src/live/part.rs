//! A block of live rows as a query sees it.

use std::sync::Arc;

use super::block::{BLOCK_ROWS, LiveBlock, Positions};
use super::order::RowOrder;
use super::segment::LiveSegment;
use crate::amended::AmendedCounts;
use crate::codec::{len_u32, row_usize};
use crate::error::{Error, Result};
use crate::event::{Marks, StoredEvent, tag};
use crate::field::Field;
use crate::filter::evaluate::{Leaves, evaluate};
use crate::filter::text::TextTest;
use crate::filter::{Filter, TextField};
use crate::id::EventId;
use crate::overlay::Overlay;
use crate::part::{Counted, OrderKey, Part};
use crate::record::Record;
use crate::rows::RowSet;
use crate::scanned::scan;
use crate::threading::OnceLock;

/// The first rows of a block, as of one snapshot.
pub(crate) struct LivePart {
    segment: Arc<LiveSegment>,
    block: Arc<LiveBlock>,
    /// Of the live segment, by live row.
    overlay: Arc<Overlay>,
    row_count: u32,
    time_bounds_us: (i64, i64),
    in_order: bool,
    order: OnceLock<Arc<RowOrder>>,
}

impl LivePart {
    /// The part of the first `row_count` rows of a block; none if it has none.
    pub(crate) fn new(
        segment: &Arc<LiveSegment>,
        block: &Arc<LiveBlock>,
        overlay: &Arc<Overlay>,
        visible_rows: u32,
    ) -> Option<Self> {
        let row_count = block.rows.len().min(visible_rows.saturating_sub(block.first_row));
        if row_count == 0 {
            return None;
        }
        Some(Self {
            segment: Arc::clone(segment),
            block: Arc::clone(block),
            overlay: Arc::clone(overlay),
            row_count,
            time_bounds_us: block.rows.time_bounds_us(),
            in_order: block.rows.is_in_order(),
            order: OnceLock::new(),
        })
    }

    fn order(&self) -> &RowOrder {
        if self.in_order {
            return &RowOrder::Same;
        }
        self.order.get_or_init(|| self.block.order(self.row_count))
    }

    /// The live row of a row of this part.
    pub(crate) fn live_row(&self, row: u32) -> u32 {
        self.block.first_row + self.order().arrival_of(row)
    }

    /// Rows of the part whose live rows are in a bitmap of the overlay.
    fn rows_in(&self, live_rows: &roaring::RoaringBitmap) -> RowSet {
        let first = self.block.first_row;
        let order = self.order();
        let mut rows: Vec<u32> =
            live_rows.range(first..first + self.row_count).map(|row| order.row_of(row - first)).collect();
        rows.sort_unstable();
        RowSet::from_sorted(rows)
    }

    fn deleted(&self) -> RowSet {
        self.rows_in(&self.overlay.tombstones)
    }

    fn is_deleted(&self, row: u32) -> bool {
        self.overlay.tombstones.contains(self.live_row(row))
    }

    /// The rows with a code that passes.
    pub(super) fn scan(&self, field: Field, pass: impl Fn(u32) -> bool) -> RowSet {
        scan(self.row_count);
        let positions = self.block.columns.read().scan(field, self.row_count, pass);
        positions.into_rows(self.order())
    }

    /// The rows that have codes, all of which pass.
    pub(super) fn scan_within(&self, field: Field, pass: impl Fn(u32) -> bool) -> RowSet {
        scan(self.row_count);
        let columns = self.block.columns.read();
        let mut positions = Positions::new(self.row_count);
        positions.fill((0..self.row_count).map(|position| {
            let codes = columns.codes_of(field, position);
            !codes.is_empty() && codes.iter().all(|code| pass(*code))
        }));
        drop(columns);
        positions.into_rows(self.order())
    }

    /// Calls `read` with the record of a row.
    pub(super) fn with_record<T>(&self, row: u32, read: impl FnOnce(Record<'_>) -> Result<T>) -> Result<T> {
        let read = self.segment.with_record(self.offset(row)?, read);
        self.segment.check_readable(self.live_row(row))?;
        read
    }

    /// Whether the column of a field holds hashes.
    fn is_hashed(&self, field: Field) -> bool {
        self.block.hashed.contains(field)
    }

    fn position(&self, row: u32) -> Result<u32> {
        if row >= self.row_count {
            let message = format!("row {row} is outside the {} rows of a live block", self.row_count);
            return Err(Error::corrupt(message));
        }
        Ok(self.order().arrival_of(row))
    }

    fn offset(&self, row: u32) -> Result<u32> {
        let position = self.position(row)?;
        self.block.rows.offset(position).ok_or_else(|| Error::corrupt("a live row has no offset"))
    }

    /// How many rows of `rows` hold each code of a field.
    fn code_counts(&self, field: Field, rows: &RowSet) -> Vec<(u32, u32)> {
        scan(rows.len());
        let order = self.order();
        let columns = self.block.columns.read();
        let mut codes = Vec::with_capacity(row_usize(rows.len()));
        for row in rows.iter() {
            codes.extend_from_slice(columns.codes_of(field, order.arrival_of(row)));
        }
        drop(columns);
        codes.sort_unstable();
        codes.chunk_by(|a, b| a == b).filter_map(|run| Some((*run.first()?, len_u32(run.len())))).collect()
    }
}

impl Leaves for LivePart {
    fn row_count(&self) -> u32 {
        self.row_count
    }

    fn term(&self, field: Field, value: &str) -> Result<RowSet> {
        if self.is_hashed(field) {
            return self.hashed_term(field, value);
        }
        let code = {
            let dictionaries = self.segment.dictionaries.read();
            dictionaries.get(field.index()).and_then(|dictionary| dictionary.find_text(value.as_bytes()))
        };
        Ok(code.map_or_else(RowSet::empty, |wanted| self.scan(field, |code| code == wanted)))
    }

    fn prefix(&self, field: Field, prefix: &str) -> Result<RowSet> {
        if prefix.is_empty() {
            return Ok(self.scan(field, |code| code != super::dictionary::ABSENT));
        }
        if self.is_hashed(field) {
            return self.hashed_prefix(field, prefix);
        }
        let codes = self.segment.codes_with_prefix(field, prefix);
        Ok(self.scan(field, |code| codes.contains(code)))
    }

    fn within(&self, field: Field, values: &[String]) -> Result<RowSet> {
        if self.is_hashed(field) {
            return self.hashed_within(field, values);
        }
        let allowed: Vec<u32> = {
            let dictionaries = self.segment.dictionaries.read();
            let Some(dictionary) = dictionaries.get(field.index()) else { return Ok(RowSet::empty()) };
            values.iter().filter_map(|value| dictionary.find_text(value.as_bytes())).collect()
        };
        Ok(self.scan_within(field, |code| allowed.contains(&code)))
    }

    fn created_between(&self, from_us: i64, to_us: i64) -> Result<RowSet> {
        let bound = |created_at_us| self.lower_bound(OrderKey { created_at_us, sequence: 0 });
        Ok(RowSet::from_range(bound(from_us)?..bound(to_us)?))
    }

    fn sequence_between(&self, from: u64, to: u64) -> Result<RowSet> {
        let first = self.segment.sequence_of(self.block.first_row);
        let position =
            |sequence: u64| u32::try_from(sequence.saturating_sub(first)).unwrap_or(u32::MAX).min(self.row_count);
        let range = position(from)..position(to);
        if self.order().is_same() {
            return Ok(RowSet::from_range(range));
        }
        let mut rows: Vec<u32> = range.map(|position| self.order().row_of(position)).collect();
        rows.sort_unstable();
        Ok(RowSet::from_sorted(rows))
    }

    fn acknowledged(&self) -> Result<RowSet> {
        Ok(self.rows_in(&self.overlay.acknowledged))
    }

    fn amended(&self, field: Field) -> Vec<(u32, &[String])> {
        if self.overlay.amendments.is_empty() {
            return Vec::new();
        }
        let first = self.block.first_row;
        let values = self.overlay.amendments.values(field, first..first + self.row_count);
        let mut rows: Vec<(u32, &[String])> =
            values.map(|(live_row, values)| (self.order().row_of(live_row - first), values)).collect();
        rows.sort_unstable_by_key(|(row, _)| *row);
        rows
    }

    fn text(&self, field: TextField, candidates: &RowSet, test: &TextTest<'_>) -> Result<RowSet> {
        let tags: &[u8] = match field {
            TextField::Message => &[tag::MESSAGE],
            TextField::Content => &[tag::CONTENT],
            TextField::MessageOrContent => &[tag::MESSAGE, tag::CONTENT],
        };
        scan(candidates.len());
        let mut rows = Vec::new();
        let mut scratch = Vec::new();
        for row in candidates.iter() {
            let hit = self.with_record(row, |record| {
                for tag in tags {
                    if record.value(*tag)?.is_some_and(|text| test.passes(text, &mut scratch)) {
                        return Ok(true);
                    }
                }
                Ok(false)
            })?;
            if hit {
                rows.push(row);
            }
        }
        Ok(RowSet::from_sorted(rows))
    }
}

impl Part for LivePart {
    fn row_count(&self) -> u32 {
        self.row_count
    }

    fn time_bounds_us(&self) -> (i64, i64) {
        self.time_bounds_us
    }

    fn sequence_bounds(&self) -> (u64, u64) {
        let first = self.segment.sequence_of(self.block.first_row);
        (first, first + u64::from(self.row_count) - 1)
    }

    fn key(&self, row: u32) -> Result<OrderKey> {
        let position = self.position(row)?;
        let created_at_us = self.block.rows.created_at_us(position);
        let created_at_us = created_at_us.ok_or_else(|| Error::corrupt("a live row has no time"))?;
        Ok(OrderKey { created_at_us, sequence: self.segment.sequence_of(self.live_row(row)) })
    }

    fn lower_bound(&self, key: OrderKey) -> Result<u32> {
        if key.created_at_us > self.time_bounds_us.1 {
            return Ok(self.row_count);
        }
        let (mut low, mut high) = (0, self.row_count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(middle)? < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn select(&self, filter: &Filter) -> Result<RowSet> {
        Ok(evaluate(filter, self)?.minus(&self.deleted()))
    }

    fn count(&self, filter: &Filter) -> Result<Option<Counted>> {
        let own = self.block.first_row..self.block.first_row + self.row_count;
        let deleted = u32::try_from(self.overlay.tombstones.range_cardinality(own)).unwrap_or(u32::MAX);
        match filter.only_leaf(self.time_bounds_us) {
            Some(Filter::All) => Ok(Some(Counted::rows(self.row_count.saturating_sub(deleted)))),
            // A block that is full stays as it is, and so do its counts.
            Some(Filter::Term(field, value))
                if deleted == 0
                    && self.row_count == BLOCK_ROWS
                    && !self.is_hashed(*field)
                    && self.amended(*field).is_empty() =>
            {
                let code = {
                    let dictionaries = self.segment.dictionaries.read();
                    dictionaries.get(field.index()).and_then(|dictionary| dictionary.find_text(value.as_bytes()))
                };
                Ok(code.map_or(Some(0), |code| self.block.full_count(*field, code)).map(Counted::rows))
            }
            _ => Ok(None),
        }
    }

    fn count_by(&self, field: Field, rows: &RowSet, visit: &mut dyn FnMut(&str, u32)) -> Result<()> {
        let amended = self.amended(field);
        let mut amended_counts = AmendedCounts::new(&amended, rows);
        let changed = RowSet::from_sorted(amended.iter().map(|(row, _)| *row).collect());
        let unchanged = rows.minus(&changed);
        let mut terms: Vec<(Vec<u8>, u32)> = if self.is_hashed(field) {
            self.hashed_counts(field, &unchanged)?.into_iter().collect()
        } else {
            let counts = self.code_counts(field, &unchanged);
            let dictionaries = self.segment.dictionaries.read();
            let dictionary = dictionaries.get(field.index());
            let dictionary = dictionary.ok_or_else(|| Error::corrupt(format!("{field} has no dictionary")))?;
            let text = |code| {
                let mut text = Vec::new();
                dictionary.text_into(code, &mut text);
                text
            };
            counts.into_iter().map(|(code, count)| (text(code), count)).collect()
        };
        terms.sort_unstable();
        for (term, count) in terms {
            let term = String::from_utf8(term)
                .map_err(|source| Error::corrupt("a live term is not UTF-8").with_source(source))?;
            amended_counts.visit(&term, count, visit);
        }
        amended_counts.finish(visit);
        Ok(())
    }

    fn event(&self, row: u32) -> Result<StoredEvent> {
        let live_row = self.live_row(row);
        let sequence = self.segment.sequence_of(live_row);
        let mut event = self.with_record(row, |record| record.to_stored(sequence))?;
        event.marks = Marks { acknowledged: self.overlay.acknowledged.contains(live_row) };
        if let Some(amended) = self.overlay.amendments.get(live_row) {
            amended.apply(&mut event);
        }
        Ok(event)
    }

    fn find_id(&self, id: EventId) -> Result<Vec<u32>> {
        let own = self.block.first_row..self.block.first_row + self.row_count;
        let live_rows = self.segment.rows_with_id(id);
        if let Some(row) = id.made_parts().and_then(|(_, sequence)| self.segment.row_of(sequence))
            && own.contains(&row)
        {
            // Whether the store made the id stands in the record.
            self.segment.check_readable(row)?;
        }
        let mut rows: Vec<u32> = live_rows
            .into_iter()
            .map(|known| known.row)
            .filter(|row| own.contains(row) && !self.overlay.tombstones.contains(*row))
            .map(|row| self.order().row_of(row - own.start))
            .collect();
        rows.sort_unstable();
        Ok(rows)
    }

    fn find_sequence(&self, sequence: u64) -> Result<Option<u32>> {
        let position = self.segment.row_of(sequence).and_then(|row| row.checked_sub(self.block.first_row));
        let row = position.filter(|position| *position < self.row_count).map(|position| self.order().row_of(position));
        Ok(row.filter(|row| !self.is_deleted(*row)))
    }
}
