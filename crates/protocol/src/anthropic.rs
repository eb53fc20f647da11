//! Anthropic Messages: requests read and written, answers and streams.

mod answer;
mod models;
mod read;
mod request;
mod stream_in;
mod stream_out;
mod write;

pub use models::{model_body, model_list, token_count};
pub use request::MessagesRequest;
pub use write::ThinkingStyle;

pub(crate) use answer::{read_answer, write_answer};
pub(crate) use stream_in::MessagesReader;
pub(crate) use stream_out::MessagesWriter;
pub(crate) use write::write_request;

/// Where Anthropic's token limit is demanded and the client states none.
pub const DEFAULT_MAX_TOKENS: u64 = 4096;
