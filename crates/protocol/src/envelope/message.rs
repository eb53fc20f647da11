//! One message of a conversation, as routing reads it.

use std::ops::Range;

use bytestring::ByteString;
use vsr_types::Role;

/// One message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Who wrote it. The legacy role `function` counts as a tool.
    pub role: Role,
    /// String content, or the text parts that are not empty joined by one space.
    pub text: ByteString,
    /// The URLs of its images, `data:` URIs included, in order.
    pub images: Vec<ByteString>,
    /// Audio parts.
    pub audios: u32,
    /// The first of them: its base64, or its URL.
    pub first_audio: Option<ByteString>,
    /// File and document parts.
    pub files: u32,
    /// Parts of other types.
    pub other_parts: u32,
    /// Calls that an assistant message makes.
    pub tool_calls: Vec<ToolCall>,
    /// The call that a tool message answers.
    pub tool_call_id: Option<ByteString>,
    /// An assistant's refusal.
    pub refusal: Option<ByteString>,
    /// Where the message stands in the body.
    pub span: Range<usize>,
}

/// One call of a tool.
#[derive(Debug, Clone)]
pub struct ToolCall {
    /// The call's id; empty for the legacy `function_call`.
    pub id: ByteString,
    /// The tool's name; empty if the call states none.
    pub name: ByteString,
    /// Where the arguments stand in the body, quotes included; empty if there are none.
    pub arguments: Range<usize>,
    /// The bytes of the whole call as sent.
    pub byte_length: u64,
}

// === impl Message

impl Message {
    /// Whether the message has any text but white space.
    pub fn has_text(&self) -> bool {
        !self.text.trim().is_empty()
    }
}
