//! A store whose log is damaged, served for reading.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use annals_engine::{AppendOptions, Engine, Options};
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
