//! The native tail over real connections.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail the test")]

mod client;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use annals_engine::{AppendOptions, Batch, Delete, Event, Filter, Repeats};
use annals_server::{Limits, serve};
use client::{Tail, ask};
use serde_json::{Value, json};
use support::{ADMIN, Server};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Running {
    server: Server,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<annals_server::Result<()>>,
}

async fn start(limits: Limits) -> Running {
    let server = Server::with(limits.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let stopped = async move {
        // A test that does not stop it keeps no sender.
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let ended = tokio::spawn(serve(server.state.clone(), listener, stopped));
    Running { server, address, stop, ended }
}

/// Lines of `count` events, numbered from `first`.
fn lines(first: usize, count: usize, message: &str) -> String {
    let line = |number| format!("{{\"event_type\":\"t{number}\",\"message\":\"{message}\"}}\n");
    (first..first + count).map(line).collect::<Vec<_>>().concat()
}

fn event_type(event: &Value) -> &str {
    event["event_type"].as_str().unwrap()
}

#[tokio::test]
async fn what_is_acknowledged_arrives_on_an_idle_tail() {
    let limits = Limits {
        tail_keep_alive: Duration::from_millis(30),
        header_time_max: Duration::from_millis(100),
        body_pause_max: Duration::from_millis(100),
        ..Limits::default()
    };
    let Running { server, address, .. } = start(limits).await;
    server.store(&[json!({"event_type": "before"})]).await;
    let mut tail = Tail::open(address, ADMIN, "").await;
    for round in 0..3 {
        server.store(&[json!({"event_type": format!("round{round}"), "payload": {"a": [1, 2]}})]).await;
        let event = tail.event().await;
        assert_eq!(event_type(&event), format!("round{round}"));
        let listed = server.get(&format!("/annals/v1/events/{}", event["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(listed.json(), event, "as the list shows it");
        // Longer than any time-out of a request: a tail may be idle.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    server.store(&[json!({"event_type": "last"})]).await;
    assert_eq!(event_type(&tail.event().await), "last");
    assert!(tail.signs_of_life > 5, "{} signs of life", tail.signs_of_life);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_misses_and_repeats_nothing_while_others_write() {
    const BATCHES: usize = 60;
    const BATCH: usize = 100;
    let Running { server, address, .. } = start(Limits::default()).await;
    let app = server.app.clone();
    let writing = tokio::spawn(async move {
        let server = Server { app, ..server };
        for batch in 0..BATCHES {
            server.ingest(&lines(batch * BATCH, BATCH, "m")).await.expect(200);
        }
        server
    });
    let mut last = 0;
    let mut seen = Vec::new();
    let mut connections = 0;
    while seen.len() < BATCHES * BATCH {
        let mut tail = match connections % 2 {
            0 => Tail::resume(address, ADMIN, "?after=3", last).await,
            _ => Tail::open(address, ADMIN, &format!("?after={last}")).await,
        };
        connections += 1;
        // Cut off at odd places; the rest of what was sent is lost on the way.
        for _ in 0..=(connections * 37 % 400) {
            if seen.len() == BATCHES * BATCH {
                break;
            }
            seen.push(tail.event().await["sequence"].as_u64().unwrap());
            last = tail.last_id.unwrap();
        }
    }
    assert!(connections > 10, "{connections}");
    assert!(seen.iter().copied().eq(1..=u64::try_from(BATCHES * BATCH).unwrap()), "every one once and in order");
    writing.await.unwrap();
}

#[tokio::test]
async fn filters_and_fields_are_those_of_the_list() {
    let Running { server, address, .. } = start(Limits::default()).await;
    let mut tail =
        Tail::open(address, ADMIN, "?event_type=a&event_type=b&not.user_id=eve&q=NEEDLE&fields=event_type,sequence")
            .await;
    let event =
        |kind: &str, user: &str, message: &str| json!({"event_type": kind, "user_id": user, "message": message});
    let events = [
        event("a", "eve", "a needle"),
        event("c", "ada", "a needle"),
        event("a", "ada", "hay"),
        event("b", "bob", "one needle"),
        event("a", "ada", "needles"),
    ];
    server.store(&events).await;
    assert_eq!(tail.event().await, json!({"event_type": "b", "sequence": 4}));
    assert_eq!(tail.event().await, json!({"event_type": "a", "sequence": 5}));
    for (query, name) in [
        ("?sort=created_at", "sort"),
        ("?after=-1", "after"),
        ("?after=x", "after"),
        ("?marks=1", "marks"),
        ("?fields=nonsense", "fields"),
        ("?evnt_type=a", "evnt_type"),
    ] {
        let message = server.get(&format!("/annals/v1/tail{query}")).await.expect(400).json();
        assert!(message["error"]["message"].as_str().unwrap().starts_with(name), "{query}: {message}");
    }
    let (head, _) = ask(address, "GET", ADMIN, "", "last-event-id: x\r\n").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    let (head, _) = ask(address, "HEAD", ADMIN, "", "").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
    assert!(!head.contains("content-length"), "nobody knows how long: {head}");
}

#[tokio::test]
async fn a_limited_key_follows_its_own_events_only() {
    let Running { server, address, .. } = start(Limits::default()).await;
    let key = server.key_for(&["events:read"], &["r1"]).await;
    let mut tail = Tail::open(address, &key, "?marks=true").await;
    let event = |realm: &str, number: u32| json!({"event_type": format!("t{number}"), "realm_ids": [realm]});
    server.store(&[event("r2", 1), event("r1", 2), json!({"event_type": "none"}), event("r1", 3)]).await;
    assert_eq!((event_type(&tail.event().await), event_type(&tail.event().await)), ("t2", "t3"));
    for sequence in [1, 3, 2] {
        server.call(ADMIN, "POST", &format!("/annals/v1/events/{sequence}/acknowledge"), None).await.expect(200);
        server.call(ADMIN, "DELETE", &format!("/annals/v1/events/{sequence}"), None).await.expect(200);
    }
    assert_eq!(tail.named("mark").await["acknowledged"], true);
    tail.named("delete").await;
    server.store(&[event("r1", 4)]).await;
    assert_eq!(event_type(&tail.event().await), "t4", "nothing of other realms is between");
    let blind = server.key_for(&["events:create"], &[]).await;
    let (head, _) = ask(address, "GET", &blind, "", "").await;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    let (head, _) = ask(address, "GET", "nobody", "", "").await;
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_holds_nobody_up_and_gets_everything() {
    const BATCH: usize = 5_000;
    let Running { server, address, .. } = start(Limits::default()).await;
    let mut tail = Tail::open(address, ADMIN, "").await;
    let message = "x".repeat(150);
    for batch in 0..20 {
        server.ingest(&lines(batch * BATCH, BATCH, &message)).await.expect(200);
    }
    assert_eq!(server.total().await, 100_000);
    for sequence in 1..=100_000_u64 {
        assert_eq!(tail.event().await["sequence"], sequence);
    }
}

#[tokio::test]
async fn a_revoked_key_ends_its_tails() {
    let limits = Limits { tail_keep_alive: Duration::from_millis(50), ..Limits::default() };
    let Running { server, address, .. } = start(limits).await;
    let (key, id) = server.key(json!({"name": "n", "scopes": ["events:read"]})).await;
    let (soon, _) =
        server.key(json!({"name": "n", "scopes": ["events:read"], "expires_at": "2199-01-01T00:00:00Z"})).await;
    let mut idle = Tail::open(address, &key, "").await;
    let mut busy = Tail::open(address, &key, "").await;
    let mut other = Tail::open(address, &soon, "").await;
    server.store(&[json!({"event_type": "seen"})]).await;
    assert_eq!(event_type(&busy.event().await), "seen");
    assert_eq!(event_type(&idle.event().await), "seen");
    server.call(ADMIN, "DELETE", &format!("/annals/v1/keys/{id}"), None).await.expect(200);
    server.store(&[json!({"event_type": "unseen"})]).await;
    for tail in [&mut idle, &mut busy] {
        assert_eq!(tail.named("end").await["code"], "invalid_key");
        assert_eq!(tail.next().await, None);
    }
    assert_eq!(event_type(&other.event().await), "seen");
    assert_eq!(event_type(&other.event().await), "unseen");
}

#[tokio::test]
async fn an_idle_tail_notices_that_its_key_is_revoked() {
    let limits = Limits { tail_keep_alive: Duration::from_millis(50), ..Limits::default() };
    let Running { server, address, .. } = start(limits).await;
    let (key, id) = server.key(json!({"name": "n", "scopes": ["events:read"]})).await;
    let mut tail = Tail::open(address, &key, "").await;
    server.call(ADMIN, "DELETE", &format!("/annals/v1/keys/{id}"), None).await.expect(200);
    assert_eq!(tail.named("end").await["code"], "invalid_key");
    assert_eq!(tail.next().await, None);
}

#[tokio::test]
async fn marks_and_deletes_follow_the_events_they_are_about() {
    let Running { server, address, .. } = start(Limits::default()).await;
    let mut tail = Tail::open(address, ADMIN, "?marks=true").await;
    let mut plain = Tail::open(address, ADMIN, "").await;
    server.store(&[json!({"event_type": "a"}), json!({"event_type": "b"})]).await;
    let (first, second) = (tail.event().await, tail.event().await);
    assert_eq!([plain.event().await, plain.event().await], [first.clone(), second.clone()]);
    let change = async |method: &str, path: String| server.call(ADMIN, method, &path, None).await.expect(200);
    change("POST", "/annals/v1/events/1/acknowledge".to_owned()).await;
    assert_eq!(tail.named("mark").await, json!({"id": first["id"], "sequence": 1, "acknowledged": true}));
    change("POST", "/annals/v1/events/1/unacknowledge".to_owned()).await;
    assert_eq!(tail.named("mark").await, json!({"id": first["id"], "sequence": 1, "acknowledged": false}));
    change("DELETE", "/annals/v1/events/2".to_owned()).await;
    assert_eq!(tail.named("delete").await, json!({"id": second["id"], "sequence": 2}));
    change("DELETE", "/annals/v1/events?event_type=a".to_owned()).await;
    assert_eq!(tail.named("delete").await, json!({"id": first["id"], "sequence": 1}));
    server.ingest(&lines(0, 1_001, "m")).await.expect(200);
    for _ in 0..1_001 {
        assert_eq!(tail.event().await, plain.event().await);
    }
    change("DELETE", "/annals/v1/events?from=1970-01-01".to_owned()).await;
    assert!(tail.named("reset").await["reason"].is_string());
    let mut back = Tail::resume(address, ADMIN, "?marks=true", tail.last_id.unwrap()).await;
    back.named("reset").await;
    server.store(&[json!({"event_type": "last"})]).await;
    for tail in [&mut tail, &mut back] {
        assert_eq!(event_type(&tail.event().await), "last");
    }
    // Without marks=true there is nothing but events: the next message is one.
    assert_eq!(event_type(&plain.event().await), "last");
}

/// A client that drops by sequence keeps what is there, whatever comes first.
#[tokio::test]
async fn an_id_that_is_there_again_is_not_dropped() {
    let Running { server, address, .. } = start(Limits::default()).await;
    let mut tail = Tail::open(address, ADMIN, "?marks=true").await;
    let event = json!({"id": "123e4567-e89b-12d3-a456-426614174000", "event_type": "a"});
    server.store(std::slice::from_ref(&event)).await;
    assert_eq!(tail.event().await["sequence"], 1);
    let engine = server.state.engine().clone();
    tokio::task::spawn_blocking(move || {
        let again = |repeats| {
            let mut event = Event::new("a");
            event.id = Some("123e4567-e89b-12d3-a456-426614174000".parse().unwrap());
            let mut batch = Batch::new();
            batch.push(&event).unwrap();
            engine.append(batch, &AppendOptions { repeats, ..AppendOptions::default() }).unwrap();
        };
        engine.delete(&Delete::Sequences(vec![1])).unwrap();
        again(Repeats::Skip);
        again(Repeats::Replace);
    })
    .await
    .unwrap();
    let mut held = BTreeSet::from([1]);
    let mut dropped = Vec::new();
    while dropped.len() < 2 || held.is_empty() {
        let message = tail.next().await.unwrap();
        assert_eq!(message.data["id"], event["id"]);
        let sequence = message.data["sequence"].as_u64().unwrap();
        match message.event.as_str() {
            "message" => _ = held.insert(sequence),
            "delete" => {
                held.remove(&sequence);
                dropped.push(sequence);
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!((held, dropped), (BTreeSet::from([3]), vec![1, 2]));
}

#[tokio::test]
async fn what_is_gone_from_the_store_is_said() {
    let Running { server, address, .. } = start(Limits::default()).await;
    server
        .store(&[
            json!({"event_type": "old", "created_at": "2020-01-01T00:00:00Z"}),
            json!({"event_type": "old", "created_at": "2020-01-01T00:00:00Z"}),
        ])
        .await;
    server.store(&[json!({"event_type": "new", "created_at": "2024-01-01T00:00:00Z"})]).await;
    let engine = server.state.engine().clone();
    tokio::task::spawn_blocking(move || {
        engine.seal_now().unwrap();
        let year_2022_us = 1_640_995_200_000_000;
        assert_eq!(engine.delete(&Delete::CreatedBefore(year_2022_us)).unwrap(), 2);
    })
    .await
    .unwrap();
    let mut tail = Tail::open(address, ADMIN, "?after=0").await;
    assert_eq!(tail.named("gap").await, json!({"from": 1, "first": 3}));
    assert_eq!(tail.last_id, Some(2), "who comes back is not told twice");
    assert_eq!(event_type(&tail.event().await), "new");
    let mut tail = Tail::resume(address, ADMIN, "", 1).await;
    assert_eq!(tail.named("gap").await, json!({"from": 2, "first": 3}));
    let mut tail = Tail::resume(address, ADMIN, "", 2).await;
    assert_eq!(event_type(&tail.event().await), "new");
    // A client of a store that had more events than this one has.
    let mut tail = Tail::resume(address, ADMIN, "", 1_000).await;
    tail.named("reset").await;
    server.store(&[json!({"event_type": "next"})]).await;
    assert_eq!(event_type(&tail.event().await), "next");
}

#[tokio::test]
async fn an_emptied_store_is_followed_on() {
    let Running { server, address, .. } = start(Limits::default()).await;
    server.ingest(&lines(0, 500, "m")).await.expect(200);
    let engine = server.state.engine().clone();
    tokio::task::spawn_blocking(move || {
        engine.seal_now().unwrap();
        engine.delete(&Delete::Matching(Filter::All)).unwrap();
        engine.compact().unwrap();
    })
    .await
    .unwrap();
    let mut tail = Tail::open(address, ADMIN, "?after=0").await;
    assert_eq!(tail.named("gap").await, json!({"from": 1, "first": 501}));
    server.store(&[json!({"event_type": "next"})]).await;
    assert_eq!(tail.event().await["sequence"], 501);
}

#[tokio::test]
async fn there_are_so_many_tails() {
    let Running { server, address, .. } = start(Limits { tails_max: 2, ..Limits::default() }).await;
    let first = Tail::open(address, ADMIN, "").await;
    let _second = Tail::open(address, ADMIN, "").await;
    let (head, _) = ask(address, "GET", ADMIN, "", "").await;
    assert!(head.starts_with("HTTP/1.1 503") && head.contains("retry-after"), "{head}");
    drop(first);
    // The place is free once the server has seen that the client is gone.
    loop {
        let (head, _tail) = ask(address, "GET", ADMIN, "", "").await;
        if head.starts_with("HTTP/1.1 200") {
            break;
        }
        server.store(&[json!({"event_type": "a"})]).await;
    }
}

#[tokio::test]
async fn stopping_ends_tails_at_once() {
    // Far longer than the test may take: waiting for it would fail.
    let limits = Limits { drain_time_max: Duration::from_mins(10), ..Limits::default() };
    let Running { server, address, stop, ended } = start(limits).await;
    let mut tails = [Tail::open(address, ADMIN, "").await, Tail::open(address, ADMIN, "?marks=true").await];
    server.store(&[json!({"event_type": "last"})]).await;
    for tail in &mut tails {
        assert_eq!(event_type(&tail.event().await), "last");
    }
    stop.send(()).unwrap();
    for tail in &mut tails {
        assert_eq!(tail.next().await, None);
    }
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it ends").unwrap().unwrap();
}

#[tokio::test]
async fn one_key_has_its_share_of_the_tails() {
    let Running { server, address, .. } = start(Limits { tails_per_key_max: 1, ..Limits::default() }).await;
    let (ada, bob) = (server.key_for(&["events:read"], &[]).await, server.key_for(&["events:read"], &[]).await);
    let first = Tail::open(address, &ada, "").await;
    let (head, _) = ask(address, "GET", &ada, "", "").await;
    assert!(head.starts_with("HTTP/1.1 503") && head.contains("retry-after"), "{head}");
    let _other = Tail::open(address, &bob, "").await;
    let _admin = Tail::open(address, ADMIN, "").await;
    drop(first);
    // The place is free once the server has seen that the client is gone.
    loop {
        let (head, _tail) = ask(address, "GET", &ada, "", "").await;
        if head.starts_with("HTTP/1.1 200") {
            break;
        }
        server.store(&[json!({"event_type": "a"})]).await;
    }
}
