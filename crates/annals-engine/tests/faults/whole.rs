//! A small store that has everything a store can have, and what it must answer, as text.

use std::fmt::Write;
use std::path::Path;

use annals_engine::{
    Amendment, AppendOptions, Delete, Engine, Event, EventId, Field, Filter, Mark, Options, ReadMark, Repeats, Result,
    StoredEvent,
};

use crate::support::{DAY_US, NOW_US, batch, event, keyed};

const OLD_US: i64 = NOW_US - 5 * DAY_US;
const MIDDLE_US: i64 = NOW_US - 3 * DAY_US;
pub(crate) const BLOB: (&str, &[u8]) = ("name", b"value");
const USERS: [&str; 2] = ["ada", "bob"];

/// Fills an empty store: a packed and a fresh segment, both with an overlay, blobs, idempotency keys, and a log with
/// frames of every kind. `after` is called whenever a step is done.
pub(crate) fn fill(engine: &Engine, after: &mut dyn FnMut()) {
    append_day(engine, 1, 14, OLD_US, &AppendOptions::default());
    after();
    engine.seal_now().unwrap();
    assert_eq!(engine.compact().unwrap(), 1, "the oldest day is packed");
    after();
    append_day(engine, 20, 10, MIDDLE_US, &keyed(5, 5));
    engine.seal_now().unwrap();
    after();
    engine.mark(&[Mark { sequence: 2, acknowledged: true }, Mark { sequence: 16, acknowledged: true }]).unwrap();
    after();
    engine.delete(&Delete::Sequences(vec![3, 17])).unwrap();
    after();
    assert!(engine.amend(&amendment(5, "error")).unwrap());
    after();
    assert_eq!(engine.mark_read(&[read(5, 0), read(18, 1)]).unwrap(), 2);
    after();
    engine.put_blob(BLOB.0, BLOB.1).unwrap();
    append_day(engine, 40, 3, NOW_US - DAY_US, &AppendOptions::default());
    after();
    // What the log holds of changes becomes overlays.
    engine.seal_now().unwrap();
    after();
    append_day(engine, 50, 4, NOW_US, &keyed(6, 6));
    after();
    let mut again = event(51, NOW_US + 1);
    again.message = Some("takes the place of another");
    let replacing = AppendOptions { repeats: Repeats::Replace, ..AppendOptions::default() };
    engine.append(batch(&[again]), &replacing).unwrap();
    after();
    engine.delete(&Delete::Matching(Filter::term(Field::ResourceId, "resource-52"))).unwrap();
    after();
    engine.mark(&[Mark { sequence: 6, acknowledged: true }, Mark { sequence: 28, acknowledged: true }]).unwrap();
    after();
    assert!(engine.amend(&amendment(31, "warn")).unwrap());
    after();
    assert_eq!(engine.mark_read(&[read(31, 1), read(7, 0)]).unwrap(), 2);
    after();
    append_day(engine, 60, 2, NOW_US + 10, &AppendOptions::default());
    after();
}

fn amendment(sequence: u64, severity: &str) -> Amendment {
    Amendment { sequence, severity: Some(severity.to_owned()), updated_at_us: NOW_US, ..Amendment::default() }
}

fn read(sequence: u64, user: usize) -> ReadMark {
    let receipt = EventId::from_u128(u128::from(sequence) << 64);
    ReadMark { sequence, user_id: USERS[user].to_owned(), receipt, read_at_us: NOW_US }
}

fn append_day(engine: &Engine, first: u128, count: u128, from_us: i64, how: &AppendOptions) {
    let texts: Vec<[String; 4]> = (first..first + count)
        .map(|id| {
            let noise = id.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            [
                format!("the message number {id}"),
                format!(
                    r#"{{"noise":"some {:x} words","number":{id},"list":[1,"{}",null]}}"#,
                    noise ^ 77,
                    noise % 1_000_007
                ),
                format!("resource-{id}"),
                format!("{noise:032x}"),
            ]
        })
        .collect();
    let events: Vec<Event<'_>> = (first..)
        .zip(&texts)
        .map(|(id, [message, payload, resource, request])| {
            let mut event = event(id, from_us + i64::try_from(id).unwrap());
            event.message = Some(message);
            event.payload = Some(payload);
            event.set(Field::ResourceId, resource).set(Field::RequestId, request);
            event.set(Field::UserId, USERS[usize::from(id % 2 == 0)]);
            if id % 3 == 0 {
                event.set(Field::Notification, "true").set(Field::Severity, "info");
                (event.content, event.latency_ms) = (Some("a content"), Some(1.5));
                event.updated_at_us = event.created_at_us;
            }
            event.realm_ids = (&["a", "b"]).into();
            event
        })
        .collect();
    engine.append(batch(&events), how).unwrap();
}

/// An event as a line.
pub(crate) fn line(engine: &Engine, event: &StoredEvent) -> Result<String> {
    let mut line = format!("{} {:032x} {}", event.sequence, event.id.as_u128(), event.created_at_us);
    for (field, value) in event.keywords() {
        write!(line, " {}={value}", field.name()).unwrap();
    }
    let texts = [("message", event.message()), ("content", event.content()), ("payload", event.payload())];
    for (name, text) in texts {
        if let Some(text) = text {
            write!(line, " {name}={text}").unwrap();
        }
    }
    let others = (event.latency_ms(), event.updated_at_us(), event.expires_at_us(), event.marks.acknowledged);
    write!(line, " {others:?}").unwrap();
    for user in USERS {
        if let Some(receipt) = engine.snapshot().read_receipt(event.sequence, user)? {
            write!(line, " read by {user}: {:x} at {}", receipt.receipt.as_u128(), receipt.read_at_us).unwrap();
        }
    }
    Ok(line)
}

/// What a filter finds, ascending by sequence, a line each.
pub(crate) fn lines(engine: &Engine, filter: &Filter) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for part in engine.snapshot().parts() {
        for row in part.select(filter)?.iter() {
            let event = part.event(row)?;
            found.push((event.sequence, line(engine, &event)?));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, line)| line).collect())
}

/// What is asked of a store beside everything.
pub(crate) fn filters() -> Vec<Filter> {
    vec![
        Filter::All,
        Filter::term(Field::UserId, "ada"),
        Filter::term(Field::ResourceId, "resource-22"),
        Filter::term(Field::Severity, "error"),
        Filter::term(Field::UserId, "nobody"),
        Filter::Acknowledged(true),
        Filter::Contains(annals_engine::TextField::Message, "number 2".to_owned()),
        Filter::created_between(OLD_US, MIDDLE_US),
        Filter::SequenceBetween { from: 5, to: 20 },
    ]
}

/// Everything that can be asked, and the answers.
pub(crate) fn answers(engine: &Engine) -> Result<String> {
    let mut text = String::new();
    for filter in filters() {
        writeln!(text, "{filter:?}").unwrap();
        for line in lines(engine, &filter)? {
            writeln!(text, "  {line}").unwrap();
        }
    }
    let blob = engine.get_blob(BLOB.0)?;
    writeln!(text, "blob {blob:?}").unwrap();
    Ok(text)
}

/// All files of a store but `LOCK`, relative, in order.
pub(crate) fn all_files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() != "LOCK" {
                found.push(entry.path().strip_prefix(directory).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The options of such a store.
pub(crate) fn options(directory: &Path) -> Options {
    crate::support::options(directory, &crate::disk::Disk::new())
}
