//! The part of a segment that cannot be read: it answers with the damage, never with less than there is.

use crate::error::{Error, Result};
use crate::event::StoredEvent;
use crate::field::Field;
use crate::filter::Filter;
use crate::id::EventId;
use crate::manifest::SegmentEntry;
use crate::part::{OrderKey, Part};
use crate::rows::RowSet;

/// Stands for a segment whose header or footer is damaged. Bounds are those of the manifest, so that
/// queries that cannot touch it go on.
pub(crate) struct DamagedPart {
    rows: u32,
    time_bounds_us: (i64, i64),
    sequence_bounds: (u64, u64),
    damage: Error,
    /// A degraded store answers without it, and says so.
    is_skipped: bool,
}

impl DamagedPart {
    pub(crate) fn new(entry: &SegmentEntry, damage: &Error) -> Self {
        Self {
            rows: entry.rows,
            time_bounds_us: (entry.min_created_at_us, entry.max_created_at_us),
            sequence_bounds: (entry.min_sequence, entry.max_sequence),
            damage: damage.duplicate(),
            is_skipped: false,
        }
    }

    /// Stands for a segment that a degraded store leaves out: as if it had no rows. Who asks is told by
    /// [`crate::Snapshot::gaps`].
    pub(crate) fn skipped(entry: &SegmentEntry, damage: &Error) -> Self {
        Self { rows: 0, is_skipped: true, ..Self::new(entry, damage) }
    }

    fn refuse<T>(&self) -> Result<T> {
        Err(self.damage.duplicate())
    }
}

impl Part for DamagedPart {
    fn row_count(&self) -> u32 {
        self.rows
    }

    fn time_bounds_us(&self) -> (i64, i64) {
        self.time_bounds_us
    }

    fn sequence_bounds(&self) -> (u64, u64) {
        self.sequence_bounds
    }

    fn key(&self, _row: u32) -> Result<OrderKey> {
        self.refuse()
    }

    fn lower_bound(&self, _key: OrderKey) -> Result<u32> {
        self.refuse()
    }

    fn select(&self, filter: &Filter) -> Result<RowSet> {
        let (from_us, to_us) = filter.time_bounds_us();
        let (min, max) = self.time_bounds_us;
        if self.is_skipped || max < from_us || min >= to_us { Ok(RowSet::empty()) } else { self.refuse() }
    }

    fn count_by(&self, _field: Field, rows: &RowSet, _visit: &mut dyn FnMut(&str, u32)) -> Result<()> {
        if rows.is_empty() { Ok(()) } else { self.refuse() }
    }

    fn event(&self, _row: u32) -> Result<StoredEvent> {
        self.refuse()
    }

    fn find_id(&self, _id: EventId) -> Result<Vec<u32>> {
        if self.is_skipped { Ok(Vec::new()) } else { self.refuse() }
    }

    fn find_sequence(&self, _sequence: u64) -> Result<Option<u32>> {
        if self.is_skipped { Ok(None) } else { self.refuse() }
    }
}
