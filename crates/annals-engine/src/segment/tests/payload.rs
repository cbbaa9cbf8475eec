//! Payloads come back byte for byte in whatever form they are written.

use proptest::prelude::*;

use super::super::layout::SectionKind;
use super::*;

/// Payloads by row, and nothing else.
struct Payloads<'a>(&'a [Option<Vec<u8>>]);

impl TextSource for Payloads<'_> {
    fn value(&mut self, stream: Stream, row: u32) -> Result<Option<Cow<'_, [u8]>>> {
        Ok(self.0[row as usize].as_deref().filter(|_| stream == Stream::Payload).map(Cow::Borrowed))
    }
}

/// Values of the fields the payloads may repeat.
type Keys = Vec<Option<String>>;

fn keyword(field: Field, values: &Keys) -> KeywordInput<'_> {
    let mut terms: Vec<&[u8]> = Vec::new();
    let codes = values.iter().map(|value| {
        let Some(value) = value else { return 0 };
        let at = terms.iter().position(|term| *term == value.as_bytes()).unwrap_or_else(|| {
            terms.push(value.as_bytes());
            terms.len() - 1
        });
        at as u32 + 1
    });
    let codes = KeywordCodes::Single(codes.collect());
    KeywordInput { field, terms, codes }
}

/// Writes a segment of the payloads.
fn build(
    path: &Path,
    payloads: &[Option<Vec<u8>>],
    keywords: Vec<KeywordInput<'_>>,
    form: SegmentForm,
) -> SealedSegment {
    let rows = payloads.len();
    let input = SegmentInput {
        created_at_us: (1_i64..).take(rows).collect(),
        sequences: (1_u64..).take(rows).collect(),
        ids: (1..).take(rows).map(|row| EventId::made(row, row.cast_unsigned())).collect(),
        keywords,
        texts: &mut Payloads(payloads),
    };
    let summary = build_segment(&OsStorage::new(), path, &meta(1), input, form).unwrap();
    SealedSegment::open(&OsStorage::new(), path, STORE, 1, Some(summary.footer_crc)).unwrap()
}

fn has(segment: &SealedSegment, kind: SectionKind) -> bool {
    segment.footer.find(kind, Stream::Payload.number()).is_some()
}

/// Writes the payloads, as new ones and as compacted ones, and compares what is read with them. Whether they were
/// written as shapes.
fn check(payloads: &[Option<Vec<u8>>], types: &Keys, resources: &Keys) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let keywords = || vec![keyword(Field::EventType, types), keyword(Field::ResourceId, resources)];
    let path = |name| folder.path().join(name);
    let fresh = build(&path("fresh.seg"), payloads, keywords(), SegmentForm::Fresh);
    build(&path("again.seg"), payloads, keywords().into_iter().rev().collect(), SegmentForm::Fresh);
    assert_eq!(std::fs::read(path("fresh.seg")).unwrap(), std::fs::read(path("again.seg")).unwrap());
    let compacted = build(&path("compacted.seg"), payloads, keywords(), SegmentForm::Packed);
    for segment in [&fresh, &compacted] {
        assert_read(segment, payloads);
    }
    has(&fresh, SectionKind::ShapeTable)
}

fn assert_read(segment: &SealedSegment, payloads: &[Option<Vec<u8>>]) {
    segment.verify_all(&mut |_| {}).unwrap();
    let mut cursor = segment.cursor(Stream::Payload);
    for (row, payload) in (0..).zip(payloads) {
        assert_eq!(cursor.value(row).unwrap(), payload.as_deref(), "row {row}");
    }
    for (row, payload) in payloads.iter().enumerate().rev().step_by(7) {
        assert_eq!(cursor.value(row as u32).unwrap(), payload.as_deref(), "row {row}");
    }
    assert!(cursor.value(payloads.len() as u32).is_err());
}

/// Fixed texts of a few shapes with values of every kind.
fn shaped(random: &mut Random, kind: u64, resource: &str) -> Vec<u8> {
    let hex = |random: &mut Random, digits: usize| -> String {
        (0..digits).map(|_| char::from(b"0123456789abcdef"[random.below(16) as usize])).collect()
    };
    let text = match kind {
        0 => format!(
            r#"{{"id":"{resource}","size":{},"state":"{}","ok":true}}"#,
            random.below(1 << 40).cast_signed() - 7,
            ["up", "down", "gone"][random.below(3) as usize]
        ),
        1 => {
            let digits = 2 * random.below(9) as usize;
            format!(
                r#"{{"from":"10.{}.{}.1","trace":"{}","tail":"{}"}}"#,
                random.below(256),
                random.below(256),
                hex(random, 32),
                hex(random, digits)
            )
        }
        2 => {
            let id = hex(random, 32);
            let id = format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]);
            format!(r#"{{"list":[{},{},"{}"],"uuid":"{id}"}}"#, random.below(3), 0.5, random.below(9))
        }
        3 => {
            let free: String = (0..random.below(30)).map(|_| char::from(b' ' + random.below(90) as u8)).collect();
            format!(r#"{{"free":"{}","constant":"c","n":null}}"#, free.replace(['"', '\\'], "x"))
        }
        _ => String::new(),
    };
    text.into_bytes()
}

#[test]
fn shapes_of_every_kind_of_value_come_back_and_are_small() {
    let mut random = Random(5);
    let rows = 6000;
    let types: Keys = (0..rows).map(|_| Some(format!("type.{}", random.below(4)))).collect();
    let resources: Keys = (0..rows).map(|_| Some(format!("resource {}", random.below(900)))).collect();
    let payload = |(event_type, resource): (&Option<String>, &Option<String>)| {
        let kind = u64::from(event_type.as_ref().unwrap().as_bytes()[5] - b'0');
        (!random.one_in(40)).then(|| shaped(&mut random, kind, resource.as_ref().unwrap()))
    };
    let mut payloads: Vec<Option<Vec<u8>>> = types.iter().zip(&resources).map(payload).collect();
    assert!(check(&payloads, &types, &resources));
    // Texts nobody has seen in the first rows: no shape is left for the last of them, and one is too large for any.
    for (number, payload) in payloads.iter_mut().skip(4500).enumerate().take(600) {
        *payload = Some(vec![b'a'; number]);
    }
    payloads[4400] = Some(vec![b'"'; 100_000]);
    payloads[4401] = Some(b"[1,".repeat(100));
    assert!(check(&payloads, &types, &resources));
}

#[test]
fn texts_without_common_shapes_are_compressed() {
    let mut random = Random(6);
    let payloads: Vec<_> = (0..500).map(|row| Some(vec![b'x' + (random.below(3) as u8); row])).collect();
    let keys: Keys = vec![Some("a".to_owned()); 500];
    assert!(!check(&payloads, &keys, &keys));
}

#[test]
fn many_payloads_without_common_shapes_share_a_dictionary() {
    let mut random = Random(9);
    let phrase = |random: &mut Random| [(); 3].map(|()| format!("{:016x}", random.next())).concat();
    let phrases: Vec<String> = (0..300).map(|_| phrase(&mut random)).collect();
    // As many keys in each, in another order: hardly any shape has two rows.
    let mut payload = || {
        let mut text = Vec::new();
        for _ in 0..14 {
            let key = &phrases[random.below(300) as usize];
            text.extend_from_slice(format!(r#""{key}":"{}","#, random.below(10)).as_bytes());
        }
        Some(text)
    };
    let payloads: Vec<_> = (0..50_000).map(|_| payload()).collect();
    let keys: Keys = vec![Some("a".to_owned()); payloads.len()];
    let folder = tempfile::tempdir().unwrap();
    let mut sizes = Vec::new();
    for name in ["fresh.seg", "again.seg"] {
        let path = folder.path().join(name);
        let segment = build(&path, &payloads, vec![keyword(Field::EventType, &keys)], SegmentForm::Fresh);
        assert!(has(&segment, SectionKind::BlockDictionary));
        assert_read(&segment, &payloads);
        sizes.push(std::fs::read(&path).unwrap());
    }
    assert!(sizes[0] == sizes[1], "the same rows give the same dictionary");
}

#[test]
fn shapes_changed_behind_their_checksums_are_an_error_or_an_answer() {
    let mut random = Random(12);
    let keys: Keys = (0..150).map(|row| Some(format!("type.{}", row % 5))).collect();
    let payload = |row: u64| match row % 5 {
        // Values that all differ, in length as well: they lie in the heap.
        4 => format!(r#"{{"heap":"{}{row}"}}"#, "x".repeat(row as usize % 7)).into_bytes(),
        kind => shaped(&mut random, kind, &format!("type.{kind}")),
    };
    let payloads: Vec<_> = (0..150).map(payload).map(Some).collect();
    let folder = tempfile::tempdir().unwrap();
    let good_path = folder.path().join("good.seg");
    let segment = build(&good_path, &payloads, vec![keyword(Field::EventType, &keys)], SegmentForm::Fresh);
    assert!(has(&segment, SectionKind::ShapeHeap) && has(&segment, SectionKind::ShapeTermBytes));
    let good = std::fs::read(&good_path).unwrap();
    let shapes = segment.footer.sections.iter().filter(|section| (40..=46).contains(&section.kind));
    let mut refused = 0;
    for section in shapes {
        for position in section.offset..section.offset + section.len {
            let mut bytes = good.clone();
            bytes[position as usize] ^= 1 << random.below(8);
            super::super::fuzzing::fix_checksums(&mut bytes);
            let path = folder.path().join("forged.seg");
            let _ = std::fs::remove_file(&path);
            std::fs::write(&path, &bytes).unwrap();
            let forged = Arc::new(open(&path, 1).unwrap());
            let mut cursor = forged.cursor(Stream::Payload);
            for row in 0..150 {
                let _ = cursor.value(row);
            }
            if let Err(error) = forged.verify_all(&mut |_| {}) {
                assert_eq!(error.kind(), crate::error::ErrorKind::Corrupt);
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "what leads nowhere is refused");
}

#[test]
fn a_footer_that_claims_more_terms_of_shapes_than_bytes_is_refused() {
    let mut random = Random(12);
    let keys: Keys = (0..600).map(|row| Some(format!("type.{}", row % 3))).collect();
    let payloads: Vec<_> = (0..600).map(|row| Some(shaped(&mut random, row % 3, "resource"))).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forged.seg");
    let segment = build(&path, &payloads, vec![keyword(Field::EventType, &keys)], SegmentForm::Fresh);
    let mut footer = segment.footer.clone();
    for section in &mut footer.sections {
        if section.kind == SectionKind::ShapeTermBytes as u8 {
            section.count = 1 << 60;
        }
        if section.kind == SectionKind::ShapeTermBounds as u8 {
            (section.width, section.len) = (0, 0);
        }
    }
    assert_ne!(footer, segment.footer);
    let mut bytes = std::fs::read(&path).unwrap();
    damage::forge(&mut bytes, footer.data_end as usize, &footer);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let error = open(&path, 1).unwrap_err();
    assert!(error.to_string().contains("terms of shapes"), "{error}");
}

fn odd_text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(br#"""#.to_vec()),
        Just(br#"\""#.to_vec()),
        Just(br"\".to_vec()),
        Just(br#"{"a":"#.to_vec()),
        Just(br#","b":"#.to_vec()),
        Just(b"}".to_vec()),
        Just(b"-0".to_vec()),
        Just(b"1e5".to_vec()),
        Just(b"007".to_vec()),
        Just(b"10.0.0.1".to_vec()),
        Just(b"9223372036854775808".to_vec()),
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        "[0-9a-f]{0,8}".prop_map(String::into_bytes),
        ".{0,4}".prop_map(String::into_bytes),
        any::<Vec<u8>>(),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        (0_u8..4).prop_map(|code| ["up", "down", "", "-0"][usize::from(code)].to_owned()),
        (-300_i64..300).prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u32>().prop_map(|bits| std::net::Ipv4Addr::from(bits).to_string()),
        "[0-9a-f]{6}",
        "[0-9a-f]{0,8}",
        "[a-zé\\\\0-9]{0,5}",
    ]
}

/// Rows whose shapes repeat while their values are of any kind.
fn row() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop_oneof![
        1 => Just(None),
        1 => odd_text().prop_map(Some),
        8 => (value(), value(), 0_u8..3).prop_map(|(a, b, kind)| Some(match kind {
            0 => format!(r#"{{"quoted":"{a}","number":{b},"last":["{a}"]}}"#),
            1 => format!(r#"{{"only":"{a}"}}"#),
            _ => format!("{a} {b}"),
        }.into_bytes())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_payload_comes_back(
        payloads in proptest::collection::vec(row(), 1..300),
        repeated in any::<bool>(),
    ) {
        // The second field is what the payload may repeat: the very text, or something else.
        let texts: Keys = payloads
            .iter()
            .map(|payload| {
                let text = String::from_utf8_lossy(payload.as_deref().unwrap_or(b"none")).into_owned();
                let text = text.split('"').nth(3).unwrap_or("").to_owned();
                (repeated && !text.is_empty()).then_some(text)
            })
            .collect();
        let types: Keys = (0..payloads.len()).map(|row| Some(format!("t{}", row % 3))).collect();
        check(&payloads, &types, &texts);
    }
}
