//! What is written: the same bytes for the same rows, and hardly any for what repeats.

use super::*;
use crate::error::ErrorKind;

#[test]
fn the_same_rows_give_the_same_bytes() {
    let events = random_events(4, 700, 0);
    let (first, second) = (written(events.clone()), written(events));
    assert_eq!(std::fs::read(&first.path).unwrap(), std::fs::read(&second.path).unwrap());
    assert_eq!(first.summary, second.summary);
}

#[test]
fn constant_rows_cost_next_to_nothing() {
    let rows = 20_000;
    let mut event = Event::new("user.login");
    event.realm_ids = (&["r1", "r2"]).into();
    event.message = Some("the same for everybody");
    let events: Vec<StoredEvent> = (0..rows)
        .map(|number| {
            event.created_at_us = Some(1_700_000_000_000_000 + number * 250_000);
            let mut bytes = Vec::new();
            record::encode(&event, &mut bytes, &mut crate::batch_terms::Terms::default());
            Record::take(&mut Reader::new(&bytes)).unwrap().to_stored(number.cast_unsigned() + 1).unwrap()
        })
        .collect();
    let built = written(events);
    let beyond_header = built.summary.size_bytes - layout::HEADER_SIZE as u64;
    assert!(beyond_header < rows.cast_unsigned(), "{beyond_header} bytes for {rows} rows");
}

/// Rows with what services give their events: ids of hex digits, all of one length.
fn events_with_ids(rows: i64, id: impl Fn(i64, &mut Random) -> Option<EventId>) -> Vec<StoredEvent> {
    let mut random = Random(9);
    let users: Vec<String> = (0..2_000).map(|_| format!("{:016x}{:08x}", random.next(), random.next() >> 32)).collect();
    let mut event = |number: i64| {
        // Skewed: some users have hundreds of rows, most have a few.
        let below = random.below(2_000) + 1;
        let user = &users[random.below(below) as usize];
        let container = random.one_in(2);
        let mut event = Event::new("user.login");
        event.set(Field::UserId, user);
        if container {
            event.set(Field::ContainerId, user);
        }
        event.set(Field::SessionId, "0189dcd5-1fd4-7000-8000-000000000001");
        event.created_at_us = Some(1_700_000_000_000_000 + number * 250_000);
        event.id = id(number, &mut random);
        let mut bytes = Vec::new();
        record::encode(&event, &mut bytes, &mut crate::batch_terms::Terms::default());
        Record::take(&mut Reader::new(&bytes)).unwrap().to_stored(number.cast_unsigned() + 1).unwrap()
    };
    (0..rows).map(&mut event).collect()
}

/// Bytes per row, times 1,000, of the sections that `wanted` takes.
fn milli_bytes_per_row(built: &Written, wanted: impl Fn(&layout::Section) -> bool) -> u64 {
    let sections = built.segment.footer.sections.iter();
    let bytes: u64 = sections.filter(|section| wanted(section)).map(|section| section.len).sum();
    bytes * 1000 / u64::from(built.segment.rows())
}

fn is_of_ids(section: &layout::Section) -> bool {
    (layout::SectionKind::Ids as u8..=layout::SectionKind::IdCounters as u8).contains(&section.kind)
}

#[test]
fn hex_terms_and_repeated_fields_take_little() {
    let built = written(events_with_ids(20_000, |_, _| None));
    let of =
        |field: Field| milli_bytes_per_row(&built, |section| section.field == field.number() && !is_of_ids(section));
    // 1.2 bytes of dictionary, 11 bits of code, 11 of posting.
    assert!(of(Field::UserId) < 4_200, "{}", of(Field::UserId));
    // A bit.
    assert!(of(Field::ContainerId) < 130, "{}", of(Field::ContainerId));
    assert!(of(Field::SessionId) < 10, "{}", of(Field::SessionId));
    let column = built.segment.keyword(Field::UserId).unwrap();
    assert!(built.segment.footer.find(layout::SectionKind::LargeTerms, Field::UserId.number()).is_some());
    let file = &built.segment.file;
    for field in [Field::UserId, Field::ContainerId] {
        let mut rows_of: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (row, event) in (0..).zip(&built.events) {
            if let Some(value) = event.get(field) {
                rows_of.entry(value).or_default().push(row);
            }
        }
        let column = built.segment.keyword(field).unwrap();
        for (value, rows) in rows_of {
            let code = column.dictionary.find(file, value.as_bytes()).unwrap().unwrap();
            assert_eq!(column.posting(file, code).unwrap().iter().collect::<Vec<_>>(), rows);
            assert_eq!(column.cardinality(file, code).unwrap() as usize, rows.len());
            assert_eq!(column.cardinalities(file, code..code + 1).unwrap(), [rows.len() as u32]);
        }
    }
    assert_eq!(column.dictionary.find(file, b"0123456789abcdef0123456").unwrap(), None);
    assert_eq!(column.dictionary.find(file, b"0123456789ABCDEF01234567").unwrap(), None);
    built.segment.verify_all(&mut |_| {}).unwrap();
}

#[test]
fn ids_take_what_they_say_beyond_time_and_row() {
    let hex24 = |number: i64| {
        let seconds = u128::from(1_700_000_000 + number.unsigned_abs() / 4);
        Some(EventId::from_hex24((seconds << 64) | (0xab_cdef_0123 << 24) | u128::from(number.unsigned_abs() + 77)))
    };
    let wide = |random: &mut Random| (u128::from(random.next()) << 64) | u128::from(random.next());
    let time_uuid = |number: i64, random: &mut Random| {
        let millis = u128::from(1_700_000_000_000 + number.unsigned_abs() * 250);
        let rest = (wide(random) & !(0xf << 76) & !(3 << 62)) & ((1 << 80) - 1);
        Some(EventId::from_u128((millis << 80) | (7 << 76) | (2 << 62) | rest))
    };
    let cases: [(&str, u64, Vec<StoredEvent>); 4] = [
        ("seconds, node, counter", 250, events_with_ids(20_000, |number, _| hex24(number))),
        ("24 digits", 14_300, events_with_ids(20_000, |_, random| Some(EventId::from_hex24(wide(random) >> 32)))),
        ("UUIDv7", 10_200, events_with_ids(20_000, time_uuid)),
        ("UUIDv4", 18_300, events_with_ids(20_000, |_, random| Some(EventId::from_u128(wide(random))))),
    ];
    for (name, expected, events) in cases {
        let built = written(events);
        let took = milli_bytes_per_row(&built, is_of_ids);
        assert!(took <= expected, "{name}: {took} thousandths of a byte per row");
        for (row, event) in (0..).zip(&built.events).step_by(97) {
            assert_eq!(built.segment.id(row).unwrap(), event.id);
            assert_eq!(built.segment.find_id(event.id).unwrap(), [row]);
            let other = EventId::from_u128(event.id.as_u128() ^ 0x100);
            assert!(built.segment.find_id(other).unwrap().iter().all(|row| built.events[*row as usize].id == other));
        }
        built.segment.verify_all(&mut |_| {}).unwrap();
    }
}

#[test]
fn ids_of_one_second_are_found_by_a_table() {
    // More rows share a time than may be compared one by one.
    for (rows, by_table) in [(64, false), (65, true)] {
        let mut events = events_with_ids(1, |_, _| None);
        let first = events.remove(0);
        let events: Vec<StoredEvent> = (0..rows)
            .map(|number| {
                let mut event = first.clone();
                event.sequence = number + 1;
                event.id = EventId::from_hex24((1_700_000_009 << 64) | u128::from(number * 5));
                event
            })
            .collect();
        let built = written(events);
        assert_eq!(built.segment.footer.find(layout::SectionKind::IdRows, 0).is_some(), by_table);
        for (row, event) in (0..).zip(&built.events) {
            assert_eq!(built.segment.find_id(event.id).unwrap(), [row]);
        }
        for second in [0, 1_700_000_008, 1_700_000_009, 1_700_000_010, u128::from(u32::MAX)] {
            assert!(built.segment.find_id(EventId::from_hex24((second << 64) | 1)).unwrap().is_empty());
        }
    }
}

#[test]
fn impossible_columns_are_refused_and_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.seg");
    let events = random_events(6, 3, 0);
    let build = |change: &dyn Fn(&mut SegmentInput<'_>)| {
        let mut texts = EventTexts(&events);
        let mut input = SegmentInput {
            created_at_us: vec![1, 2, 3],
            sequences: vec![1, 2, 3],
            ids: [1, 2, 3].map(|row| EventId::made(row, row.cast_unsigned())).to_vec(),
            keywords: vec![keyword_input(&events, Field::EventType), keyword_input(&events, Field::RealmIds)],
            texts: &mut texts,
        };
        change(&mut input);
        build_segment(&OsStorage::new(), &path, &meta(1), input, SegmentForm::Fresh)
    };
    let refused = |change: &dyn Fn(&mut SegmentInput<'_>)| {
        assert_eq!(build(change).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert!(!path.exists());
    };
    refused(&|input| input.created_at_us.clear());
    refused(&|input| input.created_at_us = vec![1, 3, 2]);
    refused(&|input| input.sequences = vec![1, 2]);
    refused(&|input| input.sequences = vec![1, 2, u64::MAX]);
    refused(&|input| (input.created_at_us, input.sequences) = (vec![1, 1, 1], vec![1, 2, 2]));
    refused(&|input| input.keywords[0].codes = KeywordCodes::Single(vec![1, 1, 99]));
    refused(&|input| input.keywords[0].codes = KeywordCodes::Single(vec![1, 1]));
    refused(&|input| input.keywords[0].terms = vec![b"a", b"a", b"a", b"a", b"a"]);
    refused(&|input| input.keywords[1].codes = KeywordCodes::Multiple { ends: vec![1, 2, 4], codes: vec![1, 1, 1, 1] });
    refused(&|input| input.keywords[1].codes = KeywordCodes::Multiple { ends: vec![1, 0, 1], codes: vec![1] });
    refused(&|input| input.keywords[1].field = Field::EventType);
    build(&|_| {}).unwrap();
    // The new file must not exist: a segment is never overwritten.
    assert_eq!(build(&|_| {}).unwrap_err().kind(), ErrorKind::Io);
    assert!(path.exists());
}
