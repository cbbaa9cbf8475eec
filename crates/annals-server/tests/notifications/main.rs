//! hoody's notifications: every request and response of its document, literally, and notifications as the
//! events they are.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

mod bell;
mod lists;
mod publishing;
mod reading;
#[path = "../support/mod.rs"]
mod support;

use annals_server::{AppState, Limits, ServerConfig, router};
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use support::{ADMIN, Server};

const LIST: &str = "/api/v1/notifications";
const PUBLIC: &str = "/api/v1/notifications/public";
const REALM: &str = "507f1f77bcf86cd799439022";
/// The document's notification has long expired: here it has another thirty years.
const EXPIRES: &str = "2055-01-26T00:00:00.000Z";

/// The notification of the document, as the event that it is.
fn documented_event() -> Value {
    json!({
        "id": "507f1f77bcf86cd799439030",
        "notification": true,
        "message": "System Maintenance Notice",
        "content": "Scheduled maintenance will occur on January 25th at 2:00 AM UTC.",
        "notification_type": "MAINTENANCE",
        "severity": "warn",
        "is_public": true,
        "is_global": true,
        "expires_at": EXPIRES,
        "created_at": "2025-01-20T10:00:00.000Z"
    })
}

/// The notification of the document, as everybody sees it.
fn documented_public() -> Value {
    json!({
        "id": "507f1f77bcf86cd799439030",
        "title": "System Maintenance Notice",
        "message": "Scheduled maintenance will occur on January 25th at 2:00 AM UTC.",
        "type": "MAINTENANCE",
        "severity": "WARNING",
        "is_public": true,
        "is_global": true,
        "target_user_ids": null,
        "expires_at": EXPIRES,
        "created_at": "2025-01-20T10:00:00.000Z",
        "updated_at": "2025-01-20T10:00:00.000Z"
    })
}

/// The notification of the document, as a caller sees it that has not read it.
fn documented() -> Value {
    let mut shown = documented_public();
    shown["is_read"] = json!(false);
    shown["read_at"] = json!(null);
    shown
}

#[expect(clippy::needless_pass_by_value, reason = "written in place")]
fn notice(title: &str, more: Value) -> Value {
    let mut event = json!({"notification": true, "message": title});
    for (name, value) in more.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

/// A key that reads notifications as `user_id`, limited to realms if there are any.
async fn reader(server: &Server, user_id: &str, realms: &[&str]) -> String {
    let mut body = json!({"name": user_id, "user_id": user_id, "scopes": ["notifications:read"]});
    if !realms.is_empty() {
        body["realms"] = json!(realms);
    }
    server.key(body).await.0
}

async fn list(server: &Server, key: &str) -> Vec<Value> {
    let reply = server.call(key, "GET", LIST, None).await.expect(200).json();
    reply["data"].as_array().unwrap().clone()
}

async fn titles(server: &Server, key: &str) -> Vec<String> {
    list(server, key).await.iter().map(|one| one["title"].as_str().unwrap().to_owned()).collect()
}

const ID: &str = "507f1f77bcf86cd799439030";

async fn mark_read(server: &Server, key: &str, id: &str) -> support::Reply {
    server.call(key, "PUT", &format!("{LIST}/{id}/read"), None).await
}

async fn read_all(server: &Server, key: &str) -> u64 {
    let reply = server.call(key, "PUT", "/api/v1/notifications/read-all", None).await.expect(200).json();
    assert_eq!(reply["message"], "All notifications marked as read");
    assert_eq!(reply["statusCode"], 200);
    assert_eq!(reply["data"].as_object().unwrap().len(), 1);
    reply["data"]["count"].as_u64().unwrap()
}

async fn publish(server: &Server, key: &str, body: Value) -> Value {
    server.call(key, "POST", "/annals/v1/notifications", Some(body)).await.expect(200).json()
}

/// The id that hoody shows for the newest notification of a list.
async fn newest_id(server: &Server, key: &str) -> String {
    list(server, key).await[0]["id"].as_str().unwrap().to_owned()
}

/// Closes the store and opens it again.
fn restart(server: Server) -> Server {
    let Server { directory, state, app } = server;
    state.engine().close().unwrap();
    drop((state, app));
    let config = ServerConfig { admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(directory.path()) };
    let setup = AppState::open(&config).unwrap();
    Server { app: router(setup.state.clone()), state: setup.state, directory }
}
