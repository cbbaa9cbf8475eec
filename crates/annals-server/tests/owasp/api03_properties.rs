//! API3:2023 Broken object property level authorization. What a limited key may write: `auth.rs`, `rights.rs`; members of
//! each face's answers: the tests of the faces, and the clients against the documents (`tests/clients/openapi_test.py`).

use serde_json::json;

use crate::support::{ADMIN, Server};
use crate::{ALL_OF_EVENTS, event_of};

#[tokio::test]
async fn a_client_cannot_set_what_is_the_stores() {
    let server = Server::start();
    let key = server.key_for(&ALL_OF_EVENTS, &["mine"]).await;
    let line = json!({"event_type": "a", "sequence": 1_000_000, "is_admin": true, "scopes": ["admin"]});
    let reply = server.ingest_as(&key, "", &line.to_string()).await.json();
    assert!(reply["accepted"] == 1 || reply["rejected"] == 1, "{reply}");
    if reply["accepted"] == 1 {
        let event = server.get("/annals/v1/events").await.expect(200).json()["events"][0].clone();
        assert_eq!((&event["sequence"], &event["realm_ids"]), (&json!(1), &json!(["mine"])), "{event}");
    }
    for foreign in [event_of("theirs", "a"), json!({"event_type": "a", "org_id": "theirs"})] {
        server.ingest_as(&key, "", &foreign.to_string()).await.expect(403);
    }
    let published = json!({"event_type": "a", "notification": true, "is_public": true});
    server.ingest_as(&key, "", &published.to_string()).await.expect(403);
}

#[tokio::test]
async fn a_key_or_a_user_is_made_of_what_the_documents_name_and_nothing_else() {
    let server = Server::start();
    for (path, own) in [
        ("/annals/v1/keys", json!({"name": "n"})),
        ("/annals/v1/users", json!({"username": "ada", "password": "correct horse battery"})),
    ] {
        for (name, value) in [
            ("id", json!("0123456789ab")),
            ("key", json!("ann_0123456789ab_x")),
            ("secret_sha256", json!("00")),
            ("created_at", json!("2020-01-01T00:00:00Z")),
            ("last_used", json!("2020-01-01T00:00:00Z")),
            ("is_admin", json!(true)),
            ("__proto__", json!({})),
        ] {
            let mut body = own.clone();
            body["scopes"] = json!(["events:read"]);
            body[name] = value;
            let refused = server.call(ADMIN, "POST", path, Some(body)).await.expect(400).json();
            assert!(refused["error"]["message"].as_str().unwrap().starts_with(name), "{refused}");
        }
        let list = server.get(path).await.expect(200).json();
        assert_eq!(list.as_object().unwrap().values().next().unwrap(), &json!([]));
    }
}

#[tokio::test]
async fn answers_about_keys_and_users_have_no_secrets() {
    let server = Server::start();
    let (key, _) = server.key(json!({"name": "n", "scopes": ["events:read"]})).await;
    let user = json!({"username": "ada", "password": "correct horse battery", "scopes": ["events:read"]});
    let made = server.call(ADMIN, "POST", "/annals/v1/users", Some(user)).await.expect(200).json();
    let mut answers = vec![made];
    for path in ["/annals/v1/keys", "/annals/v1/users", "/annals/v1/audit", "/annals/v1/store"] {
        answers.push(server.get(path).await.expect(200).json());
    }
    let (_, secret) = key.rsplit_once('_').unwrap();
    for answer in answers {
        let text = answer.to_string();
        for hidden in [secret, "correct horse", "sha256", "argon2", "$argon", ADMIN] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
    }
}
