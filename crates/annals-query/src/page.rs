//! A page: events, how many there are in all, where the next one starts.

use annals_engine::StoredEvent;

use crate::cursor::CursorPosition;
use crate::error::Result;
use crate::plan::{Expired, check_allowed};
use crate::run::Run;
use crate::sort::Place;

/// Events between two looks at the clock: some tens of microseconds apart.
const EVENTS_PER_CHECK: usize = 64;
/// The first events of a page that is measured in bytes: at the largest, 8 MiB.
const EVENTS_MEASURED: usize = 8;

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
        let mut places = places.get(..self.room().min(places.len())).unwrap_or_default();
        while !places.is_empty() {
            check_allowed(self.expired)?;
            let (these, behind) = places.split_at(self.at_once().min(places.len()));
            let more = match read(runs, these) {
                Ok(events) => events.into_iter().all(|event| self.push(event)),
                // The damaged one may lie behind the end of the page: then the page is whole without it.
                Err(_) if these.len() > 1 && self.is_measured() => self.fill_singly(runs, these)?,
                Err(error) => return Err(error),
            };
            if !more {
                return Ok(());
            }
            places = behind;
        }
        Ok(())
    }

    /// Reads one event after the other; says whether the page took them all.
    fn fill_singly(&mut self, runs: &[Run<'_>], places: &[Place]) -> Result<bool> {
        for place in places {
            check_allowed(self.expired)?;
            for event in read(runs, std::slice::from_ref(place))? {
                if !self.push(event) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn is_measured(&self) -> bool {
        self.size_max_bytes != u64::MAX
    }

    /// Events that are read together. Those behind the end of a page are read in vain: a page that is
    /// measured in bytes begins with few and goes by the size of those it has.
    fn at_once(&self) -> usize {
        if !self.is_measured() {
            return EVENTS_PER_CHECK;
        }
        let Ok(read) = u64::try_from(self.events.len()) else { return 1 };
        if read == 0 {
            return EVENTS_MEASURED;
        }
        let room = self.size_max_bytes.saturating_sub(self.size_bytes);
        let usual = (self.size_bytes / read).max(1);
        usize::try_from(room / usual).unwrap_or(EVENTS_PER_CHECK).clamp(1, EVENTS_PER_CHECK)
    }
}

/// The events of these places, in their order: those of one part are read together.
fn read(runs: &[Run<'_>], places: &[Place]) -> Result<Vec<StoredEvent>> {
    if let Some(first) = places.first()
        && places.iter().all(|place| place.run == first.run)
        && let Some(run) = runs.get(first.run)
    {
        let rows: Vec<u32> = places.iter().map(|place| place.row).collect();
        return Ok(run.part.events(&rows)?);
    }
    let mut order: Vec<(usize, usize, u32)> =
        places.iter().enumerate().map(|(at, place)| (place.run, at, place.row)).collect();
    order.sort_unstable();
    let mut events: Vec<Option<StoredEvent>> = places.iter().map(|_| None).collect();
    for of_run in order.chunk_by(|a, b| a.0 == b.0) {
        let Some(run) = of_run.first().and_then(|(run, ..)| runs.get(*run)) else { continue };
        let rows: Vec<u32> = of_run.iter().map(|(_, _, row)| *row).collect();
        for ((_, at, _), event) in of_run.iter().zip(run.part.events(&rows)?) {
            if let Some(slot) = events.get_mut(*at) {
                *slot = Some(event);
            }
        }
    }
    Ok(events.into_iter().flatten().collect())
}
