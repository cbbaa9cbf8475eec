//! Every command that asks a server, over TLS with an authority of one's own.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{KEY, Server, certificate, expect, expect_given, text};

/// A server that speaks TLS, and a command that asks it and believes its authority.
struct Encrypted(Server);

impl Encrypted {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.0.command(words);
        command.env("ANNALS_CA_FILE", certificate("authority.pem"));
        command
    }

    #[track_caller]
    fn said(&self, words: &[&str]) -> String {
        text(&expect(&mut self.command(words), 0).stdout).to_owned()
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.said(words)).unwrap()
    }
}

fn start(data: &std::path::Path) -> Encrypted {
    let (cert, key) = (certificate("first.pem"), certificate("first.key.pem"));
    let server = Server::start(data, &["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]);
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    Encrypted(server)
}

#[test]
fn every_command_that_asks_a_server_does_so_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let lines = "{\"event_type\":\"user.login\",\"user_id\":\"ada\"}\n".repeat(20);
    expect_given(&mut server.command(&["import", "-"]), lines.as_bytes(), 0);
    assert!(server.said(&["query", "--event-type", "user.login", "--limit", "1"]).contains("ada"));
    assert_eq!(server.json(&["stats", "--output", "json"])["total"], 20);
    assert_eq!(server.said(&["export"]).lines().count(), 20);

    let made =
        server.json(&["keys", "create", "reader", "--scope", "events:read", "--requests-per-second", "9", "--json"]);
    assert_eq!(made["requests_per_second"], 9);
    assert!(server.said(&["keys", "list"]).contains("requests=9/s"));
    expect(&mut server.command(&["keys", "revoke", made["id"].as_str().unwrap()]), 0);

    server.said(&["retention", "set", "all", "--keep-days", "300"]);
    assert!(server.said(&["retention", "show"]).contains("300"));
    expect(&mut server.command(&["holds", "place", "case-7", "--filter", "user_id=ada"]), 0);
    assert_eq!(server.json(&["holds", "list", "--json"])["holds"][0]["events"], 20);
    expect(&mut server.command(&["holds", "release", "case-7"]), 0);
    let compacted = server.json(&["compact", "--json"]);
    assert_eq!((&compacted["segments_before"], &compacted["segments_after"]), (&Value::from(1), &Value::from(1)));
    assert!(server.said(&["verify"]).contains("20 events"));
    let load = server.said(&["bench", "http", "--events", "2000", "--batch", "200"]);
    assert!(load.contains("events"), "{load}");
}

#[test]
fn a_tail_follows_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let mut tail = server.command(&["tail", "--output", "ndjson", "--after", "0"]);
    let mut tail = tail.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    for event_type in ["first", "second"] {
        let event = format!("{{\"event_type\":\"{event_type}\"}}\n");
        expect_given(&mut server.command(&["import", "-"]), event.as_bytes(), 0);
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains(event_type), "{line}");
    }
    tail.kill().unwrap();
    tail.wait().unwrap();
}

#[test]
fn a_server_whose_authority_is_not_believed_is_told_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    for words in
        [&["keys", "list"][..], &["holds", "list"], &["compact"], &["export"], &["tail"], &["retention", "show"]]
    {
        let mut command = server.0.command(words);
        command.env("ANNALS_CA_FILE", certificate("second.pem"));
        let refused = expect(&mut command, 1);
        let errors = text(&refused.stderr);
        assert!(errors.contains("ANNALS_CA_FILE") && !errors.contains(KEY), "{words:?}: {errors}");
    }
}
