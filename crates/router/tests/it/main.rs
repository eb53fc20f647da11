//! The pipeline through its public surface.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

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
