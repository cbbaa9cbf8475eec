//! What a server says in its log of a slow request.

use serde_json::Value;

use crate::support::{Server, expect, expect_given, text};

#[test]
fn a_slow_query_has_its_line_and_its_request_id_as_the_answer_has() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--log-format", "json", "--log-requests", "all", "--log-slow-query", "1ms"];
    let server = Server::start(folder.path(), &flags);
    // Texts are searched one by one in what is not sealed yet: more of them than a millisecond is enough for.
    let line = format!("{{\"event_type\":\"a\",\"content\":\"{}\"}}\n", "y".repeat(2000));
    expect_given(&mut server.command(&["import", "-"]), line.repeat(20_000).as_bytes(), 0);
    let found = expect(&mut server.command(&["stats", "--query", "a-secret-needle", "--output", "json"]), 0);
    let total: Value = serde_json::from_str(text(&found.stdout)).unwrap();
    assert_eq!(total["total"], 0);

    let answered = fields(&server.line_with("/annals/v1/stats"));
    let slow = fields(&server.line_with("slow query"));
    assert_eq!((&answered["message"], &slow["message"]), (&Value::from("answered"), &Value::from("slow query")));
    let request_id = answered["request_id"].as_str().unwrap();
    assert!(request_id.len() == 16 && slow["request_id"] == request_id, "{answered} {slow}");
    assert_eq!((&answered["status"], &answered["method"]), (&Value::from(200), &Value::from("GET")));
    let filters = slow["filters"].as_str().unwrap();
    assert!(filters.contains("q:1") && !slow.to_string().contains("needle"), "{slow}");
    assert!(slow["took_ms"].as_f64().unwrap() >= 1.0, "{slow}");
}

/// A line and its fields, which stand beside each other.
fn fields(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}
