//! The waldur face: every request and answer of its document and of its clients, literally.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail the test")]

mod bad_input;
mod catalogues;
mod filters;
mod pages;
mod rules;
#[path = "../support/mod.rs"]
mod support;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use support::{ADMIN, Reply, Server};

const CUSTOMER: &str = "8f3d1f77-bcf8-4cd7-9943-9044507f1f01";
const PROJECT: &str = "8f3d1f77-bcf8-4cd7-9943-9044507f1f02";
const USER: &str = "8f3d1f77-bcf8-4cd7-9943-9044507f1f03";
const OTHER_USER: &str = "8f3d1f77-bcf8-4cd7-9943-9044507f1f04";
const TOKEN: &str = "8f3d1f77-bcf8-4cd7-9943-9044507f1f05";
const RESOURCE: &str = "8f3d1f77-bcf8-4cd7-9943-9044507f1f06";
const ID: &str = "0199d2f0-6a00-7cc1-8abc-0123456789ab";

fn hex(uuid: &str) -> String {
    uuid.replace('-', "")
}

/// A call as the vendor's client makes it.
async fn call(server: &Server, key: &str, method: &str, path: &str) -> Reply {
    let request = Request::builder().method(method).uri(path).header("host", "api.example.com:8000");
    server.send(request.header("authorization", format!("Token {key}")).body(Body::empty()).unwrap()).await
}

async fn get(server: &Server, path: &str) -> Reply {
    call(server, ADMIN, "GET", path).await
}

/// The event types of a list.
async fn types(server: &Server, query: &str) -> Vec<String> {
    let page = get(server, &format!("/api/events/?page_size=300&{query}")).await.expect(200).json();
    page.as_array().unwrap().iter().map(|event| event["event_type"].as_str().unwrap().to_owned()).collect()
}

/// An event of a type, at a second of the last day of 2024.
fn at(event_type: &str, second: usize) -> Value {
    let time = format!("2024-12-31T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60);
    json!({"event_type": event_type, "created_at": time})
}

/// An event as the vendor's own log has it, sent through the native API.
fn sent() -> Value {
    json!({
        "id": ID, "created_at": "2025-11-21T09:08:07.654321Z", "event_type": "user_organization_token_created",
        "message": "User alice has created a token.", "resource_type": "users.user", "resource_id": hex(USER),
        "payload": {"customer_uuid": CUSTOMER, "customer_name": "ACME, Inc.", "project_uuid": hex(PROJECT),
            "user_uuid": USER, "affected_user_uuid": OTHER_USER, "pat_uuid": hex(TOKEN), "auth_method": "pat",
            "numbers": [1.50, 1e2, 12_345_678_901_234_567_890_u64], "nested": {"a": null}},
    })
}

/// The same event as it is shown.
fn shown() -> Value {
    json!({
        "uuid": hex(ID), "created": "2025-11-21T09:08:07.654321Z", "event_type": "user_organization_token_created",
        "message": "User alice has created a token.",
        "context": {
            "affected_user_uuid": hex(OTHER_USER), "auth_method": "pat", "customer_name": "ACME, Inc.",
            "customer_uuid": hex(CUSTOMER), "nested": {"a": null}, "numbers": [1.50, 1e2, 12_345_678_901_234_567_890_u64],
            "pat_uuid": hex(TOKEN), "project_uuid": hex(PROJECT), "resource_id": hex(USER),
            "resource_type": "users.user", "severity": "info", "status": "success", "user_uuid": hex(USER),
        },
    })
}

#[tokio::test]
async fn the_list_is_the_documented_one() {
    let server = Server::start();
    server.store(&[at("older", 1), sent()]).await;
    let reply = get(&server, "/api/events/").await.expect(200);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("x-result-count"), "2");
    let first = "<http://api.example.com:8000/api/events/>";
    assert_eq!(reply.header("link"), format!("{first}; rel=\"first\", {first}; rel=\"last\""));
    let page = reply.json();
    assert_eq!(page[0], shown());
    let uuid = page[1]["uuid"].as_str().unwrap();
    assert_eq!((uuid.len(), uuid.contains('-')), (32, false));
    let expected = json!({
        "uuid": uuid, "created": "2024-12-31T00:00:01Z", "event_type": "older", "message": "older",
        "context": {"resource_type": "system", "severity": "info", "status": "success"},
    });
    assert_eq!(page[1], expected, "no decimals if there are none, and a context in any case");
    assert_eq!(page.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_body_is_written_in_the_documents_order() {
    let server = Server::start();
    server
        .store(&[json!({"id": ID, "event_type": "a", "created_at": "2025-01-01T00:00:00Z", "message": "m\n\"\u{1f}"})])
        .await;
    let reply = get(&server, "/api/events/").await.expect(200);
    let expected = format!(
        "[{{\"uuid\":\"{}\",\"created\":\"2025-01-01T00:00:00Z\",\"event_type\":\"a\",\"message\":\"m\\n\\\"\\u001f\",\
         \"context\":{{\"resource_type\":\"system\",\"severity\":\"info\",\"status\":\"success\"}}}}]",
        hex(ID)
    );
    assert_eq!(std::str::from_utf8(&reply.body).unwrap(), expected);
}

#[tokio::test]
async fn one_event_has_a_number_and_a_uuid() {
    let server = Server::start();
    server.store(&[at("first", 1), sent()]).await;
    for name in ["2", "002", ID, &hex(ID), &ID.to_uppercase()] {
        let reply = get(&server, &format!("/api/events/{name}/")).await.expect(200);
        assert_eq!(reply.json(), shown(), "{name}");
    }
    assert_eq!(get(&server, "/api/events/1/").await.expect(200).json()["event_type"], "first");
    for name in ["3", "0", "-1", "99999999999999999999999", USER, &hex(USER)] {
        let reply = get(&server, &format!("/api/events/{name}/")).await.expect(404);
        assert_eq!(reply.json(), json!({"detail": "No Event matches the given query."}), "{name}");
    }
    for name in ["x", "1.5", "%20", "507f1f77bcf86cd79943904f", "counts", "1%2F2", "%00", ""] {
        let reply = get(&server, &format!("/api/events/{name}/")).await.expect(404);
        assert_eq!(reply.json(), json!({"detail": "Not found."}), "{name}");
    }
}

#[tokio::test]
async fn field_chooses_members_of_the_list_and_of_one() {
    let server = Server::start();
    server.store(&[sent()]).await;
    for (query, kept) in [
        ("field=uuid", &["uuid"][..]),
        ("field=message&field=created&field=message", &["created", "message"]),
        ("field=context&field=unknown", &["context"]),
        ("field=unknown", &["uuid", "created", "event_type", "message", "context"]),
        ("field=", &["uuid", "created", "event_type", "message", "context"]),
    ] {
        let mut expected = shown();
        expected.as_object_mut().unwrap().retain(|name, _| kept.contains(&name.as_str()));
        assert_eq!(
            get(&server, &format!("/api/events/?{query}")).await.expect(200).json(),
            json!([expected]),
            "{query}"
        );
        assert_eq!(get(&server, &format!("/api/events/1/?{query}")).await.expect(200).json(), expected, "{query}");
    }
    let reply = get(&server, "/api/events/count/?field=uuid").await.expect(200);
    assert_eq!(reply.json(), json!({"count": 1}), "it means nothing elsewhere");
}

#[tokio::test]
async fn the_event_itself_goes_before_its_payload_in_the_context() {
    let server = Server::start();
    let full = json!({
        "event_type": "a", "severity": "red", "status": "denied", "source": "s", "resource_type": "vm",
        "resource_id": "r", "session_id": "se", "vm_id": "v", "task_id": 7, "request_id": "rq",
        "correlation_id": "c", "http_method": "GET", "path": "/p", "http_status": 204, "ip_address": "192.0.2.1",
        "org_id": "not a uuid", "project_id": hex(PROJECT).to_uppercase(), "user_id": 42,
        "auth_method": "session", "pat_uuid": "no uuid", "affected_user_uuid": USER,
        "container_id": "hidden", "content": "hidden", "event_group": "hidden",
        "payload": {"status": "from the payload", "task_id": "from the payload", "kept": true, "kept": false},
    });
    server.store(&[full]).await;
    let context = get(&server, "/api/events/?field=context").await.expect(200).json()[0]["context"].clone();
    let expected = json!({
        "severity": "error", "status": "denied", "source": "s", "resource_type": "vm", "resource_id": "r",
        "session_id": "se", "vm_id": "v", "task_id": 7, "request_id": "rq", "correlation_id": "c",
        "http_method": "GET", "path": "/p", "http_status": 204, "ip_address": "192.0.2.1",
        "project_uuid": hex(PROJECT), "auth_method": "session", "pat_uuid": "no uuid",
        "affected_user_uuid": hex(USER), "kept": false,
    });
    assert_eq!(context, expected);
}

#[tokio::test]
async fn of_a_key_that_a_payload_repeats_the_last_value_counts() {
    let server = Server::start();
    server
        .ingest("{\"event_type\":\"a\",\"payload\":{\"k\":1, \"n\" : 12345678901234567890.10,\"k\":2}}")
        .await
        .expect(200);
    let reply = get(&server, "/api/events/?field=context").await.expect(200);
    let expected = "[{\"context\":{\"k\":2,\"n\":12345678901234567890.10,\
                    \"resource_type\":\"system\",\"severity\":\"info\",\"status\":\"success\"}}]";
    assert_eq!(std::str::from_utf8(&reply.body).unwrap(), expected, "numbers stay as they were sent");
}

#[tokio::test]
async fn what_another_face_changes_shows_here_at_once() {
    let server = Server::start();
    server.store(&[at("a", 1), at("b", 2)]).await;
    assert_eq!(types(&server, "").await, ["b", "a"]);
    server.call(ADMIN, "DELETE", "/annals/v1/events/2", None).await.expect(200);
    assert_eq!(types(&server, "").await, ["a"]);
    get(&server, "/api/events/2/").await.expect(404);
    assert_eq!(get(&server, "/api/events/count/").await.expect(200).json(), json!({"count": 1}));
    assert_eq!(get(&server, "/api/events/event_groups/").await.expect(200).json(), json!({"a": ["a"]}));
    let months = get(&server, "/api/events-stats/").await.expect(200).json();
    assert_eq!(months, json!([{"year": 2024, "month": 12, "count": 1}]));
}
