//! The caller's list and the public one.

use super::*;

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
        let titles: Vec<_> = shown.iter().map(|one| &one["title"]).collect();
        assert_eq!(titles, ["nowhere", "in"], "{path}: what belongs to nobody is everybody's");
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

/// A clock on which every look takes 100 ms.
#[derive(Debug)]
struct Slow(annals_engine::OsClock, std::sync::atomic::AtomicU64);

impl annals_engine::Clock for Slow {
    fn now_us(&self) -> i64 {
        self.0.now_us()
    }

    fn monotonic(&self) -> std::time::Duration {
        std::time::Duration::from_millis(100 * self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }
}

#[tokio::test]
async fn reading_over_expired_ones_has_the_time_of_one_query_in_all_its_steps() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = annals_engine::Options::new(directory.path());
    options.clock = std::sync::Arc::new(Slow(annals_engine::OsClock::new(), 0.into()));
    let limits = Limits { page_size_bytes_max: 2_000, ..Limits::default() };
    let config = ServerConfig { limits, admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(directory.path()) };
    let state = AppState::with_engine(annals_engine::Engine::open(options).unwrap(), &config).unwrap().state;
    let server = Server { directory, app: router(state.clone()), state };
    let gone = notice("gone", json!({"expires_at": "2020-01-01T00:00:00Z", "is_public": true}));
    let expect = async |status: u16| {
        for (method, path) in [("GET", LIST), ("GET", PUBLIC), ("PUT", "/api/v1/notifications/read-all")] {
            server.call(ADMIN, method, path, None).await.expect(status);
        }
    };
    server.store(&vec![gone.clone(); 5]).await;
    expect(200).await;
    server.store(&vec![gone; 1500]).await;
    expect(503).await;
}
