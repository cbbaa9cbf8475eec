//! Backups over HTTP.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use annals_engine::{Engine, Options, OsStorage, RestoreOptions, Storage, restore};
use annals_server::{AppState, ServerConfig, router};
use serde_json::{Value, json};
use support::{ADMIN, Reply, Server};

const PATH: &str = "/annals/v1/admin/backup";

/// A server that keeps backups in a folder of their own.
fn start(backups: Option<&Path>) -> Server {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path());
    options.log_size_bytes = 4 << 20;
    let mut config = ServerConfig::new(directory.path());
    config.admin_key = Some(ADMIN.to_owned());
    config.backup_directory = backups.map(Path::to_owned);
    let setup = AppState::with_engine(Engine::open(options).unwrap(), &config).unwrap();
    Server { directory, app: router(setup.state.clone()), state: setup.state }
}

async fn fill(server: &Server, count: usize) {
    let events: Vec<Value> =
        (0..count).map(|number| json!({"event_type": "a", "message": number.to_string()})).collect();
    server.store(&events).await;
}

async fn backup(server: &Server, body: Value) -> Reply {
    server.call(ADMIN, "POST", PATH, Some(body)).await
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn a_backup_holds_the_store_its_keys_and_what_was_done_to_it() {
    let backups = tempfile::tempdir().unwrap();
    let server = start(Some(backups.path()));
    fill(&server, 300).await;
    server.state.engine().seal_now().unwrap();
    let (key, _) = server.key(json!({"name": "reader", "scopes": ["events:read"]})).await;
    fill(&server, 50).await;
    for (name, copy) in [("linked", false), ("copied", true)] {
        let made = backup(&server, json!({"name": name, "copy": copy, "verify": true})).await.expect(200).json();
        assert_eq!((&made["name"], &made["events"], &made["last_sequence"]), (&json!(name), &json!(350), &json!(350)));
        assert_eq!((&made["verified"], &made["damages"]), (&json!(true), &json!([])));
        assert_eq!(made["files_linked"] == 0, copy, "{made}");
        assert!(made["files_copied"].as_u64().unwrap() >= 2 && made["seconds"].as_f64().unwrap() > 0.0, "{made}");
    }
    fill(&server, 10).await;
    let audit = server.get("/annals/v1/audit?event_type=store.backed_up").await.expect(200).json();
    assert_eq!(audit["total"], 2);
    assert_eq!(audit["events"][0]["resource_id"], "copied");

    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("restored");
    let storage: Arc<dyn Storage> = Arc::new(OsStorage::new());
    restore(&storage, &backups.path().join("linked"), &into, &RestoreOptions::default(), &mut |_, _| ()).unwrap();
    let mut options = Options::new(&into);
    options.log_size_bytes = 4 << 20;
    let config = ServerConfig { admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(&into) };
    let setup = AppState::with_engine(Engine::open(options).unwrap(), &config).unwrap();
    let restored = Server { directory: folder, app: router(setup.state.clone()), state: setup.state };
    assert_eq!(restored.total().await, 350);
    let seen = restored.call(&key, "GET", "/annals/v1/stats", None).await.expect(200).json();
    assert_eq!(seen["total"], 350, "the keys are those of the store");
    let audit = restored.get("/annals/v1/audit?event_type=key.created").await.expect(200).json();
    assert_eq!(audit["total"], 1);
}

#[tokio::test]
async fn a_name_is_new_and_only_a_name() {
    let backups = tempfile::tempdir().unwrap();
    let server = start(Some(backups.path()));
    fill(&server, 3).await;
    for bad in [json!("../x"), json!(".x"), json!(""), json!("a/b"), json!("/tmp/x"), json!("x".repeat(65)), json!(1)] {
        let refused = backup(&server, json!({"name": bad})).await.expect(400).json();
        assert_eq!(refused["error"]["code"], "invalid_parameter", "{bad}");
    }
    backup(&server, json!({})).await.expect(400);
    backup(&server, json!({"name": "a", "path": "/tmp"})).await.expect(400);
    backup(&server, json!({"name": "a", "copy": "yes"})).await.expect(400);
    backup(&server, json!([1])).await.expect(400);
    server.call(ADMIN, "POST", &format!("{PATH}?name=a"), Some(json!({"name": "a"}))).await.expect(400);
    assert_eq!(entries(backups.path()), 0);
    backup(&server, json!({"name": "x".repeat(64)})).await.expect(200);
    backup(&server, json!({"name": "a"})).await.expect(200);
    let before = std::fs::read(backups.path().join("a/BACKUP")).unwrap();
    let again = backup(&server, json!({"name": "a"})).await.expect(409).json();
    assert_eq!(again["error"]["code"], "backup_exists");
    std::fs::write(backups.path().join("file"), b"x").unwrap();
    backup(&server, json!({"name": "file"})).await.expect(409);
    assert_eq!(std::fs::read(backups.path().join("a/BACKUP")).unwrap(), before);
}

#[tokio::test]
async fn without_a_folder_for_backups_there_are_none() {
    let server = start(None);
    let refused = backup(&server, json!({"name": "a"})).await.expect(503);
    assert_eq!(refused.json()["error"]["code"], "no_backup_folder");
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("--backup-dir"));
    assert_eq!(refused.header("retry-after"), "", "it does not pass by itself");
}

#[tokio::test]
async fn it_takes_an_administrator_of_the_whole_store() {
    let backups = tempfile::tempdir().unwrap();
    let server = start(Some(backups.path()));
    let scopes = ["events:read", "events:create", "events:delete", "events:retention", "audit:read"];
    let other = server.key_for(&scopes, &[]).await;
    let limited = server.key_for(&["admin"], &["r"]).await;
    for key in [&other, &limited] {
        server.call(key, "POST", PATH, Some(json!({"name": "a"}))).await.expect(403);
    }
    server.call("no-key-of-anybody", "POST", PATH, Some(json!({"name": "a"}))).await.expect(401);
    server.call(ADMIN, "GET", PATH, None).await.expect(405);
    assert_eq!(entries(backups.path()), 0);
}

#[tokio::test]
async fn damage_is_named_without_where_the_store_lies_and_leaves_nothing() {
    let backups = tempfile::tempdir().unwrap();
    let server = start(Some(backups.path()));
    fill(&server, 500).await;
    server.state.engine().seal_now().unwrap();
    let segment = std::fs::read_dir(server.directory.path().join("segment")).unwrap().next().unwrap().unwrap().path();
    let byte = std::fs::read(&segment).unwrap()[4200] ^ 1;
    // In place: the server has it mapped.
    std::fs::OpenOptions::new().write(true).open(&segment).unwrap().write_all_at(&[byte], 4200).unwrap();
    let refused = backup(&server, json!({"name": "a", "copy": true})).await.expect(503).json();
    assert_eq!(refused["error"]["code"], "segment_damaged");
    assert_eq!(entries(backups.path()), 0, "what was written is removed");
    for (name, asked) in [("b", json!({"copy": true, "with_damage": true})), ("c", json!({"verify": true}))] {
        let mut asked = asked;
        asked["name"] = json!(name);
        let made = backup(&server, asked).await.expect(200).json();
        assert_eq!(made["damages"].as_array().unwrap().len(), 1, "{made}");
        for folder in [server.directory.path(), backups.path()] {
            assert!(!made.to_string().contains(folder.to_str().unwrap()), "{made}");
        }
    }
}
