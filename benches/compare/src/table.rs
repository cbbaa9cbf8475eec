//! Checks that all answers agree, and prints the tables.

use std::fmt::Write as _;
use std::path::Path;

use annals_bench::QUERIES;

use crate::Outcome;
use crate::result::Measured;

pub(crate) fn print(directory: &Path) -> Outcome<()> {
    let all = Measured::read_all(directory)?;
    let first = all.first().ok_or("there are no results")?;
    let arguments = std::fs::read_to_string(directory.join("arguments.json")).unwrap_or_default();
    let arguments: serde_json::Value = serde_json::from_str(&arguments).unwrap_or_default();
    let mut out = String::new();
    writeln!(out, "{}", arguments["description"].as_str().unwrap_or("events"))?;
    for measured in &all {
        writeln!(out, "{} {}: {}", measured.store, measured.version, measured.settings)?;
    }
    let disagreements = disagreements(&all);
    writeln!(out, "\nFigures; times are medians of 25 warm runs in milliseconds\n")?;
    let rows = rows(&all);
    table(&mut out, &all, &rows, |row, index| Some(shown(*row.values.get(index)?)))?;
    writeln!(out, "\nHow many times better {} is (below 1: worse)\n", first.store)?;
    table(&mut out, &all, &rows, |row, index| {
        let (own, other) = (*row.values.first()?, *row.values.get(index)?);
        let (own, other) = (own?, other?);
        let factor = if row.more_is_better { own / other } else { other / own };
        Some(if factor.is_finite() { format!("{factor:.1}") } else { "-".to_owned() })
    })?;
    writeln!(out, "\nAgainst the best other store\n")?;
    best_table(&mut out, &all, &rows)?;
    println!("{out}");
    if disagreements.is_empty() {
        println!("All answers agree: totals, rows, sums of times and deleted events of {} stores.", all.len());
        return Ok(());
    }
    Err(format!("the answers differ:\n{}", disagreements.join("\n")).into())
}

struct Line {
    name: String,
    more_is_better: bool,
    values: Vec<Option<f64>>,
}

fn rows(all: &[Measured]) -> Vec<Line> {
    let line = |name: &str, more_is_better: bool, of: &dyn Fn(&Measured) -> f64| Line {
        name: name.to_owned(),
        more_is_better,
        values: all.iter().map(|measured| Some(of(measured)).filter(|value| *value > 0.0)).collect(),
    };
    let mut rows = vec![
        line("ingest, events/s until acknowledged", true, &|m| m.acknowledged_per_s),
        line("ingest, events/s until settled", true, &|m| m.settled_per_s),
        line("CPU us per event until acknowledged", false, &|m| m.acknowledged_cpu_us),
        line("CPU us per event until settled", false, &|m| m.settled_cpu_us),
        line("disk bytes per event, settled", false, &|m| m.disk_bytes),
        line("disk bytes per event, compacted", false, &|m| m.compacted_disk_bytes),
        line("CPU us per event until compacted", false, &|m| m.settled_cpu_us + m.compacting_cpu_us),
    ];
    for (name, what) in QUERIES {
        let of = |m: &Measured| {
            m.answers
                .iter()
                .find(|answer| answer.name == name && answer.runs > 0)
                .map_or(0.0, |answer| answer.median_ms)
        };
        rows.push(line(&format!("{name} {what}"), false, &of));
    }
    rows.push(line("D1 oldest third, returned", false, &|m| m.d1.returned_ms));
    rows.push(line("D1 % of the disk free after 1 s", true, &|m| m.d1.freed_part * 100.0));
    rows.push(line("D2 one type before a time, returned", false, &|m| m.d2.returned_ms));
    rows.push(line("mixed: events/s", true, &|m| m.mixed.acknowledged_per_s));
    rows.push(line("mixed: Q2 median", false, &|m| m.mixed.median_ms));
    rows.push(line("mixed: Q2 p99", false, &|m| m.mixed.p99_ms));
    rows
}

fn table(
    out: &mut String,
    all: &[Measured],
    rows: &[Line],
    cell: impl Fn(&Line, usize) -> Option<String>,
) -> Outcome<()> {
    let names: Vec<&str> = all.iter().map(|measured| measured.store.as_str()).collect();
    writeln!(out, "| | {} |\n| --- |{}", names.join(" | "), " ---: |".repeat(all.len()))?;
    for row in rows {
        let cells: Vec<String> =
            (0..all.len()).map(|index| cell(row, index).unwrap_or_else(|| "-".to_owned())).collect();
        writeln!(out, "| {} | {} |", row.name, cells.join(" | "))?;
    }
    Ok(())
}

/// One line for each figure: the first store, the best of the others, and how many times better the first one is.
fn best_table(out: &mut String, all: &[Measured], rows: &[Line]) -> Outcome<()> {
    let Some((first, others)) = all.split_first() else { return Ok(()) };
    writeln!(out, "| | {} | best other | which | times better |", first.store)?;
    writeln!(out, "| --- | ---: | ---: | --- | ---: |")?;
    for row in rows {
        let theirs = others.iter().zip(row.values.iter().skip(1));
        let theirs = theirs.filter_map(|(other, value)| Some((&other.store, (*value)?)));
        let better = |a: f64, b: f64| if row.more_is_better { b.total_cmp(&a) } else { a.total_cmp(&b) };
        let best = theirs.min_by(|a, b| better(a.1, b.1));
        let own = row.values.first().copied().flatten();
        let (value, which, factor) = match (own, best) {
            (Some(own), Some((name, best))) => {
                let factor = if row.more_is_better { own / best } else { best / own };
                (shown(Some(best)), name.as_str(), format!("{factor:.2}"))
            }
            (None, Some((name, best))) => (shown(Some(best)), name.as_str(), "-".to_owned()),
            _ => ("-".to_owned(), "-", "-".to_owned()),
        };
        writeln!(out, "| {} | {} | {value} | {which} | {factor} |", row.name, shown(own))?;
    }
    Ok(())
}

fn shown(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value >= 1000.0 => {
            let digits = format!("{value:.0}");
            let mut out = String::new();
            for (position, digit) in digits.chars().enumerate() {
                if position > 0 && (digits.len() - position).is_multiple_of(3) {
                    out.push(',');
                }
                out.push(digit);
            }
            out
        }
        Some(value) if value >= 10.0 => format!("{value:.1}"),
        Some(value) if value >= 1.0 => format!("{value:.2}"),
        Some(value) => format!("{value:.4}"),
    }
}

/// Every answer that is not the one of the first store.
fn disagreements(all: &[Measured]) -> Vec<String> {
    let mut found = Vec::new();
    let Some((first, others)) = all.split_first() else { return found };
    for other in others {
        let mut differ = |what: &str, own: String, theirs: String| {
            if own != theirs {
                found.push(format!("{what}: {} says {own}, {} says {theirs}", first.store, other.store));
            }
        };
        differ("events", first.events.to_string(), other.events.to_string());
        differ("D1", first.d1.deleted.to_string(), other.d1.deleted.to_string());
        differ("D2", first.d2.deleted.to_string(), other.d2.deleted.to_string());
        for (name, _) in QUERIES {
            let of = |measured: &Measured| {
                let answer = measured.answers.iter().find(|answer| answer.name == name);
                answer.map_or_else(
                    || "nothing".to_owned(),
                    |a| format!("{} totals, {} rows, times {}", a.totals, a.rows, a.times),
                )
            };
            differ(name, of(first), of(other));
        }
    }
    found
}
