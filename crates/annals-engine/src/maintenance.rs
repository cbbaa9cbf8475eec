//! The maintenance thread: seals full logs, compacts what pays, keeps the durable floor fresh, checks segments before
//! queries touch them.

use std::time::Duration;

use crate::check_ahead::CheckAhead;
use crate::compaction::{Eagerness, compact, rewrite_cut};
use crate::error::{Error, ErrorKind};
use crate::seal::seal_oldest;
use crate::shared::Shared;
use crate::threading::atomic::Ordering;

/// How often the manifest's durable floor is refreshed while there is activity.
const FLOOR_INTERVAL: Duration = Duration::from_mins(1);
/// How often every deleted row is removed for good: what bounds how long its bytes stay.
const PURGE_INTERVAL: Duration = Duration::from_hours(24);
/// The first time after an open, so that a store that is opened anew each day is purged too.
const FIRST_PURGE_AFTER: Duration = Duration::from_mins(10);
/// How often segments are looked for that are no longer fresh.
const COLD_INTERVAL: Duration = Duration::from_mins(1);
/// The same after a failure: a segment that cannot be read, or for which there is no room, would be tried in vain.
const COLD_INTERVAL_FAILED: Duration = Duration::from_hours(1);
/// How long a failed seal or compaction rests before it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Runs until it is told to stop. Failures are tried again: everything it does can be repeated.
pub(crate) fn run(shared: &Shared) {
    // Of this thread, and of those that it starts. Refused or not known to a system, the work goes on as it is.
    let _ = rustix::process::nice(i32::from(shared.options.maintenance_niceness));
    let mut floor_due = shared.options.clock.monotonic() + FLOOR_INTERVAL;
    let mut floor_offset = shared.watermarks.durable();
    let mut purge_due = shared.options.clock.monotonic() + FIRST_PURGE_AFTER;
    let mut cold_due = shared.options.clock.monotonic() + COLD_INTERVAL;
    let mut packing_failed = false;
    let mut unfinished = Unfinished::Nothing;
    let mut ahead = CheckAhead::default();
    loop {
        let stop = {
            let mut state = shared.wake.state.lock();
            if !state.work && !state.stop {
                shared.wake.changed.wait_for(&mut state, RETRY_AFTER);
            }
            state.work = false;
            state.stop
        };
        if stop {
            return;
        }
        match work(shared) {
            Ok(()) if unfinished == Unfinished::Work => {
                unfinished = Unfinished::Nothing;
                shared.disk_full.store(false, Ordering::Relaxed);
                *shared.maintenance_failure.lock() = None;
            }
            Err(error) if !shared.is_closing() => {
                note(shared, &error);
                // Damage stays: reading it again each second would only cost time.
                let lasts = error.kind() == ErrorKind::Corrupt;
                unfinished = if lasts { Unfinished::Nothing } else { Unfinished::Work };
            }
            _ => {}
        }
        let now = shared.options.clock.monotonic();
        let durable = shared.watermarks.durable();
        if now >= purge_due && !shared.watermarks.is_poisoned() && !shared.is_closing() {
            purge_due = now + PURGE_INTERVAL;
            if let Err(error) = compact(shared, Eagerness::EveryTombstone) {
                note(shared, &error);
            }
        }
        if now >= cold_due && !shared.watermarks.is_poisoned() && !shared.is_closing() {
            cold_due = now + pack(shared, &mut packing_failed);
        }
        if now >= floor_due && durable != floor_offset && !shared.watermarks.is_poisoned() {
            floor_due = now + FLOOR_INTERVAL;
            floor_offset = durable;
            if let Err(error) = shared.update_manifest(|_| ()) {
                note(shared, &error);
            }
        }
        ahead.run(shared);
    }
}

/// What an earlier failure left to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unfinished {
    Nothing,
    /// A seal or a compaction: it is tried again, and the failure forgotten when it succeeds.
    Work,
}

/// A part of the work.
type Part = fn(&Shared) -> Result<(), Error>;

/// Does what there is to do, appends first: they wait for logs to be sealed. No part keeps the others from being
/// done; the first failure is told.
fn work(shared: &Shared) -> Result<(), Error> {
    let may_write = || !shared.watermarks.is_poisoned() && !shared.is_closing();
    let mut done = Ok(());
    let parts: [Part; 4] = [seal_all, Shared::remove_dropped, rewrite_cut, compact_if_due];
    for part in parts {
        if may_write() {
            done = done.and(part(shared));
        }
    }
    done
}

fn seal_all(shared: &Shared) -> Result<(), Error> {
    while !shared.watermarks.is_poisoned() && !shared.is_closing() && seal_oldest(shared)? {}
    Ok(())
}

fn compact_if_due(shared: &Shared) -> Result<(), Error> {
    if !shared.compaction_due.swap(false, Ordering::Relaxed) {
        return Ok(());
    }
    let compacted = compact(shared, Eagerness::WhatPays).inspect_err(|error| {
        let again = error.kind() != ErrorKind::Corrupt;
        shared.compaction_due.store(again, Ordering::Relaxed);
    });
    compacted.map(|_| ())
}

/// Packs a segment that is no longer fresh, and says how long to wait before the next one. A failure keeps nobody from
/// appending: it is told, until packing succeeds.
fn pack(shared: &Shared, failed: &mut bool) -> Duration {
    match compact(shared, Eagerness::Cold) {
        Ok(packed) => {
            if std::mem::take(failed) {
                *shared.maintenance_failure.lock() = None;
            }
            if packed > 0 { Duration::ZERO } else { COLD_INTERVAL }
        }
        Err(error) if error.kind() == ErrorKind::Busy || shared.is_closing() => COLD_INTERVAL,
        Err(error) => {
            *failed = true;
            *shared.maintenance_failure.lock() = Some(error.to_string());
            COLD_INTERVAL_FAILED
        }
    }
}

/// Keeps the last failure for the statistics.
fn note(shared: &Shared, error: &Error) {
    if error.kind() == ErrorKind::DiskFull {
        shared.disk_full.store(true, Ordering::Relaxed);
    }
    *shared.maintenance_failure.lock() = Some(error.to_string());
}
