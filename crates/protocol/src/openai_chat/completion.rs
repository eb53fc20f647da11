//! An answer of the router's own in the shape of a chat completion.

use bytes::Bytes;
use serde_json::json;

use super::DONE_EVENT;

/// A whole answer that no model gave.
#[derive(Debug, Clone, Copy)]
pub struct Completion<'a> {
    /// The completion's id.
    pub id: &'a str,
    /// The model the client asked for.
    pub model: &'a str,
    /// When it was made, in seconds since the epoch.
    pub created_seconds: u64,
    /// The text.
    pub content: &'a str,
}

// === impl Completion

impl Completion<'_> {
    /// The body of an answer that is not streamed. Usage is zero: no tokens were spent.
    pub fn to_body(&self) -> Bytes {
        let body = json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created_seconds,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": { "role": "assistant", "content": self.content, "refusal": null },
                "logprobs": null,
                "finish_reason": "stop",
            }],
            "usage": { "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 },
        });
        Bytes::from(body.to_string())
    }

    /// The events of a streamed answer, `[DONE]` included; with a usage chunk if `include_usage`.
    pub fn to_events(&self, include_usage: bool) -> Bytes {
        let chunk = |choices: serde_json::Value| {
            let mut chunk = json!({
                "id": self.id,
                "object": "chat.completion.chunk",
                "created": self.created_seconds,
                "model": self.model,
                "choices": choices,
            });
            if include_usage {
                chunk["usage"] = serde_json::Value::Null;
            }
            chunk
        };
        let choice = |delta: serde_json::Value, finish_reason: Option<&str>| {
            chunk(json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason }]))
        };
        let mut chunks = vec![
            choice(json!({ "role": "assistant", "content": "" }), None),
            choice(json!({ "content": self.content }), None),
            choice(json!({}), Some("stop")),
        ];
        if include_usage {
            let mut last = chunk(json!([]));
            last["usage"] = json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 });
            chunks.push(last);
        }
        let mut events: Vec<u8> =
            chunks.iter().flat_map(|chunk| format!("data: {chunk}\n\n").into_bytes()).collect();
        events.extend_from_slice(DONE_EVENT);
        events.into()
    }
}
