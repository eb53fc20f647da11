//! Reads a Responses request into a conversation.

use bytestring::ByteString;
use vsr_types::Role;

use crate::conversation::{
    Content, Conversation, Document as Doc, Format, Image, Part, Place, Source, Tool, ToolChoice, ToolKind,
    ToolResult, ToolSpec, ToolUse, Turn,
};
use crate::error::RequestError;
use crate::fields::{Reader, Result, optional_bool, refuse_lookalike, within, wrong_type};
use crate::json::{Document, Kind, Value};
use crate::scalars::EFFORTS;

/// The keys that routing reads, per object; see the chat reader.
const REQUEST_KEYS: &[&str] = &[
    "model",
    "input",
    "instructions",
    "stream",
    "max_output_tokens",
    "temperature",
    "top_p",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "user",
    "service_tier",
    "top_logprobs",
    "previous_response_id",
    "conversation",
    "store",
];
const ITEM_KEYS: &[&str] =
    &["type", "role", "content", "call_id", "name", "arguments", "input", "output", "summary"];
const PART_KEYS: &[&str] = &["type", "text", "refusal", "image_url", "file_data", "file_url", "file_id"];

/// Fields that the router's own service answers for, or that ask nothing of the model.
const SERVICE_KEYS: &[&str] = &[
    "previous_response_id",
    "conversation",
    "conversation_id",
    "store",
    "include",
    "background",
    "metadata",
    "stream_options",
    "client_metadata",
];

pub(super) fn conversation(document: &Document, max_items: usize) -> Result<Conversation> {
    let root = document.root();
    if root.kind() != Kind::Object {
        return Err(RequestError::NotAnObject(root.kind().described()));
    }
    let reader = Reader::new(document, max_items);
    let scalars = &reader.scalars;
    let mut read = Conversation::default();
    let (mut model, mut input, mut instructions, mut top_logprobs) = (None, None, None, None);
    let mut wants_logprobs = false;
    for member in root.members() {
        let value = member.value;
        let settings = &mut read.settings;
        match &*member.key {
            "model" => model = Some(value),
            "input" => input = Some(value),
            "instructions" => instructions = Some(value),
            "stream" => settings.stream = optional_bool(value, "stream")?.unwrap_or(false),
            "max_output_tokens" => settings.max_tokens = scalars.count(value, "max_output_tokens", 1),
            "temperature" => settings.temperature = scalars.number(value, "temperature", 2.0),
            "top_p" => settings.top_p = scalars.number(value, "top_p", 1.0),
            "user" => settings.user = scalars.text(value, "user"),
            "service_tier" => settings.service_tier = scalars.text(value, "service_tier"),
            "top_logprobs" => top_logprobs = scalars.count_within(value, "top_logprobs", 0, 20),
            "parallel_tool_calls" => read.parallel_tool_calls = scalars.flag(value, "parallel_tool_calls"),
            "reasoning" => {
                let effort = scalars.object(value, "reasoning").and_then(|stated| stated.get("effort"));
                settings.reasoning.effort =
                    effort.and_then(|it| scalars.word(it, "reasoning.effort", EFFORTS));
            }
            "text" => {
                let stated = scalars.object(value, "text");
                let verbosity = stated.and_then(|stated| stated.get("verbosity"));
                settings.verbosity = verbosity.and_then(|word| scalars.text(word, "text.verbosity"));
                if let Some(stated) = stated.and_then(|stated| stated.get("format")) {
                    read.format = format(&reader, stated);
                }
            }
            // The service itself leaves out the oldest turns.
            "truncation" if value.as_str().as_deref() == Some("auto") => {}
            "store" | "background" => drop(scalars.flag(value, &member.key)),
            "tools" => read.tools = tools(&reader, value)?,
            "tool_choice" => read.tool_choice = tool_choice(&reader, value),
            "include" => {
                let included = scalars.texts(value, "include");
                wants_logprobs = included.iter().any(|name| &**name == "message.output_text.logprobs");
            }
            own if SERVICE_KEYS.contains(&own) => {}
            other => {
                refuse_lookalike(other, REQUEST_KEYS, "")?;
                read.extras.push((ByteString::from(other), reader.raw(value)));
            }
        }
    }
    read.settings.model = reader.model(model)?;
    if wants_logprobs || top_logprobs.is_some_and(|count| count > 0) {
        read.settings.logprobs = Some(top_logprobs.unwrap_or(0));
    }
    if let Some(value) = instructions.filter(|value| !value.is_null()) {
        let text = reader.text(value).ok_or_else(|| wrong_type(value, "instructions", "a string"))?;
        let place = Place::field("instructions");
        let mut turn = Turn::new(Role::System, place);
        turn.push(Content::Text(text), place);
        read.turns.push(turn);
    }
    items(&reader, input, &mut read.turns)?;
    read.invalid = reader.scalars.into_problem();
    Ok(read)
}

fn items(reader: &Reader<'_>, input: Option<Value<'_>>, turns: &mut Vec<Turn>) -> Result<()> {
    let Some(input) = input.filter(|input| !input.is_null()) else {
        return Err(RequestError::field("input", "is missing; send a text or a list of items"));
    };
    match input.kind() {
        Kind::String => {
            let place = Place::field("input");
            let mut turn = Turn::new(Role::User, place);
            turn.push(Content::Text(reader.text(input).unwrap_or_default()), place);
            turns.push(turn);
        }
        Kind::Array => {
            for (index, value) in input.items().enumerate() {
                item(reader, value, Place::item("input", index), turns)
                    .map_err(|error| within(error, &format!("input[{index}]")))?;
            }
            if input.items().next().is_none() {
                return Err(RequestError::field("input", "is empty; send at least one item"));
            }
        }
        _ => return Err(wrong_type(input, "input", "a string or an array")),
    }
    Ok(())
}

/// Reads one item. What the model did in one go, reasoning, words and calls, is one turn.
fn item(reader: &Reader<'_>, value: Value<'_>, place: Place, turns: &mut Vec<Turn>) -> Result<()> {
    reader.item(value)?;
    for member in value.members() {
        refuse_lookalike(&member.key, ITEM_KEYS, "")?;
    }
    let text = |key: &str| value.get(key).and_then(|value| reader.string(value));
    let kind = text("type").unwrap_or_else(|| ByteString::from_static("message"));
    let (role, content) = match &*kind {
        "message" => return message(reader, value, place, turns),
        "reasoning" => (Role::Assistant, reasoning(reader, value)),
        "function_call" | "custom_tool_call" => {
            let is_custom = kind == "custom_tool_call";
            let call = ToolUse {
                id: text("call_id").or_else(|| text("id")).unwrap_or_default(),
                name: text("name").unwrap_or_default(),
                input: text(if is_custom { "input" } else { "arguments" }).unwrap_or_default(),
                kind: if is_custom { ToolKind::Custom } else { ToolKind::Function },
                byte_length: value.span().len() as u64,
            };
            (Role::Assistant, Content::ToolUse(call))
        }
        "function_call_output" | "custom_tool_call_output" => {
            let parts = match value.get("output") {
                Some(output) => parts(reader, output, place, "output")?,
                None => Vec::new(),
            };
            let id = text("call_id").unwrap_or_default();
            (Role::Tool, Content::ToolResult(ToolResult { id, parts, is_error: false }))
        }
        other => {
            let role = if other.ends_with("_output") || other.ends_with("_response") {
                Role::Tool
            } else {
                Role::Assistant
            };
            (role, Content::Unknown { text: text("text").or_else(|| text("output")), kind })
        }
    };
    turn_of(role, place, turns).push(content, place);
    Ok(())
}

/// The turn that an item of `role` belongs to: the last one where it is of the same role.
fn turn_of(role: Role, place: Place, turns: &mut Vec<Turn>) -> &mut Turn {
    let is_continued = turns.last().is_some_and(|turn| turn.role == role);
    if !is_continued {
        turns.push(Turn::new(role, place));
    }
    let last = turns.len() - 1;
    &mut turns[last]
}

fn message(reader: &Reader<'_>, value: Value<'_>, place: Place, turns: &mut Vec<Turn>) -> Result<()> {
    let Some(role) = value.get("role") else {
        return Err(RequestError::field("role", "is missing"));
    };
    let role = match role.as_str().as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system") => Role::System,
        Some("developer") => Role::Developer,
        Some(_) => Role::Other,
        None => return Err(wrong_type(role, "role", "a string")),
    };
    let mut read = match value.get("content") {
        Some(content) => parts(reader, content, place, "content")?,
        None => Vec::new(),
    };
    if role == Role::Assistant {
        turn_of(role, place, turns).parts.append(&mut read);
    } else {
        let mut turn = Turn::new(role, place);
        turn.parts = read;
        turns.push(turn);
    }
    Ok(())
}

/// Reasoning in the open, or what only its provider can read. The signature is what the item
/// holds encrypted.
fn reasoning(reader: &Reader<'_>, value: Value<'_>) -> Content {
    let texts_of = |key: &str| -> Vec<ByteString> {
        let parts = value.get(key).into_iter().flat_map(Value::items);
        parts.filter_map(|part| part.get("text").and_then(|text| reader.string(text))).collect()
    };
    let mut texts = texts_of("content");
    if texts.is_empty() {
        texts = texts_of("summary");
    }
    let text = match texts.len() {
        1 => texts.swap_remove(0),
        _ => ByteString::from(texts.join("\n\n")),
    };
    let encrypted = value.get("encrypted_content").and_then(|sealed| reader.string(sealed));
    match encrypted.filter(|sealed| !sealed.is_empty()) {
        Some(sealed) if text.is_empty() => Content::Redacted(sealed),
        signature => Content::Thinking { text, signature },
    }
}

fn parts(reader: &Reader<'_>, content: Value<'_>, place: Place, field: &str) -> Result<Vec<Part>> {
    match content.kind() {
        Kind::Null => Ok(Vec::new()),
        Kind::String => Ok(vec![Part::new(Content::Text(reader.text(content).unwrap_or_default()), place)]),
        Kind::Array => {
            let mut parts = Vec::new();
            for (index, item) in content.items().enumerate() {
                let content =
                    part(reader, item).map_err(|error| within(error, &format!("{field}[{index}]")))?;
                parts.push(Part::new(content, place.part(index)));
            }
            Ok(parts)
        }
        _ => Err(wrong_type(content, field, "a string or an array of parts")),
    }
}

fn part(reader: &Reader<'_>, part: Value<'_>) -> Result<Content> {
    reader.item(part)?;
    for member in part.members() {
        refuse_lookalike(&member.key, PART_KEYS, "")?;
    }
    let text = |key: &str| part.get(key).and_then(|value| reader.string(value));
    let kind = text("type").unwrap_or_else(|| ByteString::from_static("input_text"));
    Ok(match &*kind {
        "input_text" | "output_text" | "text" => {
            let value = part.get("text");
            let read = value.and_then(|value| reader.text(value));
            Content::Text(read.ok_or_else(|| match value {
                Some(value) => wrong_type(value, "text", "a string"),
                None => RequestError::field("text", "is missing"),
            })?)
        }
        "refusal" => Content::Refusal(text("refusal").unwrap_or_default()),
        "input_image" => {
            let url = part.get("image_url").map(|url| url.get("url").unwrap_or(url));
            let source = match url.and_then(|url| reader.string(url)) {
                Some(url) => Source::of_url(url),
                None => text("file_id").map_or(Source::Missing { is_broken: false }, Source::File),
            };
            Content::Image(Image { source, detail: text("detail") })
        }
        "input_file" => {
            let source = match (text("file_data"), text("file_url"), text("file_id")) {
                (Some(data), _, _) => Source::of_url(data),
                (None, Some(url), _) => Source::of_url(url),
                (None, None, Some(id)) => Source::File(id),
                (None, None, None) => Source::Missing { is_broken: false },
            };
            Content::Document(Doc { source, title: text("filename"), has_details: false })
        }
        "input_audio" => {
            let audio = part.get("input_audio").unwrap_or(part);
            let field = |key: &str| audio.get(key).and_then(|value| reader.string(value)).unwrap_or_default();
            Content::Audio { data: field("data"), format: field("format") }
        }
        _ => Content::Unknown { text: text("text"), kind },
    })
}

fn format<'d>(reader: &Reader<'d>, value: Value<'d>) -> Format {
    reader.scalars.object(value, "text.format");
    if value.kind() == Kind::Object {
        let param = "text.format.type";
        match value.get("type") {
            Some(kind) => drop(reader.scalars.word(kind, param, &["text", "json_object", "json_schema"])),
            None => reader.scalars.refuse(RequestError::field(param, "is missing")),
        }
    }
    let text = |key: &str| value.get(key).and_then(|value| reader.string(value));
    match text("type").as_deref() {
        Some("json_object") => Format::Json,
        Some("json_schema") => {
            let Some(schema) = value.get("schema") else {
                reader.scalars.refuse(RequestError::field("text.format.schema", "is missing"));
                return Format::Text;
            };
            reader.scalars.object(schema, "text.format.schema");
            Format::Schema {
                name: text("name"),
                description: text("description"),
                schema: reader.raw(schema),
                strict: value.get("strict").and_then(Value::as_bool),
            }
        }
        _ => Format::Text,
    }
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
        let kind = tool.get("type").and_then(|kind| reader.string(kind)).unwrap_or_default();
        // Some clients send the nested form of Chat Completions here.
        let inner = tool.get("function").or_else(|| tool.get("custom")).unwrap_or(tool);
        let text = |key: &str| inner.get(key).and_then(|value| reader.string(value));
        let spec = match &*kind {
            "function" => ToolSpec::Function {
                schema: inner
                    .get("parameters")
                    .filter(|value| !value.is_null())
                    .map(|value| reader.raw(value)),
                strict: inner.get("strict").and_then(Value::as_bool),
            },
            "custom" => ToolSpec::Custom { format: inner.get("format").map(|value| reader.raw(value)) },
            _ => ToolSpec::Hosted { kind },
        };
        tools.push(Tool {
            name: text("name").unwrap_or_default(),
            description: text("description"),
            spec,
            cache_control: None,
            byte_length: tool.span().len() as u64,
            place: Place::item("tools", index),
        });
    }
    Ok(tools)
}

fn tool_choice<'d>(reader: &Reader<'d>, value: Value<'d>) -> Option<ToolChoice> {
    if let Some(word) = reader.string(value) {
        return Some(match &*word {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            _ => ToolChoice::Other(word),
        });
    }
    reader.scalars.object(value, "tool_choice")?;
    let inner = value.get("function").or_else(|| value.get("custom")).unwrap_or(value);
    let name = |value: Value<'_>| {
        let inner = value.get("function").unwrap_or(value);
        inner.get("name").and_then(Value::as_str).map(|name| ByteString::from(&*name))
    };
    let kind = value.get("type").and_then(|kind| reader.string(kind));
    let Some(kind) = kind else {
        reader.scalars.refuse(RequestError::field("tool_choice.type", "is missing"));
        return None;
    };
    Some(match &*kind {
        "function" => ToolChoice::Named { name: name(inner).unwrap_or_default(), kind: ToolKind::Function },
        "custom" => ToolChoice::Named { name: name(inner).unwrap_or_default(), kind: ToolKind::Custom },
        "allowed_tools" => {
            let list = value.get("allowed_tools").unwrap_or(value);
            ToolChoice::Allowed {
                names: list.get("tools").into_iter().flat_map(Value::items).filter_map(name).collect(),
                is_required: list.get("mode").and_then(Value::as_str).as_deref() == Some("required"),
            }
        }
        _ => ToolChoice::Other(kind),
    })
}
