//! Marking as read, for each user.

use super::*;

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
    server
        .store(&(0..5).map(|number| notice(&number.to_string(), json!({"realm_ids": ["x"]}))).collect::<Vec<_>>())
        .await;
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
    let foreign_realm = Request::put(format!("{LIST}/{}/read", ids[4]))
        .header("authorization", &ada)
        .header("host", format!("{REALM}.example"));
    server.send(foreign_realm.body(Body::empty()).unwrap()).await.expect(404);
    assert_eq!(server.total().await, before, "nothing was stored");
    mark_read(&server, &ada, &ids[4]).await.expect(200);
    mark_read(&server, &ada, &ids[5]).await.expect(200);
    assert_eq!(server.total().await, before + 2);
}

#[tokio::test]
async fn of_an_id_that_several_realms_have_the_one_of_the_host_is_read() {
    let server = Server::start();
    let other = "507f1f77bcf86cd7994390bb";
    let of = |title: &str, realm: &str, second: usize| {
        let at = format!("2025-01-20T10:00:{second:02}Z");
        notice(title, json!({"id": ID, "realm_ids": [realm], "created_at": at}))
    };
    server.store(&[of("here", REALM, 1), of("there", other, 2)]).await;
    let ada = reader(&server, "ada", &[]).await;
    let in_realm = Request::put(format!("{LIST}/{ID}/read"))
        .header("authorization", &ada)
        .header("host", format!("{REALM}.example"));
    server.send(in_realm.body(Body::empty()).unwrap()).await.expect(200);
    let read: Vec<_> =
        list(&server, &ada).await.iter().map(|one| (one["title"].clone(), one["is_read"].clone())).collect();
    assert_eq!(read, [(json!("there"), json!(false)), (json!("here"), json!(true))]);
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
async fn a_reading_that_there_is_no_room_for_leaves_no_event() {
    use annals_engine::{ErrorKind, EventId, ReadMark};
    let server = Server::start();
    server.store(&[documented_event()]).await;
    let engine = server.state.engine();
    let mut number = 0_u32;
    // The fewest bytes that are left over are less than the reader's receipt takes.
    for (user_size, largest) in [(1024, 20_000), (8, 64)] {
        let mut count = largest;
        while count > 0 {
            let marks: Vec<ReadMark> = (0..count)
                .map(|mark| {
                    let user_id = format!("{:0>user_size$}", number + mark);
                    ReadMark { sequence: 1, user_id, receipt: EventId::from_u128(1), read_at_us: 1 }
                })
                .collect();
            match engine.mark_read(&marks) {
                Ok(_) => number += count,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::InvalidInput);
                    count /= 2;
                }
            }
        }
    }
    let ada = reader(&server, "ada-who-comes-too-late", &[]).await;
    let before = server.extent().await;
    let refused = mark_read(&server, &ada, ID).await.expect(507).json();
    assert_eq!(refused["error"], "Insufficient Storage");
    server.call(&ada, "PUT", "/api/v1/notifications/read-all", None).await.expect(507);
    assert_eq!((server.extent().await, list(&server, &ada).await), (before, vec![documented()]));
    // Others have room of their own, and room comes back.
    engine.seal_now().unwrap();
    server.store(&[notice("new", json!({}))]).await;
    let new = newest_id(&server, &ada).await;
    mark_read(&server, &ada, &new).await.expect(200);
    server.call(ADMIN, "DELETE", &format!("/api/v1/events/{ID}"), None).await.expect(200);
    assert_eq!(read_all(&server, &ada).await, 0);
}
