//! What documents the API agrees with the router: the OpenAPI documents, the pages, `docs/api.md`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use annals_server::routes;
use support::Server;

const FACES: [&str; 6] = ["hoody", "orgs", "deltafi", "waldur", "audit", "native"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The cells of the matrix of `docs/api.md`, a row each.
fn matrix() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root().join("docs/api.md")).unwrap();
    let table = text.split("\n## Matrix\n").nth(1).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn the_matrix_has_every_route_and_no_other() {
    let rows: BTreeSet<String> = matrix().into_iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
    // The second mount of orgs has no rows of its own.
    let own = routes().into_iter().filter(|route| !route.path.starts_with("/api/v1/orgs/"));
    let served: BTreeSet<String> = own.map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(rows, served);
}

#[test]
fn what_the_matrix_names_as_a_test_asks_for_that_path() {
    for row in matrix() {
        let [route, face, tests, ..] = row.as_slice() else { panic!("{row:?}") };
        assert!(FACES.contains(&face.as_str()), "{route}");
        let path = route.trim_matches('`').split(' ').nth(1).unwrap();
        // What lies behind an open part is looked for on its own.
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && !part.starts_with('{')).collect();
        let mut found = 0;
        for test in tests.split(", ") {
            let test = test.trim_matches('`');
            let is_python = Path::new(test).extension().is_some_and(|extension| extension == "py");
            let folder = if is_python { "tests/clients" } else { "crates/annals-server/tests" };
            let asked = text_of(&root().join(folder).join(test));
            found += usize::from(parts.iter().all(|part| asked.contains(part)));
        }
        assert!(found > 0, "{route}: no test that the matrix names asks for it");
    }
}

/// A file, or all files of a folder.
fn text_of(path: &Path) -> String {
    if path.is_dir() {
        let files = std::fs::read_dir(path).unwrap().map(|entry| text_of(&entry.unwrap().path()));
        return files.collect::<Vec<_>>().concat();
    }
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[tokio::test]
async fn every_face_has_a_document_and_a_page_and_neither_needs_a_key() {
    let server = Server::start();
    let open = |path: String| axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap();
    let index = server.send(open("/docs".to_owned())).await.expect(200);
    let index = String::from_utf8(index.body.to_vec()).unwrap();
    for face in FACES {
        let reply = server.send(open(format!("/openapi/{face}.json"))).await.expect(200);
        assert_eq!(reply.header("content-type"), "application/json");
        let document = reply.json();
        assert_eq!(document["openapi"], "3.1.0");
        let page = server.send(open(format!("/docs/{face}"))).await.expect(200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        let page = String::from_utf8(page.body.to_vec()).unwrap();
        for route in routes().iter().filter(|route| route.face == face) {
            let operation = &document["paths"][&route.path][route.method.to_ascii_lowercase()];
            assert!(operation["operationId"].is_string(), "{route:?}");
            let path =
                route.path.strip_prefix("/api/v1/orgs").map_or(route.path.clone(), |rest| format!("/orgs{rest}"));
            assert!(page.contains(&format!("{} {path}", route.method)), "{route:?}");
        }
        assert!(index.contains(&format!("href=\"/docs/{face}\"")), "{face}");
        for text in [&page, &index] {
            assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("<script"), "{face}");
        }
    }
    server.send(open("/openapi/other.json".to_owned())).await.expect(404);
    server.send(open("/openapi/native".to_owned())).await.expect(404);
    server.send(open("/docs/other".to_owned())).await.expect(404);
}
