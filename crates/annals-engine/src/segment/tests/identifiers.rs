//! Identifiers are written as the same bytes as their terms and codes.

use proptest::prelude::*;

use super::*;
use crate::term;

/// The fields of these tests, and how their values look.
const FIELDS: [Field; 7] = [
    Field::ResourceId,
    Field::ContainerId,
    Field::UserId,
    Field::SessionId,
    Field::RequestId,
    Field::TaskId,
    Field::VmId,
];

fn value(field: Field, number: u64) -> String {
    let mixed = u128::from(Random(number).next()) << 64 | u128::from(Random(number + 1_000).next());
    match field {
        Field::UserId => EventId::from_u128(mixed).to_string(),
        Field::SessionId => format!("{mixed:032x}"),
        Field::RequestId => format!("{:016x}", mixed >> 64),
        // Far apart, and alike in more of their highest bits than are looked at first.
        Field::VmId => format!("{:024x}", u128::from(number % 2) << 95 | mixed >> 112),
        _ => format!("{:024x}", mixed >> 32),
    }
}

/// Rows of which some have each field; the container is always the resource, the task seldom is not.
fn events(seed: u64, rows: u64, pool: u64) -> Vec<StoredEvent> {
    let mut random = Random(seed);
    let mut event = |row: u64| {
        let resource = random.below(pool);
        let values: Vec<(Field, String)> = FIELDS
            .iter()
            .filter_map(|field| {
                let number = match field {
                    Field::ResourceId => resource,
                    Field::ContainerId => return random.one_in(2).then(|| (*field, value(*field, resource))),
                    Field::TaskId => resource + u64::from(random.one_in(rows)),
                    _ => random.below(pool),
                };
                (!random.one_in(9)).then(|| (*field, value(*field, number)))
            })
            .collect();
        let mut event = Event::new("user.login");
        for (field, value) in &values {
            event.set(*field, value);
        }
        let session = value(Field::SessionId, random.below(pool));
        let of_event = |wanted: Field| values.iter().find(|(field, _)| *field == wanted);
        let session = of_event(Field::SessionId).map_or(session.as_str(), |(_, value)| value);
        let resource = of_event(Field::ResourceId).map_or("none", |(_, value)| value);
        let payload = format!(r#"{{"row":{row},"session":"{session}","resource":"{resource}"}}"#);
        event.payload = Some(&payload);
        event.created_at_us = Some(1_700_000_000_000_000 + row.cast_signed() * 250_000);
        let mut bytes = Vec::new();
        record::encode(&event, &mut bytes, &mut crate::batch_terms::Terms::default());
        Record::take(&mut Reader::new(&bytes)).unwrap().to_stored(row + 1).unwrap()
    };
    (0..rows).map(&mut event).collect()
}

fn as_identifiers(events: &[StoredEvent], field: Field) -> Option<KeywordInput<'_>> {
    let mut values: Option<Identifiers> = None;
    for (row, event) in events.iter().enumerate() {
        let Some(text) = event.get(field) else { continue };
        let (form, stored) = term::pack(text.as_bytes()).unwrap();
        let values = values.get_or_insert_with(|| Identifiers::like(form, stored.as_slice(), 0).unwrap());
        values.fill(row);
        assert!(values.push(form, stored.as_slice()));
    }
    let mut values = values?;
    values.fill(events.len());
    Some(KeywordInput { field, terms: Vec::new(), codes: KeywordCodes::Identifiers(values) })
}

/// The segment of these events, the fields of `mask` given as identifiers.
fn built(events: &[StoredEvent], mask: u64, form: SegmentForm) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.seg");
    let mut texts = EventTexts(events);
    let mut input = input_of(events, &mut texts);
    for keyword in &mut input.keywords {
        let at = FIELDS.iter().position(|field| *field == keyword.field);
        if let Some(identifiers) = at.filter(|at| mask >> at & 1 == 1).and_then(|at| as_identifiers(events, FIELDS[at]))
        {
            *keyword = identifiers;
        }
    }
    build_segment(&OsStorage::new(), &path, &meta(1), input, form).unwrap();
    std::fs::read(&path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn identifiers_and_codes_give_the_same_bytes(seed: u64, rows in 1_u64..600, pool in 1_u64..2_000, mask in 1_u64..128, packed: bool) {
        let form = if packed { SegmentForm::Packed } else { SegmentForm::Fresh };
        let events = events(seed, rows, pool);
        let expected = built(&events, 0, form);
        prop_assert!(built(&events, mask, form) == expected);
        prop_assert!(built(&events, 127, form) == expected);
    }
}

#[test]
fn many_identifiers_and_codes_give_the_same_bytes() {
    let events = events(11, 20_000, 9_000);
    assert!(built(&events, 127, SegmentForm::Fresh) == built(&events, 0, SegmentForm::Fresh));
}

#[test]
fn identifiers_of_other_rows_are_refused() {
    let events = events(3, 20, 5);
    let mut texts = EventTexts(&events);
    let mut input = input_of(&events, &mut texts);
    for keyword in &mut input.keywords {
        if keyword.field == Field::UserId {
            *keyword = as_identifiers(&events[..19], Field::UserId).unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.seg");
    let refused = build_segment(&OsStorage::new(), &path, &meta(1), input, SegmentForm::Fresh).unwrap_err();
    assert_eq!(refused.kind(), crate::error::ErrorKind::InvalidInput);
    assert!(!path.exists());
}
