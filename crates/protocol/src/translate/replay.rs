//! Whole answers as streams: for clients that asked for a stream of a backend that does not stream.

use bytes::Bytes;
use vsr_types::Usage;

use super::{StreamTranslator, TranslatedAnswer, TranslatorOptions, translate_answer};
use crate::answer::AnswerContext;
use crate::json::{JsonLimits, Kind, Mode, Tape, Value, Writer, event_data, named_event};
use crate::openai_chat::{DONE_EVENT, StreamEnd};
use crate::protocol::Protocol;

/// The body of a successful answer as the stream that its client asked for. None if it is not a
/// whole answer of the upstream's protocol, or if that is Responses, whose streams tell more than
/// its answers.
pub fn replay_answer(body: &Bytes, context: &AnswerContext) -> Option<TranslatedAnswer> {
    // What is no answer is not one as a stream either.
    let whole = translate_answer(body, context)?;
    let text = std::str::from_utf8(body).ok()?;
    let mut tape = Tape::default();
    tape.scan(text, &JsonLimits::default(), Mode::Tolerant).ok()?;
    let is_usage_told = context.client != context.upstream || context.include_usage;
    let events = match context.upstream {
        Protocol::Chat => chat_events(tape.root(text), is_usage_told),
        Protocol::Messages => messages_events(tape.root(text)),
        Protocol::Responses => return None,
    };
    let longest = events.iter().map(Bytes::len).max().unwrap_or_default();
    let options = TranslatorOptions::default();
    let max_event_bytes = options.max_event_bytes.max(longest);
    let mut translator =
        StreamTranslator::new(context.clone(), TranslatorOptions { max_event_bytes, ..options });
    let mut out = Vec::new();
    for event in events {
        translator.feed(event, &mut out).ok()?;
    }
    if translator.finish(&mut out) != StreamEnd::Complete {
        return None;
    }
    let usage: Option<Usage> = whole.usage.or(translator.usage());
    let signatures = translator.take_signatures();
    let losses = translator.losses().clone();
    Some(TranslatedAnswer { body: Bytes::from(out.concat()), usage, losses, signatures, ..whole })
}

/// A completion as chunks: all that it says, why it ended, and what it cost.
fn chat_events(root: Value<'_>, is_usage_told: bool) -> Vec<Bytes> {
    let chunk = |content: &dyn Fn(&mut Writer)| {
        let mut out = Writer::with_capacity(root.raw().len() + 64);
        out.object(|out| {
            for member in root.members() {
                match &*member.key {
                    "choices" | "usage" => {}
                    "object" => out.string_field("object", "chat.completion.chunk"),
                    key => out.raw_field(key, member.value.raw()),
                }
            }
            content(out);
        });
        event_data(out.as_str())
    };
    let choices = |write: &dyn Fn(Value<'_>, &mut Writer)| {
        chunk(&|out| {
            out.array_field("choices", |list| {
                for (at, choice) in root.get("choices").into_iter().flat_map(Value::items).enumerate() {
                    list.object(|out| {
                        let index = choice.get("index").and_then(Value::as_u64).unwrap_or(at as u64);
                        out.number_field("index", index);
                        write(choice, out);
                    });
                }
            });
        })
    };
    let mut events = vec![
        choices(&|choice, out| {
            out.object_field("delta", |delta| {
                for member in choice.get("message").into_iter().flat_map(Value::members) {
                    match &*member.key {
                        "tool_calls" if member.value.kind() == Kind::Array => {
                            delta.array_field("tool_calls", |list| write_calls(member.value, list));
                        }
                        key => delta.raw_field(key, member.value.raw()),
                    }
                }
            });
            if let Some(logprobs) = choice.get("logprobs") {
                out.raw_field("logprobs", logprobs.raw());
            }
            out.raw_field("finish_reason", "null");
        }),
        choices(&|choice, out| {
            out.raw_field("delta", "{}");
            for key in ["finish_reason", "stop_reason"] {
                if let Some(reason) = choice.get(key) {
                    out.raw_field(key, reason.raw());
                }
            }
        }),
    ];
    if let Some(usage) = root.get("usage").filter(|usage| is_usage_told && !usage.is_null()) {
        events.push(chunk(&|out| {
            out.raw_field("choices", "[]");
            out.raw_field("usage", usage.raw());
        }));
    }
    events.push(Bytes::from_static(DONE_EVENT));
    events
}

/// Calls as chunks have them: each with its number.
fn write_calls(calls: Value<'_>, list: &mut Writer) {
    for (index, call) in calls.items().enumerate() {
        list.object(|out| {
            out.number_field("index", index as u64);
            for member in call.members().filter(|member| member.key != "index") {
                out.raw_field(&member.key, member.value.raw());
            }
        });
    }
}

/// A message as events, block by block.
fn messages_events(root: Value<'_>) -> Vec<Bytes> {
    let mut events = Vec::new();
    let mut event = |name: &str, content: &dyn Fn(&mut Writer)| {
        let mut out = Writer::default();
        out.object(|out| {
            out.string_field("type", name);
            content(out);
        });
        events.push(named_event(name, out.as_str()));
    };
    event("message_start", &|out| {
        out.object_field("message", |message| {
            for member in root.members() {
                match &*member.key {
                    "content" => message.raw_field("content", "[]"),
                    key @ ("stop_reason" | "stop_sequence") => message.raw_field(key, "null"),
                    key => message.raw_field(key, member.value.raw()),
                }
            }
        });
    });
    for (index, block) in root.get("content").into_iter().flat_map(Value::items).enumerate() {
        let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
        // What comes in pieces: the field, what it is before the first one, and the piece.
        let pieces: &[(&str, &str, &str)] = match &*kind {
            "text" => &[("text", "\"\"", "text_delta")],
            "thinking" => &[("thinking", "\"\"", "thinking_delta"), ("signature", "\"\"", "signature_delta")],
            "tool_use" => &[("input", "{}", "input_json_delta")],
            _ => &[],
        };
        event("content_block_start", &|out| {
            out.number_field("index", index as u64);
            out.object_field("content_block", |out| {
                for member in block.members() {
                    let piece = pieces.iter().find(|(field, ..)| *field == member.key);
                    out.raw_field(&member.key, piece.map_or(member.value.raw(), |(_, before, _)| before));
                }
            });
        });
        for (field, _, delta) in pieces {
            let Some(value) = block.get(field) else { continue };
            event("content_block_delta", &|out| {
                out.number_field("index", index as u64);
                out.object_field("delta", |out| {
                    out.string_field("type", delta);
                    match *field {
                        "input" => out.string_field("partial_json", value.raw()),
                        field => out.raw_field(field, value.raw()),
                    }
                });
            });
        }
        event("content_block_stop", &|out| out.number_field("index", index as u64));
    }
    event("message_delta", &|out| {
        out.object_field("delta", |delta| {
            for key in ["stop_reason", "stop_sequence"] {
                delta.raw_field(key, root.get(key).map_or("null", Value::raw));
            }
        });
        if let Some(usage) = root.get("usage") {
            out.raw_field("usage", usage.raw());
        }
    });
    event("message_stop", &|_| {});
    events
}
