//! The contract through its public surface.
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

mod conformance;
