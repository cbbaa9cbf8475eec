//! Events to append, held in memory as a caller holds them.

use std::io::Read;
use std::ops::Range;

use annals_engine::{Batch, Event};
use annals_generate::{Generator, Prepared, RESOURCES, RESOURCES_RANKED_MAX};

use crate::error::Result;
use crate::replay::Replay;

/// The seed of every run: the same events each time.
const SEED: u64 = 7;
/// The time of the newest generated event: 2025-01-15 10:30 UTC.
const END_US: i64 = 1_736_937_000_000_000;

/// Events by position, in the order in which they are appended.
#[derive(Debug)]
pub struct Workload {
    events: Events,
}

#[derive(Debug)]
enum Events {
    Generated { prepared: Prepared, resources: u32 },
    Real(Replay),
}

impl Workload {
    /// Generated events about `resources` different resources.
    pub fn generated(count: u64, resources: Option<u32>) -> Self {
        let resources = resources.unwrap_or(RESOURCES);
        let prepared = Generator::with_resources(SEED, count, END_US, resources).prepare();
        Self { events: Events::Generated { prepared, resources } }
    }

    /// The events of NDJSON, repeated until there are `count` if one is given: each repeat under new ids
    /// and at an earlier time.
    ///
    /// # Errors
    /// A line that is no event, or nothing to read.
    pub fn real(reader: impl Read, count: Option<u64>) -> Result<Self> {
        Ok(Self { events: Events::Real(Replay::read(reader, count)?) })
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        match &self.events {
            Events::Generated { prepared, .. } => prepared.len(),
            Events::Real(replay) => replay.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it is, in a few words.
    pub fn description(&self) -> String {
        match &self.events {
            Events::Generated { resources, .. } => {
                let of = if *resources > RESOURCES_RANKED_MAX { "each of another of" } else { "of" };
                format!("{} generated events, {of} {resources} resources", self.len())
            }
            Events::Real(replay) => replay.description(),
        }
    }

    /// Whether the events were made, not met.
    pub fn is_generated(&self) -> bool {
        matches!(self.events, Events::Generated { .. })
    }

    /// Lends the event at a position; `None` behind the last. It allocates nothing.
    pub fn with_event<T>(&self, position: usize, with: impl FnOnce(&Event<'_>) -> T) -> Option<T> {
        match &self.events {
            Events::Generated { prepared, .. } => {
                let mut realms = [""; 3];
                prepared.event(position, &mut realms).map(|event| with(&event))
            }
            Events::Real(replay) => replay.with_event(position, with),
        }
    }

    /// Fills an empty batch with the events at these positions.
    ///
    /// # Errors
    /// An event beyond the engine's limits.
    pub fn fill(&self, mut batch: Batch, positions: Range<usize>) -> Result<Batch> {
        for position in positions {
            match self.with_event(position, |event| batch.push(event)) {
                Some(pushed) => pushed?,
                None => break,
            }
        }
        Ok(batch)
    }
}
