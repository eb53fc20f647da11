//! Writes events as the stream of Responses.
//!
//! The protocol repeats every text when it is done, and the whole answer at the end, so the answer
//! is held; the caller bounds it by [`ResponsesWriter::held_bytes`].

use bytes::Bytes;

use super::answer::{
    response_logprobs, write_call, write_message_head, write_reasoning, write_refusal, write_text,
};
use super::echo::Standing;
use crate::answer::{AnswerContext, Call, Completeness, Event, StopReason, TokenUsage};
use crate::conversation::marked_signature;
use crate::error::ApiError;
use crate::json::{Writer, named_event};
use crate::loss::{Losses, Reason};
use crate::openai_responses::ResponseFrame;
use crate::protocol::Protocol;

/// What is known of the stream that is written.
#[derive(Debug)]
pub(crate) struct ResponsesWriter {
    frame: ResponseFrame,
    sequence: u64,
    has_started: bool,
    model: String,
    service_tier: Option<String>,
    items: Vec<Item>,
    /// The message or reasoning that is being said.
    open: Option<usize>,
    /// Where each call is among the items.
    calls: Vec<usize>,
    stop: StopReason,
    usage: Option<TokenUsage>,
    held_bytes: usize,
}

#[derive(Debug)]
struct Item {
    id: String,
    kind: ItemKind,
    /// How it ended; none while it goes on.
    ended_as: Option<&'static str>,
}

#[derive(Debug)]
enum ItemKind {
    Message(Vec<Said>),
    Reasoning { text: String, has_text: bool, sealed: Option<String> },
    Call { call: Call, input: Completeness },
}

/// What an item takes beside its texts: itself, its id and its mark.
const ITEM_BYTES: usize = size_of::<Item>() + 192;

/// A part of a message.
#[derive(Debug)]
struct Said {
    is_refusal: bool,
    text: String,
    /// Items of the list of log probabilities, without its brackets.
    logprobs: String,
}

// === impl ResponsesWriter

impl ResponsesWriter {
    pub(crate) fn new(frame: ResponseFrame) -> Self {
        Self {
            frame,
            sequence: 0,
            has_started: false,
            model: String::new(),
            service_tier: None,
            items: Vec::new(),
            open: None,
            calls: Vec::new(),
            stop: StopReason::End,
            usage: None,
            held_bytes: 0,
        }
    }

    pub(crate) fn event(
        &mut self,
        event: Event<'_>,
        context: &AnswerContext,
        losses: &mut Losses,
        out: &mut Vec<Bytes>,
    ) {
        match event {
            Event::Start { model, service_tier, .. } => {
                self.model = model.to_owned();
                self.service_tier = service_tier.map(str::to_owned);
                self.start(out);
            }
            Event::Text { text, logprobs } => self.say(false, text, logprobs, context, out),
            Event::Refusal(text) => self.say(true, text, None, context, out),
            Event::Thinking(text) => self.think(text, context, out),
            Event::Signature(payload) => {
                let item = self.reasoning(context, out);
                self.held_bytes += payload.len();
                if let ItemKind::Reasoning { sealed, .. } = &mut self.items[item].kind {
                    *sealed = Some(marked_signature(&context.upstream_model, false, payload));
                }
                self.close(item, context, out);
            }
            Event::Redacted(data) => {
                self.close_open(context, out);
                self.held_bytes += data.len();
                let sealed = Some(marked_signature(&context.upstream_model, true, data));
                let kind = ItemKind::Reasoning { text: String::new(), has_text: false, sealed };
                let item = self.add("rs", kind, out);
                self.close(item, context, out);
            }
            Event::ToolStart { index, id, name, is_custom } => {
                self.close_open(context, out);
                self.close_whole_calls(context, out);
                self.held_bytes += id.len() + name.len();
                let call = Call { id: id.to_owned(), name: name.to_owned(), input: String::new(), is_custom };
                let prefix = if is_custom { "ctc" } else { "fc" };
                let item = self.add(prefix, ItemKind::Call { call, input: Completeness::default() }, out);
                self.calls.resize(self.calls.len().max(index + 1), item);
                self.calls[index] = item;
            }
            Event::ToolInput { index, text } => self.tool_input(index, text, out),
            Event::BlockEnd => {
                // Text in a row is one text, whatever its blocks; all else is over with its block.
                let is_message =
                    self.open.is_some_and(|item| matches!(self.items[item].kind, ItemKind::Message(_)));
                if !is_message {
                    self.close_open(context, out);
                    for item in self.calls.clone() {
                        self.close(item, context, out);
                    }
                }
            }
            Event::Stop { reason, .. } => {
                if !reason.has_word_in(Protocol::Responses) {
                    losses.add_once(Reason::StopReason, "finish_reason");
                }
                self.stop = reason;
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Ping => {}
        }
    }

    /// The end: of all that is open, and of the response.
    pub(crate) fn finish(&mut self, context: &AnswerContext, comment: Option<Bytes>, out: &mut Vec<Bytes>) {
        self.start(out);
        let says_refusal = self.items.iter().any(
            |item| matches!(&item.kind, ItemKind::Message(said) if said.iter().any(|part| part.is_refusal)),
        );
        let incomplete_reason = self.stop.incomplete_reason().filter(|_| !says_refusal);
        let status = if incomplete_reason.is_some() { "incomplete" } else { "completed" };
        for item in 0..self.items.len() {
            self.close_as(item, status, context, out);
        }
        out.extend(comment);
        let name = if incomplete_reason.is_some() { "response.incomplete" } else { "response.completed" };
        self.whole(name, status, incomplete_reason, None, out);
    }

    /// The end where something failed: what was said so far, and the error.
    pub(crate) fn fail(&mut self, error: &ApiError, out: &mut Vec<Bytes>) {
        self.start(out);
        self.whole("response.failed", "failed", None, Some(error), out);
    }

    /// Bytes of the answer so far.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    fn start(&mut self, out: &mut Vec<Bytes>) {
        if !self.has_started {
            self.has_started = true;
            self.whole("response.created", "in_progress", None, None, out);
            self.whole("response.in_progress", "in_progress", None, None, out);
        }
    }

    /// An event with the whole response in it.
    fn whole(
        &mut self,
        name: &'static str,
        status: &'static str,
        incomplete_reason: Option<&'static str>,
        error: Option<&ApiError>,
        out: &mut Vec<Bytes>,
    ) {
        let sequence = self.next_sequence();
        let standing = Standing {
            status,
            incomplete_reason,
            error,
            model: Some(&*self.model).filter(|model| !model.is_empty()),
            usage: self.usage.filter(|_| status != "in_progress"),
            service_tier: self.service_tier.as_deref(),
        };
        let mut event = Writer::with_capacity(self.held_bytes + 1024);
        event.object(|event| {
            event.string_field("type", name);
            event.number_field("sequence_number", sequence);
            event.key("response");
            let items = |output: &mut Writer| {
                let status = if error.is_some() { "incomplete" } else { status };
                self.items.iter().for_each(|item| item.write(status, output));
            };
            self.frame.write(&standing, items, event);
        });
        out.push(named_event(name, event.as_str()));
    }

    fn next_sequence(&mut self) -> u64 {
        let sequence = self.sequence;
        self.sequence += 1;
        sequence
    }

    /// Begins an item.
    fn add(&mut self, prefix: &str, kind: ItemKind, out: &mut Vec<Bytes>) -> usize {
        self.start(out);
        self.held_bytes += ITEM_BYTES;
        let index = self.items.len();
        let item = Item { id: format!("{prefix}_{}_{index}", self.frame.stem()), kind, ended_as: None };
        self.event_out("response.output_item.added", index, out, |event| {
            event.key("item");
            item.write("in_progress", event);
        });
        self.items.push(item);
        index
    }

    /// Writes an event about the item at `index`.
    fn event_out(
        &mut self,
        name: &str,
        index: usize,
        out: &mut Vec<Bytes>,
        content: impl FnOnce(&mut Writer),
    ) {
        let sequence = self.next_sequence();
        let mut event = Writer::with_capacity(256);
        event.object(|event| {
            event.string_field("type", name);
            event.number_field("sequence_number", sequence);
            event.number_field("output_index", index as u64);
            content(event);
        });
        out.push(named_event(name, event.as_str()));
    }

    fn say(
        &mut self,
        is_refusal: bool,
        text: &str,
        logprobs: Option<&str>,
        context: &AnswerContext,
        out: &mut Vec<Bytes>,
    ) {
        let open = self.open.filter(|&item| matches!(self.items[item].kind, ItemKind::Message(_)));
        let item = open.unwrap_or_else(|| {
            self.close_open(context, out);
            self.close_whole_calls(context, out);
            let item = self.add("msg", ItemKind::Message(Vec::new()), out);
            self.open = Some(item);
            item
        });
        let logprobs = logprobs.map(response_logprobs);
        let logprobs = logprobs.as_deref();
        let id = self.items[item].id.clone();
        let ItemKind::Message(said) = &mut self.items[item].kind else { return };
        let last_is_other = said.last().is_none_or(|part| part.is_refusal != is_refusal);
        let before = last_is_other && !said.is_empty();
        if before {
            self.close_part(item, out);
        }
        let ItemKind::Message(said) = &mut self.items[item].kind else { return };
        if last_is_other {
            self.held_bytes += size_of::<Said>();
            said.push(Said { is_refusal, text: String::new(), logprobs: String::new() });
        }
        let content_index = said.len() - 1;
        let part = &mut said[content_index];
        part.text.push_str(text);
        let listed = logprobs.map(|list| list.trim_start_matches('[').trim_end_matches(']').trim());
        if let Some(listed) = listed.filter(|listed| !listed.is_empty()) {
            if !part.logprobs.is_empty() {
                part.logprobs.push(',');
            }
            part.logprobs.push_str(listed);
        }
        self.held_bytes += text.len() + logprobs.map_or(0, str::len);
        if last_is_other {
            self.event_out("response.content_part.added", item, out, |event| {
                event.string_field("item_id", &id);
                event.number_field("content_index", content_index as u64);
                event.object_field("part", |part| match is_refusal {
                    true => write_refusal("", part),
                    false => write_text("", None, part),
                });
            });
        }
        let name = if is_refusal { "response.refusal.delta" } else { "response.output_text.delta" };
        self.event_out(name, item, out, |event| {
            event.string_field("item_id", &id);
            event.number_field("content_index", content_index as u64);
            event.string_field("delta", text);
            if !is_refusal {
                event.raw_field("logprobs", logprobs.unwrap_or("[]"));
            }
        });
    }

    /// Ends the last part of a message.
    fn close_part(&mut self, item: usize, out: &mut Vec<Bytes>) {
        let id = self.items[item].id.clone();
        let ItemKind::Message(said) = &self.items[item].kind else { return };
        let Some(part) = said.last() else { return };
        let content_index = said.len() as u64 - 1;
        let (is_refusal, text, logprobs) =
            (part.is_refusal, part.text.clone(), format!("[{}]", part.logprobs));
        let (name, field) = match is_refusal {
            true => ("response.refusal.done", "refusal"),
            false => ("response.output_text.done", "text"),
        };
        self.event_out(name, item, out, |event| {
            event.string_field("item_id", &id);
            event.number_field("content_index", content_index);
            event.string_field(field, &text);
            if !is_refusal {
                event.raw_field("logprobs", &logprobs);
            }
        });
        self.event_out("response.content_part.done", item, out, |event| {
            event.string_field("item_id", &id);
            event.number_field("content_index", content_index);
            event.object_field("part", |part| match is_refusal {
                true => write_refusal(&text, part),
                false => write_text(&text, Some(&logprobs), part),
            });
        });
    }

    /// The reasoning that is open, or a new one.
    fn reasoning(&mut self, context: &AnswerContext, out: &mut Vec<Bytes>) -> usize {
        let open = self.open.filter(|&item| matches!(self.items[item].kind, ItemKind::Reasoning { .. }));
        open.unwrap_or_else(|| {
            self.close_open(context, out);
            self.close_whole_calls(context, out);
            let kind = ItemKind::Reasoning { text: String::new(), has_text: false, sealed: None };
            let item = self.add("rs", kind, out);
            self.open = Some(item);
            item
        })
    }

    fn think(&mut self, piece: &str, context: &AnswerContext, out: &mut Vec<Bytes>) {
        let item = self.reasoning(context, out);
        let id = self.items[item].id.clone();
        let ItemKind::Reasoning { text, has_text, .. } = &mut self.items[item].kind else { return };
        text.push_str(piece);
        self.held_bytes += piece.len();
        if !std::mem::replace(has_text, true) {
            self.event_out("response.reasoning_summary_part.added", item, out, |event| {
                event.string_field("item_id", &id);
                event.number_field("summary_index", 0);
                event.raw_field("part", r#"{"type":"summary_text","text":""}"#);
            });
        }
        self.event_out("response.reasoning_summary_text.delta", item, out, |event| {
            event.string_field("item_id", &id);
            event.number_field("summary_index", 0);
            event.string_field("delta", piece);
        });
    }

    fn tool_input(&mut self, index: usize, text: &str, out: &mut Vec<Bytes>) {
        let Some(&item) = self.calls.get(index) else { return };
        if self.items[item].ended_as.is_some() {
            return;
        }
        let id = self.items[item].id.clone();
        let ItemKind::Call { call, input } = &mut self.items[item].kind else { return };
        call.input.push_str(text);
        if !call.is_custom {
            input.push(text);
        }
        let name = match call.is_custom {
            true => "response.custom_tool_call_input.delta",
            false => "response.function_call_arguments.delta",
        };
        self.held_bytes += text.len();
        self.event_out(name, item, out, |event| {
            event.string_field("item_id", &id);
            event.string_field("delta", text);
        });
    }

    fn close_open(&mut self, context: &AnswerContext, out: &mut Vec<Bytes>) {
        if let Some(item) = self.open {
            self.close(item, context, out);
        }
    }

    /// Ends the calls whose arguments are whole. Others may still grow.
    fn close_whole_calls(&mut self, context: &AnswerContext, out: &mut Vec<Bytes>) {
        for item in self.calls.clone() {
            if matches!(&self.items[item].kind, ItemKind::Call { input, .. } if input.is_whole()) {
                self.close(item, context, out);
            }
        }
    }

    fn close(&mut self, item: usize, context: &AnswerContext, out: &mut Vec<Bytes>) {
        self.close_as(item, "completed", context, out);
    }

    fn close_as(&mut self, item: usize, status: &'static str, context: &AnswerContext, out: &mut Vec<Bytes>) {
        if self.items[item].ended_as.is_some() {
            return;
        }
        // Arguments that broke off are not complete, whatever comes after them.
        let status = match &self.items[item].kind {
            ItemKind::Call { call, input } if !call.is_custom && input.is_half() => "incomplete",
            _ => status,
        };
        self.items[item].ended_as = Some(status);
        if self.open == Some(item) {
            self.open = None;
        }
        let id = self.items[item].id.clone();
        match &mut self.items[item].kind {
            ItemKind::Message(_) => self.close_part(item, out),
            ItemKind::Reasoning { text, has_text, sealed } => {
                // Told with the item, so that it can come back to the model that wrote it.
                sealed.get_or_insert_with(|| marked_signature(&context.upstream_model, false, ""));
                let (text, has_text) = (text.clone(), *has_text);
                if has_text {
                    self.close_summary(item, &id, &text, out);
                }
            }
            ItemKind::Call { call, .. } => {
                let (name, field) = match call.is_custom {
                    true => ("response.custom_tool_call_input.done", "input"),
                    false => ("response.function_call_arguments.done", "arguments"),
                };
                if !call.is_custom && call.input.is_empty() {
                    call.input.push_str("{}");
                }
                let call = call.clone();
                self.event_out(name, item, out, |event| {
                    event.string_field("item_id", &id);
                    event.string_field("name", &call.name);
                    event.string_field(field, &call.input);
                });
            }
        }
        let mut written = Writer::default();
        self.items[item].write(status, &mut written);
        self.event_out("response.output_item.done", item, out, |event| {
            event.raw_field("item", written.as_str());
        });
    }

    fn close_summary(&mut self, item: usize, id: &str, text: &str, out: &mut Vec<Bytes>) {
        self.event_out("response.reasoning_summary_text.done", item, out, |event| {
            event.string_field("item_id", id);
            event.number_field("summary_index", 0);
            event.string_field("text", text);
        });
        self.event_out("response.reasoning_summary_part.done", item, out, |event| {
            event.string_field("item_id", id);
            event.number_field("summary_index", 0);
            event.object_field("part", |part| {
                part.string_field("type", "summary_text");
                part.string_field("text", text);
            });
        });
    }
}

// === impl Item

impl Item {
    /// Writes the item. One that has ended stays as it is, whatever becomes of the response.
    fn write(&self, status: &str, out: &mut Writer) {
        let status = self.ended_as.unwrap_or(status);
        out.object(|out| match &self.kind {
            ItemKind::Message(said) => {
                write_message_head(&self.id, status, out);
                out.array_field("content", |content| {
                    for part in said {
                        content.object(|out| match part.is_refusal {
                            true => write_refusal(&part.text, out),
                            false => write_text(&part.text, Some(&format!("[{}]", part.logprobs)), out),
                        });
                    }
                });
            }
            ItemKind::Reasoning { text, has_text, sealed } => {
                write_reasoning(&self.id, Some(&**text).filter(|_| *has_text), sealed.as_deref(), out);
            }
            ItemKind::Call { call, .. } => write_call(&self.id, call, status, out),
        });
    }
}
