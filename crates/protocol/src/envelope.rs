//! The envelope of a chat request: its bytes, and the typed view that all of routing reads.

mod message;
mod read;
mod view;

use bytes::Bytes;
use bytestring::ByteString;

use crate::error::RequestError;
use crate::json::{Document, JsonLimits, Value};

pub use message::{Message, ToolCall};

/// What a request may cost to read. The size of the body is the caller's to bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// Limits of the document.
    pub json: JsonLimits,
    /// Messages, content parts, tool calls and tool definitions together.
    pub max_items: usize,
}

/// An OpenAI Chat Completions request.
///
/// Texts are slices of the body where they hold no escapes. Keys written with escapes were
/// rewritten in plain form, so [`ChatRequest::body`] can differ from what was parsed in that way
/// and no other.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    document: Document,
    fields: Fields,
    messages: Vec<Message>,
    tools: ToolDefinitions,
}

/// The tools a client declared.
#[derive(Debug, Clone, Default)]
pub struct ToolDefinitions {
    /// Their names, for those that have one.
    pub names: Vec<ByteString>,
    /// How many there are.
    pub count: u32,
    /// The bytes of all definitions as sent.
    pub byte_length: u64,
    /// Whether the request states a tool choice.
    pub has_choice: bool,
}

/// The known scalars at the top level.
#[derive(Debug, Clone, Default)]
struct Fields {
    model: ByteString,
    stream: bool,
    include_usage: Option<bool>,
    reasoning_effort: Option<ByteString>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    choices: Option<u64>,
    user: Option<ByteString>,
}

// === impl RequestLimits

impl Default for RequestLimits {
    fn default() -> Self {
        Self { json: JsonLimits::default(), max_items: 65_536 }
    }
}

// === impl ChatRequest

impl ChatRequest {
    /// Reads a request body.
    ///
    /// # Errors
    ///
    /// Every error is the client's: the body is not acceptable JSON, or a field that routing
    /// reads is missing or of a wrong type.
    pub fn parse(body: Bytes, limits: &RequestLimits) -> Result<Self, RequestError> {
        let document = Document::parse(body, &limits.json)?.with_plain_keys(&limits.json)?;
        let (fields, messages, tools) = read::chat_request(&document, limits.max_items)?;
        Ok(Self { document, fields, messages, tools })
    }

    /// The body to send if nothing is edited.
    pub fn body(&self) -> &Bytes {
        self.document.bytes()
    }

    pub(crate) fn text(&self) -> &ByteString {
        self.document.text()
    }

    /// The body as a document, for fields that have no accessor here.
    pub fn root(&self) -> Value<'_> {
        self.document.root()
    }

    /// The model the client asked for; not empty.
    pub fn model(&self) -> &str {
        &self.fields.model
    }

    /// Whether the client wants a stream.
    pub fn stream(&self) -> bool {
        self.fields.stream
    }

    /// `stream_options.include_usage`.
    pub fn include_usage(&self) -> Option<bool> {
        self.fields.include_usage
    }

    /// The stated reasoning effort.
    pub fn reasoning_effort(&self) -> Option<&str> {
        self.fields.reasoning_effort.as_deref()
    }

    /// `max_tokens`, if it is a non-negative integer.
    pub fn max_tokens(&self) -> Option<u64> {
        self.fields.max_tokens
    }

    /// `max_completion_tokens`, if it is a non-negative integer.
    pub fn max_completion_tokens(&self) -> Option<u64> {
        self.fields.max_completion_tokens
    }

    /// `n`, the number of answers wanted, if it is a non-negative integer.
    pub fn choices(&self) -> Option<u64> {
        self.fields.choices
    }

    /// The end-user id that the client states. Untrusted.
    pub fn user(&self) -> Option<&str> {
        self.fields.user.as_deref()
    }

    /// `metadata`, if it is an object.
    pub fn metadata(&self) -> Option<Value<'_>> {
        self.object("metadata")
    }

    /// `chat_template_kwargs`, if it is there.
    pub fn chat_template_kwargs(&self) -> Option<Value<'_>> {
        self.object("chat_template_kwargs")
    }

    /// The messages, in order; never empty.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The declared tools.
    pub fn tools(&self) -> &ToolDefinitions {
        &self.tools
    }

    fn object(&self, key: &str) -> Option<Value<'_>> {
        self.root().get(key).filter(|value| value.kind() == crate::json::Kind::Object)
    }
}
