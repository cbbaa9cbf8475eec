//! Loading what will be read into the cache, many places at a time.
//!
//! The rows of a page lie all over a segment, and each of their values is a cache miss or two. Read one after the other
//! they cost 100 ns each; a processor that knows a dozen addresses at once waits for all of them together. So what is
//! known to be read is touched first, column after column, in waves: what the first one loads says where the second
//! one goes. Nothing is decided by a byte that was touched: it is checked when it is read.

use crate::codec::to_usize;

use super::checked::CheckedFile;
use super::layout::Section;

/// Rows further apart than this on average share no cache lines, whatever the width of a column.
const ROWS_APART: u32 = 24;

/// Whether rows lie so far apart that it pays to touch their places first.
pub(super) fn pays(rows: &[u32]) -> bool {
    let span = match (rows.first(), rows.last()) {
        (Some(first), Some(last)) => first.abs_diff(*last),
        _ => return false,
    };
    match u32::try_from(rows.len()) {
        Ok(0..=3) => true,
        Ok(len) => span / len >= ROWS_APART,
        Err(_) => false,
    }
}

/// What is touched: places that follow from the row, then those that the first ones tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wave {
    First,
    Second,
}

/// A walk over places that will be read.
pub(super) struct Ahead<'a> {
    bytes: &'a [u8],
    seen: u8,
}

impl<'a> Ahead<'a> {
    pub(super) fn new(file: &'a CheckedFile) -> Self {
        Self { bytes: file.unchecked(), seen: 0 }
    }

    /// Loads the byte at `at` of a section; places outside of the file are passed over.
    #[inline]
    pub(super) fn touch(&mut self, section: &Section, at: u64) {
        let byte = self.bytes.get(to_usize(section.offset.wrapping_add(at)));
        self.seen ^= byte.copied().unwrap_or_default();
    }

    /// Some bytes as they lie there, unchecked: for a guess where to touch next.
    #[inline]
    pub(super) fn peek<const LEN: usize>(&self, section: &Section, at: u64) -> Option<&'a [u8; LEN]> {
        self.bytes.get(to_usize(section.offset.wrapping_add(at))..)?.first_chunk()
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        // Without a use of what was loaded the compiler would leave the loads out.
        std::hint::black_box(self.seen);
    }
}
