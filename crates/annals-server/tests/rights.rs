//! Who may do what: every route of the table against every kind of caller. A new face needs a line in
//! [`FACES`], a new route at most a line in [`body`]; without them these tests fail and say so.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use annals_engine::{Durability, Engine, Options};
use annals_server::{AppState, RouteInfo, ServerConfig, router, routes};
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use support::{ADMIN, Reply, Server};

const SCOPES: [&str; 9] = [
    "events:read",
    "events:create",
    "events:update",
    "events:delete",
    "events:retention",
    "notifications:read",
    "notifications:write",
    "audit:read",
    "admin",
];
/// Open to everybody: what is published to everybody, and what holds no data.
const OPEN: [&str; 8] = [
    "GET /api/v1/notifications/public",
    "POST /v1/auth/token",
    "GET /healthz",
    "GET /readyz",
    "GET /",
    "GET /openapi/{document}",
    "GET /docs",
    "GET /docs/{face}",
];
const ID: &str = "507f1f77bcf86cd799439044";
const NOTIFICATION_ID: &str = "507f1f77bcf86cd799439055";
const ORG: &str = "6f1c7f0e-2f53-4a55-9f0b-0c6d3f3a1b11";
const TIME: &str = "2025-01-15T10:30:05.123Z";
const PASSWORD: &str = "correct horse battery";

/// What a face is to these tests.
struct Face {
    name: &'static str,
    /// The `WWW-Authenticate` of its 401.
    challenge: &'static str,
    /// Whether this is its error body for that status.
    is_error: fn(u16, &Value) -> bool,
    /// How it names an event.
    event: fn(&Names) -> &str,
}

static FACES: &[Face] = &[
    Face {
        name: "native",
        challenge: "Bearer",
        is_error: |_, body| ["code", "message", "request_id"].iter().all(|name| body["error"][name].is_string()),
        event: |names| names.hex,
    },
    Face {
        name: "hoody",
        challenge: "Bearer",
        is_error: |status, body| {
            body["statusCode"] == status && body["message"].is_string() && body["error"].is_string()
        },
        event: |names| names.hex,
    },
    Face {
        name: "orgs",
        challenge: "Bearer",
        is_error: |_, body| body["message"].is_string(),
        event: |names| &names.uuid,
    },
    Face {
        name: "deltafi",
        challenge: "Basic realm=\"Restricted\"",
        is_error: |status, body| {
            let texts = ["timestamp", "error", "message", "path"];
            body["status"] == status && texts.iter().all(|name| body[name].is_string())
        },
        event: |names| &names.uuid,
    },
    Face {
        name: "waldur",
        challenge: "Token",
        is_error: |_, body| body["detail"].is_string(),
        event: |names| &names.sequence,
    },
    Face {
        name: "audit",
        challenge: "Bearer",
        is_error: |_, body| body["detail"].is_string(),
        event: |names| &names.uuid,
    },
];

/// The names of one event.
struct Names {
    hex: &'static str,
    uuid: String,
    sequence: String,
}

/// A hold that keeps nothing.
const HOLD: &str = "case";
const HELD: &str = "?event_type=nothing";

/// What the open parts of paths stand for in one store.
struct Things {
    event: Names,
    notification: Names,
    key_id: String,
}

fn face_of(route: &RouteInfo) -> &'static Face {
    let found = FACES.iter().find(|face| face.name == route.face);
    found.unwrap_or_else(|| panic!("the face {} needs a line in FACES", route.face))
}

/// The path of a route with every open part filled in.
fn path(route: &RouteInfo, things: &Things) -> String {
    let about_notifications = route.path.contains("/notifications");
    let names = if about_notifications { &things.notification } else { &things.event };
    let id = if route.path.contains("/keys/") { &*things.key_id } else { (face_of(route).event)(names) };
    let filled = route.path.replace("{id}", id).replace("{username}", "ada").replace("{org_id}", ORG);
    let filled = filled.replace("{container_id}", ORG).replace("{name}", HOLD);
    assert!(!filled.contains('{'), "{route:?} has an open part that these tests do not know");
    filled
}

/// A body that makes sense to the routes that want one.
fn body(route: &RouteInfo) -> Option<Value> {
    let tail = route.path.rsplit('/').find(|part| !part.is_empty()).unwrap();
    match (route.method, route.face, tail) {
        ("POST", "hoody", "cleanup") => Some(json!({"retention_days": 1})),
        ("DELETE", "hoody", "events") => Some(json!({"event_type": "secret"})),
        ("POST", "native", "events") => Some(json!([])),
        ("POST", "native", "backup") => Some(json!({"name": "b"})),
        ("POST", "native", "keys") => Some(json!({"name": "n", "scopes": ["events:read"]})),
        ("POST", "native", "users") => {
            Some(json!({"username": "bob", "password": PASSWORD, "scopes": ["events:read"]}))
        }
        ("POST", "native", "notifications") => Some(json!({"title": "t", "message": "m", "type": "ANNOUNCEMENT"})),
        ("PUT" | "POST", "native", "retention" | "preview") => Some(json!({"policies": []})),
        ("PATCH", "native", _) => Some(json!({"severity": "ERROR"})),
        ("POST", "orgs", _) => Some(json!({"event_type": "ACCESS"})),
        ("POST", "deltafi", _) => Some(json!({"summary": "s", "severity": "info"})),
        _ => None,
    }
}

/// The query of routes that want one.
fn query(route: &RouteInfo) -> &'static str {
    match (route.method, &*route.path) {
        ("DELETE", "/annals/v1/events") => "?event_type=secret",
        ("PUT", "/annals/v1/holds/{name}") => HELD,
        ("GET", "/annals/v1/values") => "?field=event_type",
        _ => "",
    }
}

async fn call(server: &Server, key: Option<&str>, route: &RouteInfo, things: &Things) -> Reply {
    let target = format!("{}{}", path(route, things), query(route));
    let mut request = Request::builder().method(route.method).uri(target).header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let body = body(route).map_or_else(Body::empty, |body| Body::from(body.to_string()));
    server.send(request.body(body).unwrap()).await
}

/// Every route that asks for a scope, with it; what any key may call is `/annals/v1/me` alone.
fn protected() -> impl Iterator<Item = (RouteInfo, &'static str)> {
    routes().into_iter().filter_map(|route| {
        let scope = route.scope?;
        Some((route, scope))
    })
}

#[track_caller]
fn expect_refusal(route: &RouteInfo, reply: &Reply, status: u16) {
    let body = reply.json();
    assert_eq!(reply.status.as_u16(), status, "{route:?}: {body}");
    assert!((face_of(route).is_error)(status, &body), "{route:?}: {body}");
}

async fn names(server: &Server, hex: &'static str) -> Names {
    let event = server.get(&format!("/annals/v1/events/{hex}")).await.expect(200).json();
    let uuid = event["id"].as_str().unwrap().to_owned();
    Names { hex, uuid, sequence: event["sequence"].to_string() }
}

/// A server whose store holds an event and a notification of somebody else, a key, and a user.
async fn furnished() -> (Server, Things) {
    let (server, things) = furnished_but_for_users().await;
    let user = json!({"username": "ada", "password": PASSWORD, "scopes": ["admin"]});
    server.call(ADMIN, "POST", "/annals/v1/users", Some(user)).await.expect(200);
    (server, things)
}

/// As much of it as a route needs: passwords take their time.
async fn furnished_for(route: &RouteInfo) -> (Server, Things) {
    if route.path.contains("{username}") { furnished().await } else { furnished_but_for_users().await }
}

/// A server with a folder for backups beside its store.
fn start() -> Server {
    let directory = tempfile::tempdir().unwrap();
    let (store, backups) = (directory.path().join("store"), directory.path().join("backups"));
    std::fs::create_dir(&backups).unwrap();
    let mut options = Options::new(&store);
    options.durability = Durability::Buffered;
    options.log_size_bytes = 4 << 20;
    let mut config = ServerConfig { admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(&store) };
    config.backup_directory = Some(backups);
    let state = AppState::with_engine(Engine::open(options).unwrap(), &config).unwrap().state;
    Server { directory, app: router(state.clone()), state }
}

async fn furnished_but_for_users() -> (Server, Things) {
    let server = start();
    let secret = |id: &str| {
        json!({
            "id": id, "event_type": "secret", "realm_ids": ["theirs"], "org_id": ORG, "created_at": TIME,
            "message": "secret", "resource_type": "secret", "event_group": "secret",
        })
    };
    let mut notification = secret(NOTIFICATION_ID);
    notification["notification"] = json!(true);
    notification["is_global"] = json!(true);
    server.store(&[secret(ID), notification]).await;
    server.call(ADMIN, "PUT", &format!("/annals/v1/holds/{HOLD}{HELD}"), None).await.expect(200);
    let (_, key_id) = server.key(json!({"name": "other", "scopes": ["events:read"]})).await;
    let things =
        Things { event: names(&server, ID).await, notification: names(&server, NOTIFICATION_ID).await, key_id };
    (server, things)
}

async fn token(server: &Server) -> String {
    let form = format!("username=ada&password={}", PASSWORD.replace(' ', "+"));
    let reply = server.send(Request::post("/v1/auth/token").body(Body::from(form)).unwrap()).await.expect(200);
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn open_routes_are_these() {
    let open = routes().into_iter().filter(|route| route.open);
    let mut open: Vec<String> = open.map(|route| format!("{} {}", route.method, route.path)).collect();
    let mut expected = OPEN.map(str::to_owned).to_vec();
    open.sort();
    expected.sort();
    assert_eq!(open, expected);
}

#[test]
fn any_key_may_ask_who_it_is_and_nothing_else() {
    let any = routes().into_iter().filter(|route| !route.open && route.scope.is_none());
    assert_eq!(any.map(|route| route.path).collect::<Vec<_>>(), ["/annals/v1/me"]);
}

#[tokio::test]
async fn no_key_and_wrong_keys_are_401_on_every_route() {
    let (server, things) = furnished().await;
    let (revoked, id) = server.key(json!({"name": "r", "scopes": ["admin"]})).await;
    server.call(&revoked, "GET", "/annals/v1/keys", None).await.expect(200);
    server.call(ADMIN, "DELETE", &format!("/annals/v1/keys/{id}"), None).await.expect(200);
    let orphan = token(&server).await;
    server.call(&orphan, "GET", "/annals/v1/keys", None).await.expect(200);
    server.call(ADMIN, "DELETE", "/annals/v1/users/ada", None).await.expect(200);
    let expired = server.expired_key().await;
    let garbled = format!("{ADMIN}x");
    let wrong = ["wrong", "ann_0123456789ab_x", "ant_AAAA", PASSWORD, &garbled, &revoked, &expired, &orphan];
    for route in routes().into_iter().filter(|route| !route.open) {
        for key in std::iter::once(None).chain(wrong.into_iter().map(Some)) {
            let reply = call(&server, key, &route, &things).await;
            expect_refusal(&route, &reply, 401);
            assert_eq!(reply.header("www-authenticate"), face_of(&route).challenge, "{route:?}");
        }
    }
    assert_eq!(server.extent().await, (2, 2), "nothing was written or deleted");
}

#[tokio::test]
async fn a_key_without_the_scope_is_403_on_every_route() {
    let (server, things) = furnished().await;
    for (route, scope) in protected() {
        let others: Vec<&str> = SCOPES.into_iter().filter(|other| *other != scope && *other != "admin").collect();
        let key = server.key_for(&others, &[]).await;
        expect_refusal(&route, &call(&server, Some(&key), &route, &things).await, 403);
    }
    assert_eq!(server.extent().await, (2, 2), "nothing was written or deleted");
    for name in ["keys", "users"] {
        server.get(&format!("/annals/v1/{name}")).await.expect(200);
    }
    server.call(&token(&server).await, "GET", "/annals/v1/keys", None).await.expect(200);
}

#[tokio::test]
async fn the_scope_is_enough_on_every_route() {
    let (shared, shared_things) = furnished_but_for_users().await;
    for (route, scope) in protected() {
        for granted in [scope, "admin"] {
            let own = if route.method == "GET" { None } else { Some(furnished_for(&route).await) };
            let (server, things) = own.as_ref().map_or((&shared, &shared_things), |(server, things)| (server, things));
            let key = server.key_for(&[granted], &[]).await;
            let reply = call(server, Some(&key), &route, things).await;
            assert!(reply.status.is_success(), "{route:?} with {granted}: {:?}", reply.body);
        }
    }
}

#[tokio::test]
async fn what_concerns_the_whole_store_is_refused_to_limited_keys() {
    let (server, things) = furnished().await;
    let keys = server.get("/annals/v1/keys").await.expect(200).json()["keys"].as_array().unwrap().len();
    for limit in ["realms", "orgs"] {
        let scopes = SCOPES.to_vec();
        let (key, _) = server.key(json!({"name": "l", "scopes": scopes, limit: ["a"]})).await;
        for (route, scope) in protected().filter(|(route, _)| route.whole_store) {
            expect_refusal(&route, &call(&server, Some(&key), &route, &things).await, 403);
            assert!(["admin", "audit:read", "events:retention"].contains(&scope), "{route:?}");
        }
    }
    let left = server.get("/annals/v1/keys").await.expect(200).json()["keys"].as_array().unwrap().len();
    assert_eq!(left, keys + 2, "none was made or revoked");
}

/// What is said of a request, not of the store.
fn without_the_moment(mut value: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for name in ["request_id", "timestamp", "cutoff_date"] {
                    fields.remove(name);
                }
                fields.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut value);
    value
}

/// Headers too tell how many there are of something.
fn told_by_headers(reply: &Reply) -> Vec<(String, String)> {
    let shown = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    reply.headers.iter().map(shown).filter(|(name, _)| name != "x-request-id" && name != "content-length").collect()
}

#[tokio::test]
async fn another_tenants_store_answers_as_an_empty_one() {
    let (server, things) = furnished().await;
    let empty = Server::start();
    let limited = json!({"name": "mine", "scopes": SCOPES, "realms": ["mine"], "user_id": "me"});
    let (here, there) = (server.key(limited.clone()).await.0, empty.key(limited).await.0);
    let creates = |route: &RouteInfo, scope: &str| {
        ["events:create", "notifications:write"].contains(&scope) && route.method == "POST"
    };
    let mut routes: Vec<_> = protected().filter(|(route, _)| !route.whole_store).collect();
    // What is created shows in every list after it.
    routes.sort_by_key(|(route, scope)| creates(route, scope));
    for (route, scope) in routes {
        let reply = call(&server, Some(&here), &route, &things).await;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(!text.contains("secret") && !text.contains("2025-01-15"), "{route:?} with {scope}: {text}");
        if ["{id}", "{org_id}"].iter().any(|part| route.path.contains(part)) {
            expect_refusal(&route, &reply, 404);
        } else {
            assert!(reply.status.is_success(), "{route:?}: {text}");
        }
        let streams = reply.header("content-type").starts_with("text/event-stream");
        if creates(&route, scope) || streams {
            continue;
        }
        let other = call(&empty, Some(&there), &route, &things).await;
        assert_eq!(without_the_moment(reply.json()), without_the_moment(other.json()), "{route:?}");
        assert_eq!(told_by_headers(&reply), told_by_headers(&other), "{route:?}");
    }
    for names in [&things.event, &things.notification] {
        let event = server.get(&format!("/annals/v1/events/{}", names.hex)).await.expect(200).json();
        assert!(event["acknowledged"] == false && event["event_type"] == "secret", "{event}");
    }
}

#[tokio::test]
async fn a_cursor_of_another_tenant_is_refused_by_every_list_that_has_cursors() {
    let (server, _) = furnished().await;
    let shared: Vec<Value> = (0..3).map(|_| json!({"event_type": "x", "realm_ids": ["mine", "theirs"]})).collect();
    server.store(&shared).await;
    let read = &["events:read"];
    let (mine, theirs) = (server.key_for(read, &["mine"]).await, server.key_for(read, &["theirs"]).await);
    let mut lists = 0;
    for (route, _) in protected().filter(|(route, _)| route.method == "GET" && !route.whole_store) {
        if route.path.contains('{') || route.path.ends_with("/tail") {
            continue;
        }
        let page = server.call(&mine, "GET", &format!("{}?limit=1", route.path), None).await;
        if !page.status.is_success() {
            continue;
        }
        let Some(cursor) = page.json()["next_cursor"].as_str().map(str::to_owned) else { continue };
        let next = format!("{}?limit=1&cursor={cursor}", route.path);
        server.call(&mine, "GET", &next, None).await.expect(200);
        let refused = server.call(&theirs, "GET", &next, None).await;
        assert!([400, 422].contains(&refused.status.as_u16()), "{route:?}: {:?}", refused.body);
        lists += 1;
    }
    assert!(lists >= 2, "native and audit have cursors, {lists} were found");
}

/// Whether a route does what must be written down.
fn is_administrative(route: &RouteInfo, scope: &str) -> bool {
    let changes = route.method != "GET" && !route.path.ends_with("/preview");
    changes && (route.method == "DELETE" || ["events:retention", "admin"].contains(&scope))
}

#[tokio::test]
async fn every_delete_and_every_administrative_call_is_in_the_internal_store() {
    for (route, scope) in protected().filter(|(route, scope)| is_administrative(route, scope)) {
        let (server, things) = furnished_for(&route).await;
        let trail = async || server.get("/annals/v1/audit").await.expect(200).json();
        let before = trail().await["total"].as_u64().unwrap();
        let reply = call(&server, Some(ADMIN), &route, &things).await;
        assert!(reply.status.is_success(), "{route:?}: {:?}", reply.body);
        let after = trail().await;
        assert_eq!(after["total"], before + 1, "{route:?} with {scope}");
        let event = &after["events"][0];
        assert_eq!((&event["user_id"], &event["source"]), (&json!("admin"), &json!(route.face)), "{route:?}: {event}");
        assert_eq!(event["request_id"], reply.header("x-request-id"));
    }
}
