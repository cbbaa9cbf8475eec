//! A server over a store of its own, called without a socket.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of it")]

pub mod table;
pub mod tls;

use annals_engine::{Durability, Engine, Options};
use annals_server::{AppState, FaceSettings, Limits, ServerConfig, router};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

pub const ADMIN: &str = "the-administrators-key";

pub struct Server {
    pub directory: TempDir,
    pub state: AppState,
    pub app: Router,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:?}", self.body);
        self
    }
}

/// What the server answers, which need not be borrowed for it.
pub async fn reply(app: Router, request: Request<Body>) -> Reply {
    let response = app.oneshot(request).await.unwrap();
    let (parts, mut body) = response.into_parts();
    // A stream of events has no end: what comes at once stands for it.
    let endless = parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let body = if endless {
        body.frame().await.unwrap().unwrap().into_data().unwrap()
    } else {
        body.collect().await.unwrap().to_bytes()
    };
    Reply { status: parts.status, headers: parts.headers, body }
}

impl Server {
    pub fn start() -> Self {
        Self::with(Limits::default())
    }

    pub fn with(limits: Limits) -> Self {
        Self::with_durability(limits, Durability::Buffered)
    }

    pub fn with_durability(limits: Limits, durability: Durability) -> Self {
        Self::with_all(limits, durability, FaceSettings::default())
    }

    pub fn with_faces(faces: FaceSettings) -> Self {
        Self::with_all(Limits::default(), Durability::Buffered, faces)
    }

    fn with_all(limits: Limits, durability: Durability, faces: FaceSettings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut options = Options::new(directory.path());
        options.durability = durability;
        options.log_size_bytes = 4 << 20;
        let admin_key = Some(ADMIN.to_owned());
        let config = ServerConfig { limits, admin_key, faces, ..ServerConfig::new(directory.path()) };
        let setup = AppState::with_engine(Engine::open(options).unwrap(), &config).unwrap();
        assert_eq!(setup.new_admin_key, None);
        Self { directory, app: router(setup.state.clone()), state: setup.state }
    }

    pub async fn send(&self, request: Request<Body>) -> Reply {
        reply(self.app.clone(), request).await
    }

    /// A call with a key and perhaps a body, as JSON.
    pub async fn call(&self, key: &str, method: &str, path: &str, body: Option<Value>) -> Reply {
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {key}"));
        let request = request.header("content-type", "application/json");
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call(ADMIN, "GET", path, None).await
    }

    /// Ingests lines as the administrator and returns the answer.
    pub async fn ingest(&self, lines: &str) -> Reply {
        self.ingest_as(ADMIN, "", lines).await
    }

    pub async fn ingest_as(&self, key: &str, query: &str, lines: &str) -> Reply {
        let request = Request::post(format!("/annals/v1/events{query}"))
            .header("authorization", key)
            .header("content-type", "application/x-ndjson");
        self.send(request.body(Body::from(lines.to_owned())).unwrap()).await
    }

    /// Stores events, all of them.
    pub async fn store(&self, events: &[Value]) {
        let lines = events.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        let reply = self.ingest(&lines).await.expect(200).json();
        assert_eq!(reply["accepted"], events.len());
    }

    /// Makes a key and returns it with its id.
    pub async fn key(&self, body: Value) -> (String, String) {
        let reply = self.call(ADMIN, "POST", "/annals/v1/keys", Some(body)).await.expect(200).json();
        (reply["key"].as_str().unwrap().to_owned(), reply["id"].as_str().unwrap().to_owned())
    }

    /// A key with these scopes, limited to these realms if there are any.
    pub async fn key_for(&self, scopes: &[&str], realms: &[&str]) -> String {
        let mut body = json!({"name": "test", "scopes": scopes});
        if !realms.is_empty() {
            body["realms"] = json!(realms);
        }
        self.key(body).await.0
    }

    /// A key of an administrator that was good for a moment.
    pub async fn expired_key(&self) -> String {
        let now_us = self.state.engine().options().clock.now_us();
        let mut at = Vec::new();
        annals_json::write_micros(&mut at, now_us + 100_000);
        let at = String::from_utf8(at).unwrap();
        let key = self.key(json!({"name": "expired", "scopes": ["admin"], "expires_at": at})).await.0;
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        key
    }

    /// What changes when anything is written: the last sequence and how many events there are.
    pub async fn extent(&self) -> (u64, u64) {
        (self.state.engine().stats().last_sequence, self.total().await)
    }

    pub async fn total(&self) -> u64 {
        self.get("/annals/v1/stats").await.expect(200).json()["total"].as_u64().unwrap()
    }
}
