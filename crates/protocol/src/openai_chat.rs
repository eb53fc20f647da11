//! What backends that speak OpenAI Chat Completions answer: usage, and streams while they pass.

mod answer;
mod completion;
mod read;
mod stream;
mod stream_in;
mod stream_out;
mod usage;
mod write;

pub use completion::Completion;
pub use stream::{FinishReason, StreamEnd, StreamObserver, StreamOptions};
pub use usage::read_usage;

pub(crate) use answer::{read_answer, write_answer};
pub(crate) use read::{custom_tools, read_conversation};
pub(crate) use stream_in::ChatReader;
pub(crate) use stream_out::ChatWriter;
pub(crate) use usage::usage_of;
pub(crate) use write::write_request;

/// The event that closes a stream.
pub const DONE_EVENT: &[u8] = b"data: [DONE]\n\n";
