//! Sealed segments: immutable, columnar, compressed and indexed files. `docs/format.md`, "Sealed segment".
//!
//! Rows lie in (`created_at`, sequence) order. A writer ([`build_segment`]) gets columns, a reader
//! ([`SealedSegment`], [`SealedPart`]) checks every byte it uses against a checksum on first touch.

mod ahead;
mod assemble;
mod bits;
mod blocks;
mod build;
mod checked;
mod copy;
mod describe;
mod dictionary;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod gather;
mod id_nodes;
mod id_times;
mod identifiers;
mod ids;
mod kept;
mod keyword;
mod keyword_build;
mod layout;
mod members;
mod merge;
mod packed;
mod part;
mod payload;
mod postings;
mod row_values;
mod scrub;
mod sealed;
mod template;
mod text;
mod tokens;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use build::build_segment;
pub(crate) use identifiers::Identifiers;
pub(crate) use ids::IdWindow;
pub(crate) use merge::merge_segments;
pub(crate) use part::SealedPart;
pub(crate) use sealed::SealedSegment;

use std::borrow::Cow;

use crate::error::Result;
use crate::field::Field;
use crate::id::EventId;

/// The most rows of one sealed segment, inclusive: row numbers and offsets of values stay in 32 bits.
pub(crate) const SEGMENT_ROWS_MAX: usize = 1 << 26;

/// How hard a segment is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentForm {
    /// Of events just sealed, whose pages are asked for most.
    Fresh,
    /// Of those that no longer are: smaller, and where texts are compressed, a page takes longer.
    Packed,
}

/// Which segment is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentMeta {
    pub(crate) store: u128,
    pub(crate) segment_id: u64,
    /// When it is sealed, UTC microseconds.
    pub(crate) created_at_us: i64,
}

/// The values of one keyword field over all rows.
#[derive(Clone, Debug)]
pub(crate) struct KeywordInput<'a> {
    pub(crate) field: Field,
    /// Distinct terms in any order; code `i + 1` stands for `terms[i]`. Terms no row uses are left out.
    pub(crate) terms: Vec<&'a [u8]>,
    pub(crate) codes: KeywordCodes,
}

/// Codes of a keyword field.
#[derive(Clone, Debug)]
pub(crate) enum KeywordCodes {
    /// One per row, 0 = absent.
    Single(Vec<u32>),
    /// The codes of a row end at its entry of `ends` and start where those of the row before end.
    /// The codes of one row are distinct and not 0; their order is kept.
    Multiple { ends: Vec<u32>, codes: Vec<u32> },
    /// The values themselves, at most one per row; there are no terms then. Written, they are the same bytes.
    Identifiers(Identifiers),
}

/// The texts of a segment, each a column of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Stream {
    Message = 1,
    Content = 2,
    Payload = 3,
    /// The values with a tag from `ERROR_MESSAGE` to `NUMBERS`, as a record holds them: tag, length, bytes.
    Stored = 4,
}

impl Stream {
    pub(crate) const ALL: [Stream; 4] = [Stream::Message, Stream::Content, Stream::Payload, Stream::Stored];

    /// The number stored on disk.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }
}

/// Where the builder gets its texts from.
pub(crate) trait TextSource {
    /// The text of a row. One stream is asked after the other: first for some rows, spread over all, then for every
    /// row, ascending; messages also beside payloads, row by row.
    fn value(&mut self, stream: Stream, row: u32) -> Result<Option<Cow<'_, [u8]>>>;
}

/// The rows of a segment as columns, in (`created_at`, sequence) order.
pub(crate) struct SegmentInput<'a> {
    pub(crate) created_at_us: Vec<i64>,
    pub(crate) sequences: Vec<u64>,
    /// Given ones, and those made by the store from `created_at` and the sequence.
    pub(crate) ids: Vec<EventId>,
    /// In any order, each field at most once.
    pub(crate) keywords: Vec<KeywordInput<'a>>,
    pub(crate) texts: &'a mut dyn TextSource,
}

/// What the manifest needs to know of a written segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentSummary {
    pub(crate) rows: u32,
    pub(crate) size_bytes: u64,
    pub(crate) footer_crc: u32,
    /// Both inclusive.
    pub(crate) time_bounds_us: (i64, i64),
    /// Both inclusive.
    pub(crate) sequence_bounds: (u64, u64),
}
