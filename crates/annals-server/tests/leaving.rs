//! Clients that leave before they are answered: what works for them still counts.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::future::Future;
use std::sync::mpsc;
use std::time::Duration;

use annals_server::Limits;
use axum::body::Body;
use axum::http::Request;
use support::{ADMIN, Server};
use tower::ServiceExt as _;

/// Runs a test with one blocking thread, which is busy until the sender is dropped: what is to run on it waits.
fn with_a_busy_thread<F: Future<Output = ()>>(test: impl FnOnce(mpsc::Sender<()>) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let (release, released) = mpsc::channel::<()>();
        drop(tokio::task::spawn_blocking(move || released.recv()));
        tokio::time::timeout(Duration::from_secs(20), test(release)).await.expect("nothing waits for the busy thread");
    });
}

fn limits() -> Limits {
    Limits { reads_max: 1, writes_max: 1, query_time_max: Duration::from_millis(200), ..Limits::default() }
}

fn request(method: &str, path: &str, body: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("authorization", ADMIN);
    request.header("content-length", body.len()).body(Body::from(body.to_owned())).unwrap()
}

/// Asks, and goes away when the work has been handed to its thread.
async fn leave(server: &Server, request: Request<Body>) {
    let asked = server.app.clone().oneshot(request);
    assert!(tokio::time::timeout(Duration::from_millis(50), asked).await.is_err(), "it was answered");
}

#[test]
fn a_query_whose_client_has_gone_keeps_its_place() {
    with_a_busy_thread(|release| async move {
        let server = Server::with(limits());
        let public = "/api/v1/notifications/public";
        leave(&server, request("GET", public, "")).await;
        let refused = server.send(request("GET", public, "")).await.expect(503).json();
        assert_eq!(refused["message"], "too many queries at once: retry later");
        drop(release);
        server.get(public).await.expect(200);
    });
}

#[test]
fn a_change_whose_client_has_gone_keeps_its_place_and_is_made() {
    const EVENT: &str = "{\"event_type\":\"a\"}";
    with_a_busy_thread(|release| async move {
        let server = Server::with(limits());
        leave(&server, request("POST", "/annals/v1/events", EVENT)).await;
        let next = server.app.clone().oneshot(request("POST", "/annals/v1/events", EVENT));
        // It waits for a place, not for a thread: leaving, it leaves nothing behind.
        assert!(tokio::time::timeout(Duration::from_millis(50), next).await.is_err());
        drop(release);
        server.ingest(EVENT).await.expect(200);
        assert_eq!(server.total().await, 2);
    });
}

#[test]
fn a_body_whose_client_has_gone_keeps_its_memory_and_its_key() {
    let body = format!("{{\"event_type\":\"a\"}}{}", " ".repeat(8 << 10));
    with_a_busy_thread(|release| async move {
        let server = Server::with(Limits { ingest_memory_max: 10 << 10, writes_max: 8, ..limits() });
        let keyed = || {
            let mut request = request("POST", "/annals/v1/events", &body);
            request.headers_mut().insert("idempotency-key", "k".parse().unwrap());
            request
        };
        leave(&server, keyed()).await;
        assert_eq!(server.send(keyed()).await.expect(409).json()["error"]["code"], "idempotency_running");
        let refused = server.send(request("POST", "/annals/v1/events", &body)).await.expect(503).json();
        assert_eq!(refused["error"]["message"], "too much is being ingested at once: retry later");
        drop(release);
        while server.send(keyed()).await.status == 409 {}
        server.send(keyed()).await.expect(200);
        assert_eq!(server.total().await, 1);
    });
}
