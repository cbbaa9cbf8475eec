//! Queries on the thread of the connection that asks.
//!
//! To hand a query to a blocking thread and its answer back takes two wake-ups, which cost more than most
//! queries. A server therefore has more threads for connections than there are processors ([`runtime`]), and
//! a query may run where its connection is as long as one thread for each processor is left to the others.
//!
//! That alone is not enough: of a runtime's threads one listens to the sockets, it works itself on what it
//! hears, and no other one listens until then, not even an idle one. So a thread of its own wakes one of
//! them every [`TICK`] while queries run. Whoever is not being queried for is heard within that time.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::Thread;
use std::time::Duration;

use tokio::runtime::{Handle, Runtime, RuntimeFlavor};

use crate::config::Limits;
use crate::error::{Error, Result};

/// How long a query may keep the one thread that listens.
const TICK: Duration = Duration::from_millis(2);
/// After so many ticks without a query nobody looks any more until the next one.
const IDLE_TICKS_MAX: u32 = 100;
/// A query that took so long lets others have their turn before its connection goes on.
pub(crate) const LONG: Duration = Duration::from_millis(1);

/// Queries of the process that run on threads of connections. Of all servers in it together: they may share
/// one runtime.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

tokio::task_local! {
    /// There on the connections of a server whose runtime has the threads.
    static HERE: Arc<Inline>;
}

/// The leave of a server's connections to run queries themselves.
#[derive(Debug)]
pub(crate) struct Inline {
    running_max: usize,
    /// Queries so far.
    begun: AtomicU64,
    /// Whether the watch waits to be woken.
    asleep: AtomicBool,
    watch: OnceLock<Thread>,
}

/// The threads that [`crate::serve`] is meant to run on: besides one for each processor as many as may be
/// inside of queries.
///
/// # Errors
/// The system has no threads to give.
pub fn runtime() -> Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2 * processors() + 2).enable_all();
    builder.build().map_err(|error| Error::Io("start the threads".to_owned(), error))
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Inline {
    /// For a server on the present runtime; `None` if that has no threads to spare.
    pub(crate) fn start(limits: &Limits) -> Option<Arc<Self>> {
        let handle = Handle::current();
        let spare = handle.metrics().num_workers().saturating_sub(processors());
        let running_max = spare.min(limits.reads_max);
        if handle.runtime_flavor() != RuntimeFlavor::MultiThread || running_max == 0 {
            return None;
        }
        let inline = Arc::new(Self {
            running_max,
            begun: AtomicU64::new(0),
            asleep: AtomicBool::new(false),
            watch: OnceLock::new(),
        });
        let held = Arc::downgrade(&inline);
        let watch = std::thread::Builder::new().name("annals-watch".to_owned()).spawn(move || watch(&held, &handle));
        match watch {
            Ok(watch) => _ = inline.watch.set(watch.thread().clone()),
            Err(error) => {
                tracing::warn!(%error, "queries get threads of their own");
                return None;
            }
        }
        Some(inline)
    }

    fn wake(&self) {
        if let Some(watch) = self.watch.get() {
            watch.unpark();
        }
    }
}

impl Drop for Inline {
    fn drop(&mut self) {
        // It finds nothing left to watch and ends.
        self.wake();
    }
}

/// Gives a connection the leave of its server.
pub(crate) async fn allow<F: Future>(inline: Option<Arc<Inline>>, connection: F) -> F::Output {
    match inline {
        Some(inline) => HERE.scope(inline, connection).await,
        None => connection.await,
    }
}

/// A place for a query on this thread, until it is dropped; `None` if this is no connection that has leave,
/// or there are too many already.
pub(crate) fn place() -> Option<Place> {
    HERE.try_with(|inline| {
        let more = |running| (running < inline.running_max).then_some(running + 1);
        RUNNING.fetch_update(Ordering::SeqCst, Ordering::Relaxed, more).ok()?;
        // ORDER: the watch says that it sleeps before it looks at the count for the last time.
        inline.begun.fetch_add(1, Ordering::SeqCst);
        if inline.asleep.swap(false, Ordering::SeqCst) {
            inline.wake();
        }
        Some(Place(()))
    })
    .ok()
    .flatten()
}

/// A query's place on the thread of its connection.
#[derive(Debug)]
pub(crate) struct Place(());

impl Drop for Place {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Wakes a thread of the runtime at every tick while queries run: an idle one that is woken listens.
fn watch(inline: &Weak<Inline>, handle: &Handle) {
    let (mut seen, mut idle_ticks) = (0, 0);
    loop {
        let Some(watched) = inline.upgrade() else { return };
        let (begun, running) = (watched.begun.load(Ordering::SeqCst), RUNNING.load(Ordering::SeqCst) > 0);
        if running {
            drop(handle.spawn(async {}));
        }
        idle_ticks = if running || begun != seen { 0 } else { idle_ticks + 1 };
        seen = begun;
        if idle_ticks < IDLE_TICKS_MAX {
            drop(watched);
            std::thread::sleep(TICK);
            continue;
        }
        idle_ticks = 0;
        watched.asleep.store(true, Ordering::SeqCst);
        let none_came = watched.begun.load(Ordering::SeqCst) == seen;
        drop(watched);
        if none_came {
            std::thread::park();
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "threads that block do so in real time")]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpStream};
    use std::time::Instant;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const SLOW: Duration = Duration::from_secs(1);

    /// Answers every byte with itself, an `s` only after it kept its thread as a slow query does.
    async fn echo(mut stream: tokio::net::TcpStream) {
        let mut byte = [0];
        while let Ok(1) = stream.read(&mut byte).await {
            if byte == *b"s" {
                let place = place().expect("there are places");
                std::thread::sleep(SLOW);
                drop(place);
            }
            stream.write_all(&byte).await.unwrap();
        }
    }

    async fn listen(inline: Option<Arc<Inline>>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(allow(inline.clone(), echo(stream)));
            }
        });
        address
    }

    fn ask(stream: &mut TcpStream, byte: u8) -> Duration {
        let started = Instant::now();
        stream.write_all(&[byte]).unwrap();
        stream.read_exact(&mut [0]).unwrap();
        started.elapsed()
    }

    #[test]
    fn slow_queries_on_every_place_keep_nobody_else_waiting() {
        let runtime = runtime().unwrap();
        let (address, places) = runtime.block_on(async {
            let inline = Inline::start(&Limits::default());
            let places = inline.as_ref().map(|inline| inline.running_max).unwrap();
            (listen(inline).await, places)
        });
        let connect = || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            ask(&mut stream, b'q');
            stream
        };
        let mut quick = connect();
        // Longer than the watch looks on without a query.
        std::thread::sleep(TICK * (IDLE_TICKS_MAX + 50));
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..places {
                let mut slow = connect();
                scope.spawn(move || assert!(ask(&mut slow, b's') >= SLOW));
                // One after the other, so that each of them is heard by a thread that listens.
                std::thread::sleep(Duration::from_millis(20));
                let took = ask(&mut quick, b'q');
                assert!(took < SLOW / 2 || started.elapsed() > SLOW, "{took:?}");
            }
        });
    }

    #[test]
    fn there_are_no_places_elsewhere_or_without_threads_to_spare() {
        assert!(place().is_none());
        let alone = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert!(alone.block_on(async { Inline::start(&Limits::default()) }).is_none());
    }
}
