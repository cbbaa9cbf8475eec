//! Payloads of packed segments read as those of fresh ones, whatever they look like; damage is found.

use std::fs;

use proptest::prelude::*;

use super::super::layout::SectionKind;
use super::*;
use crate::event::Marks;

/// A row as the test makes it.
#[derive(Clone, Debug)]
struct Row {
    event_type: String,
    resource: Option<String>,
    realms: Vec<String>,
    message: Option<String>,
    payload: Option<String>,
}

fn stored(rows: &[Row]) -> Vec<StoredEvent> {
    let stored = |(number, row): (i64, &Row)| {
        let mut event = Event::new(&row.event_type);
        event.created_at_us = Some(1_700_000_000_000_000 + number * 1_234_567);
        event.set(Field::ResourceId, row.resource.as_deref().unwrap_or("-"));
        event.realm_ids = row.realms.as_slice().into();
        event.message = row.message.as_deref();
        event.payload = row.payload.as_deref();
        let mut bytes = Vec::new();
        record::encode(&event, &mut bytes, &mut crate::batch_terms::Terms::default());
        let sequence = number.cast_unsigned() + 1;
        Record::take(&mut Reader::new(&bytes)).unwrap().to_stored(sequence).unwrap()
    };
    (0..).zip(rows).map(stored).collect()
}

/// Objects whose members come in ever another order, that repeat what the row says elsewhere, and stranger texts.
fn rows(count: u64) -> Vec<Row> {
    let mut random = Random(11);
    (0..count)
        .map(|number| {
            let kind = random.below(5);
            let resource = format!("C:\\Program \"{}\"\\app.exe", random.below(40));
            let message = format!("process {} started on host-{}", random.below(1000), random.below(9));
            let quoted = resource.replace('\\', "\\\\").replace('"', "\\\"");
            let time = 1_700_000_000_000_000 + number.cast_signed() * 1_234_567;
            let stamp = super::super::members::timestamp(time).unwrap();
            let mut members = vec![
                format!(r#""path":"{quoted}""#),
                format!(r#""@timestamp":"{stamp}Z""#),
                format!(r#""text":"see: {message}.""#),
                format!(r#""realm":["realm-{kind}","second realm"]"#),
                format!(r#""n":{}"#, random.below(1 << 30)),
                format!(r#""nested":{{"a":[1,{{"b":"}},{{"}}],"c":null}},"kind":{kind}"#),
                r#""same":"constant","same":"twice""#.to_owned(),
            ];
            for at in (1..members.len()).rev() {
                members.swap(at, random.below(at as u64 + 1) as usize);
            }
            members.truncate(3 + random.below(5) as usize);
            let payload = match random.below(60) {
                0 => None,
                1 => Some("{}".to_owned()),
                2 => Some(format!("{{ {} }}", members.join(", "))),
                3 => Some(format!(r#"{{"control":"{}"}}"#, '\u{1}')),
                4 => Some(format!(r#"{{"long":"{}"}}"#, "x".repeat(20_000 + number as usize))),
                5 => Some(r#"{"empty":,"b":}"#.to_owned()),
                _ => Some(format!("{{{}}}", members.join(","))),
            };
            Row {
                event_type: format!("type.{kind}"),
                resource: Some(resource),
                realms: vec![format!("realm-{kind}"), "second realm".to_owned()],
                message: Some(message),
                payload,
            }
        })
        .collect()
}

fn read(segment: &SealedSegment) -> Vec<StoredEvent> {
    let rows: Vec<u32> = (0..segment.rows()).collect();
    segment.events(&rows, |_| Marks::default()).unwrap()
}

fn has(segment: &SealedSegment, kind: SectionKind) -> bool {
    segment.footer.find(kind, Stream::Payload.number()).is_some()
}

#[test]
fn members_read_as_the_payloads_they_were_made_of() {
    let events = stored(&rows(9000));
    let folder = tempfile::tempdir().unwrap();
    let (fresh, packed) = (folder.path().join("fresh.seg"), folder.path().join("packed.seg"));
    write_segment(&fresh, 1, &events);
    rewrite_segment(&packed, 1, &events);
    let (fresh, packed) = (open(&fresh, 1).unwrap(), open(&packed, 1).unwrap());
    assert!(!has(&fresh, SectionKind::MemberTable) && has(&packed, SectionKind::MemberTable));
    assert!(packed.is_packed() && !packed.gains_by_packing() && fresh.gains_by_packing());
    assert!(packed.size_bytes < fresh.size_bytes, "{} and {}", packed.size_bytes, fresh.size_bytes);
    packed.verify_all(&mut |_| {}).unwrap();
    assert!(read(&fresh) == events && read(&packed) == events);
    for row in (0..packed.rows()).rev().step_by(97) {
        assert_eq!(packed.event(row, Marks::default()).unwrap(), events[row as usize]);
    }
    // Rows of a packed segment without the first ones: the same as packing those that are left.
    let mut overlay = Overlay::default();
    overlay.tombstones.insert_range(0..1000);
    let (merged, direct) = (folder.path().join("merged.seg"), folder.path().join("direct.seg"));
    let inputs = [(Arc::new(packed), Arc::new(overlay))];
    merge_segments(&OsStorage::new(), &merged, &meta(1), &inputs, SegmentForm::Packed, &|| true).unwrap().unwrap();
    rewrite_segment(&direct, 1, &events[1000..]);
    assert!(fs::read(&merged).unwrap() == fs::read(&direct).unwrap());
    // The types of the rows that are left are fewer, and so their codes are others.
    let mut overlay = Overlay::default();
    overlay.tombstones.extend(
        (0..)
            .zip(&events)
            .filter(|(_, event)| event.values.first(Field::EventType.number()) == Some(b"type.1"))
            .map(|(row, _)| row),
    );
    let fewer = folder.path().join("fewer.seg");
    merge_segments(
        &OsStorage::new(),
        &fewer,
        &meta(1),
        &[(Arc::clone(&inputs[0].0), Arc::new(overlay))],
        SegmentForm::Packed,
        &|| true,
    )
    .unwrap()
    .unwrap();
    let given_up = folder.path().join("given_up.seg");
    let busy = merge_segments(&OsStorage::new(), &given_up, &meta(1), &inputs, SegmentForm::Packed, &|| false);
    assert_eq!(busy.unwrap_err().kind(), crate::error::ErrorKind::Busy);
    assert!(!given_up.exists());
    let fewer = open(&fewer, 1).unwrap();
    fewer.verify_all(&mut |_| {}).unwrap();
    let left: Vec<StoredEvent> = events
        .iter()
        .filter(|event| event.values.first(Field::EventType.number()) != Some(b"type.1"))
        .cloned()
        .collect();
    assert!(left.len() < events.len() && read(&fewer) == left);
    // And back to a fresh one.
    fs::remove_file(&direct).unwrap();
    fs::remove_file(&merged).unwrap();
    merge_segments(&OsStorage::new(), &merged, &meta(1), &inputs, SegmentForm::Fresh, &|| true).unwrap().unwrap();
    write_segment(&direct, 1, &events[1000..]);
    assert!(fs::read(&merged).unwrap() == fs::read(&direct).unwrap());
}

#[test]
fn large_segments_share_a_dictionary_and_give_the_same_bytes_again() {
    let mut rows = rows(20_000);
    for (number, row) in rows.iter_mut().enumerate() {
        let filler = format!("{:032x}", Random(number as u64 % 50).next()).repeat(20);
        row.payload = Some(format!(r#"{{"filler":"{filler}","n{}":{number}}}"#, number % 90));
    }
    let events = stored(&rows);
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("1.seg"), folder.path().join("2.seg"));
    rewrite_segment(&one, 1, &events);
    rewrite_segment(&two, 1, &events);
    assert!(fs::read(&one).unwrap() == fs::read(&two).unwrap());
    let segment = open(&one, 1).unwrap();
    assert!(has(&segment, SectionKind::MemberDictionary));
    segment.verify_all(&mut |_| {}).unwrap();
    assert!(read(&segment) == events);
}

#[test]
fn members_changed_behind_their_checksums_are_an_error_or_an_answer() {
    let mut random = Random(3);
    let events = stored(&rows(300));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("good.seg");
    rewrite_segment(&path, 1, &events);
    let segment = open(&path, 1).unwrap();
    let good = fs::read(&path).unwrap();
    let members = segment.footer.sections.iter().filter(|section| (60..=64).contains(&section.kind));
    let mut refused = 0;
    for section in members {
        for position in (section.offset..section.offset + section.len).step_by(if section.len > 2000 { 17 } else { 1 })
        {
            let mut bytes = good.clone();
            bytes[position as usize] ^= 1 << random.below(8);
            // As it is: the checksum tells.
            let forged_path = folder.path().join("forged.seg");
            let _ = fs::remove_file(&forged_path);
            fs::write(&forged_path, &bytes).unwrap();
            let read = open(&forged_path, 1).and_then(|segment| segment.verify_all(&mut |_| {}));
            assert_eq!(read.unwrap_err().kind(), crate::error::ErrorKind::Corrupt);
            super::super::fuzzing::fix_checksums(&mut bytes);
            fs::remove_file(&forged_path).unwrap();
            fs::write(&forged_path, &bytes).unwrap();
            let forged = open(&forged_path, 1).unwrap();
            let mut cursor = forged.cursor(Stream::Payload);
            for row in 0..300 {
                let _ = cursor.value(row);
            }
            refused += usize::from(forged.verify_all(&mut |_| {}).is_err());
        }
    }
    assert!(refused > 0, "what leads nowhere is refused");
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just("C:\\a \"b\"".to_owned()), Just("second realm".to_owned()), Just(String::new()), ".{0,12}"]
}

/// Payloads made of pieces that matter to taking apart, most of them objects.
fn payload() -> impl Strategy<Value = Option<String>> {
    let value = prop_oneof![
        text().prop_map(|text| format!("\"{text}\"")),
        any::<i16>().prop_map(|number| number.to_string()),
        Just("{\"a\":[1,\"]}\"]}".to_owned()),
        Just("]".to_owned()),
        Just(String::new()),
    ];
    let members = proptest::collection::vec(("[a-c]{1,2}", value), 0..6);
    prop_oneof![
        1 => Just(None),
        1 => any::<String>().prop_map(Some),
        8 => members.prop_map(|members| {
            let members: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            Some(format!("{{{}}}", members.join(",")))
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_payload_reads_the_same_in_both_forms(
        made in proptest::collection::vec((0_u8..4, text(), proptest::option::of(text()), payload()), 1..200),
    ) {
        let row = |(kind, resource, message, payload): (u8, String, Option<String>, Option<String>)| Row {
            event_type: format!("type.{kind}"),
            resource: Some(resource),
            realms: vec!["second realm".to_owned()],
            message,
            payload,
        };
        let events = stored(&made.into_iter().map(row).collect::<Vec<_>>());
        let folder = tempfile::tempdir().unwrap();
        let (fresh, packed) = (folder.path().join("fresh.seg"), folder.path().join("packed.seg"));
        write_segment(&fresh, 1, &events);
        rewrite_segment(&packed, 1, &events);
        let (fresh, packed) = (open(&fresh, 1).unwrap(), open(&packed, 1).unwrap());
        packed.verify_all(&mut |_| {}).unwrap();
        prop_assert!(read(&packed) == events);
        prop_assert!(read(&fresh) == events);
    }
}
