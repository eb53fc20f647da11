//! The gateway: sockets bound, workers started, served until told to stop, drained.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout_at},
};
use vsr_config::Config;
use vsr_responses::Responses;
use vsr_router::Router;
use vsr_types::{Clock, SystemClock};
use vsr_upstream::{Client, ClientConfig};

use crate::{
    BindError, Phase, Status,
    accept::{Dealer, accept},
    bind::bind,
    health_checks,
    listener::{Listener, Listeners, Rules},
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
    listeners: Vec<(TcpListener, SocketAddr, Arc<Listener>)>,
    rules: Listeners,
    workers: Vec<WorkerHandle>,
    checks: (Arc<Router>, ClientConfig),
    responses: Option<Arc<Responses>>,
    lifecycle: watch::Sender<Lifecycle>,
    status: Arc<Status>,
    drain_limit: Duration,
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
        let listeners = bind_all(&written, &config)?;
        let rules = Listeners::new(written.iter().zip(listeners.iter().map(|(.., listener)| listener)));
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
        Ok(Self { listeners, rules, workers, checks, responses, lifecycle, status, drain_limit })
    }

    /// Where it listens, in the order of the configuration.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|(_, address, _)| *address).collect()
    }

    /// Its listeners, to give them new rules.
    pub fn listeners(&self) -> Listeners {
        self.rules.clone()
    }

    /// Serves until `shutdown` completes, then takes no more connections, lets the requests in flight finish, and after
    /// the drain limit drops those that have not.
    ///
    /// # Errors
    /// If a socket cannot be registered with the runtime.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let Self { listeners, rules, workers, checks, responses, lifecycle, status, drain_limit } = self;
        let dealer = Arc::new(Dealer::new(workers));
        let mut accepting = JoinSet::new();
        let (router, upstream) = checks;
        accepting.spawn(health_checks::check_backends(router, upstream));
        for (index, (socket, address, listener)) in listeners.into_iter().enumerate() {
            listener.warn_if_unguarded(index, address);
            tracing::info!(%address, "listening");
            let socket = tokio::net::TcpListener::from_std(socket)?;
            accepting.spawn(accept(socket, listener, Arc::clone(&dealer)));
        }
        accepting.spawn(renew_certificates(rules));
        status.set(Phase::Ready);
        shutdown.await;
        status.set(Phase::Draining);
        accepting.shutdown().await;
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

fn bind_all(
    written: &[vsr_config::Listener],
    config: &Config,
) -> Result<Vec<(TcpListener, SocketAddr, Arc<Listener>)>, BindError> {
    let mut bound = Vec::with_capacity(written.len());
    for (index, written) in written.iter().enumerate() {
        let listener = Arc::new(Listener::new(Rules::new(index, written, config, None)?));
        let socket = bind(index, &written.address, written.port)?;
        let address = socket.local_addr().map_err(|reason| BindError::Refused {
            key: format!("listeners[{index}].address"),
            address: written.address.to_string(),
            port: written.port,
            reason,
        })?;
        bound.push((socket, address, listener));
    }
    Ok(bound)
}
