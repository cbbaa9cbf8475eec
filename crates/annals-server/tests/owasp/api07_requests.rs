//! API7:2023 Server side request forgery. The server makes no requests: it has nothing to make them with, no setting
//! holds an address to call, and what clients send as one is a text.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::support::{ADMIN, Server};

#[tokio::test]
async fn an_address_in_an_event_or_a_header_is_called_by_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/latest/meta-data/", listener.local_addr().unwrap());
    let server = Server::start();
    let event = json!({
        "event_type": url, "message": url, "content": url, "source": url, "resource_id": url, "user_agent": url,
        "payload": {"url": url, "$ref": url, "image": format!("<img src={url}>")},
    });
    let mut headers = Request::post("/annals/v1/events").header("authorization", ADMIN);
    for name in ["referer", "origin", "x-forwarded-host", "x-callback-url", "x-original-url", "link"] {
        headers = headers.header(name, &url);
    }
    server.send(headers.body(Body::from(event.to_string())).unwrap()).await.expect(200);
    let notification = json!({"title": url, "message": url, "type": "ANNOUNCEMENT"});
    server.call(ADMIN, "POST", "/annals/v1/notifications", Some(notification)).await.expect(200);
    let backup = server.call(ADMIN, "POST", "/annals/v1/admin/backup", Some(json!({"name": url}))).await;
    assert!([400, 503].contains(&backup.status.as_u16()));
    for path in ["/annals/v1/events", "/annals/v1/stats?by=event_type", "/api/events/", "/docs"] {
        server.get(path).await.expect(200);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "somebody called");
}

/// The text of every file of the crate's code, up to where its tests begin.
fn code(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let own = text.split("#[cfg(test)]").next().unwrap().to_owned();
            found.push((path.display().to_string(), own));
        }
    }
}

#[test]
fn there_is_nothing_to_make_requests_with() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let own = manifest.split("[dev-dependencies]").next().unwrap();
    for client in ["ureq", "reqwest", "curl", "isahc", "surf", "hickory", "lettre"] {
        assert!(!own.contains(client), "{client}");
    }
    let workspace = std::fs::read_to_string(root.join("../../Cargo.toml")).unwrap();
    for name in ["hyper = ", "hyper-util = ", "axum = ", "tower = "] {
        let line = workspace.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.contains("features = [") && !line.contains("\"client") && !line.contains("\"full"), "{line}");
    }
    let mut files = Vec::new();
    code(&root.join("src"), &mut files);
    assert!(files.len() > 50, "{}", files.len());
    for (file, text) in files {
        for way_out in ["::connect(", "UdpSocket", "lookup_host", "to_socket_addrs", "process::Command", "UnixStream"] {
            assert!(!text.contains(way_out), "{file} has {way_out}");
        }
    }
}

#[test]
fn no_setting_holds_an_address_to_call() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let settings = std::fs::read_to_string(root.join("../../docs/annals.toml")).unwrap();
    let names: Vec<&str> =
        settings.lines().filter_map(|line| line.strip_prefix('#')?.split_once(" = ")).map(|(name, _)| name).collect();
    assert!(names.len() > 60, "{names:?}");
    for name in names {
        for word in ["url", "webhook", "callback", "endpoint", "upstream", "host"] {
            assert!(!name.contains(word), "{name}");
        }
    }
}
