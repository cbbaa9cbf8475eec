//! Memory of batches that were written, for those to come.
//!
//! A batch of some thousand events takes some megabytes. Given back to the system and taken again they come
//! as fresh pages, which costs about as much as encoding the events into them.

use crate::batch::{Batch, RecordRef};
use crate::record::TermRef;
use crate::threading::Mutex;

/// Batches that are kept: as many as callers commonly fill at once. Together at most some tens of megabytes.
const SPARES_MAX: usize = 4;
/// Smaller ones cost little to make.
const SPARE_SIZE_MIN: usize = 64 << 10;
/// Larger ones are rare and would be kept for nothing.
const SPARE_SIZE_MAX: usize = 8 << 20;
/// The same with all that a batch holds besides its records: of many short events that is the larger part.
const SPARE_MEMORY_MAX: usize = 2 * SPARE_SIZE_MAX;

impl Batch {
    /// Bytes of memory that the batch holds. What it knows of the values is counted as if its lists had just
    /// doubled, which is the most they take.
    pub fn memory_bytes(&self) -> usize {
        // A place of the table is an index and a byte; of eight places seven are used at the most, before it doubles.
        let term = 2 * size_of::<TermRef>() + 3 * (size_of::<u32>() + 1);
        self.bytes.capacity()
            + self.records.capacity() * size_of::<RecordRef>()
            + self.acknowledged.capacity() * size_of::<u32>()
            + self.terms.list().len() * term
            + self.terms.uses().len() * 2 * size_of::<u32>()
    }
}

/// Empty batches with the memory of earlier ones.
#[derive(Debug, Default)]
pub(crate) struct Spares(Mutex<Vec<Batch>>);

impl Spares {
    /// One of them, or a new one.
    pub(crate) fn take(&self) -> Batch {
        self.0.lock().pop().unwrap_or_default()
    }

    /// Keeps the memory of a batch that is done with, if it is worth it.
    pub(crate) fn give(&self, mut batch: Batch) {
        let is_worth_it = (SPARE_SIZE_MIN..=SPARE_SIZE_MAX).contains(&batch.bytes.capacity());
        if !is_worth_it || batch.memory_bytes() > SPARE_MEMORY_MAX {
            return;
        }
        batch.start_over();
        let mut held = self.0.lock();
        if held.len() < SPARES_MAX {
            held.push(batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    fn filled(size: usize) -> Batch {
        let mut batch = Batch::new();
        let text = "x".repeat(8000);
        while batch.size_bytes() < size {
            let mut event = Event::new("a");
            event.message = Some(&text);
            batch.push(&event).unwrap();
        }
        // The writer takes the frame out and writes its header.
        batch.bytes.fill(0xff);
        batch
    }

    #[test]
    fn a_spare_is_as_good_as_a_new_one() {
        let spares = Spares::default();
        spares.give(filled(100_000));
        let mut spare = spares.take();
        assert!(spare.is_empty() && spare.bytes.capacity() >= 100_000);
        let mut new = Batch::new();
        for batch in [&mut spare, &mut new] {
            batch.push(&Event::new("b")).unwrap();
        }
        assert_eq!((spare.bytes, spare.terms.mark()), (new.bytes, new.terms.mark()));
    }

    #[test]
    fn few_are_kept_and_neither_small_nor_huge_ones() {
        let spares = Spares::default();
        spares.give(filled(1000));
        spares.give(filled(SPARE_SIZE_MAX + 1));
        assert_eq!(spares.0.lock().len(), 0);
        let mut short = Batch::new();
        short.records.reserve(SPARE_MEMORY_MAX / size_of::<RecordRef>());
        short.bytes.reserve(SPARE_SIZE_MIN);
        spares.give(short);
        assert_eq!(spares.0.lock().len(), 0);
        for _ in 0..SPARES_MAX + 2 {
            spares.give(filled(SPARE_SIZE_MIN));
        }
        assert_eq!(spares.0.lock().len(), SPARES_MAX);
    }
}
