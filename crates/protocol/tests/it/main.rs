//! What the protocol crate promises, seen from outside.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bounds;
mod broken_streams;
mod chat_request;
mod documents;
mod errors;
mod fields;
mod grid;
mod json;
mod named;
mod oddities;
mod round_trip;
mod scalars;
mod sessions;
mod signatures;
mod splice;
mod sse;
mod stream;
mod texts;
mod translation;
mod usage;
