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
            ids: vec![None; 3],
            keywords: vec![keyword_input(&events, Field::EventType), keyword_input(&events, Field::RealmIds)],
            texts: &mut texts,
        };
        change(&mut input);
        build_segment(&OsStorage::new(), &path, &meta(1), input)
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
