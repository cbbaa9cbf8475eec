//! The page at `/ui/` as it is served: which files, how packed, with which headers. What it does is tested in a browser,
//! by `tests/ui/run.sh`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use annals_server::FaceSettings;
use axum::body::Body;
use axum::http::Request;
use support::{Reply, Server};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// What the whole page may take on the wire.
const FIRST_LOAD_MAX: usize = 150_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ui")
}

/// Every file of the folder that is sent, by its path.
fn files() -> Vec<(String, Vec<u8>)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(&folder(), &mut found);
    let is_served = |path: &PathBuf| !["md", "json"].iter().any(|end| path.extension().is_some_and(|own| own == *end));
    let named = |path: PathBuf| {
        let name = path.strip_prefix(folder()).unwrap().to_str().unwrap().replace('\\', "/");
        (name, std::fs::read(&path).unwrap())
    };
    found.into_iter().filter(is_served).map(named).collect()
}

async fn get(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(Body::empty()).unwrap()).await
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

#[tokio::test]
async fn every_file_of_the_folder_is_served_without_a_key() {
    let server = Server::start();
    let files = files();
    assert!(files.len() > 10 && files.iter().any(|(name, _)| name == "index.html"));
    for (name, bytes) in files {
        let kind = match name.rsplit('.').next().unwrap() {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            other => panic!("{name}: {other} is not served"),
        };
        let reply = get(&server, "GET", &format!("/ui/{name}"), &[]).await.expect(200);
        assert_eq!(reply.header("content-type"), kind, "{name}");
        assert!(reply.body == bytes, "{name} is another one in the binary");
        assert_eq!(reply.header("content-security-policy"), POLICY);
        for (header, value) in [
            ("cache-control", "no-cache"),
            ("content-encoding", ""),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("vary", "accept-encoding"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(reply.header(header), value, "{name}: {header}");
        }
        let packed = get(&server, "GET", &format!("/ui/{name}"), &[("accept-encoding", "gzip")]).await.expect(200);
        assert_ne!(packed.header("etag"), "");
        if packed.header("content-encoding") == "gzip" {
            assert!(packed.header("etag") != reply.header("etag") && unzipped(&packed.body) == bytes, "{name}");
        }
    }
    let index = get(&server, "GET", "/ui/", &[]).await.expect(200);
    assert_eq!(index.body, get(&server, "GET", "/ui/index.html", &[]).await.body);
}

#[tokio::test]
async fn the_whole_page_is_small() {
    let server = Server::start();
    let mut size = 0;
    for (name, _) in files() {
        size +=
            get(&server, "GET", &format!("/ui/{name}"), &[("accept-encoding", "gzip")]).await.expect(200).body.len();
    }
    assert!(size < FIRST_LOAD_MAX, "all files of the page have {size} bytes packed with gzip");
}

#[tokio::test]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let server = Server::start();
    for coding in ["", "gzip", "gzip, br, zstd"] {
        let first = get(&server, "GET", "/ui/app.js", &[("accept-encoding", coding)]).await.expect(200);
        let etag = first.header("etag").to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"'), "a strong one: {etag}");
        for held in [etag.clone(), format!("\"x\", {etag}"), format!("W/{etag}"), "*".to_owned()] {
            let headers = [("accept-encoding", coding), ("if-none-match", &*held)];
            let again = get(&server, "GET", "/ui/app.js", &headers).await.expect(304);
            assert!(again.body.is_empty() && again.header("content-type").is_empty(), "{held}");
            assert_eq!((again.header("etag"), again.header("cache-control")), (&*etag, "no-cache"));
        }
        let headers = [("accept-encoding", coding), ("if-none-match", "\"other\"")];
        get(&server, "GET", "/ui/app.js", &headers).await.expect(200);
    }
    let plain = get(&server, "GET", "/ui/app.js", &[]).await.header("etag").to_owned();
    let headers = [("accept-encoding", "gzip"), ("if-none-match", &*plain)];
    get(&server, "GET", "/ui/app.js", &headers).await.expect(200);
}

#[tokio::test]
async fn head_is_get_without_the_body_and_nothing_is_changed_here() {
    let server = Server::start();
    let got = get(&server, "GET", "/ui/", &[("accept-encoding", "zstd")]).await.expect(200);
    let head = get(&server, "HEAD", "/ui/", &[("accept-encoding", "zstd")]).await.expect(200);
    assert_eq!((head.body.len(), head.header("content-length")), (0, got.body.len().to_string().as_str()));
    for name in ["etag", "content-type", "content-encoding", "content-security-policy"] {
        assert_eq!(head.header(name), got.header(name), "{name}");
    }
    assert_eq!(zstd::decode_all(&*got.body).unwrap(), std::fs::read(folder().join("index.html")).unwrap());
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        assert_eq!(get(&server, method, "/ui/", &[]).await.expect(405).header("allow"), "GET, HEAD", "{method}");
    }
}

#[tokio::test]
async fn what_is_no_file_of_the_page_is_not_there() {
    let server = Server::start();
    for path in [
        "/ui/nothing.js",
        "/ui/README.md",
        "/ui/jsconfig.json",
        "/ui/core",
        "/ui/core/",
        "/ui//app.js",
        "/ui/../Cargo.toml",
        "/ui/..%2fCargo.toml",
        "/ui/%2e%2e/Cargo.toml",
        "/ui/app%2ejs",
        "/ui/APP.JS",
        "/uix",
    ] {
        let reply = get(&server, "GET", path, &[]).await.expect(404);
        assert_eq!(reply.json()["error"]["code"], "not_found", "{path}");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn browsers_are_led_to_the_page_and_others_to_the_documentation() {
    let server = Server::start();
    let browser = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
    for (path, headers, location) in [
        ("/", vec![browser], "/ui/"),
        ("/", vec![("accept", "*/*")], "/docs"),
        ("/", vec![], "/docs"),
        ("/ui", vec![browser], "ui/"),
        ("/ui", vec![], "ui/"),
    ] {
        let reply = get(&server, "GET", path, &headers).await.expect(307);
        assert_eq!(reply.header("location"), location, "{path} {headers:?}");
        assert_eq!(reply.header("vary"), if path == "/" { "accept" } else { "" });
    }
    let off = FaceSettings { without_page: true, ..FaceSettings::default() };
    let native_off = FaceSettings { off: vec!["native".to_owned()], ..FaceSettings::default() };
    let server = Server::with_faces(off);
    assert_eq!(get(&server, "GET", "/", &[browser]).await.expect(307).header("location"), "/docs");
    for server in [server, Server::with_faces(native_off)] {
        for path in ["/ui", "/ui/", "/ui/app.js"] {
            get(&server, "GET", path, &[browser]).await.expect(404);
        }
    }
}

/// What the policy forbids would not work, and what comes from elsewhere would not be there offline.
#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    for (name, bytes) in files() {
        let text = String::from_utf8(bytes).unwrap();
        for scheme in ["http://", "https://"] {
            for (at, _) in text.match_indices(scheme) {
                // The names of namespaces are no addresses that anybody asks.
                let rest = text.get(at + scheme.len()..).unwrap_or_default();
                assert!(
                    rest.starts_with("www.w3.org/"),
                    "{name}: {scheme}{}",
                    rest.chars().take(40).collect::<String>()
                );
            }
        }
        if Path::new(&name).extension().is_some_and(|end| end == "html") {
            for inline in ["<style", " style=", " onclick=", " onload=", "<script>", "javascript:"] {
                assert!(!text.contains(inline), "{name} has {inline}");
            }
            let scripts = text.matches("<script").count();
            assert_eq!(
                scripts,
                text.matches("<script src=").count() + text.matches("<script type=\"module\" src=").count()
            );
        }
        for call in ["eval(", "new Function", "innerHTML =", "insertAdjacentHTML", "document.write"] {
            assert!(!text.contains(call), "{name} has {call}");
        }
    }
}
