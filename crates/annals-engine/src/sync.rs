//! The sync thread: makes the log durable behind the writer's back at level `interval`.

use std::sync::Arc;

use crate::log::LogFile;
use crate::shared::Shared;
use crate::threading::channel::Receiver;
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
        // A failure has poisoned the store: that is where callers hear of it.
        _ = shared.sync_log(&request.log, request.point);
    }
}
