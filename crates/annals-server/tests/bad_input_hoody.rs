//! hoody's events: everything that can be wrong with a request, and the answer to it, whole. The store
//! stays as it was.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::io::Write as _;

use serde_json::{Value, json};
use support::table::{Case, case, check, escaped, filled, sending, sending_as};

const EVENTS: &str = "/api/v1/events";
const CLEANUP: &str = "/api/v1/events/cleanup";
const DATE: &str = "must match format \"date-time\"";
const ADDITIONAL: &str = "must NOT be an additional property";

fn refused(status: u16, error: &str, message: &str) -> Value {
    json!({"statusCode": status, "error": error, "message": message})
}

/// 400 with what is wrong where.
fn wrong(details: &[(&str, &str)]) -> Value {
    let sentences: Vec<String> = details.iter().map(|(place, message)| format!("{place} {message}")).collect();
    let mut body = refused(400, "Bad Request", &sentences.join("; "));
    let data = details.iter().map(|(place, message)| json!({"instancePath": format!("/{place}"), "message": message}));
    body["data"] = data.collect();
    body
}

fn bad(message: &str) -> Value {
    refused(400, "Bad Request", message)
}

fn get(path: &str, query: &str, details: &[(&str, &str)]) -> Case {
    case("GET", &format!("{path}?{query}"), 400, wrong(details))
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

const NO_DATES: [&str; 16] = [
    "",
    "soon",
    "2025",
    "20250101",
    "2025-13-01",
    "2025-02-30",
    "2025-01-01T25:00:00Z",
    "2025-01-01T00:00Z",
    "2025-01-01T00:00:60Z",
    "2025-01-01T00:00:00.Z",
    "2025-01-01T00:00:00+25:00",
    "2025-01-01T00:00:00Zx",
    " 2025-01-01",
    "1700000000000",
    "+12025-01-01",
    "2025-01-01\0",
];

#[tokio::test]
async fn parameters_of_the_list() {
    let server = filled().await;
    let mut cases = Vec::new();
    for text in ["", "x", "1.5", "+5", "-", " 5", "5 ", "1e2", "0x5", "null", "5\0", "\u{665}"] {
        for name in ["limit", "offset"] {
            cases.push(get(EVENTS, &format!("{name}={}", escaped(text)), &[(name, "must be integer")]));
        }
    }
    for (query, details) in [
        ("limit=0", &[("limit", "must be >= 1")]),
        ("limit=-1", &[("limit", "must be >= 1")]),
        ("limit=501", &[("limit", "must be <= 500")]),
        ("limit=99999999999999999999", &[("limit", "must be <= 500")]),
        ("limit=5&limit=501", &[("limit", "must be <= 500")]),
        ("offset=-1", &[("offset", "must be >= 0")]),
        ("offset=18446744073709551616", &[("offset", "must be <= 18446744073709551615")]),
    ] {
        cases.push(get(EVENTS, query, details));
    }
    for (name, choices) in [("sort_by", "created_at, event_type"), ("sort_order", "asc, desc")] {
        for text in ["", "id", "CREATED_AT", "ASC", "asc,desc", "-created_at", " asc"] {
            let message = format!("must be equal to one of the allowed values: {choices}");
            cases.push(get(EVENTS, &format!("{name}={}", escaped(text)), &[(name, &message)]));
        }
    }
    let all = "limit=0&offset=x&sort_by=id&start_date=soon&end_date=later";
    let choices = "must be equal to one of the allowed values: created_at, event_type";
    let details = [
        ("limit", "must be >= 1"),
        ("offset", "must be integer"),
        ("sort_by", choices),
        ("start_date", DATE),
        ("end_date", DATE),
    ];
    cases.push(get(EVENTS, all, &details));
    check(&server, cases).await;
}

#[tokio::test]
async fn dates_and_texts_of_list_and_statistics() {
    let server = filled().await;
    let mut cases = Vec::new();
    for path in [EVENTS, "/api/v1/events/stats"] {
        for text in NO_DATES {
            for name in ["start_date", "end_date"] {
                cases.push(get(path, &format!("{name}={}", escaped(text)), &[(name, DATE)]));
            }
        }
        cases.push(get(
            path,
            &format!("realm_id={}", "x".repeat(1025)),
            &[("realm_id", "must NOT have more than 1024 bytes")],
        ));
        for name in ["realm_id", "start_date", "limit", "unknown"] {
            cases.push(get(path, &format!("{name}=%ff"), &[(name, "must be UTF-8")]));
        }
        cases.push(get(path, "%ff=x", &[("query", "holds a name that is not UTF-8")]));
    }
    for name in ["event_type", "resource_type", "resource_id", "project_id", "container_id"] {
        let long = "\u{e9}".repeat(513);
        let query = format!("{name}={}", escaped(&long));
        cases.push(get(EVENTS, &query, &[(name, "must NOT have more than 1024 bytes")]));
    }
    check(&server, cases).await;
}

#[tokio::test]
async fn ids_paths_and_methods() {
    let server = filled().await;
    let mut cases = Vec::new();
    for method in ["GET", "DELETE"] {
        for id in [
            "1",
            "x",
            "507f1f77bcf86cd79943904",
            "507f1f77bcf86cd7994390444",
            "507f1f77bcf86cd79943904g",
            "%00",
            "a%2Fb",
            "0199d2f0-6a00-7cc1-8abc-0123456789ab",
            "cleanups",
        ] {
            let details = [("id", "must match pattern \"^[0-9a-f]{24}$\"")];
            cases.push(case(method, &format!("{EVENTS}/{id}"), 400, wrong(&details)));
        }
        cases.push(case(method, &format!("{EVENTS}/%ff"), 400, wrong(&[("id", "must be UTF-8")])));
        for id in ["507f1f77bcf86cd799439044", "000000000000000000000000", "ffffffffffffffffffffffff"] {
            cases.push(case(method, &format!("{EVENTS}/{id}"), 404, refused(404, "Not Found", "Event not found")));
        }
    }
    for path in ["/api/v1", "/api/v1/", "/api/v1/event", "/api/v1/events/1/2", "/api/v1//events"] {
        cases.push(case("GET", path, 404, refused(404, "Not Found", "there is no such path")));
    }
    for (method, path, allowed) in [
        ("PUT", EVENTS, "GET, HEAD, DELETE"),
        ("POST", EVENTS, "GET, HEAD, DELETE"),
        ("DELETE", "/api/v1/events/stats", "GET, HEAD"),
        ("GET", CLEANUP, "POST"),
        ("QUERY", EVENTS, "GET, HEAD, DELETE"),
    ] {
        let message = format!("{method} is not a method of this path, it has {allowed}");
        cases.push(case(method, path, 405, refused(405, "Method Not Allowed", &message)));
    }
    check(&server, cases).await;
}

#[tokio::test]
async fn the_body_of_a_clean_up() {
    let server = filled().await;
    let mut cases = Vec::new();
    let place = "retention_days";
    for (value, message) in [
        ("0", "must be >= 1"),
        ("-1", "must be >= 1"),
        ("-9223372036854775808", "must be >= 1"),
        ("366", "must be <= 365"),
        ("18446744073709551615", "must be <= 365"),
        ("1.5", "must be integer"),
        ("30.0", "must be integer"),
        ("1e2", "must be integer"),
        ("99999999999999999999", "must be integer"),
        ("\"30\"", "must be integer"),
        ("true", "must be integer"),
        ("null", "must be integer"),
        ("[30]", "must be integer"),
        ("{}", "must be integer"),
    ] {
        let body = format!("{{\"retention_days\":{value}}}");
        cases.push(sending("POST", CLEANUP, body, 400, wrong(&[(place, message)])));
    }
    cases.push(sending("POST", CLEANUP, "{}", 400, wrong(&[(place, "is required")])));
    cases.push(sending("POST", CLEANUP, "", 400, wrong(&[(place, "is required")])));
    let more = r#"{"retention_days":30,"realm_id":"r","x":1}"#;
    cases.push(sending("POST", CLEANUP, more, 400, wrong(&[("realm_id", ADDITIONAL), ("x", ADDITIONAL)])));
    check(&server, cases).await;
}

#[tokio::test]
async fn the_body_of_a_bulk_delete() {
    let server = filled().await;
    let mut cases = Vec::new();
    let names = ["event_type", "resource_type", "resource_id", "before_date", "realm_id"];
    for name in names {
        for value in ["1", "1.5", "true", "null", "[\"vm.kind_1\"]", "{\"a\":1}"] {
            let body = format!("{{\"{name}\":{value}}}");
            cases.push(sending("DELETE", EVENTS, body, 400, wrong(&[(name, "must be string")])));
        }
        let long = json!({name: "x".repeat(1025)}).to_string();
        let too_long = "must NOT have more than 1024 bytes";
        let details: &[_] = if name == "before_date" { &[(name, too_long), (name, DATE)] } else { &[(name, too_long)] };
        cases.push(sending("DELETE", EVENTS, long, 400, wrong(details)));
    }
    for text in NO_DATES {
        let body = json!({"event_type": "vm.kind_1", "before_date": text}).to_string();
        cases.push(sending("DELETE", EVENTS, body, 400, wrong(&[("before_date", DATE)])));
    }
    for name in ["evnt_type", "Event_Type", "event_type ", "", "limit", "start_date", "\0"] {
        let body = json!({"event_type": "vm.kind_1", name: "x"}).to_string();
        cases.push(sending("DELETE", EVENTS, body, 400, wrong(&[(name, ADDITIONAL)])));
    }
    let none = bad("at least one of event_type, resource_type, resource_id, before_date, realm_id is required");
    for body in ["", " \n", "{}", "{ }"] {
        cases.push(sending("DELETE", EVENTS, body, 400, none.clone()));
    }
    // A filter in the address is none.
    cases.push(sending("DELETE", "/api/v1/events?event_type=vm.kind_1", "{}", 400, none));
    check(&server, cases).await;
}

#[tokio::test]
async fn bodies_that_are_no_object() {
    let server = filled().await;
    let mut cases = Vec::new();
    for (method, path) in [("DELETE", EVENTS), ("POST", CLEANUP)] {
        for body in ["[]", "1", "\"x\"", "null", "true", "[{\"event_type\":\"vm.kind_1\"}]"] {
            cases.push(sending(method, path, body, 400, bad("the body must be a JSON object")));
        }
        let broken: [&[u8]; 9] = [
            b"{",
            b"}",
            b"x",
            b"{'a':1}",
            b"{\"event_type\":\"vm.kind_1\",}",
            b"{\"event_type\":\"vm.kind_1\"} x",
            b"{\"event_type\":\"\xff\"}",
            b"{\"event_type\":\"a\nb\"}",
            b"\0",
        ];
        for body in broken {
            let error = serde_json::from_slice::<Value>(body).unwrap_err();
            cases.push(sending(method, path, body, 400, bad(&format!("the body is not JSON: {error}"))));
        }
        let deep = format!("{{\"event_type\":{}{}}}", "[".repeat(64), "]".repeat(64));
        cases.push(sending(method, path, deep, 400, bad("the body nests deeper than 64 levels")));
        let long = || refused(413, "Payload Too Large", "the body has more than 131072 bytes");
        cases.push(sending(method, path, " ".repeat((128 << 10) + 1), 413, long()));
    }
    check(&server, cases).await;
}

#[tokio::test]
async fn packed_bodies_are_unpacked_or_refused() {
    let server = filled().await;
    let mut cases = Vec::new();
    let message = "Content-Encoding must be identity, gzip or zstd";
    let unknown = || refused(415, "Unsupported Media Type", message);
    let delete = br#"{"event_type":"vm.kind_1"}"#;
    for coding in ["br", "deflate", "gzip, gzip", "x", "gzip;q=1"] {
        let headers = [("content-encoding", coding)];
        cases.push(sending_as("DELETE", EVENTS, &headers, *delete, 415, unknown()));
    }
    let twice = [("content-encoding", "identity"), ("content-encoding", "gzip")];
    cases.push(sending_as("DELETE", EVENTS, &twice, gzip(delete), 415, unknown()));
    for (coding, packed) in [("gzip", gzip(b"[]")), ("zstd", zstd::encode_all(b"[]".as_slice(), 1).unwrap())] {
        let headers = [("content-encoding", coding)];
        cases.push(sending_as("DELETE", EVENTS, &headers, packed, 400, bad("the body must be a JSON object")));
    }
    let bomb = vec![b' '; (128 << 10) + 1];
    let large = || refused(413, "Payload Too Large", "the body unpacks to more than 131072 bytes");
    for (coding, packed) in [("gzip", gzip(&bomb)), ("zstd", zstd::encode_all(bomb.as_slice(), 1).unwrap())] {
        cases.push(sending_as("DELETE", EVENTS, &[("content-encoding", coding)], packed, 413, large()));
    }
    let damaged = bad("the body cannot be unpacked: invalid gzip header");
    cases.push(sending_as("DELETE", EVENTS, &[("content-encoding", "gzip")], *delete, 400, damaged));
    check(&server, cases).await;
    // Packed well it counts, and so does an empty body that is said to be packed.
    let headers = [("content-encoding", "gzip")];
    let packed = sending_as("DELETE", EVENTS, &headers, gzip(delete), 200, json!(null));
    let reply = server.send(packed.request).await.expect(200).json();
    assert_eq!(reply["data"], json!({"deleted_count": 7}));
    let empty = sending_as("POST", CLEANUP, &headers, "", 400, wrong(&[("retention_days", "is required")]));
    check(&server, vec![empty]).await;
}

#[tokio::test]
async fn any_type_is_read_as_json_and_empty_values_match_nothing() {
    let server = filled().await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "", "\u{7f}"] {
        let mut one = sending("DELETE", EVENTS, r#"{"event_type":""}"#, 200, json!(null));
        match axum::http::HeaderValue::from_str(kind) {
            Ok(value) => _ = one.request.headers_mut().insert("content-type", value),
            Err(_) => _ = one.request.headers_mut().remove("content-type"),
        }
        let reply = server.send(one.request).await.expect(200).json();
        assert_eq!(reply["data"], json!({"deleted_count": 0}), "{kind}");
    }
    for name in ["event_type", "resource_type", "resource_id", "project_id", "container_id", "realm_id"] {
        let reply = server.get(&format!("{EVENTS}?{name}=")).await.expect(200).json();
        assert_eq!(reply["data"]["pagination"]["total"], 0, "{name}");
    }
    assert_eq!(server.total().await, 20);
}

#[tokio::test]
async fn keys_targets_and_headers() {
    let server = filled().await;
    let mut cases = Vec::new();
    let unauthorized = |message: &str| refused(401, "Unauthorized", message);
    let unknown = "the key or token is unknown, revoked or expired";
    for (key, message) in [
        ("", "a key is needed"),
        ("wrong", unknown),
        ("Bearer wrong", unknown),
        ("Basic %%%", unknown),
        ("Digest x", unknown),
    ] {
        let mut one = sending("DELETE", EVENTS, "not json", 401, unauthorized(message));
        one.request.headers_mut().insert("authorization", key.parse().unwrap());
        one.what = format!("{} with {key:?}", one.what);
        cases.push(one);
    }
    let mut large = case("GET", EVENTS, 431, Value::Null);
    let message = "the request has more than 64 headers or 16384 bytes of them";
    large.body = refused(431, "Request Header Fields Too Large", message);
    large.request.headers_mut().insert("x-large", "v".repeat(10 << 20).parse().unwrap());
    cases.push(large);
    let message = "the request target has more than 8192 bytes";
    cases.push(case("GET", &format!("{EVENTS}?x={}", "x".repeat(9000)), 414, refused(414, "URI Too Long", message)));
    check(&server, cases).await;
}
