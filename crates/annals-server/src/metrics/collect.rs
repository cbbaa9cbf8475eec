//! Every family there is, with its help. `docs/operations.md` has the same table; a test compares them.

use std::fmt;
use std::sync::atomic::Ordering;

use annals_engine::{EngineStats, ScrubStats};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::process::Process;
use super::sheet::{Sheet, seconds};
use crate::state::AppState;

/// One look at everything.
pub(super) struct Scrape(pub(super) AppState);

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (state, sheet) = (&self.0, &mut Sheet(encoder));
        let figures = state.engine().stats();
        ingest(sheet, state, &figures)?;
        store(sheet, state, &figures)?;
        maintenance(sheet, &figures)?;
        scrub(sheet, &figures.scrub)?;
        health(sheet, state, &figures)?;
        requests(sheet, state)?;
        connections(sheet, state)?;
        process(sheet, state)
    }
}

fn ingest(sheet: &mut Sheet<'_>, state: &AppState, figures: &EngineStats) -> fmt::Result {
    sheet.counter("annals_appended_batches", "Batches appended.", figures.appended_batches)?;
    sheet.counter("annals_appended_events", "Events stored by appends, repeats apart.", figures.appended_events)?;
    let help = "Bytes of the records of appended batches, before anything is packed, repeats included.";
    sheet.counter("annals_appended_bytes", help, figures.appended_bytes)?;
    let refused = &figures.refused_batches;
    let by_reason = [
        ("busy", refused.busy),
        ("disk_full", refused.disk_full),
        ("read_only", refused.poisoned),
        ("other", refused.other),
    ];
    let help = "Batches that the store refused, by reason.";
    sheet.counters("annals_refused_batches", help, "reason", &by_reason)?;
    sheet.counter("annals_deleted_events", "Events deleted, by whatever way.", figures.deleted_events)?;
    let retention = state.metrics().retention_deleted.load(Ordering::Relaxed);
    sheet.counter("annals_retention_deleted_events", "Events deleted by standing retention policies.", retention)?;
    sheet.gauge("annals_queue_bytes", "Bytes of batches that wait for the writer.", figures.queued_bytes)?;
    let queue_max = u64::try_from(state.engine().options().queue_size_bytes).unwrap_or(u64::MAX);
    sheet.gauge("annals_queue_limit_bytes", "What may wait for the writer; beyond, appends wait.", queue_max)?;
    sheet.histogram("annals_fsync_duration_seconds", "How long the syncs of the log took.", &figures.sync_time)
}

fn store(sheet: &mut Sheet<'_>, state: &AppState, figures: &EngineStats) -> fmt::Result {
    sheet.gauge("annals_events", "Events that are there, deleted ones apart.", figures.events)?;
    sheet.gauge("annals_segments", "Sealed segments.", figures.sealed_segments)?;
    sheet.gauge("annals_segment_rows", "Rows of sealed segments, deleted ones included.", figures.sealed_rows)?;
    sheet.gauge("annals_segment_bytes", "Bytes of sealed segments.", figures.sealed_bytes)?;
    sheet.gauge(
        "annals_log_rows",
        "Rows of logs that are not yet sealed, deleted ones included.",
        figures.live_rows,
    )?;
    sheet.gauge("annals_log_bytes", "Bytes written to logs that are not yet sealed.", figures.log_bytes)?;
    sheet.gauge("annals_tombstones", "Deleted rows whose bytes are still there.", figures.tombstones)?;
    let unsynced = figures.last_sequence.saturating_sub(figures.durable_sequence);
    sheet.gauge("annals_unsynced_events", "Events that are visible and not yet known to be durable.", unsynced)?;
    let options = state.engine().options();
    // Without an answer of the file system there is no figure, rather than one that raises an alarm.
    match options.storage.free_space(&options.directory) {
        Ok(free) => sheet.gauge("annals_disk_free_bytes", "Free bytes of the file system that has the store.", free),
        Err(_unknown) => Ok(()),
    }
}

fn maintenance(sheet: &mut Sheet<'_>, figures: &EngineStats) -> fmt::Result {
    sheet.gauge("annals_unsealed_logs", "Full logs that wait to be sealed.", figures.unsealed_logs)?;
    let help = "For how long there has been a full log to seal all the time.";
    sheet.gauge_seconds("annals_seal_lag_seconds", help, seconds(figures.seal_lag_ms.saturating_mul(1000)))?;
    sheet.histogram("annals_seal_duration_seconds", "How long it took to seal a log.", &figures.seal_time)?;
    let help = "Whether segments are to be looked at for what pays to be merged.";
    sheet.flag("annals_merge_pending", help, figures.compaction_due)?;
    let help = "How long it took to rewrite a group of segments into one.";
    sheet.histogram("annals_merge_duration_seconds", help, &figures.compaction_time)?;
    let help = "Whether the last seal or merge in the background failed.";
    sheet.flag("annals_maintenance_failed", help, figures.maintenance_failure.is_some())
}

fn scrub(sheet: &mut Sheet<'_>, scrub: &ScrubStats) -> fmt::Result {
    sheet.counter("annals_scrub_read_bytes", "Bytes read again in the background to find damage.", scrub.bytes)?;
    sheet.counter(
        "annals_scrub_corrupt_blocks",
        "Damaged blocks that reading everything again found.",
        scrub.corrupt_blocks,
    )?;
    sheet.counter("annals_scrub_passes", "Times that everything was read again.", scrub.passes)?;
    sheet.flag("annals_scrub_running", "Whether everything is being read again.", scrub.running)?;
    let finished = scrub.finished_at_us.and_then(|us| u64::try_from(us).ok()).map_or(0.0, seconds);
    let help = "When everything had last been read again, seconds since 1970; 0 = never.";
    sheet.gauge_seconds("annals_scrub_finished_timestamp_seconds", help, finished)
}

fn health(sheet: &mut Sheet<'_>, state: &AppState, figures: &EngineStats) -> fmt::Result {
    sheet.flag("annals_ready", "Whether /readyz answers 200.", state.unready().is_none())?;
    let help = "Whether a write or a sync failed, so that the store takes no writes until a restart.";
    sheet.flag("annals_poisoned", help, figures.poisoned)?;
    sheet.flag("annals_disk_full", "Whether appends are refused until there is room.", figures.disk_full)?;
    let degraded = !state.engine().snapshot().gaps().is_empty();
    sheet.flag("annals_degraded", "Whether damaged parts are left out of every answer.", degraded)?;
    let help = "How often the wall clock was found more than a second behind.";
    sheet.counter("annals_clock_steps_back", help, figures.clock_steps_back)?;
    let build = state.build();
    let labels = [("version", build.version), ("commit", build.commit)];
    sheet.info("annals_build_info", "The version that runs, and its commit.", &labels)
}

fn requests(sheet: &mut Sheet<'_>, state: &AppState) -> fmt::Result {
    let metrics = state.metrics();
    let help = "Requests answered, by face, class of the route and status.";
    sheet.family("annals_http_requests", help, &metrics.requests)?;
    let help = "Time until the head of the answer, by class of the route.";
    sheet.histograms("annals_http_request_duration_seconds", help, "class", metrics.request_times())?;
    let help = "Requests being answered.";
    sheet.gauge("annals_http_requests_in_flight", help, state.requests_in_flight())?;
    let help = "Requests refused, by the code of the refusal.";
    sheet.family("annals_http_refused_requests", help, &metrics.refused)?;
    let help = "How long queries ran, without their wait for a place.";
    sheet.histogram("annals_query_duration_seconds", help, &metrics.query_time.figures())?;
    let help = "Queries that took as long as log.slow_query or longer.";
    sheet.counter("annals_slow_queries", help, metrics.slow_queries.load(Ordering::Relaxed))
}

fn connections(sheet: &mut Sheet<'_>, state: &AppState) -> fmt::Result {
    let metrics = state.metrics();
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    sheet.gauge("annals_connections", "Connections of clients that are open.", load(&metrics.connections))?;
    let help = "Connections of clients that were let in.";
    sheet.counter("annals_connections_opened", help, load(&metrics.connections_opened))?;
    let help = "Connections closed at once because there were too many.";
    sheet.counter("annals_connections_refused", help, load(&metrics.connections_refused))?;
    sheet.gauge("annals_tails", "Clients that follow the events.", state.tails_open())
}

fn process(sheet: &mut Sheet<'_>, state: &AppState) -> fmt::Result {
    let process = Process::read();
    sheet.counter_seconds("process_cpu_seconds", "User and system time used.", process.cpu_s)?;
    let started_us = u64::try_from(state.started_at_us()).unwrap_or(0);
    let help = "When the server started, seconds since 1970.";
    sheet.gauge_seconds("process_start_time_seconds", help, seconds(started_us))?;
    for (name, help, value) in [
        ("process_resident_memory_bytes", "Memory that is resident.", process.resident_bytes),
        ("process_virtual_memory_bytes", "Memory that is mapped.", process.virtual_bytes),
        ("process_threads", "Threads.", process.threads),
        ("process_open_fds", "File descriptors that are open.", process.open_fds),
        ("process_max_fds", "File descriptors that may be open.", process.max_fds),
    ] {
        if let Some(value) = value {
            sheet.gauge(name, help, value)?;
        }
    }
    Ok(())
}
