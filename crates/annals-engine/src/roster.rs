//! The sealed segments of an open store one by one, for whoever looks after it.

use crate::catalog::SealedEntry;
use crate::engine::Engine;
use crate::partition::PartitionSpan;

/// A sealed segment of an open store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFigures {
    /// Its file is named so.
    pub id: u64,
    /// The first microsecond of its partition, UTC.
    pub partition_start_us: i64,
    /// The span of its partition; `None` for one that this version does not know.
    pub partition_span: Option<PartitionSpan>,
    /// Rows, deleted ones included.
    pub rows: u64,
    /// Deleted rows whose bytes are still there.
    pub deleted: u64,
    /// Of the file.
    pub size_bytes: u64,
    /// The smallest and the largest `created_at`, UTC microseconds, both inclusive; deleted rows included.
    pub created_at_us: (i64, i64),
    /// The smallest and the largest sequence, both inclusive.
    pub sequences: (u64, u64),
    /// When the last of its rows was sealed, UTC microseconds; `None` if the segment cannot be read.
    pub sealed_at_us: Option<i64>,
    /// Whether it is packed as those are that nothing is expected to change any more; `None` if it cannot be read.
    pub is_packed: Option<bool>,
}

impl Engine {
    /// The sealed segments, ascending by partition and then by their first sequence. Costs O(segments); reads no file.
    pub fn segments(&self) -> Vec<SegmentFigures> {
        let mut segments: Vec<SegmentFigures> = self.shared().catalog().sealed.iter().map(figures).collect();
        segments.sort_by_key(|one| (one.partition_start_us, one.partition_span.map(|span| span as u8), one.sequences));
        segments
    }
}

fn figures(sealed: &SealedEntry) -> SegmentFigures {
    let SealedEntry { entry, segment, overlay, .. } = sealed;
    SegmentFigures {
        id: entry.id,
        partition_start_us: entry.partition_start_us,
        partition_span: PartitionSpan::from_number(entry.partition_span),
        rows: u64::from(entry.rows),
        deleted: overlay.tombstones.len(),
        size_bytes: entry.size_bytes,
        created_at_us: (entry.min_created_at_us, entry.max_created_at_us),
        sequences: (entry.min_sequence, entry.max_sequence),
        sealed_at_us: segment.as_ref().map(|segment| segment.sealed_at_us()),
        is_packed: segment.as_ref().map(|segment| segment.is_packed()),
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        AppendOptions, Batch, Delete, Engine, Event, LOG_SIZE_BYTES_MIN, Options, PartitionSpan, Partitioning,
    };

    const DAY_US: i64 = 86_400_000_000;
    const TODAY_US: i64 = 20_000 * DAY_US;

    #[test]
    fn segments_are_told_by_partition_with_what_was_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let partition = Partitioning::Fixed(PartitionSpan::Day);
        let options = Options { log_size_bytes: LOG_SIZE_BYTES_MIN, partition, ..Options::new(folder.path()) };
        let engine = Engine::open(options).unwrap();
        assert_eq!(engine.segments(), []);
        for day in [1, 0] {
            let mut batch = Batch::new();
            for number in 0..2000 {
                let mut event = Event::new("a.b");
                event.created_at_us = Some(TODAY_US + day * DAY_US + number);
                batch.push(&event).unwrap();
            }
            engine.append(batch, &AppendOptions::default()).unwrap();
            engine.seal_now().unwrap();
        }
        engine.delete(&Delete::Sequences(vec![1, 2, 2001])).unwrap();
        let segments = engine.segments();
        let told = |at: usize| {
            let one = &segments[at];
            (one.partition_start_us, one.partition_span, one.rows, one.deleted, one.sequences)
        };
        assert_eq!(segments.len(), 2);
        assert_eq!(told(0), (TODAY_US, Some(PartitionSpan::Day), 2000, 1, (2001, 4000)));
        assert_eq!(told(1), (TODAY_US + DAY_US, Some(PartitionSpan::Day), 2000, 2, (1, 2000)));
        assert_eq!(segments[0].created_at_us, (TODAY_US, TODAY_US + 1999));
        assert_eq!(segments[0].is_packed, Some(false));
        assert!(segments[0].sealed_at_us.unwrap() > 0 && segments[0].id > segments[1].id);
        let figures = engine.stats();
        assert_eq!(segments.iter().map(|one| one.size_bytes).sum::<u64>(), figures.sealed_bytes);
        assert_eq!(segments.iter().map(|one| one.deleted).sum::<u64>(), figures.tombstones);
    }
}
