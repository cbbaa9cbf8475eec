//! Standing retention policies.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use annals_engine::{Engine, ManualClock, Options};
use annals_server::{AppState, Limits, ServerConfig, router};
use serde_json::{Value, json};
use support::{ADMIN, Reply, Server};

const DAY_US: u64 = 24 * 3600 * 1_000_000;
/// 2025-06-01T00:00:00Z
const NOW_US: i64 = 1_748_736_000_000_000;
const PATH: &str = "/annals/v1/retention";

fn state(directory: &Path, clock: &Arc<ManualClock>, limits: Limits) -> AppState {
    let mut options = Options::new(directory);
    options.log_size_bytes = 4 << 20;
    options.clock = clock.clone();
    let config = ServerConfig { limits, admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(directory) };
    AppState::with_engine(Engine::open(options).unwrap(), &config).unwrap().state
}

/// A server whose clock stands at 2025-06-01.
fn start(limits: Limits) -> (Server, Arc<ManualClock>) {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW_US));
    let state = state(directory.path(), &clock, limits);
    (Server { app: router(state.clone()), state, directory }, clock)
}

async fn put(server: &Server, body: Value) -> Reply {
    server.call(ADMIN, "PUT", PATH, Some(body)).await
}

async fn preview(server: &Server, body: Option<Value>) -> Value {
    server.call(ADMIN, "POST", "/annals/v1/retention/preview", body).await.expect(200).json()
}

fn event(event_type: &str, realm: &str, day: &str) -> Value {
    json!({"event_type": event_type, "realm_ids": [realm], "created_at": format!("2025-{day}T00:00:00Z")})
}

/// Twelve events: four of each realm, two of each pair of type and realm, one of each pair in January.
async fn twelve(server: &Server) {
    for realm in ["r", "s", "t"] {
        for event_type in ["a", "b"] {
            server.store(&[event(event_type, realm, "01-15"), event(event_type, realm, "06-01")]).await;
        }
    }
}

#[tokio::test]
async fn there_are_no_policies_until_they_are_put() {
    let (server, _) = start(Limits::default());
    let nothing = json!({"policies": [], "waiting": null, "last_pass": null, "failure": null});
    assert_eq!(server.get(PATH).await.expect(200).json(), nothing);
    let policies = json!([
        {"name": "short", "realm": "r", "event_type": "a", "keep_days": 30},
        {"name": "all", "keep_days": 36_500},
    ]);
    let shown = put(&server, json!({"policies": policies})).await.expect(200).json();
    assert_eq!(shown, server.get(PATH).await.expect(200).json());
    assert_eq!(
        shown["policies"][0],
        json!({"name": "short", "realm": "r", "event_type": "a", "keep_days": 30, "cutoff": null})
    );
    assert_eq!(shown["policies"][1], json!({"name": "all", "keep_days": 36_500, "cutoff": null}));
    assert_eq!(put(&server, json!({"policies": []})).await.expect(200).json()["policies"], json!([]));
}

#[tokio::test]
async fn slips_are_refused_and_change_nothing() {
    let (server, _) = start(Limits::default());
    put(&server, json!({"policies": [{"name": "n", "keep_days": 1}]})).await.expect(200);
    let good = |more: Value| {
        let mut policy = json!({"name": "x", "keep_days": 5});
        policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"policies": [{"name": "first", "keep_days": 1}, policy]})
    };
    for (body, place) in [
        (json!({}), "policies"),
        (json!({"confirm": false}), "policies"),
        (json!({"policies": {}}), "policies"),
        (json!({"policies": [7]}), "policies"),
        (json!({"policies": [], "force": true}), "force"),
        (json!({"policies": [], "confirm": "yes"}), "confirm"),
        (good(json!({"realms": "r"})), "policies[1].realms"),
        (good(json!({"realm": ""})), "policies[1].realm"),
        (good(json!({"realm": "r".repeat(1025)})), "policies[1].realm"),
        (good(json!({"event_type": ["a"]})), "policies[1].event_type"),
        (good(json!({"event_type": "t".repeat(201)})), "policies[1].event_type"),
        (good(json!({"name": ""})), "policies[1].name"),
        (good(json!({"name": null})), "policies[1].name"),
        (good(json!({"name": "first"})), "policies[1].name"),
        (good(json!({"keep_days": 0})), "policies[1].keep_days"),
        (good(json!({"keep_days": 1.5})), "policies[1].keep_days"),
        (good(json!({"keep_days": "7"})), "policies[1].keep_days"),
        (good(json!({"keep_days": 36_501})), "policies[1].keep_days"),
        (json!({"policies": vec![json!({"name": "n", "keep_days": 1}); 101]}), "policies"),
    ] {
        let error = put(&server, body.clone()).await.expect(400).json()["error"].clone();
        assert!(error["message"].as_str().unwrap().starts_with(&format!("{place} ")), "{body}: {error}");
    }
    assert_eq!(server.get(PATH).await.json()["policies"][0]["name"], "n");
    server.get(&format!("{PATH}?x=1")).await.expect(400);
    for (scopes, realms, status) in [
        (vec!["events:retention"], vec![], 200),
        (vec!["admin"], vec![], 200),
        (vec!["events:delete", "events:read"], vec![], 403),
        (vec!["events:retention"], vec!["r"], 403),
    ] {
        let key = server.key_for(&scopes, &realms).await;
        server.call(&key, "GET", PATH, None).await.expect(status);
        server.call(&key, "POST", "/annals/v1/retention/preview", None).await.expect(status);
    }
}

#[tokio::test]
async fn a_preview_counts_and_deletes_nothing() {
    let (server, _) = start(Limits::default());
    twelve(&server).await;
    let policies = json!([
        {"name": "r", "realm": "r", "keep_days": 30},
        {"name": "a", "event_type": "a", "keep_days": 30},
        {"name": "ra", "realm": "r", "event_type": "a", "keep_days": 30},
        {"name": "none", "realm": "r", "keep_days": 365},
    ]);
    let counted = preview(&server, Some(json!({"policies": policies}))).await;
    let each: Vec<_> = counted["policies"].as_array().unwrap().iter().map(|one| one["would_delete"].clone()).collect();
    assert_eq!(each, [2, 3, 1, 0]);
    assert_eq!(counted["policies"][0]["cutoff"], "2025-05-02T00:00:00.000000Z");
    assert_eq!((&counted["would_delete"], &counted["events"]), (&json!(4), &json!(12)), "each event is counted once");
    assert_eq!(counted["needs_confirmation"], false);
    assert_eq!(server.get(PATH).await.json()["policies"], json!([]));
    assert_eq!(server.total().await, 12);
    let all = preview(&server, Some(json!({"policies": [{"name": "all", "keep_days": 1}]}))).await;
    assert_eq!(
        (&all["would_delete"], &all["needs_confirmation"]),
        (&json!(6), &json!(false)),
        "half is not more than half"
    );
    put(&server, json!({"policies": [{"name": "r", "realm": "r", "keep_days": 200}]})).await.expect(200);
    assert_eq!(preview(&server, None).await["policies"][0]["would_delete"], 0);
}

#[tokio::test]
async fn a_policy_deletes_what_it_is_about_and_nothing_else() {
    let (server, _) = start(Limits::default());
    twelve(&server).await;
    server.store(&[json!({"event_type": "a", "realm_ids": ["r", "s"], "created_at": "2025-01-15T00:00:00Z"})]).await;
    server.store(&[json!({"event_type": "a", "created_at": "2025-01-15T00:00:00Z"})]).await;
    // The third stands exactly at the cutoff, which is exclusive.
    server.store(&[event("a", "r", "05-01"), event("a", "r", "05-02")]).await;
    let policies = json!([{"name": "ra", "realm": "r", "event_type": "a", "keep_days": 30}]);
    let shown = put(&server, json!({"policies": policies})).await.expect(200).json();
    assert_eq!(shown["policies"][0]["cutoff"], "2025-05-02T00:00:00.000000Z");
    assert_eq!(shown["last_pass"]["deleted"], 2);
    let count = async |query: &str| server.get(&format!("/annals/v1/stats?{query}")).await.json()["total"].clone();
    assert_eq!(count("").await, 14);
    assert_eq!(count("realm_id=r&event_type=a&to=2025-05-01T12:00:00Z").await, 1, "the one shared with s");
    assert_eq!(count("realm_id=r&event_type=b").await, 2);
    // Everything of the store, by whole segments where they are sealed.
    let engine = server.state.engine().clone();
    tokio::task::spawn_blocking(move || engine.seal_now()).await.unwrap().unwrap();
    let policies = json!([{"name": "all", "keep_days": 30}]);
    let shown = put(&server, json!({"policies": policies})).await.expect(200).json();
    assert_eq!((shown["last_pass"]["deleted"].clone(), count("").await), (json!(7), json!(7)));
}

#[tokio::test]
async fn more_than_half_of_the_events_go_only_when_somebody_says_so() {
    let (server, clock) = start(Limits::default());
    for _ in 0..3 {
        server.store(&[event("a", "r", "01-15")]).await;
    }
    server.store(&[event("a", "r", "06-01"), event("a", "r", "06-01")]).await;
    let policies = json!([{"name": "all", "keep_days": 30}]);
    let shown = put(&server, json!({"policies": policies})).await.expect(200).json();
    let waiting = json!({"since": "2025-06-01T00:00:00.000000Z", "would_delete": 3, "events": 5});
    assert_eq!((&shown["waiting"], &shown["last_pass"]), (&waiting, &Value::Null));
    assert_eq!(shown["policies"][0]["cutoff"], Value::Null, "nothing is let go of yet");
    assert_eq!(server.total().await, 5);
    server.store(&[event("a", "r", "01-15")]).await;
    let deeds = async || {
        let events = server.get("/annals/v1/audit").await.expect(200).json()["events"].clone();
        let shown =
            |event: &Value| (event["event_type"].as_str().unwrap().to_owned(), event["payload"]["count"].clone());
        events.as_array().unwrap().iter().map(shown).collect::<Vec<_>>()
    };
    let told = |what: &str, count: Value| (what.to_owned(), count);
    assert_eq!(deeds().await, [told("retention.set", Value::Null), told("retention.waiting", json!(3))]);
    clock.advance_us(1_000_000);
    let shown = put(&server, json!({"confirm": true})).await.expect(200).json();
    assert_eq!((&shown["waiting"], &shown["last_pass"]["deleted"]), (&Value::Null, &json!(4)));
    assert_eq!(server.total().await, 2);
    assert_eq!(deeds().await[..2], [told("retention.set", Value::Null), told("retention.applied", json!(4))]);
    // The word counts for one pass.
    server.store(&[event("b", "r", "05-20"), event("b", "r", "05-20"), event("b", "r", "05-20")]).await;
    let policies = json!([{"name": "short", "keep_days": 5}]);
    assert_eq!(put(&server, json!({"policies": policies})).await.json()["waiting"]["would_delete"], 3);
    let shown = put(&server, json!({"policies": policies, "confirm": true})).await.expect(200).json();
    assert_eq!((&shown["waiting"], &shown["last_pass"]["deleted"]), (&Value::Null, &json!(3)));
}

#[tokio::test]
async fn a_word_is_about_so_many_events_and_no_more() {
    let (server, _) = start(Limits::default());
    server.store(&[event("a", "r", "01-15"), event("a", "r", "01-16"), event("a", "r", "06-01")]).await;
    let policies = json!([{"name": "all", "keep_days": 30}]);
    put(&server, json!({"policies": policies, "confirm": -1})).await.expect(400);
    put(&server, json!({"policies": policies, "confirm": 1.5})).await.expect(400);
    let shown = put(&server, json!({"policies": policies, "confirm": 1})).await.expect(200).json();
    assert_eq!((&shown["waiting"]["would_delete"], &shown["last_pass"]), (&json!(2), &Value::Null));
    // One more has come since somebody looked.
    server.store(&[event("a", "r", "01-17")]).await;
    let shown = put(&server, json!({"confirm": 2})).await.expect(200).json();
    assert_eq!((&shown["waiting"]["would_delete"], server.total().await), (&json!(3), 4));
    let shown = put(&server, json!({"confirm": 3})).await.expect(200).json();
    let done = json!({"at": "2025-06-01T00:00:00.000000Z", "deleted": 3, "confirmed": true});
    assert_eq!((&shown["waiting"], &shown["last_pass"], server.total().await), (&Value::Null, &done, 1));
    let shown = put(&server, json!({"confirm": true})).await.expect(200).json();
    assert_eq!(shown["last_pass"]["confirmed"], false, "it was not needed");
}

#[tokio::test]
async fn a_word_does_not_outlive_its_pass() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW_US));
    let server = |state: AppState, directory| Server { app: router(state.clone()), state, directory };
    let first = server(state(directory.path(), &clock, Limits::default()), directory);
    first.store(&[event("a", "r", "01-15"), event("a", "r", "01-16"), event("a", "r", "06-01")]).await;
    // As a pass that broke off used to leave it.
    let kept = json!({"list": [{"name": "all", "keep_days": 30}], "confirmed": true}).to_string();
    first.state.engine().put_blob("retention", kept.as_bytes()).unwrap();
    let Server { directory, state: closed, app } = first;
    closed.close().unwrap();
    drop((closed, app));
    let again = server(state(directory.path(), &clock, Limits::default()), directory);
    let waits = async {
        loop {
            let shown = again.get(PATH).await.expect(200).json();
            assert_eq!(shown["last_pass"], Value::Null, "nobody has said that this pass may");
            if shown["waiting"]["would_delete"] == 2 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waits).await.expect("the first pass waits");
    assert_eq!(again.total().await, 3);
}

#[tokio::test]
async fn a_clock_that_runs_ahead_does_not_empty_the_store() {
    let (server, clock) = start(Limits::default());
    server.store(&[event("a", "r", "04-01"), event("a", "r", "05-20"), event("a", "r", "06-01")]).await;
    clock.set_us(NOW_US + 13 * 365 * i64::try_from(DAY_US).unwrap());
    let shown = put(&server, json!({"policies": [{"name": "all", "keep_days": 30}]})).await.expect(200).json();
    assert_eq!(shown["policies"][0]["cutoff"], "2025-05-03T00:00:00.000000Z", "a day behind the newest event");
    assert_eq!((shown["last_pass"]["deleted"].clone(), server.total().await), (json!(1), 2));
    // Back in time the cutoff stays, also beyond the clock.
    clock.set_us(NOW_US - 100 * i64::try_from(DAY_US).unwrap());
    let shown = put(&server, json!({"policies": [{"name": "all", "keep_days": 300}]})).await.expect(200).json();
    assert_eq!(shown["policies"][0]["cutoff"], "2025-05-03T00:00:00.000000Z");
    assert_eq!((&shown["failure"], server.total().await), (&Value::Null, 2));
}

#[tokio::test]
async fn late_events_are_refused_one_by_one() {
    let (server, _) = start(Limits::default());
    server.store(&[event("a", "r", "06-01")]).await;
    put(&server, json!({"policies": [{"name": "only r", "realm": "r", "keep_days": 30}]})).await.expect(200);
    let late = event("a", "r", "05-01").to_string();
    let lines = format!("{}\n{late}\n{}\n", event("a", "r", "05-02"), event("a", "s", "05-01"));
    let reply = server.ingest(&lines).await.expect(400).json();
    assert_eq!(
        (&reply["accepted"], &reply["rejected"], &reply["errors"][0]["line"]),
        (&json!(0), &json!(1), &json!(2))
    );
    let sentence = reply["errors"][0]["error"].as_str().unwrap();
    assert!(sentence.starts_with("event_expired: ") && sentence.contains("\"only r\""), "{sentence}");
    assert_eq!(server.total().await, 1);
    let reply = server.ingest_as(ADMIN, "?partial=true", &lines).await.expect(200).json();
    assert_eq!((&reply["accepted"], &reply["rejected"]), (&json!(2), &json!(1)));
    let array =
        server.call(ADMIN, "POST", "/annals/v1/events?partial=true", Some(json!([event("a", "r", "05-01")]))).await;
    assert_eq!(array.expect(200).json()["rejected"], 1);
    // A limited key that names no realm writes into its own.
    let key = server.key_for(&["events:create"], &["r"]).await;
    let unnamed = json!({"event_type": "a", "created_at": "2025-05-01T00:00:00Z"}).to_string();
    let reply = server.ingest_as(&key, "", &unnamed).await.expect(400).json();
    assert!(reply["errors"][0]["error"].as_str().unwrap().starts_with("event_expired"));
    assert_eq!(server.total().await, 3);
    put(&server, json!({"policies": []})).await.expect(200);
    server.ingest(&late).await.expect(200);
}

#[tokio::test]
async fn every_face_that_writes_refuses_what_has_expired() {
    let (server, _) = start(Limits::default());
    server.store(&[event("a", "r", "06-01")]).await;
    let put_one = async |policy: Value| put(&server, json!({"policies": [policy]})).await.expect(200);
    let refused = async |key: &str, path: &str, body: Value| {
        let reply = server.call(key, "POST", path, Some(body)).await.expect(400);
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(text.contains("event_expired") && text.contains("created_at lies before"), "{path}: {text}");
    };
    let (native, deltafi, notifications) = ("/annals/v1/events", "/api/v2/events", "/annals/v1/notifications");
    let orgs = "/orgs/o/containers/c/events";
    let (day, today) = ("2025-05-01T00:00:00Z", "2025-06-01T00:00:00Z");
    let bodies = |time: &str| {
        [
            (native, json!({"event_type": "a", "created_at": time})),
            (orgs, json!({"event_type": "a", "timestamp": time})),
            (deltafi, json!({"severity": "info", "summary": "s", "timestamp": time})),
        ]
    };
    put_one(json!({"name": "all", "keep_days": 30})).await;
    for (path, body) in bodies(day) {
        refused(ADMIN, path, body).await;
    }
    // A notification has the time of its arrival, whatever it says, so that no policy has let go of it.
    server.call(ADMIN, "POST", notifications, Some(json!({"title": "t", "created_at": day}))).await.expect(400);
    server.call(ADMIN, "POST", notifications, Some(json!({"title": "t"}))).await.expect(200);
    for (path, body) in bodies(today) {
        server.call(ADMIN, "POST", path, Some(body)).await.expect(200);
    }
    // By the realm that each face gives: of orgs the organisation, of the others the key's.
    let total = server.total().await;
    let key = server.key(json!({"name": "k", "scopes": ["events:create"], "realms": ["r"], "orgs": ["o"]})).await.0;
    put_one(json!({"name": "o", "realm": "o", "keep_days": 30})).await;
    refused(&key, orgs, json!({"event_type": "a", "timestamp": day})).await;
    refused(ADMIN, orgs, json!({"event_type": "a", "timestamp": day})).await;
    assert_eq!(server.total().await, total);
    put_one(json!({"name": "r", "realm": "r", "keep_days": 30})).await;
    for (path, body) in bodies(day) {
        if path == orgs {
            server.call(&key, "POST", path, Some(body)).await.expect(200);
        } else {
            refused(&key, path, body).await;
        }
    }
    assert_eq!(server.total().await, total + 1);
}

#[tokio::test]
async fn passes_run_by_themselves_and_policies_survive_a_restart() {
    let limits = Limits { retention_interval: Duration::from_millis(20), ..Limits::default() };
    let (server, clock) = start(limits.clone());
    let gone = async |server: &Server, left: u64| {
        let waited = async {
            while server.total().await != left {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), waited).await.expect("a pass deletes them");
    };
    server.store(&[event("a", "r", "05-20"), event("a", "r", "05-25"), event("a", "r", "06-01")]).await;
    put(&server, json!({"policies": [{"name": "all", "keep_days": 30}]})).await.expect(200);
    assert_eq!(server.total().await, 3);
    clock.advance_us(20 * DAY_US);
    // The newest event alone moves the time of the policies.
    server.store(&[json!({"event_type": "new"}), json!({"event_type": "new"})]).await;
    gone(&server, 4).await;
    let Server { directory, state: first, app } = server;
    first.close().unwrap();
    drop((first, app));
    clock.advance_us(6 * DAY_US);
    let state = state(directory.path(), &clock, limits);
    let server = Server { app: router(state.clone()), state, directory };
    assert_eq!(server.get(PATH).await.json()["policies"][0]["name"], "all");
    server.store(&[json!({"event_type": "new"})]).await;
    gone(&server, 4).await;
    let reply = server.ingest(&event("a", "r", "05-25").to_string()).await.expect(400).json();
    assert_eq!(reply["rejected"], 1, "the cutoff holds");
}
