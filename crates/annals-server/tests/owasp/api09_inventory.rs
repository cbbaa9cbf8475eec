//! API9:2023 Improper inventory management. Documents, pages and the matrix against the routes: `documents.rs`; what is
//! open: `rights.rs`; metrics on a listener of their own: `serve.rs`, `metrics.rs`.

use std::collections::BTreeSet;

use annals_server::{FaceSettings, routes};

use crate::support::Server;

#[tokio::test]
async fn the_documents_name_every_route_and_no_other() {
    let server = Server::start();
    let mut documented = BTreeSet::new();
    for face in ["native", "hoody", "orgs", "deltafi", "waldur", "audit"] {
        let document = server.get(&format!("/openapi/{face}.json")).await.expect(200).json();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for method in
                methods.as_object().unwrap().keys().filter(|name| !["parameters", "head"].contains(&name.as_str()))
            {
                documented.insert(format!("{face} {} {path}", method.to_uppercase()));
            }
        }
    }
    // A HEAD is answered wherever a GET is.
    let routed: BTreeSet<String> =
        routes().into_iter().map(|route| format!("{} {} {}", route.face, route.method, route.path)).collect();
    assert_eq!(documented, routed);
}

#[tokio::test]
async fn what_is_not_in_the_inventory_is_not_there() {
    let server = Server::start();
    for path in [
        "/metrics",
        "/debug",
        "/debug/pprof/",
        "/admin",
        "/actuator",
        "/swagger",
        "/graphql",
        "/.git/config",
        "/.env",
        "/annals/v0/events",
        "/annals/v2/events",
        "/annals/v1/metrics",
        "/annals/v1/config",
        "/annals/v1/internal",
        "/api/v3/events",
        "/v2/audit/events",
        "/server-status",
        "/robots.txt",
    ] {
        server.get(path).await.expect(404);
    }
}

#[tokio::test]
async fn an_api_that_is_switched_off_answers_nowhere() {
    let server = Server::with_faces(FaceSettings {
        off: vec!["deltafi".to_owned(), "orgs".to_owned()],
        ..FaceSettings::default()
    });
    for route in routes().into_iter().filter(|route| ["deltafi", "orgs"].contains(&route.face)) {
        let path = route.path.replace(['{', '}'], "");
        server.call(crate::support::ADMIN, route.method, &path, None).await.expect(404);
    }
    for face in ["deltafi", "orgs"] {
        server.get(&format!("/openapi/{face}.json")).await.expect(404);
    }
    server.get("/annals/v1/events").await.expect(200);
}
