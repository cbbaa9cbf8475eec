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
fn events_and_lines_are_the_same_ones() {
    let mut generator = Generator::new(4, 300, END_US);
    for line in lines(4, 300) {
        let mut realms = Vec::new();
        let event = generator.next_event(&mut realms).unwrap();
        assert!(line.contains(event.get(Field::ResourceId).unwrap()) && line.contains(event.payload.unwrap()));
        assert!((1..=3).contains(&event.realm_ids.len()));
        let words = event.message.unwrap().split(' ').count();
        assert!((5..=12).contains(&words));
    }
    assert!(generator.next_event(&mut Vec::new()).is_none());
}

#[test]
fn times_end_at_the_end_and_are_slightly_out_of_order() {
    let mut generator = Generator::new(5, 20_000, END_US);
    let mut times = Vec::new();
    loop {
        let mut realms = Vec::new();
        let Some(event) = generator.next_event(&mut realms) else { break };
        times.push(event.created_at_us.unwrap());
    }
    let earliest = END_US - SPAN_US - SPAN_US / 20_000 * i64::from(LATE_PLACES_MAX);
    assert!(times.iter().all(|time| (earliest..END_US).contains(time) && time % US_PER_MS == 0));
    let late = times.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!((1000..10_000).contains(&late), "{late}");
}

#[test]
fn a_resource_keeps_its_kind() {
    let mut generator = Generator::new(6, 20_000, END_US);
    let (mut pairs, mut ids, mut types) = (HashSet::new(), HashSet::new(), HashSet::new());
    loop {
        let mut realms = Vec::new();
        let Some(event) = generator.next_event(&mut realms) else { break };
        let id = event.get(Field::ResourceId).unwrap().to_owned();
        pairs.insert((id.clone(), event.get(Field::ResourceType).unwrap().to_owned()));
        ids.insert(id);
        types.insert(event.get(Field::EventType).unwrap().to_owned());
    }
    assert_eq!(types.len(), 64);
    // The last few ranks share one resource.
    assert!(pairs.len() <= ids.len() + 12);
}
