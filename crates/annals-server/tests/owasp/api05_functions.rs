//! API5:2023 Broken function level authorization. Every scope against every route: `rights.rs`.

use annals_server::routes;
use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::ALL_OF_EVENTS;
use crate::support::{ADMIN, Server};

#[tokio::test]
async fn a_key_for_events_administers_nothing() {
    let server = Server::start();
    let key = server.key_for(&ALL_OF_EVENTS, &[]).await;
    let limited = server.key_for(&["admin"], &["mine"]).await;
    let mut tried = 0;
    for route in routes().into_iter().filter(|route| route.whole_store) {
        let path = route.path.replace("{id}", "x").replace("{username}", "x").replace("{name}", "x");
        assert!(!path.contains('{'), "{path}");
        for key in [&key, &limited] {
            server.call(key, route.method, &path, Some(json!({}))).await.expect(403);
        }
        tried += 1;
    }
    assert!(tried >= 15, "{tried}");
}

#[tokio::test]
async fn a_method_or_a_path_in_disguise_is_what_it_is() {
    let server = Server::start();
    server.store(&[json!({"event_type": "a"})]).await;
    let reader = server.key_for(&["events:read"], &[]).await;
    for header in ["x-http-method-override", "x-http-method", "x-method-override", "x-original-method"] {
        let request = Request::get("/annals/v1/events?event_type=a").header("authorization", &reader);
        let reply = server.send(request.header(header, "DELETE").body(Body::empty()).unwrap()).await;
        reply.expect(200);
    }
    for header in ["x-original-url", "x-rewrite-url"] {
        let request = Request::get("/healthz").header(header, "/annals/v1/keys");
        let reply = server.send(request.body(Body::empty()).unwrap()).await.expect(200);
        assert!(!String::from_utf8_lossy(&reply.body).contains("keys"));
    }
    for path in [
        "/healthz/../annals/v1/keys",
        "/docs/..%2fannals/v1/keys",
        "//annals/v1/keys",
        "/annals//v1/keys",
        "/annals/v1/./keys",
        "/annals/v1/keys;x=/healthz",
        "/ANNALS/v1/keys",
        "/annals/v1/keys%00",
        "/openapi/../annals/v1/keys",
    ] {
        // Asked by whoever may not, and by whoever may: there is nothing at such a path for anybody.
        for key in [reader.as_str(), ADMIN] {
            let reply = server.call(key, "GET", path, None).await;
            assert!([400, 404].contains(&reply.status.as_u16()), "{path}: {}", reply.status);
        }
    }
    assert_eq!(server.total().await, 1);
}
