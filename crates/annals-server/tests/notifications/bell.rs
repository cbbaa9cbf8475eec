//! The same notifications by the native API: the bell.

use super::*;

const BELL: &str = "/annals/v1/notifications";

async fn bell(server: &Server, key: &str, query: &str) -> Value {
    server.call(key, "GET", &format!("{BELL}{query}"), None).await.expect(200).json()
}

async fn read(server: &Server, key: &str, id: &str) -> Value {
    server.call(key, "POST", &format!("{BELL}/{id}/read"), None).await.expect(200).json()
}

fn messages(bell: &Value) -> Vec<&str> {
    bell["notifications"].as_array().unwrap().iter().map(|one| one["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_bell_shows_events_and_what_the_caller_has_read() {
    let server = Server::start();
    server.store(&[documented_event()]).await;
    let ada = reader(&server, "ada", &[]).await;
    let event = server.get("/annals/v1/events/507f1f77bcf86cd799439030").await.expect(200).json();
    let shown = |read: Value, read_at: Value| {
        let mut shown = event.clone();
        shown["read"] = read;
        shown["read_at"] = read_at;
        shown
    };
    let expected = json!({
        "notifications": [shown(json!(false), json!(null))], "total": 1, "unread": 1, "limit": 50, "offset": 0,
    });
    assert_eq!(bell(&server, &ada, "").await, expected);
    let receipt = read(&server, &ada, "507f1f77bcf86cd799439030").await;
    let expected = json!({
        "id": event["id"], "sequence": event["sequence"], "receipt_id": receipt["receipt_id"], "read": true,
        "read_at": receipt["read_at"],
    });
    assert_eq!(receipt, expected);
    let expected = json!({
        "notifications": [shown(json!(true), receipt["read_at"].clone())], "total": 1, "unread": 0, "limit": 50,
        "offset": 0,
    });
    assert_eq!(bell(&server, &ada, "").await, expected);
    assert_eq!(bell(&server, ADMIN, "").await["unread"], 1, "readings are each user's own");
}

#[tokio::test]
async fn it_is_the_same_receipt_as_hoodys() {
    let server = Server::start();
    server.store(&[documented_event()]).await;
    let ada = reader(&server, "ada", &[]).await;
    let receipt = read(&server, &ada, &bell(&server, &ada, "").await["notifications"][0]["sequence"].to_string()).await;
    assert_eq!(
        read(&server, &ada, "507f1f77bcf86cd799439030").await,
        receipt,
        "by any of its names, the first one stands"
    );
    let again =
        server.call(&ada, "PUT", &format!("{LIST}/507f1f77bcf86cd799439030/read"), None).await.expect(200).json();
    assert_eq!(again["data"]["id"], receipt["receipt_id"]);
    let told =
        server.get(&format!("/annals/v1/events/{}", receipt["receipt_id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!((&told["event_type"], &told["user_id"]), (&json!("notification.read"), &json!("ada")));
    let all = server.call(&ada, "POST", &format!("{BELL}/read-all"), None).await.expect(200).json();
    assert_eq!(all, json!({"count": 0}));
}

#[tokio::test]
async fn pages_and_counts_are_of_what_has_not_expired() {
    let server = Server::start();
    let numbered = |number: u32| notice(&number.to_string(), json!({}));
    server.store(&(0..3).map(numbered).collect::<Vec<_>>()).await;
    server.store(&[notice("gone", json!({"expires_at": "2020-01-01T00:00:00Z"}))]).await;
    server.store(&(3..5).map(numbered).collect::<Vec<_>>()).await;
    server.store(&[json!({"event_type": "none", "message": "no notification"})]).await;
    let ada = reader(&server, "ada", &[]).await;
    for (query, expected) in [
        ("", vec!["4", "3", "2", "1", "0"]),
        ("?limit=2", vec!["4", "3"]),
        ("?limit=2&offset=3", vec!["1", "0"]),
        ("?offset=5", vec![]),
        ("?limit=0", vec![]),
    ] {
        let found = bell(&server, &ada, query).await;
        assert_eq!(messages(&found), expected, "{query}");
        assert_eq!((&found["total"], &found["unread"]), (&json!(5), &json!(5)), "{query}");
    }
    let all = server.call(&ada, "POST", &format!("{BELL}/read-all"), None).await.expect(200).json();
    assert_eq!(all, json!({"count": 5}));
    let found = bell(&server, &ada, "?limit=1").await;
    assert_eq!((&found["unread"], &found["notifications"][0]["read"]), (&json!(0), &json!(true)));
    for query in ["?limit=1001", "?limit=-1", "?offset=x", "?severity=error"] {
        server.call(&ada, "GET", &format!("{BELL}{query}"), None).await.expect(400);
    }
}

#[tokio::test]
async fn a_page_ends_before_it_is_too_large_and_goes_on() {
    let server = Server::with(Limits { page_size_bytes_max: 1, ..Limits::default() });
    server.store(&[notice("a", json!({})), notice("b", json!({}))]).await;
    let (first, second) = (bell(&server, ADMIN, "").await, bell(&server, ADMIN, "?offset=1").await);
    assert_eq!((messages(&first), messages(&second)), (vec!["b"], vec!["a"]));
    assert_eq!((&first["total"], &first["unread"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn only_what_the_caller_is_shown_is_there_and_can_be_read() {
    let server = Server::start();
    let notices = [
        notice("foreign", json!({"realm_ids": ["b"]})),
        notice("others", json!({"target_user_ids": ["bob"]})),
        notice("own", json!({"realm_ids": ["a"], "severity": "error"})),
        notice("hers", json!({"target_user_ids": ["ada"]})),
        notice("platform", json!({})),
    ];
    server.store(&notices).await;
    let ada = reader(&server, "ada", &["a"]).await;
    let found = bell(&server, &ada, "").await;
    assert_eq!(messages(&found), ["platform", "hers", "own"]);
    assert_eq!(found["notifications"][2]["severity"], "error");
    for sequence in [1, 2, 6] {
        let reply = server.call(&ada, "POST", &format!("{BELL}/{sequence}/read"), None).await.expect(404).json();
        assert_eq!(reply["error"]["message"], "there is no such notification");
    }
    server.call(&ada, "POST", &format!("{BELL}/nonsense/read"), None).await.expect(404);
    read(&server, &ada, "3").await;
    assert_eq!(bell(&server, &ada, "?limit=0").await["unread"], 2);
    let blind = server.key_for(&["events:read"], &[]).await;
    server.call(&blind, "GET", BELL, None).await.expect(403);
    server.call(&blind, "POST", &format!("{BELL}/3/read"), None).await.expect(403);
}
