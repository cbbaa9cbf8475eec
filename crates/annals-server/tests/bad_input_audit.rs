//! audit: everything that can be wrong with a request, and the answer to it, whole. The store stays as
//! it was.
#![expect(clippy::indexing_slicing, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use serde_json::{Value, json};
use support::table::{Case, case, check, escaped, filled, request, sending, sending_as};

const LIST: &str = "/v1/audit/events";
const NO_INTEGER: &str = "Input should be a valid integer, unable to parse string as an integer";
const TOO_LONG: &str = "Unable to parse input string as an integer, exceeded maximum size";
const FOREIGN: &str = "Value error, the cursor does not belong to this query: start from the first page";

fn one(kind: &str, place: &str, message: &str, input: &str) -> Value {
    json!({"type": kind, "loc": ["query", place], "msg": message, "input": input})
}

fn above(input: &str) -> Value {
    let mut error = one("less_than_equal", "limit", "Input should be less than or equal to 200", input);
    error["ctx"] = json!({"le": 200});
    error
}

fn below(input: &str) -> Value {
    let mut error = one("greater_than_equal", "limit", "Input should be greater than or equal to 1", input);
    error["ctx"] = json!({"ge": 1});
    error
}

fn wrong(query: &str, errors: &[Value]) -> Case {
    case("GET", &format!("{LIST}?{query}"), 422, json!({"detail": errors}))
}

#[tokio::test]
async fn numbers() {
    let server = filled().await;
    let mut cases = Vec::new();
    for text in [
        "",
        " ",
        "x",
        "1.5",
        "1.",
        ".0",
        "1e2",
        "0x10",
        "--1",
        "+-1",
        "1__0",
        "_1",
        "1_",
        "nan",
        "null",
        "true",
        "[]",
        "1,2",
        "1 2",
        "\u{ff11}",
        "1\0",
        "\u{1f600}",
    ] {
        for name in ["limit", "user_id"] {
            let error = one("int_parsing", name, NO_INTEGER, text);
            cases.push(wrong(&format!("{name}={}", escaped(text)), &[error]));
        }
    }
    let long = "9".repeat(4301);
    for name in ["limit", "user_id"] {
        cases.push(wrong(&format!("{name}={long}"), &[one("int_parsing_size", name, TOO_LONG, &long)]));
        cases.push(wrong(name, &[one("int_parsing", name, NO_INTEGER, "")]));
    }
    for text in ["0", "-0", "00", "0.0", "-1", "-99999999999999999999"] {
        cases.push(wrong(&format!("limit={text}"), &[below(text)]));
    }
    for text in ["201", "2_01", "201.0", "4294967296", "99999999999999999999"] {
        cases.push(wrong(&format!("limit={text}"), &[above(text)]));
    }
    // Of a repeated parameter the last counts, here the wrong one.
    cases.push(wrong("limit=5&limit=0", &[below("0")]));
    check(&server, cases).await;
}

#[tokio::test]
async fn texts_and_cursors() {
    let server = filled().await;
    let mut cases = Vec::new();
    for name in ["event_group", "event_type", "status", "vm_id", "session_id"] {
        let long = "x".repeat(1025);
        let mut error = one("string_too_long", name, "String should have at most 1024 bytes", &long);
        error["ctx"] = json!({"max_length": 1024});
        cases.push(wrong(&format!("{name}={long}"), &[error]));
    }
    for name in ["event_group", "event_type", "status", "user_id", "vm_id", "session_id", "cursor", "limit", "other"] {
        let error = json!({
            "type": "value_error", "loc": ["query", name], "msg": "Value error, must be UTF-8", "input": null,
        });
        cases.push(wrong(&format!("{name}=a%ff"), &[error]));
    }
    let error = json!({
        "type": "value_error", "loc": ["query", "query"], "input": null,
        "msg": "Value error, holds a name that is not UTF-8",
    });
    cases.push(wrong("%ff=a", &[error]));
    let page = server.get("/v1/audit/events?limit=1&event_group=vm").await.expect(200).json();
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    let mut changed = cursor.clone();
    changed.replace_range(5..6, if &cursor[5..6] == "A" { "B" } else { "A" });
    let native = server.get("/annals/v1/events?limit=1&sort=created_at").await.expect(200).json();
    let native = native["next_cursor"].as_str().unwrap();
    for text in ["", " ", "x", "null", "0", "\0", &changed, &cursor[..cursor.len() - 1], &format!("{cursor}="), native]
    {
        let query = format!("event_group=vm&cursor={}", escaped(text));
        cases.push(wrong(&query, &[one("value_error", "cursor", FOREIGN, text)]));
    }
    // The cursor of other filters.
    for query in ["", "event_group=vm&status=success&", "event_group=v&", "user_id=1&"] {
        cases.push(wrong(&format!("{query}cursor={cursor}"), &[one("value_error", "cursor", FOREIGN, &cursor)]));
    }
    check(&server, cases).await;
}

#[tokio::test]
async fn several_mistakes_come_in_the_documents_order() {
    let server = filled().await;
    let user = one("int_parsing", "user_id", NO_INTEGER, "ada");
    let long = "x".repeat(1025);
    let mut status = one("string_too_long", "status", "String should have at most 1024 bytes", &long);
    status["ctx"] = json!({"max_length": 1024});
    let cases = vec![
        wrong("limit=0&user_id=ada", &[user.clone(), below("0")]),
        wrong(&format!("limit=201&user_id=ada&status={long}"), &[status, user, above("201")]),
        wrong(
            "limit=x&cursor=x",
            &[one("value_error", "cursor", FOREIGN, "x"), one("int_parsing", "limit", NO_INTEGER, "x")],
        ),
    ];
    check(&server, cases).await;
}

#[tokio::test]
async fn paths_ids_and_methods() {
    let server = filled().await;
    let absent = || json!({"detail": "Audit event not found"});
    let unknown = || json!({"detail": "Not Found"});
    let mut cases = Vec::new();
    for id in [
        "1",
        "0",
        "x",
        "catalog",
        "507f1f77bcf86cd799439044",
        "0199d2f0-6a00-7cc1-8abc-0123456789ab",
        "0199d2f0-6a00-7cc1-8abc-0123456789a",
        "0199d2f0-6a00-7cc1-8abc-0123456789abc",
        "%00",
        "%20",
        "a%2Fb",
        "..%2F",
        "%F0%9F%98%80",
        "null",
        "18446744073709551616",
    ] {
        cases.push(case("GET", &format!("{LIST}/{id}"), 404, absent()));
    }
    cases.push(case("GET", &format!("{LIST}/{}", "f".repeat(7000)), 404, absent()));
    cases.push(case("GET", &format!("{LIST}/%ff"), 404, unknown()));
    for path in ["/v1/audit", "/v1/audit/event", "/v1/audit/events/a/b", "/v1/audit//events", "/v1/auth/tokens"] {
        cases.push(case("GET", path, 404, unknown()));
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "BREW"] {
        for path in [LIST, "/v1/audit/events/1", "/v1/audit/catalog"] {
            cases.push(case(method, path, 405, json!({"detail": "Method Not Allowed"})));
        }
    }
    check(&server, cases).await;
}

#[tokio::test]
async fn keys_targets_and_headers() {
    let server = filled().await;
    let no_key = || json!({"detail": "Not authenticated"});
    let long = json!({"detail": "the request target has more than 8192 bytes"});
    let mut cases = vec![case("GET", &format!("{LIST}?vm_id={}", "x".repeat(9000)), 414, long)];
    for key in ["", "wrong", "Bearer", "Bearer wrong", "Basic %%%", "Digest x"] {
        let mut one = case("GET", "/v1/audit/events?limit=0", 401, no_key());
        one.request.headers_mut().insert("authorization", key.parse().unwrap());
        one.what = format!("{} with {key:?}", one.what);
        cases.push(one);
    }
    let mut large =
        case("GET", LIST, 431, json!({"detail": "the request has more than 64 headers or 16384 bytes of them"}));
    large.request.headers_mut().insert("x-large", "v".repeat(10 << 20).parse().unwrap());
    cases.push(large);
    check(&server, cases).await;
}

#[tokio::test]
async fn what_is_odd_but_allowed_is_answered() {
    let server = filled().await;
    // A body or a type on a GET, unknown parameters, parameters without a name or a value.
    for target in ["?unknown=%20&=&a&&limit=+1", "?event_type=%00", "?vm_id=", "?user_id=99999999999999999999"] {
        let built = request("GET", &format!("{LIST}{target}")).header("content-type", "application/json");
        server.send(built.body("not json".into()).unwrap()).await.expect(200);
    }
    let refused = sending("POST", LIST, "{}", 405, json!({"detail": "Method Not Allowed"}));
    let packed = sending_as("POST", LIST, &[("content-encoding", "br")], "x", 405, refused.body.clone());
    check(&server, vec![refused, packed]).await;
}
