//! hoody's notifications: every request and response of its document, literally, and notifications as the
//! events they are.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

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

#[tokio::test]
async fn the_documented_lists_are_answered_literally() {
    let server = Server::start();
    server.store(&[documented_event()]).await;
    let user = reader(&server, "ada", &[]).await;
    let expected = json!({
        "statusCode": 200, "message": "Notifications retrieved successfully", "data": [documented()],
    });
    assert_eq!(server.call(&user, "GET", LIST, None).await.expect(200).json(), expected);
    assert_eq!(server.call(&user, "GET", &format!("{LIST}/"), None).await.expect(200).json(), expected);
    let expected = json!({
        "statusCode": 200, "message": "Public notifications retrieved successfully", "data": [documented_public()],
    });
    for path in [PUBLIC.to_owned(), format!("{PUBLIC}/")] {
        let open = server.send(Request::get(path).body(Body::empty()).unwrap()).await.expect(200);
        assert_eq!(open.json(), expected);
    }
    let empty = Server::start().get(LIST).await.expect(200).json();
    assert_eq!(empty["data"], json!([]));
}
