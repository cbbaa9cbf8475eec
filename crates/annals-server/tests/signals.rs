//! The whole server as the binary runs it, from start to SIGTERM. Alone in its file: the signal goes
//! to the process.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc;

use annals_server::{ServerConfig, run};

#[test]
fn a_signal_ends_the_server_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = ServerConfig::new(directory.path());
    config.listen = "127.0.0.1:0".parse().unwrap();
    let (started, running) = mpsc::channel();
    let again = config.clone();
    let server = std::thread::spawn(move || {
        run(&config, move || Ok(again.clone()), |address, key| started.send((address, key.map(str::to_owned))).unwrap())
    });
    let (address, key) = running.recv().unwrap();
    let key = key.expect("the first start makes a key");
    let mut stream = TcpStream::connect(address).unwrap();
    let line = "{\"event_type\":\"a\"}";
    let request = format!(
        "POST /annals/v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n{line}",
        line.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\"accepted\":1"), "{answer}");
    let kill = std::process::Command::new("kill").args(["-TERM", &std::process::id().to_string()]).status().unwrap();
    assert!(kill.success());
    server.join().unwrap().expect("an orderly end");
    assert!(TcpStream::connect(address).is_err());
}
