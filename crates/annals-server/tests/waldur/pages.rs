//! Numbered pages and the headers that lead through them.

use serde_json::json;

use super::support::{ADMIN, Server};
use super::{at, call, get};

const HOST: &str = "http://api.example.com:8000";

/// The number of events of a page, its headers, and the first message.
async fn page(server: &Server, query: &str) -> (usize, String, String) {
    let reply = get(server, &format!("/api/events/?{query}")).await.expect(200);
    assert_eq!(reply.header("x-result-count"), "25", "{query}");
    let events = reply.json();
    let first = events[0]["event_type"].as_str().unwrap().to_owned();
    (events.as_array().unwrap().len(), first, reply.header("link").to_owned())
}

async fn with_25_events() -> Server {
    let server = Server::start();
    let events: Vec<_> = (0..25).map(|second| at(&format!("e{second}"), second)).collect();
    server.store(&events).await;
    server
}

#[tokio::test]
async fn links_lead_from_page_to_page() {
    let server = with_25_events().await;
    let all = format!("{HOST}/api/events/");
    for (query, count, first, link) in [
        ("", 10, "e24", format!("<{all}>; rel=\"first\", <{all}?page=2>; rel=\"next\", <{all}?page=3>; rel=\"last\"")),
        (
            "page=2",
            10,
            "e14",
            format!(
                "<{all}>; rel=\"first\", <{all}>; rel=\"prev\", <{all}?page=3>; rel=\"next\", <{all}?page=3>; rel=\"last\""
            ),
        ),
        (
            "page=3",
            5,
            "e4",
            format!("<{all}>; rel=\"first\", <{all}?page=2>; rel=\"prev\", <{all}?page=3>; rel=\"last\""),
        ),
        (
            "page=last",
            5,
            "e4",
            format!("<{all}>; rel=\"first\", <{all}?page=2>; rel=\"prev\", <{all}?page=3>; rel=\"last\""),
        ),
        (
            "page_size=25&page=1",
            25,
            "e24",
            format!("<{all}?page_size=25>; rel=\"first\", <{all}?page_size=25>; rel=\"last\""),
        ),
        (
            "page_size=24&o=created&page=last",
            1,
            "e24",
            format!(
                "<{all}?o=created&page_size=24>; rel=\"first\", <{all}?o=created&page_size=24>; rel=\"prev\", \
                 <{all}?o=created&page=2&page_size=24>; rel=\"last\""
            ),
        ),
    ] {
        assert_eq!(page(&server, query).await, (count, first.to_owned(), link), "{query}");
    }
}

#[tokio::test]
async fn other_parameters_that_are_known_are_kept_and_what_clients_split_at_is_encoded() {
    let server = with_25_events().await;
    let query = "event_type=e1&page_size=1&event_type=e2&message=&exclude_features=a,b;c%20d%C3%A9&field=uuid&z";
    let reply = get(&server, &format!("/api/events/?{query}")).await.expect(200);
    let kept = "event_type=e1&event_type=e2&exclude_features=a%2Cb%3Bc+d%C3%A9&field=uuid&message=";
    let (rest, x) = ("page_size=1", format!("{HOST}/api/events/?{kept}"));
    let expected =
        format!("<{x}&{rest}>; rel=\"first\", <{x}&page=2&{rest}>; rel=\"next\", <{x}&page=2&{rest}>; rel=\"last\"");
    assert_eq!(reply.header("link"), expected);
    assert_eq!(reply.header("link").split(',').count(), 3);
    assert_eq!(reply.header("link").split(';').count(), 4);
}

#[tokio::test]
async fn links_name_the_server_as_the_client_does() {
    let server = with_25_events().await;
    for (host, forwarded, origin) in [
        ("[::1]:9", None, "http://[::1]:9"),
        ("events.example", Some("https"), "https://events.example"),
        ("events.example", Some("gopher"), "http://events.example"),
        ("a,b>;", None, "http://localhost"),
    ] {
        let mut request = axum::http::Request::get("/api/events/?page_size=300")
            .header("host", host)
            .header("authorization", format!("Token {ADMIN}"));
        if let Some(scheme) = forwarded {
            request = request.header("x-forwarded-proto", scheme);
        }
        let reply = server.send(request.body(axum::body::Body::empty()).unwrap()).await.expect(200);
        let url = format!("<{origin}/api/events/?page_size=300>");
        assert_eq!(reply.header("link"), format!("{url}; rel=\"first\", {url}; rel=\"last\""), "{host}");
    }
}

#[tokio::test]
async fn sizes_have_a_default_and_a_cap() {
    let server = Server::start();
    let events: Vec<_> = (0..301).map(|second| at("a", second)).collect();
    server.store(&events).await;
    for (size, shown) in [
        ("1", 1),
        ("299", 299),
        ("300", 300),
        ("301", 300),
        ("99999999999999999999", 300),
        ("0", 10),
        ("-1", 10),
        ("x", 10),
        ("", 10),
        ("1.5", 10),
        ("%00", 10),
    ] {
        let reply = get(&server, &format!("/api/events/?page_size={size}")).await.expect(200);
        assert_eq!(reply.json().as_array().unwrap().len(), shown, "{size}");
        assert_eq!(reply.header("x-result-count"), "301");
    }
    assert_eq!(get(&server, "/api/events/?page_size=300&page=2").await.expect(200).json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_empty_list_has_one_page() {
    let server = Server::start();
    let url = format!("<{HOST}/api/events/>");
    for query in ["", "?page=1", "?page=last", "?page="] {
        let reply = get(&server, &format!("/api/events/{query}")).await.expect(200);
        assert_eq!((reply.json(), reply.header("x-result-count")), (json!([]), "0"));
        assert_eq!(reply.header("link"), format!("{url}; rel=\"first\", {url}; rel=\"last\""));
    }
    get(&server, "/api/events/?page=2").await.expect(404);
}

#[tokio::test]
async fn pages_that_are_none_are_404() {
    let server = with_25_events().await;
    for path in ["/api/events/", "/api/events-stats/"] {
        for page in ["0", "4", "-1", "x", "Last", "1.0", "99999999999999999999999999", "%00", "1,2"] {
            let reply = get(&server, &format!("{path}?page={page}")).await.expect(404);
            assert_eq!(reply.json(), json!({"detail": "Invalid page."}), "{path} {page}");
        }
    }
    get(&server, "/api/events/?page=4&page=3").await.expect(200);
    let reply = get(&server, "/api/events/?page=x&created_from=x").await.expect(400);
    assert_eq!(reply.json(), json!({"created_from": ["Enter a number."]}), "filters are looked at first");
}

#[tokio::test]
async fn the_clients_way_through_all_pages_meets_every_event_once() {
    let server = Server::start();
    let events: Vec<_> = (0..950).map(|second| at("a", second / 10)).collect();
    server.store(&events).await;
    for order in ["", "&o=created"] {
        let (mut number, mut seen) = ("1".to_owned(), Vec::new());
        loop {
            let path = format!("/api/events/?page_size=100{order}&page={number}");
            let reply = get(&server, &path).await.expect(200);
            let page = reply.json();
            seen.extend(page.as_array().unwrap().iter().map(|event| event["uuid"].as_str().unwrap().to_owned()));
            let links = reply.header("link").to_owned();
            let Some(next) = links.split(',').find(|link| link.contains("rel=\"next\"")) else { break };
            let url = next.split(';').next().unwrap().trim().trim_matches(['<', '>']).to_owned();
            number = url.split(['?', '&']).find_map(|pair| pair.strip_prefix("page=")).unwrap().to_owned();
        }
        assert_eq!(seen.len(), 950);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 950);
    }
}

#[tokio::test]
async fn a_page_of_large_events_is_whole() {
    let server = Server::start();
    let events: Vec<_> = (0..40)
        .map(|second| {
            let mut event = at("large", second);
            event["payload"] = json!({"text": "x".repeat(900_000)});
            event
        })
        .collect();
    for some in events.chunks(20) {
        server.store(some).await;
    }
    let reply = call(&server, ADMIN, "GET", "/api/events/?page_size=300").await.expect(200);
    let page = reply.json();
    assert_eq!(page.as_array().unwrap().len(), 40);
    assert_eq!(page[39]["context"]["text"].as_str().unwrap().len(), 900_000);
    assert_eq!(page[39]["created"], "2024-12-31T00:00:00Z");
}

#[tokio::test]
async fn links_repeat_what_the_call_knows_and_nothing_else() {
    let server = Server::start();
    let document = server.get("/openapi/waldur.json").await.expect(200).json();
    for (path, extra) in [("/api/events/", "o=x"), ("/api/events-stats/", "")] {
        let known = document["paths"][path]["get"]["parameters"].as_array().unwrap().clone();
        let names = known.iter().filter(|one| one["in"] == "query").map(|one| one["name"].as_str().unwrap());
        let mut names: Vec<&str> = names.filter(|name| *name != "page").collect();
        names.sort_unstable();
        assert!(names.contains(&"page_size") && names.contains(&"o") != extra.is_empty());
        // The last value of each is empty, which is no value.
        let pairs: Vec<String> = names.iter().map(|name| format!("{name}=")).collect();
        let before = format!("{extra}&message=earlier&page_size=5&unknown={}", "y".repeat(2000));
        let reply = server.get(&format!("{path}?{before}&{}", pairs.join("&"))).await.expect(200);
        let url = format!("<http://localhost{path}?{}>", pairs.join("&"));
        assert_eq!(reply.header("link"), format!("{url}; rel=\"first\", {url}; rel=\"last\""));
        // Each type that is asked for stays, once.
        let reply = server.get(&format!("{path}?event_type=b&event_type=a&event_type=b")).await.expect(200);
        assert!(reply.header("link").starts_with(&format!("<http://localhost{path}?event_type=b&event_type=a>;")));
    }
}
