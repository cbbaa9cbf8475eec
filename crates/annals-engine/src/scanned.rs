//! How many rows a thread has gone through to answer filters: what an index does not tell has to be looked at, and
//! whoever asked may want to stop.

use std::cell::Cell;

thread_local! {
    // Of the thread and not of the query: a part is asked on the thread of whoever asks, and a plain number costs
    // nothing where rows are read by the million.
    static SCANNED_ROWS: Cell<u64> = const { Cell::new(0) };
}

/// Rows that this thread has gone through so far, since it began: those whose text was searched in, and those whose
/// values were read one by one to test or to count them. What indexes and kept counts answer goes through no row. A
/// row counts as often as it was looked at.
///
/// What one question cost is the difference of two calls on its thread. O(1).
#[must_use]
pub fn scanned_rows() -> u64 {
    SCANNED_ROWS.get()
}

/// Counts rows that are gone through.
pub(crate) fn scan(rows: u32) {
    SCANNED_ROWS.set(SCANNED_ROWS.get().saturating_add(u64::from(rows)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_counts_its_own() {
        let before = scanned_rows();
        scan(3);
        scan(u32::MAX);
        assert_eq!(scanned_rows() - before, 3 + u64::from(u32::MAX));
        let others = std::thread::spawn(scanned_rows).join().unwrap();
        assert_eq!(others, 0);
    }
}
