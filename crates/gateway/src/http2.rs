//! One client's HTTP/2 connection: its streams, each a request of its own, and what they may not do.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    time::{Duration, Instant},
};

use hyper::{rt::Executor, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::timeout,
};

use crate::{
    activity::REQUEST_GRACE,
    connection::{Connection, drive},
    service,
    turn::Turn,
    worker::{Lifecycle, MAX_BUFFER_BYTES, MAX_HEAD_BYTES},
};

/// The streams of one connection.
struct Streams {
    connection: Connection,
    opened: Instant,
    open: AtomicUsize,
    rest: Mutex<Rest>,
    begun: AtomicUsize,
    /// How many were reset by the client right after they began.
    abandoned: AtomicUsize,
}

/// What a connection does while it has no streams.
#[derive(Default)]
struct Rest {
    /// When the last stream ended, if there was one.
    since: Option<Instant>,
    /// Woken when the deadline may come earlier.
    task: Option<Waker>,
}

/// Runs streams as tasks of their own, each no longer than a request may take.
#[derive(Clone)]
struct StreamTasks(Arc<Streams>);

/// One that runs.
struct OpenStream(Arc<Streams>);

/// One whose answer has not begun.
struct Unanswered<'s> {
    streams: &'s Streams,
    began: Instant,
    is_answered: bool,
}

/// What one stream may send before it is read, and what all of a connection may: those of Envoy's guide for edge proxies.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// A client that has streams open and does not answer pings is gone.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_LIMIT: Duration = Duration::from_secs(20);

/// How long a client may take to hear that its idle connection ends.
const FAREWELL_LIMIT: Duration = Duration::from_secs(2);

/// Streams that were reset before they were even looked at, and those that broke the protocol, that a client may have.
const MAX_PENDING_RESETS: usize = 20;
const MAX_PROTOCOL_ERRORS: usize = 128;

/// A client that takes back so many requests, and more than half of all, within [`ABANDONED_WITHIN`] of making them
/// is after the work that they cause.
const MAX_ABANDONED: usize = 200;
const ABANDONED_WITHIN: Duration = Duration::from_secs(1);

/// Serves a connection to its end.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    connection: Connection,
    lifecycle: watch::Receiver<Lifecycle>,
) {
    let peer = connection.peer;
    let max_streams = connection.listener.rules().max_streams;
    let streams = Arc::new(Streams {
        connection,
        opened: Instant::now(),
        open: AtomicUsize::new(0),
        rest: Mutex::default(),
        begun: AtomicUsize::new(0),
        abandoned: AtomicUsize::new(0),
    });
    let mut http = http2::Builder::new(StreamTasks(Arc::clone(&streams)));
    http.timer(TokioTimer::new())
        .max_concurrent_streams(max_streams)
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .max_send_buf_size(MAX_BUFFER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_PROTOCOL_ERRORS)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_LIMIT);
    let service = service_fn(|request| {
        let streams = Arc::clone(&streams);
        async move {
            let mut unanswered = Unanswered::of(&streams);
            let stream = streams.connection.stream();
            let activity = Arc::clone(&stream.activity);
            let answer = service::handle(Arc::new(stream), request).await;
            unanswered.is_answered = !activity.has_broken_body();
            answer
        }
    });
    let mut http = pin!(http.serve_connection(TokioIo::new(stream), service));
    let shut_down = |http: Pin<&mut _>| http2::Connection::graceful_shutdown(http);
    let is_over = drive(http.as_mut(), shut_down, |cx| streams.deadline(cx), lifecycle.clone(), peer).await;
    if is_over || streams.is_abused() {
        return;
    }
    // A client that asks for something at this moment has to learn that nobody looks at it.
    shut_down(http.as_mut());
    let began = Instant::now();
    let limit = |cx: &mut Context<'_>| streams.farewell_deadline(cx, began);
    drive(http, shut_down, limit, lifecycle, peer).await;
}

// === impl Streams ===

impl Streams {
    /// When the connection has to end: at once if it is abused, none as long as it has streams, which have limits of
    /// their own. The task is woken when that changes.
    fn deadline(&self, cx: &mut Context<'_>) -> Option<Instant> {
        let mut rest = self.rest();
        match &mut rest.task {
            Some(task) => task.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        if self.is_abused() {
            return Some(self.opened);
        }
        if self.open.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let limits = self.connection.listener.rules().phase_limits;
        match rest.since {
            Some(since) => since.checked_add(limits.idle),
            None => self.opened.checked_add(limits.header),
        }
    }

    /// When a connection that was told to end has to.
    fn farewell_deadline(&self, cx: &mut Context<'_>, began: Instant) -> Option<Instant> {
        let limit = self.deadline(cx)?;
        Some(limit.min(began + FAREWELL_LIMIT))
    }

    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        let task = self.rest().task.take();
        if let Some(task) = task {
            task.wake();
        }
    }

    fn is_abused(&self) -> bool {
        let abandoned = self.abandoned.load(Ordering::Relaxed);
        abandoned > MAX_ABANDONED && abandoned * 2 > self.begun.load(Ordering::Relaxed)
    }

    fn abandon(&self) {
        let abandoned = self.abandoned.fetch_add(1, Ordering::Relaxed) + 1;
        if abandoned == MAX_ABANDONED + 1 {
            let peer = self.connection.peer;
            tracing::warn!(%peer, abandoned, "a client takes back most of its requests as soon as they are made");
            self.connection.worker.router.metrics().refused("http2_resets");
        }
        if self.is_abused() {
            self.wake();
        }
    }
}

impl<F> Executor<F> for StreamTasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        let open = OpenStream(Arc::clone(&self.0));
        let limits = self.0.connection.listener.rules().phase_limits;
        tokio::spawn(async move {
            let _open = open;
            let mut stream = pin!(stream);
            let turns = poll_fn(|cx| {
                Turn::begin();
                stream.as_mut().poll(cx)
            });
            // A request ends itself at its limit; a client that does not take the answer has its stream reset.
            let _ended = timeout(limits.request.saturating_add(REQUEST_GRACE), turns).await;
        });
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.rest().since = Some(Instant::now());
            self.0.wake();
        }
    }
}

impl<'s> Unanswered<'s> {
    fn of(streams: &'s Streams) -> Self {
        streams.begun.fetch_add(1, Ordering::Relaxed);
        Self { streams, began: Instant::now(), is_answered: false }
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.is_answered && self.began.elapsed() < ABANDONED_WITHIN {
            self.streams.abandon();
        }
    }
}
