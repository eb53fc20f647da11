//! Test support: mock LLM backends that behave or misbehave on real sockets, a raw HTTP/1.1 client that sees
//! exact bytes, a mock model hub, and a handle on a running router process.
//!
//! ```
//! use vsr_testkit::{Backend, Behaviour, RawClient};
//!
//! let backend = Backend::start(Behaviour::default());
//! let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
//! let response = RawClient::post_json(backend.port(), "/v1/chat/completions", body);
//! assert_eq!(response.status(), 200);
//! assert_eq!(backend.requests()[0].body, body.as_bytes());
//! ```
//!
//! Everything here blocks the calling thread and waits for events, with a deadline, never for a fixed time. A
//! backend runs on its own thread, so a test that shares its thread with a runtime under test calls the waiting
//! functions through `tokio::task::spawn_blocking`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "test support: a failure here is the test's failure, told by its panic"
)]

mod backend;
mod behaviour;
mod completion;
mod control;
mod gate;
mod model_hub;
mod raw_client;
mod recorded;
mod response;
mod router_process;
mod serve;
mod sse;
mod stream;
mod wait;
mod wire;

pub use backend::Backend;
pub use behaviour::{Behaviour, Fault, Split};
pub use gate::Gate;
pub use model_hub::{HubFault, ModelHub};
pub use raw_client::{RawClient, free_port};
pub use recorded::Recorded;
pub use response::{Chunk, Ending, Response};
pub use router_process::{Router, RouterSpec};
pub use sse::{SseEvent, parse_events};
pub use wait::DEADLINE;
