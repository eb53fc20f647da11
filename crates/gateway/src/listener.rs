//! A listener as connections see it: its rules, which a new configuration may change, how many are in, and whether it
//! still takes any.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use http::Version;
use tokio::sync::watch;
use vsr_config::{Config, RoutingHeaders};

use crate::{
    BindError, activity::PhaseLimits, door::Door, header_rules::HeaderRules, tls::Tls, worker::Lifecycle,
};

/// A bound listener.
pub(crate) struct Listener {
    rules: ArcSwap<Rules>,
    connections: AtomicUsize,
    /// Requests in flight, as far as they are bounded.
    requests: AtomicUsize,
    course: ArcSwap<Course>,
}

/// What a listener asks of its clients and allows them. A request keeps those it began with.
pub(crate) struct Rules {
    pub(crate) door: Door,
    pub(crate) max_body_bytes: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) routing_headers: RoutingHeaders,
    pub(crate) phase_limits: PhaseLimits,
    pub(crate) headers: HeaderRules,
    /// After so long a silence a stream tells its client that it goes on; none never.
    pub(crate) ping_interval: Option<Duration>,
    /// Whole answers of at least so many bytes are compressed for clients that accept it.
    pub(crate) compress_from_bytes: Option<usize>,
    /// The most streams of one HTTP/2 connection.
    pub(crate) max_streams: u32,
    max_connections: usize,
    max_requests: Option<usize>,
    tls: Option<Arc<Tls>>,
}

/// A place among a listener's connections; dropping it frees the place.
pub(crate) struct Place(Arc<Listener>);

/// A request's seat among those in flight; dropping it frees the seat.
pub(crate) struct Seat(Arc<Listener>);

/// Tells the connections of a listener whether they may go on.
struct Course {
    sender: watch::Sender<Lifecycle>,
    /// Has seen nothing yet, as have its clones.
    watching: watch::Receiver<Lifecycle>,
}

// === impl Rules ===

impl Rules {
    pub(crate) fn new(
        index: usize,
        listener: &vsr_config::Listener,
        config: &Config,
        before: Option<&Self>,
    ) -> Result<Self, BindError> {
        let before = before.and_then(|rules| rules.tls.as_ref());
        let limits = &listener.limits;
        Ok(Self {
            door: Door::new(index, listener, &config.global.services.authz.identity)?,
            max_body_bytes: usize::try_from(limits.max_body_bytes).unwrap_or(usize::MAX),
            request_timeout: listener.timeout.0,
            routing_headers: listener.routing_headers,
            phase_limits: PhaseLimits {
                header: limits.header_timeout.0,
                idle: limits.idle_timeout.0,
                request: listener.timeout.0,
            },
            headers: HeaderRules::new(&listener.headers),
            ping_interval: Some(listener.ping_interval.0).filter(|interval| !interval.is_zero()),
            compress_from_bytes: listener
                .compress_from_bytes
                .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            max_streams: limits.max_streams.max(1),
            max_connections: limits.max_connections as usize,
            max_requests: limits.max_requests.map(|most| most as usize),
            tls: listener.tls.as_ref().map(|names| Tls::new(index, names, before)).transpose()?,
        })
    }

    /// The most requests in flight, if they are bounded. Those of HTTP/2 always are: many come by one connection, where
    /// of others there are no more than connections.
    pub(crate) fn max_requests(&self, version: Version) -> Option<usize> {
        self.max_requests.or_else(|| (version == Version::HTTP_2).then_some(self.max_connections))
    }

    /// Whether anybody may come in unasked.
    fn is_open(&self) -> bool {
        self.door.is_open() && !self.tls.as_ref().is_some_and(|tls| tls.knows_clients())
    }

    /// The transport security of connections, if they have any.
    pub(crate) fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }
}

// === impl Listener ===

impl Listener {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules: ArcSwap::from_pointee(rules),
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            course: ArcSwap::from_pointee(Course::new()),
        }
    }

    /// What tells a connection that begins now whether it may go on. To be asked for before the rules.
    pub(crate) fn lifecycle(&self) -> watch::Receiver<Lifecycle> {
        self.course.load().watching.clone()
    }

    /// Connections that are open end with the requests they have.
    pub(crate) fn drain(&self) {
        self.course.load().drain();
    }

    /// Has these rules for every request that begins from now on, on connections that are open too. Connections end with
    /// the requests they have where new ones would be secured in another way.
    pub(crate) fn take_over(&self, index: usize, rules: Arc<Rules>) {
        let before = self.rules.swap(rules);
        let now = self.rules.load();
        if now.is_open() && !before.is_open() {
            tracing::warn!(
                "`listeners[{index}]` has neither api_keys nor trusted_peers nor client certificates any more"
            );
        }
        let names = |rules: &Rules| rules.tls.as_ref().map(|tls| tls.names().clone());
        if names(&before) != names(&now) {
            self.course.swap(Arc::new(Course::new())).drain();
        }
    }

    /// The rules for what begins now.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Whether a connection that begins now has transport security.
    pub(crate) fn is_secure(&self) -> bool {
        self.rules.load().tls.is_some()
    }

    /// A place for one more connection, if there is one.
    pub(crate) fn place(self: &Arc<Self>) -> Option<Place> {
        let taken = self.connections.fetch_add(1, Ordering::Relaxed);
        // Held first and looked at after, so that a full listener gives its place back.
        let place = Place(Arc::clone(self));
        (taken < self.rules.load().max_connections).then_some(place)
    }

    /// A seat for one more request among at most `most`, if there is one.
    pub(crate) fn seat(self: &Arc<Self>, most: usize) -> Option<Seat> {
        let taken = self.requests.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(Arc::clone(self));
        (taken < most).then_some(seat)
    }

    /// Warns of a listener that everybody can reach and nobody guards.
    pub(crate) fn warn_if_unguarded(&self, index: usize, address: SocketAddr) {
        if self.rules.load().is_open() && !is_loopback(address.ip()) {
            tracing::warn!(
                %address,
                "ANYBODY who can reach this address may use the models behind it: the listener has neither api_keys nor \
                 trusted_peers, nor does it ask for client certificates. Set `listeners[{index}].api_keys`, or `listeners[{index}].address` to 127.0.0.1"
            );
        }
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

// === impl Course ===

impl Course {
    fn new() -> Self {
        let (sender, watching) = watch::channel(Lifecycle::Serving);
        Self { sender, watching }
    }

    fn drain(&self) {
        self.sender.send_replace(Lifecycle::Draining);
    }
}

// === impl Place ===

impl Place {
    pub(crate) fn listener(&self) -> &Arc<Listener> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}
