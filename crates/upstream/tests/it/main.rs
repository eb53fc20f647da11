//! The client against raw sockets on loopback that behave, misbehave, or say nothing.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set its scene has failed")]

mod address;
mod aws;
mod dns;
mod endpoint;
mod headers;
mod hostile;
mod http2;
mod pool;
mod proxy;
mod retry_after;
mod server;
mod stream;
mod timeouts;
mod tls;
