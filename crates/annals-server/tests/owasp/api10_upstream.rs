//! API10:2023 Unsafe consumption of APIs. The server asks nobody (API7); what others hand to it is all there is: headers
//! that a proxy might have set, and what senders put into events. Headers: `deltafi`, `auth.rs`; bodies of every face:
//! `bad_input_*.rs`, the fuzz targets of the readers; what is escaped in logs: `log.rs` of the command line.

use annals_server::FaceSettings;
use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::from;
use crate::support::{ADMIN, Server};

#[tokio::test]
async fn nobody_becomes_somebody_by_a_proxys_headers() {
    let server = Server::start();
    let claims = [
        ("x-user-name", "admin"),
        ("x-user-permissions", "Admin"),
        ("x-forwarded-user", "admin"),
        ("x-remote-user", "admin"),
        ("x-authenticated-user", "admin"),
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1;proto=https"),
        ("x-real-ip", "127.0.0.1"),
    ];
    for path in ["/api/v2/events", "/annals/v1/keys", "/api/v1/events"] {
        for address in ["127.0.0.1", "192.0.2.1"] {
            from(&server, address, "GET", path, &claims).await.expect(401);
        }
    }
    let trusting =
        FaceSettings { deltafi_trusted_proxies: vec!["192.0.2.9".parse().unwrap()], ..FaceSettings::default() };
    let server = Server::with_faces(trusting);
    from(&server, "192.0.2.9", "GET", "/api/v2/events", &claims).await.expect(200);
    from(&server, "192.0.2.1", "GET", "/api/v2/events", &claims).await.expect(401);
    from(&server, "192.0.2.9", "GET", "/annals/v1/keys", &claims).await.expect(401);
}

#[tokio::test]
async fn links_lead_to_no_host_of_the_senders_making() {
    let server = Server::start();
    server.store(&vec![json!({"event_type": "user_login_succeeded"}); 30]).await;
    let key = format!("Token {ADMIN}");
    let hosts = ["evil.example\"><script>", "a b", "evil.example/path", "x\u{7f}"];
    for host in hosts {
        let request =
            Request::get("/api/events/").header("authorization", &key).header("x-forwarded-host", "evil.example");
        let Ok(request) = request.header("host", host).body(Body::empty()) else { continue };
        let reply = server.send(request).await;
        let link = reply.header("link");
        assert!(link.starts_with("<http://localhost/api/events/"), "{host}: {link}");
    }
}

#[tokio::test]
async fn what_an_event_holds_is_data_and_nothing_else() {
    let server = Server::start();
    let nasty =
        "\u{1b}[2J\u{202e}\u{0}\r\nSet-Cookie: a=b</script><script>alert(1)</script>${jndi:ldap://x}' OR 1=1 --";
    server.store(&[json!({"event_type": "a", "message": nasty, "user_agent": nasty, "payload": {"x": nasty}})]).await;
    let reply = server.get("/annals/v1/events").await.expect(200);
    let event = &reply.json()["events"][0];
    assert_eq!((&event["message"], &event["payload"]["x"]), (&json!(nasty), &json!(nasty)));
    assert!(!reply.body.iter().any(|byte| *byte < 0x20), "control characters are escaped");
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("set-cookie"), "");
    for wrong in [
        &b"{\"event_type\":\"\xff\xfe\"}"[..],
        b"{\"event_type\":1e999}",
        b"{\"event_type\":\"a\",\"created_at\":\"9999999-01-01\"}",
        b"{\"event_type\":\"a\",\"payload\":{\"n\":1e99999}",
        b"{\"event_type\":\"a\"",
        b"\x00\x00\x00\x00",
        b"[1,2",
    ] {
        let request = Request::post("/annals/v1/events").header("authorization", ADMIN);
        server.send(request.body(Body::from(wrong)).unwrap()).await.expect(400);
    }
    assert_eq!(server.total().await, 1);
}
