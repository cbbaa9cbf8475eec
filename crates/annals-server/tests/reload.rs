//! The whole server as the binary runs it, and SIGHUP. Alone in its file: the signal goes to the process.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]
#![expect(clippy::disallowed_methods, reason = "a signal takes its time")]

#[cfg(test)]
mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use annals_server::run;
use annals_server::settings::Sources;
use rustls::version::TLS13;
use serde_json::Value;
use support::tls;

const OLD_KEY: &str = "the-administrators-first-key";
const NEW_KEY: &str = "the-administrators-second-key";

fn kill(signal: &str) {
    let status = std::process::Command::new("kill").args([signal, &std::process::id().to_string()]).status();
    assert!(status.unwrap().success());
}

fn get(address: SocketAddr, path: &str, key: &str) -> String {
    let mut stream = tls::connect(address, &[&TLS13], &[]).unwrap();
    tls::ask(&mut stream, &format!("GET {path}"), &format!("authorization: Bearer {key}\r\n"))
}

/// What was written down of reloads, the newest last, once there are so many.
fn reloads(address: SocketAddr, key: &str, count: usize) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let answer = get(address, "/annals/v1/audit?event_type=config.reloaded&sort=created_at", key);
        if let Some((_, body)) = answer.split_once("\r\n\r\n").filter(|_| answer.starts_with("HTTP/1.1 200")) {
            let body: Value = serde_json::from_str(body).unwrap();
            let events = body["events"].as_array().unwrap();
            if events.len() >= count {
                return events.iter().map(|event| event["payload"].clone()).collect();
            }
        }
        assert!(started.elapsed() < Duration::from_secs(30), "no reload: {answer}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn copy(name: &str, folder: &Path) {
    for end in ["pem", "key.pem"] {
        std::fs::copy(tls::file(&format!("{name}.{end}")), folder.join(end)).unwrap();
    }
}

/// The file, with the key and other lines.
fn write(folder: &Path, key: &str, more: &str) {
    let folder_name = folder.display();
    let text = format!(
        "data = \"{folder_name}/store\"\nlisten = \"127.0.0.1:0\"\nadmin_key = \"{key}\"\nlog_size = \"4MiB\"\n{more}\n\
         [tls]\ncert = \"{folder_name}/pem\"\nkey = \"{folder_name}/key.pem\"\n"
    );
    std::fs::write(folder.join("annals.toml"), text).unwrap();
}

#[test]
fn a_hangup_takes_over_what_is_right_and_nothing_of_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    copy("first", folder);
    write(folder, OLD_KEY, "limits.filter_values_max = 2");
    let sources = Sources { file: Some(folder.join("annals.toml")), ..Sources::default() };
    let (started, running) = mpsc::channel();
    let server = std::thread::spawn(move || {
        let config = sources.load().unwrap().config;
        run(&config, move || Ok(sources.load()?.config), |address, _| started.send(address).unwrap())
    });
    let address = running.recv().unwrap();
    let shown = || tls::shown(&tls::connect(address, &[&TLS13], &[]).unwrap());
    let three = "/annals/v1/events?user_id=a&user_id=b&user_id=c";
    assert_eq!(shown(), tls::certificate("first"));
    assert!(get(address, three, OLD_KEY).starts_with("HTTP/1.1 400"));
    // A connection from before goes on.
    let mut before = tls::connect(address, &[&TLS13], &[]).unwrap();

    copy("second", folder);
    write(folder, NEW_KEY, "limits.filter_values_max = 3\ndurability = \"interval\"");
    kill("-HUP");
    let told = reloads(address, NEW_KEY, 1);
    let changed = serde_json::json!(["admin_key", "limits.filter_values_max"]);
    assert_eq!((&told[0]["changed"], &told[0]["needs_restart"]), (&changed, &serde_json::json!(["durability"])));
    assert_eq!((&told[0]["result"], told[0]["certificate_sha256"].as_str().unwrap().len()), (&"done".into(), 64));
    assert_eq!(shown(), tls::certificate("second"));
    assert!(get(address, three, NEW_KEY).starts_with("HTTP/1.1 200"));
    assert!(get(address, three, OLD_KEY).starts_with("HTTP/1.1 401"));
    assert!(tls::ask(&mut before, "GET /healthz", "").starts_with("HTTP/1.1 200"));

    // A certificate without its key, a file that is wrong, no key at all: each leaves everything as it is.
    std::fs::copy(tls::file("first.pem"), folder.join("pem")).unwrap();
    write(folder, OLD_KEY, "limits.filter_values_max = 4");
    kill("-HUP");
    reloads(address, NEW_KEY, 2);
    copy("first", folder);
    write(folder, OLD_KEY, "limits.filter_values = 4");
    kill("-HUP");
    reloads(address, NEW_KEY, 3);
    let text = std::fs::read_to_string(folder.join("annals.toml")).unwrap();
    let without = text.lines().filter(|line| !line.starts_with("admin_key") && !line.starts_with("limits"));
    std::fs::write(folder.join("annals.toml"), without.collect::<Vec<_>>().join("\n")).unwrap();
    kill("-HUP");
    let told = reloads(address, NEW_KEY, 4);
    assert!(told[1..].iter().all(|one| one["result"] == "invalid_settings"), "{told:?}");
    assert_eq!(shown(), tls::certificate("second"));
    assert!(get(address, three, NEW_KEY).starts_with("HTTP/1.1 200"));
    assert!(get(address, &format!("{three}&user_id=d"), NEW_KEY).starts_with("HTTP/1.1 400"));

    kill("-TERM");
    server.join().unwrap().expect("an orderly end");
}
