//! Owns the idle connections of one client: newest first, bounded per endpoint and in all, closed when too old.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use tokio::{runtime::Handle, task::AbortHandle, time::Instant};

use crate::{ClientConfig, Endpoint, timer::after, transport::Meter};

/// An open connection, idle or lent to one exchange. Dropping it closes it at once, whatever its driver is at: a server
/// that answers early and reads no more would otherwise hold the rest of the request in memory for as long as it likes.
pub(crate) struct Connection {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) sender: SendRequest<Full<Bytes>>,
    pub(crate) meter: Arc<Meter>,
    /// How long the server said it keeps the connection open while idle.
    pub(crate) server_keeps_open: Option<Duration>,
    driver: AbortHandle,
    /// What the meter reads at least once the current request's body is out.
    request_end: u64,
}

/// The idle connections. No lock is held across an await, and none while the network is touched.
pub(crate) struct Pool {
    idle: Mutex<Idle>,
    max_idle: usize,
    max_idle_per_host: usize,
    idle_timeout: Duration,
}

#[derive(Default)]
struct Idle {
    by_endpoint: HashMap<Arc<Endpoint>, Vec<Entry>>,
    count: usize,
    sweeping: bool,
}

struct Entry {
    connection: Connection,
    since: Instant,
    expires: Option<Instant>,
}

// === impl Connection ===

impl Connection {
    pub(crate) fn new(
        endpoint: Arc<Endpoint>,
        sender: SendRequest<Full<Bytes>>,
        meter: Arc<Meter>,
        driver: AbortHandle,
    ) -> Self {
        Self { endpoint, sender, meter, server_keeps_open: None, driver, request_end: 0 }
    }

    /// Notes that a request with a body of so many bytes is about to be written; returns the meter's reading before it.
    pub(crate) fn begin_request(&mut self, body_bytes: u64) -> u64 {
        let before = self.meter.written_bytes();
        self.request_end = before + body_bytes;
        before
    }

    /// True when the network has taken the current request's body: a connection on which an early answer overtook it
    /// cannot serve another request.
    pub(crate) fn is_request_out(&self) -> bool {
        self.meter.written_bytes() >= self.request_end
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

// === impl Pool ===

impl Pool {
    pub(crate) fn new(config: &ClientConfig) -> Self {
        Self {
            idle: Mutex::default(),
            max_idle: config.pool_max_idle,
            max_idle_per_host: config.pool_max_idle_per_host.min(config.pool_max_idle),
            idle_timeout: config.pool_idle_timeout,
        }
    }

    /// The newest idle connection to `endpoint` that is still open, if any, and how long it was idle.
    pub(crate) fn check_out(&self, endpoint: &Arc<Endpoint>) -> Option<(Connection, Duration)> {
        let mut idle = self.lock();
        let Idle { by_endpoint, count, .. } = &mut *idle;
        let entries = by_endpoint.get_mut(endpoint)?;
        let now = Instant::now();
        let mut at = entries.len();
        while at > 0 {
            at -= 1;
            let entry = &entries[at];
            if entry.is_dead(now) {
                entries.remove(at);
                *count -= 1;
            } else if entry.connection.sender.is_ready() {
                *count -= 1;
                let entry = entries.remove(at);
                return Some((entry.connection, now - entry.since));
            }
        }
        None
    }

    /// Keeps a connection whose last response was read to its end. One that turns out to be closing is dropped later.
    pub(crate) fn check_in(self: &Arc<Self>, connection: Connection) {
        if self.max_idle_per_host == 0 || connection.sender.is_closed() {
            return;
        }
        let now = Instant::now();
        let keep =
            connection.server_keeps_open.map_or(self.idle_timeout, |server| server.min(self.idle_timeout));
        let entry = Entry { since: now, expires: after(now, keep), connection };
        let mut idle = self.lock();
        if idle.count >= self.max_idle {
            idle.drop_dead(now);
            if idle.count >= self.max_idle {
                idle.drop_oldest();
            }
        }
        idle.add(entry, self.max_idle_per_host);
        if !idle.sweeping
            && let Ok(runtime) = Handle::try_current()
        {
            idle.sweeping = true;
            drop(idle);
            runtime.spawn(sweep(Sweeper(Arc::downgrade(self)), self.idle_timeout / 2));
        }
    }

    /// How many connections wait for reuse, those included that their server has closed and no sweep has dropped yet.
    pub(crate) fn idle_count(&self) -> usize {
        self.lock().count
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Idle ===

impl Idle {
    fn add(&mut self, entry: Entry, max_per_host: usize) {
        let entries = self.by_endpoint.entry(Arc::clone(&entry.connection.endpoint)).or_default();
        if entries.len() >= max_per_host {
            entries.remove(0);
        } else {
            self.count += 1;
        }
        entries.push(entry);
    }

    fn drop_dead(&mut self, now: Instant) {
        let mut count = 0;
        self.by_endpoint.retain(|_, entries| {
            entries.retain(|entry| !entry.is_dead(now));
            count += entries.len();
            !entries.is_empty()
        });
        self.count = count;
    }

    fn drop_oldest(&mut self) {
        let oldest = self
            .by_endpoint
            .values_mut()
            .filter(|entries| !entries.is_empty())
            .min_by_key(|entries| entries.first().map(|entry| entry.since));
        if let Some(entries) = oldest {
            entries.remove(0);
            self.count -= 1;
        }
    }
}

impl Entry {
    fn is_dead(&self, now: Instant) -> bool {
        self.connection.sender.is_closed() || self.expires.is_some_and(|expires| now >= expires)
    }
}

/// Marks the pool as unswept when the sweep ends for whatever reason, its runtime's end included.
struct Sweeper(Weak<Pool>);

impl Drop for Sweeper {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.lock().sweeping = false;
        }
    }
}

/// Closes idle connections that nobody asks for any more. Ends when none are left or the client is gone.
async fn sweep(mut sweeper: Sweeper, every: Duration) {
    let every = every.clamp(Duration::from_millis(10), Duration::from_secs(30));
    loop {
        tokio::time::sleep(every).await;
        let Some(pool) = sweeper.0.upgrade() else { return };
        let mut idle = pool.lock();
        idle.drop_dead(Instant::now());
        if idle.count == 0 {
            idle.sweeping = false;
            sweeper.0 = Weak::new();
            return;
        }
    }
}
