//! What a run measured, as a table or as JSON.

use std::io::Write;

use annals_bench::{Answer, Arguments, Deleted, How, Ingested, Mixed, Opened, PAUSE_MS, QUERIES, RUNS, Workload};
use serde::{Deserialize, Serialize};

use crate::failure::Result;
use crate::terminal::{grouped, out};

/// Figures of a run; what was not measured is absent.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    version: &'static str,
    pub(super) workload: String,
    batch: usize,
    threads: usize,
    level: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ingested: Option<Ingested>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) opened: Option<Opened>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) answers: Vec<Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dropped: Option<Deleted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deleted: Option<Deleted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mixed: Option<Mixed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arguments: Option<Arguments>,
}

impl Report {
    pub(super) fn begin(&mut self, workload: &Workload, how: &How) {
        self.version = env!("CARGO_PKG_VERSION");
        self.workload = workload.description();
        (self.batch, self.threads) = (how.batch_len, how.threads);
        self.level = how.durability.to_string();
    }

    pub(super) fn print(&self, as_json: bool) -> Result<()> {
        let mut out = out();
        if as_json {
            serde_json::to_writer_pretty(&mut out, self).map_err(std::io::Error::from)?;
            writeln!(out)?;
        } else {
            self.print_text(&mut out)?;
        }
        out.flush()?;
        Ok(())
    }

    pub(super) fn print_text(&self, out: &mut impl Write) -> Result<()> {
        if !self.workload.is_empty() {
            writeln!(
                out,
                "{}; batches of {} from {} threads, level {}",
                self.workload, self.batch, self.threads, self.level
            )?;
            writeln!(
                out,
                "In memory as structs before the clock starts; CPU is the whole process's, batches and sealing included."
            )?;
        }
        if let Some(ingested) = &self.ingested {
            print_ingested(out, ingested)?;
        }
        if let Some(opened) = &self.opened {
            writeln!(out, "\nopening the store again, in a process of its own")?;
            row(out, "until it answers", format!("{:.1} ms", opened.open_ms))?;
            row(out, "idle memory without maps of files", mebibytes(opened.idle_bytes))?;
            row(out, "events in it", grouped(opened.events))?;
        }
        if !self.answers.is_empty() {
            writeln!(
                out,
                "\nqueries in process, warm, {RUNS} runs each with arguments in turn{:22} median ms    p99 ms      totals",
                ""
            )?;
            for (answer, (_, what)) in self.answers.iter().zip(QUERIES) {
                let (name, timings) = (format!("{} {what}", answer.name), &answer.timings);
                if timings.is_empty() {
                    writeln!(out, "  {name:<75} nothing to ask for")?;
                } else {
                    let (median, p99, totals) = (timings.median(), timings.percentile(99), grouped(answer.totals));
                    writeln!(out, "  {name:<75} {median:>9.4} {p99:>9.4} {totals:>13}")?;
                }
            }
        }
        for (name, deleted) in
            [("D1 the oldest third", &self.dropped), ("D2 one resource type before a time", &self.deleted)]
        {
            if let Some(deleted) = deleted {
                writeln!(out, "\n{name}: durable and out of every later query when it returns")?;
                row(out, "returns in", format!("{:.2} ms", deleted.returned_ms))?;
                row(out, "events deleted", grouped(deleted.deleted))?;
                row(out, "of the disk free one second later", format!("{:.1} %", deleted.freed_part * 100.0))?;
            }
        }
        if let Some(mixed) = &self.mixed {
            writeln!(
                out,
                "\nappending {} events, one thread asking Q2 meanwhile with {PAUSE_MS} ms between queries",
                grouped(mixed.events)
            )?;
            row(out, "append, until the last acknowledgement", per_s(mixed.acknowledged_per_s))?;
            let q2 = &mixed.q2;
            row(
                out,
                "Q2 median and p99",
                format!("{:.3} and {:.3} ms of {} runs", q2.median(), q2.percentile(99), q2.len()),
            )?;
        }
        Ok(())
    }
}

fn print_ingested(out: &mut impl Write, ingested: &Ingested) -> Result<()> {
    writeln!(out, "\ningest")?;
    row(out, "append, until the last acknowledgement", per_s(ingested.acknowledged_per_s))?;
    row(out, "append, until everything is sealed", per_s(ingested.sealed_per_s))?;
    row(out, "CPU per event until the last acknowledgement", format!("{:.3} us", ingested.acknowledged_cpu_us))?;
    row(out, "CPU per event with everything sealed", format!("{:.3} us", ingested.sealed_cpu_us))?;
    row(out, "not sealed yet at the last acknowledgement", format!("{} events", grouped(ingested.unsealed_at_last)))?;
    row(out, "of the threads' time waiting for the store", format!("{:.0} %", ingested.waiting_part * 100.0))?;
    row(out, "most memory without events and maps of files", mebibytes(ingested.memory_peak_bytes))?;
    let segments = |count: u64, bytes: f64| format!("{bytes:.1} bytes per event, {count} segments");
    row(out, "disk, all files, after a clean close", segments(ingested.segments, ingested.disk_bytes_per_event))?;
    row(out, "of that in sealed segments", format!("{:.1} bytes per event", ingested.segment_bytes_per_event))?;
    if ingested.compacted_segments > 0 {
        let compacted = segments(ingested.compacted_segments, ingested.compacted_disk_bytes_per_event);
        row(out, "disk after compaction", compacted)?;
        row(out, "CPU per event of that compaction", format!("{:.3} us", ingested.compacting_cpu_us))?;
    }
    Ok(())
}

fn row(out: &mut impl Write, name: &str, value: impl std::fmt::Display) -> Result<()> {
    Ok(writeln!(out, "  {name:<48} {value}")?)
}

fn per_s(rate: f64) -> String {
    format!("{rate:.0} events/s")
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", grouped(bytes >> 20))
}

/// What `bench open --json` says.
pub(super) fn opened_of(json: &[u8]) -> serde_json::Result<Opened> {
    #[derive(Deserialize)]
    struct Whole {
        opened: Opened,
    }
    serde_json::from_slice::<Whole>(json).map(|whole| whole.opened)
}
