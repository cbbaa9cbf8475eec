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
