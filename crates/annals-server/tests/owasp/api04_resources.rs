//! API4:2023 Unrestricted resource consumption. Every limit at its edge: `limits.rs`; slow and silent clients over real
//! sockets: `socket.rs`, `leaving.rs`; tails: `tail`; passwords: `users.rs`; ten times the ingest that the disk takes:
//! `tests/acceptance/back-pressure.sh`.

use std::io::Write as _;

use annals_server::Limits;
use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::support::{ADMIN, Server};

#[tokio::test]
async fn a_bomb_is_refused_before_it_is_unpacked() {
    let server = Server::with(Limits { ingest_size_max: 1 << 20, ..Limits::default() });
    let line = "{\"event_type\":\"a\"}\n";
    let plain = line.repeat((256 << 20) / line.len());
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = zstd::encode_all(plain.as_bytes(), 1).unwrap();
    drop(plain);
    for (coding, packed) in [("gzip", gzip), ("zstd", zstd)] {
        for path in ["/annals/v1/events", "/annals/v1/notifications", "/annals/v1/keys"] {
            let request = Request::post(path).header("authorization", ADMIN).header("content-encoding", coding);
            server.send(request.body(Body::from(packed.clone())).unwrap()).await.expect(413);
        }
    }
    assert_eq!(server.total().await, 0);
}

#[tokio::test]
async fn the_dearest_questions_are_cheap_or_refused() {
    let server = Server::start();
    server.store(&vec![json!({"event_type": "a", "message": "m"}); 1000]).await;
    let far = u64::MAX;
    for (path, status) in [
        (format!("/annals/v1/events?offset={far}"), 200),
        (format!("/api/v1/events?offset={far}"), 200),
        (format!("/api/v2/events?offset={far}"), 200),
        (format!("/annals/v1/events?limit={far}"), 400),
        ("/annals/v1/events?limit=-1".to_owned(), 400),
        ("/annals/v1/stats?interval=1s&from=1970-01-01".to_owned(), 200),
        (format!("/annals/v1/events?q={}", "x".repeat(1025)), 400),
        (format!("/annals/v1/events?{}", "prefix.user_id=a&".repeat(101)), 400),
        (format!("/annals/v1/events?q={}", "%28a%2B%2B%29%2B%24".repeat(20)), 200),
    ] {
        let reply = server.get(&path).await;
        assert_eq!(reply.status.as_u16(), status, "{path}: {:?}", reply.body);
    }
}

#[tokio::test]
async fn one_key_cannot_take_what_is_everybodys() {
    let limits = Limits { key_requests_per_second: 5, ..Limits::default() };
    let server = Server::with(Limits { key_burst: std::time::Duration::from_secs(1), ..limits });
    let (greedy, modest) = (server.key_for(&["events:read"], &[]).await, server.key_for(&["events:read"], &[]).await);
    let mut refused = 0;
    for _ in 0..200 {
        let reply = server.call(&greedy, "GET", "/annals/v1/events", None).await;
        refused += usize::from(reply.status.as_u16() == 429);
        assert!(reply.status.as_u16() == 200 || !reply.header("retry-after").is_empty());
    }
    assert!(refused > 0, "200 requests at once are more than 5 a second");
    server.call(&modest, "GET", "/annals/v1/events", None).await.expect(200);
}
