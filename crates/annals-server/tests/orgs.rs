//! orgs: every call of its document, literally, and what the document leaves open.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use support::{ADMIN, Reply, Server};

const ORG: &str = "8a1f2b34-0001-4000-8000-000000000001";
const CONTAINER: &str = "8a1f2b34-0002-4000-8000-000000000002";
const LISTS: [&str; 5] = ["by_access", "by_block", "by_create", "by_expire", "by_fail"];

fn post_path() -> String {
    format!("/orgs/{ORG}/containers/{CONTAINER}/events")
}

/// The request of the document.
fn documented() -> Value {
    json!({"event_type": "ACCESS", "timestamp": "2023-11-18T12:00:00Z", "status": "SUCCESS"})
}

/// An event of the organisation and the container, as another face writes it.
fn native(event_type: &str, second: u32) -> Value {
    json!({
        "event_type": event_type, "org_id": ORG, "container_id": CONTAINER,
        "created_at": format!("2023-11-18T12:00:{second:02}Z"),
    })
}

fn column<'a>(page: &'a Value, name: &str) -> Vec<&'a str> {
    page["events"].as_array().unwrap().iter().map(|event| event[name].as_str().unwrap_or("null")).collect()
}

async fn send(server: &Server, key: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    let mut request = Request::post(path).header("authorization", format!("Bearer {key}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn the_documented_event_is_logged_and_read_on_every_list_it_belongs_to() {
    let server = Server::start();
    let reply = server.call(ADMIN, "POST", &post_path(), Some(documented())).await.expect(200);
    assert_eq!(reply.json(), json!({"message": "Event logged successfully"}));
    let id = reply.header("x-event-id").to_owned();
    let event = json!({
        "id": id, "org_id": ORG, "container_id": CONTAINER, "event_type": "ACCESS",
        "timestamp": "2023-11-18T12:00:00.000Z", "status": "SUCCESS",
    });
    let expected = json!({"events": [event], "pagination": {"total": 1, "limit": 100, "offset": 0, "has_more": false}});
    for mount in ["", "/api/v1"] {
        for path in ["events", "events/", "container_events/by_access", &format!("containers/{CONTAINER}/events")] {
            assert_eq!(server.get(&format!("{mount}/orgs/{ORG}/{path}")).await.expect(200).json(), expected, "{path}");
        }
    }
    let none = json!({"events": [], "pagination": {"total": 0, "limit": 100, "offset": 0, "has_more": false}});
    for list in &LISTS[1..] {
        assert_eq!(
            server.get(&format!("/orgs/{ORG}/container_events/{list}")).await.expect(200).json(),
            none,
            "{list}"
        );
    }
    assert_eq!(server.get(&format!("/orgs/{ORG}/containers/other/events")).await.expect(200).json(), none);
    assert_eq!(server.get("/orgs/unknown/events").await.expect(200).json(), none);
    assert_eq!(server.call(ADMIN, "HEAD", &format!("/orgs/{ORG}/events"), None).await.expect(200).body.len(), 0);
}

#[tokio::test]
async fn a_logged_event_is_an_event_of_the_other_faces() {
    let server = Server::start();
    let body = json!({"event_type": "fail", "status": "DENIED", "timestamp": "2023-11-18T13:00:00.123456+01:00",
        "user_id": "u7", "reason": {"code": 5}});
    let reply = server.call(ADMIN, "POST", &post_path(), Some(body)).await.expect(200);
    let id = reply.header("x-event-id");
    let event = server.get(&format!("/annals/v1/events/{id}")).await.expect(200).json();
    let expected = json!({
        "id": id, "sequence": 1, "created_at": "2023-11-18T12:00:00.123456Z", "event_type": "FAIL",
        "event_group": "fail", "severity": "error", "status": "DENIED", "resource_type": "container",
        "resource_id": CONTAINER, "org_id": ORG, "container_id": CONTAINER, "realm_ids": [ORG],
        "message": format!("FAIL container {CONTAINER}"), "acknowledged": false,
        "payload": {"user_id": "u7", "reason": {"code": 5}},
    });
    assert_eq!(event, expected);
    let hoody = server.get(&format!("/api/v1/events?realm_id={ORG}&container_id={CONTAINER}")).await.expect(200).json();
    assert_eq!(hoody["data"]["pagination"]["total"], 1);
    let deltafi = server.get(&format!("/api/v2/events/{id}")).await.expect(200).json();
    assert_eq!(deltafi["summary"], format!("FAIL container {CONTAINER}"));
}

#[tokio::test]
async fn the_event_may_be_wrapped_and_time_and_status_left_out() {
    let server = Server::start();
    for body in [
        json!({"event": documented()}),
        json!({"event_type": "access"}),
        json!({"event": {"event_type": "Access", "status": null}}),
    ] {
        server.call(ADMIN, "POST", &format!("/api/v1{}", post_path()), Some(body)).await.expect(200);
    }
    let page = server.get(&format!("/orgs/{ORG}/events")).await.expect(200).json();
    assert_eq!(column(&page, "event_type"), ["ACCESS"; 3]);
    assert_eq!(column(&page, "status"), ["SUCCESS"; 3]);
    assert_eq!(page["events"][2]["timestamp"], "2023-11-18T12:00:00.000Z", "the present is newer");
}

#[tokio::test]
async fn lists_by_type_take_types_as_any_face_writes_them_of_containers_only() {
    let server = Server::start();
    let mut other_org = native("ACCESS", 9);
    other_org["org_id"] = json!("other");
    let mut no_container = native("ACCESS", 8);
    no_container.as_object_mut().unwrap().remove("container_id");
    let mut denied = native("AcCeSs", 5);
    denied["status"] = json!("Denied");
    let mut failed = native("access", 6);
    failed["status"] = json!("FAILURE");
    let mut blocked = native("bLOCK", 2);
    blocked["status"] = json!("FAILED");
    server
        .store(&[
            native("access", 1),
            blocked,
            native("CREATE", 3),
            native("expire", 4),
            denied,
            failed,
            native("Fail", 7),
            no_container,
            other_org,
            native("accessed", 10),
            native("container.access", 11),
        ])
        .await;
    for (list, types) in [
        ("by_access", &["access", "AcCeSs", "access"] as &[_]),
        ("by_block", &["bLOCK"]),
        ("by_create", &["CREATE"]),
        ("by_expire", &["expire"]),
        ("by_fail", &["Fail", "access", "AcCeSs"]),
    ] {
        let page = server.get(&format!("/orgs/{ORG}/container_events/{list}")).await.expect(200).json();
        assert_eq!(column(&page, "event_type"), types, "{list}");
        assert_eq!(page["pagination"]["total"], types.len(), "{list}");
    }
    let page = server.get(&format!("/orgs/{ORG}/events?limit=1&offset=2")).await.expect(200).json();
    assert_eq!(page["events"][0]["container_id"], Value::Null);
    assert_eq!(page["pagination"], json!({"total": 10, "limit": 1, "offset": 2, "has_more": true}));
}

#[tokio::test]
async fn pages_put_together_are_the_whole_list() {
    let server = Server::start();
    let events: Vec<Value> = (0..57).map(|number| native("ACCESS", number)).collect();
    server.store(&events).await;
    let whole = server.get(&format!("/orgs/{ORG}/events?limit=500")).await.expect(200).json();
    let mut seen = Vec::new();
    for offset in (0..60).step_by(10) {
        let page = server.get(&format!("/orgs/{ORG}/events?limit=10&offset={offset}")).await.expect(200).json();
        assert_eq!(page["pagination"]["has_more"], offset + 10 < 57);
        seen.extend(page["events"].as_array().unwrap().clone());
    }
    assert_eq!(whole["events"].as_array().unwrap(), &seen);
    assert_eq!(seen.len(), 57);
    let beyond = server.get(&format!("/orgs/{ORG}/events?offset=18446744073709551615")).await.expect(200).json();
    assert_eq!(beyond["pagination"], json!({"total": 57, "limit": 100, "offset": u64::MAX, "has_more": false}));
}

#[tokio::test]
async fn keys_reach_their_own_organisations_only() {
    let server = Server::start();
    let key = async |scopes: &[&str], limits: Value| {
        let mut body = json!({"name": "test", "scopes": scopes});
        body.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
        server.key(body).await.0
    };
    let own = key(&["events:read", "events:create"], json!({"orgs": [ORG]})).await;
    let foreign = key(&["events:read", "events:create"], json!({"orgs": ["other"]})).await;
    let realm = key(&["events:read", "events:create"], json!({"realms": [ORG]})).await;
    let reader = key(&["events:read"], json!({"orgs": [ORG]})).await;
    server.call(&own, "POST", &post_path(), Some(documented())).await.expect(200);
    let before = server.extent().await;
    let not_found = json!({"message": "Resource not found"});
    for key in [&foreign, &realm] {
        for path in ["events".to_owned(), format!("containers/{CONTAINER}/events")]
            .into_iter()
            .chain(LISTS.map(|list| format!("container_events/{list}")))
        {
            let reply = server.call(key, "GET", &format!("/orgs/{ORG}/{path}"), None).await.expect(404);
            assert_eq!(reply.json(), not_found, "{path}");
        }
        let reply = server.call(key, "POST", &post_path(), Some(documented())).await.expect(404);
        assert_eq!(reply.json(), not_found);
    }
    let reply = server.call(&reader, "POST", &post_path(), Some(documented())).await.expect(403);
    assert_eq!(reply.json(), json!({"message": "the key lacks the scope events:create"}));
    assert_eq!(server.extent().await, before, "nothing was stored");
    for key in [&own, &reader] {
        let page = server.call(key, "GET", &format!("/orgs/{ORG}/events"), None).await.expect(200).json();
        assert_eq!(page["pagination"]["total"], 1);
    }
    let event = server.get("/annals/v1/events/1").await.expect(200).json();
    assert_eq!((&event["realm_ids"], &event["org_id"]), (&json!([ORG]), &json!(ORG)));
}

#[tokio::test]
async fn a_key_is_asked_for_first() {
    let server = Server::start();
    for (method, path) in [("GET", format!("/orgs/{ORG}/events?limit=0")), ("POST", format!("/api/v1{}", post_path()))]
    {
        for (key, message) in
            [(None, "a key is needed"), (Some("Bearer wrong"), "the key or token is unknown, revoked or expired")]
        {
            let mut request = Request::builder().method(method).uri(&path);
            if let Some(key) = key {
                request = request.header("authorization", key);
            }
            let reply = server.send(request.body(Body::from("{")).unwrap()).await.expect(401);
            assert_eq!(reply.header("www-authenticate"), "Bearer");
            assert_eq!(reply.json(), json!({"message": message}));
        }
    }
    let reply = server.call(ADMIN, "DELETE", &post_path(), None).await.expect(405);
    assert_eq!(
        (reply.header("allow"), &reply.json()["message"]),
        ("GET, HEAD, POST", &json!("DELETE is not a method of this path, it has GET, HEAD, POST"))
    );
    for path in ["/orgs", "/orgs/x", "/api/v1/orgs/x/container_events/by_size"] {
        assert_eq!(server.get(path).await.expect(404).json(), json!({"message": "Resource not found"}), "{path}");
    }
}

#[tokio::test]
async fn a_repeated_request_with_its_key_stores_nothing_again() {
    let server = Server::start();
    let headers = [("idempotency-key", "k-1")];
    let body = documented().to_string();
    let first = send(&server, ADMIN, &post_path(), &headers, body.clone()).await.expect(200);
    let again = send(&server, ADMIN, &format!("/api/v1{}", post_path()), &headers, body.clone()).await.expect(200);
    assert_eq!(first.body, again.body);
    assert_eq!(first.header("x-event-id"), again.header("x-event-id"));
    assert_eq!(server.total().await, 1);
    for (path, body) in [
        (post_path(), json!({"event_type": "BLOCK"}).to_string()),
        (format!("/orgs/{ORG}/containers/other/events"), body.clone()),
        (format!("/orgs/other/containers/{CONTAINER}/events"), body.clone()),
    ] {
        let reply = send(&server, ADMIN, &path, &headers, body).await.expect(422).json();
        assert!(reply["message"].as_str().unwrap().starts_with("this Idempotency-Key was used"), "{path}");
    }
    let long = "k".repeat(129);
    for key in ["", &long] {
        let reply = send(&server, ADMIN, &post_path(), &[("idempotency-key", key)], body.clone()).await.expect(400);
        assert_eq!(reply.json()["message"], "Idempotency-Key must be 1 to 128 printable ASCII characters");
    }
    assert_eq!(server.total().await, 1);
    let other = server.key_for(&["events:create"], &[]).await;
    send(&server, &other, &post_path(), &headers, body.clone()).await.expect(200);
    send(&server, ADMIN, &post_path(), &[], body).await.expect(200);
    assert_eq!(server.total().await, 3, "another caller's key and no key are other requests");
}

#[tokio::test]
async fn what_is_wrong_with_a_query_or_a_path_is_said() {
    let server = Server::start();
    server.store(&[native("ACCESS", 1)]).await;
    let before = server.extent().await;
    let long = "x".repeat(201);
    let lists: Vec<String> = ["events".to_owned(), format!("containers/{CONTAINER}/events")]
        .into_iter()
        .chain(LISTS.map(|list| format!("container_events/{list}")))
        .collect();
    for (query, message) in [
        ("limit=0", "limit must be >= 1"),
        ("limit=501", "limit must be <= 500"),
        ("limit=-1", "limit must be >= 1"),
        ("limit=99999999999999999999", "limit must be <= 500"),
        ("limit=ten", "limit must be integer"),
        ("limit=1.5", "limit must be integer"),
        ("limit=", "limit must be integer"),
        ("limit", "limit must be integer"),
        ("limit=%00", "limit must be integer"),
        ("limit=5&limit=0", "limit must be >= 1"),
        ("limit=%ff", "limit must be UTF-8"),
        ("offset=-1", "offset must be >= 0"),
        ("offset=18446744073709551616", "offset must be <= 18446744073709551615"),
        ("offset=x&limit=x", "limit must be integer; offset must be integer"),
    ] {
        for list in &lists {
            let reply = server.get(&format!("/orgs/{ORG}/{list}?{query}")).await.expect(400).json();
            assert_eq!(reply, json!({"message": message}), "{list}?{query}");
        }
    }
    for (path, message) in [
        (format!("/orgs/{long}/events"), "org_id must not have more than 200 bytes"),
        ("/orgs//events".to_owned(), "org_id must not be empty"),
        (format!("/orgs/{ORG}/containers//events"), "container_id must not be empty"),
        ("/orgs/a%00b/events".to_owned(), "org_id must not hold control characters"),
        ("/orgs/a%c2%85b/container_events/by_fail".to_owned(), "org_id must not hold control characters"),
        ("/orgs/%ff/events".to_owned(), "id must be UTF-8"),
        (format!("/orgs/{ORG}/containers/{long}/events"), "container_id must not have more than 200 bytes"),
        (format!("/orgs/{ORG}/containers/%0a/events"), "container_id must not hold control characters"),
    ] {
        assert_eq!(server.get(&path).await.expect(400).json(), json!({"message": message}), "{path}");
        if path.contains("containers/") {
            let reply = server.call(ADMIN, "POST", &path, Some(documented())).await.expect(400);
            assert_eq!(reply.json(), json!({"message": message}), "{path}");
        }
    }
    for good in ["limit=1", "limit=500&offset=3", "limit=0&limit=7", "unknown=%20&status=", "limit=007"] {
        server.get(&format!("/orgs/{ORG}/events?{good}")).await.expect(200);
    }
    server.get(&format!("/orgs/{}/events", "x".repeat(200))).await.expect(200);
    server.get("/orgs/a%2Fb%20%C3%A9/events").await.expect(200);
    assert_eq!(server.extent().await, before);
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_said_and_nothing_is_stored() {
    let server = Server::start();
    let before = server.extent().await;
    let nested =
        |levels: usize| format!("{{\"event_type\":\"A\",\"x\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
    let (deep, too_deep) = (nested(63), nested(64));
    let long = format!(r#"{{"event_type":"{}"}}"#, "x".repeat(101));
    let wide = format!(r#"{{"event_type":"{}"}}"#, "€".repeat(100));
    let status = format!(r#"{{"event_type":"A","status":"{}"}}"#, "x".repeat(1025));
    let huge = format!(r#"{{"event_type":"A","x":"{}"}}"#, "x".repeat(1 << 20));
    for (body, message) in [
        ("", "event_type is required"),
        (" \n", "event_type is required"),
        ("{}", "event_type is required"),
        ("{", "the body is not JSON: EOF while parsing an object at line 1 column 1"),
        ("not json", "the body is not JSON: expected ident at line 1 column 2"),
        (r#"{"event_type":"A"} x"#, "the body is not JSON: trailing characters at line 1 column 20"),
        ("[]", "the body must be a JSON object"),
        (r#"[{"event_type":"A"}]"#, "the body must be a JSON object"),
        ("\"A\"", "the body must be a JSON object"),
        ("5", "the body must be a JSON object"),
        ("null", "the body must be a JSON object"),
        (r#"{"event":{}}"#, "event_type is required"),
        (r#"{"event":"ACCESS"}"#, "event must be an object"),
        (r#"{"event":[]}"#, "event must be an object"),
        (r#"{"event":null}"#, "event_type is required"),
        (r#"{"event_type":null}"#, "event_type is required"),
        (r#"{"event_type":""}"#, "event_type must not be blank"),
        (r#"{"event_type":" \t"}"#, "event_type must not be blank"),
        (r#"{"event_type":5}"#, "event_type must be a string"),
        (r#"{"event_type":true}"#, "event_type must be a string"),
        (r#"{"event_type":["A"]}"#, "event_type must be a string"),
        (r#"{"event_type":{"a":1}}"#, "event_type must be a string"),
        (r#"{"event_type":"\ud800"}"#, "event_type holds a lone surrogate (half of a \\u pair)"),
        (&long, "event_type must not have more than 100 characters"),
        (&wide, "event_type has 300 bytes, the limit is 200"),
        (r#"{"event_type":"A","timestamp":"yesterday"}"#, "timestamp must be an RFC 3339 time"),
        (r#"{"event_type":"A","timestamp":""}"#, "timestamp must be an RFC 3339 time"),
        (r#"{"event_type":"A","timestamp":"2023-02-30T00:00:00Z"}"#, "timestamp must be an RFC 3339 time"),
        (r#"{"event_type":"A","timestamp":"2023-11-18T12:00:60Z"}"#, "timestamp must be an RFC 3339 time"),
        (r#"{"event_type":"A","timestamp":1700308800}"#, "timestamp must be a string"),
        (r#"{"event_type":"A","timestamp":false}"#, "timestamp must be a string"),
        (r#"{"event_type":"A","timestamp":"9999-01-01T00:00:00Z"}"#, "created_at lies too far in the future"),
        (r#"{"event_type":"A","timestamp":"1969-12-31T23:59:59Z"}"#, "timestamp must lie in the years 1970 to 9999"),
        (r#"{"event_type":"A","status":5}"#, "status must be a string"),
        (r#"{"event_type":"A","status":{}}"#, "status must be a string"),
        (&status, "status has 1025 bytes, the limit is 1024"),
        (r#"{"event_type":"A","x":"\ud800"}"#, "the event holds a lone surrogate (half of a \\u pair)"),
        (&deep, "the event is nested more than 64 levels deep"),
        (&too_deep, "the body nests deeper than 64 levels"),
        (&huge, "the event has 1048798 bytes, the limit is 1048576"),
    ] {
        let reply = send(&server, ADMIN, &post_path(), &[], body.to_owned()).await.expect(400).json();
        let shown: String = body.chars().take(60).collect();
        assert_eq!(reply, json!({"message": message}), "{shown}");
    }
    let invalid = send(&server, ADMIN, &post_path(), &[], b"{\"event_type\":\"\xff\"}".to_vec()).await.expect(400);
    assert_eq!(invalid.json(), json!({"message": "the body is not UTF-8 at byte 16"}));
    let too_large = vec![b' '; (2 << 20) + 1];
    let reply = send(&server, ADMIN, &post_path(), &[], too_large).await.expect(413);
    assert_eq!(reply.json(), json!({"message": "the body has more than 2097152 bytes"}));
    let header = "h".repeat(10 << 20);
    let reply = send(&server, ADMIN, &post_path(), &[("x-large", &header)], documented().to_string()).await.expect(431);
    assert_eq!(reply.json(), json!({"message": "the request has more than 64 headers or 16384 bytes of them"}));
    assert_eq!(server.extent().await, before);
}

#[tokio::test]
async fn odd_bodies_that_are_none_the_less_good_are_stored_as_they_are() {
    let server = Server::start();
    for (content_type, body) in [
        ("text/plain", r#"{"event_type":"A"}"#.to_owned()),
        ("application/x-www-form-urlencoded", r#"{"event_type":"A","event_type":"B"}"#.to_owned()),
        ("", format!(r#"{{"event_type":"{}"}}"#, "x".repeat(100))),
        ("application/json", r#"{"event_type":"nul\u0000😀","status":"\u0001"}"#.to_owned()),
        ("application/json", format!("{}{}", r#"{"event_type":"A"}"#, " ".repeat((2 << 20) - 18))),
    ] {
        send(&server, ADMIN, &post_path(), &[("content-type", content_type)], body).await.expect(200);
    }
    let page = server.get(&format!("/orgs/{ORG}/events")).await.expect(200).json();
    let long = "X".repeat(100);
    assert_eq!(column(&page, "event_type"), ["A", "NUL\u{0}😀", &long, "B", "A"]);
    assert_eq!(page["events"][1]["status"], "\u{1}");
}
