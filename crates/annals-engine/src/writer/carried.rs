//! Showing a batch whose frame says more than its events.

use super::Writer;
use crate::catalog::{Place, Snapshot};
use crate::changes::{ChosenRows, apply_marks};
use crate::error::Result;
use crate::overlay::Overlay;
use crate::queue::{AppendJob, Shown};
use crate::replacing::{self, Carried, Replaced};

impl Writer {
    /// What a batch replaces.
    pub(super) fn find_replaced(&self, job: &mut AppendJob) -> Result<Replaced> {
        let (catalog, scope) = (self.shared.catalog(), &job.how.scope);
        let mut found = match job.sealed.take() {
            Some(found) => *found,
            None => replacing::find_in_sealed(&job.batch, scope, &catalog)?,
        };
        replacing::find_in_live(&job.batch, scope, &catalog, &mut found)?;
        if !self.shared.holds.is_empty() {
            let snapshot = Snapshot::new(catalog, self.next_sequence - 1);
            self.shared.holds.check(&snapshot, &found.rows, found.sequences())?;
        }
        Ok(found)
    }

    /// Makes a batch visible with its marks, and what it replaces invisible, at once and durably.
    pub(super) fn show_carried(&mut self, carried: &Carried) -> Result<Shown> {
        // ORDER: the sync first, at every level: an overlay file with the tombstones may become durable as
        // soon as they are in the catalog, and must not outlive the events that stand in for the deleted.
        self.sync_now()?;
        self.control_ordinal += 1;
        let (ordinal, upto) = (self.control_ordinal, self.next_sequence - 1);
        let mut marked = ChosenRows::default();
        let segment = &self.active.segment;
        for row in carried.acknowledged.iter().filter_map(|sequence| segment.row_of(*sequence)) {
            marked.insert(Place::Live(segment.log_id, row));
        }
        let before = self.shared.snapshot();
        self.shared.update_catalog(|catalog| {
            carried.replaced.apply(catalog, ordinal, Overlay::delete);
            apply_marks(catalog, ordinal, &marked, &ChosenRows::default());
            // ORDER: under the catalog's lock: a snapshot takes the watermark between two looks at the same
            // catalog, so it sees either the old events or the new ones, and these with their marks.
            self.shared.watermarks.publish(upto);
        });
        Ok(Shown { ordinal, before, replaced: carried.replaced.clone() })
    }
}
