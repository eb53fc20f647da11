//! The `conversation` family: the shape of the conversation.

use vsr_config::{
    ConversationFeatureType, ConversationRole, ConversationRule, ConversationSource, ConversationSourceType,
};
use vsr_types::{AtomId, AtomTable, ContentFacts, Diagnostics, Evidence, Role, SignalFamily};

use crate::{bounds::Condition, rules};

/// Every conversation rule.
#[derive(Debug)]
pub(crate) struct ConversationFamily {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    atom: AtomId,
    feature: ConversationFeatureType,
    source: ConversationSource,
    condition: Condition,
}

// === impl ConversationFamily

impl ConversationFamily {
    /// Compiles the rules.
    pub(crate) fn compile(
        written: &[ConversationRule],
        atoms: &mut AtomTable,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let names = written.iter().map(|rule| rule.name.as_str());
        let ids = rules::declare(SignalFamily::Conversation, names, atoms, diagnostics);
        let path = rules::family_path(SignalFamily::Conversation);
        let mut compiled = Vec::with_capacity(written.len());
        for (index, (rule, atom)) in written.iter().zip(ids).enumerate() {
            let path = path.index(index);
            let (feature, source) = (rule.feature.kind, rule.feature.source.clone());
            if source.role.is_some() && source.kind != ConversationSourceType::Message {
                let place = path.key("feature").key("source").key("role");
                diagnostics.error(place, "a role is for `message` sources only; leave it out");
            }
            let exists = feature == ConversationFeatureType::Exists;
            let condition = if exists && rule.predicate.is_some() {
                let message = "`exists` takes no predicate; leave it out, or use `type: count`";
                diagnostics.error(path.key("predicate"), message);
                Condition::Positive
            } else {
                Condition::compile(rule.predicate.as_ref(), &path, diagnostics)
            };
            compiled.push(Rule { atom, feature, source, condition });
        }
        Self { rules: compiled }
    }

    /// Whether there is no rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Evaluates every rule.
    pub(crate) fn evaluate(&self, facts: &ContentFacts, evidence: &mut Evidence) {
        for rule in &self.rules {
            let count = count(&rule.source, facts);
            let value = match rule.feature {
                ConversationFeatureType::Count => count,
                ConversationFeatureType::Exists => count.min(1),
            };
            evidence.set_value(rule.atom, f64::from(value));
            if rule.condition.holds(f64::from(value)) {
                evidence.set_matched(rule.atom, 1.0);
            } else {
                evidence.set_not_matched(rule.atom);
            }
        }
    }
}

fn count(source: &ConversationSource, facts: &ContentFacts) -> u32 {
    match source.kind {
        ConversationSourceType::Message => messages(source.role, facts),
        ConversationSourceType::ToolDefinition => facts.tool_definitions,
        ConversationSourceType::AssistantToolCall => facts.assistant_tool_calls,
        ConversationSourceType::AssistantToolCycle => facts.roles.tool,
        ConversationSourceType::ActiveToolLoop => u32::from(facts.last_role == Some(Role::Tool)),
        ConversationSourceType::ImageContent => facts.images,
    }
}

fn messages(role: Option<ConversationRole>, facts: &ContentFacts) -> u32 {
    let roles = &facts.roles;
    match role {
        None => roles.total(),
        Some(ConversationRole::User) => roles.user,
        Some(ConversationRole::Assistant) => roles.assistant,
        Some(ConversationRole::System) => roles.system,
        Some(ConversationRole::Developer) => roles.developer,
        Some(ConversationRole::Tool) => roles.tool,
        Some(ConversationRole::NonUser) => roles.total() - roles.user,
    }
}
