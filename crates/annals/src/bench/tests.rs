use std::io::Write as _;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    bench: Bench,
}

fn measured(words: &[&str], data: &Path) -> Report {
    let line = ["bench"].iter().chain(words).copied().chain(["--data", data.to_str().unwrap()]);
    let line = Line::parse_from(line).bench;
    let What::Delete(setting) = &line.what else {
        let (What::Query(setting) | What::Mixed(setting)) = &line.what else { panic!("a run of this test") };
        let mut report = Report::default();
        measure(&line.what, setting, &mut report).unwrap();
        return report;
    };
    let mut report = Report::default();
    measure(&line.what, setting, &mut report).unwrap();
    report
}

#[test]
fn queries_of_generated_events_count_right() {
    let folder = tempfile::tempdir().unwrap();
    let report = measured(&["query", "--events", "20000"], folder.path());
    let totals = |name: &str| report.answers.iter().find(|answer| answer.name == name).map(|answer| answer.totals);
    assert_eq!(report.ingested.as_ref().unwrap().events, 20_000);
    for name in ["Q1", "Q6", "Q7"] {
        assert_eq!(totals(name), Some(25 * 20_000), "{name}");
    }
    assert_eq!(totals("Q9"), Some(25));
    assert!(
        report.answers.iter().all(|answer| answer.timings.len() == 25 && answer.totals > 0),
        "{:?}",
        report.answers
    );
    let mut text = Vec::new();
    report.print_text(&mut text).unwrap();
    assert!(String::from_utf8(text).unwrap().contains("Q10 rare substring of the message"));
    // Where a store is, nothing is measured.
    let again = Line::parse_from(["bench", "query", "--data", folder.path().to_str().unwrap()]).bench;
    assert!(run(&again).is_err());
}

#[test]
fn deletes_take_a_third_and_a_type() {
    let folder = tempfile::tempdir().unwrap();
    let report = measured(&["delete", "--events", "20000", "--level", "buffered"], folder.path());
    let (dropped, deleted) = (report.dropped.unwrap().deleted, report.deleted.unwrap().deleted);
    assert!((6_300..7_000).contains(&dropped), "{dropped}");
    assert!((1..6_700).contains(&deleted), "{deleted}");
}

#[test]
fn real_events_are_repeated_and_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.ndjson");
    let mut lines = std::fs::File::create(&file).unwrap();
    for number in 0..100 {
        let time = 1_700_000_000_000_i64 + number;
        writeln!(
            lines,
            r#"{{"event_type":"a.{}","ts":{time},"summary":"Something happened","realm_ids":["r"]}}"#,
            number % 3
        )
        .unwrap();
    }
    drop(lines);
    let words = ["query", "--input", file.to_str().unwrap(), "--replay", "1000"];
    let report = measured(&words, &folder.path().join("data"));
    assert!(report.workload.contains("100 real ones repeated"), "{}", report.workload);
    let q1 = report.answers.first().unwrap();
    assert_eq!((q1.totals, q1.rows), (25 * 1000, 25 * 100));
    let mixed = measured(&["mixed", "--events", "3000"], &folder.path().join("other")).mixed.unwrap();
    assert_eq!(mixed.events, 3000);
}
