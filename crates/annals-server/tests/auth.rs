//! Keys: what they are, what they may write, and how wrong ones are slowed down. Who may do what on which
//! route is in `rights.rs`.

#[cfg(test)]
mod support;

use std::net::SocketAddr;

use annals_server::{AppState, ServerConfig};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use base64::Engine as _;
use serde_json::json;
use support::{ADMIN, Server};

const FOREIGN: &str = "507f1f77bcf86cd799439044";

#[tokio::test]
async fn every_scheme_carries_a_key() {
    let server = Server::start();
    let key = server.key_for(&["events:read"], &[]).await;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("anybody:{key}"));
    for (name, value) in [
        ("authorization", format!("Bearer {key}")),
        ("authorization", format!("Token {key}")),
        ("authorization", key.clone()),
        ("authorization", format!("Basic {basic}")),
        ("x-api-key", key.clone()),
        ("x-api-key", ADMIN.to_owned()),
    ] {
        let request = Request::get("/annals/v1/events").header(name, &value).body(Body::empty()).unwrap();
        server.send(request).await.expect(200);
    }
    let request = Request::get(format!("/annals/v1/events?key={key}")).body(Body::empty()).unwrap();
    server.send(request).await.expect(401);
}

#[tokio::test]
async fn keys_are_shown_once_listed_without_secrets_and_survive_a_restart() {
    let server = Server::start();
    let wanted = json!({
        "name": "reader", "scopes": ["events:read"], "realms": ["a"], "user_id": "u1", "expires_at": "2999-01-01T00:00:00Z",
    });
    let made = server.call(ADMIN, "POST", "/annals/v1/keys", Some(wanted)).await.expect(200).json();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(key.starts_with(&format!("ann_{id}_")));
    assert_eq!(made["expires_at"], "2999-01-01T00:00:00.000000Z");
    server.call(key, "GET", "/annals/v1/events", None).await.expect(200);
    let reply = server.get("/annals/v1/keys").await.expect(200);
    let secret = key.rsplit_once('_').unwrap().1;
    assert!(!String::from_utf8_lossy(&reply.body).contains(secret));
    let listed = &reply.json()["keys"][0];
    assert_eq!((&listed["id"], &listed["realms"], &listed["user_id"]), (&json!(id), &json!(["a"]), &json!("u1")));
    assert!(listed["last_used"].is_string());

    let directory = server.directory;
    server.state.engine().close().unwrap();
    drop((server.app, server.state));
    let config = ServerConfig { admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(directory.path()) };
    let state = AppState::open(&config).unwrap().state;
    let server = Server { app: annals_server::router(state.clone()), state, directory };
    server.call(key, "GET", "/annals/v1/events", None).await.expect(200);
    server.call(ADMIN, "DELETE", &format!("/annals/v1/keys/{id}"), None).await.expect(200);
    server.call(key, "GET", "/annals/v1/events", None).await.expect(401);
    server.call(ADMIN, "DELETE", &format!("/annals/v1/keys/{id}"), None).await.expect(404);
}

#[tokio::test]
async fn a_key_of_several_organisations_must_name_one() {
    let server = Server::start();
    let (key, _) = server.key(json!({"name": "w", "scopes": ["events:create"], "orgs": ["o", "p"]})).await;
    let lines = "{\"event_type\":\"a\",\"org_id\":\"p\"}\n{\"event_type\":\"b\"}\n";
    let wanted = "name org_id or realm_ids: the key has several organisations";
    let refused = server.ingest_as(&key, "", lines).await.expect(403).json();
    assert_eq!(refused["error"]["message"], format!("line 2: {wanted}"));
    assert_eq!(server.total().await, 0);
    let reply = server.ingest_as(&key, "?partial=true", lines).await.expect(200).json();
    assert_eq!((&reply["accepted"], &reply["rejected"]), (&json!(1), &json!(1)));
    assert_eq!(reply["errors"], json!([{"line": 2, "error": wanted}]));
}

#[tokio::test]
async fn wrong_keys_are_described_where_they_are_made() {
    let server = Server::start();
    for (body, place) in [
        (json!({"scopes": ["events:read"]}), "name"),
        (json!({"name": "n", "scopes": []}), "scopes must hold at least one scope"),
        (
            json!({"name": "n", "scopes": ["events:read"], "expires_at": "2020-01-01T00:00:00Z"}),
            "expires_at must lie in the future",
        ),
        (json!({"name": "n"}), "scopes"),
        (json!({"name": "n", "scopes": ["root"]}), "scopes"),
        (json!({"name": "n", "scopes": ["events:read"], "realm": []}), "realm"),
        (json!({"name": "n", "scopes": ["events:read"], "realms": [""]}), "realms"),
        (json!({"name": "n", "scopes": ["events:read"], "realms": vec!["r"; 17]}), "realms"),
        (json!({"name": "n", "scopes": ["events:read"], "expires_at": "soon"}), "expires_at"),
        (json!({"name": "", "scopes": ["events:read"]}), "name"),
        (json!({"name": "n", "scopes": "x"}), "scopes must be a list of texts, at most 9"),
        (
            json!({"name": "n", "scopes": ["events:read"], "expires_at": 1.7e12}),
            "expires_at must be an RFC 3339 time in quotes",
        ),
    ] {
        let reply = server.call(ADMIN, "POST", "/annals/v1/keys", Some(body)).await.expect(400).json();
        assert!(reply["error"]["message"].as_str().unwrap().starts_with(place), "{reply}");
    }
}

#[tokio::test]
async fn without_an_administrator_the_first_start_makes_one_key() {
    let directory = tempfile::tempdir().unwrap();
    let config = ServerConfig::new(directory.path());
    let setup = AppState::open(&config).unwrap();
    let key = setup.new_admin_key.expect("nobody could administer the store");
    let server = Server { app: annals_server::router(setup.state.clone()), state: setup.state, directory };
    let keys = server.call(&key, "GET", "/annals/v1/keys", None).await.expect(200).json();
    assert_eq!(keys["keys"][0]["user_id"], "admin");
    server.state.engine().close().unwrap();
    let directory = server.directory;
    drop((server.app, server.state));
    assert_eq!(AppState::open(&ServerConfig::new(directory.path())).unwrap().new_admin_key, None);
}

#[tokio::test]
async fn what_a_limited_key_writes_is_its_own() {
    let server = Server::start();
    let body = json!({"name": "w", "scopes": ["events:create", "events:read"], "realms": ["a", "b"], "orgs": ["o"]});
    let (key, _) = server.key(body).await;
    let lines = "{\"event_type\":\"plain\"}\n{\"event_type\":\"named\",\"realm_ids\":[\"a\"]}\n{\"event_type\":\"org\",\"org_id\":\"o\"}\n";
    assert_eq!(server.ingest_as(&key, "", lines).await.expect(200).json()["accepted"], 3);
    let events = server.get("/annals/v1/events?sort=event_type&fields=event_type,realm_ids,org_id").await.json();
    let expected = json!([
        {"event_type": "named", "realm_ids": ["a"]},
        {"event_type": "org", "org_id": "o"},
        {"event_type": "plain", "realm_ids": ["a", "b"], "org_id": "o"},
    ]);
    assert_eq!(events["events"], expected);
    for foreign in ["{\"event_type\":\"x\",\"realm_ids\":[\"a\",\"z\"]}", "{\"event_type\":\"x\",\"org_id\":\"z\"}"] {
        let lines = format!("{{\"event_type\":\"fine\"}}\n{foreign}\n");
        let reply = server.ingest_as(&key, "", &lines).await.expect(403).json();
        assert!(reply["error"]["message"].as_str().unwrap().starts_with("line 2:"), "{reply}");
    }
    assert_eq!(server.total().await, 3, "nothing was stored");
    let lines = "{\"event_type\":\"fine\"}\n{\"event_type\":\"x\",\"org_id\":\"z\"}\n";
    let reply = server.ingest_as(&key, "?partial=true", lines).await.expect(200).json();
    assert_eq!((&reply["accepted"], &reply["rejected"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_repeat_in_a_foreign_realm_is_no_repeat() {
    let server = Server::start();
    let event = |realm: &str| {
        format!(
            "{{\"id\":\"{FOREIGN}\",\"event_type\":\"x\",\"created_at\":\"2025-01-01T00:00:00Z\",\"realm_ids\":[\"{realm}\"]}}"
        )
    };
    let scopes = ["events:create", "events:read"];
    let (mine, theirs) = (server.key_for(&scopes, &["mine"]).await, server.key_for(&scopes, &["theirs"]).await);
    for (key, realm, accepted) in
        [(&mine, "mine", 1), (&mine, "mine", 0), (&theirs, "theirs", 1), (&theirs, "theirs", 0)]
    {
        let reply = server.ingest_as(key, "", &event(realm)).await.expect(200).json();
        assert_eq!(reply["accepted"], accepted);
        assert_eq!(reply["duplicates"], 1 - accepted);
    }
}

#[tokio::test]
async fn idempotency_keys_of_two_principals_do_not_meet() {
    let server = Server::start();
    let (one, other) = (server.key_for(&["events:create"], &[]).await, server.key_for(&["events:create"], &[]).await);
    for (key, line) in [(&one, "{\"event_type\":\"a\"}"), (&other, "{\"event_type\":\"b\"}")] {
        let request = Request::post("/annals/v1/events").header("authorization", key).header("idempotency-key", "1");
        server.send(request.body(Body::from(line)).unwrap()).await.expect(200);
    }
    assert_eq!(server.total().await, 2);
}

#[tokio::test]
async fn guessing_keys_is_slowed_down_by_address() {
    let limits = annals_server::Limits { wrong_keys_per_minute_max: 3, ..annals_server::Limits::default() };
    let server = Server::with(limits);
    let from = async |address: &str, key: &str| {
        let peer: SocketAddr = format!("{address}:1").parse().unwrap();
        let request = Request::get("/annals/v1/events").header("authorization", key).extension(ConnectInfo(peer));
        server.send(request.body(Body::empty()).unwrap()).await
    };
    for _ in 0..3 {
        from("192.0.2.1", "wrong").await.expect(401);
    }
    let refused = from("192.0.2.1", "wrong").await.expect(429);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert_eq!(refused.json()["error"]["code"], "rate_limited");
    from("192.0.2.2", ADMIN).await.expect(200);
    for _ in 0..10 {
        from("127.0.0.1", "wrong").await.expect(401);
    }
    from("127.0.0.1", ADMIN).await.expect(200);
    let request = Request::get("/healthz").body(Body::empty()).unwrap();
    server.send(request).await.expect(200);
}
