//! Every answer of a part equals the naive one.

use proptest::prelude::*;

use super::*;
use crate::filter::{Filter, TextField};
use crate::part::{OrderKey, Part};
use crate::rows::RowSet;

/// The rows as a list, with what changed about them.
pub(super) struct Model<'a> {
    pub(super) events: &'a [StoredEvent],
    pub(super) overlay: &'a Overlay,
}

impl Model<'_> {
    fn live(&self) -> impl Iterator<Item = (u32, &StoredEvent)> {
        (0..).zip(self.events).filter(|(row, _)| !self.overlay.tombstones.contains(*row))
    }

    fn matches(&self, row: u32, event: &StoredEvent, filter: &Filter) -> bool {
        let all = |parts: &[Filter]| parts.iter().all(|part| self.matches(row, event, part));
        let contains = |text: Option<&str>, needle: &str| {
            text.is_some_and(|text| text.to_lowercase().contains(&needle.to_lowercase()))
        };
        let texts = |field: &TextField| match field {
            TextField::Message => vec![event.message()],
            TextField::Content => vec![event.content()],
            TextField::MessageOrContent => vec![event.message(), event.content()],
        };
        match filter {
            Filter::All => true,
            Filter::Term(field, value) => event.values(*field).any(|held| held == value),
            Filter::AnyOf(field, values) => event.values(*field).any(|held| values.iter().any(|v| v == held)),
            Filter::Prefix(field, prefix) => event.values(*field).any(|held| held.starts_with(prefix.as_str())),
            Filter::Within(field, values) => {
                event.values(*field).next().is_some()
                    && event.values(*field).all(|held| values.iter().any(|v| v == held))
            }
            Filter::CreatedBetween { from_us, to_us } => (*from_us..*to_us).contains(&event.created_at_us),
            Filter::SequenceBetween { from, to } => (*from..*to).contains(&event.sequence),
            Filter::Acknowledged(wanted) => self.overlay.acknowledged.contains(row) == *wanted,
            Filter::Contains(field, needle) => texts(field).into_iter().any(|text| contains(text, needle)),
            Filter::TextEquals(field, value) => texts(field).into_iter().any(|text| text == Some(value)),
            Filter::And(parts) => all(parts),
            Filter::Or(parts) => parts.iter().any(|part| self.matches(row, event, part)),
            Filter::Not(part) => !self.matches(row, event, part),
        }
    }

    pub(super) fn select(&self, filter: &Filter) -> Vec<u32> {
        self.live().filter(|(row, event)| self.matches(*row, event, filter)).map(|(row, _)| row).collect()
    }

    fn count_by(&self, field: Field, rows: &[u32]) -> Vec<(String, u32)> {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for row in rows {
            for value in self.events[*row as usize].values(field) {
                *counts.entry(value.to_owned()).or_default() += 1;
            }
        }
        counts.into_iter().collect()
    }
}

/// A random predicate whose values often occur.
pub(super) fn random_filter(random: &mut Random, events: &[StoredEvent], depth: u32) -> Filter {
    let field = Field::ALL[random.below(Field::ALL.len() as u64) as usize];
    let event = &events[random.below(events.len() as u64) as usize];
    let value = event.values(field).next().map_or_else(|| keyword_value(random, field), str::to_owned);
    let text_field = [TextField::Message, TextField::Content, TextField::MessageOrContent][random.below(3) as usize];
    let nested = |random: &mut Random| (0..random.below(4)).map(|_| random_filter(random, events, depth + 1)).collect();
    match random.below(if depth < 3 { 15 } else { 11 }) {
        0 => Filter::All,
        1 | 2 => Filter::Term(field, value),
        3 => Filter::AnyOf(field, vec![value, keyword_value(random, field), "unused".to_owned()]),
        4 => Filter::Prefix(
            field,
            ["", "v", "v1", "é", "w", "0", "000000", "00000"][random.below(8) as usize].to_owned(),
        ),
        5 => {
            let multiple = [Field::RealmIds, Field::TargetUserIds, field][random.below(3) as usize];
            Filter::Within(multiple, (0..4).map(|_| keyword_value(random, multiple)).collect())
        }
        6 => {
            let from_us = event.created_at_us;
            Filter::CreatedBetween {
                from_us,
                to_us: events[random.below(events.len() as u64) as usize].created_at_us + 1,
            }
        }
        7 => Filter::SequenceBetween { from: event.sequence, to: event.sequence + random.below(500) },
        8 => Filter::Acknowledged(random.one_in(2)),
        9 => Filter::Contains(
            text_field,
            ["LOGGED", "user 1", "été", "", "nothing has this"][random.below(5) as usize].to_owned(),
        ),
        10 => Filter::TextEquals(text_field, event.message().unwrap_or_default().to_owned()),
        11 => Filter::And(nested(random)),
        12 => Filter::Or(nested(random)),
        _ => Filter::Not(Box::new(random_filter(random, events, depth + 1))),
    }
}

/// Compares every method of a part with the model.
pub(super) fn assert_agrees(part: &SealedPart, model: &Model<'_>, random: &mut Random) {
    let rows = model.events.len() as u32;
    assert_eq!(part.row_count(), rows);
    let times = model.events.iter().map(|event| event.created_at_us);
    assert_eq!(part.time_bounds_us(), (times.clone().min().unwrap(), times.max().unwrap()));
    let sequences = model.events.iter().map(|event| event.sequence);
    assert_eq!(part.sequence_bounds(), (sequences.clone().min().unwrap(), sequences.max().unwrap()));
    for (row, event) in (0..).zip(model.events) {
        let mut expected = event.clone();
        expected.marks.acknowledged = model.overlay.acknowledged.contains(row);
        assert_eq!(part.event(row).unwrap(), expected);
        let key = OrderKey { created_at_us: event.created_at_us, sequence: event.sequence };
        assert_eq!(part.key(row).unwrap(), key);
        assert_eq!(part.lower_bound(key).unwrap(), row);
        assert_eq!(part.lower_bound(OrderKey { sequence: key.sequence + 1, ..key }).unwrap(), row + 1);
        let live = !model.overlay.tombstones.contains(row);
        assert_eq!(part.find_sequence(event.sequence).unwrap(), live.then_some(row));
        let same: Vec<u32> = model.live().filter(|(_, other)| other.id == event.id).map(|(row, _)| row).collect();
        assert_eq!(part.find_id(event.id).unwrap(), same);
    }
    assert!(part.event(rows).is_err() && part.key(rows).is_err());
    assert_eq!(part.find_sequence(u64::MAX).unwrap(), None);
    assert_eq!(part.find_id(EventId::from_u128(u128::MAX)).unwrap(), Vec::<u32>::new());
    assert_eq!(part.lower_bound(OrderKey { created_at_us: i64::MIN, sequence: 0 }).unwrap(), 0);
    assert_eq!(part.lower_bound(OrderKey { created_at_us: i64::MAX, sequence: 0 }).unwrap(), rows);
    for _ in 0..60 {
        let filter = random_filter(random, model.events, 0);
        let selected = part.select(&filter).unwrap();
        let expected = model.select(&filter);
        assert_eq!(selected.iter().collect::<Vec<_>>(), expected, "{filter:?}");
        let field = Field::ALL[random.below(Field::ALL.len() as u64) as usize];
        assert_counts(part, model, field, &selected);
    }
    let live = RowSet::from_sorted(model.live().map(|(row, _)| row).collect());
    for field in Field::ALL {
        assert_counts(part, model, *field, &live);
    }
}

fn assert_counts(part: &SealedPart, model: &Model<'_>, field: Field, rows: &RowSet) {
    let mut counts = Vec::new();
    part.count_by(field, rows, &mut |value, count| counts.push((value.to_owned(), count))).unwrap();
    assert_eq!(counts, model.count_by(field, &rows.iter().collect::<Vec<_>>()), "{field}");
}

fn check_segment(seed: u64, rows: u64, odds: u64) {
    let built = written(random_events(seed, rows, 1000));
    let mut random = Random(seed ^ 1);
    let overlay = random_overlay(&mut random, built.events.len(), odds);
    let part = SealedPart::new(Arc::clone(&built.segment), Arc::clone(&overlay));
    assert_agrees(&part, &Model { events: &built.events, overlay: &overlay }, &mut random);
    let mut read = 0;
    built.segment.verify_all(&mut |bytes| read += bytes).unwrap();
    assert_eq!(read, built.summary.size_bytes);
    assert_eq!(std::fs::metadata(&built.path).unwrap().len(), built.summary.size_bytes);
}

fn check_merge(seed: u64, rows: u64, odds: u64) {
    let mut random = Random(seed ^ 2);
    let folder = tempfile::tempdir().unwrap();
    let mut inputs = Vec::new();
    let mut expected = Vec::new();
    for number in 1..=random.below(3) + 1 {
        let events = random_events(seed ^ (number << 32), rows, number * 1_000_000);
        let path = folder.path().join(format!("{number}.seg"));
        write_segment(&path, number, &events);
        let overlay = random_overlay(&mut random, events.len(), odds);
        for (row, event) in (0..).zip(events) {
            if !overlay.tombstones.contains(row) {
                expected.push((event, overlay.acknowledged.contains(row)));
            }
        }
        inputs.push((Arc::new(open(&path, number).unwrap()), overlay));
    }
    expected.sort_by_key(|(event, _)| (event.created_at_us, event.sequence));
    let path = folder.path().join("merged.seg");
    let merged = merge_segments(&OsStorage::new(), &path, &meta(9), &inputs, SegmentForm::Packed, &|| true).unwrap();
    let Some(merged) = merged else {
        assert!(expected.is_empty() && !path.exists());
        return;
    };
    let (events, marks): (Vec<StoredEvent>, Vec<bool>) = expected.into_iter().unzip();
    let acknowledged = (0_u32..).zip(&marks).filter(|(_, mark)| **mark).map(|(row, _)| row).collect();
    assert_eq!(merged.acknowledged, acknowledged);
    let overlay = Overlay { acknowledged, ..Overlay::default() };
    let segment = Arc::new(open(&path, 9).unwrap());
    segment.verify_all(&mut |_| {}).unwrap();
    let part = SealedPart::new(segment, Arc::new(overlay.clone()));
    assert_agrees(&part, &Model { events: &events, overlay: &overlay }, &mut random);
    // A merge gives what rewriting the same rows at once would have given.
    let direct = folder.path().join("direct.seg");
    rewrite_segment(&direct, 9, &events);
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&direct).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_segment_answers_as_the_model(seed: u64, rows in 1_u64..300, odds in prop_oneof![Just(0_u64), 1_u64..30]) {
        check_segment(seed, rows, odds);
    }

    #[test]
    fn a_merge_answers_as_the_model(seed: u64, rows in 1_u64..120, odds in prop_oneof![Just(0_u64), 1_u64..10]) {
        check_merge(seed, rows, odds);
    }
}

#[test]
fn a_segment_of_many_blocks_answers_as_the_model() {
    check_segment(7, 2_500, 9);
    check_segment(8, 2_500, 0);
}

#[test]
fn one_row_and_rows_around_a_block_answer_as_the_model() {
    for rows in [1, 2, 127, 128, 129, 511, 512, 513] {
        check_segment(rows, rows, 5);
    }
}

#[test]
fn a_merge_of_deleted_rows_leaves_nothing() {
    check_merge(3, 20, 1);
}
