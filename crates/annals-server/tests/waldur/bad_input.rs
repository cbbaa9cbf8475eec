//! Every parameter wrong in every way its contract names. Nothing of it changes the store.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::support::{ADMIN, Server};
use super::{get, sent};

const NULL: &str = "Null characters are not allowed.";
const NUMBER: &str = "Enter a number.";
const UUID: &str = "Enter a valid UUID.";
const SCOPE: &str = "Invalid hyperlink - No URL match.";
const NOT_UTF8: &str = "must be UTF-8";
const TOO_MANY: &str = "Ensure this field has no more than 100 elements.";

/// The calls that take filters.
const FILTERED: [&str; 3] = ["/api/events/", "/api/events/count/", "/api/events-stats/"];
const TEXTS: [&str; 7] = ["message", "event_type", "feature", "exclude_features", "auth_method", "pat_uuid", "scope"];
const UUIDS: [&str; 4] = ["customer_uuid", "project_uuid", "user_uuid", "related_user_uuid"];

/// Parameters and what is said of them.
fn wrong_filters() -> Vec<(String, Value)> {
    let mut wrong = Vec::new();
    let mut put =
        |name: &str, value: &str, message: &str| wrong.push((format!("{name}={value}"), json!({name: [message]})));
    for name in ["created_from", "created_to"] {
        for value in
            ["x", "1x", "NaN", "inf", "-inf", "0x10", "1_0", "1e", "--1", "2025-01-01T00:00:00Z", "true", "%00", "1,5"]
        {
            put(name, value, NUMBER);
        }
        put(name, "%ff", NOT_UTF8);
    }
    for name in UUIDS {
        for value in ["x", "1", "507f1f77bcf86cd799439044", "8f3d1f77-bcf8-4cd7-9943-9044507f1f0", "%00", "null"] {
            put(name, value, UUID);
        }
        put(name, &"a".repeat(2000), UUID);
        put(name, "%c3", NOT_UTF8);
    }
    for name in TEXTS {
        put(name, "a%00b", NULL);
        put(name, "a%ff", NOT_UTF8);
        let size = "Ensure this value has at most 1024 bytes (it has 1025).";
        put(name, &"x".repeat(1025), size);
        put(name, &format!("{}xy", "%C3%A9".repeat(511)), if name == "scope" { SCOPE } else { "" });
        put(name, &format!("{}x", "%C3%A9".repeat(512)), size);
    }
    wrong.retain(|(_, body)| body.as_object().unwrap().values().all(|messages| messages[0] != ""));
    for value in ["x", "/x/", "https://", "https://h/a/", "ftp://h/a/b/", "/a/b/?c", "/a//b/"] {
        let encoded = value.replace('?', "%3F");
        wrong.push((format!("scope={encoded}"), json!({"scope": [SCOPE]})));
    }
    for name in ["event_type", "feature", "exclude_features"] {
        wrong.push((format!("{name}=a&").repeat(101), json!({name: [TOO_MANY]})));
    }
    wrong.push(("%ff=1".to_owned(), json!({"query": ["holds a name that is not UTF-8"]})));
    wrong.push(("unknown=%ff".to_owned(), json!({"unknown": [NOT_UTF8]})));
    let several = json!({"created_to": [NUMBER], "user_uuid": [UUID], "scope": [SCOPE]});
    wrong.push(("scope=x&user_uuid=y&created_to=z".to_owned(), several));
    wrong
}

fn wrong_orders() -> Vec<(String, Value)> {
    let choice =
        |name: &str| json!({"o": [format!("Select a valid choice. {name} is not one of the available choices.")]});
    vec![
        ("o=foo".to_owned(), choice("foo")),
        ("o=created,foo,bar".to_owned(), choice("foo")),
        ("o=created&o=foo".to_owned(), choice("foo")),
        ("o=Created".to_owned(), choice("Created")),
        ("o=--created".to_owned(), choice("--created")),
        ("o=+created".to_owned(), choice(" created")),
        ("o=%00".to_owned(), json!({"o": [NULL]})),
    ]
}

/// What the store holds: the numbers that any write would change.
async fn state_of(server: &Server) -> (u64, Value) {
    let audit = server.get("/annals/v1/events?fields=id,sequence,acknowledged&limit=100").await.expect(200).json();
    (server.total().await, audit)
}

#[tokio::test]
async fn wrong_parameters_are_named_in_the_vendors_words() {
    let server = Server::start();
    server.store(&[sent()]).await;
    let before = state_of(&server).await;
    let wrong = wrong_filters();
    assert!(wrong.len() > 80, "{}", wrong.len());
    for (query, body) in &wrong {
        for path in FILTERED {
            let reply = get(&server, &format!("{path}?{query}")).await.expect(400);
            assert_eq!(&reply.json(), body, "{path}?{query}");
            assert_eq!(reply.header("content-type"), "application/json");
        }
    }
    for (query, body) in wrong_orders() {
        assert_eq!(get(&server, &format!("/api/events/?{query}")).await.expect(400).json(), body, "{query}");
        get(&server, &format!("/api/events/count/?{query}")).await.expect(200);
    }
    assert_eq!(state_of(&server).await, before);
}

#[tokio::test]
async fn requests_beyond_the_limits_are_refused_with_a_sentence() {
    let server = Server::start();
    server.store(&[sent()]).await;
    let before = state_of(&server).await;
    let ask = async |path: &str, header: usize| {
        let request =
            Request::get(path).header("authorization", format!("Token {ADMIN}")).header("x-big", "x".repeat(header));
        server.send(request.body(Body::empty()).unwrap()).await
    };
    for path in FILTERED.into_iter().chain(["/api/events/event_groups/", "/api/events/scope_types/", "/api/events/1/"])
    {
        let reply = ask(path, 17 << 10).await.expect(431);
        let sentence = "the request has more than 64 headers or 16384 bytes of them";
        assert_eq!(reply.json(), json!({"detail": sentence}), "{path}");
        let reply = ask(&format!("{path}?x={}", "y".repeat(8192)), 1).await.expect(414);
        assert_eq!(reply.json(), json!({"detail": "the request target has more than 8192 bytes"}), "{path}");
    }
    let reply = ask("/api/events/%ff/", 1).await.expect(404);
    assert_eq!(reply.json(), json!({"detail": "Not found."}));
    assert_eq!(state_of(&server).await, before);
}

#[tokio::test]
async fn more_filters_than_allowed_are_refused() {
    let limits = annals_server::Limits { filters_max: 2, ..annals_server::Limits::default() };
    let server = Server::with(limits);
    for path in FILTERED {
        get(&server, &format!("{path}?message=a&feature=b")).await.expect(200);
        let reply = get(&server, &format!("{path}?message=a&feature=b&event_type=c")).await.expect(400);
        let sentence = "Ensure there are at most 2 filters (there are 3).";
        assert_eq!(reply.json(), json!({"non_field_errors": [sentence]}), "{path}");
    }
}

#[tokio::test]
async fn a_body_where_none_belongs_means_nothing() {
    let server = Server::start();
    server.store(&[sent()]).await;
    let before = state_of(&server).await;
    for (kind, body) in [("application/json", "{"), ("text/plain", "x"), ("application/json", "")] {
        let request =
            Request::get("/api/events/").header("authorization", format!("Token {ADMIN}")).header("content-type", kind);
        server.send(request.body(Body::from(body)).unwrap()).await.expect(200);
    }
    assert_eq!(state_of(&server).await, before);
}
