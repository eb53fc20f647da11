//! The protocols that clients and backends speak: requests read once into an envelope, edited in
//! place, and answers observed while they stream.
//!
//! Nothing here knows how a route is chosen or how bytes travel. The rule everywhere: what
//! routing read is what the upstream receives.
//!
//! # Three client protocols, one request
//!
//! A [`ClientRequest`] is what any client sent: [`ChatRequest`], [`openai_responses::ResponsesRequest`]
//! or [`anthropic::MessagesRequest`]. Each holds the strict document it came as, so that a backend
//! of the same protocol gets the client's own bytes with nothing but the edits spliced in. For a
//! backend of another protocol the document is read into a [`Conversation`], the one canonical
//! form, and the backend's body is written from that. Answers take the same way back:
//! [`translate_answer`] for whole ones, [`StreamTranslator`] event by event, with what the
//! translation must know of the request in an [`AnswerContext`].
//!
//! What cannot be said on the other side is never dropped silently: every reader and writer adds to
//! [`Losses`], each a [`Reason`] and the field it was found in.
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

pub mod anthropic;
pub mod json;
pub mod openai_chat;
pub mod openai_responses;
pub mod sse;

mod answer;
mod conversation;
mod envelope;
mod error;
mod fields;
mod loss;
mod models;
mod named;
mod protocol;
mod scalars;
mod signatures;
mod splice;
mod translate;

pub use answer::AnswerContext;
pub use conversation::{
    Content, Conversation, Document, Format, Image, Part, Place, Reasoning, Settings, Source, Text, Tool,
    ToolChoice, ToolKind, ToolResult, ToolSpec, ToolUse, Turn,
};
pub use envelope::{ChatRequest, Message, RequestLimits, ToolCall, ToolDefinitions};
pub use error::{ApiError, ErrorType, RequestError, own_error};
pub use loss::{Loss, LossPolicy, Losses, Reason, Severity};
pub use models::{ModelEntry, model_list};
pub use named::NamedBody;
pub use protocol::Protocol;
pub use signatures::SignatureMemory;
pub use splice::Edits;
pub use translate::{
    ClientRequest, Effort, LimitField, Outgoing, StreamTranslator, Target, ThinkingStyle, TranslatedAnswer,
    TranslatorOptions, ViewedRequest, answered_error, own_answer, replay_answer, translate_answer,
};
