//! What changed about the rows of a sealed segment or of the live rows: tombstones and marks.

use roaring::RoaringBitmap;

/// Changes of one segment's rows, immutable once published: a change makes a new one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Overlay {
    /// Deleted rows.
    pub(crate) tombstones: RoaringBitmap,
    /// Rows somebody has taken note of.
    pub(crate) acknowledged: RoaringBitmap,
    /// Every control operation up to this ordinal is folded in; later ones are replayed at open.
    pub(crate) applied_control: u64,
}
