//! A store whose log is damaged, served for reading.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use annals_engine::{AppendOptions, Engine, ErrorKind, Options};
use annals_server::{AppState, ServerConfig, router};
use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use support::{ADMIN, Server};

/// A store with two batches, the second of which is damaged on the device.
fn damaged() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(Options::new(directory.path())).unwrap();
    for name in ["first", "second"] {
        let line = json!({"event_type": name, "message": format!("the {name} batch")}).to_string();
        let parsed = annals_json::parse_ndjson(line.as_bytes(), 1);
        engine.append(parsed.batch, &AppendOptions::default()).unwrap();
    }
    engine.close().unwrap();
    let mut hits = 0;
    for entry in std::fs::read_dir(directory.path().join("log")).unwrap() {
        hits += usize::from(overwrite(&entry.unwrap().path(), b"the second batch", b"the SECOND batch"));
    }
    assert_eq!(hits, 1);
    directory
}

fn overwrite(path: &Path, from: &[u8], to: &[u8]) -> bool {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut start = vec![0; 64 << 10];
    file.read_exact_at(&mut start, 0).unwrap();
    let Some(at) = start.windows(from.len()).position(|bytes| bytes == from) else { return false };
    file.write_all_at(to, at as u64).unwrap();
    true
}

#[tokio::test]
async fn what_is_sound_is_read_and_nothing_is_written() {
    let directory = damaged();
    let mut config = ServerConfig { admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(directory.path()) };
    assert!(AppState::open(&config).is_err(), "damage is not passed over unasked");
    config.degraded = true;
    let state = AppState::open(&config).unwrap().state;
    let server = Server { directory, app: router(state.clone()), state };

    let page = server.get("/annals/v1/events").await.expect(200).json();
    assert_eq!((&page["total"], &page["events"][0]["event_type"]), (&json!(1), &json!("first")), "{page}");
    let ready = server.send(Request::get("/readyz").body(Body::empty()).unwrap()).await.expect(503);
    assert_eq!(ready.json()["error"]["code"], "read_only");
    let id = page["events"][0]["id"].as_str().unwrap();
    for reply in [
        server.ingest(r#"{"event_type":"third"}"#).await,
        server.call(ADMIN, "DELETE", &format!("/annals/v1/events/{id}"), None).await,
        server.call(ADMIN, "POST", &format!("/annals/v1/events/{id}/acknowledge"), None).await,
        server.call(ADMIN, "POST", "/annals/v1/keys", Some(json!({"name": "n", "scopes": ["events:read"]}))).await,
    ] {
        assert_eq!(reply.expect(503).json()["error"]["code"], "read_only");
    }
    let report = server.call(ADMIN, "POST", "/annals/v1/verify", None).await.expect(200).json();
    assert_eq!(report["damages"].as_array().unwrap().len(), 1, "{report}");
    assert!(!report.to_string().contains(server.directory.path().to_str().unwrap()), "{report}");
    server.state.engine().close().unwrap();
}

#[test]
fn without_an_administrator_it_says_what_to_set() {
    let directory = damaged();
    let config = ServerConfig { degraded: true, ..ServerConfig::new(directory.path()) };
    let refused = AppState::open(&config).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("ANNALS_ADMIN_KEY"), "{refused}");
}

/// A store of two segments, the first of which has a damaged chunk in its middle.
fn with_damaged_segment() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(Options { background: false, ..Options::new(directory.path()) }).unwrap();
    let mut state = 1_u64;
    for (name, day) in [("old", "2026-01-01"), ("new", "2026-02-15")] {
        let lines: Vec<String> = (0..300)
            .map(|_| {
                let words = (0..30).map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    format!("{:x}", state >> 8)
                });
                let message: String = words.collect();
                json!({"event_type": name, "created_at": format!("{day}T00:00:00Z"), "message": message}).to_string()
            })
            .collect();
        let parsed = annals_json::parse_ndjson(lines.join("\n").as_bytes(), 1);
        engine.append(parsed.batch, &AppendOptions::default()).unwrap();
        engine.seal_now().unwrap();
    }
    engine.close().unwrap();
    let mut segments: Vec<_> =
        std::fs::read_dir(directory.path().join("segment")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    assert_eq!(segments.len(), 2);
    let file = std::fs::OpenOptions::new().read(true).write(true).open(segments.first().unwrap()).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
    directory
}

#[tokio::test]
async fn a_damaged_segment_is_named_with_every_answer_of_a_degraded_server_and_never_left_out_by_another() {
    const ALL: &str = "/annals/v1/events?limit=1000&from=2025-01-01T00:00:00Z";
    const NEW: &str = "/annals/v1/events?event_type=new&from=2026-02-01T00:00:00Z";
    let directory = with_damaged_segment();
    let config = ServerConfig { admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(directory.path()) };
    let state = AppState::open(&config).unwrap().state;
    let server = Server { directory, app: router(state.clone()), state };
    for _ in 0..2 {
        let refused = server.get(ALL).await.expect(503);
        assert_eq!(refused.json()["error"]["code"], "segment_damaged");
        assert!(refused.headers.get("annals-gap").is_none());
    }
    let sound = server.get(NEW).await.expect(200);
    assert_eq!(sound.json()["total"], 300);
    assert!(sound.json().get("gap").is_none() && sound.headers.get("annals-gap").is_none());
    server.state.engine().close().unwrap();
    let Server { directory, app, state } = server;
    drop((app, state));

    let config = ServerConfig { degraded: true, ..config };
    let state = AppState::open(&config).unwrap().state;
    let server = Server { directory, app: router(state.clone()), state };
    assert_eq!(server.get(ALL).await.expect(503).json()["error"]["code"], "segment_damaged", "the first to meet it");
    let partial = server.get(ALL).await.expect(200);
    assert_eq!(partial.json()["total"], 300);
    assert_eq!(partial.headers["annals-gap"], "1-300");
    let gap = &partial.json()["gap"][0];
    assert_eq!(
        (&gap["first_sequence"], &gap["last_sequence"], &gap["events_max"]),
        (&json!(1), &json!(300), &json!(300))
    );
    assert_eq!(server.get("/annals/v1/stats").await.expect(200).json()["gap"].as_array().unwrap().len(), 1);
    assert_eq!(server.get("/api/v1/events").await.headers["annals-gap"], "1-300", "the other faces too");
    assert_eq!(server.ingest(r#"{"event_type":"third"}"#).await.expect(503).json()["error"]["code"], "read_only");
    let figures = server.get("/annals/v1/store").await.expect(200).json();
    assert_eq!((&figures["gap"][0]["events_max"], &figures["poisoned"]), (&json!(300), &json!(true)), "{figures}");
    assert_eq!(figures["scrub"]["corrupt_blocks"], 0);
    // It takes no writes any more, so it does not say that it ended well.
    assert_eq!(server.state.engine().close().unwrap_err().kind(), ErrorKind::Poisoned);
}
