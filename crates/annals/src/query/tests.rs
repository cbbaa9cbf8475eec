use annals_engine::{AppendOptions, Engine, Options};
use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    query: QueryCommand,
}

fn command(line: &str) -> QueryCommand {
    Line::parse_from(std::iter::once("x").chain(line.split_whitespace())).query
}

fn engine(folder: &std::path::Path, count: u64) -> Engine {
    let mut text = Vec::new();
    let mut generator = annals_generate::Generator::new(1, count, 1_700_000_000_000_000);
    while generator.write_line(&mut text) {}
    let engine = Engine::open(Options::new(folder)).unwrap();
    engine.append(annals_json::parse_ndjson(&text, 1).batch, &AppendOptions::default()).unwrap();
    engine
}

fn read(engine: &Engine, line: &str) -> (Vec<String>, Option<u64>) {
    let command = command(line);
    let limit = if command.all { u64::MAX } else { command.limit };
    let (filters, order, offset) = (&command.filters, command.sort.order(), command.offset);
    let request = Request { filters, order, limit, offset, fields: None, sequence_max: None };
    let mut pages = Local::new(engine.snapshot(), &request).unwrap();
    let (mut events, mut total) = (Vec::new(), None);
    while let Some(page) = pages.next_page().unwrap() {
        total = total.or(page.total);
        events.extend(page.events);
    }
    (events, total)
}

#[test]
fn pages_follow_each_other_without_gap_or_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), 25_000);
    let (all, total) = read(&engine, "--all --sort -created_at");
    assert_eq!((all.len(), total), (25_000, Some(25_000)));
    let (some, total) = read(&engine, "--limit 10005 --offset 7000");
    assert_eq!((some.as_slice(), total), (&all[7000..17_005], Some(25_000)));
    let (none, total) = read(&engine, "--limit 0");
    assert_eq!((none.len(), total), (0, Some(25_000)));
    let (errors, total) = read(&engine, "--filter severity=error --sort created_at");
    assert_eq!(errors.len(), 100);
    assert!(total.is_some_and(|total| (500..1000).contains(&total)) && errors.iter().all(|e| e.contains("\"error\"")));
}

#[test]
fn an_export_is_what_an_import_takes() {
    let folder = tempfile::tempdir().unwrap();
    let first = engine(&folder.path().join("first"), 500);
    let (events, _) = read(&first, "--all --sort created_at");
    let parsed = annals_json::parse_ndjson(events.join("\n").as_bytes(), 1);
    assert_eq!((parsed.batch.len(), parsed.rejected), (500, 0));
    let second = Engine::open(Options::new(folder.path().join("second"))).unwrap();
    second.append(parsed.batch, &AppendOptions::default()).unwrap();
    // An id of 24 hex digits and what is around it: {"id":"...",
    let ids = |events: &[String]| -> Vec<String> { events.iter().map(|event| event[..33].to_owned()).collect() };
    assert_eq!(ids(&read(&second, "--all --sort created_at").0), ids(&events));
}
