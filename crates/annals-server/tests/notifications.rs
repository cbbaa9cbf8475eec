//! hoody's notifications: every request and response of its document, literally, and notifications as the
//! events they are.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use annals_server::{AppState, Limits, ServerConfig, router};
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

#[expect(clippy::needless_pass_by_value, reason = "written in place")]
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

#[tokio::test]
async fn any_event_that_says_so_is_a_notification() {
    let server = Server::start();
    server
        .store(&[
            json!({"event_type": "a"}),
            json!({"event_type": "a", "notification": false, "message": "quiet"}),
            notice("Node down", json!({"event_type": "system.error", "severity": "red", "source": "monitor"})),
            notice("Backlog", json!({"content": "12 flows wait", "severity": "yellow", "notification_type": "other"})),
            notice("Done", json!({"severity": "success", "notification_type": "status_update", "is_public": true})),
        ])
        .await;
    let shown = list(&server, ADMIN).await;
    let members = ["title", "message", "type", "severity", "is_public", "is_global", "target_user_ids", "expires_at"];
    let shown: Vec<Value> = shown.iter().map(|one| members.iter().map(|name| one[*name].clone()).collect()).collect();
    let expected = [
        json!(["Done", "Done", "STATUS_UPDATE", "SUCCESS", true, true, null, null]),
        json!(["Backlog", "12 flows wait", "ANNOUNCEMENT", "WARNING", false, true, null, null]),
        json!(["Node down", "Node down", "ANNOUNCEMENT", "ERROR", false, true, null, null]),
    ];
    assert_eq!(shown, expected);
    let stored = server.get("/annals/v1/events?notification=true&sort=created_at").await.expect(200).json();
    let events = stored["events"].as_array().unwrap();
    assert_eq!((events.len(), &events[0]["resource_type"]), (3, &json!("notification")));
    assert_eq!(
        (&events[0]["event_type"], &events[1]["event_type"]),
        (&json!("system.error"), &json!("notification.created"))
    );
}

#[tokio::test]
async fn deltafis_notifications_are_hoodys_and_the_reverse() {
    let server = Server::start();
    let deltafi = "/api/v2/events";
    let body = |notification: bool| {
        let summary = if notification { "Disk nearly full" } else { "Quiet" };
        Some(json!({"severity": "yellow", "summary": summary, "content": "91% used", "source": "node-1",
            "notification": notification}))
    };
    for notification in [true, false] {
        server.call(ADMIN, "POST", deltafi, body(notification)).await.expect(200);
    }
    let created = server.get(&format!("{deltafi}?notification=true")).await.expect(200).json()[0].clone();
    let ada = reader(&server, "ada", &[]).await;
    let shown = list(&server, &ada).await;
    let expected = json!([{
        "id": shown[0]["id"], "title": "Disk nearly full", "message": "91% used", "type": "ANNOUNCEMENT",
        "severity": "WARNING", "is_public": false, "is_global": true, "target_user_ids": null, "expires_at": null,
        "created_at": shown[0]["created_at"], "updated_at": shown[0]["created_at"], "is_read": false, "read_at": null,
    }]);
    assert_eq!(json!(shown), expected);
    mark_read(&server, &ada, shown[0]["id"].as_str().unwrap()).await.expect(200);
    let id = created["id"].as_str().unwrap();
    assert_eq!(server.get(&format!("{deltafi}/{id}")).await.expect(200).json(), created, "acknowledged by nobody");
    // The other way round, and what is changed on one face is changed on the other.
    publish(&server, ADMIN, json!({"title": "Upgrade", "message": "At 2:00", "severity": "error"})).await;
    let events = server.get(&format!("{deltafi}?notification=true")).await.expect(200).json();
    assert_eq!(events.as_array().unwrap().len(), 2);
    let members = ["severity", "summary", "content", "source", "notification", "acknowledged"];
    let upgrade: Vec<&Value> = members.iter().map(|name| &events[0][*name]).collect();
    assert_eq!(json!(upgrade), json!(["error", "Upgrade", "At 2:00", null, true, false]));
    let change = Some(json!({"severity": "green", "target_user_ids": ["bob"]}));
    server.call(ADMIN, "PATCH", &format!("/annals/v1/notifications/{id}"), change).await.expect(200);
    let changed = server.get(&format!("{deltafi}?severity=success")).await.expect(200).json();
    assert_eq!((changed.as_array().unwrap().len(), &changed[0]["id"]), (1, &created["id"]));
    assert_eq!(titles(&server, &ada).await, ["Upgrade"], "it has targets now, and said nothing of being global");
}

#[tokio::test]
async fn a_list_holds_what_is_global_and_what_is_for_the_caller() {
    let server = Server::start();
    let (ada, bob) = (reader(&server, "ada", &[]).await, reader(&server, "bob", &[]).await);
    server
        .store(&[
            notice("all", json!({})),
            notice("ada", json!({"target_user_ids": ["ada"]})),
            notice("both", json!({"target_user_ids": ["ada", "bob"]})),
            notice("others", json!({"target_user_ids": ["ad", "ada2"]})),
            notice("targets and all", json!({"target_user_ids": ["zoe"], "is_global": true})),
            notice("nobody", json!({"is_global": false})),
        ])
        .await;
    assert_eq!(titles(&server, &ada).await, ["targets and all", "both", "ada", "all"]);
    assert_eq!(titles(&server, &bob).await, ["targets and all", "both", "all"]);
    let shown = list(&server, &bob).await;
    assert_eq!((&shown[1]["target_user_ids"], &shown[1]["is_global"]), (&json!(["ada", "bob"]), &json!(false)));
}

#[tokio::test]
async fn what_has_expired_is_not_shown() {
    let server = Server::start();
    server
        .store(&[
            notice("gone", json!({"expires_at": "2020-01-01T00:00:00Z", "is_public": true})),
            notice("there", json!({"expires_at": EXPIRES, "is_public": true})),
            notice("for ever", json!({"is_public": true})),
        ])
        .await;
    assert_eq!(titles(&server, ADMIN).await, ["for ever", "there"]);
    let public = server.get(PUBLIC).await.expect(200).json();
    let public: Vec<&str> =
        public["data"].as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap()).collect();
    assert_eq!(public, ["for ever", "there"]);
}

#[tokio::test]
async fn limited_keys_see_their_own_and_what_belongs_to_nobody() {
    let server = Server::start();
    server
        .store(&[
            notice("a", json!({"realm_ids": ["a"]})),
            notice("b", json!({"realm_ids": ["b"]})),
            notice("a and b", json!({"realm_ids": ["a", "b"]})),
            notice("org", json!({"org_id": "o"})),
            notice("platform", json!({})),
            json!({"event_type": "unowned"}),
        ])
        .await;
    let key = |user_id, limits: Value| {
        let mut body = json!({"name": "k", "user_id": user_id, "scopes": ["notifications:read", "events:read"]});
        body.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
        body
    };
    let (realm, _) = server.key(key("ada", json!({"realms": ["a"]}))).await;
    let (org, _) = server.key(key("bob", json!({"orgs": ["o"]}))).await;
    let (none, _) = server.key(key("zoe", json!({"realms": []}))).await;
    assert_eq!(titles(&server, &realm).await, ["platform", "a and b", "a"]);
    assert_eq!(titles(&server, &org).await, ["platform", "org"]);
    assert_eq!(titles(&server, &none).await, ["platform"]);
    assert_eq!(titles(&server, ADMIN).await, ["platform", "org", "a and b", "b", "a"]);
    // Nowhere else: what belongs to nobody is for unlimited keys.
    for (key, total) in [(&realm, 2), (&org, 1), (&none, 0)] {
        for path in ["/annals/v1/events?notification=true", "/annals/v1/events"] {
            let page = server.call(key, "GET", path, None).await.expect(200).json();
            assert_eq!(page["total"], total, "{path}");
        }
        let page = server.call(key, "GET", "/api/v1/events", None).await.expect(200).json();
        assert_eq!(page["data"]["pagination"]["total"], total);
    }
}

#[tokio::test]
async fn a_realm_in_the_host_narrows_both_lists() {
    let server = Server::start();
    server
        .store(&[
            notice("in", json!({"realm_ids": [REALM], "is_public": true})),
            notice("out", json!({"realm_ids": ["x"], "is_public": true})),
            notice("nowhere", json!({"is_public": true})),
        ])
        .await;
    for path in [LIST, PUBLIC] {
        let request = Request::get(path).header("authorization", ADMIN).header("host", format!("{REALM}.api.example"));
        let reply = server.send(request.body(Body::empty()).unwrap()).await.expect(200).json();
        let shown = reply["data"].as_array().unwrap();
        assert_eq!((shown.len(), &shown[0]["title"]), (1, &json!("in")), "{path}");
        assert_eq!(server.get(path).await.expect(200).json()["data"].as_array().unwrap().len(), 3, "{path}");
    }
}

#[tokio::test]
async fn public_ones_need_no_key_and_the_others_do() {
    let server = Server::start();
    server
        .store(&[
            notice("secret", json!({"target_user_ids": ["ada"]})),
            notice("internal", json!({})),
            notice("open", json!({"is_public": true, "realm_ids": ["a"], "is_global": false})),
        ])
        .await;
    let open = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let reply = server.send(open(PUBLIC)).await.expect(200).json();
    let shown = reply["data"].as_array().unwrap();
    assert_eq!((shown.len(), &shown[0]["title"]), (1, &json!("open")));
    assert!(shown[0].get("is_read").is_none() && shown[0].get("read_at").is_none());
    let wrong = Request::get(PUBLIC).header("authorization", "Bearer wrong").body(Body::empty()).unwrap();
    server.send(wrong).await.expect(200);
    server.send(open(LIST)).await.expect(401);
    let key = server.key_for(&["events:read", "notifications:write"], &[]).await;
    server.call(&key, "GET", LIST, None).await.expect(403);
}

#[tokio::test]
async fn a_list_ends_at_its_limit_whatever_has_expired_before() {
    let limits = Limits { notifications_max: 3, page_size_bytes_max: 2_000, ..Limits::default() };
    let server = Server::with(limits);
    let gone = || notice("gone", json!({"expires_at": "2020-01-01T00:00:00Z", "is_public": true}));
    let long = "x".repeat(5_000);
    let there = |title: &str| notice(title, json!({"is_public": true, "content": long}));
    server.store(&[there("5"), there("4")]).await;
    server.store(&(0..2500).map(|_| gone()).collect::<Vec<_>>()).await;
    for (number, expected) in [(3, vec!["3", "4", "5"]), (2, vec!["2", "3", "4"]), (1, vec!["1", "2", "3"])] {
        server.store(&[there(&number.to_string())]).await;
        assert_eq!(titles(&server, ADMIN).await, expected);
        let public = server.get(PUBLIC).await.expect(200).json();
        assert_eq!(public["data"].as_array().unwrap().len(), 3, "streamed in pieces");
        assert_eq!(public["data"][2]["message"], json!(long));
    }
    let none = Server::with(Limits { notifications_max: 0, ..Limits::default() });
    none.store(&[gone(), there("a")]).await;
    assert_eq!(titles(&none, ADMIN).await, [""; 0]);
}

const ID: &str = "507f1f77bcf86cd799439030";

async fn mark_read(server: &Server, key: &str, id: &str) -> support::Reply {
    server.call(key, "PUT", &format!("{LIST}/{id}/read"), None).await
}

async fn read_all(server: &Server, key: &str) -> u64 {
    let reply = server.call(key, "PUT", "/api/v1/notifications/read-all", None).await.expect(200).json();
    assert_eq!(reply["message"], "All notifications marked as read");
    assert_eq!(reply["statusCode"], 200);
    assert_eq!(reply["data"].as_object().unwrap().len(), 1);
    reply["data"]["count"].as_u64().unwrap()
}

async fn publish(server: &Server, key: &str, body: Value) -> Value {
    server.call(key, "POST", "/annals/v1/notifications", Some(body)).await.expect(200).json()
}

/// The id that hoody shows for the newest notification of a list.
async fn newest_id(server: &Server, key: &str) -> String {
    list(server, key).await[0]["id"].as_str().unwrap().to_owned()
}

/// Closes the store and opens it again.
fn restart(server: Server) -> Server {
    let Server { directory, state, app } = server;
    state.engine().close().unwrap();
    drop((state, app));
    let config = ServerConfig { admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(directory.path()) };
    let setup = AppState::open(&config).unwrap();
    Server { app: router(setup.state.clone()), state: setup.state, directory }
}

#[tokio::test]
async fn the_documented_reading_is_answered_literally_and_again() {
    let server = Server::start();
    server.store(&[documented_event()]).await;
    let ada = reader(&server, "ada", &[]).await;
    let first = mark_read(&server, &ada, ID).await.expect(200).json();
    let (receipt, read_at) = (first["data"]["id"].clone(), first["data"]["read_at"].clone());
    let expected = json!({
        "statusCode": 200, "message": "Notification marked as read",
        "data": {"id": receipt, "notification_id": ID, "is_read": true, "read_at": read_at},
    });
    assert_eq!(first, expected);
    let receipt = receipt.as_str().unwrap();
    assert!(receipt.len() == 24 && receipt.bytes().all(|byte| byte.is_ascii_hexdigit()) && receipt != ID);
    assert_eq!(read_at.as_str().unwrap().len(), "2025-01-21T21:30:00.000Z".len());
    assert_eq!(mark_read(&server, &ada, ID).await.expect(200).json(), first, "read once, and since then");
    assert_eq!(mark_read(&server, &ada, &format!("{}/", ID.to_uppercase())).await.status, 404, "one slash only");
    let mut shown = documented();
    shown["is_read"] = json!(true);
    shown["read_at"] = read_at;
    assert_eq!(list(&server, &ada).await, [shown]);
    let public = server.get(PUBLIC).await.expect(200).json();
    assert_eq!(public["data"], json!([documented_public()]), "who has read what is nobody else's");
}

#[tokio::test]
async fn a_reading_is_an_event_of_the_receipts_id() {
    let server = Server::start();
    let mut event = documented_event();
    event["realm_ids"] = json!([REALM, "b"]);
    event["org_id"] = json!("o");
    server.store(&[event]).await;
    let ada = reader(&server, "ada", &[REALM]).await;
    let receipt = mark_read(&server, &ada, ID).await.expect(200).json()["data"]["id"].clone();
    mark_read(&server, &ada, ID).await.expect(200);
    let path = format!("/api/v1/events/{}", receipt.as_str().unwrap());
    let event = server.get(&path).await.expect(200).json()["data"].clone();
    let expected = json!({
        "id": receipt, "event_type": "notification.read", "resource_type": "notification", "resource_id": ID,
        "user_id": "ada", "payload": {}, "realm_ids": [REALM, "b"], "created_at": event["created_at"],
    });
    assert_eq!(event, expected);
    let reads = server.get("/annals/v1/events?event_type=notification.read&org_id=o").await.expect(200).json();
    assert_eq!((&reads["total"], &reads["events"][0]["event_group"]), (&json!(1), &json!("notification")));
    assert_eq!(list(&server, ADMIN).await.len(), 1, "it is no notification");
    // Whoever deletes the event takes nothing back.
    server.call(ADMIN, "DELETE", &path, None).await.expect(200);
    assert_eq!(list(&server, &ada).await[0]["is_read"], true);
    assert_eq!(mark_read(&server, &ada, ID).await.expect(200).json()["data"]["id"], receipt);
    assert_eq!(read_all(&server, &ada).await, 0);
    assert_eq!(server.total().await, 1, "and it does not come back");
}

#[tokio::test]
async fn each_user_reads_for_itself() {
    let server = Server::start();
    server
        .store(&[
            notice("one", json!({})),
            notice("two", json!({})),
            notice("ada", json!({"target_user_ids": ["ada"]})),
        ])
        .await;
    let (ada, bob) = (reader(&server, "ada", &[]).await, reader(&server, "bob", &[]).await);
    let read = |list: Vec<Value>| list.iter().map(|one| one["is_read"].as_bool().unwrap()).collect::<Vec<_>>();
    let id = list(&server, &ada).await[1]["id"].as_str().unwrap().to_owned();
    let hers = mark_read(&server, &ada, &id).await.expect(200).json();
    assert_eq!(read(list(&server, &ada).await), [false, true, false]);
    assert_eq!(read(list(&server, &bob).await), [false, false]);
    let his = mark_read(&server, &bob, &id).await.expect(200).json();
    assert_ne!(hers["data"]["id"], his["data"]["id"]);
    assert_eq!(read_all(&server, &ada).await, 2, "newly marked ones only");
    assert_eq!(read_all(&server, &ada).await, 0);
    assert_eq!(read(list(&server, &ada).await), [true, true, true]);
    assert_eq!(read(list(&server, &bob).await), [true, false]);
    let reads = server.get("/annals/v1/stats?event_type=notification.read&by=user_id").await.expect(200).json();
    assert_eq!(reads["by"]["user_id"], json!({"ada": 3, "bob": 1}));
    // Acknowledging is for all, reading for each.
    server.call(ADMIN, "POST", &format!("/annals/v1/events/{id}/acknowledge"), None).await.expect(200);
    assert_eq!(read(list(&server, &bob).await), [true, false]);
}

#[tokio::test]
async fn reading_all_means_what_the_list_shows() {
    let limits = Limits { notifications_max: 3, ..Limits::default() };
    let server = Server::with(limits);
    let ada = reader(&server, "ada", &[]).await;
    assert_eq!(read_all(&server, &ada).await, 0);
    server.store(&(0..5).map(|number| notice(&number.to_string(), json!({}))).collect::<Vec<_>>()).await;
    server.store(&[notice("gone", json!({"expires_at": "2020-01-01T00:00:00Z"}))]).await;
    assert_eq!(read_all(&server, &ada).await, 3);
    assert!(list(&server, &ada).await.iter().all(|one| one["is_read"] == true));
    let in_realm = Request::put("/api/v1/notifications/read-all")
        .header("authorization", reader(&server, "bob", &[]).await)
        .header("host", format!("{REALM}.example"));
    let reply = server.send(in_realm.body(Body::empty()).unwrap()).await.expect(200).json();
    assert_eq!(reply["data"]["count"], 0, "none of them is in the realm of the host");
}

#[tokio::test]
async fn only_what_the_caller_is_shown_can_be_read() {
    let server = Server::start();
    let mut ids = Vec::new();
    for event in [
        json!({"event_type": "a", "realm_ids": ["a"]}),
        notice("gone", json!({"expires_at": "2020-01-01T00:00:00Z"})),
        notice("others", json!({"target_user_ids": ["bob"]})),
        notice("foreign", json!({"realm_ids": ["b"]})),
        notice("own", json!({"realm_ids": ["a", "b"]})),
        notice("platform", json!({})),
    ] {
        server.store(&[event]).await;
        let page = server.get("/api/v1/events?limit=1").await.expect(200).json();
        ids.push(page["data"]["events"][0]["id"].as_str().unwrap().to_owned());
    }
    let ada = reader(&server, "ada", &["a"]).await;
    let before = server.total().await;
    for id in &ids[..4] {
        let reply = mark_read(&server, &ada, id).await.expect(404).json();
        assert_eq!(reply, json!({"statusCode": 404, "error": "Not Found", "message": "Notification not found"}));
    }
    mark_read(&server, &ada, "507f1f77bcf86cd799439031").await.expect(404);
    for id in ["1", "xyz", "507f1f77bcf86cd79943903g", "507f1f77-bcf8-6cd7-9943-9044507f1f77"] {
        let reply = mark_read(&server, &ada, id).await.expect(400).json();
        assert_eq!(reply["data"][0]["instancePath"], "/id");
    }
    let foreign_realm = Request::put(format!("{LIST}/{}/read", ids[5]))
        .header("authorization", &ada)
        .header("host", format!("{REALM}.example"));
    server.send(foreign_realm.body(Body::empty()).unwrap()).await.expect(404);
    assert_eq!(server.total().await, before, "nothing was stored");
    mark_read(&server, &ada, &ids[4]).await.expect(200);
    mark_read(&server, &ada, &ids[5]).await.expect(200);
    assert_eq!(server.total().await, before + 2);
}

#[tokio::test]
async fn a_reading_that_broke_off_is_finished_by_the_next_attempt() {
    // A crash between the event and the mark: here the event is there, and the mark is not yet.
    let server = Server::start();
    server.store(&[documented_event()]).await;
    let ada = reader(&server, "ada", &[]).await;
    let receipt = mark_read(&server, &ada, ID).await.expect(200).json()["data"]["id"].clone();
    let event = server.get(&format!("/annals/v1/events/{}", receipt.as_str().unwrap())).await.expect(200).json();
    // The same notification anew has a sequence of its own, so nobody has read it; going back takes an engine
    // without the mark: append what the first half of a reading appends, then read.
    let crashed = Server::start();
    crashed.store(&[documented_event()]).await;
    let secret = server.state.engine().get_blob("cursor-key").unwrap().unwrap();
    assert_ne!(crashed.state.engine().get_blob("cursor-key").unwrap().unwrap(), secret);
    crashed.state.engine().put_blob("cursor-key", &secret).unwrap();
    crashed.store(&[event]).await;
    let crashed = restart(crashed);
    let ada = reader(&crashed, "ada", &[]).await;
    assert_eq!(list(&crashed, &ada).await[0]["is_read"], false);
    assert_eq!(mark_read(&crashed, &ada, ID).await.expect(200).json()["data"]["id"], receipt);
    assert_eq!(crashed.total().await, 2, "the event is not there twice");
    assert_eq!(list(&crashed, &ada).await[0]["is_read"], true);
}

#[tokio::test]
async fn a_published_notification_is_an_event_with_defaults() {
    let server = Server::start();
    let shown = publish(&server, ADMIN, json!({"title": "Hello"})).await;
    let expected = json!({
        "id": shown["id"], "sequence": 1, "created_at": shown["created_at"], "acknowledged": false,
        "event_type": "notification.created", "event_group": "notification", "resource_type": "notification",
        "severity": "info", "status": "success", "message": "Hello", "notification": true,
        "notification_type": "ANNOUNCEMENT", "is_public": false, "is_global": true, "user_id": "admin",
    });
    assert_eq!(shown, expected);
    assert_eq!(server.get("/annals/v1/events/1").await.expect(200).json(), expected);
    let shown = publish(
        &server,
        ADMIN,
        json!({
            "title": "Upgrade", "message": "At 2:00", "type": "MAINTENANCE", "severity": "Yellow", "is_public": true,
            "target_user_ids": ["ada"], "expires_at": EXPIRES, "realm_ids": [REALM], "org_id": "o",
        }),
    )
    .await;
    let given = ["content", "notification_type", "severity", "is_public", "is_global", "target_user_ids", "realm_ids"];
    let given: Vec<&Value> = given.iter().map(|name| &shown[*name]).collect();
    assert_eq!(json!(given), json!(["At 2:00", "MAINTENANCE", "warn", true, false, ["ada"], [REALM]]));
    assert_eq!(shown["payload"], json!({"severity": "Yellow"}), "the word as it was given");
    assert_eq!(shown["expires_at"], "2055-01-26T00:00:00.000000Z");
    let ada = reader(&server, "ada", &[]).await;
    let listed = &list(&server, &ada).await[0];
    let members = ["title", "message", "type", "severity", "is_public", "is_global", "target_user_ids", "expires_at"];
    let listed: Vec<&Value> = members.iter().map(|name| &listed[*name]).collect();
    assert_eq!(json!(listed), json!(["Upgrade", "At 2:00", "MAINTENANCE", "WARNING", true, false, ["ada"], EXPIRES]));
    let millis =
        publish(&server, ADMIN, json!({"title": "t", "expires_at": 2_000_000_000_000_i64, "severity": null})).await;
    assert_eq!(millis["expires_at"], "2033-05-18T03:33:20.000000Z");
}

#[tokio::test]
async fn a_change_is_seen_by_every_filter_and_survives_seal_and_restart() {
    let server = Server::start();
    let published = publish(&server, ADMIN, json!({"title": "Upgrade", "expires_at": EXPIRES})).await;
    let path = format!("/annals/v1/notifications/{}", published["id"].as_str().unwrap());
    let (ada, bob) = (reader(&server, "ada", &[]).await, reader(&server, "bob", &[]).await);
    let id = newest_id(&server, &ada).await;
    let receipt = mark_read(&server, &ada, &id).await.expect(200).json();
    let change = json!({
        "severity": "green", "type": "STATUS_UPDATE", "is_public": true, "is_global": false,
        "target_user_ids": ["ada", "zoe"], "expires_at": null,
    });
    let changed = server.call(ADMIN, "PATCH", &path, Some(change)).await.expect(200).json();
    let mut expected = published.clone();
    for (name, value) in [
        ("severity", json!("success")),
        ("notification_type", json!("STATUS_UPDATE")),
        ("is_public", json!(true)),
        ("is_global", json!(false)),
        ("target_user_ids", json!(["ada", "zoe"])),
        ("updated_at", changed["updated_at"].clone()),
    ] {
        expected[name] = value;
    }
    expected.as_object_mut().unwrap().remove("expires_at");
    assert_eq!(changed, expected, "id, sequence, time and texts stay");
    assert!(changed["updated_at"].as_str() > published["created_at"].as_str());
    let mut server = server;
    for round in ["live", "sealed", "reopened"] {
        match round {
            "sealed" => server.state.engine().seal_now().unwrap(),
            "reopened" => server = restart(server),
            _ => {}
        }
        for (query, total) in [
            ("severity=success", 1),
            ("severity=info", 0),
            ("notification_type=STATUS_UPDATE", 1),
            ("is_public=true", 1),
            ("is_global=true", 0),
            ("target_user_ids=zoe", 1),
        ] {
            let query = format!("/annals/v1/events?notification=true&{query}");
            assert_eq!(server.get(&query).await.expect(200).json()["total"], total, "{round}: {query}");
        }
        assert_eq!(server.get("/annals/v1/events/1").await.expect(200).json(), expected, "{round}");
        let stats = server.get("/annals/v1/stats?by=severity&notification=true").await.expect(200).json();
        assert_eq!(stats["by"]["severity"], json!({"success": 1}), "{round}");
        assert_eq!(list(&server, &bob).await, [] as [Value; 0], "{round}");
        let shown = list(&server, &ada).await;
        assert_eq!((&shown[0]["is_read"], &shown[0]["severity"]), (&json!(true), &json!("SUCCESS")), "{round}");
        assert_eq!(shown[0]["read_at"], receipt["data"]["read_at"], "{round}");
        assert_eq!(&shown[0]["updated_at"].as_str().unwrap()[..23], &changed["updated_at"].as_str().unwrap()[..23]);
        assert_eq!(mark_read(&server, &ada, &id).await.expect(200).json(), receipt, "{round}");
        assert_eq!(read_all(&server, &ada).await, 0, "{round}");
        let public = server.get(PUBLIC).await.expect(200).json();
        assert_eq!(public["data"].as_array().unwrap().len(), 1, "{round}");
    }
    let ended = server.call(ADMIN, "PATCH", &path, Some(json!({"expires_at": "2020-01-01T00:00:00Z"}))).await;
    ended.expect(200);
    assert_eq!(list(&server, &ada).await.len(), 0);
    mark_read(&server, &bob, &id).await.expect(404);
    let back = json!({"expires_at": null, "target_user_ids": null, "is_global": true});
    server.call(ADMIN, "PATCH", &path, Some(back)).await.expect(200);
    assert_eq!(list(&server, &bob).await[0]["target_user_ids"], json!(null));
}

#[tokio::test]
async fn only_notifications_are_changed_and_withdrawn() {
    let server = Server::start();
    server.store(&[json!({"event_type": "a"}), documented_event()]).await;
    let change = || Some(json!({"is_public": false}));
    for id in ["1", "99", "no-id", "507f1f77bcf86cd799439031"] {
        let path = format!("/annals/v1/notifications/{id}");
        server.call(ADMIN, "PATCH", &path, change()).await.expect(404);
        server.call(ADMIN, "DELETE", &path, None).await.expect(404);
    }
    let before = server.get("/annals/v1/events").await.expect(200).json();
    for id in [ID, "2"] {
        let path = format!("/annals/v1/notifications/{id}");
        for method in ["GET", "POST", "PUT"] {
            let refused = server.call(ADMIN, method, &path, None).await.expect(405);
            assert_eq!(refused.header("allow"), "PATCH, DELETE");
        }
    }
    assert_eq!(server.get("/annals/v1/events").await.expect(200).json(), before);
    let path = format!("/annals/v1/notifications/{ID}");
    assert_eq!(server.call(ADMIN, "PATCH", &path, change()).await.expect(200).json()["is_public"], false);
    assert_eq!(server.call(ADMIN, "DELETE", &path, None).await.expect(200).json(), json!({"deleted": 1}));
    server.call(ADMIN, "DELETE", &path, None).await.expect(404);
    server.call(ADMIN, "PATCH", &path, change()).await.expect(404);
    assert_eq!((server.total().await, list(&server, ADMIN).await.len()), (1, 0));
}

#[tokio::test]
async fn of_an_identity_only_the_notifications_are_withdrawn() {
    let server = Server::start();
    let mut event = documented_event();
    event["notification"] = json!(false);
    event["event_type"] = json!("a");
    event["created_at"] = json!("2025-01-19T10:00:00.000Z");
    server.store(&[event, documented_event()]).await;
    let path = format!("/annals/v1/notifications/{ID}");
    assert_eq!(server.call(ADMIN, "DELETE", &path, None).await.expect(200).json(), json!({"deleted": 1}));
    assert_eq!(server.get(&format!("/annals/v1/events/{ID}")).await.expect(200).json()["event_type"], "a");
}

#[tokio::test]
async fn limited_keys_publish_into_their_realms() {
    let server = Server::start();
    let publisher = server.key_for(&["notifications:write", "events:read"], &["a", "b"]).await;
    let shown = publish(&server, &publisher, json!({"title": "ours"})).await;
    assert_eq!(shown["realm_ids"], json!(["a", "b"]));
    assert_eq!(
        publish(&server, &publisher, json!({"title": "a", "realm_ids": ["a"]})).await["realm_ids"],
        json!(["a"])
    );
    for foreign in [json!({"title": "t", "realm_ids": ["a", "c"]}), json!({"title": "t", "org_id": "o"})] {
        server.call(&publisher, "POST", "/annals/v1/notifications", Some(foreign)).await.expect(403);
    }
    // Of foreign ones: a shared one is 403, what is not seen 404, and what belongs to nobody is not seen either.
    let path = |id: &str| format!("/annals/v1/notifications/{id}");
    server
        .store(&[
            notice("shared", json!({"realm_ids": ["a", "c"]})),
            notice("c", json!({"realm_ids": ["c"]})),
            notice("", json!({})),
        ])
        .await;
    for (id, status) in [("3", 403), ("4", 404), ("5", 404), ("1", 200)] {
        server.call(&publisher, "PATCH", &path(id), Some(json!({"is_public": true}))).await.expect(status);
        server.call(&publisher, "DELETE", &path(id), None).await.expect(status);
    }
    assert_eq!(server.total().await, 4);
    let reader = server.key_for(&["notifications:read", "events:create", "events:delete"], &[]).await;
    server.call(&reader, "POST", "/annals/v1/notifications", Some(json!({"title": "t"}))).await.expect(403);
    server.call(&reader, "PATCH", &path("2"), Some(json!({"is_public": true}))).await.expect(403);
    server.call(&reader, "DELETE", &path("2"), None).await.expect(403);
    server.call("wrong", "DELETE", &path("2"), None).await.expect(401);
}

#[tokio::test]
async fn publishing_again_with_the_same_idempotency_key_publishes_once() {
    let server = Server::start();
    let send = |body: &'static str| {
        let request = Request::post("/annals/v1/notifications").header("authorization", ADMIN);
        server.send(request.header("idempotency-key", "k1").body(Body::from(body)).unwrap())
    };
    let first = send(r#"{"title":"once"}"#).await.expect(200).json();
    assert_eq!(send(r#"{"title":"once"}"#).await.expect(200).json(), first);
    send(r#"{"title":"other"}"#).await.expect(422);
    assert_eq!(server.total().await, 1);
    server.call(ADMIN, "DELETE", "/annals/v1/notifications/1", None).await.expect(200);
    send(r#"{"title":"once"}"#).await.expect(404);
    assert_eq!(server.total().await, 0, "it was withdrawn, and a retry does not bring it back");
}

#[tokio::test]
async fn mistakes_are_refused_and_change_nothing() {
    let server = Server::start();
    server.store(&[documented_event()]).await;
    let before = server.get("/annals/v1/events").await.expect(200).json();
    let long = "x".repeat(1025);
    let many: Vec<String> = (0..17).map(|number| number.to_string()).collect();
    let both = [
        json!({"type": "OTHER"}),
        json!({"type": 1}),
        json!({"type": ""}),
        json!({"severity": 3}),
        json!({"severity": long}),
        json!({"is_public": "true"}),
        json!({"is_global": 1}),
        json!({"target_user_ids": "ada"}),
        json!({"target_user_ids": [1]}),
        json!({"target_user_ids": [""]}),
        json!({"target_user_ids": many}),
        json!({"target_user_ids": [long]}),
        json!({"expires_at": "soon"}),
        json!({"expires_at": true}),
        json!({"expires_at": -1}),
        json!({"expires_at": 1e300}),
        json!({"expires_at": "1969-12-31T23:59:59Z"}),
        json!({"notification": false}),
        json!({"created_at": "2025-01-19T10:00:00.000Z"}),
    ];
    let path = format!("/annals/v1/notifications/{ID}");
    for body in &both {
        let mut new = body.clone();
        new["title"] = json!("t");
        server.call(ADMIN, "POST", "/annals/v1/notifications", Some(new)).await.expect(400);
        let reply = server.call(ADMIN, "PATCH", &path, Some(body.clone())).await.expect(400).json();
        assert!(reply["error"]["message"].is_string(), "{body}");
    }
    let long_title = "x".repeat(8193);
    for body in [
        json!({}),
        json!([]),
        json!({"title": ""}),
        json!({"title": " \n"}),
        json!({"title": null, "message": "m"}),
        json!({"title": 1}),
        json!({"title": long_title}),
        json!({"title": "t", "message": []}),
        json!({"title": "t", "realm_ids": "a"}),
        json!({"title": "t", "org_id": 1}),
        json!({"title": "t", "id": ID}),
    ] {
        server.call(ADMIN, "POST", "/annals/v1/notifications", Some(body)).await.expect(400);
    }
    for body in [json!({}), json!([]), json!({"type": null}), json!({"is_global": null}), json!({"severity": ""})] {
        server.call(ADMIN, "PATCH", &path, Some(body)).await.expect(400);
    }
    for name in ["title", "message", "realm_ids", "org_id"] {
        let reply = server.call(ADMIN, "PATCH", &path, Some(json!({name: "x"}))).await.expect(400).json();
        let message = reply["error"]["message"].as_str().unwrap();
        assert!(message.contains("stays as it was published"), "{message}");
    }
    for (method, path) in [("POST", "/annals/v1/notifications"), ("PATCH", &path)] {
        let request = Request::builder().method(method).uri(path).header("authorization", ADMIN);
        server.send(request.body(Body::from("{")).unwrap()).await.expect(400);
        server
            .call(ADMIN, method, &format!("{path}?a=1"), Some(json!({"title": "t", "is_public": true})))
            .await
            .expect(400);
    }
    server.call(ADMIN, "DELETE", &format!("{path}?dry_run=true"), None).await.expect(400);
    assert_eq!(server.get("/annals/v1/events").await.expect(200).json(), before);
}

#[tokio::test]
async fn methods_and_scopes_are_checked_first() {
    let server = Server::start();
    server.store(&[documented_event()]).await;
    for (method, path, allow) in [
        ("POST", LIST, "GET, HEAD"),
        ("PUT", PUBLIC, "GET, HEAD"),
        ("GET", "/api/v1/notifications/read-all", "PUT"),
        ("QUERY", "/api/v1/notifications/xyz/read", "PUT"),
    ] {
        let reply = server.call("wrong", method, path, None).await.expect(405);
        assert_eq!(reply.header("allow"), allow, "{method} {path}");
    }
    server.get(&format!("{LIST}/{ID}")).await.expect(404);
    let key = server.key_for(&["events:read", "events:update"], &[]).await;
    for path in [format!("{LIST}/xyz/read"), format!("{LIST}/read-all")] {
        server.call("wrong", "PUT", &path, None).await.expect(401);
        server.call(&key, "PUT", &path, None).await.expect(403);
    }
    let head = server.call(ADMIN, "HEAD", LIST, None).await.expect(200);
    assert!(head.body.is_empty() && head.header("content-length").parse::<usize>().unwrap() > 100);
    // The vendor's client says that its empty bodies are JSON; others send one.
    let reply = server.call(ADMIN, "PUT", &format!("{LIST}/read-all/"), Some(json!({}))).await.expect(200).json();
    assert_eq!(reply["data"], json!({"count": 1}));
}
