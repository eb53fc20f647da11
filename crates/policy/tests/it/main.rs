//! The policy through its public surface.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says so when it is skipped"
)]

mod composers;
mod confidence;
mod explanation;
mod families;
mod fixture;
mod naive;
mod partitions;
mod permission;
mod releases;
mod scores;
mod truth;
mod validation;
mod winner;
