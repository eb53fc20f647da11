//! The pipeline through its public surface.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a skipped test says so")]

mod backends;
mod balancing;
mod checkpoints;
mod checks;
mod explicit_models;
mod knowledge;
mod migrated;
mod reasoning;
mod routes;
mod scene;
