//! One client's connection: HTTP/1.1 served until it ends, drains, or takes too long.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::{Sleep, sleep_until},
};

use crate::{
    activity::Activity,
    listener::{Listener, Place},
    service,
    tls::Tls,
    transport::Transport,
    turn::Turn,
    worker::{Lifecycle, Worker},
};

/// A connection, as its requests see it.
pub(crate) struct Connection {
    pub(crate) worker: Arc<Worker>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) peer: SocketAddr,
    place: Place,
}

/// One timer per connection, registered once and moved only when a deadline comes earlier.
#[derive(Default)]
struct Deadline(Option<Pin<Box<Sleep>>>);

/// Serves a connection to its end.
pub(crate) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    worker: Arc<Worker>,
    lifecycle: watch::Receiver<Lifecycle>,
) {
    let rules = place.listener().rules();
    match rules.tls() {
        None => serve_http1(stream, peer, place, worker, lifecycle).await,
        // Apart, so that connections without it need no room for it.
        Some(tls) => Box::pin(serve_secure(stream, tls, peer, place, worker, lifecycle)).await,
    }
}

async fn serve_secure(
    stream: TcpStream,
    tls: &Tls,
    peer: SocketAddr,
    place: Place,
    worker: Arc<Worker>,
    mut lifecycle: watch::Receiver<Lifecycle>,
) {
    let limit = place.listener().rules().phase_limits.header;
    let stream = tokio::select! {
        biased;
        accepted = tls.accept(stream, limit, &worker.handshakes) => match accepted {
            Ok(stream) => stream,
            Err(reason) => {
                worker.router.metrics().refused("tls_handshake");
                return tracing::debug!(%peer, reason, "a client connection was not secured");
            }
        },
        _ = lifecycle.changed() => return,
    };
    serve_http1(stream, peer, place, worker, lifecycle).await;
}

async fn serve_http1<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peer: SocketAddr,
    place: Place,
    worker: Arc<Worker>,
    mut lifecycle: watch::Receiver<Lifecycle>,
) {
    let listener = place.listener();
    let activity = Activity::new(listener.rules().phase_limits);
    let io = TokioIo::new(Transport::new(stream, Arc::clone(&activity)));
    let connection = Arc::new(Connection { worker, activity, peer, place });
    let service = service_fn(|request| service::handle(Arc::clone(&connection), request));
    let mut http = pin!(connection.worker.http.serve_connection(io, service));
    // Looking is cheap and touches no lock; waiting registers this task once, to be woken.
    let watching = lifecycle.clone();
    let has_begun_to_drain = || watching.has_changed().unwrap_or(true);
    let mut drain = pin!(lifecycle.changed());
    let mut waits_for_drain = false;
    let mut is_draining = false;
    let mut deadline = Deadline::default();
    let ended = poll_fn(|cx| {
        Turn::begin();
        loop {
            if let Poll::Ready(ended) = http.as_mut().poll(cx) {
                return Poll::Ready(Some(ended));
            }
            if !waits_for_drain {
                waits_for_drain = true;
                // Whether it is ready is told by looking.
                let _ready = drain.as_mut().poll(cx);
            }
            if is_draining || !has_begun_to_drain() {
                break;
            }
            is_draining = true;
            http.as_mut().graceful_shutdown();
        }
        match connection.activity.deadline() {
            Some(limit) => deadline.poll_passed(cx, limit).map(|()| None),
            None => Poll::Pending,
        }
    });
    match ended.await {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%peer, %error, "a client connection failed"),
        None => tracing::debug!(%peer, "a client connection took too long"),
    }
}

// === impl Connection ===

impl Connection {
    pub(crate) fn listener(&self) -> &Arc<Listener> {
        self.place.listener()
    }
}

// === impl Deadline ===

impl Deadline {
    /// Ready once `limit` has passed. It may differ from call to call, and mostly moves later.
    fn poll_passed(&mut self, cx: &mut Context<'_>, limit: Instant) -> Poll<()> {
        let limit = limit.into();
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(limit)));
        if sleep.deadline() > limit {
            sleep.as_mut().reset(limit);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= limit {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(limit);
        }
        Poll::Pending
    }
}
