//! API6:2023 Unrestricted access to sensitive business flows: what deletes in bulk. Policies that would delete more than
//! half wait for a word: `retention.rs`; what is held stays: `holds.rs`; that it is written down: `audit_trail.rs` and
//! `rights.rs`.

use serde_json::json;

use crate::support::{ADMIN, Server};
use crate::{ALL_OF_EVENTS, event_of};

#[tokio::test]
async fn everything_is_never_deleted_by_what_was_left_out() {
    let server = Server::start();
    server.store(&[event_of("r", "a"), event_of("r", "b")]).await;
    for path in
        ["/annals/v1/events", "/annals/v1/events?", "/annals/v1/events?dry_run=false", "/annals/v1/events?event_type="]
    {
        server.call(ADMIN, "DELETE", path, None).await.expect(400);
    }
    for body in [None, Some(json!({})), Some(json!({"event_type": ""})), Some(json!({"typo": "x"}))] {
        let reply = server.call(ADMIN, "DELETE", "/api/v1/events", body.clone()).await;
        assert!(!reply.status.is_success() || reply.json()["data"]["deleted_count"] == 0, "{body:?}: {:?}", reply.body);
    }
    for body in
        [None, Some(json!({"retention_days": 0})), Some(json!({"retention_days": -1})), Some(json!({"days": 1}))]
    {
        server.call(ADMIN, "POST", "/api/v1/events/cleanup", body).await.expect(400);
    }
    assert_eq!(server.total().await, 2);
}

#[tokio::test]
async fn what_empties_a_store_needs_a_right_of_its_own_and_leaves_a_trace() {
    let server = Server::start();
    server.store(&[event_of("mine", "a"), event_of("theirs", "a")]).await;
    let tenant = server.key_for(&ALL_OF_EVENTS, &["mine"]).await;
    let everybody = server.key_for(&ALL_OF_EVENTS, &[]).await;
    let policies = json!({"policies": [{"name": "all", "keep_days": 1}], "confirm": true});
    for key in [&tenant, &everybody] {
        server.call(key, "POST", "/api/v1/events/cleanup", Some(json!({"retention_days": 1}))).await.expect(403);
        server.call(key, "PUT", "/annals/v1/retention", Some(policies.clone())).await.expect(403);
        server.call(key, "DELETE", "/annals/v1/holds/x", None).await.expect(403);
    }
    let tried =
        server.call(&tenant, "DELETE", "/annals/v1/events?event_type=a&dry_run=true", None).await.expect(200).json();
    assert_eq!(tried, json!({"deleted": 1, "dry_run": true}));
    assert_eq!(server.total().await, 2);
    server.call(&tenant, "DELETE", "/annals/v1/events?event_type=a", None).await.expect(200);
    assert_eq!(server.total().await, 1);
    let trail = server.get("/annals/v1/audit?event_type=events.deleted").await.expect(200).json();
    let entry = &trail["events"][0];
    assert_eq!(
        (&entry["payload"]["filter"], &entry["payload"]["count"]),
        (&json!("event_type=a"), &json!(1)),
        "{entry}"
    );
    // Whoever deletes cannot delete the trace.
    server.call(ADMIN, "DELETE", "/annals/v1/audit", None).await.expect(405);
    let id = entry["id"].as_str().unwrap();
    server.call(ADMIN, "DELETE", &format!("/annals/v1/events/{id}"), None).await.expect(404);
}
