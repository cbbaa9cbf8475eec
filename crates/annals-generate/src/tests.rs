use std::collections::HashSet;

use super::*;

const END_US: i64 = 1_700_000_000_000_000;

fn lines(seed: u64, count: u64) -> Vec<String> {
    let mut generator = Generator::new(seed, count, END_US);
    let mut out = Vec::new();
    while generator.write_line(&mut out) {}
    assert_eq!(generator.remaining(), 0);
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_seed_gives_the_same_events_and_another_seed_others() {
    assert_eq!(lines(1, 50), lines(1, 50));
    assert_ne!(lines(1, 50), lines(2, 50));
    assert!(lines(1, 0).is_empty());
}

#[test]
fn lines_have_the_promised_size() {
    let lines = lines(3, 2000);
    let mean = lines.iter().map(|line| line.len() + 1).sum::<usize>() / lines.len();
    assert!((530..=590).contains(&mean), "{mean} bytes: {}", lines[0]);
}

#[test]
fn events_and_lines_and_prepared_events_are_the_same_ones() {
    for resources in [RESOURCES, RESOURCES_RANKED_MAX + 1] {
        let make = || Generator::with_resources(4, 300, END_US, resources);
        let (mut generator, mut writer, prepared) = (make(), make(), make().prepare());
        assert!(prepared.len() == 300 && !prepared.is_empty());
        for position in 0..300 {
            let (mut realms, mut prepared_realms, mut line) = ([""; 3], [""; 3], Vec::new());
            let event = generator.next_event(&mut realms).unwrap();
            let held = prepared.event(position, &mut prepared_realms).unwrap();
            assert_eq!(format!("{event:?}"), format!("{held:?}"));
            assert!(writer.write_line(&mut line));
            let line = String::from_utf8(line).unwrap();
            assert!(line.contains(&format!("{{\"id\":\"{}\",", event.id.unwrap().as_hex24().unwrap())));
            for field in Field::ALL {
                let value = event.get(*field).map(|value| format!(",\"{field}\":\"{value}\""));
                assert!(value.is_none_or(|value| line.contains(&value)), "{field}: {line}");
            }
            let realms: Vec<&str> = event.realm_ids.iter().collect();
            assert!(line.contains(&format!(",\"realm_ids\":[\"{}\"],\"payload\":{{", realms.join("\",\""))));
            assert!(
                line.ends_with(&format!("{}}}\n", event.payload.unwrap())) && line.contains(event.message.unwrap())
            );
        }
        assert!(generator.next_event(&mut [""; 3]).is_none() && prepared.event(300, &mut [""; 3]).is_none());
    }
}

/// Calls with each event of a run.
fn each(count: u64, mut with: impl FnMut(&Event<'_>)) {
    let mut generator = Generator::new(5, count, END_US);
    loop {
        let mut realms = [""; 3];
        let Some(event) = generator.next_event(&mut realms) else { break };
        with(&event);
    }
}

#[test]
fn times_end_at_the_end_and_are_slightly_out_of_order() {
    let mut times = Vec::new();
    each(20_000, |event| times.push(event.created_at_us.unwrap()));
    let earliest = END_US - SPAN_US - SPAN_US / 20_000 * i64::from(LATE_PLACES_MAX);
    assert!(times.iter().all(|time| (earliest..END_US).contains(time) && time % US_PER_MS == 0));
    let late = times.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!((1000..10_000).contains(&late), "{late}");
}

#[test]
fn a_resource_keeps_its_kind_and_only_containers_name_one() {
    let (mut pairs, mut ids, mut types) = (HashSet::new(), HashSet::new(), HashSet::new());
    each(20_000, |event| {
        let id = event.get(Field::ResourceId).unwrap();
        let kind = event.get(Field::ResourceType).unwrap();
        assert_eq!(event.get(Field::ContainerId), (kind == "container").then_some(id));
        assert_eq!(event.get(Field::EventType).unwrap().split('.').next(), Some(kind));
        pairs.insert((id.to_owned(), kind.to_owned()));
        ids.insert(id.to_owned());
        types.insert(event.get(Field::EventType).unwrap().to_owned());
    });
    assert_eq!((types.len(), pairs.len()), (64, ids.len()));
}

#[test]
fn shares_and_frequencies_are_the_promised_ones() {
    let count = 50_000_u32;
    let (mut first_type, mut first_resource, mut tokens, mut numbers, mut realms) = (0, 0, 0, 0, 0);
    let tables = Tables::new(1);
    let first = tables.resources.id(0).unwrap();
    let (mut values, mut events_with_a_word) = (HashSet::new(), 0);
    each(u64::from(count), |event| {
        first_type += u32::from(event.get(Field::EventType) == Some("container.started"));
        first_resource += u32::from(event.get(Field::ResourceId) == Some(first));
        realms += event.realm_ids.iter().collect::<HashSet<_>>().len();
        let message: Vec<&str> = event.message.unwrap().split(' ').collect();
        assert!((5..=12).contains(&message.len()));
        tokens += message.len();
        numbers += message.iter().filter(|token| token.parse::<u32>().is_ok()).count();
        events_with_a_word += u32::from(message.contains(&"gateway"));
        for field in [Field::Severity, Field::Status, Field::Source] {
            values.insert((field, event.get(field).unwrap().to_owned()));
        }
    });
    assert_eq!(values.len(), 4 + 5 + 8);
    let part = |part: u32| f64::from(part) / f64::from(count);
    // By Zipf's law: 1 of 3.99 types, 1 of 9.87 resources.
    assert!((0.23..0.27).contains(&part(first_type)), "{first_type}");
    assert!((0.095..0.115).contains(&part(first_resource)), "{first_resource}");
    assert!((1.45..1.55).contains(&part(u32::try_from(realms).unwrap())), "{realms}");
    assert!((0.085..0.095).contains(&(part(u32::try_from(numbers).unwrap()) / part(u32::try_from(tokens).unwrap()))));
    // About 30,000 of two million.
    assert!((0.012..0.019).contains(&part(events_with_a_word)), "{events_with_a_word}");
}

#[test]
fn ids_carry_the_seconds_and_are_never_repeated() {
    let mut ids = HashSet::new();
    each(20_000, |event| {
        let id = event.id.unwrap().as_hex24().unwrap();
        let seconds = i64::from_str_radix(&id[..8], 16).unwrap();
        assert_eq!(seconds, event.created_at_us.unwrap() / 1_000_000);
        ids.insert(id);
    });
    let nodes: HashSet<&str> = ids.iter().map(|id| &id[8..18]).collect();
    assert_eq!((ids.len(), nodes.len()), (20_000, 8));
}

#[test]
fn very_many_resources_come_in_turn() {
    let count = u64::from(RESOURCES_RANKED_MAX) + 1;
    let mut tables = Tables::new(RESOURCES_RANKED_MAX + 1);
    let mut seen = vec![false; usize::try_from(count).unwrap()];
    for place in 0..count {
        let (number, kind) = tables.resources.next(place, &mut Random::new(0));
        assert!(usize::from(kind) < 12 && !seen[usize::try_from(number).unwrap()]);
        seen[usize::try_from(number).unwrap()] = true;
    }
    tables = Tables::new(100);
    assert!((0..1000).all(|place| tables.resources.next(place, &mut Random::new(place)).0 < 100));
}

#[test]
fn words_differ() {
    assert_eq!(vocabulary::WORDS.iter().collect::<HashSet<_>>().len(), 500);
}
