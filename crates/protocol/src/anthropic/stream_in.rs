//! Reads the events of Anthropic Messages.

use std::borrow::Cow;

use super::answer::openai_tier;
use crate::answer::{
    AnswerContext, Broken, Completeness, Event, MAX_CALLS, StopReason, TokenUsage, unwrap_custom,
};
use crate::error::ApiError;
use crate::json::{Kind, Value};
use crate::loss::{Losses, Reason};

/// What is known of a stream of Messages.
#[derive(Debug, Default)]
pub(crate) struct MessagesReader {
    usage: TokenUsage,
    block: Block,
    /// The number of the open block, or of the last one, as stated.
    number: Option<u64>,
    /// Calls so far.
    calls: usize,
    has_started: bool,
    /// Whether a free-form call ended inside its arguments.
    has_half_call: bool,
}

/// The block that is open; the protocol has one at a time.
#[derive(Debug, Default)]
enum Block {
    #[default]
    None,
    Words,
    Call {
        index: usize,
        has_input: bool,
        /// Of a free-form tool: the arguments so far.
        wrapped: Option<String>,
    },
    /// One that is not told.
    Ignored,
}

// === impl MessagesReader

impl MessagesReader {
    /// Reads one event; says whether it is the closing one.
    pub(crate) fn read(
        &mut self,
        event: Value<'_>,
        context: &AnswerContext,
        losses: &mut Losses,
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<bool, Broken> {
        let text_of = |value: Option<Value<'_>>, key: &str| {
            value.and_then(|value| value.get(key)).and_then(Value::as_str).map(Cow::into_owned)
        };
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        if !self.has_started
            && matches!(&*kind, "content_block_start" | "content_block_delta" | "message_delta")
        {
            return Err(Broken::Malformed("sent a stream that does not begin with `message_start`"));
        }
        match &*kind {
            "message_start" => {
                let is_first = !std::mem::replace(&mut self.has_started, true);
                let message = event.get("message");
                let usage = message.and_then(|message| message.get("usage"));
                if let Some(usage) = usage {
                    self.usage.update_from_anthropic(usage);
                }
                let tier = text_of(usage, "service_tier");
                if is_first {
                    sink(Event::Start {
                        id: &text_of(message, "id").unwrap_or_default(),
                        model: &text_of(message, "model").unwrap_or_default(),
                        created_seconds: None,
                        service_tier: tier.as_deref().map(openai_tier),
                    });
                }
                sink(Event::Usage(self.usage));
            }
            "content_block_start" => self.start(event, context, losses, sink)?,
            "content_block_delta" => self.delta(event, losses, sink)?,
            "content_block_stop" => self.end_block(sink),
            "message_delta" => {
                if let Some(usage) = event.get("usage") {
                    self.usage.update_from_anthropic(usage);
                    sink(Event::Usage(self.usage));
                }
                let delta = event.get("delta").filter(|delta| !delta.is_null());
                if delta.is_some_and(|delta| delta.kind() != Kind::Object) {
                    return Err(Broken::Malformed("sent a `message_delta` whose `delta` is no object"));
                }
                if let Some(reason) = text_of(delta, "stop_reason") {
                    let reason = StopReason::of_stop_reason(&reason);
                    let sequence = text_of(delta, "stop_sequence");
                    sink(Event::Stop { reason, sequence: sequence.as_deref() });
                }
            }
            "message_stop" => {
                self.end_block(sink);
                return Ok(true);
            }
            "ping" => sink(Event::Ping),
            "error" => {
                return Err(Broken::Upstream(ApiError::of_event(event)));
            }
            // Servers that speak other protocols too tell of errors without saying what they tell.
            "" if event.get("error").is_some_and(|error| !error.is_null()) => {
                return Err(Broken::Upstream(ApiError::of_event(event)));
            }
            "" => losses.add_once(Reason::UnknownEvent, "event"),
            other => losses.add_once(Reason::UnknownEvent, other),
        }
        Ok(false)
    }

    fn start(
        &mut self,
        event: Value<'_>,
        context: &AnswerContext,
        losses: &mut Losses,
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Broken> {
        self.end_block(sink);
        self.number = event.get("index").and_then(Value::as_u64);
        let Some(block) = event.get("content_block").filter(|block| block.kind() == Kind::Object) else {
            return Err(Broken::Malformed("sent a `content_block_start` without a block"));
        };
        let text = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or_default();
        self.block = Block::Words;
        match &*text("type") {
            "text" if text("text").is_empty() => {}
            "text" => sink(Event::Text { text: &text("text"), logprobs: None }),
            "thinking" if text("thinking").is_empty() => {}
            "thinking" => sink(Event::Thinking(&text("thinking"))),
            "redacted_thinking" => sink(Event::Redacted(&text("data"))),
            "tool_use" if text("name").is_empty() => {
                losses.add_once(Reason::MissingName, "content_block");
                self.block = Block::Ignored;
            }
            "tool_use" if self.calls >= MAX_CALLS => {
                return Err(Broken::Malformed("sent an answer with too many tool calls"));
            }
            "tool_use" => {
                let (id, name) = (text("id"), text("name"));
                let index = self.calls;
                self.calls += 1;
                let id = if id.is_empty() { Cow::Owned(context.made_id("call", index)) } else { id };
                let is_custom = context.is_custom(&name);
                sink(Event::ToolStart { index, id: &id, name: &name, is_custom });
                let mut call = Block::Call { index, has_input: false, wrapped: is_custom.then(String::new) };
                // Some servers send the whole input at once.
                let input = block
                    .get("input")
                    .filter(|input| input.kind() == Kind::Object && input.members().next().is_some());
                if let Some(input) = input {
                    call.push(input.raw(), sink);
                }
                self.block = call;
            }
            kind => {
                losses.add_once(Reason::AnswerBlock, kind);
                self.block = Block::Ignored;
            }
        }
        Ok(())
    }

    fn delta(
        &mut self,
        event: Value<'_>,
        losses: &mut Losses,
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Broken> {
        let Some(delta) = event.get("delta").filter(|delta| delta.kind() == Kind::Object) else {
            return Err(Broken::Malformed("sent a `content_block_delta` without a delta"));
        };
        let number = event.get("index").and_then(Value::as_u64);
        if number.is_some() && self.number.is_some() && number != self.number {
            return Err(Broken::Malformed("sent parts of several blocks at once"));
        }
        if matches!(self.block, Block::Ignored) {
            return Ok(());
        }
        check_delta(delta, &self.block)?;
        let text = |key: &str| delta.get(key).and_then(Value::as_str).unwrap_or_default();
        let is_said = |text: &str| !text.is_empty();
        match &*text("type") {
            "text_delta" if is_said(&text("text")) => {
                sink(Event::Text { text: &text("text"), logprobs: None });
            }
            "thinking_delta" if is_said(&text("thinking")) => sink(Event::Thinking(&text("thinking"))),
            "signature_delta" => sink(Event::Signature(&text("signature"))),
            "input_json_delta" => self.block.push(&text("partial_json"), sink),
            "text_delta" | "thinking_delta" => {}
            "citations_delta" => losses.add_once(Reason::Citations, "content.citations"),
            other => losses.add_once(Reason::UnknownEvent, other),
        }
        Ok(())
    }

    fn end_block(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        match std::mem::take(&mut self.block) {
            Block::None | Block::Ignored => return,
            Block::Words => {}
            Block::Call { index, wrapped: Some(arguments), .. } => {
                self.has_half_call |= Completeness::is_half_of(&arguments);
                sink(Event::ToolInput { index, text: &unwrap_custom(&arguments) });
            }
            Block::Call { index, has_input: false, .. } => sink(Event::ToolInput { index, text: "{}" }),
            Block::Call { .. } => {}
        }
        sink(Event::BlockEnd);
    }

    /// Whether a call of a free-form tool ended inside its arguments. Those of functions are told as
    /// they come, and are the caller's to follow.
    pub(crate) fn has_half_call(&self) -> bool {
        self.has_half_call
    }

    /// Bytes held back.
    pub(crate) fn held_bytes(&self) -> usize {
        match &self.block {
            Block::Call { wrapped: Some(arguments), .. } => arguments.len(),
            _ => 0,
        }
    }
}

/// Refuses a delta that holds part of the answer in a shape that cannot be read.
fn check_delta(delta: Value<'_>, block: &Block) -> Result<(), Broken> {
    let field = match &*delta.get("type").and_then(Value::as_str).unwrap_or_default() {
        "text_delta" => "text",
        "thinking_delta" => "thinking",
        "signature_delta" => "signature",
        "input_json_delta" if !matches!(block, Block::Call { .. }) => {
            return Err(Broken::Malformed("sent arguments of a tool call outside of one"));
        }
        "input_json_delta" => "partial_json",
        _ => return Ok(()),
    };
    match delta.get(field).map(Value::kind) {
        Some(Kind::String) => Ok(()),
        _ => Err(Broken::Malformed("sent a `content_block_delta` without its text")),
    }
}

// === impl Block

impl Block {
    fn push(&mut self, json: &str, sink: &mut dyn FnMut(Event<'_>)) {
        let Self::Call { index, has_input, wrapped } = self else { return };
        if json.is_empty() {
            return;
        }
        *has_input = true;
        match wrapped {
            Some(arguments) => arguments.push_str(json),
            None => sink(Event::ToolInput { index: *index, text: json }),
        }
    }
}
