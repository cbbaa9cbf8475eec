//! API8:2023 Security misconfiguration. Addresses without TLS: `config.rs`; TLS itself: `tls`; headers of every answer:
//! `native.rs`; the pages' policy: `documents.rs`; what is in no log line: `metrics.rs`, `trace.rs`.

use annals_server::{Limits, ServerConfig, routes};
use axum::http::Method;

use crate::from;
use crate::support::{ADMIN, Server};

#[test]
fn the_defaults_are_the_safe_ones() {
    let config = ServerConfig::new("x");
    assert!(
        config.listen.ip().is_loopback() && config.metrics_listen.is_none() && !config.insecure && !config.degraded
    );
    assert!(config.faces.deltafi_trusted_proxies.is_empty() && config.backup_directory.is_none());
    assert_eq!(config.durability, annals_engine::Durability::Sync);
    let limits = Limits::default();
    assert!(limits.wrong_keys_per_minute_max <= 60 && limits.connections_max < usize::MAX);
    for address in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:8080"] {
        let open = ServerConfig { listen: address.parse().unwrap(), ..ServerConfig::new("x") };
        assert!(open.validate().is_err(), "{address}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_is_let_in_nowhere() {
    let server = Server::start();
    let key = format!("Bearer {ADMIN}");
    let origin = ("origin", "https://evil.example");
    let mut paths: Vec<String> =
        routes().into_iter().map(|route| route.path).filter(|path| !path.contains('{')).collect();
    paths.dedup();
    for path in paths.iter().filter(|path| !path.ends_with("/tail")) {
        let asked =
            [origin, ("access-control-request-method", "DELETE"), ("access-control-request-headers", "authorization")];
        let preflight = from(&server, "127.0.0.1", "OPTIONS", path, &asked).await;
        assert!(!preflight.status.is_success(), "{path}: {}", preflight.status);
        let simple = from(&server, "127.0.0.1", "GET", path, &[origin, ("authorization", &key)]).await;
        for reply in [preflight, simple] {
            let allowed = reply.headers.keys().find(|name| name.as_str().starts_with("access-control"));
            assert_eq!(allowed, None, "{path}");
            assert_eq!((reply.header("x-content-type-options"), reply.header("server")), ("nosniff", ""), "{path}");
        }
    }
}

#[tokio::test]
async fn refusals_tell_nothing_of_the_machine_and_are_no_pages() {
    let server = Server::start();
    let script = "/annals/v1/events/<script>alert(1)<%2fscript>".replace('<', "%3C").replace('>', "%3E");
    let store = server.directory.path().display().to_string();
    for (method, path) in [
        ("GET", script.as_str()),
        ("GET", "/annals/v1/events?limit=%3Cimg%20onerror%3D1%3E"),
        ("GET", "/%3Cscript%3E"),
        ("GET", "/annals/v1/events?cursor=AAAA"),
        ("POST", "/annals/v1/events"),
        ("POST", "/annals/v1/admin/backup"),
        ("GET", "/api/events/%00/"),
        ("GET", "/api/v2/events/x"),
        ("GET", "/v1/audit/events?limit=x"),
        ("PUT", "/annals/v1/retention"),
    ] {
        let reply = server.call(ADMIN, method, path, Some(serde_json::json!("x"))).await;
        assert!(reply.status.as_u16() >= 400, "{path}");
        assert!(
            reply.header("content-type").starts_with("application/json"),
            "{path}: {}",
            reply.header("content-type")
        );
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        for leak in [store.as_str(), "/home/", "panicked", "src/", ".rs:", "os error", "backtrace", "<script", "<img"] {
            assert!(!text.contains(leak), "{path} has {leak}: {text}");
        }
    }
}

#[tokio::test]
async fn methods_that_nothing_answers_are_refused_everywhere() {
    let server = Server::start();
    for path in ["/annals/v1/events", "/api/v1/events", "/v1/audit/events", "/healthz", "/annals/v1/keys"] {
        for method in ["TRACE", "CONNECT", "PROPFIND", "DEBUG", "OPTIONS"] {
            let reply = from(&server, "127.0.0.1", method, path, &[("authorization", ADMIN)]).await;
            assert_eq!(reply.status.as_u16(), 405, "{method} {path}");
            let allowed = reply.header("allow").to_owned();
            assert!(
                allowed.split(", ").all(|name| name.parse::<Method>().is_ok() && name != method),
                "{path}: {allowed}"
            );
        }
    }
}
