//! Every limit at its edge: what is just allowed, and the answer to one more.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::sync::Arc;
use std::time::Duration;

use annals_engine::{Engine, ManualClock, Options};
use annals_server::{AppState, Limits, ServerConfig, router};
use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use support::{ADMIN, Reply, Server};
use tokio::task::JoinHandle;

fn code(reply: &Reply) -> String {
    reply.json()["error"]["code"].as_str().unwrap().to_owned()
}

fn post(path: &str, body: Body) -> Request<Body> {
    Request::post(path).header("authorization", ADMIN).body(body).unwrap()
}

/// A body that announces no size.
struct Unsized(Option<bytes::Bytes>);

impl hyper::body::Body for Unsized {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, std::io::Error>>> {
        std::task::Poll::Ready(self.0.take().map(|bytes| Ok(hyper::body::Frame::data(bytes))))
    }
}

/// A body of which nothing ever comes.
struct Silent;

impl hyper::body::Body for Silent {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, std::io::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn the_request_target_has_a_length() {
    let server = Server::start();
    let target = |size: usize| {
        let start = "/api/v1/events?x=";
        format!("{start}{}", "y".repeat(size - start.len()))
    };
    server.get(&target(8192)).await.expect(200);
    let reply = server.get(&target(8193)).await.expect(414);
    assert_eq!(reply.json()["statusCode"], 414);
}

#[tokio::test]
async fn headers_have_a_number_and_a_size() {
    let server = Server::start();
    let with = async |count: usize| {
        let mut request = Request::get("/healthz");
        for number in 0..count {
            request = request.header(format!("x-{number}"), "v");
        }
        server.send(request.body(Body::empty()).unwrap()).await
    };
    with(64).await.expect(200);
    assert_eq!(code(&with(65).await.expect(431)), "headers_too_large");
    let sized = async |size: usize| {
        let request = Request::get("/healthz").header("x-a", "v".repeat(size - "x-a".len()));
        server.send(request.body(Body::empty()).unwrap()).await
    };
    sized(16 << 10).await.expect(200);
    sized((16 << 10) + 1).await.expect(431);
}

#[tokio::test]
async fn ingest_bodies_have_a_size_however_they_are_packed() {
    let server = Server::with(Limits { ingest_size_max: 1000, ..Limits::default() });
    let body = |size: usize| {
        let line = "{\"event_type\":\"a\"}";
        format!("{line}{}", " ".repeat(size - line.len())).into_bytes()
    };
    let send = async |bytes: Vec<u8>, packing: &str, announce: bool| {
        let body = if announce { Body::from(bytes) } else { Body::new(Unsized(Some(bytes.into()))) };
        let mut request = post("/annals/v1/events", body);
        request.headers_mut().insert("content-encoding", packing.parse().unwrap());
        server.send(request).await
    };
    for announce in [true, false] {
        send(body(1000), "identity", announce).await.expect(200);
        assert_eq!(code(&send(body(1001), "identity", announce).await.expect(413)), "payload_too_large");
        let zstd = |size| zstd::encode_all(body(size).as_slice(), 1).unwrap();
        send(zstd(1000), "zstd", announce).await.expect(200);
        send(zstd(1001), "zstd", announce).await.expect(413);
    }
    let mut request = post("/annals/v1/events", Body::new(Silent));
    request.headers_mut().insert("content-length", "1001".parse().unwrap());
    server.send(request).await.expect(413);
    assert_eq!(server.total().await, 4);
}

#[tokio::test]
async fn a_body_holds_so_many_events() {
    let server = Server::with(Limits { ingest_events_max: 10, ..Limits::default() });
    let lines = |count| "{\"event_type\":\"a\"}\n".repeat(count);
    server.ingest(&lines(10)).await.expect(200);
    assert_eq!(code(&server.ingest(&lines(11)).await.expect(413)), "payload_too_large");
    assert_eq!(server.total().await, 10);
}

#[tokio::test]
async fn the_largest_batch_is_taken_and_one_more_event_is_not() {
    let server = Server::start();
    let lines = |count| "{\"event_type\":\"a\"}\n".repeat(count);
    assert_eq!(server.ingest(&lines(100_000)).await.expect(200).json()["accepted"], 100_000);
    server.ingest(&lines(100_001)).await.expect(413);
    assert_eq!(server.total().await, 100_000);
}

#[tokio::test]
async fn other_bodies_are_small() {
    let server = Server::start();
    let body = |size: usize| {
        let object = "{\"event_type\":\"a\"}";
        format!("{object}{}", " ".repeat(size - object.len()))
    };
    let send = async |size: usize| {
        let request = Request::delete("/api/v1/events").header("authorization", ADMIN);
        server.send(request.body(Body::from(body(size))).unwrap()).await
    };
    send(128 << 10).await.expect(200);
    assert_eq!(send((128 << 10) + 1).await.expect(413).json()["statusCode"], 413);
}

#[tokio::test]
async fn the_body_of_a_single_event_has_a_size() {
    let server = Server::with(Limits { create_size_max: 1000, small_size_max: 500, ..Limits::default() });
    let org = "0b64c1a4-7a6c-4b2d-9c59-2f7f7d3d9e10";
    for (path, body) in [
        (format!("/orgs/{org}/containers/{org}/events"), json!({"event_type": "ACCESS", "status": "SUCCESS"})),
        ("/api/v2/events".to_owned(), json!({"severity": "info", "summary": "s"})),
        ("/annals/v1/notifications".to_owned(), json!({"title": "t"})),
    ] {
        let send = async |size: usize| {
            let body = body.to_string();
            server.send(post(&path, Body::from(format!("{body}{}", " ".repeat(size - body.len()))))).await
        };
        let taken = send(1000).await;
        assert!(taken.status.is_success(), "{path}: {:?}", taken.body);
        send(1001).await.expect(413);
    }
    assert_eq!(server.total().await, 3);
}

#[tokio::test]
async fn a_stream_of_events_has_no_size() {
    let server = Server::with(Limits { ingest_size_max: 1000, ingest_events_max: 10, ..Limits::default() });
    let lines = "{\"event_type\":\"a\"}\n".repeat(1000);
    server.ingest(&lines).await.expect(413);
    let reply = server.ingest_as(ADMIN, "?partial=true", &lines).await.expect(200).json();
    assert_eq!(reply["accepted"], 1000);
}

#[tokio::test]
async fn json_nests_so_deep() {
    let server = Server::start();
    // The event and its payload are two levels themselves.
    let event = |levels: usize| {
        format!("{{\"event_type\":\"a\",\"payload\":{{\"x\":{}1{}}}}}", "[".repeat(levels), "]".repeat(levels))
    };
    server.ingest(&event(62)).await.expect(200);
    server.ingest(&event(63)).await.expect(400);
    let object = |levels: usize| format!("{{\"retention_days\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    for (levels, word) in [(63, "integer"), (64, "deeper")] {
        let reply = server.send(post("/api/v1/events/cleanup", Body::from(object(levels)))).await.expect(400).json();
        assert!(reply["message"].as_str().unwrap().contains(word), "{reply}");
    }
    let bomb = "[".repeat(100_000);
    server.send(post("/api/v1/events/cleanup", Body::from(bomb.clone()))).await.expect(400);
    server.ingest(&bomb).await.expect(400);
}

#[tokio::test]
async fn json_may_be_allowed_to_nest_less_deep() {
    let server = Server::with(Limits { json_depth_max: 5, ..Limits::default() });
    let event = |levels: usize| {
        format!("{{\"event_type\":\"a\",\"payload\":{{\"x\":{}1{}}}}}", "[".repeat(levels), "]".repeat(levels))
    };
    let as_array = |event: String| {
        let request = Request::post("/annals/v1/events").header("authorization", ADMIN);
        let request = request.header("content-type", "application/json").body(Body::from(format!("[{event}]")));
        server.send(request.unwrap())
    };
    for query in ["", "?partial=true"] {
        assert_eq!(server.ingest_as(ADMIN, query, &event(3)).await.expect(200).json()["accepted"], 1);
        let refused = server.ingest_as(ADMIN, query, &event(4)).await.json();
        assert_eq!(refused["errors"][0]["error"], "the event nests deeper than 5 levels");
        assert_eq!(refused["accepted"], 0);
    }
    as_array(event(3)).await.expect(200);
    as_array(event(4)).await.expect(400);
    let org = "0b64c1a4-7a6c-4b2d-9c59-2f7f7d3d9e10";
    let create = async |levels: usize| {
        let body = format!("{{\"event_type\":\"A\",\"x\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
        server.send(post(&format!("/orgs/{org}/containers/{org}/events"), Body::from(body))).await
    };
    assert!(create(4).await.status.is_success());
    create(5).await.expect(400);
    let object = |levels: usize| format!("{{\"retention_days\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    for (levels, word) in [(4, "integer"), (5, "nests deeper than 5 levels")] {
        let reply = server.send(post("/api/v1/events/cleanup", Body::from(object(levels)))).await.expect(400).json();
        assert!(reply["message"].as_str().unwrap().contains(word), "{reply}");
    }
}

#[tokio::test]
async fn events_may_be_allowed_to_be_smaller() {
    let server = Server::with(Limits { event_size_max: 2000, ..Limits::default() });
    let event = |size: usize| json!({"event_type": "a", "content": "x".repeat(size)}).to_string();
    // What the server fills in counts too, and it says how much that is.
    let refused = server.ingest(&event(2000)).await.expect(400).json();
    let error = refused["errors"][0]["error"].as_str().unwrap().to_owned();
    let has: usize = error.split(' ').find_map(|word| word.parse().ok()).unwrap();
    assert_eq!(error, format!("the event has {has} bytes, the limit is 2000"));
    let most = 2000 - (has - 2000);
    for query in ["", "?partial=true"] {
        server.ingest_as(ADMIN, query, &event(most)).await.expect(200);
        let refused = server.ingest_as(ADMIN, query, &event(most + 1)).await.json();
        assert_eq!(refused["errors"][0]["error"], "the event has 2001 bytes, the limit is 2000");
    }
    let create = async |size: usize| {
        let body = json!({"severity": "info", "summary": "s", "content": "x".repeat(size)});
        server.send(post("/api/v2/events", Body::from(body.to_string()))).await
    };
    // What the face adds counts too.
    assert!(create(1900).await.status.is_success());
    create(2000).await.expect(400);
    assert_eq!(server.total().await, 3);
}

#[tokio::test]
async fn one_event_has_a_size() {
    let server = Server::start();
    let event = |size: usize| json!({"event_type": "a", "content": "x".repeat(size)}).to_string();
    server.ingest(&event(512 << 10)).await.expect(200);
    let reply = server.ingest(&event((512 << 10) + 1)).await.expect(400).json();
    assert!(reply["errors"][0]["error"].as_str().unwrap().contains("content"), "{reply}");
    // All of it together: what the engine says that it has, which is a little more than what was sent.
    let event = |size: usize| json!({"event_type": "a", "payload": {"x": "y".repeat(size)}}).to_string();
    let reply = server.ingest(&event(1 << 20)).await.expect(400).json();
    let error = reply["errors"][0]["error"].as_str().unwrap();
    let has: usize = error.split(' ').find_map(|word| word.parse().ok()).unwrap();
    let most = (1 << 20) - (has - (1 << 20));
    server.ingest(&event(most)).await.expect(200);
    let reply = server.ingest(&event(most + 1)).await.expect(400).json();
    assert!(reply["errors"][0]["error"].as_str().unwrap().contains("the event has 1048577 bytes"), "{reply}");
}

#[tokio::test]
async fn pages_have_a_size_on_every_face() {
    let server = Server::start();
    let org = "0b64c1a4-7a6c-4b2d-9c59-2f7f7d3d9e10";
    server.store(&vec![json!({"event_type": "a", "org_id": org, "event_group": "g"}); 302]).await;
    for (path, most, status) in [
        (format!("/orgs/{org}/events?limit="), 500, 400),
        ("/api/v1/events?limit=".to_owned(), 500, 400),
        ("/api/v2/events?size=".to_owned(), 10_000, 400),
        ("/v1/audit/events?limit=".to_owned(), 200, 422),
        ("/annals/v1/events?limit=".to_owned(), 10_000, 400),
    ] {
        server.get(&format!("{path}{most}")).await.expect(200);
        server.get(&format!("{path}{}", most + 1)).await.expect(status);
    }
    // The vendor's own server shortens.
    for asked in [300, 301] {
        let page = server.get(&format!("/api/events/?page_size={asked}")).await.expect(200).json();
        assert_eq!(page.as_array().unwrap().len(), 300);
    }
}

#[tokio::test]
async fn pages_may_be_allowed_to_be_smaller_on_every_face() {
    let server = Server::with(Limits { page_events_max: 7, ..Limits::default() });
    let org = "0b64c1a4-7a6c-4b2d-9c59-2f7f7d3d9e10";
    server.store(&vec![json!({"event_type": "a", "org_id": org, "event_group": "g"}); 9]).await;
    for (path, status) in [
        (format!("/orgs/{org}/events?limit="), 400),
        ("/api/v1/events?limit=".to_owned(), 400),
        ("/api/v2/events?size=".to_owned(), 400),
        ("/v1/audit/events?limit=".to_owned(), 422),
        ("/annals/v1/events?limit=".to_owned(), 400),
    ] {
        server.get(&format!("{path}7")).await.expect(200);
        server.get(&format!("{path}8")).await.expect(status);
        // What is usual elsewhere would be too much here.
        let (unasked, _) = path.split_once('?').unwrap();
        server.get(unasked).await.expect(200);
    }
    for asked in ["", "?page_size=8"] {
        let page = server.get(&format!("/api/events/{asked}")).await.expect(200).json();
        assert_eq!(page.as_array().unwrap().len(), 7, "{asked}");
    }
    let page = server.get("/annals/v1/events").await.expect(200).json();
    assert_eq!((page["events"].as_array().unwrap().len(), &page["total"]), (7, &json!(9)));
}

#[tokio::test]
async fn filters_have_a_number_and_so_have_their_values() {
    let server = Server::with(Limits { filters_max: 2, filter_values_max: 3, ..Limits::default() });
    for (path, filters, value) in [
        ("/annals/v1/events?", ["user_id=u", "event_type=a", "status=s"], "user_id"),
        ("/annals/v1/stats?", ["user_id=u", "event_type=a", "status=s"], "user_id"),
        ("/api/events/?", ["event_type=a", "created_from=1", "created_to=2"], "event_type"),
    ] {
        server.get(&format!("{path}{}", filters[..2].join("&"))).await.expect(200);
        server.get(&format!("{path}{}", filters.join("&"))).await.expect(400);
        let values = |count: usize| format!("{path}{}", vec![format!("{value}=v"); count].join("&"));
        server.get(&values(3)).await.expect(200);
        server.get(&values(4)).await.expect(400);
    }
}

#[tokio::test]
async fn filters_are_bounded_on_every_face() {
    let server = Server::start();
    for path in ["/api/v1/events", "/annals/v1/events", "/annals/v1/stats"] {
        let ask = async |size: usize| server.get(&format!("{path}?event_type={}", "x".repeat(size))).await;
        ask(1024).await.expect(200);
        ask(1025).await.expect(400);
    }
    let values = |count: usize| format!("/annals/v1/events?x{}", "&user_id=u".repeat(count)).replace("?x&", "?");
    server.get(&values(100)).await.expect(200);
    server.get(&values(101)).await.expect(400);
    let long = json!({"event_type": "x".repeat(1025)});
    server.call(ADMIN, "DELETE", "/api/v1/events", Some(long)).await.expect(400);
}

#[tokio::test]
async fn a_query_has_its_time() {
    let server = Server::with(Limits { query_time_max: Duration::ZERO, ..Limits::default() });
    server.ingest("{\"event_type\":\"a\"}").await.expect(200);
    for path in ["/annals/v1/events", "/annals/v1/stats?by=event_type"] {
        assert_eq!(code(&server.get(path).await.expect(503)), "query_too_expensive", "{path}");
    }
    for path in ["/api/v1/events", "/api/v1/events/stats"] {
        assert_eq!(server.get(path).await.expect(503).json()["statusCode"], 503, "{path}");
    }
}

#[tokio::test]
async fn a_query_goes_through_so_many_events() {
    let server = Server::with(Limits { query_scanned_events_max: 50, ..Limits::default() });
    let event = |number: usize| json!({"event_type": "a", "message": format!("number {number} of many")});
    server.store(&(0..50).map(event).collect::<Vec<_>>()).await;
    let asked = ["/annals/v1/events?q=of%20man", "/annals/v1/stats?q=of%20man"];
    for is_sealed in [false, true] {
        for path in asked {
            let found = server.get(path).await.expect(200).json();
            assert_eq!(found["total"], 50, "{path}, sealed: {is_sealed}");
        }
        if !is_sealed {
            server.state.engine().seal_now().unwrap();
        }
    }
    // What an index tells goes through no event.
    server.get("/annals/v1/stats?event_type=a&by=event_type").await.expect(200);
    server.store(&[event(51)]).await;
    for _ in [false, true] {
        for path in asked {
            let refused = server.get(path).await.expect(503);
            assert_eq!((code(&refused).as_str(), refused.header("retry-after")), ("query_too_expensive", ""), "{path}");
        }
        server.state.engine().seal_now().unwrap();
        server.state.engine().compact().unwrap();
    }
    server.get("/annals/v1/stats?event_type=a&by=event_type").await.expect(200);
    let doomed = server.call(ADMIN, "DELETE", "/annals/v1/events?q=of%20man&dry_run=true", None).await;
    assert_eq!(code(&doomed.expect(503)), "query_too_expensive");
}

#[tokio::test]
async fn the_events_that_a_query_goes_through_are_counted_on_every_face() {
    let server = Server::with(Limits { query_scanned_events_max: 1, ..Limits::default() });
    let org = "0b64c1a4-7a6c-4b2d-9c59-2f7f7d3d9e10";
    let event = json!({"event_type": "a", "org_id": org, "realm_ids": [org], "severity": "info", "event_group": "g"});
    server.store(&vec![event; 3]).await;
    for path in [
        format!("/orgs/{org}/events?resource_type=x"),
        "/api/v1/events?event_type=a".to_owned(),
        "/api/v1/events/stats?event_type=a".to_owned(),
        "/api/events/?event_type=a".to_owned(),
        "/api/v2/events?severity=info".to_owned(),
        "/v1/audit/events?event_type=a".to_owned(),
    ] {
        let refused = server.get(&path).await;
        assert_eq!(refused.status.as_u16(), 503, "{path}: {:?}", refused.body);
        assert!(
            String::from_utf8_lossy(&refused.body).contains("goes through more events"),
            "{path}: {:?}",
            refused.body
        );
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let server = Server::with(Limits { body_pause_max: Duration::from_millis(30), ..Limits::default() });
    for path in ["/annals/v1/events", "/annals/v1/events?partial=true", "/annals/v1/keys"] {
        let reply = server.send(post(path, Body::new(Silent))).await.expect(408);
        if path.ends_with("partial=true") {
            let errors = json!([{"line": 1, "error": "the body breaks off: the body came too slowly"}]);
            assert_eq!((&reply.json()["errors"], &reply.json()["accepted"]), (&errors, &json!(0)));
        } else {
            assert_eq!(code(&reply), "body_timeout");
        }
        assert_eq!(reply.header("connection"), "close");
    }
}

#[tokio::test]
async fn requests_and_streams_at_once_are_bounded() {
    let server = Server::with(Limits { requests_max: 0, ..Limits::default() });
    let reply = server.get("/healthz").await.expect(503);
    assert_eq!((code(&reply).as_str(), reply.header("retry-after")), ("busy", "1"));
    let server = Server::with(Limits { streams_max: 1, ..Limits::default() });
    let endless = {
        let app = server.app.clone();
        let request = post("/annals/v1/events?partial=true", Body::new(Silent));
        tokio::spawn(async move { tower::ServiceExt::oneshot(app, request).await })
    };
    // It runs until it waits for its body.
    tokio::task::yield_now().await;
    assert!(!endless.is_finished());
    let reply = server.ingest_as(ADMIN, "?partial=true", "{\"event_type\":\"a\"}").await.expect(503);
    assert_eq!(code(&reply), "busy");
    server.ingest("{\"event_type\":\"a\"}").await.expect(200);
    endless.abort();
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_a_request_still() {
    let limits = Limits { requests_max: 1, page_size_bytes_max: 1 << 20, ..Limits::default() };
    let server = Server::with(limits);
    let event = json!({"event_type": "a", "payload": {"x": "y".repeat(30_000)}});
    server.store(&vec![event; 60]).await;
    let ask = async |path: &str| {
        let request = Request::get(path).header("authorization", ADMIN).body(Body::empty()).unwrap();
        tower::ServiceExt::oneshot(server.app.clone(), request).await.unwrap().into_body()
    };
    // The first comes whole, the others in pieces.
    for path in ["/api/v1/events?limit=20", "/api/v1/events?limit=60", "/annals/v1/events?limit=60"] {
        let mut body = ask(path).await;
        let first = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap().into_data().unwrap();
        assert!(first.len() <= 256 << 10, "{path}");
        assert_eq!(code(&server.get("/healthz").await.expect(503)), "busy", "{path}");
        drop(body);
        let whole = server.get(path).await.expect(200);
        assert!(whole.body.len() > 500_000 && whole.json().is_object(), "{path}");
    }
    // Small ones are gone with their head, and tails have places of their own.
    let (_small, _tail) = (ask("/healthz").await, ask("/annals/v1/tail").await);
    server.get("/healthz").await.expect(200);
}

/// A body that comes as it is sent.
struct Slow(tokio::sync::mpsc::Receiver<bytes::Bytes>);

impl hyper::body::Body for Slow {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, std::io::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|bytes| Ok(hyper::body::Frame::data(bytes))))
    }
}

/// Sends lines and does not end, until what is returned is dropped.
async fn send_slowly(server: &Server, lines: &str) -> (tokio::sync::mpsc::Sender<bytes::Bytes>, JoinHandle<Reply>) {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let mut request = post("/annals/v1/events", Body::new(Slow(receiver)));
    request.headers_mut().insert("content-length", (lines.len() + 1000).into());
    let (app, lines) = (server.app.clone(), lines.to_owned());
    let reply = tokio::spawn(async move { support::reply(app, request).await });
    // The last of them is taken when the first ones were parsed. Whoever is refused takes none.
    for piece in [lines, "\n".to_owned(), "\n".to_owned()] {
        let _ = sender.send(piece.into()).await;
    }
    (sender, reply)
}

#[tokio::test]
async fn memory_of_ingest_is_what_the_events_take_and_not_their_lines() {
    let lines = "{\"event_type\":\"a\"}\n".repeat(20_000);
    let mut feed = annals_json::LineFeed::default();
    feed.take(lines.as_bytes(), &|_: &mut annals_json::IncomingEvent<'_>, _: annals_json::Line<'_>| Ok(()));
    let held = feed.memory_bytes() >> 10;
    assert!(held << 10 > 4 * lines.len(), "{held} KiB");
    for (spare, status) in [(0, 200), (1, 503)] {
        let server = Server::with(Limits { ingest_memory_max: (2 * held - spare) << 10, ..Limits::default() });
        let (first, first_reply) = send_slowly(&server, &lines).await;
        let (second, second_reply) = send_slowly(&server, &lines).await;
        drop(second);
        let reply = second_reply.await.unwrap().expect(status);
        if status == 503 {
            assert_eq!((code(&reply).as_str(), reply.header("retry-after")), ("busy", "1"));
        }
        drop(first);
        first_reply.await.unwrap().expect(200);
        // What is refused or stored is held no longer.
        server.ingest(&lines).await.expect(200);
    }
    // A body for which there is too little at all has all of it.
    let server = Server::with(Limits { ingest_memory_max: 1 << 20, ..Limits::default() });
    server.ingest(&lines).await.expect(200);
}

/// A server on a clock that is moved by hand, with a key of its own and its limits.
async fn rated(limits: Limits) -> (Server, Arc<ManualClock>, String) {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(1_700_000_000_000_000));
    let mut options = Options::new(directory.path());
    options.log_size_bytes = 4 << 20;
    options.clock = clock.clone();
    let config = ServerConfig { limits, admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(directory.path()) };
    let state = AppState::with_engine(Engine::open(options).unwrap(), &config).unwrap().state;
    let server = Server { directory, app: router(state.clone()), state };
    let key = server.key_for(&["events:read", "events:create"], &[]).await;
    (server, clock, key)
}

#[tokio::test]
async fn a_key_has_so_many_requests_in_a_second() {
    let limits = Limits { key_requests_per_second: 2, key_burst: Duration::from_secs(1), ..Limits::default() };
    let (server, clock, key) = rated(limits).await;
    let other = server.key_for(&["events:read"], &[]).await;
    let ask = |key: String| {
        let server = &server;
        async move { server.call(&key, "GET", "/annals/v1/events", None).await }
    };
    for _ in 0..2 {
        ask(key.clone()).await.expect(200);
    }
    let refused = ask(key.clone()).await.expect(429);
    assert_eq!((code(&refused).as_str(), refused.header("retry-after")), ("rate_limited", "1"));
    // Another face has the same bucket and says it in its own words.
    let refused = server.call(&key, "GET", "/v1/audit/events", None).await.expect(429);
    assert_eq!(refused.header("retry-after"), "1");
    ask(other).await.expect(200);
    for _ in 0..5 {
        ask(ADMIN.to_owned()).await.expect(200);
    }
    clock.advance_us(499_999);
    ask(key.clone()).await.expect(429);
    clock.advance_us(1);
    ask(key.clone()).await.expect(200);
    ask(key).await.expect(429);
}

#[tokio::test]
async fn a_key_appends_so_many_events_in_a_second() {
    let limits = Limits { key_events_per_second: 10, key_burst: Duration::from_secs(1), ..Limits::default() };
    let (server, clock, key) = rated(limits).await;
    let lines = |count: usize| "{\"event_type\":\"a\"}\n".repeat(count);
    let before = server.extent().await;
    server.ingest_as(&key, "", &lines(10)).await.expect(200);
    for query in ["", "?partial=true"] {
        let refused = server.ingest_as(&key, query, &lines(1)).await.expect(429);
        assert_eq!((code(&refused).as_str(), refused.header("retry-after")), ("rate_limited", "1"), "{query}");
    }
    let single = json!({"event_type": "a", "severity": "info", "summary": "s", "content": "c", "source": "s"});
    server.call(&key, "POST", "/api/v2/events", Some(single)).await.expect(429);
    assert_eq!(server.extent().await, (before.0 + 10, before.1 + 10), "what was refused is not stored");
    clock.advance_us(99_999);
    server.ingest_as(&key, "", &lines(1)).await.expect(429);
    clock.advance_us(1);
    server.ingest_as(&key, "", &lines(1)).await.expect(200);
    server.ingest_as(ADMIN, "", &lines(50)).await.expect(200);
    server.call(&key, "GET", "/annals/v1/events", None).await.expect(200);
}

#[tokio::test]
async fn a_key_may_have_rates_of_its_own() {
    let limits = Limits { key_requests_per_second: 2, key_burst: Duration::from_secs(1), ..Limits::default() };
    let (server, _clock, usual) = rated(limits).await;
    let new = |own: serde_json::Value| {
        let mut body = json!({"name": "n", "scopes": ["events:read", "events:create"]});
        body.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        body
    };
    let (free, id) = server.key(new(json!({"requests_per_second": 0, "events_per_second": 5}))).await;
    let shown = server.get("/annals/v1/keys").await.expect(200).json();
    assert_eq!(shown["keys"][0]["id"], id);
    assert_eq!(
        (&shown["keys"][0]["requests_per_second"], &shown["keys"][0]["events_per_second"]),
        (&json!(0), &json!(5))
    );
    let ask = async |key: &str| server.call(key, "GET", "/annals/v1/events", None).await.status.as_u16();
    for _ in 0..20 {
        assert_eq!(ask(&free).await, 200);
    }
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(ask(&usual).await);
    }
    assert_eq!(answers, [200, 200, 429, 429, 429, 429]);
    let line = "{\"event_type\":\"a\"}\n";
    server.ingest_as(&free, "", &line.repeat(5)).await.expect(200);
    assert_eq!(code(&server.ingest_as(&free, "", &line.repeat(5)).await.expect(429)), "rate_limited");
    let wrong = new(json!({"requests_per_second": 1_000_001}));
    let refused = server.call(ADMIN, "POST", "/annals/v1/keys", Some(wrong)).await.expect(400).json();
    assert_eq!(refused["error"]["message"], "requests_per_second must be a whole number of 0 to 1000000");
    let trail = server.get("/annals/v1/audit?event_type=key.created&sort=created_at").await.expect(200).json();
    let told = &trail["events"][1]["payload"];
    assert_eq!((&told["requests_per_second"], &told["events_per_second"]), (&json!(0), &json!(5)));
}
