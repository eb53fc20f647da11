//! The messages of a request: roles alternate, and none is empty.

use vsr_types::Role;

use super::sources::{document_source, image_source};
use crate::conversation::{Content, Mark, Part, ToolKind, ToolUse, Turn, read_mark};
use crate::json::{Writer, plain_json};
use crate::loss::{Losses, Reason};
use crate::translate::is_object;

/// Names that stand for nothing in a request that must have something.
const PLACEHOLDER: &str = "(empty)";

/// Writes messages one block at a time: roles alternate, and no message is empty.
pub(super) struct Messages<'w, 't> {
    out: &'w mut Writer,
    losses: &'w mut Losses,
    model: &'t str,
    /// The role of the message that is open.
    open: Option<&'static str>,
    has_messages: bool,
}

// === impl Messages

impl<'w, 't> Messages<'w, 't> {
    pub(super) fn new(out: &'w mut Writer, losses: &'w mut Losses, model: &'t str) -> Self {
        Self { out, losses, model, open: None, has_messages: false }
    }

    pub(super) fn turn(&mut self, turn: &Turn) {
        if turn.name.is_some() {
            self.losses.add(Reason::NameDropped, turn.place.dot("name"));
        }
        let role = match turn.role {
            Role::Assistant => "assistant",
            Role::Other => {
                self.losses.add(Reason::UnsupportedRole, turn.place.dot("role"));
                "user"
            }
            _ => "user",
        };
        let mut has_written = false;
        for part in &turn.parts {
            has_written |= self.part(part, role);
        }
        if !has_written && role == "user" {
            self.losses.add(Reason::EmptyMessage, turn.place.to_string());
            self.placeholder(role);
        } else if !has_written {
            self.losses.add(Reason::EmptyMessage, turn.place.to_string());
        }
    }

    pub(super) fn finish(mut self) {
        if !self.has_messages {
            self.placeholder("user");
        }
        self.close();
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            self.out.close(']');
            self.out.close('}');
        }
    }

    /// Writes a block in a message of `role`.
    fn block(&mut self, role: &'static str, content: impl FnOnce(&mut Writer)) {
        if !self.has_messages && role == "assistant" {
            // The first word is the user's.
            self.losses.add(Reason::EmptyMessage, "messages");
            self.placeholder("user");
        }
        self.enter(role);
        self.out.object(content);
    }

    /// A block that stands for nothing.
    fn placeholder(&mut self, role: &'static str) {
        self.enter(role);
        self.out.object(|block| {
            block.string_field("type", "text");
            block.string_field("text", PLACEHOLDER);
        });
    }

    /// Goes on with a message of `role`, or begins one.
    fn enter(&mut self, role: &'static str) {
        if self.open == Some(role) {
            return;
        }
        self.close();
        self.out.open('{');
        self.out.string_field("role", role);
        self.out.key("content").open('[');
        self.open = Some(role);
        self.has_messages = true;
    }

    /// Writes a part; says whether there was anything to write.
    fn part(&mut self, part: &Part, role: &'static str) -> bool {
        let cached = |block: &mut Writer| {
            if let Some(cache_control) = &part.cache_control {
                block.raw_field("cache_control", cache_control);
            }
        };
        match &part.content {
            Content::Text(text) => {
                if text.is_blank() {
                    return false;
                }
                self.block(role, |block| {
                    block.string_field("type", "text");
                    block.text_field("text", text);
                    cached(block);
                });
                true
            }
            Content::Refusal(text) => {
                if text.trim().is_empty() {
                    return false;
                }
                self.block(role, |block| {
                    block.string_field("type", "text");
                    block.string_field("text", text);
                    cached(block);
                });
                true
            }
            Content::Image(image) => match image_source(image, part.place, self.losses) {
                Some(source) => {
                    self.block(role, |block| {
                        block.string_field("type", "image");
                        source(block);
                        cached(block);
                    });
                    true
                }
                None => false,
            },
            Content::Document(document) => match document_source(document, part.place, self.losses) {
                Some(source) => {
                    self.block(role, |block| {
                        block.string_field("type", "document");
                        source(block);
                        if let Some(title) = &document.title {
                            block.string_field("title", title);
                        }
                        cached(block);
                    });
                    true
                }
                None => false,
            },
            Content::Audio { .. } => self.drop_part(Reason::Audio, part),
            Content::Thinking { text, signature } => self.thinking(part, text, signature.as_deref()),
            Content::Redacted(sealed) => match read_mark(sealed).filter(|mark| mark.is_of(self.model)) {
                Some(Mark::Redacted { payload, .. }) => {
                    self.block(role, |block| {
                        block.string_field("type", "redacted_thinking");
                        block.string_field("data", payload);
                    });
                    true
                }
                // Reasoning whose text its provider does not show.
                Some(Mark::Signature { .. }) => self.thinking(part, "", Some(sealed)),
                None => self.drop_part(Reason::Redacted, part),
            },
            Content::ToolUse(call) => {
                self.tool_use(part, call);
                true
            }
            Content::ToolResult(result) => {
                let mut inner = Writer::default();
                inner.open('[');
                let mut count = 0;
                for nested in &result.parts {
                    count += usize::from(self.result_part(nested, &mut inner));
                }
                inner.close(']');
                let content = inner.into_string();
                self.block(role, |block| {
                    block.string_field("type", "tool_result");
                    block.string_field("tool_use_id", &result.id);
                    match result.parts.as_slice() {
                        [Part { content: Content::Text(text), cache_control: None, .. }] => {
                            block.text_field("content", text);
                        }
                        _ if count > 0 => block.raw_field("content", &content),
                        _ => {}
                    }
                    if result.is_error {
                        block.bool_field("is_error", true);
                    }
                    cached(block);
                });
                true
            }
            Content::Unknown { .. } => self.drop_part(Reason::UnsupportedBlock, part),
        }
    }

    /// A part of a tool's result: only text, images and documents may stand there.
    fn result_part(&mut self, part: &Part, out: &mut Writer) -> bool {
        let cached = |block: &mut Writer| {
            if let Some(cache_control) = &part.cache_control {
                block.raw_field("cache_control", cache_control);
            }
        };
        match &part.content {
            Content::Text(text) if !text.is_blank() => out.object(|block| {
                block.string_field("type", "text");
                block.text_field("text", text);
                cached(block);
            }),
            Content::Text(_) => return false,
            Content::Image(image) => match image_source(image, part.place, self.losses) {
                Some(source) => out.object(|block| {
                    block.string_field("type", "image");
                    source(block);
                    cached(block);
                }),
                None => return false,
            },
            Content::Document(document) => match document_source(document, part.place, self.losses) {
                Some(source) => out.object(|block| {
                    block.string_field("type", "document");
                    source(block);
                    if let Some(title) = &document.title {
                        block.string_field("title", title);
                    }
                    cached(block);
                }),
                None => return false,
            },
            _ => return self.drop_part(Reason::UnsupportedBlock, part),
        }
        true
    }

    fn drop_part(&mut self, reason: Reason, part: &Part) -> bool {
        self.losses.add(reason, part.place.to_string());
        false
    }

    /// Reasoning goes back only to the model that wrote it, with the signature that proves it.
    fn thinking(&mut self, part: &Part, text: &str, signature: Option<&str>) -> bool {
        let own = signature.and_then(read_mark).filter(|mark| mark.is_of(self.model));
        match own {
            Some(Mark::Signature { payload, .. }) if !payload.is_empty() => {
                self.block("assistant", |block| {
                    block.string_field("type", "thinking");
                    block.string_field("thinking", text);
                    block.string_field("signature", payload);
                });
                true
            }
            _ if signature
                .is_some_and(|sealed| read_mark(sealed).is_none_or(|mark| !mark.payload().is_empty())) =>
            {
                self.drop_part(Reason::Signature, part)
            }
            _ => self.drop_part(Reason::Thinking, part),
        }
    }

    fn tool_use(&mut self, part: &Part, call: &ToolUse) {
        let mut wrapped = Writer::default();
        let input: &str = match call.kind {
            ToolKind::Custom => {
                wrapped.object(|input| input.string_field("input", &call.input));
                wrapped.as_str()
            }
            ToolKind::Function if call.input.trim().is_empty() => "{}",
            ToolKind::Function if is_object(&call.input) => &call.input,
            ToolKind::Function => {
                self.losses.add(Reason::InvalidArguments, part.place.to_string());
                wrapped.object(|input| input.string_field("arguments", &call.input));
                wrapped.as_str()
            }
        };
        self.block("assistant", |block| {
            block.string_field("type", "tool_use");
            block.string_field("id", &call.id);
            block.string_field("name", &call.name);
            block.raw_field("input", &plain_json(input));
            if let Some(cache_control) = &part.cache_control {
                block.raw_field("cache_control", cache_control);
            }
        });
    }
}
