//! How much a model is asked to think.

use bytestring::ByteString;
use vsr_types::Role;

use crate::conversation::{Content, Conversation, Turn, read_mark};
use crate::loss::{Losses, Reason};
use crate::translate::Target;

/// How a model takes its orders to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingStyle {
    /// `thinking: {type: enabled, budget_tokens}`.
    Budget,
    /// `thinking: {type: adaptive}` with `output_config.effort`.
    Adaptive,
}

/// What is asked of the model's thinking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Thinking {
    /// As the model does by itself.
    Unstated,
    /// Not at all.
    Off,
    /// Up to so many tokens.
    Budget(u64),
    /// As much as it finds right, or by an effort.
    Adaptive(Option<ByteString>),
}

/// The least budget that Anthropic takes.
const MIN_BUDGET: u64 = 1024;

// === impl ThinkingStyle

impl ThinkingStyle {
    /// The style that a model's name tells. Claude before 4.6, and whatever is not a Claude,
    /// takes a budget.
    pub fn of_model(model: &str) -> Self {
        const BUDGET_ONLY: [&str; 6] = ["claude-3", "claude-2", "-4-0", "-4-1", "-4-5", "-4-2025"];
        let is_claude = model.contains("claude");
        if is_claude && !BUDGET_ONLY.iter().any(|part| model.contains(part)) {
            Self::Adaptive
        } else {
            Self::Budget
        }
    }
}

/// The budget that stands for an effort.
fn budget_of(effort: &str) -> u64 {
    match effort {
        "minimal" | "low" => MIN_BUDGET,
        "medium" => 4096,
        "high" => 16_384,
        _ => 32_768,
    }
}

/// What to ask of the model: what the client asked for, where the conversation leaves it room.
pub(super) fn plan_thinking(
    conversation: &Conversation,
    target: &Target<'_>,
    turns: &[Turn],
    losses: &mut Losses,
) -> Thinking {
    let reasoning = &conversation.settings.reasoning;
    let effort = reasoning.effort.as_ref();
    if reasoning.is_off || effort.is_some_and(|effort| effort == "none") {
        return Thinking::Off;
    }
    if effort.is_none() && reasoning.budget_tokens.is_none() && !reasoning.is_adaptive {
        return Thinking::Unstated;
    }
    if target.thinking == ThinkingStyle::Adaptive {
        let effort = effort.map(|effort| match &**effort {
            "minimal" => ByteString::from_static("low"),
            _ => effort.clone(),
        });
        return Thinking::Adaptive(effort);
    }
    let wanted = reasoning.budget_tokens.unwrap_or_else(|| budget_of(effort.map_or("medium", |e| e)));
    // With a budget, Anthropic refuses to go on with a tool loop whose first step did not think.
    if turns.last().is_some_and(|turn| turn.role == Role::Tool) && !loop_has_thought(turns, target.model) {
        losses.add(Reason::ReasoningOff, "messages");
        return Thinking::Unstated;
    }
    match conversation.settings.max_tokens {
        None => Thinking::Budget(wanted.max(MIN_BUDGET)),
        Some(limit) if limit > MIN_BUDGET => {
            Thinking::Budget(wanted.clamp(MIN_BUDGET, (limit / 2).max(MIN_BUDGET)))
        }
        Some(_) => {
            losses.add(Reason::ReasoningOff, "max_tokens");
            Thinking::Unstated
        }
    }
}

/// Whether the last words of the assistant begin with reasoning that `model` will know again.
fn loop_has_thought(turns: &[Turn], model: &str) -> bool {
    let last = turns.iter().rev().find(|turn| turn.role == Role::Assistant);
    let first = last.and_then(|turn| turn.parts.first());
    first.is_some_and(|part| match &part.content {
        Content::Thinking { signature: Some(sealed), .. } | Content::Redacted(sealed) => {
            read_mark(sealed).is_some_and(|mark| mark.is_of(model) && !mark.payload().is_empty())
        }
        _ => false,
    })
}
