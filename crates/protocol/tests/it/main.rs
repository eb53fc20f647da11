//! What the protocol crate promises, seen from outside.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broken_streams;
mod chat_request;
mod documents;
mod errors;
mod fields;
mod grid;
mod json;
mod oddities;
mod scalars;
mod signatures;
mod splice;
mod sse;
mod stream;
mod texts;
mod translation;
mod usage;
