//! A worker: a thread with its own runtime, its own clients and its own connections to backends.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use hyper::server::conn::http1;
use tokio::{
    net::TcpStream,
    runtime,
    sync::{mpsc, oneshot, watch},
};
use vsr_responses::Responses;
use vsr_router::Router;
use vsr_upstream::Client;

use crate::{connection, listener::Place, request_id::IdSource, status::Status, tls::Handshakes};

/// What all requests of a worker share.
pub(crate) struct Worker {
    pub(crate) router: Arc<Router>,
    pub(crate) status: Arc<Status>,
    pub(crate) upstream: Client,
    pub(crate) ids: IdSource,
    /// Stored responses, where they are switched on.
    pub(crate) responses: Option<Arc<Responses>>,
    pub(crate) http: http1::Builder,
    pub(crate) handshakes: Handshakes,
    /// Since when models are served.
    pub(crate) started_seconds: u64,
}

/// A connection on its way to a worker.
pub(crate) struct Arrival {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) place: Place,
}

/// A running worker, seen from outside.
pub(crate) struct WorkerHandle {
    arrivals: mpsc::Sender<(Arrival, Load)>,
    load: Arc<AtomicUsize>,
    /// Resolves when the thread is over.
    pub(crate) ended: oneshot::Receiver<()>,
}

/// Counts one connection of a worker until it is dropped.
pub(crate) struct Load(Arc<AtomicUsize>);

/// How far the gateway is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifecycle {
    /// Taking requests.
    Serving,
    /// Finishing them.
    Draining,
    /// Dropping what is left.
    Aborting,
}

/// Connections that may wait for a worker.
const MAX_ARRIVALS: usize = 128;

/// Threads per worker for requests that are too large to be routed in line.
const MAX_BLOCKING_THREADS: usize = 4;

/// The largest request head.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// What is buffered per connection and direction at most, beside a body that is read whole.
pub(crate) const MAX_BUFFER_BYTES: usize = 128 * 1024;

/// How long threads for large requests may go on after the end.
const LAST_WORK: Duration = Duration::from_millis(200);

/// The HTTP/1.1 settings of all connections. Time limits are kept by [`crate::activity`], which tells idle from slow.
pub(crate) fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.keep_alive(true)
        .half_close(false)
        .header_read_timeout(None)
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(MAX_BUFFER_BYTES);
    http
}

/// Starts a worker thread.
pub(crate) fn start(
    index: usize,
    worker: Arc<Worker>,
    lifecycle: watch::Receiver<Lifecycle>,
) -> io::Result<WorkerHandle> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MAX_BLOCKING_THREADS)
        .thread_name(format!("gateway-{index}-large"))
        .build()?;
    let (arrivals, arriving) = mpsc::channel(MAX_ARRIVALS);
    let (over, ended) = oneshot::channel();
    thread::Builder::new().name(format!("gateway-{index}")).spawn(move || {
        runtime.block_on(run(worker, arriving, lifecycle));
        runtime.shutdown_timeout(LAST_WORK);
        drop(over);
    })?;
    Ok(WorkerHandle { arrivals, load: Arc::default(), ended })
}

/// Serves what arrives until nothing can arrive any more; then waits for the last connection, or for the abort.
async fn run(
    worker: Arc<Worker>,
    mut arriving: mpsc::Receiver<(Arrival, Load)>,
    mut lifecycle: watch::Receiver<Lifecycle>,
) {
    // Every connection holds the sender; the receiver learns when the last is gone.
    let (alive, mut all_gone) = mpsc::channel::<()>(1);
    while let Some((arrival, load)) = arriving.recv().await {
        let Arrival { stream, peer, place } = arrival;
        let stream = match TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be registered");
                continue;
            }
        };
        let (worker, alive) = (Arc::clone(&worker), alive.clone());
        tokio::spawn(async move {
            let _held = (alive, load);
            connection::serve(stream, peer, place, worker).await;
        });
    }
    drop(alive);
    tokio::select! {
        _ = all_gone.recv() => {}
        // An error means that the gateway is gone, which ends the same way.
        _ = lifecycle.wait_for(|now| *now == Lifecycle::Aborting) => {}
    }
}

// === impl WorkerHandle ===

impl WorkerHandle {
    /// How many connections it has.
    pub(crate) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Hands a connection over; gives it back if the worker's queue is full.
    pub(crate) fn try_take(&self, arrival: Arrival) -> Result<(), Arrival> {
        self.load.fetch_add(1, Ordering::Relaxed);
        let load = Load(Arc::clone(&self.load));
        self.arrivals.try_send((arrival, load)).map_err(|refused| refused.into_inner().0)
    }
}

// === impl Load ===

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
