//! What a look at a store found, as JSON: the same from a server and from the command line.

use annals_engine::VerifyReport;
use annals_engine::repair::Damage;
use serde_json::{Value, json};

/// The report, with its files named from within `directory`, which ends with a slash or is empty.
pub fn report_json(report: &VerifyReport, directory: &str) -> Value {
    let within = |text: &String| if directory.is_empty() { text.clone() } else { text.replace(directory, "") };
    let damages: Vec<String> = report.damages.iter().map(within).collect();
    let notes: Vec<String> = report.notes.iter().map(within).collect();
    let details: Vec<Value> = report.details.iter().map(|damage| damage_json(damage, &within)).collect();
    let VerifyReport { files, bytes, events, .. } = report;
    json!({
        "files": files, "bytes": bytes, "events": events,
        "damages": damages, "details": details, "notes": notes,
    })
}

fn damage_json(damage: &Damage, within: &dyn Fn(&String) -> String) -> Value {
    let loss = &damage.loss;
    let sequences = loss.sequences.as_ref().filter(|range| !range.is_empty());
    json!({
        "file": within(&damage.file),
        "offset": damage.offset,
        "kind": damage.kind.name(),
        "reason": within(&damage.reason),
        "lost": {
            "events_max": loss.events,
            "first_sequence": sequences.map(|range| range.start),
            "last_sequence": sequences.map(|range| range.end - 1),
            "created_at_min_us": loss.times_us.as_ref().map(|range| *range.start()),
            "created_at_max_us": loss.times_us.as_ref().map(|range| *range.end()),
            "besides": loss.besides,
        },
        "remedy": damage.remedy.as_ref().map(annals_engine::repair::Remedy::name),
    })
}
