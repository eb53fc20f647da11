//! The pipeline: a configuration compiled into an immutable snapshot, and requests routed by it.
//!
//! Knows nothing of sockets. [`compile`] is the validator: whatever it accepts can run.
//! [`Router::route`] turns a request into a [`Routed`]: forward these bytes to that backend,
//! answer with this, or refuse with that. Whichever it is, one [`Exchange`] accompanies the
//! request to its end and records how it went, exactly once.

mod access_log;
mod attempts;
mod backends;
mod balance;
mod check;
mod checkpoints;
mod checks;
mod counting;
mod exchange;
mod explain;
mod fast_response;
mod headers;
mod health;
mod inactive;
mod knowledge;
mod listener_tls;
mod losses;
mod metrics;
mod pass_through;
mod pictures;
mod reach;
mod read;
mod reasoning;
mod resilience;
mod route;
mod router;
mod snapshot;
mod user_key;

pub use attempts::{Again, Attempt};
pub use backends::{Backend, Model, Models};
pub use balance::Draw;
pub use checkpoints::HubUse;
pub use checks::{CheckedBackend, HealthCheck};
pub use counting::Counting;
pub use exchange::Exchange;
pub use explain::Explanation;
pub use headers::{ResponsePath, protocol_headers, response_headers};
pub use health::{CheckState, Health};
pub use knowledge::knowledge_manifest;
pub use listener_tls::{TlsError, TlsFiles};
pub use metrics::{Metrics, ReloadResult};
pub use pass_through::Passing;
pub use read::{Read, Reading};
pub use route::{Forward, Refusal, RouteInput, Routed, Shortcut};
pub use router::{Router, RouterParts};
pub use snapshot::{Snapshot, Surroundings, compile, compile_after};
pub use user_key::UserKey;
