//! The native API: everything that can be wrong with a request, and the answer to it, whole. The store
//! stays as it was.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::io::Write as _;

use annals_engine::Field;
use serde_json::{Value, json};
use support::table::{Case, REQUEST_ID, case, check, escaped, filled, sending, sending_as};

const EVENTS: &str = "/annals/v1/events";
const STATS: &str = "/annals/v1/stats";
const VALUES: &str = "/annals/v1/values";
const KEYS: &str = "/annals/v1/keys";
const FOREIGN: &str = "cursor does not belong to this query: start from the first page";
const NO_TIME: &str = "must be an RFC 3339 time or a number of epoch milliseconds";

fn refused(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "request_id": REQUEST_ID}})
}

fn wrong(message: &str) -> Value {
    refused("invalid_parameter", message)
}

fn get(path: &str, query: &str, message: &str) -> Case {
    case("GET", &format!("{path}?{query}"), 400, wrong(message))
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// The end of the sentence about an unknown parameter.
fn allowed(own: &str) -> String {
    let name = |field: &Field| if *field == Field::RealmIds { "realm_id" } else { field.name() };
    let fields = Field::ALL.iter().map(name).collect::<Vec<_>>().join(", ");
    let filters = "from, to, q, acknowledged, not.acknowledged";
    format!("is not known; allowed are {own}{filters}, {fields}, and not.FIELD and prefix.FIELD")
}

#[tokio::test]
async fn numbers_choices_and_cursors_of_a_list() {
    let server = filled().await;
    let mut cases = Vec::new();
    for text in ["", "x", "1.5", "+5", "-", " 5", "1e2", "0x5", "null", "5\0", "\u{665}"] {
        for name in ["limit", "offset"] {
            cases.push(get(EVENTS, &format!("{name}={}", escaped(text)), &format!("{name} must be integer")));
        }
        cases.push(get(STATS, &format!("limit={}", escaped(text)), "limit must be integer"));
    }
    for (query, message) in [
        ("limit=0", "limit must be >= 1"),
        ("limit=10001", "limit must be <= 10000"),
        ("limit=-1", "limit must be >= 1"),
        ("limit=18446744073709551616", "limit must be <= 10000"),
        ("offset=-1", "offset must be >= 0"),
        ("offset=18446744073709551616", "offset must be <= 18446744073709551615"),
        ("total=", "total must be exact or none"),
        ("total=EXACT", "total must be exact or none"),
        ("fields=", "fields must name at least one member of an event"),
        ("fields=%20,,", "fields must name at least one member of an event"),
        ("fields=id,nope", "fields is wrong: \"nope\" is not a member of an event"),
        ("cursor=", FOREIGN),
        ("cursor=x", FOREIGN),
        ("cursor=%00", FOREIGN),
        ("cursor=x&offset=1", "cursor cannot be given together with an offset"),
    ] {
        cases.push(get(EVENTS, query, message));
    }
    for text in ["", "id", "CREATED_AT", "+created_at", "created_at,event_type", "asc"] {
        let message = "sort must be created_at, -created_at, event_type or -event_type";
        cases.push(get(EVENTS, &format!("sort={}", escaped(text)), message));
    }
    let page = server.get("/annals/v1/events?limit=1&event_type=vm.kind_1").await.expect(200).json();
    let cursor = page["next_cursor"].as_str().unwrap();
    for query in ["", "event_type=vm.kind_2&", "not.event_type=vm.kind_1&", "event_type=vm.kind_1&sort=created_at&"] {
        cases.push(get(EVENTS, &format!("{query}cursor={cursor}"), FOREIGN));
    }
    check(&server, cases).await;
}

#[tokio::test]
async fn filters_wherever_they_are_read() {
    let server = filled().await;
    let mut cases = Vec::new();
    for (method, path, own) in [
        ("GET", EVENTS, "sort, limit, offset, cursor, total, fields, "),
        ("GET", STATS, "by, limit, interval, split, "),
        ("GET", VALUES, "field, contains, limit, "),
        ("DELETE", EVENTS, "dry_run, "),
    ] {
        let mut add = |query: &str, message: &str| {
            cases.push(case(method, &format!("{path}?{query}"), 400, wrong(message)));
        };
        for name in
            ["evnt_type", "message", "content", "payload", "not.q", "near.user_id", "not.not.user_id", "realm", ""]
        {
            add(&format!("{name}=x"), &format!("{name} {}", allowed(own)));
        }
        for name in ["event_type", "not.event_type", "user_id", "not.user_id", "realm_id", "http_status", "q"] {
            add(&format!("{name}="), &format!("{name} must not be empty"));
            add(name, &format!("{name} must not be empty"));
        }
        for name in ["event_type", "not.event_type", "prefix.event_type", "q"] {
            add(&format!("{name}={}", "x".repeat(1025)), &format!("{name} must have at most 1024 bytes"));
            add(&format!("{name}=a%ff"), &format!("{name} must be UTF-8"));
        }
        add("%ff=a", "query holds a name that is not UTF-8");
        for name in ["from", "to"] {
            for text in ["", "soon", "2025-13-01", "2025-01-01T00:00Z", "1e", "1.", "99999999999999999999", " 1", "1\0"]
            {
                add(&format!("{name}={}", escaped(text)), &format!("{name} {NO_TIME}"));
            }
        }
        for name in ["acknowledged", "not.acknowledged", "notification"] {
            for text in ["1", "TRUE", "yes", "null"] {
                add(&format!("{name}={text}"), &format!("{name} must be true or false"));
            }
        }
        add("acknowledged=", "acknowledged must be true or false");
        add(&format!("x{}", "&user_id=u".repeat(101)).replace("x&", ""), "user_id must be given at most 100 times");
        let many: Vec<String> = Field::ALL.iter().take(17).map(|field| format!("not.{field}=true")).collect();
        add(&many.join("&"), "filters must be at most 16, these are 17");
    }
    check(&server, cases).await;
}

#[tokio::test]
async fn statistics() {
    let server = filled().await;
    let mut cases = Vec::new();
    for text in ["", "x", "1", "h", "0h", "-1h", "+1h", "1.5h", "1y", "1H", "1 h", "h1", "9999999999999999999w", "1w2d"]
    {
        let message = "interval must be a whole number above 0 with s, m, h, d or w, such as 1h";
        cases.push(get(STATS, &format!("interval={}", escaped(text)), message));
    }
    for name in ["", "nope", "message", "created_at"] {
        cases.push(get(STATS, &format!("by={name}"), &format!("by must be a field, {name:?} is none")));
    }
    let marks = "by cannot be acknowledged, which is no field: ask for total with acknowledged=true and =false";
    cases.push(get(STATS, "by=acknowledged", marks));
    let many: Vec<String> = Field::ALL.iter().take(17).map(|field| format!("by={field}")).collect();
    cases.push(get(STATS, &many.join("&"), "by must be given at most 16 times"));
    cases.push(get(STATS, "limit=10001", "limit must be <= 10000"));
    check(&server, cases).await;
    for interval in ["90s", "15m", "1h", "7d", "2w"] {
        server.get(&format!("{STATS}?interval={interval}")).await.expect(200);
    }
}

#[tokio::test]
async fn single_events_deletes_and_marks() {
    let server = filled().await;
    let mut cases = Vec::new();
    let absent = || refused("not_found", "there is no such event");
    let long = "f".repeat(7000);
    for id in [
        "0",
        "21",
        "18446744073709551616",
        "x",
        "%00",
        "a%2Fb",
        "507f1f77bcf86cd799439044",
        "0199d2f0-6a00-7cc1-8abc-0123456789ab",
        "0199d2f0-6a00-7cc1-8abc-0123456789a",
        &long,
    ] {
        for (method, end) in [("GET", ""), ("DELETE", ""), ("POST", "/acknowledge"), ("POST", "/unacknowledge")] {
            cases.push(case(method, &format!("{EVENTS}/{id}{end}"), 404, absent()));
        }
    }
    cases.push(case("GET", &format!("{EVENTS}/%ff"), 400, refused("invalid_path", "id must be UTF-8")));
    for (method, end) in [("GET", ""), ("DELETE", ""), ("POST", "/acknowledge"), ("POST", "/unacknowledge")] {
        let message = "realm_id is not known; this call has no parameters";
        cases.push(case(method, &format!("{EVENTS}/1{end}?realm_id=r"), 400, wrong(message)));
    }
    let all = "a delete needs at least one filter: to delete everything say from=1970-01-01";
    for query in ["", "?", "?dry_run=true"] {
        cases.push(case("DELETE", &format!("{EVENTS}{query}"), 400, wrong(all)));
    }
    let empty = "prefix.user_id must not be empty in a delete";
    cases.push(case("DELETE", &format!("{EVENTS}?event_type=vm.kind_1&prefix.user_id="), 400, wrong(empty)));
    for flag in ["", "1", "True"] {
        let target = format!("{EVENTS}?event_type=vm.kind_1&dry_run={flag}");
        cases.push(case("DELETE", &target, 400, wrong("dry_run must be true or false")));
    }
    cases.push(case(
        "DELETE",
        &format!("{EVENTS}?limit=5&user_id=1"),
        400,
        wrong(&format!("limit {}", allowed("dry_run, "))),
    ));
    check(&server, cases).await;
}

fn tally(errors: &[(u64, &str)]) -> Value {
    let shown: Vec<Value> = errors.iter().map(|(line, error)| json!({"line": line, "error": error})).collect();
    json!({"accepted": 0, "duplicates": 0, "rejected": errors.len(), "errors": shown})
}

#[tokio::test]
async fn members_of_an_event() {
    let server = filled().await;
    let mut cases = Vec::new();
    let mut add = |member: &str, message: &str| {
        let line = format!("{{\"event_type\":\"a\",{member}}}");
        cases.push(sending("POST", EVENTS, line, 400, tally(&[(1, message)])));
    };
    for name in ["event_type", "event_group", "severity", "status", "resource_type", "message", "summary", "content"] {
        add(&format!("\"{name}\":5"), &format!("{name} must be a string, not a number"));
        add(&format!("\"{name}\":1.5"), &format!("{name} must be a string, not a number"));
        add(&format!("\"{name}\":true"), &format!("{name} must be a string, not a boolean"));
    }
    for name in ["error_message", "user_agent"] {
        add(&format!("\"{name}\":5"), &format!("{name} must be a string, not a number"));
        add(&format!("\"{name}\":[]"), &format!("{name} must be a string, not an array"));
    }
    for name in ["user_id", "path", "http_status", "org_id", "task_id"] {
        add(&format!("\"{name}\":true"), &format!("{name} must be a string or a number, not a boolean"));
        add(&format!("\"{name}\":{{}}"), &format!("{name} must be a string or a number, not an object"));
    }
    for name in ["notification", "is_public", "is_global", "acknowledged"] {
        add(&format!("\"{name}\":\"true\""), &format!("{name} must be true or false, not a string"));
        add(&format!("\"{name}\":1"), &format!("{name} must be true or false, not a number"));
    }
    for name in ["realm_ids", "target_user_ids"] {
        add(&format!("\"{name}\":\"r\""), &format!("{name} must be an array of strings, not a string"));
        add(&format!("\"{name}\":[1]"), &format!("{name} must hold strings only, not a number"));
    }
    for (member, message) in [
        ("\"id\":\"x\"", "id \"x\" is neither a UUID nor 24 hex digits"),
        ("\"id\":5", "id must be a string (a UUID or 24 hex digits), not a number"),
        ("\"latency_ms\":\"5\"", "latency_ms must be a number, not a string"),
        ("\"payload\":[]", "payload must be a JSON object"),
        ("\"payload\":\"{}\"", "payload must be a JSON object"),
        (
            "\"created_at\":true",
            "created_at must be an RFC 3339 time or a number of milliseconds since 1970, not a boolean",
        ),
        ("\"ts\":\"now\"", "ts must be an RFC 3339 time or a number of milliseconds since 1970, not now"),
    ] {
        add(member, message);
    }
    check(&server, cases).await;
}

#[tokio::test]
async fn bodies_of_an_ingest() {
    let server = filled().await;
    let mut cases = Vec::new();
    let required = "event_type is required and must not be empty";
    let good = "{\"event_type\":\"a\"}";
    for (lines, errors) in [
        ("{}".to_owned(), vec![(1, required)]),
        ("{\"event_type\":\"\"}".to_owned(), vec![(1, required)]),
        ("{\"event_type\":null}".to_owned(), vec![(1, required)]),
        (format!("{good}\n\n[]\n{good}\n{{}}"), vec![(3, "an event must be a JSON object"), (5, required)]),
    ] {
        let headers = [("content-type", "application/x-ndjson")];
        cases.push(sending_as("POST", EVENTS, &headers, lines, 400, tally(&errors)));
    }
    cases.push(sending("POST", EVENTS, format!("[{good},{{}}]"), 400, tally(&[(2, required)])));
    let deep = format!("{{\"event_type\":\"a\",\"payload\":{}1{}}}", "{\"a\":".repeat(64), "}".repeat(64));
    cases.push(sending("POST", EVENTS, deep, 400, tally(&[(1, "payload is nested more than 64 levels deep")])));
    for kind in ["text/plain", "application/xml", "application/x-www-form-urlencoded", "x", "multipart/form-data"] {
        let message = "Content-Type must be application/x-ndjson, application/json-lines or application/json";
        let headers = [("content-type", kind)];
        cases.push(sending_as("POST", EVENTS, &headers, good, 415, refused("unsupported_media_type", message)));
    }
    for coding in ["br", "deflate", "gzip, zstd"] {
        let message = "Content-Encoding must be identity, gzip or zstd";
        let headers = [("content-encoding", coding)];
        cases.push(sending_as("POST", EVENTS, &headers, good, 415, refused("unsupported_media_type", message)));
    }
    let damaged = refused("invalid_body", "the body cannot be unpacked: invalid gzip header");
    cases.push(sending_as("POST", EVENTS, &[("content-encoding", "gzip")], good, 400, damaged));
    for key in ["", "\u{e9}", "a\tb", &"k".repeat(129)] {
        let message = "Idempotency-Key must be 1 to 128 printable ASCII characters";
        cases.push(sending_as("POST", EVENTS, &[("idempotency-key", key)], good, 400, wrong(message)));
    }
    for (query, message) in [
        ("durability=", "durability must be sync, interval or buffered"),
        ("durability=SYNC", "durability must be sync, interval or buffered"),
        ("partial=1", "partial must be true or false"),
        ("partial=", "partial must be true or false"),
        ("dry_run=true", "dry_run is not known; allowed are durability, partial"),
    ] {
        cases.push(sending("POST", &format!("{EVENTS}?{query}"), good, 400, wrong(message)));
    }
    let both = "Idempotency-Key cannot be given with partial=true: give the events ids";
    let target = format!("{EVENTS}?partial=true");
    cases.push(sending_as("POST", &target, &[("idempotency-key", "k")], good, 400, wrong(both)));
    let large = refused("payload_too_large", "the body has more than 67108864 bytes");
    cases.push(sending_as("POST", EVENTS, &[("content-length", "67108865")], good, 413, large));
    check(&server, cases).await;
}

#[tokio::test]
async fn keys_of_every_wrong_kind() {
    let server = filled().await;
    let mut cases = Vec::new();
    let unknown = "is not known; allowed are name, requests_per_second, events_per_second, scopes, realms, orgs, user_id, expires_at";
    let time = "expires_at must be an RFC 3339 time in quotes, such as \"2030-01-31T00:00:00Z\"";
    let long = json!("x".repeat(1025));
    for (member, value, message) in [
        ("name", json!(""), "name must be a text of 1 to 200 bytes".to_owned()),
        ("name", json!(5), "name must be a text of 1 to 200 bytes".to_owned()),
        ("name", json!("x".repeat(201)), "name must be a text of 1 to 200 bytes".to_owned()),
        ("name", json!(null), "name is required".to_owned()),
        ("scopes", json!(null), "scopes is required".to_owned()),
        ("scopes", json!("admin"), "scopes must be a list of texts, at most 9".to_owned()),
        ("scopes", json!(["root"]), "scopes holds \"root\", which is no scope".to_owned()),
        ("scopes", json!([5]), "scopes must hold texts of 1 to 200 bytes".to_owned()),
        ("realms", json!("r"), "realms must be a list of texts, at most 16".to_owned()),
        ("realms", json!(vec!["r"; 17]), "realms must be a list of texts, at most 16".to_owned()),
        ("realms", json!([""]), "realms must hold texts of 1 to 1024 bytes".to_owned()),
        ("orgs", json!([null]), "orgs must hold texts of 1 to 1024 bytes".to_owned()),
        ("user_id", long, "user_id must be a text of 1 to 1024 bytes".to_owned()),
        ("user_id", json!(7), "user_id must be a text of 1 to 1024 bytes".to_owned()),
        ("expires_at", json!("soon"), time.to_owned()),
        ("expires_at", json!(1_700_000_000_000_u64), time.to_owned()),
        ("realm", json!(["r"]), format!("realm {unknown}")),
        ("", json!(1), format!(" {unknown}")),
    ] {
        let mut body = json!({"name": "n", "scopes": ["events:read"]});
        body[member] = value;
        cases.push(sending("POST", KEYS, body.to_string(), 400, wrong(&message)));
    }
    for (body, message) in [
        ("[]", "the body must be a JSON object".to_owned()),
        ("\"x\"", "the body must be a JSON object".to_owned()),
        ("{", format!("the body is not JSON: {}", serde_json::from_str::<Value>("{").unwrap_err())),
    ] {
        cases.push(sending("POST", KEYS, body, 400, refused("invalid_body", &message)));
    }
    cases.push(sending("POST", KEYS, "", 400, wrong("name is required")));
    let deep = refused("invalid_body", "the body nests deeper than 64 levels");
    cases.push(sending("POST", KEYS, "[".repeat(65), 400, deep));
    let large = refused("payload_too_large", "the body has more than 131072 bytes");
    cases.push(sending("POST", KEYS, " ".repeat((128 << 10) + 1), 413, large));
    let packed = gzip(br#"{"name":""}"#);
    let name = wrong("name must be a text of 1 to 200 bytes");
    cases.push(sending_as("POST", KEYS, &[("content-encoding", "gzip")], packed, 400, name));
    for id in ["x", "%00", "0123456789ab"] {
        cases.push(case("DELETE", &format!("{KEYS}/{id}"), 404, refused("not_found", "there is no such key")));
    }
    check(&server, cases).await;
}

#[tokio::test]
async fn paths_methods_and_headers() {
    let server = filled().await;
    let mut cases = Vec::new();
    for path in ["/annals", "/annals/v1", "/annals/v2/events", "/annals/v1/events/1/2", "/%ff", "/v1/other"] {
        cases.push(case("GET", path, 404, refused("not_found", "there is no such path")));
    }
    for (method, path, allow) in [
        ("PUT", EVENTS, "GET, HEAD, POST, DELETE"),
        ("QUERY", STATS, "GET, HEAD"),
        ("GET", "/annals/v1/events/1/acknowledge", "POST"),
        ("DELETE", KEYS, "GET, HEAD, POST"),
    ] {
        let message = format!("{method} is not a method of this path, it has {allow}");
        cases.push(case(method, path, 405, refused("method_not_allowed", &message)));
    }
    let message = "the request has more than 64 headers or 16384 bytes of them";
    let mut large = case("GET", EVENTS, 431, refused("headers_too_large", message));
    large.request.headers_mut().insert("x-large", "v".repeat(10 << 20).parse().unwrap());
    cases.push(large);
    let unknown = "the key or token is unknown, revoked or expired";
    for (key, code, message) in
        [("", "unauthorized", "a key is needed"), ("x", "invalid_key", unknown), ("Basic %", "invalid_key", unknown)]
    {
        let mut one = sending("POST", EVENTS, "not json", 401, refused(code, message));
        one.request.headers_mut().insert("authorization", key.parse().unwrap());
        cases.push(one);
    }
    check(&server, cases).await;
}

#[tokio::test]
async fn an_event_may_come_acknowledged() {
    let server = filled().await;
    let event = |id: u8, more: Value| {
        let mut event = json!({"event_type": "bell", "id": format!("0199d2f0-6a00-7cc1-8abc-0123456789{id:02x}")});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let marked = async || {
        let page = server.get("/annals/v1/events?event_type=bell&acknowledged=true&sort=created_at").await.expect(200);
        let page = page.json();
        let ids = page["events"].as_array().unwrap().iter();
        ids.map(|event| event["id"].as_str().unwrap()[34..].to_owned()).collect::<Vec<_>>()
    };
    server
        .store(&[
            event(1, json!({"acknowledged": true})),
            event(2, json!({"acknowledged": false})),
            event(3, json!({"acknowledged": null})),
            event(4, json!({"acknowledged": true, "created_at": "2025-01-01T00:00:00Z"})),
        ])
        .await;
    assert_eq!(marked().await, ["04", "01"]);
    // A repeat changes nothing, what comes behind it counts for itself, a stream of lines does the same.
    let path = "/annals/v1/events/0199d2f0-6a00-7cc1-8abc-012345678901/unacknowledge";
    server.call(support::ADMIN, "POST", path, None).await.expect(200);
    let again = [event(1, json!({"acknowledged": true})), event(5, json!({"acknowledged": true}))];
    let lines = again.map(|event| event.to_string()).join("\n");
    for query in ["?partial=true", ""] {
        let reply = server.ingest_as(support::ADMIN, query, &lines).await.expect(200).json();
        assert!(reply["duplicates"].as_u64().unwrap() >= 1, "{reply}");
        assert_eq!(marked().await, ["04", "05"], "{query}");
    }
    // An export comes back as it was.
    let page = server.get("/annals/v1/events/0199d2f0-6a00-7cc1-8abc-012345678905").await.expect(200).json();
    assert_eq!(page["acknowledged"], true);
    let other = filled().await;
    other.store(std::slice::from_ref(&page)).await;
    let copy = other.get("/annals/v1/events/0199d2f0-6a00-7cc1-8abc-012345678905").await.expect(200).json();
    assert_eq!((&copy["acknowledged"], &copy["created_at"]), (&json!(true), &page["created_at"]));
}
