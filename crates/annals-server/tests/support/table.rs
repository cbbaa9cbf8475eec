//! Tables of bad input: each case is sent, its answer compared whole, and the store with what it was.

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::Request;
use axum::http::request::Builder;
use serde_json::{Value, json};

use super::{ADMIN, Server};

/// The request id of every case, so that a body that shows it is known in advance.
pub const REQUEST_ID: &str = "the-request";

pub struct Case {
    pub what: String,
    pub request: Request<Body>,
    pub status: u16,
    /// The whole body.
    pub body: Value,
}

/// A request of the administrator's.
pub fn request(method: &str, target: &str) -> Builder {
    Request::builder()
        .method(method)
        .uri(target)
        .header("authorization", format!("Bearer {ADMIN}"))
        .header("x-request-id", REQUEST_ID)
}

/// A case without a body.
pub fn case(method: &str, target: &str, status: u16, body: Value) -> Case {
    let request = request(method, target).body(Body::empty()).unwrap();
    Case { what: format!("{method} {target}"), request, status, body }
}

/// A case with a body of JSON, as it calls itself.
pub fn sending(method: &str, target: &str, sent: impl Into<Vec<u8>>, status: u16, body: Value) -> Case {
    sending_as(method, target, &[("content-type", "application/json")], sent, status, body)
}

/// A case with headers and a body.
pub fn sending_as(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    sent: impl Into<Vec<u8>>,
    status: u16,
    body: Value,
) -> Case {
    let sent = sent.into();
    let shown: String = String::from_utf8_lossy(&sent).chars().take(80).collect();
    let mut builder = request(method, target);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    Case {
        what: format!("{method} {target} {headers:?} {shown}"),
        request: builder.body(Body::from(sent)).unwrap(),
        status,
        body,
    }
}

/// Everything that a refused request must leave as it was.
#[derive(Debug, PartialEq)]
struct Held {
    /// The last sequence given, events that are there, deleted ones, bytes of the log.
    stored: (u64, u64, u64, u64),
    counted: Value,
    events: Value,
    keys: usize,
}

async fn held(server: &Server) -> Held {
    let stats = "/annals/v1/stats?by=event_type&by=resource_type&by=status&by=realm_id";
    let stored = server.state.engine().stats();
    let keys = server.get("/annals/v1/keys").await.expect(200).json();
    Held {
        stored: (stored.last_sequence, stored.events, stored.tombstones, stored.log_bytes),
        counted: server.get(stats).await.expect(200).json(),
        events: server.get("/annals/v1/events?limit=10000").await.expect(200).json(),
        keys: keys["keys"].as_array().unwrap().len(),
    }
}

/// Some events for a refused request to leave alone.
pub async fn filled() -> Server {
    let server = Server::start();
    let event = |index: usize| {
        json!({
            "event_type": format!("vm.kind_{}", index % 3), "created_at": 1_700_000_000_000_u64 + index as u64,
            "resource_type": "vm", "resource_id": format!("r{index}"), "user_id": index, "realm_ids": ["r"],
        })
    };
    server.store(&(0..20).map(event).collect::<Vec<_>>()).await;
    server
}

/// Sends every case.
#[track_caller]
pub fn check(server: &Server, cases: Vec<Case>) -> impl Future<Output = ()> {
    let count = cases.len();
    async move {
        assert!(count > 0);
        let before = held(server).await;
        let mut wrong = Vec::new();
        for Case { what, request, status, body } in cases {
            let reply = server.send(request).await;
            let got: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
            if reply.status.as_u16() != status || got != body {
                wrong.push(format!("{what}\n  expected {status} {body}\n  got      {} {got}", reply.status.as_u16()));
            }
            let after = held(server).await;
            assert_eq!(after, before, "{what} changed the store");
        }
        assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// A text as a query holds it.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let _ = write!(out, "%{byte:02X}");
    }
    out
}
