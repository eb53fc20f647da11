//! The client against raw sockets on loopback that behave, misbehave, or say nothing.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set its scene has failed")]

mod address;
mod dns;
mod endpoint;
mod headers;
mod hostile;
mod pool;
mod server;
mod stream;
mod timeouts;
mod tls;
