//! Deletes: how long until they return, how many, and when their bytes are gone.

use std::path::Path;
use std::time::Duration;

use annals_engine::{Delete, Engine, Field, Filter};
use serde::Serialize;

use crate::arguments::Arguments;
use crate::error::{Error, Result};
use crate::process::{Stopwatch, disk_bytes};
use crate::timing::ratio;

/// Figures of one delete.
#[derive(Clone, Debug, Serialize)]
pub struct Deleted {
    /// Events deleted.
    pub deleted: u64,
    /// Until it returned: durable, and seen by every later query.
    pub returned_ms: f64,
    /// Part of the disk that was free one second after it returned.
    pub freed_part: f64,
}

/// Deletes the oldest third.
///
/// # Errors
/// What the engine says.
pub fn drop_oldest(engine: &Engine, directory: &Path, arguments: &Arguments) -> Result<Deleted> {
    delete(engine, directory, &Delete::CreatedBefore(arguments.drop_before_us))
}

/// Deletes one resource type before a time.
///
/// # Errors
/// What the engine says.
pub fn delete_matching(engine: &Engine, directory: &Path, arguments: &Arguments) -> Result<Deleted> {
    let filter = Filter::term(Field::ResourceType, &arguments.delete_type)
        .and(Filter::created_between(0, arguments.delete_before_us));
    delete(engine, directory, &Delete::Matching(filter))
}

fn delete(engine: &Engine, directory: &Path, what: &Delete) -> Result<Deleted> {
    let on_disk = || disk_bytes(directory).map_err(Error::new);
    let before = on_disk()?;
    let stopwatch = Stopwatch::start();
    let deleted = engine.delete(what)?;
    let returned_ms = stopwatch.wall_ms();
    std::thread::sleep(Duration::from_secs(1));
    Ok(Deleted { deleted, returned_ms, freed_part: ratio(before.saturating_sub(on_disk()?), before) })
}
