//! API2:2023 Broken authentication. Every route without a key and with garbled, revoked and expired ones: `rights.rs`;
//! schemes, guessing by address: `auth.rs`; passwords, tokens, guessing by name, unknown names as slow as wrong
//! passwords: `users.rs`.

use annals_server::Limits;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::from;
use crate::support::{ADMIN, Server};

#[tokio::test]
async fn what_looks_like_a_key_is_none() {
    let server = Server::start();
    let (key, id) = server.key(serde_json::json!({"name": "n", "scopes": ["events:read"]})).await;
    let (head, secret) = key.rsplit_once('_').unwrap();
    let unsigned = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#),
        URL_SAFE_NO_PAD.encode(r#"{"sub":"admin","scopes":["admin"]}"#)
    );
    let swapped: String = secret.chars().rev().collect();
    let mut bodies = std::collections::BTreeSet::new();
    for wrong in [
        unsigned,
        format!("{head}_{swapped}"),
        format!("ann_{id}_"),
        format!("ann_{id}"),
        format!("ann_000000000000_{secret}"),
        key.to_uppercase(),
        format!("{key} "),
        key[..key.len() - 1].to_owned(),
        format!("{ADMIN}\u{0}"),
        "null".to_owned(),
        "undefined".to_owned(),
        "' OR '1'='1".to_owned(),
    ] {
        let Ok(header) = axum::http::HeaderValue::from_str(&format!("Bearer {wrong}")) else { continue };
        // White space around a header's value is none of it.
        if header.to_str().is_ok_and(|text| text.trim_end() == format!("Bearer {key}")) {
            continue;
        }
        let headers = [("authorization", header.to_str().unwrap())];
        let refused = from(&server, "127.0.0.1", "GET", "/annals/v1/events", &headers).await.expect(401).json();
        bodies.insert((refused["error"]["code"].to_string(), refused["error"]["message"].to_string()));
    }
    assert_eq!(bodies.len(), 1, "why a key is wrong is not told: {bodies:?}");
}

#[tokio::test]
async fn a_key_in_the_url_or_a_cookie_opens_nothing() {
    let server = Server::start();
    for target in ["key", "api_key", "access_token", "token"] {
        let path = format!("/annals/v1/stats?{target}={ADMIN}");
        from(&server, "127.0.0.1", "GET", &path, &[]).await.expect(401);
    }
    let cookie = format!("session={ADMIN}; token={ADMIN}");
    from(&server, "127.0.0.1", "GET", "/annals/v1/stats", &[("cookie", &cookie)]).await.expect(401);
}

#[tokio::test]
async fn guessing_is_not_helped_by_pretending_to_be_somebody_else() {
    let server = Server::with(Limits { wrong_keys_per_minute_max: 5, ..Limits::default() });
    let mut answers = Vec::new();
    for guess in 0..8 {
        let forwarded = format!("198.51.100.{guess}");
        let wrong = format!("Bearer wrong-{guess}");
        let headers = [
            ("authorization", wrong.as_str()),
            ("x-forwarded-for", &forwarded),
            ("x-real-ip", &forwarded),
            ("forwarded", "for=1.2.3.4"),
        ];
        answers.push(from(&server, "192.0.2.7", "GET", "/annals/v1/events", &headers).await.status.as_u16());
    }
    assert_eq!(answers, [401, 401, 401, 401, 401, 429, 429, 429]);
    // The right key among the guesses is not told from the wrong ones either.
    let right = format!("Bearer {ADMIN}");
    from(&server, "192.0.2.7", "GET", "/annals/v1/events", &[("authorization", &right)]).await.expect(429);
    from(&server, "192.0.2.8", "GET", "/annals/v1/events", &[("authorization", &right)]).await.expect(200);
}
