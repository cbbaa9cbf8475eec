//! Fields of very many values: live rows are found by hash and record, sealed ones by dictionary, with one answer.

use std::collections::BTreeMap;

use annals_engine::{Delete, Durability, Engine, Field, Filter};

use crate::support::{NOW_US, Store, event};

/// More than a block, so that the later rows lie in one that was begun with many values known.
const EVENTS: u32 = 40_000;

/// Every third value in hex digits, every third a UUID, every third plain text; each on two events.
fn value(number: u32) -> String {
    let number = number / 2;
    match number % 3 {
        0 => format!("{number:024x}"),
        1 => format!("0000{number:04x}-1111-2222-3333-444455556666"),
        _ => format!("thing {number}"),
    }
}

fn fill(store: &Store) {
    let numbers: Vec<u32> = (0..EVENTS).collect();
    for chunk in numbers.chunks(1_000) {
        let texts: Vec<(String, Vec<String>)> =
            chunk.iter().map(|number| (value(*number), vec![value(*number), value(number + 7)])).collect();
        let targets: Vec<Vec<&str>> =
            texts.iter().map(|(_, targets)| targets.iter().map(String::as_str).collect()).collect();
        let events: Vec<_> = chunk
            .iter()
            .zip(texts.iter().zip(&targets))
            .map(|(number, ((resource, _), targets))| {
                // Some arrive out of order.
                let late = if number % 50 == 0 { 900 } else { 0 };
                let mut event = event(u128::from(*number) + 1, NOW_US - i64::from(EVENTS) + i64::from(*number) - late);
                if number % 5 != 0 {
                    event.set(Field::ResourceId, resource);
                }
                event.target_user_ids = targets.as_slice().into();
                event
            })
            .collect();
        store.append(&events).unwrap();
    }
}

fn filters() -> Vec<Filter> {
    let values = [3, 20_001, 20_002, 33_333, 33_335, 39_998, 39_999, 50_000].map(value);
    let mut filters = Vec::new();
    for field in [Field::ResourceId, Field::TargetUserIds] {
        filters.extend(values.iter().map(|value| Filter::term(field, value.as_str())));
        filters.push(Filter::AnyOf(field, values.to_vec()));
        filters.push(Filter::Within(field, values.to_vec()));
        filters.push(Filter::Within(field, vec![value(39_990), value(39_997)]));
        for prefix in ["", "0000", "000000000000000000004d", "00004d21-", "thing 19", "nothing"] {
            filters.push(Filter::Prefix(field, prefix.to_owned()));
        }
        filters.push(Filter::Not(Box::new(Filter::Prefix(field, "thing".to_owned()))));
    }
    filters
}

/// The sequences of what matches, and how many of them hold which value.
type Answer = (Vec<u64>, BTreeMap<String, u32>);

fn answers(engine: &Engine) -> Vec<Answer> {
    let snapshot = engine.snapshot();
    let mut answers = Vec::new();
    for filter in filters() {
        let (mut sequences, mut counts) = (Vec::new(), BTreeMap::new());
        for part in snapshot.parts() {
            let rows = part.select(&filter).unwrap();
            sequences.extend(rows.iter().map(|row| part.key(row).unwrap().sequence));
            for field in [Field::ResourceId, Field::TargetUserIds] {
                part.count_by(field, &rows, &mut |value, count| {
                    *counts.entry(format!("{field} {value}")).or_default() += count;
                })
                .unwrap();
            }
        }
        sequences.sort_unstable();
        answers.push((sequences, counts));
    }
    answers
}

#[test]
fn live_and_sealed_rows_answer_alike() {
    let mut store = Store::with(Durability::Buffered, |options| options.log_size_bytes = 64 << 20);
    fill(&store);
    store.engine.delete(&Delete::Matching(Filter::term(Field::ResourceId, value(39_001)))).unwrap();
    let live = answers(&store.engine);
    let matched = live.iter().filter(|(sequences, _)| !sequences.is_empty()).count();
    assert!(matched >= 28, "{matched} of {} filters match something", live.len());
    assert_eq!(live[0].0, [3, 4]);
    store.reopen();
    assert!(answers(&store.engine) == live, "recovered from the log");
    store.engine.seal_now().unwrap();
    assert!(answers(&store.engine) == live, "sealed");
    let value_of = |sequence: u64| {
        let event = store.engine.snapshot().get_sequence(sequence).unwrap().unwrap();
        event.get(Field::ResourceId).map(str::to_owned)
    };
    assert_eq!(value_of(33_334).as_deref(), Some(value(33_333).as_str()));
    assert_eq!(value_of(33_331), None);
    assert!(store.engine.verify(&mut |_, _| ()).unwrap().damages.is_empty());
}
