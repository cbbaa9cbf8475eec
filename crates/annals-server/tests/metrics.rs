//! `/metrics`: what is shown, that its form is right, and that it counts what happens.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::collections::{BTreeMap, BTreeSet};

use annals_server::{Limits, metrics_router};
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use support::{Reply, Server, reply};

/// One family as it is shown.
#[derive(Debug, Default)]
struct Family {
    help: String,
    kind: String,
    /// With their labels, as they stand there.
    series: BTreeMap<String, f64>,
}

async fn scrape(server: &Server, accept: &str) -> Reply {
    let request = Request::get("/metrics").header("accept", accept).body(Body::empty()).unwrap();
    reply(metrics_router(server.state.clone()), request).await.expect(200)
}

async fn text(server: &Server) -> String {
    String::from_utf8(scrape(server, "text/plain").await.body.to_vec()).unwrap()
}

/// Reads the older format as strictly as a scraper does.
fn parse(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!families.contains_key(name), "{name} is there twice");
            families.insert(name.to_owned(), Family { help: help.to_owned(), ..Family::default() });
            name.clone_into(&mut current);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, current, "a type stands behind its help");
            kind.clone_into(&mut families.get_mut(name).unwrap().kind);
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            let name = series.split('{').next().unwrap();
            let of_histogram = ["_bucket", "_sum", "_count"].iter().any(|end| name.strip_suffix(end) == Some(&current));
            let family = families.get_mut(&current).unwrap();
            assert!(name == current || (family.kind == "histogram" && of_histogram), "{line} is not one of {current}");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(family.series.insert(series.to_owned(), value).is_none(), "{series} is there twice");
        }
    }
    families
}

async fn families(server: &Server) -> BTreeMap<String, Family> {
    parse(&text(server).await)
}

fn value(families: &BTreeMap<String, Family>, series: &str) -> f64 {
    let name = series.split('{').next().unwrap();
    let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let family = families.get(name).or_else(|| families.get(base)).unwrap_or_else(|| panic!("there is no {name}"));
    family.series.get(series).copied().unwrap_or(0.0)
}

fn events(count: usize) -> Vec<Value> {
    (0..count).map(|index| json!({"event_type": "user.login", "user_id": format!("u{index}")})).collect()
}

/// The rules of Prometheus for names and units, as its own checker has them.
#[tokio::test]
async fn names_types_and_helps_follow_the_rules() {
    let server = Server::start();
    server.store(&events(2)).await;
    let families = families(&server).await;
    assert!(families.len() > 50, "{}", families.len());
    for (name, family) in &families {
        let is_ours = name.starts_with("annals_") || name.starts_with("process_");
        let good = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        assert!(is_ours && good && !name.contains("__"), "{name}");
        assert!(family.help.ends_with('.') && family.help.len() > 5, "{name}: {}", family.help);
        assert!(["counter", "gauge", "histogram"].contains(&family.kind.as_str()), "{name}: {}", family.kind);
        assert_eq!(name.ends_with("_total"), family.kind == "counter", "{name} is a {}", family.kind);
        let words: Vec<&str> = name.split('_').collect();
        for wrong in [
            "ms",
            "us",
            "milliseconds",
            "microseconds",
            "minutes",
            "kib",
            "mib",
            "kilobytes",
            "gauge",
            "counter",
            "histogram",
            "percent",
            "count",
            "sum",
            "bucket",
        ] {
            assert!(!words.contains(&wrong), "{name} has {wrong}");
        }
        // What is measured in a unit says so at the end, before `_total`.
        let stem = name.strip_suffix("_total").unwrap_or(name);
        for unit in ["seconds", "bytes"] {
            assert!(!words.contains(&unit) || stem.ends_with(unit), "{name} has {unit} in its midst");
        }
        assert!(family.kind != "histogram" || stem.ends_with("_seconds"), "{name}");
        assert!(family.series.values().all(|value| value.is_finite() && *value >= 0.0), "{name}");
    }
}

#[tokio::test]
async fn buckets_add_up() {
    let server = Server::start();
    server.store(&events(3)).await;
    server.get("/annals/v1/events").await.expect(200);
    let families = families(&server).await;
    let mut seen = 0;
    for (name, family) in families.iter().filter(|(_, family)| family.kind == "histogram") {
        let mut last: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for (series, count) in family.series.iter().filter(|(series, _)| series.contains("_bucket{")) {
            let (_, labels) = series.split_once('{').unwrap();
            let bound = labels.split("le=\"").nth(1).unwrap().split('"').next().unwrap();
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
            let class = labels.split("class=\"").nth(1).map_or("", |rest| rest.split('"').next().unwrap());
            last.entry(class.to_owned()).or_default().push((bound, *count));
        }
        for (class, mut buckets) in last {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{name}");
            let (bound, all) = *buckets.last().unwrap();
            let labels = if class.is_empty() { String::new() } else { format!("{{class=\"{class}\"}}") };
            assert!(bound.is_infinite());
            assert!((all - value(&families, &format!("{name}_count{labels}"))).abs() < 0.5, "{name}{labels}");
            seen += 1;
        }
    }
    assert!(seen > 8, "{seen}");
}

#[tokio::test]
async fn what_happens_is_counted() {
    const INGESTED: &str = "annals_http_requests_total{face=\"native\",class=\"ingest\",status=\"200\"}";
    const READ: &str = "annals_http_requests_total{face=\"native\",class=\"query\",status=\"200\"}";
    let limits = Limits { small_size_max: 1024, ingest_size_max: 4096, ..Limits::default() };
    let server = Server::with(limits);
    let before = families(&server).await;
    server.store(&events(5)).await;
    server.get("/annals/v1/events?event_type=user.login").await.expect(200);
    server.get("/no/such/path").await.expect(404);
    server.call("ann_wrong_key", "GET", "/annals/v1/events", None).await.expect(401);
    server.ingest(&"x".repeat(4097)).await.expect(413);
    server.call(support::ADMIN, "DELETE", "/annals/v1/events?user_id=u1", None).await.expect(200);
    let after = families(&server).await;
    for (series, rise) in [
        ("annals_appended_batches_total", 1.0),
        ("annals_appended_events_total", 5.0),
        ("annals_events", 4.0),
        ("annals_deleted_events_total", 1.0),
        ("annals_tombstones", 1.0),
        (INGESTED, 1.0),
        (READ, 1.0),
        ("annals_http_requests_total{face=\"native\",class=\"unknown\",status=\"404\"}", 1.0),
        ("annals_http_refused_requests_total{reason=\"not_found\"}", 1.0),
        ("annals_http_refused_requests_total{reason=\"invalid_key\"}", 1.0),
        ("annals_http_refused_requests_total{reason=\"payload_too_large\"}", 1.0),
        ("annals_http_request_duration_seconds_count{class=\"ingest\"}", 2.0),
        ("annals_query_duration_seconds_count", 1.0),
    ] {
        let rose = value(&after, series) - value(&before, series);
        assert!((rose - rise).abs() < 0.5, "{series} rose by {rose}, not {rise}");
    }
    assert!(value(&after, "annals_appended_bytes_total") > 0.0 && value(&after, "annals_disk_free_bytes") > 0.0);
    assert!((value(&after, "annals_ready") - 1.0).abs() < 0.5 && value(&after, "annals_poisoned") < 0.5);
    let version = format!("annals_build_info{{version=\"{}\",commit=\"unknown\"}}", env!("CARGO_PKG_VERSION"));
    assert!((value(&after, &version) - 1.0).abs() < 0.5);
}

/// No label holds what a client sent, however it sent it.
#[tokio::test]
async fn labels_are_words_of_the_server() {
    let server = Server::start();
    let before: BTreeSet<String> = families(&server).await.into_keys().collect();
    for index in 0..30 {
        let path = format!("/evil{index}%22%7D%0A/x?evil{index}=1");
        for method in ["GET", "EVIL"] {
            let request = Request::builder().method(method).uri(&path).header("x-request-id", format!("evil{index}"));
            server.send(request.body(Body::empty()).unwrap()).await;
        }
        let event = json!({"event_type": format!("evil{index}"), "user_id": "evil"});
        server.store(&[event]).await;
    }
    let text = text(&server).await;
    assert!(!text.to_lowercase().contains("evil"));
    assert_eq!(parse(&text).into_keys().collect::<BTreeSet<_>>(), before, "families come and go with nobody");
}

#[tokio::test]
async fn both_formats_say_the_same_and_nothing_else_is_there() {
    let server = Server::start();
    let plain = scrape(&server, "*/*").await;
    assert!(plain.header("content-type").starts_with("text/plain; version=0.0.4"));
    let open = scrape(&server, "application/openmetrics-text; version=1.0.0,text/plain;q=0.5").await;
    assert!(open.header("content-type").starts_with("application/openmetrics-text"));
    let open = String::from_utf8(open.body.to_vec()).unwrap();
    assert!(open.ends_with("# EOF\n") && open.contains("# TYPE annals_appended_events counter\n"));
    let types = |text: &str| text.lines().filter(|line| line.starts_with("# TYPE ")).count();
    assert_eq!(types(&open), types(std::str::from_utf8(&plain.body).unwrap()));
    for (method, path, status) in [("GET", "/", 404), ("GET", "/annals/v1/events", 404), ("POST", "/metrics", 405)] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        reply(metrics_router(server.state.clone()), request).await.expect(status);
    }
    server.get("/metrics").await.expect(404);
}

/// The first column of the table in the documentation, with types and meanings, is what is shown.
#[tokio::test]
async fn the_documents_and_the_dashboard_name_what_is_there() {
    let server = Server::start();
    let families = families(&server).await;
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
    let operations = std::fs::read_to_string(format!("{docs}/operations.md")).unwrap();
    let row = |(name, family): (&String, &Family)| format!("| `{name}` | {} | {} |", family.kind, family.help);
    let expected: Vec<String> = families.iter().map(row).collect();
    let is_row = |line: &&str| line.starts_with("| `annals_") || line.starts_with("| `process_");
    let documented: Vec<&str> = operations.lines().filter(is_row).collect();
    assert!(documented == expected, "docs/operations.md, section 7 has another table than:\n{}", expected.join("\n"));

    let dashboard = std::fs::read_to_string(format!("{docs}/grafana/annals-prometheus.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let mut named = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let words = expression.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
            let metric = |word: &&str| word.starts_with("annals_") || word.starts_with("process_");
            named.extend(words.filter(metric).map(str::to_owned));
        }
    }
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let is_histogram = |base: &str| families.get(base).is_some_and(|family| family.kind == "histogram");
        assert!(families.contains_key(&name) || base.is_some_and(is_histogram), "the dashboard has {name}");
    }
}

/// Every query of the dashboard of events is one that the server answers, with the members that its columns show.
#[tokio::test]
async fn the_dashboard_of_events_asks_what_is_answered() {
    let server = Server::start();
    server.store(&events(3)).await;
    server.key(json!({"name": "k", "scopes": ["events:read"]})).await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/grafana/annals-events.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut asked = 0;
    for target in dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap())
    {
        let path = target["url"].as_str().unwrap().strip_prefix("${server}").unwrap();
        let params = target["url_options"]["params"].as_array().unwrap().iter().map(|param| {
            let value = match param["value"].as_str().unwrap() {
                "${__from}" => "0",
                "${__to}" => "4102444800000",
                "${interval}" => "1h",
                other => other,
            };
            assert!(!value.contains('$'), "{value}");
            format!("{}={value}", param["key"].as_str().unwrap())
        });
        let answer = server.get(&format!("{path}?{}", params.collect::<Vec<_>>().join("&"))).await.expect(200).json();
        let root = target["root_selector"].as_str().unwrap();
        let columns = target["columns"].as_array().unwrap().iter().map(|column| column["selector"].as_str().unwrap());
        if let Some((field, _)) = root.strip_prefix("$each(by.").and_then(|rest| rest.split_once(',')) {
            assert!(answer["by"][field].is_object(), "{answer}");
        } else {
            let of = if root.is_empty() { &answer } else { &answer[root][0] };
            assert!(of.is_object(), "{path} has no {root}");
            for column in columns {
                // What an event does not have is left out of it.
                let may_be_there = root == "events" && annals_json::Selection::parse(column).is_ok();
                assert!(of.get(column).is_some() || may_be_there, "{path} has no {column} in {of}");
            }
        }
        asked += 1;
    }
    assert_eq!(asked, 7);
}
