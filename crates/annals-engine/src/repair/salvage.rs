//! A damaged segment: which of its rows can be read whole, and a new segment of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::codec::{len_u32, put_bytes, row_usize};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Marks, StoredEvent, tag};
use crate::field::{Field, Values};
use crate::overlay::Overlay;
use crate::segment::{
    KeywordCodes, KeywordInput, SealedSegment, SegmentForm, SegmentInput, SegmentMeta, SegmentSummary, Stream,
    TextSource, build_segment, merge_segments,
};
use crate::storage::Storage;

/// Rows that are tried together.
const ROWS_AT_ONCE: u32 = 32;

/// The rows of which every value can be read.
pub(super) fn readable_rows(segment: &SealedSegment) -> Result<RoaringBitmap> {
    let mut readable = RoaringBitmap::new();
    let mut first = 0;
    while first < segment.rows() {
        let end = segment.rows().min(first.saturating_add(ROWS_AT_ONCE));
        let rows: Vec<u32> = (first..end).collect();
        if reads(segment, &rows)? {
            readable.insert_range(first..end);
        } else {
            for row in rows {
                if reads(segment, &[row])? {
                    readable.insert(row);
                }
            }
        }
        first = end;
    }
    Ok(readable)
}

fn reads(segment: &SealedSegment, rows: &[u32]) -> Result<bool> {
    match segment.events(rows, |_| Marks::default()) {
        Ok(events) => Ok(events.len() == rows.len()),
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes the rows of `segment` that are in `rows` into the new file `path`, in their order.
///
/// # Errors
/// `DiskFull`, `Io`; no file is left behind.
pub(super) fn write_rows(
    storage: &dyn Storage,
    path: &Path,
    meta: &SegmentMeta,
    segment: &Arc<SealedSegment>,
    rows: &RoaringBitmap,
) -> Result<SegmentSummary> {
    let form = if segment.is_packed() { SegmentForm::Packed } else { SegmentForm::Fresh };
    if rows.len() == u64::from(segment.rows()) {
        // Column by column, which takes no memory for rows: enough where only indexes are damaged.
        let inputs = [(Arc::clone(segment), Arc::new(Overlay::default()))];
        match merge_segments(storage, path, meta, &inputs, form, &|| true) {
            Ok(Some(merged)) => return Ok(merged.summary),
            Ok(None) => {}
            Err(error) if error.kind() == ErrorKind::Corrupt => {}
            Err(error) => return Err(error),
        }
    }
    let mut events = Vec::new();
    let mut chunk = Vec::new();
    for row in rows {
        chunk.push(row);
        if chunk.len() == row_usize(ROWS_AT_ONCE) {
            events.append(&mut segment.events(&chunk, |_| Marks::default())?);
            chunk.clear();
        }
    }
    events.append(&mut segment.events(&chunk, |_| Marks::default())?);
    let mut texts = EventTexts(&events);
    let input = SegmentInput {
        created_at_us: events.iter().map(|event| event.created_at_us).collect(),
        sequences: events.iter().map(|event| event.sequence).collect(),
        ids: events.iter().map(|event| event.id).collect(),
        keywords: Field::ALL.iter().filter_map(|field| keyword(*field, &events)).collect(),
        texts: &mut texts,
    };
    build_segment(storage, path, meta, input, form)
}

/// The values of one field; `None` if no event has one.
fn keyword(field: Field, events: &[StoredEvent]) -> Option<KeywordInput<'_>> {
    let mut terms: Vec<&[u8]> = Vec::new();
    let mut codes_by_term: HashMap<&[u8], u32> = HashMap::new();
    let (mut codes, mut ends) = (Vec::new(), Vec::with_capacity(events.len()));
    for event in events {
        let before = codes.len();
        for value in event.values.all(field.number()) {
            let code = *codes_by_term.entry(value).or_insert_with(|| {
                terms.push(value);
                len_u32(terms.len())
            });
            codes.push(code);
        }
        if field.values() == Values::Single {
            codes.truncate(before + 1);
            if codes.len() == before {
                codes.push(0);
            }
        }
        ends.push(len_u32(codes.len()));
    }
    let codes = match field.values() {
        Values::Single => KeywordCodes::Single(codes),
        Values::Multiple => KeywordCodes::Multiple { ends, codes },
    };
    (!terms.is_empty()).then_some(KeywordInput { field, terms, codes })
}

struct EventTexts<'a>(&'a [StoredEvent]);

impl TextSource for EventTexts<'_> {
    fn value(&mut self, stream: Stream, row: u32) -> Result<Option<Cow<'_, [u8]>>> {
        let event = self.0.get(row_usize(row)).ok_or_else(|| Error::corrupt(format!("no text for row {row}")))?;
        let one = |tag| event.values.first(tag).map(Cow::Borrowed);
        Ok(match stream {
            Stream::Message => one(tag::MESSAGE),
            Stream::Content => one(tag::CONTENT),
            Stream::Payload => one(tag::PAYLOAD),
            Stream::Stored => {
                let mut out = Vec::new();
                for tag in tag::ERROR_MESSAGE..tag::END {
                    if let Some(value) = event.values.first(tag) {
                        out.push(tag);
                        put_bytes(&mut out, value);
                    }
                }
                (!out.is_empty()).then_some(Cow::Owned(out))
            }
        })
    }
}

/// The overlay of a segment that was made of `rows` of another one.
pub(super) fn carry_overlay(overlay: &Overlay, rows: &RoaringBitmap) -> Overlay {
    let to = |row: u32| {
        let rank = rows.rank(row).checked_sub(1).filter(|_| rows.contains(row));
        rank.and_then(|rank| u32::try_from(rank).ok())
    };
    let moved = |bitmap: &RoaringBitmap| bitmap.iter().filter_map(to).collect();
    let mut carried = Overlay {
        tombstones: moved(&overlay.tombstones),
        acknowledged: moved(&overlay.acknowledged),
        applied_control: overlay.applied_control,
        ..Overlay::default()
    };
    carried.take_notices(overlay, to);
    carried
}
