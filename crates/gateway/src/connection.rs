//! One client's connection: its protocol, and how it is served until it ends, drains, or takes too long.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::{Sleep, sleep_until, timeout},
};

use crate::{
    activity::Activity,
    http2,
    listener::{Listener, Place},
    service,
    tls::{HTTP_2, Tls},
    transport::Transport,
    turn::Turn,
    worker::{Lifecycle, Worker},
};

/// A connection, as its requests see it.
pub(crate) struct Connection {
    pub(crate) worker: Arc<Worker>,
    pub(crate) listener: Arc<Listener>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) peer: SocketAddr,
    /// The version of TLS, where it has it.
    pub(crate) tls: Option<&'static str>,
}

/// One timer per connection, registered once and moved only when a deadline comes earlier.
#[derive(Default)]
struct Deadline(Option<Pin<Box<Sleep>>>);

/// What an HTTP/2 client begins with, as far as no request of HTTP/1.1 does.
const PREFACE: [u8; 3] = *b"PRI";

/// Serves a connection to its end. It has its place among the listener's connections until then.
pub(crate) async fn serve(stream: TcpStream, peer: SocketAddr, place: Place, worker: Arc<Worker>) {
    let listener = Arc::clone(place.listener());
    let mut lifecycle = listener.lifecycle();
    let rules = listener.rules();
    let activity = Activity::new(rules.phase_limits);
    let (tls, limit) = (rules.tls().cloned(), rules.phase_limits.header);
    drop(rules);
    let connection = Connection { worker, listener, activity, peer, tls: None };
    if let Some(tls) = tls {
        // Apart, so that connections without it need no room for it.
        return Box::pin(serve_secure(stream, &tls, limit, connection, lifecycle)).await;
    }
    match is_http2(&stream, limit, &mut lifecycle).await {
        Some(false) => serve_http1(stream, connection, lifecycle).await,
        Some(true) => Box::pin(http2::serve(stream, connection, lifecycle)).await,
        None => tracing::debug!(%peer, "a client connection ended before it began"),
    }
}

/// Whether a client speaks HTTP/2 from its first word on; none if it does not speak. The bytes stay where they are.
async fn is_http2(
    stream: &TcpStream,
    limit: Duration,
    lifecycle: &mut watch::Receiver<Lifecycle>,
) -> Option<bool> {
    let mut first = [0; PREFACE.len()];
    tokio::select! {
        biased;
        peeked = timeout(limit, stream.peek(&mut first)) => {
            // Whoever sends less in one piece is no client of HTTP/2, which begins with 24 bytes.
            peeked.ok()?.ok().map(|_| first == PREFACE)
        }
        _ = lifecycle.changed() => None,
    }
}

async fn serve_secure(
    stream: TcpStream,
    tls: &Tls,
    limit: Duration,
    mut connection: Connection,
    mut lifecycle: watch::Receiver<Lifecycle>,
) {
    let worker = &connection.worker;
    let stream = tokio::select! {
        biased;
        accepted = tls.accept(stream, limit, &worker.handshakes) => match accepted {
            Ok(stream) => stream,
            Err(reason) => {
                worker.router.metrics().refused("tls_handshake");
                return tracing::debug!(peer = %connection.peer, reason, "a client connection was not secured");
            }
        },
        _ = lifecycle.changed() => return,
    };
    let session = stream.get_ref().1;
    connection.tls = session.protocol_version().and_then(|version| version.as_str());
    if session.alpn_protocol() == Some(HTTP_2) {
        http2::serve(stream, connection, lifecycle).await;
    } else {
        serve_http1(stream, connection, lifecycle).await;
    }
}

async fn serve_http1<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    connection: Connection,
    lifecycle: watch::Receiver<Lifecycle>,
) {
    let io = TokioIo::new(Transport::new(stream, Arc::clone(&connection.activity)));
    let connection = Arc::new(connection);
    let service = service_fn(|request| service::handle(Arc::clone(&connection), request));
    let http = pin!(connection.worker.http.serve_connection(io, service));
    let activity = &connection.activity;
    drive(http, |http| http.graceful_shutdown(), |_| activity.deadline(), lifecycle, connection.peer).await;
}

/// Polls a connection until it ends, or its deadline passes, which may move; shuts it down once the listener drains.
/// Whether it ended by itself.
/// `limit` has the task woken when the deadline may come earlier while the connection itself has nothing to do.
pub(crate) async fn drive<C: Future<Output = hyper::Result<()>>>(
    mut http: Pin<&mut C>,
    shut_down: impl Fn(Pin<&mut C>),
    limit: impl Fn(&mut Context<'_>) -> Option<Instant>,
    mut lifecycle: watch::Receiver<Lifecycle>,
    peer: SocketAddr,
) -> bool {
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
            shut_down(http.as_mut());
        }
        match limit(cx) {
            Some(limit) => deadline.poll_passed(cx, limit).map(|()| None),
            None => Poll::Pending,
        }
    });
    let ended = ended.await;
    match &ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%peer, %error, "a client connection failed"),
        None => tracing::debug!(%peer, "a client connection took too long"),
    }
    ended.is_some()
}

// === impl Connection ===

impl Connection {
    /// A stream of this connection: a connection of its own to whoever answers its request.
    pub(crate) fn stream(&self) -> Self {
        Self {
            worker: Arc::clone(&self.worker),
            listener: Arc::clone(&self.listener),
            activity: Activity::new(self.listener.rules().phase_limits),
            peer: self.peer,
            tls: self.tls,
        }
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
