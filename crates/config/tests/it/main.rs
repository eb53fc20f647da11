//! The contract through its public surface.
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]
#![expect(clippy::unwrap_used, reason = "what a test prepares must be there")]

mod algorithms;
mod conformance;
mod dialects;
mod edit;
mod effective;
mod import;
mod legacy;
mod migrate;
mod migrate_any;
mod plugins;
mod reading;
mod references;
mod robustness;
mod sample;
mod schema;
