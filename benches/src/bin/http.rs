//! Load over HTTP, the clients on the same processors as the server: NDJSON that was prepared
//! beforehand, posted over connections that are kept, and pages read over them.
//!
//! `cargo run --release -p annals-benches --bin http -- ingest [EVENTS] [PER_REQUEST] [CONNECTIONS] [LEVEL] [FILE]`
//! `cargo run --release -p annals-benches --bin http -- parse [EVENTS] [ROUNDS] [FILE]`
//! `cargo run --release -p annals-benches --bin http -- get [EVENTS] [CONNECTIONS] [SECONDS] [PATH]...`
//! `cargo run --release -p annals-benches --bin http -- serve [EVENTS]`, for other clients, until Ctrl-C
//!
//! The server runs in this process with a directory of its own under `TMPDIR`. CPU is told apart by
//! the names of the threads, so what the clients take is not counted as the server's.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead as _, BufReader, IoSlice, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use annals_benches::{END_US, SEED, Stopwatch};
use annals_engine::Durability;
use annals_generate::Generator;
use annals_server::{AppState, ServerConfig, serve};

const ADMIN: &str = "the-administrators-key";
/// What the pages are read from is posted in bodies of so many events.
const FILL_LINES: usize = 5_000;

type Failure = Box<dyn Error + Send + Sync>;
type Outcome<T> = Result<T, Failure>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = |index: usize, default: &'static str| arguments.get(index).map_or(default, String::as_str);
    match text(0, "ingest") {
        "ingest" => {
            let (count, per_request) = (text(1, "1000000").parse()?, text(2, "5000").parse()?);
            let (connections, level) = (text(3, "4").parse()?, level(text(4, "interval"))?);
            let bodies = match arguments.get(5) {
                Some(path) => bodies_of_file(path, count, per_request)?,
                None => generated(count, per_request)?,
            };
            ingest(&bodies, connections, level)
        }
        "get" => {
            let (count, connections, seconds) =
                (text(1, "200000").parse()?, text(2, "16").parse()?, text(3, "5").parse()?);
            let given = arguments.get(4..).unwrap_or_default();
            let usual =
                ["/api/v1/events?limit=100", "/api/v1/events?limit=10", "/annals/v1/events?limit=100", "/healthz"];
            let paths = if given.is_empty() { usual.map(str::to_owned).to_vec() } else { given.to_vec() };
            get(&generated(count, FILL_LINES)?, connections, seconds, &paths)
        }
        "parse" => {
            let (count, rounds) = (text(1, "100000").parse()?, text(2, "9").parse()?);
            let bodies = match arguments.get(3) {
                Some(path) => bodies_of_file(path, count, FILL_LINES)?,
                None => generated(count, FILL_LINES)?,
            };
            parse(&bodies, rounds)
        }
        "serve" => {
            let bodies = generated(text(1, "200000").parse()?, FILL_LINES)?;
            let scratch = tempfile::tempdir()?;
            let server = filled(scratch.path(), &bodies)?;
            say(&format!("http://{} with the key {ADMIN}", server.address))?;
            server.runtime.block_on(tokio::signal::ctrl_c())?;
            server.end()
        }
        other => Err(format!("{other:?}: say ingest, get, serve or parse").into()),
    }
}

fn level(text: &str) -> Outcome<Durability> {
    match text {
        "sync" => Ok(Durability::Sync),
        "interval" => Ok(Durability::Interval),
        "buffered" => Ok(Durability::Buffered),
        other => Err(format!("{other:?} is no level: say sync, interval or buffered").into()),
    }
}

/// One request's events.
#[derive(Default)]
struct Body {
    bytes: Vec<u8>,
    lines: usize,
}

fn generated(count: usize, per_request: usize) -> Outcome<Vec<Body>> {
    let mut generator = Generator::new(SEED, count.try_into()?, END_US);
    let mut bodies = vec![Body::default()];
    while let Some(body) = bodies.last_mut() {
        if body.lines >= per_request {
            bodies.push(Body::default());
            continue;
        }
        if !generator.write_line(&mut body.bytes) {
            break;
        }
        body.lines += 1;
    }
    bodies.retain(|body| body.lines > 0);
    Ok(bodies)
}

fn bodies_of_file(path: &str, count: usize, per_request: usize) -> Outcome<Vec<Body>> {
    let mut lines = BufReader::with_capacity(1 << 20, std::fs::File::open(path)?);
    let (mut bodies, mut read) = (vec![Body::default()], 0);
    while let Some(body) = bodies.last_mut().filter(|_| read < count) {
        if body.lines >= per_request {
            bodies.push(Body::default());
            continue;
        }
        if lines.read_until(b'\n', &mut body.bytes)? == 0 {
            break;
        }
        (body.lines, read) = (body.lines + 1, read + 1);
    }
    bodies.retain(|body| body.lines > 0);
    Ok(bodies)
}

/// A server that listens, in this process.
struct Server {
    runtime: tokio::runtime::Runtime,
    address: SocketAddr,
    state: AppState,
    stop: tokio::sync::oneshot::Sender<()>,
    running: tokio::task::JoinHandle<annals_server::Result<()>>,
}

impl Server {
    fn start(directory: &std::path::Path, durability: Durability) -> Outcome<Self> {
        let config = ServerConfig { admin_key: Some(ADMIN.to_owned()), durability, ..ServerConfig::new(directory) };
        let state = AppState::open(&config)?.state;
        let runtime = annals_server::runtime()?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = runtime.spawn(serve(state.clone(), listener, async {
            // Whether it is told to stop or nobody is left to tell it: it stops.
            _ = stopped.await;
        }));
        Ok(Self { runtime, address, state, stop, running })
    }

    fn end(self) -> Outcome<()> {
        drop(self.stop);
        drop(self.state);
        Ok(self.runtime.block_on(self.running)??)
    }
}

fn ingest(bodies: &[Body], connections: usize, level: Durability) -> Outcome<()> {
    let scratch = tempfile::tempdir()?;
    let server = Server::start(scratch.path(), level)?;
    let events: usize = bodies.iter().map(|body| body.lines).sum();
    let size: usize = bodies.iter().map(|body| body.bytes.len()).sum();
    let before = cpu_by_thread()?;
    let stopwatch = Stopwatch::start();
    let clients_s = post_all(server.address, bodies, connections)?;
    let posted_s = stopwatch.wall_s();
    let after = cpu_by_thread()?;
    server.state.engine().seal_now()?;
    let sealed_s = stopwatch.wall_s();
    let cpu_s = stopwatch.cpu_s();
    let per_event = |seconds: f64| seconds * 1e9 / float(events);
    say(&format!(
        "{events} events of {:.0} bytes, {} a request, {connections} connections, level {level}",
        float(size) / float(events),
        bodies.first().map_or(0, |body| body.lines)
    ))?;
    say(&format!(
        "  {:.0} events/s until the last acknowledgement, {:.0} until all is sealed; CPU ns an event: {:.0} in all, \
         clients {:.0}",
        float(events) / posted_s,
        float(events) / sealed_s,
        per_event(cpu_s),
        per_event(clients_s)
    ))?;
    for (name, seconds) in difference(&before, &after) {
        say(&format!("    {name:16} {:6.0} ns an event until the last acknowledgement", per_event(seconds)))?;
    }
    server.end()
}

/// Posts every body once; the CPU seconds that the clients took.
fn post_all(address: SocketAddr, bodies: &[Body], connections: usize) -> Outcome<f64> {
    let next = AtomicUsize::new(0);
    let post = || -> Outcome<f64> {
        let mut client = Client::connect(address)?;
        while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
            client.post(body)?;
        }
        Ok(thread_cpu_s())
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..connections).map(|_| scope.spawn(post)).collect();
        running.into_iter().map(|client| client.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).sum()
    })
}

/// A server over a store of these events, sealed.
fn filled(directory: &std::path::Path, bodies: &[Body]) -> Outcome<Server> {
    let server = Server::start(directory, Durability::Interval)?;
    post_all(server.address, bodies, 2)?;
    server.state.engine().seal_now()?;
    Ok(server)
}

fn get(bodies: &[Body], connections: usize, seconds: f64, paths: &[String]) -> Outcome<()> {
    let scratch = tempfile::tempdir()?;
    let server = filled(scratch.path(), bodies)?;
    for path in paths {
        let before = cpu_by_thread()?;
        let stopwatch = Stopwatch::start();
        let stop = AtomicBool::new(false);
        let (answered, clients_s) = std::thread::scope(|scope| -> Outcome<(usize, f64)> {
            let read = || -> Outcome<(usize, f64)> {
                let mut client = Client::connect(server.address)?;
                let mut answered = 0;
                while !stop.load(Ordering::Relaxed) {
                    client.get(path)?;
                    answered += 1;
                }
                Ok((answered, thread_cpu_s()))
            };
            let running: Vec<_> = (0..connections).map(|_| scope.spawn(read)).collect();
            std::thread::sleep(std::time::Duration::from_secs_f64(seconds));
            stop.store(true, Ordering::Relaxed);
            let mut all = (0, 0.0);
            for client in running {
                let (answered, cpu_s) = client.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                all = (all.0 + answered, all.1 + cpu_s);
            }
            Ok(all)
        })?;
        let (wall_s, cpu_s) = (stopwatch.wall_s(), stopwatch.cpu_s());
        let each_us = |seconds: f64| seconds * 1e6 / float(answered);
        say(&format!(
            "{path}: {:.0} requests/s over {connections} connections; CPU us a request: server {:.1}, clients {:.1}",
            float(answered) / wall_s,
            each_us(cpu_s - clients_s),
            each_us(clients_s)
        ))?;
        for (name, seconds) in difference(&before, &cpu_by_thread()?) {
            say(&format!("    {name:16} {:6.1} us", each_us(seconds)))?;
        }
    }
    server.end()
}

/// What the steps from a line to a batch cost, on one thread and without a server.
fn parse(bodies: &[Body], rounds: usize) -> Outcome<()> {
    let events: usize = bodies.iter().map(|body| body.lines).sum();
    let step = |name: &str, work: &dyn Fn(&Body) -> usize| -> Outcome<()> {
        let mut costs = Vec::new();
        for _ in 0..rounds {
            let start_s = thread_cpu_s();
            let taken: usize = bodies.iter().map(work).sum();
            if taken != events {
                return Err(format!("{name}: {taken} of {events} events").into());
            }
            costs.push((thread_cpu_s() - start_s) * 1e9 / float(events));
        }
        costs.sort_by(f64::total_cmp);
        let (least, median) = (costs.first(), costs.get(rounds / 2));
        Ok(say(&format!(
            "  {name:24} {:6.0} ns an event, least {:6.0}",
            median.unwrap_or(&0.0),
            least.unwrap_or(&0.0)
        ))?)
    };
    let each = |body: &Body, fill: bool| {
        let mut event = annals_json::IncomingEvent::default();
        let taken = annals_json::lines(&body.bytes).filter(|line| {
            let good = annals_json::parse_event_into(line.bytes, &mut event).is_ok();
            if fill {
                event.fill_in();
            }
            good
        });
        taken.count()
    };
    step("lines", &|body| annals_json::lines(&body.bytes).count())?;
    step("parse_event_into", &|body| each(body, false))?;
    step("and fill_in", &|body| each(body, true))?;
    step("and Batch::push", &|body| annals_json::parse_ndjson(&body.bytes, 1).batch.len())
}

/// CPU seconds of the threads that live, by their names.
fn cpu_by_thread() -> Outcome<BTreeMap<String, f64>> {
    let mut by_name = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task")? {
        let path = task?.path();
        // A thread may end meanwhile.
        let Ok(name) = std::fs::read_to_string(path.join("comm")) else { continue };
        let Ok(times) = std::fs::read_to_string(path.join("schedstat")) else { continue };
        let ran_ns: f64 = times.split(' ').next().unwrap_or_default().parse()?;
        *by_name.entry(name.trim().to_owned()).or_default() += ran_ns / 1e9;
    }
    Ok(by_name)
}

fn difference(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> Vec<(String, f64)> {
    let more = |(name, seconds): (&String, &f64)| (name.clone(), seconds - before.get(name).unwrap_or(&0.0));
    after.iter().map(more).filter(|(_, seconds)| *seconds > 0.001).collect()
}

fn thread_cpu_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    std::time::Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
        .as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^53")]
fn float(count: usize) -> f64 {
    count as f64
}

/// One connection that is kept.
struct Client {
    stream: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(128 << 10, stream), line: String::new(), body: Vec::new() })
    }

    fn get(&mut self, path: &str) -> Outcome<()> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {ADMIN}\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    fn post(&mut self, body: &Body) -> Outcome<()> {
        let head = format!(
            "POST /annals/v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {ADMIN}\r\n\
             content-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
            body.bytes.len()
        );
        let mut pieces = [IoSlice::new(head.as_bytes()), IoSlice::new(&body.bytes)];
        let mut left: &mut [IoSlice<'_>] = &mut pieces;
        while !left.is_empty() {
            let written = self.stream.get_mut().write_vectored(left)?;
            IoSlice::advance_slices(&mut left, written);
        }
        self.answer()?;
        let accepted = format!("{{\"accepted\":{},", body.lines);
        if self.body.starts_with(accepted.as_bytes()) {
            return Ok(());
        }
        Err(format!("not all of {} events were taken: {}", body.lines, String::from_utf8_lossy(&self.body)).into())
    }

    /// Reads one answer into `body`.
    fn answer(&mut self) -> Outcome<()> {
        self.line.clear();
        self.stream.read_line(&mut self.line)?;
        let ok = self.line.starts_with("HTTP/1.1 200 ");
        let mut size = 0;
        loop {
            self.line.clear();
            self.stream.read_line(&mut self.line)?;
            match self.line.trim_end().split_once(": ") {
                None => break,
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => size = value.parse()?,
                Some(_) => {}
            }
        }
        self.body.resize(size, 0);
        self.stream.read_exact(&mut self.body)?;
        if ok { Ok(()) } else { Err(format!("refused: {}", String::from_utf8_lossy(&self.body)).into()) }
    }
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}")
}
