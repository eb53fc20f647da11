//! What policy made of the evidence.

use std::sync::Arc;

use crate::{AtomId, DecisionName};

/// How one decision came out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DecisionOutcome {
    /// Its rules hold, with this confidence.
    Matched(f64),
    /// Its rules do not hold.
    NotMatched,
    /// Unavailable evidence leaves its rules undecided; it cannot win.
    Unavailable,
}

/// A decision that matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Winner {
    /// Its position in `routing.decisions`.
    pub index: usize,
    /// Its name.
    pub name: DecisionName,
    /// The confidence of its rule tree, 0..=1.
    pub confidence: f64,
    /// The atoms that made it match, in rule order.
    pub matched_atoms: Vec<AtomId>,
}

/// The result of evaluating all decisions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// The decision that won; `None` sends the request to the default model.
    pub winner: Option<Winner>,
    /// The decision that would have won without the winner.
    pub runner_up: Option<Winner>,
    /// Which comparison told winner from runner-up, in a few words.
    pub won_by: &'static str,
    /// Every decision's outcome, in the order of `routing.decisions`.
    pub outcomes: Vec<DecisionOutcome>,
    /// Every projection value on the way.
    pub projections: ProjectionTrace,
}

/// What partitions, scores and mappings did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProjectionTrace {
    /// Partitions that changed something, in the order of the configuration.
    pub partitions: Vec<PartitionOutcome>,
    /// Scores in evaluation order.
    pub scores: Vec<ScoreValue>,
    /// Mappings in evaluation order.
    pub mappings: Vec<MappingValue>,
}

/// The member that a partition kept.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionOutcome {
    /// The partition's name.
    pub partition: Arc<str>,
    /// The kept member.
    pub winner: AtomId,
    /// Its confidence afterwards.
    pub confidence: f64,
    /// The members that contended and were dropped.
    pub dropped: Vec<AtomId>,
    /// Whether nothing contended and the default was taken.
    pub by_default: bool,
}

/// The value of a score.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreValue {
    /// The score's name.
    pub score: Arc<str>,
    /// Its value.
    pub value: f64,
    /// What each input contributed (weight times value), in the order of the configuration;
    /// `None` where the evidence was unavailable and counted as a miss.
    pub contributions: Vec<Option<f64>>,
}

/// What a mapping emitted.
#[derive(Debug, Clone, PartialEq)]
pub struct MappingValue {
    /// The mapping's name.
    pub mapping: Arc<str>,
    /// The emitted outputs with their confidence.
    pub outputs: Vec<(AtomId, f64)>,
}
