//! Whole answers of Chat Completions, read and written.

use bytes::Bytes;

use crate::answer::{Answer, AnswerContext, Call, Piece, Stop, StopReason, TokenUsage};
use crate::json::{Kind, Value, Writer};
use crate::loss::{Losses, Reason};
use crate::openai_chat::stream_in::is_failure;

/// Reads an answer; none if it is no completion.
pub(crate) fn read_answer(body: Value<'_>, context: &AnswerContext, losses: &mut Losses) -> Option<Answer> {
    let text_of = |value: Value<'_>, key: &str| {
        value.get(key).and_then(Value::as_str).map(std::borrow::Cow::into_owned)
    };
    let mut choices = body.get("choices")?.items();
    let choice = choices.next()?;
    if choices.next().is_some() {
        losses.add(Reason::Choices, "choices");
    }
    let message = choice.get("message")?;
    // An answer that does not say why it ended has not ended.
    let finish_reason = choice.get("finish_reason").and_then(Value::as_str)?;
    if finish_reason.is_empty() || is_failure(&finish_reason) {
        return None;
    }
    let mut answer = Answer {
        id: text_of(body, "id").unwrap_or_default(),
        model: text_of(body, "model").unwrap_or_default(),
        created_seconds: body.get("created").and_then(Value::as_u64),
        usage: body.get("usage").and_then(TokenUsage::of_openai),
        service_tier: text_of(body, "service_tier"),
        stop: read_stop(choice),
        ..Answer::default()
    };
    let reasoning = text_of(message, "reasoning_content").or_else(|| text_of(message, "reasoning"));
    if let Some(text) = reasoning.filter(|text| !text.is_empty()) {
        answer.pieces.push(Piece::Thinking { text, signature: None });
    }
    let text = match message.get("content") {
        Some(content) if content.kind() == Kind::Array => {
            let texts = content.items().filter_map(|part| text_of(part, "text"));
            Some(texts.collect::<String>())
        }
        Some(content) => content.as_str().map(std::borrow::Cow::into_owned),
        None => None,
    };
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        let logprobs = choice.get("logprobs").and_then(|logprobs| logprobs.get("content"));
        let logprobs = logprobs.filter(|list| list.kind() == Kind::Array).map(|list| list.raw().to_owned());
        answer.pieces.push(Piece::Text { text, logprobs });
    }
    if let Some(refusal) = text_of(message, "refusal").filter(|refusal| !refusal.is_empty()) {
        answer.pieces.push(Piece::Refusal(refusal));
        answer.stop.reason = StopReason::Refusal;
    }
    if message.get("annotations").is_some_and(|list| list.items().next().is_some()) {
        losses.add(Reason::Citations, "choices[0].message.annotations");
    }
    if message.get("audio").is_some_and(|audio| !audio.is_null()) {
        losses.add(Reason::Audio, "choices[0].message.audio");
    }
    let calls = message.get("tool_calls").into_iter().flat_map(Value::items);
    let older = message.get("function_call").filter(|call| call.kind() == Kind::Object);
    for call in calls.chain(older) {
        let custom = call.get("custom");
        let inner = call.get("function").or(custom).unwrap_or(call);
        let Some(name) = text_of(inner, "name").filter(|name| !name.is_empty()) else {
            losses.add(Reason::MissingName, "choices[0].message.tool_calls");
            continue;
        };
        let input = inner.get(if custom.is_some() { "input" } else { "arguments" });
        let id = text_of(call, "id").filter(|id| !id.is_empty());
        let input = input
            .map(|input| input.as_str().map_or_else(|| input.raw().to_owned(), |text| text.into_owned()))
            .unwrap_or_default();
        answer.pieces.push(Piece::ToolUse(Call {
            id: id.unwrap_or_else(|| context.made_id("call", answer.pieces.len())),
            name,
            input: if input.is_empty() && custom.is_none() { "{}".to_owned() } else { input },
            is_custom: custom.is_some(),
        }));
    }
    // Some servers end an answer that calls tools with `stop`.
    let has_calls = answer.pieces.iter().any(|piece| matches!(piece, Piece::ToolUse(_)));
    if has_calls && matches!(answer.stop.reason, StopReason::End | StopReason::Other) {
        answer.stop.reason = StopReason::ToolUse;
    }
    Some(answer)
}

/// Why a choice ended. Some servers name the stop sequence in `stop_reason`.
pub(super) fn read_stop(choice: Value<'_>) -> Stop {
    let reason = choice.get("finish_reason").and_then(Value::as_str);
    let sequence = choice.get("stop_reason").and_then(Value::as_str);
    let mut stop = Stop {
        reason: reason.map_or(StopReason::End, |reason| StopReason::of_finish_reason(&reason)),
        sequence: sequence.map(std::borrow::Cow::into_owned),
    };
    if stop.reason == StopReason::End && stop.sequence.is_some() {
        stop.reason = StopReason::StopSequence;
    } else {
        stop.sequence = None;
    }
    stop
}

/// Writes an answer for a client of Chat Completions.
pub(crate) fn write_answer(answer: &Answer, context: &AnswerContext, losses: &mut Losses) -> Bytes {
    let mut text = String::new();
    let mut reasoning = String::new();
    let mut refusal: Option<&str> = None;
    let mut logprobs: Option<&str> = None;
    let mut calls: Vec<&Call> = Vec::new();
    for piece in &answer.pieces {
        match piece {
            Piece::Text { text: piece, logprobs: stated } => {
                text.push_str(piece);
                logprobs = stated.as_deref().or(logprobs);
            }
            Piece::Refusal(stated) => refusal = Some(stated),
            Piece::Thinking { text, signature } => {
                if signature.as_ref().is_some_and(|signature| !signature.is_empty()) {
                    losses.add_once(Reason::Signature, "content");
                }
                reasoning.push_str(text);
            }
            Piece::Redacted(_) => losses.add(Reason::Redacted, "content"),
            Piece::ToolUse(call) => calls.push(call),
        }
    }
    if !answer.stop.reason.has_word_in(context.client) {
        losses.add(Reason::StopReason, "stop_reason");
    }
    let mut out = Writer::with_capacity(text.len() + reasoning.len() + 512);
    out.object(|out| {
        out.string_field("id", &context.answer_id(&answer.id));
        out.string_field("object", "chat.completion");
        out.number_field("created", answer.created_seconds.unwrap_or(context.created_seconds));
        out.string_field("model", &answer.model);
        out.array_field("choices", |choices| {
            choices.object(|choice| {
                choice.number_field("index", 0);
                choice.object_field("message", |message| {
                    message.string_field("role", "assistant");
                    message.nullable_field(
                        "content",
                        Some(&*text).filter(|text| !text.is_empty() || calls.is_empty()),
                    );
                    message.nullable_field("refusal", refusal);
                    if !reasoning.is_empty() {
                        message.string_field("reasoning_content", &reasoning);
                    }
                    if !calls.is_empty() {
                        message.array_field("tool_calls", |list| {
                            calls.iter().for_each(|call| write_call(call, list));
                        });
                    }
                });
                choice.key("logprobs");
                match logprobs {
                    Some(list) => choice.object(|out| out.raw_field("content", list)),
                    None => choice.null(),
                }
                choice.string_field("finish_reason", answer.stop.reason.finish_reason());
            });
        });
        if let Some(usage) = &answer.usage {
            usage.write_chat(out);
        }
        if let Some(tier) = &answer.service_tier {
            out.string_field("service_tier", tier);
        }
    });
    out.finish()
}

fn write_call(call: &Call, list: &mut Writer) {
    let (kind, input) = if call.is_custom { ("custom", "input") } else { ("function", "arguments") };
    list.object(|out| {
        out.string_field("id", &call.id);
        out.string_field("type", kind);
        out.object_field(kind, |inner| {
            inner.string_field("name", &call.name);
            inner.string_field(input, &call.input);
        });
    });
}
