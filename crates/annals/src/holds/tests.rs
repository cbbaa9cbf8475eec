use annals_engine::{AppendOptions, Engine, Options};
use annals_server::{AppState, ServerConfig, serve};
use clap::Parser;

use super::*;

const KEY: &str = "the-administrators-key";

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    holds: Holds,
}

fn action(target: &[&str], words: &[&str]) -> Action {
    let words = ["holds"].into_iter().chain(words.iter().copied()).chain(target.iter().copied());
    Line::parse_from(words).holds.action
}

fn place(target: &[&str], words: &[&str]) -> Result<Value> {
    let Action::Place(place) = action(target, &[&["place"], words].concat()) else { unreachable!() };
    Asked::of(&place.target)?.place(&place.name, &query(&place)?)
}

fn shown(target: &[&str]) -> String {
    let Action::List(list) = action(target, &["list"]) else { unreachable!() };
    let mut shown = Vec::new();
    write_list(&mut shown, &Asked::of(&list.target).unwrap().list().unwrap()).unwrap();
    String::from_utf8(shown).unwrap()
}

/// The same, whoever is asked.
fn try_out(target: &[&str]) {
    assert_eq!(shown(target), "there are no holds\n");
    assert!(place(target, &["x"]).unwrap_err().to_string().contains("at least one filter"));
    assert!(place(target, &["x", "--filter", "acknowledged=true"]).is_err(), "marks change");
    let placed = place(target, &["case 7/ä", "--filter", "user_id=ada", "--from", "2026-01-01"]).unwrap();
    assert_eq!((&placed["name"], &placed["events"]), (&Value::from("case 7/ä"), &Value::from(2)));
    place(target, &["case 7/ä", "--filter", "user_id=ada", "--from", "2026-01-01"]).unwrap();
    let other = place(target, &["case 7/ä", "--filter", "user_id=bob"]).unwrap_err().to_string();
    assert!(other.contains("another filter"), "{other}");
    let list = shown(target);
    assert!(list.starts_with("NAME") && list.lines().count() == 2 && list.contains("case 7/ä       2  2"), "{list}");
    assert!(list.ends_with("  user_id=ada, from 2026-01-01T00:00:00Z\n"), "{list}");
    let release = || run(&Line::parse_from([&["holds", "release", "case 7/ä"], target].concat()).holds);
    release().unwrap();
    assert!(release().unwrap_err().to_string().contains("there is no hold"));
    assert_eq!(shown(target), "there are no holds\n");
}

#[test]
fn filters_are_shown_in_words() {
    for (filter, shown) in [
        (r#"{"field":"user_id","any_of":["ada","bob"]}"#, "user_id=ada|bob"),
        (r#"{"not":{"field":"user_id","prefix":"a"}}"#, "not (user_id=a*)"),
        (
            r#"{"or":[{"in":"message","contains":"x\"y"},{"from":"a","to":"b"}]}"#,
            r#"(message with "x\"y" or from a to b)"#,
        ),
        (r#"{"and":[{"field":"realm_ids","all_of":["r"]},{"to":"b"}]}"#, "realm_ids all of r, to b"),
        (r#"{"all":true}"#, r#"{"all":true}"#),
    ] {
        assert_eq!(words(&serde_json::from_str(filter).unwrap()), shown);
    }
}

#[test]
fn holds_are_placed_listed_and_released_in_a_store_and_at_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    assert!(place(&["--data", data], &["x", "--event-type", "a"]).is_err(), "there is no store");
    let engine = Engine::open(Options { log_size_bytes: 1 << 20, ..Options::new(data) }).unwrap();
    let lines = b"{\"event_type\":\"a\",\"user_id\":\"ada\"}\n{\"event_type\":\"b\",\"user_id\":\"ada\"}\n{\"event_type\":\"a\"}\n";
    engine.append(annals_json::parse_ndjson(lines, 1).batch, &AppendOptions::default()).unwrap();
    engine.close().unwrap();
    try_out(&["--data", data]);

    let config = ServerConfig { admin_key: Some(KEY.to_owned()), ..ServerConfig::new(data) };
    let state = AppState::open(&config).unwrap().state;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = runtime.spawn(serve(state, listener, async move { _ = stopped.await }));
    let locked = place(&["--data", data], &["x", "--event-type", "a"]).unwrap_err().to_string();
    assert!(locked.contains("--url"), "{locked}");
    try_out(&["--url", &url, "--key", KEY]);
    drop(stop);
    runtime.block_on(server).unwrap().unwrap();
    let internal = Engine::open(Options::new(folder.path().join(annals_server::INTERNAL_FOLDER))).unwrap();
    for (what, count) in [("hold.placed", 4), ("hold.released", 2)] {
        let query = annals_query::Query::new(&annals_engine::TenantScope::Unlimited)
            .filter(annals_engine::Filter::term(annals_engine::Field::EventType, what));
        let page = annals_query::execute(&internal.snapshot(), &query, &|| false).unwrap();
        assert_eq!(page.total, Some(count), "{what}: what was done is written down");
    }
}
