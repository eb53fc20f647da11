//! What a model answered, whatever protocol it came in: whole, or event by event.

mod arguments;

use bytestring::ByteString;
use vsr_types::Usage;

use crate::error::ApiError;
use crate::json::{Kind, Value, Writer};
use crate::openai_responses::ResponseFrame;
use crate::protocol::Protocol;

pub(crate) use arguments::{Completeness, RepeatedKeys, unwrap_custom};

/// A streamed answer with more calls than this is not read.
pub(crate) const MAX_CALLS: usize = 1024;

/// What the translation of an answer needs to know of its request.
#[derive(Debug, Clone)]
pub struct AnswerContext {
    /// What the client speaks.
    pub client: Protocol,
    /// What the backend speaks.
    pub upstream: Protocol,
    /// The model as the backend knows it; reasoning signatures are marked with it.
    pub upstream_model: ByteString,
    /// What ids that the upstream left out are made of: letters, digits, `_`, `-`.
    pub id_seed: String,
    /// When the request was received, in seconds since the epoch.
    pub created_seconds: u64,
    /// Tools that take free text and were declared to the upstream as functions.
    pub custom_tools: Vec<ByteString>,
    /// Whether a client of Chat Completions wants usage at the end of its stream.
    pub include_usage: bool,
    /// What a client of Responses gets around its answer.
    pub response: Option<ResponseFrame>,
}

/// A whole answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) created_seconds: Option<u64>,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) stop: Stop,
    pub(crate) usage: Option<TokenUsage>,
    pub(crate) service_tier: Option<String>,
}

/// One part of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    Text {
        text: String,
        logprobs: Option<String>,
    },
    Refusal(String),
    /// The signature is the upstream's own.
    Thinking {
        text: String,
        signature: Option<String>,
    },
    Redacted(String),
    ToolUse(Call),
}

/// A call that an answer makes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) input: String,
    pub(crate) is_custom: bool,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Stop {
    pub(crate) reason: StopReason,
    /// The stop sequence that ended it.
    pub(crate) sequence: Option<String>,
}

/// Why an answer ended, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum StopReason {
    #[default]
    End,
    MaxTokens,
    StopSequence,
    ToolUse,
    Refusal,
    Pause,
    /// Something that this crate does not know.
    Other,
}

/// Tokens, as finely as any protocol tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TokenUsage {
    /// Of the request, cached ones included.
    pub(crate) input: u64,
    /// Read from the cache.
    pub(crate) cache_read: u64,
    /// Written to the cache; none if not told.
    pub(crate) cache_write: Option<u64>,
    /// Of the answer, reasoning included.
    pub(crate) output: u64,
    /// Spent on reasoning.
    pub(crate) reasoning: u64,
}

/// Why a stream cannot be read on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Broken {
    /// The upstream says that it failed.
    Upstream(ApiError),
    /// What it sent does not have the shape that its protocol demands: what it did, as the rest of
    /// a sentence about it.
    Malformed(&'static str),
}

/// One event of a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Event<'e> {
    /// The answer begins.
    Start {
        id: &'e str,
        model: &'e str,
        created_seconds: Option<u64>,
        service_tier: Option<&'e str>,
    },
    Text {
        text: &'e str,
        logprobs: Option<&'e str>,
    },
    Refusal(&'e str),
    Thinking(&'e str),
    /// The signature of the reasoning before it.
    Signature(&'e str),
    Redacted(&'e str),
    /// A call begins; calls are counted from zero.
    ToolStart {
        index: usize,
        id: &'e str,
        name: &'e str,
        is_custom: bool,
    },
    ToolInput {
        index: usize,
        text: &'e str,
    },
    /// The part before it is over. Not every upstream tells.
    BlockEnd,
    Stop {
        reason: StopReason,
        sequence: Option<&'e str>,
    },
    Usage(TokenUsage),
    Ping,
}

// === impl AnswerContext

impl AnswerContext {
    /// Whether `name` is a tool that takes free text.
    pub(crate) fn is_custom(&self, name: &str) -> bool {
        self.custom_tools.iter().any(|tool| &**tool == name)
    }

    /// An id for something that the upstream gave none.
    pub(crate) fn made_id(&self, prefix: &str, index: usize) -> String {
        format!("{prefix}_{}_{index}", self.id_seed)
    }

    /// The answer's id for the client: the upstream's, with the prefix of the client's protocol.
    pub(crate) fn answer_id(&self, upstream_id: &str) -> String {
        let (prefix, foreign) = match self.client {
            Protocol::Chat => ("chatcmpl-", "msg_"),
            Protocol::Messages => ("msg_", "chatcmpl-"),
            Protocol::Responses => ("resp_", ""),
        };
        let stem = upstream_id.strip_prefix(foreign).unwrap_or(upstream_id);
        let stem = if stem.is_empty() { &self.id_seed } else { stem };
        if stem.starts_with(prefix) { stem.to_owned() } else { format!("{prefix}{stem}") }
    }
}

// === impl Answer

impl Answer {
    /// Whether it ends as if it were whole although the arguments of a call are not.
    pub(crate) fn has_half_call(&self) -> bool {
        let is_half = |piece: &Piece| match piece {
            Piece::ToolUse(call) => !call.is_custom && Completeness::is_half_of(&call.input),
            _ => false,
        };
        !self.stop.reason.may_cut_calls() && self.pieces.iter().any(is_half)
    }
}

// === impl StopReason

impl StopReason {
    pub(crate) fn of_finish_reason(reason: &str) -> Self {
        match reason {
            "stop" => Self::End,
            "length" => Self::MaxTokens,
            "tool_calls" | "function_call" => Self::ToolUse,
            "content_filter" => Self::Refusal,
            _ => Self::Other,
        }
    }

    pub(crate) fn of_stop_reason(reason: &str) -> Self {
        match reason {
            "end_turn" => Self::End,
            "max_tokens" | "model_context_window_exceeded" => Self::MaxTokens,
            "stop_sequence" => Self::StopSequence,
            "tool_use" => Self::ToolUse,
            "refusal" => Self::Refusal,
            "pause_turn" => Self::Pause,
            _ => Self::Other,
        }
    }

    pub(crate) fn finish_reason(self) -> &'static str {
        match self {
            Self::MaxTokens => "length",
            Self::ToolUse => "tool_calls",
            Self::Refusal => "content_filter",
            Self::End | Self::StopSequence | Self::Pause | Self::Other => "stop",
        }
    }

    pub(crate) fn stop_reason(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::StopSequence => "stop_sequence",
            Self::ToolUse => "tool_use",
            Self::Refusal => "refusal",
            Self::Pause => "pause_turn",
            Self::End | Self::Other => "end_turn",
        }
    }

    /// Why a response of the Responses protocol is incomplete; none if it is complete.
    pub(crate) fn incomplete_reason(self) -> Option<&'static str> {
        match self {
            Self::MaxTokens => Some("max_output_tokens"),
            Self::Refusal => Some("content_filter"),
            Self::End | Self::StopSequence | Self::ToolUse | Self::Pause | Self::Other => None,
        }
    }

    /// Whether the answer may break off anywhere, even inside the arguments of a call.
    pub(crate) fn may_cut_calls(self) -> bool {
        matches!(self, Self::MaxTokens | Self::Refusal)
    }

    /// Whether `client` has a word for it.
    pub(crate) fn has_word_in(self, client: Protocol) -> bool {
        match self {
            Self::Other => false,
            Self::Pause => client == Protocol::Messages,
            _ => true,
        }
    }
}

// === impl TokenUsage

impl TokenUsage {
    /// Reads the `usage` of Chat Completions or Responses; none if it counts nothing.
    pub(crate) fn of_openai(usage: Value<'_>) -> Option<Self> {
        let Usage { prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens } =
            crate::openai_chat::usage_of(usage)?;
        let details = usage.get("prompt_tokens_details").or_else(|| usage.get("input_tokens_details"));
        Some(Self {
            input: prompt_tokens,
            cache_read: cached_tokens.min(prompt_tokens),
            cache_write: details
                .and_then(|details| details.get("cache_write_tokens"))
                .and_then(Value::as_u64),
            output: completion_tokens,
            reasoning: reasoning_tokens,
        })
    }

    /// Reads Anthropic's `usage` over what is known already: events tell parts of it.
    pub(crate) fn update_from_anthropic(&mut self, usage: Value<'_>) {
        if usage.kind() != Kind::Object {
            return;
        }
        let count = |key: &str| usage.get(key).and_then(Value::as_u64);
        let uncached = self.uncached();
        let cache_read = count("cache_read_input_tokens").unwrap_or(self.cache_read);
        let cache_write = count("cache_creation_input_tokens").or(self.cache_write);
        // A last event may say zero where the first one counted.
        let uncached = count("input_tokens").filter(|&input| input > 0).unwrap_or(uncached);
        self.input = uncached.saturating_add(cache_read).saturating_add(cache_write.unwrap_or(0));
        self.cache_read = cache_read;
        self.cache_write = cache_write;
        self.output = count("output_tokens").unwrap_or(self.output);
        let details = usage.get("output_tokens_details");
        let thought = details.and_then(|details| details.get("thinking_tokens")).and_then(Value::as_u64);
        self.reasoning = thought.unwrap_or(self.reasoning);
    }

    /// Tokens of the request that no cache had to do with.
    pub(crate) fn uncached(&self) -> u64 {
        self.input.saturating_sub(self.cache_read).saturating_sub(self.cache_write.unwrap_or(0))
    }

    pub(crate) fn to_usage(self) -> Usage {
        Usage {
            prompt_tokens: self.input,
            completion_tokens: self.output,
            cached_tokens: self.cache_read,
            reasoning_tokens: self.reasoning,
        }
    }

    /// Writes the `usage` of Chat Completions.
    pub(crate) fn write_chat(&self, out: &mut Writer) {
        out.object_field("usage", |usage| {
            usage.number_field("prompt_tokens", self.input);
            usage.number_field("completion_tokens", self.output);
            usage.number_field("total_tokens", self.input.saturating_add(self.output));
            usage.object_field("prompt_tokens_details", |details| {
                details.number_field("cached_tokens", self.cache_read);
                if let Some(written) = self.cache_write {
                    details.number_field("cache_write_tokens", written);
                }
            });
            usage.object_field("completion_tokens_details", |details| {
                details.number_field("reasoning_tokens", self.reasoning);
            });
        });
    }

    /// Writes the `usage` of Responses.
    pub(crate) fn write_responses(&self, out: &mut Writer) {
        out.object_field("usage", |usage| {
            usage.number_field("input_tokens", self.input);
            usage.object_field("input_tokens_details", |details| {
                details.number_field("cached_tokens", self.cache_read);
                details.number_field("cache_write_tokens", self.cache_write.unwrap_or(0));
            });
            usage.number_field("output_tokens", self.output);
            usage.object_field("output_tokens_details", |details| {
                details.number_field("reasoning_tokens", self.reasoning);
            });
            usage.number_field("total_tokens", self.input.saturating_add(self.output));
        });
    }

    /// Writes Anthropic's `usage`.
    pub(crate) fn write_messages(&self, out: &mut Writer) {
        out.object_field("usage", |usage| {
            usage.number_field("input_tokens", self.uncached());
            usage.number_field("cache_creation_input_tokens", self.cache_write.unwrap_or(0));
            usage.number_field("cache_read_input_tokens", self.cache_read);
            usage.number_field("output_tokens", self.output);
            if self.reasoning > 0 {
                usage.object_field("output_tokens_details", |details| {
                    details.number_field("thinking_tokens", self.reasoning);
                });
            }
        });
    }
}
