//! Every filter, alone and together, in the list, the count and the months.

use serde_json::{Value, json};

use super::support::{ADMIN, Server};
use super::{CUSTOMER, OTHER_USER, PROJECT, RESOURCE, TOKEN, USER, at, get, hex, types};

/// One event for each filter.
fn events() -> Vec<Value> {
    let mut events = Vec::new();
    for (second, (event_type, members)) in [
        ("customer_hyphens", json!({"org_id": CUSTOMER})),
        ("customer_hex", json!({"payload": {"customer_uuid": hex(CUSTOMER)}})),
        ("customer_upper", json!({"org_id": hex(CUSTOMER).to_uppercase()})),
        ("project", json!({"project_id": PROJECT.to_uppercase()})),
        ("user", json!({"user_id": hex(USER)})),
        ("affected", json!({"payload": {"affected_user_uuid": USER, "user_uuid": OTHER_USER}})),
        ("token", json!({"pat_uuid": TOKEN, "auth_method": "pat"})),
        ("session", json!({"auth_method": "session", "pat_uuid": "plain"})),
        ("resource.created", json!({"resource_type": "vm", "resource_id": RESOURCE, "message": "Straße ÄÖÜ 50%_done"})),
        ("resource.deleted", json!({"resource_type": "vm", "resource_id": "web 1"})),
        ("odd", json!({"event_group": "resource", "message": "NUL \u{0} and more"})),
    ]
    .into_iter()
    .enumerate()
    {
        let mut event = at(event_type, second);
        event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        events.push(event);
    }
    events
}

async fn with_events() -> Server {
    let server = Server::start();
    server.store(&events()).await;
    server
}

/// The filter of a query gives these types, oldest first, in the list, the count and the months.
async fn gives(server: &Server, query: &str, expected: &[&str]) {
    assert_eq!(types(server, &format!("{query}&o=created")).await, expected, "{query}");
    let reply = get(server, &format!("/api/events/count/?{query}")).await.expect(200);
    assert_eq!(reply.json(), json!({"count": expected.len()}), "{query}");
    assert_eq!(reply.header("x-result-count"), expected.len().to_string());
    let months = get(server, &format!("/api/events-stats/?{query}")).await.expect(200).json();
    let december = json!([{"year": 2024, "month": 12, "count": expected.len()}]);
    assert_eq!(months, if expected.is_empty() { json!([]) } else { december }, "{query}");
}

#[tokio::test]
async fn uuids_are_found_however_they_are_asked_for_and_stored() {
    let server = with_events().await;
    let customer = ["customer_hyphens", "customer_hex", "customer_upper"];
    for form in [
        CUSTOMER.to_owned(),
        CUSTOMER.to_uppercase(),
        hex(CUSTOMER),
        format!("%7B{CUSTOMER}%7D"),
        format!("urn:uuid:{CUSTOMER}"),
        format!("+{CUSTOMER}+"),
    ] {
        gives(&server, &format!("customer_uuid={form}"), &customer).await;
    }
    gives(&server, &format!("project_uuid={PROJECT}"), &["project"]).await;
    gives(&server, &format!("user_uuid={USER}"), &["user"]).await;
    gives(&server, &format!("related_user_uuid={USER}"), &["user", "affected"]).await;
    gives(&server, &format!("pat_uuid={}", hex(TOKEN)), &["token"]).await;
    gives(&server, "pat_uuid=plain", &["session"]).await;
    gives(&server, "auth_method=session", &["session"]).await;
    gives(&server, &format!("customer_uuid={USER}"), &[]).await;
    gives(&server, &format!("user_uuid={CUSTOMER}&user_uuid={USER}"), &["user"]).await;
    gives(&server, &format!("customer_uuid={CUSTOMER}&user_uuid={USER}"), &[]).await;
}

#[tokio::test]
async fn a_filter_finds_what_the_context_shows() {
    let server = with_events().await;
    let page = get(&server, "/api/events/?page_size=300").await.expect(200).json();
    let mut shown = 0;
    for event in page.as_array().unwrap() {
        for name in ["customer_uuid", "project_uuid", "user_uuid", "pat_uuid", "auth_method"] {
            let Some(value) = event["context"].get(name).and_then(Value::as_str) else { continue };
            shown += 1;
            let found = types(&server, &format!("{name}={value}")).await;
            assert!(found.contains(&event["event_type"].as_str().unwrap().to_owned()), "{name}={value}: {found:?}");
        }
    }
    assert_eq!(shown, 10);
}

#[tokio::test]
async fn the_period_is_cut_to_seconds_and_half_open() {
    let server = Server::start();
    let mut edge = at("edge", 12);
    edge["created_at"] = json!("2024-12-31T00:00:11.999999Z");
    server.store(&[at("ten", 10), at("eleven", 11), edge, at("twelve", 12)]).await;
    // The first second of the day.
    let second = |seconds: i64| 1_735_603_200 + seconds;
    for (query, expected) in [
        (format!("created_from={}", second(11)), &["eleven", "edge", "twelve"][..]),
        (format!("created_from={}.999", second(11)), &["eleven", "edge", "twelve"]),
        (format!("created_from={}.0", second(12)), &["twelve"]),
        (format!("created_to={}", second(11)), &["ten"]),
        (format!("created_to={}.999", second(12)), &["ten", "eleven", "edge"]),
        (format!("created_from={}&created_to={}", second(11), second(12)), &["eleven", "edge"]),
        (format!("created_from={}&created_to={}", second(12), second(11)), &[]),
        (format!("created_from={}&created_from={}", second(12), second(11)), &["eleven", "edge", "twelve"]),
        ("created_from=-1.5".to_owned(), &["ten", "eleven", "edge", "twelve"]),
        ("created_from=1e9&created_to=1e40".to_owned(), &["ten", "eleven", "edge", "twelve"]),
        ("created_from=1e40".to_owned(), &[]),
        ("created_from=&created_to=".to_owned(), &["ten", "eleven", "edge", "twelve"]),
    ] {
        gives(&server, &query, expected).await;
    }
}

#[tokio::test]
async fn a_part_of_the_message_is_found_in_any_case() {
    let server = with_events().await;
    gives(&server, "message=STRA%C3%9FE+%C3%A4%C3%B6", &["resource.created"]).await;
    gives(&server, "message=50%25_DONE", &["resource.created"]).await;
    gives(&server, "message=resource.", &["resource.deleted"]).await;
    gives(&server, "message=_", &["customer_hyphens", "customer_hex", "customer_upper", "resource.created"]).await;
    gives(&server, "message=%25", &["resource.created"]).await;
    gives(&server, "message=nothing+of+it", &[]).await;
    let long = "x".repeat(1024);
    gives(&server, &format!("message={long}"), &[]).await;
}

#[tokio::test]
async fn repeated_types_and_groups_are_any_of_them() {
    let server = with_events().await;
    gives(&server, "event_type=user&event_type=token&event_type=unknown", &["user", "token"]).await;
    gives(&server, "event_type=User", &[]).await;
    gives(&server, "feature=user", &["user"]).await;
    gives(&server, "feature=resource", &["resource.created", "resource.deleted", "odd"]).await;
    gives(&server, "feature=unknown", &[]).await;
    gives(&server, "feature=user&feature=session&feature=unknown", &["user", "session"]).await;
    gives(&server, "feature=resource&event_type=user&event_type=odd", &["odd"]).await;
    let rest = ["project", "user", "affected", "token", "session"];
    gives(&server, "exclude_features=resource&exclude_features=customer", &rest).await;
    gives(&server, "feature=resource&exclude_features=resource", &[]).await;
    let values = format!("event_type=user&{}", "event_type=x&".repeat(99));
    gives(&server, &values, &["user"]).await;
}

/// A group stands for its types: also for an event of such a type that was stored under another group.
#[tokio::test]
async fn a_group_stands_for_its_types() {
    let server = with_events().await;
    server.store(&[at("odd", 40)]).await;
    gives(&server, "feature=resource", &["resource.created", "resource.deleted", "odd", "odd"]).await;
    gives(&server, "feature=odd", &["odd", "odd"]).await;
}

#[tokio::test]
async fn a_scope_is_the_url_of_a_thing() {
    let server = with_events().await;
    for (url, expected) in [
        (
            format!("https://api.example.com/api/customers/{}/", hex(CUSTOMER)),
            &["customer_hyphens", "customer_hex", "customer_upper"][..],
        ),
        (format!("https://api.example.com/api/projects/{PROJECT}/"), &["project"]),
        (format!("/api/users/{}", hex(USER)), &["user", "affected"]),
        (format!("http://localhost:8000/api/openstack-instances/{}/", hex(RESOURCE)), &["resource.created"]),
        ("https://h/api/vms/web%25201/".to_owned(), &["resource.deleted"]),
        ("https://h/api/vms/none/".to_owned(), &[]),
        (
            String::new(),
            &[
                "customer_hyphens",
                "customer_hex",
                "customer_upper",
                "project",
                "user",
                "affected",
                "token",
                "session",
                "resource.created",
                "resource.deleted",
                "odd",
            ],
        ),
    ] {
        gives(&server, &format!("scope={url}"), expected).await;
    }
}

#[tokio::test]
async fn both_orders_break_ties_by_append() {
    let server = Server::start();
    server.store(&[at("a", 1), at("b", 2), at("c", 1), at("d", 2)]).await;
    for (query, expected) in [
        ("", ["d", "b", "c", "a"]),
        ("o=-created", ["d", "b", "c", "a"]),
        ("o=created", ["a", "c", "b", "d"]),
        ("o=-created&o=created", ["a", "c", "b", "d"]),
        ("o=created&o=-created", ["d", "b", "c", "a"]),
        ("o=created,-created", ["a", "c", "b", "d"]),
        ("o=", ["d", "b", "c", "a"]),
    ] {
        assert_eq!(types(&server, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn what_is_not_known_is_ignored() {
    let server = with_events().await;
    let all = types(&server, "").await;
    assert_eq!(types(&server, "limit=1&offset=5&event_types=x&x-auth-token=y&o=-created&%ce%b1=1&=&&").await, all);
    let request = axum::http::Request::get(format!("/api/events/?x-auth-token={ADMIN}"));
    server.send(request.body(axum::body::Body::empty()).unwrap()).await.expect(401);
}
