//! Whole answers for whatever protocol the client speaks.

use bytes::Bytes;
use vsr_types::Usage;

use crate::answer::{Answer, AnswerContext, Piece, RepeatedKeys, TokenUsage};
use crate::error::ApiError;
use crate::json::{JsonLimits, Kind, Mode, Tape, Value};
use crate::loss::{Losses, Reason};
use crate::protocol::Protocol;
use crate::signatures::fingerprint;
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
    /// Of the signatures that passed to the client without a mark: for
    /// [`SignatureMemory::note`](crate::SignatureMemory::note).
    pub signatures: Vec<u64>,
}

/// Translates the body of a successful answer. Where both sides speak the same protocol, the body
/// is the upstream's own. None if it is not an answer of the upstream's protocol, or, where it is
/// translated, calls a tool with half of its arguments and yet says that it is finished.
pub fn translate_answer(body: &Bytes, context: &AnswerContext) -> Option<TranslatedAnswer> {
    let text = std::str::from_utf8(body).ok()?;
    let mut tape = Tape::default();
    tape.scan(text, &JsonLimits::default(), Mode::Tolerant).ok()?;
    let root = tape.root(text);
    let mut losses = Losses::default();
    if !is_answer(root, context.upstream) {
        return None;
    }
    if context.client == context.upstream {
        let model = root.get("model").and_then(Value::as_str).unwrap_or_default().into_owned();
        let signatures = if context.client == Protocol::Messages { signatures_of(root) } else { Vec::new() };
        let usage = usage_of(root, context);
        return Some(TranslatedAnswer { body: body.clone(), usage, model, losses, signatures });
    }
    let answer: Answer = match context.upstream {
        Protocol::Chat => openai_chat::read_answer(root, context, &mut losses)?,
        Protocol::Messages => anthropic::read_answer(root, context, &mut losses)?,
        Protocol::Responses => return None,
    };
    if answer.has_half_call() {
        return None;
    }
    // Where they become an object they are put right.
    let repeats_key = |piece: &Piece| match piece {
        Piece::ToolUse(call) => !call.is_custom && RepeatedKeys::are_in(&call.input),
        _ => false,
    };
    if context.client != Protocol::Messages && answer.pieces.iter().any(repeats_key) {
        losses.add(Reason::RepeatedKeys, "arguments");
    }
    let body = match context.client {
        Protocol::Chat => openai_chat::write_answer(&answer, context, &mut losses),
        Protocol::Messages => anthropic::write_answer(&answer, context, &mut losses),
        Protocol::Responses => openai_responses::write_answer(&answer, context, &mut losses)?,
    };
    let usage = answer.usage.map(TokenUsage::to_usage);
    Some(TranslatedAnswer { body, usage, model: answer.model, losses, signatures: Vec::new() })
}

/// The error that a body of a successful status tells of, in any protocol's shape or in that of the gateways that put it
/// beside a choice; none if it tells of none. Where it states no status it is the upstream's failure, 502. What looks
/// like a key in it is masked.
pub fn answered_error(body: &[u8]) -> Option<ApiError> {
    let text = std::str::from_utf8(body).ok()?;
    let mut tape = Tape::default();
    tape.scan(text, &JsonLimits::default(), Mode::Tolerant).ok()?;
    let root = tape.root(text);
    let stated = |value: Value<'_>| value.get("error").is_some_and(|error| !error.is_null());
    let is_error = |key: &str| root.get(key).and_then(Value::as_str).as_deref() == Some("error");
    let choice = root.get("choices").into_iter().flat_map(Value::items).find(|choice| stated(*choice));
    let told = if stated(root) || is_error("object") || is_error("type") { root } else { choice? };
    ApiError::of_answer(told)
}

/// Whether `root` has the shape of an answer of `protocol`.
fn is_answer(root: Value<'_>, protocol: Protocol) -> bool {
    let is_list = |key: &str| root.get(key).is_some_and(|list| list.kind() == Kind::Array);
    match protocol {
        Protocol::Chat => {
            let mut choices = root.get("choices").into_iter().flat_map(Value::items).peekable();
            choices.peek().is_some()
                && choices.all(|choice| choice.get("message").is_some_and(|it| it.kind() == Kind::Object))
        }
        Protocol::Messages => is_list("content"),
        Protocol::Responses => is_list("output"),
    }
}

/// The fingerprints of the signatures in a message.
fn signatures_of(root: Value<'_>) -> Vec<u64> {
    let blocks = root.get("content").into_iter().flat_map(Value::items);
    let sealed = blocks.filter_map(|block| {
        let field = match &*block.get("type")?.as_str()? {
            "thinking" => "signature",
            "redacted_thinking" => "data",
            _ => return None,
        };
        block.get(field)?.as_str()
    });
    sealed.map(|sealed| fingerprint(&sealed)).collect()
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
