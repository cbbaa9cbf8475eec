//! The listener: connections and their limits, and an orderly end.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::config::{Limits, ServerConfig};
use crate::deed::Deed;
use crate::error::{Error, Result};
use crate::heads::{Head, HeadTimer};
use crate::inline::{Inline, allow, runtime};
use crate::metrics::{OpenConnection, metrics_router};
use crate::patience::Patient;
use crate::reload::reload;
use crate::router::router;
use crate::state::AppState;
use crate::tls::{Encrypted, Tls};

/// Bytes of a connection's buffer: the largest head with room to spare, and a good size to read
/// bodies in.
const BUFFER_SIZE_BYTES: usize = 256 << 10;
/// A pause after the system refuses a connection, so that a lack of descriptors does not spin.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// Serves until `shutdown` is done, then drains: `/readyz` answers 503, nothing new is accepted,
/// requests in flight get up to `limits.drain_time_max`, and the store is closed with everything in
/// it durable.
///
/// # Errors
/// The store cannot be closed in order.
pub async fn serve(state: AppState, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) -> Result<()> {
    listen(state, listener, None, shutdown).await
}

/// The same over TLS.
///
/// # Errors
/// The store cannot be closed in order.
pub async fn serve_tls(
    state: AppState,
    listener: TcpListener,
    tls: Tls,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<()> {
    listen(state, listener, Some(tls), shutdown).await
}

async fn listen(
    state: AppState,
    listener: TcpListener,
    tls: Option<Tls>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<()> {
    record(&state, started(&state, &listener)).await;
    let (stop, stopping) = watch::channel(());
    let door = Door {
        app: router(state.clone()),
        for_whom: Whom::Clients,
        tls,
        inline: Inline::start(&state.limits()),
        open: Arc::default(),
        stopping,
    };
    tokio::select! {
        () = door.accept(&state, &listener) => {}
        () = shutdown => {}
    }
    tracing::info!("draining");
    state.start_draining();
    drop(listener);
    drop(door);
    let _ = stop.send(());
    // Every connection holds a receiver: all gone means all done.
    if tokio::time::timeout(state.limits().drain_time_max, stop.closed()).await.is_err() {
        tracing::warn!("some requests took too long and are cut off");
    }
    record(&state, Deed::of_the_server("server.stopped")).await;
    let closed = tokio::task::spawn_blocking(move || state.close()).await;
    closed.map_err(|panicked| Error::Io("close the store".to_owned(), std::io::Error::other(panicked)))??;
    tracing::info!("closed");
    Ok(())
}

/// Shows `/metrics` until it is dropped.
async fn show_metrics(state: AppState, listener: TcpListener, tls: Option<Tls>) {
    // Dropped with this: connections end when their answer has gone.
    let (_stop, stopping) = watch::channel(());
    let app = metrics_router(state.clone());
    let door = Door { app, for_whom: Whom::Scrapers, tls, inline: None, open: Arc::default(), stopping };
    door.accept(&state, &listener).await;
}

/// Who comes in by a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    /// They are counted.
    Clients,
    Scrapers,
}

/// What lets connections in.
struct Door {
    app: Router,
    for_whom: Whom,
    tls: Option<Tls>,
    inline: Option<Arc<Inline>>,
    open: Arc<Connections>,
    stopping: watch::Receiver<()>,
}

impl Door {
    /// Lets connections in for as long as it is polled.
    async fn accept(&self, state: &AppState, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.let_in(state, stream, peer),
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn let_in(&self, state: &AppState, stream: TcpStream, peer: SocketAddr) {
        let limits = state.limits();
        let Some(place) = self.open.admit(peer.ip().to_canonical(), &limits) else {
            state.metrics().connection_refused();
            tracing::warn!(%peer, "too many connections");
            return;
        };
        let counted = (self.for_whom == Whom::Clients).then(|| OpenConnection::count(state));
        let connection = Connection { app: self.app.clone(), peer, limits, stopping: self.stopping.clone() };
        let tls = self.tls.clone();
        tokio::spawn(allow(self.inline.clone(), async move {
            let _held = (place, counted);
            connection.serve(stream, tls.as_ref()).await;
        }));
    }
}

fn started(state: &AppState, listener: &TcpListener) -> Deed {
    let address = listener.local_addr().map_or_else(|_unknown| "unknown".to_owned(), |address| address.to_string());
    Deed::of_the_server("server.started")
        .detail("listen", address.into())
        .detail("version", state.build().version.into())
        .detail("commit", state.build().commit.into())
}

/// Writes a deed down on a blocking thread.
async fn record(state: &AppState, deed: Deed) {
    let state = state.clone();
    // A panic is reported where it happens, and whether it is written down changes nothing.
    let _ = tokio::task::spawn_blocking(move || state.internal().record(&deed)).await;
}

/// One connection, by the limits of when it came.
struct Connection {
    app: Router,
    peer: SocketAddr,
    limits: Arc<Limits>,
    stopping: watch::Receiver<()>,
}

impl Connection {
    /// Serves it from its first byte to its last.
    async fn serve(mut self, stream: TcpStream, tls: Option<&Tls>) {
        let _ = stream.set_nodelay(true);
        let head = Arc::<Head>::default();
        let stream = Patient::new(stream, Arc::clone(&head), self.limits.body_pause_max);
        let Some(tls) = tls else { return self.http(stream, head, None).await };
        let greeted = TlsAcceptor::from(tls.current()).accept(stream);
        let peer = self.peer;
        tokio::select! {
            greeted = tokio::time::timeout(self.limits.tls_handshake_time_max, greeted) => match greeted {
                Ok(Ok(stream)) => self.http(stream, head, Some(Encrypted)).await,
                Ok(Err(error)) => tracing::debug!(%peer, %error, "a client and the server found no TLS in common"),
                Err(_elapsed) => tracing::debug!(%peer, "a client took too long to greet"),
            },
            // Nothing was asked yet, so nobody waits for an answer.
            _ = self.stopping.changed() => {}
        }
    }

    async fn http<S>(mut self, stream: S, head: Arc<Head>, encrypted: Option<Encrypted>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (peer, limits) = (self.peer, &self.limits);
        let service = self.app.map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            if let Some(encrypted) = encrypted {
                request.extensions_mut().insert(encrypted);
            }
            request.map(axum::body::Body::new)
        });
        let mut builder = http1::Builder::new();
        // Without the timer hyper accepts the timeout and never applies it.
        builder.timer(HeadTimer::new(head, limits)).header_read_timeout(limits.idle_time_max);
        // Above the limit the router answers, with a body; only far above it the connection does, without.
        builder.max_headers(2 * limits.headers_max).max_buf_size(BUFFER_SIZE_BYTES);
        let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        tokio::pin!(served);
        let result = tokio::select! {
            result = served.as_mut() => result,
            _ = self.stopping.changed() => {
                served.as_mut().graceful_shutdown();
                served.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%peer, %error, "a connection broke");
        }
    }
}

/// How many connections each address has open.
#[derive(Debug, Default)]
struct Connections(Mutex<(usize, HashMap<IpAddr, usize>)>);

impl Connections {
    fn admit(self: &Arc<Self>, address: IpAddr, limits: &Limits) -> Option<Place> {
        let mut guard = self.0.lock();
        let (all, by_address) = &mut *guard;
        let own = by_address.get(&address).copied().unwrap_or(0);
        if *all >= limits.connections_max || own >= limits.connections_per_address_max {
            return None;
        }
        *all += 1;
        by_address.insert(address, own + 1);
        Some(Place { connections: Arc::clone(self), address })
    }
}

/// A connection's place among the open ones, until it is dropped.
struct Place {
    connections: Arc<Connections>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut guard = self.connections.0.lock();
        let (all, by_address) = &mut *guard;
        *all = all.saturating_sub(1);
        if let Some(own) = by_address.get_mut(&self.address) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// Opens the store, serves until SIGTERM or SIGINT, drains and closes; a second signal ends the
/// process at once, which loses nothing that was acknowledged. At SIGHUP `reread` gives the settings anew:
/// what can change while the server runs is taken over, certificates are read again. `started` hears where
/// it listens and, on the first start without an administrator's key, the one that was made.
///
/// # Errors
/// A setting is wrong, the store cannot be opened or closed, or the address cannot be bound.
pub fn run(
    config: &ServerConfig,
    reread: impl Fn() -> Result<ServerConfig> + Send + Sync + 'static,
    started: impl FnOnce(SocketAddr, Option<&str>),
) -> Result<()> {
    config.validate()?;
    // Before the store is opened, which may take long.
    let tls = Tls::load(&config.tls)?;
    let io = |action: &str| {
        let action = action.to_owned();
        move |error| Error::Io(action, error)
    };
    let runtime = runtime()?;
    // Before the store is opened too: a hangup that nobody listens to would end the process.
    let hangup = {
        let _context = runtime.enter();
        signal(SignalKind::hangup()).map_err(io("listen for signals"))?
    };
    let setup = AppState::open(config)?;
    let result = runtime.block_on(async {
        let listener = TcpListener::bind(config.listen).await.map_err(io(&format!("listen on {}", config.listen)))?;
        let address = listener.local_addr().map_err(io("read the address of the listener"))?;
        let metrics = match config.metrics_listen {
            Some(address) => {
                let bound = TcpListener::bind(address).await.map_err(io(&format!("listen on {address}")))?;
                Some(tokio::spawn(show_metrics(setup.state.clone(), bound, tls.clone())))
            }
            None => None,
        };
        let shutdown = signals()?;
        let reloads = tokio::spawn(reload_at_hangup(hangup, setup.state.clone(), tls.clone(), reread));
        started(address, setup.new_admin_key.as_deref());
        let served = listen(setup.state, listener, tls, shutdown).await;
        reloads.abort();
        // Until now, so that a drain can be watched.
        if let Some(metrics) = metrics {
            metrics.abort();
        }
        served
    });
    // A handler that is still blocked must not keep the process.
    runtime.shutdown_background();
    result
}

/// Reads the settings again at every SIGHUP, one after the other.
async fn reload_at_hangup(
    mut hangup: Signal,
    state: AppState,
    tls: Option<Tls>,
    reread: impl Fn() -> Result<ServerConfig> + Send + Sync + 'static,
) {
    let reread = Arc::new(reread);
    while hangup.recv().await.is_some() {
        let (state, tls, reread) = (state.clone(), tls.clone(), Arc::clone(&reread));
        // A panic is reported where it happens; the next signal tries again.
        let _ = tokio::task::spawn_blocking(move || reload(&state, tls.as_ref(), &*reread)).await;
    }
}

/// Done at the first SIGTERM or SIGINT; the second ends the process.
fn signals() -> Result<impl Future<Output = ()> + Send> {
    let listen = |kind| signal(kind).map_err(|error| Error::Io("listen for signals".to_owned(), error));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let (first, wait) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut first = Some(first);
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            match first.take() {
                Some(first) => _ = first.send(()),
                None => std::process::exit(130),
            }
        }
    });
    Ok(async move { _ = wait.await })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn metrics_have_a_listener_of_their_own() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let directory = tempfile::tempdir().unwrap();
        let config = ServerConfig {
            log_size_bytes: annals_engine::LOG_SIZE_BYTES_MIN,
            admin_key: Some("the-administrators-key".to_owned()),
            ..ServerConfig::new(directory.path())
        };
        let state = AppState::open(&config).unwrap().state;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shown = tokio::spawn(show_metrics(state.clone(), listener, None));
        for (path, status, said) in
            [("/metrics", 200, "\nannals_connections 0\n"), ("/readyz", 404, ""), ("/annals/v1/store", 404, "")]
        {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(said), "{answer}");
        }
        shown.abort();
        assert!(shown.await.unwrap_err().is_cancelled());
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
        state.close().unwrap();
    }

    #[test]
    fn connections_are_counted_by_address_and_in_all() {
        let limits = Limits { connections_max: 3, connections_per_address_max: 2, ..Limits::default() };
        let open = Arc::new(Connections::default());
        let [a, b, c]: [IpAddr; 3] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into(), [192, 0, 2, 3].into()];
        let first = open.admit(a, &limits).unwrap();
        let _second = open.admit(a, &limits).unwrap();
        assert!(open.admit(a, &limits).is_none());
        let _third = open.admit(b, &limits).unwrap();
        assert!(open.admit(c, &limits).is_none());
        drop(first);
        assert!(open.admit(c, &limits).is_some());
    }
}
