//! Decisions explained: every node of a rule tree with what became of it.

use std::sync::Arc;

use serde::Serialize;
use vsr_types::{DecisionName, DecisionOutcome, Evidence, OnError, SignalFamily, UnavailableReason};

use crate::{
    policy::Decision,
    reading::Reading,
    rules::{Leaf, Rule, RuleState, best},
};

/// How a decision came out, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecisionExplanation {
    /// Its name.
    pub name: DecisionName,
    /// Its priority.
    pub priority: i64,
    /// Its tier, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<i64>,
    /// Whether its rules hold.
    pub state: RuleState,
    /// The confidence, if they hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// The rules, as a tree in the shape of the configuration.
    pub rules: RuleExplanation,
}

/// What became of one node of a rule tree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleExplanation {
    /// What the node is.
    #[serde(flatten)]
    pub kind: RuleKind,
    /// Whether it holds.
    pub state: RuleState,
    /// Its confidence, if it holds and has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

/// A node of a rule tree.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RuleKind {
    /// The catch-all.
    Always,
    /// A condition that names nothing that could match.
    Never,
    /// A condition.
    Leaf {
        /// The family of the atom named.
        #[serde(rename = "type")]
        family: SignalFamily,
        /// The name within the family.
        name: Arc<str>,
        /// The raw value behind it.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<f64>,
        /// Why it is unavailable, or was before `on_error` decided.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<UnavailableReason>,
        /// What the leaf counts as where it is unavailable.
        #[serde(skip_serializing_if = "is_unavailable")]
        on_error: OnError,
        /// Words for people: which keyword, which language, dropped by what.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
    },
    /// AND.
    And {
        /// What is combined.
        conditions: Vec<RuleExplanation>,
    },
    /// OR.
    Or {
        /// The position of the condition that made it hold.
        #[serde(skip_serializing_if = "Option::is_none")]
        branch: Option<usize>,
        /// What is combined.
        conditions: Vec<RuleExplanation>,
    },
    /// NOT.
    Not {
        /// What is negated: one condition.
        conditions: Vec<RuleExplanation>,
    },
}

// === impl DecisionExplanation

impl DecisionExplanation {
    pub(crate) fn new(
        decision: &Decision,
        outcome: DecisionOutcome,
        evidence: &Evidence,
        reading: Reading,
    ) -> Self {
        let confidence = match outcome {
            DecisionOutcome::Matched(confidence) => Some(confidence),
            _ => None,
        };
        Self {
            name: decision.name.clone(),
            priority: decision.priority,
            tier: Some(decision.tier).filter(|tier| *tier != 0),
            state: RuleState::of(outcome),
            confidence,
            rules: RuleExplanation::new(&decision.rule, evidence, reading),
        }
    }
}

// === impl RuleExplanation

impl RuleExplanation {
    fn new(rule: &Rule, evidence: &Evidence, reading: Reading) -> Self {
        let each = |rules: &[Rule]| {
            rules.iter().map(|rule| Self::new(rule, evidence, reading)).collect::<Vec<Self>>()
        };
        let kind = match rule {
            Rule::Always => RuleKind::Always,
            Rule::Never => RuleKind::Never,
            Rule::Plain(_, leaf) | Rule::Leaf(leaf) => leaf_kind(leaf, evidence),
            Rule::All(rules) => RuleKind::And { conditions: each(rules) },
            Rule::Any(rules) => RuleKind::Or {
                branch: best(rules, evidence, reading).map(|(branch, _)| branch),
                conditions: each(rules),
            },
            Rule::Not(inner) => RuleKind::Not { conditions: each(std::slice::from_ref(&**inner)) },
        };
        let state = rule.state(evidence);
        let holds = state == RuleState::Matched;
        Self { kind, state, confidence: holds.then(|| rule.confidence(evidence, reading)).flatten() }
    }
}

fn leaf_kind(leaf: &Leaf, evidence: &Evidence) -> RuleKind {
    RuleKind::Leaf {
        family: leaf.family,
        name: leaf.name.clone(),
        value: evidence.value(leaf.atom),
        reason: evidence.reason(leaf.atom),
        on_error: leaf.on_error,
        notes: evidence.notes(leaf.atom).map(str::to_owned).collect(),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_unavailable(on_error: &OnError) -> bool {
    *on_error == OnError::Unavailable
}
