//! The audit face: the request and response of its document literally, and the two calls that the
//! vendor's client makes beyond it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use support::{ADMIN, Reply, Server};

const LIST: &str = "/v1/audit/events";
const ID: &str = "0199d2f0-6a00-7cc1-8abc-0123456789ab";

/// An event with a value for every member that the document names, as it is sent.
fn sent() -> Value {
    json!({
        "id": ID, "created_at": "2025-11-21T09:08:07.654321Z", "user_id": 42, "actor_type": "api_key",
        "actor_id": "key_7", "source": "sdk", "event_group": "vm", "event_type": "vm.terminated",
        "status": "success", "resource_type": "vm", "resource_id": "vm_1", "session_id": "sess_1",
        "vm_id": "vm_1", "task_id": 9, "request_id": "req_1", "correlation_id": "corr_1",
        "http_method": "DELETE", "path": "/v1/vms/vm_1", "http_status": 204, "latency_ms": 12.5,
        "ip_address": "192.0.2.7", "user_agent": "instavm/0.26", "node_ip": "10.0.0.4", "worker_id": "w-3",
        "payload": {"reason": "idle", "after_s": 300}, "error_message": "none of note",
    })
}

/// The same event as it is shown.
fn shown() -> Value {
    let mut event = sent();
    let fields = event.as_object_mut().unwrap();
    let payload = fields.remove("payload").unwrap();
    fields.insert("event_payload".to_owned(), payload);
    event
}

/// An event of a type, at a second of a day.
fn at(event_type: &str, second: usize) -> Value {
    let time = format!("2025-03-01T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60);
    json!({"event_type": event_type, "created_at": time})
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

fn types(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|event| event["event_type"].as_str().unwrap()).collect()
}

async fn with_header(server: &Server, name: &str, value: &str, path: &str) -> Reply {
    server.send(Request::get(path).header(name, value).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_member_of_the_document_is_answered_literally() {
    let server = Server::start();
    server.store(&[sent()]).await;
    let reply = server.get(LIST).await.expect(200);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.json(), json!({"items": [shown()], "next_cursor": null}));
    assert_eq!(shown().as_object().unwrap().len(), 26);
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    assert!(text.starts_with(&format!("{{\"items\":[{{\"id\":\"{ID}\",\"created_at\":")), "{text}");
    for path in
        [format!("{LIST}/{ID}"), format!("{LIST}/{}", ID.replace('-', "").to_uppercase()), format!("{LIST}/{ID}/")]
    {
        assert_eq!(server.get(&path).await.expect(200).json(), shown(), "{path}");
    }
}

#[tokio::test]
async fn members_without_a_value_are_null_and_those_the_document_requires_have_one() {
    let server = Server::start();
    server.store(&[json!({"event_type": "snapshot.created", "created_at": "2025-11-21T09:08:07Z", "id": ID})]).await;
    let expected = json!({
        "id": ID, "created_at": "2025-11-21T09:08:07Z", "user_id": null, "actor_type": "system", "actor_id": null,
        "source": "api", "event_group": "snapshot", "event_type": "snapshot.created", "status": "success",
        "resource_type": "system", "resource_id": null, "session_id": null, "vm_id": null, "task_id": null,
        "request_id": null, "correlation_id": null, "http_method": null, "path": null, "http_status": null,
        "latency_ms": null, "ip_address": null, "user_agent": null, "node_ip": null, "worker_id": null,
        "event_payload": null, "error_message": null,
    });
    assert_eq!(server.get(LIST).await.expect(200).json(), json!({"items": [expected], "next_cursor": null}));
}

#[tokio::test]
async fn numbers_are_numbers_or_null_and_a_named_user_is_the_actor() {
    let server = Server::start();
    let with = |user: Value, more: Value| {
        let mut event = json!({"event_type": "a", "user_id": user});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let cases = [
        (with(json!("7"), json!({})), json!([7, "user", null])),
        (with(json!(-7), json!({"actor_id": "x"})), json!([-7, "user", "x"])),
        (with(json!("ada"), json!({})), json!([null, "user", "ada"])),
        (with(json!("ada"), json!({"actor_id": "x", "actor_type": "robot"})), json!([null, "robot", "x"])),
        (with(json!("007"), json!({})), json!([null, "user", "007"])),
        (with(json!(1.5), json!({})), json!([null, "user", "1.5"])),
        (with(json!("9223372036854775808"), json!({})), json!([null, "user", "9223372036854775808"])),
        (with(json!(null), json!({"actor_id": "cron"})), json!([null, "system", "cron"])),
    ];
    for (event, expected) in cases {
        server.store(std::slice::from_ref(&event)).await;
        let item = server.get("/v1/audit/events?limit=1").await.expect(200).json()["items"][0].clone();
        assert_eq!(json!([item["user_id"], item["actor_type"], item["actor_id"]]), expected, "{event}");
    }
    for (given, expected) in [(json!("9"), json!(9)), (json!(404), json!(404)), (json!("9a"), json!(null))] {
        server.store(&[json!({"event_type": "a", "task_id": given, "http_status": given})]).await;
        let item = server.get("/v1/audit/events?limit=1").await.expect(200).json()["items"][0].clone();
        assert_eq!((&item["task_id"], &item["http_status"]), (&expected, &expected), "{given}");
    }
}

#[tokio::test]
async fn every_filter_is_exact() {
    let server = Server::start();
    let mut other = sent();
    for (_, value) in other.as_object_mut().unwrap() {
        if let Value::String(text) = value {
            *text = format!("{text}x");
        }
    }
    other["id"] = json!(null);
    other["created_at"] = json!("2025-11-21T09:08:08Z");
    other["user_id"] = json!(420);
    server.store(&[sent(), other]).await;
    for query in [
        "event_group=vm",
        "event_type=vm.terminated",
        "status=success",
        "user_id=42",
        "user_id=+42.0",
        "vm_id=vm_1",
        "session_id=sess_1",
        "event_group=vm&event_type=vm.terminated&user_id=42",
        "vm_id=other&vm_id=vm_1",
        "vm_id=vm_1&resource_id=ignored",
    ] {
        assert_eq!(ids(&server.get(&format!("{LIST}?{query}")).await.expect(200).json()), [ID], "{query}");
    }
    for query in [
        "event_group=VM",
        "event_group=v",
        "status=ok",
        "user_id=4",
        "user_id=99999999999999999999999",
        "vm_id=",
        "session_id=sess",
        "event_group=vm&user_id=420",
        "vm_id=vm_1%00",
    ] {
        let page = server.get(&format!("{LIST}?{query}")).await.expect(200).json();
        assert_eq!(page, json!({"items": [], "next_cursor": null}), "{query}");
    }
}

#[tokio::test]
async fn pages_are_newest_first_and_end_with_null() {
    let server = Server::start();
    let events: Vec<Value> = (0..201).map(|second| at(&format!("a.{second}"), second)).collect();
    server.store(&events).await;
    let page = server.get(LIST).await.expect(200).json();
    assert_eq!((types(&page).len(), types(&page)[0], types(&page)[49]), (50, "a.200", "a.151"));
    assert!(page["next_cursor"].is_string());
    let page = server.get("/v1/audit/events?limit=200").await.expect(200).json();
    assert_eq!((types(&page).len(), types(&page)[199]), (200, "a.1"));
    let cursor = page["next_cursor"].as_str().unwrap();
    let last = server.get(&format!("{LIST}?limit=1&cursor={cursor}")).await.expect(200).json();
    assert_eq!((types(&last), &last["next_cursor"]), (vec!["a.0"], &Value::Null), "a full page can be the last");
}

#[tokio::test]
async fn a_walk_reads_every_event_once_while_others_arrive() {
    let server = Server::start();
    // Equal times: only the append order tells them apart.
    let events: Vec<Value> = (0..100).map(|index| at("walk.step", index / 10)).collect();
    server.store(&events).await;
    let before: BTreeSet<String> = ids(&server.get("/v1/audit/events?limit=200").await.json()).into_iter().collect();
    assert_eq!(before.len(), 100);
    let (mut seen, mut cursor, mut rounds) = (Vec::new(), String::new(), 0);
    loop {
        rounds += 1;
        let limit = rounds % 9 + 1;
        let page = server.get(&format!("{LIST}?event_type=walk.step&limit={limit}{cursor}")).await.expect(200).json();
        seen.extend(ids(&page));
        // A newer one, and one of the very second the walk has just begun with.
        server.store(&[at("walk.step", 5000 + rounds), at("walk.step", 9)]).await;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(rounds > 15);
    let once: BTreeSet<String> = seen.iter().cloned().collect();
    assert_eq!(once.len(), seen.len(), "none came twice");
    assert_eq!(once, before, "none was missed, and none that came later is in the walk");
}

#[tokio::test]
async fn large_events_end_a_page_early_with_a_cursor() {
    let server = Server::start();
    let content = "x".repeat(500_000);
    for second in 0..40 {
        let mut event = at("large.one", second);
        event["content"] = json!(content);
        server.store(&[event]).await;
    }
    let page = server.get("/v1/audit/events?limit=200").await.expect(200).json();
    let first = types(&page).len();
    assert!((30..40).contains(&first), "{first}");
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = server.get(&format!("{LIST}?limit=200&cursor={cursor}")).await.expect(200).json();
    assert_eq!((first + types(&rest).len(), &rest["next_cursor"]), (40, &Value::Null));
}

#[tokio::test]
async fn a_cursor_fits_its_own_query_and_caller_only() {
    let server = Server::start();
    let limited = server.key_for(&["events:read"], &["r"]).await;
    let other = server.key_for(&["events:read"], &["s"]).await;
    let events: Vec<Value> = (0..4)
        .map(|second| {
            let mut event = at("a", second);
            event["realm_ids"] = json!(["r", "s"]);
            event
        })
        .collect();
    server.store(&events).await;
    let page = server.call(&limited, "GET", "/v1/audit/events?event_type=a&limit=1", None).await.expect(200).json();
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    let rest = format!("{LIST}?event_type=a&limit=200&cursor={cursor}");
    assert_eq!(types(&server.call(&limited, "GET", &rest, None).await.expect(200).json()).len(), 3);
    let refused = json!({"detail": [{
        "type": "value_error", "loc": ["query", "cursor"], "input": cursor,
        "msg": "Value error, the cursor does not belong to this query: start from the first page",
    }]});
    for (key, path) in [
        (&*other, rest.clone()),
        (ADMIN, rest.clone()),
        (&limited, format!("{LIST}?cursor={cursor}")),
        (&limited, format!("{LIST}?event_type=b&cursor={cursor}")),
        (&limited, format!("{LIST}?event_type=a&status=success&cursor={cursor}")),
    ] {
        assert_eq!(server.call(key, "GET", &path, None).await.expect(422).json(), refused, "{path}");
    }
    let native = server.call(&limited, "GET", "/annals/v1/events?event_type=a&limit=1", None).await.json();
    assert!(native["next_cursor"].is_string());
}

#[tokio::test]
async fn a_limited_key_sees_its_own_in_list_item_and_catalog() {
    let server = Server::start();
    let limited = server.key_for(&["events:read"], &["r"]).await;
    let (own, foreign) = (ID, "0199d2f0-6a00-7cc1-8abc-0123456789ac");
    server
        .store(&[
            json!({"event_type": "vm.started", "realm_ids": ["r"], "id": own}),
            json!({"event_type": "vm.secret", "realm_ids": ["s"], "id": foreign}),
            json!({"event_type": "snapshot.secret"}),
        ])
        .await;
    let get = async |path: &str| server.call(&limited, "GET", path, None).await;
    assert_eq!(ids(&get(LIST).await.expect(200).json()), [own]);
    get(&format!("{LIST}/{own}")).await.expect(200);
    let reply = get(&format!("{LIST}/{foreign}")).await.expect(404);
    assert_eq!(reply.json(), json!({"detail": "Audit event not found"}));
    let catalog = get("/v1/audit/catalog").await.expect(200).json();
    assert_eq!(catalog, json!({"catalog": {"vm": ["vm.started"]}}));
    let whole = server.get("/v1/audit/catalog").await.expect(200).json();
    assert_eq!(whole, json!({"catalog": {"snapshot": ["snapshot.secret"], "vm": ["vm.secret", "vm.started"]}}));
}

#[tokio::test]
async fn the_catalog_holds_live_events_only() {
    let server = Server::start();
    assert_eq!(server.get("/v1/audit/catalog").await.expect(200).json(), json!({"catalog": {}}));
    server
        .store(&[json!({"event_type": "vm.started", "id": ID}), json!({"event_type": "x", "event_group": "vm"})])
        .await;
    let catalog = server.get("/v1/audit/catalog/").await.expect(200).json();
    assert_eq!(catalog, json!({"catalog": {"vm": ["vm.started", "x"]}}));
    server.call(ADMIN, "DELETE", &format!("/annals/v1/events/{ID}"), None).await.expect(200);
    assert_eq!(server.get("/v1/audit/catalog").await.expect(200).json(), json!({"catalog": {"vm": ["x"]}}));
    server.get(&format!("{LIST}/{ID}")).await.expect(404);
}

#[tokio::test]
async fn both_schemes_of_the_document_are_taken_and_no_key_is_401_before_all_else() {
    let server = Server::start();
    for (name, value) in [("x-api-key", ADMIN.to_owned()), ("authorization", format!("Bearer {ADMIN}"))] {
        with_header(&server, name, &value, LIST).await.expect(200);
    }
    for (name, value) in [("accept", "*/*"), ("x-api-key", "wrong"), ("authorization", "Bearer wrong")] {
        for path in ["/v1/audit/events?limit=0", "/v1/audit/events/none", "/v1/audit/catalog"] {
            let reply = with_header(&server, name, value, path).await.expect(401);
            assert_eq!(reply.header("www-authenticate"), "Bearer");
            assert_eq!(reply.json(), json!({"detail": "Not authenticated"}));
        }
    }
    let writer = server.key_for(&["events:create"], &[]).await;
    let reply = server.call(&writer, "GET", "/v1/audit/events?limit=0", None).await.expect(403);
    assert_eq!(reply.json(), json!({"detail": "the key lacks the scope events:read"}));
}

#[tokio::test]
async fn head_answers_like_get_without_the_body() {
    let server = Server::start();
    server.store(&[sent()]).await;
    for path in [LIST.to_owned(), format!("{LIST}/{ID}"), "/v1/audit/catalog".to_owned()] {
        let get = server.get(&path).await.expect(200);
        let head = server.call(ADMIN, "HEAD", &path, None).await.expect(200);
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-length"), get.body.len().to_string(), "{path}");
        assert_eq!(head.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn other_methods_are_405_and_other_paths_404_key_or_not() {
    let server = Server::start();
    for path in [LIST.to_owned(), format!("{LIST}/{ID}"), "/v1/audit/catalog".to_owned()] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"] {
            for key in [ADMIN, "wrong"] {
                let reply = server.call(key, method, &path, None).await.expect(405);
                assert_eq!(reply.header("allow"), "GET, HEAD", "{method} {path}");
                assert_eq!(reply.json(), json!({"detail": "Method Not Allowed"}));
            }
        }
    }
    for path in ["/v1/audit", "/v1/audit/", "/v1/audit/other", "/v1/audit/events/a/b", "/v1/auth", "/v1/auth/none"] {
        for key in [ADMIN, "wrong"] {
            let reply = server.call(key, "GET", path, None).await.expect(404);
            assert_eq!(reply.json(), json!({"detail": "Not Found"}), "{path}");
        }
    }
}
