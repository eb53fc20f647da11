//! Writes a conversation as a chat request.

mod tools;

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;
use sha2::{Digest, Sha256};
use vsr_types::Role;

use tools::{write_tool_choice, write_tools};

use crate::conversation::{
    Content, Conversation, Document, Format, IdRules, Image, Part, Place, Source, Text, ToolKind, ToolResult,
    ToolUse, Turn, arrange, read_mark,
};
use crate::json::Writer;
use crate::loss::{Losses, Reason};
use crate::protocol::Protocol;
use crate::translate::{LimitField, Target, callable_tools, is_object, report_extras};

/// Fields that Responses has under the same names.
const CARRIED: &[&str] = &["prompt_cache_key", "prompt_cache_retention", SAFETY_IDENTIFIER];

const SAFETY_IDENTIFIER: &str = "safety_identifier";

/// The longest user id that OpenAI takes.
const MAX_USER_CHARS: usize = 64;

/// How the block begins by which Claude Code tells its vendor whom to bill. It is another one in every request, so that
/// no server could go on from the prompt that it has in its cache.
const BILLING_HEADER: &str = "x-anthropic-billing-header:";

/// Ids may hold anything here, and may repeat in later turns.
const IDS: IdRules = IdRules { is_plain: false, is_unique: false };

/// The body for a backend that speaks Chat Completions, with `turns` as those of the conversation of a client that
/// speaks `client`. It is of about `size` bytes.
pub(crate) fn write_request(
    conversation: &Conversation,
    turns: Vec<Turn>,
    client: Protocol,
    target: &Target<'_>,
    size: usize,
    losses: &mut Losses,
) -> Bytes {
    let turns = arrange(turns, IDS, losses);
    let settings = &conversation.settings;
    let mut out = Writer::with_capacity(size);
    out.open('{');
    out.string_field("model", target.model);
    out.key("messages").open('[');
    let last_user = turns.iter().rposition(|turn| turn.role == Role::User);
    for (index, turn) in turns.iter().enumerate() {
        let is_current = last_user.is_none_or(|last| index > last);
        let mut messages = Messages { out: &mut out, losses, model: target.model, is_current };
        messages.turn(turn);
    }
    if out.as_str().ends_with('[') {
        // There must be a message, and nothing that was said can be.
        losses.add(Reason::EmptyMessage, "messages");
        out.object(|message| {
            message.string_field("role", "user");
            message.string_field("content", "(empty)");
        });
    }
    out.close(']');
    if settings.stream {
        out.bool_field("stream", true);
        out.object_field("stream_options", |options| options.bool_field("include_usage", true));
    }
    if let Some(limit) = settings.max_tokens {
        let field = match target.limit_field {
            LimitField::MaxTokens => "max_tokens",
            LimitField::MaxCompletionTokens => "max_completion_tokens",
        };
        out.number_field(field, limit);
    }
    for (name, number) in [("temperature", &settings.temperature), ("top_p", &settings.top_p)] {
        if let Some(number) = number {
            out.raw_field(name, number);
        }
    }
    if settings.top_k.is_some() {
        losses.add(Reason::TopK, "top_k");
    }
    if !settings.stop.is_empty() {
        out.array_field("stop", |list| settings.stop.iter().for_each(|stop| list.string(stop)));
    }
    let tools = callable_tools(conversation, losses);
    if !tools.is_empty() {
        write_tools(&tools, &mut out, losses);
        write_tool_choice(conversation, &mut out, losses);
        if let Some(is_parallel) = conversation.parallel_tool_calls {
            out.bool_field("parallel_tool_calls", is_parallel);
        }
    }
    write_format(&conversation.format, &mut out);
    write_reasoning(conversation, &mut out, losses);
    if let Some(verbosity) = &settings.verbosity {
        out.string_field("verbosity", verbosity);
    }
    if let Some(alternatives) = settings.logprobs {
        out.bool_field("logprobs", true);
        if alternatives > 0 {
            out.number_field("top_logprobs", alternatives);
        }
    }
    if let Some(user) = &settings.user {
        let field = if client == Protocol::Messages { "metadata.user_id" } else { "user" };
        out.key("user");
        write_user(user, field, &mut out, losses);
    }
    match settings.service_tier.as_deref() {
        None => {}
        Some("standard_only") => out.string_field("service_tier", "default"),
        Some(tier) => out.string_field("service_tier", tier),
    }
    for (name, json) in &conversation.extras {
        if !CARRIED.contains(&&**name) {
            continue;
        }
        out.key(name);
        match (&**name, serde_json::from_str::<String>(json)) {
            (SAFETY_IDENTIFIER, Ok(user)) => write_user(&user, SAFETY_IDENTIFIER, &mut out, losses),
            _ => out.raw(json),
        }
    }
    report_extras(conversation, CARRIED, losses);
    out.close('}');
    out.finish()
}

/// Writes one turn, which may be several messages.
struct Messages<'w> {
    out: &'w mut Writer,
    losses: &'w mut Losses,
    model: &'w str,
    /// Whether the turn comes after the last user message: reasoning of earlier ones is of no
    /// use to anyone.
    is_current: bool,
}

// === impl Messages

impl Messages<'_> {
    fn turn(&mut self, turn: &Turn) {
        self.cache_controls(&turn.parts);
        match turn.role {
            Role::System => self.instructions(turn, "system"),
            Role::Developer => self.instructions(turn, "developer"),
            Role::Assistant => self.assistant(turn),
            Role::Tool => self.results(turn),
            Role::User => self.user(turn),
            Role::Other => {
                self.losses.add(Reason::UnsupportedRole, turn.place.dot("role"));
                self.user(turn);
            }
        }
    }

    fn cache_controls(&mut self, parts: &[Part]) {
        for part in parts {
            if part.cache_control.is_some() {
                self.losses.add_once(Reason::CacheControl, &part.place.dot("cache_control"));
            }
            if let Content::ToolResult(result) = &part.content {
                self.cache_controls(&result.parts);
            }
        }
    }

    /// Instructions are one text: many servers take nothing else in these roles.
    fn instructions(&mut self, turn: &Turn, role: &str) {
        let texts = self.texts_of(&turn.parts);
        if texts.is_empty() {
            return;
        }
        self.out.object(|message| {
            message.string_field("role", role);
            write_name(turn, message);
            message.key("content").texts(&texts, "\n\n");
        });
    }

    fn user(&mut self, turn: &Turn) {
        let parts: Vec<&Part> = turn.parts.iter().filter(|part| self.can_write(part)).collect();
        self.out.object(|message| {
            message.string_field("role", "user");
            write_name(turn, message);
            match parts.as_slice() {
                [] => message.string_field("content", ""),
                [Part { content: Content::Text(text), .. }] => message.text_field("content", text),
                parts => {
                    message
                        .array_field("content", |list| parts.iter().for_each(|part| write_part(part, list)));
                }
            }
        });
        if parts.is_empty() {
            self.losses.add(Reason::EmptyMessage, turn.place.to_string());
        }
    }

    /// Whether a part can stand in a user's message.
    fn can_write(&mut self, part: &Part) -> bool {
        let reason = match &part.content {
            Content::Text(_) | Content::Audio { .. } => return true,
            Content::Image(image) => source_problem(&image.source, false),
            Content::Document(document) => {
                if document.has_details {
                    self.losses.add(Reason::DocumentDetails, part.place.to_string());
                }
                if matches!(document.source, Source::Text(_)) {
                    self.losses.add(Reason::DocumentAsText, part.place.to_string());
                }
                source_problem(&document.source, true)
            }
            Content::Thinking { .. } => Some(Reason::Thinking),
            Content::Redacted(_) => Some(Reason::Redacted),
            Content::ToolUse(_) | Content::ToolResult(_) | Content::Refusal(_) | Content::Unknown { .. } => {
                Some(Reason::UnsupportedBlock)
            }
        };
        if let Some(reason) = reason {
            self.losses.add(reason, part.place.to_string());
        }
        reason.is_none()
    }

    fn assistant(&mut self, turn: &Turn) {
        let mut texts: Vec<&Text> = Vec::new();
        let mut reasoning = String::new();
        let mut refusal: Option<&ByteString> = None;
        let mut calls: Vec<&ToolUse> = Vec::new();
        for part in &turn.parts {
            match &part.content {
                Content::Text(text) if text.is_empty() => {}
                Content::Text(text) => texts.push(text),
                Content::Refusal(stated) => refusal = Some(stated),
                Content::ToolUse(call) => {
                    if call.kind == ToolKind::Function && !call.input.is_empty() && !is_object(&call.input) {
                        self.losses.add(Reason::InvalidArguments, part.place.to_string());
                    }
                    calls.push(call);
                }
                Content::Thinking { text, signature } => self.thinking(part, text, signature, &mut reasoning),
                Content::Redacted(_) => self.losses.add(Reason::Redacted, part.place.to_string()),
                Content::Unknown { kind, .. } => {
                    let reason = match &**kind {
                        "server_tool_use" => Reason::ServerTool,
                        "item_reference" => Reason::PreviousTurns,
                        kind if kind.ends_with("_tool_result") => Reason::ServerTool,
                        _ => Reason::UnsupportedBlock,
                    };
                    self.losses.add(reason, part.place.to_string());
                }
                _ => self.losses.add(Reason::UnsupportedBlock, part.place.to_string()),
            }
        }
        if texts.is_empty() && calls.is_empty() && refusal.is_none() {
            self.losses.add(Reason::EmptyMessage, turn.place.to_string());
            return;
        }
        self.out.object(|message| {
            message.string_field("role", "assistant");
            write_name(turn, message);
            if !reasoning.is_empty() {
                message.string_field("reasoning_content", &reasoning);
            }
            message.key("content");
            match texts.as_slice() {
                [] => message.null(),
                texts => message.texts(texts, ""),
            }
            if let Some(refusal) = refusal {
                message.string_field("refusal", refusal);
            }
            if !calls.is_empty() {
                message
                    .array_field("tool_calls", |list| calls.iter().for_each(|call| write_call(call, list)));
            }
        });
    }

    /// Reasoning goes back only to the model that wrote it, and only while it still works on the
    /// same question.
    fn thinking(&mut self, part: &Part, text: &str, signature: &Option<ByteString>, reasoning: &mut String) {
        let mark = signature.as_deref().map(read_mark);
        let reason = match mark {
            Some(Some(mark)) if mark.is_of(self.model) && mark.payload().is_empty() => {
                if self.is_current {
                    reasoning.push_str(text);
                }
                return;
            }
            Some(Some(mark)) if mark.payload().is_empty() => Reason::Thinking,
            Some(_) => Reason::Signature,
            None => Reason::Thinking,
        };
        self.losses.add(reason, part.place.to_string());
    }

    fn results(&mut self, turn: &Turn) {
        let mut media: Vec<&Part> = Vec::new();
        for part in &turn.parts {
            let Content::ToolResult(result) = &part.content else { continue };
            self.result(part, result, &mut media);
        }
        if media.is_empty() {
            return;
        }
        // Tool messages hold text alone, so what the tools showed follows as the user's.
        self.out.object(|message| {
            message.string_field("role", "user");
            message.array_field("content", |list| media.iter().for_each(|part| write_part(part, list)));
        });
    }

    fn result<'p>(&mut self, part: &Part, result: &'p ToolResult, media: &mut Vec<&'p Part>) {
        if result.is_error {
            self.losses.add(Reason::ToolResultError, part.place.dot("is_error"));
        }
        let mut texts: Vec<Cow<'_, Text>> = Vec::new();
        for inner in &result.parts {
            match &inner.content {
                Content::Text(text) => texts.push(Cow::Borrowed(text)),
                Content::Document(Document { source: Source::Text(text), title, .. }) => {
                    self.can_write(inner);
                    let said = title.iter().chain([text]);
                    texts.extend(said.map(|said| Cow::Owned(Text::from(said.clone()))));
                }
                Content::Image(_) | Content::Document(_) if self.can_write(inner) => {
                    self.losses.add(Reason::ToolResultImage, inner.place.to_string());
                    media.push(inner);
                }
                Content::Image(_) | Content::Document(_) => {}
                _ => self.losses.add(Reason::UnsupportedBlock, inner.place.to_string()),
            }
        }
        let texts: Vec<&Text> = texts.iter().map(|text| &**text).collect();
        self.out.object(|message| {
            message.string_field("role", "tool");
            message.string_field("tool_call_id", &result.id);
            message.key("content").texts(&texts, "\n");
        });
    }

    fn texts_of<'p>(&mut self, parts: &'p [Part]) -> Vec<&'p Text> {
        let mut texts = Vec::new();
        for part in parts {
            match &part.content {
                Content::Text(text) if text.is_empty() => {}
                Content::Text(text) if is_billing_header(part.place, text) => {
                    self.losses.add(Reason::BillingHeader, part.place.to_string());
                }
                Content::Text(text) => texts.push(text),
                _ => self.losses.add(Reason::UnsupportedBlock, part.place.to_string()),
            }
        }
        texts
    }
}

fn is_billing_header(place: Place, text: &str) -> bool {
    place == Place::field("system").part(0)
        && text.starts_with(BILLING_HEADER)
        && !text.trim_end().contains('\n')
}

/// A user's id; one that is too long is replaced by its hash, which is the same every time.
fn write_user(user: &str, field: &str, out: &mut Writer, losses: &mut Losses) {
    if user.chars().nth(MAX_USER_CHARS).is_none() {
        return out.string(user);
    }
    losses.add(Reason::UserHashed, field);
    let hash = Sha256::digest(user.as_bytes());
    out.string(&hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
}

fn source_problem(source: &Source, is_document: bool) -> Option<Reason> {
    match source {
        Source::Base64 { .. } | Source::Text(_) => None,
        Source::Url(_) => is_document.then_some(Reason::DocumentUrl),
        Source::File(_) => Some(Reason::FileId),
        Source::Missing { is_broken: true } => Some(Reason::IncompleteBase64),
        Source::Missing { is_broken: false } => Some(Reason::MissingSource),
    }
}

fn write_name(turn: &Turn, message: &mut Writer) {
    if let Some(name) = &turn.name {
        message.string_field("name", name);
    }
}

fn write_part(part: &Part, list: &mut Writer) {
    list.object(|out| match &part.content {
        Content::Text(text) => {
            out.string_field("type", "text");
            out.text_field("text", text);
        }
        Content::Image(Image { source, detail }) => {
            out.string_field("type", "image_url");
            out.object_field("image_url", |image| {
                image.key("url");
                write_url(source, image);
                if let Some(detail) = detail {
                    image.string_field("detail", detail);
                }
            });
        }
        Content::Document(Document { source: Source::Text(text), title, .. }) => {
            out.string_field("type", "text");
            match title {
                Some(title) => out.key("text").joined(&[title, "\n\n", text]),
                None => out.string_field("text", text),
            }
        }
        Content::Document(Document { source, title, .. }) => {
            out.string_field("type", "file");
            out.object_field("file", |file| {
                file.string_field("filename", title.as_deref().unwrap_or("document.pdf"));
                file.key("file_data");
                write_url(source, file);
            });
        }
        Content::Audio { data, format } => {
            out.string_field("type", "input_audio");
            out.object_field("input_audio", |audio| {
                audio.string_field("data", data);
                audio.string_field("format", format);
            });
        }
        _ => {}
    });
}

fn write_url(source: &Source, out: &mut Writer) {
    match source {
        Source::Url(url) => out.string(url),
        Source::Base64 { media_type, data } => out.joined(&["data:", media_type, ";base64,", data]),
        Source::File(_) | Source::Text(_) | Source::Missing { .. } => out.null(),
    }
}

fn write_call(call: &ToolUse, list: &mut Writer) {
    list.object(|out| {
        out.string_field("id", &call.id);
        match call.kind {
            ToolKind::Function => {
                out.string_field("type", "function");
                out.object_field("function", |function| {
                    function.string_field("name", &call.name);
                    let arguments = if call.input.is_empty() { "{}" } else { &call.input };
                    function.string_field("arguments", arguments);
                });
            }
            ToolKind::Custom => {
                out.string_field("type", "custom");
                out.object_field("custom", |custom| {
                    custom.string_field("name", &call.name);
                    custom.string_field("input", &call.input);
                });
            }
        }
    });
}

fn write_format(format: &Format, out: &mut Writer) {
    match format {
        Format::Text => {}
        Format::Json => {
            out.object_field("response_format", |format| format.string_field("type", "json_object"));
        }
        Format::Schema { name, description, schema, strict } => {
            out.object_field("response_format", |format| {
                format.string_field("type", "json_schema");
                format.object_field("json_schema", |inner| {
                    inner.string_field("name", name.as_deref().unwrap_or("answer"));
                    if let Some(description) = description {
                        inner.string_field("description", description);
                    }
                    inner.raw_field("schema", schema);
                    if let Some(strict) = strict {
                        inner.bool_field("strict", *strict);
                    }
                });
            });
        }
    }
}

/// The effort; a budget of tokens becomes the nearest one.
fn write_reasoning(conversation: &Conversation, out: &mut Writer, losses: &mut Losses) {
    let reasoning = &conversation.settings.reasoning;
    if reasoning.budget_tokens.is_some() {
        losses.add(Reason::ReasoningBudget, Place::field("thinking").dot("budget_tokens"));
    }
    if let Some(effort) = &reasoning.effort {
        return out.string_field("reasoning_effort", effort);
    }
    let Some(budget) = reasoning.budget_tokens else { return };
    let effort = match budget {
        ..4096 => "low",
        4096..16_384 => "medium",
        _ => "high",
    };
    out.string_field("reasoning_effort", effort);
}
