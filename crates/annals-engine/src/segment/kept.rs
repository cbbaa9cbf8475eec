//! How much decoded data all open segments keep together, so that thousands of them take no more memory than a few.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that may be kept, and how many are.
#[derive(Debug)]
pub(super) struct Budget {
    held_bytes: AtomicUsize,
    max_bytes: usize,
}

/// What all segments of the process keep: decoded bitmaps of common terms and the blocks of texts decoded last.
pub(super) static BUDGET: Budget = Budget::new(64 << 20);

impl Budget {
    pub(super) const fn new(max_bytes: usize) -> Self {
        Self { held_bytes: AtomicUsize::new(0), max_bytes }
    }

    /// `value`, counted for as long as it is kept; `None` if there is no room for its bytes.
    pub(super) fn keep<T>(&'static self, value: T, size_bytes: usize) -> Option<Kept<T>> {
        let add = |held: usize| held.checked_add(size_bytes).filter(|held| *held <= self.max_bytes);
        // It counts bytes and guards no memory: no order is needed.
        self.held_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()?;
        Some(Kept { value, size_bytes, budget: self })
    }

    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::Relaxed)
    }
}

/// A value that a [`Budget`] counts until it is dropped.
#[derive(Debug)]
pub(super) struct Kept<T> {
    pub(super) value: T,
    pub(super) size_bytes: usize,
    budget: &'static Budget,
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        self.budget.held_bytes.fetch_sub(self.size_bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        static SMALL: Budget = Budget::new(100);
        let first = SMALL.keep("first", 60);
        assert_eq!(first.as_ref().map(|kept| kept.value), Some("first"));
        assert!(SMALL.keep("too large", 41).is_none());
        assert!(SMALL.keep("beyond counting", usize::MAX).is_none());
        let second = SMALL.keep("second", 40);
        assert_eq!((second.is_some(), SMALL.held_bytes()), (true, 100));
        drop(first);
        assert_eq!(SMALL.held_bytes(), 40);
        assert!(SMALL.keep("at last", 41).is_some());
        drop(second);
        assert_eq!(SMALL.held_bytes(), 0);
    }
}
