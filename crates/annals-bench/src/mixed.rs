//! Queries while events come in.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::arguments::Arguments;
use crate::error::Result;
use crate::ingest::{How, append_all, open_store};
use crate::process::Stopwatch;
use crate::queries::common_type_page;
use crate::timing::{Timings, per};
use crate::workload::Workload;

/// Milliseconds from the end of one query to the next: a dashboard, not a second load.
pub const PAUSE_MS: u64 = 5;

/// Figures of a mixed load.
#[derive(Clone, Debug, Serialize)]
pub struct Mixed {
    /// Events appended.
    pub events: u64,
    /// Until the last acknowledgement, with the queries running.
    pub acknowledged_per_s: f64,
    /// The second query, newest 100 of a common type with the exact total, as one caller sees it.
    pub q2: Timings,
}

/// Fills a store and asks the second query of it meanwhile, from one thread with a pause between queries.
///
/// # Errors
/// What engine or query say.
pub fn mixed(directory: &Path, workload: &Workload, arguments: &Arguments, how: &How) -> Result<Mixed> {
    let engine = open_store(directory, how.durability)?;
    let ended = AtomicBool::new(false);
    let ask = || -> Result<Vec<f64>> {
        let (mut times, mut types) = (Vec::new(), arguments.common_types.iter().cycle());
        while !ended.load(Ordering::Relaxed) {
            let Some(event_type) = types.next() else { break };
            let stopwatch = Stopwatch::start();
            common_type_page(&engine, event_type)?;
            times.push(stopwatch.wall_ms());
            std::thread::sleep(Duration::from_millis(PAUSE_MS));
        }
        Ok(times)
    };
    let (appended, wall_s, times) = std::thread::scope(|scope| {
        let asking = scope.spawn(ask);
        let stopwatch = Stopwatch::start();
        let appended = append_all(&engine, workload, how);
        let wall_s = stopwatch.wall_s();
        ended.store(true, Ordering::Relaxed);
        let times = asking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (appended, wall_s, times)
    });
    appended?;
    engine.close()?;
    let events = u64::try_from(workload.len()).unwrap_or(u64::MAX);
    let acknowledged_per_s = 1.0 / per(wall_s, events).max(f64::MIN_POSITIVE);
    Ok(Mixed { events, acknowledged_per_s, q2: Timings::new(times?) })
}
