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
use crate::scalars::{EFFORTS, Scalars};

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
    let scalars = &reader.scalars;
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
            "max_tokens" => settings.max_tokens = scalars.count(value, "max_tokens", 1),
            "temperature" => settings.temperature = scalars.number(value, "temperature", 1.0),
            "top_p" => settings.top_p = scalars.number(value, "top_p", 1.0),
            "top_k" => settings.top_k = scalars.count(value, "top_k", 0).map(|_| reader.raw(value)),
            "stop_sequences" => settings.stop = scalars.texts(value, "stop_sequences"),
            "service_tier" => settings.service_tier = scalars.text(value, "service_tier"),
            "metadata" => {
                let user = scalars.object(value, "metadata").and_then(|metadata| metadata.get("user_id"));
                settings.user = user.and_then(|user| scalars.text(user, "metadata.user_id"));
            }
            "thinking" if !thinking(scalars, value, &mut settings.reasoning) => {
                read.extras.push((ByteString::from_static("thinking"), reader.raw(value)));
            }
            "thinking" => {}
            "output_config" => {
                let config = scalars.object(value, "output_config");
                let stated = |key: &str| config.and_then(|config| config.get(key));
                if let Some(effort) =
                    stated("effort").and_then(|it| scalars.word(it, "output_config.effort", EFFORTS))
                {
                    settings.reasoning.effort = Some(effort);
                }
                if let Some(format) = stated("format") {
                    read.format = output_format(&reader, format, "output_config.format");
                }
            }
            "output_format" => read.format = output_format(&reader, value, "output_format"),
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
    read.invalid = reader.scalars.into_problem();
    Ok(read)
}

/// Reads what is asked of the model's thinking; says whether it is of a known type.
fn thinking<'d>(scalars: &Scalars<'d>, value: Value<'d>, reasoning: &mut Reasoning) -> bool {
    let Some(stated) = scalars.object(value, "thinking") else { return true };
    let Some(kind) = stated.get("type") else {
        scalars.refuse(RequestError::field("thinking.type", "is missing"));
        return true;
    };
    match scalars.text(kind, "thinking.type").as_deref() {
        Some("enabled") => match stated.get("budget_tokens") {
            Some(budget) => reasoning.budget_tokens = scalars.count(budget, "thinking.budget_tokens", 1),
            None => scalars.refuse(RequestError::field("thinking.budget_tokens", "is missing")),
        },
        Some("disabled") => reasoning.is_off = true,
        Some("adaptive") => reasoning.is_adaptive = true,
        Some(_) => return false,
        None => {}
    }
    true
}

fn output_format<'d>(reader: &Reader<'d>, value: Value<'d>, param: &str) -> Format {
    let Some(stated) = reader.scalars.object(value, param) else { return Format::Text };
    let param = format!("{param}.schema");
    match stated.get("schema") {
        Some(schema) if reader.scalars.object(schema, &param).is_some() => {
            Format::Schema { name: None, description: None, schema: reader.raw(schema), strict: Some(true) }
        }
        Some(_) => Format::Text,
        None => {
            reader.scalars.refuse(RequestError::field(param, "is missing"));
            Format::Text
        }
    }
}

fn system_turn<'d>(reader: &Reader<'d>, system: Value<'d>) -> Result<Option<Turn>> {
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
fn message<'d>(reader: &Reader<'d>, value: Value<'d>, index: usize, turns: &mut Vec<Turn>) -> Result<()> {
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

fn blocks<'d>(reader: &Reader<'d>, content: Value<'d>, place: Place) -> Result<Vec<Part>> {
    match content.kind() {
        Kind::Null => Ok(Vec::new()),
        Kind::String => {
            let text = reader.text(content).unwrap_or_default();
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

fn block<'d>(reader: &Reader<'d>, block: Value<'d>, place: Place) -> Result<Part> {
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
            let read = value.and_then(|value| reader.text(value));
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
            is_error: block
                .get("is_error")
                .and_then(|stated| reader.scalars.flag(stated, &format!("{place}.is_error")))
                .unwrap_or(false),
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

fn document<'d>(reader: &Reader<'d>, block: Value<'d>, place: Place) -> Result<Content> {
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

fn tools<'d>(reader: &Reader<'d>, value: Value<'d>) -> Result<Vec<Tool>> {
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

fn tool_choice<'d>(reader: &Reader<'d>, value: Value<'d>, read: &mut Conversation) {
    let scalars = &reader.scalars;
    let Some(value) = scalars.object(value, "tool_choice") else { return };
    let text =
        |key: &str| value.get(key).and_then(|value| scalars.text(value, &format!("tool_choice.{key}")));
    let kind = text("type").unwrap_or_default();
    if kind.is_empty() || kind == "tool" && text("name").is_none() {
        let missing = if kind.is_empty() { "tool_choice.type" } else { "tool_choice.name" };
        scalars.refuse(RequestError::field(missing, "is missing"));
    }
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
    let disabled = value.get("disable_parallel_tool_use");
    let disabled = disabled.and_then(|flag| scalars.flag(flag, "tool_choice.disable_parallel_tool_use"));
    read.parallel_tool_calls = disabled.map(|disabled| !disabled);
}
