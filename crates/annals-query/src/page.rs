//! A page: events, how many there are in all, where the next one starts.

use annals_engine::StoredEvent;

use crate::cursor::CursorPosition;
use crate::error::Result;
use crate::plan::{Expired, check_time};
use crate::run::Run;
use crate::sort::Place;

/// Events between two looks at the clock: some tens of microseconds apart.
const EVENTS_PER_CHECK: usize = 64;

/// The answer to a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The events in the order asked for.
    pub events: Vec<StoredEvent>,
    /// How many match in all, cursor and offset apart; absent if it was not asked for.
    pub total: Option<u64>,
    /// Where the next page starts; absent if nothing comes behind this one, or the limit is 0.
    pub next: Option<CursorPosition>,
}

/// The events of a page on their way into it.
pub(crate) struct PageBuilder<'a> {
    pub(crate) events: Vec<StoredEvent>,
    limit: usize,
    size_max_bytes: u64,
    size_bytes: u64,
    /// Whether an event was left out for its size.
    full: bool,
    expired: Expired<'a>,
}

impl<'a> PageBuilder<'a> {
    pub(crate) fn new(limit: u32, size_max_bytes: Option<u64>, expired: Expired<'a>) -> Self {
        Self {
            events: Vec::new(),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            size_max_bytes: size_max_bytes.unwrap_or(u64::MAX),
            size_bytes: 0,
            full: false,
            expired,
        }
    }

    /// Events that still fit by number.
    pub(crate) fn room(&self) -> usize {
        if self.full { 0 } else { self.limit.saturating_sub(self.events.len()) }
    }

    /// Adds an event unless the page is full by size; says whether it was added.
    pub(crate) fn push(&mut self, event: StoredEvent) -> bool {
        let size_bytes = u64::try_from(event.size_bytes()).unwrap_or(u64::MAX);
        self.size_bytes = self.size_bytes.saturating_add(size_bytes);
        // At least one event, or a cursor would never get past a large one.
        self.full = self.size_bytes > self.size_max_bytes && !self.events.is_empty();
        if !self.full {
            self.events.push(event);
        }
        !self.full
    }

    /// Reads the events of these places, until the page is full.
    pub(crate) fn fill(&mut self, runs: &[Run<'_>], places: &[Place]) -> Result<()> {
        for place in places.iter().take(self.room()) {
            if self.events.len().is_multiple_of(EVENTS_PER_CHECK) {
                check_time(self.expired)?;
            }
            let Some(run) = runs.get(place.run) else { break };
            if !self.push(run.part.event(place.row)?) {
                break;
            }
        }
        Ok(())
    }
}
