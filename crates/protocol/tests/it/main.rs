//! What the protocol crate promises, seen from outside.

mod chat_request;
mod documents;
mod errors;
mod json;
mod splice;
mod sse;
mod stream;
mod usage;
