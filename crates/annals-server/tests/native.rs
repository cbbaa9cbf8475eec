//! The native API: ingest, lists, single events, marks, deletes, statistics.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::io::Write as _;

use annals_engine::Durability;
use annals_server::Limits;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use support::{ADMIN, Reply, Server};

fn post(body: impl Into<Body>, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::post("/annals/v1/events").header("authorization", ADMIN);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn minute(number: usize) -> String {
    format!("2025-01-01T{:02}:{:02}:00Z", number / 60, number % 60)
}

fn names(page: &Value) -> Vec<&str> {
    page["events"].as_array().unwrap().iter().map(|event| event["event_type"].as_str().unwrap()).collect()
}

fn message(reply: Reply, status: u16) -> String {
    reply.expect(status).json()["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_form_of_a_body_is_taken() {
    let server = Server::start();
    let lines = b"{\"event_type\":\"a\"}\n\n{\"event_type\":\"b\"}".as_slice();
    let array = b"[{\"event_type\":\"c\"},{\"event_type\":\"d\"}]".as_slice();
    let zstd = zstd::encode_all(lines, 1).unwrap();
    let json = ("content-type", "application/json");
    for (body, headers, accepted) in [
        (lines.to_vec(), vec![], 2),
        (lines.to_vec(), vec![("content-type", "application/x-ndjson; charset=utf-8")], 2),
        (lines.to_vec(), vec![("content-type", "application/json-lines")], 2),
        (gzip(lines), vec![("content-encoding", "gzip")], 2),
        (zstd, vec![("content-encoding", "zstd")], 2),
        (array.to_vec(), vec![json], 2),
        (gzip(array), vec![json, ("content-encoding", "gzip")], 2),
        (b"{\"event_type\":\"e\"}".to_vec(), vec![json], 1),
        (b"".to_vec(), vec![], 0),
    ] {
        let reply = server.send(post(body, &headers)).await.expect(200).json();
        assert_eq!(reply, json!({"accepted": accepted, "duplicates": 0, "rejected": 0, "errors": []}), "{headers:?}");
    }
    server.send(post("x", &[("content-type", "text/csv")])).await.expect(415);
    server.send(post("x", &[("content-encoding", "br")])).await.expect(415);
    server.send(post("x", &[("content-encoding", "gzip")])).await.expect(400);
    assert_eq!(server.total().await, 15);
}

#[tokio::test]
async fn one_bad_line_keeps_all_of_them_out() {
    let server = Server::start();
    let lines = "{\"event_type\":\"a\"}\nnonsense\n{\"event_type\":\"\"}\n";
    let reply = server.ingest(lines).await.expect(400).json();
    assert_eq!((&reply["accepted"], &reply["duplicates"], &reply["rejected"]), (&json!(0), &json!(0), &json!(2)));
    let errors = reply["errors"].as_array().unwrap();
    assert_eq!(errors.iter().map(|error| error["line"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 3]);
    assert!(errors[1]["error"].as_str().unwrap().contains("event_type"));
    assert_eq!(server.total().await, 0);
    let reply = server.send(post("[{\"event_type\":\"a\"},{}]", &[("content-type", "application/json")])).await;
    assert_eq!(reply.expect(400).json()["errors"][0]["line"], 2);
    assert_eq!(server.total().await, 0);
}

/// With `partial=true` one event from the future once took the good lines of its batch with it.
#[tokio::test]
async fn an_event_from_the_far_future_is_an_error_of_its_line() {
    let server = Server::start();
    let lines = "{\"event_type\":\"a\"}\n{\"event_type\":\"b\",\"created_at\":\"2199-01-01T00:00:00Z\"}\n";
    let reply = server.ingest_as(ADMIN, "?partial=true", lines).await.expect(200).json();
    assert_eq!(
        (&reply["accepted"], &reply["rejected"], &reply["errors"][0]["line"]),
        (&json!(1), &json!(1), &json!(2))
    );
    let reply = server.ingest_as(ADMIN, "", lines).await.expect(400).json();
    assert_eq!((&reply["accepted"], &reply["errors"][0]["line"]), (&json!(0), &json!(2)));
    assert_eq!(server.total().await, 1);
}

#[tokio::test]
async fn partial_stores_the_good_lines_and_names_the_first_hundred_bad_ones() {
    let server = Server::start();
    let lines = "{\"event_type\":\"a\"}\nnonsense\n".repeat(150);
    let reply = server.ingest_as(ADMIN, "?partial=true", &lines).await.expect(200).json();
    assert_eq!((&reply["accepted"], &reply["rejected"]), (&json!(150), &json!(150)));
    assert_eq!(reply["errors"].as_array().unwrap().len(), 100);
    assert_eq!(reply["errors"][99]["line"], 200);
    assert_eq!(server.total().await, 150);
    let request = Request::post("/annals/v1/events?partial=true").header("authorization", ADMIN);
    let request = request.header("content-type", "application/json");
    let reply =
        server.send(request.body(Body::from("[{\"event_type\":\"b\"},{},7]")).unwrap()).await.expect(200).json();
    assert_eq!((&reply["accepted"], &reply["rejected"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn partial_streams_more_than_a_batch_holds_in_any_packing() {
    let limits = Limits { ingest_size_max: 64 << 10, ingest_events_max: 100, ..Limits::default() };
    let server = Server::with(limits);
    let lines = "{\"event_type\":\"a\",\"message\":\"some text to make it longer\"}\n".repeat(20_000);
    server.ingest(&lines).await.expect(413);
    let zstd = zstd::encode_all(lines.as_bytes(), 1).unwrap();
    for (body, packing) in [(lines.clone().into_bytes(), "identity"), (gzip(lines.as_bytes()), "gzip"), (zstd, "zstd")]
    {
        let pieces = body.chunks(10_007).map(|piece| Ok::<_, std::io::Error>(bytes::Bytes::copy_from_slice(piece)));
        let body = Body::new(Pieces(pieces.collect::<Vec<_>>().into_iter()));
        let request = Request::post("/annals/v1/events?partial=true").header("authorization", ADMIN);
        let reply = server.send(request.header("content-encoding", packing).body(body).unwrap()).await;
        assert_eq!(reply.expect(200).json()["accepted"], 20_000, "{packing}");
    }
    assert_eq!(server.total().await, 60_000);
}

#[tokio::test]
async fn a_stream_that_breaks_off_says_what_it_stored() {
    let server = Server::start();
    let good = "{\"event_type\":\"a\",\"message\":\"some text to make it longer\"}\n".repeat(200_000);
    let pieces = vec![Ok(bytes::Bytes::from(good.clone())), Err(std::io::Error::other("gone"))];
    let packed = gzip(good.as_bytes());
    let zstd = zstd::encode_all(good.as_bytes(), 1).unwrap();
    let cut = |packed: &[u8]| Body::from(packed[..packed.len() - 9].to_vec());
    let mut stored = 0;
    for (body, packing, many, reason) in [
        (Body::new(Pieces(pieces.into_iter())), "identity", true, "the body breaks off: the body broke off"),
        (cut(&packed), "gzip", true, "the body breaks off: the body cannot be unpacked: "),
        (cut(&zstd), "zstd", true, "the body breaks off: the body cannot be unpacked: "),
        (Body::from("not packed"), "gzip", false, "the body breaks off: the body cannot be unpacked: "),
    ] {
        let request = Request::post("/annals/v1/events?partial=true").header("authorization", ADMIN);
        let request = request.header("content-encoding", packing).body(body).unwrap();
        let reply = server.send(request).await.expect(400).json();
        let accepted = reply["accepted"].as_u64().unwrap();
        assert_eq!(accepted > 0, many, "{packing}: {reply}");
        assert_eq!((&reply["duplicates"], &reply["rejected"]), (&json!(0), &json!(0)));
        assert_eq!(reply["errors"].as_array().unwrap().len(), 1);
        assert_eq!(reply["errors"][0]["line"], accepted + 1, "the client goes on there");
        assert!(reply["errors"][0]["error"].as_str().unwrap().starts_with(reason), "{reply}");
        stored += accepted;
        assert_eq!(server.total().await, stored);
    }
}

/// A body of given pieces.
struct Pieces(std::vec::IntoIter<Result<bytes::Bytes, std::io::Error>>);

impl hyper::body::Body for Pieces {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, std::io::Error>>> {
        std::task::Poll::Ready(self.0.next().map(|piece| piece.map(hyper::body::Frame::data)))
    }
}

#[tokio::test]
async fn repeats_by_id_are_counted_and_not_stored() {
    let server = Server::start();
    let line =
        "{\"id\":\"507f1f77bcf86cd799439044\",\"event_type\":\"a\",\"created_at\":\"2025-01-15T10:30:05.123Z\"}\n";
    for (accepted, duplicates) in [(1, 0), (0, 1)] {
        let reply = server.ingest(line).await.expect(200).json();
        assert_eq!((&reply["accepted"], &reply["duplicates"]), (&json!(accepted), &json!(duplicates)));
    }
    let reply = server.ingest(&line.replace(".123Z", ".124Z")).await.expect(200).json();
    assert_eq!(reply["accepted"], 1, "the same id at another time is another event");
    let without_time = line.replace(",\"created_at\":\"2025-01-15T10:30:05.123Z\"", "");
    assert_eq!(server.ingest(&without_time).await.expect(200).json()["duplicates"], 1);
    assert_eq!(server.total().await, 2);
}

#[tokio::test]
async fn an_idempotency_key_makes_a_retry_harmless() {
    let server = Server::start();
    let key = ("idempotency-key", "order 66");
    let first = server.send(post("{\"event_type\":\"a\"}\n{\"event_type\":\"b\"}", &[key])).await.expect(200).json();
    assert_eq!(first["accepted"], 2);
    let again = server.send(post("{\"event_type\":\"a\"}\n{\"event_type\":\"b\"}", &[key])).await.expect(200).json();
    assert_eq!(again, first);
    let packed = gzip(b"{\"event_type\":\"a\"}\n{\"event_type\":\"b\"}");
    let packed = server.send(post(packed, &[key, ("content-encoding", "gzip")])).await.expect(200).json();
    assert_eq!(packed, first, "the same events in another packing");
    let reply = server.send(post("{\"event_type\":\"c\"}", &[key])).await.expect(422).json();
    assert_eq!(reply["error"]["code"], "idempotency_mismatch");
    assert_eq!(server.total().await, 2);
    for bad in ["", &"x".repeat(129), "tab\there"] {
        let request = post("{\"event_type\":\"c\"}", &[("idempotency-key", bad)]);
        assert!(message(server.send(request).await, 400).starts_with("Idempotency-Key"));
    }
    let request = Request::post("/annals/v1/events?partial=true").header("authorization", ADMIN);
    let request = request.header("idempotency-key", "k").body(Body::from("{\"event_type\":\"c\"}")).unwrap();
    server.send(request).await.expect(400);
    assert_eq!(server.total().await, 2);
}

#[tokio::test]
async fn an_idempotency_key_in_use_is_not_used_twice() {
    let server = Server::start();
    let key = ("idempotency-key", "k");
    let (app, slow) = (server.app.clone(), post(Body::new(Silent), &[key]));
    let running = tokio::spawn(async move { tower::ServiceExt::oneshot(app, slow).await });
    // It runs until it waits for its body.
    tokio::task::yield_now().await;
    let second = server.send(post("{\"event_type\":\"a\"}", &[key])).await.expect(409).json();
    assert_eq!(second["error"]["code"], "idempotency_running");
    running.abort();
    assert!(running.await.is_err());
    server.send(post("{\"event_type\":\"a\"}", &[key])).await.expect(200);
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
async fn durability_can_be_raised_and_not_lowered() {
    let server = Server::with_durability(Limits::default(), Durability::Interval);
    for (level, status) in [("sync", 200), ("interval", 200), ("buffered", 400), ("none", 400)] {
        let reply = server.ingest_as(ADMIN, &format!("?durability={level}"), "{\"event_type\":\"a\"}").await;
        assert_eq!(reply.status.as_u16(), status, "{level}");
    }
    assert_eq!(server.total().await, 2);
}

#[tokio::test]
async fn an_event_comes_back_as_it_was_sent_and_filled_in() {
    let server = Server::start();
    let event = json!({
        "id": "507f1f77-bcf8-6cd7-9943-9044507f1f77",
        "ts": 1_736_937_005_123_u64,
        "event_type": "vm.start",
        "summary": "it \"started\"\u{1} é 😀",
        "http_status": 200,
        "realm_ids": ["r"],
        "extra": {"a": [1.50, null]},
    });
    server.store(&[event]).await;
    let shown = server.get("/annals/v1/events/507f1f77-bcf8-6cd7-9943-9044507f1f77").await.expect(200).json();
    let expected = json!({
        "id": "507f1f77-bcf8-6cd7-9943-9044507f1f77",
        "sequence": 1,
        "created_at": "2025-01-15T10:30:05.123000Z",
        "event_type": "vm.start",
        "event_group": "vm",
        "severity": "info",
        "status": "success",
        "resource_type": "system",
        "message": "it \"started\"\u{1} é 😀",
        "http_status": 200,
        "realm_ids": ["r"],
        "acknowledged": false,
        "payload": {"extra": {"a": [1.50, null]}},
    });
    assert_eq!(shown, expected);
    for name in ["1", "507F1F77BCF86CD799439044507F1F77", "{507f1f77-bcf8-6cd7-9943-9044507f1f77}"] {
        let path = format!("/annals/v1/events/{}", name.replace('{', "%7B").replace('}', "%7D"));
        assert_eq!(server.get(&path).await.expect(200).json(), expected, "{name}");
    }
    for name in ["2", "x", "507f1f77-bcf8-6cd7-9943-9044507f1f78", "0"] {
        server.get(&format!("/annals/v1/events/{name}")).await.expect(404);
    }
    server.get("/annals/v1/events/1?full=true").await.expect(400);
}

#[tokio::test]
async fn filters_of_every_kind_narrow_a_list() {
    let server = Server::start();
    let rows = [
        json!({"event_type": "a.x", "user_id": "u1", "message": "Pump STARTED", "realm_ids": ["r", "s"], "created_at": minute(0)}),
        json!({"event_type": "a.y", "user_id": "u2", "content": "pump stopped", "status": "failed", "created_at": minute(1)}),
        json!({"event_type": "b.x", "notification": true, "http_status": 404, "created_at": minute(2)}),
    ];
    server.store(&rows).await;
    server.call(ADMIN, "POST", "/annals/v1/events/2/acknowledge", None).await.expect(200);
    for (query, expected) in [
        ("", vec!["b.x", "a.y", "a.x"]),
        ("event_type=a.x&event_type=b.x", vec!["b.x", "a.x"]),
        ("not.event_type=a.x", vec!["b.x", "a.y"]),
        ("not.event_type=a.x&not.event_type=b.x", vec!["a.y"]),
        ("prefix.event_type=a.", vec!["a.y", "a.x"]),
        ("prefix.user_id=", vec!["a.y", "a.x"]),
        ("event_group=b", vec!["b.x"]),
        ("severity=error", vec!["a.y"]),
        ("realm_id=s", vec!["a.x"]),
        ("http_status=404", vec!["b.x"]),
        ("q=pump", vec!["a.y", "a.x"]),
        ("q=started", vec!["a.x"]),
        ("acknowledged=true", vec!["a.y"]),
        ("acknowledged=false", vec!["b.x", "a.x"]),
        ("notification=true", vec!["b.x"]),
        ("notification=false", vec!["a.y", "a.x"]),
        ("from=2025-01-01T00:01:00Z", vec!["b.x", "a.y"]),
        ("to=2025-01-01T00:01:00Z", vec!["a.x"]),
        ("from=2025-01-01T00:01:00Z&to=2025-01-01T00:02:00Z", vec!["a.y"]),
        ("from=1735689660000", vec!["b.x", "a.y"]),
        ("user_id=u1&event_type=a.y", vec![]),
        ("sort=created_at", vec!["a.x", "a.y", "b.x"]),
        ("sort=event_type", vec!["a.x", "a.y", "b.x"]),
        ("sort=-event_type", vec!["b.x", "a.y", "a.x"]),
        ("limit=1&offset=1", vec!["a.y"]),
    ] {
        let page = server.get(&format!("/annals/v1/events?{query}")).await.expect(200).json();
        assert_eq!(names(&page), expected, "{query}");
        if !query.contains("limit") {
            assert_eq!(page["total"], expected.len(), "{query}");
        }
    }
}

#[tokio::test]
async fn a_list_says_what_it_is_a_page_of() {
    let server = Server::start();
    let rows: Vec<Value> =
        (0..25).map(|number| json!({"event_type": format!("t{number:02}"), "created_at": minute(number)})).collect();
    server.store(&rows).await;
    let page = server.get("/annals/v1/events?limit=10&fields=event_type,sequence").await.expect(200).json();
    assert_eq!((&page["total"], &page["limit"], &page["offset"]), (&json!(25), &json!(10), &json!(0)));
    assert_eq!(page["events"][0], json!({"event_type": "t24", "sequence": 25}));
    for sort in ["created_at", "-created_at", "event_type", "-event_type"] {
        let (mut cursor, mut seen) = (String::new(), Vec::new());
        loop {
            let page = server
                .get(&format!("/annals/v1/events?limit=10&total=none&sort={sort}{cursor}"))
                .await
                .expect(200)
                .json();
            assert_eq!(page["total"], Value::Null);
            seen.extend(names(&page).into_iter().map(str::to_owned));
            // What is appended meanwhile neither shifts nor repeats what follows.
            server.store(&[json!({"event_type": "zz", "created_at": "2025-01-02T00:00:00Z"})]).await;
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
            assert!(seen.len() < 100);
        }
        seen.retain(|name| name != "zz");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 25, "{sort}");
    }
}

#[tokio::test]
async fn a_cursor_fits_its_query_only() {
    let server = Server::start();
    server.store(&[json!({"event_type": "a"}), json!({"event_type": "a"}), json!({"event_type": "b"})]).await;
    let page = server.get("/annals/v1/events?limit=1&event_type=a").await.expect(200).json();
    let cursor = page["next_cursor"].as_str().unwrap();
    server.get(&format!("/annals/v1/events?limit=2&event_type=a&cursor={cursor}")).await.expect(200);
    for query in ["event_type=b", "event_type=a&sort=created_at", "event_type=a&offset=1"] {
        server.get(&format!("/annals/v1/events?{query}&cursor={cursor}")).await.expect(400);
    }
    server.get("/annals/v1/events?cursor=x").await.expect(400);
}

#[tokio::test]
async fn a_page_ends_at_its_size_with_a_cursor() {
    let server = Server::with(Limits { page_size_bytes_max: 10_000, ..Limits::default() });
    let rows: Vec<Value> =
        (0..10).map(|number| json!({"event_type": "a", "content": "x".repeat(3000), "user_id": number})).collect();
    server.store(&rows).await;
    let (mut cursor, mut seen, mut pages) = (String::new(), 0, 0);
    loop {
        let page = server.get(&format!("/annals/v1/events?limit=100{cursor}")).await.expect(200).json();
        seen += page["events"].as_array().unwrap().len();
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((seen, pages), (10, 4));
    // hoody has no cursor: its page is as long as it says, and is streamed.
    let page = server.get("/api/v1/events?limit=7&offset=1").await.expect(200).json();
    assert_eq!(page["data"]["events"].as_array().unwrap().len(), 7);
    assert_eq!(page["data"]["pagination"], json!({"total": 10, "limit": 7, "offset": 1, "has_more": true}));
    let page = server.get("/api/v1/events?limit=500&offset=1").await.expect(200).json();
    assert_eq!(page["data"]["events"].as_array().unwrap().len(), 9);
}

#[tokio::test]
async fn parameters_nobody_knows_are_named_with_those_that_are() {
    let server = Server::start();
    let text = message(server.get("/annals/v1/events?evnt_type=a").await, 400);
    assert!(text.starts_with("evnt_type is not known; allowed are sort, limit,"), "{text}");
    assert!(text.contains("realm_id") && text.contains("not.FIELD"), "{text}");
    for (path, start) in [
        ("/annals/v1/events?limit=0", "limit must be >= 1"),
        ("/annals/v1/events?limit=10001", "limit must be <= 10000"),
        ("/annals/v1/events?offset=-1", "offset must be >= 0"),
        ("/annals/v1/events?sort=id", "sort must be"),
        ("/annals/v1/events?total=some", "total must be"),
        ("/annals/v1/events?fields=event_type,nothing", "fields is wrong"),
        ("/annals/v1/stats?by=nothing", "by must be a field"),
        ("/annals/v1/stats?by=acknowledged", "by cannot be acknowledged"),
        ("/annals/v1/stats?interval=1", "interval must be"),
        ("/annals/v1/stats?offset=1", "offset is not known"),
    ] {
        let text = message(server.get(path).await, 400);
        assert!(text.starts_with(start), "{path}: {text}");
    }
    server.get("/annals/v1/events?limit=10000").await.expect(200);
}

#[tokio::test]
async fn a_delete_by_filter_can_be_tried_first() {
    let server = Server::start();
    let rows: Vec<Value> = (0..10).map(|number| json!({"event_type": if number < 4 { "a" } else { "b" }})).collect();
    server.store(&rows).await;
    for path in [
        "/annals/v1/events",
        "/annals/v1/events?dry_run=true",
        "/annals/v1/events?evnt_type=a",
        "/annals/v1/events?event_type=",
    ] {
        server.call(ADMIN, "DELETE", path, None).await.expect(400);
    }
    let delete = async |query: &str| {
        server.call(ADMIN, "DELETE", &format!("/annals/v1/events?event_type=a{query}"), None).await.expect(200).json()
    };
    assert_eq!(delete("&dry_run=true").await, json!({"deleted": 4, "dry_run": true}));
    assert_eq!(server.total().await, 10);
    assert_eq!(delete("").await, json!({"deleted": 4, "dry_run": false}));
    assert_eq!(delete("").await, json!({"deleted": 0, "dry_run": false}));
    assert_eq!(server.total().await, 6);
    server.store(&[json!({"event_type": "a"})]).await;
    assert_eq!(server.total().await, 7, "what comes later is not deleted");
}

#[tokio::test]
async fn a_delete_by_id_removes_every_event_of_that_id() {
    let server = Server::start();
    let id = "507f1f77bcf86cd799439044";
    let rows: Vec<Value> =
        (0..3).map(|number| json!({"id": id, "event_type": "a", "created_at": minute(number)})).collect();
    server.store(&rows).await;
    let path = format!("/annals/v1/events/{id}");
    assert_eq!(server.get(&path).await.expect(200).json()["sequence"], 3);
    server.call(ADMIN, "DELETE", "/annals/v1/events/2", None).await.expect(200);
    let reply = server.call(ADMIN, "DELETE", &path, None).await.expect(200).json();
    assert_eq!(reply, json!({"deleted": 2}));
    server.call(ADMIN, "DELETE", &path, None).await.expect(404);
    assert_eq!(server.total().await, 0);
}

#[tokio::test]
async fn marks_are_seen_by_every_later_query() {
    let server = Server::start();
    server.store(&[json!({"event_type": "a"})]).await;
    for (verb, state) in [("acknowledge", true), ("acknowledge", true), ("unacknowledge", false)] {
        let event = server.call(ADMIN, "POST", &format!("/annals/v1/events/1/{verb}"), None).await.expect(200).json();
        assert_eq!((&event["acknowledged"], &event["sequence"]), (&json!(state), &json!(1)));
        let page = server.get(&format!("/annals/v1/events?acknowledged={state}")).await.json();
        assert_eq!(page["total"], 1);
    }
    server.call(ADMIN, "POST", "/annals/v1/events/2/acknowledge", None).await.expect(404);
}

#[tokio::test]
async fn a_histogram_of_too_many_buckets_says_what_to_change() {
    let server = Server::start();
    server.store(&[minute(0), minute(181)].map(|time| json!({"event_type": "a", "created_at": time}))).await;
    server.get("/annals/v1/stats?interval=1s&interval=2s").await.expect(200);
    let refused = server.get("/annals/v1/stats?interval=1s").await.expect(400).json();
    assert_eq!(refused["error"]["code"], "invalid_parameter");
    let message = "interval gives more than 10000 buckets: choose a longer interval or a shorter time range";
    assert_eq!(refused["error"]["message"], message);
}

#[tokio::test]
async fn statistics_count_by_field_and_over_time() {
    let server = Server::start();
    let mut rows: Vec<Value> =
        (0..6).map(|number| json!({"event_type": "a", "created_at": minute(number * 30)})).collect();
    rows[0]["event_type"] = json!("b");
    rows[1]["realm_ids"] = json!(["r", "s"]);
    server.store(&rows).await;
    let stats = server.get("/annals/v1/stats?by=event_type&by=realm_id&interval=1h").await.expect(200).json();
    let expected = json!({
        "total": 6,
        "oldest": "2025-01-01T00:00:00.000000Z",
        "newest": "2025-01-01T02:30:00.000000Z",
        "by": {"event_type": {"a": 5, "b": 1}, "realm_id": {"r": 1, "s": 1}},
        "histogram": [
            {"time": "2025-01-01T00:00:00.000000Z", "count": 2},
            {"time": "2025-01-01T01:00:00.000000Z", "count": 2},
            {"time": "2025-01-01T02:00:00.000000Z", "count": 2},
        ],
    });
    assert_eq!(stats, expected);
    let stats = server.get("/annals/v1/stats?by=event_type&limit=1&event_type=a").await.expect(200).json();
    assert_eq!((&stats["total"], &stats["by"]), (&json!(5), &json!({"event_type": {"a": 5}})));
    assert!(stats.get("histogram").is_none());
}

#[tokio::test]
async fn the_server_says_whether_it_wants_work() {
    let server = Server::start();
    let open = async |path: &str| server.send(Request::get(path).body(Body::empty()).unwrap()).await;
    open("/healthz").await.expect(200);
    open("/readyz").await.expect(200);
    server.state.start_draining();
    open("/healthz").await.expect(200);
    let reply = open("/readyz").await.expect(503);
    assert_eq!(reply.json()["error"]["code"], "draining");
}

#[tokio::test]
async fn a_closed_store_reads_as_read_only() {
    let server = Server::start();
    server.state.engine().close().unwrap();
    let reply = server.ingest("{\"event_type\":\"a\"}").await.expect(503);
    assert!(!reply.header("retry-after").is_empty());
    assert_eq!(reply.json()["error"]["code"], "read_only");
}

#[tokio::test]
async fn unknown_paths_have_the_native_error_and_every_answer_its_headers() {
    let server = Server::start();
    for path in ["/nothing", "/annals/v1", "/annals/v2/events", "/healthz/x", "/api/v2"] {
        let reply = server.call("wrong", "GET", path, None).await.expect(404);
        assert_eq!(reply.json()["error"]["code"], "not_found", "{path}");
        assert_eq!(reply.json()["error"]["request_id"], reply.header("x-request-id"));
    }
    for path in ["/healthz", "/annals/v1/events/", "/nothing"] {
        let reply = server.get(path).await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
    }
    let reply = server.call(ADMIN, "QUERY", "/annals/v1/stats", None).await.expect(405);
    assert_eq!(reply.header("allow"), "GET, HEAD");
    let with_id = async |id: &str| {
        let request = Request::get("/healthz").header("x-request-id", id).body(Body::empty()).unwrap();
        server.send(request).await.header("x-request-id").to_owned()
    };
    assert_eq!(with_id("Abc_-9").await, "Abc_-9");
    for id in ["", "a b", "a\u{7f}", &"x".repeat(65)] {
        let Ok(request) = Request::get("/healthz").header("x-request-id", id).body(Body::empty()) else { continue };
        assert_ne!(server.send(request).await.header("x-request-id"), id);
    }
}
