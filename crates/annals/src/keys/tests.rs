use annals_engine::{Engine, Options};
use annals_server::{AppState, ServerConfig, serve};
use clap::Parser;

use super::*;

const KEY: &str = "the-administrators-key";

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    keys: Keys,
}

fn create(target: &[&str], words: &[&str]) -> Result<Value> {
    let words = ["keys", "create"].into_iter().chain(words.iter().copied()).chain(target.iter().copied());
    let Action::Create(create) = Line::parse_from(words).keys.action else { unreachable!() };
    Asked::of(&create.target)?.create(&body(&create))
}

fn names(target: &[&str]) -> Vec<String> {
    let words = ["keys", "list"].into_iter().chain(target.iter().copied());
    let Action::List(list) = Line::parse_from(words).keys.action else { unreachable!() };
    let found = Asked::of(&list.target).unwrap().list().unwrap();
    let shown: Vec<String> = found["keys"].as_array().unwrap().iter().map(line).collect();
    assert!(!found.to_string().contains("secret") && !found.to_string().contains("ann_"), "{found}");
    shown
}

fn revoke(target: &[&str], id: &str) -> Result<ExitCode> {
    run(&Line::parse_from(["keys", "revoke", id].into_iter().chain(target.iter().copied())).keys)
}

/// The same, whoever is asked; gives a key that stays.
fn try_out(target: &[&str]) -> String {
    assert!(create(target, &["x", "--scope", "events:fly"]).unwrap_err().to_string().contains("events:fly"));
    let kept = create(target, &["kept", "--scope", "admin"]).unwrap();
    let made =
        create(target, &["eu", "--scope", "events:read", "--realm", "eu", "--expires-at", "2090-01-01"]).unwrap();
    let id = made["id"].as_str().unwrap();
    assert!(made["key"].as_str().unwrap().starts_with(&format!("ann_{id}_")));
    let list = names(target);
    assert_eq!(list.len(), 2);
    let eu = list.iter().find(|line| line.starts_with(id)).unwrap();
    assert!(eu.starts_with(&format!("{id}  eu  scopes=events:read  realms=eu  expires=2090-01-01")), "{eu}");
    revoke(target, id).unwrap();
    assert!(revoke(target, id).is_err() && revoke(target, "no/such?key").is_err());
    assert_eq!(names(target).len(), 1);
    kept["key"].as_str().unwrap().to_owned()
}

#[test]
fn keys_are_made_listed_and_revoked_in_a_store_and_at_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    assert!(create(&["--data", data], &["x", "--scope", "admin"]).is_err(), "there is no store");
    Engine::open(Options { log_size_bytes: 1 << 20, ..Options::new(data) }).unwrap().close().unwrap();
    let made_offline = try_out(&["--data", data]);
    revoke(&["--data", data], made_offline.split('_').nth(1).unwrap()).unwrap();

    let config = ServerConfig { admin_key: Some(KEY.to_owned()), ..ServerConfig::new(data) };
    let state = AppState::open(&config).unwrap().state;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = runtime.spawn(serve(state, listener, async move { _ = stopped.await }));
    let locked = create(&["--data", data], &["x", "--scope", "admin"]).unwrap_err().to_string();
    assert!(locked.contains("--url"), "{locked}");
    let made = try_out(&["--url", &url, "--key", KEY]);
    assert_eq!(names(&["--url", &url, "--key", &made]).len(), 1, "the new key opens the door");
    drop(stop);
    runtime.block_on(server).unwrap().unwrap();
    let internal = Engine::open(Options::new(folder.path().join(annals_server::INTERNAL_FOLDER))).unwrap();
    let query = annals_query::Query::new(&annals_engine::TenantScope::Unlimited)
        .filter(annals_engine::Filter::term(annals_engine::Field::EventType, "key.created"));
    let page = annals_query::execute(&internal.snapshot(), &query, &|| false).unwrap();
    assert_eq!(page.total, Some(4), "what was done is written down");
}
