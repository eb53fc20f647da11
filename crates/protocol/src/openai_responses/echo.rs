//! What a response says of its request.

use bytestring::ByteString;

use super::ResponsesRequest;
use crate::answer::TokenUsage;
use crate::error::ApiError;
use crate::json::{Value, Writer};

/// Everything of a response object but its answer.
#[derive(Debug, Clone)]
pub struct ResponseFrame {
    /// The response's id.
    pub id: String,
    /// When it was begun, in seconds since the epoch.
    pub created_seconds: u64,
    /// The request's fields, as members of an object without the braces.
    echo: String,
    /// The model that the client asked for, told until the upstream names its own.
    model: ByteString,
}

/// How a response stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing<'s> {
    /// `in_progress`, `completed`, `incomplete`, `failed`.
    pub(crate) status: &'static str,
    pub(crate) incomplete_reason: Option<&'static str>,
    pub(crate) error: Option<&'s ApiError>,
    pub(crate) model: Option<&'s str>,
    pub(crate) usage: Option<TokenUsage>,
    pub(crate) service_tier: Option<&'s str>,
}

/// Fields that are told as the client sent them, and what is told where it sent none.
const ECHOED: [(&str, &str); 17] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("temperature", "1.0"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "1.0"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
];

/// Tools as they were stated, without what proves to their servers who calls: a response is kept and read again.
fn tell_tools(tools: Value<'_>, out: &mut Writer) {
    const SECRET: [&str; 2] = ["authorization", "headers"];
    for tool in tools.items() {
        let is_secret = |key: &str| SECRET.contains(&key);
        if !tool.members().any(|member| is_secret(&member.key)) {
            out.raw(tool.raw());
            continue;
        }
        out.object(|out| {
            for member in tool.members().filter(|member| !is_secret(&member.key)) {
                out.raw_field(&member.key, member.value.raw());
            }
        });
    }
}

// === impl ResponseFrame

impl ResponseFrame {
    /// The frame of the response to `request`, which is the client's own, before earlier turns
    /// were put into it.
    pub fn new(request: &ResponsesRequest, id: String, created_seconds: u64) -> Self {
        let mut echo = Writer::default();
        let root = request.root();
        for (name, default) in ECHOED {
            match root.get(name).filter(|value| !value.is_null()) {
                Some(tools) if name == "tools" => echo.array_field(name, |out| tell_tools(tools, out)),
                stated => echo.raw_field(name, stated.map_or(default, Value::raw)),
            }
        }
        // Told as it is, not as it was asked: nothing is stored unless a service says that it is.
        echo.bool_field("store", false);
        if let Some(conversation) = request.conversation_id() {
            echo.object_field("conversation", |out| out.string_field("id", &conversation));
        }
        Self {
            id,
            created_seconds,
            echo: echo.into_string(),
            model: request.conversation().settings.model.clone(),
        }
    }

    /// What item ids are made of.
    pub(crate) fn stem(&self) -> &str {
        self.id.strip_prefix("resp_").unwrap_or(&self.id)
    }

    /// Writes the response object. `output` writes the items of its output.
    pub(crate) fn write(&self, standing: &Standing<'_>, output: impl FnOnce(&mut Writer), out: &mut Writer) {
        out.object(|out| {
            out.string_field("id", &self.id);
            out.string_field("object", "response");
            out.number_field("created_at", self.created_seconds);
            out.string_field("status", standing.status);
            out.bool_field("background", false);
            out.key("error");
            match standing.error {
                Some(error) => out.object(|out| {
                    out.string_field("code", error.response_code());
                    out.string_field("message", &error.message);
                }),
                None => out.null(),
            }
            out.key("incomplete_details");
            match standing.incomplete_reason {
                Some(reason) => out.object(|out| out.string_field("reason", reason)),
                None => out.null(),
            }
            out.string_field("model", standing.model.unwrap_or(&self.model));
            out.array_field("output", output);
            out.members(&self.echo);
            out.nullable_field("service_tier", standing.service_tier.or(Some("default")));
            match standing.usage {
                Some(usage) => usage.write_responses(out),
                None => out.key("usage").null(),
            }
        });
    }
}
