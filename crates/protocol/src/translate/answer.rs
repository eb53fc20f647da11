//! Whole answers for whatever protocol the client speaks.

use bytes::Bytes;
use vsr_types::Usage;

use crate::answer::{Answer, AnswerContext, TokenUsage};
use crate::json::{JsonLimits, Mode, Tape, Value};
use crate::loss::Losses;
use crate::protocol::Protocol;
use crate::{anthropic, openai_chat, openai_responses};

/// An answer as the client gets it.
#[derive(Debug, Clone)]
pub struct TranslatedAnswer {
    /// The body.
    pub body: Bytes,
    /// What it cost, if the upstream told.
    pub usage: Option<Usage>,
    /// The model that the upstream says it is; empty if it says nothing.
    pub model: String,
    /// What could not be said in the client's protocol.
    pub losses: Losses,
}

/// Translates the body of a successful answer. Where both sides speak the same protocol, the body
/// is the upstream's own. None if it is not an answer of the upstream's protocol.
pub fn translate_answer(body: &Bytes, context: &AnswerContext) -> Option<TranslatedAnswer> {
    let text = std::str::from_utf8(body).ok()?;
    let mut tape = Tape::default();
    tape.scan(text, &JsonLimits::default(), Mode::Tolerant).ok()?;
    let root = tape.root(text);
    let mut losses = Losses::default();
    if context.client == context.upstream {
        let model = root.get("model").and_then(Value::as_str).unwrap_or_default().into_owned();
        return Some(TranslatedAnswer { body: body.clone(), usage: usage_of(root, context), model, losses });
    }
    let answer: Answer = match context.upstream {
        Protocol::Chat => openai_chat::read_answer(root, context, &mut losses)?,
        Protocol::Messages => anthropic::read_answer(root, context, &mut losses)?,
        Protocol::Responses => return None,
    };
    let body = match context.client {
        Protocol::Chat => openai_chat::write_answer(&answer, context, &mut losses),
        Protocol::Messages => anthropic::write_answer(&answer, context, &mut losses),
        Protocol::Responses => openai_responses::write_answer(&answer, context, &mut losses)?,
    };
    let usage = answer.usage.map(TokenUsage::to_usage);
    Some(TranslatedAnswer { body, usage, model: answer.model, losses })
}

fn usage_of(root: Value<'_>, context: &AnswerContext) -> Option<Usage> {
    let usage = root.get("usage")?;
    if context.upstream == Protocol::Messages {
        let mut read = TokenUsage::default();
        read.update_from_anthropic(usage);
        return Some(read.to_usage());
    }
    TokenUsage::of_openai(usage).map(TokenUsage::to_usage)
}
