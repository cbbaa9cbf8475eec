//! The ordered set of segments in memory, and the snapshot a query works on.

use std::sync::{Arc, OnceLock};

use crate::damaged::DamagedPart;
use crate::error::{Error, Result};
use crate::event::StoredEvent;
use crate::id::EventId;
use crate::live::{LivePart, LiveSegment};
use crate::log::LogFile;
use crate::manifest::SegmentEntry;
use crate::overlay::Overlay;
use crate::part::Part;
use crate::part_list::{PartList, Parts};
use crate::requests::{Gap, ReadReceipt};
use crate::segment::{SealedPart, SealedSegment};

/// Everything that can be queried. Immutable: a change makes a new one and swaps it in.
#[derive(Clone, Default)]
pub(crate) struct Catalog {
    /// In no order that matters to queries.
    pub(crate) sealed: Vec<SealedEntry>,
    /// Ascending by sequence; the last one is being appended to.
    pub(crate) live: Vec<LiveEntry>,
    /// What a degraded store leaves out.
    pub(crate) gaps: Vec<Gap>,
    /// The sealed parts beside each other, made with the first snapshot.
    pub(crate) list: LazyList,
}

/// A [`PartList`] that is made when it is asked for; a copy, which may be changed, makes another one.
#[derive(Default)]
pub(crate) struct LazyList(OnceLock<Arc<PartList>>);

impl Clone for LazyList {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// A sealed segment and what changed about its rows.
#[derive(Clone)]
pub(crate) struct SealedEntry {
    pub(crate) entry: SegmentEntry,
    /// Absent if the file could not be opened: the part then answers every query with the damage.
    pub(crate) segment: Option<Arc<SealedSegment>>,
    pub(crate) overlay: Arc<Overlay>,
    /// The overlay as its file has it.
    pub(crate) written: Arc<Overlay>,
    pub(crate) part: Arc<dyn Part>,
}

impl SealedEntry {
    /// A segment whose overlay is not in a file yet.
    pub(crate) fn new(entry: SegmentEntry, segment: Arc<SealedSegment>, overlay: Arc<Overlay>) -> Self {
        let part = Arc::new(SealedPart::new(Arc::clone(&segment), Arc::clone(&overlay)));
        Self { entry, segment: Some(segment), overlay, written: Arc::default(), part }
    }

    /// A segment whose file cannot be used: every query that touches it gets the damage.
    pub(crate) fn damaged(entry: SegmentEntry, overlay: Arc<Overlay>, damage: &Error) -> Self {
        let part = Arc::new(DamagedPart::new(&entry, damage));
        Self { entry, segment: None, written: Arc::clone(&overlay), overlay, part }
    }

    /// A segment that a degraded store leaves out, and what is missing for it.
    pub(crate) fn skip(&mut self, damage: &Error) -> Gap {
        self.part = Arc::new(DamagedPart::skipped(&self.entry, damage));
        self.segment = None;
        Gap {
            first_sequence: self.entry.min_sequence,
            last_sequence: Some(self.entry.max_sequence),
            events_max: Some(u64::from(self.entry.rows)),
            created_at_us: Some(self.entry.min_created_at_us..=self.entry.max_created_at_us),
        }
    }

    /// The same segment with another overlay.
    pub(crate) fn with_overlay(&self, overlay: Arc<Overlay>) -> Self {
        let part: Arc<dyn Part> = match &self.segment {
            Some(segment) => Arc::new(SealedPart::new(Arc::clone(segment), Arc::clone(&overlay))),
            None => Arc::clone(&self.part),
        };
        Self { overlay, part, ..self.clone() }
    }

    /// Whether the overlay differs from its file.
    pub(crate) fn is_changed(&self) -> bool {
        !Arc::ptr_eq(&self.overlay, &self.written) && !self.overlay.same_changes(&self.written)
    }
}

/// A log with its live rows.
#[derive(Clone)]
pub(crate) struct LiveEntry {
    pub(crate) segment: Arc<LiveSegment>,
    pub(crate) log: Arc<LogFile>,
    pub(crate) overlay: Arc<Overlay>,
    /// Where the log ends, once it is full: nothing is appended any more.
    pub(crate) closed_at: Option<u64>,
}

/// Where a row lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// In a sealed segment: its id, and a row of it.
    Sealed(u64, u32),
    /// In a log: its id, and a live row.
    Live(u64, u32),
}

impl Catalog {
    /// The sealed parts beside each other. The catalog must not change any more.
    pub(crate) fn list(&self) -> &Arc<PartList> {
        let entries = self.sealed.iter().map(|entry| (&entry.part, entry.segment.as_deref()));
        self.list.0.get_or_init(|| Arc::new(PartList::new(entries)))
    }

    /// Takes the list of an earlier catalog over if its sealed parts are the same.
    pub(crate) fn keep_list(&mut self, before: &Catalog) {
        let same = self.sealed.len() == before.sealed.len()
            && self.sealed.iter().zip(&before.sealed).all(|(entry, other)| Arc::ptr_eq(&entry.part, &other.part));
        self.list = LazyList::default();
        if let Some(list) = before.list.0.get().filter(|_| same) {
            self.list = LazyList(OnceLock::from(Arc::clone(list)));
        }
    }

    /// The overlay of the rows that a place is one of.
    pub(crate) fn overlay_at(&self, place: Place) -> Option<&Arc<Overlay>> {
        match place {
            Place::Sealed(id, _) => self.sealed.iter().find(|entry| entry.entry.id == id).map(|entry| &entry.overlay),
            Place::Live(id, _) => self.live.iter().find(|entry| entry.segment.log_id == id).map(|entry| &entry.overlay),
        }
    }

    /// Changes the overlay of the rows that a place is one of.
    pub(crate) fn change_overlay_at(&mut self, place: Place, ordinal: u64, change: impl FnOnce(&mut Overlay, u32)) {
        let Some(overlay) = self.overlay_at(place) else { return };
        let mut next = Overlay::clone(overlay);
        next.applied_control = ordinal;
        let (Place::Sealed(_, row) | Place::Live(_, row)) = place;
        change(&mut next, row);
        match place {
            Place::Sealed(id, _) => self.set_sealed_overlay(id, Arc::new(next)),
            Place::Live(id, _) => self.set_live_overlay(id, Arc::new(next)),
        }
    }

    /// The catalog with the overlay of a live segment replaced.
    pub(crate) fn set_live_overlay(&mut self, log_id: u64, overlay: Arc<Overlay>) {
        if let Some(entry) = self.live.iter_mut().find(|entry| entry.segment.log_id == log_id) {
            entry.overlay = overlay;
        }
    }

    /// The catalog with the overlay of a sealed segment replaced.
    pub(crate) fn set_sealed_overlay(&mut self, segment_id: u64, overlay: Arc<Overlay>) {
        if let Some(entry) = self.sealed.iter_mut().find(|entry| entry.entry.id == segment_id) {
            *entry = entry.with_overlay(overlay);
        }
    }
}

/// One immutable view of a store: what was visible when it was taken, for any number of queries.
///
/// Costs O(live blocks) to take, blocks nobody, and keeps the files it needs readable while it lives.
///
/// If the log fails meanwhile, queries that have to read events from it that were not durable are
/// [`crate::ErrorKind::Poisoned`]: take a new snapshot, which has those that were.
#[derive(Clone)]
pub struct Snapshot {
    list: Arc<PartList>,
    /// The blocks of live rows.
    blocks: Vec<Arc<dyn Part>>,
    pub(crate) live: Vec<(Arc<LivePart>, u64)>,
    pub(crate) catalog: Arc<Catalog>,
    visible_sequence: u64,
}

impl Snapshot {
    /// The catalog must have been loaded before `visible_sequence`: everything it holds sealed is visible.
    pub(crate) fn new(catalog: Arc<Catalog>, visible_sequence: u64) -> Self {
        let mut blocks: Vec<Arc<dyn Part>> = Vec::new();
        let mut live = Vec::new();
        for entry in &catalog.live {
            let visible_rows = (visible_sequence + 1).saturating_sub(entry.segment.first_sequence);
            let visible_rows = u32::try_from(visible_rows).unwrap_or(u32::MAX);
            for block in entry.segment.blocks() {
                if let Some(part) = LivePart::new(&entry.segment, &block, &entry.overlay, visible_rows) {
                    let part = Arc::new(part);
                    live.push((Arc::clone(&part), entry.segment.log_id));
                    blocks.push(part);
                }
            }
        }
        Self { list: Arc::clone(catalog.list()), blocks, live, catalog, visible_sequence }
    }

    /// The parts, in no order. Queries run over each and merge.
    pub fn parts(&self) -> Parts<'_> {
        Parts::new(&self.list, &self.blocks)
    }

    /// What is missing in it because the store is open degraded (see [`crate::Options::degraded`]) and something is
    /// damaged; empty otherwise. An answer drawn from a snapshot with gaps may be smaller than the truth: say so to
    /// whoever gets it.
    pub fn gaps(&self) -> &[Gap] {
        &self.catalog.gaps
    }

    /// The last sequence in it.
    pub fn visible_sequence(&self) -> u64 {
        self.visible_sequence
    }

    /// The event with this id; of several, the one with the highest sequence. Costs O(segments).
    ///
    /// # Errors
    /// `Corrupt` if a segment that may hold it is damaged.
    pub fn get(&self, id: EventId) -> Result<Option<StoredEvent>> {
        Ok(self.get_all(id)?.pop())
    }

    /// All events with this id, ascending by sequence. Costs O(segments).
    ///
    /// # Errors
    /// `Corrupt` if a segment that may hold one is damaged.
    pub fn get_all(&self, id: EventId) -> Result<Vec<StoredEvent>> {
        let mut events = Vec::new();
        for part in self.parts().with_id(id) {
            for row in part.find_id(id)? {
                events.push(part.event(row)?);
            }
        }
        events.sort_unstable_by_key(|event| event.sequence);
        Ok(events)
    }

    /// Where the row of a sequence lies, unless it is deleted or not visible.
    pub(crate) fn locate(&self, sequence: u64) -> Result<Option<Place>> {
        for (part, log_id) in &self.live {
            if let Some(row) = part.find_sequence(sequence)? {
                return Ok(Some(Place::Live(*log_id, part.live_row(row))));
            }
        }
        for entry in &self.catalog.sealed {
            let (first, last) = entry.part.sequence_bounds();
            if (first..=last).contains(&sequence)
                && let Some(row) = entry.part.find_sequence(sequence)?
            {
                return Ok(Some(Place::Sealed(entry.entry.id, row)));
            }
        }
        Ok(None)
    }

    /// When and under which receipt a user has read the event with this sequence; `None` also if there is
    /// no such event. Costs O(segments) at most: those whose events nobody has read are not asked.
    ///
    /// # Errors
    /// `Corrupt` if a segment that may hold the event is damaged.
    pub fn read_receipt(&self, sequence: u64, user_id: &str) -> Result<Option<ReadReceipt>> {
        for entry in &self.catalog.live {
            let Some(row) = entry.segment.row_of(sequence).filter(|_| !entry.overlay.receipts.is_empty()) else {
                continue;
            };
            // Receipts of a log's rows are of visible ones, and go with them. They are synced behind them too, so a
            // log that failed never hides one.
            if let Some(receipt) = entry.overlay.receipts.get(row, user_id) {
                return Ok(Some(receipt));
            }
        }
        for entry in &self.catalog.sealed {
            let (first, last) = entry.part.sequence_bounds();
            let can_hold = entry.segment.is_none() || !entry.overlay.receipts.is_empty();
            if can_hold
                && (first..=last).contains(&sequence)
                && let Some(row) = entry.part.find_sequence(sequence)?
            {
                return Ok(entry.overlay.receipts.get(row, user_id));
            }
        }
        Ok(None)
    }

    /// The event with this sequence. Costs O(segments).
    ///
    /// # Errors
    /// `Corrupt` if a segment that may hold it is damaged.
    pub fn get_sequence(&self, sequence: u64) -> Result<Option<StoredEvent>> {
        for part in self.parts() {
            let (first, last) = part.sequence_bounds();
            if (first..=last).contains(&sequence)
                && let Some(row) = part.find_sequence(sequence)?
            {
                return part.event(row).map(Some);
            }
        }
        Ok(None)
    }
}
