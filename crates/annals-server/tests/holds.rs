//! Legal holds over HTTP: what they keep, on every way to delete it, and what is written down of them.

#[cfg(test)]
mod support;

use serde_json::{Value, json};
use support::{ADMIN, Reply, Server};

const PATH: &str = "/annals/v1/holds";

async fn put(server: &Server, target: &str) -> Reply {
    server.call(ADMIN, "PUT", &format!("{PATH}/{target}"), None).await
}

async fn release(server: &Server, name: &str) -> Reply {
    server.call(ADMIN, "DELETE", &format!("{PATH}/{name}"), None).await
}

fn event(id: &str, event_type: &str, realm: &str) -> Value {
    json!({"id": id, "event_type": event_type, "realm_ids": [realm], "created_at": "2025-01-15T00:00:00Z"})
}

/// Three events, one of them about realm `court`.
async fn filled() -> Server {
    let server = Server::start();
    let id = |last: char| format!("65f1a2b3c4d5e6f7a8b9c0d{last}");
    server.store(&[event(&id('1'), "a", "r"), event(&id('2'), "a", "court"), event(&id('3'), "b", "r")]).await;
    server
}

const HELD: &str = "/annals/v1/events/65f1a2b3c4d5e6f7a8b9c0d2";

#[tokio::test]
async fn what_is_held_is_on_no_way_out() {
    let server = filled().await;
    let placed = put(&server, "case-7?realm_id=court").await.expect(200).json();
    assert_eq!((&placed["name"], &placed["events"]), (&json!("case-7"), &json!(1)));
    assert_eq!(placed["filter"], json!({"field": "realm_ids", "any_of": ["court"]}));
    assert_eq!(server.get(PATH).await.expect(200).json(), json!({"holds": [placed]}));

    let refused = server.call(ADMIN, "DELETE", HELD, None).await.expect(409).json();
    assert_eq!(refused["error"]["code"], "held");
    assert!(!refused.to_string().contains("case-7"), "names of holds are not everybody's to know");
    let count = |body: Value| body["deleted"].clone();
    let dry = server.call(ADMIN, "DELETE", "/annals/v1/events?event_type=a&dry_run=true", None).await.expect(200);
    assert_eq!(count(dry.json()), 1);
    let deleted = server.call(ADMIN, "DELETE", "/annals/v1/events?event_type=a", None).await.expect(200);
    assert_eq!(count(deleted.json()), 1);
    let policies = json!({"policies": [{"name": "all", "keep_days": 1}]});
    let preview = server.call(ADMIN, "POST", "/annals/v1/retention/preview", Some(policies)).await.expect(200).json();
    // The newest event is what a policy reckons from: none is older than it by a day.
    assert_eq!(preview["would_delete"], 0);
    let clean_up = server.call(ADMIN, "POST", "/api/v1/events/cleanup", Some(json!({"retention_days": 1}))).await;
    assert_eq!(clean_up.expect(200).json()["data"]["deleted_count"], 1);
    assert_eq!(server.total().await, 1);
    server.get(HELD).await.expect(200);

    release(&server, "case-7").await.expect(200);
    release(&server, "case-7").await.expect(404);
    server.call(ADMIN, "DELETE", HELD, None).await.expect(200);
    assert_eq!(server.total().await, 0);
}

#[tokio::test]
async fn policies_spare_what_is_held() {
    let server = filled().await;
    server.store(&[json!({"event_type": "new", "created_at": "2025-06-01T00:00:00Z"})]).await;
    put(&server, "case-7?realm_id=court").await.expect(200);
    let policies = json!({"policies": [{"name": "all", "keep_days": 30}], "confirm": true});
    let preview = json!({"policies": policies["policies"]});
    let preview = server.call(ADMIN, "POST", "/annals/v1/retention/preview", Some(preview)).await.expect(200).json();
    assert_eq!((&preview["would_delete"], &preview["policies"][0]["would_delete"]), (&json!(2), &json!(2)));
    let last = server.call(ADMIN, "PUT", "/annals/v1/retention", Some(policies)).await.expect(200).json();
    assert_eq!(last["last_pass"]["deleted"], 2);
    assert_eq!(server.total().await, 2);
    server.get(HELD).await.expect(200);
}

#[tokio::test]
async fn a_hold_has_a_filter_that_means_something() {
    let server = filled().await;
    for (target, status, code) in [
        ("x", 400, "invalid_parameter"),
        ("x?realm_id=", 400, "invalid_parameter"),
        ("x?acknowledged=true", 400, "invalid_input"),
        ("x?nonsense=1", 400, "invalid_parameter"),
    ] {
        let reply = put(&server, target).await.expect(status).json();
        assert_eq!(reply["error"]["code"], code, "{target}");
    }
    let long = "n".repeat(annals_engine::HOLD_NAME_SIZE_MAX);
    put(&server, &format!("{long}?event_type=a")).await.expect(200);
    put(&server, &format!("{long}n?event_type=a")).await.expect(400);
    release(&server, &format!("{long}n")).await.expect(404);
    put(&server, &format!("{long}?event_type=a")).await.expect(200);
    let other = put(&server, &format!("{long}?event_type=b")).await.expect(409).json();
    assert_eq!(other["error"]["code"], "hold_exists");
    assert_eq!(server.get(PATH).await.expect(200).json()["holds"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn holds_are_recorded() {
    let server = filled().await;
    put(&server, "case-7?realm_id=court").await.expect(200);
    server.call(ADMIN, "DELETE", HELD, None).await.expect(409);
    release(&server, "case-7").await.expect(200);
    for (what, count) in [("hold.placed", 1), ("hold.released", 1)] {
        let audit = server.get(&format!("/annals/v1/audit?event_type={what}")).await.expect(200).json();
        assert_eq!(audit["total"], count, "{audit}");
        assert_eq!(audit["events"][0]["resource_id"], "case-7", "{audit}");
    }
}
