//! Work on blocking threads, and the places it takes. A place is held by the thread that works, not by
//! the client, who may leave before it is done: whoever asks and leaves, over and over, has no more
//! work under way than whoever waits.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::OwnedSemaphorePermit;

use super::{AppState, KIB};
use crate::deed::Deed;
use crate::error::{Answer, Failure};
use crate::inline;

/// As long as the engine lets a batch wait for room.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(10);

/// The part of the memory for ingest that one body has, until it is dropped.
#[derive(Debug)]
pub(crate) struct IngestMemory {
    part: OwnedSemaphorePermit,
    size_max: usize,
}

impl IngestMemory {
    /// Makes it at least `size` bytes, or all there is if that is less. Does not wait: those who hold some would
    /// wait for each other.
    ///
    /// # Errors
    /// 503 if the others leave too little.
    pub(crate) fn cover(&mut self, size: usize) -> Answer<()> {
        let more = ingest_permits(size.min(self.size_max)).saturating_sub(permits(self.part.num_permits()));
        if more > 0 {
            let more = Arc::clone(self.part.semaphore()).try_acquire_many_owned(more);
            self.part.merge(more.map_err(|_full| ingest_busy())?);
        }
        Ok(())
    }
}

fn ingest_permits(size: usize) -> u32 {
    permits(size / KIB)
}

fn permits(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn ingest_busy() -> Failure {
    Failure::unavailable("busy", "too much is being ingested at once: retry later")
}

impl AppState {
    /// Room for a body of `size` bytes, or of the largest size if it is not known, until it is dropped.
    pub(crate) async fn ingest_memory(&self, size: Option<usize>) -> Answer<IngestMemory> {
        let limits = self.limits();
        let size_max = limits.ingest_memory_max;
        let size = size.unwrap_or(limits.ingest_size_max).min(limits.ingest_size_max).min(size_max);
        let room = self.0.ingest_memory.semaphore().acquire_many_owned(ingest_permits(size));
        let wait = tokio::time::timeout(limits.query_time_max, room).await.map_err(|_elapsed| ingest_busy())?;
        Ok(IngestMemory { part: wait.map_err(|closed| Failure::internal(&closed))?, size_max })
    }

    /// Runs a long append on a blocking thread of its own; there are few of those.
    pub(crate) fn stream<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AppState) -> Answer<T> + Send + 'static,
    ) -> Answer<impl Future<Output = Answer<T>>> {
        let busy = |_full| Failure::unavailable("busy", "too many streams at once: retry later");
        let place = self.0.streams.semaphore().try_acquire_owned().map_err(busy)?;
        Ok(self.blocking(place, work))
    }

    /// Runs a verification on a blocking thread of its own, to its end even if the client has gone;
    /// there is one at a time.
    pub(crate) fn verify<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AppState) -> Answer<T> + Send + 'static,
    ) -> Answer<impl Future<Output = Answer<T>>> {
        let running = |_full| {
            let message = "a verification is under way: retry when it is done";
            Failure::new(StatusCode::CONFLICT, "verification_running", message)
        };
        let place = Arc::clone(&self.0.verifications).try_acquire_owned().map_err(running)?;
        Ok(self.blocking(place, work))
    }

    /// Runs a backup on a blocking thread of its own, to its end even if the client has gone; there is one at a time.
    pub(crate) fn back_up<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AppState) -> Answer<T> + Send + 'static,
    ) -> Answer<impl Future<Output = Answer<T>>> {
        let running = |_full| {
            let message = "a backup is under way: retry when it is done";
            Failure::new(StatusCode::CONFLICT, "backup_running", message)
        };
        let place = Arc::clone(&self.0.backups).try_acquire_owned().map_err(running)?;
        Ok(self.blocking(place, work))
    }

    /// Runs a compaction on a blocking thread of its own, to its end even if the client has gone; there is one at a time.
    pub(crate) fn compact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AppState) -> Answer<T> + Send + 'static,
    ) -> Answer<impl Future<Output = Answer<T>>> {
        let running = |_full| {
            let message = "a compaction is under way: retry when it is done";
            Failure::new(StatusCode::CONFLICT, "compaction_running", message)
        };
        let place = Arc::clone(&self.0.compactions).try_acquire_owned().map_err(running)?;
        Ok(self.blocking(place, work))
    }

    /// Runs a query on the thread of its connection if that may be, else on the blocking threads; either way
    /// in the reads' share.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&AppState) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let place = self.read_place().await?;
        let timed = |state: &AppState| {
            let started = state.clock().monotonic();
            let answer = query(state);
            let took = state.clock().monotonic().saturating_sub(started);
            state.metrics().query(took);
            (answer, took)
        };
        let Some(here) = inline::place() else {
            return self.blocking(place, move |state| timed(state).0).await;
        };
        // As on a thread of its own a panic ends the query and not the connection.
        let answer = catch_unwind(AssertUnwindSafe(|| timed(self)));
        drop((here, place));
        let took_long = answer.as_ref().is_ok_and(|(_, took)| *took >= inline::LONG);
        let answer = answer.map(|(answer, _)| answer);
        if took_long {
            tokio::task::yield_now().await;
        }
        answer.unwrap_or_else(|_said_where_it_happened| Err(Failure::internal(&"a query panicked")))
    }

    async fn read_place(&self) -> Answer<OwnedSemaphorePermit> {
        if let Ok(place) = self.0.reads.semaphore().try_acquire_owned() {
            return Ok(place);
        }
        let wait = tokio::time::timeout(self.limits().query_time_max, self.0.reads.semaphore().acquire_owned());
        let busy = |_elapsed| Failure::unavailable("busy", "too many queries at once: retry later");
        wait.await.map_err(busy)?.map_err(|closed| Failure::internal(&closed))
    }

    /// Runs a change on the blocking threads, in the writes' share of them; to its end even if the client
    /// has gone. Where the disk takes less than is sent, all places are taken: whoever waits for one is told to come
    /// again in about the time that a store's queue would say so.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&AppState) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let wait = tokio::time::timeout(WRITE_WAIT_MAX, self.0.writes.semaphore().acquire_owned());
        let busy = |_elapsed| Failure::unavailable("busy", "too many appends and changes at once: retry later");
        let place = wait.await.map_err(busy)?.map_err(|closed| Failure::internal(&closed))?;
        self.blocking(place, change).await
    }

    /// Hashes a password on a blocking thread; there are few of those, and few wait for one.
    pub(crate) async fn password<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AppState) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let busy = || Failure::unavailable("busy", "too many passwords are being checked at once: retry later");
        let _waiting = self.0.passwords_waiting.semaphore().try_acquire_owned().map_err(|_full| busy())?;
        let wait = tokio::time::timeout(self.limits().query_time_max, self.0.passwords.semaphore().acquire_owned());
        let place = wait.await.map_err(|_elapsed| busy())?.map_err(|closed| Failure::internal(&closed))?;
        self.blocking(place, work).await
    }

    /// Runs `work` on a blocking thread, which has the place until the work is done.
    fn blocking<T: Send + 'static>(
        &self,
        place: OwnedSemaphorePermit,
        work: impl FnOnce(&AppState) -> Answer<T> + Send + 'static,
    ) -> impl Future<Output = Answer<T>> {
        let state = self.clone();
        // What is logged there belongs to the request too.
        let span = tracing::Span::current();
        let task = tokio::task::spawn_blocking(move || {
            let _place = place;
            let _within = span.entered();
            work(&state)
        });
        async move {
            match task.await {
                Ok(answer) => answer,
                Err(panicked) => Err(Failure::internal(&panicked)),
            }
        }
    }

    /// Writes a deed down without waiting for it. One at a time: whoever has many addresses to try keys from
    /// must not fill the blocking threads with them.
    pub(crate) fn record_later(&self, deed: Deed) {
        let Ok(place) = Arc::clone(&self.0.recordings).try_acquire_owned() else {
            deed.log();
            return;
        };
        let state = self.clone();
        // Nobody waits for it: what goes wrong is in the log.
        drop(tokio::task::spawn_blocking(move || {
            let _place = place;
            state.internal().record(&deed);
        }));
    }
}
