//! One request for whatever protocol its backend speaks.

mod answer;
mod client;
mod own;
mod reasoning;
mod replay;
mod stream;
mod unread;
mod viewed;

use bytes::Bytes;

use crate::conversation::{Conversation, Tool, ToolChoice, ToolSpec};
use crate::loss::{Losses, Reason};
use crate::protocol::Protocol;
use crate::signatures::SignatureMemory;

pub use crate::anthropic::ThinkingStyle;
pub use answer::{TranslatedAnswer, answered_error, translate_answer};
pub use client::ClientRequest;
pub use own::own_answer;
pub use replay::replay_answer;
pub use stream::{StreamTranslator, TranslatorOptions};
pub use viewed::ViewedRequest;

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
pub struct Target<'t> {
    /// What the backend speaks.
    pub protocol: Protocol,
    /// The model as the backend knows it. Reasoning signatures of other models do not go there.
    pub model: &'t str,
    /// Which field limits the answer, where the protocol has two.
    pub limit_field: LimitField,
    /// How the model is told to think, if it speaks Messages.
    pub thinking: ThinkingStyle,
    /// What policy says of the model's reasoning.
    pub effort: Effort<'t>,
    /// What is known of signatures without a mark.
    pub signatures: Option<&'t SignatureMemory>,
    /// Whether reasoning goes along whose signature bears no mark and is not known: yes where the
    /// client itself chose the model, or no other could have made it.
    pub keeps_unknown_signatures: bool,
}

/// What policy says of reasoning. For backends that speak Chat Completions, where each family of
/// models has a parameter of its own, it is said by [`Edits`](crate::Edits) instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effort<'t> {
    /// Nothing: the client's wish stands.
    #[default]
    AsStated,
    /// None at all.
    Off,
    /// This much.
    Level(&'t str),
}

/// The field of Chat Completions that limits an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LimitField {
    /// `max_tokens`, which every compatible server knows.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`, which OpenAI's reasoning models demand.
    MaxCompletionTokens,
}

/// A request as its backend gets it.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The body.
    pub body: Bytes,
    /// What could not be said in the backend's protocol.
    pub losses: Losses,
}

// === impl Target

impl<'t> Target<'t> {
    /// A target with what its model's name tells.
    pub fn new(protocol: Protocol, model: &'t str) -> Self {
        Self {
            protocol,
            model,
            limit_field: LimitField::MaxTokens,
            thinking: ThinkingStyle::of_model(model),
            effort: Effort::AsStated,
            signatures: None,
            keeps_unknown_signatures: true,
        }
    }
}

/// Fields whose values say no more than their absence.
fn says_nothing(name: &str, json: &str) -> bool {
    match name {
        "n" => json == "1",
        "modalities" => json.split_whitespace().collect::<String>() == "[\"text\"]",
        "truncation" => json == "\"disabled\"",
        "frequency_penalty" | "presence_penalty" => json.parse::<f64>() == Ok(0.0),
        "repetition_penalty" => json.parse::<f64>() == Ok(1.0),
        _ => false,
    }
}

/// Reports the top-level fields that the target has no place for. `carried` are those that the
/// writer takes over itself.
pub(crate) fn report_extras(conversation: &Conversation, carried: &[&str], losses: &mut Losses) {
    for (name, json) in &conversation.extras {
        let is_empty = matches!(&**json, "null" | "false" | "{}" | "[]" | "\"\"");
        if is_empty || carried.contains(&&**name) || says_nothing(name, json) {
            continue;
        }
        let reason = match &**name {
            "n" => Reason::Choices,
            "frequency_penalty" | "presence_penalty" | "logit_bias" | "seed" | "min_p"
            | "repetition_penalty" => Reason::SamplingDropped,
            "prompt_cache_key" | "prompt_cache_retention" | "prompt_cache_options" => Reason::Detail,
            _ => Reason::UnsupportedField,
        };
        losses.add(reason, &**name);
    }
}

/// The tools to declare: those that have a name and can be called by the client, cut down to the
/// allowed ones where the choice names some. Both OpenAI's and Anthropic's servers treat a tool
/// that is not declared as one that cannot be called.
pub(crate) fn callable_tools<'c>(conversation: &'c Conversation, losses: &mut Losses) -> Vec<&'c Tool> {
    let allowed = match &conversation.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => Some(names),
        _ => None,
    };
    let mut tools = Vec::with_capacity(conversation.tools.len());
    for tool in &conversation.tools {
        match &tool.spec {
            ToolSpec::Hosted { kind } => {
                losses.add(Reason::UnsupportedTool, format!("{}.{kind}", tool.place));
            }
            _ if tool.name.is_empty() => losses.add(Reason::MissingName, tool.place.to_string()),
            _ if allowed.is_some_and(|names| !names.contains(&tool.name)) => {}
            _ => tools.push(tool),
        }
    }
    tools
}

/// Whether `json` is an object.
pub(crate) fn is_object(json: &str) -> bool {
    use crate::json::{JsonLimits, Kind, Mode, Tape};
    let mut tape = Tape::default();
    json.trim_start().starts_with('{')
        && tape.scan(json, &JsonLimits::default(), Mode::Tolerant).is_ok()
        && tape.root(json).kind() == Kind::Object
}
