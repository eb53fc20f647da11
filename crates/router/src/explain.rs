//! One request explained to people and programs: the reader of the trace behind `eval`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use vsr_policy::DecisionExplanation;
use vsr_protocol::ApiError;
use vsr_types::{Atom, AtomId, ReasoningMode, RouteTrace, SignalFamily, Stage, Winner};

use crate::Snapshot;

/// Why a request goes where it goes. The release's fields keep their names; the rest is added.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The text that the signals read.
    pub original_text: String,
    /// The winning decision.
    pub decision_result: DecisionResult,
    /// The models the decision lists, the chosen one first.
    pub recommended_models: Vec<String>,
    /// The name of the winning decision; empty if none matched.
    pub routing_decision: String,
    /// Confidence by `type:name`.
    pub signal_confidences: BTreeMap<String, f64>,
    /// Raw values by `type:name`.
    pub signal_values: BTreeMap<String, f64>,
    /// Time and best confidence per family.
    pub metrics: BTreeMap<&'static str, FamilyMetrics>,
    /// Every rule of every family.
    pub signals: Vec<SignalExplanation>,
    /// Partitions, scores and mappings.
    pub projections: ProjectionExplanation,
    /// Every decision's rule tree.
    pub eval_trace: Vec<DecisionExplanation>,
    /// Which model, and why.
    pub model: ModelExplanation,
    /// Estimated tokens of the request.
    pub context_tokens: u64,
    /// Milliseconds per stage.
    pub timings_ms: BTreeMap<&'static str, f64>,
    /// The content hash of the configuration.
    pub snapshot: String,
    /// The models that the embedded ones stand for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub substituted_for: Vec<String>,
}

/// The winning decision.
#[derive(Debug, Clone, Serialize)]
pub struct DecisionResult {
    /// Its name; empty if none matched.
    pub decision_name: String,
    /// Its confidence.
    pub confidence: f64,
    /// What it won by.
    pub won_by: &'static str,
    /// The atoms that made it match.
    pub matched_rules: Vec<String>,
    /// The decision that would have won without it.
    pub runner_up: Option<RunnerUp>,
    /// Rules that the winning decision's family of signals used, by type.
    pub used_signals: BTreeMap<&'static str, Vec<String>>,
    /// All rules that matched, by type.
    pub matched_signals: BTreeMap<&'static str, Vec<String>>,
    /// All rules that did not, by type.
    pub unmatched_signals: BTreeMap<&'static str, Vec<String>>,
    /// All rules that could not be evaluated, by type.
    pub unavailable_signals: BTreeMap<&'static str, Vec<String>>,
}

/// The decision that came second.
#[derive(Debug, Clone, Serialize)]
pub struct RunnerUp {
    /// Its name.
    pub decision_name: String,
    /// Its confidence.
    pub confidence: f64,
}

/// Time and best confidence of a family.
#[derive(Debug, Clone, Serialize)]
pub struct FamilyMetrics {
    /// Milliseconds.
    pub latency_ms: f64,
    /// The highest confidence of a matched rule.
    pub confidence: Option<f64>,
}

/// One rule.
#[derive(Debug, Clone, Serialize)]
pub struct SignalExplanation {
    /// Its family.
    #[serde(rename = "type")]
    pub family: SignalFamily,
    /// What it emits.
    pub name: String,
    /// `matched`, `not_matched` or `unavailable`.
    pub state: &'static str,
    /// Its confidence, if it matched.
    pub confidence: Option<f64>,
    /// Its raw value.
    pub value: Option<f64>,
    /// Why it could not be evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Value>,
    /// What it found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Partitions, scores and mappings.
#[derive(Debug, Clone, Serialize)]
pub struct ProjectionExplanation {
    /// Winner by partition.
    pub partitions: Vec<Value>,
    /// Value and contributions by score.
    pub scores: Vec<Value>,
    /// Outputs by mapping.
    pub mappings: Vec<Value>,
}

/// Which model, and why.
#[derive(Debug, Clone, Serialize)]
pub struct ModelExplanation {
    /// The model; `None` if the request is refused or answered by the router.
    pub name: Option<String>,
    /// What chose it.
    pub method: Option<&'static str>,
    /// Whether it is told to reason.
    pub reasoning: ReasoningMode,
    /// How much.
    pub reasoning_effort: Option<String>,
    /// The candidates' scores.
    pub scores: Vec<(String, f64)>,
    /// Why the request is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

// === impl Explanation

impl Explanation {
    /// Explains `trace`, which `snapshot` made of a request with this text.
    pub fn new(snapshot: &Snapshot, trace: &RouteTrace, text: &str, refusal: Option<&ApiError>) -> Self {
        let choice = trace.choice.as_ref();
        let winner = trace.verdict.winner.as_ref();
        Self {
            original_text: text.to_owned(),
            decision_result: decision_result(snapshot, trace),
            recommended_models: recommended_models(snapshot, trace),
            routing_decision: winner.map(|winner| winner.name.to_string()).unwrap_or_default(),
            signal_confidences: numbers(trace, |id| trace.evidence.confidence(id)),
            signal_values: numbers(trace, |id| trace.evidence.value(id)),
            metrics: family_metrics(trace),
            signals: trace
                .atoms
                .iter()
                .filter(|(_, atom)| is_rule(atom))
                .map(|(id, _)| signal(trace, id))
                .collect(),
            projections: projections(trace),
            eval_trace: snapshot.policy().explain(&trace.evidence),
            model: ModelExplanation {
                name: choice.map(|choice| choice.model.to_string()),
                method: choice.map(|choice| choice.method),
                reasoning: choice.map(|choice| choice.reasoning.mode).unwrap_or_default(),
                reasoning_effort: choice
                    .and_then(|choice| choice.reasoning.effort.as_deref())
                    .map(str::to_owned),
                scores: choice
                    .map(|choice| {
                        choice.scores.iter().map(|(model, score)| (model.to_string(), *score)).collect()
                    })
                    .unwrap_or_default(),
                refusal: refusal.map(|error| error.message.clone()),
            },
            context_tokens: trace.context_tokens,
            timings_ms: Stage::ALL
                .into_iter()
                .map(|stage| (stage.as_str(), trace.stages.get(stage).as_secs_f64() * 1e3))
                .collect(),
            snapshot: trace.snapshot.to_string(),
            substituted_for: trace.substituted_for.to_vec(),
        }
    }
}

fn label(trace: &RouteTrace, id: AtomId) -> String {
    trace.atoms.atom(id).to_string()
}

fn numbers(trace: &RouteTrace, number: impl Fn(AtomId) -> Option<f64>) -> BTreeMap<String, f64> {
    trace.atoms.iter().filter_map(|(id, atom)| Some((atom.to_string(), number(id)?))).collect()
}

fn state(trace: &RouteTrace, id: AtomId) -> &'static str {
    if trace.evidence.is_matched(id) {
        "matched"
    } else if trace.evidence.is_unavailable(id) {
        "unavailable"
    } else {
        "not_matched"
    }
}

/// Whether the atom only carries a raw value and never matches: metrics and margins.
fn is_value_only(atom: &Atom) -> bool {
    match atom.family {
        SignalFamily::Kb => atom.name.starts_with("kb_metric:"),
        SignalFamily::Complexity => {
            ![":easy", ":medium", ":hard"].iter().any(|level| atom.name.ends_with(level))
        }
        _ => false,
    }
}

/// Whether a signal rule emits the atom.
fn is_rule(atom: &Atom) -> bool {
    atom.family != SignalFamily::Projection && !is_value_only(atom)
}

fn signal(trace: &RouteTrace, id: AtomId) -> SignalExplanation {
    let atom = trace.atoms.atom(id);
    SignalExplanation {
        family: atom.family,
        name: atom.name.to_string(),
        state: state(trace, id),
        confidence: trace.evidence.confidence(id),
        value: trace.evidence.value(id),
        reason: trace.evidence.reason(id).and_then(|reason| serde_json::to_value(reason).ok()),
        notes: trace.evidence.notes(id).map(str::to_owned).collect(),
    }
}

fn family_metrics(trace: &RouteTrace) -> BTreeMap<&'static str, FamilyMetrics> {
    let mut metrics = BTreeMap::new();
    for family in SignalFamily::ALL {
        let nanos = trace.evidence.family_nanos(*family);
        if nanos == 0 {
            continue;
        }
        let confidence = trace
            .atoms
            .iter()
            .filter(|(_, atom)| atom.family == *family)
            .filter_map(|(id, _)| trace.evidence.confidence(id))
            .reduce(f64::max);
        metrics.insert(family.as_str(), FamilyMetrics { latency_ms: nanos as f64 / 1e6, confidence });
    }
    metrics
}

fn by_type(trace: &RouteTrace, keep: impl Fn(AtomId) -> bool) -> BTreeMap<&'static str, Vec<String>> {
    let mut lists: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    let kept = trace.atoms.iter().filter(|(id, atom)| keep(*id) && !is_value_only(atom));
    for (_, atom) in kept {
        lists.entry(atom.family.as_str()).or_default().push(atom.name.to_string());
    }
    lists
}

fn decision_result(snapshot: &Snapshot, trace: &RouteTrace) -> DecisionResult {
    let winner = trace.verdict.winner.as_ref();
    let rules = |winner: &Winner| winner.matched_atoms.iter().map(|id| label(trace, *id)).collect();
    let used = winner.map(|winner| snapshot.policy().atoms_of(winner.index)).unwrap_or_default();
    DecisionResult {
        decision_name: winner.map(|winner| winner.name.to_string()).unwrap_or_default(),
        confidence: winner.map_or(0.0, |winner| winner.confidence),
        won_by: trace.verdict.won_by,
        matched_rules: winner.map(rules).unwrap_or_default(),
        runner_up: trace
            .verdict
            .runner_up
            .as_ref()
            .map(|second| RunnerUp { decision_name: second.name.to_string(), confidence: second.confidence }),
        used_signals: by_type(trace, |id| used.contains(&id)),
        matched_signals: by_type(trace, |id| trace.evidence.is_matched(id)),
        unmatched_signals: by_type(trace, |id| state(trace, id) == "not_matched"),
        unavailable_signals: by_type(trace, |id| trace.evidence.is_unavailable(id)),
    }
}

fn recommended_models(snapshot: &Snapshot, trace: &RouteTrace) -> Vec<String> {
    let mut models: Vec<String> = trace.choice.iter().map(|choice| choice.model.to_string()).collect();
    if let Some(winner) = &trace.verdict.winner {
        for reference in &snapshot.config().routing.decisions[winner.index].model_refs {
            let name = reference.lora_name.as_deref().unwrap_or(&reference.model);
            if !models.iter().any(|model| model == name) {
                models.push(name.to_owned());
            }
        }
    }
    models
}

fn projections(trace: &RouteTrace) -> ProjectionExplanation {
    let projections = &trace.verdict.projections;
    let partition = |outcome: &vsr_types::PartitionOutcome| {
        serde_json::json!({
            "partition": outcome.partition,
            "winner": label(trace, outcome.winner),
            "confidence": outcome.confidence,
            "dropped": outcome.dropped.iter().map(|id| label(trace, *id)).collect::<Vec<_>>(),
            "by_default": outcome.by_default,
        })
    };
    let score = |score: &vsr_types::ScoreValue| {
        serde_json::json!({
            "score": score.score,
            "value": score.value,
            "contributions": score.contributions,
        })
    };
    let mapping = |mapping: &vsr_types::MappingValue| {
        let outputs: Vec<Value> = mapping
            .outputs
            .iter()
            .map(|(id, confidence)| {
                serde_json::json!({ "name": trace.atoms.atom(*id).name, "confidence": confidence })
            })
            .collect();
        serde_json::json!({ "mapping": mapping.mapping, "outputs": outputs })
    };
    ProjectionExplanation {
        partitions: projections.partitions.iter().map(partition).collect(),
        scores: projections.scores.iter().map(score).collect(),
        mappings: projections.mappings.iter().map(mapping).collect(),
    }
}
