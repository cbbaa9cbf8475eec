//! Verification over HTTP.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde_json::{Value, json};
use support::{ADMIN, Reply, Server};

const PATH: &str = "/annals/v1/verify";

async fn verify(server: &Server, key: &str) -> Reply {
    server.call(key, "POST", PATH, None).await
}

async fn filled() -> Server {
    let server = Server::start();
    let events: Vec<Value> = (0..500).map(|number| json!({"event_type": "a", "message": number.to_string()})).collect();
    server.store(&events).await;
    server
}

/// Turns one bit in the middle of a file.
fn damage(path: &Path) {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
}

#[tokio::test]
async fn a_sound_store_is_counted() {
    let server = filled().await;
    for seal in [false, true] {
        if seal {
            server.state.engine().seal_now().unwrap();
        }
        let report = verify(&server, ADMIN).await.expect(200).json();
        assert_eq!(report["events"], 500);
        assert_eq!(report["damages"], json!([]));
        assert!(report["files"].as_u64().unwrap() >= 2 && report["bytes"].as_u64().unwrap() > 500, "{report}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_named_without_where_the_store_lies() {
    let server = filled().await;
    server.state.engine().seal_now().unwrap();
    let folder = std::fs::read_dir(server.directory.path().join("segment")).unwrap();
    for entry in folder {
        damage(&entry.unwrap().path());
    }
    let reply = verify(&server, ADMIN).await.expect(200);
    let report = reply.json();
    let damages = report["damages"].as_array().unwrap();
    assert_eq!((damages.len(), &report["events"]), (1, &json!(0)), "{report}");
    assert!(damages.iter().all(|damage| damage.as_str().unwrap().starts_with("segment/")), "{report}");
    assert!(!report.to_string().contains(server.directory.path().to_str().unwrap()), "{report}");
}

#[tokio::test]
async fn it_takes_the_administrator_and_no_parameters() {
    let server = filled().await;
    let other = server.key_for(&["events:read", "events:delete", "events:retention"], &[]).await;
    verify(&server, &other).await.expect(403);
    server.call(ADMIN, "GET", PATH, None).await.expect(405);
    server.call(ADMIN, "POST", "/annals/v1/verify?deep=true", None).await.expect(400);
}
