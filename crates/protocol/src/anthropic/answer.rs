//! Whole answers of Anthropic Messages, read and written.

use std::borrow::Cow;

use bytes::Bytes;

use crate::answer::{Answer, AnswerContext, Call, Piece, Stop, StopReason, TokenUsage, unwrap_custom};
use crate::conversation::marked_signature;
use crate::json::{Kind, Value, Writer, plain_json};
use crate::loss::{Losses, Reason};
use crate::translate::is_object;

/// Reads an answer; none if it is no message.
pub(crate) fn read_answer(body: Value<'_>, context: &AnswerContext, losses: &mut Losses) -> Option<Answer> {
    let text_of = |value: Value<'_>, key: &str| value.get(key).and_then(Value::as_str).map(Cow::into_owned);
    let content = body.get("content").filter(|content| content.kind() == Kind::Array)?;
    // An answer that does not say why it ended has not ended.
    let stop_reason = body.get("stop_reason").and_then(Value::as_str).filter(|reason| !reason.is_empty())?;
    let mut answer = Answer {
        id: text_of(body, "id").unwrap_or_default(),
        model: text_of(body, "model").unwrap_or_default(),
        stop: Stop {
            reason: StopReason::of_stop_reason(&stop_reason),
            sequence: text_of(body, "stop_sequence"),
        },
        ..Answer::default()
    };
    if let Some(usage) = body.get("usage") {
        let mut read = TokenUsage::default();
        read.update_from_anthropic(usage);
        answer.usage = Some(read);
        answer.service_tier = text_of(usage, "service_tier").map(|tier| openai_tier(&tier).to_owned());
    }
    for (index, block) in content.items().enumerate() {
        let text = |key: &str| text_of(block, key).unwrap_or_default();
        let piece = match &*text("type") {
            "text" => {
                if block.get("citations").is_some_and(|list| list.items().next().is_some()) {
                    losses.add(Reason::Citations, format!("content[{index}].citations"));
                }
                match answer.pieces.last_mut() {
                    // Blocks of text in a row are one text, cut where citations end.
                    Some(Piece::Text { text: before, .. }) => {
                        before.push_str(&text("text"));
                        continue;
                    }
                    _ => Piece::Text { text: text("text"), logprobs: None },
                }
            }
            "thinking" => Piece::Thinking { text: text("thinking"), signature: text_of(block, "signature") },
            "redacted_thinking" => Piece::Redacted(text("data")),
            "tool_use" => {
                let name = text("name");
                if name.is_empty() {
                    losses.add(Reason::MissingName, format!("content[{index}]"));
                    continue;
                }
                let input = block.get("input").map_or("{}", Value::raw);
                let is_custom = context.is_custom(&name);
                let input = if is_custom { unwrap_custom(input) } else { input.to_owned() };
                let id = Some(text("id")).filter(|id| !id.is_empty());
                let id = id.unwrap_or_else(|| context.made_id("call", index));
                Piece::ToolUse(Call { id, name, input, is_custom })
            }
            kind => {
                losses.add(Reason::AnswerBlock, format!("content[{index}].{kind}"));
                continue;
            }
        };
        answer.pieces.push(piece);
    }
    Some(answer)
}

/// The service tier in OpenAI's words.
pub(super) fn openai_tier(tier: &str) -> &str {
    if tier == "standard" { "default" } else { tier }
}

/// Writes an answer for a client of Messages.
pub(crate) fn write_answer(answer: &Answer, context: &AnswerContext, losses: &mut Losses) -> Bytes {
    let mut out = Writer::with_capacity(1024);
    if !answer.stop.reason.has_word_in(context.client) {
        losses.add(Reason::StopReason, "choices[0].finish_reason");
    }
    out.object(|out| {
        out.string_field("id", &context.answer_id(&answer.id));
        out.string_field("type", "message");
        out.string_field("role", "assistant");
        out.string_field("model", &answer.model);
        out.array_field("content", |content| {
            for piece in &answer.pieces {
                content.object(|block| write_piece(piece, context, block, losses));
            }
        });
        out.string_field("stop_reason", answer.stop.reason.stop_reason());
        out.nullable_field("stop_sequence", answer.stop.sequence.as_deref());
        answer.usage.unwrap_or_default().write_messages(out);
    });
    out.finish()
}

fn write_piece(piece: &Piece, context: &AnswerContext, block: &mut Writer, losses: &mut Losses) {
    match piece {
        Piece::Text { text, logprobs } => {
            if logprobs.is_some() {
                losses.add(Reason::Logprobs, "choices[0].logprobs");
            }
            block.string_field("type", "text");
            block.string_field("text", text);
        }
        Piece::Refusal(text) => {
            block.string_field("type", "text");
            block.string_field("text", text);
        }
        Piece::Thinking { text, signature } => {
            let payload = signature.as_deref().unwrap_or_default();
            block.string_field("type", "thinking");
            block.string_field("thinking", text);
            block.string_field("signature", &marked_signature(&context.upstream_model, false, payload));
        }
        Piece::Redacted(data) => {
            block.string_field("type", "redacted_thinking");
            block.string_field("data", &marked_signature(&context.upstream_model, true, data));
        }
        Piece::ToolUse(call) => {
            block.string_field("type", "tool_use");
            block.string_field("id", &call.id);
            block.string_field("name", &call.name);
            block.key("input");
            write_input(&call.input, block, losses);
        }
    }
}

/// A call's input, which must be an object here.
fn write_input(input: &str, block: &mut Writer, losses: &mut Losses) {
    if input.trim().is_empty() {
        return block.raw("{}");
    }
    if is_object(input) {
        return block.raw(&plain_json(input));
    }
    losses.add(Reason::InvalidArguments, "choices[0].message.tool_calls");
    block.object(|wrapped| wrapped.string_field("arguments", input));
}
