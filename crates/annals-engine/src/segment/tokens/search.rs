//! Which rows hold a needle: the dictionary says which tokens do, and the codes where they are.

use std::ops::Range;

use memchr::memchr_iter;

use super::super::checked::CheckedFile;
use super::super::sealed::compact_rows;
use super::pattern::{Pattern, Piece, TokenSet, dictionary_size};
use super::rows::Steps;
use super::scan::{RareHits, Wanted, add_rare, scan, walk};
use super::{GROUP, RowBuffer, TokenColumn};
use crate::codec::len_u64;
use crate::error::Result;
use crate::filter::text::TextTest;
use crate::rows::RowSet;

/// So many rows are read and tested in the time a search in a dictionary takes at least.
const FEW_ROWS: usize = 16;
/// Bytes of a dictionary that are searched in the time a row takes.
const SEARCHED_PER_ROW: usize = 2048;
/// Reading the codes of a row costs as much as passing over those of so many.
const PASSED_PER_ROW: u32 = 64;
/// More codes than these are not compared one by one.
const COMPARED_MAX: usize = 48;
/// Pieces of a needle that are looked for in the scan; the others are looked at where those are found.
const SCANNED_PIECES_MAX: usize = 4;
/// A needle of more pieces is searched for in the decoded texts.
const PIECES_MAX: usize = 64;
/// Rare tokens found are looked up one by one if they are at most one in so many.
const RARE_DENSITY: u64 = 32;

impl TokenColumn {
    /// The rows of `candidates` whose text passes `test`.
    pub(crate) fn search(&self, file: &CheckedFile, candidates: &RowSet, test: &TextTest<'_>) -> Result<RowSet> {
        let (Some(first), Some(last)) = (candidates.nth(0), candidates.nth(candidates.len().saturating_sub(1))) else {
            return Ok(RowSet::empty());
        };
        if matches!(test, TextTest::Contains(_)) && test.wanted().is_empty() {
            return self.rows_with_text(file, candidates);
        }
        let too_long = memchr_iter(b' ', test.wanted()).count() >= PIECES_MAX;
        if too_long || row_count(candidates) <= FEW_ROWS + dictionary_size(self) / SEARCHED_PER_ROW {
            return self.decoded(file, candidates, test);
        }
        let Some(pattern) = Pattern::new(test, self, file)? else { return Ok(RowSet::empty()) };
        if candidates.len() < self.rows / PASSED_PER_ROW {
            return self.row_by_row(file, candidates, &pattern);
        }
        let search = Search {
            column: self,
            file,
            pattern: &pattern,
            groups: self.span(file, first)?.0 / GROUP..self.span(file, last)?.1.div_ceil(GROUP),
            rows: last.saturating_sub(first).saturating_add(1),
        };
        let found = match pattern.pieces.as_slice() {
            [Piece::Some(set)] if !pattern.whole => search.one(set)?,
            _ => match search.several()? {
                Some(found) => found,
                None => return self.row_by_row(file, candidates, &pattern),
            },
        };
        let everything = row_count(candidates) == crate::codec::row_usize(self.rows);
        Ok(if everything { found } else { found.intersect(candidates) })
    }

    /// Reads the texts of `candidates` and tests each.
    pub(super) fn decoded(&self, file: &CheckedFile, candidates: &RowSet, test: &TextTest<'_>) -> Result<RowSet> {
        crate::scanned::scan(candidates.len());
        let (mut buffer, mut scratch) = (RowBuffer::default(), Vec::new());
        let mut rows = Vec::new();
        for row in candidates.iter() {
            if self.text(file, row, &mut buffer)?.is_some_and(|text| test.passes(text, &mut scratch)) {
                rows.push(row);
            }
        }
        Ok(compact_rows(rows, self.rows))
    }

    fn row_by_row(&self, file: &CheckedFile, candidates: &RowSet, pattern: &Pattern) -> Result<RowSet> {
        crate::scanned::scan(candidates.len());
        let mut tokens = Vec::new();
        let mut rows = Vec::new();
        for row in candidates.iter() {
            let (start, end) = self.span(file, row)?;
            if end - start >= len_u64(pattern.pieces.len()) {
                self.tokens_between(file, start, end, &mut tokens)?;
                if pattern.is_in(&tokens) {
                    rows.push(row);
                }
            }
        }
        Ok(compact_rows(rows, self.rows))
    }

    fn rows_with_text(&self, file: &CheckedFile, candidates: &RowSet) -> Result<RowSet> {
        crate::scanned::scan(candidates.len());
        let mut steps = Steps::new(self.row_starts, u64::from(self.rows), self.total, file);
        let mut rows = Vec::new();
        for row in candidates.iter() {
            if steps.entry(u64::from(row))? != steps.entry(u64::from(row) + 1)? {
                rows.push(row);
            }
        }
        Ok(compact_rows(rows, self.rows))
    }
}

fn row_count(rows: &RowSet) -> usize {
    crate::codec::row_usize(rows.len())
}

/// One search among codes.
struct Search<'a> {
    column: &'a TokenColumn,
    file: &'a CheckedFile,
    pattern: &'a Pattern,
    /// Groups outside of which no candidate lies.
    groups: Range<u64>,
    /// How many rows have their codes in them.
    rows: u32,
}

impl Search<'_> {
    /// The rows that hold a token of `set`.
    fn one(&self, set: &TokenSet) -> Result<RowSet> {
        let column = self.column;
        let rare = if set.rare > 0 { RareHits::new(column, self.file, set)? } else { RareHits::default() };
        let few = rare.count <= column.rare_len / RARE_DENSITY + 16;
        let mut hits = Hits::new(self);
        if set.common.len() > COMPARED_MAX {
            crate::scanned::scan(self.rows);
            walk(column, self.file, self.groups.clone(), set, &rare, |group, found| hits.take(group, found))?;
            return Ok(hits.into_rows());
        }
        let wanted = [Some(codes(set).collect())];
        if !few {
            crate::scanned::scan(self.rows);
            add_rare(column, self.file, self.groups.clone(), &wanted, &rare, |group, found| hits.take(group, found))?;
            return Ok(hits.into_rows());
        }
        if !set.common.is_empty() {
            crate::scanned::scan(self.rows);
            scan(column, self.file, self.groups.clone(), &wanted, |group, found| hits.take(group, found))?;
        }
        let found = hits.into_rows();
        if rare.count == 0 {
            return Ok(found);
        }
        Ok(found.union(&self.rows_of(&rare)?))
    }

    /// The rows in which the rare tokens found stand.
    fn rows_of(&self, rare: &RareHits) -> Result<RowSet> {
        let mut hits = Hits::new(self);
        for position in self.positions_of(rare)? {
            hits.take(position / GROUP, 1 << (position % GROUP))?;
        }
        Ok(hits.into_rows())
    }

    /// Where the rare tokens found stand among all codes.
    fn positions_of(&self, rare: &RareHits) -> Result<Vec<u64>> {
        let column = self.column;
        let mut indexes: Vec<u64> = rare.indexes().collect();
        let groups = column.total.div_ceil(GROUP);
        let mut bases = Steps::new(column.rare_bases, groups, column.rare_len, self.file);
        for slot in &mut indexes {
            let step = bases.find(*slot)?;
            let mut zeroes = super::bits::zeroes(column.group(self.file, step.index)?) & column.in_group(step.index);
            for _ in step.start..*slot {
                if zeroes == 0 {
                    break;
                }
                zeroes &= zeroes - 1;
            }
            if zeroes == 0 {
                return Err(self
                    .file
                    .contradicts(&column.codes, &format!("lacks a rare token in group {}", step.index)));
            }
            *slot = step.index * GROUP + u64::from(zeroes.trailing_zeros());
        }
        Ok(indexes)
    }

    /// The rows that hold all pieces one behind the other; `None` if no piece narrows the search.
    fn several(&self) -> Result<Option<RowSet>> {
        if let Some(rows) = self.rows_of_rare_piece()? {
            return self.column.row_by_row(self.file, &rows, self.pattern).map(Some);
        }
        let scanned = self.pattern.pieces.get(..SCANNED_PIECES_MAX).unwrap_or(&self.pattern.pieces);
        let wanted: Vec<Wanted> = scanned.iter().map(wanted).collect();
        if wanted.iter().all(Option::is_none) {
            return Ok(None);
        }
        let before = len_u64(scanned.len()) - 1;
        let mut hits = Hits::new(self);
        crate::scanned::scan(self.rows);
        scan(self.column, self.file, self.groups.clone(), &wanted, |group, found| {
            hits.take_pieces(group, found, before)
        })?;
        Ok(Some(hits.into_rows()))
    }

    /// The rows of a piece that only few rare tokens match.
    fn rows_of_rare_piece(&self) -> Result<Option<RowSet>> {
        for piece in &self.pattern.pieces {
            let Piece::Some(set) = piece else { continue };
            if !set.common.is_empty() {
                continue;
            }
            let rare = RareHits::new(self.column, self.file, set)?;
            if rare.count <= self.column.rare_len / RARE_DENSITY + 16 {
                return self.rows_of(&rare).map(Some);
            }
        }
        Ok(None)
    }
}

fn codes(set: &TokenSet) -> impl Iterator<Item = u16> {
    // A token with a code of its own has one of 16 bits.
    set.common.iter().map(|token| u16::try_from(token + 1).unwrap_or_default())
}

/// What the scan looks for at the place of a piece: more than it, never less.
fn wanted(piece: &Piece) -> Wanted {
    match piece {
        Piece::Some(set) if set.common.len() <= COMPARED_MAX => {
            Some((set.rare > 0).then_some(0).into_iter().chain(codes(set)).collect())
        }
        _ => None,
    }
}

/// Rows found so far, ascending.
struct Hits<'a> {
    search: &'a Search<'a>,
    steps: Steps<'a>,
    rows: Vec<u32>,
    /// Where the codes of the last row found end.
    end: u64,
    window: Vec<u32>,
}

impl<'a> Hits<'a> {
    fn new(search: &'a Search<'a>) -> Self {
        let column = search.column;
        let steps = Steps::new(column.row_starts, u64::from(column.rows), column.total, search.file);
        Self { search, steps, rows: Vec::new(), end: 0, window: Vec::new() }
    }

    fn into_rows(self) -> RowSet {
        compact_rows(self.rows, self.search.column.rows)
    }

    fn push(&mut self, row: u64, end: u64) {
        self.rows.push(u32::try_from(row).unwrap_or(u32::MAX));
        self.end = end;
    }

    /// The positions of a group that belong to rows not found yet.
    fn fresh(&self, first: u64, found: u128) -> u128 {
        found & !super::bits::low_bits(self.end.saturating_sub(first))
    }

    /// Takes every row that has one of the positions found.
    fn take(&mut self, group: u64, found: u128) -> Result<()> {
        let first = group * GROUP;
        let mut found = self.fresh(first, found & self.search.column.in_group(group));
        while found != 0 {
            let step = self.steps.find(first + u64::from(found.trailing_zeros()))?;
            self.push(step.index, step.end);
            found = self.fresh(first, found);
        }
        Ok(())
    }

    /// Takes every row where all pieces stand, one of them at a position found and `before` in front of it.
    fn take_pieces(&mut self, group: u64, found: u128, before: u64) -> Result<()> {
        let (search, pattern) = (self.search, self.search.pattern);
        let len = len_u64(pattern.pieces.len());
        let first = group * GROUP;
        let mut found = self.fresh(first, found & search.column.in_group(group));
        while found != 0 {
            let position = first + u64::from(found.trailing_zeros());
            found &= found - 1;
            let Some(start) = position.checked_sub(before) else { continue };
            let step = self.steps.find(start)?;
            let fits =
                if pattern.whole { step.start == start && step.end - start == len } else { step.end - start >= len };
            if fits {
                search.column.tokens_between(search.file, start, start + len, &mut self.window)?;
                if pattern.stands_at(&self.window) {
                    self.push(step.index, step.end);
                    found = self.fresh(first, found);
                }
            }
        }
        Ok(())
    }
}
