//! Writes events as the stream of Anthropic Messages.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::answer::{AnswerContext, Completeness, Event, StopReason, TokenUsage};
use crate::conversation::marked_signature;
use crate::error::ApiError;
use crate::json::{Writer, named_event};
use crate::loss::{Losses, Reason};
use crate::protocol::Protocol;

/// What is known of the stream that is written.
///
/// The protocol has one block open at a time. Upstreams that let calls overlap make what belongs
/// to later blocks wait until the open call is whole.
#[derive(Debug, Default)]
pub(crate) struct MessagesWriter {
    has_started: bool,
    open: Open,
    next_block: u64,
    calls: Vec<Call>,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// How many have waited and wait no more.
    released: usize,
    stop: Option<(StopReason, Option<String>)>,
    usage: TokenUsage,
}

/// The block that is open.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Open {
    #[default]
    None,
    Text,
    Thinking {
        is_signed: bool,
    },
    Call(usize),
}

#[derive(Debug, Default, Clone, Copy)]
struct Call {
    is_custom: bool,
    input: Completeness,
    /// Where it waits, counted from the first that ever waited.
    waits_at: Option<usize>,
}

/// What waits for its block. A call waits with all of its input so far.
#[derive(Debug)]
enum Waiting {
    Text(String),
    Thinking(String),
    Signature(String),
    Redacted(String),
    Call { index: usize, id: String, name: String, is_custom: bool, input: String },
}

const PING: &[u8] = b"event: ping\ndata: {\"type\":\"ping\"}\n\n";

// === impl MessagesWriter

impl MessagesWriter {
    pub(crate) fn event(
        &mut self,
        event: Event<'_>,
        context: &AnswerContext,
        losses: &mut Losses,
        out: &mut Vec<Bytes>,
    ) {
        if !self.waits(event) {
            self.tell(event, context, losses, out);
        }
    }

    /// Writes an event whose block is open or can be opened.
    fn tell(&mut self, event: Event<'_>, context: &AnswerContext, losses: &mut Losses, out: &mut Vec<Bytes>) {
        match event {
            Event::Start { id, model, .. } => self.start(&context.answer_id(id), model, out),
            Event::Text { text, logprobs } => {
                if logprobs.is_some() {
                    losses.add_once(Reason::Logprobs, "choices[0].logprobs");
                }
                self.text(text, context, out);
            }
            Event::Refusal(text) => self.text(text, context, out),
            Event::Thinking(text) => {
                self.open_thinking(context, out);
                self.delta(out, "thinking_delta", "thinking", text);
            }
            Event::Signature(payload) => {
                self.open_thinking(context, out);
                self.sign(payload, context, out);
            }
            Event::Redacted(data) => {
                self.close(context, out);
                let sealed = marked_signature(&context.upstream_model, true, data);
                self.begin(Open::Text, out, |block| {
                    block.string_field("type", "redacted_thinking");
                    block.string_field("data", &sealed);
                });
                self.close(context, out);
            }
            Event::ToolStart { index, id, name, is_custom } => {
                self.close(context, out);
                *self.call(index) = Call { is_custom, ..Call::default() };
                self.begin(Open::Call(index), out, |block| {
                    block.string_field("type", "tool_use");
                    block.string_field("id", id);
                    block.string_field("name", name);
                    block.raw_field("input", "{}");
                });
                if is_custom {
                    self.delta(out, "input_json_delta", "partial_json", "{\"arguments\":\"");
                }
            }
            Event::ToolInput { index, text } => self.tool_input(index, text, context, losses, out),
            Event::Stop { reason, sequence } => {
                if !reason.has_word_in(Protocol::Messages) {
                    losses.add_once(Reason::StopReason, "choices[0].finish_reason");
                }
                self.stop = Some((reason, sequence.map(str::to_owned)));
            }
            Event::Usage(usage) => self.usage = usage,
            Event::Ping => out.push(Bytes::from_static(PING)),
            Event::BlockEnd => {}
        }
    }

    /// The end: the open block's, why, what it cost, and `message_stop`.
    pub(crate) fn finish(&mut self, context: &AnswerContext, losses: &mut Losses, out: &mut Vec<Bytes>) {
        self.start_if_needed(context, out);
        while !self.waiting.is_empty() {
            self.close(context, out);
            self.release(context, losses, out);
        }
        self.close(context, out);
        let (reason, sequence) = self.stop.take().unwrap_or_default();
        let mut event = Writer::default();
        event.object(|event| {
            event.string_field("type", "message_delta");
            event.object_field("delta", |delta| {
                delta.string_field("stop_reason", reason.stop_reason());
                delta.nullable_field("stop_sequence", sequence.as_deref());
            });
            self.usage.write_messages(event);
        });
        out.push(named_event("message_delta", event.as_str()));
        out.extend(losses.comment());
        out.push(named_event("message_stop", r#"{"type":"message_stop"}"#));
    }

    /// The end where something failed. The error is the last event.
    pub(crate) fn fail(&mut self, error: &ApiError, out: &mut Vec<Bytes>) {
        out.push(error.to_event(Protocol::Messages));
    }

    /// Bytes held back.
    pub(crate) fn held_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Keeps an event that belongs to a block that cannot be opened yet; says whether it did.
    fn waits(&mut self, event: Event<'_>) -> bool {
        let Open::Call(open) = self.open else { return false };
        if self.calls[open].input.is_whole() && self.waiting.is_empty() {
            return false;
        }
        let waiting = match event {
            Event::Text { text, .. } | Event::Refusal(text) => Waiting::Text(text.to_owned()),
            Event::Thinking(text) => Waiting::Thinking(text.to_owned()),
            Event::Signature(text) => Waiting::Signature(text.to_owned()),
            Event::Redacted(text) => Waiting::Redacted(text.to_owned()),
            Event::ToolStart { index, id, name, is_custom } => {
                self.call(index).waits_at = Some(self.released + self.waiting.len());
                let (id, name) = (id.to_owned(), name.to_owned());
                Waiting::Call { index, id, name, is_custom, input: String::new() }
            }
            Event::ToolInput { index, text } if index != open => {
                let waits_at = self.calls.get(index).and_then(|call| call.waits_at);
                let place = waits_at.and_then(|at| self.waiting.get_mut(at.checked_sub(self.released)?));
                if let Some(Waiting::Call { input, .. }) = place {
                    input.push_str(text);
                    self.waiting_bytes += text.len();
                }
                return true;
            }
            _ => return false,
        };
        self.waiting_bytes += waiting.bytes();
        self.waiting.push_back(waiting);
        true
    }

    /// Lets what waits go on, up to the next call that is not whole.
    fn release(&mut self, context: &AnswerContext, losses: &mut Losses, out: &mut Vec<Bytes>) {
        while let Some(waiting) = self.waiting.pop_front() {
            self.released += 1;
            self.waiting_bytes -= waiting.bytes();
            match &waiting {
                Waiting::Text(text) => self.tell(Event::Text { text, logprobs: None }, context, losses, out),
                Waiting::Thinking(text) => self.tell(Event::Thinking(text), context, losses, out),
                Waiting::Signature(text) => self.tell(Event::Signature(text), context, losses, out),
                Waiting::Redacted(text) => self.tell(Event::Redacted(text), context, losses, out),
                Waiting::Call { index, id, name, is_custom, input } => {
                    let (index, is_custom) = (*index, *is_custom);
                    self.tell(Event::ToolStart { index, id, name, is_custom }, context, losses, out);
                    if !input.is_empty() {
                        self.input(index, input, out);
                    }
                    if !self.calls[index].input.is_whole() {
                        return;
                    }
                }
            }
        }
    }

    fn call(&mut self, index: usize) -> &mut Call {
        self.calls.resize(self.calls.len().max(index + 1), Call::default());
        &mut self.calls[index]
    }

    fn start(&mut self, id: &str, model: &str, out: &mut Vec<Bytes>) {
        if self.has_started {
            return;
        }
        self.has_started = true;
        let mut event = Writer::default();
        event.object(|event| {
            event.string_field("type", "message_start");
            event.object_field("message", |message| {
                message.string_field("id", id);
                message.string_field("type", "message");
                message.string_field("role", "assistant");
                message.string_field("model", model);
                message.raw_field("content", "[]");
                message.raw_field("stop_reason", "null");
                message.raw_field("stop_sequence", "null");
                self.usage.write_messages(message);
            });
        });
        out.push(named_event("message_start", event.as_str()));
        out.push(Bytes::from_static(PING));
    }

    fn start_if_needed(&mut self, context: &AnswerContext, out: &mut Vec<Bytes>) {
        if !self.has_started {
            self.start(&context.answer_id(""), &context.upstream_model, out);
        }
    }

    fn text(&mut self, text: &str, context: &AnswerContext, out: &mut Vec<Bytes>) {
        if self.open != Open::Text {
            self.close(context, out);
            self.begin(Open::Text, out, |block| {
                block.string_field("type", "text");
                block.string_field("text", "");
            });
        }
        self.delta(out, "text_delta", "text", text);
    }

    fn open_thinking(&mut self, context: &AnswerContext, out: &mut Vec<Bytes>) {
        if self.open == (Open::Thinking { is_signed: false }) {
            return;
        }
        self.close(context, out);
        self.begin(Open::Thinking { is_signed: false }, out, |block| {
            block.string_field("type", "thinking");
            block.string_field("thinking", "");
            block.string_field("signature", "");
        });
    }

    fn sign(&mut self, payload: &str, context: &AnswerContext, out: &mut Vec<Bytes>) {
        let sealed = marked_signature(&context.upstream_model, false, payload);
        self.delta(out, "signature_delta", "signature", &sealed);
        self.open = Open::Thinking { is_signed: true };
    }

    fn tool_input(
        &mut self,
        index: usize,
        text: &str,
        context: &AnswerContext,
        losses: &mut Losses,
        out: &mut Vec<Bytes>,
    ) {
        // What follows a whole input is white space at most.
        if self.open != Open::Call(index) {
            return;
        }
        self.input(index, text, out);
        if self.calls[index].input.is_whole() && !self.waiting.is_empty() {
            self.close(context, out);
            self.release(context, losses, out);
        }
    }

    /// A piece of the input of the call that is open.
    fn input(&mut self, index: usize, text: &str, out: &mut Vec<Bytes>) {
        if self.calls[index].is_custom {
            let mut escaped = Writer::default();
            escaped.string(text);
            let escaped = escaped.into_string();
            self.delta(out, "input_json_delta", "partial_json", &escaped[1..escaped.len() - 1]);
            return;
        }
        self.delta(out, "input_json_delta", "partial_json", text);
        self.calls[index].input.push(text);
    }

    fn begin(&mut self, open: Open, out: &mut Vec<Bytes>, content: impl FnOnce(&mut Writer)) {
        let mut event = Writer::default();
        event.object(|event| {
            event.string_field("type", "content_block_start");
            event.number_field("index", self.next_block);
            event.object_field("content_block", content);
        });
        out.push(named_event("content_block_start", event.as_str()));
        self.open = open;
    }

    fn delta(&self, out: &mut Vec<Bytes>, kind: &str, field: &str, text: &str) {
        let mut event = Writer::with_capacity(text.len() + 128);
        event.object(|event| {
            event.string_field("type", "content_block_delta");
            event.number_field("index", self.next_block);
            event.object_field("delta", |delta| {
                delta.string_field("type", kind);
                delta.string_field(field, text);
            });
        });
        out.push(named_event("content_block_delta", event.as_str()));
    }

    fn close(&mut self, context: &AnswerContext, out: &mut Vec<Bytes>) {
        match self.open {
            Open::None => return,
            // The field is demanded, and there is nothing to prove.
            Open::Thinking { is_signed: false } => self.sign("", context, out),
            Open::Call(index) => {
                if self.calls[index].is_custom {
                    self.delta(out, "input_json_delta", "partial_json", "\"}");
                }
            }
            Open::Text | Open::Thinking { is_signed: true } => {}
        }
        let mut event = Writer::default();
        event.object(|event| {
            event.string_field("type", "content_block_stop");
            event.number_field("index", self.next_block);
        });
        out.push(named_event("content_block_stop", event.as_str()));
        self.next_block += 1;
        self.open = Open::None;
    }
}

// === impl Waiting

impl Waiting {
    fn bytes(&self) -> usize {
        let text = match self {
            Self::Text(text) | Self::Thinking(text) | Self::Signature(text) | Self::Redacted(text) => {
                text.len()
            }
            Self::Call { id, name, input, .. } => id.len() + name.len() + input.len(),
        };
        text + size_of::<Self>()
    }
}
