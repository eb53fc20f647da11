//! The signals through their public surface.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says so when it is skipped"
)]

mod authz;
mod calibration;
mod classified;
mod compile;
mod compression;
mod context;
mod conversation;
mod event;
mod external;
mod keyword;
mod keyword_methods;
mod language;
mod language_detector;
mod learned;
mod pii;
mod policy;
mod properties;
mod reader;
mod scanned;
mod semantic;
mod structure;
mod views;
