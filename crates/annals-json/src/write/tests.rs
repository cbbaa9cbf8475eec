use annals_engine::{Batch, EventId};
use proptest::prelude::*;

use super::*;
use crate::{IncomingEvent, parse_event};

fn stored(event: &IncomingEvent<'_>) -> StoredEvent {
    let mut batch = Batch::new();
    batch.push(&event.as_event()).unwrap();
    batch.stored(0, 42).unwrap()
}

fn written(event: &StoredEvent, fields: Option<&Selection>) -> String {
    let mut out = Vec::new();
    write_event(&mut out, event, fields);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_native_form() {
    let event = parse_event(
        br#"{"id":"018c0a1e-7b2c-7def-8000-00000000002a","ts":1700000000000,"event_type":"a.b","http_status":404,
        "user_id":"5","notification":true,"realm_ids":["r1","r\"2"],"target_user_ids":["u"],"message":"m\n\u0001",
        "latency_ms":1.5,"expires_at":1,"payload":{"a":
        "\n"}}"#,
    )
    .unwrap();
    let mut event = stored(&event);
    event.marks.acknowledged = true;
    assert_eq!(
        written(&event, None),
        "{\"id\":\"018c0a1e-7b2c-7def-8000-00000000002a\",\"sequence\":42,\"created_at\":\"2023-11-14T22:13:20.000000Z\",\
         \"event_type\":\"a.b\",\"user_id\":\"5\",\"http_status\":404,\"notification\":true,\
         \"realm_ids\":[\"r1\",\"r\\\"2\"],\"target_user_ids\":[\"u\"],\"message\":\"m\\n\\u0001\",\"latency_ms\":1.5,\
         \"expires_at\":\"1970-01-01T00:00:00.001000Z\",\"acknowledged\":true,\"payload\":{\"a\":         \"\\n\"}}"
    );
    let some = Selection::parse("message, realm_ids,sequence").unwrap();
    assert_eq!(
        written(&event, Some(&some)),
        "{\"sequence\":42,\"realm_ids\":[\"r1\",\"r\\\"2\"],\"message\":\"m\\n\\u0001\"}"
    );
    assert_eq!(written(&event, Some(&Selection::parse("vm_id").unwrap())), "{}");
    assert_eq!(Selection::parse("id,colour").unwrap_err().message, "\"colour\" is not a member of an event");
}

#[test]
fn a_number_that_is_none_is_written_as_text() {
    let mut event = IncomingEvent::default();
    event.set(Field::EventType, "a").set_number(Field::TaskId, "0x5").set(Field::IsPublic, "maybe");
    let shown = written(&stored(&event), Some(&Selection::parse("task_id,is_public").unwrap()));
    assert_eq!(shown, "{\"task_id\":\"0x5\",\"is_public\":\"maybe\"}");
}

fn events() -> impl Strategy<Value = IncomingEvent<'static>> {
    let singles: Vec<Field> = Field::ALL
        .iter()
        .copied()
        .filter(|field| field.values() == Values::Single && field.value_size_max() > 5)
        .collect();
    let keyword = (
        proptest::sample::select(singles),
        prop_oneof![
            (any::<i64>().prop_map(|number| (number.to_string(), true))),
            ("-?[1-9][0-9]{0,30}\\.[0-9]{1,4}".prop_map(|number| (number, true))),
            (".{1,12}".prop_map(|text| (text, false))),
        ],
    );
    let texts = (
        proptest::option::of(".{0,30}"),
        proptest::option::of(any::<String>()),
        proptest::option::of(".{0,9}"),
        proptest::option::of(".{0,9}"),
    );
    let times = proptest::collection::vec(proptest::option::of(0_i64..253_402_300_800_000_000), 3);
    (
        any::<u128>(),
        "[a-z.]{1,20}",
        proptest::collection::vec(keyword, 0..8),
        proptest::collection::hash_set(".{1,8}", 0..5),
        proptest::collection::hash_set(".{1,8}", 0..3),
        texts,
        times,
        proptest::option::of(-1e12_f64..1e12),
        proptest::option::of(proptest::collection::hash_map(".{0,5}", any::<Option<String>>(), 0..4)),
        any::<Option<bool>>(),
    )
        .prop_map(|(id, event_type, keywords, realms, targets, texts, times, latency_ms, payload, flag)| {
            let mut event = IncomingEvent::default();
            (event.id, event.latency_ms) = (Some(EventId::from_u128(id)), latency_ms);
            for (field, (text, is_number)) in keywords {
                let words = [Field::EventGroup, Field::Severity, Field::Status, Field::ResourceType];
                if is_number && !words.contains(&field) {
                    event.set_number(field, text)
                } else {
                    event.set(field, text)
                };
            }
            event.set(Field::EventType, event_type);
            if let Some(flag) = flag {
                event.set(Field::IsGlobal, flag.to_string());
            }
            event.realm_ids = realms.into_iter().map(Into::into).collect();
            event.target_user_ids = targets.into_iter().map(Into::into).collect();
            (event.message, event.content) = (texts.0.map(Into::into), texts.1.map(Into::into));
            (event.error_message, event.user_agent) = (texts.2.map(Into::into), texts.3.map(Into::into));
            event.created_at_us = Some(times[0].unwrap_or(7));
            (event.expires_at_us, event.updated_at_us) = (times[1], times[2]);
            event.payload = payload.map(|map| serde_json::to_string(&map).unwrap().into());
            event
        })
}

proptest! {
    #[test]
    fn an_export_reads_back_as_the_same_event(event in events()) {
        let stored = stored(&event);
        let text = written(&stored, None);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
        let again = parse_event(text.as_bytes()).unwrap();
        prop_assert_eq!(&again, &event, "{}", text);
        let mut batch = Batch::new();
        batch.push(&again.as_event()).unwrap();
        prop_assert_eq!(batch.stored(0, 42).unwrap(), stored);
    }
}
