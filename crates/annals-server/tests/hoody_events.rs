//! hoody's events: every request and response of its document, literally.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use support::{ADMIN, Server};

/// The event of the document.
fn documented() -> Value {
    json!({
        "id": "507f1f77bcf86cd799439044",
        "event_type": "container.running",
        "resource_type": "container",
        "resource_id": "507f1f77bcf86cd799439033",
        "user_id": "507f1f77bcf86cd799439011",
        "payload": {
            "container": {
                "id": "507f1f77bcf86cd799439033",
                "name": "web-app-1",
                "status": "running",
                "project_id": "507f1f77bcf86cd799439022"
            }
        },
        "realm_ids": ["507f1f77bcf86cd799439022"],
        "created_at": "2025-01-15T10:30:05.123Z"
    })
}

/// An event of a type, at a second of the last day of 2024.
fn at(event_type: &str, second: usize) -> Value {
    let time = format!("2024-12-31T{:02}:{:02}:{:02}.000Z", second / 3600, second / 60 % 60, second % 60);
    json!({"event_type": event_type, "created_at": time})
}

fn ids(page: &Value) -> Vec<&str> {
    page["data"]["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap()).collect()
}

fn field<'a>(page: &'a Value, name: &str) -> Vec<&'a str> {
    page["data"]["events"].as_array().unwrap().iter().map(|event| event[name].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_documented_list_is_answered_literally() {
    let server = Server::start();
    let mut events: Vec<Value> = (0..1522).map(|second| at("container.stopped", second)).collect();
    events.push(documented());
    server.store(&events).await;
    let page = server.get("/api/v1/events?limit=100&sort_by=created_at&sort_order=desc").await.expect(200).json();
    assert_eq!(page["statusCode"], 200);
    assert_eq!(page["message"], "Events retrieved successfully");
    assert_eq!(page["data"]["events"][0], documented());
    assert_eq!(page["data"]["events"].as_array().unwrap().len(), 100);
    assert_eq!(page["data"]["pagination"], json!({"total": 1523, "limit": 100, "offset": 0, "has_more": true}));
    assert_eq!(server.get("/api/v1/events").await.expect(200).json(), page, "those are the defaults");
}

#[tokio::test]
async fn the_vendors_iterator_reads_every_event_once() {
    let server = Server::start();
    let events: Vec<Value> = (0..1023).map(|second| at("a", second)).collect();
    server.store(&events).await;
    let (mut offset, mut seen) = (0, Vec::new());
    loop {
        let page = server.get(&format!("/api/v1/events?limit=500&offset={offset}")).await.expect(200).json();
        let received = page["data"]["events"].as_array().unwrap().len();
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        offset += received;
        let total = page["data"]["pagination"]["total"].as_u64().unwrap();
        assert_eq!(page["data"]["pagination"]["has_more"], offset < 1023);
        if received == 0 || offset as u64 >= total {
            break;
        }
    }
    assert_eq!(seen.len(), 1023);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 1023);
}

#[tokio::test]
async fn the_documented_event_is_answered_literally() {
    let server = Server::start();
    server.store(&[documented()]).await;
    let reply = server.get("/api/v1/events/507f1f77bcf86cd799439044").await.expect(200).json();
    let expected = json!({"statusCode": 200, "message": "Event retrieved successfully", "data": documented()});
    assert_eq!(reply, expected);
    assert_eq!(server.get("/api/v1/events/507f1f77bcf86cd799439044/").await.expect(200).json(), expected);
}

#[tokio::test]
async fn ids_that_are_none_are_400_and_unknown_ones_404() {
    let server = Server::start();
    server.store(&[documented()]).await;
    for id in ["1", "xyz", "507f1f77bcf86cd79943904g", "507f1f77bcf86cd7994390440", "statsx"] {
        let reply = server.get(&format!("/api/v1/events/{id}")).await.expect(400).json();
        assert_eq!(reply["error"], "Bad Request");
        assert_eq!(reply["data"][0]["instancePath"], "/id");
    }
    let reply = server.get("/api/v1/events/507f1f77bcf86cd799439045").await.expect(404).json();
    assert_eq!(reply, json!({"statusCode": 404, "error": "Not Found", "message": "Event not found"}));
    let reply = server.call(ADMIN, "DELETE", "/api/v1/events/507f1f77bcf86cd799439045", None).await;
    reply.expect(404);
}

#[tokio::test]
async fn an_event_without_a_given_id_is_found_by_the_one_it_is_shown_under() {
    let server = Server::start();
    server
        .store(&[json!({"event_type": "a"}), json!({"event_type": "b", "id": "507f1f77-bcf8-6cd7-9943-9044507f1f77"})])
        .await;
    let page = server.get("/api/v1/events").await.expect(200).json();
    for (id, event) in ids(&page).into_iter().zip(page["data"]["events"].as_array().unwrap()) {
        assert_eq!(id.len(), 24);
        assert_eq!(&server.get(&format!("/api/v1/events/{id}")).await.expect(200).json()["data"], event);
    }
}

#[tokio::test]
async fn missing_values_are_shown_as_the_vendors_types_need_them() {
    let server = Server::start();
    server.store(&[json!({"event_type": "a", "created_at": "2025-01-15T10:30:05.123999Z"})]).await;
    let page = server.get("/api/v1/events").await.expect(200).json();
    let id = ids(&page)[0];
    let expected = json!({
        "id": id, "event_type": "a", "resource_type": "system", "resource_id": "", "user_id": "",
        "payload": {}, "realm_ids": [], "created_at": "2025-01-15T10:30:05.123Z",
    });
    assert_eq!(page["data"]["events"][0], expected);
}

#[tokio::test]
async fn every_filter_of_the_list_narrows_it() {
    let server = Server::start();
    server.store(&[documented(), at("container.stopped", 5), at("user.login", 7)]).await;
    for query in [
        "event_type=container.running",
        "resource_type=container",
        "resource_id=507f1f77bcf86cd799439033",
        "project_id=507f1f77bcf86cd799439022",
        "container_id=507f1f77bcf86cd799439033",
        "realm_id=507f1f77bcf86cd799439022",
        "start_date=2025-01-15T10:30:05.123Z",
        "start_date=2025-01-01T00:00:00.000Z&end_date=2025-01-15T10:30:05.123Z",
        "event_type=user.login&event_type=container.running",
    ] {
        let page = server.get(&format!("/api/v1/events?{query}")).await.expect(200).json();
        assert_eq!(page["data"]["events"], json!([documented()]), "{query}");
        assert_eq!(page["data"]["pagination"]["total"], 1, "{query}");
    }
    for query in [
        "event_type=container",
        "end_date=2025-01-15T10:30:05.122Z&start_date=2025-01-01",
        "realm_id=x",
        "user_id=none&event_type=no",
    ] {
        let page = server.get(&format!("/api/v1/events?{query}")).await.expect(200).json();
        assert_eq!(
            page["data"]["pagination"],
            json!({"total": 0, "limit": 100, "offset": 0, "has_more": false}),
            "{query}"
        );
    }
}

#[tokio::test]
async fn all_four_orders_have_their_ties() {
    let server = Server::start();
    // Two of each at the same second: the later one is the newer one.
    let mut events = vec![at("b", 1), at("a", 1), at("b", 2), at("a", 2)];
    for (number, event) in events.iter_mut().enumerate() {
        event["user_id"] = json!(number.to_string());
    }
    server.store(&events).await;
    for (query, expected) in [
        ("", ["3", "2", "1", "0"]),
        ("sort_order=asc", ["0", "1", "2", "3"]),
        ("sort_by=event_type&sort_order=asc", ["3", "1", "2", "0"]),
        ("sort_by=event_type&sort_order=desc", ["2", "0", "3", "1"]),
        ("sort_by=event_type", ["2", "0", "3", "1"]),
    ] {
        let page = server.get(&format!("/api/v1/events?{query}")).await.expect(200).json();
        assert_eq!(field(&page, "user_id"), expected, "{query}");
    }
}

#[tokio::test]
async fn parameters_out_of_range_are_named() {
    let server = Server::start();
    for (query, place, message) in [
        ("limit=0", "/limit", "must be >= 1"),
        ("limit=501", "/limit", "must be <= 500"),
        ("limit=ten", "/limit", "must be integer"),
        ("offset=-1", "/offset", "must be >= 0"),
        ("start_date=yesterday", "/start_date", "must match format \"date-time\""),
        ("end_date=", "/end_date", "must match format \"date-time\""),
    ] {
        let reply = server.get(&format!("/api/v1/events?{query}")).await.expect(400).json();
        assert_eq!(reply["statusCode"], 400);
        assert_eq!(reply["error"], "Bad Request");
        assert!(reply["message"].is_string());
        assert_eq!(reply["data"], json!([{"instancePath": place, "message": message}]), "{query}");
    }
    for query in ["sort_by=id", "sort_order=down"] {
        server.get(&format!("/api/v1/events?{query}")).await.expect(400);
    }
    for query in ["limit=1", "limit=500", "offset=99999999999"] {
        server.get(&format!("/api/v1/events?{query}")).await.expect(200);
    }
}

#[tokio::test]
async fn the_documented_statistics_are_answered_literally() {
    let server = Server::start();
    let types = [
        ("container.running", 3456),
        ("container.stopped", 2134),
        ("storage.share.mount_changed", 1523),
        ("notification.read", 8121),
    ];
    let resources = [("container", 8765), ("storage_share", 2456), ("notification", 4013)];
    let spread = |counts: &[(&'static str, usize)]| -> Vec<&'static str> {
        counts.iter().flat_map(|(name, count)| std::iter::repeat_n(*name, *count)).collect()
    };
    let mut events: Vec<Value> =
        spread(&types).into_iter().enumerate().map(|(second, name)| at(name, second)).collect();
    for (event, resource) in events.iter_mut().zip(spread(&resources)) {
        event["resource_type"] = json!(resource);
    }
    events[0]["created_at"] = json!("2024-11-15T10:30:00.000Z");
    events[1]["created_at"] = json!("2025-01-15T10:30:00.000Z");
    server.store(&events).await;
    let reply = server.get("/api/v1/events/stats").await.expect(200).json();
    let expected = json!({
        "statusCode": 200,
        "message": "Event statistics retrieved successfully",
        "data": {
            "total_events": 15234,
            "by_type": {
                "container.running": 3456,
                "container.stopped": 2134,
                "storage.share.mount_changed": 1523,
                "notification.read": 8121
            },
            "by_resource": {"container": 8765, "storage_share": 2456, "notification": 4013},
            "oldest_event": "2024-11-15T10:30:00.000Z",
            "newest_event": "2025-01-15T10:30:00.000Z"
        }
    });
    assert_eq!(reply, expected);
    let period = "start_date=2025-01-01T00:00:00.000Z&end_date=2025-01-31T23:59:59.999Z";
    let reply = server.get(&format!("/api/v1/events/stats?{period}")).await.expect(200).json();
    assert_eq!(reply["data"]["total_events"], 1);
    assert_eq!(reply["data"]["by_type"], json!({"container.running": 1}));
}

#[tokio::test]
async fn statistics_of_nothing_have_no_dates() {
    let server = Server::start();
    server.store(&[at("a", 1)]).await;
    let reply = server.get("/api/v1/events/stats?realm_id=507f1f77bcf86cd799439022").await.expect(200).json();
    let expected =
        json!({"total_events": 0, "by_type": {}, "by_resource": {}, "oldest_event": null, "newest_event": null});
    assert_eq!(reply["data"], expected);
    let reply = server.get("/api/v1/events/stats").await.expect(200).json();
    assert_eq!(reply["data"]["by_resource"], json!({"system": 1}), "every event has a bucket");
    server.get("/api/v1/events/stats?start_date=x").await.expect(400);
}

#[tokio::test]
async fn the_documented_clean_up_deletes_what_is_older() {
    let server = Server::start();
    let mut events: Vec<Value> = (0..5432).map(|second| at("old", second)).collect();
    events.push(json!({"event_type": "new"}));
    server.store(&events).await;
    let reply = server.call(ADMIN, "POST", "/api/v1/events/cleanup", Some(json!({"retention_days": 30}))).await;
    let reply = reply.expect(200).json();
    assert_eq!(reply["statusCode"], 200);
    assert_eq!(reply["message"], "Old events cleaned up successfully");
    assert_eq!(reply["data"]["deleted_count"], 5432);
    assert_eq!(reply["data"]["retention_days"], 30);
    let cutoff = reply["data"]["cutoff_date"].as_str().unwrap();
    assert_eq!((cutoff.len(), cutoff.ends_with('Z')), ("2024-12-15T10:30:00.000Z".len(), true));
    assert_eq!(reply["data"].as_object().unwrap().len(), 3);
    let page = server.get("/api/v1/events").await.expect(200).json();
    assert_eq!(field(&page, "event_type"), ["new"]);
}

#[tokio::test]
async fn retention_days_is_a_whole_number_of_1_to_365() {
    let server = Server::start();
    server.store(&[at("old", 1)]).await;
    for days in [json!(0), json!(366), json!(1.5), json!("30"), json!(true), json!(null), json!(-3)] {
        let body = json!({"retention_days": days});
        let reply = server.call(ADMIN, "POST", "/api/v1/events/cleanup", Some(body)).await.expect(400).json();
        assert_eq!(reply["data"][0]["instancePath"], "/retention_days");
    }
    server.call(ADMIN, "POST", "/api/v1/events/cleanup", None).await.expect(400);
    assert_eq!(server.total().await, 1);
    for days in [365, 1] {
        server.call(ADMIN, "POST", "/api/v1/events/cleanup", Some(json!({"retention_days": days}))).await.expect(200);
    }
}

#[tokio::test]
async fn clean_up_needs_its_own_scope() {
    let server = Server::start();
    let body = Some(json!({"retention_days": 30}));
    let deleter = server.key_for(&["events:delete", "events:read"], &[]).await;
    let reply = server.call(&deleter, "POST", "/api/v1/events/cleanup", body.clone()).await.expect(403).json();
    assert_eq!(reply, json!({"statusCode": 403, "error": "Forbidden", "message": "Admin access required"}));
    let keeper = server.key_for(&["events:retention"], &[]).await;
    server.call(&keeper, "POST", "/api/v1/events/cleanup", body).await.expect(200);
}

#[tokio::test]
async fn a_limited_key_cleans_up_its_own_realm_only() {
    let server = Server::start();
    let mut events = vec![at("mine", 1), at("theirs", 2), at("shared", 3), at("nobodys", 4)];
    for (event, realms) in events.iter_mut().zip([&["a"][..], &["b"], &["a", "b"], &[]]) {
        event["realm_ids"] = json!(realms);
    }
    server.store(&events).await;
    let keeper = server.key_for(&["events:retention"], &["a"]).await;
    let reply = server.call(&keeper, "POST", "/api/v1/events/cleanup", Some(json!({"retention_days": 30}))).await;
    assert_eq!(reply.expect(200).json()["data"]["deleted_count"], 1);
    let page = server.get("/api/v1/events").await.expect(200).json();
    assert_eq!(field(&page, "event_type"), ["nobodys", "shared", "theirs"]);
}

#[tokio::test]
async fn the_documented_bulk_deletes_delete_what_matches() {
    let server = Server::start();
    let mut events: Vec<Value> = (0..1523).map(|second| at("old", second)).collect();
    for event in &mut events {
        event["resource_type"] = json!("container");
        event["created_at"] = json!("2024-12-14T23:59:59.999Z");
    }
    let edge = json!({"event_type": "edge", "resource_type": "container", "created_at": "2024-12-15T00:00:00.000Z"});
    let other = json!({"event_type": "other", "resource_type": "user", "created_at": "2024-12-01T00:00:00.000Z"});
    events.extend([edge, other, documented()]);
    server.store(&events).await;
    let body = json!({"resource_type": "container", "before_date": "2024-12-15T00:00:00.000Z"});
    let reply = server.call(ADMIN, "DELETE", "/api/v1/events", Some(body)).await.expect(200).json();
    let expected =
        json!({"statusCode": 200, "message": "Events deleted successfully", "data": {"deleted_count": 1523}});
    assert_eq!(reply, expected);
    let body = json!({"resource_id": "507f1f77bcf86cd799439033"});
    let reply = server.call(ADMIN, "DELETE", "/api/v1/events/", Some(body)).await.expect(200).json();
    assert_eq!(reply["data"], json!({"deleted_count": 1}));
    let page = server.get("/api/v1/events").await.expect(200).json();
    assert_eq!(field(&page, "event_type"), ["edge", "other"]);
}

#[tokio::test]
async fn a_bulk_delete_without_a_filter_or_with_a_slip_deletes_nothing() {
    let server = Server::start();
    server.store(&[documented()]).await;
    for body in [
        None,
        Some(json!({})),
        Some(json!({"evnt_type": "a"})),
        Some(json!({"event_type": "container.running", "project_id": "x"})),
        Some(json!({"event_type": null})),
        Some(json!({"before_date": "soon"})),
        Some(json!([])),
    ] {
        let reply = server.call(ADMIN, "DELETE", "/api/v1/events", body.clone()).await.expect(400).json();
        assert_eq!(reply["statusCode"], 400, "{body:?}");
    }
    // A realm by host narrows a delete, it does not make one.
    let request = Request::delete("/api/v1/events")
        .header("host", "507f1f77bcf86cd799439022.example.org")
        .header("authorization", ADMIN);
    server.send(request.body(Body::from("{}")).unwrap()).await.expect(400);
    assert_eq!(server.total().await, 1);
}

#[tokio::test]
async fn the_documented_delete_is_final() {
    let server = Server::start();
    server.store(&[documented(), at("other", 1)]).await;
    let path = "/api/v1/events/507f1f77bcf86cd799439044";
    let reply = server.call(ADMIN, "DELETE", path, None).await.expect(200).json();
    // The document shows no data; the vendor's client needs the key.
    assert_eq!(reply, json!({"statusCode": 200, "message": "Event deleted successfully", "data": null}));
    server.get(path).await.expect(404);
    server.call(ADMIN, "DELETE", path, None).await.expect(404);
    let page = server.get("/api/v1/events").await.expect(200).json();
    assert_eq!(field(&page, "event_type"), ["other"]);
    assert_eq!(server.get("/api/v1/events/stats").await.json()["data"]["total_events"], 1);
}

#[tokio::test]
async fn an_event_shared_with_a_foreign_realm_is_seen_and_not_deleted() {
    let server = Server::start();
    let mut event = documented();
    event["realm_ids"] = json!(["a", "b"]);
    server.store(&[event.clone()]).await;
    let path = "/api/v1/events/507f1f77bcf86cd799439044";
    let one = server.key_for(&["events:read", "events:delete"], &["a"]).await;
    assert_eq!(server.call(&one, "GET", path, None).await.expect(200).json()["data"], event);
    server.call(&one, "DELETE", path, None).await.expect(403);
    let bulk = server.call(&one, "DELETE", "/api/v1/events", Some(json!({"event_type": "container.running"}))).await;
    assert_eq!(bulk.expect(200).json()["data"]["deleted_count"], 0);
    let foreign = server.key_for(&["events:read", "events:delete"], &["c"]).await;
    server.call(&foreign, "GET", path, None).await.expect(404);
    server.call(&foreign, "DELETE", path, None).await.expect(404);
    let both = server.key_for(&["events:delete"], &["a", "b"]).await;
    server.call(&both, "DELETE", path, None).await.expect(200);
}

#[tokio::test]
async fn a_realm_in_the_host_narrows_reads_and_deletes() {
    let server = Server::start();
    let mut other = at("container.running", 1);
    other["id"] = json!("507f1f77bcf86cd799439055");
    other["realm_ids"] = json!(["507f1f77bcf86cd799439066"]);
    server.store(&[documented(), other]).await;
    let via = |method: &str, path: &str, body: &str| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", "507f1f77bcf86cd799439022.api.example.org:8443")
            .header("authorization", ADMIN)
            .body(Body::from(body.to_owned()))
            .unwrap()
    };
    let page = server.send(via("GET", "/api/v1/events", "")).await.expect(200).json();
    assert_eq!(page["data"]["events"], json!([documented()]));
    let stats = server.send(via("GET", "/api/v1/events/stats", "")).await.expect(200).json();
    assert_eq!(stats["data"]["total_events"], 1);
    server.send(via("GET", "/api/v1/events/507f1f77bcf86cd799439055", "")).await.expect(404);
    server.send(via("DELETE", "/api/v1/events/507f1f77bcf86cd799439055", "")).await.expect(404);
    let bulk = via("DELETE", "/api/v1/events", r#"{"event_type":"container.running"}"#);
    assert_eq!(server.send(bulk).await.expect(200).json()["data"]["deleted_count"], 1);
    let page = server.get("/api/v1/events").await.expect(200).json();
    assert_eq!(ids(&page), ["507f1f77bcf86cd799439055"]);
}

#[tokio::test]
async fn of_an_id_that_several_realms_have_a_host_reaches_its_own_only() {
    const REALMS: [&str; 2] = ["507f1f77bcf86cd7994390aa", "507f1f77bcf86cd7994390bb"];
    let server = Server::start();
    let path = "/api/v1/events/507f1f77bcf86cd799439044";
    let via = async |realm: &str, method: &str| {
        let request = Request::builder().method(method).uri(path).header("host", format!("{realm}.example.org"));
        server.send(request.header("authorization", ADMIN).body(Body::empty()).unwrap()).await
    };
    // Once the older one is asked for, once the newer one.
    for (realm, other) in [(REALMS[0], REALMS[1]), (REALMS[1], REALMS[0])] {
        let of = |realm: &str, second: usize| {
            let mut event = at(realm, second);
            event["id"] = json!("507f1f77bcf86cd799439044");
            event["realm_ids"] = json!([realm]);
            event
        };
        server.store(&[of(REALMS[0], 1), of(REALMS[0], 2), of(REALMS[1], 3)]).await;
        assert_eq!(via(realm, "GET").await.expect(200).json()["data"]["event_type"], realm);
        via(realm, "DELETE").await.expect(200);
        via(realm, "GET").await.expect(404);
        via(realm, "DELETE").await.expect(404);
        assert_eq!(via(other, "GET").await.expect(200).json()["data"]["event_type"], other);
        server.call(ADMIN, "DELETE", path, None).await.expect(200);
        assert_eq!(server.total().await, 0, "without a realm in the host all of them go");
    }
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_have_the_vendors_errors() {
    let server = Server::start();
    for path in ["/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/events/507f1f77bcf86cd799439044/x"] {
        for key in [ADMIN, "wrong"] {
            let reply = server.call(key, "GET", path, None).await.expect(404).json();
            assert_eq!((&reply["statusCode"], &reply["error"]), (&json!(404), &json!("Not Found")), "{path}");
        }
    }
    for (method, path, allow) in [
        ("POST", "/api/v1/events", "GET, HEAD, DELETE"),
        ("QUERY", "/api/v1/events/", "GET, HEAD, DELETE"),
        ("OPTIONS", "/api/v1/events/stats", "GET, HEAD"),
        ("GET", "/api/v1/events/cleanup", "POST"),
        ("PUT", "/api/v1/events/507f1f77bcf86cd799439044", "GET, HEAD, DELETE"),
    ] {
        let reply = server.call("wrong", method, path, None).await.expect(405);
        assert_eq!(reply.header("allow"), allow, "{method} {path}");
        assert_eq!(reply.json()["error"], "Method Not Allowed");
    }
    let request = Request::get("/api/v1/events?limit=0").body(Body::empty()).unwrap();
    let reply = server.send(request).await.expect(401).json();
    assert_eq!((&reply["statusCode"], &reply["error"]), (&json!(401), &json!("Unauthorized")));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = Server::start();
    server.store(&[documented()]).await;
    for path in ["/api/v1/events", "/api/v1/events/stats", "/api/v1/events/507f1f77bcf86cd799439044"] {
        let get = server.get(path).await.expect(200);
        let head = server.call(ADMIN, "HEAD", path, None).await.expect(200);
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-length"), get.body.len().to_string());
        assert_eq!(head.header("content-type"), get.header("content-type"));
    }
}
