//! The answer of a well-behaved OpenAI-compatible server to one chat request.

use serde_json::{Value, json};

/// One chat request, as far as the answer depends on it, and the answer's ingredients.
pub(crate) struct Completion {
    id: String,
    model: String,
    pieces: Vec<String>,
    tool_call: Option<ToolCall>,
    prompt_tokens: usize,
    wants_stream: bool,
    wants_usage: bool,
}

struct ToolCall {
    id: String,
    name: String,
    arguments: String,
}

const CREATED_SECONDS: u64 = 1_700_000_000;

impl Completion {
    /// Reads a chat request; the error is the message of a 400.
    pub(crate) fn read(body: &[u8], number: usize, text: &str) -> Result<Self, String> {
        let request: Value =
            serde_json::from_slice(body).map_err(|error| format!("body is not JSON: {error}"))?;
        let model = request["model"].as_str().ok_or("you must provide a model parameter")?;
        let messages = request["messages"].as_array().ok_or("you must provide a messages parameter")?;
        let last_user = messages
            .iter()
            .rev()
            .find(|message| message["role"] == "user")
            .map(message_text)
            .unwrap_or_default();
        let tool = request["tools"][0]["function"]["name"].as_str();
        let tool_call = tool.filter(|_| last_user.contains("use tool")).map(|name| ToolCall {
            id: format!("call_testkit_{number}"),
            name: name.to_owned(),
            arguments: json!({"input": last_user}).to_string(),
        });
        Ok(Self {
            id: format!("chatcmpl-testkit-{number}"),
            model: model.to_owned(),
            pieces: text.split_inclusive(' ').map(str::to_owned).collect(),
            tool_call,
            prompt_tokens: messages
                .iter()
                .map(|message| message_text(message).split_whitespace().count())
                .sum(),
            wants_stream: request["stream"] == true,
            wants_usage: request["stream_options"]["include_usage"] == true,
        })
    }

    pub(crate) fn wants_stream(&self) -> bool {
        self.wants_stream
    }

    /// The body of a non-streamed answer.
    pub(crate) fn whole(&self) -> Vec<u8> {
        let mut message = json!({"role": "assistant", "content": self.pieces.concat(), "refusal": null});
        if let Some(call) = &self.tool_call {
            message["content"] = Value::Null;
            message["tool_calls"] = json!([{"id": call.id, "type": "function",
                "function": {"name": call.name, "arguments": call.arguments}}]);
        }
        json!({"id": self.id, "object": "chat.completion", "created": CREATED_SECONDS, "model": self.model,
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": self.finish_reason()}],
            "usage": self.usage()})
        .to_string()
        .into_bytes()
    }

    /// The chunk with the role.
    pub(crate) fn role_chunk(&self) -> Value {
        self.chunk(&json!({"role": "assistant", "content": ""}), None)
    }

    /// The chunks between role and finish reason.
    pub(crate) fn content_chunks(&self) -> Vec<Value> {
        let Some(call) = &self.tool_call else {
            return self.pieces.iter().map(|piece| self.content_chunk(piece)).collect();
        };
        let middle = call.arguments.find(' ').unwrap_or_default();
        let (left, right) = call.arguments.split_at(middle);
        let first = json!({"tool_calls": [{"index": 0, "id": call.id, "type": "function",
            "function": {"name": call.name, "arguments": ""}}]});
        let argument = |part: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": part}}]});
        [first, argument(left), argument(right)].iter().map(|delta| self.chunk(delta, None)).collect()
    }

    pub(crate) fn content_chunk(&self, piece: &str) -> Value {
        self.chunk(&json!({"content": piece}), None)
    }

    /// The chunk with the finish reason.
    pub(crate) fn finish_chunk(&self) -> Value {
        self.chunk(&json!({}), Some(self.finish_reason()))
    }

    /// The usage chunk, when the request asked for it.
    pub(crate) fn usage_chunk(&self) -> Option<Value> {
        self.wants_usage.then(|| {
            let mut chunk = self.chunk(&json!({}), None);
            chunk["choices"] = json!([]);
            chunk["usage"] = self.usage();
            chunk
        })
    }

    fn chunk(&self, delta: &Value, finish_reason: Option<&str>) -> Value {
        let mut chunk = json!({"id": self.id, "object": "chat.completion.chunk", "created": CREATED_SECONDS,
            "model": self.model,
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}]});
        if self.wants_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn finish_reason(&self) -> &'static str {
        if self.tool_call.is_some() { "tool_calls" } else { "stop" }
    }

    fn usage(&self) -> Value {
        let completion_tokens = self.pieces.len();
        json!({"prompt_tokens": self.prompt_tokens, "completion_tokens": completion_tokens,
            "total_tokens": self.prompt_tokens + completion_tokens})
    }
}

/// The text of a message: its string content, or its text parts joined by a space.
fn message_text(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            texts.join(" ")
        }
        _ => String::new(),
    }
}

/// The body of `GET /v1/models`.
pub(crate) fn model_list(names: &[String]) -> String {
    let data: Vec<Value> = names
        .iter()
        .map(|name| json!({"id": name, "object": "model", "created": CREATED_SECONDS, "owned_by": "testkit"}))
        .collect();
    json!({"object": "list", "data": data}).to_string()
}
