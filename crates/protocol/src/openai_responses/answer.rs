//! Whole answers for clients of Responses.

use std::borrow::Cow;

use bytes::Bytes;

use super::echo::Standing;
use crate::answer::{Answer, AnswerContext, Call, Completeness, Piece};
use crate::conversation::marked_signature;
use crate::json::Writer;
use crate::loss::{Losses, Reason};

/// Writes an answer for a client of Responses; none if there is no frame to put it in.
pub(crate) fn write_answer(answer: &Answer, context: &AnswerContext, losses: &mut Losses) -> Option<Bytes> {
    let frame = context.response.as_ref()?;
    let incomplete_reason = answer.stop.reason.incomplete_reason();
    if !answer.stop.reason.has_word_in(context.client) {
        losses.add(Reason::StopReason, "finish_reason");
    }
    // A refusal in words is a complete answer of its kind.
    let says_refusal = answer.pieces.iter().any(|piece| matches!(piece, Piece::Refusal(_)));
    let incomplete_reason = incomplete_reason.filter(|_| !says_refusal);
    let status = if incomplete_reason.is_some() { "incomplete" } else { "completed" };
    let standing = Standing {
        status,
        incomplete_reason,
        error: None,
        model: Some(&*answer.model).filter(|model| !model.is_empty()),
        usage: answer.usage,
        service_tier: answer.service_tier.as_deref(),
    };
    let mut out = Writer::with_capacity(2048);
    frame.write(&standing, |output| write_output(answer, context, status, output), &mut out);
    Some(out.finish())
}

fn write_output(answer: &Answer, context: &AnswerContext, status: &'static str, output: &mut Writer) {
    let stem = context.response.as_ref().map_or("", |frame| frame.stem());
    let mut index = 0;
    let mut pieces = answer.pieces.iter().peekable();
    while let Some(piece) = pieces.next() {
        // What broke off is the last item; those before it are whole.
        let is_last = pieces.clone().all(|next| matches!(next, Piece::Refusal(_)));
        let status = if is_last { status } else { "completed" };
        let id = |prefix: &str| format!("{prefix}_{stem}_{index}");
        match piece {
            Piece::Text { .. } | Piece::Refusal(_) => {
                let mut parts = vec![piece];
                while let Some(next) = pieces.next_if(|next| matches!(next, Piece::Refusal(_))) {
                    parts.push(next);
                }
                output.object(|item| {
                    write_message_head(&id("msg"), status, item);
                    item.array_field("content", |content| {
                        for part in parts {
                            match part {
                                Piece::Text { text, logprobs } => {
                                    content.object(|part| write_text(text, logprobs.as_deref(), part));
                                }
                                Piece::Refusal(text) => content.object(|part| write_refusal(text, part)),
                                _ => {}
                            }
                        }
                    });
                });
            }
            Piece::Thinking { text, signature } => {
                let payload = signature.as_deref().unwrap_or_default();
                let sealed = marked_signature(&context.upstream_model, false, payload);
                let text = Some(&**text).filter(|text| !text.is_empty());
                output.object(|item| write_reasoning(&id("rs"), text, Some(&sealed), item));
            }
            Piece::Redacted(data) => {
                let sealed = marked_signature(&context.upstream_model, true, data);
                output.object(|item| write_reasoning(&id("rs"), None, Some(&sealed), item));
            }
            Piece::ToolUse(call) => output.object(|item| {
                let id = id(if call.is_custom { "ctc" } else { "fc" });
                let is_half = !call.is_custom && Completeness::is_half_of(&call.input);
                write_call(&id, call, if is_half { "incomplete" } else { status }, item);
            }),
        }
        index += 1;
    }
}

/// The members of a message item before its content.
pub(super) fn write_message_head(id: &str, status: &str, item: &mut Writer) {
    item.string_field("id", id);
    item.string_field("type", "message");
    item.string_field("status", status);
    item.string_field("role", "assistant");
}

/// Log probabilities as Responses tells them: the bytes of a token are a list there, if only an
/// empty one. Quotes inside strings are escaped, so a key is what it looks like.
pub(super) fn response_logprobs(list: &str) -> Cow<'_, str> {
    if !list.contains("\"bytes\"") {
        return Cow::Borrowed(list);
    }
    let spaced = list.replace("\"bytes\": null", "\"bytes\":[]");
    Cow::Owned(spaced.replace("\"bytes\":null", "\"bytes\":[]"))
}

/// The members of a part of text.
pub(super) fn write_text(text: &str, logprobs: Option<&str>, part: &mut Writer) {
    part.string_field("type", "output_text");
    part.raw_field("annotations", "[]");
    part.raw_field("logprobs", &response_logprobs(logprobs.unwrap_or("[]")));
    part.string_field("text", text);
}

/// The members of a refusal.
pub(super) fn write_refusal(text: &str, part: &mut Writer) {
    part.string_field("type", "refusal");
    part.string_field("refusal", text);
}

/// The members of a reasoning item.
pub(super) fn write_reasoning(id: &str, text: Option<&str>, sealed: Option<&str>, item: &mut Writer) {
    item.string_field("id", id);
    item.string_field("type", "reasoning");
    item.array_field("summary", |summary| {
        if let Some(text) = text {
            summary.object(|part| {
                part.string_field("type", "summary_text");
                part.string_field("text", text);
            });
        }
    });
    if let Some(sealed) = sealed {
        item.string_field("encrypted_content", sealed);
    }
}

/// The members of a call.
pub(super) fn write_call(id: &str, call: &Call, status: &str, item: &mut Writer) {
    item.string_field("id", id);
    item.string_field("type", if call.is_custom { "custom_tool_call" } else { "function_call" });
    item.string_field("status", status);
    item.string_field("call_id", &call.id);
    item.string_field("name", &call.name);
    item.string_field(if call.is_custom { "input" } else { "arguments" }, &call.input);
}
