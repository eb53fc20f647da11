//! A listener of the configuration as connections see it: its door, its limits, how many are in.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use vsr_config::{Config, RoutingHeaders};

use crate::{BindError, activity::PhaseLimits, door::Door};

/// What every connection of a listener needs to know.
pub(crate) struct Listener {
    pub(crate) door: Door,
    pub(crate) max_body_bytes: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) routing_headers: RoutingHeaders,
    pub(crate) phase_limits: PhaseLimits,
    max_connections: usize,
    connections: AtomicUsize,
}

/// A place among a listener's connections; dropping it frees the place.
pub(crate) struct Place(Arc<Listener>);

// === impl Listener ===

impl Listener {
    pub(crate) fn new(
        index: usize,
        listener: &vsr_config::Listener,
        config: &Config,
    ) -> Result<Self, BindError> {
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
            max_connections: limits.max_connections as usize,
            connections: AtomicUsize::new(0),
        })
    }

    /// A place for one more connection, if there is one.
    pub(crate) fn place(self: &Arc<Self>) -> Option<Place> {
        let taken = self.connections.fetch_add(1, Ordering::Relaxed);
        // Held first and looked at after, so that a full listener gives its place back.
        let place = Place(Arc::clone(self));
        (taken < self.max_connections).then_some(place)
    }

    /// Warns of a listener that everybody can reach and nobody guards.
    pub(crate) fn warn_if_unguarded(&self, index: usize, address: SocketAddr) {
        if self.door.is_open() && !is_loopback(address.ip()) {
            tracing::warn!(
                %address,
                "ANYBODY who can reach this address may use the models behind it: the listener has neither api_keys nor \
                 trusted_peers. Set `listeners[{index}].api_keys`, or `listeners[{index}].address` to 127.0.0.1"
            );
        }
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
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
