//! Models served elsewhere: guardrails, matchers of preferences, classify endpoints and MCP classifiers, asked about
//! the texts of a [`ReadingPlan`](vsr_signals::ReadingPlan).
//!
//! Every call has a time limit, a cap on what is read, a breaker in front, and follows no redirect. What goes wrong
//! becomes the reason why evidence is unavailable; nothing passes for want of an answer. What texts and answers mean is
//! the business of `vsr_signals::external`.

mod asked;
mod breaker;
mod cache;
mod compile;
mod completion;
mod endpoint;
mod error;
mod mcp;
mod models;
mod pieces;

pub use breaker::{Breaker, BreakerSettings, Permit};
pub use models::{RemoteLimits, RemoteModels};
