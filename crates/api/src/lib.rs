//! The management surfaces: the HTTP API (`/api/v1/…`, `/config/…`, health, readiness) and the metrics endpoint.
//!
//! Both bind loopback unless the configuration says otherwise, and then demand a bearer token.
//! On loopback they refuse requests whose `Host` or `Origin` is not this machine, so that no web
//! page can reach them through a browser.

mod catalogue;
mod classify;
mod config;
mod embeddings;
mod error;
mod eval;
mod extract;
mod guard;
mod knowledge;
mod models;
mod server;

pub use error::ApiFailure;
pub use eval::{EvalRequest, EvalResponse};
pub use server::{Management, ManagementToken, StartError};
