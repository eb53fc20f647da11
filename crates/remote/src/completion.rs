//! Chat completions: the request that asks, and the text that comes back.

use serde_json::{Value, json};
use vsr_config::ExternalModel;
use vsr_signals::external::{PromptMessage, PromptRole};

use crate::error::CallError;

/// The body that asks a model.
pub(crate) fn request(settings: &ExternalModel, prompt: &[PromptMessage], tokens: u32) -> Value {
    let messages = prompt.iter().map(|message| {
        let role = match message.role {
            PromptRole::System => "system",
            PromptRole::User => "user",
        };
        json!({ "role": role, "content": message.content })
    });
    json!({
        "model": settings.llm_model_name,
        "messages": messages.collect::<Value>(),
        "temperature": settings.temperature.unwrap_or(0.0),
        "max_tokens": settings.max_tokens.unwrap_or(tokens),
        "stream": false,
    })
}

/// The text of a completion, without what a reasoning model thought before it.
pub(crate) fn text(answer: &str) -> Result<String, CallError> {
    const THOUGHT_END: &str = "</think>";
    let answer: Value =
        serde_json::from_str(answer).map_err(|_| CallError::Protocol("the answer is not JSON"))?;
    let content = answer.pointer("/choices/0/message/content").and_then(Value::as_str);
    let content = content.ok_or(CallError::Protocol("the answer is no completion with text"))?;
    let said = content.rfind(THOUGHT_END).map_or(content, |at| &content[at + THOUGHT_END.len()..]);
    Ok(said.to_owned())
}
