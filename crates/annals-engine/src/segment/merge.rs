//! Several sealed segments -> one, without the rows that were deleted.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::codec::{len_u32, row_usize};
use crate::error::{Error, ErrorKind, Result};
use crate::field::{Field, Values};
use crate::overlay::Overlay;
use crate::storage::Storage;

use super::dictionary::Terms;
use super::text::StreamCursor;
use super::{
    KeywordCodes, KeywordInput, SEGMENT_ROWS_MAX, SealedSegment, SegmentForm, SegmentInput, SegmentMeta,
    SegmentSummary, Stream, TextSource, build_segment,
};

/// Texts that are read before one asks again whether the merge is to go on: some tens of milliseconds.
const TEXTS_UNASKED: u32 = 4_096;

/// A segment as it is to be rewritten: its rows and what changed about them.
type Input = (Arc<SealedSegment>, Arc<Overlay>);

/// What a merge wrote.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Merged {
    pub(crate) summary: SegmentSummary,
    /// The rows of the new segment somebody has taken note of.
    pub(crate) acknowledged: RoaringBitmap,
}

/// Writes the rows of `inputs` that are not deleted into the new file `path`, in order of their keys.
/// `None` and no file if nothing is left.
///
/// # Errors
/// `Corrupt` if an input is damaged; `InvalidInput` if two rows have the same key or there are too many
/// for one segment; `DiskFull`, `Io`; `Busy` once `goes_on` says no, which it is asked every few thousand texts.
/// No file is left behind.
pub(crate) fn merge_segments(
    storage: &dyn Storage,
    path: &Path,
    meta: &SegmentMeta,
    inputs: &[Input],
    form: SegmentForm,
    goes_on: &dyn Fn() -> bool,
) -> Result<Option<Merged>> {
    let plan = Plan::new(inputs)?;
    if plan.order.is_empty() {
        return Ok(None);
    }
    let mut ids = Vec::with_capacity(plan.order.len());
    let mut acknowledged = RoaringBitmap::new();
    for (new_row, place) in (0_u32..).zip(&plan.order) {
        let (segment, overlay) = place.input(inputs)?;
        ids.push(segment.id(place.row)?);
        if overlay.acknowledged.contains(place.row) {
            acknowledged.insert(new_row);
        }
    }
    let mut keywords = Vec::new();
    let dictionaries: Vec<Vec<Option<Terms<'_>>>> =
        Field::ALL.iter().map(|field| dictionaries(*field, inputs)).collect::<Result<_>>()?;
    for (field, dictionaries) in Field::ALL.iter().zip(&dictionaries) {
        keywords.extend(unite(*field, inputs, dictionaries, &plan.order)?);
    }
    let Plan { order, created_at_us, sequences } = plan;
    let mut texts = MergedTexts::new(inputs, &order, goes_on);
    let input = SegmentInput { created_at_us, sequences, ids, keywords, texts: &mut texts };
    let summary = build_segment(storage, path, meta, input, form)?;
    Ok(Some(Merged { summary, acknowledged }))
}

/// Where a row of the new segment comes from.
#[derive(Clone, Copy, Debug)]
struct Place {
    input: u32,
    row: u32,
}

impl Place {
    fn input(self, inputs: &[Input]) -> Result<&Input> {
        inputs.get(row_usize(self.input)).ok_or_else(|| Error::invalid_input("a merge lacks one of its inputs"))
    }
}

/// Key, row and input of the next row of one input; the smallest is the greatest of its heap.
type NextRow = Reverse<((i64, u64, u32), u32)>;

/// The new order and its keys.
struct Plan {
    order: Vec<Place>,
    created_at_us: Vec<i64>,
    sequences: Vec<u64>,
}

impl Plan {
    fn new(inputs: &[Input]) -> Result<Self> {
        let mut live = Vec::new();
        let mut total = 0;
        for (segment, overlay) in inputs {
            let (times, sequences) = segment.keys()?;
            let keys = (0_u32..).zip(times.into_iter().zip(sequences));
            let rows: Vec<(i64, u64, u32)> = keys
                .filter(|(row, _)| !overlay.tombstones.contains(*row))
                .map(|(row, (time, sequence))| (time, sequence, row))
                .collect();
            total += rows.len();
            live.push(rows.into_iter());
        }
        if total > SEGMENT_ROWS_MAX {
            return Err(Error::invalid_input(format!("a segment has at most {SEGMENT_ROWS_MAX} rows, not {total}")));
        }
        let mut plan = Plan {
            order: Vec::with_capacity(total),
            created_at_us: Vec::with_capacity(total),
            sequences: Vec::with_capacity(total),
        };
        // One entry per input: the next row of each, the smallest on top.
        let mut next: BinaryHeap<NextRow> = BinaryHeap::with_capacity(live.len());
        for (input, rows) in (0..).zip(&mut live) {
            next.extend(rows.next().map(|key| Reverse((key, input))));
        }
        while let Some(Reverse(((created_at_us, sequence, row), input))) = next.pop() {
            plan.order.push(Place { input, row });
            plan.created_at_us.push(created_at_us);
            plan.sequences.push(sequence);
            let following = live.get_mut(row_usize(input)).and_then(Iterator::next);
            next.extend(following.map(|key| Reverse((key, input))));
        }
        Ok(plan)
    }
}

/// The codes of one field of one input, with what they become.
#[derive(Default)]
struct InputCodes {
    /// Where the codes of each row end.
    ends: Vec<u32>,
    codes: Vec<u32>,
    /// New code by old code; 0 stays 0.
    new_codes: Vec<u32>,
}

impl InputCodes {
    fn read(segment: &SealedSegment, field: Field) -> Result<Self> {
        let Some(column) = segment.keyword(field) else { return Ok(Self::default()) };
        let mut read = Self {
            ends: Vec::with_capacity(row_usize(segment.rows())),
            codes: Vec::with_capacity(row_usize(column.entry.values)),
            new_codes: vec![0; row_usize(column.entry.terms) + 1],
        };
        column.scan(&segment.file, |row, code| {
            read.ends.resize(row_usize(row), len_u32(read.codes.len()));
            read.codes.push(code);
            read.ends.push(len_u32(read.codes.len()));
        })?;
        // The scan tells of values only: one call per value, none for a row without.
        read.ends.resize(row_usize(segment.rows()), len_u32(read.codes.len()));
        Ok(read)
    }

    fn of_row(&self, row: u32) -> impl Iterator<Item = u32> {
        let end = self.ends.get(row_usize(row)).copied().unwrap_or(0);
        let start = row.checked_sub(1).and_then(|before| self.ends.get(row_usize(before)).copied()).unwrap_or(0);
        let codes = self.codes.get(row_usize(start)..row_usize(end)).unwrap_or_default();
        codes.iter().map(|code| self.new_codes.get(row_usize(*code)).copied().unwrap_or(0))
    }
}

/// The terms of a field in each input.
fn dictionaries(field: Field, inputs: &[Input]) -> Result<Vec<Option<Terms<'_>>>> {
    let mut all = Vec::with_capacity(inputs.len());
    for (segment, _) in inputs {
        let terms = segment.keyword(field).map(|column| column.dictionary.terms(&segment.file));
        all.push(terms.transpose()?);
    }
    Ok(all)
}

/// One field over all inputs; `None` if none of them has it.
fn unite<'a>(
    field: Field,
    inputs: &[Input],
    dictionaries: &'a [Option<Terms<'_>>],
    order: &[Place],
) -> Result<Option<KeywordInput<'a>>> {
    let mut read = Vec::with_capacity(inputs.len());
    let mut all_terms: Vec<(&'a [u8], usize, usize)> = Vec::new();
    for (input, ((segment, _), terms)) in inputs.iter().zip(dictionaries).enumerate() {
        read.push(InputCodes::read(segment, field)?);
        let terms = terms.iter().flat_map(Terms::iter);
        all_terms.extend(terms.zip(1..).map(|(term, code)| (term, input, code)));
    }
    if all_terms.is_empty() {
        return Ok(None);
    }
    // Stable: it finds the ascending runs, one per input, and merges them.
    all_terms.sort();
    let mut terms: Vec<&[u8]> = Vec::new();
    for (term, input, code) in all_terms {
        if terms.last() != Some(&term) {
            terms.push(term);
        }
        if let Some(slot) = read.get_mut(input).and_then(|codes| codes.new_codes.get_mut(code)) {
            *slot = len_u32(terms.len());
        }
    }
    let mut ends = Vec::new();
    let mut codes = Vec::with_capacity(order.len());
    for place in order {
        let from = read.get(row_usize(place.input)).into_iter().flat_map(|codes| codes.of_row(place.row));
        match field.values() {
            Values::Single => codes.push(from.into_iter().next().unwrap_or(0)),
            Values::Multiple => {
                codes.extend(from);
                ends.push(len_u32(codes.len()));
            }
        }
    }
    let codes = match field.values() {
        Values::Single => KeywordCodes::Single(codes),
        Values::Multiple => KeywordCodes::Multiple { ends, codes },
    };
    Ok(Some(KeywordInput { field, terms, codes }))
}

/// The texts of the inputs in the new order. Rows of one input come in their own order, so that each of
/// its blocks is decoded once per stream.
struct MergedTexts<'a> {
    order: &'a [Place],
    goes_on: &'a dyn Fn() -> bool,
    /// Texts until it is asked again.
    unasked: u32,
    cursors: Vec<(Stream, Vec<StreamCursor<'a>>)>,
}

impl<'a> MergedTexts<'a> {
    fn new(inputs: &'a [Input], order: &'a [Place], goes_on: &'a dyn Fn() -> bool) -> Self {
        let of_stream = |stream| inputs.iter().map(|(segment, _)| segment.cursor(stream)).collect();
        Self {
            order,
            goes_on,
            unasked: 0,
            cursors: Stream::ALL.into_iter().map(|stream| (stream, of_stream(stream))).collect(),
        }
    }
}

impl TextSource for MergedTexts<'_> {
    fn value(&mut self, stream: Stream, row: u32) -> Result<Option<Cow<'_, [u8]>>> {
        if self.unasked == 0 {
            if !(self.goes_on)() {
                return Err(Error::new(ErrorKind::Busy, "a segment is not rewritten now: something else comes first"));
            }
            self.unasked = TEXTS_UNASKED;
        }
        self.unasked -= 1;
        let place = self.order.get(row_usize(row)).copied();
        let cursors = self.cursors.iter_mut().find(|(of, _)| *of == stream).map(|(_, cursors)| cursors);
        match place.zip(cursors) {
            Some((place, cursors)) => match cursors.get_mut(row_usize(place.input)) {
                Some(cursor) => Ok(cursor.value(place.row)?.map(Cow::Borrowed)),
                None => Ok(None),
            },
            None => Ok(None),
        }
    }
}
