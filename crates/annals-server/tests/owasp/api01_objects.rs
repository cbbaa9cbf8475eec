//! API1:2023 Broken object level authorization. Every route with every kind of foreign object: `rights.rs`
//! (`another_tenants_store_answers_as_an_empty_one`, cursors); repeats and `Idempotency-Key`: `auth.rs`.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::support::{ADMIN, Server};
use crate::{ALL_OF_EVENTS, event_of};

#[tokio::test]
async fn counting_through_ids_finds_nothing_of_another_tenant() {
    let server = Server::start();
    let events: Vec<_> = (0..6).map(|number| event_of(if number % 2 == 0 { "mine" } else { "theirs" }, "a")).collect();
    server.store(&events).await;
    let mine = server.key_for(&ALL_OF_EVENTS, &["mine"]).await;
    let missing = server.call(&mine, "GET", "/annals/v1/events/4711", None).await.expect(404);
    let without_id = |mut body: serde_json::Value| {
        body["error"]["request_id"] = json!(null);
        body
    };
    for sequence in 1..=6 {
        let shown = server.get(&format!("/annals/v1/events/{sequence}")).await.expect(200).json();
        // By its sequence and by its identity: whoever guesses either learns no more than that of nothing.
        for name in [sequence.to_string(), shown["id"].as_str().unwrap().to_owned()] {
            let path = format!("/annals/v1/events/{name}");
            if sequence % 2 == 1 {
                server.call(&mine, "GET", &path, None).await.expect(200);
                continue;
            }
            for (method, path) in
                [("GET", path.clone()), ("DELETE", path.clone()), ("POST", format!("{path}/acknowledge"))]
            {
                let refused = server.call(&mine, method, &path, None).await.expect(404).json();
                assert_eq!(without_id(refused), without_id(missing.json()), "{method} {path}");
            }
        }
    }
    assert_eq!(server.total().await, 6);
}

#[tokio::test]
async fn a_filter_that_names_another_tenant_reaches_nothing_of_it() {
    let server = Server::start();
    server.store(&[event_of("mine", "a"), event_of("theirs", "a"), event_of("theirs", "b")]).await;
    let mine = server.key_for(&ALL_OF_EVENTS, &["mine"]).await;
    for filter in ["realm_id=theirs", "event_type=b", "not.realm_id=mine", "q=&event_type=b"] {
        let page = server.call(&mine, "GET", &format!("/annals/v1/events?{filter}"), None).await;
        assert!(page.status.as_u16() == 400 || page.json()["total"] == 0, "{filter}: {:?}", page.body);
        let deleted = server.call(&mine, "DELETE", &format!("/annals/v1/events?{filter}"), None).await;
        assert!(deleted.status.as_u16() == 400 || deleted.json()["deleted"] == 0, "{filter}: {:?}", deleted.body);
    }
    let counted = server.call(&mine, "GET", "/annals/v1/stats?by=realm_id", None).await.expect(200).json();
    assert_eq!(counted["by"]["realm_id"], json!({"mine": 1}));
    assert_eq!(server.total().await, 3);
}

#[tokio::test]
async fn a_stolen_cursor_or_idempotency_key_opens_nothing() {
    let server = Server::start();
    server.store(&[event_of("theirs", "a"), event_of("theirs", "a"), event_of("theirs", "a")]).await;
    let (mine, theirs) =
        (server.key_for(&ALL_OF_EVENTS, &["mine"]).await, server.key_for(&ALL_OF_EVENTS, &["theirs"]).await);
    let page = server.call(&theirs, "GET", "/annals/v1/events?limit=1", None).await.expect(200).json();
    let cursor = page["next_cursor"].as_str().unwrap();
    server.call(&mine, "GET", &format!("/annals/v1/events?limit=1&cursor={cursor}"), None).await.expect(400);
    let send = async |key: &str, line: &str| {
        let request = Request::post("/annals/v1/events").header("authorization", key).header("idempotency-key", "k-1");
        server.send(request.body(Body::from(line.to_owned())).unwrap()).await
    };
    send(&theirs, "{\"event_type\":\"first\"}").await.expect(200);
    // Were the answer that of the first one, its body would have to be the same.
    assert_eq!(send(&mine, "{\"event_type\":\"second\"}").await.expect(200).json()["accepted"], 1);
    assert_eq!(server.call(ADMIN, "GET", "/annals/v1/stats?event_type=second", None).await.json()["total"], 1);
}
