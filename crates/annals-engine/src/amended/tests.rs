use super::*;
use crate::error::ErrorKind;
use crate::event::Event;
use proptest::prelude::*;

fn amendment() -> Amendment {
    Amendment {
        severity: Some("error".to_owned()),
        is_global: Some(true),
        target_user_ids: Some(vec!["ada".to_owned(), String::new(), "bob".to_owned(), "ada".to_owned()]),
        expires_at_us: Some(None),
        updated_at_us: 5,
        ..Amendment::default()
    }
}

fn event() -> StoredEvent {
    let mut event = Event::new("notification.created");
    event.created_at_us = Some(1);
    event.set(Field::Severity, "3").set(Field::HttpStatus, "404").set(Field::NotificationType, "NEWS");
    event.numbers.insert(Field::Severity);
    event.numbers.insert(Field::HttpStatus);
    event.target_user_ids = (&["carl"]).into();
    event.message = Some("title");
    event.expires_at_us = Some(9);
    event.updated_at_us = Some(1);
    StoredEvent::from_event(&event, 1).unwrap()
}

#[test]
fn an_amended_event_shows_the_new_values_and_the_rest_as_it_was() {
    let mut shown = event();
    Amended::new(&amendment()).unwrap().apply(&mut shown);
    assert_eq!((shown.get(Field::Severity), shown.get(Field::IsGlobal)), (Some("error"), Some("true")));
    assert_eq!(shown.values(Field::TargetUserIds).collect::<Vec<_>>(), ["ada", "bob"]);
    assert_eq!((shown.expires_at_us(), shown.updated_at_us()), (None, Some(5)));
    assert!(!shown.numbers().contains(Field::Severity), "a text is shown as one");
    assert!(shown.numbers().contains(Field::HttpStatus));
    assert_eq!((shown.get(Field::NotificationType), shown.message()), (Some("NEWS"), Some("title")));
    assert_eq!((shown.sequence, shown.id, shown.created_at_us), (1, event().id, 1));
}

#[test]
fn the_later_amendment_counts_field_by_field() {
    let second = Amendment {
        severity: Some(String::new()),
        notification_type: Some("OTHER".to_owned()),
        expires_at_us: Some(Some(7)),
        updated_at_us: 6,
        ..Amendment::default()
    };
    let mut amendments = Amendments::default();
    amendments.amend(4, &Amended::new(&amendment()).unwrap());
    amendments.amend(4, &Amended::new(&second).unwrap());
    let mut shown = event();
    amendments.get(4).unwrap().apply(&mut shown);
    assert_eq!((shown.get(Field::Severity), shown.get(Field::NotificationType)), (None, Some("OTHER")));
    assert_eq!((shown.get(Field::IsGlobal), shown.expires_at_us()), (Some("true"), Some(7)));
    assert_eq!(shown.updated_at_us(), Some(6));
    assert_eq!(amendments.size_bytes(), amendments.get(4).unwrap().size_bytes());
    assert_eq!(amendments.values(Field::Severity, 0..9).count(), 1);
    assert_eq!(amendments.values(Field::IsPublic, 0..9).count(), 0);
    amendments.remove(&[4].into_iter().collect());
    assert!(amendments.is_empty() && amendments.size_bytes() == 0);
}

#[test]
fn limits_are_those_of_the_fields() {
    let of = |change: &dyn Fn(&mut Amendment)| {
        let mut amendment = amendment();
        change(&mut amendment);
        Amended::new(&amendment).map_err(|error| error.kind())
    };
    let refused = Err(ErrorKind::InvalidInput);
    assert!(of(&|a| a.severity = Some("x".repeat(1024))).is_ok());
    assert_eq!(of(&|a| a.severity = Some("x".repeat(1025))), refused);
    assert_eq!(of(&|a| a.notification_type = Some("x".repeat(1025))), refused);
    assert!(of(&|a| a.target_user_ids = Some((0..16).map(|n| n.to_string()).collect())).is_ok());
    assert_eq!(of(&|a| a.target_user_ids = Some(vec!["x".to_owned(); 17])), refused);
    assert_eq!(of(&|a| a.target_user_ids = Some(vec!["x".repeat(1025)])), refused);
    assert_eq!(of(&|a| a.expires_at_us = Some(Some(-1))), refused);
    assert_eq!(of(&|a| a.updated_at_us = CREATED_AT_US_MAX + 1), refused);
}

#[test]
fn the_stored_form_comes_back_and_cuts_are_corrupt() {
    let amended = Amended::new(&amendment()).unwrap();
    let mut bytes = Vec::new();
    amended.put(&mut bytes);
    let mut reader = Reader::new(&bytes);
    assert_eq!(Amended::take(&mut reader).unwrap(), amended);
    assert!(reader.is_empty());
    for cut in 0..bytes.len() {
        assert_eq!(Amended::take(&mut Reader::new(&bytes[..cut])).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn counts_of_amended_rows_are_merged_in_byte_order() {
    let values = ["a", "c", "c", "d"].map(|value| vec![value.to_owned()]);
    let amended: Vec<(u32, &[String])> = (0..).zip(values.iter().map(Vec::as_slice)).collect();
    let mut seen = Vec::new();
    let mut visit = |term: &str, count| seen.push((term.to_owned(), count));
    let mut counts = AmendedCounts::new(&amended, &RowSet::from_range(0..3));
    for (term, count) in [("b", 1), ("c", 4), ("e", 0)] {
        counts.visit(term, count, &mut visit);
    }
    counts.finish(&mut visit);
    let expected = [("a", 1), ("b", 1), ("c", 6)].map(|(term, count)| (term.to_owned(), count));
    assert_eq!(seen, expected);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
        let mut reader = Reader::new(&bytes);
        if let Ok(amended) = Amended::take(&mut reader) {
            let mut again = Vec::new();
            amended.put(&mut again);
            prop_assert_eq!(Amended::take(&mut Reader::new(&again)).unwrap(), amended);
        }
    }
}
