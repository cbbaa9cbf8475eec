use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use annals_server::{AppState, ServerConfig, serve};
use clap::Parser;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

const KEY: &str = "the-administrators-key";

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    tail: Tail,
}

/// A server that can be stopped and started again at the same address.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<annals_server::Result<()>>,
}

fn start(runtime: &Runtime, directory: &Path, address: &str) -> Running {
    let config = ServerConfig { admin_key: Some(KEY.to_owned()), ..ServerConfig::new(directory) };
    let state = AppState::open(&config).unwrap().state;
    let listener = runtime.block_on(tokio::net::TcpListener::bind(address)).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = runtime.spawn(serve(state, listener, async move { _ = stopped.await }));
    Running { address, stop, served }
}

fn stop(runtime: &Runtime, running: Running) {
    running.stop.send(()).unwrap();
    runtime.block_on(running.served).unwrap().unwrap();
}

/// What was shown, for two threads.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<u8>>>);

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shown {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }

    fn wait_for(&self, count: usize) -> Vec<String> {
        for _ in 0..600 {
            if self.lines().len() >= count {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.lines()
    }
}

fn append(address: SocketAddr, from: u64, to: u64) {
    let line = |number| format!("{{\"event_type\":\"a\",\"resource_id\":\"{number}\"}}\n");
    let lines = (from..to).map(line).collect::<Vec<_>>().concat();
    let client = Client::new(&format!("http://{address}"), Some(KEY.to_owned())).unwrap();
    let answer = client.post("/annals/v1/events", "application/x-ndjson", lines.as_bytes()).unwrap();
    assert_eq!(answer.status, 200);
}

#[test]
fn a_tail_goes_on_over_a_restart_of_the_server_without_gap_or_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let running = start(&runtime, folder.path(), "127.0.0.1:0");
    let address = running.address;
    append(address, 0, 10);
    let asked_to_stop = Stop::default();
    let shown = Shown::default();
    let tailing = {
        let (stop, mut shown) = (asked_to_stop.clone(), shown.clone());
        let client = Arc::new(Client::new(&format!("http://{address}"), Some(KEY.to_owned())).unwrap());
        std::thread::spawn(move || {
            let mut follower =
                Follower { position: Some(4), shown: 0, output: Output::Ndjson, table: Table::to_stdout() };
            follower.follow(&client, "?fields=resource_id", &mut shown, &stop).unwrap();
            (follower.position, follower.shown)
        })
    };
    let expected = |from: u64, to: u64| -> Vec<String> {
        (from..to).map(|number| format!("{{\"resource_id\":\"{number}\"}}")).collect()
    };
    assert_eq!(shown.wait_for(6), expected(4, 10), "behind sequence 4");
    stop(&runtime, running);
    let running = start(&runtime, folder.path(), &address.to_string());
    append(address, 10, 1500);
    assert_eq!(shown.wait_for(1496), expected(4, 1500));
    asked_to_stop.ask();
    assert_eq!(tailing.join().unwrap(), (Some(1500), 1496));
    stop(&runtime, running);
}

#[test]
fn a_server_that_will_not_have_us_is_not_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let running = start(&runtime, folder.path(), "127.0.0.1:0");
    let tail = |words: &[&str]| {
        let url = format!("http://{}", running.address);
        let words = ["tail", "--url", &url].into_iter().chain(words.iter().copied());
        run(&Line::parse_from(words).tail).unwrap_err().to_string()
    };
    assert!(tail(&["--key", "a-wrong-key"]).contains("401"));
    assert!(tail(&["--key", KEY, "--fields", "colour"]).contains("colour"));
    let address = running.address;
    stop(&runtime, running);
    let words = ["tail", "--url", &format!("http://{address}")];
    assert!(run(&Line::parse_from(words).tail).unwrap_err().to_string().contains("Is `annals serve` running"));
}

#[test]
fn what_the_server_has_no_more_is_passed_over() {
    let mut follower = Follower { position: Some(1), shown: 0, output: Output::Json, table: Table::to_stdout() };
    let mut out = Vec::new();
    let message = |position, name: Option<&str>, data: &str| Message {
        position: Some(position),
        name: name.map(str::to_owned),
        data: data.to_owned(),
    };
    follower.take(&mut out, message(7, Some("gap"), "{\"from\":2,\"first\":8}")).unwrap();
    follower.take(&mut out, message(8, None, "{\"a\":1}")).unwrap();
    follower.take(&mut out, message(9, None, "")).unwrap();
    assert_eq!((follower.position, follower.shown, out.as_slice()), (Some(9), 1, b"{\n  \"a\": 1\n}\n".as_slice()));
}
