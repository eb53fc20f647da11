//! Which model answers, and how.

use std::sync::Arc;

use serde::Serialize;

use crate::ModelName;

/// The model chosen for a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The model as reported to the client: a model card or a LoRA adapter.
    pub model: ModelName,
    /// The model card that `model` is, or is an adapter of: it owns backends and reasoning family.
    pub card: ModelName,
    /// The position of the chosen entry in the decision's `modelRefs`.
    pub model_ref: Option<usize>,
    /// What chose it: `default`, `single`, `pinned`, or the name of an algorithm.
    pub method: &'static str,
    /// The candidates with their scores, best first; empty where nothing was scored.
    pub scores: Vec<(ModelName, f64)>,
    /// The probability with which this model was chosen, for off-policy evaluation.
    pub propensity: f64,
    /// How much the model should think.
    pub reasoning: ReasoningChoice,
}

/// Whether the chosen model should reason before it answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ReasoningChoice {
    /// On, off, or not the router's business.
    pub mode: ReasoningMode,
    /// The effort asked for, where the decision or the defaults state one.
    pub effort: Option<Arc<str>>,
}

/// See [`ReasoningChoice::mode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningMode {
    /// The request passes as the client wrote it.
    #[default]
    Untouched,
    /// The decision asks for reasoning.
    On,
    /// The decision asks for none.
    Off,
}
