//! The gateway: sockets bound, workers started, served until told to stop, drained.

use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc, thread, time::Duration};

use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval, timeout_at},
};
use vsr_responses::Responses;
use vsr_router::Router;
use vsr_types::{Clock, SystemClock};
use vsr_upstream::{Client, ClientConfig};

use crate::{
    BindError, Phase, Status,
    accept::{Dealer, accept},
    health_checks,
    listener::Listener,
    listeners::{Listeners, Socket},
    request_id::IdSource,
    responses,
    tls::Handshakes,
    worker::{self, Lifecycle, Worker, WorkerHandle},
};

/// What a [`Gateway`] is built with, beside the router's configuration.
pub struct GatewayOptions {
    /// Where the phase is told; shared with whoever else reports it.
    pub status: Arc<Status>,
    /// How long requests in flight may go on after shutdown began.
    pub drain_limit: Duration,
}

/// The data plane with its sockets bound, ready to serve.
pub struct Gateway {
    listeners: Listeners,
    addresses: Vec<SocketAddr>,
    workers: Vec<WorkerHandle>,
    checks: (Arc<Router>, ClientConfig),
    responses: Option<Arc<Responses>>,
    lifecycle: watch::Sender<Lifecycle>,
    status: Arc<Status>,
    drain_limit: Duration,
}

/// Who takes clients in.
struct Doors {
    dealer: Arc<Dealer>,
    tasks: JoinSet<()>,
    open: Vec<Door>,
}

/// One socket that is accepted from.
struct Door {
    address: SocketAddr,
    listener: Arc<Listener>,
    task: AbortHandle,
}

/// How often the files of certificates are looked at.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(2);

/// How long an aborted worker may take to end.
const ABORT_LIMIT: Duration = Duration::from_secs(2);

// === impl GatewayOptions ===

impl Default for GatewayOptions {
    fn default() -> Self {
        Self { status: Arc::default(), drain_limit: Duration::from_secs(30) }
    }
}

// === impl Gateway ===

impl Gateway {
    /// Binds the listeners of the router's configuration, or the default one if it has none, and starts the workers. Clients can connect from now on, and
    /// are answered once [`Gateway::serve`] runs.
    ///
    /// # Errors
    /// See [`BindError`].
    pub fn bind(router: &Arc<Router>, options: GatewayOptions) -> Result<Self, BindError> {
        let snapshot = router.snapshot();
        let config = Arc::clone(snapshot.config());
        let written = snapshot.listeners();
        let (listeners, addresses) = Listeners::open(&written, &config)?;
        let threads = match config.global.router.worker_threads {
            Some(threads) => threads.max(1) as usize,
            None => thread::available_parallelism().map_or(1, usize::from),
        };
        let responses = responses::start(router, &config).map_err(BindError::Responses)?;
        let GatewayOptions { status, drain_limit } = options;
        let upstream = snapshot.client_config().clone();
        let (lifecycle, watching) = watch::channel(Lifecycle::Serving);
        let started_seconds = SystemClock.now().seconds();
        let mut workers = Vec::with_capacity(threads);
        for index in 0..threads {
            let worker = Worker {
                router: Arc::clone(router),
                status: Arc::clone(&status),
                upstream: Client::new(&upstream),
                ids: IdSource::new(),
                responses: responses.clone(),
                http: worker::http(),
                handshakes: Handshakes::default(),
                started_seconds,
            };
            let started = worker::start(index, Arc::new(worker), watching.clone());
            workers.push(started.map_err(|reason| BindError::Worker { index, reason })?);
        }
        let checks = (Arc::clone(router), upstream);
        Ok(Self { listeners, addresses, workers, checks, responses, lifecycle, status, drain_limit })
    }

    /// Where it listens, in the order of the configuration.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.addresses.clone()
    }

    /// Its listeners, to change them.
    pub fn listeners(&self) -> Listeners {
        self.listeners.clone()
    }

    /// Serves until `shutdown` completes, then takes no more connections, lets the requests in flight finish, and after
    /// the drain limit drops those that have not.
    ///
    /// # Errors
    /// If a socket cannot be registered with the runtime.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let Self { listeners, workers, checks, responses, lifecycle, status, drain_limit, .. } = self;
        let mut doors =
            Doors { dealer: Arc::new(Dealer::new(workers)), tasks: JoinSet::new(), open: Vec::new() };
        let (router, upstream) = checks;
        doors.tasks.spawn(health_checks::check_backends(router, upstream));
        for socket in listeners.take_sockets() {
            doors.open(socket)?;
        }
        doors.tasks.spawn(renew_certificates(listeners.clone()));
        status.set(Phase::Ready);
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                () = listeners.changed() => doors.follow(&listeners),
            }
        }
        status.set(Phase::Draining);
        let dealer = doors.close().await;
        listeners.drain();
        lifecycle.send_replace(Lifecycle::Draining);
        if let Some(dealer) = Arc::into_inner(dealer) {
            drain(dealer, &lifecycle, drain_limit).await;
        }
        if let Some(responses) = responses {
            responses.close().await;
        }
        Ok(())
    }
}

/// Follows the files of certificates until the future is dropped.
async fn renew_certificates(listeners: Listeners) {
    let mut turns = interval(RENEWAL_INTERVAL);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let listeners = listeners.clone();
        // It only ever fails by a panic, after which the files are looked at again.
        let _done = tokio::task::spawn_blocking(move || listeners.renew_certificates()).await;
    }
}

async fn drain(dealer: Dealer, lifecycle: &watch::Sender<Lifecycle>, limit: Duration) {
    let deadline = Instant::now() + limit;
    let mut ended = std::pin::pin!(dealer.ended());
    if timeout_at(deadline, &mut ended).await.is_err() {
        tracing::warn!(
            limit_seconds = limit.as_secs(),
            "requests in flight did not end in time; dropping them"
        );
        lifecycle.send_replace(Lifecycle::Aborting);
        // A thread that is stuck in a request ends with the process.
        let _ended = timeout_at(Instant::now() + ABORT_LIMIT, ended).await;
    }
}

// === impl Doors ===

impl Doors {
    fn open(&mut self, socket: Socket) -> io::Result<()> {
        let Socket { index, socket, address, listener } = socket;
        let socket = tokio::net::TcpListener::from_std(socket)?;
        listener.warn_if_unguarded(index, address);
        tracing::info!(%address, "listening");
        // Those that are over are let go.
        while self.tasks.try_join_next().is_some() {}
        let task = self.tasks.spawn(accept(socket, Arc::clone(&listener), Arc::clone(&self.dealer)));
        self.open.push(Door { address, listener, task });
        Ok(())
    }

    /// Follows a new configuration.
    fn follow(&mut self, listeners: &Listeners) {
        for socket in listeners.take_sockets() {
            let address = socket.address;
            if let Err(error) = self.open(socket) {
                tracing::error!(%address, %error, "a new listener takes nobody in");
            }
        }
        self.open.retain(|Door { address, listener, task }| {
            let stays = listeners.has(listener);
            if !stays {
                task.abort();
                listener.drain();
                tracing::info!(%address, "a listener is gone and takes nobody in; its requests in flight end");
            }
            stays
        });
    }

    /// Takes nobody in any more.
    async fn close(mut self) -> Arc<Dealer> {
        self.tasks.shutdown().await;
        self.dealer
    }
}
