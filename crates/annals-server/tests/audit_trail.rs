//! The internal store: what was done, by whom, and that it is nowhere else.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::net::SocketAddr;

use annals_engine::{Engine, Options};
use annals_server::{AppState, Limits, ServerConfig, router};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::{Value, json};
use support::{ADMIN, Server};

const AUDIT: &str = "/annals/v1/audit";

/// What was written down, oldest first.
async fn trail(server: &Server) -> Vec<Value> {
    let page = server.get(&format!("{AUDIT}?sort=created_at&limit=1000")).await.expect(200).json();
    page["events"].as_array().unwrap().clone()
}

fn types(trail: &[Value]) -> Vec<&str> {
    trail.iter().map(|event| event["event_type"].as_str().unwrap()).collect()
}

fn open(directory: tempfile::TempDir, config: &ServerConfig) -> Server {
    let state = AppState::open(config).unwrap().state;
    Server { app: router(state.clone()), state, directory }
}

fn config(directory: &tempfile::TempDir) -> ServerConfig {
    ServerConfig { admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(directory.path()) }
}

#[tokio::test]
async fn every_administrative_call_is_written_down_with_who_what_and_how_many() {
    let server = Server::start();
    let event = |name: &str| json!({"event_type": name, "created_at": "2025-01-01T00:00:00Z"});
    server.store(&[event("a"), event("a"), event("b"), event("c"), event("d")]).await;
    let scopes = json!(["events:read", "events:delete", "events:retention"]);
    let (key, id) = server.key(json!({"name": "cleaner", "scopes": scopes, "user_id": "ada"})).await;
    let request = Request::delete("/annals/v1/events?event_type=a")
        .header("authorization", &key)
        .header("x-request-id", "r-1")
        .extension(ConnectInfo("192.0.2.1:1".parse::<SocketAddr>().unwrap()));
    server.send(request.body(Body::empty()).unwrap()).await.expect(200);
    server.call(&key, "DELETE", "/annals/v1/events?event_type=b&dry_run=true", None).await.expect(200);
    let body = Some(json!({"event_type": "b"}));
    server.call(&key, "DELETE", "/api/v1/events", body).await.expect(200);
    let single = server.get("/annals/v1/events?event_type=c").await.json()["events"][0]["id"].clone();
    let path = format!("/annals/v1/events/{}", single.as_str().unwrap());
    server.call(&key, "DELETE", &path, None).await.expect(200);
    server.call(&key, "DELETE", &path, None).await.expect(404);
    let body = Some(json!({"retention_days": 1}));
    server.call(&key, "POST", "/api/v1/events/cleanup", body).await.expect(200);
    server.call(ADMIN, "POST", "/annals/v1/verify", None).await.expect(200);
    let user = json!({"username": "bob", "password": "correct horse", "scopes": ["admin"]});
    server.call(ADMIN, "POST", "/annals/v1/users", Some(user)).await.expect(200);
    server.call(ADMIN, "DELETE", "/annals/v1/users/bob", None).await.expect(200);
    server.call(ADMIN, "DELETE", &format!("/annals/v1/keys/{id}"), None).await.expect(200);

    let trail = trail(&server).await;
    let expected = [
        "key.created",
        "events.deleted",
        "events.deleted",
        "event.deleted",
        "events.cleaned_up",
        "store.verified",
        "user.created",
        "user.removed",
        "key.revoked",
    ];
    assert_eq!(types(&trail), expected);
    let deleted = &trail[1];
    for (field, value) in [
        ("user_id", "ada"),
        ("actor_type", "key"),
        ("actor_id", &*id),
        ("request_id", "r-1"),
        ("source", "native"),
        ("ip_address", "192.0.2.1"),
        ("event_group", "events"),
        ("status", "success"),
    ] {
        assert_eq!(deleted[field], value, "{field} of {deleted}");
    }
    assert_eq!(deleted["payload"], json!({"filter": "event_type=a", "count": 2, "result": "done"}));
    assert_eq!(trail[2]["payload"], json!({"filter": r#"{"event_type":"b"}"#, "count": 1, "result": "done"}));
    assert_eq!((&trail[2]["source"], &trail[3]["payload"]["count"]), (&json!("hoody"), &json!(1)));
    assert_eq!(trail[4]["payload"], json!({"filter": "retention_days=1", "count": 1, "result": "done"}));
    assert_eq!((&trail[5]["payload"]["damages"], &trail[5]["user_id"]), (&json!(0), &json!("admin")));
    assert_eq!(trail[6]["resource_id"], "bob");
    assert_eq!(trail[0]["payload"]["grant"]["scopes"], scopes);
    let secret = key.rsplit_once('_').unwrap().1;
    let text = json!(trail).to_string();
    assert!(!text.contains(secret) && !text.contains("correct horse"), "{text}");
}

#[tokio::test]
async fn it_is_in_no_list_total_statistic_or_sequence_of_the_events() {
    let server = Server::start();
    server.store(&[json!({"event_type": "first"})]).await;
    server.key_for(&["events:read"], &[]).await;
    server.store(&[json!({"event_type": "second"})]).await;
    let page = server.get("/annals/v1/events?sort=created_at").await.json();
    assert_eq!((&page["total"], &page["events"][1]["sequence"]), (&json!(2), &json!(2)), "{page}");
    assert_eq!(server.get("/api/v1/events").await.json()["data"]["pagination"]["total"], 2);
    assert_eq!(server.get("/annals/v1/events?event_type=key.created").await.json()["total"], 0);
    assert_eq!(server.total().await, 2);
    let trail = trail(&server).await;
    assert_eq!((types(&trail), &trail[0]["sequence"]), (vec!["key.created"], &json!(1)));
    let id = trail[0]["id"].as_str().unwrap();
    server.get(&format!("/annals/v1/events/{id}")).await.expect(404);
    server.call(ADMIN, "DELETE", "/annals/v1/events?from=1970-01-01", None).await.expect(200);
    assert_eq!(self::trail(&server).await.len(), 2, "no delete reaches it, and each is in it");
}

#[tokio::test]
async fn it_is_filtered_and_paged_as_events_are_and_its_cursors_are_its_own() {
    let server = Server::start();
    let events: Vec<Value> = (0..4).map(|_| json!({"event_type": "x"})).collect();
    server.store(&events).await;
    for _ in 0..3 {
        server.key_for(&["events:read"], &[]).await;
    }
    server.call(ADMIN, "DELETE", "/annals/v1/events?event_type=none", None).await.expect(200);
    assert_eq!(server.get(&format!("{AUDIT}?event_group=key&fields=event_type")).await.json()["total"], 3);
    assert_eq!(server.get(&format!("{AUDIT}?user_id=admin&not.event_type=key.created")).await.json()["total"], 1);
    let first = server.get(&format!("{AUDIT}?limit=3")).await.expect(200).json();
    let next = first["next_cursor"].as_str().unwrap();
    let second = server.get(&format!("{AUDIT}?limit=3&cursor={next}")).await.expect(200).json();
    assert_eq!((second["events"].as_array().unwrap().len(), &second["next_cursor"]), (1, &Value::Null));
    server.get(&format!("/annals/v1/events?limit=3&cursor={next}")).await.expect(400);
    let foreign = server.get("/annals/v1/events?limit=3").await.json()["next_cursor"].as_str().unwrap().to_owned();
    server.get(&format!("{AUDIT}?limit=3&cursor={foreign}")).await.expect(400);
    server.get(&format!("{AUDIT}?evnt_type=x")).await.expect(400);
}

#[tokio::test]
async fn it_is_shown_to_unlimited_keys_with_its_scope() {
    let server = Server::start();
    for (scopes, realms, status) in [
        (&["audit:read"] as &[_], &[] as &[_], 200),
        (&["admin"], &[], 200),
        (&["events:read", "events:delete"], &[], 403),
        (&["audit:read"], &["mine"], 403),
    ] {
        let key = server.key_for(scopes, realms).await;
        server.call(&key, "GET", AUDIT, None).await.expect(status);
    }
}

#[tokio::test]
async fn wrong_keys_are_written_down_once_in_a_window() {
    let server = Server::with(Limits { wrong_keys_per_minute_max: 3, ..Limits::default() });
    for _ in 0..10 {
        let peer: SocketAddr = "192.0.2.1:1".parse().unwrap();
        let request = Request::get("/api/v1/events").header("authorization", "wrong").extension(ConnectInfo(peer));
        server.send(request.body(Body::empty()).unwrap()).await;
    }
    let mut trail = trail(&server).await;
    for _ in 0..100 {
        if !trail.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        trail = self::trail(&server).await;
    }
    assert_eq!(types(&trail), ["auth.failures"]);
    let event = &trail[0];
    assert_eq!((&event["ip_address"], &event["source"]), (&json!("192.0.2.1"), &json!("hoody")));
    assert_eq!((&event["status"], &event["payload"]["count"]), (&json!("failure"), &json!(3)));
    assert!(!event.to_string().contains("wrong\""), "{event}");
}

#[tokio::test]
async fn an_older_store_gets_one_and_it_survives_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(Options::new(directory.path())).unwrap();
    engine.close().unwrap();
    assert!(!directory.path().join("internal").exists());
    let config = config(&directory);
    let mut server = open(directory, &config);
    for count in 1..=3 {
        server.key_for(&["events:read"], &[]).await;
        server.state.close().unwrap();
        let Server { directory, state, app } = server;
        drop((state, app));
        server = open(directory, &config);
        assert_eq!(types(&trail(&server).await), vec!["key.created"; count]);
    }
    let report = server.call(ADMIN, "POST", "/annals/v1/verify", None).await.expect(200).json();
    assert_eq!((&report["events"], &report["damages"]), (&json!(0), &json!([])));
    assert!(!server.directory.path().join("orphans").read_dir().unwrap().any(|_| true), "no file is unknown");
}

#[tokio::test]
async fn damage_in_it_is_found_by_a_verification_and_stops_a_start_that_is_not_degraded() {
    use std::os::unix::fs::FileExt as _;
    let server = Server::start();
    server.key_for(&["events:read"], &[]).await;
    server.state.close().unwrap();
    let Server { directory, state, app } = server;
    drop((state, app));
    let log = std::fs::read_dir(directory.path().join("internal/log")).unwrap().next().unwrap().unwrap().path();
    let file = std::fs::OpenOptions::new().read(true).write(true).open(log).unwrap();
    let mut start = vec![0; 64 << 10];
    file.read_exact_at(&mut start, 0).unwrap();
    let at = start.windows(11).position(|bytes| bytes == b"key.created").unwrap();
    file.write_all_at(b"K", at as u64).unwrap();
    drop(file);

    let mut config = config(&directory);
    assert!(AppState::open(&config).is_err(), "damage is not passed over unasked");
    config.degraded = true;
    let server = open(directory, &config);
    let report = server.call(ADMIN, "POST", "/annals/v1/verify", None).await.expect(200).json();
    let damage = report["damages"][0].as_str().unwrap();
    assert!(damage.starts_with("internal/log/"), "{report}");
    // The store itself is sound: it is served as always, and what is done is in the server's log only.
    server.key_for(&["events:read"], &[]).await;
    server.store(&[json!({"event_type": "x"})]).await;
    assert!(trail(&server).await.is_empty());
}

#[tokio::test]
async fn a_store_that_takes_no_writes_gets_none() {
    use std::os::unix::fs::FileExt as _;
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(Options::new(directory.path())).unwrap();
    let parsed = annals_json::parse_ndjson(br#"{"event_type":"marked.here"}"#, 1);
    engine.append(parsed.batch, &annals_engine::AppendOptions::default()).unwrap();
    engine.close().unwrap();
    let log = std::fs::read_dir(directory.path().join("log")).unwrap().next().unwrap().unwrap().path();
    let file = std::fs::OpenOptions::new().read(true).write(true).open(log).unwrap();
    let mut start = vec![0; 64 << 10];
    file.read_exact_at(&mut start, 0).unwrap();
    let at = start.windows(11).position(|bytes| bytes == b"marked.here").unwrap();
    file.write_all_at(b"M", at as u64).unwrap();
    let config = ServerConfig { degraded: true, ..config(&directory) };
    let server = open(directory, &config);
    assert!(!server.directory.path().join("internal").exists());
    assert_eq!(server.get(AUDIT).await.expect(503).json()["error"]["code"], "no_internal_store");
    server.call(ADMIN, "POST", "/annals/v1/verify", None).await.expect(200);
}
