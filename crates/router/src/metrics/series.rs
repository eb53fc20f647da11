//! The time series that requests of one snapshot add to, looked up once: labels are hashed and copied then, and
//! not for each request. Every key is a configured name, so there are not more of them than the policy allows.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};
use vsr_types::{AtomId, ModelName, ReasoningChoice, RouteTrace, SignalFamily};

/// What a snapshot keeps for [`super::Metrics`].
#[derive(Default)]
pub(crate) struct Series {
    /// Per atom.
    pub(super) rules: OnceLock<Vec<RuleSeries>>,
    /// Per family, in the order of [`SignalFamily::ALL`].
    pub(super) families: [OnceLock<Histogram>; SignalFamily::COUNT],
    pub(super) decisions: Shelf<usize, DecisionSeries>,
    pub(super) models: Shelf<ModelName, ModelSeries>,
    pub(super) choices: Shelf<ChoiceKey, ChoiceSeries>,
}

/// How often a rule was evaluated and matched.
pub(super) struct RuleSeries {
    pub(super) extractions: Counter,
    pub(super) matches: Counter,
}

/// What is counted per decision that won.
pub(super) struct DecisionSeries {
    pub(super) matches: Counter,
    pub(super) confidence: Histogram,
}

/// What is counted per model.
pub(super) struct ModelSeries {
    pub(super) requests: Counter,
    pub(super) in_flight: Gauge,
    pub(super) prompt_tokens: Counter,
    pub(super) completion_tokens: Counter,
    pub(super) tokens: Counter,
    pub(super) prompt_tokens_per_request: Histogram,
    pub(super) completion_tokens_per_request: Histogram,
    pub(super) completion_latency: Histogram,
    pub(super) time_to_first_token: Histogram,
    pub(super) time_per_output_token: Histogram,
}

/// What tells the choices apart that are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ChoiceKey {
    decision: Option<usize>,
    model: ModelName,
    method: &'static str,
    requested: Arc<str>,
    /// The first context rule that matched.
    pub(super) level: Option<AtomId>,
    /// The first domain among the winner's conditions.
    pub(super) domain: Option<AtomId>,
    reasoning: ReasoningChoice,
}

/// What is counted per choice; the last three only where the router chose.
pub(super) struct ChoiceSeries {
    pub(super) context_tokens: Histogram,
    pub(super) reason_code: Counter,
    pub(super) modification: Option<Counter>,
    pub(super) selection: Option<Counter>,
    pub(super) reasoning: Option<Counter>,
}

/// Values by key, each made once.
pub(super) struct Shelf<K, V>(RwLock<HashMap<K, Arc<V>, foldhash::fast::RandomState>>);

// === impl ChoiceKey

impl ChoiceKey {
    /// The key of the trace's choice, if there is one.
    pub(super) fn of(trace: &RouteTrace) -> Option<Self> {
        let choice = trace.choice.as_ref()?;
        let winner = trace.verdict.winner.as_ref();
        let is = |family| move |id: &AtomId| trace.atoms.atom(*id).family == family;
        let conditions = winner.into_iter().flat_map(|winner| winner.matched_atoms.iter().copied());
        Some(Self {
            decision: winner.map(|winner| winner.index),
            model: choice.model.clone(),
            method: choice.method,
            requested: Arc::clone(&trace.requested_model),
            level: trace.evidence.matched().iter().find(is(SignalFamily::Context)),
            domain: { conditions }.find(is(SignalFamily::Domain)),
            reasoning: choice.reasoning.clone(),
        })
    }
}

// === impl Shelf

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Eq + Hash + Clone, V> Shelf<K, V> {
    /// The value of `key`, made by `make` when it is asked for the first time.
    pub(super) fn get(&self, key: &K, make: impl FnOnce() -> V) -> Arc<V> {
        if let Some(value) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Arc::clone(value);
        }
        let mut values = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(values.entry(key.clone()).or_insert_with(|| Arc::new(make())))
    }
}
