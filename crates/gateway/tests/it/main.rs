//! The data plane through real sockets: mock backends behind it, a client that sees exact bytes before it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set its scene has failed")]

mod backend_faults;
mod bodies;
mod broken_streams;
mod connections;
mod counting;
mod door;
mod drain;
mod elsewhere;
mod endpoints;
mod failover;
mod frames;
mod headers;
mod health_checks;
mod http2;
mod http2_rules;
mod learned;
mod listeners;
mod matrix;
mod panics;
mod pass_through;
mod pings;
mod protocols;
mod reload;
mod responses;
mod responses_bounds;
mod responses_conversations;
mod responses_native;
mod responses_owners;
mod responses_progress;
mod responses_references;
mod routing;
mod scene;
mod secure;
mod shedding;
mod signatures;
mod smuggling;
mod streaming;
mod translation_policy;
mod upstreams;
mod user_keys;
