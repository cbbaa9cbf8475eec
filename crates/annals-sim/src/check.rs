//! Queries through the indexes against a walk over everything, statistics against a recount.

use std::collections::BTreeMap;

use annals_engine::{Engine, EventId, Field, Filter, Snapshot, TextField};

use crate::oracle::{Expected, Known, Oracle, Trouble};
use crate::random::Random;
use crate::script::{EVENT_TYPES, HOUR_US, HOURS, SEVERITIES, WORDS, user};

/// A question, and what must be found: by sequence and event.
type Passes<'q> = Box<dyn Fn(u64, &Expected) -> bool + 'q>;

/// Asks a store about its fields, times, marks, texts and ids. What is in it must be known for certain: only behind
/// [`Oracle::look`].
pub(crate) fn check(engine: &Engine, oracle: &Oracle, random: &mut Random, now_us: i64) -> Result<(), Trouble> {
    let snapshot = engine.snapshot();
    for _ in 0..3 {
        let (filter, passes) = question(random, now_us, oracle.last_sequence());
        check_filter(&snapshot, oracle, &filter, &passes)?;
    }
    let (filter, passes) = question(random, now_us, oracle.last_sequence());
    for field in [Field::EventType, Field::UserId, Field::Severity] {
        check_counts(&snapshot, oracle, field, &Filter::All, &|_, _| true)?;
        check_counts(&snapshot, oracle, field, &filter, &passes)?;
    }
    let number = 1 + random.below(oracle.last_sequence());
    if let Some(id) = oracle.event(number).and_then(|event| event.id) {
        check_id(&snapshot, oracle, id)?;
    }
    Ok(())
}

fn severity(event: &Expected) -> Option<&'static str> {
    event.severity.first().copied().flatten()
}

/// One predicate, or two of them put together.
fn question(random: &mut Random, now_us: i64, last: u64) -> (Filter, Passes<'static>) {
    let (filter, passes) = leaf(random, now_us, last);
    match random.below(6) {
        0 => (filter.not(), Box::new(move |sequence, event| !passes(sequence, event))),
        1 => {
            let (other, other_passes) = leaf(random, now_us, last);
            let both = move |sequence, event: &Expected| passes(sequence, event) && other_passes(sequence, event);
            (filter.and(other), Box::new(both))
        }
        2 => {
            let (other, other_passes) = leaf(random, now_us, last);
            let one = move |sequence, event: &Expected| passes(sequence, event) || other_passes(sequence, event);
            (Filter::Or(vec![filter, other]), Box::new(one))
        }
        _ => (filter, passes),
    }
}

fn leaf(random: &mut Random, now_us: i64, last: u64) -> (Filter, Passes<'static>) {
    let event_type = random.pick(&EVENT_TYPES).copied().unwrap_or("none");
    let wanted = random.pick(&SEVERITIES).copied().flatten().unwrap_or("info");
    let word = random.pick(&WORDS).copied().unwrap_or("none");
    let (number, other) = (random.below(9), random.below(9));
    match random.below(9) {
        0 => (Filter::term(Field::EventType, event_type), Box::new(move |_, event| event.event_type == event_type)),
        1 => {
            let wanted = user(number);
            (Filter::term(Field::UserId, wanted.clone()), Box::new(move |_, event| event.user_id == wanted))
        }
        2 => (Filter::term(Field::Severity, wanted), Box::new(move |_, event| severity(event) == Some(wanted))),
        3 => {
            let users = [user(number), user(other)];
            let filter = Filter::any_of(Field::UserId, users.clone());
            (filter, Box::new(move |_, event| users.contains(&event.user_id)))
        }
        4 => (Filter::Prefix(Field::Severity, String::new()), Box::new(|_, event| severity(event).is_some())),
        5 => (Filter::Acknowledged(true), Box::new(|_, event| event.is_acknowledged == Known::Yes)),
        6 => {
            let to_us = now_us - HOUR_US * i64::try_from(random.below(HOURS)).unwrap_or(0);
            let from_us = to_us - HOUR_US * i64::try_from(random.below(HOURS)).unwrap_or(0);
            let within =
                move |_, event: &Expected| event.created_at_us.is_some_and(|time| (from_us..to_us).contains(&time));
            (Filter::created_between(from_us, to_us), Box::new(within))
        }
        7 => {
            let filter = Filter::Contains(TextField::Message, word.to_uppercase());
            (filter, Box::new(move |_, event| event.message.contains(word)))
        }
        _ => {
            let from = random.below(last + 2);
            let to = from + random.below(20);
            (Filter::SequenceBetween { from, to }, Box::new(move |sequence, _| (from..to).contains(&sequence)))
        }
    }
}

fn check_filter(
    snapshot: &Snapshot,
    oracle: &Oracle,
    filter: &Filter,
    passes: &dyn Fn(u64, &Expected) -> bool,
) -> Result<(), Trouble> {
    let (mut found, mut counted) = (Vec::new(), 0);
    for part in snapshot.parts() {
        let rows = part.select(filter)?;
        for row in rows.iter() {
            found.push(part.key(row)?.sequence);
        }
        counted += match part.count(filter)? {
            Some(count) => u64::from(count.rows),
            None => u64::from(rows.len()),
        };
    }
    found.sort_unstable();
    let expected: Vec<u64> =
        oracle.there().filter(|(sequence, event)| passes(*sequence, event)).map(|(sequence, _)| sequence).collect();
    if found != expected {
        return Err(format!("{filter:?} finds {found:?} instead of {expected:?}").into());
    }
    if counted != u64::try_from(expected.len()).unwrap_or(u64::MAX) {
        return Err(format!("{filter:?} counts {counted} instead of {}", expected.len()).into());
    }
    Ok(())
}

/// The counts of a field's values among what a filter finds.
fn check_counts(
    snapshot: &Snapshot,
    oracle: &Oracle,
    field: Field,
    filter: &Filter,
    passes: &dyn Fn(u64, &Expected) -> bool,
) -> Result<(), Trouble> {
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for part in snapshot.parts() {
        let rows = part.select(filter)?;
        part.count_by(field, &rows, &mut |value, count| {
            if count > 0 {
                *found.entry(value.to_owned()).or_default() += u64::from(count);
            }
        })?;
    }
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for (_, event) in oracle.there().filter(|(sequence, event)| passes(*sequence, event)) {
        let value = match field {
            Field::EventType => Some(event.event_type),
            Field::UserId => Some(event.user_id.as_str()),
            _ => severity(event),
        };
        if let Some(value) = value {
            *expected.entry(value.to_owned()).or_default() += 1;
        }
    }
    if found == expected {
        return Ok(());
    }
    Err(format!("{filter:?} by {field} counts {found:?} instead of {expected:?}").into())
}

fn check_id(snapshot: &Snapshot, oracle: &Oracle, id: EventId) -> Result<(), Trouble> {
    let found: Vec<u64> = snapshot.get_all(id)?.iter().map(|event| event.sequence).collect();
    let expected: Vec<u64> =
        oracle.there().filter(|(_, event)| event.id == Some(id)).map(|(sequence, _)| sequence).collect();
    if found == expected { Ok(()) } else { Err(format!("id {id} is that of {found:?} instead of {expected:?}").into()) }
}
