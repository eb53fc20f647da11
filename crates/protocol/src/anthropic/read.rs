//! Reads a Messages request into a conversation.

use bytestring::ByteString;
use vsr_types::Role;

use crate::conversation::{
    Content, Conversation, Document as Doc, Format, Image, Part, Place, Reasoning, Source, Tool, ToolChoice,
    ToolKind, ToolResult, ToolSpec, ToolUse, Turn,
};
use crate::error::RequestError;
use crate::fields::{Reader, Result, optional_bool, refuse_lookalike, within, wrong_type};
use crate::json::{Document, Kind, Value};

/// The keys that routing reads, per object; see the chat reader.
const REQUEST_KEYS: &[&str] = &[
    "model",
    "messages",
    "system",
    "stream",
    "max_tokens",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "tools",
    "tool_choice",
    "thinking",
    "metadata",
    "output_config",
    "output_format",
    "service_tier",
];
const MESSAGE_KEYS: &[&str] = &["role", "content"];
const BLOCK_KEYS: &[&str] = &["type", "text", "content", "source", "input", "name", "id", "tool_use_id"];

/// Top-level fields that say nothing to the model and are not missed elsewhere.
const SILENT_KEYS: &[&str] = &["cache_control", "anthropic_beta", "betas"];

pub(super) fn conversation(document: &Document, max_items: usize) -> Result<Conversation> {
    let root = document.root();
    if root.kind() != Kind::Object {
        return Err(RequestError::NotAnObject(root.kind().described()));
    }
    let reader = Reader::new(document, max_items);
    let mut read = Conversation::default();
    let (mut model, mut messages, mut system) = (None, None, None);
    for member in root.members() {
        let value = member.value;
        let settings = &mut read.settings;
        match &*member.key {
            "model" => model = Some(value),
            "messages" => messages = Some(value),
            "system" => system = Some(value),
            "stream" => settings.stream = optional_bool(value, "stream")?.unwrap_or(false),
            "max_tokens" => settings.max_tokens = value.as_u64(),
            "temperature" => settings.temperature = reader.number(value),
            "top_p" => settings.top_p = reader.number(value),
            "top_k" => settings.top_k = reader.number(value),
            "stop_sequences" => {
                settings.stop = value.items().filter_map(|stop| reader.string(stop)).collect();
            }
            "service_tier" => settings.service_tier = reader.string(value),
            "metadata" => settings.user = value.get("user_id").and_then(|user| reader.string(user)),
            "thinking" => thinking(value, &mut settings.reasoning),
            "output_config" => {
                if let Some(effort) = value.get("effort").and_then(|effort| reader.string(effort)) {
                    settings.reasoning.effort = Some(effort);
                }
                if let Some(format) = value.get("format") {
                    read.format = output_format(&reader, format);
                }
            }
            "output_format" => read.format = output_format(&reader, value),
            "tools" => read.tools = tools(&reader, value)?,
            "tool_choice" => tool_choice(&reader, value, &mut read),
            silent if SILENT_KEYS.contains(&silent) => {}
            other => {
                refuse_lookalike(other, REQUEST_KEYS, "")?;
                read.extras.push((ByteString::from(other), reader.raw(value)));
            }
        }
    }
    read.settings.model = reader.model(model)?;
    if let Some(system) = system.filter(|system| !system.is_null()) {
        read.turns.extend(system_turn(&reader, system)?);
    }
    let Some(messages) = messages else {
        return Err(RequestError::field("messages", "is missing"));
    };
    if messages.kind() != Kind::Array {
        return Err(wrong_type(messages, "messages", "an array"));
    }
    let before = read.turns.len();
    for (index, item) in messages.items().enumerate() {
        message(&reader, item, index, &mut read.turns)
            .map_err(|error| within(error, &format!("messages[{index}]")))?;
    }
    if read.turns.len() == before {
        return Err(RequestError::field("messages", "is empty; send at least one message"));
    }
    Ok(read)
}

fn thinking(value: Value<'_>, reasoning: &mut Reasoning) {
    match value.get("type").and_then(Value::as_str).as_deref() {
        Some("enabled") => reasoning.budget_tokens = value.get("budget_tokens").and_then(Value::as_u64),
        Some("disabled") => reasoning.is_off = true,
        Some("adaptive") => reasoning.is_adaptive = true,
        _ => {}
    }
}

fn output_format(reader: &Reader<'_>, value: Value<'_>) -> Format {
    match value.get("schema").filter(|schema| schema.kind() == Kind::Object) {
        Some(schema) => {
            Format::Schema { name: None, description: None, schema: reader.raw(schema), strict: Some(true) }
        }
        None => Format::Text,
    }
}

fn system_turn(reader: &Reader<'_>, system: Value<'_>) -> Result<Option<Turn>> {
    let place = Place::field("system");
    let mut turn = Turn::new(Role::System, place);
    turn.parts = blocks(reader, system, place).map_err(|error| match error {
        RequestError::Field { param, problem } => {
            RequestError::field(param.replacen("content", "system", 1), problem)
        }
        other => other,
    })?;
    Ok((!turn.parts.is_empty()).then_some(turn))
}

/// Reads one message. Tool results become a turn of their own before the rest, as the protocol
/// demands them to stand first.
fn message(reader: &Reader<'_>, value: Value<'_>, index: usize, turns: &mut Vec<Turn>) -> Result<()> {
    reader.item(value)?;
    let place = Place::item("messages", index);
    let (mut role, mut content) = (None, None);
    for member in value.members() {
        match &*member.key {
            "role" => role = Some(member.value),
            "content" => content = Some(member.value),
            other => refuse_lookalike(other, MESSAGE_KEYS, "")?,
        }
    }
    let Some(role) = role else {
        return Err(RequestError::field("role", "is missing"));
    };
    let role = match role.as_str().as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system") => Role::System,
        Some(_) => Role::Other,
        None => return Err(wrong_type(role, "role", "a string")),
    };
    let parts = match content {
        Some(content) => blocks(reader, content, place)?,
        None => Vec::new(),
    };
    let mut results = Turn::new(Role::Tool, place);
    let mut turn = Turn::new(role, place);
    for part in parts {
        match part.content {
            Content::ToolResult(_) => results.parts.push(part),
            _ => turn.parts.push(part),
        }
    }
    let has_results = !results.parts.is_empty();
    turns.extend(has_results.then_some(results));
    if !turn.parts.is_empty() || !has_results {
        turns.push(turn);
    }
    Ok(())
}

fn blocks(reader: &Reader<'_>, content: Value<'_>, place: Place) -> Result<Vec<Part>> {
    match content.kind() {
        Kind::Null => Ok(Vec::new()),
        Kind::String => {
            let text = reader.string(content).unwrap_or_default();
            Ok(vec![Part::new(Content::Text(text), place)])
        }
        Kind::Array => {
            let mut parts = Vec::new();
            for (index, item) in content.items().enumerate() {
                let part = block(reader, item, place.part(index));
                parts.push(part.map_err(|error| within(error, &format!("content[{index}]")))?);
            }
            Ok(parts)
        }
        _ => Err(wrong_type(content, "content", "a string or an array of blocks")),
    }
}

fn block(reader: &Reader<'_>, block: Value<'_>, place: Place) -> Result<Part> {
    reader.item(block)?;
    let mut cache_control = None;
    for member in block.members() {
        match &*member.key {
            "cache_control" if !member.value.is_null() => cache_control = Some(reader.raw(member.value)),
            other => refuse_lookalike(other, BLOCK_KEYS, "")?,
        }
    }
    let text = |key: &str| block.get(key).and_then(|value| reader.string(value));
    let Some(kind) = text("type") else {
        return Err(RequestError::field("type", "is missing; it must be a string"));
    };
    let content = match &*kind {
        "text" => {
            let value = block.get("text");
            let read = value.and_then(|value| reader.string(value));
            let read = read.ok_or_else(|| match value {
                Some(value) => wrong_type(value, "text", "a string"),
                None => RequestError::field("text", "is missing"),
            })?;
            Content::Text(read)
        }
        "image" => Content::Image(Image { source: source(reader, block), detail: None }),
        "document" => document(reader, block, place)?,
        "thinking" => Content::Thinking {
            text: text("thinking").unwrap_or_default(),
            signature: text("signature").filter(|signature| !signature.is_empty()),
        },
        "redacted_thinking" => Content::Redacted(text("data").unwrap_or_default()),
        "tool_use" => Content::ToolUse(ToolUse {
            id: text("id").unwrap_or_default(),
            name: text("name").unwrap_or_default(),
            input: block
                .get("input")
                .map_or_else(|| ByteString::from_static("{}"), |input| reader.raw(input)),
            kind: ToolKind::Function,
            byte_length: block.span().len() as u64,
        }),
        "tool_result" => Content::ToolResult(ToolResult {
            id: text("tool_use_id").unwrap_or_default(),
            parts: match block.get("content") {
                Some(content) => blocks(reader, content, place)?,
                None => Vec::new(),
            },
            is_error: block.get("is_error").and_then(Value::as_bool).unwrap_or(false),
        }),
        "search_result" => {
            let source = match block.get("content") {
                Some(content) => Source::Text(texts_of(&blocks(reader, content, place)?)),
                None => Source::Missing { is_broken: false },
            };
            Content::Document(Doc { source, title: text("title"), has_details: true })
        }
        _ => Content::Unknown { text: text("text"), kind },
    };
    Ok(Part { content, cache_control, place })
}

fn document(reader: &Reader<'_>, block: Value<'_>, place: Place) -> Result<Content> {
    let title = block.get("title").and_then(|title| reader.string(title));
    let is_stated = |key: &str| block.get(key).is_some_and(|value| !value.is_null());
    let mut source = source(reader, block);
    if let Some(content) = block.get("source").and_then(|source| source.get("content"))
        && matches!(source, Source::Missing { .. })
    {
        // A document made of blocks: its text is what routing and the model read.
        source = Source::Text(texts_of(&blocks(reader, content, place)?));
    }
    let has_details = is_stated("context") || is_stated("citations");
    Ok(Content::Document(Doc { source, title, has_details }))
}

/// The texts of blocks, one to a line.
fn texts_of(parts: &[Part]) -> ByteString {
    let texts = parts.iter().filter_map(|part| match &part.content {
        Content::Text(text) => Some(&**text),
        _ => None,
    });
    ByteString::from(texts.collect::<Vec<_>>().join("\n"))
}

fn source(reader: &Reader<'_>, block: Value<'_>) -> Source {
    let Some(source) = block.get("source") else { return Source::Missing { is_broken: false } };
    let text =
        |key: &str| source.get(key).and_then(|value| reader.string(value)).filter(|text| !text.is_empty());
    let read = match text("type").as_deref() {
        Some("base64") => {
            text("data").zip(text("media_type")).map(|(data, media_type)| Source::Base64 { media_type, data })
        }
        Some("url") => text("url").map(Source::of_url),
        Some("file") => text("file_id").map(Source::File),
        Some("text") => text("data").map(Source::Text),
        _ => None,
    };
    read.unwrap_or(Source::Missing { is_broken: text("type").as_deref() == Some("base64") })
}

fn tools(reader: &Reader<'_>, value: Value<'_>) -> Result<Vec<Tool>> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    if value.kind() != Kind::Array {
        return Err(wrong_type(value, "tools", "an array"));
    }
    let mut tools = Vec::new();
    for (index, tool) in value.items().enumerate() {
        reader.item(tool).map_err(|error| within(error, &format!("tools[{index}]")))?;
        let text = |key: &str| tool.get(key).and_then(|value| reader.string(value));
        let kind = text("type").filter(|kind| kind != "custom");
        let spec = match kind {
            Some(kind) => ToolSpec::Hosted { kind },
            None => ToolSpec::Function {
                schema: tool.get("input_schema").map(|schema| reader.raw(schema)),
                strict: tool.get("strict").and_then(Value::as_bool),
            },
        };
        tools.push(Tool {
            name: text("name").unwrap_or_default(),
            description: text("description"),
            spec,
            cache_control: tool
                .get("cache_control")
                .filter(|value| !value.is_null())
                .map(|value| reader.raw(value)),
            byte_length: tool.span().len() as u64,
            place: Place::item("tools", index),
        });
    }
    Ok(tools)
}

fn tool_choice(reader: &Reader<'_>, value: Value<'_>, read: &mut Conversation) {
    let text = |key: &str| value.get(key).and_then(|value| reader.string(value));
    let kind = text("type").unwrap_or_default();
    read.tool_choice = match &*kind {
        "" => None,
        "auto" => Some(ToolChoice::Auto),
        "any" => Some(ToolChoice::Required),
        "none" => Some(ToolChoice::None),
        "tool" => {
            Some(ToolChoice::Named { name: text("name").unwrap_or_default(), kind: ToolKind::Function })
        }
        _ => Some(ToolChoice::Other(kind)),
    };
    let disabled = value.get("disable_parallel_tool_use").and_then(Value::as_bool);
    read.parallel_tool_calls = disabled.map(|disabled| !disabled);
}
