//! Prometheus metrics, under the public release's names. Labels hold configured names alone, so
//! that no client can make new series.

use std::{fmt, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use vsr_signals::TokenCalibration;
use vsr_types::{ModelName, ReasoningMode, RouteTrace, SignalFamily, Stage, Usage};

use crate::Snapshot;

/// Seconds; the default buckets of Prometheus clients.
const SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Seconds, for what takes microseconds.
const FAST_SECONDS: [f64; 10] =
    [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01];
const TOKENS: [f64; 13] =
    [0.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0];
const CONTEXT_TOKENS: [f64; 10] =
    [100.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0, 32000.0, 64000.0, 128000.0];
const SHARES: [f64; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];
const ERROR_PERCENT: [f64; 11] = [-50.0, -30.0, -20.0, -10.0, -5.0, 0.0, 5.0, 10.0, 20.0, 30.0, 50.0];

macro_rules! labels {
    ($($name:ident { $($field:ident),* })*) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name { $($field: String,)* }
    )*};
}

labels! {
    ByModel { model }
    ByError { model, reason }
    ByDecision { decision_name }
    ByRule { signal_type, signal_name }
    ByFamily { signal_type }
    ByReason { reason_code, model }
    ByChange { source_model, target_model }
    ByCost { model, currency }
    ByEffort { category, model, enabled, effort }
    BySelection { method, model, decision, tier }
    ByContext { model, context_level }
    ByCategory { category }
    ByHash { hash }
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    requests: Family<ByModel, Counter>,
    errors: Family<ByError, Counter>,
    in_flight: Family<ByModel, Gauge>,
    prompt_tokens: Family<ByModel, Counter>,
    completion_tokens: Family<ByModel, Counter>,
    tokens: Family<ByModel, Counter>,
    prompt_tokens_per_request: Histograms<ByModel>,
    completion_tokens_per_request: Histograms<ByModel>,
    cost: Family<ByCost, Counter<f64>>,
    completion_latency: Histograms<ByModel>,
    time_to_first_token: Histograms<ByModel>,
    time_per_output_token: Histograms<ByModel>,
    routing_latency: Histogram,
    modifications: Family<ByChange, Counter>,
    reason_codes: Family<ByReason, Counter>,
    selections: Family<BySelection, Counter>,
    reasoning: Family<ByEffort, Counter>,
    context_tokens: Histograms<ByContext>,
    decision_evaluations: Counter,
    decision_latency: Histogram,
    decision_matches: Family<ByDecision, Counter>,
    decision_confidence: Histograms<ByDecision>,
    signal_extractions: Family<ByRule, Counter>,
    signal_matches: Family<ByRule, Counter>,
    signal_latency: Histograms<ByFamily>,
    calibration_ratio: Family<ByCategory, Gauge<f64, std::sync::atomic::AtomicU64>>,
    calibration_samples: Family<ByCategory, Gauge>,
    estimation_error: Histograms<ByCategory>,
    snapshot_info: Family<ByHash, Gauge>,
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

fn fast_seconds() -> Histogram {
    Histogram::new(FAST_SECONDS)
}

fn token_counts() -> Histogram {
    Histogram::new(TOKENS)
}

fn context_token_counts() -> Histogram {
    Histogram::new(CONTEXT_TOKENS)
}

fn shares() -> Histogram {
    Histogram::new(SHARES)
}

fn error_percent() -> Histogram {
    Histogram::new(ERROR_PERCENT)
}

// === impl Metrics

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            errors: Family::default(),
            in_flight: Family::default(),
            prompt_tokens: Family::default(),
            completion_tokens: Family::default(),
            tokens: Family::default(),
            prompt_tokens_per_request: Family::new_with_constructor(token_counts),
            completion_tokens_per_request: Family::new_with_constructor(token_counts),
            cost: Family::default(),
            completion_latency: Family::new_with_constructor(seconds),
            time_to_first_token: Family::new_with_constructor(seconds),
            time_per_output_token: Family::new_with_constructor(seconds),
            routing_latency: seconds(),
            modifications: Family::default(),
            reason_codes: Family::default(),
            selections: Family::default(),
            reasoning: Family::default(),
            context_tokens: Family::new_with_constructor(context_token_counts),
            decision_evaluations: Counter::default(),
            decision_latency: fast_seconds(),
            decision_matches: Family::default(),
            decision_confidence: Family::new_with_constructor(shares),
            signal_extractions: Family::default(),
            signal_matches: Family::default(),
            signal_latency: Family::new_with_constructor(fast_seconds),
            calibration_ratio: Family::default(),
            calibration_samples: Family::default(),
            estimation_error: Family::new_with_constructor(error_percent),
            snapshot_info: Family::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        macro_rules! register {
            ($($field:ident: $name:literal, $help:literal;)*) => {
                $(self.registry.register($name, $help, self.$field.clone());)*
            };
        }
        register! {
            requests: "llm_model_requests", "Requests sent to the model";
            errors: "llm_request_errors", "Requests that failed, by reason";
            in_flight: "llm_model_inflight_requests", "Requests the model is working on";
            prompt_tokens: "llm_model_prompt_tokens", "Prompt tokens reported by backends";
            completion_tokens: "llm_model_completion_tokens", "Completion tokens reported by backends";
            tokens: "llm_model_tokens", "Prompt and completion tokens reported by backends";
            prompt_tokens_per_request: "llm_prompt_tokens_per_request", "Prompt tokens of one request";
            completion_tokens_per_request: "llm_completion_tokens_per_request", "Completion tokens of one request";
            cost: "llm_model_cost", "Cost of tokens at the configured prices";
            completion_latency: "llm_model_completion_latency_seconds", "From request received to the end of the answer";
            time_to_first_token: "llm_model_ttft_seconds", "From request received to the first byte of the answer";
            time_per_output_token: "llm_model_tpot_seconds", "Time per completion token after the first byte";
            routing_latency: "llm_model_routing_latency_seconds", "From request received to the model chosen";
            modifications: "llm_model_routing_modifications", "Requests whose model the router chose";
            reason_codes: "llm_routing_reason_codes", "How the model was chosen";
            selections: "llm_model_selection", "Models chosen, by algorithm";
            reasoning: "llm_reasoning_decisions", "Reasoning switched on or off by a decision";
            context_tokens: "llm_context_token_count", "Estimated tokens of a request";
            decision_evaluations: "llm_decision_evaluation", "Times the decisions were evaluated";
            decision_latency: "llm_decision_evaluation_latency_seconds", "Time to evaluate all decisions";
            decision_matches: "llm_decision_match", "Requests the decision won";
            decision_confidence: "llm_decision_confidence", "Confidence of the winning decision";
            signal_extractions: "llm_signal_extraction", "Times the rule was evaluated";
            signal_matches: "llm_signal_match", "Times the rule matched";
            signal_latency: "llm_signal_extraction_latency_seconds", "Time to evaluate a signal family";
            calibration_ratio: "vsr_token_calibration_ratio", "Learned bytes per token";
            calibration_samples: "vsr_token_calibration_samples", "Usage reports the ratio was learned from";
            estimation_error: "vsr_token_estimation_error_pct", "Estimated against reported prompt tokens, in percent";
            snapshot_info: "vsr_snapshot_info", "The configuration in force, by content hash";
        }
    }

    /// All metrics in the OpenMetrics text format.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut buffer = String::new();
        text::encode(&mut buffer, &self.registry)?;
        Ok(buffer)
    }

    /// A new snapshot is in force.
    pub(crate) fn describe(&self, snapshot: &Snapshot) {
        self.snapshot_info.clear();
        self.snapshot_info.get_or_create(&ByHash { hash: snapshot.hash().to_string() }).set(1);
    }

    /// A request was refused before it could be routed; `reason` is one of a fixed set.
    pub fn refused(&self, reason: &'static str) {
        let label = ByError { model: "unknown".into(), reason: reason.into() };
        self.errors.get_or_create(&label).inc();
    }

    pub(crate) fn in_flight(&self, model: &ModelName, change: i64) {
        self.in_flight.get_or_create(&ByModel { model: model.to_string() }).inc_by(change);
    }

    /// Signals and decisions were evaluated.
    pub(crate) fn record_routing(&self, snapshot: &Snapshot, trace: &RouteTrace, routing: Duration) {
        self.routing_latency.observe(routing.as_secs_f64());
        self.decision_evaluations.inc();
        self.decision_latency.observe(trace.stages.get(Stage::Decision).as_secs_f64());
        let counters = snapshot.rule_counters(|atom| self.rule_counters(atom.family, &atom.name));
        for (id, atom) in trace.atoms.iter() {
            if atom.family == SignalFamily::Projection || !snapshot.families().contains(atom.family) {
                continue;
            }
            let (extractions, matches) = &counters[id.index()];
            if !trace.evidence.is_unavailable(id) {
                extractions.inc();
            }
            if trace.evidence.is_matched(id) {
                matches.inc();
            }
        }
        for family in snapshot.families().iter() {
            let nanos = trace.evidence.family_nanos(family);
            if nanos > 0 {
                let label = ByFamily { signal_type: family.as_str().into() };
                self.signal_latency.get_or_create(&label).observe(nanos as f64 * 1e-9);
            }
        }
        if let Some(winner) = &trace.verdict.winner {
            let label = ByDecision { decision_name: winner.name.to_string() };
            self.decision_matches.get_or_create(&label).inc();
            self.decision_confidence.get_or_create(&label).observe(winner.confidence);
        }
    }

    /// The counters of a rule; snapshots keep them, so that requests need no look-up.
    fn rule_counters(&self, family: SignalFamily, name: &str) -> (Counter, Counter) {
        let label = ByRule { signal_type: family.as_str().into(), signal_name: name.into() };
        let extractions = self.signal_extractions.get_or_create(&label).clone();
        (extractions, self.signal_matches.get_or_create(&label).clone())
    }

    /// A model was chosen and the request goes to it.
    pub(crate) fn record_choice(&self, snapshot: &Snapshot, trace: &RouteTrace) {
        let Some(choice) = &trace.choice else { return };
        let model = choice.model.to_string();
        self.requests.get_or_create(&ByModel { model: model.clone() }).inc();
        let level = trace
            .evidence
            .matched()
            .iter()
            .map(|id| trace.atoms.atom(id))
            .find(|atom| atom.family == SignalFamily::Context)
            .map_or("none", |atom| &*atom.name);
        let context = ByContext { model: model.clone(), context_level: level.into() };
        self.context_tokens.get_or_create(&context).observe(trace.context_tokens as f64);
        let reason_code = choice.method.to_owned();
        self.reason_codes.get_or_create(&ByReason { reason_code, model: model.clone() }).inc();
        if !trace.routed {
            return;
        }
        let source_model = trace.requested_model.to_string();
        self.modifications.get_or_create(&ByChange { source_model, target_model: model.clone() }).inc();
        let decision = trace.verdict.winner.as_ref();
        let name = decision.map_or_else(|| "unknown".to_owned(), |winner| winner.name.to_string());
        let method = choice.method.to_owned();
        let selection =
            BySelection { method, model: model.clone(), decision: name, tier: "supported".into() };
        self.selections.get_or_create(&selection).inc();
        if choice.reasoning.mode != ReasoningMode::Untouched {
            let category = decision
                .and_then(|winner| {
                    winner
                        .matched_atoms
                        .iter()
                        .map(|id| snapshot.atoms().atom(*id))
                        .find(|atom| atom.family == SignalFamily::Domain)
                })
                .map_or("unknown", |atom| &*atom.name);
            let effort = ByEffort {
                category: category.into(),
                model,
                enabled: (choice.reasoning.mode == ReasoningMode::On).to_string(),
                effort: choice.reasoning.effort.as_deref().unwrap_or("none").into(),
            };
            self.reasoning.get_or_create(&effort).inc();
        }
    }

    /// A request is over.
    pub(crate) fn record_outcome(
        &self,
        snapshot: &Snapshot,
        trace: &RouteTrace,
        calibration: &TokenCalibration,
    ) {
        let model = trace.choice.as_ref().map(|choice| choice.model.to_string());
        let outcome = &trace.outcome;
        if let Some(reason) = outcome.error {
            let model = model.clone().unwrap_or_else(|| "unknown".into());
            self.errors.get_or_create(&ByError { model, reason: reason.into() }).inc();
        }
        let Some(model) = model else { return };
        let label = ByModel { model };
        if outcome.error.is_none() {
            self.completion_latency.get_or_create(&label).observe(outcome.total.as_secs_f64());
        }
        if let Some(first_byte) = outcome.first_byte {
            self.time_to_first_token.get_or_create(&label).observe(first_byte.as_secs_f64());
        }
        let Some(usage) = outcome.usage else { return };
        self.record_usage(snapshot, trace, &label, usage);
        if trace.context_tokens > 0 && usage.prompt_tokens > 0 {
            let category = ByCategory { category: "_default".into() };
            let error = (trace.context_tokens as f64 / usage.prompt_tokens as f64 - 1.0) * 100.0;
            self.estimation_error.get_or_create(&category).observe(error);
            self.calibration_ratio.get_or_create(&category).set(calibration.ratio());
            let samples = i64::try_from(calibration.samples()).unwrap_or(i64::MAX);
            self.calibration_samples.get_or_create(&category).set(samples);
        }
    }

    fn record_usage(&self, snapshot: &Snapshot, trace: &RouteTrace, label: &ByModel, usage: Usage) {
        self.prompt_tokens.get_or_create(label).inc_by(usage.prompt_tokens);
        self.completion_tokens.get_or_create(label).inc_by(usage.completion_tokens);
        self.tokens.get_or_create(label).inc_by(usage.total_tokens());
        self.prompt_tokens_per_request.get_or_create(label).observe(usage.prompt_tokens as f64);
        self.completion_tokens_per_request.get_or_create(label).observe(usage.completion_tokens as f64);
        if let Some(first_byte) = trace.outcome.first_byte
            && trace.outcome.streamed
            && usage.completion_tokens > 1
        {
            let generation = trace.outcome.total.saturating_sub(first_byte).as_secs_f64();
            let per_token = generation / (usage.completion_tokens - 1) as f64;
            self.time_per_output_token.get_or_create(label).observe(per_token);
        }
        let pricing = snapshot.models().find(&label.model).and_then(|model| model.pricing.as_ref());
        if let Some(pricing) = pricing {
            let cached = usage.cached_tokens.min(usage.prompt_tokens);
            let prompt_price = pricing.prompt_per_1m.unwrap_or(0.0);
            let cached_price = pricing.cached_input_per_1m.unwrap_or(prompt_price);
            let cost = (usage.prompt_tokens - cached) as f64 * prompt_price
                + cached as f64 * cached_price
                + usage.completion_tokens as f64 * pricing.completion_per_1m.unwrap_or(0.0);
            let cost_label = ByCost { model: label.model.clone(), currency: pricing.currency.clone() };
            self.cost.get_or_create(&cost_label).inc_by(cost / 1e6);
        }
    }
}
