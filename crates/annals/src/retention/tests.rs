use annals_engine::{AppendOptions, Engine, Options};
use annals_server::{AppState, ServerConfig, serve};
use clap::Parser;

use super::*;

const KEY: &str = "the-administrators-key";

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    retention: Retention,
}

#[test]
fn policies_are_tried_set_run_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(Options { log_size_bytes: 1 << 20, ..Options::new(folder.path()) }).unwrap();
    let old = b"{\"event_type\":\"a\",\"created_at\":\"2020-01-01T00:00:00Z\"}\n".repeat(30);
    let new = b"{\"event_type\":\"b\"}\n".repeat(10);
    for lines in [old, new] {
        engine.append(annals_json::parse_ndjson(&lines, 1).batch, &AppendOptions::default()).unwrap();
    }
    engine.close().unwrap();
    let config = ServerConfig { admin_key: Some(KEY.to_owned()), ..ServerConfig::new(folder.path()) };
    let state = AppState::open(&config).unwrap().state;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = runtime.spawn(serve(state, listener, async move { _ = stopped.await }));
    let client = Client::new(&url, Some(KEY.to_owned())).unwrap();
    let retention = |line: &str| {
        let words = ["retention"].into_iter().chain(line.split(' ')).chain(["--url", &url, "--key", KEY]);
        run(&Line::parse_from(words).retention)
    };
    let events = || {
        let counted: Value = serde_json::from_slice(&client.get("/annals/v1/stats").unwrap()).unwrap();
        counted["total"].as_u64().unwrap()
    };
    retention("set all --keep-days 365 --dry-run").unwrap();
    assert_eq!(in_force(&client).unwrap()["policies"], json!([]));
    retention("set all --keep-days 365").unwrap();
    retention("set b --keep-days 30 --event-type b --realm eu").unwrap();
    retention("run").unwrap();
    let state = in_force(&client).unwrap();
    assert_eq!((events(), &state["waiting"]["would_delete"]), (40, &json!(30)), "more than half waits");
    let mut shown = Vec::new();
    write_state(&mut shown, &state).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("all    365  -      -") && shown.contains("30 of 40 events"), "{shown}");
    retention("run --confirm 29").unwrap();
    assert_eq!(events(), 40);
    retention("run --confirm 30").unwrap();
    assert_eq!(events(), 10);
    retention("set all --keep-days 400").unwrap();
    let list = policies(&in_force(&client).unwrap());
    assert_eq!(list[0], json!({"name": "all", "keep_days": 400}));
    assert_eq!(list[1], json!({"name": "b", "keep_days": 30, "event_type": "b", "realm": "eu"}));
    retention("remove all").unwrap();
    assert_eq!(policies(&in_force(&client).unwrap()).len(), 1);
    assert!(retention("remove all").unwrap_err().to_string().contains("no policy \"all\""));
    let preview = send(&client, Method::Post, PREVIEW_PATH, &json!({})).unwrap();
    let mut shown = Vec::new();
    write_preview(&mut shown, &preview).unwrap();
    assert!(String::from_utf8(shown).unwrap().ends_with("together 0 of 10 events; nothing was changed\n"));
    drop(stop);
    runtime.block_on(server).unwrap().unwrap();
}
