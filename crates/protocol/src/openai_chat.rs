//! What backends that speak OpenAI Chat Completions answer: usage, and streams while they pass.

mod completion;
mod stream;
mod usage;

pub use completion::Completion;
pub use stream::{FinishReason, StreamEnd, StreamObserver, StreamOptions};
pub use usage::read_usage;

/// The event that closes a stream.
pub const DONE_EVENT: &[u8] = b"data: [DONE]\n\n";
