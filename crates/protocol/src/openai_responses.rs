//! OpenAI Responses: requests read, answers and streams written.
//!
//! As an upstream's protocol it passes through; it is not translated into.

mod answer;
mod echo;
mod read;
mod request;
mod stream_in;
mod stream_out;

pub use echo::ResponseFrame;
pub use request::{ResponsesRequest, marked_reasoning};

pub(crate) use answer::write_answer;
pub(crate) use stream_in::ResponsesReader;
pub(crate) use stream_out::ResponsesWriter;
