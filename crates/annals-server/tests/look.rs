//! What a page to look at events needs besides lists and counts: who the caller is, values to choose from, histograms
//! by severity, and what the store consists of.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use annals_server::Limits;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use support::{ADMIN, Reply, Server};

fn message(reply: Reply, status: u16) -> String {
    reply.expect(status).json()["error"]["message"].as_str().unwrap().to_owned()
}

async fn me(server: &Server, key: &str) -> Value {
    server.call(key, "GET", "/annals/v1/me", None).await.expect(200).json()
}

#[tokio::test]
async fn a_key_is_told_what_it_may_do_and_see() {
    let server = Server::start();
    let administrator = json!({
        "name": "administrator", "kind": "administrator", "scopes": ["admin"], "realms": [], "orgs": [],
        "unlimited": true, "user_id": "admin", "expires_at": null,
    });
    assert_eq!(me(&server, ADMIN).await, administrator);
    let (key, id) = server.key(json!({"name": "reader", "scopes": ["notifications:read", "events:read"]})).await;
    let reader = json!({
        "name": "reader", "kind": "key", "scopes": ["events:read", "notifications:read"], "realms": [], "orgs": [],
        "unlimited": true, "user_id": format!("key:{id}"), "expires_at": null,
    });
    assert_eq!(me(&server, &key).await, reader);
    let limited = json!({
        "name": "limited", "scopes": ["audit:read"], "realms": ["a", "b"], "user_id": "ada",
        "expires_at": "2099-01-31T00:00:00Z",
    });
    let expected = json!({
        "name": "limited", "kind": "key", "scopes": ["audit:read"], "realms": ["a", "b"], "orgs": [],
        "unlimited": false, "user_id": "ada", "expires_at": "2099-01-31T00:00:00.000000Z",
    });
    assert_eq!(me(&server, &server.key(limited).await.0).await, expected);
    let nothing = server.key(json!({"name": "n", "scopes": ["admin"], "orgs": []})).await.0;
    let shown = me(&server, &nothing).await;
    assert_eq!((&shown["unlimited"], &shown["orgs"]), (&json!(false), &json!([])), "limited to nothing");
}

#[tokio::test]
async fn a_token_is_told_whose_it_is_and_until_when() {
    let server = Server::start();
    let user =
        json!({"username": "ada", "password": "correct horse battery", "scopes": ["events:read"], "orgs": ["o"]});
    server.call(ADMIN, "POST", "/annals/v1/users", Some(user)).await.expect(200);
    let form = Body::from("username=ada&password=correct+horse+battery");
    let token = server.send(Request::post("/v1/auth/token").body(form).unwrap()).await.expect(200).json();
    let now_us = server.state.engine().options().clock.now_us();
    let mut shown = me(&server, token["access_token"].as_str().unwrap()).await;
    let until_us = annals_json::parse_time(shown["expires_at"].take().as_str().unwrap()).unwrap();
    assert!((now_us + 3_590_000_000..=now_us + 3_600_000_000).contains(&until_us), "an hour: {until_us}");
    let expected = json!({
        "name": "ada", "kind": "user", "scopes": ["events:read"], "realms": [], "orgs": ["o"],
        "unlimited": false, "user_id": "ada", "expires_at": null,
    });
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn nobody_is_told_nothing() {
    let server = Server::start();
    let reply = server.send(Request::get("/annals/v1/me").body(Body::empty()).unwrap()).await.expect(401);
    assert_eq!(
        (reply.header("www-authenticate"), reply.json()["error"]["code"].as_str()),
        ("Bearer", Some("unauthorized"))
    );
    server.call("wrong", "GET", "/annals/v1/me", None).await.expect(401);
    let expired = server.expired_key().await;
    server.call(&expired, "GET", "/annals/v1/me", None).await.expect(401);
    assert_eq!(message(server.get("/annals/v1/me?a=b").await, 400), "a is not known; this call has no parameters");
    server.call(ADMIN, "HEAD", "/annals/v1/me", None).await.expect(200);
    server.call(ADMIN, "POST", "/annals/v1/me", None).await.expect(405);
}

/// Logins of three users, one a minute, in two realms.
async fn logins() -> Server {
    let server = Server::start();
    let login = |at: usize, user: &str, severity: &str| {
        let realm = ["a", "b"][at % 2];
        json!({
            "event_type": "user.login", "user_id": user, "severity": severity, "realm_ids": [realm, "all"],
            "created_at": format!("2025-01-01T00:{at:02}:30Z"),
        })
    };
    server
        .store(&[
            login(0, "Ada", "error"),
            login(1, "Ada", "info"),
            login(2, "bob", "info"),
            login(3, "Ada", "info"),
            login(5, "adam", "warn"),
        ])
        .await;
    server.store(&[json!({"event_type": "user.logout", "created_at": "2025-01-01T00:05:59Z"})]).await;
    server
}

async fn values(server: &Server, key: &str, query: &str) -> Value {
    server.call(key, "GET", &format!("/annals/v1/values?{query}"), None).await.expect(200).json()
}

fn listed(field: &str, values: &[(&str, u64)], more: bool) -> Value {
    let values: Vec<Value> = values.iter().map(|(value, count)| json!({"value": value, "count": count})).collect();
    json!({"field": field, "values": values, "more": more})
}

#[tokio::test]
async fn values_are_told_with_their_counts_under_the_filters() {
    let server = logins().await;
    for (query, field, expected, more) in [
        ("field=user_id", "user_id", vec![("Ada", 3), ("adam", 1), ("bob", 1)], false),
        ("field=user_id&contains=", "user_id", vec![("Ada", 3), ("adam", 1), ("bob", 1)], false),
        ("field=user_id&contains=ADA", "user_id", vec![("Ada", 3), ("adam", 1)], false),
        ("field=user_id&contains=ada&limit=1", "user_id", vec![("Ada", 3)], true),
        ("field=user_id&contains=x", "user_id", vec![], false),
        ("field=user_id&severity=info", "user_id", vec![("Ada", 2), ("bob", 1)], false),
        ("field=user_id&q=nothing", "user_id", vec![], false),
        ("field=realm_id&user_id=Ada", "realm_id", vec![("all", 3), ("b", 2), ("a", 1)], false),
        ("field=realm_ids&from=2025-01-01T00:05:00Z", "realm_ids", vec![("all", 1), ("b", 1)], false),
        ("field=event_type&to=2025-01-01T00:01:00Z", "event_type", vec![("user.login", 1)], false),
    ] {
        assert_eq!(values(&server, ADMIN, query).await, listed(field, &expected, more), "{query}");
    }
    server.state.engine().seal_now().unwrap();
    assert_eq!(
        values(&server, ADMIN, "field=severity&limit=2").await,
        listed("severity", &[("info", 4), ("error", 1)], true)
    );
    let limited = server.key_for(&["events:read"], &["a"]).await;
    let expected = [("Ada", 1), ("bob", 1)];
    assert_eq!(values(&server, &limited, "field=user_id").await, listed("user_id", &expected, false), "its own");
}

#[tokio::test]
async fn mistakes_in_values_are_named() {
    let server = Server::start();
    for (query, said) in [
        ("", "field is required"),
        ("?field=nothing", "field must be a field, \"nothing\" is none"),
        ("?field=acknowledged", "field cannot be acknowledged, which is no field"),
        ("?field=user_id&limit=0", "limit must be"),
        ("?field=user_id&limit=1001", "limit must be"),
        ("?field=user_id&offset=1", "offset is not known"),
        ("?field=user_id&user_id=", "user_id must not be empty"),
        (&format!("?field=user_id&contains={}", "x".repeat(1025)), "contains must have at most 1024 bytes"),
    ] {
        let told = message(server.get(&format!("/annals/v1/values{query}")).await, 400);
        assert!(told.starts_with(said), "{query}: {told}");
    }
    let server = Server::with(Limits { query_time_max: std::time::Duration::ZERO, ..Limits::default() });
    server.store(&[json!({"event_type": "a"})]).await;
    let late = server.get("/annals/v1/values?field=event_type").await.expect(503).json();
    assert_eq!(late["error"]["code"], "query_too_expensive");
}

#[tokio::test]
async fn each_bucket_of_a_histogram_is_split_by_severity() {
    let server = logins().await;
    for sealed in [false, true] {
        if sealed {
            server.state.engine().seal_now().unwrap();
        }
        let found = server.get("/annals/v1/stats?interval=2m&split=severity").await.expect(200).json();
        let expected = json!([
            {"time": "2025-01-01T00:00:00.000000Z", "count": 2, "by": {"error": 1, "info": 1}, "other": 0},
            {"time": "2025-01-01T00:02:00.000000Z", "count": 2, "by": {"info": 2}, "other": 0},
            {"time": "2025-01-01T00:04:00.000000Z", "count": 2, "by": {"info": 1, "warn": 1}, "other": 0},
        ]);
        assert_eq!(found["histogram"], expected);
        let found = server.get("/annals/v1/stats?interval=1h&split=realm_id&user_id=Ada&by=severity").await;
        let found = found.expect(200).json();
        let expected = json!([
            {"time": "2025-01-01T00:00:00.000000Z", "count": 3, "by": {"all": 3, "b": 2, "a": 1}, "other": 0},
        ]);
        assert_eq!((&found["histogram"], &found["by"]), (&expected, &json!({"severity": {"info": 2, "error": 1}})));
    }
    let limited = server.key_for(&["events:read"], &["a"]).await;
    let found = server.call(&limited, "GET", "/annals/v1/stats?interval=1d&split=severity", None).await;
    let expected = json!([
        {"time": "2025-01-01T00:00:00.000000Z", "count": 2, "by": {"error": 1, "info": 1}, "other": 0},
    ]);
    assert_eq!(found.expect(200).json()["histogram"], expected);
}

#[tokio::test]
async fn more_than_ten_values_are_one_number() {
    let server = Server::start();
    let kinds: Vec<Value> =
        (0..13).flat_map(|kind| vec![json!({"event_type": format!("k{kind:02}")}); 20 - kind]).collect();
    server.store(&kinds).await;
    let found = server.get("/annals/v1/stats?interval=52w&split=event_type").await.expect(200).json();
    let buckets = found["histogram"].as_array().unwrap();
    let by = buckets[0]["by"].as_object().unwrap();
    assert_eq!((by.len(), &by["k00"], &by["k09"], by.get("k10")), (10, &json!(20), &json!(11), None));
    assert_eq!(buckets.iter().map(|bucket| bucket["other"].as_u64().unwrap()).sum::<u64>(), 10 + 9 + 8);
}

#[tokio::test]
async fn a_split_is_of_a_field_and_of_a_histogram() {
    let server = Server::start();
    for (query, said) in [
        ("split=severity", "split needs an interval: it is the histogram that is split"),
        ("interval=1h&split=nothing", "split must be a field, \"nothing\" is none"),
        ("interval=1h&split=", "split must be a field, \"\" is none"),
        (
            "interval=1h&split=acknowledged",
            "split cannot be acknowledged, which is no field: ask for total with \
          acknowledged=true and =false",
        ),
    ] {
        assert_eq!(message(server.get(&format!("/annals/v1/stats?{query}")).await, 400), said);
    }
    let empty = server.get("/annals/v1/stats?interval=1h&split=severity").await.expect(200).json();
    assert_eq!(empty["histogram"], json!([]));
}

async fn segments(server: &Server, query: &str) -> Value {
    server.get(&format!("/annals/v1/segments{query}")).await.expect(200).json()
}

#[tokio::test]
async fn an_empty_store_has_no_segments_and_says_what_it_has() {
    let server = Server::start();
    let expected = json!({
        "partitions": [], "total": 0, "limit": 1000, "offset": 0,
        "log": {"bytes": segments(&server, "").await["log"]["bytes"], "rows": 0, "waiting_to_be_sealed": 0,
            "seal_lag_ms": 0, "seals": 0},
        "compaction": {"due": false, "compactions": 0, "failure": null},
        "scrub": {"running": false, "started_at": null, "finished_at": null, "passes": 0, "corrupt_blocks": 0},
        "last_verification": null,
    });
    assert_eq!(segments(&server, "").await, expected);
}

#[tokio::test]
async fn segments_are_told_by_partition() {
    let server = Server::start();
    let month = |number: u32| {
        let event =
            |at: u32| json!({"event_type": "a", "created_at": format!("2025-{number:02}-10T00:00:00.{at:03}Z")});
        (0..300).map(event).collect::<Vec<_>>()
    };
    for number in [3, 1] {
        server.store(&month(number)).await;
        server.state.engine().seal_now().unwrap();
    }
    server.call(ADMIN, "DELETE", "/annals/v1/events/5", None).await.expect(200);
    server.store(&[json!({"event_type": "live"})]).await;
    server.call(ADMIN, "POST", "/annals/v1/verify", None).await.expect(200);
    let shown = segments(&server, "").await;
    assert_eq!((&shown["total"], &shown["log"]["rows"], &shown["log"]["seals"]), (&json!(2), &json!(1), &json!(2)));
    let verified = &shown["last_verification"];
    assert_eq!(
        (&verified["result"], &verified["events"], &verified["damages"]),
        (&json!("done"), &json!(601), &json!(0))
    );
    let partitions = shown["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 2);
    let late = &partitions[1]["segments"][0];
    let expected = json!({
        "id": late["id"], "bytes": late["bytes"], "events": 299, "deleted": 1,
        "created_at_min": "2025-03-10T00:00:00.000000Z", "created_at_max": "2025-03-10T00:00:00.299000Z",
        "first_sequence": 1, "last_sequence": 300, "sealed_at": late["sealed_at"], "packed": false, "readable": true,
        "scrubbed": null,
    });
    assert_eq!(late, &expected);
    assert!(late["bytes"].as_u64().unwrap() > 0 && late["sealed_at"].is_string());
    let first = &partitions[0];
    assert_eq!((&first["span"], &first["segments"][0]["first_sequence"]), (&json!("month"), &json!(301)));
    assert!(first["start"].as_str().unwrap() < "2025-01-10" && first["end"].as_str().unwrap() > "2025-01-10");
    let second = segments(&server, "?limit=1&offset=1").await;
    assert_eq!((&second["partitions"], &second["total"]), (&json!([partitions[1]]), &json!(2)));
    assert_eq!(segments(&server, "?offset=18446744073709551615").await["partitions"], json!([]));
    for (query, said) in
        [("?limit=0", "limit must be"), ("?limit=10001", "limit must be"), ("?by=a", "by is not known")]
    {
        assert!(message(server.get(&format!("/annals/v1/segments{query}")).await, 400).starts_with(said), "{query}");
    }
}
