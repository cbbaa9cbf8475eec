//! Whole requests, as text: whatever comes from the network is answered, and never with a fault of the server's own.
//!
//! The first line is a method and a path with its query, further lines up to an empty one are headers, `key` among
//! them stands for the administrator's; the rest is the body.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use annals_engine::{Durability, Engine, Options};
use annals_server::{AppState, ServerConfig, router};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, HeaderValue, Request};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

const KEY: &str = "the-administrators-key";
/// What follows events has no end of its own.
const PATIENCE: Duration = Duration::from_millis(100);

struct Server {
    runtime: Runtime,
    app: Router,
    _directory: tempfile::TempDir,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a folder");
    let mut options = Options::new(directory.path());
    options.durability = Durability::Buffered;
    options.log_size_bytes = 4 << 20;
    let config = ServerConfig { admin_key: Some(KEY.to_owned()), ..ServerConfig::new(directory.path()) };
    let engine = Engine::open(options).expect("a new store");
    let setup = AppState::with_engine(engine, &config).expect("a server");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    Server { runtime, app: router(setup.state), _directory: directory }
});

/// The request that a text stands for, if a client could send it.
fn request(bytes: &[u8]) -> Option<Request<Body>> {
    let split = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap_or(bytes.len());
    let (head, body) = bytes.split_at(split);
    let mut lines = std::str::from_utf8(head).ok()?.split('\n');
    let (method, target) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        if line == "key" {
            request = request.header("authorization", format!("Bearer {KEY}"));
        } else {
            let (name, value) = line.split_once(':')?;
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            request = request.header(name, HeaderValue::from_str(value.trim()).ok()?);
        }
    }
    request.body(Body::from(body.get(2..).unwrap_or_default().to_vec())).ok()
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(request) = request(bytes) else { return };
    let server = &*SERVER;
    server.runtime.block_on(async {
        let answered = tokio::time::timeout(Duration::from_secs(20), server.app.clone().oneshot(request)).await;
        let Ok(response) = answered.expect("an answer");
        let (head, body) = response.into_parts();
        assert_ne!(head.status.as_u16(), 500, "a fault of the server's own");
        let is_json = head.headers.get("content-type").is_some_and(|kind| kind == "application/json");
        if let Ok(Ok(body)) = tokio::time::timeout(PATIENCE, to_bytes(body, 64 << 20)).await
            && is_json
            && !body.is_empty()
        {
            serde_json::from_slice::<serde_json::Value>(&body).expect("what is called JSON is JSON");
        }
    });
});
