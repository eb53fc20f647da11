//! Reads a scanned document as a chat request.

use std::borrow::Cow;

use bytestring::ByteString;
use vsr_types::Role;

use super::{Fields, Message, ToolCall, ToolDefinitions};
use crate::error::RequestError;
use crate::fields::{Reader, Result, expect_kind, optional_bool, refuse_lookalike, within, wrong_type};
use crate::json::{Document, Kind, Value};

/// The keys that routing reads, per object. Another spelling of one of them is refused: some
/// servers match keys regardless of case, and would see what routing did not.
const REQUEST_KEYS: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "reasoning_effort",
    "chat_template_kwargs",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "user",
    "metadata",
    "tools",
    "functions",
    "tool_choice",
    "function_call",
];
const MESSAGE_KEYS: &[&str] = &["role", "content", "tool_calls", "function_call", "tool_call_id", "refusal"];
const PART_KEYS: &[&str] = &["type", "text", "refusal", "image_url"];
const STREAM_OPTION_KEYS: &[&str] = &["include_usage"];

/// The parts of a message's content.
#[derive(Default)]
struct Content<'d> {
    texts: Vec<Cow<'d, str>>,
    images: Vec<ByteString>,
    audios: u32,
    first_audio: Option<ByteString>,
    files: u32,
    others: u32,
    refusal: Option<ByteString>,
}

pub(super) fn chat_request(
    document: &Document,
    max_items: usize,
) -> Result<(Fields, Vec<Message>, ToolDefinitions)> {
    let root = document.root();
    if root.kind() != Kind::Object {
        return Err(RequestError::NotAnObject(root.kind().described()));
    }
    let reader = Reader::new(document, max_items);
    let mut fields = Fields::default();
    let mut tools = ToolDefinitions::default();
    let (mut model, mut messages) = (None, None);
    for member in root.members() {
        let value = member.value;
        match &*member.key {
            "model" => model = Some(value),
            "messages" => messages = Some(value),
            "stream" => fields.stream = optional_bool(value, "stream")?.unwrap_or(false),
            "stream_options" => fields.include_usage = include_usage(value)?,
            "reasoning_effort" => fields.reasoning_effort = reader.string(value),
            "chat_template_kwargs" => expect_kind(value, Kind::Object, "chat_template_kwargs")?,
            "max_tokens" => fields.max_tokens = value.as_u64(),
            "max_completion_tokens" => fields.max_completion_tokens = value.as_u64(),
            "n" => fields.choices = value.as_u64(),
            "user" => fields.user = reader.string(value),
            "tools" => reader.tools(value, "tools", &mut tools)?,
            "functions" => reader.tools(value, "functions", &mut tools)?,
            "tool_choice" | "function_call" => tools.has_choice = !value.is_null(),
            "metadata" => {}
            other => refuse_lookalike(other, REQUEST_KEYS, "")?,
        }
    }
    fields.model = reader.model(model)?;
    let messages = reader.messages(messages)?;
    Ok((fields, messages, tools))
}

// === impl Reader

impl<'d> Reader<'d> {
    fn messages(&self, value: Option<Value<'d>>) -> Result<Vec<Message>> {
        let Some(value) = value else {
            return Err(RequestError::field("messages", "is missing"));
        };
        if value.kind() != Kind::Array {
            return Err(wrong_type(value, "messages", "an array"));
        }
        let messages: Vec<Message> = value
            .items()
            .enumerate()
            .map(|(index, item)| {
                self.message(item).map_err(|error| within(error, &format!("messages[{index}]")))
            })
            .collect::<Result<_>>()?;
        if messages.is_empty() {
            return Err(RequestError::field("messages", "is empty; send at least one message"));
        }
        Ok(messages)
    }

    /// Errors name fields from the message on; [`within`] puts the message before them.
    fn message(&self, value: Value<'d>) -> Result<Message> {
        self.item(value)?;
        let mut role = None;
        let mut content = Content::default();
        let mut tool_calls = Vec::new();
        let (mut tool_call_id, mut refusal) = (None, None);
        for member in value.members() {
            let value = member.value;
            match &*member.key {
                "role" => role = Some(read_role(value)?),
                "content" => content = self.content(value)?,
                "tool_calls" => self.tool_calls(value, &mut tool_calls)?,
                "function_call" if !value.is_null() => {
                    tool_calls.push(self.tool_call(value).map_err(|error| within(error, "function_call"))?);
                }
                "tool_call_id" => tool_call_id = self.string(value),
                "refusal" => refusal = self.string(value),
                other => refuse_lookalike(other, MESSAGE_KEYS, "")?,
            }
        }
        let Some(role) = role else {
            return Err(RequestError::field("role", "is missing"));
        };
        Ok(Message {
            role,
            text: self.join(content.texts),
            images: content.images,
            audios: content.audios,
            first_audio: content.first_audio,
            files: content.files,
            other_parts: content.others,
            tool_calls,
            tool_call_id,
            refusal: refusal.or(content.refusal),
            span: value.span(),
        })
    }

    fn content(&self, value: Value<'d>) -> Result<Content<'d>> {
        let mut content = Content::default();
        match value.kind() {
            Kind::Null => {}
            Kind::String => content.texts.extend(value.as_str()),
            Kind::Array => {
                for (index, part) in value.items().enumerate() {
                    self.part(part, &mut content)
                        .map_err(|error| within(error, &format!("content[{index}]")))?;
                }
            }
            _ => return Err(wrong_type(value, "content", "a string or an array of parts")),
        }
        Ok(content)
    }

    fn part(&self, part: Value<'d>, content: &mut Content<'d>) -> Result<()> {
        // Several servers take a bare string for a text part, so it is read as one.
        if let Some(text) = part.as_str() {
            content.texts.push(text);
            return Ok(());
        }
        self.item(part)?;
        let (mut part_type, mut text, mut refusal, mut image) = (None, None, None, None);
        for member in part.members() {
            let value = member.value;
            match &*member.key {
                "type" if value.is_null() => {}
                "type" => {
                    part_type = Some(value.as_str().ok_or_else(|| wrong_type(value, "type", "a string"))?);
                }
                "text" => text = Some(value),
                "refusal" => refusal = Some(value),
                "image_url" => image = Some(value),
                other => refuse_lookalike(other, PART_KEYS, "")?,
            }
        }
        let untyped = if text.is_none() && image.is_some() { "image_url" } else { "text" };
        match part_type.as_deref().unwrap_or(untyped) {
            "text" | "input_text" | "output_text" => {
                if let Some(text) = text.filter(|text| !text.is_null()) {
                    content.texts.push(text.as_str().ok_or_else(|| wrong_type(text, "text", "a string"))?);
                }
            }
            "refusal" => content.refusal = refusal.and_then(|value| self.string(value)),
            "image_url" | "input_image" | "image" => {
                let url = image.and_then(|image| image.get("url").or(Some(image)));
                content.images.push(url.and_then(|url| self.string(url)).unwrap_or_default());
            }
            "input_audio" | "audio_url" | "audio" => {
                content.audios += 1;
                if content.first_audio.is_none() {
                    let audio = part.get("input_audio").or_else(|| part.get("audio_url"));
                    let audio = audio.map(|audio| audio.get("data").or(audio.get("url")).unwrap_or(audio));
                    content.first_audio = audio.and_then(|audio| self.string(audio));
                }
            }
            "file" | "input_file" | "document" => content.files += 1,
            // A type unknown here may be known upstream, and its text must not be out of sight.
            _ => {
                content.others += 1;
                content.texts.extend(text.and_then(Value::as_str));
            }
        }
        Ok(())
    }

    /// Joins the texts that are not empty by one space.
    fn join(&self, mut texts: Vec<Cow<'d, str>>) -> ByteString {
        texts.retain(|text| !text.is_empty());
        match texts.len() {
            0 => ByteString::new(),
            1 => self.share(texts.swap_remove(0)),
            _ => ByteString::from(texts.join(" ")),
        }
    }

    fn tool_calls(&self, value: Value<'d>, calls: &mut Vec<ToolCall>) -> Result<()> {
        match value.kind() {
            Kind::Array => {
                for (index, call) in value.items().enumerate() {
                    let call = self.tool_call(call);
                    calls.push(call.map_err(|error| within(error, &format!("tool_calls[{index}]")))?);
                }
            }
            Kind::Null => {}
            _ => return Err(wrong_type(value, "tool_calls", "an array")),
        }
        Ok(())
    }

    /// A call in the form `{id, function: {name, arguments}}`, `{id, custom: {name, input}}` or
    /// the legacy `{name, arguments}`.
    fn tool_call(&self, call: Value<'d>) -> Result<ToolCall> {
        self.item(call)?;
        let inner = call.get("function").or_else(|| call.get("custom")).unwrap_or(call);
        let text = |value: Option<Value<'d>>| value.and_then(|value| self.string(value)).unwrap_or_default();
        let arguments = inner.get("arguments").or_else(|| inner.get("input"));
        Ok(ToolCall {
            id: text(call.get("id")),
            name: text(inner.get("name")),
            arguments: arguments.map_or(0..0, Value::span),
            byte_length: call.span().len() as u64,
        })
    }

    fn tools(&self, value: Value<'d>, param: &str, tools: &mut ToolDefinitions) -> Result<()> {
        if value.is_null() {
            return Ok(());
        }
        if value.kind() != Kind::Array {
            return Err(wrong_type(value, param, "an array"));
        }
        for (index, tool) in value.items().enumerate() {
            self.item(tool).map_err(|error| within(error, &format!("{param}[{index}]")))?;
            let inner = tool.get("function").or_else(|| tool.get("custom")).unwrap_or(tool);
            tools.names.extend(inner.get("name").and_then(|name| self.string(name)));
            tools.count += 1;
            tools.byte_length += tool.span().len() as u64;
        }
        Ok(())
    }
}

fn read_role(value: Value<'_>) -> Result<Role> {
    let Some(role) = value.as_str() else {
        return Err(wrong_type(value, "role", "a string"));
    };
    Ok(match &*role {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" | "function" => Role::Tool,
        "" => return Err(RequestError::field("role", "is empty")),
        _ => Role::Other,
    })
}

fn include_usage(options: Value<'_>) -> Result<Option<bool>> {
    expect_kind(options, Kind::Object, "stream_options")?;
    let mut include_usage = None;
    for member in options.members() {
        match &*member.key {
            "include_usage" => {
                include_usage = optional_bool(member.value, "stream_options.include_usage")?;
            }
            other => refuse_lookalike(other, STREAM_OPTION_KEYS, "stream_options")?,
        }
    }
    Ok(include_usage)
}
