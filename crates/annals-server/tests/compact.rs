//! Compaction over HTTP.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use annals_engine::{Delete, Engine, Filter, Options};
use annals_server::{AppState, ServerConfig, router};
use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use support::{ADMIN, Server};

const PATH: &str = "/annals/v1/admin/compact";

/// A server whose store does nothing by itself.
fn start() -> Server {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { log_size_bytes: 4 << 20, background: false, ..Options::new(directory.path()) };
    let config = ServerConfig { admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(directory.path()) };
    let state = AppState::with_engine(Engine::open(options).unwrap(), &config).unwrap().state;
    Server { directory, app: router(state.clone()), state }
}

async fn fill(server: &Server) {
    let event = json!({"event_type": "a", "created_at": "2026-01-05T00:00:00Z", "message": "one of many"});
    server.store(&vec![event; 300]).await;
}

#[tokio::test]
async fn segments_become_one_and_deleted_events_leave_the_disk() {
    let server = start();
    for _ in 0..3 {
        fill(&server).await;
        server.state.engine().seal_now().unwrap();
    }
    server.state.engine().delete(&Delete::Matching(Filter::SequenceBetween { from: 1, to: 301 })).unwrap();
    fill(&server).await;
    let done = server.call(ADMIN, "POST", PATH, None).await.expect(200).json();
    assert_eq!((&done["segments_after"], done["rewritten"].as_u64().unwrap() > 0), (&json!(1), true), "{done}");
    assert_eq!(done["segments_before"], 4);
    assert!(done["bytes_before"].as_u64() > done["bytes_after"].as_u64() && done["seconds"].is_number(), "{done}");
    let store = server.get("/annals/v1/store").await.expect(200).json();
    assert_eq!(
        (&store["events"], &store["tombstones"], &store["sealed_segments"]),
        (&json!(900), &json!(0), &json!(1))
    );
    let again = server.call(ADMIN, "POST", PATH, Some(json!({}))).await.expect(200).json();
    assert_eq!((&again["rewritten"], &again["bytes_before"]), (&json!(0), &done["bytes_after"]));
    let trail = server.get("/annals/v1/audit?event_type=store.compacted&sort=created_at").await.expect(200).json();
    assert_eq!(trail["total"], 2);
    let told = &trail["events"][0];
    assert_eq!((&told["user_id"], &told["payload"]["bytes_after"]), (&json!("admin"), &done["bytes_after"]), "{told}");
}

#[tokio::test]
async fn it_takes_an_administrator_of_the_whole_store_and_nothing_else() {
    let server = Server::start();
    for (scopes, realms) in [(&["events:retention", "events:delete"][..], &[][..]), (&["admin"], &["r"])] {
        let key = server.key_for(scopes, realms).await;
        server.call(&key, "POST", PATH, None).await.expect(403);
    }
    server.send(Request::post(PATH).body(Body::empty()).unwrap()).await.expect(401);
    server.call(ADMIN, "GET", PATH, None).await.expect(405);
    server.call(ADMIN, "POST", &format!("{PATH}?deep=true"), None).await.expect(400);
    let refused = server.call(ADMIN, "POST", PATH, Some(json!({"segment": 1}))).await.expect(400).json();
    assert_eq!(refused["error"]["code"], "invalid_parameter");
}

#[tokio::test]
async fn appends_and_queries_go_on_meanwhile() {
    let server = Server::start();
    for _ in 0..10 {
        fill(&server).await;
        server.state.engine().seal_now().unwrap();
    }
    let compacting = {
        let app = server.app.clone();
        let request = Request::post(PATH).header("authorization", ADMIN).body(Body::empty()).unwrap();
        tokio::spawn(support::reply(app, request))
    };
    while !compacting.is_finished() {
        fill(&server).await;
        let total = server.total().await;
        assert!(total >= 3_300 && total.is_multiple_of(300), "{total}");
    }
    compacting.await.unwrap().expect(200);
}
