//! Writes the seeds: `cargo run --manifest-path fuzz/Cargo.toml --example seeds -- fuzz/corpus`. Other files are kept.

use std::error::Error;
use std::path::PathBuf;

/// Seeds of the targets that read text, by hand.
const TEXTS: &[(&str, &str, &str)] = &[
    ("json_event", "small", r#"{"event_type":"user.login","ts":1700000000000}"#),
    (
        "json_event",
        "full",
        r#"{"id":"507f1f77bcf86cd799439044","created_at":"2023-11-14T22:13:20.5+01:00","event_type":"FAIL_x","severity":"WARN","status":"failed","realm_ids":["eu","us"],"http_status":404,"latency_ms":1.5e3,"notification":true,"target_user_ids":["a"],"message":"Gr\u00f6\u00dfe \ud83d\ude00","payload":{"user_uuid":"u","container":{"id":"c","project_id":"p"}},"extra":[1,null,{"a":-0.0}]}"#,
    ),
    (
        "json_event",
        "absent",
        r#"{"event_type":"a","user_id":null,"org_id":"","summary":"s","@timestamp":"2024-02-29"}"#,
    ),
    ("json_body", "lines", "\u{feff}{\"event_type\":\"a\"}\r\n\n{\"event_type\":5}\nnonsense\n{\"event_type\":\"b\"}"),
    ("json_body", "array", r#"[{"event_type":"a"},{"event_type":"b","payload":{}},{}]"#),
    ("json_time", "micros", "2023-11-14T22:13:20.123456Z"),
    ("json_time", "offset", "2023-12-31 23:59:60-23:59"),
    ("json_time", "date", "0000-02-29"),
    ("json_time", "millis", "1.7e12"),
    ("cursor", "text", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ("cursor", "position", "0123456789abcdefuser.login"),
    (
        "request",
        "ingest",
        "POST /annals/v1/events?partial=true\nkey\nidempotency-key: a\n\n{\"event_type\":\"user.login\",\"user_id\":\"ada\"}\n{}\n",
    ),
    (
        "request",
        "list",
        "GET /annals/v1/events?event_type=user.login,a&from=2024-01-01T00:00:00Z&q=caf%C3%A9&order=created_at:asc&limit=3&cursor=AQAA\nkey\n\n",
    ),
    ("request", "delete", "DELETE /annals/v1/events?user_id=ada&dry_run=true\nkey\n\n"),
    ("request", "stats", "GET /annals/v1/stats?by=event_type,user_id&top=5\nkey\n\n"),
    (
        "request",
        "hoody",
        "GET /api/v1/events?page=2&limit=50&sort_by=created_at&sort_order=desc&realm_ids=a&realm_ids=b\nkey\n\n",
    ),
    (
        "request",
        "cleanup",
        "POST /api/v1/events/cleanup\nkey\ncontent-type: application/json\n\n{\"retention_days\":365}",
    ),
    (
        "request",
        "deltafi",
        "POST /api/v2/events\nkey\ncontent-type: application/json\n\n{\"summary\":\"s\",\"severity\":\"warn\",\"notification\":true}",
    ),
    (
        "request",
        "deltafi-list",
        "GET /api/v2/events/with-count?offset=1&size=2&severity=warn,error&start=2024-01-01T00:00:00Z\nkey\n\n",
    ),
    ("request", "audit", "GET /v1/audit/events?limit=10&cursor=x&action=a&from=1700000000000\nkey\n\n"),
    (
        "request",
        "token",
        "POST /v1/auth/token\ncontent-type: application/x-www-form-urlencoded\n\ngrant_type=password&username=a&password=b",
    ),
    ("request", "basic", "GET /v1/audit/catalog\nauthorization: Basic YTpi\n\n"),
    (
        "request",
        "waldur",
        "GET /api/events/?page=1&page_size=10&o=-created&feature=users&created_from=1700000000\nkey\n\n",
    ),
    ("request", "orgs", "GET /orgs/o/containers/c/events?page=1&per_page=5\nkey\n\n"),
    (
        "request",
        "key",
        "POST /annals/v1/keys\nkey\ncontent-type: application/json\n\n{\"name\":\"n\",\"scopes\":[\"events:read\"],\"realm_ids\":[\"r\"]}",
    ),
    (
        "request",
        "policies",
        "PUT /annals/v1/retention\nkey\ncontent-type: application/json\n\n{\"policies\":[{\"realm_id\":\"r\",\"event_type\":\"a\",\"days\":30}]}",
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("name the folder of the corpora")?);
    let texts = TEXTS.iter().map(|(target, name, text)| (*target, (*name).to_owned(), text.as_bytes().to_vec()));
    let made = annals_engine::fuzzing::seeds().into_iter().map(|seed| (seed.target, seed.name, seed.bytes));
    for (target, name, bytes) in made.chain(texts) {
        let folder = folder.join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("seed-{name}")), bytes)?;
    }
    Ok(())
}
