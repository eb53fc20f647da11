//! Owns the connections that carry many requests at a time (HTTP/2): which one takes a request, when another is opened,
//! when one is closed.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::SendRequest;
use tokio::{runtime::Handle, sync::Notify, task::AbortHandle, time::Instant};

use crate::{Endpoint, timer::after};

/// Requests on one connection at a time, if the server allows that many.
pub(crate) const MAX_STREAMS: usize = 100;
/// Servers that are remembered; more than a configuration has.
const MAX_SERVERS: usize = 4096;

/// An open HTTP/2 connection. Dropping it closes it at once.
pub(crate) struct Multiplexed {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) sender: SendRequest<Full<Bytes>>,
    allowed: Arc<Allowed>,
    driver: AbortHandle,
    streams: AtomicUsize,
    /// Takes no more requests.
    is_retired: AtomicBool,
    used: Mutex<Instant>,
}

/// How many streams the server allows at a time, as far as it has said and the connection's driver has looked.
pub(crate) struct Allowed {
    pub(crate) streams: AtomicUsize,
    /// Has the driver look again.
    pub(crate) look: Notify,
}

/// A request's place on a connection, given back when dropped.
pub(crate) struct Lease(Arc<Multiplexed>);

/// The connections of one client.
pub(crate) struct Connections {
    servers: Mutex<HashMap<Arc<Endpoint>, Arc<Server>>>,
    idle_timeout: Duration,
    is_sweeping: AtomicBool,
}

/// The connections to one server.
#[derive(Default)]
pub(crate) struct Server {
    /// Held while one is opened: who comes meanwhile waits for it and shares it.
    pub(crate) opening: tokio::sync::Mutex<()>,
    open: Mutex<Vec<Arc<Multiplexed>>>,
    /// Was offered HTTP/2 and picked HTTP/1.1.
    prefers_http1: AtomicBool,
}

// === impl Multiplexed ===

impl Multiplexed {
    pub(crate) fn new(
        endpoint: Arc<Endpoint>,
        sender: SendRequest<Full<Bytes>>,
        allowed: Arc<Allowed>,
        driver: AbortHandle,
    ) -> Self {
        Self {
            endpoint,
            sender,
            allowed,
            driver,
            streams: AtomicUsize::new(0),
            is_retired: AtomicBool::new(false),
            used: Mutex::new(Instant::now()),
        }
    }

    /// No more requests are given to it; those that it has go on.
    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
    }

    /// It has answered, so that what it allows is known.
    pub(crate) fn has_answered(&self) {
        self.allowed.look.notify_one();
    }

    fn is_usable(&self) -> bool {
        !self.is_retired.load(Ordering::Relaxed) && !self.sender.is_closed()
    }

    fn is_idle(&self) -> bool {
        self.streams.load(Ordering::Relaxed) == 0
    }

    /// A place, unless all are taken. A server that allows none at all gets one, to fail for itself.
    fn lease(self: &Arc<Self>) -> Option<Lease> {
        let allowed = self.allowed.streams.load(Ordering::Relaxed).clamp(1, MAX_STREAMS);
        if self.streams.fetch_add(1, Ordering::Relaxed) < allowed {
            Some(Lease(Arc::clone(self)))
        } else {
            self.streams.fetch_sub(1, Ordering::Relaxed);
            None
        }
    }
}

impl Drop for Multiplexed {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

// === impl Lease ===

impl std::ops::Deref for Lease {
    type Target = Multiplexed;

    fn deref(&self) -> &Multiplexed {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        *self.0.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Connections ===

impl Connections {
    pub(crate) fn new(idle_timeout: Duration) -> Self {
        Self { servers: Mutex::default(), idle_timeout, is_sweeping: AtomicBool::new(false) }
    }

    /// The connections to `endpoint`.
    pub(crate) fn server(self: &Arc<Self>, endpoint: &Arc<Endpoint>) -> Arc<Server> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = servers.get(endpoint) {
            return Arc::clone(server);
        }
        if servers.len() >= MAX_SERVERS {
            servers.retain(|_, server| Arc::strong_count(server) > 1 || !server.open().is_empty());
        }
        let server = Arc::new(Server::default());
        servers.insert(Arc::clone(endpoint), Arc::clone(&server));
        drop(servers);
        if let Ok(runtime) = Handle::try_current()
            && !self.is_sweeping.swap(true, Ordering::Relaxed)
        {
            runtime.spawn(sweep(Arc::downgrade(self), self.idle_timeout / 2));
        }
        server
    }

    /// How many connections are open.
    pub(crate) fn count(&self) -> usize {
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.values().map(|server| server.open().iter().filter(|open| open.is_usable()).count()).sum()
    }
}

/// Closes connections that carry nothing any more, until the client is gone.
async fn sweep(connections: Weak<Connections>, every: Duration) {
    let every = every.clamp(Duration::from_millis(10), Duration::from_secs(30));
    loop {
        tokio::time::sleep(every).await;
        let Some(connections) = connections.upgrade() else { return };
        let servers = connections.servers.lock().unwrap_or_else(PoisonError::into_inner);
        for server in servers.values() {
            server.close_idle(connections.idle_timeout);
        }
    }
}

// === impl Server ===

impl Server {
    fn open(&self) -> MutexGuard<'_, Vec<Arc<Multiplexed>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place on an open connection. The first one that has one takes it, so that the others run out of requests and are
    /// closed when there are fewer.
    pub(crate) fn lease(&self) -> Option<Lease> {
        let mut open = self.open();
        open.retain(|connection| connection.is_usable());
        open.iter().find_map(Multiplexed::lease)
    }

    /// Adds a connection that was just opened, and takes its first place.
    pub(crate) fn add(&self, connection: Multiplexed) -> Lease {
        self.prefers_http1.store(false, Ordering::Relaxed);
        let connection = Arc::new(connection);
        connection.streams.store(1, Ordering::Relaxed);
        self.open().push(Arc::clone(&connection));
        Lease(connection)
    }

    pub(crate) fn prefers_http1(&self) -> bool {
        self.prefers_http1.load(Ordering::Relaxed)
    }

    pub(crate) fn note_http1(&self) {
        self.prefers_http1.store(true, Ordering::Relaxed);
    }

    fn close_idle(&self, idle_timeout: Duration) {
        let now = Instant::now();
        self.open().retain(|connection| {
            let used = *connection.used.lock().unwrap_or_else(PoisonError::into_inner);
            let is_old = after(used, idle_timeout).is_some_and(|expires| now >= expires);
            connection.is_usable() && !(connection.is_idle() && is_old)
        });
    }
}
