//! The canonical form of a request: what any client said, in one set of types.
//!
//! A client's document is read into a [`Conversation`]; an upstream's document is written from
//! one. Nothing is translated pair by pair, and whatever a writer cannot say is a
//! [`Loss`](crate::Loss) with the field it came from. Texts share the document's memory.

mod arrange;
mod provenance;
mod text;
mod view;

use std::fmt;

use bytestring::ByteString;
use vsr_types::Role;

use crate::error::RequestError;

pub(crate) use arrange::{Arranged, IdRules, arrange};
pub(crate) use provenance::{Mark, marked_signature, origin_of, read_mark};
pub use text::Text;

/// A whole request.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    /// Messages in order, those of system and developer included. Tool results stand in turns of
    /// their own, one or several to a turn.
    pub turns: Vec<Turn>,
    /// Declared tools.
    pub tools: Vec<Tool>,
    /// What to do about them.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several tools may be called at once, if stated.
    pub parallel_tool_calls: Option<bool>,
    /// The form of the answer.
    pub format: Format,
    /// Scalars.
    pub settings: Settings,
    /// Top-level fields that have no place here: name and JSON text, as sent.
    pub extras: Vec<(ByteString, ByteString)>,
    /// A scalar that the client's protocol does not allow. Whoever speaks that protocol judges it;
    /// where the request is translated it is refused.
    pub invalid: Option<RequestError>,
}

/// One message.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Who wrote it.
    pub role: Role,
    /// The author's name, if stated.
    pub name: Option<ByteString>,
    /// What it says, in order.
    pub parts: Vec<Part>,
    /// Where it stood.
    pub place: Place,
}

/// One part of a message.
#[derive(Debug, Clone)]
pub struct Part {
    /// What it is.
    pub content: Content,
    /// `cache_control`, as sent.
    pub cache_control: Option<ByteString>,
    /// Where it stood.
    pub place: Place,
}

/// What a part holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// Text.
    Text(Text),
    /// A picture.
    Image(Image),
    /// A document or another file.
    Document(Document),
    /// Sound.
    Audio {
        /// Base64.
        data: ByteString,
        /// `wav`, `mp3`.
        format: ByteString,
    },
    /// Reasoning in the open.
    Thinking {
        /// The text; may be empty.
        text: ByteString,
        /// What proves to the provider that it is its own.
        signature: Option<ByteString>,
    },
    /// Reasoning that only its provider can read.
    Redacted(ByteString),
    /// The model calls a tool.
    ToolUse(ToolUse),
    /// A tool's result.
    ToolResult(ToolResult),
    /// The model's refusal.
    Refusal(ByteString),
    /// Something this crate does not know.
    Unknown {
        /// Its type.
        kind: ByteString,
        /// Its text, if it has a field of that name.
        text: Option<ByteString>,
    },
}

/// Where the bytes of an image or a document are.
#[derive(Debug, Clone)]
pub enum Source {
    /// At a URL.
    Url(ByteString),
    /// Here.
    Base64 {
        /// The media type.
        media_type: ByteString,
        /// The bytes, encoded.
        data: ByteString,
    },
    /// At the provider, under an id.
    File(ByteString),
    /// Plain text.
    Text(ByteString),
    /// Nowhere, or stated in a way that cannot be read.
    Missing {
        /// Whether a data URI was there that is broken.
        is_broken: bool,
    },
}

/// A picture.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its bytes.
    pub source: Source,
    /// `low`, `high`, `auto`.
    pub detail: Option<ByteString>,
}

/// A document.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its bytes.
    pub source: Source,
    /// Its title or file name.
    pub title: Option<ByteString>,
    /// Whether it states more that only Anthropic knows: context, citations.
    pub has_details: bool,
}

/// What a tool takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolKind {
    /// A JSON object.
    Function,
    /// Free text.
    Custom,
}

/// A call of a tool.
#[derive(Debug, Clone)]
pub struct ToolUse {
    /// The id that the result refers to; may be empty.
    pub id: ByteString,
    /// The tool; may be empty.
    pub name: ByteString,
    /// JSON text for functions, not checked; free text for custom tools.
    pub input: ByteString,
    /// What the tool takes.
    pub kind: ToolKind,
    /// Bytes of the call as sent.
    pub byte_length: u64,
}

/// What a tool answered.
#[derive(Debug, Clone)]
pub struct ToolResult {
    /// The call's id; may be empty.
    pub id: ByteString,
    /// Text, images, documents.
    pub parts: Vec<Part>,
    /// Whether the tool failed.
    pub is_error: bool,
}

/// A declared tool.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Its name; may be empty.
    pub name: ByteString,
    /// What it is for.
    pub description: Option<ByteString>,
    /// What it takes.
    pub spec: ToolSpec,
    /// `cache_control`, as sent.
    pub cache_control: Option<ByteString>,
    /// Bytes of the definition as sent.
    pub byte_length: u64,
    /// Where it stood.
    pub place: Place,
}

/// What kind of tool is declared.
#[derive(Debug, Clone)]
pub enum ToolSpec {
    /// Called with a JSON object.
    Function {
        /// JSON Schema, as sent.
        schema: Option<ByteString>,
        /// Whether arguments must match the schema.
        strict: Option<bool>,
    },
    /// Called with free text.
    Custom {
        /// The text's grammar, as the client's protocol writes it.
        format: Option<ByteString>,
    },
    /// Run by the provider, or unknown here.
    Hosted {
        /// Its type.
        kind: ByteString,
    },
}

/// Which tools the model is to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    Named {
        /// Its name.
        name: ByteString,
        /// What it takes.
        kind: ToolKind,
    },
    /// Some of them.
    Allowed {
        /// Their names.
        names: Vec<ByteString>,
        /// Whether one must be called.
        is_required: bool,
    },
    /// A choice this crate does not know: its type.
    Other(ByteString),
}

/// The form of an answer.
#[derive(Debug, Clone, Default)]
pub enum Format {
    /// Not stated, or text.
    #[default]
    Text,
    /// Any JSON object.
    Json,
    /// JSON by a schema.
    Schema {
        /// The schema's name.
        name: Option<ByteString>,
        /// What it is for.
        description: Option<ByteString>,
        /// The schema, as sent.
        schema: ByteString,
        /// Whether it is enforced to the letter.
        strict: Option<bool>,
    },
}

/// How much the model is to reason.
#[derive(Debug, Clone, Default)]
pub struct Reasoning {
    /// `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`.
    pub effort: Option<ByteString>,
    /// The most tokens to spend.
    pub budget_tokens: Option<u64>,
    /// Whether it is switched off.
    pub is_off: bool,
    /// Whether the model decides how much.
    pub is_adaptive: bool,
}

/// Scalars of a request. Numbers are kept as written.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The model asked for; not empty.
    pub model: ByteString,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// The most tokens of the answer.
    pub max_tokens: Option<u64>,
    /// Temperature.
    pub temperature: Option<ByteString>,
    /// Nucleus sampling.
    pub top_p: Option<ByteString>,
    /// The most likely tokens.
    pub top_k: Option<ByteString>,
    /// Texts that end the answer.
    pub stop: Vec<ByteString>,
    /// Reasoning.
    pub reasoning: Reasoning,
    /// The end user's id.
    pub user: Option<ByteString>,
    /// The service tier.
    pub service_tier: Option<ByteString>,
    /// Log probabilities, with so many alternatives.
    pub logprobs: Option<u64>,
    /// How many words to use: `low`, `medium`, `high`.
    pub verbosity: Option<ByteString>,
}

/// Where something stood in the client's document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    list: &'static str,
    item: u32,
    part: u32,
}

const NO_INDEX: u32 = u32::MAX;

// === impl Place

impl Place {
    /// A top-level field.
    pub(crate) fn field(name: &'static str) -> Self {
        Self { list: name, item: NO_INDEX, part: NO_INDEX }
    }

    /// An item of a top-level list.
    pub(crate) fn item(list: &'static str, item: usize) -> Self {
        Self { list, item: u32::try_from(item).unwrap_or(NO_INDEX), part: NO_INDEX }
    }

    /// A content part of this item.
    pub(crate) fn part(self, part: usize) -> Self {
        Self { part: u32::try_from(part).unwrap_or(NO_INDEX), ..self }
    }

    /// A named field of what stands here.
    pub(crate) fn dot(self, field: &str) -> String {
        format!("{self}.{field}")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.list)?;
        if self.item != NO_INDEX {
            write!(f, "[{}]", self.item)?;
        }
        if self.part != NO_INDEX && self.item == NO_INDEX {
            write!(f, "[{}]", self.part)?;
        } else if self.part != NO_INDEX {
            write!(f, ".content[{}]", self.part)?;
        }
        Ok(())
    }
}

// === impl Turn

impl Turn {
    pub(crate) fn new(role: Role, place: Place) -> Self {
        Self { role, name: None, parts: Vec::new(), place }
    }

    pub(crate) fn push(&mut self, content: Content, place: Place) {
        self.parts.push(Part::new(content, place));
    }

    /// The calls that this turn makes.
    pub fn tool_uses(&self) -> impl Iterator<Item = &ToolUse> {
        self.parts.iter().filter_map(|part| match &part.content {
            Content::ToolUse(call) => Some(call),
            _ => None,
        })
    }
}

// === impl Part

impl Part {
    pub(crate) fn new(content: Content, place: Place) -> Self {
        Self { content, cache_control: None, place }
    }
}

// === impl Source

impl Source {
    /// A URL, which may be a data URI. `share` makes slices of `url` share its memory.
    pub(crate) fn of_url(url: ByteString) -> Self {
        let Some(rest) = url.strip_prefix("data:") else {
            return if url.is_empty() { Self::Missing { is_broken: false } } else { Self::Url(url) };
        };
        let parts = rest.split_once(',').and_then(|(head, data)| Some((head.strip_suffix(";base64")?, data)));
        match parts {
            // Parameters of the media type are of no use to anyone downstream.
            Some((head, data)) if is_base64(data) => {
                let media_type = head.split(';').next().unwrap_or_default();
                Self::Base64 { media_type: url.slice_ref(media_type), data: url.slice_ref(data) }
            }
            _ => Self::Missing { is_broken: true },
        }
    }
}

/// Whether `data` can be base64: its alphabet, with padding at the end alone.
fn is_base64(data: &str) -> bool {
    let digits = data.trim_ascii_end().trim_end_matches('=');
    // Lines may be broken, as in mails.
    let is_known = |b: u8| b.is_ascii_alphanumeric() || b"+/-_\r\n ".contains(&b);
    !digits.trim_ascii().is_empty() && digits.bytes().all(is_known)
}

// === impl Conversation

impl Conversation {
    /// Why nothing of this can be translated, if it consists of content of unknown types alone.
    pub(crate) fn unknown_only(&self) -> Option<RequestError> {
        let is_said = |turn: &&Turn| !matches!(turn.role, Role::System | Role::Developer);
        let mut unknown = None;
        for part in self.turns.iter().filter(is_said).flat_map(|turn| &turn.parts) {
            match &part.content {
                Content::Unknown { kind, .. } => unknown = unknown.or(Some((part.place, kind))),
                _ => return None,
            }
        }
        let (place, kind) = unknown?;
        let problem = format!(
            "has the type `{kind}`, which is unknown here, and nothing else in the request can be sent; \
             send at least one item of a known type"
        );
        Some(RequestError::field(place.to_string(), problem))
    }

    /// The names of tools that take free text.
    pub fn custom_tools(&self) -> impl Iterator<Item = &ByteString> {
        self.tools.iter().filter(|tool| matches!(tool.spec, ToolSpec::Custom { .. })).map(|tool| &tool.name)
    }
}
