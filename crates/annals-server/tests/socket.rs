//! Real connections: what the router alone cannot show.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]
#![expect(clippy::disallowed_methods, reason = "sockets live in real time")]

#[cfg(test)]
mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use annals_server::{AppState, Limits, ServerConfig, serve};
use support::{ADMIN, Server};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<annals_server::Result<()>>,
    directory: tempfile::TempDir,
}

async fn start(limits: Limits) -> Running {
    let Server { directory, state, .. } = Server::with(limits.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(serve(state, listener, async move { _ = stopped.await }));
    Running { address, stop, ended, directory }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Reads one answer: its head and a body of the length that it announces.
fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap() == 0 {
            return String::from_utf8(bytes).unwrap();
        }
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |size| size.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

/// Sends bytes on a new connection and reads everything until the server closes it.
fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    all
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn a_connection_carries_several_requests_of_every_kind() {
    let running = start(Limits::default()).await;
    let address = running.address;
    blocking(move || {
        let mut stream = connect(address);
        let auth = format!("host: x\r\nauthorization: Bearer {ADMIN}\r\n");
        let line = "{\"event_type\":\"a\"}\n";
        let chunked = format!(
            "POST /annals/v1/events?partial=true HTTP/1.1\r\n{auth}transfer-encoding: chunked\r\n\r\n{:x}\r\n{line}\r\n0\r\n\r\n",
            line.len()
        );
        stream.write_all(chunked.as_bytes()).unwrap();
        assert!(answer(&mut stream).contains("\"accepted\":1"));
        let delete = "{\"event_type\":\"none\"}";
        for (request, expected) in [
            (format!("GET /annals/v1/events HTTP/1.1\r\n{auth}\r\n"), "\"total\":1"),
            (format!("HEAD /api/v1/events HTTP/1.1\r\n{auth}\r\n"), "200 OK"),
            (format!("QUERY /api/v1/events HTTP/1.1\r\n{auth}\r\n"), "405 Method Not Allowed"),
            (format!("DELETE /api/v1/events HTTP/1.1\r\n{auth}content-length: {}\r\n\r\n{delete}", delete.len()), "\"deleted_count\":0"),
            (format!("PUT /api/v1/events HTTP/1.1\r\n{auth}content-type: application/json\r\ncontent-length: 0\r\n\r\n"), "405"),
        ] {
            stream.write_all(request.as_bytes()).unwrap();
            if request.starts_with("HEAD") {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") {
                    stream.read_exact(&mut byte).unwrap();
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                assert!(head.contains(expected) && head.contains("content-length: "), "{head}");
                continue;
            }
            let answer = answer(&mut stream);
            assert!(answer.contains(expected), "{request}\n{answer}");
            assert!(answer.contains("x-request-id: "), "{answer}");
        }
    })
    .await;
    running.stop.send(()).unwrap();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn half_a_request_does_not_hold_a_connection() {
    let limits = Limits { header_time_max: Duration::from_millis(100), ..Limits::default() };
    let running = start(limits).await;
    let address = running.address;
    blocking(move || {
        for start_of_request in ["", "GET /healthz HTTP/1.1\r\nhost: x\r\n"] {
            let started = Instant::now();
            let answer = exchange(address, start_of_request);
            assert!(started.elapsed() < Duration::from_secs(5), "closed by the server");
            assert!(!answer.contains("200 OK"), "{answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn heads_beyond_all_bounds_are_refused() {
    let running = start(Limits::default()).await;
    let address = running.address;
    blocking(move || {
        let close = "connection: close\r\n\r\n";
        let headers = |count: usize| (0..count).map(|number| format!("x-{number}: v\r\n")).collect::<Vec<_>>().concat();
        let (many, very_many) = (headers(65), headers(1000));
        for (request, status) in [
            (format!("GET /healthz HTTP/1.1\r\n{many}{close}"), "431"),
            (format!("GET /healthz HTTP/1.1\r\n{very_many}{close}"), "431"),
            (format!("GET /{} HTTP/1.1\r\nhost: x\r\n{close}", "x".repeat(9000)), "414"),
            ("nonsense\r\n\r\n".to_owned(), "400"),
        ] {
            let answer = exchange(address, &request);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_has_so_many_connections() {
    two_connections_and_no_third(Limits { connections_per_address_max: 2, ..Limits::default() }).await;
}

#[tokio::test]
async fn all_together_have_so_many_connections() {
    two_connections_and_no_third(Limits { connections_max: 2, ..Limits::default() }).await;
}

async fn two_connections_and_no_third(limits: Limits) {
    let running = start(limits).await;
    let address = running.address;
    blocking(move || {
        let ask = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        let mut held: Vec<TcpStream> = (0..2).map(|_| connect(address)).collect();
        for stream in &mut held {
            stream.write_all(ask.as_bytes()).unwrap();
            assert!(answer(stream).starts_with("HTTP/1.1 200"));
        }
        let mut third = connect(address);
        let _ = third.write_all(ask.as_bytes());
        let mut rest = Vec::new();
        let _ = third.read_to_end(&mut rest);
        assert!(rest.is_empty(), "closed without an answer");
        held.pop();
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(5) {
            let mut stream = connect(address);
            if stream.write_all(ask.as_bytes()).is_ok() {
                let mut first = [0; 12];
                if stream.read_exact(&mut first).is_ok() {
                    assert_eq!(&first, b"HTTP/1.1 200");
                    return;
                }
            }
        }
        panic!("the place of a closed connection is not given to another");
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_asks_nothing_more_is_closed() {
    let running = start(Limits { idle_time_max: Duration::from_millis(300), ..Limits::default() }).await;
    let address = running.address;
    blocking(move || {
        let mut stream = connect(address);
        // Twice, so that a pause shorter than the limit ends nothing.
        for _ in 0..2 {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            assert!(answer(&mut stream).starts_with("HTTP/1.1 200"));
            std::thread::sleep(Duration::from_millis(50));
        }
        let started = Instant::now();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty() && started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    })
    .await;
}

#[tokio::test]
async fn a_connection_may_pause_for_longer_than_a_head_may_take() {
    let (header_time_max, idle_time_max) = (Duration::from_millis(200), Duration::from_secs(30));
    let running = start(Limits { header_time_max, idle_time_max, ..Limits::default() }).await;
    let address = running.address;
    blocking(move || {
        let mut stream = connect(address);
        for _ in 0..2 {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            assert!(answer(&mut stream).starts_with("HTTP/1.1 200"));
            std::thread::sleep(Duration::from_millis(600));
        }
        // The head of a later request has no more time than that of the first.
        stream.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
        let started = Instant::now();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 200") && started.elapsed() < Duration::from_secs(5), "{rest:?}");
    })
    .await;
}

#[tokio::test]
async fn half_a_body_is_waited_for_so_long() {
    let running = start(Limits { body_pause_max: Duration::from_millis(500), ..Limits::default() }).await;
    let address = running.address;
    blocking(move || {
        let line = "{\"event_type\":\"a\"}\n";
        let head = format!(
            "POST /annals/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: {ADMIN}\r\ncontent-length: {}\r\n\r\n",
            2 * line.len()
        );
        let begin = || {
            let mut stream = connect(address);
            stream.write_all(format!("{head}{line}").as_bytes()).unwrap();
            stream
        };
        let mut late = begin();
        let started = Instant::now();
        let answered = answer(&mut late);
        assert!(answered.starts_with("HTTP/1.1 408") && answered.contains("connection: close"), "{answered}");
        assert!((400..5000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
        let mut in_time = begin();
        std::thread::sleep(Duration::from_millis(100));
        in_time.write_all(line.as_bytes()).unwrap();
        assert!(answer(&mut in_time).contains("\"accepted\":2"));
    })
    .await;
}

#[tokio::test]
async fn who_is_refused_in_the_middle_of_a_body_is_told_so() {
    let running = start(Limits { ingest_size_max: 1 << 20, ..Limits::default() }).await;
    let address = running.address;
    blocking(move || {
        let body = vec![b' '; 8 << 20];
        for (key, status) in [("wrong", "401"), (ADMIN, "413")] {
            let mut stream = connect(address);
            let head = format!(
                "POST /annals/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: {key}\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            // All of it, before it looks for an answer, as simple clients do.
            stream.write_all(&body).unwrap();
            let answer = answer(&mut stream);
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains("connection: close"),
                "{answer}"
            );
        }
        // What was read to its end leaves the connection as it is, refused or not.
        let mut stream = connect(address);
        for _ in 0..2 {
            let lines = "{}\n".repeat(20 << 10);
            let head = format!(
                "POST /annals/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: {ADMIN}\r\ncontent-length: {}\r\n\r\n",
                lines.len()
            );
            stream.write_all(format!("{head}{lines}").as_bytes()).unwrap();
            let answer = answer(&mut stream);
            assert!(answer.starts_with("HTTP/1.1 400") && !answer.contains("connection: close"), "{answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn stopping_finishes_what_runs_and_closes_the_store() {
    let running = start(Limits::default()).await;
    let address = running.address;
    let line = "{\"event_type\":\"late\"}\n";
    let head = format!(
        "POST /annals/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: {ADMIN}\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        line.len()
    );
    let mut stream = blocking(move || {
        let mut stream = connect(address);
        stream.write_all(head.as_bytes()).unwrap();
        // The server asks for the body: the request is in flight.
        assert!(answer(&mut stream).starts_with("HTTP/1.1 100"));
        stream
    })
    .await;
    running.stop.send(()).unwrap();
    blocking(move || {
        let started = Instant::now();
        while TcpStream::connect(address).is_ok() {
            assert!(started.elapsed() < Duration::from_secs(5), "still accepting");
        }
        stream.write_all(line.as_bytes()).unwrap();
        let answer = answer(&mut stream);
        assert!(answer.contains("\"accepted\":1"), "{answer}");
    })
    .await;
    running.ended.await.unwrap().unwrap();
    let config = ServerConfig { admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(running.directory.path()) };
    let state = AppState::open(&config).expect("the store was closed and its lock is free").state;
    assert_eq!(state.engine().visible_sequence(), 1);
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_hold_the_stop() {
    let running = start(Limits { drain_time_max: Duration::from_millis(100), ..Limits::default() }).await;
    let address = running.address;
    let _stream = blocking(move || {
        let mut stream = connect(address);
        let head = format!(
            "POST /annals/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: {ADMIN}\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        assert!(answer(&mut stream).starts_with("HTTP/1.1 100"));
        stream
    })
    .await;
    running.stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), running.ended).await;
    ended.expect("it ends").unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_takes_none_of_its_answer_is_cut_off() {
    let limits = Limits { body_pause_max: Duration::from_millis(200), ..Limits::default() };
    let running = start(limits).await;
    let address = running.address;
    blocking(move || {
        let event = format!("{{\"event_type\":\"a\",\"content\":\"{}\"}}\n", "x".repeat(500_000));
        let mut stream = connect(address);
        for _ in 0..12 {
            let auth = format!("host: x\r\nauthorization: Bearer {ADMIN}\r\ncontent-length: {}", event.len());
            stream.write_all(format!("POST /annals/v1/events HTTP/1.1\r\n{auth}\r\n\r\n{event}").as_bytes()).unwrap();
            assert!(answer(&mut stream).contains("\"accepted\":1"));
        }
        // Several times what the sockets can hold is asked for and not taken.
        let ask = format!("GET /annals/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN}\r\n\r\n");
        stream.write_all(ask.repeat(4).as_bytes()).unwrap();
        std::thread::sleep(Duration::from_secs(2));
        let mut taken = Vec::new();
        let _ = stream.read_to_end(&mut taken);
        assert!(taken.len() < 4 * 12 * 500_000, "{} bytes came", taken.len());
    })
    .await;
}
