use super::*;

fn numbers(body: &[u8]) -> Vec<(u64, &[u8])> {
    lines(body).map(|line| (line.number, line.bytes)).collect()
}

#[test]
fn blank_lines_count_and_are_skipped() {
    assert_eq!(numbers(b"\xef\xbb\xbfa\r\n\n  \nb \n\t\r\nc"), [(1, b"a".as_slice()), (4, b"b"), (6, b"c")]);
    assert!(numbers(b"").is_empty() && numbers(b"\n\n").is_empty());
}

#[test]
fn threads_change_nothing() {
    let mut body = Vec::new();
    for number in 0..20_000 {
        let line = match number % 1000 {
            7 => "not json\n".to_owned(),
            8 => "\n".to_owned(),
            _ => format!("{{\"event_type\":\"t\",\"task_id\":{number}}}\n"),
        };
        body.extend_from_slice(line.as_bytes());
    }
    let one = parse_ndjson(&body, 1);
    assert_eq!((one.batch.len(), one.rejected, one.lines), (19_960, 20, 19_980));
    assert_eq!(one.errors.iter().map(|error| error.line).take(2).collect::<Vec<_>>(), [8, 1008]);
    for threads in [2, 3, 8, 1000] {
        let many = parse_ndjson(&body, threads);
        assert_eq!((many.rejected, many.lines, &many.errors), (one.rejected, one.lines, &one.errors));
        for position in [0, 5000, 10_000, 19_959] {
            assert_eq!(many.batch.stored(position, 1), one.batch.stored(position, 1));
        }
        assert_eq!((many.batch.len(), many.batch.size_bytes()), (one.batch.len(), one.batch.size_bytes()));
    }
}

#[test]
fn a_hook_sees_the_filled_event_and_may_refuse_it() {
    let hook = |event: &mut IncomingEvent<'_>, line: Line<'_>| {
        assert_eq!(event.get(annals_engine::Field::Severity), Some("info"));
        event.set(annals_engine::Field::OrgId, format!("line {}", line.number));
        if line.number == 2 { Err(EventError::new("not yours")) } else { Ok(()) }
    };
    let parsed = parse_ndjson_with(b"{\"event_type\":\"a\"}\n{\"event_type\":\"b\"}\n{\"event_type\":\"c\"}", 1, &hook);
    assert_eq!(parsed.errors, [LineError { line: 2, message: "not yours".to_owned() }]);
    assert_eq!(parsed.batch.stored(1, 1).unwrap().get(annals_engine::Field::OrgId), Some("line 3"));
}

#[test]
fn errors_are_counted_beyond_those_kept() {
    let parsed = parse_ndjson(&b"x\n".repeat(250), 1);
    assert_eq!((parsed.errors.len(), parsed.rejected, parsed.lines), (ERRORS_KEPT_MAX, 250, 250));
}

#[test]
fn limits_are_errors_of_their_line() {
    let long = format!("{{\"event_type\":\"{}\"}}\n{{\"event_type\":\"a\",\"realm_ids\":[]}}\n{{}}\n", "x".repeat(201));
    let parsed = parse_ndjson(long.as_bytes(), 1);
    let messages: Vec<&str> = parsed.errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(
        messages,
        ["event_type has 201 bytes, the limit is 200", "event_type is required and must not be empty"]
    );
    let huge = format!("{{\"event_type\":\"a\",\"content\":\"{}\"}}", "x".repeat(LINE_SIZE_MAX));
    assert_eq!(parse_ndjson(huge.as_bytes(), 1).errors[0].message, "the line is longer than 7340032 bytes");
}

#[test]
fn more_than_a_batch_holds_is_too_large() {
    let body = b"{\"event_type\":\"a\"}\n".repeat(BATCH_EVENTS_MAX + 1);
    for threads in [1, 3] {
        let parsed = parse_ndjson(&body, threads);
        assert!(parsed.too_large && parsed.rejected == 0);
    }
    let array = format!("[{}{{\"event_type\":\"a\"}}]", "{\"event_type\":\"a\"},".repeat(BATCH_EVENTS_MAX));
    assert!(parse_json(array.as_bytes()).too_large);
}

#[test]
fn arrays_and_single_objects() {
    let parsed = parse_json(b" [ {\"event_type\":\"a\"}, 5,\n{\"event_type\":\"b\"} ] ");
    assert_eq!((parsed.batch.len(), parsed.rejected, parsed.errors[0].line), (2, 1, 2));
    assert_eq!(parse_json(b"[]").lines, 0);
    let parsed = parse_json(b"{\n  \"event_type\": \"a\"\n}\n");
    assert_eq!((parsed.batch.len(), parsed.rejected), (1, 0));
    for broken in
        [b"".as_slice(), b"[", b"[{\"event_type\":\"a\"}", b"[{\"event_type\":\"a\"}] x", b"[\xff]", b"nonsense"]
    {
        assert!(parse_json(broken).rejected > 0, "{}", broken.escape_ascii());
    }
}
