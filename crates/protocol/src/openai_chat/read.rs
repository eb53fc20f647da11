//! Reads a chat request into a conversation.

use bytestring::ByteString;
use vsr_types::Role;

use crate::conversation::{
    Content, Conversation, Document as Doc, Format, Image, Part, Place, Source, Text, Tool, ToolChoice,
    ToolKind, ToolResult, ToolSpec, ToolUse, Turn,
};
use crate::envelope::ChatRequest;
use crate::error::RequestError;
use crate::json::{Kind, Value};
use crate::scalars::{EFFORTS, Scalars};

/// Reads texts as slices of the document. What has a wrong type was refused when the request was
/// parsed, is refused by its scalars, or is left out here.
struct Reader<'d> {
    text: &'d ByteString,
    scalars: Scalars<'d>,
}

/// Top-level fields that are about the stream's form alone.
const SILENT_KEYS: &[&str] = &["stream_options"];

/// The conversation of `request`.
pub(crate) fn read_conversation(request: &ChatRequest) -> Conversation {
    let reader = Reader { text: request.text(), scalars: Scalars::new(request.text()) };
    let scalars = &reader.scalars;
    let mut read = Conversation::default();
    let settings = &mut read.settings;
    settings.model = ByteString::from(request.model());
    settings.stream = request.stream();
    let (mut max_tokens, mut max_completion_tokens) = (None, None);
    let mut top_logprobs = None;
    let mut wants_logprobs = false;
    for member in request.root().members() {
        let value = member.value;
        let settings = &mut read.settings;
        match &*member.key {
            "model" | "stream" => {}
            "max_tokens" => max_tokens = scalars.count(value, "max_tokens", 1),
            "max_completion_tokens" => {
                max_completion_tokens = scalars.count(value, "max_completion_tokens", 1);
            }
            "messages" => {
                for (index, item) in value.items().enumerate() {
                    reader.message(item, Place::item("messages", index), &mut read.turns);
                }
            }
            "temperature" => settings.temperature = scalars.number(value, "temperature", 2.0),
            "top_p" => settings.top_p = scalars.number(value, "top_p", 1.0),
            // By -1 several servers are told to look at all tokens, as they do by themselves.
            "top_k" if value.raw() == "-1" => {}
            "top_k" => settings.top_k = scalars.count(value, "top_k", 0).map(|_| reader.raw(value)),
            "stop" => {
                settings.stop = match reader.string(value) {
                    Some(stop) => vec![stop],
                    None => scalars.texts(value, "stop"),
                };
            }
            "reasoning_effort" => {
                settings.reasoning.effort = scalars.word(value, "reasoning_effort", EFFORTS);
            }
            "user" => settings.user = scalars.text(value, "user"),
            "service_tier" => settings.service_tier = scalars.text(value, "service_tier"),
            "verbosity" => settings.verbosity = scalars.text(value, "verbosity"),
            "logprobs" => wants_logprobs = scalars.flag(value, "logprobs") == Some(true),
            "top_logprobs" => top_logprobs = scalars.count_within(value, "top_logprobs", 0, 20),
            "parallel_tool_calls" => read.parallel_tool_calls = scalars.flag(value, "parallel_tool_calls"),
            "response_format" => read.format = reader.format(value),
            "n" => {
                scalars.count(value, "n", 1);
                read.extras.push((ByteString::from_static("n"), reader.raw(value)));
            }
            "tools" => reader.tools(value, "tools", &mut read.tools),
            "functions" => reader.tools(value, "functions", &mut read.tools),
            "tool_choice" | "function_call" => read.tool_choice = reader.tool_choice(value),
            silent if SILENT_KEYS.contains(&silent) => {}
            other => read.extras.push((ByteString::from(other), reader.raw(value))),
        }
    }
    read.settings.max_tokens = max_completion_tokens.or(max_tokens);
    if wants_logprobs || top_logprobs.is_some_and(|count| count > 0) {
        read.settings.logprobs = Some(top_logprobs.unwrap_or(0));
    }
    read.invalid = reader.scalars.into_problem();
    read
}

/// The names of the declared tools that take free text.
pub(crate) fn custom_tools(request: &ChatRequest) -> Vec<ByteString> {
    if request.tools().count == 0 {
        return Vec::new();
    }
    let reader = Reader { text: request.text(), scalars: Scalars::new(request.text()) };
    let mut tools = Vec::new();
    for list in ["tools", "functions"] {
        if let Some(value) = request.root().get(list) {
            reader.tools(value, list, &mut tools);
        }
    }
    let custom = tools.into_iter().filter(|tool| matches!(tool.spec, ToolSpec::Custom { .. }));
    custom.map(|tool| tool.name).collect()
}

// === impl Reader

impl<'d> Reader<'d> {
    fn string(&self, value: Value<'_>) -> Option<ByteString> {
        value.as_str().map(|text| match text {
            std::borrow::Cow::Borrowed(_) => {
                let span = value.span();
                self.text.slice_ref(&self.text[span.start + 1..span.end - 1])
            }
            std::borrow::Cow::Owned(unescaped) => ByteString::from(unescaped),
        })
    }

    fn content_text(&self, value: Value<'_>) -> Option<Text> {
        value.written_str().map(|written| Text::as_written(self.text.slice_ref(written)))
    }

    fn raw(&self, value: Value<'_>) -> ByteString {
        self.text.slice_ref(&self.text[value.span()])
    }

    fn text(&self, object: Value<'_>, key: &str) -> Option<ByteString> {
        object.get(key).and_then(|value| self.string(value))
    }

    fn message(&self, value: Value<'_>, place: Place, turns: &mut Vec<Turn>) {
        let role = match self.text(value, "role").as_deref() {
            Some("system") => Role::System,
            Some("developer") => Role::Developer,
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("tool" | "function") => Role::Tool,
            _ => Role::Other,
        };
        let mut turn = Turn::new(role, place);
        turn.name = self.text(value, "name").filter(|_| role != Role::Tool);
        let parts = value.get("content").map(|content| self.content(content, place)).unwrap_or_default();
        if role == Role::Tool {
            // The older form names the function instead of the call.
            let id = self.text(value, "tool_call_id").unwrap_or_default();
            turn.push(Content::ToolResult(ToolResult { id, parts, is_error: false }), place);
            turns.push(turn);
            return;
        }
        if role == Role::Assistant {
            self.reasoning(value, &mut turn);
        }
        turn.parts.extend(parts);
        if let Some(refusal) = self.text(value, "refusal").filter(|refusal| !refusal.is_empty()) {
            turn.push(Content::Refusal(refusal), place);
        }
        for call in value.get("tool_calls").into_iter().flat_map(Value::items) {
            turn.push(Content::ToolUse(self.tool_call(call)), place);
        }
        if let Some(call) = value.get("function_call").filter(|call| call.kind() == Kind::Object) {
            turn.push(Content::ToolUse(self.tool_call(call)), place);
        }
        if let Some(audio) = value.get("audio").filter(|audio| audio.kind() == Kind::Object) {
            let text = self.text(audio, "transcript");
            turn.push(Content::Unknown { kind: ByteString::from_static("audio"), text }, place);
        }
        turns.push(turn);
    }

    /// Reasoning that a server told of in one of the fields in use for it.
    fn reasoning(&self, message: Value<'_>, turn: &mut Turn) {
        let place = turn.place;
        let text = self.text(message, "reasoning_content").or_else(|| self.text(message, "reasoning"));
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            turn.push(Content::Thinking { text, signature: None }, place);
        }
    }

    fn content(&self, content: Value<'_>, place: Place) -> Vec<Part> {
        if let Some(text) = self.content_text(content) {
            return vec![Part::new(Content::Text(text), place)];
        }
        content.items().enumerate().map(|(index, part)| self.part(part, place.part(index))).collect()
    }

    fn part(&self, part: Value<'_>, place: Place) -> Part {
        if let Some(text) = self.content_text(part) {
            return Part::new(Content::Text(text), place);
        }
        let text = |key: &str| self.text(part, key);
        let has_image_only = part.get("text").is_none() && part.get("image_url").is_some();
        let untyped = if has_image_only { "image_url" } else { "text" };
        let kind = text("type").unwrap_or_else(|| ByteString::from_static(untyped));
        let content = match &*kind {
            "text" | "input_text" | "output_text" => {
                let text = part.get("text").and_then(|text| self.content_text(text));
                Content::Text(text.unwrap_or_default())
            }
            "refusal" => Content::Refusal(text("refusal").unwrap_or_default()),
            "image_url" | "input_image" | "image" => {
                let image = part.get("image_url");
                let url = image.map(|image| image.get("url").unwrap_or(image));
                Content::Image(Image {
                    source: Source::of_url(url.and_then(|url| self.string(url)).unwrap_or_default()),
                    detail: image.and_then(|image| self.text(image, "detail")).or_else(|| text("detail")),
                })
            }
            "file" | "input_file" => {
                let file = part.get("file").unwrap_or(part);
                let source = match (self.text(file, "file_data"), self.text(file, "file_id")) {
                    (Some(data), _) => Source::of_url(data),
                    (None, Some(id)) => Source::File(id),
                    (None, None) => Source::Missing { is_broken: false },
                };
                Content::Document(Doc { source, title: self.text(file, "filename"), has_details: false })
            }
            "input_audio" => {
                let audio = part.get("input_audio").unwrap_or(part);
                let field = |key: &str| self.text(audio, key).unwrap_or_default();
                Content::Audio { data: field("data"), format: field("format") }
            }
            _ => Content::Unknown { text: text("text"), kind },
        };
        // Some gateways take Anthropic's cache breakpoints in chat requests.
        let cache_control = part.get("cache_control").filter(|value| value.kind() == Kind::Object);
        Part { content, cache_control: cache_control.map(|value| self.raw(value)), place }
    }

    fn tool_call(&self, call: Value<'_>) -> ToolUse {
        let custom = call.get("custom");
        let inner = call.get("function").or(custom).unwrap_or(call);
        let input = inner.get(if custom.is_some() { "input" } else { "arguments" });
        ToolUse {
            id: self.text(call, "id").unwrap_or_default(),
            name: self.text(inner, "name").unwrap_or_default(),
            // Some clients send the arguments as an object.
            input: input
                .map_or_else(ByteString::new, |input| self.string(input).unwrap_or_else(|| self.raw(input))),
            kind: if custom.is_some() { ToolKind::Custom } else { ToolKind::Function },
            byte_length: call.span().len() as u64,
        }
    }

    fn tools(&self, value: Value<'_>, list: &'static str, tools: &mut Vec<Tool>) {
        for (index, tool) in value.items().enumerate() {
            let kind = self.text(tool, "type").unwrap_or_else(|| ByteString::from_static("function"));
            let inner = tool.get("function").or_else(|| tool.get("custom")).unwrap_or(tool);
            let spec = match &*kind {
                "function" => ToolSpec::Function {
                    schema: inner
                        .get("parameters")
                        .filter(|value| !value.is_null())
                        .map(|value| self.raw(value)),
                    strict: inner.get("strict").and_then(Value::as_bool),
                },
                "custom" => ToolSpec::Custom { format: inner.get("format").map(|value| self.raw(value)) },
                _ => ToolSpec::Hosted { kind },
            };
            let cache_control = tool.get("cache_control").filter(|value| value.kind() == Kind::Object);
            tools.push(Tool {
                name: self.text(inner, "name").unwrap_or_default(),
                description: self.text(inner, "description"),
                spec,
                cache_control: cache_control.map(|value| self.raw(value)),
                byte_length: tool.span().len() as u64,
                place: Place::item(list, index),
            });
        }
    }

    fn tool_choice(&self, value: Value<'d>) -> Option<ToolChoice> {
        if let Some(word) = self.string(value) {
            return Some(match &*word {
                "auto" => ToolChoice::Auto,
                "none" => ToolChoice::None,
                "required" => ToolChoice::Required,
                _ => ToolChoice::Other(word),
            });
        }
        self.scalars.object(value, "tool_choice")?;
        if value.members().next().is_none() {
            self.scalars.refuse(RequestError::field("tool_choice", "must name a tool or a kind of choice"));
            return None;
        }
        let named = |value: Value<'_>, kind: ToolKind| ToolChoice::Named {
            name: self.text(value, "name").unwrap_or_default(),
            kind,
        };
        if let Some(list) = value.get("allowed_tools") {
            let names = list.get("tools").into_iter().flat_map(Value::items).filter_map(|tool| {
                let inner = tool.get("function").or_else(|| tool.get("custom")).unwrap_or(tool);
                self.text(inner, "name")
            });
            let is_required = self.text(list, "mode").as_deref() == Some("required");
            return Some(ToolChoice::Allowed { names: names.collect(), is_required });
        }
        Some(match (value.get("function"), value.get("custom"), self.text(value, "type")) {
            (Some(function), _, _) => named(function, ToolKind::Function),
            (None, Some(custom), _) => named(custom, ToolKind::Custom),
            (None, None, Some(kind)) if kind != "function" => ToolChoice::Other(kind),
            // The older `function_call: {name}`.
            _ => named(value, ToolKind::Function),
        })
    }

    fn format(&self, value: Value<'d>) -> Format {
        self.scalars.object(value, "response_format");
        if value.kind() == Kind::Object {
            let param = "response_format.type";
            match value.get("type") {
                Some(kind) => drop(self.scalars.word(kind, param, &["text", "json_object", "json_schema"])),
                None => self.scalars.refuse(RequestError::field(param, "is missing")),
            }
        }
        match self.text(value, "type").as_deref() {
            Some("json_object") => Format::Json,
            Some("json_schema") => {
                let inner = value.get("json_schema").unwrap_or(value);
                match inner.get("schema") {
                    Some(schema) => drop(self.scalars.object(schema, "response_format.json_schema.schema")),
                    None => {
                        let param = "response_format.json_schema.schema";
                        self.scalars.refuse(RequestError::field(param, "is missing"));
                    }
                }
                Format::Schema {
                    name: self.text(inner, "name"),
                    description: self.text(inner, "description"),
                    schema: inner
                        .get("schema")
                        .map_or_else(|| ByteString::from_static("{}"), |schema| self.raw(schema)),
                    strict: inner.get("strict").and_then(Value::as_bool),
                }
            }
            _ => Format::Text,
        }
    }
}
