//! Sequences that no part holds any more.

use std::ops::Range;

use crate::plan::View;

/// The stretches of `range` that lie in no part's bounds, ascending: what was there was deleted, and its
/// bytes are gone with it. Whether it would have matched anything nobody can tell.
///
/// A deleted event within the bounds of a part is in no stretch. Costs O(parts log parts), less if most
/// parts lie wholly before the range.
pub fn holes(view: &impl View, range: Range<u64>) -> Vec<Range<u64>> {
    let mut bounds: Vec<(u64, u64)> = view
        .parts()
        .iter()
        .filter(|part| part.row_count() > 0)
        .map(|part| part.sequence_bounds())
        .filter(|(first, last)| *last >= range.start && *first < range.end)
        .collect();
    bounds.sort_unstable();
    let mut holes = Vec::new();
    let mut covered = range.start;
    for (first, last) in bounds {
        if first > covered {
            holes.push(covered..first);
        }
        covered = covered.max(last.saturating_add(1));
    }
    if covered < range.end {
        holes.push(covered..range.end);
    }
    holes
}
