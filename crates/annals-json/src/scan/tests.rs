use proptest::prelude::*;

use crate::incoming::IncomingEvent;
use crate::parse::{parse_event_into, read_alone, read_by_serde};

/// Events as they come, each with something of its own.
const USUAL: [&str; 6] = [
    r#"{"created_at":1736937005123,"event_type":"container.running","resource_type":"container","resource_id":"507f1f77bcf86cd799439011","severity":"info","status":"success","message":"five words of a message","realm_ids":["507f1f77bcf86cd799439022","eu"],"payload":{"container":{"id":"507f","cpu":1.5e2,"tags":["a",{}]},"n":-12,"ok":true,"none":null}}"#,
    r#"{ "id" : "507f1f77-bcf8-6cd7-9943-9011507f1f77", "event_type" : "user.login", "user_id" : 5, "latency_ms" : 12.25, "payload" : { "a" : [ 1 , 2 ] , "b" : { } } }"#,
    r#"{"ts":"2023-11-14T22:13:20Z","event_type":"a_b","summary":"with \"quotes\" and \\ and \u00e9","payload":{"path":"C:\\Windows"},"extra":[1,[2,{"x":"y"}]]}"#,
    r#"{"event_type":"user.login","acknowledged":true,"notification":false,"target_user_ids":["u","u",""],"sequence":7,"expires_at":1736937005123,"http_status":404}"#,
    "{\"event_type\":\"caf\u{e9}.\u{1f600}\",\"message\":\"\u{e9}\",\"payload\":{\"user_uuid\":\"\u{e9}\",\"auth_method\":3}}",
    "{}",
];

/// Pieces that change what surrounds them.
const PIECES: [&str; 28] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "0",
    "-",
    "-0",
    "01",
    ".5",
    "1e400",
    "\t",
    "\n",
    " ",
    "null",
    "true",
    "\\u00",
    "\\ud83d",
    "\\ud83d\\ude00",
    "\u{1}",
    "\u{7f}",
    "\u{e9}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "99999999999999999999",
    "\"payload\":{\"container\":1},",
];

fn agree(text: &str) {
    let mut by_serde = IncomingEvent::default();
    let expected = read_by_serde(text, &mut by_serde).map(|()| by_serde);
    // Into an event that held something before.
    let mut event = IncomingEvent::default();
    assert!(parse_event_into(USUAL[0].as_bytes(), &mut event).is_ok());
    let outcome = parse_event_into(text.as_bytes(), &mut event).map(|()| event);
    assert_eq!(outcome, expected, "{text}");
    let filled = |event: Result<IncomingEvent<'_>, crate::EventError>| {
        let mut event = event.ok()?;
        event.fill_in();
        Some(format!("{:?}", event.as_event()))
    };
    assert_eq!(filled(outcome), filled(expected), "{text}");
}

proptest! {
    #[test]
    fn both_ways_read_the_same(
        usual in prop::sample::select(USUAL.to_vec()),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..4_usize, prop::sample::select(PIECES.to_vec())), 0..4,
        ),
    ) {
        let mut chars: Vec<char> = usual.chars().collect();
        for (place, removed, piece) in changes {
            let start = place.index(chars.len() + 1);
            let end = (start + removed).min(chars.len());
            chars.splice(start..end, piece.chars());
        }
        agree(&chars.into_iter().collect::<String>());
    }

    #[test]
    fn numbers_are_read_the_same(number in "-?[0-9]{1,21}(\\.[0-9]{1,21})?([eE][+-]?[0-9]{1,3})?") {
        for name in ["user_id", "latency_ms", "created_at", "expires_at", "ts", "extra", "event_type", "sequence"] {
            agree(&format!("{{\"{name}\":{number}}}"));
            agree(&format!("{{\"event_type\":\"a\",\"payload\":{{\"{name}\":[{number}]}}}}"));
        }
    }
}

#[test]
fn usual_events_are_read_in_one_pass() {
    for text in USUAL {
        assert!(read_alone(text, &mut IncomingEvent::default()).is_some(), "{text}");
    }
}

#[test]
fn depth_is_the_same_either_way() {
    for levels in 55..70_usize {
        let nested = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        agree(&format!("{{\"payload\":{{\"a\":{nested}}}}}"));
        agree(&format!("{{\"extra\":{nested},\"sequence\":{nested}}}"));
    }
}

#[test]
fn a_payload_that_was_looked_into_is_looked_into_again_once_it_is_another_one() {
    let mut event = IncomingEvent::default();
    parse_event_into(br#"{"event_type":"a","payload":{"x":1}}"#, &mut event).unwrap();
    event.payload = Some(r#"{"user_uuid":"u"}"#.into());
    event.fill_in();
    assert_eq!(event.get(annals_engine::Field::UserId), Some("u"));
}
