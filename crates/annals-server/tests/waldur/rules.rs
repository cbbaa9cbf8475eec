//! What holds for every call: slashes, methods, keys, tenants.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::support::{ADMIN, Reply, Server};
use super::{at, call, get};

const COLLECTIONS: [&str; 5] = [
    "/api/events/",
    "/api/events/count/",
    "/api/events/event_groups/",
    "/api/events/scope_types/",
    "/api/events-stats/",
];

#[tokio::test]
async fn without_the_slash_get_and_head_are_sent_to_it() {
    let server = Server::start();
    server.store(&[at("a", 1)]).await;
    for path in COLLECTIONS.into_iter().chain(["/api/events/1/"]) {
        let short = path.trim_end_matches('/');
        for method in ["GET", "HEAD"] {
            for key in [ADMIN, "wrong"] {
                let reply =
                    call(&server, key, method, &format!("{short}?page_size=1&event_type=a%2Cb")).await.expect(301);
                assert_eq!(reply.header("location"), format!("{path}?page_size=1&event_type=a%2Cb"));
            }
            assert_eq!(call(&server, ADMIN, method, short).await.expect(301).header("location"), path);
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"] {
            let reply = call(&server, ADMIN, method, short).await.expect(405);
            assert_eq!(reply.header("allow"), "GET, HEAD", "{method} {short}");
        }
    }
}

#[tokio::test]
async fn other_methods_are_405_and_other_paths_404_whoever_asks() {
    let server = Server::start();
    for key in [ADMIN, "wrong"] {
        for path in COLLECTIONS.into_iter().chain(["/api/events/1/"]) {
            for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"] {
                let reply = call(&server, key, method, path).await.expect(405);
                assert_eq!(reply.header("allow"), "GET, HEAD");
                let sentence = format!("Method \"{method}\" not allowed.");
                assert_eq!(reply.json(), json!({"detail": sentence}), "{path}");
            }
        }
        for path in ["/api/events/1/2/", "/api/events/count/x/", "/api/events-stats/1/", "/api/events/1/2"] {
            let reply = call(&server, key, "GET", path).await.expect(404);
            assert_eq!(reply.json(), json!({"detail": "Not found."}), "{path}");
        }
    }
    let reply = get(&server, "/api/eventsx/").await.expect(404);
    assert_eq!(reply.json()["error"]["code"], "not_found", "that path is not this face's");
}

#[tokio::test]
async fn who_has_no_key_a_wrong_one_or_no_scope_is_told_so() {
    let server = Server::start();
    let writer = server.key_for(&["events:create", "audit:read"], &[]).await;
    for path in COLLECTIONS.into_iter().chain(["/api/events/1/", "/api/events/?created_from=x", "/api/events/?page=0"])
    {
        let reply = server.send(Request::get(path).body(Body::empty()).unwrap()).await.expect(401);
        assert_eq!(reply.json(), json!({"detail": "Authentication credentials were not provided."}), "{path}");
        assert_eq!(reply.header("www-authenticate"), "Token");
        let reply = call(&server, "wrong", "GET", path).await.expect(401);
        assert_eq!(reply.json(), json!({"detail": "Invalid token."}), "{path}");
        assert_eq!(reply.header("www-authenticate"), "Token");
        let reply = call(&server, &writer, "GET", path).await.expect(403);
        assert_eq!(reply.json(), json!({"detail": "You do not have permission to perform this action."}), "{path}");
    }
}

#[tokio::test]
async fn every_scheme_of_a_key_is_taken() {
    let server = Server::start();
    let key = server.key_for(&["events:read"], &[]).await;
    for (name, value) in [
        ("authorization", format!("Token {key}")),
        ("authorization", format!("Bearer {key}")),
        ("authorization", key.clone()),
        ("x-api-key", key.clone()),
    ] {
        let request = Request::get("/api/events/").header(name, &value).header("content-type", "application/json");
        server.send(request.body(Body::empty()).unwrap()).await.expect(200);
    }
}

#[tokio::test]
async fn a_limited_key_sees_its_own_and_nothing_of_others() {
    let server = Server::start();
    let mut events = vec![at("mine.realm", 1), at("mine.org", 2), at("theirs.realm", 3), at("nobodys", 4)];
    for (event, kind) in events.iter_mut().zip(["vm", "disk", "secret", "hidden"]) {
        event["resource_type"] = json!(kind);
    }
    events[0]["realm_ids"] = json!(["r", "theirs"]);
    events[1]["org_id"] = json!("o");
    events[2]["realm_ids"] = json!(["theirs"]);
    events[2]["created_at"] = json!("2001-01-01T00:00:00Z");
    // A type of the foreign group that the key sees an event of.
    events.push(json!({"event_type": "mine.realm", "event_group": "theirs", "realm_ids": ["theirs"]}));
    server.store(&events).await;
    let (key, _) = server.key(json!({"name": "k", "scopes": ["events:read"], "realms": ["r"], "orgs": ["o"]})).await;
    let read = async |path: &str| -> Reply { call(&server, &key, "GET", path).await.expect(200) };
    let list = read("/api/events/").await;
    let types: Vec<Value> = list.json().as_array().unwrap().iter().map(|event| event["event_type"].clone()).collect();
    assert_eq!((types, list.header("x-result-count")), (vec![json!("mine.org"), json!("mine.realm")], "2"));
    assert_eq!(read("/api/events/count/").await.json(), json!({"count": 2}));
    let groups = read("/api/events/event_groups/").await;
    assert_eq!(groups.json(), json!({"mine": ["mine.org", "mine.realm"]}));
    assert_eq!(read("/api/events/scope_types/").await.json(), json!(["disk", "vm"]));
    assert_eq!(read("/api/events-stats/").await.json(), json!([{"year": 2024, "month": 12, "count": 2}]));
    assert_eq!(read("/api/events/count/?feature=theirs").await.json(), json!({"count": 0}));
    assert_eq!(read("/api/events/count/?exclude_features=theirs").await.json(), json!({"count": 2}));
    assert_eq!(get(&server, "/api/events/count/?feature=theirs").await.json(), json!({"count": 3}));
    assert_eq!(read("/api/events/1/").await.json()["event_type"], "mine.realm");
    for (path, detail) in
        [("/api/events/3/", "No Event matches the given query."), ("/api/events/?page=2", "Invalid page.")]
    {
        let reply = call(&server, &key, "GET", path).await.expect(404);
        assert_eq!(reply.json(), json!({"detail": detail}), "{path}");
    }
    let stranger = server.key_for(&["events:read"], &["elsewhere"]).await;
    for path in COLLECTIONS {
        let reply = call(&server, &stranger, "GET", path).await.expect(200);
        assert_eq!(reply.header("x-result-count"), "0", "{path}");
    }
}
