//! Annals, in process, with its defaults.

use std::path::Path;

use annals_bench::{Arguments, How, Workload};
use annals_engine::Durability;

use crate::Outcome;
use crate::result::{Answered, Deleted, Measured, Mixed};

const HOW: How = How { batch_len: 1_000, threads: 2, durability: Durability::Interval };

pub(crate) fn run(directory: &Path, workload: &Workload, arguments: &Arguments) -> Outcome<Measured> {
    let data = crate::runner::empty(directory, "annals")?;
    let ingested = annals_bench::ingest(&data, workload, &HOW, true)?;
    let engine = annals_bench::open_store(&data, HOW.durability)?;
    let answers = annals_bench::run_queries(&engine, arguments)?;
    let d1 = annals_bench::drop_oldest(&engine, &data, arguments)?;
    let d2 = annals_bench::delete_matching(&engine, &data, arguments)?;
    engine.close()?;
    std::fs::remove_dir_all(&data)?;
    let data = crate::runner::empty(directory, "annals")?;
    let mixed = annals_bench::mixed(&data, workload, arguments, &HOW)?;
    std::fs::remove_dir_all(&data)?;
    let deleted = |deleted: annals_bench::Deleted| Deleted {
        deleted: deleted.deleted,
        returned_ms: deleted.returned_ms,
        freed_part: deleted.freed_part,
    };
    let answered = |answer: annals_bench::Answer| Answered {
        name: answer.name,
        runs: answer.timings.len(),
        median_ms: answer.timings.median(),
        p99_ms: answer.timings.percentile(99),
        totals: answer.totals,
        rows: answer.rows,
        times: answer.times,
    };
    Ok(Measured {
        store: "Annals".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: format!(
            "level interval, batches of 1,000 from 2 threads; settled: sealed in {} segments; compacted: \
             `Engine::compact`, {} segments",
            ingested.segments, ingested.compacted_segments
        ),
        events: ingested.events,
        acknowledged_per_s: ingested.acknowledged_per_s,
        acknowledged_cpu_us: ingested.acknowledged_cpu_us,
        settled_per_s: ingested.sealed_per_s,
        settled_cpu_us: ingested.sealed_cpu_us,
        disk_bytes: ingested.disk_bytes_per_event,
        compacted_disk_bytes: ingested.compacted_disk_bytes_per_event,
        compacting_cpu_us: ingested.compacting_cpu_us,
        answers: answers.into_iter().map(answered).collect(),
        d1: deleted(d1),
        d2: deleted(d2),
        mixed: Mixed {
            acknowledged_per_s: mixed.acknowledged_per_s,
            median_ms: mixed.q2.median(),
            p99_ms: mixed.q2.percentile(99),
        },
    })
}

/// Bytes, CPU and times of pages as sealing leaves them.
pub(crate) fn print_point(label: &str, directory: &Path, workload: &Workload) -> Outcome<()> {
    let arguments = Arguments::draw(workload)?;
    let data = crate::runner::empty(directory, "point")?;
    let ingested = annals_bench::ingest(&data, workload, &HOW, false)?;
    let engine = annals_bench::open_store(&data, HOW.durability)?;
    let answers = annals_bench::run_queries(&engine, &arguments)?;
    engine.close()?;
    std::fs::remove_dir_all(&data)?;
    let median = |name: &str| answers.iter().find(|answer| answer.name == name).map_or(0.0, |a| a.timings.median());
    println!(
        "| {label} | {:.1} | {:.2} | {:.3} | {:.3} | {:.3} |",
        ingested.segment_bytes_per_event,
        ingested.sealed_cpu_us,
        median("Q1"),
        median("Q3"),
        median("Q9")
    );
    Ok(())
}
