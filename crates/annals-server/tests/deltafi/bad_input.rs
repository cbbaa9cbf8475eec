//! Every parameter and member wrong in every way its contract names. Nothing of it changes the store.

use super::*;

#[tokio::test]
async fn what_is_wrong_with_a_query_or_an_id_is_said() {
    let server = Server::start();
    post(&server, documented()).await;
    let before = server.extent().await;
    let long = "x".repeat(1025);
    let (source, severity) = (format!("source={long}"), format!("severity={long}"));
    for (query, message) in [
        ("size=-1", "size must be >= 0"),
        ("size=10001", "size must be <= 10000"),
        ("size=99999999999999999999", "size must be <= 10000"),
        ("size=ten", "size must be integer"),
        ("size=1.5", "size must be integer"),
        ("size=", "size must be integer"),
        ("size=%00", "size must be integer"),
        ("size=5&size=x", "size must be integer"),
        ("offset=-1", "offset must be >= 0"),
        ("offset=x", "offset must be integer"),
        ("offset=18446744073709551616", "offset must be <= 18446744073709551615"),
        ("offset=%ff", "offset must be UTF-8"),
        ("id=x", "id must be a UUID"),
        ("id=", "id must be a UUID"),
        ("id=507f1f77bcf86cd799439044", "id must be a UUID"),
        ("id=123e4567e89b12d3a456426614174000", "id must be a UUID"),
        ("start=yesterday", "start must be an RFC 3339 time"),
        ("start=", "start must be an RFC 3339 time"),
        ("start=1701424800", "start must be an RFC 3339 time"),
        ("end=2023-13-01T00:00:00Z", "end must be an RFC 3339 time"),
        ("end=2023-12-01T10:00:00+01:00", "end must be an RFC 3339 time"),
        (&source, "source must not have more than 1024 bytes"),
        (&severity, "severity must not have more than 1024 bytes"),
        ("size=x&offset=x&end=x", "size must be integer; offset must be integer; end must be an RFC 3339 time"),
    ] {
        for path in [EVENTS.to_owned(), format!("{EVENTS}/with-count")] {
            let reply = server.get(&format!("{path}?{query}")).await;
            assert_error(&reply, 400, "Bad Request", message, &path);
        }
    }
    for id in [
        "x",
        "507f1f77bcf86cd799439044",
        "123e4567e89b12d3a456426614174000",
        "1",
        &format!("%7B{ID}%7D"),
        &format!("{ID}0"),
        "a%00b",
        "%20",
    ] {
        let path = format!("{EVENTS}/{id}");
        for (method, path) in [
            ("GET", path.clone()),
            ("DELETE", path.clone()),
            ("PUT", format!("{path}/acknowledge")),
            ("PUT", format!("{path}/unacknowledge")),
        ] {
            let reply = server.call(ADMIN, method, &path, None).await;
            assert_error(&reply, 400, "Bad Request", "id must be a UUID", &path);
        }
    }
    let path = format!("{EVENTS}/%ff");
    assert_error(&server.get(&path).await, 400, "Bad Request", "id must be UTF-8", &path);
    for good in
        ["size=0", "size=10000", "size=x&size=007", "summary=%00", "content=", "notification", "acknowledged=%20"]
    {
        list(&server, &format!("?{good}")).await;
    }
    assert_eq!(server.extent().await, before);
    assert_eq!(list(&server, "").await, json!([documented()]));
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_said_and_nothing_is_stored() {
    const NEEDED: &str = "Event summary and severity are required";
    const TIME: &str = "timestamp must be an RFC 3339 time";
    let server = Server::start();
    let before = server.extent().await;
    let with = |member: &str| format!(r#"{{"severity":"info","summary":"s",{member}}}"#);
    let content = |count| with(&format!(r#""content":"{}""#, "é".repeat(count)));
    let deep = with(&format!(r#""x":{}1{}"#, "[".repeat(64), "]".repeat(64)));
    for (body, message) in [
        (String::new(), NEEDED),
        ("{}".to_owned(), NEEDED),
        (r#"{"severity":"info"}"#.to_owned(), NEEDED),
        (r#"{"summary":"s"}"#.to_owned(), NEEDED),
        (r#"{"severity":null,"summary":"s"}"#.to_owned(), NEEDED),
        (r#"{"severity":"info","summary":null}"#.to_owned(), NEEDED),
        (r#"{"severity":"info","summary":""}"#.to_owned(), NEEDED),
        (r#"{"severity":"info","summary":" \t\n"}"#.to_owned(), NEEDED),
        (r#"{"severity":5,"summary":"s"}"#.to_owned(), "severity must be a string"),
        (r#"{"severity":["info"],"summary":"s"}"#.to_owned(), "severity must be a string"),
        (r#"{"severity":"info","summary":5}"#.to_owned(), "summary must be a string"),
        (r#"{"severity":"info","summary":{}}"#.to_owned(), "summary must be a string"),
        (r#"{"severity":"info","summary":"\udc00"}"#.to_owned(), "summary holds a lone surrogate (half of a \\u pair)"),
        (
            format!(r#"{{"severity":"info","summary":"{}"}}"#, "x".repeat(8193)),
            "summary must not have more than 8192 bytes",
        ),
        (with(r#""content":5"#), "content must be a string"),
        (content(100_001), "Event content must not have more than 100000 characters"),
        (with(r#""source":5"#), "source must be a string"),
        (with(r#""source":[]"#), "source must be a string"),
        (with(&format!(r#""source":"{}""#, "x".repeat(1025))), "source has 1025 bytes, the limit is 1024"),
        (with(r#""id":5"#), "id must be a string"),
        (with(r#""id":"""#), "id must be a UUID"),
        (with(r#""id":"507f1f77bcf86cd799439044""#), "id must be a UUID"),
        (with(r#""id":"123e4567-e89b-12d3-a456-42661417400g""#), "id must be a UUID"),
        (with(r#""timestamp":5"#), "timestamp must be a string"),
        (with(r#""timestamp":"""#), TIME),
        (with(r#""timestamp":"yesterday""#), TIME),
        (with(r#""timestamp":"2023-02-29T00:00:00Z""#), TIME),
        (with(r#""timestamp":"2023-12-01T10:00:00+24:00""#), TIME),
        (with(r#""timestamp":"1969-12-31T23:59:59Z""#), "timestamp must lie in the years 1970 to 9999"),
        (with(r#""timestamp":"9999-12-31T23:59:59Z""#), "created_at lies too far in the future"),
        (with(r#""notification":"true""#), "notification must be true or false"),
        (with(r#""notification":1"#), "notification must be true or false"),
        (with(r#""acknowledged":"yes""#), "acknowledged must be true or false"),
        (with(r#""acknowledged":{}"#), "acknowledged must be true or false"),
        ("[]".to_owned(), "the body must be a JSON object"),
        (format!("[{}]", documented()), "the body must be a JSON object"),
        ("null".to_owned(), "the body must be a JSON object"),
        ("\"s\"".to_owned(), "the body must be a JSON object"),
        ("{".to_owned(), "the body is not JSON: EOF while parsing an object at line 1 column 1"),
        ("severity=info".to_owned(), "the body is not JSON: expected value at line 1 column 1"),
        (format!("{}x", documented()), "the body is not JSON: trailing characters at line 1 column 241"),
        (deep, "the body nests deeper than 64 levels"),
    ] {
        let reply = send(&server, ADMIN, &[], body.clone()).await;
        let shown: String = body.chars().take(80).collect();
        assert_eq!(reply.json()["message"], message, "{shown}");
        assert_error(&reply, 400, "Bad Request", message, EVENTS);
    }
    let reply = send(&server, ADMIN, &[], b"{\"severity\":\"info\",\"summary\":\"\xc3\"}".to_vec()).await;
    assert_error(&reply, 400, "Bad Request", "the body is not UTF-8 at byte 31", EVENTS);
    let reply = send(&server, ADMIN, &[], vec![b' '; (2 << 20) + 1]).await;
    assert_error(&reply, 413, "Payload Too Large", "the body has more than 2097152 bytes", EVENTS);
    let large = "h".repeat(10 << 20);
    let reply = send(&server, ADMIN, &[("x-large", &large)], documented().to_string()).await;
    let message = "the request has more than 64 headers or 16384 bytes of them";
    assert_error(&reply, 431, "Request Header Fields Too Large", message, EVENTS);
    assert_eq!(server.extent().await, before);
}

#[tokio::test]
async fn odd_bodies_that_are_none_the_less_good_are_stored_as_they_are() {
    let server = Server::start();
    let astral = "😀".repeat(100_000);
    let escaped = "\\ud83d\\ude00".repeat(100_000);
    for (content_type, body, content) in [
        ("text/plain", r#"{"severity":"info","summary":"s","content":"a\u0000\u001f\t"}"#.to_owned(), "a\u{0}\u{1f}\t"),
        ("", r#"{"severity":"info","summary":"x","summary":"s","content":""}"#.to_owned(), ""),
        ("application/xml", format!(r#"{{"severity":"info","summary":"s","content":"{astral}"}}"#), &astral),
        ("application/json", format!(r#"{{"severity":"info","summary":"s","content":"{escaped}"}}"#), &astral),
    ] {
        let created = send(&server, ADMIN, &[("content-type", content_type)], body).await.expect(200).json();
        assert_eq!((&created["summary"], created["content"].as_str().unwrap() == content), (&json!("s"), true));
    }
    let summary = "é".repeat(4096);
    let created = post(&server, json!({"severity": "info", "summary": summary, "source": "s".repeat(1024)})).await;
    assert_eq!(created["summary"], summary);
    assert_eq!(server.total().await, 5);
}
