//! Checking sealed segments before a query touches them.
//!
//! Bytes of a segment are compared with their checksums when they are first touched. Whoever asks first after an open
//! would pay for that, chunk by chunk and page fault by page fault, with up to a hundred times the time of the answer.
//! So the maintenance thread touches the newest segments while it has nothing else to do. What is damaged is left to
//! those who read it: they are told where, and nobody else is disturbed.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::segment::SealedSegment;
use crate::shared::Shared;
use crate::threading::atomic::Ordering;

/// So much of the newest segments is checked: more than the queries of a day touch, and less than the page cache of a
/// machine that holds a store of many times this size.
const CHECKED_MAX_BYTES: u64 = 2 << 30;

/// Which segments were looked at.
#[derive(Debug, Default)]
pub(crate) struct CheckAhead {
    done: BTreeSet<u64>,
}

impl CheckAhead {
    /// Checks what is not checked yet, newest events first, until there is other work.
    pub(crate) fn run(&mut self, shared: &Shared) {
        let waiting = self.waiting(shared);
        if waiting.is_empty() {
            shared.checking.store(false, Ordering::Relaxed);
            return;
        }
        shared.checking.store(true, Ordering::Relaxed);
        let goes_on = || {
            let state = shared.wake.state.lock();
            !state.work && !state.stop
        };
        for (id, segment) in waiting {
            match segment.check_ahead(&goes_on) {
                // A damaged chunk is found again by whoever reads it.
                Ok(true) | Err(_) => _ = self.done.insert(id),
                Ok(false) => return,
            }
        }
        shared.checking.store(false, Ordering::Relaxed);
    }

    /// The segments to be checked, newest events first.
    fn waiting(&mut self, shared: &Shared) -> Vec<(u64, Arc<SealedSegment>)> {
        let catalog = shared.catalog();
        self.done.retain(|id| catalog.sealed.iter().any(|entry| entry.entry.id == *id));
        if self.done.len() == catalog.sealed.len() {
            return Vec::new();
        }
        let mut entries: Vec<_> = catalog.sealed.iter().collect();
        entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.part.time_bounds_us().1));
        let mut size_bytes = 0_u64;
        // The newest one whatever its size: it is asked most.
        let within = entries.into_iter().take_while(|entry| {
            let is_first = size_bytes == 0;
            size_bytes = size_bytes.saturating_add(entry.entry.size_bytes);
            is_first || size_bytes <= CHECKED_MAX_BYTES
        });
        let waiting = within.filter(|entry| !self.done.contains(&entry.entry.id));
        waiting.filter_map(|entry| Some((entry.entry.id, Arc::clone(entry.segment.as_ref()?)))).collect()
    }
}
