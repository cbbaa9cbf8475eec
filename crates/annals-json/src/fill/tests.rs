use super::*;
use crate::parse_event;

fn filled(text: &str) -> IncomingEvent<'_> {
    let mut event = parse_event(text.as_bytes()).unwrap();
    event.fill_in();
    event
}

/// (event, field, expected)
const CASES: &[(&str, Field, Option<&str>)] = &[
    (r#"{"event_type":"user.login.ok"}"#, Field::EventGroup, Some("user")),
    (r#"{"event_type":"USER_LOGIN"}"#, Field::EventGroup, Some("user")),
    (r#"{"event_type":"ACCESS"}"#, Field::EventGroup, Some("access")),
    (r#"{"event_type":"\u00c4b.c"}"#, Field::EventGroup, Some("äb")),
    (r#"{"event_type":"_x"}"#, Field::EventGroup, Some("_x")),
    (r#"{"event_type":".X"}"#, Field::EventGroup, Some(".x")),
    (r#"{"event_type":"a.b","event_group":"G"}"#, Field::EventGroup, Some("G")),
    (r"{}", Field::EventGroup, None),
    (r#"{"event_type":"a"}"#, Field::Severity, Some("info")),
    (r#"{"event_type":"FAIL"}"#, Field::Severity, Some("error")),
    (r#"{"event_type":"FAIL"}"#, Field::Status, Some("failure")),
    (r#"{"event_type":"a","status":"DENIED"}"#, Field::Severity, Some("error")),
    (r#"{"event_type":"a","status":"Fail"}"#, Field::Severity, Some("error")),
    (r#"{"event_type":"a","status":"failing"}"#, Field::Severity, Some("info")),
    (r#"{"event_type":"a","status":"DENIED"}"#, Field::Status, Some("DENIED")),
    (r#"{"event_type":"a","status":"DENIED","severity":"info"}"#, Field::Severity, Some("info")),
    (r#"{"event_type":"a"}"#, Field::Status, Some("success")),
    (r#"{"event_type":"a","severity":"red"}"#, Field::Status, Some("failure")),
    (r#"{"event_type":"a","severity":"warn"}"#, Field::Status, Some("success")),
    (r#"{"event_type":"a"}"#, Field::ResourceType, Some("system")),
    (r#"{"event_type":"a","resource_type":"vm"}"#, Field::ResourceType, Some("vm")),
    (r#"{"event_type":"a","resource_type":"container","resource_id":"c1"}"#, Field::ContainerId, Some("c1")),
    (r#"{"event_type":"a","resource_type":"vm","resource_id":"c1"}"#, Field::ContainerId, None),
    (
        r#"{"resource_type":"container","resource_id":"c1","payload":{"container":{"id":"c2"}}}"#,
        Field::ContainerId,
        Some("c1"),
    ),
    (r#"{"payload":{"container":{"id":"c2"}}}"#, Field::ContainerId, Some("c2")),
    (r#"{"container_id":"c3","payload":{"container":{"id":"c2"}}}"#, Field::ContainerId, Some("c3")),
    (r#"{"payload":{"container":{"project_id":"p1"},"project":{"id":"p2"}}}"#, Field::ProjectId, Some("p1")),
    (r#"{"payload":{"project":{"id":"p2","name":"x"},"project_uuid":"p3"}}"#, Field::ProjectId, Some("p2")),
    (r#"{"payload":{"project":5,"project_uuid":"p3"}}"#, Field::ProjectId, Some("p3")),
    (r#"{"payload":{"project":[],"container":null}}"#, Field::ProjectId, None),
    (r#"{"payload":{"project":{"id":7}}}"#, Field::ProjectId, Some("7")),
    (r#"{"payload":{"project":{"id":""}}}"#, Field::ProjectId, None),
    (r#"{"payload":{"\u0070roject":{"id":"p"}}}"#, Field::ProjectId, Some("p")),
    (r#"{"project_id":"p","payload":{"project":{"id":"p2"}}}"#, Field::ProjectId, Some("p")),
    (r#"{"payload":{"customer_uuid":"o"}}"#, Field::OrgId, Some("o")),
    (r#"{"customer_uuid":"o"}"#, Field::OrgId, Some("o")),
    (r#"{"org_id":"own","payload":{"customer_uuid":"o"}}"#, Field::OrgId, Some("own")),
    (r#"{"payload":{"nested":{"user_uuid":"u"}}}"#, Field::UserId, None),
    (r#"{"payload":{"user_uuid":"u"}}"#, Field::UserId, Some("u")),
    (r#"{"payload":{"affected_user_uuid":"u"}}"#, Field::AffectedUserUuid, Some("u")),
    (r#"{"payload":{"pat_uuid":"t"}}"#, Field::PatUuid, Some("t")),
    (r#"{"payload":{"auth_method":"token"}}"#, Field::AuthMethod, Some("token")),
    (r#"{"notification":true}"#, Field::EventType, Some("notification.created")),
    (r#"{"notification":true}"#, Field::ResourceType, Some("notification")),
    (r#"{"notification":true}"#, Field::NotificationType, Some("ANNOUNCEMENT")),
    (r#"{"notification":false,"event_type":"a"}"#, Field::NotificationType, None),
];

#[test]
fn fields_are_filled_by_the_rules() {
    for (text, field, expected) in CASES {
        assert_eq!(filled(text).get(*field), *expected, "{text} {field}");
    }
    assert!(filled(r#"{"payload":{"project":{"id":7}}}"#).numbers.contains(Field::ProjectId));
}

#[test]
fn severities_map_as_documented_and_the_word_is_kept() {
    for (word, severity) in [
        ("failure", "error"),
        ("red", "error"),
        ("ERROR", "error"),
        ("warning", "warn"),
        ("Yellow", "warn"),
        ("successful", "success"),
        ("green", "success"),
        ("critical", "info"),
        ("INFO", "info"),
    ] {
        let text = format!("{{\"severity\":\"{word}\",\"payload\":{{\"a\":1}}}}");
        let event = filled(&text);
        assert_eq!(event.get(Field::Severity), Some(severity));
        assert_eq!(event.payload.as_deref(), Some(format!("{{\"a\":1,\"severity\":\"{word}\"}}").as_str()));
    }
    assert_eq!(filled(r#"{"severity":"warn"}"#).payload, None);
    assert_eq!(filled(r#"{"severity":"red","payload":{"severity":0}}"#).payload.as_deref(), Some(r#"{"severity":0}"#));
    let mut number = IncomingEvent::default();
    number.set_number(Field::Severity, "3").fill_in();
    assert_eq!((number.get(Field::Severity), number.payload.as_deref()), (Some("info"), Some(r#"{"severity":3}"#)));
    assert!(number.numbers.is_empty());
}

#[test]
fn a_message_names_what_was_given() {
    for (text, expected) in [
        (r#"{"event_type":"a"}"#, Some("a")),
        (r#"{"event_type":"a","resource_type":"vm","resource_id":"7"}"#, Some("a vm 7")),
        (r#"{"event_type":"a","resource_id":7}"#, Some("a 7")),
        (r#"{"event_type":"a","message":"m"}"#, Some("m")),
        (r#"{"event_type":"a","message":""}"#, Some("")),
        (r#"{"notification":true}"#, Some("notification.created")),
        (r"{}", None),
    ] {
        assert_eq!(filled(text).message.as_deref(), expected, "{text}");
    }
}

#[test]
fn an_id_too_long_for_its_field_is_left_in_the_payload() {
    let text = format!("{{\"payload\":{{\"user_uuid\":\"{}\"}}}}", "u".repeat(1025));
    assert_eq!(filled(&text).get(Field::UserId), None);
}
