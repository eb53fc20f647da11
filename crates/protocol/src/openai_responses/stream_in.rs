//! Reads the events of an upstream that speaks Responses: for what routing wants to know, while
//! they pass to the client as they are.

use crate::answer::{Broken, Event, StopReason, TokenUsage};
use crate::error::ApiError;
use crate::json::Value;

/// What is known of a stream of Responses.
#[derive(Debug, Default)]
pub(crate) struct ResponsesReader {
    has_started: bool,
    /// The number of the last event that had one.
    sequence: Option<u64>,
}

// === impl ResponsesReader

impl ResponsesReader {
    /// Reads one event; says whether it is the closing one.
    pub(crate) fn read(&mut self, event: Value<'_>, sink: &mut dyn FnMut(Event<'_>)) -> Result<bool, Broken> {
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        self.sequence = event.get("sequence_number").and_then(Value::as_u64).max(self.sequence);
        let response = event.get("response");
        if let Some(response) = response.filter(|_| !self.has_started) {
            self.has_started = true;
            let text = |key: &str| response.get(key).and_then(Value::as_str).unwrap_or_default();
            let created_seconds = response.get("created_at").and_then(Value::as_u64);
            sink(Event::Start {
                id: &text("id"),
                model: &text("model"),
                created_seconds,
                service_tier: None,
            });
        }
        if let Some(usage) =
            response.and_then(|response| response.get("usage")).and_then(TokenUsage::of_openai)
        {
            sink(Event::Usage(usage));
        }
        let delta = event.get("delta").and_then(Value::as_str).filter(|delta| !delta.is_empty());
        match &*kind {
            "response.completed" => {
                sink(Event::Stop { reason: StopReason::End, sequence: None });
                Ok(true)
            }
            "response.incomplete" => {
                sink(Event::Stop { reason: StopReason::MaxTokens, sequence: None });
                Ok(true)
            }
            "response.failed" | "error" => {
                let error = response.unwrap_or(event);
                Err(Broken::Upstream(ApiError::of_event(error)))
            }
            _ => {
                if let Some(delta) = delta {
                    sink(Event::Text { text: &delta, logprobs: None });
                }
                Ok(false)
            }
        }
    }

    /// The number of an event that follows.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.sequence.map_or(0, |last| last.saturating_add(1))
    }
}
