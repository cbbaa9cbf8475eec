//! The OWASP API Security Top 10 (2023), an attack or more for each item. Much of it is tested wider elsewhere, which
//! the modules name; docs/operations.md, "Security", has the table.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

mod api01_objects;
mod api02_authentication;
mod api03_properties;
mod api04_resources;
mod api05_functions;
mod api06_flows;
mod api07_requests;
mod api08_misconfiguration;
mod api09_inventory;
mod api10_upstream;
#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::{Value, json};
use support::{Reply, Server};

/// What a tenant may do with its own events.
const ALL_OF_EVENTS: [&str; 4] = ["events:read", "events:create", "events:update", "events:delete"];

/// A request without a body from an address of the network, with these headers.
async fn from(server: &Server, address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let peer: SocketAddr = format!("{address}:1").parse().unwrap();
    let mut request = Request::builder().method(method).uri(path).extension(ConnectInfo(peer));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(Body::empty()).unwrap()).await
}

/// An event of one realm, at a time that says nothing.
fn event_of(realm: &str, event_type: &str) -> Value {
    json!({"event_type": event_type, "realm_ids": [realm], "created_at": "2026-01-05T00:00:00Z"})
}
