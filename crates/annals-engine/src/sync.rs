//! The sync thread: makes the log durable behind the writer's back at level `interval`.

use std::sync::Arc;

use crossbeam_channel::Receiver;

use crate::log::LogFile;
use crate::shared::Shared;
use crate::watermark::DurablePoint;

/// What to sync, and what is durable then.
pub(crate) struct SyncRequest {
    pub(crate) log: Arc<LogFile>,
    pub(crate) point: DurablePoint,
}

/// Runs until the writer is gone. Requests that queued up meanwhile are covered by one sync.
pub(crate) fn run(shared: &Shared, requests: &Receiver<SyncRequest>) {
    while let Ok(mut request) = requests.recv() {
        while let Ok(newer) = requests.try_recv() {
            // Log files change only after an inline sync of the old one, so the newest covers all.
            request = newer;
        }
        if shared.watermarks.is_poisoned() {
            continue;
        }
        match request.log.sync() {
            Ok(()) => {
                shared.count_sync();
                shared.watermarks.advance_durable(request.point);
            }
            // ORDER: no retry: the kernel may call pages clean that it dropped.
            Err(error) => shared.watermarks.poison(&error),
        }
    }
}
