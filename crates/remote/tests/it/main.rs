//! Models served elsewhere through the public surface: real sockets on loopback, real programs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod breaker;
mod chat;
mod classify;
mod configuration;
mod mcp_http;
mod mcp_stdio;
mod scene;
mod server;
