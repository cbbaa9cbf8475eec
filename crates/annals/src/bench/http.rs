//! `annals bench http`: a load for a running server, over the wire.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use annals_bench::{Stopwatch, Timings, per, ratio};
use annals_engine::{Clock, OsClock};
use annals_generate::Generator;
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::client::{Client, Method, push_parameter};
use crate::counting::Counting;
use crate::failure::{Failure, Result, while_doing};
use crate::signals::Stop;
use crate::store::Server;
use crate::terminal::{grouped, is_watched, say};

const EVENTS_PATH: &str = "/annals/v1/events";
const STORE_PATH: &str = "/annals/v1/store";
const CONTENT_TYPE: &str = "application/x-ndjson";
/// Before a batch that was refused is sent again.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);
/// Refusals in a row, a minute of them, after which a server is taken to be out of order.
const REFUSED_MAX: u32 = 1200;
/// Between two looks of the thread that shows progress.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// Send a running server events and ask it meanwhile.
///
/// The events stay in its store: use one that is for trying. They are made, as
/// NDJSON, before the clock starts. A latency is that of one request, refused ones
/// apart, which are counted and sent again. Bytes per event come from the server's
/// own figures and need an administrator's key; CPU per event is that of the
/// server's process and needs its id, on this machine.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals bench http --url http://127.0.0.1:8080 --events 500000
  annals bench http --batch 1 --threads 32 --events 20000
  annals bench http --readers 0 --pid $(pidof annals) --json

The key comes from ANNALS_KEY.")]
pub(super) struct Http {
    #[command(flatten)]
    server: Server,
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    events: u64,
    /// Events in a request
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,
    /// Connections that send events
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,
    /// Connections that ask for the newest 100 of the commonest type meanwhile
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(0..=1024))]
    readers: u16,
    /// The server's process on this machine, to measure its CPU
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What was measured.
#[derive(Debug, Default, Serialize)]
pub(super) struct Measured {
    events: u64,
    batch: u32,
    threads: u16,
    readers: u16,
    /// Whether Ctrl-C ended it before everything was sent.
    pub(super) interrupted: bool,
    seconds: f64,
    events_per_s: f64,
    /// Bytes of NDJSON that were sent, for each event.
    sent_bytes_per_event: f64,
    /// Requests that the server put off: 429 and 503.
    refused: u64,
    append: Latencies,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<Latencies>,
    /// Of this program.
    client_cpu_us_per_event: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_cpu_us_per_event: Option<f64>,
    /// By how much logs and sealed segments grew, for each event; what is in the log is not packed yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored_bytes_per_event: Option<f64>,
}

/// Of requests, in milliseconds.
#[derive(Debug, Default, Serialize)]
struct Latencies {
    requests: usize,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl Latencies {
    fn of(milliseconds: Vec<f64>) -> Self {
        let timings = Timings::new(milliseconds);
        let at = |part| timings.percentile(part);
        Self { requests: timings.len(), p50_ms: at(50), p90_ms: at(90), p99_ms: at(99), max_ms: at(100) }
    }
}

/// One request's events.
struct Body {
    lines: Vec<u8>,
    events: u64,
}

/// What the connections share.
struct Load<'a> {
    client: &'a Client,
    bodies: &'a [Body],
    next: AtomicUsize,
    sent: AtomicU64,
    refused: AtomicU64,
    is_over: AtomicBool,
    stop: &'a Stop,
    appends_ms: Mutex<Vec<f64>>,
    queries_ms: Mutex<Vec<f64>>,
}

pub(super) fn run(command: &Http) -> Result<Measured> {
    let client = command.server.client()?;
    // The key, and whether there is a server at all, before events are made.
    let store_before = stored_bytes(&client);
    let (path, cpu_before) = (query_path()?, command.pid.map(cpu_of).transpose()?);
    client.get(&path)?;
    say("making events");
    let bodies = bodies(command);
    let stop = Stop::listen()?;
    let load = Load {
        client: &client,
        bodies: &bodies,
        next: AtomicUsize::new(0),
        sent: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
        stop: &stop,
        appends_ms: Mutex::default(),
        queries_ms: Mutex::default(),
    };
    let watch = Stopwatch::start();
    load.run(command, &path)?;
    let (seconds, client_cpu_s) = (watch.wall_s(), watch.cpu_s());
    let events = load.sent.load(Ordering::Relaxed);
    let cpu_after = command.pid.map(cpu_of).transpose()?;
    let stored = store_before.zip(stored_bytes(&client)).map(|(before, after)| after.saturating_sub(before));
    let sent_bytes: usize = bodies.iter().map(|body| body.lines.len()).sum();
    let unlocked = |times: Mutex<Vec<f64>>| times.into_inner().unwrap_or_default();
    Ok(Measured {
        events,
        batch: command.batch,
        threads: command.threads,
        readers: command.readers,
        interrupted: stop.is_asked(),
        seconds,
        events_per_s: per(1.0, 1) / per(seconds, events.max(1)),
        sent_bytes_per_event: ratio(u64::try_from(sent_bytes).unwrap_or(u64::MAX), command.events),
        refused: load.refused.load(Ordering::Relaxed),
        append: Latencies::of(unlocked(load.appends_ms)),
        query: (command.readers > 0).then(|| Latencies::of(unlocked(load.queries_ms))),
        client_cpu_us_per_event: per(client_cpu_s * 1e6, events),
        server_cpu_us_per_event: cpu_before.zip(cpu_after).map(|(before, after)| per((after - before) * 1e6, events)),
        stored_bytes_per_event: stored.map(|stored| ratio(stored, events)),
    })
}

impl Load<'_> {
    fn run(&self, command: &Http, query_path: &str) -> Result<()> {
        let mut counting = Counting::new(is_watched())?;
        counting.begin(command.events);
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..command.threads).map(|_| scope.spawn(|| self.append())).collect();
            let readers: Vec<_> = (0..command.readers).map(|_| scope.spawn(|| self.ask(query_path))).collect();
            while !writers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                std::thread::sleep(LOOK_PAUSE);
                counting.show(self.sent.load(Ordering::Relaxed));
            }
            self.is_over.store(true, Ordering::Relaxed);
            counting.finish();
            let panicked = |_| Failure::new("a thread of this program failed");
            for thread in writers.into_iter().chain(readers) {
                thread.join().map_err(panicked)??;
            }
            Ok(())
        })
    }

    /// Whether the connections are to end.
    fn ends(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || self.stop.is_asked()
    }

    fn append(&self) -> Result<()> {
        let mut times = Vec::new();
        let outcome = self.append_all(&mut times);
        if outcome.is_err() {
            // The others need not go on.
            self.is_over.store(true, Ordering::Relaxed);
        }
        keep(&self.appends_ms, times);
        outcome
    }

    fn append_all(&self, times: &mut Vec<f64>) -> Result<()> {
        while let Some(body) = self.bodies.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let mut refusals = 0;
            loop {
                if self.ends() {
                    return Ok(());
                }
                let watch = Stopwatch::start();
                let answer = self.client.send_once(Method::Post, EVENTS_PATH, CONTENT_TYPE, &body.lines)?;
                if answer.status == 200 {
                    times.push(watch.wall_ms());
                    self.sent.fetch_add(body.events, Ordering::Relaxed);
                    break;
                }
                refusals += 1;
                if !matches!(answer.status, 429 | 503) || refusals > REFUSED_MAX {
                    return Err(self.client.refused(&answer));
                }
                self.refused.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(REFUSED_PAUSE);
            }
        }
        Ok(())
    }

    fn ask(&self, path: &str) -> Result<()> {
        let mut times = Vec::new();
        let outcome = loop {
            if self.ends() {
                break Ok(());
            }
            let watch = Stopwatch::start();
            if let Err(failure) = self.client.get(path) {
                break Err(failure);
            }
            times.push(watch.wall_ms());
        };
        keep(&self.queries_ms, times);
        outcome
    }
}

fn keep(all: &Mutex<Vec<f64>>, times: Vec<f64>) {
    all.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(times);
}

/// The same events for nobody else: their ids are drawn from the time.
fn bodies(command: &Http) -> Vec<Body> {
    let now_us = OsClock::new().now_us();
    let mut generator = Generator::new(now_us.cast_unsigned(), command.events, now_us);
    let mut bodies = Vec::new();
    loop {
        let (mut lines, mut events) = (Vec::new(), 0);
        while events < u64::from(command.batch) && generator.write_line(&mut lines) {
            events += 1;
        }
        if events == 0 {
            return bodies;
        }
        bodies.push(Body { lines, events });
    }
}

/// The newest 100 of the type that the generated events have most, with their exact total.
fn query_path() -> Result<String> {
    let mut lines = Vec::new();
    let mut generator = Generator::new(1, 200, 0);
    while generator.write_line(&mut lines) {}
    let mut counts = std::collections::BTreeMap::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: Value = serde_json::from_slice(line).map_err(while_doing("read a generated event"))?;
        *counts.entry(event.get("event_type").and_then(Value::as_str).unwrap_or_default().to_owned()).or_insert(0) += 1;
    }
    let commonest = counts.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name).unwrap_or_default();
    let mut path = EVENTS_PATH.to_owned();
    push_parameter(&mut path, "event_type", &commonest);
    push_parameter(&mut path, "limit", "100");
    Ok(path)
}

/// Bytes of logs and sealed segments; `None` if the key may not ask.
fn stored_bytes(client: &Client) -> Option<u64> {
    let figures: Value = serde_json::from_slice(&client.get(STORE_PATH).ok()?).ok()?;
    Some(figures.get("sealed_bytes")?.as_u64()? + figures.get("log_bytes")?.as_u64()?)
}

/// CPU seconds of a process on this machine, user and system.
fn cpu_of(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).map_err(while_doing(format_args!("read {path}")))?;
    // The name of the program, in brackets, may hold anything.
    let fields = text.rsplit_once(')').map(|(_, behind)| behind.split_whitespace());
    let mut times = fields.into_iter().flatten().skip(11).take(2).map(str::parse::<u32>);
    match (times.next(), times.next()) {
        (Some(Ok(user)), Some(Ok(system))) => {
            let ticks = rustix::param::clock_ticks_per_second();
            Ok((f64::from(user) + f64::from(system)) * per(1.0, ticks))
        }
        _ => Err(Failure::new(format_args!("{path} does not say how much CPU the process took"))),
    }
}

impl Measured {
    pub(super) fn print(&self, out: &mut impl Write) -> Result<()> {
        let Self { events, batch, threads, readers, .. } = self;
        let mut row = |name: &str, value: String| writeln!(out, "{name:<26} {value}");
        row("events", format!("{} in {:.1} s, {batch} a request", grouped(*events), self.seconds))?;
        row("connections", format!("{threads} sending, {readers} asking"))?;
        row("rate", format!("{:.0} events/s", self.events_per_s))?;
        row("refused and sent again", format!("{} requests", grouped(self.refused)))?;
        row("append latency", self.append.shown())?;
        if let Some(query) = &self.query {
            row("query latency meanwhile", query.shown())?;
        }
        row("CPU of this program", format!("{:.3} us an event", self.client_cpu_us_per_event))?;
        row(
            "CPU of the server",
            self.server_cpu_us_per_event
                .map_or_else(|| "not measured: --pid names it".to_owned(), |cpu| format!("{cpu:.3} us an event")),
        )?;
        row("bytes sent", format!("{:.1} an event", self.sent_bytes_per_event))?;
        row(
            "bytes stored",
            self.stored_bytes_per_event.map_or_else(
                || "not known: the key is not an administrator's".to_owned(),
                |bytes| format!("{bytes:.1} an event, logs included"),
            ),
        )?;
        Ok(())
    }
}

impl Latencies {
    fn shown(&self) -> String {
        let Self { requests, p50_ms, p90_ms, p99_ms, max_ms } = self;
        format!("p50 {p50_ms:.2}  p90 {p90_ms:.2}  p99 {p99_ms:.2}  max {max_ms:.2} ms of {}", grouped_len(*requests))
    }
}

fn grouped_len(count: usize) -> String {
    grouped(u64::try_from(count).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_server::{AppState, ServerConfig, serve};
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        http: Http,
    }

    #[test]
    fn a_server_is_loaded_and_measured() {
        let folder = tempfile::tempdir().unwrap();
        let key = "the-administrators-key";
        let config = ServerConfig { admin_key: Some(key.to_owned()), ..ServerConfig::new(folder.path()) };
        let state = AppState::open(&config).unwrap().state;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = runtime.spawn(serve(state, listener, async move { _ = stopped.await }));
        let pid = std::process::id().to_string();
        let http = |key: &str| {
            let words = ["http", "--url", &url, "--key", key, "--events", "2050", "--batch", "100", "--pid", &pid];
            run(&Line::parse_from(words).http)
        };
        assert!(http("a-wrong-key").is_err());
        let measured = http(key).unwrap();
        assert_eq!((measured.events, measured.append.requests, measured.refused), (2050, 21, 0));
        assert!(measured.query.as_ref().unwrap().requests > 0 && measured.stored_bytes_per_event.unwrap() > 1.0);
        assert!(measured.events_per_s > 0.0 && measured.server_cpu_us_per_event.unwrap() > 0.0);
        let mut out = Vec::new();
        measured.print(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        let client = Client::new(&url, Some(key.to_owned())).unwrap();
        let counted: Value = serde_json::from_slice(&client.get("/annals/v1/stats").unwrap()).unwrap();
        assert_eq!(counted.get("total").and_then(Value::as_u64), Some(2050));
        drop(stop);
        runtime.block_on(server).unwrap().unwrap();
    }
}
