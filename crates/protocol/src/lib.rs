//! The protocols that clients and backends speak: requests read once into an envelope, edited in
//! place, and answers observed while they stream.
//!
//! Nothing here knows how a route is chosen or how bytes travel. The rule everywhere: what
//! routing read is what the upstream receives.
//!
//! ```
//! use bytes::Bytes;
//! use vsr_protocol::{ChatRequest, Edits, RequestLimits};
//!
//! let body = Bytes::from_static(br#"{"model": "auto", "messages": [{"role": "user", "content": "hi"}]}"#);
//! let request = ChatRequest::parse(body, &RequestLimits::default())?;
//! assert_eq!(request.view().current_user, "hi");
//!
//! let mut edits = Edits::default();
//! edits.set_model("small");
//! let outgoing = edits.apply(&request);
//! assert_eq!(&outgoing[..], br#"{"model": "small", "messages": [{"role": "user", "content": "hi"}]}"#);
//! # Ok::<(), vsr_protocol::RequestError>(())
//! ```

pub mod json;
pub mod openai_chat;
pub mod sse;

mod envelope;
mod error;
mod models;
mod splice;

pub use envelope::{ChatRequest, Message, RequestLimits, ToolCall, ToolDefinitions};
pub use error::{ApiError, ErrorType, RequestError};
pub use models::{ModelEntry, model_list};
pub use splice::Edits;
