//! deltafi: every call of its document, literally, and what the document leaves open.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail the test")]

mod bad_input;
#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::time::Duration;

use annals_server::FaceSettings;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::{Value, json};
use support::{ADMIN, Reply, Server};

const EVENTS: &str = "/api/v2/events";
const ID: &str = "123e4567-e89b-12d3-a456-426614174000";

/// The event of the document's answers.
fn documented() -> Value {
    json!({
        "id": ID, "severity": "error", "summary": "System error occurred",
        "content": "Detailed error description...", "source": "core-service",
        "timestamp": "2023-12-01T10:00:00Z", "notification": true, "acknowledged": false,
    })
}

/// The body of the document's POST.
fn documented_post() -> Value {
    json!({
        "severity": "warn", "summary": "Configuration updated",
        "content": "System configuration has been updated by admin user", "source": "admin-service",
        "notification": true, "acknowledged": false,
    })
}

fn at(second: usize) -> Value {
    json!({"severity": "info", "summary": format!("number {second}"), "timestamp": format!("2023-11-30T10:{:02}:{:02}Z", second / 60, second % 60)})
}

async fn post(server: &Server, body: Value) -> Value {
    server.call(ADMIN, "POST", EVENTS, Some(body)).await.expect(200).json()
}

fn summaries(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|event| event["summary"].as_str().unwrap()).collect()
}

async fn list(server: &Server, query: &str) -> Value {
    server.get(&format!("{EVENTS}{query}")).await.expect(200).json()
}

async fn send(server: &Server, key: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    let mut request = Request::post(EVENTS).header("authorization", format!("Bearer {key}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(body.into()).unwrap()).await
}

/// The form that every error has; the time is left out of the comparison.
#[track_caller]
fn assert_error(reply: &Reply, status: u16, error: &str, message: &str, path: &str) {
    let mut body = reply.json();
    assert_eq!(reply.status.as_u16(), status, "{body}");
    let time = body.as_object_mut().unwrap().remove("timestamp").unwrap();
    assert!(annals_json::parse_time(time.as_str().unwrap()).is_some(), "{time}");
    assert_eq!(body, json!({"status": status, "error": error, "message": message, "path": path}));
}

#[tokio::test]
async fn the_documented_event_is_created() {
    let server = Server::start();
    let created = post(&server, documented_post()).await;
    let mut expected = documented_post();
    expected["id"] = created["id"].clone();
    expected["timestamp"] = created["timestamp"].clone();
    assert_eq!(created, expected);
    let id = created["id"].as_str().unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "7"), "a UUIDv7");
    assert_eq!(list(&server, "").await, json!([created]));
    assert_eq!(list(&server, &format!("/{id}")).await, created);
    let native = server.get(&format!("/annals/v1/events/{id}")).await.expect(200).json();
    let expected = json!({
        "id": id, "sequence": 1, "created_at": native["created_at"], "event_type": "system.warn",
        "event_group": "system", "severity": "warn", "status": "success", "resource_type": "notification",
        "source": "admin-service", "notification": true, "notification_type": "ANNOUNCEMENT",
        "message": "Configuration updated", "content": "System configuration has been updated by admin user",
        "acknowledged": false,
    });
    assert_eq!(native, expected);
}

#[tokio::test]
async fn what_is_left_out_is_null_or_false_and_what_is_unknown_is_dropped() {
    let server = Server::start();
    let body = json!({"severity": "info", "summary": " s ", "id": null, "content": null, "timestamp": null,
        "notification": null, "acknowledged": null, "extra": {"a": [1]}, "event_type": "x"});
    let created = post(&server, body).await;
    let expected = json!({"id": created["id"], "severity": "info", "summary": " s ", "content": null, "source": null,
        "timestamp": created["timestamp"], "notification": false, "acknowledged": false});
    assert_eq!(created, expected);
    let native = server.get("/annals/v1/events/1").await.expect(200).json();
    assert_eq!((&native["event_type"], native.get("payload")), (&json!("system.info"), None));
}

#[tokio::test]
async fn the_documented_list_with_its_count_is_answered_literally() {
    let server = Server::start();
    for second in 0..24 {
        post(&server, at(second)).await;
    }
    post(&server, documented()).await;
    let page = list(&server, "/with-count?offset=0&size=10").await;
    assert_eq!((&page["offset"], &page["count"], &page["totalCount"]), (&json!(0), &json!(10), &json!(25)));
    assert_eq!(page["events"].as_array().unwrap().len(), 10);
    assert_eq!(page["events"][0], documented());
    assert_eq!(page.as_object().unwrap().len(), 4);
    assert_eq!(list(&server, "?offset=0&size=10").await, page["events"]);
    assert_eq!(list(&server, "?offset=0&size=10&severity=error").await, json!([documented()]));
    assert_eq!(list(&server, "").await.as_array().unwrap().len(), 20, "the default");
    for (query, expected) in [
        ("?offset=20", json!({"offset": 20, "count": 5, "totalCount": 25})),
        ("?offset=25", json!({"offset": 25, "count": 0, "totalCount": 25})),
        ("?offset=99999999999", json!({"offset": 25, "count": 0, "totalCount": 25})),
        ("?size=0", json!({"offset": 0, "count": 0, "totalCount": 25})),
        ("?size=10000", json!({"offset": 0, "count": 25, "totalCount": 25})),
    ] {
        let mut page = list(&server, &format!("/with-count{query}")).await;
        let events = page.as_object_mut().unwrap().remove("events").unwrap();
        assert_eq!((&page, &page["count"]), (&expected, &json!(events.as_array().unwrap().len())), "{query}");
    }
    assert_eq!(list(&server, "?size=0").await, json!([]));
    let mut seen = Vec::new();
    for offset in (0..25).step_by(7) {
        seen.extend(list(&server, &format!("?offset={offset}&size=7")).await.as_array().unwrap().clone());
    }
    assert_eq!(json!(seen), list(&server, "?size=100").await);
}

#[tokio::test]
async fn the_documented_event_is_read_marked_and_deleted() {
    let server = Server::start();
    post(&server, documented()).await;
    let path = format!("{EVENTS}/{ID}");
    let mut acknowledged = documented();
    acknowledged["acknowledged"] = json!(true);
    for path in [path.clone(), path.to_uppercase().replace("/API/V2/EVENTS", EVENTS), format!("{path}/")] {
        assert_eq!(server.get(&path).await.expect(200).json(), documented(), "{path}");
    }
    for _ in 0..2 {
        let reply = server.call(ADMIN, "PUT", &format!("{path}/acknowledge"), None).await.expect(200);
        assert_eq!(reply.json(), acknowledged);
    }
    assert_eq!(list(&server, "?acknowledged=true").await, json!([acknowledged]));
    assert_eq!(server.get(&format!("/annals/v1/events/{ID}")).await.expect(200).json()["acknowledged"], true);
    let reply = server.call(ADMIN, "PUT", &format!("{path}/unacknowledge"), None).await.expect(200);
    assert_eq!(reply.json(), documented());
    assert_eq!(server.call(ADMIN, "DELETE", &path, None).await.expect(200).json(), documented());
    assert_eq!(list(&server, "/with-count").await, json!({"offset": 0, "count": 0, "totalCount": 0, "events": []}));
    for (method, path) in [
        ("GET", path.clone()),
        ("DELETE", path.clone()),
        ("PUT", format!("{path}/acknowledge")),
        ("PUT", format!("{path}/unacknowledge")),
    ] {
        let reply = server.call(ADMIN, method, &path, None).await;
        assert_error(&reply, 404, "Not Found", &format!("Event with ID '{ID}' not found."), &path);
    }
}

#[tokio::test]
async fn every_filter_is_exact() {
    let server = Server::start();
    post(&server, documented()).await;
    post(
        &server,
        json!({"severity": "success", "summary": "System error occurred here", "content": "", "source": "Core-Service",
        "timestamp": "2023-12-01T09:00:00Z", "acknowledged": true}),
    )
    .await;
    for (query, count) in [
        ("acknowledged=false", 1),
        ("acknowledged=True", 1),
        ("acknowledged=anything", 1),
        ("notification=TRUE", 1),
        ("notification=false", 1),
        (&format!("id={ID}"), 1),
        (&format!("id={}", ID.to_uppercase()), 1),
        ("id=123e4567-e89b-12d3-a456-426614174001", 0),
        ("severity=error", 1),
        ("severity=ERROR", 0),
        ("severity=red", 0),
        ("severity=", 0),
        ("summary=System+error+occurred", 1),
        ("summary=system+error+occurred", 0),
        ("summary=System", 0),
        ("content=Detailed%20error%20description...", 1),
        ("content=", 1),
        ("content=Detailed", 0),
        ("source=core-service", 1),
        ("source=core", 0),
        ("start=2023-12-01T09:00:00Z", 1),
        ("start=2023-12-01T08:59:59.999999Z", 2),
        ("end=2023-12-01T10:00:00Z", 1),
        ("end=2023-12-01T11:00:00.000001%2B01:00", 2),
        ("start=2023-12-01T09:00:00Z&end=2023-12-01T10:00:00Z", 0),
        ("start=2024-01-01T00:00:00Z&end=2023-01-01T00:00:00Z", 0),
        ("unknown=1&offset=0", 2),
        ("severity=nonsense&severity=error", 1),
        ("severity=error&source=core-service&notification=true&acknowledged=false", 1),
        ("severity=error&notification=false", 0),
    ] {
        let page = list(&server, &format!("/with-count?{query}")).await;
        assert_eq!((&page["totalCount"], &page["count"]), (&json!(count), &json!(count)), "{query}");
        assert_eq!(list(&server, &format!("?{query}")).await, page["events"], "{query}");
    }
}

#[tokio::test]
async fn severities_are_mapped_as_documented() {
    let server = Server::start();
    for (word, severity) in [
        ("error", "error"),
        ("failure", "error"),
        ("red", "error"),
        ("RED", "error"),
        ("warn", "warn"),
        ("warning", "warn"),
        ("Yellow", "warn"),
        ("success", "success"),
        ("successful", "success"),
        ("green", "success"),
        ("info", "info"),
        ("INFO", "info"),
        ("blue", "info"),
        ("", "info"),
        ("critical", "info"),
    ] {
        let created = post(&server, json!({"severity": word, "summary": word.to_owned() + "!"})).await;
        assert_eq!(created["severity"], severity, "{word}");
        let path = format!("/annals/v1/events/{}", created["id"].as_str().unwrap());
        let native = server.get(&path).await.expect(200).json();
        assert_eq!(native["event_type"], format!("system.{severity}"));
        let kept = if word == severity || word.is_empty() { Value::Null } else { json!(word) };
        assert_eq!(native["payload"]["severity"], kept, "{word}");
    }
    assert_eq!(list(&server, "/with-count?severity=error").await["totalCount"], 4);
}

#[tokio::test]
async fn a_given_id_is_kept_and_replaced() {
    let server = Server::start();
    let mut first = documented();
    first["acknowledged"] = json!(true);
    assert_eq!(post(&server, first.clone()).await, first);
    assert_eq!(post(&server, documented()).await, documented(), "the mark is gone with the event it was on");
    let later = json!({"id": ID.to_uppercase(), "severity": "info", "summary": "later"});
    let created = post(&server, later).await;
    assert_eq!((&created["id"], &created["content"]), (&json!(ID), &Value::Null));
    assert_eq!(list(&server, "/with-count").await["events"], json!([created]));
    assert_eq!(list(&server, &format!("/{ID}")).await, created);
    assert_eq!(server.total().await, 1);
    // An event that another face has stored under the id is replaced as well.
    server.store(&[json!({"event_type": "a", "id": "507f1f77-bcf8-6cd7-9943-9044507f1f77"})]).await;
    post(&server, json!({"id": "507f1f77-bcf8-6cd7-9943-9044507f1f77", "severity": "info", "summary": "s"})).await;
    assert_eq!(summaries(&list(&server, "").await), ["s", "later"]);
}

#[tokio::test]
async fn only_what_the_key_may_write_is_replaced() {
    let server = Server::start();
    let key = server.key_for(&["events:read", "events:create"], &["eu"]).await;
    let shared = "00000000-0000-4000-8000-00000000000a";
    let foreign = "00000000-0000-4000-8000-00000000000b";
    let event = |id: &str, realms: &[&str]| json!({"event_type": "a", "message": "old", "id": id, "realm_ids": realms});
    server.store(&[event(shared, &["eu", "us"]), event(foreign, &["us"])]).await;
    let before = server.extent().await;
    let body = |id: &str| json!({"id": id, "severity": "info", "summary": "new"});
    let reply = server.call(&key, "POST", EVENTS, Some(body(shared))).await;
    assert_error(&reply, 403, "Forbidden", "the event belongs to a foreign realm as well", EVENTS);
    assert_eq!(server.extent().await, before);
    let created = server.call(&key, "POST", EVENTS, Some(body(foreign))).await.expect(200).json();
    assert_eq!((&created["id"], &created["summary"]), (&json!(foreign), &json!("new")));
    assert_eq!(server.total().await, 3, "what lies outside of the tenant counts as absent");
    let seen = server.call(&key, "GET", EVENTS, None).await.expect(200).json();
    assert_eq!(summaries(&seen), ["new", "old"]);
    let found = server.call(&key, "GET", &format!("{EVENTS}?id={foreign}"), None).await.expect(200).json();
    assert_eq!(summaries(&found), ["new"]);
}

#[tokio::test]
async fn keys_see_and_change_their_own_events_only() {
    let server = Server::start();
    let scopes = &["events:read", "events:create", "events:update", "events:delete"];
    let (own, foreign) = (server.key_for(scopes, &["eu"]).await, server.key_for(scopes, &["us"]).await);
    let created = server.call(&own, "POST", EVENTS, Some(documented())).await.expect(200).json();
    assert_eq!(created, documented());
    assert_eq!(server.get("/annals/v1/events/1").await.expect(200).json()["realm_ids"], json!(["eu"]));
    let mut acknowledged = documented_post();
    acknowledged["acknowledged"] = json!(true);
    let reply = server.call(&own, "POST", EVENTS, Some(acknowledged)).await.expect(200).json();
    assert_eq!(reply["acknowledged"], true);
    let page = server.call(&foreign, "GET", &format!("{EVENTS}/with-count"), None).await.expect(200).json();
    assert_eq!(page["totalCount"], 0);
    let path = format!("{EVENTS}/{ID}");
    for (method, path) in [("GET", path.clone()), ("DELETE", path.clone()), ("PUT", format!("{path}/acknowledge"))] {
        let reply = server.call(&foreign, method, &path, None).await;
        assert_error(&reply, 404, "Not Found", &format!("Event with ID '{ID}' not found."), &path);
    }
    server.call(&own, "DELETE", &path, None).await.expect(200);
    // Each permission is its own.
    for (scope, allowed) in [("events:read", 3), ("events:create", 1), ("events:update", 2), ("events:delete", 1)] {
        let key = server.key_for(&[scope], &[]).await;
        let mut passed = 0;
        for (method, path) in [
            ("GET", EVENTS.to_owned()),
            ("GET", format!("{EVENTS}/with-count")),
            ("GET", path.clone()),
            ("POST", EVENTS.to_owned()),
            ("PUT", format!("{path}/acknowledge")),
            ("PUT", format!("{path}/unacknowledge")),
            ("DELETE", path.clone()),
        ] {
            let reply = server.call(&key, method, &path, None).await;
            if reply.status == 403 {
                assert_error(&reply, 403, "Forbidden", "Access Denied", &path);
            } else {
                passed += 1;
            }
        }
        assert_eq!(passed, allowed, "{scope}");
    }
}

#[tokio::test]
async fn events_of_every_other_face_are_events_here() {
    let server = Server::start();
    server
        .store(&[
            json!({"event_type": "user.login", "id": "507f1f77bcf86cd799439044", "source": "web", "created_at": "2025-01-15T10:30:05.123Z"}),
            json!({"event_type": "vm.failed", "status": "failure", "created_at": "2025-01-15T10:30:04.123456Z", "message": "gone"}),
        ])
        .await;
    let native = server.get("/annals/v1/events").await.expect(200).json();
    let ids: Vec<&Value> = native["events"].as_array().unwrap().iter().map(|event| &event["id"]).collect();
    let expected = json!([
        {"id": ids[0], "severity": "info", "summary": "user.login", "content": null, "source": "web",
         "timestamp": "2025-01-15T10:30:05.123Z", "notification": false, "acknowledged": false},
        {"id": ids[1], "severity": "error", "summary": "gone", "content": null, "source": null,
         "timestamp": "2025-01-15T10:30:04.123456Z", "notification": false, "acknowledged": false},
    ]);
    assert_eq!(list(&server, "").await, expected);
    for (id, event) in ids.iter().zip(expected.as_array().unwrap()) {
        assert_eq!(&list(&server, &format!("/{}", id.as_str().unwrap())).await, event);
    }
    post(&server, documented()).await;
    let hoody = server.get("/api/v1/events?event_type=system.error").await.expect(200).json();
    assert_eq!(hoody["data"]["events"][0]["created_at"], "2023-12-01T10:00:00.000Z");
}

#[tokio::test]
async fn a_repeated_request_with_its_key_is_answered_again() {
    let server = Server::start();
    let headers = [("idempotency-key", "k-1")];
    let mut body = documented_post();
    body["acknowledged"] = json!(true);
    let first = send(&server, ADMIN, &headers, body.to_string()).await.expect(200).json();
    assert_eq!(first["acknowledged"], true);
    assert_eq!(send(&server, ADMIN, &headers, body.to_string()).await.expect(200).json(), first);
    assert_eq!(server.total().await, 1);
    let reply = send(&server, ADMIN, &headers, documented_post().to_string()).await;
    let message = "this Idempotency-Key was used with another body: use a new key for a new request";
    assert_error(&reply, 422, "Unprocessable Entity", message, EVENTS);
    let reply = send(&server, ADMIN, &[("idempotency-key", "")], body.to_string()).await;
    assert_error(&reply, 400, "Bad Request", "Idempotency-Key must be 1 to 128 printable ASCII characters", EVENTS);
    assert_eq!(server.total().await, 1);
    let path = format!("{EVENTS}/{}", first["id"].as_str().unwrap());
    server.call(ADMIN, "PUT", &format!("{path}/unacknowledge"), None).await.expect(200);
    let again = send(&server, ADMIN, &headers, body.to_string()).await.expect(200).json();
    assert_eq!(again["acknowledged"], false, "it is the event as it is now, and nothing is done to it");
    server.call(ADMIN, "DELETE", &path, None).await.expect(200);
    let reply = send(&server, ADMIN, &headers, body.to_string()).await;
    assert_error(&reply, 404, "Not Found", "there is no such event", EVENTS);
    assert_eq!(server.total().await, 0);
}

#[tokio::test]
async fn a_default_window_holds_for_lists_without_start_and_end() {
    let window = Some(Duration::from_hours(24));
    let server = Server::with_faces(FaceSettings { deltafi_default_window: window, ..FaceSettings::default() });
    let ago = |hours: i64| {
        let mut text = Vec::new();
        annals_json::write_micros(&mut text, server.state.engine().options().clock.now_us() - hours * 3_600_000_000);
        String::from_utf8(text).unwrap()
    };
    for hours in [1, 23, 25] {
        post(&server, json!({"severity": "info", "summary": format!("{hours}"), "timestamp": ago(hours)})).await;
    }
    assert_eq!(summaries(&list(&server, "").await), ["1", "23"]);
    assert_eq!(list(&server, "/with-count?severity=info").await["totalCount"], 2);
    assert_eq!(summaries(&list(&server, &format!("?start={}", ago(30))).await), ["1", "23", "25"]);
    assert_eq!(summaries(&list(&server, &format!("?end={}", ago(2))).await), ["23", "25"]);
}

#[tokio::test]
async fn a_trusted_proxy_names_the_caller() {
    let trusted = vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    let server = Server::with_faces(FaceSettings { deltafi_trusted_proxies: trusted, ..FaceSettings::default() });
    let from = async |peer: &str, headers: &[(&str, &str)], method: &str, path: &str| {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let peer: SocketAddr = peer.parse().unwrap();
        let body = if method == "POST" { documented_post().to_string() } else { String::new() };
        server.send(request.extension(ConnectInfo(peer)).body(Body::from(body)).unwrap()).await
    };
    let ada = |permissions| [("x-user-name", "ada"), ("x-user-permissions", permissions)];
    for peer in ["10.0.0.1:5000", "[::1]:5000", "[::ffff:10.0.0.1]:5000"] {
        from(peer, &ada("Admin"), "POST", EVENTS).await.expect(200);
        from(peer, &ada("Nonsense, EventCreate"), "POST", EVENTS).await.expect(200);
        from(peer, &ada("EventRead,EventUpdate"), "GET", EVENTS).await.expect(200);
        for permissions in ["EventRead", "eventcreate", "", "admin", "EventReadEventCreate"] {
            let reply = from(peer, &ada(permissions), "POST", EVENTS).await;
            assert_error(&reply, 403, "Forbidden", "Access Denied", EVENTS);
        }
        for headers in
            [&[] as &[_], &[("x-user-permissions", "Admin")], &[("x-user-name", ""), ("x-user-permissions", "Admin")]]
        {
            assert_error(&from(peer, headers, "GET", EVENTS).await, 403, "Forbidden", "Access Denied", EVENTS);
        }
    }
    assert_eq!(server.total().await, 6);
    for peer in ["10.0.0.2:5000", "[::2]:5000", "127.0.0.1:80"] {
        let reply = from(peer, &ada("Admin"), "GET", EVENTS).await;
        assert_error(&reply, 401, "Unauthorized", "a key is needed", EVENTS);
        let key = format!("Bearer {ADMIN}");
        from(
            peer,
            &[("authorization", key.as_str()), ("x-user-name", "eve"), ("x-user-permissions", "")],
            "GET",
            EVENTS,
        )
        .await
        .expect(200);
    }
    // Nobody is trusted on the other faces, and without the option nobody is on this one.
    from("10.0.0.1:5000", &ada("Admin"), "GET", "/annals/v1/events").await.expect(401);
    from("10.0.0.1:5000", &ada("Admin"), "GET", "/api/v1/events").await.expect(401);
    let request = Request::get(EVENTS).header("x-user-name", "ada").header("x-user-permissions", "Admin");
    server.send(request.body(Body::empty()).unwrap()).await.expect(401);
    let plain = Server::start();
    let request = Request::get(EVENTS).header("x-user-name", "ada").header("x-user-permissions", "Admin");
    let peer: SocketAddr = "127.0.0.1:80".parse().unwrap();
    plain.send(request.extension(ConnectInfo(peer)).body(Body::empty()).unwrap()).await.expect(401);
}

#[tokio::test]
async fn a_key_is_asked_for_first_and_methods_before_that() {
    let server = Server::start();
    for (authorization, message) in
        [(None, "a key is needed"), (Some("Basic d3Jvbmc6d3Jvbmc="), "the key or token is unknown, revoked or expired")]
    {
        for (method, path) in
            [("GET", format!("{EVENTS}?size=x")), ("POST", EVENTS.to_owned()), ("GET", format!("{EVENTS}/x"))]
        {
            let mut request = Request::builder().method(method).uri(&path);
            if let Some(value) = authorization {
                request = request.header("authorization", value);
            }
            let reply = server.send(request.body(Body::from("{")).unwrap()).await;
            assert_eq!(reply.header("www-authenticate"), "Basic realm=\"Restricted\"");
            assert_error(&reply, 401, "Unauthorized", message, path.split('?').next().unwrap());
        }
    }
    for (method, path, allow) in [
        ("DELETE", EVENTS.to_owned(), "GET, HEAD, POST"),
        ("POST", format!("{EVENTS}/with-count"), "GET, HEAD"),
        ("DELETE", format!("{EVENTS}/with-count"), "GET, HEAD"),
        ("POST", format!("{EVENTS}/{ID}"), "GET, HEAD, DELETE"),
        ("GET", format!("{EVENTS}/{ID}/acknowledge"), "PUT"),
        ("QUERY", format!("{EVENTS}/{ID}/unacknowledge"), "PUT"),
    ] {
        let reply = server.call("none", method, &path, None).await;
        assert_eq!(reply.header("allow"), allow, "{path}");
        assert_error(&reply, 405, "Method Not Allowed", &format!("Method '{method}' is not supported."), &path);
    }
    let path = format!("{EVENTS}/{ID}/nonsense");
    assert_error(&server.get(&path).await, 404, "Not Found", "there is no such path", &path);
    let reply = server.call(ADMIN, "HEAD", EVENTS, None).await.expect(200);
    assert_eq!((reply.body.len(), reply.header("content-length")), (0, "2"));
}
