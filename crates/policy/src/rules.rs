//! Rule trees as written: three-valued truth, confidence, and the atoms that made them hold.

mod build;
mod leaf;
mod program;

pub(crate) use build::{RuleBuilder, RuleHome};
pub(crate) use leaf::Leaf;
pub(crate) use program::{GateId, Program};

use serde::Serialize;
use vsr_types::{AtomId, DecisionOutcome, Evidence};

use crate::reading::Reading;

/// Whether a rule tree, or a part of it, holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleState {
    /// It holds.
    Matched,
    /// It does not hold.
    NotMatched,
    /// Unavailable evidence leaves it undecided.
    Unavailable,
}

/// A rule tree in the shape its author gave it.
#[derive(Debug, Clone)]
pub(crate) enum Rule {
    /// Holds whatever the evidence: the catch-all.
    Always,
    /// Never holds: a leaf that names nothing that could match.
    Never,
    /// A leaf decided by the bit of one atom. The atom stands here so that the hot path stays in the tree.
    Plain(AtomId, Box<Leaf>),
    /// Any other leaf.
    Leaf(Box<Leaf>),
    /// AND.
    All(Vec<Rule>),
    /// OR.
    Any(Vec<Rule>),
    /// NOT.
    Not(Box<Rule>),
}

/// A sum of confidences, and how many they are.
#[derive(Default)]
struct Mean {
    sum: f64,
    count: u32,
}

// === impl RuleState

impl RuleState {
    /// What an outcome says about the whole tree.
    pub(crate) fn of(outcome: DecisionOutcome) -> Self {
        match outcome {
            DecisionOutcome::Matched(_) => Self::Matched,
            DecisionOutcome::NotMatched => Self::NotMatched,
            DecisionOutcome::Unavailable => Self::Unavailable,
        }
    }

    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Matched => Self::NotMatched,
            Self::NotMatched => Self::Matched,
            Self::Unavailable => Self::Unavailable,
        }
    }
}

// === impl Rule

impl From<Leaf> for Rule {
    fn from(leaf: Leaf) -> Self {
        if leaf.is_plain() && leaf.others.is_empty() {
            Self::Plain(leaf.atom, Box::new(leaf))
        } else {
            Self::Leaf(Box::new(leaf))
        }
    }
}

impl Rule {
    /// Whether the tree holds.
    pub(crate) fn state(&self, evidence: &Evidence) -> RuleState {
        self.state_by(&|leaf| leaf.state(evidence))
    }

    /// Whether the tree holds, and nothing leaves it undecided.
    fn holds(&self, evidence: &Evidence) -> bool {
        match self {
            Rule::Plain(atom, _) => evidence.is_matched(*atom),
            _ => self.state(evidence) == RuleState::Matched,
        }
    }

    /// Whether the tree holds if its leaves are as `leaf_state` says.
    pub(crate) fn state_by(&self, leaf_state: &impl Fn(&Leaf) -> RuleState) -> RuleState {
        match self {
            Rule::Always => RuleState::Matched,
            Rule::Never => RuleState::NotMatched,
            Rule::Plain(_, leaf) | Rule::Leaf(leaf) => leaf_state(leaf),
            Rule::All(rules) => dominated(rules, RuleState::NotMatched, leaf_state),
            Rule::Any(rules) => dominated(rules, RuleState::Matched, leaf_state),
            Rule::Not(rule) => rule.state_by(leaf_state).negated(),
        }
    }

    /// The confidence of a tree that holds; `None` where there is no evidence for anything.
    pub(crate) fn confidence(&self, evidence: &Evidence, reading: Reading) -> Option<f64> {
        match self {
            Rule::Always => reading.v0_3.then_some(0.0),
            Rule::Never => None,
            Rule::Plain(atom, _) => Some(reading.confidence(evidence, *atom)),
            Rule::Leaf(leaf) => Some(leaf.confidence(evidence, reading)),
            Rule::All(rules) => {
                let mut mean = Mean::default();
                rules.iter().for_each(|rule| mean.add(rule, evidence, reading));
                mean.value()
            }
            Rule::Any(rules) => best(rules, evidence, reading).and_then(|(_, confidence)| confidence),
            Rule::Not(_) => reading.v0_3.then_some(1.0),
        }
    }

    /// Adds the atoms that made a tree hold, in rule order.
    pub(crate) fn collect_atoms(&self, evidence: &Evidence, reading: Reading, into: &mut Vec<AtomId>) {
        match self {
            Rule::Always | Rule::Never | Rule::Not(_) => {}
            Rule::Plain(atom, _) => into.push(*atom),
            Rule::Leaf(leaf) => into.push(leaf.deciding_atom(evidence)),
            Rule::All(rules) => rules.iter().for_each(|rule| rule.collect_atoms(evidence, reading, into)),
            Rule::Any(rules) => {
                if let Some((branch, _)) = best(rules, evidence, reading) {
                    rules[branch].collect_atoms(evidence, reading, into);
                }
            }
        }
    }

    /// Calls `visit` with every leaf.
    pub(crate) fn for_each_leaf<'r>(&'r self, visit: &mut dyn FnMut(&'r Leaf)) {
        match self {
            Rule::Always | Rule::Never => {}
            Rule::Plain(_, leaf) | Rule::Leaf(leaf) => visit(leaf),
            Rule::All(rules) | Rule::Any(rules) => rules.iter().for_each(|rule| rule.for_each_leaf(visit)),
            Rule::Not(rule) => rule.for_each_leaf(visit),
        }
    }
}

/// The branch of an OR that counts: the one of highest confidence, the first of equals.
pub(crate) fn best(rules: &[Rule], evidence: &Evidence, reading: Reading) -> Option<(usize, Option<f64>)> {
    let mut best: Option<(usize, Option<f64>)> = None;
    for (branch, rule) in rules.iter().enumerate() {
        if !rule.holds(evidence) {
            continue;
        }
        let confidence = rule.confidence(evidence, reading);
        if best.is_none_or(|(_, highest)| confidence > highest) {
            best = Some((branch, confidence));
        }
    }
    best
}

/// AND (dominated by false) or OR (dominated by true).
fn dominated(rules: &[Rule], dominant: RuleState, leaf_state: &impl Fn(&Leaf) -> RuleState) -> RuleState {
    let mut outcome = dominant.negated();
    for rule in rules {
        match rule.state_by(leaf_state) {
            state if state == dominant => return dominant,
            RuleState::Unavailable => outcome = RuleState::Unavailable,
            _ => {}
        }
    }
    outcome
}

// === impl Mean

impl Mean {
    fn add(&mut self, rule: &Rule, evidence: &Evidence, reading: Reading) {
        match rule {
            Rule::Plain(atom, _) => self.count_in(reading.confidence(evidence, *atom)),
            Rule::All(rules) if !reading.v0_3 => {
                rules.iter().for_each(|rule| self.add(rule, evidence, reading));
            }
            _ => {
                if let Some(confidence) = rule.confidence(evidence, reading) {
                    self.count_in(confidence);
                }
            }
        }
    }

    fn count_in(&mut self, confidence: f64) {
        self.sum += confidence;
        self.count += 1;
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}
