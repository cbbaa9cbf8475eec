//! What HTTP costs on top of a query: one page of 100 events over a socket against the same query and
//! the writing of its JSON in process, in turns, so that both see the same machine.
//!
//! `cargo run --release -p annals-benches --bin overhead -- [EVENTS] [ROUNDS]`

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use annals_benches::{Stopwatch, append_all, generate};
use annals_engine::{Engine, Field, Filter, Options, TenantScope};
use annals_query::{Query, execute};
use annals_server::{AppState, ServerConfig, serve};

const ADMIN: &str = "the-administrators-key";
/// Pages of one turn: many enough for the CPU clock, few enough to take turns often.
const TURN: u32 = 50;
const PATH: &str = "/annals/v1/events?limit=100";

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let count: u64 = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(41), |text| text.parse())?;
    let scratch = tempfile::tempdir()?;
    let engine = Engine::open(Options::new(scratch.path()))?;
    let events = generate(count);
    append_all(&engine, &events, 1_000, 2)?;
    engine.seal_now()?;
    let mut realms = [""; 3];
    let middle = events.event(events.len() / 2, &mut realms).ok_or("no events")?;
    let event_type = middle.get(Field::EventType).unwrap_or_default().to_owned();

    let config = ServerConfig { admin_key: Some(ADMIN.to_owned()), ..ServerConfig::new(scratch.path()) };
    let state = AppState::with_engine(engine.clone(), &config)?.state;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = runtime.spawn(serve(state, listener, async {
        // Whether it is told to stop or nobody is left to tell it: it stops.
        _ = stopped.await;
    }));
    let mut client = Client::connect(address)?;
    say("medians per page of 100 events with an exact total")?;
    let pages = [
        ("newest 100", PATH.to_owned(), Filter::All),
        ("one event_type", format!("{PATH}&event_type={event_type}"), Filter::term(Field::EventType, &event_type)),
    ];
    for (name, path, filter) in pages {
        let query = Query::new(&TenantScope::Unlimited).filter(filter).limit(100);
        compare(name, rounds, &engine, &query, &mut client, &path)?;
    }
    let mut alive = Vec::new();
    for _ in 0..rounds {
        alive.push(turn(|| Ok(_ = client.get("/healthz")?))?);
    }
    let alive = median(&alive);
    say(&format!(
        "  GET /healthz, a request without a query: {:.0} us, CPU with the client's {:.0} us",
        alive.wall_us, alive.cpu_us
    ))?;
    _ = stop.send(());
    drop(client);
    runtime.block_on(server)??;
    Ok(())
}

/// Wall and CPU microseconds of one page.
#[derive(Clone, Copy, Debug)]
struct Cost {
    wall_us: f64,
    cpu_us: f64,
}

fn compare(name: &str, rounds: usize, engine: &Engine, query: &Query, client: &mut Client, path: &str) -> Outcome<()> {
    let (mut alone, mut inside, mut outside) = (Vec::new(), Vec::new(), Vec::new());
    let (mut written, mut received) = (0, 0);
    for _ in 0..rounds {
        alone.push(turn(|| Ok(_ = execute(&engine.snapshot(), query, &|| false)?))?);
        inside.push(turn(|| {
            let page = execute(&engine.snapshot(), query, &|| false)?;
            let mut body = Vec::new();
            for event in &page.events {
                annals_json::write_event(&mut body, event, None);
                body.push(b',');
            }
            written = body.len();
            Ok(())
        })?);
        outside.push(turn(|| {
            received = client.get(path)?;
            Ok(())
        })?);
    }
    let (alone, inside, outside) = (median(&alone), median(&inside), median(&outside));
    say(&format!(
        "  {name}: the query {:.0} us; with its JSON {:.0} us, CPU {:.0} us ({written} bytes); over HTTP {:.0} us, CPU with the client's {:.0} us \
         ({received} bytes); ratio {:.2}, of CPU {:.2}",
        alone.wall_us,
        inside.wall_us,
        inside.cpu_us,
        outside.wall_us,
        outside.cpu_us,
        outside.wall_us / inside.wall_us,
        outside.cpu_us / inside.cpu_us
    ))?;
    Ok(())
}

fn turn(mut page: impl FnMut() -> Outcome<()>) -> Outcome<Cost> {
    let stopwatch = Stopwatch::start();
    for _ in 0..TURN {
        page()?;
    }
    let pages = f64::from(TURN);
    Ok(Cost { wall_us: stopwatch.wall_s() * 1e6 / pages, cpu_us: stopwatch.cpu_s() * 1e6 / pages })
}

fn median(costs: &[Cost]) -> Cost {
    let middle = |of: fn(&Cost) -> f64| {
        let mut values: Vec<f64> = costs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    Cost { wall_us: middle(|cost| cost.wall_us), cpu_us: middle(|cost| cost.cpu_us) }
}

/// One connection that is kept.
struct Client {
    stream: BufReader<TcpStream>,
    body: Vec<u8>,
}

impl Client {
    fn connect(address: std::net::SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(64 << 10, stream), body: Vec::new() })
    }

    /// Reads one page and returns its size in bytes.
    fn get(&mut self, path: &str) -> Outcome<usize> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {ADMIN}\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        if !line.starts_with("HTTP/1.1 200 ") {
            return Err(format!("the server says {line:?}").into());
        }
        let mut size = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                None => break,
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => size = value.parse()?,
                Some(_) => {}
            }
        }
        self.body.resize(size, 0);
        self.stream.read_exact(&mut self.body)?;
        Ok(size)
    }
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}")
}
