//! Writes events as the chunks of Chat Completions.

use bytes::Bytes;

use super::DONE_EVENT;
use crate::answer::{AnswerContext, Event, StopReason, TokenUsage};
use crate::json::{Writer, event_data};
use crate::loss::{Losses, Reason};
use crate::protocol::Protocol;

/// What is known of the stream that is written.
#[derive(Debug, Default)]
pub(crate) struct ChatWriter {
    /// The members that every chunk begins with.
    head: String,
    stop: Option<StopReason>,
    usage: Option<TokenUsage>,
    custom: Vec<bool>,
}

// === impl ChatWriter

impl ChatWriter {
    pub(crate) fn event(
        &mut self,
        event: Event<'_>,
        context: &AnswerContext,
        losses: &mut Losses,
        out: &mut Vec<Bytes>,
    ) {
        match event {
            Event::Start { id, model, created_seconds, service_tier } => {
                let mut head = Writer::default();
                head.string_field("id", &context.answer_id(id));
                head.string_field("object", "chat.completion.chunk");
                head.number_field("created", created_seconds.unwrap_or(context.created_seconds));
                head.string_field("model", model);
                if let Some(tier) = service_tier {
                    head.string_field("service_tier", tier);
                }
                self.head = head.into_string();
                self.delta(None, out, |delta| {
                    delta.string_field("role", "assistant");
                    delta.string_field("content", "");
                });
            }
            Event::Text { text, logprobs } => {
                self.delta(logprobs, out, |delta| delta.string_field("content", text));
            }
            Event::Refusal(text) => self.delta(None, out, |delta| delta.string_field("refusal", text)),
            Event::Thinking(text) => {
                self.delta(None, out, |delta| delta.string_field("reasoning_content", text));
            }
            Event::Signature(_) => losses.add_once(Reason::Signature, "content"),
            Event::Redacted(_) => losses.add_once(Reason::Redacted, "content"),
            Event::ToolStart { index, id, name, is_custom } => {
                self.custom.resize(index + 1, false);
                self.custom[index] = is_custom;
                self.call(index, out, |call, kind, input| {
                    call.string_field("id", id);
                    call.string_field("type", kind);
                    call.object_field(kind, |inner| {
                        inner.string_field("name", name);
                        inner.string_field(input, "");
                    });
                });
            }
            Event::ToolInput { index, text } => self.call(index, out, |call, kind, input| {
                call.object_field(kind, |inner| inner.string_field(input, text));
            }),
            Event::Stop { reason, .. } => {
                if !reason.has_word_in(Protocol::Chat) {
                    losses.add_once(Reason::StopReason, "stop_reason");
                }
                self.stop = Some(reason);
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::BlockEnd | Event::Ping => {}
        }
    }

    /// The end: why, what it cost if the client asked, and `[DONE]`.
    pub(crate) fn finish(&mut self, context: &AnswerContext, comment: Option<Bytes>, out: &mut Vec<Bytes>) {
        let reason = self.stop.unwrap_or_default().finish_reason();
        self.chunk(out, |chunk| {
            chunk.array_field("choices", |choices| {
                choices.object(|choice| {
                    choice.number_field("index", 0);
                    choice.raw_field("delta", "{}");
                    choice.raw_field("logprobs", "null");
                    choice.string_field("finish_reason", reason);
                });
            });
        });
        if context.include_usage {
            let usage = self.usage.unwrap_or_default();
            self.chunk(out, |chunk| {
                chunk.raw_field("choices", "[]");
                usage.write_chat(chunk);
            });
        }
        out.extend(comment);
        out.push(Bytes::from_static(DONE_EVENT));
    }

    fn call(&self, index: usize, out: &mut Vec<Bytes>, content: impl FnOnce(&mut Writer, &str, &str)) {
        let is_custom = self.custom.get(index).copied().unwrap_or(false);
        let (kind, input) = if is_custom { ("custom", "input") } else { ("function", "arguments") };
        self.delta(None, out, |delta| {
            delta.array_field("tool_calls", |list| {
                list.object(|call| {
                    call.number_field("index", index as u64);
                    content(call, kind, input);
                });
            });
        });
    }

    fn delta(&self, logprobs: Option<&str>, out: &mut Vec<Bytes>, content: impl FnOnce(&mut Writer)) {
        self.chunk(out, |chunk| {
            chunk.array_field("choices", |choices| {
                choices.object(|choice| {
                    choice.number_field("index", 0);
                    choice.object_field("delta", content);
                    choice.key("logprobs");
                    match logprobs {
                        Some(list) => choice.object(|out| out.raw_field("content", list)),
                        None => choice.null(),
                    }
                    choice.raw_field("finish_reason", "null");
                });
            });
        });
    }

    fn chunk(&self, out: &mut Vec<Bytes>, content: impl FnOnce(&mut Writer)) {
        let mut chunk = Writer::with_capacity(self.head.len() + 192);
        chunk.object(|chunk| {
            chunk.members(&self.head);
            content(chunk);
        });
        out.push(event_data(chunk.as_str()));
    }
}
