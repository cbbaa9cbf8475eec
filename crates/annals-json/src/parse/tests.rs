use annals_engine::EventId;
use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> IncomingEvent<'_> {
    parse_event(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> String {
    match parse_event(text.as_bytes()) {
        Ok(event) => panic!("{text} was read as {event:?}"),
        Err(error) => error.message,
    }
}

#[test]
fn every_key_of_an_export_is_read() {
    let text = r#"{"id":"507f1f77bcf86cd799439044","sequence":7,"created_at":"2023-11-14T22:13:20.000001Z",
        "event_type":"a.b","http_status":404,"user_id":-5,"notification":true,"is_public":false,
        "realm_ids":["r1","r2","r1",""],"target_user_ids":["u"],"message":"m","content":"c\n","error_message":"e",
        "user_agent":"ua","latency_ms":1.5,"expires_at":1000,"updated_at":"1970-01-01","acknowledged":true,
        "payload":{"k" : [1]}}"#;
    let event = parse(text);
    assert_eq!(event.id, Some("507f1f77bcf86cd799439044".parse().unwrap()));
    assert_eq!(event.created_at_us, Some(1_700_000_000_000_001));
    assert_eq!((event.get(Field::EventType), event.get(Field::HttpStatus)), (Some("a.b"), Some("404")));
    assert_eq!(event.get(Field::UserId), Some("-5"));
    assert!(event.numbers.contains(Field::HttpStatus) && event.numbers.contains(Field::UserId));
    assert!(!event.numbers.contains(Field::EventType));
    assert_eq!((event.get(Field::Notification), event.get(Field::IsPublic)), (Some("true"), Some("false")));
    assert_eq!((event.realm_ids.as_slice(), event.target_user_ids.len()), (["r1".into(), "r2".into()].as_slice(), 1));
    assert_eq!((event.message.as_deref(), event.content.as_deref()), (Some("m"), Some("c\n")));
    assert_eq!((event.error_message.as_deref(), event.user_agent.as_deref()), (Some("e"), Some("ua")));
    assert_eq!((event.latency_ms, event.expires_at_us, event.updated_at_us), (Some(1.5), Some(1_000_000), Some(0)));
    assert_eq!(event.payload.as_deref(), Some(r#"{"k" : [1]}"#));
    assert!(event.acknowledged && event.as_event().acknowledged);
}

#[test]
fn texts_without_escapes_are_borrowed() {
    let event = parse(r#"{"event_type":"a","message":"m","payload":{"a":"\n"},"realm_ids":["r"]}"#);
    assert!(matches!(event.get_cow(Field::EventType), Some(Cow::Borrowed("a"))));
    assert!(matches!(event.message, Some(Cow::Borrowed(_))) && matches!(event.payload, Some(Cow::Borrowed(_))));
    assert!(matches!(event.realm_ids[0], Cow::Borrowed(_)));
}

#[test]
fn times_come_under_several_names_and_forms() {
    for (text, expected) in [
        (r#"{"ts":1700000000000}"#, Some(1_700_000_000_000_000)),
        (r#"{"timestamp":1700000000000.1239}"#, Some(1_700_000_000_000_123)),
        (r#"{"created_at":1700000000000.1239}"#, Some(1_700_000_000_000_123)),
        (r#"{"time":"2023-11-14T22:13:20+00:00"}"#, Some(1_700_000_000_000_000)),
        (r#"{"@timestamp":"2023-11-14 22:13:20"}"#, Some(1_700_000_000_000_000)),
        (r#"{"created_at":"1970-01-01T00:00:00.0000019Z"}"#, Some(1)),
        (r#"{"created_at":null,"ts":1}"#, Some(1000)),
        (r#"{"ts":1,"created_at":null}"#, Some(1000)),
        (r#"{"ts":null}"#, None),
        (r#"{"created_at":1,"created_at":2}"#, Some(2000)),
        (r#"{"created_at":1.5,"created_at":2}"#, Some(2000)),
        (r#"{"created_at":-1}"#, Some(-1000)),
    ] {
        assert_eq!(parse(text).created_at_us, expected, "{text}");
    }
}

#[test]
fn an_alias_that_loses_stays_in_the_payload() {
    let event = parse(r#"{"ts":1,"created_at":2,"time":"x","message":"m","summary":"s"}"#);
    assert_eq!((event.created_at_us, event.message.as_deref()), (Some(2000), Some("m")));
    assert_eq!(event.payload.as_deref(), Some(r#"{"ts":1,"time":"x","summary":"s"}"#));
    let event = parse(r#"{"summary":"caf\u00e9"}"#);
    assert_eq!((event.message.as_deref(), event.payload), (Some("café"), None));
}

#[test]
fn null_and_empty_are_absent() {
    let event = parse(
        r#"{"event_type":"a","user_id":null,"source":"","notification":null,"realm_ids":null,
        "payload":null,"id":null,"message":null,"latency_ms":null,"expires_at":null}"#,
    );
    assert_eq!(event, parse(r#"{"event_type":"a"}"#));
}

#[test]
fn the_last_of_repeated_keys_wins() {
    let event =
        parse(r#"{"user_id":1,"user_id":"x","realm_ids":["a"],"realm_ids":["b"],"payload":{"a":1},"payload":{}}"#);
    assert_eq!((event.get(Field::UserId), event.numbers.is_empty()), (Some("x"), true));
    assert_eq!((event.realm_ids.as_slice(), event.payload.as_deref()), (["b".into()].as_slice(), Some("{}")));
    assert_eq!(parse(r#"{"user_id":1.5,"user_id":"x"}"#).get(Field::UserId), Some("x"));
    assert_eq!(parse(r#"{"user_id":"x","user_id":null}"#).get(Field::UserId), None);
    assert_eq!(parse(r#"{"realm_ids":["x"],"realm_ids":null}"#).realm_ids.len(), 0);
}

#[test]
fn numbers_keep_their_digits() {
    let event =
        parse(r#"{"user_id":123456789012345678901234567890,"task_id":1.50,"http_status":18446744073709551615}"#);
    assert_eq!(event.get(Field::UserId), Some("123456789012345678901234567890"));
    assert_eq!((event.get(Field::TaskId), event.get(Field::HttpStatus)), (Some("1.50"), Some("18446744073709551615")));
    assert!([Field::UserId, Field::TaskId, Field::HttpStatus].iter().all(|field| event.numbers.contains(*field)));
}

#[test]
fn unknown_keys_go_into_the_payload() {
    let event = parse(r#"{"x":1,"payload":{"a":2},"a":3,"x":{"y":[]},"nul":null}"#);
    assert_eq!(event.payload.as_deref(), Some(r#"{"a":2,"x":{"y":[]},"nul":null}"#));
}

#[test]
fn odd_text_is_content() {
    let event = parse(r#"{"event_type":"\u0000\u0007","message":"\ud83d\ude00 \u202e\"","user_id":"ä"}"#);
    assert_eq!((event.get(Field::EventType), event.message.as_deref()), (Some("\0\u{7}"), Some("😀 \u{202e}\"")));
}

#[test]
fn refusals_name_the_key() {
    for (text, expected) in [
        (r"[]", "an event must be a JSON object"),
        (r"3", "an event must be a JSON object"),
        (r#"{"user_id":true}"#, "user_id must be a string or a number, not a boolean"),
        (r#"{"user_id":[[1]]}"#, "user_id must be a string or a number, not an array"),
        (r#"{"user_id":{"a":{}}}"#, "user_id must be a string or a number, not an object"),
        (r#"{"event_type":5}"#, "event_type must be a string, not a number"),
        (r#"{"event_group":-5}"#, "event_group must be a string, not a number"),
        (r#"{"severity":3}"#, "severity must be a string, not a number"),
        (r#"{"status":1.5}"#, "status must be a string, not a number"),
        (r#"{"resource_type":0}"#, "resource_type must be a string, not a number"),
        (r#"{"message":5}"#, "message must be a string, not a number"),
        (r#"{"summary":[]}"#, "summary must be a string, not an array"),
        (r#"{"notification":"true"}"#, "notification must be true or false, not a string"),
        (r#"{"acknowledged":1}"#, "acknowledged must be true or false, not a number"),
        (r#"{"realm_ids":"r"}"#, "realm_ids must be an array of strings, not a string"),
        (r#"{"realm_ids":{"r":1}}"#, "realm_ids must be an array of strings, not an object"),
        (r#"{"realm_ids":["a",1,2]}"#, "realm_ids must hold strings only, not a number"),
        (r#"{"target_user_ids":[null]}"#, "target_user_ids must hold strings only, not null"),
        (r#"{"payload":[1]}"#, "payload must be a JSON object"),
        (r#"{"payload":"{}"}"#, "payload must be a JSON object"),
        (r#"{"latency_ms":"5"}"#, "latency_ms must be a number, not a string"),
        (r#"{"id":5}"#, "id must be a string (a UUID or 24 hex digits), not a number"),
        (r#"{"id":"xyz"}"#, "id \"xyz\" is neither a UUID nor 24 hex digits"),
        (r#"{"ts":"now"}"#, "ts must be an RFC 3339 time or a number of milliseconds since 1970, not now"),
        (r#"{"ts":99999999999999999999}"#, "ts is no number of milliseconds since 1970"),
        (r#"{"created_at":9999999999999999}"#, "created_at is too large a number of milliseconds"),
        (r#"{"payload":{"a":"\ud800"}}"#, "payload holds a lone surrogate (half of a \\u pair)"),
        (r#"{"odd key":"\ud800"}"#, "\"odd key\" holds a lone surrogate (half of a \\u pair)"),
    ] {
        assert_eq!(refusal(text), expected, "{text}");
    }
    let deep = format!("{{\"payload\":{}1{}}}", "{\"a\":".repeat(64), "}".repeat(64));
    assert_eq!(refusal(&deep), "payload is nested more than 64 levels deep");
    let many: Vec<String> = (0..17).map(|number| format!("\"{number}\"")).collect();
    assert_eq!(refusal(&format!("{{\"realm_ids\":[{}]}}", many.join(","))), "realm_ids has more than 16 values");
}

#[test]
fn broken_json_is_refused_with_the_place() {
    for text in [
        "",
        "{",
        "{\"a\"}",
        "{\"a\":1,}",
        "{\"a\":1} x",
        "nonsense",
        "{\"message\":\"\\ud800\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":tru}",
    ] {
        let message = refusal(text);
        assert!(message.starts_with("the event is not valid JSON: ") && message.contains("byte"), "{text}: {message}");
    }
    let message = parse_event(b"{\"a\":\"\xff\"}").unwrap_err().message;
    assert_eq!(message, "the event is not UTF-8 at byte 7");
    let deep = "[".repeat(100_000);
    assert!(parse_event(format!("{{\"status\":{deep}").as_bytes()).is_err());
    assert!(parse_event(format!("{{\"x\":{deep}").as_bytes()).is_err());
}

#[test]
fn an_event_can_be_read_into_again() {
    let mut event =
        parse(r#"{"event_type":"a","user_id":5,"realm_ids":["r"],"payload":{},"id":"507f1f77bcf86cd799439044"}"#);
    parse_event_into(b"{\"event_type\":\"b\"}", &mut event).unwrap();
    assert_eq!(event, parse(r#"{"event_type":"b"}"#));
    assert_eq!(event.id, None::<EventId>);
}

fn json_like() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("1.5e3".to_owned()),
        Just("\"payload\"".to_owned()),
        Just("\"realm_ids\"".to_owned()),
        Just("\"created_at\"".to_owned()),
        Just("\"ts\"".to_owned()),
        Just("\"user_id\":".to_owned()),
        Just("\"\\ud800\"".to_owned()),
        Just("\"x\":".to_owned()),
        "\"[a-z\\\\u0-9]{0,6}\"",
    ];
    proptest::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_read_without_panic(bytes: Vec<u8>, near in json_like()) {
        for text in [bytes.as_slice(), near.as_bytes(), format!("{{{near}}}").as_bytes()] {
            if let Ok(mut event) = parse_event(text) {
                event.fill_in();
                let again = event.clone();
                event.fill_in();
                prop_assert_eq!(event, again);
            }
        }
    }

    #[test]
    fn what_is_taken_is_json(near in json_like()) {
        let text = format!("{{{near}}}");
        let by_serde = serde_json::from_str::<serde_json::Value>(&text);
        if let Ok(event) = parse_event(text.as_bytes()) {
            prop_assert!(by_serde.is_ok(), "{}", text);
            if let Some(payload) = event.payload {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&payload).unwrap().is_object());
            }
        }
    }
}
