use super::*;

const FIRST: Batch = Batch { name: 1, count: 2, with_ids: true, text: 0 };
const SECOND: Batch = Batch { name: 2, count: 3, with_ids: false, text: 0 };
/// Sent and never answered.
const OPEN: Batch = Batch { name: 3, count: 2, with_ids: true, text: 0 };

/// Two acknowledged batches, at 11 and at 21, and one without an answer.
fn world() -> World {
    let mut world = World::default();
    for (at_ms, line) in [
        (10, Line::Sent(FIRST)),
        (11, Line::Acknowledged { batch: 1, stored: 2 }),
        (20, Line::Sent(SECOND)),
        (21, Line::Acknowledged { batch: 2, stored: 3 }),
        (30, Line::Sent(OPEN)),
    ] {
        world.apply(at_ms, &line);
    }
    world
}

fn places(batches: &[(u64, u64)]) -> Vec<Place> {
    batches.iter().flat_map(|(batch, count)| (0..*count).map(|index| Place { batch: *batch, index })).collect()
}

fn compare(there: &[(u64, u64)], allowed: Allowed) -> Result<World, String> {
    let mut world = world();
    world.compare(&places(there), &[], allowed).map_err(|failure| failure.to_string())?;
    Ok(world)
}

fn assert_fails(outcome: Result<World, String>, with: &str) {
    let failure = outcome.unwrap_err();
    assert!(failure.contains(with), "{failure}");
}

#[test]
fn what_was_acknowledged_is_there_once_and_batches_are_whole() {
    let good = compare(&[(1, 2), (2, 3)], Allowed::Nothing).unwrap();
    assert_eq!((good.totals.absent, good.totals.whole, good.unanswered()), (1, 0, vec![OPEN]));
    assert_eq!(compare(&[(1, 2), (2, 3), (3, 2)], Allowed::Nothing).unwrap().totals.whole, 1);
    assert_fails(compare(&[(1, 2)], Allowed::Nothing), "is lost");
    assert_fails(compare(&[(1, 2), (2, 2)], Allowed::Nothing), "others of its batch are not");
    assert_fails(compare(&[(1, 2), (2, 3), (3, 1)], Allowed::Nothing), "there by 1 of 2");
    assert_fails(compare(&[(1, 2), (2, 3), (2, 1)], Allowed::Nothing), "more than once");
    assert_fails(compare(&[(1, 2), (2, 4)], Allowed::Nothing), "never sent");
    assert_fails(compare(&[(1, 2), (2, 3), (9, 1)], Allowed::Nothing), "never sent");
}

#[test]
fn an_allowed_loss_is_late_and_at_the_end() {
    let late = Allowed::From { at_ms: 21 };
    let lost = compare(&[(1, 2)], late).unwrap();
    assert_eq!((lost.totals.lost, lost.unanswered()), (1, vec![SECOND, OPEN]));
    assert_fails(compare(&[(1, 2)], Allowed::From { at_ms: 22 }), "was acknowledged at 21 and is lost");
    assert_fails(compare(&[(1, 2), (2, 2)], late), "others of its batch are not");
    let all = Allowed::From { at_ms: 0 };
    assert!(compare(&[], all).is_ok());
    assert_fails(compare(&[(2, 3)], all), "was sent later");
    assert_fails(compare(&[(1, 2), (3, 2)], all), "was sent later");
    let mut world = world();
    let place = Place { batch: 1, index: 0 };
    world.apply(31, &Line::Changed { change: Change::Delete, place, asked_ms: 30, known: Some(true) });
    let failure = world.compare(&[Place { batch: 1, index: 1 }], &[], all).unwrap_err().to_string();
    assert!(failure.contains("a later change"), "{failure}");
}

#[test]
fn changes_are_there_if_they_were_confirmed_and_settle_if_not() {
    let place = Place { batch: 1, index: 0 };
    let change = |change, known| Line::Changed { change, place, asked_ms: 30, known };
    let all = places(&[(1, 2), (2, 3)]);
    let compare = |line: Line, there: &[Place], marked: &[Place]| {
        let mut world = world();
        world.apply(31, &line);
        let outcome = world.compare(there, marked, Allowed::Nothing).map_err(|failure| failure.to_string());
        outcome.map(|()| world)
    };
    assert_fails(compare(change(Change::Delete, Some(true)), &all, &[]), "was deleted and is there");
    assert_fails(compare(change(Change::Delete, Some(false)), &all[1..], &[]), "is lost");
    assert!(compare(change(Change::Delete, Some(true)), &all[1..], &[]).is_ok());
    assert!(compare(change(Change::Delete, None), &all, &[]).unwrap().deleted.is_empty());
    let settled = compare(change(Change::Delete, None), &all[1..], &[]).unwrap();
    assert_eq!(settled.deleted[&place].known, Some(true));
    assert_fails(compare(change(Change::Acknowledge, Some(true)), &all, &[]), "acknowledgement of");
    assert!(compare(change(Change::Acknowledge, Some(true)), &all, &[place]).is_ok());
    assert!(compare(change(Change::Acknowledge, None), &all, &[]).is_ok());
    assert_fails(compare(change(Change::Acknowledge, None), &all, &all[1..2]), "never acknowledged");
}

#[test]
fn what_was_answered_too_late_may_be_there_or_not() {
    let place = Place { batch: 1, index: 0 };
    for (from_ms, all, good) in [
        (22, places(&[(1, 2)]), false),
        (21, places(&[(1, 2)]), true),
        (21, places(&[(1, 2), (2, 3)]), true),
        (21, places(&[(1, 2), (2, 2)]), false),
        (31, places(&[(1, 2), (2, 3)]), true),
        (32, places(&[(1, 2), (2, 3)]), false),
    ] {
        let mut world = world();
        world.apply(31, &Line::Changed { change: Change::Delete, place, asked_ms: 12, known: Some(true) });
        world.reopen(from_ms).unwrap();
        assert_eq!(world.compare(&all, &[], Allowed::Nothing).is_ok(), good, "from {from_ms}: {all:?}");
    }
}

/// An event whose batch was acknowledged too late to count was once taken for deleted, because it was not there.
#[test]
fn an_open_delete_of_a_batch_that_is_not_there_says_nothing() {
    let mut world = world();
    let place = Place { batch: 3, index: 1 };
    world.apply(31, &Line::Changed { change: Change::Delete, place, asked_ms: 30, known: None });
    world.compare(&places(&[(1, 2), (2, 3)]), &[], Allowed::Nothing).unwrap();
    world.apply(40, &Line::Settled { batch: 3 });
    world.compare(&places(&[(1, 2), (2, 3), (3, 2)]), &[], Allowed::Nothing).unwrap();
}
