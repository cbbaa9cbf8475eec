//! The collections that are no lists of events: count, groups, scope types, months.

use annals_engine::{Engine, Options};
use annals_server::{AppState, FaceSettings, ServerConfig, router};
use serde_json::json;

use super::support::{ADMIN, Server};
use super::{at, call, get};

/// A server whose operator has named event groups.
fn with_groups(groups: &[(&str, &[&str])]) -> Server {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path());
    options.log_size_bytes = 4 << 20;
    let groups = groups
        .iter()
        .map(|(group, types)| ((*group).to_owned(), types.iter().map(|event_type| (*event_type).to_owned()).collect()));
    let faces = FaceSettings { waldur_event_groups: groups.collect(), ..FaceSettings::default() };
    let config = ServerConfig { faces, admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(directory.path()) };
    let state = AppState::with_engine(Engine::open(options).unwrap(), &config).unwrap().state;
    Server { directory, app: router(state.clone()), state }
}

#[tokio::test]
async fn groups_are_those_of_the_events_and_those_that_are_configured() {
    let server = with_groups(&[("auth", &["token_created", "user_login"]), ("user", &["user_login", "never_seen"])]);
    let mut moved = at("odd", 3);
    moved["event_group"] = json!("user");
    server.store(&[at("user_logout", 1), at("user_login", 2), moved, at("token_created", 4)]).await;
    let reply = get(&server, "/api/events/event_groups/").await.expect(200);
    let expected = json!({
        "auth": ["token_created", "user_login"],
        "token": ["token_created"],
        "user": ["never_seen", "odd", "user_login", "user_logout"],
    });
    assert_eq!(reply.json(), expected);
    assert_eq!(reply.header("x-result-count"), "3");
    for (query, count) in [
        ("feature=auth", 2),
        ("feature=user", 3),
        ("feature=auth&feature=user", 4),
        ("exclude_features=auth", 2),
        ("feature=user&exclude_features=auth", 2),
    ] {
        let reply = get(&server, &format!("/api/events/count/?{query}")).await.expect(200);
        assert_eq!(reply.json(), json!({"count": count}), "{query}");
    }
}

#[tokio::test]
async fn scope_types_are_the_kinds_of_resources() {
    let server = Server::start();
    assert_eq!(get(&server, "/api/events/scope_types/").await.expect(200).json(), json!([]));
    let mut events = vec![at("a", 1), at("b", 2), at("c", 3), at("d", 4)];
    for (event, kind) in events.iter_mut().zip(["structure.project", "openstack.instance", "structure.project"]) {
        event["resource_type"] = json!(kind);
    }
    server.store(&events).await;
    let reply = get(&server, "/api/events/scope_types/?field=uuid&page=9").await.expect(200);
    assert_eq!(reply.json(), json!(["openstack.instance", "structure.project", "system"]));
    assert_eq!(reply.header("x-result-count"), "3");
}

#[tokio::test]
async fn months_are_counted_newest_first_and_paged() {
    let server = Server::start();
    let mut events = Vec::new();
    for (time, count) in [
        ("2023-12-31T23:59:59.999999Z", 2),
        ("2024-01-01T00:00:00Z", 1),
        ("2024-02-29T12:00:00Z", 3),
        ("1970-01-01T00:00:00Z", 1),
        ("9999-12-31T00:00:00Z", 0),
    ] {
        events.extend((0..count).map(|_| json!({"event_type": "a", "created_at": time})));
    }
    server.store(&events).await;
    let month = |year: u16, month: u8, count: u8| json!({"year": year, "month": month, "count": count});
    let all = [month(2024, 2, 3), month(2024, 1, 1), month(2023, 12, 2), month(1970, 1, 1)];
    let reply = get(&server, "/api/events-stats/").await.expect(200);
    assert_eq!(reply.json(), json!(all));
    assert_eq!(reply.header("x-result-count"), "4");
    let url = "http://api.example.com:8000/api/events-stats/";
    assert_eq!(reply.header("link"), format!("<{url}>; rel=\"first\", <{url}>; rel=\"last\""));
    let reply = get(&server, "/api/events-stats/?page_size=3&page=2").await.expect(200);
    assert_eq!(reply.json(), json!(all[3..]));
    let expected = format!(
        "<{url}?page_size=3>; rel=\"first\", <{url}?page_size=3>; rel=\"prev\", <{url}?page=2&page_size=3>; rel=\"last\""
    );
    assert_eq!(reply.header("link"), expected);
    let last = get(&server, "/api/events-stats/?page_size=3&page=last").await.expect(200);
    assert_eq!(last.json(), reply.json());
}

#[tokio::test]
async fn head_tells_how_many_there_are_on_every_collection() {
    let server = Server::start();
    server.store(&[at("a.b", 1), at("a.c", 2), at("d", 3)]).await;
    for (path, count) in [
        ("/api/events/", "3"),
        ("/api/events/?page_size=1&event_type=d", "1"),
        ("/api/events/count/", "3"),
        ("/api/events/count/?feature=a", "2"),
        ("/api/events/event_groups/", "2"),
        ("/api/events/scope_types/", "1"),
        ("/api/events-stats/", "1"),
        ("/api/events/1/", ""),
    ] {
        let (got, head) = (get(&server, path).await.expect(200), call(&server, ADMIN, "HEAD", path).await.expect(200));
        assert!(head.body.is_empty());
        assert_eq!(head.header("x-result-count"), count, "{path}");
        for name in ["x-result-count", "link", "content-type"] {
            assert_eq!(head.header(name), got.header(name), "{path} {name}");
        }
        assert_eq!(head.header("content-length"), got.body.len().to_string());
    }
    for (path, status) in [("/api/events/?page=9", 404), ("/api/events/?o=x", 400), ("/api/events/9/", 404)] {
        assert!(call(&server, ADMIN, "HEAD", path).await.expect(status).body.is_empty());
    }
}
