//! The listener over TLS, with a real client.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]
#![expect(clippy::disallowed_methods, reason = "sockets live in real time")]

#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use annals_server::{Limits, Tls, TlsSettings, serve_tls};
use rustls::version::{TLS12, TLS13};
use support::{ADMIN, Server, tls};
use tokio::net::TcpListener;

async fn start(limits: Limits) -> (SocketAddr, tempfile::TempDir) {
    let Server { directory, state, .. } = Server::with(limits);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = Tls::load(&tls::settings("first")).unwrap().unwrap();
    tokio::spawn(serve_tls(state, listener, settings, std::future::pending()));
    (address, directory)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn both_versions_are_answered_over_http_1() {
    let (address, _directory) = start(Limits::default()).await;
    blocking(move || {
        for version in [&TLS12, &TLS13] {
            for offered in [&["http/1.1"][..], &["h2", "http/1.1"], &[]] {
                let mut stream = tls::connect(address, &[version], offered).unwrap();
                assert_eq!(stream.conn.protocol_version(), Some(version.version));
                assert_eq!(stream.conn.alpn_protocol(), (!offered.is_empty()).then_some(&b"http/1.1"[..]));
                assert_eq!(tls::shown(&stream), tls::certificate("first"));
                let answer = tls::ask(&mut stream, "GET /healthz", "");
                assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
            }
            let refused = tls::connect(address, &[version], &["h2"]).unwrap_err();
            assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
        }
    })
    .await;
}

#[tokio::test]
async fn links_lead_back_over_tls_and_bodies_come_whole() {
    let (address, _directory) = start(Limits::default()).await;
    blocking(move || {
        let auth = format!("authorization: Bearer {ADMIN}\r\n");
        let mut stream = tls::connect(address, &[&TLS13], &[]).unwrap();
        // More than one record of TLS, and more than the buffers of a socket.
        let line = format!("{{\"event_type\":\"a\",\"content\":\"{}\"}}\n", "x".repeat(400_000));
        let body = line.repeat(8);
        let head =
            format!("POST /annals/v1/events HTTP/1.1\r\nhost: x\r\n{auth}content-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let list = tls::ask(&mut stream, "GET /annals/v1/events?limit=8", &auth);
        assert!(list.starts_with("HTTP/1.1 200 OK") && list.contains("\"accepted\":8"), "{}", &list[..200]);
        assert!(list.matches("xxxx").count() > 8 * 90_000, "{}", list.len());
        let mut stream = tls::connect(address, &[&TLS13], &[]).unwrap();
        let page = tls::ask(&mut stream, "GET /api/events/?page_size=1", &auth);
        assert!(page.contains("<https://localhost/api/events/?page") && !page.contains("<http://"), "{}", &page[..600]);
    })
    .await;
}

#[tokio::test]
async fn whoever_does_not_greet_is_cut_off() {
    let limits = Limits { tls_handshake_time_max: Duration::from_millis(300), ..Limits::default() };
    let (address, _directory) = start(limits).await;
    blocking(move || {
        // A record of a greeting that announces more than ever comes.
        for start_of_greeting in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
            let started = Instant::now();
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            stream.write_all(start_of_greeting).unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
            let took = started.elapsed();
            assert!(took >= Duration::from_millis(290) && took < Duration::from_secs(5), "{took:?}");
            assert!(rest.is_empty(), "{rest:?}");
        }
        // Whoever greets in time may take longer to ask.
        let mut stream = tls::connect(address, &[&TLS13], &[]).unwrap();
        std::thread::sleep(Duration::from_millis(600));
        assert!(tls::ask(&mut stream, "GET /healthz", "").starts_with("HTTP/1.1 200"));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_takes_none_of_its_answer_is_cut_off() {
    let limits = Limits { body_pause_max: Duration::from_millis(300), ..Limits::default() };
    let (address, _directory) = start(limits).await;
    blocking(move || {
        let auth = format!("host: x\r\nauthorization: Bearer {ADMIN}\r\n");
        let event = format!("{{\"event_type\":\"a\",\"content\":\"{}\"}}\n", "x".repeat(500_000));
        let mut stream = tls::connect(address, &[&TLS13], &[]).unwrap();
        for _ in 0..12 {
            let head = format!("POST /annals/v1/events HTTP/1.1\r\n{auth}content-length: {}\r\n\r\n", event.len());
            stream.write_all(format!("{head}{event}").as_bytes()).unwrap();
        }
        // Several times what the sockets can hold is asked for and not taken.
        let ask = format!("GET /annals/v1/events HTTP/1.1\r\n{auth}\r\n");
        stream.write_all(ask.repeat(4).as_bytes()).unwrap();
        std::thread::sleep(Duration::from_secs(2));
        let mut taken = Vec::new();
        let _ = stream.read_to_end(&mut taken);
        assert!(String::from_utf8_lossy(&taken).matches("\"accepted\":1").count() == 12, "every event was stored");
        assert!(taken.len() < 4 * 12 * 500_000, "{} bytes came", taken.len());
    })
    .await;
}

#[tokio::test]
async fn nothing_is_answered_in_the_open() {
    let (address, _directory) = start(Limits::default()).await;
    blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
    })
    .await;
}

#[test]
fn files_that_do_not_make_a_certificate_are_named() {
    let load = |cert: &str, key: &str| {
        let settings = TlsSettings { cert: Some(tls::file(cert)), key: Some(tls::file(key)) };
        Tls::load(&settings).map(|tls| tls.is_some()).map_err(|error| error.to_string())
    };
    assert_eq!(load("first.pem", "first.key.pem"), Ok(true));
    assert!(Tls::load(&TlsSettings::default()).unwrap().is_none());
    for (cert, key, expected) in [
        ("none.pem", "first.key.pem", "tls.cert: cannot read "),
        ("first.key.pem", "first.key.pem", "has no certificate in PEM"),
        ("main.rs", "first.key.pem", "has no certificate in PEM"),
        ("first.pem", "first.pem", "has no private key in PEM"),
        ("first.pem", "second.key.pem", "cannot be used: "),
    ] {
        let error = load(cert, key).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
