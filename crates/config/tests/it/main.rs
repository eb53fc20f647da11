//! The contract through its public surface.

mod conformance;
