//! Reads the chunks of Chat Completions as events.

use crate::answer::{AnswerContext, Broken, Event, MAX_CALLS, StopReason, TokenUsage};
use crate::error::ApiError;
use crate::json::{Kind, Value};
use crate::loss::{Losses, Reason};
use crate::openai_chat::answer::read_stop;

/// What is known of a stream of chunks.
#[derive(Debug, Default)]
pub(crate) struct ChatReader {
    has_started: bool,
    /// Whether words of a refusal came.
    has_refusal: bool,
    calls: Vec<OpenCall>,
}

/// A call of which not everything may be known yet.
#[derive(Debug)]
struct OpenCall {
    /// The number that the upstream gives it.
    number: u64,
    id: String,
    /// The name, which some servers send in pieces; the call begins when its arguments do.
    name: String,
    is_custom: bool,
    has_started: bool,
    /// Arguments that came before the name.
    early: String,
}

// === impl ChatReader

impl ChatReader {
    /// Reads one chunk.
    pub(crate) fn read(
        &mut self,
        chunk: Value<'_>,
        context: &AnswerContext,
        losses: &mut Losses,
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Broken> {
        let is_error = chunk.get("error").is_some_and(|error| !error.is_null())
            || chunk.get("object").and_then(Value::as_str).as_deref() == Some("error");
        if is_error {
            return Err(Broken::Upstream(ApiError::of_event(chunk)));
        }
        let text = |key: &str| chunk.get(key).and_then(Value::as_str).unwrap_or_default();
        let choices = chunk.get("choices").filter(|choices| !choices.is_null());
        if choices.is_some_and(|choices| choices.kind() != Kind::Array) {
            return Err(Broken::Malformed("sent a chunk whose `choices` are no list"));
        }
        let usage = chunk.get("usage");
        if choices.is_none() && usage.is_none() {
            losses.add_once(Reason::UnknownEvent, "chunk");
        }
        if !self.has_started && choices.is_some() {
            self.has_started = true;
            sink(Event::Start {
                id: &text("id"),
                model: &text("model"),
                created_seconds: chunk.get("created").and_then(Value::as_u64),
                service_tier: Some(&*text("service_tier")).filter(|tier| !tier.is_empty()),
            });
        }
        for choice in choices.into_iter().flat_map(Value::items) {
            if choice.kind() != Kind::Object {
                return Err(Broken::Malformed("sent a chunk with a choice that is no object"));
            }
            if choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0 {
                self.choice(choice, context, losses, sink)?;
            } else {
                losses.add_once(Reason::Choices, "choices");
            }
        }
        if let Some(usage) = usage.and_then(TokenUsage::of_openai) {
            sink(Event::Usage(usage));
        }
        Ok(())
    }

    fn choice(
        &mut self,
        choice: Value<'_>,
        context: &AnswerContext,
        losses: &mut Losses,
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Broken> {
        let delta = choice.get("delta").or_else(|| choice.get("message"));
        if let Some(delta) = delta.filter(|delta| !delta.is_null()) {
            check_delta(delta)?;
            let text = |key: &str| delta.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
            if ["content", "refusal", "reasoning_content", "reasoning"].iter().any(|key| text(key).is_some())
            {
                self.start_named(context, sink);
            }
            if let Some(thought) = text("reasoning_content").or_else(|| text("reasoning")) {
                sink(Event::Thinking(&thought));
            }
            if let Some(words) = text("content") {
                let logprobs = choice.get("logprobs").and_then(|logprobs| logprobs.get("content"));
                let logprobs = logprobs.filter(|list| list.kind() == Kind::Array).map(Value::raw);
                sink(Event::Text { text: &words, logprobs });
            }
            if let Some(parts) = delta.get("content").filter(|content| content.kind() == Kind::Array) {
                for part in parts.items() {
                    match part.get("text").and_then(Value::as_str) {
                        Some(words) => sink(Event::Text { text: &words, logprobs: None }),
                        None => losses.add_once(Reason::AnswerBlock, "choices[0].delta.content"),
                    }
                }
            }
            if let Some(words) = text("refusal") {
                self.has_refusal = true;
                sink(Event::Refusal(&words));
            }
            if delta.get("annotations").is_some_and(|list| list.items().next().is_some()) {
                losses.add_once(Reason::Citations, "choices[0].delta.annotations");
            }
            if delta.get("audio").is_some_and(|audio| !audio.is_null()) {
                losses.add_once(Reason::Audio, "choices[0].delta.audio");
            }
            for call in delta.get("tool_calls").into_iter().flat_map(Value::items) {
                let number = call.get("index").and_then(Value::as_u64).unwrap_or(0);
                self.call(call, number, context, sink)?;
            }
            if let Some(call) = delta.get("function_call").filter(|call| call.kind() == Kind::Object) {
                self.call(call, 0, context, sink)?;
            }
        }
        if let Some(reason) = choice.get("finish_reason").filter(|reason| !reason.is_null()) {
            let Some(reason) = reason.as_str() else {
                return Err(Broken::Malformed("sent a finish reason that is no word"));
            };
            // Some servers write an empty word where others write null.
            if reason.is_empty() {
                return Ok(());
            }
            if is_failure(&reason) {
                let message = format!("the model stopped with the finish reason `{reason}`");
                return Err(Broken::Upstream(ApiError::new(500, message)));
            }
            self.start_named(context, sink);
            if self.calls.iter().any(|call| call.name.is_empty()) {
                losses.add_once(Reason::MissingName, "choices[0].delta.tool_calls");
            }
            let mut stop = read_stop(choice);
            if self.has_refusal {
                stop.reason = StopReason::Refusal;
            }
            let has_calls = self.calls.iter().any(|call| call.has_started);
            if has_calls && matches!(stop.reason, StopReason::End | StopReason::Other) {
                stop.reason = StopReason::ToolUse;
            }
            sink(Event::Stop { reason: stop.reason, sequence: stop.sequence.as_deref() });
        }
        Ok(())
    }

    /// Reads a piece of a call. Some servers give every call the same number, but not the same id.
    fn call(
        &mut self,
        call: Value<'_>,
        number: u64,
        context: &AnswerContext,
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Broken> {
        if call.kind() != Kind::Object {
            return Err(Broken::Malformed("sent a tool call that is no object"));
        }
        let custom = call.get("custom");
        let inner = call.get("function").or(custom).unwrap_or(call);
        let text = |value: Value<'_>, key: &str| {
            value.get(key).and_then(Value::as_str).map(std::borrow::Cow::into_owned).unwrap_or_default()
        };
        let (id, name) = (text(call, "id"), text(inner, "name"));
        let known = self.calls.iter().rposition(|open| open.number == number);
        let is_other =
            |open: &OpenCall| !id.is_empty() && !open.id.is_empty() && open.id != id && !name.is_empty();
        // What came before is whole when another call begins.
        if known.is_none_or(|index| is_other(&self.calls[index])) {
            self.start_named(context, sink);
        }
        let index = match known.filter(|&index| !is_other(&self.calls[index])) {
            Some(index) => index,
            None if self.calls.len() >= MAX_CALLS => {
                return Err(Broken::Malformed("sent an answer with too many tool calls"));
            }
            None => {
                self.calls.push(OpenCall {
                    number,
                    id: String::new(),
                    name: String::new(),
                    is_custom: false,
                    has_started: false,
                    early: String::new(),
                });
                self.calls.len() - 1
            }
        };
        let open = &mut self.calls[index];
        open.is_custom |= custom.is_some();
        if open.id.is_empty() {
            open.id = id;
        }
        // Others send the whole name again and again.
        if !open.has_started && open.name != name {
            open.name.push_str(&name);
        }
        let arguments = inner.get(if custom.is_some() { "input" } else { "arguments" });
        let arguments = arguments.map(|arguments| match arguments.as_str() {
            Some(text) => text.into_owned(),
            None if arguments.is_null() => String::new(),
            None => arguments.raw().to_owned(),
        });
        let arguments = arguments.unwrap_or_default();
        if open.name.is_empty() {
            open.early.push_str(&arguments);
        } else if !arguments.is_empty() || !open.early.is_empty() {
            open.start(index, context, sink);
            if !arguments.is_empty() {
                sink(Event::ToolInput { index, text: &arguments });
            }
        }
        Ok(())
    }

    /// Begins the calls whose names are known. Those that never get one are left out.
    fn start_named(&mut self, context: &AnswerContext, sink: &mut dyn FnMut(Event<'_>)) {
        for (index, open) in self.calls.iter_mut().enumerate().filter(|(_, open)| !open.name.is_empty()) {
            open.start(index, context, sink);
        }
    }

    /// Bytes held back.
    pub(crate) fn held_bytes(&self) -> usize {
        self.calls.iter().map(|call| call.early.len() + call.name.len() + call.id.len()).sum()
    }
}

/// Finish reasons that are no end of an answer: several servers tell of a failure in this way.
pub(super) fn is_failure(finish_reason: &str) -> bool {
    matches!(finish_reason, "error" | "abort")
}

/// Refuses a delta that holds part of the answer in a shape that cannot be read: left out, it would
/// be missing without a trace.
fn check_delta(delta: Value<'_>) -> Result<(), Broken> {
    if delta.kind() != Kind::Object {
        return Err(Broken::Malformed("sent a chunk whose `delta` is no object"));
    }
    for member in delta.members() {
        let kind = member.value.kind();
        let is_fine = match &*member.key {
            _ if kind == Kind::Null => true,
            "content" => matches!(kind, Kind::String | Kind::Array),
            "reasoning_content" | "reasoning" | "refusal" => kind == Kind::String,
            "tool_calls" => kind == Kind::Array,
            "function_call" => kind == Kind::Object,
            _ => true,
        };
        if !is_fine {
            return Err(Broken::Malformed("sent a chunk whose `delta` holds a value of a wrong type"));
        }
    }
    Ok(())
}

// === impl OpenCall

impl OpenCall {
    fn start(&mut self, index: usize, context: &AnswerContext, sink: &mut dyn FnMut(Event<'_>)) {
        if self.has_started {
            return;
        }
        self.has_started = true;
        if self.id.is_empty() {
            self.id = context.made_id("call", index);
        }
        sink(Event::ToolStart { index, id: &self.id, name: &self.name, is_custom: self.is_custom });
        let early = std::mem::take(&mut self.early);
        if !early.is_empty() {
            sink(Event::ToolInput { index, text: &early });
        }
    }
}
