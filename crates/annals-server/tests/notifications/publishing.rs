//! Publishing, changing and withdrawing on the native API, and every mistake there is.

use super::*;

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

#[tokio::test]
async fn nobody_opens_an_event_to_everybody_without_the_scope() {
    let server = Server::start();
    let writer = server.key_for(&["events:create"], &[]).await;
    let publisher = server.key_for(&["events:create", "notifications:write"], &[]).await;
    let open = notice("open", json!({"is_public": true})).to_string();
    let lines = format!("{}\n{open}\n{}\n", notice("closed", json!({"is_public": false})), notice("plain", json!({})));
    let sentence = "is_public: true needs the scope notifications:write";
    let refused = server.ingest_as(&writer, "", &lines).await.expect(403).json();
    assert_eq!(refused["error"]["message"], format!("line 2: {sentence}"));
    // Also what is no notification yet.
    let event = json!({"event_type": "x", "is_public": true});
    server.call(&writer, "POST", "/annals/v1/events", Some(event)).await.expect(403);
    assert_eq!(server.total().await, 0);
    let reply = server.ingest_as(&writer, "?partial=true", &lines).await.expect(200).json();
    assert_eq!((&reply["accepted"], &reply["errors"]), (&json!(2), &json!([{"line": 2, "error": sentence}])));
    // What a face does not know of stays in the payload, or is ignored.
    let (orgs, deltafi) = ("/orgs/o/containers/c/events", "/api/v2/events");
    let logged = json!({"event_type": "A", "notification": true, "is_public": true});
    server.call(&writer, "POST", orgs, Some(logged)).await.expect(200);
    let created = json!({"severity": "info", "summary": "s", "notification": true, "is_public": true});
    server.call(&writer, "POST", deltafi, Some(created)).await.expect(200);
    let public = async || server.get(PUBLIC).await.expect(200).json()["data"].as_array().unwrap().len();
    assert_eq!((server.total().await, public().await), (4, 0));
    server.ingest_as(&publisher, "", &lines).await.expect(200);
    assert_eq!(public().await, 1);
}
