//! Users, and the tokens they have for their passwords.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::net::SocketAddr;
use std::time::Duration;

use annals_server::{AppState, Limits, ServerConfig, router};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::{Value, json};
use support::{ADMIN, Reply, Server};

const PASSWORD: &str = "correct horse battery";
const USERS: &str = "/annals/v1/users";
const EVENTS: &str = "/annals/v1/events";

fn ada() -> Value {
    json!({"username": "ada", "password": PASSWORD, "scopes": ["events:read", "events:create"]})
}

async fn add(server: &Server, user: Value) -> Reply {
    server.call(ADMIN, "POST", USERS, Some(user)).await
}

async fn log_in_from(server: &Server, address: &str, form: &str) -> Reply {
    let peer: SocketAddr = format!("{address}:1").parse().unwrap();
    let request = Request::post("/v1/auth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .extension(ConnectInfo(peer));
    server.send(request.body(Body::from(form.to_owned())).unwrap()).await
}

async fn log_in(server: &Server, name: &str, password: &str) -> Reply {
    log_in_from(server, "192.0.2.1", &format!("grant_type=password&username={name}&password={password}")).await
}

async fn token(server: &Server, name: &str) -> String {
    let answer = log_in(server, name, &PASSWORD.replace(' ', "+")).await.expect(200).json();
    answer["access_token"].as_str().unwrap().to_owned()
}

fn restart(server: Server) -> Server {
    let Server { directory, state, app } = server;
    state.engine().close().unwrap();
    drop((app, state));
    let config = ServerConfig { admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(directory.path()) };
    let state = AppState::open(&config).unwrap().state;
    Server { app: router(state.clone()), state, directory }
}

#[tokio::test]
async fn a_password_gives_a_token_that_is_good_for_every_scheme_and_face_until_the_user_is_removed() {
    let server = Server::start();
    let made = add(&server, ada()).await.expect(200);
    assert_eq!(made.json()["username"], "ada");
    let answer = log_in(&server, "ada", "correct+horse+battery").await.expect(200);
    let body = answer.json();
    let token = body["access_token"].as_str().unwrap();
    assert_eq!(body, json!({"access_token": token, "token_type": "bearer", "expires_in": 3600}));
    assert_eq!(answer.header("cache-control"), "no-store");
    for path in [EVENTS, "/api/v1/events"] {
        server.call(token, "GET", path, None).await.expect(200);
        let request = Request::get(path).header("x-api-key", token).body(Body::empty()).unwrap();
        server.send(request).await.expect(200);
    }
    server.call(token, "DELETE", "/annals/v1/events?event_type=x", None).await.expect(403);
    server.call(ADMIN, "DELETE", "/annals/v1/users/ada", None).await.expect(200);
    server.call(token, "GET", EVENTS, None).await.expect(401);
    log_in(&server, "ada", "correct+horse+battery").await.expect(401);
    add(&server, ada()).await.expect(200);
    server.call(token, "GET", EVENTS, None).await.expect(401);
    server.call(ADMIN, "DELETE", "/annals/v1/users/bob", None).await.expect(404);
}

#[tokio::test]
async fn users_and_tokens_survive_a_restart_and_a_removal_does_too() {
    let server = Server::start();
    for name in ["ada", "bob"] {
        let mut user = ada();
        user["username"] = json!(name);
        add(&server, user).await.expect(200);
    }
    let (ada, bob) = (token(&server, "ada").await, token(&server, "bob").await);
    let server = restart(server);
    server.call(&ada, "GET", EVENTS, None).await.expect(200);
    server.call(ADMIN, "DELETE", "/annals/v1/users/bob", None).await.expect(200);
    let server = restart(server);
    server.call(&bob, "GET", EVENTS, None).await.expect(401);
    let users = server.get(USERS).await.expect(200).json();
    assert_eq!(users["users"].as_array().unwrap().len(), 1, "{users}");
    token(&server, "ada").await;
}

#[tokio::test]
async fn a_password_is_shown_and_kept_nowhere() {
    let server = Server::start();
    let made = add(&server, ada()).await.expect(200);
    let listed = server.get(USERS).await.expect(200);
    for text in [&made.body, &listed.body] {
        let text = String::from_utf8_lossy(text);
        assert!(!text.contains(PASSWORD) && !text.contains("salt") && !text.contains("hash"), "{text}");
    }
    let mut kept = 0;
    for entry in std::fs::read_dir(server.directory.path().join("blob")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(PASSWORD));
        kept += usize::from(text.contains("argon2id"));
    }
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn a_token_sees_what_its_user_may_see() {
    let server = Server::start();
    let mut user = ada();
    user["realms"] = json!(["mine"]);
    user["user_id"] = json!("u-1");
    add(&server, user).await.expect(200);
    let token = token(&server, "ada").await;
    server.store(&[json!({"event_type": "x", "realm_ids": ["theirs"]})]).await;
    server.ingest_as(&token, "", r#"{"event_type":"y"}"#).await.expect(200);
    let page = server.call(&token, "GET", EVENTS, None).await.expect(200).json();
    assert_eq!((&page["total"], &page["events"][0]["realm_ids"]), (&json!(1), &json!(["mine"])));
}

#[tokio::test]
async fn a_token_can_be_asked_for_less() {
    let server = Server::start();
    add(&server, ada()).await.expect(200);
    let form = |scope: &str| format!("username=ada&password=correct+horse+battery&scope={scope}");
    let answer = log_in_from(&server, "192.0.2.1", &form("events:read")).await.expect(200).json();
    let token = answer["access_token"].as_str().unwrap();
    server.call(token, "GET", EVENTS, None).await.expect(200);
    server.ingest_as(token, "", r#"{"event_type":"y"}"#).await.expect(403);
    for scope in ["events:read+admin", "root"] {
        let refused = log_in_from(&server, "192.0.2.1", &form(scope)).await.expect(400).json();
        assert!(refused["detail"].as_str().unwrap().starts_with("scope holds one"), "{refused}");
    }
}

#[tokio::test]
async fn a_users_expiry_ends_its_tokens() {
    let server = Server::start();
    let mut user = ada();
    let soon = annals_engine::Options::new("x").clock.now_us() + 30_000_000;
    let mut text = Vec::new();
    annals_json::write_micros(&mut text, soon);
    user["expires_at"] = json!(String::from_utf8(text).unwrap());
    add(&server, user).await.expect(200);
    let answer = log_in(&server, "ada", "correct+horse+battery").await.expect(200).json();
    let seconds = answer["expires_in"].as_u64().unwrap();
    assert!((1..30).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn wrong_logins_are_told_as_the_vendors_framework_does() {
    let server = Server::start();
    add(&server, ada()).await.expect(200);
    for (name, password) in [("ada", "wrong-password"), ("bob", "correct+horse+battery"), ("ada", &"p".repeat(2000))] {
        let refused = log_in(&server, name, password).await.expect(401);
        assert_eq!(refused.header("www-authenticate"), "Bearer");
        assert_eq!(refused.json(), json!({"detail": "Incorrect username or password"}));
    }
    let missing = log_in_from(&server, "192.0.2.1", "username=ada").await.expect(422).json();
    let expected =
        json!({"detail": [{"type": "missing", "loc": ["body", "password"], "msg": "Field required", "input": null}]});
    assert_eq!(missing, expected);
    log_in_from(&server, "192.0.2.1", "username=%ff&password=x").await.expect(400);
    let allowed = server.send(Request::get("/v1/auth/token").body(Body::empty()).unwrap()).await.expect(405);
    assert_eq!((allowed.header("allow"), allowed.json()), ("POST", json!({"detail": "Method Not Allowed"})));
    let unknown = server.send(Request::get("/v1/auth/tokens").body(Body::empty()).unwrap()).await.expect(404);
    assert_eq!(unknown.json(), json!({"detail": "Not Found"}));
}

#[tokio::test]
async fn wrong_passwords_count_as_wrong_keys() {
    let server = Server::with(Limits { wrong_keys_per_minute_max: 3, ..Limits::default() });
    add(&server, ada()).await.expect(200);
    for name in ["ada", "bob", "carol"] {
        log_in(&server, name, "wrong-password").await.expect(401);
    }
    let refused = log_in(&server, "ada", "correct+horse+battery").await.expect(429);
    assert!((1..=60).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    assert!(refused.json()["detail"].is_string());
    let good = "username=ada&password=correct+horse+battery";
    log_in_from(&server, "192.0.2.2", good).await.expect(200);
}

#[tokio::test]
async fn wrong_passwords_of_a_name_count_wherever_they_come_from() {
    let server = Server::with(Limits { wrong_keys_per_minute_max: 3, ..Limits::default() });
    add(&server, ada()).await.expect(200);
    // A name that nobody has is no different, so that the limit tells no names.
    for name in ["ada", "bob"] {
        let form = |password: &str| format!("username={name}&password={password}");
        // The address of every client behind a proxy, and two others.
        for address in ["127.0.0.1", "192.0.2.1", "192.0.2.2"] {
            log_in_from(&server, address, &form("wrong-password")).await.expect(401);
        }
        for (address, password) in [("127.0.0.1", "wrong-password"), ("192.0.2.3", "correct+horse+battery")] {
            let refused = log_in_from(&server, address, &form(password)).await.expect(429);
            assert!((1..=60).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
        }
    }
    let mut other = ada();
    other["username"] = json!("carol");
    add(&server, other).await.expect(200);
    log_in_from(&server, "127.0.0.1", "username=carol&password=correct+horse+battery").await.expect(200);
}

#[tokio::test]
async fn a_name_that_nobody_has_takes_as_long_as_a_wrong_password() {
    let server = Server::start();
    add(&server, ada()).await.expect(200);
    let clock = std::sync::Arc::clone(&server.state.engine().options().clock);
    let mut fastest = Vec::new();
    for name in ["ada", "bob"] {
        let mut times = Vec::new();
        for _ in 0..5 {
            let started = clock.monotonic();
            log_in(&server, name, "wrong-password").await.expect(401);
            times.push(clock.monotonic().saturating_sub(started));
        }
        fastest.push(times.into_iter().min().unwrap());
    }
    let (known, unknown) = (fastest.first().unwrap(), fastest.last().unwrap());
    // A lookup without a hash takes less than a hundredth of one.
    assert!(*unknown > *known / 4 && *known > *unknown / 4, "{known:?} and {unknown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_leave_room_for_everything_else() {
    let limits = Limits { passwords_max: 1, passwords_waiting_max: 2, ..Limits::default() };
    let server = std::sync::Arc::new(Server::with(limits));
    add(&server, ada()).await.expect(200);
    let logins: Vec<_> = (0..12)
        .map(|_| {
            let server = std::sync::Arc::clone(&server);
            tokio::spawn(async move { log_in(&server, "ada", "correct+horse+battery").await })
        })
        .collect();
    let mut statuses = Vec::new();
    for login in logins {
        let reply = login.await.unwrap();
        if reply.status.as_u16() == 503 {
            assert_eq!(reply.header("retry-after"), "1");
        }
        statuses.push(reply.status.as_u16());
    }
    assert!(statuses.contains(&200) && statuses.contains(&503), "{statuses:?}");
    tokio::time::timeout(Duration::from_secs(5), log_in(&server, "ada", "correct+horse+battery")).await.unwrap();
}

#[tokio::test]
async fn users_are_the_administrators_and_described_where_they_are_wrong() {
    let server = Server::start();
    add(&server, ada()).await.expect(200);
    assert_eq!(add(&server, ada()).await.expect(409).json()["error"]["code"], "user_exists");
    for (key, value, place) in [
        ("username", json!(".."), "username"),
        ("password", json!("short"), "password"),
        ("scopes", json!([]), "scopes"),
        ("expires_at", json!("2020-01-01T00:00:00Z"), "expires_at"),
        ("role", json!("x"), "role"),
    ] {
        let mut user = ada();
        user[key] = value;
        let refused = add(&server, user).await.expect(400).json();
        assert!(refused["error"]["message"].as_str().unwrap().starts_with(place), "{refused}");
    }
    let named = json!({"username": "a/b c%", "password": PASSWORD, "scopes": ["events:read"]});
    add(&server, named).await.expect(200);
    server.call(ADMIN, "DELETE", "/annals/v1/users/a%2Fb%20c%25", None).await.expect(200);
    let limited = server.key_for(&["admin"], &["mine"]).await;
    server.call(&limited, "POST", USERS, Some(ada())).await.expect(403);
}
