//! A configuration followed by a running router.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod change;
mod follow;
mod reload;
mod scene;
